// The two ends of a ring as Python holds them: waits that can be interrupted, views, one thread at a time.
#pragma once

#include "ring_views.hpp"

#include <cmath>
#include <memory>
#include <string>

#include <flyball/ring.hpp>

namespace ring = flyball::ring;

// How often a wait looks whether Python was interrupted or the end was closed.
constexpr double kSlice = 0.05;

// What both ends share: the views, and one user at a time.
struct End {
  Views views;
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

  nb::object view(const unsigned char* at, std::uint64_t count, const ring::Mapping& memory) {
    return views.view(static_cast<std::uint64_t>(at - memory.items()) / memory.header().item_bytes, count);
  }

  void attach(nb::object items, const ring::Mapping& memory) {
    views.attach(std::move(items), memory.items(), 2 * memory.header().capacity, memory.header().item_bytes);
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
      ring::copy_in(room(some), from, some * item);
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
    const unsigned char* at = room(static_cast<std::uint64_t>(count));
    return view(at, static_cast<std::uint64_t>(count), *ring.memory());
  }

  void commit(std::int64_t count) {
    enter(ring.closed(), ring.path());
    ring::demand(count >= 0, "count: give 0 or more items to commit");
    ring.commit(static_cast<std::uint64_t>(count));
  }

  void close() {
    ring.close();
    views.clear();
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
    views.clear();
  }
};
