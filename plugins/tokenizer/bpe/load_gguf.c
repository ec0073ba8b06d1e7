/* load_gguf.c - a tokenizer from GGUF metadata (tokenizer.ggml.*).
 *
 * Model "gpt2" is byte-level BPE; what cuts its words is named by `pre` (gguf_pre.c). "bert" is
 * WordPiece, "t5" Unigram.
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

static hone_status around(bpe_tok *t, int32_t front, int32_t back)
{
    int32_t *ends = bpe_arena_alloc(&t->arena, 2 * sizeof *ends);
    if (!ends)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    ends[0] = front;
    ends[1] = back;
    t->add_front = ends;
    t->add_back = ends + 1;
    t->n_front = front >= 0;
    t->n_back = back >= 0;
    return HONE_OK;
}

/* U+2581 is a space, but the first: the text's own begin. */
static void spaced_decoders(bpe_tok *t, int fallback)
{
    if (fallback)
        bpe_decoder_add(t, BPE_D_FALLBACK);
    bpe_decoder *d = bpe_decoder_add(t, BPE_D_REPLACE), *strip;
    d->a.ptr = BPE_WS;
    d->a.len = 3;
    d->b.ptr = " ";
    d->b.len = 1;
    bpe_decoder_add(t, BPE_D_FUSE);
    strip = bpe_decoder_add(t, BPE_D_STRIP);
    strip->a = d->b;
    strip->start = 1;
}

static int32_t id_or(const bpe_tok *t, const hone_value *meta, const char *key, int32_t dflt)
{
    if (bpe_get(meta, key))
        return id_at(t, meta, key);
    return dflt < t->n_ids && t->text[dflt].ptr ? dflt : -1;
}

/* WordPiece as llama.cpp keeps it: U+2581 before pieces that begin a word, nothing before others; the
 * ids that are not written are those of BERT's vocabulary. */
static hone_status load_bert(bpe_tok *t, const hone_value *meta)
{
    t->same_text = 1;
    hone_status s = load_vocab(t, meta);
    if (s >= 0)
        s = bpe_pieces_done(t);
    if (s >= 0)
        s = bpe_vocab_done(t, "tokenizer.ggml");
    if (s >= 0)
        s = bpe_rules_bert(t, 1, 1, 1, 1);
    if (s < 0)
        return s;
    t->model = BPE_M_WORDPIECE;
    t->max_word_chars = INT32_MAX;
    t->word_begin.ptr = BPE_WS;
    t->word_begin.len = 3;
    bpe_step_add(t, BPE_STEP_SPACES)->behavior = BPE_REMOVED;
    bpe_step_add(t, BPE_STEP_PUNCT)->behavior = BPE_ISOLATED;
    spaced_decoders(t, 0);
    t->unk = t->unk_special = id_or(t, meta, KEY "unknown_token_id", 100);
    t->bos = id_or(
        t, meta, bpe_get(meta, KEY "bos_token_id") ? KEY "bos_token_id" : KEY "cls_token_id", 101);
    t->eos = id_or(t, meta, KEY "seperator_token_id", 102); /* spelled so in GGUF */
    t->pad = id_or(t, meta, KEY "padding_token_id", 0);
    return around(t, bpe_flag(meta, KEY "add_bos_token", 1) ? t->bos : -1,
                  bpe_flag(meta, KEY "add_sep_token", 1) ? t->eos : -1);
}

/* The bytes of an array of numbers. */
static hone_status bytes_at(bpe_tok *t, const hone_value *meta, const char *key, hone_str *out)
{
    const hone_value *v = bpe_get(meta, key);
    out->ptr = "";
    out->len = 0;
    if (v && (v->type == HONE_BYTES || v->type == HONE_STRING)) {
        *out = v->u.str;
        return HONE_OK;
    }
    if (!v || v->type != HONE_LIST)
        return v ? malformed(t, "precompiled_charsmap is no array of bytes") : HONE_OK;
    char *p = bpe_arena_alloc(&t->arena, v->u.list.n + 1);
    if (!p)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    for (size_t i = 0; i < v->u.list.n; i++) {
        const hone_value *b = &v->u.list.items[i];
        if (b->type != HONE_I64 || b->u.i64 < -128 || b->u.i64 > 255)
            return malformed(t, "precompiled_charsmap is no array of bytes");
        p[i] = (char)b->u.i64;
    }
    out->ptr = p;
    out->len = v->u.list.n;
    return HONE_OK;
}

