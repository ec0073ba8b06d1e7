/* common.c - settings by name, counted memory, totals and reductions: what every family uses. */
#include "objectives.h"

static int find_field(const settings *s, const char *name)
{
    for (int i = 0; s->fields && s->fields[i]; i++)
        if (same_text(s->fields[i]->name, name))
            return i;
    return -1;
}

double settings_f64(const settings *s, const char *name, double absent)
{
    int i = find_field(s, name);
    return i < 0 ? absent : s->cfg->f64(s->cfg, (uint32_t)i);
}

uint32_t settings_choice(const settings *s, const char *name, uint32_t absent)
{
    int i = find_field(s, name);
    return i < 0 ? absent : (uint32_t)s->cfg->i64(s->cfg, (uint32_t)i);
}

int settings_place(const settings *s, const char *name)
{
    return find_field(s, name);
}

int settings_given(const settings *s, const char *name)
{
    int i = find_field(s, name);
    return i >= 0 && s->cfg->is_set(s->cfg, (uint32_t)i) != 0;
}

hone_status memory_init(memory *m, const hone_host *host)
{
    m->host = host;
    return host->get_iface(host, HONE_IFACE_MEM, &m->ref);
}

/* At least a byte, so that no numbers is not a failure. */
static size_t block_size(size_t n, size_t size)
{
    return n > 0 ? n * size : 1;
}

void *memory_get(const memory *m, size_t n, size_t size)
{
    const hone_mem_v1 *vt = (const hone_mem_v1 *)m->ref.vt;
    void *p = n > SIZE_MAX / size ? NULL : vt->resize(m->ref.self, NULL, 0, block_size(n, size));
    if (!p)
        hone_host_fail(m->host, HONE_E_NOMEM, "out of memory for %zu numbers", n);
    return p;
}

void memory_put(const memory *m, void *p, size_t n, size_t size)
{
    const hone_mem_v1 *vt = (const hone_mem_v1 *)m->ref.vt;
    if (p)
        vt->resize(m->ref.self, p, block_size(n, size), 0);
}

double length_of(const hone_objective_in *in, size_t s)
{
    double n = 0;
    for (size_t t = in->seq_begin[s]; t < in->seq_begin[s + 1]; t++)
        n += in->mask[t];
    return n;
}

totals totals_of(const hone_objective_in *in)
{
    totals t = {in->total_tokens, in->total_seqs, in->total_pairs, in->max_length};
    double tokens = 0, seqs = 0;
    if (t.tokens <= 0 || t.seqs <= 0) {
        for (size_t s = 0; s < in->n_seqs; s++) {
            double n = length_of(in, s);
            tokens += n;
            seqs += n > 0;
        }
        if (t.tokens <= 0)
            t.tokens = tokens;
        if (t.seqs <= 0)
            t.seqs = seqs;
    }
    for (size_t s = 0; in->total_pairs <= 0 && s + 1 < in->n_seqs; s += 2)
        t.pairs += length_of(in, s) > 0 && length_of(in, s + 1) > 0;
    return t;
}

int fits_shape(const hone_objective_in *in, const hone_objective_out *out)
{
    const size_t covered = offsetof(hone_objective_out, n_tokens) + sizeof out->n_tokens;
    if (in->n_seqs && (!in->seq_begin || !in->logp || !in->mask || !out->grad_logp))
        return in->n_tokens == 0 && in->seq_begin;
    for (size_t s = 0; s < in->n_seqs; s++)
        if (in->seq_begin[s] > in->seq_begin[s + 1] || in->seq_begin[s + 1] > in->n_tokens)
            return 0;
    return out->struct_size < covered || !out->n_tokens || out->n_tokens == in->n_tokens;
}

double reduce_weight(uint32_t reduce, const totals *t, double length)
{
    switch (reduce) {
    case REDUCE_TOKEN_MEAN:
        return 1.0 / t->tokens;
    case REDUCE_SEQ_MEAN_TOKEN_SUM:
        return 1.0 / t->seqs;
    case REDUCE_SEQ_MEAN_TOKEN_SUM_NORM:
        return 1.0 / (t->max_length * t->seqs);
    case REDUCE_TOKEN_SUM:
        return 1.0;
    default:
        return 1.0 / (length * t->seqs);
    }
}

void put_mean(const hone_objective_out *out, const char *name, double sum, double weight)
{
    if (out->metric && weight > 0)
        out->metric(out, name, HONE_METRIC_MEAN, sum / weight, weight);
}
