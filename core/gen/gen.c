/* gen.c - the engine of gen.h.
 *
 * Live sequences are slots. One round: admit prompts while slots and the prefill budget allow (prefill, fork,
 * draw first tokens from the prompt's last row), then one decode step of all live slots: one batch of one
 * token a sequence, one row of logits each, drawn in parallel over slots. Slots keep the order in which they
 * were admitted, so callbacks come in the same order in every run. */
#include "gen/gen.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/trace.h"
#include "gen/guide.h"
#include "hone/reward.h"

#include <string.h>

#define PREFILL_TOKENS 2048

typedef struct slot {
    size_t prompt;
    uint64_t sample;
    hone_seq seq;
    int32_t *ids; /* max_tokens each */
    float *logprob, *full;
    size_t n;
    uint32_t finish; /* 0 while live */
    hone_buf text;
    hone_decoder decoder;
    int has_decoder;
    hone__guide guide;
    hone_status failed;
    hone_error error;
} slot;

struct hone_gen {
    hone_model *m;
    const hone_tokenizer *tokenizer;
    hone_pool *pool;
    hone_state *state;
    hone_tape *tape;
    hone_region work;     /* per thread 3 V floats, for the choice */
    hone_region rows;     /* logits of one round when a processor or a grammar changes them */
    hone__guides *guides; /* or NULL: no grammar was used yet */
    hone_gen_stats stats;
};

typedef struct run {
    hone_gen *g;
    const hone_gen_prompt *prompts;
    const hone_gen_params *p;
    slot *slots;
    size_t n_live, max_live;
    hone_seq_step *steps;
    int32_t *last; /* the token each slot feeds next */
    int32_t *seen; /* prompt and completion ids, for the penalty: one a thread is enough */
    size_t seen_stride;
    /* the round of choices in work */
    const float *logits; /* of the model */
    float *own;          /* the same, changed by a caller or a grammar; or NULL */
    int64_t ld;
    const size_t *row_slot, *row_of;
    int32_t *candidates; /* for `weigh` */
    double *weight;
    int64_t n_candidates;
    size_t n_rows;
} run;

hone_status hone_gen_create(hone_model *m, const hone_tokenizer *tokenizer, hone_pool *pool,
                            hone_gen **out)
{
    hone_gen *g = hone_calloc(1, sizeof *g);
    if (!g)
        return HONE_E_NOMEM;
    g->m = m;
    g->tokenizer = tokenizer;
    g->pool = pool;
    hone_status s = hone_state_create(&m->info, 0, &g->state);
    if (s >= 0)
        s = hone_tape_create(hone_pool_exec(pool), &g->tape);
    if (s >= 0)
        s = hone_region_init(&g->work, "scratch",
                             (size_t)hone_pool_threads(pool) * 3 * (size_t)m->info.vocab_size *
                                 sizeof(float));
    if (s < 0) {
        hone_gen_destroy(g);
        return s;
    }
    *out = g;
    return HONE_OK;
}

void hone_gen_destroy(hone_gen *g)
{
    if (!g)
        return;
    hone_region_release(&g->work);
    hone_region_release(&g->rows);
    hone__guides_destroy(g->guides);
    hone_tape_destroy(g->tape);
    hone_state_destroy(g->state);
    hone_free(g);
}

void hone_gen_get_stats(const hone_gen *g, hone_gen_stats *out)
{
    *out = g->stats;
}

