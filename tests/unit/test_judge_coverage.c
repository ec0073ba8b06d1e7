/* test_judge_coverage.c - do 95 % intervals hold the truth 95 times in a hundred.
 *
 * Data are drawn from models whose truth is known, by clusters that really differ (a prompt's rate of
 * positives is its own), and how often the interval holds the truth is counted. HONE_FULL=1: 2,000 runs a
 * case and coverage between 93 and 97 %; otherwise 300 runs, and that band widened by three standard
 * errors of so few runs. */
#include "support.h"

#include "base/rng.h"
#include "judge/stats.h"

#include <math.h>

static uint64_t counter;

static double uniform(void)
{
    static const hone_rng_key key = {.seed = 20260, .purpose = HONE_RNG_USER};
    return hone_rng_uniform(&key, counter++);
}

static double normal(void)
{
    static const hone_rng_key key = {.seed = 20261, .purpose = HONE_RNG_USER};
    return hone_rng_normal(&key, counter++);
}

static size_t runs(void)
{
    const char *full = getenv("HONE_FULL");
    return full && *full ? 2000 : 300;
}

typedef struct plan {
    size_t n, clusters;
    double prevalence;
} plan;

static const plan plans[] = {{100, 25, .2},  {100, 25, .5},  {100, 50, .2},  {100, 50, .5},
                             {100, 100, .2}, {100, 100, .5}, {400, 25, .2},  {400, 25, .5},
                             {400, 100, .2}, {400, 100, .5}, {400, 400, .2}, {400, 400, .5}};
#define PLANS (sizeof plans / sizeof *plans)
#define MOST 400
#define MORE 2000 /* verdicts without label */

#define SPREAD .1 /* a cluster's rate of positives is the prevalence plus or minus this */
static const double sensitivity = .85, specificity = .9;

typedef struct data {
    double expert[MOST], judge[MOST], more[MORE], pairs[2 * MOST];
    uint64_t cluster[MOST], cluster_more[MORE];
} data;

static double verdict(double truth)
{
    return truth != 0 ? uniform() < sensitivity : uniform() >= specificity;
}

static void draw(const plan *p, data *d)
{
    size_t each = p->n / p->clusters;
    double rate = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (i % each == 0)
            rate = p->prevalence + (each == 1 ? 0 : uniform() < .5 ? SPREAD : -SPREAD);
        d->cluster[i] = i / each;
        d->pairs[2 * i] = d->expert[i] = uniform() < rate;
        d->pairs[2 * i + 1] = d->judge[i] = verdict(d->expert[i]);
    }
    for (size_t i = 0; i < MORE; i++) {
        if (i % 4 == 0)
            rate = p->prevalence + (uniform() < .5 ? SPREAD : -SPREAD);
        d->cluster_more[i] = 1000000 + i / 4;
        d->more[i] = verdict(uniform() < rate);
    }
}

/* Coverage within the band, or a failure that names the case. */
static void held(const char *what, const plan *p, size_t hits, size_t n)
{
    double c = (double)hits / (double)n, slack = n >= 2000 ? 0 : 3 * sqrt(.95 * .05 / (double)n);
    if (n >= 2000 || getenv("HONE_COVERAGE"))
        print_message("%-22s n %3zu clusters %3zu prevalence %.1f: %.4f\n", what, p->n, p->clusters,
                      p->prevalence, c);
    if (c < .93 - slack || c > .97 + slack)
        fail_msg("%s: n %zu, %zu clusters, prevalence %.1f: coverage %.4f of %zu\n", what, p->n,
                 p->clusters, p->prevalence, c, n);
}

static int holds(const hone_figure *f, double truth)
{
    if (f->why || !hone_figure_has_interval(f))
        fail_msg("no interval: %s\n", f->why ? f->why : f->note);
    return f->lo <= truth && truth <= f->hi;
}

static void kappa_ac_and_alpha(void **state)
{
    (void)state;
    static data d;
    static const struct {
        hone_agree_kind kind;
        const char *name;
    } kinds[] = {{HONE_AGREE_KAPPA, "kappa"},
                 {HONE_AGREE_AC1, "ac1"},
                 {HONE_AGREE_ALPHA_NOMINAL, "alpha"},
                 {HONE_AGREE_ACCURACY, "accuracy"}};
    for (size_t k = 0; k < PLANS; k++) {
        const plan *p = &plans[k];
        double pr = p->prevalence, off = pr * (1 - sensitivity) + (1 - pr) * (1 - specificity);
        double pj = pr * sensitivity + (1 - pr) * (1 - specificity), mean = (pr + pj) / 2;
        double chance = pr * (1 - pj) + pj * (1 - pr), same = 2 * mean * (1 - mean);
        const double truth[4] = {1 - off / chance, (1 - off - same) / (1 - same), 1 - off / same,
                                 1 - off};
        size_t hits[4] = {0}, n = runs();
        for (size_t r = 0; r < n; r++) {
            draw(p, &d);
            hone_boot boot = {.cluster = d.cluster, .seed = r};
            hone_ratings m = {.x = d.pairs, .items = p->n, .raters = 2};
            for (size_t q = 0; q < 4; q++) {
                hone_figure f;
                assert_ok(hone_agree_all(&m, kinds[q].kind, &boot, &f));
                hits[q] += (size_t)holds(&f, truth[q]);
            }
        }
        for (size_t q = 0; q < 4; q++)
            held(kinds[q].name, p, hits[q], n);
    }
}

