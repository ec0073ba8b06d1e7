/* instance.c - a component with a configuration: creating, calling, destroying.
 *
 * Key idea: every call into an instance is bracketed by enter and leave. `fail` of the instance's host
 * notes in a thread-local who failed; leave compares, and a negative status that nobody explained is the
 * plugin's misbehaviour, said so. Texts that come from a plugin pass the configuration's redaction.
 *
 * Does not: schedule, time or isolate calls (core/score does; a box is another hone__instance_vt).
 * Source: plugin-abi.md sections 2, 4, 5. */
#include "host/registry_private.h"

#include "base/alloc.h"
#include "base/log.h"
#include "hone/state.h"
#include "host/crash.h"
#include "host/http.h"

#include <string.h>
#include <unistd.h>

/* Who set the text of the current call's failure on this thread: an instance, or `by_host`; and how many
 * errors the thread had seen when the call began: an error of the host's since (a sink that refused) is a text. */
static _Thread_local const void *failed_by;
static _Thread_local uint64_t entered_at;
static const char by_host;

hone_status hone__host_failed(hone_status s)
{
    failed_by = &by_host;
    return s;
}

const void *hone__failed_by(const void *who)
{
    const void *before = failed_by;
    failed_by = who;
    return before;
}

/* ---- hone_host: what the plugin calls ---------------------------------------------------------- */

static hone_str redacted(const hone_instance *inst, hone_str text, hone_buf *buf)
{
    hone_buf_init(buf, 1 << 20);
    if (text.len > 64 * 1024)
        text.len = 64 * 1024;
    if (inst && inst->cfg && hone_config_redact(inst->cfg, text, buf) >= 0)
        return hone_buf_str(buf);
    return text;
}

static const char *host_who(const hone_host *host)
{
    const hone_instance *inst = host->ctx;
    return inst ? inst->info->c.id : "plugin";
}

static hone_status host_get_iface(const hone_host *host, const char *id, hone_ref *out)
{
    hone_instance *inst = host->ctx;
    hone_ref ref;
    if (!id || !out)
        return hone__host_failed(
            hone_fail(HONE_E_INVALID, "get_iface: no id, or nowhere to put it"));
    hone_status s = hone__hostif_get(inst->reg, inst, id, &ref);
    if (s < 0)
        return hone__host_failed(s);
    *out = ref;
    return HONE_OK;
}

static void host_log(const hone_host *host, uint32_t level, hone_str text)
{
    hone_buf buf;
    if (level > HONE_LEVEL_HOST_MISBEHAVING)
        level = HONE_LEVEL_WARN;
    hone_str shown = redacted(host->ctx, text, &buf);
    hone_log(level, host_who(host), "%.*s", (int)shown.len, shown.ptr ? shown.ptr : "");
    hone_buf_release(&buf);
}

static hone_status host_fail(const hone_host *host, hone_status status, hone_str text)
{
    hone_buf buf;
    if (status >= 0) {
        hone_log(HONE_LOG_PLUGIN_MISBEHAVING, host_who(host),
                 "calls fail with the status %d of a success", status);
        status = HONE_E_FAIL;
    }
    hone_str shown = redacted(host->ctx, text, &buf);
    hone_fail(status, "%s: %.*s", host_who(host), (int)shown.len, shown.ptr ? shown.ptr : "");
    hone_buf_release(&buf);
    failed_by = host->ctx ? host->ctx : (const void *)&by_host;
    return status;
}

static hone_status plugin_get_iface(const hone_host *host, const char *id, hone_ref *out)
{
    hone_registry *r = (hone_registry *)((char *)(uintptr_t)host - offsetof(hone_registry, host));
    hone_ref ref;
    if (!id || !out)
        return hone__host_failed(
            hone_fail(HONE_E_INVALID, "get_iface: no id, or nowhere to put it"));
    hone_status s = hone__hostif_get(r, NULL, id, &ref);
    if (s < 0)
        return hone__host_failed(s);
    *out = ref;
    return HONE_OK;
}

static const hone_host host_template = {.struct_size = sizeof(hone_host),
                                        .epoch = HONE_EPOCH,
                                        .version = HONE_SDK_VERSION,
                                        .get_iface = host_get_iface,
                                        .log = host_log,
                                        .fail = host_fail};

