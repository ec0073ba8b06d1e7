/* schedule.h - learning rate by update: warm-up, then constant, linear, cosine, ... down to a floor.
 *
 * A schedule is a pure function of the update's number, so that resuming needs no state and any update
 * can be asked for. Updates count from 1; the first of `warmup` updates gets 1/warmup of the peak, the
 * warmup-th gets all of it. Same bits on every machine (base/math64). */
#ifndef HONE_CORE_TRAIN_SCHEDULE_H
#define HONE_CORE_TRAIN_SCHEDULE_H
#include "base/json.h"

enum {
    HONE_SCHEDULE_CONSTANT,
    HONE_SCHEDULE_LINEAR,  /* straight from the peak to min at `total`, `cycles` times */
    HONE_SCHEDULE_COSINE,  /* half a cosine (Loshchilov & Hutter 2016), `cycles` times */
    HONE_SCHEDULE_WSD,     /* the peak, then to min over the last `decay` of the updates */
    HONE_SCHEDULE_INV_SQRT /* peak * sqrt(warmup / t), no less than min */
};
/* How wsd comes down: straight, as half a cosine, or as 1 - sqrt (Haegele et al. 2024). */
enum { HONE_DECAY_LINEAR, HONE_DECAY_COSINE, HONE_DECAY_SQRT };
typedef struct hone_schedule {
    uint32_t kind, cycles; /* cycles: linear and cosine begin anew; 1 = they do not */
    uint64_t warmup, total;
    double min;      /* floor, as a share of the peak */
    double decay;    /* wsd: share of the updates, 0.2 */
    double multiply; /* each cycle is so many times as long as the one before (SGDR's T_mult), 1 */
    uint32_t shape;  /* wsd: HONE_DECAY_* */
} hone_schedule;

/* From a recipe: NULL or null (constant), a name, or a map { name = "cosine", warmup = 20, min = 0.1,
 * total = 800, cycles = 1, multiply = 1, decay = 0.2, shape = "linear" | "cosine" | "1-sqrt" } (the name may stand under "1" too, as Lua's { "cosine" } does).
 * `total` is the default of the key total. E_INVALID names what is wrong; unknown keys are refused. */
hone_status hone_schedule_read(const hone_value *given, uint64_t total, hone_schedule *out);
/* Share of the peak at update `t` (1 for the first; 0 gives the begin of the warm-up). After `total`
 * the floor holds. Cannot fail. [any-thread] */
double hone_schedule_at(const hone_schedule *s, uint64_t t);
/* "constant", "linear", "cosine", "wsd", "inverse_sqrt" */
const char *hone_schedule_name(uint32_t kind);
#endif
