/* values.c - see values.h. */
#include "train/values.h"

#include "nn/value_head.h"
#include "tensor/region.h"
#include "train/hidden.h"
#include "train/rollout.h"
#include "train/update.h"

#include <string.h>

hone_status hone__values_missing(const hone_policy *p)
{
    hone_fail(HONE_E_UNSUPPORTED, "%s has no reward model's head",
              p->model_path[0] ? p->model_path : p->name);
    return hone_fail_hint(
        "name a folder of a *ForSequenceClassification model with one label, or train one: "
        "run:policy { ..., value_head = true } or \"reward\"");
}

size_t hone_value_place(const hone_model *m, const int32_t *ids, size_t n)
{
    size_t i = n - 1;
    while (i > 0 && ids[i] == m->value_pad)
        i--;
    return ids[i] == m->value_pad ? n - 1 : i;
}

typedef struct valuing {
    hone_policy *p;
    const hone_ids *texts;
    double *out;
} valuing;

static hone_status take(void *ctx, size_t text, const float *rows, int64_t ld)
{
    const valuing *v = ctx;
    const hone_ids *x = &v->texts[text];
    v->out[text] = (double)rows[(int64_t)hone_value_place(v->p->model, x->ids, x->n) * ld];
    return HONE_OK;
}

hone_status hone_policy_values(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                               double *out)
{
    valuing v = {p, texts, out};
    if (p->model->head_kind == HONE_HEAD_NONE)
        return hone__values_missing(p);
    return hone_policy_hidden(p, texts, n, adapters, HONE_ROWS_VALUE, take, &v);
}

/* ---- inside a step ------------------------------------------------------------------------------------------- */

void hone__values_gather(const hone_forest_part *part, hone_view view, const int64_t *row,
                         size_t k0, size_t k1, double *out)
{
    const float *p = view.data;
    for (size_t k = k0; k < k1 && !hone_region_planning(); k++)
        out[k] = (double)p[(row[k] - part->first_token) * view.ld];
}

hone_status hone__values_seed(const hone_forest_part *part, hone_tape *tape, hone_tensor t,
                              const int64_t *row, size_t k0, size_t k1, const double *grad,
                              float *by_row)
{
    if (hone_region_planning())
        return HONE_OK;
    memset(by_row, 0, (size_t)part->batch.n_tokens * sizeof *by_row);
    for (size_t k = k0; k < k1; k++)
        by_row[row[k] - part->first_token] += (float)grad[k];
    return hone_tape_seed(tape, t, by_row);
}

hone_status hone_rollout_values(const hone_rollout *r, hone_policy *p, double *out)
{
    hone_arena a;
    hone_train_tree *trees;
    size_t n;
    hone_arena_init(&a, (size_t)4 << 30);
    hone_status s = hone_rollout_trees(r, HONE_EQUAL_KEEP, &a, &trees, &n);
    if (s >= 0)
        s = hone_policy_token_values(p, trees, n, 0, out);
    hone_arena_release(&a);
    return s;
}
