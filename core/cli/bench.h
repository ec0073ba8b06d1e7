/* bench.h - the table of `hone bench NAME`. X(function, "name", "summary"): the benchmark is
 * `int hone_cli_bench_<function>(int argc, char **argv)` in core/cli/bench_<function>.c, argv[0]
 * being its name; it returns the exit code. Keep the lines sorted by name. */
#ifndef HONE_CORE_CLI_BENCH_H
#define HONE_CORE_CLI_BENCH_H

/* clang-format off */
#define HONE_CLI_BENCHES(X) \
    X(all, "all", "every figure beside its limit, and how cost grows; one page") \
    X(blas, "blas", "every core type of OpenBLAS that runs here, and hone's choice") \
    X(flat, "flat", "what a long run holds: memory, descriptors, threads, boxes") \
    X(generate, "generate", "reading prompts and writing completions") \
    X(grpo, "grpo", "generation and update of one GRPO step") \
    X(judge, "judge", "verdicts by labels, and answers within a schema") \
    X(kernels, "kernels", "matrix products over panels beside OpenBLAS") \
    X(ops, "ops", "attention, norms and activations beside the product") \
    X(plugins, "plugins", "calls into components: in process, boxed, to and from Lua") \
    X(start, "start", "from the start of hone to the end of a recipe's first step") \
    X(tokenize, "tokenize", "text to token ids") \
    X(train, "train", "supervised training, full or with adapters")

/* clang-format on */

#define HONE_X(function, name, summary) int hone_cli_bench_##function(int argc, char **argv);
HONE_CLI_BENCHES(HONE_X)
#undef HONE_X
#endif
