/* labels_settle.c - the lead's own word on items where experts differ (labels.h).
 *
 * A settlement names the labels that the lead saw; when they are not all there is of the item, nothing is stored: he is to look
 * again. It goes to a table of its own (labels_private.h), in one transaction with the look at the labels, and is on disk when the
 * call returns. A later one of the same item takes the place of the earlier, which stays with a pointer to it. */
#include "judge/book_private.h"
#include "judge/labels_private.h"

#include "base/hash.h"

#include <math.h>
#include <string.h>

enum { NOTE = 4000, LABELS = 1000 };

/* Ids of the present labels of an item, as "[3,7]"; how many. */
static hone_status present(hone_labels *l, hone_str item, hone_buf *json, int64_t *first, size_t *n)
{
    sqlite3_stmt *q = NULL;
    hone_jw w;
    hone_jw_init(&w, json, 0);
    hone_jw_list(&w);
    *n = 0;
    hone_status s = hone__labels_sql(
        l, "SELECT id FROM expert_label WHERE item = ?1 AND replaced IS NULL ORDER BY id", &q);
    if (s >= 0)
        hone__labels_bind(q, 1, item);
    while (s >= 0 && (s = hone__labels_step(l, q)) > 0) {
        if (!(*n)++)
            *first = sqlite3_column_int64(q, 0);
        hone_jw_i64(&w, sqlite3_column_int64(q, 0));
    }
    hone_jw_end(&w);
    sqlite3_finalize(q);
    return s < 0 ? s : hone_buf_check(json, "labels");
}

/* The item that a label is of, where this lead may see its conflict: it is of this labelling, and does not wait for a label of
 * his own. 1, or 0. */
static hone_status item_of(hone_labels *l, const hone_label_expert *e, int64_t label,
                           hone_arena *arena, hone_str *item)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(
        l,
        "SELECT item FROM expert_label WHERE id = ?1 AND item IN (SELECT item FROM now_item) AND "
        "item NOT IN (SELECT item FROM now_task WHERE expert = ?2 AND state = 0)",
        &q);
    if (s >= 0) {
        sqlite3_bind_int64(q, 1, label);
        sqlite3_bind_int64(q, 2, e->id);
        s = hone__labels_step(l, q);
    }
    if (s > 0) {
        *item = hone_arena_str(arena, hone__labels_text(q, 0));
        s = item->ptr ? 1 : HONE_E_NOMEM;
    }
    sqlite3_finalize(q);
    return s;
}

/* 1: this very settlement is stored; 0: its id is new. */
static hone_status seen(hone_labels *l, hone_str id, const char *hash)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(l, "SELECT hash FROM settled_label WHERE event = ?1", &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, id);
        s = hone__labels_step(l, q);
    }
    if (s > 0 && !hone_str_eq(hone__labels_text(q, 0), hash))
        s = hone_fail(HONE_E_INVALID, "another settlement has this id");
    sqlite3_finalize(q);
    return s;
}

static hone_status by_item(hone_labels *l, const char *sql, hone_str item, int64_t id)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(l, sql, &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, item);
        sqlite3_bind_int64(q, 2, id);
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    return s;
}

static void bind_some(sqlite3_stmt *q, int at, hone_str s)
{
    if (s.len)
        hone__labels_bind(q, at, s);
}

