/* logits.c - see logits.h. What linear_divergence/1 computes in float32 from hidden states is written out here in double
 * from logits, row by row, without any cleverness. */
#include "cli/logits.h"

#include "base/alloc.h"
#include "hone/math.h"

static hone_status read_rows(hone_cli_numbers *in, const char *key, const hone_cli_shape *shape,
                             size_t *V, double **out)
{
    const hone_value *v = hone_value_get(&in->root, key);
    double *x = NULL;
    size_t cells;
    *out = NULL;
    if (!v || v->type == HONE_NULL)
        return HONE_OK;
    for (size_t s = 0; s < shape->n_seqs; s++) {
        const hone_value *row = v->type == HONE_LIST && v->u.list.n == shape->n_seqs
                                    ? &v->u.list.items[s]
                                    : NULL;
        const size_t n = shape->begin[s + 1] - shape->begin[s];
        if (!row || row->type != HONE_LIST || row->u.list.n != n)
            return hone_fail(HONE_E_SHAPE,
                             "%s: \"%s\" does not fit the batch: row %zu is not %zu long", in->path,
                             key, s + 1, n);
        for (size_t t = 0; t < n; t++) {
            const hone_value *z = &row->u.list.items[t];
            if (z->type == HONE_LIST && *V == 0)
                *V = z->u.list.n;
            if (z->type != HONE_LIST || z->u.list.n != *V || *V == 0)
                return hone_fail(HONE_E_SHAPE, "%s: \"%s\", row %zu, token %zu: not %zu logits",
                                 in->path, key, s + 1, t + 1, *V);
            if (!x) {
                if (!hone_mul_size(shape->n_tokens, *V, &cells))
                    return hone_fail(HONE_E_LIMIT, "%s: \"%s\" is too large", in->path, key);
                x = hone_arena_calloc(&in->arena, cells + 1, sizeof *x);
                if (!x)
                    return HONE_E_NOMEM;
            }
            for (size_t j = 0; j < *V; j++)
                HONE_TRY(hone_cli_read_number(in, key, &z->u.list.items[j],
                                              &x[(shape->begin[s] + t) * *V + j]));
        }
    }
    *out = x;
    return HONE_OK;
}

hone_status hone_cli_logits_read(hone_cli_numbers *in, hone_cli_shape *shape, hone_cli_logits *out)
{
    static const char *const shaped[] = {"student_logits", NULL};
    const hone_value *there = hone_value_get(&in->root, "student_logits");
    *out = (hone_cli_logits){0};
    if (!there || there->type == HONE_NULL)
        return HONE_OK;
    if (shape->n_seqs == 0)
        HONE_TRY(hone_cli_shape_of(in, shaped, shape));
    HONE_TRY(read_rows(in, "student_logits", shape, &out->V, &out->student));
    HONE_TRY(read_rows(in, "teacher_logits", shape, &out->V, &out->teacher));
    HONE_TRY(hone_cli_rows(in, "ids", shape, &out->ids));
    for (size_t t = 0; out->ids && t < shape->n_tokens; t++)
        if (!(out->ids[t] >= 0 && out->ids[t] < (double)out->V))
            return hone_fail(HONE_E_RANGE, "%s: id %g of a vocabulary of %zu", in->path,
                             out->ids[t], out->V);
    out->n_tokens = out->student ? shape->n_tokens : 0;
    return HONE_OK;
}

/* log softmax of a row of logits at a temperature */
static void log_softmax(const double *z, size_t V, double temperature, double *out)
{
    double most = z[0] / temperature, sum = 0;
    for (size_t j = 1; j < V; j++)
        most = z[j] / temperature > most ? z[j] / temperature : most;
    for (size_t j = 0; j < V; j++)
        sum += hone_exp(z[j] / temperature - most);
    for (size_t j = 0; j < V; j++)
        out[j] = z[j] / temperature - most - hone_log(sum);
}

/* log(beta q + (1 - beta) p) of two logarithms, of which both may be far below what a double's power reaches */
static double log_mixture(double beta, double logq, double logp)
{
    const double most = logq > logp ? logq : logp;
    return most + hone_log(beta * hone_exp(logq - most) + (1 - beta) * hone_exp(logp - most));
}

