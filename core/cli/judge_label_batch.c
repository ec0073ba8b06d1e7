/* judge_label_batch.c - which items are labelled next (judge/pick.h), and labels from and to files (judge/label_file.h). */
#include "base/alloc.h"
#include "base/map.h"
#include "cli/component.h"
#include "cli/judge_label.h"
#include "cli/judge_rows.h"
#include "judge/label_file.h"
#include "judge/pick.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 20000 }; /* items without --batch */

/* ---- a batch --------------------------------------------------------------------------------------- */

/* The items that were in no batch. */
typedef struct pool {
    size_t *index; /* into items */
    hone_str *ids;
    size_t n;
    hone_map old; /* policies of items that were in a batch */
} pool;

/* Whose work an item is: its column policy, else model. */
static hone_str policy_of(const hone_value *row)
{
    hone_str name = {NULL, 0};
    const hone_value *v = hone_value_get(row, "policy");
    if (!v)
        v = hone_value_get(row, "model");
    if (v && v->type == HONE_STRING)
        name = v->u.str;
    return name;
}

static hone_status find_pool(hone_labels *l, const hone_cli_items *items, const char *path, pool *p)
{
    for (size_t i = 0; i < items->n; i++) {
        hone_status s = hone_labels_check_item(l, &items->rows[i]);
        if (s < 0)
            return hone_fail_at("%s: row %zu", path, i + 1);
        s = hone_labels_knows(l, items->items[i].id);
        if (s < 0)
            return s;
        const hone_str policy = policy_of(&items->rows[i]);
        if (s > 0 && policy.len)
            HONE_TRY(hone_map_put(&p->old, policy.ptr, policy.len, p, NULL));
        if (s == 0) {
            p->index[p->n] = i;
            p->ids[p->n++] = items->items[i].id;
        }
    }
    return HONE_OK;
}

static hone_status read_verdicts(hone_registry *r, const char *path, hone_pick_pool *signals,
                                 size_t *used)
{
    hone_data *d = NULL;
    hone_arena arena;
    hone_value row;
    uint64_t number = 0;
    HONE_TRY(hone_cli_open_data(r, NULL, path, "stop", &d));
    hone_arena_init(&arena, 0);
    hone_status s;
    while ((s = hone_data_next(d, &arena, &row)) > 0) {
        number++;
        s = hone_pick_pool_add(signals, &row);
        if (s < 0) {
            hone_fail_at("%s: row %llu", path, (unsigned long long)number);
            break;
        }
        *used += s > 0;
        hone_arena_clear(&arena);
    }
    hone_arena_release(&arena);
    hone_data_close(d);
    return s;
}

static hone_status find_signals(hone_registry *r, const hone_cli_items *items, const pool *p,
                                const hone_rubric *rubric, const hone_cli_label_batch *how,
                                hone_pick_pool **out)
{
    size_t used = 0;
    const double middle = rubric->shape == HONE_SHAPE_PAIRWISE ? 0
                                                               : (rubric->min + rubric->max) / 2;
    HONE_TRY(
        hone_pick_pool_create(p->ids, p->n, isnan(how->threshold) ? middle : how->threshold, out));
    for (size_t i = 0; i < p->n; i++) {
        const hone_str policy = policy_of(&items->rows[p->index[i]]);
        if (policy.len)
            hone_pick_pool_fresh(*out, i, !hone_map_has(&p->old, policy.ptr, policy.len));
    }
    if (!how->verdicts)
        return HONE_OK;
    HONE_TRY(read_verdicts(r, how->verdicts, *out, &used));
    return used ? HONE_OK
                : hone_fail(HONE_E_INVALID,
                            "%s: no verdict is of an item of %s that is not labelled",
                            how->verdicts, how->items);
}

static hone_status draw(hone_registry *r, hone_labels *l, const hone_rubric *rubric,
                        const hone_cli_items *items, const pool *p, const hone_cli_label_batch *how)
{
    const size_t want = how->size && (size_t)how->size < p->n ? (size_t)how->size : p->n;
    hone_pick_pool *signals = NULL;
    size_t uniform = 0;
    hone_pick *picks = hone_calloc(want, sizeof *picks);
    hone_label_pick *rows = hone_calloc(want, sizeof *rows);
    hone_status s = picks && rows ? find_signals(r, items, p, rubric, how, &signals) : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_pick_draw(hone_pick_pool_signals(signals), p->n, want, how->seed, picks);
    for (size_t k = 0; s >= 0 && k < want; k++) {
        const size_t i = p->index[picks[k].item];
        uniform += strcmp(picks[k].why, "uniform") == 0;
        rows[k] = (hone_label_pick){.row = &items->rows[i],
                                    .id = items->items[i].id,
                                    .prompt_id = items->items[i].prompt_id,
                                    .probability = picks[k].probability,
                                    .why = picks[k].why};
    }
    if (s >= 0)
        s = hone_labels_add_batch(l, rows, want, p->n);
    if (s >= 0 && !how->quiet && want < p->n)
        printf("a batch of %zu of %zu items, %zu of them at random\n", want, p->n, uniform);
    hone_pick_pool_destroy(signals);
    hone_free(picks);
    hone_free(rows);
    return s;
}

