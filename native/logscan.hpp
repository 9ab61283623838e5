// Log lines of a declared layout, counted by hour, code, machine and level; what is malformed is kept aside.
//
// Newlines of a block are found first, so that the lines in it do not wait for one another. A line is then
// recognised by few looks: 64 separator marks, the range of the last hour's timestamps, the slot of its level,
// and a group that is already there. Any line that is not recognised so is judged once more, slowly and in
// full; so the quick way only ever has to know good lines.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"
#include "logline.hpp"
#include "logrecent.hpp"
#include "logtable.hpp"
#include "logtally.hpp"
#include "logtime.hpp"

namespace flyball {

class LogScan {
 public:
  LogScan(LogLayout layout, const LogChoice& choice)
      : layout_(std::move(layout)), choice_(choice), levels_(layout_.levels), table_(choice.by_machine),
        iso_(layout_.clock == Clock::iso || layout_.clock == Clock::iso_space),
        runs_(layout_.runs) {
    const bool usual = layout_.columns == 4 && layout_.text && layout_.timestamp == 0 && layout_.machine == 1 &&
                       layout_.level == 2 && layout_.code == 3 && layout_.joined() < 0;
    lines_ = usual ? choice.by_machine ? &LogScan::lines<true, true> : &LogScan::lines<false, true>
                   : choice.by_machine ? &LogScan::lines<true, false> : &LogScan::lines<false, false>;
  }

  void push(const char* from, std::int64_t many) {
    for (std::int64_t turn; many > 0; from += turn, many -= turn) {
      turn = std::min(many, kTurn);
      take(from, turn);
      if ((turned_ += turn) < kTurn) continue;
      recent_.settle();
      turned_ = 0;
    }
  }

  // Judges the last line, which had no line end; after an input that broke off, it is not to be trusted.
  void finish(bool broken) {
    if (open_length_ == 0) return;
    start_ = nullptr;
    if (broken) {
      ++tally_.lines;
      aside(open_offset_, Reason::cut_off, open_.substr(0, layout_.longest));
    } else {
      close();
    }
    drop();
  }

  // Another scan's counts, as if its bytes had come after these.
  void add(const Group& group) {
    if (Group* const there = table_.find(group)) {
      there->count += group.count;
    } else if (told_ < choice_.groups) {
      insert(group);
      ++told_;
    } else {
      tally_.malformed[static_cast<int>(Reason::groups)] += static_cast<std::int64_t>(group.count);
    }
  }

  void add(const LogTally& tally, const std::vector<KeptLine>& kept) {
    for (const KeptLine& line : kept) {
      if (static_cast<std::int64_t>(kept_.size()) == choice_.keep) break;
      kept_.push_back({line.offset + tally_.bytes, line.reason, line.bytes});
    }
    tally_.lines += tally.lines;
    tally_.blank += tally.blank;
    tally_.unselected += tally.unselected;
    tally_.bytes += tally.bytes;
    for (int i = 0; i < kReasons; ++i) tally_.malformed[i] += tally.malformed[i];
  }

  void open(std::string bytes, std::int64_t length) {
    open_ = std::move(bytes);
    open_length_ = length;
    open_offset_ = tally_.bytes - length;
  }

  const std::string& open() const { return open_; }
  std::int64_t open_length() const { return open_length_; }
  const std::vector<KeptLine>& kept() const { return kept_; }

  LogTally tally() {
    recent_.settle();
    LogTally told = tally_;
    for (const Group& group : table_.places()) {
      if (group.count != 0 && group.hour() == kPassed) told.unselected += static_cast<std::int64_t>(group.count);
    }
    return told;
  }

  // The groups in the order of hour, code, machine and level; they stand until more is pushed.
  std::vector<const Group*> groups() {
    recent_.settle();
    std::vector<const Group*> told;
    for (const Group& group : table_.places()) {
      if (group.count != 0 && group.hour() != kPassed) told.push_back(&group);
    }
    std::sort(told.begin(), told.end(), [](const Group* a, const Group* b) {
      if (a->hour() != b->hour()) return a->hour() < b->hour();
      if (const int order = a->code_text().compare(b->code_text())) return order < 0;
      if (const int order = a->machine_text().compare(b->machine_text())) return order < 0;
      return a->level() < b->level();
    });
    return told;
  }

