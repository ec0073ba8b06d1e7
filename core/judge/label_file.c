/* label_file.c - see label_file.h. CSV as RFC 4180 has it. */
#include "judge/label_file.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/map.h"

#include <math.h>
#include <stdio.h>
#include <sqlite3.h>
#include <string.h>

static const char *const columns[] = {"item",    "expert", "score", "choice",      "prompt_id",
                                      "seconds", "at",     "batch", "probability", "duplicate",
                                      "comment", "split",  NULL};

int hone_label_is_column(hone_str name)
{
    for (size_t i = 0; columns[i]; i++)
        if (hone_str_eq(name, columns[i]))
            return 1;
    return hone_str_eq(name, "criteria");
}

/* ---- out ------------------------------------------------------------------------------------------- */

typedef struct sink {
    hone_writer w;
    hone_buf line;
    hone_arena arena;
    hone_map extra; /* CSV: "criteria.x" and slices, in order of appearance */
    int csv;
    size_t n;
} sink;

static hone_status parse_map(hone_str json, hone_arena *arena, hone_value *v)
{
    *v = (hone_value){.type = HONE_MAP};
    return json.len ? hone_json_parse(json.ptr, json.len, "a label", arena, v) : HONE_OK;
}

static void put_pairs(hone_jw *w, const hone_value *map)
{
    for (size_t i = 0; map->type == HONE_MAP && i < map->u.map.n; i++)
        if (!hone_label_is_column(map->u.map.pairs[i].key)) {
            hone_jw_key_str(w, map->u.map.pairs[i].key);
            hone_jw_value(w, &map->u.map.pairs[i].value);
        }
}

static void put_some(hone_jw *w, const char *key, hone_str s)
{
    if (s.len)
        hone_jw_kstr(w, key, s);
}

static hone_status put_json(sink *o, const hone_label *l)
{
    hone_value criteria, slices;
    hone_jw w;
    HONE_TRY(parse_map(l->criteria, &o->arena, &criteria));
    HONE_TRY(parse_map(l->slices, &o->arena, &slices));
    hone_jw_init(&w, &o->line, 0);
    hone_jw_map(&w);
    hone_jw_kstr(&w, "item", l->item);
    hone_jw_kstr(&w, "expert", l->expert);
    if (!isnan(l->score))
        hone_jw_kf64(&w, "score", l->score);
    put_some(&w, "choice", l->choice);
    if (criteria.u.map.n) {
        hone_jw_key(&w, "criteria");
        hone_jw_value(&w, &criteria);
    }
    put_some(&w, "prompt_id", l->prompt_id);
    if (!isnan(l->seconds))
        hone_jw_kf64(&w, "seconds", l->seconds);
    put_some(&w, "at", l->at);
    put_some(&w, "batch", l->batch);
    if (!isnan(l->probability))
        hone_jw_kf64(&w, "probability", l->probability);
    hone_jw_kbool(&w, "duplicate", l->duplicate);
    put_some(&w, "comment", l->comment);
    put_some(&w, "split", l->split);
    put_pairs(&w, &slices);
    hone_jw_end(&w);
    return hone_buf_addc(&o->line, '\n');
}

static void put_cell(hone_buf *b, hone_str s)
{
    int quote = s.len && (s.ptr[0] == ' ' || s.ptr[s.len - 1] == ' ');
    for (size_t i = 0; i < s.len; i++)
        quote |= strchr(",\"\r\n", s.ptr[i]) != NULL && s.ptr[i];
    if (!quote) {
        hone_buf_add_str(b, s);
        return;
    }
    hone_buf_addc(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"')
            hone_buf_addc(b, '"');
        hone_buf_addc(b, s.ptr[i]);
    }
    hone_buf_addc(b, '"');
}

static void put_number(hone_buf *b, double v)
{
    char text[32];
    if (isnan(v))
        return;
    hone_buf_add(b, text, hone_format_f64(v, text));
}

