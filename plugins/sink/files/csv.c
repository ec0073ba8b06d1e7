/* csv.c - metrics as a table that a spreadsheet opens: metrics.csv of the run directory, one line a step.
 *
 * The columns are the metrics in the order in which they came up. One that comes up later is a new last column; then the
 * file is written anew with a comma more on the lines before, beside its place, and renamed. A line is out when the step's
 * event returns. A run that is resumed takes the file up again: lines behind the checkpoint are cut off, and the columns
 * are those of its first line. A file that is none of these is not touched, and the sink gives up, saying so.
 * Evaluations write the columns eval/<reward>, /lo and /hi: those inside a step on the step's line, others on a line of
 * their own with the step that was last. Format: RFC 4180, numbers as %.17g where fewer digits do not do. */
#include "files.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS_MAX = 4096 };
typedef struct column {
    char *name;
    size_t len;
    double v;
    int set;
} column;
typedef struct csv {
    const hone_host *host;
    char name[104];
    char *path, *beside;
    column *cols; /* without the first, which is step */
    size_t n, cap;
    int64_t pending; /* step of the values that are set; -1: none are */
    int64_t
        from; /* what comes of steps before is there already: a resumed recipe begins at its top */
    files_bytes text;
} csv;

static hone_status no_memory(const csv *c)
{
    return hone_host_fail(c->host, HONE_E_NOMEM, "no memory for %s", c->name);
}

/* ---- columns ------------------------------------------------------------------------------------- */

static int needs_quotes(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == ',' || p[i] == '"' || p[i] == ' ')
            return 1;
    return 0;
}

/* Control characters, which would break lines, become '_'. */
static void add_name(files_bytes *b, const column *c)
{
    const int quoted = needs_quotes(c->name, c->len);
    files_add(b, "\"", (size_t)quoted);
    for (size_t i = 0; i < c->len; i++) {
        files_add(b, c->name + i, 1);
        if (c->name[i] == '"')
            files_addz(b, "\"");
    }
    files_add(b, "\"", (size_t)quoted);
}

static column *column_of(csv *c, const char *name, size_t len, int *fresh)
{
    for (size_t i = 0; i < c->n; i++) {
        size_t k = 0;
        if (c->cols[i].len != len)
            continue;
        while (k < len && (c->cols[i].name[k] == name[k] ||
                           ((unsigned char)name[k] < 0x20 && c->cols[i].name[k] == '_')))
            k++;
        if (k == len)
            return &c->cols[i];
    }
    if (c->n == COLUMNS_MAX)
        return NULL;
    if (c->n == c->cap) {
        const size_t cap = c->cap ? 2 * c->cap : 64;
        column *more = realloc(c->cols, cap * sizeof *more);
        if (!more)
            return NULL;
        c->cols = more;
        c->cap = cap;
    }
    char *copy = malloc(len + 1);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < len; i++)
        copy[i] = (char)((unsigned char)name[i] < 0x20 ? '_' : name[i]);
    copy[len] = '\0';
    c->cols[c->n] = (column){copy, len, 0, 0};
    *fresh = 1;
    return &c->cols[c->n++];
}

static void forget_columns(csv *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->cols[i].name);
    c->n = 0;
}

/* ---- the file ------------------------------------------------------------------------------------- */

static hone_status read_file(csv *c, files_bytes *out)
{
    char room[65536];
    size_t n;
    hone_status s = HONE_OK;
    FILE *f = fopen(c->path, "rb");
    if (!f)
        return errno == ENOENT ? HONE_OK : files_fail(c->host, "cannot read", c->path);
    while ((n = fread(room, 1, sizeof room, f)) > 0)
        files_add(out, room, n);
    if (ferror(f))
        s = files_fail(c->host, "cannot read", c->path);
    else if (out->failed)
        s = hone_host_fail(c->host, HONE_E_LIMIT, "%s is larger than %d bytes", c->path,
                           FILES_BYTES_MAX);
    fclose(f);
    return s;
}

