/* joined_rows.c - see joined.h: what the columns of items, verdicts and labels mean.
 *
 * A column that is not listed in `known` is a slice when it is a text, a truth value or a whole number.
 * Names and values are data: nothing in them is followed. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "judge/ask.h"
#include "judge/joined_int.h"
#include "judge/listwise.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const hone_joined_status_names[HONE_JOINED_STATUSES] = {
    "ok", "unparsed", "refused", "truncated", "timeout", "budget"};

enum { PROMPT_SEED = 1 };

/* Columns that are no slices, whatever file they are in. */
static const char *const known[] = {
    "id",        "item",    "prompt_id",     "prompt",    "messages",    "completion", "candidates",
    "reference", "expert",  "score",         "choice",    "criteria",    "seconds",    "at",
    "batch",     "comment", "split",         "duplicate", "probability", "status",     "ranking",
    "labels",    "mass",    "entropy",       "reasoning", "spec",        "rubric",     "cost",
    "tokens_in", "repeat",  "policy",        "order",     "tokens_out",  "latency_ms", "length",
    "detail",    "raw",     "inconsistency", "settled",   "settles"};

hone_status hone__joined_bad(hone_joined *j, const char *name, uint64_t number, const char *fmt,
                             ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (j->opts.skip_bad) {
        if (!j->bad++) {
            char place[400];
            snprintf(place, sizeof place, "%.60s: row %llu: %s", name, (unsigned long long)number,
                     text);
            j->first_bad = hone_arena_strndup(&j->arena, place, strlen(place));
            return j->first_bad ? HONE_OK : HONE_E_NOMEM;
        }
        return HONE_OK;
    }
    hone_fail(HONE_E_INVALID, "%s: row %llu: %s", name, (unsigned long long)number, text);
    return hone_fail_hint("--skip-bad leaves malformed rows out and counts them");
}

/* A text of a cell that is a name: text as it is, whole numbers and truth values written out. 0: it is none. */
int hone__joined_name_of(const hone_value *v, char buf[32], hone_str *out)
{
    if (!v)
        return 0;
    switch (v->type) {
    case HONE_STRING:
        *out = v->u.str;
        return v->u.str.len > 0;
    case HONE_I64:
        snprintf(buf, 32, "%lld", (long long)v->u.i64);
        break;
    case HONE_BOOL:
        snprintf(buf, 32, "%s", v->u.boolean ? "yes" : "no");
        break;
    case HONE_F64:
        if (v->u.f64 != floor(v->u.f64) || fabs(v->u.f64) > 1e15)
            return 0;
        snprintf(buf, 32, "%.0f", v->u.f64);
        break;
    default:
        return 0;
    }
    *out = hone_str_c(buf);
    return 1;
}

/* A number of a cell: 1; nothing there: 0; something else, or not finite: -1. */
int hone__joined_number_of(const hone_value *v, double *out)
{
    if (!v || v->type == HONE_NULL || (v->type == HONE_STRING && v->u.str.len == 0))
        return 0;
    if (v->type == HONE_I64)
        *out = (double)v->u.i64;
    else if (v->type == HONE_F64)
        *out = v->u.f64;
    else if (v->type == HONE_BOOL)
        *out = (double)v->u.boolean;
    else
        return -1;
    return isfinite(*out) && fabs(*out) <= 1e15 ? 1 : -1;
}

int hone__joined_flag(const hone_value *v)
{
    double x = 0;
    if (v && v->type == HONE_STRING)
        return hone_str_eq(v->u.str, "true") || hone_str_eq(v->u.str, "yes");
    (void)hone__joined_number_of(v, &x);
    return x != 0;
}

/* ---- columns that every kind may have ------------------------------------------------------------------ */

