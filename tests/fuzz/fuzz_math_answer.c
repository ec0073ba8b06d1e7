/* Mathematical answers: any text is read or refused, and what was read is equal to itself both ways. */
#include "../../plugins/reward/rewards/common.c"
#include "../../plugins/reward/rewards/math_lex.c"
#include "../../plugins/reward/rewards/math_eval.c"
#include "../../plugins/reward/rewards/math_matrix.c"
#include "../../plugins/reward/rewards/math_read.c"
#include "../../plugins/reward/rewards/math_set.c"
#include "../../plugins/reward/rewards/math_value.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static math a, b;
    char *copy = malloc(n ? n : 1);
    size_t cut = n / 2;
    memcpy(copy, data, n);
    for (size_t i = 0; i < n; i++)
        if (copy[i] == '\n') { /* two answers, a line each */
            cut = i;
            break;
        }
    hone_str one = {copy, cut}, two = {copy + cut, n - cut};
    int x = math_read(&a, one), y = math_read(&b, two);
    if (x && y && math_equal(&a, &b, 1e-6) != math_equal(&b, &a, 1e-6))
        abort();
    math_is_number(&a);
    free(copy);
    return 0;
}
