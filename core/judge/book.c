/* book.c - see book.h. The file as a file: opening, transactions, statements; labels are in book_labels.c.
 *
 * Every statement goes through hone__book_prepare and hone__book_step, which turn SQLite's codes into errors that name the file. One
 * connection under a recursive lock, which begin keeps until commit. */
#include "judge/book_private.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WAIT_MS = 10000,
    APPLICATION = 0x686f6e65 /* "hone": PRAGMA application_id */
};

const char *hone_book_where(const char *path)
{
    const char *env = getenv("HONE_JUDGES");
    return path && path[0] ? path : env && env[0] ? env : "judges.sqlite";
}

void hone_book_now(char out[21])
{
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &t);
}

/* ---- errors and statements --------------------------------------------------------------------------------- */

hone_status hone__book_fail(const hone_book *b, int rc)
{
    hone_status s = rc == SQLITE_NOMEM                            ? HONE_E_NOMEM
                    : rc == SQLITE_FULL                           ? HONE_E_NO_SPACE
                    : rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT ? HONE_E_PARSE
                    : rc == SQLITE_CONSTRAINT                     ? HONE_E_INVALID
                                                                  : HONE_E_IO;
    hone_fail(s, "%s: %s", b->path, b->db ? sqlite3_errmsg(b->db) : sqlite3_errstr(rc));
    if (rc == SQLITE_NOTADB)
        hone_fail_hint("it is no SQLite file: name another one (--store FILE or HONE_JUDGES)");
    else if (rc == SQLITE_CORRUPT)
        hone_fail_hint("sqlite3 %s .recover shows what can still be read", b->path);
    else if (rc == SQLITE_BUSY)
        hone_fail_hint("another process has been writing it for %d seconds", WAIT_MS / 1000);
    else if (rc == SQLITE_READONLY || rc == SQLITE_CANTOPEN)
        hone_fail_hint("may the file and its folder be written? another place: --store FILE");
    return s;
}

hone_status hone__book_prepare(hone_book *b, const char *sql, sqlite3_stmt **q)
{
    int rc = sqlite3_prepare_v2(b->db, sql, -1, q, NULL);
    return rc == SQLITE_OK ? HONE_OK : hone__book_fail(b, rc & 0xff);
}

hone_status hone__book_step(hone_book *b, sqlite3_stmt *q)
{
    int rc = sqlite3_step(q);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : hone__book_fail(b, rc & 0xff);
}

