// The log scan on any bytes: whole, in chunks, and against a plain reading of the same lines, all equal or abort.
//
// clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Inative native/fuzz/logscan.cpp -o logscan
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <tuple>

#include "logscan.hpp"

namespace {

using flyball::LogChoice;
using flyball::LogLayout;
using flyball::LogScan;
using flyball::Reason;
using Counts = std::map<std::tuple<std::int64_t, std::string, std::string, int>, std::int64_t>;
using Kept = std::vector<std::tuple<std::int64_t, int, std::string>>;

struct Told {
  Counts counts;
  std::array<std::int64_t, 4> sums{};
  std::array<std::int64_t, flyball::kReasons> malformed{};
  Kept kept;

  bool operator==(const Told&) const = default;
};

// The first bytes of an input choose the layout and what is counted.
struct Setting {
  LogLayout layout;
  LogChoice choice;
  bool broken;
  int times;

  Setting(std::uint8_t a, std::uint8_t b, std::uint8_t c) {
    layout.separator = " \t,|"[a & 3];
    layout.clock = static_cast<flyball::Clock>(a >> 2 & 3);
    layout.text = (a & 16) == 0;
    layout.columns = 4;
    const bool turned = (a & 32) != 0;
    layout.timestamp = turned ? 2 : 0;
    layout.machine = (a & 64) ? -1 : 1;
    layout.level = (a & 128) ? -1 : turned ? 0 : 2;
    layout.code = 3;
    if (layout.level >= 0) layout.levels = {"DEBUG", "INFO", "WARN", "ERROR"};
    if (b & 1) layout.shape = "A-9";
    if (b & 2) layout.since = 1'772'323'200'000'000, layout.until = layout.since + 5'400'000'000;
    if (b & 4) layout.longest = 64;
    choice.by_machine = (b & 8) && layout.machine >= 0;
    choice.by_level = (b & 16) && layout.level >= 0;
    if ((b & 32) && layout.level >= 0) choice.levels = 8;
    choice.keep = c & 7;
    layout.runs = (c & 8) != 0;
    choice.groups = (b & 64) ? 3 : 1 << 20;
    broken = (b & 128) != 0;
    times = (c & 16) ? 1 + (c >> 5) * 8 : 1;
  }
};

// One line after another, with nothing clever; it shares no code with the scan.
class Plain {
 public:
  Plain(const Setting& setting) : set_(setting), layout_(setting.layout) {}

  Told read(const std::string& input) {
    told_.sums[3] = static_cast<std::int64_t>(input.size());
    std::size_t at = 0;
    while (at < input.size()) {
      const std::size_t found = input.find('\n', at);
      const bool open = found == std::string::npos;
      const std::string line = input.substr(at, (open ? input.size() : found) - at);
      ++told_.sums[0];
      if (open && set_.broken) {
        aside(at, Reason::cut_off, line.substr(0, layout_.longest));
      } else {
        whole(at, line);
      }
      at += line.size() + 1;
    }
    return told_;
  }

 private:
  void aside(std::size_t at, Reason reason, const std::string& line) {
    ++told_.malformed[static_cast<std::size_t>(reason)];
    if (static_cast<std::int64_t>(told_.kept.size()) < set_.choice.keep) {
      told_.kept.emplace_back(static_cast<std::int64_t>(at), static_cast<int>(reason), line);
    }
  }

  void whole(std::size_t at, std::string line) {
    const bool too_long = line.size() > layout_.longest;
    if (too_long) return aside(at, Reason::long_line, line.substr(0, layout_.longest));
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) {
      ++told_.sums[1];
    } else if (const Reason reason = judge(line); reason != Reason::none) {
      aside(at, reason, line);
    }
  }

