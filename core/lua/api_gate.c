/* api_gate.c - the gate in a run: what judge/warrant.h decides, asked at the trainer's door and written into run.json.
 *
 *   core.gate() -> table or nil              decisions so far: run.json's "gate"
 *   core.watch_eval(rollout, prefix)         means of what only watches go into the metrics
 *   core.within(component, fn, ...)          fn(...) as a call of that component (a composition's own function)
 *   core.watching(id, fn, ...)               fn(...), whose judges only watch; the id stands in run.json
 *   core.judge_key(component) -> key or nil
 *   core.gate_drift(why) -> n                records of what drove this run hold no more
 *
 * An update is looked at before and after: what an objective asked meanwhile ends the run before anything of it is written. */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/json.h"
#include "host/trail.h"
#include "judge/key.h"
#include "judge/warrant.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static hone_status decisions(const hone_recipe *r, hone_arena *a, hone_value *out)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 24);
    hone_jw_init(&w, &b, 0);
    hone_warrants_json(r->warrants, &w);
    hone_status s = hone_buf_check(&b, "decisions of the gate");
    if (s >= 0)
        s = hone_json_parse(b.ptr, b.len, "gate", a, out);
    hone_buf_release(&b);
    return s;
}

/* At once, and not with the next checkpoint: a run that is killed has said what it trained on. */
static hone_status write_down(hone_recipe *r)
{
    hone_arena a;
    hone_value v;
    if (!r->run || r->gate_written == hone_warrants_version(r->warrants))
        return HONE_OK;
    hone_arena_init(&a, 1 << 24);
    hone_status s = decisions(r, &a, &v);
    if (s >= 0)
        s = hone__run_note(r, "gate", &v);
    if (s >= 0)
        r->gate_written = hone_warrants_version(r->warrants);
    hone_arena_release(&a);
    return s;
}

hone_status hone__lua_gate_update(hone_recipe *r, const hone_policy *p)
{
    char policy[17];
    if (!r->warrants)
        return HONE_OK;
    snprintf(policy, sizeof policy, "%016" PRIx64, p->begins_with);
    HONE_TRY(hone_warrants_settle(r->warrants, policy));
    return write_down(r);
}

hone_status hone__lua_gate_reward(hone_recipe *r, hone_instance *inst, const char *id, int watch)
{
    if (!r->warrants || r->opt.plan)
        return HONE_OK;
    return watch ? hone_warrants_watching(r->warrants, id)
                 : hone_warrants_expect(r->warrants, inst);
}

hone_status hone__lua_gate_resume(hone_recipe *r)
{
    const hone_value *gate = r->meta.type == HONE_MAP ? hone_value_get(&r->meta, "gate") : NULL;
    return r->warrants && gate ? hone_warrants_earlier(r->warrants, gate) : HONE_OK;
}

hone_status hone__lua_gate_refused(const hone_recipe *r)
{
    return r->warrants ? hone_warrants_refused(r->warrants) : HONE_OK;
}

/* reward/ID/... and eval/.../ID of what only watches */
int hone__lua_gate_hides(const hone_recipe *r, const char *metric)
{
    const char *id;
    for (size_t i = 0; r->warrants && (id = hone_warrants_watcher(r->warrants, i)) != NULL; i++) {
        const size_t n = strlen(id);
        if (strncmp(metric, "reward/", 7) == 0 && strncmp(metric + 7, id, n) == 0 &&
            metric[7 + n] == '/')
            return 1;
        const char *last = strrchr(metric, '/');
        if (strncmp(metric, "eval/", 5) == 0 && last && strcmp(last + 1, id) == 0)
            return 1;
    }
    return 0;
}

static int l_gate(lua_State *L)
{
    const hone_recipe *r = hone__lua_recipe(L);
    hone_arena a;
    hone_value v;
    if (!r->warrants)
        return 0;
    hone_arena_init(&a, 1 << 24);
    hone_status s = decisions(r, &a, &v);
    if (s < 0) {
        hone_arena_release(&a);
        return hone_lua_raise(L);
    }
    hone_lua_push_value(L, &v);
    hone_arena_release(&a);
    return 1;
}

/* core.watch_eval(rollout, "NAME/" or ""): what only watches, as eval/NAME/ID in the metrics of the step in progress. */
static int l_watch_eval(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    const hone_rollout *ro = hone__lua_check(L, 1, HONE_LUA_ROLLOUT);
    const char *prefix = luaL_checkstring(L, 2);
    char name[64];
    for (size_t c = 0; c < ro->n_components; c++) {
        if (!ro->watch[c])
            continue;
        if (snprintf(name, sizeof name, "eval/%s%s", prefix, ro->component[c]) >= (int)sizeof name)
            return luaL_error(L, "eval/%s%s: a metric's name has at most 63 bytes", prefix,
                              ro->component[c]);
        for (size_t i = 0; i < ro->n_samples; i++) {
            const hone_score_result *x = &ro->results[c * ro->n_samples + i];
            if (x->status == HONE_SCORE)
                hone_metrics_set(&r->metrics, name, (double)x->score);
        }
    }
    return 0;
}

/* Calls the function at index 2 with what follows it, on that trail. */
static int call_on(lua_State *L, const hone_trail *t)
{
    luaL_checkany(L, 2);
    const hone_trail was = hone_trail_set(t);
    const int rc = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
    hone_trail_set(&was);
    return rc == LUA_OK ? lua_gettop(L) - 1 : lua_error(L);
}

/* core.within(component, fn, ...): as if the component, which is written in Lua, had been called through its interface. */
static int l_within(lua_State *L)
{
    const hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
    hone_trail t = hone_trail_get();
    if (c->instance && t.n < HONE_TRAIL)
        t.at[t.n++] = c->instance;
    return call_on(L, &t);
}

/* core.watching(id, fn, ...): what is asked in fn only watches, under that name, which stands in run.json. */
static int l_watching(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_trail t = hone_trail_get();
    if (r->warrants && !r->opt.plan &&
        hone_warrants_watching(r->warrants, luaL_checkstring(L, 1)) < 0)
        return hone_lua_raise(L);
    t.watching = 1;
    return call_on(L, &t);
}

/* core.gate_drift(why) -> how many records were voided */
static int l_gate_drift(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_status s = r->warrants && !r->opt.plan
                        ? hone_warrants_drift(r->warrants, luaL_checkstring(L, 1))
                        : 0;
    if (s < 0)
        return hone_lua_raise(L);
    lua_pushinteger(L, s);
    return 1;
}

/* core.judge_key(component) -> what it is as a hash (judge/key.h), or nil */
static int l_judge_key(lua_State *L)
{
    const hone_lua_comp *c = hone__lua_check(L, 1, HONE_LUA_COMPONENT);
    char key[65];
    if (!c->instance)
        return 0;
    hone_status s = hone_judge_key(c->instance, key, NULL);
    if (s < 0)
        return hone_lua_raise(L);
    if (s == 0)
        return 0;
    lua_pushstring(L, key);
    return 1;
}

void hone__lua_open_gate(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"gate", l_gate},
                                     {"watch_eval", l_watch_eval},
                                     {"within", l_within},
                                     {"watching", l_watching},
                                     {"judge_key", l_judge_key},
                                     {"gate_drift", l_gate_drift},
                                     {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}
