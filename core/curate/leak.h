/* leak.h - `hone data decontaminate`: rows that hold a piece of an evaluation set are left out, and it is told which piece of which item.
 *
 * A piece is a run of n words (13, as GPT-3's and later evaluations take) of an item, read as one text: question, answer and what else its columns
 * hold, one behind the other, so that a run may go across the border between them. An item of fewer than n words is one piece of all its
 * words; with fewer than `least` words it is too common to mean anything and is not looked for (it is counted).
 * Words are compared as words.h has them: without case and punctuation.
 *
 * The key idea: the pieces of the items lie in a table of hashes in memory (at most 80 bytes for each word of the evaluation sets; it does
 * not grow with the data); data streams by once. A hash that is found is confirmed word by word.
 * Source: Brown et al. 2020 (GPT-3), appendix C. [control-thread], look-ups [any-thread] */
#ifndef HONE_CORE_CURATE_LEAK_H
#define HONE_CORE_CURATE_LEAK_H
#include "curate/pass.h"
#include "curate/words.h"

typedef struct hone_leak_spec {
    uint32_t words, least; /* 13, 5 */
    double share; /* of an item's pieces that a row must hold to be left out (0: one is enough) */
    const char *columns, *item_columns;
    int skip_bad;
} hone_leak_spec;

typedef struct hone_leaks hone_leaks;
/* All items of `items` (evaluation sets). */
hone_status hone_leaks_create(const hone_leak_spec *spec, hone_input *items, hone_pool *pool,
                              hone_leaks **out);
void hone_leaks_destroy(hone_leaks *l);

typedef struct hone_leak_result {
    hone_pass_counts pass;
    uint64_t kept, dropped;
    uint64_t items, brief,
        hit; /* of the evaluation sets: all; too brief to be looked for; found in the data */
} hone_leak_result;
hone_status hone_leaks_run(hone_leaks *l, hone_input *items, hone_input *in, hone_pool *pool,
                           hone_job *job, hone_leak_result *out);
/* The item of the evaluation sets that `text` holds a piece of, the first of several, in file *file on line *line: 1; or 0. `share` of
 * the spec counts; rows taken by hone_leaks_run are not changed by it. Not while hone_leaks_run is at work. */
hone_status hone_leaks_look(hone_leaks *l, hone_str text, uint32_t *file, uint64_t *line);
/* Of file i of the evaluation sets: its items, and those that were found. */
void hone_leaks_of(const hone_leaks *l, uint32_t file, uint64_t *items, uint64_t *hit);
#endif
