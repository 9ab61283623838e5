// Sixty-four rows at a time without walking: every node strikes out the leaves that a row cannot reach.
//
// A tree's leaves are bits. A node that sends a row to one side strikes out the leaves of the other; when all
// nodes have done so, in any order, the first bit left is the row's leaf (QuickScorer, Lucchese et al. 2015;
// vectors of rows after RapidScorer, Ye et al. 2018). Here rows are bytes of a vector, values are ranks, and
// a node strikes out its smaller side only: the other side comes later in the order of bits, so the first bit
// is right nonetheless, and nearly every node touches one byte of bits.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "tree_ranks.hpp"

namespace flyball {

class TreeBits {
 public:
  // Beyond these, walking is faster.
  static constexpr std::int64_t kMostLeaves = 256;
  static constexpr std::size_t kMostColumns = 4096;

  explicit TreeBits(const Ensemble& e) : e_(e) {
    make_parts();
    std::vector<std::int64_t> order(e.group.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    // A bundle is of one group. Within a group the order of the trees stays: it is the order of the sum.
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return e.group[a] < e.group[b]; });
    for (std::size_t from = 0; from < order.size();) {
      std::size_t to = from + 1;
      while (to < order.size() && to - from < kTrees && e.group[order[to]] == e.group[order[from]]) ++to;
      bundle(order.data() + from, to - from);
      from = to;
    }
  }

  static bool fits(const Ensemble& e) {
    for (std::int64_t tree = 0; tree < e.trees(); ++tree) {
      if (e.nodes(tree) >= kMostLeaves) return false;
    }
    return true;
  }

  // Whether the columns of a block stay in the processor's cache.
  bool worthwhile() const { return columns_ <= kMostColumns; }

  // The sums of up to 64 rows, added to what `sums` holds: e.groups for each row.
  template <class T, class Sum>
  void add(const Rows<T>& rows, Sum* sums) const {
    using Value = T;
    const auto& tables = ranked<Value>();
    thread_local std::vector<std::uint8_t> space;
    space.resize(columns_ * kBlock + most_planes_ * kBlock + kBlock);
    const auto begin = reinterpret_cast<std::uintptr_t>(space.data());
    auto* columns = reinterpret_cast<std::uint8_t*>((begin + kBlock - 1) / kBlock * kBlock);
    for (std::size_t i = 0; i < parts_.size(); ++i) rank_block(e_, parts_[i], tables[i], rows, columns);
    for (const Bundle& bundle : bundles_) {
      std::uint8_t* planes = columns + columns_ * kBlock;
      strike(bundle, columns, planes);
      sum(bundle, planes, rows.count, sums);
    }
  }

 private:
  static constexpr std::size_t kTrees = 8;
  using Unsigned = unsigned char __attribute__((vector_size(kWide)));

  struct Strike {
    std::uint32_t column;  // in bytes
    std::uint16_t plane;   // in bytes, among the bundle's
    std::int8_t rank;      // rows above it lose the leaves
    std::uint8_t lost;
  };
  struct Bundle {
    std::int32_t group;
    std::size_t trees, strikes_from, strikes_to, planes;
    std::array<std::size_t, kTrees> plane_from, plane_to, leaves_from;
  };

  // A feature looked at in one way, with all thresholds that any tree has for it.
  using Key = std::pair<std::int32_t, std::uint8_t>;
  struct Ranked {
    std::vector<double> thresholds;
    std::vector<std::size_t> parts;
  };

  void make_parts() {
    for (std::size_t node = 0; node < e_.feature.size(); ++node) {
      if ((e_.marks[node] & kCategory) == 0) ranked_[key(node)].thresholds.push_back(e_.threshold[node]);
    }
    for (auto& [key, ranked] : ranked_) {
      auto& all = ranked.thresholds;
      std::sort(all.begin(), all.end());
      all.erase(std::unique(all.begin(), all.end()), all.end());
      for (std::size_t from = 0; from < all.size(); from += kRanks) {
        ranked.parts.push_back(parts_.size());
        const std::size_t count = std::min(kRanks, all.size() - from);
        add_part({key.first, key.second, from, count, {-1, -1, -1, -1}}, all.data() + from);
      }
    }
  }

  Key key(std::size_t node) const {
    return {e_.feature[node], static_cast<std::uint8_t>(e_.marks[node] & kZeroMissing)};
  }

