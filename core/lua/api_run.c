/* api_run.c - the run directory for recipes: opening, steps, checkpoints, progress.
 *
 *   core.options() -> table                    what the command line gave
 *   core.run_open(name, meta) -> dir           a new run (meta becomes run.json) or the resumed one
 *   core.run_state() -> state, step            of the checkpoint that is resumed or branched from; nil: fresh
 *   core.branched_from() -> "RUN@step"         of the checkpoint a run was branched off; nil
 *   core.run_meta() -> table                   run.json of the resumed run; nil: fresh
 *   core.run_write(name, text)                 a file of the run directory, all or nothing
 *   core.run_path(name) -> path
 *   core.log(metrics)                          numbers join the step in progress
 *   core.metric(name) -> number or nil         of the step in progress
 *   core.metrics() -> table                    all of the step in progress
 *   core.step_end(step, timings)               metrics, timings and rollouts of the step are written
 *   core.checkpoint(step, policies, state, keep)
 *   core.restore(name, policy)                 from the checkpoint of core.run_state
 *   core.step_clear(), core.raise_interrupted(step), core.raise_paused(step, why), core.plain_values(level) -> table
 *   core.random_state() -> table, core.random_restore(table), core.random_step(step)   of math.random
 *   core.find_file(name) -> path, core.set_seed(n) -> seed, core.stop()
 *   core.plugins() -> list, core.machine() -> table, core.file_sha256(path)
 *   core.progress(text), core.say(text), core.note(text), core.now(), core.process_age(), core.memory(), core.interrupted() */
#include "lua/api.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "lua/plan.h"
#include "lua/recipe.h"
#include "ops/cpu.h"
#include "train/checkpoint.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_str(lua_State *L, const char *key, const char *v)
{
    if (v)
        lua_pushstring(L, v);
    else
        lua_pushnil(L);
    lua_setfield(L, -2, key);
}

static void set_bool(lua_State *L, const char *key, int v)
{
    lua_pushboolean(L, v);
    lua_setfield(L, -2, key);
}

