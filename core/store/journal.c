/* journal.c - outcomes on disk before they are used (see journal.h).
 *
 * Record, little-endian:
 *   u32 magic  u32 body length  u64 xxh3 of the body
 *   body: u64 step, u64 sample, u32 status, f32 score, u32 len of component, notes, reason, u32 n token scores,
 *         then those bytes in that order.
 * Opening maps the whole records into a table by (step, sample, component); what follows the last whole
 * record is a torn write and is cut off. */
#include "store/journal.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/map.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x4a4e4f48u /* "HONJ" */
#define HEAD 16u
#define FIXED 40u
#define MAX_BODY ((size_t)1 << 28)

struct hone_journal {
    char *path;
    int fd;
    uint64_t size;
    hone_map map; /* key -> hone_journal_record *, a block with all that it points to */
    pthread_mutex_t lock;
};

static void put32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static void put64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const unsigned char *p)
{
    return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

static hone_status make_key(hone_buf *key, uint64_t step, uint64_t sample, const char *component)
{
    unsigned char fixed[16];
    put64(fixed, step);
    put64(fixed + 8, sample);
    hone_buf_clear(key);
    HONE_TRY(hone_buf_add(key, fixed, sizeof fixed));
    return hone_buf_adds(key, component);
}

/* Keeps one record in the table: the first one of a key wins, as it was the one used. */
static hone_status keep(hone_journal *j, const unsigned char *body, size_t len)
{
    hone_buf key;
    if (len < FIXED)
        return hone_fail(HONE_E_PARSE, "%s: record of %zu bytes", j->path, len);
    uint32_t nc = get32(body + 24), nn = get32(body + 28), nr = get32(body + 32);
    uint32_t nt = get32(body + 36);
    uint64_t total = (uint64_t)FIXED + nc + nn + nr + (uint64_t)nt * 4;
    if (total != len)
        return hone_fail(HONE_E_PARSE, "%s: record lengths do not add up", j->path);
    const size_t floats = (size_t)nt * sizeof(float);
    hone_journal_record *r = hone_calloc(1, sizeof *r + floats + nc + 1 + nn + nr);
    if (!r)
        return HONE_E_NOMEM;
    float *scores = (float *)(r + 1);
    char *text = (char *)(r + 1) + floats;
    const unsigned char *from = body + FIXED;
    r->step = get64(body);
    r->sample = get64(body + 8);
    r->status = get32(body + 16);
    uint32_t bits = get32(body + 20);
    memcpy(&r->score, &bits, 4);
    memcpy(text, from, nc); /* a NUL follows */
    r->component = text;
    memcpy(text + nc + 1, from + nc, nn + nr);
    r->notes = (hone_str){text + nc + 1, nn};
    r->reason = (hone_str){text + nc + 1 + nn, nr};
    if (nt) {
        memcpy(scores, from + nc + nn + nr, floats);
        r->token_scores = scores;
        r->n_token_scores = nt;
    }
    hone_buf_init(&key, 1 << 16);
    hone_status s = make_key(&key, r->step, r->sample, r->component);
    if (s >= 0 && !hone_map_has(&j->map, key.ptr, key.len)) {
        s = hone_map_put(&j->map, key.ptr, key.len, r, NULL);
        r = s >= 0 ? NULL : r;
    }
    hone_buf_release(&key);
    hone_free(r);
    return s;
}

static hone_status load(hone_journal *j)
{
    hone_mapped m;
    size_t at = 0;
    HONE_TRY(hone_file_map(j->path, &m));
    hone_status s = HONE_OK;
    while (s >= 0 && m.len - at >= HEAD) {
        const unsigned char *p = m.ptr + at;
        size_t len = get32(p + 4);
        if (get32(p) != MAGIC || len > MAX_BODY || len > m.len - at - HEAD ||
            hone_xxh64(p + HEAD, len, 0) != get64(p + 8))
            break;
        s = keep(j, p + HEAD, len);
        at += HEAD + len;
    }
    int torn = at < m.len;
    hone_file_unmap(&m);
    j->size = at;
    if (s >= 0 && torn)
        s = hone_file_truncate(j->path, at);
    return s;
}

hone_status hone_journal_open(const char *path, hone_journal **out)
{
    hone_journal *j = hone_calloc(1, sizeof *j);
    if (!j)
        return HONE_E_NOMEM;
    j->fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    hone_map_init(&j->map);
    j->path = hone_strdup(path);
    hone_status s = j->path ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0 && hone_file_exists(path))
        s = load(j);
    if (s >= 0) {
        j->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (j->fd < 0)
            s = hone_fail_errno("cannot open %s", path);
    }
    if (s < 0) {
        hone_journal_close(j);
        return s;
    }
    *out = j;
    return HONE_OK;
}

