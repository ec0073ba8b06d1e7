/* episodes.c - see episodes.h: beginnings, lines of ids, turns, ends.
 *
 * A turn: what goes on is sampled together (sample_turn), told to the environment in one call (episodes_call.c), and
 * each answer is put behind its line (observe) or ends it (finish). */
#include "train/episodes_private.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- beginning --------------------------------------------------------------------------------------------- */

hone_status hone__episodes_open(hone_rollout *r, hone_policy *policy, const hone_rollout_params *p,
                                void *ctx, hone_status (*ended)(void *ctx, size_t sample),
                                hone__episodes **out)
{
    const hone_rollout_environment *env = p->environment;
    const size_t n = r->n_samples;
    if (!HONE_HAS(env->vt, hone_environment_v1, reset) ||
        !HONE_HAS(env->vt, hone_environment_v1, step))
        return hone_fail(HONE_E_ABI, "environment %s: its table has no reset or no step", env->id);
    if (!policy->text) {
        hone_fail(HONE_E_INVALID,
                  "environment %s: %s has no tokenizer, and an observation is a text", env->id,
                  policy->name);
        return hone_fail_hint("give the policy one: tokenizer = FOLDER");
    }
    hone__episodes *e = hone_calloc(1, sizeof *e);
    if (!e)
        return HONE_E_NOMEM;
    *e = (hone__episodes){.r = r, .policy = policy, .p = p, .env = env, .ctx = ctx, .ended = ended};
    hone_arena_init(&e->call, (size_t)1 << 30);
    e->lines = hone_calloc(n, sizeof *e->lines);
    e->call_of = hone_calloc(n, sizeof *e->call_of);
    e->seconds = hone_calloc((size_t)env->turns + 2, sizeof *e->seconds);
    e->first = hone_arena_calloc(&r->arena, r->n_prompts, sizeof *e->first);
    e->role = hone_arena_calloc(&r->arena, r->n_prompts, sizeof *e->role);
    r->env = hone_arena_calloc(&r->arena, 1, sizeof *r->env);
    if (r->env) {
        r->env->id = hone_arena_strndup(&r->arena, env->id, strlen(env->id));
        r->env->weight = env->weight;
        r->env->outcome = hone_arena_calloc(&r->arena, n, sizeof *r->env->outcome);
    }
    if (!e->lines || !e->call_of || !e->seconds || !e->first || !e->role || !r->env ||
        !r->env->id || !r->env->outcome) {
        hone__episodes_close(e);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        hone_buf_init(&e->lines[i].text, (size_t)1 << 28);
        r->env->outcome[i].status = HONE_SCORE; /* of a plan */
    }
    *out = e;
    return HONE_OK;
}

/* Episodes of a group begin alike: they have one prompt, which is prefilled once and is the root of their tree. */
static hone_status same_beginning(hone__episodes *e, size_t g)
{
    const hone__line *from = NULL;
    for (size_t j = 0; j < e->r->group_size; j++) {
        const hone__line *l = &e->lines[g * e->r->group_size + j];
        if (l->over)
            continue;
        if (!from)
            from = l;
        if (hone_str_same(from->say, l->say) && hone_str_same(from->role, l->role))
            continue;
        hone_fail(HONE_E_MISBEHAVED,
                  "environment %s: two episodes of one prompt begin differently (prompt %zu)",
                  e->env->id, g);
        return hone_fail_hint("draw by the episode's seed, which is that of its group");
    }
    if (!from)
        return HONE_OK;
    e->first[g] = hone_arena_str(&e->r->arena, from->say);
    e->role[g] = hone_arena_str(&e->r->arena, from->role);
    return e->first[g].ptr && e->role[g].ptr ? HONE_OK : HONE_E_NOMEM;
}

