/* api_components.c - components by name, and scorers, for recipes.
 *
 *   core.component(kind, name, config) -> component      a plugin's
 *   core.lua_component(table, kind) -> component          one written in Lua
 *   core.closest(name, list) -> name or nil
 *   core.component_id(c) -> id, in_lua
 *   core.where(function) -> "file:line"
 *   core.components(kind) -> list of { id, name, summary }
 *   core.scorer({ { component, id = , weight = , timeout = }, ... }, workers) -> scorer */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/json.h"
#include "hone/model.h"
#include "hone/objective.h"
#include "lua/component.h"

#include <stdio.h>
#include <string.h>

static void component_release(void *p)
{
    hone_lua_comp *c = p;
    if (c->free_self)
        c->free_self(c);
    hone_instance_unref(c->instance);
    hone_free(c);
}

typedef struct scorer_box {
    hone_scorer *scorer;
    hone_instance **instances; /* kept alive while calls may run */
    size_t n;
} scorer_box;

static void scorer_release(void *p)
{
    scorer_box *b = p;
    hone_scorer_destroy(b->scorer);
    for (size_t i = 0; i < b->n; i++)
        hone_instance_unref(b->instances[i]);
    hone_free(b->instances);
    hone_free(b);
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
        s = hone__lua_component_from(inst, info->c.kind, 1, &c);
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
    return 2;
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

static int l_scorer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    uint32_t workers = (uint32_t)luaL_optinteger(L, 2, 2);
    size_t n = lua_rawlen(L, 1);
    hone_score_component *comps = lua_newuserdatauv(L, (n ? n : 1) * sizeof *comps, 0);
    hone_instance **held = lua_newuserdatauv(L, (n ? n : 1) * sizeof *held, 0);
    memset(comps, 0, n * sizeof *comps);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_rawgeti(L, -1, 1);
        hone_lua_comp *c = hone__lua_check(L, -1, HONE_LUA_COMPONENT);
        lua_getfield(L, -2, "id");
        comps[i].id = luaL_optstring(L, -1, c->id); /* the caller's table keeps the string */
        if (strlen(comps[i].id) > HONE_LUA_REWARD_ID_MAX) {
            hone_fail(HONE_E_LIMIT, "reward \"%.80s\": its id has %zu bytes, %d are allowed",
                      comps[i].id, strlen(comps[i].id), HONE_LUA_REWARD_ID_MAX);
            hone_fail_hint(
                "its metrics are called reward/ID/timeout and so on, in at most 63 bytes: "
                "give it a shorter one, hone.reward(name, { id = \"short\" })");
            return hone_lua_raise(L);
        }
        lua_getfield(L, -3, "weight");
        comps[i].weight = luaL_optnumber(L, -1, 1.0);
        lua_getfield(L, -4, "timeout");
        comps[i].timeout_s = luaL_optnumber(L, -1, 0);
        lua_pop(L, 5);
        comps[i].vt = c->vt;
        comps[i].self = c->self;
        comps[i].caps = c->instance ? hone_instance_caps(c->instance) : 0;
        comps[i].instance = c->instance;
        comps[i].on_control = c->in_lua;
        held[i] = c->instance;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(comps[k].id, comps[i].id) == 0)
                return luaL_error(L, "two rewards are called \"%s\": give one of them another id",
                                  comps[i].id);
        }
    }
    scorer_box *b = hone_calloc(1, sizeof *b);
    hone_status s = b ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0) {
        b->instances = hone_calloc(n ? n : 1, sizeof *b->instances);
        s = b->instances ? hone_scorer_create(comps, n, workers, &b->scorer) : HONE_E_NOMEM;
    }
    if (s < 0) {
        if (b)
            hone_free(b->instances);
        hone_free(b);
        return hone_lua_raise(L);
    }
    for (size_t i = 0; i < n; i++) {
        if (held[i])
            b->instances[b->n++] = hone_instance_addref(held[i]);
    }
    hone__lua_push(L, b, HONE_LUA_SCORER);
    return 1;
}

hone_scorer *hone__lua_check_scorer(lua_State *L, int index)
{
    return lua_isnoneornil(L, index)
               ? NULL
               : ((scorer_box *)hone__lua_check(L, index, HONE_LUA_SCORER))->scorer;
}

void hone__lua_open_components(lua_State *L)
{
    static const luaL_Reg funcs[] = {
        {"component", l_component},   {"lua_component", l_lua_component},
        {"closest", l_closest},       {"component_id", l_component_id},
        {"components", l_components}, {"where", l_where},
        {"scorer", l_scorer},         {NULL, NULL}};
    hone__lua_type(L, HONE_LUA_COMPONENT, component_release);
    hone__lua_type(L, HONE_LUA_SCORER, scorer_release);
    luaL_setfuncs(L, funcs, 0);
    hone_lua_push_abstain(L);
    lua_setfield(L, -2, "abstain");
}
