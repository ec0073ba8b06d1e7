/* dedup.c - see dedup.h. */
#include "curate/dedup.h"

#include <string.h>

enum { LINE_BITS = 48 };

typedef struct dedup {
    hone_job *job;
    hone_input *in;
    hone_table table, lines;
    int report;
    hone_dedup_result *out;
} dedup;

static hone_status report_row(dedup *d, const hone_input_row *row, uint64_t first, int near)
{
    hone_jw *w = hone_job_tell(d->job, row);
    if (!w)
        return HONE_OK;
    const uint64_t line = d->lines.v[first];
    hone_jw_kcstr(w, "why", near ? "near" : "exact");
    hone_jw_key(w, "kept");
    hone_jw_map(w);
    hone_jw_kcstr(w, "file", hone_input_path(d->in, (uint32_t)(line >> LINE_BITS)));
    hone_jw_ki64(w, "line", (int64_t)(line & (((uint64_t)1 << LINE_BITS) - 1)));
    hone_jw_end(w);
    return hone_job_told(d->job);
}

static hone_status take_row(void *ctx, const hone_input_row *row, void *slot)
{
    dedup *d = ctx;
    (void)slot;
    if (row->n >= d->table.n)
        return hone_fail(HONE_E_STATE, "%s has grown while it was read",
                         hone_input_path(d->in, row->file));
    if (d->table.v[row->n] == HONE_CLUSTER_BAD)
        return HONE_OK;
    const uint64_t first = hone_cluster_first(&d->table, row->n);
    if (first == row->n) {
        d->out->kept++;
        return hone_job_keep(d->job, 0, row, NULL);
    }
    const int near = (d->table.v[row->n] & HONE_CLUSTER_NEAR) != 0;
    *(near ? &d->out->dropped_near : &d->out->dropped_same) += 1;
    return report_row(d, row, first, near);
}

static void note(void *ctx, hone_jw *w)
{
    const dedup *d = ctx;
    hone_cluster_note(&d->out->clusters, w);
    hone_jw_ki64(w, "kept", (int64_t)d->out->kept);
    hone_jw_ki64(w, "dropped_same", (int64_t)d->out->dropped_same);
    hone_jw_ki64(w, "dropped_near", (int64_t)d->out->dropped_near);
}

static hone_status get_state(dedup *d, hone_input_place *place)
{
    const hone_value *state = hone_job_state(d->job);
    uint64_t phase = 1;
    if (state)
        HONE_TRY(hone_job_get_count(state, "phase", &phase));
    if (phase != 3 || !hone_value_get(state, "kept"))
        return HONE_OK;
    HONE_TRY(hone_job_get_count(state, "kept", &d->out->kept));
    HONE_TRY(hone_job_get_count(state, "dropped_same", &d->out->dropped_same));
    HONE_TRY(hone_job_get_count(state, "dropped_near", &d->out->dropped_near));
    if (hone_job_finished(d->job)) /* the clusters are not made again, nor counted */
        return hone_cluster_noted(state, &d->out->clusters);
    return hone_job_get_place(state, place);
}

hone_status hone_dedup_run(const hone_cluster_spec *spec, int want_report, hone_input *in,
                           hone_pool *pool, hone_job *job, hone_dedup_result *out)
{
    dedup d = {.job = job, .in = in, .report = want_report, .out = out};
    hone_pass pass = {.ctx = &d, .take = take_row, .note = note};
    hone_pass_counts again = {0};
    hone_input_place place = {0};
    memset(out, 0, sizeof *out);
    hone_status s = HONE_OK;
    if (!hone_job_finished(job)) {
        s = hone_cluster_run(spec, in, pool, job, &d.table, want_report ? &d.lines : NULL,
                             &out->clusters);
        if (s >= 0)
            s = get_state(&d, &place);
        if (s >= 0)
            s = hone_input_seek(in, &place);
        if (s >= 0)
            s = hone_pass_run(&pass, in, pool, job, &again);
        if (s >= 0 && hone_input_tell(in).n != d.table.n)
            s = hone_fail(HONE_E_STATE, "the input has become shorter while it was read");
    } else {
        s = get_state(&d, &place);
    }
    if (s >= 0)
        s = hone_job_finish(job, note, &d);
    hone_table_release(&d.table);
    hone_table_release(&d.lines);
    return s;
}
