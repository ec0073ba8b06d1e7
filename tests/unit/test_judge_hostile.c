/* test_judge_hostile.c - the statistics of judges on what is no good data, and what must not change them.
 *
 * Matrices of ends of the range, gaps and infinities; failing memory; the order of items, the names of levels, copies of the
 * data; and ten million rows. */
#include "support.h"

#include "../fuzz/stats_cases.h"
#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>

static double uniform(uint64_t seed, uint64_t i)
{
    const hone_rng_key key = {.seed = seed, .purpose = HONE_RNG_USER};
    return hone_rng_uniform(&key, i);
}

static void sane(const double *x, size_t items, size_t raters, const uint64_t *group,
                 const hone_boot *boot, const char *what)
{
    const char *bad = stats_all(x, items, raters, group, boot);
    if (bad)
        fail_msg("%s: %zu items, %zu raters: %s\n", what, items, raters, bad);
}

/* ---- nothing that comes in makes a NaN come out ---- */

static void random_matrices_give_figures_or_reasons(void **state)
{
    (void)state;
    static const double odd[] = {(double)NAN, (double)INFINITY, -(double)INFINITY,
                                 1e308,       -1e308,           5e-324,
                                 1e200,       1e-200,           1e16,
                                 -0.0};
    double x[60 * 5];
    uint64_t group[60];
    for (uint64_t seed = 0; seed < 400; seed++) {
        size_t items = (size_t)(uniform(seed, 0) * 60), raters = (size_t)(uniform(seed, 1) * 6);
        double strange = uniform(seed, 2) < .5 ? 0 : uniform(seed, 3) * .3;
        double gaps = uniform(seed, 4) < .5 ? 0 : uniform(seed, 5);
        double levels = floor(1 + 6 * uniform(seed, 6)), finite = uniform(seed, 7) < .5;
        for (size_t i = 0; i < items * raters; i++) {
            double u = uniform(seed, 100 + i), v = uniform(seed, 1000 + i);
            x[i] = u < strange          ? odd[(size_t)(v * 10)]
                   : u < strange + gaps ? (double)NAN
                   : levels > 5         ? v
                                        : floor(v * levels);
            if (finite && isinf(x[i]))
                x[i] = 1e150;
        }
        for (size_t i = 0; i < items; i++)
            group[i] = (uint64_t)(uniform(seed, 3000 + i) * 12);
        hone_boot boot = {.cluster = seed & 1 ? group : NULL,
                          .replicates = seed % 10 == 0 ? 30 : 0,
                          .seed = seed};
        sane(x, items, raters, group, seed % 7 == 0 ? NULL : &boot, "random");
    }
}

static void the_plainest_bad_data_says_what_it_is(void **state)
{
    (void)state;
    double five[40], gone[40], one_class[40];
    uint64_t group[20];
    hone_boot boot = {.seed = 1};
    hone_figure f;
    for (size_t i = 0; i < 40; i++) {
        five[i] = 5;
        gone[i] = (double)NAN;
        one_class[i] = i % 2 ? 1 : uniform(1, i) < .5; /* the expert always says 1 */
    }
    for (size_t i = 0; i < 20; i++)
        group[i] = i / 2;
    sane(five, 20, 2, group, &boot, "always five");
    sane(gone, 20, 2, group, &boot, "all missing");
    sane(one_class, 20, 2, group, &boot, "one class");
    sane(five, 0, 2, group, &boot, "empty");
    sane(five, 1, 1, group, &boot, "one number");
    hone_ratings r = {.x = five, .items = 20, .raters = 2};
    assert_ok(hone_agree_all(&r, HONE_AGREE_KAPPA, &boot, &f));
    assert_string_equal(f.why,
                        "every rating is the same: agreement by chance cannot be told apart");
    assert_ok(hone_agree_all(&r, HONE_AGREE_ICC2, &boot, &f));
    assert_string_equal(f.why, "every rating is the same: no variance to share");
    r.x = gone;
    assert_ok(hone_agree_all(&r, HONE_AGREE_ALPHA_INTERVAL, &boot, &f));
    assert_string_equal(f.why, "no item has two ratings that can be compared");
    r.raters = 1;
    assert_ok(hone_agree_all(&r, HONE_AGREE_KAPPA, &boot, &f));
    assert_string_equal(f.why, "one rater alone: nobody to agree with");
    hone_confusion c;
    assert_ok(hone_confusion_binary(gone, gone, 20, 1, 1, &boot, &c));
    assert_string_equal(c.accuracy.why, "no item has both");
    assert_ok(hone_prevalence_estimate(five, five, 20, five, 20, NULL, &boot, &f));
    assert_non_null(strstr(f.why, "one class only"));
    assert_ok(hone_rank_tau_b(five, five, 20, &boot, &f));
    assert_non_null(strstr(f.why, "no order"));
}

