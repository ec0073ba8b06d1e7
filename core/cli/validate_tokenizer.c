/* validate_tokenizer.c - tokenizers: there and back again, offsets, the vocabulary (validate.h).
 *
 * Without --set spec=... the description is that of the embedded model; a component which reads another format gets one
 * that names it: {"model": {"type": "<its short name>"}}, as `hone plugin new tokenizer` makes it. */
#include "cli/validate.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/paths.h"
#include "base/rng.h"
#include "hone/tokenizer.h"

#include <stdio.h>
#include <string.h>

static hone_status settings(hone__v *v, int attempt, hone_pair *pairs, size_t *n)
{
    hone_pair *p = hone_arena_calloc(&v->arena, 3, sizeof *p);
    hone_status s = HONE_OK;
    int reads = 0;
    for (size_t i = 0; v->info->c.fields && v->info->c.fields[i]; i++)
        reads |= strcmp(v->info->c.fields[i]->name, "spec") == 0;
    for (size_t i = 0; i < *n; i++)
        if (hone_str_eq(pairs[i].key, "spec"))
            return 0;
    if (!reads)
        return 0;
    if (!p)
        return HONE_E_NOMEM;
    p[0].key = hone_str_c("format");
    p[0].value = (hone_value){.type = HONE_STRING, .u.str = hone_str_c("tokenizer.json")};
    p[1].key = hone_str_c("json");
    if (attempt == 0) {
        char *path = hone_path_join(hone_paths_assets(), "tiny/tokenizer.json");
        s = path ? hone_json_parse_file(path, 0, &v->arena, &p[1].value) : HONE_E_NOMEM;
        hone_free(path);
    } else {
        char text[256];
        snprintf(text, sizeof text, "{\"model\": {\"type\": \"%.100s\"}}", v->info->short_name);
        const char *copy = hone_arena_strndup(&v->arena, text, strlen(text));
        s = copy ? hone_json_parse(copy, strlen(copy), "spec", &v->arena, &p[1].value)
                 : HONE_E_NOMEM;
    }
    if (s < 0)
        return s;
    pairs[*n].key = hone_str_c("spec");
    pairs[*n].value = (hone_value){.type = HONE_MAP, .u.map = {p, 2}};
    ++*n;
    return attempt == 0;
}

/* ---- texts ---------------------------------------------------------------------------------------- */

/* A function in Lua that takes a text letter by letter pays for the length at each of them. */
static size_t longest(const hone__v *v)
{
    return v->lua ? HONE__V_MEGABYTE / 64 : HONE__V_MEGABYTE;
}

static hone_str make_text(const hone__v *v, const hone__vwork *w, size_t k, hone__vfence *f)
{
    static const char *const words[] = {"The",
                                        " answer",
                                        " is",
                                        " 12",
                                        "\n",
                                        "  ",
                                        "don't",
                                        " \xc3\xa9t\xc3\xa9",
                                        "\xe4\xbd\xa0\xe5\xa5\xbd",
                                        "\xf0\x9f\x9a\x80",
                                        "x",
                                        "!?",
                                        "\t",
                                        " Caf\xc3\xa9",
                                        "3.14159",
                                        "<|",
                                        "|>",
                                        "_",
                                        "ABC",
                                        "e\xcc\x81"};
    const hone_rng_key key = {w->seed, HONE_RNG_USER, 0, k, 0};
    char text[512];
    size_t len = 0;
    if (w->items == HONE__V_ODD)
        return hone__v_odd_text(f, k);
    if (w->items == HONE__V_EMPTY)
        return (hone_str){NULL, 0};
    if (w->items == HONE__V_LONG) {
        char *p = hone__v_fence_take(f, longest(v), 1);
        for (size_t i = 0; p && i < longest(v); i++)
            p[i] = "some words, 12 of them. "[i % 24];
        return (hone_str){p, p ? longest(v) : 0};
    }
    for (size_t i = 0, n = hone_rng_below(&key, 0, 24); i < n; i++) {
        const char *word = words[hone_rng_below(&key, 1 + i, sizeof words / sizeof *words)];
        size_t m = strlen(word);
        memcpy(text + len, word, m);
        len += m;
    }
    return hone__v_put(f, text, len);
}

