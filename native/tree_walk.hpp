// From root to leaf, eight walks at a time.
//
// A step waits for memory twice, so one walk alone leaves the processor idle: eight independent ones, eight
// trees for one row or eight rows for one tree, fill it. No step has a branch: the children of a node are
// neighbours, a leaf is a node that leads to itself, and what is missing was turned into a value that goes
// the right way.
#pragma once

#include <cstddef>
#include <map>
#include <tuple>

#include "ensemble.hpp"
#include "lanes.hpp"

namespace flyball {

constexpr int kWalks = 8;

// A node of a walk in eight bytes (float) or sixteen (double). Of a leaf, the threshold is its number.
template <class Value, class Index>
struct WalkNode {
  using Number = Index;
  Value threshold;
  Index slot;  // the highest bit: a categorical node
  Index left;  // within the tree
  static constexpr Index kSet = static_cast<Index>(Index{1} << (8 * sizeof(Index) - 1));
};

// A way in which a feature is looked at; all nodes that look at it in the same way share it.
struct Slot {
  std::int32_t feature;
  std::uint8_t marks;
  bool operator<(const Slot& other) const {
    return std::tie(feature, marks) < std::tie(other.feature, other.marks);
  }
};

// The slots of an ensemble. Slot 0 is below everything: leaves look at it.
struct Slots {
  std::vector<Slot> slots{{0, 0}};
  std::map<Slot, std::uint32_t> numbers;

  std::uint32_t of(const Ensemble& e, std::int64_t node) {
    const std::uint8_t marks = e.marks[node];
    // A category is looked at as it is, and its marks say where a missing one goes.
    const Slot wanted{e.feature[node], marks};
    const auto [found, added] = numbers.try_emplace(wanted, static_cast<std::uint32_t>(slots.size()));
    if (added) slots.push_back(wanted);
    return found->second;
  }

  // What is missing becomes -inf if it goes left, else NaN: neither is a comparison's business any more. A
  // category is looked at as it is.
  template <class Value, class T>
  void fill(const T* row, std::int64_t column_step, bool narrow, Value* out) const {
    out[0] = -std::numeric_limits<Value>::infinity();
    for (std::size_t i = 1; i < slots.size(); ++i) {
      const T told = row[slots[i].feature * column_step];
      auto x = narrow ? static_cast<Value>(static_cast<float>(told)) : static_cast<Value>(told);
      const std::uint8_t marks = slots[i].marks;
      if ((marks & (kZeroMissing | kCategory)) == kZeroMissing && std::fabs(x) <= static_cast<Value>(kZero)) {
        x = std::numeric_limits<Value>::quiet_NaN();
      }
      const Value instead[2] = {x, -std::numeric_limits<Value>::infinity()};
      out[i] = instead[(marks & (kMissingLeft | kCategory)) == kMissingLeft && x != x];
    }
  }
};

// The trees of an ensemble, laid out for walking.
template <class Value, class Index>
class Walker {
 public:
  using Node = WalkNode<Value, Index>;

  explicit Walker(const Ensemble& e) : e_(e), from_(e.group.size() + 1) {
    nodes_.reserve(e.feature.size() + e.leaf.size());
    for (std::int64_t tree = 0; tree < e.trees(); ++tree) {
      from_[tree] = nodes_.size();
      lay(tree);
    }
    from_[e.trees()] = nodes_.size();
  }

  // Whether the indices are wide enough for an ensemble.
  static bool fits(const Ensemble& e) {
    if (sizeof(Index) >= 4) return true;
    for (std::int64_t tree = 0; tree < e.trees(); ++tree) {
      if (2 * e.nodes(tree) + 1 > 65535) return false;
    }
    Slots slots;
    for (std::size_t node = 0; node < e.feature.size(); ++node) slots.of(e, static_cast<std::int64_t>(node));
    return slots.slots.size() < 32768 && e.set_from.size() < (std::size_t{1} << 24);
  }

  // The sums of rows, added to what `sums` holds: e.groups for each row.
  template <class T, class Sum>
  void add(const Rows<T>& rows, Sum* sums) const {
    const std::size_t width = slots_.slots.size();
    thread_local std::vector<Value> values;
    if (values.size() < width * kWalks) values.resize(width * kWalks);
    std::int64_t row = 0;
    for (; row + kWalks <= rows.count; row += kWalks) {
      for (int k = 0; k < kWalks; ++k) {
        const T* at = rows.values + (row + k) * rows.row_step;
        slots_.fill(at, rows.column_step, e_.narrow, values.data() + k * width);
      }
      has_sets_ ? rows_by_tree<true>(values.data(), sums + row * e_.groups)
                : rows_by_tree<false>(values.data(), sums + row * e_.groups);
    }
    for (; row < rows.count; ++row) {
      slots_.fill(rows.values + row * rows.row_step, rows.column_step, e_.narrow, values.data());
      has_sets_ ? trees_by_row<true>(values.data(), sums + row * e_.groups)
                : trees_by_row<false>(values.data(), sums + row * e_.groups);
    }
  }