static void prevalence_and_ppi(void **state)
{
    (void)state;
    static data d;
    for (size_t k = 0; k < PLANS; k++) {
        const plan *p = &plans[k];
        size_t hits[3] = {0}, n = runs();
        for (size_t r = 0; r < n; r++) {
            hone_figure f;
            draw(p, &d);
            hone_boot boot = {.cluster = d.cluster, .seed = r};
            assert_ok(hone_prevalence_estimate(d.judge, d.expert, p->n, d.more, MORE,
                                               d.cluster_more, &boot, &f));
            hits[0] += (size_t)holds(&f, p->prevalence);
            assert_ok(hone_ppi_mean(d.expert, d.judge, p->n, d.more, MORE, d.cluster_more, &boot,
                                    &f, NULL));
            hits[1] += (size_t)holds(&f, p->prevalence);
            assert_ok(hone_interval_share(d.expert, p->n, &boot, &f));
            hits[2] += (size_t)holds(&f, p->prevalence);
        }
        held("corrected prevalence", p, hits[0], n);
        held("ppi++", p, hits[1], n);
        held("share", p, hits[2], n);
    }
}

/* Independent samples of n judged, n labelled: the interval as the paper has it. */
static void prevalence_from_counts(void **state)
{
    (void)state;
    for (size_t k = 0; k < PLANS; k++) {
        const plan *p = &plans[k];
        size_t hits = 0, n = runs();
        if (p->clusters != p->n)
            continue;
        for (size_t r = 0; r < n; r++) {
            hone_prevalence c = {.n = (double)p->n};
            for (size_t i = 0; i < p->n; i++) {
                double yes = uniform() < p->prevalence;
                c.hits += verdict(uniform() < p->prevalence);
                c.positives += yes;
                c.true_pos += yes * verdict(1);
                c.negatives += 1 - yes;
                c.true_neg += (1 - yes) * (1 - verdict(0));
            }
            hone_figure f = hone_prevalence_corrected(&c, .95);
            hits += (size_t)holds(&f, p->prevalence);
        }
        held("prevalence, counts", p, hits, n);
    }
}

/* Continuous scores, and verdicts of 0 and 1 whose rate is the completion's own. */
static void reliability(void **state)
{
    (void)state;
    enum { M = 3 };
    static double x[MOST * M];
    static uint64_t group[MOST];
    for (size_t k = 0; k < PLANS; k++) {
        const plan *p = &plans[k];
        size_t each = p->n / p->clusters, hits[2] = {0}, n = runs();
        if (each < 2)
            continue;
        double pr = p->prevalence, rate_var = SPREAD * SPREAD, noise = pr * (1 - pr) - rate_var;
        const double truth[2] = {M / (M + 1.), M * rate_var / (M * rate_var + noise)};
        for (size_t r = 0; r < n; r++) {
            for (int binary = 0; binary < 2; binary++) {
                double prompt = 0;
                hone_reliability f;
                for (size_t i = 0; i < p->n; i++) {
                    if (i % each == 0)
                        prompt = normal();
                    double own = binary ? pr + (uniform() < .5 ? SPREAD : -SPREAD) : normal();
                    group[i] = i / each;
                    for (size_t m = 0; m < M; m++)
                        x[i * M + m] = binary ? uniform() < own : prompt + own + normal();
                }
                hone_boot boot = {.seed = r};
                assert_ok(hone_reliability_measure(x, p->n, M, group, &boot, &f));
                hits[binary] += (size_t)holds(&f.rho, truth[binary]);
            }
        }
        held("reliability, normal", p, hits[0], n);
        held("reliability, binary", p, hits[1], n);
    }
}

/* Five levels, a judge and three experts: what the gate's first line is made of. Truth from one draw of
 * many items. */
