/* select.c - see select.h.
 *
 * Phase 1: the scores, as the bits of doubles in a table, and for `diverse` a sketch of each row in a file. Phase 2: limits, a sort for `top`,
 * the farthest-first walk; who stays is marked in the table. Phase 3: a pass that keeps what is marked. */
#include "curate/select.h"

#include "base/alloc.h"
#include "curate/sorter.h"
#include "curate/table.h"

#include <math.h>
#include <string.h>

enum { SIGNATURE = 64, EMBEDDING_MAX = 16384 };

typedef struct worker {
    hone_words words;
    hone_shingles shingles;
    hone_arena arena;
} worker;

typedef struct selection {
    const hone_select_spec *spec;
    hone_minhash minhash;
    hone_input *in;
    hone_job *job;
    worker *workers;
    uint32_t threads;
    hone_table scores, sketches;
    hone_table chosen; /* the scores again: NaN, of those that do not stay */
    size_t width;      /* words of 64 bits of a sketch */
    size_t dim;        /* of embeddings, once known */
    uint64_t phase;
    int read;
    hone_buf line; /* a kept row with its score */
    hone_select_result *out;
} selection;

static uint64_t bits_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static double number_of(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* ---- phase 1 ------------------------------------------------------------------------------------------------------------ */

/* A row's slot: its score, then its sketch. */
static hone_status read_score(selection *p, worker *w, const hone_input_row *row, double *score)
{
    hone_value v;
    *score = 0;
    if (!p->spec->by)
        return HONE_OK;
    hone_arena_clear(&w->arena);
    HONE_TRY(hone_json_parse(row->text.ptr, row->text.len, NULL, &w->arena, &v));
    const hone_value *at = hone_value_path(&v, p->spec->by);
    if (!at || at->type == HONE_NULL) {
        *score = NAN;
        return HONE_OK;
    }
    *score = at->type == HONE_BOOL ? (double)at->u.boolean : hone_value_number(at);
    return isnan(*score) ? hone_fail(HONE_E_TYPE, "column \"%s\" is no number", p->spec->by)
                         : HONE_OK;
}

static hone_status read_embedding(selection *p, worker *w, const hone_input_row *row,
                                  uint64_t *sketch)
{
    hone_value v;
    float *to = (float *)(void *)sketch;
    double sum = 0;
    hone_arena_clear(&w->arena);
    HONE_TRY(hone_json_parse(row->text.ptr, row->text.len, NULL, &w->arena, &v));
    const hone_value *list = hone_value_path(&v, p->spec->embedding);
    if (!list || list->type != HONE_LIST || list->u.list.n == 0)
        return hone_fail(HONE_E_NOT_FOUND, "no list of numbers \"%s\"", p->spec->embedding);
    if (list->u.list.n != p->dim)
        return hone_fail(HONE_E_TYPE, "\"%s\" has %zu numbers, that of the first row %zu",
                         p->spec->embedding, list->u.list.n, p->dim);
    for (size_t i = 0; i < p->dim; i++) {
        const double x = hone_value_number(&list->u.list.items[i]);
        if (!isfinite(x))
            return hone_fail(HONE_E_TYPE, "\"%s\" is no list of finite numbers",
                             p->spec->embedding);
        sum += x * x;
    }
    for (size_t i = 0; i < p->dim; i++)
        to[i] = sum > 0 ? (float)(hone_value_number(&list->u.list.items[i]) / sqrt(sum)) : 0;
    return HONE_OK;
}

static hone_status look(void *ctx, uint32_t thread, const hone_input_row *row, hone_scan *scan,
                        void *slot)
{
    selection *p = ctx;
    worker *w = &p->workers[thread];
    double score;
    HONE_TRY(read_score(p, w, row, &score));
    *(uint64_t *)slot = bits_of(score);
    if (!p->spec->diverse)
        return HONE_OK;
    if (p->spec->embedding)
        return read_embedding(p, w, row, (uint64_t *)slot + 1);
    HONE_TRY(hone_words_of(&w->words, hone_buf_str(&scan->text)));
    HONE_TRY(hone_shingles_of(&p->minhash, &w->words, &w->shingles));
    hone_minhash_sign(&p->minhash, &w->shingles, (uint32_t *)(void *)((uint64_t *)slot + 1));
    return HONE_OK;
}

static hone_status add_row(selection *p, uint64_t score, const uint64_t *sketch)
{
    HONE_TRY(hone_table_add(&p->scores, score));
    for (size_t i = 0; i < p->width; i++)
        HONE_TRY(hone_table_add(&p->sketches, sketch ? sketch[i] : 0));
    return HONE_OK;
}

static hone_status take_scored(void *ctx, const hone_input_row *row, void *slot)
{
    selection *p = ctx;
    uint64_t score = *(const uint64_t *)slot;
    while (p->scores.n < row->n) /* malformed rows in between */
        HONE_TRY(add_row(p, bits_of(NAN), NULL));
    if (p->spec->score) {
        double x = NAN;
        hone_status s = p->spec->score(p->spec->ctx, row, &x);
        if (s < 0)
            return hone_fail_at("%s:%llu", hone_input_path(p->in, row->file),
                                (unsigned long long)row->line);
        score = bits_of(x);
    }
    return add_row(p, score, (const uint64_t *)slot + 1);
}

static hone_status settle(void *ctx)
{
    selection *p = ctx;
    HONE_TRY(hone_table_flush(&p->scores));
    return p->width ? hone_table_flush(&p->sketches) : HONE_OK;
}

static void note_scores(void *ctx, hone_jw *w)
{
    const selection *p = ctx;
    hone_jw_ki64(w, "phase", (int64_t)p->phase);
    hone_jw_ki64(w, "rows", (int64_t)p->out->pass.rows);
    hone_jw_ki64(w, "unread", (int64_t)p->out->pass.bad);
    hone_jw_ki64(w, "placed", (int64_t)(p->chosen.n ? p->chosen.n : p->scores.n));
    hone_jw_kbool(w, "read", p->read);
}

static void note_read(void *ctx, hone_jw *w)
{
    const hone_input_place start = {0};
    note_scores(ctx, w);
    hone_job_put_place(w, &start);
}

/* How many numbers an embedding has: of the first row. */
static hone_status find_width(selection *p)
{
    const hone_input_row *rows;
    size_t n;
    hone_value v;
    p->width = p->spec->diverse ? SIGNATURE / 2 : 0;
    if (!p->spec->diverse || !p->spec->embedding)
        return HONE_OK;
    hone_status s = hone_input_next(p->in, &rows, &n);
    if (s <= 0)
        return s;
    HONE_TRY(hone_json_parse(rows[0].text.ptr, rows[0].text.len, NULL, &p->workers[0].arena, &v));
    const hone_value *list = hone_value_path(&v, p->spec->embedding);
    if (!list || list->type != HONE_LIST || !list->u.list.n || list->u.list.n > EMBEDDING_MAX)
        return hone_fail(HONE_E_NOT_FOUND, "the first row has no list of numbers \"%s\"",
                         p->spec->embedding);
    p->dim = list->u.list.n;
    p->width = (p->dim + 1) / 2;
    return HONE_OK;
}

static hone_status read_all(selection *p, hone_pool *pool)
{
    const hone_value *state = hone_job_state(p->job);
    const char *dir = hone_job_folder(p->job);
    hone_input_place place = {0};
    uint64_t placed = 0;
    if (state) {
        HONE_TRY(hone_job_get_count(state, "rows", &p->out->pass.rows));
        HONE_TRY(hone_job_get_count(state, "unread", &p->out->pass.bad));
        HONE_TRY(hone_job_get_count(state, "placed", &placed));
        HONE_TRY(hone_job_get_place(state, &place));
        HONE_TRY(hone_value_bool(state, "read", 0, &p->read));
    }
    HONE_TRY(find_width(p));
    HONE_TRY(hone_table_open(&p->scores, dir, "scores", placed));
    if (p->width)
        HONE_TRY(hone_table_open(&p->sketches, dir, "sketches", placed * p->width));
    if (p->read)
        return HONE_OK;
    hone_pass pass = {.ctx = p,
                      .columns = p->spec->columns,
                      .slot = (1 + p->width) * sizeof(uint64_t),
                      .work = look,
                      .take = take_scored,
                      .before_note = settle,
                      .note = note_scores,
                      .skip_bad = p->spec->skip_bad,
                      .every = p->spec->every};
    HONE_TRY(hone_input_seek(p->in, &place));
    hone_input_limit(p->in, (size_t)p->spec->every);
    HONE_TRY(hone_pass_run(&pass, p->in, pool, p->job, &p->out->pass));
    hone_input_limit(p->in, 0);
    while (p->scores.n < hone_input_tell(p->in).n)
        HONE_TRY(add_row(p, bits_of(NAN), NULL));
    HONE_TRY(settle(p));
    p->read = 1;
    return hone_job_note(p->job, note_read, p);
}

/* ---- phase 2 ------------------------------------------------------------------------------------------------------------ */

/* An order of doubles as unsigned numbers, the best first. */
static uint64_t rank_of(const selection *p, double x)
{
    uint64_t u = bits_of(x == 0 ? 0.0 : x);
    u = u >> 63 ? ~u : u | (uint64_t)1 << 63; /* ascending */
    return p->spec->lowest ? u : ~u;
}

/* The rows within the limits, best first, at most `most` of them; the others' scores become NaN. */
static hone_status cut(selection *p)
{
    hone_sorter *sorter = NULL;
    const uint64_t *r;
    uint64_t most = p->spec->top ? p->spec->top : UINT64_MAX, taken = 0;
    double *v = (double *)(void *)p->chosen.v;
    for (size_t i = 0; i < p->chosen.n; i++) {
        const double x = number_of(p->chosen.v[i]);
        if (isnan(x))
            continue;
        p->out->scored++;
        if (x < p->spec->min || x > p->spec->max) /* a limit that is NaN is none */
            v[i] = NAN;
        else
            p->out->within++;
    }
    if (p->spec->share > 0) {
        const double n = floor(p->spec->share * (double)p->out->scored);
        most = n < (double)most ? (uint64_t)n : most;
    }
    if (most >= p->out->within)
        return HONE_OK;
    HONE_TRY(hone_sorter_open(hone_job_folder(p->job), "ranks", 2, 0, NULL, &sorter));
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < p->chosen.n; i++) {
        const uint64_t record[2] = {rank_of(p, v[i]), i};
        if (!isnan(v[i]))
            s = hone_sorter_add(sorter, record);
    }
    if (s >= 0)
        s = hone_sorter_rewind(sorter);
    while (s >= 0 && (s = hone_sorter_next(sorter, &r)) > 0)
        if (taken++ >= most)
            v[r[1]] = NAN;
    if (s >= 0)
        s = hone_sorter_remove(sorter);
    hone_sorter_close(sorter);
    return s;
}

