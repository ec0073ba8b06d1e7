/* llama.c - the model org.hone.model.llama: Llama 2 and 3, SmolLM2, Mistral, Qwen2.
 *
 * A pre-norm transformer with RMS norms, rotary positions, grouped-query attention and SwiGLU
 * (Touvron et al. 2023); Qwen2 adds biases to q, k, v, Mistral a sliding window. The head may be
 * the embedding. This file names the parameters and writes the forward once; configurations are
 * read in config.c.
 *
 * The residual stream: each norm takes the sum so far and the last block's output in one op, so
 * that no separate addition exists. */
#include "llama.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    hone_ref mem;
    llama *m;
    (void)cfg;
    if (host->get_iface(host, HONE_IFACE_MEM, &mem) < 0)
        return hone_host_fail(host, HONE_E_NOT_FOUND, "the host has no hone.mem/1");
    m = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, sizeof *m);
    if (!m)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(m, 0, sizeof *m);
    m->host = host;
    m->mem = mem.vt;
    m->mem_self = mem.self;
    *self_out = m;
    return HONE_OK;
}

static void destroy(void *self)
{
    llama *m = self;
    const hone_mem_v1 *mem = m->mem;
    void *mem_self = m->mem_self;
    mem->resize(mem_self, m->layers, (size_t)m->n_allocated * sizeof *m->layers, 0);
    mem->resize(mem_self, m, sizeof *m, 0);
}

/* ---- declare --------------------------------------------------------------------------------- */
static int32_t probe(void *self, hone_str format, const hone_value *config)
{
    (void)self;
    return llama_family(format, config) >= 0 ? 90 : 0;
}

struct namer {
    const hone_store_v1 *store;
    const llama_facts *f;
    uint32_t layer;
};

/* One parameter of a layer: "model.layers.3." + hf, "blk.3." + gguf. cols 0: a vector. */
static hone_param name(const struct namer *n, const char *hf, const char *gguf, const char *role,
                       int64_t rows, int64_t cols, uint32_t flags, uint32_t permuted_heads)
{
    char a[96], b[64];
    hone_param_spec s;
    snprintf(a, sizeof a, "model.layers.%u.%s", n->layer, hf);
    snprintf(b, sizeof b, "blk.%u.%s", n->layer, gguf);
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.flags = flags;
    s.name = a;
    s.gguf_name = b;
    s.role = role;
    s.rows = rows;
    s.cols = cols;
    s.layer = n->layer;
    s.init = flags & HONE_PARAM_NORM   ? HONE_INIT_ONE
             : flags & HONE_PARAM_BIAS ? HONE_INIT_ZERO
                                       : HONE_INIT_NORMAL;
    s.init_std = (float)n->f->init_std;
    if (strcmp(role, "o") == 0 ||
        strcmp(role, "down") == 0) /* they add to the residual: GPT-2's scaling */
        s.init_std = (float)n->f->init_std / sqrtf(2.0f * (float)n->f->layers);
    s.gguf_permute_heads = permuted_heads;
    return n->store->param(n->store, &s);
}

