// The rows of a series in order of their value, and which of them are in a window.
//
// Rows are spread over about as many places as there are rows, in proportion to their value, and put right
// among neighbours; where values crowd, which that would make slow, by the digits of their bits.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "wide.hpp"

namespace flyball {

template <typename T>
class Ranks {
 public:
  // Missing rows have no rank: this one is beyond all.
  std::uint32_t missing_rank() const { return static_cast<std::uint32_t>(rows_.size()); }
  std::uint32_t of(std::int64_t row) const { return rank_[static_cast<std::size_t>(row)]; }
  const std::uint32_t* ranks() const { return rank_.data(); }
  T value(std::size_t rank) const { return values_[rows_[rank]]; }
  std::size_t size() const { return rows_.size(); }

  void sort(const T* values, std::int64_t length) {
    values_ = values;
    const auto many = static_cast<std::uint32_t>(length);
    if (!spread(many)) sort_by_digits(many);
    rank_.assign(many, missing_rank());
    for (std::size_t r = 0; r < rows_.size(); ++r) rank_[rows_[r]] = static_cast<std::uint32_t>(r);
  }

 private:
  // Two values that most lie between, from a sample in order.
  struct Span {
    T low, scale;
  };
  Span span(std::uint32_t many, T places) {
    sample_.clear();
    const std::uint32_t step = std::max(1U, many / 256);
    for (std::uint32_t i = step / 2; i < many; i += step) {
      if (std::isfinite(values_[i])) sample_.push_back(values_[i]);
    }
    if (sample_.size() < 4) return {0, 0};
    std::sort(sample_.begin(), sample_.end());
    const std::size_t edge = sample_.size() / 64;
    const T low = sample_[edge], high = sample_[sample_.size() - 1 - edge];
    return {low, places / (high - low)};
  }

  bool spread(std::uint32_t many) {
    const std::uint32_t places = many;
    const auto [low, scale] = span(many, static_cast<T>(places));
    if (!(scale > 0) || !std::isfinite(scale) || !std::isfinite(scale * low)) return false;
    place_.resize(many);
    const T top = static_cast<T>(places - 1);
    for (std::uint32_t i = 0; i < many; ++i) {
      const T value = values_[i];
      T at = (value - low) * scale;
      at = at < 0 ? 0 : at;
      at = at > top ? top : at;
      place_[i] = static_cast<std::int32_t>(value == value ? at : top + 1);
    }
    starts_.assign(places + 2, 0);
    for (std::uint32_t i = 0; i < many; ++i) ++starts_[static_cast<std::uint32_t>(place_[i]) + 1];
    for (std::uint32_t p = 1; p <= places; ++p) starts_[p] += starts_[p - 1];
    rows_.resize(many);
    for (std::uint32_t i = 0; i < many; ++i) rows_[starts_[static_cast<std::uint32_t>(place_[i])]++] = i;
    // The rows past all places are the missing ones: the start of their place has not moved by the others.
    rows_.resize(starts_[places - 1]);
    // The two outermost places hold all that lies beyond the sample.
    const auto below = [this](std::uint32_t a, std::uint32_t b) { return values_[a] < values_[b]; };
    std::sort(rows_.begin(), rows_.begin() + starts_[0], below);
    std::sort(rows_.begin() + starts_[places - 2], rows_.end(), below);
    return settle(many);
  }

  // Neighbours into order; false where that takes too many moves.
  bool settle(std::uint32_t many) {
    std::int64_t moves = 8 * static_cast<std::int64_t>(many);
    for (std::size_t r = 1; r < rows_.size(); ++r) {
      const std::uint32_t row = rows_[r];
      const T value = values_[row];
      if (!(value < values_[rows_[r - 1]])) continue;
      std::size_t to = r;
      do {
        rows_[to] = rows_[to - 1];
        --to;
      } while (to > 0 && value < values_[rows_[to - 1]]);
      rows_[to] = row;
      moves -= static_cast<std::int64_t>(r - to);
      if (moves < 0) return false;
    }
    return true;
  }

  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  struct Item {
    Bits key;
    std::uint32_t row;
  };

