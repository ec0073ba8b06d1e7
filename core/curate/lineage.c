/* lineage.c - see lineage.h.
 *
 * Written inside one transaction a checkpoint; a job that was killed finds what was committed and cuts it back to what its journal
 * says. The reader keeps one statement open, stepped along while rows are asked for in order, so a row costs a step and no search. */
#include "curate/lineage.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/map.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { APPLICATION = 0x686f6e6c }; /* "honl": PRAGMA application_id */

static const char *const schema[] = {
    "CREATE TABLE IF NOT EXISTS file(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS chain(id INTEGER PRIMARY KEY, steps TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS row(n INTEGER PRIMARY KEY, file INTEGER NOT NULL, line INTEGER NOT "
    "NULL, "
    "hash BLOB NOT NULL, chain INTEGER NOT NULL, own INTEGER NOT NULL)",
    "CREATE VIEW IF NOT EXISTS kept AS SELECT n, path, line, lower(hex(hash)) AS hash, steps FROM "
    "row "
    "JOIN file ON file.id = row.file JOIN chain ON chain.id = row.chain",
};

struct hone_lineage {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *put;
    uint64_t rows;
    hone_map files, chains; /* text -> id */
};

struct hone_lineage_reader {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *q;
    uint64_t next; /* the row that a step would give; 0: none was asked for */
};