static hone_status columns_of(hone__episodes *e, const hone_value *row, hone_episode *out)
{
    const hone_value *prompt = hone_value_get(row, "prompt");
    hone_column *c = hone_arena_calloc(&e->r->arena, row->u.map.n + 1, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    for (size_t k = 0; k < row->u.map.n; k++)
        c[k] = (hone_column){row->u.map.pairs[k].key, row->u.map.pairs[k].value};
    out->columns = c;
    out->n_columns = row->u.map.n;
    out->prompt = prompt && prompt->type == HONE_STRING ? prompt->u.str : (hone_str){"", 0};
    return HONE_OK;
}

hone_status hone__episodes_reset(hone__episodes *e, const hone_value *rows)
{
    hone_rollout *r = e->r;
    const size_t n = r->n_samples;
    if (hone_region_planning()) /* a plan plays with nobody */
        return HONE_OK;
    HONE_TRY(hone__episodes_read_tools(e));
    hone_episode *list = hone_arena_calloc(&r->arena, n, sizeof *list), one = {0};
    if (!list)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const size_t g = i / r->group_size;
        if (i % r->group_size == 0) {
            if (rows[g].type != HONE_MAP)
                return hone_fail(HONE_E_TYPE, "a data row must be a map");
            const hone_rng_key key = {.seed = e->p->seed,
                                      .purpose = hone_rng_purpose("environment"),
                                      .step = r->step,
                                      .sample = r->first_sample + i};
            one.group = g;
            one.seed = hone_rng_u64(&key, 0);
            HONE_TRY(columns_of(e, &rows[g], &one));
        }
        list[i] = one;
        list[i].id = r->first_sample + i;
        e->lines[i].begun = 1;
        e->call_of[i] = i;
    }
    e->n_call = n;
    HONE_TRY(hone__episodes_reset_call(e, list));
    for (size_t i = 0; i < n; i++)
        if (!e->lines[i].over && e->lines[i].status != HONE_EPISODE_ON)
            HONE_TRY(hone__episode_broken(e, i, "reset: the episode was over before it began"));
    for (size_t g = 0; g < r->n_prompts; g++)
        HONE_TRY(same_beginning(e, g));
    return HONE_OK;
}

hone_str hone__episodes_first(const hone__episodes *e, size_t prompt, hone_str *role)
{
    *role = e->role[prompt];
    return e->first[prompt];
}

const hone_value *hone__episodes_tools(const hone__episodes *e)
{
    return e->tools;
}

/* ---- lines -------------------------------------------------------------------------------------------------- */

static hone_status room(hone__line *l, size_t more)
{
    if (l->n + more <= l->cap)
        return HONE_OK;
    size_t cap = 2 * l->cap > l->n + more ? 2 * l->cap : l->n + more;
    int32_t *ids = hone_reallocarray(l->ids, cap, sizeof *ids);
    if (ids)
        l->ids = ids;
    float *lp = hone_reallocarray(l->logprob, cap, sizeof *lp);
    if (lp)
        l->logprob = lp;
    float *full = hone_reallocarray(l->full, cap, sizeof *full);
    if (full)
        l->full = full;
    uint8_t *mask = hone_reallocarray(l->mask, cap, 1);
    if (mask)
        l->mask = mask;
    if (!ids || !lp || !full || !mask)
        return HONE_E_NOMEM;
    l->cap = cap;
    return HONE_OK;
}

/* What the policy drew joins the line as it was drawn. */
static hone_status on_finish(void *ctx, const hone_completion *c)
{
    hone__episodes *e = ctx;
    const size_t i = (size_t)(c->sample - e->r->first_sample);
    hone__line *l = &e->lines[i];
    HONE_TRY(room(l, c->n));
    memcpy(l->ids + l->n, c->ids, c->n * sizeof *l->ids);
    memcpy(l->logprob + l->n, c->logprob, c->n * sizeof *l->logprob);
    memcpy(l->full + l->n, c->full, c->n * sizeof *l->full);
    memset(l->mask + l->n, 1, c->n);
    l->turn_at = l->n;
    l->n += c->n;
    e->r->samples[i].finish = c->finish;
    e->r->samples[i].turns++;
    return HONE_OK;
}

hone_status hone__episodes_between(hone_str rendered, hone_str stand_in, hone_str *out)
{
    const char *at = memmem(rendered.ptr, rendered.len, stand_in.ptr, stand_in.len);
    const char *end = rendered.ptr + rendered.len;
    if (at)
        at += stand_in.len;
    if (!at || memmem(at, (size_t)(end - at), stand_in.ptr, stand_in.len)) {
        hone_fail(
            HONE_E_INVALID,
            "the chat template shows an assistant's text %s, so it cannot be said what stands "
            "between two turns",
            at ? "twice" : "nowhere");
        return hone_fail_hint("sample with raw = true: then an observation stands as it is behind "
                              "what was sampled");
    }
    *out = (hone_str){at, (size_t)(end - at)};
    return HONE_OK;
}

