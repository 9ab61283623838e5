// Peaks of a whole series, by the rules of scipy.signal.find_peaks and in its order: plateau size, height,
// threshold, distance, prominence, width.
#pragma once

#include <memory>
#include <vector>

#include "prominence.hpp"
#include "spacing.hpp"

namespace flyball {

struct Rules {
  Interval plateau_size, height, threshold, prominence, width;
  bool wants_plateau = false, wants_height = false, wants_threshold = false, wants_prominence = false,
       wants_width = false;
  std::int64_t distance = 0;  // fewer than 3 part nothing: maxima are two samples apart by themselves
  std::int64_t half = 0;      // samples of the prominence window on either side, 0 for no window
  double share = 0.5;         // the part of the prominence at which the width is taken

  bool walks() const { return wants_prominence || wants_width; }
};

struct Sides {
  double left;
  double right;
};

// By how much a peak rises over its two neighbours, which are equal to it within a plateau.
inline Sides thresholds_of(const double* x, std::int64_t at) { return {x[at] - x[at - 1], x[at] - x[at + 1]}; }

// A missing difference (infinite plateaus have one) is kept by an open border only.
inline bool threshold_holds(const Interval& rule, const Sides& sides, std::int64_t at) {
  const bool missing_one = missing(sides.left) || missing(sides.right);
  const double low = missing_one ? kNaN : std::min(sides.left, sides.right);
  const double high = missing_one ? kNaN : std::max(sides.left, sides.right);
  return rule.above_low(low, at) && rule.below_high(high, at);
}

// Not yet written memory: pages that stay unused cost nothing.
template <typename T>
using Column = std::unique_ptr<T[]>;
template <typename T>
Column<T> make_column(std::int64_t rows) {
  return std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(rows));
}

struct Found {
  std::int64_t count = 0;
  Column<std::int64_t> places, spans;
  Column<double> prominences;
  Column<std::int64_t> left_bases, right_bases;
  Column<double> widths, width_heights, left_ips, right_ips;
};

class Finder {
 public:
  Finder(const double* x, std::int64_t size, const Rules& rules) : x_(x), size_(size), rules_(rules) {}

  // `order(heights, count)` gives the rising order of the heights where two equal ones contend for a distance.
  template <typename Order>
  Found find(Order order) {
    scan();
    if (rules_.distance > 2 && found_.count > 1) part(order);
    if (rules_.walks()) stand_out();
    return std::move(found_);
  }

 private:
  void scan() {
    const std::int64_t room = size_ / 2 + kSlack;
    found_.places = make_column<std::int64_t>(room);
    if (rules_.wants_plateau) found_.spans = make_column<std::int64_t>(room);
    const Interval& height = rules_.height;
    const bool within_scan = height.plain();
    const double low = within_scan && height.has_low ? height.low : kLowest;
    const double high = within_scan && height.has_high ? height.high : kHighest;
    Maxima maxima{found_.places.get(), found_.spans.get(), 0};
    local_maxima(x_, 1, size_, low, high, maxima);
    found_.count = maxima.count;
    if (!rules_.plateau_size.open()) {
      keep([&](std::int64_t i) {
        return rules_.plateau_size.holds(static_cast<double>(found_.spans[i] + 1), found_.places[i]);
      });
    }
    if (!within_scan) keep([&](std::int64_t i) { return height.holds(x_[found_.places[i]], found_.places[i]); });
    if (!rules_.threshold.open()) {
      keep([&](std::int64_t i) {
        return threshold_holds(rules_.threshold, thresholds_of(x_, found_.places[i]), found_.places[i]);
      });
    }
  }

  template <typename Order>
  void part(Order order) {
    const std::int64_t count = found_.count;
    const Column<double> keys = make_column<double>(count);
    const auto heights = [&] {
      for (std::int64_t i = 0; i < count; ++i) keys[i] = x_[found_.places[i]];
    };
    heights();
    const Column<bool> kept = make_column<bool>(count);
    if (!keep_apart(found_.places.get(), keys.get(), count, rules_.distance, kept.get())) {
      heights();
      const auto rising = order(keys.get(), count);
      for (std::int64_t i = 0; i < count; ++i) keys[rising[static_cast<std::size_t>(i)]] = static_cast<double>(i);
      keep_apart(found_.places.get(), keys.get(), count, rules_.distance, kept.get());
    }
    keep([&](std::int64_t i) { return kept[i]; });
  }

