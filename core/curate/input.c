/* input.c - see input.h.
 *
 * A window slides over the file; a batch is the whole lines in it, and what is left of the last line moves to the front. A source's rows
 * are written into the same window, so that what follows sees no difference. A place is the file's index in the upper 16 bits and the
 * offset of the row in the lower 48. */
#include "curate/input.h"

#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW = 2 << 20, MAX_ROWS = 16384, PLACE_BITS = 48, MAX_FILES = 1 << 15 };

typedef struct input_file {
    char *path, *copy;                /* copy: where its rows lie as lines, or NULL */
    int is_lines, is_stdin, fetch_fd; /* is_stdin: a pipe, too; it can be read once */
    uint64_t size;
    int64_t changed_s, changed_ns;
} input_file;

struct hone_input {
    hone_input_spec spec;
    input_file *files;
    size_t n, until;     /* files; where hone_input_next ends */
    hone_input_place at; /* of the first byte in the window that was not given out */
    int fd, pipe;        /* of the open file, -1: none; it can be read once */
    hone_data *data;     /* of the open source, or NULL */
    hone_arena arena;
    char *window;
    size_t begin, end, cap;
    int at_end;
    hone_input_row *rows;
    size_t cap_rows, limit; /* limit: rows in a batch */
    int64_t skipped;
};

static int ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), k = strlen(end);
    return n > k && strcmp(path + n - k, end) == 0;
}

static hone_status look_at(hone_input *in, input_file *f)
{
    struct stat st;
    if (f->is_stdin) {
        f->is_lines = 1;
        return HONE_OK;
    }
    if (stat(f->path, &st) != 0)
        return in->spec.open && !in->spec.lines ? HONE_OK : hone_fail_errno("%s", f->path);
    f->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    if (S_ISFIFO(st.st_mode)) { /* a pipe with a name, or a shell's <(...) */
        f->is_lines = f->is_stdin = 1;
        return HONE_OK;
    }
    f->changed_s = st.st_mtim.tv_sec;
    f->changed_ns = st.st_mtim.tv_nsec;
    f->is_lines = in->spec.lines && S_ISREG(st.st_mode) &&
                  (ends_with(f->path, ".jsonl") || ends_with(f->path, ".ndjson"));
    return f->is_lines || in->spec.open
               ? HONE_OK
               : hone_fail(HONE_E_UNSUPPORTED, "%s: it is no file of lines (.jsonl)", f->path);
}

hone_status hone_input_open(const hone_input_spec *spec, hone_input **out)
{
    if (spec->n == 0 || spec->n > MAX_FILES)
        return hone_fail(HONE_E_USAGE, "from 1 to %d files can be read", MAX_FILES);
    hone_input *in = hone_calloc(1, sizeof *in);
    if (!in)
        return HONE_E_NOMEM;
    in->spec = *spec;
    in->fd = -1;
    hone_arena_init(&in->arena, 0);
    in->files = hone_calloc(spec->n, sizeof *in->files);
    in->window = hone_alloc(WINDOW);
    in->cap = WINDOW;
    in->limit = MAX_ROWS;
    hone_status s = in->files && in->window ? HONE_OK : HONE_E_NOMEM;
    int inputs = 0;
    for (size_t i = 0; s >= 0 && i < spec->n; i++) {
        input_file *f = &in->files[i];
        f->fetch_fd = -1;
        in->n = in->until = i + 1;
        f->path = hone_strdup(spec->paths[i]);
        if (!f->path) {
            s = HONE_E_NOMEM;
            break;
        }
        f->is_stdin = strcmp(f->path, "-") == 0;
        inputs += f->is_stdin;
        s = inputs > 1 ? hone_fail(HONE_E_USAGE, "standard input can be read once")
                       : look_at(in, f);
    }
    if (s < 0) {
        hone_input_close(in);
        return s;
    }
    *out = in;
    return HONE_OK;
}

static void close_file(hone_input *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    in->fd = -1;
    if (in->data)
        in->skipped += hone_data_skipped(in->data);
    hone_data_close(in->data);
    in->data = NULL;
    in->begin = in->end = 0;
    in->at_end = 0;
}

