// Half-space trees over a stream: flyball.kernels.forests.
#include "bind.hpp"

#include <string>

#include "../half_space.hpp"

namespace {

using flyball::HalfSpace;
using AnyArray = nb::ndarray<nb::ro, nb::device::cpu>;

// Calls `use` with the row's values as they are, float or double.
template <typename Use>
auto with_row(const HalfSpace& forest, const AnyArray& row, Use use) {
  if (row.ndim() != 1 || static_cast<std::int64_t>(row.shape(0)) != forest.features) {
    const std::string features = std::to_string(forest.features);
    throw nb::value_error(("row: needs one dimension of " + features + " features").c_str());
  }
  if (row.dtype() == nb::dtype<double>()) return use(static_cast<const double*>(row.data()), row.stride(0));
  if (row.dtype() == nb::dtype<float>()) return use(static_cast<const float*>(row.data()), row.stride(0));
  throw nb::value_error("row: needs a float32 or float64 array");
}

template <typename T>
void push(HalfSpace& forest, nb::ndarray<const T, nb::ndim<2>, nb::device::cpu> rows, DoublesOut out) {
  const auto count = static_cast<std::int64_t>(rows.shape(0));
  const T* values = rows.data();
  double* scores = out.data();
  const std::int64_t row_step = rows.stride(0), step = rows.stride(1);
  nb::gil_scoped_release unlocked;
  for (std::int64_t row = 0; row < count; ++row) scores[row] = forest.push(values + row * row_step, step);
}

template <typename T>
std::vector<T> copy(const Line<T>& line) {
  return {line.data(), line.data() + line.size()};
}

}  // namespace

void bind_forests(nb::module_& m) {
  nb::class_<HalfSpace>(m, "HalfSpace")
      .def("__init__",
           [](HalfSpace* self, std::int32_t trees, std::int32_t height, std::int32_t features,
              std::int64_t window, Line<std::int32_t> feature, Doubles threshold, Line<std::int32_t> present,
              Line<std::int32_t> last, std::int64_t seen, bool first) {
             new (self) HalfSpace{trees, height, features, window, copy(feature),
                                  copy(threshold), copy(present), copy(last), seen, first};
           })
      .def("score_one", [](const HalfSpace& forest, const AnyArray& row) {
        return with_row(forest, row, [&](const auto* values, std::int64_t step) {
          return forest.score(values, step);
        });
      })
      .def("learn_one", [](HalfSpace& forest, const AnyArray& row) {
        with_row(forest, row, [&](const auto* values, std::int64_t step) { forest.learn(values, step); });
      })
      .def("push", push<float>)
      .def("push", push<double>)
      // The counts: of the present window, of the last, rows seen, whether no window is full yet.
      .def("counts", [](const HalfSpace& forest, LineOut<std::int32_t> present, LineOut<std::int32_t> last) {
        std::copy(forest.present.begin(), forest.present.end(), present.data());
        std::copy(forest.last.begin(), forest.last.end(), last.data());
        return nb::make_tuple(forest.seen, forest.first);
      });
}
