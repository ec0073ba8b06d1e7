/* ifd.h - instruction-following difficulty: how little an instruction helps a model with its answer.
 *
 * IFD(Q, A) = exp(mean over A's tokens of -log p(a | Q, a before) - mean of -log p(a | a before)): the ratio of the answer's perplexity with its
 * instruction to that without (Li et al. 2024, "From Quantity to Quality", eq. 4). Near 0 the instruction says it all; near 1 it does
 * not help; above 1 it misleads: such rows do not go together. The published choice is the highest below 1 (--max 1 --top N).
 *
 * The instruction goes through the model's chat template, where it has one (`raw`: it does not); the answer's tokens are the same in
 * both cases. Without its instruction the answer begins behind the tokenizer's begin token; where there is none its first token has no
 * probability and is left out of both means.
 * An answer of no such token has no IFD (NaN). [control-thread] */
#ifndef HONE_CORE_CURATE_IFD_H
#define HONE_CORE_CURATE_IFD_H
#include "curate/input.h"
#include "curate/scan.h"
#include "train/policy.h"

typedef struct hone_ifd hone_ifd;
/* `policy` is borrowed. `question`, `answer`: columns. Texts of more than max_tokens are cut there (0: 2048). */
hone_status hone_ifd_create(hone_policy *policy, const char *question, const char *answer, int raw,
                            uint64_t max_tokens, hone_ifd **out);
void hone_ifd_destroy(hone_ifd *d);
/* Of a row; has the form of hone_select_spec's score. */
hone_status hone_ifd_score(void *ifd, const hone_input_row *row, double *out);
/* Of two texts. */
hone_status hone_ifd_of(hone_ifd *d, hone_str question, hone_str answer, double *out);
#endif
