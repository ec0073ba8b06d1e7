/* judging_ask.c - what is asked about an item: layout, order, ids, prompt, repair (judging_private.h).
 *
 * All that is drawn (fences, ids of a list, its order, seeds) is a function of rubric, prompt, seed and of the item's
 * texts and id: the same item gets the same questions wherever it stands; who repeats one gives it another id.
 * Texts of the item pass through hone_prompt_fenced and nowhere else. */
#include "judge/judging_private.h"

#include "base/hash.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

enum { REASONING = 2000, BLOCK = 1 << 27 };

/* ---- layout ------------------------------------------------------------------------------------------------ */

static const char *why_not(const hone__spec *s, const hone_judge_item *item)
{
    const uint32_t shape = s->rubric->shape;
    if (item->rubric.len || item->n_criteria)
        return "this judge has its rubric in its settings, and takes none with an item";
    if (shape == HONE_SHAPE_POINTWISE && !item->n_candidates)
        return "there is nothing to judge";
    if (shape == HONE_SHAPE_PAIRWISE && item->n_candidates != 2)
        return "a pairwise rubric needs two candidates";
    if (shape == HONE_SHAPE_LISTWISE && item->n_candidates < 2)
        return "a listwise rubric needs two candidates at least";
    if (item->n_candidates > HONE__CANDIDATES)
        return "more than 32 candidates";
    return NULL;
}

static uint64_t key_of(const hone__spec *s, const hone_judge_item *item)
{
    hone_xxh h;
    hone_xxh_init(&h, (uint64_t)s->seed);
    hone_xxh_add(&h, s->rubric->hash,
                 64); /* not the spec: another model is asked the same questions */
    hone_xxh_add(&h, s->prompt->hash, 64);
    hone_xxh_add(&h, item->prompt.ptr, item->prompt.len);
    for (size_t i = 0; i < item->n_messages; i++)
        hone_xxh_add(&h, item->messages[i].content.ptr, item->messages[i].content.len);
    for (size_t i = 0; i < item->n_candidates; i++) {
        const uint64_t n = item->candidates[i].len;
        hone_xxh_add(&h, &n, sizeof n);
        hone_xxh_add(&h, item->candidates[i].ptr, item->candidates[i].len);
    }
    hone_xxh_add(&h, &item->id, sizeof item->id);
    return hone_xxh_sum(&h);
}

void hone__judging_plan(const hone__spec *s, const hone_judge_item *item, hone__plan *out)
{
    hone__plan p = {.cannot = why_not(s, item)};
    if (!p.cannot) {
        p.repeats = (size_t)s->repeats;
        p.orders = (size_t)s->orders;
        p.units = s->rubric->shape == HONE_SHAPE_POINTWISE ? item->n_candidates : 1;
        p.asks = s->generate && s->n_fields ? 1 : s->n_fields;
        p.total = p.repeats * p.orders * p.units * p.asks; /* at most 64 * 4 * 32 * 64 */
        p.key = key_of(s, item);
    }
    *out = p;
}

hone__place hone__judging_place(const hone__plan *p, uint32_t number)
{
    hone__place at;
    size_t n = number;
    at.ask = n % p->asks;
    n /= p->asks;
    at.unit = n % p->units;
    n /= p->units;
    at.order = n % p->orders;
    at.repeat = n / p->orders;
    return at;
}

static hone_rng_key draws(const hone__plan *p, const char *what, size_t step)
{
    return (hone_rng_key){p->key, hone_rng_purpose(what), 0, step, 0};
}

