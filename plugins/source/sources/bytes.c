/* bytes.c - reads a file as a stream of bytes, through gzip or zstd where its magic says so.
 *
 * Several gzip members or zstd frames in a row are one stream. A stream that is cut off, or has other
 * bytes behind its end, is an error: never a short file without a word. Seeking in a compressed file
 * starts over and reads up to the place. What DuckDB reads comes through a pipe from that program, started
 * without a shell and waited for. A bomb is given up at 512 MiB. Memory: two fixed buffers and the decompressor's own.
 * Sources: RFC 1952 (gzip), RFC 8878 (zstd). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2, memfd_create */
#endif
#include "rows.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

enum { IN_SIZE = 128 * 1024, HEAD = 4096 };
enum { PLAIN, GZIP, ZSTD };

struct bytes {
    memory mem;
    int fd, kind;
    int ended; /* the decompressor stands at the end of a member or frame */
    int eof;   /* the file has no more bytes */
    uint64_t size, fingerprint;
    uint64_t taken, given; /* bytes of the file, bytes unpacked from them */
    const char *path;      /* borrowed */
    pid_t child;           /* a program that writes the bytes, or 0 */
    int child_errors;      /* what it says */
    int child_failed;      /* it has ended badly: said at every read */
    size_t in_begin, in_end;
#ifdef HAVE_ZLIB
    z_stream z;
#endif
#ifdef HAVE_ZSTD
    ZSTD_DStream *zstd;
#endif
    unsigned char in[IN_SIZE];
};

static int fail(int code, char *err, size_t n, const char *path, const char *what)
{
    snprintf(err, n, "%s: %s", path, what);
    return code;
}

static int read_some(int fd, void *to, size_t n, size_t *got)
{
    ssize_t r;
    do
        r = read(fd, to, n);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return errno;
    *got = (size_t)r;
    return 0;
}

static int start(bytes *b, char *err, size_t n)
{
    b->ended = 1;
    b->eof = 0;
    b->in_begin = b->in_end = 0;
    b->taken = b->given = 0;
    if (lseek(b->fd, 0, SEEK_SET) != 0)
        return fail(errno, err, n, b->path, strerror(errno));
#ifdef HAVE_ZLIB
    if (b->kind == GZIP && inflateReset(&b->z) != Z_OK)
        return fail(EIO, err, n, b->path, "gzip: cannot start over");
#endif
#ifdef HAVE_ZSTD
    if (b->kind == ZSTD && ZSTD_isError(ZSTD_DCtx_reset(b->zstd, ZSTD_reset_session_only)))
        return fail(EIO, err, n, b->path, "zstd: cannot start over");
#endif
    return 0;
}

/* Fingerprint and kind from the first bytes. */
static int look(bytes *b, char *err, size_t n)
{
    unsigned char head[HEAD];
    size_t have = 0, got = 1;
    while (have < HEAD && got > 0) {
        int e = read_some(b->fd, head + have, HEAD - have, &got);
        if (e)
            return fail(e, err, n, b->path, strerror(e));
        have += got;
    }
    b->fingerprint = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < have; i++)
        b->fingerprint = (b->fingerprint ^ head[i]) * 1099511628211u;
    b->kind = PLAIN;
    if (have >= 2 && head[0] == 0x1F && head[1] == 0x8B)
        b->kind = GZIP;
    if (have >= 4 && head[0] == 0x28 && head[1] == 0xB5 && head[2] == 0x2F && head[3] == 0xFD)
        b->kind = ZSTD;
#ifdef HAVE_ZLIB
    if (b->kind == GZIP && inflateInit2(&b->z, 15 + 16) != Z_OK)
        return fail(ENOMEM, err, n, b->path, "gzip: out of memory");
#else
    if (b->kind == GZIP)
        return fail(ENOTSUP, err, n, b->path, "is gzip, and this build has no zlib");
#endif
#ifdef HAVE_ZSTD
    if (b->kind == ZSTD) {
        b->zstd = ZSTD_createDStream();
        if (!b->zstd)
            return fail(ENOMEM, err, n, b->path, "zstd: out of memory");
    }
