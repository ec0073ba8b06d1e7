/* ops.c - the functions that models call, each one node of the tape.
 *
 * Thin by intent: turn handles and attributes into a node. What an op means, and which shapes fit,
 * is said by the op itself (core/ops). Here live only the two things that are the graph's:
 * parameters become tensors, and the active adapters of a matrix are appended to the inputs of
 * `linear`, so that a model never knows of LoRA. */
#include "graph/internal.h"

#include "ops/attrs.h"
#include "ops/registry.h"

#include <string.h>

_Static_assert((int)HONE_TAPE_LORAS == (int)HONE_LINEAR_ADAPTERS, "adapters of one matrix");

static const char *const names[HONE__OP_COUNT] = {
#define HONE__X(id, name) name,
    HONE__OPS(HONE__X)
#undef HONE__X
};

/* One node of a built-in op; the first output, or -1. */
static hone_tensor node(hone_tape *t, int which, const hone_tensor *in, uint32_t n_in,
                        const void *attr, size_t attr_size, hone_tensor *second)
{
    hone_tensor out[2] = {HONE_NONE, HONE_NONE};
    if (second)
        *second = HONE_NONE;
    if (t->failed < 0)
        return HONE_NONE;
    if (!t->ops[which]) {
        hone_status s = hone_op_get(names[which], &t->ops[which]);
        if (s < 0) {
            hone__tape_stick(t, s);
            return HONE_NONE;
        }
    }
    if (hone__tape_node(t, t->ops[which], in, n_in, attr, attr_size, out, second ? 2 : 1) < 0)
        return HONE_NONE;
    if (second)
        *second = out[1];
    return out[0];
}

static uint32_t g_mode(hone_ctx *t)
{
    return t->mode;
}

static hone_tensor g_embed(hone_ctx *t, hone_param table, float scale)
{
    hone_embed_attr a = {scale};
    hone_tensor in = hone__tape_param(t, table);
    hone_tensor x = node(t, HONE__OP_EMBED, &in, 1, &a, sizeof a, NULL);
    hone_shape shape;
    if (!t->opts.embed_noise || t->failed < 0 || hone_tape_shape(t, x, &shape) < 0)
        return x;
    const hone_tensor both[2] = {
        x, hone_tape_input(t, shape.rows, shape.cols, HONE_F32, t->opts.embed_noise)};
    return node(t, HONE__OP_ADD, both, 2, NULL, 0, NULL);
}

/* y of W with DoRA: rows of W + scale B A get the length m, then the bias is added. */
static hone_tensor magnitude(hone_ctx *t, hone_tensor x, hone_param m, const float *norm,
                             hone_param bias)
{
    hone_tensor in[4] = {x, hone__tape_param(t, m)};
    uint32_t n = 2;
    if (t->failed < 0)
        return HONE_NONE;
    in[n++] = hone_tape_input(t, 1, t->tensors[in[1]].shape.cols, HONE_F32, norm);
    if (bias != HONE_NONE)
        in[n++] = hone__tape_param(t, bias);
    return node(t, HONE__OP_MAGNITUDE, in, n, NULL, 0, NULL);
}

static hone_tensor g_linear(hone_ctx *t, hone_tensor x, hone_param w, hone_param bias)
{
    const float *norm;
    hone_param m;
    int32_t with = 0;
    hone_lora lora[HONE_TAPE_LORAS];
    hone_tensor in[3 + 2 * HONE_TAPE_LORAS];
    hone_linear_attr a;
    uint32_t n = 0, n_lora = 0;
    memset(&a, 0, sizeof a);
    if (t->failed < 0)
        return HONE_NONE;
    if (t->params && t->params->magnitude && t->opts.adapters != HONE_ADAPTERS_NONE)
        with = t->params->magnitude(t->params->ctx, w, t->opts.adapters, &m, &norm);
    if (with < 0) {
        hone__tape_stick(t, with);
        return HONE_NONE;
    }
    in[n++] = x;
    in[n++] = hone__tape_param(t, w);
    if (bias != HONE_NONE && !with) {
        a.has_bias = 1;
        in[n++] = hone__tape_param(t, bias);
    }
    if (t->params && t->params->loras && t->opts.adapters != HONE_ADAPTERS_NONE)
        n_lora = t->params->loras(t->params->ctx, w, t->opts.adapters, lora, HONE_TAPE_LORAS);
    if (n_lora > HONE_TAPE_LORAS) {
        hone__tape_stick(t, hone_fail(HONE_E_LIMIT,
                                      "linear/1: %u adapters are active on one matrix, %d"
                                      " are possible",
                                      n_lora, (int)HONE_TAPE_LORAS));
        return HONE_NONE;
    }
    for (uint32_t i = 0; i < n_lora; i++) {
        a.scale[i] = lora[i].scale;
        in[n++] = hone__tape_param(t, lora[i].a);
        in[n++] = hone__tape_param(t, lora[i].b);
    }
    a.n_adapters = n_lora;
    hone_tensor y = node(t, HONE__OP_LINEAR, in, n, &a, sizeof a, NULL);
    return with ? magnitude(t, y, m, norm, bias) : y;
}

