/* tape.c - recording: nodes, inferred shapes, the sticky error, values.
 *
 * Recording computes nothing. Each node's op infers its shapes at once, so an error names the op
 * while the model's call is still on the stack; what the plan depends on is appended to a
 * signature, byte by byte, and two recordings with equal signatures share a plan. All arrays are
 * kept from one recording to the next, so a steady state allocates nothing.
 *
 * Invariants: tensor ids are in order of creation, a node's outputs are adjacent; a handle given
 * out is valid until the next begin; after the first failure every function returns -1 and changes
 * nothing. */
#include "graph/internal.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NODES = 1 << 20, ALIGN = 64 };

/* ---- sizes ----------------------------------------------------------------------------------- */
static size_t dtype_size(uint32_t dtype)
{
    switch (dtype) {
    case HONE_F32:
    case HONE_I32:
        return 4;
    case HONE_BF16:
    case HONE_F16:
        return 2;
    case HONE_F64T:
        return 8;
    case HONE_U8:
        return 1;
    default:
        return 0;
    }
}

size_t hone__shape_bytes(const hone_shape *s)
{
    size_t rows, n, size = dtype_size(s->dtype);
    if (s->rows < 0 || s->cols < 0 || !size)
        return 0;
    rows = (size_t)s->rows;
    if (s->layout == HONE_PANELS)
        rows = (rows + 31) / 32 * 32;
    else if (s->layout != HONE_ROWS)
        return 0;
    if (!hone_mul_size(rows, (size_t)s->cols, &n) || !hone_mul_size(n, size, &n) ||
        !hone_add_size(n, ALIGN, &n))
        return 0;
    n = (n - 1) / ALIGN * ALIGN; /* n >= 64: an empty tensor still has an address */
    return n ? n : ALIGN;
}

size_t hone__size_class(size_t bytes)
{
    size_t step = ALIGN;
    while (bytes / step > 32)
        step *= 2;
    return (bytes + step - 1) / step * step;
}

int hone__shape_same(const hone_shape *a, const hone_shape *b)
{
    return a->rows == b->rows && a->cols == b->cols && a->dtype == b->dtype &&
           a->layout == b->layout;
}

/* ---- memory ---------------------------------------------------------------------------------- */
hone_status hone__tape_grow(void **p, int32_t *cap, int32_t need, size_t size)
{
    int32_t n = *cap ? *cap : 64;
    void *q;
    if (need <= *cap)
        return HONE_OK;
    if (need > MAX_NODES)
        return hone_fail(HONE_E_LIMIT, "tape: more than %d entries", (int)MAX_NODES);
    while (n < need)
        n *= 2;
    q = hone_reallocarray(*p, (size_t)n, size);
    if (!q)
        return HONE_E_NOMEM;
    *p = q;
    *cap = n;
    return HONE_OK;
}

static hone_status grow_bytes(unsigned char **p, size_t *cap, size_t need)
{
    size_t n = *cap ? *cap : 4096;
    unsigned char *q;
    if (need <= *cap)
        return HONE_OK;
    while (n < need)
        if (!hone_mul_size(n, 2, &n))
            return hone_fail(HONE_E_LIMIT, "tape: attributes too large");
    q = hone_realloc(*p, n);
    if (!q)
        return HONE_E_NOMEM;
    *p = q;
    *cap = n;
    return HONE_OK;
}

hone_status hone_tape_create(const hone_exec *exec, hone_tape **out)
{
    hone_tape *t = hone_calloc(1, sizeof *t);
    if (!t)
        return HONE_E_NOMEM;
    t->exec.ex = *exec;
    t->arena.name = "activations";
    t->scratch.name = "scratch";
    t->inputs.name = "tape inputs";
    t->deferred.name = "deferred gradients";
    *out = t;
    return HONE_OK;
}

const hone_exec *hone_tape_exec(const hone_tape *t)
{
    return &t->exec.ex;
}

