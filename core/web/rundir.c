/* rundir.c - reading a run directory (see rundir.h).
 *
 * Tables are columns of doubles, since everything that is drawn or said of them goes column by column.
 * Samples are chosen in two passes over the stream of rollouts, the first of which only counts them by
 * step, so that a long run needs no more memory than what is shown. */
#include "web/rundir.h"

#include "base/alloc.h"
#include "base/json.h"
#include "store/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- state ---------------------------------------------------------------------------------------- */

hone_status hone_run_meta_read(const char *dir, hone_arena *arena, hone_value *out)
{
    char *path = hone_path_join(dir, "run.json");
    if (!path)
        return HONE_E_NOMEM;
    hone_status s;
    hone_value v;
    if (!hone_file_exists(path)) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s is no run directory (no run.json)", dir);
        hone_fail_hint("hone runs lists the runs of a folder");
    } else {
        s = hone_json_parse_file(path, (size_t)64 << 20, arena, &v);
        if (s >= 0 && v.type != HONE_MAP)
            s = hone_fail(HONE_E_PARSE, "%s: an object is wanted", path);
    }
    hone_free(path);
    if (s >= 0)
        *out = v;
    return s;
}

static int lock_is_held(const char *dir)
{
    char *path = hone_path_join(dir, ".lock");
    int held = 0;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        close(fd);
    }
    hone_free(path);
    return held;
}

hone_status hone_run_state_get(const char *dir, const hone_value *meta, hone_run_state *out)
{
    uint64_t *steps = NULL;
    size_t n = 0;
    int finished = 0;
    const hone_value *failed = hone_value_get(meta, "failed");
    HONE_TRY(hone_value_bool(meta, "finished", 0, &finished));
    HONE_TRY(hone_checkpoint_list(dir, &steps, &n));
    out->checkpoint = n ? steps[n - 1] : 0;
    hone_free(steps);
    out->what = finished            ? HONE_RUN_FINISHED
                : lock_is_held(dir) ? HONE_RUN_RUNNING
                : out->checkpoint   ? HONE_RUN_RESUMABLE
                                    : HONE_RUN_STOPPED;
    out->failed = failed && failed->type == HONE_STRING &&
                  (out->what == HONE_RUN_RESUMABLE || out->what == HONE_RUN_STOPPED);
    return HONE_OK;
}

void hone_run_state_text(const hone_run_state *s, char out[64])
{
    switch (s->what) {
    case HONE_RUN_FINISHED:
        snprintf(out, 64, "finished");
        break;
    case HONE_RUN_RUNNING:
        snprintf(out, 64, "running");
        break;
    case HONE_RUN_RESUMABLE:
        snprintf(out, 64, "%sresumable from step %" PRIu64, s->failed ? "failed; " : "",
                 s->checkpoint);
        break;
    default:
        snprintf(out, 64, "%s without a checkpoint", s->failed ? "failed" : "stopped");
    }
}

/* ---- numbers -------------------------------------------------------------------------------------- */

void hone__web_table_release(hone__web_table *t)
{
    for (size_t i = 0; i < t->n_cols; i++) {
        hone_free(t->cols[i].name);
        hone_free(t->cols[i].v);
    }
    hone_free(t->cols);
    hone_free(t->step);
    memset(t, 0, sizeof *t);
}

const double *hone__web_column_get(const hone__web_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_cols; i++) {
        if (strcmp(t->cols[i].name, name) == 0)
            return t->cols[i].v;
    }
    return NULL;
}

static hone_status grow_rows(hone__web_table *t)
{
    if (t->n_rows < t->cap)
        return HONE_OK;
    size_t cap = t->cap ? t->cap * 2 : 256;
    double *step = hone_realloc(t->step, cap * sizeof *step);
    if (!step)
        return HONE_E_NOMEM;
    t->step = step;
    for (size_t i = 0; i < t->n_cols; i++) {
        double *v = hone_realloc(t->cols[i].v, cap * sizeof *v);
        if (!v)
            return HONE_E_NOMEM;
        t->cols[i].v = v;
    }
    t->cap = cap;
    return HONE_OK;
}

