/* Preloaded into a program: makes the n-th call of one kind below given folders fail, or records what is written there.
 *
 * The state is a file that all processes of the program map (FAULTS_STATE names it), so that calls are counted over all
 * of them. shim.py has the same layout. Calls are passed on by the system call where that is possible: libc's own
 * functions call each other without a way to get in between, so the functions of stdio are replaced as well. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
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
#include <unistd.h>

enum { WRITE, SYNC, RENAME, OPEN, UNLINK, READ, KINDS };

struct state {
  int32_t kind, nth, error, forever, failed, recording;
  int32_t counts[KINDS];
  char folders[4096]; /* separated by colons */
  char record[1024];  /* the file of the recording, outside of the folders */
};

static struct state *state;
static int log_fd = -1;

__attribute__((constructor)) static void start(void) {
  const char *name = getenv("FAULTS_STATE");
  int fd = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0) : -1;
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (map != MAP_FAILED) state = map;
}

/* -- which calls count ------------------------------------------------------------------------------------------- */

static int below(const char *path) {
  for (const char *from = state->folders; *from;) {
    const char *end = strchrnul(from, ':');
    size_t length = (size_t)(end - from);
    if (!strncmp(path, from, length) && (path[length] == '/' || !path[length])) return 1;
    from = *end ? end + 1 : end;
  }
  return 0;
}

static int fd_path(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static int full_path(int folder, const char *name, char *path) {
  if (name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
    return 1;
  }
  char start[PATH_MAX];
  if (folder == AT_FDCWD ? !getcwd(start, sizeof start) : !fd_path(folder, start)) return 0;
  if (snprintf(path, PATH_MAX, "%s/%s", start, name) >= PATH_MAX) return 0;
  return 1;
}

/* Count a call, and return whether it has to fail. */
static int fails(int kind) {
  int number = __sync_add_and_fetch(&state->counts[kind], 1);
  if (state->kind != kind || number < state->nth || (number > state->nth && !state->forever)) return 0;
  __sync_add_and_fetch(&state->failed, 1);
  errno = state->error;
  return 1;
}

static int fd_fails(int kind, int fd) {
  if (!state) return 0;
  int kept = errno;
  char path[PATH_MAX];
  if (fd_path(fd, path) && below(path)) return fails(kind);
  errno = kept;
  return 0;
}

static int path_fails(int kind, int folder, const char *name) {
  if (!state || !name) return 0;
  int kept = errno;
  char path[PATH_MAX];
  if (full_path(folder, name, path) && below(path)) return fails(kind);
  errno = kept;
  return 0;
}

/* -- the recording ------------------------------------------------------------------------------------------------ */

struct entry {
  char operation; /* Create, Write, Truncate, Sync, Rename, Link, Unlink, Mkdir, rmDir, Flush (of a folder) */
  char unused[7];
  uint64_t inode;
  int64_t offset;
  uint32_t first, second; /* bytes that follow: two paths, or data */
};

static void record(char operation, uint64_t inode, int64_t offset, const void *one, size_t first, const void *two,
                   size_t second) {
  int kept = errno;
  if (log_fd < 0)
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, state->record, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  struct entry entry = {operation, {0}, inode, offset, (uint32_t)first, (uint32_t)second};
  struct iovec parts[] = {{&entry, sizeof entry}, {(void *)one, first}, {(void *)two, second}};
  if (syscall(SYS_writev, log_fd, parts, 3) < 0) abort();
  errno = kept;
}

static int recorded(int fd, struct stat *about) {
  char path[PATH_MAX];
  return state && state->recording && fd_path(fd, path) && below(path) && !fstat(fd, about);
}

static void record_data(int fd, int64_t offset, const void *data, size_t length) {
  struct stat about;
  int kept = errno;
  if (recorded(fd, &about)) record('W', about.st_ino, offset, data, length, NULL, 0);
  errno = kept;
}

static int64_t position(int fd) {
  if (!state || !state->recording) return 0;
  struct stat about;
  int kept = errno;
  int64_t offset = lseek(fd, 0, SEEK_CUR);
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && flags & O_APPEND && !fstat(fd, &about)) offset = about.st_size;
  errno = kept;
  return offset;
}

