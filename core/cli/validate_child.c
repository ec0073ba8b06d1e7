/* validate_child.c - one test in one process: opens the plugin, runs the test, leaves the result in the page.
 *
 * The component's functions are called as the host calls them (registry, instance, enter and leave), with one thing
 * between: its create, destroy and get_iface are replaced in the registry's copy by functions here, which say where
 * the process is, hand create a host and a configuration of other sizes where a test wants that, and let its
 * memory fail. Whatever hone logs as the plugin's misbehaviour during a test is a failure of that test.
 * (validate.h) */
#include "cli/validate.h"

#include "abi/config.h"
#include "host/grant.h"
#include "abi/loader.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "lua/recipe.h"
#include "tensor/pool.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

hone__vhooks hone__v_hooks;
static hone__v *current;
static pthread_mutex_t text_lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t own_pid;

/* ---- results ------------------------------------------------------------------------------------ */

static void set_result(hone__v *v, uint32_t result, const char *fmt, va_list ap)
{
    pthread_mutex_lock(&text_lock);
    if (getpid() == own_pid &&
        (!v->page->result || (v->page->result == HONE__V_WARN && result == HONE__V_FAIL))) {
        v->page->result = result;
        vsnprintf(v->page->text, sizeof v->page->text, fmt, ap);
    }
    pthread_mutex_unlock(&text_lock);
}

void hone__v_fail(hone__v *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_result(v, HONE__V_FAIL, fmt, ap);
    va_end(ap);
}

hone_status hone__v_refuse(hone__v *v, hone_status s, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    hone__v_fail(v, "%s", text);
    return hone_fail(s, "%s", text);
}

void hone__v_warn(hone__v *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_result(v, HONE__V_WARN, fmt, ap);
    va_end(ap);
}

void hone__v_skip(hone__v *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_result(v, HONE__V_SKIP, fmt, ap);
    va_end(ap);
}

void hone__v_note(hone__v *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pthread_mutex_lock(&text_lock);
    if (getpid() == own_pid && !v->page->result)
        vsnprintf(v->page->text, sizeof v->page->text, fmt, ap);
    pthread_mutex_unlock(&text_lock);
    va_end(ap);
}

int hone__v_failed(const hone__v *v)
{
    return v->page->result == HONE__V_FAIL || v->misbehaved[0];
}

void hone__v_stage(hone__v *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pthread_mutex_lock(&text_lock);
    vsnprintf(v->page->stage, sizeof v->page->stage, fmt, ap);
    pthread_mutex_unlock(&text_lock);
    va_end(ap);
}

void hone__v_with(hone__v *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->page->with, sizeof v->page->with, fmt, ap);
    va_end(ap);
}

const char *hone__v_error(void)
{
    static _Thread_local char text[900];
    const hone_error *e = hone_error_get();
    snprintf(text, sizeof text, "%s%s%.300s%s", e->what, e->detail[0] ? " (" : "", e->detail,
             e->detail[0] ? ")" : "");
    for (char *p = text; *p; p++)
        if (*p == '\n')
            *p = ' ';
    return text;
}

static void keep_log(void *ctx, uint32_t level, const char *who, const char *text, size_t len)
{
    hone__v *v = ctx;
    (void)who;
    pthread_mutex_lock(&text_lock);
    if (level == HONE_LOG_PLUGIN_MISBEHAVING && !v->misbehaved[0])
        snprintf(v->misbehaved, sizeof v->misbehaved, "%.*s", (int)(len < 400 ? len : 400), text);
    pthread_mutex_unlock(&text_lock);
}

/* ---- the component's functions, with ours between ------------------------------------------------ */

static hone_component real; /* the plugin's own functions */

/* What create gets where a test wants other sizes: the same functions, then bytes no reader may touch. */
typedef struct sized_host {
    hone_host h;
    unsigned char poison[64];
} sized_host;
typedef struct sized_config {
    hone_config c;
    unsigned char poison[64];
} sized_config;

static const hone_host *host_of_size(hone__v *v, const hone_host *host, uint32_t size)
{
    sized_host *s = size ? hone_arena_calloc(&v->arena, 1, sizeof *s) : NULL;
    if (!s)
        return host;
    memset(s->poison, 0xA5, sizeof s->poison);
    s->h = *host;
    s->h.struct_size = size;
    return &s->h;
}

static const hone_config *config_of_size(hone__v *v, const hone_config *cfg, uint32_t size)
{
    sized_config *s = size ? hone_arena_calloc(&v->arena, 1, sizeof *s) : NULL;
    if (!s)
        return cfg;
    memset(s->poison, 0xA5, sizeof s->poison);
    s->c = *cfg;
    s->c.struct_size = size;
    return &s->c;
}

