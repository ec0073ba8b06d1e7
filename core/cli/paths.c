/* paths.c - `hone paths`: where this hone finds its own files. */
#include "base/paths.h"
#include "base/buf.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

#include <stdio.h>

int hone_cli_paths(int argc, char **argv)
{
    int json = 0;
    const hone_arg options[] = {
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0},
    };
    static const char *const examples[] = {"hone paths --json", NULL};
    const hone_args spec = {
        "paths",
        "[--json]",
        "Where hone finds its plugins, scripts and models, and where its pages to read lie.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const char *root = hone_paths_source_root();
    const struct {
        const char *name, *path;
    } rows[] = {
        {"program", hone_paths_program()}, {"source", root},
        {"plugins", hone_paths_plugins()}, {"lib", hone_paths_lib()},
        {"recipes", hone_paths_recipes()}, {"assets", hone_paths_assets()},
        {"sdk", hone_paths_sdk()},         {"docs", hone_paths_docs()},
        {"cache", hone_paths_cache()},
    };
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &b, 2);
    hone_jw_map(&w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hone_jw_kcstr(&w, rows[i].name, rows[i].path);
        if (!json && rows[i].path)
            printf("%-8s %s\n", rows[i].name, rows[i].path);
    }
    hone_jw_end(&w);
    hone_status s = b.failed;
    if (json && s == HONE_OK)
        printf("%s\n", b.ptr);
    hone_buf_release(&b);
    return hone_cli_fail(s);
}
