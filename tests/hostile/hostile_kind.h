/* hostile_kind.h - a component of a kind of its own, with an interface it describes itself; in order, but for what the
 * file that includes it defines (hostile.h has the idea).
 *
 *   validate: TEST RESULT WORDS   as in hostile.h
 *   call: survives|dies|any       what a recipe that calls every slot makes of it in process */
#include "hone/plugin.h"
#include "hone/reward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct text_line {
    uint32_t struct_size, kind; /* kind: 0 plain, 1 quoted, 2 title */
    hone_str text;
    const float *weights; /* n_weights, or NULL: all 1 */
    const hone_str *tags; /* n_weights */
    size_t n_weights;
} text_line;
typedef struct text_tally {
    uint64_t bytes;
    double mean;
} text_tally;
typedef struct text_point {
    double x, y;
} text_point;
typedef struct text_found {
    uint32_t struct_size, n_marks;
    hone_str word;
    const uint32_t *marks;
} text_found;
typedef struct text_words {
    uint32_t struct_size, reserved;
    void *ctx;
    hone_status (*put)(const struct text_words *sink, size_t at, hone_str word);
    hone_status (*marks)(const struct text_words *sink, const uint32_t *marks, size_t n);
} text_words;
typedef struct text_v1 {
    uint32_t struct_size, reserved;
    hone_status (*tally)(void *self, const hone_call *call, const text_line *in, size_t n,
                         size_t in_stride, text_tally *out, size_t out_stride);
    hone_status (*words)(void *self, hone_str text, uint32_t least, const text_words *sink);
    hone_status (*scale)(void *self, const float *in, size_t n, float by, float *out);
    hone_status (*find)(void *self, const char *word, text_point where, text_found *out);
    hone_str (*name)(void *self);
    double (*norm)(void *self, const hone_value *value, uint32_t mode);
} text_v1;

HONE_DESCRIBE(line_desc, text_line, 0, (SIZE, struct_size), (NUM, kind), (STR, text),
              (NUMS, weights, n_weights, HONE_M_NULLABLE), (STRS, tags, n_weights, 0),
              (NUM, n_weights))
HONE_DESCRIBE(tally_desc, text_tally, 0, (NUM, bytes), (NUM, mean))
HONE_DESCRIBE(point_desc, text_point, HONE_STRUCT_FROZEN, (NUM, x), (NUM, y))
HONE_DESCRIBE(found_desc, text_found, 0, (SIZE, struct_size), (NUM, n_marks), (STR, word),
              (NUMS, marks, n_marks, 0))
HONE_DESCRIBE(words_desc, text_words, HONE_STRUCT_SINK, (SIZE, struct_size), (PAD, reserved),
              (OPAQUE, ctx), (SLOT, put, 0, "this, at:size, word:str -> status", "one word"),
              (SLOT, marks, 0, "this, marks:[u32; n], n:size -> status", "where words begin"))
HONE_DESCRIBE_IFACE(
    text_desc, text_v1, "org.hostile.text/1", "org.hostile.kind.text",
    (&line_desc, &tally_desc, &point_desc, &found_desc, &words_desc), (SIZE, struct_size),
    (PAD, reserved),
    (SLOT, tally, HONE_SLOT_BATCH | HONE_SLOT_CANCELLABLE,
     "self, call, in:[text_line; n, in_stride], n:size, in_stride:size, "
     "out:out [text_tally; n, out_stride], out_stride:size -> status",
     "bytes and mean weight of each line"),
    (SLOT, words, 0, "self, text:str, least:u32, sink:sink text_words -> status",
     "words of a text"),
    (SLOT, scale, 0, "self, in:[f32; n], n:size, by:f32, out:out [f32; n] -> status", "in * by"),
    (SLOT, find, 0, "self, word:cstr, where:by text_point, out:out text_found -> status",
     "a word near a place"),
    (SLOT, name, 0, "self -> str", "its name"),
    (SLOT, norm, HONE_SLOT_OPTIONAL, "self, value:value, mode:u32 -> f64", "size of a value"))

