/* test_judge_stats.c - agreement, order, intervals, strengths against published examples, against their
 * definitions written out naively, and against what must not change them. */
#include "support.h"

#include "base/json.h"
#include "base/rng.h"
#include "judge/dist.h"
#include "judge/stats.h"

#include <math.h>

static const double missing = (double)NAN;

static double uniform(uint64_t seed, uint64_t i)
{
    const hone_rng_key key = {.seed = seed, .purpose = HONE_RNG_USER};
    return hone_rng_uniform(&key, i);
}

static void assert_near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("got %.12g, wanted %.12g\n", got, want);
}

static void assert_value(const hone_figure *f, double want, double within)
{
    if (f->why)
        fail_msg("no figure: %s\n", f->why);
    assert_near(f->value, want, within);
}

static hone_figure agree(const hone_ratings *r, hone_agree_kind kind)
{
    hone_figure f;
    assert_ok(hone_agree_all(r, kind, NULL, &f));
    return f;
}

/* ---- distributions ---- */

static void distributions_match_their_tables(void **state)
{
    (void)state;
    assert_near(hone_dist_normal_quantile(.975), 1.959963984540054, 1e-12);
    assert_near(hone_dist_normal(-3), .0013498980316300946, 1e-15);
    assert_near(hone_dist_normal(-8) / 6.220960574271785e-16, 1, 1e-9);
    assert_near(hone_dist_t_quantile(.975, 1), 12.706204736432095, 1e-8);
    assert_near(hone_dist_t_quantile(.975, 10), 2.2281388519649385, 1e-10);
    assert_near(hone_dist_t_quantile(.05, 30), -1.697260886593957, 1e-10);
    assert_near(hone_dist_beta(.3, 2, 5), .579825, 1e-12);
    assert_near(hone_dist_beta_quantile(.579825, 2, 5), .3, 1e-12);
    assert_near(hone_dist_lgamma(.5), .5 * log(3.14159265358979323846), 1e-13);
    assert_near(hone_dist_lgamma(171), 706.5730622457873, 1e-9);
    for (int i = 1; i < 100; i++) {
        double p = i / 100.;
        assert_near(hone_dist_normal(hone_dist_normal_quantile(p)), p, 1e-12);
        assert_near(hone_dist_t(hone_dist_t_quantile(p, 3.5), 3.5), p, 1e-11);
    }
}

static void distributions_take_anything(void **state)
{
    (void)state;
    const double odd[] = {missing, (double)INFINITY, -(double)INFINITY, 0, -1, 1e308, 1e-308, .5,
                          2};
    for (size_t i = 0; i < 9; i++) {
        for (size_t j = 0; j < 9; j++) {
            assert_false(isnan(hone_dist_t(odd[i], odd[j])));
            assert_false(isnan(hone_dist_t_quantile(odd[i], odd[j])));
            assert_false(isnan(hone_dist_two_sided(odd[i], odd[j])));
            for (size_t k = 0; k < 9; k++) {
                assert_false(isnan(hone_dist_beta(odd[i], odd[j], odd[k])));
            }
        }
        assert_false(isnan(hone_dist_normal(odd[i])));
        assert_false(isnan(hone_dist_normal_quantile(odd[i])));
    }
}

/* ---- published examples ---- */

/* Shrout & Fleiss 1979, table 2: six targets, four judges; coefficients of table 4. */
static const double shrout[24] = {9, 2, 5, 8, 6,  1, 3, 2, 8, 4, 6, 8,
                                  7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7};

static void icc_is_shrout_and_fleiss(void **state)
{
    (void)state;
    static const struct {
        hone_agree_kind kind;
        double want;
    } cases[] = {{HONE_AGREE_ICC1, .17},      {HONE_AGREE_ICC2, .29},
                 {HONE_AGREE_ICC3, .71},      {HONE_AGREE_ICC1_MEAN, .44},
                 {HONE_AGREE_ICC2_MEAN, .62}, {HONE_AGREE_ICC3_MEAN, .91}};
    hone_ratings r = {.x = shrout, .items = 6, .raters = 4};
    for (size_t i = 0; i < 6; i++) {
        hone_figure f = agree(&r, cases[i].kind);
        assert_value(&f, cases[i].want, .005);
        assert_int_equal(f.n, 6);
    }
    /* the averages are Spearman-Brown's of the single ones */
    for (size_t i = 0; i < 3; i++) {
        double one = agree(&r, cases[i].kind).value;
        hone_figure f = agree(&r, cases[i + 3].kind);
        assert_value(&f, 4 * one / (1 + 3 * one), 1e-12);
    }
}

/* Twelve units, four raters, five levels: Krippendorff 2011; Gwet 2014 works the same table. */
#define NA ((double)NAN)
static const double krippendorff[48] = {1, 1, NA, 1, 2,  2, 3, 2, 3,  3,  3, 3, 3,  3, 3,  3,
                                        2, 2, 2,  2, 1,  2, 3, 4, 4,  4,  4, 4, 1,  1, 2,  1,
                                        2, 2, 2,  2, NA, 5, 5, 5, NA, NA, 1, 1, NA, 3, NA, NA};

