/* labels.c - the tables of labels.h: batches, experts and their tokens, tasks.
 *
 * Six tables beside the book's own, made where they are not there:
 *   label_expert  who, the token's SHA-256, whether lead, whether labelling
 *   label_item    the items of a batch, each with probability and why
 *   label_task    one thing for one expert to look at: (expert, batch, place) -> item, repeat, swapped; state
 *   label_event   what arrived, by the id that the page made
 *   label_batch   the rubric of a batch, by its hash
 *   label_fact    the labelling's own id, and what its server keeps
 *
 * Order of an expert's tasks: items by a permutation of (seed, batch, expert); a tenth of them again, each at least a quarter
 * of the batch behind its first time, at a place drawn at random. */
#include "judge/labels_private.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DUPLICATES 0.1
enum { GAP = 4 }; /* a repeat is at least a fourth of the batch away */

const char *const hone_label_skips[HONE_LABEL_SKIPS + 1] = {"unclear", "cannot judge",
                                                            "broken item", "other", NULL};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS label_expert (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " token BLOB, lead INTEGER NOT NULL, labels INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS label_item (batch TEXT NOT NULL, place INTEGER NOT NULL, item TEXT "
    "NOT NULL,"
    " prompt_id TEXT NOT NULL, probability REAL NOT NULL, why TEXT NOT NULL, PRIMARY KEY (batch, "
    "place)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS label_item_item ON label_item (item);"
    "CREATE TABLE IF NOT EXISTS label_task (id INTEGER PRIMARY KEY, expert INTEGER NOT NULL, batch "
    "TEXT NOT NULL,"
    " place INTEGER NOT NULL, item TEXT NOT NULL, again INTEGER NOT NULL, swapped INTEGER NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, event TEXT, UNIQUE (expert, batch, place));"
    "CREATE INDEX IF NOT EXISTS label_task_expert ON label_task (expert, id);"
    "CREATE TABLE IF NOT EXISTS label_event (id TEXT PRIMARY KEY, expert INTEGER NOT NULL, task "
    "INTEGER NOT NULL,"
    " kind TEXT NOT NULL, hash TEXT NOT NULL, json TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS label_batch (id INTEGER PRIMARY KEY, batch TEXT NOT NULL UNIQUE,"
    " rubric TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS label_fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT "
    "ROWID;" HONE_SETTLED_SCHEMA
    "INSERT OR IGNORE INTO label_fact VALUES ('id', lower(hex(randomblob(8))));";

/* ---- the database ---------------------------------------------------------------------------------- */

static hone_status db_fail(hone_labels *l)
{
    const int rc = sqlite3_errcode(l->db);
    hone_status s = rc == SQLITE_FULL    ? HONE_E_NO_SPACE
                    : rc == SQLITE_NOMEM ? HONE_E_NOMEM
                                         : HONE_E_IO;
    return hone_fail(s, "%s: %s", hone_book_path(l->book), sqlite3_errmsg(l->db));
}

hone_status hone__labels_sql(hone_labels *l, const char *sql, sqlite3_stmt **q)
{
    return sqlite3_prepare_v2(l->db, sql, -1, q, NULL) == SQLITE_OK ? HONE_OK : db_fail(l);
}

hone_status hone__labels_step(hone_labels *l, sqlite3_stmt *q)
{
    const int rc = sqlite3_step(q);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_fail(l);
}

hone_str hone__labels_text(sqlite3_stmt *q, int column)
{
    const char *p = (const char *)sqlite3_column_text(q, column);
    return (hone_str){p ? p : "", p ? (size_t)sqlite3_column_bytes(q, column) : 0};
}

void hone__labels_bind(sqlite3_stmt *q, int at, hone_str s)
{
    sqlite3_bind_text64(q, at, s.ptr ? s.ptr : "", s.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

hone_status hone__labels_number(hone_labels *l, const char *sql, const char *text, int64_t *out)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(l, sql, &q);
    if (s >= 0 && text)
        hone__labels_bind(q, 1, hone_str_c(text));
    if (s >= 0)
        s = hone__labels_step(l, q);
    if (s > 0)
        *out = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return s;
}

hone_status hone__labels_enter(hone_labels *l)
{
    pthread_mutex_lock(&l->lock);
    hone_status s = hone_book_begin(l->book);
    if (s < 0)
        pthread_mutex_unlock(&l->lock);
    return s;
}

hone_status hone__labels_leave(hone_labels *l, hone_status s)
{
    if (s < 0) {
        hone_book_rollback(l->book);
    } else {
        hone_status done = hone_book_commit(l->book);
        s = done < 0 ? done : s;
    }
    pthread_mutex_unlock(&l->lock);
    return s;
}

/* now_item, now_task: those of batches of this rubric. What was asked under another one is over. */
static hone_status make_views(hone_labels *l)
{
    hone_buf b;
    hone_buf_init(&b, 4096);
    static const char *const names[] = {"item", "task"};
    for (size_t i = 0; i < 2; i++)
        hone_buf_addf(
            &b,
            "DROP VIEW IF EXISTS temp.now_%s; CREATE TEMP VIEW now_%s AS SELECT * FROM "
            "label_%s WHERE batch IN (SELECT batch FROM label_batch WHERE rubric = '%s');",
            names[i], names[i], names[i], l->rubric->hash);
    hone_status s = hone_buf_check(&b, "views");
    if (s >= 0 && sqlite3_exec(l->db, b.ptr, NULL, NULL, NULL) != SQLITE_OK)
        s = db_fail(l);
    hone_buf_release(&b);
    return s;
}

/* ---- open ------------------------------------------------------------------------------------------ */

static hone_status load_experts(hone_labels *l)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(
        l, "SELECT id, name, token, lead, labels FROM label_expert ORDER BY id LIMIT ?1", &q);
    if (s >= 0)
        sqlite3_bind_int(q, 1, HONE_LABELS_EXPERTS);
    l->n_experts = 0;
    while (s >= 0 && (s = hone__labels_step(l, q)) > 0) {
        hone__label_expert *e = &l->experts[l->n_experts++];
        hone_str name = hone__labels_text(q, 1);
        memset(e, 0, sizeof *e);
        e->who.id = sqlite3_column_int64(q, 0);
        memcpy(e->who.name, name.ptr,
               name.len < sizeof e->who.name ? name.len : sizeof e->who.name - 1);
        e->has_token = sqlite3_column_bytes(q, 2) == (int)sizeof e->token;
        if (e->has_token)
            memcpy(e->token, sqlite3_column_blob(q, 2), sizeof e->token);
        e->who.lead = sqlite3_column_int(q, 3);
        e->who.labels = sqlite3_column_int(q, 4);
    }
    sqlite3_finalize(q);
    return s;
}

hone_status hone_labels_open(hone_book *book, const hone_rubric *rubric, uint64_t seed,
                             hone_labels **out)
{
    if (rubric->shape == HONE_SHAPE_LISTWISE) {
        hone_fail(HONE_E_UNSUPPORTED, "rubric %.*s: its shape is listwise", (int)rubric->id.len,
                  rubric->id.ptr);
        return hone_fail_hint("experts label one text or two: write the lists as pairs");
    }
    hone_labels *l = hone_calloc(1, sizeof *l);
    if (!l)
        return HONE_E_NOMEM;
    l->book = book;
    l->db = hone_book_db(book);
    l->rubric = rubric;
    l->seed = seed;
    pthread_mutex_init(&l->lock, NULL);
    l->experts = hone_calloc(HONE_LABELS_EXPERTS, sizeof *l->experts);
    hone_status s = l->experts ? hone__labels_enter(l) : HONE_E_NOMEM;
    if (s >= 0) {
        if (sqlite3_exec(l->db, schema, NULL, NULL, NULL) != SQLITE_OK)
            s = db_fail(l);
        if (s >= 0)
            s = make_views(l);
        if (s >= 0)
            s = hone_book_put_rubric(book, rubric->hash, rubric->id, rubric->version, rubric->json);
        if (s >= 0)
            s = load_experts(l);
        s = hone__labels_leave(l, s);
    }
    if (s < 0) {
        hone_labels_close(l);
        return s;
    }
    *out = l;
    return HONE_OK;
}

void hone_labels_close(hone_labels *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    hone_free(l->experts);
    hone_free(l);
}

/* ---- batches --------------------------------------------------------------------------------------- */

hone_status hone_labels_check_item(const hone_labels *l, const hone_value *row)
{
    const hone_value *c = hone_value_get(row, "completion");
    const hone_value *list = hone_value_get(row, "candidates");
    const hone_value *prompt = hone_value_get(row, "prompt");
    const hone_value *messages = hone_value_get(row, "messages");
    if (!(prompt && prompt->type == HONE_STRING) && !(messages && messages->type == HONE_LIST))
        return hone_fail(HONE_E_INVALID, "the item has neither prompt nor messages");
    if (l->rubric->shape == HONE_SHAPE_POINTWISE)
        return c && c->type == HONE_STRING
                   ? HONE_OK
                   : hone_fail(HONE_E_INVALID, "the item has no completion");
    if (!list || list->type != HONE_LIST || list->u.list.n != 2)
        return hone_fail(HONE_E_INVALID, "the item has no two candidates");
    for (size_t i = 0; i < 2; i++)
        if (list->u.list.items[i].type != HONE_STRING)
            return hone_fail(HONE_E_INVALID, "candidate %zu is no text", i + 1);
    return HONE_OK;
}

static hone_status put_pick(hone_labels *l, sqlite3_stmt *q, const char *batch, size_t place,
                            const hone_label_pick *p)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &b, 0);
    hone_jw_value(&w, p->row);
    hone_status s = hone_buf_check(&b, "an item");
    if (s >= 0)
        s = hone_book_put_item(l->book, p->id, p->prompt_id, hone_buf_str(&b));
    if (s >= 0) {
        sqlite3_reset(q);
        hone__labels_bind(q, 1, hone_str_c(batch));
        sqlite3_bind_int64(q, 2, (sqlite3_int64)place);
        hone__labels_bind(q, 3, p->id);
        hone__labels_bind(q, 4, p->prompt_id);
        sqlite3_bind_double(q, 5, p->probability);
        hone__labels_bind(q, 6, hone_str_c(p->why));
        s = hone__labels_step(l, q);
    }
    hone_buf_release(&b);
    return s;
}

