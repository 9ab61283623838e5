// Local maxima of a series: a run of equal values with a smaller value on either side.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace flyball {

// Borders within which a figure is kept, both included; borders may be given for each sample. A missing
// border is not the same as an infinite one: NaN passes the former.
struct Interval {
  double low = 0.0;
  double high = 0.0;
  bool has_low = false;
  bool has_high = false;
  const double* low_each = nullptr;
  const double* high_each = nullptr;

  bool open() const { return !has_low && !has_high; }
  bool plain() const { return !low_each && !high_each; }
  bool above_low(double figure, std::int64_t at) const {
    return !has_low || (low_each ? low_each[at] : low) <= figure;
  }
  bool below_high(double figure, std::int64_t at) const {
    return !has_high || figure <= (high_each ? high_each[at] : high);
  }
  bool holds(double figure, std::int64_t at) const { return above_low(figure, at) && below_high(figure, at); }
};

// Where maxima are written: their middles, rounded down, and by how many samples their last lies behind
// their first. Room for half of the samples, and kSlack more.
struct Maxima {
  std::int64_t* middles;
  std::int64_t* spans;
  std::int64_t count;
};
constexpr std::int64_t kSlack = 64;

constexpr double kLowest = -__builtin_huge_val();
constexpr double kHighest = __builtin_huge_val();

// One bit for each of 64 samples: whether the next one is larger, or smaller. Beside NaN neither is.
struct Slopes {
  std::uint64_t up = 0;
  std::uint64_t down = 0;

  std::uint64_t level() const { return ~(up | down); }
};

// The slopes from x[0] on, and which of the 64 samples lie within [low, high].
#if defined(__AVX512F__)
inline Slopes slopes_of(const double* x) {
  Slopes bits;
  for (int i = 0; i < 64; i += 8) {
    const __m512d here = _mm512_loadu_pd(x + i), next = _mm512_loadu_pd(x + i + 1);
    bits.up |= std::uint64_t{_mm512_cmp_pd_mask(here, next, _CMP_LT_OQ)} << i;
    bits.down |= std::uint64_t{_mm512_cmp_pd_mask(next, here, _CMP_LT_OQ)} << i;
  }
  return bits;
}
inline std::uint64_t within(const double* x, double low, double high) {
  std::uint64_t bits = 0;
  const __m512d lows = _mm512_set1_pd(low), highs = _mm512_set1_pd(high);
  for (int i = 0; i < 64; i += 8) {
    const __m512d here = _mm512_loadu_pd(x + i);
    const __mmask8 above = _mm512_cmp_pd_mask(lows, here, _CMP_LE_OQ);
    bits |= std::uint64_t{_mm512_mask_cmp_pd_mask(above, here, highs, _CMP_LE_OQ)} << i;
  }
  return bits;
}
#elif defined(__AVX2__)
inline std::uint64_t mask_of(__m256d marks) {
  return static_cast<std::uint64_t>(_mm256_movemask_pd(marks));
}
inline Slopes slopes_of(const double* x) {
  Slopes bits;
  for (int i = 0; i < 64; i += 4) {
    const __m256d here = _mm256_loadu_pd(x + i), next = _mm256_loadu_pd(x + i + 1);
    bits.up |= mask_of(_mm256_cmp_pd(here, next, _CMP_LT_OQ)) << i;
    bits.down |= mask_of(_mm256_cmp_pd(next, here, _CMP_LT_OQ)) << i;
  }
  return bits;
}
inline std::uint64_t within(const double* x, double low, double high) {
  std::uint64_t bits = 0;
  const __m256d lows = _mm256_set1_pd(low), highs = _mm256_set1_pd(high);
  for (int i = 0; i < 64; i += 4) {
    const __m256d here = _mm256_loadu_pd(x + i);
    const __m256d above = _mm256_cmp_pd(lows, here, _CMP_LE_OQ);
    bits |= mask_of(_mm256_and_pd(above, _mm256_cmp_pd(here, highs, _CMP_LE_OQ))) << i;
  }
  return bits;
}
#else
inline Slopes slopes_of(const double* x) {
  Slopes bits;
  for (int i = 0; i < 64; ++i) {
    bits.up |= static_cast<std::uint64_t>(x[i] < x[i + 1]) << i;
    bits.down |= static_cast<std::uint64_t>(x[i + 1] < x[i]) << i;
  }
  return bits;
}
inline std::uint64_t within(const double* x, double low, double high) {
  std::uint64_t bits = 0;
  for (int i = 0; i < 64; ++i) bits |= static_cast<std::uint64_t>((low <= x[i]) & (x[i] <= high)) << i;
  return bits;
}
#endif

