// A ring's file in memory, its items twice in a row: a span over the wrap is one piece.
#pragma once

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "system.hpp"

namespace flyball::ring {

[[noreturn]] inline void fail(const std::string& path, const char* what) {
  throw Error(Fault::system, path + ": cannot " + what + ": " + std::strerror(errno));
}

// A plain name lies in shared memory; a path that starts with / is taken as it is.
inline std::string path_of(const std::string& name) {
  demand(!name.empty() && name.size() < 200 && name.find('\0') == std::string::npos,
         "name: give 1 to 199 characters");
  if (name[0] == '/') {
    demand(name.find("/../") == std::string::npos && name.back() != '/', "name: no path to a file: " + name);
    return name;
  }
  demand(name.find('/') == std::string::npos && name[0] != '.',
         "name: give a plain name, or a path that starts with /, not " + name);
  return "/dev/shm/" + name;
}

class File {
 public:
  File(const std::string& path, int flags) : path_(path), file_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (file_ < 0) return;
    flock(file_, LOCK_UN);  // closing is not enough: a mapping keeps the file open, and the lock with it
    close(file_);
  }
  int get() const { return file_; }
  bool opened() const { return file_ >= 0; }

  // One end at a time takes its place.
  void lock() const {
    const double until = now() + 5.0;
    while (flock(file_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) fail(path_, "lock");
      demand(now() < until, path_ + ": another process has kept it locked for 5 s", Fault::busy);
      const timespec moment{0, 1000000};
      nanosleep(&moment, nullptr);
    }
  }

  // Read, not mapped: a file that is shorter than it says must not end the process.
  Header header() const {
    struct stat told{};
    if (fstat(file_, &told) != 0) fail(path_, "look at it");
    Header header{};
    demand(S_ISREG(told.st_mode), path_ + ": not a ring, not even a file", Fault::layout);
    demand(pread(file_, &header, sizeof(header), 0) == static_cast<ssize_t>(sizeof(header)),
           path_ + ": truncated, shorter than a ring's header", Fault::layout);
    inspect(header, static_cast<std::uint64_t>(told.st_size), path_);
    return header;
  }

 private:
  std::string path_;
  int file_;
};

class Mapping {
 public:
  // The items of a reader cannot be written: whoever tries is stopped at once.
  Mapping(const File& file, const Header& header, bool writes, const std::string& path)
      : header_(header), bytes_(header.data_offset + 2 * data_bytes()) {
    void* all = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) fail(path, "find room for it");
    base_ = static_cast<unsigned char*>(all);
    const int access = writes ? PROT_READ | PROT_WRITE : PROT_READ;
    const auto offset = static_cast<off_t>(header.data_offset);
    if (!place(base_, header.data_offset, PROT_READ | PROT_WRITE, file.get(), 0) ||
        !place(base_ + header.data_offset, data_bytes(), access, file.get(), offset) ||
        !place(base_ + header.data_offset + data_bytes(), data_bytes(), access, file.get(), offset)) {
      munmap(base_, bytes_);
      fail(path, "map it");
    }
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(base_, bytes_); }

  // As it was when it was checked: what lies in shared memory could be changed since.
  const Header& header() const { return header_; }
  Control& control() const { return *reinterpret_cast<Control*>(base_ + kControlOffset); }
  Slot& slot(std::uint64_t number) const { return reinterpret_cast<Slot*>(base_ + kSlotsOffset)[number]; }
  unsigned char* items() const { return base_ + header_.data_offset; }
  std::uint64_t data_bytes() const { return header_.capacity * header_.item_bytes; }

 private:
  static bool place(unsigned char* at, std::uint64_t bytes, int access, int file, off_t offset) {
#if defined(MAP_POPULATE)
    constexpr int kFlags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;  // no page fault in the first round
#else
    constexpr int kFlags = MAP_SHARED | MAP_FIXED;
#endif
    return mmap(at, bytes, access, kFlags, file, offset) != MAP_FAILED;
  }

  Header header_;
  std::uint64_t bytes_;
  unsigned char* base_ = nullptr;
};

// Makes the file whole under another name first, so that nobody ever finds half a ring; false where one is there.
inline bool create(const std::string& path, const Header& header) {
  const std::string draft = path + "." + std::to_string(getpid()) + ".new";
  unlink(draft.c_str());  // of a process with this number that was killed right here
  {
    const File file(draft, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (!file.opened()) fail(draft, "create it");
    // Room now, or an error: memory that runs out later would end the process.
    const int wrong = posix_fallocate(file.get(), 0, static_cast<off_t>(header.file_bytes));
    errno = wrong;
    if (wrong != 0 || pwrite(file.get(), &header, sizeof(header), 0) != static_cast<ssize_t>(sizeof(header))) {
      const int why = errno;
      unlink(draft.c_str());
      errno = why;
      fail(path, "make room for it");
    }
  }
  const bool made = link(draft.c_str(), path.c_str()) == 0;
  const int why = errno;
  unlink(draft.c_str());
  errno = why;
  if (!made && why != EEXIST) fail(path, "create it");
  return made;
}

}  // namespace flyball::ring
