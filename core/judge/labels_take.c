/* labels_take.c - what arrives from a page: events of labels.h, checked, and stored one by one.
 *
 * An event is
 *   {"id": hex, "task": n, "kind": "label", "level": "3" | "choice": "left"|"right"|"tie", "criteria": {id: label},
 *    "comment", "seconds", "at"}       levels are the rubric's labels; sides are the page's
 *   {"id", "task", "kind": "skip", "reason": one of hone_label_skips, "comment", ...}
 *   {"id", "task", "kind": "undo"}     the task is open again; its label is taken back, and stays to be seen
 * A task is somebody's: another expert's number is as unknown as one that never was. Whether an id was seen is asked first, and
 * within the transaction that stores it: two copies of an event that arrive at the same time are one. */
#include "judge/label_file.h"
#include "judge/labels_private.h"

#include "base/hash.h"

#include <math.h>
#include <string.h>

enum { EVENTS = 500, COMMENT = 4000, ID_LEAST = 16, ID_MOST = 64 };

typedef struct task {
    int64_t id;
    int again, swapped, state;
    hone_str item, batch, prompt_id, json;
    double probability;
} task;

static hone_status text_of(const hone_value *ev, const char *key, size_t most, hone_str *out)
{
    HONE_TRY(hone_value_string(ev, key, (hone_str){"", 0}, out));
    return out->len <= most ? HONE_OK
                            : hone_fail(HONE_E_INVALID, "%s is longer than %zu bytes", key, most);
}

int hone__labels_is_id(hone_str s)
{
    if (s.len < ID_LEAST || s.len > ID_MOST)
        return 0;
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdef", s.ptr[i]) || !s.ptr[i])
            return 0;
    return 1;
}

/* "2026-01-31T23:59:59Z", with a fraction or without. */
static int is_time(hone_str s)
{
    static const char form[] = "0000-00-00T00:00:00";
    const size_t n = sizeof form - 1;
    if (s.len < n + 1 || s.len > n + 8 || s.ptr[s.len - 1] != 'Z')
        return 0;
    for (size_t i = 0; i + 1 < s.len; i++) {
        const char want = i < n ? form[i] : i == n ? '.' : '0';
        if (want == '0' ? s.ptr[i] < '0' || s.ptr[i] > '9' : s.ptr[i] != want)
            return 0;
    }
    return 1;
}

/* ---- labels ---------------------------------------------------------------------------------------- */

static const hone_level *find_level(const hone_level *levels, size_t n, hone_str label)
{
    for (size_t i = 0; i < n; i++)
        if (hone_str_same(levels[i].label, label))
            return &levels[i];
    return NULL;
}

/* "left" or "right" as the item's own side; NULL for another word. */
static const char *side(hone_str word, int swapped)
{
    if (hone_str_eq(word, "tie"))
        return "tie";
    if (hone_str_eq(word, "left"))
        return swapped ? "b" : "a";
    return hone_str_eq(word, "right") ? (swapped ? "a" : "b") : NULL;
}

static int asked(const hone_rubric_criterion *c)
{
    return c->kind == HONE_CRITERION_LEVELS;
}

/* Criteria of the event into JSON, and their score where the rubric gives one (else NaN). Every criterion that experts are
 * asked must be there, and no other. */
static hone_status take_criteria(const hone_labels *l, int swapped, const hone_value *given,
                                 hone_buf *json, double *score)
{
    const hone_rubric *r = l->rubric;
    double values[HONE_RUBRIC_CRITERIA];
    size_t known = 0;
    hone_jw w;
    hone_jw_init(&w, json, 0);
    hone_jw_map(&w);
    for (size_t i = 0; i < r->n_criteria; i++) {
        const hone_rubric_criterion *c = &r->criteria[i];
        values[i] = (double)NAN;
        if (!asked(c))
            continue;
        const hone_value *v = given ? hone_value_get_str(given, c->id) : NULL;
        if (!v || v->type != HONE_STRING)
            return hone_fail(HONE_E_INVALID, "criterion %.*s has no answer", (int)c->id.len,
                             c->id.ptr);
        known++;
        hone_jw_key_str(&w, c->id);
        if (r->shape == HONE_SHAPE_PAIRWISE) {
            const char *which = side(v->u.str, swapped);
            if (!which)
                return hone_fail(HONE_E_INVALID, "criterion %.*s: left, right or tie",
                                 (int)c->id.len, c->id.ptr);
            hone_jw_i64(&w, which[0] == 'a'   ? 1
                            : which[0] == 'b' ? -1
                                              : 0); /* as verdicts have it */
            continue;
        }
        const hone_level *level = find_level(c->levels, c->n_levels, v->u.str);
        if (!level)
            return hone_fail(HONE_E_INVALID, "criterion %.*s has no such level", (int)c->id.len,
                             c->id.ptr);
        values[i] = level->value;
        hone_jw_f64(&w, level->value);
    }
    hone_jw_end(&w);
    if (given && given->u.map.n != known)
        return hone_fail(HONE_E_INVALID, "criteria that the rubric does not ask for");
    if (!known)
        hone_buf_clear(json);
    else if (r->shape == HONE_SHAPE_POINTWISE)
        hone_rubric_score(r, values, score);
    return hone_buf_check(json, "criteria");
}

