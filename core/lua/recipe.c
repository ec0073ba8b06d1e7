/* recipe.c - see recipe.h. */
#include "lua/recipe.h"

#include "host/grant.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/paths.h"
#include "judge/warrant.h"
#include "lua/component.h"
#include "lua/plan.h"
#include "nn/reader.h"
#include "ops/cpu.h"
#include "score/cache.h"
#include "score/score.h"
#include "train/desk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hone_recipe *running; /* for the signal handler */

void hone_recipe_interrupt(void)
{
    hone_recipe *r = running;
    if (r)
        __atomic_store_n(&r->interrupted, 1, __ATOMIC_RELAXED);
}

hone_status hone_recipe_locate(const char *name, char **path)
{
    if (hone_file_exists(name) && !hone_file_is_dir(name)) {
        *path = hone_strdup(name);
        return *path ? HONE_OK : HONE_E_NOMEM;
    }
    char leaf[256];
    snprintf(leaf, sizeof leaf, "%s.lua", name);
    char *p = NULL;
    if (!strchr(name, '/') && !(p = hone_path_join(hone_paths_recipes(), leaf)))
        return HONE_E_NOMEM;
    if (p && hone_file_exists(p)) {
        *path = p;
        return HONE_OK;
    }
    hone_free(p);
    hone_status s = hone_fail(HONE_E_NOT_FOUND, "there is no recipe %s", name);
    char **names = NULL;
    size_t n = 0;
    hone_error e = *hone_error_get();
    if (hone_list_dir(hone_paths_recipes(), &names, &n) >= 0) {
        const char **stems = hone_calloc(n + 1, sizeof *stems);
        for (size_t i = 0, k = 0; stems && i < n; i++) {
            char *dot = strrchr(names[i], '.');
            if (dot && strcmp(dot, ".lua") == 0) {
                *dot = '\0';
                stems[k++] = names[i];
            }
        }
        const char *close = stems ? hone_closest(name, stems) : NULL;
        hone_error_set(&e);
        if (close)
            hone_fail_hint("did you mean %s?", close);
        else
            hone_fail_hint("give the path of a .lua file, or one of the names in %s",
                           hone_paths_recipes());
        hone_free(stems);
        hone_names_free(names, n);
    }
    return s;
}

/* ---- files ---------------------------------------------------------------------------------------------------- */

/* The absolute path of what may not be there yet: what is there of it is resolved, the rest is put behind. It asks for no memory, so
 * that a lack of it is never taken for a path that lies elsewhere. */
static hone_status resolve(const char *path, char out[PATH_MAX])
{
    char real[PATH_MAX], dir[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof dir)
        return hone_fail(HONE_E_LIMIT, "%.200s...: the path is too long", path);
    memcpy(dir, path, n + 1);
    while (!realpath(n ? dir : ".", real)) {
        if (n <= 1)
            return hone_fail_errno("cannot resolve %s", path);
        while (n > 0 && dir[n - 1] != '/')
            n--;
        while (n > 1 && dir[n - 1] == '/')
            n--;
        dir[n] = '\0';
    }
    const char *rest = path + n + strspn(path + n, "/");
    int len = snprintf(out, PATH_MAX, "%s%s%s", real, *rest && strcmp(real, "/") != 0 ? "/" : "",
                       rest);
    if (len < 0 || len >= PATH_MAX)
        return hone_fail(HONE_E_LIMIT, "%s: the path is too long", path);
    while (len > 1 && out[len - 1] == '/')
        out[--len] = '\0';
    return HONE_OK;
}

static int below(const char *path, const char *root)
{
    char real[PATH_MAX];
    if (!root || !root[0] || resolve(root, real) < 0)
        return 0;
    size_t n = strlen(real);
    return strncmp(path, real, n) == 0 && (path[n] == '\0' || path[n] == '/' || n == 1);
}

