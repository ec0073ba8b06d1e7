/* api_policy.c - policies, generation and rollouts for recipes.
 *
 *   core.policy(config, component?, tokenizer?) -> policy  config: name model config tokenizer storage rollout_precision seed
 *                                                     lora optimizer value_head
 *   core.policy_copy(policy, name) -> policy          frozen
 *   core.policy_adapter(policy, config) -> policy      on the same model; config: name lora optimizer seed
 *   core.policy_info(policy) -> table                 sizes, names, version, lr
 *   core.policy_save(policy, dir, dtype)
 *   core.policy_save_adapter(policy, dir, dtype)      the adapter alone, in the layout of PEFT
 *   core.policy_merge(policy, on)                     its adapter is added to the weights, or taken off again
 *   core.policy_lerp(ema, policy, t)                  ema += t (policy - ema)
 *   core.generate(policy, rows, options, nil, functions?) -> list of lists of { text, ids, logprobs, finish }
 *   core.rollout(policy, rows, options, scorer?, functions?) -> rollout      functions: logits, sampler, stop
 *   core.rollout_score(rollout, scorer)
 *   core.rollout_advantages(rollout, component, reference?, adapter_off?, baseline?, critic?)
 *                                                     baseline: a number a sample; critic: a policy with a head
 *   core.rollout_set(rollout, rewards, advantages)    from Lua: lists, false = left out
 *   core.rollout_permute(rollout, seed)               outcomes are dealt out anew (a control that must not learn)
 *   core.rollout_samples(rollout) -> list of tables
 *   core.rollout_info(rollout) -> table               counts, times
 *   core.rollout_normalize(rollout, reward, shift, scale, clip)     its score counts as (score - shift) * scale
 *   core.rollout_outcome(rollout, reward, sample, number or hone.abstain)      replaces an outcome
 *   core.rollout_record(rollout)                      metrics and samples join the step in progress */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/rng.h"
#include "nn/value_head.h"
#include "ops/storage.h"

#include <stdio.h>
#include <string.h>

static void policy_release(void *p)
{
    hone_policy_destroy(p);
}

static void rollout_release(void *p)
{
    hone_rollout_destroy(p);
}

/* ---- policies ------------------------------------------------------------------------------------------- */

/* optimizer = { "adamw", lr = ... }: the name stands at 1 (or under name), the rest is configuration. */
static hone_status read_optimizer(hone_arena *a, const hone_value *v, hone_policy_config *cfg)
{
    if (!v || v->type == HONE_NULL)
        return HONE_OK;
    if (v->type == HONE_STRING) {
        cfg->optimizer = hone_arena_strndup(a, v->u.str.ptr, v->u.str.len);
        return cfg->optimizer ? HONE_OK : HONE_E_NOMEM;
    }
    hone_str name;
    HONE_TRY(hone_value_string(v, "name", (hone_str){NULL, 0}, &name));
    if (!name.ptr)
        return hone_fail(HONE_E_INVALID, "optimizer: a name is missing: { \"adamw\", lr = 1e-6 }");
    hone_pair *pairs = hone_arena_calloc(a, v->u.map.n + 1, sizeof *pairs);
    hone_value *own = hone_arena_calloc(a, 1, sizeof *own);
    if (!pairs || !own)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < v->u.map.n; i++) {
        if (!hone_str_eq(v->u.map.pairs[i].key, "name"))
            pairs[own->u.map.n++] = v->u.map.pairs[i];
    }
    own->type = HONE_MAP;
    own->u.map.pairs = pairs;
    cfg->optimizer = hone_arena_strndup(a, name.ptr, name.len);
    cfg->optimizer_config = own;
    return cfg->optimizer ? HONE_OK : HONE_E_NOMEM;
}

static hone_status add_kind(const hone_value *v, hone_lora_config *l)
{
    static const char *const names[] = {"lora", "rslora", "dora", "pissa", NULL};
    static const uint32_t kinds[] = {0, HONE_LORA_RANK_STABLE, HONE_LORA_DORA, 0},
                          inits[] = {0, 0, 0, HONE_LORA_INIT_PRINCIPAL};
    for (int i = 0; v->type == HONE_STRING && names[i]; i++)
        if (hone_str_eq(v->u.str, names[i])) {
            l->kind |= kinds[i];
            l->init |= inits[i];
            return HONE_OK;
        }
    hone_fail(HONE_E_RANGE, "lora.kind: \"%.*s\" is none",
              v->type == HONE_STRING ? (int)(v->u.str.len < 40 ? v->u.str.len : 40) : 1,
              v->type == HONE_STRING ? v->u.str.ptr : "?");
    return hone_fail_hint(
        "\"lora\", \"rslora\", \"dora\", \"pissa\", or a list such as { \"dora\", \"rslora\" }");
}

/* kind = "dora", or a list of kinds that go together. */
static hone_status read_kind(const hone_value *v, hone_lora_config *l)
{
    if (!v || v->type == HONE_NULL)
        return HONE_OK;
    if (v->type != HONE_LIST)
        return add_kind(v, l);
    for (size_t i = 0; i < v->u.list.n; i++)
        HONE_TRY(add_kind(&v->u.list.items[i], l));
    return HONE_OK;
}