static hone_status put_batch(hone_labels *l, const hone_label_pick *picks, size_t n, size_t pool)
{
    sqlite3_stmt *q = NULL;
    int64_t count = 0;
    char name[32], now[21];
    hone_buf b;
    hone_jw w;
    HONE_TRY(hone__labels_number(l, "SELECT count(DISTINCT batch) FROM label_item", NULL, &count));
    snprintf(name, sizeof name, "batch-%lld", (long long)count + 1);
    hone_status s = hone__labels_sql(l, "INSERT INTO label_item VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                                     &q);
    size_t uniform = 0;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        s = put_pick(l, q, name, i, &picks[i]);
        uniform += strcmp(picks[i].why, "uniform") == 0;
    }
    sqlite3_finalize(q);
    q = NULL;
    if (s >= 0)
        s = hone__labels_sql(l, "INSERT INTO label_batch (batch, rubric) VALUES (?1, ?2)", &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, hone_str_c(name));
        hone__labels_bind(q, 2, hone_str_c(l->rubric->hash));
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    if (s < 0)
        return s;
    hone_book_now(now);
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_key(&w, "rubric");
    hone_buf rubric;
    hone_buf_init(&rubric, 4096);
    hone_buf_addf(&rubric, "%.*s@%s", (int)l->rubric->id.len, l->rubric->id.ptr, l->rubric->hash);
    hone_jw_str(&w, hone_buf_str(&rubric));
    hone_jw_kcstr(&w, "shape", hone_shape_name(l->rubric->shape));
    hone_jw_ki64(&w, "seed", (int64_t)l->seed);
    hone_jw_ki64(&w, "items", (int64_t)n);
    hone_jw_ki64(&w, "pool", (int64_t)pool);
    hone_jw_ki64(&w, "uniform", (int64_t)uniform);
    hone_jw_kcstr(&w, "at", now);
    hone_jw_end(&w);
    s = hone_buf_check(&rubric, "a rubric's name");
    if (s >= 0)
        s = hone_buf_check(&b, "a batch");
    if (s >= 0)
        s = hone_book_put_batch(l->book, hone_str_c(name), hone_buf_str(&b));
    hone_buf_release(&rubric);
    hone_buf_release(&b);
    return s;
}

