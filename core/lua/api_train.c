/* api_train.c - updates and log-probs for recipes; api_example.c makes the examples.
 *
 *   core.update(policy, list, options, objective, reference?, schedule?, teacher?) -> metrics
 *                                                                             list: rollouts, or examples
 *   core.loss(policy, list, options, objective, reference?, nil, teacher?) -> loss, metrics
 *   core.objective_sum(list of { objective, weight, name }) -> objective
 *   core.logprobs(policy, examples, options) -> list of lists of lists        one list a sequence
 *   core.embed(policy, texts, last?, unit?) -> list of vectors                 of the last hidden states (train/hidden.h)
 *   core.objective_scores(objective) -> boolean       it learns from what a head says of whole sequences
 *   core.schedule_at(schedule, total, t) -> share of the peak */
#include "lua/api_example.h"

#include "base/alloc.h"
#include "base/json.h"
#include "train/hidden.h"
#include "train/objective_sum.h"
#include "train/schedule.h"
#include "train/topk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- updates ------------------------------------------------------------------------------------------------ */

typedef struct data {
    hone_train_tree *trees;
    size_t n;
    int full_is_old, rollouts;
    double temperature, max_length;
} data;

static hone_rollout *as_rollout(lua_State *L, int index)
{
    return luaL_testudata(L, index, HONE_LUA_ROLLOUT) ? hone__lua_check(L, index, HONE_LUA_ROLLOUT)
                                                      : NULL;
}

static hone_status from_rollouts(lua_State *L, int list, size_t n, const hone_policy *p,
                                 uint32_t equal, int advantages, hone_arena *a, data *d)
{
    d->full_is_old = 1;
    d->rollouts = 1;
    for (size_t i = 0; i < n; i++) {
        hone_train_tree *t;
        size_t nt;
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        hone_rollout *r = as_rollout(L, -1);
        lua_pop(L, 1);
        if (!r)
            return hone_fail(HONE_E_TYPE, "entry %zu of the update is no rollout", i + 1);
        if (!r->has_advantages && advantages)
            return hone_fail(HONE_E_STATE, "rollout %zu has no advantages yet", i + 1);
        if (i > 0 && r->temperature != d->temperature)
            return hone_fail(HONE_E_INVALID,
                             "rollouts of one update were drawn at different temperatures");
        d->temperature = r->temperature;
        d->max_length = r->max_tokens > d->max_length ? r->max_tokens : d->max_length;
        d->full_is_old &= r->drawn_by == p && r->version == p->version;
        HONE_TRY(hone_rollout_trees(r, equal, a, &t, &nt));
        hone_train_tree *all = hone_arena_calloc(a, d->n + nt + 1, sizeof *all);
        if (!all)
            return HONE_E_NOMEM;
        if (d->n)
            memcpy(all, d->trees, d->n * sizeof *all);
        memcpy(all + d->n, t, nt * sizeof *all);
        d->trees = all;
        d->n += nt;
    }
    return HONE_OK;
}

static hone_status gather(lua_State *L, int list, const hone_policy *p, uint32_t equal,
                          int advantages, hone_arena *a, data *d)
{
    size_t n = lua_rawlen(L, list);
    memset(d, 0, sizeof *d);
    d->temperature = 1;
    if (n == 0)
        return hone_fail(HONE_E_INVALID, "an update needs rollouts or a batch, and was given none");
    lua_rawgeti(L, list, 1);
    int rollouts = luaL_testudata(L, -1, HONE_LUA_ROLLOUT) != NULL;
    lua_pop(L, 1);
    if (rollouts)
        return from_rollouts(L, list, n, p, equal, advantages, a, d);
    return hone__lua_examples(L, list, a, &d->trees, &d->n);
}

#define SCHEDULE_HINT                                                                              \
    "it gets the number of the update (from 1) and returns its share of lr, a number from 0 on"

typedef struct settings {
    hone_update_params u;
    int64_t epochs, minibatches, accumulate;
    double lr;
    hone_schedule schedule;
    int skip_equal;
} settings;

