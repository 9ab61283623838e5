// Median of each window, missing values skipped.
//
// Overlapping windows that move forward are taken in groups: the group's rows are sorted once, and a window
// is then a set of marks over the ranks, with a finger on its middle. A row that enters or leaves flips one
// mark, so the cost does not grow with the window (see ranked_quantile.hpp).
#pragma once

#include <algorithm>
#include <vector>

#include "rank_rule.hpp"
#include "ranks.hpp"

namespace flyball {

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
    return middle_of(*std::max_element(present_.begin(), middle), *middle);
  }

 private:
  std::vector<double> present_;
};

class SlidingMedian {
 public:
  // Windows [from, to) of a forward run, whose rows lie in [windows.lo[from], windows.hi[to - 1]).
  void operator()(const double* values, const Windows& windows, std::int64_t from, std::int64_t to,
                  double* out) {
    const std::int64_t start = windows.lo[from];
    ranks_.sort(values + start, windows.hi[to - 1] - start);
    Marked marked = words_.cleared(ranks_.size());
    std::int64_t entered = 0, left = 0;
    for (std::int64_t i = from; i < to; ++i) {
      const std::int64_t lo = windows.lo[i] - start;
      const std::int64_t hi = windows.hi[i] - start;
      const std::int64_t stop = std::min(lo, entered);
      for (; left < stop; ++left) marked.leave(ranks_.of(left));
      // Rows that lie between two windows are in neither.
      left = lo;
      for (entered = std::max(entered, lo); entered < hi; ++entered) marked.enter(ranks_.of(entered));
      out[i] = median(marked);
    }
  }

 private:
  double median(Marked& marked) const {
    const std::int64_t many = marked.count();
    if (many == 0) return kNaN;
    const std::size_t rank = marked.find((many - 1) / 2);
    const double low = ranks_.value(rank);
    return many % 2 == 1 ? low + 0.0 : middle_of(low, ranks_.value(marked.after(rank)));
  }

  Ranks<double> ranks_;
  Words words_;
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