static hone_tensor g_rmsnorm(hone_ctx *t, hone_tensor x, hone_param w, float eps, float w_offset)
{
    hone_norm_attr a = {eps, w_offset, 0, 0};
    hone_tensor in[2] = {x, hone__tape_param(t, w)};
    return node(t, HONE__OP_RMSNORM, in, 2, &a, sizeof a, NULL);
}

static hone_tensor g_add_rmsnorm(hone_ctx *t, hone_tensor x, hone_tensor delta, hone_param w,
                                 float eps, float w_offset, hone_tensor *sum)
{
    hone_norm_attr a = {eps, w_offset, 0, 0};
    hone_tensor in[3] = {x, delta, hone__tape_param(t, w)}, y;
    hone_tensor s = node(t, HONE__OP_ADD_RMSNORM, in, 3, &a, sizeof a, &y);
    if (sum)
        *sum = s;
    return y;
}

static hone_tensor g_head_rmsnorm(hone_ctx *t, hone_tensor x, hone_param w, int32_t n_heads,
                                  float eps, float w_offset)
{
    hone_norm_attr a = {eps, w_offset, n_heads, 0};
    hone_tensor in[2] = {x, hone__tape_param(t, w)};
    return node(t, HONE__OP_HEAD_RMSNORM, in, 2, &a, sizeof a, NULL);
}

static hone_tensor g_layernorm(hone_ctx *t, hone_tensor x, hone_param w, hone_param b, float eps)
{
    hone_norm_attr a = {eps, 0.0f, 0, 0};
    hone_tensor in[3] = {x, hone__tape_param(t, w), hone__tape_param(t, b)};
    return node(t, HONE__OP_LAYERNORM, in, 3, &a, sizeof a, NULL);
}

/* A plugin may know a shorter struct than we do (it was built earlier) or a longer one. */
static void copy_attr(void *to, const void *from, size_t size, uint32_t given)
{
    uint32_t whole = (uint32_t)size;
    memset(to, 0, size);
    memcpy(to, from, given < size ? given : size);
    memcpy(to, &whole, sizeof whole);
}

static hone_tensor g_rope(hone_ctx *t, hone_tensor x, const hone_rope *rope)
{
    hone_rope a;
    copy_attr(&a, rope, sizeof a, rope->struct_size);
    return node(t, HONE__OP_ROPE, &x, 1, &a, sizeof a, NULL);
}

static hone_tensor g_attention(hone_ctx *t, hone_tensor q, hone_tensor k, hone_tensor v,
                               const hone_attention *a)
{
    hone_tensor in[3] = {q, k, v};
    hone_attention v1;
    copy_attr(&v1, a, sizeof v1, a->struct_size);
    return node(t, HONE__OP_ATTENTION, in, 3, &v1, sizeof v1, NULL);
}

static hone_tensor g_swiglu(hone_ctx *t, hone_tensor gate, hone_tensor up)
{
    hone_tensor in[2] = {gate, up};
    return node(t, HONE__OP_SWIGLU, in, 2, NULL, 0, NULL);
}

static hone_tensor g_geglu(hone_ctx *t, hone_tensor gate, hone_tensor up)
{
    hone_tensor in[2] = {gate, up};
    return node(t, HONE__OP_GEGLU, in, 2, NULL, 0, NULL);
}

static hone_tensor g_gelu(hone_ctx *t, hone_tensor x)
{
    return node(t, HONE__OP_GELU, &x, 1, NULL, 0, NULL);
}

static hone_tensor g_add(hone_ctx *t, hone_tensor a, hone_tensor b)
{
    hone_tensor in[2] = {a, b};
    return node(t, HONE__OP_ADD, in, 2, NULL, 0, NULL);
}

static hone_tensor g_mul(hone_ctx *t, hone_tensor a, hone_tensor b)
{
    hone_tensor in[2] = {a, b};
    return node(t, HONE__OP_MUL, in, 2, NULL, 0, NULL);
}

