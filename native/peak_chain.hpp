// The distance rule for a series that has not ended: which peaks are kept whatever comes, and since when.
//
// A peak is ripe once all peaks nearer than the distance are known. From the first undecided peak climb to
// the highest undecided one in reach, as for a whole series; a climb rests on a peak that is not ripe, and
// nothing before that peak can be told until it is. So what is decided, and the sample at which it is,
// follow from the samples alone, however they arrive.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "spacing.hpp"

namespace flyball {

// Why a peak is not certain. A peak without any is a peak of the whole series with these properties.
constexpr std::int64_t kDistance = 1, kTie = 2, kProminence = 4, kWidth = 8, kPlateau = 16;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kGrouped = -1;

// A maximum of the series: the middle of its run, and by how many samples the run's last is behind its first.
struct Top {
  std::int64_t place;
  std::int64_t span;

  std::int64_t known() const { return place - span / 2 + span + 1; }
  std::int64_t due(std::int64_t delay) const { return std::max(place + delay, known()); }
};

class Chain {
 public:
  // Columns, one row for each top: what a state consists of.
  struct Columns {
    std::vector<std::int64_t> places, spans, when;  // when it was decided, kNever before
    std::vector<double> keys, doubts;               // the height while undecided; and where none will ever tell
    std::int64_t expired = 0;                       // rows before it were told as decided or as overdue
    std::int64_t time = 0;                          // of the last decision
    std::int64_t ripe_until = -1;                   // the furthest sample whose run's end was asked for
  };

  // An undecided top is given up `hold` samples after it: what it decides itself was told before.
  Chain(std::int64_t distance, std::int64_t delay)
      : distance_(distance), delay_(delay), hold_(delay + distance) {}

  void add(const Top& top, double height) {
    rows_.places.push_back(top.place);
    rows_.spans.push_back(top.span);
    rows_.when.push_back(kNever);
    rows_.keys.push_back(height);
    rows_.doubts.push_back(kDecided);
  }

  // Decide what can be at sample `now`, where all tops up to sample `known` were added. `run_end(i)` gives the
  // sample after the run that holds sample i; `tell(top, time, doubt)` hears of each peak that is kept or in
  // doubt, with the sample at which that became clear, at most `delay` after it.
  template <typename RunEnd, typename Tell>
  void advance(std::int64_t now, std::int64_t known, RunEnd run_end, Tell tell) {
    const auto ripe = [&](std::int64_t at) { return end(at) <= known; };
    while (seek_first()) {
      if (climb_.empty()) climb_.push_back(first_);
      const std::int64_t at = climb_.back();
      if (rows_.keys[at] == kDecided) {
        climb_.pop_back();
        continue;
      }
      const bool ready = ripe(at);
      const std::int64_t time = ready ? ripe_time(at, run_end) : kNever;
      const std::int64_t lost = std::max(rows_.places[first_] + hold_, top(first_).known());
      if (lost <= now && lost <= time) {
        forget(lost);
        continue;
      }
      if (!ready) break;
      pass(at, time);
      resolve(at, ripe, run_end, tell);
    }
    expire(now, tell);
    drop(known);
  }

  const Columns& columns() const { return rows_; }
  void restore(Columns rows) {
    rows_ = std::move(rows);
    first_ = 0;
    climb_.clear();
    doubts_ = std::any_of(rows_.doubts.begin(), rows_.doubts.end(), [](double key) { return key != kDecided; });
  }

 private:
  std::int64_t count() const { return static_cast<std::int64_t>(rows_.places.size()); }
  std::int64_t end(std::int64_t at) const { return rows_.places[at] + distance_ - 1; }
  Top top(std::int64_t at) const { return {rows_.places[at], rows_.spans[at]}; }

  bool seek_first() {
    while (first_ < count() && rows_.keys[first_] == kDecided) ++first_;
    if (first_ == count()) climb_.clear();
    return first_ < count();
  }

  template <typename RunEnd>
  std::int64_t ripe_time(std::int64_t at, RunEnd run_end) const {
    if (end(at) <= rows_.ripe_until) return rows_.time;
    const std::int64_t known = top(at).known();
    return std::max(rows_.time, end(at) < known ? known : run_end(end(at)));
  }
  void pass(std::int64_t at, std::int64_t time) {
    rows_.time = time;
    rows_.ripe_until = std::max(rows_.ripe_until, end(at));
  }

  template <typename Ripe, typename RunEnd, typename Tell>
  void resolve(std::int64_t at, Ripe ripe, RunEnd run_end, Tell tell) {
    // A top whose own turn comes later is waited for: a higher one, or an equal one with which this contends.
    const auto later = [&](std::int64_t i) { return !ripe(i) || ripe_time(i, run_end) > rows_.time; };
    // Most often the wait is for the right end of a row of equal tops: go there first.
    const double height = rows_.keys[at];
    for (std::int64_t right = at;;) {
      const Reach reach = reach_from(right);
      if (climbs(reach, height)) return;
      std::int64_t i = reach.hi - 1;
      while (i > right && rows_.keys[i] != height) --i;
      if (i == right) break;
      if (later(i)) return climb_.push_back(i);
      right = i;
    }
    group_.assign(1, at);
    rows_.when[at] = kGrouped;
    bool closed = true;
    for (std::size_t member = 0; closed && member < group_.size(); ++member) {
      const Reach reach = reach_from(group_[member]);
      closed = !climbs(reach, height);
      for (std::int64_t i = reach.lo; closed && i < reach.hi; ++i) {
        if (rows_.keys[i] != height || rows_.when[i] == kGrouped) continue;
        closed = !later(i);
        if (!closed) climb_.push_back(i);
        group_.push_back(i);
        rows_.when[i] = kGrouped;
      }
    }
    for (const std::int64_t i : group_) rows_.when[i] = kNever;
    if (closed) decide(height, tell);
  }

