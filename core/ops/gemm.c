/* gemm.c - matrix products split into tasks for the threads; panels from and to rows.
 *
 * The key idea is in ops/kernels.h: an element's bits depend on nothing that is decided here, so
 * the split is chosen for speed alone. A task costs what it packs: rows once per task, and
 * (backward) a panel once per block of rows. So tasks get many rows and many panels where there is
 * enough work for all threads that way, and fewer where there is not. */
#include "ops/kernels.h"
#include "ops/storage.h"

#include <string.h>

static const hone_gemm_kernels *kernels(void)
{
    return HONE_KERNEL_PICK(gemm);
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

enum kind { FWD, DX, DW };
enum { NOTED = 64 }; /* threads whose packed rows are remembered */
struct product {
    const hone_gemm *g;
    hone_gemm own; /* what *g is made of, with wtype and integer told apart */
    const hone_gemm_kernels *k;
    const hone_exec *ex;
    float *out;
    int64_t ldo;
    int64_t rows, panels;     /* of the result */
    int64_t n_rows, n_panels; /* into how many parts each is split */
    enum kind kind;
    uint32_t packed[NOTED]; /* by thread: 1 + the part of the rows it packed last, 0: none */
};

static void product_task(void *arg, int64_t task, uint32_t thread)
{
    struct product *p = arg;
    const int64_t ir = task % p->n_rows, ip = task / p->n_rows;
    const int64_t r0 = p->rows * ir / p->n_rows, r1 = p->rows * (ir + 1) / p->n_rows;
    const int64_t p0 = p->panels * ip / p->n_panels, p1 = p->panels * (ip + 1) / p->n_panels;
    float *scratch = p->ex->thread_scratch(p->ex, thread);
    if (p->kind == FWD) {
        const uint32_t part = (uint32_t)ir + 1;
        const int packed = thread < NOTED && p->packed[thread] == part;
        p->k->fwd(p->g, r0, r1, p0, p1, scratch, packed);
        if (thread < NOTED && !packed)
            p->packed[thread] = part;
    } else if (p->kind == DX) {
        p->k->dx(p->g, p->out, p->ldo, r0, r1, p0, p1, scratch);
    } else {
        p->k->dw(p->g, p->out, r0, r1, p0, p1, scratch);
    }
}

enum {
    SMALL_FLOPS = 200 * 1000,
    ROWS_MAX = 256,
    INTEGER_MAX = 256 * 1024 /* inputs whose codes fit the scratch */
};
/* Least panels and rows of a task, by kind: packing rows costs 0.3 of a panel's arithmetic, once for
 * all panels of the task; transposing a panel (dx) that of 6 rows, once for all rows of the task. */
static const struct {
    int64_t panels, rows;
} least_of[] = {[FWD] = {16, 28}, [DX] = {8, 96}, [DW] = {8, 28}};

/* What is multiplied, how, and into how many tasks; `n`: outputs, of several products where they are one job. 0: nothing to do. */
static int product_split(struct product *p, int64_t n)
{
    p->own = *p->g;
    p->own.wtype = hone_view_stored(p->own.wtype);
    p->own.integer = p->kind == FWD && (p->g->integer || p->g->wtype != p->own.wtype) &&
                     hone_storage_get(p->own.wtype)->put && p->own.K <= INTEGER_MAX;
    const hone_gemm *g = p->g = &p->own;
    if (g->M <= 0 || g->N <= 0 || g->K <= 0)
        return 0;
    const int64_t threads = p->ex->n_threads;
    p->k = kernels();
    p->n_rows = p->n_panels = 1;
    if (threads > 1 && 2.0 * (double)g->M * (double)n * (double)g->K >= SMALL_FLOPS) {
        p->n_panels = max64(1, min64(p->panels / least_of[p->kind].panels, 4 * threads));
        const int64_t want = (4 * threads + p->n_panels - 1) / p->n_panels;
        p->n_rows = max64((p->rows + ROWS_MAX - 1) / ROWS_MAX,
                          min64(p->rows / least_of[p->kind].rows, want));
        p->n_rows = max64(1, p->n_rows);
        if (p->n_rows * p->n_panels < 2 * threads) {
            const int64_t least = p->rows <= 3 ? 4 : p->rows <= 6 ? 2 : 1;
            const int64_t more = (2 * threads + p->n_rows - 1) / p->n_rows;
            p->n_panels = max64(1, min64(p->panels / least, more));
        }
        /* as many tasks for one thread as for another */
        while (p->n_rows * p->n_panels % threads && p->n_rows < p->rows / 16)
            p->n_rows++;
    }
    return 1;
}

static void product_run(struct product *p)
{
    if (product_split(p, p->g->N))
        p->ex->parallel(p->ex, p->n_rows * p->n_panels, product_task, p);
}

/* Products of the same rows, their panels one after the other. */
struct several {
    struct product p[HONE_GEMM_TOGETHER]; /* p[0] has the split of all */
    int64_t first[HONE_GEMM_TOGETHER + 1];
    int n;
    uint32_t form[NOTED]; /* beside p[0].packed: of the product whose packed rows they are */
};

static void several_task(void *arg, int64_t task, uint32_t thread)
{
    struct several *all = arg;
    struct product *s = &all->p[0];
    const int64_t ir = task % s->n_rows, ip = task / s->n_rows;
    const int64_t r0 = s->rows * ir / s->n_rows, r1 = s->rows * (ir + 1) / s->n_rows;
    const int64_t p0 = s->panels * ip / s->n_panels, p1 = s->panels * (ip + 1) / s->n_panels;
    float *scratch = s->ex->thread_scratch(s->ex, thread);
    for (int i = 0; i < all->n; i++) {
        const int64_t a = max64(p0, all->first[i]), b = min64(p1, all->first[i + 1]);
        if (a >= b)
            continue;
        /* rows are packed for a product, and for others of its kind */
        const hone_gemm *g = all->p[i].g;
        const uint32_t form = 2 * g->wtype + (g->integer != 0), part = (uint32_t)ir + 1;
        const int packed = thread < NOTED && s->packed[thread] == part && all->form[thread] == form;
        s->k->fwd(g, r0, r1, a - all->first[i], b - all->first[i], scratch, packed);
        if (thread < NOTED) {
            s->packed[thread] = part;
            all->form[thread] = form;
        }
    }
}

void hone_gemm_fwd(const hone_exec *ex, const hone_gemm *g)
{
    struct product p = {.g = g, .ex = ex, .kind = FWD, .rows = g->M, .panels = hone_panels(g->N)};
    product_run(&p);
}

void hone_gemm_fwd_together(const hone_exec *ex, const hone_gemm *g, int n)
{
    struct several all = {.n = n};
    int64_t outputs = 0;
    for (int i = 0; i < n; i++) {
        all.first[i + 1] = all.first[i] + hone_panels(g[i].N);
        outputs += g[i].N;
    }
    for (int i = n - 1; i >= 0; i--) {
        all.p[i] = (struct product){
            .g = &g[i], .ex = ex, .kind = FWD, .rows = g[i].M, .panels = all.first[n]};
        if (!product_split(&all.p[i], outputs))
            return; /* no rows, or no inputs: the same for all */
    }
    ex->parallel(ex, all.p[0].n_rows * all.p[0].n_panels, several_task, &all);
}

void hone_gemm_dx(const hone_exec *ex, const hone_gemm *g, float *dx, int64_t lddx)
{
    struct product p = {.g = g,
                        .ex = ex,
                        .kind = DX,
                        .out = dx,
                        .ldo = lddx,
                        .rows = g->M,
                        .panels = hone_panels(g->K)};
    product_run(&p);
}

void hone_gemm_dw(const hone_exec *ex, const hone_gemm *g, float *dw)
{
    struct product p = {
        .g = g, .ex = ex, .kind = DW, .out = dw, .rows = g->K, .panels = hone_panels(g->N)};
    if (g->M == 0 && !g->add)
        memset(dw, 0, (size_t)hone_panel_floats(g->N, g->K) * sizeof *dw);
    product_run(&p);
}

struct columns {
    const hone_gemm_kernels *k;
    int64_t M, N, ld, parts;
    const float *dy;
    float *db;
    int add;
};

static void columns_task(void *arg, int64_t task, uint32_t thread)
{
    const struct columns *c = arg;
    const int64_t units = (c->N + 15) / 16;
    const int64_t n0 = units * task / c->parts * 16, n1 = units * (task + 1) / c->parts * 16;
    (void)thread;
    c->k->columns(c->M, n0, min64(n1, c->N), c->dy, c->ld, c->add, c->db);
}

void hone_gemm_columns(const hone_exec *ex, int64_t M, int64_t N, const float *dy, int64_t ld,
                       int add, float *db)
{
    struct columns c = {kernels(), M, N, ld, 1, dy, db, add};
    if (M * N >= SMALL_FLOPS / 4)
        c.parts = max64(1, min64(N / 64, 2 * (int64_t)ex->n_threads));
    ex->parallel(ex, c.parts, columns_task, &c);
}

void hone_panels_pack(const float *src, int64_t ld, int64_t rows, int64_t cols, float *dst)
{
    for (int64_t p = 0; p * HONE_PANEL < rows; p++) {
        const int64_t n = min64(HONE_PANEL, rows - p * HONE_PANEL);
        const float *s = src + p * HONE_PANEL * ld;
        for (int64_t c = 0; c < cols; c++, dst += HONE_PANEL) {
            int64_t r = 0;
            for (; r < n; r++)
                dst[r] = s[r * ld + c];
            for (; r < HONE_PANEL; r++)
                dst[r] = 0.0f;
        }
    }
}

void hone_panels_unpack(const float *src, int64_t rows, int64_t cols, float *dst, int64_t ld)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *s = src + r / HONE_PANEL * cols * HONE_PANEL + r % HONE_PANEL;
        for (int64_t c = 0; c < cols; c++)
            dst[r * ld + c] = s[c * HONE_PANEL];
    }
}

void hone_panel_row(const hone_view *w, int64_t row, float *out)
{
    const int64_t bytes = hone_storage_panel_bytes(hone_storage_get(w->dtype), w->cols);
    const char *panel = (const char *)w->data + row / HONE_PANEL * bytes;
    kernels()->widen_row(panel, hone_view_stored(w->dtype), row % HONE_PANEL, w->cols, out);
}
