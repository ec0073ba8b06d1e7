/* gate.c - see gate.h. The lines; records are in gate_record.c. */
#include "judge/gate.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ENOUGH_LABELS = 300, ENOUGH_OF_CLASS = 60, AGE_DAYS = 90 };

const char *hone_gate_verdict_name(int verdict)
{
    return verdict == HONE_GATE_GO            ? "GO"
           : verdict == HONE_GATE_CONDITIONAL ? "GO with conditions"
                                              : "NO-GO";
}

/* ---- lines ------------------------------------------------------------------------------------------------------------ */

typedef struct deciding {
    const hone_gate_evidence *e;
    hone_gate *g;
} deciding;

static hone_gate_line *new_line(deciding *d, const char *name, const char *asks)
{
    hone_gate_line *l = &d->g->lines[d->g->n];
    if (d->g->n + 1 < HONE_GATE_LINES)
        d->g->n++;
    memset(l, 0, sizeof *l);
    l->line = name;
    l->asks = asks;
    l->above = -1;
    l->value = hone_figure_none(0, "not asked");
    return l;
}

static void add_condition(deciding *d, const char *text)
{
    if (d->g->n_conditions < HONE_GATE_CONDITIONS)
        snprintf(d->g->conditions[d->g->n_conditions++], sizeof d->g->conditions[0], "%s", text);
}

/* How many of what n counts would bring the end of the interval to the bound; 0 where no number would: the figure itself is on
 * the wrong side. Widths go with one over the root of n, those of a share that is 0 or 1 with one over n. */
static size_t needed(const hone_figure *f, double bound, int above)
{
    const double side = above ? f->value - bound : bound - f->value,
                 half = above ? f->value - f->lo : f->hi - f->value;
    if (f->why || !(side > 0) || !isfinite(half) || f->n == 0)
        return 0;
    const double times = half / side;
    const int edge = f->value == 0 || f->value == 1;
    const double n = ceil((double)f->n * (edge ? times : times * times));
    return n < 1e9 ? (size_t)n : 0;
}

/* One figure against one bound. `unit` is what n counts; `remedy` what helps when the figure itself is wrong. */
static void compare(hone_gate_line *l, const hone_figure *f, double bound, int above, int strict,
                    const char *unit, const char *measure, const char *remedy)
{
    const double end = above ? f->lo : f->hi;
    l->value = *f;
    l->bound = bound;
    l->above = above;
    if (f->why) {
        snprintf(l->text, sizeof l->text, "unknown: %s", f->why);
        snprintf(l->remedy, sizeof l->remedy, "measure it: %s", measure);
        return;
    }
    l->passed = above ? (strict ? end > bound : end >= bound)
                      : (strict ? end < bound : end <= bound);
    snprintf(l->text, sizeof l->text, "%s end of the interval %.4g, %s %.4g is wanted",
             above ? "lower" : "upper", end,
             above    ? strict ? "above" : "at least"
             : strict ? "below"
                      : "at most",
             bound);
    if (l->passed)
        return;
    const size_t n = needed(f, bound, above);
    if (!isfinite(end))
        snprintf(l->remedy, sizeof l->remedy, "its interval is open (%s): %s",
                 f->note ? f->note : "too little was measured", measure);
    else if (n > f->n)
        snprintf(l->remedy, sizeof l->remedy,
                 "the figure is right, its interval too wide: about %zu %s instead of %zu (%s)", n,
                 unit, f->n, measure);
    else
        snprintf(l->remedy, sizeof l->remedy, "%s", remedy);
}

static hone_status figure(deciding *d, const hone_value *doc, const char *map, const char *key,
                          hone_figure *out)
{
    const hone_value *m = doc && map ? hone_value_get(doc, map) : doc;
    if (!doc) {
        *out = hone_figure_none(0, "not measured");
        return HONE_OK;
    }
    if (!m || m->type != HONE_MAP) {
        *out = hone_figure_none(0, "not reported");
        return HONE_OK;
    }
    return hone_figure_read(m, key, &d->g->arena, out);
}

