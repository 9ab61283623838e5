// How far a peak stands out, and how wide it is: walks from the peak to both sides, in large steps.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "lanes.hpp"
#include "maxima.hpp"

namespace flyball {

using Four = double __attribute__((vector_size(32)));
using FourMarks = std::int64_t __attribute__((vector_size(32)));

// One bit for each lane that is marked.
FLYBALL_INLINE unsigned bits_of(const FourMarks& marks) {
#if defined(__AVX2__)
  return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<const __m256d&>(marks)));
#else
  return (marks[0] & 1) | (marks[1] & 2) | (marks[2] & 4) | (marks[3] & 8);
#endif
}

FLYBALL_INLINE bool all(const FourMarks& marks) { return bits_of(marks) == 15; }

FLYBALL_INLINE double lowest_lane(const Four& lanes) {
  const double one = lanes[1] < lanes[0] ? lanes[1] : lanes[0];
  const double two = lanes[3] < lanes[2] ? lanes[3] : lanes[2];
  return two < one ? two : one;
}

// Largest and smallest value of blocks of 64, of 64 blocks, and so on. The largest is NaN where any is.
class Blocks {
 public:
  static constexpr int kShift = 6;
  static constexpr std::int64_t size(int level) { return std::int64_t{1} << (kShift * level); }

  Blocks() = default;
  Blocks(const double* x, std::int64_t size) {
    const double *highs = x, *lows = x;
    for (std::int64_t left = size >> kShift; left > 0; left >>= kShift) {
      Level level{std::vector<double>(static_cast<std::size_t>(left)),
                  std::vector<double>(static_cast<std::size_t>(left))};
      for (std::int64_t i = 0; i < left; ++i) {
        level.high[static_cast<std::size_t>(i)] = high_of(highs + (i << kShift));
        level.low[static_cast<std::size_t>(i)] = low_of(lows + (i << kShift));
      }
      levels_.push_back(std::move(level));
      highs = levels_.back().high.data();
      lows = levels_.back().low.data();
    }
  }

  int depth() const { return static_cast<int>(levels_.size()); }
  double high(int level, std::int64_t sample) const { return levels_[index(level)].high[block(level, sample)]; }
  double low(int level, std::int64_t sample) const { return levels_[index(level)].low[block(level, sample)]; }

 private:
  struct Level {
    std::vector<double> high, low;
  };
  static std::size_t index(int level) { return static_cast<std::size_t>(level - 1); }
  static std::size_t block(int level, std::int64_t sample) {
    return static_cast<std::size_t>(sample >> (kShift * level));
  }
  static double high_of(const double* from) {
    Four best[2];
    std::memcpy(best, from, sizeof best);
    FourMarks whole = (best[0] == best[0]) & (best[1] == best[1]);
    for (int i = 8; i < 64; i += 8) {
      Four next[2];
      std::memcpy(next, from + i, sizeof next);
      for (int k = 0; k < 2; ++k) {
        whole &= next[k] == next[k];
        best[k] = next[k] > best[k] ? next[k] : best[k];
      }
    }
    const Four highs = best[0] > best[1] ? best[0] : best[1];
    return all(whole) ? std::max(std::max(highs[0], highs[1]), std::max(highs[2], highs[3])) : kNaN;
  }
  static double low_of(const double* from) {
    Four best[2];
    std::memcpy(best, from, sizeof best);
    for (int i = 8; i < 64; i += 8) {
      Four next[2];
      std::memcpy(next, from + i, sizeof next);
      for (int k = 0; k < 2; ++k) best[k] = next[k] < best[k] ? next[k] : best[k];
    }
    return lowest_lane(best[0] < best[1] ? best[0] : best[1]);
  }

  std::vector<Level> levels_;
};

constexpr std::int64_t kFarthest = std::numeric_limits<std::int64_t>::max();

// One side of a peak as far as it was walked.
struct Slope {
  std::int64_t next;  // the sample that stopped the walk, or one past its bound
  double low;         // the smallest value walked over
};

// A side looked at from the peak on, with the place of its smallest value.
struct Near {
  Slope slope;
  std::int64_t base;
  bool stopped;
};

// Eight samples from `i` on, walking, as they lie in memory; those behind the first that stops count as `height`.
struct Eight {
  Four first, second;
  int before;  // how many lie before the one that stops; 8 where none does
};

