/* joined_int.h - what joined.c and joined_rows.c share: items, experts and ratings by name. */
#ifndef HONE_CORE_JUDGE_JOINED_INT_H
#define HONE_CORE_JUDGE_JOINED_INT_H
#include "judge/joined.h"

typedef struct hone_joined_label {
    uint32_t item, expert;
    double value;
} hone_joined_label;

/* The item of this id, made when it is not there; *out NULL when the sample leaves it out. What it returned
 * before is no longer valid. */
hone_status hone__joined_item(hone_joined *j, hone_str id, hone_joined_item **out);
/* A rating. A second one of the same expert and item replaces the first and is kept as a pair. */
hone_status hone__joined_label(hone_joined *j, hone_joined_item *it, hone_str expert, double value,
                               int flagged);
/* One score of a verdict; criterion NULL: the verdict's own. Drops no item. */
hone_status hone__joined_score(hone_joined *j, uint32_t item, uint32_t repeat,
                               const hone_str *criterion, double value);
/* The slice `column` of an item. */
hone_status hone__joined_slice(hone_joined *j, hone_joined_item *it, hone_str column,
                               hone_str value);
void hone__joined_odd(hone_joined *j, hone_joined_odd *odd, const char *id);
#endif