static void drop_before(hone_journal *j, uint64_t step)
{
    for (size_t i = 0; i < j->map.n; i++) {
        const hone_map_entry *e = &j->map.entries[i];
        const hone_journal_record *r = e->key ? e->value : NULL;
        if (r && r->step < step)
            hone_free(hone_map_del(&j->map, e->key, e->key_len));
    }
}

void hone_journal_done(hone_journal *j, uint64_t step)
{
    pthread_mutex_lock(&j->lock);
    if (step >= HONE_JOURNAL_STEPS)
        drop_before(j, step - HONE_JOURNAL_STEPS + 1);
    pthread_mutex_unlock(&j->lock);
}

void hone_journal_close(hone_journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    drop_before(j, UINT64_MAX);
    hone_map_release(&j->map);
    pthread_mutex_destroy(&j->lock);
    hone_free(j->path);
    hone_free(j);
}

static hone_status add_record(hone_buf *b, const hone_journal_record *r)
{
    unsigned char head[HEAD + FIXED];
    size_t nc = strlen(r->component), start = b->len;
    uint64_t body = FIXED + (uint64_t)nc + r->notes.len + r->reason.len + r->n_token_scores * 4;
    uint32_t bits;
    if (body > MAX_BODY)
        return hone_fail(HONE_E_LIMIT, "outcome of %s: %llu bytes of notes are too many",
                         r->component, (unsigned long long)body);
    memcpy(&bits, &r->score, 4);
    put32(head, MAGIC);
    put32(head + 4, (uint32_t)body);
    put64(head + 16, r->step);
    put64(head + 24, r->sample);
    put32(head + 32, r->status);
    put32(head + 36, bits);
    put32(head + 40, (uint32_t)nc);
    put32(head + 44, (uint32_t)r->notes.len);
    put32(head + 48, (uint32_t)r->reason.len);
    put32(head + 52, (uint32_t)r->n_token_scores);
    HONE_TRY(hone_buf_add(b, head, sizeof head));
    HONE_TRY(hone_buf_add(b, r->component, nc));
    HONE_TRY(hone_buf_add_str(b, r->notes));
    HONE_TRY(hone_buf_add_str(b, r->reason));
    if (r->n_token_scores)
        HONE_TRY(hone_buf_add(b, r->token_scores, r->n_token_scores * 4));
    put64((unsigned char *)b->ptr + start + 8, hone_xxh64(b->ptr + start + HEAD, (size_t)body, 0));
    return HONE_OK;
}

hone_status hone_journal_put(hone_journal *j, const hone_journal_record *recs, size_t n)
{
    hone_buf b;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < n; i++)
        s = add_record(&b, &recs[i]);
    pthread_mutex_lock(&j->lock);
    if (s >= 0) {
        s = hone_file_write_fd(j->fd, b.ptr, b.len, j->path);
        if (s < 0)
            (void)!ftruncate(j->fd, (off_t)j->size);
        else
            j->size += b.len;
    }
    for (size_t at = 0; s >= 0 && at < b.len;) {
        size_t len = get32((unsigned char *)b.ptr + at + 4);
        s = keep(j, (unsigned char *)b.ptr + at + HEAD, len);
        at += HEAD + len;
    }
    pthread_mutex_unlock(&j->lock);
    hone_buf_release(&b);
    return s;
}

int hone_journal_get(hone_journal *j, uint64_t step, uint64_t sample, const char *component,
                     hone_journal_record *out)
{
    hone_buf key;
    hone_journal_record *r = NULL;
    hone_buf_init(&key, 1 << 16);
    if (make_key(&key, step, sample, component) >= 0) {
        pthread_mutex_lock(&j->lock);
        r = hone_map_get(&j->map, key.ptr, key.len);
        pthread_mutex_unlock(&j->lock);
    }
    hone_buf_release(&key);
    if (!r)
        return 0;
    *out = *r;
    return 1;
}