static void record_names(char operation, int folder, const char *from, int to_folder, const char *to) {
  if (!state || !state->recording) return;
  char one[PATH_MAX], two[PATH_MAX] = "";
  struct stat about = {0};
  if (!full_path(folder, from, one) || (to && !full_path(to_folder, to, two))) return;
  if (!below(one) && !(to && below(two))) return;
  int kept = errno;
  if (lstat(to ? two : one, &about)) about.st_ino = 0; /* it is gone after unlink */
  record(operation, about.st_ino, 0, one, strlen(one), two, strlen(two));
  errno = kept;
}

/* -- files by descriptor ------------------------------------------------------------------------------------------ */

ssize_t write(int fd, const void *data, size_t length) {
  if (fd_fails(WRITE, fd)) return -1;
  int64_t offset = position(fd);
  ssize_t done = syscall(SYS_write, fd, data, length);
  if (done > 0) record_data(fd, offset, data, (size_t)done);
  return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  if (fd_fails(WRITE, fd)) return -1;
  ssize_t done = syscall(SYS_pwrite64, fd, data, length, offset);
  if (done > 0) record_data(fd, offset, data, (size_t)done);
  return done;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  ssize_t total = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = write(fd, parts[i].iov_base, parts[i].iov_len);
    if (done < 0) return total ? total : -1;
    total += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return total;
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t length) {
  if (fd_fails(READ, from) || fd_fails(WRITE, to)) return -1;
  char path[PATH_MAX];
  if (state && state->recording && fd_path(to, path) && below(path)) {
    errno = EINVAL; /* the caller then reads and writes, which can be recorded */
    return -1;
  }
  return syscall(SYS_sendfile, to, from, offset, length);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t length) { return sendfile64(to, from, offset, length); }

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
  if (fd_fails(READ, from) || fd_fails(WRITE, to)) return -1;
  char path[PATH_MAX];
  if (state && state->recording && fd_path(to, path) && below(path)) {
    errno = EXDEV;
    return -1;
  }
  return syscall(SYS_copy_file_range, from, from_at, to, to_at, length, flags);
}

int ftruncate64(int fd, off64_t length) {
  if (fd_fails(WRITE, fd)) return -1;
  int done = (int)syscall(SYS_ftruncate, fd, length);
  struct stat about;
  if (!done && recorded(fd, &about)) record('T', about.st_ino, length, NULL, 0, NULL, 0);
  return done;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  if (fd_fails(WRITE, fd)) return -1;
  return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
  return fallocate64(fd, 0, offset, length) ? errno : 0;
}
int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

static int synced(int fd, int done) {
  struct stat about;
  char path[PATH_MAX];
  if (!done && recorded(fd, &about) && fd_path(fd, path))
    record(S_ISDIR(about.st_mode) ? 'F' : 'S', about.st_ino, 0, path, strlen(path), NULL, 0);
  return done;
}
int fsync(int fd) { return fd_fails(SYNC, fd) ? -1 : synced(fd, (int)syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return fd_fails(SYNC, fd) ? -1 : synced(fd, (int)syscall(SYS_fdatasync, fd)); }

ssize_t read(int fd, void *data, size_t length) {
  return fd_fails(READ, fd) ? -1 : syscall(SYS_read, fd, data, length);
}
ssize_t pread64(int fd, void *data, size_t length, off64_t offset) {
  return fd_fails(READ, fd) ? -1 : syscall(SYS_pread64, fd, data, length, offset);
}
ssize_t pread(int fd, void *data, size_t length, off_t offset) { return pread64(fd, data, length, offset); }
ssize_t readv(int fd, const struct iovec *parts, int count) {
  return fd_fails(READ, fd) ? -1 : syscall(SYS_readv, fd, parts, count);
}

/* -- names -------------------------------------------------------------------------------------------------------- */

/* By descriptor: 1 if its file is elsewhere. To ask for its path at each call makes Tesseract read its models for minutes. */
static char elsewhere[1024];

static int open_at(int folder, const char *name, int flags, mode_t mode) {
  if (path_fails(OPEN, folder, name)) return -1;
  int fresh = 0;
  struct stat about;
  if (state && state->recording && flags & O_CREAT) {
    int kept = errno;
    fresh = fstatat(folder, name, &about, 0) != 0;
    errno = kept;
  }
  int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
  if (fd >= 0 && fd < (int)sizeof elsewhere) elsewhere[fd] = 0;
  if (fd >= 0 && recorded(fd, &about)) {
    char path[PATH_MAX];
    if (fresh && fd_path(fd, path)) record('C', about.st_ino, 0, path, strlen(path), NULL, 0);
    else if (flags & O_TRUNC) record('T', about.st_ino, 0, NULL, 0, NULL, 0);
  }
  return fd;
}

#define MODE(flags, after)                                       \
  mode_t mode = 0;                                               \
  if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
    va_list rest;                                                \
    va_start(rest, after);                                       \
    mode = va_arg(rest, mode_t);                                 \
    va_end(rest);                                                \
  }

