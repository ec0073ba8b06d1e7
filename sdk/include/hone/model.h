/* hone/model.h - a model: names its parameters once, writes its forward once.
 *
 * `declare` reads the configuration (a Hugging Face config.json, or GGUF metadata) and names parameters
 * with their places in files. `forward` calls host ops on handles and returns the last hidden state (after
 * the final norm). It never sees gradients, memory, threads or mode: the same function trains, scores,
 * prefills and decodes. Errors are sticky in the context: a failed op returns a handle that later ops pass
 * through, and the host reports the first failure with the op's name. (compute.md 1, plugin-abi.md 3) */
#ifndef HONE_MODEL_H
#define HONE_MODEL_H
#include "hone/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_MODEL "hone.model/1"

typedef int32_t hone_param;  /* a parameter of the store; -1 = none */
typedef int32_t hone_tensor; /* a tensor of the tape being recorded; -1 = none */
#define HONE_NONE (-1)

/* ---- declaring -------------------------------------------------------------------------------------- */
enum { HONE_INIT_NORMAL = 1, HONE_INIT_ZERO = 2, HONE_INIT_ONE = 3 };
#define HONE_PARAM_EMBEDDING (1u << 0) /* a row per token id */
#define HONE_PARAM_NORM (1u << 1)      /* vector of a normalisation */
#define HONE_PARAM_BIAS (1u << 2)
#define HONE_PARAM_OPTIONAL (1u << 3) /* may be missing in a file: keeps its initial value */
#define HONE_PARAM_HEAD (1u << 4)     /* the output projection */

typedef struct hone_param_spec {
    uint32_t struct_size, flags;
    const char *name; /* canonical = Hugging Face name: "model.layers.0.self_attn.q_proj.weight" */
    const char *gguf_name; /* "blk.0.attn_q.weight", or NULL */
    const char *
        role; /* short: "q" "k" "v" "o" "gate" "up" "down" "embed" "head" "norm": LoRA targets, groups; "q+k+v": joined */
    int64_t rows, cols; /* linear: outputs x inputs; vector: rows x 1 with cols = 0 */
    uint32_t init;
    float init_std;
    /* GGUF files of the llama family store q and k rows permuted for interleaved rope: heads > 0 asks the
     * reader to undo it (and the writer to redo it) over that many heads. */
    uint32_t gguf_permute_heads, layer;
    /* GGUF files hold the value plus this (norms of Gemma: 1). */
    float gguf_offset, reserved_f;
} hone_param_spec;

typedef struct hone_model_info {
    uint32_t struct_size, n_layers;
    int64_t vocab_size, hidden, max_positions;
    int64_t n_heads, n_kv_heads, head_dim, intermediate;
    hone_param embed, head;           /* head == embed when tied */
    float logit_scale, logit_softcap; /* 1 and 0 when unused */
    uint32_t
        n_state_slots; /* layers that keep sequence state: keys and values, or a recurrence's */
    uint32_t reserved;
    int64_t
        state_floats; /* floats of one page of 64 positions in one slot; 0: 2*n_kv_heads*head_dim*64 */
    float embed_scale, reserved_f;
    uint32_t state_flags, reserved_s; /* HONE_STATE_* */
} hone_model_info;
/* Some slot's page is overwritten as positions pass (hone/ops.h, "recurrent state"): a sequence can be
 * cut at multiples of 64 positions only. */
#define HONE_STATE_RECURRENT (1u << 0)

