/* values.c - see values.h. */
#include "train/values.h"

#include "nn/value_head.h"
#include "train/hidden.h"

hone_status hone__values_missing(const hone_policy *p)
{
    hone_fail(HONE_E_UNSUPPORTED, "%s has no reward model's head",
              p->model_path[0] ? p->model_path : p->name);
    return hone_fail_hint("name a folder of a *ForSequenceClassification model with one label");
}

/* The row whose hidden state counts: the last token that is no padding; the last, where all are. */
static int64_t counted(const hone_model *m, const hone_ids *text)
{
    int64_t i = (int64_t)text->n - 1;
    while (i > 0 && text->ids[i] == m->value_pad)
        i--;
    return text->ids[i] == m->value_pad ? (int64_t)text->n - 1 : i;
}

typedef struct valuing {
    hone_policy *p;
    const hone_ids *texts;
    double *out;
} valuing;

static hone_status take(void *ctx, size_t text, const float *rows, int64_t ld)
{
    const valuing *v = ctx;
    const int64_t row = counted(v->p->model, &v->texts[text]);
    v->out[text] = hone_value_head_of(v->p->model, rows + row * ld);
    return HONE_OK;
}

hone_status hone_policy_values(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                               double *out)
{
    valuing v = {p, texts, out};
    if (!p->model->value_head)
        return hone__values_missing(p);
    return hone_policy_hidden(p, texts, n, adapters, take, &v);
}