static double distance(const selection *p, uint64_t a, uint64_t b)
{
    const uint64_t *x = p->sketches.v + a * p->width, *y = p->sketches.v + b * p->width;
    if (p->dim) {
        const float *f = (const float *)(const void *)x, *g = (const float *)(const void *)y;
        double dot = 0;
        for (size_t i = 0; i < p->dim; i++)
            dot += (double)f[i] * (double)g[i];
        return 1 - dot;
    }
    const uint32_t *f = (const uint32_t *)(const void *)x, *g = (const uint32_t *)(const void *)y;
    unsigned equal = 0;
    for (size_t i = 0; i < SIGNATURE; i++)
        equal += f[i] == g[i];
    return 1 - equal / (double)SIGNATURE;
}

typedef struct walk {
    const selection *p;
    const uint64_t *row; /* candidates, best first */
    float *far;          /* of each: to the nearest that was taken; < 0: taken itself */
    size_t n;
    uint64_t taken;
} walk;

enum { WALK_TASK = 4096 };

static void step_away(void *arg, int64_t task, uint32_t thread)
{
    const walk *k = arg;
    const size_t from = (size_t)task * WALK_TASK;
    const size_t to = from + WALK_TASK < k->n ? from + WALK_TASK : k->n;
    (void)thread;
    for (size_t i = from; i < to; i++) {
        if (k->far[i] < 0)
            continue;
        const float d = (float)distance(k->p, k->row[i], k->taken);
        if (d < k->far[i])
            k->far[i] = d < 0 ? 0 : d;
    }
}