static void perfect_agreement_of_few_is_not_certainty(void **state)
{
    (void)state;
    double x[60];
    uint64_t cluster[30];
    hone_boot boot = {.cluster = cluster, .seed = 1};
    hone_figure f;
    for (size_t i = 0; i < 30; i++) {
        x[2 * i] = x[2 * i + 1] = (double)(i % 3);
        cluster[i] = i;
    }
    hone_ratings r = {.x = x, .items = 30, .raters = 2};
    static const hone_agree_kind kinds[] = {HONE_AGREE_KAPPA, HONE_AGREE_AC2_QUADRATIC,
                                            HONE_AGREE_ALPHA_ORDINAL, HONE_AGREE_ALPHA_INTERVAL,
                                            HONE_AGREE_ACCURACY};
    for (size_t k = 0; k < 5; k++) {
        assert_ok(hone_agree_all(&r, kinds[k], &boot, &f));
        assert_null(f.why);
        assert_true(f.value == 1 && f.hi == 1);
        assert_true(f.lo > .4 && f.lo < .95); /* Wilson's bound of 0 in 30 is .11 */
    }
    r.items = 4;
    assert_ok(hone_agree_all(&r, HONE_AGREE_KAPPA, &boot, &f));
    assert_null(f.why);
    assert_false(hone_figure_has_interval(&f));
    assert_non_null(f.note);
}

static void json_never_holds_what_json_has_not(void **state)
{
    (void)state;
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e308, 0};
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            for (size_t k = 0; k < 5; k++) {
                hone_buf b;
                hone_jw w;
                hone_arena arena;
                hone_value v;
                hone_figure back, f = hone_figure_of(bad[i], bad[j], bad[k], 7);
                assert_true(stats_sane(&f));
                hone_buf_init(&b, 1 << 16);
                hone_jw_init(&w, &b, 0);
                hone_jw_map(&w);
                hone_figure_write_key(&w, "f", &f);
                hone_jw_end(&w);
                assert_ok(b.failed);
                assert_null(strstr(b.ptr, "nan"));
                assert_null(strstr(b.ptr, "inf"));
                hone_arena_init(&arena, 0);
                assert_ok(hone_json_parse(b.ptr, b.len, NULL, &arena, &v));
                assert_ok(hone_figure_read(&v, "f", &arena, &back));
                assert_int_equal(back.why == NULL, f.why == NULL);
                if (!f.why)
                    assert_true(back.value == f.value && back.lo == f.lo && back.hi == f.hi);
                hone_buf_clear(&b);
                assert_ok(hone_figure_text(&b, &f, 3));
                assert_null(strstr(b.ptr, "nan"));
                hone_arena_release(&arena);
                hone_buf_release(&b);
            }
        }
    }
}

/* ---- what must not matter ---- */

enum { ITEMS = 48, RATERS = 3, CELLS = ITEMS * RATERS };

static void draw(uint64_t seed, double *x, uint64_t *cluster)
{
    for (size_t i = 0; i < ITEMS; i++) {
        double base = floor(uniform(seed, i) * 4);
        cluster[i] = i / 3 * 17;
        for (size_t j = 0; j < RATERS; j++)
            x[i * RATERS + j] = uniform(seed, 1000 + i * RATERS + j) < .1
                                    ? (double)NAN
                                    : base + floor(uniform(seed, 2000 + i * RATERS + j) * 1.5);
    }
}

static void same(const hone_figure *a, const hone_figure *b, const char *what, const char *kind)
{
    if ((a->why == NULL) != (b->why == NULL) ||
        (!a->why && !(fabs(a->value - b->value) < 1e-9 && fabs(a->lo - b->lo) < 1e-9 &&
                      fabs(a->hi - b->hi) < 1e-9)))
        fail_msg("%s changes %s: %.12g [%.12g, %.12g] and %.12g [%.12g, %.12g]\n", what, kind,
                 a->value, a->lo, a->hi, b->value, b->lo, b->hi);
}