static void declare_layer(const struct namer *n, llama_layer *l)
{
    const llama_facts *f = n->f;
    int64_t q = f->heads * f->head_dim, kv = f->kv_heads * f->head_dim, c = f->hidden,
            m = f->intermediate;
    uint32_t ph = f->gguf_permuted ? (uint32_t)f->heads : 0,
             pkv = f->gguf_permuted ? (uint32_t)f->kv_heads : 0;
    l->attn_norm = name(n, "input_layernorm.weight", "attn_norm.weight", "norm", c, 0,
                        HONE_PARAM_NORM, 0);
    l->q = name(n, "self_attn.q_proj.weight", "attn_q.weight", "q", q, c, 0, ph);
    l->k = name(n, "self_attn.k_proj.weight", "attn_k.weight", "k", kv, c, 0, pkv);
    l->v = name(n, "self_attn.v_proj.weight", "attn_v.weight", "v", kv, c, 0, 0);
    l->o = name(n, "self_attn.o_proj.weight", "attn_output.weight", "o", c, q, 0, 0);
    l->q_bias = l->k_bias = l->v_bias = l->o_bias = HONE_NONE;
    if (f->qkv_bias) {
        l->q_bias = name(n, "self_attn.q_proj.bias", "attn_q.bias", "bias", q, 0, HONE_PARAM_BIAS,
                         ph);
        l->k_bias = name(n, "self_attn.k_proj.bias", "attn_k.bias", "bias", kv, 0, HONE_PARAM_BIAS,
                         pkv);
        l->v_bias = name(n, "self_attn.v_proj.bias", "attn_v.bias", "bias", kv, 0, HONE_PARAM_BIAS,
                         0);
    }
    if (f->o_bias)
        l->o_bias = name(n, "self_attn.o_proj.bias", "attn_output.bias", "bias", c, 0,
                         HONE_PARAM_BIAS, 0);
    l->mlp_norm = name(n, "post_attention_layernorm.weight", "ffn_norm.weight", "norm", c, 0,
                       HONE_PARAM_NORM, 0);
    l->gate = name(n, "mlp.gate_proj.weight", "ffn_gate.weight", "gate", m, c, 0, 0);
    l->up = name(n, "mlp.up_proj.weight", "ffn_up.weight", "up", m, c, 0, 0);
    l->down = name(n, "mlp.down_proj.weight", "ffn_down.weight", "down", c, m, 0, 0);
    l->gate_bias = l->up_bias = l->down_bias = HONE_NONE;
    if (f->mlp_bias) {
        l->gate_bias = name(n, "mlp.gate_proj.bias", "ffn_gate.bias", "bias", m, 0, HONE_PARAM_BIAS,
                            0);
        l->up_bias = name(n, "mlp.up_proj.bias", "ffn_up.bias", "bias", m, 0, HONE_PARAM_BIAS, 0);
        l->down_bias = name(n, "mlp.down_proj.bias", "ffn_down.bias", "bias", c, 0, HONE_PARAM_BIAS,
                            0);
    }
}

static hone_param declare_table(const hone_store_v1 *store, const llama_facts *f, const char *hf,
                                const char *gguf, const char *role, uint32_t flags)
{
    hone_param_spec s;
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.flags = flags;
    s.name = hf;
    s.gguf_name = gguf;
    s.role = role;
    s.rows = f->vocab;
    s.cols = f->hidden;
    s.init = HONE_INIT_NORMAL;
    s.init_std = (float)f->init_std;
    return store->param(store, &s);
}

static hone_param declare_norm(const hone_store_v1 *store, const llama_facts *f)
{
    hone_param_spec s;
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.flags = HONE_PARAM_NORM;
    s.name = "model.norm.weight";
    s.gguf_name = "output_norm.weight";
    s.role = "norm";
    s.rows = f->hidden;
    s.layer = (uint32_t)f->layers;
    s.init = HONE_INIT_ONE;
    return store->param(store, &s);
}

