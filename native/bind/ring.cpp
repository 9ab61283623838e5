// The two ends of a ring as Python holds them: flyball.kernels.ring.
#include "bind.hpp"

#include <nanobind/stl/string.h>

#include <cmath>
#include <memory>

#include <flyball/ring.hpp>

namespace ring = flyball::ring;

// How often a wait looks whether Python was interrupted or the end was closed.
constexpr double kSlice = 0.05;

// The bytes of both copies of the items as an array that keeps the memory mapped for as long as it lives.
static nb::object bytes_of(const std::shared_ptr<ring::Mapping>& memory, bool writes) {
  auto* kept = new std::shared_ptr<ring::Mapping>(memory);
  const nb::capsule owner(kept, [](void* held) noexcept { delete static_cast<std::shared_ptr<ring::Mapping>*>(held); });
  const std::size_t shape[1] = {2 * memory->data_bytes()};
  if (writes) {
    return nb::cast(nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>(memory->items(), 1, shape, owner));
  }
  return nb::cast(nb::ndarray<nb::numpy, const std::uint8_t, nb::ndim<1>>(memory->items(), 1, shape, owner));
}

// What both ends share: the array whose slices are the views, and one user at a time.
struct End {
  nb::object items;
  bool busy = false;  // waiting without the interpreter's lock: another thread must not come in

  // Waits in slices by `step(seconds)`, which is true once done; false when the time is over.
  template <typename Closed, typename Step>
  bool wait(double seconds, const Closed& closed, const Step& step) {
    busy = true;
    struct Done {
      bool& busy;
      ~Done() { busy = false; }
    } done{busy};
    const double until = ring::now() + seconds;
    for (;;) {
      const double left = until - ring::now();
      bool found = false;
      {
        nb::gil_scoped_release unlocked;
        found = step(std::max(0.0, std::min(left, kSlice)));
      }
      if (found) return true;
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      if (closed()) throw ring::Error(ring::Fault::closed, "closed by another thread while it waited");
      if (left <= kSlice) return false;
    }
  }

  void enter(bool closed, const std::string& path) const {
    if (__builtin_expect(closed, 0)) throw ring::Error(ring::Fault::closed, path + ": this end is closed");
    if (__builtin_expect(busy, 0)) {
      throw ring::Error(ring::Fault::busy, path + ": this end is in use by another thread, open one for each");
    }
  }

  nb::object view(const void* at, std::uint64_t count, const ring::Mapping& memory) const {
    const auto from = static_cast<std::uint64_t>(static_cast<const unsigned char*>(at) - memory.items()) /
                      memory.header().item_bytes;
    PyObject* slice = PySequence_GetSlice(items.ptr(), static_cast<Py_ssize_t>(from), static_cast<Py_ssize_t>(from + count));
    if (slice == nullptr) throw nb::python_error();
    return nb::steal(slice);
  }
};

struct WriterEnd : End {
  ring::Writer ring;
  double patience;
  nb::object convert;
  std::string format;  // of the items' buffer
  enum class One { other, float64, float32 } one = One::other;  // what a bare float becomes

  WriterEnd(const std::string& name, const ring::Layout& layout, double seconds)
      : ring(name, layout), patience(seconds) {
    if (layout.channels == 1 && layout.dtype == "<f8") one = One::float64;
    if (layout.channels == 1 && layout.dtype == "<f4") one = One::float32;
  }

  unsigned char* room(std::uint64_t count) {
    unsigned char* at = ring.try_reserve(count);
    if (__builtin_expect(at != nullptr, 1)) return at;
    const auto closed = [this] { return ring.closed(); };
    if (!wait(patience, closed, [&](double seconds) { return ring.wait(count, seconds); })) {
      throw ring::Error(ring::Fault::full, ring.full(patience));
    }
    return ring.try_reserve(count);
  }

  template <typename T>
  void put(T value) {
    std::memcpy(room(1), &value, sizeof(T));
    ring.commit(1);
  }

  void put_all(const void* items, std::uint64_t count) {
    const auto* from = static_cast<const unsigned char*>(items);
    const std::uint64_t item = ring.memory()->header().item_bytes;
    while (count > 0) {
      const std::uint64_t some = std::min(count, ring.span());
      std::memcpy(room(some), from, some * item);
      ring.commit(some);
      from += some * item;
      count -= some;
    }
  }

