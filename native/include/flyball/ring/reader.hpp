// An end that empties a ring: each reader has a cursor of its own.
#pragma once

#include "copy.hpp"
#include "mapping.hpp"

namespace flyball::ring {

// Items in a row, and the number of the first since the ring was made.
struct Piece {
  const unsigned char* data;
  std::uint64_t count;
  std::uint64_t first;
};

enum class Wake { ready, timeout, ended, died };

class Reader {
 public:
  // Begins with the oldest item that is still there, or with the next one.
  explicit Reader(const std::string& name, bool oldest = true) : path_(path_of(name)) {
    const File file(path_, O_RDWR | O_NOFOLLOW);
    if (!file.opened()) fail(path_, "open it");
    file.lock();
    memory_ = std::make_shared<Mapping>(file, file.header(), false, path_);
    join(oldest);
  }
  // In the writer's own process, over the writer's own memory. Nobody else may join at that moment.
  explicit Reader(std::shared_ptr<Mapping> memory, bool oldest = true) : memory_(std::move(memory)) { join(oldest); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { close(); }

  // Up to `at_most` items that nobody overwrites (block) or whose loss `release` tells (drop oldest).
  Piece take(std::uint64_t at_most) {
    demand(held_ == 0, "take: the last span is still held, release it first");
    const Piece piece = peek(at_most);
    held_ = piece.count;
    fetch_ahead();
    return piece;
  }

  // The same without taking them.
  Piece peek(std::uint64_t at_most) {
    at_most = std::min(at_most, capacity_);
    if (held_ == 0) look(at_most);
    return {items_ + at_, std::min(at_most, seen_ - cursor_), cursor_};
  }

  // Gives the span back; false when it was overwritten while it was held, and then it counts as lost.
  bool release() {
    bool whole = true;
    if (drops_ && held_ > 0) {
      // What was read was read before this look.
#if !defined(__SANITIZE_THREAD__)
      std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
      whole = floor() <= cursor_;
      if (!whole) lost_ += held_;
    }
    advance(held_);
    held_ = 0;
    slot_->cursor.store(cursor_, std::memory_order_release);
    if (!drops_) ring_bell(control_->room);
    return whole;
  }

  // Sleeps until there is something to take, the writer ended, or the time is over.
  Wake wait(double seconds) {
    const auto ready = [this] { return control_->head.load(std::memory_order_acquire) != cursor_; };
    if (ready()) return Wake::ready;
    if (seconds > 0) {
      for (int i = spins(); i > 0; --i) {
        relax();
        if (ready()) return Wake::ready;
      }
    }
    for (const double until = now() + seconds;;) {
      const Wake ended = writer_ended();
      // Looked at again: what it committed last comes before its end.
      if (ready()) return Wake::ready;
      if (ended != Wake::timeout) return ended;
      const double left = until - now();
      if (left <= 0) return Wake::timeout;
      sleep_until_rung(control_->data, std::min(left, nap()), ready);
      if (ready()) return Wake::ready;
    }
  }

  // Frees the place. Does nothing in a forked child.
  void close() {
    if (slot_ == nullptr || closed_) return;
    closed_ = true;
    if (getpid() != pid_of(identity_)) return;
    slot_->owner.store(0, std::memory_order_release);
    control_->room.rings.fetch_add(1, std::memory_order_acq_rel);
    wake_all(control_->room.rings);
  }

  bool closed() const { return closed_; }
  std::uint64_t held() const { return held_; }
  std::uint64_t cursor() const { return cursor_; }
  std::uint64_t lost() const { return lost_; }
  std::uint64_t epoch() const { return epoch_; }
  const std::string& path() const { return path_; }
  const std::shared_ptr<Mapping>& memory() const { return memory_; }

 private:
  void join(bool oldest) {
    const Header& header = memory_->header();
    control_ = &memory_->control();
    items_ = memory_->items();
    data_bytes_ = memory_->data_bytes();
    item_bytes_ = header.item_bytes;
    capacity_ = header.capacity;
    drops_ = header.overrun == static_cast<std::uint32_t>(Overrun::drop_oldest);
    join_order();
    identity_ = identity_of(getpid());
    demand(identity_ != 0, "/proc is not there, it tells a ring which processes live", Fault::system);
    const std::uint64_t begin = oldest ? floor() : control_->head.load(std::memory_order_acquire);
    claim(begin);
    cursor_ = begin;
    // The writer may have gone further before it saw this reader: see Writer::extend.
    for (std::uint64_t least = floor(); least > cursor_; least = floor()) {
      cursor_ = least;
      slot_->cursor.store(cursor_, std::memory_order_seq_cst);
    }
    seen_ = cursor_;
    at_ = cursor_ % capacity_ * item_bytes_;
    epoch_ = control_->epoch.load(std::memory_order_acquire);
    while (epoch_ > 1 && control_->starts[epoch_ % kStarts].load(std::memory_order_acquire) > cursor_) --epoch_;
  }

  void claim(std::uint64_t begin) {
    std::string taken;
    for (std::uint64_t i = 0; i < memory_->header().readers; ++i) {
      Slot& slot = memory_->slot(i);
      std::uint64_t owner = slot.owner.load(std::memory_order_acquire);
      // The writer may free the place of the dead at the same moment: then it is free, and looked at again.
      while (owner == 0 || !lives(owner)) {
        slot.cursor.store(begin, std::memory_order_seq_cst);
        if (slot.owner.compare_exchange_strong(owner, identity_, std::memory_order_seq_cst)) {
          slot_ = &slot;
          return;
        }
      }
      taken += (i ? ", " : "") + std::to_string(pid_of(owner));
    }
    throw Error(Fault::busy, path_ + ": no place for one more reader, all are taken (processes " + taken +
                                 "): close one, or declare more readers");
  }

  // The first item that the writer will not touch before it says so.
  std::uint64_t floor() const {
    const std::uint64_t reach = control_->reach.load(std::memory_order_seq_cst);
    return reach > capacity_ ? reach - capacity_ : 0;
  }

  void look(std::uint64_t at_most) {
    if (drops_) {
      // Before the head is read: then the head is past it.
      const std::uint64_t least = floor();
      if (__builtin_expect(least > cursor_, 0)) {
        lost_ += least - cursor_;
        advance(least - cursor_);
      }
    }
    if (seen_ >= cursor_ + at_most && seen_ > cursor_) return;
    seen_ = control_->head.load(std::memory_order_acquire);
    if (__builtin_expect(seen_ < cursor_, 0)) refuse_head();
    if (__builtin_expect(control_->epoch.load(std::memory_order_acquire) != epoch_, 0)) cut_at_epoch();
  }

  [[noreturn, gnu::noinline]] void refuse_head() const {
    throw Error(Fault::layout, path_ + ": the ring is damaged, its head moved back");
  }

  // Asks for this span and the one after it, which comes while this one is worked on.
  void fetch_ahead() {
    constexpr std::uint64_t kLeast = 1024, kMost = 16384;
    if (held_ * item_bytes_ < kLeast) return;
    const std::uint64_t from = std::max(fetched_, cursor_), until = std::min(seen_, cursor_ + 2 * held_);
    if (until <= from) return;
    fetch(items_ + at_ + (from - cursor_) * item_bytes_, std::min((until - from) * item_bytes_, kMost));
    fetched_ = until;
  }

  // A span never holds items of two writers.
  void cut_at_epoch() {
    const std::uint64_t latest = control_->epoch.load(std::memory_order_acquire);
    if (latest >= epoch_ + kStarts) epoch_ = latest - kStarts + 1;
    while (epoch_ < latest) {
      const std::uint64_t next = control_->starts[(epoch_ + 1) % kStarts].load(std::memory_order_acquire);
      if (next > cursor_) {
        seen_ = std::min(seen_, next);
        return;
      }
      ++epoch_;
    }
  }

  void advance(std::uint64_t count) {
    cursor_ += count;
    at_ += count * item_bytes_;
    if (at_ >= data_bytes_) at_ %= data_bytes_;
  }

  // Ended or died; timeout while it lives, or while it was looked at a moment ago.
  Wake writer_ended() {
    const std::uint64_t writer = control_->writer.load(std::memory_order_acquire);
    if (writer == 0) return Wake::ended;
    if (writer == dead_) return Wake::died;
    const double at = now();
    if (at - looked_ < 0.01) return Wake::timeout;
    looked_ = at;
    if (lives(writer)) return Wake::timeout;
    dead_ = writer;
    return Wake::died;
  }

  std::string path_;
  std::shared_ptr<Mapping> memory_;
  Control* control_ = nullptr;
  Slot* slot_ = nullptr;
  const unsigned char* items_ = nullptr;
  std::uint64_t cursor_ = 0, seen_ = 0, at_ = 0, held_ = 0, lost_ = 0, epoch_ = 0, fetched_ = 0;
  std::uint64_t item_bytes_ = 0, data_bytes_ = 0, capacity_ = 0, identity_ = 0, dead_ = 0;
  double looked_ = 0;
  bool drops_ = false, closed_ = false;
};

}  // namespace flyball::ring
