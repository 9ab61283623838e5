// A mergeable sketch of the quantiles of a column.
//
// Levels of items: one of level l stands for 2^l values. A level that is full is sorted and every second item
// goes one level up, the odd or the even ones by a coin; every second coin of a level is the opposite of the
// one before, so that errors cancel. When the levels grow too many, the lowest ones give way to a sampler
// that takes one of 2^base values. Every coin is a hash of a counter: the same values make the same sketch,
// however they arrive.
// Source: Karnin, Lang and Liberty, Optimal Quantile Approximation in Streams, FOCS 2016; the opposite coins
// are those of Ivkin, Liberty, Lang, Karnin and Braverman, Streaming Quantiles Algorithms with Small Space,
// 2019.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "sorting.hpp"

namespace flyball {

class Sketch {
 public:
  static constexpr std::size_t kFull = 640;  // items that a level holds before half of them go up
  static constexpr int kDepth = 7;           // levels above the lowest
  static constexpr int kLevels = 56;

  explicit Sketch(std::uint64_t seed = 0) : seed(seed) {}

  // All of the state, so that it can be kept and made again.
  std::uint64_t seed, draws = 0, count = 0, missing = 0;
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  int base = 0;                         // the level of the sampler; its items are in order of arrival
  std::uint64_t met = 0, pick = 0;      // of the sampler's 2^base values: how many came, which is taken
  double held = 0;                      // and its value, once it came
  std::uint64_t opposite = 0;           // levels whose next coin is settled, and what it is
  std::uint64_t coins = 0;
  std::array<std::vector<double>, kLevels> levels;

  template <typename T>
  void push(const T* values, std::int64_t rows, SmallSort& sorter) {
    constexpr std::int64_t kBlock = 512;
    std::array<double, kBlock> there;
    for (std::int64_t row = 0; row < rows; row += kBlock) {
      const std::int64_t many = std::min(kBlock, rows - row);
      const double* from = there.data();
      if constexpr (std::is_same_v<T, double>) {
        from = values + row;
      } else {
        std::copy(values + row, values + row + many, there.begin());
      }
      std::int64_t kept = many;
      if (!extend(from, many)) {
        kept = 0;
        for (std::int64_t i = 0; i < many; ++i) {
          const double value = from[i];
          there[static_cast<std::size_t>(kept)] = value;
          kept += value == value;
        }
        from = there.data();
      }
      count += static_cast<std::uint64_t>(kept);
      missing += static_cast<std::uint64_t>(many - kept);
      take(from, static_cast<std::size_t>(kept), sorter);
    }
  }

  // Takes in another sketch; its own items keep their weights.
  void merge_with(const Sketch& other, SmallSort& sorter) {
    count += other.count;
    missing += other.missing;
    low = std::min(low, other.low);
    high = std::max(high, other.high);
    // A group of the sampler that is not complete counts as an item if what is taken of it has come.
    if (met > pick) add({held}, base, sorter);
    met = 0;
    while (base < other.base) raise(sorter);
    if (other.met > other.pick) add({other.held}, other.base, sorter);
    for (int level = other.base; level < kLevels; ++level) {
      add(other.levels[static_cast<std::size_t>(level)], level, sorter);
    }
    tidy(sorter);
  }

  // Adds items of a level, in any order; those below the sampler's level are thinned first.
  void add(std::vector<double> items, int level, SmallSort& sorter) {
    if (items.empty()) return;
    sorter.sort(items);
    for (; level < base; ++level) items = thinned(items, level);
    join(items, level);
  }

  // Brings every level below its size, and the levels into their number.
  void tidy(SmallSort& sorter) {
    for (;;) {
      for (int level = base; level < kLevels - 1; ++level) {
        if (at(level).size() < kFull) continue;
        if (level == base) sorter.sort(at(level));
        compact(level, sorter);
      }
      int top = kLevels - 1;
      while (top > base && at(top).empty()) --top;
      if (top - base <= kDepth) return;
      raise(sorter);
    }
  }

 private:
  std::vector<double>& at(int level) { return levels[static_cast<std::size_t>(level)]; }

