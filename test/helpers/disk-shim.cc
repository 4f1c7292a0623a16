// A preload shim between a store process and the kernel, for tests of crashes and of power loss. It knows the files
// below the folder GI4OVER6_DISK_DIR.
//
//   GI4OVER6_DISK_LOG     a file that gets each of these calls as one record when it is done (disk-log.ts reads them)
//   GI4OVER6_DIE_AT       the process ends with SIGKILL at this call, the first being 1
//   GI4OVER6_DIE_OCTETS   the process ends with SIGKILL when it has written so many octets, in the middle of a call
//
// Record: type, 1 octet | file, 4 | offset, 8 | length, 4 | data; numbers little-endian. A file is known by its
// descriptor's inode. A write to standard output is an acknowledgement, and its record comes before the write. One lock
// over call and record keeps the records in the order of the calls.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
char folder[PATH_MAX];
size_t folder_length;
int log_fd = -1;
long calls_left = -1;
long octets_left = -1;

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

long number_of(const char* name) {
  const char* text = getenv(name);
  return text ? atol(text) : -1;
}

__attribute__((constructor)) void begin() {
  const char* dir = getenv("GI4OVER6_DISK_DIR");
  if (!dir) return;
  folder_length = strlen(dir);
  if (folder_length >= sizeof folder) abort();
  memcpy(folder, dir, folder_length + 1);
  const char* path = getenv("GI4OVER6_DISK_LOG");
  if (path) {
    log_fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (log_fd < 0) abort();
  }
  calls_left = number_of("GI4OVER6_DIE_AT");
  octets_left = number_of("GI4OVER6_DIE_OCTETS");
}

bool is_watched_path(const char* path) {
  return folder_length > 0 && strncmp(path, folder, folder_length) == 0 &&
         (path[folder_length] == '/' || path[folder_length] == '\0');
}

bool is_watched(int fd) {
  if (folder_length == 0 || fd < 0 || fd == log_fd) return false;
  char link[32];
  char path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return is_watched_path(path);
}

uint32_t inode_of(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 ? static_cast<uint32_t>(found.st_ino) : 0;
}

uint32_t inode_of_path(const char* path) {
  struct stat found;
  return stat(path, &found) == 0 ? static_cast<uint32_t>(found.st_ino) : 0;
}

void record(char type, uint32_t file, uint64_t offset, const struct iovec* parts, int count) {
  if (log_fd < 0) return;
  uint32_t length = 0;
  for (int i = 0; i < count; i++) length += static_cast<uint32_t>(parts[i].iov_len);
  char* octets = static_cast<char*>(malloc(17 + length));
  if (!octets) abort();
  octets[0] = type;
  memcpy(octets + 1, &file, 4);
  memcpy(octets + 5, &offset, 8);
  memcpy(octets + 13, &length, 4);
  char* end = octets + 17;
  for (int i = 0; i < count; i++) end = static_cast<char*>(mempcpy(end, parts[i].iov_base, parts[i].iov_len));
  if (syscall(SYS_write, log_fd, octets, 17 + length) != static_cast<long>(17 + length)) abort();
  free(octets);
}

void record_text(char type, uint32_t file, const char* text) {
  const struct iovec part = {const_cast<char*>(text), strlen(text)};
  record(type, file, 0, &part, 1);
}

// Holds the lock during one call on a watched file, and ends the process at the call that is to be the last one.
class Call {
 public:
  Call() {
    pthread_mutex_lock(&lock);
    if (calls_left > 0 && --calls_left == 0) die();
  }
  ~Call() { pthread_mutex_unlock(&lock); }
};

// Writes what is left before the end in whole sectors, and ends the process when that is not all.
void limit_octets(int fd, const struct iovec* parts, int count, uint64_t offset) {
  if (octets_left < 0) return;
  long length = 0;
  for (int i = 0; i < count; i++) length += static_cast<long>(parts[i].iov_len);
  if (length <= octets_left) {
    octets_left -= length;
    return;
  }
  long rest = octets_left / 512 * 512;
  for (int i = 0; i < count && rest > 0; i++) {
    const long part = rest < static_cast<long>(parts[i].iov_len) ? rest : static_cast<long>(parts[i].iov_len);
    if (syscall(SYS_pwrite64, fd, parts[i].iov_base, part, offset) != part) abort();
    offset += part;
    rest -= part;
  }
  die();
}

bool is_write_through(int fd) { return (fcntl(fd, F_GETFL) & O_DSYNC) != 0; }

int synced(int fd, const char* name) {
  const auto call = real<int (*)(int)>(name);
  if (!is_watched(fd)) return call(fd);
  Call held;
  const int result = call(fd);
  if (result == 0) record('S', inode_of(fd), 0, nullptr, 0);
  return result;
}

}  // namespace