  // A buffer of exactly the ring's items goes in without a detour over Python.
  bool put_buffer(nb::handle what) {
    Py_buffer buffer;
    if (!PyObject_CheckBuffer(what.ptr())) return false;
    if (PyObject_GetBuffer(what.ptr(), &buffer, PyBUF_FORMAT | PyBUF_ND | PyBUF_C_CONTIGUOUS) != 0) {
      PyErr_Clear();
      return false;
    }
    struct Held {
      Py_buffer& buffer;
      ~Held() { PyBuffer_Release(&buffer); }
    } held{buffer};
    const ring::Header& header = ring.memory()->header();
    const bool same = buffer.ndim == (header.channels == 1 ? 1 : 2) && buffer.format != nullptr && !format.empty() &&
                      format == buffer.format &&
                      static_cast<std::uint64_t>(buffer.itemsize) * header.channels == header.item_bytes &&
                      (header.channels == 1 || buffer.shape[1] == static_cast<Py_ssize_t>(header.channels));
    if (same) put_all(buffer.buf, static_cast<std::uint64_t>(buffer.shape[0]));
    return same;
  }

  void push(nb::handle what) {
    enter(ring.closed(), ring.path());
    if (PyFloat_Check(what.ptr())) {
      const double value = PyFloat_AS_DOUBLE(what.ptr());
      if (one == One::float64) return put(value);
      if (one == One::float32) return put(static_cast<float>(value));
    }
    if (put_buffer(what)) return;
    const nb::object made = convert(what);  // an array of bytes, whole items, or an error
    Py_buffer buffer;
    if (PyObject_GetBuffer(made.ptr(), &buffer, PyBUF_SIMPLE) != 0) throw nb::python_error();
    struct Held {
      Py_buffer& buffer;
      ~Held() { PyBuffer_Release(&buffer); }
    } held{buffer};
    put_all(buffer.buf, static_cast<std::uint64_t>(buffer.len) / ring.memory()->header().item_bytes);
  }

  nb::object reserve(std::int64_t count) {
    enter(ring.closed(), ring.path());
    ring::demand(count > 0, "count: give 1 item or more to reserve");
    const void* at = room(static_cast<std::uint64_t>(count));
    return view(at, static_cast<std::uint64_t>(count), *ring.memory());
  }

  void commit(std::int64_t count) {
    enter(ring.closed(), ring.path());
    ring::demand(count >= 0, "count: give 0 or more items to commit");
    ring.commit(static_cast<std::uint64_t>(count));
  }

  void close() {
    ring.close();
    items.reset();
  }
};

struct ReaderEnd : End {
  ring::Reader ring;
  ReaderEnd(const std::string& name, bool oldest) : ring(name, oldest) {}

  ring::Piece wait_for(std::int64_t at_most, double seconds, bool takes) {
    enter(ring.closed(), ring.path());
    ring::demand(at_most > 0, "at_most: give 1 item or more");
    const auto many = static_cast<std::uint64_t>(at_most);
    ring::Piece piece = takes ? ring.take(many) : ring.peek(many);
    if (piece.count > 0) return piece;
    ring::Wake woke = ring::Wake::timeout;
    const auto closed = [this] { return ring.closed(); };
    wait(seconds, closed, [&](double slice) { return (woke = ring.wait(slice)) != ring::Wake::timeout; });
    if (woke == ring::Wake::ended) throw ring::Error(ring::Fault::ended, ring.path() + ": its writer closed it, all is read");
    if (woke == ring::Wake::died) throw ring::Error(ring::Fault::died, ring.path() + ": its writer died, all that it committed is read");
    return takes ? ring.take(many) : ring.peek(many);
  }

  nb::object take(std::int64_t at_most, double seconds) {
    const ring::Piece piece = wait_for(at_most, seconds, true);
    return view(piece.data, piece.count, *ring.memory());
  }

  nb::object peek(std::int64_t at_most, double seconds) {
    const ring::Piece piece = wait_for(at_most, seconds, false);
    return view(piece.data, piece.count, *ring.memory());
  }

  bool release() {
    enter(ring.closed(), ring.path());
    ring::demand(ring.held() > 0, "release: no span is held, take one first");
    return ring.release();
  }

  void close() {
    ring.close();
    items.reset();
  }
};

// What Python needs to know of the items to see them as an array.
static nb::tuple told(const ring::Mapping& memory) {
  const ring::Header& header = memory.header();
  return nb::make_tuple(ring::dtype_of(header), header.channels, header.capacity, header.span, header.readers,
                        header.overrun == 0 ? "block" : "drop_oldest", header.item_bytes);
}

