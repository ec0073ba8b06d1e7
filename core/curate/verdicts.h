/* verdicts.h - what a judge said of the rows, from the store of judges (judge/book.h), as their score.
 *
 * A row is the item that `hone judge run` would make of it: its `id`, else its number, and a hash of what the judge sees. Its score is the mean
 * over all answers with a number that the judge gave to that very input (repetitions, orders); a row that was not judged has none.
 * Reads the store, writes nothing. [control-thread] */
#ifndef HONE_CORE_CURATE_VERDICTS_H
#define HONE_CORE_CURATE_VERDICTS_H
#include "curate/input.h"

typedef struct hone_verdicts hone_verdicts;
/* `store` as hone_book_where takes it. `judge`: the beginning of a spec's hash; NULL: the only judge there is. E_NOT_FOUND: no store, no such
 * judge; E_USAGE: several. `input` is borrowed for the names of its files. */
hone_status hone_verdicts_open(const char *store, const char *judge, const hone_input *input,
                               hone_verdicts **out);
void hone_verdicts_close(hone_verdicts *v);
const char *hone_verdicts_spec(const hone_verdicts *v); /* the hash of the judge that was meant */
/* Of a row; has the form of hone_select_spec's score. */
hone_status hone_verdicts_score(void *verdicts, const hone_input_row *row, double *out);
#endif
