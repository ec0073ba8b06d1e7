/* test_adapters - kinds of adapters in the parameter store: scales, norms of DoRA against double, exactness of a new
 * adapter, what is refused. Gradients and bits of whole models with adapters are in test_model. */
#include "nn/params.h"
#include "ops/cpu.h"
#include "ops/storage.h"
#include "support.h"
#include "tensor/pool.h"

#include <math.h>

enum { ROWS = 70, COLS = 45, RANK = 5 };

static hone_pool *pool;

static int setup(void **state)
{
    (void)state;
    return hone_pool_create(2, &pool);
}

static int teardown(void **state)
{
    (void)state;
    hone_pool_destroy(pool);
    return 0;
}

static float number(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((int64_t)(*seed >> 33) - (1 << 30)) * 0x1p-30f;
}

static void fill(hone_params *p, hone_param i, uint64_t seed)
{
    const hone_param_item *it = hone_params_item(p, i);
    float row[256];
    for (int64_t r = 0; r < it->rows; r++) {
        for (int64_t c = 0; c < it->cols; c++)
            row[c] = number(&seed);
        assert_ok(hone_params_set_rows(p, i, r, 1, row));
    }
}

/* Two matrices "layers.0.q_proj.weight", "layers.0.v_proj.weight" and a table. */
static hone_params *store(uint32_t type)
{
    hone_params *p;
    hone_param_spec s = {.struct_size = sizeof s, .rows = ROWS, .cols = COLS};
    assert_ok(hone_params_create(&p));
    s.name = "layers.0.q_proj.weight";
    s.role = "q";
    assert_int_equal(hone_params_declare(p, &s), 0);
    s.name = "layers.0.v_proj.weight";
    s.role = "v";
    s.cols = 64;
    assert_int_equal(hone_params_declare(p, &s), 1);
    s.name = "embed.weight";
    s.role = "embed";
    s.flags = HONE_PARAM_EMBEDDING;
    assert_int_equal(hone_params_declare(p, &s), 2);
    if (type)
        assert_ok(hone_params_set_storage(p, 1, type));
    assert_ok(hone_params_seal(p));
    fill(p, 0, 1);
    fill(p, 1, 2);
    return p;
}

static const hone_adapter_spec dora = {
    .name = "d", .rank = RANK, .alpha = 2 * RANK, .kind = HONE_LORA_DORA, .seed = 7};

static void test_rank_stabilised_scale_is_alpha_over_the_root_of_the_rank(void **state)
{
    (void)state;
    hone_params *p = store(0);
    hone_adapter_spec spec = {.rank = 16, .alpha = 8, .kind = HONE_LORA_RANK_STABLE};
    hone_adapter_info info;
    hone_lora l;
    assert_int_equal(hone_params_add_adapter(p, &spec), 0);
    assert_int_equal(hone_params_loras(p, 0, 1, &l, 1), 1);
    assert_true(l.scale == 2.0f);
    assert_ok(hone_params_adapter_info(p, 0, &info));
    assert_true(info.scale == 2.0f && info.kind == HONE_LORA_RANK_STABLE && info.n_targets == 2);
    hone_params_destroy(p);
}

static void test_targets_may_be_names_of_modules(void **state)
{
    (void)state;
    hone_params *p = store(0);
    const char *const module[] = {"q_proj", NULL}, *const part[] = {"proj", NULL},
                      *const role[] = {"v", NULL};
    hone_adapter_spec spec = {.rank = 2, .alpha = 4, .roles = module};
    hone_lora l;
    assert_int_equal(hone_params_add_adapter(p, &spec), 0);
    assert_int_equal(hone_params_loras(p, 0, 1, &l, 1), 1);
    assert_int_equal(hone_params_loras(p, 1, 1, &l, 1), 0);
    spec.name = "b";
    spec.roles = part;
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_NOT_FOUND, "\"proj\"");
    spec.roles = role;
    assert_int_equal(hone_params_add_adapter(p, &spec), 1);
    assert_int_equal(hone_params_loras(p, 1, 2, &l, 1), 1);
    hone_params_destroy(p);
}

