// Peaks of a series: flyball.kernels.find_peaks and flyball.kernels.Peaks.
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
Owned<T> hand_over(std::unique_ptr<T[]> values, std::int64_t count) {
  T* raw = values.release();
  const nb::capsule owner(raw, [](void* taken) noexcept { delete[] static_cast<T*>(taken); });
  return Owned<T>(raw, {static_cast<std::size_t>(count)}, owner);
}

template <typename T, typename Figure>
void put(nb::dict& into, const char* name, std::int64_t count, Figure figure) {
  auto values = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values[i] = figure(static_cast<std::size_t>(i));
  into[name] = hand_over(std::move(values), count);
}

nb::dict properties(const double* x, const Rules& rules, const Found& found) {
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
  const auto& stands = found.prominences;
  if (rules.walks()) {
    put<double>(made, "prominences", count, [&](auto i) { return stands[i].prominence; });
    put<std::int64_t>(made, "left_bases", count, [&](auto i) { return stands[i].left_base; });
    put<std::int64_t>(made, "right_bases", count, [&](auto i) { return stands[i].right_base; });
  }
  const auto& widths = found.widths;
  if (rules.wants_width) {
    put<double>(made, "widths", count, [&](auto i) { return widths[i].width; });
    put<double>(made, "width_heights", count, [&](auto i) { return widths[i].height; });
    put<double>(made, "left_ips", count, [&](auto i) { return widths[i].left; });
    put<double>(made, "right_ips", count, [&](auto i) { return widths[i].right; });
  }
  return made;
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
}
