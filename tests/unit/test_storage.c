/* test_storage - weights stored as bf16, f16 or quantised: what goes into panels comes out rounded once, kernels
 * widen every value exactly, and whatever is computed has the bits it has over the same values in
 * float32, in every kernel set and mode. */
#include "model_shapes.h"

#include "base/half.h"
#include "nn/hf.h"
#include "nn/quant_keep.h"
#include "ops/cpu.h"
#include "ops/kernels.h"
#include "ops/storage.h"

static const uint32_t narrow[] = {HONE_BF16, HONE_F16};
static const uint32_t quantised[] = {HONE_Q8_0, HONE_Q4_0, HONE_Q4_1, HONE_Q4_K};
/* Types of files and what keeps them. */
static const struct {
    uint32_t file, storage;
} files[] = {{HONE_FT_Q8_0, HONE_Q8_0}, {HONE_FT_Q5_0, HONE_Q8_0}, {HONE_FT_IQ4_NL, HONE_Q8_0},
             {HONE_FT_Q4_0, HONE_Q4_0}, {HONE_FT_Q4_1, HONE_Q4_1}, {HONE_FT_Q4_K, HONE_Q4_K}};
enum { FILES = sizeof files / sizeof *files };

static float widened(uint32_t dtype, uint32_t h)
{
    return dtype == HONE_BF16 ? hone_bf16_to_f32((uint16_t)h) : hone_f16_to_f32((uint16_t)h);
}

static int same_bits(float a, float b)
{
    return hone_f32_bits(a) == hone_f32_bits(b);
}

/* ---- values ------------------------------------------------------------------------------------- */
/* All 65,536 values as a matrix of 2048 x 32. */
enum { ROWS = 2048, COLS = 32, ALL = 65536 };

static void test_every_value_survives_its_panel(void **state)
{
    float *rows = malloc(ALL * sizeof *rows), *back = malloc(ALL * sizeof *back);
    uint16_t *panels = malloc(ALL * sizeof *panels);
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        const hone_storage *s = hone_storage_get(narrow[t]);
        int64_t bytes = hone_storage_panel_bytes(s, COLS);
        assert_int_equal(bytes, 32 * COLS * 2);
        for (uint32_t i = 0; i < ALL; i++)
            rows[i] = widened(narrow[t], i);
        for (int64_t q = 0; q < ROWS / 32; q++) { /* in two pieces, the second first */
            char *panel = (char *)panels + q * bytes;
            assert_int_equal(s->pack(rows + (q * 32 + 5) * COLS, 5, 27, COLS, panel), -1);
            assert_int_equal(s->pack(rows + q * 32 * COLS, 0, 5, COLS, panel), -1);
            s->unpack(panel, 0, 32, COLS, back + q * 32 * COLS);
        }
        for (uint32_t i = 0; i < ALL; i++) {
            const uint32_t row = i / COLS, k = i % COLS, infinite = t ? 0x7c00u : 0x7f80u;
            uint32_t got = panels[(row / 32 * COLS + k) * 32 + row % 32];
            if ((i & 0x7fffu) > infinite) /* of a NaN that it is one */
                assert_true((got & 0x7fffu) > infinite && isnan(back[i]));
            else
                assert_true(got == i && same_bits(back[i], rows[i]));
        }
    }
    free(rows);
    free(back);
    free(panels);
}

/* As the vectors of the products (fma(1, w, 0), forward and transposed) and one by one (a row). */
static void test_kernels_widen_every_value_exactly(void **state)
{
    uint16_t *h = malloc(ALL * sizeof *h);
    float *f = malloc(ALL * sizeof *f), *got = malloc(ALL * sizeof *got),
          *want = malloc(ALL * sizeof *want);
    const hone_exec *ex = hone_pool_exec(pool3);
    const int used = hone_cpu_get()->used;
    (void)state;
    assert_ok(hone_pool_reserve(pool3, HONE_GEMM_SCRATCH, 4096));
    for (size_t t = 0; t < 2; t++)
        for (int set = 0; set <= hone_cpu_get()->best; set++) {
            assert_ok(hone_cpu_use(set));
            for (uint32_t i = 0; i < ALL; i++) {
                h[i] = (uint16_t)i;
                f[i] = widened(narrow[t], i);
            }
            float one[32] = {1.0f};
            hone_gemm g = {.M = 1, .N = ALL, .K = 1, .x = one, .ldx = 1, .alpha = 1.0f, .ldy = ALL};
            g.w = h;
            g.wtype = narrow[t];
            g.y = got;
            hone_gemm_fwd(ex, &g);
            g.w = f;
            g.wtype = HONE_F32;
            g.y = want;
            hone_gemm_fwd(ex, &g);
            assert_memory_equal(want, got, ALL * sizeof *got);
            for (uint32_t i = 0; i < ALL; i++) /* subnormals are taken as zero, by both */
                assert_true(isnan(f[i]) ? isnan(got[i]) != 0
                                        : same_bits(got[i], f[i]) || fabsf(f[i]) < 0x1p-126f);
            g = (hone_gemm){.M = 1, .N = 1, .K = ALL / 32, .y = one, .ldy = 1, .alpha = 1.0f};
            g.w = h;
            g.wtype = narrow[t];
            hone_gemm_dx(ex, &g, got, ALL / 32);
            for (uint32_t k = 0; k < ALL / 32; k++)
                assert_true(isnan(f[k * 32]) ? isnan(got[k]) != 0
                                             : same_bits(got[k], want[k * 32]));
            for (uint32_t lane = 0; lane < 32; lane++) {
                const hone_view v = {h, narrow[t], HONE_PANELS, 32, ALL / 32, ALL / 32};
                hone_panel_row(&v, lane, got);
                for (uint32_t k = 0; k < ALL / 32; k++)
                    assert_true(same_bits(got[k], f[k * 32 + lane]));
            }
        }
    assert_ok(hone_cpu_use(used));
    free(h);
    free(f);
    free(got);
    free(want);
}