static void test_exact_targets_have_ranks_of_their_own(void **state)
{
    (void)state;
    hone_params *p = store(0);
    hone_adapter_target t[] = {{1, 3, 6}, {0, 8, 4}};
    hone_adapter_spec spec = {
        .rank = 8, .alpha = 4, .targets = t, .n_targets = 2, .b_lr_scale = 16};
    hone_adapter_info info;
    hone_adapter_pair pair;
    hone_lora l;
    assert_int_equal(hone_params_add_adapter(p, &spec), 0);
    assert_int_equal(hone_params_loras(p, 1, 1, &l, 1), 1);
    assert_true(l.scale == 2.0f && hone_params_item(p, l.a)->rows == 3);
    assert_int_equal(hone_params_loras(p, 0, 1, &l, 1), 1);
    assert_true(l.scale == 0.5f && hone_params_item(p, l.b)->cols == 8);
    assert_true(hone_params_item(p, l.a)->lr_scale == 1.0f); /* LoRA+: B alone */
    assert_true(hone_params_item(p, l.b)->lr_scale == 16.0f);
    assert_ok(hone_params_adapter_info(p, 0, &info));
    assert_string_equal(info.roles, "q v");
    assert_ok(hone_params_adapter_pair(p, 0, 0, &pair));
    assert_int_equal(pair.target, 0);
    assert_fails(hone_params_adapter_pair(p, 0, 2, &pair), HONE_E_RANGE, "pair 2");
    assert_fails(hone_params_adapter_pair(p, 1, 0, &pair), HONE_E_NOT_FOUND, "1");
    spec.name = "b";
    t[1].param = 1;
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_EXISTS, "twice");
    t[1].param = 2;
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_NOT_FOUND, "no matrix");
    t[1].param = 3; /* of an adapter */
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_NOT_FOUND, "no matrix");
    t[1] = (hone_adapter_target){0, 0, 1};
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_RANGE, "rank 0");
    spec.n_targets = 0;
    spec.alpha = NAN;
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_RANGE, "alpha");
    hone_params_destroy(p);
}

/* Row n of W and the adapter's products, in double. */
static void row_of(const hone_params *p, hone_param w, int64_t n, double *v)
{
    hone_lora l[2];
    float row[256], b[64], a[256];
    const int64_t cols = hone_params_item(p, w)->cols;
    const uint32_t parts = hone_params_loras(p, w, 1, l, 2);
    assert_true(parts >= 1);
    assert_ok(hone_params_get_rows(p, w, n, 1, row));
    for (int64_t c = 0; c < cols; c++)
        v[c] = (double)row[c];
    for (uint32_t k = 0; k < parts; k++) {
        assert_ok(hone_params_get_rows(p, l[k].b, n, 1, b));
        for (int64_t j = 0; j < hone_params_item(p, l[k].a)->rows; j++) {
            assert_ok(hone_params_get_rows(p, l[k].a, j, 1, a));
            for (int64_t c = 0; c < cols; c++)
                v[c] += (double)l[k].scale * (double)b[j] * (double)a[c];
        }
    }
}

static double norm_of(const hone_params *p, hone_param w, int64_t n)
{
    double v[256], sum = 0;
    row_of(p, w, n, v);
    for (int64_t c = 0; c < hone_params_item(p, w)->cols; c++)
        sum += v[c] * v[c];
    return sqrt(sum);
}

static void check_norms(hone_params *p)
{
    for (hone_param w = 0; w < 2; w++) {
        const float *norm = NULL;
        hone_param m = -1;
        assert_int_equal(hone_params_magnitude(p, w, 1, &m, &norm), 1);
        for (int64_t n = 0; n < ROWS; n++) {
            const double want = norm_of(p, w, n);
            assert_true(fabs((double)norm[n] - want) < 2e-6 * want);
        }
    }
}

