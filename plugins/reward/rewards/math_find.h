/* math_find.h - where the final answer stands.
 *
 * auto: the first of these that is there decides. A "final answer is" behind the last box; the last \boxed{}, with those that
 * "and" or commas join to it; what follows the last "####"; what follows the last "answer is", "answer:" and the like; a last
 * sentence with "therefore" behind the last formula; the last formula between dollars or \( \); all of it, when it is nothing
 * but a formula; the last number. */
#ifndef HONE_REWARDS_MATH_FIND_H
#define HONE_REWARDS_MATH_FIND_H
#include "rewards.h"

enum {
    EXTRACT_AUTO,
    EXTRACT_BOXED,
    EXTRACT_HASH,
    EXTRACT_PHRASE,
    EXTRACT_LAST_NUMBER,
    EXTRACT_WHOLE
};

int math_find(hone_str s, uint32_t extract, hone_str *out); /* 0: nothing like it is there */
/* Of a reference: after "####" (GSM8K), in its box (MATH solutions), or whole. */
hone_str math_find_reference(hone_str s);

int math_find_last_number(hone_str s, hone_str *out);
/* "$12$ and $13$": the last formula with those that "and", "or" or commas join to it. */
int math_find_joined(hone_str s, hone_str *out);
/* The last run of mathematical words in plain text. */
int math_find_plain(hone_str s, hone_str *out);
#endif
