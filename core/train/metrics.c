/* metrics.c - see metrics.h. */
#include "train/metrics.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

void hone_metrics_init(hone_metrics *m)
{
    memset(m, 0, sizeof *m);
}

void hone_metrics_release(hone_metrics *m)
{
    hone_free(m->items);
    hone_metrics_init(m);
}

void hone_metrics_clear(hone_metrics *m)
{
    m->n = 0;
    m->failed = HONE_OK;
}

static hone_metric *find(const hone_metrics *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strncmp(m->items[i].name, name, sizeof m->items[i].name - 1) == 0) /* as kept */
            return &m->items[i];
    }
    return NULL;
}

void hone_metrics_add(hone_metrics *m, const char *name, uint32_t how, double value, double weight)
{
    hone_metric *x = find(m, name);
    if (!x) {
        if (m->n == m->cap) {
            size_t cap = m->cap ? 2 * m->cap : 32;
            hone_metric *grown = hone_reallocarray(m->items, cap, sizeof *grown);
            if (!grown) {
                m->failed = HONE_E_NOMEM;
                return;
            }
            m->items = grown;
            m->cap = cap;
        }
        x = &m->items[m->n++];
        memset(x, 0, sizeof *x);
        snprintf(x->name, sizeof x->name, "%s", name);
        x->how = how;
        if (how == HONE_METRIC_MIN)
            x->value = INFINITY;
        if (how == HONE_METRIC_MAX)
            x->value = -INFINITY;
    }
    switch (x->how) {
    case HONE_METRIC_SUM:
        x->value += value;
        x->weight += 1;
        break;
    case HONE_METRIC_MIN:
        x->value = value < x->value || isnan(value) ? value : x->value;
        x->weight += 1;
        break;
    case HONE_METRIC_MAX:
        x->value = value > x->value || isnan(value) ? value : x->value;
        x->weight += 1;
        break;
    default:
        if (weight > 0) {
            x->value += value * weight;
            x->weight += weight;
        }
        break;
    }
}

void hone_metrics_merge(hone_metrics *to, const hone_metrics *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const hone_metric *x = &from->items[i];
        if (x->how == HONE_METRIC_MEAN)
            hone_metrics_add(to, x->name, x->how, x->weight > 0 ? x->value / x->weight : 0,
                             x->weight);
        else if (x->weight > 0)
            hone_metrics_add(to, x->name, x->how, x->value, 1);
    }
}

double hone_metric_value(const hone_metric *m)
{
    if (m->how != HONE_METRIC_MEAN)
        return m->value;
    return m->weight > 0 ? m->value / m->weight : (double)NAN;
}

int hone_metrics_get(const hone_metrics *m, const char *name, double *out)
{
    const hone_metric *x = find(m, name);
    if (!x || !(x->weight > 0))
        return 0;
    *out = hone_metric_value(x);
    return 1;
}

void hone_metrics_write(const hone_metrics *m, hone_jw *w)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->items[i].weight > 0)
            hone_jw_kf64(w, m->items[i].name, hone_metric_value(&m->items[i]));
    }
}

void hone_metrics_keep(const hone_metrics *m, hone_jw *w)
{
    hone_jw_list(w);
    for (size_t i = 0; i < m->n; i++) {
        const hone_metric *x = &m->items[i];
        if (!(x->weight > 0))
            continue;
        hone_jw_list(w);
        hone_jw_cstr(w, x->name);
        hone_jw_i64(w, (int64_t)x->how);
        hone_jw_f64(w, x->value);
        hone_jw_f64(w, x->weight);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

/* A number; what JSON has no number for is null, and NaN again. */
static int number(const hone_value *v, double *out)
{
    *out = v->type == HONE_I64 ? (double)v->u.i64 : v->type == HONE_F64 ? v->u.f64 : (double)NAN;
    return v->type == HONE_I64 || v->type == HONE_F64 || v->type == HONE_NULL;
}

hone_status hone_metrics_kept(hone_metrics *m, const hone_value *kept)
{
    hone_metrics out;
    hone_status s = kept->type == HONE_LIST ? HONE_OK : HONE_E_INVALID;
    hone_metrics_init(&out);
    for (size_t i = 0; s >= 0 && i < kept->u.list.n; i++) {
        const hone_value *row = &kept->u.list.items[i], *x = row->u.list.items;
        char name[64];
        double value, weight;
        if (row->type != HONE_LIST || row->u.list.n != 4 || x[0].type != HONE_STRING ||
            x[0].u.str.len >= sizeof name || x[1].type != HONE_I64 || x[1].u.i64 < 0 ||
            x[1].u.i64 > HONE_METRIC_MAX || !number(&x[2], &value) || !number(&x[3], &weight) ||
            !(weight > 0)) {
            s = HONE_E_INVALID;
            break;
        }
        memcpy(name, x[0].u.str.ptr, x[0].u.str.len);
        name[x[0].u.str.len] = '\0';
        hone_metrics_add(&out, name, (uint32_t)x[1].u.i64, 0, 1);
        s = out.failed;
        if (s < 0)
            break;
        out.items[out.n - 1].value = value;
        out.items[out.n - 1].weight = weight;
    }
    if (s < 0) {
        hone_metrics_release(&out);
        return s == HONE_E_INVALID ? hone_fail(s, "the checkpoint's metrics are no metrics") : s;
    }
    hone_metrics_release(m);
    *m = out;
    return HONE_OK;
}
