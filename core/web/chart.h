/* chart.h - one chart as a <figure> with inline SVG, readable without script. */
#ifndef HONE_CORE_WEB_CHART_H
#define HONE_CORE_WEB_CHART_H
#include "base/buf.h"

enum { HONE_CHART_LINES, HONE_CHART_STACKED };
enum { HONE_CHART_SERIES = 24 };
typedef struct hone__web_series {
    const char *label;
    const double *x, *y; /* (n); y NAN where there is nothing */
    size_t n;
    int color, dash; /* 0..7 and 0..3: classes of the style sheet */
} hone__web_series;
typedef struct hone__web_chart {
    const char *title, *note; /* what it is; what it means, in a line (or "") */
    int kind;
    int zero;   /* the axis begins at 0; stacked charts always do */
    double top; /* the axis ends there at least; 0 = where the data ends */
    hone__web_series s[HONE_CHART_SERIES];
    size_t n;
    const char *x_name; /* written under the axis; NULL: steps, which is not written */
    int places; /* few x far apart: the axis is logarithmic, and its numbers are those of the first series */
} hone__web_chart;

/* Appends the figure. Series of more than 600 points are thinned to the least and the greatest of
 * each stretch; lines of more than 40 points get a moving average in front of the pale raw line.
 * Stacked: the series share x. Appends nothing when no point is finite; returns the points drawn. */
size_t hone__web_chart_write(hone_buf *out, const hone__web_chart *c);
#endif