/* Columns of the item that are not its texts, as slices of the label. */
static hone_status take_slices(hone_str item, hone_arena *arena, hone_buf *out)
{
    static const char *const own[] = {"id",         "prompt",    "messages",  "completion",
                                      "candidates", "reference", "prompt_id", NULL};
    hone_value row;
    hone_jw w;
    size_t n = 0;
    HONE_TRY(hone_json_parse(item.ptr, item.len, "an item", arena, &row));
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    for (size_t i = 0; row.type == HONE_MAP && i < row.u.map.n; i++) {
        const hone_pair *p = &row.u.map.pairs[i];
        int mine = hone_label_is_column(p->key); /* an item's "score" is no slice of a label */
        for (size_t k = 0; own[k]; k++)
            mine |= hone_str_eq(p->key, own[k]);
        if (mine || p->value.type == HONE_LIST || p->value.type == HONE_MAP ||
            p->value.type == HONE_NULL)
            continue;
        hone_jw_key_str(&w, p->key);
        hone_jw_value(&w, &p->value);
        n++;
    }
    hone_jw_end(&w);
    if (!n)
        hone_buf_clear(out);
    return hone_buf_check(out, "slices");
}

hone_status hone__labels_answer(const hone_labels *l, const hone_value *ev, int swapped,
                                hone_buf *json, hone_label *label)
{
    const hone_value *criteria = hone_value_get(ev, "criteria");
    hone_str level, choice;
    HONE_TRY(text_of(ev, "level", 256, &level));
    HONE_TRY(text_of(ev, "choice", 16, &choice));
    if (criteria && criteria->type != HONE_MAP)
        return hone_fail(HONE_E_INVALID, "criteria is no map");
    HONE_TRY(take_criteria(l, swapped, criteria, json, &label->score));
    label->criteria = hone_buf_str(json);
    if (l->rubric->shape == HONE_SHAPE_PAIRWISE) {
        const char *which = side(choice, swapped);
        if (!which)
            return hone_fail(HONE_E_INVALID, "choice: left, right or tie");
        label->choice = hone_str_c(which);
    } else if (!l->rubric->n_criteria) {
        const hone_level *given = find_level(l->rubric->scale, l->rubric->n_scale, level);
        if (!given)
            return hone_fail(HONE_E_INVALID, "the scale has no such level");
        label->score = given->value;
    }
    return HONE_OK;
}

static hone_status put_label(hone_labels *l, const hone_label_expert *e, const task *t,
                             const hone_value *ev, hone_arena *arena, hone_str comment)
{
    hone_label label = {.item = t->item,
                        .expert = hone_str_c(e->name),
                        .score = (double)NAN,
                        .prompt_id = t->prompt_id,
                        .batch = t->batch,
                        .comment = comment,
                        .probability = t->probability,
                        .duplicate = t->again};
    hone_str at;
    hone_buf json, slices;
    HONE_TRY(text_of(ev, "at", 40, &at));
    HONE_TRY(hone_value_f64(ev, "seconds", (double)NAN, &label.seconds));
    if (!isnan(label.seconds) && !(label.seconds >= 0 && label.seconds < 1e7))
        return hone_fail(HONE_E_INVALID, "seconds is no time that somebody took");
    label.at = is_time(at) ? at : (hone_str){"", 0};
    hone_buf_init(&json, 1 << 16);
    hone_buf_init(&slices, 1 << 20);
    hone_status s = hone__labels_answer(l, ev, t->swapped, &json, &label);
    if (s >= 0)
        s = take_slices(t->json, arena, &slices);
    if (s >= 0) {
        label.slices = hone_buf_str(&slices);
        s = hone_book_put_labels(l->book, &label, 1);
    }
    hone_buf_release(&json);
    hone_buf_release(&slices);
    return s;
}

