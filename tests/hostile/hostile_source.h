/* hostile_source.h - a source plugin that is in order, but for what the file that includes it defines: 40 rows of `number`
 * and `text`, ten a batch. As hostile.h is for rewards; the second expectation is what `hone data head` makes of it.
 *   validate: TEST RESULT WORDS      the result of that test, and words of its text
 *   data: survives|refuses|dies WORDS   in process; in a box the host lives whatever it does */
#include "hone/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ON_NEXT /* code in front of a batch; may return an errno */
#define ON_NEXT
#endif
#ifndef ON_BATCH /* code that may change the finished batch: out, b */
#define ON_BATCH
#endif
#ifndef ON_SCHEMA /* code that may change the schema: out, b */
#define ON_SCHEMA
#endif
#ifndef ON_SEEK /* code in front of a seek to `at` */
#define ON_SEEK
#endif
#ifndef COUNT
#define COUNT ROWS
#endif
#ifndef SIZE_OF_POSITION
#define SIZE_OF_POSITION sizeof at
#endif
#ifndef RELEASE
#define RELEASE a->release = NULL;
#endif
#ifndef LAST_ERROR
#define LAST_ERROR "it failed"
#endif

enum { ROWS = 40, BATCH = 10 };
typedef struct instance {
    const hone_host *host;
    int64_t at;
    int ended;
} instance;
typedef struct block {
    struct ArrowArray column[2], *columns[2];
    const void *number_buffers[2], *text_buffers[3], *none[1];
    int64_t numbers[BATCH];
    int32_t ends[BATCH + 1];
    char text[2 * BATCH];
} block;
typedef struct schema_block {
    struct ArrowSchema column[2], *columns[2];
} schema_block;

static void release_column(struct ArrowArray *a)
{
    a->release = NULL;
}
static void release_batch(struct ArrowArray *a)
{
    free(a->private_data);
    RELEASE
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    instance *my = stream->private_data;
    memset(out, 0, sizeof *out);
    ON_NEXT
    if (my->at >= ROWS)
        return 0;
    block *b = calloc(1, sizeof *b);
    if (!b)
        return ENOMEM;
    for (int i = 0; i < BATCH; i++) {
        b->numbers[i] = my->at + i;
        b->ends[i + 1] = 2 * (i + 1);
        b->text[2 * i] = (char)('0' + (my->at + i) / 10);
        b->text[2 * i + 1] = (char)('0' + (my->at + i) % 10);
    }
    b->number_buffers[1] = b->numbers;
    b->text_buffers[1] = b->ends;
    b->text_buffers[2] = b->text;
    for (int c = 0; c < 2; c++) {
        b->columns[c] = &b->column[c];
        b->column[c].length = BATCH;
        b->column[c].n_buffers = c ? 3 : 2;
        b->column[c].buffers = c ? b->text_buffers : b->number_buffers;
        b->column[c].release = release_column;
    }
    out->length = BATCH;
    out->n_buffers = 1;
    out->buffers = b->none;
    out->n_children = 2;
    out->children = b->columns;
    out->release = release_batch;
    out->private_data = b;
    my->at += BATCH;
    ON_BATCH
    return 0;
}

static void release_schema(struct ArrowSchema *s)
{
    if (s->n_children)
        free(s->private_data);
    s->release = NULL;
}
static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    schema_block *b = calloc(1, sizeof *b);
    (void)stream;
    if (!b)
        return ENOMEM;
    for (int c = 0; c < 2; c++) {
        b->columns[c] = &b->column[c];
        b->column[c].format = c ? "u" : "l";
        b->column[c].name = c ? "text" : "number";
        b->column[c].release = release_schema;
    }
    memset(out, 0, sizeof *out);
    out->format = "+s";
    out->name = "";
    out->n_children = 2;
    out->children = b->columns;
    out->release = release_schema;
    out->private_data = b;
    ON_SCHEMA
    return 0;
}
static const char *last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return LAST_ERROR;
}
static void release_stream(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static hone_status open_stream(void *self, struct ArrowArrayStream *out)
{
    struct ArrowArrayStream s = {get_schema, get_next, last_error, release_stream, self};
    *out = s;
    return HONE_OK;
}
static hone_status position(void *self, const hone_bytes_sink *sink)
{
    int64_t at = ((instance *)self)->at;
    return sink->put(sink, &at, sizeof at);
}
static hone_status seek(void *self, const void *bytes, size_t n)
{
    instance *my = self;
    int64_t at = 0;
    if (n && n != SIZE_OF_POSITION)
        return hone_host_fail(my->host, HONE_E_STATE, "no position of this source");
    if (n)
        memcpy(&at, bytes, sizeof at);
    ON_SEEK
    if (at < 0 || at > ROWS)
        return hone_host_fail(my->host, HONE_E_STATE, "no position of this source");
    my->at = at;
    my->ended = 0;
    return HONE_OK;
}
static int64_t row_count(void *self)
{
    (void)self;
    return COUNT;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self)
{
    instance *my = calloc(1, sizeof *my);
    (void)cfg;
    if (!my)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    my->host = host;
    *self = my;
    return HONE_OK;
}
static void destroy(void *self)
{
    free(self);
}
static const hone_source_v1 table = {
    sizeof(hone_source_v1), 0, open_stream, position, seek, row_count, NULL, NULL};
static const void *get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_SOURCE) == 0 ? &table : NULL;
}
static const hone_field *const fields[] = {NULL};
static const char *const provides[] = {HONE_IFACE_SOURCE, NULL};
static const hone_component component = {.struct_size = sizeof component,
                                         .id = "org.hostile.source.it",
                                         .kind = HONE_KIND_SOURCE,
                                         .version = "1.0.0",
                                         .caps = HONE_CAP_DETERMINISTIC,
                                         .fields = fields,
                                         .provides = provides,
                                         .create = create,
                                         .destroy = destroy,
                                         .get_iface = get_iface};
static const hone_component *const components[] = {&component, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof entry, .magic = &magic, .components = components};
const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
