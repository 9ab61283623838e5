// What the bindings share: the arrays that Python hands over, and a function for each operator.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>

namespace nb = nanobind;

template <typename T>
using Line = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using LineOut = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Table = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <typename T>
using TableOut = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Doubles = Line<double>;
using Ints = Line<std::int64_t>;
// Any shape: rows of figures behind one another.
using DoublesOut = nb::ndarray<double, nb::c_contig, nb::device::cpu>;
using IntsOut = LineOut<std::int64_t>;

void bind_windows(nb::module_& m);
void bind_asof(nb::module_& m);
void bind_moving_moments(nb::module_& m);
void bind_logscan(nb::module_& m);
void bind_ring(nb::module_& m);
void bind_peaks(nb::module_& m);
void bind_drift(nb::module_& m);
void bind_trees(nb::module_& m);
void bind_forests(nb::module_& m);
void bind_quantiles(nb::module_& m);
void bind_residuals(nb::module_& m);