static hone_value *message(hone_arena *a, hone_value *at, const char *role, hone_str own_role,
                           hone_str content)
{
    hone_pair *pairs = hone_arena_calloc(a, 2, sizeof *pairs);
    if (!pairs)
        return NULL;
    pairs[0].key = hone_str_c("role");
    pairs[0].value = (hone_value){.type = HONE_STRING,
                                  .u.str = own_role.len ? own_role : hone_str_c(role)};
    pairs[1].key = hone_str_c("content");
    pairs[1].value = (hone_value){.type = HONE_STRING, .u.str = content};
    at->type = HONE_MAP;
    at->u.map.pairs = pairs;
    at->u.map.n = 2;
    return at;
}

static int occurs(const hone_value *v, hone_str text)
{
    if (v->type == HONE_STRING)
        return text.len && memmem(v->u.str.ptr, v->u.str.len, text.ptr, text.len) != NULL;
    for (size_t i = 0; v->type == HONE_LIST && i < v->u.list.n; i++)
        if (occurs(&v->u.list.items[i], text))
            return 1;
    for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++)
        if (occurs(&v->u.map.pairs[i].value, text))
            return 1;
    return 0;
}

/* The answer as the template shows it between two turns of the assistant. */
static hone_status between_turns(hone__episodes *e, const hone_value *chat, const hone__line *l,
                                 hone_tokens *out)
{
    const hone_text_side *text = e->policy->text;
    const hone_chat_options opt = {.add_generation_prompt = 1, .tools = e->tools};
    const size_t n = chat->u.list.n;
    hone_value list = {.type = HONE_LIST};
    char stand_in[48];
    hone_str mark, rest;
    hone_buf b;
    for (unsigned k = 0;; k++) { /* one that nobody says */
        snprintf(stand_in, sizeof stand_in, "stand-in %u of this turn", k);
        mark = hone_str_c(stand_in);
        if (!occurs(chat, mark) && !memmem(l->say.ptr, l->say.len, mark.ptr, mark.len))
            break;
    }
    hone_value *items = hone_arena_calloc(&e->call, n + 2, sizeof *items);
    if (!items)
        return HONE_E_NOMEM;
    memcpy(items, chat->u.list.items, n * sizeof *items);
    if (!message(&e->call, &items[n], "assistant", (hone_str){"", 0}, mark) ||
        !message(&e->call, &items[n + 1], "user", l->role, l->say))
        return HONE_E_NOMEM;
    list.u.list.items = items;
    list.u.list.n = n + 2;
    hone_buf_init(&b, (size_t)1 << 28);
    hone_status s = hone_chat_render(text->chat, &list, &opt, &b);
    if (s >= 0)
        s = hone__episodes_between(hone_buf_str(&b), mark, &rest);
    if (s >= 0)
        s = hone_tokenizer_encode(&text->tokenizer, rest, HONE_ENCODE_SPECIAL, out);
    hone_buf_release(&b);
    return s;
}

/* What the environment said joins the line: ids of its own, no log-probs, no loss. 0: it does not fit any more. */
static hone_status observe(hone__episodes *e, size_t i)
{
    hone__line *l = &e->lines[i];
    const hone_rollout_prompt *p = &e->r->prompts[e->r->samples[i].prompt];
    const int64_t max = e->policy->model->info.max_positions;
    hone_tokens t;
    char why[160];
    hone_tokens_init(&t, 0);
    hone_status s = p->chat ? between_turns(e, p->chat, l, &t)
                            : hone_tokenizer_encode(&e->policy->text->tokenizer, l->say, 0, &t);
    size_t from = 0;
    if (s >= 0 && p->chat && t.n && l->n && t.ids[0] == l->ids[l->n - 1])
        from = 1; /* the mark that ends a turn was drawn */
    const size_t n = t.n - from;
    const int fits = l->n + n < (size_t)e->env->max_length &&
                     (max <= 0 || (int64_t)(p->n_ids + l->n + n) < max);
    if (s >= 0 && n > (size_t)e->env->observation_tokens) {
        snprintf(
            why, sizeof why,
            "its observation has %zu tokens; observation_tokens allows %d: shorten it, or allow "
            "more",
            n, e->env->observation_tokens);
        s = hone__episode_broken(e, i, why);
    } else if (s >= 0 && fits) {
        s = room(l, n);
        if (s >= 0 && n) {
            memcpy(l->ids + l->n, t.ids + from, n * sizeof *l->ids);
            memset(l->logprob + l->n, 0, n * sizeof *l->logprob);
            memset(l->full + l->n, 0, n * sizeof *l->full);
            memset(l->mask + l->n, 0, n);
            l->n += n;
            e->r->env->observed += n;
        }
        if (s >= 0 && p->chat)
            s = hone_buf_addc(&l->text, '\n');
        if (s >= 0)
            s = hone_buf_add_str(&l->text, l->say);
        if (s >= 0 && p->chat)
            s = hone_buf_addc(&l->text, '\n');
        if (s >= 0)
            s = 1;
    }
    hone_tokens_release(&t);
    return s;
}

