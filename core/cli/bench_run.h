/* bench_run.h - what `hone bench train`, `generate` and `grpo` share: a model with its threads,
 * token ids made from nothing, the limit that a figure is compared with. */
#ifndef HONE_CORE_CLI_BENCH_RUN_H
#define HONE_CORE_CLI_BENCH_RUN_H
#include "cli/bench_yard.h"
#include "train/policy.h"

#include <sys/types.h>

typedef struct hone_bench_setup {
    const char *model;
    int64_t threads;       /* 0: all */
    int64_t lora;          /* rank of adapters on all linears, 0: all weights train */
    int train;             /* with an optimizer */
    const char *storage;   /* of frozen weights; NULL: f32 */
    const char *precision; /* of products over quantised ones; NULL: f32 */
    double yardstick;      /* seconds of each yardstick */
} hone_bench_setup;

typedef struct hone_bench_run {
    hone_env env;
    hone_policy *policy;
    hone_yard yard; /* on the same threads; reads a buffer of the weights' size */
    double params;  /* N of 2N flops a token: matrices that a token meets, the head among them */
    double bytes;   /* of them as they are stored */
    double load_s;  /* opening the model took so long */
} hone_bench_run;

/* Opens the registry, the threads and the model, and measures the yardsticks; after the work, hone__yard_after. The policy
 * points into *r, which stays where it is until closed. On failure nothing is open. */
hone_status hone__bench_open(const hone_bench_setup *setup, hone_bench_run *r);
void hone__bench_close(hone_bench_run *r);
/* n token ids of the model's vocabulary, the same for the same `seed`. */
void hone__bench_ids(const hone_bench_run *r, uint64_t seed, int32_t *ids, size_t n);
/* The median of n numbers (sorted in place). */
double hone__bench_median(double *v, size_t n);

/* A new folder under TMPDIR; *out is the caller's to remove and to free. */
hone_status hone__bench_folder(char **out);
/* `hone` itself with these arguments (argv[0] too, NULL at the end); set: NAME=VALUE of its environment, or NULL. stdout to
 * *out, or thrown away (NULL). E_FAIL when it does not end with 0: it said why on stderr. */
hone_status hone__bench_child(char **argv, const char *set, hone_buf *out);
/* The same while it runs: its stdout can be read at `out` until it closes; then hone__bench_wait, which closes it. */
typedef struct hone_bench_process {
    pid_t pid;
    int out;
} hone_bench_process;
hone_status hone__bench_spawn(char **argv, const char *set, hone_bench_process *p);
hone_status hone__bench_wait(char **argv, hone_bench_process *p);
#endif