/* Unigram with SentencePiece's normalizer. */
static hone_status load_t5(bpe_tok *t, const hone_value *meta)
{
    const char *why = NULL;
    hone_str map;
    t->model = BPE_M_UNIGRAM;
    t->same_text = t->spm_on = t->float_sums = t->user_zero = 1;
    hone_status s = load_vocab(t, meta);
    if (s >= 0)
        s = bpe_vocab_done(t, "tokenizer.ggml");
    if (s >= 0)
        s = load_scores(t, meta);
    if (s >= 0 && t->cannot)
        s = malformed(t, "scores are missing: a t5 vocabulary cannot do without");
    if (s >= 0)
        s = bytes_at(t, meta, KEY "precompiled_charsmap", &map);
    if (s < 0)
        return s;
    if (!bpe_charsmap_init(&t->spm.map, &t->arena, map, &why))
        return hone_host_fail(t->host, why ? HONE_E_PARSE : HONE_E_NOMEM,
                              "tokenizer.ggml: precompiled_charsmap: %s",
                              why ? why : "out of memory");
    t->spm.escape = 1;
    t->spm.dummy_prefix = bpe_flag(meta, KEY "add_space_prefix", 0);
    t->spm.remove_extra = bpe_flag(meta, KEY "remove_extra_whitespaces", 0);
    spaced_decoders(t, 1);
    t->bos = id_at(t, meta, KEY "bos_token_id");
    t->eos = id_or(t, meta, KEY "eos_token_id", 1);
    t->pad = id_or(t, meta, KEY "padding_token_id", 0);
    t->unk = t->unk_special = id_or(t, meta, KEY "unknown_token_id", 2);
    return around(t, bpe_flag(meta, KEY "add_bos_token", 0) ? t->bos : -1,
                  bpe_flag(meta, KEY "add_eos_token", 1) ? t->eos : -1);
}

/* GGUF cannot say that a token takes the white space behind it; Phi-3's do, and are known by the model's
 * name (as in llama.cpp). */
static void phi3_strips(bpe_tok *t, const hone_value *meta)
{
    static const char *const not [] = {"<unk>", "<s>", "<|endoftext|>"};
    hone_str name = bpe_str_of(bpe_get(meta, "general.name"));
    char low[64];
    size_t n = name.len < sizeof low ? name.len : sizeof low;
    for (size_t i = 0; i < n; i++)
        low[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + 32) : name.ptr[i];
    if (!bpe_find(low, n, "phi-3", 5) && !bpe_find(low, n, "phi3", 4))
        return;
    for (size_t i = 0; i < t->n_added; i++) {
        hone_str c = t->added[i].content;
        t->added[i].rstrip = 1;
        for (size_t k = 0; k < sizeof not / sizeof *not ; k++)
            if (c.len == strlen(not [k]) && memcmp(c.ptr, not [k], c.len) == 0)
                t->added[i].rstrip = 0;
    }
}

hone_status bpe_load_gguf(bpe_tok *t, const hone_value *spec)
{
    const hone_value *meta = bpe_get(spec, "metadata"), *model = bpe_get(meta, KEY "model");
    hone_status s;
    int bos = 0;
    if (!model || model->type != HONE_STRING)
        return malformed(t, "model is missing");
    if (bpe_is(model, "bert") || bpe_is(model, "t5"))
        return bpe_is(model, "t5") ? load_t5(t, meta) : load_bert(t, meta);
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
        s = bpe_gguf_pre(t, bpe_get(meta, KEY "pre"), &bos);
    if (s < 0)
        return s;
    if (bpe_is(model, "llama"))
        phi3_strips(t, meta);
    t->bos = id_at(t, meta, KEY "bos_token_id");
    t->eos = id_at(t, meta, KEY "eos_token_id");
    t->pad = id_at(t, meta, KEY "padding_token_id");
    t->unk_special = id_at(t, meta, KEY "unknown_token_id");
    if (t->model != BPE_M_BYTES)
        t->unk = t->unk_special;
    return around(t, bpe_flag(meta, KEY "add_bos_token", bos) ? t->bos : -1,
                  bpe_flag(meta, KEY "add_eos_token", 0) ? t->eos : -1);
}
