// Median of each window, missing values skipped.
//
// Overlapping windows that move forward are taken in groups: the group's rows are sorted once, and a window
// is then a set of marks over the ranks, with a finger on its middle. A row that enters or leaves flips one
// mark and moves the finger by at most one, so the cost does not grow with the window (the idea of sorting
// blocks first: J. Suomela, "Median filtering is equivalent to sorting", arXiv:1406.1717).
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "lanes.hpp"

namespace flyball {

// Mean of the two middle values, without overflow; adding zero makes -0.0 and 0.0 one value.
inline double between(double low, double high) {
  const double sum = low + high;
  const bool spilt = std::isinf(sum) && !std::isinf(low) && !std::isinf(high);
  return (spilt ? low / 2 + high / 2 : sum / 2) + 0.0;
}

class PlainMedian {
 public:
  double operator()(const double* rows, std::int64_t length) {
    present_.clear();
    for (std::int64_t i = 0; i < length; ++i) {
      if (!missing(rows[i])) present_.push_back(rows[i]);
    }
    if (present_.empty()) return kNaN;
    const auto middle = present_.begin() + static_cast<std::ptrdiff_t>(present_.size() / 2);
    std::nth_element(present_.begin(), middle, present_.end());
    if (present_.size() % 2 == 1) return *middle + 0.0;
    return between(*std::max_element(present_.begin(), middle), *middle);
  }

 private:
  std::vector<double> present_;
};

// The rows of a group in order of their value.
class Ranks {
 public:
  static constexpr std::uint32_t kMissing = UINT32_MAX;

  void sort(const double* rows, std::int64_t length) {
    items_.clear();
    rank_.assign(static_cast<std::size_t>(length), kMissing);
    for (std::int64_t i = 0; i < length; ++i) {
      if (!missing(rows[i])) items_.push_back({key(rows[i]), static_cast<std::uint32_t>(i)});
    }
    if (items_.size() < 256) {
      std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.key < b.key; });
    } else {
      sort_by_digits();
    }
    for (std::size_t r = 0; r < items_.size(); ++r) rank_[items_[r].row] = static_cast<std::uint32_t>(r);
  }
  std::uint32_t of(std::int64_t row) const { return rank_[static_cast<std::size_t>(row)]; }
  std::uint32_t row(std::size_t rank) const { return items_[rank].row; }
  std::size_t size() const { return items_.size(); }

 private:
  struct Item {
    std::uint64_t key;
    std::uint32_t row;
  };

  // Unsigned integers in the order of the doubles.
  static std::uint64_t key(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    return bits ^ ((bits >> 63) ? ~std::uint64_t{0} : std::uint64_t{1} << 63);
  }

  void sort_by_digits() {
    std::uint32_t starts[8][256] = {};
    for (const Item& item : items_) {
      for (int d = 0; d < 8; ++d) ++starts[d][(item.key >> (8 * d)) & 255];
    }
    spare_.resize(items_.size());
    for (int d = 0; d < 8; ++d) {
      std::uint32_t* start = starts[d];
      // A digit that all share sorts nothing.
      if (start[(items_[0].key >> (8 * d)) & 255] == items_.size()) continue;
      std::uint32_t at = 0;
      for (int v = 0; v < 256; ++v) {
        const std::uint32_t many = start[v];
        start[v] = at;
        at += many;
      }
      for (const Item& item : items_) spare_[start[(item.key >> (8 * d)) & 255]++] = item;
      items_.swap(spare_);
    }
  }

  std::vector<Item> items_, spare_;
  std::vector<std::uint32_t> rank_;
};

// The marks over the ranks and the finger on the middle one.
class Middle {
 public:
  void clear(std::size_t ranks) {
    marks_.assign(ranks / 64 + 1, 0);
    finger_ = below_ = count_ = 0;
  }
  void enter(std::uint32_t rank) {
    marks_[rank / 64] |= std::uint64_t{1} << (rank % 64);
    below_ += rank < finger_;
    ++count_;
  }
  void leave(std::uint32_t rank) {
    marks_[rank / 64] &= ~(std::uint64_t{1} << (rank % 64));
    below_ -= rank < finger_;
    --count_;
  }
  std::size_t count() const { return count_; }