/* Blocks of arbitrary bytes (scales finite): each value is the one that the file's decoder gives. */
static void test_codes_of_files_are_kept(void **state)
{
    enum { N = 70, K = 512 };
    hone_param_spec spec = {
        .struct_size = sizeof spec, .name = "m", .role = "q", .rows = N, .cols = K};
    unsigned char bytes[K / 32 * 34];
    float want[K], got[K];
    hone_params *p;
    (void)state;
    for (size_t t = 0; t < FILES; t++) {
        const hone_file_type *f = hone_file_type_get(files[t].file);
        const size_t n = (size_t)(K / f->block * f->bytes);
        assert_int_equal(hone_quant_keeps(files[t].file), files[t].storage);
        assert_ok(hone_params_create(&p));
        assert_int_equal(hone_params_declare(p, &spec), 0);
        assert_ok(hone_params_set_storage(p, 0, files[t].storage));
        assert_ok(hone_params_seal(p));
        for (int pass = 0; pass < 2; pass++) /* filled, then checked: rows do not disturb others */
            for (int64_t r = 0; r < N; r++) {
                hone_rng_key key = {9, HONE_RNG_INIT, t, (uint64_t)r, 0};
                for (size_t i = 0; i < n; i++)
                    bytes[i] = (unsigned char)hone_rng_below(&key, i, 256);
                for (uint32_t b = 0; b < K / f->block; b++) { /* no infinite scale */
                    bytes[b * f->bytes + 1] &= 0xbf;
                    if (f->id == HONE_FT_Q4_1 || f->id == HONE_FT_Q4_K)
                        bytes[b * f->bytes + 3] &= 0xbf;
                }
                if (!pass) {
                    assert_ok(hone_params_set_blocks(p, 0, r, f->id, bytes));
                    continue;
                }
                f->widen(bytes, want, K / f->block);
                assert_ok(hone_params_get_rows(p, 0, r, 1, got));
                assert_memory_equal(want, got, sizeof want);
            }
        assert_fails(hone_params_set_blocks(p, 0, 0, HONE_FT_Q6_K, bytes), HONE_E_UNSUPPORTED,
                     "does not keep q6_k");
        assert_fails(hone_params_set_blocks(p, 0, N, f->id, bytes), HONE_E_RANGE, "rows 70..71");
        assert_fails(hone_params_set_trainable(p, 0, 1), HONE_E_UNSUPPORTED, "cannot be trained");
        hone_params_destroy(p);
    }
    assert_int_equal(hone_quant_keeps(HONE_FT_Q6_K), 0);
    assert_int_equal(hone_quant_storage_for(HONE_Q4_K, 512), HONE_Q4_K);
    assert_int_equal(hone_quant_storage_for(HONE_Q4_K, 96), HONE_Q8_0); /* as files do: q5_0 */
    assert_int_equal(hone_quant_storage_for(HONE_Q4_0, 40), HONE_F16);
    assert_int_equal(hone_quant_storage_for(HONE_BF16, 40), HONE_BF16);
}

/* Values become the codes that a file of that type would hold. */
static void test_values_become_codes_of_files(void **state)
{
    enum { K = 512 };
    hone_param_spec spec = {
        .struct_size = sizeof spec, .name = "m", .role = "q", .rows = 3, .cols = K};
    unsigned char bytes[K / 32 * 34];
    float row[K], want[K], got[K];
    hone_params *p;
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        const hone_storage *s = hone_storage_get(quantised[t]);
        const hone_file_type *f = hone_file_type_named(s->name);
        assert_ok(hone_params_create(&p));
        assert_int_equal(hone_params_declare(p, &spec), 0);
        assert_ok(hone_params_set_storage(p, 0, s->dtype));
        assert_ok(hone_params_seal(p));
        for (int i = 0; i < K; i++)
            row[i] = centred(8, (uint64_t)i);
        f->narrow(row, bytes, K / f->block);
        f->widen(bytes, want, K / f->block);
        assert_ok(hone_params_set_rows(p, 0, 2, 1, row));
        assert_ok(hone_params_get_rows(p, 0, 2, 1, got));
        assert_memory_equal(want, got, sizeof want);
        row[77] = t % 2 ? NAN : -65505.0f;
        assert_fails(hone_params_set_rows(p, 0, 2, 1, row), HONE_E_RANGE, "(row 2)");
        hone_params_destroy(p);
        assert_ok(hone_params_create(&p));
        spec.cols = 48;
        assert_int_equal(hone_params_declare(p, &spec), 0);
        spec.cols = K;
        assert_fails(hone_params_set_storage(p, 0, s->dtype), HONE_E_UNSUPPORTED,
                     "cannot be stored as");
        hone_params_destroy(p);
    }
}