extern "C" {

ssize_t pwrite64(int fd, const void* data, size_t length, off64_t offset) {
  const auto call = real<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  if (!is_watched(fd)) return call(fd, data, length, offset);
  Call held;
  const struct iovec part = {const_cast<void*>(data), length};
  limit_octets(fd, &part, 1, offset);
  const ssize_t result = call(fd, data, length, offset);
  const struct iovec written = {part.iov_base, static_cast<size_t>(result < 0 ? 0 : result)};
  if (result > 0) record(is_write_through(fd) ? 'D' : 'W', inode_of(fd), offset, &written, 1);
  return result;
}

ssize_t pwrite(int fd, const void* data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec* parts, int count) {
  const auto call = real<ssize_t (*)(int, const struct iovec*, int)>("writev");
  if (!is_watched(fd)) return call(fd, parts, count);
  Call held;
  const off_t offset = lseek(fd, 0, SEEK_CUR);
  limit_octets(fd, parts, count, offset);
  const ssize_t result = call(fd, parts, count);
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  // What was written in part is an error to LMDB, and nothing it counts on.
  if (result == static_cast<ssize_t>(length)) record('W', inode_of(fd), offset, parts, count);
  return result;
}

ssize_t write(int fd, const void* data, size_t length) {
  const auto call = real<ssize_t (*)(int, const void*, size_t)>("write");
  const struct iovec part = {const_cast<void*>(data), length};
  if (fd == 1 && log_fd >= 0) {
    Call held;
    record('A', 0, 0, &part, 1);
    return call(fd, data, length);
  }
  if (!is_watched(fd)) return call(fd, data, length);
  Call held;
  const off_t offset = (fcntl(fd, F_GETFL) & O_APPEND) ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
  limit_octets(fd, &part, 1, offset);
  const ssize_t result = call(fd, data, length);
  const struct iovec written = {part.iov_base, static_cast<size_t>(result < 0 ? 0 : result)};
  if (result > 0) record(is_write_through(fd) ? 'D' : 'W', inode_of(fd), offset, &written, 1);
  return result;
}

int fdatasync(int fd) { return synced(fd, "fdatasync"); }
int fsync(int fd) { return synced(fd, "fsync"); }

int ftruncate64(int fd, off64_t length) {
  const auto call = real<int (*)(int, off64_t)>("ftruncate64");
  if (!is_watched(fd)) return call(fd, length);
  Call held;
  const int result = call(fd, length);
  if (result == 0) record('T', inode_of(fd), length, nullptr, 0);
  return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int opened(const char* path, int flags, mode_t mode) {
  const auto call = real<int (*)(const char*, int, ...)>("open64");
  if (!(flags & (O_CREAT | O_TRUNC)) || !is_watched_path(path)) return call(path, flags, mode);
  Call held;
  const bool is_new = access(path, F_OK) != 0;
  const int fd = call(path, flags, mode);
  if (fd >= 0 && is_new) record_text('O', inode_of(fd), path);
  if (fd >= 0 && !is_new && (flags & O_TRUNC)) record('T', inode_of(fd), 0, nullptr, 0);
  return fd;
}

int open64(const char* path, int flags, ...) {
  va_list words;
  va_start(words, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(words, mode_t) : 0;
  va_end(words);
  return opened(path, flags, mode);
}

int open(const char* path, int flags, ...) {
  va_list words;
  va_start(words, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(words, mode_t) : 0;
  va_end(words);
  return opened(path, flags, mode);
}

int mkdir(const char* path, mode_t mode) {
  const auto call = real<int (*)(const char*, mode_t)>("mkdir");
  if (!is_watched_path(path)) return call(path, mode);
  Call held;
  const int result = call(path, mode);
  if (result == 0) record_text('M', inode_of_path(path), path);
  return result;
}

int rename(const char* from, const char* to) {
  const auto call = real<int (*)(const char*, const char*)>("rename");
  if (!is_watched_path(from) && !is_watched_path(to)) return call(from, to);
  Call held;
  const int result = call(from, to);
  const struct iovec parts[] = {{const_cast<char*>(from), strlen(from) + 1}, {const_cast<char*>(to), strlen(to)}};
  if (result == 0) record('R', inode_of_path(to), 0, parts, 2);
  return result;
}

static int removed(const char* path, const char* name) {
  const auto call = real<int (*)(const char*)>(name);
  if (!is_watched_path(path)) return call(path);
  Call held;
  const int result = call(path);
  if (result == 0) record_text('U', 0, path);
  return result;
}

int unlink(const char* path) { return removed(path, "unlink"); }
int rmdir(const char* path) { return removed(path, "rmdir"); }
}