 private:
  static constexpr std::size_t kBlock = 16384;
  // A timestamp, 64 bytes behind it for the marks, and a name that begins at the last of them.
  static constexpr std::ptrdiff_t kAhead = 32 + 1 + 64 + 32;
  // Lines of levels that are not counted stand under this hour: their codes are known good all the same.
  static constexpr std::int64_t kPassed = INT32_MIN;
  static constexpr std::int64_t kPassedMost = 65536;
  // Bytes after which the counts of lines seen lately are handed over, so that 32 bits hold them.
  static constexpr std::int64_t kTurn = std::int64_t{1} << 30;

  void take(const char* from, std::int64_t many) {
    const char* const end = from + many;
    const char* at = from;
    if (open_length_ > 0) {
      const void* found = std::memchr(from, '\n', static_cast<std::size_t>(many));
      const char* stop = found ? static_cast<const char*>(found) : end;
      hold(at, stop);
      if (found) {
        close();
        at = stop + 1;
      }
    }
    if (open_length_ == 0) {
      start_ = from;
      at = (this->*lines_)(at, end);
      hold(at, end);
    }
    tally_.bytes += many;
  }

  // All whole lines of [at, end); returns where the last, unfinished one begins. Usual: the columns are
  // timestamp, machine, level and code, with a text behind, which the compiler then knows.
  template <bool ByMachine, bool Usual>
  const char* lines(const char* at, const char* const end) {
    for (const char* block = at; block < end; block += kBlock) {
      const std::size_t many = newlines(block, std::min(kBlock, static_cast<std::size_t>(end - block)), found_.get());
      tally_.lines += static_cast<std::int64_t>(many);
      for (std::size_t i = 0; i < many; ++i) {
        if constexpr (Usual && !ByMachine) {
          i += known(at, block, i, many, end);
          if (i == many) break;
        }
        const char* const stop = block + found_[i];
        line<ByMachine, Usual>(at, stop, end);
        at = stop + 1;
      }
    }
    settle<ByMachine>();
    return at;
  }

  // Counts lines of the usual layout while they are of the last hour, with a level and code seen lately. Takes them
  // from the one that begins at `at`, whose end is found_[first], and says how many they were. What does not change
  // meanwhile is held in variables: the compiler cannot know that no count lies in it.
  std::size_t known(const char*& at, const char* block, std::size_t first, std::size_t many, const char* end) {
    const SameHour hour = same_hour_;
    const LogRecent::Within recent = recent_.within(static_cast<std::uint32_t>(hour.hour()));
    const char separator = layout_.separator;
    const std::uint64_t padding = runs_ ? ~std::uint64_t{0} : 0;
    const std::size_t longest = layout_.longest;
    const std::uint32_t* const found = found_.get();
    std::size_t i = first;
    for (; i < many && end - at >= kAhead; ++i) {
      const char* const stop = block + found[i];
      if (static_cast<std::size_t>(stop - at) > longest || !hour.matches(at)) break;
      const char* const machine = at + hour.length() + 1;
      const std::uint64_t separators = equal_64(machine, separator);
      const std::uint64_t marks = separators & ~(separators << 1 & padding);
      const std::uint64_t level = marks & (marks - 1), code = level & (level - 1);
      const std::uint64_t name = (marks - 1) & ~marks;
      if ((machine[-1] != separator) | (code == 0) | (name - 1 >= UINT32_MAX)) break;
      if (unprintable_32(machine) & name) break;
      const auto begin = static_cast<std::size_t>(std::countr_zero(marks)) + 1;
      const std::size_t length = static_cast<std::size_t>(std::countr_zero(code)) + 1 - begin;
      if (length > LogRecent::kBytes || !recent.count(machine + begin, length)) break;
      at = stop + 1;
    }
    return i - first;
  }

  template <bool ByMachine, bool Usual>
  FLYBALL_INLINE void line(const char* begin, const char* stop, const char* readable) {
    const auto whole = static_cast<std::size_t>(stop - begin);
    const std::size_t length = whole - (whole > 0 && stop[-1] == '\r');
    if (length == 0) {
      ++tally_.blank;
    } else if (whole > layout_.longest || readable - begin < kAhead || !quick<ByMachine, Usual>(begin, stop, length)) {
      settle<ByMachine>();
      slow(begin, stop);
    }
  }

