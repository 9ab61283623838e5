// Mean, standard deviation, extremes, slope and z-score over moving windows of some series side by side.
#pragma once

#include "moving_answers.hpp"

namespace flyball {

constexpr std::int64_t kNoBlock = std::numeric_limits<std::int64_t>::min();

// G series that move together. Lanes past the given ones hold zeros.
template <int G>
class Group {
 public:
  Group(const Plan& plan, int lanes, std::int64_t next)
      : plan_(plan), lanes_(lanes), next_(next), answers_(plan, lanes) {}

  // `times` holds n of them, never falling, where windows are of times. Without a sink the rows are only
  // taken in: they came before what will be pushed.
  template <class T>
  void push(Source<T> from, std::int64_t n, const std::int64_t* times, Sink<T> to) {
    for (std::int64_t done = 0; done < n;) {
      const std::int64_t many = take(from, n - done, times);
      emit(many, to);
      done += many;
      from = from.shifted(many, 0);
      to = to.shifted(many, 0);
      if (times) times += many;
    }
  }

  // As new, for other series; the memory stays.
  void restart(std::int64_t next) {
    id_ = kNoBlock;
    next_ = next;
  }

  const Block<G>& older() const { return older_; }
  const Block<G>& newer() const { return newer_; }
  // The older block's first row that a window to come may hold; all of them where blocks are counted in rows.
  std::int64_t left() const { return plan_.timed ? left_ : 0; }

 private:
  // Takes rows into the newer block up to the next of: its end, a stretch's end, another pivot.
  template <class T>
  std::int64_t take(const Source<T>& from, std::int64_t most, const std::int64_t* times) {
    const std::int64_t id = plan_.block_of(times ? *times : next_);
    if (id != id_) turn(id, times ? *times : next_);
    std::int64_t many = reach(std::min(most, kPiece), times);
    double* rows = newer_.room(many);
    const bool finite = gather(from, many, rows);
    many = settle(many, finite, times, rows);
    gaps_ = !finite || !newer_.finite || !older_.finite;
    newer_.finite &= finite;
    if (times) newer_.times.insert(newer_.times.end(), times, times + many);
    left_ = from_[many - 1];
    first_ = newer_.length;
    newer_.length += many;
    next_ += many;
    return many;
  }

  void turn(std::int64_t id, std::int64_t time) {
    std::swap(older_, newer_);
    if (id != id_ + 1) older_.clear();
    newer_.clear();
    id_ = id;
    axis_ = {plan_.timed, time};
    left_ = 0;
    settled_ = counting_ = false;
    count_.turn();
    level_.turn();
    spread_.turn();
    bounds_.turn();
    crossed_.turn();
  }

  // How many rows share block and stretch, and where the older part of each one's window begins.
  std::int64_t reach(std::int64_t most, const std::int64_t* times) {
    if (!times) {
      most = std::min(most, plan_.over - newer_.length);
      const std::int64_t first = older_.length ? newer_.length + 1 : 0;
      if (older_.length) most = std::min(most, kStretch<G> - first % kStretch<G>);
      for (std::int64_t k = 0; k < most; ++k) from_[k] = older_.length ? first + k : 0;
      return most;
    }
    const std::int64_t end = (id_ + 1) * plan_.over;
    std::int64_t many = 0;
    for (std::int64_t left = left_; many < most && times[many] < end; ++many) {
      const std::int64_t gone = times[many] - plan_.over;
      while (left < older_.length && older_.times[static_cast<std::size_t>(left)] <= gone) ++left;
      if (many && left / kStretch<G> != from_[0] / kStretch<G>) break;
      from_[many] = left;
    }
    return many;
  }

  // Returns whether all of it is finite: neither missing nor infinite, so that it is zero from itself.
  template <class T>
  bool gather(const Source<T>& from, std::int64_t many, double* rows) const {
    Pack<G> odd = Pack<G>::all(0);
    if (G > 1 && lanes_ == G && from.lane == 1) {
      for (std::int64_t k = 0; k < many; ++k) {
        const Pack<G> row = Pack<G>::load(from.data + k * from.row);
        row.store(rows + k * G);
        odd = merged(odd, row - row);
      }
    } else {
      if (lanes_ < G) std::fill(rows, rows + many * G, 0.0);
      for (int g = 0; g < lanes_; ++g) {
        const T* lane = from.data + g * from.lane;
        for (std::int64_t k = 0; k < many; ++k) rows[k * G + g] = static_cast<double>(lane[k * from.row]);
      }
      for (std::int64_t k = 0; k < many; ++k) {
        const Pack<G> row = Pack<G>::load(rows + k * G);
        odd = merged(odd, row - row);
      }
    }
    return !(odd != odd).any();
  }

  // The pivot of a lane is its first finite value in the newer block; until there is one, the older block's
  // last. Where it changes, a piece begins.
  std::int64_t settle(std::int64_t many, bool finite, const std::int64_t* times, const double* rows) {
    if (settled_) return many;
    if (finite && newer_.length == 0) {
      pivot_ = {Pack<G>::load(rows), Pack<G>::all(0)};
      settled_ = true;
      return many;
    }
    if (newer_.length == 0) lean();
    for (std::int64_t k = 0; k < many; ++k) {
      if (!found(rows + k * G)) continue;
      if (k > 0) return k;
      const double at = times ? static_cast<double>(*times - axis_.base) : static_cast<double>(newer_.length);
      adopt(rows, at);
      if (settled_) return many;
    }
    return many;
  }

  bool found(const double* row) const {
    for (int g = 0; g < G; ++g) {
      if (!own_[g] && std::isfinite(row[g])) return true;
    }
    return false;
  }

