/* rollout_write.c - what a rollout leaves behind: metrics of the step, and a line of rollouts.jsonl.zst for each sample.
 *
 * The names of the metrics are those of recipes-and-cli.md; env/ are an environment's. A line holds the ids as they were
 * sampled; of an episode also `turns`, the places [from, to) of the policy's own among them. */
#include "train/rollout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- metrics -------------------------------------------------------------------------------------------- */

typedef struct moments {
    double n, sum, sq;
} moments;

static void add(moments *m, double v)
{
    m->n += 1;
    m->sum += v;
    m->sq += v * v;
}

static double std_of(const moments *m)
{
    if (m->n < 2)
        return 0;
    double mean = m->sum / m->n, var = (m->sq - m->n * mean * mean) / (m->n - 1);
    return var > 0 ? sqrt(var) : 0;
}

static void put(hone_metrics *m, const char *prefix, const char *id, const char *name, double v)
{
    char key[192];
    snprintf(key, sizeof key, "%s%s%s", prefix, id, name);
    hone_metrics_set(m, key, v);
}

static void component_metrics(const hone_rollout *r, size_t c, hone_metrics *m)
{
    size_t n = r->n_samples;
    moments v = {0, 0, 0};
    double share[5] = {0};
    for (size_t i = 0; i < n; i++) {
        const hone_score_result *x = &r->results[c * n + i];
        if (x->status == HONE_SCORE)
            add(&v, (double)x->score);
        if (x->status < 5)
            share[x->status] += 1.0 / (double)n;
    }
    if (v.n > 0) {
        put(m, "reward/", r->component[c], "/mean", v.sum / v.n);
        put(m, "reward/", r->component[c], "/std", std_of(&v));
    }
    put(m, "reward/", r->component[c], "/abstain", share[HONE_ABSTAIN]);
    put(m, "reward/", r->component[c], "/error", share[HONE_ERROR]);
    put(m, "reward/", r->component[c], "/timeout", share[HONE_TIMEOUT]);
}

static void group_metrics(const hone_rollout *r, hone_metrics *m)
{
    size_t first = 0;
    while (first + 1 < r->n_components && r->watch[first])
        first++;
    double zero = 0, pass = 0, fail = 0, groups = 0;
    for (size_t g = 0; g < r->n_prompts; g++) {
        size_t n = 0, n_pass = 0, n_fail = 0, n_first = 0;
        double lo = INFINITY, hi = -INFINITY;
        for (size_t j = 0; j < r->group_size; j++) {
            size_t i = g * r->group_size + j;
            const hone_score_result *x = &r->results[first * r->n_samples + i];
            if (x->status == HONE_SCORE) {
                n_first++;
                n_pass += x->score >= 1.0f;
                n_fail += x->score <= 0.0f;
            }
            if (r->samples[i].left_out)
                continue;
            n++;
            lo = r->samples[i].reward < lo ? r->samples[i].reward : lo;
            hi = r->samples[i].reward > hi ? r->samples[i].reward : hi;
        }
        groups += 1;
        zero += n == 0 || lo == hi;
        pass += n_first > 0 && n_pass == n_first;
        fail += n_first > 0 && n_fail == n_first;
    }
    hone_metrics_set(m, "group/zero_std", zero / groups);
    hone_metrics_set(m, "group/all_pass", pass / groups);
    hone_metrics_set(m, "group/all_fail", fail / groups);
}

/* How episodes went: shares of all, and means. */
static void environment_metrics(const hone_rollout *r, hone_metrics *m)
{
    const double n = (double)r->n_samples;
    double turns = 0, done = 0, cut = 0, error = 0, own = 0, all = 0;
    for (size_t i = 0; i < r->n_samples; i++) {
        const hone_rollout_sample *x = &r->samples[i];
        const uint32_t status = r->env->outcome[i].status;
        turns += x->turns;
        done += x->done;
        error += status == HONE_ERROR || status == HONE_TIMEOUT;
        cut += x->finish == HONE_FINISH_LENGTH;
        own += (double)x->n_own;
        all += (double)x->n;
    }
    hone_metrics_set(m, "env/turns", turns / n);
    hone_metrics_set(m, "env/done", done / n);
    hone_metrics_set(m, "env/truncated", cut / n);
    hone_metrics_set(m, "env/error", error / n);
    hone_metrics_set(m, "env/observed", (all - own) / n);
}