static void gwets_and_congers_coefficients_are_the_published(void **state)
{
    (void)state;
    hone_ratings r = {.x = krippendorff, .items = 12, .raters = 4};
    hone_figure f = agree(&r, HONE_AGREE_AC1);
    assert_value(&f, .77544, 5e-6);
    f = agree(&r, HONE_AGREE_AC2_QUADRATIC);
    assert_value(&f, .914, 5e-4);
    f = agree(&r, HONE_AGREE_FLEISS);
    assert_value(&f, .76117, 5e-6);
    /* units 2 to 9 have every rating */
    r = (hone_ratings){.x = krippendorff + 4, .items = 8, .raters = 4};
    f = agree(&r, HONE_AGREE_KAPPA_QUADRATIC);
    assert_value(&f, .6719243, 5e-8);
}

static void kappa_of_two_readers(void **state)
{
    (void)state;
    double x[100];
    static const double cells[4][3] = {{1, 1, 20}, {1, 0, 5}, {0, 1, 10}, {0, 0, 15}};
    size_t n = 0;
    for (size_t c = 0; c < 4; c++) {
        for (int k = 0; k < (int)cells[c][2]; k++) {
            x[n++] = cells[c][0];
            x[n++] = cells[c][1];
        }
    }
    hone_ratings r = {.x = x, .items = 50, .raters = 2};
    hone_figure f = agree(&r, HONE_AGREE_KAPPA);
    assert_value(&f, .4, 1e-12);
    f = agree(&r, HONE_AGREE_ACCURACY);
    assert_value(&f, .7, 1e-12);
}

/* Agresti's table of the 1987 American League East, log strengths against Baltimore, place ignored. */
static void bradley_terry_is_the_baseball_example(void **state)
{
    (void)state;
    static const double wins[7][7] = {{0, 7, 9, 7, 7, 9, 11}, {6, 0, 7, 5, 11, 9, 9},
                                      {4, 6, 0, 7, 7, 8, 12}, {6, 8, 6, 0, 6, 7, 10},
                                      {6, 2, 6, 7, 0, 7, 12}, {4, 4, 5, 6, 6, 0, 6},
                                      {2, 4, 1, 3, 1, 7, 0}};
    static const double want[7] = {1.5814, 1.4364, 1.2945, 1.2476, 1.1077, .6839, 0};
    hone_match m[21];
    size_t n = 0;
    for (uint32_t a = 0; a < 7; a++)
        for (uint32_t b = a + 1; b < 7; b++)
            m[n++] = (hone_match){a, b, wins[a][b], wins[b][a], 0};
    double s[7], se[7], sum = 0;
    hone_strengths out;
    assert_ok(hone_strength_fit(m, n, 7, 1e-9, 0, s, se, &out));
    assert_null(out.why);
    assert_int_equal(out.parts, 1);
    for (size_t k = 0; k < 7; k++) {
        assert_near(s[k] - s[6], want[k], 1e-4);
        sum += s[k];
    }
    assert_near(sum, 0, 1e-9);
}

static void wilson_is_newcombes_table(void **state)
{
    (void)state;
    static const double cases[4][4] = {
        {81, 263, .2553, .3662}, {15, 148, .0624, .1605}, {0, 20, 0, .1611}, {1, 29, .0061, .1718}};
    for (size_t i = 0; i < 4; i++) {
        hone_figure f = hone_interval_wilson(cases[i][0], cases[i][1], .95);
        assert_value(&f, cases[i][0] / cases[i][1], 1e-12);
        assert_near(f.lo, cases[i][2], 5e-5);
        assert_near(f.hi, cases[i][3], 5e-5);
    }
}

static double number(const hone_value *v)
{
    return v->type == HONE_F64 ? v->u.f64 : v->type == HONE_I64 ? (double)v->u.i64 : missing;
}

static void published_examples_come_out(void **state)
{
    (void)state;
    static const struct {
        hone_agree_kind kind;
        const char *at;
    } alphas[] = {{HONE_AGREE_ALPHA_NOMINAL, "krippendorff_2011.alpha.nominal"},
                  {HONE_AGREE_ALPHA_ORDINAL, "krippendorff_2011.alpha.ordinal"},
                  {HONE_AGREE_ALPHA_INTERVAL, "krippendorff_2011.alpha.interval"},
                  {HONE_AGREE_ALPHA_RATIO, "krippendorff_2011.alpha.ratio"}};
    const char *path = shared_path("assets/reference/agreement/published_examples.json");
    hone_arena arena;
    hone_value doc;
    double x[256], table[256];
    if (!path)
        skip_without("assets/reference/agreement/published_examples.json");
    hone_arena_init(&arena, 0);
    assert_ok(hone_json_parse_file(path, 0, &arena, &doc));
    const hone_value *m = hone_value_path(&doc, "krippendorff_2011.ratings");
    size_t raters = m->u.list.n, items = m->u.list.items[0].u.list.n;
    assert_true(raters * items <= 256);
    for (size_t j = 0; j < raters; j++)
        for (size_t i = 0; i < items; i++)
            x[i * raters + j] = number(&m->u.list.items[j].u.list.items[i]);
    hone_ratings r = {.x = x, .items = items, .raters = raters};
    for (size_t k = 0; k < 4; k++) {
        hone_figure f = agree(&r, alphas[k].kind);
        assert_value(&f, number(hone_value_path(&doc, alphas[k].at)), 1e-9);
    }
    m = hone_value_path(&doc, "fleiss.table");
    items = m->u.list.n;
    size_t levels = m->u.list.items[0].u.list.n;
    double flat[14 * 16];
    for (size_t i = 0; i < items; i++) {
        size_t c = 0;
        for (size_t k = 0; k < levels; k++) {
            table[i * levels + k] = number(&m->u.list.items[i].u.list.items[k]);
            for (int v = 0; v < (int)table[i * levels + k]; v++)
                flat[i * 14 + c++] = (double)k;
        }
        assert_int_equal(c, 14);
    }
    double want = number(hone_value_path(&doc, "fleiss.kappa"));
    hone_figure f = hone_agree_fleiss_table(table, items, levels);
    assert_value(&f, want, 1e-9);
    r = (hone_ratings){.x = flat, .items = items, .raters = 14};
    f = agree(&r, HONE_AGREE_FLEISS);
    assert_value(&f, want, 1e-9);
    m = hone_value_path(&doc, "cohen.table");
    size_t n = 0;
    for (size_t a = 0; a < 2; a++) {
        for (size_t b = 0; b < 2; b++) {
            for (int v = 0; v < (int)number(&m->u.list.items[a].u.list.items[b]); v++) {
                x[n++] = (double)a;
                x[n++] = (double)b;
            }
        }
    }
    r = (hone_ratings){.x = x, .items = n / 2, .raters = 2};
    f = agree(&r, HONE_AGREE_KAPPA);
    assert_value(&f, number(hone_value_path(&doc, "cohen.kappa")), 1e-12);
    hone_arena_release(&arena);
}

