/* plan.c - from a recording to a schedule with a memory offset for everything.
 *
 * Schedule: all nodes forward, one step for the host (it reads results and seeds gradients), then
 * the backward: nodes in reverse, those without a gradient path left out; where blocks are
 * checkpointed, a group of blocks is replayed forward just before its backward, and its backward
 * reads the replayed values, never the first ones. Outside such groups a cheap op (HONE_OP_CHEAP:
 * swiglu) whose inputs backward needs anyway is replayed alone before its result is first read
 * there, instead of kept.
 *
 * Every activation, extra and gradient is a buffer that lives from the first step that writes it to
 * the last that reads it. Buffers are then placed, largest first, each in the smallest gap among
 * those alive at the same time (greedy by size, best fit: Pisarchyk & Lee 2020, section 5). Two
 * kinds of buffers are shared: an output may take over the buffer of an input that dies there
 * (HONE_OP_INPLACE), and the gradient of an output may become the gradient of an input
 * (HONE_OP_PASS_GRAD: the residual stream's gradient stays in one buffer), if every other tensor
 * whose gradient lives in that buffer has been read before it changes.
 *
 * A plan is a function of the signature alone. Nothing here looks at data or at exact shapes. */
#include "graph/internal.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

struct buffer {
    size_t size, offset;
    int32_t first, last,
        owner; /* owner: a tensor whose gradient is in it (list by next_member), or -1 */
};

struct planner {
    hone_tape *t;
    int32_t nt, nn, n_steps, host;
    struct hone__step *steps;
    uint8_t *reached, *wanted; /* tensor: gradient flows here; value needed from a replay */
    uint8_t *active, *replay;  /* node: has a backward step; has a replay step */
    uint8_t *cheap; /* node: replayed alone; every backward step reads the replayed result */
    int32_t *group; /* node: checkpoint group, -1 */
    int32_t *rstep, *bstep;                 /* node: replay step, backward step, or -1 */
    int32_t *val_last, *rep_last;           /* tensor: last step that reads the value */
    int32_t *val, *rep, *grd, *next_member; /* tensor: buffer, or -1 */
    int32_t *xval, *xrep, *twin;            /* node x MAX_EXTRA, node x MAX_IN: buffer, or -1 */
    uint32_t *fresh;                        /* node */
    struct buffer *buf;
    int32_t n_buf, cap_buf;
    int32_t *order, *placed;
};

static size_t tensor_size(const hone_tape *t, int32_t x)
{
    return hone__size_class(hone__shape_bytes(&t->tensors[x].shape));
}

static int32_t producer(const struct planner *p, int32_t x)
{
    return p->t->tensors[x].kind == HONE__T_NODE ? p->t->tensors[x].node : -1;
}

/* Is x made in the checkpoint group of node m (so that m's backward and replay use the replayed
 * one)? */
static int same_group(const struct planner *p, int32_t m, int32_t x)
{
    int32_t n = producer(p, x);
    return n >= 0 && p->group[m] >= 0 && p->group[n] == p->group[m];
}

/* Does a step of node n (not its first forward) read the replayed value of x? */
static int reads_replay(const struct planner *p, uint32_t kind, int32_t n, int32_t x)
{
    int32_t from = producer(p, x);
    return same_group(p, n, x) || (kind == HONE__BWD && from >= 0 && p->cheap[from]);
}

static int wants_grad(const struct planner *p, int32_t x)
{
    return p->reached[x] && p->t->tensors[x].needs_grad && p->t->tensors[x].kind != HONE__T_PARAM;
}

