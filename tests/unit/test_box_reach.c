/* Call-backs of boxes as the host serves them: numbers, what is refused, bytes that lie. No process is needed. */
#include "support.h"

#include "../fuzz/box_cases.h"

static void nothing(void *ctx, int result, unsigned char *bytes, size_t len)
{
    (void)ctx, (void)result, (void)bytes, (void)len;
}

static void test_genuine_call_backs_are_answered(void **state)
{
    box_host h;
    box_case c = {.w = {.spoil = nothing}, .h = &h};
    (void)state;
    box_open(&h);
    for (unsigned which = 0; which < WIRE_CASES; which++) {
        box_case_run(&c, which);
        assert_ok(c.w.get);
        assert_ok(c.w.take);
    }
    assert_int_equal(h.p.n_reached, 5); /* each once, however often it was asked for */
    box_close(&h);
}

static void test_numbers_are_those_that_were_given(void **state)
{
    box_host h;
    (void)state;
    box_open(&h);
    assert_fails(box_ask(&h, HONE__BOX_ASK_CALL, 0, "", 0), HONE_E_MISBEHAVED,
                 "interface number 0, which it was not given");
    assert_int_equal(box_number(&h, NULL), 0);
    assert_int_equal(box_number(&h, HONE_IFACE_REWARD), 1);
    assert_int_equal(box_number(&h, NULL), 0);
    assert_int_equal(box_number(&h, HONE_IFACE_TOKENIZER), 2);
    assert_int_equal(box_number(&h, HONE_IFACE_REWARD), 1);
    assert_fails(box_ask(&h, HONE__BOX_ASK_CALL, 3, "", 0), HONE_E_MISBEHAVED, "number 3");
    assert_fails(box_ask(&h, HONE__BOX_ASK_CALL, 0, "", 0), HONE_E_MISBEHAVED, "no call of it");
    assert_fails(box_ask(&h, 0, 0, "", 0), HONE_E_MISBEHAVED, "of kind 0");
    box_done(&h)->ask_len = HONE__BOX_ASK_ROOM + 1;
    box_done(&h)->ask_kind = HONE__BOX_ASK_IFACE;
    assert_fails(hone__reach_serve(&h.p, &h.b), HONE_E_MISBEHAVED, "a call-back of");
    box_close(&h);
}

static void test_what_cannot_be_reached_is_refused_by_name(void **state)
{
    static const struct {
        const char *id, *text;
    } no[] = {{HONE_IFACE_LIVE, "hone.live/1 cannot be reached from a box: it takes or gives what "
                                "cannot leave the process: apply"},
              {"com.acme.unheard/1", "com.acme.unheard/1 cannot be reached from a box: nobody "
                                     "here has a description of it"},
              {"com.acme.nothing/1", "no interface \"com.acme.nothing/1\""},
              {HONE_IFACE_RNG, "hone.rng/1 cannot be reached"}};
    char large[300];
    box_host h;
    (void)state;
    box_open(&h);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        assert_int_equal(box_number(&h, no[i].id), -1);
        assert_non_null(strstr(hone_error_get()->what, no[i].text));
    }
    memset(large, 'x', sizeof large);
    assert_ok(box_ask(&h, HONE__BOX_ASK_IFACE, 0, large, sizeof large));
    assert_int_equal(box_bell(&h)->answer, HONE_E_INVALID);
    assert_ok(box_ask(&h, HONE__BOX_ASK_SETTING, 1, "", 0)); /* a number is no component */
    assert_int_equal(box_bell(&h)->answer, HONE_E_NOT_FOUND);
    assert_ok(box_ask(&h, HONE__BOX_ASK_SETTING, 2, "", 0)); /* there are two settings */
    assert_int_equal(box_bell(&h)->answer, HONE_E_NOT_FOUND);
    assert_int_equal(h.p.n_reached, 0);
    box_close(&h);
}

