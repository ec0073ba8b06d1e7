/* test.c - @name@ under the SDK's test host. */
#include "hone/environment.h"
#include "hone/testing.h"

static const hone_call call = {sizeof(hone_call), 1, 1, 0, NULL};
static hone_observation got;
static char said[64];

static hone_status put(const hone_observation_sink *sink, size_t item, const hone_observation *o)
{
    (void)sink;
    HONE_CHECK(item == 0 && o->text.len < sizeof said);
    got = *o;
    memset(said, 0, sizeof said);
    if (o->text.len)
        memcpy(said, o->text.ptr, o->text.len); /* borrowed: copied before it goes */
    return HONE_OK;
}

static const hone_observation_sink sink = {sizeof(hone_observation_sink), 0, NULL, put};

static void step(hone_test *t, const hone_environment_v1 *e, uint64_t id, const char *text)
{
    hone_action a = {.id = id, .turn = 1};
    a.text = hone_str_c(text);
    HONE_CHECK(e->step(t->self, &call, &a, 1, sizeof a, &sink) == HONE_OK);
}

int main(void)
{
    hone_test t;
    if (!hone_test_begin(&t, "@name@", NULL))
        return hone_test_result();
    const hone_environment_v1 *e = hone_test_iface(&t, HONE_IFACE_ENVIRONMENT);
    if (HONE_CHECK(e != NULL)) {
        const uint64_t id = 7;
        hone_episode begin = {.id = id, .seed = 4}; /* the number is 5 */
        HONE_CHECK(e->reset(t.self, &call, &begin, 1, sizeof begin, &sink) == HONE_OK);
        HONE_CHECK(got.status == HONE_EPISODE_ON && strcmp(said, "Guess my number: ") == 0);
        step(&t, e, id, "3");
        HONE_CHECK(got.status == HONE_EPISODE_ON && strcmp(said, " higher: ") == 0);
        step(&t, e, id, "it is 5");
        HONE_CHECK(got.status == HONE_EPISODE_DONE && got.reward == 1);
        HONE_CHECK(e->forget(t.self, &id, 1) == HONE_OK);
        step(&t, e, id, "5"); /* it is gone */
        HONE_CHECK(got.status == HONE_EPISODE_ERROR && got.reason.len > 0);
    }
    hone_test_end(&t);
    return hone_test_result();
}
