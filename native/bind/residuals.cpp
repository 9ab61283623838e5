// Grey images as residuals and back: flyball.kernels.residuals.
#include "bind.hpp"

#include "../residuals.hpp"

template <typename T>
static void bind_type(nb::module_& m) {
  m.def("residuals", [](Table<T> image, int rule, LineOut<std::uint8_t> out) {
    nb::gil_scoped_release unlocked;
    flyball::residuals<T>(image.data(), static_cast<std::int64_t>(image.shape(0)),
                          static_cast<std::int64_t>(image.shape(1)), rule, out.data());
  });
  m.def("restore", [](Line<std::uint8_t> residuals, int rule, TableOut<T> image) {
    nb::gil_scoped_release unlocked;
    flyball::restore<T>(residuals.data(), static_cast<std::int64_t>(image.shape(0)),
                        static_cast<std::int64_t>(image.shape(1)), rule, image.data());
  });
  m.def("count_residuals", [](Table<T> image, IntsOut counts) {
    nb::gil_scoped_release unlocked;
    flyball::count_residuals<T>(image.data(), static_cast<std::int64_t>(image.shape(0)),
                                static_cast<std::int64_t>(image.shape(1)), counts.data());
  });
}

void bind_residuals(nb::module_& m) {
  bind_type<std::uint8_t>(m);
  bind_type<std::uint16_t>(m);
  m.def("halve", [](Line<std::uint8_t> residuals, LineOut<std::uint8_t> low, LineOut<std::uint8_t> high) {
    nb::gil_scoped_release unlocked;
    flyball::halve(residuals.data(), static_cast<std::int64_t>(residuals.size()), low.data(), high.data());
  });
  m.def("rejoin", [](Line<std::uint8_t> low, Line<std::uint8_t> high, LineOut<std::uint8_t> residuals) {
    nb::gil_scoped_release unlocked;
    flyball::rejoin(low.data(), high.data(), static_cast<std::int64_t>(residuals.size()), residuals.data());
  });
}
