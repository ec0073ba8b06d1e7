/* bpe_host.h - the smallest host for the tokenizer plugin that a fuzzer compiles in. */
#ifndef HONE_TESTS_FUZZ_BPE_HOST_H
#define HONE_TESTS_FUZZ_BPE_HOST_H
#include "base/alloc.h"
#include "base/json.h"
#include "hone/plugin.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *self, void *p, size_t old_size, size_t size)
{
    (void)self;
    (void)old_size;
    if (size)
        return hone_realloc(p, size);
    hone_free(p);
    return NULL;
}
static const hone_mem_v1 mem = {sizeof mem, 0, resize};

static hone_status get_iface(const hone_host *host, const char *id, hone_ref *out)
{
    (void)host;
    if (strcmp(id, HONE_IFACE_MEM) != 0)
        return HONE_E_NOT_FOUND;
    out->self = NULL;
    out->vt = &mem;
    return HONE_OK;
}
static void say(const hone_host *host, uint32_t level, hone_str text)
{
    (void)host;
    (void)level;
    (void)text;
}
static hone_status set_fail(const hone_host *host, hone_status status, hone_str text)
{
    (void)host;
    return hone_fail(status, "%.*s", (int)text.len, text.ptr);
}
static const hone_host host = {sizeof host, HONE_EPOCH, HONE_SDK_VERSION, 0, NULL,
                               get_iface,   say,        set_fail};

typedef struct bpe_instance {
    hone_config cfg;
    const hone_value *spec;
    int force_regex;
    void *self;
    hone_tokenizer t;
} bpe_instance;

static const hone_value *get_value(const hone_config *cfg, uint32_t field)
{
    const bpe_instance *b = cfg->ctx;
    return field == 0 ? b->spec : NULL;
}
static int64_t get_i64(const hone_config *cfg, uint32_t field)
{
    const bpe_instance *b = cfg->ctx;
    return field == 1 ? b->force_regex : 0;
}

static hone_status bpe_open(bpe_instance *b, const hone_value *spec, int force_regex)
{
    const hone_component *c = hone_plugin_entry()->components[0];
    memset(b, 0, sizeof *b);
    b->cfg.struct_size = sizeof b->cfg;
    b->cfg.ctx = b;
    b->cfg.value = get_value;
    b->cfg.i64 = get_i64;
    b->spec = spec;
    b->force_regex = force_regex;
    HONE_TRY(c->create(&host, &b->cfg, &b->self));
    hone_ref ref = {b->self, c->get_iface(b->self, HONE_IFACE_TOKENIZER)};
    hone_status s = hone_tokenizer_init(&b->t, NULL, ref);
    if (s < 0)
        abort();
    return s;
}

static void bpe_close(bpe_instance *b)
{
    hone_plugin_entry()->components[0]->destroy(b->self);
}
#endif
