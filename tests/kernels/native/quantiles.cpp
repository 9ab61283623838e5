// Moving quantiles by networks and by ranks beside a plain loop that sorts every window, without Python.
// Ends with 0 where all bits agree, and says where they do not.
#include <cstdio>
#include <cstring>

#include "quantile_stream.hpp"

namespace {

using flyball::RankRule;

// The same figures on every machine.
struct Dice {
  std::uint64_t state = 88172645463325252ULL;
  std::uint64_t roll() {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  }
  std::int64_t below(std::int64_t many) {
    return static_cast<std::int64_t>(roll() % static_cast<std::uint64_t>(many));
  }
};

template <typename T>
std::vector<T> series(Dice& dice, std::int64_t rows, int kind) {
  std::vector<T> made(static_cast<std::size_t>(rows));
  double level = 0;
  for (T& value : made) {
    const double step = static_cast<double>(dice.below(2001) - 1000) / 7;
    level += step;
    const double few = static_cast<double>(dice.below(4));
    value = static_cast<T>(kind == 0 ? step : kind == 1 ? level : kind == 2 ? few : step * step * step);
    if (kind == 3 && dice.below(9) == 0) value *= static_cast<T>(1e30);
    if (kind == 2 && dice.below(5) == 0) value = static_cast<T>(-0.0);
    if (kind >= 2 && dice.below(30) == 0) value = dice.below(2) ? flyball::kMost<T> : -flyball::kMost<T>;
    if (kind == 4 && dice.below(8) == 0) value = std::numeric_limits<T>::max();
    if (kind % 2 == 1 && dice.below(6) == 0) value = static_cast<T>(flyball::kNaN);
  }
  return made;
}

template <typename T>
T plain(const RankRule& rule, const T* rows, std::int64_t step, std::int64_t many) {
  std::vector<T> present;
  for (std::int64_t i = 0; i < many; ++i) {
    if (rows[i * step] == rows[i * step]) present.push_back(rows[i * step]);
  }
  const auto count = static_cast<std::int64_t>(present.size());
  if (count < rule.min_count) return static_cast<T>(flyball::kNaN);
  std::sort(present.begin(), present.end());
  return rule.between(present[static_cast<std::size_t>(rule.low(count))],
                      present[static_cast<std::size_t>(rule.high(count))], count);
}

template <typename T>
bool same(T a, T b) {
  return (a != a && b != b) || std::memcmp(&a, &b, sizeof(T)) == 0;
}

template <typename T>
bool agree(const char* way, const RankRule& rule, const flyball::Channels<T>& all, std::int64_t from,
           const std::vector<T>& made) {
  const bool flat = all.row_step == 1;
  for (std::int64_t c = 0; c < all.channels; ++c) {
    for (std::int64_t row = from; row < all.rows; ++row) {
      const std::int64_t start = std::max<std::int64_t>(0, row - rule.window + 1);
      const T* rows = all.values + c * all.channel_step + start * all.row_step;
      const T want = plain(rule, rows, all.row_step, row + 1 - start);
      const std::int64_t at = flat ? c * (all.rows - from) + row - from : (row - from) * all.channels + c;
      const T got = made[static_cast<std::size_t>(at)];
      if (same(got, want)) continue;
      std::printf("%s: window %ld, at least %ld, q %g, row %ld of %ld, channel %ld: %g, not %g\n", way,
                  rule.window, rule.min_count, rule.q, row, all.rows, c, static_cast<double>(got),
                  static_cast<double>(want));
      return false;
    }
  }
  return true;
}

template <typename T>
bool trial(Dice& dice, int number) {
  const std::int64_t rows = 1 + dice.below(number % 9 ? 300 : 1500);
  const std::int64_t channels = number % 3 ? 1 : 1 + dice.below(20);
  const auto values = series<T>(dice, rows * channels, number % 5);
  RankRule rule;
  rule.window = 1 + dice.below(std::min<std::int64_t>(rows, number % 4 ? 40 : 700));
  rule.min_count = number % 2 ? 1 : 1 + dice.below(rule.window);
  rule.median = number % 4 < 2;
  if (!rule.median) rule.q = static_cast<double>(dice.below(101)) / 100;
  const std::int64_t from = number % 7 ? 0 : dice.below(rows);
  const bool flat = number % 6 != 0;
  const flyball::Channels<T> all{values.data(), rows, channels, flat ? 1 : channels, flat ? rows : 1};

  std::vector<T> made(static_cast<std::size_t>((rows - from) * channels));
  flyball::NetworkQuantile<T>{rule}(all, from, made.data());
  if (!agree("networks", rule, all, from, made)) return false;
  std::fill(made.begin(), made.end(), T{7});
  flyball::MovingQuantile<T>{rule}(all, from, made.data());
  if (!agree("either", rule, all, from, made)) return false;
  if (!flat || channels > 1) return true;
  std::fill(made.begin(), made.end(), T{7});
  flyball::RankedQuantile<T>{rule}(values.data(), rows, from, made.data(), 1);
  return agree("ranks", rule, all, from, made);
}

// Chunks of every length, some with rows that lie apart.
template <typename T>
bool stream_trial(Dice& dice, int number) {
  const std::int64_t rows = 1 + dice.below(900), channels = 1 + dice.below(number % 2 ? 1 : 6);
  const std::int64_t step = channels + dice.below(3);
  const auto values = series<T>(dice, rows * step, number % 5);
  RankRule rule;
  rule.window = 1 + dice.below(number % 3 ? 60 : 700);
  rule.min_count = 1 + dice.below(number % 2 ? rule.window : 1);
  rule.median = number % 4 < 2;
  if (!rule.median) rule.q = static_cast<double>(dice.below(101)) / 100;
  const flyball::Channels<T> all{values.data(), rows, channels, step, 1};

  std::vector<T> made(static_cast<std::size_t>(rows * channels));
  flyball::QuantileStream<T> stream(rule, channels, nullptr, 0);
  const std::int64_t most = 1 + dice.below(number % 5 ? 40 : 400);
  for (std::int64_t at = 0; at < rows;) {
    const std::int64_t many = std::min(rows - at, dice.below(most + 1));
    stream.push(values.data() + at * step, many, static_cast<std::ptrdiff_t>(sizeof(T)) * step, sizeof(T),
                made.data() + at * channels);
    at += many;
  }
  if (static_cast<std::int64_t>(stream.state().size()) != std::min(rows, rule.window - 1) * channels) {
    std::printf("stream: %zu figures kept\n", stream.state().size());
    return false;
  }
  return agree("stream", rule, all, 0, made);
}

}  // namespace

int main() {
  Dice dice;
  for (int number = 0; number < 240; ++number) {
    if (!trial<double>(dice, number) || !trial<float>(dice, number)) return 1;
    if (number % 2) continue;
    if (!stream_trial<double>(dice, number / 2) || !stream_trial<float>(dice, number / 2)) return 1;
  }
  return 0;
}
