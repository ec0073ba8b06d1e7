/* gemm.c - one task of a matrix product: pack operands, run the micro-kernel over tiles.
 *
 * All three products are C[row][col] = chain over i of A[row][i] * B[i][col], the panel's 32
 * columns side by side (ops/kernels.h says what rows, columns and chain are in each):
 *         rows      columns    chain      A from        B
 *   fwd   tokens    outputs n  inputs k   rows of x     the panel itself (bf16, f16: widened in registers)
 *   dx    tokens    inputs k   outputs n  rows of dy    the panel, transposed by 16 x 16 blocks
 *   dw    inputs k  outputs n  tokens t   columns of x  columns of dy
 * A block of rows is packed once (it stays in L2) and meets every panel of the task. Long chains
 * are cut into stretches whose accumulators wait in C: the chain goes on where it stopped, so bits
 * do not change. Cutting, tile height and panel grouping may therefore be chosen freely for speed.
 *
 * Compiled once per kernel set (HONE_KERN). Does not know threads. Source: compute.md section 4;
 * blocking after Goto and van de Geijn 2008. */
#include "ops/kernels.h"
#include "ops/storage.h"
#include "ops/kern/gemm_pack.h"
#include "ops/kern/gemm_tile.h"
#include "ops/kern/quant_int.h"

enum {
    ROW_BLOCK = 256,
    STRETCH = 512, /* of a chain whose B is packed */
    C_PANELS = 16, /* panels at a time when sums wait outside the result */
    A_FLOATS = 160 * 1024,
    B_FLOATS = STRETCH * 32,
    C_FLOATS = ROW_BLOCK * C_PANELS * 32
};
_Static_assert((A_FLOATS + 64 + B_FLOATS + C_FLOATS) * sizeof(float) <= HONE_GEMM_SCRATCH,
               "the thread scratch of kernels.h is too small");

enum kind { FWD, DX, DW };

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Memory that the next panel will be packed from, in runs of cache lines: brought into L2 a little
 * before every tile of the current one. */
struct ahead {
    const char *base;           /* NULL: nothing */
    int64_t run, stride, lines; /* lines in a row; bytes from run to run; lines in all */
};

static void fetch_ahead(const struct ahead *h, int64_t part, int64_t parts)
{
#ifdef PACK_FETCH
    int64_t j = h->lines * part / parts, n = h->lines * (part + 1) / parts - j;
    const char *run = h->base + j / h->run * h->stride;
    for (j %= h->run; n > 0; n--) {
        PACK_FETCH(run + j * 64);
        if (++j == h->run) {
            j = 0;
            run += h->stride;
        }
    }
#else
    (void)h, (void)part, (void)parts;
#endif
}

static int quantised(uint32_t type)
{
    return type >= HONE_Q8_0;
}

/* A micro-kernel: its functions by rows, and the most of them. */
struct micro {
    tile_fn *const *tiles;
    int64_t rows;
    int64_t
        input; /* bytes of a panel that one element of the chain takes, which tiles share out for
                    * prefetching; 0: the first tile fetches all of the next panel */
};

static struct micro micro_of(uint32_t type)
{
    if (quantised(type))
        return (struct micro){quant_tiles[type], QUANT_ROWS, 0};
    return (struct micro){tiles[type], TILE_ROWS, TILE_INPUT(type)};
}

/* One panel or a few (np, bs bytes apart) over all row tiles of a block. cols: real columns of the (single)
 * panel. */