static hone_status read_settings(const hone_recipe *r, const hone_value *v, hone_policy *p,
                                 settings *x)
{
    int64_t micro, every, total;
    hone_str ref;
    memset(x, 0, sizeof *x);
    HONE_TRY(hone_value_i64(v, "epochs", 1, &x->epochs));
    HONE_TRY(hone_value_i64(v, "minibatches", 1, &x->minibatches));
    HONE_TRY(hone_value_i64(v, "accumulate", 1, &x->accumulate));
    HONE_TRY(hone_value_i64(v, "micro_tokens", 0, &micro));
    HONE_TRY(hone_value_i64(v, "checkpoint_every", 0, &every));
    HONE_TRY(hone_value_i64(v, "total", 0, &total));
    HONE_TRY(hone_value_f64(v, "lr", p->lr, &x->lr));
    HONE_TRY(hone_value_f64(v, "clip", 1.0, &x->u.clip));
    HONE_TRY(hone_value_f64(v, "clip_value", 0, &x->u.clip_value));
    if (!(x->u.clip_value >= 0))
        return hone_fail(HONE_E_RANGE, "clip_value is %g, but 0 or more is wanted",
                         x->u.clip_value);
    HONE_TRY(hone_value_f64(v, "max_length", 0, &x->u.max_length));
    HONE_TRY(hone_value_f64(v, "temperature", 0, &x->u.temperature));
    HONE_TRY(hone_value_bool(v, "skip_equal", 0, &x->skip_equal));
    HONE_TRY(hone_value_string(v, "reference", (hone_str){NULL, 0}, &ref));
    HONE_TRY(hone_schedule_read(hone_value_get(v, "schedule"), (uint64_t)(total > 0 ? total : 0),
                                &x->schedule));
    if (x->epochs < 1 || x->minibatches < 1 || x->accumulate < 1)
        return hone_fail(HONE_E_RANGE, "epochs, minibatches and accumulate must be at least 1");
    if (micro < 0 || every < 0)
        return hone_fail(HONE_E_RANGE, "micro_tokens and checkpoint_every must not be negative");
    x->u.seed = r->seed;
    x->u.micro_tokens = (size_t)micro;
    x->u.checkpoint_every = (uint32_t)every;
    if (r->opt.tune.checkpoint_every && !x->u.checkpoint_every)
        x->u.checkpoint_every = r->opt.tune.checkpoint_every;
    if (hone_str_eq(ref, "adapter_off"))
        x->u.reference = HONE_REF_ADAPTER_OFF;
    return HONE_OK;
}

static void finish_settings(settings *x, const data *d, hone_lua_comp *objective,
                            hone_policy *reference, hone_policy *teacher, const hone_policy *p)
{
    x->u.objective = objective->vt;
    x->u.objective_self = objective->self;
    x->u.objective_instance = objective->instance;
    if (x->u.temperature <= 0)
        x->u.temperature = d->temperature;
    if (x->u.max_length <= 0)
        x->u.max_length = d->max_length;
    x->u.full_is_old = d->full_is_old;
    x->u.teacher_policy = teacher;
    x->u.teacher_adapters = teacher ? hone_policy_mask(teacher) : 0;
    if (reference) {
        x->u.reference = HONE_REF_MODEL;
        x->u.reference_policy = reference;
    } else if (x->u.reference == HONE_REF_NONE && p->adapter >= 0) {
        x->u.reference = HONE_REF_ADAPTER_OFF;
    }
    if (x->accumulate > 1 && x->u.micro_tokens == 0) {
        size_t tokens = 0;
        for (size_t t = 0; t < d->n; t++) {
            tokens += d->trees[t].n_prompt;
            for (size_t q = 0; q < d->trees[t].n_seqs; q++)
                tokens += d->trees[t].seqs[q].n;
        }
        x->u.micro_tokens = tokens / (size_t)x->accumulate + 1;
    }
}

static void tune(const hone_recipe_tune *t, settings *x, data *d)
{
    if (t->micro_tokens && (!x->u.micro_tokens || x->u.micro_tokens > t->micro_tokens))
        x->u.micro_tokens = t->micro_tokens;
    if (t->halve_batch && !d->rollouts) /* a halved rollout is half a batch already */
        d->n = (d->n + 1) / 2;
}

