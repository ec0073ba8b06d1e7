/* quality.h - rules that say of a text why it is not worth training on: Gopher's, C4's, FineWeb's, each with its published default.
 *
 * A rule is a measure of the text and a limit: below a least or above a most it is a reason to leave the row out. The table of
 * rules is the documentation, too: name, set, limit, what it measures, where it is from. A set is switched on as a whole; each rule's limit
 * can be set, or the rule switched off.
 *
 * Sources: Rae et al. 2021 (Gopher), A.1.1 and table A1; Raffel et al. 2020 (C4), 2.2, and the published program's limits; Penedo et al. 2024
 * (FineWeb), 3.6, and datatrove's. Where paper and program differ the rule's text says so.
 *
 * Does not: judge languages other than by these rules (the sets were made for English), change the text. [any-thread] */
#ifndef HONE_CORE_CURATE_QUALITY_H
#define HONE_CORE_CURATE_QUALITY_H
#include "curate/phrases.h"

typedef enum hone_quality_set {
    HONE_QUALITY_GOPHER,            /* quality */
    HONE_QUALITY_GOPHER_REPETITION, /* and repetition */
    HONE_QUALITY_C4,
    HONE_QUALITY_FINEWEB,
    HONE_QUALITY_SETS
} hone_quality_set;

typedef struct hone_quality_rule {
    const char *name; /* "min_words" */
    hone_quality_set set;
    int is_most;  /* the limit is a most: more is a reason; else a least */
    int or_equal; /* reaching the limit is a reason, too */
    double limit; /* the published default */
    const char *about;
} hone_quality_rule;

enum { HONE_QUALITY_MAX = 48 };
extern const hone_quality_rule hone_quality_rules[];
size_t hone_quality_n(void);
const char *hone_quality_set_name(
    hone_quality_set set); /* "gopher", "gopher_repetition", "c4", "fineweb" */

typedef struct hone_quality {
    unsigned char on[HONE_QUALITY_MAX];
    double limit[HONE_QUALITY_MAX];
    const hone_phrases *bad_words; /* of c4.max_bad_words; NULL: it measures nothing. Borrowed */
} hone_quality;

/* All sets that `sets` names ("gopher,c4", "all"), at their defaults; then `settings`: "NAME=NUMBER" or "NAME=off", the name
 * with its set ("c4.min_sentences") or alone where only one rule has it. E_USAGE. `n` texts. */
hone_status hone_quality_init(hone_quality *q, const char *sets, const char *const *settings,
                              size_t n);

typedef struct hone_quality_scratch hone_quality_scratch; /* one a thread */
hone_status hone_quality_scratch_create(hone_quality_scratch **out);
void hone_quality_scratch_destroy(hone_quality_scratch *s);

typedef struct hone_quality_verdict {
    uint64_t failed;                /* bit i: rule i is a reason */
    double value[HONE_QUALITY_MAX]; /* what was measured; only of rules that are on */
} hone_quality_verdict;
hone_status hone_quality_look(const hone_quality *q, hone_str text, hone_quality_scratch *s,
                              hone_quality_verdict *out);
#endif
