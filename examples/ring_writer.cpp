// A sensor's program: three axes of vibration, 10,000 times a second, into a ring that others read.
//
//   g++ -std=c++17 -O2 -I"$(python -c 'from flyball import kernels; print(kernels.include())')" ring_writer.cpp -o ring_writer -pthread
//   ./ring_writer spindle 10 &  python ring_reader.py spindle
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <thread>

#include <flyball/ring.hpp>

// What one reading is; its description is how Python sees it.
struct Reading {
  std::int64_t at_us;
  float x, y, z;
  std::uint32_t state;
};

template <>
struct flyball::RingItem<Reading> {
  static constexpr std::uint64_t channels = 1;
  static std::string dtype() { return "[('at_us', '<i8'), ('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('state', '<u4')]"; }
};

static Reading measure(std::int64_t tick) {
  const auto turn = static_cast<float>(tick) * 0.05F;
  return {tick * 100, std::sin(turn), std::cos(turn), 1.0F, tick % 7 == 0 ? 1U : 0U};
}

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "ring_writer NAME SECONDS\n";
    return 2;
  }
  try {
    // A slow reader must never hold the sensor up: it loses the oldest readings, and knows how many.
    flyball::RingOptions options;
    options.overrun = flyball::ring::Overrun::drop_oldest;
    flyball::RingWriter<Reading> ring(arguments[1], 65536, options);
    const auto ticks = static_cast<std::int64_t>(std::atof(arguments[2]) * 10000);
    auto due = std::chrono::steady_clock::now();
    for (std::int64_t tick = 0; tick < ticks;) {
      // A millisecond's readings at once, made where they are read.
      const auto span = ring.reserve(10);
      for (Reading& reading : span) reading = measure(tick++);
      ring.commit(span.count);
      std::this_thread::sleep_until(due += std::chrono::milliseconds(1));
    }
    std::cout << ring.sequence() << " readings pushed\n";
  } catch (const flyball::ring::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