/* ---- against definitions written out ---- */

#define ITEMS 40
#define RATERS 4
#define LEVELS 5
static void random_ratings(uint64_t seed, double *x, double gaps)
{
    for (size_t i = 0; i < ITEMS; i++) {
        double base = floor(uniform(seed, i * 100) * LEVELS);
        for (size_t j = 0; j < RATERS; j++) {
            double u = uniform(seed, i * 100 + j + 1), v = base;
            v = u < .2 ? fmax(base - 1, 0) : u > .8 ? fmin(base + 1, LEVELS - 1) : base;
            x[i * RATERS + j] = uniform(seed, i * 100 + j + 50) < gaps ? missing : v + 1;
        }
    }
}

static double level_weight(hone_agree_kind k, double a, double b)
{
    double d = fabs(a - b) / (LEVELS - 1);
    if (k == HONE_AGREE_KAPPA_LINEAR || k == HONE_AGREE_AC2_LINEAR)
        return d;
    if (k == HONE_AGREE_KAPPA_QUADRATIC || k == HONE_AGREE_AC2_QUADRATIC)
        return d * d;
    return a != b;
}

static double naive_kappa(hone_agree_kind k, const double *x)
{
    double off = 0, chance = 0;
    for (size_t a = 0; a < RATERS; a++) {
        for (size_t b = a + 1; b < RATERS; b++) {
            double n = 0, e = 0;
            for (size_t i = 0; i < ITEMS; i++) {
                if (isnan(x[i * RATERS + a]) || isnan(x[i * RATERS + b]))
                    continue;
                n++;
                off += level_weight(k, x[i * RATERS + a], x[i * RATERS + b]);
                for (size_t j = 0; j < ITEMS; j++)
                    if (!isnan(x[j * RATERS + a]) && !isnan(x[j * RATERS + b]))
                        e += level_weight(k, x[i * RATERS + a], x[j * RATERS + b]);
            }
            chance += n > 0 ? e / n : 0;
        }
    }
    return 1 - off / chance;
}

static double naive_ac(hone_agree_kind k, const double *x)
{
    double agreed = 0, two = 0, pi[LEVELS] = {0}, one = 0, total = 0, sum = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        double r[LEVELS] = {0}, n = 0, inner = 0;
        for (size_t j = 0; j < RATERS; j++) {
            if (!isnan(x[i * RATERS + j])) {
                r[(int)x[i * RATERS + j] - 1]++;
                n++;
            }
        }
        for (int c = 0; c < LEVELS; c++) {
            double star = 0;
            for (int d = 0; d < LEVELS; d++)
                star += (1 - level_weight(k, c, d)) * r[d];
            inner += r[c] * (star - 1);
        }
        if (n >= 2) {
            agreed += inner / (n * (n - 1));
            two++;
        }
        one += n > 0;
        for (int c = 0; n > 0 && c < LEVELS; c++)
            pi[c] += r[c] / n;
    }
    for (int c = 0; c < LEVELS; c++) {
        sum += pi[c] / one * (1 - pi[c] / one);
        for (int d = 0; d < LEVELS; d++)
            total += 1 - level_weight(k, c, d);
    }
    double e = total / (LEVELS * (LEVELS - 1)) * sum;
    return (agreed / two - e) / (1 - e);
}

static void coefficients_are_their_definitions(void **state)
{
    (void)state;
    static const hone_agree_kind kappas[] = {HONE_AGREE_KAPPA, HONE_AGREE_KAPPA_LINEAR,
                                             HONE_AGREE_KAPPA_QUADRATIC};
    static const hone_agree_kind acs[] = {HONE_AGREE_AC1, HONE_AGREE_AC2_LINEAR,
                                          HONE_AGREE_AC2_QUADRATIC};
    static const double scale[LEVELS] = {1, 2, 3, 4, 5};
    double x[ITEMS * RATERS];
    for (uint64_t seed = 1; seed < 6; seed++) {
        random_ratings(seed, x, .2);
        hone_ratings r = {x, ITEMS, RATERS, scale, LEVELS};
        for (size_t k = 0; k < 3; k++) {
            hone_figure f = agree(&r, kappas[k]);
            assert_value(&f, naive_kappa(kappas[k], x), 1e-12);
            f = agree(&r, acs[k]);
            assert_value(&f, naive_ac(acs[k], x), 1e-12);
        }
    }
}

