// Counts of (hour, level, machine, code), one cache line each, found by one look.
#pragma once

#include <bit>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "bytes.hpp"

namespace flyball {

struct alignas(64) Group {
  Key<2> code;
  Key<4> machine;
  std::uint64_t meta = 0;   // hour, level and the lengths of both names
  std::uint64_t count = 0;  // 0: a free place

  std::int64_t hour() const { return static_cast<std::int32_t>(meta >> 32); }
  int level() const { return static_cast<int>(meta >> 16 & 255); }
  std::size_t code_length() const { return meta >> 8 & 255; }
  std::size_t machine_length() const { return meta & 255; }

  static FLYBALL_INLINE std::uint64_t pack(std::int64_t hour, int level, std::size_t code, std::size_t machine) {
    return static_cast<std::uint64_t>(hour) << 32 | static_cast<std::uint64_t>(level) << 16 | code << 8 | machine;
  }

  std::string_view code_text() const { return {reinterpret_cast<const char*>(&code), code_length()}; }
  std::string_view machine_text() const { return {reinterpret_cast<const char*>(&machine), machine_length()}; }
};

class LogTable {
 public:
  // Whether machines are told apart is fixed, so that the rest pays nothing for it.
  explicit LogTable(bool by_machine) : by_machine_(by_machine), places_(1024) {
    // Multipliers that nobody can know beforehand: no log can be written to make all groups collide.
    std::random_device source;
    for (auto& m : multipliers_) m = (static_cast<std::uint64_t>(source()) << 32 | source()) | 1;
  }

  template <bool ByMachine>
  FLYBALL_INLINE std::uint64_t hash(const Key<2>& code, const Key<4>& machine, std::uint64_t meta) const {
    std::uint64_t h = code.words[0] * multipliers_[0] + code.words[1] * multipliers_[1] + meta * multipliers_[2];
    if constexpr (ByMachine) {
      for (int i = 0; i < 4; ++i) h += machine.words[i] * multipliers_[3 + i];
    }
    return h;
  }

  FLYBALL_INLINE void fetch(std::uint64_t hash) const { __builtin_prefetch(&places_[hash >> shift_]); }

  template <bool ByMachine>
  FLYBALL_INLINE Group* find(std::uint64_t hash, const Key<2>& code, const Key<4>& machine, std::uint64_t meta) {
    for (std::size_t i = hash >> shift_;; i = (i + 1) & (places_.size() - 1)) {
      Group& group = places_[i];
      bool same = (group.meta == meta) & (group.code.words[0] == code.words[0]) &
                  (group.code.words[1] == code.words[1]);
      if constexpr (ByMachine) same = same && group.machine == machine;
      if (same) [[likely]] return &group;
      if (group.count == 0) return nullptr;
    }
  }

  Group* find(const Group& wanted) {
    return by_machine_ ? find<true>(hash(wanted), wanted.code, wanted.machine, wanted.meta)
                       : find<false>(hash(wanted), wanted.code, wanted.machine, wanted.meta);
  }

  // Whether the next group that is added moves the others.
  bool full() const { return 2 * (size_ + 1) > places_.size(); }

  // The group must not be there yet.
  void insert(const Group& group) {
    if (full()) grow();
    ++size_;
    put(group);
  }

  std::size_t size() const { return size_; }
  const std::vector<Group>& places() const { return places_; }

 private:
  std::uint64_t hash(const Group& group) const {
    return by_machine_ ? hash<true>(group.code, group.machine, group.meta)
                       : hash<false>(group.code, group.machine, group.meta);
  }

  void put(const Group& group) {
    std::size_t i = hash(group) >> shift_;
    while (places_[i].count != 0) i = (i + 1) & (places_.size() - 1);
    places_[i] = group;
  }

  void grow() {
    std::vector<Group> before(places_.size() * 2);
    before.swap(places_);
    shift_ = 64 - std::countr_zero(places_.size());
    for (const Group& group : before) {
      if (group.count != 0) put(group);
    }
  }

  bool by_machine_;
  std::vector<Group> places_;
  int shift_ = 64 - 10;
  std::size_t size_ = 0;
  std::uint64_t multipliers_[7];
};

}  // namespace flyball
