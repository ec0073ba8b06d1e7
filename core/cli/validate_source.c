/* validate_source.c - sources: rows read twice, from the middle, by the schema, of cut files (validate.h).
 *
 * Without --set path=... a source gets files made here, one format after the other, until it reads one. Rows are read
 * as a run reads them (train/source.h), which checks every offset of a batch; the schema is looked at directly. */
#include "cli/validate.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "hone/source.h"
#include "train/source.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 40, MOST = 4000, FORMATS = 7 };
static const char *const formats[FORMATS] = {"jsonl", "json", "csv", "tsv", "txt", "dir", "hf"};

/* The file of a format, made when it is not there yet. The path is the arena's. */
static const char *made(hone__v *v, const char *format)
{
    hone_buf b;
    char path[600], leaf[700];
    int folder = strcmp(format, "dir") == 0 || strcmp(format, "hf") == 0;
    snprintf(path, sizeof path, "%s/%s%s", v->work_dir, folder ? "folder." : "rows.", format);
    snprintf(leaf, sizeof leaf, "%s%s", path,
             !folder                      ? ""
             : strcmp(format, "dir") == 0 ? "/one.txt"
                                          : "/train.jsonl");
    if (!hone_file_exists(leaf)) {
        hone_buf_init(&b, 1 << 20);
        int json = strcmp(format, "json") == 0,
            lines = json || strcmp(format, "jsonl") == 0 || strcmp(format, "hf") == 0;
        const char *comma = strcmp(format, "tsv") == 0 ? "\t" : ",";
        if (json)
            hone_buf_addc(&b, '[');
        if (!lines && !folder && strcmp(format, "txt") != 0)
            hone_buf_addf(&b, "prompt%sanswer%snumber\n", comma, comma);
        for (int i = 0; i < ROWS; i++)
            if (lines)
                hone_buf_addf(
                    &b,
                    "%s{\"prompt\": \"%d + 2 = \\u00e9\", \"answer\": \"%d\", \"number\": %d}\n",
                    json && i ? "," : "", i, i + 2, i);
            else if (folder || strcmp(format, "txt") == 0)
                hone_buf_addf(&b, "line %d of a text\n", i);
            else
                hone_buf_addf(&b, "%d + 2%s%d%s%d\n", i, comma, i + 2, comma, i);
        if (json)
            hone_buf_addc(&b, ']');
        if (folder)
            hone_mkdirs(path);
        if (b.failed >= 0)
            hone_file_replace(leaf, b.ptr, b.len);
        hone_buf_release(&b);
    }
    return hone_arena_strndup(&v->arena, path, strlen(path));
}

