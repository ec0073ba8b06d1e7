/* gguf_tokenizer.c - tokenizer.json to GGUF's lists.
 *
 * Two kinds: "gpt2", a byte-level BPE (tokens, merges, name of the pre-tokenizer), and "llama", a BPE over
 * characters with bytes as fallback, which GGUF keeps as SentencePiece does: each token has a score and the
 * pair of highest score is joined first. A token's score is minus the rank of the first merge that makes it:
 * merges of one token stand together in such files, so that both orders are the same.
 * Which name the pre-tokenizer has is decided by its rules, never by the model's name.
 *
 * Does not: write vocabularies of other kinds (Unigram, WordPiece): E_UNSUPPORTED. */
#include "nn/gguf_tokenizer.h"
#include "base/alloc.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define PRE "tokenizer.ggml."
enum {
    VOCAB_MAX = 1 << 24,
    MAX_CUTS = 4,
    KIND_NORMAL = 1,
    KIND_UNKNOWN = 2,
    KIND_CONTROL = 3,
    KIND_USER = 4,
    KIND_UNUSED = 5,
    KIND_BYTE = 6
};

typedef struct vocab {
    hone_arena arena; /* names of unused ids, joined merges */
    hone_map ids;     /* text -> id + 1 */
    hone_str *text;
    int32_t *kind;
    float *score;
    size_t n;
} vocab;

static const hone_value *map_at(const hone_value *v, const char *key)
{
    const hone_value *x = v ? hone_value_get(v, key) : NULL;
    return x && x->type == HONE_MAP ? x : NULL;
}
static const hone_value *list_at(const hone_value *v, const char *key)
{
    const hone_value *x = v ? hone_value_get(v, key) : NULL;
    return x && x->type == HONE_LIST ? x : NULL;
}
static int flag_at(const hone_value *v, const char *key)
{
    const hone_value *x = v ? hone_value_get(v, key) : NULL;
    return x && x->type == HONE_BOOL && x->u.boolean;
}
static int type_is(const hone_value *v, const char *type)
{
    const hone_value *x = v && v->type == HONE_MAP ? hone_value_get(v, "type") : NULL;
    return x && x->type == HONE_STRING && hone_str_eq(x->u.str, type);
}

/* The part of type `type` in a component or in its Sequence; NULL when there is none. */
static const hone_value *part(const hone_value *v, const char *parts, const char *type)
{
    const hone_value *list = list_at(v, parts);
    if (type_is(v, type))
        return v;
    for (size_t i = 0; list && i < list->u.list.n; i++)
        if (type_is(&list->u.list.items[i], type))
            return &list->u.list.items[i];
    return NULL;
}

static int32_t id_of(const vocab *v, hone_str text)
{
    uintptr_t at = (uintptr_t)hone_map_get(&v->ids, text.ptr, text.len);
    return at ? (int32_t)(at - 1) : -1;
}

/* ---- tokens ------------------------------------------------------------------------------------------ */
static hone_status put_token(vocab *v, hone_str text, const hone_value *id, int32_t kind)
{
    if (!id || id->type != HONE_I64 || id->u.i64 < 0 || (uint64_t)id->u.i64 >= v->n)
        return hone_fail(HONE_E_PARSE, "token \"%.*s\" has no id below %zu",
                         (int)(text.len < 60 ? text.len : 60), text.ptr, v->n);
    size_t i = (size_t)id->u.i64;
    if (v->text[i].ptr && !hone_str_same(v->text[i], text))
        return hone_fail(HONE_E_PARSE, "tokens \"%.*s\" and \"%.*s\" both have id %zu",
                         (int)(v->text[i].len < 60 ? v->text[i].len : 60), v->text[i].ptr,
                         (int)(text.len < 60 ? text.len : 60), text.ptr, i);
    v->text[i] = text;
    v->kind[i] = kind;
    return hone_map_put(&v->ids, text.ptr, text.len, (void *)(uintptr_t)(i + 1), NULL);
}

static int64_t largest_id(const hone_value *tokens, const hone_value *added)
{
    int64_t most = -1;
    for (size_t i = 0; i < tokens->u.map.n; i++) {
        const hone_value *id = &tokens->u.map.pairs[i].value;
        most = id->type == HONE_I64 && id->u.i64 > most ? id->u.i64 : most;
    }
    for (size_t i = 0; added && i < added->u.list.n; i++) {
        const hone_value *id = hone_value_get(&added->u.list.items[i], "id");
        most = id && id->type == HONE_I64 && id->u.i64 > most ? id->u.i64 : most;
    }
    return most;
}