static void order_of_items_and_raters_is_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        double x[CELLS], y[CELLS];
        uint64_t cluster[ITEMS], moved[ITEMS];
        draw(seed, x, cluster);
        for (size_t i = 0; i < ITEMS; i++) {
            size_t to = (i * 29 + 5) % ITEMS; /* 29 and 48 have no divisor in common */
            moved[to] = cluster[i];
            for (size_t j = 0; j < RATERS; j++)
                y[to * RATERS + (j + 1) % RATERS] = x[i * RATERS + j];
        }
        for (int k = 0; k < HONE_AGREE_COUNT; k++) {
            for (uint32_t replicates = 0; replicates < 60; replicates += 40) {
                hone_figure a, b;
                hone_boot boot_a = {.cluster = cluster, .seed = 3, .replicates = replicates};
                hone_boot boot_b = {.cluster = moved, .seed = 3, .replicates = replicates};
                hone_ratings ra = {.x = x, .items = ITEMS, .raters = RATERS};
                hone_ratings rb = {.x = y, .items = ITEMS, .raters = RATERS};
                assert_ok(hone_agree_all(&ra, (hone_agree_kind)k, &boot_a, &a));
                assert_ok(hone_agree_all(&rb, (hone_agree_kind)k, &boot_b, &b));
                same(&a, &b, "order", hone_agree_name((hone_agree_kind)k));
            }
        }
    }
}

static void names_of_levels_and_units_are_nothing(void **state)
{
    (void)state;
    static const hone_agree_kind nominal[] = {HONE_AGREE_ACCURACY, HONE_AGREE_KAPPA,
                                              HONE_AGREE_FLEISS, HONE_AGREE_AC1,
                                              HONE_AGREE_ALPHA_NOMINAL};
    static const double name[6] = {40, 7, -3, 1e9, 0.5, 22};
    double x[CELLS], renamed[CELLS], turned[CELLS], stretched[CELLS], cubed[CELLS];
    uint64_t cluster[ITEMS];
    draw(9, x, cluster);
    for (size_t i = 0; i < CELLS; i++) {
        renamed[i] = isnan(x[i]) ? x[i] : name[(int)x[i]];
        turned[i] = 7 - x[i];
        stretched[i] = 1e6 * x[i] - 3e5;
        cubed[i] = x[i] * x[i] * x[i];
    }
    hone_boot boot = {.cluster = cluster};
    hone_ratings a = {.x = x, .items = ITEMS, .raters = RATERS}, b = a;
    hone_figure fa, fb;
    for (size_t k = 0; k < 5; k++) {
        b.x = renamed;
        assert_ok(hone_agree_all(&a, nominal[k], &boot, &fa));
        assert_ok(hone_agree_all(&b, nominal[k], &boot, &fb));
        same(&fa, &fb, "renaming", hone_agree_name(nominal[k]));
    }
    for (int k = 0; k < HONE_AGREE_COUNT; k++) {
        if (k == HONE_AGREE_ALPHA_RATIO)
            continue;
        assert_ok(hone_agree_all(&a, (hone_agree_kind)k, &boot, &fa));
        b.x = turned;
        assert_ok(hone_agree_all(&b, (hone_agree_kind)k, &boot, &fb));
        same(&fa, &fb, "a scale upside down", hone_agree_name((hone_agree_kind)k));
        b.x = stretched;
        assert_ok(hone_agree_all(&b, (hone_agree_kind)k, &boot, &fb));
        same(&fa, &fb, "another unit", hone_agree_name((hone_agree_kind)k));
    }
    b.x = cubed; /* order is all that ordinal alpha sees */
    assert_ok(hone_agree_all(&a, HONE_AGREE_ALPHA_ORDINAL, &boot, &fa));
    assert_ok(hone_agree_all(&b, HONE_AGREE_ALPHA_ORDINAL, &boot, &fb));
    same(&fa, &fb, "a monotone scale", "alpha ordinal");
    double p[ITEMS], q[ITEMS], cube[ITEMS];
    for (size_t i = 0; i < ITEMS; i++) {
        p[i] = x[i * RATERS];
        q[i] = x[i * RATERS + 1];
        cube[i] = cubed[i * RATERS];
    }
    assert_ok(hone_rank_tau_b(p, q, ITEMS, &boot, &fa));
    assert_ok(hone_rank_tau_b(cube, q, ITEMS, &boot, &fb));
    same(&fa, &fb, "a monotone scale", "tau-b");
    assert_ok(hone_rank_tau_b(q, p, ITEMS, &boot, &fb));
    same(&fa, &fb, "exchange", "tau-b");
    assert_ok(hone_rank_spearman(p, q, ITEMS, &boot, &fa));
    assert_ok(hone_rank_spearman(cube, q, ITEMS, &boot, &fb));
    same(&fa, &fb, "a monotone scale", "spearman");
}