void hone_tape_destroy(hone_tape *t)
{
    if (!t)
        return;
    for (int i = 0; i < HONE__PLANS; i++)
        hone__plan_release(&t->plans[i]);
    hone_region_release(&t->arena);
    hone_region_release(&t->scratch);
    hone_region_release(&t->inputs);
    hone_region_release(&t->deferred);
    hone_free(t->tensors);
    hone_free(t->nodes);
    hone_free(t->ins);
    hone_free(t->attrs);
    hone_free(t->param_tensor);
    hone_free(t->sig);
    hone_free(t->seeded);
    hone_free(t->defer);
    hone_free(t->profile);
    hone_free(t);
}

hone_status hone_tape_begin(hone_tape *t, const hone_tape_params *params, uint32_t mode,
                            const hone_batch *batch, const hone_tape_options *opts)
{
    int32_t n = params ? params->n : 0;
    t->params = params;
    t->batch = batch;
    t->mode = mode;
    memset(&t->opts, 0, sizeof t->opts);
    t->opts.adapters = HONE_ADAPTERS_ACTIVE;
    if (opts)
        t->opts = *opts;
    t->n_tensors = t->n_nodes = t->n_ins = 0;
    t->n_attrs = t->n_inputs = t->n_sig = 0;
    t->need_thread = t->need_shared = 0;
    t->layer = t->block = -1;
    t->n_blocks = 0;
    t->failed = HONE_OK;
    t->plan = NULL;
    t->state = HONE__S_RECORDING;
    if (mode < HONE_MODE_TRAIN || mode > HONE_MODE_DECODE)
        return hone__tape_stick(t, hone_fail(HONE_E_INVALID, "tape: mode %u is none", mode));
    if (n > t->cap_param_tensor) {
        hone_tensor *q = hone_reallocarray(t->param_tensor, (size_t)n, sizeof *q);
        if (!q)
            return hone__tape_stick(t, HONE_E_NOMEM);
        t->param_tensor = q;
        t->cap_param_tensor = n;
    }
    for (int32_t i = 0; i < n; i++)
        t->param_tensor[i] = HONE__NONE;
    return HONE_OK;
}

/* ---- the sticky failure ---------------------------------------------------------------------- */
hone_status hone__tape_stick(hone_tape *t, hone_status s)
{
    if (t->failed == HONE_OK) {
        t->failed = s;
        t->error = *hone_error_get();
        if (t->error.code != s) { /* a plugin that failed without saying why */
            memset(&t->error, 0, sizeof t->error);
            t->error.code = s;
            snprintf(t->error.what, sizeof t->error.what, "tape: %s", hone_status_text(s));
        }
    }
    return s;
}

void hone_tape_fail(hone_tape *t, hone_status s)
{
    hone__tape_stick(t, s);
}

void hone_tape_explain(hone_tape *t, const hone_error *e)
{
    t->failed = e->code;
    t->error = *e;
}

hone_status hone_tape_status(const hone_tape *t)
{
    return t->failed < 0 ? hone_error_set(&t->error) : HONE_OK;
}

/* ---- tensors --------------------------------------------------------------------------------- */
static hone_status sign(hone_tape *t, const void *p, size_t n)
{
    HONE_TRY(grow_bytes(&t->sig, &t->cap_sig, t->n_sig + n));
    memcpy(t->sig + t->n_sig, p, n);
    t->n_sig += n;
    return HONE_OK;
}

static hone_status new_tensor(hone_tape *t, uint8_t kind, const hone_shape *shape, hone_tensor *out)
{
    struct hone__tensor *x;
    void *p = t->tensors;
    hone_status s = hone__tape_grow(&p, &t->cap_tensors, t->n_tensors + 1, sizeof *t->tensors);
    t->tensors = p;
    if (s < 0)
        return s;
    x = &t->tensors[t->n_tensors];
    memset(x, 0, sizeof *x);
    x->kind = kind;
    x->shape = *shape;
    x->node = HONE__NONE;
    x->param = HONE_NONE;
    *out = t->n_tensors++;
    return HONE_OK;
}

