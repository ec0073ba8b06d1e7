/* judging_private.h - what judging.c (settings, the spec), judging_ask.c (questions) and judging_settle.c (verdicts) share.
 *
 * The questions of one item are numbered ((repeat * orders + order) * units + unit) * asks + ask. A unit is a candidate that
 * is judged on its own (pointwise), else there is one; asks are the fields where labels are asked for, else one. So a
 * question is a function of (spec, item, number, attempt), and settle makes it again instead of keeping it. */
#ifndef HONE_CORE_JUDGE_JUDGING_PRIVATE_H
#define HONE_CORE_JUDGE_JUDGING_PRIVATE_H
#include "judge/judging.h"
#include "judge/prompt.h"
#include "judge/reply.h"
#include "judge/rubric.h"

#include <pthread.h>

enum { HONE__ATTEMPTS = 3, HONE__CANDIDATES = 32 };

/* One thing that is asked: the whole, or a criterion. Listwise labels are each item's own. */
typedef struct hone__field {
    hone_str id, text;
    const hone_rubric_criterion *criterion; /* NULL: the whole */
    const hone_level *levels;               /* of pointwise fields, in the order of labels */
    hone_str *labels, *answers; /* answers: what follows the prefix: a space and the label */
    double *values;
    size_t n;
} hone__field;

typedef struct hone__verifier {
    size_t criterion;
    hone_instance *inst;
    hone_ref ref;
    pthread_mutex_t lock;
} hone__verifier;

typedef struct hone__spec {
    struct hone__spec *next;
    uint64_t number;
    hone_arena arena;
    hone_rubric *rubric;
    hone_prompt *prompt;
    int generate;
    double temperature, min_mass;
    int64_t max_tokens, repeats, orders, max_field, seed;
    hone__field *fields;
    size_t n_fields;
    hone__verifier *verifiers;
    size_t n_verifiers;
    hone_str json, rubric_text;
    char hash[65];
} hone__spec;

/* How the questions of one item are laid out. */
typedef struct hone__plan {
    const char *cannot; /* why it cannot be asked about, or NULL */
    size_t repeats, orders, units, asks, total;
    uint64_t key; /* of what is drawn for it */
} hone__plan;

typedef struct hone__place {
    size_t repeat, order, unit, ask;
} hone__place;

void hone__judging_plan(const hone__spec *s, const hone_judge_item *item, hone__plan *out);
hone__place hone__judging_place(const hone__plan *p, uint32_t number);
/* What is asked in this question: the fields as the reply has them. order[i]: which candidate stands at place i. */
typedef struct hone__view {
    hone__place at;
    size_t order[HONE__CANDIDATES];
    size_t n_shown;
    hone_reply_field *fields; /* n_fields */
    hone_str *answers;        /* labels mode: what follows the prefix */
    size_t n_fields;
    uint32_t form;
} hone__view;
hone_status hone__judging_view(const hone__spec *s, const hone__plan *p,
                               const hone_judge_item *item, uint32_t number, hone_arena *arena,
                               hone__view *out);
/* The question; for attempt 1, `reply` and `why` are what was not understood. */
hone_status hone__judging_question(const hone__spec *s, const hone__plan *p,
                                   const hone_judge_item *item, size_t index, uint32_t number,
                                   uint32_t attempt, hone_str reply, const char *why,
                                   hone_arena *arena, hone_judging_question *out);
hone_status hone__judging_settle(const hone__spec *s, const hone_call *call,
                                 const hone_judge_item *items, size_t n, size_t stride,
                                 const hone_judging_answer *answers, size_t n_answers,
                                 size_t answer_stride, const hone_verdict_sink *verdicts,
                                 const hone_judging_sink *again);

static inline const hone_judge_item *hone__item_at(const hone_judge_item *items, size_t stride,
                                                   size_t i)
{
    return (const hone_judge_item *)(const void *)((const char *)items + i * stride);
}
#endif
