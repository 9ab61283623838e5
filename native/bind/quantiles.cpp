// Quantiles of moving windows: flyball.kernels.moving_quantile.
#include "bind.hpp"

#include "../moving_quantile.hpp"

template <typename T>
static void moving_quantile(nb::ndarray<const T, nb::ndim<2>, nb::device::cpu> channels, std::int64_t from,
                            std::int64_t window, std::int64_t min_count, double q, bool median,
                            LineOut<T> out) {
  nb::gil_scoped_release unlocked;
  const flyball::RankRule rule{window, min_count, q, median};
  const auto many = static_cast<std::int64_t>(channels.shape(0));
  const auto rows = static_cast<std::int64_t>(channels.shape(1));
  const flyball::Channels<T> series{channels.data(), rows, many, channels.stride(1), channels.stride(0)};
  flyball::moving_quantile(rule, series, from, out.data());
}

void bind_quantiles(nb::module_& m) {
  m.def("moving_quantile", &moving_quantile<double>);
  m.def("moving_quantile", &moving_quantile<float>);
}