/* Binding fails only for want of memory, or past the limit of a text: the step then says so. */
void hone__book_bind_str(sqlite3_stmt *q, int at, hone_str s)
{
    if (s.ptr)
        sqlite3_bind_text64(q, at, s.ptr, s.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    else
        sqlite3_bind_null(q, at);
}

void hone__book_bind_z(sqlite3_stmt *q, int at, const char *z)
{
    hone__book_bind_str(q, at, hone_str_c(z));
}

hone_str hone__book_text(sqlite3_stmt *q, int column)
{
    const char *p = (const char *)sqlite3_column_text(q, column);
    return (hone_str){p ? p : "", p ? (size_t)sqlite3_column_bytes(q, column) : 0};
}

hone_status hone__book_take(sqlite3_stmt *q, int column, hone_arena *arena, hone_str *out)
{
    hone_str s = hone__book_text(q, column);
    *out = hone_arena_str(arena, s);
    return s.len && !out->ptr ? HONE_E_NOMEM : HONE_OK;
}

static hone_status run_sql(hone_book *b, const char *sql)
{
    int rc = sqlite3_exec(b->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? HONE_OK : hone__book_fail(b, rc & 0xff);
}

/* ---- transactions ------------------------------------------------------------------------------------------ */

hone_status hone_book_begin(hone_book *b)
{
    pthread_mutex_lock(&b->lock);
    hone_status s = b->open ? hone_fail(HONE_E_STATE, "%s: a transaction is open", b->path)
                            : run_sql(b, "BEGIN IMMEDIATE");
    if (s < 0)
        pthread_mutex_unlock(&b->lock);
    else
        b->open = 1;
    return s;
}

void hone_book_rollback(hone_book *b)
{
    if (!sqlite3_get_autocommit(b->db))
        sqlite3_exec(b->db, "ROLLBACK", NULL, NULL, NULL);
    b->open = 0;
    pthread_mutex_unlock(&b->lock);
}

hone_status hone_book_commit(hone_book *b)
{
    hone_status s = run_sql(b, "COMMIT");
    if (s < 0) {
        const hone_error e = *hone_error_get();
        hone_book_rollback(b);
        return hone_error_set(&e);
    }
    b->open = 0;
    pthread_mutex_unlock(&b->lock);
    return HONE_OK;
}

hone_status hone__book_enter(hone_book *b, int *mine)
{
    pthread_mutex_lock(&b->lock);
    *mine = !b->open;
    if (*mine) {
        hone_status s = hone_book_begin(b);
        pthread_mutex_unlock(&b->lock); /* begin keeps it once more */
        return s;
    }
    return HONE_OK;
}

hone_status hone__book_leave(hone_book *b, int mine, hone_status s)
{
    if (!mine) {
        pthread_mutex_unlock(&b->lock);
        return s;
    }
    if (s >= 0) {
        hone_status c = hone_book_commit(b);
        return c < 0 ? c : s;
    }
    const hone_error e = *hone_error_get();
    hone_book_rollback(b);
    return hone_error_set(&e);
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static const char schema[] =
    "CREATE TABLE rubric_version (hash TEXT PRIMARY KEY, id TEXT NOT NULL, version TEXT NOT NULL,"
    " json TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE judge_spec (hash TEXT PRIMARY KEY, json TEXT NOT NULL, at TEXT NOT NULL) WITHOUT "
    "ROWID;"
    "CREATE TABLE item (id TEXT PRIMARY KEY, prompt_id TEXT NOT NULL, hash TEXT NOT NULL,"
    " json TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE batch (id TEXT PRIMARY KEY, json TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE expert (id TEXT PRIMARY KEY, json TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE call (id INTEGER PRIMARY KEY, key TEXT NOT NULL, spec TEXT NOT NULL, status "
    "INTEGER NOT NULL,"
    " raw TEXT, cost REAL, tokens_in INTEGER, tokens_out INTEGER, latency_ms REAL, at TEXT NOT "
    "NULL);"
    "CREATE INDEX call_key ON call (key);"
    "CREATE TABLE verdict (key TEXT PRIMARY KEY, spec TEXT NOT NULL, input TEXT NOT NULL, item "
    "TEXT NOT NULL,"
    " repetition INTEGER NOT NULL, candidates TEXT NOT NULL, status INTEGER NOT NULL, json TEXT "
    "NOT NULL,"
    " at TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX verdict_item ON verdict (spec, item);"
    "CREATE TABLE expert_label (id INTEGER PRIMARY KEY, item TEXT NOT NULL, expert TEXT NOT NULL,"
    " duplicate INTEGER NOT NULL, score REAL, choice TEXT, criteria TEXT, prompt_id TEXT, seconds "
    "REAL,"
    " at TEXT NOT NULL, batch TEXT, probability REAL, comment TEXT, split TEXT, slices TEXT,"
    " replaced INTEGER);" /* by the label of that id; 0: taken back */
    "CREATE UNIQUE INDEX label_now ON expert_label (item, expert, duplicate) WHERE replaced IS "
    "NULL;"
    "CREATE TABLE calibration_run (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, spec TEXT NOT NULL,"
    " json TEXT NOT NULL, at TEXT NOT NULL);"
    "CREATE TABLE probe_run (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, spec TEXT NOT NULL,"
    " json TEXT NOT NULL, at TEXT NOT NULL);"
    "CREATE TABLE test_reading (id INTEGER PRIMARY KEY, data TEXT NOT NULL, at TEXT NOT NULL);"
    "CREATE TABLE gate_decision (id INTEGER PRIMARY KEY, key TEXT NOT NULL, policy TEXT NOT NULL,"
    " spec TEXT NOT NULL, verdict TEXT NOT NULL, at TEXT NOT NULL, expires TEXT NOT NULL,"
    " json TEXT NOT NULL, seal TEXT NOT NULL, voided TEXT);"
    "CREATE INDEX gate_key ON gate_decision (key, policy);"
    "PRAGMA application_id = 1752133221; PRAGMA user_version = 1;";
_Static_assert(APPLICATION == 1752133221 && HONE_BOOK_SCHEMA == 1, "the numbers in the schema");

static hone_status number(hone_book *b, const char *sql, int64_t *out)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__book_prepare(b, sql, &q);
    if (s >= 0)
        s = hone__book_step(b, q);
    if (s > 0)
        *out = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return s < 0 ? s : HONE_OK;
}

/* Whose file is it? Fills in the tables of one that has none, if it may. */
static hone_status check_schema(hone_book *b, int may_make)
{
    int64_t app = 0, version = 0, tables = 0;
    HONE_TRY(number(b, "PRAGMA application_id", &app));
    HONE_TRY(number(b, "PRAGMA user_version", &version));
    HONE_TRY(number(b, "SELECT count(*) FROM sqlite_master", &tables));
    if (app == APPLICATION && version == HONE_BOOK_SCHEMA)
        return HONE_OK;
    if (app == APPLICATION) {
        hone_fail(HONE_E_REFUSED, "%s: its tables are of version %lld, this hone knows %d", b->path,
                  (long long)version, HONE_BOOK_SCHEMA);
        return hone_fail_hint("update hone, or name another file (--store FILE)");
    }
    if (app || version || tables || !may_make) {
        hone_fail(HONE_E_REFUSED, "%s: a database, but no store of judges", b->path);
        return hone_fail_hint("nothing in it was touched; name another file (--store FILE or "
                              "HONE_JUDGES)");
    }
    return run_sql(b, schema);
}

/* Two processes that make the file at once: the second finds it made. */
static hone_status make_schema(hone_book *b)
{
    int64_t app = 0;
    HONE_TRY(number(b, "PRAGMA application_id", &app));
    if (app == APPLICATION)
        return check_schema(b, 0);
    int mine;
    hone_status s = hone__book_enter(b, &mine);
    if (s < 0)
        return s;
    return hone__book_leave(b, mine, check_schema(b, 1));
}

static hone_status open_file(const char *path, int flags, hone_book **out)
{
    hone_book *b = hone_calloc(1, sizeof *b);
    pthread_mutexattr_t attr;
    if (!b)
        return HONE_E_NOMEM;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&b->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    b->path = hone_strdup(path);
    hone_status s = b->path ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0) {
        int rc = sqlite3_open_v2(path, &b->db, flags | SQLITE_OPEN_FULLMUTEX, NULL);
        s = rc == SQLITE_OK ? HONE_OK : hone__book_fail(b, rc & 0xff);
    }
    if (s >= 0) {
        sqlite3_busy_timeout(b->db, WAIT_MS);
        s = run_sql(b, "PRAGMA trusted_schema=OFF; PRAGMA foreign_keys=ON");
    }
    if (s >= 0 && (flags & SQLITE_OPEN_CREATE))
        s = make_schema(b);
    else if (s >= 0)
        s = check_schema(b, 0);
    /* Only now is it known to be ours, and may be changed. */
    if (s >= 0 && (flags & SQLITE_OPEN_CREATE))
        s = run_sql(b, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    if (s < 0) {
        const hone_error e = *hone_error_get();
        hone_book_close(b);
        return hone_error_set(&e);
    }
    *out = b;
    return HONE_OK;
}

hone_status hone_book_open(const char *path, hone_book **out)
{
    return open_file(hone_book_where(path), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, out);
}

hone_status hone_book_look(const char *path, hone_book **out)
{
    path = hone_book_where(path);
    if (!hone_file_exists(path)) {
        *out = NULL;
        return HONE_OK;
    }
    return open_file(path, SQLITE_OPEN_READWRITE, out); /* a log of a killed writer is read too */
}

void hone_book_close(hone_book *b)
{
    if (!b)
        return;
    sqlite3_close_v2(b->db);
    pthread_mutex_destroy(&b->lock);
    hone_free(b->path);
    hone_free(b);
}

const char *hone_book_path(const hone_book *b)
{
    return b->path;
}

sqlite3 *hone_book_db(hone_book *b)
{
    return b->db;
}

/* ---- rows by hash or id ------------------------------------------------------------------------------------- */

/* Runs `sql` with those texts and, as the last parameter, the present time. */
static hone_status put_texts(hone_book *b, const char *sql, const hone_str *texts, int n)
{
    char now[21];
    int mine;
    sqlite3_stmt *q = NULL;
    hone_book_now(now);
    HONE_TRY(hone__book_enter(b, &mine));
    hone_status s = hone__book_prepare(b, sql, &q);
    for (int i = 0; s >= 0 && i < n; i++)
        hone__book_bind_str(q, i + 1, texts[i]);
    if (s >= 0) {
        hone__book_bind_z(q, n + 1, now);
        s = hone__book_step(b, q);
    }
    sqlite3_finalize(q);
    return hone__book_leave(b, mine, s);
}

/* The first row's first n columns into out[]: 1, or 0 when there is no row. */
static hone_status get_texts(hone_book *b, const char *sql, const hone_str *given, int n_given,
                             hone_arena *arena, hone_str **out, int n)
{
    sqlite3_stmt *q = NULL;
    hone_str found[8];
    pthread_mutex_lock(&b->lock);
    hone_status s = hone__book_prepare(b, sql, &q);
    for (int i = 0; s >= 0 && i < n_given; i++)
        hone__book_bind_str(q, i + 1, given[i]);
    if (s >= 0)
        s = hone__book_step(b, q);
    for (int i = 0; s > 0 && i < n; i++)
        if (hone__book_take(q, i, arena, &found[i]) < 0)
            s = HONE_E_NOMEM;
    for (int i = 0; s > 0 && i < n; i++)
        if (out[i])
            *out[i] = found[i];
    sqlite3_finalize(q);
    pthread_mutex_unlock(&b->lock);
    return s;
}

hone_status hone_book_put_rubric(hone_book *b, const char *hash, hone_str id, hone_str version,
                                 hone_str json)
{
    const hone_str v[] = {hone_str_c(hash), id, version, json};
    return put_texts(b, "INSERT OR IGNORE INTO rubric_version VALUES (?1, ?2, ?3, ?4, ?5)", v, 4);
}

hone_status hone_book_put_spec(hone_book *b, const char *hash, hone_str json)
{
    const hone_str v[] = {hone_str_c(hash), json};
    return put_texts(b, "INSERT OR IGNORE INTO judge_spec VALUES (?1, ?2, ?3)", v, 2);
}

hone_status hone_book_get_rubric(hone_book *b, const char *hash, hone_arena *arena, hone_str *json)
{
    const hone_str v = hone_str_c(hash);
    return get_texts(b, "SELECT json FROM rubric_version WHERE hash = ?1", &v, 1, arena, &json, 1);
}

hone_status hone_book_get_spec(hone_book *b, const char *hash, hone_arena *arena, hone_str *json)
{
    const hone_str v = hone_str_c(hash);
    return get_texts(b, "SELECT json FROM judge_spec WHERE hash = ?1", &v, 1, arena, &json, 1);
}

hone_status hone_book_put_item(hone_book *b, hone_str id, hone_str prompt_id, hone_str json)
{
    char hash[65];
    hone_arena a;
    hone_str have, *out[] = {&have};
    int mine;
    if (!id.len)
        return hone_fail(HONE_E_INVALID, "an item needs an id");
    hone_sha256_of(json.ptr ? json.ptr : "", json.len, hash);
    hone_arena_init(&a, 1 << 16);
    hone_status s = hone__book_enter(b, &mine);
    if (s >= 0) {
        s = get_texts(b, "SELECT hash FROM item WHERE id = ?1", &id, 1, &a, out, 1);
        if (s > 0 && strcmp(have.ptr, hash) != 0) {
            s = hone_fail(HONE_E_EXISTS, "item \"%.*s\" is there already, with another text",
                          (int)(id.len < 80 ? id.len : 80), id.ptr);
            hone_fail_hint("labels belong to one text: give the new item an id of its own");
        } else if (s == 0) {
            const hone_str v[] = {id, prompt_id.ptr ? prompt_id : id, hone_str_c(hash),
                                  json.ptr ? json : (hone_str){"", 0}};
            s = put_texts(b, "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5)", v, 4);
        }
        s = hone__book_leave(b, mine, s < 0 ? s : HONE_OK);
    }
    hone_arena_release(&a);
    return s;
}

hone_status hone_book_get_item(hone_book *b, hone_str id, hone_arena *arena, hone_str *prompt_id,
                               hone_str *json)
{
    hone_str *out[] = {prompt_id, json};
    return get_texts(b, "SELECT prompt_id, json FROM item WHERE id = ?1", &id, 1, arena, out, 2);
}

hone_status hone_book_put_batch(hone_book *b, hone_str id, hone_str json)
{
    const hone_str v[] = {id, json};
    return put_texts(b, "INSERT OR REPLACE INTO batch VALUES (?1, ?2, ?3)", v, 2);
}

hone_status hone_book_put_expert(hone_book *b, hone_str id, hone_str json)
{
    const hone_str v[] = {id, json};
    return put_texts(b, "INSERT OR REPLACE INTO expert VALUES (?1, ?2, ?3)", v, 2);
}

/* ---- verdicts ------------------------------------------------------------------------------------------------- */

static hone_status put_call(hone_book *b, const hone_book_verdict *v, const char *now)
{
    sqlite3_stmt *q = NULL;
    hone_status s = hone__book_prepare(
        b, "INSERT INTO call VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &q);
    if (s >= 0) {
        hone__book_bind_z(q, 1, v->key);
        hone__book_bind_z(q, 2, v->spec);
        sqlite3_bind_int64(q, 3, v->status);
        hone__book_bind_str(q, 4, v->raw);
        sqlite3_bind_double(q, 5, v->cost); /* NaN is stored as NULL */
        sqlite3_bind_int64(q, 6, (sqlite3_int64)v->tokens_in);
        sqlite3_bind_int64(q, 7, (sqlite3_int64)v->tokens_out);
        sqlite3_bind_double(q, 8, v->latency_ms);
        hone__book_bind_z(q, 9, now);
        s = hone__book_step(b, q);
    }
    sqlite3_finalize(q);
    return s;
}

hone_status hone_book_put_verdict(hone_book *b, const hone_book_verdict *v)
{
    char now[21];
    int mine;
    sqlite3_stmt *q = NULL;
    hone_book_now(now);
    HONE_TRY(hone__book_enter(b, &mine));
    hone_status s = put_call(b, v, now);
    if (s >= 0)
        s = hone__book_prepare(
            b, "INSERT OR REPLACE INTO verdict VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &q);
    if (s >= 0) {
        hone__book_bind_z(q, 1, v->key);
        hone__book_bind_z(q, 2, v->spec);
        hone__book_bind_z(q, 3, v->input);
        hone__book_bind_str(q, 4, v->item.ptr ? v->item : (hone_str){"", 0});
        sqlite3_bind_int64(q, 5, v->repeat);
        hone__book_bind_str(q, 6, v->order.ptr ? v->order : (hone_str){"", 0});
        sqlite3_bind_int64(q, 7, v->status);
        hone__book_bind_str(q, 8, v->json);
        hone__book_bind_z(q, 9, now);
        s = hone__book_step(b, q);
    }
    sqlite3_finalize(q);
    return hone__book_leave(b, mine, s);
}

hone_status hone_book_get_verdict(hone_book *b, const char *key, hone_arena *arena, hone_str *json)
{
    const hone_str v = hone_str_c(key);
    return get_texts(b, "SELECT json FROM verdict WHERE key = ?1", &v, 1, arena, &json, 1);
}

/* ---- measurements ---------------------------------------------------------------------------------------------- */

static int is_calibration(const char *kind)
{
    return strcmp(kind, "calibration") == 0;
}

hone_status hone_book_put_run(hone_book *b, const char *kind, const char *spec, hone_str json,
                              int64_t *id)
{
    const hone_str v[] = {hone_str_c(kind), hone_str_c(spec), json};
    int mine;
    HONE_TRY(hone__book_enter(b, &mine));
    hone_status s = put_texts(b,
                              is_calibration(kind)
                                  ? "INSERT INTO calibration_run VALUES (NULL, ?1, ?2, ?3, ?4)"
                                  : "INSERT INTO probe_run VALUES (NULL, ?1, ?2, ?3, ?4)",
                              v, 3);
    const int64_t row = sqlite3_last_insert_rowid(b->db);
    HONE_TRY(hone__book_leave(b, mine, s));
    if (id)
        *id = row;
    return HONE_OK;
}

hone_status hone_book_last_run(hone_book *b, const char *kind, const char *spec, hone_arena *arena,
                               hone_str *json, hone_str *at)
{
    const hone_str v[] = {hone_str_c(kind), hone_str_c(spec)};
    hone_str *out[] = {json, at};
    return get_texts(b,
                     is_calibration(kind)
                         ? "SELECT json, at FROM calibration_run WHERE kind = ?1 AND (?2 IS NULL "
                           "OR spec = ?2) ORDER BY id DESC LIMIT 1"
                         : "SELECT json, at FROM probe_run WHERE kind = ?1 AND (?2 IS NULL OR "
                           "spec = ?2) ORDER BY id DESC LIMIT 1",
                     v, 2, arena, out, 2);
}

hone_status hone_book_count_test(hone_book *b, const char *data, int64_t *times)
{
    const hone_str v = hone_str_c(data);
    sqlite3_stmt *q = NULL;
    int mine;
    HONE_TRY(hone__book_enter(b, &mine));
    hone_status s = put_texts(b, "INSERT INTO test_reading VALUES (NULL, ?1, ?2)", &v, 1);
    int64_t n = 0;
    if (s >= 0)
        s = hone__book_prepare(b, "SELECT count(*) FROM test_reading WHERE data = ?1", &q);
    if (s >= 0) {
        hone__book_bind_z(q, 1, data);
        s = hone__book_step(b, q);
    }
    if (s > 0)
        n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    HONE_TRY(hone__book_leave(b, mine, s));
    *times = n;
    return HONE_OK;
}

/* ---- decisions ---------------------------------------------------------------------------------------------------- */

hone_status hone_book_put_gate(hone_book *b, const hone_gate_row *r, int64_t *id)
{
    const hone_str v[] = {r->key, r->policy,  r->spec, r->verdict,
                          r->at,  r->expires, r->json, r->seal};
    sqlite3_stmt *q = NULL;
    int mine;
    HONE_TRY(hone__book_enter(b, &mine));
    hone_status s = hone__book_prepare(
        b, "INSERT INTO gate_decision VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)", &q);
    for (int i = 0; s >= 0 && i < 8; i++)
        hone__book_bind_str(q, i + 1, v[i]);
    if (s >= 0)
        s = hone__book_step(b, q);
    const int64_t row = sqlite3_last_insert_rowid(b->db);
    sqlite3_finalize(q);
    HONE_TRY(hone__book_leave(b, mine, s));
    if (id)
        *id = row;
    return HONE_OK;
}

hone_status hone_book_get_gate(hone_book *b, const char *key, const char *policy, hone_arena *arena,
                               hone_gate_row *out)
{
    sqlite3_stmt *q = NULL;
    hone_gate_row r = {0};
    hone_str *const at[] = {&r.key,     &r.policy, &r.spec, &r.verdict, &r.at,
                            &r.expires, &r.json,   &r.seal, &r.voided};
    pthread_mutex_lock(&b->lock);
    hone_status s = hone__book_prepare(
        b,
        "SELECT id, key, policy, spec, verdict, at, expires, json, seal, voided FROM gate_decision "
        "WHERE key = ?1 AND (?2 IS NULL OR policy = ?2) ORDER BY id DESC LIMIT 1",
        &q);
    if (s >= 0) {
        hone__book_bind_z(q, 1, key);
        hone__book_bind_z(q, 2, policy);
        s = hone__book_step(b, q);
    }
    if (s > 0) {
        r.id = sqlite3_column_int64(q, 0);
        for (int i = 0; i < 9 && s > 0; i++)
            if (hone__book_take(q, i + 1, arena, at[i]) < 0)
                s = HONE_E_NOMEM;
    }
    sqlite3_finalize(q);
    pthread_mutex_unlock(&b->lock);
    if (s > 0)
        *out = r;
    return s;
}

hone_status hone_book_void_gate(hone_book *b, const char *key, const char *why)
{
    sqlite3_stmt *q = NULL;
    int mine;
    HONE_TRY(hone__book_enter(b, &mine));
    hone_status s = hone__book_prepare(
        b, "UPDATE gate_decision SET voided = ?2 WHERE key = ?1 AND voided IS NULL", &q);
    if (s >= 0) {
        hone__book_bind_z(q, 1, key);
        hone__book_bind_z(q, 2, why && why[0] ? why : "voided");
        s = hone__book_step(b, q);
    }
    const int n = sqlite3_changes(b->db);
    sqlite3_finalize(q);
    return hone__book_leave(b, mine, s < 0 ? s : n);
}
