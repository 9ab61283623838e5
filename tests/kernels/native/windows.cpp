// The native operators without Python, for a build under sanitizers and with one instruction set only.
// Reads n, m, values, lo, hi, positions from standard input; writes ten rows of m doubles, and m as-of rows.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "asof.hpp"
#include "ends.hpp"
#include "extremes.hpp"
#include "median.hpp"
#include "moments.hpp"
#include "slope.hpp"

template <typename T>
std::vector<T> take(std::int64_t many) {
  std::vector<T> got(static_cast<std::size_t>(many));
  if (many && std::fread(got.data(), sizeof(T), got.size(), stdin) != got.size()) std::abort();
  return got;
}

template <typename T>
void give(const std::vector<T>& what) {
  if (!what.empty() && std::fwrite(what.data(), sizeof(T), what.size(), stdout) != what.size()) std::abort();
}

int main(int argc, char**) {
  const auto size = take<std::int64_t>(2);
  const auto rows = size[0], count = size[1];
  const auto values = take<double>(rows);
  const auto lo = take<std::int64_t>(count), hi = take<std::int64_t>(count);
  const auto positions = take<double>(rows);
  const flyball::Windows windows{lo.data(), hi.data(), count};

  const auto m = static_cast<std::size_t>(count);
  std::vector<double> four(4 * m), two(2 * m), one(m);
  // Any argument leaves the check out, so that a test can see the sanitizer stop what it would have let pass.
  if (argc == 1 && !flyball::within(windows, rows)) return 2;
  flyball::moments(values.data(), windows, true, four.data());
  give(four);
  flyball::extremes(values.data(), windows, two.data());
  give(two);
  flyball::median(values.data(), windows, one.data());
  give(one);
  flyball::slope(values.data(), positions.data(), windows, one.data());
  give(one);
  flyball::ends(values.data(), windows, two.data());
  give(two);

  std::vector<std::int64_t> times(values.size()), found(m), segments(m);
  for (std::size_t i = 0; i < times.size(); ++i) times[i] = static_cast<std::int64_t>(i % 500 * 3);
  std::vector<std::int64_t> starts;
  for (std::int64_t at = 0; at < rows; at += 500) starts.push_back(at);
  starts.push_back(rows);
  const auto machines = static_cast<std::int64_t>(starts.size()) - 1;
  if (!flyball::sorted_within(times.data(), starts.data(), machines)) return 3;
  for (std::size_t i = 0; i < m; ++i) segments[i] = static_cast<std::int64_t>(i) % machines;
  flyball::asof(times.data(), starts.data(), machines, lo.data(), segments.data(), count, found.data());
  give(found);
}
