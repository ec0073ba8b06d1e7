/* adapter_svd.c - where PiSSA starts: the largest singular triples of a matrix (Meng et al. 2024).
 *
 * W = U S V^T. B = U_r sqrt(S_r / scale), A = sqrt(S_r / scale) V_r^T, so that scale B A is the best approximation of W of
 * that rank; the residual W - scale B A is what stays frozen. It is not stored: a second, fixed pair with these values is
 * subtracted (params.h).
 *
 * Found by subspace iteration (Halko, Martinsson, Tropp 2011, algorithm 4.4): a random block of rows Q, then
 * again and again Z = (Q W^T) W and Q = orthonormal rows of Z, 1, 2, 4, 8, ... times until the singular values wanted stand
 * still: an error e of vectors is one of e^2 of values, and what values show after half of the turns vectors are after all. The large
 * products are those of ops/kernels.h over W as it is stored, everything else is double in one fixed order without libm
 * but sqrt: the same seed gives the same bits everywhere. Does not: give triples of a value of 0 (A and B are 0
 * there, as in PEFT). */
#include "nn/params_int.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "ops/kernels.h"
#include "tensor/region.h"

#include <math.h>
#include <string.h>

enum { MORE = 16, ITERATIONS = 128, SWEEPS = 40, COLUMNS = 64 };
/* How still: the first for a start, where values within 1e-5 are as good as the best ones; the second where a file left out a
 * residual, which is to be the same. */
static const double still[2] = {1e-3, 1e-7};

/* One matrix; arrays are row-major. */
typedef struct svd {
    int64_t N, K, L; /* W is N x K; L rows of Q */
    double *Q;       /* L x K, orthonormal */
    double *gram;    /* L x L: Y Y^T, then eigenvalues on its diagonal */
    double *vec;     /* L x L: eigenvectors as rows */
    double *sigma;   /* L: falling */
    double *last;    /* L: of the look before */
    int32_t *order;  /* L */
    float *x;        /* L x K */
    float *y;        /* L x N: Q W^T */
} svd;

static void svd_release(svd *s)
{
    hone_free(s->Q);
    hone_free(s->gram);
    hone_free(s->vec);
    hone_free(s->sigma);
    hone_free(s->last);
    hone_free(s->order);
    hone_free(s->x);
    hone_free(s->y);
}

static void *matrix(int64_t rows, int64_t cols, size_t size)
{
    size_t n;
    return hone_mul_size((size_t)rows, (size_t)cols, &n) ? hone_reallocarray(NULL, n, size) : NULL;
}

