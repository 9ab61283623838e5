// Eight doubles at a time, the same eight sums on every instruction set.
//
// Sums are kept in eight lanes, counted from the window's first row, and folded in one fixed order. So a
// window's figure depends on the window's rows alone: not on the other windows, not on the machine.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

namespace flyball {

using Lanes = double __attribute__((vector_size(64)));
using Marks = std::int64_t __attribute__((vector_size(64)));
constexpr std::int64_t kLanes = 8;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

#define FLYBALL_INLINE inline __attribute__((always_inline))

FLYBALL_INLINE void fill(Lanes& lanes, double value) {
  lanes = Lanes{value, value, value, value, value, value, value, value};
}

// The next rows; where fewer than eight remain, the rest are missing.
FLYBALL_INLINE void load(Lanes& lanes, const double* rows, std::int64_t remaining) {
  if (remaining >= kLanes) {
    std::memcpy(&lanes, rows, sizeof(Lanes));
  } else {
    fill(lanes, kNaN);
    std::memcpy(&lanes, rows, static_cast<std::size_t>(remaining) * sizeof(double));
  }
}

FLYBALL_INLINE double fold(const Lanes& lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

FLYBALL_INLINE double fold(const Marks& lanes) {
  std::int64_t sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += lanes[i];
  return static_cast<double>(sum);
}

// Half-open windows [lo[i], hi[i]) over one array.
struct Windows {
  const std::int64_t* lo;
  const std::int64_t* hi;
  std::int64_t count;

  // Whether the windows move forward only, which is what sliding needs.
  bool forward(std::int64_t from, std::int64_t to) const {
    for (std::int64_t i = from + 1; i < to; ++i) {
      if (lo[i] < lo[i - 1] || hi[i] < hi[i - 1]) return false;
    }
    return true;
  }
};

// Whether 0 <= lo <= hi <= rows holds for all.
inline bool within(const Windows& windows, std::int64_t rows) {
  bool wrong = false;
  for (std::int64_t i = 0; i < windows.count; ++i) {
    wrong |= windows.lo[i] < 0 || windows.lo[i] > windows.hi[i] || windows.hi[i] > rows;
  }
  return !wrong;
}

inline bool missing(double value) { return value != value; }

}  // namespace flyball
