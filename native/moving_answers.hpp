// From sums to statistics, and where those go.
#pragma once

#include <type_traits>

#include "moving_blocks.hpp"

namespace flyball {

enum Statistic { kMean, kStd, kMin, kMax, kSlope, kZscore, kStatistics };

// What is asked: windows of `over` rows, or of the times in (t - over, t].
struct Plan {
  std::int64_t over;
  bool timed;
  double least;  // fewer values than this: NaN
  double ddof;
  int place[kStatistics];  // where each statistic lies in the answer; below 0 where it is not asked

  bool asks(Statistic which) const { return place[which] >= 0; }
  std::int64_t block_of(std::int64_t at) const {
    return at >= 0 ? at / over : -1 - (-1 - at) / over;
  }
};

template <class T>
struct Source {
  const T* data;
  std::int64_t row, lane;  // steps, in elements

  Source shifted(std::int64_t rows, std::int64_t lanes) const {
    return {data + rows * row + lanes * lane, row, lane};
  }
};

template <class T>
struct Sink {
  T* data;
  std::int64_t statistic, row, lane;

  Sink shifted(std::int64_t rows, std::int64_t lanes) const {
    return {data ? data + rows * row + lanes * lane : nullptr, statistic, row, lane};
  }
};

// What a statistic needs of the number of values in a window.
template <int G>
struct Known {
  Pack<G> inverse, freed;  // 1 / n, 1 / (n - ddof)
  Pack<G> veil;            // zero, or NaN where there are too few; added, it makes -0.0 and 0.0 one value
};

// Where the answers of a piece of rows go: small enough to be copied for a loop.
template <int G>
struct Places {
  struct Place {
    double* to = nullptr;
    std::int64_t step = 0;

    FLYBALL_INLINE void put(std::int64_t row, const Pack<G>& value) const { value.store(to + row * step); }
  };
  Place of[kStatistics];

  template <class Part>
  FLYBALL_INLINE void put_moments(std::int64_t k, const Pack<G>& value, const Pack<G>& centre,
                                  const Part& both, const Known<G>& now) const {
    const Pack<G> zero = Pack<G>::all(0), mean = both.sum * now.inverse;
    if (of[kMean].to) of[kMean].put(k, centre + mean + now.veil);
    if constexpr (Part::kSpread) {
      const Pack<G> squares = both.square - both.sum * mean;
      const Pack<G> deviation = root(where(squares < zero, zero, squares) * now.freed);
      if (of[kStd].to) of[kStd].put(k, deviation + now.veil);
      if (of[kZscore].to) {
        const Pack<G> score = (value - centre - mean) / deviation;
        of[kZscore].put(k, where(deviation > zero, score, Pack<G>::all(kNaN)) + now.veil);
      }
    }
  }

  FLYBALL_INLINE void put_bounds(std::int64_t k, const Bounds<G>& both, const Known<G>& now) const {
    if (of[kMin].to) of[kMin].put(k, both.low + now.veil);
    if (of[kMax].to) of[kMax].put(k, both.high + now.veil);
  }

  FLYBALL_INLINE void put_slope(std::int64_t k, const Crossed<G>& both, const Known<G>& now) const {
    const Pack<G> across = both.cross - both.along * (both.sum * now.inverse);
    const Pack<G> along = both.square - both.along * (both.along * now.inverse);
    const Pack<G> slope = where(along > Pack<G>::all(0), across / along, Pack<G>::all(kNaN));
    // An infinite value has no slope: times zero it is missing.
    if (of[kSlope].to) of[kSlope].put(k, slope + (both.sum * Pack<G>::all(0) + now.veil));
  }
};

// The answers of a piece of rows, of G series side by side.
template <int G>
class Answers {
 public:
  Answers(const Plan& plan, int lanes) : plan_(plan), lanes_(lanes) {}

  template <class T>
  void open(const Sink<T>& to) {
    for (int s = 0; s < kStatistics; ++s) {
      places_.of[s] = {};
      if (!to.data || plan_.place[s] < 0) continue;
      places_.of[s] = place(s, to.data + plan_.place[s] * to.statistic, to);
    }
  }
  template <class T>
  void close(std::int64_t many, const Sink<T>& to) const {
    for (int s = 0; s < kStatistics; ++s) {
      if (places_.of[s].to) scatter(s, many, to.data + plan_.place[s] * to.statistic, to);
    }
  }

  FLYBALL_INLINE Known<G> known(const Pack<G>& count) const {
    const Pack<G> one = Pack<G>::all(1), none = Pack<G>::all(kNaN), inverse = one / count;
    const Pack<G> veil = where(count >= Pack<G>::all(plan_.least), Pack<G>::all(0), none);
    if (plan_.ddof == 0) return {inverse, inverse, veil};
    const Pack<G> free = count - Pack<G>::all(plan_.ddof);
    return {inverse, where(free > Pack<G>::all(0), one / free, none), veil};
  }

  const Places<G>& places() const { return places_; }

 private:
  // Straight into the answer where its lanes lie side by side, else by way of a tile.
  template <class T>
  static constexpr bool kSame = std::is_same_v<T, double>;
  template <class T>
  bool straight(const Sink<T>& to) const {
    return kSame<T> && lanes_ == G && (to.lane == 1 || G == 1);
  }
  template <class T>
  typename Places<G>::Place place(int statistic, T* data, const Sink<T>& to) {
    if constexpr (kSame<T>) {
      if (straight(to)) {
        return {data, to.row};
      }
    }
    tile_.resize(static_cast<std::size_t>(kStatistics * kPiece * G));
    return {tile_.data() + statistic * kPiece * G, G};
  }
  template <class T>
  void scatter(int statistic, std::int64_t many, T* data, const Sink<T>& to) const {
    if (straight(to)) return;
    const double* tile = tile_.data() + statistic * kPiece * G;
    if (to.lane == 1 && lanes_ == G) {
      for (std::int64_t k = 0; k < many; ++k) Pack<G>::load(tile + k * G).store(data + k * to.row);
    } else if (to.lane == 1) {
      for (std::int64_t k = 0; k < many; ++k) {
        for (int g = 0; g < lanes_; ++g) data[k * to.row + g] = static_cast<T>(tile[k * G + g]);
      }
    } else {
      for (int g = 0; g < lanes_; ++g) {
        T* lane = data + g * to.lane;
        for (std::int64_t k = 0; k < many; ++k) lane[k * to.row] = static_cast<T>(tile[k * G + g]);
      }
    }
  }

  Plan plan_;
  int lanes_;
  Places<G> places_;
  Room<double> tile_;
};

}  // namespace flyball
