/* config.c - configurations of the llama family: a Hugging Face config.json or GGUF metadata to
 * facts, and facts back to a config.json.
 *
 * Each key that is looked at is reported as used, so that the host can refuse one that is set and
 * that nobody looked at. Sizes are checked here, once: the rest relies on them. Rope scaling comes
 * as `rope_parameters` (transformers 5), `rope_scaling` (before), or GGUF's rope.scaling.*: none,
 * linear and llama3 are computed, any other is refused by name. */
#include "llama.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *type, *architecture;
} families[LLAMA_FAMILIES] = {{"llama", "LlamaForCausalLM"},
                              {"mistral", "MistralForCausalLM"},
                              {"qwen2", "Qwen2ForCausalLM"}};

static int is(hone_str s, const char *z)
{
    size_t n = strlen(z);
    return s.len == n && memcmp(s.ptr, z, n) == 0;
}

static const hone_value *get(const hone_value *map, const char *key)
{
    if (!map || map->type != HONE_MAP)
        return NULL;
    for (size_t i = 0; i < map->u.map.n; i++)
        if (is(map->u.map.pairs[i].key, key))
            return &map->u.map.pairs[i].value;
    return NULL;
}

static int family_of(hone_str name)
{
    for (int i = 0; i < LLAMA_FAMILIES; i++)
        if (is(name, families[i].type) || is(name, families[i].architecture))
            return i;
    return -1;
}

int llama_family(hone_str format, const hone_value *config)
{
    const hone_value *v = get(config, is(format, "gguf") ? "general.architecture" : "model_type");
    if (v && v->type == HONE_STRING) {
        int f = family_of(v->u.str);
        return is(format, "gguf") && f == LLAMA_MISTRAL ? -1 : f;
    }
    v = get(config, "architectures");
    if (v && v->type == HONE_LIST && v->u.list.n && v->u.list.items[0].type == HONE_STRING)
        return family_of(v->u.list.items[0].u.str);
    return -1;
}

/* ---- reading --------------------------------------------------------------------------------- */
/* A map being read; the first failure is kept. `name` stands in front of keys: "rope_scaling". */
struct reader {
    const hone_value *map;
    const char *name;
    const hone_store_v1 *store;
    hone_status failed;
};

