// The end that fills a ring: one process at a time.
#pragma once

#include <cstdio>

#include "copy.hpp"
#include "mapping.hpp"

namespace flyball::ring {

class Writer {
 public:
  // Makes the ring, or goes on with one of the same layout whose writer has ended: a new epoch.
  Writer(const std::string& name, const Layout& layout) : path_(path_of(name)) {
    const Header wanted = describe(layout);
    for (int attempt = 0; memory_ == nullptr; ++attempt) {
      const File file(path_, O_RDWR | O_NOFOLLOW);
      if (file.opened()) {
        resume(file, wanted);
      } else if (errno != ENOENT || attempt == 3) {
        fail(path_, "open it");
      } else {
        create(path_, wanted);
      }
    }
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { close(); }

  // Room for `count` items, one contiguous piece, null when the slowest reader leaves none now.
  unsigned char* try_reserve(std::uint64_t count) {
    if (__builtin_expect(head_ + count > reach_, 0) && !extend(count)) return nullptr;
    reserved_ = count;
    return items_ + at_;
  }

  // As above, waiting up to `seconds`; Fault::full names the reader that was waited for.
  unsigned char* reserve(std::uint64_t count, double seconds) {
    unsigned char* room = try_reserve(count);
    if (room != nullptr) return room;
    if (!wait(count, seconds)) throw Error(Fault::full, full(seconds));
    return try_reserve(count);
  }

  // Hands the first `count` reserved items over.
  void commit(std::uint64_t count) {
    if (__builtin_expect(count > reserved_, 0)) refuse_commit(count);
    reserved_ = 0;
    head_ += count;
    const std::uint64_t line = at_ / kLine;
    at_ += count * item_bytes_;
    // Item by item, a line is asked back from the reader well before it is written.
    if (line != at_ / kLine) own(items_ + at_ + 2 * kLine);
    if (at_ >= data_bytes_) at_ -= data_bytes_;
    control_->head.store(head_, std::memory_order_release);
    ring_bell(control_->data);
  }

  // Copies `count` items in, span by span.
  void push(const void* items, std::uint64_t count, double seconds) {
    const auto* from = static_cast<const unsigned char*>(items);
    while (count > 0) {
      const std::uint64_t some = std::min(count, span_);
      copy_in(reserve(some, seconds), from, some * item_bytes_);
      commit(some);
      from += some * item_bytes_;
      count -= some;
    }
  }

  // Whether there is room for `count` items within `seconds`.
  bool wait(std::uint64_t count, double seconds) {
    // Seldom enough that the reader's cursor stays with the reader, who would be slower for every look.
    constexpr int kBetweenLooks = 16;
    for (int i = spins(); i > 0; --i) {
      if (i % kBetweenLooks == 0 && extend(count)) return true;
      relax();
    }
    const double until = now() + seconds;
    double looked = 0;
    for (;;) {
      const double at = now();
      if (at - looked > 0.01) {
        free_the_dead();
        looked = at;
      }
      if (extend(count)) return true;
      if (at >= until) return false;
      sleep_until_rung(control_->room, std::min(until - at, nap()), [&] { return extend(count); });
    }
  }

  // No more will come: readers drain what is there and are told. Does nothing in a forked child.
  void close() {
    if (control_ == nullptr || closed_) return;
    closed_ = true;
    if (getpid() != pid_of(identity_)) return;
    control_->writer.store(0, std::memory_order_release);
    control_->data.rings.fetch_add(1, std::memory_order_acq_rel);
    wake_all(control_->data.rings);
  }

  // Who was waited for, as an error says it.
  std::string full(double seconds) const {
    char waited[32];
    std::snprintf(waited, sizeof(waited), "%g", seconds);
    std::string told = path_ + ": full after waiting " + waited + " s";
    std::uint64_t behind = 0, who = 0;
    for (std::uint64_t i = 0; i < memory_->header().readers; ++i) {
      const std::uint64_t owner = memory_->slot(i).owner.load(std::memory_order_acquire);
      const std::uint64_t lag = head_ - memory_->slot(i).cursor.load(std::memory_order_acquire);
      if (owner != 0 && lag >= behind) behind = lag, who = owner;
    }
    if (who == 0) return told;
    return told + " for the reader in process " + std::to_string(pid_of(who)) + ", " + std::to_string(behind) +
           " items behind: let it read faster, or declare a larger ring or overrun drop_oldest";
  }

  bool closed() const { return closed_; }
  std::uint64_t head() const { return head_; }
  std::uint64_t epoch() const { return control_->epoch.load(std::memory_order_relaxed); }
  std::uint64_t span() const { return span_; }
  const std::string& path() const { return path_; }
  const std::shared_ptr<Mapping>& memory() const { return memory_; }

 private:
  void resume(const File& file, const Header& wanted) {
    file.lock();
    const Header found = file.header();
    demand(std::memcmp(&found, &wanted, sizeof(Header)) == 0,
           path_ + ": there is a ring of another layout (" + std::to_string(found.capacity) + " items of " +
               std::to_string(found.channels) + " x " + dtype_of(found) +
               "), declare the same one, unlink it, or take another name",
           Fault::layout);
    memory_ = std::make_shared<Mapping>(file, found, true, path_);
    Control& control = memory_->control();
    const std::uint64_t before = control.writer.load(std::memory_order_acquire);
    demand(!lives(before), path_ + ": process " + std::to_string(pid_of(before)) + " is writing, one may at a time",
           Fault::busy);
    join_order();
    identity_ = identity_of(getpid());
    demand(identity_ != 0, "/proc is not there, it tells a ring which processes live", Fault::system);
    control_ = &control;
    items_ = memory_->items();
    data_bytes_ = memory_->data_bytes();
    item_bytes_ = found.item_bytes;
    span_ = found.span;
    head_ = reach_ = control.head.load(std::memory_order_acquire);
    at_ = head_ % found.capacity * item_bytes_;
    const std::uint64_t epoch = control.epoch.load(std::memory_order_relaxed) + 1;
    control.starts[epoch % kStarts].store(head_, std::memory_order_release);
    control.epoch.store(epoch, std::memory_order_release);
    control.writer.store(identity_, std::memory_order_release);
  }

  // Announces how far the items may be overwritten before any is; false when readers leave no room.
  [[gnu::noinline]] bool extend(std::uint64_t count) {
    if (count > span_) refuse_span(count);
    if (head_ + count <= reach_) return true;
    if (memory_->header().overrun == static_cast<std::uint32_t>(Overrun::drop_oldest)) {
      reach_ = head_ + span_;
      control_->reach.store(reach_, std::memory_order_release);
      // The announcement is seen before any overwritten byte; the thread sanitizer knows no fences.
#if !defined(__SANITIZE_THREAD__)
      std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
      return true;
    }
    const std::uint64_t room = slowest() + memory_->header().capacity;
    if (head_ + count > room) return false;
    // A reader that joins meanwhile either is seen in the second look or sees this and begins later.
    control_->reach.store(room, std::memory_order_seq_cst);
    reach_ = std::min(room, slowest() + memory_->header().capacity);
    if (reach_ < room) control_->reach.store(reach_, std::memory_order_seq_cst);
    return head_ + count <= reach_;
  }

  std::uint64_t slowest() const {
    std::uint64_t least = head_;
    for (std::uint64_t i = 0; i < memory_->header().readers; ++i) {
      const Slot& slot = memory_->slot(i);
      if (slot.owner.load(std::memory_order_seq_cst) == 0) continue;
      least = std::min(least, slot.cursor.load(std::memory_order_seq_cst));
    }
    return least;
  }

  void free_the_dead() const {
    for (std::uint64_t i = 0; i < memory_->header().readers; ++i) {
      std::uint64_t owner = memory_->slot(i).owner.load(std::memory_order_acquire);
      // Only if it still is the same: another reader may have taken the place.
      if (owner != 0 && !lives(owner)) memory_->slot(i).owner.compare_exchange_strong(owner, 0);
    }
  }

  [[noreturn, gnu::noinline]] void refuse_span(std::uint64_t count) const {
    throw Error(Fault::argument, "count: " + std::to_string(count) + " items are more than the span, " +
                                     std::to_string(span_) + ", hand them over in pieces");
  }

  [[noreturn, gnu::noinline]] void refuse_commit(std::uint64_t count) const {
    throw Error(Fault::argument, "count: " + std::to_string(count) + " items committed, " +
                                     std::to_string(reserved_) + " reserved, reserve them first");
  }

  std::string path_;
  std::shared_ptr<Mapping> memory_;
  Control* control_ = nullptr;
  unsigned char* items_ = nullptr;
  std::uint64_t head_ = 0, reach_ = 0, at_ = 0, reserved_ = 0;
  std::uint64_t item_bytes_ = 0, data_bytes_ = 0, span_ = 0, identity_ = 0;
  bool closed_ = false;
};

}  // namespace flyball::ring
