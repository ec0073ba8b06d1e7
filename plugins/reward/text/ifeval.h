/* ifeval.h - texts as IFEval looks at them: rows of characters, cut to views. See ifeval.c. */
#ifndef HONE_REWARDS_IFEVAL_H
#define HONE_REWARDS_IFEVAL_H
#include "lang.h"

typedef struct view { /* characters; borrowed */
    const uint32_t *c;
    size_t n;
} view;

static inline view cut(view v, size_t from, size_t to)
{
    return (view){v.c + from, to - from};
}
view view_trim(view v);                                   /* white space at both ends */
size_t view_find(view v, const char *ascii, size_t from); /* SIZE_MAX: not there */
int view_is_upper(view v); /* has cased letters, all of them capitals */
int view_is_lower(view v);
int char_is_upper(uint32_t c);
int char_is_lower(uint32_t c);
int char_is_word(uint32_t c); /* Python's \w: letters, numbers of all kinds, _ */

/* How many sentences: the rules of the Punkt tokenizer (Kiss & Strunk 2006) with abbreviations and common words of English. */
size_t count_sentences(view v);
size_t count_words(view v);
/* Words of capitals among the tokens that the Treebank tokenizer makes. */
size_t count_capital_words(view v);

enum { CHECK_NO, CHECK_YES, CHECK_UNKNOWN, CHECK_LACKS, CHECK_NO_MEMORY };
typedef struct checked { /* one response, with what the checks ask again and again */
    view text;           /* not blank */
    hone_str bytes;
    const reward *mem;
    hone_ref json;
} checked;
/* Does the response follow instruction `id` with `args` (a map, or NULL)? CHECK_UNKNOWN: no such instruction; CHECK_LACKS: an
 * argument is not there, its name in *what. */
int ifeval_check(const checked *r, hone_str id, const hone_value *args, const char **what);
#endif
