// Half-space trees over a stream: where few came before is strange (Tan, Ting and Liu 2011).
//
// Every tree halves the space at random, whatever the data; its nodes count the rows of the present window
// and keep the counts of the last. All trees are complete, so a node's children are found by arithmetic, a
// walk has as many steps as the tree is high, and its leaf alone tells the path: eight trees are walked at a
// time without a branch, then the paths are scored and counted.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "lanes.hpp"

namespace flyball {

class HalfSpace {
 public:
  std::int32_t trees, height, features;
  std::int64_t window;
  // Level by level, trees one after another: of inner nodes, then of all nodes.
  std::vector<std::int32_t> feature;
  std::vector<double> threshold;  // left is below
  std::vector<std::int32_t> present, last;
  std::int64_t seen = 0;  // rows in the present window
  bool first = true;      // no window is full yet

  std::size_t inner() const { return (std::size_t{1} << height) - 1; }
  std::size_t nodes() const { return (std::size_t{2} << height) - 1; }

  // The score of one row: 0 is usual, 1 is as strange as can be; 0 within the first window.
  template <class T>
  double score(const T* row, std::int64_t step) const {
    if (first) return 0;
    std::int64_t total = 0;
    each_leaf(row, step, [&](std::int32_t tree, std::size_t leaf) { total += mass(tree, leaf); });
    return scaled(total);
  }

  template <class T>
  void learn(const T* row, std::int64_t step) {
    each_leaf(row, step, [&](std::int32_t tree, std::size_t leaf) { count(tree, leaf); });
    turn();
  }

  // Scores, then learns: the row's paths are the same for both.
  template <class T>
  double push(const T* row, std::int64_t step) {
    std::int64_t total = 0;
    each_leaf(row, step, [&](std::int32_t tree, std::size_t leaf) {
      total += mass(tree, leaf);
      count(tree, leaf);
    });
    const double score = first ? 0 : scaled(total);
    turn();
    return score;
  }

 private:
  static constexpr int kAtOnce = 8;

  double scaled(std::int64_t total) const {
    const double rows = static_cast<double>(trees) * static_cast<double>(window);
    const double most = rows * static_cast<double>(nodes());
    return 1 - static_cast<double>(total) / most;
  }

  template <class T, class Use>
  FLYBALL_INLINE void each_leaf(const T* row, std::int64_t step, Use use) const {
    std::size_t at[kAtOnce];
    std::int32_t tree = 0;
    for (; tree + kAtOnce <= trees; tree += kAtOnce) {
      walk<kAtOnce>(tree, row, step, at);
      for (int k = 0; k < kAtOnce; ++k) use(tree + k, at[k]);
    }
    for (; tree < trees; ++tree) {
      walk<1>(tree, row, step, at);
      use(tree, at[0]);
    }
  }

  // Children of node i are 2i + 1 and 2i + 2. A missing value goes where more rows of this window went.
  template <int Trees, class T>
  FLYBALL_INLINE void walk(std::int32_t tree, const T* row, std::int64_t step, std::size_t* at) const {
    for (int k = 0; k < Trees; ++k) at[k] = 0;
    for (std::int32_t level = 0; level < height; ++level) {
      for (int k = 0; k < Trees; ++k) {
        const std::size_t node = static_cast<std::size_t>(tree + k) * inner() + at[k];
        const auto value = static_cast<double>(row[feature[node] * step]);
        std::size_t right = !(value < threshold[node]);
        if (missing(value)) [[unlikely]] {
          const std::int32_t* counts = present.data() + static_cast<std::size_t>(tree + k) * nodes();
          right = counts[2 * at[k] + 1] < counts[2 * at[k] + 2];
        }
        at[k] = 2 * at[k] + 1 + right;
      }
    }
  }

  // What the last window tells of a path: counts weighted by depth, down to the first node with few rows.
  FLYBALL_INLINE std::int64_t mass(std::int32_t tree, std::size_t leaf) const {
    const std::int32_t* counts = last.data() + static_cast<std::size_t>(tree) * nodes();
    const auto few = static_cast<std::int32_t>(std::ceil(0.1 * static_cast<double>(window)));
    std::int64_t total = 0, going = -1;  // all bits set while it goes on
    for (std::int32_t level = 0; level <= height; ++level) {
      const std::int32_t rows = counts[((leaf + 1) >> (height - level)) - 1];
      total += (static_cast<std::int64_t>(rows) << level) & going;
      going &= -static_cast<std::int64_t>(rows >= few);
    }
    return total;
  }

  FLYBALL_INLINE void count(std::int32_t tree, std::size_t leaf) {
    std::int32_t* counts = present.data() + static_cast<std::size_t>(tree) * nodes();
    for (std::int32_t level = 0; level <= height; ++level) ++counts[((leaf + 1) >> (height - level)) - 1];
  }

  // A full window becomes the last.
  void turn() {
    if (++seen < window) return;
    std::swap(present, last);
    std::fill(present.begin(), present.end(), 0);
    first = false;
    seen = 0;
  }
};

}  // namespace flyball