/* The sum of a matrix is that of its values in float32, also where a last panel has unused outputs. */
static void test_sums_are_of_values(void **state)
{
    enum { N = 45, K = 512 };
    static const uint32_t types[] = {HONE_BF16, HONE_F16,  HONE_Q8_0,
                                     HONE_Q4_0, HONE_Q4_1, HONE_Q4_K};
    hone_param_spec spec = {
        .struct_size = sizeof spec, .name = "m", .role = "q", .rows = N, .cols = K};
    const int used = hone_cpu_get()->used;
    static float rows[N * K], panel[K * HONE_PANEL], turned[K * HONE_PANEL];
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int set = 0; set <= hone_cpu_get()->best; set++) {
            hone_params *p, *f32;
            assert_ok(hone_cpu_use(set));
            for (int i = 0; i < N * K; i++)
                rows[i] = centred(t, (uint64_t)i);
            assert_ok(hone_params_create(&p));
            assert_int_equal(hone_params_declare(p, &spec), 0);
            assert_ok(hone_params_set_storage(p, 0, types[t]));
            assert_ok(hone_params_seal(p));
            assert_ok(hone_params_set_rows(p, 0, 0, N, rows));
            assert_ok(hone_params_get_rows(p, 0, 0, N, rows));
            assert_ok(hone_params_create(&f32));
            assert_int_equal(hone_params_declare(f32, &spec), 0);
            assert_ok(hone_params_seal(f32));
            assert_ok(hone_params_set_rows(f32, 0, 0, N, rows));
            assert_true(hone_params_checksum(p) == hone_params_checksum(f32));
            hone_storage_get(types[t])->widen(hone_params_item(p, 0)->data, K, panel);
            hone_panels_pack(rows, K, HONE_PANEL, K, turned);
            assert_memory_equal(panel, turned, sizeof panel);
            hone_params_destroy(p);
            hone_params_destroy(f32);
        }
    assert_ok(hone_cpu_use(used));
}

static void test_what_does_not_fit_is_named(void **state)
{
    hone_params *p;
    hone_param_spec spec = {
        .struct_size = sizeof spec, .name = "m", .role = "q", .rows = 40, .cols = 3};
    float rows[120], back[120];
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        assert_ok(hone_params_create(&p));
        assert_int_equal(hone_params_declare(p, &spec), 0);
        assert_ok(hone_params_set_storage(p, 0, narrow[t]));
        assert_ok(hone_params_seal(p));
        assert_fails(hone_params_set_storage(p, 0, HONE_F32), HONE_E_STATE, "values already");
        for (int i = 0; i < 120; i++)
            rows[i] = 1.0f + (float)i * 0x1p-9f;
        rows[100] = t ? 65519.0f : 3.3895314e38f; /* rounds down to the largest */
        rows[101] = INFINITY;
        assert_ok(hone_params_set_rows(p, 0, 0, 40, rows));
        assert_ok(hone_params_get_rows(p, 0, 0, 40, back));
        for (int i = 0; i < 120; i++)
            assert_true(same_bits(back[i], t ? hone_f16_to_f32(hone_f32_to_f16(rows[i]))
                                             : hone_bf16_to_f32(hone_f32_to_bf16(rows[i]))));
        rows[100] = t ? 65520.0f : 3.4e38f;
        assert_fails(hone_params_set_rows(p, 0, 0, 40, rows), HONE_E_RANGE,
                     t ? "m: f16 cannot hold 65520 (row 33)"
                       : "m: bf16 cannot hold 3.4e+38 (row 33)");
        assert_non_null(strstr(hone_error_get()->hint, t ? "bf16" : "f32"));
        assert_fails(hone_params_set_trainable(p, 0, 1), HONE_E_UNSUPPORTED, "cannot be trained");
        hone_params_destroy(p);
    }
}

/* ---- products ----------------------------------------------------------------------------------- */
static void check_product(const hone_exec *ex, uint32_t dtype, int64_t M, int64_t N, int64_t K)
{
    const hone_storage *s = hone_storage_get(dtype);
    const int64_t panels = hone_panels(N), bytes = hone_storage_panel_bytes(s, K), ld = N + K + 3;
    float *w = calloc((size_t)(panels * 32 * K), sizeof *w),
          *rows = malloc((size_t)(N * K) * sizeof *rows);
    char *h = calloc((size_t)panels, (size_t)bytes);
    float *x = malloc((size_t)(M * ld) * sizeof *x), *a = calloc((size_t)(M * ld), sizeof *a),
          *b = calloc((size_t)(M * ld), sizeof *b);
    for (int64_t i = 0; i < N * K; i++)
        rows[i] = centred(3, (uint64_t)i);
    for (int64_t i = 0; i < M * ld; i++)
        x[i] = centred(4, (uint64_t)i);
    for (int64_t q = 0; q < panels; q++) {
        const int64_t n = N - q * 32 < 32 ? N - q * 32 : 32;
        if (s->pack)
            assert_int_equal(s->pack(rows + q * 32 * K, 0, n, K, h + q * bytes), -1);
        for (int64_t r = 0; s->put && r < n; r++)
            assert_int_equal(hone_quant_put_values(s, rows + (q * 32 + r) * K, K, r, h + q * bytes),
                             -1);
        s->unpack(h + q * bytes, 0, n, K, rows + q * 32 * K);
    }
    hone_panels_pack(rows, K, N, K, w);
    for (int add = 0; add < 2; add++) {
        hone_gemm g = {
            .M = M, .N = N, .K = K, .x = x, .ldx = ld, .ldy = ld, .add = add, .alpha = 1.0f};
        g.alpha = add ? 0.75f : 1.0f;
        g.bias = add ? x : NULL;
        g.w = w;
        g.wtype = HONE_F32;
        g.y = a;
        hone_gemm_fwd(ex, &g);
        g.w = h;
        g.wtype = dtype;
        g.y = b;
        hone_gemm_fwd(ex, &g);
        assert_memory_equal(a, b, (size_t)(M * ld) * sizeof *a);
        g.y = x;
        hone_gemm_dx(ex, &g, b, ld);
        g.w = w;
        g.wtype = HONE_F32;
        hone_gemm_dx(ex, &g, a, ld);
        assert_memory_equal(a, b, (size_t)(M * ld) * sizeof *a);
    }
    free(w);
    free(rows);
    free(h);
    free(x);
    free(a);
    free(b);
}

