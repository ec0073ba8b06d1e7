/* rollout.c - see rollout.h. */
#include "train/rollout.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/messages.h"
#include "base/trace.h"
#include "train/episodes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- prompts ------------------------------------------------------------------------------------------ */

/* What an environment begins a prompt with, behind what the row says; and the tools it has. */
typedef struct opening {
    hone_str text, role;
    const hone_value *tools; /* or NULL */
} opening;

/* `before` (a list, or NULL for none) and one message more. */
static hone_status one_more(hone_rollout *r, const hone_value *before, hone_str role, hone_str text,
                            const hone_value **out)
{
    const size_t n = before ? before->u.list.n : 0;
    hone_pair *pairs = hone_arena_calloc(&r->arena, 2, sizeof *pairs);
    hone_value *items = hone_arena_calloc(&r->arena, n + 1, sizeof *items);
    hone_value *list = hone_arena_calloc(&r->arena, 1, sizeof *list);
    if (!pairs || !items || !list)
        return HONE_E_NOMEM;
    if (n)
        memcpy(items, before->u.list.items, n * sizeof *items);
    pairs[0].key = hone_str_c("role");
    pairs[0].value = (hone_value){.type = HONE_STRING,
                                  .u.str = role.len ? role : hone_str_c("user")};
    pairs[1].key = hone_str_c("content");
    pairs[1].value = (hone_value){.type = HONE_STRING, .u.str = text};
    items[n].type = HONE_MAP;
    items[n].u.map.pairs = pairs;
    items[n].u.map.n = 2;
    *list = (hone_value){.type = HONE_LIST, .u.list = {items, n + 1}};
    *out = list;
    return HONE_OK;
}

/* Text behind the row's prompt. */
static hone_status text_behind(hone_rollout *r, hone_str prompt, hone_str more, hone_str *out)
{
    char *both = hone_arena_calloc(&r->arena, prompt.len + more.len + 1, 1);
    if (!both)
        return HONE_E_NOMEM;
    if (prompt.len)
        memcpy(both, prompt.ptr, prompt.len);
    if (more.len)
        memcpy(both + prompt.len, more.ptr, more.len);
    *out = (hone_str){both, prompt.len + more.len};
    return HONE_OK;
}

static hone_status encode(hone_policy *policy, hone_rollout *r, hone_rollout_prompt *p, int raw,
                          const opening *begin)
{
    const hone_value *messages = hone_value_get(p->row, "messages");
    const hone_value *prompt = hone_value_get(p->row, "prompt");
    const hone_value *ids = hone_value_get(p->row, "ids");
    hone_value with;
    hone_tokens t;
    hone_buf text;
    hone_tokens_init(&t, 0);
    hone_buf_init(&text, (size_t)1 << 28);
    hone_status s = HONE_OK;
    if (prompt && prompt->type == HONE_LIST && !messages)
        messages = prompt;
    if (begin->text.len && messages && messages->type == HONE_LIST) {
        s = one_more(r, messages, begin->role, begin->text, &messages);
    } else if (begin->text.len && !messages && (!prompt || prompt->type == HONE_STRING)) {
        with.type = HONE_STRING;
        s = text_behind(r, prompt ? prompt->u.str : (hone_str){"", 0}, begin->text, &with.u.str);
        prompt = &with;
    }
    if (s >= 0 && !messages && prompt && prompt->type == HONE_STRING && !raw && policy->text &&
        policy->text->chat)
        s = one_more(r, NULL, (hone_str){"", 0}, prompt->u.str, &messages);
    if (s >= 0 && messages) {
        hone_messages read;
        s = hone_messages_read(messages, &r->arena, &read);
        if (s >= 0 && read.n == 0)
            s = hone_fail(HONE_E_TYPE, "messages: a list of { role, content } is wanted");
        if (s >= 0) {
            p->messages = read.at;
            p->n_messages = read.n;
            p->chat = messages;
            s = hone_policy_encode_messages(policy, messages, begin->tools, &t, &text);
        }
    } else if (s >= 0 && prompt && prompt->type == HONE_STRING) {
        s = hone_buf_add_str(&text, prompt->u.str);
        if (s >= 0)
            s = hone_policy_encode_text(policy, prompt->u.str, &t);
    } else if (s >= 0 && ids && ids->type == HONE_LIST) {
        for (size_t i = 0; s >= 0 && i < ids->u.list.n; i++)
            s = hone_tokens_add1(&t, (int32_t)ids->u.list.items[i].u.i64);
    } else if (s >= 0) {
        s = hone_fail(HONE_E_INVALID, "a prompt needs prompt (text) or messages (a list)");
        hone_fail_hint(
            "the recipe's map function returns it: { prompt = r.question, answer = ... }");
    }
    if (s >= 0) {
        int32_t *copy = hone_arena_calloc(&r->arena, t.n ? t.n : 1, sizeof *copy);
        p->text = hone_arena_str(&r->arena, hone_buf_str(&text));
        if (!copy)
            s = HONE_E_NOMEM;
        else if (t.n)
            memcpy(copy, t.ids, t.n * sizeof *copy);
        p->ids = copy;
        p->n_ids = t.n;
    }
    hone_tokens_release(&t);
    hone_buf_release(&text);
    return s;
}