/* The columns that tell of the item (prompt, batch, probability, split, slices) are those of its first label. */
static hone_status put(hone_labels *l, const hone_label *label, int64_t first, hone_str labels,
                       hone_str event, const char *hash)
{
    sqlite3_stmt *q = NULL;
    char now[21];
    hone_book_now(now);
    HONE_TRY(by_item(l,
                     "UPDATE settled_label SET replaced = -1 WHERE item = ?1 AND replaced IS NULL",
                     label->item, 0));
    hone_status s = hone__labels_sql(
        l,
        "INSERT INTO settled_label SELECT NULL, item, ?2, ?3, ?4, ?5, prompt_id, batch, "
        "probability, "
        "?6, split, slices, ?7, ?8, ?9, ?10, NULL FROM expert_label WHERE id = ?1",
        &q);
    if (s >= 0) {
        sqlite3_bind_int64(q, 1, first);
        hone__labels_bind(q, 2, label->expert);
        sqlite3_bind_double(q, 3, label->score); /* NaN is stored as NULL */
        bind_some(q, 4, label->choice);
        bind_some(q, 5, label->criteria);
        bind_some(q, 6, label->comment);
        hone__labels_bind(q, 7, labels);
        hone__labels_bind(q, 8, hone_str_c(now));
        hone__labels_bind(q, 9, event);
        hone__labels_bind(q, 10, hone_str_c(hash));
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    if (s < 0)
        return s;
    return by_item(l, "UPDATE settled_label SET replaced = ?2 WHERE item = ?1 AND replaced = -1",
                   label->item, sqlite3_last_insert_rowid(l->db));
}

/* Are these all the labels of the item, each named? */
static int the_same(const hone_value *given, const hone_value *there)
{
    if (given->u.list.n != there->u.list.n)
        return 0;
    for (size_t i = 0; i < there->u.list.n; i++) {
        int found = 0;
        for (size_t k = 0; k < given->u.list.n; k++)
            found |= given->u.list.items[k].type == HONE_I64 &&
                     given->u.list.items[k].u.i64 == there->u.list.items[i].u.i64;
        if (!found)
            return 0;
    }
    return 1;
}

static hone_status settle(hone_labels *l, const hone_label_expert *e, const hone_value *body,
                          hone_str id, const char *hash, hone_arena *arena)
{
    const hone_value *given = hone_value_get(body, "labels");
    hone_label label = {.expert = hone_str_c(e->name), .score = (double)NAN};
    hone_value there;
    hone_buf labels, criteria;
    int64_t first = 0;
    size_t n = 0;
    hone_status s = seen(l, id, hash);
    if (s != 0)
        return s;
    HONE_TRY(hone_value_string(body, "note", (hone_str){"", 0}, &label.comment));
    if (label.comment.len > NOTE)
        return hone_fail(HONE_E_INVALID, "the note is longer than %d bytes", NOTE);
    if (!given || given->type != HONE_LIST || !given->u.list.n || given->u.list.n > LABELS ||
        given->u.list.items[0].type != HONE_I64)
        return hone_fail(HONE_E_INVALID, "\"labels\" lists the labels that are settled");
    s = item_of(l, e, given->u.list.items[0].u.i64, arena, &label.item);
    if (s <= 0)
        return s < 0 ? s : hone_fail(HONE_E_INVALID, "there is no such conflict");
    hone_buf_init(&labels, 1 << 16);
    hone_buf_init(&criteria, 1 << 16);
    HONE_TRY_GOTO(present(l, label.item, &labels, &first, &n), done);
    HONE_TRY_GOTO(hone_json_parse(labels.ptr, labels.len, NULL, arena, &there), done);
    if (!the_same(given, &there)) {
        s = hone_fail(HONE_E_STATE, "its labels have changed meanwhile: look at them again");
        goto done;
    }
    if (n < 2) {
        s = hone_fail(HONE_E_INVALID, "one label only: there is nothing to settle");
        goto done;
    }
    HONE_TRY_GOTO(hone__labels_answer(l, body, 0, &criteria, &label), done);
    s = put(l, &label, first, hone_buf_str(&labels), id, hash);
done:
    hone_buf_release(&labels);
    hone_buf_release(&criteria);
    return s < 0 ? s : HONE_OK;
}

hone_status hone_labels_settle(hone_labels *l, const hone_label_expert *e, const hone_value *body,
                               hone_jw *w)
{
    const hone_value *given = body->type == HONE_MAP ? hone_value_get(body, "id") : NULL;
    hone_arena arena;
    hone_buf text;
    hone_jw jw;
    char hash[65];
    if (!e->lead)
        return hone_fail(HONE_E_INVALID, "this is the lead's");
    if (!given || given->type != HONE_STRING || !hone__labels_is_id(given->u.str))
        return hone_fail(HONE_E_INVALID, "its id is not 16 to 64 digits of hex");
    hone_arena_init(&arena, 0);
    hone_buf_init(&text, 1 << 20);
    hone_jw_init(&jw, &text, 0);
    hone_jw_value(&jw, body);
    hone_status s = hone_buf_check(&text, "a settlement");
    if (s >= 0) {
        hone_sha256_of(text.ptr, text.len, hash);
        s = hone__labels_enter(l);
    }
    if (s >= 0)
        s = hone__labels_leave(l, settle(l, e, body, given->u.str, hash, &arena));
    if (s >= 0)
        hone_jw_kstr(w, "accepted", given->u.str);
    hone_buf_release(&text);
    hone_arena_release(&arena);
    return s < 0 ? s : HONE_OK;
}

hone_status hone__labels_put_settled(hone_labels *l, hone_str item, hone_arena *arena, hone_jw *w)
{
    sqlite3_stmt *q = NULL;
    hone_buf labels;
    int64_t first;
    size_t n;
    hone_buf_init(&labels, 1 << 16);
    hone_status s = present(l, item, &labels, &first, &n);
    if (s >= 0)
        s = hone__labels_sql(l,
                             "SELECT lead, score, choice, criteria, note, at, labels FROM "
                             "settled_label WHERE item = ?1 AND replaced IS NULL",
                             &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, item);
        s = hone__labels_step(l, q);
    }
    if (s > 0) {
        const hone_str note = hone__labels_text(q, 4);
        hone_jw_key(w, "settled");
        hone_jw_map(w);
        s = hone__labels_put_given(w, q, arena);
        if (note.len)
            hone_jw_kstr(w, "note", note);
        hone_jw_kstr(w, "at", hone__labels_text(q, 5));
        /* labels have come or gone since */
        hone_jw_kbool(w, "before", !hone_str_same(hone__labels_text(q, 6), hone_buf_str(&labels)));
        hone_jw_end(w);
    }
    sqlite3_finalize(q);
    hone_buf_release(&labels);
    return s < 0 ? s : HONE_OK;
}