static hone_status take_slices(hone_joined *j, hone_joined_item *it, const hone_value *row)
{
    for (size_t i = 0; i < row->u.map.n; i++) {
        const hone_pair *p = &row->u.map.pairs[i];
        char buf[32];
        hone_str text;
        size_t k = 0;
        while (k < sizeof known / sizeof *known && !hone_str_eq(p->key, known[k]))
            k++;
        if (k < sizeof known / sizeof *known || !p->key.len || p->key.len > 60 ||
            (p->key.len > 9 && memcmp(p->key.ptr, "criteria.", 9) == 0))
            continue;
        if (hone__joined_name_of(&p->value, buf, &text))
            HONE_TRY(hone__joined_slice(j, it, p->key, text));
    }
    return HONE_OK;
}

/* The first name of a kind holds. */
void hone__joined_name(hone_joined_item *it, int who, hone_str name)
{
    if (it->named >> who & 1)
        return;
    it->names[who] = hone_xxh64(name.ptr, name.len, PROMPT_SEED);
    it->named |= (uint8_t)(1u << who);
}

/* A name that should be the same in all rows: kept once, a difference remembered. */
static hone_status keep_same(hone_joined *j, const hone_value *v, char **at, int *several)
{
    if (!v || v->type != HONE_STRING || !v->u.str.len)
        return HONE_OK;
    if (*at) {
        *several |= !hone_str_eq(v->u.str, *at);
        return HONE_OK;
    }
    *at = hone_arena_strndup(&j->arena, v->u.str.ptr, v->u.str.len < 300 ? v->u.str.len : 300);
    return *at ? HONE_OK : HONE_E_NOMEM;
}

hone_status hone__joined_common(hone_joined *j, hone_joined_item *it, int kind, const char *name,
                                uint64_t number, const hone_value *row)
{
    const int who = kind == HONE_ROWS_ITEMS      ? HONE_NAMED_ITEM
                    : kind == HONE_ROWS_VERDICTS ? HONE_NAMED_VERDICT
                                                 : HONE_NAMED_LABEL;
    char buf[32];
    hone_str text;
    double length;
    const hone_value *prompt = hone_value_get(row, "prompt_id"),
                     *split = hone_value_get(row, "split");
    if (hone__joined_name_of(prompt, buf, &text))
        hone__joined_name(it, who, text);
    if (split && split->type == HONE_STRING && split->u.str.len) {
        char z[16];
        snprintf(z, sizeof z, "%.*s", (int)(split->u.str.len < 15 ? split->u.str.len : 15),
                 split->u.str.ptr);
        int at = hone_split_of(z);
        if (at < 0 || at == HONE_SPLIT_ALL)
            return hone__joined_bad(j, name, number, "split \"%s\" is none of few-shot, dev, test",
                                    z);
        it->split = (uint8_t)at;
        it->has_split = 1;
    }
    if (it->length < 0 && hone__joined_number_of(hone_value_get(row, "length"), &length) > 0 &&
        length >= 0)
        it->length = (int64_t)length;
    if (kind != HONE_ROWS_LABELS)
        HONE_TRY(keep_same(j, hone_value_get(row, "policy"), &j->policy, &j->several_policies));
    return take_slices(j, it, row);
}

/* "12", "x-7"; the row's number where it has no id. */
static int id_of(const hone_value *row, const char *key, char buf[32], hone_str *out)
{
    return hone__joined_name_of(hone_value_get(row, key), buf, out) && out->len <= 1000;
}

/* ---- items ------------------------------------------------------------------------------------------------ */

