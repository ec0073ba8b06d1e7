/* mix.c - see mix.h. */
#include "curate/mix.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "curate/scan.h"

#include <string.h>

enum { LATELY = 32 };

typedef struct stream {
    const hone_input_row *rows;
    size_t n, at;
    int ended;
    double length; /* of its rows, the last LATELY or so */
} stream;

typedef struct mixing {
    const hone_mix_spec *spec;
    hone_input *const *in;
    hone_job *job;
    stream streams[HONE_MIX_MAX];
    hone_mix_result *out;
    hone_scan scan;
    uint64_t bytes; /* since the last note */
} mixing;

/* Where the stream's next row is. */
static hone_input_place place_of(const mixing *m, size_t k)
{
    const stream *s = &m->streams[k];
    if (s->at >= s->n)
        return hone_input_tell(m->in[k]);
    const hone_input_row *r = &s->rows[s->at];
    return (hone_input_place){.at = r->place & (((uint64_t)1 << 48) - 1),
                              .line = r->line - 1,
                              .of = r->of - 1,
                              .n = r->n};
}

static void note(void *ctx, hone_jw *w)
{
    const mixing *m = ctx;
    hone_jw_ki64(w, "rows", (int64_t)m->out->rows);
    hone_jw_key(w, "files");
    hone_jw_list(w);
    for (size_t k = 0; k < m->spec->n; k++) {
        const hone_input_place place = place_of(m, k);
        hone_jw_map(w);
        hone_job_put_place(w, &place);
        hone_jw_ki64(w, "from", (int64_t)m->out->from[k]);
        hone_jw_kf64(w, "length", m->streams[k].length);
        hone_jw_ki64(w, "bytes", (int64_t)m->out->bytes[k]);
        hone_jw_ki64(w, "epochs", (int64_t)m->out->epochs[k]);
        hone_jw_kbool(w, "ended", m->streams[k].ended);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static hone_status get_state(mixing *m)
{
    const hone_value *state = hone_job_state(m->job);
    if (!state)
        return HONE_OK;
    const hone_value *files = hone_value_get(state, "files");
    HONE_TRY(hone_job_get_count(state, "rows", &m->out->rows));
    if (!files || files->type != HONE_LIST || files->u.list.n != m->spec->n)
        return hone_fail(HONE_E_STATE, "the journal of the step does not name its files");
    for (size_t k = 0; k < m->spec->n; k++) {
        const hone_value *f = &files->u.list.items[k];
        hone_input_place place;
        HONE_TRY(hone_job_get_place(f, &place));
        HONE_TRY(hone_job_get_count(f, "from", &m->out->from[k]));
        HONE_TRY(hone_value_f64(f, "length", 0, &m->streams[k].length));
        HONE_TRY(hone_job_get_count(f, "bytes", &m->out->bytes[k]));
        HONE_TRY(hone_job_get_count(f, "epochs", &m->out->epochs[k]));
        HONE_TRY(hone_value_bool(f, "ended", 0, &m->streams[k].ended));
        if (!hone_job_finished(m->job))
            HONE_TRY(hone_input_seek(m->in[k], &place));
    }
    return HONE_OK;
}

/* The stream has a row, or has ended. */
static hone_status see_row(mixing *m, size_t k)
{
    stream *s = &m->streams[k];
    while (!s->ended && s->at == s->n) {
        hone_status st = hone_input_next(m->in[k], &s->rows, &s->n);
        if (st < 0)
            return st;
        s->at = 0;
        if (st > 0)
            return HONE_OK;
        s->n = 0;
        if (!m->spec->repeat || m->out->from[k] == 0) { /* one without a row has no beginning */
            s->ended = 1;
        } else {
            const hone_input_place start = {0};
            HONE_TRY(hone_input_seek(m->in[k], &start));
            m->out->epochs[k]++;
        }
    }
    return HONE_OK;
}

/* By bytes (of all there are so far, weights' sum): weight / length of a row comes out as the share; the correction takes away what the estimate of the length leaves. */
static double weight_of(const mixing *m, size_t k, double all, double weights)
{
    const stream *s = &m->streams[k];
    if (s->ended || !m->spec->by_bytes)
        return s->ended ? 0 : m->spec->weight[k];
    const double length = m->out->from[k] ? s->length : (double)s->rows[s->at].text.len + 1;
    const double due = all * m->spec->weight[k] / weights, some = LATELY * length;
    return m->spec->weight[k] / length * (due + some) / ((double)m->out->bytes[k] + some);
}

/* The file of the next output row; n: no file has one. */
static size_t draw(const mixing *m)
{
    const hone_rng_key key = {.seed = m->spec->seed, .purpose = hone_rng_purpose("curate.mix")};
    double all = 0, at = 0, bytes = 0, weights = 0;
    size_t last = m->spec->n;
    for (size_t k = 0; k < m->spec->n; k++) {
        bytes += (double)m->out->bytes[k];
        weights += m->spec->weight[k];
    }
    for (size_t k = 0; k < m->spec->n; k++)
        all += weight_of(m, k, bytes, weights);
    const double u = hone_rng_uniform(&key, m->out->rows) * all;
    for (size_t k = 0; k < m->spec->n; k++) {
        if (m->streams[k].ended)
            continue;
        at += weight_of(m, k, bytes, weights);
        last = k;
        if (u < at)
            return k;
    }
    return last;
}

static hone_status keep_row(mixing *m, size_t k)
{
    stream *s = &m->streams[k];
    hone_input_row row = s->rows[s->at];
    row.file = (uint32_t)k;
    hone_status st = hone_scan_row(&m->scan, row.text);
    if (st < 0)
        return hone_fail_at("%s:%llu", hone_input_path(m->in[k], 0), (unsigned long long)row.line);
    HONE_TRY(hone_job_keep(m->job, 0, &row, NULL));
    const double length = (double)row.text.len + 1;
    s->length = m->out->from[k] ? s->length + (length - s->length) / LATELY : length;
    s->at++;
    m->out->from[k]++;
    m->out->rows++;
    m->out->bytes[k] += row.text.len + 1;
    m->bytes += row.text.len + 1;
    return HONE_OK;
}

static hone_status mix_all(mixing *m)
{
    for (;;) {
        int ended = 0;
        if (m->spec->rows && m->out->rows >= m->spec->rows)
            return HONE_OK;
        for (size_t k = 0; k < m->spec->n; k++) {
            HONE_TRY(see_row(m, k));
            ended |= m->streams[k].ended;
        }
        if (ended && m->spec->stop)
            return HONE_OK;
        const size_t k = draw(m);
        if (k == m->spec->n)
            return HONE_OK;
        HONE_TRY(keep_row(m, k));
        if (m->bytes >= hone_job_step(m->job)) {
            m->bytes = 0;
            HONE_TRY(hone_job_note(m->job, note, m));
        }
    }
}

hone_status hone_mix_run(const hone_mix_spec *spec, hone_input *const *in, hone_job *job,
                         hone_mix_result *out)
{
    mixing *m = hone_calloc(1, sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    m->spec = spec;
    m->in = in;
    m->job = job;
    m->out = out;
    memset(out, 0, sizeof *out);
    hone_status s = hone_scan_init(&m->scan, NULL);
    if (s >= 0)
        s = get_state(m);
    if (s >= 0 && !hone_job_finished(job))
        s = mix_all(m);
    if (s >= 0)
        s = hone_job_finish(job, note, m);
    hone_scan_release(&m->scan);
    hone_free(m);
    return s;
}