static hone_status check(const hone_gen *g, const hone_gen_prompt *prompts, size_t n,
                         const hone_gen_params *p)
{
    int64_t vocab = g->m->info.vocab_size, max = g->m->info.max_positions;
    HONE_TRY(hone_sample_rule_check(&p->rule));
    if (p->max_tokens < 1)
        return hone_fail(HONE_E_RANGE, "max_tokens %d: must be at least 1", p->max_tokens);
    if (p->n_stop_strings && !g->tokenizer)
        return hone_fail(HONE_E_INVALID, "stop strings need a tokenizer, and the model has none");
    for (size_t i = 0; i < n; i++) {
        if (prompts[i].grammar && !g->tokenizer)
            return hone_fail(HONE_E_INVALID, "a grammar needs a tokenizer, and the model has none");
        if (prompts[i].grammar && (p->n_stop_strings || p->stop)) {
            hone_fail(HONE_E_USAGE, "a grammar and a stop rule exclude each other");
            return hone_fail_hint("a completion ends where its grammar ends");
        }
        if (prompts[i].n == 0) {
            hone_status s = hone_fail(HONE_E_INVALID, "prompt %zu is empty", i);
            hone_fail_hint(
                "a model goes on from at least one token; its template or a bos token gives one");
            return s;
        }
        if (max > 0 && (int64_t)prompts[i].n >= max)
            return hone_fail(HONE_E_INVALID,
                             "prompt %zu has %zu tokens; the model has %lld positions", i,
                             prompts[i].n, (long long)max);
        for (size_t k = 0; k < prompts[i].n; k++) {
            if (prompts[i].ids[k] < 0 || prompts[i].ids[k] >= vocab)
                return hone_fail(HONE_E_INVALID,
                                 "prompt %zu: id %d is outside the vocabulary of %lld", i,
                                 prompts[i].ids[k], (long long)vocab);
        }
    }
    return HONE_OK;
}

/* ---- slots ------------------------------------------------------------------------------------------ */

static void slot_release(run *r, slot *s)
{
    if (s->seq >= 0)
        hone_seq_release(r->g->state, s->seq);
    if (s->has_decoder)
        hone_decoder_release(&s->decoder);
    hone_buf_release(&s->text);
    hone_free(s->ids);
    hone_free(s->logprob);
    hone_free(s->full);
    memset(s, 0, sizeof *s);
    s->seq = -1;
}

static hone_status slot_init(run *r, slot *s, size_t prompt, uint64_t sample)
{
    size_t cap = (size_t)r->p->max_tokens;
    memset(s, 0, sizeof *s);
    s->seq = -1;
    s->prompt = prompt;
    s->sample = sample;
    hone_buf_init(&s->text, (size_t)1 << 26);
    s->ids = hone_reallocarray(NULL, cap, sizeof *s->ids);
    s->logprob = hone_reallocarray(NULL, cap, sizeof *s->logprob);
    s->full = hone_reallocarray(NULL, cap, sizeof *s->full);
    if (!s->ids || !s->logprob || !s->full)
        return HONE_E_NOMEM;
    if (r->prompts[prompt].grammar)
        HONE_TRY(hone__guides_begin(r->g->guides, r->prompts[prompt].grammar, &s->guide));
    if (r->g->tokenizer) {
        hone_decoder_init(&s->decoder, r->g->tokenizer, HONE_DECODE_SKIP_SPECIAL);
        hone_decoder_after(&s->decoder, r->prompts[prompt].ids[r->prompts[prompt].n - 1]);
        s->has_decoder = 1;
    }
    return HONE_OK;
}

/* How many end tokens may be drawn. */
static size_t n_ends(const hone_gen_params *p)
{
    return p->ignore_stop_ids ? 0 : p->n_stop_ids;
}

static int ends_here(const hone_gen_params *p, int32_t id)
{
    for (size_t i = 0; i < n_ends(p); i++) {
        if (p->stop_ids[i] == id)
            return 1;
    }
    return 0;
}

/* Where the first stop string begins in text[from..], or -1. */
static int64_t find_stop(const hone_gen_params *p, hone_str text, size_t from)
{
    int64_t best = -1;
    for (size_t i = 0; i < p->n_stop_strings; i++) {
        hone_str z = p->stop_strings[i];
        if (z.len == 0 || z.len > text.len)
            continue;
        size_t a = from > z.len ? from - z.len : 0;
        const char *hit = memmem(text.ptr + a, text.len - a, z.ptr, z.len);
        if (hit && (best < 0 || hit - text.ptr < best))
            best = hit - text.ptr;
    }
    return best;
}

