/* judging_settle.c - answers to verdicts: parsing, second tries, programs, orders, weights (judging_private.h).
 *
 * Three walks over the batch. First each item's answers are read; what cannot be read gets a repair turn, then another seed,
 * and such items wait. Then the programs of the rubric score all items that are whole, in one call a program. Then each such
 * item gets its verdict: the mean over orders and over those repetitions of which every question was understood.
 * A value of a pair shown the other way round changes its sign, a list's goes back to its candidate; half the difference
 * between the orders is the inconsistency. Source: judges.md sections 2, 3 and 5. */
#include "judge/judging_private.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

/* What one question came to. */
typedef struct got {
    const hone_judging_answer *answer; /* the last attempt; NULL: none */
    uint32_t detail;
    const char *why;
    hone_str reasoning;
    double *values; /* n_fields of the question; of a list: one for each candidate */
    double *
        probs; /* labels of its one field, in the order of the candidates and labels of the item; or NULL */
    double mass, entropy;
} got;

typedef struct entry {
    const hone_judge_item *item;
    hone__plan plan;
    got *got; /* plan.total */
    int touched, whole;
    double *programs;     /* n_verifiers x units */
    hone_str program_why; /* why a program gave no score, in its own words; or empty */
    double cost;          /* of all attempts, as the next three */
    uint64_t latency_ns, tokens_in, tokens_out;
} entry;

struct batch {
    const hone__spec *s;
    const hone_call *call;
    hone_arena arena, scratch;
    entry *entries;
    size_t n;
};

/* ---- reading one answer ------------------------------------------------------------------------------------ */

/* Labels were asked for, and the backend has no log-probs: the label as it was written. Mass and entropy stay unknown. */
static hone_status read_label_text(struct batch *b, const hone__view *v, got *g)
{
    const hone__field *f = &b->s->fields[v->at.ask];
    hone_reply r;
    HONE_TRY(hone_reply_label(g->answer->text, g->answer->detail == HONE_VERDICT_TRUNCATED,
                              &v->fields[0], &b->arena, &r));
    g->detail = r.detail;
    g->why = r.why;
    if (r.detail != HONE_VERDICT_OK)
        return HONE_OK;
    g->values = hone_arena_calloc(&b->arena, HONE__CANDIDATES, sizeof *g->values);
    if (!g->values)
        return HONE_E_NOMEM;
    if (b->s->rubric->shape == HONE_SHAPE_LISTWISE)
        g->values[v->order[r.choice[0]]] = 1;
    else
        g->values[0] = b->s->rubric->shape == HONE_SHAPE_PAIRWISE && v->order[0] == 1
                           ? -f->values[r.choice[0]]
                           : f->values[r.choice[0]];
    return HONE_OK;
}

static hone_status read_labels(struct batch *b, const hone__view *v, got *g)
{
    const hone__spec *s = b->s;
    const hone__field *f = &s->fields[v->at.ask];
    const size_t n = v->fields[0].n_labels;
    const uint32_t shape = s->rubric->shape;
    double *probs = hone_arena_calloc(&b->arena, n, sizeof *probs);
    double *zeros = hone_arena_calloc(&b->arena, n, sizeof *zeros);
    double value;
    if (!probs || !zeros)
        return HONE_E_NOMEM;
    if (g->answer->detail == HONE_VERDICT_TRUNCATED && !g->answer->text.len) {
        g->detail = HONE_VERDICT_TRUNCATED;
        g->why = "the question is longer than the model has positions";
        return HONE_OK;
    }
    if (g->answer->n_labels != n || !g->answer->label_logprobs)
        return read_label_text(b, v, g);
    if (!hone_reply_labels(g->answer->label_logprobs,
                           shape == HONE_SHAPE_LISTWISE ? zeros : f->values, n, s->min_mass, &value,
                           &g->mass, &g->entropy, probs)) {
        g->why = "the labels have too little probability: the model would write another thing";
        return HONE_OK;
    }
    g->detail = HONE_VERDICT_OK;
    g->probs = probs;
    if (shape == HONE_SHAPE_LISTWISE) {
        for (size_t i = 0; i < n; i++)
            zeros[v->order[i]] = probs[i];
        memcpy(probs, zeros, n * sizeof *probs);
        g->values = probs;
        return HONE_OK;
    }
    if (shape == HONE_SHAPE_PAIRWISE && v->order[0] == 1) {
        value = -value;
        const double a = probs[0];
        probs[0] = probs[1];
        probs[1] = a;
    }
    g->values = hone_arena_calloc(&b->arena, 1, sizeof *g->values);
    if (!g->values)
        return HONE_E_NOMEM;
    g->values[0] = value;
    return HONE_OK;
}

