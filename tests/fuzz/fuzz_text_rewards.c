/* Texts of rewards: characters, tokenisations and stems of any bytes stay in their room, and a tokenised text has the characters
 * of the text. */
#include "../../plugins/reward/rewards/common.c"
#include "../../plugins/reward/text/chars.c"
#include "../../plugins/reward/text/stem.c"
#include "../../plugins/reward/text/tokenize.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 20000)
        return 0;
    char *copy = malloc(n ? n : 1); /* ends where the text ends */
    memcpy(copy, data, n);
    const hone_str s = {copy, n};
    const size_t room = TOKENIZED_SIZE(n);
    char *out = malloc(room), *more = malloc(room);
    uint64_t *keys = malloc((n / 2 + 1) * sizeof *keys),
             *most = malloc((room / 2 + 1) * sizeof *keys);
    const size_t words = text_split(s, keys);
    for (uint32_t how = TOKENIZE_13A; how <= TOKENIZE_NONE; how++)
        for (int fold = 0; fold < 2; fold++) {
            const size_t k = text_tokenize(s, how, fold, out, more);
            if (k > room ||
                text_split((hone_str){out, k}, most) < (how == TOKENIZE_13A ? 0 : words))
                abort();
        }
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (is_digit(copy[i]) || is_letter(copy[i]))
            copy[k++] = lower(copy[i]);
    char *word = malloc(k + 1); /* an e may be put back, never more */
    memcpy(word, copy, k);
    if (text_stem(word, k) > k + 1)
        abort();
    free(word);
    free(most);
    free(keys);
    free(more);
    free(out);
    free(copy);
    return 0;
}