/* The column of that name, made when it is new; *out NULL when there are too many. `hint` is where it
 * stood in the last row: rows name the same things in the same order. */
static hone_status column(hone__web_table *t, hone_str name, size_t hint, hone__web_column **out)
{
    if (hint < t->n_cols && hone_str_eq(name, t->cols[hint].name)) {
        *out = &t->cols[hint];
        return HONE_OK;
    }
    for (size_t i = 0; i < t->n_cols; i++) {
        if (hone_str_eq(name, t->cols[i].name)) {
            *out = &t->cols[i];
            return HONE_OK;
        }
    }
    *out = NULL;
    if (t->n_cols == HONE_WEB_COLUMNS || name.len > 200) {
        t->cols_left++;
        return HONE_OK;
    }
    if (t->n_cols == t->cap_cols) {
        size_t cap = t->cap_cols ? t->cap_cols * 2 : 32;
        hone__web_column *cols = hone_realloc(t->cols, cap * sizeof *cols);
        if (!cols)
            return HONE_E_NOMEM;
        t->cols = cols;
        t->cap_cols = cap;
    }
    hone__web_column *c = &t->cols[t->n_cols];
    c->name = hone_alloc(name.len + 1);
    c->v = hone_alloc(t->cap * sizeof *c->v);
    if (!c->name || !c->v) {
        hone_free(c->name);
        hone_free(c->v);
        return HONE_E_NOMEM;
    }
    memcpy(c->name, name.ptr, name.len);
    c->name[name.len] = '\0';
    for (size_t i = 0; i < t->n_rows; i++)
        c->v[i] = (double)NAN;
    t->n_cols++;
    *out = c;
    return HONE_OK;
}

static double number(const hone_value *v)
{
    double x = v->type == HONE_I64   ? (double)v->u.i64
               : v->type == HONE_F64 ? v->u.f64
                                     : (double)NAN;
    return isfinite(x) ? x : (double)NAN;
}

hone_status hone__web_table_add(hone__web_table *t, const hone_value *row)
{
    const hone_value *step = hone_value_get(row, "step");
    if (row->type != HONE_MAP || !step || isnan(number(step)))
        return hone_fail(HONE_E_PARSE, "an object with a number \"step\" is wanted");
    double at = number(step);
    while (t->n_rows && t->step[t->n_rows - 1] >= at)
        t->n_rows--;
    HONE_TRY(grow_rows(t));
    size_t r = t->n_rows++;
    t->step[r] = at;
    for (size_t i = 0; i < t->n_cols; i++)
        t->cols[i].v[r] = (double)NAN;
    size_t hint = 0;
    for (size_t i = 0; i < row->u.map.n; i++) {
        const hone_pair *p = &row->u.map.pairs[i];
        hone__web_column *c;
        if (&p->value == step || (p->value.type != HONE_I64 && p->value.type != HONE_F64))
            continue;
        HONE_TRY(column(t, p->key, hint, &c));
        if (c) {
            c->v[r] = number(&p->value);
            hint = (size_t)(c - t->cols) + 1;
        }
    }
    return HONE_OK;
}