static void set_texts(lua_State *L, const char *key, const char *const *v)
{
    lua_newtable(L);
    for (int i = 0; v && v[i]; i++) {
        lua_pushstring(L, v[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, key);
}

static int l_options(lua_State *L)
{
    const hone_recipe_options *o = &hone__lua_recipe(L)->opt;
    lua_newtable(L);
    set_str(L, "recipe", o->recipe);
    set_str(L, "resume", o->resume);
    set_str(L, "from", o->from);
    set_bool(L, "force", o->force);
    set_bool(L, "dry_run", o->plan != NULL);
    set_bool(L, "help", o->help);
    set_bool(L, "quiet", o->quiet);
    set_bool(L, "no_run", o->no_run);
    if (o->tune.micro_tokens || o->tune.checkpoint_every) { /* a resumed run goes on with it */
        lua_createtable(L, 0, 2);
        lua_pushinteger(L, o->tune.micro_tokens);
        lua_setfield(L, -2, "micro_tokens");
        lua_pushinteger(L, o->tune.checkpoint_every);
        lua_setfield(L, -2, "checkpoint_every");
        lua_setfield(L, -2, "fitted");
    }
    if (o->has_seed) {
        lua_pushinteger(L, (lua_Integer)o->seed);
        lua_setfield(L, -2, "seed");
    }
    set_texts(L, "set", o->set);
    set_texts(L, "sinks", o->sinks);
    return 1;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static hone_status write_value(hone_run *run, const char *name, const hone_value *v)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, (size_t)1 << 26);
    hone_jw_init(&w, &b, 2);
    hone_jw_value(&w, v);
    hone_buf_addc(&b, '\n');
    char *path = hone_run_path(run, name);
    hone_status s = b.failed < 0 ? b.failed
                    : path       ? hone_file_replace(path, b.ptr, b.len)
                                 : HONE_E_NOMEM;
    hone_free(path);
    hone_buf_release(&b);
    return s;
}

static hone_status copy_recipe(const hone_recipe *r)
{
    if (!r->opt.recipe)
        return HONE_OK;
    char *to = hone_run_path(r->run, "recipe.lua");
    hone_status s = to ? hone_file_copy(r->opt.recipe, to) : HONE_E_NOMEM;
    hone_free(to);
    return s;
}

static void hint_steps(const uint64_t *steps, size_t n)
{
    char list[256] = "";
    size_t at = 0;
    for (size_t i = 0; i < n && at + 32 < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%" PRIu64, i ? ", " : "", steps[i]);
    if (n)
        hone_fail_hint("there are checkpoints of step %s", list);
    else
        hone_fail_hint("it stopped before its first checkpoint: start anew");
}

/* The newest whole checkpoint of `dir` (or the one asked for); 0 when there is none. */
static hone_status find_checkpoint(const char *dir, uint64_t wanted, uint64_t *step)
{
    uint64_t *steps = NULL;
    size_t n = 0;
    hone_status s = HONE_OK;
    HONE_TRY(hone_checkpoint_list(dir, &steps, &n));
    *step = 0;
    for (size_t i = 0; i < n; i++) {
        if (wanted == 0 || steps[i] == wanted)
            *step = steps[i];
    }
    if (wanted && *step != wanted) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s has no checkpoint of step %" PRIu64, dir, wanted);
        hint_steps(steps, n);
    }
    hone_free(steps);
    return s < 0 ? s : *step ? hone_checkpoint_verify(dir, *step) : HONE_OK;
}

static hone_status read_state(hone_recipe *r, const char *dir, uint64_t step)
{
    char leaf[64];
    snprintf(leaf, sizeof leaf, "checkpoints/step-%06" PRIu64 "/state.json", step);
    char *path = hone_path_join(dir, leaf);
    hone_status s = path ? hone_json_parse_file(path, 0, &r->state_arena, &r->state) : HONE_E_NOMEM;
    hone_free(path);
    if (s < 0)
        return s;
    snprintf(leaf, sizeof leaf, "checkpoints/step-%06" PRIu64, step);
    r->state_dir = hone_path_join(dir, leaf);
    r->resume_step = step;
    return r->state_dir ? HONE_OK : HONE_E_NOMEM;
}

/* RUN or RUN@step. The run's name may hold an @: what follows the last one counts when it is a number. */
static hone_status branch(hone_recipe *r, const char *from)
{
    char real[PATH_MAX], *dir = hone_strdup(from);
    uint64_t wanted = 0, step = 0;
    if (!dir)
        return HONE_E_NOMEM;
    char *at = strrchr(dir, '@');
    hone_status s = HONE_OK;
    if (at && !hone_file_is_dir(dir)) {
        char *end;
        *at = '\0';
        wanted = strtoull(at + 1, &end, 10);
        if (*end || end == at + 1 || wanted == 0) {
            s = hone_fail(HONE_E_USAGE, "--from %s: a step is wanted after @", from);
            hone_fail_hint("for instance --from %s@100", dir);
        }
    }
    char *meta = hone_path_join(dir, "run.json");
    if (s >= 0 && !meta)
        s = HONE_E_NOMEM;
    if (s >= 0 && !hone_file_exists(meta)) {
        s = hone_fail(HONE_E_NOT_FOUND, "--from: %s is no run directory (no run.json)", dir);
        hone_fail_hint("hone runs lists the runs of this folder");
    }
    hone_free(meta);
    if (s >= 0)
        s = find_checkpoint(dir, wanted, &step);
    if (s >= 0 && step == 0) {
        s = hone_fail(HONE_E_NOT_FOUND, "--from: %s has no checkpoint", dir);
        hint_steps(NULL, 0);
    }
    if (s >= 0 && !realpath(dir, real))
        s = hone_fail_errno("cannot resolve %s", dir);
    if (s >= 0)
        s = read_state(r, dir, step);
    if (s >= 0) {
        size_t room = strlen(real) + 32;
        r->branched = hone_alloc(room);
        if (r->branched)
            snprintf(r->branched, room, "%s@%" PRIu64, real, step);
        else
            s = HONE_E_NOMEM;
    }
    hone_free(dir);
    return s;
}

static hone_status resume(hone_recipe *r)
{
    uint64_t step;
    int64_t metrics = 0, rollouts = 0;
    hone_str from;
    HONE_TRY(hone_run_open(r->opt.resume, &r->run));
    char *path = hone_run_path(r->run, "run.json");
    hone_status s = path ? hone_json_parse_file(path, 0, &r->state_arena, &r->meta) : HONE_E_NOMEM;
    hone_free(path);
    if (s < 0)
        return s;
    HONE_TRY(find_checkpoint(r->opt.resume, 0, &step));
    HONE_TRY(hone_value_string(&r->meta, "from", (hone_str){NULL, 0}, &from));
    if (step) {
        HONE_TRY(read_state(r, r->opt.resume, step));
        HONE_TRY(hone_value_i64(&r->state, "metrics_bytes", 0, &metrics));
        HONE_TRY(hone_value_i64(&r->state, "rollout_bytes", 0, &rollouts));
    } else if (
        from.ptr) { /* a branch that has no checkpoint of its own yet begins where it began */
        char *parent = hone_arena_strndup(&r->state_arena, from.ptr, from.len);
        HONE_TRY(parent ? branch(r, parent) : HONE_E_NOMEM);
    }
    if (metrics < 0 || rollouts < 0)
        return hone_fail(HONE_E_PARSE, "%s: negative lengths in state.json", r->opt.resume);
    return hone_run_cut(r->run, (uint64_t)metrics, (uint64_t)rollouts);
}

static hone_status open_run(hone_recipe *r, const char *name, const hone_value *meta)
{
    if (r->opt.resume) {
        HONE_TRY(resume(r));
        HONE_TRY(hone__lua_gate_resume(r));
    } else {
        if (r->opt.from)
            HONE_TRY(branch(r, r->opt.from));
        HONE_TRY(hone_run_create(r->opt.runs_dir ? r->opt.runs_dir : "runs", name, r->opt.run_dir,
                                 &r->run));
        HONE_TRY(copy_recipe(r));
        HONE_TRY(write_value(r->run, "run.json", meta));
    }
    char *path = hone_run_path(r->run, "outcomes.journal");
    hone_status s = path ? hone_journal_open(path, &r->journal) : HONE_E_NOMEM;
    hone_free(path);
    return s;
}

static int l_run_open(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    const char *name = luaL_checkstring(L, 1);
    hone_arena a;
    hone_value meta;
    if (r->run)
        return luaL_error(L, "this recipe has a run already");
    if (r->opt.plan) { /* nothing is made; what is branched off must be there */
        if (r->opt.from && branch(r, r->opt.from) < 0)
            return hone_lua_raise(L);
        return 0;
    }
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 2, &a, &meta);
    if (s >= 0)
        s = open_run(r, name, &meta);
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    lua_pushstring(L, hone_run_dir(r->run));
    return 1;
}