static hone_status db_fail(const char *path, sqlite3 *db, int rc)
{
    rc &= 0xff;
    hone_status s = rc == SQLITE_NOMEM                            ? HONE_E_NOMEM
                    : rc == SQLITE_FULL                           ? HONE_E_NO_SPACE
                    : rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT ? HONE_E_PARSE
                                                                  : HONE_E_IO;
    return hone_fail(s, "%s: %s", path, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

static hone_status run(hone_lineage *l, const char *sql)
{
    int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? HONE_OK : db_fail(l->path, l->db, rc);
}

uint64_t hone_lineage_own(hone_str row)
{
    return hone_xxh64(row.ptr, row.len, 0);
}

char *hone_lineage_name(const char *data)
{
    static const char end[] = ".lineage";
    size_t n = strlen(data);
    char *z = hone_alloc(n + sizeof end);
    if (z) {
        memcpy(z, data, n);
        memcpy(z + n, end, sizeof end);
    }
    return z;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static hone_status read_names(hone_lineage *l, const char *sql, hone_map *m)
{
    sqlite3_stmt *q;
    int rc = sqlite3_prepare_v2(l->db, sql, -1, &q, NULL);
    hone_status s = HONE_OK;
    while (rc == SQLITE_OK && s >= 0 && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        s = hone_map_put(m, sqlite3_column_text(q, 1), (size_t)sqlite3_column_bytes(q, 1),
                         (void *)(uintptr_t)sqlite3_column_int64(q, 0), NULL);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        s = db_fail(l->path, l->db, rc);
    sqlite3_finalize(q);
    return s;
}

static hone_status cut(hone_lineage *l, uint64_t rows)
{
    char sql[80];
    sqlite3_stmt *q;
    snprintf(sql, sizeof sql, "DELETE FROM row WHERE n > %llu", (unsigned long long)rows);
    HONE_TRY(run(l, sql));
    int rc = sqlite3_prepare_v2(l->db, "SELECT count(*) FROM row", -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    const uint64_t there = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    if (rc != SQLITE_ROW)
        return db_fail(l->path, l->db, rc);
    if (there != rows)
        return hone_fail(HONE_E_STATE, "%s: it has %llu rows where %llu were written", l->path,
                         (unsigned long long)there, (unsigned long long)rows);
    l->rows = rows;
    return HONE_OK;
}

hone_status hone_lineage_open(const char *path, uint64_t rows, hone_lineage **out)
{
    hone_lineage *l = hone_calloc(1, sizeof *l);
    if (!l)
        return HONE_E_NOMEM;
    hone_map_init(&l->files);
    hone_map_init(&l->chains);
    l->path = hone_strdup(path);
    hone_status s = l->path ? HONE_OK : HONE_E_NOMEM;
    int rc = SQLITE_OK;
    if (s >= 0)
        rc = sqlite3_open_v2(
            path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        s = db_fail(path, l->db, rc);
    if (s >= 0)
        s = run(l, "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL; "
                   "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -8192");
    for (size_t i = 0; s >= 0 && i < sizeof schema / sizeof *schema; i++)
        s = run(l, schema[i]);
    if (s >= 0) {
        char sql[60];
        snprintf(sql, sizeof sql, "PRAGMA application_id = %d", APPLICATION);
        s = run(l, sql);
    }
    if (s >= 0)
        s = cut(l, rows);
    if (s >= 0)
        s = read_names(l, "SELECT id, path FROM file", &l->files);
    if (s >= 0)
        s = read_names(l, "SELECT id, steps FROM chain", &l->chains);
    if (s >= 0)
        s = run(l, "BEGIN");
    if (s >= 0) {
        rc = sqlite3_prepare_v2(l->db, "INSERT INTO row VALUES(?,?,?,?,?,?)", -1, &l->put, NULL);
        s = rc == SQLITE_OK ? HONE_OK : db_fail(path, l->db, rc);
    }
    if (s < 0) {
        hone_lineage_close(l);
        return s;
    }
    *out = l;
    return HONE_OK;
}

void hone_lineage_close(hone_lineage *l)
{
    if (!l)
        return;
    sqlite3_finalize(l->put);
    sqlite3_close(l->db);
    hone_map_release(&l->files);
    hone_map_release(&l->chains);
    hone_free(l->path);
    hone_free(l);
}

static hone_status id_of(hone_lineage *l, hone_map *m, const char *sql, hone_str text, uint32_t *id)
{
    void *known = hone_map_get(m, text.ptr, text.len);
    if (known) {
        *id = (uint32_t)(uintptr_t)known;
        return HONE_OK;
    }
    sqlite3_stmt *q;
    const size_t next = m->n + 1;
    int rc = sqlite3_prepare_v2(l->db, sql, -1, &q, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(q, 1, (sqlite3_int64)next);
        sqlite3_bind_text64(q, 2, text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
        rc = sqlite3_step(q);
    }
    sqlite3_finalize(q);
    if (rc != SQLITE_DONE)
        return db_fail(l->path, l->db, rc);
    HONE_TRY(hone_map_put(m, text.ptr, text.len, (void *)(uintptr_t)next, NULL));
    *id = (uint32_t)next;
    return HONE_OK;
}

hone_status hone_lineage_file(hone_lineage *l, hone_str path, uint32_t *id)
{
    return id_of(l, &l->files, "INSERT INTO file VALUES(?,?)", path, id);
}

hone_status hone_lineage_chain(hone_lineage *l, hone_str steps, uint32_t *id)
{
    return id_of(l, &l->chains, "INSERT INTO chain VALUES(?,?)", steps, id);
}

static void put_hash(hone_hash128 h, unsigned char out[16])
{
    for (int i = 0; i < 8; i++) {
        out[i] = (unsigned char)(h.high >> (56 - 8 * i));
        out[8 + i] = (unsigned char)(h.low >> (56 - 8 * i));
    }
}

hone_status hone_lineage_put(hone_lineage *l, const hone_origin *o)
{
    unsigned char hash[16];
    put_hash(o->hash, hash);
    sqlite3_bind_int64(l->put, 1, (sqlite3_int64)(l->rows + 1));
    sqlite3_bind_int64(l->put, 2, o->file);
    sqlite3_bind_int64(l->put, 3, (sqlite3_int64)o->line);
    sqlite3_bind_blob(l->put, 4, hash, sizeof hash, SQLITE_STATIC);
    sqlite3_bind_int64(l->put, 5, o->chain);
    sqlite3_bind_int64(l->put, 6, (sqlite3_int64)o->own);
    int rc = sqlite3_step(l->put);
    sqlite3_reset(l->put);
    if (rc != SQLITE_DONE)
        return db_fail(l->path, l->db, rc);
    l->rows++;
    return HONE_OK;
}

hone_status hone_lineage_commit(hone_lineage *l)
{
    return run(l, "COMMIT; BEGIN");
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

hone_status hone_lineage_look(const char *data, hone_lineage_reader **out)
{
    *out = NULL;
    char *path = hone_lineage_name(data);
    if (!path)
        return HONE_E_NOMEM;
    if (!hone_file_exists(path)) {
        hone_free(path);
        return HONE_OK;
    }
    hone_lineage_reader *r = hone_calloc(1, sizeof *r);
    if (!r) {
        hone_free(path);
        return HONE_E_NOMEM;
    }
    r->path = path;
    int rc = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(
            r->db,
            "SELECT n, line, hash, path, steps, own FROM row JOIN file ON file.id = "
            "row.file JOIN chain ON chain.id = row.chain WHERE n >= ? ORDER BY n",
            -1, &r->q, NULL);
    if (rc != SQLITE_OK) {
        hone_status s = db_fail(path, r->db, rc);
        hone_lineage_reader_close(r);
        return s;
    }
    *out = r;
    return HONE_OK;
}

void hone_lineage_reader_close(hone_lineage_reader *r)
{
    if (!r)
        return;
    sqlite3_finalize(r->q);
    sqlite3_close(r->db);
    hone_free(r->path);
    hone_free(r);
}

static hone_str text_at(sqlite3_stmt *q, int column)
{
    const char *p = (const char *)sqlite3_column_text(q, column);
    return (hone_str){p ? p : "", p ? (size_t)sqlite3_column_bytes(q, column) : 0};
}

hone_status hone_lineage_read(hone_lineage_reader *r, uint64_t n, hone_origin *o, hone_str *path,
                              hone_str *steps)
{
    if (r->next == 0 || n < r->next || n - r->next > 1000) {
        sqlite3_reset(r->q);
        sqlite3_bind_int64(r->q, 1, (sqlite3_int64)n);
        r->next = n;
    }
    int rc = SQLITE_ROW;
    while (rc == SQLITE_ROW && r->next <= n) { /* rows that were dropped in between */
        rc = sqlite3_step(r->q);
        r->next++;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return db_fail(r->path, r->db, rc);
    const int known = rc == SQLITE_ROW && (uint64_t)sqlite3_column_int64(r->q, 0) == n;
    if (!known || (uint64_t)sqlite3_column_int64(r->q, 5) != o->own) {
        r->next = 0;
        hone_fail(HONE_E_STATE, known ? "%s: row %llu is another one" : "%s: it knows no row %llu",
                  r->path, (unsigned long long)n);
        return hone_fail_hint("the data file was changed after hone wrote it: remove the file that "
                              "tells of its rows, or make both again");
    }
    const unsigned char *hash = sqlite3_column_blob(r->q, 2);
    if (sqlite3_column_bytes(r->q, 2) != 16)
        return hone_fail(HONE_E_PARSE, "%s: a hash is damaged", r->path);
    o->hash = (hone_hash128){0, 0};
    for (int i = 0; i < 8; i++) {
        o->hash.high = o->hash.high << 8 | hash[i];
        o->hash.low = o->hash.low << 8 | hash[8 + i];
    }
    o->line = (uint64_t)sqlite3_column_int64(r->q, 1);
    *path = text_at(r->q, 3);
    *steps = text_at(r->q, 4);
    return HONE_OK;
}
