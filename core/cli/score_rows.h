/* score_rows.h - rows of a data file as samples, their outcomes as text: what `hone score` and `hone plugin try` share. */
#ifndef HONE_CORE_CLI_SCORE_ROWS_H
#define HONE_CORE_CLI_SCORE_ROWS_H
#include "base/json.h"
#include "score/score.h"
#include "train/source.h"

/* Rows are scored in jobs of so many. */
enum { HONE_CLI_SCORE_BATCH = 64 };

/* Row number `number` (from 1) of the file `data` as a sample: prompt, completion, messages, finish, and all
 * columns. What it points to is the row's, or lies in the arena. E_NOT_FOUND without a completion. */
hone_status hone_cli_sample(const char *data, const hone_value *row, uint64_t number,
                            hone_arena *arena, hone_sample *out);
/* "score", "abstain", "error", "timeout" */
const char *hone_cli_status_word(uint32_t status);
/* Writes the key "id": the row's own id, or its number. */
void hone_cli_put_id(hone_jw *w, const hone_value *row, uint64_t number);

/* Scores the rows of a file in jobs. After each, `done` gets the job, its rows and samples; what it returns ends the
 * work when negative. */
typedef hone_status (*hone_cli_scored)(void *ctx, const hone_score_job *job, const hone_value *rows,
                                       const hone_sample *samples, size_t n, uint64_t first);
hone_status hone_cli_score_rows(hone_scorer *scorer, hone_data *rows, const char *data,
                                hone_cli_scored done, void *ctx);
#endif