typedef struct hone_store_v1 {
    uint32_t struct_size, reserved;
    void *ctx;
    /* Names a parameter; -1 (and the declare fails) on a duplicate or impossible shape. [control-thread] */
    hone_param (*param)(const struct hone_store_v1 *store, const hone_param_spec *spec);
    void (*info)(const struct hone_store_v1 *store,
                 const hone_model_info *info); /* exactly once [control-thread] */
    hone_status (*fail)(const struct hone_store_v1 *store, hone_status s,
                        hone_str text); /* [control-thread] */
    void (*used_key)(
        const struct hone_store_v1 *store,
        const char *key); /* a configuration key that was understood [control-thread] */
    /* A parameter whose name begins with `from` and is not in a Hugging Face file may stand there with `to`
     * instead: files of a model with more parts than its text. [control-thread] */
    hone_status (*rename)(const struct hone_store_v1 *store, const char *from, const char *to);
    /* Tensors of a file whose names begin with `prefix` are of parts that this model leaves out, and are not
     * read. [control-thread] */
    hone_status (*skip)(const struct hone_store_v1 *store, const char *prefix);
} hone_store_v1;

/* ---- forward ---------------------------------------------------------------------------------------- */
typedef struct hone_rope {
    uint32_t struct_size;
    uint32_t interleaved; /* 0: halves (NeoX, Hugging Face); 1: pairs */
    int32_t n_heads, head_dim;
    int32_t rotary_dim; /* <= head_dim */
    uint32_t scaling;   /* HONE_ROPE_* */
    double theta;
    double factor, low_freq_factor, high_freq_factor, original_max_positions, beta_fast, beta_slow,
        attention_factor;
    /* HONE_ROPE_FACTORS: what each pair's frequency is divided by, rotary_dim/2 of them. Borrowed as long as the
     * model lives. */
    const float *factors;
    uint64_t n_factors;
} hone_rope;
/* How frequencies differ from theta^(-2i/rotary_dim). LINEAR, LLAMA3, YARN: as transformers defines them.
 * DYNAMIC: a position p below original_max_positions L is unchanged; from there on theta grows with p + 1 as
 * transformers has it for a sequence of that length, so that a token's rotation does not depend on what follows it.
 * FACTORS: as given, cos and sin times attention_factor; positions from original_max_positions on (unless 0) are an
 * error. */
enum {
    HONE_ROPE_NONE = 0,
    HONE_ROPE_LINEAR = 1,
    HONE_ROPE_LLAMA3 = 2,
    HONE_ROPE_DYNAMIC = 3,
    HONE_ROPE_YARN = 4,
    HONE_ROPE_FACTORS = 5
};

typedef struct hone_attention {
    uint32_t struct_size;
    uint32_t slot;                                 /* which sequence state (usually the layer) */
    int32_t n_heads, n_kv_heads, head_dim, window; /* window 0 = all */
    float scale, softcap;                          /* softcap 0 = none */
} hone_attention;

typedef struct hone_ctx hone_ctx; /* a tape being recorded */