static const char* name_of(ring::Fault fault) {
  switch (fault) {
    case ring::Fault::full: return "RingFullError";
    case ring::Fault::closed: return "RingClosedError";
    case ring::Fault::ended: return "WriterClosedError";
    case ring::Fault::died: return "WriterGoneError";
    default: return "RingError";
  }
}

static void raise(const ring::Error& error) {
  if (error.fault == ring::Fault::argument) {
    PyErr_SetString(PyExc_ValueError, error.what());
    return;
  }
  const nb::object kind = nb::module_::import_("flyball.errors").attr(name_of(error.fault));
  PyErr_SetString(kind.ptr(), error.what());
}

static void translate(const std::exception_ptr& raised, void*) {
  try {
    std::rethrow_exception(raised);
  } catch (const ring::Error& error) {
    raise(error);
  }
}

// A method as C knows it: looking for the right one of several bindings would take longer than the push.
static PyObject* push(PyObject* self, PyObject* what) {
  try {
    nb::inst_ptr<WriterEnd>(self)->push(what);
    Py_RETURN_NONE;
  } catch (const ring::Error& error) {
    raise(error);
  } catch (nb::python_error& error) {
    error.restore();
  }
  return nullptr;
}

static PyMethodDef push_method = {"push", push, METH_O, "Copy one item or several in."};

void bind_ring(nb::module_& m) {
  nb::register_exception_translator(translate);
  nb::class_<WriterEnd> writer(m, "RingWriter");
  writer
      .def("__init__",
           [](WriterEnd* self, const std::string& name, const std::string& dtype, std::uint64_t value_bytes,
              std::uint64_t channels, std::uint64_t capacity, std::uint64_t span, std::uint64_t readers, bool drops,
              double patience) {
             const auto overrun = drops ? ring::Overrun::drop_oldest : ring::Overrun::block;
             new (self) WriterEnd(name, {dtype, value_bytes, capacity, channels, span, readers, overrun}, patience);
           })
      .def("memory", [](const WriterEnd& self) { return bytes_of(self.ring.memory(), true); })
      .def("told", [](const WriterEnd& self) { return told(*self.ring.memory()); })
      .def("attach",
           [](WriterEnd& self, nb::object items, nb::object convert) {
             self.convert = std::move(convert);
             Py_buffer buffer;
             if (PyObject_GetBuffer(items.ptr(), &buffer, PyBUF_FORMAT | PyBUF_ND) == 0) {
               if (buffer.format != nullptr) self.format = buffer.format;
               PyBuffer_Release(&buffer);
             } else {
               PyErr_Clear();  // dates have no format that a buffer could name: they go over Python
             }
             self.items = std::move(items);
           })
      .def("reserve", &WriterEnd::reserve)
      .def("commit", &WriterEnd::commit)
      .def("close", &WriterEnd::close)
      .def_prop_ro("sequence", [](const WriterEnd& self) { return self.ring.head(); })
      .def_prop_ro("epoch", [](const WriterEnd& self) { return self.ring.epoch(); })
      .def_prop_ro("closed", [](const WriterEnd& self) { return self.ring.closed(); });
  writer.attr("push") =
      nb::steal(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(writer.ptr()), &push_method));
  nb::class_<ReaderEnd>(m, "RingReader")
      .def(nb::init<const std::string&, bool>())
      .def("memory", [](const ReaderEnd& self) { return bytes_of(self.ring.memory(), false); })
      .def("told", [](const ReaderEnd& self) { return told(*self.ring.memory()); })
      .def("attach", [](ReaderEnd& self, nb::object items) { self.items = std::move(items); })
      .def("take", &ReaderEnd::take, nb::arg("at_most"), nb::arg("wait") = INFINITY)
      .def("peek", &ReaderEnd::peek, nb::arg("at_most"), nb::arg("wait") = 0.0)
      .def("release", &ReaderEnd::release)
      .def("close", &ReaderEnd::close)
      .def_prop_ro("sequence", [](const ReaderEnd& self) { return self.ring.cursor(); })
      .def_prop_ro("lost", [](const ReaderEnd& self) { return self.ring.lost(); })
      .def_prop_ro("epoch", [](const ReaderEnd& self) { return self.ring.epoch(); })
      .def_prop_ro("closed", [](const ReaderEnd& self) { return self.ring.closed(); });
}
