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

// The highest of keys taken eight at a time.
class Highest {
 public:
  explicit Highest(double key) : one_{key, key, key, key}, two_(one_) {}

  FLYBALL_INLINE void take(const double* keys) {
    Four one, two;
    std::memcpy(&one, keys, sizeof one);
    std::memcpy(&two, keys + 4, sizeof two);
    one_ = one > one_ ? one : one_;
    two_ = two > two_ ? two : two_;
  }
  FLYBALL_INLINE double key() const {
    const Four best = one_ > two_ ? one_ : two_;
    return std::max(std::max(best[0], best[1]), std::max(best[2], best[3]));
  }

 private:
  Four one_, two_;
};
constexpr std::int64_t kKeys = 8;

// The peaks [lo, hi) within less than `distance` of peak `at`, between `from` and `to`, and the highest key.
inline Reach reach_of(const std::int64_t* places, const double* keys, std::int64_t at, std::int64_t from,
                      std::int64_t to, std::int64_t distance) {
  const std::int64_t place = places[at];
  Highest best(keys[at]);
  std::int64_t hi = at + 1;
  for (; hi + kKeys <= to && places[hi + kKeys - 1] - place < distance; hi += kKeys) best.take(keys + hi);
  std::int64_t lo = at;
  for (; lo - kKeys >= from && place - places[lo - kKeys] < distance; lo -= kKeys) {
    best.take(keys + lo - kKeys);
  }
  double highest = best.key();
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
    if (lo == first) first = reach.hi;
    climb.pop_back();
  }
}

}  // namespace flyball
