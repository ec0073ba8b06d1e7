/* reader.c - keys of a configuration, one by one, and those that all families have.
 *
 * Each key that is looked at is reported as used, so that the host can refuse one that is set and that nobody looked
 * at. Sizes are checked here, once: the rest relies on them. Numbers are finite or refused. A family's own keys are
 * read by its file, rope by rope.c. */
#include "decoders.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int decoder_is(hone_str s, const char *z)
{
    size_t n = strlen(z);
    return s.len == n && memcmp(s.ptr, z, n) == 0;
}

const hone_value *decoder_get(const hone_value *map, const char *key)
{
    if (!map || map->type != HONE_MAP)
        return NULL;
    for (size_t i = 0; i < map->u.map.n; i++)
        if (decoder_is(map->u.map.pairs[i].key, key))
            return &map->u.map.pairs[i].value;
    return NULL;
}

/* ---- one key --------------------------------------------------------------------------------- */
hone_status decoder_refuse(decoder_reader *r, hone_status s, const char *fmt, ...)
{
    char text[256];
    hone_str t = {text, 0};
    va_list ap;
    int n;
    if (r->failed < 0)
        return r->failed;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    t.len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    r->failed = r->store->fail(r->store, s, t);
    return r->failed;
}

const char *decoder_key(const decoder_facts *f, const char *tail, char key[96])
{
    snprintf(key, 96, "%s.%s", f->family->gguf, tail);
    return key;
}

/* The key as the host sees it, reported as used. */
static const hone_value *use(decoder_reader *r, const char *key, char full[160])
{
    const hone_value *v = decoder_get(r->map, key);
    snprintf(full, 160, "%s%s%s", r->name, *r->name ? "." : "", key);
    r->store->used_key(r->store, full);
    return v && v->type != HONE_NULL ? v : NULL;
}

const hone_value *decoder_use(decoder_reader *r, const char *key)
{
    char full[160];
    return use(r, key, full);
}

double decoder_number(decoder_reader *r, const char *key, double dflt)
{
    char full[160];
    const hone_value *v = use(r, key, full);
    if (!v)
        return dflt;
    if (v->type == HONE_I64)
        return (double)v->u.i64;
    if (v->type != HONE_F64)
        decoder_refuse(r, HONE_E_TYPE, "\"%s\" is no number", full);
    else if (!isfinite(v->u.f64))
        decoder_refuse(r, HONE_E_RANGE, "\"%s\" is %g", full, v->u.f64);
    else
        return v->u.f64;
    return dflt;
}

int64_t decoder_whole(decoder_reader *r, const char *key, int64_t dflt, int64_t lo, int64_t hi)
{
    char full[160];
    const hone_value *v = use(r, key, full);
    int64_t n;
    if (!v) {
        if (dflt < 0)
            decoder_refuse(r, HONE_E_INVALID, "\"%s\" is missing", full);
        return dflt < 0 ? lo : dflt;
    }
    if (v->type == HONE_F64 && v->u.f64 >= -9e15 && v->u.f64 <= 9e15 &&
        v->u.f64 == (double)(int64_t)v->u.f64) {
        n = (int64_t)v->u.f64;
    } else if (v->type == HONE_I64) {
        n = v->u.i64;
    } else {
        decoder_refuse(r, HONE_E_TYPE, "\"%s\" is no whole number", full);
        return lo;
    }
    if (n < lo || n > hi) {
        decoder_refuse(r, HONE_E_RANGE, "\"%s\" is %lld, outside %lld..%lld", full, (long long)n,
                       (long long)lo, (long long)hi);
        return lo;
    }
    return n;
}

int decoder_truth(decoder_reader *r, const char *key, int dflt)
{
    char full[160];
    const hone_value *v = use(r, key, full);
    if (!v)
        return dflt;
    if (v->type != HONE_BOOL) {
        decoder_refuse(r, HONE_E_TYPE, "\"%s\" is neither true nor false", full);
        return dflt;
    }
    return v->u.boolean != 0;
}

hone_str decoder_text(decoder_reader *r, const char *key, const char *dflt)
{
    char full[160];
    const hone_value *v = use(r, key, full);
    if (!v)
        return hone_str_c(dflt);
    if (v->type != HONE_STRING) {
        decoder_refuse(r, HONE_E_TYPE, "\"%s\" is no text", full);
        return hone_str_c(dflt);
    }
    return v->u.str;
}

