/* topk.h - a teacher written down: the K likeliest tokens of each trained-on token's place, with their log-probs. */
#ifndef HONE_CORE_TRAIN_TOPK_H
#define HONE_CORE_TRAIN_TOPK_H
#include "train/update.h"

enum { HONE_TOPK_MOST = 4096 };
/* For each trained-on token of the sequences (mask, in order; a first token without a prompt has none) k ids, likeliest
 * first, and their log-probs at this temperature. ids and logp hold k times as many as hone_policy_topk_rows says.
 * E_RANGE: k is 0, above HONE_TOPK_MOST or above the vocabulary. [control-thread] */
size_t hone_policy_topk_rows(const hone_train_tree *trees, size_t n);
hone_status hone_policy_topk(hone_policy *p, const hone_train_tree *trees, size_t n, uint32_t k,
                             double temperature, int32_t *ids, float *logp);
#endif
