/* bench_all.h - what the files of `hone bench all` share: a command in words, run in a process of its own, and the laws of
 * scale. Numbers of its JSON are found by dotted paths of keys and places. */
#ifndef HONE_CORE_CLI_BENCH_ALL_H
#define HONE_CORE_CLI_BENCH_ALL_H
#include "base/json.h"

enum { HONE_BENCH_REPEAT = 25 };

typedef struct hone_bench_asked {
    const char *model, *text, *only, *dir; /* dir: a folder for files of this run */
    int64_t repeat;
    double yardstick;
} hone_bench_asked;

int hone__bench_wanted(const hone_bench_asked *q, const char *name);
/* Runs `hone` with the words of `command`: M is the model, F the text, X is `x`, Y 2,048 / x, data=R a file of x rows,
 * S a recipe that streams them, NAME=VALUE at the front a variable of its environment. *out (unless NULL) is the JSON that
 * it prints, in `a`. E_NOT_FOUND: it needs what was not given. */
hone_status hone__bench_command(const hone_bench_asked *q, const char *command, const char *x,
                                hone_arena *a, hone_value *out);
double hone__bench_number(const hone_value *v, const char *path); /* NAN where there is none */
/* Writes the charts of bench_page.h: how cost grows. */
hone_status hone__bench_scale(const hone_bench_asked *q, hone_jw *w);
#endif
