/* run.c - executes a plan: forward, backward, deferred gradients.
 *
 * Each step builds the op's views on the stack from the plan's offsets and calls the op. Parameters
 * are read and their gradients added to where the store has them; everything else lies in the
 * arena. An op's scratch is the tape's own: one piece a thread and one shared, as large as any node
 * of the recording asked for.
 *
 * Deferred gradients (HONE_OP_DEFER: the embedding's scatter): backward copies dout and the tokens,
 * and hone_tape_finish_grads runs the op's backward over all copies in order. So a tied table first
 * gets every micro-batch's head gradient, then every micro-batch's scatter, and no split into
 * micro-batches changes its bits.
 *
 * Invariants: nothing is allocated once arena, scratch and deferred region have their size. */
#include "graph/internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/trace.h"
#include "ops/linear.h"
#include "tensor/pool.h"

#include <string.h>

/* Everything one call of an op is given. */
struct call {
    hone_op_args args;
    hone_view in[HONE_OP_MAX_IN], out[HONE_OP_MAX_OUT], extra[HONE_OP_MAX_EXTRA];
    hone_view dout[HONE_OP_MAX_OUT], din[HONE_OP_MAX_IN];
    uint8_t fresh[HONE_OP_MAX_IN];
};

static hone_view view_of(const hone_shape *s, void *data)
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

static void *at(const hone_tape *t, size_t offset)
{
    return offset == HONE__NO_BUFFER ? NULL : (unsigned char *)t->arena.base + offset;
}

/* Value of tensor x as a node sees it: in its forward (group -1), in the replay of `group`, or in
 * backward. */
static hone_view value_of(const hone_tape *t, int32_t x, int32_t group, int backward)
{
    const struct hone__tensor *a = &t->tensors[x];
    if (a->kind == HONE__T_PARAM)
        return a->value;
    if (a->kind != HONE__T_NODE)
        return view_of(&a->shape, (unsigned char *)t->inputs.base + a->input_off);
    if ((group >= 0 && t->plan->nodes[a->node].group == group) ||
        (backward && t->plan->nodes[a->node].cheap))
        return view_of(&a->shape, at(t, t->plan->tensors[x].replay));
    return view_of(&a->shape, at(t, t->plan->tensors[x].value));
}

static void start_call(const hone_tape *t, int32_t n, struct call *c)
{
    const struct hone__node *a = &t->nodes[n];
    memset(&c->args, 0, sizeof c->args);
    c->args.struct_size = sizeof c->args;
    c->args.mode = t->mode;
    c->args.n_in = a->n_in;
    c->args.n_out = a->n_out;
    c->args.n_extra = a->n_extra;
    c->args.in = c->in;
    c->args.out = c->out;
    c->args.extra = c->extra;
    c->args.attr = a->attr_size ? t->attrs + a->attr_off : NULL;
    c->args.batch = t->batch;
}

static void prepare_forward(const hone_tape *t, int32_t n, int replay, struct call *c)
{
    const struct hone__node *a = &t->nodes[n];
    const struct hone__node_place *p = &t->plan->nodes[n];
    int32_t group = replay ? p->group : -1;
    start_call(t, n, c);
    for (int32_t i = 0; i < a->n_in; i++)
        c->in[i] = value_of(t, t->ins[a->in_begin + i], group, 0);
    for (int32_t i = 0; i < a->n_out; i++)
        c->out[i] = value_of(t, a->first_out + i, group, replay);
    for (int32_t i = 0; i < a->n_extra; i++)
        c->extra[i] = view_of(&a->extra[i], at(t, replay ? p->extra_replay[i] : p->extra[i]));
}

static hone_status run_forward(hone_tape *t, int32_t n, int replay)
{
    struct call c;
    prepare_forward(t, n, replay, &c);
    return t->nodes[n].op->fwd(&c.args, &t->exec.ex);
}

/* ---- products of one input, as one job ---------------------------------------------------------- */
/* More rows are work enough for a job of its own: 256 of them went 1.5 % slower together. */
enum { TOGETHER_ROWS = 64 };

