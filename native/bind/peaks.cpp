// Peaks of a series: flyball.kernels.find_peaks and flyball.kernels.Peaks.
#include "../peak_stream.hpp"
#include "../peaks.hpp"
#include "bind.hpp"

namespace {

using flyball::Found;
using flyball::Interval;
using flyball::Rules;

bool border(nb::handle given, double& plain, const double*& each) {
  if (given.is_none()) return false;
  if (!nb::try_cast<double>(given, plain)) each = nb::cast<Doubles>(given).data();
  return true;
}

// None, or (low, high), each None, a number or an array that the caller keeps.
bool interval(nb::handle given, Interval& rule) {
  if (given.is_none()) return false;
  rule.has_low = border(given[0], rule.low, rule.low_each);
  rule.has_high = border(given[1], rule.high, rule.high_each);
  return true;
}

Rules rules_from(nb::tuple given) {
  Rules rules;
  rules.wants_plateau = interval(given[0], rules.plateau_size);
  rules.wants_height = interval(given[1], rules.height);
  rules.wants_threshold = interval(given[2], rules.threshold);
  rules.wants_prominence = interval(given[3], rules.prominence);
  rules.wants_width = interval(given[4], rules.width);
  rules.distance = nb::cast<std::int64_t>(given[5]);
  rules.half = nb::cast<std::int64_t>(given[6]);
  rules.share = nb::cast<double>(given[7]);
  return rules;
}

template <typename T>
using Owned = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

template <typename T>
Owned<T> hand_over(flyball::Column<T> values, std::int64_t count) {
  T* raw = values.release();
  const nb::capsule owner(raw, [](void* taken) noexcept { delete[] static_cast<T*>(taken); });
  return Owned<T>(raw, {static_cast<std::size_t>(count)}, owner);
}

template <typename T, typename Figure>
void put(nb::dict& into, const char* name, std::int64_t count, Figure figure) {
  auto values = flyball::make_column<T>(count);
  for (std::int64_t i = 0; i < count; ++i) values[i] = figure(static_cast<std::size_t>(i));
  into[name] = hand_over(std::move(values), count);
}

nb::dict properties(const double* x, const Rules& rules, Found& found) {
  nb::dict made;
  const std::int64_t count = found.count;
  const auto* places = found.places.get();
  const auto* spans = found.spans.get();
  if (rules.wants_plateau) {
    put<std::int64_t>(made, "plateau_sizes", count, [&](auto i) { return spans[i] + 1; });
    put<std::int64_t>(made, "left_edges", count, [&](auto i) { return places[i] - spans[i] / 2; });
    put<std::int64_t>(made, "right_edges", count, [&](auto i) { return places[i] - spans[i] / 2 + spans[i]; });
  }
  if (rules.wants_height) put<double>(made, "peak_heights", count, [&](auto i) { return x[places[i]]; });
  if (rules.wants_threshold) {
    put<double>(made, "left_thresholds", count, [&](auto i) { return x[places[i]] - x[places[i] - 1]; });
    put<double>(made, "right_thresholds", count, [&](auto i) { return x[places[i]] - x[places[i] + 1]; });
  }
  const auto give = [&](const char* name, auto& column) { made[name] = hand_over(std::move(column), count); };
  if (rules.walks()) {
    give("prominences", found.prominences);
    give("left_bases", found.left_bases);
    give("right_bases", found.right_bases);
  }
  if (rules.wants_width) {
    give("widths", found.widths);
    give("width_heights", found.width_heights);
    give("left_ips", found.left_ips);
    give("right_ips", found.right_ips);
  }
  return made;
}

using flyball::Peak;
using flyball::PeakStream;

nb::bytes records(const std::vector<Peak>& peaks) {
  return nb::bytes(reinterpret_cast<const char*>(peaks.data()), peaks.size() * sizeof(Peak));
}

template <typename T>
Owned<T> column(const std::vector<T>& values) {
  auto copy = flyball::make_column<T>(static_cast<std::int64_t>(values.size()));
  std::copy(values.begin(), values.end(), copy.get());
  return hand_over(std::move(copy), static_cast<std::int64_t>(values.size()));
}
template <typename T>
std::vector<T> column(nb::handle given) {
  const auto values = nb::cast<Line<T>>(given);
  return std::vector<T>(values.data(), values.data() + values.size());
}
template <typename T, typename Field>
std::vector<T> each(const std::vector<PeakStream::Waiting>& waiting, Field field) {
  std::vector<T> values;
  for (const auto& peak : waiting) values.push_back(peak.*field);
  return values;
}

using Waiting = PeakStream::Waiting;
constexpr std::int64_t Waiting::*kWaitingWhole[] = {&Waiting::place,     &Waiting::span,
                                                    &Waiting::time,      &Waiting::doubt,
                                                    &Waiting::left_next, &Waiting::left_open};
constexpr const char* kWaitingNames[] = {"place", "span", "time", "doubt", "left_next", "left_open"};

nb::dict state_of(const PeakStream& stream) {
  const PeakStream::State state = stream.state();
  const flyball::Chain::Columns& rows = stream.chain().columns();
  nb::dict made, waiting, tops;
  made["count"] = state.count;
  made["run"] = state.run;
  made["rising"] = state.rising;
  made["ended"] = state.ended;
  made["samples"] = column(state.samples);
  for (int i = 0; i < 6; ++i) waiting[kWaitingNames[i]] = column(each<std::int64_t>(state.waiting, kWaitingWhole[i]));
  waiting["left_low"] = column(each<double>(state.waiting, &Waiting::left_low));
  made["waiting"] = waiting;
  tops["place"] = column(rows.places);
  tops["span"] = column(rows.spans);
  tops["when"] = column(rows.when);
  tops["key"] = column(rows.keys);
  tops["doubt"] = column(rows.doubts);
  made["tops"] = tops;
  made["expired"] = rows.expired;
  return made;
}

// The state was checked in Python.
void restore(PeakStream& stream, nb::dict given) {
  PeakStream::State state;
  state.count = nb::cast<std::int64_t>(given["count"]);
  state.run = nb::cast<std::int64_t>(given["run"]);
  state.rising = nb::cast<std::int64_t>(given["rising"]);
  state.ended = nb::cast<std::int64_t>(given["ended"]);
  state.samples = column<double>(given["samples"]);
  const auto waiting = nb::cast<nb::dict>(given["waiting"]);
  const auto lows = column<double>(waiting["left_low"]);
  state.waiting.resize(lows.size());
  for (int i = 0; i < 6; ++i) {
    const auto values = column<std::int64_t>(waiting[kWaitingNames[i]]);
    for (std::size_t k = 0; k < lows.size(); ++k) state.waiting[k].*kWaitingWhole[i] = values[k];
  }
  const std::int64_t begin = state.count - static_cast<std::int64_t>(state.samples.size());
  for (std::size_t k = 0; k < lows.size(); ++k) {
    Waiting& peak = state.waiting[k];
    peak.left_low = lows[k];
    peak.right_next = peak.place + 1;
    peak.right_low = state.samples[static_cast<std::size_t>(peak.place - begin)];
  }
  const auto tops = nb::cast<nb::dict>(given["tops"]);
  flyball::Chain::Columns rows;
  rows.places = column<std::int64_t>(tops["place"]);
  rows.spans = column<std::int64_t>(tops["span"]);
  rows.when = column<std::int64_t>(tops["when"]);
  rows.keys = column<double>(tops["key"]);
  rows.doubts = column<double>(tops["doubt"]);
  rows.expired = nb::cast<std::int64_t>(given["expired"]);
  stream.restore(std::move(state), std::move(rows));
}

}  // namespace

