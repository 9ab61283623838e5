// How a span gets into the ring and out of it at the speed of the memory, not at that of one cache line after
// another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace flyball::ring {

constexpr std::size_t kLine = 64;

// Copies past the caches, and is done when it returns: the lines lie in the reader's cache, and to ask for each
// of them back takes longer than to write the memory. Short pieces stay in the cache. Neither sanitizer nor
// compiler sees what a streaming store does to other threads, so the thread sanitizer gets the plain copy.
inline void copy_in(unsigned char* to, const unsigned char* from, std::size_t bytes) {
#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
  constexpr std::size_t kLeast = 1024;
  if (bytes >= kLeast) {
    const std::size_t before = (kLine - reinterpret_cast<std::uintptr_t>(to) % kLine) % kLine;
    std::memcpy(to, from, before);
    const std::size_t whole = (bytes - before) / kLine * kLine, end = before + whole;
    for (std::size_t at = before; at < end; at += kLine) {
      for (std::size_t part = 0; part < kLine; part += sizeof(__m128i)) {
        const __m128i value = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at + part));
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + at + part), value);
      }
    }
    std::memcpy(to + end, from + end, bytes - end);
    _mm_sfence();
    return;
  }
#endif
  std::memcpy(to, from, bytes);
}

// Asks for lines that will be read: they lie in the writer's cache or in memory, and no processor looks past the
// end of a page by itself.
inline void fetch(const unsigned char* at, std::size_t bytes) {
  for (std::size_t line = 0; line < bytes; line += kLine) __builtin_prefetch(at + line);
}

// Asks for a line that will be written.
inline void own(const unsigned char* at) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*at));  // which __builtin_prefetch does not say on the plainest set
#else
  __builtin_prefetch(at, 1);
#endif
}

}  // namespace flyball::ring
