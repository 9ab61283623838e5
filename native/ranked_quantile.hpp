// Quantile of every window of a fixed number of rows by ranks: for windows that are long.
//
// Rows are taken in groups of some windows' length: a group is sorted once, and a window is then a set of
// marks over the ranks. A row that enters or leaves flips one mark, so the cost does not grow with the
// window (the idea of sorting blocks first: J. Suomela, "Median filtering is equivalent to sorting",
// arXiv:1406.1717).
#pragma once

#include "rank_rule.hpp"
#include "ranks.hpp"

namespace flyball {

template <typename T>
class RankedQuantile {
 public:
  explicit RankedQuantile(const RankRule& rule) : rule_(rule) {}

  // Rows [from, rows) of a series into out[0 ...], `step` apart.
  void operator()(const T* values, std::int64_t rows, std::int64_t from, T* out, std::int64_t step) {
    const std::int64_t most = std::max(kRows, kWindows * rule_.window);
    for (std::int64_t at = from; at < rows; at += most) {
      const std::int64_t stop = std::min(rows, at + most);
      const std::int64_t start = std::max<std::int64_t>(0, at - rule_.window + 1);
      group(values + start, at - start, stop - start, out + (at - from) * step, step);
    }
  }

 private:
  void group(const T* values, std::int64_t from, std::int64_t rows, T* out, std::int64_t step) {
    ranks_.sort(values, rows);
    // A copy of its own, which the compiler keeps in registers.
    Marked marked = words_.cleared(ranks_.size());
    for (std::int64_t row = 0; row < from; ++row) marked.enter(ranks_.of(row));
    for (std::int64_t row = from; row < rows; ++row) {
      if (row >= rule_.window) marked.leave(ranks_.of(row - rule_.window));
      marked.enter(ranks_.of(row));
      *out = quantile(marked);
      out += step;
    }
  }

  FLYBALL_INLINE T quantile(Marked& marked) const {
    const std::int64_t many = marked.count();
    if (many < rule_.min_count) return static_cast<T>(kNaN);
    const std::int64_t low = rule_.low(many);
    const std::size_t rank = marked.find(low);
    const T lower = ranks_.value(rank);
    if (rule_.high(many) == low) return lower + T{0};
    return rule_.between(lower, ranks_.value(marked.after(rank)), many);
  }

  // More windows sort less often for each row, fewer stay in the cache.
  static constexpr std::int64_t kWindows = 4;
  static constexpr std::int64_t kRows = 4096;

  RankRule rule_;
  Ranks<T> ranks_;
  Words words_;
};

}  // namespace flyball