/* Three letters and digits for each candidate; all of one length, so that none begins another. */
static hone_status draw_ids(const hone__plan *p, const hone__place *at, size_t n, hone_arena *arena,
                            hone_str *out)
{
    static const char letters[] = "bcdfghjkmnpqrstvwxz", digits[] = "23456789";
    const hone_rng_key k = draws(p, "hone.judging.id", at->repeat * p->orders + at->order);
    uint64_t index = 0;
    for (size_t i = 0; i < n;) {
        char id[3] = {letters[hone_rng_below(&k, index, 19)],
                      digits[hone_rng_below(&k, index + 1, 8)],
                      letters[hone_rng_below(&k, index + 2, 19)]};
        size_t same = 0;
        index += 3;
        for (size_t j = 0; j < i; j++)
            same += memcmp(out[j].ptr, id, 3) == 0;
        if (same)
            continue;
        out[i] = hone_arena_str(arena, (hone_str){id, 3});
        if (!out[i++].ptr)
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

/* A random permutation a repetition; its rotations are the orders, so that over them each candidate stands at several places
 * (a Latin square when there are as many orders as candidates). */
static void draw_order(const hone__plan *p, const hone__place *at, size_t n, size_t *order)
{
    const hone_rng_key k = draws(p, "hone.judging.order", at->repeat);
    const size_t shift = at->order * (n > p->orders ? n / p->orders : 1);
    for (size_t i = 0; i < n; i++)
        order[i] = (size_t)hone_rng_permute(&k, (i + shift) % n, n);
}

hone_status hone__judging_view(const hone__spec *s, const hone__plan *p,
                               const hone_judge_item *item, uint32_t number, hone_arena *arena,
                               hone__view *out)
{
    hone__view v = {.at = hone__judging_place(p, number)};
    const uint32_t shape = s->rubric->shape;
    v.n_shown = shape == HONE_SHAPE_POINTWISE ? 1 : item->n_candidates;
    if (shape == HONE_SHAPE_LISTWISE)
        draw_order(p, &v.at, v.n_shown, v.order);
    else if (shape == HONE_SHAPE_PAIRWISE) {
        v.order[0] = v.at.order & 1;
        v.order[1] = !v.order[0];
    } else
        v.order[0] = v.at.unit;
    v.n_fields = s->generate ? s->n_fields : 1;
    v.fields = hone_arena_calloc(arena, v.n_fields, sizeof *v.fields);
    if (!v.fields)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < v.n_fields; i++) {
        const hone__field *f = &s->fields[s->generate ? i : v.at.ask];
        v.fields[i] = (hone_reply_field){f->id, f->labels, f->n};
        v.answers = f->answers;
    }
    v.form = s->n_fields == 1 && !s->fields[0].criterion ? HONE_REPLY_VERDICT : HONE_REPLY_CRITERIA;
    if (shape == HONE_SHAPE_LISTWISE) {
        hone_str *ids = hone_arena_calloc(arena, v.n_shown, sizeof *ids);
        v.answers = hone_arena_calloc(arena, v.n_shown, sizeof *v.answers);
        if (!ids || !v.answers)
            return HONE_E_NOMEM;
        HONE_TRY(draw_ids(p, &v.at, v.n_shown, arena, ids));
        for (size_t i = 0; i < v.n_shown; i++) {
            char text[8];
            const int n = snprintf(text, sizeof text, " %.*s", (int)ids[i].len, ids[i].ptr);
            v.answers[i] = hone_arena_str(arena, (hone_str){text, (size_t)n});
            if (!v.answers[i].ptr)
                return HONE_E_NOMEM;
        }
        v.fields[0].labels = ids;
        v.fields[0].n_labels = v.n_shown;
        v.form = HONE_REPLY_RANKING;
    }
    *out = v;
    return HONE_OK;
}

/* ---- blocks of the prompt --------------------------------------------------------------------------------------- */

struct writer {
    const hone__spec *s;
    const hone__view *v;
    const hone_judge_item *item;
    hone_arena *arena;
    char fence[HONE_FENCE];
};

static hone_status kept(struct writer *w, hone_buf *b, hone_str *out)
{
    hone_status s = hone_buf_check(b, "prompt");
    if (s >= 0) {
        *out = hone_arena_str(w->arena, hone_buf_str(b));
        if (!out->ptr)
            s = HONE_E_NOMEM;
    }
    hone_buf_release(b);
    return s;
}

static void put_levels(hone_buf *b, const hone__field *f, int flipped, const char *indent)
{
    for (size_t i = 0; i < f->n; i++) {
        const hone_level *l = &f->levels[flipped ? f->n - 1 - i : i];
        hone_buf_adds(b, indent);
        hone_buf_add_str(b, l->label);
        if (l->text.len) {
            hone_buf_adds(b, ": ");
            hone_buf_add_str(b, l->text);
        }
        hone_buf_addc(b, '\n');
    }
}

static hone_status task_block(struct writer *w, hone_str *out)
{
    hone_buf b;
    hone_buf_init(&b, BLOCK);
    if (w->s->rubric->task.len) {
        hone_buf_add_str(&b, w->s->rubric->task);
        hone_buf_addc(&b, '\n');
    }
    return kept(w, &b, out);
}

static hone_status question_block(struct writer *w, hone_str *out)
{
    const hone_rubric *r = w->s->rubric;
    const int flipped = r->shape == HONE_SHAPE_POINTWISE && (w->v->at.order & 1);
    hone_buf b;
    hone_buf_init(&b, BLOCK);
    if (r->shape == HONE_SHAPE_LISTWISE)
        for (size_t i = 0; i < r->n_criteria; i++)
            hone_buf_addf(&b, "%s- %.*s\n", i ? "" : "What counts:\n", (int)r->criteria[i].text.len,
                          r->criteria[i].text.ptr);
    else if (!w->s->generate && w->s->fields[w->v->at.ask].criterion) {
        hone_buf_adds(&b, "The question, and nothing else counts:\n");
        hone_buf_add_str(&b, w->s->fields[w->v->at.ask].text);
        hone_buf_addc(&b, '\n');
    } else
        for (size_t i = 0; w->s->generate && i < w->s->n_fields && w->s->fields[i].criterion; i++) {
            const hone__field *f = &w->s->fields[i];
            hone_buf_addf(&b, "%s- %.*s: ", i ? "" : "The criteria, each on its own:\n",
                          (int)f->id.len, f->id.ptr);
            hone_buf_add_str(&b, f->text);
            hone_buf_addc(&b, '\n');
            if (f->levels && r->shape == HONE_SHAPE_POINTWISE)
                put_levels(&b, f, flipped, "    ");
        }
    return kept(w, &b, out);
}

static hone_status levels_block(struct writer *w, hone_str *out)
{
    const hone_rubric *r = w->s->rubric;
    const hone__field *f = &w->s->fields[w->s->generate ? 0 : w->v->at.ask];
    hone_buf b;
    hone_buf_init(&b, BLOCK);
    if (r->shape == HONE_SHAPE_POINTWISE && !(w->s->generate && f->criterion)) {
        hone_buf_adds(&b, "Levels:\n");
        put_levels(&b, f, w->v->at.order & 1, "");
    }
    return kept(w, &b, out);
}

/* ---- worked examples --------------------------------------------------------------------------------------------- */

static hone_status example_texts(struct writer *w, hone_str prompt, hone_str reference,
                                 const hone_str *candidates, size_t n, hone_buf *b)
{
    const size_t most = (size_t)w->s->max_field;
    if (prompt.len)
        HONE_TRY(hone_prompt_fenced("prompt", prompt, w->fence, most, b));
    if (reference.len)
        HONE_TRY(hone_prompt_fenced("reference", reference, w->fence, most, b));
    for (size_t i = 0; i < n; i++) {
        char title[32];
        snprintf(title, sizeof title, n == 1 ? "answer" : "answer %c", (int)('A' + i % 26));
        HONE_TRY(hone_prompt_fenced(title, candidates[i], w->fence, most, b));
    }
    return HONE_OK;
}

/* The label that the example has for the field; empty: none. */
static hone_str example_label(const hone_rubric *r, const hone_rubric_example *e,
                              const hone__field *f)
{
    hone_str given = e->verdict;
    if (f->criterion) {
        const hone_value *v = hone_value_get_str(e->criteria, f->id);
        given = v && v->type == HONE_STRING ? v->u.str : (hone_str){NULL, 0};
    }
    if (r->shape == HONE_SHAPE_PAIRWISE && (hone_str_eq(given, "a") || hone_str_eq(given, "b")))
        return hone_str_c(given.ptr[0] == 'a' ? "A" : "B");
    for (size_t i = 0; i < f->n; i++)
        if (hone_str_same(f->labels[i], given))
            return given;
    return (hone_str){NULL, 0};
}

static hone_status example_verdict(struct writer *w, const hone_rubric_example *e, hone_buf *b)
{
    const hone__spec *s = w->s;
    hone_jw j;
    if (!s->generate) {
        const hone_str l = example_label(s->rubric, e, &s->fields[w->v->at.ask]);
        return hone_buf_addf(b, "Verdict: %.*s\n\n", (int)l.len, l.ptr);
    }
    hone_jw_init(&j, b, 0);
    hone_jw_map(&j);
    hone_jw_kstr(&j, "reasoning", e->reasoning);
    if (w->v->form == HONE_REPLY_VERDICT)
        hone_jw_kstr(&j, "verdict", example_label(s->rubric, e, &s->fields[0]));
    else {
        hone_jw_key(&j, "criteria");
        hone_jw_map(&j);
        for (size_t i = 0; i < s->n_fields; i++) {
            hone_jw_key_str(&j, s->fields[i].id);
            hone_jw_str(&j, example_label(s->rubric, e, &s->fields[i]));
        }
        hone_jw_end(&j);
    }
    hone_jw_end(&j);
    return hone_buf_adds(b, "\n\n");
}

/* Only the few-shot split may be shown: what a judge has seen cannot test it. */
static int shown(const struct writer *w, const hone_rubric_example *e)
{
    const hone__spec *s = w->s;
    if (e->split.len && !hone_str_eq(e->split, "few-shot"))
        return 0;
    if (s->rubric->shape == HONE_SHAPE_LISTWISE)
        return 0;
    for (size_t i = 0; i < s->n_fields; i++)
        if ((s->generate || i == w->v->at.ask) && !example_label(s->rubric, e, &s->fields[i]).len)
            return 0;
    return 1;
}

/* A criterion's own: { completion =, label = }. */
static hone_status criterion_examples(struct writer *w, const hone__field *f, hone_buf *b)
{
    const hone_value *list = f->criterion ? f->criterion->examples : NULL;
    for (size_t i = 0; list && i < list->u.list.n; i++) {
        const hone_value *v = &list->u.list.items[i];
        const hone_value *text = hone_value_get(v, "completion"), *l = hone_value_get(v, "label");
        if (!text || text->type != HONE_STRING || !l || l->type != HONE_STRING)
            continue;
        if (!b->len)
            hone_buf_adds(b, "Examples, judged already:\n");
        HONE_TRY(hone_prompt_fenced("answer", text->u.str, w->fence, (size_t)w->s->max_field, b));
        if (w->s->generate)
            hone_buf_addf(b, "%.*s: ", (int)f->id.len, f->id.ptr);
        else
            hone_buf_adds(b, "Verdict: ");
        hone_buf_add_str(b, l->u.str);
        hone_buf_adds(b, "\n\n");
    }
    return HONE_OK;
}

static hone_status examples_block(struct writer *w, hone_str *out)
{
    const hone_rubric *r = w->s->rubric;
    hone_status st = HONE_OK;
    hone_buf b;
    hone_buf_init(&b, BLOCK);
    for (size_t i = 0; st >= 0 && i < r->n_examples; i++) {
        const hone_rubric_example *e = &r->examples[i];
        if (!shown(w, e))
            continue;
        hone_buf_adds(&b, b.len ? "Another one:\n" : "Examples, judged already:\n");
        st = example_texts(w, e->prompt, e->reference, e->candidates, e->n_candidates, &b);
        if (st >= 0)
            st = example_verdict(w, e, &b);
    }
    for (size_t i = 0; st >= 0 && r->shape == HONE_SHAPE_POINTWISE && i < w->s->n_fields; i++)
        if (w->s->generate || i == w->v->at.ask)
            st = criterion_examples(w, &w->s->fields[i], &b);
    if (st < 0) {
        hone_buf_release(&b);
        return st;
    }
    if (b.len)
        hone_buf_adds(&b, "Now the one to judge.\n");
    return kept(w, &b, out);
}

/* ---- the item's own texts ------------------------------------------------------------------------------------------- */

static hone_status conversation(struct writer *w, hone_str *out)
{
    const hone_judge_item *it = w->item;
    hone_status st = HONE_OK;
    hone_buf b, text;
    hone_buf_init(&b, BLOCK);
    hone_buf_init(&text, BLOCK);
    for (size_t i = 0; i < it->n_messages; i++) {
        hone_buf_add_str(&text, it->messages[i].role);
        hone_buf_adds(&text, ": ");
        hone_buf_add_str(&text, it->messages[i].content);
        hone_buf_addc(&text, '\n');
    }
    if (!it->n_messages)
        hone_buf_add_str(&text, it->prompt);
    st = hone_buf_check(&text, "prompt");
    if (st >= 0 && text.len)
        st = hone_prompt_fenced("prompt", hone_buf_str(&text), w->fence, (size_t)w->s->max_field,
                                &b);
    hone_buf_release(&text);
    if (st < 0) {
        hone_buf_release(&b);
        return st;
    }
    return kept(w, &b, out);
}

static hone_status texts(struct writer *w, hone_str *reference, hone_str *candidates)
{
    const uint32_t shape = w->s->rubric->shape;
    hone_status st = HONE_OK;
    hone_buf b;
    hone_buf_init(&b, BLOCK);
    if (w->item->reference.len)
        st = hone_prompt_fenced("reference", w->item->reference, w->fence, (size_t)w->s->max_field,
                                &b);
    if (st < 0) {
        hone_buf_release(&b);
        return st;
    }
    HONE_TRY(kept(w, &b, reference));
    hone_buf_init(&b, BLOCK);
    for (size_t i = 0; st >= 0 && i < w->v->n_shown; i++) {
        char title[32] = "answer";
        if (shape == HONE_SHAPE_PAIRWISE)
            snprintf(title, sizeof title, "answer %c", i ? 'B' : 'A');
        else if (shape == HONE_SHAPE_LISTWISE)
            snprintf(title, sizeof title, "answer %.*s", (int)w->v->fields[0].labels[i].len,
                     w->v->fields[0].labels[i].ptr);
        st = hone_prompt_fenced(title, w->item->candidates[w->v->order[i]], w->fence,
                                (size_t)w->s->max_field, &b);
    }
    if (st < 0) {
        hone_buf_release(&b);
        return st;
    }
    return kept(w, &b, candidates);
}

/* ---- how to answer ------------------------------------------------------------------------------------------------------ */

static void put_labels(hone_buf *b, const hone_reply_field *f, const char *quote)
{
    for (size_t i = 0; i < f->n_labels; i++)
        hone_buf_addf(b, "%s%s%.*s%s", i ? ", " : "", quote, (int)f->labels[i].len,
                      f->labels[i].ptr, quote);
}

static hone_status reply_block(struct writer *w, hone_str *out)
{
    const hone__view *v = w->v;
    const uint32_t shape = w->s->rubric->shape;
    hone_buf b;
    hone_buf_init(&b, BLOCK);
    if (shape == HONE_SHAPE_PAIRWISE)
        hone_buf_adds(&b, "Which answer is better, A or B? Where neither is, say tie.\n");
    if (!w->s->generate) {
        if (shape == HONE_SHAPE_LISTWISE)
            hone_buf_adds(&b, "Which answer is the best?\n");
        hone_buf_adds(&b, "Reply with the word Verdict, a colon and one of: ");
        put_labels(&b, &v->fields[0], "");
        hone_buf_addc(&b, '\n');
    } else if (v->form == HONE_REPLY_RANKING) {
        hone_buf_adds(&b, "Reply with one JSON object and nothing else:\n{\"reasoning\": \"...\", "
                          "\"ranking\": [ids, the best first]}\nThe ids are ");
        put_labels(&b, &v->fields[0], "\"");
        hone_buf_addc(&b, '\n');
    } else if (v->form == HONE_REPLY_VERDICT) {
        hone_buf_adds(&b, "Reply with one JSON object and nothing else:\n{\"reasoning\": \"...\", "
                          "\"verdict\": LABEL}\nLABEL is one of ");
        put_labels(&b, &v->fields[0], "\"");
        hone_buf_addc(&b, '\n');
    } else {
        hone_buf_adds(&b, "Reply with one JSON object and nothing else:\n{\"reasoning\": \"...\", "
                          "\"criteria\": {");
        for (size_t i = 0; i < v->n_fields; i++)
            hone_buf_addf(&b, "%s\"%.*s\": LABEL", i ? ", " : "", (int)v->fields[i].id.len,
                          v->fields[i].id.ptr);
        hone_buf_adds(&b, "}}\n");
        for (size_t i = 0; i < v->n_fields; i++) {
            hone_buf_addf(&b, "%.*s is one of ", (int)v->fields[i].id.len, v->fields[i].id.ptr);
            put_labels(&b, &v->fields[i], "\"");
            hone_buf_addc(&b, '\n');
        }
    }
    return kept(w, &b, out);
}

/* ---- the question ---------------------------------------------------------------------------------------------------------- */

/* Behind the first turn: what the model wrote, and what is wrong with it. */
static hone_status add_repair(hone_arena *arena, hone_str reply, const char *why,
                              hone_message **messages, size_t *n)
{
    hone_message *more = hone_arena_calloc(arena, *n + 2, sizeof *more);
    hone_str seen;
    char text[256];
    if (!more)
        return HONE_E_NOMEM;
    memcpy(more, *messages, *n * sizeof *more);
    if (!hone_reply_visible(reply, &seen) || !seen.len)
        seen = hone_str_c("(nothing that could be read)");
    if (seen.len > 4000)
        seen = (hone_str){seen.ptr + (seen.len - 4000), 4000};
    const int len = snprintf(text, sizeof text,
                             "That could not be read: %.150s. Reply with the JSON object only.",
                             why ? why : "it is not of the form that was asked for");
    hone_buf b;
    hone_buf_init(&b, 1 << 16);
    hone_status s = hone_prompt_neutral(seen, NULL, &b);
    more[*n].role = hone_str_c("assistant");
    more[*n].content = hone_arena_str(arena, hone_buf_str(&b));
    more[*n + 1].role = hone_str_c("user");
    more[*n + 1].content = hone_arena_str(arena, (hone_str){text, (size_t)len});
    hone_buf_release(&b);
    if (s >= 0 && (!more[*n].content.ptr || !more[*n + 1].content.ptr))
        s = HONE_E_NOMEM;
    *messages = more;
    *n += 2;
    return s;
}

static hone_status flat(hone_arena *arena, const hone_message *m, size_t n, hone_str *out)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 28);
    for (size_t i = 0; i < n; i++) {
        hone_buf_add_str(&b, m[i].content);
        hone_buf_adds(
            &b, m[i].content.len && m[i].content.ptr[m[i].content.len - 1] == '\n' ? "\n" : "\n\n");
    }
    hone_status s = hone_buf_check(&b, "prompt");
    if (s >= 0) {
        *out = hone_arena_str(arena, hone_buf_str(&b));
        if (!out->ptr)
            s = HONE_E_NOMEM;
    }
    hone_buf_release(&b);
    return s;
}

