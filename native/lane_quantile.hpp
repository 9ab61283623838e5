// Quantile of every window of the series that lie side by side in the lanes of a register.
#pragma once

#include <vector>

#include "descent.hpp"
#include "rank_rule.hpp"

namespace flyball {

// The windows of W pieces at once, whose rows lie side by side in `rows()`.
template <typename T>
class LaneQuantile {
  using V = Wide<T>;
  using Counts = WideCounts<T>;

 public:
  explicit LaneQuantile(const RankRule& rule)
      : rule_(rule), full_(rule.band(0)), gappy_(rule.band(rule.window - rule.min_count)) {}

  // For up to `most` windows, in groups of `group`.
  void prepare(std::int64_t group, std::int64_t most) {
    if (group != group_) descent_.prepare(rule_.window, group);
    group_ = group;
    if (at(most) <= made_.size()) return;
    rows_.resize(at(most + rule_.window - 1));
    made_.resize(at(most));
  }
  V* rows() { return rows_.data(); }
  V* made() { return made_.data(); }

  // Makes `many` windows, a whole number of groups, of many + window - 1 rows.
  void run(std::int64_t many) {
    const std::int64_t rows = many + rule_.window - 1;
    Counts gap{};
    for (std::int64_t i = 0; i < rows; ++i) gap |= rows_[at(i)] != rows_[at(i)];
    bool gaps = false;
    for (int lane = 0; lane < kWide<T>; ++lane) gaps |= gap[lane] != 0;
    if (gaps) {
      stand_in(rows);
      with_ranks(gappy_.many, [&](auto ranks) { gappy<ranks()>(many); });
    } else {
      with_ranks(full_.many, [&](auto ranks) { full<ranks()>(many); });
    }
  }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

  template <typename Run>
  static void with_ranks(std::int64_t many, Run&& run) {
    switch (many) {
      case 1: return run(std::integral_constant<int, 1>{});
      case 2: return run(std::integral_constant<int, 2>{});
      case 3: return run(std::integral_constant<int, 3>{});
      case 4: return run(std::integral_constant<int, 4>{});
      default: return run(std::integral_constant<int, 5>{});
    }
  }

  template <int Ranks>
  void full(std::int64_t many) {
    V* made = made_.data();
    const std::int64_t all = rule_.window;
    const bool median = rule_.median;
    for (std::int64_t from = 0; from < many; from += group_) {
      const V* rows = rows_.data() + from;
      descent_.template group<Ranks>(rows, full_.first, [&](std::int64_t window, const V* ranks) {
        V& out = made[from + window];
        if constexpr (Ranks == 1) {
          out = ranks[0] + V{};
        } else {
          if (median) {
            out = middle_of(ranks[0], ranks[1]);
          } else {
            for (int lane = 0; lane < kWide<T>; ++lane) {
              out[lane] = rule_.between(ranks[0][lane], ranks[1][lane], all);
            }
          }
        }
      });
    }
  }

  // Each missing value becomes an infinity, of the kind that the rule says.
  void stand_in(std::int64_t rows) {
    counts_.resize(at(rows + 1));
    Counts count{};
    for (std::int64_t i = 0; i < rows; ++i) {
      V& row = rows_[at(i)];
      const Counts gone = row != row;
      counts_[at(i)] = count;
      if (rule_.median) {
        row = gone ? ((count & 1) != 0 ? V{} + kMost<T> : V{} - kMost<T>) : row;
        count -= gone;
        continue;
      }
      for (int lane = 0; lane < kWide<T>; ++lane) {
        if (!gone[lane]) continue;
        row[lane] = rule_.below(count[lane] + 1) > rule_.below(count[lane]) ? -kMost<T> : kMost<T>;
        ++count[lane];
      }
    }
    counts_[at(rows)] = count;
  }

  template <int Ranks>
  void gappy(std::int64_t many) {
    V* made = made_.data();
    for (std::int64_t from = 0; from < many; from += group_) {
      const V* rows = rows_.data() + from;
      descent_.template group<Ranks>(rows, gappy_.first, [&](std::int64_t window, const V* ranks) {
        const std::int64_t first = from + window;
        const Counts before = counts_[at(first)], after = counts_[at(first + rule_.window)];
        made[first] = rule_.median ? median_of<Ranks>(ranks, before, after)
                                   : quantile_of<Ranks>(ranks, before, after);
      });
    }
  }

  // Without a sign, for which there is no shift in many instruction sets.
  static Counts halved(Counts counts) {
    return reinterpret_cast<Counts>(reinterpret_cast<typename WideOf<T>::Unsigned>(counts) >> 1);
  }

  template <int Ranks>
  FLYBALL_INLINE V median_of(const V* ranks, Counts before, Counts after) const {
    using Whole = std::remove_reference_t<decltype(before[0])>;
    const Counts many = (before - after) + static_cast<Whole>(rule_.window);
    const Counts below = halved(after + 1) - halved(before + 1) - static_cast<Whole>(gappy_.first);
    const Counts low = below + halved(many + 1) - 1, high = below + halved(many);
    V lower = ranks[0], upper = ranks[0];
    for (int k = 1; k < Ranks; ++k) {
      lower = low >= static_cast<Whole>(k) ? ranks[k] : lower;
      upper = high >= static_cast<Whole>(k) ? ranks[k] : upper;
    }
    return many < static_cast<Whole>(rule_.min_count) ? V{} + static_cast<T>(kNaN) : middle_of(lower, upper);
  }

  template <int Ranks>
  V quantile_of(const V* ranks, Counts before, Counts after) const {
    V out;
    for (int lane = 0; lane < kWide<T>; ++lane) {
      const std::int64_t many = rule_.window + before[lane] - after[lane];
      out[lane] = static_cast<T>(kNaN);
      if (many < rule_.min_count) continue;
      const std::int64_t first = rule_.below(after[lane]) - rule_.below(before[lane]) - gappy_.first;
      const V &low = ranks[first + rule_.low(many)], &high = ranks[first + rule_.high(many)];
      out[lane] = rule_.between(low[lane], high[lane], many);
    }
    return out;
  }

  RankRule rule_;
  RankRule::Band full_, gappy_;
  std::int64_t group_ = 0;
  Descent<T> descent_;
  std::vector<V> rows_, made_;
  std::vector<Counts> counts_;
};

}  // namespace flyball