/* How many new tokens a sample of this prompt may have. */
static size_t new_tokens(const hone_gen_prompt *pr, const hone_gen_params *p)
{
    const size_t most = (size_t)p->max_tokens;
    return pr->max_tokens && pr->max_tokens < most ? pr->max_tokens : most;
}

/* A drawn token joins its sample: text, stop rules, callbacks. */
static hone_status accept(run *r, slot *s)
{
    const hone_gen_params *p = r->p;
    const hone_gen_prompt *pr = &r->prompts[s->prompt];
    int32_t id = s->ids[s->n - 1];
    size_t before = s->text.len;
    int end = ends_here(p, id);
    /* A vocabulary padded in the model has ids that the tokenizer does not know: they spell nothing. */
    if (s->has_decoder && !end && id < r->g->tokenizer->vocab_size) {
        HONE_TRY(hone_decoder_push(&s->decoder, id, &s->text));
        int64_t cut = p->n_stop_strings ? find_stop(p, hone_buf_str(&s->text), before) : -1;
        if (cut >= 0) {
            s->text.len = (size_t)cut;
            s->text.ptr[cut] = '\0';
            s->finish = HONE_FINISH_STOP;
            hone_buf rest; /* what the decoder held back lies behind the cut */
            hone_buf_init(&rest, 64);
            hone_decoder_finish(&s->decoder, &rest);
            hone_buf_release(&rest);
        }
    }
    if (end)
        s->finish = HONE_FINISH_STOP;
    else if (!s->finish && p->stop) {
        hone_status st = p->stop(p->ctx, s->prompt, s->sample, s->ids, s->n,
                                 hone_buf_str(&s->text));
        if (st < 0)
            return st;
        if (st > 0)
            s->finish = HONE_FINISH_STOP;
    }
    int done = 0; /* nothing but an end could follow */
    if (s->guide.matcher && !end) {
        HONE_TRY(hone__guide_step(r->g->guides, &s->guide, id));
        done = hone_matcher_must_end(s->guide.matcher, s->guide.state);
        if (done && n_ends(p) == 0)
            s->finish = HONE_FINISH_STOP;
    }
    if (!s->finish) {
        int64_t max = r->g->m->info.max_positions;
        int64_t used = (int64_t)pr->n + (int64_t)s->n;
        if (s->n >= new_tokens(pr, p) || (max > 0 && used >= max))
            s->finish = done ? HONE_FINISH_STOP : HONE_FINISH_LENGTH;
    }
    if (s->finish && s->has_decoder)
        HONE_TRY(hone_decoder_finish(&s->decoder, &s->text));
    if (s->finish == HONE_FINISH_STOP && s->guide.matcher)
        HONE_TRY(
            hone__guide_spelled(r->g->guides, s->ids, s->n - (size_t)end, hone_buf_str(&s->text)));
    if (p->on_token) {
        hone_str fresh = {s->text.ptr, 0};
        if (s->text.len > before)
            fresh = (hone_str){s->text.ptr + before, s->text.len - before};
        HONE_TRY(p->on_token(p->ctx, s->prompt, s->sample, id, fresh));
    }
    if (s->finish && p->on_finish) {
        hone_completion c = {
            s->prompt, s->sample, s->ids, s->logprob, s->full, s->n, hone_buf_str(&s->text),
            s->finish};
        HONE_TRY(p->on_finish(p->ctx, &c));
    }
    r->g->stats.new_tokens++;
    return HONE_OK;
}

/* ---- drawing ---------------------------------------------------------------------------------------- */

