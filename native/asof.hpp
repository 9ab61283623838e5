// The last row at or before each moment, within the moment's own segment.
#pragma once

#include <cstdint>
#include <vector>

namespace flyball {

// Position of the first time in [from, to) that is greater than `moment`, found by doubling steps from
// `from`: moments of one machine usually come in order, so the answer is near the one before.
inline std::int64_t gallop(const std::int64_t* times, std::int64_t from, std::int64_t to,
                           std::int64_t moment) {
  std::int64_t step = 1;
  std::int64_t low = from;
  while (low + step < to && times[low + step - 1] <= moment) {
    low += step;
    step *= 2;
  }
  std::int64_t high = low + step < to ? low + step : to;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (times[middle] <= moment) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// times: sorted within each segment; starts: k + 1 offsets into times; out: m indices, -1 for none.
inline void asof(const std::int64_t* times, const std::int64_t* starts, std::int64_t segment_count,
                 const std::int64_t* moments, const std::int64_t* segments, std::int64_t count,
                 std::int64_t* out) {
  // Where the last question of each segment was answered, so that interleaved machines stay cheap.
  std::vector<std::int64_t> cursor(starts, starts + segment_count);
  std::vector<std::int64_t> asked(static_cast<std::size_t>(segment_count), INT64_MIN);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto s = static_cast<std::size_t>(segments[i]);
    const std::int64_t from = moments[i] >= asked[s] ? cursor[s] : starts[s];
    const std::int64_t after = gallop(times, from, starts[s + 1], moments[i]);
    cursor[s] = after;
    asked[s] = moments[i];
    out[i] = after > starts[s] ? after - 1 : -1;
  }
}

// Whether times never fall within a segment.
inline bool sorted_within(const std::int64_t* times, const std::int64_t* starts,
                          std::int64_t segment_count) {
  for (std::int64_t s = 0; s < segment_count; ++s) {
    bool falls = false;
    for (std::int64_t i = starts[s] + 1; i < starts[s + 1]; ++i) falls |= times[i] < times[i - 1];
    if (falls) return false;
  }
  return true;
}

}  // namespace flyball
