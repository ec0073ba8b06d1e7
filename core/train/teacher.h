/* teacher.h - inside core/train: what a step computes beside log-probs: the teacher of a micro-batch, noise on
 * embeddings. See teacher.c. */
#ifndef HONE_CORE_TRAIN_TEACHER_H
#define HONE_CORE_TRAIN_TEACHER_H
#include "hone/objective.h"
#include "train/update.h"

typedef struct hone__numbers {
    float *p;
    size_t n;
} hone__numbers;
typedef struct hone__teaching {
    hone__numbers hidden, noise;
    /* the teacher's likeliest tokens of all targets of the step, in the forest's order, or NULL; borrowed */
    const int32_t *ids;
    const float *logp;
    int64_t k;
} hone__teaching;

/* E_INVALID: the objective learns from a teacher, and there is none. */
hone_status hone__teaching_missing(void);
/* Puts the teacher's likeliest tokens (hone_train_seq.teacher_ids) of `n` sequences side by side, into `arena`: target j is
 * token tok[j] of its sequence. Nothing where no sequence has any; E_INVALID where only some have, K
 * differs, or they are at another temperature. */
hone_status hone__teaching_gather(hone__teaching *t, const hone_train_seq *const *seqs, size_t n,
                                  const size_t *seq_begin, const size_t *tok, const hone_forest *f,
                                  double temperature, hone_arena *arena);
/* What the student's pass over `part` is compared with: borrowed until the next call. The teacher's own forward
 * runs here when there is no list of tokens. */
hone_status hone__teaching_of(hone__teaching *t, const hone_update_params *u,
                              const hone_forest_part *part, const hone_objective_wants *wants,
                              hone_model_teacher *out);
/* n_tokens x width numbers within +- alpha / sqrt(tokens of the tree's longest path * width): a function of (seed,
 * step, tree0 + tree, token). Borrowed until the next call. */
hone_status hone__teaching_noise(hone__teaching *t, uint64_t seed, uint64_t step, double alpha,
                                 int64_t width, const hone_batch *b, size_t tree0,
                                 const float **out);
void hone__teaching_release(hone__teaching *t);
#endif
