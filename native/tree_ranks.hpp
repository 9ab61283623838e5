// Values to ranks: how many of a feature's thresholds lie below, in one byte, for sixty-four rows at a time.
//
// A tree only ever asks on which side of a threshold a value lies, so a rank among all thresholds of the feature
// says as much as the value does, and a vector holds 32 or 64 of them. A feature with more than 255 thresholds is
// ranked in several parts. What is missing gets the lowest or the highest rank, categories get 0 (in the set) or 1.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstring>

#include "ensemble.hpp"
#include "lanes.hpp"

namespace flyball {

constexpr std::int64_t kBlock = 64;
constexpr std::size_t kRanks = 255;
using Bytes = signed char __attribute__((vector_size(kBlock)));

// Where the ranks of one part of a feature go: columns of a block, -1 where nobody asks.
struct RankPart {
  std::int32_t feature;
  std::uint8_t marks;      // kZeroMissing, or kCategory with the others
  std::size_t from, count; // its thresholds; of a category, `from` is the number of the set
  std::int32_t column[4];  // missing highest or lowest, each as it is and mirrored (255 - rank)
};

// The thresholds of one part, in eights: the last of each eight tells whether to look further.
template <class Value>
struct RankTable {
  static constexpr std::size_t kEight = 8;
  std::vector<Value> lasts, all;

  RankTable(const double* thresholds, std::size_t count) {
    const auto above = std::numeric_limits<Value>::infinity();
    all.assign((count + kEight - 1) / kEight * kEight, above);
    for (std::size_t i = 0; i < count; ++i) {
      if constexpr (sizeof(Value) == sizeof(float)) {
        all[i] = floor_to_float(thresholds[i]);
      } else {
        all[i] = thresholds[i];
      }
    }
    for (std::size_t i = kEight - 1; i + kEight < all.size(); i += kEight) lasts.push_back(all[i]);
    lasts.resize((lasts.size() + kEight - 1) / kEight * kEight, above);
  }

  unsigned rank(Value x) const {
    unsigned eights = 0;
    for (std::size_t i = 0; i < lasts.size(); i += kEight) eights += above(lasts.data() + i, x);
    return kEight * eights + above(all.data() + kEight * eights, x);
  }

  // How many of eight thresholds a value is above; none for NaN.
  static FLYBALL_INLINE unsigned above(const float* eight, float x) {
#if defined(__AVX2__)
    const __m256 over = _mm256_cmp_ps(_mm256_set1_ps(x), _mm256_loadu_ps(eight), _CMP_GT_OQ);
    return static_cast<unsigned>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(over))));
#else
    unsigned many = 0;
    for (std::size_t i = 0; i < kEight; ++i) many += x > eight[i];
    return many;
#endif
  }

  static FLYBALL_INLINE unsigned above(const double* eight, double x) {
#if defined(__AVX2__)
    const __m256d value = _mm256_set1_pd(x);
    const __m256d low = _mm256_cmp_pd(value, _mm256_loadu_pd(eight), _CMP_GT_OQ);
    const __m256d high = _mm256_cmp_pd(value, _mm256_loadu_pd(eight + 4), _CMP_GT_OQ);
    const unsigned both = static_cast<unsigned>(_mm256_movemask_pd(low)) |
                          static_cast<unsigned>(_mm256_movemask_pd(high)) << 4;
    return static_cast<unsigned>(__builtin_popcount(both));
#else
    unsigned many = 0;
    for (std::size_t i = 0; i < kEight; ++i) many += x > eight[i];
    return many;
#endif
  }
};

FLYBALL_INLINE void load_bytes(Bytes& bytes, const std::uint8_t* from) { std::memcpy(&bytes, from, sizeof bytes); }
FLYBALL_INLINE void store_bytes(std::uint8_t* to, const Bytes& bytes) { std::memcpy(to, &bytes, sizeof bytes); }

// Writes the columns of one part for up to 64 rows. Ranks are kept less 128: SSE2 and AVX2 compare signed bytes.
template <class Value, class T>
void rank_block(const Ensemble& e, const RankPart& part, const RankTable<Value>& table, const Rows<T>& rows,
                std::uint8_t* columns) {
  alignas(kBlock) std::uint8_t ranks[kBlock] = {}, missing_rows[kBlock] = {};
  const T* at = rows.values + part.feature * rows.column_step;
  const bool category = (part.marks & kCategory) != 0, zeros = (part.marks & kZeroMissing) != 0;
  for (std::int64_t row = 0; row < rows.count; ++row, at += rows.row_step) {
    auto x = static_cast<Value>(*at);
    if (category) {
      ranks[row] = !category_left(e, static_cast<std::int64_t>(part.from), static_cast<double>(x), part.marks);
      continue;
    }
    if (zeros && std::fabs(x) <= static_cast<Value>(kZero)) x = std::numeric_limits<Value>::quiet_NaN();
    ranks[row] = static_cast<std::uint8_t>(table.rank(x));
    missing_rows[row] = x != x ? 0xFF : 0;
  }
  Bytes low, missing_bytes;
  load_bytes(low, ranks);
  load_bytes(missing_bytes, missing_rows);
  const Bytes flip = Bytes{} + static_cast<signed char>(-128);
  const Bytes variants[2] = {(low | missing_bytes) ^ flip, low ^ flip};
  for (int lowest = 0; lowest < 2; ++lowest) {
    const std::int32_t as_is = part.column[2 * lowest], mirrored = part.column[2 * lowest + 1];
    if (as_is >= 0) store_bytes(columns + as_is * kBlock, variants[lowest]);
    if (mirrored >= 0) store_bytes(columns + mirrored * kBlock, ~variants[lowest]);
  }
}

}  // namespace flyball
