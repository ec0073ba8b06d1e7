/* validate_reward.c - rewards: an ordinary batch, and what is asked of a reward alone (validate.h).
 *
 * Samples are small sums ("3 + 4 = 7") whose answer stands in columns of many names, so that most rewards find what
 * they look for. The array of samples, their strings, the outcomes, the call and the notes each lie against a fence.
 */
#include "cli/validate.h"

#include "base/hash.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LONG = HONE__V_MEGABYTE };

/* ---- samples -------------------------------------------------------------------------------------- */

typedef struct larger_sample {
    hone_sample s;
    unsigned char poison[24];
} larger_sample;
typedef struct larger_outcome {
    hone_outcome o;
    unsigned char guard[16];
} larger_outcome;
typedef struct larger_call {
    hone_call c;
    unsigned char poison[32];
} larger_call;

static const char *const answer_names[] = {"answer",   "target", "reference", "ground_truth",
                                           "solution", "label",  "expected",  "gold"};
enum { N_ANSWERS = sizeof answer_names / sizeof *answer_names, N_COLUMNS = N_ANSWERS + 2 };

/* Sample number k of the sequence: a pure function of (seed, k), of other text for each kind of items. */
static int make_sample(hone__vwork *w, size_t k, hone__vfence *f, hone__vfence *tables,
                       hone_sample *s)
{
    const hone_rng_key key = {w->seed, HONE_RNG_USER, 0, k, 0};
    const unsigned a = (unsigned)hone_rng_below(&key, 0, 90),
                   b = (unsigned)hone_rng_below(&key, 1, 9),
                   wrong = (unsigned)hone_rng_below(&key, 2, 3) == 0;
    static const char *const forms[] = {"The answer is %u.", "%u + %u makes \\boxed{%u}",
                                        "<think>%u and %u</think>#### %u", "%u"};
    char text[256];
    unsigned form = (unsigned)hone_rng_below(&key, 3, 4), sum = a + b + wrong;
    int odd = w->items == HONE__V_ODD;
    memset(s, 0, sizeof *s);
    s->id = k + 1;
    s->group = k / 8;
    s->finish = HONE_FINISH_STOP;
    if (w->items != HONE__V_BARE) {
        hone_column *c = hone__v_fence_take(tables, N_COLUMNS * sizeof *c, 8);
        if (!c)
            return 0;
        memset(c, 0, N_COLUMNS * sizeof *c);
        snprintf(text, sizeof text, "%u", a + b);
        hone_str answer = odd ? hone__v_odd_text(f, k * 5 + 3) : hone__v_put_text(f, text);
        for (size_t i = 0; i < N_ANSWERS; i++) {
            c[i].name = hone__v_put_text(f, answer_names[i]);
            c[i].value.type = HONE_STRING;
            c[i].value.u.str = answer;
        }
        c[N_ANSWERS].name = hone__v_put_text(f, "number");
        c[N_ANSWERS].value.type = HONE_I64;
        c[N_ANSWERS].value.u.i64 = (int64_t)k;
        c[N_ANSWERS + 1].name = odd ? hone__v_odd_text(f, k) : hone__v_put_text(f, "empty");
        s->columns = c;
        s->n_columns = N_COLUMNS;
    }
    if (odd) {
        s->prompt = hone__v_odd_text(f, k + 1);
        s->completion = hone__v_odd_text(f, k);
    } else {
        snprintf(text, sizeof text, "%u + %u = ?", a, b);
        s->prompt = hone__v_put_text(f, text);
        if (form == 1 || form == 2)
            snprintf(text, sizeof text, form == 1 ? forms[1] : forms[2], a, b, sum);
        else
            snprintf(text, sizeof text, form ? forms[3] : forms[0], sum);
        s->completion = w->items == HONE__V_EMPTY  ? (hone_str){NULL, 0}
                        : w->items == HONE__V_ECHO ? s->prompt
                                                   : hone__v_put_text(f, text);
    }
    if (w->items == HONE__V_LONG) {
        char *to = hone__v_fence_take(f, LONG, 1);
        for (size_t i = 0; to && i < LONG; i++)
            to[i] = "word 12 (a) "[i % 12];
        s->completion = (hone_str){to, to ? LONG : 0};
    }
    hone_message *m = hone__v_fence_take(tables, sizeof *m, 8);
    size_t n = s->completion.len < 64 ? s->completion.len / 2 : 32;
    int32_t *tokens = hone__v_fence_take(tables, n * sizeof *tokens, 4);
    float *logprobs = hone__v_fence_take(tables, n * sizeof *logprobs, 4);
    if (!m || !tokens || !logprobs)
        return 0;
    m->role = hone__v_put_text(f, "user");
    m->content = s->prompt;
    s->messages = m;
    s->n_messages = 1;
    for (size_t i = 0; i < n; i++) {
        tokens[i] = (int32_t)hone_rng_below(&key, 10 + i, 500);
        logprobs[i] = -(float)hone_rng_uniform(&key, 100 + i);
    }
    s->tokens = tokens;
    s->logprobs = logprobs;
    s->n_tokens = n;
    return 1;
}