/* ---- which nodes run when -------------------------------------------------------------------- */
static hone_status find_active(struct planner *p)
{
    const hone_tape *t = p->t;
    for (int32_t x = 0; x < p->nt; x++)
        p->reached[x] = t->tensors[x].root && t->mode == HONE_MODE_TRAIN;
    for (int32_t n = p->nn - 1; n >= 0; n--) {
        const struct hone__node *a = &t->nodes[n];
        int hit = 0;
        for (int32_t i = 0; i < a->n_out; i++)
            hit |= p->reached[a->first_out + i];
        if (!hit || !a->needs_grad)
            continue;
        if (!a->op->bwd) {
            char place[32] = "";
            if (a->layer >= 0)
                snprintf(place, sizeof place, " (layer %d)", a->layer);
            hone_fail(HONE_E_UNSUPPORTED, "%s%s: a gradient reaches this op, which has no backward",
                      a->op->name, place);
            return hone_fail_hint("detach its result, or freeze what is above it");
        }
        p->active[n] = 1;
        for (int32_t i = 0; i < a->n_in; i++)
            if (a->needs_grad >> i & 1)
                p->reached[t->ins[a->in_begin + i]] = 1;
    }
    return HONE_OK;
}

/* Groups of blocks that are replayed. The last group is not: its values were just computed. */
static void find_groups(struct planner *p)
{
    const hone_tape *t = p->t;
    int32_t every = (int32_t)t->opts.checkpoint_every, last;
    for (int32_t n = 0; n < p->nn; n++)
        p->group[n] = -1;
    if (every <= 0 || t->mode != HONE_MODE_TRAIN || t->n_blocks == 0)
        return;
    last = (t->n_blocks - 1) / every;
    for (int32_t n = 0; n < p->nn; n++)
        if (t->nodes[n].block >= 0 && t->nodes[n].block / every != last)
            p->group[n] = t->nodes[n].block / every;
}

static void find_replays(struct planner *p)
{
    const hone_tape *t = p->t;
    for (int32_t n = p->nn - 1; n >= 0; n--) { /* values that backward reads */
        const struct hone__node *a = &t->nodes[n];
        if (p->group[n] < 0 || !p->active[n])
            continue;
        for (int32_t i = 0; i < a->n_in; i++)
            if ((a->saves_in >> i & 1) && same_group(p, n, t->ins[a->in_begin + i]))
                p->wanted[t->ins[a->in_begin + i]] = 1;
        for (int32_t i = 0; i < a->n_out; i++)
            if (a->saves_out >> i & 1)
                p->wanted[a->first_out + i] = 1;
        if (a->n_extra)
            p->replay[n] = 1;
    }
    for (int32_t n = p->nn - 1; n >= 0; n--) { /* and what those are made of */
        const struct hone__node *a = &t->nodes[n];
        if (p->group[n] < 0)
            continue;
        for (int32_t i = 0; i < a->n_out; i++)
            p->replay[n] |= p->wanted[a->first_out + i];
        for (int32_t i = 0; p->replay[n] && i < a->n_in; i++)
            if (same_group(p, n, t->ins[a->in_begin + i]))
                p->wanted[t->ins[a->in_begin + i]] = 1;
    }
}

/* Cheap nodes: one output and no extras, and whatever goes in is kept for their own backward, so
 * that a replay keeps nothing alive that would not be anyway. */
static void find_cheap(struct planner *p)
{
    const hone_tape *t = p->t;
    for (int32_t n = 0; n < p->nn; n++) {
        const struct hone__node *a = &t->nodes[n];
        int ok = p->active[n] && p->group[n] < 0 && (a->op->flags & HONE_OP_CHEAP) &&
                 a->n_extra == 0 && a->n_out == 1;
        for (int32_t i = 0; ok && i < a->n_in; i++) {
            int32_t from = producer(p, t->ins[a->in_begin + i]);
            ok = from < 0 || ((a->saves_in >> i & 1) && !p->cheap[from]);
        }
        p->cheap[n] = (uint8_t)ok;
    }
}

static void add_step(struct planner *p, int32_t node, uint32_t kind)
{
    p->steps[p->n_steps].node = node;
    p->steps[p->n_steps].kind = kind;
    p->n_steps++;
}

