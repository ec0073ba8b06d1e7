/* optimizer_rig.h - one parameter under an optimizer in a test: laid out, asked and stepped as the trainer does it.
 *
 * Parameters and gradients are given and read as rows in double; what formulas say is computed by the tests. */
#ifndef HONE_TESTS_OPTIMIZER_RIG_H
#define HONE_TESTS_OPTIMIZER_RIG_H
#include "components.h"

#include "hone/optimizer.h"
#include "ops/kernels.h"
#include "ops/matmul.h"
#include "train/opt_state.h"

#include <math.h>
#include <stdlib.h>

typedef struct rig {
    hone_instance *inst;
    hone_ref ref;
    const hone_optimizer_v1 *vt;
} rig;

static inline rig open_optimizer(const char *name, const char *settings)
{
    char id[64];
    rig r;
    snprintf(id, sizeof id, "org.hone.optimizer.%s", name);
    r.inst = open_component(id, settings, HONE_IFACE_OPTIMIZER, &r.ref);
    r.vt = r.ref.vt;
    return r;
}

static inline float wobble(size_t i)
{
    uint64_t x = (i + 1) * 0x9E3779B97F4A7C15ull;
    x ^= x >> 31;
    x *= 0xBF58476D1CE4E5B9ull;
    return (float)((double)(x >> 11) / 9007199254740992.0 - 0.5);
}

typedef struct param {
    hone_param_item it;
    hone_opt_entry e;
    float *p, *g; /* it.length, as stored */
    char *state;
    size_t bytes;
    void *scratch;
} param;

/* cols 0: a vector of `rows`. */
static inline size_t elements(const param *x)
{
    return (size_t)(x->it.rows * x->it.cols);
}

/* Where element i of the rows lies. */
static inline size_t place(const param *x, size_t i)
{
    int64_t r = (int64_t)i / x->it.cols, c = (int64_t)i % x->it.cols;
    return x->it.is_vector ? i : (size_t)((r / 32 * x->it.cols + c) * 32 + r % 32);
}

static inline param make_param(const rig *r, int64_t rows, int64_t cols, uint32_t flags)
{
    param x;
    memset(&x, 0, sizeof x);
    x.it.name = "w";
    x.it.is_vector = cols == 0;
    x.it.rows = cols ? rows : 1;
    x.it.cols = cols ? cols : rows;
    x.it.flags = flags;
    x.it.length = (size_t)(cols ? hone_panel_floats(rows, cols) : (rows + 15) / 16 * 16);
    hone_opt_param p = {.struct_size = sizeof p,
                        .name = hone_str_c("w"),
                        .rows = rows,
                        .cols = cols,
                        .flags = flags};
    hone_opt_state_spec spec = {.struct_size = sizeof spec};
    assert_ok(r->vt->state_spec(r->ref.self, &p, &spec));
    assert_ok(hone_opt_entry_fill(&x.e, &spec, r->vt->flags, "test", "w"));
    assert_ok(hone_opt_entry_place(&x.e, &x.it, (hone_slice){0, x.it.length}, &x.bytes));
    x.p = calloc(x.it.length, sizeof *x.p);
    x.g = calloc(x.it.length, sizeof *x.g);
    x.state = aligned_alloc(64, x.bytes + 64);
    x.scratch = aligned_alloc(64, (x.e.scratch + 63) / 64 * 64 + 64);
    assert_true(x.p && x.g && x.state && x.scratch);
    memset(x.state, 0, x.bytes + 64);
    return x;
}

static inline void free_param(param *x)
{
    free(x->p);
    free(x->g);
    free(x->state);
    free(x->scratch);
}

/* The slice of elements [begin, end) as stored. */
static inline hone_opt_slice slice_of(const param *x, size_t begin, size_t end)
{
    hone_opt_slice s = {.param = x->p + begin,
                        .grad = x->g + begin,
                        .length = end - begin,
                        .rows = x->it.is_vector ? x->it.cols : x->it.rows,
                        .cols = x->it.is_vector ? 0 : x->it.cols,
                        .layout = x->e.cut == HONE_OPT_CUT_ANY ? HONE_LAYOUT_FLAT
                                  : x->it.is_vector            ? HONE_LAYOUT_ROWS
                                                               : HONE_LAYOUT_PANELS,
                        .scratch = x->scratch,
                        .tag = x->e.tag};
    for (uint32_t k = 0; k < x->e.n_state; k++)
        s.state[k] = (float *)(void *)(x->state + x->e.state[k].at +
                                       hone_opt_array_offset(&x->e.state[k], &x->it, begin));
    return s;
}

static inline hone_status try_step(const rig *r, const hone_opt_slice *s, uint64_t t, double scale)
{
    hone_opt_info info = {.struct_size = sizeof info, .step = t, .grad_scale = scale};
    hone_instance_enter(r->inst);
    return hone_instance_leave(r->inst, "step", r->vt->step(r->ref.self, s, 1, sizeof *s, &info));
}

/* One step over all of it, in slices of `cut` elements (0: one). The gradients are already in x->g. */
static inline void step_param(const rig *r, const param *x, double lr, double wd, uint64_t t,
                              double scale, size_t cut)
{
    for (size_t at = 0; at < x->it.length; at += cut ? cut : x->it.length) {
        size_t end = cut && x->it.length - at > cut ? at + cut : x->it.length;
        hone_opt_slice s = slice_of(x, at, end);
        s.lr = lr;
        s.weight_decay = wd;
        assert_ok(try_step(r, &s, t, scale));
    }
}

/* Values by (seed, row-major element); padding zero. */
static inline void fill_param(const param *x, float *to, size_t seed, float size)
{
    memset(to, 0, x->it.length * sizeof *to);
    for (size_t i = 0; i < elements(x); i++)
        to[place(x, i)] = size * wobble(seed * 7919 + i);
}

/* The stored array as rows in double. */
static inline void get_rows(const param *x, const float *from, double *out)
{
    for (size_t i = 0; i < elements(x); i++)
        out[i] = (double)from[place(x, i)];
}

static inline double worst(const param *x, const double *want)
{
    double most = 0;
    for (size_t i = 0; i < elements(x); i++) {
        double d = fabs((double)x->p[place(x, i)] - want[i]);
        most = d > most || isnan(d) ? d : most;
    }
    return most;
}

static inline void assert_padding_is_zero(const param *x)
{
    for (size_t i = 0; i < x->it.length; i++) {
        int64_t row = (int64_t)(i / 32 / (size_t)x->it.cols * 32 + i % 32);
        if (x->it.is_vector ? i >= elements(x) : row >= x->it.rows)
            assert_true(x->p[i] == 0);
    }
}
#endif