static hone_status read_row(hone_policy *policy, hone_rollout *r, hone_rollout_prompt *p,
                            const hone_value *row, int raw, const opening *begin)
{
    hone_value *copy = hone_arena_calloc(&r->arena, 1, sizeof *copy);
    if (!copy)
        return HONE_E_NOMEM;
    if (row->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "a data row must be a map");
    HONE_TRY(hone_value_copy(&r->arena, row, copy));
    p->row = copy;
    p->n_columns = copy->u.map.n;
    p->columns = hone_arena_calloc(&r->arena, p->n_columns ? p->n_columns : 1, sizeof *p->columns);
    if (!p->columns)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < p->n_columns; i++) {
        p->columns[i].name = copy->u.map.pairs[i].key;
        p->columns[i].value = copy->u.map.pairs[i].value;
    }
    return encode(policy, r, p, raw, begin);
}

/* ---- drawing ------------------------------------------------------------------------------------------ */

typedef struct drawing {
    hone_rollout *r;
    const hone_rollout_params *p;
    hone_score_job *job;
    hone__episodes *episodes; /* or NULL */
} drawing;

void hone_rollout_sample_view(const hone_rollout *r, size_t i, hone_sample *out)
{
    const hone_rollout_sample *s = &r->samples[i];
    const hone_rollout_prompt *p = &r->prompts[s->prompt];
    const hone_value *text = hone_value_get(p->row, "prompt");
    memset(out, 0, sizeof *out);
    out->id = r->first_sample + i;
    out->group = s->prompt;
    out->prompt = text && text->type == HONE_STRING ? text->u.str : p->text;
    out->completion = s->text;
    out->messages = p->messages;
    out->n_messages = p->n_messages;
    out->tokens = s->ids;
    out->logprobs = s->logprob;
    out->n_tokens = s->n;
    out->columns = p->columns;
    out->n_columns = p->n_columns;
    out->finish = s->finish;
    out->turn = s->turns;
}

/* A sample is whole: to the rewards with it. */
static hone_status ended(void *ctx, size_t i)
{
    drawing *d = ctx;
    hone_sample view;
    if (!d->job)
        return HONE_OK;
    hone_rollout_sample_view(d->r, i, &view);
    return hone_score_add(d->job, i, &view);
}

static hone_status on_finish(void *ctx, const hone_completion *c)
{
    drawing *d = ctx;
    hone_rollout *r = d->r;
    size_t i = (size_t)(c->sample - r->first_sample);
    hone_rollout_sample *s = &r->samples[i];
    int32_t *ids = hone_arena_calloc(&r->arena, c->n ? c->n : 1, sizeof *ids);
    float *lp = hone_arena_calloc(&r->arena, c->n ? c->n : 1, sizeof *lp);
    float *full = hone_arena_calloc(&r->arena, c->n ? c->n : 1, sizeof *full);
    if (!ids || !lp || !full)
        return HONE_E_NOMEM;
    memcpy(ids, c->ids, c->n * sizeof *ids);
    memcpy(lp, c->logprob, c->n * sizeof *lp);
    memcpy(full, c->full, c->n * sizeof *full);
    s->ids = ids;
    s->logprob = lp;
    s->full = full;
    s->n = s->n_own = c->n;
    s->text = hone_arena_str(&r->arena, c->text);
    s->finish = c->finish;
    return ended(d, i);
}