/* Farthest first among the candidates; who is not taken loses its score. */
static hone_status walk_away(selection *p, hone_pool *pool, hone_table *order, hone_table *far)
{
    const hone_exec *ex = hone_pool_exec(pool);
    walk k = {.p = p, .row = order->v, .far = (float *)(void *)far->v, .n = order->n};
    for (size_t i = 0; i < k.n; i++)
        k.far[i] = INFINITY;
    size_t next = 0;
    for (uint64_t left = p->spec->diverse; left > 0; left--) {
        k.taken = k.row[next];
        k.far[next] = -1;
        ex->parallel(ex, (int64_t)((k.n + WALK_TASK - 1) / WALK_TASK), step_away, &k);
        float most = -1;
        for (size_t i = 0; i < k.n; i++)
            if (k.far[i] > most) {
                most = k.far[i];
                next = i;
            }
        p->out->radius = most > 0 ? (double)most : 0;
        if (most < 0)
            return HONE_OK;
    }
    double *v = (double *)(void *)p->chosen.v;
    for (size_t i = 0; i < k.n; i++)
        if (k.far[i] >= 0)
            v[k.row[i]] = NAN;
    return HONE_OK;
}

static hone_status diversify(selection *p, hone_pool *pool)
{
    hone_sorter *sorter = NULL;
    hone_table order = {0}, far = {0};
    const uint64_t *r;
    const char *dir = hone_job_folder(p->job);
    order.w.fd = far.w.fd = -1;
    HONE_TRY(hone_sorter_open(dir, "ranks", 2, 0, NULL, &sorter));
    hone_status s = hone_table_open(&order, dir, "order", 0);
    if (s >= 0)
        s = hone_table_open(&far, dir, "far", 0);
    for (size_t i = 0; s >= 0 && i < p->chosen.n; i++) {
        const uint64_t record[2] = {rank_of(p, number_of(p->chosen.v[i])), i};
        if (!isnan(number_of(p->chosen.v[i])))
            s = hone_sorter_add(sorter, record);
    }
    if (s >= 0)
        s = hone_sorter_rewind(sorter);
    while (s >= 0 && (s = hone_sorter_next(sorter, &r)) > 0) {
        s = hone_table_add(&order, r[1]);
        if (s >= 0 && order.n % 2)
            s = hone_table_add(&far, 0); /* two floats */
    }
    if (s >= 0)
        s = hone_table_map(&order);
    if (s >= 0)
        s = hone_table_map(&far);
    if (s >= 0 && order.n > p->spec->diverse)
        s = walk_away(p, pool, &order, &far);
    if (s >= 0)
        s = hone_sorter_remove(sorter);
    hone_sorter_close(sorter);
    hone_table_release(&order);
    hone_table_release(&far);
    return s;
}