hone_host hone__plugin_host(hone_registry *r)
{
    hone_host h = host_template;
    (void)r;
    h.get_iface = plugin_get_iface;
    return h;
}

/* ---- enter and leave --------------------------------------------------------------------------- */

static int reentrant(const hone_instance *inst)
{
    return (inst->info->c.caps & HONE_CAP_REENTRANT) != 0;
}

static void begin_call(const hone_instance *inst)
{
    hone__crash_enter(inst && !inst->boxed ? inst->info : NULL);
    failed_by = NULL;
    entered_at = hone_error_serial();
}

static void begin_call_in(hone_instance *inst)
{
    begin_call(inst);
    hone__trail_enter(inst);
}

int hone_instance_try_enter(hone_instance *inst)
{
    unsigned nobody = 0;
    if (!inst) {
        begin_call(NULL);
        return 1;
    }
    if (atomic_load(&inst->set_aside))
        return 0;
    if (reentrant(inst))
        atomic_fetch_add(&inst->inside, 1);
    else if (!atomic_compare_exchange_strong(&inst->inside, &nobody, 1))
        return 0;
    begin_call_in(inst);
    return 1;
}

void hone_instance_enter(hone_instance *inst)
{
    if (!inst) {
        begin_call(NULL);
        return;
    }
    begin_call_in(inst);
    if (atomic_fetch_add(&inst->inside, 1) > 0 && !reentrant(inst))
        hone_log(HONE_LOG_HOST_MISBEHAVING, inst->info->c.id,
                 "entered twice at once although it is not REENTRANT");
}

void hone_instance_set_aside(hone_instance *inst)
{
    if (inst)
        atomic_store(&inst->set_aside, 1);
}

int hone_instance_is_set_aside(const hone_instance *inst)
{
    return inst && atomic_load(&((hone_instance *)(uintptr_t)inst)->set_aside);
}

hone_status hone_instance_leave(hone_instance *inst, const char *call, hone_status s)
{
    hone__crash_leave();
    if (!inst)
        return s;
    const char *id = inst->info->c.id;
    hone__trail_leave(inst);
    atomic_fetch_sub(&inst->inside, 1);
    if (s >= 0)
        return s;
    if (!failed_by && hone_error_serial() == entered_at) {
        hone_log(HONE_LOG_PLUGIN_MISBEHAVING, id, "%s returned %s without a text", call,
                 hone_status_name(s));
        hone_fail(s, "%s: %s failed (%s) without saying why", id, call, hone_status_text(s));
        hone_fail_hint("a fault of the plugin: whoever fails calls host->fail with a text");
        return s;
    }
    if (!failed_by || failed_by == &by_host)
        hone_fail_at("%s", id);
    if (!hone_error_get()->detail[0])
        hone_fail_detail("in %s", call);
    failed_by = NULL;
    return s;
}

/* ---- in this process --------------------------------------------------------------------------- */

static const void *local_get_iface(hone_instance *inst, const char *id, void **self)
{
    const void *vt = inst->info->c.get_iface(inst->self, id);
    if (!vt)
        return NULL;
    uint32_t size;
    memcpy(&size, vt, sizeof size);
    if (size < 2 * sizeof size || size > 65536) {
        hone_log(HONE_LOG_PLUGIN_MISBEHAVING, inst->info->c.id, "%s: its table's struct_size is %u",
                 id, size);
        return NULL;
    }
    *self = inst->self;
    return vt;
}

static void local_destroy(hone_instance *inst)
{
    hone__crash_enter(inst->info);
    hone_crash_doing("destroy");
    inst->info->c.destroy(inst->self);
    hone__crash_leave();
}

static const hone__instance_vt local_vt = {local_get_iface, local_destroy};

/* ---- components inside, paths ------------------------------------------------------------------ */

static hone_status cfg_component(void *ctx, const char *iface, hone_str name,
                                 const hone_value *settings, hone_ref *out, void **keep)
{
    hone_instance *outer = ctx, *inner = NULL;
    const hone_component_info *info;
    char text[256];
    if (outer->reg->beyond) {
        *keep = NULL;
        return outer->reg->beyond->setting(name, out);
    }
    if (name.len >= sizeof text || (name.len && memchr(name.ptr, 0, name.len)))
        return hone_fail(HONE_E_INVALID, "the name of a component is too long");
    memcpy(text, name.ptr, name.len);
    text[name.len] = 0;
    HONE_TRY(hone_registry_find_iface(outer->reg, NULL, iface, text, &info));
    HONE_TRY(hone_instance_create_info(outer->reg, info, settings, &inner));
    hone_status s = hone_instance_ref(inner, iface, out);
    if (s < 0) {
        hone_instance_unref(inner);
        return s;
    }
    hone__trail_adopt(outer, inner);
    *keep = inner;
    return HONE_OK;
}

