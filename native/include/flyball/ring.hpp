// A ring of sensor data in shared memory: one writing process, one or more reading, no copy on the way.
//
//   flyball::RingWriter<double> out("spindle", 65536);            flyball::RingReader<double> in("spindle");
//   out.push(1.5);                                                while (auto span = in.take(512)) {
//   auto span = out.reserve(512);                                   use(span.data, span.count);
//   fill(span.data, span.count);                                    in.release();
//   out.commit(512);                                              }
//
// The reader may as well be Python (`flyball.kernels.RingReader("spindle")`), and so may the writer. Needs
// C++17, POSIX and /proc; nothing to link. Both ends live in one pid namespace of one machine, as one user.
// An end is used by one thread at a time, and opened in the process that uses it: not taken over by a fork.
#pragma once

#include <array>
#include <type_traits>

#include "ring/reader.hpp"
#include "ring/writer.hpp"

namespace flyball {

// An item as NumPy names it: a number, or an array of numbers, one for each channel. For a struct of your
// own specialise this, with NumPy's description of its fields: "[('at', '<i8'), ('force', '<f4', (3,))]".
template <typename T>
struct RingItem {
  static_assert(std::is_arithmetic_v<T>, "specialise flyball::RingItem for your struct");
  static constexpr std::uint64_t channels = 1;
  static std::string dtype() {
    const char kind = std::is_same_v<T, bool> ? 'b' : std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
    return std::string(1, sizeof(T) == 1 ? '|' : '<') + kind + std::to_string(sizeof(T));
  }
};

template <typename T, std::size_t N>
struct RingItem<std::array<T, N>> {
  static constexpr std::uint64_t channels = N;
  static std::string dtype() { return RingItem<T>::dtype(); }
};

struct RingOptions {
  std::uint64_t span = 0;     // most items reserved at once; 0: a quarter of the capacity
  std::uint64_t readers = 4;  // places for readers
  ring::Overrun overrun = ring::Overrun::block;
  double patience = 10.0;  // seconds to wait for the slowest reader
};

// Items in a row, and the number of the first since the ring was made. False when there is none.
template <typename T>
struct RingSpan {
  T* data;
  std::size_t count;
  std::uint64_t first;
  T* begin() const { return data; }
  T* end() const { return data + count; }
  explicit operator bool() const { return count > 0; }
};

template <typename T>
class RingWriter {
  static_assert(std::is_trivially_copyable_v<T>, "an item goes to another process: it may hold no pointers");

 public:
  RingWriter(const std::string& name, std::uint64_t capacity, const RingOptions& options = {})
      : end_(name, {RingItem<T>::dtype(), sizeof(T) / RingItem<T>::channels, capacity, RingItem<T>::channels,
                    options.span, options.readers, options.overrun}),
        patience_(options.patience) {}

  void push(const T& item) {
    std::memcpy(end_.reserve(1, patience_), &item, sizeof(T));
    end_.commit(1);
  }
  void push(const T* items, std::size_t count) { end_.push(items, count, patience_); }

  // Room to fill in place, one piece even over the wrap; nobody sees it before commit.
  RingSpan<T> reserve(std::size_t count) {
    return {reinterpret_cast<T*>(end_.reserve(count, patience_)), count, end_.head()};
  }
  void commit(std::size_t count) { end_.commit(count); }
  void close() { end_.close(); }

  std::uint64_t sequence() const { return end_.head(); }
  std::uint64_t epoch() const { return end_.epoch(); }
  const std::shared_ptr<ring::Mapping>& memory() const { return end_.memory(); }

 private:
  ring::Writer end_;
  double patience_;
};

template <typename T>
class RingReader {
 public:
  explicit RingReader(const std::string& name, bool oldest = true) : end_(name, oldest) { check(); }
  // In the writer's own process, before it writes.
  explicit RingReader(const RingWriter<T>& writer) : end_(writer.memory()) { check(); }

  // Up to `at_most` items as soon as there is one, none when `seconds` went by or the writer closed.
  // ring::Error with Fault::died when the writer died and all that it committed is read.
  RingSpan<const T> take(std::size_t at_most, double seconds = std::numeric_limits<double>::infinity()) {
    ring::Piece piece = end_.take(at_most);
    if (piece.count == 0) {
      const ring::Wake woke = end_.wait(seconds);
      if (woke == ring::Wake::died) throw ring::Error(ring::Fault::died, end_.path() + ": its writer died");
      ended_ = woke == ring::Wake::ended;
      if (woke == ring::Wake::ready) piece = end_.take(at_most);
    }
    return {reinterpret_cast<const T*>(piece.data), piece.count, piece.first};
  }

  // Gives the span back; false when it was overwritten meanwhile: drop what was made of it.
  bool release() { return end_.release(); }

  // One item at once, without waiting.
  bool pop(T& item) {
    const ring::Piece piece = end_.take(1);
    if (piece.count == 0) {
      ring::relax();  // whoever asks again at once would slow the writer down
      return false;
    }
    std::memcpy(&item, piece.data, sizeof(T));
    return end_.release();
  }
  void close() { end_.close(); }

  bool ended() const { return ended_; }                  // the writer closed, nothing is left
  std::uint64_t sequence() const { return end_.cursor(); }  // the next item to take
  std::uint64_t lost() const { return end_.lost(); }
  std::uint64_t epoch() const { return end_.epoch(); }

 private:
  void check() const {
    const ring::Header& header = end_.memory()->header();
    const std::string found = ring::dtype_of(header);
    ring::demand(found == RingItem<T>::dtype() && header.channels == RingItem<T>::channels &&
                     header.item_bytes == sizeof(T),
                 end_.path() + ": holds " + std::to_string(header.channels) + " x " + found + ", not " +
                     std::to_string(RingItem<T>::channels) + " x " + RingItem<T>::dtype(),
                 ring::Fault::layout);
  }

  ring::Reader end_;
  bool ended_ = false;
};

}  // namespace flyball
