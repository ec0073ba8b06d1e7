/* decoders.h - what the files of this plugin share.
 *
 * All models here are one shape: token embedding, layers of attention and a gated feed-forward around a residual
 * stream, a last norm, a head. What differs is data: struct decoder_facts says it, whatever the format it was read
 * from. A family (one model_type of Hugging Face) fills it: common keys are read by reader.c and rope.c, a family's own
 * by its file. model.c names parameters and records the forward from the facts alone; writer.c writes them as a
 * config.json. */
#ifndef DECODERS_H
#define DECODERS_H
#include "hone/model.h"

enum {
    DECODER_MAX_LAYERS = 1024,
    DECODER_MAX_STOPS = 8,
    DECODER_MAX_HEAD = 1024, /* columns of a head */
    DECODER_JSON = 1 << 16
};
/* Where norms stand in a block. */
enum {
    DECODER_NORM_BEFORE = 1, /* x + f(norm(x)): Llama */
    DECODER_NORM_AFTER = 2,  /* x + norm(f(x)): OLMo 2 */
    DECODER_NORM_BOTH = 3    /* x + norm(f(norm(x))): Gemma 2 and 3 */
};
enum { DECODER_QK_NONE = 0, DECODER_QK_HEAD = 1, DECODER_QK_WHOLE = 2 }; /* norms of q and k */
enum { DECODER_SILU = 0, DECODER_GELU_TANH = 1 };

struct decoder_reader;
struct decoder_writer;
struct decoder_facts;

/* One model_type. Numbers are what transformers takes where a key is absent; 0: the key must be there (kv_heads: as
 * many as heads; head_dim: hidden / heads). */
typedef struct decoder_family {
    const char *type, *architecture; /* "llama", "LlamaForCausalLM" */
    const char *gguf;                /* general.architecture, or NULL */
    const char *text;                /* key of the configuration of the text part, or NULL */
    const struct decoder_family *as; /* what it is once read (the text part alone); NULL: itself */
    int64_t hidden, intermediate, layers, heads, vocab; /* 0 but for parts of larger models */
    int64_t kv_heads, head_dim, max_positions;
    double theta, eps;
    double
        local_theta; /* of layers with a window; -1: theta, without scaling; 0: one rope for all layers */
    int tied, gguf_permuted;
    int phi_rope;      /* "partial_rotary_factor", and "su" and "yarn" are names of longrope */
    float norm_offset; /* the weight of a norm is (norm_offset + w), and GGUF files hold the sum */
    /* As GGUF is written: its architecture (NULL: it cannot be); layers that are the exception, each gguf_every-th (0:
     * none): those without a window, or with gguf_no_rope those that do not turn. Gemma: how many layers the model has
     * that scales its queries otherwise. */
    const char *gguf_written;
    int64_t gguf_every, gguf_layers_27b;
    int gguf_no_rope, gguf_qkv_bias;
    void (*hf)(struct decoder_reader *r, struct decoder_facts *f);
    void (*read_gguf)(struct decoder_reader *r, struct decoder_facts *f);
    void (*write)(struct decoder_writer *w, const struct decoder_facts *f);
    /* Keys around the text part, and how files name its tensors; or NULL. */
    void (*files)(struct decoder_reader *r, const hone_value *config);
} decoder_family;

/* Rotary positions of one kind of layers, with the factors that hone_rope points to. */
typedef struct decoder_rope {
    hone_rope rope;
    float factors[DECODER_MAX_HEAD / 2],
        long_factors[DECODER_MAX_HEAD / 2]; /* longrope; long ones only kept */
    int n_factors, n_long;
    int attention_given; /* attention_factor was given, not computed */
    double original;     /* "original_max_position_embeddings", 0: not used */
} decoder_rope;

/* What a configuration says, whatever its format. */
typedef struct decoder_facts {
    const decoder_family *family;
    int64_t vocab, hidden, intermediate, layers, heads, kv_heads, head_dim, max_positions;
    double eps, init_std;
    int tied, qkv_bias, o_bias, mlp_bias;
    int norms, qk_norm, activation, fused;
    float norm_offset;
    float embed_scale, residual_scale, attention_scale, logit_scale; /* 1: nothing */
    float attention_softcap, logit_softcap;                          /* 0: none */
    double query_scalar;                                             /* Gemma: attention_scale^-2 */
    double multipliers[4]; /* Granite, as written: embedding, residual, attention, logits */
    int64_t window;        /* of the layers that have one; 0: none has */
    int32_t windowed[DECODER_MAX_LAYERS]; /* 1: sees `window` positions */
    int32_t rope_of[DECODER_MAX_LAYERS];  /* 0: ropes[0], 1: ropes[1], -1: none */
    decoder_rope ropes[2];
    int64_t bos, eos[DECODER_MAX_STOPS],
        pad; /* -1: none; kept for writing the configuration back */
    int n_eos;
} decoder_facts;

/* ---- reading: reader.c ------------------------------------------------------------------------------- */
/* A map being read; the first failure is kept. `name` stands in front of keys: "rope_scaling". */
typedef struct decoder_reader {
    const hone_value *map;
    const char *name;
    const hone_store_v1 *store;
    hone_status failed;
} decoder_reader;

