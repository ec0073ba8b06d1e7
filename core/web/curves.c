/* curves.c - which numbers of a run become which chart.
 *
 * A table names the keys of metrics.jsonl that belong together; what it does not name gets a chart of
 * its own, so that a recipe's own metrics appear too. With one run the keys of a line share a chart;
 * with several, each key has its chart, in which the runs stand side by side, drawn by step, by tokens and by time: the
 * style sheet shows the one that is chosen, so that no script is needed for it. */
#include "base/alloc.h"
#include "web/chart.h"
#include "web/html.h"
#include "web/report.h"
#include "web/report_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* keys: by blanks; a "*" stands for any text, as last or middle part. */
typedef struct plan {
    const char *title, *keys, *note;
    int zero;
} plan;

static const plan plans[] = {
    {"Reward", "reward/mean", "all components with their weights, mean of the step's samples", 0},
    {"Reward by component", "reward/*/mean", "before weighting; scored samples only", 0},
    {"Evaluation", "eval/*", "held-out rows, as the recipe asks", 0},
    {"Loss", "loss", "", 0},
    {"Gradient norm", "grad_norm", "before clipping", 1},
    {"KL", "kl/k1 kl/k3", "estimates of the divergence from the reference, or from the sampler", 0},
    {"Entropy", "entropy", "of the policy's next token, in nats", 1},
    {"Completion length", "length/mean length/min length/max", "in tokens", 1},
    {"Cut at the token limit", "length/truncated", "share of completions", 1},
    {"Clipped tokens", "clip/low clip/high", "share of tokens at the bounds of the ratio", 1},
    {"Probability ratio", "ratio/mean ratio/min ratio/max", "policy over sampler, per token", 0},
    {"Effective sample size", "ratio/ess", "share of samples that count after weighting", 1},
    {"Mismatch", "mismatch/mean mismatch/max",
     "sampler against trainer log-probability; 0 is right", 1},
    {"Groups", "group/zero_std group/all_pass group/all_fail",
     "share with equal rewards, all right, all wrong", 1},
    {"Advantage", "advantage/mean advantage/std", "", 0},
    {"Reward spread", "reward/std", "standard deviation within the step", 1},
    {"Spread by component", "reward/*/std", "", 1},
    {"Learning rate", "lr", "", 1},
    {"Tokens a step", "tokens", "", 1},
};
enum { N_PLANS = sizeof plans / sizeof plans[0] };

static int fits(const char *pattern, size_t len, const char *name)
{
    const char *star = memchr(pattern, '*', len);
    size_t n = strlen(name);
    if (!star)
        return n == len && memcmp(pattern, name, n) == 0;
    size_t head = (size_t)(star - pattern), tail = len - head - 1;
    return n > head + tail && memcmp(name, pattern, head) == 0 &&
           memcmp(name + n - tail, star + 1, tail) == 0;
}

/* Which of a line's keys `name` is, or 0; 1-based. */
static int key_of(const plan *p, const char *name)
{
    int k = 1;
    for (const char *from = p->keys; *from; k++) {
        size_t len = strcspn(from, " ");
        if (fits(from, len, name))
            return k;
        from += len + (from[len] == ' ');
    }
    return 0;
}

/* Of a name the part that tells it from its siblings: "reward/<id>/mean" -> id, "kl/k1" -> k1. */
static const char *leaf(const char *name, char buf[224])
{
    if (hone__web_reward_id(name, "/mean", buf, 200) || hone__web_reward_id(name, "/std", buf, 200))
        return buf;
    const char *slash = strchr(name, '/');
    return slash ? slash + 1 : name;
}

static int shown_elsewhere(const char *name)
{
    char id[200];
    return hone__web_reward_id(name, "/abstain", id, sizeof id) ||
           hone__web_reward_id(name, "/error", id, sizeof id) ||
           hone__web_reward_id(name, "/timeout", id, sizeof id);
}

