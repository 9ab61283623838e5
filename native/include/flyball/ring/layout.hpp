// How a ring lies in its file: a header that never changes, the words that both sides move, the items.
//
// All little-endian. Words that different processes write lie 128 bytes apart: two cache lines, since
// processors fetch lines in pairs.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

namespace flyball::ring {

// What went wrong, so that a caller can tell a full ring from a dead writer.
enum class Fault { argument, layout, busy, full, closed, ended, died, system };

struct Error : std::runtime_error {
  Error(Fault kind, const std::string& what) : std::runtime_error(what), fault(kind) {}
  Fault fault;
};

// What happens when the slowest reader is a whole ring behind.
enum class Overrun : std::uint32_t { block = 0, drop_oldest = 1 };

// What a writer declares. An item is `channels` values of one dtype, named as NumPy names it: "<f8".
struct Layout {
  std::string dtype;
  std::uint64_t value_bytes = 0;
  std::uint64_t capacity = 0;  // items, rounded up until they fill whole pages
  std::uint64_t channels = 1;
  std::uint64_t span = 0;  // most items handed over at once, at most half the capacity; 0: a quarter of it
  std::uint64_t readers = 4;
  Overrun overrun = Overrun::block;
};

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t checksum;  // CRC-32 of the header with this field 0
  std::uint64_t file_bytes;
  std::uint64_t data_offset;
  std::uint64_t capacity;
  std::uint64_t item_bytes;
  std::uint64_t span;
  std::uint32_t channels;
  std::uint32_t readers;
  std::uint32_t overrun;
  std::uint32_t dtype_bytes;
  char dtype[4024];
};
static_assert(sizeof(Header) == 4096);

using Word = std::atomic<std::uint64_t>;
using Half = std::atomic<std::uint32_t>;
static_assert(Word::is_always_lock_free && Half::is_always_lock_free, "a lock would live in one process only");

// Where one side sleeps until the other rings.
struct alignas(128) Bell {
  Half rings;
  Half sleeping;  // a flag, not a count: a sleeper that is killed costs one ring too many and no more
};

constexpr std::uint64_t kStarts = 64;

struct Control {
  alignas(128) Word head;    // items committed so far
  alignas(128) Word reach;   // items before reach - capacity may be overwritten at any moment
  alignas(128) Word writer;  // the writer's identity, 0 once it closed
  Word epoch;                // writers so far
  Bell data;                 // readers sleep here
  Bell room;                 // the writer sleeps here
  alignas(128) Word starts[kStarts];  // the first item of each of the latest epochs, at epoch % kStarts
};

struct alignas(128) Slot {
  Word owner;   // the reader's identity, 0 when free
  Word cursor;  // items before it are read
};

constexpr std::uint64_t kControlOffset = sizeof(Header);
constexpr std::uint64_t kSlotsOffset = kControlOffset + sizeof(Control);
constexpr std::uint64_t kMostReaders = 1024;
static_assert(sizeof(Control) == 1152 && sizeof(Slot) == 128);

inline std::uint64_t page_bytes() { return static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)); }

inline std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

