/* api_components.c - components by name, and scorers, for recipes.
 *
 *   core.component(kind, name, config) -> component      a plugin's
 *   core.lua_component(table, kind) -> component          one written in Lua
 *   core.closest(name, list) -> name or nil
 *   core.component_id(c) -> id, in_lua, full id, its interface
 *   core.component_reentrant(c) -> boolean
 *   core.component_set(c, settings)                  live settings change
 *   core.interface(c [, id]) -> handle               its calls as methods (lua/iface.h)
 *   core.where(function) -> "file:line", core.file_of(function) -> path or nil
 *   core.components(kind) -> list of { id, name, summary }
 *   core.scorer({ { component, more = { component, ... }, id =, weight =, timeout =, concurrency =, batch =,
 *                   retries =, gate =, gate_at =, otherwise =, cache = }, ... }, workers) -> scorer */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/paths.h"
#include "hone/environment.h"
#include "hone/model.h"
#include "hone/objective.h"
#include "lua/component.h"
#include "lua/iface.h"
#include "score/cache.h"

#include <stdio.h>
#include <string.h>

static void component_release(void *p)
{
    hone_lua_comp *c = p;
    if (c->free_self)
        c->free_self(c);
    hone_instance_unref(c->instance);
    hone_free(c->config);
    hone_free(c);
}

/* How another instance of a reward is made. */
typedef struct renewal {
    struct scorer_box *box;
    hone_registry *registry;
    const hone_component_info *info;
    char *config; /* JSON */
    char spec[65];
} renewal;

typedef struct scorer_box {
    hone_scorer *scorer;
    hone_instance **instances; /* kept alive while calls may run */
    size_t n, room;
    renewal *renewals; /* one a reward */
    size_t n_renewals;
    hone_arena arena; /* lanes, until the scorer has copied them */
} scorer_box;

static void scorer_release(void *p)
{
    scorer_box *b = p;
    hone_scorer_destroy(b->scorer);
    for (size_t i = 0; i < b->n; i++)
        hone_instance_unref(b->instances[i]);
    for (size_t i = 0; i < b->n_renewals; i++)
        hone_free(b->renewals[i].config);
    hone_free(b->renewals);
    hone_arena_release(&b->arena);
    hone_free(b->instances);
    hone_free(b);
}

static hone_status hold(scorer_box *b, hone_instance *inst)
{
    if (b->n == b->room) {
        size_t room = b->room ? 2 * b->room : 8;
        hone_instance **more = hone_realloc(b->instances, room * sizeof(hone_instance *));
        if (!more)
            return HONE_E_NOMEM;
        b->instances = more;
        b->room = room;
    }
    b->instances[b->n++] = hone_instance_addref(inst);
    return HONE_OK;
}

static hone_status renew(void *ctx, hone_score_lane *lane)
{
    renewal *r = ctx;
    hone_arena a;
    hone_value config;
    hone_instance *inst = NULL;
    hone_ref ref;
    hone_arena_init(&a, 0);
    hone_status s = hone_json_parse(r->config, strlen(r->config), "settings", &a, &config);
    if (s >= 0)
        s = hone_instance_create_info(r->registry, r->info, &config, &inst);
    if (s >= 0)
        s = hone_instance_ref(inst, HONE_IFACE_REWARD, &ref);
    if (s >= 0)
        s = hold(r->box, inst);
    if (s >= 0)
        *lane = (hone_score_lane){ref.vt, ref.self, inst};
    else
        hone_log(HONE_LOG_WARN, r->info->c.id, "no new instance could be made: %s",
                 hone_error_get()->what);
    hone_instance_unref(inst);
    hone_arena_release(&a);
    return s;
}

/* reward/ID/timeout is the longest name of a metric of it, and a name has 63 bytes. */
enum {
    HONE_LUA_REWARD_ID_MAX = sizeof((hone_metric){0}.name) - sizeof "reward/" - sizeof "/timeout" +
                             1
};