static hone_status settings(hone__v *v, int attempt, hone_pair *pairs, size_t *n)
{
    int has = 0, first = 0;
    for (size_t i = 0; v->info->c.fields && v->info->c.fields[i]; i++)
        has |= strcmp(v->info->c.fields[i]->name, "path") == 0;
    if (!has || *n)
        return 0;
    for (int i = 0; i < FORMATS; i++)
        if (strcmp(v->info->short_name, formats[i]) == 0)
            first = i;
    if (attempt == FORMATS) {
        hone__v_skip(v, "it reads none of the files made for it: give it one with --set path=...");
        return 0;
    }
    const char *path = made(v, formats[(first + attempt) % FORMATS]);
    if (!path)
        return HONE_E_NOMEM;
    pairs[*n].key = hone_str_c("path");
    pairs[*n].value = (hone_value){.type = HONE_STRING, .u.str = hone_str_c(path)};
    ++*n;
    return 1;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

/* Hashes of the next rows, at most `most`. */
static hone_status drain(hone_data *d, uint64_t *hashes, size_t most, size_t *n)
{
    hone_arena a;
    hone_status s = 1;
    hone_buf b;
    hone_arena_init(&a, 0);
    hone_buf_init(&b, 1 << 28);
    for (*n = 0; *n < most; ++*n) {
        hone_value row;
        hone_jw w;
        hone__v_inside++;
        s = hone_data_next(d, &a, &row);
        hone__v_inside--;
        if (s <= 0)
            break;
        hone_buf_clear(&b);
        hone_jw_init(&w, &b, 0);
        hone_jw_value(&w, &row);
        hashes[*n] = hone_xxh64(b.ptr, b.len, 1) | 1;
        hone_arena_clear(&a);
    }
    hone_buf_release(&b);
    hone_arena_release(&a);
    return s < 0 ? s : HONE_OK;
}

static hone_status open_rows(hone__v *v, hone__vinst *i, hone_data **d)
{
    hone__v_stage(v, "open");
    hone__v_inside++;
    hone_status s = hone_data_open_instance(i->inst, d);
    if (s >= 0)
        s = hone_data_rewind(*d, 0);
    hone__v_inside--;
    return s;
}

static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    const hone_source_v1 *vt = i->vt;
    hone_data *d = NULL;
    size_t n = 0;
    w->whole = 0;
    if (!HONE_HAS(vt, hone_source_v1, open) || !HONE_HAS(vt, hone_source_v1, position) ||
        !HONE_HAS(vt, hone_source_v1, seek) || !HONE_HAS(vt, hone_source_v1, row_count)) {
        hone__v_fail(v, "its table lacks open, position, seek or row_count");
        return hone_fail(HONE_E_ABI, "an empty table");
    }
    uint64_t *hashes = hone_calloc(MOST, sizeof *hashes);
    hone_status s = hashes ? open_rows(v, i, &d) : HONE_E_NOMEM;
    hone__v_stage(v, "reading rows");
    if (s >= 0)
        s = drain(d, hashes, MOST, &n);
    for (size_t k = 0; s >= 0 && k < w->n; k++) {
        uint64_t h = n ? hashes[(w->index ? w->index[k] : k) % n] : 1;
        if (w->digest)
            w->digest[k] = h;
    }
    w->whole = hone_xxh64(hashes, n * sizeof *hashes, 1);
    hone__v_inside++;
    hone_data_close(d);
    hone__v_inside--;
    hone_free(hashes);
    return s;
}

/* ---- tests of sources ----------------------------------------------------------------------------- */

static void t_rows(hone__v *v)
{
    hone_data *d = NULL;
    size_t n = 0;
    uint64_t *hashes = hone_calloc(MOST, sizeof *hashes);
    hone__vinst *i = hashes ? hone__v_need(v) : NULL;
    hone_status s = i ? open_rows(v, i, &d) : HONE_OK;
    if (i && s >= 0)
        s = drain(d, hashes, MOST, &n);
    if (s < 0)
        hone__v_fail(v, "%s", hone__v_error());
    else if (i && !n)
        hone__v_fail(v, "gives no row");
    if (d && !hone__v_failed(v)) {
        const int64_t told = hone_data_count(d);
        if (told >= 0 && n < MOST && told != (int64_t)n)
            hone__v_fail(v, "row_count says %lld, and there are %zu", (long long)told, n);
    }
    hone_data_close(d);
    hone__v_destroy(v, i);
    hone_free(hashes);
}

/* The rows behind `at`, read by a second instance from the position of the first. */
static void from(hone__v *v, size_t at, const uint64_t *straight, size_t all, uint64_t *rest)
{
    hone_data *a = NULL, *b = NULL;
    hone_buf text;
    hone_jw w;
    hone_value state;
    hone_arena arena;
    size_t n = 0;
    hone_arena_init(&arena, 0);
    hone_buf_init(&text, 1 << 24);
    hone__vinst *i = hone__v_need(v), *k = i ? hone__v_need(v) : NULL;
    hone_status s = k ? open_rows(v, i, &a) : HONE_OK;
    if (k && s >= 0)
        s = drain(a, rest, at, &n);
    if (k && s >= 0) {
        hone__v_stage(v, "position after %zu rows", at);
        hone_jw_init(&w, &text, 0);
        s = hone_data_save(a, &w);
    }
    if (k && s >= 0)
        s = hone_json_parse(text.ptr, text.len, "the position", &arena, &state);
    if (k && s >= 0)
        s = open_rows(v, k, &b);
    if (k && s >= 0) {
        hone__v_stage(v, "seek to row %zu", at);
        s = hone_data_restore(b, &state);
    }
    if (k && s >= 0)
        s = drain(b, rest, MOST, &n);
    if (s < 0)
        hone__v_fail(v, "after %zu rows: %s", at, hone__v_error());
    else if (k && (n != all - at || memcmp(rest, straight + at, n * sizeof *rest) != 0))
        hone__v_fail(v,
                     "read from the position after %zu rows: %zu rows come, of %zu, or others than "
                     "straight",
                     at, n, all - at);
    hone_data_close(a);
    hone_data_close(b);
    hone__v_destroy(v, k);
    hone__v_destroy(v, i);
    hone_buf_release(&text);
    hone_arena_release(&arena);
}