static void one_column_with_the_others_is_its_pairs(void **state)
{
    (void)state;
    double x[ITEMS * RATERS], two[ITEMS * RATERS * 2];
    random_ratings(3, x, .1);
    /* alpha of the pairs (column 0, another), each a unit of its own */
    size_t n = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        for (size_t j = 1; j < RATERS; j++) {
            if (!isnan(x[i * RATERS]) && !isnan(x[i * RATERS + j])) {
                two[n++] = x[i * RATERS];
                two[n++] = x[i * RATERS + j];
            }
        }
    }
    hone_ratings all = {.x = x, .items = ITEMS, .raters = RATERS};
    hone_ratings pairs = {.x = two, .items = n / 2, .raters = 2};
    for (int k = HONE_AGREE_FLEISS; k <= HONE_AGREE_ALPHA_RATIO; k++) {
        hone_figure f, g = agree(&pairs, (hone_agree_kind)k), with, difference;
        assert_ok(hone_agree_with(&all, 0, (hone_agree_kind)k, NULL, &f));
        assert_value(&f, g.value, 1e-12);
        /* a judge that is a copy of an expert: agreement and difference hang together */
        assert_ok(hone_agree_with(&all, 0, (hone_agree_kind)k, NULL, &with));
        assert_ok(hone_agree_difference(&all, 0, (hone_agree_kind)k, NULL, &difference));
        assert_null(difference.why);
        assert_true(fabs(difference.value) < 1);
    }
}

static void the_difference_is_with_minus_others(void **state)
{
    (void)state;
    double x[ITEMS * RATERS], others[ITEMS * (RATERS - 1)];
    random_ratings(4, x, 0);
    for (size_t i = 0; i < ITEMS; i++)
        for (size_t j = 1; j < RATERS; j++)
            others[i * (RATERS - 1) + j - 1] = x[i * RATERS + j];
    hone_ratings all = {.x = x, .items = ITEMS, .raters = RATERS};
    hone_ratings rest = {.x = others, .items = ITEMS, .raters = RATERS - 1};
    hone_boot boot = {.seed = 1};
    for (int k = HONE_AGREE_ACCURACY; k <= HONE_AGREE_KAPPA_QUADRATIC; k++) {
        hone_figure with, d, ceiling = agree(&rest, (hone_agree_kind)k);
        assert_ok(hone_agree_with(&all, 0, (hone_agree_kind)k, NULL, &with));
        assert_ok(hone_agree_difference(&all, 0, (hone_agree_kind)k, &boot, &d));
        assert_value(&d, with.value - ceiling.value, 1e-12);
        assert_true(hone_figure_has_interval(&d));
        assert_true(d.lo < d.value && d.value < d.hi);
    }
}

static void order_is_counted_pair_by_pair(void **state)
{
    (void)state;
    enum { N = 60 };
    double x[N], y[N];
    uint64_t group[N];
    for (uint64_t seed = 1; seed < 8; seed++) {
        double net = 0, tx = 0, ty = 0, both = 0, pairs = 0, w[5] = {0}, half = 0, ordered = 0;
        for (size_t i = 0; i < N; i++) {
            x[i] = floor(uniform(seed, i) * 6);
            y[i] = floor(x[i] / 2 + uniform(seed, i + 100) * 3);
            group[i] = (uint64_t)(uniform(seed, i + 200) * 9);
        }
        for (size_t i = 0; i < N; i++) {
            for (size_t j = i + 1; j < N; j++) {
                double dx = x[i] - x[j], dy = y[i] - y[j];
                int same = group[i] == group[j];
                pairs++;
                tx += dx == 0;
                ty += dy == 0;
                both += dx == 0 && dy == 0;
                net += dx * dy > 0 ? 1 : dx * dy < 0 ? -1 : 0;
                w[0] += same;
                w[1] += same && dx == 0;
                w[2] += same && dy == 0;
                w[3] += same && dx == 0 && dy == 0;
                w[4] += same ? (dx * dy > 0 ? 1 : dx * dy < 0 ? -1 : 0) : 0;
                ordered += same && dy != 0;
                half += same && dy != 0 ? (dx == 0 ? .5 : dx * dy > 0) : 0;
            }
        }
        hone_figure f;
        assert_ok(hone_rank_tau_b(x, y, N, NULL, &f));
        assert_value(&f, net / sqrt((pairs - tx) * (pairs - ty)), 1e-12);
        assert_ok(hone_rank_tau_b_within(x, y, group, N, NULL, &f));
        assert_value(&f, w[4] / sqrt((w[0] - w[1]) * (w[0] - w[2])), 1e-12);
        double apart = pairs - tx - ty + both, right = (apart + net) / 2;
        for (int near = 0; near < 2; near++) { /* the walk, and pairs one by one */
            double epsilon = near ? .5 : 0;
            assert_ok(hone_rank_pairwise(x, y, NULL, N, epsilon, HONE_RANK_TIES_BOTH, NULL, &f));
            assert_value(&f, (right + both) / pairs, 1e-12);
            assert_int_equal(f.n, N * (N - 1) / 2);
            assert_ok(hone_rank_pairwise(x, y, group, N, epsilon, HONE_RANK_TIES_HALF, NULL, &f));
            assert_value(&f, half / ordered, 1e-12);
        }
    }
}

