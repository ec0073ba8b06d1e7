/* reward_model.c - a decoder with a head of one number, trained on preferences, says what an answer is worth.
 *
 * As a reward the score of a completion is that number, r = w . h of the last token of the whole conversation: any real number, of
 * which only differences to one prompt mean something. `hone run reward_model` trains such a model and saves it in RUN/model.
 *
 *   hone.reward("reward_model", { model = "RUN/model" })
 *
 * As a judge it is the same instance asked for verdicts. No rubric and no words: the model was trained to judge (hone.model.scorer/1's values; *ForSequenceClassification with one
 * label). One candidate gets its value. Two get the probability that the first is preferred under Bradley and Terry's model,
 * brought to -1..1: 2 s(a - b) - 1 = tanh((a - b) / 2). More get a ranking. Candidates of an item share nothing: each is a
 * conversation of its own. A text longer than the model's positions is `truncated`, as a reward an error.
 *
 * Both tell the same spec, so they are one judge to the gate: what was measured of the judge holds for the reward.
 *
 * Sources: Bradley and Terry 1952; Ouyang et al. 2022 (arXiv 2203.02155), section 3.5. */
#include "hone/judge.h"
#include "hone/plugin.h"
#include "hone/reward.h"
#include "hone/scorer.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { F_MODEL };
static const hone_field *const fields[] = {
    HONE_STR("model", NULL, HONE_REQUIRED, "a reward model: known name, folder or file"), NULL};

typedef struct judge_head {
    const hone_host *host;
    hone_ref mem, scorer;
    hone_str model; /* "model:M" */
    int chat;       /* it has a template */
    char checksum[17];
    char *spec;
    size_t spec_len, spec_size, size;
    char name[];
} judge_head;

/* ---- one batch ----------------------------------------------------------------------------------------------- */

/* What one call holds, in one block: for each candidate its item and value, for each item its messages. */
typedef struct batch {
    hone_value_item *items;
    double *values;
    hone_message *messages;
    uint32_t *order;
    size_t n, n_messages, most;
    void *block;
    size_t bytes;
} batch;

static const hone_judge_item *item_at(const hone_judge_item *items, size_t i, size_t stride)
{
    return (const hone_judge_item *)(const void *)((const char *)items + i * stride);
}

static size_t turns(const hone_judge_item *it)
{
    return (it->messages && it->n_messages ? it->n_messages : 1) + 1;
}

static hone_status take_room(const judge_head *h, const hone_judge_item *items, size_t n,
                             size_t stride, batch *b)
{
    const hone_mem_v1 *mem = h->mem.vt;
    for (size_t i = 0; i < n; i++) {
        const hone_judge_item *it = item_at(items, i, stride);
        if (it->n_candidates > (size_t)1 << 20 || it->n_messages > (size_t)1 << 20 ||
            b->n > (size_t)1 << 24)
            return hone_host_fail(h->host, HONE_E_LIMIT, "item %zu is too large", i);
        b->n += it->n_candidates;
        b->n_messages += it->n_candidates * turns(it);
        b->most = it->n_candidates > b->most ? it->n_candidates : b->most;
    }
    b->bytes = b->n * (sizeof *b->items + sizeof *b->values) + b->n_messages * sizeof *b->messages +
               b->most * sizeof *b->order;
    b->block = b->bytes ? mem->resize(h->mem.self, NULL, 0, b->bytes) : NULL;
    if (b->bytes && !b->block)
        return hone_host_fail(h->host, HONE_E_NOMEM, "no memory for %zu candidates", b->n);
    if (b->bytes)
        memset(b->block, 0, b->bytes);
    b->items = b->block;
    b->values = (double *)(void *)(b->items + b->n);
    b->messages = (hone_message *)(void *)(b->values + b->n);
    b->order = (uint32_t *)(void *)(b->messages + b->n_messages);
    return HONE_OK;
}

static void fill(const judge_head *h, const hone_judge_item *items, size_t n, size_t stride,
                 batch *b)
{
    hone_message *m = b->messages;
    hone_value_item *to = b->items;
    for (size_t i = 0; i < n; i++) {
        const hone_judge_item *it = item_at(items, i, stride);
        const size_t k = turns(it);
        for (size_t c = 0; c < it->n_candidates; c++, to++) {
            if (!h->chat) {
                *to = (hone_value_item){.prompt = it->prompt, .completion = it->candidates[c]};
                continue;
            }
            if (k > 2 || (it->messages && it->n_messages))
                memcpy(m, it->messages, (k - 1) * sizeof *m);
            else
                m[0] = (hone_message){hone_str_c("user"), it->prompt};
            m[k - 1] = (hone_message){hone_str_c("assistant"), it->candidates[c]};
            *to = (hone_value_item){.messages = m, .n_messages = k};
            m += k;
        }
    }
}

/* Candidate numbers by falling value, the lower number first among equals. */
static void rank(const double *values, size_t n, uint32_t *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && values[order[at - 1]] < values[i]; at--)
            order[at] = order[at - 1];
        order[at] = (uint32_t)i;
    }
}

