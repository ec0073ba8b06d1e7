/* sorter.c - see sorter.h.
 *
 * A run in memory is sorted by its first word with a radix sort of sixteen bits a pass (the word is mostly a hash, or a number), and what is
 * equal there by insertion or qsort. A merge is a heap of the runs' heads. A run's file: its records, one behind the other, in the
 * machine's order of bytes. */
#include "curate/sorter.h"

#include "base/alloc.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MEMORY = 32 << 20, FAN = 32, LEVELS = 8, READ_ROOM = 1 << 16 };

typedef struct run_reader {
    int fd; /* -1: the records in memory */
    char *path;
    unsigned char *buf;
    size_t at, end; /* in buf, bytes */
    const uint64_t *mem, *mem_end;
    uint64_t head[HONE_SORTER_WORDS];
} run_reader;

struct hone_sorter {
    char *dir, *name;
    size_t words, bytes, n, cap; /* of a record; records in memory */
    uint64_t *v, *spare;
    uint64_t first[LEVELS],
        level[LEVELS];      /* the runs of each level: number of the first, how many */
    uint64_t noted[LEVELS]; /* `first` when it was noted last: what is before may go */
    run_reader *heap;       /* while it is read */
    size_t n_heap, cap_heap;
    int reading, memory_sorted;
    uint64_t out[HONE_SORTER_WORDS];
};

/* ---- order -------------------------------------------------------------------------------------------------------- */

