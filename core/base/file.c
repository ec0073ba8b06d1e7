/* file.c - see file.h.
 *
 * The key idea: one choke point for writes (hone_file_write_fd), where a full disk is injected, and
 * one way of replacing a file (a temporary beside it, fsync, rename, fsync of the folder). A name in
 * an error is always the target's, not the temporary's. Nothing here keeps state but the fault
 * counter. */
#include "base/file.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

enum { WRITER_ROOM = 1 << 18 };

/* ---- the choke point -------------------------------------------------------------------------- */

static _Atomic int64_t fault_left = -1;

void hone_file_fault_after(int64_t bytes)
{
    atomic_store(&fault_left, bytes);
}

#ifdef HONE_DEVELOPER
__attribute__((constructor)) static void read_fault(void)
{
    const char *z = getenv("HONE_FAULT_ENOSPC");
    if (z && *z)
        atomic_store(&fault_left, strtoll(z, NULL, 10));
}
#endif

/* How many of n bytes the injected disk still takes. */
static size_t room_on_disk(size_t n)
{
    int64_t left = atomic_load(&fault_left);
    while (left >= 0) {
        int64_t take = (uint64_t)left < n ? left : (int64_t)n;
        if (atomic_compare_exchange_weak(&fault_left, &left, left - take))
            return (size_t)take;
    }
    return n;
}

hone_status hone_file_write_fd(int fd, const void *p, size_t n, const char *path)
{
    const unsigned char *at = p;
    size_t allowed = room_on_disk(n), left = allowed;
    while (left > 0) {
        ssize_t k = write(fd, at, left < ((size_t)1 << 30) ? left : (size_t)1 << 30);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return hone_fail_errno("%s: cannot write", path);
        at += k;
        left -= (size_t)k;
    }
    if (allowed < n) {
        errno = ENOSPC;
        return hone_fail_errno("%s: cannot write", path);
    }
    return HONE_OK;
}

ssize_t hone__read_some(int fd, void *p, size_t n)
{
    ssize_t k;
    do
        k = read(fd, p, n < ((size_t)1 << 30) ? n : (size_t)1 << 30);
    while (k < 0 && errno == EINTR);
    return k;
}

_Thread_local int hone__open_at_work;

int hone__open_read(const char *path, int flags)
{
    hone__open_at_work = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    hone__open_at_work = 0;
    return fd;
}

/* ---- whole files ------------------------------------------------------------------------------ */

hone_status hone_file_read(const char *path, size_t max, hone_buf *out)
{
    hone_status s = HONE_OK;
    struct stat st;
    hone_buf b;
    hone_buf_init(&b, max < out->max ? max : out->max);
    int fd = hone__open_read(path, 0);
    if (fd < 0)
        return hone_fail_errno("%s", path);
    if (fstat(fd, &st) != 0) {
        s = hone_fail_errno("%s", path);
        goto done;
    }
    if (S_ISDIR(st.st_mode)) {
        s = hone_fail(HONE_E_IO, "%s: is a folder, not a file", path);
        goto done;
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > b.max)
        goto too_long;
    HONE_TRY_GOTO(hone_buf_reserve(&b, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0), done);
    for (;;) { /* the size may lie (pipes, /proc, a file that grows) */
        char piece[16384];
        int direct = b.cap - b.len > 1; /* room before the NUL */
        ssize_t k = direct ? hone__read_some(fd, b.ptr + b.len, b.cap - b.len - 1)
                           : hone__read_some(fd, piece, sizeof piece);
        if (k < 0) {
            s = hone_fail_errno("%s", path);
            goto done;
        }
        if (k == 0)
            break;
        if (direct) {
            b.len += (size_t)k;
            b.ptr[b.len] = 0;
        } else if ((size_t)k > b.max - b.len) {
            goto too_long;
        } else {
            HONE_TRY_GOTO(hone_buf_add(&b, piece, (size_t)k), done);
        }
    }
    if (out->len == 0 && out->failed == HONE_OK) { /* hand the memory over */
        size_t keep = out->max;
        hone_buf_release(out);
        *out = b;
        out->max = keep;
        hone_buf_init(&b, max);
    } else {
        s = hone_buf_add(out, b.ptr, b.len);
    }
done:
    hone_buf_release(&b);
    close(fd);
    return s;
too_long:
    s = hone_fail(HONE_E_LIMIT, "%s: longer than %zu bytes", path, b.max);
    goto done;
}

static atomic_uint temporaries;

/* path.tmp-<pid>-<n>: unique among processes and threads. */
static char *temporary_name(const char *path)
{
    hone_buf b;
    hone_buf_init(&b, 2 * PATH_MAX);
    hone_buf_addf(&b, "%s.tmp-%ld-%u", path, (long)getpid(), atomic_fetch_add(&temporaries, 1));
    char *z = hone_buf_detach(&b, NULL);
    hone_buf_release(&b);
    return z;
}

hone_status hone_fsync_dir(const char *path)
{
    int fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return hone_fail_errno("%s", path);
    hone_status s = HONE_OK;
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS) /* not every file system can */
        s = hone_fail_errno("%s", path);
    close(fd);
    return s;
}

