/* sources.c - the components: settings in, files found, their rows as one stream.
 *
 * An instance holds a list of files (one, for most) and reads them one after the other. Position: which file, the list's
 * fingerprint, rows left out in the files before it, and the file's own position; 88 bytes. */
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { POSITION = 24 + ROWS_POSITION };

typedef struct source {
    memory mem;
    const hone_host *host;
    options opt;
    parts files;
    text strings; /* the settings' texts; its memory never moves once opened */
    text wanted;  /* the columns that push_down was given, as SQL */
    rows *now;    /* of file `at`, or NULL behind the last */
    size_t at;
    uint64_t skipped; /* in the files before it */
    batch out;
    char error[1200];
} source;

static int open_part(source *s)
{
    const part *p = &s->files.v[s->at];
    kind k = p->kind == KIND_UNKNOWN ? kind_of_file(&s->mem, p->path) : p->kind;
    return rows_open(s->host, &s->mem, k, p->path, p->shown, &s->opt, &s->out, &s->now, s->error,
                     sizeof s->error);
}

static int next_batch(source *s)
{
    for (;;) {
        int ended, e = rows_next(s->now, &ended);
        if (e) {
            memcpy(s->error, s->now->error, sizeof s->error);
            return e;
        }
        if (!ended || s->at + 1 == s->files.n)
            return 0;
        rows *before = s->now;
        s->at++;
        e = open_part(s);
        if (e) { /* the position stands at the end of the file before */
            s->at--;
            return e;
        }
        s->skipped += before->skipped;
        rows_close(before);
    }
}

static int stream_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    source *x = s->private_data;
    if (!batch_schema(&x->mem, out))
        return 0;
    snprintf(x->error, sizeof x->error, "out of memory");
    return ENOMEM;
}

static int stream_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    source *x = s->private_data;
    int e;
    x->error[0] = 0;
    e = next_batch(x);
    if (e && x->out.n == 0)
        return e;
    if (x->out.n == 0) {
        memset(out, 0, sizeof *out);
        return 0;
    }
    if (!batch_hand_out(&x->out, out))
        return 0;
    snprintf(x->error, sizeof x->error, "out of memory");
    return ENOMEM;
}

static const char *stream_error(struct ArrowArrayStream *s)
{
    source *x = s->private_data;
    return x->error[0] ? x->error : NULL;
}

static void stream_release(struct ArrowArrayStream *s)
{
    s->release = NULL;
}

static hone_status source_open(void *self, struct ArrowArrayStream *out)
{
    struct ArrowArrayStream s = {stream_schema, stream_next, stream_error, stream_release, self};
    *out = s;
    return HONE_OK;
}

static hone_status source_position(void *self, const hone_bytes_sink *sink)
{
    const source *s = self;
    unsigned char p[POSITION];
    put64(p, s->at);
    put64(p + 8, parts_fingerprint(&s->files));
    put64(p + 16, s->skipped);
    rows_tell(s->now, p + 24);
    return sink->put(sink, p, sizeof p);
}

static hone_status status_of(int e)
{
    return e == ENOENT    ? HONE_E_NOT_FOUND
           : e == ENOMEM  ? HONE_E_NOMEM
           : e == ENOTSUP ? HONE_E_UNSUPPORTED
           : e == ESTALE  ? HONE_E_STATE
           : e == EPROTO  ? HONE_E_INVALID
           : e == EINVAL  ? HONE_E_INVALID
                          : HONE_E_IO;
}

static hone_status source_seek(void *self, const void *position, size_t n)
{
    source *s = self;
    const unsigned char *p = position;
    uint64_t at = 0;
    int e;
    if (n != 0) {
        if (n != POSITION)
            return hone_host_fail(s->host, HONE_E_INVALID,
                                  "%s: this is not a position of this source", s->files.v[0].path);
        at = get64(p);
        if (at >= s->files.n || get64(p + 8) != parts_fingerprint(&s->files))
            return hone_host_fail(s->host, HONE_E_STATE,
                                  "%s: the files have changed since the position was taken",
                                  s->files.v[0].path);
    }
    if (at != s->at) {
        size_t before = s->at;
        rows *old = s->now;
        s->at = (size_t)at;
        e = open_part(s);
        if (e) {
            s->at = before;
            s->now = old;
            return hone_host_fail(s->host, status_of(e), "%s", s->error);
        }
        rows_close(old);
    }
    e = rows_seek(s->now, n ? p + 24 : NULL);
    if (e)
        return hone_host_fail(s->host, status_of(e), "%s", s->now->error);
    s->skipped = n ? get64(p + 16) : 0;
    s->out.n = s->out.len = 0;
    return HONE_OK;
}

