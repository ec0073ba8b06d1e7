/* numbers.h - numbers given to `hone objective eval` and `hone advantage eval`: JSON lists to flat arrays. */
#ifndef HONE_CORE_CLI_NUMBERS_H
#define HONE_CORE_CLI_NUMBERS_H
#include "base/json.h"

/* The rows of a batch: sequence s owns [begin[s], begin[s+1]). */
typedef struct hone_cli_shape {
    size_t n_seqs, n_tokens, widest;
    size_t *begin; /* n_seqs + 1 */
} hone_cli_shape;

typedef struct hone_cli_numbers {
    hone_arena arena;
    hone_value root;
    const char *path;
    int f32; /* round what is read to float */
} hone_cli_numbers;

hone_status hone_cli_numbers_open(hone_cli_numbers *in, const char *path, int f32);
void hone_cli_numbers_close(hone_cli_numbers *in);

/* One number of the list `key`, rounded as the file is. */
hone_status hone_cli_read_number(hone_cli_numbers *in, const char *key, const hone_value *v,
                                 double *out);
/* The list of numbers `key`: *n of them; NULL and 0 when the key is absent. `scored` (may be NULL) gets 0
 * where the list has null, 1 elsewhere; without it null is an error. */
hone_status hone_cli_list(hone_cli_numbers *in, const char *key, size_t *n, double **out,
                          uint8_t **scored);
/* The shape of the first of `keys` that is there and is a list of lists. n_seqs 0: none is. */
hone_status hone_cli_shape_of(hone_cli_numbers *in, const char *const *keys, hone_cli_shape *out);
/* B lists of the shape's widths into a flat array; NULL when the key is absent. */
hone_status hone_cli_rows(hone_cli_numbers *in, const char *key, const hone_cli_shape *shape,
                          double **out);
/* The same; a flat list of B numbers is spread over each row's tokens. */
hone_status hone_cli_rows_or_list(hone_cli_numbers *in, const char *key,
                                  const hone_cli_shape *shape, double **out);
/* K lists of n numbers, or one list: row-major. */
hone_status hone_cli_table(hone_cli_numbers *in, const char *key, size_t *n_rows, size_t *n,
                           double **out, uint8_t **scored);

/* Are these n numbers of `key` weights, from 0 up? */
#define HONE_CLI_WEIGHT_MAX 1e6
hone_status hone_cli_weights(hone_cli_numbers *in, const char *key, size_t n, const double *x);
/* The next key of the file, from the *i-th on, that is none of `keys` (NULL-terminated); NULL: there is none. Start with
 * *i = 0. The text lives as long as `in`. */
const char *hone_cli_unread(hone_cli_numbers *in, const char *const *keys, size_t *i);

/* Writes a number as the input's precision has it. */
void hone_cli_number(hone_jw *w, double v, int f32);
void hone_cli_put_rows(hone_jw *w, const hone_cli_shape *shape, const double *x, int f32);
#endif