/* ---- what several families have -------------------------------------------------------------- */
int64_t decoder_window(decoder_reader *r, int64_t dflt)
{
    const char *key = "sliding_window";
    if (!decoder_get(r->map, key))
        return dflt;
    return decoder_whole(r, key, 0, 1, 1 << 30);
}

void decoder_windows_everywhere(decoder_facts *f, int64_t window)
{
    f->window = window;
    for (int64_t i = 0; i < f->layers; i++)
        f->windowed[i] = window > 0;
}

void decoder_windows(decoder_reader *r, decoder_facts *f, int64_t window, int64_t pattern,
                     int (*dflt)(const decoder_facts *f, int64_t layer, int64_t pattern))
{
    const hone_value *v = decoder_use(r, "layer_types");
    int any = 0;
    if (v && (v->type != HONE_LIST || v->u.list.n != (size_t)f->layers)) {
        decoder_refuse(r, HONE_E_INVALID, "\"layer_types\" does not name %lld layers",
                       (long long)f->layers);
        return;
    }
    for (int64_t i = 0; i < f->layers; i++) {
        const hone_value *t = v ? &v->u.list.items[i] : NULL;
        f->windowed[i] = t ? t->type == HONE_STRING && decoder_is(t->u.str, "sliding_attention")
                           : window > 0 && dflt(f, i, pattern);
        if (t && !f->windowed[i] &&
            !(t->type == HONE_STRING && decoder_is(t->u.str, "full_attention"))) {
            decoder_refuse(r, HONE_E_UNSUPPORTED,
                           "layer type %lld is neither full_attention nor sliding_attention",
                           (long long)i);
            return;
        }
        any |= f->windowed[i];
    }
    if (any && !window)
        decoder_refuse(r, HONE_E_INVALID,
                       "\"layer_types\" has sliding attention, and no window is set");
    f->window = any ? window : 0;
}

void decoder_read_act(decoder_reader *r, decoder_facts *f, const char *key, const char *dflt)
{
    hone_str act = decoder_text(r, key, dflt);
    if (decoder_is(act, "silu") || decoder_is(act, "swish"))
        f->activation = DECODER_SILU;
    else if (decoder_is(act, "gelu_pytorch_tanh") || decoder_is(act, "gelu_new"))
        f->activation = DECODER_GELU_TANH;
    else
        decoder_refuse(r, HONE_E_UNSUPPORTED,
                       "activation \"%.*s\" (silu and gelu_pytorch_tanh are computed)",
                       (int)(act.len < 64 ? act.len : 64), act.ptr);
}

void decoder_dropout(decoder_reader *r, const char *key)
{
    double share = decoder_number(r, key, 0.0);
    if (!(share >= 0.0 && share < 1.0))
        decoder_refuse(r, HONE_E_RANGE, "\"%s\" is %g", key, share);
}

/* A head that was computed and not given. */
static void check_head(decoder_reader *r, const decoder_facts *f)
{
    if (f->head_dim < 2 || f->head_dim > DECODER_MAX_HEAD)
        decoder_refuse(r, HONE_E_RANGE, "heads of %lld columns (2 to %d)", (long long)f->head_dim,
                       (int)DECODER_MAX_HEAD);
}

/* ---- Hugging Face ---------------------------------------------------------------------------- */
static void read_stops(decoder_facts *f, const hone_value *bos, const hone_value *eos,
                       const hone_value *pad)
{
    f->bos = bos && bos->type == HONE_I64 ? bos->u.i64 : -1;
    f->pad = pad && pad->type == HONE_I64 ? pad->u.i64 : -1;
    f->n_eos = 0;
    if (eos && eos->type == HONE_I64)
        f->eos[f->n_eos++] = eos->u.i64;
    for (size_t i = 0;
         eos && eos->type == HONE_LIST && i < eos->u.list.n && f->n_eos < DECODER_MAX_STOPS; i++)
        if (eos->u.list.items[i].type == HONE_I64)
            f->eos[f->n_eos++] = eos->u.list.items[i].u.i64;
}

static const hone_value *either(const hone_value *a, const hone_value *b, const char *key)
{
    const hone_value *v = decoder_get(a, key);
    return v && v->type != HONE_NULL ? v : decoder_get(b, key);
}

/* 0 in the family: the key must be there. */
static int64_t needed(decoder_reader *r, const char *key, int64_t dflt, int64_t hi)
{
    return decoder_whole(r, key, dflt ? dflt : -1, 1, hi);
}