static void norms_follow_values(uint32_t type)
{
    hone_params *p = store(type);
    const hone_exec *ex = hone_pool_exec(pool);
    const float *norm;
    hone_param m;
    hone_lora l;
    assert_int_equal(hone_params_add_adapter(p, &dora), 0);
    hone_params_freeze_base(p);
    assert_ok(hone_params_refresh(p, 1, ex));
    for (hone_param w = 0; w < 2; w++) { /* B is 0: not a bit is changed */
        assert_int_equal(hone_params_magnitude(p, w, 1, &m, &norm), 1);
        assert_memory_equal(norm, hone_params_item(p, m)->data, ROWS * sizeof *norm);
        float want[64], got[64];
        assert_ok(hone_params_get_rows(p, w, 33, 1, want));
        assert_ok(hone_params_get_merged_rows(p, w, 1, 33, 1, got));
        for (int64_t c = 0; c < hone_params_item(p, w)->cols; c++)
            assert_true(got[c] == want[c]); /* but -0, which becomes 0 */
        hone_params_loras(p, w, 1, &l, 1);
        fill(p, l.b, 9);
    }
    assert_ok(hone_params_refresh(p, 1, ex));
    check_norms(p);
    size_t blocks, again;
    hone_alloc_stats(&blocks, NULL);
    assert_ok(hone_params_refresh(p, 1, ex)); /* nothing has changed */
    hone_alloc_stats(&again, NULL);
    assert_int_equal(blocks, again);
    size_t n = hone_params_flat_length(p);
    float *flat = malloc(n * sizeof *flat);
    hone_params_get_flat(p, 0, n, flat);
    for (size_t i = 0; i < n; i++)
        flat[i] *= 0.5f;
    hone_params_set_flat(p, 0, n, flat);
    free(flat);
    assert_ok(hone_params_refresh(p, 1, ex));
    check_norms(p);
    hone_params_loras(p, 1, 1, &l, 1);
    ((float *)hone_params_item(p, l.b)->data)[0] += 3;
    hone_params_changed(p); /* an optimizer wrote them in place */
    assert_ok(hone_params_refresh(p, 1, ex));
    check_norms(p);
    if (!type) {
        fill(p, 0, 77); /* another base */
        assert_ok(hone_params_refresh(p, 1, ex));
        check_norms(p);
    }
    hone_params *c;
    assert_ok(hone_params_copy(p, &c));
    assert_ok(hone_params_refresh(c, 1, ex));
    check_norms(c);
    assert_true(hone_params_checksum(c) == hone_params_checksum(p));
    hone_params_destroy(c);
    hone_params_destroy(p);
}

static void test_norms_follow_values(void **state)
{
    (void)state;
    norms_follow_values(0);
    norms_follow_values(HONE_BF16);
    norms_follow_values(HONE_Q8_0);
    norms_follow_values(HONE_Q4_0);
}

static void test_a_row_of_zeros_has_no_norm_and_gives_zeros(void **state)
{
    (void)state;
    hone_params *p = store(0);
    const float zero[COLS] = {0}, *norm;
    float row[COLS];
    hone_param m;
    assert_ok(hone_params_set_rows(p, 0, 3, 1, zero));
    assert_int_equal(hone_params_add_adapter(p, &dora), 0);
    assert_ok(hone_params_refresh(p, 1, hone_pool_exec(pool)));
    assert_int_equal(hone_params_magnitude(p, 0, 1, &m, &norm), 1);
    assert_true(norm[3] == 0.0f);
    assert_ok(hone_params_get_merged_rows(p, 0, 1, 3, 1, row));
    for (int c = 0; c < COLS; c++)
        assert_true(row[c] == 0.0f);
    hone_params_destroy(p);
}

static void test_magnitudes_stand_alone_on_a_matrix(void **state)
{
    (void)state;
    hone_params *p = store(0);
    hone_adapter_spec spec = {.name = "l", .rank = 2, .alpha = 4};
    const float *norm;
    hone_param m;
    assert_int_equal(hone_params_add_adapter(p, &dora), 0);
    assert_int_equal(hone_params_add_adapter(p, &spec), 1);
    assert_int_equal(hone_params_magnitude(p, 0, 1, &m, &norm), 1);
    assert_string_equal(hone_params_item(p, m)->name,
                        "base_model.model.layers.0.q_proj.lora_magnitude_vector.d.weight");
    assert_int_equal(hone_params_magnitude(p, 0, 2, &m, &norm), 0);
    assert_int_equal(hone_params_magnitude(p, 0, 0, &m, &norm), 0);
    assert_int_equal(hone_params_magnitude(p, 2, 1, &m, &norm), 0);
    assert_fails(hone_params_magnitude(p, 0, 3, &m, &norm), HONE_E_UNSUPPORTED, "adapter d");
    assert_ok(hone_params_drop_adapter(p, 0));
    assert_int_equal(hone_params_magnitude(p, 0, 3, &m, &norm), 0);
    hone_params_destroy(p);
}

/* ---- PiSSA ------------------------------------------------------------------------------------ */
/* Number i of n orthonormal vectors: the discrete cosine transform. */
static double cosine(int64_t i, int64_t at, int64_t n)
{
    return sqrt((i ? 2.0 : 1.0) / (double)n) *
           cos(3.14159265358979323846 * (double)i * ((double)at + 0.5) / (double)n);
}

