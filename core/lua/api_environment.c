/* api_environment.c - whom a rollout's samples play with, as a recipe says it.
 *
 *   options of core.rollout: turns, max_length, observation_tokens, environment_timeout, environment_weight, environment_id
 *   functions.environment: the component
 *
 * scripts/lib/hone/environment.lua makes both from environment = ..., turns = ... of policy:rollout. */
#include "lua/api.h"

#include "base/arena.h"

#include <string.h>

/* reward/ID/timeout is the longest name of a metric of it (api_components.c). */
enum { ID_MAX = 47, TURNS_MAX = 1024, IDS_MAX = 1 << 20 };

hone_status hone__lua_environment(lua_State *L, int functions, const hone_value *options,
                                  hone_arena *arena, const hone_rollout_params *p,
                                  const hone_rollout_environment **out)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_ref ref;
    hone_str id;
    int64_t turns, length, observed;
    *out = NULL;
    if (!functions || lua_getfield(L, functions, "environment") == LUA_TNIL) {
        lua_settop(L, lua_gettop(L) - (functions ? 1 : 0));
        return HONE_OK;
    }
    const hone_lua_comp *c = hone__lua_test(L, -1, HONE_LUA_COMPONENT);
    lua_pop(L, 1);
    if (!c)
        return hone_fail(HONE_E_TYPE, "environment: a component of kind environment is wanted");
    HONE_TRY(hone_instance_ref(c->instance, HONE_IFACE_ENVIRONMENT, &ref));
    hone_rollout_environment *e = hone_arena_calloc(arena, 1, sizeof *e);
    if (!e)
        return HONE_E_NOMEM;
    HONE_TRY(hone_value_i64(options, "turns", 8, &turns));
    HONE_TRY(hone_value_i64(options, "observation_tokens", 1024, &observed));
    if (turns < 1 || turns > TURNS_MAX)
        return hone_fail(HONE_E_RANGE, "turns = %lld: between 1 and %d", (long long)turns,
                         TURNS_MAX);
    if (observed < 1 || observed > IDS_MAX)
        return hone_fail(HONE_E_RANGE, "observation_tokens = %lld: at least 1",
                         (long long)observed);
    const int64_t most = turns * ((int64_t)p->max_tokens + observed);
    HONE_TRY(hone_value_i64(options, "max_length", most < 4096 ? most : 4096, &length));
    if (length < 1 || length > IDS_MAX)
        return hone_fail(HONE_E_RANGE, "max_length = %lld: between 1 and %d", (long long)length,
                         IDS_MAX);
    HONE_TRY(hone_value_f64(options, "environment_weight", 1, &e->weight));
    HONE_TRY(hone_value_f64(options, "environment_timeout", 60, &e->timeout_s));
    if (!(e->timeout_s > 0 && e->timeout_s < 1e6))
        return hone_fail(HONE_E_RANGE, "timeout of an environment: seconds above 0");
    HONE_TRY(hone_value_string(options, "environment_id", hone_str_c(c->id), &id));
    if (id.len < 1 || id.len > ID_MAX) {
        hone_fail(HONE_E_LIMIT, "environment: its id has %zu bytes; 1 to %d are allowed", id.len,
                  ID_MAX);
        return hone_fail_hint("its metrics are called reward/ID/timeout and so on: name it with "
                              "hone.environment(name, { id = \"short\" })");
    }
    e->id = hone_arena_strndup(arena, id.ptr, id.len);
    if (!e->id)
        return HONE_E_NOMEM;
    HONE_TRY(hone__lua_gate_reward(r, c->instance, e->id, 0));
    e->instance = c->instance;
    e->vt = ref.vt;
    e->self = ref.self;
    e->turns = (uint32_t)turns;
    e->max_length = (int32_t)length;
    e->observation_tokens = (int32_t)observed;
    *out = e;
    return HONE_OK;
}