static void test_products_have_the_bits_of_float32(void **state)
{
    static const int64_t sizes[][3] = {
        {1, 1, 1},    {1, 129, 17},  {2, 17, 3},    {3, 300, 129},  {4, 33, 5},
        {5, 64, 64},  {6, 257, 31},  {7, 96, 600},  {8, 40, 9},     {9, 70, 33},
        {10, 32, 65}, {11, 129, 3},  {12, 65, 40},  {13, 48, 100},  {14, 161, 7},
        {15, 3, 129}, {43, 130, 65}, {129, 17, 33}, {300, 40, 700}, {1, 900, 1200}};
    const int used = hone_cpu_get()->used;
    hone_pool *const pools[] = {pool1, pool3};
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_ok(hone_pool_reserve(pools[i], HONE_GEMM_SCRATCH, 4096));
    for (int set = 0; set <= hone_cpu_get()->best; set++) {
        assert_ok(hone_cpu_use(set));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int t = 0; t < 4; t++)
                check_product(hone_pool_exec(pools[t / 2]), narrow[t % 2], sizes[i][0], sizes[i][1],
                              sizes[i][2]);
        for (int64_t M = 1; M <= 43;
             M += M < 7 ? 1 : 12) /* few rows, many rows; chains in pieces */
            for (int t = 0; t < 8; t++)
                check_product(hone_pool_exec(pools[t / 4]), quantised[t % 4], M,
                              M < 4 ? 16 + 65 * M : 50, M % 2 ? 256 : 1280);
        for (int t = 0; t < 3; t++)
            check_product(hone_pool_exec(pool3), quantised[t], 3, 40, 96);
        check_product(hone_pool_exec(pool3), HONE_Q4_K, 4, 33, 41 * 1024);
    }
    assert_ok(hone_cpu_use(used));
}

/* ---- sums of integers --------------------------------------------------------------------------- */
/* y as kern/quant_int.h says it is, from codes and scales told apart by the storage's own values: for each block the values of
 * 32 inputs are (scale, code) of a block that was put. */
static float integer_product(const hone_quant_block *blocks, const hone_storage *s, int64_t K,
                             const float *x)
{
    float acc = 0.0f;
    for (int64_t b = 0; b < K / 32; b++) {
        const hone_quant_block *w = &blocks[b * 32 / s->block];
        const int64_t part = b * 32 % s->block / 32;
        const int8_t *code = w->q + part * 32;
        float a = 0.0f, d = hone_f16_to_f32(w->d), m = 0.0f;
        int32_t sum = 0, all = 0;
        if (s->dtype == HONE_Q4_1)
            m = hone_f16_to_f32(w->m);
        if (s->dtype == HONE_Q4_K) {
            d = d * (float)w->scale[part];
            m = -(hone_f16_to_f32(w->m) * (float)w->min[part]);
        }
        for (int i = 0; i < 32; i++)
            a = fmaxf(a, fabsf(x[b * 32 + i]));
        const float dx = a / 127.0f;
        for (int i = 0; i < 32; i++) {
            const int32_t q = a > 0.0f ? (int32_t)lrintf(x[b * 32 + i] * (127.0f / a)) : 0;
            sum += q * (code[i] - (s->dtype == HONE_Q4_0 ? 8 : 0));
            all += q;
        }
        acc = fmaf((float)sum, dx * d, acc);
        if (s->dtype == HONE_Q4_1 || s->dtype == HONE_Q4_K)
            acc = fmaf(m, dx * (float)all, acc);
    }
    return acc;
}

enum { INT_M = 7, INT_N = 50, INT_K = 512 };