static hone_status cfg_path(void *ctx, hone_str given, char **out)
{
    const hone_registry *r = ((hone_instance *)ctx)->reg;
    return r->path(r->path_ctx, given, out);
}

static void cfg_drop(void *ctx, void *keep)
{
    hone__trail_orphan(ctx, keep);
    hone_instance_unref(keep);
}

static void cfg_show(void *ctx, void *keep, hone_jw *w)
{
    (void)ctx;
    hone_config_json_rows(((hone_instance *)keep)->cfg, w);
}

static void cfg_misread(void *ctx, const char *text)
{
    hone_log(HONE_LOG_PLUGIN_MISBEHAVING, ((hone_instance *)ctx)->info->c.id, "%s", text);
}

static hone_config_env config_env(hone_instance *inst, int resolved)
{
    return (hone_config_env){.ctx = inst,
                             .path = inst->reg->path ? cfg_path : NULL,
                             .component = cfg_component,
                             .drop = cfg_drop,
                             .show = cfg_show,
                             .misread = cfg_misread,
                             .resolved = resolved};
}

/* ---- life -------------------------------------------------------------------------------------- */

static hone_status check_needs(const hone_registry *r, const hone_component *c)
{
    for (size_t i = 0; !r->beyond && c->needs && c->needs[i]; i++)
        if (!hone__hostif_offered(r, c->needs[i])) {
            hone_fail(HONE_E_UNSUPPORTED,
                      "%s: needs the host interface \"%s\", which is not offered here", c->id,
                      c->needs[i]);
            return hone_fail_hint("update hone, or use the component where that interface exists");
        }
    return HONE_OK;
}

static void release(hone_instance *inst)
{
    const char *id = inst->info->c.id;
    hone__recorder_forget(inst->reg->recorder, inst);
    if (inst->created) {
        inst->vt->destroy(inst);
        size_t left = atomic_load(&inst->mem);
        if (left)
            hone_log(HONE_LOG_PLUGIN_MISBEHAVING, id, "leaks %zu bytes of hone.mem/1", left);
    }
    hone__http_unlink(inst->http);
    for (hone__at_end *e; (e = inst->at_end) != NULL;) {
        inst->at_end = e->next;
        e->fn(e->ctx);
        hone_free(e);
    }
    hone_config_destroy(inst->cfg);
    pthread_mutex_destroy(&inst->reached);
    atomic_fetch_sub(&inst->reg->n_instances, 1);
    hone_free(inst);
}

static int has_field(const hone_component_info *info, const char *name)
{
    for (size_t i = 0; info->c.fields && info->c.fields[i]; i++)
        if (strcmp(info->c.fields[i]->name, name) == 0)
            return 1;
    return 0;
}

/* Settings that are the host's, where the component has no row of that name: `box`, is one wanted; of a source `timeout`, the
 * seconds that a call in a box may take. */
typedef struct own_settings {
    int box;
    uint64_t call_ns; /* 0: not said */
} own_settings;

static hone_status read_own(const hone_component_info *info, hone_str key, const hone_value *v,
                            own_settings *own, int *taken)
{
    const int is_box = hone_str_eq(key, "box"),
              is_time = hone_str_eq(key, "timeout") && strcmp(info->c.kind, HONE_KIND_SOURCE) == 0;
    *taken = (is_box && !has_field(info, "box")) || (is_time && !has_field(info, "timeout"));
    if (!*taken)
        return HONE_OK;
    if (is_box) { /* false asks for nothing: where it runs is not the recipe's to say */
        own->box = v->type == HONE_BOOL && v->u.boolean;
        return v->type == HONE_BOOL
                   ? HONE_OK
                   : hone_fail(HONE_E_TYPE, "%s: box must be true or false", info->c.id);
    }
    double x = v->type == HONE_I64 ? (double)v->u.i64 : v->type == HONE_F64 ? v->u.f64 : 0;
    if (!(x > 0 && x <= 1e9))
        return hone_fail(HONE_E_RANGE, "%s: timeout is a number of seconds above 0", info->c.id);
    own->call_ns = (uint64_t)(x * 1e9) + 1;
    return HONE_OK;
}

