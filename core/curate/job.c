/* job.c - see job.h.
 *
 * Order of a note: outputs flushed to disk, lineage committed, then the journal replaced. So the journal never promises what is not
 * there; what is there beyond it is cut off. At the end the journal says "finished" before the first rename, and the renames are done again
 * by whoever finds it so. */
#include "curate/job.h"

#include "base/alloc.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { CHECKPOINT = 64 << 20, MAX_OUT = 64, STDOUT_ROOM = 1 << 16 };

typedef struct origin_of { /* what is known of the rows of an input file */
    hone_lineage_reader *reader;
    int looked;
} origin_of;

typedef struct output {
    char *path, *part, *lineage_path, *lineage_part;
    hone_writer w;
    hone_lineage *lineage;
    uint64_t rows;
    hone_buf last_path, last_steps; /* of the row before, and their numbers */
    uint32_t last_file, last_chain;
} output;

struct hone_job {
    hone_input *input;
    char *verb, *folder, *what, *report_path, *report_part, *own_step;
    output out[MAX_OUT];
    size_t n_out;
    int to_stdout, temporary, lineage, resumed, lock, finished;
    hone_buf stdout_rows, line, chain;
    uint64_t stdout_n;
    hone_writer report;
    hone_jw jw;
    origin_of *origins;
    size_t n_origins;
    hone_arena arena;
    hone_value journal;
    const hone_value *state;
    uint64_t checkpoint_bytes;
    hone_input_place noted;
};

/* ---- names -------------------------------------------------------------------------------------------------------- */

static char *joined(const char *a, const char *b)
{
    hone_buf text;
    hone_buf_init(&text, 1 << 20);
    hone_buf_adds(&text, a);
    hone_buf_adds(&text, b);
    char *z = hone_buf_detach(&text, NULL);
    hone_buf_release(&text);
    return z;
}

char *hone_job_path(const hone_job *j, const char *name)
{
    return hone_path_join(j->folder, name);
}

static hone_status name_outputs(hone_job *j, const hone_job_spec *spec)
{
    if (spec->n_out > MAX_OUT)
        return hone_fail(HONE_E_USAGE, "at most %d outputs", MAX_OUT);
    for (size_t k = 0; k < spec->n_out; k++) {
        output *o = &j->out[k];
        char name[32];
        o->w.fd = -1;
        hone_buf_init(&o->last_path, 1 << 20);
        hone_buf_init(&o->last_steps, 1 << 20);
        j->n_out = k + 1;
        for (size_t i = 0; i < k; i++)
            if (strcmp(j->out[i].path, spec->out[k]) == 0)
                return hone_fail(HONE_E_USAGE, "%s is named twice as an output", spec->out[k]);
        snprintf(name, sizeof name, "out.%zu", k);
        o->path = hone_strdup(spec->out[k]);
        o->part = hone_job_path(j, name);
        if (j->lineage) {
            snprintf(name, sizeof name, "lineage.%zu", k);
            o->lineage_path = hone_lineage_name(spec->out[k]);
            o->lineage_part = hone_job_path(j, name);
        }
        if (!o->path || !o->part || (j->lineage && (!o->lineage_path || !o->lineage_part)))
            return HONE_E_NOMEM;
    }
    if (spec->report) {
        j->report_path = hone_strdup(spec->report);
        j->report_part = hone_job_path(j, "report");
        if (!j->report_path || !j->report_part)
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

static hone_status make_folder(hone_job *j, const hone_job_spec *spec)
{
    if (spec->n_out || spec->report) {
        j->folder = joined(spec->n_out ? spec->out[0] : spec->report, ".work");
        if (!j->folder)
            return HONE_E_NOMEM;
        return hone_mkdirs(j->folder);
    }
    const char *tmp = getenv("TMPDIR");
    j->folder = joined(tmp && *tmp ? tmp : "/tmp", "/hone-data-XXXXXX");
    if (!j->folder)
        return HONE_E_NOMEM;
    j->temporary = 1;
    if (mkdtemp(j->folder))
        return HONE_OK;
    return hone_fail_errno("%s: cannot be made", j->folder);
}

static hone_status lock_folder(hone_job *j)
{
    char *path = hone_job_path(j, "lock");
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (j->lock < 0)
        s = hone_fail_errno("%s", path);
    else if (flock(j->lock, LOCK_EX | LOCK_NB) != 0)
        s = hone_fail(HONE_E_STATE, "%s: another process is writing this output", j->folder);
    hone_free(path);
    return s;
}

/* ---- the journal -------------------------------------------------------------------------------------------------- */

static hone_status describe(hone_job *j, const hone_job_spec *spec)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "verb", spec->verb);
    hone_jw_kstr(&w, "settings", spec->settings);
    hone_jw_key(&w, "outputs");
    hone_jw_list(&w);
    for (size_t k = 0; k < spec->n_out; k++)
        hone_jw_cstr(&w, spec->out[k]);
    hone_jw_cstr(&w, spec->report);
    hone_jw_bool(&w, j->lineage);
    hone_jw_end(&w);
    hone_jw_key(&w, "inputs");
    hone_input_identity(spec->input, &w);
    hone_jw_end(&w);
    j->what = hone_buf_detach(&b, NULL);
    hone_status s = j->what ? HONE_OK : hone_buf_check(&b, "the step");
    hone_buf_release(&b);
    return s < 0 ? s : j->what ? HONE_OK : HONE_E_NOMEM;
}