static hone_status replace(csv *c, const files_bytes *text)
{
    if (text->failed)
        return no_memory(c);
    FILE *f = fopen(c->beside, "wb");
    if (!f)
        return files_fail(c->host, "cannot write", c->beside);
    int ok = fwrite(text->p, 1, text->n, f) == text->n && fflush(f) == 0;
    ok = fclose(f) == 0 && ok;
    if (!ok || rename(c->beside, c->path) != 0) {
        hone_status s = files_fail(c->host, "cannot write", c->path);
        unlink(c->beside);
        return s;
    }
    return HONE_OK;
}

static void add_head(const csv *c, files_bytes *b)
{
    files_addz(b, "step");
    for (size_t i = 0; i < c->n; i++) {
        files_addz(b, ",");
        add_name(b, &c->cols[i]);
    }
    files_addz(b, "\n");
}

/* The first line's columns; 0 when it is not one of ours. */
static int read_head(csv *c, const char *p, size_t n)
{
    files_bytes name = {0};
    int ok = n > 4 ? memcmp(p, "step,", 5) == 0 : n == 4 && memcmp(p, "step", 4) == 0;
    for (size_t i = 0; ok && i < n; i++)
        ok = (unsigned char)p[i] >= 0x20;
    for (size_t i = 5; ok && n > 4 && i <= n;) {
        int fresh = 0;
        const int quoted = i < n && p[i] == '"';
        files_clear(&name);
        i += (size_t)quoted;
        while (i < n && (quoted || p[i] != ',')) {
            if (quoted && p[i] == '"' && !(i + 1 < n && p[i + 1] == '"'))
                break;
            i += quoted && p[i] == '"';
            files_add(&name, p + i++, 1);
        }
        ok = !quoted || i < n; /* where it is closed */
        i += (size_t)quoted;
        ok = ok && (i == n || p[i] == ',') && name.n > 0 && !name.failed &&
             column_of(c, name.p, name.n, &fresh) && fresh;
        i++;
    }
    files_free(&name);
    if (!ok)
        forget_columns(c);
    return ok;
}

/* The step of a line of this sink: a step, then for each column a number or nothing; -1 when it is none. */
static int64_t line_step(const char *p, size_t n, size_t columns)
{
    static const char others[] = "0123456789+-.e";
    int64_t v = 0;
    size_t i = 0, commas = 0;
    for (; i < n && i < 16 && p[i] >= '0' && p[i] <= '9'; i++)
        v = v * 10 + (p[i] - '0');
    if (i == 0 || (i < n && p[i] != ','))
        return -1;
    for (; i < n; i++) {
        if (p[i] != ',' && !memchr(others, p[i], sizeof others - 1))
            return -1;
        commas += p[i] == ',';
    }
    return commas == columns ? v : -1;
}

/* Takes the text of a file up again: columns, and the length of what stays of it (steps up to `from`). */
static int take_up(csv *c, const files_bytes *old, int64_t from, size_t *keep)
{
    const char *nl = old->n ? memchr(old->p, '\n', old->n) : NULL;
    if (!nl || !read_head(c, old->p, (size_t)(nl - old->p)))
        return 0;
    size_t at = (size_t)(nl - old->p) + 1;
    *keep = at;
    while (at < old->n) {
        const char *end = memchr(old->p + at, '\n', old->n - at);
        if (!end) /* half a line: it was being written */
            break;
        const int64_t step = line_step(old->p + at, (size_t)(end - old->p) - at, c->n);
        if (step < 0) {
            forget_columns(c);
            return 0;
        }
        at = (size_t)(end - old->p) + 1;
        if (step > from)
            break;
        *keep = at;
    }
    return 1;
}

