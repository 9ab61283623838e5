// Which ranks of a window a quantile is made of, and how: what both ways of finding ranks share.
#pragma once

#include <algorithm>
#include <cmath>

#include "wide.hpp"

namespace flyball {

// The mean of the two middle values as bottleneck takes it, but for two finite ones never infinite.
template <typename V>
FLYBALL_INLINE V middle_of(V low, V high) {
  const V half = (low + high) * 0.5f;
  const V careful = low * 0.5f + high * 0.5f;
  if constexpr (std::is_floating_point_v<V>) {
    return (half - half == 0 ? half : careful) + 0;
  } else {
    return (half - half == 0 ? half : careful) + V{};
  }
}

struct RankRule {
  std::int64_t window = 1;
  std::int64_t min_count = 1;  // at least 1
  double q = 0.5;
  bool median = true;  // of an even count the mean of two, not an interpolation

  // The place of the quantile among `many` values in order, as a rank and what lies beyond it.
  double place(std::int64_t many) const { return q * static_cast<double>(many - 1); }
  std::int64_t low(std::int64_t many) const {
    return median ? (many - 1) / 2 : static_cast<std::int64_t>(place(many));
  }
  std::int64_t high(std::int64_t many) const {
    return median ? many / 2 : static_cast<std::int64_t>(std::ceil(place(many)));
  }

  template <typename T>
  T between(T low, T high, std::int64_t many) const {
    if (median) return middle_of(low, high);
    if (low == high) return low + T{0};
    const double part = place(many) - std::floor(place(many));
    const double from = low, to = high, along = to - from;
    return static_cast<T>((part < 0.5 ? from + along * part : to - along * (1 - part)) + 0.0);
  }

  // Missing values are given places below and above all others, so that every window is full: of the first
  // `many` missing ones, this many lie below. In any window the share is q, within one value.
  std::int64_t below(std::int64_t many) const { return (many * share() + kWhole - 1) >> 32; }

  // The first rank and the number of ranks that can be asked for, with up to `missing` missing values.
  struct Band {
    std::int64_t first, many;
  };
  Band band(std::int64_t missing) const {
    std::int64_t first = window, last = 0;
    for (std::int64_t gone = 0; gone <= std::min(missing, window - 1); ++gone) {
      const std::int64_t fewest = (gone * share()) >> 32;
      first = std::min(first, fewest + low(window - gone));
      last = std::max(last, below(gone) + high(window - gone));
    }
    return {first, last - first + 1};
  }

 private:
  static constexpr std::int64_t kWhole = std::int64_t{1} << 32;
  std::int64_t share() const { return static_cast<std::int64_t>(q * static_cast<double>(kWhole)); }
};

}  // namespace flyball
