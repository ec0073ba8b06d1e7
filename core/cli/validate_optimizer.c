/* validate_optimizer.c - optimizers: steps over small slices, resumed steps, odd gradients (validate.h).
 *
 * An item is a parameter, a matrix or a vector, drawn from (seed, number). It is asked for its state, laid out and cut
 * as in a run (train/opt_state.h): parameters, gradient and each array of state in a place of its own against a
 * fence, so that a loop that runs past its end is found. The digest is of parameters and state after one step. */
#include "cli/validate.h"

#include "base/hash.h"
#include "base/rng.h"
#include "hone/optimizer.h"
#include "train/opt_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct larger_slice {
    hone_opt_slice s;
    unsigned char poison[24];
} larger_slice;

/* One parameter: `floats` of data, its elements (it.length) and then its state. */
typedef struct item {
    hone_param_item it;
    hone_opt_entry e;
    size_t floats;
} item;

static uint32_t below(uint64_t seed, size_t k, uint64_t step, uint32_t most)
{
    return (uint32_t)hone_rng_below(&(hone_rng_key){seed, HONE_RNG_USER, step, k, 0}, 0, most);
}

/* Asks for the state of parameter number k. */
static hone_status item_of(hone__v *v, hone__vinst *i, uint64_t seed, size_t k, item *x)
{
    const hone_optimizer_v1 *vt = i->vt;
    const int vector = k % 3 == 2;
    memset(x, 0, sizeof *x);
    x->it.is_vector = vector;
    x->it.rows = vector ? 1 : 1 + below(seed, k, 0, 80);
    x->it.cols = vector ? 8 + 8 * below(seed, k, 0, 5) : 1 + below(seed, k, 1, 24);
    x->it.length = (size_t)(vector ? x->it.cols : (x->it.rows + 31) / 32 * 32 * x->it.cols);
    hone_opt_param p = {.struct_size = sizeof p,
                        .name = hone_str_c(vector ? "model.layers.0.input_layernorm.weight"
                                                  : "model.layers.0.mlp.up_proj.weight"),
                        .rows = vector ? x->it.cols : x->it.rows,
                        .cols = vector ? 0 : x->it.cols};
    hone_opt_state_spec spec = {.struct_size = sizeof spec};
    if (!HONE_HAS(vt, hone_optimizer_v1, state_spec) || !HONE_HAS(vt, hone_optimizer_v1, step)) {
        hone__v_fail(v, "its table has no state_spec or no step");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    hone__v_enter(v, i, "state_spec");
    HONE_TRY(hone__v_leave(v, i, "state_spec", vt->state_spec(i->self, &p, &spec)));
    hone_status s = hone_opt_entry_fill(&x->e, &spec, vt->flags, "state_spec", p.name.ptr);
    if (s < 0) {
        hone__v_fail(v, "%s", hone__v_error());
        return s;
    }
    size_t bytes = 0;
    HONE_TRY(hone_opt_entry_place(&x->e, &x->it, (hone_slice){0, x->it.length}, &bytes));
    x->floats = x->it.length + bytes / sizeof(float);
    return HONE_OK;
}

static size_t number_of(const hone__vwork *w, size_t at)
{
    return w->index ? w->index[at] : at;
}

static size_t array_bytes(const item *x, uint32_t a, size_t elements)
{
    return x->e.state[a].kind == HONE_OPT_STATE_COLS
               ? (size_t)x->it.cols * sizeof(float)
               : hone_opt_array_offset(&x->e.state[a], &x->it, elements);
}

/* `steps` steps from step `first` on over what lies in `data`: item by item; the gradient of each step is drawn anew. */
typedef struct stretch {
    const hone__vwork *w;
    float *data;
    size_t first, steps;
    float grad_scale; /* of the drawn gradient; 0: all zero */
    int cut;          /* each item as two slices, where it may be cut */
    int evaluate;     /* the slot `evaluation` instead of a step */
} stretch;

static float drawn(uint64_t seed, size_t k, uint64_t step, size_t at)
{
    const hone_rng_key key = {seed, HONE_RNG_USER, step, k, 0};
    return (float)(hone_rng_uniform(&key, at) - 0.5);
}

/* Padding of the last panel is zero and stays so. */
static int padding(const item *x, size_t at)
{
    return !x->it.is_vector && (int64_t)(at / 32 / (size_t)x->it.cols * 32 + at % 32) >= x->it.rows;
}

/* Where the item is cut: its length where it is not. */
static size_t cut_of(const stretch *t, const item *x)
{
    size_t at = !t->cut                           ? 0
                : x->e.cut == HONE_OPT_CUT_ANY    ? 5
                : x->e.cut == HONE_OPT_CUT_PANELS ? hone_opt_unit_of(&x->it)
                                                  : 0;
    return at && at < x->it.length ? at : x->it.length;
}

/* The fences of one call. */
typedef struct places {
    hone__vfence slices, data, grads, scratch;
    hone_opt_info *info;
    char *first;
    size_t n, stride;
} places;

static void close_places(places *p, int keep)
{
    hone__v_fence_close(&p->slices, keep);
    hone__v_fence_close(&p->data, keep);
    hone__v_fence_close(&p->grads, keep);
    hone__v_fence_close(&p->scratch, keep);
}

static hone_status open_places(places *p, const stretch *t, const item *items)
{
    size_t data = 0, grads = 0, scratch = 0;
    memset(p, 0, sizeof *p);
    p->stride = t->w->larger ? sizeof(larger_slice) : sizeof(hone_opt_slice);
    for (size_t at = 0; at < t->w->n; at++) {
        const item *x = &items[at];
        p->n += cut_of(t, x) < x->it.length ? 2 : 1;
        data += x->floats * sizeof(float) + 1024;
        grads += x->it.length * sizeof(float) + 256;
        scratch = x->e.scratch > scratch ? x->e.scratch : scratch;
    }
    HONE_TRY(hone__v_fence_open(&p->slices, (p->n + 1) * p->stride + 256, "the slices"));
    HONE_TRY(hone__v_fence_open(&p->data, data + 4096, "parameters and state"));
    HONE_TRY(hone__v_fence_open(&p->grads, grads + 4096, "the gradients"));
    HONE_TRY(hone__v_fence_open(&p->scratch, scratch + 4096, "scratch"));
    p->first = hone__v_fence_take(&p->slices, p->n * p->stride, 8);
    p->info = hone__v_fence_take(&p->slices, sizeof *p->info, 8);
    return p->first && p->info ? HONE_OK : HONE_E_NOMEM;
}

/* The slice of elements [begin, end) of an item whose data is at `from`. */
static hone_status fill_slice(places *p, const stretch *t, const item *x, size_t k, uint64_t step,
                              size_t begin, size_t end, const float *from, void *scratch,
                              size_t row)
{
    hone_opt_slice one = {.length = end - begin,
                          .rows = x->it.is_vector ? x->it.cols : x->it.rows,
                          .cols = x->it.is_vector ? 0 : x->it.cols,
                          .layout = x->e.cut == HONE_OPT_CUT_ANY ? HONE_LAYOUT_FLAT
                                    : x->it.is_vector            ? HONE_LAYOUT_ROWS
                                                                 : HONE_LAYOUT_PANELS,
                          .lr = 1e-2,
                          .weight_decay = 0.1,
                          .scratch = scratch,
                          .tag = x->e.tag};
    const size_t bytes = one.length * sizeof(float);
    const char *state = (const char *)(from + x->it.length);
    float *g = t->evaluate ? NULL : hone__v_fence_take(&p->grads, bytes, 4);
    one.param = hone__v_fence_take(&p->data, bytes, 4);
    if (!one.param || (!t->evaluate && !g))
        return HONE_E_NOMEM;
    memcpy(one.param, from + begin, bytes);
    for (uint32_t a = 0; a < x->e.n_state; a++) {
        size_t at = hone_opt_array_offset(&x->e.state[a], &x->it, begin),
               size = array_bytes(x, a, end) - at;
        one.state[a] = hone__v_fence_take(&p->data, size, 4);
        if (!one.state[a])
            return HONE_E_NOMEM;
        memcpy(one.state[a], state + x->e.state[a].at + at, size);
    }
    for (size_t e = 0; g && e < one.length; e++)
        g[e] = padding(x, begin + e) ? 0
                                     : t->grad_scale * drawn(t->w->seed, k, step + 1, begin + e);
    one.grad = g;
    memset(p->first + row * p->stride, 0xA5, p->stride);
    memcpy(p->first + row * p->stride, &one, sizeof one);
    return HONE_OK;
}

static void read_slice(const places *p, const item *x, size_t begin, size_t end, float *from,
                       size_t row)
{
    hone_opt_slice one;
    char *state = (char *)(from + x->it.length);
    memcpy(&one, p->first + row * p->stride, sizeof one);
    memcpy(from + begin, one.param, (end - begin) * sizeof(float));
    for (uint32_t a = 0; a < x->e.n_state; a++) {
        size_t at = hone_opt_array_offset(&x->e.state[a], &x->it, begin);
        memcpy(state + x->e.state[a].at + at, one.state[a], array_bytes(x, a, end) - at);
    }
}

static hone_status call(hone__v *v, hone__vinst *i, places *p, const stretch *t, uint64_t step)
{
    const hone_optimizer_v1 *vt = i->vt;
    const char *slot = t->evaluate ? "evaluation" : "step";
    char what[64];
    *p->info = (hone_opt_info){
        .struct_size = sizeof *p->info, .step = step + 1, .grad_scale = 1, .grad_norm = 1};
    hone__v_fence_readonly(&p->slices);
    hone__v_fence_readonly(&p->grads);
    snprintf(what, sizeof what, "%s over %zu slices", slot, p->n);
    hone__v_enter(v, i, what);
    hone_status s = (t->evaluate ? vt->evaluation : vt->step)(
        i->self, (const hone_opt_slice *)(const void *)p->first, p->n, p->stride, p->info);
    s = hone__v_leave(v, i, slot, s);
    if (s > 0)
        hone__v_fail(v, "%s returned %d: a status is 0 or negative", slot, s);
    return s;
}

static hone_status run(hone__v *v, hone__vinst *i, stretch *t, const item *items)
{
    const hone__vwork *w = t->w;
    hone_status s = HONE_OK;
    for (size_t step = t->first; s >= 0 && step < t->first + t->steps; step++) {
        places p;
        size_t row = 0, most = 0;
        float *from = t->data;
        s = open_places(&p, t, items);
        for (size_t at = 0; at < w->n; at++)
            most = items[at].e.scratch > most ? items[at].e.scratch : most;
        void *scratch = s >= 0 && most ? hone__v_fence_take(&p.scratch, most, 64) : NULL;
        if (s >= 0 && most && !scratch)
            s = HONE_E_NOMEM;
        for (size_t at = 0; s >= 0 && at < w->n; from += items[at].floats, at++) {
            const size_t cut = cut_of(t, &items[at]), len = items[at].it.length,
                         k = number_of(w, at);
            s = fill_slice(&p, t, &items[at], k, step, 0, cut, from, scratch, row++);
            if (s >= 0 && cut < len)
                s = fill_slice(&p, t, &items[at], k, step, cut, len, from, scratch, row++);
        }
        if (s >= 0)
            s = call(v, i, &p, t, step);
        from = t->data;
        row = 0;
        for (size_t at = 0; s >= 0 && at < w->n; from += items[at].floats, at++) {
            const size_t cut = cut_of(t, &items[at]), len = items[at].it.length;
            read_slice(&p, &items[at], 0, cut, from, row++);
            if (cut < len)
                read_slice(&p, &items[at], cut, len, from, row++);
        }
        close_places(&p, w->keep);
    }
    return s;
}

/* All items of `w`, and fresh data for them: state zero. In `arena`. *floats: of all of it. */
static hone_status fresh(hone__v *v, hone__vinst *i, const hone__vwork *w, hone_arena *arena,
                         item **items, float **data, size_t *floats)
{
    *floats = 0;
    *items = hone_arena_calloc(arena, w->n + 1, sizeof **items);
    if (!*items)
        return HONE_E_NOMEM;
    for (size_t at = 0; at < w->n; at++) {
        HONE_TRY(item_of(v, i, w->seed, number_of(w, at), &(*items)[at]));
        *floats += (*items)[at].floats;
    }
    float *to = *data = hone_arena_calloc(arena, *floats + 1, sizeof *to);
    if (!to)
        return HONE_E_NOMEM;
    for (size_t at = 0; at < w->n; at++) {
        const item *x = &(*items)[at];
        for (size_t e = 0; e < x->it.length; e++)
            to[e] = padding(x, e) ? 0 : drawn(w->seed, number_of(w, at), 0, e);
        to += x->floats;
    }
    return HONE_OK;
}

/* Parameters and what is kept as floats, without padding: that has a test of its own. */
static int all_finite(const item *x, const float *data)
{
    for (size_t e = 0; e < x->it.length; e++)
        if (!padding(x, e) && !isfinite(data[e]))
            return 0;
    const char *state = (const char *)(data + x->it.length);
    for (uint32_t a = 0; a < x->e.n_state; a++) {
        const float *f = (const float *)(const void *)(state + x->e.state[a].at);
        size_t n = array_bytes(x, a, x->it.length) / sizeof *f;
        const uint32_t kind = x->e.state[a].kind;
        for (size_t e = 0; kind != HONE_OPT_STATE_BYTES && e < n; e++)
            if (!isfinite(f[e]) && !(kind == HONE_OPT_STATE_ELEMENTS && padding(x, e)))
                return 0;
    }
    return 1;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    hone_arena arena;
    item *items;
    size_t floats;
    stretch t = {.w = w, .steps = 1, .grad_scale = 1};
    hone_arena_init(&arena, (size_t)1 << 30);
    hone_status s = fresh(v, i, w, &arena, &items, &t.data, &floats);
    if (s >= 0)
        s = run(v, i, &t, items);
    w->whole = 0;
    for (size_t at = 0; s >= 0 && at < w->n; at++) {
        uint64_t d = hone_xxh64(t.data, items[at].floats * sizeof *t.data, 1) | 1;
        if (!v->lenient && !all_finite(&items[at], t.data))
            hone__v_fail(v, "slice %zu: not a number after a step", at);
        if (w->digest)
            w->digest[at] = d;
        w->whole = hone_xxh64(&d, sizeof d, w->whole);
        t.data += items[at].floats;
    }
    hone_arena_release(&arena);
    return s;
}

/* ---- tests of optimizers -------------------------------------------------------------------------- */

enum { SLICES = 6, STEPS = 6 };

/* All of it after `steps` steps in one instance, or in two, the second from `at` on. */
static float *after(hone__v *v, hone_arena *arena, stretch *t, size_t at, size_t *floats,
                    item **items)
{
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return NULL;
    const size_t all = t->steps;
    hone_status s = fresh(v, i, t->w, arena, items, &t->data, floats);
    t->first = 0;
    t->steps = at;
    if (s >= 0 && at)
        s = run(v, i, t, *items);
    hone__v_destroy(v, i);
    i = s >= 0 ? hone__v_need(v) : NULL;
    t->first = at;
    t->steps = all - at;
    if (i)
        s = run(v, i, t, *items);
    hone__v_destroy(v, i);
    t->steps = all;
    if (s < 0)
        hone__v_fail(v, "step: %s", hone__v_error());
    return s < 0 || !i ? NULL : t->data;
}

static void t_resume(hone__v *v)
{
    hone_arena arena;
    item *items;
    size_t floats;
    hone__vwork w = {.seed = v->seed, .n = SLICES};
    stretch t = {.w = &w, .steps = STEPS, .grad_scale = 1};
    hone_arena_init(&arena, 0);
    float *straight = after(v, &arena, &t, 0, &floats, &items);
    for (size_t at = 1; straight && at < STEPS; at += 2) {
        float *resumed = after(v, &arena, &t, at, &floats, &items);
        if (resumed && memcmp(straight, resumed, floats * sizeof *straight) != 0)
            hone__v_fail(v,
                         "%d steps with a new instance after step %zu give other bits than "
                         "straight ones: it keeps something beside the host's state",
                         STEPS, at);
        if (!resumed)
            break;
    }
    hone_arena_release(&arena);
}

static void odd_gradient(hone__v *v, float scale, const char *what)
{
    hone_arena arena;
    item *items;
    size_t floats = 0;
    hone__vwork w = {.seed = v->seed, .n = SLICES};
    stretch t = {.w = &w, .steps = 3, .grad_scale = scale};
    hone_arena_init(&arena, 0);
    float *data = after(v, &arena, &t, 0, &floats, &items);
    for (size_t k = 0; data && k < SLICES; data += items[k++].floats)
        if (!all_finite(&items[k], data)) {
            hone__v_fail(v, "%s makes parameters or state that are no numbers", what);
            break;
        }
    hone_arena_release(&arena);
}

static void t_zero(hone__v *v)
{
    odd_gradient(v, 0, "a gradient of zero");
}
static void t_huge(hone__v *v)
{
    odd_gradient(v, 1e18f, "a gradient of 1e18");
}

/* What lies in the padding of panels is not the model's; the host wants it to stay zero. */
static void t_padding(hone__v *v)
{
    hone_arena arena;
    item *items;
    size_t floats;
    hone__vwork w = {.seed = v->seed, .n = SLICES};
    stretch t = {.w = &w, .steps = 3, .grad_scale = 1};
    hone_arena_init(&arena, 0);
    float *data = after(v, &arena, &t, 0, &floats, &items);
    for (size_t k = 0; data && k < SLICES; data += items[k++].floats)
        for (size_t e = 0; e < items[k].it.length; e++)
            if (padding(&items[k], e) && data[e] != 0) {
                hone__v_fail(v, "slice %zu: the padding of a panel was zero and is %g", k,
                             (double)data[e]);
                break;
            }
    hone_arena_release(&arena);
}

static void t_cut(hone__v *v)
{
    hone_arena arena;
    item *items;
    size_t floats, n = 0;
    hone__vwork w = {.seed = v->seed, .n = SLICES};
    stretch t = {.w = &w, .steps = 2, .grad_scale = 1, .cut = 1};
    hone_arena_init(&arena, 0);
    float *cut = after(v, &arena, &t, 0, &floats, &items);
    for (size_t k = 0; cut && k < SLICES; k++)
        n += cut_of(&t, &items[k]) < items[k].it.length;
    t.cut = 0;
    float *whole = cut && n ? after(v, &arena, &t, 0, &floats, &items) : NULL;
    if (cut && !n)
        hone__v_skip(v, "its parameters are not to be cut");
    if (whole && memcmp(whole, cut, floats * sizeof *cut) != 0)
        hone__v_fail(v, "slices cut in two give other bits, though it says that they may be cut");
    hone_arena_release(&arena);
}

static void t_evaluation(hone__v *v)
{
    hone_arena arena;
    item *items;
    size_t floats;
    hone__vwork w = {.seed = v->seed, .n = SLICES};
    stretch t = {.w = &w, .steps = 3, .grad_scale = 1};
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    const int has = HONE_HAS((const hone_optimizer_v1 *)i->vt, hone_optimizer_v1, evaluation);
    hone__v_destroy(v, i);
    if (!has)
        return hone__v_skip(v, "it evaluates the weights that it trains with");
    hone_arena_init(&arena, 0);
    float *data = after(v, &arena, &t, 0, &floats, &items);
    float *before = hone_arena_calloc(&arena, floats + 1, sizeof *before);
    i = data && before ? hone__v_need(v) : NULL;
    if (i) {
        memcpy(before, data, floats * sizeof *data);
        stretch e = {.w = &w, .data = data, .first = 2, .steps = 1, .evaluate = 1};
        if (run(v, i, &e, items) < 0)
            hone__v_fail(v, "evaluation: %s", hone__v_error());
        for (size_t k = 0; k < SLICES; data += items[k].floats, before += items[k++].floats) {
            if (!all_finite(&items[k], data))
                hone__v_fail(v, "slice %zu: not a number after evaluation", k);
            if (memcmp(data + items[k].it.length, before + items[k].it.length,
                       (items[k].floats - items[k].it.length) * sizeof *data) != 0)
                hone__v_fail(v, "slice %zu: evaluation changed its state", k);
        }
    }
    hone__v_destroy(v, i);
    hone_arena_release(&arena);
}

static void t_strides(hone__v *v)
{
    hone__vwork w = {.seed = v->seed, .n = 9, .larger = 1}, same = {.seed = v->seed, .n = 9};
    hone__vinst *i = hone__v_need(v);
    if (i && hone__v_work(v, i, &w) && hone__v_work(v, i, &same) && w.whole != same.whole)
        hone__v_fail(v, "other strides give other results");
    hone__v_destroy(v, i);
}

static const hone__vtest tests[] = {
    {"optimizer.resume", t_resume, 0, "resumed steps equal straight ones, bit for bit"},
    {"optimizer.zero_gradient", t_zero, 0, "a gradient of zero"},
    {"optimizer.huge_gradient", t_huge, 0, "a gradient of 1e18"},
    {"optimizer.padding", t_padding, 0, "the padding of panels stays zero"},
    {"optimizer.cut", t_cut, 0, "slices cut in two, where they may be"},
    {"optimizer.evaluation", t_evaluation, 0, "weights to evaluate, where it has them"},
    {"optimizer.strides", t_strides, 0, "slices further apart than their size"},
    {0}};
const hone__vkind hone__v_optimizer = {
    HONE_KIND_OPTIMIZER, HONE_IFACE_OPTIMIZER, NULL, work, tests, 0};
