/* registry.c - finds plugin files, reads their sidecars, answers "which component is that".
 *
 * Key idea: opening touches folders and sidecars only. A refused file stays in the table with its
 * reason, so `hone plugin list` shows it and a search for its components can say why. Loading happens
 * at the first instance; the description in the sidecar is then compared with the file's own.
 *
 * What nobody trusts is described and runs in a box: load_file says so, and no byte of it runs here.
 *
 * Does not: decide what may be loaded (policy.c), know what is in a box (box_proxy.c).
 * Invariant: infos are sorted by (kind, id) with shadowed ones behind; pointers never move. */
#include "abi/desc.h"
#include "host/registry_private.h"
#include "sandbox/sandbox.h"
#include "abi/sidecar.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/paths.h"
#include "hone/objective.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIDECAR_MAX = 8 << 20 };

/* ---- growing tables ---------------------------------------------------------------------------- */

static hone_status push(void ***items, size_t *n, size_t *cap, void *item)
{
    if (*n == *cap) {
        size_t more = *cap ? 2 * *cap : 32;
        void **grown = hone_reallocarray(*items, more, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        *items = grown;
        *cap = more;
    }
    (*items)[(*n)++] = item;
    return HONE_OK;
}

static hone_status push_plugin(hone_registry *r, hone_plugin *p)
{
    return push((void ***)(void *)&r->plugins, &r->n_plugins, &r->cap_plugins, p);
}

static int info_order(const void *a, const void *b)
{
    const hone_component_info *x = *(hone_component_info *const *)a,
                              *y = *(hone_component_info *const *)b;
    int d = (x->shadowed_by != NULL) - (y->shadowed_by != NULL);
    if (!d)
        d = strcmp(x->c.kind, y->c.kind);
    return d ? d : strcmp(x->c.id, y->c.id);
}

static void sort_infos(hone_registry *r)
{
    if (r->n_infos)
        qsort(r->infos, r->n_infos, sizeof *r->infos, info_order);
}

static const hone_component_info *by_id(const hone_registry *r, const char *id)
{
    for (size_t i = 0; i < r->n_infos; i++)
        if (!r->infos[i]->shadowed_by && strcmp(r->infos[i]->c.id, id) == 0)
            return r->infos[i];
    return NULL;
}

static hone_status add_info(hone_registry *r, hone_plugin *p, const hone_component *c,
                            const hone_component_info **out)
{
    hone_component_info *info = hone_arena_calloc(&r->arena, 1, sizeof *info);
    if (!info)
        return HONE_E_NOMEM;
    const hone_component_info *first = by_id(r, c->id);
    info->c = *c;
    info->short_name = strrchr(c->id, '.') + 1;
    info->plugin = p;
    if (first)
        info->shadowed_by = first->plugin ? first->plugin->path : "the recipe";
    HONE_TRY(push((void ***)(void *)&r->infos, &r->n_infos, &r->cap_infos, info));
    *out = info;
    return HONE_OK;
}

/* ---- one file ---------------------------------------------------------------------------------- */

/* The plugin is refused for the thread's current error: keep its text. */
static hone_status keep_problem(hone_registry *r, hone_plugin *p)
{
    const hone_error *e = hone_error_get();
    const char *text = e->what;
    p->refused = e->code;
    size_t skip = strlen(p->path);
    if (strncmp(text, p->path, skip) == 0 && text[skip] == ':' && text[skip + 1] == ' ')
        text += skip + 2;
    if (e->detail[0]) {
        hone_buf b;
        hone_buf_init(&b, 4096);
        hone_buf_addf(&b, "%s (%s)", text, e->detail);
        p->problem = hone_arena_strndup(&r->arena, b.ptr, b.len);
        hone_buf_release(&b);
    } else {
        p->problem = hone_arena_strndup(&r->arena, text, strlen(text));
    }
    if (e->hint[0])
        p->hint = hone_arena_strndup(&r->arena, e->hint, strlen(e->hint));
    return p->problem ? HONE_OK : HONE_E_NOMEM;
}

static hone_status set_components(hone_registry *r, hone_plugin *p, const hone_component *list,
                                  size_t n)
{
    const hone_component_info **infos = hone_arena_calloc(&r->arena, n + 1, sizeof *infos);
    if (!infos)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        HONE_TRY(add_info(r, p, &list[i], &infos[i]));
    p->components = infos;
    return HONE_OK;
}

static char *sidecar_path(const char *so)
{
    size_t n = strlen(so);
    char *path = hone_alloc(n + 3);
    if (path) {
        memcpy(path, so, n - 2);
        memcpy(path + n - 2, "json", 5);
    }
    return path;
}

/* Compares the file's own description with the sidecar's. */
static hone_status check_sidecar(hone_plugin *p, const hone_entry *entry)
{
    hone_arena arena;
    hone_value told, is;
    hone_buf b;
    hone_jw w;
    hone_status s;
    char *path = sidecar_path(p->path);
    if (!path)
        return HONE_E_NOMEM;
    hone_arena_init(&arena, 0);
    hone_buf_init(&b, SIDECAR_MAX);
    hone_jw_init(&w, &b, 0);
    hone_sidecar_write(entry, &w);
    s = b.failed;
    if (s >= 0)
        s = hone_json_parse(b.ptr, b.len, p->path, &arena, &is);
    if (s >= 0)
        s = hone_json_parse_file(path, SIDECAR_MAX, &arena, &told);
    if (s >= 0 && !hone_value_equal(&told, &is)) {
        s = hone_fail(HONE_E_ABI, "%s: its sidecar %s describes something else", p->path,
                      hone_path_base(path));
        hone_fail_hint("the file was built again without it: hone plugin describe %s --write",
                       p->path);
    }
    hone_buf_release(&b);
    hone_arena_release(&arena);
    hone_free(path);
    return s;
}

typedef struct asked {
    hone_registry *r;
    hone_plugin *p;
    int boxed;    /* set: all is well with it, and it does not come into this process */
    int anywhere; /* a box will do */
    int runs;     /* not only described */
} asked;

static hone_status may_load(void *ctx, const char *sha256, int shipped)
{
    asked *a = ctx;
    HONE_TRY(hone__policy_check(a->r, a->p, sha256, shipped, a->runs));
    int fine = a->p->components != NULL;
    if (a->r->in_process)
        return HONE_OK;
    for (size_t i = 0; fine && a->p->components[i]; i++)
        fine = hone__policy_in_process(a->p, &a->p->components[i]->c);
    if (a->p->trust == HONE_PLUGIN_UNTRUSTED && !(a->p->components && a->p->components[0]))
        fine = 0; /* nobody knows yet what is in it */
    if (a->p->lua)
        fine = 0; /* Lua of a file: its state is a box's */
    a->boxed = !fine;
    return fine || a->anywhere ? HONE_OK
                               : hone_fail(HONE_E_REFUSED, "%s: runs in a box only", a->p->path);
}

/* Into this process. *boxed (or NULL): 1 and E_REFUSED where that is not its place. */
static hone_status load_file(hone_registry *r, hone_plugin *p, int runs, int *boxed)
{
    asked a = {r, p, 0, 0, runs};
    uint32_t extra = 0;
    hone_status s;
    if (p->loaded) {
        if (runs && !p->may_run) /* so far it was only described */
            HONE_TRY(hone__policy_check(r, p, p->file->sha256, p->file->shipped, 1));
        p->may_run |= runs;
        return HONE_OK;
    }
    hone__loaded *file;
    s = hone__loader_open(p->path, may_load, &a, &file);
    if (boxed)
        *boxed = a.boxed;
    if (s < 0)
        return s;
    for (size_t i = 0; file->entry.components[i]; i++) {
        hone_component c = hone__component_of(file->entry.components[i]);
        HONE_TRY_GOTO(hone__policy_component(r, p, &c, file->sha256, runs), fail);
    }
    if (p->has_sidecar)
        HONE_TRY_GOTO(check_sidecar(p, &file->entry), fail);
    HONE_TRY_GOTO(hone_desc_check_ifaces(p->path, file->entry.ifaces), fail);
    if (hone__loader_check_elf(p->path, &extra) >= 0 && extra)
        hone_log(HONE_LOG_PLUGIN_MISBEHAVING, p->name,
                 "%s exports %u symbols besides hone_plugin_entry", p->path, extra);
    HONE_TRY_GOTO(hone__loader_init(file, p->path, &r->host), fail);
    p->file = file;
    p->loaded = 1;
    p->may_run = runs;
    memset(&p->magic, 0, sizeof p->magic);
    memcpy(&p->magic, file->entry.magic,
           file->entry.magic->struct_size < sizeof p->magic ? file->entry.magic->struct_size
                                                            : sizeof p->magic);
    p->ifaces = file->entry.ifaces;
    /* The infos made from the sidecar become those of the file, functions and all. */
    for (size_t i = 0; p->components && p->components[i]; i++)
        for (size_t k = 0; file->entry.components[k]; k++)
            if (strcmp(file->entry.components[k]->id, p->components[i]->c.id) == 0) {
                hone_component_info *info = (hone_component_info *)(uintptr_t)p->components[i];
                info->c = hone__component_of(file->entry.components[k]);
                info->short_name = strrchr(info->c.id, '.') + 1;
            }
    return HONE_OK;
fail:
    hone__loader_close(file);
    return s;
}

/* A sealed copy for a box. */
static hone_status seal_file(hone_registry *r, hone_plugin *p, int runs, int *fd, char sha256[65])
{
    asked a = {r, p, 0, 1, runs};
    const hone_sandbox_can can = hone__sandbox_kernel_can();
    if (!p->lua)
        HONE_TRY(hone__loader_check_elf(p->path, NULL));
    HONE_TRY(hone__loader_seal(p->path, may_load, &a, fd, sha256));
    hone_status s = hone_sandbox_check(&can, r->weak_box);
    if (s < 0) {
        close(*fd);
        *fd = -1;
        p->wants_weak = 1;
        hone_fail_at("%s", p->path);
        return s;
    }
    if ((!can.landlock || !can.seccomp) && !p->warned) {
        p->warned = 1;
        hone_log(HONE_LOG_WARN, p->name,
                 "runs in a weak box: this kernel has no %s, only limits of resources hold it",
                 can.landlock ? "seccomp" : "Landlock");
    }
    return HONE_OK;
}

static hone_status describe_in_box(hone_registry *r, hone_plugin *p)
{
    hone_buf b;
    hone_value v;
    hone_sidecar sc;
    char sha256[65];
    int fd = -1;
    HONE_TRY(seal_file(r, p, 0, &fd, sha256));
    hone_buf_init(&b, SIDECAR_MAX);
    hone_status s = hone__box_describe(r, p, fd, sha256, &b);
    if (s >= 0)
        s = hone_json_parse(b.ptr, b.len, p->path, &r->arena, &v);
    if (s >= 0)
        s = hone_sidecar_read(&v, p->path, &r->arena, &sc);
    if (s >= 0) {
        p->magic = sc.magic;
        p->ifaces = sc.ifaces;
        s = set_components(r, p, sc.components, sc.n);
    }
    for (size_t i = 0; s >= 0 && p->components[i]; i++)
        s = hone__policy_component(r, p, &p->components[i]->c, sha256, 0);
    if (s >= 0)
        s = hone__policy_signed_ids(p);
    hone_buf_release(&b);
    return s;
}

static hone_status describe_from_file(hone_registry *r, hone_plugin *p)
{
    int boxed = 0;
    hone_status told = load_file(r, p, 0, &boxed);
    if (told < 0 && boxed)
        return describe_in_box(r, p);
    HONE_TRY(told);
    size_t n = 0;
    while (p->file->entry.components[n])
        n++;
    hone_component *list = hone_arena_calloc(&r->arena, n ? n : 1, sizeof *list);
    if (!list)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        list[i] = hone__component_of(p->file->entry.components[i]);
    HONE_TRY(set_components(r, p, list, n));
    return hone__policy_signed_ids(p);
}

static hone_status describe(hone_registry *r, hone_plugin *p, int trust_sidecar)
{
    hone_value v;
    hone_sidecar sc;
    hone_status s;
    HONE_TRY(hone__loader_check_owner(p->path));
    char *side = sidecar_path(p->path);
    if (!side)
        return HONE_E_NOMEM;
    if (!trust_sidecar || p->lua || !hone_file_exists(side)) {
        s = describe_from_file(r, p);
        goto done;
    }
    HONE_TRY_GOTO(hone__loader_check_owner(side), done);
    HONE_TRY_GOTO(hone_json_parse_file(side, SIDECAR_MAX, &r->arena, &v), done);
    HONE_TRY_GOTO(hone_sidecar_read(&v, side, &r->arena, &sc), done);
    HONE_TRY_GOTO(hone__loader_check_elf(p->path, NULL), done);
    p->magic = sc.magic;
    p->ifaces = sc.ifaces;
    p->has_sidecar = 1;
    s = set_components(r, p, sc.components, sc.n);
done:
    hone_free(side);
    return s;
}

static int ends_in(const char *name, const char *tail)
{
    size_t n = strlen(name), k = strlen(tail);
    return n > k && strcmp(name + n - k, tail) == 0;
}

static int ends_in_so(const char *name)
{
    return ends_in(name, ".so");
}

/* The plugin of the table that is the file `path`, whatever names lead there. */
static hone_plugin *same_file(const hone_registry *r, const char *path)
{
    struct stat want, st;
    if (stat(path, &want) != 0)
        return NULL;
    for (size_t i = 0; i < r->n_plugins; i++)
        if (stat(r->plugins[i]->path, &st) == 0 && st.st_dev == want.st_dev &&
            st.st_ino == want.st_ino)
            return r->plugins[i];
    return NULL;
}

/* Adds the file at `path`; a file that is refused is in the table with its problem. Only lack of memory fails. */
static hone_status add_file(hone_registry *r, const char *path, const char *origin,
                            int trust_sidecar, hone_plugin **out)
{
    hone_plugin *p = hone_arena_calloc(&r->arena, 1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    const char *base = hone_path_base(path);
    size_t n = strlen(base);
    p->path = hone_arena_strndup(&r->arena, path, strlen(path));
    p->name = hone_arena_strndup(&r->arena, base, ends_in_so(base) ? n - 3 : n);
    p->origin = origin;
    p->lua = ends_in(base, ".lua");
    const hone_component_info **none = hone_arena_calloc(&r->arena, 1, sizeof *none);
    if (!p->path || !p->name || !none)
        return HONE_E_NOMEM;
    p->components = none;
    hone_status s = describe(r, p, trust_sidecar);
    if (s == HONE_E_NOMEM)
        return s;
    if (s < 0)
        HONE_TRY(keep_problem(r, p));
    HONE_TRY(push_plugin(r, p));
    if (out)
        *out = p;
    return HONE_OK;
}

/* A folder that is refused becomes one entry of the table, so that the reason is seen. */
static hone_status add_refused_folder(hone_registry *r, const char *path, const char *origin)
{
    hone_plugin *p = hone_arena_calloc(&r->arena, 1, sizeof *p);
    const hone_component_info **none = hone_arena_calloc(&r->arena, 1, sizeof *none);
    if (!p || !none)
        return HONE_E_NOMEM;
    p->path = hone_arena_strndup(&r->arena, path, strlen(path));
    p->name = p->path;
    p->origin = origin;
    p->components = none;
    if (!p->path)
        return HONE_E_NOMEM;
    HONE_TRY(keep_problem(r, p));
    return push_plugin(r, p);
}

static hone_status add_folder(hone_registry *r, const char *path, const char *origin)
{
    char **names;
    size_t n;
    hone_status s = hone__loader_check_owner(path);
    if (s >= 0)
        s = hone_list_dir(path, &names, &n);
    if (s == HONE_E_NOMEM)
        return s;
    if (s < 0)
        return add_refused_folder(r, path, origin);
    for (size_t i = 0; i < n && s >= 0; i++) {
        if (!ends_in_so(names[i]))
            continue;
        char *file = hone_path_join(path, names[i]);
        if (!file || !same_file(r, file)) /* another name of a file that is in the table */
            s = file ? add_file(r, file, origin, 1, NULL) : HONE_E_NOMEM;
        hone_free(file);
    }
    hone_names_free(names, n);
    return s;
}

static hone_status add_place(hone_registry *r, const char *path, const char *origin)
{
    for (size_t i = 0; i < r->n_plugins; i++) { /* the same place twice */
        size_t n = strlen(path);
        if (strncmp(r->plugins[i]->path, path, n) == 0 && r->plugins[i]->path[n] == '/' &&
            !strchr(r->plugins[i]->path + n + 1, '/'))
            return HONE_OK;
    }
    if (hone_file_is_dir(path))
        return add_folder(r, path, origin);
    return hone_file_exists(path) && !same_file(r, path) ? add_file(r, path, origin, 1, NULL)
                                                         : HONE_OK;
}

static hone_status add_joined(hone_registry *r, const char *a, const char *b, const char *origin)
{
    char *path = hone_path_join(a, b);
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = add_place(r, path, origin);
    hone_free(path);
    return s;
}

static hone_status add_env(hone_registry *r)
{
    const char *p = getenv("HONE_PLUGIN_PATH");
    while (p && *p) {
        size_t n = strcspn(p, ":");
        if (n) {
            char *one = hone_strndup(p, n);
            if (!one)
                return HONE_E_NOMEM;
            hone_status s = add_place(r, one, "HONE_PLUGIN_PATH");
            hone_free(one);
            HONE_TRY(s);
        }
        p += n;
        p += *p == ':';
    }
    return HONE_OK;
}

static hone_status search(hone_registry *r, const hone_registry_opts *opts)
{
    for (size_t i = 0; opts && opts->paths && opts->paths[i]; i++) {
        const char *path = opts->paths[i];
        if (!hone_file_exists(path) && !hone_file_is_dir(path)) {
            hone_fail(HONE_E_NOT_FOUND, "%s: no such file or folder", path);
            return hone_fail_hint("--plugin-path takes a folder of plugins, or one .so");
        }
        HONE_TRY(add_place(r, path, "--plugin-path"));
    }
    if (opts && opts->only_paths)
        return HONE_OK;
    HONE_TRY(add_env(r));
    if (opts && opts->project) {
        HONE_TRY(add_joined(r, opts->project, "plugins", "project"));
        HONE_TRY(add_place(r, opts->project, "project"));
    }
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (xdg && *xdg)
        HONE_TRY(add_joined(r, xdg, "hone/plugins", "user"));
    else if (home && *home)
        HONE_TRY(add_joined(r, home, ".local/share/hone/plugins", "user"));
    return add_place(r, hone_paths_plugins(), "shipped");
}

hone_status hone_registry_open(const hone_registry_opts *opts, hone_registry **out)
{
    hone_registry *r = hone_calloc(1, sizeof *r);
    if (!r)
        return HONE_E_NOMEM;
    hone_arena_init(&r->arena, 0);
    r->seed = opts ? opts->seed : 0;
    r->in_process = opts && opts->in_process;
    r->trial = r->in_process || (opts && opts->trial);
    r->host = hone__plugin_host(r);
    hone_status s = hone__recorder_open(&r->recorder);
    if (s >= 0)
        s = hone__hostif_offer_all(r);
    if (s >= 0 && opts && opts->project) {
        r->lock_path = hone_path_join(opts->project, "hone.lock");
        s = r->lock_path ? HONE_OK : HONE_E_NOMEM;
    }
    if (s >= 0)
        s = search(r, opts);
    if (s < 0) {
        hone_registry_close(r);
        return s;
    }
    sort_infos(r);
    *out = r;
    return HONE_OK;
}

void hone_registry_close(hone_registry *r)
{
    if (!r)
        return;
    for (hone__at_close *c = r->at_close; c; c = c->next)
        c->fn(c->ctx);
    r->at_close = NULL;
    size_t left = atomic_load(&r->n_instances);
    if (left) {
        hone_log(HONE_LOG_HOST_MISBEHAVING, NULL, "the registry is closed while %zu instances live",
                 left);
        return; /* leaked: their code and tables must stay */
    }
    hone__recorder_close(r->recorder);
    for (size_t i = r->n_plugins; i > 0; i--)
        hone__loader_close(r->plugins[i - 1]->file);
    hone_free(r->plugins);
    hone_free(r->infos);
    hone_free(r->offers);
    hone_free(r->lock_path);
    if (r->trust_read)
        hone_trust_release(&r->trust);
    if (r->quarantine_read)
        hone_quarantine_release(&r->quarantine);
    hone_arena_release(&r->arena);
    hone_free(r);
}

hone_status hone_registry_at_close(hone_registry *r, void (*fn)(void *ctx), void *ctx)
{
    hone__at_close *c = hone_arena_calloc(&r->arena, 1, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    *c = (hone__at_close){r->at_close, fn, ctx};
    r->at_close = c;
    return HONE_OK;
}

void hone_registry_set_paths(hone_registry *r, hone_path_fn fn, void *ctx)
{
    r->path = fn;
    r->path_ctx = ctx;
}

void hone_registry_set_seed(hone_registry *r, uint64_t seed)
{
    r->seed = seed;
}

/* ---- looking --------------------------------------------------------------------------------- */

size_t hone_registry_n_plugins(const hone_registry *r)
{
    return r->n_plugins;
}

const hone_plugin *hone_registry_plugin(const hone_registry *r, size_t i)
{
    return i < r->n_plugins ? r->plugins[i] : NULL;
}

static int of_kind(const hone_component_info *info, const char *kind)
{
    return !info->shadowed_by && (!kind || strcmp(info->c.kind, kind) == 0);
}

const hone_component_info *hone_registry_component(const hone_registry *r, const char *kind,
                                                   size_t i)
{
    for (size_t k = 0; k < r->n_infos; k++)
        if (of_kind(r->infos[k], kind) && i-- == 0)
            return r->infos[k];
    return NULL;
}

/* Nothing has that name: say what is near, what is of another kind, what was refused. */
static int provides(const hone_component_info *info, const char *iface)
{
    for (size_t i = 0; iface && info->c.provides && info->c.provides[i]; i++)
        if (strcmp(info->c.provides[i], iface) == 0)
            return 1;
    return iface == NULL;
}

static hone_status not_found(hone_registry *r, const char *kind, const char *iface,
                             const char *name)
{
    const char *what = kind ? kind : "component";
    if (iface && strcmp(iface, HONE_IFACE_ADVANTAGE) == 0)
        what = "advantage"; /* of the kind objective, but nobody calls it that */
    for (size_t i = 0; i < r->n_plugins; i++) {
        const hone_plugin *p = r->plugins[i];
        if (p->problem && strcmp(p->name, name) == 0) {
            hone_status s = p->refused == HONE_E_REFUSED ? HONE_E_REFUSED : HONE_E_NOT_FOUND;
            hone_fail(s, "%s \"%s\": the plugin %s was refused: %s", what, name, p->path,
                      p->problem);
            return p->hint ? hone_fail_hint("%s", p->hint) : s;
        }
    }
    size_t n = 0, refused = 0;
    const char **names = hone_calloc(2 * r->n_infos + 1, sizeof *names);
    if (!names)
        return HONE_E_NOMEM;
    const hone_component_info *other = NULL;
    for (size_t i = 0; i < r->n_infos; i++) {
        const hone_component_info *info = r->infos[i];
        if (of_kind(info, kind) && provides(info, iface)) {
            names[n++] = info->short_name;
            names[n++] = info->c.id;
        } else if (!info->shadowed_by &&
                   (strcmp(info->short_name, name) == 0 || strcmp(info->c.id, name) == 0)) {
            other = info;
        }
    }
    for (size_t i = 0; i < r->n_plugins; i++)
        refused += r->plugins[i]->problem != NULL;
    hone_fail(HONE_E_NOT_FOUND, "there is no %s \"%s\"", what, name);
    const char *close = hone_closest(name, names);
    if (close)
        hone_fail_hint("did you mean \"%s\"?", close);
    else if (other)
        hone_fail_hint("%s is of kind %s", other->c.id, other->c.kind);
    else if (refused)
        hone_fail_hint("%zu plugin files were refused: hone plugin list shows them", refused);
    else
        hone_fail_hint("hone plugin list shows what there is");
    hone_free(names);
    return HONE_E_NOT_FOUND;
}

hone_status hone_registry_find(hone_registry *r, const char *kind, const char *name,
                               const hone_component_info **out)
{
    return hone_registry_find_iface(r, kind, NULL, name, out);
}

int hone_registry_is_file(const char *name)
{
    return strchr(name, '/') != NULL || ends_in_so(name) || ends_in(name, ".lua");
}

/* Of two that offer an interface the one that is meant: what it offers first is what it is. NULL: either may be. */
static const hone_component_info *meant(const hone_component_info *a, const hone_component_info *b,
                                        const char *iface)
{
    const int of_a = iface && a->c.provides && strcmp(a->c.provides[0], iface) == 0;
    const int of_b = iface && b->c.provides && strcmp(b->c.provides[0], iface) == 0;
    return of_a == of_b ? NULL : of_a ? a : b;
}

/* The one component of that kind in a file; what shadows it does not matter to who names the file. */
static hone_status the_one_in(const hone_plugin *p, const char *kind, const char *iface,
                              const char *name, const hone_component_info **out)
{
    const hone_component_info *found = NULL;
    const char *what = kind ? kind : "component";
    if (p->problem) {
        hone_status s = p->refused == HONE_E_REFUSED ? HONE_E_REFUSED : HONE_E_ABI;
        hone_fail(s, "%s: %s", name, p->problem);
        return p->hint ? hone_fail_hint("%s", p->hint) : s;
    }
    for (size_t i = 0; p->components[i]; i++) {
        const hone_component_info *info = p->components[i];
        if ((kind && strcmp(info->c.kind, kind) != 0) || !provides(info, iface))
            continue;
        const hone_component_info *one = found ? meant(found, info, iface) : info;
        if (!one) {
            hone_fail(HONE_E_INVALID, "%s: holds more than one %s: %s, %s", name, what,
                      found->short_name, info->short_name);
            return hone_fail_hint("name one of them instead of the file");
        }
        found = one;
    }
    if (!found) {
        const hone_component_info *has = p->components[0];
        hone_fail(HONE_E_NOT_FOUND, "%s: holds no %s", name, what);
        return has ? hone_fail_hint("it holds %s, of kind %s", has->c.id, has->c.kind)
                   : HONE_E_NOT_FOUND;
    }
    *out = found;
    return HONE_OK;
}

/* A component named by its plugin's file. Only files that are on the search path already: naming a file is
 * not what makes it trusted. */
static hone_status find_in_file(hone_registry *r, const char *kind, const char *iface,
                                const char *name, const hone_component_info **out)
{
    char *path = NULL;
    hone_status s = r->path ? r->path(r->path_ctx, hone_str_c(name), &path) : HONE_OK;
    if (s < 0)
        return s;
    const char *at = path ? path : name;
    const hone_plugin *p = same_file(r, at);
    if (p) {
        s = the_one_in(p, kind, iface, name, out);
    } else if (hone_file_is_dir(at)) {
        s = hone_fail(HONE_E_ABI, "%s: is a folder, no plugin", name);
        hone_fail_hint("HONE_PLUGIN_PATH takes folders; a component is then called by its name");
    } else if (!hone_file_exists(at)) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s: no such file", name);
        hone_fail_hint(
            "a component is called by its name (hone plugin list), or by the path of the "
            "plugin that holds it alone");
    } else {
        s = ends_in(at, ".lua") ? HONE_OK : hone__loader_check_elf(at, NULL);
        if (s >= 0) {
            s = hone_fail(HONE_E_REFUSED, "%s: is not on the search path of plugins", name);
            hone_fail_hint(
                "HONE_PLUGIN_PATH=%s: a plugin can do whatever hone can, so a recipe cannot "
                "choose it alone",
                at);
        }
    }
    hone_free(path);
    return s;
}

hone_status hone_registry_add_file(hone_registry *r, const char *path)
{
    if (same_file(r, path))
        return HONE_OK;
    if (!hone_file_exists(path) || hone_file_is_dir(path))
        return HONE_OK; /* find says what is wrong */
    HONE_TRY(add_file(r, path, "command line", 1, NULL));
    sort_infos(r);
    return HONE_OK;
}

hone_status hone_registry_find_iface(hone_registry *r, const char *kind, const char *iface,
                                     const char *name, const hone_component_info **out)
{
    if (hone_registry_is_file(name) && !by_id(r, name))
        return find_in_file(r, kind, iface, name, out);
    const hone_component_info *first = NULL, *second = NULL;
    for (size_t i = 0; i < r->n_infos; i++) {
        const hone_component_info *info = r->infos[i];
        if (!of_kind(info, kind) || !provides(info, iface))
            continue;
        if (strcmp(info->c.id, name) == 0) {
            *out = info;
            return HONE_OK;
        }
        if (strcmp(info->short_name, name) == 0) {
            const hone_component_info *one = first ? meant(first, info, iface) : info;
            if (one == info) {
                first = info;
                second = NULL;
            } else if (!one)
                second = info;
        }
    }
    if (second) {
        hone_fail(HONE_E_INVALID, "\"%s\" may be %s or %s", name, first->c.id, second->c.id);
        return hone_fail_hint("give the whole id");
    }
    if (!first)
        return not_found(r, kind, iface, name);
    *out = first;
    return HONE_OK;
}

hone_status hone__registry_weak(hone_registry *r)
{
    for (size_t i = 0; i < r->n_plugins; i++) {
        hone_plugin *p = r->plugins[i];
        if (!p->problem || !p->wants_weak)
            continue;
        p->problem = p->hint = NULL;
        p->refused = HONE_OK;
        hone_status s = describe(r, p, 1);
        if (s == HONE_E_NOMEM)
            return s;
        if (s < 0)
            HONE_TRY(keep_problem(r, p));
    }
    sort_infos(r);
    return HONE_OK;
}

hone_status hone__registry_place(hone_registry *r, const hone_component_info *info, int want_box,
                                 int *boxed, int *fd, char sha256[65])
{
    hone_plugin *p = info->plugin;
    hone_status s = HONE_OK;
    *boxed = 0;
    if (!p) {
        if (want_box)
            return hone_fail(HONE_E_UNSUPPORTED, "%s: is no file, so it has no box", info->c.id);
        return HONE_OK;
    }
    if (!want_box) {
        s = load_file(r, p, 1, boxed);
        if (s >= 0 || !*boxed)
            return s >= 0 ? hone_registry_load(r, info) : s;
    }
    *boxed = 1;
    HONE_TRY(seal_file(r, p, 1, fd, sha256));
    memcpy(p->boxed, sha256, sizeof p->boxed);
    return HONE_OK;
}

hone_status hone_registry_load(hone_registry *r, const hone_component_info *info)
{
    if (info->c.create)
        return HONE_OK;
    if (!info->plugin)
        return hone_fail(HONE_E_INVALID, "%s: has no functions", info->c.id);
    HONE_TRY(load_file(r, info->plugin, 1, NULL));
    if (!info->c.create)
        return hone_fail(HONE_E_ABI, "%s: %s is no longer in the file", info->plugin->path,
                         info->c.id);
    return HONE_OK;
}

hone_status hone_registry_add(hone_registry *r, const hone_component *c,
                              const hone_component_info **out)
{
    HONE_TRY(hone__loader_check_component("the recipe", c, 1));
    const hone_component_info *have = by_id(r, c->id);
    if (have)
        return hone_fail(HONE_E_EXISTS, "there is a component \"%s\" already (%s)", c->id,
                         have->plugin ? have->plugin->path : "of the recipe");
    hone_component own = hone__component_of(c);
    const hone_component_info *info;
    HONE_TRY(add_info(r, NULL, &own, &info));
    sort_infos(r);
    *out = info;
    return HONE_OK;
}

hone_status hone_registry_open_file(hone_registry *r, const char *path, const hone_plugin **out)
{
    hone_plugin *p;
    if (!hone_file_exists(path)) {
        hone_fail(HONE_E_NOT_FOUND, "%s: no such file", path);
        return hone_fail_hint(
            "the path of a plugin's .so or .lua is wanted; hone plugin list shows those on "
            "the search path");
    }
    HONE_TRY(add_file(r, path, "file", 0, &p));
    sort_infos(r);
    if (p->problem) {
        hone_status s = p->refused == HONE_E_REFUSED ? HONE_E_REFUSED : HONE_E_ABI;
        hone_fail(s, "%s: %s", path, p->problem);
        return p->hint ? hone_fail_hint("%s", p->hint) : s;
    }
    *out = p;
    return HONE_OK;
}

hone_status hone_plugin_describe(hone_registry *r, const hone_plugin *p, hone_jw *w)
{
    if (p->problem) {
        hone_fail(HONE_E_ABI, "%s: %s", p->path, p->problem);
        return p->hint ? hone_fail_hint("%s", p->hint) : HONE_E_ABI;
    }
    int boxed = 0;
    hone_plugin *own = (hone_plugin *)(uintptr_t)p;
    hone_status s = load_file(r, own, 0, &boxed);
    if (s >= 0) {
        hone_sidecar_write(&p->file->entry, w);
        return w->out->failed;
    }
    if (!boxed)
        return s;
    hone_arena arena;
    hone_buf b;
    hone_value v;
    char sha256[65];
    int fd = -1;
    HONE_TRY(seal_file(r, own, 0, &fd, sha256));
    hone_arena_init(&arena, 0);
    hone_buf_init(&b, SIDECAR_MAX);
    s = hone__box_describe(r, p, fd, sha256, &b);
    if (s >= 0)
        s = hone_json_parse(b.ptr, b.len, p->path, &arena, &v);
    if (s >= 0) {
        hone_jw_value(w, &v);
        s = w->out->failed;
    }
    hone_arena_release(&arena);
    hone_buf_release(&b);
    return s;
}

hone_status hone_plugin_sha256(const hone_plugin *p, char out[65])
{
    if (!p->file && !p->boxed[0])
        return hone_sha256_file(p->path, out);
    memcpy(out, p->file ? p->file->sha256 : p->boxed, 65);
    return HONE_OK;
}

hone_status hone_plugin_check(hone_registry *r, const hone_plugin *p)
{
    asked a = {r, (hone_plugin *)(uintptr_t)p, 0, 1, 1};
    return hone__loader_check(p->path, may_load, &a);
}

const hone_iface_desc *hone_registry_iface(const hone_registry *r, const char *id)
{
    const hone_iface_desc *d = hone_desc_builtin(id);
    for (size_t i = 0; !d && i < r->n_plugins; i++)
        for (size_t k = 0; r->plugins[i]->ifaces && r->plugins[i]->ifaces[k]; k++)
            if (strcmp(r->plugins[i]->ifaces[k]->id, id) == 0)
                return r->plugins[i]->ifaces[k];
    return d;
}