  // Unsigned integers in the order of the values.
  static Bits key(T value) {
    const auto bits = std::bit_cast<Bits>(value);
    constexpr Bits sign = Bits{1} << (8 * sizeof(T) - 1);
    return bits ^ ((bits & sign) ? ~Bits{0} : sign);
  }

  void sort_by_digits(std::uint32_t many) {
    items_.clear();
    for (std::uint32_t i = 0; i < many; ++i) {
      if (values_[i] == values_[i]) items_.push_back({key(values_[i]), i});
    }
    if (items_.size() < 256) {
      std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.key < b.key; });
    } else {
      by_digits();
    }
    rows_.resize(items_.size());
    for (std::size_t r = 0; r < items_.size(); ++r) rows_[r] = items_[r].row;
  }

  void by_digits() {
    std::uint32_t starts[sizeof(T)][256] = {};
    for (const Item& item : items_) {
      for (std::size_t d = 0; d < sizeof(T); ++d) ++starts[d][(item.key >> (8 * d)) & 255];
    }
    spare_.resize(items_.size());
    for (std::size_t d = 0; d < sizeof(T); ++d) {
      std::uint32_t* start = starts[d];
      // A digit that all share sorts nothing.
      if (start[(items_[0].key >> (8 * d)) & 255] == items_.size()) continue;
      std::uint32_t at = 0;
      for (int v = 0; v < 256; ++v) {
        const std::uint32_t here = start[v];
        start[v] = at;
        at += here;
      }
      for (const Item& item : items_) spare_[start[(item.key >> (8 * d)) & 255]++] = item;
      items_.swap(spare_);
    }
  }

  const T* values_ = nullptr;
  std::vector<T> sample_;
  std::vector<std::int32_t> place_;
  std::vector<std::uint32_t> starts_, rows_, rank_;
  std::vector<Item> items_, spare_;
};

// A mark for every rank that is in the window, and a finger on the word of 64 marks that holds the rank asked
// for.
class Marked {
 public:
  Marked(std::uint64_t* words, std::size_t missing) : words_(words), missing_(missing) {}

  // A missing row's rank lies beyond all: its mark is never looked at.
  FLYBALL_INLINE void enter(std::uint32_t rank) {
    words_[rank / 64] |= std::uint64_t{1} << (rank % 64);
    before_ += rank / 64 < word_;
    count_ += rank != missing_;
  }
  FLYBALL_INLINE void leave(std::uint32_t rank) {
    words_[rank / 64] &= ~(std::uint64_t{1} << (rank % 64));
    before_ -= rank / 64 < word_;
    count_ -= rank != missing_;
  }
  std::int64_t count() const { return count_; }

  // The rank that has `nth` marks below it; there are more than `nth`.
  FLYBALL_INLINE std::size_t find(std::int64_t nth) {
    while (nth < before_) before_ -= std::popcount(words_[--word_]);
    for (int here; nth >= before_ + (here = std::popcount(words_[word_])); ++word_) before_ += here;
    return word_ * 64 + nth_bit(words_[word_], static_cast<int>(nth - before_));
  }
  // The next mark after one that was found.
  FLYBALL_INLINE std::size_t after(std::size_t rank) const {
    std::size_t word = (rank + 1) / 64;
    std::uint64_t bits = words_[word] & (~std::uint64_t{0} << ((rank + 1) % 64));
    while (bits == 0) bits = words_[++word];
    return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  }

 private:
  static std::size_t nth_bit(std::uint64_t bits, int nth) {
#if defined(__BMI2__)
    return static_cast<std::size_t>(std::countr_zero(_pdep_u64(std::uint64_t{1} << nth, bits)));
#else
    for (; nth > 0; --nth) bits &= bits - 1;
    return static_cast<std::size_t>(std::countr_zero(bits));
#endif
  }

  std::uint64_t* words_;
  std::size_t word_ = 0, missing_;
  std::int64_t before_ = 0, count_ = 0;
};

// Room for the marks.
class Words {
 public:
  Marked cleared(std::size_t ranks) {
    words_.assign(ranks / 64 + 2, 0);
    return {words_.data(), ranks};
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace flyball
