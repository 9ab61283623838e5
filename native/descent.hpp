// The middle ranks of every window of a group, by narrowing what neighbouring windows share.
//
// The windows of a group of n neighbours share a core of w - n + 1 rows, and differ in n - 1 more: whatever
// those are, only a few middle ranks of the core can be ranks that are asked for. So the core is sorted once
// and cut to these; each half of the group adds the n / 2 rows that its windows share beyond the core,
// sorted, and is cut again, down to single windows. A window costs O(log(w)^2) comparisons without a branch,
// of all lanes at once. (The idea of sharing sorted parts between windows, for images: A. Adams, "Fast median
// filters using separable sorting networks", ACM Trans. Graph. 40, 2021.)
#pragma once

#include <bit>
#include <vector>

#include "networks.hpp"

namespace flyball {

// x into the sorted rows, which become one more.
template <typename V>
FLYBALL_INLINE void insert(V x, V* rows, std::int64_t many) {
  rows[many] = greater(x, rows[many - 1]);
  for (std::int64_t i = many - 1; i > 0; --i) rows[i] = held(x, rows[i - 1], rows[i]);
  rows[0] = lesser(x, rows[0]);
}

// `core` holds Ranks + 2 half - 1 rows in order and `more` half of them: without the `half` lowest and the
// `half` highest of all, Ranks + half - 1 remain, in order, in `kept`.
//
// Crossing `more` with the lowest of the core leaves their greater half, crossing that with the highest its
// lesser half; what was taken from the core in the first step is never too high in the second.
template <int Ranks, int Half, typename V>
FLYBALL_INLINE void narrow_held(const V* core, const V* more, V* kept) {
  if constexpr (Half == 1) {
    FLYBALL_UNROLLED for (int i = 0; i < Ranks; ++i) kept[i] = held(more[0], core[i], core[i + 1]);
  } else {
    const V* high = core + Ranks + Half - 1;
    FLYBALL_UNROLLED for (int i = 0; i < Half; ++i) kept[i] = held(more[Half - 1 - i], core[i], high[i]);
    clean_held<Half>(kept);
    FLYBALL_UNROLLED for (int i = 0; i < Ranks - 1; ++i) insert(core[Half + i], kept, Half + i);
  }
}

template <int Ranks, typename V>
inline void narrow(const V* core, const V* more, V* kept, std::int64_t half) {
  if (half == 8) {
    V eight[8];
    FLYBALL_UNROLLED for (int i = 0; i < 8; ++i) eight[i] = held(more[7 - i], core[i], core[Ranks + 7 + i]);
    clean_held<8>(eight);
    FLYBALL_UNROLLED for (int i = 0; i < 8; ++i) kept[i] = eight[i];
  } else {
    const std::int64_t quarter = half / 4;
    const V* high = core + Ranks + half - 1;
    for (std::int64_t i = 0; i < quarter; ++i) {
      V four[4];
      FLYBALL_UNROLLED for (int k = 0; k < 4; ++k) {
        const std::int64_t at = i + k * quarter;
        four[k] = held(more[half - 1 - at], core[at], high[at]);
      }
      clean_held<4>(four);
      FLYBALL_UNROLLED for (int k = 0; k < 4; ++k) kept[i + k * quarter] = four[k];
    }
    clean_parts(kept, half, quarter);
  }
  FLYBALL_UNROLLED for (int i = 0; i < Ranks - 1; ++i) insert(core[half + i], kept, half + i);
}

// Blocks of rows in order, of every length 1, 2, 4 ... that divides the place where they start.
template <typename V>
class Blocks {
 public:
  void reserve(std::int64_t group) {
    group_ = group;
    const auto levels = static_cast<std::size_t>(std::countr_zero(static_cast<std::uint64_t>(group)));
    room_.resize(levels * static_cast<std::size_t>(group));
  }
  void over(const V* rows) { rows_ = rows; }
  const V* of(std::int64_t length, std::int64_t at) const {
    return length == 1 ? rows_ + at : room(length) + at;
  }

  // All blocks of up to `many` rows within [at, at + many).
  void sort(std::int64_t at, std::int64_t many) {
    if (many >= 8) {
      for (std::int64_t i = at; i < at + many; i += 8) sort_eight(i);
    } else {
      if (many >= 2) {
        for (std::int64_t i = at; i < at + many; i += 2) sort_two(i);
      }
      if (many == 4) sort_four(at);
    }
    for (std::int64_t length = 16; length <= many; length *= 2) {
      for (std::int64_t i = at; i < at + many; i += length) {
        merge(of(length / 2, i), room(length) + i, length);
      }
    }
  }

