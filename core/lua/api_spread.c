/* api_spread.c - what a step keeps of its rollouts: metrics, samples, and the sums that alarms look at.
 *
 *   core.rollout_spread(rollout) -> table   sums of rewards and lengths within groups (train/rollout.h)
 *   core.rollout_record(rollout, exact)     metrics and samples join the step in progress */
#include "lua/api.h"

#include "train/rollout.h"

static void set_num(lua_State *L, const char *key, double v)
{
    lua_pushnumber(L, v);
    lua_setfield(L, -2, key);
}

/* core.rollout_spread(rollout) -> { df, length, reward, both, total, parts = { [id] = { own, all, groups } } }:
 * the sums of rollout.h */
static int l_rollout_spread(lua_State *L)
{
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    hone_rollout_spread s;
    hone_rollout_part *part = lua_newuserdatauv(L, (r->n_components + 1) * sizeof *part, 0);
    if (hone_rollout_spread_get(r, &s, part) < 0)
        return hone_lua_raise(L);
    lua_newtable(L);
    set_num(L, "df", s.df);
    set_num(L, "length", s.length);
    set_num(L, "reward", s.reward);
    set_num(L, "both", s.both);
    set_num(L, "total", s.total);
    lua_newtable(L);
    for (size_t c = 0; c < r->n_components; c++) {
        if (r->watch[c] || r->weight[c] == 0)
            continue;
        const double v[3] = {part[c].own, part[c].all, part[c].groups};
        hone_lua_new_list(L, 3);
        for (int k = 0; k < 3; k++) {
            lua_pushnumber(L, v[k]);
            lua_rawseti(L, -2, k + 1);
        }
        lua_setfield(L, -2, r->component[c]);
    }
    lua_setfield(L, -2, "parts");
    return 1;
}

/* core.rollout_record(rollout, exact): exact: the step's entropy is known, and is not estimated. */
static int l_rollout_record(lua_State *L)
{
    hone_recipe *rec = hone__lua_recipe(L);
    hone_rollout *r = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    hone_rollout_metrics(r, &rec->metrics);
    if (!lua_toboolean(L, 2)) {
        hone_rollout_spread x;
        hone_rollout_part *part = lua_newuserdatauv(L, (r->n_components + 1) * sizeof *part, 0);
        if (hone_rollout_spread_get(r, &x, part) < 0)
            return hone_lua_raise(L);
        if (x.n > 0)
            hone_metrics_add(&rec->metrics, "entropy", HONE_METRIC_MEAN, x.entropy / x.n, x.n);
    }
    if (hone_rollout_write(r, &rec->rollouts) < 0)
        return hone_lua_raise(L);
    return 0;
}

void hone__lua_open_spread(lua_State *L)
{
    static const luaL_Reg funcs[] = {
        {"rollout_spread", l_rollout_spread}, {"rollout_record", l_rollout_record}, {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}
