/* rope.c - rope/1: rotary position embedding (Su et al. 2021), on the batch's positions.
 *
 *   halves (Hugging Face), i < r/2:
 *     y_i = x_i cos - x_{i+r/2} sin,   y_{i+r/2} = x_{i+r/2} cos + x_i sin
 *   interleaved (pairs):    the same on (x_{2i}, x_{2i+1})
 * on the first r = rotary_dim columns of each head; the others pass. x, y (T, n_heads*head_dim).
 * A rotation is orthogonal: backward rotates the gradient back. Angles: rope_table.c. */
#include "ops/builtin.h"
#include "ops/kern/rows.h"
#include "ops/op_util.h"
#include "ops/rope_table.h"

static hone_status infer_rope(hone_shape_ctx *c)
{
    HONE_TRY(hone__op_inputs(c, 1, 1, 0));
    HONE_TRY(hone__op_attr(c));
    const hone_rope *r = c->attr;
    if (r->n_heads < 1 || r->head_dim < 2 || r->rotary_dim < 2 || r->rotary_dim % 2 ||
        r->rotary_dim > r->head_dim)
        return hone__op_fail(c, HONE_E_INVALID, "%d heads of %d with rotary_dim %d", r->n_heads,
                             r->head_dim, r->rotary_dim);
    if (c->in[0].cols != (int64_t)r->n_heads * r->head_dim)
        return hone__op_fail(c, HONE_E_SHAPE, "%lld columns are not %d heads of %d",
                             (long long)c->in[0].cols, r->n_heads, r->head_dim);
    if (r->scaling > HONE_ROPE_FACTORS)
        return hone__op_fail(c, HONE_E_UNSUPPORTED, "scaling of kind %u is not supported",
                             r->scaling);
    if ((r->scaling == HONE_ROPE_FACTORS) != (r->n_factors > 0) ||
        (r->n_factors && (!r->factors || r->n_factors != (uint64_t)r->rotary_dim / 2)))
        return hone__op_fail(c, HONE_E_INVALID, "%llu factors for a rotary_dim of %d",
                             (unsigned long long)r->n_factors, r->rotary_dim);
    if (c->batch && c->batch->n_tokens != c->in[0].rows)
        return hone__op_fail(c, HONE_E_SHAPE, "%lld rows for a batch of %lld tokens",
                             (long long)c->in[0].rows, (long long)c->batch->n_tokens);
    c->n_out = 1;
    c->out[0] = hone__shape(c->in[0].rows, c->in[0].cols);
    return HONE_OK;
}

struct job {
    const hone_op_args *a;
    const hone__rope_table *table;
    int inverse;
};

static void rope_rows(void *arg, int64_t from, int64_t to, uint32_t thread)
{
    (void)thread;
    const struct job *j = arg;
    const hone_op_args *a = j->a;
    const hone_rope *r = a->attr;
    const hone_rows_kernels *k = hone_rows();
    const hone_view *x = j->inverse ? &a->dout[0] : &a->in[0],
                    *y = j->inverse ? &a->din[0] : &a->out[0];
    int acc = j->inverse && hone__acc(a, 0);
    for (int64_t t = from; t < to; t++) {
        const float *cs, *sn;
        hone__rope_row(j->table, a->batch->positions[t], &cs, &sn);
        k->rope(hone__row(x, t), hone__row(y, t), cs, sn, r->n_heads, r->head_dim, r->rotary_dim,
                r->interleaved != 0, j->inverse, acc);
    }
}

/* A table of factors may hold for sequences up to some length only. */
static hone_status check_length(const hone_rope *r, int64_t last)
{
    if (r->scaling != HONE_ROPE_FACTORS || !(r->original_max_positions > 0) ||
        (double)last < r->original_max_positions)
        return HONE_OK;
    hone_fail(HONE_E_UNSUPPORTED, "rope: position %lld of a model with other factors from %.0f on",
              (long long)last, r->original_max_positions);
    return hone_fail_hint(
        "longrope computes longer sequences differently from their first token on; "
        "keep them within the original length");
}

static hone_status run_rope(const hone_op_args *a, const hone_exec *ex, int inverse)
{
    struct job j = {.a = a, .inverse = inverse};
    int64_t last = 0, rows = a->batch->n_tokens;
    for (int64_t t = 0; t < rows; t++) {
        int64_t p = a->batch->positions[t];
        if (p < 0)
            return hone_fail(HONE_E_RANGE, "rope: token %lld has position %lld", (long long)t,
                             (long long)p);
        last = p > last ? p : last;
    }
    HONE_TRY(check_length(a->attr, last));
    HONE_TRY(hone__rope_table_get(a->attr, last, &j.table));
    hone__op_ranges(ex, rows, inverse ? a->din[0].cols : a->in[0].cols, 1, rope_rows, &j);
    return HONE_OK;
}
static hone_status fwd_rope(const hone_op_args *a, const hone_exec *ex)
{
    return run_rope(a, ex, 0);
}
static hone_status bwd_rope(const hone_op_args *a, const hone_exec *ex)
{
    if (!hone__wants(a, 0))
        return HONE_OK;
    if (!hone__arrived(a, 0)) {
        hone__op_no_gradient(a);
        return HONE_OK;
    }
    return run_rope(a, ex, 1);
}

static uint64_t cost_rope(const hone_op_args *a, uint64_t *bytes)
{
    uint64_t n = (uint64_t)(a->in[0].rows * a->in[0].cols);
    *bytes = n * 8;
    return n * 3;
}

const hone_op hone_op_rope = {.struct_size = sizeof(hone_op),
                              .flags = HONE_OP_INPLACE | HONE_OP_CHEAP,
                              .name = "rope/1",
                              .attr_size = sizeof(hone_rope),
                              .infer = infer_rope,
                              .fwd = fwd_rope,
                              .bwd = bwd_rope,
                              .cost = cost_rope};
