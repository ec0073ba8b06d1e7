/* objective_numbers.h - what `hone objective eval` and `hone advantage eval` share; see objective_numbers.c. */
#ifndef HONE_CORE_CLI_OBJECTIVE_NUMBERS_H
#define HONE_CORE_CLI_OBJECTIVE_NUMBERS_H
#include "cli/component.h"
#include "cli/numbers.h"

/* What an advantage gave: one number a sequence, or (per_token) one a token. */
typedef struct hone__advantages {
    hone_cli_shape shape; /* n_seqs, and tokens where there is a mask */
    int has_mask;
    double *mask, *seq, *token, *returns;
    uint32_t per_token;
} hone__advantages;

/* Settings that the command line (compat, or NULL) and the file (kto_kl) give beside --set: a map, for a component that knows
 * them. */
hone_status hone__eval_extra(hone_cli_numbers *in, hone_registry *r, const char *compat,
                             const char *iface, const char *name, hone_value *out);
/* Group ids of n samples, from group_size or groups; one group where neither is there. */
hone_status hone__eval_groups(hone_cli_numbers *in, size_t n, uint32_t **out);
hone_status hone__eval_ones(hone_cli_numbers *in, size_t n, double **out);
/* Says on stderr which keys of the file nothing reads. */
void hone__eval_note_unread(hone_cli_numbers *in);
/* |y| of each sequence. */
hone_status hone__eval_lengths(hone_cli_numbers *in, const hone_cli_shape *shape,
                               const double *mask, double **out);
/* The advantage `name` of the file's rewards. Memory is `in`'s. [control-thread] */
hone_status hone__eval_advantages(hone_cli_numbers *in, hone_registry *r, const char *compat,
                                  const char *name, const hone_arg_list *settings,
                                  hone__advantages *a);
#endif