/* Was the path (or a folder above it) named on the command line: a key=value or an --allow=fs-read? */
static int was_given(const hone_recipe *r, const char *real)
{
    for (int i = 0; r->opt.set && r->opt.set[i]; i++) {
        const char *eq = strchr(r->opt.set[i], '=');
        if (eq && below(real, eq + 1 + (strncmp(eq + 1, "file:", 5) == 0 ? 5 : 0))) /* a secret */
            return 1;
    }
    for (int i = 0; r->opt.allow && r->opt.allow[i]; i++) {
        if (strncmp(r->opt.allow[i], "fs-read:", 8) == 0 && below(real, r->opt.allow[i] + 8))
            return 1;
    }
    return 0;
}

hone_status hone_recipe_file(const hone_recipe *r, const char *name, char **path)
{
    char *dir = r->opt.recipe ? hone_path_dir(r->opt.recipe) : NULL;
    const char *data = getenv("HONE_DATA");
    const char *run = r->run ? hone_run_dir(r->run) : NULL; /* what it wrote itself, it may read */
    const char *roots[3] = {dir, ".", data && data[0] ? data : NULL};
    char real[PATH_MAX], *found = NULL;
    hone_status s = HONE_OK;
    for (int i = 0; i < 3 && !found; i++) {
        char *p = roots[i] ? hone_path_join(roots[i], name) : NULL;
        if (p && hone_file_exists(p))
            found = p;
        else
            hone_free(p);
    }
    if (!found) {
        s = hone_fail(HONE_E_NOT_FOUND, "there is no file %s", name);
        hone_fail_hint(
            "it is looked for beside the recipe, in the current folder and in HONE_DATA%s",
            data ? "" : " (not set)");
    } else if (!realpath(found, real)) {
        s = hone_fail_errno("cannot resolve %s", found);
    } else if (!below(real, roots[0]) && !below(real, ".") && !below(real, roots[2]) &&
               !below(real, run) && !was_given(r, real)) {
        s = hone_fail(HONE_E_REFUSED, "the recipe may not read %s", real);
        hone_fail_hint("name it on the command line, or allow it: --allow=fs-read:%s", real);
    }
    hone_free(dir);
    if (s < 0) {
        hone_free(found);
        return s;
    }
    *path = found;
    return HONE_OK;
}

hone_status hone__lua_model_path(const hone_recipe *r, const char *model, char **path)
{
    char *dir = r->opt.recipe ? hone_path_dir(r->opt.recipe) : NULL, *found = NULL, real[PATH_MAX],
         *cache = hone_path_join(hone_paths_cache(), "models");
    hone_status s = hone_weights_locate(model, &found);
    if (s >= 0 && !realpath(found, real))
        s = hone_fail_errno("cannot resolve %s", found);
    /* A known name is one of the user's models, wherever it is linked to; what this run wrote is its own. */
    int known = !strchr(model, '/') && !hone_file_exists(model);
    if (s >= 0 && !known && !below(real, cache) && !below(real, hone_paths_assets()) &&
        !below(real, dir) && !below(real, ".") && !below(real, getenv("HONE_DATA")) &&
        !was_given(r, real) && !(r->run && below(real, hone_run_dir(r->run)))) {
        s = hone_fail(HONE_E_REFUSED, "the recipe may not read the model %s", real);
        hone_fail_hint("name it on the command line, or allow it: --allow=fs-read:%s", real);
    }
    hone_free(dir);
    hone_free(cache);
    if (s < 0)
        hone_free(found);
    else
        *path = found;
    return s;
}

hone_status hone__lua_may_write(const hone_recipe *r, const char *path)
{
    char real[PATH_MAX];
    size_t n = strlen(path);
    if (strstr(path, "/../") || strncmp(path, "../", 3) == 0 || strcmp(path, "..") == 0 ||
        (n >= 3 && strcmp(path + n - 3, "/..") == 0))
        return hone_fail(HONE_E_REFUSED, "the recipe may not write %s: no .. in paths", path);
    HONE_TRY(resolve(path, real));
    if (r->run && below(real, hone_run_dir(r->run)))
        return HONE_OK;
    for (int i = 0; r->opt.allow && r->opt.allow[i]; i++) {
        if (strncmp(r->opt.allow[i], "fs-write:", 9) == 0 && below(real, r->opt.allow[i] + 9))
            return HONE_OK;
    }
    hone_fail(HONE_E_REFUSED, "the recipe may not write %s", path);
    return hone_fail_hint(
        "write below the run directory (run:path), or allow it: --allow=fs-write:%s", real);
}