static void random_blocks(const hone_storage *s, uint64_t row, hone_quant_block *out)
{
    hone_rng_key key = {4, HONE_RNG_INIT, s->dtype, row, 0};
    for (int64_t b = 0; b < INT_K / s->block; b++) {
        uint64_t at = (uint64_t)b * 1000;
        out[b].d = hone_f32_to_f16((float)hone_rng_uniform(&key, at) - 0.5f);
        out[b].m = hone_f32_to_f16((float)hone_rng_uniform(&key, at + 1));
        for (uint64_t j = 0; j < 8; j++) {
            out[b].scale[j] = (uint8_t)hone_rng_below(&key, at + 2 + j, 64);
            out[b].min[j] = (uint8_t)hone_rng_below(&key, at + 10 + j, 64);
        }
        for (uint64_t i = 0; i < (uint64_t)s->block; i++) /* every code, -128 too */
            out[b].q[i] = s->dtype == HONE_Q8_0
                              ? (int8_t)((int64_t)hone_rng_below(&key, at + 20 + i, 256) - 128)
                              : (int8_t)hone_rng_below(&key, at + 20 + i, 16);
    }
}

/* All sets, with and without the instruction for sums of bytes, all heights of tiles, the ends of the chain, rows of zeros and of
 * what is no number. */
static void test_integer_products_are_their_definition(void **state)
{
    static hone_quant_block blocks[INT_N][INT_K / 32];
    static float x[INT_M * INT_K], y[INT_M * INT_N], want[INT_M * INT_N], bias[INT_N];
    const int used = hone_cpu_get()->used;
    hone_cpu *cpu = (hone_cpu *)(uintptr_t)hone_cpu_get();
    uint8_t *const flag = cpu->neon ? &cpu->dotprod : &cpu->avx512_vnni, vnni = *flag;
    (void)state;
    assert_ok(hone_pool_reserve(pool3, HONE_GEMM_SCRATCH, 4096));
    for (size_t t = 0; t < 4; t++) {
        const hone_storage *s = hone_storage_get(quantised[t]);
        const int64_t bytes = hone_storage_panel_bytes(s, INT_K);
        char *w = calloc((size_t)hone_panels(INT_N), (size_t)bytes);
        for (int64_t n = 0; n < INT_N; n++) {
            random_blocks(s, (uint64_t)n, blocks[n]);
            for (int64_t b = 0; b < INT_K / s->block; b++)
                s->put(&blocks[n][b], b, n % 32, w + n / 32 * bytes);
            bias[n] = centred(6, (uint64_t)n);
        }
        for (int64_t i = 0; i < INT_M * INT_K; i++)
            x[i] = i % INT_K < 32 * (i / INT_K) ? 0.0f
                                                : centred(5, (uint64_t)i) * (float)(1 + i % 9);
        x[3 * INT_K + 200] = 1e-33f; /* alone in a block of zeros further below: counts as zero */
        x[5 * INT_K + 77] = t % 2 ? NAN : -INFINITY;
        for (int64_t m = 0; m < INT_M; m++)
            for (int64_t n = 0; n < INT_N; n++)
                want[m * INT_N + n] = m == 5 ? NAN
                                             : integer_product(blocks[n], s, INT_K, x + m * INT_K);
        for (int set = 0; set <= hone_cpu_get()->best; set++)
            for (int with = 0; with <= vnni; with++)
                for (int64_t M = 1; M <= INT_M; M++)
                    for (int add = 0; add < 2; add++) {
                        assert_ok(hone_cpu_use(set));
                        *flag = (uint8_t)with;
                        for (int64_t i = 0; i < INT_M * INT_N; i++)
                            y[i] = 2.5f;
                        hone_gemm g = {.M = M,
                                       .N = INT_N,
                                       .K = INT_K,
                                       .x = x,
                                       .ldx = INT_K,
                                       .w = w,
                                       .wtype = s->dtype | HONE_VIEW_INTEGER,
                                       .add = add,
                                       .alpha = add ? 0.5f : 1.0f,
                                       .bias = add ? bias : NULL,
                                       .y = y,
                                       .ldy = INT_N};
                        hone_gemm_fwd(hone_pool_exec(M % 2 ? pool1 : pool3), &g);
                        for (int64_t i = 0; i < INT_M * INT_N; i++) {
                            float v = i >= M * INT_N ? 2.5f
                                      : add          ? fmaf(0.5f, want[i], 2.5f) + bias[i % INT_N]
                                                     : want[i];
                            assert_true(isnan(v) ? isnan(y[i]) != 0 : same_bits(v, y[i]));
                        }
                    }
        free(w);
    }
    *flag = vnni;
    assert_ok(hone_cpu_use(used));
}

/* Rows of whole blocks of every type. */
#define WIDE                                                                                       \
    "{\"model_type\":\"qwen2\",\"hidden_size\":256,\"intermediate_size\":512,"                     \
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"                 \
    "\"vocab_size\":65,\"tie_word_embeddings\":true,\"rms_norm_eps\":1e-6}"

/* ---- models ------------------------------------------------------------------------------------- */
/* The same model twice: values rounded to `dtype`, stored in it and in float32. */
static void twins(const char *json, uint32_t dtype, test_model *wide, test_model *small)
{
    hone_value v;
    *wide = random_model(json);
    memset(small, 0, sizeof *small);
    hone_arena_init(&small->arena, 0);
    assert_ok(hone_json_parse(json, strlen(json), "test", &small->arena, &v));
    assert_ok(hone_model_choose(registry, "hf", &v, "test", HONE_MODEL_DECLARED, &small->inst,
                                &small->m));
    assert_ok(hone_model_place(small->m, dtype, NULL));
    for (hone_param i = 0; i < hone_params_count(wide->m->params); i++) {
        const hone_param_item *it = hone_params_item(wide->m->params, i);
        float *rows = malloc((size_t)(it->rows * it->cols) * sizeof *rows);
        assert_int_equal(hone_params_item(small->m->params, i)->dtype,
                         it->is_vector ? HONE_F32 : hone_quant_storage_for(dtype, it->cols));
        assert_ok(hone_params_get_rows(wide->m->params, i, 0, it->rows, rows));
        assert_ok(hone_params_set_rows(small->m->params, i, 0, it->rows, rows));
        assert_ok(hone_params_get_rows(small->m->params, i, 0, it->rows, rows));
        assert_ok(hone_params_set_rows(wide->m->params, i, 0, it->rows, rows));
        free(rows);
    }
}