static void add(hone__web_chart *c, const char *label, const hone__web_table *t, const double *x,
                const double *y, size_t look)
{
    if (c->n == HONE_CHART_SERIES || !y || !x)
        return;
    c->s[c->n++] = (hone__web_series){.label = label,
                                      .x = x,
                                      .y = y,
                                      .n = t->n_rows,
                                      .color = (int)(look % 8),
                                      .dash = (int)(look / 8 + look % 8) % 4};
}

/* Against what a curve is drawn. */
enum { BY_STEP, BY_TOKENS, BY_TIME, AXES };

/* One chart of one key, a line for each run. */
static size_t side_by_side(hone_buf *b, const char *title, const char *note, int zero,
                           const char *key, const hone__web_run *runs, size_t n, int timings,
                           int axis)
{
    static const char *const names[] = {NULL, "tokens", "seconds"};
    hone__web_chart c = {.title = title, .note = note, .zero = zero, .x_name = names[axis]};
    for (size_t r = 0; r < n; r++) {
        const hone__web_table *t = timings ? &runs[r].timings : &runs[r].metrics;
        const double *x = axis == BY_TOKENS ? runs[r].tokens
                          : axis == BY_TIME ? runs[r].seconds
                                            : t->step;
        add(&c, n == 1 ? key : runs[r].label, t, x, hone__web_column_get(t, key), r);
    }
    return hone__web_chart_write(b, &c);
}

/* Names of all runs in order of first mention; `seen` is filled, borrowed. */
static size_t names_of(const hone__web_run *runs, size_t n, const char **seen, size_t max)
{
    size_t k = 0;
    for (size_t r = 0; r < n; r++) {
        for (size_t c = 0; c < runs[r].metrics.n_cols; c++) {
            const char *name = runs[r].metrics.cols[c].name;
            size_t i = 0;
            while (i < k && strcmp(seen[i], name) != 0)
                i++;
            if (i == k && k < max)
                seen[k++] = name;
        }
    }
    return k;
}

static size_t planned(hone_buf *b, const plan *p, const hone__web_run *runs, size_t n,
                      const char **names, size_t k, int axis)
{
    size_t drawn = 0, matches = 0;
    char text[224], title[256];
    if (n == 1) {
        hone__web_chart c = {.title = p->title, .note = p->note, .zero = p->zero};
        char(*labels)[224] = hone_calloc(HONE_CHART_SERIES, sizeof *labels);
        if (!labels) {
            b->failed = HONE_E_NOMEM;
            return 0;
        }
        for (size_t i = 0; i < k && c.n < HONE_CHART_SERIES; i++) {
            if (!key_of(p, names[i]))
                continue;
            snprintf(labels[c.n], sizeof labels[c.n], "%s", leaf(names[i], text));
            add(&c, labels[c.n], &runs->metrics, runs->metrics.step,
                hone__web_column_get(&runs->metrics, names[i]), c.n);
        }
        drawn = hone__web_chart_write(b, &c);
        hone_free(labels);
        return drawn;
    }
    for (size_t i = 0; i < k; i++)
        matches += key_of(p, names[i]) > 0;
    for (size_t i = 0; i < k; i++) {
        if (!key_of(p, names[i]))
            continue;
        snprintf(title, sizeof title, matches > 1 || strchr(p->keys, '*') ? "%s: %s" : "%s",
                 p->title, leaf(names[i], text));
        drawn += side_by_side(b, title, p->note, p->zero, names[i], runs, n, 0, axis);
    }
    return drawn;
}

