/* replay.c - `hone replay RUN`: recorded samples scored anew, and what that would have changed.
 *
 * Step by step the samples of rollouts.jsonl.zst are read, scored with the rewards that are given (or with recorded ones,
 * weighted anew), turned into advantages, and put beside what was recorded: core/train/replay.h says how. Advantage and
 * objective are those of the run (run.json, "methods") unless others are named. Nothing is written. */
#include "train/replay.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/component.h"
#include "cli/env.h"
#include "cli/out.h"
#include "cli/term.h"
#include "cli/verbs.h"
#include "host/grant.h"
#include "score/score.h"
#include "store/run.h"
#include "web/html.h"
#include "web/rundir.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hone_arg_list paths, sets, rewards, recorded, allow, advantage_sets, objective_sets;
static const char *advantage, *objective, *range;
static int json;
static int64_t show = 5;
static double deadline = 60;

enum { MAX = HONE_REPLAY_REWARDS, SAMPLES_MAX = 1 << 20, ROWS = 20 };

typedef struct changed { /* a group whose advantages changed most */
    double by;
    char *text;
} changed;

typedef struct replaying {
    const char *dir;
    hone_registry *registry;
    hone_env env;
    hone_arena life, arena; /* of the verb; of the step in progress */
    hone_value meta;
    /* rewards: first the recorded ones, then those that are asked now */
    char names[MAX][96];
    double weights[MAX];
    size_t n_recorded, n_rewards;
    hone_instance *insts[MAX];
    hone_score_component comps[MAX];
    hone_scorer *scorer;
    size_t failed[MAX];
    char why[MAX][256];
    hone_replay_side was, now;
    char was_objective[96], now_objective[96], now_advantage[96];
    /* the step that is being gathered */
    hone_replay_sample *samples;
    size_t n, cap, line;
    int64_t from, to;
    hone_replay_compared all;
    size_t steps;
    hone_buf table; /* a line a step, '\n' behind each */
    changed *top;
    size_t n_top;
} replaying;

/* ---- components --------------------------------------------------------------------------------------- */

/* "NAME" or "NAME=WEIGHT" */
static hone_status named(const char *text, char *name, size_t size, double *weight)
{
    const char *eq = strrchr(text, '=');
    char *end = NULL;
    *weight = eq ? strtod(eq + 1, &end) : 1;
    if (eq && (end == eq + 1 || *end || !isfinite(*weight)))
        return hone_fail(HONE_E_USAGE, "%s: NAME or NAME=WEIGHT is wanted", text);
    const size_t n = eq ? (size_t)(eq - text) : strlen(text);
    if (n == 0 || n >= size)
        return hone_fail(HONE_E_USAGE, "%s: NAME or NAME=WEIGHT is wanted", text);
    memcpy(name, text, n);
    name[n] = '\0';
    return HONE_OK;
}

