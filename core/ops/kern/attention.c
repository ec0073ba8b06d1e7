/* attention.c - one block of queries against pages of 64 keys, forward and backward.
 *
 * Forward: rows of the block are (query, head) pairs of one key/value head. Page after page, tile
 * after tile of TILE rows: scores by 64 keys, one online-softmax step, values. For a given row
 * every sum is the same chain whatever the block holds: a score runs over the head's dimensions,
 * the normaliser adds pages in order with one fixed tree inside a page, an output runs over keys
 * in order. Keys a row must not see get probability exactly 0; a chain that includes them differs
 * at most in the sign of a zero, which the last step (fma with +0) removes. So one query at a
 * time and a thousand at once give the same bits. (Online softmax: Milakov & Gimelshein 2018;
 * backward by recomputation: Dao et al. 2022, algorithm 4.)
 *
 * Everything is one product, mm(): C (+)= A B with B row-major, A with any strides; keys are kept
 * transposed in the page for it. Rows of a page after the last key that a tile sees are never added
 * up, and their scores are replaced by the mask: they may hold anything. */
#include "ops/kern/rows_set.h"

enum { PAGE = 64 };
#if HONE_SIMD == 3
enum { TILE = 6, WIDE = 4 }; /* 24 accumulators, 4 of B, 1 broadcast of 32 registers */
#else
enum { TILE = 6, WIDE = 1 }; /* AVX2: 12 accumulators, 2 of B, 1 broadcast of 16 */
#endif

/* ---- C[R x 16V] (+)= A[R x K] B[K x 16V]; tail: V = 1 with m lanes --------------------------- */
V_FN void mm_tile(const int R, const int V, const float *a, int64_t ra, int64_t ka, const float *b,
                  int64_t ldb, float *c, int64_t ldc, int64_t K, int acc, int m)
{
    v16 x[TILE][WIDE];
    V_UNROLL(6)
    for (int r = 0; r < R; r++)
        V_UNROLL(4)
    for (int v = 0; v < V; v++)
        x[r][v] = acc ? v_get(c + r * ldc + V_LANES * v, m) : v_zero();
    for (int64_t k = 0; k < K; k++) {
        v16 y[WIDE];
        V_UNROLL(4)
        for (int v = 0; v < V; v++)
            y[v] = v_get(b + k * ldb + V_LANES * v, m);
        V_UNROLL(6)
        for (int r = 0; r < R; r++) {
            v16 s = v_set1(a[r * ra + k * ka]);
            V_UNROLL(4)
            for (int v = 0; v < V; v++)
                x[r][v] = v_fma(s, y[v], x[r][v]);
        }
    }
    V_UNROLL(6)
    for (int r = 0; r < R; r++)
        V_UNROLL(4)
    for (int v = 0; v < V; v++)
        v_put(c + r * ldc + V_LANES * v, x[r][v], m);
}
typedef void mm_fn(const float *a, int64_t ra, int64_t ka, const float *b, int64_t ldb, float *c,
                   int64_t ldc, int64_t K, int acc);
#define MM_FN(R, V)                                                                                \
    static void HONE_KFN(mm_##R##_##V)(const float *a, int64_t ra, int64_t ka, const float *b,     \
                                       int64_t ldb, float *c, int64_t ldc, int64_t K, int acc)     \
    {                                                                                              \
        mm_tile(R, V, a, ra, ka, b, ldb, c, ldc, K, acc, V_LANES);                                 \
    }