static hone_status open_file(csv *c, hone_str dir, int64_t from)
{
    files_bytes old = {0};
    size_t keep = 0;
    char leaf[120];
    snprintf(leaf, sizeof leaf, ".%s.new", c->name);
    c->path = files_path(dir, c->name, NULL);
    c->beside = files_path(dir, leaf, NULL);
    if (!c->path || !c->beside)
        return no_memory(c);
    hone_status s = read_file(c, &old);
    if (s >= 0 && old.n && !take_up(c, &old, from, &keep))
        s = hone_host_fail(c->host, HONE_E_PARSE,
                           "%s: is not a table that this sink wrote; name another file", c->path);
    if (s >= 0 && !old.n) {
        add_head(c, &old);
        keep = old.n;
    }
    old.n = s >= 0 ? keep : 0;
    if (s >= 0)
        s = replace(c, &old);
    files_free(&old);
    if (s < 0) {
        free(c->path);
        c->path = NULL;
    }
    return s;
}

/* The columns grew from `before`: the lines that are there get as many commas more. */
static hone_status widen(csv *c, size_t before)
{
    files_bytes old = {0}, now = {0};
    hone_status s = read_file(c, &old);
    const char *nl = s >= 0 && old.n ? memchr(old.p, '\n', old.n) : NULL;
    add_head(c, &now);
    for (size_t at = nl ? (size_t)(nl - old.p) + 1 : old.n; at < old.n;) {
        const char *end = memchr(old.p + at, '\n', old.n - at);
        if (!end)
            break;
        files_add(&now, old.p + at, (size_t)(end - old.p) - at);
        for (size_t i = before; i < c->n; i++)
            files_addz(&now, ",");
        files_addz(&now, "\n");
        at = (size_t)(end - old.p) + 1;
    }
    if (s >= 0)
        s = replace(c, &now);
    files_free(&old);
    files_free(&now);
    return s;
}

static void add_number(files_bytes *b, double v)
{
    char t[40];
    if (!isfinite(v)) /* as everywhere: nothing */
        return;
    snprintf(t, sizeof t, "%.15g", v);
    if (strtod(t, NULL) != v)
        snprintf(t, sizeof t, "%.17g", v);
    files_addz(b, t);
}

static hone_status write_line(csv *c)
{
    char t[32];
    files_bytes *b = &c->text;
    if (c->pending < 0)
        return HONE_OK;
    files_clear(b);
    snprintf(t, sizeof t, "%lld", (long long)c->pending);
    files_addz(b, t);
    for (size_t i = 0; i < c->n; i++) {
        files_addz(b, ",");
        if (c->cols[i].set)
            add_number(b, c->cols[i].v);
        c->cols[i].set = 0;
    }
    files_addz(b, "\n");
    c->pending = -1;
    if (b->failed)
        return no_memory(c);
    FILE *f = fopen(c->path, "ab");
    if (!f)
        return files_fail(c->host, "cannot write", c->path);
    int ok = fwrite(b->p, 1, b->n, f) == b->n;
    ok = fclose(f) == 0 && ok;
    return ok ? HONE_OK : files_fail(c->host, "cannot write", c->path);
}

/* ---- events ------------------------------------------------------------------------------------- */

static hone_status set(csv *c, const char *name, size_t len, double v)
{
    int fresh = 0;
    column *x = column_of(c, name, len, &fresh);
    if (!x)
        return c->n == COLUMNS_MAX
                   ? hone_host_fail(c->host, HONE_E_LIMIT, "more than %d columns", COLUMNS_MAX)
                   : no_memory(c);
    x->v = v;
    x->set = 1;
    return HONE_OK;
}

/* What is set from here on is of this step; what was set of another one is a line. */
static hone_status at_step(csv *c, int64_t step)
{
    hone_status s = c->pending >= 0 && c->pending != step ? write_line(c) : HONE_OK;
    c->pending = step;
    return s;
}

