/* grow.h - the host's counted memory, growing texts, texts as JSON. See grow.c. */
#ifndef HONE_SOURCES_GROW_H
#define HONE_SOURCES_GROW_H
#include "hone/plugin.h"

typedef struct memory {
    hone_ref ref;
} memory;
/* realloc of the host's counted memory; size 0 frees. NULL: p is unchanged. */
void *memory_resize(const memory *m, void *p, size_t old_size, size_t size);

/* Growing memory of the host. */
typedef struct text {
    char *p;
    size_t n, cap;
} text;

int text_add(const memory *mem, text *t, const void *p, size_t n); /* 0 or ENOMEM */
/* The text as a JSON string. EILSEQ: not UTF-8, or a NUL, at *bad. */
int text_add_json(const memory *mem, text *t, const char *p, size_t n, size_t *bad);
void text_free(const memory *mem, text *t);

static inline void put64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}
static inline uint64_t get64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}
#endif