static void t_seek(hone__v *v)
{
    hone_data *d = NULL;
    size_t all = 0;
    uint64_t *straight = hone_calloc(2 * MOST, sizeof *straight);
    hone__vinst *i = straight ? hone__v_need(v) : NULL;
    if (i && (open_rows(v, i, &d) < 0 || drain(d, straight, MOST, &all) < 0))
        hone__v_fail(v, "%s", hone__v_error());
    hone_data_close(d);
    hone__v_destroy(v, i);
    const size_t at[] = {0, 1, 2, all / 2, all ? all - 1 : 0, all};
    for (size_t k = 0; i && k < 6 && all < MOST && !hone__v_failed(v); k++)
        if (at[k] <= all)
            from(v, at[k], straight, all, straight + MOST);
    hone_free(straight);
}

static void t_bad_position(hone__v *v)
{
    char noise[64];
    hone__vinst *i = hone__v_need(v);
    const hone_rng_key key = {v->seed, HONE_RNG_USER, 0, 0, 0};
    for (size_t k = 0; k < sizeof noise; k++)
        noise[k] = (char)hone_rng_below(&key, k, 256);
    static const size_t sizes[] = {1, 7, 64};
    for (size_t k = 0; i && k < 3 && !hone__v_failed(v); k++) {
        hone__v_enter(v, i, "seek to bytes by chance");
        hone_status s = ((const hone_source_v1 *)i->vt)->seek(i->self, noise, sizes[k]);
        if (hone__v_leave(v, i, "seek", s) >= 0)
            hone__v_fail(v, "takes %zu bytes by chance for a position", sizes[k]);
    }
    hone__v_destroy(v, i);
}

static void check_batch(hone__v *v, const struct ArrowSchema *s, struct ArrowArray *a)
{
    if (a->n_children != s->n_children || !a->children)
        return hone__v_fail(v, "a batch has %lld columns, the schema %lld",
                            (long long)a->n_children, (long long)s->n_children);
    for (int64_t c = 0; c < a->n_children; c++) {
        const struct ArrowArray *one = a->children[c];
        if (!one || one->length < a->length)
            hone__v_fail(v, "column %s of a batch is shorter than the batch", s->children[c]->name);
        else if (one->null_count < -1 || one->offset < 0 || one->n_buffers < 1)
            hone__v_fail(v, "column %s of a batch makes no sense", s->children[c]->name);
        else if (one->null_count > 0 && !(s->children[c]->flags & ARROW_FLAG_NULLABLE))
            hone__v_fail(v, "column %s has nulls, and its schema says it has none",
                         s->children[c]->name);
    }
}

