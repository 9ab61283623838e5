// How far a sample lies from a sorted reference, exactly: Kolmogorov-Smirnov and Wasserstein distances.
//
// The sample's keys are sorted by digits, nothing carried along, then both samples are walked once. The two
// cumulative distributions are kept as integers: shares that are equal differ by exactly nothing.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "gather.hpp"
#include "lanes.hpp"

namespace flyball {

// Sorts doubles that are numbers, by three digits of eleven bits below what all keys share. Keys that are
// alike in those 33 bits are few in all but odd samples: each such run is sorted by comparing.
class DigitSort {
 public:
  // Takes what is there of `count` values and returns it sorted; -0.0 becomes 0.0. Stays until the next call.
  template <typename T>
  const Room<double>& sort(const T* values, std::int64_t count) {
    keys_.resize(static_cast<std::size_t>(count));
    std::size_t kept = 0;
    std::uint64_t least = ~std::uint64_t{0}, most = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const double value = static_cast<double>(values[i]) + 0.0;
      const std::uint64_t key = ordered(std::bit_cast<std::uint64_t>(value));
      const bool there = value == value;
      keys_[kept] = key;
      kept += there;
      least = there && key < least ? key : least;
      most = there && key > most ? key : most;
    }
    keys_.resize(kept);
    spare_.resize(kept);
    const int spread = kept > 1 ? static_cast<int>(std::bit_width(most - least)) : 0;
    if (kept > 1) by_digits(least, std::max(0, spread - kDigits * kBits));
    sorted_.resize(kept);
    for (std::size_t i = 0; i < kept; ++i) sorted_[i] = std::bit_cast<double>(restored(keys_[i]));
    return sorted_;
  }

 private:
  static constexpr int kBits = 11, kDigits = 3;
  static constexpr std::uint64_t kMask = (1 << kBits) - 1, kSign = std::uint64_t{1} << 63;

  // Bits that rise as the doubles do.
  static std::uint64_t ordered(std::uint64_t bits) {
    return bits ^ (static_cast<std::uint64_t>(static_cast<std::int64_t>(bits) >> 63) | kSign);
  }
  static std::uint64_t restored(std::uint64_t key) {
    return key ^ (static_cast<std::uint64_t>(static_cast<std::int64_t>(~key) >> 63) | kSign);
  }

  void by_digits(std::uint64_t least, int shift) {
    for (auto& digit : seen_) digit.fill(0);
    for (const std::uint64_t key : keys_) {
      const std::uint64_t top = (key - least) >> shift;
      for (int digit = 0; digit < kDigits; ++digit) {
        ++seen_[static_cast<std::size_t>(digit)][top >> (digit * kBits) & kMask];
      }
    }
    for (int digit = 0; digit < kDigits; ++digit) {
      deal(least, shift + digit * kBits, seen_[static_cast<std::size_t>(digit)]);
    }
    if (shift == 0) return;
    for (std::size_t begin = 0, end; begin < keys_.size(); begin = end) {
      const std::uint64_t top = (keys_[begin] - least) >> shift;
      for (end = begin + 1; end < keys_.size() && (keys_[end] - least) >> shift == top;) ++end;
      const auto run = keys_.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto past = keys_.begin() + static_cast<std::ptrdiff_t>(end);
      if (!std::is_sorted(run, past)) std::sort(run, past);
    }
  }

  void deal(std::uint64_t least, int shift, std::array<std::uint32_t, kMask + 1>& seen) {
    std::uint32_t place = 0;
    for (auto& many : seen) {
      if (many == keys_.size()) return;
      place += std::exchange(many, place);
    }
    for (const std::uint64_t key : keys_) spare_[seen[(key - least) >> shift & kMask]++] = key;
    keys_.swap(spare_);
  }

  std::array<std::array<std::uint32_t, kMask + 1>, kDigits> seen_;
  Room<std::uint64_t> keys_, spare_;
  Room<double> sorted_;
};