hone_status hone__web_table_read(const char *path, hone__web_table *t)
{
    hone_buf text;
    hone_arena a;
    hone_status s = HONE_OK;
    memset(t, 0, sizeof *t);
    if (!hone_file_exists(path))
        return HONE_OK;
    hone_buf_init(&text, (size_t)2 << 30);
    hone_arena_init(&a, 0);
    s = hone_file_read(path, (size_t)2 << 30, &text);
    size_t line = 0;
    for (size_t i = 0; s >= 0 && i < text.len;) {
        const char *from = text.ptr + i, *nl = memchr(from, '\n', text.len - i);
        hone_value row;
        line++;
        if (!nl) {
            t->cut = 1;
            break;
        }
        hone_arena_clear(&a);
        s = hone_json_parse(from, (size_t)(nl - from), NULL, &a, &row);
        if (s >= 0)
            s = hone__web_table_add(t, &row);
        if (s == HONE_E_PARSE)
            hone_fail_at("%s:%zu", path, line);
        i += (size_t)(nl - from) + 1;
    }
    hone_arena_release(&a);
    hone_buf_release(&text);
    return s;
}

/* ---- samples -------------------------------------------------------------------------------------- */

typedef struct step_count {
    int64_t step;
    size_t n;
    int chosen;
} step_count;

typedef struct reading {
    const char *path;
    step_count *steps;
    size_t n_steps, cap_steps;
    size_t line, at; /* `at`: the step the line before belonged to */
    size_t limit;
    hone_arena scratch, *arena;
    hone__web_samples *out;
} reading;

/* Lines begin with "step"; anything else is read as a whole to find it. */
static hone_status step_of(reading *r, hone_str line, int64_t *step)
{
    static const char head[] = "{\"step\":";
    hone_value v;
    size_t i = sizeof head - 1;
    int64_t x = 0;
    if (line.len > i && memcmp(line.ptr, head, i) == 0) {
        size_t begin = i;
        for (; i < line.len && i - begin < 18 && line.ptr[i] >= '0' && line.ptr[i] <= '9'; i++)
            x = x * 10 + (line.ptr[i] - '0');
        if (i > begin && i < line.len && line.ptr[i] == ',') {
            *step = x;
            return HONE_OK;
        }
    }
    hone_arena_clear(&r->scratch);
    HONE_TRY(hone_json_parse(line.ptr, line.len, NULL, &r->scratch, &v));
    const hone_value *at = hone_value_get(&v, "step");
    if (!at || at->type != HONE_I64)
        return hone_fail(HONE_E_PARSE, "a sample without a step");
    *step = at->u.i64;
    return HONE_OK;
}

static hone_status placed(reading *r, hone_status s)
{
    if (s == HONE_E_PARSE || s == HONE_E_TYPE)
        hone_fail_at("%s: line %zu", r->path, r->line);
    return s;
}

static hone_status count_line(void *ctx, hone_str line)
{
    reading *r = ctx;
    int64_t step;
    r->line++;
    HONE_TRY(placed(r, step_of(r, line, &step)));
    r->out->n_all++;
    if (r->n_steps == 0 || r->steps[r->n_steps - 1].step != step) {
        if (r->n_steps == r->cap_steps) {
            size_t cap = r->cap_steps ? r->cap_steps * 2 : 256;
            step_count *more = hone_realloc(r->steps, cap * sizeof *more);
            if (!more)
                return HONE_E_NOMEM;
            r->steps = more;
            r->cap_steps = cap;
        }
        r->steps[r->n_steps++] = (step_count){.step = step};
    }
    r->steps[r->n_steps - 1].n++;
    return HONE_OK;
}

/* First, last and evenly spaced ones between: the most steps whose samples fit. */
static void choose(reading *r)
{
    size_t best = 0;
    for (size_t k = r->n_steps; k >= 1 && !best; k = k > 64 ? k - k / 32 : k - 1) {
        size_t sum = 0;
        for (size_t i = 0; i < k; i++)
            sum += r->steps[k == 1 ? r->n_steps - 1 : i * (r->n_steps - 1) / (k - 1)].n;
        if (sum <= r->limit || k == 1)
            best = k;
    }
    for (size_t i = 0; i < best; i++)
        r->steps[best == 1 ? r->n_steps - 1 : i * (r->n_steps - 1) / (best - 1)].chosen = 1;
    r->out->steps_all = r->n_steps;
    r->out->steps = best;
}