/* Sequences of `from` as trees of their own, cut to `share` of their tokens (the last tree only, or all). */
static hone_train_tree *shortened(const data *from, size_t k, double share, int all, hone_arena *a)
{
    hone_train_tree *trees = hone_arena_calloc(a, k, sizeof *trees);
    for (size_t t = 0; trees && t < k; t++) {
        size_t n = from->trees[t].n_seqs;
        hone_train_seq *seqs = hone_arena_calloc(a, n + 1, sizeof *seqs);
        if (!seqs)
            return NULL;
        memcpy(seqs, from->trees[t].seqs, n * sizeof *seqs);
        for (size_t q = 0; (all || t + 1 == k) && q < n; q++)
            seqs[q].n = (size_t)((double)seqs[q].n * share);
        trees[t] = from->trees[t];
        trees[t].seqs = seqs;
    }
    return trees;
}

/* A plan of these very sequences misses the fullest micro-batch when whole trees do not add up to it: with
 * one tree more, and sequences shorter (samples end early, other rows follow), they may. */
static hone_status plan_fullest(hone_policy *p, const data *d, settings *x, hone_arena *a)
{
    size_t budget = x->u.micro_tokens ? x->u.micro_tokens : hone_policy_auto_tokens(p);
    size_t prompts = 0, rest = 0, last = 0, k = 0;
    for (; k < d->n && prompts + rest <= budget; k++) {
        prompts += d->trees[k].n_prompt;
        last = 0;
        for (size_t q = 0; q < d->trees[k].n_seqs; q++)
            last += d->trees[k].seqs[q].n;
        rest += last;
    }
    size_t over = prompts + rest > budget ? prompts + rest - budget : 0;
    size_t cut = d->rollouts ? rest : last; /* rows of data keep their length but for one */
    if (k < 2 || over == 0 || over >= cut)
        return HONE_OK;
    hone_train_tree *trees = shortened(d, k, (double)(cut - over) / (double)cut, d->rollouts, a);
    hone_metrics aside; /* what a step tells is told of the real one */
    if (!trees)
        return HONE_E_NOMEM;
    hone_metrics_init(&aside);
    hone_status s = hone_policy_step(p, trees, k, &x->u, &aside);
    hone_metrics_release(&aside);
    return s;
}

/* The share of the peak at update t: by name, or what a function of the recipe (at stack index 6) says. */
static hone_status share_of_peak(lua_State *L, const settings *x, uint64_t t, double *out)
{
    char what[64];
    int number;
    if (!lua_isfunction(L, 6)) {
        *out = hone_schedule_at(&x->schedule, t);
        return HONE_OK;
    }
    snprintf(what, sizeof what, "schedule, update %llu", (unsigned long long)t);
    lua_pushvalue(L, 6);
    lua_pushinteger(L, (lua_Integer)t);
    HONE_TRY(hone__lua_call(L, 1, 1, what, SCHEDULE_HINT));
    *out = lua_tonumberx(L, -1, &number);
    hone_status s = HONE_OK;
    if (!number)
        s = hone_fail(HONE_E_TYPE, "%s: it returned a %s", what, luaL_typename(L, -1));
    else if (!(*out >= 0) || !isfinite(*out))
        s = hone_fail(HONE_E_RANGE, "%s: it returned %g", what, *out);
    if (s < 0)
        hone_fail_hint(SCHEDULE_HINT);
    lua_pop(L, 1);
    return s;
}

static hone_status run_update(lua_State *L, hone_policy *p, const data *d, settings *x,
                              hone_metrics *m)
{
    size_t parts = (size_t)x->minibatches;
    if (parts > d->n)
        parts = d->n ? d->n : 1;
    for (int64_t e = 0; e < x->epochs; e++) {
        for (size_t b = 0; b < parts; b++) {
            size_t from = d->n * b / parts, to = d->n * (b + 1) / parts;
            double share = 1;
            HONE_TRY(share_of_peak(L, x, p->version + 1, &share));
            x->u.lr = x->lr * share;
            x->u.measure_mismatch = d->rollouts && d->full_is_old && e == 0 && b == 0;
            HONE_TRY(hone_policy_step(p, d->trees + from, to - from, &x->u, m));
        }
    }
    return HONE_OK;
}

