// Half-space trees against plain counting, row by row. Ends with 0 if every score is equal to the last bit.
#include "half_space.hpp"

#include <cstdio>

namespace {

struct Random {
  std::uint64_t state;
  std::uint64_t next() {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state >> 33;
  }
  double real() { return static_cast<double>(next()) / 2147483648.0; }
};

// The definition: one tree after another, one node after another.
double plain(flyball::HalfSpace& forest, const double* row) {
  double total = 0;
  for (std::int32_t tree = 0; tree < forest.trees; ++tree) {
    std::size_t node = 0;
    bool scoring = true;
    for (std::int32_t level = 0; level <= forest.height; ++level) {
      std::int32_t* counts = forest.present.data() + static_cast<std::size_t>(tree) * forest.nodes();
      const std::int32_t rows = forest.last[static_cast<std::size_t>(tree) * forest.nodes() + node];
      if (scoring) total += static_cast<double>(rows) * static_cast<double>(1 << level);
      scoring = scoring && !(rows < 0.1 * static_cast<double>(forest.window));
      ++counts[node];
      if (level == forest.height) break;
      const std::size_t split = static_cast<std::size_t>(tree) * forest.inner() + node;
      const double x = row[forest.feature[split]];
      const bool more = counts[2 * node + 1] < counts[2 * node + 2];
      const bool right = x != x ? more : !(x < forest.threshold[split]);
      node = 2 * node + 1 + right;
    }
  }
  const double rows = static_cast<double>(forest.trees) * static_cast<double>(forest.window);
  const double score = forest.first ? 0 : 1 - total / (rows * static_cast<double>(forest.nodes()));
  if (++forest.seen == forest.window) {
    forest.last = forest.present;
    std::fill(forest.present.begin(), forest.present.end(), 0);
    forest.first = false;
    forest.seen = 0;
  }
  return score;
}

}  // namespace

int main() {
  Random random{3};
  for (std::int32_t trees : {1, 7, 8, 19}) {
    for (std::int32_t height : {1, 2, 8}) {
      flyball::HalfSpace forest{trees, height, 3, 20, {}, {}, {}, {}, 0, true};
      for (std::size_t i = 0; i < static_cast<std::size_t>(trees) * forest.inner(); ++i) {
        forest.feature.push_back(static_cast<std::int32_t>(random.next() % 3));
        forest.threshold.push_back(random.real());
      }
      forest.present.assign(static_cast<std::size_t>(trees) * forest.nodes(), 0);
      forest.last = forest.present;
      flyball::HalfSpace want = forest;
      for (int row = 0; row < 90; ++row) {
        double values[3];
        for (double& x : values) x = random.next() % 8 == 0 ? flyball::kNaN : random.real();
        const double before = forest.score(values, 1), score = forest.push(values, 1);
        const double wanted = plain(want, values);
        const bool counted = forest.present == want.present && forest.last == want.last;
        if (before != wanted || score != wanted || !counted) {
          std::printf("%d trees of height %d, row %d: %.17g, %.17g, not %.17g\n", trees, height, row, before,
                      score, wanted);
          return 1;
        }
      }
    }
  }
}