static hone_status svd_init(svd *s, int64_t N, int64_t K, int32_t rank)
{
    const int64_t most = N < K ? N : K;
    memset(s, 0, sizeof *s);
    s->N = N;
    s->K = K;
    s->L = rank + MORE < most ? rank + MORE : most;
    s->Q = matrix(s->L, K, sizeof *s->Q);
    s->gram = matrix(s->L, s->L, sizeof *s->gram);
    s->vec = matrix(s->L, s->L, sizeof *s->vec);
    s->sigma = matrix(s->L, 1, sizeof *s->sigma);
    s->last = matrix(s->L, 1, sizeof *s->last);
    s->order = matrix(s->L, 1, sizeof *s->order);
    s->x = matrix(s->L, K, sizeof *s->x);
    s->y = matrix(s->L, N, sizeof *s->y);
    if (s->Q && s->gram && s->vec && s->sigma && s->last && s->order && s->x && s->y)
        return HONE_OK;
    svd_release(s);
    return HONE_E_NOMEM;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double lane[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += a[i + j] * b[i + j];
    for (int j = 0; i < n; i++, j++)
        lane[j] += a[i] * b[i];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Row i of the Gram matrix of Q, up to the diagonal. */
static void gram_task(void *arg, int64_t i, uint32_t thread)
{
    const svd *s = arg;
    (void)thread;
    for (int64_t j = 0; j <= i; j++)
        s->gram[i * s->L + j] = dot(s->Q + i * s->K, s->Q + j * s->K, s->K);
}

/* The lower factor of a positive matrix, in place. A row that depends on those before gets the pivot 0. */
static void cholesky(double *g, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double whole = g[i * n + i];
        for (int64_t j = 0; j <= i; j++) {
            double sum = g[i * n + j];
            for (int64_t k = 0; k < j; k++)
                sum -= g[i * n + k] * g[j * n + k];
            if (j == i)
                g[i * n + i] = sum > 1e-13 * whole ? sqrt(sum) : 0.0;
            else
                g[i * n + j] = g[j * n + j] > 0.0 ? sum / g[j * n + j] : 0.0;
        }
    }
}

/* Some columns of the factor's inverse times Q. */
static void solve_task(void *arg, int64_t block, uint32_t thread)
{
    const svd *s = arg;
    const int64_t from = block * COLUMNS,
                  n = s->K - from < COLUMNS ? s->K - from : (int64_t)COLUMNS;
    (void)thread;
    for (int64_t r = 0; r < s->L; r++) {
        double *q = s->Q + r * s->K + from;
        for (int64_t k = 0; k < r; k++) {
            const double l = s->gram[r * s->L + k], *before = s->Q + k * s->K + from;
            for (int64_t c = 0; c < n; c++)
                q[c] -= l * before[c];
        }
        const double pivot = s->gram[r * s->L + r], by = pivot > 0.0 ? 1.0 / pivot : 0.0;
        for (int64_t c = 0; c < n; c++)
            q[c] *= by;
    }
}

/* Rows of Q with the same span, orthonormal; one that depends on those before becomes 0. (Cholesky QR: rows are at
 * most as far from orthonormal as one turn makes orthonormal ones, so once is enough.) */
static void orthonormal(svd *s, const hone_exec *ex)
{
    ex->parallel(ex, s->L, gram_task, s);
    cholesky(s->gram, s->L);
    ex->parallel(ex, (s->K + COLUMNS - 1) / COLUMNS, solve_task, s);
}

/* Eigenvalues of a symmetric matrix on its diagonal, eigenvectors as rows of v: cyclic Jacobi (Golub, Van Loan 8.5). */
static void eigen(double *a, double *v, int64_t n)
{
    for (int64_t i = 0; i < n * n; i++)
        v[i] = i % (n + 1) == 0 ? 1.0 : 0.0;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double off = 0.0, on = 0.0;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = 0; q < n; q++)
                *(p == q ? &on : &off) += a[p * n + q] * a[p * n + q];
        if (!(off > 1e-30 * on))
            return;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++) {
                const double apq = a[p * n + q];
                if (apq == 0.0)
                    continue;
                const double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq),
                             t = (theta < 0 ? -1.0 : 1.0) /
                                 (fabs(theta) + sqrt(theta * theta + 1.0)),
                             c = 1.0 / sqrt(t * t + 1.0), s = t * c;
                for (int64_t k = 0; k < n; k++) { /* columns p and q */
                    const double x = a[k * n + p], y = a[k * n + q];
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for (int64_t k = 0; k < n; k++) { /* rows */
                    const double x = a[p * n + k], y = a[q * n + k];
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                }
                for (int64_t k = 0; k < n; k++) {
                    const double x = v[p * n + k], y = v[q * n + k];
                    v[p * n + k] = c * x - s * y;
                    v[q * n + k] = s * x + c * y;
                }
            }
    }
}