/* The name that a prompt has where no row names it: what judge/ask.h calls it, so that verdicts and items agree. */
static hone_status text_hash(hone_joined *j, const hone_value *row, uint64_t number,
                             hone_joined_item *it)
{
    hone_ask_item item;
    const hone_value *prompt = hone_value_get(row, "prompt"),
                     *messages = hone_value_get(row, "messages");
    if ((!prompt || prompt->type == HONE_NULL) && (!messages || messages->type == HONE_NULL))
        return HONE_OK;
    hone_arena_clear(&j->scratch);
    hone_status s = hone_ask_item_read("items", row, number, &j->scratch, &item);
    if (s == HONE_E_NOMEM)
        return s;
    if (s < 0) { /* without a completion it cannot be judged, but it has a prompt */
        if (prompt && prompt->type == HONE_STRING)
            hone__joined_name(it, HONE_NAMED_TEXT, prompt->u.str);
        return HONE_OK;
    }
    hone__joined_name(it, HONE_NAMED_TEXT, item.prompt_id);
    return HONE_OK;
}

hone_status hone__joined_item_row(hone_joined *j, const char *name, uint64_t number,
                                  const hone_value *row, hone_str id)
{
    hone_joined_item *it;
    HONE_TRY(hone__joined_item(j, id, &it));
    if (!it)
        return HONE_OK;
    it->in_items = 1;
    const hone_value *completion = hone_value_get(row, "completion");
    if (completion && completion->type == HONE_STRING)
        it->length = (int64_t)completion->u.str.len;
    HONE_TRY(text_hash(j, row, number, it));
    return hone__joined_common(j, it, HONE_ROWS_ITEMS, name, number, row);
}

static hone_status add_item(hone_joined *j, const char *name, uint64_t number,
                            const hone_value *row)
{
    char buf[32];
    hone_str id;
    if (!id_of(row, "id", buf, &id)) {
        snprintf(buf, sizeof buf, "%llu", (unsigned long long)number);
        id = hone_str_c(buf);
    }
    return hone__joined_item_row(j, name, number, row, id);
}

/* ---- verdicts --------------------------------------------------------------------------------------------- */

static const hone_value *score_of(const hone_joined *j, const hone_value *row)
{
    const hone_value *map;
    if (!j->opts.criterion)
        return hone_value_get(row, "score");
    map = hone_value_get(row, "criteria");
    if (map && map->type == HONE_MAP)
        return hone_value_get(map, j->opts.criterion);
    for (size_t i = 0; i < row->u.map.n; i++) { /* criteria.NAME, as CSV has it */
        hone_str key = row->u.map.pairs[i].key;
        if (key.len > 9 && memcmp(key.ptr, "criteria.", 9) == 0 &&
            hone_str_eq((hone_str){key.ptr + 9, key.len - 9}, j->opts.criterion))
            return &row->u.map.pairs[i].value;
    }
    return NULL;
}

int hone__joined_status_of(const hone_value *row, int has_score)
{
    const hone_value *v = hone_value_get(row, "status");
    if (!v || v->type == HONE_NULL)
        return has_score ? HONE_JOINED_OK : HONE_JOINED_UNPARSED;
    for (int i = 0; v->type == HONE_STRING && i < HONE_JOINED_STATUSES; i++)
        if (hone_str_eq(v->u.str, hone_joined_status_names[i]))
            return i;
    return -1;
}

/* Was the first candidate shown first? */
static int shown_second(const hone_value *row)
{
    const hone_value *order = hone_value_get(row, "order");
    double first;
    return order && order->type == HONE_LIST && order->u.list.n == 2 &&
           hone__joined_number_of(&order->u.list.items[0], &first) > 0 && first != 0;
}

/* The score and the criteria of one verdict, by its repeat. (No item is dropped here: joined.c does that when the next item
 * comes.) */
static hone_status keep_scores(hone_joined *j, uint32_t item, const hone_value *row, double score)
{
    const hone_value *map = hone_value_get(row, "criteria");
    double repeat = 0, v;
    if (j->items[item].status[HONE_JOINED_OK] > HONE_JOINED_REPEATS)
        return HONE_OK;
    if (hone__joined_number_of(hone_value_get(row, "repeat"), &repeat) <= 0 || repeat < 0 ||
        repeat > 1e6)
        repeat = 0;
    HONE_TRY(hone__joined_score(j, item, (uint32_t)repeat, NULL, score));
    for (size_t i = 0; map && map->type == HONE_MAP && i < map->u.map.n; i++)
        if (hone__joined_number_of(&map->u.map.pairs[i].value, &v) > 0)
            HONE_TRY(hone__joined_score(j, item, (uint32_t)repeat, &map->u.map.pairs[i].key, v));
    return HONE_OK;
}

