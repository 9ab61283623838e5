// Values to ranks: how many of a feature's thresholds lie below, in one byte, for sixty-four rows at a time.
//
// A tree only ever asks on which side of a threshold a value lies, so a rank among all thresholds of the
// feature says as much as the value does, and a vector holds 32 or 64 of them. A feature with more than 199
// thresholds is ranked in several parts. What is missing gets the lowest or the highest rank, categories get
// 0 (in the set) or 1.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstring>

#include "ensemble.hpp"
#include "lanes.hpp"

namespace flyball {

constexpr std::int64_t kBlock = 64;
constexpr std::size_t kRanks = 199;

// As wide as the registers are: GCC takes comparisons of wider vectors apart byte by byte.
#if defined(__AVX512BW__)
constexpr std::int64_t kWide = 64;
#elif defined(__AVX2__)
constexpr std::int64_t kWide = 32;
#else
constexpr std::int64_t kWide = 16;
#endif
using Bytes = signed char __attribute__((vector_size(kWide)));

// Where the ranks of one part of a feature go: columns of a block, -1 where nobody asks.
struct RankPart {
  std::int32_t feature;
  std::uint8_t marks;      // kZeroMissing, or kCategory with the others
  std::size_t from, count;  // its thresholds; of a category, the number of the set and 1
  std::int32_t column[4];  // missing highest or lowest, each as it is and mirrored (255 - rank)
};

// The thresholds of one part, in eights: the last of each eight tells whether to look further.
//
// A value is counted above a threshold if it is not at or below it, so NaN comes out above all, the ones that
// only fill up an eight included: its rank is above the count of thresholds, and no other value's is.
template <class Value>
struct RankTable {
  static constexpr std::size_t kEight = 8;
  std::vector<Value> lasts, all;
  std::size_t count;

  RankTable(const double* thresholds, std::size_t many) : count(many) {
    const auto above = std::numeric_limits<Value>::infinity();
    const std::size_t eights = (count + kEight - 1) / kEight;
    // So many that NaN, which is above them all, ranks above the count: 8 x lasts + 8 > count.
    const std::size_t full = count == 0 ? 0 : (count / kEight + kEight - 1) / kEight * kEight;
    lasts.assign(full, above);
    all.assign(kEight * (full + 1), above);
    for (std::size_t i = 0; i < count; ++i) {
      if constexpr (sizeof(Value) == sizeof(float)) {
        all[i] = floor_to_float(thresholds[i]);
      } else {
        all[i] = thresholds[i];
      }
    }
    for (std::size_t eight = 0; eight + 1 < eights; ++eight) lasts[eight] = all[eight * kEight + kEight - 1];
  }

  // Eights: how many vectors of last ones there are, 0 or 1, or -1 to look at all.
  template <int Eights>
  FLYBALL_INLINE unsigned rank(Value x) const {
    if constexpr (Eights == 0) return above(all.data(), x);
    unsigned eights = Eights == 1 ? above(lasts.data(), x) : 0;
    if constexpr (Eights < 0) {
      for (std::size_t i = 0; i < lasts.size(); i += kEight) eights += above(lasts.data() + i, x);
    }
    return kEight * eights + above(all.data() + kEight * eights, x);
  }

  // How many of eight thresholds a value is not at or below.
  static FLYBALL_INLINE unsigned above(const float* eight, float x) {
#if defined(__AVX2__)
    const __m256 over = _mm256_cmp_ps(_mm256_set1_ps(x), _mm256_loadu_ps(eight), _CMP_NLE_UQ);
    return static_cast<unsigned>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(over))));
#else
    unsigned many = 0;
    for (std::size_t i = 0; i < kEight; ++i) many += !(x <= eight[i]);
    return many;