int open(const char *name, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE(flags, flags) return open_at(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE(flags, flags) return open_at(folder, name, flags, mode); }
int creat(const char *name, mode_t mode) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

DIR *opendir(const char *name) {
  static DIR *(*next)(const char *);
  if (!next) next = dlsym(RTLD_NEXT, "opendir");
  return path_fails(OPEN, AT_FDCWD, name) ? NULL : next(name);
}

int mkdirat(int folder, const char *name, mode_t mode) {
  if (path_fails(OPEN, folder, name)) return -1;
  int done = (int)syscall(SYS_mkdirat, folder, name, mode);
  if (!done) record_names('M', folder, name, 0, NULL);
  return done;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  if (path_fails(RENAME, to_folder, to)) return -1;
  int done = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
  if (!done) record_names('R', from_folder, from, to_folder, to);
  return done;
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  return renameat2(from_folder, from, to_folder, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  if (path_fails(RENAME, to_folder, to)) return -1;
  int done = (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
  if (!done) record_names('L', from_folder, from, to_folder, to);
  return done;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *name, int flags) {
  if (path_fails(UNLINK, folder, name)) return -1;
  int done = (int)syscall(SYS_unlinkat, folder, name, flags);
  if (!done) record_names(flags & AT_REMOVEDIR ? 'D' : 'U', folder, name, 0, NULL);
  return done;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

/* -- stdio, which FAISS and NumPy write with ----------------------------------------------------------------------- */

static int file_fails(int kind, FILE *file) {
  int fd = fileno(file);
  return fd >= 0 && fd < (int)sizeof elsewhere && elsewhere[fd] ? 0 : fd_fails(kind, fd);
}

static FILE *open_file(const char *name, const char *mode, const char *function) {
  if (path_fails(OPEN, AT_FDCWD, name)) return NULL;
  FILE *(*next)(const char *, const char *) = dlsym(RTLD_NEXT, function);
  struct stat about;
  int fresh = state && state->recording && *mode != 'r' && stat(name, &about);
  FILE *file = next(name, mode);
  char full[PATH_MAX];
  int fd = file ? fileno(file) : -1;
  if (state && fd >= 0 && fd < (int)sizeof elsewhere) elsewhere[fd] = full_path(AT_FDCWD, name, full) && !below(full);
  if (file && recorded(fileno(file), &about)) {
    char path[PATH_MAX];
    if (fresh && fd_path(fileno(file), path)) record('C', about.st_ino, 0, path, strlen(path), NULL, 0);
    else if (*mode == 'w') record('T', about.st_ino, 0, NULL, 0, NULL, 0);
  }
  return file;
}
FILE *fopen(const char *name, const char *mode) { return open_file(name, mode, "fopen"); }
FILE *fopen64(const char *name, const char *mode) { return open_file(name, mode, "fopen64"); }

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
  static size_t (*next)(const void *, size_t, size_t, FILE *);
  if (!next) next = dlsym(RTLD_NEXT, "fwrite");
  if (file_fails(WRITE, file)) return 0;
  int64_t offset = state && state->recording ? ftell(file) : 0;
  size_t done = next(data, size, count, file);
  if (done) record_data(fileno(file), offset, data, done * size);
  return done;
}

size_t fread(void *data, size_t size, size_t count, FILE *file) {
  static size_t (*next)(void *, size_t, size_t, FILE *);
  if (!next) next = dlsym(RTLD_NEXT, "fread");
  return file_fails(READ, file) ? 0 : next(data, size, count, file);
}
