/* rubric.h - what a judge is asked to look at, in fixed words: a versioned list of criteria with anchored levels.
 *
 *   return {
 *     id = "answer-quality", version = "1.0", shape = "pointwise",
 *     task = "Answers to questions of customers.",
 *     scale = { min = 1, max = 3, anchors = { "wrong", "right with gaps", "right and whole" } },
 *     criteria = {
 *       { id = "correct", text = "Does the answer state what is true?", weight = 2 },
 *       { id = "rude", text = "Does the answer insult the reader?", weight = -1, choices = { "no", "yes" } },
 *       { id = "digits", kind = "program", verifier = { reward = "regex", pattern = "[0-9]" } },
 *     },
 *   }
 *
 * Without criteria the judge gives one level of `scale`, and the score is in the scale's own numbers. With criteria each
 * gets one of its choices, worst first (its own, or the scale's); a choice is worth 0..1, and
 * score = sum(w s) / sum of the positive w. A gating criterion caps that score while it is below what it needs.
 *
 * A rubric is data (data.h). Its hash is that of its canonical JSON without the changelog: another comment or another
 * order of keys is the same rubric, another word is another one. Source: judges.md section 2.
 * Invariants: labels of one set are not empty and differ; no label begins another; values are finite and increase; the
 * positive weights sum to more than 0. */
#ifndef HONE_CORE_JUDGE_RUBRIC_H
#define HONE_CORE_JUDGE_RUBRIC_H
#include "base/json.h"

enum { HONE_SHAPE_POINTWISE = 0, HONE_SHAPE_PAIRWISE = 1, HONE_SHAPE_LISTWISE = 2 };
enum { HONE_CRITERION_LEVELS = 0, HONE_CRITERION_PROGRAM = 1 };
enum { HONE_RUBRIC_CRITERIA = 64, HONE_RUBRIC_LEVELS = 32 };

typedef struct hone_level {
    hone_str label; /* what the judge answers */
    hone_str text;  /* the anchor; empty: none */
    double value;   /* of the scale; of a choice 0..1 */
} hone_level;

typedef struct hone_rubric_criterion {
    hone_str id, text;
    double weight;
    uint32_t kind;
    int own_choices;          /* or the scale's */
    const hone_level *levels; /* worst first; values in 0..1 */
    size_t n_levels;
    int gating;                 /* while its value is below `needs`, the score is at most `cap` */
    double needs;               /* above 0, to 1; default .5: a mean over labels is hardly ever 1 */
    double cap;                 /* default 0 */
    hone_str verifier;          /* PROGRAM: a reward's name */
    const hone_value *settings; /* PROGRAM: the whole verifier table */
    const hone_value *examples; /* a list, or NULL */
} hone_rubric_criterion;

/* A worked example, shown to the judge. */
typedef struct hone_rubric_example {
    hone_str prompt, reference, reasoning, split;
    const hone_str *candidates;
    size_t n_candidates;
    hone_str verdict;           /* label of the scale, or a|b|tie; of a checklist empty */
    const hone_value *criteria; /* {id: label} of a checklist, or NULL */
} hone_rubric_example;

typedef struct hone_rubric {
    hone_arena arena;
    hone_str id, version, title, task;
    uint32_t shape;
    const hone_level *
        scale; /* empty for pairwise and listwise rubrics, and checklists with choices of their own */
    size_t n_scale;
    const hone_rubric_criterion *criteria;
    size_t n_criteria;
    const hone_rubric_example *examples;
    size_t n_examples;
    double min, max; /* of the score */
    hone_value root; /* all of it, as read */
    hone_str json;   /* canonical, without the changelog */
    char hash[65];
} hone_rubric;

/* `name` is put in errors. hone_rubric_from_value copies. E_PARSE, E_INVALID with the place. [any-thread] */
hone_status hone_rubric_read(const char *text, size_t len, const char *name, hone_rubric **out);
/* `path` may be the name of a shipped one ("answer_quality") where there is no such file. */
hone_status hone_rubric_read_file(const char *path, hone_rubric **out);
/* The file of the shipped rubric `name`: 1 and its path (hone_free), 0 when there is none. E_NOMEM. [any-thread] */
hone_status hone_rubric_shipped(hone_str name, char **path);
hone_status hone_rubric_from_value(const hone_value *v, const char *name, hone_rubric **out);
/* More examples behind its own, as those of a judge's prompt; the list lives as long as r. The hash stays. */
hone_status hone_rubric_add_examples(hone_rubric *r, const hone_value *list, const char *name);
void hone_rubric_destroy(hone_rubric *r); /* NULL is allowed */

/* "pointwise"; NULL for what is none. */
const char *hone_shape_name(uint32_t shape);
/* score = sum(w s) / sum of positive w, capped by gating criteria. value[i] in 0..1, NaN where criterion i was not judged:
 * then *score is NaN, unless its weight is 0 and it gates nothing. */
void hone_rubric_score(const hone_rubric *r, const double *values, double *score);
#endif
