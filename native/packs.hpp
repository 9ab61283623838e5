// Series side by side, one in each lane, in the widest registers there are.
//
// Each lane is computed by itself, so its answer does not depend on how many lanes a register holds.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "lanes.hpp"

namespace flyball {

#if defined(__AVX512F__)
constexpr int kRegisterLanes = 8;
#elif defined(__AVX__)
constexpr int kRegisterLanes = 4;
#else
constexpr int kRegisterLanes = 2;
#endif

// One lane is a plain number: the compiler has no registers for vectors of one.
template <int G>
struct Hardware {
  typedef double Numbers __attribute__((vector_size(8 * G)));
  typedef std::int64_t Marks __attribute__((vector_size(8 * G)));
  typedef float Singles __attribute__((vector_size(4 * G)));
};
template <>
struct Hardware<1> {
  using Numbers = double;
  using Marks = bool;
  using Singles = float;
};
template <int G>
using Register = typename Hardware<G>::Numbers;
template <int G>
using Single = typename Hardware<G>::Singles;
template <int G>
using Mask = typename Hardware<G>::Marks;

// A register, or two halves: never an array, which the compiler would keep in memory.
template <class Whole, class Half, bool kWhole>
struct Split;
template <class Whole, class Half>
struct Split<Whole, Half, true> {
  Whole whole;
};
template <class Whole, class Half>
struct Split<Whole, Half, false> {
  Half low, high;
};

template <int G>
struct Pack : Split<Register<G>, Pack<G / 2>, (G <= kRegisterLanes)> {
  static constexpr bool kWhole = G <= kRegisterLanes;

  FLYBALL_INLINE static Pack all(double value) {
    if constexpr (kWhole) {
      return {{Register<G>{} + value}};
    } else {
      return {{Pack<G / 2>::all(value), Pack<G / 2>::all(value)}};
    }
  }
  FLYBALL_INLINE static Pack load(const double* from) {
    if constexpr (kWhole) {
      Pack made;
      std::memcpy(&made.whole, from, sizeof(made.whole));
      return made;
    } else {
      return {{Pack<G / 2>::load(from), Pack<G / 2>::load(from + G / 2)}};
    }
  }
  FLYBALL_INLINE static Pack load(const float* from) {
    if constexpr (G == 1) {
      return {{static_cast<double>(*from)}};
    } else if constexpr (kWhole) {
      Single<G> read;
      std::memcpy(&read, from, sizeof(read));
      return {{__builtin_convertvector(read, Register<G>)}};
    } else {
      return {{Pack<G / 2>::load(from), Pack<G / 2>::load(from + G / 2)}};
    }
  }
  FLYBALL_INLINE void store(double* to) const {
    if constexpr (kWhole) {
      std::memcpy(to, &this->whole, sizeof(this->whole));
    } else {
      this->low.store(to);
      this->high.store(to + G / 2);
    }
  }
  FLYBALL_INLINE void store(float* to) const {
    if constexpr (G == 1) {
      *to = static_cast<float>(this->whole);
    } else if constexpr (kWhole) {
      const Single<G> written = __builtin_convertvector(this->whole, Single<G>);
      std::memcpy(to, &written, sizeof(written));
    } else {
      this->low.store(to);
      this->high.store(to + G / 2);
    }
  }
  void set(int lane, double value) {
    double values[G];
    store(values);
    values[lane] = value;
    *this = load(values);
  }
};

// Which lanes something holds for: all bits set where it does.
template <int G>
struct Which : Split<Mask<G>, Which<G / 2>, (G <= kRegisterLanes)> {
  FLYBALL_INLINE bool any() const {
    if constexpr (G == 1) {
      return this->whole;
    } else if constexpr (G <= kRegisterLanes) {
      std::int64_t bits = 0;
      for (int g = 0; g < G; ++g) bits |= this->whole[g];
      return bits != 0;
    } else {
      return this->low.any() || this->high.any();
    }
  }
};

#define FLYBALL_LANEWISE(RESULT, OPERATOR)                                         \
  template <int G>                                                                 \
  FLYBALL_INLINE RESULT<G> operator OPERATOR(const Pack<G>& a, const Pack<G>& b) { \
    if constexpr (Pack<G>::kWhole) {                                               \
      return {{a.whole OPERATOR b.whole}};                                         \
    } else {                                                                       \
      return {{a.low OPERATOR b.low, a.high OPERATOR b.high}};                     \
    }                                                                              \
  }
FLYBALL_LANEWISE(Pack, +)
FLYBALL_LANEWISE(Pack, -)
FLYBALL_LANEWISE(Pack, *)
FLYBALL_LANEWISE(Pack, /)
FLYBALL_LANEWISE(Which, ==)
FLYBALL_LANEWISE(Which, !=)
FLYBALL_LANEWISE(Which, <)
FLYBALL_LANEWISE(Which, >)
FLYBALL_LANEWISE(Which, >=)
#undef FLYBALL_LANEWISE

template <int G>
FLYBALL_INLINE Pack<G> where(const Which<G>& which, const Pack<G>& then, const Pack<G>& otherwise) {
  if constexpr (Pack<G>::kWhole) {
    return {{which.whole ? then.whole : otherwise.whole}};
  } else {
    return {{where(which.low, then.low, otherwise.low), where(which.high, then.high, otherwise.high)}};
  }
}

// The bits of both: not a number where either is none and the other none or zero.
template <int G>
FLYBALL_INLINE Pack<G> merged(const Pack<G>& a, const Pack<G>& b) {
  if constexpr (G == 1) {
    return {{std::bit_cast<double>(std::bit_cast<std::int64_t>(a.whole) | std::bit_cast<std::int64_t>(b.whole))}};
  } else if constexpr (Pack<G>::kWhole) {
    return {{(Register<G>)((Mask<G>)a.whole | (Mask<G>)b.whole)}};
  } else {
    return {{merged(a.low, b.low), merged(a.high, b.high)}};
  }
}

template <int G>
FLYBALL_INLINE Pack<G> root(const Pack<G>& of) {
  if constexpr (!Pack<G>::kWhole) {
    return {{root(of.low), root(of.high)}};
  } else if constexpr (G == 1) {
    return {{std::sqrt(of.whole)}};
#if defined(__AVX512F__)
  } else if constexpr (G == 8) {
    return {{(Register<G>)_mm512_maskz_sqrt_pd(0xff, (__m512d)of.whole)}};
#endif
#if defined(__AVX__)
  } else if constexpr (G == 4) {
    return {{(Register<G>)_mm256_sqrt_pd((__m256d)of.whole)}};
#endif
#if defined(__SSE2__)
  } else if constexpr (G == 2) {
    return {{(Register<G>)_mm_sqrt_pd((__m128d)of.whole)}};
#endif
  } else {
    Pack<G> made;
    for (int g = 0; g < G; ++g) made.whole[g] = std::sqrt(of.whole[g]);
    return made;
  }
}

}  // namespace flyball