hone_status hone_labels_add_batch(hone_labels *l, const hone_label_pick *picks, size_t n,
                                  size_t pool)
{
    if (!n)
        return hone_fail(HONE_E_INVALID, "a batch without items");
    HONE_TRY(hone__labels_enter(l));
    return hone__labels_leave(l, put_batch(l, picks, n, pool));
}

static hone_status newest(hone_labels *l, char name[32], int64_t *items)
{
    int64_t n = 0;
    HONE_TRY(hone__labels_number(
        l, "SELECT ifnull(max(CAST(substr(batch, 7) AS INTEGER)), 0) FROM now_item", NULL, &n));
    if (!n)
        return 0;
    snprintf(name, 32, "batch-%lld", (long long)n);
    return hone__labels_number(l, "SELECT count(*) FROM label_item WHERE batch = ?1", name, items);
}

hone_status hone_labels_batch(hone_labels *l, char name[32], int64_t *items)
{
    HONE_TRY(hone__labels_enter(l));
    return hone__labels_leave(l, newest(l, name, items));
}

hone_status hone_labels_knows(hone_labels *l, hone_str item)
{
    sqlite3_stmt *q = NULL;
    pthread_mutex_lock(&l->lock);
    hone_status s = hone__labels_sql(l, "SELECT 1 FROM now_item WHERE item = ?1 LIMIT 1", &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, item);
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    pthread_mutex_unlock(&l->lock);
    return s;
}

