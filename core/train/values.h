/* values.h - what a reward model says of texts (nn/value_head.h). */
#ifndef HONE_CORE_TRAIN_VALUES_H
#define HONE_CORE_TRAIN_VALUES_H
#include "train/policy.h"

/* out[i]: the value of text i (one id or more each). `adapters`: a mask. Texts are computed together as far as memory is
 * planned for; what they are computed with changes nothing. E_UNSUPPORTED: the model has no head. [control-thread] */
hone_status hone_policy_values(hone_policy *p, const hone_ids *texts, size_t n, uint32_t adapters,
                               double *out);
hone_status hone__values_missing(const hone_policy *p); /* E_UNSUPPORTED, with what to do */
#endif