#else
    if (b->kind == ZSTD)
        return fail(ENOTSUP, err, n, b->path, "is zstd, and this build has no libzstd");
#endif
    return 0;
}

int bytes_open(const memory *mem, const char *path, bytes **out, char *err, size_t err_size)
{
    struct stat st;
    int e;
    bytes *b = memory_resize(mem, NULL, 0, sizeof *b);
    if (!b)
        return fail(ENOMEM, err, err_size, path, "out of memory");
    memset(b, 0, offsetof(bytes, in));
    b->mem = *mem;
    b->path = path;
    b->child_errors = -1;
    b->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (b->fd < 0 || fstat(b->fd, &st) != 0) {
        e = fail(errno, err, err_size, path, strerror(errno));
        goto failed;
    }
    if (!S_ISREG(st.st_mode)) {
        e = fail(EINVAL, err, err_size, path,
                 S_ISDIR(st.st_mode) ? "is a folder" : "is not a regular file");
        goto failed;
    }
    b->size = (uint64_t)st.st_size;
    e = look(b, err, err_size);
    if (!e)
        e = start(b, err, err_size);
    if (!e) {
        *out = b;
        return 0;
    }
failed:
    bytes_close(b);
    return e;
}

void bytes_close(bytes *b)
{
    memory mem;
    if (!b)
        return;
#ifdef HAVE_ZLIB
    if (b->kind == GZIP)
        inflateEnd(&b->z);
#endif
#ifdef HAVE_ZSTD
    ZSTD_freeDStream(b->zstd);
#endif
    if (b->fd >= 0)
        close(b->fd);
    if (b->child > 0) {
        kill(b->child, SIGKILL);
        while (waitpid(b->child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (b->child_errors >= 0)
        close(b->child_errors);
    mem = b->mem;
    memory_resize(&mem, b, sizeof *b, 0);
}

static int refill(bytes *b, char *err, size_t n)
{
    int e;
    size_t got = 0;
    if (b->in_begin < b->in_end || b->eof)
        return 0;
    e = read_some(b->fd, b->in, IN_SIZE, &got);
    if (e)
        return fail(e, err, n, b->path, strerror(e));
    b->in_begin = 0;
    b->in_end = got;
    b->eof = got == 0;
    b->taken += got;
    return 0;
}

#ifdef HAVE_ZLIB
static int read_gzip(bytes *b, void *to, size_t n, size_t *got, char *err, size_t en)
{
    b->z.next_out = to;
    b->z.avail_out = n > 1u << 30 ? 1u << 30 : (uInt)n;
    n = b->z.avail_out;
    while (b->z.avail_out == n) {
        int r, e = refill(b, err, en);
        if (e)
            return e;
        if (b->eof && b->ended)
            break;
        if (b->eof)
            return fail(EINVAL, err, en, b->path, "gzip data is cut off");
        if (b->ended && inflateReset(&b->z) != Z_OK)
            return fail(EIO, err, en, b->path, "gzip: cannot go on to the next member");
        b->ended = 0;
        b->z.next_in = b->in + b->in_begin;
        b->z.avail_in = (uInt)(b->in_end - b->in_begin);
        r = inflate(&b->z, Z_NO_FLUSH);
        b->in_begin = b->in_end - b->z.avail_in;
        if (r == Z_STREAM_END)
            b->ended = 1;
        else if (r == Z_MEM_ERROR)
            return fail(ENOMEM, err, en, b->path, "gzip: out of memory");
        else if (r != Z_OK && r != Z_BUF_ERROR)
            return fail(EINVAL, err, en, b->path, "gzip data is damaged");
    }
    *got = n - b->z.avail_out;
    return 0;
}
#endif

#ifdef HAVE_ZSTD
static int read_zstd(bytes *b, void *to, size_t n, size_t *got, char *err, size_t en)
{
    ZSTD_outBuffer o = {to, n, 0};
    while (o.pos == 0) {
        ZSTD_inBuffer i;
        size_t r;
        int e = refill(b, err, en);
        if (e)
            return e;
        if (b->eof && b->ended)
            break;
        i.src = b->in + b->in_begin;
        i.size = b->in_end - b->in_begin;
        i.pos = 0;
        r = ZSTD_decompressStream(b->zstd, &o, &i);
        if (ZSTD_isError(r))
            return fail(EINVAL, err, en, b->path, "zstd data is damaged");
        if (b->eof && o.pos == 0 && r != 0)
            return fail(EINVAL, err, en, b->path, "zstd data is cut off");
        b->in_begin += i.pos;
        b->ended = r == 0;
    }
    *got = o.pos;
    return 0;
}
#endif

static int program_failed(const bytes *b, char *err, size_t n)
{
    char said[800];
    ssize_t len = pread(b->child_errors, said, sizeof said - 1, 0);
    said[len > 0 ? len : 0] = 0;
    for (char *c = said; *c; c++)
        if ((unsigned char)*c < 32)
            *c = ' ';
    snprintf(err, n, "%s: DuckDB: %s", b->path, said[0] ? said : "it ended without a word");
    return EINVAL;
}

/* The program has closed its output: how did it end? */
static int program_ended(bytes *b, char *err, size_t n)
{
    int status = 0;
    pid_t p;
    do
        p = waitpid(b->child, &status, 0);
    while (p < 0 && errno == EINTR);
    b->child = 0;
    b->child_failed = !(p > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return b->child_failed ? program_failed(b, err, n) : 0;
}

/* A bomb: text does not pack to a 500th; small files may. */
static int too_tight(bytes *b, size_t got, char *err, size_t n)
{
    b->given += got;
    if (b->given < (uint64_t)512 << 20 || b->given / 500 < b->taken)
        return 0;
    return fail(EFBIG, err, n, b->path, "unpacks to more than 500 times its size");
}

int bytes_read(bytes *b, void *to, size_t n, size_t *got, char *err, size_t err_size)
{
    *got = 0;
    if (n == 0)
        return 0;
#ifdef HAVE_ZLIB
    if (b->kind == GZIP) {
        int e = read_gzip(b, to, n, got, err, err_size);
        return e ? e : too_tight(b, *got, err, err_size);
    }
#endif
#ifdef HAVE_ZSTD
    if (b->kind == ZSTD) {
        int e = read_zstd(b, to, n, got, err, err_size);
        return e ? e : too_tight(b, *got, err, err_size);
    }
#endif
    if (b->child_failed)
        return program_failed(b, err, err_size);
    int e = read_some(b->fd, to, n, got);
    if (!e && *got == 0 && b->child > 0)
        return program_ended(b, err, err_size);
    return e ? fail(e, err, err_size, b->path, strerror(e)) : 0;
}

int bytes_seek(bytes *b, uint64_t offset, char *err, size_t err_size)
{
    int e;
    if (b->kind == PLAIN) {
        if (offset > b->size)
            return fail(EINVAL, err, err_size, b->path, "the position lies past the end");
        return lseek(b->fd, (off_t)offset, SEEK_SET) < 0
                   ? fail(errno, err, err_size, b->path, strerror(errno))
                   : 0;
    }
    e = start(b, err, err_size);
    while (!e && offset > 0) {
        char waste[16384];
        size_t n = offset < sizeof waste ? (size_t)offset : sizeof waste, got;
        e = bytes_read(b, waste, n, &got, err, err_size);
        if (!e && got == 0)
            return fail(EINVAL, err, err_size, b->path, "the position lies past the end");
        offset -= e ? 0 : got;
    }
    return e;
}

uint64_t bytes_file_size(const bytes *b)
{
    return b->size;
}
uint64_t bytes_fingerprint(const bytes *b)
{
    return b->fingerprint;
}
const char *bytes_kind(const bytes *b)
{
    return b->kind == GZIP ? "gzip" : b->kind == ZSTD ? "zstd" : "plain";
}

/* ---- the DuckDB program --------------------------------------------------------------------------------- */

/* The program's file: as given, else $HONE_DUCKDB, else the first "duckdb" of PATH. 0: there is none. */
static int find_program(const char *given, char *out, size_t n)
{
    const char *env = getenv("HONE_DUCKDB"), *p = getenv("PATH");
    if (!*given && env && *env)
        given = env;
    if (*given)
        return snprintf(out, n, "%s", given) < (int)n && access(out, X_OK) == 0;
    while (p && *p) {
        size_t len = strcspn(p, ":");
        if (len && snprintf(out, n, "%.*s/duckdb", (int)len, p) < (int)n && access(out, X_OK) == 0)
            return 1;
        p += len + (p[len] == ':');
    }
    return 0;
}

/* The name in SQL quotes: each of them inside is doubled. */
static void put_quoted(FILE *f, const char *s, char quote)
{
    putc(quote, f);
    for (; *s; s++) {
        if (*s == quote)
            putc(quote, f);
        putc(*s, f);
    }
    putc(quote, f);
}

static char *write_sql(const char *path, const options *opt, uint64_t offset)
{
    const char *query = opt->query, *table = opt->table;
    uint64_t limit = (uint64_t)opt->limit;
    char *sql = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&sql, &n);
    if (!f)
        return NULL;
    fputs("SET threads=1; SET memory_limit='1GB'; SET autoinstall_known_extensions=false; "
          "COPY (SELECT ",
          f);
    fputs(opt->wanted ? opt->wanted : "*", f);
    fputs(" FROM ", f);
    if (*query)
        fprintf(f, "(%s)", query);
    else if (*table)
        put_quoted(f, table, '"');
    else
        put_quoted(f, path, '\'');
    if (opt->limit >= 0)
        fprintf(f, " LIMIT %llu", (unsigned long long)(limit > offset ? limit - offset : 0));
    if (offset)
        fprintf(f, " OFFSET %llu", (unsigned long long)offset);
    fputs(") TO '/dev/stdout' (FORMAT json);", f);
    if (fclose(f) != 0) {
        free(sql);
        return NULL;
    }
    return sql;
}

static int start_program(bytes *b, const char *program, char *const *argv, char *err, size_t n)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int ends[2], e;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(errno, err, n, b->path, strerror(errno));
    b->fd = ends[0];
    b->child_errors = memfd_create("duckdb", MFD_CLOEXEC);
    e = b->child_errors < 0 ? errno : posix_spawn_file_actions_init(&actions);
    if (!e) {
        e = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        e = e ? e : posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        e = e ? e : posix_spawn_file_actions_adddup2(&actions, b->child_errors, 2);
        e = e ? e : posix_spawn(&b->child, program, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (e) {
        b->child = 0;
        snprintf(err, n, "%s: %s: %s", b->path, program, strerror(e));
    }
    return e;
}

int bytes_query(const memory *mem, const char *path, const options *opt, uint64_t offset,
                bytes **out, char *err, size_t err_size)
{
    char file[4096];
    int e;
    if (!find_program(opt->program, file, sizeof file)) {
        snprintf(err, err_size,
                 "%s: the DuckDB program reads this, and it is not installed (pip install "
                 "duckdb-cli, or the system's package; HONE_DUCKDB names the file)",
                 path);
        return ENOTSUP;
    }
    bytes *b = memory_resize(mem, NULL, 0, sizeof *b);
    char *sql = write_sql(path, opt, offset);
    if (!b || !sql) {
        free(sql);
        memory_resize(mem, b, b ? sizeof *b : 0, 0);
        return fail(ENOMEM, err, err_size, path, "out of memory");
    }
    memset(b, 0, offsetof(bytes, in));
    b->mem = *mem;
    b->path = path;
    b->fd = b->child_errors = -1;
    /* a database is opened, never written; other files are read into one in memory */
    char no_init[] = "-no-init", in_batch[] = "-batch", bail[] = "-bail", command[] = "-c",
         in_memory[] = ":memory:", readonly[] = "-readonly";
    char *argv[12] = {file, no_init, in_batch, bail}, *name = strdup(path);
    int k = 4;
    if (*opt->table) {
        argv[k++] = readonly;
        argv[k++] = name;
    } else {
        argv[k++] = in_memory;
    }
    argv[k++] = command;
    argv[k++] = sql;
    argv[k] = NULL;
    e = name ? start_program(b, file, argv, err, err_size)
             : fail(ENOMEM, err, err_size, path, "out of memory");
    free(name);
    free(sql);
    if (e) {
        bytes_close(b);
        return e;
    }
    *out = b;
    return 0;
}
