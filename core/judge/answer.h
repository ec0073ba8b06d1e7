/* answer.h - between ask.c and answer.c: an answer from a verdict, and as a row. Others include judge/ask.h. */
#ifndef HONE_CORE_JUDGE_ANSWER_H
#define HONE_CORE_JUDGE_ANSWER_H
#include "judge/ask.h"

/* What the judge said of the candidates as they were shown (a->order), turned back into the item's own order. Copied into the
 * arena. A verdict that breaks its contract (a score that is not finite, a ranking that is none) becomes `unparsed`, saying so. */
hone_status hone__answer_take(const hone_verdict *v, hone_arena *arena, hone_answer *a);
/* No number, for this reason. */
hone_status hone__answer_none(hone_answer *a, const char *why, hone_arena *arena);
hone_status hone__answer_row(const hone_answer *a, const char *spec, const char *rubric,
                             hone_arena *arena, hone_str *row);
/* "[1,0]" */
void hone__answer_order(const hone_answer *a, char *out, size_t size);
#endif