static void spearman_is_the_correlation_of_mid_ranks(void **state)
{
    (void)state;
    /* without ties: 1 - 6 sum d^2/(n (n^2 - 1)) */
    static const double x[8] = {3, 1, 4, 1.5, 5, 9, 2, 6}, y[8] = {2, 7, 1, 8, 2.5, 3, 9, 4};
    static const double rx[8] = {4, 1, 5, 2, 6, 8, 3, 7}, ry[8] = {2, 6, 1, 7, 3, 4, 8, 5};
    double d2 = 0;
    hone_figure f;
    for (size_t i = 0; i < 8; i++)
        d2 += (rx[i] - ry[i]) * (rx[i] - ry[i]);
    assert_ok(hone_rank_spearman(x, y, 8, NULL, &f));
    assert_value(&f, 1 - 6 * d2 / (8 * 63.), 1e-12);
    /* with ties, ranks 1 2.5 2.5 4 against 1 2 3.5 3.5 */
    static const double a[4] = {1, 2, 2, 3}, b[4] = {1, 2, 3, 3};
    assert_ok(hone_rank_spearman(a, b, 4, NULL, &f));
    assert_value(&f, 3.75 / sqrt(4.5 * 4.5), 1e-12);
}

/* ---- reliability ---- */

static void reliability_is_the_analysis_of_variance(void **state)
{
    (void)state;
    enum { P = 12, G = 5, M = 3 };
    double x[P * G * M], msb = 0, mse = 0;
    uint64_t group[P * G];
    hone_reliability r;
    for (size_t i = 0; i < P * G; i++) {
        group[i] = 1000 - i % P; /* not in order */
        for (size_t m = 0; m < M; m++)
            x[i * M + m] = 3 * uniform(9, i) + uniform(10, i * M + m) + 5 * uniform(11, i % P);
    }
    for (size_t p = 0; p < P; p++) {
        double mean = 0, of[G];
        for (size_t k = 0; k < G; k++) {
            size_t i = p + k * P;
            of[k] = (x[i * M] + x[i * M + 1] + x[i * M + 2]) / M;
            mean += of[k] / G;
            for (size_t m = 0; m < M; m++)
                mse += (x[i * M + m] - of[k]) * (x[i * M + m] - of[k]) / (P * G * (M - 1));
        }
        for (size_t k = 0; k < G; k++)
            msb += M * (of[k] - mean) * (of[k] - mean) / (P * (G - 1));
    }
    hone_boot boot = {.seed = 1};
    assert_ok(hone_reliability_measure(x, P * G, M, group, &boot, &r));
    assert_near(r.msb, msb, 1e-12);
    assert_near(r.mse, mse, 1e-12);
    assert_value(&r.rho, (msb - mse) / msb, 1e-12);
    assert_near(r.var_c, (msb - mse) / M, 1e-12);
    assert_near(r.repeats, M, 1e-12);
    assert_near(r.flip, acos(r.rho.value) / 3.14159265358979323846, 1e-12);
    assert_int_equal(r.groups, P);
    assert_int_equal(r.completions, P * G);
    assert_near(r.group_size, G, 0);
    assert_true(hone_figure_has_interval(&r.rho) && r.rho.lo > 0 && r.rho.hi < 1);
    assert_value(&r.zero_variance, 0, 0);
    assert_value(&r.tie_share, 0, 0);
    assert_int_equal(r.tie_share.n, P * G * (G - 1) / 2);
    double want = .9 / .1 * (mse / ((msb - mse) / M));
    assert_int_equal(hone_reliability_repeats(&r, .9), (size_t)ceil(want));
    assert_true(hone_reliability_repeats(&r, .5) >= 1);
    assert_int_equal(hone_reliability_repeats(&r, 1), 0);
}

static void a_judge_that_always_says_five_discriminates_nothing(void **state)
{
    (void)state;
    double x[40];
    uint64_t group[20];
    hone_boot boot = {.seed = 1};
    hone_reliability r;
    for (size_t i = 0; i < 20; i++) {
        x[2 * i] = x[2 * i + 1] = 5;
        group[i] = i / 4;
    }
    assert_ok(hone_reliability_measure(x, 20, 2, group, &boot, &r));
    assert_non_null(r.rho.why);
    assert_value(&r.zero_variance, 1, 0);
    assert_value(&r.tie_share, 1, 0);
    assert_true(r.zero_variance.lo > .3 && r.zero_variance.lo < .7); /* five groups say little */
    assert_non_null(r.flip_once.why);
    assert_near(r.flip, .5, 0);
    assert_int_equal(hone_reliability_repeats(&r, .5), 0);
}

static void one_verdict_a_completion_still_says_what_it_can(void **state)
{
    (void)state;
    static const double x[6] = {1, 2, 2, 3, 3, 3};
    static const uint64_t group[6] = {7, 7, 7, 8, 8, 8};
    hone_reliability r;
    assert_ok(hone_reliability_measure(x, 6, 1, group, NULL, &r));
    assert_string_equal(r.rho.why, "one verdict a completion: run the judge at least twice");
    assert_value(&r.zero_variance, .5, 0);
    assert_value(&r.tie_share, 4. / 6, 1e-12);
}

