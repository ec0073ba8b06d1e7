/* test_http_policy.c - when requests are sent and sent again (host/http_policy.h), at times made up here. */
#include "support.h"

#include "host/http_policy.h"

#include <math.h>

#define S UINT64_C(1000000000)

static hone_str str(const char *z)
{
    return hone_str_c(z);
}

static void test_a_policy_fills_in_what_is_not_given(void **state)
{
    (void)state;
    hone_http_policy p = hone__http_policy_of(NULL);
    assert_int_equal(p.tries, 5);
    assert_int_equal(p.concurrency, 64);
    assert_int_equal(p.max_body, 16 << 20);
    assert_true(p.max_sends == UINT64_MAX && p.rate <= 0 && p.burst >= 1);
    hone_http_policy given = {.struct_size = offsetof(hone_http_policy, concurrency),
                              .tries = 2,
                              .concurrency = 7}; /* of an older SDK, whose struct ended before it */
    p = hone__http_policy_of(&given);
    assert_int_equal(p.tries, 2);
    assert_int_equal(p.concurrency, 64);
    given = (hone_http_policy){.struct_size = sizeof given, .rate = (double)NAN, .burst = -3};
    p = hone__http_policy_of(&given);
    assert_true(p.rate <= 0 && p.burst >= 1);
    given.rate = 8;
    assert_true(hone__http_policy_of(&given).burst >= 8);
}

static void test_retry_after_in_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int ok;
        uint64_t ms;
    } rows[] = {{"0", 1, 0},
                {"7", 1, 7000},
                {" 120\t", 1, 120000},
                {"99999999999999999999999999", 1, 1000000000000},
                {"", 0, 5},
                {" ", 0, 5},
                {"-1", 0, 5},
                {"1.5", 0, 5},
                {"7s", 0, 5},
                {"soon", 0, 5},
                {"0x10", 0, 5}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ms = 5;
        int ok = hone__http_retry_after(str(rows[i].text), str(""), 0, &ms);
        if (ok != rows[i].ok || ms != rows[i].ms)
            fail_msg("%s: %d, %llu ms", rows[i].text, ok, (unsigned long long)ms);
    }
}

