/* judge_measure.c - see judge_measure.h. */
#include "cli/judge_measure.h"

#include "base/file.h"
#include "base/hash.h"
#include "cli/judge_rows.h"
#include "judge/ask.h"
#include "judge/listwise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PEEK = 1000 };

hone_status hone_cli_judge_read(hone_registry *r, const char *path, int kind, hone_joined *j)
{
    hone_data *d;
    hone_arena arena;
    hone_value row;
    hone_status s;
    uint64_t number = 0;
    HONE_TRY(hone_cli_open_data(r, NULL, path, j->opts.skip_bad ? "skip" : "stop", &d));
    hone_arena_init(&arena, 0);
    while ((s = hone_data_next(d, &arena, &row)) > 0) {
        s = hone_joined_add(j, kind, path, ++number, &row);
        if (s < 0)
            break;
        hone_arena_clear(&arena);
    }
    if (s >= 0)
        j->bad += (uint64_t)hone_data_skipped(d);
    hone_arena_release(&arena);
    hone_data_close(d);
    return s;
}

hone_status hone_cli_judge_is_list(hone_registry *r, const char *path, int kind, int *list)
{
    hone_data *d;
    hone_arena arena;
    hone_value row;
    hone_status s;
    *list = 0;
    if (!path)
        return HONE_OK;
    HONE_TRY(hone_cli_open_data(r, NULL, path, "skip", &d));
    hone_arena_init(&arena, 0);
    for (int i = 0; i < PEEK && !*list && (s = hone_data_next(d, &arena, &row)) > 0; i++) {
        *list = hone_lists_is_row(kind, &row);
        hone_arena_clear(&arena);
    }
    hone_arena_release(&arena);
    hone_data_close(d);
    return HONE_OK;
}

/* ---- labels of the store ---------------------------------------------------------------------------------- */

typedef struct stored {
    hone_joined *j;
    hone_arena arena;
    hone_buf text;
    hone_sha256 sha;
    uint64_t number;
} stored;

/* The columns of a JSON map of the store, each as one of the row's. */
static hone_status put_columns(hone_str json, hone_jw *w, hone_arena *arena)
{
    hone_value map;
    if (!json.len)
        return HONE_OK;
    HONE_TRY(hone_json_parse(json.ptr, json.len, "a label's columns", arena, &map));
    for (size_t i = 0; map.type == HONE_MAP && i < map.u.map.n; i++) {
        hone_jw_key_str(w, map.u.map.pairs[i].key);
        hone_jw_value(w, &map.u.map.pairs[i].value);
    }
    return HONE_OK;
}

static void put_text(hone_jw *w, const char *key, hone_str s)
{
    if (s.len)
        hone_jw_kstr(w, key, s);
}

static hone_status label_row(void *ctx, const hone_label *l)
{
    stored *st = ctx;
    hone_value row;
    hone_jw w;
    hone_arena_clear(&st->arena);
    hone_buf_clear(&st->text);
    hone_jw_init(&w, &st->text, 0);
    hone_jw_map(&w);
    put_text(&w, "item", l->item);
    put_text(&w, "expert", l->expert);
    if (!isnan(l->score))
        hone_jw_kf64(&w, "score", l->score);
    put_text(&w, "choice", l->choice);
    if (l->criteria.len) {
        hone_jw_key(&w, "criteria");
        hone_jw_map(&w);
        HONE_TRY(put_columns(l->criteria, &w, &st->arena));
        hone_jw_end(&w);
    }
    put_text(&w, "prompt_id", l->prompt_id);
    put_text(&w, "split", l->split);
    if (!isnan(l->probability))
        hone_jw_kf64(&w, "probability", l->probability);
    hone_jw_kbool(&w, "duplicate", l->duplicate);
    HONE_TRY(put_columns(l->slices, &w, &st->arena));
    hone_jw_end(&w);
    HONE_TRY(hone_buf_check(&st->text, "a label"));
    hone_sha256_add(&st->sha, st->text.ptr, st->text.len);
    HONE_TRY(hone_json_parse(st->text.ptr, st->text.len, "a label", &st->arena, &row));
    return hone_joined_add(st->j, HONE_ROWS_LABELS, "the store", ++st->number, &row);
}

hone_status hone_cli_judge_labels(hone_book *book, const char *batch, hone_joined *j, char *sha256)
{
    stored st = {.j = j};
    hone_arena_init(&st.arena, 0);
    hone_buf_init(&st.text, (size_t)16 << 20);
    hone_sha256_init(&st.sha);
    hone_status s = hone_book_labels(book, batch, NULL, label_row, &st);
    if (s >= 0)
        s = hone_book_settled(book, batch, label_row, &st);
    hone_sha256_hex(&st.sha, sha256);
    hone_arena_release(&st.arena);
    hone_buf_release(&st.text);
    return s < 0 ? s : HONE_OK;
}