static hone_status write_journal(hone_job *j, void (*put)(void *ctx, hone_jw *w), void *ctx,
                                 int finished)
{
    if (j->temporary)
        return HONE_OK;
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &b, 1);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "what", j->what);
    hone_jw_kbool(&w, "finished", finished);
    hone_jw_key(&w, "outputs");
    hone_jw_list(&w);
    for (size_t k = 0; k < j->n_out; k++) {
        hone_jw_map(&w);
        hone_jw_ki64(&w, "bytes", (int64_t)j->out[k].w.written);
        hone_jw_ki64(&w, "rows", (int64_t)j->out[k].rows);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_ki64(&w, "report", j->report_path ? (int64_t)j->report.written : 0);
    hone_jw_key(&w, "state");
    hone_jw_map(&w);
    if (put)
        put(ctx, &w);
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_status s = b.failed;
    char *path = s < 0 ? NULL : hone_job_path(j, "journal.json");
    if (s >= 0)
        s = path ? hone_file_replace(path, b.ptr, b.len) : HONE_E_NOMEM;
    hone_free(path);
    hone_buf_release(&b);
    return s;
}

/* Is there a journal of this very step? 1 and j->journal, or 0. */
static hone_status read_journal(hone_job *j)
{
    char *path = hone_job_path(j, "journal.json");
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = 0;
    if (hone_file_exists(path)) {
        s = hone_json_parse_file(path, 0, &j->arena, &j->journal);
        if (s < 0)
            hone_fail_hint("--fresh begins the step anew");
        hone_str what = {"", 0};
        if (s >= 0)
            s = hone_value_string(&j->journal, "what", what, &what);
        const hone_value *state = s < 0 ? NULL : hone_value_get(&j->journal, "state");
        s = state && state->type == HONE_MAP && hone_str_eq(what, j->what);
    }
    hone_free(path);
    return s;
}

/* ---- outputs ------------------------------------------------------------------------------------------------------ */

static hone_status open_part(hone_writer *w, const char *path, uint64_t bytes)
{
    uint64_t there = 0;
    if (hone_file_exists(path))
        HONE_TRY(hone_file_size(path, &there));
    if (there < bytes)
        return hone_fail(HONE_E_STATE, "%s: it is shorter than what was written", path);
    if (there > bytes)
        HONE_TRY(hone_file_truncate(path, bytes));
    return hone_writer_append(w, path);
}

static hone_status open_outputs(hone_job *j)
{
    const hone_value *list = j->resumed ? hone_value_get(&j->journal, "outputs") : NULL;
    int64_t n = 0;
    for (size_t k = 0; k < j->n_out; k++) {
        output *o = &j->out[k];
        int64_t bytes = 0, rows = 0;
        if (list && list->type == HONE_LIST && k < list->u.list.n) {
            HONE_TRY(hone_value_i64(&list->u.list.items[k], "bytes", 0, &bytes));
            HONE_TRY(hone_value_i64(&list->u.list.items[k], "rows", 0, &rows));
        }
        o->rows = (uint64_t)rows;
        HONE_TRY(open_part(&o->w, o->part, (uint64_t)bytes));
        if (j->lineage)
            HONE_TRY(hone_lineage_open(o->lineage_part, o->rows, &o->lineage));
    }
    if (!j->report_path)
        return HONE_OK;
    if (j->resumed)
        HONE_TRY(hone_value_i64(&j->journal, "report", 0, &n));
    return open_part(&j->report, j->report_part, (uint64_t)n);
}