static hone_status read_text(struct batch *b, const entry *e, const hone__view *v, got *g)
{
    const hone__spec *s = b->s;
    const hone_reply_want want = {v->form, v->fields, v->n_fields};
    const uint32_t shape = s->rubric->shape;
    hone_reply r;
    HONE_TRY(hone_reply_read(g->answer->text, g->answer->detail == HONE_VERDICT_TRUNCATED, &want,
                             &b->arena, &r));
    g->detail = r.detail;
    g->why = r.why;
    g->reasoning = r.reasoning;
    if (r.detail != HONE_VERDICT_OK)
        return HONE_OK;
    const size_t k = e->item->n_candidates;
    const size_t n = v->form == HONE_REPLY_RANKING ? k : v->n_fields;
    g->values = hone_arena_calloc(&b->arena, n, sizeof *g->values);
    if (!g->values)
        return HONE_E_NOMEM;
    if (v->form == HONE_REPLY_RANKING) {
        for (size_t place = 0; place < k; place++)
            g->values[v->order[r.choice[place]]] = (double)(k - 1 - place) / (double)(k - 1);
        return HONE_OK;
    }
    for (size_t i = 0; i < n; i++) {
        const double x = s->fields[i].values[r.choice[i]];
        g->values[i] = shape == HONE_SHAPE_PAIRWISE && v->order[0] == 1 ? -x : x;
    }
    if (n == 1) { /* how often each label was given, over repetitions */
        const hone__field *f = &s->fields[0];
        size_t choice = r.choice[0];
        g->probs = hone_arena_calloc(&b->arena, f->n, sizeof *g->probs);
        if (!g->probs)
            return HONE_E_NOMEM;
        if (shape == HONE_SHAPE_PAIRWISE && v->order[0] == 1 && choice < 2)
            choice = 1 - choice;
        g->probs[choice] = 1;
        g->mass = 1;
    }
    return HONE_OK;
}

static hone_status read_answer(struct batch *b, entry *e, uint32_t number)
{
    got *g = &e->got[number];
    hone__view v;
    g->detail = g->answer->detail;
    if (g->detail == HONE_VERDICT_OK || g->detail == HONE_VERDICT_TRUNCATED) {
        HONE_TRY(hone__judging_view(b->s, &e->plan, e->item, number, &b->arena, &v));
        g->detail = HONE_VERDICT_UNPARSED;
        return b->s->generate ? read_text(b, e, &v, g) : read_labels(b, &v, g);
    }
    if (g->detail > HONE_VERDICT_BUDGET)
        g->detail = HONE_VERDICT_UNPARSED;
    static const char *const whys[] = {
        NULL, "the backend gave no answer", "the model would not answer",
        NULL, "there was no time left",     "there was no budget left"};
    g->why = whys[g->detail];
    g->reasoning = g->answer->text;
    return HONE_OK;
}

/* The attempt that comes next, or 0: a text that was not understood is repaired, then asked for with another seed; one that
 * was cut is not repaired. */
static uint32_t next_attempt(const hone__spec *s, const got *g)
{
    if (!s->generate || g->answer->attempt + 1 >= HONE__ATTEMPTS)
        return 0;
    if (g->answer->detail != HONE_VERDICT_OK && g->answer->detail != HONE_VERDICT_TRUNCATED)
        return 0;
    if (g->detail == HONE_VERDICT_UNPARSED)
        return g->answer->attempt + 1;
    return g->detail == HONE_VERDICT_TRUNCATED && g->answer->attempt < 2 ? 2 : 0;
}