hone_status hone_labels_open_tasks(hone_labels *l, int64_t *n)
{
    pthread_mutex_lock(&l->lock);
    hone_status s = hone__labels_number(l, "SELECT count(*) FROM now_task WHERE state = 0", NULL,
                                        n);
    pthread_mutex_unlock(&l->lock);
    return s;
}

/* ---- tokens ---------------------------------------------------------------------------------------- */

/* 32 random bytes as base64url without padding: 43 characters. */
static hone_status make_token(char out[HONE_LABEL_TOKEN])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char raw[33] = {0};
    if (getrandom(raw, 32, 0) != 32)
        return hone_fail_errno("random bytes for a token");
    for (size_t i = 0; i < HONE_LABEL_TOKEN - 1; i++) {
        const size_t bit = i * 6, at = bit / 8, shift = bit % 8;
        const unsigned two = (unsigned)raw[at] << 8 | raw[at + 1];
        out[i] = digits[two >> (10 - shift) & 63];
    }
    out[HONE_LABEL_TOKEN - 1] = 0;
    return HONE_OK;
}

static void hash_token(hone_str token, unsigned char out[32])
{
    hone_sha256 h;
    hone_sha256_init(&h);
    hone_sha256_add(&h, token.ptr, token.len);
    hone_sha256_bytes(&h, out);
}

