/* test.c - @name@ under the SDK's test host. */
#include "hone/testing.h"

static const hone_call call = {sizeof(hone_call), 1, 1, 0, NULL};
static hone_verdict got;
static uint32_t first;

static hone_status put(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    (void)sink;
    HONE_CHECK(item == 0);
    got = *v;
    first = v->n_ranking ? v->ranking[0] : 99; /* borrowed: copied before it goes */
    return HONE_OK;
}

static void judge(hone_test *t, const char *reference, const hone_str *candidates, size_t n)
{
    const hone_judge_v1 *j = hone_test_iface(t, HONE_IFACE_JUDGE);
    const hone_verdict_sink sink = {sizeof sink, 0, NULL, put};
    hone_judge_item item = {.candidates = candidates, .n_candidates = n};
    item.reference = hone_str_c(reference);
    memset(&got, 0, sizeof got);
    if (HONE_CHECK(j != NULL))
        HONE_CHECK(j->judge(t->self, &call, &item, 1, sizeof item, &sink) == HONE_OK);
}

int main(void)
{
    hone_test t;
    if (!hone_test_begin(&t, "@name@", NULL))
        return hone_test_result();
    hone_str answers[2] = {hone_str_c("only iron"), hone_str_c("iron and copper")};
    judge(&t, "iron copper", answers, 1);
    HONE_CHECK(got.status == HONE_SCORE && got.score == .5);
    judge(&t, "iron copper", answers, 2);
    HONE_CHECK(got.status == HONE_SCORE && got.n_ranking == 2 && first == 1);
    judge(&t, "", answers, 1);
    HONE_CHECK(got.status == HONE_ABSTAIN);
    hone_test_end(&t);
    return hone_test_result();
}