enum { LENGTH = 75, CUT = 41 };

/* Log-probs of one text: SCORE; prefilled in one piece and decoded token by token. */
static void text_logprobs(hone_model *m, float *score, float *decode)
{
    struct steps s = {m, NULL, NULL};
    int32_t ids[LENGTH];
    hone_forest f;
    random_ids(m, 31, LENGTH, ids);
    hone_forest_init(&f);
    assert_int_equal(hone_forest_segment(&f, -1, ids, LENGTH), 0);
    assert_true(hone_forest_targets(&f, 0, 1, LENGTH - 1) >= 0);
    model_logprobs(m, tape, HONE_MODE_SCORE, hone_forest_build(&f), NULL, score);
    hone_forest_release(&f);
    assert_ok(hone_state_create(&m->info, 0, &s.st));
    hone_seq q = hone_seq_create(s.st);
    float got[LENGTH + 1];
    feed(&s, q, ids, 0, CUT, LENGTH, got);
    for (int at = CUT; at < LENGTH; at++)
        feed(&s, q, ids, at, at + 1, LENGTH, got);
    memcpy(decode, got + 1, (LENGTH - 1) * sizeof *decode);
    hone_state_destroy(s.st);
}

/* Gradients of an adapter from a text in two micro-batches, and its log-probs in TRAIN. */
static float *adapter_grads(hone_model *m, float *train, size_t *n)
{
    hone_adapter_spec spec = {.name = "a", .rank = 3, .alpha = 6.0f, .seed = 11};
    hone_params *p = m->params;
    int32_t ids[LENGTH];
    float w[2 * LENGTH], *g;
    hone_forest f;
    assert_true(hone_params_add_adapter(p, &spec) >= 0);
    hone_params_freeze_base(p);
    for (hone_param i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        float row[512];
        for (int64_t r = 0; it->adapter >= 0 && r < it->rows; r++) {
            for (int64_t c = 0; c < it->cols; c++)
                row[c] = 0.3f * centred((uint64_t)i + 3000, (uint64_t)(r * it->cols + c));
            assert_ok(hone_params_set_rows(p, i, r, 1, row));
        }
    }
    assert_ok(hone_params_need_grads(p, n));
    hone_params_zero_grads(p);
    for (uint64_t part = 0; part < 2; part++) {
        random_ids(m, 32 + part, LENGTH, ids);
        hone_forest_init(&f);
        assert_int_equal(hone_forest_segment(&f, -1, ids, LENGTH), 0);
        assert_true(hone_forest_targets(&f, 0, 1, LENGTH - 1) >= 0);
        for (int i = 0; i < LENGTH - 1; i++)
            w[i] = centred(77, (uint64_t)i);
        model_grads(m, tape, hone_forest_build(&f), NULL, w, train + part * LENGTH);
        hone_forest_release(&f);
    }
    assert_ok(hone_tape_finish_grads(tape));
    g = malloc(*n * sizeof *g);
    memcpy(g, hone_params_grads(p), *n * sizeof *g);
    return g;
}

static void check_twins(const char *json, uint32_t dtype)
{
    test_model wide, small;
    float a[2 * LENGTH] = {0}, b[2 * LENGTH] = {0}, da[LENGTH], db[LENGTH], *ga, *gb;
    hone_params_sizes sw, ss;
    size_t n, nb;
    const int used = hone_cpu_get()->used;
    twins(json, dtype, &wide, &small);
    assert_true(hone_params_checksum(wide.m->params) == hone_params_checksum(small.m->params));
    hone_params_get_sizes(wide.m->params, &sw);
    hone_params_get_sizes(small.m->params, &ss);
    assert_int_equal(sw.n_params, ss.n_params);
    if (!hone_storage_get(dtype)->put)
        assert_int_equal(hone_params_storage(small.m->params), dtype);
    assert_int_equal(hone_params_storage(wide.m->params), HONE_F32);
    for (int set = 0; set <= hone_cpu_get()->best; set++) {
        assert_ok(hone_cpu_use(set));
        text_logprobs(wide.m, a, da);
        text_logprobs(small.m, b, db);
        assert_bits(a, b, LENGTH - 1);
        assert_bits(da, db, LENGTH - 1);
        assert_bits(a, db, LENGTH - 1);
    }
    assert_ok(hone_cpu_use(used));
    ga = adapter_grads(wide.m, a, &n);
    gb = adapter_grads(small.m, b, &nb);
    assert_int_equal(n, nb);
    assert_bits(a, b, 2 * LENGTH);
    assert_bits(ga, gb, n);
    assert_true(hone_params_checksum(wide.m->params) == hone_params_checksum(small.m->params));
    for (hone_param i = 0; i < hone_params_count(wide.m->params);
         i++) { /* merged: rounded once, in f32 */
        const hone_param_item *it = hone_params_item(wide.m->params, i);
        size_t values = (size_t)(it->rows * it->cols);
        float *x = malloc(values * sizeof *x), *y = malloc(values * sizeof *y);
        uint32_t mask = HONE_ADAPTERS_ACTIVE;
        assert_ok(hone_params_get_merged_rows(wide.m->params, i, mask, 0, it->rows, x));
        assert_ok(hone_params_get_merged_rows(small.m->params, i, mask, 0, it->rows, y));
        assert_bits(x, y, values);
        free(x);
        free(y);
    }
    free(ga);
    free(gb);
    model_close(&wide);
    model_close(&small);
}