static hone_status check_lora_keys(const hone_value *v)
{
    static const char *const names[] = {"rank", "alpha", "targets", "kind", "plus", NULL};
    if (v->type != HONE_MAP && !(v->type == HONE_LIST && v->u.list.n == 0))
        return hone_fail(HONE_E_TYPE, "lora: a table is wanted, such as { rank = 16 }");
    for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++) {
        const hone_str k = v->u.map.pairs[i].key;
        int known = 0;
        for (int j = 0; names[j]; j++)
            known |= hone_str_eq(k, names[j]);
        if (known)
            continue;
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)(k.len < 60 ? k.len : 60), k.ptr);
        hone_fail(HONE_E_INVALID, "lora: there is no setting \"%s\"", key);
        const char *close = hone_closest(key, names);
        return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_INVALID;
    }
    return HONE_OK;
}

static hone_status read_lora(hone_arena *a, const hone_value *v, hone_lora_config *l)
{
    int64_t rank;
    if (!v || v->type == HONE_NULL)
        return HONE_OK;
    HONE_TRY(check_lora_keys(v));
    HONE_TRY(read_kind(hone_value_get(v, "kind"), l));
    HONE_TRY(hone_value_f64(v, "plus", 0, &l->plus));
    if (!(l->plus >= 0 && l->plus < 1e6))
        return hone_fail(HONE_E_RANGE, "lora.plus %g: how many times as fast B learns", l->plus);
    HONE_TRY(hone_value_i64(v, "rank", 8, &rank));
    HONE_TRY(hone_value_f64(v, "alpha", 0, &l->alpha));
    if (rank < 1 || rank > 4096)
        return hone_fail(HONE_E_RANGE, "lora.rank %lld: between 1 and 4096", (long long)rank);
    l->rank = (int32_t)rank;
    const hone_value *roles = hone_value_get(v, "targets");
    if (roles && roles->type == HONE_LIST) {
        const char **list = hone_arena_calloc(a, roles->u.list.n + 1, sizeof *list);
        if (!list)
            return HONE_E_NOMEM;
        for (size_t i = 0; i < roles->u.list.n; i++) {
            const hone_value *x = &roles->u.list.items[i];
            if (x->type != HONE_STRING)
                return hone_fail(HONE_E_TYPE,
                                 "lora.targets: a list of names such as \"q\", \"v\", \"up\"");
            list[i] = hone_arena_strndup(a, x->u.str.ptr, x->u.str.len);
            if (!list[i])
                return HONE_E_NOMEM;
        }
        l->roles = list;
    }
    return HONE_OK;
}

static hone_status string_of(hone_arena *a, const hone_value *v, const char *key, const char **out)
{
    hone_str s;
    HONE_TRY(hone_value_string(v, key, (hone_str){NULL, 0}, &s));
    if (!s.ptr)
        return HONE_OK;
    *out = hone_arena_strndup(a, s.ptr, s.len);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

/* Beside adapter = PATH, whose files say the rest. */
static hone_status only_plus(const hone_value *lora)
{
    for (size_t i = 0; lora && lora->type == HONE_MAP && i < lora->u.map.n; i++)
        if (!hone_str_eq(lora->u.map.pairs[i].key, "plus"))
            return hone_fail(
                HONE_E_INVALID, "lora.%.*s: the adapter that is loaded has one already",
                (int)(lora->u.map.pairs[i].key.len < 40 ? lora->u.map.pairs[i].key.len : 40),
                lora->u.map.pairs[i].key.ptr);
    return HONE_OK;
}

/* `base`: the policy whose model it stands on, or NULL. */
static hone_status make_policy(hone_recipe *r, hone_arena *a, const hone_value *v,
                               const hone_model_choice *component, hone_text_side *text,
                               hone_policy *base, hone_policy **out)
{
    hone_policy_config cfg = {.component = component, .text = text};
    int64_t seed;
    HONE_TRY(string_of(a, v, "name", &cfg.name));
    HONE_TRY(string_of(a, v, "model", &cfg.model));
    HONE_TRY(string_of(a, v, "tokenizer", &cfg.tokenizer));
    const char *storage = NULL;
    HONE_TRY(string_of(a, v, "storage", &storage));
    HONE_TRY(hone_storage_parse(storage, &cfg.storage));
    HONE_TRY(string_of(a, v, "rollout_precision", &cfg.precision));
    HONE_TRY(hone_value_i64(v, "seed", (int64_t)r->seed, &seed));
    cfg.seed = (uint64_t)seed;
    cfg.lora.seed = (uint64_t)seed;
    cfg.config = hone_value_get(v, "config");
    int unknown;
    HONE_TRY(hone_value_bool(v, "allow_unknown_config", r->opt.allow_unknown_config, &unknown));
    cfg.flags = unknown ? HONE_MODEL_ALLOW_UNKNOWN : 0;
    HONE_TRY(read_lora(a, hone_value_get(v, "lora"), &cfg.lora));
    HONE_TRY(hone_value_head_parse(hone_value_get(v, "value_head"), &cfg.value_head,
                                   &cfg.head_detached));
    const char *from = NULL;
    HONE_TRY(string_of(a, v, "adapter", &from));
    if (from)
        HONE_TRY(only_plus(hone_value_get(v, "lora")));
    HONE_TRY(read_optimizer(a, hone_value_get(v, "optimizer"), &cfg));
    if (!base && r->opt.tune.lora && cfg.optimizer && !cfg.lora.rank && !from)
        cfg.lora.rank = r->opt.tune.lora;
    if (r->opt.tune.bf16 && cfg.storage == HONE_F32 && (cfg.lora.rank || from || !cfg.optimizer))
        cfg.storage = HONE_BF16;
    char *model = NULL, *tokenizer = NULL, *adapter = NULL;
    hone_status s = cfg.model && !base ? hone__lua_model_path(r, cfg.model, &model) : HONE_OK;
    if (s >= 0 && from)
        s = hone__lua_model_path(r, from, &adapter);
    cfg.lora.from = adapter;
    if (s >= 0 && cfg.tokenizer && !base)
        s = hone__lua_model_path(r, cfg.tokenizer, &tokenizer);
    cfg.model = model;
    cfg.tokenizer = tokenizer;
    if (s >= 0)
        s = base ? hone_policy_adapter(base, &cfg, out) : hone_policy_create(&r->env, &cfg, out);
    hone_free(model);
    hone_free(tokenizer);
    hone_free(adapter);
    return s;
}

static int l_policy(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_model_choice choice, *component = NULL;
    hone_policy *p = NULL;
    hone_arena a;
    hone_value v;
    if (!lua_isnoneornil(L, 2)) {
        hone_lua_comp *c = hone__lua_check(L, 2, HONE_LUA_COMPONENT);
        choice = (hone_model_choice){c->vt, c->self, c->id, c->instance};
        component = &choice;
    }
    hone_text_side *text = lua_isnoneornil(L, 3) ? NULL : hone__lua_check(L, 3, HONE_LUA_TOKENIZER);
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 1, &a, &v);
    if (s >= 0)
        s = make_policy(r, &a, &v, component, text, NULL, &p);
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, p, HONE_LUA_POLICY);
    if (component) { /* the model's component lives as long as the policy */
        lua_pushvalue(L, 2);
        lua_setiuservalue(L, -2, 1);
    }
    return 1;
}

