// How far a sample's distribution lies from that of a sorted reference: Kolmogorov-Smirnov and Wasserstein, exact.
//
// The sample's keys are sorted by digits (no comparison, nothing carried along), then both are walked once. The
// two cumulative distributions are kept as integers: shares that are equal differ by exactly nothing.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace flyball {

// Sorts doubles that are numbers, by digits of eleven bits from the lowest; digits that all share cost no pass.
class DigitSort {
 public:
  // Takes what is there of `count` values, `step` apart, and returns it sorted; -0.0 becomes 0.0. The result
  // stays until the next call.
  template <typename T>
  const std::vector<double>& sort(const T* values, std::int64_t count, std::int64_t step) {
    keys_.resize(static_cast<std::size_t>(count));
    std::size_t kept = 0;
    for (auto& digit : seen_) digit.fill(0);
    for (std::int64_t i = 0; i < count; ++i, values += step) {
      const double value = static_cast<double>(*values) + 0.0;
      const std::uint64_t key = ordered(std::bit_cast<std::uint64_t>(value));
      keys_[kept] = key;
      if (value != value) continue;
      ++kept;
      for (int digit = 0; digit < kDigits; ++digit) ++seen_[digit][key >> (digit * kBits) & kMask];
    }
    keys_.resize(kept);
    spare_.resize(kept);
    for (int digit = 0; digit < kDigits; ++digit) deal(digit);
    sorted_.resize(kept);
    for (std::size_t i = 0; i < kept; ++i) sorted_[i] = std::bit_cast<double>(restored(keys_[i]));
    return sorted_;
  }

 private:
  static constexpr int kBits = 11, kDigits = 6;
  static constexpr std::uint64_t kMask = (1 << kBits) - 1, kSign = std::uint64_t{1} << 63;

  // Bits that rise as the doubles do.
  static std::uint64_t ordered(std::uint64_t bits) { return bits ^ (bits & kSign ? ~std::uint64_t{0} : kSign); }
  static std::uint64_t restored(std::uint64_t key) { return key ^ (key & kSign ? kSign : ~std::uint64_t{0}); }

  void deal(int digit) {
    auto& seen = seen_[static_cast<std::size_t>(digit)];
    std::uint32_t place = 0;
    for (auto& many : seen) {
      if (many == keys_.size()) return;
      place += std::exchange(many, place);
    }
    for (const std::uint64_t key : keys_) spare_[seen[key >> (digit * kBits) & kMask]++] = key;
    keys_.swap(spare_);
  }

  std::array<std::array<std::uint32_t, kMask + 1>, kDigits> seen_;
  std::vector<std::uint64_t> keys_, spare_;
  std::vector<double> sorted_;
};

struct Apart {
  double ks, wasserstein;
};

// The largest difference of the two cumulative distributions, and the area between them, of sorted numbers.
// Fewer than 2**31 of each, so that products of counts are exact.
inline Apart apart(const double* left, std::int64_t lefts, const double* right, std::int64_t rights) {
  constexpr std::int64_t kBlock = 1024;
  std::int64_t i = 0, j = 0, widest = 0;
  double area = 0, before = 0;
  while (i < lefts || j < rights) {
    double part = 0;  // sums of sums: the error does not grow with the number of values
    for (std::int64_t steps = 0; steps < kBlock && i < lefts && j < rights; ++steps) {
      const double a = left[i], b = right[j], next = a < b ? a : b;
      const std::int64_t gap = std::abs(i * rights - j * lefts);
      const bool moved = next != before;
      widest = std::max(widest, moved ? gap : 0);
      part += moved && gap ? static_cast<double>(gap) * (next - before) : 0.0;
      i += a <= next;
      j += b <= next;
      before = next;
    }
    if (i == lefts || j == rights) {
      const double* rest = i < lefts ? left + i : right + j;
      const std::int64_t many = std::min(kBlock, i < lefts ? lefts - i : rights - j);
      for (std::int64_t k = 0; k < many; ++k) {
        const std::int64_t gap = std::abs(i * rights - j * lefts);
        const bool moved = rest[k] != before;
        widest = std::max(widest, moved ? gap : 0);
        part += moved && gap ? static_cast<double>(gap) * (rest[k] - before) : 0.0;
        before = rest[k];
        (i < lefts ? i : j) += 1;
      }
    }
    area += part;
  }
  const double all = static_cast<double>(lefts) * static_cast<double>(rights);
  return {static_cast<double>(widest) / all, area / all};
}

}  // namespace flyball