struct Apart {
  double ks, wasserstein;
};

// Walks a stretch of both samples in order of value. From value to value, the counts so far are `gap` apart.
struct Walk {
  const double *left, *right;  // whole samples
  std::int64_t i, j, lefts, rights, past_i, past_j, gap, widest = 0;
  double before, area = 0;

  // Begins at the first value that is not below left[i]; `before` is the last value below.
  Walk(const double* left, std::int64_t i, std::int64_t past_i, std::int64_t lefts, const double* right,
       std::int64_t j, std::int64_t past_j, std::int64_t rights)
      : left(left), right(right), i(i), j(j), lefts(lefts), rights(rights), past_i(past_i), past_j(past_j),
        gap(i * rights - j * lefts) {
    before = std::max(i ? left[i - 1] : -std::numeric_limits<double>::infinity(),
                      j ? right[j - 1] : -std::numeric_limits<double>::infinity());
  }

  // Steps that cannot run past an end.
  std::int64_t safe() const { return std::min(past_i - i, past_j - j); }

  // Both move on over one value; no branch on which of them it was.
  FLYBALL_INLINE void step(double& part) {
    const double a = left[i], b = right[j], next = a < b ? a : b;
    const bool from_left = a <= b, from_right = b <= a;
    move(next, part);
    i += from_left;
    j += from_right;
    gap += (from_left ? rights : 0) - (from_right ? lefts : 0);
  }

  FLYBALL_INLINE void move(double next, double& part) {
    const std::int64_t size = next != before ? std::abs(gap) : 0;
    widest = std::max(widest, size);
    part += size ? static_cast<double>(size) * (next - before) : 0.0;
    before = next;
  }

  void finish() {
    double part = 0;
    while (safe() > 0) step(part);
    for (; i < past_i; ++i, gap += rights) move(left[i], part);
    for (; j < past_j; ++j, gap -= lefts) move(right[j], part);
    area += part;
  }
};

// The largest difference of the two cumulative distributions, and the area between them, of sorted numbers.
// Fewer than 2**31 of each, so that products of counts are exact.
inline Apart apart(const double* left, std::int64_t lefts, const double* right, std::int64_t rights) {
  constexpr int kSide = 4;  // stretches that are walked side by side, as steps of one wait for one another
  std::vector<Walk> walks;
  std::int64_t from = 0, from_right = 0;
  for (int k = 1; k <= kSide; ++k) {
    std::int64_t to = lefts, to_right = rights;
    if (k < kSide && lefts > 0) {
      const double cut = left[lefts * k / kSide];
      to = std::lower_bound(left, left + lefts, cut) - left;
      to_right = std::lower_bound(right, right + rights, cut) - right;
    }
    walks.emplace_back(left, from, to, lefts, right, from_right, to_right, rights);
    from = to;
    from_right = to_right;
  }
  for (;;) {
    std::int64_t steps = 4096;  // sums of sums: the error does not grow with the number of values
    for (const Walk& walk : walks) steps = std::min(steps, walk.safe());
    if (steps < 8) break;
    Walk a = walks[0], b = walks[1], c = walks[2], d = walks[3];
    double parts[kSide] = {};
    for (std::int64_t step = 0; step < steps; ++step) {
      a.step(parts[0]);
      b.step(parts[1]);
      c.step(parts[2]);
      d.step(parts[3]);
    }
    walks = {a, b, c, d};
    for (int k = 0; k < kSide; ++k) walks[static_cast<std::size_t>(k)].area += parts[k];
  }
  Apart found{0, 0};
  std::int64_t widest = 0;
  for (Walk& walk : walks) {
    walk.finish();
    widest = std::max(widest, walk.widest);
    found.wasserstein += walk.area;
  }
  const double all = static_cast<double>(lefts) * static_cast<double>(rights);
  return {static_cast<double>(widest) / all, found.wasserstein / all};
}

}  // namespace flyball