  void add_part(const RankPart& part, const double* thresholds) {
    parts_.push_back(part);
    const std::size_t count = (part.marks & kCategory) != 0 ? 0 : part.count;
    floats_.emplace_back(thresholds, count);
    doubles_.emplace_back(thresholds, count);
  }

  template <class Value>
  const std::vector<RankTable<Value>>& ranked() const {
    if constexpr (sizeof(Value) == sizeof(float)) {
      return floats_;
    } else {
      return doubles_;
    }
  }

  // The column and the rank that a node asks for; mirrored, it asks the opposite.
  std::pair<std::int32_t, int> asked(std::size_t node, bool mirrored) {
    const std::uint8_t marks = e_.marks[node];
    std::size_t part, rank = 0;
    bool lowest = false;
    if ((marks & kCategory) != 0) {
      part = parts_.size();
      const auto set = static_cast<std::size_t>(e_.threshold[node]);
      add_part({e_.feature[node], marks, set, 1, {-1, -1, -1, -1}}, nullptr);
    } else {
      const Ranked& found = ranked_.at(key(node));
      const auto& all = found.thresholds;
      const auto place = std::lower_bound(all.begin(), all.end(), e_.threshold[node]);
      rank = static_cast<std::size_t>(place - all.begin());
      part = found.parts[rank / kRanks];
      rank %= kRanks;
      lowest = (marks & kMissingLeft) != 0;
    }
    std::int32_t& column = parts_[part].column[2 * lowest + mirrored];
    if (column < 0) column = static_cast<std::int32_t>(columns_++);
    const int plain = static_cast<int>(rank);
    return {column, mirrored ? 254 - plain : plain};
  }

  void bundle(const std::int64_t* trees, std::size_t count) {
    Bundle made{e_.group[trees[0]], count, strikes_.size(), 0, 0, {}, {}, {}};
    std::vector<std::vector<Strike>> of_tree(count);
    std::size_t longest = 0;
    for (std::size_t k = 0; k < count; ++k) {
      made.plane_from[k] = made.planes;
      made.leaves_from[k] = leaves_.size();
      of_tree[k] = lay(trees[k], made.planes);
      made.planes += static_cast<std::size_t>(e_.nodes(trees[k]) + 1 + 7) / 8;
      made.plane_to[k] = made.planes;
      longest = std::max(longest, of_tree[k].size());
    }
    // In turns, so that strikes on the same bits lie far apart and do not wait for each other.
    for (std::size_t i = 0; i < longest; ++i) {
      for (const auto& strikes : of_tree) {
        if (i < strikes.size()) strikes_.push_back(strikes[i]);
      }
    }
    made.strikes_to = strikes_.size();
    most_planes_ = std::max(most_planes_, made.planes);
    bundles_.push_back(made);
  }

  static_assert(kTrees * (kMostLeaves / 8) * kBlock <= 65536, "a plane is told in sixteen bits");

  // Orders a tree's leaves, the smaller side of each node first, and returns what its nodes strike out.
  std::vector<Strike> lay(std::int64_t tree, std::size_t plane) {
    const std::int64_t first = e_.node_from[tree], nodes = e_.nodes(tree), leaf = e_.leaf_from[tree];
    if (nodes == 0) {
      leaves_.push_back(e_.leaf[leaf]);
      return {};
    }
    std::vector<std::int32_t> size(nodes), place(nodes);
    const auto leaves_of = [&](std::int32_t child) { return child < 0 ? 1 : size[child]; };
    for (std::int64_t node = nodes - 1; node >= 0; --node) {
      size[node] = leaves_of(e_.left[first + node]) + leaves_of(e_.right[first + node]);
    }
    const std::size_t base = leaves_.size();
    leaves_.resize(base + static_cast<std::size_t>(nodes) + 1);
    std::vector<Strike> strikes;
    for (std::int64_t node = 0; node < nodes; ++node) {  // a child comes after its parent
      const std::int32_t left = e_.left[first + node], right = e_.right[first + node];
      const bool mirrored = leaves_of(right) < leaves_of(left);
      const std::int32_t small = mirrored ? right : left, large = mirrored ? left : right;
      const std::int32_t from = place[node], to = from + leaves_of(small);
      const auto put = [&](std::int32_t child, std::int32_t at) {
        if (child < 0) leaves_[base + static_cast<std::size_t>(at)] = e_.leaf[leaf + ~child];
        else place[child] = at;
      };
      put(small, from);
      put(large, to);
      const auto [column, rank] = asked(static_cast<std::size_t>(first + node), mirrored);
      for (std::int32_t eight = from / 8; eight * 8 < to; ++eight) {
        const int low = std::max(0, from - eight * 8), high = std::min(8, to - eight * 8);
        strikes.push_back({static_cast<std::uint32_t>(column * kBlock),
                           static_cast<std::uint16_t>((plane + static_cast<std::size_t>(eight)) * kBlock),
                           static_cast<std::int8_t>(rank - 128),
                           static_cast<std::uint8_t>((0xFF >> (8 - high)) & (0xFF << low))});
      }
    }
    return strikes;
  }