void bind_peaks(nb::module_& m) {
  m.def("find_peaks", [](Doubles values, nb::tuple given, nb::callable argsort) {
    const Rules rules = rules_from(given);
    // Which of equal heights comes first is NumPy's to say, as it is in SciPy.
    const auto order = [&](const double* heights, std::int64_t count) {
      nb::gil_scoped_acquire locked;
      const auto rising = nb::cast<Ints>(argsort(nb::ndarray<nb::numpy, const double, nb::ndim<1>>(
          heights, {static_cast<std::size_t>(count)}, nb::handle())));
      return std::vector<std::int64_t>(rising.data(), rising.data() + rising.size());
    };
    Found found;
    {
      nb::gil_scoped_release unlocked;
      found = flyball::Finder(values.data(), static_cast<std::int64_t>(values.size()), rules).find(order);
    }
    const nb::dict made = properties(values.data(), rules, found);
    const std::int64_t count = found.count;
    return nb::make_tuple(hand_over(std::move(found.places), count), made);
  });
  nb::class_<PeakStream>(m, "PeakStream")
      .def("__init__",
           [](PeakStream* self, nb::tuple given, std::int64_t delay) {
             new (self) PeakStream(rules_from(given), delay);
           })
      .def(
          "push",
          [](PeakStream& self, Doubles chunk) {
            if (self.ended()) throw nb::value_error("push: the stream was finished, begin a new one");
            const std::span<const double> samples(chunk.data(), chunk.size());
            return records(self.push(samples));
          },
          nb::arg("chunk").noconvert())
      .def("finish", [](PeakStream& self) { return records(self.finish()); })
      .def("state", &state_of)
      .def("restore", &restore);
}