/* ---- events ---------------------------------------------------------------------------------------- */

static hone_status find_task(hone_labels *l, int64_t expert, int64_t id, hone_arena *arena, task *t)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(
        l,
        "SELECT t.again, t.swapped, t.state, t.item, t.batch, i.prompt_id, i.probability, b.json "
        "FROM now_task t JOIN label_item i ON i.batch = t.batch AND i.item = t.item "
        "JOIN item b ON b.id = t.item WHERE t.id = ?1 AND t.expert = ?2",
        &q);
    if (s >= 0) {
        sqlite3_bind_int64(q, 1, id);
        sqlite3_bind_int64(q, 2, expert);
        s = hone__labels_step(l, q);
    }
    if (s > 0) {
        *t = (task){.id = id,
                    .again = sqlite3_column_int(q, 0),
                    .swapped = sqlite3_column_int(q, 1),
                    .state = sqlite3_column_int(q, 2),
                    .item = hone_arena_str(arena, hone__labels_text(q, 3)),
                    .batch = hone_arena_str(arena, hone__labels_text(q, 4)),
                    .prompt_id = hone_arena_str(arena, hone__labels_text(q, 5)),
                    .probability = sqlite3_column_double(q, 6),
                    .json = hone_arena_str(arena, hone__labels_text(q, 7))};
        if (!t->item.ptr || !t->batch.ptr || !t->prompt_id.ptr || !t->json.ptr)
            s = HONE_E_NOMEM;
    } else if (s == 0) {
        s = hone_fail(HONE_E_INVALID, "there is no such task");
    }
    sqlite3_finalize(q);
    return s;
}

/* 1: seen with the same words; 0: new. */
static hone_status seen(hone_labels *l, const hone_label_expert *e, hone_str id, const char *hash)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(l, "SELECT expert, hash FROM label_event WHERE id = ?1", &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, id);
        s = hone__labels_step(l, q);
    }
    if (s > 0 &&
        (sqlite3_column_int64(q, 0) != e->id || !hone_str_eq(hone__labels_text(q, 1), hash)))
        s = hone_fail(HONE_E_INVALID, "another event has this id");
    sqlite3_finalize(q);
    return s;
}

