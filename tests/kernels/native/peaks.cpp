// Peaks against plain loops: whole series with every rule, and streams in ragged chunks. Ends with 0 if equal.
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <vector>

#include "peak_stream.hpp"

using namespace flyball;
using Samples = std::vector<double>;
using Places = std::vector<std::int64_t>;

struct Plain {
  std::int64_t place, left_base, right_base;
  double prominence;
};

static std::vector<Plain> plain_peaks(const Samples& x, const Rules& rules) {
  const auto n = static_cast<std::int64_t>(x.size());
  Places places;
  for (std::int64_t i = 1; i + 1 < n; ++i) {
    if (!(x[i - 1] < x[i])) continue;
    std::int64_t last = i;
    while (last + 1 < n && x[last + 1] == x[i]) ++last;
    const std::int64_t middle = (i + last) / 2;
    if (last + 1 < n && x[last + 1] < x[i] && rules.height.holds(x[i], middle)) places.push_back(middle);
  }
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return x[places[a]] < x[places[b]]; });
  std::vector<bool> kept(places.size(), true);
  for (auto j = order.rbegin(); j != order.rend(); ++j) {
    for (std::size_t k = 0; kept[*j] && k < places.size(); ++k) {
      if (k != *j && std::abs(places[k] - places[*j]) < rules.distance) kept[k] = false;
    }
  }
  std::vector<Plain> found;
  for (std::size_t k = 0; k < places.size(); ++k) {
    if (!kept[k]) continue;
    const std::int64_t at = places[k], half = rules.half ? rules.half : n;
    Plain peak{at, at, at, 0};
    for (std::int64_t i = at; i >= std::max<std::int64_t>(0, at - half) && x[i] <= x[at]; --i) {
      if (x[i] < x[peak.left_base]) peak.left_base = i;
    }
    for (std::int64_t i = at; i <= std::min(n - 1, at + half) && x[i] <= x[at]; ++i) {
      if (x[i] < x[peak.right_base]) peak.right_base = i;
    }
    peak.prominence = x[at] - std::max(x[peak.left_base], x[peak.right_base]);
    if (rules.prominence.holds(peak.prominence, at)) found.push_back(peak);
  }
  return found;
}

static bool same(double a, double b) { return a == b || (a != a && b != b); }

// The order in which the plain loop sorts, for equal heights that contend.
static Places rising(const double* heights, std::int64_t count) {
  Places order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return heights[a] < heights[b]; });
  return order;
}

static bool whole_is_right(const Samples& x, const Rules& rules) {
  const auto want = plain_peaks(x, rules);
  const Found got = Finder(x.data(), static_cast<std::int64_t>(x.size()), rules).find(rising);
  if (got.count != static_cast<std::int64_t>(want.size())) return false;
  for (std::int64_t i = 0; i < got.count; ++i) {
    const Plain& peak = want[static_cast<std::size_t>(i)];
    if (got.places[i] != peak.place || got.left_bases[i] != peak.left_base) return false;
    if (got.right_bases[i] != peak.right_base || !same(got.prominences[i], peak.prominence)) return false;
  }
  return true;
}

static std::vector<Peak> streamed(const Samples& x, const Rules& rules, std::int64_t delay, std::size_t chunk) {
  PeakStream stream(rules, delay);
  std::vector<Peak> all;
  for (std::size_t from = 0; from < x.size(); from += chunk) {
    const auto& told = stream.push(std::span(x).subspan(from, std::min(chunk, x.size() - from)));
    all.insert(all.end(), told.begin(), told.end());
    // Through a state, as it is stored.
    const auto state = stream.state();
    const auto columns = stream.chain().columns();
    if (from % 3 == 0) {
      stream = PeakStream(rules, delay);
      PeakStream::State copy = state;
      for (auto& peak : copy.waiting) {
        peak.right_next = peak.place + 1;
        peak.right_low = x[static_cast<std::size_t>(peak.place)];
      }
      stream.restore(copy, columns);
    }
  }
  const auto& told = stream.finish();
  all.insert(all.end(), told.begin(), told.end());
  return all;
}

static bool stream_is_right(const Samples& x, const Rules& rules, std::int64_t delay) {
  const auto once = streamed(x, rules, delay, x.size() + 1);
  for (const std::size_t chunk : {1, 2, 7, 64, 500}) {
    const auto again = streamed(x, rules, delay, chunk);
    if (again.size() != once.size()) return false;
    for (std::size_t i = 0; i < once.size(); ++i) {
      const Peak &a = once[i], &b = again[i];
      if (a.peak != b.peak || a.seen != b.seen || a.open != b.open || !same(a.prominence, b.prominence)) return false;
      if (a.left_base != b.left_base || a.right_base != b.right_base || !same(a.width, b.width)) return false;
    }
  }
  const auto want = plain_peaks(x, rules);
  for (const Plain& peak : want) {
    const auto told = std::find_if(once.begin(), once.end(), [&](const Peak& one) { return one.peak == peak.place; });
    if (told == once.end()) return false;
    if (!told->open && (!same(told->prominence, peak.prominence) || told->left_base != peak.left_base)) return false;
  }
  for (const Peak& one : once) {
    const auto is = [&](const Plain& peak) { return peak.place == one.peak; };
    if (!one.open && std::none_of(want.begin(), want.end(), is)) return false;
  }
  return true;
}

static Samples series(std::mt19937_64& random, int kind, std::size_t size) {
  Samples x(size);
  double level = 0;
  for (auto& value : x) {
    const double draw = static_cast<double>(random() >> 11) * 0x1p-53;
    level += draw - 0.5;
    value = kind == 0 ? draw : kind == 1 ? std::floor(draw * 4) : kind == 2 ? level : std::floor(level * 4);
    if (kind == 4) value = draw < 0.05 ? kNaN : draw < 0.1 ? kInf : draw < 0.15 ? -kInf : std::floor(draw * 9);
    if (kind == 5) value = draw + 0.2 * static_cast<double>(&value - x.data());
  }
  return x;
}

int main() {
  std::mt19937_64 random(7);
  constexpr std::size_t kSizes[] = {0, 1, 2, 3, 17, 130, 700, 9000};
  for (int kind = 0; kind < 6; ++kind) {
    for (const std::size_t size : kSizes) {
      const Samples x = series(random, kind, size);
      for (const std::int64_t distance : {1, 3, 9, 100}) {
        for (const std::int64_t half : {0, 1, 8, 200}) {
          Rules rules;
          rules.distance = distance;
          rules.half = half;
          rules.wants_prominence = true;
          rules.wants_width = half == 8;
          rules.prominence.has_low = distance != 3;
          rules.prominence.low = 0.3;
          rules.height.has_high = distance == 9;
          rules.height.high = 3.0;
          if (size < 9000 || distance == 100) {
            if (!whole_is_right(x, rules)) return std::printf("whole: kind %d size %zu\n", kind, size), 1;
          }
          for (const std::int64_t delay : {1, 20, 300}) {
            if (size > 130 && (size > 700 || delay < 300)) continue;
            if (!stream_is_right(x, rules, delay)) return std::printf("stream: kind %d size %zu\n", kind, size), 1;
          }
        }
      }
    }
  }
  return 0;
}
