/* score_rows.c - see score_rows.h. Rows have a completion, mostly a prompt (text or messages), and any other columns. */
#include "cli/score_rows.h"

#include "base/messages.h"

#include <string.h>

hone_status hone_cli_sample(const char *data, const hone_value *row, uint64_t number,
                            hone_arena *arena, hone_sample *out)
{
    const hone_value *completion = hone_value_get(row, "completion"),
                     *finish = hone_value_get(row, "finish");
    hone_messages messages;
    memset(out, 0, sizeof *out);
    out->id = number;
    out->group = number;
    if (!completion || completion->type != HONE_STRING) {
        hone_fail(HONE_E_NOT_FOUND, "%s: row %llu has no text in column \"completion\"", data,
                  (unsigned long long)number);
        return hone_fail_hint("rows to score have prompt, completion and any other columns");
    }
    out->completion = completion->u.str;
    if (hone_messages_of_row(row, arena, &out->prompt, &messages) < 0)
        return hone_fail_at("%s: row %llu", data, (unsigned long long)number);
    out->messages = messages.at;
    out->n_messages = messages.n;
    if (finish && finish->type == HONE_STRING)
        out->finish = hone_str_eq(finish->u.str, "length") ? HONE_FINISH_LENGTH
                      : hone_str_eq(finish->u.str, "stop") ? HONE_FINISH_STOP
                                                           : 0;
    hone_column *columns = hone_arena_calloc(arena, row->u.map.n, sizeof *columns);
    if (!columns)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < row->u.map.n; i++) {
        columns[i].name = row->u.map.pairs[i].key;
        columns[i].value = row->u.map.pairs[i].value;
    }
    out->columns = columns;
    out->n_columns = row->u.map.n;
    return HONE_OK;
}

const char *hone_cli_status_word(uint32_t status)
{
    return status == HONE_SCORE     ? "score"
           : status == HONE_ABSTAIN ? "abstain"
           : status == HONE_TIMEOUT ? "timeout"
                                    : "error";
}

void hone_cli_put_id(hone_jw *w, const hone_value *row, uint64_t number)
{
    const hone_value *id = hone_value_get(row, "id");
    hone_jw_key(w, "id");
    if (id && (id->type == HONE_I64 || id->type == HONE_STRING))
        hone_jw_value(w, id);
    else
        hone_jw_i64(w, (int64_t)number);
}

hone_status hone_cli_score_rows(hone_scorer *scorer, hone_data *rows, const char *data,
                                hone_cli_scored done, void *ctx)
{
    enum { BATCH = HONE_CLI_SCORE_BATCH };
    hone_arena arena;
    hone_status s = 1;
    uint64_t before = 0;
    hone_arena_init(&arena, 0);
    while (s > 0) {
        hone_value batch[BATCH];
        hone_sample samples[BATCH];
        hone_score_job *job;
        size_t n = 0;
        hone_arena_clear(&arena);
        for (; n < BATCH; n++) {
            s = hone_data_next(rows, &arena, &batch[n]);
            if (s <= 0)
                break;
            HONE_TRY_GOTO(hone_cli_sample(data, &batch[n], before + n + 1, &arena, &samples[n]),
                          end);
            s = 1;
        }
        if (s < 0 || n == 0)
            break;
        hone_score_params p = {
            .step = before / BATCH, .n_samples = n, .group_size = n, .error_limit = 1};
        hone_status more = s;
        HONE_TRY_GOTO(hone_score_begin(scorer, &p, &job), end);
        for (size_t i = 0; i < n && s >= 0; i++)
            s = hone_score_add(job, i, &samples[i]);
        if (s >= 0)
            s = hone_score_wait(job);
        if (s >= 0)
            s = done(ctx, job, batch, samples, n, before + 1);
        hone_score_end(job);
        if (s < 0)
            break;
        s = more;
        before += n;
    }
end:
    hone_arena_release(&arena);
    return s;
}
