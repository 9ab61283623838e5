/* Faults below every language: what writes files under one folder is counted, traced, made to fail, or ends the process.
 *
 * Loaded with LD_PRELOAD.  FLYBALL_FAULTS names a control file of the layout below, mapped shared: who set it up arms it,
 * reads the count, and finds out what happened after the process is gone.  Only paths below `root` are looked at.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OFF, COUNT, FAIL, FAIL_ON, SHORT, KILL, SLOW };

/* Read and written by layer.py: keep both the same. */
struct control {
  _Atomic uint64_t count; /* calls so far */
  uint64_t at;            /* the call that is hit, from 1 */
  int32_t mode, error;
  uint64_t slow_us;
  char root[1024];
  char trace[1024];
};

static struct control *control;
static size_t root_length;
static int trace_fd = -1;
static __thread int inside; /* our own calls are let through */

#define FDS 65536
static char *paths[FDS];

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("FLYBALL_FAULTS");
  if (!name) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  void *at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (at != MAP_FAILED) control = at;
}

static int armed(void) { return control && control->mode != OFF && !inside; }

static int below(const char *path) {
  root_length = strlen(control->root);
  return strncmp(path, control->root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

/* The absolute path of a name relative to a folder; NULL when it is not below the root. */
static const char *whole(int folder, const char *name, char *out) {
  if (name[0] == '/') {
    snprintf(out, PATH_MAX, "%s", name);
  } else {
    char link[64];
    ssize_t n;
    if (folder == AT_FDCWD) {
      if (!getcwd(out, PATH_MAX)) return NULL;
      n = (ssize_t)strlen(out);
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
      n = readlink(link, out, PATH_MAX - 1);
      if (n < 0) return NULL;
    }
    snprintf(out + n, (size_t)(PATH_MAX - n), "/%s", name);
  }
  return below(out) ? out : NULL;
}

/* The path behind a descriptor, NULL when it is not below the root. */
static const char *behind(int fd, char *out) {
  char link[64];
  if (fd >= 0 && fd < FDS && paths[fd]) return below(paths[fd]) ? paths[fd] : NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, out, PATH_MAX - 1);
  if (n < 0) return NULL;
  out[n] = 0;
  return below(out) ? out : NULL;
}

static void put(const void *from, size_t n) {
  const char *at = from;
  while (n) {
    ssize_t done = syscall(SYS_write, trace_fd, at, n);
    if (done <= 0) _exit(97);
    at += done;
    n -= (size_t)done;
  }
}

static pthread_mutex_t *lock(void) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  return &mutex;
}

/* One record of the trace: a line of text, and as many bytes as it says. */
static void note(const char *what, const char *a, const char *b, uint64_t offset, const void *bytes, uint64_t n) {
  if (!control->trace[0]) return;
  pthread_mutex_lock(lock());
  if (trace_fd < 0)
    trace_fd = (int)syscall(SYS_openat, AT_FDCWD, control->trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  char line[2 * PATH_MAX + 128];
  int length = snprintf(line, sizeof line, "%s\t%s\t%s\t%llu\t%llu\n", what, a, b ? b : "",
                        (unsigned long long)offset, (unsigned long long)n);
  put(line, (size_t)length);
  if (n) put(bytes, n);
  pthread_mutex_unlock(lock());
}

/* Count a call; return 0 to let it be, 1 to fail with errno set, 2 to do half of it. */
static int hit(int writes) {
  uint64_t n = atomic_fetch_add(&control->count, 1) + 1;
  if (control->mode == SLOW) {
    struct timespec pause = {(time_t)(control->slow_us / 1000000), (long)(control->slow_us % 1000000) * 1000};
    nanosleep(&pause, NULL);
    return 0;
  }
  if (control->mode == KILL && n == control->at) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
  }
  if ((control->mode == FAIL && n == control->at) || (control->mode == FAIL_ON && n >= control->at && writes)) {
    errno = control->error;
    return 1;
  }
  return control->mode == SHORT && n == control->at && writes ? 2 : 0;
}

#define IN inside = 1
#define OUT inside = 0

static void known(int fd, const char *path) {
  if (fd < 0 || fd >= FDS) return;
  free(paths[fd]);
  paths[fd] = path ? strdup(path) : NULL;
}

