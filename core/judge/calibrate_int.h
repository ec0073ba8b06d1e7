/* calibrate_int.h - the arrays that calibrate.c fills and calibrate_parts.c reads. */
#ifndef HONE_CORE_JUDGE_CALIBRATE_INT_H
#define HONE_CORE_JUDGE_CALIBRATE_INT_H
#include "judge/calibrate.h"

enum { HONE__ALL, HONE__WITH, HONE__DIFFERENCE };

typedef struct hone__calib {
    const hone_joined *j;
    const hone_calib_opts *o;
    hone_calibration *c;
    double lo, hi;              /* the scale's ends */
    size_t n, n_more;           /* labelled items; judged only */
    size_t raters;              /* columns of experts; the judge's is the next */
    int packed;                 /* columns are no persons */
    double *x;                  /* (n, raters + 1); NAN: missing */
    double *judge;              /* (n) the judge's score in the labels' scale, NAN without */
    double *side;               /* (n) the same; pairwise: 1, 0, -1 */
    double *mean, *level, *yes; /* (n) the experts: mean, consensus, 1/0/NAN over the threshold */
    double *work, *work2;       /* (n) scratch */
    uint64_t *cluster;          /* (n) */
    double *more;               /* (n_more) the judge's scores without a label */
    uint64_t *cluster_more;
    hone_boot boot;
} hone__calib;

double hone__calib_side(const hone__calib *d, double score);
hone_status hone__calib_unparsed(hone__calib *d);
hone_status hone__calib_swap(hone__calib *d);
hone_status hone__calib_weighted(hone__calib *d);
hone_status hone__calib_slices(hone__calib *d);
/* Of lists: their own figures, and those of scores left out. */
hone_status hone__calib_lists(hone__calib *d);
/* hone_figure_more in items: of lists `f` counts pairs. */
size_t hone__calib_more(const hone_calibration *c, const hone_figure *f, double factor);
hone_status hone__calib_notes(hone__calib *d);
hone_status hone__calib_note(hone_calibration *c, const char *fmt, ...) HONE_PRINTF(2, 3);
#endif