/* "RUN@step", or nil */
static int l_branched_from(lua_State *L)
{
    lua_pushstring(L, hone__lua_recipe(L)->branched);
    return 1;
}

hone_status hone__run_note(hone_recipe *r, const char *key, const hone_value *v)
{
    hone_arena a;
    hone_value meta;
    hone_arena_init(&a, 0);
    char *path = hone_run_path(r->run, "run.json");
    hone_status s = path ? hone_json_parse_file(path, 0, &a, &meta) : HONE_E_NOMEM;
    if (s >= 0 && meta.type != HONE_MAP)
        s = hone_fail(HONE_E_PARSE, "%s: no map", path);
    hone_pair *pairs = s >= 0 ? hone_arena_calloc(&a, meta.u.map.n + 1, sizeof *pairs) : NULL;
    if (s >= 0 && !pairs)
        s = HONE_E_NOMEM;
    size_t n = 0;
    for (size_t i = 0; s >= 0 && i < meta.u.map.n; i++) {
        if (!hone_str_eq(meta.u.map.pairs[i].key, key))
            pairs[n++] = meta.u.map.pairs[i];
    }
    if (s >= 0) {
        pairs[n++] = (hone_pair){hone_str_c(key), *v};
        meta.u.map.pairs = pairs;
        meta.u.map.n = n;
        s = write_value(r->run, "run.json", &meta);
    }
    hone_free(path);
    hone_arena_release(&a);
    return s;
}

void hone__run_mark_failed(hone_recipe *r)
{
    const hone_error e = *hone_error_get();
    const hone_value text = {.type = HONE_STRING, .u.str = hone_str_c(e.what)};
    (void)hone__run_note(r, "failed", &text);
    hone_error_set(&e);
}

static int l_run_state(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_lua_push_value(L, &r->state);
    lua_pushinteger(L, (lua_Integer)r->resume_step);
    return 2;
}

