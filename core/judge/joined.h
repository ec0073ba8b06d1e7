/* joined.h - what experts said and what a judge said of the same items, joined by the item's id.
 *
 * Three kinds of rows go in, from any source (docs/judges.md has their columns): items, verdicts and labels.
 * What comes out is one row an item: the judge's score, its cluster (the prompt), its split, its slices, and
 * the experts' ratings of it. The statistics are elsewhere (calibrate.c); here is only reading.
 *
 * Memory is bounded whatever is read: at most HONE_JOINED_ITEMS items and HONE_JOINED_CELLS ratings are kept.
 * When there are more, the items whose hash lies in the upper half of what is kept are dropped, again and
 * again: a random half by id, the same on every machine, so that a label and a verdict of one item are both
 * kept or both dropped. What was read and what is kept are both counted, and `share` tells the part.
 *
 * A row that cannot be understood is an error with its place (or counted, with skip_bad); a row that is
 * understood but odd (of an unknown item, twice, contradictory) is counted and told later. Scores are finite. */
#ifndef HONE_CORE_JUDGE_JOINED_H
#define HONE_CORE_JUDGE_JOINED_H
#include "base/json.h"
#include "base/map.h"

enum {
    HONE_JOINED_ITEMS = 200000,
    HONE_JOINED_CELLS = 16 << 20,
    HONE_JOINED_EXPERTS = 4096,
    HONE_JOINED_COLUMNS = 32, /* slices: so many columns */
    HONE_JOINED_VALUES = 20,  /* of so many values each; a column of more is no slice */
    HONE_JOINED_CRITERIA = 64,
    HONE_JOINED_REPEATS = 64, /* keep_scores: so many verdicts of an item */
    HONE_JOINED_NAMED = 3     /* so many ids are kept as examples of what is odd */
};
enum { HONE_SHAPE_POINTWISE = 1, HONE_SHAPE_PAIRWISE = 2, HONE_SHAPE_LISTWISE = 3 };
enum { HONE_SPLIT_FEW_SHOT, HONE_SPLIT_DEV, HONE_SPLIT_TEST, HONE_SPLIT_ALL };
enum { HONE_ROWS_ITEMS, HONE_ROWS_VERDICTS, HONE_ROWS_LABELS };
/* Who names an item's prompt; who comes first counts most. Labels do, because they are what is split: so an item stays in its
 * split whatever else is read. TEXT: nobody, it is known by its words. */
enum { HONE_NAMED_LABEL, HONE_NAMED_ITEM, HONE_NAMED_VERDICT, HONE_NAMED_TEXT, HONE_NAMED };

/* Of verdicts: what JUDGE's status says, in the order of hone_joined_status_names. */
enum {
    HONE_JOINED_OK,
    HONE_JOINED_UNPARSED,
    HONE_JOINED_REFUSED,
    HONE_JOINED_TRUNCATED,
    HONE_JOINED_TIMEOUT,
    HONE_JOINED_BUDGET,
    HONE_JOINED_STATUSES
};
extern const char *const hone_joined_status_names[HONE_JOINED_STATUSES];

typedef struct hone_joined_item {
    char *id; /* in the arena */
    size_t id_len;
    uint64_t hash, cluster; /* of the id; of the prompt, as settled */
    uint64_t names[4];      /* of the prompt, by who names it: HONE_NAMED_* */
    int64_t length;         /* bytes of the completion, -1 unknown */
    double sum;             /* of the scores of ok verdicts */
    double swapped[2]; /* pairwise: the sums by order of showing, first candidate first or second */
    uint32_t n_swapped[2];
    uint32_t status[HONE_JOINED_STATUSES]; /* verdicts of each status */
    double settled;                        /* what a lead settled, where has_settled */
    double probability;                    /* of having been selected for labelling; 0 = not said */
    uint8_t split, has_split, has_settled, named; /* named: which of names are there, as bits */
    uint8_t in_items, in_verdicts, labelled;      /* which files named it */
    uint8_t slice[HONE_JOINED_COLUMNS];           /* index of the value + 1, 0 = none */
} hone_joined_item;

typedef struct hone_joined_column {
    char *name;
    char *values[HONE_JOINED_VALUES];
    size_t n;
    int many; /* more values than that: left out */
} hone_joined_column;

typedef struct hone_joined_opts {
    int shape;             /* 0: told by the first label; LISTWISE is not told: listwise.h */
    int split;             /* HONE_SPLIT_ALL, or the one that is looked at */
    const char *criterion; /* labels and verdicts of this criterion instead of the score, or NULL */
    int skip_bad;
    int settled; /* a lead's settlement is the truth of its item; else such rows are left out */
    int keep_scores; /* every verdict's score and criteria too, not only their mean; labels may be absent */
    size_t max_items; /* 0 = HONE_JOINED_ITEMS */
} hone_joined_opts;

