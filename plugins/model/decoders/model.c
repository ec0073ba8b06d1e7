/* model.c - the one decoder that all families are: parameters by name, the forward written once.
 *
 * A residual stream with RMS norms, rotary positions, grouped-query attention and a gated feed-forward (Touvron et al.
 * 2023). The facts say where norms stand, what is normed besides (q and k), which layers have a window or no rope, and
 * what is multiplied by what. Where norms stand before, each takes the sum so far and the last block's output in one
 * op, so that no separate addition exists. */
#include "decoders.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct decoder {
    const hone_mem_v1 *mem;
    void *mem_self;
    const decoder_family *const *families;
    decoder_facts f;
    decoder_layer *layers;
    int64_t n_allocated;
    hone_param embed, norm, head;
    char json[DECODER_JSON], names[1024];
} decoder;

hone_status decoder_create(const hone_host *host, const decoder_family *const *families, void **out)
{
    hone_ref mem;
    decoder *m;
    if (host->get_iface(host, HONE_IFACE_MEM, &mem) < 0)
        return hone_host_fail(host, HONE_E_NOT_FOUND, "the host has no hone.mem/1");
    m = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, sizeof *m);
    if (!m)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(m, 0, sizeof *m);
    m->mem = mem.vt;
    m->mem_self = mem.self;
    m->families = families;
    *out = m;
    return HONE_OK;
}

void decoder_destroy(void *self)
{
    decoder *m = self;
    const hone_mem_v1 *mem = m->mem;
    void *mem_self = m->mem_self;
    mem->resize(mem_self, m->layers, (size_t)m->n_allocated * sizeof *m->layers, 0);
    mem->resize(mem_self, m, sizeof *m, 0);
}

/* ---- declare --------------------------------------------------------------------------------- */
static int32_t probe(void *self, hone_str format, const hone_value *config)
{
    return decoder_find(((decoder *)self)->families, format, config) ? 90 : 0;
}

struct namer {
    const hone_store_v1 *store;
    const decoder_facts *f;
    uint32_t layer;
};

/* One parameter; cols 0: a vector. In a layer names get "model.layers.3." and "blk.3." in front. */
static hone_param name(const struct namer *n, const char *hf, const char *gguf, const char *role,
                       int64_t rows, int64_t cols, uint32_t flags, uint32_t permuted_heads)
{
    char a[96], b[64];
    hone_param_spec s;
    int inside = n->layer < (uint32_t)n->f->layers &&
                 !(flags & (HONE_PARAM_EMBEDDING | HONE_PARAM_HEAD));
    float std = (float)n->f->init_std;
    if (inside) {
        snprintf(a, sizeof a, "model.layers.%u.%s", n->layer, hf);
        snprintf(b, sizeof b, "blk.%u.%s", n->layer, gguf);
    }
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.flags = flags;
    s.name = inside ? a : hf;
    s.gguf_name = inside ? b : gguf;
    s.role = role;
    s.rows = rows;
    s.cols = cols;
    s.layer = n->layer;
    s.init = HONE_INIT_NORMAL;
    s.init_std = std;
    if (strcmp(role, "o") == 0 ||
        strcmp(role, "down") == 0) /* they add to the residual: GPT-2's scaling */
        s.init_std = std / sqrtf(2.0f * (float)n->f->layers);
    if (flags & HONE_PARAM_NORM) {
        s.init = n->f->norm_offset == 0.0f ? HONE_INIT_ONE : HONE_INIT_ZERO;
        s.gguf_offset = n->f->norm_offset;
    } else if (flags & HONE_PARAM_BIAS) {
        s.init = HONE_INIT_ZERO;
    }
    s.gguf_permute_heads = permuted_heads;
    return n->store->param(n->store, &s);
}

static hone_param norm(const struct namer *n, const char *hf, const char *gguf, int64_t rows)
{
    return name(n, hf, gguf, "norm", rows, 0, HONE_PARAM_NORM, 0);
}

static hone_param bias(const struct namer *n, int has, const char *hf, const char *gguf,
                       int64_t rows, uint32_t permuted_heads)
{
    return has ? name(n, hf, gguf, "bias", rows, 0, HONE_PARAM_BIAS, permuted_heads) : HONE_NONE;
}