/* Replays of the cheap results that the backward of node n reads, unless they happened already. */
static void replay_cheap(struct planner *p, int32_t n)
{
    const hone_tape *t = p->t;
    const struct hone__node *a = &t->nodes[n];
    for (int32_t i = 0; i <= a->n_in; i++) {
        int32_t m = i < a->n_in ? producer(p, t->ins[a->in_begin + i]) : n;
        int reads = i < a->n_in ? a->saves_in >> i & 1 : a->saves_out != 0;
        if (reads && m >= 0 && p->cheap[m] && p->rstep[m] < 0) {
            p->rstep[m] = p->n_steps;
            add_step(p, m, HONE__REPLAY);
        }
    }
}

static void make_schedule(struct planner *p)
{
    int32_t current = -1;
    for (int32_t n = 0; n < p->nn; n++) {
        add_step(p, n, HONE__FWD);
        p->rstep[n] = p->bstep[n] = -1;
    }
    p->host = p->n_steps;
    add_step(p, -1, HONE__HOST);
    for (int32_t n = p->nn - 1; n >= 0; n--) {
        int32_t g = p->group[n];
        if (g >= 0 && g != current) {
            int32_t first = n;
            current = g;
            while (first > 0 && p->group[first - 1] == g)
                first--;
            for (int32_t m = first; m <= n; m++)
                if (p->replay[m]) {
                    p->rstep[m] = p->n_steps;
                    add_step(p, m, HONE__REPLAY);
                }
        }
        if (p->active[n]) {
            replay_cheap(p, n);
            p->bstep[n] = p->n_steps;
            add_step(p, n, HONE__BWD);
        }
    }
}

/* ---- lives ----------------------------------------------------------------------------------- */
static void extend(int32_t *last, int32_t step)
{
    if (step > *last)
        *last = step;
}

static void find_last_uses(struct planner *p)
{
    const hone_tape *t = p->t;
    for (int32_t x = 0; x < p->nt; x++) {
        const struct hone__tensor *a = &t->tensors[x];
        p->val_last[x] = p->rep_last[x] = -1;
        if (a->kind == HONE__T_NODE && (a->keep || !a->read))
            p->val_last[x] = p->host;
    }
    for (int32_t s = 0; s < p->n_steps; s++) {
        int32_t n = p->steps[s].node;
        uint32_t kind = p->steps[s].kind;
        const struct hone__node *a;
        if (n < 0)
            continue;
        a = &t->nodes[n];
        for (int32_t i = 0; i < a->n_in; i++) {
            int32_t x = t->ins[a->in_begin + i];
            if (kind == HONE__BWD && !(a->saves_in >> i & 1))
                continue;
            extend(kind != HONE__FWD && reads_replay(p, kind, n, x) ? &p->rep_last[x]
                                                                    : &p->val_last[x],
                   s);
        }
        for (int32_t i = 0; i < a->n_out; i++) {
            int32_t x = a->first_out + i;
            if (kind == HONE__FWD)
                extend(&p->val_last[x], s);
            else if (kind == HONE__REPLAY)
                extend(&p->rep_last[x], s);
            else if (a->saves_out >> i & 1)
                extend(p->group[n] >= 0 || p->cheap[n] ? &p->rep_last[x] : &p->val_last[x], s);
        }
    }
}

static hone_status new_buffer(struct planner *p, size_t size, int32_t first, int32_t last,
                              int32_t *out)
{
    struct buffer *b;
    void *q = p->buf;
    hone_status s = hone__tape_grow(&q, &p->cap_buf, p->n_buf + 1, sizeof *p->buf);
    p->buf = q;
    if (s < 0)
        return s;
    b = &p->buf[p->n_buf];
    b->size = size;
    b->offset = 0;
    b->first = first;
    b->last = last;
    b->owner = -1;
    *out = p->n_buf++;
    return HONE_OK;
}