void hone__web_curves(hone_buf *b, const hone__web_run *runs, size_t n)
{
    static const char *const axes[AXES] = {"step", "tokens", "time"};
    size_t max = HONE_REPORT_RUNS * HONE_WEB_COLUMNS, drawn = 0;
    const char **names = hone_calloc(max, sizeof *names);
    if (!names) {
        b->failed = HONE_E_NOMEM;
        return;
    }
    size_t k = names_of(runs, n, names, max), start = b->len;
    hone_buf_addf(
        b,
        "<section id=\"curves\"><h2>Curves</h2><p class=\"lead\">%s The pale line is each "
        "step, the strong one a moving average. Point at a chart, or focus it and use the arrow "
        "keys, to read values.</p>",
        n == 1 ? "By step." : "Each run a line; by step, by tokens trained on so far, or by time.");
    for (int axis = 0; n > 1 && axis < AXES; axis++)
        hone_buf_addf(
            b, "<input type=\"radio\" name=\"axis\" id=\"by-%s\"%s><label for=\"by-%s\">%s</label>",
            axes[axis], axis ? "" : " checked", axes[axis], axes[axis]);
    for (int axis = 0; axis < (n > 1 ? AXES : 1); axis++) {
        hone_buf_addf(b, "<div class=\"charts%s%s\">\n", n > 1 ? " by by-" : "",
                      n > 1 ? axes[axis] : "");
        for (size_t p = 0; p < N_PLANS; p++)
            drawn += planned(b, &plans[p], runs, n, names, k, axis);
        for (size_t i = 0; i < k; i++) {
            int known = shown_elsewhere(names[i]);
            for (size_t p = 0; p < N_PLANS && !known; p++)
                known = key_of(&plans[p], names[i]) > 0;
            if (!known)
                drawn += side_by_side(b, names[i], "", 0, names[i], runs, n, 0, axis);
        }
        hone_buf_adds(b, "</div>");
    }
    hone_buf_adds(b, "</section>\n");
    if (!drawn && b->failed >= 0) {
        b->len = start;
        b->ptr[start] = '\0';
    }
    hone_free(names);
}

/* ---- outcomes ------------------------------------------------------------------------------------- */

/* score, abstain, error, timeout of one component of one run, stacked to 1. */
static size_t shares(hone_buf *b, const hone__web_run *r, const char *id, int many)
{
    static const char *const kinds[4] = {"score", "abstain", "error", "timeout"};
    static const int colors[4] = {2, 7, 4, 1};
    const hone__web_table *t = &r->metrics;
    char title[400], key[224];
    size_t n = t->n_rows, drawn = 0;
    double *x = hone_calloc(n, sizeof *x), *part[4] = {NULL};
    for (int k = 0; k < 4; k++)
        part[k] = hone_calloc(n, sizeof **part);
    if (!x || !part[0] || !part[1] || !part[2] || !part[3]) {
        b->failed = HONE_E_NOMEM;
        goto done;
    }
    snprintf(key, sizeof key, "reward/%s/abstain", id);
    const double *has = hone__web_column_get(t, key);
    size_t m = 0;
    for (size_t i = 0; has && i < n; i++) { /* steps in which the component was asked */
        if (!isfinite(has[i]))
            continue;
        double rest = 0;
        x[m] = t->step[i];
        for (int k = 1; k < 4; k++) {
            snprintf(key, sizeof key, "reward/%s/%s", id, kinds[k]);
            const double *v = hone__web_column_get(t, key);
            part[k][m] = v && isfinite(v[i]) ? v[i] : 0;
            rest += part[k][m];
        }
        part[0][m] = rest < 1 ? 1 - rest : 0;
        m++;
    }
    snprintf(title, sizeof title, many ? "%s, %s" : "%s", id, r->label);
    hone__web_chart c = {.title = title,
                         .note = "share of the step's samples",
                         .kind = HONE_CHART_STACKED,
                         .top = 1};
    for (int k = 0; k < 4 && m; k++)
        c.s[c.n++] = (hone__web_series){
            .label = kinds[k], .x = x, .y = part[k], .n = m, .color = colors[k]};
    drawn = hone__web_chart_write(b, &c);
done:
    for (int k = 0; k < 4; k++)
        hone_free(part[k]);
    hone_free(x);
    return drawn;
}

