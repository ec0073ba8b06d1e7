/* validate_model.c - models: small ones with random weights, their gradients and how they generate (validate.h).
 *
 * A configuration is tried for each word of `runs` (and for the component's short name), with sizes that most
 * architectures take; a component that is only ever chosen by name gets that too. An item is a sequence of 5 to 9
 * tokens; its digest is the bits of its log-probs. Since hone computes the gradient from the recorded operations, the
 * comparison with finite differences tests operations the plugin brings, and that `forward` is a function of its
 * parameters alone. */
#include "cli/validate.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "nn/forest.h"
#include "nn/model.h"
#include "nn/state.h"
#include "tensor/pool.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 9 };

static hone_pool *pool;
static hone_tape *tape;

static hone_status ready(void)
{
    if (!pool)
        HONE_TRY(hone_pool_create(1, &pool));
    return tape ? HONE_OK : hone_tape_create(hone_pool_exec(pool), &tape);
}

/* ---- a model of the instance ---------------------------------------------------------------------- */

static const hone_value *config_for(hone__v *v, const char *type, size_t len)
{
    char text[800];
    hone_value *out = hone_arena_calloc(&v->arena, 1, sizeof *out);
    snprintf(text, sizeof text,
             "{\"model_type\":\"%.*s\",\"hidden_size\":32,"
             "\"intermediate_size\":40,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
             "\"num_key_value_heads\":2,\"head_dim\":16,\"vocab_size\":61,\"rms_norm_eps\":1e-5,"
             "\"max_position_embeddings\":512,\"query_pre_attn_scalar\":16,\"sliding_window\":64}",
             (int)len, type);
    const char *copy = hone_arena_strndup(&v->arena, text, strlen(text));
    if (!out || !copy || hone_json_parse(copy, strlen(copy), "config", &v->arena, out) < 0)
        return NULL;
    return out;
}