static hone_status read_entry(struct batch *b, size_t index, const hone_judging_sink *again)
{
    entry *e = &b->entries[index];
    e->whole = 1;
    for (size_t k = 0; k < e->plan.total; k++) {
        got *g = &e->got[k];
        hone_judging_question q;
        if (!g->answer) {
            g->detail = HONE_VERDICT_UNPARSED;
            g->why = "a question was not answered";
            continue;
        }
        HONE_TRY(read_answer(b, e, (uint32_t)k));
        const uint32_t attempt = again ? next_attempt(b->s, g) : 0;
        if (!attempt)
            continue;
        e->whole = 0;
        hone_arena_clear(&b->scratch);
        HONE_TRY(hone__judging_question(b->s, &e->plan, e->item, index, (uint32_t)k, attempt,
                                        g->answer->text, g->why, &b->scratch, &q));
        HONE_TRY(again->put(again, &q));
    }
    return HONE_OK;
}

/* ---- programs ----------------------------------------------------------------------------------------------- */

/* The columns that a program sees: the item's, and its reference by that name where it is none of them. */
static hone_status program_columns(struct batch *b, const hone_judge_item *it, hone_sample *out)
{
    size_t room;
    out->columns = it->columns;
    out->n_columns = it->n_columns;
    for (size_t i = 0; i < it->n_columns; i++)
        if (hone_str_eq(it->columns[i].name, "reference"))
            return HONE_OK;
    if (!it->reference.ptr)
        return HONE_OK;
    HONE_TRY(hone_add_size(it->n_columns, 1, &room));
    hone_column *columns = hone_arena_calloc(&b->arena, room, sizeof *columns);
    if (!columns)
        return HONE_E_NOMEM;
    if (it->n_columns)
        memcpy(columns, it->columns, it->n_columns * sizeof *columns);
    columns[it->n_columns].name = hone_str_c("reference");
    columns[it->n_columns].value.type = HONE_STRING;
    columns[it->n_columns].value.u.str = it->reference;
    out->columns = columns;
    out->n_columns = room;
    return HONE_OK;
}

/* What a program says beside its outcomes: the entry of each sample, for the note "reason". */
struct remarks {
    struct batch *b;
    entry **of;
    size_t n;
};

static void take_remark(const hone_notes *notes, size_t sample, hone_str name,
                        const hone_value *value)
{
    const struct remarks *r = notes->ctx;
    if (sample < r->n && hone_str_eq(name, "reason") && value->type == HONE_STRING &&
        !r->of[sample]->program_why.len)
        r->of[sample]->program_why = hone_arena_str(&r->b->arena, value->u.str);
}

static hone_status run_program(struct batch *b, size_t index)
{
    hone__verifier *v = &b->s->verifiers[index];
    const hone_reward_v1 *vt = v->ref.vt;
    size_t n = 0, at = 0;
    for (size_t i = 0; i < b->n; i++)
        n += b->entries[i].whole ? b->entries[i].plan.units : 0;
    if (!n)
        return HONE_OK;
    hone_sample *in = hone_arena_calloc(&b->arena, n, sizeof *in);
    hone_outcome *out = hone_arena_calloc(&b->arena, n, sizeof *out);
    struct remarks remarks = {b, hone_arena_calloc(&b->arena, n, sizeof *remarks.of), n};
    if (!in || !out || !remarks.of)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < b->n; i++)
        for (size_t u = 0; b->entries[i].whole && u < b->entries[i].plan.units; u++) {
            const hone_judge_item *it = b->entries[i].item;
            remarks.of[at] = &b->entries[i];
            in[at] = (hone_sample){.id = it->id,
                                   .prompt = it->prompt,
                                   .completion = it->candidates[u],
                                   .messages = it->messages,
                                   .n_messages = it->n_messages,
                                   .finish = HONE_FINISH_STOP};
            HONE_TRY(program_columns(b, it, &in[at++]));
        }
    if (!HONE_HAS(vt, hone_reward_v1, score))
        return hone_fail(HONE_E_UNSUPPORTED, "rubric: %s scores no single answers",
                         hone_instance_id(v->inst));
    hone_call call = {.struct_size = sizeof call, .n = (uint32_t)n};
    if (b->call) {
        call.id = b->call->id;
        call.deadline_ns = b->call->deadline_ns;
        call.cancelled = b->call->cancelled;
    }
    const hone_notes notes = {sizeof notes, 0, &remarks, take_remark};
    pthread_mutex_lock(&v->lock);
    hone_instance_enter(v->inst);
    const hone_status s = hone_instance_leave(
        v->inst, "score",
        vt->score(v->ref.self, &call, in, n, sizeof *in, out, sizeof *out, &notes));
    pthread_mutex_unlock(&v->lock);
    HONE_TRY(s);
    at = 0;
    for (size_t i = 0; i < b->n; i++)
        for (size_t u = 0; b->entries[i].whole && u < b->entries[i].plan.units; u++, at++) {
            const double x = (double)out[at].score;
            double *to = &b->entries[i].programs[index * b->entries[i].plan.units + u];
            *to = (double)NAN;
            if (out[at].status == HONE_SCORE && isfinite(x))
                *to = fmin(fmax(x, 0), 1);
        }
    return HONE_OK;
}

