/* logits.h - student_logits and teacher_logits of `hone objective eval`: log-probs and divergences of B x T x V numbers in
 * double, and their gradients. See logits.c. */
#ifndef HONE_CORE_CLI_LOGITS_H
#define HONE_CORE_CLI_LOGITS_H
#include "cli/numbers.h"
#include "hone/objective.h"

typedef struct hone_cli_logits {
    size_t n_tokens, V;
    double *student, *teacher;                /* n_tokens x V; teacher may be NULL */
    double *divergence, *logp, *teacher_logp; /* n_tokens or NULL: what the objective reads */
    double *ids;                              /* n_tokens: the tokens that logp is of, or NULL */
} hone_cli_logits;

/* Reads student_logits, teacher_logits and ids. `shape` is theirs when it has no sequences yet. Nothing is read, and
 * n_tokens is 0, where there are no student_logits. */
hone_status hone_cli_logits_read(hone_cli_numbers *in, hone_cli_shape *shape, hone_cli_logits *out);
/* divergence at `wants`; log-probs of ids (at temperature 1) where there are any. */
hone_status hone_cli_logits_compute(hone_cli_numbers *in, const hone_objective_wants *wants,
                                    hone_cli_logits *l);
/* d loss / d student_logits of the gradients of both: n_tokens x V, in `in`'s memory. */
hone_status hone_cli_logits_grad(hone_cli_numbers *in, const hone_objective_wants *wants,
                                 const hone_cli_logits *l, const double *grad_logp,
                                 const double *grad_divergence, double **out);
/* B x T x V lists. */
void hone_cli_put_logits(hone_jw *w, const hone_cli_shape *shape, size_t V, const double *x,
                         int f32);
#endif