/* ---- for others ---------------------------------------------------------------------------------------------------------- */

/* Slices of a settlement: the item's own, and which it is. */
static hone_status mark(sqlite3_stmt *q, hone_arena *arena, hone_buf *out)
{
    const hone_str slices = hone__book_text(q, 10);
    hone_value v = {.type = HONE_MAP};
    hone_jw w;
    if (slices.len)
        HONE_TRY(hone_json_parse(slices.ptr, slices.len, "slices", arena, &v));
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    for (size_t i = 0; v.type == HONE_MAP && i < v.u.map.n; i++) {
        hone_jw_key_str(&w, v.u.map.pairs[i].key);
        hone_jw_value(&w, &v.u.map.pairs[i].value);
    }
    hone_jw_kbool(&w, "settled", 1);
    hone_jw_kstr(&w, "settles", hone__book_text(q, 11));
    hone_jw_end(&w);
    return hone_buf_check(out, "slices");
}

static hone_status each(hone_book *b, sqlite3_stmt *q, hone_label_fn fn, void *ctx)
{
    hone_arena arena;
    hone_buf slices;
    hone_status s;
    hone_arena_init(&arena, 0);
    hone_buf_init(&slices, 1 << 20);
    while ((s = hone__book_step(b, q)) > 0) {
        hone_buf_clear(&slices);
        s = mark(q, &arena, &slices);
        if (s < 0)
            break;
        const hone_label label = {
            .item = hone__book_text(q, 0),
            .expert = hone__book_text(q, 1),
            .score = sqlite3_column_type(q, 2) == SQLITE_NULL ? (double)NAN
                                                              : sqlite3_column_double(q, 2),
            .choice = hone__book_text(q, 3),
            .criteria = hone__book_text(q, 4),
            .prompt_id = hone__book_text(q, 5),
            .seconds = (double)NAN,
            .at = hone__book_text(q, 12),
            .batch = hone__book_text(q, 6),
            .probability = sqlite3_column_type(q, 7) == SQLITE_NULL ? (double)NAN
                                                                    : sqlite3_column_double(q, 7),
            .comment = hone__book_text(q, 8),
            .split = hone__book_text(q, 9),
            .slices = hone_buf_str(&slices)};
        s = fn(ctx, &label);
        if (s < 0)
            break;
        hone_arena_clear(&arena);
    }
    hone_buf_release(&slices);
    hone_arena_release(&arena);
    return s;
}

hone_status hone_book_settled(hone_book *b, const char *batch, hone_label_fn fn, void *ctx)
{
    sqlite3_stmt *q = NULL;
    pthread_mutex_lock(&b->lock);
    hone_status s = hone__book_prepare(
        b, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'settled_label'", &q);
    if (s >= 0)
        s = hone__book_step(b, q);
    sqlite3_finalize(q);
    q = NULL;
    if (s > 0) { /* else nobody has labelled in this store */
        s = hone__book_prepare(
            b,
            "SELECT item, lead, score, choice, criteria, prompt_id, batch, probability, note, "
            "split, "
            "slices, (SELECT group_concat(expert, ', ') FROM (SELECT DISTINCT expert FROM "
            "expert_label WHERE id IN (SELECT value FROM json_each(s.labels)) ORDER BY expert)), "
            "at "
            "FROM settled_label s WHERE replaced IS NULL AND (?1 IS NULL OR batch = ?1) ORDER BY "
            "id",
            &q);
        if (s >= 0)
            hone__book_bind_z(q, 1, batch);
        if (s >= 0)
            s = each(b, q, fn, ctx);
        sqlite3_finalize(q);
    }
    pthread_mutex_unlock(&b->lock);
    return s < 0 ? s : HONE_OK;
}
