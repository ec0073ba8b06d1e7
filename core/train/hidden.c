/* hidden.c - see hidden.h.
 *
 * Each text is a root of the segment forest: texts share nothing, so a batch gives the bits that each alone gives. An embedding is
 * the mean of a text's rows or its last one, in double, rounded to float once; brought to length 1 it is rounded once more, so that the
 * vector is that of the same text without HONE_EMBED_UNIT, divided.
 *
 * Does not tokenize, nor look at positions: who calls does. Source: compute.md sections 2 and 3. */
#include "train/hidden.h"

#include "nn/forest.h"
#include "train/update.h"

#include <math.h>

/* Texts [from, to), each a root. */
static hone_status together(hone_policy *p, const hone_ids *texts, size_t from, size_t to,
                            uint32_t adapters, uint32_t what, hone_hidden_fn take, void *ctx)
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
        if (what == HONE_ROWS_VALUE)
            h = hone_model_value(p->model, p->tape, h);
        hone_tape_keep(p->tape, h);
        s = hone_tape_forward(p->tape);
    }
    if (s >= 0 && !hone_region_planning()) {
        const hone_view v = hone_tape_value(p->tape, h);
        for (size_t i = from; s >= 0 && i < to; i++)
            s = take(ctx, i, (const float *)v.data + f.segments[i - from].first_token * v.ld, v.ld);
    }
    hone_forest_release(&f);
    return s;
}

hone_status hone_policy_hidden(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                               uint32_t what, hone_hidden_fn take, void *ctx)
{
    const size_t most = hone_policy_auto_tokens(p);
    for (size_t i = 0; i < n; i++)
        if (!texts[i].n)
            return hone_fail(HONE_E_INVALID, "text %zu is empty", i);
    hone_params_tape(p->model->params, &p->model->tape_params);
    for (size_t from = 0, to; from < n; from = to) {
        size_t tokens = texts[from].n;
        for (to = from + 1; to < n && tokens + texts[to].n <= most; to++)
            tokens += texts[to].n;
        HONE_TRY(together(p, texts, from, to, adapters, what, take, ctx));
    }
    return HONE_OK;
}

/* ---- embeddings ------------------------------------------------------------------------------------------------ */

typedef struct embedding {
    const hone_ids *texts;
    int64_t width;
    uint32_t flags;
    float *out;
} embedding;

static hone_status pool(void *ctx, size_t text, const float *rows, int64_t ld)
{
    const embedding *e = ctx;
    const int64_t n = (int64_t)e->texts[text].n;
    const int64_t first = e->flags & HONE_EMBED_LAST ? n - 1 : 0;
    float *out = e->out + (int64_t)text * e->width;
    double length = 0;
    for (int64_t c = 0; c < e->width; c++) {
        double sum = 0;
        for (int64_t i = first; i < n; i++)
            sum += (double)rows[i * ld + c];
        out[c] = (float)(sum / (double)(n - first));
        length += (double)out[c] * (double)out[c];
    }
    if (e->flags & HONE_EMBED_UNIT && length > 0)
        for (int64_t c = 0; c < e->width; c++)
            out[c] = (float)((double)out[c] / sqrt(length));
    return HONE_OK;
}

hone_status hone_policy_embed(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                              uint32_t flags, float *out)
{
    embedding e = {texts, p->model->info.hidden, flags, out};
    if (flags & ~(HONE_EMBED_LAST | HONE_EMBED_UNIT))
        return hone_fail(HONE_E_INVALID, "flags %u of an embedding are not known here", flags);
    return hone_policy_hidden(p, texts, n, adapters, HONE_ROWS_HIDDEN, pool, &e);
}
