/* text.h - what the rewards that compare wording share: characters, words, counts of n-grams.
 *
 * A text becomes a row of 64-bit keys, one a word or a character; n-grams are keys of runs of keys, sorted, so that what
 * two texts share is counted by going through both once. Two different words with one key are not told apart: with 64 bits
 * that is no matter of practice, and a text made so that its words collide gains nothing but wording.
 *
 * Invariants: nothing here keeps state; memory is the caller's; every text may be empty or no UTF-8 at all (a byte that is
 * none is a character of its own). Sources: Lin 2004 (ROUGE), Papineni et al. 2002 (BLEU), Post 2018 (sacreBLEU, whose
 * tokenisations these are), Popovic 2015 and 2017 (chrF, chrF++), Porter 1980 (stemming). */
#ifndef HONE_REWARDS_TEXT_H
#define HONE_REWARDS_TEXT_H
#include "reward/rewards/rewards.h"

/* The character at s.ptr[*at], which moves behind it; a byte that begins none is 0xDC00 + itself. *at < s.len. */
uint32_t text_char(hone_str s, size_t *at);
size_t text_put(uint32_t c,
                char out[4]);  /* as UTF-8 (of text_char's bytes: the byte); its length */
int text_is_space(uint32_t c); /* Unicode white space, as Python's str.split() has it */
uint32_t text_lower(uint32_t c);
uint32_t text_upper(uint32_t c);
int text_class(uint32_t c,
               char major); /* is its general category of this letter: 'L' 'N' 'P' 'S' 'M' */

/* Runs between white space as keys; `out` has room for (s.len + 1) / 2 keys. How many. */
size_t text_split(hone_str s, uint64_t *out);
uint64_t text_key(hone_str s);

/* ---- n-grams -------------------------------------------------------------------------------------- */

/* Sorted keys of the runs of n; `out` has room for n_words. How many. n >= 1. */
size_t grams_of(const uint64_t *words, size_t n_words, size_t n, uint64_t *out);
/* How many two sorted rows share, each as often as in the row that has it less often. */
size_t grams_shared(const uint64_t *a, size_t n, const uint64_t *b, size_t m);
/* Keeps one of each; how many are left. */
size_t grams_distinct(uint64_t *a, size_t n);
/* Length of the longest common subsequence; `row` has m + 1 counts. Time n x m. */
size_t words_common(const uint64_t *a, size_t n, const uint64_t *b, size_t m, uint32_t *row);

/* ---- words ---------------------------------------------------------------------------------------- */

enum { TOKENIZE_13A, TOKENIZE_INTL, TOKENIZE_CHAR, TOKENIZE_NONE };
/* sacreBLEU's tokenisation of one segment, as text with one space between tokens. `out` and `more` have room for
 * TOKENIZED_SIZE(s.len) each; the result is in `out`. Its length. */
#define TOKENIZED_SIZE(n) (6 * (n) + 8)
size_t text_tokenize(hone_str s, uint32_t how, int lowercase, char *out, char *more);

/* Porter's stem of a lower-case word, in place; the new length. */
size_t text_stem(char *word, size_t n);

/* ---- references ----------------------------------------------------------------------------------- */

/* What compare gives besides 0.. */
enum { NO_MEMORY = -1, TOO_LONG = -2 };
typedef double (*compare_fn)(const reward *self, hone_str answer, hone_str reference);
/* The best of the row's references, which are a text or a list of texts. */
void best_reference(const scoring *s, hone_str column, uint32_t on_missing, compare_fn compare,
                    verdict *v);

extern const hone_component overlap_component, rouge_component, bleu_component, chrf_component,
    language_component, ifeval_component;
#endif