typedef struct hone_joined_rating {
    uint32_t expert;
    double value;
} hone_joined_rating;

/* One score of one verdict (keep_scores). */
typedef struct hone_joined_score_row {
    uint32_t item, repeat;
    int32_t criterion; /* index into criteria, -1: the score itself */
    double value;
} hone_joined_score_row;

/* What was odd, and examples of it (ids, in the arena). */
typedef struct hone_joined_odd {
    size_t n;
    const char *named[HONE_JOINED_NAMED];
} hone_joined_odd;

typedef struct hone_joined {
    hone_joined_opts opts;
    hone_arena arena, scratch;
    int shape; /* 0 while no label was read; of lists PAIRWISE, since their pairs are the items */
    struct hone_lists *lists; /* opts.shape LISTWISE: what was read of them */
    double share;
    uint64_t limit; /* items with hash below it are kept; 0 = all */

    hone_joined_item *items;
    size_t n_items, cap_items;
    uint32_t *slots; /* open addressing: item + 1 */
    size_t n_slots;
    char **experts;
    hone_map expert_map;
    size_t n_experts, cap_experts;
    struct hone_joined_label *labels;
    size_t n_labels, cap_labels;
    uint32_t *label_slots;
    size_t n_label_slots;
    hone_joined_column columns[HONE_JOINED_COLUMNS];
    size_t n_columns;

    /* the same expert and item again: first and second rating, flagged as duplicate or not */
    double (*again)[2];
    size_t n_again, cap_again;

    /* keep_scores */
    hone_joined_score_row *scores;
    size_t n_scores, cap_scores;
    char *criteria[HONE_JOINED_CRITERIA];
    size_t n_criteria;

    /* counts of rows as read, sampled or not */
    uint64_t rows[3], bad, empty;
    uint64_t settled;              /* rows that a lead settled, taken or not */
    hone_joined_odd unknown;       /* labels of items that neither items nor verdicts name */
    hone_joined_odd contradictory; /* the same expert, another rating, not flagged as duplicate */
    hone_joined_odd moved;         /* prompts in several splits (set by finish) */
    char *spec, *rubric, *policy;  /* of the verdicts; NULL when none says */
    int several_specs, several_rubrics, several_policies;
    char *first_bad; /* what was wrong with the first malformed row that was left out */

    /* ---- set by finish: the items of the split that have a label ------------------------------------ */
    uint32_t
        *order; /* (n) indices of items: labelled ones, then those with a verdict only; by prompt */
    size_t n;   /* labelled items of known ones, in the split */
    size_t n_more;    /* items of the split with a verdict and no label: order[n .. n+n_more) */
    size_t n_prompts; /* clusters among the n */
    hone_joined_rating *ratings; /* of order[i]: ratings[begin[i] .. begin[i+1]), by expert */
    size_t *begin;               /* (n + 1) */
    size_t n_ratings;            /* that are there */
    size_t split_items[4];
} hone_joined;

void hone_joined_init(hone_joined *j, const hone_joined_opts *opts);
void hone_joined_release(hone_joined *j);

/* One row (a map) of `kind`, number `number` from 1 of `name` (borrowed, for errors). E_INVALID when it is
 * malformed; with skip_bad it is counted and HONE_OK. [control-thread] */
hone_status hone_joined_add(hone_joined *j, int kind, const char *name, uint64_t number,
                            const hone_value *row);
/* After the last row: splits, prompts, ratings by item. E_INVALID without a label (but with keep_scores), and when no label is
 * of an item with a verdict: the message says what was read. */
hone_status hone_joined_finish(hone_joined *j);

/* The prompts of all items read so far, and their splits: an item's own name for its prompt, or the one that another item with
 * an equal name of a lower kind has. Finish does it too. */
hone_status hone_joined_settle(hone_joined *j);
/* The item of this id, or NULL; and its split when settled: as its rows say, else by the hash of its prompt. */
const hone_joined_item *hone_joined_find(const hone_joined *j, hone_str id);
int hone_joined_split(const hone_joined_item *it);
/* The judge's score of an item: the mean of its ok verdicts, NAN when there is none. */
double hone_joined_score(const hone_joined_item *it);
/* "few-shot", "dev", "test", "all". */
const char *hone_split_name(int split);
/* The enum, or -1. */
int hone_split_of(const char *name);
#endif
