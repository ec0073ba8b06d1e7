/* chart.c - lines and stacked areas as SVG (see chart.h).
 *
 * The drawing has a fixed box of W x H units, near to the pixels a figure gets on a phone, so that its
 * text stays legible at every width. Colours are classes, so that light and dark is the style sheet's
 * business. What the script needs to show values under the pointer stands in data-attributes of the
 * svg: the box of the plot, the range of x, and per series the points that were drawn. */
#include "web/chart.h"

#include "base/alloc.h"
#include "web/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { W = 360, H = 210, LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 26, MANY = 40, THIN = 600 };
enum { NAME = 16 }; /* the height of the axis' name */

typedef struct points {
    double *x, *y;
    size_t n;
} points;
typedef struct frame {
    double x0, x1, y0, y1;
    int log_x;
} frame;

static void release(points *p)
{
    hone_free(p->x);
    hone_free(p->y);
    memset(p, 0, sizeof *p);
}

static int make(points *p, size_t n)
{
    p->x = hone_alloc((n ? n : 1) * sizeof *p->x);
    p->y = hone_alloc((n ? n : 1) * sizeof *p->y);
    p->n = 0;
    if (p->x && p->y)
        return 1;
    release(p);
    return 0;
}

/* The finite points of a series. */
static int finite_points(const hone__web_series *s, points *out)
{
    if (!make(out, s->n))
        return 0;
    for (size_t i = 0; i < s->n; i++) {
        if (isfinite(s->y[i]) && isfinite(s->x[i])) {
            out->x[out->n] = s->x[i];
            out->y[out->n++] = s->y[i];
        }
    }
    return 1;
}

/* At most about THIN points: of each stretch the least and the greatest, in their order. */
static void thin(points *p)
{
    if (p->n <= THIN)
        return;
    size_t stretches = THIN / 2, k = 0;
    for (size_t b = 0; b < stretches; b++) {
        size_t from = b * p->n / stretches, to = (b + 1) * p->n / stretches, lo = from, hi = from;
        for (size_t i = from; i < to; i++) {
            lo = p->y[i] < p->y[lo] ? i : lo;
            hi = p->y[i] > p->y[hi] ? i : hi;
        }
        size_t first = lo < hi ? lo : hi, second = lo < hi ? hi : lo;
        double x2 = p->x[second], y2 = p->y[second];
        p->x[k] = p->x[first];
        p->y[k++] = p->y[first];
        if (second != first) {
            p->x[k] = x2;
            p->y[k++] = y2;
        }
    }
    p->n = k;
}

/* Moving average over about a twentieth of the points around each, those of them that there are. */
static int smooth(const points *p, points *out)
{
    if (!make(out, p->n))
        return 0;
    size_t half = p->n / 40;
    for (size_t i = 0; i < p->n; i++) {
        size_t from = i < half ? 0 : i - half, to = i + half < p->n ? i + half : p->n - 1;
        double sum = 0;
        for (size_t j = from; j <= to; j++)
            sum += p->y[j];
        out->x[i] = p->x[i];
        out->y[i] = sum / (double)(to - from + 1);
    }
    out->n = p->n;
    return 1;
}

static double px(const frame *f, double x)
{
    const double at = f->log_x ? log(x / f->x0) / log(f->x1 / f->x0)
                               : (x - f->x0) / (f->x1 - f->x0);
    return LEFT + at * (W - LEFT - RIGHT);
}

static double py(const frame *f, double y)
{
    return H - BOTTOM - (y - f->y0) / (f->y1 - f->y0) * (H - TOP - BOTTOM);
}

static double nice_step(double range, int ticks)
{
    double raw = range / ticks, base = pow(10, floor(log10(raw))), m = raw / base;
    return base * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

static void short_number(double v, char out[32])
{
    double a = fabs(v);
    if (a >= 1e6)
        snprintf(out, 32, "%.3gM", v / 1e6);
    else if (a >= 1e4)
        snprintf(out, 32, "%.3gk", v / 1e3);
    else
        snprintf(out, 32, a >= 1000 ? "%.4g" : "%.3g", v == 0 ? 0 : v);
}

static void x_number(hone_buf *b, const frame *f, double x)
{
    char t[32];
    short_number(x, t);
    const double at = px(f, x);
    hone_buf_addf(b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>", at, H - 8,
                  at < W - RIGHT - 8 ? "middle" : "end", t);
}

/* first: the points whose x are the numbers of the axis, or NULL. */
static void axes(hone_buf *b, const frame *f, const points *first, const char *x_name)
{
    char t[32];
    double step = nice_step(f->y1 - f->y0, 4);
    hone_buf_adds(b, "<g class=\"grid\">");
    for (double k = ceil(f->y0 / step - 1e-9); k * step <= f->y1 + step * 1e-9; k += 1) {
        double y = py(f, k * step);
        short_number(fabs(k) < 0.5 ? 0 : k * step, t);
        hone_buf_addf(b, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, W - RIGHT, y,
                      y);
        hone_buf_addf(b, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 6, y + 4,
                      t);
    }
    step = nice_step(f->x1 - f->x0, 5);
    step = step < 1 ? 1 : step;
    for (size_t i = 0; first && i < first->n; i++)
        x_number(b, f, first->x[i]);
    for (double k = ceil(f->x0 / step); !first && k * step <= f->x1 + 1e-9; k += 1)
        x_number(b, f, k * step);
    if (x_name) {
        hone_buf_addf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + W - RIGHT) / 2,
                      H + NAME - 6);
        hone__web_textz(b, x_name);
        hone_buf_adds(b, "</text>");
    }
    hone_buf_addf(b, "</g><line class=\"base\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT,
                  W - RIGHT, H - BOTTOM, H - BOTTOM);
}