static const char calibrate[] = "hone judge calibrate --labels F",
                  reliability[] = "hone judge reliability", attack[] = "hone judge attack";

static hone_status agreement(deciding *d)
{
    const hone_value *c = d->e->calibration, *t = c ? hone_value_get(c, "alt_test") : NULL;
    const hone_value *passed = t ? hone_value_get(t, "passed") : NULL;
    hone_figure kappa, ac2;
    hone_gate_line *l = new_line(d, "agreement",
                                 "does it agree with experts about as well as they do?");
    HONE_TRY(figure(d, c, "difference", "kappa_w", &kappa));
    HONE_TRY(figure(d, c, "difference", "ac2", &ac2));
    const hone_figure *f = !kappa.why && (ac2.why || kappa.lo >= ac2.lo) ? &kappa : &ac2;
    compare(l, f, -.10, 1, 1, "labelled items", calibrate,
            "look at where it differs (hone judge disagree), and mend the rubric's anchors there "
            "before anything is labelled anew");
    if (!f->why)
        snprintf(l->text + strlen(l->text), sizeof l->text - strlen(l->text), " (%s)",
                 f == &kappa ? "weighted kappa" : "Gwet AC2");
    if (!l->passed && passed && passed->type == HONE_BOOL && passed->u.boolean) {
        l->passed = 1;
        l->remedy[0] = '\0';
        snprintf(l->text, sizeof l->text, "the alternative-annotator test passes");
    } else if (!l->passed && f->why && c) {
        snprintf(l->remedy, sizeof l->remedy,
                 "let a second expert label the same items: without two there is no "
                 "expert-expert agreement to compare with (three for the "
                 "alternative-annotator test)");
    }
    return HONE_OK;
}

static hone_status pairwise_accuracy(deciding *d)
{
    hone_figure f;
    HONE_TRY(figure(d, d->e->calibration, "agreement", "pairwise_accuracy", &f));
    compare(new_line(d, "pairwise_accuracy",
                     "of two answers to one prompt, does it prefer the experts'?"),
            &f, .60, 1, 1, "pairs", calibrate,
            "let it judge more finely: more levels, label probabilities instead of one label, "
            "or a pairwise rubric");
    return HONE_OK;
}

/* rho of the mean of m repeats, as that of k (Spearman 1910, Brown 1910): it is increasing, so ends stay ends. */
static double brought_to(double rho, double m, double k)
{
    if (!isfinite(rho) || rho >= 1)
        return rho;
    if (rho <= 0)
        return rho;
    const double odds = rho / (1 - rho) * k / m;
    return odds / (1 + odds);
}

static hone_status discriminates(deciding *d)
{
    const hone_value *r = d->e->reliability,
                     *needs = r ? hone_value_get(r, "repeats_needed") : NULL;
    const double k = d->e->repeats > 0 ? d->e->repeats : 1;
    double m = 1;
    int64_t enough = 0;
    hone_figure rho, zero;
    HONE_TRY(figure(d, r, NULL, "rho", &rho));
    HONE_TRY(figure(d, r, NULL, "zero_variance", &zero));
    if (r)
        HONE_TRY(hone_value_f64(r, "repeats", 1, &m));
    if (!rho.why && m >= 1 && m != k)
        rho = hone_figure_of(brought_to(rho.value, m, k), brought_to(rho.lo, m, k),
                             brought_to(rho.hi, m, k), rho.n);
    if (needs && needs->type == HONE_MAP)
        HONE_TRY(hone_value_i64(needs, "0.5", 0, &enough));
    hone_gate_line *l = new_line(d, "rho", "do its scores tell completions of one prompt apart?");
    compare(l, &rho, .5, 1, 0, "completions", reliability,
            "its noise is as large as the differences: label probabilities instead of drawn "
            "answers, or more levels with anchors");
    if (!l->passed && !rho.why && rho.value < .5 && enough > 1)
        snprintf(l->remedy, sizeof l->remedy,
                 "ask it %lld times a sample and train on the mean (settings of the judge), or "
                 "take label probabilities instead of drawn answers",
                 (long long)enough);
    compare(new_line(d, "zero_variance", "how many groups get one score for everything?"), &zero,
            .30, 0, 0, "groups", reliability,
            "finer levels or further criteria; prompts that are neither too easy nor too hard for "
            "the policy; a higher temperature");
    return HONE_OK;
}

