// A window as the end of one block of rows and the beginning of the next.
//
// Blocks are as long as the window and lie at fixed places: multiples of the window's length. A window that
// ends in a block is then all of that block's rows so far, and the rows of the block before from some row on.
// Both are sums that only grow: the newer block's forwards, row by row; the older block's backwards, once.
// Nothing is ever subtracted, so nothing drifts and what left the window leaves no trace; three additions a
// row whatever the window; and a figure depends on two blocks, not on what came before or how it arrived.
// (M. van Herk, Pattern Recognition Letters 13, 1992; J. Gil and M. Werman, IEEE PAMI 15, 1993, for minima.)
#pragma once

#include <algorithm>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "moving_tallies.hpp"

namespace flyball {

// The most rows that are worked on at a time.
constexpr std::int64_t kPiece = 128;

// Sums of the older block are written out for so many rows at a time: few enough for the first cache. Of one
// series, for the second: there the sums wait for one another, so making them once counts for more.
template <int G>
constexpr std::int64_t kStretch = G == 1 ? 16384 : 128;

// For memory that is written before it is read: growing leaves it as it is.
template <class T>
struct Unset : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = Unset<U>;
  };
  template <class U>
  void construct(U*) noexcept {}
  template <class U, class... From>
  void construct(U* at, From&&... from) {
    new (static_cast<void*>(at)) U(std::forward<From>(from)...);
  }
};
template <class T>
using Room = std::vector<T, Unset<T>>;

// The rows of a block, G series side by side.
template <int G>
struct Block {
  Room<double> rows;
  std::vector<std::int64_t> times;  // empty where windows are counted in rows
  std::int64_t length = 0;
  bool finite = true;

  const double* row(std::int64_t at) const { return rows.data() + at * G; }
  double* room(std::int64_t more) {
    const auto needed = static_cast<std::size_t>((length + more) * G);
    if (rows.size() < needed) rows.resize(std::max(needed, rows.size() + rows.size() / 2));
    return rows.data() + length * G;
  }
  void clear() {
    times.clear();
    length = 0;
    finite = true;
  }
};

// Where rows lie on the axis of a slope, counted from the newer block's first row.
struct Axis {
  bool timed;
  std::int64_t base;  // that row's time

  template <int G>
  FLYBALL_INLINE double newer(const Block<G>& block, std::int64_t at) const {
    return static_cast<double>(timed ? block.times[static_cast<std::size_t>(at)] - base : at);
  }
  template <int G>
  FLYBALL_INLINE double older(const Block<G>& block, std::int64_t at) const {
    return static_cast<double>(timed ? block.times[static_cast<std::size_t>(at)] - base
                                     : at - block.length);
  }
};

// One kind of sums over both parts.
template <int G, class Part>
class Halves {
 public:
  Part newer;

  void turn() {
    newer = Part{};
    forget();
  }
  // The older block's sums are made again when asked for: about another pivot.
  void forget() {
    open_ = -1;
    marked_ = false;
  }
  // The older block's sums from each row of the stretch to the block's end.
  const Part* older(const Block<G>& block, std::int64_t stretch, const Pivot<G>& pivot, const Axis& axis) {
    if (open_ != stretch) {
      if (block.finite) {
        open<false>(block, stretch, pivot, axis);
      } else {
        open<true>(block, stretch, pivot, axis);
      }
      open_ = stretch;
    }
    return parts_.data();
  }

 private:
  template <bool kGaps>
  FLYBALL_INLINE static void enter(Part& part, const Block<G>& block, std::int64_t at, const Pivot<G>& pivot,
                                   const Axis& axis) {
    const double place = Part::kPlaced ? axis.older(block, at) : 0;
    part.template enter<kGaps>({Pack<G>::load(block.row(at)), place}, pivot);
  }

  template <bool kGaps>
  void open(const Block<G>& block, std::int64_t stretch, const Pivot<G>& pivot, const Axis& axis) {
    if (!marked_) mark<kGaps>(block, stretch, pivot, axis);
    parts_.resize(static_cast<std::size_t>(std::min(kStretch<G>, block.length + 1)));
    const std::int64_t from = stretch * kStretch<G>;
    std::int64_t at = from + kStretch<G>;
    Part part;
    if (at <= block.length) {
      part = marks_[static_cast<std::size_t>(stretch)];
    } else {
      at = block.length;
      parts_[static_cast<std::size_t>(at - from)] = part;
    }
    Part* made = parts_.data() - from;
    while (at-- > from) {
      enter<kGaps>(part, block, at, pivot, axis);
      made[at] = part;
    }
  }

  // The sums at the end of each stretch, from this one on.
  template <bool kGaps>
  void mark(const Block<G>& block, std::int64_t stretch, const Pivot<G>& pivot, const Axis& axis) {
    marked_ = true;
    marks_.resize(static_cast<std::size_t>(block.length / kStretch<G>));
    const std::int64_t stop = (stretch + 1) * kStretch<G>;
    Part part;
    for (std::int64_t at = block.length; at >= stop; --at) {
      if (at < block.length) enter<kGaps>(part, block, at, pivot, axis);
      if (at % kStretch<G> == 0) marks_[static_cast<std::size_t>(at / kStretch<G> - 1)] = part;
    }
  }

  Room<Part> parts_, marks_;
  std::int64_t open_ = -1;
  bool marked_ = false;
};

}  // namespace flyball
