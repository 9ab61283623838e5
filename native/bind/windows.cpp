// Statistics over given windows: flyball.kernels.windows.
#include "bind.hpp"

#include "../ends.hpp"
#include "../extremes.hpp"
#include "../median.hpp"
#include "../moments.hpp"
#include "../slope.hpp"

static flyball::Windows view(const Ints& lo, const Ints& hi) {
  return {lo.data(), hi.data(), static_cast<std::int64_t>(lo.size())};
}

void bind_windows(nb::module_& m) {
  m.def("within", [](Ints lo, Ints hi, std::int64_t rows) {
    nb::gil_scoped_release unlocked;
    return flyball::within(view(lo, hi), rows);
  });
  m.def("moments", [](Doubles values, Ints lo, Ints hi, bool with_std, DoublesOut out) {
    nb::gil_scoped_release unlocked;
    flyball::moments(values.data(), view(lo, hi), with_std, out.data());
  });
  m.def("extremes", [](Doubles values, Ints lo, Ints hi, DoublesOut out) {
    nb::gil_scoped_release unlocked;
    flyball::extremes(values.data(), view(lo, hi), out.data());
  });
  m.def("median", [](Doubles values, Ints lo, Ints hi, DoublesOut out) {
    nb::gil_scoped_release unlocked;
    flyball::median(values.data(), view(lo, hi), out.data());
  });
  m.def("ends", [](Doubles values, Ints lo, Ints hi, DoublesOut out) {
    nb::gil_scoped_release unlocked;
    flyball::ends(values.data(), view(lo, hi), out.data());
  });
  m.def("slope", [](Doubles values, Doubles positions, Ints lo, Ints hi, DoublesOut out) {
    nb::gil_scoped_release unlocked;
    flyball::slope(values.data(), positions.data(), view(lo, hi), out.data());
  });
}