static hone_status swapping(deciding *d)
{
    hone_figure f;
    hone_str shape = hone_str_c("pointwise");
    if (d->e->calibration)
        HONE_TRY(hone_value_string(d->e->calibration, "shape", shape, &shape));
    const int list = hone_str_eq(shape, "listwise");
    if (!list && !hone_str_eq(shape, "pairwise"))
        return HONE_OK;
    HONE_TRY(figure(d, d->e->calibration, NULL, "swap_inconsistency", &f));
    compare(new_line(d, "swap", "does the order of two candidates change its verdict?"), &f, .15, 0,
            0, "pairs", "hone judge run --orders, then hone judge calibrate",
            "show both orders and take the mean: orders = 2 in the judge's settings");
    return HONE_OK;
}

static hone_status attacks(deciding *d)
{
    static const struct {
        const char *key, *asks, *remedy;
        double bound;
    } rows[] = {{"master_keys", "do empty and meaningless answers get points?",
                 "a gating criterion \"answers the question at all\" with a cap of 0", .01},
                {"injection", "do instructions inside an answer change its verdict?",
                 "constrained decoding or label probabilities; a stronger judge model", .01},
                {"padding", "does length without content raise the score?",
                 "a criterion with a negative weight on repetition, or anchors that name brevity",
                 .02}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hone_figure f;
        HONE_TRY(figure(d, d->e->attack, NULL, rows[i].key, &f));
        compare(new_line(d, rows[i].key, rows[i].asks), &f, rows[i].bound, 0, 0, "attacked items",
                attack, rows[i].remedy);
        hone_gate_line *l = &d->g->lines[d->g->n - 1];
        if (!l->passed && !f.why && f.value <= 0 && isfinite(f.hi) && rows[i].bound == .01)
            snprintf(l->remedy, sizeof l->remedy,
                     "none of %zu went through, which is not enough to say 1 %%: %s over about "
                     "%d items",
                     f.n, attack, 400);
    }
    return HONE_OK;
}

static hone_status parsing(deciding *d)
{
    const hone_value *u = d->e->calibration ? hone_value_get(d->e->calibration, "unparsed") : NULL;
    const hone_value *related = u ? hone_value_get(u, "related") : NULL;
    hone_figure f, drawn = hone_figure_none(0, "not measured");
    HONE_TRY(figure(d, d->e->calibration, "unparsed", "rate", &f));
    /* Completions of the policy are what it will be asked about, and there may be more of them than labels. */
    if (d->e->reliability && hone_value_get(d->e->reliability, "unparsed"))
        HONE_TRY(figure(d, d->e->reliability, NULL, "unparsed", &drawn));
    if (hone_figure_has(&drawn) && (!hone_figure_has(&f) || drawn.n > f.n))
        f = drawn;
    compare(new_line(d, "unparsed", "how often does it give no verdict?"), &f, .01, 0, 0,
            "verdicts", calibrate,
            "constrained decoding (a grammar makes other answers impossible), or label "
            "probabilities");
    hone_gate_line *l = new_line(d, "unparsed_length",
                                 "does it fail on long answers more than on short ones?");
    l->passed = related && related->type == HONE_BOOL && !related->u.boolean;
    snprintf(l->text, sizeof l->text, "%s",
             l->passed ? "unrelated to length"
             : related && related->type == HONE_BOOL
                 ? "related to length: long answers would be left out of training"
                 : "unknown");
    if (!l->passed)
        snprintf(l->remedy, sizeof l->remedy, "%s",
                 related && related->type == HONE_BOOL
                     ? "more room for the judge's answer (max_tokens), or a shorter cut of the "
                       "candidate"
                     : "measure it: hone judge calibrate with items that have completions");
    return HONE_OK;
}