static void read_hf(decoder_reader *r, decoder_facts *f, const decoder_family *fam,
                    const hone_value *whole)
{
    int64_t dim = fam->head_dim;
    f->hidden = needed(r, "hidden_size", fam->hidden, 1 << 20);
    f->intermediate = needed(r, "intermediate_size", fam->intermediate, 1 << 22);
    f->layers = needed(r, "num_hidden_layers", fam->layers, DECODER_MAX_LAYERS);
    f->heads = needed(r, "num_attention_heads", fam->heads, 1 << 14);
    f->vocab = needed(r, "vocab_size", fam->vocab, 1 << 30);
    f->kv_heads = decoder_whole(
        r, "num_key_value_heads",
        fam->kv_heads && !decoder_get(r->map, "num_key_value_heads") ? fam->kv_heads : f->heads, 1,
        1 << 14);
    if (!dim || (decoder_get(r->map, "head_dim") && !decoder_use(r, "head_dim"))) {
        dim = f->hidden / f->heads;
        if (f->hidden % f->heads && !decoder_use(r, "head_dim"))
            decoder_refuse(r, HONE_E_RANGE, "%lld heads of a hidden size of %lld",
                           (long long)f->heads, (long long)f->hidden);
    }
    f->head_dim = decoder_whole(r, "head_dim", dim, 2, DECODER_MAX_HEAD);
    f->max_positions = decoder_whole(r, "max_position_embeddings", fam->max_positions, 1,
                                     (int64_t)1 << 40);
    f->eps = decoder_number(r, "rms_norm_eps", fam->eps);
    f->tied = decoder_truth(r, "tie_word_embeddings", fam->tied);
    decoder_dropout(r, "attention_dropout");
    f->init_std = decoder_number(r, "initializer_range", 0.02);
    f->attention_scale = 1.0f / sqrtf((float)f->head_dim);
    read_stops(f, either(r->map, whole, "bos_token_id"), either(r->map, whole, "eos_token_id"),
               either(r->map, whole, "pad_token_id"));
    check_head(r, f);
    if (r->failed < 0) /* layers may be nonsense */
        return;
    decoder_rope_hf(r, f);
    fam->hf(r, f);
}

/* ---- GGUF ------------------------------------------------------------------------------------ */
static void read_gguf(decoder_reader *r, decoder_facts *f)
{
    const decoder_family *fam = f->family;
    const hone_value *v;
    char key[96];
    int64_t n_ids;
#define KEY(tail) decoder_key(f, tail, key)
    f->hidden = decoder_whole(r, KEY("embedding_length"), -1, 1, 1 << 20);
    f->intermediate = decoder_whole(r, KEY("feed_forward_length"), -1, 1, 1 << 22);
    f->layers = decoder_whole(r, KEY("block_count"), -1, 1, DECODER_MAX_LAYERS);
    f->heads = decoder_whole(r, KEY("attention.head_count"), -1, 1, 1 << 14);
    f->kv_heads = decoder_whole(r, KEY("attention.head_count_kv"), f->heads, 1, 1 << 14);
    f->head_dim = decoder_whole(r, KEY("attention.key_length"), f->hidden / f->heads, 2,
                                DECODER_MAX_HEAD);
    if (decoder_whole(r, KEY("attention.value_length"), f->head_dim, 1, 1 << 14) != f->head_dim)
        decoder_refuse(r, HONE_E_UNSUPPORTED, "keys and values of different length");
    v = decoder_get(r->map, "tokenizer.ggml.tokens");
    n_ids = v && v->type == HONE_LIST ? (int64_t)v->u.list.n : -1;
    f->vocab = decoder_whole(r, KEY("vocab_size"), n_ids, 1, 1 << 30);
    f->max_positions = decoder_whole(r, KEY("context_length"), fam->max_positions, 1,
                                     (int64_t)1 << 40);
    f->eps = decoder_number(r, KEY("attention.layer_norm_rms_epsilon"), fam->eps);
    f->init_std = 0.02;
    f->attention_scale = 1.0f / sqrtf((float)f->head_dim);
    /* what the reader saw: the file has no output projection */
    f->tied = decoder_truth(r, "hone.tied_head", 0);
    read_stops(f, decoder_get(r->map, "tokenizer.ggml.bos_token_id"),
               decoder_get(r->map, "tokenizer.ggml.eos_token_id"),
               decoder_get(r->map, "tokenizer.ggml.padding_token_id"));
    decoder_text(r, KEY("tensor_data_layout"),
                 ""); /* old files; q and k are permuted in any case */
#undef KEY
    check_head(r, f);
    if (r->failed < 0)
        return;
    decoder_rope_gguf(r, f);
    fam->read_gguf(r, f);
}

