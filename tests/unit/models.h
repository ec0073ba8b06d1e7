/* models.h - models in tests: the material's random ones, real ones where they were fetched, and
 * tiny ones made from nothing. */
#ifndef HONE_TESTS_MODELS_H
#define HONE_TESTS_MODELS_H
#include "components.h"

#include "nn/choose.h"
#include "nn/forest.h"
#include "nn/model.h"
#include "nn/reader.h"
#include "nn/state.h"
#include "tensor/pool.h"

#include <math.h>

typedef struct test_model {
    hone_instance *inst;
    hone_model *m;
    hone_arena arena;
} test_model;

static inline void model_choice(hone_instance *inst, hone_model_choice *c)
{
    hone_ref ref;
    assert_ok(hone_instance_ref(inst, HONE_IFACE_MODEL, &ref));
    c->vt = ref.vt;
    c->self = ref.self;
    c->id = hone_instance_id(inst);
    c->instance = inst;
}

/* The shipped component that runs a configuration, and the model it makes of it. */
static inline hone_status model_choose(const char *format, const hone_value *config,
                                       const char *place, hone_instance **inst, hone_model **m)
{
    return hone_model_choose(shipped(), format, config, place, 0, inst, m);
}

static inline test_model model_open(const char *path, hone_pool *pool)
{
    test_model t;
    hone_tensor_reader r;
    hone_weights *w;
    memset(&t, 0, sizeof t);
    hone_arena_init(&t.arena, 0);
    assert_ok(hone_weights_open(path, 0, &w));
    assert_ok(model_choose(hone_weights_format(w), hone_weights_config(w), path, &t.inst, &t.m));
    hone_weights_reader(w, &r);
    assert_ok(hone_model_load(t.m, &r, hone_pool_exec(pool)));
    hone_weights_close(w);
    return t;
}

/* A model from a configuration written as JSON, by the surest of the registry's components, with random
 * parameters. */
static inline test_model model_random_in(hone_registry *r, const char *json, uint64_t seed)
{
    test_model t;
    hone_value v;
    memset(&t, 0, sizeof t);
    hone_arena_init(&t.arena, 0);
    assert_ok(hone_json_parse(json, strlen(json), "test", &t.arena, &v));
    assert_ok(hone_model_choose(r, "hf", &v, "test", 0, &t.inst, &t.m));
    assert_ok(hone_params_init_values(t.m->params, seed));
    return t;
}

/* The same with the shipped components. */
static inline test_model model_random(const char *json, uint64_t seed)
{
    return model_random_in(shipped(), json, seed);
}

static inline void model_close(test_model *t)
{
    hone_model_destroy(t->m);
    hone_instance_unref(t->inst);
    hone_arena_release(&t->arena);
}

/* Log-probs of the batch's targets in any mode, into out (n_targets). */
static inline void model_logprobs(hone_model *m, hone_tape *t, uint32_t mode, const hone_batch *b,
                                  const hone_tape_options *o, float *out)
{
    hone_tensor h, lp;
    assert_ok(hone_model_begin(m, t, mode, b, o));
    h = hone_model_hidden(m, t);
    lp = hone_model_logprob(m, t, h, 1.0f, NULL);
    hone_tape_keep(t, lp);
    assert_ok(hone_tape_forward(t));
    memcpy(out, hone_tape_value(t, lp).data, (size_t)b->n_targets * sizeof *out);
}

/* Adds the gradient of sum_k weight[k] * logp[k] over a whole batch; logp may be NULL. */
static inline void model_grads(hone_model *m, hone_tape *t, const hone_batch *b,
                               const hone_tape_options *o, const float *weight, float *logp)
{
    hone_tensor h, lp;
    assert_ok(hone_model_begin(m, t, HONE_MODE_TRAIN, b, o));
    h = hone_model_hidden(m, t);
    lp = hone_model_logprob(m, t, h, 1.0f, NULL);
    hone_tape_root(t, lp);
    assert_ok(hone_tape_forward(t));
    if (logp)
        memcpy(logp, hone_tape_value(t, lp).data, (size_t)b->n_targets * sizeof *logp);
    assert_ok(hone_tape_seed(t, lp, weight));
    assert_ok(hone_tape_backward(t));
}
#endif