static const double sigmas[] = {9, 7, 6.5, 4, 2, 1.5, 1, 0.5, 0.25};
enum { SIGMAS = sizeof sigmas / sizeof *sigmas, COLS_V = 64 };

/* v_proj gets these singular values, with vectors that are not in order. */
static void plant(hone_params *p)
{
    float row[COLS_V];
    for (int64_t n = 0; n < ROWS; n++) {
        for (int64_t c = 0; c < COLS_V; c++) {
            double sum = 0;
            for (int i = 0; i < SIGMAS; i++)
                sum += sigmas[i] * cosine((i * 5 + 3) % ROWS, n, ROWS) *
                       cosine((i * 11 + 2) % COLS_V, c, COLS_V);
            row[c] = (float)sum;
        }
        assert_ok(hone_params_set_rows(p, 1, n, 1, row));
    }
}

static void check_start(uint32_t type, uint32_t kind, double tolerance)
{
    static const char *const role[] = {"v", NULL};
    hone_params *p = store(type);
    hone_adapter_spec spec = {.name = "p",
                              .rank = 4,
                              .alpha = 6,
                              .roles = role,
                              .init = HONE_LORA_INIT_PRINCIPAL,
                              .kind = kind,
                              .seed = 5,
                              .exec = hone_pool_exec(pool)};
    hone_lora l[2];
    float a[4 * COLS_V], b[4], w[COLS_V];
    double v[COLS_V];
    plant(p);
    const uint64_t base = hone_params_checksum_base(p);
    assert_int_equal(hone_params_add_adapter(p, &spec), 0);
    assert_true(hone_params_checksum_base(p) == base); /* what the others stand on */
    assert_int_equal(hone_params_loras(p, 1, 1, l, 2), 2);
    assert_true(l[1].scale == -l[0].scale);
    assert_ok(hone_params_get_rows(p, l[0].a, 0, 4, a));
    for (int i = 0; i < 4; i++) { /* A's rows are sqrt(sigma / scale) long, orthogonal, in order */
        double sum = 0;
        for (int j = 0; j <= i; j++) {
            sum = 0;
            for (int c = 0; c < COLS_V; c++)
                sum += (double)a[i * COLS_V + c] * (double)a[j * COLS_V + c];
            if (j < i)
                assert_true(fabs(sum) < 1e-3 + tolerance);
        }
        assert_true(fabs(sum * (double)l[0].scale - sigmas[i]) < 1e-4 + tolerance);
    }
    for (int64_t n = 0; n < ROWS; n++) {
        row_of(p, 1, n, v); /* W + scale B A - scale B0 A0: W */
        assert_ok(hone_params_get_rows(p, 1, n, 1, w));
        assert_ok(hone_params_get_rows(p, l[0].b, n, 1, b));
        for (int c = 0; c < COLS_V; c++) {
            double best = 0, got = 0;
            assert_true(fabs(v[c] - (double)w[c]) < 1e-6);
            for (int i = 0; i < 4; i++) {
                best += sigmas[i] * cosine((i * 5 + 3) % ROWS, n, ROWS) *
                        cosine((i * 11 + 2) % COLS_V, c, COLS_V);
                got += (double)l[0].scale * (double)b[i] * (double)a[i * COLS_V + c];
            }
            assert_true(fabs(got - best) < 1e-5 + tolerance);
        }
    }
    hone_params_freeze_base(p);
    for (hone_param i = 3; i < hone_params_count(p); i++) /* the fixed pair never learns */
        assert_ok(hone_params_set_trainable(p, i, 1));
    assert_int_equal(hone_params_item(p, l[1].a)->trainable, 0);
    assert_int_equal(hone_params_item(p, l[1].b)->trainable, 0);
    assert_int_equal(hone_params_item(p, l[0].b)->trainable, 1);
    if (kind & HONE_LORA_DORA) {
        const float *norm = NULL;
        hone_param m;
        fill(p, l[0].b, 3);
        assert_ok(hone_params_refresh(p, 1, hone_pool_exec(pool)));
        assert_int_equal(hone_params_magnitude(p, 1, 1, &m, &norm), 1);
        for (int64_t n = 0; n < ROWS; n++)
            assert_true(fabs((double)norm[n] - norm_of(p, 1, n)) < 1e-5 * norm_of(p, 1, n));
    }
    hone_params_destroy(p);
}

