/* verbs.h - the table of verbs: what `hone VERB` may be, in one place.
 *
 * X(function, "name", "group", "summary"): the verb is `int hone_cli_<function>(int argc, char
 * **argv)` in core/cli/<function>.c, argv[0] being the verb's name; it returns the exit code (0 ok,
 * 1 the work failed, 2 usage, 3 refused, 130 interrupted; see out.h). Keep the lines sorted by name.
 * Groups, in the order of `hone --help`: run, model, data, plugin, tool. */
#ifndef HONE_CORE_CLI_VERBS_H
#define HONE_CORE_CLI_VERBS_H

/* clang-format off */
#define HONE_CLI_VERBS(X) \
    X(advantage, "advantage", "plugin", "advantages: what there is, formulas, values on numbers") \
    X(bench, "bench", "tool", "measures kernels, training, generation") \
    X(chat, "chat", "model", "a conversation in the terminal") \
    X(data, "data", "data", "looks at data files and curates them") \
    X(doctor, "doctor", "tool", "what this machine has, and what is missing") \
    X(eval, "eval", "model", "scores a model's answers on a file") \
    X(generate, "generate", "model", "continues a text") \
    X(judge, "judge", "tool", "judges: rubrics, calibration, attacks, the gate") \
    X(lua, "lua", "tool", "the recipe language as a shell") \
    X(model, "model", "model", "looks inside a model, scores text with it, writes it out") \
    X(new, "new", "plugin", "makes a project: a recipe, rewards in C and Lua, data") \
    X(objective, "objective", "plugin", "losses: what there is, formulas, values on numbers") \
    X(paths, "paths", "tool", "where hone finds its plugins, scripts and models") \
    X(plugin, "plugin", "plugin", "plugins: new ones, what there is, whom to trust") \
    X(prompt, "prompt", "model", "versioned prompts: what differs, a better one") \
    X(replay, "replay", "run", "scores recorded samples anew: what other rewards would change") \
    X(report, "report", "run", "one page with the curves and samples of runs") \
    X(resume, "resume", "run", "goes on with a run from its last checkpoint") \
    X(run, "run", "run", "runs a recipe") \
    X(runs, "runs", "run", "a table of the runs in a folder") \
    X(score, "score", "run", "scores the samples of a file with rewards") \
    X(template, "template", "model", "renders messages through a chat template") \
    X(tokenize, "tokenize", "model", "text to token ids and back") \
    X(watch, "watch", "run", "looks at a run while it runs")

/* clang-format on */

#define HONE_X(function, name, group, summary) int hone_cli_##function(int argc, char **argv);
HONE_CLI_VERBS(HONE_X)
#undef HONE_X
#endif
