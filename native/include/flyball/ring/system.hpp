// What a ring asks of the system: who lives, how to sleep until rung, how long a moment is.
#pragma once

#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#endif

#include <cstdlib>
#include <thread>

#include "layout.hpp"

namespace flyball::ring {

// A process by its number and the moment it started, in one word: numbers are given out again.
constexpr int kPidBits = 22;

inline std::int64_t pid_of(std::uint64_t identity) {
  return static_cast<std::int64_t>(identity & ((1U << kPidBits) - 1));
}

// The identity of a living process, 0 when there is none: a zombie has ended too.
inline std::uint64_t identity_of(std::int64_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[1024];
  const ssize_t got = read(file, text, sizeof(text) - 1);
  close(file);
  if (got <= 0) return 0;
  text[got] = '\0';
  // The name of the program stands in brackets and may hold anything; what follows it does not.
  const char* field = std::strrchr(text, ')');
  if (field == nullptr || field[1] != ' ' || field[2] == 'Z' || field[2] == 'X') return 0;
  constexpr int kStartTime = 20;  // fields after the name
  for (int skip = 0; skip < kStartTime && field != nullptr; ++skip) field = std::strchr(field + 1, ' ');
  if (field == nullptr) return 0;
  const std::uint64_t started = std::strtoull(field + 1, nullptr, 10);
  return started << kPidBits | static_cast<std::uint64_t>(pid);
}

inline bool lives(std::uint64_t identity) { return identity != 0 && identity_of(pid_of(identity)) == identity; }

inline double now() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
}

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

// About twenty microseconds of looking before sleeping; none where the other side cannot run meanwhile.
inline int spins() {
  static const int many = std::thread::hardware_concurrency() > 1 ? 1000 : 0;
  return many;
}

#if defined(__linux__)
// Takes part in `order_all`; false where the system does not offer it.
inline bool join_order() {
  static const bool joined = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
  return joined;
}

// A full fence on every processor that runs a process which joined. The side about to sleep pays for it,
// so the side that works needs no fence between publishing and looking whether somebody sleeps.
inline void order_all() { syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0); }

inline void sleep_on(Half& word, std::uint32_t seen, double at_most) {
  const auto whole = static_cast<time_t>(at_most);
  timespec span{whole, static_cast<long>((at_most - static_cast<double>(whole)) * 1e9)};
  syscall(SYS_futex, &word, FUTEX_WAIT, seen, &span, nullptr, 0);
}

inline void wake_all(Half& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, std::numeric_limits<int>::max(), nullptr, nullptr, 0);
}
#else
inline bool join_order() { return false; }
inline void order_all() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void sleep_on(Half&, std::uint32_t, double at_most) {
  timespec span{0, static_cast<long>(std::min(at_most, 0.0005) * 1e9)};
  nanosleep(&span, nullptr);
}
inline void wake_all(Half&) {}
#endif

// The longest sleep without looking again: short where a ring can be missed for want of the fence.
inline double nap() { return join_order() ? 0.02 : 0.0005; }

// Called after every publication: a read of a line that hardly ever changes.
inline void ring_bell(Bell& bell) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (__builtin_expect(bell.sleeping.load(std::memory_order_relaxed) != 0, 0)) {
    bell.sleeping.store(0, std::memory_order_relaxed);
    bell.rings.fetch_add(1, std::memory_order_acq_rel);
    wake_all(bell.rings);
  }
}

// Sleeps until the bell rings, `ready()` holds, or `at_most` seconds went by.
template <typename Ready>
void sleep_until_rung(Bell& bell, double at_most, const Ready& ready) {
  bell.sleeping.store(1, std::memory_order_seq_cst);
  order_all();
  const std::uint32_t seen = bell.rings.load(std::memory_order_acquire);
  if (!ready()) sleep_on(bell.rings, seen, at_most);
}

}  // namespace flyball::ring