static void declare_attention(const struct namer *n, decoder_layer *l)
{
    const decoder_facts *f = n->f;
    int64_t q = f->heads * f->head_dim, kv = f->kv_heads * f->head_dim, c = f->hidden;
    uint32_t ph = f->family->gguf_permuted ? (uint32_t)f->heads : 0,
             pkv = f->family->gguf_permuted ? (uint32_t)f->kv_heads : 0;
    if (f->fused) {
        l->q = name(n, "self_attn.qkv_proj.weight", "attn_qkv.weight", "q+k+v", q + 2 * kv, c, 0,
                    0);
    } else {
        l->q = name(n, "self_attn.q_proj.weight", "attn_q.weight", "q", q, c, 0, ph);
        l->k = name(n, "self_attn.k_proj.weight", "attn_k.weight", "k", kv, c, 0, pkv);
        l->v = name(n, "self_attn.v_proj.weight", "attn_v.weight", "v", kv, c, 0, 0);
    }
    l->o = name(n, "self_attn.o_proj.weight", "attn_output.weight", "o", c, q, 0, 0);
    l->q_bias = bias(n, f->qkv_bias, "self_attn.q_proj.bias", "attn_q.bias", q, ph);
    l->k_bias = bias(n, f->qkv_bias, "self_attn.k_proj.bias", "attn_k.bias", kv, pkv);
    l->v_bias = bias(n, f->qkv_bias, "self_attn.v_proj.bias", "attn_v.bias", kv, 0);
    l->o_bias = bias(n, f->o_bias, "self_attn.o_proj.bias", "attn_output.bias", c, 0);
    if (f->qk_norm) {
        int whole = f->qk_norm == DECODER_QK_WHOLE;
        l->q_norm = norm(n, "self_attn.q_norm.weight", "attn_q_norm.weight",
                         whole ? q : f->head_dim);
        l->k_norm = norm(n, "self_attn.k_norm.weight", "attn_k_norm.weight",
                         whole ? kv : f->head_dim);
    }
}

static void declare_feed_forward(const struct namer *n, decoder_layer *l)
{
    const decoder_facts *f = n->f;
    int64_t c = f->hidden, m = f->intermediate;
    if (f->fused) {
        l->gate = name(n, "mlp.gate_up_proj.weight", "ffn_up.weight", "gate+up", 2 * m, c, 0, 0);
    } else {
        l->gate = name(n, "mlp.gate_proj.weight", "ffn_gate.weight", "gate", m, c, 0, 0);
        l->up = name(n, "mlp.up_proj.weight", "ffn_up.weight", "up", m, c, 0, 0);
    }
    l->down = name(n, "mlp.down_proj.weight", "ffn_down.weight", "down", c, m, 0, 0);
    l->gate_bias = bias(n, f->mlp_bias, "mlp.gate_proj.bias", "ffn_gate.bias", m, 0);
    l->up_bias = bias(n, f->mlp_bias, "mlp.up_proj.bias", "ffn_up.bias", m, 0);
    l->down_bias = bias(n, f->mlp_bias, "mlp.down_proj.bias", "ffn_down.bias", c, 0);
}

static void declare_layer(const struct namer *n, decoder_layer *l)
{
    int norms = n->f->norms;
    int64_t c = n->f->hidden;
    memset(l, 0xff, sizeof *l); /* HONE_NONE everywhere */
    if (norms != DECODER_NORM_AFTER)
        l->attn_norm = norm(n, "input_layernorm.weight", "attn_norm.weight", c);
    declare_attention(n, l);
    if (norms != DECODER_NORM_BEFORE)
        l->attn_post_norm = norm(n, "post_attention_layernorm.weight", "post_attention_norm.weight",
                                 c);
    if (norms != DECODER_NORM_AFTER)
        l->mlp_norm = norm(n,
                           norms == DECODER_NORM_BEFORE ? "post_attention_layernorm.weight"
                                                        : "pre_feedforward_layernorm.weight",
                           "ffn_norm.weight", c);
    declare_feed_forward(n, l);
    if (norms != DECODER_NORM_BEFORE)
        l->mlp_post_norm = norm(n, "post_feedforward_layernorm.weight", "post_ffw_norm.weight", c);
}

