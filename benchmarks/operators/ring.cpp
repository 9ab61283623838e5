// Two processes on two processors: the figures of the ring that Python would blur. Prints "name value" lines.
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>
#include <vector>

#include <flyball/ring.hpp>

#if __has_include(<boost/lockfree/spsc_queue.hpp>)
#include <boost/lockfree/spsc_queue.hpp>
#define HAS_BOOST 1
#endif

using Count = std::uint64_t;

static Count nanoseconds() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<Count>(at.tv_sec) * 1000000000U + static_cast<Count>(at.tv_nsec);
}

// Which two processors there are to sit on is an argument of the program.
static int seats[2];

static void pin(int which) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(seats[which]), &one);
  sched_setaffinity(0, sizeof(one), &one);
}

template <typename T>
static T& shared() {
  void* at = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return *new (at) T();
}

// Runs one in a child on the second processor, the other here on the first.
template <typename There, typename Here>
static void together(const There& there, const Here& here) {
  const pid_t child = fork();
  if (child == 0) {
    pin(1);
    there();
    std::_Exit(0);
  }
  pin(0);
  here();
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) std::abort();
}

// The peer: a bounded queue for one producer and one consumer, both with the other's index cached, as the
// fastest such queues are made. In shared memory of a fork; nothing of what the ring adds.
struct Queue {
  static constexpr Count kSlots = 4096;
  alignas(128) std::atomic<Count> written{0};
  alignas(128) Count read_seen = 0;
  alignas(128) std::atomic<Count> read{0};
  alignas(128) Count written_seen = 0;
  alignas(128) Count items[kSlots];

  bool push(Count item) {
    const Count at = written.load(std::memory_order_relaxed);
    if (at - read_seen == kSlots && at - (read_seen = read.load(std::memory_order_acquire)) == kSlots) return false;
    items[at % kSlots] = item;
    written.store(at + 1, std::memory_order_release);
    return true;
  }
  bool pop(Count& item) {
    const Count at = read.load(std::memory_order_relaxed);
    if (at == written_seen && at == (written_seen = written.load(std::memory_order_acquire))) return false;
    item = items[at % kSlots];
    read.store(at + 1, std::memory_order_release);
    return true;
  }
};

static constexpr Count kItems = 4000000;

template <typename Push, typename Pop>
static double rate(const Push& push, const Pop& pop) {
  auto& go = shared<std::atomic<int>>();
  const auto there = [&] {
    auto take = pop();
    go.store(1);
    Count sum = 0;
    for (Count i = 0, item = 0; i < kItems; ++i) {
      while (!take(item)) {}
      sum += item;
    }
    if (sum != kItems * (kItems - 1) / 2) std::abort();  // zero loss, or no figure
    go.store(2);
  };
  double taken = 0;
  together(there, [&] {
    while (go.load() == 0) sched_yield();
    const Count begun = nanoseconds();
    for (Count i = 0; i < kItems; ++i) push(i);
    while (go.load() != 2) {}
    taken = static_cast<double>(nanoseconds() - begun);
  });
  return static_cast<double>(kItems) / taken * 1e3;
}

static double queue_rate() {
  auto& queue = shared<Queue>();
  return rate([&](Count item) { while (!queue.push(item)) {} },
              [&] { return [&](Count& item) { return queue.pop(item); }; });
}

#ifdef HAS_BOOST
static double boost_rate() {
  auto& queue = shared<boost::lockfree::spsc_queue<Count, boost::lockfree::capacity<Queue::kSlots>>>();
  return rate([&](Count item) { while (!queue.push(item)) {} },
              [&] { return [&](Count& item) { return queue.pop(item); }; });
}
#endif

static double ring_rate(const char* name) {
  unlink(name);
  flyball::RingWriter<Count> writer(name, Queue::kSlots);
  const double found = rate([&](Count item) { writer.push(item); }, [&] {
    auto* reader = new flyball::RingReader<Count>(name);
    return [reader](Count& item) { return reader->pop(item); };
  });
  writer.close();
  unlink(name);
  return found;
}

struct Ball {
  alignas(128) std::atomic<Count> there{0};
  alignas(128) std::atomic<Count> back{0};
};

static constexpr Count kThrows = 20000;

static double percentile(std::vector<Count>& times, double share) {
  std::sort(times.begin(), times.end());
  return static_cast<double>(times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))]);
}

