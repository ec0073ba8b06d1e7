/* metrics.h - named numbers of one step, gathered from parts.
 *
 * A metric knows how its parts combine (mean by weight, sum, min, max; hone/objective.h), so that a step's
 * numbers do not depend on how it was split. Order of first mention is kept. Nothing from a clock. */
#ifndef HONE_CORE_TRAIN_METRICS_H
#define HONE_CORE_TRAIN_METRICS_H
#include "base/json.h"
#include "hone/objective.h"

typedef struct hone_metric {
    char name[64];
    uint32_t how, reserved;
    double value, weight; /* MEAN: value is the weighted sum */
} hone_metric;
typedef struct hone_metrics {
    hone_metric *items;
    size_t n, cap;
    hone_status failed; /* E_NOMEM is sticky */
} hone_metrics;

void hone_metrics_init(hone_metrics *m);
void hone_metrics_release(hone_metrics *m);
void hone_metrics_clear(hone_metrics *m);
void hone_metrics_add(hone_metrics *m, const char *name, uint32_t how, double value, double weight);
static inline void hone_metrics_set(hone_metrics *m, const char *name, double value)
{
    hone_metrics_add(m, name, HONE_METRIC_MEAN, value, 1);
}
void hone_metrics_merge(hone_metrics *to, const hone_metrics *from);
/* 1 and *out when there is such a metric (with weight). */
int hone_metrics_get(const hone_metrics *m, const char *name, double *out);
double hone_metric_value(const hone_metric *m);
/* key: value pairs into an open map. */
void hone_metrics_write(const hone_metrics *m, hone_jw *w);
/* All that is known of them, as a list; and back, in place of what m has: E_INVALID where it is no such list. */
void hone_metrics_keep(const hone_metrics *m, hone_jw *w);
hone_status hone_metrics_kept(hone_metrics *m, const hone_value *kept);
#endif