static const char *iface_of(const char *kind, hone_instance *inst)
{
    void *self;
    if (strcmp(kind, HONE_KIND_REWARD) == 0)
        return HONE_IFACE_REWARD;
    if (strcmp(kind, HONE_KIND_MODEL) == 0)
        return HONE_IFACE_MODEL;
    if (strcmp(kind, HONE_KIND_ENVIRONMENT) == 0)
        return HONE_IFACE_ENVIRONMENT;
    if (strcmp(kind, HONE_KIND_OBJECTIVE) == 0)
        return hone_instance_iface(inst, HONE_IFACE_ADVANTAGE, &self) ? HONE_IFACE_ADVANTAGE
                                                                      : HONE_IFACE_OBJECTIVE;
    return NULL;
}

hone_status hone__lua_component_from(hone_instance *inst, const char *kind, int in_lua,
                                     hone_lua_comp **out)
{
    const char *iface = iface_of(kind, inst);
    hone_ref ref = {NULL, NULL};
    if (iface)
        HONE_TRY(hone_instance_ref(inst, iface, &ref));
    hone_lua_comp *c = hone_calloc(1, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    c->instance = hone_instance_addref(inst);
    c->vt = ref.vt;
    c->self = ref.self;
    c->in_lua = in_lua;
    const char *id = hone_instance_id(inst), *dot = strrchr(id, '.');
    snprintf(c->id, sizeof c->id, "%s", dot ? dot + 1 : id);
    *out = c;
    return HONE_OK;
}

static int l_component(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    const char *kind = luaL_checkstring(L, 1), *name = luaL_checkstring(L, 2);
    hone_arena a;
    hone_value config;
    hone_instance *inst = NULL;
    hone_lua_comp *c = NULL;
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 3, &a, &config);
    if (s >= 0 && strcmp(kind, "source") == 0)
        s = hone__lua_may_run(r, name, &config);
    if (s >= 0)
        s = hone_instance_create(r->env.registry, kind, name, &config, &inst);
    if (s >= 0)
        s = hone__lua_component_from(inst, kind, 0, &c);
    if (s >= 0) {
        hone_buf b;
        hone_jw w;
        hone_buf_init(&b, 1 << 24);
        hone_jw_init(&w, &b, 0);
        hone_jw_value(&w, &config);
        c->config = b.failed < 0 ? NULL : hone_strndup(b.ptr, b.len);
        hone_buf_release(&b);
    }
    hone_instance_unref(inst);
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, c, HONE_LUA_COMPONENT);
    return 1;
}

/* A table with functions becomes a component, and an instance of it. */
static int l_lua_component(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    const char *kind = luaL_optstring(L, 2, NULL);
    const hone_component_info *info;
    hone_instance *inst = NULL;
    hone_lua_comp *c = NULL;
    luaL_checktype(L, 1, LUA_TTABLE);
    hone_status s = hone_lua_component(L, 1, kind, &info);
    if (s == HONE_E_EXISTS)
        hone_fail_hint("make a component once, before the loop, or give this one another id");
    if (s >= 0)
        s = hone_instance_create_info(r->env.registry, info, NULL, &inst);
    if (s >= 0)
        s = hone__lua_component_from(inst, info->c.kind,
                                     !hone_lua_component_replicated(hone_lua_of(L), info), &c);
    hone_instance_unref(inst);
    if (s < 0)
        return hone_lua_raise(L);
    hone__lua_push(L, c, HONE_LUA_COMPONENT);
    return 1;
}

static int l_closest(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t n = lua_rawlen(L, 2);
    const char **names = lua_newuserdatauv(L, (n + 1) * sizeof *names, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        names[i] = luaL_checkstring(L, -1); /* the caller's table keeps it */
        lua_pop(L, 1);
    }
    names[n] = NULL;
    const char *close = hone_closest(luaL_checkstring(L, 1), names);
    if (!close)
        return 0;
    lua_pushstring(L, close);
    return 1;
}

static int l_component_id(lua_State *L)
{
    hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
    lua_pushstring(L, c->id);
    lua_pushboolean(L, c->in_lua);
    if (!c->instance)
        return 2;
    const hone_component *full = &hone_instance_info(c->instance)->c;
    lua_pushstring(L, full->id);
    lua_pushstring(L, full->provides ? full->provides[0] : NULL);
    return 4;
}

/* core.interface(component, id) -> handle */
static int l_interface(lua_State *L)
{
    hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
    const char *id = luaL_checkstring(L, 2);
    if (!c->instance)
        return luaL_error(L, "%s is a function of the recipe: call it", c->id);
    return hone_lua_push_iface(L, c->instance, id) < 0 ? hone_lua_raise(L) : 1;
}