static void test_the_three_dates_of_http(void **state)
{
    (void)state;
    const int64_t when = 784111777; /* RFC 9110, 5.6.7 */
    static const char *const same[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    int64_t t;
    for (size_t i = 0; i < 3; i++) {
        assert_true(hone__http_date(str(same[i]), when, &t));
        assert_int_equal(t, when);
    }
    /* a year of two digits is not more than 50 years ahead */
    assert_true(hone__http_date(str("Monday, 01-Jan-40 00:00:00 GMT"), 1800000000, &t));
    assert_int_equal(t, 2208988800);
    assert_true(hone__http_date(str("Monday, 01-Jan-90 00:00:00 GMT"), 1800000000, &t));
    assert_int_equal(t, 631152000);
    assert_true(hone__http_date(str("Tue, 29 Feb 2028 23:59:60 GMT"), 0, &t));
    assert_int_equal(t, 1835481600);
    static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    for (size_t i = 0; i < 7; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s, 06-Nov-94 08:49:37 GMT", days[i]);
        assert_true(hone__http_date(str(text), when, &t));
    }
    static const char *const none[] = {"",
                                       "Sun",
                                       "Sun, ",
                                       "Sun, 06 Nov 1994 08:49:37",
                                       "Sun, 06 Nov 1994 08:49:37 GMT+1",
                                       "Sun, 6 Nov 1994 08:49:37 GMT",
                                       "Sun, 00 Nov 1994 08:49:37 GMT",
                                       "Sun, 32 Nov 1994 08:49:37 GMT",
                                       "Sun, 06 Now 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 24:49:37 GMT",
                                       "Sun, 06 Nov 1994 08:60:37 GMT",
                                       "Sun, 06 Nov 1994 08:49:61 GMT",
                                       "Sun, 06 Nov 1894 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37",
                                       "Foo, 06 Nov 1994 08:49:37 GMT",
                                       "Sundy, 06-Nov-94 08:49:37 GMT"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (hone__http_date(str(none[i]), 0, &t))
            fail_msg("%s is taken as %lld", none[i], (long long)t);
}

static void test_a_date_counts_from_the_servers_own(void **state)
{
    (void)state;
    uint64_t ms = 9;
    const hone_str then = str("Sun, 06 Nov 1994 08:49:37 GMT");
    assert_true(hone__http_retry_after(then, str("Sun, 06 Nov 1994 08:49:07 GMT"), 0, &ms));
    assert_int_equal(ms, 30000);
    assert_true(hone__http_retry_after(then, str("nonsense"), 784111777 - 5, &ms));
    assert_int_equal(ms, 5000);
    assert_true(hone__http_retry_after(then, str(""), 784111777 + 5, &ms));
    assert_int_equal(ms, 0);
    assert_true(hone__http_retry_after(str("Sun, 06 Nov 3988 08:49:37 GMT"), then, 0, &ms));
    assert_int_equal(ms, 1000000000000);
}

static void test_pauses_double_and_differ(void **state)
{
    (void)state;
    hone_http_policy given = {
        .struct_size = sizeof given, .backoff_ms = 100, .backoff_max_ms = 1000};
    const hone_http_policy p = hone__http_policy_of(&given);
    uint64_t least = 0;
    size_t differ = 0;
    for (uint32_t k = 1; k < 40; k++) {
        const uint64_t full = k < 5 ? 100u << (k - 1) : 1000;
        for (uint64_t request = 0; request < 50; request++) {
            const uint64_t ms = hone__http_backoff_ms(&p, request, k);
            assert_true(ms >= full / 2 && ms <= full);
            assert_int_equal(ms, hone__http_backoff_ms(&p, request, k));
            differ += ms != hone__http_backoff_ms(&p, request + 1, k);
            least += ms < full * 6 / 10;
        }
    }
    assert_true(differ > 39 * 50 * 9 / 10);
    assert_true(least > 39 * 50 / 10 && least < 39 * 50 / 3);
}

static void test_a_bucket_lets_its_rate_pass(void **state)
{
    (void)state;
    hone_http_policy given = {.struct_size = sizeof given, .rate = 4, .burst = 2};
    const hone_http_policy p = hone__http_policy_of(&given);
    hone__http_bucket b = {0};
    uint64_t now = 50 * S;
    size_t passed = 0;
    while (now < 60 * S) {
        const uint64_t wait = hone__http_bucket_wait(&b, &p, now);
        if (wait) {
            now += wait;
            continue;
        }
        hone__http_bucket_take(&b);
        passed++;
    }
    assert_true(passed >= 41 && passed <= 42); /* two at once, then four a second */
    now += 1000 * S;
    for (int i = 0; i < 2; i++) {
        assert_true(hone__http_bucket_wait(&b, &p, now) == 0);
        hone__http_bucket_take(&b);
    }
    const uint64_t wait = hone__http_bucket_wait(&b, &p, now);
    assert_true(wait > S / 4 - 1000 && wait < S / 4 + 1000);
    given.rate = 0;
    const hone_http_policy free_ = hone__http_policy_of(&given);
    assert_true(hone__http_bucket_wait(&b, &free_, now) == 0);
}

static void test_a_breaker_opens_probes_closes_and_gives_up(void **state)
{
    (void)state;
    hone_http_policy given = {.struct_size = sizeof given, .break_after = 3, .break_ms = 1000};
    const hone_http_policy p = hone__http_policy_of(&given);
    hone__http_breaker b = {0};
    uint64_t now = S;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hone__http_breaker_begin(&b), 0);
        assert_int_equal(hone__http_breaker_end(&b, &p, 0, 1, now), 0);
    }
    assert_int_equal(hone__http_breaker_end(&b, &p, 0, 0, now), 0); /* a success: it begins anew */
    for (int i = 0; i < 2; i++)
        assert_int_equal(hone__http_breaker_end(&b, &p, 0, 1, now), 0);
    assert_int_equal(hone__http_breaker_end(&b, &p, 0, 1, now), 1);
    assert_true(hone__http_breaker_wait(&b, now) == S);
    assert_int_equal(hone__http_breaker_end(&b, &p, 0, 1, now), 0); /* was under way */
    assert_true(hone__http_breaker_wait(&b, now) == S);
    for (uint32_t k = 2; k <= HONE__HTTP_OPENINGS; k++) {
        now += hone__http_breaker_wait(&b, now);
        assert_false(hone__http_breaker_gave_up(&b, now));
        assert_true(hone__http_breaker_wait(&b, now) == 0);
        assert_int_equal(hone__http_breaker_begin(&b), 1);
        assert_true(hone__http_breaker_wait(&b, now) == HONE__HTTP_NEVER); /* one at a time */
        hone__http_breaker_undo(&b, 1);
        assert_int_equal(hone__http_breaker_begin(&b), 1);
        assert_int_equal(hone__http_breaker_end(&b, &p, 1, 1, now), 1);
        assert_true(hone__http_breaker_wait(&b, now) == (S << (k - 1))); /* twice as long */
    }
    assert_true(hone__http_breaker_gave_up(&b, now));
    now += hone__http_breaker_wait(&b, now);
    assert_false(hone__http_breaker_gave_up(&b, now)); /* asked again later */
    assert_int_equal(hone__http_breaker_begin(&b), 1);
    assert_int_equal(hone__http_breaker_end(&b, &p, 1, 0, now), 0);
    assert_true(hone__http_breaker_wait(&b, now) == 0 && b.opened == 0);
}

static void test_codes(void **state)
{
    (void)state;
    for (uint32_t code = 100; code < 600; code++) {
        const int broken = code == 500 || code == 502 || code == 503 || code == 504 || code == 529;
        assert_int_equal(hone__http_broken(code), broken);
        assert_int_equal(hone__http_passes(code),
                         broken || code == 408 || code == 425 || code == 429);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_policy_fills_in_what_is_not_given),
        cmocka_unit_test(test_retry_after_in_seconds),
        cmocka_unit_test(test_the_three_dates_of_http),
        cmocka_unit_test(test_a_date_counts_from_the_servers_own),
        cmocka_unit_test(test_pauses_double_and_differ),
        cmocka_unit_test(test_a_bucket_lets_its_rate_pass),
        cmocka_unit_test(test_a_breaker_opens_probes_closes_and_gives_up),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