static void test_models_compute_the_bits_of_float32(void **state)
{
    (void)state;
    for (int j = 0; j < SHAPES; j++)
        for (size_t t = 0; t < 2; t++)
            check_twins(shapes[j], narrow[t]);
    for (size_t t = 0; t < 4; t++)
        check_twins(WIDE, quantised[t]);
    check_twins(TIED, HONE_Q4_0);
}

/* A model whose products sum integers: every mode but TRAIN says the same, in every set; TRAIN does not change. */
static void test_models_sum_integers(void **state)
{
    const int used = hone_cpu_get()->used;
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        test_model wide, small;
        float first[LENGTH], exact[LENGTH], a[LENGTH], d[LENGTH],
            train[2 * LENGTH] = {0}, plain[2 * LENGTH] = {0}, *ga, *gb;
        size_t n, nb;
        twins(WIDE, quantised[t], &wide, &small);
        assert_fails(hone_model_set_precision(wide.m, "int8", 0), HONE_E_USAGE,
                     "need quantised weights");
        assert_fails(hone_model_set_precision(small.m, "int4", 0), HONE_E_USAGE, "\"int4\"");
        text_logprobs(wide.m, exact, d);
        assert_ok(hone_model_set_precision(small.m, "int8", 0));
        for (int set = 0; set <= hone_cpu_get()->best; set++) {
            assert_ok(hone_cpu_use(set));
            text_logprobs(small.m, a, d);
            assert_bits(a, d, LENGTH - 1);
            if (!set)
                memcpy(first, a, sizeof first);
            assert_bits(first, a, LENGTH - 1);
        }
        assert_ok(hone_cpu_use(used));
        assert_memory_not_equal(first, exact, sizeof *first * (LENGTH - 1));
        float off = 0.0f;
        for (int i = 0; i < LENGTH - 1; i++)
            off += fabsf(first[i] - exact[i]) / (float)(LENGTH - 1);
        assert_true(off < 0.2f); /* log-probs of -8, weights and activations of few bits */
        assert_ok(hone_model_set_precision(small.m, "int8", 1)); /* trained: SCORE is exact */
        text_logprobs(small.m, a, d);
        assert_bits(a, exact, LENGTH - 1);
        assert_memory_not_equal(d, exact, sizeof *d * (LENGTH - 1));
        ga = adapter_grads(wide.m, plain, &n);
        gb = adapter_grads(small.m, train, &nb);
        assert_int_equal(n, nb);
        assert_bits(plain, train, 2 * LENGTH);
        assert_bits(ga, gb, n);
        free(ga);
        free(gb);
        model_close(&wide);
        model_close(&small);
    }
}

static void test_a_copy_stores_what_its_model_stores(void **state)
{
    test_model wide, small;
    hone_model *copy;
    float a[LENGTH], b[LENGTH], d[LENGTH];
    (void)state;
    twins(UNTIED, HONE_BF16, &wide, &small);
    assert_ok(hone_model_copy(small.m, &copy));
    assert_int_equal(hone_params_storage(copy->params), HONE_BF16);
    text_logprobs(small.m, a, d);
    text_logprobs(copy, b, d);
    assert_bits(a, b, LENGTH - 1);
    assert_ok(hone_params_lerp(copy->params, small.m->params, 0.5f)); /* the same base: it stays */
    assert_true(hone_params_checksum(copy->params) == hone_params_checksum(small.m->params));
    float row[48] = {1.0f};
    assert_ok(hone_params_set_rows(copy->params, small.m->info.embed, 3, 1, row));
    assert_fails(hone_params_lerp(copy->params, small.m->params, 0.5f), HONE_E_UNSUPPORTED,
                 "differs in the two stores");
    assert_fails(hone_params_lerp(wide.m->params, small.m->params, 0.5f), HONE_E_UNSUPPORTED,
                 "stored as bf16");
    hone_model_destroy(copy);
    model_close(&wide);
    model_close(&small);
}

/* ---- files -------------------------------------------------------------------------------------- */
static test_model open_as(const char *path, uint32_t storage)
{
    test_model t;
    hone_tensor_reader r;
    hone_weights *w;
    memset(&t, 0, sizeof t);
    hone_arena_init(&t.arena, 0);
    assert_ok(hone_weights_open(path, 0, &w));
    assert_ok(hone_model_choose(registry, hone_weights_format(w), hone_weights_config(w), path,
                                HONE_MODEL_DECLARED, &t.inst, &t.m));
    hone_weights_reader(w, &r);
    assert_ok(hone_model_place(t.m, storage, &r));
    assert_ok(hone_model_load(t.m, &r, hone_pool_exec(pool)));
    hone_weights_close(w);
    return t;
}

