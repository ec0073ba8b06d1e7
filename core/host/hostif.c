/* hostif.c - the host's interfaces by id: the table of offers, and the six that are always there.
 *
 * hone.mem/1 counts what an instance holds; hone.rng/1 gives streams that are pure functions of the
 * run's seed, the component's id, stream and index; hone.json/1 parses into a tree of its own arena;
 * hone.regex/1 is in regex.c, hone.process/1 in process.c, hone.http/1 in http.c. Lower layers add theirs through hone_registry_offer.
 * Source: plugin-abi.md section 4. */
#include "host/http.h"
#include "host/process.h"
#include "host/registry_private.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/rng.h"

#include <string.h>

/* ---- the table --------------------------------------------------------------------------------- */

static hone__offer *find(const hone_registry *r, const char *id)
{
    for (size_t i = 0; i < r->n_offers; i++)
        if (strcmp(r->offers[i].id, id) == 0)
            return &r->offers[i];
    return NULL;
}

static hone_status offer(hone_registry *r, hone__offer o)
{
    hone__offer *have = find(r, o.id);
    if (have) {
        *have = o;
        return HONE_OK;
    }
    if (r->n_offers == r->cap_offers) {
        size_t cap = r->cap_offers ? 2 * r->cap_offers : 16;
        hone__offer *more = hone_reallocarray(r->offers, cap, sizeof *more);
        if (!more)
            return HONE_E_NOMEM;
        r->offers = more;
        r->cap_offers = cap;
    }
    r->offers[r->n_offers++] = o;
    return HONE_OK;
}

hone_status hone_registry_offer(hone_registry *r, const char *id, hone_host_iface_fn make,
                                void *ctx)
{
    hone__offer o = {id, make, ctx, {NULL, NULL}};
    return offer(r, o);
}

hone_status hone_registry_offer_ref(hone_registry *r, const char *id, hone_ref ref)
{
    hone__offer o = {id, NULL, NULL, ref};
    return offer(r, o);
}

int hone__hostif_offered(const hone_registry *r, const char *id)
{
    return find(r, id) != NULL;
}

hone_status hone__hostif_get(hone_registry *r, hone_instance *inst, const char *id, hone_ref *out)
{
    const hone__offer *o = find(r, id);
    if (!o && r->beyond)
        return r->beyond->iface(id, out);
    if (!o)
        return hone_fail(HONE_E_NOT_FOUND, "the host offers no interface \"%.200s\" here", id);
    if (!inst && hone__trail_counts(id))
        return hone_fail(HONE_E_STATE, "%s belongs to an instance: ask for it in create", id);
    if (o->make)
        HONE_TRY(o->make(o->ctx, inst, out));
    else
        *out = o->ref;
    if (inst)
        hone__trail_obtained(inst, id);
    return HONE_OK;
}

/* ---- hone.mem/1 -------------------------------------------------------------------------------- */

static void *mem_resize(void *self, void *p, size_t old_size, size_t size)
{
    hone_instance *inst = self;
    if (size == 0) {
        if (p)
            atomic_fetch_sub(&inst->mem, old_size);
        hone_free(p);
        return NULL;
    }
    void *q = hone_realloc(p, size);
    if (!q) {
        hone__host_failed(HONE_E_NOMEM);
        return NULL;
    }
    atomic_fetch_add(&inst->mem, size - (p ? old_size : 0)); /* modulo 2^64 when it shrinks */
    return q;
}
static const hone_mem_v1 mem_v1 = {sizeof(hone_mem_v1), 0, mem_resize};

static hone_status make_mem(void *ctx, hone_instance *inst, hone_ref *out)
{
    (void)ctx;
    if (!inst)
        return hone_fail(HONE_E_STATE, "hone.mem/1 belongs to an instance: ask for it in create");
    out->self = inst;
    out->vt = &mem_v1;
    return HONE_OK;
}

/* ---- hone.rng/1 -------------------------------------------------------------------------------- */

static hone_rng_key rng_key(const hone_instance *inst, uint64_t stream)
{
    const char *id = inst->info->c.id;
    hone_rng_key k = {inst->reg->seed, HONE_RNG_USER, 0, hone_xxh64(id, strlen(id), 0), stream};
    return k;
}

