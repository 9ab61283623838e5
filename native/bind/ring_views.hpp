// Views of a ring's items as arrays, made again and again at the speed of the ring.
#pragma once

#include "bind.hpp"

#include <cstdint>

// An array as NumPy lays it out, which its binary interface promises (numpy/ndarraytypes.h): needed to give an
// array another place without making a new one. Each ring asks first whether it holds, see Views.
struct ArrayFields {
  PyObject_HEAD
  char* data;
  int nd;
  Py_ssize_t* shape;
  Py_ssize_t* strides;
  PyObject* base;
  PyObject* descr;
  int flags;
  PyObject* weakrefs;
};

// Slices of one array of items. A slice takes NumPy longer to make than the span takes to be copied, so a view
// of the same length that nobody else holds any more is moved along and handed out again. Two are kept: a loop
// that says `view = take(512)` still holds the last one when it asks for the next.
class Views {
 public:
  void attach(nb::object items, const unsigned char* first, std::uint64_t count, std::uint64_t item_bytes) {
    clear();
    items_ = std::move(items);
    item_bytes_ = item_bytes;
#if !defined(Py_GIL_DISABLED)
    const ArrayFields& found = *fields(items_.ptr());
    const nb::object described = items_.attr("dtype"), shape = items_.attr("shape");
    moves_ = Py_TYPE(items_.ptr())->tp_basicsize >= static_cast<Py_ssize_t>(sizeof(ArrayFields)) &&
             found.data == reinterpret_cast<const char*>(first) && found.descr == described.ptr() &&
             static_cast<std::size_t>(found.nd) == nb::len(shape) && found.nd <= 2 && found.weakrefs == nullptr &&
             found.shape[0] == static_cast<Py_ssize_t>(count) &&
             found.strides[0] == static_cast<Py_ssize_t>(item_bytes);
#endif
  }

  nb::object view(std::uint64_t from, std::uint64_t count) {
    for (Kept& kept : kept_) {
      if (!free(kept, static_cast<Py_ssize_t>(count))) continue;
      fields(kept.array.ptr())->data = fields(items_.ptr())->data + from * item_bytes_;
      return kept.array;
    }
    PyObject* slice = PySequence_GetSlice(items_.ptr(), static_cast<Py_ssize_t>(from), static_cast<Py_ssize_t>(from + count));
    if (slice == nullptr) throw nb::python_error();
    const nb::object made = nb::steal(slice);
    if (moves_) {
      next_ ^= 1U;
      kept_[next_] = {made, fields(slice)->base, fields(slice)->flags};
    }
    return made;
  }

  void clear() {
    items_.reset();
    for (Kept& kept : kept_) kept = {};
    moves_ = false;
  }

 private:
  struct Kept {
    nb::object array;
    PyObject* base = nullptr;
    int flags = 0;
  };

  static ArrayFields* fields(PyObject* array) { return reinterpret_cast<ArrayFields*>(array); }

  // Whether nobody holds it, and nobody gave it another shape, dtype or flag while he did.
  bool free(const Kept& kept, Py_ssize_t count) const {
    if (!kept.array.is_valid() || Py_REFCNT(kept.array.ptr()) != 1) return false;
    const ArrayFields &found = *fields(kept.array.ptr()), &whole = *fields(items_.ptr());
    return found.nd == whole.nd && found.shape[0] == count && found.strides[0] == whole.strides[0] &&
           (found.nd == 1 || (found.shape[1] == whole.shape[1] && found.strides[1] == whole.strides[1])) &&
           found.descr == whole.descr && found.base == kept.base && found.flags == kept.flags &&
           found.weakrefs == nullptr;
  }

  nb::object items_;
  Kept kept_[2];
  std::uint64_t item_bytes_ = 0;
  unsigned next_ = 0;
  bool moves_ = false;
};
