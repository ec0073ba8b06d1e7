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
/* Columns of a row (joined_rows.c). A name: a text, a whole number, a truth value; 0: it is none. A number: 1, nothing there: 0,
 * something else or not finite: -1. A status of HONE_JOINED_*, or -1. 1, -1, 0 of "a", "b", "tie"; 2: none of them. */
int hone__joined_name_of(const hone_value *v, char buf[32], hone_str *out);
int hone__joined_number_of(const hone_value *v, double *out);
int hone__joined_status_of(const hone_value *row, int has_score);
int hone__joined_choice_of(hone_str s);
int hone__joined_flag(const hone_value *v); /* true, "true", "yes", a number but 0 */
/* The prompt of an item by who names it (HONE_NAMED_*): the first name of a kind holds. */
void hone__joined_name(hone_joined_item *it, int who, hone_str name);
/* A malformed row: E_INVALID with its place, or with skip_bad counted and HONE_OK. */
hone_status hone__joined_bad(hone_joined *j, const char *name, uint64_t number, const char *fmt,
                             ...) HONE_PRINTF(4, 5);
/* prompt_id, split, length, policy and slices of a row; spec and rubric of a verdict's. */
hone_status hone__joined_common(hone_joined *j, hone_joined_item *it, int kind, const char *name,
                                uint64_t number, const hone_value *row);
hone_status hone__joined_judge(hone_joined *j, const hone_value *row);
/* A row of items as the item `id`. */
hone_status hone__joined_item_row(hone_joined *j, const char *name, uint64_t number,
                                  const hone_value *row, hone_str id);
void hone__joined_odd(hone_joined *j, hone_joined_odd *odd, const char *id);
#endif
