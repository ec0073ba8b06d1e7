/* book_labels.c - labels of experts in the book (book.h): the one place that writes expert_label.
 *
 * A label is on disk when the call returns. Giving one again adds a row and lets the earlier one point to it (`replaced`);
 * taking one back lets it point to 0; so who changed his mind, and when, stays to be seen. */
#include "judge/book_private.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

static int one_of(hone_str s, const char *const *names)
{
    for (; *names; names++)
        if (hone_str_eq(s, *names))
            return 1;
    return 0;
}

static hone_status check_json(const char *what, hone_str json)
{
    hone_arena a;
    hone_value v;
    if (!json.len)
        return HONE_OK;
    hone_arena_init(&a, 1 << 24);
    hone_status s = hone_json_parse(json.ptr, json.len, what, &a, &v);
    if (s >= 0 && v.type != HONE_MAP)
        s = hone_fail(HONE_E_INVALID, "%s: a map is wanted", what);
    for (size_t i = 0; s >= 0 && strcmp(what, "criteria") == 0 && i < v.u.map.n; i++) {
        const uint32_t t = v.u.map.pairs[i].value.type;
        if (t != HONE_I64 && t != HONE_F64 && t != HONE_STRING && t != HONE_BOOL && t != HONE_NULL)
            s = hone_fail(HONE_E_INVALID, "criterion %.*s: a number or a text is wanted",
                          (int)v.u.map.pairs[i].key.len, v.u.map.pairs[i].key.ptr);
    }
    hone_arena_release(&a);
    return s;
}

static hone_status check_label(const hone_label *l)
{
    static const char *const choices[] = {"a", "b", "tie", NULL};
    static const char *const splits[] = {"few-shot", "dev", "test", NULL};
    if (!l->item.len || !l->expert.len)
        return hone_fail(HONE_E_INVALID, "it names no %s", l->item.len ? "expert" : "item");
    if (isinf(l->score))
        return hone_fail(HONE_E_INVALID, "its score is not finite");
    if (l->choice.len && !one_of(l->choice, choices))
        return hone_fail(HONE_E_INVALID, "choice \"%.*s\": it is a, b or tie",
                         (int)(l->choice.len < 40 ? l->choice.len : 40), l->choice.ptr);
    if (isnan(l->score) && !l->choice.len && !l->criteria.len)
        return hone_fail(HONE_E_INVALID, "it has neither score, choice nor criteria");
    if (l->split.len && !one_of(l->split, splits))
        return hone_fail(HONE_E_INVALID, "split \"%.*s\": it is few-shot, dev or test",
                         (int)(l->split.len < 40 ? l->split.len : 40), l->split.ptr);
    if (!isnan(l->probability) && !(l->probability > 0 && l->probability <= 1))
        return hone_fail(HONE_E_INVALID, "its probability of selection is not in (0, 1]");
    if (!isnan(l->seconds) && !(l->seconds >= 0 && l->seconds < 1e9))
        return hone_fail(HONE_E_INVALID, "its seconds are not a time that somebody took");
    HONE_TRY(check_json("criteria", l->criteria));
    return check_json("slices", l->slices);
}

static void bind_some(sqlite3_stmt *q, int at, hone_str s)
{
    hone__book_bind_str(q, at, s.len ? s : (hone_str){NULL, 0});
}

static void bind_key(sqlite3_stmt *q, hone_str item, hone_str expert, int duplicate)
{
    sqlite3_reset(q);
    hone__book_bind_str(q, 1, item);
    hone__book_bind_str(q, 2, expert);
    sqlite3_bind_int(q, 3, duplicate != 0);
}

/* The statements of one label. The earlier one makes room first (replaced = -1), and points to its successor afterwards: the index
 * of present labels allows one. */
typedef struct put {
    sqlite3_stmt *room, *add, *point;
} put;

static hone_status prepare(hone_book *b, put *p)
{
    HONE_TRY(hone__book_prepare(b,
                                "UPDATE expert_label SET replaced = -1 WHERE item = ?1 AND "
                                "expert = ?2 AND duplicate = ?3 AND replaced IS NULL",
                                &p->room));
    HONE_TRY(hone__book_prepare(b,
                                "INSERT INTO expert_label VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, "
                                "?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, NULL)",
                                &p->add));
    return hone__book_prepare(b,
                              "UPDATE expert_label SET replaced = ?4 WHERE item = ?1 AND expert = "
                              "?2 AND duplicate = ?3 AND replaced = -1",
                              &p->point);
}