template <int kStep>
FLYBALL_INLINE void look(const double* x, std::int64_t i, double height, Eight& eight) {
  const double* from = kStep > 0 ? x + i : x + i - 7;
  const Four limit{height, height, height, height};
  Four first, second;
  std::memcpy(&first, from, sizeof first);
  std::memcpy(&second, from + 4, sizeof second);
  const unsigned passed = bits_of(first <= limit) | bits_of(second <= limit) << 4;
  eight.before = kStep > 0 ? std::countr_one(passed) : std::countl_one(static_cast<std::uint8_t>(passed));
  const std::int64_t edge = kStep > 0 ? eight.before : 7 - eight.before;
  const FourMarks edges{edge, edge, edge, edge}, numbers{0, 1, 2, 3}, more{4, 5, 6, 7};
  eight.first = (kStep > 0 ? numbers < edges : numbers > edges) ? first : limit;
  eight.second = (kStep > 0 ? more < edges : more > edges) ? second : limit;
}

// The eight samples next to the peak, without a branch: most walks end among them.
template <int kStep>
FLYBALL_INLINE Near look_near(const double* x, std::int64_t peak) {
  const double height = x[peak];
  Eight eight;
  look<kStep>(x, peak + kStep, height, eight);
  const double low = lowest_lane(eight.first < eight.second ? eight.first : eight.second);
  const Four lows{low, low, low, low};
  const unsigned equal = bits_of(eight.first == lows) | bits_of(eight.second == lows) << 4;
  const std::int64_t lane = kStep > 0 ? std::countr_zero(equal | 256) : 31 - std::countl_zero(equal | 1);
  const std::int64_t base = kStep > 0 ? peak + 1 + lane : peak - 8 + lane;
  return {{peak + kStep * (eight.before + 1), low}, low < height ? base : peak, eight.before < 8};
}

// Up to 64 samples more, the nearest smallest value kept in mind lane by lane.
template <int kStep>
inline void look_on(const double* x, std::int64_t bound, double height, Near& near) {
  const double known = near.slope.low;
  Four lows[2] = {{known, known, known, known}, {known, known, known, known}};
  FourMarks where[2] = {};
  std::int64_t i = near.slope.next;
  for (int turn = 0; turn < 8 && !near.stopped && (kStep > 0 ? bound - i : i - bound) >= 7; ++turn) {
    Eight eight;
    look<kStep>(x, i, height, eight);
    const FourMarks here{i, i, i, i};
    const FourMarks lower = eight.first < lows[0], also = eight.second < lows[1];
    lows[0] = lower ? eight.first : lows[0];
    where[0] = lower ? here : where[0];
    lows[1] = also ? eight.second : lows[1];
    where[1] = also ? here : where[1];
    near.stopped = eight.before < 8;
    i += kStep * eight.before;
  }
  near.slope = {i, lowest_lane(lows[0] < lows[1] ? lows[0] : lows[1])};
  if (!(near.slope.low < known)) return;
  near.base = kStep > 0 ? kFarthest : -1;
  for (int lane = 0; lane < 8; ++lane) {
    const std::int64_t place = where[lane >> 2][lane & 3] + lane - (kStep > 0 ? 0 : 7);
    const bool better = (kStep > 0 ? place < near.base : place > near.base);
    near.base = lows[lane >> 2][lane & 3] == near.slope.low && better ? place : near.base;
  }
}

// Walk from slope.next towards `bound` (included) while values are at most `height`; NaN stops it.
template <int kStep>
inline void walk_samples(const double* x, std::int64_t bound, double height, Slope& slope) {
  std::int64_t i = slope.next;
  double low = slope.low;
  const auto left = [&] { return kStep > 0 ? bound - i + 1 : i - bound + 1; };
  const Four limit{height, height, height, height};
  Four lows{low, low, low, low};
  for (; left() >= 4; i += 4 * kStep) {
    Four here;
    std::memcpy(&here, x + (kStep > 0 ? i : i - 3), sizeof here);
    if (!all(here <= limit)) break;
    lows = here < lows ? here : lows;
  }
  low = lowest_lane(lows);
  for (; left() > 0 && x[i] <= height; i += kStep) low = x[i] < low ? x[i] : low;
  slope = {i, low};
}