static int l_run_meta(lua_State *L)
{
    hone_lua_push_value(L, &hone__lua_recipe(L)->meta);
    return 1;
}

static hone_recipe *need_run(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    if (!r->run)
        luaL_error(L, "there is no run yet: call hone.run first");
    return r;
}

/* A path of the run; while planning, of a folder that goes away with the plan. */
static char *path_of(lua_State *L, const char *name)
{
    hone_recipe *r = hone__lua_recipe(L);
    if (!r->opt.plan)
        return hone_run_path(need_run(L)->run, name);
    if (!r->plan_dir) {
        const char *tmp = getenv("TMPDIR");
        r->plan_dir = hone_path_join(tmp && tmp[0] == '/' ? tmp : "/tmp", "hone-plan-XXXXXX");
        if (r->plan_dir && !mkdtemp(r->plan_dir)) {
            hone_fail_errno("cannot make a folder like %s", r->plan_dir);
            hone_free(r->plan_dir);
            r->plan_dir = NULL;
        }
    }
    return r->plan_dir ? hone_path_join(r->plan_dir, name) : NULL;
}

static int l_run_write(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    size_t n;
    const char *text = luaL_checklstring(L, 2, &n);
    if (name[0] == '/' || strstr(name, ".."))
        return luaL_error(L, "\"%s\": a name inside the run directory is wanted", name);
    char *path = path_of(L, name), *dir = path ? hone_path_dir(path) : NULL;
    hone_status s = dir ? hone_mkdirs(dir) : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_file_replace(path, text, n);
    hone_free(path);
    hone_free(dir);
    if (s < 0)
        return hone_lua_raise(L);
    return 0;
}

static int l_run_path(lua_State *L)
{
    char *path = path_of(L, luaL_checkstring(L, 1));
    if (!path)
        return hone_lua_raise(L);
    lua_pushstring(L, path);
    hone_free(path);
    return 1;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static int l_log(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 1, &a,
                                      &v); /* sorted keys: the same order in every process */
    for (size_t i = 0; s >= 0 && i < v.u.map.n; i++) {
        const hone_pair *p = &v.u.map.pairs[i];
        char name[64];
        double x = 0;
        if (p->value.type == HONE_I64)
            x = (double)p->value.u.i64;
        else if (p->value.type == HONE_F64)
            x = p->value.u.f64;
        else if (p->value.type == HONE_BOOL)
            x = (double)p->value.u.boolean;
        else
            s = hone_fail(HONE_E_TYPE, "metric %.*s is no number", (int)p->key.len, p->key.ptr);
        if (p->key.len >= sizeof name)
            s = hone_fail(HONE_E_LIMIT, "metric name %.*s is longer than 63 bytes", (int)p->key.len,
                          p->key.ptr);
        if (s < 0)
            break;
        snprintf(name, sizeof name, "%.*s", (int)p->key.len, p->key.ptr);
        hone_metrics_set(&r->metrics, name, x);
    }
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    return 0;
}

static int l_metric(lua_State *L)
{
    double v;
    const hone_recipe *r = hone__lua_recipe(L);
    const char *name = luaL_checkstring(L, 1);
    if (hone__lua_gate_hides(r, name) || !hone_metrics_get(&r->metrics, name, &v))
        return 0;
    lua_pushnumber(L, v);
    return 1;
}

static int l_metrics(lua_State *L)
{
    const hone_recipe *r = hone__lua_recipe(L);
    hone__lua_push_metrics(L, &r->metrics);
    for (size_t i = 0; i < r->metrics.n; i++) {
        if (!hone__lua_gate_hides(r, r->metrics.items[i].name))
            continue;
        lua_pushnil(L);
        lua_setfield(L, -2, r->metrics.items[i].name);
    }
    return 1;
}