/* ---- one item's verdict ----------------------------------------------------------------------------------------- */

static got *got_at(const entry *e, size_t repeat, size_t order, size_t unit, size_t ask)
{
    const hone__plan *p = &e->plan;
    return &e->got[((repeat * p->orders + order) * p->units + unit) * p->asks + ask];
}

static int repeat_is_whole(const entry *e, size_t repeat)
{
    const size_t n = e->plan.total / e->plan.repeats;
    for (size_t k = 0; k < n; k++)
        if (e->got[repeat * n + k].detail != HONE_VERDICT_OK)
            return 0;
    return 1;
}

static double field_value(const struct batch *b, const entry *e, size_t repeat, size_t order,
                          size_t unit, size_t field)
{
    return b->s->generate ? got_at(e, repeat, order, unit, 0)->values[field]
                          : got_at(e, repeat, order, unit, field)->values[0];
}

/* The score of one unit in one order of one repetition. */
static double unit_score(const struct batch *b, const entry *e, size_t repeat, size_t order,
                         size_t unit)
{
    const hone__spec *s = b->s;
    const hone_rubric *r = s->rubric;
    double values[HONE_RUBRIC_CRITERIA], score = 0, weights = 0;
    if (!r->n_criteria)
        return field_value(b, e, repeat, order, unit, 0);
    for (size_t i = 0; i < s->n_fields; i++) {
        const double x = field_value(b, e, repeat, order, unit, i);
        const double w = s->fields[i].criterion->weight;
        values[s->fields[i].criterion - r->criteria] = x;
        score += w * x;
        weights += fabs(w);
    }
    if (r->shape == HONE_SHAPE_PAIRWISE)
        return score / weights;
    for (size_t i = 0; i < s->n_verifiers; i++)
        values[s->verifiers[i].criterion] = e->programs[i * e->plan.units + unit];
    hone_rubric_score(r, values, &score);
    return score;
}

/* Everything that a verdict points at, in the batch's arena. */
struct table {
    double *criteria; /* rows; of one candidate or a pair */
    hone_str *names;
    size_t rows;
    double *scores; /* of each candidate */
    uint32_t *ranking;
};

static hone_status make_table(struct batch *b, const entry *e, struct table *t)
{
    const hone__spec *s = b->s;
    const size_t k = e->item->n_candidates;
    t->rows = s->n_fields + s->n_verifiers;
    t->criteria = hone_arena_calloc(&b->arena, t->rows, sizeof *t->criteria);
    t->names = hone_arena_calloc(&b->arena, t->rows, sizeof *t->names);
    t->scores = hone_arena_calloc(&b->arena, k, sizeof *t->scores);
    t->ranking = hone_arena_calloc(&b->arena, k, sizeof *t->ranking);
    if (!t->criteria || !t->names || !t->scores || !t->ranking)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < s->n_fields; i++)
        t->names[i] = s->fields[i].id;
    for (size_t i = 0; i < s->n_verifiers; i++) {
        t->names[s->n_fields + i] = s->rubric->criteria[s->verifiers[i].criterion].id;
        t->criteria[s->n_fields + i] = e->programs[i * e->plan.units];
    }
    return HONE_OK;
}

/* Adds one repetition in one order, with this weight. */
static void add_order(const struct batch *b, const entry *e, size_t repeat, size_t order,
                      double weight, struct table *t)
{
    const hone__spec *s = b->s;
    for (size_t u = 0; u < e->plan.units; u++) {
        if (s->rubric->shape == HONE_SHAPE_LISTWISE) {
            const got *g = got_at(e, repeat, order, u, 0);
            for (size_t c = 0; c < e->item->n_candidates; c++)
                t->scores[c] += weight * g->values[c];
            continue;
        }
        for (size_t i = 0; u == 0 && i < s->n_fields; i++)
            t->criteria[i] += weight * field_value(b, e, repeat, order, u, i);
        t->scores[u] += weight * unit_score(b, e, repeat, order, u);
    }
}

