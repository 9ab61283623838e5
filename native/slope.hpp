// Least-squares slope of each window's values over their positions, missing values skipped.
#pragma once

#include "moments.hpp"

namespace flyball {

struct Line {
  double count;
  double position;  // sum of (position - first position)
  double value;     // sum of (value - first value)
};

static Line line_sums(const double* rows, const double* positions, std::int64_t length,
                                    double first_value) {
  Lanes at{}, sum{}, zero{}, shift, start;
  Marks count{};
  fill(shift, first_value);
  fill(start, positions[0]);
  for (std::int64_t i = 0; i < length; i += kLanes) {
    Lanes x, t;
    load(x, rows + i, length - i);
    load(t, positions + i, length - i);
    const auto present = x == x;
    count -= present;
    sum += present ? x - shift : zero;
    at += present ? t - start : zero;
  }
  return {fold(count), fold(at), fold(sum)};
}

static double line_slope(const double* rows, const double* positions, std::int64_t length,
                                       double first_value, Line means) {
  Lanes across{}, along{}, zero{}, shift, start, mean_x, mean_t;
  fill(shift, first_value);
  fill(start, positions[0]);
  fill(mean_x, means.value / means.count);
  fill(mean_t, means.position / means.count);
  for (std::int64_t i = 0; i < length; i += kLanes) {
    Lanes x, t;
    load(x, rows + i, length - i);
    load(t, positions + i, length - i);
    const auto present = x == x;
    const Lanes dx = present ? (x - shift) - mean_x : zero;
    const Lanes dt = present ? (t - start) - mean_t : zero;
    across += dt * dx;
    along += dt * dt;
  }
  const double spread = fold(along);
  return spread > 0 ? fold(across) / spread : kNaN;
}

inline void slope(const double* values, const double* positions, const Windows& windows, double* out) {
  for (std::int64_t i = 0; i < windows.count; ++i) {
    const double* rows = values + windows.lo[i];
    const std::int64_t length = windows.hi[i] - windows.lo[i];
    const double shift = first_present(rows, length);
    if (missing(shift)) {
      out[i] = kNaN;
      continue;
    }
    const double* at = positions + windows.lo[i];
    out[i] = line_slope(rows, at, length, shift, line_sums(rows, at, length, shift));
  }
}

}  // namespace flyball