static void put_value(hone_buf *b, const hone_value *v)
{
    if (!v || v->type == HONE_NULL)
        return;
    if (v->type == HONE_STRING) {
        put_cell(b, v->u.str);
    } else if (v->type == HONE_F64) {
        put_number(b, v->u.f64);
    } else if (v->type == HONE_I64) {
        hone_buf_addf(b, "%lld", (long long)v->u.i64);
    } else if (v->type == HONE_BOOL) {
        hone_buf_adds(b, v->u.boolean ? "true" : "false");
    }
}

static const char in_criteria[] = "criteria.";

static hone_status put_csv(sink *o, const hone_label *l)
{
    hone_value criteria, slices;
    hone_buf *b = &o->line;
    const hone_str texts[] = {l->item, l->expert};
    HONE_TRY(parse_map(l->criteria, &o->arena, &criteria));
    HONE_TRY(parse_map(l->slices, &o->arena, &slices));
    put_cell(b, texts[0]);
    hone_buf_addc(b, ',');
    put_cell(b, texts[1]);
    hone_buf_addc(b, ',');
    put_number(b, l->score);
    hone_buf_addc(b, ',');
    put_cell(b, l->choice);
    hone_buf_addc(b, ',');
    put_cell(b, l->prompt_id);
    hone_buf_addc(b, ',');
    put_number(b, l->seconds);
    hone_buf_addc(b, ',');
    put_cell(b, l->at);
    hone_buf_addc(b, ',');
    put_cell(b, l->batch);
    hone_buf_addc(b, ',');
    put_number(b, l->probability);
    hone_buf_adds(b, l->duplicate ? ",true," : ",false,");
    put_cell(b, l->comment);
    hone_buf_addc(b, ',');
    put_cell(b, l->split);
    for (size_t i = 0; i < o->extra.n; i++) {
        const hone_str name = {o->extra.entries[i].key, o->extra.entries[i].key_len};
        const size_t skip = sizeof in_criteria - 1;
        const int inner = name.len > skip && memcmp(name.ptr, in_criteria, skip) == 0;
        hone_buf_addc(b, ',');
        put_value(
            b, inner ? hone_value_get_str(&criteria, (hone_str){name.ptr + skip, name.len - skip})
                     : hone_value_get_str(&slices, name));
    }
    return hone_buf_adds(b, "\r\n");
}

static hone_status write_label(void *ctx, const hone_label *l)
{
    sink *o = ctx;
    hone_buf_clear(&o->line);
    hone_arena_clear(&o->arena);
    HONE_TRY(o->csv ? put_csv(o, l) : put_json(o, l));
    HONE_TRY(hone_buf_check(&o->line, "a label"));
    o->n++;
    return hone_writer_add(&o->w, o->line.ptr, o->line.len);
}

static hone_status add_extra(sink *o, const char *before, hone_str name)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    hone_buf_adds(&b, before);
    hone_buf_add_str(&b, name);
    hone_status s = hone_buf_check(&b, "a column");
    if (s >= 0 && (before[0] || !hone_label_is_column(name)) &&
        !hone_map_has(&o->extra, b.ptr, b.len))
        s = hone_map_put(&o->extra, b.ptr, b.len, o, NULL);
    hone_buf_release(&b);
    return s;
}

/* CSV names its columns first: one pass to find them. */
static hone_status find_columns(void *ctx, const hone_label *l)
{
    sink *o = ctx;
    hone_value criteria, slices;
    hone_arena_clear(&o->arena);
    HONE_TRY(parse_map(l->criteria, &o->arena, &criteria));
    HONE_TRY(parse_map(l->slices, &o->arena, &slices));
    for (size_t i = 0; i < criteria.u.map.n; i++)
        HONE_TRY(add_extra(o, in_criteria, criteria.u.map.pairs[i].key));
    for (size_t i = 0; i < slices.u.map.n; i++)
        HONE_TRY(add_extra(o, "", slices.u.map.pairs[i].key));
    return HONE_OK;
}

static hone_status write_heads(sink *o)
{
    for (size_t i = 0; columns[i]; i++)
        hone_buf_addf(&o->line, "%s%s", i ? "," : "", columns[i]);
    for (size_t i = 0; i < o->extra.n; i++) {
        hone_buf_addc(&o->line, ',');
        put_cell(&o->line, (hone_str){o->extra.entries[i].key, o->extra.entries[i].key_len});
    }
    hone_buf_adds(&o->line, "\r\n");
    HONE_TRY(hone_buf_check(&o->line, "columns"));
    return hone_writer_add(&o->w, o->line.ptr, o->line.len);
}