static void sweep(struct micro k, const float *a, int64_t rows, int64_t len, const void *b,
                  int64_t bs, float *c, int64_t ldc, int64_t cs, int np, int64_t cols,
                  struct tile_end *e, const struct ahead *h)
{
    const int64_t n_tiles = (rows + k.rows - 1) / k.rows;
    const int64_t height = rows / n_tiles, taller = rows % n_tiles;
    const int width = cols <= 16 ? 16 : 32 * np;
    const char *pf = e->pf;
    e->pf_step = pf ? (k.input + n_tiles - 1) / n_tiles : 0;
    for (int64_t t = 0; t < n_tiles; t++) {
        const int64_t r = height + (t < taller);
        if (h->base)
            fetch_ahead(h, t, n_tiles);
        if (cols == 32 || cols == 16) {
            k.tiles[r](len, a, b, bs, c, ldc, cs, width, e);
        } else { /* the last panel: through a copy with room for all of its columns */
            float edge[TILE_ROWS * 32] = {0}, edge_bias[32] = {0};
            const float *bias = e->bias;
            for (int64_t i = 0; i < r; i++)
                memcpy(edge + i * 32, c + i * ldc, (size_t)cols * sizeof *c);
            if (bias) {
                memcpy(edge_bias, bias, (size_t)cols * sizeof *bias);
                e->bias = edge_bias;
            }
            k.tiles[r](len, a, b, bs, edge, 32, 0, width, e);
            e->bias = bias;
            for (int64_t i = 0; i < r; i++)
                memcpy(c + i * ldc, edge + i * 32, (size_t)cols * sizeof *c);
        }
        a += r * len;
        c += r * ldc;
        if (pf)
            e->pf = k.input ? e->pf + e->pf_step * len : NULL;
    }
    e->pf = pf;
}

static void pack_block(const enum kind kind, const hone_gemm *g, struct micro k, int64_t row,
                       int64_t rows, int64_t i0, int64_t len, float *a)
{
    const int64_t n_tiles = (rows + k.rows - 1) / k.rows;
    const int64_t height = rows / n_tiles, taller = rows % n_tiles;
    for (int64_t t = 0; t < n_tiles; t++) {
        const int64_t r = height + (t < taller);
        if (kind == FWD)
            pack_rows(g->x + row * g->ldx + i0, g->ldx, r, len, a);
        else if (kind == DX)
            pack_rows(g->y + row * g->ldy + i0, g->ldy, r, len, a);
        else
            pack_columns(g->x + i0 * g->ldx + row, g->ldx, r, len, a);
        a += r * len;
        row += r;
    }
}

/* What pack_transposed will read for panel p. */
static struct ahead next_transposed(const hone_gemm *g, const hone_storage *st, int64_t i0,
                                    int64_t len, int64_t p)
{
    if (quantised(g->wtype))
        return (struct ahead){0};
    const int64_t bytes = hone_storage_panel_bytes(st, g->K), before = p * 32;
    const int64_t run = hone_storage_panel_bytes(st, min64(32, g->K - before)) / 64;
    return (struct ahead){(const char *)g->w + i0 / 32 * bytes +
                              hone_storage_panel_bytes(st, before),
                          run, bytes, (len + 31) / 32 * run};
}

