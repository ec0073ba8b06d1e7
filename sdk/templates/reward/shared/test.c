/* test.c - @name@ under the SDK's test host. */
#include "hone/testing.h"

static const hone_call call = {sizeof(hone_call), 1, 1, 0, NULL};

static hone_outcome score(hone_test *t, const char *completion, const char *answer)
{
    const hone_reward_v1 *r = hone_test_iface(t, HONE_IFACE_REWARD);
    hone_column column = {hone_str_c("answer"), {0}};
    column.value.type = HONE_STRING;
    column.value.u.str = hone_str_c(answer);
    hone_sample s = {
        .completion = hone_str_c(completion), .columns = &column, .n_columns = answer != NULL};
    hone_outcome out = {HONE_PENDING, -1};
    if (HONE_CHECK(r != NULL))
        HONE_CHECK(r->score(t->self, &call, &s, 1, sizeof s, &out, sizeof out, NULL) == HONE_OK);
    return out;
}

int main(void)
{
    static const char *const settings[] = {"target=10", "bonus=0.25", NULL};
    hone_test t;
    if (!hone_test_begin(&t, "@name@", settings))
        return hone_test_result();
    hone_outcome o = score(&t, "it is 42 !", "42");
    HONE_CHECK(o.status == HONE_SCORE && o.score == 1);
    o = score(&t, "it is 43 !", "42");
    HONE_CHECK(o.status == HONE_SCORE && o.score == .75f);
    o = score(&t, "", "42");
    HONE_CHECK(o.status == HONE_SCORE && o.score == 0);
    HONE_CHECK(score(&t, "no answer to compare with", NULL).status == HONE_ABSTAIN);
    hone_test_end(&t);
    return hone_test_result();
}
