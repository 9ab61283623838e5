// What is left of a grey image when every pixel is foretold from those above it, or from the one to its left.
//
// The rules look at whole rows above only (`kLeft` at the pixel to the left), so that undoing one runs over
// registers of pixels: PNG's average and Paeth rules look both up and left, and have to go pixel by pixel.
// Residuals are kept modulo the type's range.  Those of 16 bits are folded (0, -1, 1, -2 become 0, 1, 2, 3), then
// laid down as a plane of low bytes and a plane of high ones, which are nearly all zero.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace flyball {

enum Rule : int { kNone = 0, kLeft = 1, kUp = 2, kMean = 3, kCone = 4 };
constexpr int kRules = 5;

// Of an image of more pixels a part only is looked at to choose a rule.
constexpr std::int64_t kSmall = 1 << 16;

// What a rule foretells for all pixels of a row, in order: to(x, foretold).  `image` points at the first row.
// The first row is foretold as zeros; `kMean` needs four rows above and is `kUp` before it has them.
template <typename T, typename To>
inline void foretell(const T* __restrict image, std::int64_t row, std::int64_t width, int rule, To to) {
  const T* up = image + (row - 1) * width;
  if (rule == kNone || row == 0) {
    for (std::int64_t x = 0; x < width; ++x) to(x, T{0});
  } else if (rule == kUp || (rule == kMean && row < 4)) {
    for (std::int64_t x = 0; x < width; ++x) to(x, up[x]);
  } else if (rule == kMean) {
    const T *two = up - width, *three = two - width, *four = three - width;
    using Wide = std::conditional_t<sizeof(T) == 1, std::uint16_t, std::uint32_t>;
    for (std::int64_t x = 0; x < width; ++x) {
      to(x, static_cast<T>((Wide(up[x]) + Wide(two[x]) + Wide(three[x]) + Wide(four[x]) + Wide(2)) >> 2));
    }
  } else {
    using Wide = std::conditional_t<sizeof(T) == 1, std::uint16_t, std::uint32_t>;
    const auto cone = [](T left, T middle, T right) {
      return static_cast<T>((Wide(left) + Wide(2 * Wide(middle)) + Wide(right) + Wide(2)) >> 2);
    };
    to(0, cone(up[0], up[0], up[std::min<std::int64_t>(1, width - 1)]));
    for (std::int64_t x = 1; x < width - 1; ++x) to(x, cone(up[x - 1], up[x], up[x + 1]));
    if (width > 1) to(width - 1, cone(up[width - 2], up[width - 1], up[width - 1]));
  }
}

inline std::uint16_t folded(std::uint16_t residual) {
  return static_cast<std::uint16_t>((residual << 1) ^ (residual & 0x8000 ? 0xFFFF : 0));
}
inline std::uint16_t unfolded(std::uint16_t value) {
  return static_cast<std::uint16_t>((value >> 1) ^ (value & 1 ? 0xFFFF : 0));
}

// Where residuals lie: as they are, or in two planes.
struct Bytes {
  std::uint8_t* low;
  void put(std::int64_t at, std::uint8_t residual) const { low[at] = residual; }
  std::uint8_t get(std::int64_t at) const { return low[at]; }
};
struct Planes {
  std::uint8_t *low, *high;
  void put(std::int64_t at, std::uint16_t residual) const {
    const std::uint16_t value = folded(residual);
    low[at] = static_cast<std::uint8_t>(value);
    high[at] = static_cast<std::uint8_t>(value >> 8);
  }
  std::uint16_t get(std::int64_t at) const {
    return unfolded(static_cast<std::uint16_t>(low[at] | (high[at] << 8)));
  }
};

template <typename T>
inline auto laid(std::uint8_t* bytes, std::int64_t size) {
  if constexpr (sizeof(T) == 1) {
    return Bytes{bytes};
  } else {
    return Planes{bytes, bytes + size};
  }
}

// `bytes` has room for height * width * sizeof(T).
template <typename T>
inline void residuals(const T* __restrict image, std::int64_t height, std::int64_t width, int rule,
                      std::uint8_t* __restrict bytes) {
  const auto out = laid<T>(bytes, height * width);
  for (std::int64_t row = 0; row < height; ++row) {
    const std::int64_t at = row * width;
    const T* here = image + at;
    if (rule == kLeft) {
      if (width) out.put(at, here[0]);
      for (std::int64_t x = 1; x < width; ++x) out.put(at + x, static_cast<T>(here[x] - here[x - 1]));
    } else {
      foretell(image, row, width, rule,
               [&](std::int64_t x, T foretold) { out.put(at + x, static_cast<T>(here[x] - foretold)); });
    }
  }
}

