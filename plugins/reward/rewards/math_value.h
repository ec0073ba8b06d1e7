/* math_value.h - is this mathematical answer that one? See math_value.c. */
#ifndef HONE_REWARDS_MATH_VALUE_H
#define HONE_REWARDS_MATH_VALUE_H
#include "rewards.h"

/* An answer, parsed. Some 40 KB: made with memory_get, or static in a test. */
typedef struct math math;
size_t math_size(void);

/* Reads plain text or LaTeX. 1, or 0 when it cannot be read as mathematics. Borrows `text`. */
int math_read(math *m, hone_str text);
/* Do both mean the same? `tolerance`: relative, where a decimal number is involved. Symmetric. */
int math_equal(const math *a, const math *b, double tolerance);
/* Is it a number, or does it hold anything but symbols and words? */
int math_is_number(const math *m);
/* Is it one number, or a word: no list, relation, set, and no symbol among numbers? */
int math_is_single(const math *m);
#endif
