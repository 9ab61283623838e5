// Residuals of grey images against plain loops, and back, for every rule and awkward sizes. Ends with 0 if equal.
#include <cstdio>
#include <random>
#include <vector>

#include "residuals.hpp"

using namespace flyball;

template <typename T>
static T plain(const std::vector<T>& image, std::int64_t width, std::int64_t y, std::int64_t x, int rule) {
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return static_cast<std::uint32_t>(image[static_cast<std::size_t>(row * width + column)]);
  };
  if (rule == kLeft) return static_cast<T>(x ? at(y, x - 1) : 0);
  if (rule == kNone || y == 0) return 0;
  if (rule == kUp || (rule == kMean && y < 4)) return static_cast<T>(at(y - 1, x));
  if (rule == kMean) return static_cast<T>((at(y - 1, x) + at(y - 2, x) + at(y - 3, x) + at(y - 4, x) + 2) >> 2);
  const std::int64_t left = x ? x - 1 : 0, right = x + 1 < width ? x + 1 : width - 1;
  return static_cast<T>((at(y - 1, left) + 2 * at(y - 1, x) + at(y - 1, right) + 2) >> 2);
}

template <typename T>
static int check(std::int64_t height, std::int64_t width, std::mt19937& random) {
  const auto size = static_cast<std::size_t>(height * width);
  std::vector<T> image(size), back(size);
  for (auto& value : image) value = static_cast<T>(random());
  std::vector<std::uint8_t> bytes(size * sizeof(T));
  std::vector<std::int64_t> counts(kRules * sizeof(T) * 256), want(counts.size());
  count_residuals(image.data(), height, width, counts.data());
  for (int rule = 0; rule < kRules; ++rule) {
    residuals(image.data(), height, width, rule, bytes.data());
    for (std::size_t i = 0; i < size; ++i) {
      const auto y = static_cast<std::int64_t>(i) / width, x = static_cast<std::int64_t>(i) % width;
      const T left = static_cast<T>(image[i] - plain(image, width, y, x, rule));
      std::uint16_t value = left;
      if constexpr (sizeof(T) == 2) value = folded(left);
      if (bytes[i] != (value & 0xFF)) return 1;
      if (sizeof(T) == 2 && bytes[size + i] != value >> 8) return 1;
      const bool all = static_cast<std::int64_t>(size) <= kSmall;
      const std::int64_t looked = all ? width : (width + 15) / 16;
      const std::int64_t first = (std::int64_t{static_cast<std::uint32_t>(y * 2654435761)} * (width - looked + 1)) >> 32;
      if (first <= x && x < first + looked) {
        ++want[(rule * sizeof(T)) * 256 + (value & 0xFF)];
        if (sizeof(T) == 2) ++want[(rule * sizeof(T) + 1) * 256 + (value >> 8)];
      }
    }
    if constexpr (sizeof(T) == 1) {
      std::vector<std::uint8_t> low((size + 1) / 2), high(low.size()), again(size);
      halve(bytes.data(), static_cast<std::int64_t>(size), low.data(), high.data());
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t at = i < low.size() ? i : i - low.size(), shift = i < low.size() ? 0 : 4;
        const int value = ((low[at] >> shift) & 15) | (((high[at] >> shift) & 15) << 4);
        if (value != (2 * bytes[i] < 256 ? 2 * bytes[i] : 511 - 2 * bytes[i])) return 1;
      }
      rejoin(low.data(), high.data(), static_cast<std::int64_t>(size), again.data());
      if (again != bytes) return 1;
    }
    restore(bytes.data(), height, width, rule, back.data());
    if (back != image) return 1;
  }
  return counts != want;
}

int main() {
  std::mt19937 random(7);
  for (const std::int64_t height : {1, 2, 4, 5, 9, 40}) {
    for (const std::int64_t width : {1, 2, 3, 15, 16, 17, 64, 101, 2000}) {
      if (check<std::uint8_t>(height, width, random) || check<std::uint16_t>(height, width, random)) {
        std::printf("not equal: %d x %d\n", static_cast<int>(height), static_cast<int>(width));
        return 1;
      }
    }
  }
  return 0;
}
