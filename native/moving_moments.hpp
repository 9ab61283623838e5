// Mean, standard deviation, extremes, slope and z-score of the window that ends at each row.
#pragma once

#include <optional>

#include "moving_group.hpp"

namespace flyball {

class MovingMoments {
 public:
  // `next` is the number of the first row that will come: blocks lie at multiples of the window.
  MovingMoments(const Plan& plan, std::int64_t channels, std::int64_t next)
      : plan_(plan), channels_(channels), next_(next) {
    if (channels == 1) one_.emplace(plan, 1, next);
  }

  // Rows one after another, `times` of them where windows are of times; without a sink, no answers.
  template <class T>
  void push(const Source<T>& from, std::int64_t n, const std::int64_t* times, const Sink<T>& to) {
    if (one_) {
      push_series(from, n, times, to);
    } else {
      if (groups_.empty()) begin();
      for (std::int64_t done = 0; done < n; done += kSlab) {
        const std::int64_t many = std::min(kSlab, n - done);
        for (std::size_t g = 0; g < groups_.size(); ++g) {
          const auto lane = static_cast<std::int64_t>(g) * kGroup;
          groups_[g].push(from.shifted(done, lane), many, times ? times + done : nullptr,
                          to.shifted(done, lane));
        }
      }
    }
    next_ += n;
  }

  // All rows that will ever come: few enough, one group's memory does for all groups.
  template <class T>
  void push_all(const Source<T>& from, std::int64_t n, const std::int64_t* times, const Sink<T>& to) {
    if (one_ || n > kSlab) return push(from, n, times, to);
    std::optional<Group<kGroup>> group;
    for (std::int64_t c = 0; c < channels_; c += kGroup) {
      if (group && c + kGroup <= channels_) {
        group->restart(next_);
      } else {
        group.emplace(plan_, lanes(c), next_);
      }
      group->push(from.shifted(0, c), n, times, to.shifted(0, c));
    }
  }

  // The rows that windows to come may hold: pushed again into a new one, it goes on as this one would.
  std::int64_t kept() const {
    return one_ ? kept_of(*one_) : groups_.empty() ? 0 : kept_of(groups_[0]);
  }
  void keep(double* rows, std::int64_t* times) const {
    if (one_) keep_of(*one_, 0, 1, rows, times);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const auto lane = static_cast<std::int64_t>(g) * kGroup;
      keep_of(groups_[g], lane, lanes(lane), rows, times);
    }
  }

 private:
  static constexpr int kGroup = 8;
  // Rows of all channels: few enough to find their pages again, enough to keep a group's sums in the cache.
  static constexpr std::int64_t kSlab = 2048;
  // Longer windows would spill eight segments' blocks out of the cache.
  static constexpr std::int64_t kSegmentedMost = 4096;

  int lanes(std::int64_t first) const {
    return static_cast<int>(std::min<std::int64_t>(kGroup, channels_ - first));
  }
  void begin() {
    for (std::int64_t c = 0; c < channels_; c += kGroup) groups_.emplace_back(plan_, lanes(c), next_);
  }

  // One series: as eight of its segments side by side, where it is long enough. A window depends on its own
  // and the previous block only, so a segment needs the one block before it.
  template <class T>
  void push_series(Source<T> from, std::int64_t n, const std::int64_t* times, Sink<T> to) {
    const std::int64_t over = plan_.over;
    const std::int64_t head = plan_.timed ? 0 : (over - next_ % over) % over;
    const std::int64_t blocks = plan_.timed || n < head ? 0 : (n - head) / over / kGroup;
    if (over > kSegmentedMost || blocks < 2) return one_->push(from, n, times, to);
    one_->push(from, head, nullptr, to);
    from = from.shifted(head, 0);
    to = to.shifted(head, 0);

    const std::int64_t start = next_ + head, segment = blocks * over;
    Group<kGroup> wide(plan_, kGroup, start - over);
    std::vector<double> before(static_cast<std::size_t>(over * kGroup), kNaN);
    const Block<1>& last = one_->newer();
    for (std::int64_t k = 0; k < over; ++k) {
      double* row = before.data() + k * kGroup;
      if (last.length == over) row[0] = *last.row(k);
      for (int g = 1; g < kGroup; ++g) {
        row[g] = static_cast<double>(from.data[(g * segment - over + k) * from.row]);
      }
    }
    wide.push(Source<double>{before.data(), kGroup, 1}, over, nullptr, Sink<double>{nullptr, 0, 0, 0});
    wide.push(Source<T>{from.data, from.row, segment * from.row}, segment, nullptr,
              Sink<T>{to.data, to.statistic, to.row, segment * to.row});

    const std::int64_t gone = kGroup * segment;
    one_.emplace(plan_, 1, start + gone - 2 * over);
    one_->push(from.shifted(gone - 2 * over, 0), 2 * over, nullptr, Sink<T>{nullptr, 0, 0, 0});
    one_->push(from.shifted(gone, 0), n - head - gone, nullptr, to.shifted(gone, 0));
  }

  template <int G>
  static std::int64_t kept_of(const Group<G>& group) {
    return group.older().length - group.left() + group.newer().length;
  }
  template <int G>
  void keep_of(const Group<G>& group, std::int64_t lane, std::int64_t lanes, double* rows,
               std::int64_t* times) const {
    std::int64_t made = 0;
    for (const Block<G>* block : {&group.older(), &group.newer()}) {
      for (std::int64_t k = block == &group.older() ? group.left() : 0; k < block->length; ++k, ++made) {
        for (std::int64_t g = 0; g < lanes; ++g) rows[made * channels_ + lane + g] = block->row(k)[g];
        if (plan_.timed) times[made] = block->times[static_cast<std::size_t>(k)];
      }
    }
  }

  Plan plan_;
  std::int64_t channels_, next_;
  std::optional<Group<1>> one_;
  std::vector<Group<kGroup>> groups_;
};

}  // namespace flyball
