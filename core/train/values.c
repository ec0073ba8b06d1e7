/* values.c - see values.h. */
#include "train/values.h"

#include "nn/forest.h"
#include "nn/value_head.h"
#include "train/update.h"

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

/* Texts [from, to), each a root. */
static hone_status together(hone_policy *p, const hone_ids *texts, size_t from, size_t to,
                            uint32_t adapters, double *out)
{
    hone_forest f;
    hone_tensor h;
    const hone_tape_options o = {.adapters = adapters};
    hone_status s = HONE_OK;
    hone_forest_init(&f);
    for (size_t i = from; s >= 0 && i < to; i++) {
        const int32_t seg = hone_forest_segment(&f, -1, texts[i].ids, (int64_t)texts[i].n);
        s = seg < 0 ? seg : HONE_OK;
    }
    const hone_batch *b = s >= 0 ? hone_forest_build(&f) : NULL;
    if (s >= 0)
        s = b ? hone_model_begin(p->model, p->tape, HONE_MODE_SCORE, b, &o)
              : hone_error_get()->code;
    if (s >= 0) {
        h = hone_model_hidden(p->model, p->tape);
        hone_tape_keep(p->tape, h);
        s = hone_tape_forward(p->tape);
    }
    if (s >= 0 && !hone_region_planning()) {
        const hone_view v = hone_tape_value(p->tape, h);
        for (size_t i = from; i < to; i++) {
            const int64_t row = f.segments[i - from].first_token + counted(p->model, &texts[i]);
            out[i] = hone_value_head_of(p->model, (const float *)v.data + row * v.ld);
        }
    }
    hone_forest_release(&f);
    return s;
}

hone_status hone_policy_values(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                               double *out)
{
    const size_t most = hone_policy_auto_tokens(p);
    if (!p->model->value_head)
        return hone__values_missing(p);
    for (size_t i = 0; i < n; i++)
        if (!texts[i].n)
            return hone_fail(HONE_E_INVALID, "text %zu is empty", i);
    hone_params_tape(p->model->params, &p->model->tape_params);
    for (size_t from = 0, to; from < n; from = to) {
        size_t tokens = texts[from].n;
        for (to = from + 1; to < n && tokens + texts[to].n <= most; to++)
            tokens += texts[to].n;
        HONE_TRY(together(p, texts, from, to, adapters, out));
    }
    return HONE_OK;
}