/* Rows r0..r1 x panels p0..p1 of the result `out`. */
PACK_INLINE void drive(const enum kind kind, const hone_gemm *g, float *out, int64_t ldo,
                       int64_t r0, int64_t r1, int64_t p0, int64_t p1, float *scratch, int packed)
{
    float *const a = scratch, *const bp = a + A_FLOATS + 64, *const wait = bp + B_FLOATS;
    const int64_t chain = kind == FWD ? g->K : kind == DX ? g->N : g->M;
    const int64_t columns = kind == DX ? g->K : g->N;
    const hone_storage *st = kind == DW ? NULL : hone_storage_get(g->wtype);
    const int64_t bytes = st ? hone_storage_panel_bytes(st, g->K) : 0; /* of a stored panel */
    const int64_t unit = kind == FWD && quantised(g->wtype) ? 256 : 1; /* a chain is cut there */
    const int plain = kind == DW || (!g->add && g->alpha == 1.0f);
    for (int64_t row = r0; row < r1; row += ROW_BLOCK) {
        const int64_t rows = min64(ROW_BLOCK, r1 - row);
        /* a stored panel is multiplied where it lies, a quantised one that many rows meet is widened first */
        const int direct = kind == FWD && (unit == 1 || rows <= QUANT_DIRECT);
        const struct micro k = micro_of(direct ? g->wtype : HONE_F32);
        const int64_t n_tiles = (rows + k.rows - 1) / k.rows;
        int64_t step = A_FLOATS / rows / unit * unit;
        if (!direct)
            step = min64(step, STRETCH);
        int64_t n_steps = (chain + step - 1) / step;
        step = (chain + n_steps - 1) / n_steps;
        if (kind == DX) /* a stretch begins with a panel; STRETCH is a multiple of 32 */
            step = (step + 31) / 32 * 32;
        step = (step + unit - 1) / unit * unit;
        const int waits = !plain &&
                          chain > step; /* unfinished sums must not mix with stored ones */
        const int64_t group = waits ? C_PANELS : p1 - p0;
        const int np_max = !direct || n_tiles > 1 ? 1
                           : unit > 1             ? QUANT_PANELS(rows)
                                                  : TILE_PANELS(rows);
        for (int64_t g0 = p0; g0 < p1; g0 += group) {
            const int64_t g1 = min64(p1, g0 + group);
            for (int64_t i0 = 0; i0 < chain; i0 += step) {
                const int64_t len = min64(step, chain - i0);
                const int last = i0 + len == chain;
                if (!packed || n_steps > 1 || rows < r1 - r0)
                    pack_block(kind, g, k, row, rows, i0, len, a);
                int np = 1;
                for (int64_t p = g0; p < g1; p += np) {
                    const int64_t cols = min64(32, columns - p * 32);
                    np = p + np_max <= g1 && (p + np_max) * 32 <= columns ? np_max : 1;
                    struct tile_end e = {.load = i0 > 0 || (kind == DW && g->add), .alpha = 1.0f};
                    struct ahead h = {0};
                    const void *b = bp;
                    if (direct) {
                        b = (const char *)g->w + p * bytes + hone_storage_panel_bytes(st, i0);
                        if (n_tiles <= 8 && p + np < g1)
                            e.pf = (const char *)b + np * bytes;
                    } else if (kind == FWD) {
                        quant_unpack((const char *)g->w + p * bytes, g->wtype, i0, len, bp);
                    } else if (kind == DX && quantised(g->wtype)) {
                        quant_transposed(g->w, bytes, g->wtype, i0, i0 + len, p * 32, bp);
                    } else if (kind == DX) {
                        pack_transposed(g->w, bytes, g->wtype, g->K, i0, i0 + len, p * 32, bp);
                        if (p + 1 < g1)
                            h = next_transposed(g, st, i0, len, p + 1);
                    } else {
                        pack_panel(g->y + i0 * g->ldy + p * 32, g->ldy, cols, len, bp);
                        if (p + 1 < g1)
                            h = (struct ahead){(const char *)(g->y + i0 * g->ldy + (p + 1) * 32), 2,
                                               g->ldy * (int64_t)sizeof(float), 2 * len};
                    }
                    if (kind == DW) {
                        float *c = out + (p * g->K + row) * 32;
                        if (cols < 32 && !e.load)
                            memset(c, 0, (size_t)rows * 32 * sizeof *c);
                        sweep(k, a, rows, len, b, 0, c, 32, 0, 1, cols, &e, &h);
                        continue;
                    }
                    if (last && !waits) {
                        e.add = g->add;
                        e.alpha = g->alpha;
                        if (kind == FWD && g->bias)
                            e.bias = g->bias + p * 32;
                    }
                    float *c = waits ? wait + (p - g0) * 32 : out + row * ldo + p * 32;
                    const int64_t ldc = waits ? C_PANELS * 32 : ldo;
                    sweep(k, a, rows, len, b, bytes, c, ldc, 32, np, cols, &e, &h);
                }
            }
            if (!waits)
                continue;
            const float *bias = kind == FWD ? g->bias : NULL;
            const int64_t c0 = g0 * 32, c1 = min64(columns, g1 * 32);
            for (int64_t r = 0; r < rows; r++) {
                float *o = out + (row + r) * ldo;
                const float *s = wait + r * C_PANELS * 32 - c0;
                if (g->add)
                    for (int64_t c = c0; c < c1; c++)
                        o[c] = fmaf(g->alpha, s[c], o[c]);
                else
                    for (int64_t c = c0; c < c1; c++)
                        o[c] = g->alpha * s[c];
                if (bias)
                    for (int64_t c = c0; c < c1; c++)
                        o[c] += bias[c];
            }
        }
    }
}

