// Peaks of a series that arrives in pieces: each is told once, at most a declared number of samples after it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "peak_chain.hpp"
#include "peaks.hpp"

namespace flyball {

// One record of the answer; its layout is known to flyball.kernels.peaks.
struct Peak {
  std::int64_t peak, seen, open;
  std::int64_t plateau_size, left_edge, right_edge;
  double height, left_threshold, right_threshold;
  double prominence;
  std::int64_t left_base, right_base;
  double width, width_height, left_ip, right_ip;
};

class PeakStream {
 public:
  // A peak that is told as soon as its right side is.
  struct Waiting {
    std::int64_t place, span, time, doubt;
    std::int64_t left_next, left_open, right_next;
    double left_low, right_low;
  };
  struct State {
    std::int64_t count = 0;  // samples taken
    std::int64_t run = 0;    // where the last run of equal samples began
    std::int64_t rising = 0;
    std::int64_t ended = 0;
    std::vector<double> samples;  // the last ones
    std::vector<Waiting> waiting;
  };

  PeakStream(const Rules& rules, std::int64_t delay)
      : rules_(rules), delay_(delay), chain_(rules.distance, delay) {
    reach_ = rules.half ? rules.half : delay;
    kept_ = delay + (rules.walks() ? reach_ : 0) + 2;
  }

  // The answers hold until the next call.
  const std::vector<Peak>& push(std::span<const double> chunk) {
    out_.clear();
    for (std::size_t from = 0; from < chunk.size(); from += kSlice) {
      take(chunk.subspan(from, std::min(kSlice, chunk.size() - from)));
    }
    return out_;
  }

  // No more samples come: nothing is open any longer but what equal heights leave so.
  const std::vector<Peak>& finish() {
    out_.clear();
    state_.ended = 1;
    step(count(), kNever / 2, 0);
    return out_;
  }

  const Rules& rules() const { return rules_; }
  std::int64_t delay() const { return delay_; }
  bool ended() const { return state_.ended; }
  const Chain& chain() const { return chain_; }
  State state() const {
    State made = state_;
    const std::size_t many = std::min(made.samples.size(), static_cast<std::size_t>(kept_));
    made.samples.erase(made.samples.begin(), made.samples.end() - static_cast<std::ptrdiff_t>(many));
    return made;
  }
  // What was not decided by now is decided later: the chain needs no other memory of time.
  void restore(State state, Chain::Columns rows) {
    state_ = std::move(state);
    rows.time = count() - 1;
    rows.ripe_until = state_.run - 1;
    chain_.restore(std::move(rows));
  }

 private:
  // Slices bound the memory, and fit the nearest cache.
  static constexpr std::size_t kSlice = 4096;

  std::int64_t count() const { return state_.count; }
  std::int64_t begin() const { return count() - static_cast<std::int64_t>(state_.samples.size()); }
  double sample(std::int64_t at) const { return state_.samples[static_cast<std::size_t>(at - begin())]; }
  double height(const Top& top) const { return sample(top.known() - 1); }

  void take(std::span<const double> slice) {
    auto& samples = state_.samples;
    const auto kept = static_cast<std::size_t>(kept_);
    if (samples.size() > 2 * kept + kSlice) samples.erase(samples.begin(), samples.end() - kept_);
    samples.insert(samples.end(), slice.begin(), slice.end());
    const std::int64_t from = count();
    state_.count += static_cast<std::int64_t>(slice.size());
    const std::size_t told_before = out_.size();
    scan(from);
    step(count() - 1, state_.run - 1, told_before);
  }

  // Finds the maxima whose runs ended within the samples that came, from `from` on.
  void scan(std::int64_t from) {
    std::int64_t next = from;
    if (from > 0) {
      const double value = sample(from - 1);
      while (next < count() && sample(next) == value) ++next;
      if (next == count()) return;
      if (state_.rising && sample(next) < value) {
        const std::int64_t span = next - 1 - state_.run;
        if (rules_.height.holds(value, 0)) enter({state_.run + span / 2, span});
      }
    }
    const std::int64_t first = next > 0 ? next : 1;
    places_.resize(static_cast<std::size_t>(count() - from) / 2 + kSlack);
    spans_.resize(places_.size());
    Maxima maxima{places_.data(), spans_.data(), 0};
    local_maxima(state_.samples.data(), first - begin(), count() - begin(),
                 rules_.height.has_low ? rules_.height.low : kLowest,
                 rules_.height.has_high ? rules_.height.high : kHighest, maxima);
    for (std::int64_t i = 0; i < maxima.count; ++i) enter({places_[i] + begin(), spans_[i]});
    std::int64_t run = count() - 1;
    while (run > next && sample(run - 1) == sample(run)) --run;
    state_.run = run;
    state_.rising = run > 0 && sample(run - 1) < sample(run);
  }

  Sides thresholds(const Top& top) const {
    const double here = height(top);
    if (top.span > 1) return {here - here, here - here};
    return {here - sample(top.place - 1), here - sample(top.place + 1)};
  }

  void enter(const Top& top) {
    if (!rules_.plateau_size.holds(static_cast<double>(top.span + 1), 0)) return;
    if (!rules_.threshold.open() && !threshold_holds(rules_.threshold, thresholds(top), 0)) return;
    if (rules_.distance > 2) {
      chain_.add(top, height(top));
    } else {
      await(top, top.known(), 0);
    }
  }