 private:
  V* room(std::int64_t length) const {
    return const_cast<V*>(room_.data()) + (std::countr_zero(static_cast<std::uint64_t>(length)) - 1) * group_;
  }
  void sort_two(std::int64_t at) {
    V a = rows_[at], b = rows_[at + 1];
    order(a, b);
    room(2)[at] = a;
    room(2)[at + 1] = b;
  }
  void sort_four(std::int64_t at) {
    V four[4];
    FLYBALL_UNROLLED for (int i = 0; i < 4; ++i) four[i] = room(2)[at + i];
    merge_held<4>(four);
    FLYBALL_UNROLLED for (int i = 0; i < 4; ++i) room(4)[at + i] = four[i];
  }
  void sort_eight(std::int64_t at) {
    V eight[8];
    FLYBALL_UNROLLED for (int i = 0; i < 8; ++i) eight[i] = rows_[at + i];
    FLYBALL_UNROLLED for (int i = 0; i < 8; i += 2) merge_held<2>(eight + i);
    FLYBALL_UNROLLED for (int i = 0; i < 8; ++i) room(2)[at + i] = eight[i];
    FLYBALL_UNROLLED for (int i = 0; i < 8; i += 4) merge_held<4>(eight + i);
    FLYBALL_UNROLLED for (int i = 0; i < 8; ++i) room(4)[at + i] = eight[i];
    merge_held<8>(eight);
    FLYBALL_UNROLLED for (int i = 0; i < 8; ++i) room(8)[at + i] = eight[i];
  }

  const V* rows_ = nullptr;
  std::int64_t group_ = 0;
  std::vector<V> room_;
};

// Calls emit(window, ranks) for every window of a group, with `Ranks` registers in order.
template <typename T>
class Descent {
  using V = Wide<T>;

 public:
  // Windows of `window` rows in groups of `group` neighbours, a power of two not above the window.
  void prepare(std::int64_t window, std::int64_t group) {
    window_ = window;
    group_ = group;
    left_.reserve(group);
    right_.reserve(group);
    const std::int64_t core = window - group + 1;
    core_.assign(static_cast<std::size_t>(core + 2 * (group + kMostRanks)), V{} - kMost<T>);
    for (std::size_t i = core_.size() / 2; i < core_.size(); ++i) core_[i] = V{} + kMost<T>;
    lists_.resize(static_cast<std::size_t>(group + kMostRanks * 64));
  }

  // The window that starts at `rows` and those that start at the next group - 1 rows. `first` is the rank
  // of the lowest of the `Ranks` asked for; ranks outside a window come as infinities.
  template <int Ranks, typename Emit>
  void group(const V* rows, std::int64_t first, Emit&& emit) {
    const std::int64_t pad = group_ + kMostRanks;
    const std::int64_t core = window_ - group_ + 1;
    V* sorted = core_.data() + pad;
    std::copy(rows + group_ - 1, rows + window_, sorted);
    flyball::sort(sorted, core);
    if (group_ > 1) {
      left_.over(rows - 1);
      right_.over(rows + window_);
      for (std::int64_t length = 1; length < group_; length *= 2) {
        left_.sort(length, length);
        right_.sort(group_ - 2 * length, length);
      }
    }
    split<Ranks>(sorted + first - (group_ - 1), 0, group_, lists_.data(), emit);
  }

  static constexpr int kMostRanks = 5;

 private:
  template <int Ranks, typename Emit>
  void split(const V* list, std::int64_t at, std::int64_t many, V* room, Emit& emit) {
    if (many == 8) return within_registers<Ranks, 8>(list, at, emit);
    if (many == 4) return within_registers<Ranks, 4>(list, at, emit);
    if (many == 2) return within_registers<Ranks, 2>(list, at, emit);
    if (many == 1) return within_registers<Ranks, 1>(list, at, emit);
    const std::int64_t half = many / 2;
    V* below = room + half + Ranks - 1;
    narrow<Ranks>(list, left_.of(half, at + half), room, half);
    split<Ranks>(room, at, half, below, emit);
    narrow<Ranks>(list, right_.of(half, at), room, half);
    split<Ranks>(room, at + half, half, below, emit);
  }

  template <int Ranks, int Many, typename Emit>
  void within_registers(const V* list, std::int64_t at, Emit& emit) {
    V held_list[Ranks + Many - 1];
    FLYBALL_UNROLLED for (int i = 0; i < Ranks + Many - 1; ++i) held_list[i] = list[i];
    split_held<Ranks, Many>(held_list, at, emit);
  }

  template <int Ranks, int Many, typename Emit>
  FLYBALL_INLINE void split_held(const V* list, std::int64_t at, Emit& emit) {
    if constexpr (Many == 1) {
      emit(at, list);
    } else {
      constexpr int half = Many / 2;
      V kept[Ranks + half - 1];
      narrow_held<Ranks, half>(list, left_.of(half, at + half), kept);
      split_held<Ranks, half>(kept, at, emit);
      narrow_held<Ranks, half>(list, right_.of(half, at), kept);
      split_held<Ranks, half>(kept, at + half, emit);
    }
  }

  std::int64_t window_ = 0, group_ = 0;
  Blocks<V> left_, right_;
  std::vector<V> core_, lists_;
};

}  // namespace flyball