static uint64_t rng_bits(void *self, uint64_t stream, uint64_t index)
{
    hone_rng_key k = rng_key(self, stream);
    return hone_rng_u64(&k, index);
}

static double rng_uniform(void *self, uint64_t stream, uint64_t index)
{
    hone_rng_key k = rng_key(self, stream);
    return hone_rng_uniform(&k, index);
}
static const hone_rng_v1 rng_v1 = {sizeof(hone_rng_v1), 0, rng_bits, rng_uniform};

static hone_status make_rng(void *ctx, hone_instance *inst, hone_ref *out)
{
    (void)ctx;
    if (!inst)
        return hone_fail(HONE_E_STATE, "hone.rng/1 belongs to an instance: ask for it in create");
    out->self = inst;
    out->vt = &rng_v1;
    return HONE_OK;
}

/* ---- hone.json/1 ------------------------------------------------------------------------------- */

struct json_doc {
    hone_arena arena;
    hone_value root;
};

static void json_release(void *self, void *doc_own)
{
    struct json_doc *d = doc_own;
    (void)self;
    if (!d)
        return;
    hone_arena_release(&d->arena);
    hone_free(d);
}

static hone_status json_parse(void *self, hone_str text, void **doc_own, const hone_value **out)
{
    struct json_doc *d = hone_calloc(1, sizeof *d);
    if (!d)
        return hone__host_failed(HONE_E_NOMEM);
    hone_arena_init(&d->arena, 0);
    hone_status s = hone_json_parse(text.ptr, text.len, NULL, &d->arena, &d->root);
    if (s < 0) {
        json_release(self, d);
        return hone__host_failed(s);
    }
    *doc_own = d;
    *out = &d->root;
    return HONE_OK;
}
static const hone_json_v1 json_v1 = {sizeof(hone_json_v1), 0, json_parse, json_release};

hone_status hone_registry_offered(hone_registry *r, const char *id, hone_ref *out)
{
    return hone__hostif_get(r, NULL, id, out);
}

enum { ON_OPEN = 8 };
static hone_status (*on_open[ON_OPEN])(hone_registry *r);

hone_status hone_registry_on_open(hone_status (*fn)(hone_registry *r))
{
    for (size_t i = 0; i < ON_OPEN; i++) {
        if (on_open[i] == fn)
            return HONE_OK;
        if (!on_open[i]) {
            on_open[i] = fn;
            return HONE_OK;
        }
    }
    return hone_fail(HONE_E_LIMIT, "more than %d layers offer something", ON_OPEN);
}

hone_status hone_registry_allow_path(const hone_registry *r, hone_str given, char **out)
{
    if (r->path)
        return r->path(r->path_ctx, given, out);
    if (!given.len || memchr(given.ptr, 0, given.len))
        return hone_fail(HONE_E_INVALID, "a path is empty or holds a NUL");
    char *copy = hone_strndup(given.ptr, given.len);
    if (!copy)
        return HONE_E_NOMEM;
    *out = copy;
    return HONE_OK;
}

hone_status hone__hostif_offer_all(hone_registry *r)
{
    hone_ref json = {NULL, &json_v1}, regex = {NULL, &hone__regex_v1};
    HONE_TRY(hone_registry_offer(r, HONE_IFACE_MEM, make_mem, NULL));
    HONE_TRY(hone_registry_offer(r, HONE_IFACE_RNG, make_rng, NULL));
    HONE_TRY(hone_registry_offer(r, HONE_IFACE_PROCESS, hone__process_make, NULL));
    HONE_TRY(hone_registry_offer(r, HONE_IFACE_HTTP, hone__http_make, NULL));
    HONE_TRY(hone_registry_offer_ref(r, HONE_IFACE_JSON, json));
    HONE_TRY(hone_registry_offer_ref(r, HONE_IFACE_REGEX, regex));
    for (size_t i = 0; i < ON_OPEN && on_open[i]; i++)
        HONE_TRY(on_open[i](r));
    return HONE_OK;
}
