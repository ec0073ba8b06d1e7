/* op_util.c - see op_util.h. */
#include "ops/op_util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

hone_status hone__op_fail(hone_shape_ctx *ctx, hone_status s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ctx->error, sizeof ctx->error, fmt, ap);
    va_end(ap);
    return s;
}

hone_status hone__op_inputs(hone_shape_ctx *ctx, uint32_t lo, uint32_t hi, uint32_t any)
{
    if (ctx->n_in < lo || ctx->n_in > hi) {
        if (lo == hi)
            return hone__op_fail(ctx, HONE_E_INVALID, "takes %u inputs, not %u", lo, ctx->n_in);
        return hone__op_fail(ctx, HONE_E_INVALID, "takes %u to %u inputs, not %u", lo, hi,
                             ctx->n_in);
    }
    for (uint32_t i = 0; i < ctx->n_in; i++) {
        const hone_shape *s = &ctx->in[i];
        if (s->rows < 0 || s->cols < 0)
            return hone__op_fail(ctx, HONE_E_SHAPE, "input %u has a negative size", i);
        if (any >> i & 1)
            continue;
        if (s->dtype != HONE_F32)
            return hone__op_fail(ctx, HONE_E_TYPE, "input %u is not float32", i);
        if (s->layout != HONE_ROWS && s->cols != 1)
            return hone__op_fail(ctx, HONE_E_TYPE, "input %u lies in panels", i);
    }
    return HONE_OK;
}

hone_status hone__op_attr(hone_shape_ctx *ctx)
{
    return ctx->attr ? HONE_OK : hone__op_fail(ctx, HONE_E_INVALID, "needs attributes");
}

hone_status hone__op_vector(hone_shape_ctx *ctx, uint32_t i, int64_t n, const char *what)
{
    const hone_shape *s = &ctx->in[i];
    if ((s->rows == 1 && s->cols == n) || (s->cols == 1 && s->rows == n))
        return HONE_OK;
    return hone__op_fail(ctx, HONE_E_SHAPE, "%s is %lld x %lld, wanted a vector of %lld", what,
                         (long long)s->rows, (long long)s->cols, (long long)n);
}

void hone__op_no_gradient(const hone_op_args *a)
{
    for (uint32_t i = 0; i < a->n_in; i++)
        if (hone__wants(a, i) && !hone__acc(a, i))
            for (int64_t r = 0; r < a->din[i].rows; r++)
                memset(hone__row(&a->din[i], r), 0, (size_t)a->din[i].cols * sizeof(float));
}

struct ranges {
    hone__range_fn *fn;
    void *arg;
    int64_t n, tasks, align;
};

static void run_range(void *arg, int64_t task, uint32_t thread)
{
    const struct ranges *g = arg;
    int64_t units = (g->n + g->align - 1) / g->align;
    int64_t from = units * task / g->tasks * g->align,
            to = units * (task + 1) / g->tasks * g->align;
    if (to > g->n)
        to = g->n;
    if (from < to)
        g->fn(g->arg, from, to, thread);
}

void hone__op_ranges(const hone_exec *ex, int64_t n, int64_t unit, int64_t align,
                     hone__range_fn *fn, void *arg)
{
    if (n <= 0)
        return;
    int64_t work = n * (unit > 0 ? unit : 1), units = (n + align - 1) / align;
    int64_t tasks = work < HONE_OPS_SMALL ? 1 : work / HONE_OPS_CHUNK;
    if (tasks > (int64_t)ex->n_threads * 4)
        tasks = (int64_t)ex->n_threads * 4;
    if (ex->n_threads == 1)
        tasks = 1;
    if (tasks > units)
        tasks = units;
    struct ranges g = {fn, arg, n, tasks, align};
    if (tasks == 1)
        fn(arg, 0, n, 0);
    else
        ex->parallel(ex, tasks, run_range, &g);
}