hone_status hone_cli_label_batch_make(hone_registry *r, hone_labels *l, const hone_rubric *rubric,
                                      const hone_cli_label_batch *how)
{
    hone_cli_items items = {.n = 0};
    pool p = {.n = 0};
    char name[32];
    int64_t have = 0, open = 0;
    HONE_TRY(hone_labels_batch(l, name, &have));
    HONE_TRY(hone_labels_open_tasks(l, &open));
    hone_map_init(&p.old);
    hone_status s = hone_cli_items_read(r, how->source, how->items, 0, &items);
    if (s >= 0) {
        p.index = hone_calloc(items.n, sizeof *p.index);
        p.ids = hone_calloc(items.n, sizeof *p.ids);
        s = p.index && p.ids ? find_pool(l, &items, how->items, &p) : HONE_E_NOMEM;
    }
    const int goes_on = have && open;
    if (s >= 0 && !goes_on && p.n > MOST && !how->size) {
        s = hone_fail(HONE_E_LIMIT, "%s: %zu items are more than experts label", how->items, p.n);
        hone_fail_hint("--batch 200 chooses so many of them");
    }
    if (s >= 0 && goes_on && how->size && !how->quiet)
        printf("%s is not done: going on with it\n", name);
    if (s >= 0 && !goes_on && p.n)
        s = draw(r, l, rubric, &items, &p, how);
    hone_map_release(&p.old);
    hone_free(p.index);
    hone_free(p.ids);
    hone_cli_items_release(&items);
    return s;
}

/* ---- files ----------------------------------------------------------------------------------------- */

static int ends_with(const char *path, const char *tail)
{
    const size_t n = strlen(path), m = strlen(tail);
    return n >= m && strcmp(path + n - m, tail) == 0;
}

static hone_status import_rows(hone_data *d, hone_book *book, const char *path,
                               hone_label_import *sum)
{
    hone_arena arena;
    hone_value row;
    hone_label label;
    hone_status s;
    hone_arena_init(&arena, 0);
    while ((s = hone_data_next(d, &arena, &row)) > 0) {
        s = hone_label_row_read(&row, &arena, &label);
        if (s >= 0)
            s = hone_label_import_row(book, &label, sum);
        if (s < 0) {
            hone_fail_at("%s: row %zu", path, sum->rows + (s == HONE_E_TYPE));
            break;
        }
        hone_arena_clear(&arena);
    }
    hone_arena_release(&arena);
    return s;
}

hone_status hone_cli_label_import(hone_registry *r, hone_book *book, const char *source,
                                  const char *path, int json)
{
    hone_data *d = NULL;
    hone_label_import sum = {.rows = 0};
    const char *kind = source ? source : ends_with(path, ".csv") ? "csv" : NULL;
    HONE_TRY(hone_cli_open_data(r, kind, path, "stop", &d));
    hone_status s = hone_book_begin(book);
    if (s >= 0) {
        s = import_rows(d, book, path, &sum);
        if (s >= 0)
            s = hone_book_commit(book);
        else
            hone_book_rollback(book);
    }
    hone_data_close(d);
    if (s < 0)
        return s;
    if (json) {
        printf("{\"rows\":%zu,\"stored\":%zu,\"same\":%zu,\"replaced\":%zu,\"unknown\":%zu,"
               "\"settled\":%zu}\n",
               sum.rows, sum.stored, sum.same, sum.replaced, sum.unknown, sum.settled);
        return HONE_OK;
    }
    printf("%zu labels, %zu stored, %zu there already\n", sum.rows, sum.stored, sum.same);
    if (sum.replaced)
        printf("%zu took the place of another answer of the same expert; the earlier one is kept "
               "in the store\n",
               sum.replaced);
    if (sum.settled)
        printf("%zu are a lead's settlements, which only the page takes: left out\n", sum.settled);
    if (sum.unknown)
        printf("%zu are of items that the store does not hold\n", sum.unknown);
    return HONE_OK;
}

hone_status hone_cli_label_export(hone_book *book, const char *path, int json)
{
    size_t n = 0;
    HONE_TRY(hone_labels_export(book, path, ends_with(path, ".csv"), &n));
    printf(json ? "{\"labels\":%zu}\n" : "%zu labels\n", n);
    return HONE_OK;
}