static int64_t source_row_count(void *self)
{
    (void)self;
    return -1;
}

static int64_t source_skipped(void *self)
{
    const source *s = self;
    return (int64_t)(s->skipped + s->now->skipped);
}

/* DuckDB reads no more than is asked for; a text file has to be read as it is, and the host leaves out the rest. */
static hone_status source_push_down(void *self, const hone_str *columns, size_t n, hone_str filter,
                                    int64_t limit)
{
    source *s = self;
    if (s->files.n != 1 || s->now->kind != KIND_DUCKDB || filter.len)
        return hone_host_fail(s->host, HONE_E_UNSUPPORTED, "rows of a file come whole");
    if (s->now->row || s->out.n)
        return hone_host_fail(s->host, HONE_E_STATE, "push_down comes before reading");
    text sql = {0};
    int e = 0;
    for (size_t i = 0; columns && i < n && !e; i++) {
        e = text_add(&s->mem, &sql, ",\"", i ? 2 : 0);
        if (!e && !i)
            e = text_add(&s->mem, &sql, "\"", 1);
        for (size_t k = 0; k < columns[i].len && !e; k++)
            e = text_add(&s->mem, &sql, columns[i].ptr[k] == '"' ? "\"\"" : columns[i].ptr + k,
                         columns[i].ptr[k] == '"' ? 2 : 1);
        if (!e)
            e = text_add(&s->mem, &sql, "\"", 1);
    }
    if (!e)
        e = text_add(&s->mem, &sql, "", 1);
    if (e) {
        text_free(&s->mem, &sql);
        return hone_host_fail(s->host, HONE_E_NOMEM, "out of memory");
    }
    if (columns) {
        text_free(&s->mem, &s->wanted);
        s->wanted = sql;
        s->opt.wanted = s->wanted.p;
    } else {
        text_free(&s->mem, &sql);
    }
    if (limit >= 0 && (s->opt.limit < 0 || limit < s->opt.limit))
        s->opt.limit = limit;
    e = rows_seek(s->now, NULL); /* the program again, with the other query */
    return e ? hone_host_fail(s->host, status_of(e), "%s", s->now->error) : HONE_OK;
}

/* ---- settings -------------------------------------------------------------------------------------- */

#define PATH_FIELD(text) HONE_PATH("path", NULL, HONE_REQUIRED, text)
#define ROW_FIELDS                                                                                 \
    HONE_ENUM("on_error", "stop", "stop|skip", 0,                                                  \
              "a malformed row: an error, or left out and counted"),                               \
        HONE_INT("max_row_bytes", 64 << 20, 1, 1 << 30, 0, "longest row accepted")
#define CSV_FIELDS                                                                                 \
    HONE_STR("separator", "", 0, "one character (a comma; tsv: a tab)"),                           \
        HONE_ENUM("header", "yes", "yes|no", 0, "the first record names the columns"),             \
        HONE_STR("columns", "", 0, "names, instead of the header's: a,b,c"),                       \
        HONE_STR("types", "", 0,                                                                   \
                 "name:type,...: integer, number, bool, string, json; else by the first rows")
#define TEXT_FIELDS                                                                                \
    HONE_ENUM("rows", "file", "file|paragraph|line", 0, "what a row is"),                          \
        HONE_STR("extensions", "txt,md", 0, "of the files in a folder")
#define DUCKDB_FIELDS HONE_STR("program", "", 0, "the DuckDB program; else HONE_DUCKDB, PATH")
enum { F_PATH, F_ON_ERROR, F_MAX_ROW, F_MORE };
static const hone_field *const json_fields[] = {
    PATH_FIELD("the file; plain, gzip or zstd, told by its first bytes"), ROW_FIELDS, NULL};
enum { F_SEPARATOR = F_MORE, F_HEADER, F_COLUMNS, F_TYPES };
static const hone_field *const csv_fields[] = {
    PATH_FIELD("the file; plain, gzip or zstd, told by its first bytes"), ROW_FIELDS, CSV_FIELDS,
    NULL};