static hone_status put_label(hone_book *b, put *p, const hone_label *l, const char *now)
{
    bind_key(p->room, l->item, l->expert, l->duplicate);
    HONE_TRY(hone__book_step(b, p->room));
    const int had = sqlite3_changes(b->db);
    bind_key(p->add, l->item, l->expert, l->duplicate);
    sqlite3_bind_double(p->add, 4, l->score); /* NaN is stored as NULL */
    bind_some(p->add, 5, l->choice);
    bind_some(p->add, 6, l->criteria);
    bind_some(p->add, 7, l->prompt_id);
    sqlite3_bind_double(p->add, 8, l->seconds);
    hone__book_bind_str(p->add, 9, l->at.len ? l->at : hone_str_c(now));
    bind_some(p->add, 10, l->batch);
    sqlite3_bind_double(p->add, 11, l->probability);
    bind_some(p->add, 12, l->comment);
    bind_some(p->add, 13, l->split);
    bind_some(p->add, 14, l->slices);
    HONE_TRY(hone__book_step(b, p->add));
    if (!had)
        return HONE_OK;
    bind_key(p->point, l->item, l->expert, l->duplicate);
    sqlite3_bind_int64(p->point, 4, sqlite3_last_insert_rowid(b->db));
    return hone__book_step(b, p->point);
}

hone_status hone_book_put_labels(hone_book *b, const hone_label *labels, size_t n)
{
    char now[21];
    int mine;
    put p = {NULL, NULL, NULL};
    hone_book_now(now);
    HONE_TRY(hone__book_enter(b, &mine));
    hone_status s = prepare(b, &p);
    for (size_t i = 0; s >= 0 && i < n; i++) {
        s = check_label(&labels[i]);
        if (s >= 0)
            s = put_label(b, &p, &labels[i], now);
        if (s < 0)
            hone_fail_at("label %zu (item \"%.*s\")", i + 1,
                         (int)(labels[i].item.len < 60 ? labels[i].item.len : 60),
                         labels[i].item.ptr ? labels[i].item.ptr : "");
    }
    sqlite3_finalize(p.room);
    sqlite3_finalize(p.add);
    sqlite3_finalize(p.point);
    s = hone__book_leave(b, mine, s);
    return s < 0 ? s : HONE_OK;
}

static double number(sqlite3_stmt *q, int column)
{
    return sqlite3_column_type(q, column) == SQLITE_NULL ? (double)NAN
                                                         : sqlite3_column_double(q, column);
}

hone_status hone_book_labels(hone_book *b, const char *batch, const char *expert, hone_label_fn fn,
                             void *ctx)
{
    sqlite3_stmt *q = NULL;
    int64_t count = 0;
    pthread_mutex_lock(&b->lock);
    hone_status s = hone__book_prepare(
        b,
        "SELECT item, expert, duplicate, score, choice, criteria, prompt_id, seconds, at, batch, "
        "probability, comment, split, slices FROM expert_label WHERE replaced IS NULL AND (?1 IS "
        "NULL OR batch = ?1) AND (?2 IS NULL OR expert = ?2) ORDER BY id",
        &q);
    if (s >= 0) {
        hone__book_bind_z(q, 1, batch);
        hone__book_bind_z(q, 2, expert);
    }
    while (s >= 0 && (s = hone__book_step(b, q)) > 0) {
        const hone_label l = {.item = hone__book_text(q, 0),
                              .expert = hone__book_text(q, 1),
                              .duplicate = sqlite3_column_int(q, 2),
                              .score = number(q, 3),
                              .choice = hone__book_text(q, 4),
                              .criteria = hone__book_text(q, 5),
                              .prompt_id = hone__book_text(q, 6),
                              .seconds = number(q, 7),
                              .at = hone__book_text(q, 8),
                              .batch = hone__book_text(q, 9),
                              .probability = number(q, 10),
                              .comment = hone__book_text(q, 11),
                              .split = hone__book_text(q, 12),
                              .slices = hone__book_text(q, 13)};
        s = fn(ctx, &l);
        count++;
    }
    sqlite3_finalize(q);
    pthread_mutex_unlock(&b->lock);
    return s < 0 ? s : (hone_status)(count < INT32_MAX ? count : INT32_MAX);
}

hone_status hone_book_drop_label(hone_book *b, hone_str item, hone_str expert, int duplicate)
{
    sqlite3_stmt *q = NULL;
    int mine, n = 0;
    HONE_TRY(hone__book_enter(b, &mine));
    hone_status s = hone__book_prepare(b,
                                       "UPDATE expert_label SET replaced = 0 WHERE item = ?1 AND "
                                       "expert = ?2 AND duplicate = ?3 AND replaced IS NULL",
                                       &q);
    if (s >= 0) {
        bind_key(q, item, expert, duplicate);
        s = hone__book_step(b, q);
        n = sqlite3_changes(b->db);
    }
    sqlite3_finalize(q);
    return hone__book_leave(b, mine, s < 0 ? s : n);
}
