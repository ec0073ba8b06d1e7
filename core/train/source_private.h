/* source_private.h - what a link of a chain of rows is made of. Internal to core/train. */
#ifndef HONE_CORE_TRAIN_SOURCE_PRIVATE_H
#define HONE_CORE_TRAIN_SOURCE_PRIVATE_H
#include "train/source.h"

typedef struct hone_data_ops {
    const char *name; /* of the stage, in its state */
    hone_status (*next)(hone_data *d, hone_arena *arena, hone_value *row);
    hone_status (*rewind)(hone_data *d, uint64_t epoch);
    int64_t (*count)(hone_data *d);
    int64_t (*skipped)(hone_data *d);
    /* Members of an open map; the caller has written "stage" and, for a stage on another, writes "up". */
    hone_status (*save)(hone_data *d, hone_jw *w);
    hone_status (*restore)(
        hone_data *d, const hone_value *state); /* its own part; the upstream's is done before */
    void (*close)(hone_data *d);                /* its own memory, not `up` and not itself */
    int own_up;                                 /* 1: save and restore deal with `up` themselves */
} hone_data_ops;

struct hone_data {
    const hone_data_ops *ops;
    hone_data *up; /* or NULL */
};

/* Asks a source for less, before its first row: these columns (NULL: all), at most `limit` rows (-1: all). 1 when it
 * will do so, 0 when the link is no source or its source cannot; else what the source refuses (a column that is not
 * there). */
hone_status hone__data_push_down(hone_data *d, const hone_str *columns, size_t n, int64_t limit);
/* A count in a state: an integer from 0 on. E_STATE naming the key. */
hone_status hone__data_read_count(const hone_value *state, const char *key, uint64_t *out);
#endif