static void note_kept(void *ctx, hone_jw *w)
{
    const selection *p = ctx;
    const hone_select_result *o = p->out;
    note_scores(ctx, w);
    hone_jw_ki64(w, "scored", (int64_t)o->scored);
    hone_jw_ki64(w, "within", (int64_t)o->within);
    hone_jw_ki64(w, "kept", (int64_t)o->kept);
    hone_jw_ki64(w, "dropped", (int64_t)o->dropped);
    hone_jw_kf64(w, "least", o->least);
    hone_jw_kf64(w, "most", o->most);
    hone_jw_kf64(w, "radius", o->radius);
}

static void note_chosen(void *ctx, hone_jw *w)
{
    const hone_input_place start = {0};
    note_kept(ctx, w);
    hone_job_put_place(w, &start);
    hone_jw_ki64(w, "bad", 0);
}

static hone_status choose(selection *p, hone_pool *pool)
{
    HONE_TRY(hone_table_map(&p->scores));
    if (p->width)
        HONE_TRY(hone_table_map(&p->sketches));
    HONE_TRY(hone_table_open(&p->chosen, hone_job_folder(p->job), "chosen", 0));
    for (size_t i = 0; i < p->scores.n; i++)
        HONE_TRY(hone_table_add(&p->chosen, p->scores.v[i]));
    HONE_TRY(hone_table_map(&p->chosen));
    HONE_TRY(cut(p));
    if (p->spec->diverse)
        HONE_TRY(diversify(p, pool));
    p->out->least = INFINITY;
    p->out->most = -INFINITY;
    for (size_t i = 0; i < p->chosen.n; i++) {
        const double x = number_of(p->chosen.v[i]);
        p->out->least = x < p->out->least ? x : p->out->least;
        p->out->most = x > p->out->most ? x : p->out->most;
    }
    HONE_TRY(hone_table_sync(&p->chosen));
    p->phase = 3;
    return hone_job_note(p->job, note_chosen, p);
}

/* ---- phase 3 ------------------------------------------------------------------------------------------------------------ */

/* The row with its score as one more column behind the others. */
static hone_status keep_scored(selection *p, const hone_input_row *row)
{
    hone_arena *arena = &p->workers[0].arena;
    hone_value v;
    hone_jw w;
    hone_arena_clear(arena);
    HONE_TRY(hone_json_parse(row->text.ptr, row->text.len, NULL, arena, &v));
    if (hone_value_get(&v, p->spec->as))
        return hone_fail(HONE_E_EXISTS, "%s:%llu: the row has a column \"%s\" already",
                         hone_input_path(p->in, row->file), (unsigned long long)row->line,
                         p->spec->as);
    size_t end = row->text.len;
    while (row->text.ptr[end - 1] != '}')
        end--;
    hone_buf_clear(&p->line);
    hone_buf_add(&p->line, row->text.ptr, end - 1);
    if (v.u.map.n)
        hone_buf_addc(&p->line, ',');
    hone_jw_init(&w, &p->line, 0);
    hone_jw_cstr(&w, p->spec->as);
    hone_buf_addc(&p->line, ':');
    hone_jw_init(&w, &p->line, 0);
    hone_jw_f64(&w, number_of(p->chosen.v[row->n]));
    HONE_TRY(hone_buf_addc(&p->line, '}'));
    const hone_str text = hone_buf_str(&p->line);
    return hone_job_keep(p->job, 0, row, &text);
}