/* A tensor that no node makes: in the signature by kind, gradient flag and size. */
static hone_status sign_leaf(hone_tape *t, const struct hone__tensor *x)
{
    uint64_t w[2];
    w[0] = 0xfeu | ((uint64_t)x->kind << 8) | ((uint64_t)x->needs_grad << 16);
    w[1] = x->kind == HONE__T_PARAM ? 0 : hone__size_class(hone__shape_bytes(&x->shape));
    return sign(t, w, sizeof w);
}

hone_tensor hone__tape_param(hone_tape *t, hone_param p)
{
    hone_view value, grad;
    hone_shape shape;
    hone_tensor id;
    hone_status s;
    if (t->failed < 0)
        return HONE_NONE;
    if (!t->params || p < 0 || p >= t->params->n) {
        s = hone_fail(HONE_E_INVALID, "tape: the model used parameter %d, which it did not declare",
                      p);
        hone__tape_stick(t, s);
        return HONE_NONE;
    }
    if (t->param_tensor[p] >= 0)
        return t->param_tensor[p];
    if (!t->params->get(t->params->ctx, p, &value, &grad)) {
        hone__tape_stick(t, hone_fail(HONE_E_INVALID, "tape: parameter %d is gone", p));
        return HONE_NONE;
    }
    shape.rows = value.rows;
    shape.cols = value.cols;
    shape.dtype = value.dtype;
    shape.layout = value.layout;
    s = new_tensor(t, HONE__T_PARAM, &shape, &id);
    if (s < 0) {
        hone__tape_stick(t, s);
        return HONE_NONE;
    }
    t->tensors[id].param = p;
    t->tensors[id].value = value;
    t->tensors[id].grad = grad;
    t->tensors[id].needs_grad = t->mode == HONE_MODE_TRAIN && grad.data && !t->opts.no_param_grads;
    s = sign_leaf(t, &t->tensors[id]);
    if (s < 0) {
        hone__tape_stick(t, s);
        return HONE_NONE;
    }
    t->param_tensor[p] = id;
    return id;
}

hone_tensor hone_tape_weight(hone_tape *t, const hone_view *weight)
{
    const hone_shape shape = {weight->rows, weight->cols, weight->dtype, weight->layout};
    hone_tensor id = HONE_NONE;
    hone_status s = t->failed;
    if (s >= 0)
        s = new_tensor(t, HONE__T_PARAM, &shape, &id);
    if (s >= 0) {
        t->tensors[id].value = *weight;
        s = sign_leaf(t, &t->tensors[id]);
    }
    if (s < 0) {
        hone__tape_stick(t, s);
        return HONE_NONE;
    }
    return id;
}

static hone_tensor new_input(hone_tape *t, uint8_t kind, int64_t rows, int64_t cols, uint32_t dtype,
                             const void *data)
{
    hone_shape shape = {rows, cols, dtype, HONE_ROWS};
    size_t bytes, size, end;
    hone_tensor id;
    hone_status s;
    if (t->failed < 0)
        return HONE_NONE;
    size = hone__shape_bytes(&shape);
    if (!size || rows < 1 || cols < 1 || (dtype != HONE_F32 && dtype != HONE_I32)) {
        s = hone_fail(HONE_E_SHAPE, "tape input: %lld x %lld of type %u", (long long)rows,
                      (long long)cols, dtype);
        goto fail;
    }
    bytes = (size_t)rows * (size_t)cols * 4;
    if (!hone_add_size(t->n_inputs, size, &end)) {
        s = hone_fail(HONE_E_LIMIT, "tape input: too large");
        goto fail;
    }
    if (end > t->inputs.size) {
        size_t want = t->inputs.size * 2 > end ? t->inputs.size * 2 : end + 65536;
        HONE_TRY_GOTO(hone_region_grow(&t->inputs, want), fail);
    }
    HONE_TRY_GOTO(new_tensor(t, kind, &shape, &id), fail);
    t->tensors[id].input_off = t->n_inputs;
    t->tensors[id].needs_grad = kind == HONE__T_VARIABLE && t->mode == HONE_MODE_TRAIN;
    memcpy((unsigned char *)t->inputs.base + t->n_inputs, data, bytes);
    t->n_inputs = end;
    HONE_TRY_GOTO(sign_leaf(t, &t->tensors[id]), fail);
    return id;
fail:
    hone__tape_stick(t, s);
    return HONE_NONE;
}