/* ---- running -------------------------------------------------------------------------------------------------- */

static hone_lua *pumped;

static int pump(void *ctx, uint64_t max_ns)
{
    (void)ctx;
    (void)max_ns;
    return pumped ? hone_lua_pump(pumped) > 0 : 0;
}

static void print(void *ctx, const char *text, size_t len)
{
    hone_recipe *r = ctx;
    if (r->opt.plan)
        return;
    if (isatty(STDERR_FILENO) && !r->opt.quiet)
        fputs("\r\033[K", stderr);
    fwrite(text, 1, len, stdout);
    fputc('\n', stdout);
    fflush(stdout);
    if (r->run)
        (void)hone_run_log(r->run, (hone_str){text, len});
}

static void close_recipe(hone_recipe *r, hone_lua *l)
{
    running = NULL;
    pumped = NULL;
    hone__lua_watch_free(r);
    if (r->opt.dir_out && r->run)
        snprintf(r->opt.dir_out, r->opt.dir_out_size, "%s", hone_run_dir(r->run));
    hone_score_set_pump(NULL);
    hone_score_set_desk(NULL);
    if (hone_score_lost() > 0) {
        /* A call that never returned still owns its plugin: leave without tearing anything down. */
        hone_run_close(r->run);
        return;
    }
    r->L = NULL;
    hone_warrants_end(r->warrants);
    hone_lua_destroy(l);
    hone_score_cache_close(r->cache);
    hone_journal_close(r->journal);
    hone_run_close(r->run);
    hone_metrics_release(&r->metrics);
    hone_buf_release(&r->rollouts);
    hone_arena_release(&r->state_arena);
    hone_free(r->state_dir);
    if (r->plan_dir)
        (void)hone_remove_tree(r->plan_dir);
    hone_free(r->plan_dir);
    hone_free(r->branched);
    hone_desk_drop(r->env.desk);
    hone_pool_destroy(r->env.pool);
    hone_warrants_close(r->warrants);
    hone_registry_close(r->env.registry);
}

/* PATH settings of components are files of the recipe like any other. */
static hone_status setting_path(void *ctx, hone_str given, char **path)
{
    if (given.len && memchr(given.ptr, 0, given.len))
        return hone_fail(HONE_E_INVALID, "the path holds a NUL");
    char *name = hone_strndup(given.ptr ? given.ptr : "", given.len);
    hone_status s = name ? hone_recipe_file(ctx, name, path) : HONE_E_NOMEM;
    hone_free(name);
    return s;
}

static int serve_desk(void *ctx, uint64_t max_ns)
{
    (void)max_ns;
    return hone_desk_serve(ctx) > 0;
}

static hone_status open_recipe(hone_recipe *r, const char *dir, int boxed, hone_lua **l)
{
    hone_registry_opts ro = {.project = boxed ? NULL : dir, .only_paths = boxed};
    hone_lua_opts lo = {.recipe_dir = dir, .print = print, .print_ctx = r};
    hone_buf_init(&r->rollouts, (size_t)1 << 32);
    hone_arena_init(&r->state_arena, (size_t)1 << 30);
    hone_metrics_init(&r->metrics);
    HONE_TRY(hone_cpu_check());
    HONE_TRY(hone_registry_open(&ro, &r->env.registry));
    hone_registry_set_paths(r->env.registry, setting_path, r);
    HONE_TRY(hone_registry_allow(r->env.registry, r->opt.allow));
    for (int i = 0; r->opt.set && r->opt.set[i];
         i++) { /* reward=./x.so: the user named that plugin */
        const char *value = strchr(r->opt.set[i], '=');
        if (value && hone_registry_is_file(value + 1) && strstr(value, ".so"))
            HONE_TRY(hone_registry_add_file(r->env.registry, value + 1));
    }
    HONE_TRY(hone_pool_create((uint32_t)(boxed ? 1 : 0), &r->env.pool));
    lo.registry = r->env.registry;
    const hone_warrants_opts wo = {.registry = r->env.registry, .no_gate = r->opt.no_gate};
    HONE_TRY(hone_warrants_open(&wo, &r->warrants));
    HONE_TRY(hone_lua_create(&lo, l));
    r->L = hone_lua_main(*l);
    hone__lua_set_recipe(r->L, r);
    hone_lua_preload(*l, "hone.core", hone__lua_open_core);
    pumped = *l;
    hone_score_pump p = {pump, NULL};
    hone_score_set_pump(&p);
    HONE_TRY(hone_desk_open(&r->env));
    hone_score_pump desk = {serve_desk, r->env.desk};
    hone_score_set_desk(&desk);
    running = r;
    return HONE_OK;
}

