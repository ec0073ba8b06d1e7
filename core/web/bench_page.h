/* bench_page.h - figures of benchmarks as one HTML page that needs nothing beside itself. */
#ifndef HONE_CORE_WEB_BENCH_PAGE_H
#define HONE_CORE_WEB_BENCH_PAGE_H
#include "base/json.h"

/* Writes the page of what `hone bench all --json` prints: {model, cpu, kernels, threads, repeat, version, figures: [{name,
 * unit, value, limit?, of_limit?, peak_mb?, sgemm_gflops?, read_gb_per_s?, spread?, runs}], scale: [{title, note, x, series: [{label, x, y}]}]}, x the name of its
 * axis, label and unit in one. All or nothing; its bytes
 * depend on `report` alone. E_INVALID: not of that shape. [control-thread] */
hone_status hone_bench_page_write(const hone_value *report, const char *path);
#endif
