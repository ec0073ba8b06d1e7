/* @name@.c - a tokenizer: a token a byte, and one that ends a text.
 *
 * It takes a tokenizer.json whose model has the type "@name@"; any other description it leaves to the next
 * tokenizer component (HONE_E_UNSUPPORTED). Ids 0 to 255 are the bytes, 256 is "<|end|>". */
#include "hone/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { END = 256, VOCABULARY };
static const char end_text[] = "<|end|>";
static const hone_field *const fields[] = {
    HONE_MAP_OF("spec", HONE_REQUIRED, "the description that the host has read"), NULL};

typedef struct bytes {
    const hone_host *host;
    char alphabet[256]; /* byte i is character i */
} bytes;

static const hone_value *member(const hone_value *map, const char *name)
{
    for (size_t i = 0; map && map->type == HONE_MAP && i < map->u.map.n; i++)
        if (map->u.map.pairs[i].key.len == strlen(name) &&
            memcmp(map->u.map.pairs[i].key.ptr, name, strlen(name)) == 0)
            return &map->u.map.pairs[i].value;
    return NULL;
}

static int starts(hone_str text, size_t at)
{
    return text.len - at >= sizeof end_text - 1 &&
           memcmp(text.ptr + at, end_text, sizeof end_text - 1) == 0;
}

/* The ids of one text, at most text.len + 1 of them. */
static size_t encode_one(hone_str text, uint32_t flags, int32_t *ids, hone_span32 *spans)
{
    size_t n = 0;
    for (size_t at = 0; at < text.len; n++) {
        int special = (flags & HONE_ENCODE_SPECIAL) && starts(text, at);
        size_t len = special ? sizeof end_text - 1 : 1;
        ids[n] = special ? END : (unsigned char)text.ptr[at];
        spans[n].begin = (uint32_t)at;
        spans[n].end = (uint32_t)(at + len);
        at += len;
    }
    if (flags & HONE_ENCODE_ADD) {
        ids[n] = END;
        spans[n].begin = spans[n].end = (uint32_t)text.len;
        n++;
    }
    return n;
}

static hone_status encode(void *self, const hone_str *texts, size_t n, uint32_t flags,
                          const hone_ids_sink *sink)
{
    const bytes *b = self;
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        if (texts[i].len >= UINT32_MAX)
            return hone_host_fail(b->host, HONE_E_LIMIT, "text %zu is longer than 4 GiB", i);
        int32_t *ids = malloc((texts[i].len + 1) * sizeof *ids);
        hone_span32 *spans = malloc((texts[i].len + 1) * sizeof *spans);
        if (ids && spans) {
            size_t k = encode_one(texts[i], flags, ids, spans);
            s = sink->put(sink, i, ids, flags & HONE_ENCODE_OFFSETS ? spans : NULL, k);
        } else {
            s = hone_host_fail(b->host, HONE_E_NOMEM, "out of memory");
        }
        free(ids);
        free(spans);
    }
    return s;
}

static hone_status decode(void *self, const hone_ids *ids, size_t n, uint32_t flags,
                          const hone_text_sink *sink)
{
    const bytes *b = self;
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        char *text = malloc(ids[i].n * (sizeof end_text - 1) + 1);
        size_t len = 0;
        if (!text)
            return hone_host_fail(b->host, HONE_E_NOMEM, "out of memory");
        for (size_t k = 0; s >= 0 && k < ids[i].n; k++) {
            int32_t id = ids[i].ids[k];
            if (id < 0 || id >= VOCABULARY) {
                s = hone_host_fail(b->host, HONE_E_RANGE, "there is no token %d", id);
            } else if (id < END) {
                text[len++] = (char)id;
            } else if (!(flags & HONE_DECODE_SKIP_SPECIAL)) {
                memcpy(text + len, end_text, sizeof end_text - 1);
                len += sizeof end_text - 1;
            }
        }
        if (s >= 0)
            s = sink->put(sink, i, (hone_str){text, len});
        free(text);
    }
    return s;
}

static int32_t vocab_size(void *self)
{
    (void)self;
    return VOCABULARY;
}
static hone_str token_bytes(void *self, int32_t id)
{
    const bytes *b = self;
    if (id == END)
        return hone_str_c(end_text);
    return id >= 0 && id < END ? (hone_str){b->alphabet + id, 1} : (hone_str){NULL, 0};
}
static int32_t token_id(void *self, hone_str text)
{
    (void)self;
    if (text.len == sizeof end_text - 1 && starts(text, 0))
        return END;
    return text.len == 1 ? (unsigned char)text.ptr[0] : -1;
}
static int32_t special(void *self, const char *name)
{
    (void)self;
    return strcmp(name, "eos") == 0 ? END : -1;
}
static int32_t is_special(void *self, int32_t id)
{
    (void)self;
    return id == END;
}
static void fingerprint(void *self, char out_hex[65])
{
    (void)
        self; /* 64 digits that change with the vocabulary and the rules: there is only one of both */
    memset(out_hex, '0', 64);
    memcpy(out_hex, "b17e5001", 8);
    out_hex[64] = 0;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    const hone_value *json = member(cfg->value(cfg, 0), "json");
    const hone_value *type = member(member(json, "model"), "type");
    if (!type || type->type != HONE_STRING || type->u.str.len != strlen("@name@") ||
        memcmp(type->u.str.ptr, "@name@", type->u.str.len) != 0)
        return hone_host_fail(host, HONE_E_UNSUPPORTED, "a description of another tokenizer");
    bytes *b = malloc(sizeof *b);
    if (!b)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    b->host = host;
    for (int i = 0; i < 256; i++)
        b->alphabet[i] = (char)i;
    *self_out = b;
    return HONE_OK;
}
static void destroy(void *self)
{
    free(self);
}

static const hone_tokenizer_v1 table = {sizeof(hone_tokenizer_v1),
                                        0,
                                        encode,
                                        decode,
                                        vocab_size,
                                        token_bytes,
                                        token_bytes,
                                        token_id,
                                        special,
                                        is_special,
                                        fingerprint,
                                        NULL}; /* cut: long texts are taken whole */
HONE_DEFINE_TOKENIZER(component, table, .id = "@id@", .version = "0.1.0",
                      .summary = "a token a byte",
                      .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT |
                              HONE_CAP_BATCH_INVARIANT,
                      .fields = fields, .create = create, .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
