// Peaks of a whole series, by the rules of scipy.signal.find_peaks and in its order: plateau size, height,
// threshold, distance, prominence, width.
#pragma once

#include <memory>
#include <vector>

#include "prominence.hpp"
#include "skyline.hpp"
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
    half_ = rules_.half ? std::min(rules_.half, size_) : size_;
    // Within an infinite plateau a prominence is NaN, and passes where no border is.
    if (rules_.prominence.has_low) floor_ = rules_.prominence.low;
    if (rules_.prominence.has_high) ceiling_ = rules_.prominence.high;
    const std::int64_t room = found_.count + 1;
    found_.prominences = make_column<double>(room);
    found_.left_bases = make_column<std::int64_t>(room);
    found_.right_bases = make_column<std::int64_t>(room);
    if (rules_.wants_width) {
      for (auto* column : {&found_.widths, &found_.width_heights, &found_.left_ips, &found_.right_ips}) {
        *column = make_column<double>(room);
      }
    }
    // One by one where peaks are few.
    if (found_.count < size_ / kSparse) {
      if (half_ > Blocks::size(1) && found_.count > 4 * size_ / half_) blocks_ = Blocks(x_, size_);
      std::int64_t kept = 0;
      return keep([&](std::int64_t i) {
        const bool held = measure(found_.places[i], kept) && finish(found_.places[i], kept, kept);
        kept += held;
        return held;
      });
    }
    Both sides(*this);
    Skyline(sides).run(x_, size_);
    found_.count = sides.rows();
    std::int64_t kept = 0;
    keep([&](std::int64_t i) {
      const bool held = finish(found_.places[i], i, kept);
      kept += held;
      return held;
    });
  }

  // Rows of the peaks found, in place: the left side may drop one, the right side is written when it ends.
  class Both {
   public:
    explicit Both(Finder& finder)
        : finder_(finder),
          places_(finder.found_.places.get()),
          spans_(finder.found_.spans.get()),
          left_bases_(finder.found_.left_bases.get()),
          right_bases_(finder.found_.right_bases.get()),
          prominences_(finder.found_.prominences.get()),
          half_(finder.half_),
          spare_(finder.found_.count) {
      places_[spare_] = -1;
    }
    std::int64_t rows() const { return rows_; }
    std::int64_t nobody() const { return spare_; }

    FLYBALL_INLINE std::int64_t begin(std::int64_t place, double height, Side& left) {
      if (places_[next_] != place) return spare_;
      if (place - left.base > half_) [[unlikely]] left = finder_.side_within<-1>(place);
      if (spans_) spans_[rows_] = spans_[next_];
      ++next_;
      places_[rows_] = place;
      left_bases_[rows_] = left.base;
      // Whether it stands is as good as random: no branch.
      const std::int64_t stands = finder_.may_stand(height - left.low, place);
      const std::int64_t row = spare_ ^ ((spare_ ^ rows_) & -stands);
      rows_ += stands;
      return row;
    }

    FLYBALL_INLINE void end(std::int64_t row, std::int64_t place, double height, double left_low,
                            Side right) {
      if (right.base - place > half_ && row != spare_) [[unlikely]] right = finder_.side_within<1>(place);
      prominences_[row] = height - std::max(left_low, right.low);
      right_bases_[row] = right.base;
    }

   private:
    Finder& finder_;
    std::int64_t *places_, *spans_, *left_bases_, *right_bases_;
    double* prominences_;
    std::int64_t half_, spare_, next_ = 0, rows_ = 0;
  };

  // A side that the window cuts off before its base.
  template <int kStep>
  Side side_within(std::int64_t at) {
    if (++cut_off_ == 4 * size_ / half_ && half_ > Blocks::size(1)) blocks_ = Blocks(x_, size_);
    const std::int64_t bound =
        kStep > 0 ? std::min(size_ - 1, at + half_) : std::max<std::int64_t>(0, at - half_);
    Slope slope{at + kStep, x_[at]};
    walk<kStep>(x_, blocks_, bound, x_[at], slope);
    return {slope.low, base_of<kStep>(x_, blocks_, at, at + kStep, slope)};
  }

  // Without a branch: for many series this is as good as random.
  bool may_stand(double prominence, std::int64_t at) const {
    const double* each = rules_.prominence.low_each;
    if (each) [[unlikely]] return each[at] <= prominence;
    return !rules_.prominence.has_low | (floor_ <= prominence);
  }
  bool stands(double prominence, std::int64_t at) const {
    const double* each = rules_.prominence.high_each;
    if (each) [[unlikely]] return prominence <= each[at] && may_stand(prominence, at);
    return (!rules_.prominence.has_high | (prominence <= ceiling_)) & may_stand(prominence, at);
  }

  // Writes the prominence into `row`; false where a side forbids the asked one.
  bool measure(std::int64_t at, std::int64_t row) {
    const std::int64_t first = std::max<std::int64_t>(0, at - half_), last = std::min(size_ - 1, at + half_);
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
    found_.prominences[row] = x_[at] - std::max(left.slope.low, right.slope.low);
    found_.left_bases[row] = left.base;
    found_.right_bases[row] = right.base;
    return true;
  }

  // Moves the figures from row `from` to `row`, takes the width, and tells whether the peak keeps the rules.
  bool finish(std::int64_t at, std::int64_t from, std::int64_t row) {
    const double prominence = found_.prominences[row] = found_.prominences[from];
    found_.left_bases[row] = found_.left_bases[from];
    found_.right_bases[row] = found_.right_bases[from];
    const bool held = stands(prominence, at);
    if (!rules_.wants_width) return held;
    if (!held) return false;
    const Width width =
        width_of(x_, at, prominence, rules_.share, found_.left_bases[row], found_.right_bases[row]);
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

  static constexpr std::int64_t kSparse = 16;

  const double* x_;
  std::int64_t size_;
  const Rules& rules_;
  std::int64_t half_ = 0, cut_off_ = 0;
  double floor_ = kLowest, ceiling_ = kHighest;
  Blocks blocks_;
  Found found_;
};

}  // namespace flyball
