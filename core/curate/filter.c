/* filter.c - see filter.h. */
#include "curate/filter.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

typedef struct filter {
    const hone_quality *q;
    hone_job *job;
    hone_quality_scratch **scratch;
    hone_filter_result *out;
} filter;

static hone_status look(void *ctx, uint32_t thread, const hone_input_row *row, hone_scan *scan,
                        void *slot)
{
    filter *f = ctx;
    (void)row;
    return hone_quality_look(f->q, hone_buf_str(&scan->text), f->scratch[thread], slot);
}

static hone_status report_row(filter *f, const hone_input_row *row, const hone_quality_verdict *v)
{
    hone_jw *w = hone_job_tell(f->job, row);
    if (!w)
        return HONE_OK;
    hone_jw_key(w, "reasons");
    hone_jw_list(w);
    for (size_t i = 0; i < hone_quality_n(); i++) {
        const hone_quality_rule *r = &hone_quality_rules[i];
        char name[64];
        if (!(v->failed >> i & 1))
            continue;
        snprintf(name, sizeof name, "%s.%s", hone_quality_set_name(r->set), r->name);
        hone_jw_map(w);
        hone_jw_kcstr(w, "rule", name);
        hone_jw_kf64(w, "value", v->value[i]);
        hone_jw_kf64(w, "limit", f->q->limit[i]);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    return hone_job_told(f->job);
}

static hone_status take_row(void *ctx, const hone_input_row *row, void *slot)
{
    filter *f = ctx;
    const hone_quality_verdict *v = slot;
    if (!v->failed) {
        f->out->kept++;
        return hone_job_keep(f->job, 0, row, NULL);
    }
    f->out->dropped++;
    for (size_t i = 0; i < hone_quality_n(); i++)
        f->out->reason[i] += v->failed >> i & 1;
    return report_row(f, row, v);
}

static void note(void *ctx, hone_jw *w)
{
    const filter *f = ctx;
    hone_jw_ki64(w, "rows", (int64_t)f->out->pass.rows);
    hone_jw_ki64(w, "unread", (int64_t)f->out->pass.bad);
    hone_jw_ki64(w, "kept", (int64_t)f->out->kept);
    hone_jw_ki64(w, "dropped", (int64_t)f->out->dropped);
    hone_jw_key(w, "reasons");
    hone_jw_list(w);
    for (size_t i = 0; i < hone_quality_n(); i++)
        hone_jw_i64(w, (int64_t)f->out->reason[i]);
    hone_jw_end(w);
}

static hone_status get_state(filter *f, hone_input_place *place)
{
    const hone_value *state = hone_job_state(f->job);
    if (!state)
        return HONE_OK;
    const hone_value *reasons = hone_value_get(state, "reasons");
    HONE_TRY(hone_job_get_count(state, "rows", &f->out->pass.rows));
    HONE_TRY(hone_job_get_count(state, "unread", &f->out->pass.bad));
    HONE_TRY(hone_job_get_count(state, "kept", &f->out->kept));
    HONE_TRY(hone_job_get_count(state, "dropped", &f->out->dropped));
    if (!reasons || reasons->type != HONE_LIST || reasons->u.list.n != hone_quality_n())
        return hone_fail(HONE_E_STATE, "the journal of the step has no reasons");
    for (size_t i = 0; i < hone_quality_n(); i++) {
        const hone_value *v = &reasons->u.list.items[i];
        f->out->reason[i] = v->type == HONE_I64 ? (uint64_t)v->u.i64 : 0;
    }
    return hone_job_finished(f->job) ? HONE_OK : hone_job_get_place(state, place);
}

hone_status hone_filter_run(const hone_quality *q, const char *columns, int skip_bad,
                            hone_input *in, hone_pool *pool, hone_job *job, hone_filter_result *out)
{
    const uint32_t threads = hone_pool_threads(pool);
    filter f = {.q = q, .job = job, .out = out};
    hone_input_place place = {0};
    hone_pass pass = {.ctx = &f,
                      .columns = columns,
                      .slot = sizeof(hone_quality_verdict),
                      .work = look,
                      .take = take_row,
                      .note = note,
                      .skip_bad = skip_bad};
    memset(out, 0, sizeof *out);
    f.scratch = hone_calloc(threads, sizeof *f.scratch);
    hone_status s = f.scratch ? HONE_OK : HONE_E_NOMEM;
    for (uint32_t t = 0; s >= 0 && t < threads; t++)
        s = hone_quality_scratch_create(&f.scratch[t]);
    if (s >= 0)
        s = get_state(&f, &place);
    if (s >= 0 && !hone_job_finished(job)) {
        s = hone_input_seek(in, &place);
        if (s >= 0)
            s = hone_pass_run(&pass, in, pool, job, &out->pass);
    }
    if (s >= 0)
        s = hone_job_finish(job, note, &f);
    for (uint32_t t = 0; f.scratch && t < threads; t++)
        hone_quality_scratch_destroy(f.scratch[t]);
    hone_free(f.scratch);
    return s;
}