/* Best first; equal ones in the order they came. */
static void rank(const double *scores, size_t k, uint32_t *ranking)
{
    for (size_t i = 0; i < k; i++) {
        size_t at = i;
        while (at > 0 && scores[ranking[at - 1]] < scores[i]) {
            ranking[at] = ranking[at - 1];
            at--;
        }
        ranking[at] = (uint32_t)i;
    }
}

static double gap(const struct batch *b, const entry *e, size_t repeat)
{
    double most = 0;
    for (size_t u = 0; u < e->plan.units; u++) {
        if (b->s->rubric->shape == HONE_SHAPE_LISTWISE) {
            const got *x = got_at(e, repeat, 0, 0, 0), *y = got_at(e, repeat, 1, 0, 0);
            for (size_t c = 0; c < e->item->n_candidates; c++)
                most = fmax(most, fabs(x->values[c] - y->values[c]) / 2);
        } else
            most = fmax(most,
                        fabs(unit_score(b, e, repeat, 0, u) - unit_score(b, e, repeat, 1, u)) / 2);
    }
    return most;
}

static int every_probs(const entry *e)
{
    for (size_t i = 0; i < e->plan.total; i++)
        if (e->got[i].detail == HONE_VERDICT_OK && !e->got[i].probs)
            return 0;
    return 1;
}

/* Labels of the one field, where there is one and one unit: the mean over orders and repetitions. */
static hone_status put_probs(struct batch *b, const entry *e, size_t n_whole, hone_verdict *v)
{
    const hone__spec *s = b->s;
    const hone__plan *p = &e->plan;
    const size_t k = e->item->n_candidates;
    double entropy = 0, mass = INFINITY;
    if (s->n_fields != 1 || p->units != 1 || !p->total || !every_probs(e))
        return HONE_OK;
    const int list = s->rubric->shape == HONE_SHAPE_LISTWISE;
    const size_t n = list ? k : s->fields[0].n;
    double *probs = hone_arena_calloc(&b->arena, n, sizeof *probs);
    hone_str *labels = hone_arena_calloc(&b->arena, n, sizeof *labels);
    if (!probs || !labels)
        return HONE_E_NOMEM;
    const double weight = 1.0 / (double)(n_whole * p->orders);
    for (size_t r = 0; r < p->repeats; r++)
        for (size_t o = 0; repeat_is_whole(e, r) && o < p->orders; o++) {
            const got *g = got_at(e, r, o, 0, 0);
            for (size_t i = 0; i < n; i++)
                probs[i] += weight * g->probs[i];
            entropy += weight * g->entropy;
            mass = fmin(mass, g->mass);
        }
    for (size_t i = 0; i < n; i++) {
        char text[24];
        const int len = snprintf(text, sizeof text, "%zu", i + 1);
        labels[i] = list ? hone_arena_str(&b->arena, (hone_str){text, (size_t)len})
                         : s->fields[0].labels[i];
        if (!labels[i].ptr)
            return HONE_E_NOMEM;
    }
    v->label_probs = probs;
    v->labels = labels;
    v->n_label_probs = n;
    v->mass = mass;
    v->entropy = entropy;
    return HONE_OK;
}

/* Why there is no number: the first question that failed says it. */
static void put_failure(const entry *e, hone_verdict *v)
{
    const got *g = NULL;
    for (size_t i = 0; i < e->plan.total && !g; i++)
        if (e->got[i].detail != HONE_VERDICT_OK)
            g = &e->got[i];
    v->detail = g ? g->detail : HONE_VERDICT_UNPARSED;
    v->status = v->detail == HONE_VERDICT_REFUSED || v->detail == HONE_VERDICT_BUDGET ? HONE_ABSTAIN
                                                                                      : HONE_ERROR;
    if (g && g->why)
        v->reasoning = hone_str_c(g->why);
    else if (g)
        v->reasoning = g->reasoning;
    v->mass = g ? g->mass : 0;
}