  void step(std::int64_t now, std::int64_t known, std::size_t told_before) {
    const auto run_end = [&](std::int64_t at) {
      if (at >= state_.run) return count();
      const double value = sample(at++);
      while (sample(at) == value) ++at;
      return at;
    };
    const auto tell = [&](const Top& top, std::int64_t time, std::int64_t doubt) { await(top, time, doubt); };
    if (rules_.distance > 2) chain_.advance(now, known, run_end, tell);
    if (!state_.waiting.empty()) {
      std::erase_if(state_.waiting, [&](Waiting& peak) { return told(peak, now); });
    }
    std::sort(out_.begin() + static_cast<std::ptrdiff_t>(told_before), out_.end(),
              [](const Peak& a, const Peak& b) { return a.seen != b.seen ? a.seen < b.seen : a.peak < b.peak; });
  }

  Peak record(const Top& top, std::int64_t seen, std::int64_t open) const {
    Peak made{};
    made.peak = top.place;
    made.seen = seen;
    made.open = open;
    made.plateau_size = top.span + 1;
    made.left_edge = top.place - top.span / 2;
    made.right_edge = made.left_edge + top.span;
    made.height = height(top);
    if (rules_.wants_threshold) {
      const Sides sides = thresholds(top);
      made.left_threshold = sides.left;
      made.right_threshold = sides.right;
    }
    made.prominence = made.width = made.width_height = made.left_ip = made.right_ip = kNaN;
    made.left_base = made.right_base = -1;
    return made;
  }

  std::int64_t walk_doubt() const {
    return (rules_.wants_prominence ? kProminence : 0) | (rules_.wants_width ? kWidth : 0);
  }

  // What the distance rule let pass, or could not tell, at sample `time`.
  void await(const Top& top, std::int64_t time, std::int64_t doubt) {
    const bool late = top.known() > top.place + delay_;
    if (late) doubt |= kPlateau | walk_doubt();
    if (late || !rules_.walks()) {
      out_.push_back(record(top, time, doubt));
      return;
    }
    const double* x = state_.samples.data();
    const std::int64_t at = top.place - begin(), bound = std::max(-begin(), at - reach_);
    Slope left{at - 1, x[at]};
    walk_samples<-1>(x, bound, x[at], left);
    const bool open = !rules_.half && left.next < bound && bound + begin() > 0;
    // The other side can only lessen it.
    if (rules_.wants_prominence && !open && !rules_.prominence.above_low(x[at] - left.low, 0)) return;
    state_.waiting.push_back(
        {top.place, top.span, time, doubt, left.next + begin(), open, top.place + 1, left.low, x[at]});
  }

  // Whether a waiting peak need wait no more: told, or dropped because it cannot keep the rules.
  bool told(Waiting& peak, std::int64_t now) {
    const Top top{peak.place, peak.span};
    const std::int64_t due = top.due(delay_), window = rules_.half ? peak.place + rules_.half : kNever;
    const std::int64_t bound = std::min({window, due, count() - 1});
    Slope right{peak.right_next - begin(), peak.right_low};
    walk_samples<1>(state_.samples.data(), bound - begin(), sample(peak.place), right);
    peak.right_next = right.next + begin();
    peak.right_low = right.low;
    std::int64_t seen = peak.right_next <= bound ? peak.right_next : peak.right_next > window ? window : kNever;
    if (seen == kNever && state_.ended && count() <= due) seen = count();
    const bool open = seen == kNever;
    if (open && now < due) return false;
    const std::int64_t doubt = peak.left_open || open ? walk_doubt() : 0;
    Peak made = record(top, std::max(peak.time, open ? due : seen), peak.doubt | doubt);
    measure(peak, made);
    if (holds(made, peak, open)) out_.push_back(made);
    return true;
  }

  void measure(const Waiting& peak, Peak& made) const {
    const double* x = state_.samples.data();
    const std::int64_t at = peak.place - begin();
    const Slope left{peak.left_next - begin(), peak.left_low}, right{peak.right_next - begin(), peak.right_low};
    const Blocks none;
    made.prominence = made.height - std::max(left.low, right.low);
    const std::int64_t left_base = base_of<-1>(x, none, at, at - 1, left);
    const std::int64_t right_base = base_of<1>(x, none, at, at + 1, right);
    made.left_base = left_base + begin();
    made.right_base = right_base + begin();
    if (!rules_.wants_width) return;
    const Width width =
        width_of(x, at, made.prominence, rules_.share, left_base, right_base, begin());
    made.width = width.width;
    made.width_height = width.height;
    made.left_ip = width.left;
    made.right_ip = width.right;
  }

  // Whether the peak keeps the rules, or still may: a prominence only grows while a side is open, up to what
  // the closed side allows.
  bool holds(const Peak& made, const Waiting& peak, bool right_open) const {
    const Interval& rule = rules_.prominence;
    if (!peak.left_open && !right_open) {
      return (!rules_.wants_prominence || rule.holds(made.prominence, 0)) &&
             (!rules_.wants_width || rules_.width.holds(made.width, 0));
    }
    if (!rules_.wants_prominence) return true;
    if (!peak.left_open && !rule.above_low(made.height - peak.left_low, 0)) return false;
    if (!right_open && !rule.above_low(made.height - peak.right_low, 0)) return false;
    return !(rule.has_high && made.prominence > rule.high);
  }

  Rules rules_;
  std::int64_t delay_, reach_ = 0, kept_ = 0;
  Chain chain_;
  State state_;
  std::vector<Peak> out_;
  std::vector<std::int64_t> places_, spans_;
};

}  // namespace flyball
