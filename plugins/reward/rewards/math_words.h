/* math_words.h - words that mean mathematics: see math_words.c. */
#ifndef HONE_REWARDS_MATH_WORDS_H
#define HONE_REWARDS_MATH_WORDS_H
#include "rewards.h"

enum { PHRASE_NONE, PHRASE_REALS, PHRASE_EMPTY, PHRASE_INFINITY, PHRASE_MINUS_INFINITY };

/* The letters of a word or words, without what LaTeX puts around them, in small letters, into `out` (room for 64): their number;
 * 0 when the text is something else. *longest: letters of the longest word. */
size_t math_plain_words(hone_str s, char *out, size_t *longest);
int math_phrase(hone_str text);
/* "million", "billion dollars": 1e6, 1e9; 0 when the word is none of these. */
double math_scale_word(hone_str word);
#endif