hone_status hone_labels_export(hone_book *book, const char *path, int csv, size_t *n)
{
    sink o = {.csv = csv};
    HONE_TRY(hone_writer_create(&o.w, path));
    hone_buf_init(&o.line, HONE_BUF_MAX_DEFAULT);
    hone_arena_init(&o.arena, 0);
    hone_map_init(&o.extra);
    hone_status s = hone_book_begin(book); /* both passes see the same labels */
    if (s >= 0) {
        if (csv && (s = hone_book_labels(book, NULL, NULL, find_columns, &o)) >= 0 &&
            (s = hone_book_settled(book, NULL, find_columns, &o)) >= 0)
            s = write_heads(&o);
        if (s >= 0)
            s = hone_book_labels(book, NULL, NULL, write_label, &o);
        if (s >= 0)
            s = hone_book_settled(book, NULL, write_label, &o);
        hone_book_rollback(book);
    }
    if (s >= 0)
        s = hone_writer_close(&o.w);
    else
        hone_writer_abandon(&o.w);
    if (s >= 0 && n)
        *n = o.n;
    hone_map_release(&o.extra);
    hone_arena_release(&o.arena);
    hone_buf_release(&o.line);
    return s < 0 ? s : HONE_OK;
}

/* ---- in -------------------------------------------------------------------------------------------- */

