// Log lines counted by hour and code: flyball.kernels.logscan.
#include "bind.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "../logscan.hpp"

namespace {

using flyball::Group;
using flyball::KeptLine;
using flyball::LogScan;
using flyball::LogTally;
using flyball::Reason;

nb::bytes bytes_of(std::string_view text) { return nb::bytes(text.data(), text.size()); }

template <typename T>
nb::bytes bytes_of(const std::vector<T>& values) {
  return nb::bytes(values.data(), values.size() * sizeof(T));
}

std::string text_of(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

// Columns rather than rows: a million groups are five objects.
nb::tuple groups(LogScan& scan) {
  std::vector<std::int64_t> hours, levels, counts;
  std::vector<flyball::Key<2>> codes;
  std::vector<flyball::Key<4>> machines;
  {
    nb::gil_scoped_release unlocked;
    for (const Group* group : scan.groups()) {
      hours.push_back(group->hour());
      codes.push_back(group->code);
      machines.push_back(group->machine);
      levels.push_back(group->level());
      counts.push_back(static_cast<std::int64_t>(group->count));
    }
  }
  return nb::make_tuple(bytes_of(hours), bytes_of(codes), bytes_of(machines), bytes_of(levels), bytes_of(counts));
}

void add_groups(LogScan& scan, const nb::bytes& hours, const nb::bytes& codes, const nb::bytes& machines,
                const nb::bytes& levels, const nb::bytes& counts) {
  const std::size_t many = counts.size() / sizeof(std::int64_t);
  const auto number = [](const nb::bytes& from, std::size_t i) {
    std::int64_t value;
    std::memcpy(&value, from.c_str() + i * sizeof value, sizeof value);
    return value;
  };
  for (std::size_t i = 0; i < many; ++i) {
    Group group;
    std::memcpy(&group.code, codes.c_str() + i * sizeof group.code, sizeof group.code);
    std::memcpy(&group.machine, machines.c_str() + i * sizeof group.machine, sizeof group.machine);
    group.meta = Group::pack(number(hours, i), static_cast<int>(number(levels, i)),
                             strnlen(reinterpret_cast<const char*>(&group.code), sizeof group.code),
                             strnlen(reinterpret_cast<const char*>(&group.machine), sizeof group.machine));
    group.count = static_cast<std::uint64_t>(number(counts, i));
    scan.add(group);
  }
}

std::vector<std::int64_t> tally(LogScan& scan) {
  const LogTally told = scan.tally();
  std::vector<std::int64_t> out{told.lines, told.blank, told.unselected, told.bytes};
  out.insert(out.end(), told.malformed, told.malformed + flyball::kReasons);
  return out;
}

nb::list kept(const LogScan& scan) {
  nb::list out;
  for (const KeptLine& line : scan.kept()) {
    out.append(nb::make_tuple(line.offset, static_cast<int>(line.reason), bytes_of(line.bytes)));
  }
  return out;
}

void add_tally(LogScan& scan, const std::vector<std::int64_t>& numbers, const nb::list& kept_lines) {
  LogTally told{numbers.at(0), numbers.at(1), numbers.at(2), numbers.at(3), {}};
  for (int i = 0; i < flyball::kReasons; ++i) told.malformed[i] = numbers.at(4 + static_cast<std::size_t>(i));
  std::vector<KeptLine> lines;
  for (const nb::handle line : kept_lines) {
    lines.push_back({nb::cast<std::int64_t>(line[0]), static_cast<Reason>(nb::cast<int>(line[1])),
                     text_of(nb::cast<nb::bytes>(line[2]))});
  }
  scan.add(told, lines);
}

void make(LogScan* self, const std::vector<int>& places, bool text, const nb::bytes& separator, bool runs, int clock,
          const std::vector<nb::bytes>& levels, const nb::bytes& shape, std::int64_t since, std::int64_t until,
          std::int64_t longest, const std::vector<bool>& by, std::uint32_t chosen, std::int64_t keep,
          std::int64_t groups_most) {
  flyball::LogLayout layout;
  layout.columns = places.at(0);
  layout.timestamp = places.at(1);
  layout.machine = places.at(2);
  layout.level = places.at(3);
  layout.code = places.at(4);
  layout.text = text;
  layout.separator = separator.c_str()[0];
  layout.runs = runs;
  layout.clock = static_cast<flyball::Clock>(clock);
  for (const nb::bytes& level : levels) layout.levels.push_back(text_of(level));
  layout.shape = text_of(shape);
  layout.since = since;
  layout.until = until;
  layout.longest = static_cast<std::size_t>(longest);
  new (self) LogScan(std::move(layout), {by.at(0), by.at(1), chosen, keep, groups_most});
}

}  // namespace

void bind_logscan(nb::module_& m) {
  nb::class_<LogScan>(m, "LogScan")
      .def("__init__", &make)
      .def("push", [](LogScan& scan, Line<std::uint8_t> chunk) {
        nb::gil_scoped_release unlocked;
        scan.push(reinterpret_cast<const char*>(chunk.data()), static_cast<std::int64_t>(chunk.size()));
      })
      .def("finish", &LogScan::finish)
      .def("groups", &groups)
      .def("add_groups", &add_groups)
      .def("tally", &tally)
      .def("kept", &kept)
      .def("add_tally", &add_tally)
      .def("open_line", [](const LogScan& scan) {
        return nb::make_tuple(bytes_of(scan.open()), scan.open_length());
      })
      .def("set_open_line", [](LogScan& scan, const nb::bytes& bytes, std::int64_t length) {
        scan.open(text_of(bytes), length);
      });
}