void hone__web_outcomes(hone_buf *b, const hone__web_run *runs, size_t n)
{
    size_t start = b->len, drawn = 0;
    hone_buf_adds(
        b,
        "<section id=\"outcomes\"><h2>Outcomes</h2><p class=\"lead\">What each reward said of the "
        "samples: a score, or why there is none.</p><div class=\"charts\">\n");
    for (size_t r = 0; r < n; r++) {
        for (size_t c = 0; c < runs[r].metrics.n_cols; c++) {
            char id[160];
            if (hone__web_reward_id(runs[r].metrics.cols[c].name, "/abstain", id, sizeof id))
                drawn += shares(b, &runs[r], id, n > 1);
        }
    }
    hone_buf_adds(b, "</div></section>\n");
    if (!drawn && b->failed >= 0) {
        b->len = start;
        b->ptr[start] = '\0';
    }
}

/* ---- times ---------------------------------------------------------------------------------------- */

static size_t split(hone_buf *b, const hone__web_run *r, int many)
{
    static const char *const keys[3] = {"time/generate", "time/reward", "time/train"};
    static const char *const labels[4] = {"generate", "reward", "train", "other"};
    static const int colors[4] = {0, 1, 2, 7};
    const hone__web_table *t = &r->timings;
    const double *total = hone__web_column_get(t, "time/total");
    char title[256];
    double *rest = hone_calloc(t->n_rows + 1, sizeof *rest);
    hone__web_chart c = {.note = "seconds a step", .kind = HONE_CHART_STACKED};
    if (!rest) {
        b->failed = HONE_E_NOMEM;
        return 0;
    }
    snprintf(title, sizeof title,
             many ? "Where a step's time goes, %s" : "Where a step's time goes", r->label);
    c.title = title;
    for (size_t i = 0; total && i < t->n_rows; i++)
        rest[i] = isfinite(total[i]) ? total[i] : 0;
    for (int k = 0; k < 3; k++) {
        const double *v = hone__web_column_get(t, keys[k]);
        if (!v)
            continue;
        c.s[c.n++] = (hone__web_series){
            .label = labels[k], .x = t->step, .y = v, .n = t->n_rows, .color = colors[k]};
        for (size_t i = 0; i < t->n_rows; i++)
            rest[i] -= isfinite(v[i]) ? v[i] : 0;
    }
    for (size_t i = 0; i < t->n_rows; i++)
        rest[i] = rest[i] > 0 ? rest[i] : 0;
    if (total)
        c.s[c.n++] = (hone__web_series){
            .label = labels[3], .x = t->step, .y = rest, .n = t->n_rows, .color = colors[3]};
    size_t drawn = t->n_rows ? hone__web_chart_write(b, &c) : 0;
    hone_free(rest);
    return drawn;
}

void hone__web_times(hone_buf *b, const hone__web_run *runs, size_t n)
{
    size_t start = b->len, drawn = 0;
    char id[160], title[224];
    hone_buf_adds(b, "<section id=\"times\"><h2>Time and memory</h2><div class=\"charts\">\n");
    drawn += side_by_side(b, "Tokens a second", "", 1, "tokens_per_s", runs, n, 1, BY_STEP);
    for (size_t r = 0; r < n; r++)
        drawn += split(b, &runs[r], n > 1);
    for (size_t r = 0; r < n; r++) {
        const hone__web_table *t = &runs[r].timings;
        for (size_t c = 0; c < t->n_cols; c++) {
            char key[224];
            if (!hone__web_reward_id(t->cols[c].name, "/p50_ms", id, sizeof id))
                continue;
            snprintf(title, sizeof title, "Latency of %s", id);
            hone__web_chart ch = {
                .title = title, .note = n > 1 ? runs[r].label : "milliseconds a call", .zero = 1};
            snprintf(key, sizeof key, "reward/%s/p95_ms", id);
            add(&ch, "median", t, t->step, t->cols[c].v, 0);
            add(&ch, "95th percentile", t, t->step, hone__web_column_get(t, key), 1);
            drawn += hone__web_chart_write(b, &ch);
        }
    }
    drawn += side_by_side(b, "Peak memory", "MB", 1, "memory/peak_mb", runs, n, 1, BY_STEP);
    hone_buf_adds(b, "</div></section>\n");
    if (!drawn && b->failed >= 0) {
        b->len = start;
        b->ptr[start] = '\0';
    }
}