hone_tensor hone_tape_input(hone_tape *t, int64_t rows, int64_t cols, uint32_t dtype,
                            const void *data)
{
    return new_input(t, HONE__T_INPUT, rows, cols, dtype, data);
}

hone_tensor hone_tape_variable(hone_tape *t, int64_t rows, int64_t cols, const float *data)
{
    return new_input(t, HONE__T_VARIABLE, rows, cols, HONE_F32, data);
}

/* ---- nodes ----------------------------------------------------------------------------------- */
/* "linear/1 (layer 3): <why>; inputs 5x64, 96x32" */
static hone_status node_failed(hone_tape *t, const hone_op *op, hone_status s, const char *why,
                               const hone_shape *in, uint32_t n_in)
{
    char place[32] = "", shapes[256] = "";
    size_t n = 0;
    if (t->layer >= 0)
        snprintf(place, sizeof place, " (layer %d)", t->layer);
    for (uint32_t i = 0; i < n_in && n + 48 < sizeof shapes; i++)
        n += (size_t)snprintf(shapes + n, sizeof shapes - n, "%s%lldx%lld", i ? ", " : "",
                              (long long)in[i].rows, (long long)in[i].cols);
    return hone_fail(s, "%s%s: %s; inputs %s", op->name, place, why, shapes);
}

static hone_status check_outputs(hone_tape *t, const hone_op *op, const hone_shape_ctx *c)
{
    if (c->n_out < 1 || c->n_out > HONE_OP_MAX_OUT || c->n_extra > HONE_OP_MAX_EXTRA)
        return node_failed(t, op, HONE_E_MISBEHAVED, "infer gave an impossible number of outputs",
                           c->in, c->n_in);
    for (uint32_t i = 0; i < c->n_out + c->n_extra; i++) {
        const hone_shape *s = i < c->n_out ? &c->out[i] : &c->extra[i - c->n_out];
        if (!hone__shape_bytes(s))
            return node_failed(t, op, HONE_E_MISBEHAVED, "infer gave an impossible shape", c->in,
                               c->n_in);
    }
    return HONE_OK;
}

/* What the plan depends on, in fixed-size words. */
static hone_status sign_node(hone_tape *t, const struct hone__node *n, const hone_shape_ctx *c)
{
    uint64_t w[6 + HONE_OP_MAX_OUT + HONE_OP_MAX_EXTRA];
    size_t k = 0;
    uint64_t same = 0; /* which input 0..3 has the shape of output 0: in place, passed gradients */
    for (uint32_t i = 0; i < c->n_in && i < 4; i++)
        same |= (uint64_t)hone__shape_same(&c->in[i], &c->out[0]) << i;
    w[k++] = (uint64_t)(uintptr_t)n->op;
    w[k++] = (uint64_t)n->n_in | (uint64_t)n->n_out << 8 | (uint64_t)n->n_extra << 16 | same << 24 |
             (uint64_t)n->needs_grad << 32;
    w[k++] = (uint64_t)n->saves_in | (uint64_t)n->saves_out << 32;
    w[k++] = (uint64_t)(uint32_t)n->block;
    for (uint32_t i = 0; i < c->n_out; i++)
        w[k++] = hone__size_class(hone__shape_bytes(&c->out[i]));
    for (uint32_t i = 0; i < c->n_extra; i++)
        w[k++] = hone__size_class(hone__shape_bytes(&c->extra[i]));
    HONE_TRY(sign(t, w, k * sizeof *w));
    return sign(t, t->ins + n->in_begin, n->n_in * sizeof *t->ins);
}

