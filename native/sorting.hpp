// Sorting some hundred doubles in registers, and merging sorted runs without a branch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "histogram.hpp"
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace flyball {

// The lesser and the greater of each lane of numbers; the compilers do not see these in comparisons.
#if defined(__AVX512F__)
inline auto lesser(Register<double>::Values a, Register<double>::Values b) {
  return _mm512_mask_min_pd(a, 255, a, b);
}
inline auto greater(Register<double>::Values a, Register<double>::Values b) {
  return _mm512_mask_max_pd(a, 255, a, b);
}
#elif defined(__AVX__)
inline auto lesser(Register<double>::Values a, Register<double>::Values b) { return _mm256_min_pd(a, b); }
inline auto greater(Register<double>::Values a, Register<double>::Values b) { return _mm256_max_pd(a, b); }
#elif defined(__SSE2__)
inline auto lesser(Register<double>::Values a, Register<double>::Values b) { return _mm_min_pd(a, b); }
inline auto greater(Register<double>::Values a, Register<double>::Values b) { return _mm_max_pd(a, b); }
#else
inline auto lesser(Register<double>::Values a, Register<double>::Values b) { return a < b ? a : b; }
inline auto greater(Register<double>::Values a, Register<double>::Values b) { return b < a ? a : b; }
#endif

// Merges two runs of sorted numbers into `to`, which has room for both.
inline void merge(const double* a, std::size_t na, const double* b, std::size_t nb, double* to) {
  std::size_t i = 0, j = 0;
  if (na == nb && na > 0) {
    // From both ends at once: two chains that do not wait for one another, and neither can run out.
    std::size_t ie = na, je = nb;
    double* back = to + na + nb;
    for (std::size_t step = 0; step < na; ++step) {
      const bool right = b[j] < a[i], left = b[je - 1] < a[ie - 1];
      *to++ = right ? b[j] : a[i];
      *--back = left ? a[ie - 1] : b[je - 1];
      j += right;
      i += !right;
      ie -= left;
      je -= !left;
    }
    return;
  }
  while (i < na && j < nb) {
    const bool right = b[j] < a[i];
    *to++ = right ? b[j] : a[i];
    j += right;
    i += !right;
  }
  to = std::copy(a + i, a + na, to);
  std::copy(b + j, b + nb, to);
}

// Sorts numbers: each lane by Batcher's odd-even merges, then the lanes' runs with one another.
class SmallSort {
  using R = Register<double>;

 public:
  std::vector<double> half, both;  // room for whoever merges what is sorted here

  void sort(std::vector<double>& numbers) {
    constexpr std::size_t lanes = R::lanes;
    const std::size_t count = numbers.size(), rows = (count + lanes - 1) / lanes;
    if (count < 64) return std::sort(numbers.begin(), numbers.end());
    numbers.resize(rows * lanes, std::numeric_limits<double>::infinity());
    by_lane(numbers.data(), rows);
    spare_.resize(rows * lanes);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        spare_[lane * rows + row] = numbers[row * lanes + lane];
      }
    }
    for (std::size_t run = rows; run < rows * lanes; run *= 2) {
      for (std::size_t at = 0; at < rows * lanes; at += 2 * run) {
        merge(spare_.data() + at, run, spare_.data() + at + run, run, numbers.data() + at);
      }
      numbers.swap(spare_);
    }
    numbers.swap(spare_);
    numbers.resize(count);
  }

 private:
  // Sorts each lane of the rows: eights in registers, then Batcher's odd-even merges of them.
  // Source: Knuth, The Art of Computer Programming 3, 5.3.4.
  static void by_lane(double* numbers, std::size_t rows) {
    constexpr std::size_t lanes = R::lanes;
    std::size_t begin = 0;
    for (; begin + 8 <= rows; begin += 8) eight(numbers + begin * lanes);
    for (std::size_t i = begin + 1; i < rows; ++i) {
      for (std::size_t j = i; j > begin; --j) exchange(numbers + (j - 1) * lanes, numbers + j * lanes);
    }
    const bool even = rows % 8 == 0;
    for (std::size_t p = 8; p < rows; p *= 2) {
      for (std::size_t k = p; k > (even ? 4 : 0); k /= 2) {
        for (std::size_t j = k % p; j + k < rows; j += 2 * k) {
          // Rows of the same pair of runs only; as k divides p, that holds for all of a stretch or for none.
          if (((j ^ (j + k)) & (0 - 2 * p)) != 0) continue;
          const std::size_t end = std::min(j + k, rows - k);
          for (std::size_t i = j; i < end; ++i) exchange(numbers + i * lanes, numbers + (i + k) * lanes);
        }
      }
      for (std::size_t i = 0; even && i < rows; i += 2 * p) {
        finish(numbers + i * lanes, std::min(2 * p, rows - i));
      }
    }
  }

  // The last strides of a merge, four, two and one, in one pass over its rows, some eights of them.
  static void finish(double* numbers, std::size_t rows) {
    constexpr std::size_t lanes = R::lanes;
    R::Values row[12];
    const auto order = [&row](int low, int high) __attribute__((always_inline)) {
      const R::Values a = row[low], b = row[high];
      row[low] = lesser(a, b);
      row[high] = greater(a, b);
    };
    for (int i = 0; i < 4; ++i) row[i] = R::load(numbers + i * R::lanes);
    std::size_t at = 4;
    for (; at + 8 <= rows; at += 8) {
      for (int i = 4; i < 12; ++i) row[i] = R::load(numbers + (at + i - 4) * lanes);
      order(4, 8), order(5, 9), order(6, 10), order(7, 11);
      order(2, 4), order(3, 5), order(6, 8), order(7, 9);
      order(1, 2), order(3, 4), order(5, 6), order(7, 8);
      for (int i = 0; i < 8; ++i) R::store(row[i], numbers + (at + i - 4) * lanes);
      for (int i = 0; i < 4; ++i) row[i] = row[i + 8];
    }
    for (int i = 4; i < 8; ++i) row[i] = R::load(numbers + (at + i - 4) * lanes);
    order(2, 4), order(3, 5);
    order(1, 2), order(3, 4), order(5, 6);
    for (int i = 0; i < 8; ++i) R::store(row[i], numbers + (at + i - 4) * lanes);
  }

  static void eight(double* numbers) {
    constexpr int kPairs[19][2] = {{0, 2}, {1, 3}, {4, 6}, {5, 7}, {0, 4}, {1, 5}, {2, 6},
                                   {3, 7}, {0, 1}, {2, 3}, {4, 5}, {6, 7}, {2, 4}, {3, 5},
                                   {1, 4}, {3, 6}, {1, 2}, {3, 4}, {5, 6}};
    R::Values row[8];
    for (int i = 0; i < 8; ++i) row[i] = R::load(numbers + i * R::lanes);
#pragma GCC unroll 19
    for (const auto& pair : kPairs) {
      const R::Values a = row[pair[0]], b = row[pair[1]];
      row[pair[0]] = lesser(a, b);
      row[pair[1]] = greater(a, b);
    }
    std::memcpy(numbers, row, sizeof(row));
  }

  static void exchange(double* low, double* high) {
    const R::Values a = R::load(low), b = R::load(high), least = lesser(a, b), most = greater(a, b);
    std::memcpy(low, &least, sizeof(least));
    std::memcpy(high, &most, sizeof(most));
  }

  std::vector<double> spare_;
};

}  // namespace flyball
