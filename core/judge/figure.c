/* figure.c - numbers with intervals: made, written as JSON and text, read back. */
#include "judge/figure.h"

#include <math.h>
#include <string.h>

/* No end known; and what the writer of JSON makes null. */
static const double open_end = (double)INFINITY, absent = (double)NAN;

hone_figure hone_figure_none(size_t n, const char *why)
{
    return (hone_figure){.lo = -open_end, .hi = open_end, .n = n, .why = why ? why : "unknown"};
}

hone_figure hone_figure_value(double value, size_t n, const char *note)
{
    if (!isfinite(value))
        return hone_figure_none(n, "the figure is not finite: the scores are too large");
    return (hone_figure){
        .value = value == 0 ? 0 : value, .lo = -open_end, .hi = open_end, .n = n, .note = note};
}

hone_figure hone_figure_of(double value, double lo, double hi, size_t n)
{
    hone_figure f = hone_figure_value(value, n, NULL);
    if (f.why)
        return f;
    f.lo = isnan(lo) ? -open_end : lo;
    f.hi = isnan(hi) ? open_end : hi;
    if (f.lo > f.hi) {
        double t = f.lo;
        f.lo = f.hi;
        f.hi = t;
    }
    if (f.lo > f.value)
        f.lo = f.value;
    if (f.hi < f.value)
        f.hi = f.value;
    return f;
}

int hone_figure_has(const hone_figure *f)
{
    return f->why == NULL;
}

int hone_figure_has_interval(const hone_figure *f)
{
    return !f->why && isfinite(f->lo) && isfinite(f->hi);
}

void hone_figure_write(hone_jw *w, const hone_figure *f)
{
    hone_jw_map(w);
    hone_jw_kf64(w, "value",
                 f->why ? absent : f->value); /* what is not finite is written as null */
    hone_jw_kf64(w, "lo", f->why ? absent : f->lo);
    hone_jw_kf64(w, "hi", f->why ? absent : f->hi);
    hone_jw_ki64(w, "n", f->n > INT64_MAX ? INT64_MAX : (int64_t)f->n);
    if (f->why)
        hone_jw_kcstr(w, "why", f->why);
    if (f->note)
        hone_jw_kcstr(w, "note", f->note);
    hone_jw_end(w);
}

void hone_figure_write_key(hone_jw *w, const char *key, const hone_figure *f)
{
    hone_jw_key(w, key);
    hone_figure_write(w, f);
}

static hone_status kept(const hone_value *map, const char *key, hone_arena *arena, const char **out)
{
    hone_str text = {NULL, 0};
    HONE_TRY(hone_value_string(map, key, text, &text));
    if (!text.ptr)
        return HONE_OK;
    char *z = hone_arena_strndup(arena, text.ptr, text.len);
    if (!z)
        return HONE_E_NOMEM;
    *out = z;
    return HONE_OK;
}

hone_status hone_figure_read(const hone_value *map, const char *key, hone_arena *arena,
                             hone_figure *out)
{
    const hone_value *m = hone_value_get(map, key);
    if (!m || m->type == HONE_NULL) {
        *out = hone_figure_none(0, "not reported");
        return HONE_OK;
    }
    if (m->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "%s: no figure: a table with value, lo, hi, n is expected",
                         key);
    double value, lo, hi;
    int64_t n;
    const char *why = NULL, *note = NULL;
    hone_status s = HONE_OK;
    if ((s = hone_value_f64(m, "value", absent, &value)) < 0 ||
        (s = hone_value_f64(m, "lo", -open_end, &lo)) < 0 ||
        (s = hone_value_f64(m, "hi", open_end, &hi)) < 0 ||
        (s = hone_value_i64(m, "n", 0, &n)) < 0 || (s = kept(m, "why", arena, &why)) < 0 ||
        (s = kept(m, "note", arena, &note)) < 0) {
        hone_fail_at("%s", key);
        return s;
    }
    if (n < 0)
        return hone_fail(HONE_E_TYPE, "%s.n: is negative", key);
    *out = isfinite(value) ? hone_figure_of(value, lo, hi, (size_t)n)
                           : hone_figure_none((size_t)n, why ? why : "not reported");
    out->note = note;
    return HONE_OK;
}

int hone_figure_at(const hone_value *document, const char *path, hone_arena *arena,
                   hone_figure *out)
{
    char parent[64];
    const char *dot = strrchr(path, '.');
    const hone_value *map = document, *v = hone_value_path(document, path);
    if (!v || v->type != HONE_MAP)
        return 0;
    if (dot) {
        if ((size_t)(dot - path) >= sizeof parent)
            return 0;
        memcpy(parent, path, (size_t)(dot - path));
        parent[dot - path] = '\0';
        map = hone_value_path(document, parent);
    }
    return hone_figure_read(map, dot ? dot + 1 : path, arena, out) >= 0;
}

hone_status hone_figure_text(hone_buf *b, const hone_figure *f, int digits)
{
    int d = digits < 0 ? 0 : digits > 9 ? 9 : digits;
    if (f->why)
        return hone_buf_addf(b, "unknown: %s (n = %zu)", f->why, f->n);
    HONE_TRY(hone_buf_addf(b, "%.*f", d, f->value));
    if (isfinite(f->lo) || isfinite(f->hi))
        HONE_TRY(hone_buf_addf(b, " [%.*f, %.*f]", d, f->lo, d, f->hi));
    HONE_TRY(hone_buf_addf(b, " (n = %zu", f->n));
    if (f->note)
        HONE_TRY(hone_buf_addf(b, "; %s", f->note));
    return hone_buf_addc(b, ')');
}

size_t hone_figure_more(const hone_figure *f, double factor)
{
    if (!hone_figure_has_interval(f) || f->n == 0 || !(factor > 0 && factor < 1))
        return 0;
    double more = ceil((double)f->n * (1 / (factor * factor) - 1) - 1e-9);
    return more < 9e15 ? (size_t)more : 0;
}
