// Statistics over moving windows: flyball.kernels.moving_moments.
#include "bind.hpp"

#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <new>

#include "../moving_moments.hpp"

namespace {

// Rows by channels, in any layout.
template <typename T>
using Rows = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
// Statistics by rows by channels.
template <typename T>
using Answers = nb::ndarray<T, nb::ndim<3>, nb::device::cpu>;

// One thread at a time: a second one waits, without the interpreter's lock.
struct Moving {
  flyball::MovingMoments moments;
  mutable std::mutex busy;
};

template <typename T, bool kAll>
void push(Moving& moving, Rows<T> rows, std::optional<Ints> times, Answers<T> out) {
  const flyball::Source<T> from{rows.data(), rows.stride(0), rows.stride(1)};
  const flyball::Sink<T> to{out.data(), out.stride(0), out.stride(1), out.stride(2)};
  const auto n = static_cast<std::int64_t>(rows.shape(0));
  const std::int64_t* when = times ? times->data() : nullptr;
  nb::gil_scoped_release unlocked;
  const std::lock_guard<std::mutex> alone(moving.busy);
  if constexpr (kAll) {
    moving.moments.push_all(from, n, when, to);
  } else {
    moving.moments.push(from, n, when, to);
  }
}

}  // namespace

void bind_moving_moments(nb::module_& m) {
  nb::class_<Moving>(m, "MovingMoments")
      .def("__init__",
           [](Moving* made, std::int64_t over, bool timed, std::int64_t least, std::int64_t ddof,
              std::array<int, flyball::kStatistics> place, std::int64_t channels, std::int64_t next) {
             flyball::Plan plan{over, timed, static_cast<double>(least), static_cast<double>(ddof), {}};
             std::copy(place.begin(), place.end(), plan.place);
             new (made) Moving{{plan, channels, next}, {}};
           })
      .def("push", &push<double, false>, nb::arg().noconvert(), nb::arg().none(), nb::arg().noconvert())
      .def("push", &push<float, false>, nb::arg().noconvert(), nb::arg().none(), nb::arg().noconvert())
      .def("push_all", &push<double, true>, nb::arg().noconvert(), nb::arg().none(), nb::arg().noconvert())
      .def("push_all", &push<float, true>, nb::arg().noconvert(), nb::arg().none(), nb::arg().noconvert())
      .def("remember",
           [](Moving& moving, Table<double> rows, std::optional<Ints> times) {
             const auto n = static_cast<std::int64_t>(rows.shape(0));
             const std::lock_guard<std::mutex> alone(moving.busy);
             moving.moments.push(flyball::Source<double>{rows.data(), rows.stride(0), rows.stride(1)}, n,
                                 times ? times->data() : nullptr, flyball::Sink<double>{nullptr, 0, 0, 0});
           },
           nb::arg(), nb::arg().none())
      .def("kept",
           [](const Moving& moving) {
             const std::lock_guard<std::mutex> alone(moving.busy);
             return moving.moments.kept();
           })
      .def("keep", [](const Moving& moving, TableOut<double> rows, IntsOut times) {
        const std::lock_guard<std::mutex> alone(moving.busy);
        moving.moments.keep(rows.data(), times.data());
      });
}
