// What a log scan is asked for, and what it says besides the groups.
#pragma once

#include <cstdint>
#include <string>

#include "logtime.hpp"

namespace flyball {

struct LogChoice {
  bool by_machine = false, by_level = false;
  std::uint32_t levels = ~0U;         // the levels that are counted, as bits
  std::int64_t keep = 100;            // malformed lines kept whole
  std::int64_t groups = 1 << 20;      // at most so many are told apart
};

struct KeptLine {
  std::int64_t offset;
  Reason reason;
  std::string bytes;
};

struct LogTally {
  std::int64_t lines = 0, blank = 0, unselected = 0, bytes = 0;
  std::int64_t malformed[kReasons] = {};
};

}  // namespace flyball