/* ---- one call ------------------------------------------------------------------------------------- */

typedef struct answers {
    hone__v *v;
    const char *samples; /* hone_sample, stride bytes apart */
    size_t stride, n;
    uint64_t *notes;      /* a digest a sample */
    hone_outcome *tokens; /* of score_tokens */
} answers;

static void put_note(const hone_notes *notes, size_t sample, hone_str name, const hone_value *value)
{
    answers *a = notes->ctx;
    hone_buf b;
    hone_jw w;
    if (sample >= a->n)
        return hone__v_fail(a->v, "notes something about sample %zu of %zu", sample, a->n);
    hone_buf_init(&b, 1 << 22);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_key_str(&w, name);
    hone_jw_value(&w, value);
    hone_jw_end(&w);
    a->notes[sample] = hone_xxh64(b.ptr, b.len, a->notes[sample]);
    hone_buf_release(&b);
}

static hone_status put_tokens(const hone_token_scores *sink, size_t sample, hone_outcome outcome,
                              const float *scores, size_t n)
{
    answers *a = sink->ctx;
    if (sample >= a->n)
        return hone__v_refuse(a->v, HONE_E_RANGE, "token scores for sample %zu of %zu", sample,
                              a->n);
    const hone_sample *s = hone_sample_at((const hone_sample *)(const void *)a->samples, a->stride,
                                          sample);
    if (n != s->n_tokens)
        return hone__v_refuse(a->v, HONE_E_INVALID, "%zu token scores for %zu tokens", n,
                              s->n_tokens);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(scores[i])) {
            hone__v_fail(a->v, "token score %zu of sample %zu is not finite", i, sample);
            break;
        }
    a->notes[sample] = hone_xxh64(scores, n * sizeof *scores, a->notes[sample]);
    a->tokens[sample] = outcome;
    return HONE_OK;
}

/* What came out, checked and made into digests. */
static void read_outcomes(hone__v *v, hone__vwork *w, const answers *a, const char *out,
                          size_t stride)
{
    static const char *const odd[] = {"", "", "", "", "TIMEOUT, which is the host's"};
    for (size_t i = 0; i < w->n; i++) {
        const hone_outcome *o = (const hone_outcome *)(const void *)(out + i * stride);
        if (o->status > HONE_ERROR)
            hone__v_fail(v, "item %zu: the outcome's status is %u%s%s", i, o->status,
                         o->status == HONE_TIMEOUT ? ": " : "",
                         o->status == HONE_TIMEOUT ? odd[4] : ": no such status");
        else if (o->status == HONE_SCORE && !v->lenient && !isfinite(o->score))
            hone__v_fail(v, "item %zu: the score is %f: not a number to train on", i,
                         (double)o->score);
        if (w->larger)
            for (size_t k = sizeof *o; k < stride; k++)
                if (((const unsigned char *)o)[k] != HONE__V_GUARD)
                    return hone__v_fail(v,
                                        "item %zu: wrote past the end of its outcome: in_stride "
                                        "and out_stride say how far items are apart",
                                        i);
        uint64_t d = hone_xxh64(&o->status, sizeof o->status, 1);
        if (o->status == HONE_SCORE)
            d = hone_xxh64(&o->score, sizeof o->score, d);
        d = (d ^ a->notes[i]) | 1;
        if (w->digest)
            w->digest[i] = d;
        w->whole = hone_xxh64(&d, sizeof d, w->whole);
    }
}

