// Columns of a table, copied out of rows: four rows of four columns are turned in registers at a time.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace flyball {

// Rows and columns of a table, wherever they lie: strides count values, and may be negative.
template <typename T>
struct Grid {
  const T* values;
  std::int64_t rows, columns, down, across;
};

constexpr std::int64_t kTogether = 8;  // columns that are copied together, as they share cache lines

// Memory of some megabytes on large pages, not filled: a system hands out thousands of small ones more slowly
// than a column is copied, and values that are dealt to many places at once miss their addresses.
template <typename T>
struct Roomy {
  using value_type = T;
  static constexpr std::size_t kPage = std::size_t{1} << 21;

  Roomy() = default;
  template <typename U>
  explicit Roomy(const Roomy<U>&) {}

  T* allocate(std::size_t many) {
    const std::size_t align = many * sizeof(T) < kPage ? 64 : kPage;
    const std::size_t bytes = (many * sizeof(T) + align - 1) / align * align;
    void* made = std::aligned_alloc(align, bytes);
    if (made == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (align == kPage) madvise(made, bytes, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(made);
  }
  void deallocate(T* made, std::size_t) { std::free(made); }

  template <typename U>
  void construct(U* place) {
    ::new (static_cast<void*>(place)) U;
  }
  template <typename U, typename... From>
  void construct(U* place, From&&... from) {
    ::new (static_cast<void*>(place)) U(std::forward<From>(from)...);
  }
  friend bool operator==(const Roomy&, const Roomy&) { return true; }
};

template <typename T>
using Room = std::vector<T, Roomy<T>>;

// Four rows that lie `down` apart become four columns that lie `apart`.
template <typename T>
inline void turn(const T* from, std::int64_t down, T* to, std::int64_t apart) {
  typedef T Four __attribute__((vector_size(4 * sizeof(T))));
  Four row[4];
  for (int i = 0; i < 4; ++i) std::memcpy(&row[i], from + i * down, sizeof(Four));
  const Four even01 = __builtin_shufflevector(row[0], row[1], 0, 4, 2, 6);
  const Four even23 = __builtin_shufflevector(row[2], row[3], 0, 4, 2, 6);
  const Four odd01 = __builtin_shufflevector(row[0], row[1], 1, 5, 3, 7);
  const Four odd23 = __builtin_shufflevector(row[2], row[3], 1, 5, 3, 7);
  const Four column[4] = {__builtin_shufflevector(even01, even23, 0, 1, 4, 5),
                          __builtin_shufflevector(odd01, odd23, 0, 1, 4, 5),
                          __builtin_shufflevector(even01, even23, 2, 3, 6, 7),
                          __builtin_shufflevector(odd01, odd23, 2, 3, 6, 7)};
  for (int i = 0; i < 4; ++i) std::memcpy(to + i * apart, &column[i], sizeof(Four));
}

// Copies `rows` by `columns` from a row and a column on; a copied column begins `apart` values after the one
// before.
template <typename T>
inline void gather(const Grid<T>& grid, std::int64_t row, std::int64_t first, std::int64_t rows,
                   std::int64_t columns, T* to, std::int64_t apart) {
  constexpr std::int64_t kAhead = 48;  // rows from which memory is asked beforehand
  const T* from = grid.values + row * grid.down + first * grid.across;
  std::int64_t done = 0;
  if (grid.across == 1 && columns == kTogether) {
    for (; done + 4 <= rows; done += 4) {
      const T* four = from + done * grid.down;
      for (std::int64_t i = 0; i < 4 && done + kAhead + i < rows; ++i) {
        __builtin_prefetch(four + (kAhead + i) * grid.down);
        __builtin_prefetch(four + (kAhead + i) * grid.down + kTogether - 1);
      }
      for (std::int64_t i = 0; i < kTogether; i += 4) turn(four + i, grid.down, to + i * apart + done, apart);
    }
  }
  for (; done < rows; ++done) {
    for (std::int64_t i = 0; i < columns; ++i) {
      to[i * apart + done] = from[done * grid.down + i * grid.across];
    }
  }
}

}  // namespace flyball
