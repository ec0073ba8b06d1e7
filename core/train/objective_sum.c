/* objective_sum.c - see objective_sum.h. Each term writes into gradients of its own, which are added with its weight: a term
 * may leave what it does not know untouched. */
#include "train/objective_sum.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TERMS = 16, ARRAYS = 4 };

typedef struct sum {
    hone_objective_term term[TERMS];
    char name[TERMS][64];
    size_t n;
} sum;

static hone_status ask(const hone_objective_term *t, uint32_t *uses, hone_objective_wants *w)
{
    hone_status s = HONE_OK;
    hone_instance_enter(t->instance);
    *uses = t->vt->uses(t->self);
    hone_instance_leave(t->instance, "uses", HONE_OK);
    *w = (hone_objective_wants){.struct_size = sizeof *w, .temperature = 1};
    if (HONE_HAS(t->vt, hone_objective_v1, wants)) {
        hone_instance_enter(t->instance);
        s = hone_instance_leave(t->instance, "wants", t->vt->wants(t->self, w));
    }
    return s;
}

static hone_status gather(const sum *x, uint32_t *uses, hone_objective_wants *out)
{
    const char *from = NULL;
    uint32_t all = 0, scores = 0;
    *uses = 0;
    for (size_t i = 0; i < x->n; i++) {
        hone_objective_wants w;
        uint32_t u;
        HONE_TRY(ask(&x->term[i], &u, &w));
        *uses |= u;
        all++;
        scores += (u & HONE_OBJ_BEHIND) != 0;
        if (w.embed_noise > out->embed_noise)
            out->embed_noise = w.embed_noise;
        if (!(u & HONE_OBJ_DIVERGENCE))
            continue;
        if (from && (w.beta != out->beta || w.temperature != out->temperature))
            return hone_fail(HONE_E_INVALID,
                             "a sum of losses: %s and %s want divergences that differ", from,
                             x->term[i].name);
        out->beta = w.beta;
        out->temperature = w.temperature;
        from = x->term[i].name;
    }
    if (scores && scores < all)
        return hone_fail(
            HONE_E_INVALID,
            "a sum of losses: what learns from scores of whole answers goes with its like alone");
    return HONE_OK;
}

void hone_objective_sum_destroy(void *self)
{
    sum *x = self;
    for (size_t i = 0; x && i < x->n; i++)
        hone_instance_unref(x->term[i].instance);
    hone_free(x);
}

hone_status hone_objective_sum_create(const hone_objective_term *terms, size_t n, void **out)
{
    hone_objective_wants w = {.struct_size = sizeof w, .temperature = 1};
    uint32_t uses;
    if (n < 1 || n > TERMS)
        return hone_fail(HONE_E_INVALID, "a sum of %zu losses; 1 to %d can be added", n, TERMS);
    sum *x = hone_calloc(1, sizeof *x);
    if (!x)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        x->term[i] = terms[i];
        snprintf(x->name[i], sizeof x->name[i], "%s", terms[i].name);
        x->term[i].name = x->name[i];
        if (terms[i].instance)
            hone_instance_addref(terms[i].instance);
        x->n = i + 1;
        if (!isfinite(terms[i].weight)) {
            hone_objective_sum_destroy(x);
            return hone_fail(HONE_E_RANGE, "a sum of losses: the weight of %s is not finite",
                             terms[i].name);
        }
    }
    hone_status s = gather(x, &uses, &w);
    if (s < 0) {
        hone_objective_sum_destroy(x);
        return s;
    }
    *out = x;
    return HONE_OK;
}

static uint32_t sum_uses(void *self)
{
    hone_objective_wants w = {.struct_size = sizeof w, .temperature = 1};
    uint32_t uses = 0;
    gather(self, &uses, &w);
    return uses;
}

static hone_status sum_wants(void *self, hone_objective_wants *out)
{
    uint32_t uses;
    return gather(self, &uses, out);
}

static hone_status sum_loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    const sum *x = self;
    const size_t n = in->n_tokens;
    double *const to[ARRAYS] = {out->grad_logp, out->grad_entropy, out->grad_value,
                                out->grad_divergence};
    size_t cells;
    if (!hone_mul_size(n, ARRAYS, &cells))
        return hone_fail(HONE_E_LIMIT, "a sum of losses: %zu tokens are too many", n);
    double *own = hone_calloc(cells ? cells : 1, sizeof *own), loss = 0;
    if (!own)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < x->n; i++) {
        const hone_objective_term *t = &x->term[i];
        hone_objective_out o = *out;
        char metric[80];
        memset(own, 0, cells * sizeof *own);
        o.loss = 0;
        o.grad_logp = own;
        o.grad_entropy = out->grad_entropy ? own + n : NULL;
        o.grad_value = out->grad_value ? own + 2 * n : NULL;
        o.grad_divergence = out->grad_divergence ? own + 3 * n : NULL;
        hone_instance_enter(t->instance);
        s = hone_instance_leave(t->instance, "loss", t->vt->loss(t->self, in, &o));
        if (s < 0)
            break;
        loss += t->weight * o.loss;
        for (size_t a = 0; a < ARRAYS; a++)
            for (size_t k = 0; to[a] && k < n; k++)
                to[a][k] += t->weight * own[a * n + k];
        snprintf(metric, sizeof metric, "loss/%s", t->name);
        if (out->metric && x->n > 1)
            out->metric(out, metric, HONE_METRIC_SUM, o.loss, 1);
    }
    hone_free(own);
    if (s >= 0)
        out->loss = loss;
    return s;
}

static hone_str sum_show(void *self)
{
    (void)self;
    return hone_str_c("a weighted sum of losses");
}

const hone_objective_v1 hone_objective_sum_vt = {
    sizeof(hone_objective_v1), 0, sum_uses, sum_loss, sum_show, sum_wants};