enum { F_ROWS = F_MORE, F_EXTENSIONS };
static const hone_field *const dir_fields[] = {PATH_FIELD("a folder of texts, or one text"),
                                               ROW_FIELDS, TEXT_FIELDS, NULL};
enum { F_PROGRAM = F_MORE, F_TABLE, F_QUERY };
static const hone_field *const duckdb_fields[] = {
    PATH_FIELD("a file that DuckDB reads (parquet, ...), or its database"),
    ROW_FIELDS,
    DUCKDB_FIELDS,
    HONE_STR("table", "", 0, "a table of the database `path`"),
    HONE_STR("query", "", 0, "SQL instead of the whole file, with an order of its own"),
    NULL};
enum { F_SPLIT = F_MORE, F_CONFIG, F_HF_PROGRAM };
static const hone_field *const hf_fields[] = {
    PATH_FIELD("the data set's folder"),
    ROW_FIELDS,
    HONE_STR("split", "train", 0, "train, test, validation ...; all: every file"),
    HONE_STR("config", "", 0, "the configuration, where README.md names several"),
    DUCKDB_FIELDS,
    NULL};
enum {
    A_SEPARATOR = F_MORE,
    A_HEADER,
    A_COLUMNS,
    A_TYPES,
    A_ROWS,
    A_EXTENSIONS,
    A_SPLIT,
    A_CONFIG,
    A_PROGRAM
};
static const hone_field *const auto_fields[] = {
    PATH_FIELD("a file or folder; its name, then its first bytes, say what it is"),
    ROW_FIELDS,
    CSV_FIELDS,
    TEXT_FIELDS,
    HONE_STR("split", "train", 0, "of a data set's folder"),
    HONE_STR("config", "", 0, "of a data set's folder"),
    DUCKDB_FIELDS,
    NULL};

typedef enum component_id { C_JSON, C_JSONL, C_CSV, C_TSV, C_DIR, C_DUCKDB, C_HF, C_AUTO } which;

/* The setting's text with NUL; *out an offset, as the memory may still move. */
static int keep(source *s, const hone_config *cfg, size_t field, size_t *out)
{
    hone_str v = cfg->str(cfg, field);
    if (v.len && memchr(v.ptr, 0, v.len))
        return EINVAL;
    *out = s->strings.n;
    int e = text_add(&s->mem, &s->strings, v.ptr ? v.ptr : "", v.len);
    return e ? e : text_add(&s->mem, &s->strings, "", 1);
}

typedef struct field_map {
    int separator, header, columns, types, rows, extensions, program, table, query, split, config;
} field_map;

static field_map map_of(which c)
{
    field_map m = {0};
    if (c == C_CSV || c == C_TSV || c == C_AUTO) {
        m.separator = F_SEPARATOR; /* the first ones of auto */
        m.header = F_HEADER;
        m.columns = F_COLUMNS;
        m.types = F_TYPES;
    }
    if (c == C_DIR || c == C_AUTO) {
        m.rows = c == C_DIR ? (int)F_ROWS : (int)A_ROWS;
        m.extensions = c == C_DIR ? (int)F_EXTENSIONS : (int)A_EXTENSIONS;
    }
    if (c == C_DUCKDB) {
        m.table = F_TABLE;
        m.query = F_QUERY;
    }
    if (c == C_HF || c == C_AUTO) {
        m.split = c == C_HF ? (int)F_SPLIT : (int)A_SPLIT;
        m.config = c == C_HF ? (int)F_CONFIG : (int)A_CONFIG;
    }
    m.program = c == C_DUCKDB ? (int)F_PROGRAM
                : c == C_HF   ? (int)F_HF_PROGRAM
                : c == C_AUTO ? (int)A_PROGRAM
                              : 0;
    return m;
}

/* Only txt and md below it? Then it is a folder of texts and no data set. */
static int only_texts(const memory *mem, const char *folder)
{
    parts all = {0};
    char err[200];
    int texts = 0, others = 0;
    if (list_folder(mem, folder, "", &all, err, sizeof err) == 0)
        for (size_t i = 0; i < all.n; i++) {
            if (all.v[i].kind == KIND_TEXT)
                texts++;
            else if (all.v[i].kind != KIND_UNKNOWN)
                others++;
        }
    parts_free(mem, &all);
    return texts && !others;
}

