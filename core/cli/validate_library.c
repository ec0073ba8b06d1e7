/* validate_library.c - tests of the file: what can be said before an instance is made (validate.h).
 *
 * The first two run no line of the file. The others load it with the loader that hone itself uses, so a refusal here
 * has the words of a refusal there. */
#include "cli/validate.h"

#include "abi/desc.h"
#include "abi/loader.h"
#include "abi/sidecar.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void t_file(hone__v *v)
{
    hone_status s = hone__loader_check_owner(v->path);
    if (s >= 0 && !v->lua)
        s = hone__loader_check_elf(v->path, NULL);
    if (s < 0)
        hone__v_fail(v, "%s", hone__v_error());
}

static void t_symbols(hone__v *v)
{
    uint32_t extra = 0;
    if (v->lua)
        return hone__v_skip(v, "written in Lua");
    if (hone__loader_check_elf(v->path, &extra) < 0)
        hone__v_fail(v, "%s", hone__v_error());
    else if (extra)
        hone__v_fail(v, "exports %u symbols besides hone_plugin_entry: build it with hone.mk",
                     extra);
}

/* The components as lines "id TAB kind TAB interfaces TAB capabilities", for the parent. */
static void t_load(hone__v *v)
{
    hone_buf b;
    if (!hone__v_open(v))
        return;
    if (v->plugin && v->plugin->problem)
        return hone__v_fail(v, "%s", v->plugin->problem);
    hone_buf_init(&b, HONE__V_TEXT - 1);
    for (size_t i = 0;; i++) {
        const hone_component_info *info = v->plugin ? v->plugin->components[i]
                                                    : hone_registry_component(v->registry, NULL, i);
        if (!info)
            break;
        if (!v->plugin && info->plugin)
            continue;
        hone_buf_addf(&b, "%s\t%s\t", info->c.id, info->c.kind);
        for (size_t k = 0; info->c.provides && info->c.provides[k]; k++)
            hone_buf_addf(&b, "%s%s", k ? "," : "", info->c.provides[k]);
        hone_buf_addf(&b, "\t%llu\n", (unsigned long long)info->c.caps);
    }
    if (b.failed >= 0)
        memcpy(v->page->text, b.ptr, b.len + 1);
    hone_buf_release(&b);
}

static hone__loaded *open_it(hone__v *v)
{
    hone__loaded *f;
    hone__v_stage(v, "loading the file");
    if (hone__loader_open(v->path, NULL, NULL, &f) < 0) {
        hone__v_fail(v, "%s", hone__v_error());
        return NULL;
    }
    return f;
}

static void t_entry(hone__v *v)
{
    hone_buf a, b;
    hone_jw w;
    hone__loaded *f = v->lua ? NULL : open_it(v);
    if (v->lua)
        return hone__v_skip(v, "written in Lua");
    if (!f)
        return;
    hone_buf_init(&a, 1 << 26);
    hone_buf_init(&b, 1 << 26);
    hone_jw_init(&w, &a, 0);
    hone_sidecar_write(&f->entry, &w);
    hone__loaded *again = open_it(
        v); /* the table of files: the same one, and its entry asked anew below */
    void *sym = dlsym(f->handle, "hone_plugin_entry");
    const hone_entry *(*fn)(void);
    memcpy(&fn, &sym, sizeof fn);
    hone__v_stage(v, "hone_plugin_entry, called again");
    const hone_entry *second = fn();
    if (hone__loader_check_entry("the second call", second) < 0) {
        hone__v_fail(v, "%s", hone__v_error());
    } else {
        hone_entry copy = {0};
        memcpy(&copy, second,
               second->struct_size < sizeof copy ? second->struct_size : sizeof copy);
        hone_jw_init(&w, &b, 0);
        hone_sidecar_write(&copy, &w);
        if (a.len != b.len || memcmp(a.ptr, b.ptr, a.len) != 0)
            hone__v_fail(v, "hone_plugin_entry called twice describes two different things");
    }
    hone_buf_release(&a);
    hone_buf_release(&b);
    hone__loader_close(again);
    hone__loader_close(f);
}

static void t_init(hone__v *v)
{
    hone_registry_opts o = {.only_paths = 1, .in_process = 1};
    hone_registry *r = NULL;
    if (v->lua)
        return hone__v_skip(v, "written in Lua");
    for (int i = 0; i < 3 && !hone__v_failed(v); i++) {
        const hone_plugin *p;
        hone__v_stage(v, "init and deinit, time %d of 3", i + 1);
        hone_status s = hone_registry_open(&o, &r);
        if (s >= 0)
            s = hone_registry_open_file(r, v->path, &p);
        if (s < 0)
            hone__v_fail(v, "time %d of 3: %s", i + 1, hone__v_error());
        hone_registry_close(r);
        r = NULL;
    }
}

/* ---- a host for init, of any size ----------------------------------------------------------------- */