static int opened(int folder, const char *name, int flags, mode_t mode, const char *symbol) {
  static int (*real)(int, const char *, int, ...);
  if (!real) real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64");
  (void)symbol;
  char room[PATH_MAX];
  const char *path = NULL;
  int writing = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
  int fresh = 0;
  if (armed()) {
    IN;
    path = whole(folder, name, room);
    if (path && writing) {
      struct stat told;
      fresh = stat(path, &told) != 0;
      if (hit(1) == 1) {
        OUT;
        return -1;
      }
    }
    OUT;
  }
  int fd = real(folder, name, flags, mode);
  if (fd >= 0 && armed()) {
    IN;
    int kept = errno;
    known(fd, path && writing ? path : NULL);
    if (path && writing) {
      if (fresh) note("create", path, NULL, 0, NULL, 0);
      if (flags & O_TRUNC) note("truncate", path, NULL, 0, NULL, 0);
    }
    errno = kept;
    OUT;
  } else if (fd >= 0) {
    known(fd, NULL);
  }
  return fd;
}

static mode_t mode_of(int flags, va_list rest) {
  return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPENER(symbol) \
  int symbol(const char *name, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = mode_of(flags, rest); \
    va_end(rest); \
    return opened(AT_FDCWD, name, flags, mode, #symbol); \
  }
#define OPENER_AT(symbol) \
  int symbol(int folder, const char *name, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = mode_of(flags, rest); \
    va_end(rest); \
    return opened(folder, name, flags, mode, #symbol); \
  }
OPENER(open)
OPENER(open64)
OPENER_AT(openat)
OPENER_AT(openat64)
int creat(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode, "creat"); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < FDS && paths[fd]) known(fd, NULL);
  return real(fd);
}

/* Where the next plain write of a descriptor goes. */
static uint64_t place(int fd) {
  int flags = fcntl(fd, F_GETFL);
  off_t at = lseek(fd, 0, flags >= 0 && (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
  return at < 0 ? 0 : (uint64_t)at;
}

static ssize_t put_at(int fd, const void *from, size_t n, off_t at, int plain) {
  char room[PATH_MAX];
  const char *path = NULL;
  if (armed()) {
    IN;
    path = behind(fd, room);
    if (path) {
      int what = hit(1);
      if (what == 1) {
        OUT;
        return -1;
      }
      if (what == 2 && n > 1) n /= 2;
      if (plain) at = (off_t)place(fd);
    }
    OUT;
  }
  ssize_t done = plain ? syscall(SYS_write, fd, from, n) : syscall(SYS_pwrite64, fd, from, n, at);
  if (done > 0 && path) {
    IN;
    note("write", path, NULL, (uint64_t)at, from, (uint64_t)done);
    OUT;
  }
  return done;
}

ssize_t write(int fd, const void *from, size_t n) { return put_at(fd, from, n, 0, 1); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) { return put_at(fd, from, n, at, 0); }
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) { return put_at(fd, from, n, at, 0); }

ssize_t writev(int fd, const struct iovec *parts, int many) {
  REAL(writev);
  char room[PATH_MAX];
  IN;
  const char *path = control && control->mode != OFF ? behind(fd, room) : NULL;
  OUT;
  if (!path) return real(fd, parts, many);
  ssize_t all = 0;
  for (int i = 0; i < many; i++) {
    if (!parts[i].iov_len) continue;
    ssize_t done = put_at(fd, parts[i].iov_base, parts[i].iov_len, 0, 1);
    if (done < 0) return all ? all : -1;
    all += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return all;
}

ssize_t pwritev(int fd, const struct iovec *parts, int many, off_t at) {
  REAL(pwritev);
  char room[PATH_MAX];
  IN;
  const char *path = control && control->mode != OFF ? behind(fd, room) : NULL;
  OUT;
  if (!path) return real(fd, parts, many, at);
  ssize_t all = 0;
  for (int i = 0; i < many; i++) {
    ssize_t done = put_at(fd, parts[i].iov_base, parts[i].iov_len, at + all, 0);
    if (done < 0) return all ? all : -1;
    all += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return all;
}
ssize_t pwritev64(int fd, const struct iovec *parts, int many, off64_t at) { return pwritev(fd, parts, many, at); }

/* What moves bytes inside the kernel is not for files that are watched: who is refused writes them. */
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags) {
  REAL(copy_file_range);
  char room[PATH_MAX];
  IN;
  const char *path = control && control->mode != OFF ? behind(out, room) : NULL;
  OUT;
  if (path) {
    errno = EXDEV;
    return -1;
  }
  return real(in, from, out, to, n, flags);
}
ssize_t sendfile(int out, int in, off_t *from, size_t n) {
  REAL(sendfile);
  char room[PATH_MAX];
  IN;
  const char *path = control && control->mode != OFF ? behind(out, room) : NULL;
  OUT;
  if (path) {
    errno = EINVAL;
    return -1;
  }
  return real(out, in, from, n);
}
ssize_t sendfile64(int out, int in, off64_t *from, size_t n) { return sendfile(out, in, from, n); }

#define FORCED(symbol) \
  int symbol(int fd) { \
    REAL(symbol); \
    char room[PATH_MAX]; \
    const char *path = NULL; \
    if (armed()) { \
      IN; \
      path = behind(fd, room); \
      int bad = path && hit(0) == 1; \
      OUT; \
      if (bad) return -1; \
    } \
    int done = real(fd); \
    if (done == 0 && path) { \
      IN; \
      note("sync", path, NULL, 0, NULL, 0); \
      OUT; \
    } \
    return done; \
  }
FORCED(fsync)
FORCED(fdatasync)

#define CUT(symbol, type) \
  int symbol(int fd, type length) { \
    REAL(symbol); \
    char room[PATH_MAX]; \
    const char *path = NULL; \
    if (armed()) { \
      IN; \
      path = behind(fd, room); \
      int bad = path && hit(1) == 1; \
      OUT; \
      if (bad) return -1; \
    } \
    int done = real(fd, length); \
    if (done == 0 && path) { \
      IN; \
      note("truncate", path, NULL, (uint64_t)length, NULL, 0); \
      OUT; \
    } \
    return done; \
  }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)

int truncate(const char *name, off_t length) {
  int fd = open(name, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int done = ftruncate(fd, length), kept = errno;
  close(fd);
  errno = kept;
  return done;
}
int truncate64(const char *name, off64_t length) { return truncate(name, length); }

/* A call on names: `what` is noted with one or two paths when it was done. */
#define NAMES(folder_a, a, second, what, call) \
  char room_a[PATH_MAX], room_b[PATH_MAX]; \
  const char *path_a = NULL, *path_b = NULL; \
  (void)room_b; \
  if (armed()) { \
    IN; \
    path_a = whole(folder_a, a, room_a); \
    path_b = second; \
    int bad = (path_a || path_b) && hit(1) == 1; \
    OUT; \
    if (bad) return -1; \
  } \
  int done = (int)(call); \
  if (done == 0 && (path_a || path_b)) { \
    IN; \
    note(what, path_a ? path_a : a, path_b, 0, NULL, 0); \
    OUT; \
  } \
  return done

int renameat2(int fa, const char *a, int fb, const char *b, unsigned flags) {
  NAMES(fa, a, whole(fb, b, room_b), "rename", syscall(SYS_renameat2, fa, a, fb, b, flags));
}
int renameat(int fa, const char *a, int fb, const char *b) { return renameat2(fa, a, fb, b, 0); }
int rename(const char *a, const char *b) { return renameat2(AT_FDCWD, a, AT_FDCWD, b, 0); }
int linkat(int fa, const char *a, int fb, const char *b, int flags) {
  NAMES(fa, a, whole(fb, b, room_b), "link", syscall(SYS_linkat, fa, a, fb, b, flags));
}
int link(const char *a, const char *b) { return linkat(AT_FDCWD, a, AT_FDCWD, b, 0); }
int unlinkat(int fa, const char *a, int flags) {
  NAMES(fa, a, NULL, flags & AT_REMOVEDIR ? "rmdir" : "unlink", syscall(SYS_unlinkat, fa, a, flags));
}
int unlink(const char *a) { return unlinkat(AT_FDCWD, a, 0); }
int rmdir(const char *a) { return unlinkat(AT_FDCWD, a, AT_REMOVEDIR); }
int remove(const char *a) {
  struct stat told;
  if (lstat(a, &told) == 0 && S_ISDIR(told.st_mode)) return rmdir(a);
  return unlink(a);
}
int mkdirat(int fa, const char *a, mode_t mode) {
  NAMES(fa, a, NULL, "mkdir", syscall(SYS_mkdirat, fa, a, mode));
}
int mkdir(const char *a, mode_t mode) { return mkdirat(AT_FDCWD, a, mode); }