  // The lines that wait for their groups, in their order. They wait because a group lies anywhere in memory:
  // while it is fetched, the lines behind are read.
  template <bool ByMachine>
  void settle() {
    for (std::size_t i = 0; i < waiting_; ++i) {
      const Waiting& line = queue_[i];
      if (Group* const group = table_.find<ByMachine>(line.hash, line.code, line.machine, line.meta)) {
        ++group->count;
        if (line.said_length - 1 < LogRecent::kBytes) {
          recent_.put(line.said, line.said_length, line.hour, &group->count);
        }
      } else {
        slow(line.begin, line.stop);
      }
    }
    waiting_ = 0;
  }

  void slow(const char* begin, const char* stop) {
    const bool carriage = stop[-1] == '\r';
    slow(tally_.bytes + (begin - start_), {begin, stop}, static_cast<std::size_t>(stop - begin) - carriage);
  }

  // Sends the line on to its group if all else is good; says nothing about it otherwise.
  template <bool ByMachine, bool Usual>
  FLYBALL_INLINE bool quick(const char* const p, const char* const stop, const std::size_t length) {
    std::uint64_t marks = equal_64(p, layout_.separator);
    if (length < 64) marks &= low_bits(length);
    const std::uint64_t separators = marks;
    if (length < 64) marks |= std::uint64_t{1} << length;
    const int columns = Usual ? 4 : layout_.columns, joined = Usual ? -1 : layout_.joined();
    std::size_t begins[kFieldsMost], lengths[kFieldsMost];
    std::size_t at = 0;
    for (int i = 0; i < columns; ++i) {
      if (i == joined) marks &= ~(at < 54 ? std::uint64_t{1} << (at + 10) : 0);
      if (marks == 0) return false;
      const auto mark = static_cast<std::size_t>(std::countr_zero(marks));
      marks &= marks - 1;
      begins[i] = at;
      lengths[i] = mark - at;
      at = mark + 1;
      if (runs_) {
        at += static_cast<std::size_t>(std::countr_one(separators >> mark >> 1));
        marks &= at < 64 ? ~std::uint64_t{0} << at : 0;
      }
    }
    // The mark behind the last column is the end of the line if and only if no text follows.
    if ((at > length) == (Usual || layout_.text)) return false;

    const int timestamp = Usual ? 0 : layout_.timestamp, machine_at = Usual ? 1 : layout_.machine;
    const int level_at = Usual ? 2 : layout_.level, code_at = Usual ? 3 : layout_.code;
    std::int64_t hour;
    if (!this->hour(p + begins[timestamp], lengths[timestamp], hour)) return false;

    std::size_t machine_length = 0;
    Key<4> machine;
    if (machine_at >= 0) {
      const char* const text = p + begins[machine_at];
      machine_length = lengths[machine_at];
      if (machine_length - 1 >= kMachineBytes) return false;
      if constexpr (ByMachine) {
        machine = Key<4>::of(text, machine_length);
      } else if (!printable_32(text, machine_length)) {
        return false;
      }
    }
    int level = 0;
    if (level_at >= 0) {
      level = levels_.find(p + begins[level_at], lengths[level_at]);
      if (level < 0) return false;
    }
    const std::size_t code_length = lengths[code_at];
    if (code_length - 1 >= kCodeBytes) return false;
    const auto code = Key<2>::of(p + begins[code_at], code_length);

    const auto meta = Group::pack(choice_.levels >> level & 1 ? hour : kPassed, choice_.by_level ? level : 0,
                                  code_length, ByMachine ? machine_length : 0);
    Waiting& line = queue_[waiting_];
    line.code = code;
    if constexpr (ByMachine) line.machine = machine;
    line.meta = meta;
    line.hash = table_.hash<ByMachine>(code, machine, meta);
    line.begin = p;
    line.hour = static_cast<std::uint32_t>(hour);
    const std::size_t said = Usual ? begins[1] + lengths[1] + 1 : 0;
    line.said = p + said;
    line.said_length = Usual && !ByMachine && iso_ ? begins[3] + lengths[3] + 1 - said : 0;
    line.stop = stop;
    table_.fetch(line.hash);
    if (++waiting_ == kQueue) settle<ByMachine>();
    return true;
  }

