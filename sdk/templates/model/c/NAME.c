/* @name@.c - a model: an embedding, one mixing layer with a residual, a norm; the embedding is the head too.
 *
 * `declare` names the parameters, `forward` calls the host's operations on them. It never sees gradients, memory or
 * threads: the same function trains, scores and generates. It has no attention, so it sees one token at a time. */
#include "hone/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct mixer {
    const hone_host *host;
    int64_t vocabulary, hidden;
    hone_param embed, mix, norm;
    char json[256];
} mixer;

static int is(hone_str s, const char *z)
{
    return s.len == strlen(z) && memcmp(s.ptr, z, s.len) == 0;
}
static const hone_value *member(const hone_value *map, const char *name)
{
    for (size_t i = 0; map && map->type == HONE_MAP && i < map->u.map.n; i++)
        if (is(map->u.map.pairs[i].key, name))
            return &map->u.map.pairs[i].value;
    return NULL;
}

static int32_t probe(void *self, hone_str format, const hone_value *config)
{
    const hone_value *type = member(config, "model_type");
    (void)self;
    return is(format, "hf") && type && type->type == HONE_STRING && is(type->u.str, "@name@") ? 100
                                                                                              : 0;
}

/* A whole number 1..1000000 of the configuration, told to the host as understood; 0 when it is not there. */
static int64_t number(const hone_store_v1 *store, const hone_value *config, const char *key)
{
    const hone_value *v = member(config, key);
    store->used_key(store, key);
    return v && v->type == HONE_I64 && v->u.i64 > 0 && v->u.i64 <= 1000000 ? v->u.i64 : 0;
}

static hone_param param(const hone_store_v1 *store, const char *name, const char *role,
                        int64_t rows, int64_t cols, uint32_t init, float std, uint32_t flags)
{
    hone_param_spec s;
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.name = name;
    s.role = role;
    s.rows = rows;
    s.cols = cols;
    s.init = init;
    s.init_std = std;
    s.flags = flags;
    return store->param(store, &s);
}

static hone_status declare(void *self, hone_str format, const hone_value *config,
                           const hone_store_v1 *store)
{
    mixer *m = self;
    hone_model_info info;
    (void)format;
    store->used_key(store, "model_type");
    m->vocabulary = number(store, config, "vocab_size");
    m->hidden = number(store, config, "hidden_size");
    if (!m->vocabulary || !m->hidden)
        return (store->fail)(
            store, HONE_E_INVALID,
            hone_str_c("vocab_size and hidden_size: whole numbers from 1 to 1000000"));
    m->embed = param(store, "embed.weight", "embed", m->vocabulary, m->hidden, HONE_INIT_NORMAL,
                     .02f, HONE_PARAM_EMBEDDING | HONE_PARAM_HEAD);
    m->mix = param(store, "mix.weight", "up", m->hidden, m->hidden, HONE_INIT_NORMAL, .2f, 0);
    m->norm = param(store, "norm.weight", "norm", m->hidden, 0, HONE_INIT_ONE, 0, HONE_PARAM_NORM);
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    info.n_layers = 1;
    info.vocab_size = m->vocabulary;
    info.hidden = m->hidden;
    info.max_positions = 4096;
    info.embed = info.head = m->embed;
    info.logit_scale = info.embed_scale = 1;
    store->info(store, &info);
    return HONE_OK;
}

static hone_tensor forward(void *self, const hone_graph_v1 *g, hone_ctx *c)
{
    const mixer *m = self;
    hone_tensor x = g->embed(c, m->embed, 1);
    g->block(c, 0);
    x = g->add(c, x, g->gelu(c, g->linear(c, x, m->mix, HONE_NONE)));
    return g->rmsnorm(c, x, m->norm, 1e-5f, 0);
}

static hone_str config_json(void *self)
{
    mixer *m = self;
    snprintf(m->json, sizeof m->json,
             "{\"model_type\": \"@name@\", \"vocab_size\": %lld, \"hidden_size\": %lld}",
             (long long)m->vocabulary, (long long)m->hidden);
    return hone_str_c(m->json);
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    mixer *m = calloc(1, sizeof *m);
    (void)cfg;
    if (!m)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    m->host = host;
    *self_out = m;
    return HONE_OK;
}
static void destroy(void *self)
{
    free(self);
}
static const hone_model_v1 table = {sizeof(hone_model_v1), 0,   probe, declare, forward,
                                    config_json,           NULL};
HONE_DEFINE_MODEL(component, table, .id = "@id@", .version = "0.1.0",
                  .summary = "a token at a time through one mixing layer",
                  .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_BATCH_INVARIANT, .create = create,
                  .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