static hone_status between(void *ctx)
{
    drawing *d = ctx;
    if (d->job)
        HONE_TRY(hone_score_poll(d->job));
    return d->p->between ? d->p->between(d->p->ctx) : HONE_OK;
}

static hone_status logits(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                          size_t n_ids, float *z, int64_t n)
{
    drawing *d = ctx;
    return d->p->logits(d->p->ctx, prompt, sample, ids, n_ids, z, n);
}

static hone_status weigh(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                         size_t n_ids, const int32_t *candidates, double *weight, int64_t n)
{
    drawing *d = ctx;
    return d->p->weigh(d->p->ctx, prompt, sample, ids, n_ids, candidates, weight, n);
}

static hone_status stop(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids, size_t n_ids,
                        hone_str text)
{
    drawing *d = ctx;
    return d->p->stop(d->p->ctx, prompt, sample, ids, n_ids, text);
}

static hone_status generate(hone_policy *policy, hone_rollout *r, const hone_rollout_params *p,
                            drawing *d)
{
    hone_gen *g;
    HONE_TRY(hone_policy_gen(policy, &g));
    hone_gen_prompt *prompts = hone_arena_calloc(&r->arena, r->n_prompts, sizeof *prompts);
    if (!prompts)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < r->n_prompts; i++) {
        prompts[i] = (hone_gen_prompt){.ids = r->prompts[i].ids,
                                       .n = r->prompts[i].n_ids,
                                       .first_sample = r->first_sample + i * p->n,
                                       .n_samples = p->n,
                                       .grammar = p->grammar};
    }
    hone_gen_params gp = {.rule = p->rule,
                          .seed = p->seed,
                          .step = p->step,
                          .max_tokens = p->max_tokens,
                          .stop_ids = policy->text ? policy->text->stop_ids : NULL,
                          .n_stop_ids = policy->text ? policy->text->n_stop_ids : 0,
                          .stop_strings = p->stop_strings,
                          .n_stop_strings = p->n_stop_strings,
                          .adapters = hone_policy_mask(policy),
                          .max_sequences = p->max_sequences,
                          .ctx = d,
                          .on_finish = on_finish,
                          .between = between,
                          .logits = p->logits ? logits : NULL,
                          .weigh = p->weigh ? weigh : NULL,
                          .candidates = p->candidates,
                          .stop = p->stop ? stop : NULL};
    hone_params_tape(policy->model->params, &policy->model->tape_params);
    if (d->episodes)
        return hone__episodes_play(d->episodes, g, &gp);
    HONE_TRY(hone_gen_run(g, prompts, r->n_prompts, &gp));
    hone_gen_get_stats(g, &r->gen);
    return HONE_OK;
}

/* Room for the outcomes of nc components, and of an environment. */
static hone_status room_for(hone_rollout *r, size_t nc)
{
    nc += r->env != NULL;
    r->component = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->component);
    r->weight = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->weight);
    r->watch = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->watch);
    r->p50_ms = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->p50_ms);
    r->p95_ms = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->p95_ms);
    r->cached = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->cached);
    r->retried = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->retried);
    r->shift = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->shift);
    r->scale = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->scale);
    r->clip = hone_arena_calloc(&r->arena, nc + 1, sizeof *r->clip);
    r->results = hone_arena_calloc(&r->arena, nc * r->n_samples + 1, sizeof *r->results);
    if (!r->component || !r->weight || !r->watch || !r->results || !r->p50_ms || !r->p95_ms ||
        !r->cached || !r->retried || !r->shift || !r->scale || !r->clip)
        return HONE_E_NOMEM;
    for (size_t c = 0; c < nc; c++)
        r->scale[c] = 1;
    return HONE_OK;
}