int hone_labels_who(hone_labels *l, hone_str token, hone_label_expert *out)
{
    unsigned char hash[32];
    int found = 0;
    if (token.len != HONE_LABEL_TOKEN - 1)
        return 0;
    hash_token(token, hash);
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_experts; i++) { /* all of them, whichever it is */
        const hone__label_expert *e = &l->experts[i];
        const int same = sodium_memcmp(hash, e->token, sizeof hash) == 0;
        if (same & e->has_token) {
            *out = e->who;
            found = 1;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return found;
}

/* ---- experts --------------------------------------------------------------------------------------- */

static hone__label_expert *find_expert(hone_labels *l, const char *name)
{
    for (size_t i = 0; i < l->n_experts; i++)
        if (strcmp(l->experts[i].who.name, name) == 0)
            return &l->experts[i];
    return NULL;
}

static hone_status check_name(const char *name)
{
    const size_t n = strlen(name);
    if (!n || n >= sizeof((hone_label_expert *)0)->name)
        return hone_fail(HONE_E_USAGE, "expert \"%s\": a name has 1 to 63 bytes", name);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x21 || strchr("\",;'<>&\x7f", name[i]))
            return hone_fail(HONE_E_USAGE, "expert \"%s\": a name is one word without quotes",
                             name);
    return HONE_OK;
}

static hone_status put_expert(hone_labels *l, const char *name, int lead, int labels,
                              const unsigned char *hash)
{
    sqlite3_stmt *q = NULL;
    char json[64];
    hone_status s = hone__labels_sql(
        l,
        "INSERT INTO label_expert VALUES (NULL, ?1, ?2, ?3, ?4) ON CONFLICT (name) DO UPDATE SET "
        "token = ifnull(?2, token), lead = max(lead, ?3), labels = max(labels, ?4)",
        &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, hone_str_c(name));
        if (hash)
            sqlite3_bind_blob(q, 2, hash, 32, SQLITE_TRANSIENT);
        sqlite3_bind_int(q, 3, lead != 0);
        sqlite3_bind_int(q, 4, labels != 0);
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    snprintf(json, sizeof json, "{\"lead\":%s,\"labels\":%s}", lead ? "true" : "false",
             labels ? "true" : "false");
    if (s >= 0)
        s = hone_book_put_expert(l->book, hone_str_c(name), hone_str_c(json));
    return s < 0 ? s : load_experts(l);
}

hone_status hone_labels_expert(hone_labels *l, const char *name, int lead, int labels, int renew,
                               char token[HONE_LABEL_TOKEN])
{
    char text[HONE_LABEL_TOKEN];
    unsigned char hash[32];
    HONE_TRY(check_name(name));
    HONE_TRY(make_token(text));
    hash_token(hone_str_c(text), hash);
    HONE_TRY(hone__labels_enter(l));
    const hone__label_expert *old = find_expert(l, name);
    const int fresh = !old || !old->has_token || renew;
    hone_status s = HONE_OK;
    if (!old && l->n_experts == HONE_LABELS_EXPERTS)
        s = hone_fail(HONE_E_LIMIT, "expert %s: there are %d already", name, HONE_LABELS_EXPERTS);
    if (s >= 0)
        s = put_expert(l, name, lead || (old && old->who.lead), labels || (old && old->who.labels),
                       fresh ? hash : NULL);
    s = hone__labels_leave(l, s);
    if (s < 0)
        return s;
    if (fresh)
        memcpy(token, text, sizeof text);
    return fresh;
}

hone_status hone_labels_revoke(hone_labels *l, const char *name)
{
    sqlite3_stmt *q = NULL;
    HONE_TRY(hone__labels_enter(l));
    hone_status s = find_expert(l, name)
                        ? HONE_OK
                        : hone_fail(HONE_E_NOT_FOUND, "there is no expert %s", name);
    if (s >= 0)
        s = hone__labels_sql(l, "UPDATE label_expert SET token = NULL WHERE name = ?1", &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, hone_str_c(name));
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    if (s >= 0)
        s = load_experts(l);
    return hone__labels_leave(l, s);
}

/* ---- tasks ----------------------------------------------------------------------------------------- */

typedef struct task {
    double key; /* its place */
    size_t item;
    int again;
} task;