/* A caller's sampler: candidates, its weights, one of them. */
static hone_status choose_weighed(run *r, slot *s, const float *row, const int32_t *seen,
                                  size_t n_seen, double u, float *work, hone_choice *c)
{
    const hone_gen_params *p = r->p;
    int64_t V = r->g->m->info.vocab_size, n = 0, which = 0;
    HONE_TRY(hone_sample_candidates(&p->rule, row, V, seen, n_seen, r->n_candidates, work,
                                    r->candidates, r->weight, &n));
    HONE_TRY(p->weigh(p->ctx, s->prompt, s->sample, s->ids, s->n, r->candidates, r->weight, n));
    hone_status st = hone_sample_weighted(&p->rule, r->weight, n, u, &which, &c->logprob);
    if (st < 0)
        return hone_fail_at("sampler");
    c->id = r->candidates[which];
    return HONE_OK;
}

static void draw_task(void *arg, int64_t task, uint32_t thread)
{
    run *r = arg;
    const hone_gen_params *p = r->p;
    slot *s = &r->slots[r->row_slot[task]];
    const float *raw = r->logits + (int64_t)r->row_of[task] * r->ld;
    int64_t V = r->g->m->info.vocab_size;
    const float *row = p->logits ? r->own + task * V : raw;
    if (s->guide.matcher) {
        hone__guide_mask_row(&s->guide, p->stop_ids, n_ends(p), row, r->own + task * V, V);
        row = r->own + task * V;
    }
    float *work = (float *)r->g->work.base + (size_t)thread * 3 * (size_t)V;
    hone_rng_key key = {
        .seed = p->seed, .purpose = HONE_RNG_SAMPLE, .step = p->step, .sample = s->sample};
    hone_choice c = {0};
    int32_t *seen = NULL;
    size_t n_seen = 0;
    if (p->rule.repetition_penalty != 1) {
        const hone_gen_prompt *pr = &r->prompts[s->prompt];
        seen = r->seen + (size_t)thread * r->seen_stride;
        memcpy(seen, pr->ids, pr->n * sizeof *seen);
        if (s->n)
            memcpy(seen + pr->n, s->ids, s->n * sizeof *seen);
        n_seen = pr->n + s->n;
    }
    double u = hone_rng_uniform(&key, r->prompts[s->prompt].first_token + s->n);
    if (p->weigh)
        s->failed = choose_weighed(r, s, row, seen, n_seen, u, work, &c);
    else
        s->failed = hone_sample_choose(&p->rule, row, V, seen, n_seen, u, work, &c);
    if (s->failed >= 0 && (p->weigh || row != raw))
        s->failed = hone_sample_full(&p->rule, raw, V, c.id, &c.full);
    if (s->failed < 0) {
        s->error = *hone_error_get();
        return;
    }
    s->ids[s->n] = c.id;
    s->logprob[s->n] = c.logprob;
    s->full[s->n] = c.full;
    s->n++;
}

/* What may come next for each slot that has a grammar. *any: one has. */
static hone_status look(run *r, const size_t *row_slot, size_t n, int *any)
{
    const double t0 = hone_now_s();
    hone_status s = HONE_OK;
    *any = 0;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        hone__guide *guide = &r->slots[row_slot[i]].guide;
        if (!guide->matcher)
            continue;
        *any = 1;
        s = hone__guide_look(guide, n_ends(r->p) > 0);
    }
    if (*any)
        r->g->stats.grammar_s += hone_now_s() - t0;
    return s;
}