  // The rank with as many marks below it as above, the lower of two. Call with at least one mark.
  std::size_t settle() {
    const std::size_t wanted = (count_ - 1) / 2;
    for (; below_ > wanted; --below_) finger_ = before(finger_);
    finger_ = from(finger_);
    for (; below_ < wanted; ++below_) finger_ = from(finger_ + 1);
    return finger_;
  }
  std::size_t after_settled() const { return from(finger_ + 1); }

 private:
  // The first mark at or after the rank; there is one.
  std::size_t from(std::size_t rank) const {
    std::size_t word = rank / 64;
    std::uint64_t bits = marks_[word] & (~std::uint64_t{0} << (rank % 64));
    while (bits == 0) bits = marks_[++word];
    return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  }
  // The last mark before the rank; there is one.
  std::size_t before(std::size_t rank) const {
    std::size_t word = rank / 64;
    std::uint64_t bits = marks_[word] & ~(~std::uint64_t{0} << (rank % 64));
    while (bits == 0) bits = marks_[--word];
    return word * 64 + 63 - static_cast<std::size_t>(std::countl_zero(bits));
  }

  std::vector<std::uint64_t> marks_;
  std::size_t finger_ = 0, below_ = 0, count_ = 0;
};

class SlidingMedian {
 public:
  // Windows [from, to) of a forward run, whose rows lie in [windows.lo[from], windows.hi[to - 1]).
  void operator()(const double* values, const Windows& windows, std::int64_t from, std::int64_t to,
                  double* out) {
    const std::int64_t start = windows.lo[from];
    const double* rows = values + start;
    ranks_.sort(rows, windows.hi[to - 1] - start);
    middle_.clear(ranks_.size());
    std::int64_t entered = 0, left = 0;
    for (std::int64_t i = from; i < to; ++i) {
      const std::int64_t lo = windows.lo[i] - start;
      const std::int64_t hi = windows.hi[i] - start;
      for (const std::int64_t stop = std::min(lo, entered); left < stop; ++left) {
        if (const auto rank = ranks_.of(left); rank != Ranks::kMissing) middle_.leave(rank);
      }
      // Rows that lie between two windows are in neither.
      left = lo;
      for (entered = std::max(entered, lo); entered < hi; ++entered) {
        if (const auto rank = ranks_.of(entered); rank != Ranks::kMissing) middle_.enter(rank);
      }
      out[i] = median(rows);
    }
  }

 private:
  double median(const double* rows) {
    if (middle_.count() == 0) return kNaN;
    const double low = rows[ranks_.row(middle_.settle())];
    if (middle_.count() % 2 == 1) return low + 0.0;
    return between(low, rows[ranks_.row(middle_.after_settled())]);
  }

  Ranks ranks_;
  Middle middle_;
};

// A group covers a few windows' length: longer sorts less often, shorter stays in the cache.
constexpr std::int64_t kGroupWindows = 4;
constexpr std::int64_t kGroupRows = 2048;
constexpr std::int64_t kGroupMost = std::int64_t{1} << 31;
// One row sorted and slid costs about this many rows of a plain selection.
constexpr std::int64_t kSlideMedian = 3;

inline void median(const double* values, const Windows& windows, double* out) {
  PlainMedian plain;
  SlidingMedian sliding;
  for (std::int64_t from = 0; from < windows.count;) {
    const std::int64_t length = windows.hi[from] - windows.lo[from];
    const std::int64_t span = std::min(std::max(kGroupRows, kGroupWindows * length), kGroupMost);
    std::int64_t to = from + 1;
    std::int64_t plain_rows = length;
    while (to < windows.count && windows.lo[to] >= windows.lo[to - 1] &&
           windows.hi[to] >= windows.hi[to - 1] && windows.hi[to] - windows.lo[from] <= span) {
      plain_rows += windows.hi[to] - windows.lo[to];
      ++to;
    }
    if (plain_rows / kSlideMedian > windows.hi[to - 1] - windows.lo[from]) {
      sliding(values, windows, from, to, out);
    } else {
      for (std::int64_t i = from; i < to; ++i) {
        out[i] = plain(values + windows.lo[i], windows.hi[i] - windows.lo[i]);
      }
    }
    from = to;
  }
}

}  // namespace flyball
