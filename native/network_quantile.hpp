// Quantile of every window of a fixed number of rows by networks: each lane takes a piece of a series.
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
  LaneQuantile(const RankRule& rule, std::int64_t group, std::int64_t most)
      : rule_(rule), full_(rule.band(0)), gappy_(rule.band(rule.window - rule.min_count)), group_(group) {
    descent_.prepare(rule.window, group);
    rows_.resize(static_cast<std::size_t>(most + rule.window - 1));
    made_.resize(static_cast<std::size_t>(most));
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
      descent_.template group<Ranks>(rows_.data() + from, full_.first, [&](std::int64_t window, const V* ranks) {
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
      descent_.template group<Ranks>(rows_.data() + from, gappy_.first, [&](std::int64_t window, const V* ranks) {
        const std::int64_t first = from + window;
        const Counts before = counts_[at(first)], after = counts_[at(first + rule_.window)];
        made[first] = rule_.median ? median_of<Ranks>(ranks, before, after)
                                   : quantile_of<Ranks>(ranks, before, after);
      });
    }
  }

  template <int Ranks>
  FLYBALL_INLINE V median_of(const V* ranks, Counts before, Counts after) const {
    using Whole = std::remove_reference_t<decltype(before[0])>;
    const Counts many = (before - after) + static_cast<Whole>(rule_.window);
    const Counts below = ((after + 1) >> 1) - ((before + 1) >> 1) - static_cast<Whole>(gappy_.first);
    const Counts low = below + ((many - 1) >> 1), high = below + (many >> 1);
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
      out[lane] = rule_.between(ranks[first + rule_.low(many)][lane], ranks[first + rule_.high(many)][lane], many);
    }
    return out;
  }

  RankRule rule_;
  RankRule::Band full_, gappy_;
  std::int64_t group_;
  Descent<T> descent_;
  std::vector<V> rows_, made_;
  std::vector<Counts> counts_;
};

// Series of one length: `channels` of them, rows `row_step` apart and channels `channel_step` apart.
template <typename T>
struct Channels {
  const T* values;
  std::int64_t rows, channels, row_step, channel_step;
};

// Rows [from, rows) of every channel into `out`, laid out like the series without the first `from` rows.
template <typename T>
class NetworkQuantile {
  static constexpr int W = kWide<T>;
  using V = Wide<T>;

 public:
  NetworkQuantile(const RankRule& rule, const Channels<T>& series, std::int64_t from, T* out)
      : rule_(rule), series_(series), from_(from), out_(out) {
    const std::int64_t window = rule.window, asked = series.rows - from;
    const std::int64_t lanes = series.row_step == 1 ? (W + series.channels - 1) / series.channels : 1;
    const std::int64_t each = (asked + lanes - 1) / lanes;
    std::int64_t group = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(window)));
    while (group > 1 && group >= 2 * each) group /= 2;
    const std::int64_t wanted = std::min(each, std::max<std::int64_t>(512, 4 * window));
    group_ = group;
    length_ = (wanted + group - 1) / group * group;
  }

  void run() {
    LaneQuantile<T> lanes(rule_, group_, length_);
    if (series_.row_step == 1) {
      pieces(lanes);
    } else {
      columns(lanes);
    }
  }

 private:
  struct Piece {
    const T* rows;  // the first row of the first window, which may lie before the series
    std::int64_t head, many;  // rows of it before the series, windows
    T* out;
  };

  void pieces(LaneQuantile<T>& lanes) {
    Piece piece[W];
    int filled = 0;
    const std::int64_t before = rule_.window - 1, asked = series_.rows - from_;
    for (std::int64_t c = 0; c < series_.channels; ++c) {
      for (std::int64_t start = from_; start < series_.rows; start += length_) {
        piece[filled] = {series_.values + c * series_.channel_step + start - before, before - start,
                         std::min(length_, series_.rows - start), out_ + c * asked + start - from_};
        if (++filled == W) {
          together(lanes, piece, W);
          filled = 0;
        }
      }
    }
    if (filled) together(lanes, piece, filled);
  }

  void together(LaneQuantile<T>& lanes, Piece* piece, int filled) {
    for (int lane = filled; lane < W; ++lane) piece[lane] = piece[0];
    std::int64_t longest = 0;
    for (int lane = 0; lane < W; ++lane) longest = std::max(longest, piece[lane].many);
    const std::int64_t many = (longest + group_ - 1) / group_ * group_;
    fill(lanes.rows(), piece, many + rule_.window - 1);
    lanes.run(many);
    give(lanes.made(), piece, filled);
  }

  void fill(V* rows, const Piece* piece, std::int64_t many) {
    std::int64_t head = 0, tail = many;
    for (int lane = 0; lane < W; ++lane) {
      head = std::max(head, piece[lane].head);
      tail = std::min(tail, piece[lane].many + rule_.window - 1);
    }
    std::int64_t row = 0;
    for (; row < std::min(head, many); ++row) rows[row] = one(piece, row);
    for (; row + W <= tail; row += W) {
      for (int lane = 0; lane < W; ++lane) std::memcpy(rows + row + lane, piece[lane].rows + row, sizeof(V));
      transpose<T>(rows + row);
    }
    for (; row < many; ++row) rows[row] = one(piece, row);
  }

  // Before the series all is missing; past its last row anything will do.
  V one(const Piece* piece, std::int64_t row) const {
    V made{};
    for (int lane = 0; lane < W; ++lane) {
      if (row < piece[lane].head) {
        made[lane] = static_cast<T>(kNaN);
      } else if (row < piece[lane].many + rule_.window - 1) {
        made[lane] = piece[lane].rows[row];
      }
    }
    return made;
  }

  void give(V* made, const Piece* piece, int filled) {
    std::int64_t whole = length_;
    for (int lane = 0; lane < filled; ++lane) whole = std::min(whole, piece[lane].many);
    std::int64_t row = 0;
    for (; row + W <= whole; row += W) {
      transpose<T>(made + row);
      for (int lane = 0; lane < filled; ++lane) std::memcpy(piece[lane].out + row, made + row + lane, sizeof(V));
    }
    for (int lane = 0; lane < filled; ++lane) {
      for (std::int64_t i = row; i < piece[lane].many; ++i) piece[lane].out[i] = made[i][lane];
    }
  }

  // Neighbouring channels lie side by side as the lanes do.
  void columns(LaneQuantile<T>& lanes) {
    const std::int64_t before = rule_.window - 1;
    for (std::int64_t c = 0; c < series_.channels; c += W) {
      const auto bytes = sizeof(T) * static_cast<std::size_t>(std::min<std::int64_t>(W, series_.channels - c));
      for (std::int64_t start = from_; start < series_.rows; start += length_) {
        const std::int64_t asked = std::min(length_, series_.rows - start);
        const std::int64_t many = (asked + group_ - 1) / group_ * group_;
        V* rows = lanes.rows();
        for (std::int64_t i = 0; i < many + before; ++i) {
          const std::int64_t row = start - before + i;
          rows[i] = V{} + (row < 0 ? static_cast<T>(kNaN) : T{0});
          if (row < 0 || row >= series_.rows) continue;
          std::memcpy(rows + i, series_.values + row * series_.row_step + c, bytes);
        }
        lanes.run(many);
        for (std::int64_t i = 0; i < asked; ++i) {
          std::memcpy(out_ + (start - from_ + i) * series_.channels + c, lanes.made() + i, bytes);
        }
      }
    }
  }

  RankRule rule_;
  Channels<T> series_;
  std::int64_t from_;
  T* out_;
  std::int64_t group_, length_;
};

}  // namespace flyball