/* A policy with the model (or a copy of it) of policy 1: the model's component lives as long as it too. */
static int push_sibling(lua_State *L, hone_policy *c)
{
    hone__lua_push(L, c, HONE_LUA_POLICY);
    lua_getiuservalue(L, 1, 1);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

static int l_policy_copy(lua_State *L)
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY), *c = NULL;
    const char *name = luaL_checkstring(L, 2);
    hone_status s = hone_policy_evaluation(p, 1);
    if (s >= 0)
        s = hone_policy_copy(p, name, &c);
    (void)hone_policy_evaluation(p, 0);
    return s < 0 ? hone_lua_raise(L) : push_sibling(L, c);
}

static int l_policy_adapter(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY), *c = NULL;
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 2, &a, &v);
    if (s >= 0)
        s = make_policy(r, &a, &v, NULL, NULL, p, &c);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : push_sibling(L, c);
}

static void set_int(lua_State *L, const char *key, int64_t v)
{
    lua_pushinteger(L, v);
    lua_setfield(L, -2, key);
}

static void set_num(lua_State *L, const char *key, double v)
{
    lua_pushnumber(L, v);
    lua_setfield(L, -2, key);
}

static void set_str(lua_State *L, const char *key, const char *v)
{
    lua_pushstring(L, v);
    lua_setfield(L, -2, key);
}

static int l_policy_info(lua_State *L)
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    hone_params_sizes sz;
    char hex[32];
    hone_params_get_sizes(p->model->params, &sz);
    lua_newtable(L);
    set_str(L, "name", p->name);
    set_str(L, "model", p->model_path);
    set_str(L, "arch", p->model->arch);
    set_int(L, "parameters", (int64_t)sz.n_params);
    set_int(L, "trainable", p->optimizer ? (int64_t)sz.n_trainable : 0);
    set_int(L, "bytes", (int64_t)sz.bytes);
    const hone_storage *st = hone_storage_get(hone_params_storage(p->model->params));
    set_str(L, "storage", st ? st->name : "mixed");
    set_int(L, "vocab_size", p->model->info.vocab_size);
    set_int(L, "max_positions", p->model->info.max_positions);
    set_int(L, "version", (int64_t)p->version);
    set_num(L, "lr", p->lr);
    lua_pushboolean(L, p->adapter >= 0);
    lua_setfield(L, -2, "adapter");
    lua_pushboolean(L, hone_policy_is_merged(p));
    lua_setfield(L, -2, "merged");
    lua_pushboolean(L, p->text && p->text->chat);
    lua_setfield(L, -2, "chat");
    snprintf(hex, sizeof hex, "%016llx",
             (unsigned long long)hone_model_checksum(p->model, UINT32_MAX));
    set_str(L, "checksum", hex);
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)p->begins_with);
    set_str(L, "begins_with", hex); /* of a policy that trains: what records of the gate name */
    return 1;
}

