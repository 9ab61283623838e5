// First and last value of each window, missing values skipped.
#pragma once

#include "lanes.hpp"

namespace flyball {

// out: two rows of `windows.count`: first, last.
inline void ends(const double* values, const Windows& windows, double* out) {
  for (std::int64_t i = 0; i < windows.count; ++i) {
    std::int64_t from = windows.lo[i];
    std::int64_t to = windows.hi[i];
    while (from < to && missing(values[from])) ++from;
    while (from < to && missing(values[to - 1])) --to;
    out[i] = from < to ? values[from] : kNaN;
    out[windows.count + i] = from < to ? values[to - 1] : kNaN;
  }
}

}  // namespace flyball