static hone_status linted(deciding *d)
{
    const hone_value *doc = d->e->lint;
    int64_t errors = 0, warnings = 0;
    if (!doc &&
        !(d->e->rubric && d->e->rubric[0])) { /* a reward, a jury: there is no text to look at */
        add_condition(
            d, "it tells no rubric of its own that could be looked at (hone judge lint); look at "
               "those of its parts");
        return HONE_OK;
    }
    hone_gate_line *l = new_line(d, "lint", "is the rubric sound as a text?");
    if (!doc) {
        snprintf(l->text, sizeof l->text, "unknown: not looked at");
        snprintf(l->remedy, sizeof l->remedy, "hone judge lint RUBRIC.lua --json");
        return HONE_OK;
    }
    if (!hone_value_get(doc, "errors"))
        return hone_fail(HONE_E_TYPE, "lint: it has no \"errors\"");
    HONE_TRY(hone_value_i64(doc, "errors", 0, &errors));
    HONE_TRY(hone_value_i64(doc, "warnings", 0, &warnings));
    l->passed = errors == 0;
    snprintf(l->text, sizeof l->text, "%lld errors, %lld warnings", (long long)errors,
             (long long)warnings);
    if (!l->passed)
        snprintf(l->remedy, sizeof l->remedy, "mend what hone judge lint names");
    else if (warnings)
        add_condition(d, "hone judge lint has warnings: words that judges and experts may read "
                         "differently; look at disagreements there first");
    return HONE_OK;
}

/* With few labels the rates themselves are compared, and the verdict is at best conditional; with many, their lower ends. */
static hone_status rates(deciding *d, int *few)
{
    static const struct {
        const char *key, *asks;
        double bound;
    } rows[] = {{"tpr", "of what experts call good, how much does it?", .85},
                {"tnr", "of what experts call bad, how much does it?", .85},
                {"precision", "of what it calls good, how much do experts?", .90}};
    const hone_value *c = d->e->calibration;
    int64_t labels = 0, yes = 0, no = 0;
    hone_str shape = hone_str_c("pointwise");
    if (c) {
        HONE_TRY(hone_value_i64(c, "labels", 0, &labels));
        HONE_TRY(hone_value_i64(c, "positives", 0, &yes));
        HONE_TRY(hone_value_i64(c, "negatives", 0, &no));
        HONE_TRY(hone_value_string(c, "shape", shape, &shape));
    }
    const int pairs = hone_str_eq(shape, "pairwise") || hone_str_eq(shape, "listwise");
    *few = labels < ENOUGH_LABELS || (!pairs && (yes < ENOUGH_OF_CLASS || no < ENOUGH_OF_CLASS));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hone_figure f, point;
        HONE_TRY(figure(d, c, NULL, rows[i].key, &f));
        if (pairs && f.why) /* a pair is neither good nor bad: pairwise accuracy asks instead */
            continue;
        point = f;
        if (*few && !f.why)
            point = hone_figure_of(f.value, f.value, f.value, f.n);
        hone_gate_line *l = new_line(d, rows[i].key, rows[i].asks);
        compare(l, &point, rows[i].bound, 1, 0, "labels", calibrate,
                "look at the items it takes for the other class (hone judge disagree), or move the "
                "threshold");
        l->value = f;
        if (*few && !f.why)
            snprintf(l->text, sizeof l->text,
                     "%.3f [%.3f, %.3f] by %lld labels: with fewer than %d (%d of each class) the "
                     "figure itself is compared, at least %.2f is wanted",
                     f.value, f.lo, f.hi, (long long)labels, ENOUGH_LABELS, ENOUGH_OF_CLASS,
                     rows[i].bound);
    }
    return HONE_OK;
}