static hone_status step_text(hone_job *j, const hone_job_spec *spec)
{
    hone_buf b;
    hone_jw w;
    hone_value settings;
    hone_buf_init(&b, 1 << 20);
    HONE_TRY(hone_json_parse(spec->settings.ptr, spec->settings.len, "the step's settings",
                             &j->arena, &settings));
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "verb", spec->verb);
    hone_jw_key(&w, "settings");
    hone_jw_value(&w, &settings);
    hone_jw_end(&w);
    j->own_step = hone_buf_detach(&b, NULL);
    hone_buf_release(&b);
    return j->own_step ? HONE_OK : HONE_E_NOMEM;
}

/* Empties the folder but for the lock; it is held. */
static hone_status empty_folder(hone_job *j)
{
    char **names;
    size_t n;
    HONE_TRY(hone_list_dir(j->folder, &names, &n));
    hone_status s = HONE_OK;
    for (size_t i = 0; i < n && s >= 0; i++) {
        if (strcmp(names[i], "lock") == 0)
            continue;
        char *path = hone_job_path(j, names[i]);
        s = path ? hone_remove_tree(path) : HONE_E_NOMEM;
        hone_free(path);
    }
    hone_names_free(names, n);
    return s;
}

hone_status hone_job_open(const hone_job_spec *spec, hone_job **out)
{
    hone_job *j = hone_calloc(1, sizeof *j);
    if (!j)
        return HONE_E_NOMEM;
    j->lock = j->report.fd = -1;
    j->input = spec->input;
    j->to_stdout = spec->n_out == 0;
    j->checkpoint_bytes = spec->checkpoint_bytes ? spec->checkpoint_bytes : CHECKPOINT;
    j->lineage = !spec->no_lineage && spec->n_out > 0;
    j->n_origins = hone_input_files(spec->input);
    hone_buf_init(&j->stdout_rows, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&j->line, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&j->chain, 1 << 20);
    hone_arena_init(&j->arena, 0);
    j->origins = hone_calloc(j->n_origins, sizeof *j->origins);
    j->verb = hone_strdup(spec->verb);
    hone_status s = j->origins && j->verb ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0)
        s = make_folder(j, spec);
    if (s >= 0)
        s = lock_folder(j);
    if (s >= 0)
        s = name_outputs(j, spec);
    if (s >= 0)
        s = describe(j, spec);
    if (s >= 0)
        s = step_text(j, spec);
    /* What came from standard input or went to standard output is gone with the process. */
    if (s >= 0 && !spec->fresh && !j->to_stdout && !hone_input_has_stdin(spec->input))
        s = read_journal(j);
    if (s >= 0) {
        j->resumed = s > 0;
        int finished = 0;
        if (j->resumed) {
            j->state = hone_value_get(&j->journal, "state");
            s = hone_value_bool(&j->journal, "finished", 0, &finished);
            j->finished = finished;
        } else {
            s = empty_folder(j);
        }
    }
    if (s >= 0 && !j->finished)
        s = open_outputs(j);
    if (s < 0) {
        hone_job_close(j);
        return s;
    }
    *out = j;
    return HONE_OK;
}

void hone_job_close(hone_job *j)
{
    if (!j)
        return;
    for (size_t k = 0; k < j->n_out; k++) {
        output *o = &j->out[k];
        if (o->w.fd >= 0)
            hone_writer_abandon(&o->w);
        hone_lineage_close(o->lineage);
        hone_buf_release(&o->last_path);
        hone_buf_release(&o->last_steps);
        hone_free(o->path);
        hone_free(o->part);
        hone_free(o->lineage_path);
        hone_free(o->lineage_part);
    }
    if (j->report.fd >= 0)
        hone_writer_abandon(&j->report);
    for (size_t i = 0; j->origins && i < j->n_origins; i++)
        hone_lineage_reader_close(j->origins[i].reader);
    if (j->temporary && j->folder)
        hone_remove_tree(j->folder);
    if (j->lock >= 0)
        close(j->lock);
    hone_buf_release(&j->stdout_rows);
    hone_buf_release(&j->line);
    hone_buf_release(&j->chain);
    hone_arena_release(&j->arena);
    hone_free(j->origins);
    hone_free(j->verb);
    hone_free(j->folder);
    hone_free(j->what);
    hone_free(j->report_path);
    hone_free(j->report_part);
    hone_free(j->own_step);
    hone_free(j);
}

