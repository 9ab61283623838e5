// Quantiles of a moving window over rows that come in chunks. Any chunks give the same bits.
#pragma once

#include <cstddef>
#include <mutex>

#include "moving_quantile.hpp"
#include "sorted_window.hpp"

namespace flyball {

// Rows of `channels` values side by side. The last window of them is kept, with room behind for the next chunk,
// and so is everything that is computed in: a chunk as long as one before allocates nothing.
template <typename T>
class QuantileStream {
 public:
  QuantileStream(const RankRule& rule, std::int64_t channels, const T* rows, std::int64_t many)
      : rule_(rule), channels_(channels), known_(many), rows_(rows, rows + many * channels) {}

  std::int64_t channels() const { return channels_; }

  // `many` rows, whose values lie the given numbers of bytes apart, into as many rows of `out`.
  void push(const T* rows, std::int64_t many, std::ptrdiff_t row_bytes, std::ptrdiff_t channel_bytes, T* out) {
    if (many == 0) return;
    const std::scoped_lock alone(busy_);
    T* const chunk = room_for(many);
    if (channel_bytes == sizeof(T) && row_bytes == channels_ * channel_bytes) {
      std::memcpy(chunk, rows, sizeof(T) * static_cast<std::size_t>(many * channels_));
    } else {
      gather(rows, many, row_bytes, channel_bytes, chunk);
    }
    if (many <= few()) {
      row_by_row(chunk, many, out);
    } else {
      at_once(many, out);
    }
    const std::int64_t kept = std::min(known_ + many, rule_.window);
    first_ += known_ + many - kept;
    known_ = kept;
  }

  // The last window - 1 rows, from which another stream goes on.
  std::vector<T> state() {
    const std::scoped_lock alone(busy_);
    const std::int64_t gone = known_ == rule_.window;
    return {first() + gone * channels_, first() + known_ * channels_};
  }

 private:
  // Chunks of up to this many rows are cheaper row by row: measured. At once, networks sort about as many rows as
  // the window has, however short the chunk, though of all lanes together.
  std::int64_t few() const {
    const std::int64_t lanes = rule_.window <= kNetworkRows<T> ? std::min<std::int64_t>(channels_, kWide<T>) : 1;
    return std::max<std::int64_t>(1, std::min<std::int64_t>(16 + rule_.window / 16, 128) / lanes);
  }

  T* first() { return rows_.data() + first_ * channels_; }

  // Behind the rows that are kept. These move to the front only where the room is at its end, so that short
  // chunks of a long window do not move it each time.
  T* room_for(std::int64_t many) {
    const std::int64_t needed = known_ + many;
    if (static_cast<std::int64_t>(rows_.size()) < (first_ + needed) * channels_) {
      std::copy(first(), first() + known_ * channels_, rows_.data());
      first_ = 0;
      const auto room = static_cast<std::size_t>((needed + known_) * channels_);
      if (rows_.size() < room) rows_.resize(room);
    }
    return first() + known_ * channels_;
  }

  void gather(const T* rows, std::int64_t many, std::ptrdiff_t row_bytes, std::ptrdiff_t channel_bytes,
              T* chunk) const {
    const auto* bytes = reinterpret_cast<const std::byte*>(rows);
    for (std::int64_t row = 0; row < many; ++row) {
      for (std::int64_t c = 0; c < channels_; ++c) {
        std::memcpy(chunk++, bytes + row * row_bytes + c * channel_bytes, sizeof(T));
      }
    }
  }

  void row_by_row(const T* chunk, std::int64_t many, T* out) {
    if (sorted_.empty()) {
      sorted_.resize(static_cast<std::size_t>(channels_));
      for (std::int64_t c = 0; c < channels_; ++c) {
        sorted_[static_cast<std::size_t>(c)].fill(first() + c, channels_, known_);
      }
    }
    for (std::int64_t c = 0; c < channels_; ++c) {
      SortedWindow<T>& window = sorted_[static_cast<std::size_t>(c)];
      for (std::int64_t row = 0; row < many; ++row) {
        const T* entering = chunk + row * channels_ + c;
        if (known_ + row < rule_.window) {
          window.enter(*entering);
        } else {
          window.turn(entering[-rule_.window * channels_], *entering);
        }
        out[row * channels_ + c] = window.quantile(rule_);
      }
    }
  }

  void at_once(std::int64_t many, T* out) {
    sorted_.clear();
    const std::int64_t rows = known_ + many;
    const Channels<T> series{first(), rows, channels_, channels_, 1};
    if (rows >= rule_.window) {
      if (!engine_) engine_.emplace(rule_);
      return (*engine_)(series, known_, out);
    }
    // No window holds more than all rows.
    RankRule whole = rule_;
    whole.window = rows;
    if (rows < rule_.min_count) {
      std::fill(out, out + many * channels_, static_cast<T>(kNaN));
    } else {
      MovingQuantile<T>{whole}(series, known_, out);
    }
  }

  const RankRule rule_;
  const std::int64_t channels_;
  std::int64_t first_ = 0, known_ = 0;  // the rows kept: where they begin, how many
  std::vector<T> rows_;
  std::optional<MovingQuantile<T>> engine_;
  std::vector<SortedWindow<T>> sorted_;  // none while chunks are long
  std::mutex busy_;
};

}  // namespace flyball