static hone_status read_tokens(vocab *v, const hone_value *json, int64_t rows)
{
    const hone_value *model = map_at(json, "model"), *tokens = map_at(model, "vocab");
    const hone_value *added = list_at(json, "added_tokens");
    if (!tokens)
        return hone_fail(HONE_E_PARSE, "its model has no vocab");
    int64_t most = largest_id(tokens, added);
    most = most + 1 > rows ? most + 1 : rows;
    if (most < 1 || most > VOCAB_MAX)
        return hone_fail(HONE_E_LIMIT, "%lld ids", (long long)most);
    v->n = (size_t)most;
    v->text = hone_arena_calloc(&v->arena, v->n, sizeof *v->text);
    v->kind = hone_arena_calloc(&v->arena, v->n, sizeof *v->kind);
    v->score = hone_arena_calloc(&v->arena, v->n, sizeof *v->score);
    if (!v->text || !v->kind || !v->score)
        return hone_error_get()->code;
    for (size_t i = 0; i < tokens->u.map.n; i++)
        HONE_TRY(
            put_token(v, tokens->u.map.pairs[i].key, &tokens->u.map.pairs[i].value, KIND_NORMAL));
    for (size_t i = 0; added && i < added->u.list.n; i++) {
        const hone_value *a = &added->u.list.items[i], *text = hone_value_get(a, "content");
        if (!text || text->type != HONE_STRING)
            return hone_fail(HONE_E_PARSE, "added token %zu has no content", i);
        HONE_TRY(put_token(v, text->u.str, hone_value_get(a, "id"),
                           flag_at(a, "special") ? KIND_CONTROL : KIND_USER));
    }
    for (size_t i = 0; i < v->n; i++) {
        char name[32];
        if (v->text[i].ptr)
            continue;
        v->text[i].len = (size_t)snprintf(name, sizeof name, "[PAD%zu]", i);
        v->text[i].ptr = hone_arena_strndup(&v->arena, name, v->text[i].len);
        v->kind[i] = KIND_UNUSED;
        if (!v->text[i].ptr)
            return hone_error_get()->code;
    }
    return HONE_OK;
}

/* ---- merges ------------------------------------------------------------------------------------------ */
/* "a b" and ["a", "b"] as "a b"; the two halves too. */
static hone_status read_merge(vocab *v, const hone_value *merge, size_t i, hone_str *out,
                              hone_str half[2])
{
    if (merge->type == HONE_STRING) {
        const char *space = memchr(merge->u.str.ptr, ' ', merge->u.str.len);
        if (!space)
            return hone_fail(HONE_E_PARSE, "merge %zu is no pair", i);
        *out = merge->u.str;
        half[0] = (hone_str){out->ptr, (size_t)(space - out->ptr)};
        half[1] = (hone_str){space + 1, out->len - half[0].len - 1};
        return HONE_OK;
    }
    if (merge->type != HONE_LIST || merge->u.list.n != 2 ||
        merge->u.list.items[0].type != HONE_STRING || merge->u.list.items[1].type != HONE_STRING)
        return hone_fail(HONE_E_PARSE, "merge %zu is no pair", i);
    half[0] = merge->u.list.items[0].u.str;
    half[1] = merge->u.list.items[1].u.str;
    char *text = hone_arena_alloc(&v->arena, half[0].len + half[1].len + 2);
    if (!text)
        return hone_error_get()->code;
    memcpy(text, half[0].ptr, half[0].len);
    text[half[0].len] = ' ';
    memcpy(text + half[0].len + 1, half[1].ptr, half[1].len);
    *out = (hone_str){text, half[0].len + half[1].len + 1};
    return HONE_OK;
}

static hone_status put_merges(hone_gguf_meta *m, vocab *v, const hone_value *merges)
{
    hone_str *texts = hone_arena_calloc(&v->arena, merges->u.list.n + 1, sizeof *texts), half[2];
    if (!texts)
        return hone_error_get()->code;
    for (size_t i = 0; i < merges->u.list.n; i++)
        HONE_TRY(read_merge(v, &merges->u.list.items[i], i, &texts[i], half));
    hone_gguf_meta_strs(m, PRE "merges", texts, merges->u.list.n);
    return HONE_OK;
}

/* score = -(rank of the first merge that makes the token) - 1; tokens no merge makes come last. */
static hone_status score_tokens(vocab *v, const hone_value *merges)
{
    hone_str text, half[2];
    hone_buf whole;
    hone_status s = HONE_OK;
    for (size_t i = 0; i < v->n; i++)
        v->score[i] = v->kind[i] == KIND_NORMAL ? -(float)merges->u.list.n - 1.0f : 0.0f;
    hone_buf_init(&whole, 1 << 20);
    for (size_t i = merges->u.list.n; i-- > 0 && s >= 0;) {
        if ((s = read_merge(v, &merges->u.list.items[i], i, &text, half)) < 0)
            break;
        hone_buf_clear(&whole);
        hone_buf_add_str(&whole, half[0]);
        hone_buf_add_str(&whole, half[1]);
        int32_t id = id_of(v, hone_buf_str(&whole));
        if (whole.failed < 0 || id < 0)
            s = hone_fail(HONE_E_PARSE, "merge %zu makes no token", i);
        else if (v->kind[id] == KIND_NORMAL)
            v->score[id] = -(float)i - 1.0f;
    }
    hone_buf_release(&whole);
    return s;
}