static hone_status take_kept(void *ctx, const hone_input_row *row, void *slot)
{
    selection *p = ctx;
    (void)slot;
    if (row->n >= p->chosen.n)
        return hone_fail(HONE_E_STATE, "the input has grown while it was read");
    if (isnan(number_of(p->chosen.v[row->n]))) {
        p->out->dropped++;
        return HONE_OK;
    }
    p->out->kept++;
    return p->spec->as ? keep_scored(p, row) : hone_job_keep(p->job, 0, row, NULL);
}

static hone_status get_state(selection *p, hone_input_place *place)
{
    const hone_value *state = hone_job_state(p->job);
    hone_select_result *o = p->out;
    uint64_t placed;
    HONE_TRY(hone_job_get_count(state, "rows", &o->pass.rows));
    HONE_TRY(hone_job_get_count(state, "unread", &o->pass.bad));
    HONE_TRY(hone_job_get_count(state, "placed", &placed));
    HONE_TRY(hone_job_get_count(state, "scored", &o->scored));
    HONE_TRY(hone_job_get_count(state, "within", &o->within));
    HONE_TRY(hone_job_get_count(state, "kept", &o->kept));
    HONE_TRY(hone_job_get_count(state, "dropped", &o->dropped));
    HONE_TRY(hone_value_f64(state, "least", INFINITY, &o->least));
    HONE_TRY(hone_value_f64(state, "most", -INFINITY, &o->most));
    HONE_TRY(hone_value_f64(state, "radius", 0, &o->radius));
    if (hone_job_finished(p->job))
        return HONE_OK;
    HONE_TRY(hone_table_open(&p->chosen, hone_job_folder(p->job), "chosen", placed));
    HONE_TRY(hone_table_map(&p->chosen));
    return hone_job_get_place(state, place);
}

static hone_status prepare(selection *p)
{
    p->workers = hone_calloc(p->threads, sizeof *p->workers);
    if (!p->workers)
        return HONE_E_NOMEM;
    for (uint32_t t = 0; t < p->threads; t++) {
        hone_words_init(&p->workers[t].words);
        hone_arena_init(&p->workers[t].arena, 0);
    }
    HONE_TRY(hone_minhash_init(&p->minhash, 3, SIGNATURE, 1, p->spec->seed));
    return hone_input_spool(p->in, hone_job_folder(p->job));
}

hone_status hone_select_run(const hone_select_spec *spec, hone_input *in, hone_pool *pool,
                            hone_job *job, hone_select_result *out)
{
    selection p = {.spec = spec, .in = in, .job = job, .phase = 1, .out = out};
    hone_pass pass = {.ctx = &p, .take = take_kept, .note = note_kept};
    hone_pass_counts again = {0};
    hone_input_place place = {0};
    p.threads = hone_pool_threads(pool);
    hone_buf_init(&p.line, HONE_BUF_MAX_DEFAULT);
    p.scores.w.fd = p.sketches.w.fd = p.chosen.w.fd = -1;
    memset(out, 0, sizeof *out);
    hone_status s = prepare(&p);
    if (s >= 0 && hone_job_state(job))
        s = hone_job_get_count(hone_job_state(job), "phase", &p.phase);
    if (s >= 0 && p.phase == 3)
        s = get_state(&p, &place);
    if (s >= 0 && p.phase != 3) {
        s = read_all(&p, pool);
        if (s >= 0)
            s = choose(&p, pool);
    }
    if (s >= 0 && !hone_job_finished(job)) {
        s = hone_input_seek(in, &place);
        if (s >= 0)
            s = hone_pass_run(&pass, in, pool, job, &again);
    }
    if (s >= 0)
        s = hone_job_finish(job, note_kept, &p);
    for (uint32_t t = 0; p.workers && t < p.threads; t++) {
        hone_words_release(&p.workers[t].words);
        hone_shingles_release(&p.workers[t].shingles);
        hone_arena_release(&p.workers[t].arena);
    }
    hone_free(p.workers);
    hone_buf_release(&p.line);
    hone_table_release(&p.scores);
    hone_table_release(&p.sketches);
    hone_table_release(&p.chosen);
    return s;
}
