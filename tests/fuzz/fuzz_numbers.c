/* fuzz_numbers.c - any bytes as the file of `hone objective eval` and `hone advantage eval`: lists of numbers are read whole, in the
 * shape of the first, or refused with a text. */
#include "cli/objective_numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

static double sum;
static void add(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += x[i];
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const keys[] = {"logp", "mask", NULL};
    static int fd = -1;
    char path[40];
    hone_cli_numbers in;
    hone_cli_shape shape;
    double *x, *mask;
    uint8_t *scored;
    uint32_t *group;
    size_t rows, n;
    if (fd < 0)
        fd = memfd_create("numbers", 0);
    MUST(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (hone_cli_numbers_open(&in, path, size & 1) < 0)
        return 0;
    if (hone_cli_shape_of(&in, keys, &shape) >= 0) {
        MUST(!shape.n_seqs || shape.begin[shape.n_seqs] == shape.n_tokens);
        if (hone_cli_rows(&in, "logp", &shape, &x) >= 0 && x)
            add(x, shape.n_tokens);
        if (hone_cli_rows_or_list(&in, "mask", &shape, &mask) >= 0 && mask)
            add(mask, shape.n_tokens);
        else
            MUST(hone__eval_ones(&in, shape.n_tokens, &mask) >= 0);
        if (hone_cli_weights(&in, "mask", shape.n_tokens, mask) >= 0)
            for (size_t i = 0; i < shape.n_tokens; i++)
                MUST(mask[i] >= 0);
        if (hone__eval_lengths(&in, &shape, mask, &x) >= 0)
            add(x, shape.n_seqs);
        if (hone__eval_groups(&in, shape.n_seqs, &group) >= 0)
            for (size_t i = 0; i < shape.n_seqs; i++)
                sum += group[i];
    }
    for (size_t i = 0, last = 0; hone_cli_unread(&in, keys, &i); last = i)
        MUST(i > last && i <= in.root.u.map.n);
    if (hone_cli_table(&in, "rewards", &rows, &n, &x, &scored) >= 0 && x)
        for (size_t i = 0; i < rows * n; i++)
            MUST(scored[i] <= 1 && (scored[i] || x[i] == 0));
    if (hone_cli_list(&in, "groups", &n, &x, NULL) >= 0 && x)
        add(x, n);
    hone_cli_numbers_close(&in);
    return 0;
}
