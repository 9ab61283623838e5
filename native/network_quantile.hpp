// Quantile of every window of many series by networks: each lane of a register takes a piece of a series.
#pragma once

#include "lane_quantile.hpp"

namespace flyball {

// Series of one length: `channels` of them, rows `row_step` apart and channels `channel_step` apart.
template <typename T>
struct Channels {
  const T* values;
  std::int64_t rows, channels, row_step, channel_step;
};

// Rows [from, rows) of every channel into `out`, laid out like the series without the first `from` rows. What
// it computes in is kept from one call to the next.
template <typename T>
class NetworkQuantile {
  static constexpr int W = kWide<T>;
  using V = Wide<T>;

 public:
  explicit NetworkQuantile(const RankRule& rule) : rule_(rule), lanes_(rule) {}

  void operator()(const Channels<T>& series, std::int64_t from, T* out) {
    series_ = series;
    from_ = from;
    out_ = out;
    cut();
    lanes_.prepare(group_, length_);
    if (series_.row_step == 1) {
      pieces();
    } else {
      columns();
    }
  }

 private:
  // Into pieces of `length_` windows, in whole groups.
  void cut() {
    const std::int64_t window = rule_.window, asked = series_.rows - from_;
    const std::int64_t lanes = series_.row_step == 1 ? (W + series_.channels - 1) / series_.channels : 1;
    const std::int64_t each = (asked + lanes - 1) / lanes;
    std::int64_t group = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(window)));
    while (group > 1 && group >= 2 * each) group /= 2;
    const std::int64_t wanted = std::min(each, std::max<std::int64_t>(512, 2 * window));
    group_ = group;
    length_ = (wanted + group - 1) / group * group;
  }

  struct Piece {
    const T* rows;  // the first row of the first window, which may lie before the series
    std::int64_t head, many;  // rows of it before the series, windows
    T* out;
  };

  void pieces() {
    Piece piece[W];
    int filled = 0;
    const std::int64_t before = rule_.window - 1, asked = series_.rows - from_;
    for (std::int64_t c = 0; c < series_.channels; ++c) {
      for (std::int64_t start = from_; start < series_.rows; start += length_) {
        piece[filled] = {series_.values + c * series_.channel_step + start - before, before - start,
                         std::min(length_, series_.rows - start), out_ + c * asked + start - from_};
        if (++filled == W) {
          together(piece, W);
          filled = 0;
        }
      }
    }
    if (filled) together(piece, filled);
  }

  void together(Piece* piece, int filled) {
    for (int lane = filled; lane < W; ++lane) piece[lane] = piece[0];
    std::int64_t longest = 0;
    for (int lane = 0; lane < W; ++lane) longest = std::max(longest, piece[lane].many);
    const std::int64_t many = (longest + group_ - 1) / group_ * group_;
    fill(lanes_.rows(), piece, many + rule_.window - 1);
    lanes_.run(many);
    give(lanes_.made(), piece, filled);
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
      for (int lane = 0; lane < filled; ++lane) {
        std::memcpy(piece[lane].out + row, made + row + lane, sizeof(V));
      }
    }
    for (int lane = 0; lane < filled; ++lane) {
      for (std::int64_t i = row; i < piece[lane].many; ++i) piece[lane].out[i] = made[i][lane];
    }
  }

  // Neighbouring channels lie side by side as the lanes do. A few registers' worth are taken at a time, so
  // that a row's bytes are fetched together.
  static constexpr std::int64_t kSide = 4;

  void columns() {
    const std::int64_t before = rule_.window - 1;
    side_.resize(static_cast<std::size_t>(kSide * (length_ + before)));
    for (std::int64_t c = 0; c < series_.channels; c += kSide * W) {
      const std::int64_t wide = std::min(kSide * W, series_.channels - c);
      for (std::int64_t start = from_; start < series_.rows; start += length_) {
        const std::int64_t asked = std::min(length_, series_.rows - start);
        const std::int64_t many = (asked + group_ - 1) / group_ * group_;
        gather(side_.data(), c, wide, start - before, many + before);
        for (std::int64_t at = 0; at * W < wide; ++at) {
          V* one = side_.data() + at;
          for (std::int64_t i = 0; i < many + before; ++i) lanes_.rows()[i] = one[i * kSide];
          lanes_.run(many);
          // What was made lies where the rows lay: they are not needed again.
          for (std::int64_t i = 0; i < asked; ++i) one[i * kSide] = lanes_.made()[i];
        }
        T* out = out_ + (start - from_) * series_.channels + c;
        const auto bytes = sizeof(T) * static_cast<std::size_t>(wide);
        for (std::int64_t i = 0; i < asked; ++i) {
          std::memcpy(out + i * series_.channels, side_.data() + i * kSide, bytes);
        }
      }
    }
  }

  void gather(V* side, std::int64_t channel, std::int64_t wide, std::int64_t first, std::int64_t many) const {
    const auto bytes = sizeof(T) * static_cast<std::size_t>(wide);
    for (std::int64_t i = 0; i < many; ++i) {
      const std::int64_t row = first + i;
      V* to = side + i * kSide;
      if (row < 0 || row >= series_.rows || wide < kSide * W) {
        for (int k = 0; k < kSide; ++k) to[k] = V{} + (row < 0 ? static_cast<T>(kNaN) : T{0});
      }
      if (row < 0 || row >= series_.rows) continue;
      std::memcpy(to, series_.values + row * series_.row_step + channel, bytes);
    }
  }

  RankRule rule_;
  LaneQuantile<T> lanes_;
  Channels<T> series_{};
  std::int64_t from_ = 0;
  T* out_ = nullptr;
  std::int64_t group_ = 1, length_ = 1;
  std::vector<V> side_;
};

}  // namespace flyball
