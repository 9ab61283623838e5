// What a log line is declared to be, and the judgement of one line, piece by piece.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"
#include "logtime.hpp"

namespace flyball {

constexpr std::size_t kCodeBytes = 16, kMachineBytes = 32, kLevelBytes = 16, kFieldsMost = 8, kLevelsMost = 16;

struct LogLayout {
  int columns = 0;       // fields that end at a separator, or at the end of the line: all but the text
  bool text = false;     // whether a text follows them, which may hold anything
  int timestamp = -1, machine = -1, level = -1, code = -1;  // places among the columns
  char separator = ' ';
  bool runs = false;     // whether several separators in a row count as one
  Clock clock = Clock::iso;
  std::vector<std::string> levels;
  std::string shape;     // of a code: A letters, 9 digits, the rest for itself; empty: anything printable
  std::int64_t since = INT64_MIN, until = INT64_MAX;  // microseconds, the first plausible and the first not any more
  std::size_t longest = 65536;

  // The column within which one separator is a part: a space between date and time.
  int joined() const { return clock == Clock::iso_space && separator == ' ' ? timestamp : -1; }
};

struct LogLine {
  Instant at;
  int level = 0;
  std::string_view machine, code;
};

inline bool printable(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c > 32 && c < 127; });
}

// A letter or a digit class takes as many as are there, and at least one.
inline bool fits(std::string_view shape, std::string_view code) {
  std::size_t at = 0;
  for (const char c : shape) {
    const auto takes = [c](char x) { return c == 'A' ? x >= 'A' && x <= 'Z' : c == '9' ? is_digit(x) : x == c; };
    if (at == code.size() || !takes(code[at])) return false;
    ++at;
    if (c == 'A' || c == '9') {
      while (at < code.size() && takes(code[at])) ++at;
    }
  }
  return at == code.size();
}

// The columns of a line, or why it has not as many as declared.
inline Reason split(const LogLayout& layout, std::string_view line, std::string_view* columns) {
  std::size_t at = 0;
  for (int i = 0; i < layout.columns; ++i) {
    std::size_t end = line.find(layout.separator, at);
    if (i == layout.joined() && end == at + 10) end = line.find(layout.separator, end + 1);
    const bool last = i + 1 == layout.columns;
    if (end == line.npos) {
      if (!last || layout.text) return Reason::missing_field;
      end = line.size();
    } else if (last && !layout.text) {
      return Reason::extra_field;
    }
    columns[i] = line.substr(at, end - at);
    at = end + 1;
    while (layout.runs && at < line.size() && line[at] == layout.separator) ++at;
  }
  return Reason::none;
}

// The line without its line end, taken apart: the first reason against it, or none.
inline Reason judge(const LogLayout& layout, std::string_view line, LogLine& out) {
  std::string_view columns[kFieldsMost];
  if (const Reason reason = split(layout, line, columns); reason != Reason::none) return reason;

  const std::string_view time = columns[layout.timestamp];
  const Reason reason = read_instant(time.data(), time.size(), layout.clock, out.at);
  if (reason != Reason::none) return reason;
  if (out.at.micros < layout.since || out.at.micros >= layout.until) return Reason::implausible;

  if (layout.machine >= 0) {
    out.machine = columns[layout.machine];
    if (out.machine.empty() || out.machine.size() > kMachineBytes || !printable(out.machine)) return Reason::machine;
  }
  if (layout.level >= 0) {
    const auto found = std::find(layout.levels.begin(), layout.levels.end(), columns[layout.level]);
    if (found == layout.levels.end()) return Reason::level;
    out.level = static_cast<int>(found - layout.levels.begin());
  }
  out.code = columns[layout.code];
  if (out.code.size() > kCodeBytes) return Reason::long_code;
  if (out.code.empty() || !printable(out.code)) return Reason::code;
  return layout.shape.empty() || fits(layout.shape, out.code) ? Reason::none : Reason::code;
}

// The declared levels, found by their bytes without a branch: a multiplier is sought once under which each has
// a slot of its own.
class Levels {
 public:
  explicit Levels(const std::vector<std::string>& names) {
    for (std::uint64_t seed = 1; !place(names, seed * 0x9e3779b97f4a7c15ULL | 1); ++seed) {
    }
  }

  // The place of a level, or -1; 16 bytes must be readable at `text`.
  FLYBALL_INLINE int find(const char* text, std::size_t length) const {
    const auto key = Key<2>::of(text, std::min(length, kLevelBytes));
    const Slot& slot = slots_[at(key)];
    return ((slot.key == key) & (slot.length == length)) ? slot.level : -1;
  }

 private:
  struct Slot {
    Key<2> key;
    std::size_t length = 0;
    int level = -1;
  };

  FLYBALL_INLINE std::size_t at(const Key<2>& key) const {
    return ((key.words[0] + (key.words[1] << 3)) * multiplier_) >> 58;
  }

  bool place(const std::vector<std::string>& names, std::uint64_t multiplier) {
    multiplier_ = multiplier;
    for (Slot& slot : slots_) slot = {};
    for (std::size_t i = 0; i < names.size(); ++i) {
      char padded[kLevelBytes] = {};
      std::memcpy(padded, names[i].data(), names[i].size());
      const auto key = Key<2>::of(padded, names[i].size());
      Slot& slot = slots_[at(key)];
      if (slot.level >= 0) return false;
      slot = {key, names[i].size(), static_cast<int>(i)};
    }
    return true;
  }

  std::uint64_t multiplier_ = 1;
  Slot slots_[64];
};

}  // namespace flyball
