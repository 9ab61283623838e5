// The levels and codes of lines seen lately, as the bytes they stand in, each with a count of its own.
//
// A log says the same few hundred things over and over within an hour. A level and code that were found good once
// are good wherever the same bytes follow a machine, so they need no second reading. What is counted here is small
// enough to stay in the nearest cache, which the groups are not, and goes to its group when it makes room.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>

#include "bytes.hpp"

namespace flyball {

class LogRecent {
 public:
  static constexpr std::size_t kBytes = 24;

  struct alignas(32) Said {
    Key<3> text;  // none: no line, as one ends with its separator
    std::uint32_t hour = 0, count = 0;
  };

  // What was seen within one hour; good until more is put.
  class Within {
   public:
    Within(Said* said, std::uint32_t hour) : said_(said) { wanted_.hour = hour; }

    // Counts a line with these bytes if they are known; 32 must be readable on both sides of their begin.
    FLYBALL_INLINE bool count(const char* text, std::size_t length) const {
      Said* const pair = said_ + at(text, length);
      const bool first = is(pair[0], text, length);
      if (!first && !is(pair[1], text, length)) return false;
      ++pair[!first].count;
      return true;
    }

   private:
    FLYBALL_INLINE bool is(const Said& said, const char* text, std::size_t length) const {
#if defined(__AVX2__)
      const auto load = [](const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); };
      const __m256i bytes = _mm256_and_si256(load(text), load(kKept.of(length)));
      const __m256i other = _mm256_xor_si256(_mm256_or_si256(bytes, load(&wanted_)), load(&said));
      return _mm256_testz_si256(other, _mm256_set_epi64x(UINT32_MAX, -1, -1, -1));
#else
      return (said.text == Key<3>::of(text, length)) & (said.hour == wanted_.hour);
#endif
    }

    Said* said_;
    Said wanted_;
  };

  Within within(std::uint32_t hour) { return {said_.get(), hour}; }

  // The bytes end with the separator behind the code, so that none begins as another does; at most 24.
  void put(const char* text, std::size_t length, std::uint32_t hour, std::uint64_t* group) {
    const std::size_t place = at(text, length);
    settle(place + 1);
    said_[place + 1] = said_[place];
    groups_[place + 1] = groups_[place];
    said_[place] = {Key<3>::of(text, length), hour, 0};
    groups_[place] = group;
  }

  // Hands all counts over; before they are asked for, and before 2^32 lines have come.
  void settle() {
    for (std::size_t i = 0; i < kPlaces; ++i) settle(i);
  }

  // The groups are about to move.
  void forget() {
    settle();
    for (std::size_t i = 0; i < kPlaces; ++i) {
      said_[i] = {};
      groups_[i] = nullptr;
    }
  }

 private:
  static constexpr int kBits = 11;
  static constexpr std::size_t kPlaces = std::size_t{2} << kBits;

  void settle(std::size_t i) {
    if (said_[i].count == 0) return;
    *groups_[i] += said_[i].count;
    said_[i].count = 0;
  }

  // A pair of places by the first and the last eight bytes: where there are fewer, others nearby slip in, and a
  // text has several places, which costs room only.
  static FLYBALL_INLINE std::size_t at(const char* text, std::size_t length) {
    std::uint64_t first, last;
    std::memcpy(&first, text, 8);
    std::memcpy(&last, text + length - 8, 8);
    return 2 * ((first * 0x9e3779b97f4a7c15ULL + last * 0xd1342543de82ef95ULL) >> (64 - kBits));
  }

  std::unique_ptr<Said[]> said_{new Said[kPlaces]};
  std::unique_ptr<std::uint64_t*[]> groups_{new std::uint64_t*[kPlaces]()};
};

}  // namespace flyball