static void test_pissa_starts_from_the_largest_singular_triples(void **state)
{
    (void)state;
    check_start(0, 0, 0);
    check_start(0, HONE_LORA_RANK_STABLE, 0);
    check_start(0, HONE_LORA_DORA, 0);
    check_start(HONE_Q8_0, 0, 0.02);
}

static void test_pissa_has_the_same_bits_on_any_threads_and_kernels(void **state)
{
    (void)state;
    uint64_t want = 0;
    hone_pool *one;
    assert_ok(hone_pool_create(1, &one));
    for (int set = 0; set <= hone_cpu_get()->best; set++)
        for (int threads = 0; threads < 2; threads++) {
            assert_ok(hone_cpu_use(set));
            hone_params *p = store(0);
            hone_adapter_spec spec = {.rank = 6,
                                      .alpha = 6,
                                      .init = HONE_LORA_INIT_PRINCIPAL,
                                      .seed = 5,
                                      .exec = hone_pool_exec(threads ? pool : one)};
            assert_int_equal(hone_params_add_adapter(p, &spec), 0);
            const uint64_t sum = hone_params_checksum(p);
            assert_true(!want || sum == want);
            want = sum;
            hone_params_destroy(p);
        }
    hone_pool_destroy(one);
}

static void test_pissa_refuses_what_it_cannot_start_from(void **state)
{
    (void)state;
    hone_params *p = store(0);
    hone_adapter_spec spec = {.rank = COLS + 1, .alpha = 6, .init = HONE_LORA_INIT_PRINCIPAL};
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_INVALID, "nothing to run");
    spec.exec = hone_pool_exec(pool);
    assert_fails(hone_params_add_adapter(p, &spec), HONE_E_RANGE, "46 singular values");
    spec.rank = COLS; /* all of them */
    assert_int_equal(hone_params_add_adapter(p, &spec), 0);
    hone_params_destroy(p);
}

/* ---- merging ---------------------------------------------------------------------------------- */
static void check_merge(const hone_adapter_spec *spec)
{
    hone_params *p = store(0), *c;
    hone_lora l;
    float want[COLS], got[COLS];
    double far = 0;
    size_t now, before;
    hone_params_sizes sizes;
    assert_int_equal(hone_params_add_adapter(p, spec), 0);
    hone_params_freeze_base(p);
    hone_params_loras(p, 0, 1, &l, 1);
    fill(p, l.b, 4);
    const uint64_t sum = hone_params_checksum(p);
    hone_params_get_sizes(p, &sizes);
    before = sizes.bytes;
    assert_ok(hone_params_get_merged_rows(p, 0, 1, 40, 1, want));
    assert_ok(hone_params_merge(p, 0));
    assert_int_equal(hone_params_merged(p), 1);
    hone_params_get_sizes(p, &sizes);
    now = sizes.bytes;
    assert_true(now > before); /* what is kept counts */
    assert_true(hone_params_checksum(p) != sum);
    assert_int_equal(hone_params_loras(p, 0, 1, &l, 1), 0); /* the base does it alone */
    const float *norm;
    hone_param m;
    assert_int_equal(hone_params_magnitude(p, 0, 1, &m, &norm), 0);
    assert_ok(hone_params_get_rows(p, 0, 40, 1, got));
    assert_memory_equal(got, want, sizeof got);
    assert_ok(hone_params_get_merged_rows(p, 0, 1, 40, 1, got));
    assert_memory_equal(got, want, sizeof got);
    assert_fails(hone_params_get_merged_rows(p, 0, 0, 40, 1, got), HONE_E_STATE, "without it");
    assert_ok(hone_params_check_merged(p, 1, 0));
    assert_fails(hone_params_check_merged(p, 0, 0), HONE_E_STATE, "without it");
    assert_fails(hone_params_check_merged(p, 1, 1), HONE_E_STATE, "to train");
    assert_fails(hone_params_merge(p, 0), HONE_E_STATE, "merged");
    hone_adapter_spec other = {.name = "other", .rank = 2, .alpha = 1};
    assert_fails(hone_params_add_adapter(p, &other), HONE_E_STATE, "merged");
    assert_fails(hone_params_drop_adapter(p, 0), HONE_E_STATE, "to drop it");
    assert_ok(hone_params_copy(p, &c));
    assert_fails(hone_params_lerp(c, p, 0.5f), HONE_E_STATE, "average");
    assert_ok(hone_params_unmerge(c)); /* a copy has what was kept, too */
    assert_true(hone_params_checksum(c) == sum);
    hone_params_destroy(c);
    assert_ok(hone_params_unmerge(p));
    assert_true(hone_params_checksum(p) == sum); /* the bits of before */
    assert_int_equal(hone_params_merged(p), 0);
    hone_params_get_sizes(p, &sizes);
    assert_int_equal(sizes.bytes, before);
    assert_fails(hone_params_unmerge(p), HONE_E_STATE, "none is merged");
    assert_ok(hone_params_get_rows(p, 0, 40, 1, got));
    for (int i = 0; i < COLS; i++)
        far += fabs((double)got[i] - (double)want[i]);
    assert_true(far > 0.1);            /* it had been there */
    if (spec->kind & HONE_LORA_DORA) { /* norms are of the base again */
        assert_ok(hone_params_refresh(p, 1, hone_pool_exec(pool)));
        check_norms(p);
    }
    hone_params_destroy(p);
}

