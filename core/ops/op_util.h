/* op_util.h - what the op files share: checks of shapes, loops over rows and columns on the
 * executor.
 *
 * Splitting is by whole rows (or by columns, for sums over rows), so it never changes a result.
 * Small work is one task: waking threads costs more than 32k elements of any row op. */
#ifndef HONE_CORE_OPS_OP_UTIL_H
#define HONE_CORE_OPS_OP_UTIL_H
#include "base/error.h"
#include "hone/ops.h"
#include "ops/attrs.h"

enum { HONE_OPS_SMALL = 32768, HONE_OPS_CHUNK = 8192 };

/* Fills ctx->error and returns `s`. */
hone_status hone__op_fail(hone_shape_ctx *ctx, hone_status s, const char *fmt, ...)
    HONE_PRINTF(3, 4);
/* The op has between lo and hi inputs, all float32 rows (bit i of `any`: input i is not looked
 * at). */
hone_status hone__op_inputs(hone_shape_ctx *ctx, uint32_t lo, uint32_t hi, uint32_t any);
/* The op's attributes are there. */
hone_status hone__op_attr(hone_shape_ctx *ctx);
/* Input i is a vector of n: (1,n) or (n,1). */
hone_status hone__op_vector(hone_shape_ctx *ctx, uint32_t i, int64_t n, const char *what);

static inline hone_shape hone__shape(int64_t rows, int64_t cols)
{
    return (hone_shape){rows, cols, HONE_F32, HONE_ROWS};
}
static inline float *hone__row(const hone_view *v, int64_t r)
{
    return (float *)v->data + r * v->ld;
}
static inline int hone__wants(const hone_op_args *a, uint32_t i)
{
    return a->din && a->din[i].data != NULL;
}
/* 1 when din[i] must be added to */
static inline int hone__acc(const hone_op_args *a, uint32_t i)
{
    return !a->din_fresh[i];
}
static inline int hone__arrived(const hone_op_args *a, uint32_t i)
{
    return a->dout && a->dout[i].data != NULL;
}
/* Input i wants a gradient and none arrived: zero when fresh. For all inputs. */
void hone__op_no_gradient(const hone_op_args *a);

typedef void hone__range_fn(void *arg, int64_t from, int64_t to, uint32_t thread);
/* Calls fn over [0, n) in ranges, in parallel when n*unit elements are many. Ranges begin at
 * multiples of `align`. */
void hone__op_ranges(const hone_exec *ex, int64_t n, int64_t unit, int64_t align,
                     hone__range_fn *fn, void *arg);
#endif
