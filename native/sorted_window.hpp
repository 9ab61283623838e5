// The values of one moving window in order, kept from row to row: for few rows at a time.
#pragma once

#include "rank_rule.hpp"

namespace flyball {

// Missing rows are not kept. A row costs two searches and a move of what lies between the places found.
template <typename T>
class SortedWindow {
 public:
  void fill(const T* rows, std::int64_t step, std::int64_t many) {
    ordered_.clear();
    for (std::int64_t i = 0; i < many; ++i) {
      if (rows[i * step] == rows[i * step]) ordered_.push_back(rows[i * step]);
    }
    std::sort(ordered_.begin(), ordered_.end());
  }

  void enter(T value) {
    if (value == value) ordered_.insert(ordered_.begin() + place(value), value);
  }

  // One row leaves, another takes its turn.
  void turn(T leaving, T entering) {
    if (!(leaving == leaving)) return enter(entering);
    const std::ptrdiff_t from = place(leaving);
    if (!(entering == entering)) {
      ordered_.erase(ordered_.begin() + from);
      return;
    }
    std::ptrdiff_t to = place(entering);
    T* const rows = ordered_.data();
    if (to > from) {
      --to;
      std::memmove(rows + from, rows + from + 1, sizeof(T) * static_cast<std::size_t>(to - from));
    } else {
      std::memmove(rows + to + 1, rows + to, sizeof(T) * static_cast<std::size_t>(from - to));
    }
    rows[to] = entering;
  }

  T quantile(const RankRule& rule) const {
    const auto many = static_cast<std::int64_t>(ordered_.size());
    if (many < rule.min_count) return static_cast<T>(kNaN);
    const T lower = ordered_[static_cast<std::size_t>(rule.low(many))];
    if (rule.low(many) == rule.high(many)) return lower + T{0};
    return rule.between(lower, ordered_[static_cast<std::size_t>(rule.high(many))], many);
  }

 private:
  // Of the first row that is not below the value, without a branch that cannot be foretold.
  std::ptrdiff_t place(T value) const {
    const T* first = ordered_.data();
    std::size_t many = ordered_.size();
    while (many > 1) {
      const std::size_t half = many / 2;
      first += first[half - 1] < value ? half : 0;
      many -= half;
    }
    return first - ordered_.data() + (many == 1 && *first < value);
  }

  std::vector<T> ordered_;
};

}  // namespace flyball
