// Half-space trees over a stream: where few came before is strange (Tan, Ting and Liu 2011).
//
// Every tree halves the space at random, whatever the data; its nodes count the rows of the present window and keep
// the counts of the last. All trees are complete, so a node's children are found by arithmetic alone. The path of a
// row does not depend on the counts, so it is walked once: scored from the last window's counts on the way, and
// counted.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "lanes.hpp"

namespace flyball {

struct HalfSpace {
  std::int32_t trees, height, features;
  std::int64_t window;
  std::vector<std::int32_t> feature;  // of each inner node, level by level, trees one after another
  std::vector<double> threshold;      // left is below
  std::vector<std::int64_t> present, last;  // counts of each node, level by level, trees one after another
  std::int64_t seen = 0;                    // in the present window
  bool first = true;                        // no window is full yet

  std::size_t inner() const { return (std::size_t{1} << height) - 1; }
  std::size_t nodes() const { return (std::size_t{2} << height) - 1; }

  // The score of one row: 0 is usual, 1 is as strange as can be; 0 within the first window.
  template <class T>
  double score(const T* row, std::int64_t step) const {
    if (first) return 0;
    double total = 0;
    for (std::int32_t tree = 0; tree < trees; ++tree) total += visit<T, true, false>(tree, row, step, nullptr);
    return 1 - total / most();
  }

  template <class T>
  void learn(const T* row, std::int64_t step) {
    for (std::int32_t tree = 0; tree < trees; ++tree) visit<T, false, true>(tree, row, step, present.data());
    turn();
  }

  // Scores, then learns. A missing value's way depends on the present counts, which scoring leaves as they are, so
  // one visit does for both.
  template <class T>
  double push(const T* row, std::int64_t step) {
    double total = 0;
    if (first) {
      for (std::int32_t tree = 0; tree < trees; ++tree) visit<T, false, true>(tree, row, step, present.data());
    } else {
      for (std::int32_t tree = 0; tree < trees; ++tree) total += visit<T, true, true>(tree, row, step, present.data());
    }
    const double score = first ? 0 : 1 - total / most();
    turn();
    return score;
  }

 private:
  double most() const {
    return static_cast<double>(trees) * static_cast<double>(window) * static_cast<double>(nodes());
  }

  // Children of node i are 2i + 1 and 2i + 2. A missing value goes where more rows of this window went.
  template <class T, bool Score, bool Learn>
  FLYBALL_INLINE double visit(std::int32_t tree, const T* row, std::int64_t step, std::int64_t* counted) const {
    const std::int32_t* features_of = feature.data() + static_cast<std::size_t>(tree) * inner();
    const double* thresholds = threshold.data() + static_cast<std::size_t>(tree) * inner();
    const std::size_t base = static_cast<std::size_t>(tree) * nodes();
    const std::int64_t* mass = last.data() + base;
    const double few = 0.1 * static_cast<double>(window);
    double total = 0, weight = 1;
    bool scoring = Score;
    std::size_t at = 0;
    for (std::int32_t level = 0; level < height; ++level) {
      if (Learn) ++counted[base + at];
      if (Score && scoring) {
        total += static_cast<double>(mass[at]) * weight;
        scoring = !(static_cast<double>(mass[at]) < few);
        if (!Learn && !scoring) return total;
        weight *= 2;
      }
      const auto value = static_cast<double>(row[features_of[at] * step]);
      const std::int64_t* children = present.data() + base + 2 * at + 1;
      const bool right = missing(value) ? children[0] < children[1] : !(value < thresholds[at]);
      at = 2 * at + 1 + static_cast<std::size_t>(right);
    }
    if (Learn) ++counted[base + at];
    if (Score && scoring) total += static_cast<double>(mass[at]) * weight;
    return total;
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