/* The recipe came to its end, and so did its run. */
static hone_status finish(hone_recipe *r)
{
    static const char call[] = "require(\"hone.run\").finish()";
    HONE_TRY(hone_lua_load_text(hone_lua_of(r->L), call, sizeof call - 1, "=finish"));
    return hone_lua_pcall(r->L, 0, 0);
}

static hone_status execute(const hone_recipe_options *o, const char *file)
{
    hone_recipe r = {.opt = *o};
    hone_lua *l = NULL;
    char *dir = file ? hone_path_dir(file) : hone_strdup(".");
    hone_status s = dir ? open_recipe(&r, dir, 0, &l) : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_lua_load(l, file);
    if (s >= 0)
        s = hone_lua_pcall(r.L, 0, 0);
    if (s < 0 && r.stopped) /* --help: the recipe has said what it had to say */
        s = HONE_OK;
    if (s >= 0 && !o->plan)
        s = hone__lua_gate_refused(&r);
    if (s >= 0 && !o->plan)
        s = hone__lua_watch_end(&r);
    if (o->plan && l)
        s = hone__plan_collect(&r, s);
    else if (s >= 0 && r.run)
        s = finish(&r);
    if (s < 0 && s != HONE_E_INTERRUPTED && r.run)
        hone__run_mark_failed(&r);
    hone_error e = *hone_error_get();
    close_recipe(&r, l);
    hone_free(dir);
    return s < 0 ? hone_error_set(&e) : HONE_OK;
}

hone_status hone_recipe_run(const hone_recipe_options *o)
{
    return execute(o, o->recipe);
}

/* Runs what `load` puts on the stack, with `hone` as a global: its components are in *out. */
static hone_status components_of(const char *dir, const char *path, hone_str text,
                                 hone_registry **out)
{
    static const char start[] = "hone = require \"hone\"",
                      take[] = "require(\"hone.modules\").components(..., hone)";
    static hone_recipe kept;
    char chunk[512];
    hone_lua *l = NULL;
    snprintf(chunk, sizeof chunk, "@%s", path);
    hone_status s = open_recipe(&kept, dir, text.ptr != NULL, &l);
    if (s >= 0)
        s = hone_lua_load_text(l, start, sizeof start - 1, "=start");
    if (s >= 0)
        s = hone_lua_pcall(kept.L, 0, 0);
    if (s >= 0)
        s = hone_lua_load_text(l, take, sizeof take - 1, "=module");
    if (s >= 0)
        s = text.ptr ? hone_lua_load_text(l, text.ptr, text.len, chunk) : hone_lua_load(l, path);
    if (s >= 0)
        s = hone_lua_pcall(kept.L, 0, 1);
    if (s >= 0)
        s = hone_lua_pcall(kept.L, 1, 0);
    if (s >= 0)
        *out = kept.env.registry;
    return s;
}

hone_status hone_recipe_components(const char *path, hone_registry **out)
{
    char *dir = hone_path_dir(path);
    hone_status s = dir ? components_of(dir, path, (hone_str){NULL, 0}, out) : HONE_E_NOMEM;
    hone_free(dir);
    return s;
}

hone_status hone_recipe_boxed(hone_str text, const char *name, hone_registry **out)
{
    return components_of("/", name, text.ptr ? text : (hone_str){"", 0}, out);
}

/* ---- for verbs ------------------------------------------------------------------------------------------------ */

struct session {
    hone_recipe recipe; /* first */
    hone_lua *lua;
};