static int find_files(source *s, which c, const char *path, const char *split, const char *config,
                      const char *extensions)
{
    static const kind kinds[] = {KIND_JSON, KIND_JSONL,  KIND_CSV,   KIND_TSV,
                                 KIND_TEXT, KIND_DUCKDB, KIND_JSONL, KIND_UNKNOWN};
    struct stat st;
    const char *base = strrchr(path, '/');
    int e, folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (c == C_AUTO && folder)
        c = only_texts(&s->mem, path) ? C_DIR : C_HF;
    if (c == C_HF) {
        if (!folder) {
            snprintf(s->error, sizeof s->error, "%s: is not a folder", path);
            return stat(path, &st) == 0 ? EINVAL : ENOENT;
        }
        e = list_dataset(&s->mem, path, config, split, &s->files, s->error, sizeof s->error);
        for (size_t i = 0; i < s->files.n && !e; i++) /* an array, or lines: seen when opened */
            if (s->files.v[i].kind == KIND_JSON)
                s->files.v[i].kind = KIND_UNKNOWN;
        return e;
    }
    if (c == C_DIR && folder) {
        e = list_folder(&s->mem, path, extensions, &s->files, s->error, sizeof s->error);
        if (!e && s->files.n == 0) {
            snprintf(s->error, sizeof s->error, "%s: no file ends with one of: %s", path,
                     extensions);
            return EINVAL;
        }
        for (size_t i = 0; i < s->files.n; i++)
            s->files.v[i].kind = KIND_TEXT;
        return e;
    }
    kind k = kinds[c];
    if (k == KIND_UNKNOWN)
        k = kind_of_file(&s->mem, path);
    if (c == C_AUTO && k == KIND_JSONL && is_sqlite(&s->mem, path)) {
        snprintf(s->error, sizeof s->error,
                 "%s: is a SQLite database, which the source sqlite reads: give it a table "
                 "(--source sqlite --set "
                 "table=NAME; hone.source(\"sqlite\", { path = ..., table = ... }))",
                 path);
        return EINVAL;
    }
    e = parts_add(&s->mem, &s->files, path, base ? base + 1 : path, k);
    if (e)
        snprintf(s->error, sizeof s->error, "out of memory");
    return e;
}

static void destroy(void *self)
{
    source *s = self;
    memory mem = s->mem;
    rows_close(s->now);
    parts_free(&mem, &s->files);
    batch_release(&s->out);
    text_free(&mem, &s->strings);
    text_free(&mem, &s->wanted);
    memory_resize(&mem, s, sizeof *s, 0);
}

static hone_status fail_setting(source *s, int e, const char *what)
{
    return e == ENOMEM ? hone_host_fail(s->host, HONE_E_NOMEM, "out of memory")
                       : hone_host_fail(s->host, HONE_E_INVALID, "%s", what);
}

static hone_status read_settings(source *s, which c, const hone_config *cfg)
{
    field_map m = map_of(c);
    const int fields[] = {F_PATH,    m.separator, m.columns, m.types, m.extensions,
                          m.program, m.table,     m.query,   m.split, m.config};
    size_t at[10] = {0};
    int e = text_add(&s->mem, &s->strings, "", 1); /* offset 0: what is not a setting here */
    for (int i = 0; i < 10 && !e; i++)
        if (i == 0 || fields[i])
            e = keep(s, cfg, (size_t)fields[i], &at[i]);
    if (e)
        return fail_setting(s, e, "a setting holds a NUL");
    const char *t = s->strings.p, *sep = t + at[1];
    s->opt.skip_bad = cfg->i64(cfg, F_ON_ERROR) == 1;
    s->opt.max_row = (size_t)cfg->i64(cfg, F_MAX_ROW);
    if (strcmp(sep, "\\t") == 0)
        sep = "\t";
    if (strlen(sep) > 1 || *sep == '"' || *sep == '\n' || *sep == '\r')
        return fail_setting(s, EINVAL, "separator: one character is needed, and no quote");
    s->opt.separator = *sep;
    s->opt.no_header = m.header && cfg->i64(cfg, (size_t)m.header) == 1;
    s->opt.columns = t + at[2];
    s->opt.types = t + at[3];
    s->opt.split_text = m.rows ? (int)cfg->i64(cfg, (size_t)m.rows) : SPLIT_FILE;
    s->opt.program = t + at[5];
    s->opt.table = t + at[6];
    s->opt.query = t + at[7];
    s->opt.limit = -1;
    e = find_files(s, c, t + at[0], t + at[8], t + at[9], t + at[4]);
    if (!e)
        e = open_part(s);
    return e ? hone_host_fail(s->host, status_of(e), "%s", s->error) : HONE_OK;
}

