// What the sums of an ensemble's groups become: the answers, by the arithmetic of the library that grew it.
#pragma once

#include "ensemble.hpp"

namespace flyball {

template <class Sum>
Sum sigmoid(Sum x, double slope);

template <>
inline double sigmoid(double x, double slope) {
  return 1.0 / (1.0 + std::exp(-slope * x));
}

// XGBoost bounds the exponent and keeps the denominator from zero.
template <>
inline float sigmoid(float x, double) {
  return 1.0F / (std::exp(std::min(-x, 88.7F)) + 1.0F + 1e-16F);
}

template <class Sum>
void softmax(Sum* sums, std::int32_t groups) {
  Sum most = sums[0];
  for (std::int32_t g = 1; g < groups; ++g) most = std::max(most, sums[g]);
  double total = 0;
  for (std::int32_t g = 0; g < groups; ++g) {
    sums[g] = std::exp(sums[g] - most);
    total += static_cast<double>(sums[g]);
  }
  for (std::int32_t g = 0; g < groups; ++g) sums[g] /= static_cast<Sum>(total);
}

template <class Sum>
Sum link_of_one(const Ensemble& e, Sum x) {
  switch (e.link) {
    case Link::kSigmoid: return sigmoid(x, e.slope);
    case Link::kExp: return std::exp(x);
    case Link::kWideExp: return static_cast<Sum>(std::exp(static_cast<double>(x)));
    case Link::kSignedSquare: return x < 0 ? -x * x : x * x;
    case Link::kSoftplus: return std::log1p(std::exp(x));
    case Link::kHinge: return x > 0 ? 1 : 0;
    // Mean depth over what is usual, as a score below zero: -1 is the most abnormal (Liu et al. 2008).
    case Link::kIsolation: return static_cast<Sum>(-std::pow(2.0, -static_cast<double>(x)));
    default: return x;
  }
}

// How many answers a row has.
inline std::int32_t answers(const Ensemble& e, bool raw) {
  return !raw && e.link == Link::kArgmax ? 1 : e.groups;
}

// Turns the sums of a row into its answers, in place.
template <class Sum>
void answer(const Ensemble& e, bool raw, Sum* sums) {
  if (raw) return;
  if (e.divisor != 1) {
    for (std::int32_t g = 0; g < e.groups; ++g) sums[g] /= static_cast<Sum>(e.divisor);
  }
  if (e.link == Link::kSoftmax) {
    softmax(sums, e.groups);
  } else if (e.link == Link::kArgmax) {
    sums[0] = static_cast<Sum>(std::max_element(sums, sums + e.groups) - sums);
  } else {
    for (std::int32_t g = 0; g < e.groups; ++g) sums[g] = link_of_one(e, sums[g]);
  }
}

}  // namespace flyball
