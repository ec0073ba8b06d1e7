/* bench.c - `hone bench NAME ...`: finds the benchmark and calls it. */
#include "base/error.h"
#include "cli/bench.h"
#include "cli/out.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} benches[] = {
#define HONE_X(function, name, summary) {name, summary, hone_cli_bench_##function},
    HONE_CLI_BENCHES(HONE_X)
#undef HONE_X
};
enum { N_BENCHES = sizeof benches / sizeof *benches };

int hone_cli_bench(int argc, char **argv)
{
    if (argc < 2)
        return hone_cli_usage("bench", "the name of a benchmark is missing");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        printf(
            "usage: hone bench NAME [options]\n\nMeasures this machine; every figure has its unit "
            "and the limit it is compared with.\n\n");
        for (int i = 0; i < N_BENCHES; i++)
            printf("  %-10s %s\n", benches[i].name, benches[i].summary);
        printf("\n`hone bench NAME --help` tells more.\nexamples:\n  hone bench kernels --json\n");
        return HONE_EXIT_OK;
    }
    const char *names[N_BENCHES + 1];
    for (int i = 0; i < N_BENCHES; i++) {
        if (strcmp(argv[1], benches[i].name) == 0)
            return benches[i].run(argc - 1, argv + 1);
        names[i] = benches[i].name;
    }
    names[N_BENCHES] = NULL;
    const char *close = hone_closest(argv[1], names);
    if (close)
        return hone_cli_usage("bench", "unknown benchmark \"%s\" (did you mean \"%s\"?)", argv[1],
                              close);
    return hone_cli_usage("bench", "unknown benchmark \"%s\"", argv[1]);
}
