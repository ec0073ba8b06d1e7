/* A metric without a name.
 * validate: instance.call fail a metric without a name
 * call: any */
#define ON_END out->metric(out, NULL, HONE_METRIC_MEAN, 1, 1);
#include "hostile_objective.h"
