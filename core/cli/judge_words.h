/* judge_words.h - a rubric's scale in words: what `hone judge disagree` says of values and criteria. */
#ifndef HONE_CORE_CLI_JUDGE_WORDS_H
#define HONE_CORE_CLI_JUDGE_WORDS_H
#include "base/json.h"

typedef struct hone_cli_words hone_cli_words;
hone_status hone_cli_words_open(const char *rubric, hone_cli_words **out);
void hone_cli_words_close(hone_cli_words *w); /* NULL is allowed */
/* Criteria that somebody judges, 0 .. n-1; NULL behind the last. Borrowed. */
const char *hone_cli_words_criterion(const hone_cli_words *w, size_t i);
/* The width of the scale of a criterion (NULL: of the score); 0 when w is NULL or it is unknown. */
double hone_cli_words_range(const hone_cli_words *w, const char *criterion);
/* Appends a value: "3 (right and whole)" where it is a level, else the number. */
void hone_cli_words_value(const hone_cli_words *w, const char *criterion, double v, hone_buf *out);
#endif