// The machine's own way there and back between two processors, by a bare atomic.
static void round_trip() {
  auto& ball = shared<Ball>();
  std::vector<Count> times;
  together(
      [&] {
        for (Count i = 1; i <= kThrows; ++i) {
          while (ball.there.load(std::memory_order_acquire) != i) {}
          ball.back.store(i, std::memory_order_release);
        }
      },
      [&] {
        for (Count i = 1; i <= kThrows; ++i) {
          const Count begun = nanoseconds();
          ball.there.store(i, std::memory_order_release);
          while (ball.back.load(std::memory_order_acquire) != i) {}
          if (i > kThrows / 10) times.push_back(nanoseconds() - begun);
        }
      });
  std::printf("rtt_p50_ns %.0f\n", percentile(times, 0.5));
  std::printf("rtt_p99_ns %.0f\n", percentile(times, 0.99));
}

// How long until a reader that waits as any reader does has an item in hand. Each carries the moment from which
// it counts: `due` waits for that moment and returns it.
template <typename Due>
static void hand_off(const char* name, const char* told, Due due) {
  unlink(name);
  flyball::RingWriter<Count> writer(name, 4096);
  auto& seen_by_reader = shared<std::atomic<Count>>();
  together(
      [&] {
        flyball::RingReader<Count> reader(name);
        std::vector<Count> times;
        seen_by_reader.store(1);
        while (const auto span = reader.take(1)) {
          const Count seen = nanoseconds();
          times.push_back(seen - *span.data);
          reader.release();
          seen_by_reader.store(times.size() + 1, std::memory_order_release);
        }
        std::printf("%s_p50_ns %.0f\n", told, percentile(times, 0.5));
        std::printf("%s_p99_ns %.0f\n", told, percentile(times, 0.99));
        std::fflush(stdout);
      },
      [&] {
        while (seen_by_reader.load() == 0) sched_yield();
        for (Count i = 1; i <= kThrows; ++i) writer.push(due(i, seen_by_reader));
        writer.close();
      });
  unlink(name);
}

// The next item comes when the last was seen, as in the bare round trip: what a hand-off takes by itself.
static void closed_loop(const char* name) {
  hand_off(name, "closed", [](Count number, const std::atomic<Count>& seen) {
    while (seen.load(std::memory_order_acquire) != number) {}
    return nanoseconds();
  });
}

constexpr Count kEvery = 2000;

// The same pace by a bare atomic: how late the machine alone makes an item.
static void paced() {
  auto& ball = shared<Ball>();
  const Count begun = nanoseconds() + 1000 * kEvery;
  together(
      [&] {
        std::vector<Count> times;
        for (Count last = 0; last < kThrows;) {
          const Count number = ball.there.load(std::memory_order_acquire), seen = nanoseconds();
          while (last < number) times.push_back(seen - (begun + ++last * kEvery));
        }
        std::printf("paced_p50_ns %.0f\n", percentile(times, 0.5));
        std::printf("paced_p99_ns %.0f\n", percentile(times, 0.99));
        std::fflush(stdout);
      },
      [&] {
        for (Count i = 1; i <= kThrows; ++i) {
          while (nanoseconds() < begun + i * kEvery) {}
          ball.there.store(i, std::memory_order_release);
        }
      });
}

// The items come at a fixed pace, whatever became of the last, and count from when they were due: a moment that
// either process is away from its processor makes every item late that was due meanwhile, as for a real sensor.
static void open_loop(const char* name) {
  hand_off(name, "open", [begun = Count{0}](Count number, const std::atomic<Count>&) mutable {
    if (begun == 0) begun = nanoseconds();
    const Count due = begun + number * kEvery;
    while (nanoseconds() < due) {}
    return due;
  });
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  for (int i = 0; i < 2; ++i) seats[i] = std::atoi(arguments[i + 1]);
  const std::string name = "/dev/shm/flyball-bench-" + std::to_string(getpid());
  // In turns, so that a busy moment hits all.
  std::vector<double> ours, peer, boost;
  for (int turn = 0; turn < 5; ++turn) {
    ours.push_back(ring_rate(name.c_str()));
    peer.push_back(queue_rate());
#ifdef HAS_BOOST
    boost.push_back(boost_rate());
#endif
  }
  const auto tell = [](const char* what, std::vector<double>& found) {
    std::sort(found.begin(), found.end());
    if (!found.empty()) std::printf("%s %.2f\n", what, found[found.size() / 2]);
    std::fflush(stdout);  // before the next fork
  };
  tell("ring_M_items_s", ours);
  tell("queue_M_items_s", peer);
  tell("boost_M_items_s", boost);
  round_trip();
  std::fflush(stdout);
  closed_loop(name.c_str());
  open_loop(name.c_str());
  paced();
}