/* ---- turns -------------------------------------------------------------------------------------------------- */

static hone_status logits(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                          size_t n_ids, float *z, int64_t n)
{
    hone__episodes *e = ctx;
    return e->gp->logits(e->gp->ctx, e->prompt_of[prompt], sample, ids, n_ids, z, n);
}

static hone_status weigh(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                         size_t n_ids, const int32_t *candidates, double *weight, int64_t n)
{
    hone__episodes *e = ctx;
    return e->gp->weigh(e->gp->ctx, e->prompt_of[prompt], sample, ids, n_ids, candidates, weight,
                        n);
}

static hone_status stop(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids, size_t n_ids,
                        hone_str text)
{
    hone__episodes *e = ctx;
    return e->gp->stop(e->gp->ctx, e->prompt_of[prompt], sample, ids, n_ids, text);
}

static hone_status between(void *ctx)
{
    hone__episodes *e = ctx;
    return e->gp->between ? e->gp->between(e->gp->ctx) : HONE_OK;
}

/* What is sampled in this turn: in the first, episodes of one prompt together. */
static size_t prompts_of(hone__episodes *e, hone_gen_prompt *prompts, size_t *prompt_of,
                         int32_t *const *whole)
{
    const hone_rollout *r = e->r;
    size_t n = 0;
    for (size_t i = 0; i < r->n_samples; i++) {
        const hone__line *l = &e->lines[i];
        const size_t g = r->samples[i].prompt;
        if (l->over)
            continue;
        hone_gen_prompt *last = n ? &prompts[n - 1] : NULL;
        if (last && l->n == 0 && prompt_of[n - 1] == g &&
            last->first_sample + last->n_samples == r->first_sample + i) {
            last->n_samples++;
            continue;
        }
        prompts[n] = (hone_gen_prompt){.ids = l->n ? whole[i] : r->prompts[g].ids,
                                       .n = r->prompts[g].n_ids + l->n,
                                       .first_sample = r->first_sample + i,
                                       .n_samples = 1,
                                       .max_tokens = (uint32_t)((size_t)e->env->max_length - l->n),
                                       .first_token = l->n,
                                       .grammar = e->p->grammar};
        prompt_of[n++] = g;
    }
    return n;
}

/* Each line behind its prompt. */
static hone_status lines_whole(hone__episodes *e, hone_arena *a, int32_t **whole)
{
    for (size_t i = 0; i < e->r->n_samples; i++) {
        const hone__line *l = &e->lines[i];
        const hone_rollout_prompt *p = &e->r->prompts[e->r->samples[i].prompt];
        if (l->over || !l->n)
            continue;
        whole[i] = hone_arena_calloc(a, p->n_ids + l->n, sizeof **whole);
        if (!whole[i])
            return HONE_E_NOMEM;
        memcpy(whole[i], p->ids, p->n_ids * sizeof **whole);
        memcpy(whole[i] + p->n_ids, l->ids, l->n * sizeof **whole);
    }
    return HONE_OK;
}

static void add_stats(hone_gen_stats *to, const hone_gen_stats *from)
{
    to->prompt_tokens += from->prompt_tokens;
    to->new_tokens += from->new_tokens;
    to->decode_steps += from->decode_steps;
    to->prefill_s += from->prefill_s;
    to->decode_s += from->decode_s;
    to->grammar_s += from->grammar_s;
    to->grammar_states = from->grammar_states;
    if (from->state_bytes > to->state_bytes)
        to->state_bytes = from->state_bytes;
}

static hone_status sample_turn(hone__episodes *e, hone_gen *g)
{
    const size_t n = e->r->n_samples;
    hone_arena a;
    hone_arena_init(&a, (size_t)8 << 30);
    hone_gen_prompt *prompts = hone_arena_calloc(&a, n, sizeof *prompts);
    size_t *prompt_of = hone_arena_calloc(&a, n, sizeof *prompt_of);
    int32_t **whole = hone_arena_calloc(&a, n, sizeof *whole);
    hone_status s = prompts && prompt_of && whole ? lines_whole(e, &a, whole) : HONE_E_NOMEM;
    if (s >= 0) {
        const size_t k = prompts_of(e, prompts, prompt_of, whole);
        hone_gen_params gp = *e->gp;
        hone_gen_stats stats;
        gp.ctx = e;
        gp.on_token = NULL;
        gp.on_finish = on_finish;
        gp.between = between;
        gp.logits = e->gp->logits ? logits : NULL;
        gp.weigh = e->gp->weigh ? weigh : NULL;
        gp.stop = e->gp->stop ? stop : NULL;
        e->prompt_of = prompt_of;
        s = hone_gen_run(g, prompts, k, &gp);
        e->prompt_of = NULL;
        hone_gen_get_stats(g, &stats);
        add_stats(&e->r->gen, &stats);
    }
    hone_arena_release(&a);
    return s;
}