static hone_status end_step(hone_recipe *r, int64_t step, const hone_value *timings)
{
    hone_buf b;
    hone_jw w;
    if (r->metrics.failed < 0)
        return r->metrics.failed;
    hone_buf_init(&b, (size_t)1 << 24);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "step", step);
    hone_metrics_write(&r->metrics, &w);
    hone_jw_end(&w);
    hone_status s = b.failed < 0 ? b.failed : HONE_OK;
    if (s >= 0 && r->rollouts.len)
        s = hone_run_rollouts(r->run, hone_buf_str(&r->rollouts));
    if (s >= 0)
        s = hone_run_metrics(r->run, hone_buf_str(&b));
    hone_buf_clear(&b);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "step", step);
    for (size_t i = 0; i < timings->u.map.n; i++) {
        hone_jw_key_str(&w, timings->u.map.pairs[i].key);
        hone_jw_value(&w, &timings->u.map.pairs[i].value);
    }
    hone_jw_kf64(&w, "memory/peak_mb", (double)hone_peak_rss() / 1048576.0);
    hone_plan_memory mem;
    hone_plan_memory_get(&mem);
    hone_jw_kf64(&w, "memory/parameters_mb", (double)mem.parameters / 1048576.0);
    hone_jw_kf64(&w, "memory/training_mb", (double)mem.training / 1048576.0);
    hone_jw_kf64(&w, "memory/activations_mb", (double)mem.activations / 1048576.0);
    hone_jw_kf64(&w, "memory/state_mb", (double)mem.state / 1048576.0);
    hone_jw_kf64(&w, "memory/scratch_mb", (double)mem.scratch / 1048576.0);
    hone_jw_end(&w);
    if (s >= 0)
        s = b.failed < 0 ? b.failed : hone_run_timings(r->run, hone_buf_str(&b));
    if (s >= 0 && r->journal && step >= 0)
        hone_journal_done(r->journal, (uint64_t)step);
    hone_buf_release(&b);
    hone_metrics_clear(&r->metrics);
    hone_buf_clear(&r->rollouts);
    return s;
}

static int l_step_end(lua_State *L)
{
    hone_recipe *r = need_run(L);
    lua_Integer step = luaL_checkinteger(L, 1);
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 2, &a, &v);
    if (s >= 0)
        s = end_step(r, step, &v);
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    return 0;
}

/* ---- checkpoints --------------------------------------------------------------------------------------------------- */

static hone_status prefix_of(const char *name, char out[80])
{
    int n = strcmp(name, "policy") == 0 ? snprintf(out, 80, "%s", "")
                                        : snprintf(out, 80, "%s.", name);
    return n < 0 || n >= 80 || strchr(name, '/')
               ? hone_fail(HONE_E_INVALID, "policy name \"%s\" cannot name a file", name)
               : HONE_OK;
}

typedef struct named_policy {
    const char *name;
    hone_policy *p;
} named_policy;

static hone_status write_state(hone_recipe *r, const char *dir, uint64_t step,
                               const named_policy *ps, size_t n, const hone_value *state)
{
    hone_buf b;
    hone_jw w;
    uint64_t metrics, rollouts;
    char prefix[80];
    hone_status s = HONE_OK;
    hone_buf_init(&b, (size_t)1 << 28);
    hone_jw_init(&w, &b, 1);
    hone_run_marks(r->run, &metrics, &rollouts);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "step", (int64_t)step);
    hone_jw_ki64(&w, "metrics_bytes", (int64_t)metrics);
    hone_jw_ki64(&w, "rollout_bytes", (int64_t)rollouts);
    hone_jw_key(&w, "policies");
    hone_jw_map(&w);
    for (size_t i = 0; s >= 0 && i < n; i++) {
        hone_jw_key(&w, ps[i].name);
        s = prefix_of(ps[i].name, prefix);
        if (s >= 0)
            s = hone_policy_state_write(ps[i].p, prefix, &w);
    }
    hone_jw_end(&w);
    hone_jw_key(&w, "logged"); /* behind a loop: for the line of the step to come */
    hone_metrics_keep(&r->metrics, &w);
    hone_jw_key(&w, "recipe");
    hone_jw_value(&w, state);
    hone_jw_end(&w);
    char *path = hone_path_join(dir, "state.json");
    if (s >= 0)
        s = b.failed < 0 ? b.failed : path ? hone_file_replace(path, b.ptr, b.len) : HONE_E_NOMEM;
    hone_free(path);
    hone_buf_release(&b);
    return s;
}

static hone_status checkpoint(hone_recipe *r, uint64_t step, const named_policy *ps, size_t n,
                              const hone_value *state, uint32_t keep)
{
    const char *dir;
    char prefix[80];
    HONE_TRY(hone_checkpoint_begin(r->run, step, &dir));
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        s = prefix_of(ps[i].name, prefix);
        if (s >= 0)
            s = hone_policy_checkpoint(ps[i].p, dir, prefix);
    }
    if (s >= 0)
        s = write_state(r, dir, step, ps, n, state);
    if (s >= 0)
        s = hone_checkpoint_commit(r->run, keep);
    if (s < 0)
        hone_checkpoint_abandon(r->run);
    return s;
}