void hone__lua_push_metrics(lua_State *L, const hone_metrics *m)
{
    lua_createtable(L, 0, (int)m->n);
    for (size_t i = 0; i < m->n; i++) {
        if (!(m->items[i].weight > 0))
            continue;
        lua_pushnumber(L, hone_metric_value(&m->items[i]));
        lua_setfield(L, -2, m->items[i].name);
    }
}

static hone_lua_comp *check_objective(lua_State *L, int index);

static void free_sum(hone_lua_comp *c)
{
    hone_objective_sum_destroy(c->self);
    c->self = NULL;
}

/* core.objective_sum(list of { objective, weight, name }) -> objective */
static int l_objective_sum(lua_State *L)
{
    hone_objective_term t[16];
    size_t n = (luaL_checktype(L, 1, LUA_TTABLE), lua_rawlen(L, 1));
    luaL_argcheck(L, n >= 1 && n <= 16, 1, "1 to 16 losses can be added");
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        lua_rawgeti(L, -3, 3);
        const hone_lua_comp *c = check_objective(L, lua_gettop(L) - 2);
        t[i] = (hone_objective_term){c->vt, c->self, c->instance, luaL_checkstring(L, -1),
                                     luaL_checknumber(L, -2)};
        lua_pop(L, 3); /* the table keeps the name and the objective */
        lua_pop(L, 1);
    }
    hone_lua_comp *c = hone_calloc(1, sizeof *c);
    if (!c || hone_objective_sum_create(t, n, &c->self) < 0) {
        hone_free(c);
        return hone_lua_raise(L);
    }
    c->vt = &hone_objective_sum_vt;
    c->free_self = free_sum;
    memcpy(c->id, "sum", sizeof "sum");
    hone__lua_push(L, c, HONE_LUA_COMPONENT);
    return 1;
}

static hone_lua_comp *check_objective(lua_State *L, int index)
{
    hone_lua_comp *c = hone__lua_check(L, index, HONE_LUA_COMPONENT);
    const hone_objective_v1 *vt = c->vt;
    if (!vt || !HONE_HAS(vt, hone_objective_v1, loss) || !vt->uses)
        luaL_argerror(L, index, "an objective is wanted");
    return c;
}

/* What may give a gradient without an advantage, or wants every sample for its normalisers. */
#define NEEDS_ALL                                                                                  \
    (HONE_OBJ_REF | HONE_OBJ_VALUE | HONE_OBJ_ENTROPY | HONE_OBJ_TEACHER | HONE_OBJ_DIVERGENCE |   \
     HONE_OBJ_WHOLE_BATCH)

static hone_status update_or_loss(lua_State *L, int train, double *loss, hone_metrics *m)
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    luaL_checktype(L, 2, LUA_TTABLE);
    hone_lua_comp *obj = check_objective(L, 4);
    hone_policy *ref = lua_isnoneornil(L, 5) ? NULL : hone__lua_check(L, 5, HONE_LUA_POLICY);
    hone_policy *teacher = lua_isnoneornil(L, 7) ? NULL : hone__lua_check(L, 7, HONE_LUA_POLICY);
    const hone_objective_v1 *vt = obj->vt;
    hone_arena a;
    hone_value v;
    settings x;
    data d;
    int pairs = 0; /* half a pair is none: a plan leaves them whole */
    hone_arena_init(&a, (size_t)8 << 30);
    hone_recipe *r = hone__lua_recipe(L);
    r->L = L; /* where a function of the recipe is called */
    hone_status s = hone__lua_options(L, 3, &a, &v);
    if (s >= 0)
        s = read_settings(r, &v, p, &x);
    if (s >= 0) {
        hone_instance_enter(obj->instance);
        uint32_t uses = vt->uses(obj->self);
        hone_instance_leave(obj->instance, "uses", HONE_OK);
        pairs = (uses & HONE_OBJ_PAIRS) != 0;
        uint32_t equal = x.skip_equal         ? HONE_EQUAL_SKIP
                         : (uses & NEEDS_ALL) ? HONE_EQUAL_KEEP
                                              : HONE_EQUAL_COUNT;
        s = gather(L, 2, p, equal, (uses & HONE_OBJ_ADVANTAGE) != 0, &a, &d);
    }
    if (s >= 0) {
        finish_settings(&x, &d, obj, ref, teacher, p);
        tune(&r->opt.tune, &x, &d);
        if (train && hone_region_planning() && !pairs)
            s = plan_fullest(p, &d, &x, &a);
        if (s >= 0 && train && !x.skip_equal) /* which drops groups that were scored */
            s = hone__lua_watch_update(r, d.trees, d.n);
    }
    const int gated = train && !hone_region_planning();
    if (s >= 0 && gated)
        s = hone__lua_gate_update(r, p);
    if (s >= 0)
        if (!train)
            s = hone_policy_evaluation(p, 1);
    if (s >= 0)
        s = train ? run_update(L, p, &d, &x, m) : hone_policy_loss(p, d.trees, d.n, &x.u, loss, m);
    if (!train)
        (void)hone_policy_evaluation(p, 0);
    if (s >= 0 && gated) /* an objective may have asked somebody */
        s = hone__lua_gate_update(r, p);
    hone_arena_release(&a);
    return s;
}