/* Standard error of the one score over the repetitions that were understood; 0 for fewer than two. */
static double error_of(const struct batch *b, const entry *e, double mean, size_t n_whole)
{
    const hone__plan *p = &e->plan;
    double squares = 0;
    if (n_whole < 2)
        return 0;
    for (size_t r = 0; r < p->repeats; r++) {
        double x = 0;
        if (!repeat_is_whole(e, r))
            continue;
        for (size_t o = 0; o < p->orders; o++)
            x += unit_score(b, e, r, o, 0) / (double)p->orders;
        squares += (x - mean) * (x - mean);
    }
    return sqrt(squares / (double)(n_whole - 1) / (double)n_whole);
}

static hone_status fill_verdict(struct batch *b, const entry *e, hone_verdict *v)
{
    const hone__plan *p = &e->plan;
    const size_t k = e->item->n_candidates;
    const int pointwise = b->s->rubric->shape == HONE_SHAPE_POINTWISE;
    struct table t;
    size_t whole = 0, first = SIZE_MAX;
    double inconsistency = 0;
    v->orders = (uint32_t)p->orders;
    for (size_t r = 0; r < p->repeats; r++)
        if (repeat_is_whole(e, r)) {
            whole++;
            first = first == SIZE_MAX ? r : first;
        }
    if (!whole) {
        put_failure(e, v);
        return HONE_OK;
    }
    HONE_TRY(make_table(b, e, &t));
    for (size_t r = 0; r < p->repeats; r++) {
        if (!repeat_is_whole(e, r))
            continue;
        for (size_t o = 0; o < p->orders; o++)
            add_order(b, e, r, o, 1.0 / (double)(whole * p->orders), &t);
        inconsistency += p->orders > 1 ? gap(b, e, r) / (double)whole : 0;
    }
    for (size_t u = 0; u < (pointwise ? k : 1); u++)
        if (!isfinite(t.scores[u])) {
            v->status = HONE_ERROR;
            v->detail = HONE_VERDICT_UNPARSED;
            v->reasoning = e->program_why.len ? e->program_why
                                              : hone_str_c("a program of the rubric gave no score");
            return HONE_OK;
        }
    v->status = HONE_SCORE;
    v->inconsistency = inconsistency;
    if (b->s->rubric->shape != HONE_SHAPE_LISTWISE && !(pointwise && k > 1)) {
        v->score = t.scores[0]; /* else there is only a ranking */
        v->score_error = error_of(b, e, t.scores[0], whole);
    }
    if (b->s->rubric->shape == HONE_SHAPE_PAIRWISE)
        t.scores[1] = -t.scores[0];
    if (k > 1) {
        rank(t.scores, k, t.ranking);
        v->ranking = t.ranking;
        v->n_ranking = k;
        v->candidate_scores = t.scores;
    }
    if (k == 1 || b->s->rubric->shape == HONE_SHAPE_PAIRWISE) {
        v->criteria = b->s->rubric->n_criteria ? t.criteria : NULL;
        v->criterion_names = b->s->rubric->n_criteria ? t.names : NULL;
        v->n_criteria = b->s->rubric->n_criteria ? t.rows : 0;
    }
    if (b->s->generate && p->total)
        v->reasoning = got_at(e, first, 0, 0, 0)->reasoning;
    return put_probs(b, e, whole, v);
}

/* ---- the batch ------------------------------------------------------------------------------------------------------ */

static hone_status sort_answers(struct batch *b, const hone_judging_answer *answers, size_t n,
                                size_t stride)
{
    for (size_t i = 0; i < n; i++) {
        const hone_judging_answer *a =
            (const hone_judging_answer *)(const void *)((const char *)answers + i * stride);
        if (a->item >= b->n || a->number >= b->entries[a->item].plan.total ||
            a->attempt >= HONE__ATTEMPTS)
            return hone_fail(HONE_E_INVALID,
                             HONE_IFACE_JUDGING ": answer %zu is to no question of this batch", i);
        got *g = &b->entries[a->item].got[a->number];
        entry *e = &b->entries[a->item];
        e->touched = 1;
        e->cost += a->cost;
        e->latency_ns += a->latency_ns;
        e->tokens_in += a->tokens_in;
        e->tokens_out += a->tokens_out;
        if (!g->answer || a->attempt >= g->answer->attempt)
            g->answer = a;
    }
    return HONE_OK;
}

