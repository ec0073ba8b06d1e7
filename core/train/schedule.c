/* schedule.c - see schedule.h. */
#include "train/schedule.h"

#include "base/math64.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {"constant", "linear", "cosine", "wsd", "inverse_sqrt", NULL};
enum { N_KINDS = sizeof names / sizeof *names - 1 };
static const double pi = 3.14159265358979323846;

const char *hone_schedule_name(uint32_t kind)
{
    return kind < N_KINDS ? names[kind] : "?";
}

static hone_status read_name(hone_str given, uint32_t *out)
{
    char text[64];
    for (uint32_t k = 0; k < N_KINDS; k++)
        if (hone_str_eq(given, names[k])) {
            *out = k;
            return HONE_OK;
        }
    size_t n = given.len < sizeof text - 1 ? given.len : sizeof text - 1;
    memcpy(text, given.ptr, n);
    text[n] = 0;
    hone_fail(HONE_E_INVALID, "schedule: there is no \"%s\"", text);
    const char *close = hone_closest(text, names);
    return close ? hone_fail_hint("did you mean \"%s\"?", close)
                 : hone_fail_hint("constant, linear, cosine, wsd or inverse_sqrt");
}

/* A number of updates: an integer from 0 on. */
static hone_status read_count(const hone_value *map, const char *key, uint64_t dflt, uint64_t *out)
{
    int64_t v;
    HONE_TRY(hone_value_i64(map, key, (int64_t)dflt, &v));
    if (v < 0)
        return hone_fail(HONE_E_INVALID, "schedule: %s is %lld, but counts updates", key,
                         (long long)v);
    *out = (uint64_t)v;
    return HONE_OK;
}

static hone_status read_shape(const hone_value *map, uint32_t *out)
{
    static const char *const shapes[] = {"linear", "cosine", "1-sqrt", NULL};
    hone_str given;
    HONE_TRY(hone_value_string(map, "shape", hone_str_c(shapes[0]), &given));
    for (uint32_t k = 0; shapes[k]; k++)
        if (hone_str_eq(given, shapes[k])) {
            *out = k;
            return HONE_OK;
        }
    return hone_fail(HONE_E_INVALID, "schedule: shape is linear, cosine or 1-sqrt");
}

static hone_status check_keys(const hone_value *map)
{
    static const char *const keys[] = {"name",     "warmup", "total", "min", "cycles",
                                       "multiply", "decay",  "shape", NULL};
    for (size_t i = 0; i < map->u.map.n; i++) {
        hone_str key = map->u.map.pairs[i].key;
        char text[64];
        int known = hone_str_eq(key, "1");
        for (size_t k = 0; keys[k]; k++)
            known |= hone_str_eq(key, keys[k]);
        if (known)
            continue;
        size_t n = key.len < sizeof text - 1 ? key.len : sizeof text - 1;
        memcpy(text, key.ptr, n);
        text[n] = 0;
        hone_fail(HONE_E_INVALID, "schedule: it has no setting \"%s\"", text);
        const char *close = hone_closest(text, keys);
        return close ? hone_fail_hint("did you mean \"%s\"?", close)
                     : hone_fail_hint("name, warmup, total, min, cycles, multiply, decay, shape");
    }
    return HONE_OK;
}

