/* @name@.c - a source: the lines of a text file, one row each, with the columns `text` and `number`.
 *
 * Rows go to the host as Arrow batches of up to 256 lines (arrow.h). The position is a byte offset and a line
 * number, so after seek the stream goes on with the same rows. A batch owns its memory and may outlive the stream. */
#include "hone/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH }; /* places in the table of settings */
static const hone_field *const fields[] = {HONE_PATH("path", NULL, HONE_REQUIRED, "the text file"),
                                           NULL};
enum { ROWS = 256, LINE_MAX_BYTES = 1 << 20 };

typedef struct lines {
    const hone_host *host;
    FILE *file;
    int64_t number; /* of the next line, from 0 */
    char error[128];
} lines;
typedef struct where {
    int64_t offset, number;
} where;

/* ---- one batch: offsets and text of `text`, numbers of `number` --------------------------------- */
typedef struct block {
    struct ArrowArray column[2], *columns[2];
    const void *buffers[1], *text_buffers[3], *number_buffers[2];
    int32_t offsets[ROWS + 1];
    int64_t numbers[ROWS];
    char *text;
    int holders; /* the batch and its columns may be released apart */
} block;

static void let_go(block *b)
{
    if (--b->holders == 0) {
        free(b->text);
        free(b);
    }
}
static void release_column(struct ArrowArray *a)
{
    a->release = NULL;
    let_go(a->private_data);
}
static void release_batch(struct ArrowArray *a)
{
    block *b = a->private_data;
    a->release = NULL;
    for (int i = 0; i < 2; i++)
        if (a->children[i]->release)
            a->children[i]->release(a->children[i]);
    let_go(b);
}

/* Reads one line without its end into the block; 1, 0 at the end, -1 with l->error. */
static int read_line(lines *l, block *b, size_t row, size_t *cap)
{
    size_t len = (size_t)b->offsets[row];
    int c = getc(l->file);
    if (c == EOF)
        return 0;
    for (; c != EOF && c != '\n'; c = getc(l->file)) {
        if (len == *cap) {
            size_t more = *cap ? 2 * *cap : 4096;
            char *grown = realloc(b->text, more);
            if (!grown) {
                snprintf(l->error, sizeof l->error, "out of memory");
                return -1;
            }
            b->text = grown;
            *cap = more;
        }
        if (len - (size_t)b->offsets[row] >= LINE_MAX_BYTES) {
            snprintf(l->error, sizeof l->error, "line %lld is longer than 1 MiB",
                     (long long)l->number + 1);
            return -1;
        }
        b->text[len++] = (char)c;
    }
    b->offsets[row + 1] = (int32_t)len; /* at most ROWS MiB */
    b->numbers[row] = ++l->number;
    return 1;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    lines *l = stream->private_data;
    block *b = calloc(1, sizeof *b);
    size_t n = 0, cap = 0;
    int got = 1;
    l->error[0] = 0;
    if (!b)
        return ENOMEM;
    while (n < ROWS && (got = read_line(l, b, n, &cap)) > 0)
        n++;
    if (got < 0 || n == 0) {
        free(b->text);
        free(b);
        memset(out, 0, sizeof *out); /* release NULL: the end */
        return got < 0 ? EIO : 0;
    }
    b->holders = 3;
    b->text_buffers[1] = b->offsets;
    b->text_buffers[2] = b->text ? b->text : "";
    b->number_buffers[1] = b->numbers;
    b->column[0] = (struct ArrowArray){.length = (int64_t)n,
                                       .n_buffers = 3,
                                       .buffers = b->text_buffers,
                                       .release = release_column,
                                       .private_data = b};
    b->column[1] = (struct ArrowArray){.length = (int64_t)n,
                                       .n_buffers = 2,
                                       .buffers = b->number_buffers,
                                       .release = release_column,
                                       .private_data = b};
    b->columns[0] = &b->column[0];
    b->columns[1] = &b->column[1];
    *out = (struct ArrowArray){.length = (int64_t)n,
                               .n_buffers = 1,
                               .n_children = 2,
                               .buffers = b->buffers,
                               .children = b->columns,
                               .release = release_batch,
                               .private_data = b};
    return 0;
}