#ifndef CAPS
#define CAPS (HONE_CAP_DETERMINISTIC | HONE_CAP_BATCH_INVARIANT)
#endif
#ifndef ON_TALLY /* code before the lines; may return */
#define ON_TALLY
#endif
#ifndef ON_LINE /* code for line i, `line`, `o` */
#define ON_LINE
#endif
#ifndef ON_WORDS
#define ON_WORDS
#endif
#ifndef ON_WORD /* after put gave s */
#define ON_WORD
#endif
#ifndef ON_SCALE
#define ON_SCALE
#endif
#ifndef ON_FIND
#define ON_FIND
#endif
#ifndef ON_FOUND
#define ON_FOUND
#endif
#ifndef ON_NAME
#define ON_NAME
#endif
#ifndef ON_NORM
#define ON_NORM
#endif

static const hone_host *the_host;

#ifndef OUT_AT
#define OUT_AT(i) ((text_tally *)(void *)((char *)out + (i)*out_stride))
#endif
static hone_status tally(void *self, const hone_call *call, const text_line *in, size_t n,
                         size_t in_stride, text_tally *out, size_t out_stride)
{
    (void)self;
    (void)out_stride;
    ON_TALLY
    for (size_t i = 0; i < n && !hone_cancelled(call); i++) {
        const text_line *line = (const text_line *)(const void *)((const char *)in + i * in_stride);
        text_tally *o = OUT_AT(i);
        double sum = 0;
        for (size_t k = 0; k < line->n_weights; k++)
            sum += line->weights ? (double)line->weights[k] : 1;
        ON_LINE
        o->bytes = line->text.len;
        o->mean = line->n_weights ? sum / (double)line->n_weights : 0;
    }
    return HONE_OK;
}
static hone_status words(void *self, hone_str text, uint32_t least, const text_words *sink)
{
    size_t n = 0;
    uint32_t first = 0;
    (void)self;
    ON_WORDS
    for (size_t i = 0; i < text.len && n < 64; n++) {
        size_t e = i;
        while (e < text.len && text.ptr[e] != ' ')
            e++;
        hone_str w = {text.ptr + i, e - i};
        hone_status s = w.len >= least ? sink->put(sink, i, w) : HONE_OK;
        ON_WORD
        if (s < 0)
            return s;
        i = e + 1;
    }
    return sink->marks(sink, &first, 1);
}
static hone_status scale(void *self, const float *in, size_t n, float by, float *out)
{
    (void)self;
    ON_SCALE
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] * by;
    return HONE_OK;
}
static hone_status find(void *self, const char *word, text_point where, text_found *out)
{
    static const uint32_t marks[2] = {3, 5};
    (void)self;
    ON_FIND
    if (!(where.x >= -1e9 && where.x <= 1e9))
        return hone_host_fail(the_host, HONE_E_RANGE, "x is beyond the page");
    out->word = strlen(word) > 3 ? hone_str_c("long") : hone_str_c("short");
    out->marks = marks;
    out->n_marks = 2;
    ON_FOUND
    return HONE_OK;
}
static hone_str name(void *self)
{
    (void)self;
    ON_NAME
    return hone_str_c("text");
}
static double norm(void *self, const hone_value *value, uint32_t mode)
{
    (void)self;
    ON_NORM
    return value->type == HONE_F64 ? fabs(value->u.f64) : (double)(value->type + mode % 3);
}
#ifndef TABLE
#define TABLE                                                                                      \
    {                                                                                              \
        sizeof(text_v1), 0, tally, words, scale, find, name, norm                                  \
    }
#endif
static const text_v1 table = TABLE;

static hone_status create(const hone_host *host, const hone_config *cfg, void **self)
{
    (void)cfg;
    the_host = host;
    *self = malloc(1);
    return *self ? HONE_OK : hone_host_fail(host, HONE_E_NOMEM, "out of memory");
}
static void destroy(void *self)
{
    free(self);
}
static const void *get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, "org.hostile.text/1") == 0 ? &table : NULL;
}
static const char *const provides[] = {"org.hostile.text/1", NULL};
static const hone_component component = {.struct_size = sizeof(hone_component),
                                         .id = "org.hostile.text.it",
                                         .kind = "org.hostile.kind.text",
                                         .version = "1.0.0",
                                         .caps = CAPS,
                                         .provides = provides,
                                         .create = create,
                                         .destroy = destroy,
                                         .get_iface = get_iface};
static const hone_component *const components[] = {&component, NULL};
static const hone_iface_desc *const ifaces[] = {&text_desc, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof(hone_entry), .magic = &magic, .components = components, .ifaces = ifaces};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
