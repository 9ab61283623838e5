// The moving moments against plain loops over each window, in every layout, count and time, whole and in chunks.
#include "moving_moments.hpp"

#include <cstdio>
#include <random>
#include <vector>

using flyball::kStatistics;
using flyball::Plan;

namespace {

constexpr double kTolerance = 1e-7;
int wrong = 0;

struct Case {
  std::int64_t over;
  bool timed;
  std::int64_t rows, channels;
  double least, ddof;
};

// Long double sums of one window's values, mean first.
void plainly(const std::vector<double>& values, const std::vector<std::int64_t>& at, const Case& of,
             std::int64_t row, std::int64_t channel, long double* out) {
  std::int64_t first = row;
  while (first > 0 && at[static_cast<std::size_t>(first - 1)] > at[static_cast<std::size_t>(row)] - of.over) --first;
  long double n = 0, sum = 0, places = 0, low = flyball::kInf, high = -flyball::kInf;
  const auto value = [&](std::int64_t k) { return values[static_cast<std::size_t>(k * of.channels + channel)]; };
  const auto place = [&](std::int64_t k) { return static_cast<long double>(at[static_cast<std::size_t>(k)] - at[0]); };
  for (std::int64_t k = first; k <= row; ++k) {
    if (std::isnan(value(k))) continue;
    n += 1;
    sum += value(k);
    places += place(k);
    low = std::min<long double>(low, value(k));
    high = std::max<long double>(high, value(k));
  }
  for (int s = 0; s < kStatistics; ++s) out[s] = flyball::kNaN;
  if (n < of.least || n == 0) return;
  const long double mean = sum / n, middle = places / n;
  long double squares = 0, cross = 0, along = 0;
  for (std::int64_t k = first; k <= row; ++k) {
    if (std::isnan(value(k))) continue;
    squares += (value(k) - mean) * (value(k) - mean);
    cross += (value(k) - mean) * (place(k) - middle);
    along += (place(k) - middle) * (place(k) - middle);
  }
  out[flyball::kMean] = mean;
  out[flyball::kMin] = low;
  out[flyball::kMax] = high;
  if (!std::isfinite(static_cast<double>(mean))) return;
  if (n > of.ddof) out[flyball::kStd] = std::sqrt(squares / (n - of.ddof));
  if (along > 0) out[flyball::kSlope] = cross / along;
  if (out[flyball::kStd] > 0) out[flyball::kZscore] = (value(row) - mean) / out[flyball::kStd];
}

bool near(double got, long double want) {
  if (std::isnan(static_cast<double>(want))) return std::isnan(got);
  if (std::isinf(static_cast<double>(want))) return got == static_cast<double>(want);
  return std::fabs(got - want) <= kTolerance * (1 + std::fabs(want));
}

void check(const Case& of, std::mt19937_64& random) {
  const auto size = static_cast<std::size_t>(of.rows * of.channels);
  std::vector<double> values(size);
  std::vector<std::int64_t> at(static_cast<std::size_t>(of.rows));
  for (auto& value : values) {
    const auto die = random() % 200;
    value = static_cast<double>(random() % 64) * 0.25 + 3;
    if (die < 10) value = flyball::kNaN;
    if (die == 10) value = flyball::kInf;
    if (die == 11) value = -0.0;
  }
  std::int64_t now = -50;
  for (std::size_t k = 0; k < at.size(); ++k) {
    now += of.timed ? static_cast<std::int64_t>(random() % 4) * (random() % 40 == 0 ? 50 : 1) : 1;
    at[k] = now;
  }
  const Plan plan{of.over, of.timed, of.least, of.ddof, {0, 1, 2, 3, 4, 5}};
  const auto fresh = [&](std::int64_t next) { return flyball::MovingMoments(plan, of.channels, next); };
  const auto area = static_cast<std::int64_t>(size);
  const std::int64_t* times = of.timed ? at.data() : nullptr;

  std::vector<double> whole(kStatistics * size), parts(kStatistics * size), across(kStatistics * size);
  fresh(0).push(flyball::Source<double>{values.data(), of.channels, 1}, of.rows, times,
                flyball::Sink<double>{whole.data(), area, of.channels, 1});
  for (std::int64_t row = 0; row < of.rows; ++row) {
    for (std::int64_t channel = 0; channel < of.channels; ++channel) {
      long double want[kStatistics];
      plainly(values, at, of, row, channel, want);
      for (int s = 0; s < kStatistics; ++s) {
        const double got = whole[static_cast<std::size_t>(s * area + row * of.channels + channel)];
        // A spread that is all rounding makes a score of rounding.
        if (near(got, want[s]) || (s == flyball::kZscore && !(want[flyball::kStd] > 1e-6))) continue;
        if (++wrong < 20) {
          std::printf("over %lld timed %d row %lld channel %lld statistic %d: %.17g, not %.17Lg\n",
                      static_cast<long long>(of.over), of.timed, static_cast<long long>(row),
                      static_cast<long long>(channel), s, got, want[s]);
        }
      }
    }
  }

  // In chunks, taken up again from the rows kept; and with the channels one after another.
  auto moving = fresh(0);
  for (std::int64_t done = 0; done < of.rows;) {
    const auto many = std::min<std::int64_t>(of.rows - done, static_cast<std::int64_t>(random() % 90));
    moving.push(flyball::Source<double>{values.data() + done * of.channels, of.channels, 1}, many,
                times ? times + done : nullptr,
                flyball::Sink<double>{parts.data() + done * of.channels, area, of.channels, 1});
    done += many;
  }
  const std::int64_t kept = moving.kept();
  std::vector<double> rows(static_cast<std::size_t>(kept * of.channels));
  std::vector<std::int64_t> when(static_cast<std::size_t>(kept));
  moving.keep(rows.data(), when.data());
  auto again = fresh(of.rows - kept);
  again.push(flyball::Source<double>{rows.data(), of.channels, 1}, kept, of.timed ? when.data() : nullptr,
             flyball::Sink<double>{nullptr, 0, 0, 0});
  std::vector<float> one(static_cast<std::size_t>(of.channels), 2.5f);
  std::vector<float> first(kStatistics * one.size()), second(first);
  for (auto [of_whom, to] : {std::pair{&moving, &first}, std::pair{&again, &second}}) {
    of_whom->push(flyball::Source<float>{one.data(), of.channels, 1}, 1, of.timed ? &now : nullptr,
                  flyball::Sink<float>{to->data(), of.channels, of.channels, 1});
  }
  std::vector<double> turned(size);
  for (std::int64_t k = 0; k < area; ++k) {
    turned[static_cast<std::size_t>(k % of.channels * of.rows + k / of.channels)] = values[static_cast<std::size_t>(k)];
  }
  fresh(0).push_all(flyball::Source<double>{turned.data(), 1, of.rows}, of.rows, times,
                flyball::Sink<double>{across.data(), area, of.channels, 1});
  const auto same = [&](const auto& a, const auto& b, const char* how) {
    for (std::size_t k = 0; k < a.size(); ++k) {
      if (a[k] == b[k] || (a[k] != a[k] && b[k] != b[k])) continue;
      if (++wrong < 20) std::printf("over %lld, %s: another bit at %zu\n", static_cast<long long>(of.over), how, k);
      return;
    }
  };
  same(whole, parts, "in chunks");
  same(whole, across, "channels one after another");
  same(first, second, "taken up again");
}

}  // namespace

int main() {
  std::mt19937_64 random(7);
  for (const std::int64_t channels : {1, 3, 8, 17}) {
    for (const std::int64_t over : {1, 2, 5, 100, 127, 128, 129, 300}) {
      for (const bool timed : {false, true}) {
        check({over, timed, channels == 1 ? 6000 / (over > 5 ? 2 : 1) : 700, channels, 1, 0}, random);
        check({over, timed, 250, channels, static_cast<double>(over > 2 ? 3 : 1), 1}, random);
        check({over, timed, 0, channels, 1, 0}, random);
      }
    }
  }
  std::printf(wrong ? "%d wrong\n" : "all as plain loops have it\n", wrong);
  return wrong != 0;
}