/* May output 0 of node a at step s take the buffer of input 0, which lives until last[x]? */
static int can_overwrite(const struct planner *p, const struct hone__node *a, int32_t s,
                         const int32_t *last, const int32_t *buffer)
{
    const hone_tape *t = p->t;
    int32_t x;
    if (!(a->op->flags & HONE_OP_INPLACE) || a->n_in < 1)
        return 0;
    x = t->ins[a->in_begin];
    if (t->tensors[x].kind != HONE__T_NODE || buffer[x] < 0 || last[x] != s ||
        !hone__shape_same(&t->tensors[x].shape, &t->tensors[a->first_out].shape))
        return 0;
    for (int32_t i = 1; i < a->n_in; i++)
        if (t->ins[a->in_begin + i] == x)
            return 0;
    return 1;
}

/* Buffers of what node n computes at step s (forward or replay). */
static hone_status place_outputs(struct planner *p, int32_t n, int32_t s, int replay)
{
    const hone_tape *t = p->t;
    const struct hone__node *a = &t->nodes[n];
    int32_t *buffer = replay ? p->rep : p->val, *last = replay ? p->rep_last : p->val_last;
    int32_t *extra = (replay ? p->xrep : p->xval) + (size_t)n * HONE_OP_MAX_EXTRA;
    int32_t end = p->active[n] && (replay || p->group[n] < 0) ? p->bstep[n] : s;
    for (int32_t i = 0; i < a->n_out; i++) {
        int32_t x = a->first_out + i;
        if (i == 0 && can_overwrite(p, a, s, last, buffer)) {
            buffer[x] = buffer[t->ins[a->in_begin]];
            extend(&p->buf[buffer[x]].last, last[x]);
        } else {
            HONE_TRY(new_buffer(p, tensor_size(t, x), s, last[x], &buffer[x]));
        }
    }
    for (int32_t i = 0; t->mode == HONE_MODE_TRAIN && i < a->n_extra; i++)
        HONE_TRY(
            new_buffer(p, hone__size_class(hone__shape_bytes(&a->extra[i])), s, end, &extra[i]));
    return HONE_OK;
}

/* ---- gradients ------------------------------------------------------------------------------- */
/* The step at which the gradient of x is read (and dead after). */
static int32_t grad_read(const struct planner *p, int32_t x)
{
    int32_t n = producer(p, x);
    return n >= 0 ? p->bstep[n] : p->n_steps - 1;
}

/* The first step after `step` at which another consumer adds to the gradient of x. */
static int32_t next_write(const struct planner *p, int32_t x, int32_t step)
{
    const hone_tape *t = p->t;
    for (int32_t s = step + 1; s < p->n_steps; s++) {
        const struct hone__node *a;
        if (p->steps[s].kind != HONE__BWD)
            continue;
        a = &t->nodes[p->steps[s].node];
        if (a->first_out <= x)
            break; /* the producer, or older than it: none of them reads x */
        for (int32_t i = 0; i < a->n_in; i++)
            if (t->ins[a->in_begin + i] == x && (a->needs_grad >> i & 1))
                return s;
    }
    return INT32_MAX;
}

/* May the gradient of input x of node n be the buffer of the gradient of n's output 0? */
static int can_pass(const struct planner *p, int32_t n, int32_t x, int32_t step)
{
    const hone_tape *t = p->t;
    const struct hone__node *a = &t->nodes[n];
    int32_t y = a->first_out, m;
    if (!(a->op->flags & HONE_OP_PASS_GRAD) || !wants_grad(p, y) || p->grd[y] < 0 ||
        !hone__shape_same(&t->tensors[x].shape, &t->tensors[y].shape))
        return 0;
    for (m = p->buf[p->grd[y]].owner; m >= 0; m = p->next_member[m]) {
        if (m == y || grad_read(p, m) < step)
            continue;
        /* m's gradient is still to be read. Fine only when this very node passes it on (m is input
         * 0, x input 1: equal values) and neither changes before the other was read. */
        if (m != t->ins[a->in_begin] || !(p->fresh[n] & 1u) ||
            next_write(p, x, step) <= grad_read(p, m) || next_write(p, m, step) <= grad_read(p, x))
            return 0;
    }
    return 1;
}

