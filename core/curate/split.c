/* split.c - see split.h. With `near` the place of each cluster is noted in a table when its first row comes by: it always comes first. */
#include "curate/split.h"

#include "base/alloc.h"

#include <string.h>

typedef struct split {
    const hone_split_spec *spec;
    hone_job *job;
    hone_buf *folded; /* one a thread */
    uint32_t threads;
    hone_table clusters, places;
    hone_cluster_counts found;
    hone_split_result *out;
} split;

size_t hone_split_place(const hone_split_spec *spec, hone_hash128 group)
{
    const uint64_t key[2] = {group.high, group.low};
    const double at = (double)(hone_xxh64(key, sizeof key, spec->seed) >> 11) * 0x1p-53;
    double end = 0;
    for (size_t i = 0; i < spec->n; i++) {
        end += spec->share[i];
        if (at < end || (i + 1 == spec->n && end > 1 - 1e-9))
            return i;
    }
    return spec->n;
}

static hone_status look(void *ctx, uint32_t thread, const hone_input_row *row, hone_scan *scan,
                        void *slot)
{
    split *p = ctx;
    hone_buf *b = &p->folded[thread];
    (void)row;
    hone_buf_clear(b);
    for (size_t i = 0; i < scan->n; i++) {
        const size_t from = b->len;
        HONE_TRY(hone_fold_text(HONE_FOLD_SPACE, hone_scan_piece(scan, i), b));
        const uint64_t len = b->len - from;
        HONE_TRY(hone_buf_add(b, &len, sizeof len));
    }
    *(uint64_t *)slot = hone_split_place(p->spec, hone_xxh128(b->ptr, b->len));
    return HONE_OK;
}

static hone_status take_row(void *ctx, const hone_input_row *row, void *slot)
{
    split *p = ctx;
    uint64_t to = *(uint64_t *)slot;
    if (p->spec->near) {
        if (row->n >= p->clusters.n)
            return hone_fail(HONE_E_STATE, "the input has grown while it was read");
        const uint64_t first = hone_cluster_first(&p->clusters, row->n);
        if (first == row->n)
            p->places.v[row->n] = to;
        to = p->places.v[first];
    }
    if (to >= p->spec->n) {
        p->out->left_out++;
        return HONE_OK;
    }
    p->out->rows[to]++;
    return hone_job_keep(p->job, (size_t)to, row, NULL);
}

static void note(void *ctx, hone_jw *w)
{
    const split *p = ctx;
    hone_cluster_note(&p->found, w);
    hone_jw_ki64(w, "rows", (int64_t)p->out->pass.rows);
    hone_jw_ki64(w, "skipped", (int64_t)p->out->pass.bad);
    hone_jw_ki64(w, "left_out", (int64_t)p->out->left_out);
    hone_jw_key(w, "split");
    hone_jw_list(w);
    for (size_t i = 0; i < p->spec->n; i++)
        hone_jw_i64(w, (int64_t)p->out->rows[i]);
    hone_jw_end(w);
}

static hone_status get_state(split *p, hone_input_place *place)
{
    const hone_value *state = hone_job_state(p->job);
    const hone_value *list = state ? hone_value_get(state, "split") : NULL;
    if (!list)
        return HONE_OK;
    HONE_TRY(hone_job_get_count(state, "rows", &p->out->pass.rows));
    HONE_TRY(hone_job_get_count(state, "skipped", &p->out->pass.bad));
    HONE_TRY(hone_job_get_count(state, "left_out", &p->out->left_out));
    if (list->type != HONE_LIST || list->u.list.n != p->spec->n)
        return hone_fail(HONE_E_STATE, "the journal of the step does not count its outputs");
    for (size_t i = 0; i < p->spec->n; i++) {
        const hone_value *v = &list->u.list.items[i];
        if (v->type != HONE_I64 || v->u.i64 < 0)
            return hone_fail(HONE_E_STATE, "the journal of the step does not count its outputs");
        p->out->rows[i] = (uint64_t)v->u.i64;
    }
    return hone_job_finished(p->job) ? HONE_OK : hone_job_get_place(state, place);
}

static hone_status open_places(split *p)
{
    const char *dir = hone_job_folder(p->job);
    char *path = hone_job_path(p->job, "split");
    uint64_t bytes = 0;
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = hone_file_exists(path) ? hone_file_size(path, &bytes) : HONE_OK;
    hone_free(path);
    HONE_TRY(s);
    bytes = bytes / 8 == p->clusters.n ? bytes : 0; /* one that is not whole is made again */
    HONE_TRY(hone_table_open(&p->places, dir, "split", bytes / 8));
    while (p->places.n < p->clusters.n)
        HONE_TRY(hone_table_add(&p->places, 0));
    return hone_table_map(&p->places);
}

static hone_status settle(void *ctx)
{
    split *p = ctx;
    return hone_table_sync(&p->places);
}

hone_status hone_split_run(const hone_split_spec *spec, hone_input *in, hone_pool *pool,
                           hone_job *job, hone_split_result *out)
{
    split p = {.spec = spec, .job = job, .threads = hone_pool_threads(pool), .out = out};
    hone_input_place place = {0};
    hone_pass pass = {.ctx = &p,
                      .columns = spec->near ? spec->near->columns : spec->group,
                      .slot = sizeof(uint64_t),
                      .work = look,
                      .take = take_row,
                      .before_note = settle,
                      .note = note,
                      .skip_bad = spec->skip_bad};
    memset(out, 0, sizeof *out);
    p.folded = hone_calloc(p.threads, sizeof *p.folded);
    hone_status s = p.folded ? HONE_OK : HONE_E_NOMEM;
    for (uint32_t t = 0; s >= 0 && t < p.threads; t++)
        hone_buf_init(&p.folded[t], HONE_BUF_MAX_DEFAULT);
    if (s >= 0 && spec->near && !hone_job_finished(job)) {
        s = hone_cluster_run(spec->near, in, pool, job, &p.clusters, NULL, &p.found);
        if (s >= 0)
            s = open_places(&p);
    }
    if (s >= 0)
        s = get_state(&p, &place);
    if (s >= 0 && !hone_job_finished(job)) {
        s = hone_input_seek(in, &place);
        if (s >= 0)
            s = hone_pass_run(&pass, in, pool, job, &out->pass);
    }
    if (s >= 0)
        s = hone_job_finish(job, note, &p);
    hone_table_release(&p.clusters);
    hone_table_release(&p.places);
    for (uint32_t t = 0; p.folded && t < p.threads; t++)
        hone_buf_release(&p.folded[t]);
    hone_free(p.folded);
    return s;
}