  // Goes on to the highest in reach if that is higher.
  bool climbs(const Reach& reach, double height) {
    if (!(reach.highest > height)) return false;
    const auto keys = rows_.keys.begin();
    climb_.push_back(std::find(keys + reach.lo, keys + reach.hi, reach.highest) - keys);
    return true;
  }

  template <typename Tell>
  void decide(double height, Tell tell) {
    const bool doubted = doubts_ && std::any_of(group_.begin(), group_.end(), [&](std::int64_t at) {
      return doubted_by_higher(at, height);
    });
    const std::int64_t doubt = doubted ? kDistance : group_.size() > 1 ? kTie : 0;
    for (const std::int64_t at : group_) {
      settle(at, doubt ? height : kDecided);
      const Top decided = top(at);
      if (rows_.time <= decided.due(delay_)) tell(decided, rows_.time, doubt);
    }
    if (doubted) return;
    // One of the equal tops is kept, whichever: what all of them reach is taken by it.
    const auto [left, right] = std::minmax_element(group_.begin(), group_.end());
    const std::int64_t from = rows_.places[*right] - distance_, to = rows_.places[*left] + distance_;
    for (std::int64_t i = *left; i >= first_ && rows_.places[i] > from; --i) take(i);
    for (std::int64_t i = *left; i < count() && rows_.places[i] < to; ++i) {
      if (rows_.places[i] > from) take(i);
    }
  }

  void take(std::int64_t at) {
    if (rows_.keys[at] != kDecided) settle(at, kDecided);
  }
  void settle(std::int64_t at, double doubt) {
    rows_.keys[at] = kDecided;
    rows_.when[at] = rows_.time;
    rows_.doubts[at] = doubt;
    doubts_ |= doubt != kDecided;
  }

  // Nobody will tell what becomes of the first undecided top. The climb begins at the next one, and goes on
  // where it meets the former.
  void forget(std::int64_t lost) {
    rows_.doubts[first_] = rows_.keys[first_];
    rows_.keys[first_] = kDecided;
    rows_.time = std::max(rows_.time, lost);
    doubts_ = true;
    if (climb_.front() != first_ || !seek_first()) return;
    former_.swap(climb_);
    climb_.assign(1, first_);
    for (;;) {
      const std::int64_t at = climb_.back();
      const auto met = std::find(former_.begin(), former_.end(), at);
      if (met != former_.end()) {
        climb_.insert(climb_.end(), met + 1, former_.end());
        return;
      }
      if (!climbs(reach_from(at), rows_.keys[at])) return;
    }
  }

  Reach reach_from(std::int64_t at) const {
    return reach_of(rows_.places.data(), rows_.keys.data(), at, first_, count(), distance_);
  }

  bool doubted_by_higher(std::int64_t at, double height) const {
    const std::int64_t place = rows_.places[at];
    for (std::int64_t i = at - 1; i >= 0 && place - rows_.places[i] < distance_; --i) {
      if (rows_.doubts[i] >= height) return true;
    }
    for (std::int64_t i = at + 1; i < count() && rows_.places[i] - place < distance_; ++i) {
      if (rows_.doubts[i] >= height) return true;
    }
    return false;
  }

  template <typename Tell>
  void expire(std::int64_t now, Tell tell) {
    for (; rows_.expired < count(); ++rows_.expired) {
      const std::int64_t at = rows_.expired;
      const std::int64_t due = top(at).due(delay_);
      if (due > now) return;
      if (rows_.when[at] > due) tell(top(at), due, kDistance);
    }
  }

  // Rows that no undecided or coming top can reach.
  void drop(std::int64_t known) {
    seek_first();
    const std::int64_t least = first_ < count() ? std::min(known + 1, rows_.places[first_]) : known + 1;
    const auto begin = rows_.places.begin();
    const std::int64_t gone =
        std::min(rows_.expired, std::upper_bound(begin, rows_.places.end(), least - distance_) - begin);
    if (gone < count() && (gone < 1024 || 2 * gone < count())) return;
    erase(rows_.places, gone);
    erase(rows_.spans, gone);
    erase(rows_.when, gone);
    erase(rows_.keys, gone);
    erase(rows_.doubts, gone);
    rows_.expired -= gone;
    first_ -= gone;
    std::erase_if(climb_, [&](std::int64_t at) { return at < gone; });
    for (auto& at : climb_) at -= gone;
    doubts_ = std::any_of(rows_.doubts.begin(), rows_.doubts.end(), [](double key) { return key != kDecided; });
  }
  template <typename T>
  static void erase(std::vector<T>& column, std::int64_t rows) {
    column.erase(column.begin(), column.begin() + rows);
  }

  std::int64_t distance_, delay_, hold_;
  Columns rows_;
  std::int64_t first_ = 0;
  std::vector<std::int64_t> climb_, former_;
  std::vector<std::int64_t> group_;  // equal tops that contend, directly or through each other
  bool doubts_ = false;
};

}  // namespace flyball
