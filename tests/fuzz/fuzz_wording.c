/* rouge, bleu, chrf and overlap as their host calls them: any two texts, a score from 0 to 1, the same again. The whole plugin
 * is linked in. */
#include "hone/reward.h"
#include "hone/testing.h"

static const struct {
    const char *name, *settings[3];
} kinds[] = {{"rouge", {"measure=rouge1", "stem=true", NULL}},
             {"rouge", {"measure=rouge2", "compat=rouge", NULL}},
             {"rouge", {"measure=rouge4", "value=recall", NULL}},
             {"rouge", {"measure=rougeL", "compat=rouge", NULL}},
             {"rouge", {"measure=rougeL", "value=precision", NULL}},
             {"rouge", {"measure=rougeLsum", "stem=true", NULL}},
             {"bleu", {"tokenize=13a", "smooth=floor", NULL}},
             {"bleu", {"tokenize=intl", "lowercase=true", NULL}},
             {"bleu", {"tokenize=char", "smooth=add-k", NULL}},
             {"bleu", {"tokenize=none", "effective_order=false", NULL}},
             {"chrf", {"word_order=2", "lowercase=true", NULL}},
             {"chrf", {"eps_smoothing=true", "whitespace=true", NULL}},
             {"overlap", {"measure=bleu", NULL, NULL}},
             {"overlap", {"measure=rougeL", NULL, NULL}}};

static float score_once(hone_test *t, hone_str text, hone_str reference)
{
    const hone_reward_v1 *r = hone_test_iface(t, HONE_IFACE_REWARD);
    const hone_column column = {.name = hone_str_c("answer"),
                                .value = {.type = HONE_STRING, .u.str = reference}};
    const hone_sample s = {.completion = text, .columns = &column, .n_columns = 1};
    const hone_call call = {.struct_size = sizeof call, .n = 1};
    hone_outcome out = {0, 0};
    if (!r || r->score(t->self, &call, &s, 1, sizeof s, &out, sizeof out, NULL) < 0 ||
        out.status != HONE_SCORE || !(out.score >= 0 && out.score <= 1.00001f))
        abort();
    return out.score;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t at = n;
    if (n < 1 || n > 4000)
        return 0;
    char *copy = malloc(n);
    memcpy(copy, data, n);
    for (size_t i = 1; i < n; i++)
        if (copy[i] == 0) {
            at = i;
            break;
        }
    const hone_str text = {copy + 1, at - 1},
                   reference = {copy + (at < n ? at + 1 : n), at < n ? n - at - 1 : 0};
    const size_t kind = data[0] % (sizeof kinds / sizeof *kinds);
    hone_test t;
    if (!hone_test_begin(&t, kinds[kind].name, kinds[kind].settings))
        abort();
    const float one = score_once(&t, text, reference);
    if (one != score_once(&t, text, reference))
        abort();
    hone_test_end(&t);
    if (hone_test_failures)
        abort();
    free(copy);
    return 0;
}