static hone_status put_event(hone_labels *l, const hone_label_expert *e, hone_str id,
                             const char *kind, const char *hash, hone_str json, const task *t,
                             int state)
{
    sqlite3_stmt *q = NULL;
    char now[21];
    hone_book_now(now);
    hone_status s = hone__labels_sql(
        l, "INSERT INTO label_event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, id);
        sqlite3_bind_int64(q, 2, e->id);
        sqlite3_bind_int64(q, 3, t->id);
        hone__labels_bind(q, 4, hone_str_c(kind));
        hone__labels_bind(q, 5, hone_str_c(hash));
        hone__labels_bind(q, 6, json);
        hone__labels_bind(q, 7, hone_str_c(now));
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    q = NULL;
    if (s >= 0)
        s = hone__labels_sql(l, "UPDATE label_task SET state = ?2, event = ?3 WHERE id = ?1", &q);
    if (s >= 0) {
        sqlite3_bind_int64(q, 1, t->id);
        sqlite3_bind_int(q, 2, state);
        if (state != HONE_TASK_OPEN)
            hone__labels_bind(q, 3, id);
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    return s;
}

static hone_status apply(hone_labels *l, const hone_label_expert *e, const hone_value *ev,
                         hone_str id, hone_arena *arena)
{
    hone_str kind, reason, comment;
    int64_t number = 0;
    char hash[65];
    task t;
    hone_buf json;
    hone_jw w;
    hone_buf_init(&json, 1 << 20);
    hone_jw_init(&w, &json, 0);
    hone_jw_value(&w, ev);
    hone_status s = hone_buf_check(&json, "an event");
    if (s >= 0) {
        hone_sha256_of(json.ptr, json.len, hash);
        s = seen(l, e, id, hash);
    }
    if (s != 0)
        goto done;
    HONE_TRY_GOTO(text_of(ev, "kind", 16, &kind), done);
    HONE_TRY_GOTO(text_of(ev, "reason", 64, &reason), done);
    HONE_TRY_GOTO(text_of(ev, "comment", COMMENT, &comment), done);
    HONE_TRY_GOTO(hone_value_i64(ev, "task", -1, &number), done);
    HONE_TRY_GOTO(find_task(l, e->id, number, arena, &t), done);
    if (hone_str_eq(kind, "label")) {
        HONE_TRY_GOTO(put_label(l, e, &t, ev, arena, comment), done);
        s = put_event(l, e, id, "label", hash, hone_buf_str(&json), &t, HONE_TASK_LABELLED);
    } else if (hone_str_eq(kind, "skip") || hone_str_eq(kind, "undo")) {
        const int skip = hone_str_eq(kind, "skip");
        int known = !skip;
        for (size_t i = 0; hone_label_skips[i]; i++)
            known |= hone_str_eq(reason, hone_label_skips[i]);
        if (!known) {
            s = hone_fail(HONE_E_INVALID, "there is no such reason for skipping");
            goto done;
        }
        HONE_TRY_GOTO(hone_book_drop_label(l->book, t.item, hone_str_c(e->name), t.again), done);
        s = put_event(l, e, id, skip ? "skip" : "undo", hash, hone_buf_str(&json), &t,
                      skip ? HONE_TASK_SKIPPED : HONE_TASK_OPEN);
    } else {
        s = hone_fail(HONE_E_INVALID, "kind: label, skip or undo");
    }
done:
    hone_buf_release(&json);
    return s < 0 ? s : HONE_OK;
}

/* Is it the event's fault? Else the page must send again, and nothing is said of the event. */
static int own_fault(hone_status s)
{
    return s == HONE_E_INVALID || s == HONE_E_TYPE || s == HONE_E_RANGE || s == HONE_E_LIMIT;
}

hone_status hone_labels_take(hone_labels *l, const hone_label_expert *e, const hone_value *body,
                             hone_jw *w)
{
    const hone_value *events = body->type == HONE_MAP ? hone_value_get(body, "events") : NULL;
    hone_arena arena;
    hone_buf refused;
    hone_jw no;
    hone_status s = HONE_OK;
    int64_t done = 0, total = 0;
    if (!events || events->type != HONE_LIST)
        return hone_fail(HONE_E_INVALID, "a map with a list \"events\" is wanted");
    if (events->u.list.n > EVENTS)
        return hone_fail(HONE_E_INVALID, "more than %d events at once", EVENTS);
    hone_arena_init(&arena, 0);
    hone_buf_init(&refused, 1 << 20);
    hone_jw_init(&no, &refused, 0);
    hone_jw_list(&no);
    hone_jw_key(w, "accepted");
    hone_jw_list(w);
    for (size_t i = 0; s >= 0 && i < events->u.list.n; i++) {
        const hone_value *ev = &events->u.list.items[i];
        hone_str id = {"", 0};
        const hone_value *given = ev->type == HONE_MAP ? hone_value_get(ev, "id") : NULL;
        if (!given || given->type != HONE_STRING || !hone__labels_is_id(given->u.str)) {
            s = hone_fail(HONE_E_INVALID, "event %zu: its id is not 16 to 64 digits of hex", i);
            break;
        }
        id = given->u.str;
        s = hone__labels_enter(l);
        if (s >= 0)
            s = hone__labels_leave(l, apply(l, e, ev, id, &arena));
        if (s >= 0) {
            hone_jw_str(w, id);
        } else if (own_fault(s)) {
            hone_jw_map(&no);
            hone_jw_kstr(&no, "id", id);
            hone_jw_kcstr(&no, "why", hone_error_get()->what);
            hone_jw_end(&no);
            s = HONE_OK;
        }
        hone_arena_clear(&arena);
    }
    hone_jw_end(w);
    hone_jw_end(&no);
    if (s >= 0) {
        pthread_mutex_lock(&l->lock);
        s = hone__labels_progress(l, e->id, &done, &total);
        pthread_mutex_unlock(&l->lock);
    }
    if (s >= 0)
        s = hone_buf_check(&refused, "the refused");
    if (s >= 0) {
        hone_value list;
        hone_jw_key(w, "refused");
        s = hone_json_parse(refused.ptr, refused.len, NULL, &arena, &list);
        if (s >= 0)
            hone_jw_value(w, &list);
        hone_jw_ki64(w, "done", done);
        hone_jw_ki64(w, "total", total);
    }
    hone_buf_release(&refused);
    hone_arena_release(&arena);
    return s;
}
