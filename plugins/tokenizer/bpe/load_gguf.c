/* load_gguf.c - a tokenizer from GGUF metadata (tokenizer.ggml.*).
 *
 * Model "gpt2" is byte-level BPE; what cuts its words is named by `pre`, and the rules behind a name
 * are llama.cpp's (llama-vocab.cpp). An unknown name is refused: another rule gives other ids.
 * Model "llama" is a SentencePiece BPE vocabulary with scores. Token types: 1 normal,
 * 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. */
#include "bpe.h"

#include <stdio.h>
#include <string.h>

#define KEY "tokenizer.ggml."
enum { T_NORMAL = 1, T_UNKNOWN = 2, T_CONTROL = 3, T_USER = 4, T_UNUSED = 5, T_BYTE = 6 };

static hone_status malformed(const bpe_tok *t, const char *what)
{
    return hone_host_fail(t->host, HONE_E_PARSE, "tokenizer.ggml: %s", what);
}

static const hone_value *list_of(const hone_value *meta, const char *key)
{
    const hone_value *v = bpe_get(meta, key);
    return v && v->type == HONE_LIST ? v : NULL;
}

static int32_t id_at(const bpe_tok *t, const hone_value *meta, const char *key)
{
    const hone_value *v = bpe_get(meta, key);
    /* 2^32 - 1 is how "none" is written */
    return v && v->type == HONE_I64 && v->u.i64 >= 0 && v->u.i64 < t->n_ids ? (int32_t)v->u.i64
                                                                            : -1;
}

static int type_at(const hone_value *types, size_t i)
{
    if (!types || i >= types->u.list.n || types->u.list.items[i].type != HONE_I64)
        return T_NORMAL;
    return (int)types->u.list.items[i].u.i64;
}

static hone_status load_vocab(bpe_tok *t, const hone_value *meta)
{
    const hone_value *tokens = list_of(meta, KEY "tokens"),
                     *types = list_of(meta, KEY "token_type");
    if (!tokens)
        return malformed(t, "tokens is missing, or no list");
    if (types && types->u.list.n != tokens->u.list.n)
        return malformed(t, "token_type and tokens differ in length");
    size_t n = tokens->u.list.n;
    hone_status s = bpe_vocab_begin(t, n > BPE_MAX_ID ? BPE_MAX_ID + 1 : (int32_t)n,
                                    "tokenizer.ggml.tokens");
    if (s < 0)
        return s;
    t->added = bpe_arena_alloc(&t->arena, (n + 1) * sizeof *t->added);
    if (!t->added)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    for (size_t i = 0; i < n; i++) {
        const hone_value *v = &tokens->u.list.items[i];
        int type = type_at(types, i);
        if (v->type != HONE_STRING && v->type != HONE_BYTES)
            return hone_host_fail(t->host, HONE_E_PARSE, "tokenizer.ggml: tokens[%zu] is no string",
                                  i);
        s = bpe_vocab_set(t, (int32_t)i, v->u.str, "tokenizer.ggml.tokens");
        if (s < 0)
            return s;
        t->special[i] = type == T_CONTROL || type == T_UNKNOWN;
        if ((type == T_CONTROL || type == T_USER || type == T_UNKNOWN) && v->u.str.len) {
            bpe_added *a = &t->added[t->n_added++];
            memset(a, 0, sizeof *a);
            a->content = t->text[i];
            a->id = (int32_t)i;
            a->special = t->special[i];
        }
    }
    return HONE_OK;
}

/* Kinds and scores; a vocabulary that is searched by its texts cannot do without. */
static hone_status load_scores(bpe_tok *t, const hone_value *meta)
{
    const hone_value *scores = list_of(meta, KEY "scores"),
                     *types = list_of(meta, KEY "token_type");
    hone_status s = bpe_kinds_begin(t);
    if (s < 0)
        return s;
    if (!scores) {
        t->cannot =
            "tokenizer.ggml.scores is missing: this vocabulary can be decoded but not encoded";
        return HONE_OK;
    }
    if (scores->u.list.n != (size_t)t->n_ids)
        return malformed(t, "scores and tokens differ in length");
    for (int32_t id = 0; id < t->n_ids; id++) {
        const hone_value *v = &scores->u.list.items[id];
        int type = type_at(types, (size_t)id);
        if (v->type != HONE_F64 && v->type != HONE_I64)
            return hone_host_fail(t->host, HONE_E_PARSE, "tokenizer.ggml: scores[%d] is no number",
                                  id);
        t->score[id] = v->type == HONE_F64 ? v->u.f64 : (double)v->u.i64;
        if (!(t->score[id] == t->score[id]))
            return hone_host_fail(t->host, HONE_E_PARSE, "tokenizer.ggml: scores[%d] is NaN", id);
        /* llama.cpp joins to unused pieces as to others, and cuts the user's out beforehand */
        t->kind[id] = type >= T_NORMAL && type <= T_BYTE && type != T_UNUSED ? (uint8_t)type
                                                                             : BPE_T_NORMAL;
    }
    return HONE_OK;
}