void hone_input_close(hone_input *in)
{
    if (!in)
        return;
    close_file(in);
    for (size_t i = 0; i < in->n; i++) {
        if (in->files[i].fetch_fd >= 0)
            close(in->files[i].fetch_fd);
        hone_free(in->files[i].path);
        hone_free(in->files[i].copy);
    }
    hone_arena_release(&in->arena);
    hone_free(in->files);
    hone_free(in->window);
    hone_free(in->rows);
    hone_free(in);
}

hone_status hone_input_identity(const hone_input *in, hone_jw *w)
{
    hone_jw_list(w);
    for (size_t i = 0; i < in->n; i++) {
        const input_file *f = &in->files[i];
        hone_jw_map(w);
        hone_jw_kcstr(w, "path", f->path);
        if (!f->is_stdin) {
            hone_jw_ki64(w, "bytes", (int64_t)f->size);
            hone_jw_ki64(w, "changed", f->changed_s);
            hone_jw_ki64(w, "changed_ns", f->changed_ns);
        }
        hone_jw_end(w);
    }
    hone_jw_end(w);
    return w->out->failed;
}

size_t hone_input_files(const hone_input *in)
{
    return in->n;
}

const char *hone_input_path(const hone_input *in, uint32_t file)
{
    return strcmp(in->files[file].path, "-") == 0 ? "standard input" : in->files[file].path;
}

uint64_t hone_input_bytes(const hone_input *in)
{
    uint64_t all = 0;
    for (size_t i = 0; i < in->n; i++) {
        if (!in->files[i].is_lines || in->files[i].is_stdin)
            return 0;
        all += in->files[i].size;
    }
    return all;
}

int hone_input_has_stdin(const hone_input *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (in->files[i].is_stdin)
            return 1;
    return 0;
}

int64_t hone_input_skipped(const hone_input *in)
{
    return in->skipped + (in->data ? hone_data_skipped(in->data) : 0);
}

/* ---- files of lines --------------------------------------------------------------------------------------------- */

static const char *where_of(const input_file *f)
{
    return f->copy ? f->copy : f->path;
}

static hone_status open_lines(hone_input *in, const input_file *f)
{
    if (f->is_stdin && !f->copy && in->at.at > 0)
        return hone_fail(HONE_E_UNSUPPORTED, "%s cannot be read again",
                         hone_input_path(in, (uint32_t)in->at.file));
    in->pipe = f->is_stdin && !f->copy;
    if (in->pipe && strcmp(f->path, "-") == 0) {
        in->fd = STDIN_FILENO;
        return HONE_OK;
    }
    in->fd = open(where_of(f), O_RDONLY | O_CLOEXEC);
    if (in->fd < 0)
        return hone_fail_errno("%s", where_of(f));
    if (!in->pipe && lseek(in->fd, (off_t)in->at.at, SEEK_SET) < 0)
        return hone_fail_errno("%s", where_of(f));
    return HONE_OK;
}

static hone_status widen(hone_input *in)
{
    if (in->cap >= (size_t)HONE_INPUT_MAX_ROW + WINDOW)
        return hone_fail(HONE_E_LIMIT, "%s:%llu: a row is longer than %d MiB",
                         in->files[in->at.file].path, (unsigned long long)in->at.line + 1,
                         HONE_INPUT_MAX_ROW >> 20);
    char *grown = hone_realloc(in->window, 2 * in->cap);
    if (!grown)
        return HONE_E_NOMEM;
    in->window = grown;
    in->cap *= 2;
    return HONE_OK;
}

