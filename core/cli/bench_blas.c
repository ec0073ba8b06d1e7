/* bench_blas.c - `hone bench blas`: sgemm on every core type of OpenBLAS that this processor can run, and how far from the
 * best of them the type is that hone asks for (5 % are allowed: ops/blas.h).
 *
 * A library takes its kernels when it is opened, so each type is a process of its own (--type). Rounds go through all
 * types in turn, and the best round of each counts: what else the machine does then falls on all of them. The share is the
 * better of two: best against best, and the best of the shares within a round, whose two runs are neighbours. */
#include "base/alloc.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/bench.h"
#include "cli/bench_all.h"
#include "cli/bench_run.h"
#include "cli/out.h"
#include "ops/blas.h"
#include "ops/cpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS_MAX = 100, TYPES = HONE_BLAS_TYPES + 1 };

struct type {
    const char *name; /* "" for what OpenBLAS chooses itself */
    char core[32];    /* what ran */
    double gflops[ROUNDS_MAX];
    size_t n;
};

struct all {
    struct type t[TYPES];
    size_t n, chosen; /* chosen == n: no type is asked for */
    int64_t rounds;
};

/* ---- one type, in this process --------------------------------------------------------------------- */

static hone_status one_type(const char *type, double seconds, int64_t threads, int json)
{
    hone_pool *pool = NULL;
    hone_yard y;
    const hone_blas *b;
    hone_blas_ask(strcmp(type, "own") == 0 ? "" : type);
    HONE_TRY(hone_blas_get(&b));
    HONE_TRY(hone_pool_create((uint32_t)threads, &pool));
    hone__yard_measure(&y, pool, seconds);
    if (json)
        printf("{\"type\":\"%s\",\"core\":\"%s\",\"gflops\":%.17g}\n", type, b->corename,
               y.sgemm.before);
    else
        printf("%s: OpenBLAS runs %s, %.1f GFLOP/s\n", type, b->corename, y.sgemm.before);
    hone_pool_destroy(pool);
    return HONE_OK;
}

/* ---- all of them ---------------------------------------------------------------------------------- */

static hone_status ask(struct type *t, double seconds, int64_t threads)
{
    hone_buf text;
    hone_arena a;
    hone_value v;
    char number[2][40];
    snprintf(number[0], sizeof number[0], "--seconds=%g", seconds);
    snprintf(number[1], sizeof number[1], "--threads=%lld", (long long)threads);
    char *argv[] = {(char *)"hone",
                    (char *)"bench",
                    (char *)"blas",
                    (char *)"--type",
                    (char *)(t->name[0] ? t->name : "own"),
                    number[0],
                    number[1],
                    (char *)"--json",
                    NULL};
    hone_buf_init(&text, 1 << 16);
    hone_arena_init(&a, 0);
    hone_status s = hone__bench_child(argv, NULL, &text);
    if (s >= 0)
        s = hone_json_parse(text.ptr, text.len, "bench blas --type", &a, &v);
    if (s >= 0) {
        const hone_value *core = hone_value_get(&v, "core");
        snprintf(t->core, sizeof t->core, "%.*s", (int)core->u.str.len, core->u.str.ptr);
        t->gflops[t->n++] = hone__bench_number(&v, "gflops");
    }
    hone_arena_release(&a);
    hone_buf_release(&text);
    return s;
}

static double best_of(const struct type *t)
{
    double best = 0;
    for (size_t i = 0; i < t->n; i++)
        best = fmax(best, t->gflops[i]);
    return best;
}

/* The share that the chosen type has of the best one. */
static double share_of_best(const struct all *a)
{
    const struct type *chosen = &a->t[a->chosen];
    double best = 0, share = 0;
    for (size_t i = 0; i < a->n; i++)
        best = fmax(best, best_of(&a->t[i]));
    share = best > 0 ? best_of(chosen) / best : 0;
    for (size_t round = 0; round < chosen->n; round++) {
        double most = 0;
        for (size_t i = 0; i < a->n; i++)
            most = round < a->t[i].n ? fmax(most, a->t[i].gflops[round]) : most;
        share = fmax(share, most > 0 ? chosen->gflops[round] / most : 0);
    }
    return share;
}