/* core.fail("E_RANGE", text): raises that status. */
static int l_fail(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *text = luaL_checkstring(L, 2);
    for (hone_status s = -1; s > -64; s--) {
        if (strcmp(hone_status_name(s), name) == 0) {
            hone_fail(s, "%s", text);
            return hone_lua_raise(L);
        }
    }
    return luaL_error(L, "there is no status %s", name);
}

/* `c->config` with some settings changed: what further instances are made of. */
static hone_status merge_config(hone_lua_comp *c, const hone_value *changes)
{
    hone_arena a;
    hone_value config;
    hone_buf b;
    hone_jw w;
    hone_arena_init(&a, 0);
    hone_buf_init(&b, 1 << 24);
    hone_jw_init(&w, &b, 0);
    hone_status s = hone_json_parse(c->config, strlen(c->config), "settings", &a, &config);
    if (s >= 0) {
        hone_jw_map(&w);
        for (size_t i = 0; config.type == HONE_MAP && i < config.u.map.n; i++) {
            const hone_pair *p = &config.u.map.pairs[i];
            char *key = hone_arena_strndup(&a, p->key.ptr, p->key.len);
            if (!key || hone_value_get(changes, key))
                continue;
            hone_jw_key(&w, key);
            hone_jw_value(&w, &p->value);
        }
        for (size_t i = 0; changes->type == HONE_MAP && i < changes->u.map.n; i++) {
            const hone_pair *p = &changes->u.map.pairs[i];
            char *key = hone_arena_strndup(&a, p->key.ptr, p->key.len);
            if (!key)
                continue;
            hone_jw_key(&w, key);
            hone_jw_value(&w, &p->value);
        }
        hone_jw_end(&w);
        char *text = b.failed < 0 ? NULL : hone_strndup(b.ptr, b.len);
        s = text ? HONE_OK : HONE_E_NOMEM;
        if (text) {
            hone_free(c->config);
            c->config = text;
        }
    }
    hone_buf_release(&b);
    hone_arena_release(&a);
    return s;
}

/* core.component_set(component, settings): live settings of a plugin's component change (hone.live/1). */
static int l_component_set(lua_State *L)
{
    hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
    hone_arena a;
    hone_value changes;
    if (!c->instance || c->in_lua || !c->config)
        return luaL_error(L, "%s is written in Lua: change its variables", c->id);
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 2, &a, &changes);
    if (s >= 0)
        s = hone_instance_change(c->instance, &changes);
    if (s >= 0)
        s = merge_config(c, &changes);
    hone_arena_release(&a);
    return s < 0 ? hone_lua_raise(L) : 0;
}

static int l_component_reentrant(lua_State *L)
{
    hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
    lua_pushboolean(L, c->instance && (hone_instance_caps(c->instance) & HONE_CAP_REENTRANT));
    return 1;
}

/* core.where(fn) -> "file:line" of a function of the recipe, for messages. */
static int l_where(lua_State *L)
{
    lua_Debug ar;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_getinfo(L, ">S", &ar);
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
    return 1;
}

/* core.file_of(fn) -> the path of the file that a function is written in; nil where it is in none. */
static int l_file_of(lua_State *L)
{
    lua_Debug ar;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_getinfo(L, ">S", &ar);
    if (ar.source[0] != '@' || !hone_file_exists(ar.source + 1))
        return 0;
    lua_pushstring(L, ar.source + 1);
    return 1;
}

static int l_components(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    const char *kind = luaL_checkstring(L, 1);
    const hone_component_info *info;
    lua_newtable(L);
    for (size_t i = 0; (info = hone_registry_component(r->env.registry, kind, i)) != NULL; i++) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, info->c.id);
        lua_setfield(L, -2, "id");
        lua_pushstring(L, info->short_name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, info->c.summary ? info->c.summary : "");
        lua_setfield(L, -2, "summary");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* The outcomes remembered from run to run; NULL where that is not possible. */