/* ---- bindings ----------------------------------------------------------------------------------------------------------- */

static hone_status same_judge(const hone_gate_evidence *e, const hone_value *doc, const char *kind)
{
    hone_str is = {NULL, 0}, spec = {NULL, 0};
    if (!doc)
        return HONE_OK;
    if (doc->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "%s: a map is wanted", kind);
    HONE_TRY(hone_value_string(doc, "kind", is, &is));
    HONE_TRY(hone_value_string(doc, "spec", spec, &spec));
    if (!is.ptr || !hone_str_eq(is, kind))
        return hone_fail(HONE_E_INVALID, "a report of the kind \"%s\" is wanted, not \"%.*s\"",
                         kind, (int)(is.len < 40 ? is.len : 40), is.ptr ? is.ptr : "");
    if (strcmp(kind, "lint") == 0 && !spec.len) /* it is of a rubric: its hash is in the spec */
        return HONE_OK;
    if (!spec.ptr || !hone_str_eq(spec, e->spec)) {
        hone_fail(HONE_E_INVALID, "the %s report is of another judge", kind);
        hone_fail_detail("its spec %.*s\nthe judge %s", (int)(spec.len < 64 ? spec.len : 64),
                         spec.ptr ? spec.ptr : "", e->spec);
        return hone_fail_hint("rubric, prompt, settings or model changed since: measure again");
    }
    return HONE_OK;
}

static hone_status bound_to(deciding *d)
{
    const hone_gate_evidence *e = d->e;
    hone_str measured = {NULL, 0}, rubric = {NULL, 0};
    if (e->lint && e->lint->type == HONE_MAP)
        HONE_TRY(hone_value_string(e->lint, "rubric", rubric, &rubric));
    if (rubric.len && e->rubric && e->rubric[0] && !hone_str_eq(rubric, e->rubric)) {
        hone_fail(HONE_E_INVALID, "the lint report is of another rubric");
        return hone_fail_detail("it looked at %.*s\nthe judge's is %s",
                                (int)(rubric.len < 160 ? rubric.len : 160), rubric.ptr, e->rubric);
    }
    HONE_TRY(same_judge(e, e->calibration, "calibration"));
    HONE_TRY(same_judge(e, e->reliability, "reliability"));
    HONE_TRY(same_judge(e, e->attack, "attack"));
    HONE_TRY(same_judge(e, e->lint, "lint"));
    if (e->reliability)
        HONE_TRY(hone_value_string(e->reliability, "policy", measured, &measured));
    hone_gate_line *l = new_line(d, "policy", "was it measured on completions of this policy?");
    l->passed = e->policy[0] && measured.ptr && hone_str_eq(measured, e->policy);
    snprintf(l->text, sizeof l->text, "%s",
             l->passed       ? "reliability was measured on the policy that training begins with"
             : !e->policy[0] ? "unknown: no policy was named"
             : !measured.len ? "unknown: the reliability report names no policy"
                             : "reliability was measured on another policy");
    if (!l->passed)
        snprintf(l->remedy, sizeof l->remedy, "%s",
                 !e->policy[0]
                     ? "hone judge gate --policy M: the model that will be trained"
                     : "hone judge draw --policy M, then hone judge reliability over what it drew");
    return HONE_OK;
}

static hone_status stale(deciding *d, const hone_value *doc, const char *kind, time_t now,
                         double days)
{
    hone_str at = {NULL, 0};
    struct tm t = {0};
    char text[32];
    if (!doc)
        return HONE_OK;
    HONE_TRY(hone_value_string(doc, "at", at, &at));
    snprintf(text, sizeof text, "%.*s", (int)(at.len < 31 ? at.len : 31), at.ptr ? at.ptr : "");
    const int dated = strptime(text, "%Y-%m-%dT%H:%M:%S", &t) != NULL;
    if (dated && difftime(now, timegm(&t)) <= days * 86400)
        return HONE_OK;
    hone_gate_line *l = new_line(d, "age", "is what was measured recent enough?");
    snprintf(l->text, sizeof l->text,
             dated ? "the %s report is older than %.0f days" : "the %s report is not dated", kind,
             days);
    snprintf(l->remedy, sizeof l->remedy, "measure again");
    return HONE_OK;
}

