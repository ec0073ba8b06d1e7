/* llama.h - what the files of the llama plugin share: the facts of one model of the family. */
#ifndef LLAMA_H
#define LLAMA_H
#include "hone/model.h"

enum { LLAMA_LLAMA = 0, LLAMA_MISTRAL = 1, LLAMA_QWEN2 = 2, LLAMA_FAMILIES = 3 };
enum { LLAMA_MAX_LAYERS = 1024, LLAMA_MAX_STOPS = 8, LLAMA_JSON = 4096 };

/* What a configuration says, whatever its format. */
typedef struct llama_facts {
    int family;
    int64_t vocab, hidden, intermediate, layers, heads, kv_heads, head_dim, max_positions;
    double eps, init_std;
    int tied, qkv_bias, o_bias, mlp_bias;
    int64_t window;         /* 0: every position is seen */
    int64_t first_windowed; /* layers from here on use the window */
    hone_rope rope;
    int64_t bos, eos[LLAMA_MAX_STOPS]; /* -1: none; kept for writing the configuration back */
    int n_eos;
    int gguf_permuted; /* q and k rows stand in the order of interleaved rope in GGUF */
} llama_facts;

typedef struct llama_layer {
    hone_param attn_norm, q, k, v, o, q_bias, k_bias, v_bias, o_bias;
    hone_param mlp_norm, gate, up, down, gate_bias, up_bias, down_bias;
} llama_layer;

typedef struct llama {
    const hone_host *host;
    const hone_mem_v1 *mem;
    void *mem_self;
    llama_facts f;
    llama_layer *layers;
    int64_t n_allocated;
    hone_param embed, norm, head;
    char json[LLAMA_JSON];
} llama;

/* Which family runs this configuration, or -1. */
int llama_family(hone_str format, const hone_value *config);
/* Reads and checks it, and names every key it understood. Fails through store->fail. */
hone_status llama_read(hone_str format, const hone_value *config, const hone_store_v1 *store,
                       llama_facts *out);
/* The Hugging Face config.json of these facts; 0 when it does not fit. */
size_t llama_write(const llama_facts *f, char *out, size_t size);
/* The same as GGUF metadata (hone/model.h); 0 when GGUF cannot say it. */
size_t llama_write_gguf(const llama_facts *f, char *out, size_t size);
#endif
