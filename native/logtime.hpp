// Timestamps of log lines: read in full once, recognised by one range check while the hour stays the same.
#pragma once

#include <cstdint>
#include <cstring>

#include "bytes.hpp"

namespace flyball {

// Why a line is malformed, in the order in which a line is judged: the first that applies is told.
enum class Reason : int {
  none, long_line, missing_field, extra_field, timestamp, date, time, implausible, machine, level, code,
  long_code, groups, cut_off
};
constexpr int kReasons = 14;

enum class Clock : int { iso, iso_space, epoch_s, epoch_ms };

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kLastSecond = 253'402'300'799;  // 9999-12-31T23:59:59

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0); }

// Days from 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March.
inline std::int64_t days_from_civil(int year, int month, int day) {
  const int y = year - (month <= 2);
  const int m = month + (month <= 2 ? 9 : -3);
  return 365LL * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

inline int days_in(int year, int month) {
  if (month == 2) return 28 + ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
  return 30 + ((month + month / 8) & 1);
}

// A text that is read from its front, each piece only if it is there.
struct Cursor {
  const char* at;
  const char* end;

  bool take(char c) { return at < end && *at == c ? (++at, true) : false; }

  // Exactly `many` digits.
  bool number(int many, int& out) {
    if (end - at < many) return false;
    out = 0;
    for (int i = 0; i < many; ++i) {
      if (!is_digit(at[i])) return false;
      out = out * 10 + (at[i] - '0');
    }
    at += many;
    return true;
  }

  // Nothing, or a decimal mark and one to nine digits, of which the first `places` are kept.
  bool fraction(int places, std::int64_t& out) {
    out = 0;
    if (!take('.') && !take(',')) return true;
    int seen = 0;
    for (; at < end && is_digit(*at); ++at, ++seen) {
      if (seen < places) out = out * 10 + (*at - '0');
    }
    for (int i = seen; i < places; ++i) out *= 10;
    return seen >= 1 && seen <= 9;
  }

  // Nothing, Z, or a numeric offset: +hh, +hhmm, +hh:mm.
  bool zone(int& minutes) {
    int hours = 0, rest = 0;
    minutes = 0;
    if (at == end || take('Z')) return true;
    const int sign = *at == '-' ? -1 : 1;
    if (!take('+') && !take('-')) return false;
    if (!number(2, hours)) return false;
    const bool colon = take(':');
    if ((colon || at < end) && !number(2, rest)) return false;
    minutes = hours > 23 || rest > 59 ? kImpossible : sign * (hours * 60 + rest);
    return true;
  }

  static constexpr int kImpossible = 100'000;
};

struct Instant {
  std::int64_t micros = 0;
  int zone = 0;  // minutes

  std::int64_t hour() const { return floor_divide(micros, kHour); }
};

inline Reason read_iso(const char* text, std::size_t length, char joint, Instant& out) {
  Cursor c{text, text + length};
  int year, month, day, hour, minute, second;
  std::int64_t micros;
  const bool shaped = c.number(4, year) && c.take('-') && c.number(2, month) && c.take('-') &&
                      c.number(2, day) && c.take(joint) && c.number(2, hour) && c.take(':') &&
                      c.number(2, minute) && c.take(':') && c.number(2, second) &&
                      c.fraction(6, micros) && c.zone(out.zone) && c.at == c.end;
  if (!shaped) return Reason::timestamp;
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in(year, month)) return Reason::date;
  if (hour > 23 || minute > 59 || second > 59 || out.zone == Cursor::kImpossible) return Reason::time;
  const std::int64_t minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - out.zone;
  out.micros = (minutes * 60 + second) * kSecond + micros;
  return Reason::none;
}

// Digits with an optional fraction; `unit` is in microseconds, `places` are the digits a microsecond takes.
inline Reason read_epoch(const char* text, std::size_t length, std::int64_t unit, int places, Instant& out) {
  Cursor c{text, text + length};
  std::int64_t whole = 0, fraction = 0;
  for (; c.at < c.end && is_digit(*c.at) && c.at - text < 16; ++c.at) whole = whole * 10 + (*c.at - '0');
  if (c.at == text || !c.fraction(places, fraction) || c.at != c.end) return Reason::timestamp;
  if (whole > kLastSecond * (kSecond / unit) + (kSecond / unit) - 1) return Reason::date;
  out.micros = whole * unit + fraction;
  return Reason::none;
}

inline Reason read_instant(const char* text, std::size_t length, Clock clock, Instant& out) {
  switch (clock) {
    case Clock::iso: return read_iso(text, length, 'T', out);
    case Clock::iso_space: return read_iso(text, length, ' ', out);
    case Clock::epoch_s: return read_epoch(text, length, kSecond, 6, out);
    default: return read_epoch(text, length, 1000, 3, out);
  }
}

// The shape of the last ISO timestamp: any other of the same length whose bytes lie between `low` and `high`
// is a good one of the same hour. Lines come nearly in the order of time, so this answers nearly always.
class SameHour {
 public:
  std::int64_t hour() const { return hour_; }
  std::size_t length() const { return length_; }

  // As below, for a text of that length.
  FLYBALL_INLINE bool matches(const char* text) const { return between_32(text, low_, high_); }

  // 32 bytes must be readable at `text`.
  FLYBALL_INLINE bool matches(const char* text, std::size_t length) const {
    return length == length_ && matches(text);
  }

  // Where the hour in UTC begins at neither minute 0 nor 30 of the local one, nothing is learnt.
  void learn(const char* text, std::size_t length, const Instant& instant) {
    const int shift = instant.zone % 60;
    if (length > kWidth || (shift != 0 && shift != 30 && shift != -30)) return;
    for (std::size_t i = 0; i < kWidth; ++i) {
      low_[i] = i < length ? static_cast<unsigned char>(text[i]) : 0;
      high_[i] = i < length ? low_[i] : 255;
    }
    for (const std::size_t i : {14, 15, 17, 18}) span(i, '0', i % 3 == 2 ? '5' : '9');
    if (shift != 0) span(14, text[14] < '3' ? '0' : '3', text[14] < '3' ? '2' : '5');
    for (std::size_t i = 20; i < length && is_digit(text[i]); ++i) span(i, '0', '9');
    length_ = length;
    hour_ = instant.hour();
  }

 private:
  static constexpr std::size_t kWidth = 32;

  void span(std::size_t i, char low, char high) {
    low_[i] = static_cast<unsigned char>(low);
    high_[i] = static_cast<unsigned char>(high);
  }

  alignas(32) unsigned char low_[kWidth] = {1}, high_[kWidth] = {};
  std::size_t length_ = 0;  // nothing has been learnt
  std::int64_t hour_ = 0;
};

}  // namespace flyball