/* A linear map without adapters, whose input is then *x. */
static int is_plain_linear(const hone_tape *t, const struct hone__step *st, hone_tensor *x)
{
    const struct hone__node *a = &t->nodes[st->node];
    if (st->kind != HONE__FWD || a->op != t->ops[HONE__OP_LINEAR] || !a->attr_size ||
        ((const hone_linear_attr *)(const void *)(t->attrs + a->attr_off))->n_adapters)
        return 0;
    *x = t->ins[a->in_begin];
    return 1;
}

/* How many steps from i on (queries, keys and values; gate and up) multiply the same input: the plan puts nothing that one of
 * them reads where another one writes, because each reads but that input and parameters. */
static int32_t siblings(const hone_tape *t, int32_t i)
{
    hone_tensor x, y;
    int32_t n = 1;
    if (t->profile || !is_plain_linear(t, &t->plan->steps[i], &x) ||
        t->tensors[x].shape.rows > TOGETHER_ROWS)
        return 1;
    while (n < HONE_LINEAR_TOGETHER && i + n < t->plan->n_fwd &&
           is_plain_linear(t, &t->plan->steps[i + n], &y) && y == x)
        n++;
    return n;
}

static void run_siblings(hone_tape *t, int32_t i, int32_t n)
{
    struct call c[HONE_LINEAR_TOGETHER];
    const hone_op_args *args[HONE_LINEAR_TOGETHER];
    for (int32_t k = 0; k < n; k++) {
        prepare_forward(t, t->plan->steps[i + k].node, 0, &c[k]);
        args[k] = &c[k].args;
    }
    hone_linear_together(args, n, &t->exec.ex);
}

/* g += twin, element by element. */
static void add_twin(const hone_shape *s, void *to, const void *from)
{
    float *g = to;
    const float *f = from;
    int64_t n = s->rows * s->cols;
    for (int64_t i = 0; i < n; i++)
        g[i] += f[i];
}

static hone_status defer(hone_tape *t, int32_t n);

static hone_status run_backward(hone_tape *t, int32_t n)
{
    const struct hone__node *a = &t->nodes[n];
    const struct hone__node_place *p = &t->plan->nodes[n];
    struct call c;
    if (p->defer)
        return defer(t, n);
    start_call(t, n, &c);
    c.args.dout = c.dout;
    c.args.din = c.din;
    c.args.din_fresh = c.fresh;
    for (int32_t i = 0; i < a->n_in; i++) {
        int32_t x = t->ins[a->in_begin + i];
        const struct hone__tensor *b = &t->tensors[x];
        c.in[i] = value_of(t, x, p->group, 1);
        if (b->kind == HONE__T_NODE && !(a->saves_in >> i & 1))
            c.in[i].data = NULL;
        c.fresh[i] = p->fresh >> i & 1;
        if (!(a->needs_grad >> i & 1))
            c.din[i] = view_of(&b->shape, NULL);
        else if (b->kind == HONE__T_PARAM)
            c.din[i] = b->grad;
        else if (p->twin[i] != HONE__NO_BUFFER)
            c.din[i] = view_of(&b->shape, at(t, p->twin[i]));
        else
            c.din[i] = view_of(&b->shape, at(t, t->plan->tensors[x].grad));
    }
    for (int32_t i = 0; i < a->n_out; i++) {
        int32_t x = a->first_out + i;
        c.out[i] = value_of(t, x, p->group, 1);
        if (!(a->saves_out >> i & 1))
            c.out[i].data = NULL;
        c.dout[i] = view_of(&t->tensors[x].shape, at(t, t->plan->tensors[x].grad));
    }
    for (int32_t i = 0; i < a->n_extra; i++)
        c.extra[i] = view_of(&a->extra[i], at(t, p->group >= 0 ? p->extra_replay[i] : p->extra[i]));
    HONE_TRY(a->op->bwd(&c.args, &t->exec.ex));
    for (int32_t i = 0; i < a->n_in; i++)
        if (p->twin[i] != HONE__NO_BUFFER) {
            int32_t x = t->ins[a->in_begin + i];
            add_twin(&t->tensors[x].shape, at(t, t->plan->tensors[x].grad), at(t, p->twin[i]));
        }
    return HONE_OK;
}

/* The same step while planning: only deferred gradients take memory outside the arena. */
static hone_status plan_step(hone_tape *t, const struct hone__step *st)
{
    int deferred = st->kind == HONE__BWD && t->plan->nodes[st->node].defer;
    return deferred ? defer(t, st->node) : HONE_OK;
}