static hone_score_cache *cache_of(hone_recipe *r)
{
    if (r->cache || r->no_cache)
        return r->cache;
    hone_buf path;
    hone_buf_init(&path, 4096);
    hone_status s = hone_mkdirs(hone_paths_cache());
    if (s >= 0)
        s = hone_buf_addf(&path, "%s/outcomes.sqlite", hone_paths_cache());
    if (s >= 0)
        s = hone_score_cache_open(path.ptr, 0, &r->cache);
    if (s < 0)
        hone_log(HONE_LOG_WARN, "cache", "outcomes are not remembered: %s", hone_error_get()->what);
    r->no_cache = s < 0;
    hone_buf_release(&path);
    return r->cache;
}

/* Of the table on top of the stack: settings of the host's that a reward has. */
static hone_status read_reward(lua_State *L, hone_lua_comp *c, hone_score_component *out)
{
    lua_getfield(L, -1, "id");
    out->id = luaL_optstring(L, -1, c->id); /* the caller's table keeps the string */
    lua_getfield(L, -2, "gate");
    out->gate = luaL_optstring(L, -1, NULL);
    lua_pop(L, 2);
    if (strlen(out->id) > HONE_LUA_REWARD_ID_MAX) {
        hone_fail(HONE_E_LIMIT, "reward \"%.80s\": its id has %zu bytes, %d are allowed", out->id,
                  strlen(out->id), HONE_LUA_REWARD_ID_MAX);
        return hone_fail_hint(
            "its metrics are called reward/ID/timeout and so on, in at most 63 bytes: "
            "give it a shorter one, hone.reward(name, { id = \"short\" })");
    }
    struct {
        const char *name;
        double *f;
        uint32_t *u;
    } numbers[] = {{"weight", &out->weight, NULL},           {"timeout", &out->timeout_s, NULL},
                   {"gate_at", &out->gate_at, NULL},         {"otherwise", &out->otherwise, NULL},
                   {"concurrency", NULL, &out->concurrency}, {"batch", NULL, &out->batch},
                   {"retries", NULL, &out->retries}};
    out->weight = 1;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int is_number, is_integer;
        if (lua_getfield(L, -1, numbers[i].name) == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        double v = lua_tonumberx(L, -1, &is_number);
        lua_Integer whole = lua_tointegerx(L, -1, &is_integer);
        lua_pop(L, 1);
        if (!is_number || (numbers[i].u && (!is_integer || whole < 0 || whole > 1000000)))
            return hone_fail(HONE_E_INVALID, "reward %s: %s is a %s", out->id, numbers[i].name,
                             numbers[i].u ? "whole number, 0 to 1000000" : "number");
        if (numbers[i].u)
            *numbers[i].u = (uint32_t)whole;
        else
            *numbers[i].f = v;
    }
    return HONE_OK;
}

/* Sets cache, cache_spec, wants of a component. `asked`: 1 the recipe wants it, 0 it does not, -1 it does not say. */
static hone_status use_cache(hone_recipe *r, int asked, renewal *how, hone_score_component *out)
{
    const uint64_t pure = HONE_CAP_PURE | HONE_CAP_BATCH_INVARIANT;
    const hone_component *c = &how->info->c;
    char sha[65];
    if (asked == 0 || (asked < 0 && (out->caps & (pure | HONE_CAP_SLOW)) != (pure | HONE_CAP_SLOW)))
        return HONE_OK;
    if (!how->info->plugin || !how->config || hone_plugin_sha256(how->info->plugin, sha) < 0) {
        hone_fail(HONE_E_INVALID, "reward %s: its outcomes cannot be remembered", out->id);
        return hone_fail_hint("only a plugin's can: what a function of the recipe would answer is "
                              "not known from its text");
    }
    hone_score_cache_spec(c->id, sha, hone_str_c(how->config), how->spec);
    out->cache = cache_of(r);
    out->cache_spec = how->spec;
    out->wants = c->wants;
    return HONE_OK;
}