static hone_status put_step(csv *c, const hone_value *fields)
{
    const size_t before = c->n;
    const int64_t step = files_step(fields, "step");
    hone_status s = at_step(c, step);
    double v;
    for (size_t i = 0; s >= 0 && i < fields->u.map.n; i++) {
        const hone_pair *p = &fields->u.map.pairs[i];
        if (files_number(&p->value, &v) && !(p->key.len == 4 && memcmp(p->key.ptr, "step", 4) == 0))
            s = set(c, p->key.ptr, p->key.len, v);
    }
    if (s >= 0 && c->n > before)
        s = widen(c, before);
    return s >= 0 ? write_line(c) : s;
}

static hone_status put_eval(csv *c, const hone_value *fields)
{
    static const char *const keys[] = {"mean", "lo", "hi"};
    static const char *const tails[] = {"", "/lo", "/hi"};
    const size_t before = c->n;
    const int64_t step = files_step(fields, "step");
    hone_status s = at_step(c, step);
    double v;
    for (int k = 0; s >= 0 && k < 3; k++) {
        files_bytes tag = {0};
        const hone_str name = files_text(fields, "name"), reward = files_text(fields, "reward");
        if (!files_number(files_field(fields, keys[k]), &v))
            continue;
        files_addz(&tag, "eval/");
        files_add(&tag, name.ptr, name.len);
        files_addz(&tag, name.len ? "/" : "");
        files_add(&tag, reward.ptr, reward.len);
        files_addz(&tag, tails[k]);
        s = tag.failed ? no_memory(c) : set(c, tag.p, tag.n, v);
        files_free(&tag);
    }
    return s >= 0 && c->n > before ? widen(c, before) : s;
}

static hone_status event(void *self, hone_str kind, const hone_value *fields)
{
    csv *c = self;
    if (fields->type != HONE_MAP)
        return HONE_OK;
    if (kind.len == 3 && memcmp(kind.ptr, "run", 3) == 0) {
        const hone_str dir = files_text(fields, "dir");
        if (dir.len == 0)
            return hone_host_fail(c->host, HONE_E_INVALID, "the run has no folder");
        c->from = files_step(fields, "from_step");
        return c->path ? HONE_OK : open_file(c, dir, c->from);
    }
    if (!c->path || files_step(fields, "step") < c->from)
        return HONE_OK;
    if (kind.len == 4 && memcmp(kind.ptr, "step", 4) == 0)
        return put_step(c, fields);
    if (kind.len == 4 && memcmp(kind.ptr, "eval", 4) == 0)
        return put_eval(c, fields);
    return HONE_OK;
}

static hone_status flush(void *self)
{
    csv *c = self;
    return c->path ? write_line(c) : HONE_OK;
}

static const hone_sink_v1 table = {sizeof table, 0, event, flush};
static const hone_field *const fields[] = {
    HONE_STR("file", "metrics.csv", 0, "name of the table in the run directory"), NULL};

static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    const hone_str file = cfg->str(cfg, 0);
    if (!files_name_ok(file) || file.len < 5 || memcmp(file.ptr + file.len - 4, ".csv", 4) != 0)
        return hone_host_fail(
            host, HONE_E_INVALID,
            "file is a name of the run directory that ends in .csv, without a slash");
    csv *c = calloc(1, sizeof *c);
    if (!c)
        return hone_host_fail(host, HONE_E_NOMEM, "no memory");
    c->host = host;
    c->pending = -1;
    memcpy(c->name, file.ptr, file.len);
    *out = c;
    return HONE_OK;
}

static void destroy(void *self)
{
    csv *c = self;
    if (c->path)
        (void)write_line(c);
    forget_columns(c);
    free(c->cols);
    files_free(&c->text);
    free(c->path);
    free(c->beside);
    free(c);
}

HONE_DEFINE_SINK(files_csv, table, .id = "org.hone.sink.csv", .version = "1.0.0", .vendor = "hone",
                 .summary = "metrics as a table, one line a step, in the run directory",
                 .caps = HONE_CAP_FS_WRITE, .fields = fields, .create = create, .destroy = destroy);
