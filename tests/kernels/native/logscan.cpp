// The log scan on many made-up inputs, by the comparison of the fuzz target: whole, in chunks, and plain.
#include <cstdio>
#include <random>
#include <string>

#include "fuzz/logscan.cpp"

namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t most) { return random() % most; }

std::string pick(Random& random, std::initializer_list<const char*> words) {
  return *(words.begin() + below(random, words.size()));
}

// A line as it should be, or nearly: every piece is good in most lines, and near to good in the others.
std::string line(Random& random, int clock, char separator, bool turned, bool calm) {
  const auto good = [&](const char* usual, std::initializer_list<const char*> odd) {
    return below(random, 12) ? std::string(usual) : pick(random, odd);
  };
  std::string time;
  if (clock < 2) {
    time = good("2026-03-01", {"2026-02-29", "2024-02-29", "2026-13-01", "0000-01-01", "9999-12-31", "2026-3-01", ""});
    time += clock == 1 ? ' ' : 'T';
    time += pick(random, {"12", "12", "12", "13", "23", "24"}) + ":" + pick(random, {"00", "29", "30", "59", "60"});
    time += ":" + good("05", {"59", "60", "5", "x1"}) + pick(random, {"", ".7", ".789", ",123456789", "."});
    time += pick(random, {"", "Z", "Z", "+02:00", "-0330", "+05:45", "+5", "z"});
  } else {
    time = good(clock == 2 ? "1772368496" : "1772368496789",
                {"0", "253402300799", "253402300800", "1772368496.5", "-1", "", "12345678901234567890"});
  }
  // In a calm log the hour and the shape of the timestamp stay: its lines are recognised by what was seen lately.
  if (calm && clock < 2 && below(random, 40)) time = clock == 1 ? "2026-03-01 12:34:56.789" : "2026-03-01T12:34:56.789";
  const std::string machine =
      good("SCN0042", {"", "S", "A-NAME-OF-THIRTY-TWO-BYTES-00001", "A-NAME-OF-THIRTY-THREE-BYTES-0001", "\x01", "\xff"});
  const std::string level = good("ERROR", {"INFO", "WARN", "DEBUG", "ERR", "error", "", "ERRORS"});
  const std::string code = good("E-4711", {"E-1", "ALARM-00000000017", "ALARM-0000000017", "", "E4711", "E-47x1", "\x7f"});
  const std::string s(below(random, 10) ? 1 : 1 + below(random, 3), separator);
  std::string made = turned ? level + s + machine + s + time + s + code : time + s + machine + s + level + s + code;
  if (below(random, 20)) made += s + std::string(below(random, 90), "a \t,|\xc3\r"[below(random, 7)]);
  if (below(random, 30) == 0) made.insert(below(random, made.size() + 1), 1, '\0');
  if (below(random, 30) == 0) made.clear();
  return made + (below(random, 5) ? "\n" : "\r\n");
}

}  // namespace

int main() {
  Random random(1);
  for (int round = 0; round < 400; ++round) {
    std::string input;
    for (int i = 0; i < 8; ++i) input += static_cast<char>(random());
    const bool calm = round % 2 == 0;
    if (calm) {  // the usual layout, with machines not told apart and no limit on what is plausible
      input[0] &= 7;
      input[1] &= 0x71;
    }
    const auto first = static_cast<unsigned char>(input[0]);
    // One in ten long enough for the scan by blocks.
    const std::size_t lines = round % 10 ? below(random, 20) : 300;
    for (std::size_t i = 0; i < lines; ++i) {
      input += line(random, first >> 2 & 3, " \t,|"[first & 3], (first & 32) != 0, calm);
    }
    if (below(random, 2)) input.resize(input.size() - std::min(input.size() - 8, below(random, 60)));
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  }
  std::puts("equal");
  return 0;
}
