/* hone/judge.h - judges: items with one, two or k candidates in, one verdict each out.
 *
 * Pointwise, pairwise and listwise are the same call with 1, 2 or k candidates an item. A verdict goes
 * to the caller's sink as soon as it is known, in any order. What is not answered when the call
 * returns is an error ("not answered"). (plugin-abi.md 3, judges.md) */
#ifndef HONE_JUDGE_H
#define HONE_JUDGE_H
#include "hone/plugin.h"
#include "hone/reward.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_JUDGE "hone.judge/1"

typedef struct hone_criterion { /* FROZEN */
    hone_str name, text;
} hone_criterion;

/* What is to be judged. Strings are valid UTF-8. */
typedef struct hone_judge_item {
    uint64_t id;
    hone_str prompt;
    const hone_message *messages; /* the conversation, when there is one; else NULL */
    size_t n_messages;
    const hone_str *candidates; /* 1..k */
    size_t n_candidates;
    hone_str reference; /* {NULL,0}: none */
    hone_str rubric;    /* the rubric as text; {NULL,0}: the judge's own */
    const hone_criterion *criteria;
    size_t n_criteria;
    const hone_column *columns; /* the data row */
    size_t n_columns;
} hone_judge_item;

/* Why a verdict is what it is: only OK goes with HONE_SCORE; with the rest there is no number, never a least one. */
enum {
    HONE_VERDICT_OK = 0, /* beside HONE_ABSTAIN and HONE_ERROR: unknown */
    HONE_VERDICT_UNPARSED = 1,
    HONE_VERDICT_REFUSED = 2,
    HONE_VERDICT_TRUNCATED = 3,
    HONE_VERDICT_TIMEOUT = 4,
    HONE_VERDICT_BUDGET = 5
};

typedef struct hone_verdict {
    uint32_t struct_size;
    uint32_t status;         /* HONE_SCORE, HONE_ABSTAIN, HONE_ERROR (reward.h) */
    double score;            /* one candidate; NaN when there is only a ranking */
    const uint32_t *ranking; /* n_ranking candidate numbers, best first; or NULL */
    size_t n_ranking;
    const double *
        criteria; /* n_criteria, one number each: of the candidate, or of the pair (> 0: the first is better); NaN: not judged */
    size_t n_criteria;
    const double *label_probs; /* probability of each label the judge was asked for; or NULL */
    size_t n_label_probs;
    hone_str reasoning;
    hone_str
        spec_hash; /* of model, prompt, settings: what would have to change for another verdict */
    double cost;   /* in the currency of the settings; 0 when unknown */
    uint64_t latency_ns; /* 0 when unknown */
    uint32_t detail;     /* HONE_VERDICT_*: why there is no number */
    uint32_t orders;     /* in how many orders the candidates were shown; 0 when unknown */
    double mass;    /* sum of label_probs before they were scaled; where there are label_probs */
    double entropy; /* of label_probs, in nats; where there are label_probs */
    double inconsistency; /* half the difference between the orders' scores; from orders >= 2 on */
    uint64_t tokens_in, tokens_out;  /* 0 when unknown */
    const hone_str *labels;          /* n_label_probs; or NULL */
    const hone_str *criterion_names; /* n_criteria; or NULL */
    const double *candidate_scores;  /* n_ranking, in the order of the item's candidates; or NULL */
    double
        score_error; /* standard error of score over the judge's own repetitions; 0 when unknown */
    hone_str raw;    /* the replies as they came, one behind the other; empty: there are none */
} hone_verdict;

typedef struct hone_verdict_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* The verdict on item number `item`; at most once an item. [worker-thread & active] */
    hone_status (*put)(const struct hone_verdict_sink *sink, size_t item,
                       const hone_verdict *verdict_bor);
} hone_verdict_sink;

typedef struct hone_judge_v1 {
    uint32_t struct_size, reserved;
    /* Judge n items. [worker-thread & active], concurrent only if REENTRANT */
    hone_status (*judge)(void *self, const hone_call *call, const hone_judge_item *items_bor,
                         size_t n, size_t stride, const hone_verdict_sink *sink);
    /* Optional: what its verdicts depend on, as one JSON object (rubric and its hash, prompt, backend, model, decoding,
     * parser, aggregation), known before any verdict. Cannot fail; valid until destroy. [any-thread] */
    hone_str (*spec)(void *self);
} hone_judge_v1;

/* In C, `const hone_component NAME`, a judge with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_JUDGE(name, table, ...)                                                        \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_JUDGE, HONE_IFACE_JUDGE, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