/* Settings of reward `name`: "name.key=value", or with one reward "key=value". */
static hone_status settings_of(replaying *r, const char *name, hone_arg_list *out)
{
    const size_t n = strlen(name);
    out->n = 0;
    for (int i = 0; i < sets.n; i++) {
        const char *text = sets.v[i];
        if (strncmp(text, name, n) == 0 && text[n] == '.')
            text += n + 1;
        else if (rewards.n > 1)
            continue;
        out->v[out->n] = hone_arena_strndup(&r->life, text, strlen(text));
        if (!out->v[out->n++])
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

static hone_status open_rewards(replaying *r)
{
    if (rewards.n + recorded.n > MAX)
        return hone_fail(HONE_E_LIMIT, "more than %d rewards", MAX);
    for (int i = 0; i < recorded.n; i++, r->n_rewards++)
        HONE_TRY(named(recorded.v[i], r->names[r->n_rewards], sizeof r->names[0],
                       &r->weights[r->n_rewards]));
    r->n_recorded = r->n_rewards;
    for (int i = 0; i < rewards.n; i++) {
        char name[4096];
        hone_arg_list mine;
        hone_ref ref;
        const size_t k = r->n_rewards;
        HONE_TRY(named(rewards.v[i], name, sizeof name, &r->weights[k]));
        HONE_TRY(settings_of(r, name, &mine));
        HONE_TRY(hone_cli_instance(r->registry, HONE_KIND_REWARD, HONE_IFACE_REWARD, name, &mine,
                                   NULL, &r->life, &r->insts[k], &ref));
        snprintf(r->names[k], sizeof r->names[0], "%s",
                 hone_registry_is_file(name) ? hone_instance_info(r->insts[k])->short_name : name);
        hone_score_component *c = &r->comps[i];
        c->id = r->names[k];
        c->lane = (hone_score_lane){ref.vt, ref.self, r->insts[k]};
        c->caps = hone_instance_caps(r->insts[k]);
        c->weight = 1;
        c->timeout_s = deadline;
        r->n_rewards++;
    }
    if (r->n_rewards == 0) { /* what was recorded, with another advantage or objective */
        snprintf(r->names[0], sizeof r->names[0], "reward");
        r->weights[0] = 1;
        r->n_recorded = r->n_rewards = 1;
    }
    return rewards.n ? hone_scorer_create(r->comps, (size_t)rewards.n, 0, &r->scorer) : HONE_OK;
}

/* run.json "methods": the first policy's `key` ("objective", "advantage") and its settings. */
static const hone_value *method(const replaying *r, const char *key, const char *dflt,
                                char name[96])
{
    const hone_value *all = hone_value_get(&r->meta, "methods"), *own = NULL, *settings = NULL;
    hone_str text = {dflt, strlen(dflt)};
    char settings_key[64];
    if (all && all->type == HONE_MAP && all->u.map.n)
        own = hone_value_get(all, "policy") ? hone_value_get(all, "policy")
                                            : &all->u.map.pairs[0].value;
    if (own && own->type == HONE_MAP) {
        snprintf(settings_key, sizeof settings_key, "%s_settings", key);
        if (hone_value_string(own, key, text, &text) < 0)
            text = hone_str_c(dflt);
        settings = hone_value_get(own, settings_key);
    }
    snprintf(name, 96, "%.*s", (int)text.len, text.ptr);
    return settings && settings->type == HONE_MAP ? settings : NULL;
}

static hone_status open_objective(replaying *r, const char *name, const hone_arg_list *own,
                                  const hone_value *settings, hone_replay_side *side)
{
    hone_ref ref;
    HONE_TRY(hone_cli_instance(r->registry, HONE_KIND_OBJECTIVE, HONE_IFACE_OBJECTIVE, name, own,
                               settings, &r->life, &side->objective, &ref));
    side->objective_vt = ref.vt;
    side->objective_self = ref.self;
    return hone_replay_check(side, name);
}

static hone_status open_sides(replaying *r)
{
    const hone_arg_list none = {.n = 0};
    double limit = 0;
    hone_ref ref;
    const hone_value *params = hone_value_get(&r->meta, "params"), *settings;
    if (params && params->type == HONE_MAP)
        (void)hone_value_f64(params, "max_tokens", 0, &limit);
    r->was.max_length = r->now.max_length = limit > 0 ? limit : 0;
    settings = method(r, "objective", "grpo", r->was_objective);
    HONE_TRY(open_objective(r, r->was_objective, &none, settings, &r->was));
    snprintf(r->now_objective, sizeof r->now_objective, "%s",
             objective ? objective : r->was_objective);
    HONE_TRY(
        open_objective(r, r->now_objective, &objective_sets, objective ? NULL : settings, &r->now));
    settings = method(r, "advantage", "group", r->now_advantage);
    if (advantage)
        snprintf(r->now_advantage, sizeof r->now_advantage, "%s", advantage);
    HONE_TRY(hone_cli_instance(r->registry, HONE_KIND_OBJECTIVE, HONE_IFACE_ADVANTAGE,
                               r->now_advantage, &advantage_sets, advantage ? NULL : settings,
                               &r->life, &r->now.advantage, &ref));
    r->now.advantage_vt = ref.vt;
    r->now.advantage_self = ref.self;
    return HONE_OK;
}

/* ---- a step --------------------------------------------------------------------------------------------- */

/* Samples [from, to): groups of one size. */
static hone_status score_block(replaying *r, hone_replay_step *s, size_t from, size_t to,
                               size_t group_size)
{
    hone_score_params p = {.step = (uint64_t)s->step,
                           .first_sample = (uint64_t)s->samples[from].sample,
                           .n_samples = to - from,
                           .group_size = group_size,
                           .error_limit = 1};
    hone_score_job *job;
    HONE_TRY(hone_score_begin(r->scorer, &p, &job));
    hone_status st = HONE_OK;
    for (size_t i = from; st >= 0 && i < to; i++) {
        hone_sample view;
        st = hone_replay_view(&s->samples[i], &r->arena, &view);
        view.group = s->group[i];
        if (st >= 0)
            st = hone_score_add(job, i - from, &view);
    }
    if (st >= 0)
        st = hone_score_wait(job);
    for (size_t c = 0; st >= 0 && c < (size_t)rewards.n; c++) {
        const size_t k = r->n_recorded + c;
        for (size_t i = from; i < to; i++) {
            const hone_score_result *x = hone_score_get(job, c, i - from);
            s->scored[k * s->n + i] = x->status == HONE_SCORE;
            s->rewards[k * s->n + i] = x->status == HONE_SCORE ? (double)x->score : 0;
            if (x->status != HONE_SCORE && x->status != HONE_ABSTAIN && r->failed[k]++ == 0)
                snprintf(r->why[k], sizeof r->why[k], "%.*s", (int)x->reason.len,
                         x->reason.len ? x->reason.ptr : "");
        }
    }
    hone_score_end(job);
    return st;
}

static hone_status score(replaying *r, hone_replay_step *s)
{
    for (size_t k = 0; k < r->n_recorded; k++) {
        for (size_t i = 0; i < s->n; i++) {
            const hone_replay_sample *x = &s->samples[i];
            double v = 0;
            int has = rewards.n + recorded.n == 0
                          ? !x->left_out && isfinite(x->reward) && (v = x->reward, 1)
                          : hone_replay_outcome(x, r->names[k], &v);
            s->scored[k * s->n + i] = (uint8_t)has;
            s->rewards[k * s->n + i] = v;
        }
    }
    for (size_t from = 0; r->scorer && from < s->n;) {
        size_t first = from, size = 0, to;
        while (first < s->n && s->group[first] == s->group[from])
            first++;
        size = first - from;
        for (to = first; to < s->n;) { /* as many groups of that size as follow */
            size_t end = to;
            while (end < s->n && s->group[end] == s->group[to])
                end++;
            if (end - to != size)
                break;
            to = end;
        }
        HONE_TRY(score_block(r, s, from, to, size));
        from = to;
    }
    return HONE_OK;
}

static void number(hone_buf *b, int width, double v)
{
    char t[32];
    hone__web_number(v, t);
    hone_buf_addf(b, " %*s", width, t);
}

static double cosine(const hone_replay_compared *c)
{
    return c->was > 0 && c->now > 0 ? c->dot / sqrt(c->was * c->now) : (double)NAN;
}

static double ratio(const hone_replay_compared *c)
{
    return c->was > 0 ? sqrt(c->now / c->was) : (double)NAN;
}

static void table_line(hone_buf *b, const char *name, const hone_replay_compared *c)
{
    const hone_replay_sums *v = &c->reward;
    hone_buf_addf(b, "%6s %7zu", name, c->samples);
    number(b, 9, v->n > 0 ? v->x / v->n : (double)NAN);
    number(b, 9, v->n > 0 ? v->y / v->n : (double)NAN);
    number(b, 8, round(hone_replay_correlation(&c->reward) * 1e3) / 1e3);
    number(b, 8, round(hone_replay_correlation(&c->advantage) * 1e3) / 1e3);
    hone_buf_addf(b, " %7zu %6zu %6zu", c->flipped, c->equal_was, c->equal_now);
    number(b, 8, round(cosine(c) * 1e3) / 1e3);
    number(b, 8, round(ratio(c) * 1e3) / 1e3);
    hone_buf_addc(b, '\n');
}

static void jw_compared(hone_jw *w, const hone_replay_compared *c)
{
    const hone_replay_sums *v = &c->reward;
    hone_jw_ki64(w, "samples", (int64_t)c->samples);
    hone_jw_ki64(w, "groups", (int64_t)c->groups);
    hone_jw_kf64(w, "reward_was", v->n > 0 ? v->x / v->n : (double)NAN);
    hone_jw_kf64(w, "reward_now", v->n > 0 ? v->y / v->n : (double)NAN);
    hone_jw_kf64(w, "reward_correlation", hone_replay_correlation(v));
    hone_jw_kf64(w, "advantage_correlation", hone_replay_correlation(&c->advantage));
    hone_jw_ki64(w, "sign_changes", (int64_t)c->flipped);
    hone_jw_ki64(w, "gained", (int64_t)c->gained);
    hone_jw_ki64(w, "lost", (int64_t)c->lost);
    hone_jw_ki64(w, "equal_groups_was", (int64_t)c->equal_was);
    hone_jw_ki64(w, "equal_groups_now", (int64_t)c->equal_now);
    hone_jw_ki64(w, "left_out_was", (int64_t)c->out_was);
    hone_jw_ki64(w, "left_out_now", (int64_t)c->out_now);
    hone_jw_kf64(w, "gradient_cosine", cosine(c));
    hone_jw_kf64(w, "gradient_norm_ratio", ratio(c));
}

/* One group: its advantages then and now. */
static void jw_group(hone_jw *w, const hone_replay_step *s, const hone_replay_result *was,
                     const hone_replay_result *now, size_t from, size_t to)
{
    const hone_replay_result *const sides[2] = {was, now};
    static const char *const keys[2][2] = {{"reward_was", "advantage_was"},
                                           {"reward_now", "advantage_now"}};
    hone_replay_sums sums = {0};
    int64_t flipped = 0;
    for (size_t i = from; i < to; i++) {
        hone_replay_pair(&sums, was->advantage[i], now->advantage[i]);
        flipped += was->advantage[i] * now->advantage[i] < 0;
    }
    hone_jw_map(w);
    hone_jw_ki64(w, "group", (int64_t)s->group[from]);
    hone_jw_ki64(w, "sample", s->samples[from].sample);
    for (int k = 0; k < 2; k++) {
        hone_jw_key(w, keys[k][0]);
        hone_jw_list(w);
        for (size_t i = from; i < to; i++)
            hone_jw_f64(w, sides[k]->left_out[i] ? (double)NAN : sides[k]->reward[i]);
        hone_jw_end(w);
        hone_jw_key(w, keys[k][1]);
        hone_jw_list(w);
        for (size_t i = from; i < to; i++)
            hone_jw_f64(w, sides[k]->advantage[i]);
        hone_jw_end(w);
    }
    hone_jw_kf64(w, "advantage_correlation", hone_replay_correlation(&sums));
    hone_jw_ki64(w, "sign_changes", flipped);
    hone_jw_end(w);
}

static size_t group_end(const hone_replay_step *s, size_t from)
{
    size_t to = from;
    while (to < s->n && s->group[to] == s->group[from])
        to++;
    return to;
}

static hone_status print_json(const hone_replay_step *s, const hone_replay_result *was,
                              const hone_replay_result *now, const hone_replay_compared *c)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "step", s->step);
    jw_compared(&w, c);
    hone_jw_key(&w, "by_group");
    hone_jw_list(&w);
    for (size_t i = 0, end; i < s->n; i = end) {
        end = group_end(s, i);
        jw_group(&w, s, was, now, i, end);
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
    if (b.failed >= 0)
        printf("%s\n", b.ptr);
    hone_status st = b.failed;
    hone_buf_release(&b);
    return st;
}

/* Text of a file on one line. */
static void plain(hone_buf *b, hone_str s, size_t most)
{
    size_t n = s.len < most ? s.len : most;
    while (n && n < s.len && ((unsigned char)s.ptr[n] & 0xC0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        hone_buf_addc(b, (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? ' ' : s.ptr[i]);
    if (n < s.len)
        hone_buf_adds(b, "...");
}

static void list_of(hone_buf *b, const char *name, const double *v, const uint8_t *out, size_t from,
                    size_t to)
{
    hone_buf_adds(b, name);
    for (size_t i = from; i < to; i++) {
        if (out && out[i])
            hone_buf_adds(b, "    out");
        else
            hone_buf_addf(b, " %6.2f", v[i]);
    }
}

/* Keeps the groups whose advantages changed most. */
static hone_status keep_top(replaying *r, const hone_replay_step *s, const hone_replay_result *was,
                            const hone_replay_result *now)
{
    for (size_t i = 0, end; i < s->n && show > 0; i = end) {
        double by = 0;
        hone_buf b;
        end = group_end(s, i);
        for (size_t k = i; k < end; k++)
            by += fabs(was->advantage[k] - now->advantage[k]);
        by /= (double)(end - i);
        if (!(by > 1e-9) || (r->n_top == (size_t)show && by <= r->top[r->n_top - 1].by))
            continue;
        hone_buf_init(&b, 1 << 16);
        hone_buf_addf(&b, "step %" PRId64 ", \"", s->step);
        plain(&b, s->samples[i].prompt, 160);
        hone_buf_adds(&b, "\"\n");
        list_of(&b, "  reward    was", was->reward, was->left_out, i, end);
        list_of(&b, "\n            now", now->reward, now->left_out, i, end);
        list_of(&b, "\n  advantage was", was->advantage, NULL, i, end);
        list_of(&b, "\n            now", now->advantage, NULL, i, end);
        hone_buf_addc(&b, '\n');
        if (b.failed < 0) {
            hone_buf_release(&b);
            return b.failed;
        }
        if (r->n_top == (size_t)show)
            hone_free(r->top[--r->n_top].text);
        size_t at = r->n_top++;
        for (; at > 0 && r->top[at - 1].by < by; at--)
            r->top[at] = r->top[at - 1];
        r->top[at] = (changed){by, hone_strdup(b.ptr)};
        hone_buf_release(&b);
        if (!r->top[at].text)
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

static hone_status end_step(replaying *r)
{
    hone_replay_step s = {
        .samples = r->samples, .n = r->n, .n_rewards = r->n_rewards, .weights = r->weights};
    hone_replay_result was, now;
    hone_replay_compared c = {0};
    char name[32];
    if (r->n == 0)
        return HONE_OK;
    s.step = r->samples[0].step;
    s.group = hone_arena_calloc(&r->arena, s.n, sizeof *s.group);
    s.rewards = hone_arena_calloc(&r->arena, s.n * s.n_rewards, sizeof *s.rewards);
    s.scored = hone_arena_calloc(&r->arena, s.n * s.n_rewards, 1);
    if (!s.group || !s.rewards || !s.scored)
        return HONE_E_NOMEM;
    hone_replay_groups(&s);
    HONE_TRY(score(r, &s));
    HONE_TRY(hone_replay_compute(&s, &r->was, &r->arena, &was));
    HONE_TRY(hone_replay_compute(&s, &r->now, &r->arena, &now));
    hone_replay_compare(&s, &was, &now, &c);
    hone_replay_add(&r->all, &c);
    r->steps++;
    snprintf(name, sizeof name, "%" PRId64, s.step);
    if (json)
        HONE_TRY(print_json(&s, &was, &now, &c));
    else
        table_line(&r->table, name, &c);
    hone_status st = keep_top(r, &s, &was, &now);
    r->n = 0;
    hone_arena_clear(&r->arena);
    return st < 0 ? st : r->table.failed;
}

static hone_status take_line(void *ctx, hone_str line)
{
    replaying *r = ctx;
    hone_arena look;
    hone_replay_sample x;
    r->line++;
    /* whose step it is decides in whose memory it lives */
    hone_arena_init(&look, 0);
    hone_status s = hone_replay_read(line, &look, &x);
    const int64_t step = s >= 0 ? x.step : 0;
    hone_arena_release(&look);
    if (s < 0)
        return s == HONE_E_PARSE || s == HONE_E_TYPE
                   ? hone_fail_at("%s/rollouts.jsonl.zst: line %zu", r->dir, r->line)
                   : s;
    if (r->n && r->samples[0].step != step)
        HONE_TRY(end_step(r));
    if (step < r->from || step > r->to)
        return HONE_OK;
    if (r->n == r->cap) {
        const size_t cap = r->cap ? 2 * r->cap : 256;
        if (cap > SAMPLES_MAX)
            return hone_fail(HONE_E_LIMIT, "step %" PRId64 " has more than %d samples", step,
                             SAMPLES_MAX);
        hone_replay_sample *more = hone_realloc(r->samples, cap * sizeof *more);
        if (!more)
            return HONE_E_NOMEM;
        r->samples = more;
        r->cap = cap;
    }
    HONE_TRY(hone_replay_read(line, &r->arena, &r->samples[r->n]));
    r->n++;
    return HONE_OK;
}

/* ---- the end ----------------------------------------------------------------------------------------------- */

static void percent(const char *what, size_t n, size_t of, const char *tail)
{
    printf("%s %zu of %zu (%.1f %%)%s\n", what, n, of, of ? 100 * (double)n / (double)of : 0, tail);
}

static void print_text(const replaying *r)
{
    const hone_replay_compared *c = &r->all;
    hone_buf b;
    size_t lines = 0, k = 0;
    printf("%s: recorded (objective %s) beside", hone_path_base(r->dir), r->was_objective);
    for (size_t i = 0; i < r->n_rewards; i++)
        printf("%s %s%s x %g", i ? " +" : "", i < r->n_recorded ? "recorded " : "", r->names[i],
               r->weights[i]);
    printf(", advantage %s, objective %s\n\n", r->now_advantage, r->now_objective);
    printf("%6s %7s %9s %9s %8s %8s %7s %6s %6s %8s %8s\n", "step", "samples", "reward", "now",
           "corr.", "adv.corr", "flipped", "equal", "now", "cosine", "norm");
    for (size_t i = 0; i < r->table.len; i++)
        lines += r->table.ptr[i] == '\n';
    const size_t every = lines > ROWS ? (lines + ROWS - 1) / ROWS : 1;
    for (const char *p = r->table.ptr; p && *p; k++) { /* evenly spaced ones, and the last */
        const char *nl = strchr(p, '\n');
        if (k % every == 0 || k + 1 == lines)
            printf("%.*s", (int)(nl + 1 - p), p);
        p = nl + 1;
    }
    hone_buf_init(&b, 1 << 16);
    table_line(&b, "all", c);
    printf("%s\n", b.failed >= 0 ? b.ptr : "");
    hone_buf_release(&b);
    percent("sign of the advantage changed:", c->flipped, c->samples, "");
    percent("advantage gained where there was none:", c->gained, c->samples, "");
    percent("lost:", c->lost, c->samples, "");
    percent("groups that teach nothing: now", c->equal_now, c->groups, "");
    percent("  before", c->equal_was, c->groups, "");
    if (c->out_now + c->out_was)
        percent("samples without a score: now", c->out_now, c->samples, "");
    printf(
        "gradient with respect to the recorded log-probs: cosine %.3f, norm %.3f of what it was\n",
        cosine(c), ratio(c));
    for (size_t i = 0; i < r->n_top; i++)
        printf("%s\n%s", i ? "" : "\nwhere advantages changed most:", r->top[i].text);
}

static void print_total(const replaying *r)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 20);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_key(&w, "total");
    hone_jw_map(&w);
    hone_jw_ki64(&w, "steps", (int64_t)r->steps);
    jw_compared(&w, &r->all);
    hone_jw_kcstr(&w, "objective_was", r->was_objective);
    hone_jw_kcstr(&w, "objective_now", r->now_objective);
    hone_jw_kcstr(&w, "advantage_now", r->now_advantage);
    hone_jw_end(&w);
    hone_jw_end(&w);
    if (b.failed >= 0)
        printf("%s\n", b.ptr);
    hone_buf_release(&b);
}

/* 1 where a reward failed on every sample. */
static int say_failures(const replaying *r)
{
    int none = 0;
    fflush(stdout);
    for (size_t k = r->n_recorded; k < r->n_rewards; k++) {
        if (!r->failed[k])
            continue;
        fprintf(stderr, "hone: %s failed on %zu of %zu samples\n  the first: %s\n", r->names[k],
                r->failed[k], r->all.samples, r->why[k]);
        none |= r->failed[k] == r->all.samples;
    }
    return none;
}

static hone_status read_range(replaying *r)
{
    r->from = 0;
    r->to = INT64_MAX;
    if (!range)
        return HONE_OK;
    char *end;
    r->from = strtoll(range, &end, 10);
    r->to = r->from;
    if (end != range && end[0] == '.' && end[1] == '.') {
        const char *last = end + 2;
        r->to = *last ? strtoll(last, &end, 10) : INT64_MAX;
        if (!*last)
            end = (char *)last;
    }
    if (end == range || *end || r->from < 0 || r->to < r->from)
        return hone_fail(HONE_E_USAGE, "--steps %s: a step, A..B or A.. is wanted", range);
    return HONE_OK;
}

static hone_status work(replaying *r)
{
    int cut = 0;
    HONE_TRY(read_range(r));
    HONE_TRY(hone_run_meta_read(r->dir, &r->life, &r->meta));
    char *path = hone_path_join(r->dir, "rollouts.jsonl.zst");
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    if (!hone_file_exists(path)) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s has no rollouts: its recipe drew no samples", r->dir);
        goto done;
    }
    HONE_TRY_GOTO(hone_cli_open_registry(&paths, &r->registry), done);
    HONE_TRY_GOTO(hone_registry_allow(r->registry, allow.v), done);
    HONE_TRY_GOTO(hone_cli_desk_open(r->registry, &r->env), done);
    HONE_TRY_GOTO(open_rewards(r), done);
    HONE_TRY_GOTO(open_sides(r), done);
    HONE_TRY_GOTO(hone_rollouts_read(path, take_line, r, &cut), done);
    HONE_TRY_GOTO(end_step(r), done);
    if (r->steps == 0) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s has no samples%s", r->dir,
                      range ? " of these steps" : "");
        goto done;
    }
    if (json)
        print_total(r);
    else
        print_text(r);
    if (cut)
        fprintf(stderr, "hone: the last step of the file was cut off and is left out\n");
done:
    hone_free(path);
    return s;
}

int hone_cli_replay(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"reward", HONE_ARG_LIST, &rewards, "NAME[=W]", "a reward to score with (several times)"},
        {"recorded", HONE_ARG_LIST, &recorded, "ID[=W]",
         "a reward of the run, as it was recorded, with another weight (several times)"},
        {"set", HONE_ARG_LIST, &sets, "K=V", "a setting of the reward; with several, REWARD.K=V"},
        {"advantage", HONE_ARG_STR, &advantage, "NAME", "instead of the run's"},
        {"advantage-set", HONE_ARG_LIST, &advantage_sets, "K=V", "a setting of it"},
        {"objective", HONE_ARG_STR, &objective, "NAME", "instead of the run's"},
        {"objective-set", HONE_ARG_LIST, &objective_sets, "K=V", "a setting of it"},
        {"steps", HONE_ARG_STR, &range, "A..B", "these steps (all)"},
        {"show", HONE_ARG_I64, &show, "N", "groups that changed most (5)"},
        {"deadline", HONE_ARG_F64, &deadline, "S", "seconds for a call of a reward (60)"},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH",
         "a folder of plugins, or a .so (several times)"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT",
         "PLUGIN:net,exec,fs-read:PATH,fs-write:PATH, weak-box"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one line of JSON a step, and a last one of all"},
        {0}};
    static const char *const examples[] = {
        "hone replay runs/grpo-20260131-235959-1a2b --reward length",
        "hone replay runs/grpo-20260131-235959-1a2b --recorded right --reward length=0.2",
        "hone replay runs/grpo-20260131-235959-1a2b --objective gspo --advantage rloo --steps 50..",
        NULL};
    static const hone_args spec = {
        "replay",
        "RUN [options]",
        "Scores the samples that a run recorded with other rewards, or sees them with another\n"
        "advantage or objective, and shows how advantages and gradients would have changed.\n"
        "No model is needed and nothing is written.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (rewards.n + recorded.n == 0 && !advantage && !objective && !objective_sets.n &&
        !advantage_sets.n)
        return hone_cli_usage(
            "replay",
            "nothing would differ: give --reward, --recorded, --advantage or --objective");
    if (!(deadline > 0) || show < 0 || show > 1000)
        return hone_cli_usage("replay", "--deadline is above 0, --show 0 to 1000");
    replaying *r = hone_calloc(1, sizeof *r);
    if (!r)
        return hone_cli_fail(HONE_E_NOMEM);
    r->dir = rest.v[0];
    hone_arena_init(&r->life, 0);
    hone_arena_init(&r->arena, (size_t)4 << 30);
    hone_buf_init(&r->table, HONE_BUF_MAX_DEFAULT);
    r->top = hone_calloc((size_t)show + 1, sizeof *r->top);
    int code = hone_cli_fail(r->top ? work(r) : HONE_E_NOMEM);
    if (code == HONE_EXIT_OK && say_failures(r))
        code = HONE_EXIT_FAILED;
    code = hone_cli_finish(code);
    if (hone_score_lost() > 0) /* a plugin's call still runs: nothing may be torn down under it */
        _exit(code);
    hone_scorer_destroy(r->scorer);
    for (size_t i = 0; i < MAX; i++)
        hone_instance_unref(r->insts[i]);
    hone_instance_unref(r->was.objective);
    hone_instance_unref(r->now.objective);
    hone_instance_unref(r->now.advantage);
    hone_cli_desk_close(&r->env);
    hone_registry_close(r->registry);
    for (size_t i = 0; i < r->n_top; i++)
        hone_free(r->top[i].text);
    hone_free(r->top);
    hone_free(r->samples);
    hone_buf_release(&r->table);
    hone_arena_release(&r->arena);
    hone_arena_release(&r->life);
    hone_free(r);
    return code;
}