static void join(struct planner *p, int32_t x, int32_t buffer)
{
    p->grd[x] = buffer;
    p->next_member[x] = p->buf[buffer].owner;
    p->buf[buffer].owner = x;
    extend(&p->buf[buffer].last, grad_read(p, x));
}

static hone_status place_gradients(struct planner *p, int32_t n, int32_t s)
{
    const hone_tape *t = p->t;
    const struct hone__node *a = &t->nodes[n];
    for (int32_t i = 0; i < a->n_in; i++) {
        int32_t x = t->ins[a->in_begin + i], b, twin = 0;
        if (!(a->needs_grad >> i & 1) || t->tensors[x].kind == HONE__T_PARAM)
            continue;
        for (int32_t j = 0; j < i; j++)
            twin |= t->ins[a->in_begin + j] == x && (a->needs_grad >> j & 1);
        if (twin) {
            HONE_TRY(new_buffer(p, tensor_size(t, x), s, s,
                                &p->twin[(size_t)n * HONE_OP_MAX_IN + (size_t)i]));
            p->fresh[n] |= 1u << i;
            continue;
        }
        if (p->grd[x] >= 0)
            continue;
        if (i < 2 && can_pass(p, n, x, s)) {
            join(p, x, p->grd[a->first_out]);
        } else {
            HONE_TRY(new_buffer(p, tensor_size(t, x), s, s, &b));
            join(p, x, b);
        }
        p->fresh[n] |= 1u << i;
    }
    return HONE_OK;
}

static hone_status place_all(struct planner *p)
{
    for (int32_t s = 0; s < p->n_steps; s++) {
        int32_t n = p->steps[s].node;
        switch (p->steps[s].kind) {
        case HONE__FWD:
            HONE_TRY(place_outputs(p, n, s, 0));
            break;
        case HONE__REPLAY:
            HONE_TRY(place_outputs(p, n, s, 1));
            break;
        case HONE__BWD:
            HONE_TRY(place_gradients(p, n, s));
            break;
        default:
            for (int32_t x = 0; x < p->nt; x++)
                if (p->t->tensors[x].root && wants_grad(p, x)) {
                    int32_t b;
                    HONE_TRY(new_buffer(p, tensor_size(p->t, x), s, s, &b));
                    join(p, x, b);
                }
        }
    }
    return HONE_OK;
}

/* ---- offsets --------------------------------------------------------------------------------- */
/* Largest first; equal ones in order of creation. A shell sort: no hidden state, no allocation. */
static void sort_buffers(const struct buffer *b, int32_t *order, int32_t n)
{
    for (int32_t gap = n / 2; gap > 0; gap /= 2)
        for (int32_t i = gap; i < n; i++) {
            int32_t v = order[i], j = i;
            while (j >= gap && (b[order[j - gap]].size < b[v].size ||
                                (b[order[j - gap]].size == b[v].size && order[j - gap] > v))) {
                order[j] = order[j - gap];
                j -= gap;
            }
            order[j] = v;
        }
}

static size_t assign_offsets(struct planner *p)
{
    size_t total = 0;
    for (int32_t i = 0; i < p->n_buf; i++)
        p->order[i] = i;
    sort_buffers(p->buf, p->order, p->n_buf);
    for (int32_t i = 0; i < p->n_buf; i++) {
        struct buffer *b = &p->buf[p->order[i]];
        size_t end = 0, best = SIZE_MAX, best_gap = SIZE_MAX;
        int32_t k;
        for (int32_t j = 0; j < i; j++) { /* placed: by offset */
            const struct buffer *c = &p->buf[p->placed[j]];
            if (c->last < b->first || b->last < c->first)
                continue;
            if (c->offset > end && c->offset - end >= b->size && c->offset - end < best_gap) {
                best = end;
                best_gap = c->offset - end;
            }
            if (c->offset + c->size > end)
                end = c->offset + c->size;
        }
        b->offset = best == SIZE_MAX ? end : best;
        if (b->offset + b->size > total)
            total = b->offset + b->size;
        for (k = i; k > 0 && p->buf[p->placed[k - 1]].offset > b->offset; k--)
            p->placed[k] = p->placed[k - 1];
        p->placed[k] = p->order[i];
    }
    return total;
}

