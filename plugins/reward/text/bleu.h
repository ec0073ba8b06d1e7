/* bleu.h - counts of BLEU, of one sentence or summed over many. See bleu.c. */
#ifndef HONE_REWARDS_BLEU_H
#define HONE_REWARDS_BLEU_H
#include "text.h"

enum { BLEU_MOST = 9, BLEU_REFERENCES = 16 };
enum { BLEU_EXP, BLEU_FLOOR, BLEU_ADD_K, BLEU_NONE };

typedef struct bleu_counts {
    size_t order; /* 1..BLEU_MOST */
    size_t shared[BLEU_MOST],
        total[BLEU_MOST];     /* clipped n-grams that a reference has; the answer's */
    size_t length, reference; /* words of the answer, of the nearest reference */
} bleu_counts;

/* Adds one answer's counts. 0: out of memory, or more than BLEU_REFERENCES; the counts may then hold a part. */
int bleu_add(const reward *mem, hone_str answer, const hone_str *refs, size_t n_refs,
             uint32_t tokenize, int lowercase, bleu_counts *c);
/* 0..1. `k` < 0: the smoothing's own. */
double bleu_score(const bleu_counts *c, uint32_t smooth, double k, int effective);
#endif