#if defined(__AVX2__)
// For each byte the numbers of its bits, packed to the front: positions without a branch for each bit.
constexpr auto kBitNumbers = [] {
  std::array<std::array<std::uint8_t, 8>, 256> table{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    std::size_t count = 0;
    for (std::uint8_t bit = 0; bit < 8; ++bit) {
      if (byte >> bit & 1) table[byte][count++] = bit;
    }
  }
  return table;
}();

// Writes up to seven places more than it counts.
inline void write_middles(std::uint64_t bits, std::int64_t base, Maxima& out) {
  std::int64_t* place = out.middles + out.count;
  out.count += std::popcount(bits);
  __m256i from = _mm256_set1_epi64x(base);
  const __m256i eight = _mm256_set1_epi64x(8);
  for (; bits; bits >>= 8) {
    const auto byte = static_cast<std::size_t>(bits & 255);
    std::uint64_t numbers;
    std::memcpy(&numbers, kBitNumbers[byte].data(), 8);
    const __m128i packed = _mm_cvtsi64_si128(static_cast<long long>(numbers));
    const __m256i first = _mm256_add_epi64(from, _mm256_cvtepu8_epi64(packed));
    const __m256i second = _mm256_add_epi64(from, _mm256_cvtepu8_epi64(_mm_srli_si128(packed, 4)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(place), first);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(place + 4), second);
    place += std::popcount(byte);
    from = _mm256_add_epi64(from, eight);
  }
}
#else
inline void write_middles(std::uint64_t bits, std::int64_t base, Maxima& out) {
  for (; bits; bits &= bits - 1) out.middles[out.count++] = base + std::countr_zero(bits);
}
#endif

// The run that begins at `first` after a rise: its last sample if a smaller value follows, or -1.
inline std::int64_t flat_until(const double* x, std::int64_t first, std::int64_t size) {
  std::int64_t last = first;
  while (last + 1 < size && x[last + 1] == x[first]) ++last;
  return last + 1 < size && x[last + 1] < x[first] ? last : -1;
}

// A spike of span 0 or the run [first, last].
inline void write_run(std::int64_t first, std::int64_t last, Maxima& out) {
  out.middles[out.count] = first + (last - first) / 2;
  if (out.spans) out.spans[out.count] = last - first;
  ++out.count;
}

// Maxima that begin at [from, size - 1) and lie within [low, high], 1 <= from. The last sample is none, nor
// is a run that reaches it.
inline void local_maxima(const double* x, std::int64_t from, std::int64_t size, double low, double high,
                         Maxima& out) {
  const bool limited = low != kLowest || high != kHighest;
  std::int64_t i = from;
  std::uint64_t rose = i < size && x[i - 1] < x[i];
  double tail[65];
  for (; i + 1 < size; i += 64) {
    const double* here = x + i;
    if (i + 64 >= size) [[unlikely]] {
      std::fill(std::copy(here, x + size, tail), std::end(tail), __builtin_nan(""));
      here = tail;
    }
    const Slopes bits = slopes_of(here);
    const std::uint64_t rises = bits.up << 1 | rose;
    std::uint64_t single = rises & bits.down, flat = rises & bits.level();
    rose = bits.up >> 63;
    if (limited) {
      if (!(single | flat)) continue;
      const std::uint64_t inside = within(here, low, high);
      single &= inside;
      flat &= inside;
    }
    if (!flat) [[likely]] {
      if (out.spans) std::memset(out.spans + out.count, 0, 64 * sizeof(std::int64_t));
      write_middles(single, i, out);
      continue;
    }
    for (std::uint64_t both = single | flat; both; both &= both - 1) {
      const std::int64_t first = i + std::countr_zero(both);
      const std::int64_t last = flat & both & (~both + 1) ? flat_until(x, first, size) : first;
      if (last >= 0) write_run(first, last, out);
    }
  }
}

}  // namespace flyball
