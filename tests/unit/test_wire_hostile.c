/* The marshaller against a side that lies: spoiled calls and results are refused or harmless, and named. */
#include "support.h"

#include "../fuzz/wire_cases.h"
#include "base/rng.h"

/* ---- every 8 bytes of a call and its result, replaced by what hurts ------------------------------- */

struct word {
    size_t at;
    uint64_t value;
    int result, done;
};

static void put_word(void *ctx, int result, unsigned char *bytes, size_t len)
{
    struct word *w = ctx;
    if (result != w->result)
        return;
    if (w->at + 8 > len) {
        w->done = 1;
        return;
    }
    memcpy(bytes + w->at, &w->value, 8);
}

static void test_every_word_of_a_call_may_lie(void **state)
{
    static const uint64_t values[] = {0,
                                      1,
                                      3,
                                      64,
                                      0x7FFFFFFF,
                                      0xFFFFFFFF,
                                      0x100000001ull,
                                      INT64_MAX,
                                      UINT64_MAX,
                                      UINT64_MAX - 7,
                                      0x2000000000000000ull,
                                      0xFFF8000000000000ull};
    (void)state;
    for (int result = 0; result < 2; result++)
        for (unsigned which = 0; which < WIRE_CASES; which++) {
            size_t refused = 0;
            for (size_t at = 0;; at += 8) {
                struct word w = {at, 0, result, 0};
                wire_case c = {.spoil = put_word, .ctx = &w};
                for (size_t v = 0; v < sizeof values / sizeof *values && !w.done; v++) {
                    w.value = values[v];
                    wire_case_run(&c, which);
                    refused += c.get < 0 || c.take < 0;
                }
                if (w.done || (result && at > 1600)) /* the rest of the place is empty */
                    break;
            }
            assert_true(refused > 20);
        }
}

static void put_random(void *ctx, int result, unsigned char *bytes, size_t len)
{
    static const hone_rng_key key = {.seed = 1, .purpose = HONE_RNG_USER};
    uint64_t *i = ctx;
    if (result && len > 1600)
        len = 1600;
    for (size_t k = hone_rng_below(&key, (*i)++, 5); k > 0; k--) {
        size_t at = hone_rng_below(&key, (*i)++, len);
        bytes[at] = (unsigned char)hone_rng_u32(&key, (*i)++);
    }
}

static void test_random_bytes_do_no_harm(void **state)
{
    (void)state;
    uint64_t drawn = 0;
    wire_case c = {.spoil = put_random, .ctx = &drawn};
    for (unsigned i = 0; i < 6000; i++)
        wire_case_run(&c, i);
}

/* ---- particular lies, by name -------------------------------------------------------------------- */

static void nothing(void *ctx, int result, unsigned char *bytes, size_t len)
{
    (void)ctx, (void)result, (void)bytes, (void)len;
}

static void assert_refused(unsigned which, void (*spoil)(void *, int, unsigned char *, size_t),
                           const char *text)
{
    wire_case c = {.spoil = nothing};
    wire_case_run(&c, which);
    assert_ok(c.get);
    assert_ok(c.take);
    c.spoil = spoil;
    wire_case_run(&c, which);
    hone_status s = c.get < 0 ? c.get : c.take;
    if (s != HONE_E_MISBEHAVED)
        fail_msg("%d instead of E_MISBEHAVED for: %s", (int)s, text);
    if (!strstr(hone_error_get()->what, text))
        fail_msg("%s\n  does not say: %s", hone_error_get()->what, text);
}

/* Offsets in a call of reward.score: head 64, then 16 bytes an argument; samples begin after the call record. */
enum { ARGS = 64, CALL_AT = ARGS + 8 * 16, SAMPLES = CALL_AT + sizeof(hone_call) };