static hone_status run_untraced(hone_tape *t, const struct hone__step *st)
{
    return st->kind == HONE__BWD ? run_backward(t, st->node)
                                 : run_forward(t, st->node, st->kind == HONE__REPLAY);
}

/* Shapes for a trace: inputs, then outputs, as many as it has room for. */
static void describe(const hone_tape *t, int32_t n, hone_trace_detail *d)
{
    const struct hone__node *a = &t->nodes[n];
    uint32_t k = 0;
    d->layer = a->layer;
    d->tasks = 0;
    for (int32_t i = 0; i < a->n_in && k + 1 < HONE_TRACE_SHAPES; i++, k++) {
        const hone_shape *x = &t->tensors[t->ins[a->in_begin + i]].shape;
        d->rows[k] = x->rows;
        d->cols[k] = x->cols;
    }
    d->n_in = k;
    for (int32_t i = 0; i < a->n_out && k < HONE_TRACE_SHAPES; i++, k++) {
        const hone_shape *x = &t->tensors[a->first_out + i].shape;
        d->rows[k] = x->rows;
        d->cols[k] = x->cols;
    }
    d->n_out = k - d->n_in;
}

static uint32_t phase_of(const hone_tape *t, const struct hone__step *st)
{
    static const uint32_t by_mode[] = {[HONE_MODE_TRAIN] = HONE_TRACE_FORWARD,
                                       [HONE_MODE_SCORE] = HONE_TRACE_SCORE,
                                       [HONE_MODE_PREFILL] = HONE_TRACE_PREFILL,
                                       [HONE_MODE_DECODE] = HONE_TRACE_DECODE};
    return st->kind == HONE__BWD      ? HONE_TRACE_BACKWARD
           : st->kind == HONE__REPLAY ? HONE_TRACE_REPLAY
                                      : by_mode[t->mode];
}

static void run_siblings_traced(hone_tape *t, int32_t i, int32_t n)
{
    hone_trace_span span;
    hone_trace_detail d;
    hone_trace_begin(&span, t->nodes[t->plan->steps[i].node].op->name, HONE_TRACE_OP,
                     phase_of(t, &t->plan->steps[i]));
    run_siblings(t, i, n);
    if (!span.start)
        return;
    describe(t, t->plan->steps[i].node, &d);
    d.n_in = 1; /* x once, and every output */
    d.n_out = (uint32_t)n;
    for (int32_t k = 0; k < n; k++) {
        const struct hone__node *a = &t->nodes[t->plan->steps[i + k].node];
        d.rows[k + 1] = t->tensors[a->first_out].shape.rows;
        d.cols[k + 1] = t->tensors[a->first_out].shape.cols;
    }
    hone_trace_end(&span, &d);
}
_Static_assert(1 + HONE_LINEAR_TOGETHER <= HONE_TRACE_SHAPES, "the outputs of siblings are shown");

static hone_status run_traced(hone_tape *t, const struct hone__step *st)
{
    hone_trace_span span;
    hone_trace_detail d;
    hone_trace_begin(&span, t->nodes[st->node].op->name, HONE_TRACE_OP, phase_of(t, st));
    hone_status s = run_untraced(t, st);
    if (span.start) {
        describe(t, st->node, &d);
        hone_trace_end(&span, &d);
    }
    return s;
}

static hone_status run_plain(hone_tape *t, const struct hone__step *st)
{
    return hone_trace_on() ? run_traced(t, st) : run_untraced(t, st);
}

static hone_status run_step(hone_tape *t, const struct hone__step *st)
{
    struct hone__profile *p = t->profile;
    const hone_op *op = t->nodes[st->node].op;
    uint64_t from;
    hone_status s;
    size_t i = 0;
    if (!p)
        return run_plain(t, st);
    while (i < p->n && p->op[i] != op)
        i++;
    if (i == p->n && i < HONE__PROFILED) {
        p->op[i] = op;
        p->row[i].op = op->name;
        p->n++;
    }
    from = hone_now_ns();
    s = run_plain(t, st);
    from = hone_now_ns() - from;
    if (i < HONE__PROFILED && st->kind == HONE__BWD) {
        p->row[i].calls_bwd++;
        p->row[i].ns_bwd += from;
    } else if (i < HONE__PROFILED) {
        p->row[i].calls_fwd++;
        p->row[i].ns_fwd += from;
    }
    return s;
}

