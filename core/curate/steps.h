/* steps.h - what the steps of `hone data` have in common with those of a recipe: settings checked and written down, results told.
 *
 * A step's settings decide its bytes, so they are checked in one place and go in one form, as members of a JSON map, into the journal
 * (job.h) and the lineage of every kept row, whoever asked for the step: a command's options (cli/data_*.c) or a recipe's table
 * (lua/api_curate.c). Likewise what a step came to.
 *
 * Limits that are outside what a step allows are E_USAGE with the setting's name. `w` is inside a map. All calls [control-thread]. */
#ifndef HONE_CORE_CURATE_STEPS_H
#define HONE_CORE_CURATE_STEPS_H
#include "curate/dedup.h"
#include "curate/filter.h"
#include "curate/leak.h"
#include "curate/mix.h"
#include "curate/select.h"
#include "curate/split.h"

/* MinHash over word 5-grams, 20 bands of 6, Jaccard of 0.8, verified; exact ones but for white space. */
#define HONE_CLUSTER_DEFAULTS                                                                      \
    {                                                                                              \
        .fold = HONE_FOLD_SPACE, .words = 5, .bands = 20, .rows = 6, .seed = 1, .threshold = 0.8,  \
        .verify = 1                                                                                \
    }
hone_status hone_dedup_settings(const hone_cluster_spec *spec, hone_jw *w);
void hone_dedup_told(const hone_cluster_spec *spec, const hone_dedup_result *r, hone_jw *w);

/* `items`: the evaluation sets, whose identity is part of the settings. */
hone_status hone_leak_settings(const hone_leak_spec *spec, const hone_input *items, hone_jw *w);
void hone_leak_told(const hone_leaks *l, const hone_input *items, const hone_leak_result *r,
                    hone_jw *w);

void hone_quality_settings(const hone_quality *q, hone_jw *w);
void hone_filter_told(const hone_filter_result *r, hone_jw *w);

/* `scored`: there is a score (a column's, or of another source, whose own settings are the caller's to write). */
hone_status hone_select_settings(const hone_select_spec *spec, int scored, hone_jw *w);
void hone_select_told(const hone_select_spec *spec, int scored, const hone_select_result *r,
                      hone_jw *w);

/* Of n outputs by their paths. */
hone_status hone_split_settings(const hone_split_spec *spec, hone_jw *w);
void hone_split_told(const char *const *paths, size_t n, const hone_split_result *r, hone_jw *w);

hone_status hone_mix_settings(const hone_mix_spec *spec, hone_jw *w);
void hone_mix_told(const char *const *paths, const hone_mix_spec *spec, const hone_mix_result *r,
                   hone_jw *w);
#endif