static void check_file(const char *path, uint32_t dtype)
{
    const char *dir = scratch_path(dtype == HONE_BF16 ? "bf16" : "f16");
    const char *again = scratch_path(dtype == HONE_BF16 ? "bf16-again" : "f16-again");
    float a[LENGTH], b[LENGTH], da[LENGTH], db[LENGTH];
    test_model f32 = open_as(path, HONE_F32);
    assert_ok(hone_hf_save(f32.m, NULL, dir, dtype, 0));
    model_close(&f32);
    f32 = open_as(dir, HONE_F32);
    test_model kept = open_as(dir, HONE_STORAGE_KEEP), rounded = open_as(path, dtype);
    assert_int_equal(hone_params_storage(kept.m->params), dtype);
    assert_true(hone_params_checksum(kept.m->params) == hone_params_checksum(f32.m->params));
    text_logprobs(f32.m, a, da);
    text_logprobs(kept.m, b, db);
    assert_bits(a, b, LENGTH - 1);
    assert_bits(da, db, LENGTH - 1);
    /* vectors of the original are not rounded: compare matrices */
    for (hone_param i = 0; i < hone_params_count(kept.m->params); i++) {
        const hone_param_item *it = hone_params_item(kept.m->params, i);
        const hone_view v = hone_params_view(kept.m->params, i);
        if (!it->is_vector)
            assert_memory_equal(it->data, hone_params_item(rounded.m->params, i)->data,
                                hone_storage_bytes(&v));
    }
    /* as it is stored, and back */
    assert_ok(hone_hf_save(kept.m, NULL, again, HONE_STORAGE_KEEP, 0));
    test_model back = open_as(again, HONE_STORAGE_KEEP);
    assert_int_equal(hone_params_storage(back.m->params), dtype);
    assert_true(hone_params_checksum(back.m->params) == hone_params_checksum(kept.m->params));
    model_close(&f32);
    model_close(&kept);
    model_close(&rounded);
    model_close(&back);
}

static void test_files_keep_their_types(void **state)
{
    (void)state;
    for (size_t t = 0; t < 2; t++)
        check_file(source_path("assets/tiny"), narrow[t]);
    test_model t = open_as(source_path("assets/tiny"), HONE_STORAGE_KEEP);
    model_close(&t);
}

static void test_files_of_the_material_keep_their_types(void **state)
{
    static const char *const names[] = {"gemma3",  "llama", "llama3-rope",
                                        "mistral", "qwen2", "qwen3"};
    char name[96];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "assets/models/tiny-random/%s", names[i]);
        const char *path = shared_path(name);
        if (!path)
            skip_without("assets/models/tiny-random");
        check_file(path, narrow[i % 2]);
    }
}

static void test_storage_is_named(void **state)
{
    uint32_t s = 0;
    (void)state;
    assert_ok(hone_storage_parse(NULL, &s));
    assert_int_equal(s, HONE_F32);
    assert_ok(hone_storage_parse("f16", &s));
    assert_int_equal(s, HONE_F16);
    assert_ok(hone_storage_parse("keep", &s));
    assert_true(s == HONE_STORAGE_KEEP);
    assert_ok(hone_storage_parse("q4_k", &s));
    assert_int_equal(s, HONE_Q4_K);
    assert_fails(hone_storage_parse("q4", &s), HONE_E_USAGE, "not stored as \"q4\"");
}

static hone_status whole_life(void)
{
    hone_param_spec spec = {
        .struct_size = sizeof spec, .name = "m", .role = "q", .rows = 40, .cols = 3};
    float rows[120] = {0};
    hone_params *p, *c = NULL;
    HONE_TRY(hone_params_create(&p));
    hone_status s = hone_params_declare(p, &spec);
    if (s >= 0)
        s = hone_params_set_storage(p, 0, HONE_BF16);
    if (s >= 0)
        s = hone_params_seal(p);
    if (s >= 0)
        s = hone_params_init_values(p, 1);
    if (s >= 0)
        s = hone_params_set_rows(p, 0, 0, 40, rows);
    if (s >= 0)
        s = hone_params_copy(p, &c);
    hone_params_destroy(c);
    hone_params_destroy(p);
    return s;
}

static void test_no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_survives_no_memory(whole_life());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value_survives_its_panel),
        cmocka_unit_test(test_kernels_widen_every_value_exactly),
        cmocka_unit_test(test_codes_of_files_are_kept),
        cmocka_unit_test(test_values_become_codes_of_files),
        cmocka_unit_test(test_sums_are_of_values),
        cmocka_unit_test(test_what_does_not_fit_is_named),
        cmocka_unit_test(test_products_have_the_bits_of_float32),
        cmocka_unit_test(test_integer_products_are_their_definition),
        cmocka_unit_test(test_models_compute_the_bits_of_float32),
        cmocka_unit_test(test_models_sum_integers),
        cmocka_unit_test(test_a_copy_stores_what_its_model_stores),
        cmocka_unit_test(test_files_keep_their_types),
        cmocka_unit_test(test_files_of_the_material_keep_their_types),
        cmocka_unit_test(test_storage_is_named),
        cmocka_unit_test(test_no_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