  Reason judge(const std::string& line) {
    std::vector<std::string> parts{""};
    std::vector<std::size_t> between;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] != layout_.separator) {
        parts.back() += line[i];
      } else if (layout_.runs && i > 0 && line[i - 1] == layout_.separator) {
        ++between.back();
      } else {
        parts.emplace_back();
        between.push_back(1);
      }
    }
    const auto t = static_cast<std::size_t>(layout_.timestamp);
    if (layout_.clock == flyball::Clock::iso_space && layout_.separator == ' ' && parts.size() > t + 1 &&
        between[t] == 1 && parts[t].size() == 10) {
      parts[t] += " " + parts[t + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(t) + 1);
    }
    if (parts.size() < 4 + static_cast<std::size_t>(layout_.text)) return Reason::missing_field;
    if (parts.size() > 4 && !layout_.text) return Reason::extra_field;
    std::int64_t micros = 0;
    if (const Reason reason = time(parts[t], micros); reason != Reason::none) return reason;
    if (micros < layout_.since || micros >= layout_.until) return Reason::implausible;
    return count(parts, micros);
  }

  Reason count(const std::vector<std::string>& parts, std::int64_t micros) {
    std::string machine, code = parts[3];
    if (layout_.machine >= 0) machine = parts[1];
    if (layout_.machine >= 0 && (machine.empty() || machine.size() > 32 || !shown(machine))) return Reason::machine;
    std::size_t level = 0;
    if (layout_.level >= 0) {
      while (level < 4 && layout_.levels[level] != parts[static_cast<std::size_t>(layout_.level)]) ++level;
      if (level == 4) return Reason::level;
    }
    if (code.size() > 16) return Reason::long_code;
    if (code.empty() || !shown(code)) return Reason::code;
    if (!layout_.shape.empty()) {
      const std::size_t letters = code.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
      if (letters == 0 || letters == std::string::npos || code[letters] != '-' || letters + 1 == code.size() ||
          code.find_first_not_of("0123456789", letters + 1) != std::string::npos) {
        return Reason::code;
      }
    }
    if ((set_.choice.levels >> level & 1) == 0) return ++told_.sums[2], Reason::none;
    const std::int64_t hour = micros / 3'600'000'000 - (micros % 3'600'000'000 < 0);
    const Counts::key_type key{hour, code, set_.choice.by_machine ? machine : "",
                               set_.choice.by_level ? static_cast<int>(level) : 0};
    if (!told_.counts.contains(key) && static_cast<std::int64_t>(told_.counts.size()) == set_.choice.groups) {
      return Reason::groups;
    }
    ++told_.counts[key];
    return Reason::none;
  }

  static bool shown(const std::string& name) {
    for (const char c : name) {
      if (c <= ' ' || c > '~') return false;
    }
    return true;
  }

  // Takes the digits at the front, as a number, and says how many there were.
  static std::size_t digits(std::string& text, std::int64_t& value) {
    std::size_t many = 0;
    value = 0;
    while (many < text.size() && many < 18 && text[many] >= '0' && text[many] <= '9') {
      value = value * 10 + (text[many++] - '0');
    }
    text.erase(0, many);
    return many;
  }

  static bool fraction(std::string& text, int places, std::int64_t& value) {
    value = 0;
    if (text.empty() || (text[0] != '.' && text[0] != ',')) return true;
    text.erase(0, 1);
    std::int64_t all;
    const auto many = static_cast<int>(digits(text, all));
    if (many < 1 || many > 9) return false;
    for (int i = many; i < places; ++i) all *= 10;
    for (int i = places; i < many; ++i) all /= 10;
    value = all;
    return true;
  }

  Reason time(std::string text, std::int64_t& micros) {
    std::int64_t part;
    if (layout_.clock >= flyball::Clock::epoch_s) {
      const bool seconds = layout_.clock == flyball::Clock::epoch_s;
      std::int64_t whole;
      const std::size_t many = digits(text, whole);
      if (many < 1 || many > 16 || !fraction(text, seconds ? 6 : 3, part) || !text.empty()) return Reason::timestamp;
      if ((seconds ? whole : whole / 1000) > 253'402'300'799) return Reason::date;
      micros = whole * (seconds ? 1'000'000 : 1000) + part;
      return Reason::none;
    }
    // The frame is held against a pattern, and the figures are taken from their places.
    std::string frame = "0000-00-00T00:00:00";
    if (layout_.clock == flyball::Clock::iso_space) frame[10] = ' ';
    if (text.size() < frame.size()) return Reason::timestamp;
    for (std::size_t i = 0; i < frame.size(); ++i) {
      const bool digit = text[i] >= '0' && text[i] <= '9';
      if (frame[i] == '0' ? !digit : text[i] != frame[i]) return Reason::timestamp;
    }
    const auto figure = [&](std::size_t from, std::size_t many) { return std::atoi(text.substr(from, many).c_str()); };
    const int year = figure(0, 4), month = figure(5, 2), day = figure(8, 2);
    const int hour = figure(11, 2), minute = figure(14, 2), second = figure(17, 2);
    text.erase(0, frame.size());
    if (!fraction(text, 6, part)) return Reason::timestamp;
    std::int64_t zone = 0, zone_minutes = 0;
    bool zone_good = true;
    if (!text.empty() && text != "Z") {
      const std::int64_t sign = text[0] == '-' ? -1 : 1;
      if (text[0] != '-' && text[0] != '+') return Reason::timestamp;
      text.erase(0, 1);
      if (text.size() == 5 && text[2] == ':') text.erase(2, 1);
      for (const char c : text) {
        if (c < '0' || c > '9') return Reason::timestamp;
      }
      if (text.size() != 2 && text.size() != 4) return Reason::timestamp;
      zone = std::atoi(text.substr(0, 2).c_str());
      zone_minutes = text.size() == 4 ? std::atoi(text.substr(2).c_str()) : 0;
      zone_good = zone < 24 && zone_minutes < 60;
      zone = sign * (zone * 60 + zone_minutes);
    }
    const bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
    const int lengths[] = {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year == 0 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1]) return Reason::date;
    if (hour > 23 || minute > 59 || second > 59 || !zone_good) return Reason::time;
    std::int64_t days = day - 1;
    for (int m = 1; m < month; ++m) days += lengths[m - 1];
    const std::int64_t past = year - 1;
    days += past * 365 + past / 4 - past / 100 + past / 400 - 719162;
    micros = (((days * 24 + hour) * 60 + minute - zone) * 60 + second) * 1'000'000 + part;
    return Reason::none;
  }

  const Setting& set_;
  const LogLayout& layout_;
  Told told_;
};