// Sums from the left within a row, a register of residuals at a time: log steps within it, then what came before.
template <typename T, typename From>
inline void sum_row(const From& from, std::int64_t at, std::int64_t width, T* __restrict row) {
  typedef T Lanes __attribute__((vector_size(16)));
  constexpr std::int64_t lanes = 16 / static_cast<std::int64_t>(sizeof(T));
  T before = 0;
  std::int64_t x = 0;
  for (; x + lanes <= width; x += lanes) {
    T held[lanes];
    for (std::int64_t i = 0; i < lanes; ++i) held[i] = from.get(at + x + i);
    Lanes sums;
    std::memcpy(&sums, held, sizeof(sums));
    const Lanes zero{};
    if constexpr (sizeof(T) == 1) {
      sums += __builtin_shufflevector(sums, zero, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
      sums += __builtin_shufflevector(sums, zero, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
      sums += __builtin_shufflevector(sums, zero, 16, 16, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
      sums += __builtin_shufflevector(sums, zero, 16, 16, 16, 16, 16, 16, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7);
    } else {
      sums += __builtin_shufflevector(sums, zero, 8, 0, 1, 2, 3, 4, 5, 6);
      sums += __builtin_shufflevector(sums, zero, 8, 8, 0, 1, 2, 3, 4, 5);
      sums += __builtin_shufflevector(sums, zero, 8, 8, 8, 8, 0, 1, 2, 3);
    }
    sums += before;
    std::memcpy(row + x, &sums, sizeof(sums));
    before = sums[lanes - 1];
  }
  for (; x < width; ++x) row[x] = before = static_cast<T>(before + from.get(at + x));
}

// The image again, from what `residuals` wrote.
template <typename T>
inline void restore(const std::uint8_t* bytes, std::int64_t height, std::int64_t width, int rule, T* __restrict image) {
  const auto from = laid<T>(const_cast<std::uint8_t*>(bytes), height * width);
  for (std::int64_t row = 0; row < height; ++row) {
    const std::int64_t at = row * width;
    T* __restrict here = image + at;
    if (rule == kLeft) {
      sum_row(from, at, width, here);
      continue;
    }
    foretell(image, row, width, rule,
             [&](std::int64_t x, T foretold) { here[x] = static_cast<T>(from.get(at + x) + foretold); });
  }
}

// How often each byte of the residuals occurs under each rule, plane by plane: counts (kRules, sizeof(T), 256).
// Of a large image a sixteenth of each row is looked at, at a place that moves from row to row by the golden ratio:
// lines may run down or across at any distance, and a fixed place would see them all or none.
template <typename T>
inline void count_residuals(const T* image, std::int64_t height, std::int64_t width, std::int64_t* counts) {
  using Wide = std::conditional_t<sizeof(T) == 1, std::uint16_t, std::uint32_t>;
  const std::int64_t looked = height * width <= kSmall ? width : (width + 15) / 16;
  for (std::int64_t row = 0; row < height; ++row) {
    const std::int64_t turned = static_cast<std::uint32_t>(row * 2654435761);
    const std::int64_t first = (turned * (width - looked + 1)) >> 32;
    const T* here = image + row * width;
    for (std::int64_t x = first; x < first + looked; ++x) {
      const auto above = [&](std::int64_t rows, std::int64_t column) { return Wide(*(here - rows * width + column)); };
      T foretold[kRules] = {};
      foretold[kLeft] = x ? here[x - 1] : T{0};
      if (row > 0) {
        foretold[kUp] = foretold[kMean] = static_cast<T>(above(1, x));
        const Wide sides = above(1, std::max<std::int64_t>(x - 1, 0)) + above(1, std::min(x + 1, width - 1));
        foretold[kCone] = static_cast<T>(Wide(sides + 2 * above(1, x) + 2) >> 2);
      }
      if (row >= 4) {
        foretold[kMean] = static_cast<T>(Wide(above(1, x) + above(2, x) + above(3, x) + above(4, x) + 2) >> 2);
      }
      for (int rule = 0; rule < kRules; ++rule) {
        std::int64_t* bins = counts + rule * static_cast<std::int64_t>(sizeof(T)) * 256;
        const T residual = static_cast<T>(here[x] - foretold[rule]);
        if constexpr (sizeof(T) == 1) {
          ++bins[residual];
        } else {
          const std::uint16_t value = folded(residual);
          ++bins[value & 0xFF];
          ++bins[256 + (value >> 8)];
        }
      }
    }
  }
}

// Residuals of 8 bits as two halves: folded as those of 16 bits are, the low four bits of two of them in a byte of
// `low`, the high four in one of `high`, each of (size + 1) / 2 bytes.  What lies half the image apart shares a byte, so
// that both ways run over whole registers.  Noise fills the low bits evenly: only the high ones are worth packing.
inline std::uint8_t folded8(std::uint8_t residual) {
  return static_cast<std::uint8_t>((residual << 1) ^ (residual & 0x80 ? 0xFF : 0));
}
inline std::uint8_t unfolded8(std::uint8_t value) {
  return static_cast<std::uint8_t>((value >> 1) ^ (value & 1 ? 0xFF : 0));
}

inline void halve(const std::uint8_t* __restrict residuals, std::int64_t size, std::uint8_t* __restrict low,
                  std::uint8_t* __restrict high) {
  const std::int64_t half = (size + 1) / 2;
  for (std::int64_t i = 0; i < size - half; ++i) {
    const std::uint8_t one = folded8(residuals[i]), other = folded8(residuals[half + i]);
    low[i] = static_cast<std::uint8_t>((one & 0x0F) | (other << 4));
    high[i] = static_cast<std::uint8_t>((one >> 4) | (other & 0xF0));
  }
  if (size % 2) {
    low[half - 1] = folded8(residuals[half - 1]) & 0x0F;
    high[half - 1] = folded8(residuals[half - 1]) >> 4;
  }
}

inline void rejoin(const std::uint8_t* __restrict low, const std::uint8_t* __restrict high, std::int64_t size,
                   std::uint8_t* __restrict residuals) {
  const std::int64_t half = (size + 1) / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    residuals[i] = unfolded8(static_cast<std::uint8_t>((low[i] & 0x0F) | (high[i] << 4)));
  }
  for (std::int64_t i = 0; i < size - half; ++i) {
    residuals[half + i] = unfolded8(static_cast<std::uint8_t>((low[i] >> 4) | (high[i] & 0xF0)));
  }
}

}  // namespace flyball
