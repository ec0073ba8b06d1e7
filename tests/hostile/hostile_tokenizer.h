/* hostile_tokenizer.h - a tokenizer of bytes that is in order, but for what the file that includes it defines
 * (hostile_kind.h has the idea). */
#include "hone/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ON_TEXT /* code for text i, its `ids`, `spans`, `n_ids` */
#define ON_TEXT
#endif
#ifndef ON_LIST /* code for list i of decode, its `bytes` and `n_bytes` */
#define ON_LIST
#endif
#ifndef ON_TOKEN /* of token_bytes and token_text; may return */
#define ON_TOKEN
#endif
static const hone_host *the_host;
static char names[256][8];

static hone_status encode(void *self, const hone_str *texts, size_t n, uint32_t flags,
                          const hone_ids_sink *sink)
{
    (void)self;
    for (size_t i = 0; i < n; i++) {
        size_t n_ids = texts[i].len;
        int32_t *ids = malloc((n_ids + 1) * sizeof *ids);
        hone_span32 *spans = malloc((n_ids + 1) * sizeof *spans);
        hone_status s = ids && spans ? HONE_OK
                                     : hone_host_fail(the_host, HONE_E_NOMEM, "out of memory");
        for (size_t k = 0; s >= 0 && k < n_ids; k++) {
            ids[k] = (unsigned char)texts[i].ptr[k];
            spans[k].begin = (uint32_t)k;
            spans[k].end = (uint32_t)k + 1;
        }
        ON_TEXT
        if (s >= 0)
            s = sink->put(sink, i, ids, flags & HONE_ENCODE_OFFSETS ? spans : NULL, n_ids);
        free(ids);
        free(spans);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}
static hone_status decode(void *self, const hone_ids *lists, size_t n, uint32_t flags,
                          const hone_text_sink *sink)
{
    (void)self;
    (void)flags;
    for (size_t i = 0; i < n; i++) {
        size_t n_bytes = lists[i].n;
        char *bytes = malloc(n_bytes + 1);
        hone_status s = bytes ? HONE_OK : hone_host_fail(the_host, HONE_E_NOMEM, "out of memory");
        for (size_t k = 0; s >= 0 && k < n_bytes; k++) {
            if (lists[i].ids[k] < 0 || lists[i].ids[k] > 255)
                s = hone_host_fail(the_host, HONE_E_RANGE, "there is no such id");
            else
                bytes[k] = (char)lists[i].ids[k];
        }
        ON_LIST
        if (s >= 0)
            s = sink->put(sink, i, (hone_str){bytes, n_bytes});
        free(bytes);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}
static int32_t vocab_size(void *self)
{
    (void)self;
    return 256;
}
static hone_str token_bytes(void *self, int32_t id)
{
    (void)self;
    if (id < 0 || id > 255)
        return (hone_str){NULL, 0};
    ON_TOKEN
    names[id][0] = (char)id;
    return (hone_str){names[id], 1};
}
static int32_t token_id(void *self, hone_str text)
{
    (void)self;
    return text.len == 1 ? (unsigned char)text.ptr[0] : -1;
}
static int32_t special(void *self, const char *name)
{
    (void)self;
    (void)name;
    return -1;
}
static int32_t is_special(void *self, int32_t id)
{
    (void)self;
    (void)id;
    return 0;
}
static void fingerprint(void *self, char out[65])
{
    (void)self;
    memset(out, 'a', 64);
    out[64] = 0;
}
static const hone_tokenizer_v1 table = {sizeof table, 0,           encode,      decode,
                                        vocab_size,   token_bytes, token_bytes, token_id,
                                        special,      is_special,  fingerprint, NULL};
#define KIND HONE_KIND_TOKENIZER
#define IFACE HONE_IFACE_TOKENIZER
#define TABLE_OF &table
#include "hostile_common.h"
