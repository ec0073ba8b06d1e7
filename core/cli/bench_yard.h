/* bench_yard.h - what a figure is compared with: sgemm and the memory of this machine, measured in the same process just
 * before the work and just after.
 *
 *   hone_yard y;
 *   hone__yard_before(&y, pool, bytes, seconds);    the work's buffers need not be there yet
 *   ... the work ...
 *   hone__yard_after(&y);                           first of all reads the peak of the work
 *   limit = hone__yard_sgemm(&y) * 1e9 / flops;
 *   hone__yard_json(&y, &w) or hone__yard_print(&y)
 *
 * A figure's limit is made of the means. How far before and after lie apart says how much to think of the figure: the
 * machine did something else. Not while others compute. [control-thread] */
#ifndef HONE_CORE_CLI_BENCH_YARD_H
#define HONE_CORE_CLI_BENCH_YARD_H
#include "base/json.h"
#include "tensor/pool.h"

typedef struct hone_yard_pair {
    double before, after; /* 0: could not be measured */
} hone_yard_pair;

typedef struct hone_yard {
    hone_pool *pool;
    double bytes, seconds;
    hone_yard_pair sgemm; /* GFLOP/s of OpenBLAS, 1024 x 1536 x 576, on the threads of the pool */
    hone_yard_pair read;  /* GB/s of reading a buffer of `bytes`, all threads */
    double peak_mb;       /* of the work: without what the yardsticks held before and hold on to */
    double began_mb, left_mb; /* the peak until they began; resident since, OpenBLAS's own */
} hone_yard;

/* A row of a table of options. */
#define HONE_CLI_YARD(at)                                                                          \
    {                                                                                              \
        "yardstick", HONE_ARG_F64, at, "S",                                                        \
            "seconds of measuring sgemm, and of reading memory, before and after (1)"              \
    }

/* What weights of `bytes` are compared with: a buffer of their size, 1 to 1,000 MB. Small ones come from a cache, and so
 * does it. */
double hone__yard_buffer(double bytes);
/* Each yardstick for `seconds`. OpenBLAS runs the kernels of this processor, whatever OPENBLAS_CORETYPE says. */
void hone__yard_before(hone_yard *y, hone_pool *pool, double bytes, double seconds);
void hone__yard_after(hone_yard *y);
/* sgemm alone, once, on whatever kernels OpenBLAS was asked for (hone_blas_ask): y->sgemm.before. */
void hone__yard_measure(hone_yard *y, hone_pool *pool, double seconds);
/* Means of before and after; 0 without OpenBLAS, or without memory for the buffer. */
double hone__yard_sgemm(const hone_yard *y); /* GFLOP/s */
double hone__yard_read(const hone_yard *y);  /* GB/s */
/* Keys of an open map: sgemm_gflops, sgemm_core, read_gb_per_s, peak_mb and `yard`, which has both sides. */
void hone__yard_json(const hone_yard *y, hone_jw *w);
void hone__yard_print(const hone_yard *y);
/* 0 to 60 seconds: E_USAGE else. */
hone_status hone__yard_check(double seconds);
/* A buffer that does not fit in a cache, for work of no size of its own. */
#define HONE_YARD_MEMORY 512e6
#endif
