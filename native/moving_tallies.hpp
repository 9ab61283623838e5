// What is kept of the rows of a part of a window: numbers that two parts' rows add up to.
//
// Values are taken as differences from a pivot that is itself a value of every window of which the part is
// one. So a level costs no digits, a constant has no spread at all, and what subtracting the mean loses is
// bounded by the number of rows, whatever the values: with the pivot among n values, the squares about it sum
// to at most n + 1 times those about the mean.
#pragma once

#include "packs.hpp"

namespace flyball {

// Where differences start: a value of each lane, and that value's position.
template <int G>
struct Pivot {
  Pack<G> centre = Pack<G>::all(0);
  Pack<G> origin = Pack<G>::all(0);
};

// What a row brings; `at` is its position, counted from the newer block's first row.
template <int G>
struct Entry {
  Pack<G> value;
  double at;
};

template <int G>
struct Counts {
  static constexpr bool kPivoted = false;
  static constexpr bool kPlaced = false;
  Pack<G> count = Pack<G>::all(0);

  template <bool kGaps>
  FLYBALL_INLINE void enter(const Entry<G>& row, const Pivot<G>&) {
    count = count + where(row.value == row.value, Pack<G>::all(1), Pack<G>::all(0));
  }
  FLYBALL_INLINE Counts with(const Counts& other) const { return {count + other.count}; }
};

template <int G>
struct Bounds {
  static constexpr bool kPivoted = false;
  static constexpr bool kPlaced = false;
  Pack<G> low = Pack<G>::all(kInf);
  Pack<G> high = Pack<G>::all(-kInf);

  // A comparison with a missing value is false, so it is skipped by itself.
  template <bool kGaps>
  FLYBALL_INLINE void enter(const Entry<G>& row, const Pivot<G>&) {
    low = where(row.value < low, row.value, low);
    high = where(row.value > high, row.value, high);
  }
  FLYBALL_INLINE Bounds with(const Bounds& other) const {
    return {where(other.low < low, other.low, low), where(other.high > high, other.high, high)};
  }
};

template <int G, bool kSquares>
struct Sums {
  static constexpr bool kSpread = kSquares;
  static constexpr bool kPivoted = true;
  static constexpr bool kPlaced = false;
  Pack<G> sum = Pack<G>::all(0);
  Pack<G> square = Pack<G>::all(0);

  template <bool kGaps>
  FLYBALL_INLINE void enter(const Entry<G>& row, const Pivot<G>& pivot) {
    Pack<G> away = row.value - pivot.centre;
    if constexpr (kGaps) away = where(row.value == row.value, away, Pack<G>::all(0));
    sum = sum + away;
    if constexpr (kSquares) square = square + away * away;
  }
  FLYBALL_INLINE Sums with(const Sums& other) const { return {sum + other.sum, square + other.square}; }
};

// Sums for a least-squares line of the values over their positions.
template <int G>
struct Crossed {
  static constexpr bool kPivoted = true;
  static constexpr bool kPlaced = true;
  Pack<G> sum = Pack<G>::all(0);
  Pack<G> cross = Pack<G>::all(0);
  Pack<G> along = Pack<G>::all(0);
  Pack<G> square = Pack<G>::all(0);

  template <bool kGaps>
  FLYBALL_INLINE void enter(const Entry<G>& row, const Pivot<G>& pivot) {
    Pack<G> away = row.value - pivot.centre;
    Pack<G> on = Pack<G>::all(row.at) - pivot.origin;
    if constexpr (kGaps) {
      const auto there = row.value == row.value;
      away = where(there, away, Pack<G>::all(0));
      on = where(there, on, Pack<G>::all(0));
    }
    sum = sum + away;
    cross = cross + on * away;
    along = along + on;
    square = square + on * on;
  }
  FLYBALL_INLINE Crossed with(const Crossed& other) const {
    return {sum + other.sum, cross + other.cross, along + other.along, square + other.square};
  }
};

}  // namespace flyball
