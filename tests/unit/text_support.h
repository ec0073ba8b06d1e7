/* text_support.h - a tokenizer component for tests, created from the plugin file by a host of a page.
 *
 * Needs no registry, counts the plugin's memory through hone_alloc (so that tests can fail it), and keeps
 * what the plugin said in the thread's error. */
#ifndef HONE_TESTS_TEXT_SUPPORT_H
#define HONE_TESTS_TEXT_SUPPORT_H
#include "hone/plugin.h" /* before cmocka, which has a macro of the name of host->fail */

#include "support.h"

#include "base/json.h"
#include "text/tokenizer.h"

#include <dlfcn.h>

static inline void *tt_resize(void *self, void *p, size_t old_size, size_t size)
{
    (void)self;
    (void)old_size;
    if (size == 0) {
        hone_free(p);
        return NULL;
    }
    return hone_realloc(p, size);
}
static const hone_mem_v1 tt_mem = {sizeof tt_mem, 0, tt_resize};

static inline hone_status tt_get_iface(const hone_host *host, const char *id, hone_ref *out)
{
    (void)host;
    if (strcmp(id, HONE_IFACE_MEM) != 0)
        return HONE_E_NOT_FOUND;
    out->self = NULL;
    out->vt = &tt_mem;
    return HONE_OK;
}
static inline void tt_log(const hone_host *host, uint32_t level, hone_str text)
{
    (void)host;
    (void)level;
    (void)text;
}
static inline hone_status tt_fail(const hone_host *host, hone_status status, hone_str text)
{
    (void)host;
    return hone_fail(status, "%.*s", (int)text.len, text.ptr);
}
static const hone_host tt_host = {sizeof tt_host, HONE_EPOCH,   HONE_SDK_VERSION, 0,
                                  NULL,           tt_get_iface, tt_log,           tt_fail};

/* The configuration of the component: field 0 is spec, field 1 the scanner. */
typedef struct tt_config {
    hone_config cfg;
    const hone_value *spec;
    int scanner;
} tt_config;
static inline const hone_value *tt_value(const hone_config *cfg, uint32_t field)
{
    const tt_config *c = cfg->ctx;
    return field == 0 ? c->spec : NULL;
}
static inline int64_t tt_i64(const hone_config *cfg, uint32_t field)
{
    const tt_config *c = cfg->ctx;
    return field == 1 ? c->scanner : 0;
}

typedef struct tt_tokenizer {
    const hone_component *component;
    void *self;
    tt_config config;
    hone_tokenizer t;
} tt_tokenizer;

static inline const hone_component *tt_component(const char *plugin)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.so", hone_paths_plugins(), plugin);
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!so)
        fprintf(stderr, "%s\n", dlerror());
    assert_non_null(so);
    const hone_entry *(*entry)(void);
    *(void **)&entry = dlsym(so, "hone_plugin_entry");
    assert_non_null(entry);
    return entry()->components[0];
}

/* force_regex: all words by PCRE2. */
static inline hone_status tt_create(tt_tokenizer *t, const hone_value *spec, int force_regex)
{
    memset(t, 0, sizeof *t);
    t->component = tt_component("bpe");
    t->config.cfg.struct_size = sizeof t->config.cfg;
    t->config.cfg.ctx = &t->config;
    t->config.cfg.value = tt_value;
    t->config.cfg.i64 = tt_i64;
    t->config.spec = spec;
    t->config.scanner = force_regex;
    HONE_TRY(t->component->create(&tt_host, &t->config.cfg, &t->self));
    hone_ref ref = {t->self, t->component->get_iface(t->self, HONE_IFACE_TOKENIZER)};
    return hone_tokenizer_init(&t->t, NULL, ref);
}
static inline void tt_destroy(tt_tokenizer *t)
{
    t->component->destroy(t->self);
}
/* From JSON text of a spec ({"format": "tokenizer.json", "json": {...}}). */
static inline hone_status tt_create_text(tt_tokenizer *t, hone_arena *arena, const char *json)
{
    hone_value spec;
    HONE_TRY(hone_json_parse(json, strlen(json), "spec", arena, &spec));
    hone_value *keep = hone_arena_alloc(arena, sizeof *keep);
    *keep = spec;
    return tt_create(t, keep, 0);
}
#endif
