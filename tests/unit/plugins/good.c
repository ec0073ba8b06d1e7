/* A sound plugin with two components, for tests of the host: test_registry.c says what each does. */
#include "hone/reward.h"

#include <stdlib.h>
#include <string.h>

struct probe {
    const hone_host *host;
    const hone_config *cfg;
    hone_ref mem, json, regex, rng, inner;
    void *block;
    size_t size;
    hone_reward_v1 vt;
};

enum { SCALE, MODE, TOKEN, BAG, INNER, BEHAVE, DATA, N_FIELDS };
static const hone_field *const fields[] = {
    HONE_F64("scale", 1, 0, 10, HONE_LIVE, "multiplies the length"),
    HONE_ENUM("mode", "length", "length|regex|json|random|inner", 0, "what is scored"),
    HONE_STR("token", NULL, HONE_SECRET, "a secret"),
    HONE_LIST_OF("bag", 0, "any list"),
    HONE_COMPONENT("inner", HONE_IFACE_REWARD, 0, "scores instead, in mode inner"),
    HONE_ENUM("behave", "well", "well|silent|tell|leak|misread|positive", 0, "what create does"),
    HONE_PATH("data", NULL, 0, "a file that is not opened"),
    NULL};

static hone_status score_one(struct probe *p, const hone_sample *s, float *out)
{
    switch (p->cfg->i64(p->cfg, MODE)) {
    case 1: {
        const hone_regex_v1 *re = p->regex.vt;
        size_t span[4] = {0, 0, 0, 0};
        void *compiled;
        hone_str pattern = hone_str_c("(\\d+) apples");
        hone_status st = re->compile(p->regex.self, pattern, HONE_REGEX_CASELESS, &compiled);
        if (st < 0)
            return st;
        st = re->match(p->regex.self, compiled, s->completion, 0, span, 2);
        re->release(p->regex.self, compiled);
        *out = st == 1 ? (float)span[2] : -1.f;
        return st < 0 ? st : HONE_OK;
    }
    case 2: {
        const hone_json_v1 *js = p->json.vt;
        void *doc;
        const hone_value *v;
        hone_status st = js->parse(p->json.self, s->completion, &doc, &v);
        if (st < 0)
            return st; /* the host's text stands */
        *out = (float)v->type;
        js->release(p->json.self, doc);
        return HONE_OK;
    }
    case 3: {
        const hone_rng_v1 *rng = p->rng.vt;
        *out = (float)rng->uniform(p->rng.self, s->group, s->id);
        return HONE_OK;
    }
    default:
        *out = (float)(p->cfg->f64(p->cfg, SCALE) * (double)s->completion.len);
        return HONE_OK;
    }
}

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    struct probe *p = self;
    if (p->cfg->i64(p->cfg, MODE) == 4) {
        const hone_reward_v1 *vt = p->inner.vt;
        return vt->score(p->inner.self, call, in, n, stride, out, out_stride, notes);
    }
    for (size_t i = 0; i < n; i++) {
        float x;
        hone_status st = score_one(p, hone_sample_at(in, stride, i), &x);
        if (st < 0)
            return st;
        hone_outcome_set(out, out_stride, i, HONE_SCORE, x);
    }
    return HONE_OK;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    struct probe *p = calloc(1, sizeof *p);
    if (!p)
        return hone_host_fail(host, HONE_E_NOMEM, "no memory");
    p->host = host;
    p->cfg = cfg;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &p->mem);
    if (s >= 0)
        s = host->get_iface(host, HONE_IFACE_JSON, &p->json);
    if (s >= 0)
        s = host->get_iface(host, HONE_IFACE_REGEX, &p->regex);
    if (s >= 0)
        s = host->get_iface(host, HONE_IFACE_RNG, &p->rng);
    if (s >= 0 && cfg->is_set(cfg, INNER))
        s = cfg->component(cfg, INNER, &p->inner);
    hone_str token = cfg->str(cfg, TOKEN);
    int64_t behave = cfg->i64(cfg, BEHAVE);
    if (behave == 1)
        s = HONE_E_IO;
    else if (behave == 2)
        s = hone_host_fail(host, HONE_E_IO, "the server said no to %.*s", (int)token.len,
                           token.ptr);
    else if (behave == 4)
        (void)cfg->str(cfg, SCALE);
    else if (behave == 5)
        s = 7;
    if (s < 0) {
        free(p);
        return s;
    }
    const hone_mem_v1 *mem = p->mem.vt;
    p->size = behave == 3 ? 1000 : 100;
    p->block = mem->resize(p->mem.self, NULL, 0, p->size);
    p->vt.struct_size = sizeof p->vt;
    p->vt.score = score;
    *self_out = p;
    return s;
}

static void destroy(void *self)
{
    struct probe *p = self;
    const hone_mem_v1 *mem = p->mem.vt;
    static void *leaked; /* still to be reached, so that only the host's own count finds it */
    if (p->size == 100)
        mem->resize(p->mem.self, p->block, p->size, 0);
    else
        leaked = p->block;
    (void)leaked;
    free(p);
}

static const void *get_iface(void *self, const char *id)
{
    struct probe *p = self;
    return strcmp(id, HONE_IFACE_REWARD) == 0 ? &p->vt : NULL;
}

static const char *const provides[] = {HONE_IFACE_REWARD, NULL};
static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const needs_more[] = {"com.acme.unheard_of/1", NULL};
static const hone_component probe = {.struct_size = sizeof(hone_component),
                                     .id = "org.test.reward.probe",
                                     .kind = HONE_KIND_REWARD,
                                     .version = "1.2.3",
                                     .vendor = "tests",
                                     .license = "Apache-2.0",
                                     .summary = "scores the length",
                                     .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC,
                                     .fields = fields,
                                     .needs = needs,
                                     .provides = provides,
                                     .create = create,
                                     .destroy = destroy,
                                     .get_iface = get_iface};
static const hone_component needy = {.struct_size = sizeof(hone_component),
                                     .id = "org.test.reward.needy",
                                     .kind = HONE_KIND_REWARD,
                                     .version = "1",
                                     .needs = needs_more,
                                     .provides = provides,
                                     .create = create,
                                     .destroy = destroy,
                                     .get_iface = get_iface};
/* A kind that this host has never heard of is fine. */
static const hone_component strange = {.struct_size = sizeof(hone_component),
                                       .id = "org.test.thing.probe",
                                       .kind = "com.acme.kind.x",
                                       .version = "1",
                                       .provides = provides,
                                       .create = create,
                                       .destroy = destroy,
                                       .get_iface = get_iface};
#ifdef ALONE
static const hone_component *const components[] = {&probe, NULL};
#else
static const hone_component *const components[] = {&probe, &needy, &strange, NULL};
#endif
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {
    .struct_size = sizeof(hone_entry), .magic = &magic, .components = components};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