/* Outcomes of a finished job, copied into the rollout. */
static hone_status keep_results(hone_rollout *r, hone_scorer *scorer, hone_score_job *job)
{
    size_t nc = hone_scorer_count(scorer), n = r->n_samples;
    HONE_TRY(room_for(r, nc));
    for (size_t c = 0; c < nc; c++) {
        const hone_score_component *comp = hone_scorer_component(scorer, c);
        double p50, p95;
        r->component[c] = hone_arena_strndup(&r->arena, comp->id, strlen(comp->id));
        r->weight[c] = comp->weight;
        r->watch[c] = comp->watch != 0;
        if (!r->component[c])
            return HONE_E_NOMEM;
        hone_score_latency(job, c, &p50, &p95);
        r->p50_ms[c] = p50 * 1e3;
        r->p95_ms[c] = p95 * 1e3;
        hone_score_counts(job, c, &r->cached[c], &r->retried[c]);
        for (size_t i = 0; i < n; i++) {
            const hone_score_result *from = hone_score_get(job, c, i);
            hone_score_result *to = &r->results[c * n + i];
            *to = *from;
            to->notes = hone_arena_str(&r->arena, from->notes);
            to->reason = hone_arena_str(&r->arena, from->reason);
            to->token_scores = NULL;
            if (from->n_token_scores) {
                float *t = hone_arena_calloc(&r->arena, from->n_token_scores, sizeof *t);
                if (!t)
                    return HONE_E_NOMEM;
                memcpy(t, from->token_scores, from->n_token_scores * sizeof *t);
                to->token_scores = t;
            }
        }
    }
    r->n_components = nc;
    if (r->env)
        hone__episodes_outcomes(r);
    return HONE_OK;
}

/* A plan has no outcomes: every component "scores" every sample 0, without being asked. */
static hone_status plan_results(hone_rollout *r, hone_scorer *scorer)
{
    size_t nc = scorer ? hone_scorer_count(scorer) : 0, n = r->n_samples;
    HONE_TRY(room_for(r, nc));
    for (size_t c = 0; c < nc; c++) {
        const char *id = hone_scorer_component(scorer, c)->id;
        r->watch[c] = hone_scorer_component(scorer, c)->watch != 0;
        r->component[c] = hone_arena_strndup(&r->arena, id, strlen(id));
        if (!r->component[c])
            return HONE_E_NOMEM;
        for (size_t i = 0; i < n; i++)
            r->results[c * n + i].status = HONE_SCORE;
    }
    r->n_components = nc;
    if (r->env)
        hone__episodes_outcomes(r);
    return HONE_OK;
}