/* Every row twice, its copy in the same cluster: nothing new was learnt. */
static void copies_in_the_same_prompt_are_no_evidence(void **state)
{
    (void)state;
    double x[CELLS], twice[2 * CELLS];
    uint64_t cluster[ITEMS], clusters[2 * ITEMS];
    draw(11, x, cluster);
    memcpy(twice, x, sizeof x);
    memcpy(twice + CELLS, x, sizeof x);
    memcpy(clusters, cluster, sizeof cluster);
    memcpy(clusters + ITEMS, cluster, sizeof cluster);
    hone_boot a = {.cluster = cluster}, b = {.cluster = clusters}, rows = {.cluster = NULL};
    hone_ratings one = {.x = x, .items = ITEMS, .raters = RATERS};
    hone_ratings two = {.x = twice, .items = 2 * ITEMS, .raters = RATERS};
    for (int k = 0; k <= HONE_AGREE_AC2_QUADRATIC; k++) {
        hone_figure fa, fb, loose;
        assert_ok(hone_agree_all(&one, (hone_agree_kind)k, &a, &fa));
        assert_ok(hone_agree_all(&two, (hone_agree_kind)k, &b, &fb));
        same(&fa, &fb, "a copy", hone_agree_name((hone_agree_kind)k));
        /* who forgets the clusters believes too much */
        assert_ok(hone_agree_all(&two, (hone_agree_kind)k, &rows, &loose));
        assert_true(loose.hi - loose.lo < .85 * (fb.hi - fb.lo));
    }
}

static void same_seed_same_bits_other_seed_other_draws(void **state)
{
    (void)state;
    double x[CELLS];
    uint64_t cluster[ITEMS];
    draw(12, x, cluster);
    hone_ratings r = {.x = x, .items = ITEMS, .raters = RATERS};
    hone_figure a, b, c, d;
    hone_boot boot = {.cluster = cluster, .seed = 5, .replicates = 200};
    assert_ok(hone_agree_all(&r, HONE_AGREE_KAPPA, &boot, &a));
    assert_ok(hone_agree_all(&r, HONE_AGREE_KAPPA, &boot, &b));
    boot.seed = 6;
    assert_ok(hone_agree_all(&r, HONE_AGREE_KAPPA, &boot, &c));
    boot.replicates = 0;
    assert_ok(hone_agree_all(&r, HONE_AGREE_KAPPA, &boot, &d));
    assert_true(a.lo == b.lo && a.hi == b.hi);
    assert_true(a.value == c.value && a.lo != c.lo);
    assert_true(fabs(a.lo - d.lo) < .2 && fabs(a.hi - d.hi) < .2); /* two ways to one thing */
}

/* ---- failing memory ---- */

