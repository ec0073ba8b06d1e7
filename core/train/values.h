/* values.h - what a reward model says of texts (nn/value_head.h). */
#ifndef HONE_CORE_TRAIN_VALUES_H
#define HONE_CORE_TRAIN_VALUES_H
#include "nn/forest.h"
#include "train/policy.h"

/* out[i]: the value of text i (one id or more each). `adapters`: a mask. Texts are computed together as far as memory is
 * planned for; what they are computed with changes nothing. E_UNSUPPORTED: the model has no head. [control-thread] */
hone_status hone_policy_values(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                               double *out);
/* Which of n >= 1 tokens says what a text is worth: the last that is no padding; the last, where all are. */
size_t hone_value_place(const hone_model *m, const int32_t *ids, size_t n);
/* Inside a step. `view`: one number a row of the part. out[k] = that of row[k] of the forest, k in [k0, k1). */
void hone__values_gather(const hone_forest_part *part, hone_view view, const int64_t *row,
                         size_t k0, size_t k1, double *out);
/* The way back: gradients of tokens that share a row are added in the order of tokens. by_row: room for the part's rows. */
hone_status hone__values_seed(const hone_forest_part *part, hone_tape *tape, hone_tensor t,
                              const int64_t *row, size_t k0, size_t k1, const double *grad,
                              float *by_row);
hone_status hone__values_missing(const hone_policy *p); /* E_UNSUPPORTED, with what to do */
#endif
