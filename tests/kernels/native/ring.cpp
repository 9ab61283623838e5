// The ring against what was pushed: spans of random length, two threads over one memory, foreign files.
#include <array>
#include <atomic>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include <flyball/ring.hpp>

using Count = std::uint64_t;
namespace ring = flyball::ring;

#define CHECK(holds)                                                \
  do {                                                              \
    if (!(holds)) {                                                 \
      std::printf("line %d: %s does not hold\n", __LINE__, #holds); \
      return false;                                                 \
    }                                                               \
  } while (false)

static std::string fresh(const char* what) {
  const std::string name = "/dev/shm/flyball-native-" + std::to_string(getpid()) + "-" + what;
  unlink(name.c_str());
  return name;
}

template <typename Act>
static bool faults(ring::Fault fault, const Act& act) {
  try {
    act();
  } catch (const ring::Error& error) {
    return error.fault == fault;
  }
  return false;
}

// In a ring that drops, the reader may read what is overwritten, and then drops it: word by word, as atomics.
// In one that blocks nobody may, and plain access lets the thread sanitizer say so.
static void put(Count* at, Count value, bool races) {
  if (races) {
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
  } else {
    *at = value;
  }
}
static Count get(const Count* at, bool races) { return races ? __atomic_load_n(at, __ATOMIC_RELAXED) : *at; }

// One thread: many rounds over the wrap, with items that fill no page evenly.
static bool rounds() {
  const std::string name = fresh("rounds");
  using Item = std::array<Count, 3>;
  flyball::RingWriter<Item> writer(name, 700, {100});
  flyball::RingReader<Item> reader(name);
  std::mt19937 random(7);
  Count pushed = 0, taken = 0;
  for (int round = 0; round < 20000; ++round) {
    const Count count = 1 + random() % 100;
    if (pushed + count - taken <= 700) {
      auto span = writer.reserve(count);
      CHECK(span.first == pushed);
      for (Count i = 0; i < count; ++i) span.data[i] = {pushed + i, ~(pushed + i), 7};
      const Count kept = random() % (count + 1);
      writer.commit(kept);
      pushed += kept;
    }
    const auto got = reader.take(1 + random() % 150, 0);
    CHECK(got.first == taken || !got);
    for (const Item& item : got) {
      CHECK(item[0] == taken && item[1] == ~taken && item[2] == 7);
      ++taken;
    }
    CHECK(reader.release());
  }
  CHECK(taken > 100000);
  unlink(name.c_str());
  return true;
}

static bool threads(ring::Overrun overrun) {
  const std::string name = fresh("threads");
  constexpr Count kItems = 60000;
  const bool races = overrun == ring::Overrun::drop_oldest;
  flyball::RingWriter<Count> writer(name, 1024, {64, 4, overrun});
  std::atomic<bool> sound{true};
  std::vector<std::thread> readers;
  std::vector<std::unique_ptr<flyball::RingReader<Count>>> ends;
  // The writer's own mapping, so that the sanitizer sees one memory and not two.
  for (int i = 0; i < 2; ++i) ends.push_back(std::make_unique<flyball::RingReader<Count>>(writer));
  for (auto& end : ends) {
    readers.emplace_back([&sound, &reader = *end, races] {
      std::mt19937 random(11);
      Count received = 0;
      while (const auto span = reader.take(1 + random() % 100)) {
        bool right = true;
        for (Count i = 0; i < span.count; ++i) right &= get(span.data + i, races) == span.first + i;
        if (!reader.release()) continue;
        received += span.count;
        if (!right) sound = false;
      }
      const bool lossless = reader.lost() == 0;
      if (received + reader.lost() != kItems) sound = false;
      if (!races && !lossless) sound = false;
    });
  }
  std::mt19937 random(13);
  for (Count done = 0; done < kItems;) {
    const Count count = std::min<Count>(1 + random() % 64, kItems - done);
    const auto span = writer.reserve(count);
    for (Count i = 0; i < count; ++i) put(span.data + i, done + i, races);
    writer.commit(count);
    done += count;
  }
  writer.close();
  for (auto& thread : readers) thread.join();
  CHECK(sound);
  unlink(name.c_str());
  return true;
}

static bool faulty_files() {
  const std::string name = fresh("files");
  { flyball::RingWriter<double> writer(name, 1024); }
  const auto attach = [&] { flyball::RingReader<double> reader(name); };
  CHECK(faults(ring::Fault::layout, [&] { flyball::RingReader<float> reader(name); }));
  CHECK(faults(ring::Fault::layout, [&] { flyball::RingWriter<double> writer(name, 4096); }));
  attach();
  for (const off_t length : {20000, 4096, 100, 0}) {
    CHECK(truncate(name.c_str(), length) == 0);
    CHECK(faults(ring::Fault::layout, attach));
  }
  unlink(name.c_str());
  CHECK(faults(ring::Fault::system, attach));
  // Every byte of a header counts.
  { flyball::RingWriter<double> writer(name, 1024); }
  const int file = open(name.c_str(), O_RDWR);
  for (const off_t at : {0, 8, 12, 16, 24, 32, 40, 48, 56, 60, 64, 68, 72, 4095}) {
    unsigned char was = 0;
    CHECK(pread(file, &was, 1, at) == 1);
    const unsigned char other = was ^ 0x10;
    CHECK(pwrite(file, &other, 1, at) == 1);
    CHECK(faults(ring::Fault::layout, attach));
    CHECK(pwrite(file, &was, 1, at) == 1);
  }
  attach();
  close(file);
  unlink(name.c_str());
  return true;
}

static bool misuse() {
  const std::string name = fresh("misuse");
  CHECK(faults(ring::Fault::argument, [&] { flyball::RingWriter<double> writer(name, 0); }));
  CHECK(faults(ring::Fault::argument, [&] { flyball::RingWriter<double> writer(name, 100, {51}); }));
  CHECK(faults(ring::Fault::argument, [&] { flyball::RingWriter<double> writer("a/b", 100); }));
  flyball::RingWriter<double> writer(name, 512, {64, 2, ring::Overrun::block, 0.01});
  CHECK(faults(ring::Fault::busy, [&] { flyball::RingWriter<double> second(name, 512, {64, 2}); }));
  CHECK(faults(ring::Fault::argument, [&] { writer.reserve(65); }));
  CHECK(faults(ring::Fault::argument, [&] { writer.commit(1); }));
  flyball::RingReader<double> one(name), two(name);
  CHECK(faults(ring::Fault::busy, [&] { flyball::RingReader<double> three(name); }));
  CHECK(!one.take(5, 0.001));
  for (int i = 0; i < 512; ++i) writer.push(i);
  CHECK(faults(ring::Fault::full, [&] { writer.push(1.0); }));
  CHECK(one.take(5).count == 5);
  CHECK(faults(ring::Fault::argument, [&] { one.take(5); }));
  one.release();
  CHECK(faults(ring::Fault::full, [&] { writer.push(1.0); }));
  two.close();
  writer.push(1.0);
  writer.close();
  flyball::RingWriter<double> next(name, 512, {64, 2});
  next.push(2.0);
  CHECK(next.epoch() == 2);
  CHECK(one.take(600).count == 508 && one.epoch() == 1);
  one.release();
  const auto last = one.take(600);
  CHECK(last.count == 1 && *last.data == 2.0 && last.first == 513 && one.epoch() == 2);
  unlink(name.c_str());
  return true;
}

int main() {
  const bool sound = rounds() && threads(ring::Overrun::block) && threads(ring::Overrun::drop_oldest) &&
                     faulty_files() && misuse();
  std::printf("%s\n", sound ? "sound" : "not sound");
  return sound ? 0 : 1;
}
