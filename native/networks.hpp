// Sorting networks on registers: every lane sorts a series of its own, without a branch on the data.
//
// Bitonic networks (K. E. Batcher, "Sorting networks and their applications", AFIPS 1968). Steps that lie
// close together run within registers, eight rows at a time.
#pragma once

#include "wide.hpp"

namespace flyball {

// Rows that fall and rise at most once each, read around the end, into order. `Many` is a power of two.
template <int Many, typename V>
FLYBALL_INLINE void clean_held(V* rows) {
  if constexpr (Many > 1) {
    FLYBALL_UNROLLED for (int i = 0; i < Many / 2; ++i) order(rows[i], rows[i + Many / 2]);
    clean_held<Many / 2>(rows);
    clean_held<Many / 2>(rows + Many / 2);
  }
}

template <int Many, typename V>
FLYBALL_INLINE void clean_rows(V* rows) {
  V held_rows[Many];
  FLYBALL_UNROLLED for (int i = 0; i < Many; ++i) held_rows[i] = rows[i];
  clean_held<Many>(held_rows);
  FLYBALL_UNROLLED for (int i = 0; i < Many; ++i) rows[i] = held_rows[i];
}

// The same for each part of `length` rows, any power of two, two steps for each time the rows are read.
template <typename V>
inline void clean_parts(V* rows, std::int64_t many, std::int64_t length) {
  for (; length > 8; length /= 4) {
    const std::int64_t quarter = length / 4;
    for (V* at = rows; at < rows + many; at += length) {
      for (std::int64_t i = 0; i < quarter; ++i) {
        V four[4] = {at[i], at[i + quarter], at[i + 2 * quarter], at[i + 3 * quarter]};
        clean_held<4>(four);
        FLYBALL_UNROLLED for (int k = 0; k < 4; ++k) at[i + k * quarter] = four[k];
      }
    }
  }
  if (length == 8) {
    for (std::int64_t at = 0; at < many; at += 8) clean_rows<8>(rows + at);
  } else if (length == 4) {
    for (std::int64_t at = 0; at < many; at += 4) clean_rows<4>(rows + at);
  } else if (length == 2) {
    for (std::int64_t at = 0; at < many; at += 2) clean_rows<2>(rows + at);
  }
}

// Two sorted halves, one behind the other, into order.
template <int Many, typename V>
FLYBALL_INLINE void merge_held(V* rows) {
  FLYBALL_UNROLLED for (int i = 0; i < Many / 2; ++i) order(rows[i], rows[Many - 1 - i]);
  clean_held<Many / 2>(rows);
  clean_held<Many / 2>(rows + Many / 2);
}

template <typename V>
inline void merge(const V* from, V* to, std::int64_t many) {
  const std::int64_t quarter = many / 4;
  for (std::int64_t i = 0; i < quarter; ++i) {
    // The first step pairs rows from both ends, the second those a quarter apart: four rows see both.
    V a = from[i], b = from[quarter + i], c = from[3 * quarter - 1 - i], d = from[many - 1 - i];
    order(a, d);
    order(b, c);
    order(a, b);
    order(c, d);
    to[i] = a;
    to[quarter + i] = b;
    to[3 * quarter - 1 - i] = c;
    to[many - 1 - i] = d;
  }
  clean_parts(to, many, quarter);
}

// Any number of rows into order in place; those past the end count as greater than all.
template <typename V>
inline void sort(V* rows, std::int64_t many) {
  std::int64_t at = 0;
  for (; at + 8 <= many; at += 8) {
    V eight[8];
    FLYBALL_UNROLLED for (int i = 0; i < 8; ++i) eight[i] = rows[at + i];
    FLYBALL_UNROLLED for (int i = 0; i < 8; i += 2) merge_held<2>(eight + i);
    FLYBALL_UNROLLED for (int i = 0; i < 8; i += 4) merge_held<4>(eight + i);
    merge_held<8>(eight);
    FLYBALL_UNROLLED for (int i = 0; i < 8; ++i) rows[at + i] = eight[i];
  }
  for (std::int64_t i = at + 1; i < many; ++i) {
    for (std::int64_t j = i; j > at; --j) order(rows[j - 1], rows[j]);
  }
  for (std::int64_t half = 8; half < many; half *= 2) {
    for (at = 0; at + half < many; at += 2 * half) {
      const std::int64_t here = many - at < 2 * half ? many - at : 2 * half;
      if (here == 2 * half) {
        merge(rows + at, rows + at, here);
        continue;
      }
      for (std::int64_t i = half; i < here; ++i) order(rows[at + 2 * half - 1 - i], rows[at + i]);
      for (std::int64_t step = half / 2; step > 0; step /= 2) {
        for (std::int64_t from = 0; from < here; from += 2 * step) {
          const std::int64_t stop = here - from < 2 * step ? here - from : 2 * step;
          for (std::int64_t i = step; i < stop; ++i) order(rows[at + from + i - step], rows[at + from + i]);
        }
      }
    }
  }
}

}  // namespace flyball