static hone_status keep_text(reading *r, const hone_value *map, const char *key, hone_str *out)
{
    hone_str s = {"", 0};
    HONE_TRY(hone_value_string(map, key, s, &s));
    if (s.len > HONE_WEB_TEXT) {
        s.len = HONE_WEB_TEXT;
        while (s.len && ((unsigned char)s.ptr[s.len] & 0xC0) == 0x80)
            s.len--;
        r->out->shortened++;
    }
    *out = hone_arena_str(r->arena, s);
    return s.len && !out->ptr ? HONE_E_NOMEM : HONE_OK;
}

static hone_status keep_line(reading *r, hone_str line)
{
    hone__web_samples *o = r->out;
    hone__web_sample x = {.outcomes = {.type = HONE_NULL}};
    hone_value v;
    int left_out = 0;
    hone_arena_clear(&r->scratch);
    HONE_TRY(hone_json_parse(line.ptr, line.len, NULL, &r->scratch, &v));
    if (v.type != HONE_MAP)
        return hone_fail(HONE_E_PARSE, "an object is wanted");
    HONE_TRY(hone_value_i64(&v, "step", 0, &x.step));
    HONE_TRY(hone_value_i64(&v, "sample", 0, &x.sample));
    HONE_TRY(hone_value_i64(&v, "group", 0, &x.group));
    HONE_TRY(hone_value_f64(&v, "reward", (double)NAN, &x.reward));
    HONE_TRY(hone_value_f64(&v, "advantage", (double)NAN, &x.advantage));
    HONE_TRY(hone_value_bool(&v, "left_out", 0, &left_out));
    x.left_out = left_out;
    HONE_TRY(keep_text(r, &v, "prompt", &x.prompt));
    HONE_TRY(keep_text(r, &v, "completion", &x.completion));
    HONE_TRY(keep_text(r, &v, "finish", &x.finish));
    const hone_value *ids = hone_value_get(&v, "ids"), *outcomes = hone_value_get(&v, "outcomes");
    x.tokens = ids && ids->type == HONE_LIST ? (int64_t)ids->u.list.n : -1;
    if (outcomes && outcomes->type == HONE_MAP)
        HONE_TRY(hone_value_copy(r->arena, outcomes, &x.outcomes));
    if (o->n == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 128;
        hone__web_sample *more = hone_realloc(o->items, cap * sizeof *more);
        if (!more)
            return HONE_E_NOMEM;
        o->items = more;
        o->cap = cap;
    }
    o->items[o->n++] = x;
    return HONE_OK;
}

static hone_status take_line(void *ctx, hone_str line)
{
    reading *r = ctx;
    int64_t step;
    r->line++;
    HONE_TRY(placed(r, step_of(r, line, &step)));
    if (r->line > 1 && r->at < r->n_steps && r->steps[r->at].step != step)
        r->at++;
    /* a run that is going on may have written more since the first pass */
    if (r->at >= r->n_steps || !r->steps[r->at].chosen || r->out->n == r->limit)
        return HONE_OK;
    return placed(r, keep_line(r, line));
}

hone_status hone__web_samples_read(const char *path, size_t limit, hone_arena *arena,
                                   hone__web_samples *out)
{
    reading r = {.path = path, .limit = limit, .arena = arena, .out = out};
    memset(out, 0, sizeof *out);
    if (!hone_file_exists(path))
        return HONE_OK;
    hone_arena_init(&r.scratch, 0);
    hone_status s = hone_rollouts_read(path, count_line, &r, &out->truncated);
    if (s >= 0 && r.n_steps && limit) {
        choose(&r);
        r.line = r.at = 0;
        s = hone_rollouts_read(path, take_line, &r, NULL);
    }
    hone_arena_release(&r.scratch);
    hone_free(r.steps);
    if (s < 0) {
        hone_free(out->items);
        memset(out, 0, sizeof *out);
    }
    return s;
}