static hone_status open_batch(struct batch *b, const hone_judge_item *items, size_t n,
                              size_t stride)
{
    b->entries = hone_arena_calloc(&b->arena, n ? n : 1, sizeof *b->entries);
    if (!b->entries)
        return HONE_E_NOMEM;
    b->n = n;
    for (size_t i = 0; i < n; i++) {
        entry *e = &b->entries[i];
        e->item = hone__item_at(items, stride, i);
        hone__judging_plan(b->s, e->item, &e->plan);
        e->got = hone_arena_calloc(&b->arena, e->plan.total ? e->plan.total : 1, sizeof *e->got);
        e->programs = hone_arena_calloc(&b->arena, b->s->n_verifiers * e->plan.units + 1,
                                        sizeof *e->programs);
        if (!e->got || !e->programs)
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

/* What was replied about an item, in the order of the answers: for people, and for whoever parses it in another way. */
static hone_status raw_of(struct batch *b, size_t item, const hone_judging_answer *answers,
                          size_t n, size_t stride, hone_str *out)
{
    hone_buf raw;
    hone_buf_init(&raw, 1 << 28);
    for (size_t i = 0; i < n; i++) {
        const hone_judging_answer *a =
            (const hone_judging_answer *)(const void *)((const char *)answers + i * stride);
        if (a->item != item || a->text.len == 0)
            continue;
        if (raw.len)
            hone_buf_adds(&raw, "\n\n");
        hone_buf_add_str(&raw, a->text);
    }
    hone_status st = hone_buf_check(&raw, "replies");
    if (st >= 0 && raw.len) {
        *out = hone_arena_str(&b->arena, hone_buf_str(&raw));
        st = out->ptr ? HONE_OK : HONE_E_NOMEM;
    }
    hone_buf_release(&raw);
    return st;
}

static hone_status settle_all(struct batch *b, const hone_judging_answer *answers, size_t n_answers,
                              size_t answer_stride, const hone_verdict_sink *verdicts,
                              const hone_judging_sink *again)
{
    HONE_TRY(sort_answers(b, answers, n_answers, answer_stride));
    for (size_t i = 0; i < b->n; i++) {
        entry *e = &b->entries[i];
        if (e->plan.cannot)
            continue;
        if (e->touched)
            HONE_TRY(read_entry(b, i, again));
        else
            e->whole = e->plan.total == 0;
    }
    for (size_t i = 0; i < b->s->n_verifiers; i++)
        HONE_TRY(run_program(b, i));
    for (size_t i = 0; i < b->n; i++) {
        const entry *e = &b->entries[i];
        hone_verdict v = {
            .struct_size = sizeof v, .score = (double)NAN, .spec_hash = {b->s->hash, 64}};
        if (e->plan.cannot) {
            v.status = HONE_ERROR;
            v.reasoning = hone_str_c(e->plan.cannot);
        } else if (!e->whole)
            continue;
        else
            HONE_TRY(fill_verdict(b, e, &v));
        v.cost = e->cost;
        v.latency_ns = e->latency_ns;
        v.tokens_in = e->tokens_in;
        v.tokens_out = e->tokens_out;
        if (e->touched)
            HONE_TRY(raw_of(b, i, answers, n_answers, answer_stride, &v.raw));
        HONE_TRY(verdicts->put(verdicts, i, &v));
    }
    return HONE_OK;
}

hone_status hone__judging_settle(const hone__spec *s, const hone_call *call,
                                 const hone_judge_item *items, size_t n, size_t stride,
                                 const hone_judging_answer *answers, size_t n_answers,
                                 size_t answer_stride, const hone_verdict_sink *verdicts,
                                 const hone_judging_sink *again)
{
    struct batch b = {.s = s, .call = call};
    hone_arena_init(&b.arena, 1 << 30);
    hone_arena_init(&b.scratch, 1 << 29);
    hone_status st = open_batch(&b, items, n, stride);
    if (st >= 0)
        st = settle_all(&b, answers, n_answers, answer_stride, verdicts, again);
    hone_arena_release(&b.scratch);
    hone_arena_release(&b.arena);
    return st;
}