static hone_status measure(struct all *a, double seconds, int64_t threads)
{
    hone_cpu c = *hone_cpu_get();
    const int lesser = c.used != HONE_CPU_C && c.used < c.best;
    const char *names[HONE_BLAS_TYPES], *chosen = hone_blas_core_type();
    c.best = lesser ? c.used : c.best; /* a lesser kernel set: types of its instructions */
    const size_t n = hone_blas_types(&c, names);
    for (size_t i = 0; i < n; i++)
        a->t[a->n++].name = names[i];
    a->chosen = a->n; /* what it chooses itself, where hone asks for nothing */
    if (!lesser)
        a->t[a->n++].name = "";
    for (size_t i = 0; chosen && i < n; i++)
        if (strcmp(names[i], chosen) == 0)
            a->chosen = i;
    for (int64_t round = 0; round < a->rounds; round++)
        for (size_t i = 0; i < a->n; i++)
            HONE_TRY(ask(&a->t[i], seconds, threads));
    return HONE_OK;
}

static const char *name_of(const struct type *t)
{
    return t->name[0] ? t->name : "its own choice";
}

static hone_status put_json(const struct all *a, int64_t threads)
{
    const hone_cpu *c = hone_cpu_get();
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 20);
    hone_jw_init(&w, &b, 2);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "cpu", c->brand);
    hone_jw_kcstr(&w, "kernels", hone_cpu_set_name(c->used));
    hone_jw_ki64(&w, "threads_asked", threads);
    hone_jw_kcstr(&w, "chosen", name_of(&a->t[a->chosen]));
    hone_jw_kf64(&w, "gflops", best_of(&a->t[a->chosen]));
    hone_jw_kf64(&w, "of_best", share_of_best(a));
    hone_jw_key(&w, "types");
    hone_jw_list(&w);
    for (size_t i = 0; i < a->n; i++) {
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "type", name_of(&a->t[i]));
        hone_jw_kcstr(&w, "core", a->t[i].core);
        hone_jw_kf64(&w, "gflops", best_of(&a->t[i]));
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
    const hone_status s = b.failed;
    if (s >= 0)
        printf("%s\n", b.ptr);
    hone_buf_release(&b);
    return s;
}

static void put_text(const struct all *a)
{
    printf("%s; sgemm 1024 x 1536 x 576, the best of %lld rounds\n\n%-16s %-16s %10s\n",
           hone_cpu_get()->brand, (long long)a->rounds, "asked for", "OpenBLAS runs", "GFLOP/s");
    for (size_t i = 0; i < a->n; i++)
        printf("%-16s %-16s %10.1f%s\n", name_of(&a->t[i]), a->t[i].core, best_of(&a->t[i]),
               i == a->chosen ? "  <- hone" : "");
    printf("\nhone's choice has %.0f %% of the best\n", 100 * share_of_best(a));
}

int hone_cli_bench_blas(int argc, char **argv)
{
    struct all a = {.rounds = 3};
    const char *type = NULL;
    double seconds = 0.5;
    int64_t threads = 0;
    int json = 0;
    const hone_arg options[] = {
        {"rounds", HONE_ARG_I64, &a.rounds, "N", "through all types, the best of which counts (3)"},
        {"seconds", HONE_ARG_F64, &seconds, "S", "for a type in a round (0.5)"},
        {"threads", HONE_ARG_I64, &threads, "N", "threads (all processors)"},
        {"type", HONE_ARG_STR, &type, "NAME", "only this type, in this process; own: OpenBLAS's"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone bench blas", "hone bench blas --type Haswell",
                                           NULL};
    const hone_args spec = {
        "bench blas",
        "[options]",
        "GFLOP/s of every core type of OpenBLAS that this processor can run, and the share\n"
        "of the best that hone's choice has. HONE_CPU=avx2: the choice for that kernel set.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (a.rounds < 1 || a.rounds > ROUNDS_MAX || threads < 0 || threads > HONE_POOL_MAX ||
        !(seconds >= 0.0 && seconds <= 60.0))
        return hone_cli_usage("bench blas", "a number is out of range");
    hone_status s = hone_cpu_check();
    if (s >= 0 && type)
        return hone_cli_finish(hone_cli_fail(one_type(type, seconds, threads, json)));
    if (s >= 0)
        s = measure(&a, seconds, threads);
    if (s >= 0 && json)
        s = put_json(&a, threads);
    else if (s >= 0)
        put_text(&a);
    return hone_cli_finish(hone_cli_fail(s));
}