/* ---- the plan -------------------------------------------------------------------------------- */
void hone__plan_release(struct hone__plan *pl)
{
    hone_free(pl->block);
    memset(pl, 0, sizeof *pl);
}

static size_t offset_of(const struct planner *p, int32_t buffer)
{
    return buffer < 0 ? HONE__NO_BUFFER : p->buf[buffer].offset;
}

static hone_status write_plan(struct planner *p, struct hone__plan *pl, uint64_t hash)
{
    const hone_tape *t = p->t;
    size_t n_steps = (size_t)p->n_steps * sizeof *pl->steps, at = 0;
    size_t n_tensors = (size_t)p->nt * sizeof *pl->tensors,
           n_nodes = (size_t)p->nn * sizeof *pl->nodes;
    size_t size = n_tensors + n_nodes + n_steps + t->n_sig;
    unsigned char *block = pl->block;
    if (size > pl->block_size) {
        block = hone_realloc(pl->block, size);
        if (!block)
            return HONE_E_NOMEM;
        pl->block_size = size;
    }
    pl->block = block;
    pl->tensors = (struct hone__place *)(void *)(block + at);
    at += n_tensors;
    pl->nodes = (struct hone__node_place *)(void *)(block + at);
    at += n_nodes;
    pl->steps = (struct hone__step *)(void *)(block + at);
    at += n_steps;
    pl->sig = block + at;
    memcpy(pl->steps, p->steps, n_steps);
    memcpy(pl->sig, t->sig, t->n_sig);
    pl->sig_len = t->n_sig;
    pl->hash = hash;
    pl->n_steps = p->n_steps;
    pl->n_fwd = p->host;
    pl->bytes = assign_offsets(p);
    pl->kept_bytes = 0;
    for (int32_t i = 0; i < p->n_buf; i++)
        if (p->buf[i].first < p->host && p->buf[i].last > p->host)
            pl->kept_bytes += p->buf[i].size;
    for (int32_t x = 0; x < p->nt; x++) {
        pl->tensors[x].value = offset_of(p, p->val[x]);
        pl->tensors[x].replay = offset_of(p, p->rep[x]);
        pl->tensors[x].grad = offset_of(p, p->grd[x]);
    }
    for (int32_t n = 0; n < p->nn; n++) {
        struct hone__node_place *a = &pl->nodes[n];
        for (size_t i = 0; i < HONE_OP_MAX_EXTRA; i++) {
            a->extra[i] = offset_of(p, p->xval[(size_t)n * HONE_OP_MAX_EXTRA + i]);
            a->extra_replay[i] = offset_of(p, p->xrep[(size_t)n * HONE_OP_MAX_EXTRA + i]);
        }
        for (size_t i = 0; i < HONE_OP_MAX_IN; i++)
            a->twin[i] = offset_of(p, p->twin[(size_t)n * HONE_OP_MAX_IN + i]);
        a->fresh = p->fresh[n];
        a->group = p->group[n];
        a->cheap = p->cheap[n];
        a->defer = (t->nodes[n].op->flags & HONE_OP_DEFER) && t->nodes[n].n_in == 1 &&
                   t->tensors[t->ins[t->nodes[n].in_begin]].kind == HONE__T_PARAM;
    }
    return HONE_OK;
}