static void a_sign_flips_as_often_as_measured(void **state)
{
    (void)state;
    /* one group, two runs; means 2.5 and 2.5: signs - - + + against + - - + */
    static const double x[8] = {1, 4, 2, 1, 3, 1, 4, 4};
    static const uint64_t group[4] = {1, 1, 1, 1};
    hone_reliability r;
    assert_ok(hone_reliability_measure(x, 4, 2, group, NULL, &r));
    assert_value(&r.flip_once, .5, 0);
    assert_int_equal(r.flip_once.n, 4);
}

static void contrast_is_the_spread_within_prompts(void **state)
{
    (void)state;
    static const double x[4] = {1, 3, 2, 2};
    static const uint64_t group[4] = {1, 1, 2, 2};
    hone_figure f;
    assert_ok(hone_reliability_contrast(x, 4, 1, group, 4, NULL, &f));
    assert_value(&f, sqrt(2) / 4 / 2, 1e-12);
    assert_int_equal(f.n, 2);
}

/* ---- prevalence and prediction-powered means ---- */

static void corrected_prevalence_is_its_formula(void **state)
{
    (void)state;
    hone_prevalence in = {60, 200, 45, 50, 40, 50}; /* p .3, q1 .9, q0 .8 */
    hone_figure f = hone_prevalence_corrected(&in, .95);
    assert_value(&f, (.3 + .8 - 1) / (.9 + .8 - 1), 1e-12);
    /* by hand: middle .13700 - .01922, half .1713 */
    assert_near(f.lo, 0, 0);
    assert_near(f.hi, .2890, 5e-4);
    in.true_pos = 10; /* sensitivity .2, specificity .8: a coin */
    f = hone_prevalence_corrected(&in, .95);
    assert_non_null(f.why);
    in.positives = in.true_pos = 0;
    f = hone_prevalence_corrected(&in, .95);
    assert_non_null(strstr(f.why, "one class"));
}

static void ppi_without_verdicts_is_the_mean_and_with_perfect_ones_uses_them(void **state)
{
    (void)state;
    enum { N = 50, MORE = 500 };
    double y[N], f[MORE], lambda, mean = 0, all = 0;
    hone_boot boot = {.seed = 1};
    hone_figure plain, powered, none;
    for (size_t i = 0; i < N; i++) {
        y[i] = uniform(1, i);
        mean += y[i] / N;
    }
    for (size_t i = 0; i < MORE; i++) {
        f[i] = uniform(2, i);
        all += f[i] / MORE;
    }
    assert_ok(hone_ppi_mean(y, y, N, NULL, 0, NULL, &boot, &none, &lambda));
    assert_near(lambda, 0, 0);
    assert_value(&none, mean, 1e-12);
    assert_ok(hone_interval_mean(y, N, &boot, &plain));
    assert_ok(hone_ppi_mean(y, y, N, f, MORE, NULL, &boot, &powered, &lambda));
    assert_near(lambda, 1 / (1 + (double)N / MORE), 1e-12);
    assert_value(&powered, lambda * all + mean - lambda * mean, 1e-12);
    assert_true(powered.hi - powered.lo < .6 * (plain.hi - plain.lo));
    /* a constant judge helps nothing and harms nothing */
    for (size_t i = 0; i < MORE; i++)
        f[i] = 5;
    assert_ok(hone_ppi_mean(y, f, N, f, MORE, NULL, &boot, &powered, &lambda));
    assert_near(lambda, 0, 0);
    assert_value(&powered, mean, 1e-12);
}

/* With nothing but a mean, all three ways are Student's interval as textbooks have it. */
static void the_interval_of_a_mean_is_students(void **state)
{
    (void)state;
    static const double y[8] = {12, 15, 9, 22, 17, 14, 11, 20};
    uint64_t pairs[16];
    double twice[16], mean = 15, ss = 0, t7 = 2.364624251592785;
    hone_boot rows = {.seed = 1}, clusters = {.cluster = pairs};
    hone_figure f;
    for (size_t i = 0; i < 8; i++) {
        ss += (y[i] - mean) * (y[i] - mean);
        twice[2 * i] = y[i] - 1; /* two rows of a cluster, whose means are y */
        twice[2 * i + 1] = y[i] + 1;
        pairs[2 * i] = pairs[2 * i + 1] = 50 - i;
    }
    double half = t7 * sqrt(ss / 7 / 8);
    assert_ok(hone_interval_mean(y, 8, &rows, &f));
    assert_value(&f, mean, 1e-12);
    assert_near(f.lo, mean - half, 1e-9);
    assert_near(f.hi, mean + half, 1e-9);
    assert_ok(hone_interval_mean(twice, 16, &clusters, &f));
    assert_near(f.lo, mean - half, 1e-9);
    assert_ok(hone_ppi_mean(y, y, 8, NULL, 0, NULL, &rows, &f, NULL));
    assert_near(f.lo, mean - half, 1e-9);
    assert_near(f.hi, mean + half, 1e-9);
    rows.level = .5;
    assert_ok(hone_interval_mean(y, 8, &rows, &f));
    assert_near(f.hi, mean + .7111417779 * sqrt(ss / 7 / 8), 1e-8);
}