hone_status hone__tape_node(hone_tape *t, const hone_op *op, const hone_tensor *in, uint32_t n_in,
                            const void *attr, size_t attr_size, hone_tensor *out, uint32_t n_out)
{
    hone_shape shapes[HONE_OP_MAX_IN];
    hone_shape_ctx c;
    struct hone__node *n;
    hone_status s;
    size_t attr_off;
    void *p;
    for (uint32_t i = 0; i < n_out; i++)
        out[i] = HONE_NONE;
    if (t->failed < 0)
        return t->failed;
    if (t->state != HONE__S_RECORDING)
        return hone__tape_stick(t,
                                hone_fail(HONE_E_STATE, "%s: the tape is not recording", op->name));
    if (n_in > HONE_OP_MAX_IN || attr_size != op->attr_size)
        return hone__tape_stick(t, hone_fail(HONE_E_INVALID,
                                             "%s: %u inputs, %zu bytes of attributes"
                                             " (it takes %zu)",
                                             op->name, n_in, attr_size, op->attr_size));
    memset(&c, 0, sizeof c);
    for (uint32_t i = 0; i < n_in; i++) {
        if (in[i] < 0 || in[i] >= t->n_tensors)
            return hone__tape_stick(t, hone_fail(HONE_E_INVALID,
                                                 "%s: input %u is no tensor of this"
                                                 " tape",
                                                 op->name, i));
        shapes[i] = t->tensors[in[i]].shape;
        if (t->tensors[in[i]].needs_grad)
            c.needs_grad |= 1u << i;
    }

    attr_off = (t->n_attrs + 15) & ~(size_t)15;
    s = grow_bytes(&t->attrs, &t->cap_attrs, attr_off + attr_size);
    p = t->ins;
    if (s >= 0)
        s = hone__tape_grow(&p, &t->cap_ins, t->n_ins + (int32_t)n_in, sizeof *t->ins);
    t->ins = p;
    p = t->nodes;
    if (s >= 0)
        s = hone__tape_grow(&p, &t->cap_nodes, t->n_nodes + 1, sizeof *t->nodes);
    t->nodes = p;
    if (s < 0)
        return hone__tape_stick(t, s);
    if (attr_size)
        memcpy(t->attrs + attr_off, attr, attr_size);

    c.struct_size = sizeof c;
    c.mode = t->mode;
    c.n_in = n_in;
    c.in = shapes;
    c.attr = attr_size ? t->attrs + attr_off : NULL;
    c.batch = t->batch;
    s = op->infer(&c);
    if (s < 0) {
        c.error[sizeof c.error - 1] = 0;
        s = node_failed(t, op, s, c.error[0] ? c.error : "shapes do not fit", shapes, n_in);
        return hone__tape_stick(t, s);
    }
    s = check_outputs(t, op, &c);
    if (s >= 0 && n_out > c.n_out) {
        char why[64];
        snprintf(why, sizeof why, "it has %u outputs, %u were asked for", c.n_out, n_out);
        s = node_failed(t, op, HONE_E_INVALID, why, shapes, n_in);
    }
    if (s < 0)
        return hone__tape_stick(t, s);

    for (uint32_t i = 0; i < n_in;
         i++) /* an op may say that nothing flows to an input (detach, indices) */
        if (!t->tensors[in[i]].needs_grad)
            c.needs_grad &= ~(1u << i);
    n = &t->nodes[t->n_nodes];
    memset(n, 0, sizeof *n);
    n->op = op;
    n->attr_off = (uint32_t)attr_off;
    n->attr_size = (uint32_t)attr_size;
    n->in_begin = t->n_ins;
    n->first_out = t->n_tensors;
    n->n_in = (uint8_t)n_in;
    n->n_out = (uint8_t)c.n_out;
    n->n_extra = (uint8_t)c.n_extra;
    n->needs_grad = c.needs_grad;
    n->saves_in = c.saves_in;
    n->saves_out = c.saves_out;
    n->layer = t->layer;
    n->block = t->block;
    memcpy(n->extra, c.extra, sizeof c.extra);
    if (n_in)
        memcpy(t->ins + t->n_ins, in, n_in * sizeof *in);
    for (uint32_t i = 0; i < n_in; i++)
        t->tensors[in[i]].read = 1;
    for (uint32_t i = 0; i < c.n_out; i++) {
        hone_tensor id;
        s = new_tensor(t, HONE__T_NODE, &c.out[i], &id);
        if (s < 0)
            return hone__tape_stick(t, s);
        t->tensors[id].node = t->n_nodes;
        t->tensors[id].out_index = (uint8_t)i;
        t->tensors[id].needs_grad = c.needs_grad != 0;
        if (i < n_out)
            out[i] = id;
    }
    s = sign_node(t, n, &c);
    if (s < 0)
        return hone__tape_stick(t, s);
    t->n_ins += (int32_t)n_in;
    t->n_attrs = attr_off + attr_size;
    t->n_nodes++;
    if (c.thread_scratch > t->need_thread)
        t->need_thread = c.thread_scratch;
    if (c.shared_scratch > t->need_shared)
        t->need_shared = c.shared_scratch;
    if (t->mode == HONE_MODE_TRAIN && c.needs_grad) {
        if (c.thread_scratch_bwd > t->need_thread)
            t->need_thread = c.thread_scratch_bwd;
        if (c.shared_scratch_bwd > t->need_shared)
            t->need_shared = c.shared_scratch_bwd;
    }
    return HONE_OK;
}