  void strike(const Bundle& bundle, const std::uint8_t* columns, std::uint8_t* planes) const {
    std::memset(planes, 0xFF, bundle.planes * kBlock);
    const Strike* const end = strikes_.data() + bundle.strikes_to;
    for (const Strike* next = strikes_.data() + bundle.strikes_from; next != end; ++next) {
      const Strike s = *next;  // a copy: what is written below could be it, for all the compiler knows
      const Bytes rank = Bytes{} + s.rank, lost = Bytes{} + static_cast<signed char>(s.lost);
      for (std::int64_t at = 0; at < kBlock; at += kWide) {
        Bytes ranks, bits;
        load_bytes(ranks, columns + s.column + at);
        load_bytes(bits, planes + s.plane + at);
        store_bytes(planes + s.plane + at, bits & ~((ranks > rank) & lost));
      }
    }
  }

  // The first bit left of each row, over a tree's planes.
  static FLYBALL_INLINE void first_leaf(const std::uint8_t* planes, std::size_t count, std::uint8_t* leaf) {
    for (std::int64_t at = 0; at < kBlock; at += kWide) {
      Bytes chosen{}, base{};
      for (std::size_t plane = count; plane-- > 0;) {
        Bytes bits;
        load_bytes(bits, planes + plane * kBlock + at);
        const Bytes some = bits != 0;
        chosen = (some & bits) | (~some & chosen);
        base = (some & static_cast<signed char>(8 * plane)) | (~some & base);
      }
      const Bytes lowest = chosen & reinterpret_cast<Bytes>(-reinterpret_cast<Unsigned>(chosen));
      const Bytes ones = (lowest & static_cast<signed char>(0xAA)) != 0;
      const Bytes twos = (lowest & static_cast<signed char>(0xCC)) != 0;
      const Bytes fours = (lowest & static_cast<signed char>(0xF0)) != 0;
      store_bytes(leaf + at, base + (ones & 1) + (twos & 2) + (fours & 4));
    }
  }

  template <class Sum>
  void sum(const Bundle& bundle, const std::uint8_t* planes, std::int64_t rows, Sum* sums) const {
    alignas(kBlock) std::uint8_t leaf[kTrees][kBlock];
    const double* leaves[kTrees];
    for (std::size_t k = 0; k < bundle.trees; ++k) {
      const std::size_t from = bundle.plane_from[k];
      first_leaf(planes + from * kBlock, bundle.plane_to[k] - from, leaf[k]);
      leaves[k] = leaves_.data() + bundle.leaves_from[k];
    }
    Sum* out = sums + bundle.group;
    for (std::int64_t row = 0; row < rows; ++row, out += e_.groups) {
      Sum total = *out;
      if (bundle.trees == kTrees) {
        for (std::size_t k = 0; k < kTrees; ++k) total += static_cast<Sum>(leaves[k][leaf[k][row]]);
      } else {
        for (std::size_t k = 0; k < bundle.trees; ++k) total += static_cast<Sum>(leaves[k][leaf[k][row]]);
      }
      *out = total;
    }
  }

  const Ensemble& e_;
  std::map<Key, Ranked> ranked_;
  std::vector<RankPart> parts_;
  std::vector<RankTable<float>> floats_;
  std::vector<RankTable<double>> doubles_;
  std::size_t columns_ = 0, most_planes_ = 0;
  std::vector<Strike> strikes_;
  std::vector<Bundle> bundles_;
  std::vector<double> leaves_;
};

}  // namespace flyball