/* The fields of a sample that is over. */
static hone_status finish(hone__episodes *e, size_t i, uint32_t how)
{
    hone__line *l = &e->lines[i];
    hone_rollout_sample *s = &e->r->samples[i];
    hone_arena *a = &e->r->arena;
    hone_score_result *o = &e->r->env->outcome[i];
    int32_t *ids = hone_arena_calloc(a, l->n + 1, sizeof *ids);
    float *lp = hone_arena_calloc(a, l->n + 1, sizeof *lp),
          *full = hone_arena_calloc(a, l->n + 1, sizeof *full);
    uint8_t *mask = hone_arena_calloc(a, l->n + 1, 1);
    l->over = 1;
    if (!ids || !lp || !full || !mask)
        return HONE_E_NOMEM;
    if (l->n) {
        memcpy(ids, l->ids, l->n * sizeof *ids);
        memcpy(lp, l->logprob, l->n * sizeof *lp);
        memcpy(full, l->full, l->n * sizeof *full);
        memcpy(mask, l->mask, l->n);
    }
    s->ids = ids;
    s->logprob = lp;
    s->full = full;
    s->mask = mask;
    s->n = l->n;
    s->n_own = 0;
    for (size_t k = 0; k < l->n; k++)
        s->n_own += mask[k];
    s->finish = how;
    s->text = hone_arena_str(a, hone_buf_str(&l->text));
    if (!s->text.ptr)
        return HONE_E_NOMEM;
    if (o->status != HONE_ERROR && o->status != HONE_TIMEOUT) {
        o->status = HONE_SCORE;
        o->score = (float)l->reward;
    }
    return e->ended(e->ctx, i);
}

/* All that is said in this turn, as the environment gets it. */
static hone_status actions_of(hone__episodes *e, uint32_t turn, hone_action **out)
{
    hone_action *list = hone_arena_calloc(&e->r->arena, e->r->n_samples, sizeof *list);
    if (!list)
        return HONE_E_NOMEM;
    e->n_call = 0;
    for (size_t i = 0; i < e->r->n_samples; i++) {
        hone__line *l = &e->lines[i];
        const hone_rollout_sample *s = &e->r->samples[i];
        if (l->over)
            continue;
        const size_t before = l->text.len;
        HONE_TRY(hone_tokenizer_decode(&e->policy->text->tokenizer, l->ids + l->turn_at,
                                       l->n - l->turn_at, HONE_DECODE_SKIP_SPECIAL, &l->text));
        hone_str said = hone_arena_str(&e->r->arena,
                                       (hone_str){l->text.ptr + before, l->text.len - before});
        if (!said.ptr)
            return HONE_E_NOMEM;
        list[e->n_call] = (hone_action){.id = e->r->first_sample + i,
                                        .text = said,
                                        .tokens = l->ids + l->turn_at,
                                        .n_tokens = l->n - l->turn_at,
                                        .turn = turn,
                                        .finish = s->finish,
                                        .last = turn == e->env->turns ||
                                                s->finish == HONE_FINISH_LENGTH};
        e->call_of[e->n_call++] = i;
    }
    *out = list;
    return HONE_OK;
}