static hone_status load_merges(bpe_tok *t, const hone_value *meta)
{
    const hone_value *merges = list_of(meta, KEY "merges");
    if (!merges)
        return malformed(t, "merges is missing: a gpt2 vocabulary cannot encode without");
    if (!bpe_merges_init(&t->merges, &t->arena, merges->u.list.n))
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    for (size_t i = 0; i < merges->u.list.n; i++) {
        const hone_value *m = &merges->u.list.items[i];
        const char *space = m->type == HONE_STRING && m->u.str.len > 2
                                ? memchr(m->u.str.ptr + 1, ' ', m->u.str.len - 1)
                                : NULL;
        size_t at = space ? (size_t)(space - m->u.str.ptr) : 0;
        if (!space || at + 1 >= m->u.str.len)
            return hone_host_fail(t->host, HONE_E_PARSE,
                                  "tokenizer.ggml: merges[%zu] is no pair of tokens", i);
        hone_str a = {m->u.str.ptr, at}, b = {space + 1, m->u.str.len - at - 1};
        hone_status s = bpe_merge_add(t, i, a, b, 0);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static const char *const re_digits[] = {"\\p{N}", BPE_RE_GPT2, NULL};
static const char *const re_gpt2[] = {BPE_RE_GPT2, NULL};
static const char *const re_llama3[] = {BPE_RE_LLAMA3, NULL};
static const char *const re_qwen2[] = {BPE_RE_QWEN2, NULL};
static const char *const re_default[] = {"[\\p{P}\\$\\+<=>\\^~\\|]+", BPE_RE_GPT2, "\\p{N}+",
                                         "[0-9][0-9][0-9]", NULL};

/* smollm: the reference ids (transformers on the GGUF file) cut words by GPT-2's pattern alone; digits stay
 * apart because no merge joins them. llama.cpp cuts \p{N} out first, which differs where several
 * spaces stand in front of a digit. */
static const struct rule {
    const char *name;
    const char *const *patterns;
    int ignore_merges, bos, nfc;
} rules[] = {
    {"default", re_default, 0, 0, 0},  {"gpt-2", re_gpt2, 0, 0, 0},
    {"gpt2", re_gpt2, 0, 0, 0},        {"olmo", re_gpt2, 0, 0, 0},
    {"mpt", re_gpt2, 0, 0, 0},         {"smollm", re_gpt2, 0, 0, 0},
    {"starcoder", re_digits, 0, 0, 0}, {"refact", re_digits, 0, 0, 0},
    {"codeshell", re_digits, 0, 0, 0}, {"command-r", re_digits, 0, 0, 0},
    {"llama3", re_llama3, 1, 1, 0},    {"llama-v3", re_llama3, 1, 1, 0},
    {"llama-bpe", re_llama3, 1, 1, 0}, {"falcon3", re_llama3, 1, 1, 0},
    {"dbrx", re_llama3, 0, 0, 0},      {"smaug-bpe", re_llama3, 0, 0, 0},
    {"qwen2", re_qwen2, 0, 0, 1},      {"deepseek-r1-qwen", re_qwen2, 0, 0, 1},
    {"stablelm2", re_qwen2, 0, 0, 0},
};

static hone_status load_pre(bpe_tok *t, const hone_value *meta, int *bos)
{
    const hone_value *pre = bpe_get(meta, KEY "pre");
    const struct rule *r = pre ? NULL : &rules[0];
    for (size_t i = 0; pre && i < sizeof rules / sizeof *rules; i++)
        if (bpe_is(pre, rules[i].name))
            r = &rules[i];
    if (!r) {
        int is_text = pre->type == HONE_STRING;
        return hone_host_fail(
            t->host, HONE_E_UNSUPPORTED,
            "tokenizer.ggml: pre-tokenizer \"%.*s\" is not known (known: gpt-2, smollm, llama-bpe, "
            "qwen2, default and their aliases)",
            is_text ? (int)(pre->u.str.len < 60 ? pre->u.str.len : 60) : 1,
            is_text ? pre->u.str.ptr : "?");
    }
    if (!pre)
        hone_host_log(t->host, HONE_LEVEL_WARN,
                      "tokenizer.ggml.pre is missing: words are cut by the rule \"default\"");
    t->ignore_merges = r->ignore_merges;
    t->nfc = r->nfc; /* as the models' tokenizer.json has it */
    *bos = r->bos;
    for (const char *const *p = r->patterns; *p; p++) {
        bpe_step *s = &t->steps[t->n_steps++];
        memset(s, 0, sizeof *s);
        s->kind = BPE_STEP_REGEX;
        s->behavior = BPE_ISOLATED;
        s->pattern.ptr = *p;
        s->pattern.len = strlen(*p);
    }
    return HONE_OK;
}

/* SentencePiece pieces as decoding gives them: U+2581 is a space, <0xNN> of type byte is that byte. */
static hone_status sentencepiece_bytes(bpe_tok *t, const hone_value *meta)
{
    const hone_value *types = list_of(meta, KEY "token_type");
    for (int32_t id = 0; id < t->n_ids; id++) {
        hone_str s = t->text[id];
        unsigned b;
        char *out = bpe_arena_alloc(&t->arena, s.len + 1), end;
        size_t n = 0;
        if (!out)
            return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
        if (type_at(types, (size_t)id) == T_BYTE) {
            if (s.len != 6 || sscanf(s.ptr, "<0x%2X%c", &b, &end) != 2 || end != '>')
                return hone_host_fail(t->host, HONE_E_PARSE,
                                      "tokenizer.ggml: tokens[%d] is of type byte but no <0xNN>",
                                      id);
            out[n++] = (char)b;
        } else {
            for (size_t i = 0; i < s.len;) {
                if (!t->special[id] && s.len - i >= 3 &&
                    memcmp(s.ptr + i, "\xE2\x96\x81", 3) == 0) {
                    out[n++] = ' ';
                    i += 3;
                } else {
                    out[n++] = s.ptr[i++];
                }
            }
        }
        out[n] = 0;
        t->bytes[id].ptr = out;
        t->bytes[id].len = n;
    }
    return HONE_OK;
}

hone_status bpe_load_gguf(bpe_tok *t, const hone_value *spec)
{
    const hone_value *meta = bpe_get(spec, "metadata"), *model = bpe_get(meta, KEY "model");
    hone_status s;
    int bos = 0;
    if (!model || model->type != HONE_STRING)
        return malformed(t, "model is missing");
    if (bpe_is(model, "llama")) {
        t->model = BPE_M_SCORES;
        t->same_text = t->byte_fallback = t->spm_on = 1;
        t->spm.dummy_prefix = t->strip_after_bos = bpe_flag(meta, KEY "add_space_prefix", 1);
        t->spm.escape = t->spm.keep_invalid = 1;
        bos = 1;
    } else if (!bpe_is(model, "gpt2")) {
        return hone_host_fail(
            t->host, HONE_E_UNSUPPORTED, "tokenizer.ggml: model \"%.*s\" is not supported",
            (int)(model->u.str.len < 60 ? model->u.str.len : 60), model->u.str.ptr);
    }
    s = load_vocab(t, meta);
    if (s >= 0)
        s = bpe_vocab_done(t, "tokenizer.ggml");
    if (s >= 0 && t->model == BPE_M_SCORES)
        s = sentencepiece_bytes(t, meta);
    if (s >= 0 && t->model == BPE_M_SCORES)
        s = load_scores(t, meta);
    if (s >= 0 && t->model == BPE_M_BYTES)
        s = load_merges(t, meta);
    if (s >= 0 && t->model == BPE_M_BYTES)
        s = load_pre(t, meta, &bos);
    if (s < 0)
        return s;
    t->bos = id_at(t, meta, KEY "bos_token_id");
    t->eos = id_at(t, meta, KEY "eos_token_id");
    t->pad = id_at(t, meta, KEY "padding_token_id");
    t->unk_special = id_at(t, meta, KEY "unknown_token_id");
    if (t->model != BPE_M_BYTES)
        t->unk = t->unk_special;
    int32_t *ends = bpe_arena_alloc(&t->arena, 2 * sizeof *ends);
    if (!ends)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    ends[0] = t->bos;
    ends[1] = t->eos;
    t->add_front = ends;
    t->add_back = ends + 1;
    t->n_front = bpe_flag(meta, KEY "add_bos_token", bos) && t->bos >= 0;
    t->n_back = bpe_flag(meta, KEY "add_eos_token", 0) && t->eos >= 0;
    return HONE_OK;
}