#define MM_FNS(V) MM_FN(1, V) MM_FN(2, V) MM_FN(3, V) MM_FN(4, V) MM_FN(5, V) MM_FN(6, V)
#define MM_ROW(V)                                                                                  \
    {                                                                                              \
        HONE_KFN(mm_1_##V), HONE_KFN(mm_2_##V), HONE_KFN(mm_3_##V), HONE_KFN(mm_4_##V),            \
            HONE_KFN(mm_5_##V), HONE_KFN(mm_6_##V)                                                 \
    }
MM_FNS(1)
#if HONE_SIMD == 3
MM_FNS(2)
MM_FNS(3)
MM_FNS(4)
static mm_fn *const mm_table[4][6] = {MM_ROW(1), MM_ROW(2), MM_ROW(3), MM_ROW(4)};
#else
static mm_fn *const mm_table[1][6] = {MM_ROW(1)};
#endif

/* At most TILE rows, any n. */
static void mm_rows(int R, int64_t n, int64_t K, const float *a, int64_t ra, int64_t ka,
                    const float *b, int64_t ldb, float *c, int64_t ldc, int acc)
{
    int64_t j = 0;
    while (n - j >= V_LANES) {
        int64_t v = (n - j) / V_LANES;
        if (v > WIDE)
            v = WIDE;
        mm_table[v - 1][R - 1](a, ra, ka, b + j, ldb, c + j, ldc, K, acc);
        j += v * V_LANES;
    }
    if (j < n)
        for (int r = 0; r < R; r++)
            mm_tile(1, 1, a + r * ra, ra, ka, b + j, ldb, c + r * ldc + j, ldc, K, acc,
                    (int)(n - j));
}

/* ---- masks ----------------------------------------------------------------------------------- */
/* Keys of the page at `base` that a query at `pos` sees: lo <= key < hi (within the page). */
V_FN void seen(int64_t pos, int64_t base, int32_t window, int *lo, int *hi)
{
    int64_t top = pos - base + 1, bottom = window > 0 ? pos - window + 1 - base : 0;
    *hi = (int)(top > PAGE ? PAGE : top);
    *lo = (int)(bottom < 0 ? 0 : bottom > PAGE ? PAGE : bottom);
}
V_FN vm lanes_seen(int v, int lo, int hi)
{
    v16 key = v_add(v_iota(), v_set1((float)(v * V_LANES)));
    return vm_and(v_le(v_set1((float)lo), key), v_lt(key, v_set1((float)hi)));
}
V_FN v16 cap_score(v16 s, v16 cap)
{
    return v_mul(v_tanh(v_div(s, cap)), cap);
}

/* ---- forward --------------------------------------------------------------------------------- */
/* Scores of one row to probabilities, against the running maximum *top; returns what the row's
 * sums so far must be multiplied by as a logarithm (0: nothing). */
static float row_scores(float *s, int vecs, int lo, int hi, float softcap, float *top)
{
    int partial = lo > 0 || hi < vecs * V_LANES;
    v16 cap = v_set1(softcap), most = v_set1(-INFINITY);
    for (int v = 0; v < vecs; v++) {
        v16 x = v_load(s + v * V_LANES);
        if (softcap != 0.0f)
            x = cap_score(x, cap);
        if (partial)
            x = v_sel(lanes_seen(v, lo, hi), x, v_set1(-INFINITY));
        if (partial || softcap != 0.0f)
            v_store(s + v * V_LANES, x);
        most = v_maxn(most, x);
    }
    float page = v_hmax(most), before = *top;
    if (page == -INFINITY || page <= before)
        return 0.0f;
    *top = page;
    return before - page;
}

/* p = exp(s - top), 0 for keys not seen (their score is -infinity); returns the sum. */
static float row_probs(float *s, int vecs, float top)
{
    v16 sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    v16 off = v_set1(top);
    for (int v = 0; v < vecs; v++) {
        v16 p = v_exp(v_sub(v_load(s + v * V_LANES), off));
        v_store(s + v * V_LANES, p);
        sum[v] = p;
    }
    return v_sum(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
}

static void fwd_tile(const hone_attn_fwd *a, int64_t r0, int R, int64_t base, const float *page,
                     const float *qs, float *acc, int64_t ld, float *top, float *total)
{
    int64_t hd = a->head_dim;
    int lo, hi, lo_r[TILE], hi_r[TILE];
    float s[TILE][PAGE], step[V_LANES] = {0};
    seen(a->start + (r0 + R - 1) / a->group, base, 0, &lo, &hi);
    int vecs = (hi + V_LANES - 1) / V_LANES;
    mm_rows(R, vecs * V_LANES, hd, qs + r0 * ld, ld, 1, page, PAGE, s[0], PAGE, 0);
    for (int r = 0; r < R; r++) {
        seen(a->start + (r0 + r) / a->group, base, a->window, &lo_r[r], &hi_r[r]);
        step[r] = row_scores(s[r], vecs, lo_r[r], hi_r[r], a->softcap, &top[r0 + r]);
    }
    v_store(step, v_exp(v_load(step)));
    for (int r = 0; r < R; r++) {
        float *row = acc + (r0 + r) * ld, t = top[r0 + r];
        if (t == -INFINITY) { /* nothing seen yet */
            memset(s[r], 0, sizeof s[r]);
            continue;
        }
        if (step[r] != 1.0f) {
            v16 f = v_set1(step[r]);
            V_ROW(hd, { v_put(row + i, v_mul(v_get(row + i, m), f), m); });
            total[r0 + r] *= step[r];
        }
        total[r0 + r] += row_probs(s[r], vecs, t);
    }
    mm_rows(R, hd, hi, s[0], PAGE, 1, page + hd * PAGE, hd, acc + r0 * ld, ld, 1);
}

void HONE_KFN(attn_fwd)(const hone_attn_fwd *a)
{
    int64_t hd = a->head_dim, ld = (hd + 15) & ~(int64_t)15, G = a->group, nq = a->n_queries;
    int64_t rows = nq * G;
    float *qs = a->scratch, *acc = qs + rows * ld;
    float *top = acc + rows * ld, *total = top + HONE_ATTN_ROWS;
    v16 scale = v_set1(a->scale);
    for (int64_t r = 0; r < rows; r++) {
        const float *q = a->q + (r / G) * a->ldq + (r % G) * hd;
        float *d = qs + r * ld, *z = acc + r * ld;
        V_ROW(hd, { v_put(d + i, v_mul(v_get(q + i, m), scale), m); });
        V_ROW(hd, { v_put(z + i, v_zero(), m); });
        top[r] = -INFINITY;
        total[r] = 0.0f;
    }
    int64_t last = (a->start + nq - 1) / PAGE, first = 0;
    if (a->window > 0 && a->start - a->window + 1 > 0)
        first = (a->start - a->window + 1) / PAGE;
    for (int64_t pg = first; pg <= last; pg++) {
        int64_t base = pg * PAGE, from = base > a->start ? base - a->start : 0, to = nq;
        if (a->window > 0 && base + PAGE - 1 + a->window - a->start < to)
            to = base + PAGE - 1 + a->window - a->start;
        const float *page = a->pages + a->page_ids[pg] * a->page_stride;
        for (int64_t r = from * G; r < to * G; r += TILE)
            fwd_tile(a, r, (int)(to * G - r < TILE ? to * G - r : TILE), base, page, qs, acc, ld,
                     top, total);
    }
    for (int64_t r = 0; r < rows; r++) {
        float *o = a->out + (r / G) * a->ldo + (r % G) * hd;
        const float *z = acc + r * ld;
        v16 inv = v_set1(1.0f / total[r]);
        V_ROW(hd, { v_put(o + i, v_fma(v_get(z + i, m), inv, v_zero()), m); });
    }
    if (a->lse) {
        V_ROW(rows, { v_put(total + i, v_add(v_get(top + i, m), v_log(v_get(total + i, m))), m); });
        for (int64_t r = 0; r < rows; r++)
            a->lse[(r / G) * a->ldlse + r % G] = total[r];
    }
}

/* ---- backward -------------------------------------------------------------------------------- */
/* p = exp(s - lse) and ds = p*(dp - delta) in place of s and dp; 0 beyond the keys seen, up to 64.
 */
static void bwd_row(float *s, float *dp, int vecs, int lo, int hi, float softcap, float lse,
                    float delta)
{
    int partial = lo > 0 || hi < vecs * V_LANES;
    v16 cap = v_set1(softcap), off = v_set1(lse), del = v_set1(delta);
    for (int v = 0; v < vecs; v++) {
        v16 x = v_load(s + v * V_LANES), g = v_load(dp + v * V_LANES);
        v16 slope = v_set1(1.0f);
        if (softcap != 0.0f) {
            v16 t = v_tanh(v_div(x, cap));
            x = v_mul(t, cap);
            slope = v_fnma(t, t, slope);
        }
        v16 p = v_exp(v_sub(x, off));
        g = v_mul(p, v_sub(g, del));
        if (softcap != 0.0f)
            g = v_mul(g, slope);
        if (partial) {
            vm seen_here = lanes_seen(v, lo, hi);
            p = v_sel(seen_here, p, v_zero());
            g = v_sel(seen_here, g, v_zero());
        }
        v_store(s + v * V_LANES, p);
        v_store(dp + v * V_LANES, g);
    }
    for (int v = vecs; v < PAGE / V_LANES; v++) {
        v_store(s + v * V_LANES, v_zero());
        v_store(dp + v * V_LANES, v_zero());
    }
}

void HONE_KFN(attn_bwd)(const hone_attn_bwd *a)
{
    int64_t hd = a->head_dim, ld = (hd + 15) & ~(int64_t)15, nq = a->n_queries;
    float *qs = a->scratch, *dout = qs + nq * ld, *dq = dout + nq * ld;
    float *s = dq + nq * ld, *dp = s + nq * PAGE, *delta = dp + nq * PAGE;
    v16 scale = v_set1(a->scale);
    for (int64_t r = 0; r < nq; r++) {
        const float *q = a->q + r * a->ldq, *d = a->dout + r * a->lddo;
        float *qr = qs + r * ld, *dr = dout + r * ld, *z = dq + r * ld;
        V_ROW(hd, {
            v_put(qr + i, v_mul(v_get(q + i, m), scale), m);
            v_put(dr + i, v_get(d + i, m), m);
            v_put(z + i, v_zero(), m);
        });
        delta[r] = HONE_KFN(row_dot)(d, a->out + r * a->ldo, hd);
    }
    int64_t last = (a->start + nq - 1) / PAGE, first = 0;
    if (a->window > 0 && a->start - a->window + 1 > 0)
        first = (a->start - a->window + 1) / PAGE;
    for (int64_t pg = first; pg <= last; pg++) {
        int64_t base = pg * PAGE, from = base > a->start ? base - a->start : 0, to = nq;
        if (a->window > 0 && base + PAGE - 1 + a->window - a->start < to)
            to = base + PAGE - 1 + a->window - a->start;
        const float *kt = a->pages + a->page_ids[pg] * a->page_stride;
        const float *vt = kt + hd * PAGE, *k = vt + hd * PAGE;
        int lo, hi = 0;
        for (int64_t r = from; r < to; r += TILE) {
            int R = (int)(to - r < TILE ? to - r : TILE);
            seen(a->start + r + R - 1, base, 0, &lo, &hi);
            int vecs = (hi + V_LANES - 1) / V_LANES;
            mm_rows(R, vecs * V_LANES, hd, qs + r * ld, ld, 1, kt, PAGE, s + r * PAGE, PAGE, 0);
            mm_rows(R, vecs * V_LANES, hd, dout + r * ld, ld, 1, vt, PAGE, dp + r * PAGE, PAGE, 0);
            for (int64_t j = r; j < r + R; j++) {
                int l, h;
                seen(a->start + j, base, a->window, &l, &h);
                bwd_row(s + j * PAGE, dp + j * PAGE, vecs, l, h, a->softcap, a->lse[j * a->ldlse],
                        delta[j]);
            }
            if (a->dq)
                mm_rows(R, hd, hi, dp + r * PAGE, PAGE, 1, k, hd, dq + r * ld, ld, 1);
        }
        if (!a->want_kv)
            continue;
        float *dk = a->grads + a->page_ids[pg] * a->grad_stride, *dv = dk + hd * PAGE;
        for (int64_t j = 0; j < hi; j += TILE) { /* hi: of the last row, the most keys */
            int R = (int)(hi - j < TILE ? hi - j : TILE);
            int64_t q0 = base + j > a->start + from ? base + j - a->start
                                                    : from; /* sees key j first */
            mm_rows(R, hd, to - q0, dp + q0 * PAGE + j, 1, PAGE, qs + q0 * ld, ld, dk + j * hd, hd,
                    1);
            mm_rows(R, hd, to - q0, s + q0 * PAGE + j, 1, PAGE, dout + q0 * ld, ld, dv + j * hd, hd,
                    1);
        }
    }
    if (a->dq)
        for (int64_t r = 0; r < nq; r++) {
            float *d = a->dq + r * a->lddq;
            const float *z = dq + r * ld;
            V_ROW(hd, { v_out(d + i, v_mul(v_get(z + i, m), scale), m, a->acc); });
        }
}
