// Counts, sorting, distances and sketches against plain loops: ends with 0 when all agree, tells the first
// that does not.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "distances.hpp"
#include "histogram.hpp"
#include "sketch.hpp"

static std::uint64_t state = 88172645463325252u;

static std::uint64_t next() {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static void hold(bool right, const char* what, std::int64_t size) {
  if (right) return;
  std::printf("%s differs at size %lld\n", what, static_cast<long long>(size));
  std::exit(1);
}

// Ties, far apart magnitudes, signed zeros, infinities, and one in sixteen missing.
template <typename T>
static T value() {
  constexpr double odd[] = {0.0, -0.0, 1.0, 1.0, -3.5, 5e-324, 1e30, -1e30, INFINITY, -INFINITY, 2.0, 2.5};
  const std::uint64_t draw = next();
  if (draw % 16 == 0) return std::numeric_limits<T>::quiet_NaN();
  if (draw % 4 == 0) return static_cast<T>(odd[(draw >> 8) % 12]);
  return static_cast<T>(static_cast<double>(static_cast<std::int64_t>(draw >> 20)) * 0x1p-40 - 4);
}

// Values at the very end of their own memory, so that a read beyond is seen.
template <typename T>
static std::vector<T> values(std::int64_t many) {
  std::vector<T> made(static_cast<std::size_t>(many));
  for (auto& one : made) one = value<T>();
  return made;
}

template <typename T>
static void counts(std::int64_t rows, std::int64_t columns, std::int64_t width, bool by_row) {
  std::vector<double> edges(static_cast<std::size_t>(columns * width));
  for (std::int64_t c = 0; c < columns; ++c) {
    const std::int64_t own = c % 3 == 2 ? width / 2 : width;
    for (std::int64_t i = 0; i < width; ++i) {
      double& edge = edges[static_cast<std::size_t>(c * width + i)];
      edge = i < own ? -4 + 8.1 * static_cast<double>(i + 1) / static_cast<double>(own) : NAN;
      if (i == 0 && own > 2) edge = c % 2 ? -INFINITY : -1e300;
      if (i == own - 1 && own > 2) edge = c % 2 ? INFINITY : 1e300;
    }
  }
  const auto table = values<T>(rows * columns);
  std::vector<std::int64_t> got(static_cast<std::size_t>(columns * (width + 2)), 1), want(got);
  flyball::Binning<T> binning(edges.data(), columns, width);
  const std::int64_t down = by_row ? columns : 1, across = by_row ? 1 : rows;
  binning.count({table.data(), rows, columns, down, across});
  binning.add_to(rows, got.data());
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const double one = static_cast<double>(table[static_cast<std::size_t>(r * down + c * across)]);
      std::int64_t bin = one == one ? 0 : width + 1;
      for (std::int64_t i = 0; i < width; ++i) bin += one >= edges[static_cast<std::size_t>(c * width + i)];
      ++want[static_cast<std::size_t>(c * (width + 2) + bin)];
    }
  }
  hold(got == want, by_row ? "counts by row" : "counts by column", rows * 1000 + width);
}

static std::vector<double> there(const std::vector<double>& from) {
  std::vector<double> kept;
  for (const double one : from) {
    if (one == one) kept.push_back(one + 0.0);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

static void sorts_and_distances(std::int64_t size) {
  const auto from = values<double>(size), other = values<double>(size / 2 + 1);
  flyball::DigitSort digits;
  const auto right = there(from), left = there(other);
  const auto& made = digits.sort(from.data(), size);
  hold(std::equal(made.begin(), made.end(), right.begin(), right.end()), "digit sort", size);
  auto numbers = right;
  for (std::size_t i = numbers.size(); i > 1; --i) std::swap(numbers[i - 1], numbers[next() % i]);
  flyball::SmallSort small;
  small.sort(numbers);
  hold(numbers == right, "small sort", size);

  if (left.empty() || right.empty()) return;
  const auto found = flyball::apart(left.data(), static_cast<std::int64_t>(left.size()), right.data(),
                                    static_cast<std::int64_t>(right.size()));
  double widest = 0;
  for (const auto* side : {&left, &right}) {
    for (const double one : *side) {
      const auto f = std::upper_bound(left.begin(), left.end(), one) - left.begin();
      const auto g = std::upper_bound(right.begin(), right.end(), one) - right.begin();
      widest = std::max(widest, std::fabs(static_cast<double>(f) / static_cast<double>(left.size()) -
                                          static_cast<double>(g) / static_cast<double>(right.size())));
    }
  }
  hold(std::fabs(found.ks - widest) < 1e-14, "Kolmogorov-Smirnov", size);
}

static void sketches(std::int64_t size) {
  const auto from = values<double>(size);
  flyball::SmallSort sorter;
  flyball::Sketch whole(1), parts(1), other(1);
  whole.push(from.data(), size, sorter);
  for (std::int64_t at = 0, step = 1; at < size; at += step, step = step * 3 % 997 + 1) {
    parts.push(from.data() + at, std::min(step, size - at), sorter);
  }
  hold(whole.levels == parts.levels && whole.draws == parts.draws, "sketch in chunks", size);
  hold(whole.count + whole.missing == static_cast<std::uint64_t>(size), "sketch count", size);
  other.push(from.data(), size / 3, sorter);
  whole.merge_with(other, sorter);
  other.merge_with(parts, sorter);
  for (const auto* made : {&whole, &other}) {
    double weight = 0;
    for (int level = 0; level < flyball::Sketch::kLevels; ++level) {
      const auto& items = made->levels[static_cast<std::size_t>(level)];
      hold(items.size() < flyball::Sketch::kFull, "size of a level", size);
      weight += std::ldexp(static_cast<double>(items.size()), level);
    }
    const auto count = static_cast<double>(made->count);
    hold(std::fabs(weight - count) <= 0.01 * count, "weight of a sketch", size);
  }
}

int main() {
  for (const std::int64_t rows : {0, 1, 3, 8, 17, 1000, 2500}) {
    for (const std::int64_t width : {0, 1, 9, 10, 11, 31, 64, 65, 300}) {
      for (const bool by_row : {false, true}) {
        counts<double>(rows, 11, width, by_row);
        counts<float>(rows, 19, width, by_row);
        counts<double>(rows, 3, width, by_row);
      }
    }
  }
  for (std::int64_t size = 0; size < 700; ++size) sorts_and_distances(size);
  sorts_and_distances(5000);
  for (const std::int64_t size : {0, 1, 640, 641, 5000, 300000}) sketches(size);
}
