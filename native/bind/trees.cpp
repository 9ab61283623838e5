// Scoring ensembles of trees: flyball.kernels.trees and flyball.kernels.forests.
#include "bind.hpp"

#include <stdexcept>
#include <string>

#include "../trees.hpp"

namespace {

using flyball::Ensemble;
using flyball::Rows;
using flyball::Trees;

template <typename T>
std::vector<T> copy(const Line<T>& line) {
  return {line.data(), line.data() + line.size()};
}

// Any array in the processor's memory: a row may be strided and read-only.
using AnyRow = nb::ndarray<nb::ro, nb::device::cpu>;

template <typename T>
Rows<T> row_of(const AnyRow& row) {
  return {static_cast<const T*>(row.data()), 1, 0, row.stride(0)};
}

template <typename T, typename Sum>
nb::object one(const Trees& trees, const AnyRow& row, bool raw) {
  const std::int32_t groups = trees.ensemble().groups;
  if (groups == 1) {
    Sum answer;
    trees.one(row_of<T>(row), raw, &answer);
    return nb::float_(static_cast<double>(answer));
  }
  std::vector<Sum> answers(static_cast<std::size_t>(groups));
  trees.one(row_of<T>(row), raw, answers.data());
  const std::int32_t wide = flyball::answers(trees.ensemble(), raw);
  if (wide == 1) return nb::float_(static_cast<double>(answers[0]));
  nb::list told;
  for (std::int32_t g = 0; g < wide; ++g) told.append(static_cast<double>(answers[g]));
  return nb::tuple(told);
}

nb::object predict_one(const Trees& trees, const AnyRow& row, bool raw) {
  const Ensemble& e = trees.ensemble();
  if (row.ndim() != 1 || static_cast<std::int64_t>(row.shape(0)) != e.features) {
    const std::string features = std::to_string(e.features);
    throw nb::value_error(("row: needs one dimension of " + features + " features").c_str());
  }
  if (row.dtype() == nb::dtype<double>()) {
    return e.single ? one<double, float>(trees, row, raw) : one<double, double>(trees, row, raw);
  }
  if (row.dtype() == nb::dtype<float>()) {
    return e.single ? one<float, float>(trees, row, raw) : one<float, double>(trees, row, raw);
  }
  throw nb::value_error("row: needs a float32 or float64 array");
}

template <typename T>
using Rectangle = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;

template <typename T, typename Sum>
void predict(const Trees& trees, Rectangle<T> rows, bool raw,
             nb::ndarray<Sum, nb::c_contig, nb::device::cpu> out) {
  const Rows<T> view{rows.data(), static_cast<std::int64_t>(rows.shape(0)), rows.stride(0), rows.stride(1)};
  nb::gil_scoped_release unlocked;
  trees.many(view, raw, out.data());
}

}  // namespace

void bind_trees(nb::module_& m) {
  nb::class_<Trees>(m, "Trees")
      .def("__init__",
           [](Trees* self, std::int32_t features, std::int32_t groups, bool narrow, bool single,
              Line<std::int32_t> group, Ints node_from, Ints leaf_from, Line<std::int32_t> feature,
              Line<std::int32_t> left, Line<std::int32_t> right, Doubles threshold, Line<std::uint8_t> marks,
              Doubles leaf, Ints set_from, Line<std::uint32_t> set_words, Doubles start, double divisor,
              std::int32_t link, double slope) {
             new (self) Trees(Ensemble{features, groups, narrow, single, copy(group), copy(node_from),
                                       copy(leaf_from), copy(feature), copy(left), copy(right),
                                       copy(threshold), copy(marks), copy(leaf), copy(set_from),
                                       copy(set_words), copy(start), divisor,
                                       static_cast<flyball::Link>(link), slope});
           })
      .def("one", predict_one)
      .def("many", predict<float, float>)
      .def("many", predict<float, double>)
      .def("many", predict<double, float>)
      .def("many", predict<double, double>);
}
