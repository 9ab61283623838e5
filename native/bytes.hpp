// Bytes side by side: 64 at a time as marks in a word, 32 at a time in range, up to 32 as a key.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "lanes.hpp"

namespace flyball {

// Whether each of 32 bytes lies between its own two bounds.
FLYBALL_INLINE bool between_32(const char* text, const unsigned char* low, const unsigned char* high) {
#if defined(__AVX2__)
  const auto load = [](const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); };
  const __m256i v = load(text);
  const __m256i outside = _mm256_or_si256(_mm256_subs_epu8(load(low), v), _mm256_subs_epu8(v, load(high)));
  return _mm256_testz_si256(outside, outside);
#elif defined(__SSE2__)
  const auto load = [](const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); };
  __m128i outside = _mm_setzero_si128();
  for (int i = 0; i < 32; i += 16) {
    const __m128i v = load(text + i);
    outside = _mm_or_si128(outside, _mm_subs_epu8(load(low + i), v));
    outside = _mm_or_si128(outside, _mm_subs_epu8(v, load(high + i)));
  }
  return _mm_movemask_epi8(_mm_cmpeq_epi8(outside, _mm_setzero_si128())) == 0xffff;
#else
  int outside = 0;
  for (int i = 0; i < 32; ++i) {
    const auto v = static_cast<unsigned char>(text[i]);
    outside |= (v < low[i]) | (v > high[i]);
  }
  return outside == 0;
#endif
}

// Bit i is set where byte i of the 64 at `from` equals `wanted`.
FLYBALL_INLINE std::uint64_t equal_64(const char* from, char wanted) {
#if defined(__AVX512BW__)
  return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(from), _mm512_set1_epi8(wanted));
#elif defined(__AVX2__)
  const __m256i w = _mm256_set1_epi8(wanted);
  const auto half = [&](const char* p) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, w)));
  };
  return half(from) | static_cast<std::uint64_t>(half(from + 32)) << 32;
#elif defined(__SSE2__)
  const __m128i w = _mm_set1_epi8(wanted);
  std::uint64_t marks = 0;
  for (int i = 0; i < 4; ++i) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from) + i);
    marks |= static_cast<std::uint64_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, w))) << (16 * i);
  }
  return marks;
#else
  // Eight at a time: the top bit of each byte that is zero once the wanted one is taken off, gathered by
  // one multiplication.
  std::uint64_t marks = 0;
  for (int i = 0; i < 8; ++i) {
    std::uint64_t v = 0;
    for (int j = 0; j < 8; ++j) v |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[8 * i + j])) << 8 * j;
    v ^= 0x0101010101010101ULL * static_cast<unsigned char>(wanted);
    const std::uint64_t low = 0x7f7f7f7f7f7f7f7fULL;
    const std::uint64_t zero = ~(((v & low) + low) | v | low);
    marks |= ((zero >> 7) * 0x0102040810204080ULL) >> 56 << (8 * i);
  }
  return marks;
#endif
}

// The place of the lowest bit that is set; 63 or 64 where none is, without a branch on any instruction set.
FLYBALL_INLINE std::uint32_t first_bit(std::uint64_t marks) {
#if defined(__BMI__)
  return static_cast<std::uint32_t>(_tzcnt_u64(marks));
#else
  return static_cast<std::uint32_t>(std::countr_zero(marks | std::uint64_t{1} << 63));
#endif
}

// Where the newlines of a block are. A log has one or none in 64 bytes: two are written at any rate, and only a
// third costs a branch that is not foreseen. `found` has room for two more than there are bytes.
inline std::size_t newlines(const char* block, std::size_t size, std::uint32_t* found) {
  std::uint32_t* out = found;
  std::uint32_t at = 0;
  for (; at + 64 <= size; at += 64) {
    std::uint64_t marks = equal_64(block + at, '\n');
    const int many = std::popcount(marks);
    out[0] = at + first_bit(marks);
    out[1] = at + first_bit(marks &= marks - 1);
    for (int i = 2; i < many; ++i) out[i] = at + first_bit(marks &= marks - 1);
    out += many;
  }
  for (; at < size; ++at) {
    if (block[at] == '\n') *out++ = at;
  }
  return static_cast<std::size_t>(out - found);
}

// The lowest `many` bits, many <= 63.
FLYBALL_INLINE std::uint64_t low_bits(std::size_t many) { return (std::uint64_t{1} << many) - 1; }

// 32 bytes of one kind and 32 of another: read from the middle backwards, they serve any length up to 32.
struct Sliding {
  unsigned char bytes[64] = {};

  constexpr Sliding(unsigned char inside, unsigned char behind) {
    for (int i = 0; i < 64; ++i) bytes[i] = i < 32 ? inside : behind;
  }

  // 32 bytes, the first `length` of the one kind.
  FLYBALL_INLINE const unsigned char* of(std::size_t length) const { return bytes + 32 - length; }
};
alignas(64) inline constexpr Sliding kKept(255, 0), kLowest('!', 0), kHighest('~', 255);

// The bytes of a short name as words, zero behind its end. A name that holds zeros is told apart by its length.
template <int Words>
struct Key {
  std::uint64_t words[Words] = {};

  // 8 * Words bytes must be readable at `text`; length <= 8 * Words.
  static FLYBALL_INLINE Key of(const char* text, std::size_t length) {
    Key key, kept;
    std::memcpy(key.words, text, sizeof key.words);
    std::memcpy(kept.words, kKept.of(length), sizeof kept.words);
    for (int i = 0; i < Words; ++i) key.words[i] &= kept.words[i];
    return key;
  }

  bool operator==(const Key&) const = default;
};

// Bit i is set where byte i of 32 is no printable ASCII, a space included.
FLYBALL_INLINE std::uint32_t unprintable_32(const char* from) {
#if defined(__AVX2__)
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8('!'), v);  // signed: bytes from 128 on are below too
  return static_cast<std::uint32_t>(
      _mm256_movemask_epi8(_mm256_or_si256(low, _mm256_cmpeq_epi8(v, _mm256_set1_epi8(127)))));
#elif defined(__SSE2__)
  std::uint32_t marks = 0;
  for (int i = 0; i < 32; i += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    const __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8('!'));
    const int half = _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(v, _mm_set1_epi8(127))));
    marks |= static_cast<std::uint32_t>(half) << i;
  }
  return marks;
#else
  std::uint32_t marks = 0;
  for (int i = 0; i < 32; ++i) {
    const bool outside = static_cast<unsigned char>(from[i] - '!') > '~' - '!';
    marks |= static_cast<std::uint32_t>(outside) << i;
  }
  return marks;
#endif
}

// Whether the first `length` <= 32 bytes are all printable ASCII other than a space; 32 must be readable.
FLYBALL_INLINE bool printable_32(const char* text, std::size_t length) {
  return between_32(text, kLowest.of(length), kHighest.of(length));
}

}  // namespace flyball