 private:
  void lay(std::int64_t tree) {
    const std::int64_t first = e_.node_from[tree];
    const std::size_t base = nodes_.size();
    // (child as the ensemble tells it, its place): the root, then every pair of children when its parent is
    // laid.
    std::vector<std::pair<std::int64_t, std::size_t>> open{{e_.nodes(tree) > 0 ? 0 : -1, base}};
    nodes_.resize(base + 1);
    for (std::size_t next = 0; next < open.size(); ++next) {
      const auto [child, place] = open[next];
      if (child < 0) {
        nodes_[place] = {static_cast<Value>(~child), 0, static_cast<Index>(place - base)};
        continue;
      }
      const std::int64_t node = first + child;
      const std::size_t left = nodes_.size();
      nodes_.resize(left + 2);
      std::uint32_t slot = slots_.of(e_, node);
      if ((e_.marks[node] & kCategory) != 0) {
        has_sets_ = true;
        slot |= Node::kSet;
      }
      nodes_[place] = {threshold(node), static_cast<Index>(slot), static_cast<Index>(left - base)};
      open.emplace_back(e_.left[node], left);
      open.emplace_back(e_.right[node], left + 1);
    }
  }

  Value threshold(std::int64_t node) const {
    if constexpr (sizeof(Value) == sizeof(float)) {
      if ((e_.marks[node] & kCategory) == 0) return floor_to_float(e_.threshold[node]);
    }
    return static_cast<Value>(e_.threshold[node]);
  }

  template <bool Sets>
  FLYBALL_INLINE std::uint32_t step(const Node* tree, std::uint32_t at, const Value* values) const {
    const Node node = tree[at];
    if constexpr (Sets) {
      if ((node.slot & Node::kSet) != 0) {
        const auto slot = static_cast<std::uint32_t>(node.slot & ~Node::kSet);
        const auto set = static_cast<std::int64_t>(node.threshold);
        const bool left = category_left(e_, set, static_cast<double>(values[slot]), slots_.slots[slot].marks);
        return node.left + static_cast<std::uint32_t>(!left);
      }
    }
    return node.left + static_cast<std::uint32_t>(!(values[node.slot] <= node.threshold));
  }

  // Eight walks to their ends; at[k] becomes the leaf's number.
  template <bool Sets>
  FLYBALL_INLINE void walk(const Node* const (&trees)[kWalks], const Value* const (&values)[kWalks],
                           std::uint32_t (&at)[kWalks]) const {
    for (int k = 0; k < kWalks; ++k) at[k] = 0;
    std::uint32_t moved = 1;
    while (moved != 0) {
      moved = 0;
      for (int k = 0; k < kWalks; ++k) at[k] = step<Sets>(trees[k], at[k], values[k]);
      for (int k = 0; k < kWalks; ++k) {
        const std::uint32_t to = step<Sets>(trees[k], at[k], values[k]);
        moved |= to ^ at[k];
        at[k] = to;
      }
    }
    for (int k = 0; k < kWalks; ++k) at[k] = static_cast<std::uint32_t>(trees[k][at[k]].threshold);
  }

  template <bool Sets, class Sum>
  void rows_by_tree(const Value* values, Sum* sums) const {
    const std::size_t width = slots_.slots.size();
    const Value* of_row[kWalks];
    const Node* tree_of[kWalks];
    std::uint32_t at[kWalks];
    for (int k = 0; k < kWalks; ++k) of_row[k] = values + k * width;
    for (std::int64_t tree = 0; tree < e_.trees(); ++tree) {
      for (int k = 0; k < kWalks; ++k) tree_of[k] = nodes_.data() + from_[tree];
      walk<Sets>(tree_of, of_row, at);
      const double* leaves = e_.leaf.data() + e_.leaf_from[tree];
      for (int k = 0; k < kWalks; ++k) {
        sums[k * e_.groups + e_.group[tree]] += static_cast<Sum>(leaves[at[k]]);
      }
    }
  }

  template <bool Sets, class Sum>
  void trees_by_row(const Value* values, Sum* sums) const {
    const Value* of_row[kWalks];
    const Node* tree_of[kWalks];
    std::uint32_t at[kWalks];
    for (int k = 0; k < kWalks; ++k) of_row[k] = values;
    for (std::int64_t tree = 0; tree < e_.trees(); tree += kWalks) {
      const int some = static_cast<int>(std::min<std::int64_t>(kWalks, e_.trees() - tree));
      // Where fewer than eight trees remain, the last is walked more than once.
      for (int k = 0; k < kWalks; ++k) tree_of[k] = nodes_.data() + from_[tree + std::min(k, some - 1)];
      walk<Sets>(tree_of, of_row, at);
      for (int k = 0; k < some; ++k) {
        sums[e_.group[tree + k]] += static_cast<Sum>(e_.leaf[e_.leaf_from[tree + k] + at[k]]);
      }
    }
  }

  const Ensemble& e_;
  Slots slots_;
  bool has_sets_ = false;
  std::vector<std::size_t> from_;
  std::vector<Node> nodes_;
};

}  // namespace flyball
