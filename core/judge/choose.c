/* choose.c - see choose.h. */
#include "judge/choose.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* ---- tallies -------------------------------------------------------------------------------------------------------- */

void hone_tally_add(hone_tally *t, const hone_answer *a)
{
    t->answers++;
    if (a->n_labels && isfinite(a->entropy)) {
        t->n_labels++;
        t->sum_entropy += a->entropy;
        t->sum_mass += isfinite(a->mass) ? a->mass : 1;
    }
    if (a->detail != HONE_VERDICT_OK || !isfinite(a->score)) {
        t->detail = a->detail;
        return;
    }
    t->ok++;
    const double d = a->score - t->mean;
    t->mean += d / t->ok;
    t->m2 += d * (a->score - t->mean);
    if (isfinite(a->inconsistency)) { /* it saw both orders itself; which was higher is not told */
        t->first += a->score + a->inconsistency;
        t->second += a->score - a->inconsistency;
        t->n_first++;
        t->n_second++;
    } else if (a->order[0] == 0) {
        t->first += a->score;
        t->n_first++;
    } else {
        t->second += a->score;
        t->n_second++;
    }
}

double hone_tally_mean(const hone_tally *t)
{
    return t->ok ? t->mean : (double)NAN;
}

double hone_tally_error(const hone_tally *t)
{
    return t->ok > 1 ? sqrt(t->m2 / (t->ok - 1) / t->ok) : (double)NAN;
}

/* ---- conditions ------------------------------------------------------------------------------------------------------ */

enum { SCORE, ERROR, ENTROPY, MASS, ANSWERS, OK, NAMES };
static const char *const names[] = {"score", "error", "entropy", "mass", "answers", "ok", NULL};
enum { AT_LEAST, AT_MOST, EQUAL, UNEQUAL, ABOVE, BELOW, SIGNS };
static const char *const signs[] = {">=", "<=", "==", "!=", ">", "<"}; /* the longer ones first */

static const char *skip(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

static hone_status wrong(const char *text, const char *at, const char *wanted)
{
    hone_fail(HONE_E_USAGE, "\"%.100s\": %s is wanted at \"%.40s\"", text, wanted, at);
    return hone_fail_hint(
        "for instance \"score>=0.5\" or \"score > 0.2 and entropy < 1\"; what can "
        "be compared: score, error, entropy, mass, answers, ok");
}

hone_status hone_condition_read(const char *text, hone_condition *out)
{
    hone_condition c;
    memset(&c, 0, sizeof c);
    const char *p = skip(text);
    for (;;) {
        size_t n = 0, what = 0, how = 0;
        if (c.n == HONE_CONDITIONS)
            return hone_fail(HONE_E_USAGE, "\"%.100s\": more than %d comparisons", text,
                             HONE_CONDITIONS);
        while (isalpha((unsigned char)p[n]))
            n++;
        while (what < NAMES && (strlen(names[what]) != n || memcmp(names[what], p, n) != 0))
            what++;
        if (what == NAMES)
            return wrong(text, p, "a name");
        const char *at = skip(p + n), *end;
        while (how < SIGNS && strncmp(at, signs[how], strlen(signs[how])) != 0)
            how++;
        if (how == SIGNS)
            return wrong(text, at, "a comparison (>=, <=, ==, !=, >, <)");
        p = skip(at + strlen(signs[how]));
        const double x = hone_parse_f64(p, &end);
        if (end == p || !isfinite(x))
            return wrong(text, p, "a number");
        c.part[c.n].what = (uint8_t)what;
        c.part[c.n].how = (uint8_t)how;
        c.part[c.n++].than = x;
        p = skip(end);
        if (!*p)
            break;
        if (strncmp(p, "and", 3) != 0 || !isspace((unsigned char)p[3]))
            return wrong(text, p, "\"and\", or the end");
        p = skip(p + 3);
    }
    *out = c;
    return HONE_OK;
}

static double value_of(const hone_tally *t, int what)
{
    switch (what) {
    case SCORE:
        return hone_tally_mean(t);
    case ERROR:
        return hone_tally_error(t);
    case ENTROPY:
        return t->n_labels ? t->sum_entropy / t->n_labels : (double)NAN;
    case MASS:
        return t->n_labels ? t->sum_mass / t->n_labels : (double)NAN;
    case ANSWERS:
        return t->answers;
    default:
        return t->ok;
    }
}

int hone_condition_met(const hone_condition *c, const hone_tally *t)
{
    for (size_t i = 0; i < c->n; i++) {
        const double x = value_of(t, c->part[i].what), y = c->part[i].than;
        const int holds = c->part[i].how == AT_LEAST  ? x >= y
                          : c->part[i].how == AT_MOST ? x <= y
                          : c->part[i].how == EQUAL   ? x == y
                          : c->part[i].how == UNEQUAL ? x < y || x > y
                          : c->part[i].how == ABOVE   ? x > y
                                                      : x < y;
        if (!holds)
            return 0;
    }
    return 1;
}

/* ---- pairs ------------------------------------------------------------------------------------------------------------ */

int hone_margin(double x, double error, double z)
{
    if (!isfinite(x) || !(error >= 0) || !(fabs(x) > z * error) || x == 0)
        return 0;
    return x > 0 ? 1 : -1;
}
