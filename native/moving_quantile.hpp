// Quantile of every window of a fixed number of rows, missing values skipped: short windows by networks of
// comparisons, long ones by ranks. Both give the same bits.
#pragma once

#include "network_quantile.hpp"
#include "ranked_quantile.hpp"

namespace flyball {

// Up to this many rows, networks are faster: their cost grows with the window, that of ranks does not.
template <typename T>
constexpr std::int64_t kNetworkRows = 512 * kWide<T>;

// Rows [from, rows) of every channel into `out`: channel after channel where the rows of a channel lie side
// by side, else row after row. One of the steps is 1.
template <typename T>
void moving_quantile(const RankRule& rule, const Channels<T>& series, std::int64_t from, T* out) {
  const std::int64_t asked = series.rows - from;
  if (asked <= 0 || series.channels == 0) return;
  if (rule.window <= kNetworkRows<T>) return NetworkQuantile<T>(rule, series, from, out).run();
  RankedQuantile<T> ranked(rule);
  std::vector<T> gathered;
  for (std::int64_t c = 0; c < series.channels; ++c) {
    const T* values = series.values + c * series.channel_step;
    if (series.row_step == 1) {
      ranked(values, series.rows, from, out + c * asked, 1);
      continue;
    }
    gathered.resize(static_cast<std::size_t>(series.rows));
    for (std::int64_t row = 0; row < series.rows; ++row) {
      gathered[static_cast<std::size_t>(row)] = values[row * series.row_step];
    }
    ranked(gathered.data(), series.rows, from, out + c, series.channels);
  }
}

}  // namespace flyball
