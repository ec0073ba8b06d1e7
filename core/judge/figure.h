/* figure.h - a number with its interval, or the reason why there is none.
 *
 * Every statistic of core/judge reports through it, so that no NaN and no bare number leaves: either
 * `why` is NULL and `value` holds (finite), or `why` says in plain words what the data cannot tell,
 * and value, lo and hi mean nothing (0, -inf, inf). A value without an interval has lo = -inf and
 * hi = inf, which no bound of a gate is ever met by; `note` then says why. Texts are static. */
#ifndef HONE_CORE_JUDGE_FIGURE_H
#define HONE_CORE_JUDGE_FIGURE_H
#include "base/json.h"

typedef struct hone_figure {
    double value, lo, hi;
    size_t n;        /* what it was computed from: items, pairs, groups, as the function says */
    const char *why; /* NULL: the value holds */
    const char
        *note; /* NULL, or what is to be known of value or interval ("one prompt only: ...") */
} hone_figure;

/* A value with an interval, with none, or none at all. What is not finite becomes a reason or an open
 * end; lo and hi are put in order and around the value. Cannot fail. [any-thread] */
hone_figure hone_figure_of(double value, double lo, double hi, size_t n);
hone_figure hone_figure_value(double value, size_t n, const char *note);
hone_figure hone_figure_none(size_t n, const char *why);
int hone_figure_has(const hone_figure *f);          /* the value holds */
int hone_figure_has_interval(const hone_figure *f); /* and both ends are finite */

/* {"value":x|null,"lo":x|null,"hi":x|null,"n":n} and, when there, "why", "note". */
void hone_figure_write(hone_jw *w, const hone_figure *f);
void hone_figure_write_key(hone_jw *w, const char *key, const hone_figure *f);
/* Back from such a map; E_TYPE naming the key when it is none. Reasons are kept in `arena`. */
hone_status hone_figure_read(const hone_value *map, const char *key, hone_arena *arena,
                             hone_figure *out);
/* The figure at a dotted path ("ceiling.ac2") of a document: 1, or 0 when there is none. */
int hone_figure_at(const hone_value *document, const char *path, hone_arena *arena,
                   hone_figure *out);
/* "0.712 [0.655, 0.769] (n = 400)", "0.712 (n = 400; no interval: ...)", "unknown: ..."; `digits`
 * after the point, 0..9. */
hone_status hone_figure_text(hone_buf *b, const hone_figure *f, int digits);

/* Items to label beyond f->n so that the interval becomes `factor` (0..1) of its width, widths going
 * with one over the root of n: n (1/factor^2 - 1), so 3 n for a half. 0 when unknown. */
size_t hone_figure_more(const hone_figure *f, double factor);
#endif