  // A hash of the seed and a counter (splitmix64: Steele, Lea and Flood 2014).
  std::uint64_t draw() {
    std::uint64_t z = seed + ++draws * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  std::size_t coin(int level) {
    const std::uint64_t bit = std::uint64_t{1} << level;
    opposite ^= bit;
    if (opposite & bit) {
      coins = (coins & ~bit) | (draw() >> 63 << level);
    } else {
      coins ^= bit;
    }
    return coins & bit ? 1 : 0;
  }

  // Lets the least and the greatest take in the numbers among the values; returns whether all are numbers.
  bool extend(const double* values, std::int64_t many) {
    using R = Register<double>;
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    auto least = R::Values{} + kInfinite, most = R::Values{} - kInfinite;
    typename R::Marks odd = {};
    std::int64_t i = 0;
    for (; i + R::lanes <= many; i += R::lanes) {
      const auto some = R::load(values + i) + 0.0;
      least = lesser(some, least);
      most = greater(some, most);
      odd |= some != some;
    }
    bool whole = true;
    for (std::int64_t lane = 0; lane < R::lanes; ++lane) {
      low = std::min(low, least[lane]);
      high = std::max(high, most[lane]);
      whole &= odd[lane] == 0;
    }
    for (; i < many; ++i) {
      const double value = values[i] + 0.0;
      low = value < low ? value : low;
      high = value > high ? value : high;
      whole &= value == value;
    }
    return whole;
  }

  void take(const double* values, std::size_t many, SmallSort& sorter) {
    while (many > 0) {
      auto& items = at(base);
      items.reserve(kFull);
      std::size_t used = 0;
      if (base == 0) {
        used = std::min(many, kFull - items.size());
        for (std::size_t i = 0; i < used; ++i) items.push_back(values[i] + 0.0);
      } else {
        used = sample(values, many, items);
      }
      values += used;
      many -= used;
      if (items.size() < kFull) continue;
      sorter.sort(items);
      // Machines that were given the same seed do not toss the same coins.
      seed ^= std::bit_cast<std::uint64_t>(items[kFull / 2]);
      compact(base, sorter);
      if (!at(base + kDepth + 1).empty()) tidy(sorter);
    }
  }

  // One value of each 2^base, until the level is full; returns how many were used.
  std::size_t sample(const double* values, std::size_t many, std::vector<double>& items) {
    const std::uint64_t width = std::uint64_t{1} << base;
    std::size_t used = 0;
    while (used < many && items.size() < kFull) {
      if (met == 0) pick = draw() >> (64 - base);
      const std::uint64_t here = std::min<std::uint64_t>(width - met, many - used);
      if (pick >= met && pick < met + here) held = values[used + pick - met] + 0.0;
      used += here;
      met += here;
      if (met < width) break;
      items.push_back(held);
      met = 0;
    }
    return used;
  }

  // Half of the items of a level, sorted, go one up, and on while what they meet there is full. Of an odd
  // number the last stays. A level that takes in no merges never holds more than half of what is full.
  void compact(int level, SmallSort& sorter) {
    auto &up = sorter.half, &both = sorter.both;
    both = at(level);
    do {
      const std::size_t even = both.size() & ~std::size_t{1}, first = coin(level);
      up.resize(even / 2);
      for (std::size_t i = 0; i < up.size(); ++i) up[i] = both[2 * i + first];
      at(level).assign(both.begin() + static_cast<std::ptrdiff_t>(even), both.end());
      const auto& above = at(++level);
      both.resize(above.size() + up.size());
      merge(above.data(), above.size(), up.data(), up.size(), both.data());
    } while (both.size() >= kFull && level < kLevels - 1);
    at(level) = both;
  }

  // Half of sorted items for the level above; the last of an odd number goes or stays by a draw of its own.
  std::vector<double> thinned(const std::vector<double>& items, int level) {
    std::vector<double> up;
    std::size_t i = coin(level);
    const std::size_t even = items.size() & ~std::size_t{1};
    for (; i < even; i += 2) up.push_back(items[i]);
    if (even < items.size() && draw() >> 63) up.push_back(items.back());
    return up;
  }

  void join(const std::vector<double>& sorted, int level) {
    auto& items = at(level);
    if (level == base || items.empty()) {
      items.insert(items.end(), sorted.begin(), sorted.end());
      return;
    }
    std::vector<double> both(items.size() + sorted.size());
    merge(items.data(), items.size(), sorted.data(), sorted.size(), both.data());
    items.swap(both);
  }

  // The sampler moves one level up.
  void raise(SmallSort& sorter) {
    std::vector<double> items;
    items.swap(at(base));
    sorter.sort(items);
    const auto up = thinned(items, base);
    ++base;
    join(up, base);
  }
};

}  // namespace flyball