/* The divergence of a row; c[j]: p_j times its derivative in p_j, up to a constant times p_j. */
static double divergence(double beta, const double *logq, const double *logp, size_t V, double *c)
{
    double d = 0;
    for (size_t j = 0; j < V; j++) {
        const double q = hone_exp(logq[j]), p = hone_exp(logp[j]);
        if (beta == 0) {
            d += q * (logq[j] - logp[j]);
            c[j] = -q;
        } else if (beta == 1) {
            d += p * (logp[j] - logq[j]);
            c[j] = p * (logp[j] - logq[j]);
        } else {
            const double m = log_mixture(beta, logq[j], logp[j]);
            d += beta * q * (logq[j] - m) + (1 - beta) * p * (logp[j] - m);
            c[j] = p * (1 - beta) * (logp[j] - m);
        }
    }
    return d;
}

static hone_status rows_of(hone_cli_numbers *in, size_t V, double **out)
{
    *out = hone_arena_calloc(&in->arena, 3 * V + 1, sizeof **out);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

hone_status hone_cli_logits_compute(hone_cli_numbers *in, const hone_objective_wants *wants,
                                    hone_cli_logits *l)
{
    const size_t V = l->V;
    double *row;
    HONE_TRY(rows_of(in, V, &row));
    if (l->teacher)
        l->divergence = hone_arena_calloc(&in->arena, l->n_tokens + 1, sizeof(double));
    if (l->ids)
        l->logp = hone_arena_calloc(&in->arena, l->n_tokens + 1, sizeof(double));
    if (l->ids && l->teacher)
        l->teacher_logp = hone_arena_calloc(&in->arena, l->n_tokens + 1, sizeof(double));
    if ((l->teacher && !l->divergence) || (l->ids && !l->logp) ||
        (l->ids && l->teacher && !l->teacher_logp))
        return HONE_E_NOMEM;
    for (size_t t = 0; t < l->n_tokens; t++) {
        const double *s = l->student + t * V, *q = l->teacher ? l->teacher + t * V : NULL;
        if (l->teacher) {
            log_softmax(s, V, wants->temperature, row);
            log_softmax(q, V, wants->temperature, row + V);
            l->divergence[t] = divergence(wants->beta, row + V, row, V, row + 2 * V);
        }
        if (!l->ids)
            continue;
        log_softmax(s, V, 1, row);
        l->logp[t] = row[(size_t)l->ids[t]];
        if (l->teacher) {
            log_softmax(q, V, 1, row);
            l->teacher_logp[t] = row[(size_t)l->ids[t]];
        }
    }
    return HONE_OK;
}

hone_status hone_cli_logits_grad(hone_cli_numbers *in, const hone_objective_wants *wants,
                                 const hone_cli_logits *l, const double *grad_logp,
                                 const double *grad_divergence, double **out)
{
    const size_t V = l->V;
    double *row, *g = hone_arena_calloc(&in->arena, l->n_tokens * V + 1, sizeof *g);
    if (!g)
        return HONE_E_NOMEM;
    HONE_TRY(rows_of(in, V, &row));
    for (size_t t = 0; t < l->n_tokens; t++) {
        double *to = g + t * V, *c = row + 2 * V, mean = 0;
        if (l->teacher) {
            log_softmax(l->student + t * V, V, wants->temperature, row);
            log_softmax(l->teacher + t * V, V, wants->temperature, row + V);
            divergence(wants->beta, row + V, row, V, c);
            for (size_t j = 0; j < V; j++)
                mean += c[j];
            for (size_t j = 0; j < V; j++)
                to[j] += grad_divergence[t] * (c[j] - hone_exp(row[j]) * mean) / wants->temperature;
        }
        if (l->ids && grad_logp[t] != 0) {
            log_softmax(l->student + t * V, V, 1, row);
            for (size_t j = 0; j < V; j++)
                to[j] += grad_logp[t] * ((j == (size_t)l->ids[t]) - hone_exp(row[j]));
        }
    }
    *out = g;
    return HONE_OK;
}

void hone_cli_put_logits(hone_jw *w, const hone_cli_shape *shape, size_t V, const double *x,
                         int f32)
{
    hone_jw_list(w);
    for (size_t s = 0; s < shape->n_seqs; s++) {
        hone_jw_list(w);
        for (size_t t = shape->begin[s]; t < shape->begin[s + 1]; t++) {
            hone_jw_list(w);
            for (size_t j = 0; j < V; j++)
                hone_cli_number(w, x[t * V + j], f32);
            hone_jw_end(w);
        }
        hone_jw_end(w);
    }
    hone_jw_end(w);
}