static hone_status everything(const double *x, const double *p, const double *q,
                              const uint64_t *cluster, const hone_boot *boot)
{
    hone_ratings r = {.x = x, .items = ITEMS, .raters = RATERS};
    hone_figure f;
    hone_reliability rel;
    hone_confusion c;
    hone_alt_test t;
    hone_length_control l;
    hone_isotonic m;
    hone_strengths out;
    const char *why;
    const hone_match match = {0, 1, 2, 1, 1};
    double at, s[2], se[2];
    HONE_TRY(hone_agree_all(&r, HONE_AGREE_KAPPA, boot, &f));
    HONE_TRY(hone_agree_difference(&r, 0, HONE_AGREE_AC1, boot, &f));
    HONE_TRY(hone_agree_with(&r, 0, HONE_AGREE_ICC2, boot, &f));
    HONE_TRY(hone_rank_tau_b(p, q, ITEMS, boot, &f));
    HONE_TRY(hone_rank_pairwise(p, q, cluster, ITEMS, 0, HONE_RANK_TIES_BOTH, boot, &f));
    HONE_TRY(hone_rank_pairwise(p, q, NULL, ITEMS, .1, HONE_RANK_TIES_BOTH, boot, &f));
    HONE_TRY(hone_interval_mean(p, ITEMS, boot, &f));
    HONE_TRY(hone_interval_share(p, ITEMS, boot, &f));
    HONE_TRY(hone_prevalence_estimate(p, q, ITEMS, p, ITEMS, cluster, boot, &f));
    HONE_TRY(hone_ppi_mean(p, q, ITEMS, p, ITEMS, cluster, boot, &f, NULL));
    HONE_TRY(hone_reliability_measure(x, ITEMS, RATERS, cluster, boot, &rel));
    HONE_TRY(hone_reliability_contrast(x, ITEMS, RATERS, cluster, 4, boot, &f));
    HONE_TRY(hone_confusion_binary(p, q, ITEMS, 2, 2, boot, &c));
    HONE_TRY(hone_confusion_threshold(p, q, ITEMS, 2, &at, &why));
    HONE_TRY(hone_alt_test_run(&r, 0, 0, .2, .05, boot, NULL, &t));
    HONE_TRY(hone_length_control_fit(p, q, ITEMS, boot, &l));
    HONE_TRY(hone_curve_brier(p, q, ITEMS, boot, &f));
    HONE_TRY(hone_curve_ece(p, q, ITEMS, 0, boot, &f));
    HONE_TRY(hone_strength_fit(&match, 1, 2, .1, 1, s, se, &out));
    HONE_TRY(hone_isotonic_fit(p, q, ITEMS, &m));
    hone_isotonic_release(&m);
    return HONE_OK;
}

static void failing_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    double x[CELLS], p[ITEMS], q[ITEMS];
    uint64_t cluster[ITEMS];
    draw(13, x, cluster);
    for (size_t i = 0; i < ITEMS; i++) {
        p[i] = uniform(14, i);
        q[i] = uniform(15, i) < .5;
    }
    hone_boot boot = {.cluster = cluster, .replicates = 10};
    assert_survives_no_memory(everything(x, p, q, cluster, &boot));
}

/* ---- ten million rows ---- */

static void ten_million_labels_are_one_pass(void **state)
{
    (void)state;
    const char *full = getenv("HONE_FULL");
    size_t n = full && *full ? 10000000 : 300000;
    double *x = malloc(2 * n * sizeof *x);
    uint64_t *cluster = malloc(n * sizeof *cluster);
    hone_figure f;
    assert_true(x && cluster);
    for (size_t i = 0; i < n; i++) {
        double u = uniform(16, i);
        x[2 * i] = floor(u * 5);
        x[2 * i + 1] = u * 1e4 - floor(u * 1e4) < .3 ? 2 : x[2 * i];
        cluster[i] = i / 4;
    }
    hone_boot boot = {.cluster = cluster};
    hone_ratings r = {.x = x, .items = n, .raters = 2};
    assert_ok(hone_agree_all(&r, HONE_AGREE_KAPPA_QUADRATIC, &boot, &f));
    assert_int_equal(f.n, n);
    assert_true(hone_figure_has_interval(&f) && f.hi - f.lo < 4 / sqrt((double)n));
    assert_ok(hone_agree_all(&r, HONE_AGREE_ALPHA_ORDINAL, &boot, &f));
    assert_true(hone_figure_has_interval(&f));
    hone_reliability rel;
    assert_ok(hone_reliability_measure(x, n, 2, cluster, &boot, &rel));
    assert_int_equal(rel.groups, n / 4);
    assert_true(hone_figure_has_interval(&rel.rho));
    hone_confusion c;
    assert_ok(hone_confusion_binary(x, x + n, n, 2, 2, &boot, &c));
    assert_int_equal(c.tp + c.fp + c.tn + c.fn, n);
    assert_ok(hone_rank_tau_b_within(x, x + n, cluster, n, &boot, &f));
    assert_null(f.why);
    free(x);
    free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_matrices_give_figures_or_reasons),
        cmocka_unit_test(the_plainest_bad_data_says_what_it_is),
        cmocka_unit_test(perfect_agreement_of_few_is_not_certainty),
        cmocka_unit_test(json_never_holds_what_json_has_not),
        cmocka_unit_test(order_of_items_and_raters_is_nothing),
        cmocka_unit_test(names_of_levels_and_units_are_nothing),
        cmocka_unit_test(copies_in_the_same_prompt_are_no_evidence),
        cmocka_unit_test(same_seed_same_bits_other_seed_other_draws),
        cmocka_unit_test(failing_memory_is_told_and_leaks_nothing),
        cmocka_unit_test(ten_million_labels_are_one_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