hone_status hone_tape_set_profile(hone_tape *t, int on)
{
    hone_free(t->profile);
    t->profile = on ? hone_calloc(1, sizeof *t->profile) : NULL;
    return on && !t->profile ? HONE_E_NOMEM : HONE_OK;
}

size_t hone_tape_get_profile(const hone_tape *t, hone_tape_profile *out, size_t max)
{
    if (!t->profile)
        return 0;
    for (size_t i = 0; i < t->profile->n && i < max; i++)
        out[i] = t->profile->row[i];
    return t->profile->n;
}

/* ---- scratch --------------------------------------------------------------------------------- */
static void *own_scratch(const hone_exec *ex, uint32_t thread)
{
    const struct hone__exec *e = (const struct hone__exec *)(const void *)ex;
    return e->scratch + e->stride * thread;
}
_Static_assert(offsetof(struct hone__exec, ex) == 0,
               "own_scratch finds the tape's executor by address");

static hone_status need_scratch(hone_tape *t)
{
    size_t stride = (t->need_thread + 4095) / 4096 * 4096 + 256, shared, all;
    if (stride < t->exec.stride)
        stride = t->exec.stride;
    shared = (t->need_shared + 63) / 64 * 64;
    if (shared <
        t->exec.shared) /* deferred gradients may need what an earlier recording asked for */
        shared = t->exec.shared;
    if (!hone_mul_size(stride, t->exec.ex.n_threads, &all) || !hone_add_size(all, shared, &all))
        return hone_fail(HONE_E_LIMIT, "tape: scratch of %zu bytes a thread is too large", stride);
    if (all > t->scratch.size)
        HONE_TRY(hone_region_grow(&t->scratch, all));
    t->exec.stride = stride;
    t->exec.shared = shared;
    t->exec.scratch = t->scratch.base;
    t->exec.ex.thread_scratch = own_scratch;
    t->exec.ex.shared_scratch = t->exec.scratch + stride * t->exec.ex.n_threads;
    return HONE_OK;
}

/* ---- the life of a step ---------------------------------------------------------------------- */
/* A failing op that said nothing, or that did not say who it is. */
static hone_status op_failed(hone_tape *t, int32_t n, hone_status s, const char *what)
{
    const struct hone__node *a = &t->nodes[n];
    if (hone_error_get()->code != s)
        hone_fail(s, "%s", hone_status_text(s));
    if (a->layer >= 0)
        hone_fail_at("%s (layer %d) %s", a->op->name, a->layer, what);
    else
        hone_fail_at("%s %s", a->op->name, what);
    t->state = HONE__S_EMPTY;
    return hone__tape_stick(t, s);
}

static hone_status check(hone_tape *t, int32_t state, const char *what)
{
    if (t->failed < 0)
        return hone_error_set(&t->error);
    if (t->state != state)
        return hone_fail(HONE_E_STATE, "tape: %s is not possible now", what);
    return HONE_OK;
}

