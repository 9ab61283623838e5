// One register of floats, each lane a series of its own, on whatever instruction set is compiled for.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "lanes.hpp"

// A loop over registers, whose number is known: without it they would live in memory.
#define FLYBALL_UNROLLED _Pragma("GCC unroll 64")

namespace flyball {

#if defined(__AVX512F__)
constexpr int kWideBytes = 64;
#elif defined(__AVX2__)
constexpr int kWideBytes = 32;
#else
constexpr int kWideBytes = 16;
#endif

template <typename T>
struct WideOf;
template <>
struct WideOf<double> {
  using Type = double __attribute__((vector_size(kWideBytes)));
  using Counts = std::int64_t __attribute__((vector_size(kWideBytes)));
  using Unsigned = std::uint64_t __attribute__((vector_size(kWideBytes)));
};
template <>
struct WideOf<float> {
  using Type = float __attribute__((vector_size(kWideBytes)));
  using Counts = std::int32_t __attribute__((vector_size(kWideBytes)));
  using Unsigned = std::uint32_t __attribute__((vector_size(kWideBytes)));
};
template <typename T>
using Wide = typename WideOf<T>::Type;
template <typename T>
using WideCounts = typename WideOf<T>::Counts;
template <typename T>
constexpr int kWide = kWideBytes / static_cast<int>(sizeof(T));
template <typename T>
constexpr T kMost = std::numeric_limits<T>::infinity();

// The forms with a mask of all lanes are the plain ones without a false warning of the compiler.
// The same bits from all: where both are equal (0.0 and -0.0), the second. Neither may be NaN.
FLYBALL_INLINE Wide<double> lesser(Wide<double> a, Wide<double> b) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_pd(0xFF, a, b);
#elif defined(__AVX2__)
  return _mm256_min_pd(a, b);
#elif defined(__SSE2__)
  return _mm_min_pd(a, b);
#else
  return a < b ? a : b;
#endif
}
FLYBALL_INLINE Wide<double> greater(Wide<double> a, Wide<double> b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_pd(0xFF, a, b);
#elif defined(__AVX2__)
  return _mm256_max_pd(a, b);
#elif defined(__SSE2__)
  return _mm_max_pd(a, b);
#else
  return a > b ? a : b;
#endif
}
FLYBALL_INLINE Wide<float> lesser(Wide<float> a, Wide<float> b) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(0xFFFF, a, b);
#elif defined(__AVX2__)
  return _mm256_min_ps(a, b);
#elif defined(__SSE2__)
  return _mm_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}
FLYBALL_INLINE Wide<float> greater(Wide<float> a, Wide<float> b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(0xFFFF, a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
  return _mm_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}

// Two values into order, in every lane.
template <typename V>
FLYBALL_INLINE void order(V& a, V& b) {
  const V low = lesser(a, b);
  b = greater(a, b);
  a = low;
}

// x held between low and high, which is the middle one of the three where low <= high.
template <typename V>
FLYBALL_INLINE V held(V x, V low, V high) {
  return lesser(greater(x, low), high);
}

// One step of a transposition: blocks of Step x Step trade places across the diagonal.
template <int Step, typename V, int... Lane>
FLYBALL_INLINE void trade(V& a, V& b, std::integer_sequence<int, Lane...>) {
  constexpr int many = sizeof...(Lane);
  const V above = __builtin_shufflevector(a, b, ((Lane & Step) ? many + Lane - Step : Lane)...);
  b = __builtin_shufflevector(a, b, ((Lane & Step) ? many + Lane : Lane + Step)...);
  a = above;
}

// A square of lanes by rows becomes rows by lanes.
template <typename T, int Step = kWide<T> / 2>
FLYBALL_INLINE void transpose(Wide<T>* square) {
  if constexpr (Step > 0) {
    FLYBALL_UNROLLED for (int i = 0; i < kWide<T>; ++i) {
      if (!(i & Step)) {
        trade<Step>(square[i], square[i + Step], std::make_integer_sequence<int, kWide<T>>{});
      }
    }
    transpose<T, Step / 2>(square);
  }
}

}  // namespace flyball
