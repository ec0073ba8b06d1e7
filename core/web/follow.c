/* follow.c - see follow.h. */
#include "web/follow.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 1 << 20, LINE_MAX_BYTES = 1 << 26 };

hone_status hone__follow_open(hone__follow *f, const char *path)
{
    memset(f, 0, sizeof *f);
    f->path = hone_strdup(path);
    return f->path ? HONE_OK : HONE_E_NOMEM;
}

void hone__follow_release(hone__follow *f)
{
    hone__web_table_release(&f->table);
    hone_free(f->path);
    memset(f, 0, sizeof *f);
}

/* At most n bytes from `from` on; *got 0 at the end. */
static hone_status read_at(int fd, const char *path, uint64_t from, char *to, size_t n, size_t *got)
{
    ssize_t k;
    do
        k = pread(fd, to, n, (off_t)from);
    while (k < 0 && errno == EINTR);
    if (k < 0)
        return hone_fail_errno("cannot read %s", path);
    *got = (size_t)k;
    return HONE_OK;
}

/* Is the line that was read last still where it stood? */
static hone_status unchanged(const hone__follow *f, int fd, hone_buf *room, int *yes)
{
    const size_t n = (size_t)(f->at - f->last_from);
    size_t got = 0;
    *yes = f->at == 0;
    if (*yes)
        return HONE_OK;
    hone_buf_clear(room);
    HONE_TRY(hone_buf_reserve(room, n));
    HONE_TRY(read_at(fd, f->path, f->last_from, room->ptr, n, &got));
    *yes = got == n && hone_xxh64(room->ptr, n, 0) == f->last_hash;
    return HONE_OK;
}

static hone_status take_line(hone__follow *f, hone_arena *a, const char *p, size_t n)
{
    hone_value row;
    hone_arena_clear(a);
    hone_status s = hone_json_parse(p, n, NULL, a, &row);
    if (s >= 0)
        s = hone__web_table_add(&f->table, &row);
    if (s == HONE_E_NOMEM)
        return s;
    f->passed_over += s < 0;
    return HONE_OK;
}

static hone_status read_more(hone__follow *f, int fd, hone_buf *b)
{
    hone_arena a;
    hone_status s = HONE_OK;
    hone_arena_init(&a, 0);
    hone_buf_clear(b);
    for (size_t done = 0; s >= 0;) { /* lines up to `done` are in the table */
        size_t got = 0;
        if (b->len - done > LINE_MAX_BYTES) {
            s = hone_fail(HONE_E_LIMIT, "%s: a line is longer than %d bytes", f->path,
                          LINE_MAX_BYTES);
            break;
        }
        if (done) { /* what is left goes to the front */
            memmove(b->ptr, b->ptr + done, b->len - done);
            b->len -= done;
            done = 0;
        }
        s = hone_buf_reserve(b, ROOM);
        if (s >= 0)
            s = read_at(fd, f->path, f->at + b->len, b->ptr + b->len, ROOM, &got);
        if (s < 0 || got == 0)
            break;
        b->len += got;
        for (const char *nl; s >= 0 && (nl = memchr(b->ptr + done, '\n', b->len - done));) {
            const size_t n = (size_t)(nl - (b->ptr + done));
            s = take_line(f, &a, b->ptr + done, n);
            f->last_hash = hone_xxh64(b->ptr + done, n + 1, 0);
            f->last_from = f->at;
            f->at += n + 1;
            done += n + 1;
        }
    }
    hone_arena_release(&a);
    return s;
}

hone_status hone__follow_look(hone__follow *f, size_t *fresh)
{
    hone_buf room;
    int same = 0;
    *fresh = 0;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? HONE_OK : hone_fail_errno("cannot read %s", f->path);
    hone_buf_init(&room, (size_t)1 << 28);
    const double before = f->table.n_rows ? f->table.step[f->table.n_rows - 1] : -1;
    hone_status s = unchanged(f, fd, &room, &same);
    if (s >= 0 && !same) {
        hone__web_table_release(&f->table);
        f->at = f->last_from = f->last_hash = 0;
        f->passed_over = 0;
        f->anew++;
    }
    if (s >= 0)
        s = read_more(f, fd, &room);
    close(fd);
    hone_buf_release(&room);
    for (size_t i = f->table.n_rows; i > 0 && f->table.step[i - 1] > before; i--)
        (*fresh)++;
    return s;
}