/* A judge that shows both orders itself says half their difference; which of them was higher does not matter, only that it is
 * the same in every row. */
static void add_orders(hone_joined_item *it, const hone_value *row, double score)
{
    const int order = shown_second(row);
    double half;
    if (hone__joined_number_of(hone_value_get(row, "inconsistency"), &half) > 0) {
        it->swapped[0] += score + half;
        it->swapped[1] += score - half;
        it->n_swapped[0]++;
        it->n_swapped[1]++;
        return;
    }
    it->swapped[order] += score;
    it->n_swapped[order]++;
}

hone_status hone__joined_judge(hone_joined *j, const hone_value *row)
{
    HONE_TRY(keep_same(j, hone_value_get(row, "spec"), &j->spec, &j->several_specs));
    return keep_same(j, hone_value_get(row, "rubric"), &j->rubric, &j->several_rubrics);
}

static hone_status add_verdict(hone_joined *j, const char *name, uint64_t number,
                               const hone_value *row)
{
    char buf[32];
    hone_str id;
    hone_joined_item *it;
    double score = 0;
    if (!id_of(row, "id", buf, &id) && !id_of(row, "item", buf, &id)) {
        snprintf(buf, sizeof buf, "%llu", (unsigned long long)number);
        id = hone_str_c(buf);
    }
    const hone_value *cell = score_of(j, row);
    if (cell && (cell->type == HONE_LIST || cell->type == HONE_MAP))
        return hone__joined_bad(
            j, name, number,
            "the score is a list: of lists of candidates all verdicts are (shape listwise)");
    int has = hone__joined_number_of(cell, &score), status = hone__joined_status_of(row, has > 0);
    if (status < 0)
        return hone__joined_bad(j, name, number,
                                "the status is none of ok, unparsed, refused, truncated, timeout, "
                                "budget");
    if (has < 0 && status == HONE_JOINED_OK)
        return hone__joined_bad(j, name, number, "the score is no finite number");
    if (has == 0 && status == HONE_JOINED_OK)
        status = HONE_JOINED_UNPARSED; /* only a verdict with a number is ok */
    HONE_TRY(hone__joined_item(j, id, &it));
    if (!it)
        return HONE_OK;
    it->in_verdicts = 1;
    it->status[status]++;
    if (status == HONE_JOINED_OK) {
        it->sum += score;
        add_orders(it, row, score);
    }
    if (j->opts.keep_scores && status == HONE_JOINED_OK)
        HONE_TRY(keep_scores(j, (uint32_t)(it - j->items), row, score));
    HONE_TRY(hone__joined_judge(j, row));
    return hone__joined_common(j, it, HONE_ROWS_VERDICTS, name, number, row);
}

/* ---- labels ----------------------------------------------------------------------------------------------- */