static hone_status declare(void *self, hone_str format, const hone_value *config,
                           const hone_store_v1 *store)
{
    llama *m = self;
    llama_facts f;
    hone_model_info info;
    struct namer n = {store, &f, 0};
    llama_layer *layers;
    hone_status s = llama_read(format, config, store, &f);
    if (s < 0)
        return s;
    layers = m->mem->resize(m->mem_self, m->layers, (size_t)m->n_allocated * sizeof *layers,
                            (size_t)f.layers * sizeof *layers);
    if (!layers)
        return store->fail(store, HONE_E_NOMEM, hone_str_c("out of memory"));
    m->layers = layers;
    m->n_allocated = f.layers;
    m->f = f;
    m->f.rope.n_heads = 0; /* set at each use */
    m->embed = declare_table(store, &f, "model.embed_tokens.weight", "token_embd.weight", "embed",
                             HONE_PARAM_EMBEDDING | (f.tied ? HONE_PARAM_HEAD : 0));
    for (n.layer = 0; n.layer < (uint32_t)f.layers; n.layer++)
        declare_layer(&n, &m->layers[n.layer]);
    m->norm = declare_norm(store, &f);
    m->head = f.tied ? m->embed
                     : declare_table(store, &f, "lm_head.weight", "output.weight", "head",
                                     HONE_PARAM_HEAD);
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    info.n_layers = info.n_state_slots = (uint32_t)f.layers;
    info.vocab_size = f.vocab;
    info.hidden = f.hidden;
    info.max_positions = f.max_positions;
    info.n_heads = f.heads;
    info.n_kv_heads = f.kv_heads;
    info.head_dim = f.head_dim;
    info.intermediate = f.intermediate;
    info.embed = m->embed;
    info.head = m->head;
    info.logit_scale = info.embed_scale = 1.0f;
    store->info(store, &info);
    return HONE_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */
/* x (T, hidden) normed -> attention output (T, hidden) */
static hone_tensor attend(const llama *m, const hone_graph_v1 *g, hone_ctx *c, const llama_layer *l,
                          int64_t layer, hone_tensor x)
{
    const llama_facts *f = &m->f;
    hone_rope rope = f->rope;
    hone_attention a;
    hone_tensor q = g->linear(c, x, l->q, l->q_bias);
    hone_tensor k = g->linear(c, x, l->k, l->k_bias);
    hone_tensor v = g->linear(c, x, l->v, l->v_bias);
    rope.n_heads = (int32_t)f->heads;
    q = g->rope(c, q, &rope);
    rope.n_heads = (int32_t)f->kv_heads;
    k = g->rope(c, k, &rope);
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    a.slot = (uint32_t)layer;
    a.n_heads = (int32_t)f->heads;
    a.n_kv_heads = (int32_t)f->kv_heads;
    a.head_dim = (int32_t)f->head_dim;
    a.window = layer >= f->first_windowed ? (int32_t)f->window : 0;
    a.scale = 1.0f / sqrtf((float)f->head_dim);
    return g->linear(c, g->attention(c, q, k, v, &a), l->o, l->o_bias);
}

static hone_tensor feed_forward(const hone_graph_v1 *g, hone_ctx *c, const llama_layer *l,
                                hone_tensor x)
{
    hone_tensor gate = g->linear(c, x, l->gate, l->gate_bias);
    hone_tensor up = g->linear(c, x, l->up, l->up_bias);
    return g->linear(c, g->swiglu(c, gate, up), l->down, l->down_bias);
}

static hone_tensor forward(void *self, const hone_graph_v1 *g, hone_ctx *c)
{
    const llama *m = self;
    float eps = (float)m->f.eps;
    hone_tensor sum = g->embed(c, m->embed, 1.0f), delta = HONE_NONE, x;
    for (int64_t i = 0; i < m->f.layers; i++) {
        const llama_layer *l = &m->layers[i];
        g->block(c, (int32_t)i);
        x = i == 0 ? g->rmsnorm(c, sum, l->attn_norm, eps, 0.0f)
                   : g->add_rmsnorm(c, sum, delta, l->attn_norm, eps, 0.0f, &sum);
        delta = attend(m, g, c, l, i, x);
        x = g->add_rmsnorm(c, sum, delta, l->mlp_norm, eps, 0.0f, &sum);
        delta = feed_forward(g, c, l, x);
    }
    return g->add_rmsnorm(c, sum, delta, m->norm, eps, 0.0f, &sum);
}

static hone_str config_json(void *self)
{
    llama *m = self;
    hone_str s = {NULL, 0};
    if (!m->layers)
        return s;
    s.len = llama_write(&m->f, m->json, sizeof m->json);
    s.ptr = s.len ? m->json : NULL;
    return s;
}

static hone_str gguf_json(void *self)
{
    llama *m = self;
    hone_str s = {NULL, 0};
    if (!m->layers)
        return s;
    s.len = llama_write_gguf(&m->f, m->json, sizeof m->json);
    s.ptr = s.len ? m->json : NULL;
    return s;
}

/* ---- the plugin ------------------------------------------------------------------------------ */
static const hone_model_v1 model = {sizeof(hone_model_v1), 0,        probe, declare, forward,
                                    config_json,           gguf_json};

static const void *get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_MODEL) == 0 ? &model : NULL;
}

static const char *const provides[] = {HONE_IFACE_MODEL, NULL};
static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const hone_component component = {
    .struct_size = sizeof(hone_component),
    .id = "org.hone.model.llama",
    .kind = HONE_KIND_MODEL,
    .version = "1.0.0",
    .vendor = "hone",
    .license = "MIT",
    .summary = "Llama 2 and 3, SmolLM2, Mistral, Qwen2",
    .url = "",
    .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_BATCH_INVARIANT,
    .needs = needs,
    .provides = provides,
    .create = create,
    .destroy = destroy,
    .get_iface = get_iface,
};
static const hone_component *const components[] = {&component, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof(hone_entry),
    .magic = &magic,
    .components = components,
};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