static hone_status model_of(hone__v *v, hone__vinst *i, hone_model **m)
{
    const hone_model_v1 *vt = i->vt;
    hone_model_choice c = {vt, i->self, v->info->c.id, i->inst};
    hone_str runs = {NULL, 0};
    hone_status s = -1;
    if (!HONE_HAS(vt, hone_model_v1, probe) || !HONE_HAS(vt, hone_model_v1, declare) ||
        !HONE_HAS(vt, hone_model_v1, forward) || !HONE_HAS(vt, hone_model_v1, config_json)) {
        hone__v_fail(v, "its table lacks probe, declare, forward or config_json");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    HONE_TRY(ready());
    hone__v_stage(v, "runs");
    if (HONE_HAS(vt, hone_model_v1, runs))
        runs = vt->runs(i->self);
    hone__v_stage(v, "declare");
    hone__v_inside++;
    for (size_t at = 0; s < 0 && at < runs.len;) {
        size_t end = at;
        while (end < runs.len && runs.ptr[end] != ' ')
            end++;
        const hone_value *config = config_for(v, runs.ptr + at, end - at);
        if (config && end > at)
            s = hone_model_create(&c, 1, "hf", config, "validate", HONE_MODEL_ALLOW_UNKNOWN, m);
        at = end + 1;
    }
    const hone_value *own = config_for(v, v->info->short_name, strlen(v->info->short_name));
    if (s < 0 && own)
        s = hone_model_create(&c, 1, "hf", own, "validate", HONE_MODEL_ALLOW_UNKNOWN, m);
    if (s < 0 && own)
        s = hone_model_create(&c, 1, "hf", own, "validate",
                              HONE_MODEL_ALLOW_UNKNOWN | HONE_MODEL_NAMED, m);
    hone__v_inside--;
    return s;
}

/* Weights drawn so that logits matter. */
static hone_status fill(hone_model *m)
{
    for (hone_param p = 0; p < hone_params_count(m->params); p++) {
        const hone_param_item *it = hone_params_item(m->params, p);
        float *row = hone_alloc((size_t)(it->cols > 0 ? it->cols : 1) * sizeof *row);
        hone_status s = row ? HONE_OK : HONE_E_NOMEM;
        for (int64_t r = 0; s >= 0 && r < it->rows; r++) {
            for (int64_t c = 0; c < it->cols; c++) {
                const hone_rng_key k = {5, HONE_RNG_USER, (uint64_t)p, (uint64_t)r, 0};
                const float x = (float)(2 * hone_rng_uniform(&k, (uint64_t)c) - 1);
                row[c] = it->init == HONE_INIT_ONE ? 1 + .3f * x : .25f * x;
            }
            s = hone_params_set_rows(m->params, p, r, 1, row);
        }
        hone_free(row);
        HONE_TRY(s);
    }
    return HONE_OK;
}

static hone_status open_model(hone__v *v, hone__vinst *i, hone_model **m)
{
    *m = NULL;
    HONE_TRY(model_of(v, i, m));
    return fill(*m);
}

static size_t ids_of(const hone_model *m, uint64_t seed, size_t k, int32_t ids[LONGEST])
{
    const hone_rng_key key = {seed, HONE_RNG_USER, 0, k, 0};
    const size_t n = 5 + hone_rng_below(&key, 0, 5);
    for (size_t t = 0; t < n; t++)
        ids[t] = (int32_t)hone_rng_below(&key, 1 + t, (uint64_t)m->info.vocab_size);
    return n;
}

static hone_status build(const hone_model *m, const hone__vwork *w, hone_forest *f)
{
    hone_forest_init(f);
    for (size_t at = 0; at < w->n; at++) {
        int32_t ids[LONGEST];
        const size_t n = ids_of(m, w->seed, w->index ? w->index[at] : at, ids);
        const int32_t seg = hone_forest_segment(f, -1, ids, (int64_t)n);
        if (seg < 0)
            return seg;
        const int64_t t = hone_forest_targets(f, seg, 1, (int64_t)n - 1);
        if (t < 0)
            return (hone_status)t;
    }
    return hone_forest_build(f) ? HONE_OK : HONE_E_NOMEM;
}

static hone_status log_probs(hone__v *v, hone_model *m, uint32_t mode, const hone_batch *b,
                             float *out)
{
    hone__v_stage(v, "forward of %lld tokens", (long long)b->n_tokens);
    hone__v_inside++;
    hone_status s = hone_model_begin(m, tape, mode, b, NULL);
    if (s >= 0) {
        const hone_tensor h = hone_model_hidden(m, tape),
                          lp = hone_model_logprob(m, tape, h, 1, NULL);
        hone_tape_keep(tape, lp);
        s = hone_tape_forward(tape);
        if (s >= 0)
            memcpy(out, hone_tape_value(tape, lp).data, (size_t)b->n_targets * sizeof *out);
    }
    hone__v_inside--;
    return s;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    hone_model *m;
    hone_forest f;
    w->whole = 1;
    HONE_TRY(open_model(v, i, &m));
    hone_status s = w->n ? build(m, w, &f) : HONE_OK;
    float *lp = hone_calloc(w->n * LONGEST + 1, sizeof *lp);
    if (s >= 0 && w->n)
        s = lp ? log_probs(v, m, HONE_MODE_SCORE, hone_forest_build(&f), lp) : HONE_E_NOMEM;
    int64_t asked = 0;
    for (size_t at = 0; s >= 0 && at < w->n; at++) {
        int32_t ids[LONGEST];
        uint64_t d = 1;
        for (size_t t = ids_of(m, w->seed, w->index ? w->index[at] : at, ids); t > 1; t--) {
            const float x = lp[hone_forest_slot(&f, asked++)];
            if (!v->lenient && !isfinite(x))
                hone__v_fail(v, "sequence %zu: a log-prob is %f", at, (double)x);
            d = hone_xxh64(&x, sizeof x, d);
        }
        if (w->digest)
            w->digest[at] = d | 1;
        w->whole = hone_xxh64(&d, sizeof d, w->whole);
    }
    if (w->n)
        hone_forest_release(&f);
    hone_free(lp);
    hone_model_destroy(m);
    return s;
}

/* ---- tests of models ------------------------------------------------------------------------------ */

static double sum_of(hone__v *v, hone_model *m, const hone_batch *b, float *lp, hone_status *s)
{
    double sum = 0;
    if (*s >= 0)
        *s = log_probs(v, m, HONE_MODE_SCORE, b, lp);
    for (int64_t k = 0; *s >= 0 && k < b->n_targets; k++)
        sum += (double)lp[k] * (k % 3 ? 1 : -.5);
    return sum;
}

/* The slope of the weighted sum of log-probs along the gradient of one parameter, against differences. */
static hone_status one_slope(hone__v *v, hone_model *m, const hone_batch *b, hone_param p,
                             const float *grad, float *lp)
{
    const hone_param_item *it = hone_params_item(m->params, p);
    float *saved = hone_alloc(it->length * sizeof *saved), *at = it->data;
    double norm = 0, diff[2];
    hone_status s = saved ? HONE_OK : HONE_E_NOMEM;
    for (size_t k = 0; s >= 0 && k < it->length; k++)
        norm += (double)grad[k] * (double)grad[k];
    norm = sqrt(norm);
    if (s < 0 || norm < 1e-12) {
        hone_free(saved);
        return s;
    }
    memcpy(saved, at, it->length * sizeof *saved);
    for (int half = 0; half < 2; half++) {
        const double step = half ? 1e-2 : 2e-2;
        double side[2];
        for (int up = 0; up < 2; up++) {
            for (size_t k = 0; k < it->length; k++)
                at[k] = saved[k] + (float)((up ? step : -step) * (double)grad[k] / norm);
            side[up] = sum_of(v, m, b, lp, &s);
        }
        diff[half] = (side[1] - side[0]) / (2 * step);
    }
    memcpy(at, saved, it->length * sizeof *saved);
    const double got = (4 * diff[1] - diff[0]) / 3;
    if (s >= 0 && fabs(got - norm) > 1e-2 * norm + 1e-3)
        hone__v_fail(v, "%s: its gradient says a slope of %g, differences give %g", it->name, norm,
                     got);
    hone_free(saved);
    return s;
}

static void t_gradients(hone__v *v)
{
    hone_model *m = NULL;
    hone_forest f;
    hone__vwork w = {.seed = v->seed, .n = 4};
    float lp[4 * LONGEST], weight[4 * LONGEST];
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    hone_status s = open_model(v, i, &m);
    hone_forest_init(&f);
    if (s >= 0)
        s = build(m, &w, &f);
    const hone_batch *b = s >= 0 ? hone_forest_build(&f) : NULL;
    if (s >= 0)
        s = hone_params_need_grads(m->params, NULL);
    if (s >= 0) {
        hone_params_zero_grads(m->params);
        hone__v_stage(v, "forward for training");
        s = hone_model_begin(m, tape, HONE_MODE_TRAIN, b, NULL);
    }
    if (s >= 0) {
        const hone_tensor h = hone_model_hidden(m, tape),
                          out = hone_model_logprob(m, tape, h, 1, NULL);
        hone_tape_root(tape, out);
        for (int64_t k = 0; k < b->n_targets; k++)
            weight[k] = k % 3 ? 1 : -.5f;
        s = hone_tape_forward(tape);
        if (s >= 0)
            s = hone_tape_seed(tape, out, weight);
        if (s >= 0)
            s = hone_tape_backward(tape);
        if (s >= 0)
            s = hone_tape_finish_grads(tape);
    }
    float *grads = NULL;
    if (s >= 0) {
        const size_t n = hone_params_flat_length(m->params);
        grads = hone_alloc(n * sizeof *grads);
        s = grads ? HONE_OK : HONE_E_NOMEM;
        if (grads)
            memcpy(grads, hone_params_grads(m->params), n * sizeof *grads);
    }
    for (hone_param p = 0; s >= 0 && p < hone_params_count(m->params) && !hone__v_failed(v); p++)
        s = one_slope(v, m, b, p, grads + hone_params_item(m->params, p)->flat, lp);
    if (s < 0)
        hone__v_fail(v, "%s", hone__v_error());
    hone_free(grads);
    hone_forest_release(&f);
    hone_model_destroy(m);
    hone__v_destroy(v, i);
}

/* Token by token, and in pieces, from a sequence's state: the bits of scoring. */
static void t_generation(hone__v *v)
{
    enum { LEN = 150 };
    static int32_t ids[LEN], next[LEN];
    static float want[LEN], got[LEN];
    hone_model *m = NULL;
    hone_state *st = NULL;
    hone_forest f;
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    hone_status s = open_model(v, i, &m);
    hone_forest_init(&f);
    const hone_rng_key key = {v->seed, HONE_RNG_USER, 9, 0, 0};
    for (int t = 0; s >= 0 && t < LEN; t++)
        ids[t] = (int32_t)hone_rng_below(&key, (uint64_t)t, (uint64_t)m->info.vocab_size);
    if (s >= 0) {
        const int32_t seg = hone_forest_segment(&f, -1, ids, LEN);
        s = seg < 0 ? seg : (hone_status)hone_forest_targets(&f, seg, 1, LEN - 1);
    }
    if (s >= 0)
        s = log_probs(v, m, HONE_MODE_SCORE, hone_forest_build(&f), want);
    if (s >= 0)
        s = hone_state_create(&m->info, 64, &st);
    const hone_seq q = s >= 0 ? hone_seq_create(st) : -1;
    static const int pieces[] = {5, 1, 1, 58, 1, 64, 1, 19};
    for (int k = 0, at = 0, out = 0; s >= 0 && k < 8; at += pieces[k++]) {
        const hone_batch *b;
        for (int t = 0; t < pieces[k]; t++)
            next[t] = at + t + 1 < LEN ? ids[at + t + 1] : -1;
        hone_seq_step step = {q, pieces[k], ids + at, next, HONE_LOGITS_NONE, 0};
        s = hone_state_batch(st, &step, 1, &b);
        if (s >= 0)
            s = log_probs(v, m, pieces[k] == 1 ? HONE_MODE_DECODE : HONE_MODE_PREFILL, b,
                          got + out);
        if (s >= 0)
            out += (int)b->n_targets;
        if (s >= 0)
            hone_state_commit(st);
    }
    for (int t = 0; s >= 0 && t < LEN - 1 && !hone__v_failed(v); t++)
        if (memcmp(&want[t], &got[t], sizeof *got) != 0)
            hone__v_fail(v, "token %d: the log-prob is %.9g when scored, %.9g when generated",
                         t + 1, (double)want[t], (double)got[t]);
    if (s < 0)
        hone__v_fail(v, "%s", hone__v_error());
    hone_state_destroy(st);
    hone_forest_release(&f);
    hone_model_destroy(m);
    hone__v_destroy(v, i);
}

static void t_config(hone__v *v)
{
    hone_model *m = NULL;
    hone_str text;
    hone_value out;
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    hone_status s = open_model(v, i, &m);
    if (s >= 0)
        s = hone_model_config_json(m, &text);
    if (s >= 0)
        s = hone_json_parse(text.ptr, text.len, "config_json", &v->arena, &out);
    if (s >= 0 && out.type != HONE_MAP)
        hone__v_fail(v, "config_json is no object");
    if (s < 0)
        hone__v_fail(v, "%s", hone__v_error());
    hone_model_destroy(m);
    hone__v_destroy(v, i);
}

/* Configurations that make no sense are refused with a text. */
static void t_bad_config(hone__v *v)
{
    static const char *const texts[] = {
        "{}", "{\"hidden_size\":-1,\"vocab_size\":0}",
        "{\"hidden_size\":\"many\",\"vocab_size\":[]}",
        "{\"hidden_size\":1e300,\"vocab_size\":9223372036854775807}",
        "{\"hidden_size\":0,\"num_attention_heads\":0,\"vocab_size\":5}"};
    hone__vinst *i = hone__v_need(v);
    for (size_t k = 0; i && k < 5; k++) {
        hone_value config;
        hone_model *m = NULL;
        hone_model_choice c = {i->vt, i->self, v->info->c.id, i->inst};
        hone__v_with(v, "the configuration %s", texts[k]);
        hone__v_stage(v, "declare");
        if (hone_json_parse(texts[k], strlen(texts[k]), "config", &v->arena, &config) < 0)
            continue;
        hone__v_inside++;
        if (hone_model_create(&c, 1, "hf", &config, "validate",
                              HONE_MODEL_ALLOW_UNKNOWN | HONE_MODEL_NAMED | HONE_MODEL_DECLARED,
                              &m) >= 0 &&
            m && k)
            hone__v_warn(v, "takes the configuration %s", texts[k]);
        hone__v_inside--;
        hone_model_destroy(m);
    }
    hone__v_destroy(v, i);
}

static const hone__vtest tests[] = {
    {"model.gradients", t_gradients, HONE__VT_SLOW, "gradients against finite differences"},
    {"model.generation", t_generation, HONE__VT_SLOW,
     "log-probs of scoring and generating, bit for bit"},
    {"model.config", t_config, 0, "its configuration as JSON"},
    {"model.bad_config", t_bad_config, 0, "configurations without sense"},
    {0}};
const hone__vkind hone__v_model = {HONE_KIND_MODEL, HONE_IFACE_MODEL, NULL, work, tests, 0};