static void test_unmerging_gives_back_the_bits_of_the_base(void **state)
{
    (void)state;
    check_merge(&dora);
    hone_adapter_spec spec = {.rank = RANK, .alpha = 4, .seed = 3};
    check_merge(&spec);
    spec.init = HONE_LORA_INIT_PRINCIPAL;
    spec.exec = hone_pool_exec(pool);
    check_merge(&spec);
}

static void test_merging_refuses_what_it_would_round(void **state)
{
    (void)state;
    hone_params *p = store(HONE_Q8_0);
    assert_fails(hone_params_merge(p, 0), HONE_E_NOT_FOUND, "no number 0");
    assert_int_equal(hone_params_add_adapter(p, &dora), 0);
    const uint64_t sum = hone_params_checksum(p);
    assert_fails(hone_params_merge(p, 0), HONE_E_UNSUPPORTED, "q8_0");
    assert_true(hone_params_checksum(p) == sum);
    hone_params_destroy(p);
}

static hone_status life(const hone_adapter_spec *kind)
{
    hone_params *p = NULL, *c = NULL;
    hone_param_spec spec = {.struct_size = sizeof spec,
                            .name = "layers.0.q_proj.weight",
                            .role = "q",
                            .rows = ROWS,
                            .cols = COLS};
    hone_status s = hone_params_create(&p);
    if (s < 0)
        return s;
    s = hone_params_declare(p, &spec);
    if (s >= 0)
        s = hone_params_seal(p);
    if (s >= 0)
        s = hone_params_add_adapter(p, kind);
    if (s >= 0)
        s = hone_params_copy(p, &c);
    if (s >= 0)
        s = hone_params_refresh(c, 1, hone_pool_exec(pool));
    const uint64_t sum = s >= 0 ? hone_params_checksum(c) : 0;
    if (s >= 0)
        s = hone_params_merge(c, 0);
    if (s >= 0)
        s = hone_params_unmerge(c);
    assert_true(!sum || hone_params_checksum(c) == sum); /* a merge that failed has left no trace */
    hone_params_destroy(c);
    hone_params_destroy(p);
    return s < 0 ? s : HONE_OK;
}

static void test_a_life_survives_without_memory(void **state)
{
    (void)state;
    hone_adapter_spec pissa = dora;
    assert_survives_no_memory(life(&dora));
    pissa.init = HONE_LORA_INIT_PRINCIPAL;
    pissa.exec = hone_pool_exec(pool);
    assert_survives_no_memory(life(&pissa));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank_stabilised_scale_is_alpha_over_the_root_of_the_rank),
        cmocka_unit_test(test_targets_may_be_names_of_modules),
        cmocka_unit_test(test_exact_targets_have_ranks_of_their_own),
        cmocka_unit_test(test_norms_follow_values),
        cmocka_unit_test(test_a_row_of_zeros_has_no_norm_and_gives_zeros),
        cmocka_unit_test(test_magnitudes_stand_alone_on_a_matrix),
        cmocka_unit_test(test_pissa_starts_from_the_largest_singular_triples),
        cmocka_unit_test(test_pissa_has_the_same_bits_on_any_threads_and_kernels),
        cmocka_unit_test(test_pissa_refuses_what_it_cannot_start_from),
        cmocka_unit_test(test_unmerging_gives_back_the_bits_of_the_base),
        cmocka_unit_test(test_merging_refuses_what_it_would_round),
        cmocka_unit_test(test_a_life_survives_without_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