static hone_status refuse(struct reader *r, hone_status s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static hone_status refuse(struct reader *r, hone_status s, const char *fmt, ...)
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

/* The key as the host sees it, reported as used. */
static const hone_value *use(struct reader *r, const char *key, char full[160])
{
    const hone_value *v = get(r->map, key);
    snprintf(full, 160, "%s%s%s", r->name, *r->name ? "." : "", key);
    r->store->used_key(r->store, full);
    return v && v->type != HONE_NULL ? v : NULL;
}

static double number(struct reader *r, const char *key, double dflt)
{
    char full[160];
    const hone_value *v = use(r, key, full);
    if (!v)
        return dflt;
    if (v->type == HONE_I64)
        return (double)v->u.i64;
    if (v->type == HONE_F64)
        return v->u.f64;
    refuse(r, HONE_E_TYPE, "\"%s\" is no number", full);
    return dflt;
}

/* dflt < 0: the key must be there. */
static int64_t whole(struct reader *r, const char *key, int64_t dflt, int64_t lo, int64_t hi)
{
    char full[160];
    const hone_value *v = use(r, key, full);
    int64_t n;
    if (!v) {
        if (dflt < 0)
            refuse(r, HONE_E_INVALID, "\"%s\" is missing", full);
        return dflt < 0 ? lo : dflt;
    }
    if (v->type == HONE_F64 && v->u.f64 >= -9e15 && v->u.f64 <= 9e15 &&
        v->u.f64 == (double)(int64_t)v->u.f64) {
        n = (int64_t)v->u.f64;
    } else if (v->type == HONE_I64) {
        n = v->u.i64;
    } else {
        refuse(r, HONE_E_TYPE, "\"%s\" is no whole number", full);
        return lo;
    }
    if (n < lo || n > hi) {
        refuse(r, HONE_E_RANGE, "\"%s\" is %lld, outside %lld..%lld", full, (long long)n,
               (long long)lo, (long long)hi);
        return lo;
    }
    return n;
}

static int truth(struct reader *r, const char *key, int dflt)
{
    char full[160];
    const hone_value *v = use(r, key, full);
    if (!v)
        return dflt;
    if (v->type != HONE_BOOL)
        refuse(r, HONE_E_TYPE, "\"%s\" is neither true nor false", full);
    return v->u.boolean != 0;
}

static hone_str text(struct reader *r, const char *key, const char *dflt)
{
    char full[160];
    const hone_value *v = use(r, key, full);
    if (!v)
        return hone_str_c(dflt);
    if (v->type != HONE_STRING) {
        refuse(r, HONE_E_TYPE, "\"%s\" is no text", full);
        return hone_str_c(dflt);
    }
    return v->u.str;
}

static void read_stops(llama_facts *f, const hone_value *bos, const hone_value *eos)
{
    f->bos = bos && bos->type == HONE_I64 ? bos->u.i64 : -1;
    f->n_eos = 0;
    if (eos && eos->type == HONE_I64)
        f->eos[f->n_eos++] = eos->u.i64;
    for (size_t i = 0;
         eos && eos->type == HONE_LIST && i < eos->u.list.n && f->n_eos < LLAMA_MAX_STOPS; i++)
        if (eos->u.list.items[i].type == HONE_I64)
            f->eos[f->n_eos++] = eos->u.list.items[i].u.i64;
}

static void rope_kind(struct reader *r, llama_facts *f, hone_str kind)
{
    if (is(kind, "default") || is(kind, "none")) {
        f->rope.scaling = HONE_ROPE_NONE;
    } else if (is(kind, "linear")) {
        f->rope.scaling = HONE_ROPE_LINEAR;
    } else if (is(kind, "llama3")) {
        f->rope.scaling = HONE_ROPE_LLAMA3;
    } else {
        refuse(r, HONE_E_UNSUPPORTED,
               "rope scaling \"%.*s\" is not supported (default, linear, llama3 are)",
               (int)(kind.len < 64 ? kind.len : 64), kind.ptr);
    }
}

static void check_rope(struct reader *r, llama_facts *f)
{
    if (!(f->rope.theta > 0.0 && f->rope.theta < 1e18))
        refuse(r, HONE_E_RANGE, "rope theta %g", f->rope.theta);
    if (!(f->rope.factor > 0.0 && f->rope.factor < 1e9))
        refuse(r, HONE_E_RANGE, "rope factor %g", f->rope.factor);
    if (f->rope.scaling == HONE_ROPE_LLAMA3 &&
        !(f->rope.low_freq_factor > 0.0 && f->rope.high_freq_factor > f->rope.low_freq_factor &&
          f->rope.original_max_positions > 0.0))
        refuse(r, HONE_E_RANGE, "rope scaling llama3 with factors %g, %g and %g positions",
               f->rope.low_freq_factor, f->rope.high_freq_factor, f->rope.original_max_positions);
}

/* rope_parameters or rope_scaling: the same keys, two eras. */
static void read_rope_map(struct reader *r, llama_facts *f, const char *name, const hone_value *map)
{
    struct reader in = {map, name, r->store, HONE_OK};
    hone_str kind;
    if (map->type != HONE_MAP) {
        refuse(r, HONE_E_TYPE, "\"%s\" is no map", name);
        return;
    }
    kind = text(&in, "rope_type", get(map, "type") ? "" : "default");
    if (!kind.len)
        kind = text(&in, "type", "default");
    else if (get(map, "type"))
        text(&in, "type", "");
    rope_kind(&in, f, kind);
    f->rope.theta = number(&in, "rope_theta", f->rope.theta);
    f->rope.factor = number(&in, "factor", 1.0);
    if (f->rope.scaling == HONE_ROPE_LLAMA3) {
        f->rope.low_freq_factor = number(&in, "low_freq_factor", 1.0);
        f->rope.high_freq_factor = number(&in, "high_freq_factor", 4.0);
        f->rope.original_max_positions = number(&in, "original_max_position_embeddings", 8192.0);
    }
    if (r->failed == HONE_OK)
        r->failed = in.failed;
}

/* Qwen2 names each layer's attention; windowed layers must be the last ones. */
static void read_layer_types(struct reader *r, llama_facts *f)
{
    char full[160];
    const hone_value *v = use(r, "layer_types", full);
    if (!v)
        return;
    if (v->type != HONE_LIST || v->u.list.n != (size_t)f->layers) {
        refuse(r, HONE_E_INVALID, "\"layer_types\" does not name %lld layers",
               (long long)f->layers);
        return;
    }
    f->first_windowed = f->layers;
    for (size_t i = 0; i < v->u.list.n; i++) {
        const hone_value *t = &v->u.list.items[i];
        int slides = t->type == HONE_STRING && is(t->u.str, "sliding_attention");
        if (!slides && !(t->type == HONE_STRING && is(t->u.str, "full_attention"))) {
            refuse(r, HONE_E_UNSUPPORTED,
                   "layer type %zu is neither full_attention nor sliding_attention", i);
            return;
        }
        if (slides && (int64_t)i < f->first_windowed)
            f->first_windowed = (int64_t)i;
        else if (!slides && (int64_t)i > f->first_windowed) {
            refuse(r, HONE_E_UNSUPPORTED,
                   "full attention in layer %zu after sliding attention in layer %lld", i,
                   (long long)f->first_windowed);
            return;
        }
    }
}

static void read_window(struct reader *r, llama_facts *f)
{
    int64_t window = whole(r, "sliding_window", 0, 0, 1 << 30);
    if (f->family == LLAMA_MISTRAL) {
        f->window = window;
    } else if (f->family == LLAMA_QWEN2) {
        int uses = truth(r, "use_sliding_window", 0);
        f->first_windowed = whole(r, "max_window_layers", f->layers, 0, 1 << 20);
        if (f->first_windowed > f->layers)
            f->first_windowed = f->layers;
        read_layer_types(r, f);
        f->window = uses ? window : 0;
    } else if (window) {
        refuse(r, HONE_E_UNSUPPORTED, "\"sliding_window\" in a model of type llama");
    }
}

static void read_hf(struct reader *r, llama_facts *f)
{
    char full[160];
    const hone_value *v;
    hone_str act;
    f->hidden = whole(r, "hidden_size", -1, 1, 1 << 20);
    f->intermediate = whole(r, "intermediate_size", -1, 1, 1 << 22);
    f->layers = whole(r, "num_hidden_layers", -1, 1, LLAMA_MAX_LAYERS);
    f->heads = whole(r, "num_attention_heads", -1, 1, 1 << 14);
    f->kv_heads = whole(r, "num_key_value_heads", f->heads, 1, 1 << 14);
    f->head_dim = whole(r, "head_dim", f->hidden / f->heads, 1, 1 << 14);
    f->vocab = whole(r, "vocab_size", -1, 1, 1 << 30);
    f->max_positions = whole(r, "max_position_embeddings", 2048, 1, (int64_t)1 << 40);
    f->eps = number(r, "rms_norm_eps", 1e-6);
    f->tied = truth(r, "tie_word_embeddings", 0);
    f->qkv_bias = f->family == LLAMA_QWEN2;
    f->gguf_permuted = f->family != LLAMA_QWEN2; /* should it be written as GGUF */
    if (f->family == LLAMA_LLAMA) {
        f->qkv_bias = f->o_bias = truth(r, "attention_bias", 0);
        f->mlp_bias = truth(r, "mlp_bias", 0);
    }
    act = text(r, "hidden_act", "silu");
    if (!is(act, "silu") && !is(act, "swish"))
        refuse(r, HONE_E_UNSUPPORTED, "activation \"%.*s\" (a llama has silu)",
               (int)(act.len < 64 ? act.len : 64), act.ptr);
    if (number(r, "attention_dropout", 0.0) > 0.0)
        refuse(r, HONE_E_UNSUPPORTED, "\"attention_dropout\" is not supported: set it to 0");
    if (truth(r, "rope_interleaved", 0))
        f->rope.interleaved = 1;
    truth(r, "is_llama_config", 1); /* SmolLM2 writes it; it says what the model type says */
    read_window(r, f);
    f->init_std = number(r, "initializer_range", 0.02);
    f->rope.theta = number(r, "rope_theta", 10000.0);
    v = use(r, "rope_scaling", full);
    if (v)
        read_rope_map(r, f, "rope_scaling", v);
    v = use(r, "rope_parameters", full);
    if (v)
        read_rope_map(r, f, "rope_parameters", v);
    read_stops(f, get(r->map, "bos_token_id"), get(r->map, "eos_token_id"));
}

static void read_gguf(struct reader *r, llama_facts *f)
{
    struct reader in = {r->map, "", r->store, HONE_OK};
    const char *arch = families[f->family].type;
    const hone_value *v;
    char key[160];
    hone_str kind;
    int64_t n_ids;
#define KEY(tail) (snprintf(key, sizeof key, "%s.%s", arch, tail), key)
    f->hidden = whole(&in, KEY("embedding_length"), -1, 1, 1 << 20);
    f->intermediate = whole(&in, KEY("feed_forward_length"), -1, 1, 1 << 22);
    f->layers = whole(&in, KEY("block_count"), -1, 1, LLAMA_MAX_LAYERS);
    f->heads = whole(&in, KEY("attention.head_count"), -1, 1, 1 << 14);
    f->kv_heads = whole(&in, KEY("attention.head_count_kv"), f->heads, 1, 1 << 14);
    f->head_dim = whole(&in, KEY("attention.key_length"), f->hidden / f->heads, 1, 1 << 14);
    if (whole(&in, KEY("attention.value_length"), f->head_dim, 1, 1 << 14) != f->head_dim)
        refuse(&in, HONE_E_UNSUPPORTED, "keys and values of different length");
    v = get(r->map, "tokenizer.ggml.tokens");
    n_ids = v && v->type == HONE_LIST ? (int64_t)v->u.list.n : -1;
    f->vocab = whole(&in, KEY("vocab_size"), n_ids, 1, 1 << 30);
    f->max_positions = whole(&in, KEY("context_length"), 2048, 1, (int64_t)1 << 40);
    f->eps = number(&in, KEY("attention.layer_norm_rms_epsilon"), 1e-6);
    f->init_std = 0.02;
    f->rope.theta = number(&in, KEY("rope.freq_base"), 10000.0);
    f->rope.rotary_dim = (int32_t)whole(&in, KEY("rope.dimension_count"), f->head_dim, 2,
                                        f->head_dim);
    kind = text(&in, KEY("rope.scaling.type"), "none");
    rope_kind(&in, f, kind);
    f->rope.factor = number(&in, KEY("rope.scaling.factor"), 1.0);
    number(&in, KEY("rope.scaling.original_context_length"), 0.0);
    truth(&in, KEY("rope.scaling.finetuned"), 0);
    if (f->rope.scaling == HONE_ROPE_LLAMA3)
        refuse(&in, HONE_E_UNSUPPORTED, "rope scaling llama3 in GGUF");
    f->window = whole(&in, KEY("attention.sliding_window"), 0, 0, 1 << 30);
#undef KEY
    v = get(r->map, "hone.tied_head"); /* what the reader saw: the file has no output projection */
    f->tied = v && v->type == HONE_BOOL && v->u.boolean;
    f->qkv_bias = f->family == LLAMA_QWEN2;
    f->gguf_permuted = f->family == LLAMA_LLAMA;
    read_stops(f, get(r->map, "tokenizer.ggml.bos_token_id"),
               get(r->map, "tokenizer.ggml.eos_token_id"));
    if (r->failed == HONE_OK)
        r->failed = in.failed;
}

hone_status llama_read(hone_str format, const hone_value *config, const hone_store_v1 *store,
                       llama_facts *f)
{
    struct reader r = {config, "", store, HONE_OK};
    memset(f, 0, sizeof *f);
    f->family = llama_family(format, config);
    f->rope.struct_size = sizeof f->rope;
    f->rope.factor = 1.0;
    if (f->family < 0)
        return refuse(&r, HONE_E_UNSUPPORTED, "this is no model of the llama family");
    if (is(format, "gguf"))
        read_gguf(&r, f);
    else
        read_hf(&r, f);
    if (!f->rope.rotary_dim)
        f->rope.rotary_dim = (int32_t)f->head_dim;
    f->rope.head_dim = (int32_t)f->head_dim;
    if (r.failed < 0)
        return r.failed;
    check_rope(&r, f);
    if (f->heads % f->kv_heads)
        refuse(&r, HONE_E_RANGE, "%lld query heads over %lld key/value heads", (long long)f->heads,
               (long long)f->kv_heads);
    if (f->rope.rotary_dim % 2)
        refuse(&r, HONE_E_RANGE, "rope over %d columns of a head", f->rope.rotary_dim);
    if (!(f->eps > 0.0 && f->eps < 1.0))
        refuse(&r, HONE_E_RANGE, "an epsilon of %g", f->eps);
    return r.failed;
}

/* ---- writing --------------------------------------------------------------------------------- */
struct writer {
    char *out;
    size_t n, size;
    int full;
};

static void put(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct writer *w, const char *fmt, ...)
{
    va_list ap;
    int n;
    if (w->full)
        return;
    va_start(ap, fmt);
    n = vsnprintf(w->out + w->n, w->size - w->n, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= w->size - w->n)
        w->full = 1;
    else
        w->n += (size_t)n;
}

/* The shortest text that reads back equal; a point, whatever the locale says. */
static void put_number(struct writer *w, const char *key, double v)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    for (char *c = text; *c; c++)
        if (*c == ',')
            *c = '.';
    put(w, "\"%s\": %s%s", key, text, strpbrk(text, ".e") ? "" : ".0");
}