/* policies: a list of { name, policy } */
static int l_checkpoint(lua_State *L)
{
    hone_recipe *r = need_run(L);
    lua_Integer step = luaL_checkinteger(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer keep = luaL_optinteger(L, 4, 2);
    size_t n = lua_rawlen(L, 2);
    named_policy *ps = lua_newuserdatauv(L, (n ? n : 1) * sizeof *ps, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        ps[i].name = luaL_checkstring(L, -2);
        ps[i].p = hone__lua_check(L, -1, HONE_LUA_POLICY);
        lua_pop(L, 3);
    }
    hone_arena a;
    hone_value state;
    hone_arena_init(&a, 0);
    hone_status s = hone__lua_options(L, 3, &a, &state);
    if (s >= 0)
        s = hone__lua_gate_refused(r);
    if (s >= 0)
        s = checkpoint(r, (uint64_t)step, ps, n, &state, (uint32_t)keep);
    hone_arena_release(&a);
    if (s < 0)
        return hone_lua_raise(L);
    return 0;
}

static int l_restore(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    const char *name = luaL_checkstring(L, 1);
    hone_policy *p = hone__lua_check(L, 2, HONE_LUA_POLICY);
    char prefix[80];
    const hone_value *all = hone_value_get(&r->state, "policies"),
                     *own = all ? hone_value_get(all, name) : NULL;
    if (!r->state_dir || !own)
        return 0;
    hone_status s = prefix_of(name, prefix);
    if (s >= 0)
        s = hone_policy_restore(p, r->state_dir, prefix, own);
    if (s >= 0)
        s = hone_policy_state_read(p, own);
    if (s < 0)
        return hone_lua_raise(L);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- what ran ------------------------------------------------------------------------------------------------------ */

static int l_plugins(lua_State *L)
{
    hone_registry *reg = hone__lua_recipe(L)->env.registry;
    char hex[65];
    lua_newtable(L);
    lua_Integer k = 0;
    for (size_t i = 0; i < hone_registry_n_plugins(reg); i++) {
        const hone_plugin *p = hone_registry_plugin(reg, i);
        if ((!p->loaded && !p->boxed[0]) || p->problem)
            continue;
        if (hone_plugin_sha256(p, hex) < 0)
            return hone_lua_raise(L);
        lua_newtable(L);
        set_str(L, "name", p->name);
        set_str(L, "path", p->path);
        set_str(L, "sha256", hex);
        lua_newtable(L); /* which of them have an instance or had one: "id version" -> true */
        for (size_t c = 0; p->components && p->components[c]; c++) {
            if (!p->components[c]->used)
                continue;
            lua_pushfstring(L, "%s %s", p->components[c]->c.id,
                            p->components[c]->c.version ? p->components[c]->c.version : "");
            lua_pushboolean(L, 1);
            lua_rawset(L, -3);
        }
        lua_setfield(L, -2, "used");
        lua_newtable(L);
        for (size_t c = 0; p->components && p->components[c]; c++) {
            lua_pushfstring(L, "%s %s", p->components[c]->c.id,
                            p->components[c]->c.version ? p->components[c]->c.version : "");
            lua_rawseti(L, -2, (lua_Integer)c + 1);
        }
        lua_setfield(L, -2, "components");
        lua_rawseti(L, -2, ++k);
    }
    return 1;
}

static int l_machine(lua_State *L)
{
    const hone_cpu *c = hone_cpu_get();
    lua_newtable(L);
    set_str(L, "cpu", c->brand);
    set_str(L, "kernels", hone_cpu_set_name(c->used));
    lua_pushinteger(L, hone_pool_threads(hone__lua_recipe(L)->env.pool));
    lua_setfield(L, -2, "threads");
    return 1;
}

static int l_file_sha256(lua_State *L)
{
    char hex[65];
    if (hone_sha256_file(luaL_checkstring(L, 1), hex) < 0)
        return hone_lua_raise(L);
    lua_pushstring(L, hex);
    return 1;
}

/* ---- talking --------------------------------------------------------------------------------------------------------- */

static int l_progress(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    if (hone__lua_recipe(L)->opt.quiet || hone__lua_recipe(L)->opt.plan || !isatty(STDERR_FILENO))
        return 0;
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
    return 0;
}

/* A line on stdout and in log.txt. */
/* core.usage(what [, hint]): what was given to the recipe is wrong; exit 2 */
static int l_usage(lua_State *L)
{
    hone_fail(HONE_E_USAGE, "%s", luaL_checkstring(L, 1));
    if (!lua_isnoneornil(L, 2))
        hone_fail_hint("%s", luaL_checkstring(L, 2));
    return hone_lua_raise(L);
}

static int l_say(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_str text;
    text.ptr = luaL_checklstring(L, 1, &text.len);
    if (r->opt.plan && !r->opt.help)
        return 0;
    if (isatty(STDERR_FILENO) && !r->opt.quiet)
        fputs("\r\033[K", stderr);
    if (!r->opt.quiet) {
        fwrite(text.ptr, 1, text.len, stdout);
        fputc('\n', stdout);
        fflush(stdout);
    }
    if (r->run && hone_run_log(r->run, text) < 0)
        return hone_lua_raise(L);
    return 0;
}

/* core.note(text): a line in log.txt alone */
static int l_note(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    hone_str text;
    text.ptr = luaL_checklstring(L, 1, &text.len);
    if (r->run && hone_run_log(r->run, text) < 0)
        return hone_lua_raise(L);
    return 0;
}

static int l_now(lua_State *L)
{
    lua_pushnumber(L, hone_now_s());
    return 1;
}

static int l_process_age(lua_State *L)
{
    lua_pushnumber(L, hone_process_age_s());
    return 1;
}

static int l_memory(lua_State *L)
{
    lua_pushnumber(L, (double)hone_peak_rss() / 1048576.0);
    return 1;
}

static int l_interrupted(lua_State *L)
{
    lua_pushboolean(L, __atomic_load_n(&hone__lua_recipe(L)->interrupted, __ATOMIC_RELAXED));
    return 1;
}

/* Ends the recipe here without a failure. */
static int l_stop(lua_State *L)
{
    hone__lua_recipe(L)->stopped = 1;
    return luaL_error(L, "stopped");
}

/* core.find_file(name) -> path */
static int l_find_file(lua_State *L)
{
    char *path = NULL;
    if (hone_recipe_file(hone__lua_recipe(L), luaL_checkstring(L, 1), &path) < 0)
        return hone_lua_raise(L);
    lua_pushstring(L, path);
    hone_free(path);
    return 1;
}

/* What was gathered for the step in progress is that of the checkpoint (the step is done again after a resume). */
static int l_step_clear(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    const hone_value *logged = hone_value_get(&r->state, "logged");
    hone_metrics_clear(&r->metrics);
    hone_buf_clear(&r->rollouts);
    if (logged && hone_metrics_kept(&r->metrics, logged) < 0)
        return hone_lua_raise(L);
    return 0;
}

static int l_raise_interrupted(lua_State *L)
{
    hone_fail(HONE_E_INTERRUPTED, "interrupted after step %lld",
              (long long)luaL_checkinteger(L, 1));
    hone_fail_hint("go on with: hone resume %s", hone_run_dir(need_run(L)->run));
    return hone_lua_raise(L);
}

/* core.raise_paused(step, why): the run ends here, to be gone on with by who has looked at it. */
static int l_raise_paused(lua_State *L)
{
    hone_fail(HONE_E_STATE, "paused after step %lld: %s", (long long)luaL_checkinteger(L, 1),
              luaL_checkstring(L, 2));
    hone_fail_hint("look at it: hone report %s; go on: hone resume %s",
                   hone_run_dir(need_run(L)->run), hone_run_dir(need_run(L)->run));
    return hone_lua_raise(L);
}

static void put_plain(lua_State *L, const char *name)
{
    int t = lua_type(L, -1);
    if (name[0] == '(' || (t != LUA_TNUMBER && t != LUA_TSTRING && t != LUA_TBOOLEAN)) {
        lua_pop(L, 1);
        return;
    }
    lua_setfield(L, -2, name);
}

/* core.plain_values(level) -> table: locals, upvalues and globals of the function at that level whose values
 * are plain: what a resumed run would not find again. */
static int l_plain_values(lua_State *L)
{
    lua_Debug ar;
    const char *name;
    lua_newtable(L);
    if (!lua_getstack(L, (int)luaL_checkinteger(L, 1), &ar))
        return 1;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (lua_type(L, -2) == LUA_TSTRING &&
            (lua_type(L, -1) == LUA_TNUMBER || lua_type(L, -1) == LUA_TSTRING ||
             lua_type(L, -1) == LUA_TBOOLEAN)) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, -6); /* table, globals, key, value, key, value */
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lua_getinfo(L, "f", &ar);
    int f = lua_gettop(L);
    lua_insert(L, f - 1);
    for (int i = 1; (name = lua_getupvalue(L, f - 1, i)) != NULL; i++)
        put_plain(L, name);
    lua_remove(L, f - 1);
    for (int i = 1; (name = lua_getlocal(L, &ar, i)) != NULL; i++)
        put_plain(L, name);
    return 1;
}

static int l_set_seed(lua_State *L)
{
    hone_recipe *r = hone__lua_recipe(L);
    r->seed = r->opt.has_seed ? r->opt.seed : (uint64_t)luaL_checkinteger(L, 1);
    hone_registry_set_seed(r->env.registry, r->seed);
    hone_lua_random_seed(hone_lua_of(L), r->seed);
    lua_pushinteger(L, (lua_Integer)r->seed);
    return 1;
}

/* core.random_state() -> { seed, at }: where math.random stands. */
static int l_random_state(lua_State *L)
{
    hone_lua_random now = hone_lua_random_get(hone_lua_of(L));
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, (lua_Integer)now.key.seed);
    lua_setfield(L, -2, "seed");
    lua_pushinteger(L, (lua_Integer)now.at);
    lua_setfield(L, -2, "at");
    return 1;
}

