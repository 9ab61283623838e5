// Count, sum, mean and population standard deviation of each window, missing values skipped.
#pragma once

#include <cmath>

#include "lanes.hpp"

namespace flyball {

struct Tally {
  double count;
  double sum;
  double shifted;  // sum of (value - shift)
};

static Tally tally(const double* rows, std::int64_t length, double shift) {
  Lanes sum{}, shifted{}, zero{}, by;
  Marks count{};
  fill(by, shift);
  for (std::int64_t i = 0; i < length; i += kLanes) {
    Lanes x;
    load(x, rows + i, length - i);
    const auto present = x == x;
    count -= present;
    sum += present ? x : zero;
    shifted += present ? x - by : zero;
  }
  return {fold(count), fold(sum), fold(shifted)};
}

// Sum of squared deviations about shift + centre; what the rounding of the centre left is taken out.
static double scatter(const double* rows, std::int64_t length, double shift, double centre,
                                    double count) {
  Lanes squares{}, rest{}, zero{}, by, about;
  fill(by, shift);
  fill(about, centre);
  for (std::int64_t i = 0; i < length; i += kLanes) {
    Lanes x;
    load(x, rows + i, length - i);
    const Lanes away = x == x ? (x - by) - about : zero;
    squares += away * away;
    rest += away;
  }
  const double left = fold(rest);
  return fold(squares) - left * left / count;
}

// The first value that is there: differences from it are small, and zero where nothing changes.
inline double first_present(const double* rows, std::int64_t length) {
  for (std::int64_t i = 0; i < length; ++i) {
    if (!missing(rows[i])) return rows[i];
  }
  return kNaN;
}

// out: four rows of `windows.count`: count, sum, mean, std. The std only where asked: it is a second pass.
inline void moments(const double* values, const Windows& windows, bool with_std, double* out) {
  double* counts = out;
  double* sums = out + windows.count;
  double* means = out + 2 * windows.count;
  double* stds = out + 3 * windows.count;
  for (std::int64_t i = 0; i < windows.count; ++i) {
    const double* rows = values + windows.lo[i];
    const std::int64_t length = windows.hi[i] - windows.lo[i];
    const double shift = first_present(rows, length);
    if (missing(shift)) {
      counts[i] = 0;
      sums[i] = means[i] = stds[i] = kNaN;
      continue;
    }
    const Tally got = tally(rows, length, shift);
    counts[i] = got.count;
    sums[i] = got.sum;
    means[i] = got.sum / got.count;
    if (with_std) {
      const double squares = scatter(rows, length, shift, got.shifted / got.count, got.count);
      stds[i] = std::sqrt((squares < 0 ? 0 : squares) / got.count);
    }
  }
}

}  // namespace flyball