static hone_status our_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    hone__v *v = current;
    static char untouched;
    void *self = &untouched;
    host = host_of_size(v, host, hone__v_hooks.host_size);
    cfg = config_of_size(v, cfg, hone__v_hooks.config_size);
    hone__v_stage(v, "create");
    hone__v_inside++;
    if (hone__v_hooks.fail_host)
        hone_alloc_fail_after(hone__v_hooks.fail_host, 0);
    hone_status s = real.create(host, cfg, &self);
    hone_alloc_fail_after(0, 0);
    hone__v_heap_fail_after(0);
    hone__v_inside--;
    if (s < 0 && hone_instance_mem(host->ctx))
        hone__v_fail(v, "create failed and keeps %zu bytes of hone.mem/1",
                     hone_instance_mem(host->ctx));
    if (s > 0)
        hone__v_fail(v, "create returned %d: a status is 0 or negative", s);
    if (s >= 0 && self == &untouched)
        hone__v_fail(v, "create succeeded without setting the instance");
    *self_out = self == &untouched ? NULL : self;
    return s > 0 ? HONE_OK : s;
}

static void our_destroy(void *self)
{
    hone__v_stage(current, "destroy");
    hone__v_inside++;
    real.destroy(self);
    hone__v_inside--;
}

static const void *our_get_iface(void *self, const char *id)
{
    hone__v_stage(current, "get_iface(\"%.100s\")", id);
    hone__v_inside++;
    const void *vt = real.get_iface(self, id);
    hone__v_inside--;
    return vt;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static hone_status open_file(hone__v *v)
{
    hone_registry_opts o = {.in_process = 1, .seed = v->seed};
    hone__v_stage(v, "loading the file");
    if (v->lua)
        HONE_TRY(hone_recipe_components(v->path, &v->registry));
    else
        HONE_TRY(hone_registry_open(&o, &v->registry));
    if (!v->lua && v->component) /* a file in Lua has the desk of its recipe */
        HONE_TRY(hone__v_desk_open(v->registry));
    HONE_TRY(hone_registry_allow(v->registry, v->allow));
    const hone_component_info *info;
    const hone_plugin *p = NULL;
    if (!v->lua)
        HONE_TRY(hone_registry_open_file(v->registry, v->path, &p));
    v->plugin = (hone_plugin *)(uintptr_t)p;
    for (size_t i = 0; v->component && p && p->components[i]; i++)
        if (strcmp(p->components[i]->c.id, v->component) == 0)
            v->info = (hone_component_info *)(uintptr_t)p->components[i];
    for (size_t i = 0; v->component && !p && (info = hone_registry_component(v->registry, NULL, i));
         i++)
        if (!info->plugin && strcmp(info->c.id, v->component) == 0)
            v->info = (hone_component_info *)(uintptr_t)info;
    return v->info || !v->component
               ? HONE_OK
               : hone_fail(HONE_E_NOT_FOUND, "%s: %s is no longer in it", v->path, v->component);
}

/* Does `who` (n bytes) name the component: its short name, its id, or the last parts of its id ("judge.command")? */
static int is_named(const hone_component_info *info, const char *who, size_t n)
{
    const size_t len = strlen(info->c.id);
    return n <= len && memcmp(info->c.id + len - n, who, n) == 0 &&
           (n == len || info->c.id[len - n - 1] == '.');
}

/* One --set: "key=value", or "component.key=value", which the other components of the file pass over. */
static hone_status take_setting(hone__v *v, const char *text, hone_pair *pairs, size_t *n)
{
    const char *eq = strchr(text, '='), *dot = eq;
    if (!eq || eq == text)
        return hone_fail(HONE_E_USAGE, "--set %s: a setting is given as name=value", text);
    while (dot > text && *dot != '.')
        dot--;
    if (dot > text) {
        if (!is_named(v->info, text, (size_t)(dot - text)))
            return HONE_OK;
        text = dot + 1;
    }
    pairs[*n].key = (hone_str){text, (size_t)(eq - text)};
    HONE_TRY(hone_config_value_of(v->info->c.id, v->info->c.fields, pairs[*n].key,
                                  hone_str_c(eq + 1), &v->arena, &pairs[*n].value));
    ++*n;
    return HONE_OK;
}

/* The settings of --set, the usual ones of the kind, and a check that nothing required is missing. */
static hone_status make_settings(hone__v *v)
{
    hone_pair *pairs = hone_arena_calloc(&v->arena, 16 + HONE_ARG_LIST_MAX, sizeof *pairs);
    const hone_field *const *fields = v->info->c.fields;
    size_t n = 0;
    if (!pairs)
        return HONE_E_NOMEM;
    for (int i = 0; i < v->sets->n; i++)
        HONE_TRY(take_setting(v, v->sets->v[i], pairs, &n));
    v->n_set = n;
    v->settings.type = HONE_MAP;
    v->settings.u.map.pairs = pairs;
    v->settings.u.map.n = n;
    hone_status more = v->kind && v->kind->settings ? 1 : 0;
    for (int attempt = 0; more > 0; attempt++) {
        n = v->n_set;
        more = v->kind->settings(v, attempt, pairs, &n);
        HONE_TRY(more);
        v->settings.u.map.n = n;
        if (more == 0)
            break;
        hone__vinst *i = hone__v_create(v, NULL);
        hone__vwork w = {.seed = v->seed, .n = 1};
        hone_status s = i ? v->kind->work(v, i, &w) : -1;
        hone__v_destroy(v, i);
        if (s >= 0)
            break;
    }
    for (size_t i = 0; fields && fields[i]; i++)
        if ((fields[i]->flags & HONE_REQUIRED) && !hone_value_get(&v->settings, fields[i]->name))
            hone__v_skip(v, "the setting %s is required: give it with --set %s=...",
                         fields[i]->name, fields[i]->name);
    return HONE_OK;
}

int hone__v_open(hone__v *v)
{
    if (v->opened)
        return v->page->result != HONE__V_SKIP && !hone__v_failed(v);
    v->opened = 1;
    hone_status s = open_file(v);
    if (s >= 0 && v->component) {
        v->kind = hone__v_kind(v->info);
        if (!v->lua)
            s = hone_registry_load(v->registry, v->info);
    }
    if (s >= 0 && v->component && !v->kind)
        v->kind = hone__v_described(v);
    if (s >= 0 && v->component) {
        real = v->info->c;
        v->info->c.create = our_create;
        v->info->c.destroy = our_destroy;
        v->info->c.get_iface = our_get_iface;
        s = make_settings(v);
    }
    if (s < 0)
        hone__v_fail(v, "%s", hone__v_error());
    if (s >= 0 && v->component && !v->lua) {
        const void *entry;
        memcpy(&entry, &real.create, sizeof entry);
        if (hone__v_heap_watch(entry) < 0 && (v->test->flags & HONE__VT_NATIVE))
            hone__v_skip(v, "%s", hone__v_error());
        real.destroy = hone__v_heap_instead(real.destroy);
    }
    return s >= 0 && v->page->result != HONE__V_SKIP;
}

hone__vinst *hone__v_create(hone__v *v, const hone_value *settings)
{
    hone__vinst *i = hone_calloc(1, sizeof *i);
    if (!i)
        return NULL;
    hone__v_stage(v, "create");
    hone_status s = hone_instance_create_info(v->registry, v->info,
                                              settings ? settings : &v->settings, &i->inst);
    hone__v_heap_fail_after(0);
    hone_alloc_fail_after(0, 0);
    if (s >= 0 && v->kind) {
        i->vt = hone_instance_iface(i->inst, v->kind->iface, &i->self);
        if (!i->vt) {
            hone__v_fail(v, "%s%s%s: get_iface gives no %s, though it is among what it provides",
                         v->misbehaved, v->misbehaved[0] ? "; " : "", v->info->c.id,
                         v->kind->iface);
            hone_instance_unref(i->inst);
            s = hone_fail(HONE_E_MISBEHAVED, "get_iface gives no %s", v->kind->iface);
        }
    }
    if (s < 0) {
        hone_free(i);
        return NULL;
    }
    return i;
}

hone__vinst *hone__v_need(hone__v *v)
{
    hone__vinst *i = hone__v_open(v) ? hone__v_create(v, NULL) : NULL;
    if (!i && !v->page->result && !v->n_set && v->info->c.fields && v->info->c.fields[0] &&
        !v->misbehaved[0] && hone_error_get()->code == HONE_E_INVALID)
        hone__v_skip(v, "it wants settings (--set NAME=VALUE): %s", hone__v_error());
    else if (!i && !v->page->result && hone_error_get()->code == HONE_E_REFUSED)
        hone__v_skip(v, "%s; %s", hone__v_error(), hone_error_get()->hint);
    else if (!i && !v->page->result)
        hone__v_fail(v, "create: %s", hone__v_error());
    return i;
}

void hone__v_destroy(hone__v *v, hone__vinst *i)
{
    (void)v;
    if (!i)
        return;
    hone_instance_unref(i->inst);
    hone_free(i);
}

void hone__v_enter(hone__v *v, hone__vinst *i, const char *what)
{
    if (what)
        hone__v_stage(v, "%s", what);
    hone_error_clear();
    hone_instance_enter(i->inst);
    hone__v_inside++;
}

hone_status hone__v_leave(hone__v *v, hone__vinst *i, const char *what, hone_status s)
{
    (void)v;
    hone__v_inside--;
    return hone_instance_leave(i->inst, what, s);
}

int hone__v_work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    hone_status s = v->kind->work(v, i, w);
    if (s < 0)
        hone__v_fail(v, "%s: %s", v->page->stage, hone__v_error());
    return s >= 0 && !hone__v_failed(v);
}

/* ---- the child's main ---------------------------------------------------------------------------- */

void hone__v_run_one(hone__v *v, const hone__vtest *test)
{
    static const hone_arg_list none;
    current = v;
    own_pid = getpid();
    hone__v_desk_forget();
    v->test = test;
    if (!v->sets)
        v->sets = &none;
    hone_arena_init(&v->arena, (size_t)1 << 32);
    hone_log_sink(keep_log, v);
    hone_fp_setup(); /* as every thread of hone that calls plugins */
    test->run(v);
    if (getpid() != own_pid)
        _exit(97); /* a process that the plugin started and let go on */
    hone__v_stage(v, "the end");
    if (v->misbehaved[0])
        hone__v_fail(v, "%s", v->misbehaved);
    if (!v->page->result)
        v->page->result = HONE__V_PASS;
    v->page->done = 1;
    hone_log_sink(NULL, NULL);
}