  // The hour of a timestamp that is good; false for any that is not, with nothing said about it.
  FLYBALL_INLINE bool hour(const char* text, std::size_t length, std::int64_t& out) {
    if (same_hour_.matches(text, length)) [[likely]] {
      out = same_hour_.hour();
      return true;
    }
    return other_hour(text, length, out);
  }

  __attribute__((noinline)) bool other_hour(const char* text, std::size_t length, std::int64_t& out) {
    Instant at;
    if (read_instant(text, length, layout_.clock, at) != Reason::none) return false;
    if (at.micros < layout_.since || at.micros >= layout_.until) return false;
    out = at.hour();
    // An hour that is plausible in part is looked at line by line.
    if (iso_ && out * kHour >= layout_.since && (out + 1) * kHour <= layout_.until) {
      same_hour_.learn(text, length, at);
    }
    return true;
  }

  __attribute__((noinline)) void slow(std::int64_t offset, std::string_view whole, std::size_t length) {
    LogLine line;
    Reason reason = Reason::long_line;
    if (whole.size() <= layout_.longest) reason = judge(layout_, whole.substr(0, length), line);
    if (reason == Reason::none) reason = count(line);
    if (reason == Reason::long_line) {
      aside(offset, reason, whole.substr(0, layout_.longest));
    } else if (reason != Reason::none) {
      aside(offset, reason, whole.substr(0, length));
    }
  }

  Reason count(const LogLine& line) {
    const bool passed = (choice_.levels >> line.level & 1) == 0;
    const std::string_view machine = choice_.by_machine ? line.machine : std::string_view();
    Group group;
    std::memcpy(&group.code, line.code.data(), line.code.size());
    std::copy(machine.begin(), machine.end(), reinterpret_cast<char*>(&group.machine));
    group.meta = Group::pack(passed ? kPassed : line.at.hour(), choice_.by_level ? line.level : 0, line.code.size(),
                             machine.size());
    group.count = 1;
    if (Group* const there = table_.find(group)) {
      ++there->count;
    } else if (passed && passed_ == kPassedMost) {
      ++tally_.unselected;
    } else if (!passed && told_ == choice_.groups) {
      return Reason::groups;
    } else {
      insert(group);
      ++(passed ? passed_ : told_);
    }
    return Reason::none;
  }

  void insert(const Group& group) {
    if (table_.full()) recent_.forget();
    table_.insert(group);
  }

  void aside(std::int64_t offset, Reason reason, std::string_view bytes) {
    ++tally_.malformed[static_cast<int>(reason)];
    if (static_cast<std::int64_t>(kept_.size()) < choice_.keep) kept_.push_back({offset, reason, std::string(bytes)});
  }

  // More of a line whose end has not come; no more of it is held than a line may be long.
  void hold(const char* from, const char* to) {
    if (from == to) return;
    if (open_length_ == 0) open_offset_ = tally_.bytes + (from - start_);
    const std::size_t room = layout_.longest + 1 - open_.size();
    open_.append(from, std::min(room, static_cast<std::size_t>(to - from)));
    open_length_ += to - from;
  }

  // The held line is whole.
  void close() {
    ++tally_.lines;
    const std::size_t length = open_.size() - (!open_.empty() && open_.back() == '\r');
    if (length == 0) {
      ++tally_.blank;
    } else {
      slow(open_offset_, open_, length);
    }
    drop();
  }

  void drop() {
    open_.clear();
    open_length_ = 0;
  }

  struct Waiting {
    Key<2> code;
    Key<4> machine;
    std::uint64_t meta, hash;
    const char *begin, *stop, *said;
    std::size_t said_length;
    std::uint32_t hour;
  };
  static constexpr std::size_t kQueue = 32;

  LogLayout layout_;
  LogChoice choice_;
  Levels levels_;
  LogTable table_;
  bool iso_, runs_;
  const char* (LogScan::*lines_)(const char*, const char*);
  SameHour same_hour_;
  LogRecent recent_;
  LogTally tally_;
  std::vector<KeptLine> kept_;
  std::string open_;
  std::int64_t open_length_ = 0, open_offset_ = 0, turned_ = 0;
  const char* start_ = nullptr;
  std::int64_t told_ = 0, passed_ = 0;
  Waiting queue_[kQueue];
  std::size_t waiting_ = 0;
  std::unique_ptr<std::uint32_t[]> found_{new std::uint32_t[kBlock + 64]};
};

}  // namespace flyball
