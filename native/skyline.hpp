// How far all maxima of a series stand out, in one pass over its extremes.
//
// Maxima that nothing higher has followed yet lie on a stack, the lowest on top, each with the lowest valley
// between it and the one below. A new maximum takes the lower ones off: for those the right side ends here,
// and the valleys between them make up its own left side. So no valley is looked at more than once or twice,
// however far a side reaches.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "lanes.hpp"
#include "maxima.hpp"

namespace flyball {

// The smallest value of a stretch, and the first and the last sample that has it.
struct Valley {
  double low;
  std::int64_t first;
  std::int64_t last;
};

// Which one is smaller is as good as random: selected without a branch.
FLYBALL_INLINE Valley joined(const Valley& left, const Valley& right) {
  const std::int64_t first_of_left = -static_cast<std::int64_t>(left.low <= right.low);
  const std::int64_t last_of_right = -static_cast<std::int64_t>(right.low <= left.low);
  return {right.low < left.low ? right.low : left.low,
          right.first ^ ((left.first ^ right.first) & first_of_left),
          left.last ^ ((left.last ^ right.last) & last_of_right)};
}

// A side of a peak: its smallest value, and the sample nearest to the peak that has it.
struct Side {
  double low;
  std::int64_t base;
};

// `Sink` hears of each maximum twice: `begin(middle, height, left)` returns a number for it, and
// `end(number, middle, height, left_low, right)` gives the number back when its right side has ended. A walk
// passes what is equal to the peak, and stops at NaN. `nobody()` is a number for what nobody asks for.
template <typename Sink>
class Skyline {
 public:
  explicit Skyline(Sink& sink) : sink_(sink), stack_(64) {}

  void run(const double* x, std::int64_t size) {
    for (std::int64_t from = 0; from < size;) {
      while (from < size && x[from] != x[from]) ++from;
      const std::int64_t end = whole_until(x, from, size);
      if (end - from > 2) stretch(x, from, end);
      from = end;
    }
  }

 private:
  struct Entry {
    double height;
    Valley before;  // between this and the entry below
    Side left;
    std::int64_t number, place;
  };

  // The first NaN from `i` on, or `size`.
  static std::int64_t whole_until(const double* x, std::int64_t i, std::int64_t size) {
    for (; i + 4 * kLanes <= size; i += 4 * kLanes) {
      Marks whole = Marks{} == 0;
      for (int k = 0; k < 4; ++k) {
        Lanes lanes;
        load(lanes, x + i + k * kLanes, kLanes);
        whole &= lanes == lanes;
      }
      if (fold(whole) != -kLanes) break;
    }
    while (i < size && x[i] == x[i]) ++i;
    return i;
  }

  // Samples [from, end), without NaN. Its first sample counts as a maximum of its own that nobody asks for.
  void stretch(const double* x, std::int64_t from, std::int64_t end) {
    x_ = x;
    end_ = end;
    const Valley nothing{kHighest, from, from};
    top_ = stack_.data();
    *top_ = {kHighest, nothing, {kHighest, from}, sink_.nobody(), from};
    *++top_ = {x[from], nothing, {kHighest, from}, sink_.nobody(), from};
    valley_ = {x[from], from, run_end(from)};
    std::int64_t i = from + 1;
    std::uint64_t rose = x[from] < x[i], fell = x[i] < x[from];
    for (; i + 64 < end; i += 64) {
      const Slopes bits = slopes_of(x + i);
      const std::uint64_t rises = bits.up << 1 | rose, falls = bits.down << 1 | fell;
      rose = bits.up >> 63;
      fell = bits.down >> 63;
      const std::uint64_t tops = rises & bits.down, valleys = falls & bits.up;
      if (bits.level() & (rises | falls)) {
        for (std::uint64_t turns = tops | valleys | bits.level(); turns; turns &= turns - 1) {
          turn(i + std::countr_zero(turns));
        }
        continue;
      }
      // Tops and valleys take turns.
      for (std::uint64_t left = tops; left; left &= left - 1) {
        const std::uint64_t before = valleys & ((left & (~left + 1)) - 1);
        const std::int64_t lowest = before ? i + 63 - std::countl_zero(before) : valley_.last;
        const std::int64_t first = before ? lowest : valley_.first;
        valley_ = {x[lowest], first, lowest};
        const std::int64_t top = i + std::countr_zero(left);
        maximum(top, x[top]);
      }
      const std::uint64_t passed = tops ? (std::uint64_t{2} << (63 - std::countl_zero(tops))) - 1 : 0;
      const std::uint64_t after = valleys & ~passed;
      if (after) {
        const std::int64_t lowest = i + std::countr_zero(after);
        valley_ = {x[lowest], lowest, lowest};
      }
    }
    for (; i < end; ++i) turn(i);
    Valley after = valley_;
    for (; top_ != stack_.data(); --top_) lower(after);
  }

  // The last sample of the run that begins at `first`.
  std::int64_t run_end(std::int64_t first) const {
    std::int64_t last = first;
    while (last + 1 < end_ && x_[last + 1] == x_[first]) ++last;
    return last;
  }

  // What a run that begins at sample i is.
  __attribute__((noinline)) void turn(std::int64_t i) {
    if (x_[i - 1] == x_[i]) return;
    const std::int64_t last = run_end(i);
    if (x_[i] < x_[i - 1]) {
      if (last + 1 == end_ || x_[i] < x_[last + 1]) valley_ = {x_[i], i, last};
    } else if (last + 1 < end_ && x_[last + 1] < x_[i]) {
      maximum(i + (last - i) / 2, x_[i]);
    }
  }

  FLYBALL_INLINE void maximum(std::int64_t place, double height) {
    Valley before = valley_;
    for (; top_->height < height; --top_) lower(before);
    Side left{before.low, before.last};
    if (top_->height == height && top_->left.low < left.low) left = top_->left;
    if (++top_ == stack_.data() + stack_.size()) grow();
    top_->height = height;
    top_->before = before;
    top_->number = sink_.begin(place, height, left);
    top_->left = left;
    top_->place = place;
  }

  // Takes the top off; `after` are the valleys right of it, and then also those between it and the next.
  FLYBALL_INLINE void lower(Valley& after) {
    sink_.end(top_->number, top_->place, top_->height, top_->left.low, {after.low, after.first});
    after = joined(top_->before, after);
  }

  __attribute__((noinline)) void grow() {
    const auto depth = top_ - stack_.data();
    stack_.resize(2 * stack_.size());
    top_ = stack_.data() + depth;
  }

  Sink& sink_;
  std::vector<Entry> stack_;
  Entry* top_ = nullptr;
  const double* x_ = nullptr;
  std::int64_t end_ = 0;
  Valley valley_{};
};

}  // namespace flyball