hone_status hone_rollout_draw(hone_policy *policy, const hone_value *rows, size_t n_rows,
                              const hone_rollout_params *p, hone_rollout **out)
{
    hone_status s = HONE_OK;
    if (p->n < 1 || n_rows == 0)
        return hone_fail(HONE_E_INVALID,
                         "a rollout needs at least one prompt and one sample of each");
    hone_rollout *r = hone_calloc(1, sizeof *r);
    if (!r)
        return HONE_E_NOMEM;
    hone_arena_init(&r->arena, (size_t)8 << 30);
    drawing d = {.r = r, .p = p};
    r->n_prompts = n_rows;
    r->group_size = p->n;
    r->n_samples = n_rows * p->n;
    r->drawn_by = policy;
    r->version = policy->version;
    r->step = p->step;
    r->first_sample = p->first_sample;
    r->temperature = p->rule.greedy ? 1.0 : p->rule.temperature;
    r->max_tokens = p->max_tokens;
    r->prompts = hone_arena_calloc(&r->arena, r->n_prompts, sizeof *r->prompts);
    r->samples = hone_arena_calloc(&r->arena, r->n_samples, sizeof *r->samples);
    if (!r->prompts || !r->samples)
        s = HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < r->n_samples; i++)
        r->samples[i].prompt = i / p->n;
    if (s >= 0 && p->environment)
        s = hone__episodes_open(r, policy, p, &d, ended, &d.episodes);
    if (s >= 0 && d.episodes)
        s = hone__episodes_reset(d.episodes, rows);
    for (size_t i = 0; s >= 0 && i < n_rows; i++) {
        opening begin = {{"", 0}, {"", 0}, NULL};
        if (d.episodes) {
            begin.text = hone__episodes_first(d.episodes, i, &begin.role);
            begin.tools = hone__episodes_tools(d.episodes);
        }
        s = read_row(policy, r, &r->prompts[i], &rows[i], p->raw, &begin);
    }
    if (s >= 0 && p->scorer && !hone_region_planning()) {
        hone_score_params sp = {.step = p->step,
                                .first_sample = p->first_sample,
                                .n_samples = r->n_samples,
                                .group_size = p->n,
                                .journal = p->journal,
                                .error_limit = p->error_limit};
        s = hone_score_begin(p->scorer, &sp, &d.job);
    }
    double t0 = hone_now_s();
    if (s >= 0)
        s = generate(policy, r, p, &d);
    double t1 = hone_now_s();
    hone_trace_span span;
    hone_trace_begin(&span, "wait for rewards", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    if (s >= 0 && d.job)
        s = hone_score_wait(d.job);
    hone_trace_end(&span, NULL);
    r->generate_s = t1 - t0;
    r->reward_s = hone_now_s() - t1; /* what the rewards added to the step */
    if (s >= 0 && d.job)
        s = keep_results(r, p->scorer, d.job);
    else if (s >= 0 && (p->scorer || r->env))
        s = plan_results(r, p->scorer);
    hone_score_end(d.job);
    hone__episodes_close(d.episodes);
    if (s < 0) {
        hone_rollout_destroy(r);
        return s;
    }
    *out = r;
    return HONE_OK;
}

void hone_rollout_destroy(hone_rollout *r)
{
    if (!r)
        return;
    hone_arena_release(&r->arena);
    hone_free(r);
}

hone_status hone_rollout_score(hone_rollout *r, hone_scorer *scorer, hone_journal *journal,
                               double error_limit)
{
    hone_score_job *job = NULL;
    if (hone_region_planning())
        return plan_results(r, scorer);
    hone_score_params sp = {.step = r->step,
                            .first_sample = r->first_sample,
                            .n_samples = r->n_samples,
                            .group_size = r->group_size,
                            .journal = journal,
                            .error_limit = error_limit};
    HONE_TRY(hone_score_begin(scorer, &sp, &job));
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < r->n_samples; i++) {
        hone_sample view;
        hone_rollout_sample_view(r, i, &view);
        s = hone_score_add(job, i, &view);
    }
    if (s >= 0)
        s = hone_score_wait(job);
    if (s >= 0)
        s = keep_results(r, scorer, job);
    hone_score_end(job);
    r->has_advantages = 0;
    return s;
}

/* ---- advantages ----------------------------------------------------------------------------------------- */

hone_status hone_rollout_normalize(hone_rollout *r, size_t c, double shift, double scale,
                                   double clip)
{
    if (c >= r->n_components)
        return hone_fail(HONE_E_RANGE, "reward %zu of %zu", c, r->n_components);
    if (!isfinite(shift) || !isfinite(scale) || !isfinite(clip) || clip < 0)
        return hone_fail(HONE_E_INVALID, "reward %s: its normalisation is not finite",
                         r->component[c]);
    r->shift[c] = shift;
    r->scale[c] = scale;
    r->clip[c] = clip;
    r->has_advantages = 0;
    return HONE_OK;
}

hone_status hone_rollout_set_outcome(hone_rollout *r, size_t c, size_t sample, uint32_t status,
                                     float score)
{
    if (c >= r->n_components || sample >= r->n_samples)
        return hone_fail(HONE_E_RANGE, "outcome %zu of sample %zu", c, sample);
    if (status < HONE_SCORE || status > HONE_TIMEOUT || !isfinite(score))
        return hone_fail(HONE_E_INVALID, "reward %s: the score is not finite", r->component[c]);
    hone_score_result *to = &r->results[c * r->n_samples + sample];
    to->status = status;
    to->score = status == HONE_SCORE ? score : 0;
    r->has_advantages = 0;
    return HONE_OK;
}

