/* report_int.h - what the parts of the report share: one run, read. */
#ifndef HONE_CORE_WEB_REPORT_INT_H
#define HONE_CORE_WEB_REPORT_INT_H
#include "base/buf.h"
#include "web/rundir.h"

typedef struct hone__web_run {
    const char *dir;
    char label[160]; /* the folder's name */
    hone_arena arena;
    hone_value meta, tables; /* tables: run:table of the recipe; null without */
    hone_run_state state;
    hone__web_table metrics, timings;
    double *tokens,
        *seconds; /* (metrics.n_rows) so far, NAN where unknown; NULL: nothing is known of them */
    hone__web_samples samples;
} hone__web_run;

/* "What happened": paragraphs in plain words (story.c). */
void hone__web_story(hone_buf *out, const hone__web_run *run);
/* The file's name of its recipe. */
void hone__web_recipe(hone_buf *out, const hone_value *meta);
/* Curves, outcome shares and times of the runs (curves.c). Each appends a section, or nothing. */
void hone__web_curves(hone_buf *out, const hone__web_run *runs, size_t n);
void hone__web_outcomes(hone_buf *out, const hone__web_run *runs, size_t n);
void hone__web_times(hone_buf *out, const hone__web_run *runs, size_t n);
/* What the recipe set out in tables (recipe_tables.c); nothing without. */
void hone__web_recipe_tables(hone_buf *out, const hone__web_run *runs, size_t n);
/* What runs differ in: recipe, parameters, methods, models, plugins, machine (differ.c). Two runs at least. */
void hone__web_differences(hone_buf *out, const hone__web_run *runs, size_t n);
/* The controls and the place of the script's comparison of samples of one prompt. */
void hone__web_one_prompt(hone_buf *out);
/* tokens and seconds of the run; free both with hone_free. */
hone_status hone__web_axes(hone__web_run *run);
/* The id in "reward/<id>/mean" (in out, at most size-1 bytes); 0 when `name` is no such name. */
int hone__web_reward_id(const char *name, const char *tail, char *out, size_t size);
#endif