typedef struct answers {
    hone__v *v;
    const hone_str *texts;
    size_t n, next;
    int32_t vocab;
    int offsets;
    uint64_t *digest;
    hone_buf *ids; /* of each text, or NULL */
} answers;

static hone_status put_ids(const hone_ids_sink *sink, size_t text, const int32_t *ids,
                           const hone_span32 *offsets, size_t n)
{
    answers *a = sink->ctx;
    if (text != a->next || text >= a->n)
        return hone__v_refuse(a->v, HONE_E_RANGE, "ids of text %zu, after %zu of %zu texts", text,
                              a->next, a->n);
    a->next++;
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= a->vocab) {
            hone__v_fail(a->v, "text %zu: id %d of a vocabulary of %d", text, ids[i], a->vocab);
            break;
        }
    if (a->offsets && n && !offsets)
        hone__v_fail(a->v, "text %zu: no offsets, though they were asked for", text);
    for (size_t i = 0; a->offsets && offsets && i < n; i++)
        if (offsets[i].begin > offsets[i].end || offsets[i].end > a->texts[text].len ||
            (i && offsets[i].begin < offsets[i - 1].begin)) {
            hone__v_fail(a->v,
                         "text %zu: token %zu is at %u to %u of %zu bytes, which is not in order",
                         text, i, offsets[i].begin, offsets[i].end, a->texts[text].len);
            break;
        }
    a->digest[text] = hone_xxh64(ids, n * sizeof *ids, 1) | 1;
    return a->ids ? hone_buf_add(&a->ids[text], ids, n * sizeof *ids) : HONE_OK;
}

/* Encodes the texts of `w`; `ids` (n buffers) may be NULL. */
static hone_status encode(hone__v *v, hone__vinst *i, hone__vwork *w, uint32_t flags, hone_buf *ids,
                          hone_arena *keep_texts, hone_str *kept)
{
    const hone_tokenizer_v1 *vt = i->vt;
    hone__vfence texts = {0}, in = {0};
    size_t each = w->items == HONE__V_ODD || w->items == HONE__V_LONG ? HONE__V_MEGABYTE : 512;
    hone_arena scratch;
    answers a = {.v = v, .n = w->n, .ids = ids, .offsets = (flags & HONE_ENCODE_OFFSETS) != 0};
    hone_ids_sink sink = {sizeof sink, 0, &a, put_ids};
    w->whole = 0;
    if (!HONE_HAS(vt, hone_tokenizer_v1, encode) || !HONE_HAS(vt, hone_tokenizer_v1, decode) ||
        !HONE_HAS(vt, hone_tokenizer_v1, vocab_size)) {
        hone__v_fail(v, "its table lacks encode, decode or vocab_size");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    hone_arena_init(&scratch, (size_t)1 << 30);
    a.digest = hone_arena_calloc(&scratch, w->n + 1, sizeof *a.digest);
    hone_status s = a.digest ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0)
        s = hone__v_fence_open(&texts, (w->n + 1) * each, "the texts");
    if (s >= 0)
        s = hone__v_fence_open(&in, (w->n + 1) * sizeof(hone_str), "the array of texts");
    hone_str *list = s >= 0 ? hone__v_fence_take(&in, w->n * sizeof *list, 8) : NULL;
    for (size_t k = 0; s >= 0 && k < w->n; k++) {
        list[k] = make_text(v, w, w->index ? w->index[k] : k, &texts);
        if (kept)
            kept[k] = hone_arena_str(keep_texts, list[k]);
    }
    if (s >= 0) {
        char what[64];
        hone__v_fence_readonly(&texts);
        hone__v_fence_readonly(&in);
        a.texts = list;
        hone__v_stage(v, "vocab_size");
        a.vocab = vt->vocab_size(i->self);
        snprintf(what, sizeof what, "encode of %zu texts", w->n);
        hone__v_enter(v, i, what);
        s = hone__v_leave(v, i, "encode", vt->encode(i->self, list, w->n, flags, &sink));
        if (s >= 0 && a.next != w->n)
            hone__v_fail(v, "gave ids for %zu of %zu texts", a.next, w->n);
        for (size_t k = 0; k < w->n; k++) {
            if (w->digest)
                w->digest[k] = a.digest[k];
            w->whole = hone_xxh64(&a.digest[k], sizeof a.digest[k], w->whole);
        }
    }
    hone__v_fence_close(&texts, w->keep);
    hone__v_fence_close(&in, w->keep);
    hone_arena_release(&scratch);
    return s;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    return encode(v, i, w, HONE_ENCODE_SPECIAL, NULL, NULL, NULL);
}