/* Forward with integer sums: rows m0..m1 x panels p0..p1. The whole chain in one go. */
static void integer_fwd(const hone_gemm *g, int64_t m0, int64_t m1, int64_t p0, int64_t p1,
                        float *a, int packed)
{
    const int64_t words = g->K / 32 * INT_WORDS; /* of a packed row */
    const int64_t bytes = hone_storage_panel_bytes(hone_storage_get(g->wtype), g->K);
    const int64_t block = min64(ROW_BLOCK, A_FLOATS / words > 1 ? A_FLOATS / words : 1);
    const struct micro k = {int_tiles[g->wtype], INT_ROWS, 0};
    const int32_t off = int_off(g->wtype);
    for (int64_t row = m0; row < m1; row += block) {
        const int64_t rows = min64(block, m1 - row), n_tiles = (rows + k.rows - 1) / k.rows;
        const int64_t height = rows / n_tiles, taller = rows % n_tiles;
        float *to = a;
        for (int64_t t = packed && rows == m1 - m0 ? n_tiles : 0, at = row; t < n_tiles; t++) {
            const int64_t r = height + (t < taller);
            int_pack(g->x + at * g->ldx, g->ldx, r, g->K, off, to);
            to += r * words;
            at += r;
        }
        for (int64_t p = p0; p < p1; p++) {
            struct tile_end e = {
                .add = g->add, .alpha = g->alpha, .bias = g->bias ? g->bias + p * 32 : NULL};
            const struct ahead none = {0};
            sweep(k, a, rows, words, (const char *)g->w + p * bytes, 0,
                  g->y + row * g->ldy + p * 32, g->ldy, 32, 1, min64(32, g->N - p * 32), &e, &none);
        }
    }
}

static void gemm_fwd(const hone_gemm *g, int64_t m0, int64_t m1, int64_t p0, int64_t p1,
                     float *scratch, int packed)
{
    if (g->integer)
        integer_fwd(g, m0, m1, p0, p1, scratch, packed);
    else
        drive(FWD, g, g->y, g->ldy, m0, m1, p0, p1, scratch, packed);
}

static void gemm_dx(const hone_gemm *g, float *dx, int64_t lddx, int64_t m0, int64_t m1, int64_t p0,
                    int64_t p1, float *scratch)
{
    drive(DX, g, dx, lddx, m0, m1, p0, p1, scratch, 0);
}

static void gemm_dw(const hone_gemm *g, float *dw, int64_t k0, int64_t k1, int64_t p0, int64_t p1,
                    float *scratch)
{
    drive(DW, g, dw, 0, k0, k1, p0, p1, scratch, 0);
}

static void gemm_columns(int64_t M, int64_t n0, int64_t n1, const float *dy, int64_t ld, int add,
                         float *db)
{
    for (int64_t n = n0; n < n1; n++)
        db[n] = add ? db[n] : 0.0f;
    for (int64_t t = 0; t < M; t++)
        for (int64_t n = n0; n < n1; n++)
            db[n] = db[n] + dy[t * ld + n];
}

PACK_INLINE void widen_row_as(const void *panel, const uint32_t type, int64_t lane, int64_t cols,
                              float *out)
{
    for (int64_t c = 0; c < cols; c++)
        out[c] = stored_value(type, panel, c, lane);
}

static void widen_row(const void *panel, uint32_t type, int64_t lane, int64_t cols, float *out)
{
    if (type == HONE_F32)
        widen_row_as(panel, HONE_F32, lane, cols, out);
    else if (type == HONE_BF16)
        widen_row_as(panel, HONE_BF16, lane, cols, out);
    else if (type == HONE_F16)
        widen_row_as(panel, HONE_F16, lane, cols, out);
    else if (type == HONE_Q8_0)
        widen_row_as(panel, HONE_Q8_0, lane, cols, out);
    else if (type == HONE_Q4_0)
        widen_row_as(panel, HONE_Q4_0, lane, cols, out);
    else if (type == HONE_Q4_1)
        widen_row_as(panel, HONE_Q4_1, lane, cols, out);
    else
        widen_row_as(panel, HONE_Q4_K, lane, cols, out);
}

#define HONE_STRING_(x) #x
#define HONE_STRING(x) HONE_STRING_(x)
const hone_gemm_kernels HONE_KFN(gemm) = {
    .set = HONE_STRING(HONE_KERN),
    .row_tile = TILE_ROWS,
    .fwd = gemm_fwd,
    .dx = gemm_dx,
    .dw = gemm_dw,
    .columns = gemm_columns,
    .widen_row = widen_row,
    .widen_codes = quant_unpack,
};