/* ---- what callers want of a tensor ----------------------------------------------------------- */
hone_status hone_tape_shape(const hone_tape *t, hone_tensor x, hone_shape *out)
{
    if (x < 0 || x >= t->n_tensors)
        return t->failed < 0 ? hone_error_set(&t->error)
                             : hone_fail(HONE_E_INVALID, "tape: %d is no tensor of this tape", x);
    *out = t->tensors[x].shape;
    return HONE_OK;
}

void hone_tape_keep(hone_tape *t, hone_tensor x)
{
    if (x >= 0 && x < t->n_tensors && t->state == HONE__S_RECORDING)
        t->tensors[x].keep = 1;
}

void hone_tape_root(hone_tape *t, hone_tensor x)
{
    if (x >= 0 && x < t->n_tensors && t->state == HONE__S_RECORDING)
        t->tensors[x].keep = t->tensors[x].root = 1;
}

static hone_view rows_view(const hone_shape *s, void *data)
{
    hone_view v;
    v.data = data;
    v.dtype = s->dtype;
    v.layout = s->layout;
    v.rows = s->rows;
    v.cols = s->cols;
    v.ld = s->cols;
    return v;
}

hone_view hone_tape_value(const hone_tape *t, hone_tensor x)
{
    const struct hone__tensor *a;
    hone_view v = {NULL, 0, 0, 0, 0, 0};
    if (x < 0 || x >= t->n_tensors)
        return v;
    a = &t->tensors[x];
    if (a->kind == HONE__T_PARAM)
        return a->value;
    if (a->kind != HONE__T_NODE)
        return rows_view(&a->shape, (unsigned char *)t->inputs.base + a->input_off);
    if (t->state < HONE__S_RAN || !t->plan || t->plan->tensors[x].value == HONE__NO_BUFFER ||
        (!a->keep && a->read))
        return rows_view(&a->shape, NULL);
    return rows_view(&a->shape, (unsigned char *)t->arena.base + t->plan->tensors[x].value);
}

hone_view hone_tape_grad(const hone_tape *t, hone_tensor x)
{
    const struct hone__tensor *a;
    hone_view v = {NULL, 0, 0, 0, 0, 0};
    if (x < 0 || x >= t->n_tensors)
        return v;
    a = &t->tensors[x];
    if (a->kind == HONE__T_PARAM)
        return a->grad;
    if (a->kind != HONE__T_VARIABLE || t->state != HONE__S_DONE ||
        t->plan->tensors[x].grad == HONE__NO_BUFFER)
        return rows_view(&a->shape, NULL);
    return rows_view(&a->shape, (unsigned char *)t->arena.base + t->plan->tensors[x].grad);
}