static int by_key(const void *a, const void *b)
{
    const task *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->again != y->again ? x->again - y->again : x->item < y->item ? -1 : x->item > y->item;
}

/* The order of n items for one expert: `out` has room for 2 n. Returns how many tasks. */
static size_t order_tasks(uint64_t seed, uint64_t batch, uint64_t expert, size_t n, task *out)
{
    const hone_rng_key order = {.seed = seed,
                                .purpose = hone_rng_purpose("hone.label.order"),
                                .step = batch,
                                .sample = expert};
    const hone_rng_key repeat = {.seed = seed,
                                 .purpose = hone_rng_purpose("hone.label.repeat"),
                                 .step = batch,
                                 .sample = expert};
    const size_t gap = n / GAP + 1, from = n > gap ? n - gap : 0;
    size_t many = (size_t)((double)n * DUPLICATES + 0.5), total = n;
    for (size_t i = 0; i < n; i++)
        out[i] = (task){.key = (double)i, .item = (size_t)hone_rng_permute(&order, i, n)};
    if (many > from)
        many = from;
    for (size_t i = 0; i < many; i++) { /* some of those that come early, each once */
        const size_t first = (size_t)hone_rng_permute(&repeat, i, from);
        const double room = (double)(n - first - gap);
        out[total++] = (task){.key = (double)(first + gap) +
                                     hone_rng_uniform(&repeat, n + i) * room,
                              .item = out[first].item,
                              .again = 1};
    }
    qsort(out, total, sizeof *out, by_key);
    return total;
}

static hone_status item_ids(hone_labels *l, const char *batch, hone_arena *arena, hone_str *ids,
                            size_t n)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(
        l, "SELECT item FROM label_item WHERE batch = ?1 ORDER BY place", &q);
    if (s >= 0)
        hone__labels_bind(q, 1, hone_str_c(batch));
    for (size_t i = 0; s >= 0 && i < n; i++) {
        s = hone__labels_step(l, q);
        if (s == 0)
            s = hone_fail(HONE_E_STATE, "%s: %s lost an item", hone_book_path(l->book), batch);
        if (s > 0) {
            ids[i] = hone_arena_str(arena, hone__labels_text(q, 0));
            s = ids[i].ptr ? HONE_OK : HONE_E_NOMEM;
        }
    }
    sqlite3_finalize(q);
    return s;
}

