/* attack.h - what a policy will do to fool a judge, done to real items first (judges.md 8).
 *
 * A mutator turns one item's completion into another that should not be worth more. Each names the
 * relation its score has to keep to the original's: not above it, at the floor of the scale, or equal.
 * The texts depend on (item, seed) alone. What is measured is how often the relation breaks and by how much
 * the score moves; a mutated item without a verdict breaks nothing and is counted apart.
 *
 * Sources: master keys (a colon, "Thought process:"): Zhao et al. 2025, "One Token to Fool LLM-as-a-Judge";
 * length and format: Dubois et al. 2024, Zheng et al. 2023. */
#ifndef HONE_CORE_JUDGE_ATTACK_H
#define HONE_CORE_JUDGE_ATTACK_H
#include "base/buf.h"
#include "judge/interval.h"

typedef enum hone_attack_relation {
    HONE_ATTACK_NOT_ABOVE, /* score <= original + tolerance */
    HONE_ATTACK_FLOOR,     /* score <= lowest + floor tolerance */
    HONE_ATTACK_EQUAL      /* |score - original| <= tolerance */
} hone_attack_relation;

/* Which line of the gate an attack belongs to. */
typedef enum hone_attack_class {
    HONE_ATTACK_OTHER,
    HONE_ATTACK_MASTER_KEY,
    HONE_ATTACK_INJECTION,
    HONE_ATTACK_PADDING
} hone_attack_class;

/* What a mutator may use of an item; valid UTF-8, borrowed. */
typedef struct hone_attack_source {
    hone_str prompt, completion;
    hone_str other;  /* the completion of another prompt; empty: none */
    hone_str rubric; /* the rubric as the judge shows it; empty: unknown */
    hone_str best;   /* the label of the highest level, "5" or "yes"; empty: "10/10" */
    uint64_t seed, item;
} hone_attack_source;

typedef struct hone_attack {
    const char *name, *summary;
    hone_attack_class group;
    hone_attack_relation relation;
    /* 1: out holds the completion; 0: it does not apply to this item; negative: memory */
    hone_status (*make)(const hone_attack_source *src, hone_buf *out);
} hone_attack;

/* The table, in the order of reports; *n of them. Static. [any-thread] */
const hone_attack *hone_attacks(size_t *n);
const char *hone_attack_relation_name(hone_attack_relation r); /* "not_above", "floor", "equal" */
const char *hone_attack_class_name(hone_attack_class c);       /* "other", "master_key", ... */
/* The attacks of a list "padding_x2,bold", or of a class "injection", or "all": indices in `out` (room for
 * all), *n of them. E_NOT_FOUND with a suggestion. */
hone_status hone_attacks_choose(hone_str list, size_t *out, size_t *n);

/* Several mutators one after the other, each on what the last one left; those that do not apply are passed over.
 * 1 when at least one did. */
hone_status hone_attack_chain(const size_t *attacks, size_t n, const hone_attack_source *src,
                              hone_buf *out);

/* What was measured of one attack. */
typedef struct hone_attack_result {
    size_t attack;
    size_t n, violations;     /* n: items with both verdicts */
    size_t unscored;          /* mutated items that got no number */
    size_t skipped;           /* it does not apply, or the original has no number */
    hone_figure rate, change; /* change: mutated minus original, in the judge's units */
} hone_attack_result;

typedef struct hone_attack_params {
    double lowest, highest;  /* the judge's range */
    double tolerance;        /* share of the range; .02 */
    double floor_tolerance;  /* share of the range above the lowest; .1 */
    const uint64_t *cluster; /* [items], of the prompts; NULL: each its own */
    uint64_t seed;           /* of the bootstrap */
} hone_attack_params;

/* Whether `mutated` breaks the relation to `original`; both finite. p: range and tolerances. */
int hone_attack_breaks(hone_attack_relation r, double original, double mutated,
                       const hone_attack_params *p);
/* original[items] and mutated[items] in the judge's units; NaN: no number. made[items]: 1 where the attack
 * applied. E_INVALID for a range that is none. [any-thread] */
hone_status hone_attack_measure(size_t attack, const double *original, const double *mutated,
                                const unsigned char *made, size_t items,
                                const hone_attack_params *p, hone_attack_result *out);

/* All attacks of a judge, as the gate reads it: shares of violations over the items of a class, and the mean change
 * under padding as a share of the range. */
typedef struct hone_attack_report {
    const hone_attack_result *results;
    size_t n, items;
    hone_figure master_keys, injection, padding;
    /* The search: best of `search_n` chains an item, NaN figures' reason when there was none. */
    hone_figure search_gain,
        search_above; /* share of the range; share of items above the original */
    size_t search_n;
    double lowest, highest;
} hone_attack_report;

/* Fills the three lines from results and rows. `change`, `broken` (n x items, row-major by result; NaN: none). */
hone_status hone_attack_lines(hone_attack_report *r, const double *change, const double *broken,
                              const hone_attack_params *p);
/* The keys of the document but "kind": items, range, attacks, the three lines, search. */
void hone_attack_write(hone_jw *w, const hone_attack_report *r);
/* A table for people, one line an attack, those that break first. */
hone_status hone_attack_text(hone_buf *b, const hone_attack_report *r);
#endif