Told tell(LogScan& scan) {
  Told told;
  for (const auto* group : scan.groups()) {
    told.counts[{group->hour(), std::string(group->code_text()), std::string(group->machine_text()), group->level()}] =
        static_cast<std::int64_t>(group->count);
  }
  const auto tally = scan.tally();
  told.sums = {tally.lines, tally.blank, tally.unselected, tally.bytes};
  std::copy(tally.malformed, tally.malformed + flyball::kReasons, told.malformed.begin());
  for (const auto& line : scan.kept()) told.kept.emplace_back(line.offset, static_cast<int>(line.reason), line.bytes);
  return told;
}

// Each chunk lies in memory of its own, so that a look beyond it is seen.
Told in_chunks(const Setting& setting, const std::string& input, const std::uint8_t* sizes, std::size_t many) {
  LogScan scan(setting.layout, setting.choice);
  std::size_t at = 0;
  for (std::size_t i = 0; at < input.size(); ++i) {
    const std::size_t size = std::min(input.size() - at, many ? 1 + sizes[i % many] * std::size_t{3} : input.size());
    const std::vector<char> chunk(input.begin() + static_cast<std::ptrdiff_t>(at),
                                  input.begin() + static_cast<std::ptrdiff_t>(at + size));
    scan.push(chunk.data(), static_cast<std::int64_t>(size));
    at += size;
  }
  scan.finish(setting.broken);
  return tell(scan);
}

void equal(const Told& got, const Told& wanted, const char* which) {
  if (got == wanted) return;
  std::fprintf(stderr, "%s differs: counts %d, sums %d, malformed %d, kept %d\n", which, got.counts == wanted.counts,
               got.sums == wanted.sums, got.malformed == wanted.malformed, got.kept == wanted.kept);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 8) return 0;
  const Setting setting(data[0], data[1], data[2]);
  std::string input;
  for (int i = 0; i < setting.times; ++i) input.append(reinterpret_cast<const char*>(data) + 8, size - 8);
  const Told plain = Plain(setting).read(input);
  equal(in_chunks(setting, input, nullptr, 0), plain, "whole");
  equal(in_chunks(setting, input, data + 3, 5), plain, "in chunks");
  return 0;
}