/* The score of component c as it counts. */
double hone__rollout_counted(const hone_rollout *r, size_t c, size_t i)
{
    double v = ((double)r->results[c * r->n_samples + i].score - r->shift[c]) * r->scale[c];
    if (r->clip[c] > 0)
        v = v > r->clip[c] ? r->clip[c] : v < -r->clip[c] ? -r->clip[c] : v;
    return v;
}

/* How many components count, which are those that do not only watch. */
static size_t counting(const hone_rollout *r)
{
    size_t n = 0;
    for (size_t c = 0; c < r->n_components; c++)
        n += !r->watch[c];
    return n;
}

/* A sample's part of an array of all tokens. */
static hone_status keep(hone_arena *a, const double *from, size_t n, double **out)
{
    *out = hone_arena_calloc(a, n + 1, sizeof **out);
    if (!*out)
        return HONE_E_NOMEM;
    memcpy(*out, from, n * sizeof **out);
    return HONE_OK;
}

hone_status hone_rollout_advantages(hone_rollout *r, hone_instance *inst,
                                    const hone_advantage_v1 *vt, void *self,
                                    const hone_rollout_beside *beside)
{
    size_t n = r->n_samples, nc = counting(r), n_tok = 0;
    hone_arena a;
    hone_arena_init(&a, (size_t)1 << 30);
    if (nc == 0 && !beside->ref_logp && !hone_region_planning())
        return hone_fail(HONE_E_STATE, "the rollout has no rewards, so there are no advantages");
    if (hone_region_planning()) { /* every sample trains: the dearest step there is */
        for (size_t i = 0; i < n; i++)
            r->samples[i].advantage = 1;
        r->has_advantages = 1;
        return HONE_OK;
    }
    for (size_t i = 0; i < n; i++)
        n_tok += r->samples[i].n;
    double *rewards = hone_arena_calloc(&a, n * nc + 1, sizeof *rewards);
    double *weights = hone_arena_calloc(&a, nc + 1, sizeof *weights);
    uint8_t *scored = hone_arena_calloc(&a, n * nc + 1, 1);
    uint32_t *group = hone_arena_calloc(&a, n, sizeof *group);
    double *length = hone_arena_calloc(&a, n, sizeof *length),
           *seq = hone_arena_calloc(&a, n, sizeof *seq);
    double *combined = hone_arena_calloc(&a, n, sizeof *combined),
           *token = hone_arena_calloc(&a, n_tok + 1, sizeof *token);
    double *mask = hone_arena_calloc(&a, n_tok + 1, sizeof *mask),
           *logp = hone_arena_calloc(&a, n_tok + 1, sizeof *logp);
    size_t *begin = hone_arena_calloc(&a, n + 1, sizeof *begin);
    uint8_t *left_out = hone_arena_calloc(&a, n, 1);
    double *returns = beside->value ? hone_arena_calloc(&a, n_tok + 1, sizeof *returns) : NULL;
    hone_status s = !beside->value || returns ? HONE_OK : HONE_E_NOMEM;
    if (!rewards || !weights || !scored || !group || !length || !seq || !combined || !token ||
        !mask || !logp || !begin || !left_out)
        s = HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        const hone_rollout_sample *x = &r->samples[i];
        group[i] = (uint32_t)x->prompt;
        length[i] = (double)x->n_own;
        begin[i + 1] = begin[i] + x->n;
        for (size_t c = 0, k = 0; c < r->n_components; c++) {
            if (r->watch[c])
                continue;
            weights[k] = r->weight[c];
            scored[k * n + i] = r->results[c * n + i].status == HONE_SCORE;
            rewards[k++ * n + i] = hone__rollout_counted(r, c, i);
        }
        for (size_t k = 0; k < x->n; k++) {
            mask[begin[i] + k] = x->mask ? (double)x->mask[k] : 1;
            logp[begin[i] + k] = (double)x->full[k];
        }
    }
    hone_advantage_in in = {.struct_size = sizeof in,
                            .n_seqs = n,
                            .n_rewards = nc,
                            .n_tokens = n_tok,
                            .rewards = rewards,
                            .scored = scored,
                            .weights = weights,
                            .group = group,
                            .length = length,
                            .seq_begin = begin,
                            .mask = mask,
                            .logp = logp,
                            .ref_logp = beside->ref_logp,
                            .baseline = beside->baseline,
                            .value = beside->value,
                            .max_length = r->max_tokens};
    hone_advantage_out out = {.struct_size = sizeof out,
                              .seq = seq,
                              .token = token,
                              .combined = combined,
                              .left_out = left_out,
                              .returns = returns,
                              .n_seqs = n,
                              .n_tokens = n_tok};
    if (s >= 0) {
        hone_instance_enter(inst);
        s = hone_instance_leave(inst, "compute", vt->compute(self, &in, &out));
    }
    for (size_t i = 0; s >= 0 && i < n; i++) {
        hone_rollout_sample *x = &r->samples[i];
        x->reward = combined[i];
        x->left_out = left_out[i];
        x->advantage = seq[i];
        x->token_advantage = x->value = x->returns = NULL;
        if (out.per_token) {
            double sum = 0;
            HONE_TRY_GOTO(keep(&r->arena, token + begin[i], x->n, &x->token_advantage), done);
            for (size_t k = 0; k < x->n; k++)
                sum += mask[begin[i] + k] > 0 ? token[begin[i] + k] : 0;
            x->advantage = x->n_own ? sum / (double)x->n_own : 0;
        }
        if (returns) {
            HONE_TRY_GOTO(keep(&r->arena, beside->value + begin[i], x->n, &x->value), done);
            HONE_TRY_GOTO(keep(&r->arena, returns + begin[i], x->n, &x->returns), done);
        }
        if (!isfinite(x->advantage) && !x->left_out)
            s = hone_fail(HONE_E_MISBEHAVED, "the advantage of sample %zu is not finite", i);
    }
