/* fp.h - the floating-point mode that everything here computes in. */
#ifndef HONE_CORE_BASE_FP_H
#define HONE_CORE_BASE_FP_H

/* Denormals are zero and results flush to zero on the calling thread; every thread that computes,
 * or calls a plugin that may, does this once. A box does, so that a plugin gives the same bits there. [any-thread] */
void hone_fp_setup(void);
#endif
