/* verdicts.c - see verdicts.h. */
#include "curate/verdicts.h"

#include "base/alloc.h"
#include "judge/ask.h"
#include "judge/book.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

struct hone_verdicts {
    hone_book *book;
    const hone_input *input;
    sqlite3_stmt *q;
    char spec[65];
    hone_arena arena;
};

static hone_status db_fail(const hone_verdicts *v)
{
    return hone_fail(HONE_E_IO, "%s: %s", hone_book_path(v->book),
                     sqlite3_errmsg(hone_book_db(v->book)));
}

/* The one spec that begins so. */
static hone_status find_judge(hone_verdicts *v, const char *judge)
{
    sqlite3_stmt *q = NULL;
    char listed[400] = "";
    int rc = sqlite3_prepare_v2(
        hone_book_db(v->book),
        "SELECT DISTINCT spec FROM verdict WHERE substr(spec, 1, length(?1)) "
        "= ?1 ORDER BY spec LIMIT 6",
        -1, &q, NULL);
    int n = 0;
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(q, 1, judge ? judge : "", -1, SQLITE_STATIC);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(q);
        if (rc != SQLITE_ROW)
            break;
        const size_t at = strlen(listed);
        snprintf(v->spec, sizeof v->spec, "%s", (const char *)sqlite3_column_text(q, 0));
        snprintf(listed + at, sizeof listed - at, "%s%.12s", n ? ", " : "", v->spec);
        n++;
    }
    sqlite3_finalize(q);
    if (rc != SQLITE_DONE)
        return db_fail(v);
    if (n == 0)
        return hone_fail(HONE_E_NOT_FOUND, "%s: no verdicts of %s", hone_book_path(v->book),
                         judge ? judge : "any judge");
    if (n == 1)
        return HONE_OK;
    hone_fail(HONE_E_USAGE, "%s: verdicts of several judges: %s", hone_book_path(v->book), listed);
    return hone_fail_hint("name one: --judge %.12s", listed);
}

hone_status hone_verdicts_open(const char *store, const char *judge, const hone_input *input,
                               hone_verdicts **out)
{
    hone_verdicts *v = hone_calloc(1, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    hone_arena_init(&v->arena, 0);
    v->input = input;
    hone_status s = hone_book_look(store, &v->book);
    if (s >= 0 && !v->book)
        s = hone_fail(HONE_E_NOT_FOUND, "%s: no store of judges is there", hone_book_where(store));
    if (s >= 0)
        s = find_judge(v, judge);
    if (s >= 0 &&
        sqlite3_prepare_v2(hone_book_db(v->book),
                           "SELECT json FROM verdict WHERE spec = ? AND item = ? AND input "
                           "= ? AND status = 0 ORDER BY key",
                           -1, &v->q, NULL) != SQLITE_OK)
        s = db_fail(v);
    if (s < 0) {
        hone_verdicts_close(v);
        return s;
    }
    *out = v;
    return HONE_OK;
}

void hone_verdicts_close(hone_verdicts *v)
{
    if (!v)
        return;
    sqlite3_finalize(v->q);
    hone_book_close(v->book);
    hone_arena_release(&v->arena);
    hone_free(v);
}

const char *hone_verdicts_spec(const hone_verdicts *v)
{
    return v->spec;
}

hone_status hone_verdicts_score(void *verdicts, const hone_input_row *row, double *out)
{
    hone_verdicts *v = verdicts;
    hone_value tree, json;
    hone_ask_item item;
    double sum = 0;
    size_t n = 0;
    hone_arena_clear(&v->arena);
    HONE_TRY(hone_json_parse(row->text.ptr, row->text.len, NULL, &v->arena, &tree));
    HONE_TRY(
        hone_ask_item_read(hone_input_path(v->input, row->file), &tree, row->of, &v->arena, &item));
    sqlite3_reset(v->q);
    sqlite3_bind_text(v->q, 1, v->spec, -1, SQLITE_STATIC);
    sqlite3_bind_text64(v->q, 2, item.id.ptr, item.id.len, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text(v->q, 3, item.input, -1, SQLITE_STATIC);
    int rc;
    while ((rc = sqlite3_step(v->q)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(v->q, 0);
        HONE_TRY(hone_json_parse(text ? text : "", text ? strlen(text) : 0, hone_book_path(v->book),
                                 &v->arena, &json));
        const double score = hone_value_number(hone_value_get(&json, "score"));
        if (isfinite(score)) {
            sum += score;
            n++;
        }
    }
    sqlite3_reset(v->q);
    if (rc != SQLITE_DONE)
        return db_fail(v);
    *out = n ? sum / (double)n : (double)NAN;
    return HONE_OK;
}
