/* listwise.h - lists of candidates that a judge or an expert put in order, as pairs of candidates.
 *
 * A ranking of k candidates says k (k - 1)/2 preferences. Each pair of candidates of a list is one item of a hone_joined of
 * pairs ("ID#a-b", a < b: > 0 says a is better), so that ceiling, agreement, differences, the order of showing and all
 * intervals are those of pairs, with the prompt as cluster: pairs of one list are not independent, and no figure takes them so.
 * What only a whole list tells (Kendall's tau-b, who is best) is in listwise_figures.c.
 *
 * Which candidate: its place in the item's list, from 0, or in labels its id where the item has "ids". An item, a verdict or an expert
 * gives k; who disagrees with it is an error of that row. The judge's place of a candidate is the mean over its verdicts.
 * Labels are held until all is read, so rows come in any order; only labels of candidates by their own ids need the items first.
 *
 * Bounds: HONE_LISTS lists, HONE_LIST_CANDIDATES candidates each, HONE_LIST_HELD labels as pairs and levels. */
#ifndef HONE_CORE_JUDGE_LISTWISE_H
#define HONE_CORE_JUDGE_LISTWISE_H
#include "judge/joined.h"

enum {
    HONE_LISTS = 200000,
    HONE_LIST_CANDIDATES = 64,
    HONE_LIST_HELD = 16 << 20,
    HONE_LIST_SHOWN = 64 /* verdicts of a list whose best are compared over orders */
};

typedef struct hone_list_shown {
    uint64_t order; /* hash of the order in which candidates were shown */
    uint64_t best;  /* bit i: candidate i stands first */
} hone_list_shown;

typedef struct hone_list {
    char *id; /* in the arena of the hone_joined, with all other texts */
    size_t id_len, labels;
    uint32_t k; /* candidates; 0: nobody said */
    uint32_t status[HONE_JOINED_STATUSES];
    uint8_t in_items, in_verdicts, labelled;
    int64_t length; /* bytes of all candidates; -1: unknown */
    hone_str prompt, split;
    double probability; /* as labels say it; 0: none does */
    hone_list_shown *shown;
    size_t n_shown, cap_shown;
} hone_list;

typedef struct hone_list_label {
    uint32_t list, expert, row, seq;
    uint8_t first, second; /* second = HONE_LIST_CANDIDATES: `value` is the level of `first` */
    uint8_t flagged;
    double value;
} hone_list_label;

typedef struct hone_lists {
    hone_list *lists;
    size_t n, cap;
    hone_map by_id, by_candidate, by_expert;
    char **experts;
    size_t n_experts, cap_experts;
    hone_list_label *held;
    size_t n_held, cap_held;
} hone_lists;

/* A row, as hone_joined_add. [control-thread] */
hone_status hone__lists_add(hone_joined *j, int kind, const char *name, uint64_t number,
                            const hone_value *row);
/* Before hone_joined_finish settles: labels become ratings of pairs. */
hone_status hone__lists_finish(hone_joined *j);
void hone__lists_release(hone_lists *l); /* NULL is allowed */
/* Does the list have a label? */
int hone__lists_labelled(const hone_joined *j, hone_str id);
/* The item that is the pair a < b of a list; NULL when the sample left it out. */
const hone_joined_item *hone__lists_pair(const hone_joined *j, const hone_list *l, uint32_t a,
                                         uint32_t b);
/* Is it a row of lists: a ranking or scores of a verdict or label, more than two candidates of an item? */
int hone_lists_is_row(int kind, const hone_value *row);
#endif
