// How many values of each column lie in each of its bins: one pass over a table in either layout.
//
// A value x lies in the bin whose number is how many edges are at or below it. Few edges are compared with
// whole registers of values and the marks added up: no search, no branch, no store. Many edges are searched
// without a branch. Both give the same integers on every instruction set.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "gather.hpp"

namespace flyball {

#if defined(__AVX512F__)
constexpr int kRegister = 64;
#elif defined(__AVX__)
constexpr int kRegister = 32;
#else
constexpr int kRegister = 16;
#endif

// As many values as one register holds, and the marks (0 or -1) that comparing them gives.
template <typename T>
struct Register {
  typedef T Values __attribute__((vector_size(kRegister)));
  using Marks = decltype(Values{} >= Values{});
  static constexpr std::int64_t lanes = kRegister / static_cast<int>(sizeof(T));

  static Values load(const T* from) {
    Values values;
    std::memcpy(&values, from, sizeof(values));
    return values;
  }
  static void store(const Values& values, T* to) { std::memcpy(to, &values, sizeof(values)); }
};

// The edges of all columns as T, rounded up: x >= edge is then the same in T as it is in double.
template <typename T>
inline T rounded_up(double edge) {
  constexpr double most = std::numeric_limits<T>::max();
  if (edge > most) return std::numeric_limits<T>::infinity();
  if (edge < -std::numeric_limits<double>::max()) return -std::numeric_limits<T>::infinity();
  if (edge < -most) return static_cast<T>(-most);
  const T near = static_cast<T>(edge);
  return near < edge ? std::nextafter(near, std::numeric_limits<T>::infinity()) : near;
}

// Counts the values of columns in their bins. One column's tallies are: values at or above each edge, then
// values that are there at all. They become bins when all rows are in.
template <typename T>
class Binning {
 public:
  // `edges` (columns, width) rise within a column; a column with fewer of them ends in NaN.
  Binning(const double* edges, std::int64_t columns, std::int64_t width)
      : width_(width), columns_(columns), edges_(static_cast<std::size_t>(columns * width)),
        tallies_(static_cast<std::size_t>(columns * (width + 1)), 0) {
    for (std::size_t i = 0; i < edges_.size(); ++i) edges_[i] = rounded_up<T>(edges[i]);
  }

  void count(const Grid<T>& grid) {
    if (grid.across == 1 && grid.columns >= kLanes && width_ <= kCompared) return count_rows(grid);
    if (grid.down == 1) return count_columns(grid);
    std::vector<T> held(static_cast<std::size_t>(kApart * kTogether));
    for (std::int64_t row = 0; row < grid.rows; row += kBlock) {
      const std::int64_t rows = std::min(kBlock, grid.rows - row);
      for (std::int64_t first = 0; first < grid.columns; first += kTogether) {
        const std::int64_t columns = std::min(kTogether, grid.columns - first);
        gather(grid, row, first, rows, columns, held.data(), kApart);
        for (std::int64_t i = 0; i < columns; ++i) count_block(held.data() + i * kApart, rows, first + i);
      }
    }
  }

  // Adds to `counts` (columns, width + 2): the bins in order, and what is missing.
  void add_to(std::int64_t rows, std::int64_t* counts) const {
    for (std::int64_t column = 0; column < columns_; ++column, counts += width_ + 2) {
      const std::int64_t* above = tallies_.data() + column * (width_ + 1);
      std::int64_t before = above[width_];
      counts[width_ + 1] += rows - before;
      for (std::int64_t bin = 0; bin < width_; before = above[bin++]) counts[bin] += before - above[bin];
      counts[width_] += before;
    }
  }

 private:
  using R = Register<T>;
  static constexpr std::int64_t kLanes = R::lanes;
  static constexpr int kAtOnce = 10;                // edges whose tallies stay in registers
  static constexpr std::int64_t kCompared = 64;     // with more edges than this a search is faster
  static constexpr std::int64_t kBlock = 2048;      // rows that stay in the first cache over some passes
  static constexpr std::int64_t kBytes = 1 << 15;   // rows of a table that stay near, with the next ones
  static constexpr std::int64_t kApart = kBlock + 8;  // not a power of two: columns would share cache sets

  void count_columns(const Grid<T>& grid) {
    for (std::int64_t column = 0; column < grid.columns; ++column) {
      for (std::int64_t row = 0; row < grid.rows; row += kBlock) {
        count_block(grid.values + column * grid.across + row, std::min(kBlock, grid.rows - row), column);
      }
    }
  }

  void count_block(const T* values, std::int64_t rows, std::int64_t column) {
    const T* edges = edges_.data() + column * width_;
    std::int64_t* above = tallies_.data() + column * (width_ + 1);
    if (width_ > kCompared) return search(values, rows, edges, above);
    std::int64_t there = 0;
    in_portions([&](auto size, std::int64_t begin) {
      there = compare<size>(values, rows, edges + begin, above + begin);
    });
    above[width_] += there;
  }

