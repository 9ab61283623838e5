// Peaks kept apart: the highest first, and each takes the lower ones nearer than the distance with it.
//
// Sorting all peaks by height is not needed. From any undecided peak climb to the highest undecided one
// within its distance until none is higher: that one is kept whatever else happens. Every other peak of
// such a climb lies a distance further on, so a climb is short and the whole takes linear time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lanes.hpp"
#include "prominence.hpp"

namespace flyball {

constexpr double kDecided = -kInf;  // a peak is higher than its neighbours, so none is -inf

struct Reach {
  std::int64_t lo;
  std::int64_t hi;
  double highest;
};

FLYBALL_INLINE double highest_lane(const Lanes& lanes) {
  double best = lanes[0];
  for (int i = 1; i < kLanes; ++i) best = lanes[i] > best ? lanes[i] : best;
  return best;
}

// The peaks [lo, hi) within less than `distance` of peak `at`, between `from` and `to`, and the highest key.
inline Reach reach_of(const std::int64_t* places, const double* keys, std::int64_t at, std::int64_t from,
                      std::int64_t to, std::int64_t distance) {
  const std::int64_t place = places[at];
  Lanes best;
  fill(best, keys[at]);
  std::int64_t hi = at + 1;
  for (; hi + kLanes <= to && places[hi + kLanes - 1] - place < distance; hi += kLanes) {
    Lanes next;
    load(next, keys + hi, kLanes);
    best = next > best ? next : best;
  }
  std::int64_t lo = at;
  for (; lo - kLanes >= from && place - places[lo - kLanes] < distance; lo -= kLanes) {
    Lanes next;
    load(next, keys + lo - kLanes, kLanes);
    best = next > best ? next : best;
  }
  double highest = highest_lane(best);
  for (; hi < to && places[hi] - place < distance; ++hi) highest = keys[hi] > highest ? keys[hi] : highest;
  for (; lo > from && place - places[lo - 1] < distance; --lo) {
    highest = keys[lo - 1] > highest ? keys[lo - 1] : highest;
  }
  return {lo, hi, highest};
}

// Writes which peaks are kept; `keys` are their heights and are spent. False where two equal ones contend:
// then heights alone do not tell, and the caller comes again with keys that differ.
inline bool keep_apart(const std::int64_t* places, double* keys, std::int64_t count, std::int64_t distance,
                       bool* kept) {
  std::fill(kept, kept + count, false);
  std::vector<std::int64_t> climb;
  std::int64_t first = 0;
  for (;;) {
    if (climb.empty()) {
      while (first < count && keys[first] == kDecided) ++first;
      if (first == count) return true;
      climb.push_back(first);
    }
    const std::int64_t at = climb.back();
    if (keys[at] == kDecided) {
      climb.pop_back();
      continue;
    }
    // To the left of a climb all are lower: the first of the highest was taken.
    const Reach reach = reach_of(places, keys, at, at, count, distance);
    if (reach.highest > keys[at]) {
      climb.push_back(seek<1>(keys, at + 1, reach.hi - 1, reach.highest));
      continue;
    }
    if (seek<1>(keys, at + 1, reach.hi - 1, keys[at]) != reach.hi) return false;
    kept[at] = true;
    std::int64_t lo = at;
    while (lo > first && places[at] - places[lo - 1] < distance) --lo;
    std::fill(keys + lo, keys + reach.hi, kDecided);
    climb.pop_back();
  }
}

}  // namespace flyball
