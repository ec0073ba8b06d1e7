/* validate_optimizer.c - optimizers: steps over small slices, resumed steps, odd gradients (validate.h).
 *
 * An item is a slice: parameters, gradient and state drawn from (seed, number), each in its own place against a fence,
 * so that a loop that runs past `length` is found. The digest is of parameters and state after one step. */
#include "cli/validate.h"

#include "base/hash.h"
#include "base/rng.h"
#include "hone/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct larger_slice {
    hone_opt_slice s;
    unsigned char poison[24];
} larger_slice;

static size_t length_of(uint64_t seed, size_t k)
{
    return 8 + 8 * hone_rng_below(&(hone_rng_key){seed, HONE_RNG_USER, 0, k, 0}, 0, 5);
}

static hone_status ask_state(hone__v *v, hone__vinst *i, size_t length, uint32_t *n_state)
{
    const hone_optimizer_v1 *vt = i->vt;
    hone_opt_param p = {.struct_size = sizeof p,
                        .name = hone_str_c("model.layers.0.mlp.up_proj.weight"),
                        .rows = (int64_t)length / 8,
                        .cols = 8};
    hone_opt_state_spec spec = {.struct_size = sizeof spec};
    if (!HONE_HAS(vt, hone_optimizer_v1, state_spec) || !HONE_HAS(vt, hone_optimizer_v1, step)) {
        hone__v_fail(v, "its table has no state_spec or no step");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    hone__v_enter(v, i, "state_spec");
    HONE_TRY(hone__v_leave(v, i, "state_spec", vt->state_spec(i->self, &p, &spec)));
    if (spec.n_buffers > HONE_OPT_MAX_STATE) {
        hone__v_fail(v, "state_spec asks for %u arrays, at most %d are given", spec.n_buffers,
                     HONE_OPT_MAX_STATE);
        return hone_fail(HONE_E_ABI, "too many arrays of state");
    }
    for (uint32_t k = 0; k < spec.n_buffers; k++)
        if (!spec.names[k] || !spec.names[k][0])
            hone__v_fail(v, "array %u of its state has no name", k);
    *n_state = spec.n_buffers;
    return HONE_OK;
}

/* `steps` steps from step `first` on over what lies in `data`: for each slice parameters, then the arrays of state, one
 * after the other; the gradient of each step is drawn anew. */
typedef struct stretch {
    const hone__vwork *w;
    float *data;
    size_t first, steps;
    float grad_scale; /* of the drawn gradient; 0: all zero */
    size_t cut;       /* each slice as two, cut here; 0: whole */
} stretch;

static float drawn(uint64_t seed, size_t k, uint64_t step, size_t at)
{
    const hone_rng_key key = {seed, HONE_RNG_USER, step, k, 0};
    return (float)(hone_rng_uniform(&key, at) - 0.5);
}

static hone_status run(hone__v *v, hone__vinst *i, stretch *t, uint32_t n_state)
{
    const hone__vwork *w = t->w;
    const hone_optimizer_v1 *vt = i->vt;
    const size_t stride = w->larger ? sizeof(larger_slice) : sizeof(hone_opt_slice),
                 n = t->cut ? 2 * w->n : w->n;
    hone_status s = HONE_OK;
    for (size_t step = t->first; s >= 0 && step < t->first + t->steps; step++) {
        hone__vfence in = {0}, out = {0}, grads = {0};
        s = hone__v_fence_open(&in, (n + 1) * stride + 256, "the slices");
        if (s >= 0)
            s = hone__v_fence_open(&out, (n + 1) * 48 * 4 * (n_state + 1) + 4096,
                                   "parameters and state");
        if (s >= 0)
            s = hone__v_fence_open(&grads, (n + 1) * 48 * 4 + 4096, "the gradients");
        char *slices = s >= 0 ? hone__v_fence_take(&in, n * stride, 8) : NULL;
        hone_opt_info *info = s >= 0 ? hone__v_fence_take(&in, sizeof *info, 8) : NULL;
        float *from = t->data;
        for (size_t at = 0; s >= 0 && at < w->n; at++) {
            const size_t k = w->index ? w->index[at] : at, len = length_of(w->seed, k);
            for (size_t part = 0; part < (t->cut ? 2u : 1u); part++) {
                const size_t begin = part ? t->cut : 0, end = t->cut && !part ? t->cut : len;
                hone_opt_slice one = {.length = end - begin,
                                      .rows = (int64_t)len / 8,
                                      .cols = 8,
                                      .layout = HONE_LAYOUT_ROWS,
                                      .lr = 1e-2,
                                      .weight_decay = 0.1};
                if (vt->flags & HONE_OPT_ELEMENTWISE)
                    one.layout = HONE_LAYOUT_FLAT;
                float *g = hone__v_fence_take(&grads, one.length * sizeof *g, 4);
                one.param = hone__v_fence_take(&out, one.length * sizeof *g, 4);
                memcpy(one.param, from + begin, one.length * sizeof *g);
                for (uint32_t b = 0; b < n_state; b++) {
                    one.state[b] = hone__v_fence_take(&out, one.length * sizeof *g, 4);
                    memcpy(one.state[b], from + (b + 1) * len + begin, one.length * sizeof *g);
                }
                for (size_t e = 0; e < one.length; e++)
                    g[e] = t->grad_scale * drawn(w->seed, k, step + 1, begin + e);
                one.grad = g;
                size_t row = t->cut ? 2 * at + part : at;
                memset(slices + row * stride, 0xA5, stride);
                memcpy(slices + row * stride, &one, sizeof one);
            }
            from += (n_state + 1) * len;
        }
        if (s >= 0) {
            char what[64];
            *info = (hone_opt_info){
                .struct_size = sizeof *info, .step = step + 1, .grad_scale = 1, .grad_norm = 1};
            hone__v_fence_readonly(&in);
            hone__v_fence_readonly(&grads);
            snprintf(what, sizeof what, "step over %zu slices", n);
            hone__v_enter(v, i, what);
            s = vt->step(i->self, (const hone_opt_slice *)(const void *)slices, n, stride, info);
            s = hone__v_leave(v, i, "step", s);
            if (s > 0)
                hone__v_fail(v, "step returned %d: a status is 0 or negative", s);
        }
        from = t->data;
        for (size_t at = 0; s >= 0 && at < w->n; at++) {
            const size_t len = length_of(w->seed, w->index ? w->index[at] : at);
            for (size_t part = 0; part < (t->cut ? 2u : 1u); part++) {
                hone_opt_slice one;
                const size_t begin = part ? t->cut : 0;
                memcpy(&one, slices + (t->cut ? 2 * at + part : at) * stride, sizeof one);
                memcpy(from + begin, one.param, one.length * sizeof *from);
                for (uint32_t b = 0; b < n_state; b++)
                    memcpy(from + (b + 1) * len + begin, one.state[b], one.length * sizeof *from);
            }
            from += (n_state + 1) * len;
        }
        hone__v_fence_close(&in, w->keep);
        hone__v_fence_close(&out, w->keep);
        hone__v_fence_close(&grads, w->keep);
    }
    return s;
}

/* Fresh parameters, state zero; in `arena`. *floats: of all of it. */
static float *fresh(const hone__vwork *w, uint32_t n_state, hone_arena *arena, size_t *floats)
{
    *floats = 0;
    for (size_t at = 0; at < w->n; at++)
        *floats += (n_state + 1) * length_of(w->seed, w->index ? w->index[at] : at);
    float *data = hone_arena_calloc(arena, *floats + 1, sizeof *data), *to = data;
    for (size_t at = 0; data && at < w->n; at++) {
        const size_t k = w->index ? w->index[at] : at, len = length_of(w->seed, k);
        for (size_t e = 0; e < len; e++)
            to[e] = drawn(w->seed, k, 0, e);
        to += (n_state + 1) * len;
    }
    return data;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    hone_arena arena;
    uint32_t n_state = 0;
    size_t floats;
    hone_arena_init(&arena, (size_t)1 << 30);
    hone_status s = ask_state(v, i, 16, &n_state);
    float *data = s >= 0 ? fresh(w, n_state, &arena, &floats) : NULL;
    stretch t = {.w = w, .data = data, .steps = 1, .grad_scale = 1};
    if (s >= 0)
        s = data ? run(v, i, &t, n_state) : HONE_E_NOMEM;
    w->whole = 0;
    for (size_t at = 0; s >= 0 && at < w->n; at++) {
        const size_t len = (n_state + 1) * length_of(w->seed, w->index ? w->index[at] : at);
        uint64_t d = hone_xxh64(data, len * sizeof *data, 1) | 1;
        for (size_t e = 0; e < len; e++)
            if (!v->lenient && !isfinite(data[e])) {
                hone__v_fail(v, "slice %zu: not a number after a step", at);
                break;
            }
        if (w->digest)
            w->digest[at] = d;
        w->whole = hone_xxh64(&d, sizeof d, w->whole);
        data += len;
    }
    hone_arena_release(&arena);
    return s;
}

/* ---- tests of optimizers -------------------------------------------------------------------------- */

enum { SLICES = 5, STEPS = 6 };

/* All of it after `steps` steps in one instance, or in two, the second from `at` on. */
static float *after(hone__v *v, hone_arena *arena, stretch *t, size_t at, size_t *floats)
{
    uint32_t n_state;
    hone__vinst *i = hone__v_need(v);
    float *data = NULL;
    if (!i)
        return NULL;
    const size_t all = t->steps;
    hone_status s = ask_state(v, i, 16, &n_state);
    if (s >= 0)
        data = t->data = fresh(t->w, n_state, arena, floats);
    t->first = 0;
    t->steps = at;
    if (s >= 0 && at)
        s = run(v, i, t, n_state);
    hone__v_destroy(v, i);
    i = s >= 0 ? hone__v_need(v) : NULL;
    t->first = at;
    t->steps = all - at;
    if (i)
        s = run(v, i, t, n_state);
    hone__v_destroy(v, i);
    t->steps = all;
    if (s < 0)
        hone__v_fail(v, "step: %s", hone__v_error());
    return s < 0 || !i ? NULL : data;
}

static void t_resume(hone__v *v)
{
    hone_arena arena;
    size_t floats;
    hone__vwork w = {.seed = v->seed, .n = SLICES};
    stretch t = {.w = &w, .steps = STEPS, .grad_scale = 1};
    hone_arena_init(&arena, 0);
    float *straight = after(v, &arena, &t, 0, &floats);
    for (size_t at = 1; straight && at < STEPS; at += 2) {
        float *resumed = after(v, &arena, &t, at, &floats);
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
    size_t floats = 0;
    hone__vwork w = {.seed = v->seed, .n = SLICES};
    stretch t = {.w = &w, .steps = 3, .grad_scale = scale};
    hone_arena_init(&arena, 0);
    float *data = after(v, &arena, &t, 0, &floats);
    for (size_t k = 0; data && k < floats; k++)
        if (!isfinite(data[k])) {
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

static void t_cut(hone__v *v)
{
    hone_arena arena;
    size_t floats;
    hone__vwork w = {.seed = v->seed, .n = SLICES};
    stretch t = {.w = &w, .steps = 2, .grad_scale = 1};
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    const uint32_t flags = ((const hone_optimizer_v1 *)i->vt)->flags;
    hone__v_destroy(v, i);
    if (!(flags & HONE_OPT_ELEMENTWISE))
        return hone__v_skip(v, "it does not say ELEMENTWISE");
    hone_arena_init(&arena, 0);
    float *whole = after(v, &arena, &t, 0, &floats);
    t.cut = 5;
    float *cut = whole ? after(v, &arena, &t, 0, &floats) : NULL;
    if (cut && memcmp(whole, cut, floats * sizeof *cut) != 0)
        hone__v_fail(v, "slices cut in two give other bits, though it says ELEMENTWISE");
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
    {"optimizer.cut", t_cut, 0, "slices cut in two, where it is ELEMENTWISE"},
    {"optimizer.strides", t_strides, 0, "slices further apart than their size"},
    {0}};
const hone__vkind hone__v_optimizer = {
    HONE_KIND_OPTIMIZER, HONE_IFACE_OPTIMIZER, NULL, work, tests, 0};