/* 1, -1, 0 of a, b, tie; 2: none of them. */
int hone__joined_choice_of(hone_str s)
{
    static const char *const names[] = {"a", "A", "b", "B", "tie", "Tie", "TIE"};
    static const int values[] = {1, 1, -1, -1, 0, 0, 0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (hone_str_eq(s, names[i]))
            return values[i];
    return 2;
}

/* The rating of a label row: 1, 0 when it has none, below zero when it is malformed (and told). */
static int rating_of(hone_joined *j, const char *name, uint64_t number, const hone_value *row,
                     double *out, hone_status *s)
{
    const hone_value *choice = j->opts.criterion ? NULL : hone_value_get(row, "choice");
    const hone_value *score = score_of(j, row);
    int pairwise = choice && choice->type == HONE_STRING && choice->u.str.len;
    int has = pairwise ? 1 : hone__joined_number_of(score, out);
    *s = HONE_OK;
    if (pairwise) {
        int c = hone__joined_choice_of(choice->u.str);
        *out = c;
        if (c == 2)
            *s = hone__joined_bad(j, name, number, "choice \"%.*s\" is none of a, b, tie",
                                  (int)(choice->u.str.len < 40 ? choice->u.str.len : 40),
                                  choice->u.str.ptr);
        has = c == 2 ? -1 : 1;
    } else if (has < 0) {
        *s = hone__joined_bad(j, name, number, "the %s is no finite number",
                              j->opts.criterion ? "criterion" : "score");
    }
    if (has <= 0)
        return has;
    int shape = pairwise ? HONE_SHAPE_PAIRWISE : HONE_SHAPE_POINTWISE;
    if (j->shape == HONE_SHAPE_PAIRWISE && !pairwise && fabs(*out) <= 1)
        shape = HONE_SHAPE_PAIRWISE; /* a score in [-1, 1] of a pair */
    if (!j->shape)
        j->shape = shape;
    if (j->shape != shape) {
        *s = hone__joined_bad(j, name, number, "a %s label among %s ones",
                              pairwise ? "pairwise (\"choice\")" : "pointwise (\"score\")",
                              pairwise ? "pointwise" : "pairwise");
        return -1;
    }
    return 1;
}

static hone_status add_label(hone_joined *j, const char *name, uint64_t number,
                             const hone_value *row)
{
    char buf[32], buf2[32];
    hone_str id, expert;
    hone_joined_item *it;
    hone_status s;
    double value = 0, probability = 0;
    if (!id_of(row, "item", buf, &id) && !id_of(row, "id", buf, &id))
        return hone__joined_bad(j, name, number, "there is no \"item\"");
    if (!hone__joined_name_of(hone_value_get(row, "expert"), buf2, &expert))
        expert = hone_str_c("expert");
    if (expert.len > 300)
        return hone__joined_bad(j, name, number, "the expert's name is longer than 300 bytes");
    const int settled = hone__joined_flag(hone_value_get(row, "settled"));
    j->settled += (uint64_t)settled;
    if (settled && !j->opts.settled)
        return HONE_OK;
    int has = rating_of(j, name, number, row, &value, &s);
    if (has < 0)
        return s;
    if (hone__joined_number_of(hone_value_get(row, "probability"), &probability) < 0 ||
        probability < 0 || probability > 1)
        return hone__joined_bad(j, name, number, "the probability is no number in (0, 1]");
    HONE_TRY(hone__joined_item(j, id, &it));
    if (!has) {
        j->empty++;
        return HONE_OK;
    }
    if (!it)
        return HONE_OK;
    if (settled) { /* of the experts' labels, and not one of them */
        it->settled = value;
        it->has_settled = 1;
        return HONE_OK;
    }
    const int flagged = hone__joined_flag(hone_value_get(row, "duplicate"));
    if (probability > 0)
        it->probability = probability;
    HONE_TRY(hone__joined_common(j, it, HONE_ROWS_LABELS, name, number, row));
    return hone__joined_label(j, it, expert, value, flagged); /* last: it may drop items */
}

hone_status hone_joined_add(hone_joined *j, int kind, const char *name, uint64_t number,
                            const hone_value *row)
{
    j->rows[kind]++;
    if (row->type != HONE_MAP)
        return hone__joined_bad(j, name, number, "a row is an object");
    if (j->opts.shape == HONE_SHAPE_LISTWISE)
        return hone__lists_add(j, kind, name, number, row);
    return kind == HONE_ROWS_ITEMS      ? add_item(j, name, number, row)
           : kind == HONE_ROWS_VERDICTS ? add_verdict(j, name, number, row)
                                        : add_label(j, name, number, row);
}