/* ---- a judge that is asked now ---------------------------------------------------------------------------- */

typedef struct answers {
    hone_joined *j;
    hone_arena arena;
    uint64_t number;
} answers;

static hone_status take(void *ctx, const hone_answer *a)
{
    answers *all = ctx;
    hone_value row;
    hone_arena_clear(&all->arena);
    HONE_TRY(hone_json_parse(a->row.ptr, a->row.len, "a verdict", &all->arena, &row));
    return hone_joined_add(all->j, HONE_ROWS_VERDICTS, "the verdicts", ++all->number, &row);
}

/* Leaves the items that are to be judged at the front; returns how many. */
static size_t wanted(const hone_cli_judge_asking *a, const hone_joined *j, hone_cli_items *items)
{
    size_t n = 0;
    for (size_t i = 0; i < items->n; i++) {
        const hone_joined_item *it = hone_joined_find(j, items->items[i].id);
        if (j->lists) { /* which split a list is in is known when all is read */
            if (!a->labelled || hone__lists_labelled(j, items->items[i].id))
                items->items[n++] = items->items[i];
            continue;
        }
        if (a->labelled &&
            (!it || !it->labelled ||
             (j->opts.split != HONE_SPLIT_ALL && hone_joined_split(it) != j->opts.split)))
            continue;
        items->items[n++] = items->items[i];
    }
    return n;
}

hone_status hone_cli_judge_ask(const hone_cli_judge_asking *a, hone_book *book, hone_joined *j)
{
    hone_cli_judge judge = {0};
    hone_cli_items items = {0};
    answers all = {.j = j};
    size_t n = 0;
    hone_arena_init(&all.arena, 0);
    hone_status s = hone_cli_judge_open(a->judge, &judge);
    if (s >= 0)
        s = hone_cli_items_read(judge.env->registry, NULL, a->items, 0, &items);
    for (size_t i = 0; s >= 0 && !j->lists && i < items.n; i++) /* lists read theirs first */
        s = hone_joined_add(j, HONE_ROWS_ITEMS, a->items, i + 1, &items.rows[i]);
    if (s >= 0 && !j->lists)
        s = hone_joined_settle(j);
    if (s >= 0)
        n = wanted(a, j, &items);
    if (s >= 0 && !n) {
        hone_fail(HONE_E_INVALID, "%s: none of its %zu items %s", a->items, items.n,
                  a->labelled ? "has a label in this split" : "can be judged");
        s = hone_fail_hint("a label's \"item\" is the \"id\" of the item's row");
    }
    if (s >= 0) {
        const hone_ask_params p = {.ref = judge.ref,
                                   .instance = judge.instance,
                                   .spec = judge.spec,
                                   .spec_json = judge.spec_json,
                                   .rubric = judge.rubric,
                                   .book = book,
                                   .repeats = (uint32_t)a->repeats,
                                   .orders = a->orders};
        s = hone_ask(&p, items.items, n, take, &all, NULL);
    }
    const hone_error e = *hone_error_get();
    hone_arena_release(&all.arena);
    hone_cli_items_release(&items);
    hone_cli_judge_close(&judge);
    return s < 0 ? hone_error_set(&e) : HONE_OK;
}

/* ---- where it is from ------------------------------------------------------------------------------------- */

hone_status hone_cli_judge_origin_of(const hone_joined *j, const char *const (*files)[2],
                                     hone_cli_judge_origin *out)
{
    memset(out, 0, sizeof *out);
    out->about = (hone_calib_about){.spec = j->several_specs ? NULL : j->spec,
                                    .rubric = j->several_rubrics ? NULL : j->rubric,
                                    .criterion = j->opts.criterion,
                                    .data = out->data,
                                    .test_reads = -1};
    for (; (*files)[0]; files++) {
        hone_calib_source *to = &out->data[out->about.n_data];
        if (!(*files)[1])
            continue;
        to->name = (*files)[0];
        to->path = (*files)[1];
        HONE_TRY(hone_sha256_file(to->path, to->sha256));
        out->about.n_data++;
    }
    hone_book_now(out->at);
    out->about.at = out->at;
    snprintf(out->version, sizeof out->version, "%u.%u.%u", HONE_SDK_VERSION >> 16,
             HONE_SDK_VERSION >> 8 & 0xFF, HONE_SDK_VERSION & 0xFF);
    out->about.version = out->version;
    return HONE_OK;
}

hone_status hone_cli_judge_store(const char *path, int must, hone_book **out)
{
    *out = NULL;
    if (path || must || hone_file_exists(hone_book_where(NULL)))
        return hone_book_open(path, out);
    return HONE_OK;
}