static double dot_float(const float *a, const float *b, int64_t n)
{
    double lane[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += (double)a[i + j] * (double)b[i + j];
    for (int j = 0; i < n; i++, j++)
        lane[j] += (double)a[i] * (double)b[i];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* y = Q W^T. */
static void look(svd *s, const hone_param_item *w, const hone_exec *ex)
{
    for (int64_t i = 0; i < s->L * s->K; i++)
        s->x[i] = (float)s->Q[i];
    const hone_gemm g = {.M = s->L,
                         .N = s->N,
                         .K = s->K,
                         .x = s->x,
                         .ldx = s->K,
                         .w = w->data,
                         .wtype = w->dtype,
                         .alpha = 1.0f,
                         .y = s->y,
                         .ldy = s->N};
    hone_gemm_fwd(ex, &g);
}

/* The singular values that Q sees: roots of the eigenvalues of Y Y^T. */
static void take_values(svd *s)
{
    for (int64_t i = 0; i < s->L; i++)
        for (int64_t j = 0; j <= i; j++)
            s->gram[i * s->L + j] = s->gram[j * s->L + i] = dot_float(s->y + i * s->N,
                                                                      s->y + j * s->N, s->N);
    eigen(s->gram, s->vec, s->L);
    for (int64_t i = 0; i < s->L; i++) { /* insertion by falling value; equal ones stay in place */
        int64_t at = i;
        const double e = s->gram[i * s->L + i];
        while (at > 0 && s->gram[s->order[at - 1] * s->L + s->order[at - 1]] < e) {
            s->order[at] = s->order[at - 1];
            at--;
        }
        s->order[at] = (int32_t)i;
    }
    for (int64_t i = 0; i < s->L; i++) {
        const double e = s->gram[s->order[i] * s->L + s->order[i]];
        s->sigma[i] = e > 0.0 ? sqrt(e) : 0.0;
    }
}

/* Q = orthonormal rows of (Q W^T) W; y holds Q W^T. */
static void turn(svd *s, const hone_param_item *w, const hone_exec *ex)
{
    const hone_gemm g = {.M = s->L,
                         .N = s->N,
                         .K = s->K,
                         .w = w->data,
                         .wtype = w->dtype,
                         .alpha = 1.0f,
                         .y = s->y,
                         .ldy = s->N};
    hone_gemm_dx(ex, &g, s->x, s->K);
    for (int64_t i = 0; i < s->L * s->K; i++)
        s->Q[i] = (double)s->x[i];
    orthonormal(s, ex);
}

static void iterate(svd *s, const hone_param_item *w, const hone_exec *ex, int32_t rank, int exact,
                    const hone_rng_key *key)
{
    for (int64_t i = 0; i < s->L * s->K; i++)
        s->Q[i] = hone_rng_normal(key, (uint64_t)i);
    orthonormal(s, ex);
    look(s, w, ex);
    take_values(s);
    for (int n = 0, next = 1; n < ITERATIONS && s->L < s->K;) {
        double moved = 0.0, sum = 0.0;
        memcpy(s->last, s->sigma, (size_t)s->L * sizeof *s->last);
        for (; n < next; n++) {
            turn(s, w, ex);
            look(s, w, ex);
        }
        take_values(s);
        for (int32_t i = 0; i < rank; i++) {
            moved += fabs(s->sigma[i] - s->last[i]);
            sum += s->sigma[i];
        }
        if (!(moved > still[exact] * sum))
            break;
        next = 2 * n;
    }
}

/* Row j of A and column j of B, for the singular value number j. */
static void triple(const svd *s, int32_t j, double scale, float *a, float *b, int64_t ldb)
{
    const double *v = s->vec + (int64_t)s->order[j] * s->L, sigma = s->sigma[j],
                 root = sqrt(sigma / scale), by = sigma > 0.0 ? root / sigma : 0.0;
    for (int64_t c = 0; c < s->K; c++) {
        double sum = 0.0;
        for (int64_t i = 0; i < s->L; i++)
            sum += v[i] * s->Q[i * s->K + c];
        a[c] = (float)(root * sum);
    }
    for (int64_t n = 0; n < s->N; n++) {
        double sum = 0.0;
        for (int64_t i = 0; i < s->L; i++)
            sum += v[i] * (double)s->y[i * s->N + n];
        b[n * ldb] = (float)(by * sum);
    }
}

static hone_status start_pair(hone_params *p, const struct hone__pair *pair, int32_t number,
                              uint64_t seed, int exact, const hone_exec *ex)
{
    const hone_param_item *w = p->items[pair->target];
    const int32_t rank = (int32_t)p->items[pair->a]->rows;
    const hone_rng_key key = {seed, HONE_RNG_INIT, 0, (uint64_t)number, 0};
    svd s;
    HONE_TRY(svd_init(&s, w->rows, w->cols, rank));
    float *a = matrix(rank, w->cols, sizeof *a), *b = matrix(w->rows, rank, sizeof *b);
    hone_status st = a && b ? HONE_OK : HONE_E_NOMEM;
    if (st >= 0) {
        iterate(&s, w, ex, rank, exact, &key);
        for (int32_t j = 0; j < rank; j++)
            triple(&s, j, (double)pair->scale, a + (int64_t)j * w->cols, b + j, rank);
        st = hone_params_set_rows(p, pair->a, 0, rank, a);
    }
    if (st >= 0)
        st = hone_params_set_rows(p, pair->a0, 0, rank, a);
    if (st >= 0)
        st = hone_params_set_rows(p, pair->b, 0, w->rows, b);
    if (st >= 0)
        st = hone_params_set_rows(p, pair->b0, 0, w->rows, b);
    hone_free(a);
    hone_free(b);
    svd_release(&s);
    return st;
}

hone_status hone__params_init_principal(hone_params *p, const struct hone__adapter *ad,
                                        uint64_t seed, int exact, const hone_exec *exec)
{
    struct hone__work work;
    HONE_TRY(hone__params_work(p, exec, 0, &work));
    for (int32_t i = 0; i < ad->n_pairs && !hone_region_planning(); i++)
        HONE_TRY(start_pair(p, &ad->pairs[i], i, seed, exact, &work.ex));
    return HONE_OK;
}