static void path(hone_buf *b, const frame *f, const points *p, const char *kind,
                 const hone__web_series *s)
{
    hone_buf_addf(b, "<path class=\"%s c%d d%d\" d=\"", kind, s->color, s->dash);
    for (size_t i = 0; i < p->n; i++)
        hone_buf_addf(b, "%c%.1f %.1f", i ? 'L' : 'M', px(f, p->x[i]), py(f, p->y[i]));
    hone_buf_adds(b, "\"/>");
}

static void line(hone_buf *b, const frame *f, const points *p, const hone__web_series *s)
{
    points soft;
    if (p->n > MANY && smooth(p, &soft)) {
        path(b, f, p, "raw", s);
        path(b, f, &soft, "line", s);
        release(&soft);
    } else if (p->n > 1) {
        path(b, f, p, "line", s);
    }
    for (size_t i = 0; p->n <= 24 && i < p->n; i++)
        hone_buf_addf(b, "<circle class=\"c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>", s->color,
                      px(f, p->x[i]), py(f, p->y[i]));
}

/* data-points: per series "x,y x,y ...", series apart by ";". */
static void data(hone_buf *b, const points *p, size_t n)
{
    hone_buf_adds(b, " data-points=\"");
    for (size_t k = 0; k < n; k++) {
        if (k)
            hone_buf_addc(b, ';');
        for (size_t i = 0; i < p[k].n; i++)
            hone_buf_addf(b, "%s%.6g,%.5g", i ? " " : "", p[k].x[i], p[k].y[i]);
    }
    hone_buf_addc(b, '"');
}

static void area(hone_buf *b, const frame *f, const points *p, const double *below,
                 const hone__web_series *s)
{
    hone_buf_addf(b, "<path class=\"area c%d\" d=\"", s->color);
    for (size_t i = 0; i < p->n; i++)
        hone_buf_addf(b, "%c%.1f %.1f", i ? 'L' : 'M', px(f, p->x[i]), py(f, below[i] + p->y[i]));
    for (size_t i = p->n; i-- > 0;)
        hone_buf_addf(b, "L%.1f %.1f", px(f, p->x[i]), py(f, below[i]));
    hone_buf_adds(b, "Z\"/>");
}

/* Stacked series in at most THIN columns, each the mean of its stretch. */
static int columns(const hone__web_chart *c, points *p)
{
    size_t n = c->s[0].n, k = n < THIN / 2 ? n : THIN / 2;
    for (size_t j = 0; j < c->n; j++) {
        if (!make(&p[j], k))
            return 0;
        for (size_t b = 0; b < k; b++) {
            size_t from = b * n / k, to = (b + 1) * n / k;
            double sum = 0;
            for (size_t i = from; i < to; i++)
                sum += isfinite(c->s[j].y[i]) && c->s[j].y[i] > 0 ? c->s[j].y[i] : 0;
            p[j].x[b] = c->s[j].x[b == 0 ? 0 : b + 1 == k ? n - 1 : (from + to - 1) / 2];
            p[j].y[b] = sum / (double)(to - from);
        }
        p[j].n = k;
    }
    return 1;
}

static void fit(const hone__web_chart *c, const points *p, frame *f)
{
    *f = (frame){HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL, 0};
    for (size_t k = 0; k < c->n; k++) {
        for (size_t i = 0; i < p[k].n; i++) {
            double y = p[k].y[i], x = p[k].x[i];
            if (c->kind == HONE_CHART_STACKED) {
                y = 0;
                for (size_t j = 0; j < c->n; j++)
                    y += p[j].y[i];
            }
            f->x0 = x < f->x0 ? x : f->x0;
            f->x1 = x > f->x1 ? x : f->x1;
            f->y0 = y < f->y0 ? y : f->y0;
            f->y1 = y > f->y1 ? y : f->y1;
        }
    }
    if (c->zero || c->kind == HONE_CHART_STACKED) {
        f->y0 = f->y0 > 0 || c->kind == HONE_CHART_STACKED ? 0 : f->y0;
        f->y1 = f->y1 < 0 ? 0 : f->y1;
    }
    f->y1 = f->y1 < c->top ? c->top : f->y1;
    if (!(f->x1 > f->x0)) {
        f->x0 -= 1;
        f->x1 += 1;
    }
    f->log_x = c->places && f->x0 > 0;
    double range = f->y1 - f->y0, size = fabs(f->y0) + fabs(f->y1);
    if (!(range > size * 1e-12) || range < 1e-300) { /* flat */
        double pad = size > 0 ? size / 4 : 1;
        f->y0 -= f->y0 == 0 ? 0 : pad;
        f->y1 += pad;
    } else if (!(c->top > 0 && f->y1 == c->top)) {
        f->y1 += range * 0.04;
        f->y0 -= f->y0 == 0 ? 0 : range * 0.04;
    }
}