hone_status hone__judging_question(const hone__spec *s, const hone__plan *p,
                                   const hone_judge_item *item, size_t index, uint32_t number,
                                   uint32_t attempt, hone_str reply, const char *why,
                                   hone_arena *arena, hone_judging_question *out)
{
    hone__view v;
    hone_message *messages;
    hone_judging_question q = {.item = index, .number = number, .attempt = attempt};
    hone_prompt_binding b[] = {
        {"fence", {NULL, 0}},     {"task", {NULL, 0}},       {"question", {NULL, 0}},
        {"levels", {NULL, 0}},    {"examples", {NULL, 0}},   {"prompt", {NULL, 0}},
        {"reference", {NULL, 0}}, {"candidates", {NULL, 0}}, {"reply", {NULL, 0}}};
    HONE_TRY(hone__judging_view(s, p, item, number, arena, &v));
    struct writer w = {.s = s, .v = &v, .item = item, .arena = arena};
    hone_prompt_fence(p->key, number, w.fence);
    b[0].text = hone_str_c(w.fence);
    HONE_TRY(task_block(&w, &b[1].text));
    HONE_TRY(question_block(&w, &b[2].text));
    HONE_TRY(levels_block(&w, &b[3].text));
    HONE_TRY(examples_block(&w, &b[4].text));
    HONE_TRY(conversation(&w, &b[5].text));
    HONE_TRY(texts(&w, &b[6].text, &b[7].text));
    HONE_TRY(reply_block(&w, &b[8].text));
    HONE_TRY(
        hone_prompt_render(s->prompt, b, sizeof b / sizeof *b, arena, &messages, &q.n_messages));
    if (attempt == 1)
        HONE_TRY(add_repair(arena, reply, why, &messages, &q.n_messages));
    q.messages = messages;
    HONE_TRY(flat(arena, messages, q.n_messages, &q.text));
    const hone_rng_key k = draws(p, "hone.judging.seed", number);
    q.seed = hone_rng_u64(&k, attempt);
    q.temperature = attempt == 2 && s->temperature == 0 ? .7 : s->temperature;
    q.max_tokens = s->generate ? (uint32_t)s->max_tokens : 1;
    if (!s->generate) {
        q.prefix = hone_str_c("Verdict:");
        q.labels = v.answers;
        q.n_labels = v.fields[0].n_labels;
    } else {
        const hone_reply_want want = {v.form, v.fields, v.n_fields};
        hone_buf schema;
        hone_buf_init(&schema, BLOCK);
        hone_status st = hone_reply_schema(&want, REASONING, &schema);
        if (st >= 0)
            st = kept(&w, &schema, &q.schema);
        else
            hone_buf_release(&schema);
        HONE_TRY(st);
    }
    *out = q;
    return HONE_OK;
}