/* What a policy is written by, with the weights that are evaluated. */
static int save_by(lua_State *L, hone_status (*save)(hone_policy *, const char *, uint32_t))
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    const char *dir = luaL_checkstring(L, 2), *dtype = luaL_optstring(L, 3, "f32");
    uint32_t d;
    if (hone__lua_gate_refused(hone__lua_recipe(L)) < 0 || hone_storage_parse(dtype, &d) < 0 ||
        hone__lua_may_write(hone__lua_recipe(L), dir) < 0)
        return hone_lua_raise(L);
    hone_status s = hone_policy_evaluation(p, 1);
    if (s >= 0)
        s = save(p, dir, d);
    (void)hone_policy_evaluation(p, 0);
    return s < 0 ? hone_lua_raise(L) : 0;
}

static int l_policy_save(lua_State *L)
{
    return save_by(L, hone_policy_save);
}

static int l_policy_save_adapter(lua_State *L)
{
    return save_by(L, hone_policy_save_adapter);
}

static int l_policy_merge(lua_State *L)
{
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    const int on = lua_toboolean(L, 2);
    hone_status s = on ? hone_policy_evaluation(p, 1) : HONE_OK; /* what would be saved */
    if (s >= 0)
        s = on ? hone_policy_merge(p) : hone_policy_unmerge(p);
    if (on)
        (void)hone_policy_evaluation(p, 0);
    return s < 0 ? hone_lua_raise(L) : 0;
}

static int l_policy_lerp(lua_State *L)
{
    hone_policy *to = hone__lua_check(L, 1, HONE_LUA_POLICY),
                *from = hone__lua_check(L, 2, HONE_LUA_POLICY);
    if (hone_params_lerp(to->model->params, from->model->params, (float)luaL_checknumber(L, 3)) < 0)
        return hone_lua_raise(L);
    return 0;
}

/* ---- rollouts --------------------------------------------------------------------------------------------- */

/* The functions of one rollout: they lie in the table at `fns`. */
typedef struct call_back {
    lua_State *L;
    int fns;
} call_back;

static int has_fn(const call_back *c, const char *name)
{
    int yes = c->fns && lua_getfield(c->L, c->fns, name) == LUA_TFUNCTION;
    if (c->fns)
        lua_pop(c->L, 1);
    return yes;
}

static hone_status cb_between(void *ctx)
{
    call_back *c = ctx;
    hone_recipe *r = hone__lua_recipe(c->L);
    if (__atomic_load_n(&r->interrupted, __ATOMIC_RELAXED))
        return hone_fail(HONE_E_INTERRUPTED, "interrupted");
    hone_lua_pump(hone_lua_of(c->L));
    return HONE_OK;
}