/* ---- bytes that lie -------------------------------------------------------------------------------- */

struct word {
    size_t at;
    uint64_t value;
    int done;
};
static void put_word(void *ctx, int result, unsigned char *bytes, size_t len)
{
    struct word *w = ctx;
    (void)result;
    if (w->at + 8 > len)
        w->done = 1;
    else
        memcpy(bytes + w->at, &w->value, 8);
}

static void test_every_word_of_a_call_back_may_lie(void **state)
{
    static const uint64_t values[] = {0,
                                      1,
                                      64,
                                      0x7FFFFFFF,
                                      0xFFFFFFFF,
                                      INT64_MAX,
                                      UINT64_MAX,
                                      UINT64_MAX - 7,
                                      0x2000000000000000ull};
    box_host h;
    (void)state;
    box_open(&h);
    for (unsigned which = 0; which < WIRE_CASES; which++) {
        size_t refused = 0;
        struct word w = {0, 0, 0};
        for (; !w.done; w.at += 8)
            for (size_t v = 0; v < sizeof values / sizeof *values && !w.done; v++) {
                box_case c = {.w = {.spoil = put_word, .ctx = &w}, .h = &h};
                w.value = values[v];
                box_case_run(&c, which);
                refused += c.w.get < 0;
                assert_true(c.w.get >= 0 || hone_error_get()->what[0]);
            }
        assert_true(refused > 20);
    }
    box_close(&h);
}

static hone_status seen_call(void *self, const hone_call *call, const hone_judge_item *items,
                             size_t n, size_t stride, const hone_verdict_sink *sink)
{
    hone_call *seen = self;
    (void)items, (void)n, (void)stride, (void)sink;
    *seen = *call;
    return HONE_OK;
}

static void test_a_call_back_has_the_time_of_its_call(void **state)
{
    static const hone_judge_v1 vt = {.struct_size = sizeof vt, .judge = seen_call};
    static const uint64_t given[] = {0, 500, 2000}, got[] = {1000, 500, 1000};
    static const uint32_t cancelled = 1;
    hone_call seen;
    box_host h;
    hone_wire *wire;
    hone_judge_item item = {.id = 1};
    const hone_judge_item *items = &item;
    const hone_verdict_sink sink = {sizeof sink, 0, NULL, NULL}, *sp = &sink;
    size_t n = 1, stride = sizeof item, len, fixed;
    void *self = NULL;
    (void)state;
    box_open(&h);
    assert_ok(hone_registry_offer_ref(h.reg, HONE_IFACE_JUDGE, (hone_ref){&seen, &vt}));
    assert_ok(hone_wire_open(hone_desc_builtin(HONE_IFACE_JUDGE), NULL, &wire));
    h.b.deadline_ns = 1000;
    h.b.cancelled = &cancelled;
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        const hone_call mine = {sizeof mine, 1, 3, given[i], NULL}, *call = &mine;
        void *args[] = {&self, &call, &items, &n, &stride, &sp};
        const int number = box_number(&h, HONE_IFACE_JUDGE);
        const hone_wire_place to = {h.b.out + HONE__BOX_ASK_AT, WIRE_ROOM, 0};
        assert_ok(hone_wire_put(wire->slots[0], 1, args, &to, &len, &fixed));
        assert_ok(box_ask(&h, HONE__BOX_ASK_CALL, (uint32_t)number, NULL, len));
        assert_true(seen.deadline_ns == got[i]);
        assert_ptr_equal(seen.cancelled, &cancelled);
    }
    hone_wire_close(wire);
    box_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genuine_call_backs_are_answered),
        cmocka_unit_test(test_numbers_are_those_that_were_given),
        cmocka_unit_test(test_what_cannot_be_reached_is_refused_by_name),
        cmocka_unit_test(test_every_word_of_a_call_back_may_lie),
        cmocka_unit_test(test_a_call_back_has_the_time_of_its_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