static void t_schema(hone__v *v)
{
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray a;
    memset(&stream, 0, sizeof stream);
    memset(&schema, 0, sizeof schema);
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    const hone_source_v1 *vt = i->vt;
    hone__v_enter(v, i, "open");
    hone_status s = hone__v_leave(v, i, "open", vt->open(i->self, &stream));
    if (s < 0 || !stream.release || !stream.get_schema || !stream.get_next ||
        !stream.get_last_error) {
        hone__v_fail(v, "open gives no whole stream: %s",
                     s < 0 ? hone__v_error() : "a function is NULL");
        return hone__v_destroy(v, i);
    }
    hone__v_stage(v, "get_schema");
    if (stream.get_schema(&stream, &schema) != 0 || !schema.release)
        hone__v_fail(v, "get_schema fails: %s", stream.get_last_error(&stream));
    else if (!schema.format || strcmp(schema.format, "+s") != 0)
        hone__v_fail(v, "the schema is \"%s\": a stream of rows is a struct, \"+s\"",
                     schema.format ? schema.format : "(null)");
    int ends = 0;
    for (int k = 0; k < 1000 && ends < 2 && !hone__v_failed(v); k++) {
        memset(&a, 0, sizeof a);
        hone__v_stage(v, "get_next");
        if (stream.get_next(&stream, &a) != 0) {
            hone__v_fail(v, "get_next fails: %s", stream.get_last_error(&stream));
        } else if (!a.release) {
            ends++; /* and the end stays the end */
        } else {
            if (ends)
                hone__v_fail(v, "get_next gives a batch after the end");
            check_batch(v, &schema, &a);
            a.release(&a);
            if (a.release)
                hone__v_fail(v, "release of a batch does not mark it released");
        }
    }
    hone__v_stage(v, "release");
    if (schema.release)
        schema.release(&schema);
    stream.release(&stream);
    if (stream.release)
        hone__v_fail(v, "release of the stream does not mark it released");
    hone__v_destroy(v, i);
}

/* Another file in the place of the one it reads: refused or read, never a crash. */
static void other_file(hone__v *v, const char *path, const char *p, size_t n, const char *what)
{
    char place[700];
    const char *dot = strrchr(path, '.');
    hone_pair pair = {hone_str_c("path"), {.type = HONE_STRING}};
    hone_value s = {.type = HONE_MAP, .u.map = {&pair, 1}};
    hone__vwork w = {.seed = v->seed, .n = 1};
    snprintf(place, sizeof place, "%s/other%s", v->work_dir, dot ? dot : "");
    if (p && hone_file_replace(place, p, n) < 0)
        return;
    if (!p)
        unlink(place);
    pair.value.u.str = hone_str_c(place);
    hone__v_with(v, "%s", what);
    hone__vinst *i = hone__v_create(v, &s);
    hone_status got = i ? work(v, i, &w) : -1;
    if (!p && got >= 0)
        hone__v_fail(v, "reads a file that is not there");
    hone__v_destroy(v, i);
}

static void t_truncated(hone__v *v)
{
    hone_buf b;
    char noise[512];
    const hone_rng_key key = {v->seed, HONE_RNG_USER, 0, 0, 0};
    if (!hone__v_open(v))
        return;
    const hone_value *x = hone_value_get(&v->settings, "path");
    char *path = x ? hone_strndup(x->u.str.ptr, x->u.str.len) : NULL;
    if (!path || v->n_set || hone_file_is_dir(path)) {
        hone_free(path);
        return hone__v_skip(v, "it reads no file that was made here");
    }
    hone_buf_init(&b, 1 << 20);
    if (hone_file_read(path, 1 << 20, &b) >= 0) {
        other_file(v, path, b.ptr, 0, "an empty file");
        for (size_t k = 1; k < 8; k++)
            other_file(v, path, b.ptr, b.len * k / 8, "a file that is cut");
        other_file(v, path, b.ptr, b.len - 1, "a file without its last byte");
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (char)hone_rng_below(&key, k, 256);
        other_file(v, path, noise, sizeof noise, "bytes by chance");
        other_file(v, path, NULL, 0, "no file");
    }
    hone_buf_release(&b);
    hone_free(path);
}

static const hone__vtest tests[] = {
    {"source.rows", t_rows, 0, "rows come, as many as it says"},
    {"source.seek", t_seek, 0, "rows from a position equal those read straight"},
    {"source.bad_position", t_bad_position, 0, "bytes by chance are no position"},
    {"source.schema", t_schema, 0, "batches are what the schema says; the end stays the end"},
    {"source.truncated", t_truncated, 0, "cut, empty, random and missing files"},
    {0}};
const hone__vkind hone__v_source = {HONE_KIND_SOURCE, HONE_IFACE_SOURCE, settings, work, tests, 0};