static hone_tensor g_scale(hone_ctx *t, hone_tensor a, float factor)
{
    hone_scalar_attr v = {factor};
    return node(t, HONE__OP_SCALE, &a, 1, &v, sizeof v, NULL);
}

static hone_tensor g_param(hone_ctx *t, hone_param p)
{
    return hone__tape_param(t, p);
}

static hone_tensor g_slice(hone_ctx *t, hone_tensor a, int64_t first_col, int64_t n_cols)
{
    hone_slice_attr v = {first_col, n_cols, 0, 0};
    return node(t, HONE__OP_SLICE, &a, 1, &v, sizeof v, NULL);
}

static hone_tensor g_concat(hone_ctx *t, hone_tensor a, hone_tensor b)
{
    hone_tensor in[2] = {a, b};
    return node(t, HONE__OP_CONCAT, in, 2, NULL, 0, NULL);
}

hone_status hone_tape_op(hone_tape *t, const char *name, const hone_tensor *in, uint32_t n_in,
                         const void *attr, size_t attr_size, hone_tensor *out, uint32_t n_out)
{
    const hone_op *op;
    hone_status s;
    for (uint32_t i = 0; i < n_out; i++)
        out[i] = HONE_NONE;
    if (t->failed < 0)
        return t->failed;
    s = hone_op_get(name, &op);
    if (s < 0)
        return hone__tape_stick(t, s);
    return hone__tape_node(t, op, in, n_in, attr, attr_size, out, n_out);
}

/* A block's nodes are those recorded from here to the next mark; layer < 0 ends the last one. */
static void g_block(hone_ctx *t, int32_t layer)
{
    t->layer = layer;
    t->block = layer < 0 ? -1 : t->n_blocks++;
}

static hone_status g_shape(hone_ctx *t, hone_tensor x, hone_shape *out)
{
    return hone_tape_shape(t, x, out);
}

const hone_graph_v1 *hone_tape_graph(void)
{
    static const hone_graph_v1 graph = {sizeof(hone_graph_v1),
                                        0,
                                        g_mode,
                                        g_embed,
                                        g_linear,
                                        g_rmsnorm,
                                        g_add_rmsnorm,
                                        g_head_rmsnorm,
                                        g_layernorm,
                                        g_rope,
                                        g_attention,
                                        g_swiglu,
                                        g_geglu,
                                        g_gelu,
                                        g_add,
                                        g_mul,
                                        g_scale,
                                        g_param,
                                        g_slice,
                                        g_concat,
                                        hone_tape_op,
                                        g_block,
                                        g_shape};
    return &graph;
}

hone_tensor hone_tape_logprob(hone_tape *t, hone_tensor hidden, hone_param head, float scale,
                              float softcap, float inv_temperature, hone_tensor *entropy)
{
    hone_linear_logprob_attr a;
    hone_tensor in[2] = {hidden, hone__tape_param(t, head)};
    memset(&a, 0, sizeof a);
    a.inv_temperature = inv_temperature;
    a.softcap = softcap;
    a.logit_scale = scale;
    a.want_entropy = !entropy                ? HONE_ENTROPY_NONE
                     : t->opts.entropy_shown ? HONE_ENTROPY_SHOWN
                                             : HONE_ENTROPY_TRAINED;
    return node(t, HONE__OP_LINEAR_LOGPROB, in, 2, &a, sizeof a, entropy);
}

hone_tensor hone_tape_divergence(hone_tape *t, hone_tensor hidden, hone_param head,
                                 const hone_linear_divergence_attr *attr, hone_tensor teacher,
                                 hone_tensor teacher_head, hone_tensor *divergence,
                                 hone_tensor *entropy)
{
    hone_linear_divergence_attr a = *attr;
    const hone_tensor in[4] = {hidden, hone__tape_param(t, head), teacher, teacher_head};
    hone_tensor out[3] = {HONE_NONE, HONE_NONE, HONE_NONE};
    a.want_entropy = entropy != NULL;
    if (t->failed >= 0)
        hone_tape_op(t, names[HONE__OP_LINEAR_DIVERGENCE], in, 4, &a, sizeof a, out,
                     entropy ? 3 : 2);
    *divergence = out[1];
    if (entropy)
        *entropy = out[2];
    return out[0];
}

hone_tensor hone_tape_logits(hone_tape *t, hone_tensor hidden, hone_param head, float scale,
                             float softcap)
{
    hone_logits_attr a = {softcap, scale};
    hone_tensor in[2] = {hidden, hone__tape_param(t, head)};
    return node(t, HONE__OP_LOGITS, in, 2, &a, sizeof a, NULL);
}
