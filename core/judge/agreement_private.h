/* agreement_private.h - what agreement.c and icc.c share. */
#ifndef HONE_CORE_JUDGE_AGREEMENT_PRIVATE_H
#define HONE_CORE_JUDGE_AGREEMENT_PRIVATE_H
#include "judge/agreement.h"
#include "judge/boot.h"

/* icc.c: `one` is a column, or raters for "all columns". */
hone_status hone__agree_icc(const hone_ratings *r, size_t one, hone_agree_kind kind,
                            const hone_boot *boot, hone_figure *out);
#endif
