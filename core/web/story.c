/* story.c - what happened in a run, in plain words and with the counts behind each number.
 *
 * A mean is said of the first and of the last steps (a tenth of those that have the number, 1 to 20).
 * A change is called a rise or a fall only when it exceeds two standard errors of the difference of
 * the two means; otherwise the text says that it stayed within its noise. */
#include "web/html.h"
#include "web/report_int.h"

#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct part {
    double mean, var; /* var: of the mean; NAN for a single value */
    double from, to;  /* steps */
    size_t n;
} part;

static part mean_of(const double *step, const double *v, size_t n, size_t want, int last)
{
    part p = {.var = (double)NAN};
    double sum = 0, sq = 0;
    for (size_t i = 0; i < n && p.n < want; i++) {
        size_t at = last ? n - 1 - i : i;
        if (!isfinite(v[at]))
            continue;
        p.to = p.n == 0 ? step[at] : p.to;
        p.from = step[at];
        sum += v[at];
        sq += v[at] * v[at];
        p.n++;
    }
    if (!last) {
        double t = p.from;
        p.from = p.to;
        p.to = t;
    }
    p.mean = p.n ? sum / (double)p.n : (double)NAN;
    if (p.n > 1) {
        double m = (double)p.n, var = (sq - m * p.mean * p.mean) / (m - 1);
        p.var = (var > 0 ? var : 0) / m;
    }
    return p;
}

static size_t count(const double *v, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += isfinite(v[i]) != 0;
    return k;
}

static void steps_text(const part *p, char out[64])
{
    if (p->n == 1)
        snprintf(out, 64, "step %.0f", p->from);
    else
        snprintf(out, 64, "mean of %zu, steps %.0f to %.0f", p->n, p->from, p->to);
}

/* "The mean reward rose from 0.1 (mean of 10, steps 1 to 10) to 0.9 (...)." */
static void change(hone_buf *b, const hone__web_table *t, const char *key, const char *what)
{
    const double *v = hone__web_column_get(t, key);
    size_t n = v ? count(v, t->n_rows) : 0, k = n / 10;
    char x[32], y[32], at[64], to[64];
    if (n == 0)
        return;
    k = k < 1 ? 1 : k > 20 ? 20 : k;
    double most = 0;
    for (size_t i = 0; i < t->n_rows; i++)
        most = isfinite(v[i]) && fabs(v[i]) > most ? fabs(v[i]) : most;
    if (most < 1e-9) { /* rounding around zero is no story */
        hone_buf_adds(b, "<li>");
        hone__web_textz(b, what);
        hone_buf_addf(b, " was 0 in every step%s.</li>", most > 0 ? ", up to rounding" : "");
        return;
    }
    part a = mean_of(t->step, v, t->n_rows, k, 0), z = mean_of(t->step, v, t->n_rows, k, 1);
    hone__web_number(a.mean, x);
    hone__web_number(z.mean, y);
    steps_text(&a, at);
    steps_text(&z, to);
    hone_buf_adds(b, "<li>");
    hone__web_textz(b, what);
    if (n == 1) {
        hone_buf_addf(b, ": <b>%s</b> (%s).</li>", x, at);
        return;
    }
    double d = z.mean - a.mean, se = sqrt(a.var + z.var);
    const char *verb = isnan(se)           ? (d > 0   ? "went up"
                                              : d < 0 ? "went down"
                                                      : "did not change:")
                       : d == 0            ? "did not change:"
                       : fabs(d) <= 2 * se ? "stayed within its noise:"
                       : d > 0             ? "rose"
                                           : "fell";
    hone_buf_addf(b, " %s from <b>%s</b> (%s) to <b>%s</b> (%s).</li>", verb, x, at, y, to);
}

/* The file's name of the recipe; where it lay stands under "What ran". */
void hone__web_recipe(hone_buf *b, const hone_value *meta)
{
    const hone_value *v = hone_value_get(meta, "recipe");
    if (!v || v->type != HONE_STRING)
        return;
    hone_str s = v->u.str;
    for (size_t i = s.len; i > 0; i--) {
        if (s.ptr[i - 1] == '/' && i < s.len) {
            s.ptr += i;
            s.len -= i;
            break;
        }
    }
    hone__web_text(b, s);
}