static void store(unsigned char *bytes, size_t at, uint64_t v)
{
    memcpy(bytes + at, &v, 8);
}
static void huge_count(void *ctx, int result, unsigned char *b, size_t len)
{
    (void)ctx, (void)len;
    if (!result)
        store(b, ARGS + 3 * 16, UINT64_MAX / 112 + 2); /* n * 112 overflows to something small */
}
static void huge_columns(void *ctx, int result, unsigned char *b, size_t len)
{
    (void)ctx, (void)len;
    if (!result)
        store(b, SAMPLES + offsetof(hone_sample, n_columns), 1000);
}
static void far_text(void *ctx, int result, unsigned char *b, size_t len)
{
    (void)ctx;
    if (!result)
        store(b, SAMPLES + offsetof(hone_sample, completion), len);
}
static void no_text(void *ctx, int result, unsigned char *b, size_t len)
{
    (void)ctx, (void)len;
    if (!result)
        store(b, SAMPLES + offsetof(hone_sample, completion), 0);
}
static void odd_tokens(void *ctx, int result, unsigned char *b, size_t len)
{
    uint64_t at;
    (void)ctx, (void)len;
    memcpy(&at, b + SAMPLES + offsetof(hone_sample, tokens), 8);
    if (!result)
        store(b, SAMPLES + offsetof(hone_sample, tokens), at + 1);
}
static void other_stride(void *ctx, int result, unsigned char *b, size_t len)
{
    (void)ctx, (void)len;
    if (!result)
        store(b, ARGS + 4 * 16, 8);
}
/* A map that is its own only element, by an offset into itself. */
static void endless_value(void *ctx, int result, unsigned char *b, size_t len)
{
    uint64_t columns, pair;
    (void)ctx, (void)len;
    if (result)
        return;
    memcpy(&columns, b + SAMPLES + offsetof(hone_sample, columns), 8);
    memcpy(&pair, b + columns + offsetof(hone_column, value.u), 8);
    hone_value self = {.type = HONE_MAP};
    memcpy(&self.u, &pair, 8);
    self.u.map.n = 1;
    memcpy(b + pair + offsetof(hone_pair, value), &self, sizeof self);
}
static void cut_result(void *ctx, int result, unsigned char *b, size_t len)
{
    (void)ctx;
    if (result)
        store(b, 24, len + 16); /* end */
}
static void wrong_sink(void *ctx, int result, unsigned char *b, size_t len)
{
    (void)ctx, (void)len;
    const uint32_t code = 0x80000000u | 3u << 16;
    if (result)
        memcpy(b + 256 + 4, &code, 4); /* the first record's */
}

static void test_lies_are_named(void **state)
{
    (void)state;
    assert_refused(0, huge_count, "in: lies outside the message");
    assert_refused(0, huge_columns, "columns: lies outside");
    assert_refused(0, far_text, "completion: lies outside");
    assert_refused(0, no_text, "completion: has a length and no bytes");
    assert_refused(0, odd_tokens, "tokens: is not aligned");
    assert_refused(0, other_stride, "a stride is not that of this description");
    assert_refused(0, endless_value, "value: is pointed at too often");
    assert_refused(0, cut_result, "its length is not possible");
    assert_refused(0, wrong_sink, "call none of its sinks");
}

static void changed_count(void *ctx, int result, unsigned char *b, size_t len)
{
    uint64_t at;
    (void)ctx, (void)len;
    if (!result)
        return;
    memcpy(&at, b + 112 + 2 * 8, 8); /* where the returned hone_objective_out begins */
    store(b, at + offsetof(hone_objective_out, n_tokens), 1000000);
}
static void positive_status(void *ctx, int result, unsigned char *b, size_t len)
{
    (void)ctx, (void)len;
    if (result)
        store(b, 40, 5);
}

static void test_returns_cannot_change_what_is_the_callers(void **state)
{
    (void)state;
    assert_refused(2, changed_count, "a count of the caller's was changed");
    assert_refused(3, positive_status, "a status above 0");
}

/* ---- memory ------------------------------------------------------------------------------------ */

static void test_no_memory_leaks_nothing(void **state)
{
    size_t blocks, bytes, after, more;
    (void)state;
    hone_alloc_stats(&blocks, &bytes);
    for (unsigned which = 0; which < WIRE_CASES; which++) {
        const hone_iface_desc *d = hone_desc_builtins()[which];
        for (uint64_t n = 1;; n++) {
            hone_wire *w = NULL;
            hone_alloc_fail_after(n, 1);
            hone_status s = hone_wire_open(d, NULL, &w);
            hone_alloc_fail_after(0, 0);
            hone_wire_close(w);
            if (s >= 0)
                break;
            assert_int_equal(s, HONE_E_NOMEM);
            assert_null(w);
        }
    }
    hone_alloc_stats(&after, &more);
    assert_int_equal(after, blocks);
}

/* Memory fails while the callee reads and while the caller takes: a failure, and nothing is left behind. */
static uint64_t nth;
static void fail_from_here(void *ctx, int result, unsigned char *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
    if (!result)
        hone_alloc_fail_after(nth, 1);
}

static void test_no_memory_on_the_way(void **state)
{
    size_t blocks, bytes, after, more;
    (void)state;
    for (unsigned which = 0; which < WIRE_CASES; which++)
        for (nth = 1;; nth++) {
            wire_case c = {.spoil = fail_from_here};
            hone_alloc_stats(&blocks, &bytes);
            wire_case_run(&c, which);
            hone_alloc_fail_after(0, 0);
            hone_alloc_stats(&after, &more);
            assert_int_equal(after, blocks);
            if (c.get >= 0 && c.take >= 0)
                break;
            assert_true(c.get == HONE_E_NOMEM || c.take == HONE_E_NOMEM);
            assert_true(nth < 100);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_word_of_a_call_may_lie),
        cmocka_unit_test(test_random_bytes_do_no_harm),
        cmocka_unit_test(test_lies_are_named),
        cmocka_unit_test(test_returns_cannot_change_what_is_the_callers),
        cmocka_unit_test(test_no_memory_leaks_nothing),
        cmocka_unit_test(test_no_memory_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
