/* cache.c - the table of cache.h in SQLite.
 *
 * One connection under a mutex, write-ahead log, synchronous off: what a crash loses is computed again. Numbers
 * are stored in the machine's order (the file is this machine's). What is read is checked: an outcome that is
 * none, or a score that is not finite, counts as not there. */
#include "score/cache.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"

#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#define MAX_ROWS 1000000
#define WAIT_MS 2000 /* for another process that writes */

struct hone_score_cache {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *get, *put;
    int failed; /* said so: nothing is read or written any more */
};

/* Under the lock. */
static void give_up(hone_score_cache *c)
{
    if (!c->failed)
        hone_log(HONE_LOG_WARN, "cache", "outcomes are remembered no longer: %s",
                 sqlite3_errmsg(c->db));
    c->failed = 1;
}

static hone_status prepare(hone_score_cache *c, uint64_t max_rows)
{
    static const char schema[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;"
        "CREATE TABLE IF NOT EXISTS outcome (n INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
        " status INTEGER NOT NULL, score REAL, notes TEXT, reason TEXT, tokens BLOB);";
    sqlite3_stmt *prune = NULL;
    int ok = sqlite3_exec(c->db, schema, NULL, NULL, NULL) == SQLITE_OK &&
             sqlite3_prepare_v2(c->db,
                                "DELETE FROM outcome WHERE (SELECT count(*) FROM outcome) > ?1 AND "
                                "n <= (SELECT max(n) FROM outcome) - ?1 / 2",
                                -1, &prune, NULL) == SQLITE_OK &&
             sqlite3_bind_int64(prune, 1, (sqlite3_int64)max_rows) == SQLITE_OK &&
             sqlite3_step(prune) == SQLITE_DONE &&
             sqlite3_prepare_v2(
                 c->db, "SELECT status, score, notes, reason, tokens FROM outcome WHERE key = ?1",
                 -1, &c->get, NULL) == SQLITE_OK &&
             sqlite3_prepare_v2(c->db,
                                "INSERT OR IGNORE INTO outcome (key, status, score, notes, reason, "
                                "tokens) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                                -1, &c->put, NULL) == SQLITE_OK;
    sqlite3_finalize(prune);
    return ok ? HONE_OK : HONE_E_IO;
}

hone_status hone_score_cache_open(const char *path, uint64_t max_rows, hone_score_cache **out)
{
    hone_score_cache *c = hone_calloc(1, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    pthread_mutex_init(&c->lock, NULL);
    int rc = sqlite3_open_v2(
        path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    hone_status s = rc == SQLITE_OK ? HONE_OK : HONE_E_IO;
    if (s >= 0) {
        sqlite3_busy_timeout(c->db, WAIT_MS);
        s = prepare(c, max_rows ? max_rows : MAX_ROWS);
    }
    if (s < 0) {
        hone_fail(HONE_E_IO, "%s: %s", path, c->db ? sqlite3_errmsg(c->db) : "out of memory");
        hone_fail_hint("it only remembers outcomes of rewards: delete it, and it is made anew");
        hone_score_cache_close(c);
        return s;
    }
    *out = c;
    return HONE_OK;
}

void hone_score_cache_close(hone_score_cache *c)
{
    if (!c)
        return;
    sqlite3_finalize(c->get);
    sqlite3_finalize(c->put);
    sqlite3_close(c->db);
    pthread_mutex_destroy(&c->lock);
    hone_free(c);
}

/* ---- keys ------------------------------------------------------------------------------------------ */

/* Length first, so that no two lists of texts give the same bytes. */
static void mix(hone_sha256 *h, const void *p, size_t n)
{
    uint64_t len = n;
    hone_sha256_add(h, &len, sizeof len);
    if (n)
        hone_sha256_add(h, p, n);
}

void hone_score_cache_spec(const char *component_id, const char *sha256, hone_str config,
                           char out[65])
{
    hone_sha256 h;
    hone_sha256_init(&h);
    mix(&h, "hone-outcome-1", 14);
    mix(&h, component_id, strlen(component_id));
    mix(&h, sha256, strlen(sha256));
    mix(&h, config.ptr, config.len);
    hone_sha256_hex(&h, out);
}

static int wanted(const char *const *wants, const char *name)
{
    if (!wants)
        return 1;
    for (; *wants; wants++)
        if (strcmp(*wants, name) == 0)
            return 1;
    return 0;
}

hone_status hone_score_cache_key(const char *spec, const char *const *wants, const hone_sample *s,
                                 unsigned char key[HONE_SCORE_KEY])
{
    hone_sha256 h;
    hone_status st = HONE_OK;
    hone_sha256_init(&h);
    mix(&h, spec, strlen(spec));
    if (wanted(wants, "prompt"))
        mix(&h, s->prompt.ptr, s->prompt.len);
    if (wanted(wants, "completion"))
        mix(&h, s->completion.ptr, s->completion.len);
    if (wanted(wants, "messages")) {
        for (size_t i = 0; i < s->n_messages; i++) {
            mix(&h, s->messages[i].role.ptr, s->messages[i].role.len);
            mix(&h, s->messages[i].content.ptr, s->messages[i].content.len);
        }
        mix(&h, "messages", 8);
    }
    if (wanted(wants, "tokens"))
        mix(&h, s->tokens, s->n_tokens * sizeof *s->tokens);
    if (wanted(wants, "logprobs"))
        mix(&h, s->logprobs, s->logprobs ? s->n_tokens * sizeof *s->logprobs : 0);
    if (wanted(wants, "finish"))
        mix(&h, &s->finish, sizeof s->finish);
    if (wanted(wants, "turn"))
        mix(&h, &s->turn, sizeof s->turn);
    if (wanted(wants, "columns")) {
        hone_buf b;
        hone_buf_init(&b, (size_t)1 << 30);
        for (size_t i = 0; i < s->n_columns; i++) {
            hone_jw w;
            hone_buf_clear(&b);
            hone_jw_init(&w, &b, 0);
            hone_jw_value(&w, &s->columns[i].value);
            if (b.failed < 0)
                st = b.failed;
            mix(&h, s->columns[i].name.ptr, s->columns[i].name.len);
            mix(&h, b.ptr, b.len);
        }
        hone_buf_release(&b);
    }
    if (st >= 0)
        hone_sha256_bytes(&h, key);
    return st;
}

/* ---- outcomes -------------------------------------------------------------------------------------- */

static hone_str text_of(sqlite3_stmt *q, int column, hone_arena *arena)
{
    const char *p = (const char *)sqlite3_column_text(q, column);
    return hone_arena_str(arena,
                          (hone_str){p ? p : "", p ? (size_t)sqlite3_column_bytes(q, column) : 0});
}

int hone_score_cache_get(hone_score_cache *c, const unsigned char key[HONE_SCORE_KEY],
                         hone_arena *arena, hone_score_result *out)
{
    int found = 0;
    pthread_mutex_lock(&c->lock);
    if (!c->failed) {
        sqlite3_bind_blob(c->get, 1, key, HONE_SCORE_KEY, SQLITE_STATIC);
        int rc = sqlite3_step(c->get);
        if (rc == SQLITE_ROW) {
            hone_score_result r = {.status = (uint32_t)sqlite3_column_int(c->get, 0),
                                   .score = (float)sqlite3_column_double(c->get, 1)};
            const void *tokens = sqlite3_column_blob(c->get, 4);
            size_t n = (size_t)sqlite3_column_bytes(c->get, 4) / sizeof(float);
            r.notes = text_of(c->get, 2, arena);
            r.reason = text_of(c->get, 3, arena);
            if (n) {
                float *t = hone_arena_alloc(arena, n * sizeof *t);
                if (t)
                    memcpy(t, tokens, n * sizeof *t);
                r.token_scores = t;
                r.n_token_scores = t ? n : 0;
                if (!t)
                    r.status = HONE_PENDING;
            }
            found = r.status == HONE_ABSTAIN || (r.status == HONE_SCORE && isfinite(r.score));
            if (found)
                *out = r;
        } else if (rc != SQLITE_DONE) {
            give_up(c);
        }
        sqlite3_reset(c->get);
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

void hone_score_cache_put(hone_score_cache *c, const unsigned char key[HONE_SCORE_KEY],
                          const hone_score_result *r)
{
    if (r->status != HONE_SCORE && r->status != HONE_ABSTAIN)
        return;
    if (r->notes.len > INT32_MAX || r->reason.len > INT32_MAX ||
        r->n_token_scores > INT32_MAX / sizeof(float))
        return;
    pthread_mutex_lock(&c->lock);
    if (!c->failed) {
        sqlite3_bind_blob(c->put, 1, key, HONE_SCORE_KEY, SQLITE_STATIC);
        sqlite3_bind_int(c->put, 2, (int)r->status);
        sqlite3_bind_double(c->put, 3, (double)r->score);
        sqlite3_bind_text(c->put, 4, r->notes.ptr, (int)r->notes.len, SQLITE_STATIC);
        sqlite3_bind_text(c->put, 5, r->reason.ptr, (int)r->reason.len, SQLITE_STATIC);
        sqlite3_bind_blob(c->put, 6, r->token_scores, (int)(r->n_token_scores * sizeof(float)),
                          SQLITE_STATIC);
        if (sqlite3_step(c->put) != SQLITE_DONE)
            give_up(c);
        sqlite3_reset(c->put);
        sqlite3_clear_bindings(c->put);
    }
    pthread_mutex_unlock(&c->lock);
}
