/* Rewards that read a completion's form, as their host calls them: any text, any reference, an outcome within its bounds, the same
 * again. The whole plugin is linked in; what asks the host for JSON or expressions is fuzzed
 * elsewhere (json_schema), or is the host's. */
#include "hone/reward.h"
#include "hone/testing.h"

#include <math.h>

static const struct {
    const char *name, *settings[4];
    double lo, hi;
} kinds[] = {
    {"think_format", {NULL}, 0, 1},
    {"think_format", {"opened=prompt", "filled=true", NULL}, 0, 1},
    {"think_format", {"opened=either", "open=<<", "close=<", NULL}, 0, 1},
    {"format", {"preset=boxed", NULL}, 0, 1},
    {"format", {"preset=hash", NULL}, 0, 1},
    {"format", {"preset=answer", NULL}, 0, 1},
    {"format", {"preset=think_answer", NULL}, 0, 1},
    {"exact_match", {NULL}, 0, 1},
    {"exact_match", {"on_missing=abstain", NULL}, 0, 1},
    {"length", {NULL}, -1e9, 1e9},
    {"repetition", {"n=2", NULL}, -1, 0},
    {"repetition", {"n=1", "unit=tokens", "max_penalty=0.5", NULL}, -0.5, 0},
};

static hone_outcome score_once(hone_test *t, hone_str text, hone_str reference)
{
    const hone_reward_v1 *r = hone_test_iface(t, HONE_IFACE_REWARD);
    const hone_column column = {.name = hone_str_c("answer"),
                                .value = {.type = HONE_STRING, .u.str = reference}};
    int32_t tokens[64];
    hone_sample s = {.completion = text, .columns = &column, .n_columns = reference.len ? 1 : 0};
    for (s.n_tokens = 0; s.n_tokens < 64 && s.n_tokens < text.len; s.n_tokens++)
        tokens[s.n_tokens] = text.ptr[s.n_tokens] & 3;
    s.tokens = tokens;
    const hone_call call = {.struct_size = sizeof call, .n = 1};
    hone_outcome out = {0, 0};
    if (!r || r->score(t->self, &call, &s, 1, sizeof s, &out, sizeof out, NULL) < 0 ||
        (out.status != HONE_SCORE && out.status != HONE_ABSTAIN && out.status != HONE_ERROR))
        abort();
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t at = n;
    if (n < 1 || n > 4000)
        return 0;
    char *copy = malloc(n); /* ends where the text ends */
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
    const hone_outcome one = score_once(&t, text, reference), two = score_once(&t, text, reference);
    if (one.status != two.status ||
        (one.status == HONE_SCORE &&
         (one.score != two.score || !((double)one.score >= kinds[kind].lo - 1e-6) ||
          !((double)one.score <= kinds[kind].hi + 1e-6))))
        abort();
    hone_test_end(&t);
    if (hone_test_failures)
        abort();
    free(copy);
    return 0;
}