/* ---- tests of tokenizers -------------------------------------------------------------------------- */

static hone_status put_text(const hone_text_sink *sink, size_t index, hone_str text)
{
    hone_buf *b = sink->ctx;
    return index ? hone_fail(HONE_E_RANGE, "text %zu of one", index) : hone_buf_add_str(b, text);
}

static hone_status decode(hone__v *v, hone__vinst *i, const int32_t *ids, size_t n, hone_buf *out)
{
    const hone_tokenizer_v1 *vt = i->vt;
    hone_text_sink sink = {sizeof sink, 0, out, put_text};
    hone_ids one = {ids, n};
    hone_buf_clear(out);
    hone__v_enter(v, i, "decode");
    return hone__v_leave(v, i, "decode", vt->decode(i->self, &one, 1, 0, &sink));
}

static void there_and_back(hone__v *v, int items, size_t n)
{
    hone_buf ids[64], text;
    hone_str kept[64];
    hone_arena arena;
    hone__vwork w = {.seed = v->seed, .n = n, .items = items};
    hone__vinst *i = hone__v_need(v);
    hone_arena_init(&arena, (size_t)1 << 30);
    hone_buf_init(&text, 1 << 28);
    for (size_t k = 0; k < n; k++)
        hone_buf_init(&ids[k], 1 << 28);
    if (i && encode(v, i, &w, 0, ids, &arena, kept) < 0)
        hone__v_fail(v, "encode: %s", hone__v_error());
    for (size_t k = 0; i && k < n && !hone__v_failed(v); k++) {
        if (decode(v, i, (const int32_t *)(const void *)ids[k].ptr, ids[k].len / 4, &text) < 0)
            hone__v_fail(v, "decode of what encode gave: %s", hone__v_error());
        else if (text.len != kept[k].len ||
                 (text.len && memcmp(text.ptr, kept[k].ptr, text.len) != 0))
            hone__v_fail(v, "decode(encode(x)) is \"%.60s\" for x = \"%.*s\"", text.ptr,
                         kept[k].len > 60 ? 60 : (int)kept[k].len, kept[k].ptr ? kept[k].ptr : "");
    }
    for (size_t k = 0; k < n; k++)
        hone_buf_release(&ids[k]);
    hone_buf_release(&text);
    hone_arena_release(&arena);
    hone__v_destroy(v, i);
}

static void t_round_trip(hone__v *v)
{
    there_and_back(v, HONE__V_PLAIN, 64);
}
static void t_empty(hone__v *v)
{
    there_and_back(v, HONE__V_EMPTY, 2);
}
static void t_long(hone__v *v)
{
    there_and_back(v, HONE__V_LONG, 1);
}

static void t_offsets(hone__v *v)
{
    hone__vwork w = {.seed = v->seed, .n = 64};
    hone__vinst *i = hone__v_need(v);
    if (i && encode(v, i, &w, HONE_ENCODE_OFFSETS | HONE_ENCODE_SPECIAL, NULL, NULL, NULL) < 0)
        hone__v_fail(v, "encode: %s", hone__v_error());
    hone__v_destroy(v, i);
}