static hone_status create(which c, const hone_host *host, const hone_config *cfg, void **self_out)
{
    memory mem;
    source *s;
    hone_status st = host->get_iface(host, HONE_IFACE_MEM, &mem.ref);
    if (st < 0)
        return st;
    s = memory_resize(&mem, NULL, 0, sizeof *s);
    if (!s)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(s, 0, sizeof *s);
    s->mem = mem;
    s->host = host;
    batch_init(&s->out, &mem);
    st = read_settings(s, c, cfg);
    if (st < 0)
        destroy(s);
    else
        *self_out = s;
    return st;
}

#define CREATE(name, id)                                                                           \
    static hone_status create_##name(const hone_host *host, const hone_config *cfg,                \
                                     void **self_out)                                              \
    {                                                                                              \
        return create(id, host, cfg, self_out);                                                    \
    }
CREATE(json, C_JSON)
CREATE(jsonl, C_JSONL)
CREATE(csv, C_CSV)
CREATE(tsv, C_TSV)
CREATE(dir, C_DIR)
CREATE(duckdb, C_DUCKDB)
CREATE(hf, C_HF)
CREATE(auto, C_AUTO)

static const hone_source_v1 vtable = {sizeof(hone_source_v1),
                                      0,
                                      source_open,
                                      source_position,
                                      source_seek,
                                      source_row_count,
                                      source_skipped,
                                      source_push_down};
static const void *get_iface(void *self, const char *iface_id)
{
    (void)self;
    return strcmp(iface_id, HONE_IFACE_SOURCE) == 0 ? &vtable : NULL;
}

static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const provides[] = {HONE_IFACE_SOURCE, NULL};
#define READS (HONE_CAP_DETERMINISTIC | HONE_CAP_FS_READ)
#define COMPONENT(name, text, own_fields, own_caps)                                                \
    static const hone_component name = {.struct_size = sizeof(hone_component),                     \
                                        .id = "org.hone.source." #name,                            \
                                        .kind = HONE_KIND_SOURCE,                                  \
                                        .version = "0.2.0",                                        \
                                        .vendor = "hone",                                          \
                                        .license = "MIT",                                          \
                                        .summary = text,                                           \
                                        .url = "",                                                 \
                                        .caps = own_caps,                                          \
                                        .fields = own_fields,                                      \
                                        .needs = needs,                                            \
                                        .provides = provides,                                      \
                                        .create = create_##name,                                   \
                                        .destroy = destroy,                                        \
                                        .get_iface = get_iface}
COMPONENT(json, "a JSON file that holds an array of objects", json_fields, READS);
COMPONENT(jsonl, "a JSON object a line", json_fields, READS);
COMPONENT(csv, "comma separated values", csv_fields, READS);
COMPONENT(tsv, "tab separated values", csv_fields, READS);
COMPONENT(dir, "a folder of plain texts", dir_fields, READS);
COMPONENT(duckdb, "what the DuckDB program reads", duckdb_fields, READS | HONE_CAP_EXEC);
COMPONENT(hf, "a Hugging Face data set's folder", hf_fields, READS | HONE_CAP_EXEC);
static const hone_component auto_file = {.struct_size = sizeof(hone_component),
                                         .id = "org.hone.source.auto",
                                         .kind = HONE_KIND_SOURCE,
                                         .version = "0.2.0",
                                         .vendor = "hone",
                                         .license = "MIT",
                                         .summary = "any of the others, by name and content",
                                         .url = "",
                                         .caps = READS | HONE_CAP_EXEC,
                                         .fields = auto_fields,
                                         .needs = needs,
                                         .provides = provides,
                                         .create = create_auto,
                                         .destroy = destroy,
                                         .get_iface = get_iface};
static const hone_component *const components[] = {&json,   &jsonl, &csv,       &tsv, &dir,
                                                   &duckdb, &hf,    &auto_file, NULL};
static const hone_magic magic = HONE_MAGIC(HONE_SDK_VERSION);
static const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, NULL, NULL, NULL};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