/* The host's settings in *own; the others into *without, in an array that the caller frees. */
static hone_status take_own(const hone_component_info *info, const hone_value **config,
                            hone_value *without, hone_pair **pairs, own_settings *own)
{
    const hone_value *given = *config;
    size_t n = 0;
    int taken;
    if (!hone_value_get(given, "box") && !hone_value_get(given, "timeout"))
        return HONE_OK;
    *pairs = hone_calloc(given->u.map.n, sizeof **pairs);
    if (!*pairs)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < given->u.map.n; i++) {
        const hone_pair *p = &given->u.map.pairs[i];
        hone_status s = read_own(info, p->key, &p->value, own, &taken);
        if (s < 0) {
            hone_free(*pairs);
            *pairs = NULL;
            return s;
        }
        if (!taken)
            (*pairs)[n++] = *p;
    }
    *without = *given;
    without->u.map.pairs = *pairs;
    without->u.map.n = n;
    *config = without;
    return HONE_OK;
}

static hone_status create(hone_registry *r, const hone_component_info *info,
                          const hone_value *config, int resolved, hone_instance **out)
{
    hone_status s;
    int boxed = 0, fd = -1;
    char sha256[65];
    hone_value without;
    hone_pair *pairs = NULL;
    own_settings own = {0};
    HONE_TRY(take_own(info, &config, &without, &pairs, &own));
    s = hone__registry_place(r, info, own.box, &boxed, &fd, sha256);
    if (s < 0) {
        hone_free(pairs);
        return s;
    }
    hone_instance *inst = hone_calloc(1, sizeof *inst);
    if (!inst) {
        if (fd >= 0)
            close(fd);
        hone_free(pairs);
        return HONE_E_NOMEM;
    }
    inst->host = host_template;
    inst->host.ctx = inst;
    inst->vt = &local_vt;
    inst->reg = r;
    inst->info = info;
    inst->call_ns = own.call_ns;
    atomic_init(&inst->refs, 1);
    atomic_init(&inst->inside, 0);
    atomic_init(&inst->set_aside, 0);
    atomic_fetch_add(&r->n_instances, 1);
    pthread_mutex_init(&inst->reached, NULL);
    const hone_config_env env = config_env(inst, resolved);
    HONE_TRY_GOTO(check_needs(r, &info->c), fail);
    HONE_TRY_GOTO(hone_config_create(info->c.id, info->c.fields, config, &env, &inst->cfg), fail);
    if (boxed) {
        inst->boxed = 1; /* from its create on, which may ask the host for things */
        s = hone__box_create(inst, fd, sha256);
        fd = -1;
        if (s < 0)
            goto fail;
    } else {
        if (info->plugin && info->plugin->file)
            info->plugin->file->keep = 1;
        void *self = NULL;
        hone_instance_enter(inst);
        hone_crash_doing("create");
        s = hone_instance_leave(inst, "create", info->c.create(&inst->host, inst->cfg, &self));
        if (s < 0)
            goto fail;
        inst->self = self;
    }
    inst->created = 1;
    ((hone_component_info *)info)->used = 1; /* the registry's own record of it */
    *out = inst;
    hone_free(pairs);
    return HONE_OK;
fail:
    if (fd >= 0)
        close(fd);
    hone_free(pairs);
    hone_instance_unref(inst); /* who listens to what it reaches may hold it still */
    return s;
}

hone_status hone_instance_create_info(hone_registry *r, const hone_component_info *info,
                                      const hone_value *config, hone_instance **out)
{
    return create(r, info, config, 0, out);
}

hone_status hone__instance_create_given(hone_registry *r, const hone_component_info *info,
                                        const hone_value *config, hone_instance **out)
{
    return create(r, info, config, 1, out);
}

hone_status hone_instance_create(hone_registry *r, const char *kind, const char *name,
                                 const hone_value *config, hone_instance **out)
{
    const hone_component_info *info;
    HONE_TRY(hone_registry_find(r, kind, name, &info));
    return hone_instance_create_info(r, info, config, out);
}

