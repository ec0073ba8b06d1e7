/* stats.h - all statistics of judges in one include; what each is stands in its own header. */
#ifndef HONE_CORE_JUDGE_STATS_H
#define HONE_CORE_JUDGE_STATS_H
#include "judge/agreement.h"         /* IWYU pragma: export */
#include "judge/alt_test.h"          /* IWYU pragma: export */
#include "judge/calibration_curve.h" /* IWYU pragma: export */
#include "judge/confusion.h"         /* IWYU pragma: export */
#include "judge/figure.h"            /* IWYU pragma: export */
#include "judge/interval.h"          /* IWYU pragma: export */
#include "judge/length_control.h"    /* IWYU pragma: export */
#include "judge/rank.h"              /* IWYU pragma: export */
#include "judge/reliability.h"       /* IWYU pragma: export */
#include "judge/strength.h"          /* IWYU pragma: export */
#endif