// The largest level whose block begins at sample `i`, ends by `bound` and passes; 0 where none does.
template <int kStep, typename Passes>
inline int stride(const Blocks& blocks, std::int64_t i, std::int64_t bound, Passes passes) {
  int level = 0;
  while (level < blocks.depth()) {
    const std::int64_t wide = Blocks::size(level + 1);
    const bool aligned = ((kStep > 0 ? i : i + 1) & (wide - 1)) == 0;
    const std::int64_t last = i + kStep * (wide - 1);
    if (!aligned || (kStep > 0 ? last > bound : last < bound) || !passes(level + 1)) break;
    ++level;
  }
  return level;
}

// The same in steps as large as alignment allows, where there are blocks.
template <int kStep>
inline void walk(const double* x, const Blocks& blocks, std::int64_t bound, double height, Slope& slope) {
  if (!blocks.depth()) return walk_samples<kStep>(x, bound, height, slope);
  constexpr std::int64_t kWithin = Blocks::size(1) - 1;
  for (;;) {
    const std::int64_t end =
        kStep > 0 ? std::min(bound, slope.next | kWithin) : std::max(bound, slope.next & ~kWithin);
    walk_samples<kStep>(x, end, height, slope);
    if (slope.next != end + kStep || end == bound) return;
    const auto lower = [&](int level) { return blocks.high(level, slope.next) <= height; };
    while (const int level = stride<kStep>(blocks, slope.next, bound, lower)) {
      slope.low = std::min(slope.low, blocks.low(level, slope.next));
      slope.next += kStep * Blocks::size(level);
    }
    if (slope.next == bound + kStep) return;
  }
}

// The first sample from `i` on, walking, that is equal to `value`, or one past `end`.
template <int kStep>
inline std::int64_t seek(const double* x, std::int64_t i, std::int64_t end, double value) {
  const Four wanted{value, value, value, value};
  for (; (kStep > 0 ? end - i : i - end) >= 3; i += 4 * kStep) {
    Four here;
    std::memcpy(&here, x + (kStep > 0 ? i : i - 3), sizeof here);
    const unsigned equal = bits_of(here == wanted);
    if (equal) return kStep > 0 ? i + std::countr_zero(equal) : i - 3 + (31 - std::countl_zero(equal));
  }
  while (i != end + kStep && x[i] != value) i += kStep;
  return i;
}

// Where the smallest value of a walked side lies, the nearest of equal ones to the peak; it is known not to
// lie before `from`.
template <int kStep>
inline std::int64_t base_of(const double* x, const Blocks& blocks, std::int64_t peak, std::int64_t from,
                            const Slope& slope) {
  if (!(slope.low < x[peak])) return peak;
  const std::int64_t bound = slope.next - kStep;
  if (!blocks.depth()) return seek<kStep>(x, from, bound, slope.low);
  constexpr std::int64_t kWithin = Blocks::size(1) - 1;
  for (std::int64_t i = from;;) {
    const std::int64_t end = kStep > 0 ? std::min(bound, i | kWithin) : std::max(bound, i & ~kWithin);
    const std::int64_t found = seek<kStep>(x, i, end, slope.low);
    if (found != end + kStep) return found;
    i = found;
    const auto higher = [&](int level) { return blocks.low(level, i) > slope.low; };
    while (const int level = stride<kStep>(blocks, i, bound, higher)) i += kStep * Blocks::size(level);
  }
}

struct Width {
  double width;
  double height;
  double left;
  double right;
};

// The peak's width where `share` of its prominence lies above, between its bases; `origin` is the number of
// the first sample.
inline Width width_of(const double* x, std::int64_t peak, double prominence, double share,
                      std::int64_t left_base, std::int64_t right_base, std::int64_t origin = 0) {
  const double height = x[peak] - prominence * share;
  const Four limit{height, height, height, height};
  const auto above = [&](std::int64_t from) {
    Four here;
    std::memcpy(&here, x + from, sizeof here);
    return all(limit < here);
  };
  std::int64_t i = peak;
  while (i - 3 > left_base && above(i - 3)) i -= 4;
  while (i > left_base && height < x[i]) --i;
  auto left = static_cast<double>(i + origin);
  if (x[i] < height && x[i + 1] != x[i]) left += (height - x[i]) / (x[i + 1] - x[i]);
  i = peak;
  while (i + 3 < right_base && above(i)) i += 4;
  while (i < right_base && height < x[i]) ++i;
  auto right = static_cast<double>(i + origin);
  if (x[i] < height && x[i - 1] != x[i]) right -= (height - x[i]) / (x[i - 1] - x[i]);
  return {right - left, height, left, right};
}

}  // namespace flyball