/* ---- confusion, curves, tests, strengths ---- */

static void confusion_counts_and_thresholds(void **state)
{
    (void)state;
    static const double judge[8] = {1, 2, 4, 5, 5, 2, 4, (double)NAN};
    static const double expert[8] = {1, 1, 5, 5, 4, 4, 1, 5};
    static const double levels[5] = {1, 2, 3, 4, 5};
    uint64_t counts[25];
    hone_confusion c;
    const char *why;
    double at;
    assert_int_equal(hone_confusion_table(judge, expert, 8, levels, 5, counts), 7);
    assert_int_equal(counts[0 * 5 + 0], 1);
    assert_int_equal(counts[3 * 5 + 1], 1); /* expert 4, judge 2 */
    assert_int_equal(counts[4 * 5 + 3], 1);
    assert_ok(hone_confusion_binary(judge, expert, 8, 4, 4, NULL, &c));
    assert_int_equal(c.tp, 3);
    assert_int_equal(c.fn, 1);
    assert_int_equal(c.fp, 1);
    assert_int_equal(c.tn, 2);
    assert_value(&c.tpr, .75, 0);
    assert_value(&c.tnr, 2. / 3, 1e-12);
    assert_value(&c.precision, .75, 0);
    assert_value(&c.accuracy, 5. / 7, 1e-12);
    assert_ok(hone_confusion_threshold(judge, expert, 8, 4, &at, &why));
    assert_null(why);
    assert_near(at, 5, 0); /* TPR .5, no false positive; at 4: .75 - 1/3 */
    assert_ok(hone_confusion_threshold(judge, expert, 8, 0, &at, &why));
    assert_string_equal(why, "experts call nothing negative");
}

static void curves_are_their_formulas(void **state)
{
    (void)state;
    static const double p[4] = {.1, .15, .8, .9}, y[4] = {0, 1, 1, 1};
    hone_figure f;
    assert_ok(hone_curve_brier(p, y, 4, NULL, &f));
    assert_value(&f, (.01 + .7225 + .04 + .01) / 4, 1e-12);
    assert_ok(hone_curve_ece(p, y, 4, 2, NULL, &f));
    assert_value(&f, (fabs(.25 - 1) + fabs(1.7 - 2)) / 4, 1e-12);
    hone_isotonic m;
    static const double x[6] = {1, 2, 3, 4, 5, 5}, z[6] = {1, 3, 2, 2, 6, 4};
    assert_ok(hone_isotonic_fit(x, z, 6, &m));
    assert_near(hone_isotonic_at(&m, 0), 1, 0);
    assert_near(hone_isotonic_at(&m, 2), 7. / 3, 1e-12);
    assert_near(hone_isotonic_at(&m, 3.3), 7. / 3, 1e-12);
    assert_near(hone_isotonic_at(&m, 4.5), (7. / 3 + 5) / 2, 1e-12);
    assert_near(hone_isotonic_at(&m, 99), 5, 1e-12);
    hone_isotonic_release(&m);
    assert_ok(hone_isotonic_fit(x, z, 0, &m));
    assert_near(hone_isotonic_at(&m, 1), 0, 0);
    hone_isotonic_release(&m);
}

static void benjamini_yekutieli_steps_up(void **state)
{
    (void)state;
    /* bounds k q/(4 (1 + 1/2 + 1/3 + 1/4)) = .006, .012, .018, .024: the third is below its own */
    static const double p[4] = {.0175, .5, .007, .011};
    uint8_t reject[4];
    assert_ok(hone_alt_test_adjust(p, 4, .05, reject));
    assert_int_equal(reject[0], 1);
    assert_int_equal(reject[1], 0);
    assert_int_equal(reject[2], 1);
    assert_int_equal(reject[3], 1);
    static const double q[4] = {.019, .5, .019, .019};
    assert_ok(hone_alt_test_adjust(q, 4, .05, reject));
    assert_int_equal(reject[0] + reject[1] + reject[2] + reject[3], 0);
}

static void the_alternative_annotator_is_as_good_as_an_expert_or_is_not(void **state)
{
    (void)state;
    enum { N = 200 };
    double x[N * 4], p[4];
    hone_alt_test t;
    for (int good = 0; good < 2; good++) {
        for (size_t i = 0; i < N; i++) {
            double truth = floor(uniform(20, i) * 3);
            for (size_t j = 0; j < 4; j++) {
                double right = j == 3 && !good ? .4 : .85;
                x[i * 4 + j] = uniform(21 + j, i) < right ? truth : floor(uniform(31 + j, i) * 3);
            }
        }
        for (int distance = 0; distance < 2; distance++) {
            hone_ratings r = {.x = x, .items = N, .raters = 4};
            assert_ok(hone_alt_test_run(&r, 3, distance, .2, 0, NULL, p, &t));
            assert_null(t.why);
            assert_int_equal(t.experts, 3);
            assert_int_equal(t.passed, good);
            assert_near(t.winning_rate, good, 0);
            assert_near(p[3], 1, 0);
        }
    }
    hone_ratings few = {.x = x, .items = 29, .raters = 4};
    assert_ok(hone_alt_test_run(&few, 3, 0, .2, 0, NULL, p, &t));
    assert_non_null(t.why);
    hone_ratings two = {.x = x, .items = 100, .raters = 3};
    assert_ok(hone_alt_test_run(&two, 2, 0, .2, 0, NULL, NULL, &t));
    assert_string_equal(t.why, "fewer than three experts");
}

