/* judge_label.h - parts of `hone judge label`: choosing a batch, labels from and to files. */
#ifndef HONE_CORE_CLI_JUDGE_LABEL_H
#define HONE_CORE_CLI_JUDGE_LABEL_H
#include "host/registry.h"
#include "judge/labels.h"

typedef struct hone_cli_label_batch {
    const char *items, *source, *verdicts; /* verdicts, source: NULL when not given */
    double threshold;                      /* NaN: the middle of the rubric's range */
    int64_t size;                          /* 0: all */
    uint64_t seed;
    int quiet;
} hone_cli_label_batch;
/* Reads and checks the items. Makes a batch of those that were in none, unless tasks of an earlier one are open: then it goes
 * on with that. [control-thread] */
hone_status hone_cli_label_batch_make(hone_registry *r, hone_labels *l, const hone_rubric *rubric,
                                      const hone_cli_label_batch *how);

/* Prints what was done. An import is all or nothing. [control-thread] */
hone_status hone_cli_label_import(hone_registry *r, hone_book *book, const char *source,
                                  const char *path, int json);
hone_status hone_cli_label_export(hone_book *book, const char *path, int json);
#endif