static hone_status put(const hone_verdict_sink *sink, size_t item, const double *values, size_t n,
                       uint32_t *order)
{
    hone_verdict v = {.struct_size = sizeof v, .status = HONE_SCORE, .score = (double)NAN};
    int whole = n > 0;
    for (size_t c = 0; c < n; c++)
        whole &= isfinite(values[c]);
    if (!whole) {
        v.status = HONE_ERROR;
        v.detail = HONE_VERDICT_TRUNCATED;
        return sink->put(sink, item, &v);
    }
    if (n == 1)
        v.score = values[0];
    else {
        if (n == 2)
            v.score = tanh((values[0] - values[1]) / 2);
        rank(values, n, order);
        v.ranking = order;
        v.n_ranking = n;
        v.candidate_scores = values;
    }
    return sink->put(sink, item, &v);
}

/* The values of all candidates; leave_room is called whatever comes of it. */
static hone_status ask(const judge_head *h, const hone_call *call, const hone_judge_item *items,
                       size_t n, size_t stride, batch *b)
{
    const hone_model_scorer_v1 *vt = h->scorer.vt;
    hone_status s = take_room(h, items, n, stride, b);
    if (s < 0 || !b->n)
        return s;
    fill(h, items, n, stride, b);
    return vt->values(h->scorer.self, call, h->model, b->items, b->n, sizeof *b->items, b->values);
}

static void leave_room(const judge_head *h, const batch *b)
{
    const hone_mem_v1 *mem = h->mem.vt;
    if (b->block)
        mem->resize(h->mem.self, b->block, b->bytes, 0);
}

static hone_status judge(void *self, const hone_call *call, const hone_judge_item *items, size_t n,
                         size_t stride, const hone_verdict_sink *sink)
{
    const judge_head *h = self;
    batch b = {0};
    hone_status s = ask(h, call, items, n, stride, &b);
    for (size_t i = 0, at = 0; s >= 0 && i < n; i++) {
        const size_t k = item_at(items, i, stride)->n_candidates;
        s = put(sink, i, b.values + at, k, b.order);
        at += k;
    }
    leave_room(h, &b);
    return s;
}

/* ---- as a reward: each sample is an item with one candidate ---------------------------------------------------- */

static void too_long(const hone_notes *notes, size_t sample)
{
    const hone_value reason = {.type = HONE_STRING,
                               .u.str = hone_str_c("longer than the reward model's positions")};
    if (notes)
        notes->put(notes, sample, hone_str_c("reason"), &reason);
}

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    const judge_head *h = self;
    const hone_mem_v1 *mem = h->mem.vt;
    batch b = {0};
    if (n == 0)
        return HONE_OK;
    if (n > (size_t)1 << 24)
        return hone_host_fail(h->host, HONE_E_LIMIT, "%zu samples in one batch", n);
    hone_judge_item *items = mem->resize(h->mem.self, NULL, 0, n * sizeof *items);
    if (!items)
        return hone_host_fail(h->host, HONE_E_NOMEM, "no memory for %zu samples", n);
    memset(items, 0, n * sizeof *items);
    for (size_t i = 0; i < n; i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        items[i].id = s->id;
        items[i].prompt = s->prompt;
        items[i].messages = s->messages;
        items[i].n_messages = s->n_messages;
        items[i].candidates = &s->completion;
        items[i].n_candidates = 1;
    }
    hone_status s = ask(h, call, items, n, sizeof *items, &b);
    for (size_t i = 0; s >= 0 && i < n; i++) {
        const float v = (float)b.values[i];
        if (!isfinite(v))
            too_long(notes, i);
        hone_outcome_set(out, out_stride, i, isfinite(v) ? HONE_SCORE : HONE_ERROR,
                         isfinite(v) ? v : 0);
    }
    leave_room(h, &b);
    mem->resize(h->mem.self, items, n * sizeof *items, 0);
    return s;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* Where `text` stands in the host's flat JSON; or NULL. */
static const char *find(hone_str json, const char *text)
{
    const size_t n = strlen(text);
    for (size_t i = 0; i + n <= json.len; i++)
        if (memcmp(json.ptr + i, text, n) == 0)
            return json.ptr + i;
    return NULL;
}

static hone_status take_description(const hone_text_sink *sink, size_t index, hone_str text)
{
    static const char key[] = "\"checksum\":\"";
    judge_head *h = sink->ctx;
    const char *sum = find(text, key);
    (void)index;
    if (!find(text, "\"head\":true"))
        return hone_host_fail(h->host, HONE_E_UNSUPPORTED, "%s has no reward model's head",
                              h->name + 6);
    h->chat = find(text, "\"template\":true") != NULL;
    if (sum && (size_t)(text.ptr + text.len - sum) > sizeof key + 16)
        memcpy(h->checksum, sum + sizeof key - 1, 16);
    return HONE_OK;
}

static hone_str spec(void *self)
{
    const judge_head *h = self;
    return (hone_str){h->spec, h->spec_len};
}