/* ---- rules ------------------------------------------------------------------------------------------- */
/* Does a token that is no added one join a digit to something? */
static int joins_digits(const vocab *v)
{
    for (size_t i = 0; i < v->n; i++)
        for (size_t k = 0; v->kind[i] == KIND_NORMAL && v->text[i].len > 1 && k < v->text[i].len;
             k++)
            if (v->text[i].ptr[k] >= '0' && v->text[i].ptr[k] <= '9')
                return 1;
    return 0;
}

/* The expressions of all Splits that cut matches out, in order; digits: there is a Digits, each alone. 0: there is
 * a part that GGUF cannot say. */
static int cuts(const hone_value *pre, hone_str *splits, size_t *n, int *digits)
{
    const hone_value *list = list_at(pre, "pretokenizers");
    size_t parts = list ? list->u.list.n : 1;
    *n = 0;
    *digits = 0;
    for (size_t i = 0; i < parts; i++) {
        const hone_value *p = list ? &list->u.list.items[i] : pre;
        const hone_value *regex = hone_value_path(p, "pattern.Regex"),
                         *behaviour = hone_value_get(p, "behavior");
        if (type_is(p, "ByteLevel"))
            continue;
        if (type_is(p, "Digits") && flag_at(p, "individual_digits") && !*digits && !*n) {
            *digits = 1;
            continue;
        }
        if (!type_is(p, "Split") || *n == MAX_CUTS || *digits || flag_at(p, "invert") || !regex ||
            regex->type != HONE_STRING || !behaviour || behaviour->type != HONE_STRING ||
            !hone_str_eq(behaviour->u.str, "Isolated"))
            return 0;
        splits[(*n)++] = regex->u.str;
    }
    return 1;
}

static hone_status find_pre(const hone_value *json, const vocab *v, hone_str *out)
{
    hone_str splits[MAX_CUTS];
    size_t n;
    int digits;
    out->ptr = NULL;
    if (cuts(map_at(json, "pre_tokenizer"), splits, &n, &digits)) {
        /* "smollm" and "starcoder" both take digits alone; hone cuts "smollm" as its vocabulary allows */
        *out = digits && !joins_digits(v)
                   ? hone_str_c("smollm")
                   : hone__gguf_pre_name(
                         splits, n, digits, flag_at(map_at(json, "model"), "ignore_merges"),
                         part(map_at(json, "normalizer"), "normalizers", "NFC") != NULL);
    }
    if (out->ptr)
        return HONE_OK;
    hone_fail(HONE_E_UNSUPPORTED, "GGUF has no name that hone knows for its pre-tokenizer");
    return hone_fail_hint("--pre NAME if llama.cpp has one, or --without-tokenizer");
}

static hone_status put_rules(hone_gguf_meta *m, vocab *v, const hone_value *json, const char *pre)
{
    const hone_value *model = map_at(json, "model"), *merges = list_at(model, "merges");
    const hone_value *normalizer = map_at(json, "normalizer"),
                     *unk = hone_value_get(model, "unk_token");
    const hone_value *type = hone_value_get(model, "type");
    if (!merges || (type && !type_is(model, "BPE")))
        return hone_fail(HONE_E_UNSUPPORTED,
                         "only BPE vocabularies are written to GGUF, and this is %.*s",
                         type && type->type == HONE_STRING ? (int)type->u.str.len : 7,
                         type && type->type == HONE_STRING ? type->u.str.ptr : "another");
    if (part(map_at(json, "pre_tokenizer"), "pretokenizers", "ByteLevel")) {
        hone_str name = hone_str_c(pre);
        if (!pre)
            HONE_TRY(find_pre(json, v, &name));
        hone_gguf_meta_str(m, PRE "model", hone_str_c("gpt2"));
        hone_gguf_meta_str(m, PRE "pre", name);
        return put_merges(m, v, merges);
    }
    if (!flag_at(model, "byte_fallback"))
        return hone_fail(HONE_E_UNSUPPORTED,
                         "a BPE vocabulary that is neither byte-level nor falls back to bytes");
    HONE_TRY(score_tokens(v, merges));
    for (size_t i = 0; i < v->n; i++)
        if (v->text[i].len == 6 && memcmp(v->text[i].ptr, "<0x", 3) == 0 &&
            v->text[i].ptr[5] == '>' && v->kind[i] == KIND_NORMAL) {
            v->kind[i] = KIND_BYTE;
            v->score[i] = 0.0f;
        }
    if (unk && unk->type == HONE_STRING && id_of(v, unk->u.str) >= 0)
        v->kind[id_of(v, unk->u.str)] = KIND_UNKNOWN;
    hone_gguf_meta_str(m, PRE "model", hone_str_c("llama"));
    hone_gguf_meta_str(m, PRE "pre", hone_str_c("default"));
    hone_gguf_meta_f32s(m, PRE "scores", v->score, v->n);
    hone_gguf_meta_bool(m, PRE "add_space_prefix",
                        part(normalizer, "normalizers", "Prepend") != NULL ||
                            part(map_at(json, "pre_tokenizer"), "pretokenizers", "Metaspace") !=
                                NULL);
    return HONE_OK;
}