static hone_status dates(deciding *d)
{
    struct tm t = {0};
    const double days = d->e->age_days > 0 ? d->e->age_days : AGE_DAYS;
    if (!strptime(d->e->now, "%Y-%m-%dT%H:%M:%S", &t))
        return hone_fail(HONE_E_INVALID, "the time \"%.30s\" is none", d->e->now);
    const time_t now = timegm(&t), end = now + (time_t)(days * 86400);
    HONE_TRY(stale(d, d->e->calibration, "calibration", now, days));
    HONE_TRY(stale(d, d->e->reliability, "reliability", now, days));
    HONE_TRY(stale(d, d->e->attack, "attack", now, days));
    gmtime_r(&end, &t);
    strftime(d->g->expires, sizeof d->g->expires, "%Y-%m-%dT%H:%M:%SZ", &t);
    snprintf(d->g->at, sizeof d->g->at, "%s", d->e->now);
    return HONE_OK;
}

/* ---- the verdict ----------------------------------------------------------------------------------------------------------- */

static hone_status watch_for(deciding *d, int few)
{
    int64_t reads = 0, experts = 0;
    const hone_value *c = d->e->calibration;
    if (few)
        add_condition(d,
                      "fewer than 300 labels (or 60 of a class): label on while training runs, and "
                      "gate again at 300");
    if (!c)
        return HONE_OK;
    HONE_TRY(hone_value_i64(c, "test_reads", 0, &reads));
    HONE_TRY(hone_value_i64(c, "experts", 0, &experts));
    if (reads > 3)
        add_condition(d,
                      "the test split was read more than three times: its figures flatter; label "
                      "new prompts before the next gate");
    if (experts == 1)
        add_condition(d, "one expert only: agreement among experts was not compared");
    return HONE_OK;
}

static hone_status decide(deciding *d)
{
    int few = 0, all = 1;
    HONE_TRY(bound_to(d));
    if (d->e->lines == HONE_GATE_JUDGE)
        HONE_TRY(agreement(d));
    HONE_TRY(pairwise_accuracy(d));
    HONE_TRY(discriminates(d));
    if (d->e->lines == HONE_GATE_JUDGE)
        HONE_TRY(swapping(d));
    HONE_TRY(attacks(d));
    if (d->e->lines == HONE_GATE_JUDGE) {
        HONE_TRY(parsing(d));
        HONE_TRY(linted(d));
        HONE_TRY(rates(d, &few));
    }
    HONE_TRY(dates(d));
    HONE_TRY(watch_for(d, few));
    for (size_t i = 0; i < d->g->n; i++)
        all &= d->g->lines[i].passed;
    d->g->verdict = !all                 ? HONE_GATE_NO_GO
                    : d->g->n_conditions ? HONE_GATE_CONDITIONAL
                                         : HONE_GATE_GO;
    return HONE_OK;
}

hone_status hone_gate_decide(const hone_gate_evidence *e, hone_gate *out)
{
    hone_gate *g = hone_calloc(1, sizeof *g);
    if (!g)
        return HONE_E_NOMEM;
    hone_arena_init(&g->arena, 1 << 20);
    deciding d = {e, g};
    hone_status s = decide(&d);
    if (s >= 0)
        *out = *g;
    else
        hone_arena_release(&g->arena);
    hone_free(g);
    return s;
}

void hone_gate_release(hone_gate *g)
{
    hone_arena_release(&g->arena);
    memset(g, 0, sizeof *g);
}
