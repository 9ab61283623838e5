// The ring in Python: flyball.kernels.ring.
#include "ring_ends.hpp"

#include <nanobind/stl/string.h>

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

// The calls of the loop are methods as C knows them: looking for the right one of several bindings, and reading
// its arguments, would take longer than the work.
template <typename End, typename Act>
static PyObject* on(PyObject* self, const Act& act) {
  try {
    if (!nb::inst_ready(self)) throw ring::Error(ring::Fault::closed, "this end was never opened");
    return act(*nb::inst_ptr<End>(self));
  } catch (const ring::Error& error) {
    raise(error);
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

static std::int64_t whole(PyObject* value, const char* otherwise) {
  const std::int64_t count = PyLong_CheckExact(value) ? PyLong_AsLongLong(value) : PyNumber_AsSsize_t(value, nullptr);
  if (__builtin_expect(count == -1 && PyErr_Occurred() != nullptr, 0)) {
    PyErr_Clear();
    throw ring::Error(ring::Fault::argument, otherwise);
  }
  return count;
}

static PyObject* push(PyObject* self, PyObject* what) {
  return on<WriterEnd>(self, [what](WriterEnd& end) {
    end.push(what);
    Py_RETURN_NONE;
  });
}

static PyObject* reserve(PyObject* self, PyObject* count) {
  return on<WriterEnd>(self, [count](WriterEnd& end) {
    return end.reserve(whole(count, "count: give a whole number of items to reserve")).release().ptr();
  });
}

static PyObject* commit(PyObject* self, PyObject* count) {
  return on<WriterEnd>(self, [count](WriterEnd& end) {
    end.commit(whole(count, "count: give a whole number of items to commit"));
    Py_RETURN_NONE;
  });
}

static PyObject* release(PyObject* self, PyObject*) {
  return on<ReaderEnd>(self, [](ReaderEnd& end) { return Py_NewRef(end.release() ? Py_True : Py_False); });
}

// What `take(at_most, wait)` and `peek(at_most, wait)` were called with.
struct Asked {
  std::int64_t at_most = 0;
  double wait;

  Asked(PyObject* const* given, Py_ssize_t places, PyObject* names, double otherwise) : wait(otherwise) {
    PyObject* found[2] = {};
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    bool fits = places <= 2 && places + named <= 2;
    for (Py_ssize_t i = 0; fits && i < places; ++i) found[i] = given[i];
    for (Py_ssize_t i = 0; fits && i < named; ++i) {
      PyObject* name = PyTuple_GET_ITEM(names, i);
      const int place = PyUnicode_CompareWithASCIIString(name, "at_most") == 0 ? 0 : 1;
      fits = found[place] == nullptr && (place == 0 || PyUnicode_CompareWithASCIIString(name, "wait") == 0);
      found[place] = given[places + i];
    }
    if (!fits || found[0] == nullptr) {
      PyErr_SetString(PyExc_TypeError, "give at_most, and wait if the wait shall have an end");
      throw nb::python_error();
    }
    at_most = whole(found[0], "at_most: give a whole number of items");
    if (found[1] == nullptr) return;
    wait = PyFloat_AsDouble(found[1]);
    if (PyErr_Occurred() != nullptr) PyErr_Clear(), wait = NAN;
    ring::demand(wait >= 0, "wait: give seconds, 0 or more");
  }
};

static PyObject* take(PyObject* self, PyObject* const* given, Py_ssize_t places, PyObject* names) {
  return on<ReaderEnd>(self, [=](ReaderEnd& end) {
    const Asked asked(given, places, names, INFINITY);
    return end.take(asked.at_most, asked.wait).release().ptr();
  });
}

static PyObject* peek(PyObject* self, PyObject* const* given, Py_ssize_t places, PyObject* names) {
  return on<ReaderEnd>(self, [=](ReaderEnd& end) {
    const Asked asked(given, places, names, 0.0);
    return end.peek(asked.at_most, asked.wait).release().ptr();
  });
}

static PyMethodDef writer_methods[] = {
    {"push", push, METH_O, "Copy one item or several in."},
    {"reserve", reserve, METH_O, "Return room for some items, to fill in place."},
    {"commit", commit, METH_O, "Hand the first of the reserved items over."},
};

static PyMethodDef reader_methods[] = {
    {"take", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(take)), METH_FASTCALL | METH_KEYWORDS,
     "Return the next items as soon as there is one."},
    {"peek", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(peek)), METH_FASTCALL | METH_KEYWORDS,
     "Return the next items without taking them."},
    {"release", release, METH_NOARGS, "Give the items that were taken back."},
};

template <std::size_t N>
static void add(nb::object& kind, PyMethodDef (&methods)[N]) {
  for (PyMethodDef& method : methods) {
    kind.attr(method.ml_name) = nb::steal(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(kind.ptr()), &method));
  }
}

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
             self.End::attach(std::move(items), *self.ring.memory());
           })
      .def("close", &WriterEnd::close)
      .def_prop_ro("sequence", [](const WriterEnd& self) { return self.ring.head(); })
      .def_prop_ro("epoch", [](const WriterEnd& self) { return self.ring.epoch(); })
      .def_prop_ro("closed", [](const WriterEnd& self) { return self.ring.closed(); });
  add(writer, writer_methods);
  nb::class_<ReaderEnd> reader(m, "RingReader");
  reader
      .def(nb::init<const std::string&, bool>())
      .def("memory", [](const ReaderEnd& self) { return bytes_of(self.ring.memory(), false); })
      .def("told", [](const ReaderEnd& self) { return told(*self.ring.memory()); })
      .def("attach", [](ReaderEnd& self, nb::object items) { self.attach(std::move(items), *self.ring.memory()); })
      .def("close", &ReaderEnd::close)
      .def_prop_ro("sequence", [](const ReaderEnd& self) { return self.ring.cursor(); })
      .def_prop_ro("lost", [](const ReaderEnd& self) { return self.ring.lost(); })
      .def_prop_ro("epoch", [](const ReaderEnd& self) { return self.ring.epoch(); })
      .def_prop_ro("closed", [](const ReaderEnd& self) { return self.ring.closed(); });
  add(reader, reader_methods);
}
