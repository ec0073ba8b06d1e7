/* judge_report.c - see judge_report.h. */
#include "cli/judge_report.h"

#include "base/file.h"
#include "judge/report.h"
#include "web/judge_page.h"

#include <stdio.h>
#include <string.h>

static const char *ending(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot : "";
}

static hone_status write_one(const char *path, hone_str document, const hone_value *report)
{
    hone_buf b;
    hone_status s;
    if (strcmp(ending(path), ".html") == 0)
        return hone_judge_page_write(report, path);
    if (strcmp(ending(path), ".json") == 0)
        return hone_file_replace(path, document.ptr, document.len);
    hone_buf_init(&b, (size_t)64 << 20);
    s = hone_judge_report_md(report, &b);
    if (s >= 0)
        s = hone_file_replace(path, b.ptr, b.len);
    hone_buf_release(&b);
    return s;
}

hone_status hone_cli_judge_report_names(const hone_arg_list *files)
{
    for (int i = 0; i < files->n; i++) {
        const char *e = ending(files->v[i]);
        if (strcmp(e, ".md") != 0 && strcmp(e, ".html") != 0 && strcmp(e, ".json") != 0)
            return hone_fail(HONE_E_USAGE, "--report %s: a report is .md, .html or .json",
                             files->v[i]);
    }
    return HONE_OK;
}

hone_status hone_cli_judge_report(hone_str document, const hone_arg_list *files, int json)
{
    hone_arena arena;
    hone_value report;
    hone_buf b;
    hone_status s = HONE_OK;
    hone_arena_init(&arena, 0);
    hone_buf_init(&b, (size_t)64 << 20);
    HONE_TRY_GOTO(hone_json_parse(document.ptr, document.len, "the report", &arena, &report), end);
    for (int i = 0; i < files->n; i++)
        HONE_TRY_GOTO(write_one(files->v[i], document, &report), end);
    if (json)
        printf("%.*s\n", (int)document.len, document.ptr);
    else if ((s = hone_judge_report_text(&report, &b)) >= 0)
        printf("%s", b.ptr);
end:
    hone_buf_release(&b);
    hone_arena_release(&arena);
    return s;
}
