// Ensembles of every kind, scored every way, against a plain walk. Ends with 0 if all are equal to the last
// bit.
#include "trees.hpp"

#include <cinttypes>
#include <cstdio>

namespace {

struct Random {
  std::uint64_t state;
  std::uint64_t next() {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state >> 33;
  }
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(n));
  }
  double real() { return static_cast<double>(next()) / 1073741824.0 - 1.0; }
};

const double kOdd[] = {0.0, -0.0, 1e-36, -1e-36, flyball::kZero, -flyball::kZero, flyball::kInf,
                       -flyball::kInf, flyball::kNaN, -0.5, -1.0, 2.7, 31, 32, 64, 1e10,
                       2147483648.0, -2147483649.0, 1e308, -1e308};

double value(Random& random) {
  return random.below(4) == 0 ? kOdd[random.below(sizeof kOdd / sizeof *kOdd)] : random.real();
}

flyball::Ensemble grown(Random& random, std::int64_t trees, std::int64_t most_leaves, std::int32_t groups) {
  flyball::Ensemble e;
  e.features = 5;
  e.groups = groups;
  e.narrow = random.below(2) == 0;
  e.single = random.below(2) == 0;
  e.set_words = {0x80000005U, 1, 0xFFFFFFFFU};
  e.set_from = {0, 2, 2, 3};
  e.start.assign(static_cast<std::size_t>(groups), 0.25);
  e.node_from = {0};
  e.leaf_from = {0};
  for (std::int64_t tree = 0; tree < trees; ++tree) {
    const std::int64_t leaves = 1 + random.below(most_leaves), first = e.node_from.back();
    std::vector<std::int32_t*> open;
    e.left.resize(first + leaves - 1);
    e.right.resize(first + leaves - 1);
    for (std::int64_t node = 0; node + 1 < leaves; ++node) {
      if (node > 0) {
        const std::int64_t place = random.below(static_cast<std::int64_t>(open.size()));
        *open[place] = static_cast<std::int32_t>(node);
        open.erase(open.begin() + place);
      }
      open.push_back(&e.left[first + node]);
      open.push_back(&e.right[first + node]);
      const auto marks = static_cast<std::uint8_t>(random.below(3) == 0 ? random.below(16) : random.below(2));
      e.marks.push_back(marks);
      e.feature.push_back(static_cast<std::int32_t>(random.below(e.features)));
      const double threshold = value(random);
      e.threshold.push_back((marks & flyball::kCategory) != 0 ? static_cast<double>(random.below(3))
                            : threshold != threshold          ? 0.5
                                                              : threshold);
    }
    for (std::size_t leaf = 0; leaf < open.size(); ++leaf) *open[leaf] = ~static_cast<std::int32_t>(leaf);
    for (std::int64_t leaf = 0; leaf < leaves; ++leaf) e.leaf.push_back(random.real());
    e.group.push_back(static_cast<std::int32_t>(random.below(groups)));
    e.node_from.push_back(first + leaves - 1);
    e.leaf_from.push_back(e.leaf_from.back() + leaves);
  }
  return e;
}

bool left(const flyball::Ensemble& e, std::int64_t node, double x) {
  const std::uint8_t marks = e.marks[node];
  if ((marks & flyball::kCategory) != 0) {
    return flyball::category_left(e, static_cast<std::int64_t>(e.threshold[node]), x, marks);
  }
  const bool zero = (marks & flyball::kZeroMissing) != 0 && std::fabs(x) <= flyball::kZero;
  if (x != x || zero) return (marks & flyball::kMissingLeft) != 0;
  return x <= e.threshold[node];
}

template <class T, class Sum>
void plain(const flyball::Ensemble& e, const T* row, Sum* sums) {
  for (std::int32_t g = 0; g < e.groups; ++g) sums[g] = static_cast<Sum>(e.start[g]);
  for (std::int64_t tree = 0; tree < e.trees(); ++tree) {
    std::int32_t child = e.nodes(tree) > 0 ? 0 : -1;
    while (child >= 0) {
      const std::int64_t node = e.node_from[tree] + child;
      const T told = row[e.feature[node]];
      const double x = e.narrow ? static_cast<double>(static_cast<float>(told)) : static_cast<double>(told);
      child = left(e, node, x) ? e.left[node] : e.right[node];
    }
    sums[e.group[tree]] += static_cast<Sum>(e.leaf[e.leaf_from[tree] + ~child]);
  }
}

template <class T, class Sum>
bool same(const flyball::Trees& trees, const std::vector<T>& values, std::int64_t count) {
  const flyball::Ensemble& e = trees.ensemble();
  std::vector<Sum> many(static_cast<std::size_t>(count * e.groups)), want(e.groups), one(e.groups);
  trees.many(flyball::Rows<T>{values.data(), count, e.features, 1}, true, many.data());
  for (std::int64_t row = 0; row < count; ++row) {
    const T* at = values.data() + row * e.features;
    plain(e, at, want.data());
    trees.one(flyball::Rows<T>{at, 1, 0, 1}, true, one.data());
    for (std::int32_t g = 0; g < e.groups; ++g) {
      if (many[row * e.groups + g] != want[g] || one[g] != want[g]) {
        std::printf("row %" PRId64 " group %d: many %.17g one %.17g, not %.17g\n", row, g,
                    static_cast<double>(many[row * e.groups + g]), static_cast<double>(one[g]),
                    static_cast<double>(want[g]));
        return false;
      }
    }
  }
  return true;
}

}  // namespace

int main() {
  Random random{7};
  const std::int64_t sizes[] = {1, 2, 9, 33, 64, 256, 400};
  for (int round = 0; round < 42; ++round) {
    const std::int64_t count = random.below(140);
    const std::int32_t groups = random.below(3) == 0 ? 3 : 1;
    const flyball::Trees trees(grown(random, random.below(20), sizes[round % 7], groups));
    std::vector<double> wide;
    std::vector<float> narrow;
    for (std::int64_t i = 0; i < count * trees.ensemble().features; ++i) {
      double x = value(random);
      wide.push_back(x);
      if (std::fabs(x) > 3e38) x = x > 0 ? flyball::kInf : -flyball::kInf;  // as the conversion of NumPy does
      narrow.push_back(static_cast<float>(x));
    }
    if (trees.ensemble().narrow) {
      for (double& x : wide) x = std::fabs(x) > 3e38 ? 3e38 : x;
    }
    const bool single = trees.ensemble().single;
    const bool fine =
        single ? same<float, float>(trees, narrow, count) && same<double, float>(trees, wide, count)
               : same<float, double>(trees, narrow, count) && same<double, double>(trees, wide, count);
    if (!fine) {
      std::printf("in round %d\n", round);
      return 1;
    }
  }
}