static hone_str trim(hone_str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* A cell as text: whole numbers written out; empty when absent. */
static hone_status take_text(const hone_value *row, const char *key, hone_arena *arena,
                             hone_str *text)
{
    const hone_value *v = hone_value_get(row, key);
    char number[32];
    *text = (hone_str){"", 0};
    if (!v || v->type == HONE_NULL)
        return HONE_OK;
    if (v->type == HONE_STRING) {
        *text = v->u.str;
        return HONE_OK;
    }
    if (v->type == HONE_I64)
        snprintf(number, sizeof number, "%lld", (long long)v->u.i64);
    else if (v->type == HONE_F64)
        number[hone_format_f64(v->u.f64, number)] = 0;
    else
        return hone_fail(HONE_E_TYPE, "%s is no text", key);
    *text = hone_arena_str(arena, hone_str_c(number));
    return text->ptr ? HONE_OK : HONE_E_NOMEM;
}

/* A number, also as the text that a table has; *x stays NaN for an empty cell. 0: it is none. */
static int number_of(const hone_value *v, double *x)
{
    char text[64];
    const char *end;
    *x = (double)NAN;
    if (!v || v->type == HONE_NULL)
        return 1;
    if (v->type == HONE_I64)
        *x = (double)v->u.i64;
    else if (v->type == HONE_F64)
        *x = v->u.f64;
    else if (v->type == HONE_STRING) {
        const hone_str s = trim(v->u.str);
        if (!s.len)
            return 1;
        if (s.len >= sizeof text)
            return 0;
        memcpy(text, s.ptr, s.len);
        text[s.len] = 0;
        *x = hone_parse_f64(text, &end);
        if (*end || end == text)
            return 0;
    } else {
        return 0;
    }
    return isfinite(*x);
}

static hone_status take_number(const hone_value *row, const char *key, double *x)
{
    return number_of(hone_value_get(row, key), x) ? HONE_OK
                                                  : hone_fail(HONE_E_TYPE, "%s is no number", key);
}

static hone_status take_flag(const hone_value *row, const char *key, int *flag)
{
    const hone_value *v = hone_value_get(row, key);
    *flag = 0;
    if (!v || v->type == HONE_NULL)
        return HONE_OK;
    if (v->type == HONE_BOOL || v->type == HONE_I64) {
        *flag = v->u.i64 != 0;
        return HONE_OK;
    }
    static const char *const yes[] = {"true", "True", "TRUE", "1", "yes", NULL};
    static const char *const no[] = {"false", "False", "FALSE", "0", "no", "", NULL};
    for (size_t i = 0; v->type == HONE_STRING && yes[i]; i++)
        if (hone_str_eq(trim(v->u.str), yes[i])) {
            *flag = 1;
            return HONE_OK;
        }
    for (size_t i = 0; v->type == HONE_STRING && no[i]; i++)
        if (hone_str_eq(trim(v->u.str), no[i]))
            return HONE_OK;
    return hone_fail(HONE_E_TYPE, "%s is neither true nor false", key);
}

static hone_status add_criterion(hone_jw *w, hone_str id, const hone_value *v)
{
    double x;
    if (!v || v->type == HONE_NULL || (v->type == HONE_STRING && !trim(v->u.str).len))
        return HONE_OK;
    if (v->type == HONE_LIST || v->type == HONE_MAP)
        return hone_fail(HONE_E_TYPE, "criteria.%.*s is neither number nor text", (int)id.len,
                         id.ptr);
    hone_jw_key_str(w, id);
    if (number_of(v, &x) && !isnan(x))
        hone_jw_f64(w, x);
    else
        hone_jw_value(w, v);
    return HONE_OK;
}

static hone_status take_criteria(const hone_value *row, hone_buf *b)
{
    const hone_value *map = hone_value_get(row, "criteria");
    const size_t skip = sizeof in_criteria - 1;
    hone_jw w;
    hone_jw_init(&w, b, 0);
    hone_jw_map(&w);
    if (map && map->type == HONE_MAP)
        for (size_t i = 0; i < map->u.map.n; i++)
            HONE_TRY(add_criterion(&w, map->u.map.pairs[i].key, &map->u.map.pairs[i].value));
    else if (map && map->type != HONE_NULL && !(map->type == HONE_STRING && !map->u.str.len))
        return hone_fail(HONE_E_TYPE, "criteria is no map");
    for (size_t i = 0; i < row->u.map.n; i++) {
        const hone_pair *p = &row->u.map.pairs[i];
        if (p->key.len > skip && memcmp(p->key.ptr, in_criteria, skip) == 0)
            HONE_TRY(
                add_criterion(&w, (hone_str){p->key.ptr + skip, p->key.len - skip}, &p->value));
    }
    hone_jw_end(&w);
    return HONE_OK;
}

static void take_slices(const hone_value *row, hone_buf *b)
{
    const size_t skip = sizeof in_criteria - 1;
    hone_jw w;
    hone_jw_init(&w, b, 0);
    hone_jw_map(&w);
    for (size_t i = 0; i < row->u.map.n; i++) {
        const hone_pair *p = &row->u.map.pairs[i];
        const uint32_t t = p->value.type;
        if (hone_label_is_column(p->key) || t == HONE_LIST || t == HONE_MAP || t == HONE_NULL ||
            t == HONE_BYTES || (t == HONE_STRING && !p->value.u.str.len) ||
            (p->key.len > skip && memcmp(p->key.ptr, in_criteria, skip) == 0))
            continue;
        hone_jw_key_str(&w, p->key);
        hone_jw_value(&w, &p->value);
    }
    hone_jw_end(&w);
}

/* What the buffer holds into the arena, "" for "{}". */
static hone_status settle(hone_buf *b, hone_arena *arena, hone_str *json)
{
    HONE_TRY(hone_buf_check(b, "a label"));
    *json = (hone_str){"", 0};
    if (b->len <= 2)
        return HONE_OK;
    *json = hone_arena_str(arena, hone_buf_str(b));
    return json->ptr ? HONE_OK : HONE_E_NOMEM;
}

hone_status hone_label_row_read(const hone_value *row, hone_arena *arena, hone_label *out)
{
    hone_label l;
    hone_buf b;
    hone_status s = HONE_OK;
    memset(&l, 0, sizeof l);
    if (row->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "a label is a map of columns");
    hone_buf_init(&b, 1 << 24);
    HONE_TRY_GOTO(take_text(row, "item", arena, &l.item), done);
    HONE_TRY_GOTO(take_text(row, "expert", arena, &l.expert), done);
    HONE_TRY_GOTO(take_number(row, "score", &l.score), done);
    HONE_TRY_GOTO(take_text(row, "choice", arena, &l.choice), done);
    HONE_TRY_GOTO(take_text(row, "prompt_id", arena, &l.prompt_id), done);
    HONE_TRY_GOTO(take_number(row, "seconds", &l.seconds), done);
    HONE_TRY_GOTO(take_text(row, "at", arena, &l.at), done);
    HONE_TRY_GOTO(take_text(row, "batch", arena, &l.batch), done);
    HONE_TRY_GOTO(take_number(row, "probability", &l.probability), done);
    HONE_TRY_GOTO(take_flag(row, "duplicate", &l.duplicate), done);
    HONE_TRY_GOTO(take_text(row, "comment", arena, &l.comment), done);
    HONE_TRY_GOTO(take_text(row, "split", arena, &l.split), done);
    HONE_TRY_GOTO(take_criteria(row, &b), done);
    HONE_TRY_GOTO(settle(&b, arena, &l.criteria), done);
    hone_buf_clear(&b);
    take_slices(row, &b);
    HONE_TRY_GOTO(settle(&b, arena, &l.slices), done);
    *out = l;
done:
    hone_buf_release(&b);
    return s < 0 ? s : HONE_OK;
}

/* 1: a present label of the item, expert and kind; *same: with the same answer. */
static hone_status present(hone_book *book, const hone_label *l, int *same)
{
    sqlite3 *db = hone_book_db(book);
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(
        db,
        "SELECT score IS ?4 AND ifnull(choice, '') = ?5 AND ifnull(criteria, '') "
        "= ?6 FROM expert_label WHERE item = ?1 AND expert = ?2 AND duplicate "
        "= ?3 AND replaced IS NULL",
        -1, &q, NULL);
    if (rc == SQLITE_OK) {
        const hone_str texts[] = {l->item, l->expert, l->choice, l->criteria};
        static const int at[] = {1, 2, 5, 6};
        for (size_t i = 0; i < 4; i++)
            sqlite3_bind_text64(q, at[i], texts[i].ptr, texts[i].len, SQLITE_STATIC, SQLITE_UTF8);
        sqlite3_bind_int(q, 3, l->duplicate);
        sqlite3_bind_double(q, 4, l->score); /* NaN is NULL */
        rc = sqlite3_step(q);
    }
    hone_status s = rc == SQLITE_ROW ? 1
                    : rc == SQLITE_DONE
                        ? 0
                        : hone_fail(HONE_E_IO, "%s: %s", hone_book_path(book), sqlite3_errmsg(db));
    if (s > 0)
        *same = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return s;
}

/* Is the row a settlement, as an export has it? It is no expert's label. */
static hone_status is_settled(const hone_label *l, hone_arena *arena, int *yes)
{
    hone_value v;
    *yes = 0;
    HONE_TRY(parse_map(l->slices, arena, &v));
    return v.type == HONE_MAP ? take_flag(&v, "settled", yes) : HONE_OK;
}

hone_status hone_label_import_row(hone_book *book, const hone_label *label, hone_label_import *sum)
{
    hone_arena arena;
    hone_str prompt_id, json;
    int same = 0, settled = 0;
    hone_status s;
    sum->rows++;
    if (label->slices.len) {
        hone_arena_init(&arena, 0);
        s = is_settled(label, &arena, &settled);
        hone_arena_release(&arena);
        sum->settled += s >= 0 && settled;
        if (s < 0 || settled)
            return s < 0 ? s : HONE_OK;
    }
    s = present(book, label, &same);
    const int had = s > 0;
    if (s < 0)
        return s;
    if (had && same) {
        sum->same++;
        return HONE_OK;
    }
    hone_arena_init(&arena, 0);
    s = hone_book_get_item(book, label->item, &arena, &prompt_id, &json);
    if (s == 0)
        sum->unknown++;
    if (s >= 0) {
        hone_label l = *label;
        if (s > 0 && !l.prompt_id.len)
            l.prompt_id = prompt_id;
        s = hone_book_put_labels(book, &l, 1);
    }
    if (s >= 0) {
        sum->stored++;
        sum->replaced += (size_t)had;
    }
    hone_arena_release(&arena);
    return s < 0 ? s : HONE_OK;
}
