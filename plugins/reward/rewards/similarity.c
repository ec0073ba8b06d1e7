/* similarity.c - how near an answer is to a reference in what a model makes of them: the cosine of two embeddings.
 *
 * The model's last hidden states, as one vector a text (hone.model.scorer/1, embed): a . b / (|a| |b|), in double, -1 to 1. Answer
 * and reference are embedded alone, without the prompt. Several references: the nearest of them. A group's samples share their row,
 * so a reference is embedded once for those that follow each other with it; all texts of a call go in one request.
 *
 * An empty answer has no embedding: it abstains. Not pure: the run's model moves. What the model cannot tell apart, this cannot
 * either: two texts of one kind are near each other whatever they say, so it needs a gate before it may train (judges.md 9). */
#include "rewards.h"

#include "hone/scorer.h"

#include <math.h>
#include <stdint.h>

typedef struct similarity {
    reward base;
    hone_ref scorer;
    hone_str column, model;
    uint32_t on_missing, flags;
    int clip;
} similarity;

enum { F_REFERENCE, F_ON_MISSING, F_MODEL, F_POOLING, F_CLIP };
static const hone_field *const fields[] = {
    FIELD_REFERENCE,
    FIELD_ON_MISSING,
    HONE_STR(
        "model", "", 0,
        "who embeds: none the run's first policy, its NAME, \"base\", \"model:M\" another one"),
    HONE_ENUM("pooling", "mean", "mean|last", 0, "over an answer's tokens, or its last token"),
    HONE_FLAG("clip", 0, 0, "scores below 0 are 0"),
    NULL};

/* ---- what one call asks ------------------------------------------------------------------------------------------ */

typedef struct asked {
    verdict v;
    size_t answer, first,
        n; /* numbers of texts: the answer, its n references; n 0: nothing is asked */
} asked;

typedef struct batch {
    const similarity *r;
    asked *samples; /* n */
    hone_embed_item *texts;
    cell_text *numbers; /* of a text that is a number */
    float *vectors;     /* n_texts x width, made when the first comes */
    char *there;        /* by text: it has a vector */
    size_t n, n_texts, most, width;
} batch;

static int room_for(batch *b, const hone_sample *in, size_t stride)
{
    for (size_t i = 0; i < b->n; i++) {
        const hone_sample *s = hone_sample_at(in, stride, i);
        size_t more = 2;
        for (size_t k = 0; k < s->n_columns; k++) {
            const hone_column *c = &s->columns[k];
            if (c->value.type == HONE_LIST && c->value.u.list.n >= more &&
                c->name.len == b->r->column.len &&
                memcmp(c->name.ptr, b->r->column.ptr, c->name.len) == 0)
                more = c->value.u.list.n + 1;
        }
        if (more > SIZE_MAX / 1024 - b->most)
            return 0;
        b->most += more;
    }
    if (b->n > SIZE_MAX / 1024)
        return 0;
    b->samples = memory_get(&b->r->base, b->n * sizeof *b->samples);
    b->texts = memory_get(&b->r->base, b->most * sizeof *b->texts);
    b->numbers = memory_get(&b->r->base, b->most * sizeof *b->numbers);
    b->there = memory_get(&b->r->base, b->most);
    if (!b->samples || !b->texts || !b->numbers || !b->there)
        return 0;
    memset(b->samples, 0, b->n * sizeof *b->samples);
    memset(b->texts, 0, b->most * sizeof *b->texts);
    memset(b->there, 0, b->most);
    return 1;
}

static void leave_room(batch *b)
{
    const reward *r = &b->r->base;
    memory_put(r, b->samples, b->n * sizeof *b->samples);
    memory_put(r, b->texts, b->most * sizeof *b->texts);
    memory_put(r, b->numbers, b->most * sizeof *b->numbers);
    memory_put(r, b->there, b->most);
    memory_put(r, b->vectors, b->n_texts * b->width * sizeof *b->vectors);
}

/* The references of a sample as texts behind those that are there. */
static int add_references(batch *b, const hone_value *reference, verdict *v, size_t *n)
{
    const int list = reference->type == HONE_LIST;
    *n = list ? reference->u.list.n : 1;
    for (size_t i = 0; i < *n; i++) {
        const size_t at = b->n_texts + i;
        b->texts[at].text = cell_as_text(list ? &reference->u.list.items[i] : reference,
                                         &b->numbers[at]);
        if (!b->texts[at].text.len) {
            error_is(v,
                     b->texts[at].text.ptr ? "the reference is empty" : "the reference is no text");
            return 0;
        }
    }
    if (!*n)
        error_is(v, "the list of references is empty");
    return *n != 0;
}

static int same_texts(const hone_embed_item *a, const hone_embed_item *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].text.len != b[i].text.len ||
            memcmp(a[i].text.ptr, b[i].text.ptr, a[i].text.len) != 0)
            return 0;
    return 1;
}

static void gather(batch *b, const hone_sample *in, size_t stride)
{
    size_t first = 0, n_first = 0; /* references of the sample before */
    for (size_t i = 0; i < b->n; i++) {
        asked *a = &b->samples[i];
        const scoring s = {&b->r->base, hone_sample_at(in, stride, i), i, NULL};
        const hone_value *reference = reference_of(&s, b->r->column, b->r->on_missing, &a->v);
        size_t n;
        if (!reference || !add_references(b, reference, &a->v, &n))
            continue;
        if (!s.sample->completion.len) {
            abstains(&a->v, "the completion is empty");
            continue;
        }
        if (n != n_first || !same_texts(&b->texts[first], &b->texts[b->n_texts], n)) {
            first = b->n_texts;
            n_first = n;
            b->n_texts += n;
        }
        a->first = first;
        a->n = n;
        a->answer = b->n_texts;
        b->texts[b->n_texts++].text = s.sample->completion;
    }
}