static int compare(const uint64_t *a, const uint64_t *b, size_t words)
{
    for (size_t i = 0; i < words; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static int compare1(const void *a, const void *b)
{
    return compare(a, b, 1);
}
static int compare2(const void *a, const void *b)
{
    return compare(a, b, 2);
}
static int compare3(const void *a, const void *b)
{
    return compare(a, b, 3);
}
static int compare4(const void *a, const void *b)
{
    return compare(a, b, 4);
}

/* One stable pass by 16 bits of the first word; 0 when all are in one bucket already. */
static int radix_pass(const hone_sorter *s, const uint64_t *from, uint64_t *to, unsigned shift,
                      size_t *count)
{
    memset(count, 0, (1 << 16) * sizeof *count);
    for (size_t i = 0; i < s->n; i++)
        count[from[i * s->words] >> shift & 0xFFFF]++;
    if (count[from[0] >> shift & 0xFFFF] == s->n)
        return 0;
    size_t sum = 0;
    for (size_t b = 0; b < 1 << 16; b++) {
        size_t n = count[b];
        count[b] = sum;
        sum += n;
    }
    for (size_t i = 0; i < s->n; i++) {
        const uint64_t *r = from + i * s->words;
        memcpy(to + count[r[0] >> shift & 0xFFFF]++ * s->words, r, s->bytes);
    }
    return 1;
}

static hone_status sort_memory(hone_sorter *s)
{
    static int (*const by[])(const void *, const void *) = {compare1, compare2, compare3, compare4};
    if (s->memory_sorted || s->n < 2)
        return HONE_OK;
    if (s->n < 4096) {
        qsort(s->v, s->n, s->bytes, by[s->words - 1]);
        s->memory_sorted = 1;
        return HONE_OK;
    }
    size_t *count = hone_calloc(1 << 16, sizeof *count);
    if (!s->spare)
        s->spare = hone_reallocarray(NULL, s->cap, s->bytes);
    if (!count || !s->spare) {
        hone_free(count);
        return HONE_E_NOMEM;
    }
    for (unsigned shift = 0; shift < 64; shift += 16)
        if (radix_pass(s, s->v, s->spare, shift, count)) {
            uint64_t *other = s->v;
            s->v = s->spare;
            s->spare = other;
        }
    hone_free(count);
    for (size_t i = 0; i < s->n;) { /* the words behind the first */
        size_t k = i + 1;
        while (k < s->n && s->v[k * s->words] == s->v[i * s->words])
            k++;
        if (k - i > 1 && s->words > 1)
            qsort(s->v + i * s->words, k - i, s->bytes, by[s->words - 1]);
        i = k;
    }
    s->memory_sorted = 1;
    return HONE_OK;
}

/* ---- runs --------------------------------------------------------------------------------------------------------- */

static char *run_path(const hone_sorter *s, size_t level, uint64_t number)
{
    char name[80];
    snprintf(name, sizeof name, "%.40s.%zu.%llu", s->name, level, (unsigned long long)number);
    return hone_path_join(s->dir, name);
}

static void close_reader(run_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    hone_free(r->path);
    hone_free(r->buf);
}

static void close_heap(hone_sorter *s)
{
    for (size_t i = 0; i < s->n_heap; i++)
        close_reader(&s->heap[i]);
    s->n_heap = 0;
    s->reading = 0;
}

/* The reader's next record into its head: 1, or 0. */
static hone_status advance(const hone_sorter *s, run_reader *r)
{
    if (r->fd < 0) {
        if (r->mem == r->mem_end)
            return 0;
        memcpy(r->head, r->mem, s->bytes);
        r->mem += s->words;
        return 1;
    }
    if (r->end - r->at < s->bytes) {
        memmove(r->buf, r->buf + r->at, r->end - r->at);
        r->end -= r->at;
        r->at = 0;
        ssize_t n;
        do {
            n = hone__read_some(r->fd, r->buf + r->end, READ_ROOM - r->end);
            if (n < 0)
                return hone_fail_errno("%s", r->path);
            r->end += (size_t)n;
        } while (n > 0 && r->end < s->bytes);
        if (r->end == 0)
            return 0;
        if (r->end < s->bytes)
            return hone_fail(HONE_E_PARSE, "%s: it ends within a record", r->path);
    }
    memcpy(r->head, r->buf + r->at, s->bytes);
    r->at += s->bytes;
    return 1;
}

static void sift(hone_sorter *s, size_t i)
{
    for (;;) {
        size_t least = i, l = 2 * i + 1, k = l + 1;
        if (l < s->n_heap && compare(s->heap[l].head, s->heap[least].head, s->words) < 0)
            least = l;
        if (k < s->n_heap && compare(s->heap[k].head, s->heap[least].head, s->words) < 0)
            least = k;
        if (least == i)
            return;
        run_reader t = s->heap[i];
        s->heap[i] = s->heap[least];
        s->heap[least] = t;
        i = least;
    }
}

static hone_status add_reader(hone_sorter *s, run_reader *r)
{
    hone_status st = HONE_OK;
    if (s->n_heap == s->cap_heap) {
        size_t cap = s->cap_heap ? 2 * s->cap_heap : FAN;
        run_reader *grown = hone_reallocarray(s->heap, cap, sizeof *grown);
        if (grown) {
            s->heap = grown;
            s->cap_heap = cap;
        } else {
            st = HONE_E_NOMEM;
        }
    }
    if (st >= 0)
        st = advance(s, r);
    if (st <= 0) {
        close_reader(r);
        return st;
    }
    s->heap[s->n_heap++] = *r;
    return HONE_OK;
}

static hone_status add_file(hone_sorter *s, size_t level, uint64_t number)
{
    run_reader r = {.fd = -1};
    r.path = run_path(s, level, number);
    r.buf = hone_alloc(READ_ROOM);
    if (!r.path || !r.buf) {
        close_reader(&r);
        return HONE_E_NOMEM;
    }
    r.fd = open(r.path, O_RDONLY | O_CLOEXEC);
    if (r.fd < 0) {
        hone_status st = hone_fail_errno("%s", r.path);
        close_reader(&r);
        return st;
    }
    return add_reader(s, &r);
}

static hone_status next_of_heap(hone_sorter *s, uint64_t *out)
{
    if (s->n_heap == 0)
        return 0;
    memcpy(out, s->heap[0].head, s->bytes);
    hone_status st = advance(s, &s->heap[0]);
    if (st < 0)
        return st;
    if (st == 0) {
        close_reader(&s->heap[0]);
        s->heap[0] = s->heap[--s->n_heap];
    }
    sift(s, 0);
    return 1;
}

/* All FAN runs of a level into one of the next. */
static hone_status merge_level(hone_sorter *s, size_t level)
{
    hone_writer w;
    uint64_t record[HONE_SORTER_WORDS];
    char *path = run_path(s, level + 1, s->first[level + 1] + s->level[level + 1]);
    if (!path)
        return HONE_E_NOMEM;
    hone_status st = hone_writer_create(&w, path);
    const int open = st >= 0;
    for (uint64_t i = 0; st >= 0 && i < s->level[level]; i++)
        st = add_file(s, level, s->first[level] + i);
    for (size_t i = s->n_heap / 2; i-- > 0;)
        sift(s, i);
    while (st >= 0 && (st = next_of_heap(s, record)) > 0)
        st = hone_writer_add(&w, record, s->bytes);
    close_heap(s);
    if (st >= 0)
        st = hone_writer_close(&w);
    else if (open)
        hone_writer_abandon(&w);
    hone_free(path);
    if (st < 0)
        return st;
    s->level[level + 1]++;
    s->first[level] +=
        s->level[level]; /* numbers are not used again: the journal may still mean these */
    s->level[level] = 0;
    return HONE_OK;
}

static hone_status remove_others(hone_sorter *s)
{
    char **names;
    size_t n;
    const size_t len = strlen(s->name);
    HONE_TRY(hone_list_dir(s->dir, &names, &n));
    hone_status st = HONE_OK;
    for (size_t i = 0; i < n && st >= 0; i++) {
        unsigned level;
        unsigned long long number;
        char more;
        if (strncmp(names[i], s->name, len) != 0 || names[i][len] != '.')
            continue;
        if (sscanf(names[i] + len, ".%u.%llu%c", &level, &number, &more) == 2 && level < LEVELS &&
            number >= s->noted[level] && number < s->first[level] + s->level[level])
            continue;
        char *path = hone_path_join(s->dir, names[i]);
        st = path ? hone_remove_tree(path) : HONE_E_NOMEM;
        hone_free(path);
    }
    hone_names_free(names, n);
    return st;
}

hone_status hone_sorter_flush(hone_sorter *s)
{
    if (s->n == 0)
        return HONE_OK;
    HONE_TRY(remove_others(s));
    HONE_TRY(sort_memory(s));
    char *path = run_path(s, 0, s->first[0] + s->level[0]);
    if (!path)
        return HONE_E_NOMEM;
    hone_status st = hone_file_replace(path, s->v, s->n * s->bytes);
    hone_free(path);
    if (st < 0)
        return st;
    s->level[0]++;
    s->n = 0;
    s->memory_sorted = 0;
    for (size_t level = 0; level + 1 < LEVELS && s->level[level] == FAN; level++)
        HONE_TRY(merge_level(s, level));
    return HONE_OK;
}

/* ---- all ---------------------------------------------------------------------------------------------------------- */

hone_status hone_sorter_open(const char *dir, const char *name, size_t words, size_t memory,
                             const hone_value *state, hone_sorter **out)
{
    hone_sorter *s = hone_calloc(1, sizeof *s);
    if (!s)
        return HONE_E_NOMEM;
    s->words = words;
    s->bytes = words * sizeof(uint64_t);
    s->cap = (memory ? memory : MEMORY) / s->bytes;
    s->cap = s->cap < 64 ? 64 : s->cap;
    s->dir = hone_strdup(dir);
    s->name = hone_strdup(name);
    hone_status st = s->dir && s->name ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; st >= 0 && state && i < 2 * LEVELS; i++) {
        if (state->type != HONE_LIST || state->u.list.n != 2 * LEVELS ||
            state->u.list.items[i].type != HONE_I64 || state->u.list.items[i].u.i64 < 0 ||
            state->u.list.items[i].u.i64 > INT32_MAX)
            st = hone_fail(HONE_E_STATE, "the journal of the step names no runs of \"%s\"", name);
        else if (i < LEVELS)
            s->first[i] = s->noted[i] = (uint64_t)state->u.list.items[i].u.i64;
        else
            s->level[i - LEVELS] = (uint64_t)state->u.list.items[i].u.i64;
    }
    if (st >= 0)
        st = remove_others(s);
    if (st < 0) {
        hone_sorter_close(s);
        return st;
    }
    *out = s;
    return HONE_OK;
}

void hone_sorter_close(hone_sorter *s)
{
    if (!s)
        return;
    close_heap(s);
    hone_free(s->heap);
    hone_free(s->v);
    hone_free(s->spare);
    hone_free(s->dir);
    hone_free(s->name);
    hone_free(s);
}

hone_status hone_sorter_add(hone_sorter *s, const uint64_t *record)
{
    if (!s->v) {
        s->v = hone_reallocarray(NULL, s->cap, s->bytes);
        if (!s->v)
            return HONE_E_NOMEM;
    }
    if (s->n == s->cap)
        HONE_TRY(hone_sorter_flush(s));
    memcpy(s->v + s->n++ * s->words, record, s->bytes);
    s->memory_sorted = 0;
    return HONE_OK;
}

void hone_sorter_note(hone_sorter *s, hone_jw *w)
{
    hone_jw_list(w);
    for (size_t i = 0; i < LEVELS; i++)
        hone_jw_i64(w, (int64_t)s->first[i]);
    for (size_t i = 0; i < LEVELS; i++)
        hone_jw_i64(w, (int64_t)s->level[i]);
    hone_jw_end(w);
    memcpy(s->noted, s->first, sizeof s->noted);
}

hone_status hone_sorter_rewind(hone_sorter *s)
{
    close_heap(s);
    HONE_TRY(sort_memory(s));
    hone_status st = HONE_OK;
    for (size_t level = 0; st >= 0 && level < LEVELS; level++)
        for (uint64_t i = 0; st >= 0 && i < s->level[level]; i++)
            st = add_file(s, level, s->first[level] + i);
    if (st >= 0 && s->n) {
        run_reader r = {.fd = -1, .mem = s->v, .mem_end = s->v + s->n * s->words};
        st = add_reader(s, &r);
    }
    for (size_t i = s->n_heap / 2; i-- > 0;)
        sift(s, i);
    s->reading = 1;
    return st;
}

hone_status hone_sorter_next(hone_sorter *s, const uint64_t **record)
{
    hone_status st = next_of_heap(s, s->out);
    *record = s->out;
    return st;
}

hone_status hone_sorter_remove(hone_sorter *s)
{
    close_heap(s);
    for (size_t i = 0; i < LEVELS; i++)
        s->noted[i] = s->first[i] += s->level[i];
    memset(s->level, 0, sizeof s->level);
    s->n = 0;
    return remove_others(s);
}
