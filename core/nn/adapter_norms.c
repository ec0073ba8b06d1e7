/* adapter_norms.c - the norms that DoRA divides by: |V[n]| of V = W + scale B A, row by row of W.
 *
 * V is never made. With U = A (R x K), C = scale B (N x R), P = U W^T and G = U U^T
 *
 *   |V[n]|^2 = |W[n]|^2 + sum over j of C[n][j] (2 P[j][n] + (C G)[n][j])
 *
 * so that a refresh costs what a forward of R tokens does, over W as it is stored. |W[n]|^2 is taken once, in double;
 * the base does not change under an adapter. Products are those of ops/kernels.h: the same bits whatever the
 * threads and the kernel set. While B is 0 the norm is that of W, bit for bit, which is what the magnitudes
 * start as: a new adapter changes no output.
 *
 * Refreshed when a forward begins and values have changed since (hone__params_touch), never while one runs.
 * Does not: let a gradient through the norm (Liu et al. 2024, section 4.3). */
#include "nn/params_int.h"

#include "base/alloc.h"
#include "ops/kernels.h"
#include "ops/storage.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static double *squares_of(const struct hone__adapter *ad)
{
    return (double *)ad->norms.base;
}

const float *hone__params_norms(const struct hone__adapter *ad)
{
    return (const float *)(squares_of(ad) + ad->n_norms);
}

hone_status hone__params_place_norms(hone_params *p, struct hone__adapter *ad)
{
    size_t bytes;
    (void)p;
    if (!ad->n_norms)
        return HONE_OK;
    if (!hone_mul_size(ad->n_norms, sizeof(double) + sizeof(float), &bytes))
        return hone_fail(HONE_E_LIMIT, "adapter %s: too many outputs", ad->name);
    return hone_region_init(&ad->norms, "adapters", bytes);
}

double hone__row_square(const float *row, int64_t n)
{
    double sum = 0.0;
    for (int64_t c = 0; c < n; c++)
        sum += (double)row[c] * (double)row[c];
    return sum;
}

/* |W[n]|^2 of every output. */
static hone_status take_squares(hone_params *p, struct hone__adapter *ad)
{
    hone_status s = HONE_OK;
    for (int32_t i = 0; i < ad->n_pairs && s >= 0; i++) {
        const struct hone__pair *pair = &ad->pairs[i];
        const hone_param_item *w = p->items[pair->target];
        float *rows = hone_reallocarray(NULL, (size_t)w->cols * HONE_PANEL, sizeof *rows);
        if (!rows)
            return HONE_E_NOMEM;
        for (int64_t r = 0; r < w->rows && s >= 0; r += HONE_PANEL) {
            const int64_t n = w->rows - r < HONE_PANEL ? w->rows - r : HONE_PANEL;
            s = hone_params_get_rows(p, pair->target, r, n, rows);
            for (int64_t k = 0; k < n && s >= 0; k++)
                squares_of(ad)[pair->at + (size_t)(r + k)] = hone__row_square(rows + k * w->cols,
                                                                              w->cols);
        }
        hone_free(rows);
    }
    if (s >= 0)
        ad->squares_of = p->base_changes;
    return s;
}

hone_status hone__params_init_magnitudes(hone_params *p, struct hone__adapter *ad)
{
    if (!ad->n_norms)
        return HONE_OK;
    HONE_TRY(take_squares(p, ad));
    for (int32_t i = 0; i < ad->n_pairs; i++) {
        const struct hone__pair *pair = &ad->pairs[i];
        float *m = p->items[pair->m]->data;
        for (int64_t n = 0; n < p->items[pair->m]->cols; n++)
            m[n] = (float)sqrt(squares_of(ad)[pair->at + (size_t)n]);
    }
    return HONE_OK;
}

static void *own_scratch(const hone_exec *ex, uint32_t thread)
{
    return ((const struct hone__work *)(const void *)ex)->scratch +
           (size_t)thread * HONE_GEMM_SCRATCH;
}

_Static_assert(offsetof(struct hone__work, ex) == 0, "own_scratch finds the executor by address");
_Static_assert(HONE_GEMM_SCRATCH % 64 == 0, "scratch of every thread is aligned");

hone_status hone__params_work(hone_params *p, const hone_exec *exec, size_t floats,
                              struct hone__work *out)
{
    const size_t threads = (size_t)exec->n_threads * HONE_GEMM_SCRATCH;
    size_t bytes;
    if (!hone_mul_size(floats, sizeof(float), &bytes) || !hone_add_size(bytes, threads, &bytes))
        return hone_fail(HONE_E_LIMIT, "adapter: its matrices are too large");
    if (bytes > p->norm_work.size)
        HONE_TRY(hone_region_grow(&p->norm_work, bytes));
    out->ex = *exec;
    out->ex.thread_scratch = own_scratch;
    out->ex.shared_scratch = NULL;
    out->scratch = p->norm_work.base;
    out->room = (float *)(void *)(out->scratch + threads);
    return HONE_OK;
}

/* Rows of U: those of A, and of what PiSSA started from. */
static int64_t ranks_of(const hone_params *p, const struct hone__pair *pair)
{
    return p->items[pair->a]->rows * (pair->a0 >= 0 ? 2 : 1);
}

