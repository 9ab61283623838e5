// Smallest and largest value of each window, missing values skipped.
#pragma once

#include <vector>

#include "lanes.hpp"

namespace flyball {

struct Extremes {
  double smallest;
  double largest;
};

// A comparison with a missing value is false, so it is skipped by itself.
static Extremes extremes_of(const double* rows, std::int64_t length) {
  Lanes low, high;
  fill(low, kInf);
  fill(high, -kInf);
  Marks any{};
  for (std::int64_t i = 0; i < length; i += kLanes) {
    Lanes x;
    load(x, rows + i, length - i);
    low = x < low ? x : low;
    high = x > high ? x : high;
    any |= x == x;
  }
  Extremes found{kInf, -kInf};
  bool present = false;
  for (int i = 0; i < kLanes; ++i) {
    found.smallest = low[i] < found.smallest ? low[i] : found.smallest;
    found.largest = high[i] > found.largest ? high[i] : found.largest;
    present |= any[i] != 0;
  }
  return present ? found : Extremes{kNaN, kNaN};
}

// Candidates in the order of their rows, each better than all that follow: the first is the answer.
template <bool kSmallest>
class Candidates {
 public:
  explicit Candidates(const double* values, std::size_t most) : values_(values), rows_(most) {}

  void enter(std::int64_t row) {
    const double value = values_[row];
    if (missing(value)) return;
    while (tail_ > head_ && !better(values_[rows_[tail_ - 1]], value)) --tail_;
    rows_[tail_++] = row;
  }
  void leave_before(std::int64_t row) {
    while (head_ < tail_ && rows_[head_] < row) ++head_;
    if (head_ == tail_) head_ = tail_ = 0;
  }
  double best() const { return head_ < tail_ ? values_[rows_[head_]] : kNaN; }

 private:
  static bool better(double one, double other) { return kSmallest ? one < other : one > other; }

  const double* values_;
  std::vector<std::int64_t> rows_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

inline void extremes_sliding(const double* values, const Windows& windows, double* out) {
  const std::int64_t last = windows.count - 1;
  const auto most = static_cast<std::size_t>(windows.hi[last] - windows.lo[0]);
  Candidates<true> smallest(values, most);
  Candidates<false> largest(values, most);
  std::int64_t next = windows.lo[0];
  for (std::int64_t i = 0; i < windows.count; ++i) {
    smallest.leave_before(windows.lo[i]);
    largest.leave_before(windows.lo[i]);
    next = next < windows.lo[i] ? windows.lo[i] : next;
    for (; next < windows.hi[i]; ++next) {
      smallest.enter(next);
      largest.enter(next);
    }
    out[i] = smallest.best();
    out[windows.count + i] = largest.best();
  }
}

// Sliding costs about this many rows of a plain scan for each row that enters.
constexpr std::int64_t kSlideExtremes = 48;

// out: two rows of `windows.count`: min, max. Adding zero makes -0.0 and 0.0 one value.
inline void extremes(const double* values, const Windows& windows, double* out) {
  std::int64_t scanned = 0;
  for (std::int64_t i = 0; i < windows.count; ++i) scanned += windows.hi[i] - windows.lo[i];
  const std::int64_t span = windows.count ? windows.hi[windows.count - 1] - windows.lo[0] : 0;
  if (scanned / kSlideExtremes > span && windows.forward(0, windows.count)) {
    extremes_sliding(values, windows, out);
  } else {
    for (std::int64_t i = 0; i < windows.count; ++i) {
      const auto found = extremes_of(values + windows.lo[i], windows.hi[i] - windows.lo[i]);
      out[i] = found.smallest;
      out[windows.count + i] = found.largest;
    }
  }
  for (std::int64_t i = 0; i < 2 * windows.count; ++i) out[i] += 0.0;
}

}  // namespace flyball