static hone_status run(hone__vinst *i, const hone_call *call, const hone_sample *in,
                       size_t in_stride, hone_outcome *out, size_t out_stride, answers *a)
{
    const hone_reward_v1 *vt = i->vt;
    hone_notes notes = {sizeof notes, 0, a, put_note};
    hone_token_scores sink = {sizeof sink, 0, a, put_tokens};
    if (HONE_HAS(vt, hone_reward_v1, score_groups))
        return vt->score_groups(i->self, call, in, a->n, in_stride, out, out_stride, &notes);
    if (!HONE_HAS(vt, hone_reward_v1, score_tokens))
        return vt->score(i->self, call, in, a->n, in_stride, out, out_stride, &notes);
    hone_status s = vt->score_tokens(i->self, call, in, a->n, in_stride, &sink);
    for (size_t k = 0; k < a->n; k++)
        memcpy((char *)out + k * out_stride, &a->tokens[k], sizeof a->tokens[k]);
    return s;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    const size_t in_stride = w->larger ? sizeof(larger_sample) : sizeof(hone_sample),
                 out_stride = w->larger ? sizeof(larger_outcome) : sizeof(hone_outcome);
    const hone_reward_v1 *vt = i->vt;
    hone__vfence in = {0}, out = {0}, texts = {0}, tables = {0};
    hone_status s;
    size_t each = w->items == HONE__V_LONG  ? LONG + 4096
                  : w->items == HONE__V_ODD ? 4 * (size_t)LONG
                                            : 4096;
    w->whole = 0;
    if (!HONE_HAS(vt, hone_reward_v1, score) && !HONE_HAS(vt, hone_reward_v1, score_groups) &&
        !HONE_HAS(vt, hone_reward_v1, score_tokens)) {
        hone__v_fail(v, "its table has neither score nor score_tokens nor score_groups");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    answers a = {.v = v, .n = w->n, .stride = in_stride};
    hone_arena scratch;
    hone_arena_init(&scratch, (size_t)1 << 30);
    a.notes = hone_arena_calloc(&scratch, w->n + 1, sizeof *a.notes);
    a.tokens = hone_arena_calloc(&scratch, w->n + 1, sizeof *a.tokens);
    s = a.notes && a.tokens ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0)
        s = hone__v_fence_open(&texts, (w->n + 1) * each, "the texts of the samples");
    if (s >= 0)
        s = hone__v_fence_open(&tables, (w->n + 1) * 2048, "the columns and tokens of the samples");
    if (s >= 0)
        s = hone__v_fence_open(&in, (w->n + 1) * in_stride + sizeof(larger_call), "the samples");
    if (s >= 0)
        s = hone__v_fence_open(&out, w->n * out_stride, "the outcomes");
    char *samples = s >= 0 ? hone__v_fence_take(&in, w->n * in_stride, 8) : NULL;
    larger_call *call = s >= 0 ? hone__v_fence_take(&in, sizeof *call, 8) : NULL;
    char *outcomes = s >= 0 ? hone__v_fence_take(&out, w->n * out_stride, 8) : NULL;
    for (size_t k = 0; s >= 0 && k < w->n; k++) {
        hone_sample one;
        memset(samples + k * in_stride, 0xA5, in_stride);
        if (!make_sample(w, w->index ? w->index[k] : k, &texts, &tables, &one))
            s = hone_fail(HONE_E_LIMIT, "the samples do not fit");
        memcpy(samples + k * in_stride, &one, sizeof one);
        memset(outcomes + k * out_stride, HONE__V_GUARD, out_stride);
        memset(outcomes + k * out_stride, 0, sizeof(hone_outcome));
    }
    if (s >= 0) {
        memset(call, 0xA5, sizeof *call);
        call->c = (hone_call){.struct_size = w->larger ? sizeof *call : sizeof call->c,
                              .n = (uint32_t)w->n,
                              .id = 1,
                              .cancelled = w->cancelled};
        hone__v_fence_readonly(&in);
        hone__v_fence_readonly(&texts);
        hone__v_fence_readonly(&tables);
        a.samples = samples;
        char what[64];
        snprintf(what, sizeof what, "score of %zu samples", w->n);
        hone__v_enter(v, i, what);
        s = run(i, &call->c, (const hone_sample *)(const void *)samples, in_stride,
                (hone_outcome *)(void *)outcomes, out_stride, &a);
        s = hone__v_leave(v, i, "score", s);
        if (s > 0)
            hone__v_fail(v, "score returned %d: a status is 0 or negative", s);
        read_outcomes(v, w, &a, outcomes, out_stride);
    }
    hone__v_fence_close(&in, w->keep);
    hone__v_fence_close(&out, w->keep);
    hone__v_fence_close(&texts, w->keep);
    hone__v_fence_close(&tables, w->keep);
    hone_arena_release(&scratch);
    return s;
}

/* ---- tests of rewards ----------------------------------------------------------------------------- */

/* A batch whose outcomes were all answered; `n` of items of one sort. */
static void plain(hone__v *v, int items, size_t n)
{
    uint64_t digest[16], pending;
    hone_outcome none = {HONE_PENDING, 0};
    hone__vwork w = {.seed = v->seed, .n = n, .items = items, .digest = digest};
    hone__vinst *i = hone__v_need(v);
    if (i && hone__v_work(v, i, &w)) {
        pending = hone_xxh64(&none.status, sizeof none.status, 1) | 1;
        for (size_t k = 0; k < n; k++)
            if (digest[k] == pending)
                hone__v_fail(v, "sample %zu was not answered, though the call succeeded", k);
    }
    hone__v_destroy(v, i);
}

static void t_answers(hone__v *v)
{
    plain(v, HONE__V_PLAIN, 16);
}
static void t_empty(hone__v *v)
{
    plain(v, HONE__V_EMPTY, 7);
}
static void t_echo(hone__v *v)
{
    plain(v, HONE__V_ECHO, 7);
}
static void t_long(hone__v *v)
{
    plain(v, HONE__V_LONG, 2);
}
static void t_bare(hone__v *v)
{
    plain(v, HONE__V_BARE, 7);
}

static const hone__vtest tests[] = {
    {"reward.answers", t_answers, 0, "every sample gets an outcome"},
    {"reward.empty", t_empty, 0, "empty completions"},
    {"reward.echo", t_echo, 0, "the prompt as the completion"},
    {"reward.long", t_long, 0, "completions of a megabyte"},
    {"reward.missing_columns", t_bare, 0, "rows without columns"},
    {"reward.strides", hone__v_strides, 0, "items further apart than their size"},
    {"reward.borrowed", hone__v_borrowed, 0, "nothing of a call is used after it"},
    {0}};
const hone__vkind hone__v_reward = {HONE_KIND_REWARD, HONE_IFACE_REWARD, NULL, work, tests, 1};