/* ---- ids --------------------------------------------------------------------------------------------- */
static void put_named(hone_gguf_meta *m, const vocab *v, const hone_value *config, const char *name,
                      const char *key)
{
    const hone_value *x = config ? hone_value_get(config, name) : NULL;
    if (x && x->type == HONE_MAP)
        x = hone_value_get(x, "content");
    int32_t id = x && x->type == HONE_STRING ? id_of(v, x->u.str) : -1;
    if (id >= 0)
        hone_gguf_meta_u32(m, key, (uint32_t)id);
}

/* Does the post-processor put `id` in front of a text? */
static int begins_with(const hone_value *json, hone_str text)
{
    const hone_value *p = part(map_at(json, "post_processor"), "processors", "TemplateProcessing");
    const hone_value *single = list_at(p, "single");
    const hone_value *first = single && single->u.list.n
                                  ? hone_value_path(&single->u.list.items[0], "SpecialToken.id")
                                  : NULL;
    return first && first->type == HONE_STRING && hone_str_same(first->u.str, text);
}

static void put_ids(hone_gguf_meta *m, const vocab *v, const hone_weights *w,
                    const hone_value *json, const hone_value *config)
{
    static const char *const ends[] = {PRE "eos_token_id", PRE "eot_token_id", PRE "eom_token_id"};
    int32_t stop[32];
    hone_weights_chat chat;
    const hone_value *bos = hone_weights_config(w)
                                ? hone_value_get(hone_weights_config(w), "bos_token_id")
                                : NULL;
    size_t n = hone_weights_stop_ids(w, stop, 32), used = 0;
    hone_weights_get_chat(w, &chat);
    put_named(m, v, config, "bos_token", PRE "bos_token_id");
    if (bos && bos->type == HONE_I64 && bos->u.i64 >= 0 && (uint64_t)bos->u.i64 < v->n)
        hone_gguf_meta_u32(m, PRE "bos_token_id", (uint32_t)bos->u.i64);
    for (size_t i = 0; i < n && i < 32 && used < 3; i++)
        if ((size_t)stop[i] < v->n)
            hone_gguf_meta_u32(m, ends[used++], (uint32_t)stop[i]);
    put_named(m, v, config, "eos_token", PRE "eos_token_id");
    put_named(m, v, config, "unk_token", PRE "unknown_token_id");
    put_named(m, v, config, "pad_token", PRE "padding_token_id");
    hone_gguf_meta_bool(m, PRE "add_bos_token", chat.bos.ptr && begins_with(json, chat.bos));
    hone_gguf_meta_bool(m, PRE "add_eos_token", 0);
}

hone_status hone_gguf_put_tokenizer(hone_gguf_meta *m, const hone_weights *w, int64_t rows,
                                    const char *pre)
{
    const hone_value *described = hone_weights_tokenizer(w);
    const hone_value *json = map_at(described, "json"), *config = map_at(described, "config");
    hone_weights_chat chat;
    vocab v = {0};
    if (!json) {
        hone_gguf_meta_str(m, PRE "model", hone_str_c("none")); /* llama.cpp wants to be told */
        return HONE_OK;
    }
    hone_arena_init(&v.arena, (size_t)2 << 30);
    hone_map_init(&v.ids);
    hone_status s = read_tokens(&v, json, rows);
    if (s >= 0)
        s = put_rules(m, &v, json, pre);
    if (s >= 0) {
        hone_gguf_meta_strs(m, PRE "tokens", v.text, v.n);
        hone_gguf_meta_i32s(m, PRE "token_type", v.kind, v.n);
        put_ids(m, &v, w, json, config);
        hone_weights_get_chat(w, &chat);
        if (chat.source.ptr)
            hone_gguf_meta_str(m, "tokenizer.chat_template", chat.source);
    } else {
        hone_fail_at("%s: tokenizer.json", hone_weights_path(w));
    }
    hone_map_release(&v.ids);
    hone_arena_release(&v.arena);
    return s;
}