// CRC-32 as zlib has it, bit by bit: it is taken once, over one page.
inline std::uint32_t crc32(const unsigned char* bytes, std::size_t count) {
  std::uint32_t crc = ~0U;
  for (std::size_t i = 0; i < count; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

inline std::uint32_t checksum(Header header) {
  header.checksum = 0;
  return crc32(reinterpret_cast<const unsigned char*>(&header), sizeof(Header));
}

inline void demand(bool holds, const std::string& otherwise, Fault fault = Fault::argument) {
  if (!holds) throw Error(fault, otherwise);
}

// The same without making a string each time, for what is asked at every item.
inline void demand(bool holds, const char* otherwise, Fault fault = Fault::argument) {
  if (__builtin_expect(!holds, 0)) throw Error(fault, otherwise);
}

// The header of a ring as declared; Fault::argument names what cannot be.
inline Header describe(const Layout& layout) {
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  Header header{};
  demand(!layout.dtype.empty() && layout.dtype.size() < sizeof(header.dtype),
         "dtype: its description is empty or longer than a header holds, use fewer or shorter field names");
  demand(layout.value_bytes > 0 && layout.value_bytes <= 1U << 20, "dtype: values of no size, or above a megabyte");
  demand(layout.channels > 0 && layout.channels <= 1U << 20, "channels: give 1 to 1048576");
  demand(layout.readers > 0 && layout.readers <= kMostReaders, "readers: give 1 to " + number(kMostReaders));
  demand(layout.capacity >= 2, "capacity: a ring of " + number(layout.capacity) + " items is too small, give 2 or more");
  const std::uint64_t item = layout.value_bytes * layout.channels, page = page_bytes();
  const std::uint64_t step = page / std::gcd(page, item);
  demand(layout.capacity <= (std::uint64_t{1} << 46) / item - step, "capacity: too many items for one address space");
  const std::uint64_t span = layout.span ? layout.span : std::max<std::uint64_t>(1, layout.capacity / 4);
  demand(layout.capacity / 2 >= span, "capacity: " + number(layout.capacity) + " items are fewer than two spans of " +
                                          number(span) + ", give " + number(2 * span) + " or more");
  std::memcpy(header.magic, "FLYRING\n", 8);
  header.version = 1;
  header.capacity = round_up(layout.capacity, step);
  header.data_offset = round_up(kSlotsOffset + layout.readers * sizeof(Slot), page);
  header.file_bytes = header.data_offset + header.capacity * item;
  header.item_bytes = item;
  header.span = span;
  header.channels = static_cast<std::uint32_t>(layout.channels);
  header.readers = static_cast<std::uint32_t>(layout.readers);
  header.overrun = static_cast<std::uint32_t>(layout.overrun);
  header.dtype_bytes = static_cast<std::uint32_t>(layout.dtype.size());
  std::memcpy(header.dtype, layout.dtype.data(), layout.dtype.size());
  header.checksum = checksum(header);
  return header;
}

// Refuses a header that no writer of this version made, or a file that is not as long as it says:
// a byte that is not there would end the process when touched.
inline void inspect(const Header& header, std::uint64_t file_bytes, const std::string& path) {
  const auto fine = [&path](bool holds, const std::string& otherwise) {
    demand(holds, path + ": " + otherwise, Fault::layout);
  };
  fine(std::memcmp(header.magic, "FLYRING\n", 8) == 0, "not a ring, its first bytes are foreign");
  fine(header.version == 1, "a ring of layout version " + std::to_string(header.version) + ", this library reads 1");
  fine(header.checksum == checksum(header), "its header is damaged, the checksum does not hold");
  fine(header.file_bytes == file_bytes, "truncated or grown, " + std::to_string(file_bytes) + " bytes instead of " +
                                            std::to_string(header.file_bytes));
  // The checksum says that nothing was damaged, not that whoever wrote it can be trusted.
  const std::uint64_t page = page_bytes();
  const bool sized = header.item_bytes > 0 && header.capacity > 0 && header.data_offset <= file_bytes &&
                     header.capacity <= std::numeric_limits<std::uint64_t>::max() / header.item_bytes &&
                     header.capacity * header.item_bytes == file_bytes - header.data_offset;
  const bool counted = header.readers > 0 && header.readers <= kMostReaders && header.span > 0 &&
                       header.span <= header.capacity / 2 && header.channels > 0 &&
                       header.item_bytes % header.channels == 0;
  fine(sized && counted && header.data_offset % page == 0 && (file_bytes - header.data_offset) % page == 0 &&
           header.data_offset >= kSlotsOffset + header.readers * sizeof(Slot) && header.overrun <= 1 &&
           header.dtype_bytes < sizeof(header.dtype),
       "its header contradicts itself");
}

inline std::string dtype_of(const Header& header) { return {header.dtype, header.dtype_bytes}; }

}  // namespace flyball::ring