int64_t decoder_gguf_window(decoder_reader *r, const decoder_facts *f)
{
    char key[96];
    return decoder_whole(r, decoder_key(f, "attention.sliding_window", key), 0, 0, 1 << 30);
}

/* ---- all of it ------------------------------------------------------------------------------- */
static int names_model(const decoder_family *fam, hone_str architecture)
{
    const char *tail = strstr(fam->architecture, "For");
    size_t n = tail ? (size_t)(tail - fam->architecture) : 0;
    return decoder_is(architecture, fam->architecture) ||
           (architecture.len == n + 5 && memcmp(architecture.ptr, fam->architecture, n) == 0 &&
            memcmp(architecture.ptr + n, "Model", 5) == 0);
}

const decoder_family *decoder_find(const decoder_family *const *list, hone_str format,
                                   const hone_value *config)
{
    const hone_value *a = decoder_get(config, "architectures");
    const hone_value *t = decoder_get(config, "model_type");
    const hone_value *g = decoder_get(config, "general.architecture");
    int gguf = decoder_is(format, "gguf");
    a = a && a->type == HONE_LIST && a->u.list.n ? &a->u.list.items[0] : NULL;
    if (gguf ? !g || g->type != HONE_STRING
             : (a && a->type != HONE_STRING) || (t && t->type != HONE_STRING) || (!a && !t))
        return NULL;
    for (; *list; list++) {
        const decoder_family *fam = *list;
        if (gguf && fam->gguf && decoder_is(g->u.str, fam->gguf))
            return fam;
        if (!gguf && (!a || names_model(fam, a->u.str)) && (!t || decoder_is(t->u.str, fam->type)))
            return fam;
    }
    return NULL;
}

static void check(decoder_reader *r, const decoder_facts *f)
{
    if (f->heads % f->kv_heads)
        decoder_refuse(r, HONE_E_RANGE, "%lld query heads over %lld key/value heads",
                       (long long)f->heads, (long long)f->kv_heads);
    if (!(f->eps > 0.0 && f->eps < 1.0))
        decoder_refuse(r, HONE_E_RANGE, "an epsilon of %g", f->eps);
    if (!(f->init_std >= 0.0 && f->init_std < 1e6))
        decoder_refuse(r, HONE_E_RANGE, "an initializer range of %g", f->init_std);
    if (!(f->attention_scale > 0.0f && f->attention_scale < 1e18f) ||
        !(f->logit_scale > 0.0f && f->logit_scale < 1e18f) ||
        !(fabsf(f->residual_scale) < 1e18f && fabsf(f->embed_scale) < 1e18f))
        decoder_refuse(r, HONE_E_RANGE, "multipliers %g (attention), %g (logits), %g, %g",
                       (double)f->attention_scale, (double)f->logit_scale,
                       (double)f->residual_scale, (double)f->embed_scale);
    if (!(f->attention_softcap >= 0.0f && f->logit_softcap >= 0.0f))
        decoder_refuse(r, HONE_E_RANGE, "soft caps %g and %g", (double)f->attention_softcap,
                       (double)f->logit_softcap);
}

hone_status decoder_read(const decoder_family *const *list, hone_str format,
                         const hone_value *config, const hone_store_v1 *store, decoder_facts *f)
{
    decoder_reader r = {config, "", store, HONE_OK};
    const decoder_family *fam = decoder_find(list, format, config);
    memset(f, 0, sizeof *f);
    if (!fam)
        return decoder_refuse(&r, HONE_E_UNSUPPORTED, "no model that this component runs");
    f->family = fam->as ? fam->as : fam;
    f->norms = DECODER_NORM_BEFORE;
    f->embed_scale = f->residual_scale = f->logit_scale = 1.0f;
    f->norm_offset = fam->norm_offset;
    if (fam->text) { /* the text part of a larger model */
        decoder_reader top = r;
        r.map = decoder_use(&top, fam->text);
        r.name = fam->text;
        if (!r.map || r.map->type != HONE_MAP)
            return decoder_refuse(&top, HONE_E_TYPE, "\"%s\" is no map", fam->text);
    }
    if (decoder_is(format, "gguf"))
        read_gguf(&r, f);
    else
        read_hf(&r, f, fam, config);
    if (r.failed < 0)
        return r.failed;
    check(&r, f);
    if (fam->files && !decoder_is(format, "gguf"))
        fam->files(&r, config);
    return r.failed;
}
