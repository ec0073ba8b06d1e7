/* arena.c - see arena.h.
 *
 * Chunks double from 4 KiB to 1 MiB; a request that would not fit half a chunk of the largest size
 * gets one of its own, behind the current one, so that the rest of the current one is not lost.
 * Nothing is freed singly. Not thread-safe. */
#include "base/arena.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

struct hone_arena_chunk {
    struct hone_arena_chunk *next;
    size_t size, at; /* bytes after the header; of them handed out */
    size_t pad;
};
typedef struct hone_arena_chunk chunk;

enum { ALIGN = 16 };
#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)
#define ARENA_MAX_DEFAULT ((size_t)1 << 30)

HONE_STATIC_ASSERT(sizeof(chunk) % ALIGN == 0, "data after the header is aligned");

void hone_arena_init(hone_arena *a, size_t max)
{
    a->head = NULL;
    a->used = 0;
    a->max = max;
}

static void free_chain(chunk *c)
{
    while (c) {
        chunk *next = c->next;
        hone_free(c);
        c = next;
    }
}

void hone_arena_release(hone_arena *a)
{
    free_chain(a->head);
    hone_arena_init(a, a->max);
}

void hone_arena_clear(hone_arena *a)
{
    if (a->head) {
        free_chain(a->head->next);
        a->head->next = NULL;
        a->head->at = 0;
    }
    a->used = 0;
}

/* A new chunk with room for `size`, made the current one unless it is full at once. */
static chunk *grow(hone_arena *a, size_t size)
{
    size_t room = a->head ? a->head->size * 2 : CHUNK_MIN, total;
    if (room > CHUNK_MAX)
        room = CHUNK_MAX;
    int own = size > room / 2 && a->head;
    if (own || room < size)
        room = size;
    if (!hone_add_size(room, sizeof(chunk), &total)) {
        hone_fail(HONE_E_NOMEM, "out of memory (%zu bytes asked for)", size);
        return NULL;
    }
    chunk *c = hone_alloc(total);
    if (!c)
        return NULL;
    c->size = room;
    c->at = 0;
    if (own) {
        c->next = a->head->next;
        a->head->next = c;
    } else {
        c->next = a->head;
        a->head = c;
    }
    return c;
}

void *hone_arena_alloc(hone_arena *a, size_t size)
{
    size_t max = a->max ? a->max : ARENA_MAX_DEFAULT, rounded;
    if (!hone_add_size(size, ALIGN - 1, &rounded) || (rounded &= ~(size_t)(ALIGN - 1)) > max ||
        a->used > max - rounded) {
        hone_fail(HONE_E_LIMIT, "more than %zu bytes in one arena", max);
        return NULL;
    }
    if (rounded == 0)
        rounded = ALIGN;
    chunk *c = a->head;
    if (!c || c->size - c->at < rounded) {
        c = grow(a, rounded);
        if (!c)
            return NULL;
    }
    void *p = (unsigned char *)(c + 1) + c->at;
    c->at += rounded;
    a->used += rounded;
    return p;
}

void *hone_arena_calloc(hone_arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (!hone_mul_size(n, size, &bytes)) {
        hone_fail(HONE_E_NOMEM, "out of memory (%zu times %zu bytes asked for)", n, size);
        return NULL;
    }
    void *p = hone_arena_alloc(a, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

char *hone_arena_strndup(hone_arena *a, const char *p, size_t n)
{
    size_t total;
    if (!hone_add_size(n, 1, &total)) {
        hone_fail(HONE_E_NOMEM, "out of memory (%zu bytes asked for)", n);
        return NULL;
    }
    char *z = hone_arena_alloc(a, total);
    if (!z)
        return NULL;
    if (n)
        memcpy(z, p, n);
    z[n] = 0;
    return z;
}

hone_str hone_arena_str(hone_arena *a, hone_str s)
{
    hone_str out = {hone_arena_strndup(a, s.ptr, s.len), 0};
    if (out.ptr)
        out.len = s.len;
    return out;
}