  void stand_out() {
    // Blocks cost a pass over the series: only where walks may go over it more often.
    const std::int64_t half = rules_.half ? std::min(rules_.half, size_) : size_;
    if (half > Blocks::size(1) && found_.count > 4 * size_ / half) blocks_ = Blocks(x_, size_);
    found_.prominences = make_column<double>(found_.count);
    found_.left_bases = make_column<std::int64_t>(found_.count);
    found_.right_bases = make_column<std::int64_t>(found_.count);
    if (rules_.wants_width) {
      for (auto* column : {&found_.widths, &found_.width_heights, &found_.left_ips, &found_.right_ips}) {
        *column = make_column<double>(found_.count);
      }
    }
    std::int64_t kept = 0;
    keep([&](std::int64_t i) {
      const bool held = measure(found_.places[i], half, kept);
      kept += held;
      return held;
    });
  }

  bool may_stand(double prominence, std::int64_t at) const {
    return !rules_.wants_prominence || rules_.prominence.above_low(prominence, at);
  }

  // Whether the peak keeps the rules; its figures are written into `row`.
  bool measure(std::int64_t at, std::int64_t half, std::int64_t row) {
    const std::int64_t first = std::max<std::int64_t>(0, at - half), last = std::min(size_ - 1, at + half);
    Near left{{at - 1, x_[at]}, at, false}, right{{at + 1, x_[at]}, at, false};
    const bool roomy = first <= at - 8 && at + 8 <= last;
    if (roomy) [[likely]] {
      // Either side can only lessen it: where few peaks stand out, one look tells.
      left = look_near<-1>(x_, at);
      if (left.stopped && !may_stand(x_[at] - left.slope.low, at)) return false;
      right = look_near<1>(x_, at);
      if (right.stopped && !may_stand(x_[at] - right.slope.low, at)) return false;
    }
    if (!left.stopped && !walk_side<-1>(at, first, left)) return false;
    if (!right.stopped && !walk_side<1>(at, last, right)) return false;
    const double prominence = x_[at] - std::max(left.slope.low, right.slope.low);
    found_.prominences[row] = prominence;
    found_.left_bases[row] = left.base;
    found_.right_bases[row] = right.base;
    if (rules_.wants_prominence && !rules_.wants_width) return rules_.prominence.holds(prominence, at);
    if (rules_.wants_prominence && !rules_.prominence.holds(prominence, at)) return false;
    if (!rules_.wants_width) return true;
    const Width width = width_of(x_, at, prominence, rules_.share, left.base, right.base);
    found_.widths[row] = width.width;
    found_.width_heights[row] = width.height;
    found_.left_ips[row] = width.left;
    found_.right_ips[row] = width.right;
    return rules_.width.holds(width.width, at);
  }

  // Walks on along a side that did not end near the peak; false where it forbids the asked prominence.
  template <int kStep>
  bool walk_side(std::int64_t at, std::int64_t bound, Near& side) const {
    look_on<kStep>(x_, bound, x_[at], side);
    if (!side.stopped) {
      const Slope known = side.slope;
      walk<kStep>(x_, blocks_, bound, x_[at], side.slope);
      if (side.slope.low < known.low) side.base = base_of<kStep>(x_, blocks_, at, known.next, side.slope);
    }
    return may_stand(x_[at] - side.slope.low, at);
  }

  template <typename Holds>
  void keep(Holds holds) {
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < found_.count; ++i) {
      const bool held = holds(i);
      found_.places[kept] = found_.places[i];
      if (found_.spans) found_.spans[kept] = found_.spans[i];
      kept += held;
    }
    found_.count = kept;
  }

  const double* x_;
  std::int64_t size_;
  const Rules& rules_;
  Blocks blocks_;
  Found found_;
};

}  // namespace flyball