hone_status hone_recipe_open(const hone_recipe_options *o, const char *dir, hone_recipe **out)
{
    struct session *n = hone_calloc(1, sizeof *n);
    if (!n)
        return HONE_E_NOMEM;
    n->recipe.opt = *o;
    hone_status s = open_recipe(&n->recipe, dir, 0, &n->lua);
    if (s < 0) {
        const hone_error e = *hone_error_get();
        hone_recipe_close(&n->recipe);
        return hone_error_set(&e);
    }
    *out = &n->recipe;
    return HONE_OK;
}

void hone_recipe_close(hone_recipe *r)
{
    struct session *n = (struct session *)r;
    if (!n)
        return;
    close_recipe(r, n->lua);
    if (hone_score_lost() == 0)
        hone_free(n);
}

hone_status hone_recipe_component(hone_recipe *r, const char *path, const char *kind,
                                  hone_instance **out)
{
    static const char start[] = "hone = require \"hone\"",
                      take[] = "return require(\"hone.modules\").component(...)";
    struct session *n = (struct session *)r;
    HONE_TRY(hone_lua_load_text(n->lua, start, sizeof start - 1, "=start"));
    HONE_TRY(hone_lua_pcall(r->L, 0, 0));
    HONE_TRY(hone_lua_load_text(n->lua, take, sizeof take - 1, "=component"));
    hone_status s = hone_lua_load(n->lua, path);
    if (s >= 0)
        s = hone_lua_pcall(r->L, 0, 1);
    if (s < 0) {
        lua_settop(r->L, 0);
        return s;
    }
    lua_pushstring(r->L, kind);
    HONE_TRY(hone_lua_pcall(r->L, 2, 1));
    hone_lua_comp *c = hone__lua_test(r->L, -1, HONE_LUA_COMPONENT);
    if (c && c->instance && strcmp(hone_instance_info(c->instance)->c.kind, kind) == 0)
        *out = hone_instance_addref(c->instance);
    else
        s = hone_fail(HONE_E_INVALID, "%s: it returns no %s", path, kind);
    lua_settop(r->L, 0);
    return s;
}

/* One line: an expression is printed, anything else executed. */
static hone_status shell_line(hone_lua *l, lua_State *L, const char *line)
{
    char expr[4096 + 16];
    int n = snprintf(expr, sizeof expr, "return %s", line);
    hone_status s = n > 0 && (size_t)n < sizeof expr
                        ? hone_lua_load_text(l, expr, (size_t)n, "=stdin")
                        : HONE_E_LIMIT;
    if (s < 0)
        s = hone_lua_load_text(l, line, strlen(line), "=stdin");
    if (s >= 0)
        s = hone_lua_pcall(L, 0, LUA_MULTRET);
    if (s < 0)
        return s;
    if (lua_gettop(L) > 0) {
        lua_getglobal(L, "print");
        lua_insert(L, 1);
        s = hone_lua_pcall(L, lua_gettop(L) - 1, 0);
    }
    lua_settop(L, 0);
    return s;
}

hone_status hone_recipe_shell(int prompt)
{
    static const char start[] = "hone = require \"hone\"";
    hone_recipe r = {.opt = {.recipe = NULL}};
    hone_lua *l = NULL;
    char line[4096];
    hone_status s = open_recipe(&r, ".", 0, &l), last = HONE_OK;
    if (s >= 0)
        s = hone_lua_load_text(l, start, sizeof start - 1, "=start");
    if (s >= 0)
        s = hone_lua_pcall(r.L, 0, 0);
    while (s >= 0) {
        if (prompt) {
            fputs("hone> ", stdout);
            fflush(stdout);
        }
        if (!fgets(line, sizeof line, stdin))
            break;
        last = shell_line(l, r.L, line);
        if (last < 0) {
            fprintf(stderr, "%s\n", hone_error_get()->what);
            if (!prompt)
                break;
            last = HONE_OK;
        }
    }
    hone_error e = *hone_error_get();
    close_recipe(&r, l);
    if (s >= 0)
        s = last;
    return s < 0 ? hone_error_set(&e) : HONE_OK;
}