static size_t put_text(char *to, const char *text)
{
    const size_t n = strlen(text);
    memcpy(to, text, n);
    return n;
}

/* {"backend":"reward_model","model":"M","checksum":"..."} */
static hone_status write_spec(judge_head *h)
{
    static const char hex[] = "0123456789abcdef";
    const hone_mem_v1 *mem = h->mem.vt;
    const hone_str name = {h->name + 6, h->model.len - 6};
    size_t n;
    h->spec_size = 6 * name.len + 128;
    h->spec = mem->resize(h->mem.self, NULL, 0, h->spec_size);
    if (!h->spec)
        return hone_host_fail(h->host, HONE_E_NOMEM, "no memory for a judge");
    n = put_text(h->spec, "{\"backend\":\"reward_model\",\"model\":\"");
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.ptr[i];
        if (c >= 32 && c != '"' && c != '\\') {
            h->spec[n++] = (char)c;
            continue;
        }
        n += put_text(h->spec + n, "\\u00");
        h->spec[n++] = hex[c >> 4];
        h->spec[n++] = hex[c & 15];
    }
    n += put_text(h->spec + n, "\",\"checksum\":\"");
    n += put_text(h->spec + n, h->checksum);
    n += put_text(h->spec + n, "\"}");
    h->spec_len = n;
    return HONE_OK;
}

static void destroy(void *self)
{
    judge_head *h = self;
    const hone_mem_v1 *mem = h->mem.vt;
    const hone_ref m = h->mem;
    if (h->spec)
        mem->resize(m.self, h->spec, h->spec_size, 0);
    mem->resize(m.self, h, h->size, 0);
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    const hone_str given = cfg->str(cfg, F_MODEL);
    hone_ref mem, scorer;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem);
    if (s >= 0)
        s = host->get_iface(host, HONE_IFACE_SCORER, &scorer);
    if (s < 0)
        return s;
    const hone_mem_v1 *mv = mem.vt;
    const hone_model_scorer_v1 *vt = scorer.vt;
    if (!HONE_HAS(vt, hone_model_scorer_v1, values) ||
        !HONE_HAS(vt, hone_model_scorer_v1, describe))
        return hone_host_fail(host, HONE_E_UNSUPPORTED, "this host's models give no values");
    const size_t size = sizeof(judge_head) + 6 + given.len + 1;
    judge_head *h = mv->resize(mem.self, NULL, 0, size);
    if (!h)
        return hone_host_fail(host, HONE_E_NOMEM, "no memory for a judge");
    memset(h, 0, size);
    *h = (judge_head){.host = host, .mem = mem, .scorer = scorer, .size = size};
    memcpy(h->name, "model:", 6);
    memcpy(h->name + 6, given.ptr, given.len);
    h->model = (hone_str){h->name, 6 + given.len};
    const hone_text_sink sink = {sizeof sink, 0, h, take_description};
    s = vt->describe(scorer.self, NULL, h->model,
                     &sink); /* loads it: what does not fit is refused now */
    if (s >= 0)
        s = write_spec(h);
    if (s < 0) {
        destroy(h);
        return s;
    }
    *self_out = h;
    return HONE_OK;
}

static const hone_judge_v1 judge_v1 = {
    .struct_size = sizeof judge_v1, .judge = judge, .spec = spec};
static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_SCORER, NULL};

HONE_DEFINE_JUDGE(reward_model_component, judge_v1, .id = "org.hone.judge.reward_model",
                  .version = "0.1.0", .vendor = "hone", .license = "MIT",
                  .summary = "what a reward model's head says of an answer", .url = "",
                  .caps = HONE_CAP_SLOW | HONE_CAP_DETERMINISTIC | HONE_CAP_BATCH_INVARIANT,
                  .fields = fields, .needs = needs, .create = create, .destroy = destroy);

static const hone_reward_v1 reward_v1 = {.struct_size = sizeof reward_v1, .score = score};

/* The reward is asked as a judge too: for its spec, by which the gate knows it. */
static const void *reward_get_iface(void *self, const char *asked)
{
    (void)self;
    if (hone_iface_is(asked, HONE_IFACE_REWARD))
        return &reward_v1;
    return hone_iface_is(asked, HONE_IFACE_JUDGE) ? &judge_v1 : NULL;
}

static const char *const reward_provides[] = {HONE_IFACE_REWARD, HONE_IFACE_JUDGE, NULL};
static const hone_component reward_component = {
    .struct_size = sizeof reward_component,
    .id = "org.hone.reward.reward_model",
    .kind = HONE_KIND_REWARD,
    .version = "0.1.0",
    .vendor = "hone",
    .license = "MIT",
    .summary = "what a reward model's head says a completion is worth",
    .url = "",
    .caps = HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT | HONE_CAP_BATCH_INVARIANT,
    .fields = fields,
    .needs = needs,
    .provides = reward_provides,
    .create = create,
    .destroy = destroy,
    .get_iface = reward_get_iface};

static const hone_component *const components[] = {&reward_model_component, &reward_component,
                                                   NULL};
static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
