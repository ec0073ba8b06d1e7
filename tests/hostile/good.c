/* Nothing is wrong with this one: it shows that the faults are what the others fail by.
 * score: survives score */
#define CAPS                                                                                       \
    (HONE_CAP_DETERMINISTIC | HONE_CAP_PURE | HONE_CAP_REENTRANT | HONE_CAP_BATCH_INVARIANT)
#include "hostile.h"
