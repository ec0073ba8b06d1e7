/* novelty.h - is a text new beside all that are there? ROUGE-L against each of them, and the one it is most like.
 *
 *   ROUGE-L(a, b) = 2 L / (|a| + |b|), L the longest common subsequence of their words      (Lin 2004, section 3, F with beta 1)
 * Words are those of words.h: lower case, without punctuation; on ASCII texts those of rouge_score without stemming. Self-instruct
 * takes an instruction where no other has 0.7 or more (Wang et al. 2023, section 2.2).
 *
 * The key idea: L is at most the words that both have, so a text that shall reach `least` must have at least k of the other's words,
 * and one of the rarest |a| - k + 1 of them; only texts that a list of each word's texts gives for those are looked at, and how often they
 * come bounds what they share. Of these most are out by that, by length or by the words they share in all; for the others L is computed 64 words at a time, in a machine word
 * (Crochemore et al. 2001; Hyyro 2004). It is exact: what is left out cannot reach `least`.
 *
 * Does not: forget a text, compare meaning. Memory: 4 bytes a word twice, and each distinct word once. Texts of no words are like
 * nothing. Deterministic. All calls [control-thread]. */
#ifndef HONE_CORE_CURATE_NOVELTY_H
#define HONE_CORE_CURATE_NOVELTY_H
#include "base/error.h"

#define HONE_NOVELTY_NONE SIZE_MAX

typedef struct hone_novelty hone_novelty;

hone_status hone_novelty_create(hone_novelty **out);
void hone_novelty_destroy(hone_novelty *n); /* NULL is allowed */
/* The next text, number 0, 1, ... UTF-8. E_LIMIT: 4 billion words. */
hone_status hone_novelty_add(hone_novelty *n, hone_str text);
size_t hone_novelty_count(const hone_novelty *n);
/* The text with the largest ROUGE-L of at least `least` (0 to 1; 0: any that shares a word), the first of equals: its number, or
 * HONE_NOVELTY_NONE, and the value, or 0. */
hone_status hone_novelty_look(hone_novelty *n, hone_str text, double least, size_t *which,
                              double *score);
/* Texts whose longest common subsequence was computed so far: what the bounds left. */
uint64_t hone_novelty_compared(const hone_novelty *n);
#endif
