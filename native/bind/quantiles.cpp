// Quantiles of moving windows: flyball.kernels.moving_quantile and its streams.
#include <nanobind/stl/unique_ptr.h>

#include "../quantile_stream.hpp"
#include "bind.hpp"

template <typename T>
static void moving_quantile(nb::ndarray<const T, nb::ndim<2>, nb::device::cpu> channels,
                            std::int64_t window, std::int64_t min_count, double q, bool median,
                            LineOut<T> out) {
  nb::gil_scoped_release unlocked;
  const auto many = static_cast<std::int64_t>(channels.shape(0));
  const auto rows = static_cast<std::int64_t>(channels.shape(1));
  const flyball::Channels<T> series{channels.data(), rows, many, channels.stride(1), channels.stride(0)};
  flyball::MovingQuantile<T>{{window, min_count, q, median}}(series, 0, out.data());
}

// A view of what another object holds, let go at the end.
class View {
 public:
  View(nb::handle object, int flags) : held_(PyObject_GetBuffer(object.ptr(), &buffer_, flags) == 0) {
    if (!held_) PyErr_Clear();
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() {
    if (held_) PyBuffer_Release(&buffer_);
  }
  template <typename T>
  bool holds() const {
    return held_ && buffer_.format[0] == (sizeof(T) == 8 ? 'd' : 'f') && buffer_.format[1] == 0;
  }
  const Py_buffer* operator->() const { return &buffer_; }

 private:
  Py_buffer buffer_;
  bool held_;
};

template <typename T>
struct Stream {
  flyball::QuantileStream<T> rows;
  int dims;
  Py_ssize_t channels;

  // Short chunks come often, so they are looked at here: false for one that is not as declared.
  bool push(nb::handle chunk, nb::handle out) {
    const View in(chunk, PyBUF_STRIDES | PyBUF_FORMAT), made(out, PyBUF_ND | PyBUF_FORMAT | PyBUF_WRITABLE);
    if (!in.holds<T>() || !made.holds<T>() || in->ndim != dims || in->len != made->len) return false;
    if (dims == 2 && in->shape[1] != channels) return false;
    nb::gil_scoped_release unlocked;
    rows.push(static_cast<const T*>(in->buf), in->shape[0], in->strides[0],
              dims == 2 ? in->strides[1] : Py_ssize_t{sizeof(T)}, static_cast<T*>(made->buf));
    return true;
  }
  nb::bytes state() {
    const std::vector<T> kept = rows.state();
    return nb::bytes(kept.data(), sizeof(T) * kept.size());
  }
};

template <typename T>
static std::unique_ptr<Stream<T>> quantile_stream(nb::ndarray<const T, nb::c_contig, nb::device::cpu> rows,
                                                  std::int64_t window, std::int64_t min_count, double q,
                                                  bool median) {
  const bool table = rows.ndim() == 2;
  const auto channels = table ? static_cast<std::int64_t>(rows.shape(1)) : 1;
  const auto many = static_cast<std::int64_t>(rows.shape(0));
  return std::unique_ptr<Stream<T>>(new Stream<T>{
      {{window, min_count, q, median}, channels, rows.data(), many}, table ? 2 : 1, channels});
}

template <typename T>
static void bind_stream(nb::module_& m, const char* name) {
  nb::class_<Stream<T>>(m, name).def("push", &Stream<T>::push).def("state", &Stream<T>::state);
  m.def("quantile_stream", &quantile_stream<T>);
}

void bind_quantiles(nb::module_& m) {
  m.def("moving_quantile", &moving_quantile<double>);
  m.def("moving_quantile", &moving_quantile<float>);
  bind_stream<double>(m, "QuantileStreamOfDoubles");
  bind_stream<float>(m, "QuantileStreamOfFloats");
}
