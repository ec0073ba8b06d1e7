/* feed.h - a source that makes rows of JSON, as an Arrow stream. See feed.c. */
#ifndef HONE_SOURCES_FEED_H
#define HONE_SOURCES_FEED_H
#include "batch.h"

enum { FEED_ROWS = 256, FEED_BYTES = 1 << 20 };

/* First member of a source's own struct. */
typedef struct feed {
    memory mem;
    const hone_host *host;
    batch out;
    char error[1200];
    /* Adds rows to `out` until feed_full or the end (nothing added). 0, or an errno with the text in `error`: rows
     * added before it are handed out first, and the next call fails again. [control-thread] */
    int (*fill)(struct feed *f);
} feed;

void feed_init(feed *f, const memory *mem, const hone_host *host, int (*fill)(feed *f));
void feed_open(feed *f, struct ArrowArrayStream *out); /* cannot fail */
void feed_clear(feed *f); /* rows gathered and not handed out are dropped */
void feed_release(feed *f);
static inline int feed_full(const feed *f)
{
    return f->out.n >= FEED_ROWS || f->out.len >= FEED_BYTES;
}
/* Puts the text into f->error and gives `code` back. */
int feed_fail(feed *f, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
hone_status feed_status(int code); /* of an errno, for calls that are not the stream's */
/* FNV-1a of 64 bits, from `h` on; the start is FEED_HASH. */
#define FEED_HASH 14695981039346656037u
uint64_t feed_hash(uint64_t h, const void *p, size_t n);

/* ---- names ---------------------------------------------------------------------------------------------- */

/* Names of columns, one after the other, each ended by NUL. */
typedef struct names {
    text t;
    size_t n;
} names;
/* 0 or ENOMEM. */
int names_add(const memory *mem, names *v, const char *p, size_t n);
int names_split(const memory *mem, names *v, const char *list,
                size_t n); /* "a,b": blanks around are dropped */
const char *names_at(const names *v, size_t i);
int names_find(const names *v, const char *name); /* -1: not there */
void names_free(const memory *mem, names *v);
/* "a, b, c" cut to `size`. */
void names_join(const names *v, char *out, size_t size);
#endif
