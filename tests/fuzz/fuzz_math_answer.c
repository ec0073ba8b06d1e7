/* Mathematical answers: any text is read or refused, equality holds both ways, and an answer found in a text is a part of it. */
#include "../../plugins/reward/rewards/common.c"
#include "../../plugins/reward/rewards/math_find.c"
#include "../../plugins/reward/rewards/math_lex.c"
#include "../../plugins/reward/rewards/math_words.c"
#include "../../plugins/reward/rewards/math_atom.c"
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
    const hone_str whole = {copy, n};
    hone_str found;
    for (uint32_t place = EXTRACT_AUTO; place <= EXTRACT_WHOLE + 2; place++)
        if (place <= EXTRACT_WHOLE       ? math_find(whole, place, &found)
            : place == EXTRACT_WHOLE + 1 ? math_find_joined(whole, &found)
                                         : math_find_plain(whole, &found))
            if (found.ptr < copy || found.len > n || found.ptr + found.len > copy + n)
                abort();
    free(copy);
    return 0;
}