hone_status hone_tape_plan(hone_tape *t)
{
    hone_status s;
    HONE_TRY(check(t, HONE__S_RECORDING, "planning"));
    if (t->plan)
        return HONE_OK;
    hone_trace_span span;
    hone_trace_begin(&span, "plan memory", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    s = hone__plan_find(t);
    hone_trace_end(&span, NULL);
    return s < 0 ? hone__tape_stick(t, s) : HONE_OK;
}

hone_status hone_tape_forward(hone_tape *t)
{
    hone_status s;
    HONE_TRY(check(t, HONE__S_RECORDING, "forward"));
    HONE_TRY(hone_tape_plan(t));
    s = need_scratch(t);
    if (s >= 0 && t->plan->bytes > t->arena.size) {
        hone_region_release(&t->arena); /* nothing in it is needed: growing would copy */
        s = hone_region_init(&t->arena, "activations", t->plan->bytes);
    }
    if (s < 0)
        return hone__tape_stick(t, s);
    if (t->n_tensors > t->cap_seeded) {
        uint8_t *q = hone_realloc(t->seeded, (size_t)t->cap_tensors);
        if (!q)
            return hone__tape_stick(t, HONE_E_NOMEM);
        t->seeded = q;
        t->cap_seeded = t->cap_tensors;
    }
    if (t->n_tensors)
        memset(t->seeded, 0, (size_t)t->n_tensors);
    hone_fp_setup();
    for (int32_t i = 0, n; i < t->plan->n_fwd && !hone_region_planning(); i += n) {
        n = siblings(t, i);
        if (n > 1)
            run_siblings_traced(t, i, n);
        else if ((s = run_step(t, &t->plan->steps[i])) < 0)
            return op_failed(t, t->plan->steps[i].node, s, "forward");
    }
    t->state = HONE__S_RAN;
    return HONE_OK;
}

hone_status hone_tape_seed(hone_tape *t, hone_tensor root, const float *grad)
{
    const struct hone__tensor *x;
    void *to;
    HONE_TRY(check(t, HONE__S_RAN, "seeding a gradient"));
    if (root < 0 || root >= t->n_tensors || !t->tensors[root].root)
        return hone_fail(HONE_E_INVALID, "tape: tensor %d was not named a root before forward",
                         root);
    x = &t->tensors[root];
    to = at(t, t->plan->tensors[root].grad);
    if (!to)
        return HONE_OK; /* nothing trainable is above it, or the mode is not TRAIN */
    memcpy(to, grad, (size_t)x->shape.rows * (size_t)x->shape.cols * sizeof(float));
    t->seeded[root] = 1;
    return HONE_OK;
}

hone_status hone_tape_backward(hone_tape *t)
{
    HONE_TRY(check(t, HONE__S_RAN, "backward"));
    if (t->mode != HONE_MODE_TRAIN)
        return hone_fail(HONE_E_STATE, "tape: backward needs mode TRAIN");
    for (int32_t x = 0; x < t->n_tensors; x++) {
        const struct hone__tensor *a = &t->tensors[x];
        void *g = a->root && !t->seeded[x] ? at(t, t->plan->tensors[x].grad) : NULL;
        if (g)
            memset(g, 0, (size_t)a->shape.rows * (size_t)a->shape.cols * sizeof(float));
    }
    hone_fp_setup();
    for (int32_t i = t->plan->n_fwd + 1; i < t->plan->n_steps; i++) {
        const struct hone__step *st = &t->plan->steps[i];
        hone_status s = hone_region_planning() ? plan_step(t, st) : run_step(t, st);
        if (s < 0)
            return op_failed(t, st->node, s, "backward");
    }
    t->state = HONE__S_DONE;
    return HONE_OK;
}

/* ---- deferred gradients ---------------------------------------------------------------------- */
/* n bytes at the end of the deferred region; copies `from`. */
static hone_status put(hone_tape *t, const void *from, size_t n, size_t *off)
{
    size_t size = (n + 63) / 64 * 64, end;
    if (!hone_add_size(t->n_deferred, size, &end))
        return hone_fail(HONE_E_LIMIT, "tape: deferred gradients too large");
    if (end > t->deferred.size)
        HONE_TRY(hone_region_grow(&t->deferred, t->deferred.size + t->deferred.size / 2 > end
                                                    ? t->deferred.size + t->deferred.size / 2
                                                    : end));
    if (n && !hone_region_planning())
        memcpy((unsigned char *)t->deferred.base + t->n_deferred, from, n);
    *off = t->n_deferred;
    t->n_deferred = end;
    return HONE_OK;
}

static hone_status defer(hone_tape *t, int32_t n)
{
    const struct hone__node *a = &t->nodes[n];
    const struct hone__tensor *out = &t->tensors[a->first_out];
    struct hone__deferred *d;
    void *p = t->defer;
    hone_status s = hone__tape_grow(&p, &t->cap_defer, t->n_defer + 1, sizeof *t->defer);
    t->defer = p;
    if (s < 0)
        return s;
    d = &t->defer[t->n_defer];
    memset(d, 0, sizeof *d);
    d->op = a->op;
    d->params = t->params;
    d->param = t->tensors[t->ins[a->in_begin]].param;
    d->dout = out->shape;
    d->n_tokens = t->batch ? t->batch->n_tokens : 0;
    d->attr_size = a->attr_size;
    HONE_TRY(put(t, at(t, t->plan->tensors[a->first_out].grad),
                 (size_t)out->shape.rows * (size_t)out->shape.cols * sizeof(float), &d->dout_off));
    HONE_TRY(put(t, t->batch ? t->batch->tokens : NULL, (size_t)d->n_tokens * sizeof(int32_t),
                 &d->tokens_off));
    HONE_TRY(put(t, t->attrs + a->attr_off, a->attr_size, &d->attr_off));
    t->n_defer++;
    return HONE_OK;
}

static hone_status finish_one(hone_tape *t, const struct hone__deferred *d)
{
    unsigned char *base = t->deferred.base;
    hone_batch batch;
    struct call c;
    memset(&c, 0, sizeof c);
    memset(&batch, 0, sizeof batch);
    if (!d->params->get(d->params->ctx, d->param, &c.in[0], &c.din[0]) || !c.din[0].data)
        return hone_fail(HONE_E_STATE,
                         "tape: parameter %d lost its gradient before it was finished", d->param);
    batch.struct_size = sizeof batch;
    batch.n_tokens = d->n_tokens;
    batch.tokens = (const int32_t *)(const void *)(base + d->tokens_off);
    c.args.struct_size = sizeof c.args;
    c.args.mode = HONE_MODE_TRAIN;
    c.args.n_in = c.args.n_out = 1;
    c.args.in = c.in;
    c.args.out = c.out;
    c.args.extra = c.extra;
    c.args.dout = c.dout;
    c.args.din = c.din;
    c.args.din_fresh = c.fresh;
    c.args.attr = d->attr_size ? base + d->attr_off : NULL;
    c.args.batch = &batch;
    c.dout[0] = view_of(&d->dout, base + d->dout_off);
    c.out[0] = view_of(&d->dout, NULL);
    hone_trace_span span;
    hone_trace_begin(&span, d->op->name, HONE_TRACE_OP, HONE_TRACE_BACKWARD);
    hone_status s = d->op->bwd(&c.args, &t->exec.ex);
    hone_trace_end(&span, NULL);
    return s;
}

hone_status hone_tape_finish_grads(hone_tape *t)
{
    hone_status s = HONE_OK;
    if (t->n_defer)
        hone_fp_setup();
    for (int32_t i = 0; i < t->n_defer && s >= 0 && !hone_region_planning(); i++) {
        s = finish_one(t, &t->defer[i]);
        if (s < 0)
            hone_fail_at("%s deferred gradient", t->defer[i].op->name);
    }
    hone_tape_drop_deferred(t);
    return s;
}

void hone_tape_drop_deferred(hone_tape *t)
{
    t->n_defer = 0;
    t->n_deferred = 0;
}

/* ---- facts ----------------------------------------------------------------------------------- */
static void add_cost(const hone_tape *t, int32_t n, hone_tape_stats *out)
{
    const struct hone__node *a = &t->nodes[n];
    struct call c;
    uint64_t bytes = 0;
    if (!a->op->cost)
        return;
    start_call(t, n, &c);
    for (int32_t i = 0; i < a->n_in; i++)
        c.in[i] = view_of(&t->tensors[t->ins[a->in_begin + i]].shape, NULL);
    for (int32_t i = 0; i < a->n_out; i++)
        c.out[i] = view_of(&t->tensors[a->first_out + i].shape, NULL);
    for (int32_t i = 0; i < a->n_extra; i++)
        c.extra[i] = view_of(&a->extra[i], NULL);
    out->flops += a->op->cost(&c.args, &bytes);
    out->bytes += bytes;
}

void hone_tape_get_stats(const hone_tape *t, hone_tape_stats *out)
{
    memset(out, 0, sizeof *out);
    out->nodes = (uint32_t)t->n_nodes;
    for (int i = 0; i < HONE__PLANS; i++)
        out->plans_cached += t->plans[i].used != 0;
    out->plan_hits = t->hits;
    out->plan_misses = t->misses;
    out->arena_bytes = t->arena.mapped;
    if (t->plan) {
        out->plan_bytes = t->plan->bytes;
        out->kept_bytes = t->plan->kept_bytes;
    }
    out->scratch_bytes = t->scratch.mapped;
    out->deferred_bytes = t->deferred.mapped;
    out->input_bytes = t->inputs.mapped;
    for (int32_t n = 0; n < t->n_nodes; n++)
        add_cost(t, n, out);
}