static void push_ids(lua_State *L, const int32_t *ids, size_t n)
{
    hone_lua_new_list(L, (size_t)n);
    for (size_t i = 0; i < n; i++) {
        lua_pushinteger(L, ids[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* The function gets (logits, sample, ids), a list it may change in place or replace by returning another. */
static hone_status cb_logits(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                             size_t n_ids, float *z, int64_t n)
{
    call_back *c = ctx;
    lua_State *L = c->L;
    (void)prompt;
    if (!lua_checkstack(L, 16))
        return hone_fail(HONE_E_LIMIT, "the Lua stack is full");
    hone_lua_new_list(L, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        lua_pushnumber(L, (double)z[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_getfield(L, c->fns, "logits");
    lua_pushvalue(L, -2);
    lua_pushinteger(L, (lua_Integer)sample);
    push_ids(L, ids, n_ids);
    hone_status s = hone__lua_call(
        L, 3, 1, "logits",
        "it gets (logits, sample, ids) and changes the list, or returns another");
    if (s < 0) {
        lua_pop(L, 1);
        return s;
    }
    if (!lua_istable(L, -1)) { /* nothing returned: the table was changed in place */
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
    }
    for (int64_t i = 0; i < n && s >= 0; i++) {
        int number;
        lua_rawgeti(L, -1, i + 1);
        z[i] = (float)lua_tonumberx(L, -1, &number);
        if (!number)
            s = hone_fail(HONE_E_TYPE,
                          "logits: entry %lld of %lld is a %s, and a number is expected",
                          (long long)i + 1, (long long)n, luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    return s;
}

static void set_ids(lua_State *L, const char *key, const int32_t *ids, size_t n)
{
    push_ids(L, ids, n);
    lua_setfield(L, -2, key);
}

/* sampler = function(c): c has ids, probs (falling), tokens so far, sample. It returns a weight for each, or the
 * place of the one to take; nil leaves the probabilities as they are. */
static hone_status cb_weigh(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                            size_t n_ids, const int32_t *candidates, double *weight, int64_t n)
{
    static const char hint[] =
        "it gets c with ids and probs (likeliest first), tokens, sample, and "
        "returns a list of weights, or the place of one";
    call_back *c = ctx;
    lua_State *L = c->L;
    (void)prompt;
    if (!lua_checkstack(L, 16))
        return hone_fail(HONE_E_LIMIT, "the Lua stack is full");
    lua_getfield(L, c->fns, "sampler");
    lua_createtable(L, 0, 4);
    set_ids(L, "ids", candidates, (size_t)n);
    set_ids(L, "tokens", ids, n_ids);
    hone_lua_new_list(L, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        lua_pushnumber(L, weight[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "probs");
    lua_pushinteger(L, (lua_Integer)sample);
    lua_setfield(L, -2, "sample");
    HONE_TRY(hone__lua_call(L, 1, 1, "sampler", hint));
    hone_status s = HONE_OK;
    if (lua_isinteger(L, -1)) {
        lua_Integer k = lua_tointeger(L, -1);
        if (k < 1 || k > n)
            s = hone_fail(HONE_E_RANGE, "sampler: it chose candidate %lld of %lld", (long long)k,
                          (long long)n);
        for (int64_t i = 0; i < n; i++)
            weight[i] = i + 1 == k;
    } else if (lua_istable(L, -1)) {
        for (int64_t i = 0; i < n && s >= 0; i++) {
            int number;
            lua_rawgeti(L, -1, i + 1);
            weight[i] = lua_tonumberx(L, -1, &number);
            if (!number)
                s = hone_fail(HONE_E_TYPE,
                              "sampler: weight %lld of %lld is a %s, and a number is expected",
                              (long long)i + 1, (long long)n, luaL_typename(L, -1));
            lua_pop(L, 1);
        }
    } else if (!lua_isnil(L, -1)) {
        s = hone_fail(HONE_E_TYPE, "sampler: it returned a %s", luaL_typename(L, -1));
    }
    if (s < 0 && !hone_error_get()->hint[0])
        hone_fail_hint("%s", hint);
    lua_pop(L, 1);
    return s;
}

/* stop = function(text, ids, sample): true ends the sample after this token. */
static hone_status cb_stop(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                           size_t n_ids, hone_str text)
{
    call_back *c = ctx;
    lua_State *L = c->L;
    (void)prompt;
    if (!lua_checkstack(L, 16))
        return hone_fail(HONE_E_LIMIT, "the Lua stack is full");
    lua_getfield(L, c->fns, "stop");
    lua_pushlstring(L, text.ptr ? text.ptr : "", text.len);
    push_ids(L, ids, n_ids);
    lua_pushinteger(L, (lua_Integer)sample);
    HONE_TRY(
        hone__lua_call(L, 3, 1, "stop", "it gets (text, ids, sample) and returns true to end it"));
    int yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

static hone_status read_stops(hone_arena *a, const hone_value *v, hone_rollout_params *p)
{
    const hone_value *stop = hone_value_get(v, "stop");
    if (!stop || stop->type == HONE_NULL)
        return HONE_OK;
    size_t n = stop->type == HONE_LIST ? stop->u.list.n : 1;
    const hone_value *items = stop->type == HONE_LIST ? stop->u.list.items : stop;
    hone_str *list = hone_arena_calloc(a, n + 1, sizeof *list);
    if (!list)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (items[i].type != HONE_STRING)
            return hone_fail(HONE_E_TYPE, "stop: a text or a list of texts");
        list[i] = items[i].u.str;
    }
    p->stop_strings = list;
    p->n_stop_strings = n;
    return HONE_OK;
}

/* grammar = GBNF text; schema = a JSON Schema, as text or as a table. */
static hone_status read_grammar(const hone_value *v, hone_grammar **out)
{
    const hone_value *grammar = hone_value_get(v, "grammar"), *schema = hone_value_get(v, "schema");
    hone_buf text;
    if (grammar && schema)
        return hone_fail(HONE_E_USAGE, "grammar and schema exclude each other");
    if (grammar && grammar->type != HONE_STRING)
        return hone_fail(HONE_E_TYPE, "grammar: a text is wanted");
    if (grammar)
        return hone_grammar_parse(grammar->u.str, "grammar", out);
    if (!schema)
        return HONE_OK;
    if (schema->type == HONE_STRING)
        return hone_grammar_schema(schema->u.str, "schema", out);
    hone_buf_init(&text, (size_t)1 << 24);
    hone_status s = hone_grammar_schema_text(schema, "schema", &text);
    if (s >= 0)
        s = hone_grammar_parse(hone_buf_str(&text), "schema", out);
    hone_buf_release(&text);
    return s;
}

static hone_status read_rollout(hone_recipe *r, hone_arena *a, const hone_value *v,
                                hone_rollout_params *p)
{
    int64_t n, max_tokens, top_k, step, first, seed, max_seq, candidates;
    HONE_TRY(hone_value_i64(v, "n", 1, &n));
    HONE_TRY(hone_value_i64(v, "max_tokens", 256, &max_tokens));
    HONE_TRY(hone_value_i64(v, "top_k", 0, &top_k));
    HONE_TRY(hone_value_i64(v, "step", 0, &step));
    HONE_TRY(hone_value_i64(v, "first_sample", 0, &first));
    HONE_TRY(hone_value_i64(v, "seed", (int64_t)r->seed, &seed));
    HONE_TRY(hone_value_i64(v, "max_sequences", 0, &max_seq));
    HONE_TRY(hone_value_i64(v, "candidates", 64, &candidates));
    HONE_TRY(hone_value_f64(v, "temperature", 1, &p->rule.temperature));
    HONE_TRY(hone_value_f64(v, "top_p", 1, &p->rule.top_p));
    HONE_TRY(hone_value_f64(v, "min_p", 0, &p->rule.min_p));
    HONE_TRY(hone_value_f64(v, "repetition_penalty", 1, &p->rule.repetition_penalty));
    HONE_TRY(hone_value_f64(v, "error_limit", 0.2, &p->error_limit));
    HONE_TRY(hone_value_bool(v, "greedy", 0, &p->rule.greedy));
    HONE_TRY(hone_value_bool(v, "raw", 0, &p->raw));
    HONE_TRY(read_stops(a, v, p));
    if (n < 1 || n > 65536)
        return hone_fail(HONE_E_RANGE, "n = %lld: samples a prompt, at least 1", (long long)n);
    if (max_tokens < 1 || max_tokens > 1 << 20)
        return hone_fail(HONE_E_RANGE, "max_tokens = %lld: at least 1", (long long)max_tokens);
    if (candidates < 1 || candidates > 1024)
        return hone_fail(HONE_E_RANGE, "candidates = %lld: between 1 and 1024",
                         (long long)candidates);
    p->candidates = (uint32_t)candidates;
    if (r->opt.tune.halve_tokens)
        max_tokens = (max_tokens + 1) / 2;
    p->n = (uint32_t)n;
    p->max_tokens = (int32_t)max_tokens;
    p->rule.top_k = (int32_t)top_k;
    p->step = (uint64_t)step;
    p->first_sample = (uint64_t)first;
    p->seed = (uint64_t)seed;
    p->max_sequences = (uint32_t)max_seq;
    return HONE_OK;
}

/* What is drawn to be trained on comes from the weights that are trained; what is drawn to be looked at (`evaluation`)
 * from those to evaluate. */
static hone_status draw(lua_State *L, int evaluation, hone_rollout **out)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_policy *p = hone__lua_check(L, 1, HONE_LUA_POLICY);
    call_back cb = {L, lua_istable(L, 5) ? 5 : 0};
    hone_rollout_params rp = {.scorer = hone__lua_check_scorer(L, 4), .journal = r->journal};
    hone_arena a;
    hone_value rows, options;
    hone_arena_init(&a, (size_t)4 << 30);
    hone_status s = hone_lua_to_value(L, 2, &a, &rows);
    if (s >= 0 && rows.type != HONE_LIST)
        s = hone_fail(HONE_E_TYPE, "a list of prompts is wanted");
    if (s >= 0)
        s = hone__lua_options(L, 3, &a, &options);
    if (s >= 0)
        s = read_rollout(r, &a, &options, &rp);
    if (s >= 0)
        s = read_grammar(&options, &rp.grammar);
    if (s >= 0)
        s = hone__lua_environment(L, cb.fns, &options, &a, &rp, &rp.environment);
    rp.ctx = &cb;
    rp.between = cb_between;
    rp.logits = has_fn(&cb, "logits") ? cb_logits : NULL;
    rp.weigh = has_fn(&cb, "sampler") ? cb_weigh : NULL;
    rp.stop = has_fn(&cb, "stop") ? cb_stop : NULL;
    int no_journal = 0;
    if (s >= 0 && r->opt.tune.halve_batch)
        rows.u.list.n = (rows.u.list.n + 1) / 2;
    if (s >= 0)
        s = hone_value_bool(&options, "no_journal", 0, &no_journal);
    if (no_journal)
        rp.journal = NULL;
    if (s >= 0)
        s = hone_value_bool(&options, "evaluation", evaluation, &evaluation);
    if (s >= 0 && evaluation)
        s = hone_policy_evaluation(p, 1);
    if (s >= 0)
        s = hone_rollout_draw(p, rows.u.list.items, rows.u.list.n, &rp, out);
    if (evaluation)
        (void)hone_policy_evaluation(p, 0);
    if (s >= 0) {
        s = hone__lua_watch_rollout(r, *out, rp.error_limit);
        if (s < 0)
            hone_rollout_destroy(*out);
    }
    hone_grammar_unref(rp.grammar);
    hone_arena_release(&a);
    return s;
}

static int l_rollout(lua_State *L)
{
    hone_rollout *ro = NULL;
    lua_settop(L, 5);
    if (draw(L, 0, &ro) < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, ro, HONE_LUA_ROLLOUT);
    return 1;
}

static const char *finish_name(uint32_t f)
{
    return f == HONE_FINISH_STOP        ? "stop"
           : f == HONE_FINISH_LENGTH    ? "length"
           : f == HONE_FINISH_CANCELLED ? "cancelled"
                                        : "unknown";
}

static void push_sample(lua_State *L, const hone_rollout *r, size_t i)
{
    static const char *const status[] = {"pending", "score", "abstain", "error", "timeout"};
    const hone_rollout_sample *s = &r->samples[i];
    const hone_rollout_prompt *p = &r->prompts[s->prompt];
    lua_createtable(L, 0, 16);
    set_int(L, "index", (lua_Integer)i + 1);
    set_int(L, "group", (lua_Integer)s->prompt + 1);
    lua_pushlstring(L, s->text.ptr ? s->text.ptr : "", s->text.len);
    lua_setfield(L, -2, "completion");
    lua_pushlstring(L, p->text.ptr ? p->text.ptr : "", p->text.len);
    lua_setfield(L, -2, "prompt");
    set_str(L, "finish", finish_name(s->finish));
    set_int(L, "n_tokens", (lua_Integer)s->n_own);
    if (s->mask) {
        set_int(L, "turns", s->turns);
        lua_pushboolean(L, s->done);
        lua_setfield(L, -2, "done");
        hone_lua_new_list(L, (size_t)s->n);
        for (size_t k = 0; k < s->n; k++) {
            lua_pushboolean(L, s->mask[k]);
            lua_rawseti(L, -2, (lua_Integer)k + 1);
        }
        lua_setfield(L, -2, "own");
    }
    push_ids(L, s->ids, s->n);
    lua_setfield(L, -2, "ids");
    hone_lua_new_list(L, (size_t)s->n);
    for (size_t k = 0; k < s->n; k++) {
        lua_pushnumber(L, (double)s->logprob[k]);
        lua_rawseti(L, -2, (lua_Integer)k + 1);
    }
    lua_setfield(L, -2, "logprobs");
    hone_lua_push_value(L, p->row);
    lua_setfield(L, -2, "columns");
    lua_createtable(L, 0, (int)r->n_components);
    for (size_t c = 0; c < r->n_components; c++) {
        const hone_score_result *x = &r->results[c * r->n_samples + i];
        if (r->watch[c]) /* no recipe sees what only watches */
            continue;
        lua_createtable(L, 0, 3);
        set_str(L, "status", status[x->status < 5 ? x->status : 3]);
        if (x->status == HONE_SCORE)
            set_num(L, "score", (double)x->score);
        if (x->reason.len) {
            lua_pushlstring(L, x->reason.ptr, x->reason.len);
            lua_setfield(L, -2, "reason");
        }
        if (x->notes.len > 2) { /* more than "{}" */
            lua_pushlstring(L, x->notes.ptr, x->notes.len);
            lua_setfield(L, -2, "notes");
        }
        lua_setfield(L, -2, r->component[c]);
    }
    lua_setfield(L, -2, "outcomes");
    if (r->has_advantages) {
        if (!s->left_out)
            set_num(L, "reward", s->reward);
        set_num(L, "advantage", s->advantage);
        lua_pushboolean(L, s->left_out);
        lua_setfield(L, -2, "left_out");
    }
}

static int l_rollout_samples(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    hone_lua_new_list(L, (size_t)r->n_samples);
    for (size_t i = 0; i < r->n_samples; i++) {
        push_sample(L, r, i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_generate(lua_State *L)
{
    hone_rollout *r = NULL;
    lua_settop(L, 5);
    if (draw(L, 1, &r) < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, r, HONE_LUA_ROLLOUT); /* an error below must not leak it */
    hone_lua_new_list(L, (size_t)r->n_prompts);
    for (size_t g = 0; g < r->n_prompts; g++) {
        hone_lua_new_list(L, (size_t)r->group_size);
        for (size_t j = 0; j < r->group_size; j++) {
            const hone_rollout_sample *s = &r->samples[g * r->group_size + j];
            lua_createtable(L, 0, 4);
            lua_pushlstring(L, s->text.ptr ? s->text.ptr : "", s->text.len);
            lua_setfield(L, -2, "text");
            push_ids(L, s->ids, s->n);
            lua_setfield(L, -2, "ids");
            set_str(L, "finish", finish_name(s->finish));
            double sum = 0;
            for (size_t k = 0; k < s->n; k++)
                sum += (double)s->full[k];
            set_num(L, "logprob", sum);
            lua_rawseti(L, -2, (lua_Integer)j + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)g + 1);
    }
    return 1;
}

static int l_rollout_score(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    hone_scorer *s = hone__lua_check_scorer(L, 2);
    if (!s)
        return luaL_argerror(L, 2, "rewards are wanted");
    double limit = luaL_optnumber(L, 3, 0.2);
    if (hone_rollout_score(r, s, NULL, limit) < 0 ||
        hone__lua_watch_rollout(hone__lua_recipe(L), r, limit) < 0)
        return hone_lua_raise(L);
    return 0;
}

static int l_rollout_advantages(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    hone_lua_comp *c = hone__lua_check(L, 2, HONE_LUA_COMPONENT);
    hone_policy *ref = lua_isnoneornil(L, 3) ? NULL : hone__lua_check(L, 3, HONE_LUA_POLICY);
    const hone_advantage_v1 *vt = c->vt;
    const int values = (vt->flags & HONE_ADV_VALUE) != 0;
    hone_rollout_beside beside = {NULL, NULL, NULL};
    size_t tokens = 0;
    if (lua_istable(L, 5)) {
        double *baseline = lua_newuserdatauv(L, (r->n_samples + 1) * sizeof *baseline, 0);
        for (size_t i = 0; i < r->n_samples; i++) {
            lua_rawgeti(L, 5, (lua_Integer)i + 1);
            baseline[i] = luaL_checknumber(L, -1);
            lua_pop(L, 1);
        }
        beside.baseline = baseline;
    }
    for (size_t i = 0; (ref || values) && i < r->n_samples; i++)
        tokens += r->samples[i].n;
    double *logp = ref ? lua_newuserdatauv(L, (tokens + 1) * sizeof *logp, 0) : NULL;
    beside.ref_logp = logp;
    if (ref &&
        hone_rollout_logprobs(
            r, ref, lua_toboolean(L, 4) ? HONE_ADAPTERS_NONE : hone_policy_mask(ref), logp) < 0)
        return hone_lua_raise(L);
    if (values && lua_isnoneornil(L, 6))
        return luaL_error(
            L, "advantage: it reads values, and there is no policy to ask for them: use it in "
               "policy:update, or name one: { \"gae\", critic = policy }");
    if (values) {
        double *value = lua_newuserdatauv(L, (tokens + 1) * sizeof *value, 0);
        if (hone_rollout_values(r, hone__lua_check(L, 6, HONE_LUA_POLICY), value) < 0)
            return hone_lua_raise(L);
        beside.value = value;
    }
    if (hone_rollout_advantages(r, c->instance, c->vt, c->self, &beside) < 0)
        return hone_lua_raise(L);
    return 0;
}

static int l_rollout_set(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    for (size_t i = 0; i < r->n_samples; i++) {
        hone_rollout_sample *s = &r->samples[i];
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        s->left_out = !lua_isnumber(L, -1);
        s->advantage = s->left_out ? 0 : lua_tonumber(L, -1);
        s->reward = lua_isnumber(L, -2) ? lua_tonumber(L, -2) : 0;
        s->token_advantage = s->value = s->returns = NULL;
        lua_pop(L, 2);
    }
    r->has_advantages = 1;
    return 0;
}

static int l_rollout_permute(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    hone_rng_key key = {
        .seed = (uint64_t)luaL_checkinteger(L, 2), .purpose = HONE_RNG_PERMUTE, .step = r->step};
    size_t n = r->n_samples;
    hone_score_result *copy = hone_arena_calloc(&r->arena, n ? n : 1, sizeof *copy);
    if (!copy)
        return hone_lua_raise(L);
    for (size_t c = 0; c < r->n_components; c++) {
        memcpy(copy, &r->results[c * n], n * sizeof *copy);
        for (size_t i = 0; i < n; i++)
            r->results[c * n + i] = copy[hone_rng_permute(&key, i, n)];
    }
    r->has_advantages = 0;
    return 0;
}

static int l_rollout_info(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    lua_newtable(L);
    set_int(L, "prompts", (lua_Integer)r->n_prompts);
    set_int(L, "samples", (lua_Integer)r->n_samples);
    set_int(L, "group_size", r->group_size);
    set_int(L, "version", (lua_Integer)r->version);
    set_num(L, "temperature", r->temperature);
    set_int(L, "max_tokens", r->max_tokens);
    set_int(L, "prompt_tokens", (lua_Integer)r->gen.prompt_tokens);
    set_int(L, "new_tokens", (lua_Integer)r->gen.new_tokens);
    set_num(L, "generate_s", r->generate_s);
    set_num(L, "reward_s", r->reward_s);
    lua_newtable(L);
    for (size_t c = 0; c < r->n_components; c++) {
        lua_newtable(L);
        set_num(L, "p50_ms", r->p50_ms[c]);
        set_num(L, "p95_ms", r->p95_ms[c]);
        set_num(L, "weight", r->weight[c]);
        set_int(L, "cached", (lua_Integer)r->cached[c]);
        set_int(L, "retried", (lua_Integer)r->retried[c]);
        lua_setfield(L, -2, r->component[c]);
    }
    lua_setfield(L, -2, "components");
    return 1;
}

static int l_rollout_normalize(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    lua_Integer c = luaL_checkinteger(L, 2);
    if (hone_rollout_normalize(r, (size_t)c - 1, luaL_checknumber(L, 3), luaL_checknumber(L, 4),
                               luaL_optnumber(L, 5, 0)) < 0)
        return hone_lua_raise(L);
    return 0;
}

/* A number is a score, hone.abstain an abstention. */
static int l_rollout_outcome(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    lua_Integer c = luaL_checkinteger(L, 2), sample = luaL_checkinteger(L, 3);
    int number = lua_type(L, 4) == LUA_TNUMBER;
    if (hone_rollout_set_outcome(r, (size_t)c - 1, (size_t)sample - 1,
                                 number ? HONE_SCORE : HONE_ABSTAIN,
                                 number ? (float)lua_tonumber(L, 4) : 0) < 0)
        return hone_lua_raise(L);
    return 0;
}

void hone__lua_open_policy(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"policy", l_policy},
                                     {"policy_copy", l_policy_copy},
                                     {"policy_adapter", l_policy_adapter},
                                     {"policy_info", l_policy_info},
                                     {"policy_save", l_policy_save},
                                     {"policy_save_adapter", l_policy_save_adapter},
                                     {"policy_merge", l_policy_merge},
                                     {"policy_lerp", l_policy_lerp},
                                     {"generate", l_generate},
                                     {"rollout", l_rollout},
                                     {"rollout_score", l_rollout_score},
                                     {"rollout_advantages", l_rollout_advantages},
                                     {"rollout_set", l_rollout_set},
                                     {"rollout_permute", l_rollout_permute},
                                     {"rollout_samples", l_rollout_samples},
                                     {"rollout_info", l_rollout_info},
                                     {"rollout_normalize", l_rollout_normalize},
                                     {"rollout_outcome", l_rollout_outcome},
                                     {NULL, NULL}};
    hone__lua_type(L, HONE_LUA_POLICY, policy_release);
    hone__lua_type(L, HONE_LUA_ROLLOUT, rollout_release);
    luaL_setfuncs(L, funcs, 0);
}