/* What the answers mean for who goes on. */
static hone_status after_turn(hone__episodes *e, const hone_action *actions)
{
    for (size_t k = 0; k < e->n_call; k++) {
        const size_t i = e->call_of[k];
        hone__line *l = &e->lines[i];
        hone_rollout_sample *s = &e->r->samples[i];
        if (l->over) { /* in error */
            HONE_TRY(finish(e, i, HONE_FINISH_CANCELLED));
            continue;
        }
        if (l->status == HONE_EPISODE_DONE) {
            s->done = 1;
            HONE_TRY(finish(e, i, HONE_FINISH_STOP));
            continue;
        }
        int went_on = 0;
        if (!actions[k].last) {
            hone_status st = observe(e, i);
            if (st < 0)
                return st;
            went_on = st;
        }
        if (l->over)
            HONE_TRY(finish(e, i, HONE_FINISH_CANCELLED));
        else if (!went_on)
            HONE_TRY(finish(e, i, HONE_FINISH_LENGTH));
    }
    return HONE_OK;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* A plan: one turn as long as an episode may be, and such lines prefilled again. */
static hone_status plan(hone__episodes *e, hone_gen *g)
{
    const hone_rollout *r = e->r;
    hone_gen_params gp = *e->gp;
    hone_arena a;
    gp.ctx = e;
    gp.on_finish = on_finish;
    gp.max_tokens = e->env->max_length;
    hone_arena_init(&a, (size_t)8 << 30);
    hone_gen_prompt *prompts = hone_arena_calloc(&a, r->n_samples, sizeof *prompts);
    hone_status s = prompts ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < r->n_prompts; i++)
        prompts[i] = (hone_gen_prompt){.ids = r->prompts[i].ids,
                                       .n = r->prompts[i].n_ids,
                                       .first_sample = r->first_sample + i * r->group_size,
                                       .n_samples = r->group_size};
    if (s >= 0)
        s = hone_gen_run(g, prompts, r->n_prompts, &gp);
    for (size_t i = 0; s >= 0 && i < r->n_samples; i++) {
        const hone_rollout_prompt *p = &r->prompts[r->samples[i].prompt];
        const size_t n = p->n_ids + e->lines[i].n - 1;
        int32_t *zeros = hone_arena_calloc(&a, n, sizeof *zeros);
        if (!zeros)
            s = HONE_E_NOMEM;
        prompts[i] = (hone_gen_prompt){
            .ids = zeros, .n = n, .first_sample = r->first_sample + i, .n_samples = 1};
    }
    gp.on_finish = NULL;
    gp.max_tokens = 1;
    if (s >= 0)
        s = hone_gen_run(g, prompts, r->n_samples, &gp);
    for (size_t i = 0; s >= 0 && i < r->n_samples; i++)
        s = finish(e, i, HONE_FINISH_LENGTH);
    hone_arena_release(&a);
    return s;
}

hone_status hone__episodes_play(hone__episodes *e, hone_gen *g, const hone_gen_params *gp)
{
    hone_action *actions;
    e->gp = gp;
    if (hone_region_planning())
        return plan(e, g);
    for (size_t i = 0; i < e->r->n_samples; i++)
        if (e->lines[i].over)
            HONE_TRY(finish(e, i, HONE_FINISH_CANCELLED));
    for (uint32_t turn = 1;; turn++) {
        size_t live = 0;
        for (size_t i = 0; i < e->r->n_samples; i++)
            live += !e->lines[i].over;
        if (!live)
            break;
        HONE_TRY(sample_turn(e, g));
        HONE_TRY(actions_of(e, turn, &actions));
        HONE_TRY(hone__episodes_step_call(e, actions));
        HONE_TRY(after_turn(e, actions));
    }
    qsort(e->seconds, e->n_seconds, sizeof *e->seconds, by_size);
    if (e->n_seconds) {
        e->r->env->p50_ms = 1e3 * e->seconds[e->n_seconds / 2];
        e->r->env->p95_ms = 1e3 * e->seconds[(e->n_seconds - 1) * 95 / 100];
    }
    return hone__episodes_check(e);
}

void hone__episodes_outcomes(hone_rollout *r)
{
    const size_t c = r->n_components;
    r->component[c] = (char *)(uintptr_t)r->env->id;
    r->weight[c] = r->env->weight;
    r->p50_ms[c] = r->env->p50_ms;
    r->p95_ms[c] = r->env->p95_ms;
    memcpy(&r->results[c * r->n_samples], r->env->outcome, r->n_samples * sizeof *r->results);
    r->n_components = c + 1;
}

void hone__episodes_close(hone__episodes *e)
{
    if (!e)
        return;
    const size_t n = e->lines && e->call_of ? e->r->n_samples : 0;
    if (n)
        hone__episodes_let_go(e);
    for (size_t i = 0; i < n; i++) {
        hone__line *l = &e->lines[i];
        hone_free(l->ids);
        hone_free(l->logprob);
        hone_free(l->full);
        hone_free(l->mask);
        hone_buf_release(&l->text);
    }
    hone_arena_release(&e->call);
    hone_free(e->lines);
    hone_free(e->call_of);
    hone_free(e->seconds);
    hone_free(e);
}
