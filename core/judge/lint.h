/* lint.h - what is wrong with a rubric before anybody has asked a model: rules on its words alone.
 *
 * An error is what makes the figures wrong (two levels with one anchor, a scale of bare numbers, an example from the test
 * split); a warning is what makes judges disagree (a criterion that asks two things, a word that everybody reads
 * differently). A rubric that cannot be read is one problem of the rule "invalid". Source: judges.md section 2. */
#ifndef HONE_CORE_JUDGE_LINT_H
#define HONE_CORE_JUDGE_LINT_H
#include "judge/rubric.h"

enum { HONE_LINT_WARNING = 0, HONE_LINT_ERROR = 1 };

typedef struct hone_lint_problem {
    const char *rule;  /* "compound", "vague", ... */
    const char *place; /* "criteria[2]" */
    const char *text;  /* what is wrong and what to do */
    int level;
} hone_lint_problem;

/* How many tokens `label` is as the model would write it; < 0 is a failure. */
typedef struct hone_lint_tokens {
    void *ctx;
    long (*count)(void *ctx, hone_str label);
    const char *name; /* the tokenizer's, for the text */
} hone_lint_tokens;

typedef struct hone_lint {
    hone_arena arena;
    hone_lint_problem *problems;
    size_t n, cap, errors, warnings;
} hone_lint;

void hone_lint_init(hone_lint *l);
void hone_lint_release(hone_lint *l);
/* Adds the problems of one rubric. `tokens` may be NULL. [any-thread] */
hone_status hone_lint_rubric(hone_lint *l, const hone_rubric *r, const hone_lint_tokens *tokens);
/* The same for a file; a file that cannot be read as a rubric is a problem, no failure; a file that is not there is one. */
hone_status hone_lint_file(hone_lint *l, const char *path, const hone_lint_tokens *tokens);
/* {"kind":"lint","problems":[...],"errors":n,"warnings":n} and, where r is not NULL, "rubric": "id@hash". */
void hone_lint_json(const hone_lint *l, const hone_rubric *r, hone_jw *w);
#endif