static hone_status host_get(const hone_host *host, const char *id, hone_ref *out)
{
    (void)host;
    (void)out;
    return hone_fail(HONE_E_NOT_FOUND, "the validator's host has no %.200s in init", id);
}
static void host_log(const hone_host *host, uint32_t level, hone_str text)
{
    (void)host;
    hone_log(level <= HONE_LEVEL_HOST_MISBEHAVING ? level : HONE_LEVEL_WARN, "init", "%.*s",
             (int)text.len, text.ptr ? text.ptr : "");
}
static hone_status host_fail(const hone_host *host, hone_status s, hone_str text)
{
    (void)host;
    return hone_fail(s < 0 ? s : HONE_E_FAIL, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static void t_host_sizes(hone__v *v)
{
    struct {
        hone_host h;
        unsigned char poison[64];
    } larger;
    hone__loaded *f = v->lua ? NULL : open_it(v);
    if (!f)
        return v->lua ? hone__v_skip(v, "written in Lua") : (void)0;
    if (!f->entry.init)
        return hone__v_skip(v, "it has no init");
    for (int i = 0; i < 2 && !v->page->result; i++) {
        memset(&larger, 0xA5, sizeof larger);
        larger.h = (hone_host){.struct_size = i ? sizeof larger : sizeof larger.h,
                               .epoch = HONE_EPOCH,
                               .version = HONE_SDK_VERSION,
                               .get_iface = host_get,
                               .log = host_log,
                               .fail = host_fail};
        hone__v_stage(v, "init with a host of %u bytes", larger.h.struct_size);
        hone_status s = f->entry.init(&larger.h);
        if (s < 0 && !i)
            hone__v_skip(v, "init needs more than a bare host: %s", hone__v_error());
        else if (s < 0)
            hone__v_fail(v, "init refuses a host whose struct is larger (%u bytes): %s",
                         larger.h.struct_size, hone__v_error());
        else if (f->entry.deinit)
            f->entry.deinit();
    }
}

static void t_sidecar(hone__v *v)
{
    hone_buf is;
    hone_value a, b;
    hone_jw w;
    char path[4096];
    size_t n = strlen(v->path);
    if (v->lua)
        return hone__v_skip(v, "written in Lua");
    snprintf(path, sizeof path, "%.*sjson", (int)(n - 2), v->path);
    if (!hone_file_exists(path))
        return hone__v_skip(v, "there is none; hone plugin describe %s --write makes it", v->path);
    hone__loaded *f = open_it(v);
    if (!f)
        return;
    hone_arena_init(&v->arena, 0);
    hone_buf_init(&is, 1 << 26);
    hone_jw_init(&w, &is, 0);
    hone_sidecar_write(&f->entry, &w);
    hone_status s = hone_json_parse(is.ptr, is.len, "the file", &v->arena, &a);
    if (s >= 0)
        s = hone_json_parse_file(path, 8 << 20, &v->arena, &b);
    if (s < 0)
        hone__v_fail(v, "%s", hone__v_error());
    else if (!hone_value_equal(&a, &b))
        hone__v_fail(v,
                     "%s describes something else than the file does: hone plugin describe %s "
                     "--write",
                     hone_path_base(path), v->path);
    hone_buf_release(&is);
    hone__loader_close(f);
}

static void t_speed(hone__v *v)
{
    if (v->lua)
        return hone__v_skip(v, "written in Lua");
    uint64_t before = hone_now_ns();
    hone__loaded *f = open_it(v);
    uint64_t ms = (hone_now_ns() - before) / 1000000;
    if (!f)
        return;
    if (ms > 100)
        hone__v_warn(v,
                     "loading took %llu ms; at most 100 is asked, since every hone that has no "
                     "sidecar pays it",
                     (unsigned long long)ms);
    hone__loader_close(f);
}

static void t_ifaces(hone__v *v)
{
    hone__loaded *f = v->lua ? NULL : open_it(v);
    if (!f)
        return v->lua ? hone__v_skip(v, "written in Lua") : (void)0;
    if (!f->entry.ifaces || !f->entry.ifaces[0])
        hone__v_skip(v, "it introduces no interface");
    else if (hone_desc_check_ifaces(v->path, f->entry.ifaces) < 0)
        hone__v_fail(v, "%s", hone__v_error());
    hone__loader_close(f);
}

/* What loading alone does to the process. */
static void t_manners(hone__v *v)
{
    hone_buf what;
    if (v->lua)
        return hone__v_skip(v, "written in Lua");
    hone_buf_init(&what, 1 << 16);
    hone__vproc *before = hone__v_proc_take();
    hone__loaded *f = open_it(v);
    if (f) {
        hone__loader_close(f);
        if (hone__v_proc_changed(before, 0, &what))
            hone__v_fail(v, "loading the file %s", what.ptr);
    }
    hone__v_proc_free(before);
    hone_buf_release(&what);
}

const hone__vtest hone__v_library_tests[] = {
    {"library.file", t_file, HONE__VT_FILE | HONE__VT_GATE,
     "a plugin file that only its owner writes"},
    {"library.symbols", t_symbols, HONE__VT_FILE, "one symbol leaves it"},
    {"library.load", t_load, HONE__VT_FILE | HONE__VT_GATE, "it loads, and its tables are sound"},
    {"library.entry", t_entry, HONE__VT_FILE, "the entry gives the same twice"},
    {"library.init", t_init, HONE__VT_FILE, "init and deinit three times"},
    {"library.host_size", t_host_sizes, HONE__VT_FILE, "init with a host of another size"},
    {"library.sidecar", t_sidecar, HONE__VT_FILE, "the sidecar says what the file says"},
    {"library.speed", t_speed, HONE__VT_FILE, "loading takes no 100 ms"},
    {"library.interfaces", t_ifaces, HONE__VT_FILE, "descriptions of interfaces it introduces"},
    {"library.manners", t_manners, HONE__VT_FILE, "loading leaves the process as it was"},
    {0}};