static int l_objective_scores(lua_State *L)
{
    const hone_lua_comp *c = check_objective(L, 1);
    const hone_objective_v1 *vt = c->vt;
    hone_instance_enter(c->instance);
    const uint32_t uses = vt->uses(c->self);
    hone_instance_leave(c->instance, "uses", HONE_OK);
    lua_pushboolean(L, (uses & HONE_OBJ_VALUE) && (uses & HONE_OBJ_BEHIND));
    return 1;
}

static int l_update(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_metrics m;
    hone_metrics_init(&m);
    lua_settop(L, 7);
    hone_status s = update_or_loss(L, 1, NULL, &m);
    if (s < 0) {
        hone_metrics_release(&m);
        return hone_lua_raise(L);
    }
    hone_metrics_merge(&r->metrics, &m);
    hone__lua_push_metrics(L, &m);
    hone_metrics_release(&m);
    return 1;
}

static int l_loss(lua_State *L)
{
    hone_metrics m;
    double loss = 0;
    hone_metrics_init(&m);
    lua_settop(L, 7);
    hone_status s = update_or_loss(L, 0, &loss, &m);
    if (s < 0) {
        hone_metrics_release(&m);
        return hone_lua_raise(L);
    }
    lua_pushnumber(L, loss);
    hone__lua_push_metrics(L, &m);
    hone_metrics_release(&m);
    return 2;
}

/* ---- log-probs and embeddings -------------------------------------------------------------------------------- */

static int l_logprobs(lua_State *L)
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    luaL_checktype(L, 2, LUA_TTABLE);
    int off = lua_toboolean(L, 3);
    double temperature = luaL_optnumber(L, 4, 1.0);
    hone_arena a;
    data d;
    size_t n = 0, at = 0;
    hone_arena_init(&a, (size_t)4 << 30);
    hone_status s = gather(L, 2, p, HONE_EQUAL_KEEP, 0, &a, &d);
    for (size_t t = 0; s >= 0 && t < d.n; t++) {
        for (size_t q = 0; q < d.trees[t].n_seqs; q++)
            n += d.trees[t].seqs[q].n;
    }
    float *out = NULL;
    if (s >= 0) {
        out = hone_arena_calloc(&a, n + 1, sizeof *out);
        s = out ? hone_policy_evaluation(p, 1) : HONE_E_NOMEM;
        if (s >= 0)
            s = hone_policy_logprobs(p, d.trees, d.n, temperature,
                                     off ? HONE_ADAPTERS_NONE : hone_policy_mask(p), 0, out);
        (void)hone_policy_evaluation(p, 0);
    }
    if (s < 0) {
        hone_arena_release(&a);
        return hone_lua_raise(L);
    }
    hone_lua_new_list(L, (size_t)d.n);
    for (size_t t = 0; t < d.n; t++) {
        hone_lua_new_list(L, (size_t)d.trees[t].n_seqs);
        for (size_t q = 0; q < d.trees[t].n_seqs; q++) {
            size_t k = d.trees[t].seqs[q].n;
            const uint8_t *mask = d.trees[t].seqs[q].mask;
            lua_Integer kept = 0;
            hone_lua_new_list(L, (size_t)k);
            for (size_t i = 0; i < k; i++, at++) {
                if ((mask && !mask[i]) || (d.trees[t].n_prompt == 0 && i == 0))
                    continue; /* the prompt of a row by itself; a token that nothing stands before */
                lua_pushnumber(L, (double)out[at]);
                lua_rawseti(L, -2, ++kept);
            }
            lua_rawseti(L, -2, (lua_Integer)q + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)t + 1);
    }
    hone_arena_release(&a);
    return 1;
}