static void put_whole(struct writer *w, const char *key, int64_t v)
{
    put(w, ",\n  \"%s\": %lld", key, (long long)v);
}

static void put_truth(struct writer *w, const char *key, int v)
{
    put(w, ",\n  \"%s\": %s", key, v ? "true" : "false");
}

static void put_rope(struct writer *w, const hone_rope *r)
{
    put(w, ",\n  ");
    put_number(w, "rope_theta", r->theta);
    if (r->scaling == HONE_ROPE_NONE) {
        put(w, ",\n  \"rope_scaling\": null");
        return;
    }
    put(w, ",\n  \"rope_scaling\": {\"rope_type\": \"%s\", ",
        r->scaling == HONE_ROPE_LINEAR ? "linear" : "llama3");
    put_number(w, "factor", r->factor);
    if (r->scaling == HONE_ROPE_LLAMA3) {
        put(w, ", ");
        put_number(w, "low_freq_factor", r->low_freq_factor);
        put(w, ", ");
        put_number(w, "high_freq_factor", r->high_freq_factor);
        put(w, ", \"original_max_position_embeddings\": %lld",
            (long long)r->original_max_positions);
    }
    put(w, "}");
}

size_t llama_write(const llama_facts *f, char *out, size_t size)
{
    struct writer w = {out, 0, size, 0};
    put(&w, "{\n  \"architectures\": [\"%s\"],\n  \"model_type\": \"%s\"",
        families[f->family].architecture, families[f->family].type);
    put_whole(&w, "hidden_size", f->hidden);
    put_whole(&w, "intermediate_size", f->intermediate);
    put_whole(&w, "num_hidden_layers", f->layers);
    put_whole(&w, "num_attention_heads", f->heads);
    put_whole(&w, "num_key_value_heads", f->kv_heads);
    put_whole(&w, "head_dim", f->head_dim);
    put_whole(&w, "vocab_size", f->vocab);
    put_whole(&w, "max_position_embeddings", f->max_positions);
    put(&w, ",\n  ");
    put_number(&w, "rms_norm_eps", f->eps);
    put(&w, ",\n  \"hidden_act\": \"silu\"");
    put(&w, ",\n  ");
    put_number(&w, "initializer_range", f->init_std);
    put_rope(&w, &f->rope);
    put_truth(&w, "tie_word_embeddings", f->tied);
    if (f->family == LLAMA_LLAMA) {
        put_truth(&w, "attention_bias", f->qkv_bias);
        put_truth(&w, "mlp_bias", f->mlp_bias);
        if (f->rope.interleaved)
            put_truth(&w, "rope_interleaved", 1);
    } else {
        if (f->window)
            put_whole(&w, "sliding_window", f->window);
        else
            put(&w, ",\n  \"sliding_window\": null");
    }
    if (f->family == LLAMA_QWEN2) {
        put_truth(&w, "use_sliding_window", f->window != 0);
        put_whole(&w, "max_window_layers", f->first_windowed);
    }
    if (f->bos >= 0)
        put_whole(&w, "bos_token_id", f->bos);
    if (f->n_eos == 1)
        put_whole(&w, "eos_token_id", f->eos[0]);
    for (int i = 0; f->n_eos > 1 && i < f->n_eos; i++)
        put(&w, "%s%lld%s", i ? ", " : ",\n  \"eos_token_id\": [", (long long)f->eos[i],
            i == f->n_eos - 1 ? "]" : "");
    put(&w, "\n}\n");
    return w.full ? 0 : w.n;
}