static void legend(hone_buf *b, const hone__web_chart *c, const points *p)
{
    char last[32];
    hone_buf_adds(b, "<ul class=\"legend\">");
    for (size_t k = 0; k < c->n; k++) {
        if (!p[k].n)
            continue;
        hone__web_number(p[k].y[p[k].n - 1], last);
        hone_buf_addf(b,
                      "<li><svg class=\"key\" viewBox=\"0 0 22 10\" aria-hidden=\"true\"><%s "
                      "class=\"%s c%d d%d\" %s/></svg><span class=\"name\">",
                      c->kind == HONE_CHART_STACKED ? "rect" : "path",
                      c->kind == HONE_CHART_STACKED ? "area" : "line", c->s[k].color, c->s[k].dash,
                      c->kind == HONE_CHART_STACKED ? "x=\"4\" width=\"14\" height=\"10\""
                                                    : "d=\"M1 5H21\"");
        hone__web_textz(b, c->s[k].label);
        hone_buf_addf(b, "</span> <b class=\"value\">%s</b></li>", last);
    }
    hone_buf_adds(b, "</ul>");
}

static void label(hone_buf *b, const hone__web_chart *c, const points *p)
{
    char first[32], last[32];
    hone_buf_adds(b, " aria-label=\"");
    hone__web_textz(b, c->title);
    for (size_t k = 0; k < c->n; k++) {
        if (!p[k].n)
            continue;
        hone__web_number(p[k].y[0], first);
        hone__web_number(p[k].y[p[k].n - 1], last);
        hone_buf_adds(b, k ? "; " : ": ");
        hone__web_textz(b, c->s[k].label);
        hone_buf_addf(b, " from %s at ", first);
        hone__web_textz(b, c->x_name ? c->x_name : "step");
        hone_buf_addf(b, " %.0f to %s at ", p[k].x[0], last);
        hone__web_textz(b, c->x_name ? c->x_name : "step");
        hone_buf_addf(b, " %.0f", p[k].x[p[k].n - 1]);
    }
    hone_buf_addc(b, '"');
}

size_t hone__web_chart_write(hone_buf *b, const hone__web_chart *c)
{
    points p[HONE_CHART_SERIES] = {{0}};
    frame f;
    size_t drawn = 0;
    int ok = c->n > 0 && (c->kind == HONE_CHART_LINES || columns(c, p));
    for (size_t k = 0; ok && c->kind == HONE_CHART_LINES && k < c->n; k++) {
        ok = finite_points(&c->s[k], &p[k]);
        thin(&p[k]);
    }
    if (!ok && c->n > 0)
        b->failed = HONE_E_NOMEM;
    for (size_t k = 0; ok && k < c->n; k++)
        drawn += p[k].n;
    if (drawn == 0)
        goto done;
    fit(c, p, &f);
    hone_buf_adds(b, "<figure><figcaption><h3>");
    hone__web_textz(b, c->title);
    hone_buf_adds(b, "</h3>");
    if (c->note && c->note[0]) {
        hone_buf_adds(b, "<p>");
        hone__web_textz(b, c->note);
        hone_buf_adds(b, "</p>");
    }
    hone_buf_addf(
        b, "</figcaption><svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" tabindex=\"0\"", W,
        c->x_name ? H + NAME : H);
    label(b, c, p);
    hone_buf_addf(b, " data-box=\"%d,%d,%d,%d\" data-x=\"%.10g,%.10g\" data-y=\"%.10g,%.10g\"",
                  LEFT, W - RIGHT, TOP, H - BOTTOM, f.x0, f.x1, f.y0, f.y1);
    if (c->x_name) {
        hone_buf_adds(b, " data-name=\"");
        hone__web_textz(b, c->x_name);
        hone_buf_addc(b, '"');
    }
    data(b, p, c->n);
    hone_buf_addc(b, '>');
    axes(b, &f, c->places ? &p[0] : NULL, c->x_name);
    double *below = NULL;
    if (c->kind == HONE_CHART_STACKED) {
        below = hone_calloc(p[0].n, sizeof *below);
        if (!below)
            b->failed = HONE_E_NOMEM;
    }
    for (size_t k = 0; k < c->n; k++) {
        if (c->kind == HONE_CHART_LINES) {
            line(b, &f, &p[k], &c->s[k]);
        } else if (below) {
            area(b, &f, &p[k], below, &c->s[k]);
            for (size_t i = 0; i < p[k].n; i++)
                below[i] += p[k].y[i];
        }
    }
    hone_free(below);
    hone_buf_adds(b, "</svg>");
    legend(b, c, p);
    hone_buf_adds(b, "</figure>\n");
done:
    for (size_t k = 0; k < c->n; k++)
        release(&p[k]);
    return drawn;
}