/* Ids of all texts of the list at 2 and their vectors, in arena. */
static hone_status embed_all(lua_State *L, hone_policy *p, uint32_t flags, hone_arena *a, size_t n,
                             float **out)
{
    const int64_t most = p->model->info.max_positions;
    const size_t width = (size_t)p->model->info.hidden;
    hone_tokens *ids = hone_arena_calloc(a, n + 1, sizeof *ids);
    hone_ids *list = hone_arena_calloc(a, n + 1, sizeof *list);
    *out = hone_arena_calloc(a, n + 1, width * sizeof **out);
    hone_status s = ids && list && *out ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        hone_str text;
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        text.ptr = lua_tolstring(L, -1, &text.len);
        hone_tokens_init(&ids[i], 0);
        s = hone_policy_encode_text(p, text, &ids[i]);
        lua_pop(L, 1);
        if (s >= 0 && !ids[i].n)
            s = hone_fail(HONE_E_INVALID, "an empty text has no embedding");
        if (s >= 0 && most > 0 && ids[i].n > (size_t)most)
            s = hone_fail(HONE_E_RANGE, "%zu tokens, and %s has %lld positions", ids[i].n, p->name,
                          (long long)most);
        if (s < 0)
            hone_fail_at("text %zu", i + 1);
        list[i] = (hone_ids){ids[i].ids, ids[i].n};
    }
    if (s >= 0)
        s = hone_policy_evaluation(p, 1);
    if (s >= 0)
        s = hone_policy_embed(p, list, n, hone_policy_mask(p), flags, *out);
    (void)hone_policy_evaluation(p, 0);
    for (size_t i = 0; ids && i < n; i++)
        hone_tokens_release(&ids[i]);
    return s;
}

static int l_embed(lua_State *L)
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    const int64_t width = p->model->info.hidden;
    const uint32_t flags = (lua_toboolean(L, 3) ? HONE_EMBED_LAST : 0) |
                           (lua_toboolean(L, 4) ? HONE_EMBED_UNIT : 0);
    float *out = NULL;
    hone_arena a;
    luaL_checktype(L, 2, LUA_TTABLE);
    const size_t n = lua_rawlen(L, 2);
    for (size_t i = 0; i < n; i++) {
        if (lua_rawgeti(L, 2, (lua_Integer)i + 1) != LUA_TSTRING)
            return luaL_error(L, "embed: text %d is a %s", (int)i + 1, luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    hone_arena_init(&a, (size_t)4 << 30);
    if (embed_all(L, p, flags, &a, n, &out) < 0) {
        hone_arena_release(&a);
        return hone_lua_raise(L);
    }
    hone_lua_new_list(L, n);
    for (size_t i = 0; i < n; i++) {
        hone_lua_new_list(L, (size_t)width);
        for (int64_t c = 0; c < width; c++) {
            lua_pushnumber(L, (double)out[(int64_t)i * width + c]);
            lua_rawseti(L, -2, c + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    hone_arena_release(&a);
    return 1;
}

static int l_schedule_at(lua_State *L)
{
    hone_arena a;
    hone_value v;
    hone_schedule sch;
    lua_Integer total = luaL_checkinteger(L, 2), t = luaL_checkinteger(L, 3);
    hone_arena_init(&a, 0);
    hone_status s = hone_lua_to_value(L, 1, &a, &v);
    if (s >= 0)
        s = hone_schedule_read(&v, (uint64_t)(total > 0 ? total : 0), &sch);
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    lua_pushnumber(L, hone_schedule_at(&sch, (uint64_t)(t > 0 ? t : 0)));
    return 1;
}

void hone__lua_open_train(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"update", l_update},
                                     {"loss", l_loss},
                                     {"objective_sum", l_objective_sum},
                                     {"logprobs", l_logprobs},
                                     {"embed", l_embed},
                                     {"schedule_at", l_schedule_at},
                                     {"objective_scores", l_objective_scores},
                                     {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
    hone__lua_open_example(L);
}