void hone_rollout_metrics(const hone_rollout *r, hone_metrics *m)
{
    moments len = {0, 0, 0}, rew = {0, 0, 0}, adv = {0, 0, 0};
    double lo = INFINITY, hi = 0, cut = 0;
    for (size_t c = 0; c < r->n_components; c++)
        component_metrics(r, c, m);
    for (size_t i = 0; i < r->n_samples; i++) {
        const hone_rollout_sample *x = &r->samples[i];
        double n = (double)x->n_own;
        add(&len, n);
        lo = n < lo ? n : lo;
        hi = n > hi ? n : hi;
        cut += x->finish == HONE_FINISH_LENGTH;
        if (r->has_advantages && !x->left_out) {
            add(&rew, x->reward);
            add(&adv, x->advantage);
        }
    }
    if (rew.n > 0) {
        hone_metrics_set(m, "reward/mean", rew.sum / rew.n);
        hone_metrics_set(m, "reward/std", std_of(&rew));
    }
    if (r->n_components && r->has_advantages)
        group_metrics(r, m);
    if (adv.n > 0) {
        hone_metrics_set(m, "advantage/mean", adv.sum / adv.n);
        hone_metrics_set(m, "advantage/std", std_of(&adv));
    }
    hone_metrics_set(m, "length/mean", len.sum / len.n);
    hone_metrics_set(m, "length/min", lo);
    hone_metrics_set(m, "length/max", hi);
    hone_metrics_set(m, "length/truncated", cut / (double)r->n_samples);
    if (r->env)
        environment_metrics(r, m);
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static void write_outcome(const hone_score_result *x, hone_jw *w)
{
    static const char *const status[] = {"pending", "score", "abstain", "error", "timeout"};
    hone_jw_map(w);
    hone_jw_kcstr(w, "status", status[x->status < 5 ? x->status : 3]);
    if (x->status == HONE_SCORE) {
        hone_jw_key(w, "score");
        hone_jw_f32(w, x->score);
    }
    if (x->reason.len)
        hone_jw_kstr(w, "reason", x->reason);
    if (x->notes.len) {
        hone_arena a;
        hone_value v;
        hone_arena_init(&a, 1 << 24);
        if (hone_json_parse(x->notes.ptr, x->notes.len, NULL, &a, &v) >= 0) {
            hone_jw_key(w, "notes");
            hone_jw_value(w, &v);
        }
        hone_arena_release(&a);
    }
    hone_jw_end(w);
}

static void write_sample(const hone_rollout *r, size_t i, hone_jw *w)
{
    const hone_rollout_sample *s = &r->samples[i];
    const hone_rollout_prompt *p = &r->prompts[s->prompt];
    hone_jw_map(w);
    hone_jw_ki64(w, "step", (int64_t)r->step);
    hone_jw_ki64(w, "sample", (int64_t)(r->first_sample + i));
    hone_jw_ki64(w, "group", (int64_t)s->prompt);
    hone_jw_ki64(w, "version", (int64_t)r->version);
    hone_jw_kstr(w, "prompt", p->text);
    hone_jw_kstr(w, "completion", s->text);
    hone_jw_kcstr(w, "finish",
                  s->finish == HONE_FINISH_STOP     ? "stop"
                  : s->finish == HONE_FINISH_LENGTH ? "length"
                                                    : "cancelled");
    hone_jw_key(w, "row");
    hone_jw_value(w, p->row);
    hone_jw_key(w, "ids");
    hone_jw_list(w);
    for (size_t k = 0; k < s->n; k++)
        hone_jw_i64(w, s->ids[k]);
    hone_jw_end(w);
    hone_jw_key(w, "logprobs");
    hone_jw_list(w);
    for (size_t k = 0; k < s->n; k++)
        hone_jw_f32(w, s->logprob[k]);
    hone_jw_end(w);
    if (s->mask) { /* [from, to) of each turn's ids: the policy's own */
        hone_jw_key(w, "turns");
        hone_jw_list(w);
        for (size_t k = 0; k < s->n; k++) {
            if (!s->mask[k] || (k && s->mask[k - 1]))
                continue;
            size_t to = k;
            while (to < s->n && s->mask[to])
                to++;
            hone_jw_list(w);
            hone_jw_i64(w, (int64_t)k);
            hone_jw_i64(w, (int64_t)to);
            hone_jw_end(w);
        }
        hone_jw_end(w);
    }
    hone_jw_key(w, "outcomes");
    hone_jw_map(w);
    for (size_t c = 0; c < r->n_components; c++) {
        hone_jw_key(w, r->component[c]);
        write_outcome(&r->results[c * r->n_samples + i], w);
    }
    hone_jw_end(w);
    if (r->has_advantages) {
        hone_jw_kf64(w, "reward", s->reward);
        hone_jw_kf64(w, "advantage", s->advantage);
        if (s->left_out)
            hone_jw_kbool(w, "left_out", 1);
    }
    hone_jw_end(w);
}

hone_status hone_rollout_write(const hone_rollout *r, hone_buf *out)
{
    for (size_t i = 0; i < r->n_samples; i++) {
        hone_jw w;
        hone_jw_init(&w, out, 0);
        write_sample(r, i, &w);
        HONE_TRY(hone_buf_addc(out, '\n'));
    }
    return out->failed;
}