/* All working arrays of a planner in one block; -1 where a buffer number goes. */
static void *planner_init(struct planner *p, hone_tape *t)
{
    size_t nt = (size_t)t->n_tensors, nn = (size_t)t->n_nodes, at = 0;
    size_t words = nt * 6 + nn * (4 + 2 * HONE_OP_MAX_EXTRA + HONE_OP_MAX_IN) + (3 * nn + 1) * 2;
    size_t flags = nt * 2 + nn * 3;
    unsigned char *block = hone_calloc(1, words * 4 + flags);
    int32_t *w;
    memset(p, 0, sizeof *p);
    if (!block)
        return NULL;
    p->t = t;
    p->nt = t->n_tensors;
    p->nn = t->n_nodes;
    w = (int32_t *)(void *)block;
#define TAKE(field, n) (p->field = (void *)(w + at), at += (n))
    TAKE(val, nt);
    TAKE(rep, nt);
    TAKE(grd, nt);
    TAKE(next_member, nt);
    TAKE(xval, nn * HONE_OP_MAX_EXTRA);
    TAKE(xrep, nn * HONE_OP_MAX_EXTRA);
    TAKE(twin, nn * HONE_OP_MAX_IN);
    memset(w, 0xff, at * 4);
    TAKE(val_last, nt);
    TAKE(rep_last, nt);
    TAKE(group, nn);
    TAKE(rstep, nn);
    TAKE(bstep, nn);
    TAKE(fresh, nn);
    TAKE(steps, (3 * nn + 1) * 2);
#undef TAKE
    p->reached = block + words * 4;
    p->wanted = p->reached + nt;
    p->active = p->wanted + nt;
    p->replay = p->active + nn;
    p->cheap = p->replay + nn;
    return block;
}

static hone_status make_plan(hone_tape *t, struct hone__plan *pl, uint64_t hash)
{
    struct planner p;
    void *block = planner_init(&p, t), *work = NULL;
    hone_status s = HONE_E_NOMEM;
    if (!block)
        goto done;
    HONE_TRY_GOTO(find_active(&p), done);
    find_groups(&p);
    find_replays(&p);
    find_cheap(&p);
    make_schedule(&p);
    find_last_uses(&p);
    HONE_TRY_GOTO(place_all(&p), done);
    work = hone_reallocarray(NULL, (size_t)p.n_buf + 1, 2 * sizeof(int32_t));
    if (!work) {
        s = HONE_E_NOMEM;
        goto done;
    }
    p.order = work;
    p.placed = p.order + p.n_buf + 1;
    s = write_plan(&p, pl, hash);
done:
    hone_free(work);
    hone_free(p.buf);
    hone_free(block);
    return s;
}

/* What the plan depends on beyond the nodes: what is kept, what is a root, mode and
 * checkpointing. */
static hone_status finish_signature(hone_tape *t)
{
    size_t need = t->n_sig + (size_t)t->n_tensors + 16;
    uint32_t head[2];
    if (need > t->cap_sig) {
        unsigned char *q = hone_realloc(t->sig, need * 2);
        if (!q)
            return HONE_E_NOMEM;
        t->sig = q;
        t->cap_sig = need * 2;
    }
    head[0] = t->mode;
    head[1] = t->opts.checkpoint_every;
    memcpy(t->sig + t->n_sig, head, sizeof head);
    t->n_sig += sizeof head;
    for (int32_t x = 0; x < t->n_tensors; x++)
        t->sig[t->n_sig++] = (unsigned char)(t->tensors[x].keep | t->tensors[x].root << 1);
    return HONE_OK;
}

hone_status hone__plan_find(hone_tape *t)
{
    struct hone__plan *victim = &t->plans[0];
    uint64_t hash;
    hone_status s;
    HONE_TRY(finish_signature(t));
    hash = hone_xxh64(t->sig, t->n_sig, 0);
    t->clock++;
    for (int i = 0; i < HONE__PLANS; i++) {
        struct hone__plan *pl = &t->plans[i];
        if (pl->used && pl->hash == hash && pl->sig_len == t->n_sig &&
            memcmp(pl->sig, t->sig, t->n_sig) == 0) {
            pl->used = t->clock;
            t->plan = pl;
            t->hits++;
            return HONE_OK;
        }
        if (pl->used < victim->used)
            victim = pl;
    }
    victim->used = 0;
    s = make_plan(t, victim, hash);
    if (s < 0)
        return s;
    victim->used = t->clock;
    t->plan = victim;
    t->misses++;
    return HONE_OK;
}