static hone_status declare(void *self, hone_str format, const hone_value *config,
                           const hone_store_v1 *store)
{
    decoder *m = self;
    decoder_facts *f = &m->f;
    hone_model_info info;
    struct namer n = {store, f, 0};
    decoder_layer *layers;
    hone_status s = decoder_read(m->families, format, config, store, f);
    if (s < 0)
        return s;
    layers = m->mem->resize(m->mem_self, m->layers, (size_t)m->n_allocated * sizeof *layers,
                            (size_t)f->layers * sizeof *layers);
    if (!layers)
        return store->fail(store, HONE_E_NOMEM, hone_str_c("out of memory"));
    m->layers = layers;
    m->n_allocated = f->layers;
    m->embed = name(&n, "model.embed_tokens.weight", "token_embd.weight", "embed", f->vocab,
                    f->hidden, HONE_PARAM_EMBEDDING | (f->tied ? HONE_PARAM_HEAD : 0), 0);
    for (n.layer = 0; n.layer < (uint32_t)f->layers; n.layer++)
        declare_layer(&n, &m->layers[n.layer]);
    m->norm = norm(&n, "model.norm.weight", "output_norm.weight", f->hidden);
    m->head = f->tied ? m->embed
                      : name(&n, "lm_head.weight", "output.weight", "head", f->vocab, f->hidden,
                             HONE_PARAM_HEAD, 0);
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    info.n_layers = info.n_state_slots = (uint32_t)f->layers;
    info.vocab_size = f->vocab;
    info.hidden = f->hidden;
    info.max_positions = f->max_positions;
    info.n_heads = f->heads;
    info.n_kv_heads = f->kv_heads;
    info.head_dim = f->head_dim;
    info.intermediate = f->intermediate;
    info.embed = m->embed;
    info.head = m->head;
    info.logit_scale = f->logit_scale;
    info.logit_softcap = f->logit_softcap;
    info.embed_scale = f->embed_scale;
    store->info(store, &info);
    return HONE_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */
static hone_tensor normed(const decoder *m, const hone_graph_v1 *g, hone_ctx *c, hone_tensor x,
                          hone_param w)
{
    return g->rmsnorm(c, x, w, (float)m->f.eps, m->f.norm_offset);
}

/* Norms of q (or k): of each head, or of all columns as one. */
static hone_tensor norm_heads(const decoder *m, const hone_graph_v1 *g, hone_ctx *c, hone_tensor x,
                              hone_param w, int64_t heads)
{
    if (m->f.qk_norm == DECODER_QK_HEAD)
        return g->head_rmsnorm(c, x, w, (int32_t)heads, (float)m->f.eps, m->f.norm_offset);
    return m->f.qk_norm == DECODER_QK_WHOLE ? normed(m, g, c, x, w) : x;
}

/* x (T, hidden) -> attention output (T, hidden) */
static hone_tensor attend(const decoder *m, const hone_graph_v1 *g, hone_ctx *c,
                          const decoder_layer *l, int64_t layer, hone_tensor x)
{
    const decoder_facts *f = &m->f;
    int64_t nq = f->heads * f->head_dim, nkv = f->kv_heads * f->head_dim;
    hone_attention a;
    hone_tensor q, k, v;
    if (f->fused) {
        hone_tensor all = g->linear(c, x, l->q, HONE_NONE);
        q = g->slice(c, all, 0, nq);
        k = g->slice(c, all, nq, nkv);
        v = g->slice(c, all, nq + nkv, nkv);
    } else {
        q = g->linear(c, x, l->q, l->q_bias);
        k = g->linear(c, x, l->k, l->k_bias);
        v = g->linear(c, x, l->v, l->v_bias);
    }
    q = norm_heads(m, g, c, q, l->q_norm, f->heads);
    k = norm_heads(m, g, c, k, l->k_norm, f->kv_heads);
    if (f->rope_of[layer] >= 0) {
        const decoder_rope *p = &f->ropes[f->rope_of[layer]];
        hone_rope rope = p->rope;
        rope.factors = p->n_factors ? p->factors : NULL;
        rope.n_factors = (uint64_t)p->n_factors;
        rope.n_heads = (int32_t)f->heads;
        q = g->rope(c, q, &rope);
        rope.n_heads = (int32_t)f->kv_heads;
        k = g->rope(c, k, &rope);
    }
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    a.slot = (uint32_t)layer;
    a.n_heads = (int32_t)f->heads;
    a.n_kv_heads = (int32_t)f->kv_heads;
    a.head_dim = (int32_t)f->head_dim;
    a.window = f->windowed[layer] ? (int32_t)f->window : 0;
    a.scale = f->attention_scale;
    a.softcap = f->attention_softcap;
    return g->linear(c, g->attention(c, q, k, v, &a), l->o, l->o_bias);
}

static hone_tensor feed_forward(const decoder *m, const hone_graph_v1 *g, hone_ctx *c,
                                const decoder_layer *l, hone_tensor x)
{
    int64_t n = m->f.intermediate;
    hone_tensor gate = g->linear(c, x, l->gate, l->gate_bias), up;
    if (m->f.fused) {
        up = g->slice(c, gate, n, n);
        gate = g->slice(c, gate, 0, n);
    } else {
        up = g->linear(c, x, l->up, l->up_bias);
    }
    gate = m->f.activation == DECODER_SILU ? g->swiglu(c, gate, up) : g->geglu(c, gate, up);
    return g->linear(c, gate, l->down, l->down_bias);
}

/* What a block adds to the stream. */
static hone_tensor addend(const decoder *m, const hone_graph_v1 *g, hone_ctx *c, hone_tensor x,
                          hone_param post_norm)
{
    if (post_norm >= 0)
        x = normed(m, g, c, x, post_norm);
    return m->f.residual_scale == 1.0f ? x : g->scale(c, x, m->f.residual_scale);
}

static hone_tensor forward(void *self, const hone_graph_v1 *g, hone_ctx *c)
{
    const decoder *m = self;
    float eps = (float)m->f.eps, off = m->f.norm_offset;
    int before = m->f.norms != DECODER_NORM_AFTER;
    hone_tensor sum = g->embed(c, m->embed, m->f.embed_scale), delta = HONE_NONE, x;
    for (int64_t i = 0; i < m->f.layers; i++) {
        const decoder_layer *l = &m->layers[i];
        g->block(c, (int32_t)i);
        if (!before) {
            sum = x = i == 0 ? sum : g->add(c, sum, delta);
        } else {
            x = i == 0 ? normed(m, g, c, sum, l->attn_norm)
                       : g->add_rmsnorm(c, sum, delta, l->attn_norm, eps, off, &sum);
        }
        delta = addend(m, g, c, attend(m, g, c, l, i, x), l->attn_post_norm);
        if (before)
            x = g->add_rmsnorm(c, sum, delta, l->mlp_norm, eps, off, &sum);
        else
            sum = x = g->add(c, sum, delta);
        delta = addend(m, g, c, feed_forward(m, g, c, l, x), l->mlp_post_norm);
    }
    return g->add_rmsnorm(c, sum, delta, m->norm, eps, off, &sum);
}

static hone_str config_json(void *self)
{
    decoder *m = self;
    hone_str s = {NULL, 0};
    if (!m->layers)
        return s;
    s.len = decoder_write(&m->f, m->json, sizeof m->json);
    s.ptr = s.len ? m->json : NULL;
    return s;
}

static hone_str gguf_json(void *self)
{
    decoder *m = self;
    hone_str s = {NULL, 0};
    if (!m->layers)
        return s;
    s.len = decoder_write_gguf(&m->f, m->json, sizeof m->json);
    s.ptr = s.len ? m->json : NULL;
    return s;
}

static hone_str runs(void *self)
{
    decoder *m = self;
    size_t n = 0;
    for (const decoder_family *const *f = m->families; *f; f++)
        n += (size_t)snprintf(m->names + n, sizeof m->names - n, "%s%s %s", n ? " " : "",
                              (*f)->architecture, (*f)->type);
    return hone_str_c(m->names);
}

const hone_model_v1 decoder_model = {sizeof(hone_model_v1), 0,         probe, declare, forward,
                                     config_json,           gguf_json, runs};

const void *decoder_get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_MODEL) == 0 ? &decoder_model : NULL;
}