#endif
  }

  static FLYBALL_INLINE unsigned above(const double* eight, double x) {
#if defined(__AVX2__)
    const __m256d value = _mm256_set1_pd(x);
    const __m256d low = _mm256_cmp_pd(value, _mm256_loadu_pd(eight), _CMP_NLE_UQ);
    const __m256d high = _mm256_cmp_pd(value, _mm256_loadu_pd(eight + 4), _CMP_NLE_UQ);
    const unsigned both = static_cast<unsigned>(_mm256_movemask_pd(low)) |
                          static_cast<unsigned>(_mm256_movemask_pd(high)) << 4;
    return static_cast<unsigned>(__builtin_popcount(both));
#else
    unsigned many = 0;
    for (std::size_t i = 0; i < kEight; ++i) many += !(x <= eight[i]);
    return many;
#endif
  }
};

FLYBALL_INLINE void load_bytes(Bytes& bytes, const std::uint8_t* from) {
  std::memcpy(&bytes, from, sizeof bytes);
}
FLYBALL_INLINE void store_bytes(std::uint8_t* to, const Bytes& bytes) {
  std::memcpy(to, &bytes, sizeof bytes);
}

// The ranks of up to 64 rows.
template <int Eights, bool Zeros, class Value, class T>
void rank_rows(const RankPart& part, const RankTable<Value>& table, const Rows<T>& rows,
               std::uint8_t* ranks) {
  const T* at = rows.values + part.feature * rows.column_step;
  for (std::int64_t row = 0; row < rows.count; ++row, at += rows.row_step) {
    auto x = static_cast<Value>(*at);
    if (Zeros && std::fabs(x) <= static_cast<Value>(kZero)) x = std::numeric_limits<Value>::quiet_NaN();
    ranks[row] = static_cast<std::uint8_t>(table.template rank<Eights>(x));
  }
}

// The same for a set of categories: 0 for a row whose category is in it, which goes left.
template <class T>
void rank_categories(const Ensemble& e, const RankPart& part, const Rows<T>& rows, std::uint8_t* ranks) {
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const auto x = static_cast<double>(rows.at(row, part.feature));
    ranks[row] = !category_left(e, static_cast<std::int64_t>(part.from), x, part.marks);
  }
}

// Writes the columns of one part for up to 64 rows. Ranks are kept less 128: SSE2 and AVX2 compare signed
// bytes.
template <class Value, class T>
void rank_block(const Ensemble& e, const RankPart& part, const RankTable<Value>& table, const Rows<T>& rows,
                std::uint8_t* columns) {
  alignas(kBlock) std::uint8_t ranks[kBlock] = {};
  if ((part.marks & kCategory) != 0) {
    rank_categories(e, part, rows, ranks);
  } else if ((part.marks & kZeroMissing) != 0) {
    rank_rows<-1, true>(part, table, rows, ranks);
  } else if (table.lasts.empty()) {
    rank_rows<0, false>(part, table, rows, ranks);
  } else if (table.lasts.size() == table.kEight) {
    rank_rows<1, false>(part, table, rows, ranks);
  } else {
    rank_rows<-1, false>(part, table, rows, ranks);
  }
  const Bytes flip = Bytes{} + static_cast<signed char>(-128);
  // Above the count: missing. A category is never that.
  const Bytes most = Bytes{} + static_cast<signed char>(part.count - 128);
  for (std::int64_t at_byte = 0; at_byte < kBlock; at_byte += kWide) {
    Bytes highest;
    load_bytes(highest, ranks + at_byte);
    highest ^= flip;
    const Bytes missing_rows = highest > most;
    const Bytes variants[2] = {highest, (missing_rows & flip) | (~missing_rows & highest)};
    for (int lowest = 0; lowest < 2; ++lowest) {
      const std::int32_t as_is = part.column[2 * lowest], mirrored = part.column[2 * lowest + 1];
      if (as_is >= 0) store_bytes(columns + as_is * kBlock + at_byte, variants[lowest]);
      if (mirrored >= 0) store_bytes(columns + mirrored * kBlock + at_byte, ~variants[lowest]);
    }
  }
}

}  // namespace flyball
