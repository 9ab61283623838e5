// The only file of the native core that knows Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "asof.hpp"

namespace nb = nanobind;

using Ints = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using IntsOut = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

NB_MODULE(_native, m) {
  m.doc() = "The native kernels. Arguments are checked in Python: see flyball.kernels.";

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
