/* labels_view.c - what a page is told: the rubric, an expert's tasks, progress, conflicts.
 *
 * Blind: of an item only prompt or messages, its texts and the reference leave, by name; its id, its other columns and whatever
 * a judge said stay here. A task is known by its number, which says nothing of the item or of repeats. */
#include "judge/labels_private.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rubric ------------------------------------------------------------------------------------ */

static void put_levels(hone_jw *w, const hone_level *levels, size_t n)
{
    hone_jw_list(w);
    for (size_t i = 0; i < n; i++) {
        hone_jw_map(w);
        hone_jw_kstr(w, "label", levels[i].label);
        if (levels[i].text.len)
            hone_jw_kstr(w, "text", levels[i].text);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static void put_rubric(const hone_rubric *r, hone_jw *w)
{
    hone_jw_kcstr(w, "shape", hone_shape_name(r->shape));
    hone_jw_kstr(w, "title", r->title.len ? r->title : r->id);
    hone_jw_kstr(w, "task", r->task);
    hone_jw_key(w, "scale");
    if (r->shape == HONE_SHAPE_POINTWISE && !r->n_criteria)
        put_levels(w, r->scale, r->n_scale);
    else
        put_levels(w, NULL, 0);
    hone_jw_key(w, "criteria");
    hone_jw_list(w);
    for (size_t i = 0; i < r->n_criteria; i++) {
        const hone_rubric_criterion *c = &r->criteria[i];
        if (c->kind != HONE_CRITERION_LEVELS)
            continue;
        hone_jw_map(w);
        hone_jw_kstr(w, "id", c->id);
        hone_jw_kstr(w, "text", c->text);
        hone_jw_key(w, "levels");
        put_levels(w, c->levels, r->shape == HONE_SHAPE_POINTWISE ? c->n_levels : 0);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

hone_status hone_labels_put_task(hone_labels *l, const hone_label_expert *e, hone_jw *w)
{
    int64_t done = 0, total = 0;
    char id[32] = "";
    HONE_TRY(hone_labels_fact(l, "id", id, sizeof id));
    pthread_mutex_lock(&l->lock);
    hone_status s = hone__labels_progress(l, e->id, &done, &total);
    pthread_mutex_unlock(&l->lock);
    if (s < 0)
        return s;
    hone_jw_kcstr(w, "id", id);
    hone_jw_kcstr(w, "expert", e->name);
    hone_jw_kbool(w, "lead", e->lead);
    hone_jw_ki64(w, "done", done);
    hone_jw_ki64(w, "total", total);
    put_rubric(l->rubric, w);
    hone_jw_key(w, "skips");
    hone_jw_list(w);
    for (size_t i = 0; hone_label_skips[i]; i++)
        hone_jw_cstr(w, hone_label_skips[i]);
    hone_jw_end(w);
    return HONE_OK;
}

/* ---- tasks ----------------------------------------------------------------------------------------- */

static void put_text(hone_jw *w, const char *key, const hone_value *v)
{
    if (v && v->type == HONE_STRING)
        hone_jw_kstr(w, key, v->u.str);
}

/* The texts of an item, sides as this task shows them. */
static hone_status put_texts(hone_str json, int swapped, hone_arena *arena, hone_jw *w)
{
    hone_value row;
    HONE_TRY(hone_json_parse(json.ptr, json.len, "an item", arena, &row));
    const hone_value *messages = hone_value_get(&row, "messages");
    const hone_value *list = hone_value_get(&row, "candidates");
    put_text(w, "prompt", hone_value_get(&row, "prompt"));
    put_text(w, "reference", hone_value_get(&row, "reference"));
    put_text(w, "completion", hone_value_get(&row, "completion"));
    if (messages && messages->type == HONE_LIST) {
        hone_jw_key(w, "messages");
        hone_jw_list(w);
        for (size_t i = 0; i < messages->u.list.n; i++) {
            const hone_value *m = &messages->u.list.items[i];
            if (m->type != HONE_MAP)
                continue;
            hone_jw_map(w);
            put_text(w, "role", hone_value_get(m, "role"));
            put_text(w, "content", hone_value_get(m, "content"));
            hone_jw_end(w);
        }
        hone_jw_end(w);
    }
    if (list && list->type == HONE_LIST && list->u.list.n == 2) {
        put_text(w, "left", &list->u.list.items[swapped ? 1 : 0]);
        put_text(w, "right", &list->u.list.items[swapped ? 0 : 1]);
    }
    return HONE_OK;
}

/* What the expert said of the task before, in the page's own words. */
static hone_status put_answer(hone_str json, hone_arena *arena, hone_jw *w)
{
    static const char *const keys[] = {"id",       "kind",    "level",  "choice",
                                       "criteria", "comment", "reason", NULL};
    hone_value ev;
    HONE_TRY(hone_json_parse(json.ptr, json.len, "an event", arena, &ev));
    hone_jw_key(w, "answer");
    hone_jw_map(w);
    for (size_t i = 0; keys[i]; i++) {
        const hone_value *v = hone_value_get(&ev, keys[i]);
        if (v) {
            hone_jw_key(w, keys[i]);
            hone_jw_value(w, v);
        }
    }
    hone_jw_end(w);
    return HONE_OK;
}

static hone_status put_items(hone_labels *l, sqlite3_stmt *q, size_t bytes, hone_arena *arena,
                             hone_jw *w)
{
    const size_t begin = w->out->len;
    hone_status s = HONE_OK;
    while (s >= 0 && w->out->len - begin < bytes && (s = hone__labels_step(l, q)) > 0) {
        hone_jw_map(w);
        hone_jw_ki64(w, "task", sqlite3_column_int64(q, 0));
        s = put_texts(hone__labels_text(q, 2), sqlite3_column_int(q, 1), arena, w);
        if (s >= 0 && sqlite3_column_type(q, 3) != SQLITE_NULL)
            s = put_answer(hone__labels_text(q, 3), arena, w);
        hone_jw_end(w);
        hone_arena_clear(arena);
    }
    return s;
}

hone_status hone_labels_put_items(hone_labels *l, const hone_label_expert *e, int64_t from,
                                  int64_t n, size_t bytes, hone_jw *w)
{
    sqlite3_stmt *q = NULL;
    hone_arena arena;
    hone_arena_init(&arena, 0);
    hone_jw_ki64(w, "from", from);
    hone_jw_key(w, "items");
    hone_jw_list(w);
    hone_status s = hone__labels_enter(l);
    if (s >= 0) {
        s = hone__labels_sql(l,
                             "SELECT t.id, t.swapped, i.json, v.json FROM now_task t JOIN item i "
                             "ON i.id = t.item LEFT JOIN label_event v ON v.id = t.event WHERE "
                             "t.expert = ?1 ORDER BY t.id LIMIT ?2 OFFSET ?3",
                             &q);
        if (s >= 0) {
            sqlite3_bind_int64(q, 1, e->id);
            sqlite3_bind_int64(q, 2, n);
            sqlite3_bind_int64(q, 3, from);
            s = put_items(l, q, bytes, &arena, w);
        }
        sqlite3_finalize(q);
        s = hone__labels_leave(l, s);
    }
    hone_jw_end(w);
    hone_arena_release(&arena);
    return s < 0 ? s : HONE_OK;
}

/* ---- all experts ----------------------------------------------------------------------------------- */

/* How often an expert gave the same answer to a repeat: same of pairs. */
static hone_status repeats(hone_labels *l, const char *expert, int64_t *same, int64_t *pairs)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(
        l,
        "SELECT count(*), ifnull(sum(a.score IS b.score AND a.choice IS b.choice AND a.criteria "
        "IS b.criteria), 0) FROM expert_label a JOIN expert_label b ON a.item = b.item AND "
        "a.expert = b.expert WHERE a.expert = ?1 AND a.duplicate = 0 AND b.duplicate = 1 AND "
        "a.replaced IS NULL AND b.replaced IS NULL",
        &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, hone_str_c(expert));
        s = hone__labels_step(l, q);
    }
    if (s > 0) {
        *pairs = sqlite3_column_int64(q, 0);
        *same = sqlite3_column_int64(q, 1);
    }
    sqlite3_finalize(q);
    return s < 0 ? s : HONE_OK;
}

static hone_status put_expert(hone_labels *l, const hone__label_expert *e, hone_jw *w)
{
    int64_t done = 0, total = 0, same = 0, pairs = 0, skipped = 0;
    sqlite3_stmt *q = NULL;
    HONE_TRY(hone__labels_progress(l, e->who.id, &done, &total));
    HONE_TRY(repeats(l, e->who.name, &same, &pairs));
    hone_status s = hone__labels_sql(
        l, "SELECT count(*) FROM now_task WHERE expert = ?1 AND state = 2", &q);
    if (s >= 0) {
        sqlite3_bind_int64(q, 1, e->who.id);
        s = hone__labels_step(l, q);
        skipped = s > 0 ? sqlite3_column_int64(q, 0) : 0;
    }
    sqlite3_finalize(q);
    hone_jw_map(w);
    hone_jw_kcstr(w, "name", e->who.name);
    hone_jw_kbool(w, "lead", e->who.lead);
    hone_jw_kbool(w, "token", e->has_token);
    hone_jw_ki64(w, "done", done);
    hone_jw_ki64(w, "total", total);
    hone_jw_ki64(w, "skipped", skipped);
    hone_jw_ki64(w, "repeats", pairs);
    hone_jw_ki64(w, "repeats_same", same);
    hone_jw_end(w);
    return s;
}

static hone_status put_status(hone_labels *l, hone_jw *w)
{
    int64_t labels = 0, items = 0, settled = 0;
    hone_status s = hone__labels_number(
        l, "SELECT count(*) FROM expert_label WHERE replaced IS NULL", NULL, &labels);
    if (s >= 0)
        s = hone__labels_number(l, "SELECT count(DISTINCT item) FROM now_item", NULL, &items);
    if (s >= 0)
        s = hone__labels_number(l,
                                "SELECT count(*) FROM settled_label WHERE replaced IS NULL AND "
                                "item IN (SELECT item FROM now_item)",
                                NULL, &settled);
    hone_jw_kcstr(w, "kind", "labelling");
    hone_jw_kstr(w, "rubric", l->rubric->id);
    hone_jw_kcstr(w, "rubric_hash", l->rubric->hash);
    hone_jw_kcstr(w, "shape", hone_shape_name(l->rubric->shape));
    hone_jw_ki64(w, "items", items);
    hone_jw_ki64(w, "labels", labels);
    hone_jw_ki64(w, "settled", settled);
    hone_jw_key(w, "experts");
    hone_jw_list(w);
    for (size_t i = 0; s >= 0 && i < l->n_experts; i++)
        s = put_expert(l, &l->experts[i], w);
    hone_jw_end(w);
    return s;
}

hone_status hone_labels_put_status(hone_labels *l, hone_jw *w)
{
    HONE_TRY(hone__labels_enter(l));
    hone_status s = hone__labels_leave(l, put_status(l, w));
    return s < 0 ? s : HONE_OK;
}

/* ---- conflicts ------------------------------------------------------------------------------------- */

typedef struct conflict {
    char *item;
    double much;
} conflict;

/* What is known of one item's labels while they pass by. */
typedef struct spread {
    double low, high;
    size_t scored, a, b, tie, n;
} spread;

static double much(const hone_rubric *r, const spread *x)
{
    if (x->a || x->b || x->tie) {
        const double n = (double)(x->a + x->b + x->tie);
        const double sum = (double)x->a - (double)x->b, part = (double)(x->a + x->b);
        return part / n - sum * sum / (n * n); /* the variance of -1, 0, 1 */
    }
    return x->scored > 1 && r->max > r->min ? (x->high - x->low) / (r->max - r->min) : 0;
}

static int most_first(const void *p, const void *q)
{
    const conflict *x = p, *y = q;
    if (x->much != y->much)
        return x->much > y->much ? -1 : 1;
    return strcmp(x->item, y->item);
}

typedef struct conflicts {
    conflict *v;
    size_t n, cap;
} conflicts;

static hone_status add_conflict(conflicts *c, hone_str item, double amount)
{
    if (amount <= 0 || !item.len)
        return HONE_OK;
    if (c->n == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 64;
        conflict *v = hone_reallocarray(c->v, cap, sizeof *v);
        if (!v)
            return HONE_E_NOMEM;
        c->v = v;
        c->cap = cap;
    }
    char *copy = hone_strndup(item.ptr, item.len);
    if (!copy)
        return HONE_E_NOMEM;
    c->v[c->n++] = (conflict){.item = copy, .much = amount};
    return HONE_OK;
}

static hone_status find_conflicts(hone_labels *l, int64_t who, conflicts *c)
{
    sqlite3_stmt *q = NULL;
    spread x = {0};
    hone_buf item;
    hone_buf_init(&item, 1 << 20);
    hone_status s = hone__labels_sql(
        l,
        "SELECT item, score, choice FROM expert_label WHERE replaced IS NULL AND duplicate = 0 AND "
        "item IN (SELECT item FROM now_item) AND item NOT IN (SELECT item FROM now_task WHERE "
        "expert = ?1 AND state = 0) ORDER BY item, id",
        &q);
    if (s >= 0)
        sqlite3_bind_int64(q, 1, who);
    while (s >= 0 && (s = hone__labels_step(l, q)) > 0) {
        const hone_str id = hone__labels_text(q, 0), choice = hone__labels_text(q, 2);
        if (!hone_str_same(id, hone_buf_str(&item))) {
            s = add_conflict(c, hone_buf_str(&item), much(l->rubric, &x));
            memset(&x, 0, sizeof x);
            hone_buf_clear(&item);
            hone_buf_add_str(&item, id);
            if (s >= 0)
                s = hone_buf_check(&item, "an id");
            if (s < 0)
                break;
        }
        if (sqlite3_column_type(q, 1) != SQLITE_NULL) {
            const double v = sqlite3_column_double(q, 1);
            x.low = x.scored && x.low < v ? x.low : v;
            x.high = x.scored && x.high > v ? x.high : v;
            x.scored++;
        }
        x.a += (size_t)hone_str_eq(choice, "a");
        x.b += (size_t)hone_str_eq(choice, "b");
        x.tie += (size_t)hone_str_eq(choice, "tie");
    }
    if (s >= 0)
        s = add_conflict(c, hone_buf_str(&item), much(l->rubric, &x));
    sqlite3_finalize(q);
    hone_buf_release(&item);
    return s;
}

hone_status hone__labels_put_given(hone_jw *w, sqlite3_stmt *q, hone_arena *arena)
{
    const hone_str criteria = hone__labels_text(q, 3);
    hone_value v;
    hone_jw_kstr(w, "expert", hone__labels_text(q, 0));
    if (sqlite3_column_type(q, 1) != SQLITE_NULL)
        hone_jw_kf64(w, "score", sqlite3_column_double(q, 1));
    if (sqlite3_column_type(q, 2) != SQLITE_NULL)
        hone_jw_kstr(w, "choice", hone__labels_text(q, 2));
    if (criteria.len) {
        HONE_TRY(hone_json_parse(criteria.ptr, criteria.len, "criteria", arena, &v));
        hone_jw_key(w, "criteria");
        hone_jw_value(w, &v);
    }
    return HONE_OK;
}

static hone_status put_opinions(hone_labels *l, const char *item, hone_arena *arena, hone_jw *w)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(
        l,
        "SELECT expert, score, choice, criteria, comment, duplicate, id "
        "FROM expert_label WHERE item = ?1 AND replaced IS NULL ORDER "
        "BY expert, duplicate",
        &q);
    if (s >= 0)
        hone__labels_bind(q, 1, hone_str_c(item));
    hone_jw_key(w, "labels");
    hone_jw_list(w);
    while (s >= 0 && (s = hone__labels_step(l, q)) > 0) {
        const hone_str comment = hone__labels_text(q, 4);
        hone_jw_map(w);
        hone_jw_ki64(w, "id", sqlite3_column_int64(q, 6));
        s = hone__labels_put_given(w, q, arena);
        if (comment.len)
            hone_jw_kstr(w, "comment", comment);
        hone_jw_kbool(w, "repeat", sqlite3_column_int(q, 5));
        hone_jw_end(w);
    }
    hone_jw_end(w);
    sqlite3_finalize(q);
    return s;
}

static hone_status put_conflicts(hone_labels *l, const conflicts *c, int ids, size_t n,
                                 hone_arena *arena, hone_jw *w)
{
    hone_status s = HONE_OK;
    hone_jw_ki64(w, "count", (int64_t)c->n);
    hone_jw_key(w, "conflicts");
    hone_jw_list(w);
    for (size_t i = 0; s >= 0 && i < c->n && i < n; i++) {
        hone_str json = {"", 0}, prompt_id;
        hone_jw_map(w);
        if (ids)
            hone_jw_kcstr(w, "item", c->v[i].item);
        hone_jw_kf64(w, "much", c->v[i].much);
        s = hone_book_get_item(l->book, hone_str_c(c->v[i].item), arena, &prompt_id, &json);
        if (s > 0)
            s = put_texts(json, 0, arena, w);
        if (s >= 0)
            s = put_opinions(l, c->v[i].item, arena, w);
        if (s >= 0)
            s = hone__labels_put_settled(l, hone_str_c(c->v[i].item), arena, w);
        hone_jw_end(w);
        hone_arena_clear(arena);
    }
    hone_jw_end(w);
    return s;
}

hone_status hone_labels_put_conflicts(hone_labels *l, const hone_label_expert *e, int64_t n,
                                      hone_jw *w)
{
    conflicts c = {NULL, 0, 0};
    hone_arena arena;
    HONE_TRY(hone__labels_enter(l));
    hone_arena_init(&arena, 0);
    hone_status s = find_conflicts(l, e->id, &c);
    if (s >= 0) {
        if (c.n)
            qsort(c.v, c.n, sizeof *c.v, most_first);
        s = put_conflicts(l, &c, !e->labels, n > 0 ? (size_t)n : 0, &arena, w);
    }
    s = hone__labels_leave(l, s);
    for (size_t i = 0; i < c.n; i++)
        hone_free(c.v[i].item);
    hone_free(c.v);
    hone_arena_release(&arena);
    return s < 0 ? s : HONE_OK;
}