/* Renames tmp to path and makes the name lasting. */
static hone_status put_in_place(const char *tmp, const char *path)
{
    char *dir = hone_path_dir(path);
    if (!dir)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    if (rename(tmp, path) != 0)
        s = hone_fail_errno("%s: cannot be replaced", path);
    else
        s = hone_fsync_dir(dir);
    hone_free(dir);
    return s;
}

hone_status hone_file_replace(const char *path, const void *p, size_t n)
{
    hone_writer w;
    HONE_TRY(hone_writer_create(&w, path));
    hone_status s = hone_writer_add(&w, p, n);
    if (s < 0) {
        hone_writer_abandon(&w);
        return s;
    }
    return hone_writer_close(&w);
}

hone_status hone_file_map(const char *path, hone_mapped *out)
{
    struct stat st;
    int fd = hone__open_read(path, 0);
    if (fd < 0)
        return hone_fail_errno("%s", path);
    hone_status s = HONE_OK;
    hone_mapped m = {NULL, 0};
    if (fstat(fd, &st) != 0) {
        s = hone_fail_errno("%s", path);
    } else if (!S_ISREG(st.st_mode)) {
        s = hone_fail(HONE_E_IO, "%s: is not a regular file", path);
    } else if ((uint64_t)st.st_size > SIZE_MAX) {
        s = hone_fail(HONE_E_LIMIT, "%s: too long to be mapped", path);
    } else if (st.st_size > 0) {
        m.len = (size_t)st.st_size;
        void *p = mmap(NULL, m.len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            s = hone_fail_errno("%s: cannot be mapped", path);
        m.ptr = p;
    }
    close(fd);
    if (s == HONE_OK)
        *out = m;
    return s;
}

void hone_file_unmap(hone_mapped *m)
{
    if (m->ptr)
        munmap((void *)(uintptr_t)m->ptr, m->len);
    m->ptr = NULL;
    m->len = 0;
}

void hone_file_forget(const void *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
              begin = ((uintptr_t)p + page - 1) / page * page,
              end = ((uintptr_t)p + n) / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* ---- the buffered writer ---------------------------------------------------------------------- */

static void writer_free(hone_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    hone_free(w->path);
    hone_free(w->tmp);
    hone_free(w->buf);
    memset(w, 0, sizeof *w);
    w->fd = -1;
    w->failed = HONE_E_STATE;
}

/* /dev/null, /dev/stdout, a pipe with a name: something to write to, which a file put in its place would take away. */
static int is_sink(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode));
}

static hone_status writer_open(hone_writer *w, const char *path, int append)
{
    hone_writer n = {.fd = -1};
    hone_status s = HONE_E_NOMEM;
    const int sink = !append && is_sink(path);
    n.path = hone_strdup(path);
    n.buf = hone_alloc(WRITER_ROOM);
    if (!append && !sink)
        n.tmp = temporary_name(path);
    if (!n.path || !n.buf || (!append && !sink && !n.tmp))
        goto fail;
    n.fd = append ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)
           : sink ? open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY)
                  : open(n.tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (n.fd < 0) {
        s = hone_fail_errno("%s: cannot be opened for writing", path);
        goto fail;
    }
    if (append) {
        off_t end = lseek(n.fd, 0, SEEK_END);
        if (end < 0) {
            s = hone_fail_errno("%s", path);
            goto fail;
        }
        n.written = (uint64_t)end;
    }
    *w = n;
    return HONE_OK;
fail:
    writer_free(&n);
    return s;
}

hone_status hone_writer_create(hone_writer *w, const char *path)
{
    return writer_open(w, path, 0);
}

hone_status hone_writer_append(hone_writer *w, const char *path)
{
    return writer_open(w, path, 1);
}

hone_status hone_writer_flush(hone_writer *w, int sync)
{
    if (w->failed)
        return w->failed;
    if (w->n) {
        w->failed = hone_file_write_fd(w->fd, w->buf, w->n, w->path);
        w->n = 0;
    }
    if (!w->failed && sync && fsync(w->fd) != 0 && errno != EINVAL && errno != EROFS)
        w->failed = hone_fail_errno("%s: cannot be made lasting", w->path);
    return w->failed;
}

hone_status hone_writer_add(hone_writer *w, const void *p, size_t n)
{
    if (w->failed)
        return w->failed;
    if (n == 0)
        return HONE_OK;
    if (n > WRITER_ROOM - w->n)
        HONE_TRY(hone_writer_flush(w, 0));
    if (n >= WRITER_ROOM) {
        w->failed = hone_file_write_fd(w->fd, p, n, w->path);
        if (w->failed)
            return w->failed;
    } else {
        memcpy(w->buf + w->n, p, n);
        w->n += n;
    }
    w->written += n;
    return HONE_OK;
}

hone_status hone_writer_close(hone_writer *w)
{
    hone_status s = hone_writer_flush(w, 1);
    if (s == HONE_OK) {
        int fd = w->fd;
        w->fd = -1;
        if (close(fd) != 0)
            s = hone_fail_errno("%s: cannot be closed", w->path);
    }
    if (s == HONE_OK && w->tmp)
        s = put_in_place(w->tmp, w->path);
    if (s < 0) {
        hone_writer_abandon(w);
        return s;
    }
    writer_free(w);
    return HONE_OK;
}