/* More bytes behind the window's end. */
static hone_status fill(hone_input *in)
{
    if (in->begin > 0) {
        memmove(in->window, in->window + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    if (in->end == in->cap)
        HONE_TRY(widen(in));
    while (in->end < in->cap && !in->at_end) {
        ssize_t n = hone__read_some(in->fd, in->window + in->end, in->cap - in->end);
        if (n < 0)
            return hone_fail_errno("%s", in->files[in->at.file].path);
        in->at_end = n == 0;
        in->end += (size_t)n;
    }
    return HONE_OK;
}

static hone_status add_row(hone_input *in, size_t n, hone_str text)
{
    if (n == in->cap_rows) {
        size_t cap = in->cap_rows ? 2 * in->cap_rows : 4096;
        hone_input_row *grown = hone_reallocarray(in->rows, cap, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        in->rows = grown;
        in->cap_rows = cap;
    }
    in->rows[n] = (hone_input_row){.text = text,
                                   .n = in->at.n++,
                                   .of = ++in->at.of,
                                   .line = in->at.line,
                                   .place = in->at.file << PLACE_BITS | in->at.at,
                                   .file = (uint32_t)in->at.file};
    return HONE_OK;
}

static hone_str trimmed(const char *p, size_t n)
{
    while (n && (p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '\r'))
        n--;
    while (n && (*p == ' ' || *p == '\t' || *p == '\r')) {
        p++;
        n--;
    }
    return (hone_str){p, n};
}

/* The whole lines of the window. */
static hone_status take_lines(hone_input *in, size_t *n)
{
    if (in->at.at == 0 && in->end - in->begin >= 3 &&
        memcmp(in->window + in->begin, "\xEF\xBB\xBF", 3) == 0) {
        in->begin += 3;
        in->at.at += 3;
    }
    for (;;) {
        const char *from = in->window + in->begin;
        const size_t left = in->end - in->begin;
        if (*n == in->limit)
            return HONE_OK;
        const char *newline = left ? memchr(from, '\n', left) : NULL;
        if (!newline && (!in->at_end || !left))
            return HONE_OK;
        const size_t len = newline ? (size_t)(newline - from) : left;
        if (len > HONE_INPUT_MAX_ROW)
            return widen(in) < 0 ? HONE_E_LIMIT : hone_fail(HONE_E_LIMIT, "a row is too long");
        hone_str text = trimmed(from, len);
        in->at.line++;
        if (text.len) {
            HONE_TRY(add_row(in, *n, text));
            ++*n;
        }
        in->begin += len + (newline != NULL);
        in->at.at += len + (newline != NULL);
    }
}

/* ---- sources ---------------------------------------------------------------------------------------------------- */

static hone_status open_source(hone_input *in, const input_file *f)
{
    HONE_TRY(in->spec.open(in->spec.ctx, f->path, &in->data));
    hone_value row;
    for (uint64_t i = 0; i < in->at.of; i++) { /* back to where it was */
        hone_arena_clear(&in->arena);
        hone_status s = hone_data_next(in->data, &in->arena, &row);
        if (s <= 0)
            return s < 0 ? s
                         : hone_fail(HONE_E_STATE, "%s: it has fewer rows than before", f->path);
    }
    return HONE_OK;
}

/* Rows of a source, each written as a line, up to a window of them. */
static hone_status take_source(hone_input *in, size_t *n)
{
    hone_buf text;
    hone_value row;
    hone_status s = 1;
    hone_buf_init(&text, 2 * (size_t)HONE_INPUT_MAX_ROW);
    in->begin = in->end = 0;
    while (in->end < WINDOW / 2 && s > 0 && *n < in->limit) {
        hone_jw w;
        hone_arena_clear(&in->arena);
        s = hone_data_next(in->data, &in->arena, &row);
        if (s <= 0)
            break;
        hone_buf_clear(&text);
        hone_jw_init(&w, &text, 0);
        hone_jw_value(&w, &row);
        s = text.failed;
        while (s >= 0 && in->cap - in->end < text.len) {
            char *before = in->window;
            s = widen(in);
            for (size_t i = 0; i < *n; i++) /* the window has moved */
                in->rows[i].text.ptr = in->window + (in->rows[i].text.ptr - before);
        }
        if (s < 0)
            break;
        memcpy(in->window + in->end, text.ptr, text.len);
        in->at.line++;
        s = add_row(in, *n, (hone_str){in->window + in->end, text.len});
        if (s < 0)
            break;
        ++*n;
        in->end += text.len;
        s = 1;
    }
    hone_buf_release(&text);
    in->at_end = s == 0;
    return s < 0 ? s : HONE_OK;
}

/* ---- all ---------------------------------------------------------------------------------------------------------- */

static int has_lines(const input_file *f)
{
    return f->is_lines || f->copy;
}

hone_status hone_input_next(hone_input *in, const hone_input_row **rows, size_t *n)
{
    size_t got = 0;
    while (in->at.file < in->until && got == 0) {
        const input_file *f = &in->files[in->at.file];
        const int is_open = in->fd >= 0 || in->data;
        if (is_open && in->at_end && (in->data || in->begin == in->end)) {
            close_file(in);
            in->at = (hone_input_place){.file = in->at.file + 1, .n = in->at.n};
            continue;
        }
        if (!is_open)
            HONE_TRY(has_lines(f) ? open_lines(in, f) : open_source(in, f));
        if (has_lines(f)) {
            if (!in->at_end)
                HONE_TRY(fill(in));
            HONE_TRY(take_lines(in, &got));
        } else {
            HONE_TRY(take_source(in, &got));
        }
    }
    *rows = in->rows;
    *n = got;
    return got > 0;
}

void hone_input_limit(hone_input *in, size_t rows)
{
    in->limit = rows && rows < MAX_ROWS ? rows : MAX_ROWS;
}

hone_input_place hone_input_tell(const hone_input *in)
{
    return in->at;
}

hone_status hone_input_seek(hone_input *in, const hone_input_place *place)
{
    if (place->file > in->n)
        return hone_fail(HONE_E_STATE, "the place is in file %llu of %zu",
                         (unsigned long long)place->file + 1, in->n);
    if (in->fd >= 0 && in->pipe && in->at.at > 0)
        return hone_fail(HONE_E_UNSUPPORTED, "%s cannot be read again",
                         hone_input_path(in, (uint32_t)in->at.file));
    close_file(in);
    in->at = *place;
    return HONE_OK;
}

/* ---- copies ------------------------------------------------------------------------------------------------------- */

/* The rows of file i into `path`, through the ordinary way of reading. */
static hone_status copy_rows(hone_input *in, size_t i, const char *path)
{
    hone_writer w;
    const hone_input_place start = {.file = i};
    HONE_TRY(hone_input_seek(in, &start));
    HONE_TRY(hone_writer_create(&w, path));
    hone_status s;
    const hone_input_row *rows;
    size_t n;
    in->until = i + 1; /* and not a byte of the file behind it */
    while ((s = hone_input_next(in, &rows, &n)) > 0)
        for (size_t k = 0; k < n; k++) {
            hone_writer_add(&w, rows[k].text.ptr, rows[k].text.len);
            s = hone_writer_add(&w, "\n", 1);
            if (s < 0)
                goto failed;
        }
    if (s < 0)
        goto failed;
    in->until = in->n;
    return hone_writer_close(&w);
failed:
    in->until = in->n;
    hone_writer_abandon(&w);
    return s;
}

hone_status hone_input_spool(hone_input *in, const char *dir)
{
    for (size_t i = 0; i < in->n; i++) {
        char name[32];
        input_file *f = &in->files[i];
        if (f->copy || (f->is_lines && !f->is_stdin))
            continue;
        snprintf(name, sizeof name, "rows.%zu.jsonl", i);
        char *path = hone_path_join(dir, name);
        if (!path)
            return HONE_E_NOMEM;
        hone_status s = hone_file_exists(path) ? HONE_OK : copy_rows(in, i, path);
        if (s >= 0)
            s = hone_file_size(path, &f->size);
        if (s < 0) {
            hone_free(path);
            return s;
        }
        f->copy = path;
    }
    const hone_input_place start = {0};
    close_file(in);
    in->at = start;
    return HONE_OK;
}

hone_status hone_input_fetch(hone_input *in, uint64_t place, hone_buf *row)
{
    const uint64_t file = place >> PLACE_BITS;
    uint64_t at = place & (((uint64_t)1 << PLACE_BITS) - 1);
    if (file >= in->n || !has_lines(&in->files[file]))
        return hone_fail(HONE_E_STATE, "no row can be fetched there");
    input_file *f = &in->files[file];
    if (f->fetch_fd < 0)
        f->fetch_fd = open(where_of(f), O_RDONLY | O_CLOEXEC);
    if (f->fetch_fd < 0)
        return hone_fail_errno("%s", where_of(f));
    hone_buf_clear(row);
    for (;;) {
        char piece[4096];
        ssize_t n = pread(f->fetch_fd, piece, sizeof piece, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hone_fail_errno("%s", where_of(f));
        const char *newline = n ? memchr(piece, '\n', (size_t)n) : NULL;
        size_t take = newline ? (size_t)(newline - piece) : (size_t)n;
        if (row->len + take > HONE_INPUT_MAX_ROW)
            return hone_fail(HONE_E_LIMIT, "%s: a row is longer than before", f->path);
        HONE_TRY(hone_buf_add(row, piece, take));
        if (newline || n == 0)
            return HONE_OK;
        at += (uint64_t)n;
    }
}