/* What the gate decided (run.json): who drove training, by which record or without one; who only watched. */
static void judges(hone_buf *b, const hone__web_run *r)
{
    const hone_value *gate = hone_value_get(&r->meta, "gate");
    const hone_value *list = gate ? hone_value_get(gate, "decisions") : NULL,
                     *watching = gate ? hone_value_get(gate, "watching") : NULL;
    for (size_t i = 0; list && list->type == HONE_LIST && i < list->u.list.n; i++) {
        const hone_value *d = &list->u.list.items[i];
        hone_str id = {"", 0}, how = {"", 0}, why = {"", 0}, verdict = {"", 0}, until = {"", 0};
        if (hone_value_string(d, "component", id, &id) < 0 ||
            hone_value_string(d, "decision", how, &how) < 0 ||
            hone_value_string(d, "why", why, &why) < 0 ||
            hone_value_string(d, "verdict", verdict, &verdict) < 0 ||
            hone_value_string(d, "expires", until, &until) < 0)
            continue;
        const int without = hone_str_eq(how, "no-gate");
        hone_buf_adds(b, "<p><b>");
        hone__web_text(b, id);
        hone_buf_adds(b, without ? "</b> trained without a record of the gate "
                                   "(<code>--no-gate</code>): "
                                 : "</b> had a record of the gate: ");
        hone__web_text(b, without ? why : verdict);
        if (!without && until.len >= 10) {
            hone_buf_adds(b, ", until ");
            hone__web_text(b, (hone_str){until.ptr, 10});
        }
        hone_buf_adds(b, ".</p>");
    }
    for (size_t i = 0; watching && watching->type == HONE_LIST && i < watching->u.list.n; i++) {
        const hone_value *id = &watching->u.list.items[i];
        if (id->type != HONE_STRING)
            continue;
        hone_buf_adds(b, "<p><b>");
        hone__web_text(b, id->u.str);
        hone_buf_adds(b, "</b> only watched: what it said reached no update.</p>");
    }
}

static void ending(hone_buf *b, const hone__web_run *r)
{
    size_t n = r->metrics.n_rows;
    hone_buf_adds(b, "<p>The recipe <b>");
    hone__web_recipe(b, &r->meta);
    hone_buf_adds(b, "</b> ");
    if (n == 0)
        hone_buf_adds(b, r->state.what == HONE_RUN_FINISHED ? "finished without a step"
                                                            : "has not completed a step");
    else
        hone_buf_addf(b, "%s step <b>%.0f</b>",
                      r->state.what == HONE_RUN_FINISHED  ? "finished after"
                      : r->state.what == HONE_RUN_RUNNING ? "is running; this page was made after"
                                                          : "stopped after",
                      r->metrics.step[n - 1]);
    if (r->state.what == HONE_RUN_RESUMABLE)
        hone_buf_addf(b, "; <code>hone resume</code> goes on from the checkpoint of step %" PRIu64,
                      r->state.checkpoint);
    else if (r->state.what == HONE_RUN_STOPPED)
        hone_buf_adds(b, "; it left no checkpoint to resume from");
    hone_buf_adds(b, ".");
    if (r->metrics.cut || r->samples.truncated)
        hone_buf_addf(b, " The last record of %s was cut off and is left out.",
                      r->metrics.cut && r->samples.truncated ? "metrics and samples"
                      : r->metrics.cut                       ? "the metrics"
                                                             : "the samples");
    hone_buf_adds(b, "</p>");
}

/* What the run was warned of (run.json). */
static void alarms(hone_buf *b, const hone__web_run *r)
{
    const hone_value *list = hone_value_get(&r->meta, "alarms");
    if (!list || list->type != HONE_LIST || list->u.list.n == 0)
        return;
    hone_buf_addf(b, "<p><b>%zu %s</b></p><ul class=\"alarms\">", list->u.list.n,
                  list->u.list.n == 1 ? "alarm:" : "alarms:");
    for (size_t i = 0; i < list->u.list.n; i++) {
        hone_str text = {"", 0};
        int64_t step = 0;
        if (hone_value_string(&list->u.list.items[i], "text", text, &text) < 0 ||
            hone_value_i64(&list->u.list.items[i], "step", 0, &step) < 0)
            continue;
        hone_buf_addf(b, "<li class=\"alarm\">Step %" PRId64 ": ", step);
        hone__web_text(b, text);
        hone_buf_adds(b, ".</li>");
    }
    hone_buf_adds(b, "</ul>");
}

static double mean_all(const hone__web_table *t, const char *key)
{
    const double *v = hone__web_column_get(t, key);
    return v ? mean_of(t->step, v, t->n_rows, t->n_rows, 0).mean : (double)NAN;
}

static double sum_all(const hone__web_table *t, const char *key)
{
    const double *v = hone__web_column_get(t, key);
    double m = v ? mean_all(t, key) : 0;
    return v && isfinite(m) ? m * (double)count(v, t->n_rows) : 0;
}

int hone__web_reward_id(const char *name, const char *tail, char *out, size_t size)
{
    size_t n = strlen(name), m = strlen(tail);
    if (strncmp(name, "reward/", 7) != 0 || n < 7 + m + 1 || strcmp(name + n - m, tail) != 0)
        return 0;
    n -= 7 + m;
    if (n >= size)
        return 0;
    memcpy(out, name + 7, n);
    out[n] = '\0';
    return 1;
}