hone_status decoder_refuse(decoder_reader *r, hone_status s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int decoder_is(hone_str s, const char *z);
const hone_value *decoder_get(const hone_value *map, const char *key); /* NULL: absent */
/* Readers of one key, which they report as used. Absent and null give `dflt`. */
const hone_value *decoder_use(decoder_reader *r, const char *key);      /* NULL: absent or null */
double decoder_number(decoder_reader *r, const char *key, double dflt); /* finite */
/* dflt < 0: the key must be there. */
int64_t decoder_whole(decoder_reader *r, const char *key, int64_t dflt, int64_t lo, int64_t hi);
int decoder_truth(decoder_reader *r, const char *key, int dflt);
hone_str decoder_text(decoder_reader *r, const char *key, const char *dflt);
/* "<architecture>.<tail>" of a GGUF file; valid until the next call. */
const char *decoder_key(const decoder_facts *f, const char *tail, char key[96]);
/* "sliding_window": absent gives dflt, null 0, and 0 is refused. Of GGUF: 0 is none. */
int64_t decoder_window(decoder_reader *r, int64_t dflt);
int64_t decoder_gguf_window(decoder_reader *r, const decoder_facts *f);
void decoder_windows_everywhere(decoder_facts *f, int64_t window);
/* Which layers have the window (0: there is none): "layer_types", or else those with dflt(f, layer, pattern) 1. */
void decoder_windows(decoder_reader *r, decoder_facts *f, int64_t window, int64_t pattern,
                     int (*dflt)(const decoder_facts *f, int64_t layer, int64_t pattern));
/* A share that transformers drops while it trains; nothing is dropped here, as when it computes. */
void decoder_dropout(decoder_reader *r, const char *key);
void decoder_read_act(decoder_reader *r, decoder_facts *f, const char *key, const char *dflt);

/* Which family runs this configuration, or NULL. `list` ends with NULL. */
const decoder_family *decoder_find(const decoder_family *const *list, hone_str format,
                                   const hone_value *config);
/* Reads and checks all of it, and names every key it understood. Fails through store->fail. */
hone_status decoder_read(const decoder_family *const *list, hone_str format,
                         const hone_value *config, const hone_store_v1 *store, decoder_facts *out);

/* ---- rope.c ------------------------------------------------------------------------------------------ */
/* ropes[0], and ropes[1] of a family with local_theta. head_dim and max_positions are known. */
void decoder_rope_hf(decoder_reader *r, decoder_facts *f);
void decoder_rope_gguf(decoder_reader *r, decoder_facts *f);
void decoder_rope_write(struct decoder_writer *w, const decoder_facts *f);

/* ---- writing: writer.c --------------------------------------------------------------------------------- */
typedef struct decoder_writer {
    char *out;
    size_t n, size;
    int full, any; /* any: a member was written in this object */
} decoder_writer;
void decoder_put(decoder_writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void decoder_put_key(decoder_writer *w, const char *key); /* with the comma that stands before it */
void decoder_put_number(decoder_writer *w, const char *key, double v);
void decoder_put_whole(decoder_writer *w, const char *key, int64_t v);
void decoder_put_truth(decoder_writer *w, const char *key, int v);
void decoder_put_text(decoder_writer *w, const char *key, const char *v);
void decoder_put_numbers(decoder_writer *w, const char *key, const float *v, int n);
void decoder_put_null(decoder_writer *w, const char *key);
void decoder_put_window(decoder_writer *w, const decoder_facts *f);
void decoder_put_act(decoder_writer *w, const decoder_facts *f, const char *key);
void decoder_put_layer_types(decoder_writer *w, const decoder_facts *f);
/* The Hugging Face config.json of these facts; 0 when it does not fit. */
size_t decoder_write(const decoder_facts *f, char *out, size_t size);

/* ---- writing: gguf.c ------------------------------------------------------------------------------------- */
/* The same as GGUF metadata (hone/model.h); 0 when GGUF cannot say it. */
size_t decoder_write_gguf(const decoder_facts *f, char *out, size_t size);

/* ---- the model: model.c ---------------------------------------------------------------------------------- */
typedef struct decoder_layer {
    hone_param attn_norm, attn_post_norm, q, k, v, o, q_bias, k_bias, v_bias, o_bias, q_norm,
        k_norm;
    hone_param mlp_norm, mlp_post_norm, gate, up, down, gate_bias, up_bias, down_bias;
} decoder_layer;

extern const hone_model_v1 decoder_model;
hone_status decoder_create(const hone_host *host, const decoder_family *const *families,
                           void **out);
void decoder_destroy(void *self);
const void *decoder_get_iface(void *self, const char *id);

/* ---- families -------------------------------------------------------------------------------------------- */
extern const decoder_family *const decoder_llama[],
    *const decoder_qwen[], *const decoder_gemma[], *const decoder_phi3[],
                                                       *const decoder_smollm3[],
                                                           *const decoder_olmo[],
                                                               *const decoder_granite[];
#endif