/* Draws one token for each (slot, row) pair and lets it join. */
static hone_status draw(run *r, hone_view logits, const size_t *row_slot, const size_t *row_of,
                        size_t n)
{
    const hone_gen_params *p = r->p;
    hone_gen *g = r->g;
    int64_t V = g->m->info.vocab_size;
    hone_status s = HONE_OK;
    hone_trace_span span;
    hone_trace_begin(&span, "draw tokens", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    r->logits = logits.data;
    r->own = NULL;
    r->ld = logits.ld;
    r->row_slot = row_slot;
    r->row_of = row_of;
    int guided;
    s = look(r, row_slot, n, &guided);
    if (s >= 0 && (p->logits || guided)) {
        s = hone_region_grow(&g->rows, n * (size_t)V * sizeof(float));
        r->own = g->rows.base;
    }
    if (s >= 0 && p->logits) {
        for (size_t i = 0; s >= 0 && i < n; i++) {
            slot *sl = &r->slots[row_slot[i]];
            float *to = (float *)g->rows.base + i * (size_t)V;
            memcpy(to, r->logits + (int64_t)row_of[i] * r->ld, (size_t)V * sizeof *to);
            s = p->logits(p->ctx, sl->prompt, sl->sample, sl->ids, sl->n, to, V);
        }
    }
    if (s >= 0 && p->weigh) { /* the caller's function runs on its own thread */
        for (size_t i = 0; i < n && (i == 0 || r->slots[row_slot[i - 1]].failed >= 0); i++)
            draw_task(r, (int64_t)i, 0);
    } else if (s >= 0) {
        const hone_exec *ex = hone_pool_exec(g->pool);
        ex->parallel(ex, (int64_t)n, draw_task, r);
    }
    hone_trace_end(&span, NULL);
    hone_trace_begin(&span, "accept tokens", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    for (size_t i = 0; s >= 0 && i < n; i++) {
        slot *sl = &r->slots[row_slot[i]];
        s = sl->failed < 0 ? hone_error_set(&sl->error) : accept(r, sl);
    }
    hone_trace_end(&span, NULL);
    return s;
}

static hone_status record(run *r, uint32_t mode, const hone_seq_step *steps, size_t n,
                          hone_tensor *logits)
{
    hone_gen *g = r->g;
    const hone_batch *batch;
    hone_tape_options opts = {.adapters = r->p->adapters};
    HONE_TRY(hone_state_batch(g->state, steps, n, &batch));
    HONE_TRY(hone_model_begin(g->m, g->tape, mode, batch, &opts));
    hone_tensor h = hone_model_hidden(g->m, g->tape);
    *logits = hone_model_logits(g->m, g->tape, h);
    hone_tape_keep(g->tape, *logits);
    return HONE_OK;
}

static hone_status forward(run *r, uint32_t mode, const hone_seq_step *steps, size_t n,
                           hone_view *logits)
{
    hone_gen *g = r->g;
    hone_tensor z;
    hone_trace_span span;
    hone_trace_begin(&span, "record the forward", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_status s = record(r, mode, steps, n, &z);
    hone_trace_end(&span, NULL);
    HONE_TRY(s);
    HONE_TRY(hone_tape_forward(g->tape));
    *logits = hone_tape_value(g->tape, z);
    hone_state_commit(g->state);
    return HONE_OK;
}

/* ---- rounds ----------------------------------------------------------------------------------------- */

static void drop_finished(run *r)
{
    size_t k = 0;
    for (size_t i = 0; i < r->n_live; i++) {
        if (r->slots[i].finish) {
            slot_release(r, &r->slots[i]);
            continue;
        }
        if (k != i) {
            r->slots[k] = r->slots[i];
            memset(&r->slots[i], 0, sizeof r->slots[i]);
            r->slots[i].seq = -1;
        }
        k++;
    }
    r->n_live = k;
}

/* Prefills prompts [from, to) in one batch, forks, draws every first token. */
static hone_status admit(run *r, size_t from, size_t to)
{
    hone_gen *g = r->g;
    size_t n = to - from, total = 0, k = 0;
    for (size_t i = from; i < to; i++)
        total += r->prompts[i].n_samples;
    hone_seq *roots = hone_calloc(n, sizeof *roots);
    hone_seq_step *steps = hone_calloc(n, sizeof *steps);
    size_t *row_slot = hone_calloc(total ? total : 1, sizeof *row_slot);
    size_t *row_of = hone_calloc(total ? total : 1, sizeof *row_of);
    hone_status s = roots && steps && row_slot && row_of ? HONE_OK : HONE_E_NOMEM;
    size_t made = 0;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        const hone_gen_prompt *pr = &r->prompts[from + i];
        roots[i] = hone_seq_create(g->state);
        if (roots[i] < 0) {
            s = roots[i];
            break;
        }
        made++;
        steps[i].seq = roots[i];
        steps[i].n = (int32_t)pr->n;
        steps[i].tokens = pr->ids;
        steps[i].logits = HONE_LOGITS_LAST;
        g->stats.prompt_tokens += pr->n;
    }
    hone_view logits = {0};
    double t0 = hone_now_s();
    if (s >= 0)
        s = forward(r, HONE_MODE_PREFILL, steps, n, &logits);
    g->stats.prefill_s += hone_now_s() - t0;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        const hone_gen_prompt *pr = &r->prompts[from + i];
        for (uint32_t j = 0; s >= 0 && j < pr->n_samples; j++) {
            slot *sl = &r->slots[r->n_live];
            r->n_live++;
            s = slot_init(r, sl, from + i, pr->first_sample + j);
            if (s < 0)
                break;
            sl->seq = hone_seq_fork(g->state, roots[i]);
            if (sl->seq < 0)
                s = sl->seq;
            row_slot[k] = r->n_live - 1;
            row_of[k++] = i;
        }
    }
    for (size_t i = 0; i < made; i++)
        hone_seq_release(g->state, roots[i]);
    if (s >= 0)
        s = draw(r, logits, row_slot, row_of, k);
    hone_free(roots);
    hone_free(steps);
    hone_free(row_slot);
    hone_free(row_of);
    return s;
}

static hone_status decode_all(run *r, size_t *row_slot)
{
    hone_view logits;
    double t0 = hone_now_s();
    for (size_t i = 0; i < r->n_live; i++) {
        slot *s = &r->slots[i];
        r->last[i] = s->ids[s->n - 1];
        r->steps[i] = (hone_seq_step){
            .seq = s->seq, .n = 1, .tokens = &r->last[i], .logits = HONE_LOGITS_LAST};
        row_slot[i] = i;
    }
    HONE_TRY(forward(r, HONE_MODE_DECODE, r->steps, r->n_live, &logits));
    HONE_TRY(draw(r, logits, row_slot, row_slot, r->n_live));
    r->g->stats.decode_s += hone_now_s() - t0;
    r->g->stats.decode_steps++;
    return HONE_OK;
}

static hone_status decode(run *r, size_t *row_slot)
{
    hone_trace_span span;
    hone_trace_begin(&span, "decode step", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    hone_status s = decode_all(r, row_slot);
    hone_trace_end(&span, NULL);
    return s;
}

/* ---- planning ---------------------------------------------------------------------------------------- */

/* What a sample of this prompt can come to at most: new tokens. */
static size_t most_tokens(const hone_gen *g, const hone_gen_prompt *prompt,
                          const hone_gen_params *p)
{
    const size_t most = new_tokens(prompt, p);
    int64_t max = g->m->info.max_positions, left = max - (int64_t)prompt->n;
    return max > 0 && left < (int64_t)most ? (size_t)left : most;
}

/* The sequences of one prompt, which stand in r->steps[first...], grow to their longest and decode. */
static hone_status plan_growth(run *r, const size_t *left, size_t n)
{
    enum { AT_ONCE = HONE_PAGE };
    static const int32_t zeros[AT_ONCE];
    const hone_batch *batch;
    hone_view logits;
    size_t done = 1, longest = 0;
    for (size_t i = 0; i < n; i++)
        longest = left[i] > longest ? left[i] : longest;
    while (done + 1 < longest) { /* all but the last step, in strides: only pages are taken */
        size_t k = 0, stride = longest - 1 - done < AT_ONCE ? longest - 1 - done : AT_ONCE;
        hone_seq_step *steps = r->steps + r->max_live;
        for (size_t i = 0; i < n; i++) {
            size_t mine = left[i] > done + 1 ? left[i] - 1 - done : 0;
            if (mine)
                steps[k++] = (hone_seq_step){.seq = r->steps[i].seq,
                                             .n = (int32_t)(mine < stride ? mine : stride),
                                             .tokens = zeros};
        }
        HONE_TRY(hone_state_batch(r->g->state, steps, k, &batch));
        hone_state_commit(r->g->state);
        done += stride;
    }
    for (size_t i = 0; i < n; i++)
        r->steps[i] = (hone_seq_step){
            .seq = r->steps[i].seq, .n = 1, .tokens = zeros, .logits = HONE_LOGITS_LAST};
    return longest > 1 ? forward(r, HONE_MODE_DECODE, r->steps, n, &logits) : HONE_OK;
}

/* Prompts [from, to), prefilled together; their samples join r->steps[*n...]. */
static hone_status plan_prefill(run *r, size_t from, size_t to, size_t *left, size_t *n)
{
    hone_gen *g = r->g;
    hone_seq_step *steps = r->steps + r->max_live;
    hone_view logits;
    hone_status s = HONE_OK;
    size_t made = 0;
    for (size_t i = from; s >= 0 && i < to; i++) {
        hone_seq root = hone_seq_create(g->state);
        if (root < 0) {
            s = root;
            break;
        }
        steps[made++] = (hone_seq_step){.seq = root,
                                        .n = (int32_t)r->prompts[i].n,
                                        .tokens = r->prompts[i].ids,
                                        .logits = HONE_LOGITS_LAST};
    }
    if (s >= 0)
        s = forward(r, HONE_MODE_PREFILL, steps, made, &logits);
    for (size_t i = from; s >= 0 && i < to; i++) {
        for (uint32_t j = 0; s >= 0 && j < r->prompts[i].n_samples; j++) {
            hone_seq q = hone_seq_fork(g->state, steps[i - from].seq);
            left[*n] = most_tokens(g, &r->prompts[i], r->p);
            if (q < 0)
                s = q;
            else
                r->steps[(*n)++].seq = q;
        }
    }
    for (size_t i = 0; i < made; i++)
        hone_seq_release(g->state, steps[i].seq);
    return s;
}

/* Every sample as long as it may get, all zeros: what the callers see of a plan. */
static hone_status plan_finish(run *r, size_t from, size_t to)
{
    size_t cap = (size_t)r->p->max_tokens;
    int32_t *ids = hone_calloc(cap, sizeof *ids);
    float *logprob = hone_calloc(cap, sizeof *logprob);
    hone_status s = ids && logprob ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = from; s >= 0 && i < to; i++) {
        for (uint32_t j = 0; s >= 0 && r->p->on_finish && j < r->prompts[i].n_samples; j++) {
            hone_completion c = {.prompt = i,
                                 .sample = r->prompts[i].first_sample + j,
                                 .ids = ids,
                                 .logprob = logprob,
                                 .full = logprob,
                                 .n = most_tokens(r->g, &r->prompts[i], r->p),
                                 .text = {"", 0},
                                 .finish = HONE_FINISH_LENGTH};
            s = r->p->on_finish(r->p->ctx, &c);
        }
    }
    hone_free(ids);
    hone_free(logprob);
    return s;
}

/* hone_gen_run while regions are planned: the same batches in the same engine, as many and as long as
 * the rules allow, and nothing is computed. Sequences of one wave end together, the dearest case. */
static hone_status plan_run(run *r, size_t n)
{
    size_t *left = hone_calloc(r->max_live, sizeof *left), next = 0;
    hone_free(r->steps);
    r->steps = hone_calloc(2 * r->max_live,
                           sizeof *r->steps); /* live ones, then room for a batch */
    hone_status s = left && r->steps ? HONE_OK : HONE_E_NOMEM;
    while (s >= 0 && next < n) {
        size_t live = 0, begin = next;
        while (s >= 0 && next < n && live + r->prompts[next].n_samples <= r->max_live) {
            size_t to = next, tokens = 0, will = live;
            while (to < n && will + r->prompts[to].n_samples <= r->max_live &&
                   (to == next || tokens + r->prompts[to].n <= PREFILL_TOKENS)) {
                tokens += r->prompts[to].n;
                will += r->prompts[to].n_samples;
                to++;
            }
            s = plan_prefill(r, next, to, left, &live);
            next = to;
        }
        if (s >= 0)
            s = plan_growth(r, left, live);
        for (size_t i = 0; i < live; i++)
            hone_seq_release(r->g->state, r->steps[i].seq);
        if (s >= 0)
            s = plan_finish(r, begin, next);
    }
    hone_free(left);
    return s;
}

hone_status hone_gen_run(hone_gen *g, const hone_gen_prompt *prompts, size_t n,
                         const hone_gen_params *p)
{
    run r = {.g = g, .prompts = prompts, .p = p};
    size_t next = 0, longest = 0, widest = 1;
    memset(&g->stats, 0, sizeof g->stats);
    HONE_TRY(check(g, prompts, n, p));
    for (size_t i = 0; i < n; i++) {
        if (prompts[i].grammar && !g->guides)
            HONE_TRY(hone__guides_create(g->tokenizer, &g->guides));
        longest = prompts[i].n > longest ? prompts[i].n : longest;
        widest = prompts[i].n_samples > widest ? prompts[i].n_samples : widest;
    }
    r.max_live = p->max_sequences ? p->max_sequences : 64;
    if (r.max_live < widest) /* a group is admitted whole */
        r.max_live = widest;
    r.slots = hone_calloc(r.max_live, sizeof *r.slots);
    r.steps = hone_calloc(r.max_live, sizeof *r.steps);
    r.last = hone_calloc(r.max_live, sizeof *r.last);
    size_t *row_slot = hone_calloc(r.max_live, sizeof *row_slot);
    hone_status s = r.slots && r.steps && r.last && row_slot ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0 && p->rule.repetition_penalty != 1) {
        r.seen_stride = longest + (size_t)p->max_tokens;
        r.seen = hone_reallocarray(NULL, hone_pool_threads(g->pool) * r.seen_stride,
                                   sizeof *r.seen);
        if (!r.seen)
            s = HONE_E_NOMEM;
    }
    if (s >= 0 && p->weigh) {
        r.n_candidates = p->candidates ? p->candidates : 64;
        r.candidates = hone_reallocarray(NULL, (size_t)r.n_candidates, sizeof *r.candidates);
        r.weight = hone_reallocarray(NULL, (size_t)r.n_candidates, sizeof *r.weight);
        if (!r.candidates || !r.weight)
            s = HONE_E_NOMEM;
    }
    if (s >= 0 && hone_region_planning()) {
        s = plan_run(&r, n);
        next = n;
    }
    while (s >= 0 && (next < n || r.n_live > 0)) {
        size_t to = next, tokens = 0, live = r.n_live;
        while (to < n && live + prompts[to].n_samples <= r.max_live &&
               (to == next || tokens + prompts[to].n <= PREFILL_TOKENS)) {
            tokens += prompts[to].n;
            live += prompts[to].n_samples;
            to++;
        }
        if (to > next) {
            hone_trace_span span;
            hone_trace_begin(&span, "admit prompts", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
            s = admit(&r, next, to);
            hone_trace_end(&span, NULL);
            next = to;
        } else if (r.n_live > 0) {
            s = decode(&r, row_slot);
        }
        if (s >= 0) {
            drop_finished(&r);
            s = hone__guides_trim(g->guides, &r.slots[0].guide, r.n_live, sizeof *r.slots);
        }
        if (s >= 0 && p->between)
            s = p->between(p->ctx);
    }
    hone_state_stats st;
    hone_state_get_stats(g->state, &st);
    g->stats.state_bytes = (size_t)st.pages_peak * st.page_bytes;
    for (size_t i = 0; r.slots && i < r.n_live; i++)
        slot_release(&r, &r.slots[i]);
    hone_free(r.slots);
    hone_free(r.steps);
    hone_free(r.last);
    hone_free(r.seen);
    hone_free(r.candidates);
    hone_free(r.weight);
    hone_free(row_slot);
    g->stats.grammar_states = hone__guides_states(g->guides);
    hone__guides_settle(g->guides);
    return s;
}