static int l_random_restore(lua_State *L)
{
    hone_lua *l = hone_lua_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    hone_lua_random to = hone_lua_random_get(l);
    lua_getfield(L, 1, "seed");
    lua_getfield(L, 1, "at");
    to.key.seed = (uint64_t)luaL_checkinteger(L, -2);
    to.at = (uint64_t)luaL_checkinteger(L, -1);
    hone_lua_random_set(l, &to);
    return 0;
}

/* core.random_step(step): what the streams of rewards are keyed by, beside the sample. */
static int l_random_step(lua_State *L)
{
    hone_lua_random_step(hone_lua_of(L), (uint64_t)luaL_checkinteger(L, 1));
    return 0;
}

static int l_warn(lua_State *L)
{
    hone_log(HONE_LOG_WARN, "recipe", "%s", luaL_checkstring(L, 1));
    return 0;
}

void hone__lua_open_run(lua_State *L)
{
    static const luaL_Reg funcs[] = {{"options", l_options},
                                     {"run_open", l_run_open},
                                     {"run_state", l_run_state},
                                     {"branched_from", l_branched_from},
                                     {"run_meta", l_run_meta},
                                     {"run_write", l_run_write},
                                     {"run_path", l_run_path},
                                     {"log", l_log},
                                     {"metric", l_metric},
                                     {"metrics", l_metrics},
                                     {"step_end", l_step_end},
                                     {"checkpoint", l_checkpoint},
                                     {"restore", l_restore},
                                     {"plugins", l_plugins},
                                     {"machine", l_machine},
                                     {"file_sha256", l_file_sha256},
                                     {"progress", l_progress},
                                     {"say", l_say},
                                     {"note", l_note},
                                     {"usage", l_usage},
                                     {"now", l_now},
                                     {"memory", l_memory},
                                     {"process_age", l_process_age},
                                     {"interrupted", l_interrupted},
                                     {"warn", l_warn},
                                     {"stop", l_stop},
                                     {"find_file", l_find_file},
                                     {"set_seed", l_set_seed},
                                     {"random_state", l_random_state},
                                     {"random_restore", l_random_restore},
                                     {"random_step", l_random_step},
                                     {"step_clear", l_step_clear},
                                     {"raise_interrupted", l_raise_interrupted},
                                     {"raise_paused", l_raise_paused},
                                     {"plain_values", l_plain_values},
                                     {NULL, NULL}};
    luaL_setfuncs(L, funcs, 0);
}