  // Registers hold neighbouring columns of a row; the last group reaches back over columns that were counted.
  void count_rows(const Grid<T>& grid) {
    std::vector<T> turned(edges_.size());
    for (std::int64_t column = 0; column < columns_; ++column) {
      for (std::int64_t i = 0; i < width_; ++i) {
        turned[static_cast<std::size_t>(i * columns_ + column)] =
            edges_[static_cast<std::size_t>(column * width_ + i)];
      }
    }
    const std::int64_t wide = grid.columns * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t block = std::max<std::int64_t>(16, kBytes / wide);
    for (std::int64_t row = 0; row < grid.rows; row += block) {
      const std::int64_t rows = std::min(block, grid.rows - row);
      for (std::int64_t next = 0; next < grid.columns; next += kLanes) {
        const std::int64_t first = std::min(next, grid.columns - kLanes);
        in_portions([&](auto size, std::int64_t begin) {
          compare_rows<size>(grid.values + row * grid.down + first, rows, grid.down,
                             turned.data() + begin * columns_ + first, next - first, first, begin,
                             grid.values + (row + rows) * grid.down + next * rows);
        });
      }
    }
  }

  template <int N>
  void compare_rows(const T* values, std::int64_t rows, std::int64_t down, const T* edges, std::int64_t skip,
                    std::int64_t first, std::int64_t begin, const T* ahead) {
    typename R::Marks tally[N + 1];
    typename R::Values edge[N + 1];
    for (int i = 0; i <= N; ++i) tally[i] = typename R::Marks{};
    for (int i = 0; i < N; ++i) edge[i] = R::load(edges + i * columns_);
    for (std::int64_t row = 0; row < rows; ++row, values += down) {
      __builtin_prefetch(ahead + row * kLanes);
      const auto some = R::load(values);
      for (int i = 0; i < N; ++i) tally[i] -= some >= edge[i];
      tally[N] -= some == some;
    }
    for (std::int64_t lane = skip; lane < kLanes; ++lane) {
      std::int64_t* above = tallies_.data() + (first + lane) * (width_ + 1);
      for (int i = 0; i < N; ++i) above[begin + i] += tally[i][lane];
      if (begin == 0) above[width_] += tally[N][lane];
    }
  }

  // Calls `pass` for the edges in portions of even size, each a constant for the compiler.
  template <typename Pass>
  void in_portions(Pass pass) const {
    const std::int64_t portions = std::max<std::int64_t>(1, (width_ + kAtOnce - 1) / kAtOnce);
    for (std::int64_t portion = 0; portion < portions; ++portion) {
      const std::int64_t begin = portion * width_ / portions;
      of_size<kAtOnce>((portion + 1) * width_ / portions - begin, begin, pass);
    }
  }

  template <int N, typename Pass>
  static void of_size(std::int64_t size, std::int64_t begin, Pass& pass) {
    if constexpr (N > 0) {
      if (size < N) return of_size<N - 1>(size, begin, pass);
    }
    pass(std::integral_constant<int, N>{}, begin);
  }

  template <int N>
  static std::int64_t compare(const T* values, std::int64_t rows, const T* edges, std::int64_t* above) {
    typename R::Marks tally[N + 1];
    typename R::Values edge[N + 1];
    for (int i = 0; i <= N; ++i) tally[i] = typename R::Marks{};
    for (int i = 0; i < N; ++i) edge[i] = edges[i] - typename R::Values{};
    std::int64_t row = 0;
    for (; row + kLanes <= rows; row += kLanes) {
      const auto some = R::load(values + row);
      for (int i = 0; i < N; ++i) tally[i] -= some >= edge[i];
      tally[N] -= some == some;
    }
    std::int64_t there = 0;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) there += tally[N][lane];
    for (int i = 0; i < N; ++i) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) above[i] += tally[i][lane];
    }
    for (; row < rows; ++row) {
      there += values[row] == values[row];
      for (int i = 0; i < N; ++i) above[i] += values[row] >= edges[i];
    }
    return there;
  }

  // Searches for many values side by side, so that their steps do not wait for one another.
  void search(const T* values, std::int64_t rows, const T* edges, std::int64_t* above) {
    constexpr std::int64_t kSide = 16;
    found_.assign(static_cast<std::size_t>(width_ + 1), 0);
    std::int64_t there = 0;
    T some[kSide];
    std::int64_t at[kSide];
    for (std::int64_t row = 0; row < rows; row += kSide) {
      const std::int64_t many = std::min(kSide, rows - row);
      std::fill(some, some + kSide, std::numeric_limits<T>::quiet_NaN());
      std::memcpy(some, values + row, static_cast<std::size_t>(many) * sizeof(T));
      std::fill(at, at + kSide, 0);
      for (std::int64_t left = width_; left > 0;) {
        const std::int64_t half = (left + 1) / 2;
        for (std::int64_t i = 0; i < kSide; ++i) at[i] += edges[at[i] + half - 1] <= some[i] ? half : 0;
        left -= half;
      }
      for (std::int64_t i = 0; i < many; ++i) {
        there += some[i] == some[i];
        ++found_[static_cast<std::size_t>(at[i])];
      }
    }
    std::int64_t sum = 0;
    for (std::int64_t i = width_; i > 0; --i) above[i - 1] += sum += found_[static_cast<std::size_t>(i)];
    above[width_] += there;
  }

  std::int64_t width_, columns_;
  std::vector<T> edges_;
  std::vector<std::int64_t> tallies_, found_;
};

}  // namespace flyball