const hone_value *hone_job_state(const hone_job *j)
{
    return j->state;
}

int hone_job_resumed(const hone_job *j)
{
    return j->resumed;
}

int hone_job_finished(const hone_job *j)
{
    return j->finished;
}

const char *hone_job_folder(const hone_job *j)
{
    return j->folder;
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

/* [steps before, this one] */
static hone_status chain_of(hone_job *j, hone_str before)
{
    hone_buf_clear(&j->chain);
    hone_buf_addc(&j->chain, '[');
    if (before.len > 2) {
        hone_buf_add(&j->chain, before.ptr + 1, before.len - 2);
        hone_buf_addc(&j->chain, ',');
    }
    hone_buf_adds(&j->chain, j->own_step);
    return hone_buf_addc(&j->chain, ']');
}

static hone_status put_lineage(hone_job *j, output *o, const hone_input_row *row, hone_str text)
{
    origin_of *known = &j->origins[row->file];
    hone_origin from = {.line = row->line, .own = hone_lineage_own(row->text)};
    const char *name = hone_input_path(j->input, row->file);
    hone_str path = {name, strlen(name)}, steps = {"[]", 2};
    if (!known->looked) {
        known->looked = 1;
        HONE_TRY(hone_lineage_look(name, &known->reader));
    }
    if (known->reader)
        HONE_TRY(hone_lineage_read(known->reader, row->of, &from, &path, &steps));
    else
        from.hash = hone_xxh128(row->text.ptr, row->text.len);
    if (!o->last_file || !hone_str_same(path, hone_buf_str(&o->last_path))) {
        hone_buf_clear(&o->last_path);
        HONE_TRY(hone_buf_add_str(&o->last_path, path));
        HONE_TRY(hone_lineage_file(o->lineage, path, &o->last_file));
    }
    if (!o->last_chain || !hone_str_same(steps, hone_buf_str(&o->last_steps))) {
        hone_buf_clear(&o->last_steps);
        HONE_TRY(hone_buf_add_str(&o->last_steps, steps));
        HONE_TRY(chain_of(j, steps));
        HONE_TRY(hone_lineage_chain(o->lineage, hone_buf_str(&j->chain), &o->last_chain));
    }
    from.own = text.ptr == row->text.ptr ? from.own : hone_lineage_own(text);
    from.file = o->last_file;
    from.chain = o->last_chain;
    return hone_lineage_put(o->lineage, &from);
}

static hone_status flush_stdout(hone_job *j)
{
    hone_status s = hone_file_write_fd(STDOUT_FILENO, j->stdout_rows.ptr, j->stdout_rows.len,
                                       "standard output");
    hone_buf_clear(&j->stdout_rows);
    return s;
}

hone_status hone_job_keep(hone_job *j, size_t k, const hone_input_row *row, const hone_str *text)
{
    const hone_str t = text ? *text : row->text;
    if (j->to_stdout) {
        hone_buf_add_str(&j->stdout_rows, t);
        HONE_TRY(hone_buf_addc(&j->stdout_rows, '\n'));
        j->stdout_n++;
        return j->stdout_rows.len > STDOUT_ROOM ? flush_stdout(j) : HONE_OK;
    }
    output *o = &j->out[k];
    HONE_TRY(hone_writer_add(&o->w, t.ptr, t.len));
    HONE_TRY(hone_writer_add(&o->w, "\n", 1));
    if (o->lineage)
        HONE_TRY(put_lineage(j, o, row, t));
    o->rows++;
    return HONE_OK;
}

uint64_t hone_job_kept(const hone_job *j, size_t k)
{
    return j->to_stdout ? j->stdout_n : j->out[k].rows;
}

hone_jw *hone_job_tell(hone_job *j, const hone_input_row *row)
{
    if (!j->report_path)
        return NULL;
    hone_buf_clear(&j->line);
    hone_jw_init(&j->jw, &j->line, 0);
    hone_jw_map(&j->jw);
    hone_jw_kcstr(&j->jw, "file", hone_input_path(j->input, row->file));
    hone_jw_ki64(&j->jw, "line", (int64_t)row->line);
    return &j->jw;
}

hone_status hone_job_told(hone_job *j)
{
    hone_jw_end(&j->jw);
    hone_buf_addc(&j->line, '\n');
    HONE_TRY(j->line.failed);
    return hone_writer_add(&j->report, j->line.ptr, j->line.len);
}

/* ---- notes -------------------------------------------------------------------------------------------------------- */

int hone_job_due(const hone_job *j, const hone_input_place *place)
{
    const uint64_t before = j->noted.file == place->file ? j->noted.at : 0;
    return !j->to_stdout &&
           (place->at - before >= j->checkpoint_bytes ||
            (place->at == 0 && place->n - j->noted.n >= j->checkpoint_bytes / 1024));
}

uint64_t hone_job_step(const hone_job *j)
{
    return j->checkpoint_bytes;
}

static hone_status make_lasting(hone_job *j)
{
    for (size_t k = 0; k < j->n_out; k++) {
        HONE_TRY(hone_writer_flush(&j->out[k].w, 1));
        if (j->out[k].lineage)
            HONE_TRY(hone_lineage_commit(j->out[k].lineage));
    }
    return j->report_path ? hone_writer_flush(&j->report, 1) : HONE_OK;
}

hone_status hone_job_note(hone_job *j, void (*put)(void *ctx, hone_jw *w), void *ctx)
{
    if (j->to_stdout)
        return HONE_OK;
    HONE_TRY(make_lasting(j));
    HONE_TRY(write_journal(j, put, ctx, 0));
    j->noted = hone_input_tell(j->input);
    return HONE_OK;
}

static hone_status move(const char *part, const char *path)
{
    if (!hone_file_exists(part)) /* it was moved before a kill */
        return HONE_OK;
    if (rename(part, path) != 0)
        return hone_fail_errno("%s: cannot be put in its place", path);
    char *dir = hone_path_dir(path);
    hone_status s = dir ? hone_fsync_dir(dir) : HONE_E_NOMEM;
    hone_free(dir);
    return s;
}

hone_status hone_job_finish(hone_job *j, void (*put)(void *ctx, hone_jw *w), void *ctx)
{
    if (j->to_stdout)
        HONE_TRY(flush_stdout(j));
    if (!j->finished) {
        HONE_TRY(make_lasting(j));
        HONE_TRY(write_journal(j, put, ctx, 1));
        for (size_t k = 0; k < j->n_out; k++) {
            hone_lineage_close(j->out[k].lineage);
            j->out[k].lineage = NULL;
            HONE_TRY(hone_writer_close(&j->out[k].w));
        }
        if (j->report_path)
            HONE_TRY(hone_writer_close(&j->report));
        j->finished = 1;
    }
    for (size_t k = 0; k < j->n_out; k++) {
        if (j->lineage)
            HONE_TRY(move(j->out[k].lineage_part, j->out[k].lineage_path));
        HONE_TRY(move(j->out[k].part, j->out[k].path));
    }
    if (j->report_path)
        HONE_TRY(move(j->report_part, j->report_path));
    return j->temporary ? HONE_OK : hone_remove_tree(j->folder);
}

void hone_job_put_place(hone_jw *w, const hone_input_place *place)
{
    hone_jw_ki64(w, "file", (int64_t)place->file);
    hone_jw_ki64(w, "at", (int64_t)place->at);
    hone_jw_ki64(w, "line", (int64_t)place->line);
    hone_jw_ki64(w, "of", (int64_t)place->of);
    hone_jw_ki64(w, "n", (int64_t)place->n);
}

hone_status hone_job_get_count(const hone_value *state, const char *key, uint64_t *out)
{
    const hone_value *v = hone_value_get(state, key);
    if (!v || v->type != HONE_I64 || v->u.i64 < 0)
        return hone_fail(HONE_E_STATE, "the journal of the step has no count \"%s\"", key);
    *out = (uint64_t)v->u.i64;
    return HONE_OK;
}

hone_status hone_job_get_place(const hone_value *state, hone_input_place *place)
{
    HONE_TRY(hone_job_get_count(state, "file", &place->file));
    HONE_TRY(hone_job_get_count(state, "at", &place->at));
    HONE_TRY(hone_job_get_count(state, "line", &place->line));
    HONE_TRY(hone_job_get_count(state, "of", &place->of));
    return hone_job_get_count(state, "n", &place->n);
}