void hone_writer_abandon(hone_writer *w)
{
    if (w->tmp)
        unlink(w->tmp);
    writer_free(w);
}

/* ---- names and folders ------------------------------------------------------------------------ */

int hone_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

int hone_file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

hone_status hone_file_size(const char *path, uint64_t *out)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return hone_fail_errno("%s", path);
    if (!S_ISREG(st.st_mode))
        return hone_fail(HONE_E_IO, "%s: is not a regular file", path);
    *out = (uint64_t)st.st_size;
    return HONE_OK;
}

hone_status hone_mkdirs(const char *path)
{
    if (!*path)
        return hone_fail(HONE_E_INVALID, "a folder without a name cannot be made");
    char *z = hone_strdup(path);
    if (!z)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    for (char *p = z + 1;; p++) {
        if (*p != '/' && *p != 0)
            continue;
        char c = *p;
        *p = 0;
        if (mkdir(z, 0777) != 0 && !(errno == EEXIST && hone_file_is_dir(z))) {
            s = hone_fail_errno("%s: cannot be made", z);
            break;
        }
        *p = c;
        if (c == 0)
            break;
    }
    hone_free(z);
    return s;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    if (remove(path) != 0 && errno != ENOENT) {
        hone_fail_errno("%s: cannot be removed", path);
        return 1;
    }
    return 0;
}

hone_status hone_remove_tree(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? HONE_OK : hone_fail_errno("%s: cannot be removed", path);
    int r = nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    if (r > 0)
        return hone_error_get()->code;
    return r < 0 ? hone_fail_errno("%s: cannot be removed", path) : HONE_OK;
}

hone_status hone_file_truncate(const char *path, uint64_t size)
{
    if (size > INT64_MAX)
        return hone_fail(HONE_E_RANGE, "%s: cannot be cut to that length", path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return hone_fail_errno("%s", path);
    hone_status s = HONE_OK;
    if (ftruncate(fd, (off_t)size) != 0 || fsync(fd) != 0)
        s = hone_fail_errno("%s: cannot be cut", path);
    close(fd);
    return s;
}

hone_status hone_file_copy(const char *from, const char *to)
{
    hone_writer w;
    unsigned char *piece = NULL;
    int fd = hone__open_read(from, 0);
    if (fd < 0)
        return hone_fail_errno("%s", from);
    hone_status s = hone_writer_create(&w, to);
    if (s < 0)
        goto closed;
    piece = hone_alloc(WRITER_ROOM);
    if (!piece)
        s = HONE_E_NOMEM;
    while (s == HONE_OK) {
        ssize_t k = hone__read_some(fd, piece, WRITER_ROOM);
        if (k < 0)
            s = hone_fail_errno("%s", from);
        if (k <= 0)
            break;
        s = hone_writer_add(&w, piece, (size_t)k);
    }
    if (s < 0)
        hone_writer_abandon(&w);
    else
        s = hone_writer_close(&w);
    hone_free(piece);
closed:
    close(fd);
    return s;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void hone_names_free(char **names, size_t n)
{
    for (size_t i = 0; names && i < n; i++)
        hone_free(names[i]);
    hone_free(names);
}

hone_status hone_list_dir(const char *path, char ***names, size_t *n)
{
    char **list = NULL;
    size_t used = 0, cap = 0;
    hone_status s = HONE_OK;
    const int fd = hone__open_read(path, O_DIRECTORY);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        const hone_status none = hone_fail_errno("%s", path);
        if (fd >= 0)
            close(fd);
        return none;
    }
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            if (errno)
                s = hone_fail_errno("%s", path);
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (used == cap) {
            char **more = hone_reallocarray(list, cap ? cap * 2 : 16, sizeof *list);
            if (!more) {
                s = HONE_E_NOMEM;
                break;
            }
            list = more;
            cap = cap ? cap * 2 : 16;
        }
        list[used] = hone_strdup(e->d_name);
        if (!list[used]) {
            s = HONE_E_NOMEM;
            break;
        }
        used++;
    }
    closedir(d);
    if (s < 0) {
        hone_names_free(list, used);
        return s;
    }
    if (used)
        qsort(list, used, sizeof *list, compare_names);
    *names = list;
    *n = used;
    return HONE_OK;
}

char *hone_path_join(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b), total;
    if (b[0] == '/' || na == 0)
        return hone_strdup(b);
    while (na > 1 && a[na - 1] == '/')
        na--;
    int slash = a[na - 1] != '/';
    if (!hone_add_size(na, nb, &total) || !hone_add_size(total, 2, &total))
        return NULL;
    char *z = hone_alloc(total);
    if (!z)
        return NULL;
    memcpy(z, a, na);
    if (slash)
        z[na] = '/';
    memcpy(z + na + slash, b, nb + 1);
    return z;
}

const char *hone_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *hone_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return hone_strdup(".");
    return hone_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}