/* One entry of the list, on top of the stack. Instances are held by the box. */
static hone_status add_reward(lua_State *L, hone_recipe *r, scorer_box *b, renewal *how,
                              hone_score_component *out)
{
    lua_rawgeti(L, -1, 1);
    hone_lua_comp *c = hone__lua_check(L, -1, HONE_LUA_COMPONENT);
    lua_pop(L, 1);
    HONE_TRY(read_reward(L, c, out));
    out->lane = (hone_score_lane){c->vt, c->self, c->instance};
    out->caps = c->instance ? hone_instance_caps(c->instance) : 0;
    out->on_control = c->in_lua;
    lua_getfield(L, -1, "watch");
    out->watch = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (!c->instance)
        return HONE_OK;
    HONE_TRY(hone__lua_gate_reward(r, c->instance, out->id, out->watch));
    HONE_TRY(hold(b, c->instance));
    how->box = b;
    how->registry = r->env.registry;
    how->info = hone_instance_info(c->instance);
    if (c->config) {
        how->config = hone_strdup(c->config);
        if (!how->config)
            return HONE_E_NOMEM;
        if (!(out->caps & HONE_CAP_STATEFUL)) {
            out->renew = renew;
            out->renew_ctx = how;
        }
    }
    int asked = lua_getfield(L, -1, "cache") == LUA_TNIL ? -1 : lua_toboolean(L, -1);
    lua_pop(L, 1);
    HONE_TRY(use_cache(r, asked, how, out));
    size_t n = lua_getfield(L, -1, "more") == LUA_TTABLE ? lua_rawlen(L, -1) : 0;
    hone_score_lane *more = hone_arena_calloc(&b->arena, n + 1, sizeof *more);
    hone_status s = more ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        hone_lua_comp *other = hone__lua_check(L, -1, HONE_LUA_COMPONENT);
        lua_pop(L, 1);
        more[i] = (hone_score_lane){other->vt, other->self, other->instance};
        s = hold(b, other->instance);
        if (s >= 0)
            s = hone__lua_gate_reward(r, other->instance, out->id, out->watch);
        out->n_more = i + 1;
    }
    out->more = more;
    lua_pop(L, 1);
    return s;
}

static int l_scorer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    hone_recipe *r = hone__lua_recipe(L);
    uint32_t workers = (uint32_t)luaL_optinteger(L, 2, 0);
    size_t n = lua_rawlen(L, 1);
    hone_score_component *comps = lua_newuserdatauv(L, (n ? n : 1) * sizeof *comps, 0);
    memset(comps, 0, n * sizeof *comps);
    scorer_box *b = hone_calloc(1, sizeof *b);
    hone_status s = b ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0) {
        hone_arena_init(&b->arena, 1 << 20);
        b->renewals = hone_calloc(n ? n : 1, sizeof *b->renewals);
        b->n_renewals = b->renewals ? n : 0;
        s = b->renewals ? HONE_OK : HONE_E_NOMEM;
    }
    if (s < 0) {
        if (b)
            scorer_release(b);
        return hone_lua_raise(L);
    }
    hone__lua_push(L, b, HONE_LUA_SCORER); /* from here the box is Lua's to release */
    for (size_t i = 0; s >= 0 && i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        s = lua_istable(L, -1) ? add_reward(L, r, b, &b->renewals[i], &comps[i])
                               : hone_fail(HONE_E_INVALID, "rewards: entry %zu is no table", i + 1);
        lua_pop(L, 1);
        for (size_t k = 0; s >= 0 && k < i; k++) {
            if (strcmp(comps[k].id, comps[i].id) == 0)
                s = hone_fail(HONE_E_INVALID,
                              "two rewards are called \"%s\": give one of them another id",
                              comps[i].id);
        }
    }
    if (s >= 0)
        s = hone_scorer_create(comps, n, workers, &b->scorer);
    return s < 0 ? hone_lua_raise(L) : 1;
}

hone_scorer *hone__lua_check_scorer(lua_State *L, int index)
{
    return lua_isnoneornil(L, index)
               ? NULL
               : ((scorer_box *)hone__lua_check(L, index, HONE_LUA_SCORER))->scorer;
}

void hone__lua_open_components(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"component", l_component},
                                     {"lua_component", l_lua_component},
                                     {"closest", l_closest},
                                     {"component_id", l_component_id},
                                     {"component_reentrant", l_component_reentrant},
                                     {"component_set", l_component_set},
                                     {"components", l_components},
                                     {"where", l_where},
                                     {"file_of", l_file_of},
                                     {"scorer", l_scorer},
                                     {"interface", l_interface},
                                     {"fail", l_fail},
                                     {NULL, NULL}};
    hone__lua_type(L, HONE_LUA_COMPONENT, component_release);
    hone__lua_type(L, HONE_LUA_SCORER, scorer_release);
    luaL_setfuncs(L, funcs, 0);
    hone_lua_push_abstain(L);
    lua_setfield(L, -2, "abstain");
}
