// Quantile of every window of a fixed number of rows, missing values skipped: short windows by networks of
// comparisons, long ones by ranks. Both give the same bits.
#pragma once

#include <optional>

#include "network_quantile.hpp"
#include "ranked_quantile.hpp"

namespace flyball {

// Up to this many rows, networks are faster: their cost grows with the window, that of ranks does not.
template <typename T>
constexpr std::int64_t kNetworkRows = 512 * kWide<T>;

// Keeps what it computes in from one call to the next.
template <typename T>
class MovingQuantile {
 public:
  explicit MovingQuantile(const RankRule& rule) : rule_(rule), ranked_(rule) {
    if (rule.window <= kNetworkRows<T>) network_.emplace(rule);
  }

  // Rows [from, rows) of every channel into `out`: channel after channel where the rows of a channel lie side
  // by side, else row after row. One of the steps is 1.
  void operator()(const Channels<T>& series, std::int64_t from, T* out) {
    const std::int64_t asked = series.rows - from;
    if (asked <= 0 || series.channels == 0) return;
    if (network_) return (*network_)(series, from, out);
    for (std::int64_t c = 0; c < series.channels; ++c) {
      const T* values = series.values + c * series.channel_step;
      if (series.row_step == 1) {
        ranked_(values, series.rows, from, out + c * asked, 1);
        continue;
      }
      gathered_.resize(static_cast<std::size_t>(series.rows));
      for (std::int64_t row = 0; row < series.rows; ++row) {
        gathered_[static_cast<std::size_t>(row)] = values[row * series.row_step];
      }
      ranked_(gathered_.data(), series.rows, from, out + c, series.channels);
    }
  }

  const RankRule& rule() const { return rule_; }

 private:
  RankRule rule_;
  std::optional<NetworkQuantile<T>> network_;
  RankedQuantile<T> ranked_;
  std::vector<T> gathered_;
};

}  // namespace flyball