static void strengths_come_back_with_ties(void **state)
{
    (void)state;
    static const double truth[4] = {1.2, .3, -.4, -1.1};
    const double eta = .6;
    hone_match m[6];
    size_t n = 0;
    double s[4], se[4], win, lose;
    hone_strengths out;
    for (uint32_t a = 0; a < 4; a++) {
        for (uint32_t b = a + 1; b < 4; b++) {
            hone_strength_predict(truth[a], truth[b], eta, &win, &lose);
            m[n++] = (hone_match){a, b, 1e6 * win, 1e6 * lose, 1e6 * (1 - win - lose)};
        }
    }
    assert_ok(hone_strength_fit(m, n, 4, 1e-6, 1, s, se, &out));
    assert_null(out.why);
    assert_near(out.eta, eta, 1e-6);
    for (size_t k = 0; k < 4; k++) {
        assert_near(s[k], truth[k], 1e-6);
        assert_true(se[k] > 0);
    }
    /* somebody who never lost stays finite; who never played is 0; two parts are told */
    hone_match won[1] = {{0, 1, 5, 0, 0}};
    assert_ok(hone_strength_fit(won, 1, 4, .1, 1, s, se, &out));
    assert_null(out.why);
    assert_int_equal(out.parts, 3);
    assert_true(s[0] > 0 && s[0] < 10);
    assert_near(s[0], -s[1], 1e-9);
    assert_near(s[2], 0, 1e-9);
    assert_ok(hone_strength_fit(NULL, 0, 4, .1, 1, s, se, &out));
    assert_string_equal(out.why, "no match was played");
    hone_match self = {2, 2, 1, 0, 0}, odd = {0, 1, missing, 0, 0}, far = {0, 9, 1, 1, 1};
    assert_fails(hone_strength_fit(&self, 1, 4, .1, 1, s, se, &out), HONE_E_INVALID, "match 0");
    assert_fails(hone_strength_fit(&odd, 1, 4, .1, 1, s, se, &out), HONE_E_INVALID, "match 0");
    assert_fails(hone_strength_fit(&far, 1, 4, .1, 1, s, se, &out), HONE_E_INVALID, "match 0");
}

static void length_control_takes_length_out(void **state)
{
    (void)state;
    enum { N = 3000 };
    static double y[N], d[N];
    hone_boot boot = {.seed = 1};
    hone_length_control f;
    for (size_t i = 0; i < N; i++) { /* a is no better, only longer, and length wins */
        d[i] = 100 + 200 * (uniform(40, i) - .5) * 3.4641;
        double p = 1 / (1 + exp(-1.5 * tanh(d[i] / 200)));
        y[i] = uniform(41, i) < p;
    }
    assert_ok(hone_length_control_fit(y, d, N, &boot, &f));
    assert_true(f.raw.lo > .55);
    assert_true(f.controlled.lo < .5 && f.controlled.hi > .5);
    assert_true(f.slope.lo > 1 && f.slope.lo < 1.5 && f.slope.hi > 1.5);
    for (size_t i = 0; i < N; i++)
        d[i] = 7;
    assert_ok(hone_length_control_fit(y, d, N, &boot, &f));
    assert_null(f.raw.why);
    assert_non_null(f.controlled.why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions_match_their_tables),
        cmocka_unit_test(distributions_take_anything),
        cmocka_unit_test(icc_is_shrout_and_fleiss),
        cmocka_unit_test(gwets_and_congers_coefficients_are_the_published),
        cmocka_unit_test(kappa_of_two_readers),
        cmocka_unit_test(bradley_terry_is_the_baseball_example),
        cmocka_unit_test(wilson_is_newcombes_table),
        cmocka_unit_test(published_examples_come_out),
        cmocka_unit_test(coefficients_are_their_definitions),
        cmocka_unit_test(one_column_with_the_others_is_its_pairs),
        cmocka_unit_test(the_difference_is_with_minus_others),
        cmocka_unit_test(order_is_counted_pair_by_pair),
        cmocka_unit_test(spearman_is_the_correlation_of_mid_ranks),
        cmocka_unit_test(reliability_is_the_analysis_of_variance),
        cmocka_unit_test(a_judge_that_always_says_five_discriminates_nothing),
        cmocka_unit_test(one_verdict_a_completion_still_says_what_it_can),
        cmocka_unit_test(a_sign_flips_as_often_as_measured),
        cmocka_unit_test(contrast_is_the_spread_within_prompts),
        cmocka_unit_test(corrected_prevalence_is_its_formula),
        cmocka_unit_test(ppi_without_verdicts_is_the_mean_and_with_perfect_ones_uses_them),
        cmocka_unit_test(the_interval_of_a_mean_is_students),
        cmocka_unit_test(confusion_counts_and_thresholds),
        cmocka_unit_test(curves_are_their_formulas),
        cmocka_unit_test(benjamini_yekutieli_steps_up),
        cmocka_unit_test(the_alternative_annotator_is_as_good_as_an_expert_or_is_not),
        cmocka_unit_test(strengths_come_back_with_ties),
        cmocka_unit_test(length_control_takes_length_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