  void adopt(const double* row, double at) {
    settled_ = true;
    for (int g = 0; g < G; ++g) {
      if (!own_[g] && std::isfinite(row[g])) {
        own_[g] = true;
        pivot_.centre.set(g, row[g]);
        pivot_.origin.set(g, at);
      }
      settled_ &= own_[g];
    }
    level_.forget();
    spread_.forget();
    crossed_.forget();
  }

  // Leans on the older block's last finite values, for lanes that begin without one.
  void lean() {
    for (int g = 0; g < G; ++g) {
      own_[g] = false;
      std::int64_t at = older_.length - 1;
      while (at >= 0 && !std::isfinite(older_.row(at)[g])) --at;
      pivot_.centre.set(g, at < 0 ? 0 : older_.row(at)[g]);
      pivot_.origin.set(g, at < 0 ? 0 : axis_.older(older_, at));
    }
  }

  template <class T>
  void emit(std::int64_t many, const Sink<T>& to) {
    answers_.open(to);
    if (gaps_) {
      compute<true>(many);
    } else {
      compute<false>(many);
    }
    answers_.close(many, to);
  }

  template <bool kGaps>
  void compute(std::int64_t many) {
    const auto moments = [at = answers_.places(), centre = pivot_.centre](
                             std::int64_t k, const Pack<G>& value, const auto& both, const Known<G>& now)
                             __attribute__((always_inline)) { at.put_moments(k, value, centre, both, now); };
    const auto bounds = [at = answers_.places()](std::int64_t k, const Pack<G>&, const auto& both,
                                                 const Known<G>& now)
                            __attribute__((always_inline)) { at.put_bounds(k, both, now); };
    const auto slope = [at = answers_.places()](std::int64_t k, const Pack<G>&, const auto& both,
                                                const Known<G>& now)
                           __attribute__((always_inline)) { at.put_slope(k, both, now); };
    if constexpr (kGaps) count(many);
    if (plan_.asks(kStd) || plan_.asks(kZscore)) {
      run<kGaps>(spread_, many, moments);
    } else if (plan_.asks(kMean)) {
      run<kGaps>(level_, many, moments);
    }
    if (plan_.asks(kMin) || plan_.asks(kMax)) {
      run<kGaps>(bounds_, many, bounds);
    }
    if (plan_.asks(kSlope)) {
      run<kGaps>(crossed_, many, slope);
    }
  }

  // Values are counted only where some are missing: elsewhere there are as many as rows.
  void count(std::int64_t many) {
    if (!counting_) count_.newer.count = Pack<G>::all(static_cast<double>(first_));
    counting_ = true;
    counts_.resize(kPiece);
    Pack<G>* counts = counts_.data();
    run<true>(count_, many, [counts](std::int64_t k, const Pack<G>&, const Counts<G>& both, const Known<G>&)
                                __attribute__((always_inline)) { counts[k] = both.count; });
  }

  template <bool kGaps, class Part, class Put>
  FLYBALL_INLINE void run(Halves<G, Part>& halves, std::int64_t many, Put put) {
    const std::int64_t stretch = from_[0] / kStretch<G>;
    const Part* older = halves.older(older_, stretch, pivot_, axis_) - stretch * kStretch<G>;
    const auto known = [this](std::int64_t held) {
      return answers_.known(Pack<G>::all(static_cast<double>(held)));
    };
    if constexpr (kGaps) {
      walk<kGaps>(halves, many, put, [this, older](std::int64_t k) { return older + from_[k]; },
           [this](std::int64_t k) { return answers_.known(counts_[static_cast<std::size_t>(k)]); });
    } else if (!plan_.timed && older_.length) {  // as many rows as the window is long, one further each time
      const auto now = known(plan_.over);
      walk<kGaps>(halves, many, put, [first = older + from_[0]](std::int64_t k) { return first + k; },
           [&now](std::int64_t) -> const Known<G>& { return now; });
    } else {
      walk<kGaps>(halves, many, put, [this, older](std::int64_t k) { return older + from_[k]; },
           [&](std::int64_t k) { return known(first_ + k + 1 + older_.length - from_[k]); });
    }
  }

  template <bool kGaps, class Part, class Put, class Older, class Now>
  FLYBALL_INLINE void walk(Halves<G, Part>& halves, std::int64_t many, Put put, Older older, Now now) {
    Part newer = halves.newer;
    const Pivot<G> pivot = pivot_;
    const double* rows = newer_.row(first_);
    for (std::int64_t k = 0; k < many; ++k) {
      const double at = Part::kPlaced ? axis_.newer(newer_, first_ + k) : 0;
      const Pack<G> value = Pack<G>::load(rows + k * G);
      newer.template enter<kGaps>({value, at}, pivot);
      put(k, value, newer.with(*older(k)), now(k));
    }
    halves.newer = newer;
  }

  Plan plan_;
  int lanes_;
  std::int64_t next_;              // the number of the row that comes next
  std::int64_t id_ = kNoBlock;     // of the newer block
  Block<G> older_, newer_;
  Axis axis_{};
  Pivot<G> pivot_;
  bool own_[G] = {};               // lanes whose pivot is a value of the newer block
  bool settled_ = false, counting_ = false, gaps_ = false;
  Halves<G, Counts<G>> count_;
  Halves<G, Sums<G, false>> level_;
  Halves<G, Sums<G, true>> spread_;
  Halves<G, Bounds<G>> bounds_;
  Halves<G, Crossed<G>> crossed_;
  // The piece at work: its first row, where the older parts begin, the counts and the answers.
  std::int64_t first_ = 0, left_ = 0;
  std::int64_t from_[kPiece];
  Room<Pack<G>> counts_;
  Answers<G> answers_;
};

}  // namespace flyball
