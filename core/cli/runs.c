/* runs.c - `hone runs [DIR]`: what runs there are, how far each came, and what can go on.
 *
 * A run is a folder with a run.json. What is shown comes from run.json, the last whole line of
 * metrics.jsonl, the checkpoints and the lock; no run is changed or locked by being listed. One that
 * cannot be read is shown with its error, so that a damaged run does not hide the others. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "web/html.h"
#include "web/rundir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TAIL = 1 << 18, DEEP = 8 };

typedef struct row {
    const char *name; /* the folder's */
    char recipe[128], problem[512], from[128],
        failed[512]; /* from: "RUN@step", the folder's name */
    hone_run_state state;
    int64_t step;        /* of the last line of metrics; 0 = none */
    double reward, loss; /* NAN = none */
    double age;          /* seconds since it was written to */
    uint64_t bytes;
} row;

/* Bytes of all files below, and the newest time of change among the files of the folder itself. */
static void measure(const char *dir, int depth, uint64_t *bytes, time_t *newest)
{
    char **names = NULL;
    size_t n = 0;
    if (depth > DEEP || hone_list_dir(dir, &names, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        char *p = hone_path_join(dir, names[i]);
        if (p && lstat(p, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                measure(p, depth + 1, bytes, newest);
            else
                *bytes += (uint64_t)st.st_size;
            /* a report made later is no life of the run */
            if (depth == 0 && S_ISREG(st.st_mode) && st.st_mtime > *newest &&
                strcmp(names[i], "report.html") != 0)
                *newest = st.st_mtime;
        }
        hone_free(p);
    }
    hone_names_free(names, n);
}

/* The last whole line of metrics.jsonl, by reading its end only. */
static hone_status last_metrics(const char *dir, row *r)
{
    char *path = hone_path_join(dir, "metrics.jsonl"), *text = NULL;
    hone_arena a;
    hone_value v;
    hone_arena_init(&a, 0);
    hone_status s = path ? HONE_OK : HONE_E_NOMEM;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    if (s < 0 || size <= 0)
        goto done;
    size_t n = size > TAIL ? TAIL : (size_t)size, from;
    text = hone_alloc(n);
    if (!text) {
        s = HONE_E_NOMEM;
        goto done;
    }
    ssize_t got = pread(fd, text, n, size - (off_t)n);
    if (got < 0) {
        s = hone_fail_errno("cannot read %s", path);
        goto done;
    }
    n = (size_t)got;
    while (n && text[n - 1] != '\n')
        n--;
    if (n == 0)
        goto done;
    for (from = n - 1; from > 0 && text[from - 1] != '\n';)
        from--;
    s = hone_json_parse(text + from, n - 1 - from, path, &a, &v);
    if (s >= 0)
        s = hone_value_i64(&v, "step", 0, &r->step);
    if (s >= 0)
        s = hone_value_f64(&v, "reward/mean", (double)NAN, &r->reward);
    if (s >= 0)
        s = hone_value_f64(&v, "loss", (double)NAN, &r->loss);
done:
    if (fd >= 0)
        close(fd);
    hone_free(text);
    hone_free(path);
    hone_arena_release(&a);
    return s;
}

static hone_status text_of(const hone_value *meta, const char *key, char *out, size_t n)
{
    hone_str v;
    HONE_TRY(hone_value_string(meta, key, (hone_str){"", 0}, &v));
    snprintf(out, n, "%.*s", (int)(v.len < n ? v.len : n - 1), v.ptr ? v.ptr : "");
    return HONE_OK;
}

static hone_status read_row(const char *dir, row *r)
{
    hone_arena a;
    hone_value meta;
    hone_str recipe = {"", 0};
    hone_arena_init(&a, 0);
    hone_status s = hone_run_meta_read(dir, &a, &meta);
    if (s >= 0)
        s = hone_value_string(&meta, "recipe", recipe, &recipe);
    if (s >= 0) {
        snprintf(r->recipe, sizeof r->recipe, "%.*s", (int)(recipe.len > 127 ? 127 : recipe.len),
                 recipe.ptr);
        s = hone_run_state_get(dir, &meta, &r->state);
    }
    if (s >= 0)
        s = text_of(&meta, "failed", r->failed, sizeof r->failed);
    if (s >= 0) {
        char from[4096];
        s = text_of(&meta, "from", from, sizeof from);
        if (s >= 0)
            snprintf(r->from, sizeof r->from, "%.127s", hone_path_base(from));
    }
    if (s >= 0)
        s = last_metrics(dir, r);
    hone_arena_release(&a);
    if (s < 0)
        snprintf(r->problem, sizeof r->problem, "%s", hone_error_get()->what);
    return s;
}

static void age_text(double s, char out[32])
{
    if (s < 90)
        snprintf(out, 32, "%.0f s", s);
    else if (s < 90 * 60)
        snprintf(out, 32, "%.0f min", s / 60);
    else if (s < 36 * 3600)
        snprintf(out, 32, "%.0f h", s / 3600);
    else
        snprintf(out, 32, "%.0f d", s / 86400);
}

static void size_text(uint64_t bytes, char out[32])
{
    double b = (double)bytes;
    if (b < 1e6)
        snprintf(out, 32, "%.0f kB", ceil(b / 1e3));
    else if (b < 1e9)
        snprintf(out, 32, "%.1f MB", b / 1e6);
    else
        snprintf(out, 32, "%.1f GB", b / 1e9);
}

enum { CELLS = 8 };
static void cells(const row *r, char c[CELLS][200])
{
    snprintf(c[0], 200, "%s", r->name);
    snprintf(c[1], 200, "%s", hone_path_base(r->recipe));
    snprintf(c[2], 200, "%" PRId64, r->step);
    hone__web_number(r->reward, c[3]);
    hone__web_number(r->loss, c[4]);
    age_text(r->age, c[5]);
    size_text(r->bytes, c[6]);
    if (r->problem[0])
        snprintf(c[7], 200, "unreadable: %.180s", r->problem);
    else
        hone_run_state_text(&r->state, c[7]);
    if (r->from[0]) {
        size_t n = strlen(c[7]);
        snprintf(c[7] + n, 200 - n, "; from %s", r->from);
    }
}

static hone_status print_table(const row *rows, size_t n, hone_buf *b)
{
    static const char *const heads[CELLS] = {"run",  "recipe", "steps", "reward",
                                             "loss", "age",    "size",  "state"};
    size_t width[CELLS];
    char c[CELLS][200];
    for (int k = 0; k < CELLS; k++)
        width[k] = strlen(heads[k]);
    for (size_t i = 0; i < n; i++) {
        cells(&rows[i], c);
        for (int k = 0; k < CELLS; k++)
            width[k] = strlen(c[k]) > width[k] ? strlen(c[k]) : width[k];
    }
    for (size_t i = 0; i <= n; i++) {
        if (i)
            cells(&rows[i - 1], c);
        for (int k = 0; k < CELLS; k++) {
            const char *text = i ? c[k] : heads[k];
            if (k == CELLS - 1)
                hone_buf_addf(b, "%s\n", text);
            else if (k < 2)
                hone_buf_addf(b, "%-*s  ", (int)width[k], text);
            else
                hone_buf_addf(b, "%*s  ", (int)width[k], text);
        }
    }
    return b->failed;
}

static hone_status print_json(const row *rows, size_t n, hone_buf *b)
{
    static const char *const states[] = {"unreadable", "resumable", "running", "finished",
                                         "stopped"};
    hone_jw w;
    hone_jw_init(&w, b, 2);
    hone_jw_list(&w);
    for (size_t i = 0; i < n; i++) {
        const row *r = &rows[i];
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "run", r->name);
        hone_jw_kcstr(&w, "recipe", r->recipe);
        hone_jw_ki64(&w, "steps", r->step);
        hone_jw_kf64(&w, "reward", r->reward);
        hone_jw_kf64(&w, "loss", r->loss);
        hone_jw_kcstr(&w, "state", states[r->problem[0] ? 0 : r->state.what]);
        if (r->state.failed)
            hone_jw_kcstr(&w, "failed", r->failed);
        if (r->from[0])
            hone_jw_kcstr(&w, "from", r->from);
        hone_jw_ki64(&w, "checkpoint", (int64_t)r->state.checkpoint);
        hone_jw_kf64(&w, "age_s", r->age);
        hone_jw_ki64(&w, "bytes", (int64_t)r->bytes);
        if (r->problem[0])
            hone_jw_kcstr(&w, "problem", r->problem);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_buf_addc(b, '\n');
    return b->failed;
}

static hone_status list(const char *dir, int json, hone_buf *b)
{
    char **names = NULL;
    size_t n = 0, k = 0;
    if (!hone_file_is_dir(dir)) {
        hone_status s = hone_fail(HONE_E_NOT_FOUND, "%s is no folder", dir);
        hone_fail_hint(
            "runs are made in the folder runs/ of where hone run was called; or: hone runs DIR");
        return s;
    }
    HONE_TRY(hone_list_dir(dir, &names, &n));
    row *rows = hone_calloc(n ? n : 1, sizeof *rows);
    hone_status s = rows ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        char *run = hone_path_join(dir, names[i]),
             *meta = run ? hone_path_join(run, "run.json") : NULL;
        if (!meta) {
            s = HONE_E_NOMEM;
        } else if (hone_file_exists(meta)) {
            time_t newest = 0;
            row *r = &rows[k++];
            *r = (row){.name = names[i], .reward = (double)NAN, .loss = (double)NAN};
            if (read_row(run, r) == HONE_E_NOMEM)
                s = HONE_E_NOMEM;
            measure(run, 0, &r->bytes, &newest);
            r->age = difftime(time(NULL), newest);
            r->age = r->age < 0 ? 0 : r->age;
        }
        hone_free(meta);
        hone_free(run);
    }
    if (s >= 0 && json)
        s = print_json(rows, k, b);
    else if (s >= 0 && k)
        s = print_table(rows, k, b);
    else if (s >= 0)
        s = hone_buf_addf(b, "no runs in %s\n", dir);
    hone_free(rows);
    hone_names_free(names, n);
    return s;
}

int hone_cli_runs(int argc, char **argv)
{
    static int json;
    static const hone_arg options[] = {{"json", HONE_ARG_FLAG, &json, NULL, "as JSON"}, {0}};
    static const char *const examples[] = {"hone runs", "hone runs /data/runs --json", NULL};
    static const hone_args spec = {
        "runs",
        "[DIR] [--json]",
        "Lists the runs of a folder (runs): how far each came, its last numbers, whether\n"
        "it finished, is running, or can be resumed. Age: since it was last written to.",
        options,
        examples,
        0,
        1};
    hone_rest rest;
    hone_buf b;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_status s = list(rest.n ? rest.v[0] : "runs", json, &b);
    if (s >= 0)
        fwrite(b.ptr, 1, b.len, stdout);
    hone_buf_release(&b);
    return hone_cli_finish(hone_cli_fail(s));
}