static void rate_items(double *x, uint64_t *cluster, size_t n, size_t each)
{
    double prompt = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % each == 0)
            prompt = .5 * normal();
        double quality = prompt + normal();
        cluster[i] = i / each;
        for (size_t j = 0; j < 4; j++) {
            double v = quality + (j == 0 ? .8 : .5) * normal();
            x[i * 4 + j] = v < -1.2 ? 1 : v < -.4 ? 2 : v < .4 ? 3 : v < 1.2 ? 4 : 5;
        }
    }
}

static void five_levels(void **state)
{
    (void)state;
    enum { LARGE = 400000 };
    static const double levels[5] = {1, 2, 3, 4, 5};
    static const hone_agree_kind kinds[3] = {HONE_AGREE_KAPPA_QUADRATIC, HONE_AGREE_AC2_QUADRATIC,
                                             HONE_AGREE_ALPHA_ORDINAL};
    double *x = malloc(LARGE * 4 * sizeof *x), truth[9];
    uint64_t *cluster = malloc(LARGE * sizeof *cluster);
    assert_true(x && cluster);
    rate_items(x, cluster, LARGE, 4);
    hone_ratings all = {x, LARGE, 4, levels, 5};
    for (size_t q = 0; q < 3; q++) {
        hone_figure f;
        assert_ok(hone_agree_all(&all, kinds[q], NULL, &f));
        truth[q] = f.value;
        assert_ok(hone_agree_with(&all, 0, kinds[q], NULL, &f));
        truth[3 + q] = f.value;
        assert_ok(hone_agree_difference(&all, 0, kinds[q], NULL, &f));
        truth[6 + q] = f.value;
    }
    assert_true(truth[6] < -.02); /* the judge really is the worse rater */
    static const plan own[] = {{100, 25, .5}, {400, 100, .5}};
    for (size_t k = 0; k < 2; k++) {
        static const char *const names[9] = {"kappa_w all",  "ac2 all",  "alpha all",
                                             "kappa_w with", "ac2 with", "alpha with",
                                             "kappa_w less", "ac2 less", "alpha less"};
        size_t hits[9] = {0}, n = runs();
        for (size_t r = 0; r < n; r++) {
            rate_items(x, cluster, own[k].n, 4);
            hone_ratings m = {x, own[k].n, 4, levels, 5};
            hone_boot boot = {.cluster = cluster, .seed = r};
            for (size_t q = 0; q < 9; q++) {
                hone_figure f;
                assert_ok(q < 3   ? hone_agree_all(&m, kinds[q], &boot, &f)
                          : q < 6 ? hone_agree_with(&m, 0, kinds[q - 3], &boot, &f)
                                  : hone_agree_difference(&m, 0, kinds[q - 6], &boot, &f));
                hits[q] += (size_t)holds(&f, truth[q]);
            }
        }
        for (size_t q = 0; q < 9; q++)
            held(names[q], &own[k], hits[q], n);
    }
    free(x);
    free(cluster);
}

/* Pairs within a prompt, and tau-b there. */
static void order_within_prompts(void **state)
{
    (void)state;
    enum { LARGE = 200000 };
    double *x = malloc(LARGE * sizeof *x), *y = malloc(LARGE * sizeof *y), truth[2] = {0};
    uint64_t *group = malloc(LARGE * sizeof *group);
    static const plan own[] = {{LARGE, LARGE / 4, .5}, {100, 25, .5}, {400, 100, .5}};
    assert_true(x && y && group);
    for (size_t k = 0; k < 3; k++) {
        size_t hits[2] = {0}, n = k == 0 ? 1 : runs();
        for (size_t r = 0; r < n; r++) {
            hone_figure f[2];
            for (size_t i = 0; i < own[k].n; i++) {
                double quality = normal();
                group[i] = i / 4;
                x[i] = floor(2 * (quality + normal()));
                y[i] = floor(2 * (quality + .5 * normal()));
            }
            hone_boot boot = {.seed = r};
            assert_ok(hone_rank_pairwise(x, y, group, own[k].n, 0, HONE_RANK_TIES_HALF,
                                         k ? &boot : NULL, &f[0]));
            assert_ok(hone_rank_tau_b_within(x, y, group, own[k].n, k ? &boot : NULL, &f[1]));
            for (size_t q = 0; q < 2; q++) {
                if (k == 0)
                    truth[q] = f[q].value;
                else
                    hits[q] += (size_t)holds(&f[q], truth[q]);
            }
        }
        if (k) {
            held("pairwise accuracy", &own[k], hits[0], n);
            held("tau-b within", &own[k], hits[1], n);
        }
    }
    free(x);
    free(y);
    free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kappa_ac_and_alpha),
        cmocka_unit_test(prevalence_and_ppi),
        cmocka_unit_test(prevalence_from_counts),
        cmocka_unit_test(reliability),
        cmocka_unit_test(five_levels),
        cmocka_unit_test(order_within_prompts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
