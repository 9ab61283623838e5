// The last row known at a moment: flyball.kernels.asof.
#include "bind.hpp"

#include "../asof.hpp"

void bind_asof(nb::module_& m) {
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