/* Floats of the largest pair: U, C, P, C G, G as rows and as panels. 0: too many. */
static size_t work_floats(const hone_params *p, const struct hone__adapter *ad)
{
    size_t most = 0;
    for (int32_t i = 0; i < ad->n_pairs; i++) {
        const hone_param_item *w = p->items[ad->pairs[i].target];
        size_t r = (size_t)(hone_panels(ranks_of(p, &ad->pairs[i])) * HONE_PANEL), sum, n;
        if (!hone_mul_size(3, (size_t)w->rows, &sum) ||
            !hone_add_size(sum, (size_t)w->cols, &sum) || !hone_add_size(sum, 2 * r, &sum) ||
            !hone_mul_size(sum, r, &n))
            return 0;
        most = n > most ? n : most;
    }
    return most;
}

/* U = A, or A over A0; C = scale B, or scale B beside -scale B0. */
static void stack(const hone_params *p, const struct hone__pair *pair, int64_t R, float *U,
                  float *C)
{
    const hone_param_item *a = p->items[pair->a], *b = p->items[pair->b];
    const int64_t r = a->rows;
    hone_params_unpack(a, a->data, 0, r, U);
    if (pair->a0 >= 0)
        hone_params_unpack(p->items[pair->a0], p->items[pair->a0]->data, 0, r, U + r * a->cols);
    for (int64_t n = 0; n < b->rows; n++) {
        float *c = C + n * R;
        hone_params_unpack(b, b->data, n, 1, c);
        if (pair->b0 >= 0)
            hone_params_unpack(p->items[pair->b0], p->items[pair->b0]->data, n, 1, c + r);
        for (int64_t j = 0; j < R; j++)
            c[j] = (j < r ? pair->scale : -pair->scale) * c[j];
    }
}

static void refresh_pair(const hone_params *p, const struct hone__adapter *ad,
                         const struct hone__pair *pair, const struct hone__work *work)
{
    const hone_param_item *w = p->items[pair->target];
    const hone_param under[2] = {pair->a, pair->a0};
    const int64_t R = ranks_of(p, pair), N = w->rows, K = w->cols;
    float *U = work->room, *C = U + R * K, *P = C + N * R, *CG = P + R * N, *G = CG + N * R,
          *panels = G + R * R;
    float *norm = (float *)(squares_of(ad) + ad->n_norms) + pair->at;
    stack(p, pair, R, U, C);
    hone_gemm g = {.M = R, .N = N, .K = K, .x = U, .ldx = K, .alpha = 1.0f, .y = P, .ldy = N};
    g.w = w->data;
    g.wtype = w->dtype;
    hone_gemm_fwd(&work->ex, &g); /* P = U W^T */
    g.wtype = HONE_F32;
    g.ldy = R;
    for (int i = 0; i < 2 && under[i] >= 0; i++) { /* G = U U^T */
        g.N = p->items[under[i]]->rows;
        g.w = p->items[under[i]]->data;
        g.y = G + i * g.N;
        hone_gemm_fwd(&work->ex, &g);
    }
    hone_panels_pack(G, R, R, R, panels);
    g = (hone_gemm){.M = N, .N = R, .K = R, .x = C, .ldx = R, .alpha = 1.0f, .y = CG, .ldy = R};
    g.w = panels;
    g.wtype = HONE_F32;
    hone_gemm_fwd(&work->ex, &g); /* C G, G being symmetric */
    for (int64_t n = 0; n < N; n++) {
        double sum = squares_of(ad)[pair->at + (size_t)n];
        for (int64_t j = 0; j < R; j++)
            sum += (double)C[n * R + j] * (2.0 * (double)P[j * N + n] + (double)CG[n * R + j]);
        norm[n] = (float)sqrt(sum < 0.0 ? 0.0 : sum); /* NaN stays */
    }
}

static hone_status refresh(hone_params *p, struct hone__adapter *ad, const hone_exec *exec)
{
    struct hone__work work;
    const size_t floats = work_floats(p, ad);
    if (!floats)
        return hone_fail(HONE_E_LIMIT, "adapter %s: its matrices are too large", ad->name);
    HONE_TRY(hone__params_work(p, exec, floats, &work));
    if (hone_region_planning())
        return HONE_OK;
    if (ad->squares_of != p->base_changes)
        HONE_TRY(take_squares(p, ad));
    for (int32_t i = 0; i < ad->n_pairs; i++)
        refresh_pair(p, ad, &ad->pairs[i], &work);
    ad->norms_of = ad->changes + 1;
    return HONE_OK;
}

hone_status hone_params_refresh(hone_params *p, uint32_t mask, const hone_exec *exec)
{
    if (mask == HONE_ADAPTERS_ACTIVE)
        mask = p->active;
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX && mask >> k; k++) {
        struct hone__adapter *ad = &p->adapters[k];
        if (!(mask >> k & 1) || !ad->n_norms)
            continue;
        if (ad->norms_of != ad->changes + 1 || ad->squares_of != p->base_changes)
            HONE_TRY(refresh(p, ad, exec));
    }
    return HONE_OK;
}