/* ---- the schema: constant, so nothing is freed ----------------------------------------------------- */
static void release_schema(struct ArrowSchema *s)
{
    for (int64_t i = 0; i < s->n_children; i++)
        if (s->children[i]->release)
            s->children[i]->release(s->children[i]);
    if (s->n_children)
        free(s->private_data);
    s->release = NULL;
}
typedef struct schema_block {
    struct ArrowSchema column[2], *columns[2];
} schema_block;
static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    schema_block *k = calloc(1, sizeof *k);
    (void)stream;
    if (!k)
        return ENOMEM;
    k->column[0] = (struct ArrowSchema){.format = "u", .name = "text", .release = release_schema};
    k->column[1] = (struct ArrowSchema){.format = "l", .name = "number", .release = release_schema};
    k->columns[0] = &k->column[0];
    k->columns[1] = &k->column[1];
    *out = (struct ArrowSchema){.format = "+s",
                                .name = "",
                                .n_children = 2,
                                .children = k->columns,
                                .release = release_schema,
                                .private_data = k};
    return 0;
}
static const char *last_error(struct ArrowArrayStream *stream)
{
    const lines *l = stream->private_data;
    return l->error[0] ? l->error : NULL;
}
static void release_stream(struct ArrowArrayStream *stream)
{
    stream->release = NULL; /* the file stays with the instance */
}

/* ---- hone.source/1 ------------------------------------------------------------------------------------ */
static hone_status open_stream(void *self, struct ArrowArrayStream *out)
{
    *out = (struct ArrowArrayStream){get_schema, get_next, last_error, release_stream, self};
    return HONE_OK;
}
static hone_status position(void *self, const hone_bytes_sink *sink)
{
    lines *l = self;
    where w = {ftell(l->file), l->number};
    return sink->put(sink, &w, sizeof w);
}
static hone_status seek(void *self, const void *bytes, size_t n)
{
    lines *l = self;
    where w = {0, 0};
    if (n && n != sizeof w)
        return hone_host_fail(l->host, HONE_E_STATE, "a position of another source: %zu bytes", n);
    if (n)
        memcpy(&w, bytes, sizeof w);
    if (w.offset < 0 || w.number < 0 || fseek(l->file, (long)w.offset, SEEK_SET) != 0)
        return hone_host_fail(l->host, HONE_E_STATE, "the position does not fit the file");
    l->number = w.number;
    return HONE_OK;
}
static int64_t row_count(void *self)
{
    (void)self;
    return -1; /* not told without reading everything */
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    hone_str path = cfg->str(cfg, PATH);
    char name[4096];
    if (path.len >= sizeof name)
        return hone_host_fail(host, HONE_E_LIMIT, "path: longer than %zu bytes", sizeof name - 1);
    memcpy(name, path.ptr, path.len);
    name[path.len] = 0;
    lines *l = calloc(1, sizeof *l);
    if (!l)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    l->host = host;
    l->file = fopen(name, "rb");
    if (!l->file) {
        hone_status s = hone_host_fail(host, errno == ENOENT ? HONE_E_NOT_FOUND : HONE_E_IO,
                                       "%s: %s", name, strerror(errno));
        free(l);
        return s;
    }
    *self_out = l;
    return HONE_OK;
}
static void destroy(void *self)
{
    lines *l = self;
    fclose(l->file);
    free(l);
}
static const hone_source_v1 table = {
    sizeof(hone_source_v1), 0, open_stream, position, seek, row_count, NULL, NULL};
HONE_DEFINE_SOURCE(component, table, .id = "@id@", .version = "0.1.0",
                   .summary = "the lines of a text file",
                   .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_FS_READ, .fields = fields,
                   .create = create, .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