hone_status hone_schedule_read(const hone_value *given, uint64_t total, hone_schedule *out)
{
    hone_schedule s = {.cycles = 1, .total = total, .decay = 0.2, .multiply = 1};
    uint64_t cycles = 1;
    if (given && given->type == HONE_STRING) {
        HONE_TRY(read_name(given->u.str, &s.kind));
    } else if (given && given->type == HONE_MAP) {
        const hone_value *name = hone_value_get(given, "name");
        HONE_TRY(check_keys(given));
        if (!name)
            name = hone_value_get(given, "1");
        if (!name || name->type != HONE_STRING) {
            hone_fail(HONE_E_INVALID, "schedule: it has no name");
            return hone_fail_hint("as in { \"cosine\", warmup = 20, min = 0.1 }");
        }
        HONE_TRY(read_name(name->u.str, &s.kind));
        HONE_TRY(read_count(given, "warmup", 0, &s.warmup));
        HONE_TRY(read_count(given, "total", total, &s.total));
        HONE_TRY(read_count(given, "cycles", 1, &cycles));
        HONE_TRY(hone_value_f64(given, "min", 0, &s.min));
        HONE_TRY(hone_value_f64(given, "decay", 0.2, &s.decay));
        HONE_TRY(hone_value_f64(given, "multiply", 1, &s.multiply));
        HONE_TRY(read_shape(given, &s.shape));
    } else if (given && given->type != HONE_NULL) {
        return hone_fail(HONE_E_TYPE, "schedule: neither a name nor a table");
    }
    if (!(s.min >= 0 && s.min <= 1))
        return hone_fail(HONE_E_INVALID, "schedule: min is a share of the peak, 0 to 1, not %g",
                         s.min);
    if (!(s.decay > 0 && s.decay <= 1))
        return hone_fail(HONE_E_INVALID,
                         "schedule: decay is a share of the updates, above 0 and to 1, not %g",
                         s.decay);
    if (cycles < 1 || cycles > 1000000)
        return hone_fail(HONE_E_INVALID, "schedule: cycles is %llu, at least 1 is needed",
                         (unsigned long long)cycles);
    if (cycles > 1 && s.kind != HONE_SCHEDULE_LINEAR && s.kind != HONE_SCHEDULE_COSINE)
        return hone_fail(HONE_E_INVALID, "schedule: %s has no cycles; linear and cosine have",
                         names[s.kind]);
    if (!(s.multiply >= 1 && s.multiply <= 100) || (s.multiply > 1 && cycles > 64))
        return hone_fail(
            HONE_E_INVALID,
            "schedule: multiply is %g (with %llu cycles): from 1 to 100 is wanted, and "
            "at most 64 cycles",
            s.multiply, (unsigned long long)cycles);
    if (s.kind != HONE_SCHEDULE_CONSTANT && s.kind != HONE_SCHEDULE_INV_SQRT && s.total == 0) {
        hone_fail(HONE_E_INVALID, "schedule: %s needs the total number of updates", names[s.kind]);
        return hone_fail_hint("give total = N");
    }
    s.cycles = (uint32_t)cycles;
    *out = s;
    return HONE_OK;
}

/* How far the present cycle has come, from how far all of them have; 1 at the very end. */
static double within_cycle(const hone_schedule *s, double done)
{
    double x = done * s->cycles, all = 0, length = 1;
    if (done >= 1)
        return 1;
    if (!(s->multiply > 1))
        return x - floor(x);
    for (uint32_t i = 0; i < s->cycles; i++, length *= s->multiply)
        all += length;
    x = done * all;
    length = 1;
    for (uint32_t i = 1; i < s->cycles && x >= length; i++, length *= s->multiply)
        x -= length;
    return x / length;
}

double hone_schedule_at(const hone_schedule *s, uint64_t t)
{
    if (t < s->warmup)
        return (double)t / (double)s->warmup;
    double span = s->total > s->warmup ? (double)(s->total - s->warmup) : 1, from, x, part;
    double done = (double)(t - s->warmup) / span; /* of what follows the warm-up */
    if (done > 1)
        done = 1;
    switch (s->kind) {
    case HONE_SCHEDULE_LINEAR:
        return s->min + (1 - s->min) * (1 - within_cycle(s, done));
    case HONE_SCHEDULE_COSINE:
        part = within_cycle(s, done);
        return s->min + (1 - s->min) * 0.5 * (1 + hone_math_cos(pi * part));
    case HONE_SCHEDULE_WSD:
        from = (double)s->total * (1 - s->decay);
        if ((double)t <= from)
            return 1;
        part = ((double)t - from) / ((double)s->total * s->decay);
        part = part > 1 ? 1 : part;
        x = s->shape == HONE_DECAY_SQRT     ? 1 - sqrt(part)
            : s->shape == HONE_DECAY_COSINE ? 0.5 * (1 + hone_math_cos(pi * part))
                                            : 1 - part;
        return s->min + (1 - s->min) * x;
    case HONE_SCHEDULE_INV_SQRT:
        from = s->warmup ? (double)s->warmup : 1;
        x = sqrt(from / (double)(t ? t : 1));
        return x > s->min ? x : s->min;
    default:
        return 1;
    }
}