static void t_vocabulary(hone__v *v)
{
    enum { MOST = 3000 };
    hone_buf text;
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    const hone_tokenizer_v1 *vt = i->vt;
    hone_buf_init(&text, 1 << 24);
    if (!HONE_HAS(vt, hone_tokenizer_v1, token_bytes) ||
        !HONE_HAS(vt, hone_tokenizer_v1, token_text) ||
        !HONE_HAS(vt, hone_tokenizer_v1, token_id) || !HONE_HAS(vt, hone_tokenizer_v1, special) ||
        !HONE_HAS(vt, hone_tokenizer_v1, is_special)) {
        hone__v_fail(v, "its table lacks token_bytes, token_text, token_id, special or is_special");
        return hone__v_destroy(v, i);
    }
    const int32_t n = vt->vocab_size(i->self);
    hone__v_stage(v, "the vocabulary");
    for (int32_t id = 0; id < n && id < MOST && !hone__v_failed(v); id++) {
        hone_str bytes = vt->token_bytes(i->self, id), name = vt->token_text(i->self, id);
        if (name.ptr && name.len) {
            int32_t back = vt->token_id(i->self, name);
            if (back < 0 || back >= n)
                hone__v_fail(v, "token %d is written \"%.*s\", and token_id of that is %d", id,
                             name.len > 40 ? 40 : (int)name.len, name.ptr, back);
        }
        if (bytes.ptr && decode(v, i, &id, 1, &text) < 0)
            hone__v_fail(v, "decode of token %d: %s", id, hone__v_error());
    }
    static const int32_t outside[] = {-1, INT32_MIN, INT32_MAX};
    for (int k = 0; k < 4 && !hone__v_failed(v); k++) {
        const int32_t id = k == 3 ? n : outside[k];
        if (decode(v, i, &id, 1, &text) >= 0)
            hone__v_fail(v, "decode takes id %d of a vocabulary of %d", id, n);
        else if (vt->token_bytes(i->self, id).ptr || vt->token_text(i->self, id).ptr)
            hone__v_fail(v, "there is a token %d of a vocabulary of %d", id, n);
    }
    static const char *const names[] = {"bos", "eos", "pad", "unk", "", "nothing"};
    for (size_t k = 0; k < 6; k++) {
        const int32_t id = vt->special(i->self, names[k]);
        if (id < -1 || id >= n)
            hone__v_fail(v, "special(\"%s\") is %d of a vocabulary of %d", names[k], id, n);
    }
    hone_buf_release(&text);
    hone__v_destroy(v, i);
}

static void t_fingerprint(hone__v *v)
{
    char a[65] = "", b[65] = "";
    hone__vinst *i = hone__v_need(v), *k = i ? hone__v_need(v) : NULL;
    if (k && !HONE_HAS((const hone_tokenizer_v1 *)i->vt, hone_tokenizer_v1, fingerprint))
        hone__v_fail(v, "its table lacks fingerprint");
    else if (k) {
        hone__v_stage(v, "fingerprint");
        ((const hone_tokenizer_v1 *)i->vt)->fingerprint(i->self, a);
        ((const hone_tokenizer_v1 *)k->vt)->fingerprint(k->self, b);
        if (strspn(a, "0123456789abcdef") != 64 || a[64])
            hone__v_fail(v, "its fingerprint is not 64 hexadecimal digits");
        else if (memcmp(a, b, 64) != 0)
            hone__v_fail(v, "two instances with the same settings have two fingerprints");
    }
    hone__v_destroy(v, k);
    hone__v_destroy(v, i);
}

static const hone__vtest tests[] = {
    {"tokenizer.round_trip", t_round_trip, 0, "decode(encode(x)) = x over texts by chance"},
    {"tokenizer.empty", t_empty, 0, "empty texts"},
    {"tokenizer.long", t_long, HONE__VT_SLOW, "a text of a megabyte"},
    {"tokenizer.offsets", t_offsets, 0, "offsets rise and lie in the text"},
    {"tokenizer.vocabulary", t_vocabulary, 0, "every token by id and by text; ids outside refused"},
    {"tokenizer.fingerprint", t_fingerprint, 0, "the same for the same settings"},
    {0}};
const hone__vkind hone__v_tokenizer = {
    HONE_KIND_TOKENIZER, HONE_IFACE_TOKENIZER, settings, work, tests, 0};