static hone_status deal_to(hone_labels *l, const char *batch, const hone_label_expert *e,
                           const hone_str *ids, size_t n, task *tasks)
{
    sqlite3_stmt *q = NULL;
    const uint64_t number = hone_xxh64(batch, strlen(batch), 0);
    const uint64_t who = hone_xxh64(e->name, strlen(e->name), 0);
    const hone_rng_key side = {.seed = l->seed,
                               .purpose = hone_rng_purpose("hone.label.side"),
                               .step = number,
                               .sample = who};
    const size_t total = order_tasks(l->seed, number, who, n, tasks);
    hone_status s = hone__labels_sql(l,
                                     "INSERT OR IGNORE INTO label_task (expert, batch, place, "
                                     "item, again, swapped) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                                     &q);
    for (size_t i = 0; s >= 0 && i < total; i++) {
        sqlite3_reset(q);
        sqlite3_bind_int64(q, 1, e->id);
        hone__labels_bind(q, 2, hone_str_c(batch));
        sqlite3_bind_int64(q, 3, (sqlite3_int64)i);
        hone__labels_bind(q, 4, ids[tasks[i].item]);
        sqlite3_bind_int(q, 5, tasks[i].again);
        sqlite3_bind_int(q, 6, (int)(hone_rng_u32(&side, i) & 1));
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    return s;
}

static hone_status deal(hone_labels *l, hone_arena *arena)
{
    char batch[32];
    int64_t items = 0;
    hone_status s = newest(l, batch, &items);
    if (s <= 0 || items <= 0)
        return s;
    const size_t n = (size_t)items;
    hone_str *ids = hone_arena_calloc(arena, n, sizeof *ids);
    task *tasks = hone_arena_calloc(arena, n, 2 * sizeof *tasks);
    if (!ids || !tasks)
        return HONE_E_NOMEM;
    s = item_ids(l, batch, arena, ids, n);
    for (size_t i = 0; s >= 0 && i < l->n_experts; i++)
        if (l->experts[i].who.labels)
            s = deal_to(l, batch, &l->experts[i].who, ids, n, tasks);
    return s;
}

hone_status hone_labels_deal(hone_labels *l)
{
    hone_arena arena;
    hone_arena_init(&arena, 0);
    hone_status s = hone__labels_enter(l);
    if (s >= 0)
        s = hone__labels_leave(l, deal(l, &arena));
    hone_arena_release(&arena);
    return s < 0 ? s : HONE_OK;
}

hone_status hone__labels_progress(hone_labels *l, int64_t expert, int64_t *done, int64_t *total)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__labels_sql(
        l, "SELECT count(*), ifnull(sum(state <> 0), 0) FROM now_task WHERE expert = ?1", &q);
    if (s >= 0) {
        sqlite3_bind_int64(q, 1, expert);
        s = hone__labels_step(l, q);
    }
    if (s > 0) {
        *total = sqlite3_column_int64(q, 0);
        *done = sqlite3_column_int64(q, 1);
    }
    sqlite3_finalize(q);
    return s < 0 ? s : HONE_OK;
}

hone_status hone_labels_last_rubric(hone_book *book, hone_rubric **out)
{
    sqlite3 *db = hone_book_db(book);
    sqlite3_stmt *q = NULL;
    hone_arena arena;
    hone_str json;
    hone_value v;
    char hash[65] = "";
    /* without the table nobody has labelled here */
    if (sqlite3_prepare_v2(db, "SELECT rubric FROM label_batch ORDER BY id DESC LIMIT 1", -1, &q,
                           NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 0) == 64)
        memcpy(hash, sqlite3_column_text(q, 0), 64);
    sqlite3_finalize(q);
    if (!hash[0])
        return 0;
    hone_arena_init(&arena, 0);
    hone_status s = hone_book_get_rubric(book, hash, &arena, &json);
    if (s > 0)
        s = hone_json_parse(json.ptr, json.len, "the stored rubric", &arena, &v);
    else if (s == 0)
        s = hone_fail(HONE_E_STATE, "%s: it lost a rubric", hone_book_path(book));
    if (s >= 0)
        s = hone_rubric_from_value(&v, "the stored rubric", out);
    hone_arena_release(&arena);
    return s < 0 ? s : 1;
}

hone_status hone_labels_fact(hone_labels *l, const char *name, char *out, size_t size)
{
    sqlite3_stmt *q = NULL;
    pthread_mutex_lock(&l->lock);
    hone_status s = hone__labels_sql(l, "SELECT value FROM label_fact WHERE name = ?1", &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, hone_str_c(name));
        s = hone__labels_step(l, q);
    }
    if (s > 0) {
        hone_str v = hone__labels_text(q, 0);
        if (v.len < size) {
            memcpy(out, v.ptr, v.len);
            out[v.len] = 0;
        } else {
            s = 0;
        }
    }
    sqlite3_finalize(q);
    pthread_mutex_unlock(&l->lock);
    return s;
}

hone_status hone_labels_set_fact(hone_labels *l, const char *name, const char *value)
{
    sqlite3_stmt *q = NULL;
    HONE_TRY(hone__labels_enter(l));
    hone_status s = hone__labels_sql(l, "INSERT OR REPLACE INTO label_fact VALUES (?1, ?2)", &q);
    if (s >= 0) {
        hone__labels_bind(q, 1, hone_str_c(name));
        hone__labels_bind(q, 2, hone_str_c(value));
        s = hone__labels_step(l, q);
    }
    sqlite3_finalize(q);
    return hone__labels_leave(l, s);
}
