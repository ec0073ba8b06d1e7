/* batch.c - rows of JSON text as Arrow batches: a struct with one utf8 column named hone.row.
 *
 * Rows of JSON need not share a type, and guessing one from the first rows breaks on a later one; so
 * the column carries whole rows and says so by the extension name arrow.json. A batch is one block of
 * memory: structs, pointers, offsets, text. The specification lets a consumer take the child out of its
 * parent, so the block counts its two holders. */
#include "batch.h"

#include <errno.h>
#include <string.h>

void batch_init(batch *b, const memory *mem)
{
    memset(b, 0, sizeof *b);
    b->mem = *mem;
}

void batch_release(batch *b)
{
    memory_resize(&b->mem, b->text, b->cap_text, 0);
    memory_resize(&b->mem, b->ends, b->cap_rows * sizeof *b->ends, 0);
    b->text = NULL;
    b->ends = NULL;
    b->n = b->len = b->cap_rows = b->cap_text = 0;
}

int batch_add(batch *b, const char *row, size_t n)
{
    if (n > (size_t)INT32_MAX - b->len)
        return EOVERFLOW;
    if (b->n == b->cap_rows) {
        size_t cap = b->cap_rows ? 2 * b->cap_rows : 64;
        int32_t *ends = memory_resize(&b->mem, b->ends, b->cap_rows * sizeof *ends,
                                      cap * sizeof *ends);
        if (!ends)
            return ENOMEM;
        b->ends = ends;
        b->cap_rows = cap;
    }
    if (n > b->cap_text - b->len) {
        size_t cap = b->cap_text ? b->cap_text : 4096;
        while (cap - b->len < n)
            cap *= 2;
        char *grown = memory_resize(&b->mem, b->text, b->cap_text, cap);
        if (!grown)
            return ENOMEM;
        b->text = grown;
        b->cap_text = cap;
    }
    if (n)
        memcpy(b->text + b->len, row, n);
    b->len += n;
    b->ends[b->n++] = (int32_t)b->len;
    return 0;
}

typedef struct block {
    memory mem;
    size_t size;
    int holders;
    struct ArrowArray child;
    struct ArrowArray *children[1];
    const void *buffers[1], *child_buffers[3];
    int32_t offsets[]; /* rows + 1, then the text */
} block;

static void let_go(block *k)
{
    memory mem = k->mem;
    if (--k->holders == 0)
        memory_resize(&mem, k, k->size, 0);
}

static void release_child(struct ArrowArray *a)
{
    block *k = a->private_data;
    a->release = NULL;
    let_go(k);
}

static void release_parent(struct ArrowArray *a)
{
    block *k = a->private_data;
    struct ArrowArray *child = a->children[0];
    a->release = NULL;
    if (child->release)
        child->release(child);
    let_go(k);
}

int batch_hand_out(batch *b, struct ArrowArray *out)
{
    size_t size = offsetof(block, offsets) + (b->n + 1) * sizeof(int32_t) + b->len;
    block *k = memory_resize(&b->mem, NULL, 0, size);
    if (!k)
        return ENOMEM;
    memset(k, 0, offsetof(block, offsets));
    k->mem = b->mem;
    k->size = size;
    k->holders = 2;
    k->children[0] = &k->child;
    k->offsets[0] = 0;
    if (b->n)
        memcpy(k->offsets + 1, b->ends, b->n * sizeof *b->ends);
    if (b->len)
        memcpy(k->offsets + b->n + 1, b->text, b->len);
    k->child_buffers[1] = k->offsets;
    k->child_buffers[2] = k->offsets + b->n + 1;
    k->child = (struct ArrowArray){.length = (int64_t)b->n,
                                   .n_buffers = 3,
                                   .buffers = k->child_buffers,
                                   .release = release_child,
                                   .private_data = k};
    *out = (struct ArrowArray){.length = (int64_t)b->n,
                               .n_buffers = 1,
                               .n_children = 1,
                               .buffers = k->buffers,
                               .children = k->children,
                               .release = release_parent,
                               .private_data = k};
    b->n = b->len = 0;
    return 0;
}

typedef struct schema_block {
    memory mem;
    int holders;
    struct ArrowSchema child;
    struct ArrowSchema *children[1];
} schema_block;

static void let_schema_go(schema_block *k)
{
    memory mem = k->mem;
    if (--k->holders == 0)
        memory_resize(&mem, k, sizeof *k, 0);
}

static void release_schema_child(struct ArrowSchema *s)
{
    schema_block *k = s->private_data;
    s->release = NULL;
    let_schema_go(k);
}

static void release_schema(struct ArrowSchema *s)
{
    schema_block *k = s->private_data;
    struct ArrowSchema *child = s->children[0];
    s->release = NULL;
    if (child->release)
        child->release(child);
    let_schema_go(k);
}

int batch_schema(const memory *mem, struct ArrowSchema *out)
{
    /* int32 counts and lengths in the machine's order: two pairs, the second value is empty */
    static const char metadata[] = "\2\0\0\0"
                                   "\24\0\0\0"
                                   "ARROW:extension:name"
                                   "\12\0\0\0"
                                   "arrow.json"
                                   "\30\0\0\0"
                                   "ARROW:extension:metadata"
                                   "\0\0\0";
    static const char big_metadata[] = "\0\0\0\2"
                                       "\0\0\0\24"
                                       "ARROW:extension:name"
                                       "\0\0\0\12"
                                       "arrow.json"
                                       "\0\0\0\30"
                                       "ARROW:extension:metadata"
                                       "\0\0\0";
    const uint32_t probe = 1;
    schema_block *k = memory_resize(mem, NULL, 0, sizeof *k);
    if (!k)
        return ENOMEM;
    memset(k, 0, sizeof *k);
    k->mem = *mem;
    k->holders = 2;
    k->children[0] = &k->child;
    k->child = (struct ArrowSchema){.format = "u",
                                    .name = HONE_SOURCE_ROW,
                                    .metadata = *(const char *)&probe ? metadata : big_metadata,
                                    .release = release_schema_child,
                                    .private_data = k};
    *out = (struct ArrowSchema){.format = "+s",
                                .name = "",
                                .n_children = 1,
                                .children = k->children,
                                .release = release_schema,
                                .private_data = k};
    return 0;
}