/* The functions a model calls. A handle is valid until forward returns. All [worker-thread & active]. */
typedef struct hone_graph_v1 {
    uint32_t struct_size, reserved;
    uint32_t (*mode)(hone_ctx *c); /* HONE_MODE_*; cannot fail [worker-thread & active] */
    hone_tensor (*embed)(hone_ctx *c, hone_param table,
                         float scale); /* T x C of the batch's tokens [worker-thread & active] */
    hone_tensor (*linear)(hone_ctx *c, hone_tensor x, hone_param w,
                          hone_param bias); /* x W^T + b (+ adapters) [worker-thread & active] */
    hone_tensor (*rmsnorm)(hone_ctx *c, hone_tensor x, hone_param w, float eps,
                           float w_offset); /* weight (w_offset + w) [worker-thread & active] */
    /* *sum = x + delta; returns its rmsnorm. [worker-thread & active] */
    hone_tensor (*add_rmsnorm)(hone_ctx *c, hone_tensor x, hone_tensor delta, hone_param w,
                               float eps, float w_offset, hone_tensor *sum);
    /* RMS norm of each head's head_dim columns (q/k norm). [worker-thread & active] */
    hone_tensor (*head_rmsnorm)(hone_ctx *c, hone_tensor x, hone_param w, int32_t n_heads,
                                float eps, float w_offset);
    hone_tensor (*layernorm)(hone_ctx *c, hone_tensor x, hone_param w, hone_param b,
                             float eps); /* [worker-thread & active] */
    hone_tensor (*rope)(hone_ctx *c, hone_tensor x,
                        const hone_rope *rope); /* [worker-thread & active] */
    hone_tensor (*attention)(hone_ctx *c, hone_tensor q, hone_tensor k, hone_tensor v,
                             const hone_attention *a); /* [worker-thread & active] */
    hone_tensor (*swiglu)(hone_ctx *c, hone_tensor gate,
                          hone_tensor up); /* silu(gate) * up [worker-thread & active] */
    hone_tensor (*geglu)(hone_ctx *c, hone_tensor gate,
                         hone_tensor up); /* gelu_tanh(gate) * up [worker-thread & active] */
    hone_tensor (*gelu)(hone_ctx *c, hone_tensor x); /* tanh form [worker-thread & active] */
    hone_tensor (*add)(
        hone_ctx *c, hone_tensor a,
        hone_tensor b); /* same shape, or b broadcast over rows or cols [worker-thread & active] */
    hone_tensor (*mul)(hone_ctx *c, hone_tensor a, hone_tensor b);  /* [worker-thread & active] */
    hone_tensor (*scale)(hone_ctx *c, hone_tensor a, float factor); /* [worker-thread & active] */
    hone_tensor (*param)(
        hone_ctx *c,
        hone_param p); /* a vector parameter as a 1 x n tensor [worker-thread & active] */
    hone_tensor (*slice)(hone_ctx *c, hone_tensor a, int64_t first_col,
                         int64_t n_cols); /* [worker-thread & active] */
    hone_tensor (*concat)(hone_ctx *c, hone_tensor a,
                          hone_tensor b); /* columns side by side [worker-thread & active] */
    /* Any op by name; attr is copied. outputs: n_out handles. [worker-thread & active] */
    hone_status (*op)(hone_ctx *c, const char *name, const hone_tensor *in, uint32_t n_in,
                      const void *attr, size_t attr_size, hone_tensor *out, uint32_t n_out);
    void (*block)(
        hone_ctx *c,
        int32_t
            layer); /* a transformer block begins: boundary for checkpointing [worker-thread & active] */
    hone_status (*shape)(hone_ctx *c, hone_tensor t,
                         hone_shape *out); /* [worker-thread & active] */
} hone_graph_v1;

typedef struct hone_model_v1 {
    uint32_t struct_size, reserved;
    /* 0..100: how sure this component is that it can run the configuration; cannot fail. `format` is "hf" (config.json) or
     * "gguf" (metadata map). [control-thread] */
    int32_t (*probe)(void *self, hone_str format, const hone_value *config_bor);
    hone_status (*declare)(void *self, hone_str format, const hone_value *config_bor,
                           const hone_store_v1 *store); /* [control-thread] */
    hone_tensor (*forward)(void *self, const hone_graph_v1 *g,
                           hone_ctx *c); /* the hidden state, T x hidden [worker-thread & active] */
    /* The configuration as a Hugging Face config.json text, for saving, valid until the next call; {NULL,0} on failure.
     * [control-thread] */
    hone_str (*config_json)(void *self);
    /* The same as GGUF metadata: a JSON object with the file's dotted keys, "general.architecture" among
     * them. Whole numbers become u32, those with a point f32, lists arrays of i32, f32 or strings; a key
     * "hone.tensor.NAME" with a list of numbers becomes the f32 tensor NAME. Without it, or where it gives
     * nothing, the model is not written as GGUF. Valid until the next call. [control-thread] */
    hone_str (*gguf_json)(void *self);
    /* What it runs, as `architectures`, `model_type` and GGUF's general.architecture write it, separated by
     * spaces: for hints. Constant; cannot fail. Optional. [control-thread] */
    hone_str (*runs)(void *self);
} hone_model_v1;

/* In C, `const hone_component NAME`, a model with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_MODEL(name, table, ...)                                                        \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_MODEL, HONE_IFACE_MODEL, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