static hone_status take(const hone_embed_sink *sink, size_t item, const float *vector, size_t n,
                        uint64_t n_tokens)
{
    batch *b = sink->ctx;
    (void)n_tokens;
    if (item >= b->n_texts || (b->width && n && n != b->width))
        return hone_host_fail(b->r->base.host, HONE_E_RANGE, "text %zu: %zu numbers", item, n);
    if (!n)
        return HONE_OK;
    if (!b->vectors) {
        if (n > SIZE_MAX / sizeof *b->vectors / b->n_texts)
            return hone_host_fail(b->r->base.host, HONE_E_LIMIT, "%zu vectors of %zu numbers",
                                  b->n_texts, n);
        b->vectors = memory_get(&b->r->base, b->n_texts * n * sizeof *b->vectors);
        if (!b->vectors)
            return HONE_E_NOMEM;
        b->width = n;
    }
    memcpy(b->vectors + item * n, vector, n * sizeof *vector);
    b->there[item] = 1;
    return HONE_OK;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/* NaN where one of them has no direction. */
static double cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    const double c = ab / (sqrt(aa) * sqrt(bb));
    return c > 1 ? 1 : c < -1 ? -1 : c;
}

static void settle(const batch *b, asked *a)
{
    double best = -1;
    if (!a->n)
        return;
    for (size_t i = a->first; i < a->first + a->n; i++) {
        if (!b->there[i] || !b->there[a->answer]) {
            error_is(&a->v, b->there[i] ? "the completion is longer than the model's positions"
                                        : "the reference is longer than the model's positions");
            return;
        }
        const double c = cosine(b->vectors + a->answer * b->width, b->vectors + i * b->width,
                                b->width);
        if (isnan(c)) {
            error_is(&a->v, "an embedding has no direction");
            return;
        }
        best = c > best ? c : best;
    }
    score_is(&a->v, b->r->clip && best < 0 ? 0 : best);
}

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    const similarity *r = self;
    const hone_model_scorer_v1 *vt = r->scorer.vt;
    batch b = {.r = r, .n = n};
    hone_status s = HONE_OK;
    if (n == 0)
        return HONE_OK;
    if (!room_for(&b, in, in_stride))
        s = hone_host_fail(r->base.host, HONE_E_NOMEM, "no room for %zu samples", n);
    if (s >= 0)
        gather(&b, in, in_stride);
    if (s >= 0 && b.n_texts) {
        const hone_embed_sink sink = {sizeof sink, 0, &b, take};
        s = vt->embed(r->scorer.self, call, r->model, r->flags, b.texts, b.n_texts, sizeof *b.texts,
                      &sink);
    }
    for (size_t i = 0; s >= 0 && i < n; i++) {
        const scoring one = {&r->base, hone_sample_at(in, in_stride, i), i, notes};
        settle(&b, &b.samples[i]);
        verdict_is_out(&one, &b.samples[i].v, out, out_stride);
    }
    leave_room(&b);
    return s;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static const hone_reward_v1 table = {sizeof(hone_reward_v1), 0, score, NULL, NULL};
static const void *get_iface(void *self, const char *iface_id)
{
    (void)self;
    return strcmp(iface_id, HONE_IFACE_REWARD) == 0 ? &table : NULL;
}

static hone_status read_description(const hone_text_sink *sink, size_t index, hone_str text)
{
    (void)sink;
    (void)index;
    (void)text;
    return HONE_OK;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    hone_ref scorer;
    hone_status s = host->get_iface(host, HONE_IFACE_SCORER, &scorer);
    if (s < 0)
        return s;
    const hone_model_scorer_v1 *vt = scorer.vt;
    if (!HONE_HAS(vt, hone_model_scorer_v1, embed))
        return hone_host_fail(host, HONE_E_UNSUPPORTED, "this host's models give no embeddings");
    const hone_str model = cfg->str(cfg, F_MODEL);
    if (starts_with(model, "model:") && HONE_HAS(vt, hone_model_scorer_v1, describe)) {
        /* loads it: what is not there is refused now; the run's models may come later */
        const hone_text_sink sink = {sizeof sink, 0, NULL, read_description};
        s = vt->describe(scorer.self, NULL, model, &sink);
    }
    if (s >= 0)
        s = reward_create(host, sizeof(similarity), NULL, &base);
    if (s < 0)
        return s;
    similarity *r = (similarity *)base;
    r->scorer = scorer;
    r->model = model;
    r->column = cfg->str(cfg, F_REFERENCE);
    r->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    r->flags = cfg->i64(cfg, F_POOLING) ? HONE_EMBED_LAST : HONE_EMBED_MEAN;
    r->clip = (int)cfg->i64(cfg, F_CLIP);
    *self_out = r;
    return HONE_OK;
}

static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_SCORER, NULL};
static const char *const wants[] = {"completion", "columns", NULL};
const hone_component similarity_component = {
    .struct_size = sizeof(hone_component),
    .id = "org.hone.reward.similarity",
    .kind = HONE_KIND_REWARD,
    .version = "0.1.0",
    .vendor = "hone",
    .license = "MIT",
    .summary = "how near a completion is to a reference: the cosine of embeddings",
    .url = "",
    .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT | HONE_CAP_BATCH_INVARIANT,
    .fields = fields,
    .needs = needs,
    .wants = wants,
    .provides = reward_provides,
    .create = create,
    .destroy = reward_destroy,
    .get_iface = get_iface};