done:
    hone_arena_release(&a);
    if (s >= 0)
        r->has_advantages = 1;
    return s;
}

hone_status hone_rollout_trees(const hone_rollout *r, uint32_t equal, hone_arena *arena,
                               hone_train_tree **trees_out, size_t *n_out)
{
    hone_train_tree *trees = hone_arena_calloc(arena, r->n_prompts, sizeof *trees);
    hone_train_seq *seqs = hone_arena_calloc(arena, r->n_samples, sizeof *seqs);
    size_t n = 0;
    if (!trees || !seqs)
        return HONE_E_NOMEM;
    for (size_t g = 0; g < r->n_prompts; g++) {
        hone_train_seq *group = seqs + g * r->group_size;
        size_t k = 0;
        int any = 0;
        for (size_t j = 0; j < r->group_size; j++) {
            size_t i = g * r->group_size + j;
            const hone_rollout_sample *x = &r->samples[i];
            if (!x->n) /* an episode that never began */
                continue;
            group[k++] = (hone_train_seq){.ids = x->ids,
                                          .n = x->n,
                                          .mask = x->mask,
                                          .sampler_logp = x->logprob,
                                          .full_logp = x->full,
                                          .advantage = x->token_advantage,
                                          .value = x->value,
                                          .returns = x->returns,
                                          .seq_advantage = x->advantage,
                                          .group = (uint32_t)g,
                                          .left_out = x->left_out,
                                          .truncated = x->finish == HONE_FINISH_LENGTH};
            any |= !x->left_out && (x->token_advantage || x->advantage != 0);
        }
        if (k == 0 || (!any && equal == HONE_EQUAL_SKIP))
            continue;
        for (size_t j = 0; !any && equal == HONE_EQUAL_COUNT && j < k; j++)
            group[j].counted_only = 1;
        trees[n++] = (hone_train_tree){.prompt = r->prompts[g].ids,
                                       .n_prompt = r->prompts[g].n_ids,
                                       .seqs = group,
                                       .n_seqs = k};
    }
    *trees_out = trees;
    *n_out = n;
    return HONE_OK;
}