/* Shares of outcomes that were no scores. */
static void failures(hone_buf *b, const hone__web_table *t)
{
    static const char *const kinds[] = {"abstain", "error", "timeout"};
    static const char *const words[] = {"abstained", "failed", "timed out"};
    size_t components = 0;
    int any = 0;
    for (size_t c = 0; c < t->n_cols; c++) {
        char id[160], key[224], number[32];
        double share[3], all = 0;
        if (!hone__web_reward_id(t->cols[c].name, "/abstain", id, sizeof id))
            continue;
        components++;
        for (int k = 0; k < 3; k++) {
            snprintf(key, sizeof key, "reward/%s/%s", id, kinds[k]);
            share[k] = mean_all(t, key);
            all += isfinite(share[k]) ? share[k] : 0;
        }
        if (all == 0)
            continue;
        any = 1;
        hone_buf_adds(b, "<li>Outcomes of <b>");
        hone__web_textz(b, id);
        hone_buf_adds(b, "</b> that were no scores:");
        for (int k = 0, said = 0; k < 3; k++) {
            if (!(share[k] > 0))
                continue;
            hone__web_number(share[k] * 100, number);
            hone_buf_addf(b, "%s %s %% %s", said++ ? "," : "", number, words[k]);
        }
        hone_buf_adds(b, ". They got no gradient and count in no mean.</li>");
    }
    if (components && !any)
        hone_buf_addf(
            b, "<li>Every outcome of the %s was a score: none abstained, failed or timed out.</li>",
            components == 1 ? "reward" : "rewards");
}

static void agreement(hone_buf *b, const hone__web_table *t)
{
    const double *v = hone__web_column_get(t, "mismatch/max");
    double worst = 0;
    char number[32];
    if (!v || !count(v, t->n_rows))
        return;
    for (size_t i = 0; i < t->n_rows; i++)
        worst = isfinite(v[i]) && fabs(v[i]) > worst ? fabs(v[i]) : worst;
    hone__web_number(worst, number);
    if (worst == 0)
        hone_buf_adds(
            b,
            "<li>Sampler and trainer gave every token the same log-probability (mismatch 0).</li>");
    else
        hone_buf_addf(
            b, "<li>Log-probabilities of sampler and trainer differed by at most %s.</li>", number);
}

static void time_spent(hone_buf *b, const hone__web_table *t)
{
    static const char *const keys[] = {"time/generate", "time/reward", "time/train"};
    static const char *const words[] = {"generating", "waiting for rewards", "training"};
    double total = sum_all(t, "time/total");
    char text[32];
    if (!(total > 0))
        return;
    hone__web_duration(total, text);
    hone_buf_addf(b, "<li>The %zu steps took <b>%s</b>", t->n_rows, text);
    for (int k = 0, said = 0; k < 3; k++) {
        double spent = sum_all(t, keys[k]);
        if (spent > 0)
            hone_buf_addf(b, "%s %.0f %% %s", said++ ? "," : ":", spent / total * 100, words[k]);
    }
    double rate = mean_all(t, "tokens_per_s");
    if (isfinite(rate)) {
        hone__web_number(rate >= 100 ? floor(rate + 0.5) : rate, text);
        hone_buf_addf(b, "; %s tokens a second in the mean", text);
    }
    hone_buf_adds(b, ".</li>");
}

void hone__web_story(hone_buf *b, const hone__web_run *r)
{
    const hone__web_table *t = &r->metrics;
    char id[160], what[224];
    ending(b, r);
    judges(b, r);
    alarms(b, r);
    if (t->n_rows == 0)
        return;
    hone_buf_adds(b, "<ul class=\"story\">");
    change(b, t, "reward/mean", "The reward of all components together");
    for (size_t c = 0; c < t->n_cols; c++) {
        if (!hone__web_reward_id(t->cols[c].name, "/mean", id, sizeof id))
            continue;
        snprintf(what, sizeof what, "The reward %s", id);
        change(b, t, t->cols[c].name, what);
    }
    for (size_t c = 0; c < t->n_cols; c++) {
        if (strncmp(t->cols[c].name, "eval/", 5) != 0)
            continue;
        snprintf(what, sizeof what, "The evaluation %s", t->cols[c].name + 5);
        change(b, t, t->cols[c].name, what);
    }
    change(b, t, "loss", "The loss");
    change(b, t, "length/mean", "The length of completions in tokens");
    change(b, t, "length/truncated", "The share of completions cut at the token limit");
    change(b, t, "entropy", "The entropy of the policy");
    failures(b, t);
    agreement(b, t);
    time_spent(b, &r->timings);
    hone_buf_adds(b, "</ul>");
}