/* `fresh` into hone.live/1; the configuration from now on when it is taken, else destroyed. */
static hone_status apply(hone_instance *inst, hone_config *fresh)
{
    void *self;
    const hone_live_v1 *vt = hone_instance_iface(inst, HONE_IFACE_LIVE, &self);
    hone_status s;
    if (!vt || !HONE_HAS(vt, hone_live_v1, apply)) {
        hone_config_destroy(fresh);
        hone_fail(HONE_E_UNSUPPORTED, "%s: its settings do not change while it runs",
                  inst->info->c.id);
        return hone_fail_hint("it offers no " HONE_IFACE_LIVE ": make another one");
    }
    if (hone_instance_is_set_aside(inst) || atomic_load(&inst->inside)) {
        hone_config_destroy(fresh);
        return hone_fail(HONE_E_STATE, "%s: a call is in it: change settings between calls",
                         inst->info->c.id);
    }
    if (inst->reg->changing)
        inst->reg->changing(inst->reg->reached_ctx, inst);
    atomic_fetch_add(&inst->changes, 1);
    const uint32_t watching = hone_trail_watch(1); /* nobody is asked anything */
    hone_instance_enter(inst);
    s = hone_instance_leave(inst, "apply", vt->apply(self, fresh));
    hone_trail_watch(watching);
    if (s < 0) {
        hone_config_destroy(fresh);
        return s;
    }
    hone_config_behind(fresh, inst->cfg); /* its strings are good until destroy */
    inst->cfg = fresh;
    return HONE_OK;
}

hone_status hone_instance_change(hone_instance *inst, const hone_value *changes)
{
    hone_config *fresh;
    HONE_TRY(hone_config_change(inst->cfg, changes, &fresh));
    return apply(inst, fresh);
}

hone_status hone__instance_live(hone_instance *inst, const hone_value *settings)
{
    const hone_config_env env = config_env(inst, 1);
    hone_config *fresh;
    HONE_TRY(hone_config_create(inst->info->c.id, inst->info->c.fields, settings, &env, &fresh));
    return apply(inst, fresh);
}

hone_status hone_instance_at_end(hone_instance *inst, void (*fn)(void *ctx), void *ctx)
{
    hone__at_end *e = hone_calloc(1, sizeof *e);
    if (!e)
        return HONE_E_NOMEM;
    *e = (hone__at_end){inst->at_end, fn, ctx};
    inst->at_end = e;
    return HONE_OK;
}

hone_instance *hone_instance_addref(hone_instance *inst)
{
    atomic_fetch_add(&inst->refs, 1);
    return inst;
}

void hone_instance_unref(hone_instance *inst)
{
    if (inst && atomic_fetch_sub(&inst->refs, 1) == 1)
        release(inst);
}

/* ---- looking at one ---------------------------------------------------------------------------- */

const void *hone_instance_iface(hone_instance *inst, const char *iface_id, void **self)
{
    const void *vt = inst->vt->get_iface(inst, iface_id, self);
    return vt ? hone__recorder_table(inst->reg->recorder, inst, iface_id, vt, self) : NULL;
}

hone_status hone_instance_ref(hone_instance *inst, const char *iface_id, hone_ref *out)
{
    void *self;
    const void *vt = hone_instance_iface(inst, iface_id, &self);
    if (!vt) {
        char all[256] = "";
        size_t used = 0;
        for (size_t i = 0; inst->info->c.provides[i] && used < sizeof all; i++)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "",
                                     inst->info->c.provides[i]);
        hone_fail(HONE_E_UNSUPPORTED, "%s: does not offer %s", inst->info->c.id, iface_id);
        return hone_fail_hint("it offers %s", all);
    }
    out->self = self;
    out->vt = vt;
    return HONE_OK;
}

int hone_instance_is_boxed(const hone_instance *inst)
{
    return inst && inst->boxed;
}

const hone_component_info *hone_instance_info(const hone_instance *inst)
{
    return inst->info;
}

const char *hone_instance_id(const hone_instance *inst)
{
    return inst->info->c.id;
}

uint64_t hone_instance_caps(const hone_instance *inst)
{
    return inst->info->c.caps;
}

const hone_config *hone_instance_config(const hone_instance *inst)
{
    return inst->cfg;
}

size_t hone_instance_mem(const hone_instance *inst)
{
    return atomic_load(&((hone_instance *)(uintptr_t)inst)->mem);
}
