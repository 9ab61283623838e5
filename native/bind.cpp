// The only file of the native core that knows Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "asof.hpp"
#include "ends.hpp"
#include "extremes.hpp"
#include "median.hpp"
#include "moments.hpp"
#include "slope.hpp"

namespace nb = nanobind;

using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ints = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using DoublesOut = nb::ndarray<double, nb::c_contig, nb::device::cpu>;
using IntsOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

static flyball::Windows view(const Ints& lo, const Ints& hi) {
  return {lo.data(), hi.data(), static_cast<std::int64_t>(lo.size())};
}

NB_MODULE(_native, m) {
  m.doc() = "The native kernels. Arguments are checked in Python: see flyball.kernels.";

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

  m.def("asof", [](Ints times, Ints starts, Ints moments, Ints segments, IntsOut out) {
    nb::gil_scoped_release unlocked;
    flyball::asof(times.data(), starts.data(), static_cast<std::int64_t>(starts.size()) - 1,
                  moments.data(), segments.data(), static_cast<std::int64_t>(moments.size()),
                  out.data());
  });
  m.def("sorted_within", [](Ints times, Ints starts) {
    nb::gil_scoped_release unlocked;
    return flyball::sorted_within(times.data(), starts.data(),
                                  static_cast<std::int64_t>(starts.size()) - 1);
  });
}
