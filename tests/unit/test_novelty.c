/* test_novelty.c - ROUGE-L against a plain table of the longest common subsequence, on random texts of all lengths; what the bounds leave
 * out could not have reached the limit; every allocation failed. */
#include "base/alloc.h"
#include "curate/novelty.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXTS = 160, WORDS = 200 };

typedef struct sample {
    int word[WORDS];
    size_t n;
    char text[WORDS * 8];
} sample;

static uint64_t draw;

static uint32_t below(uint32_t n)
{
    draw = draw * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(draw >> 33) % n;
}

static void write_words(sample *s)
{
    size_t at = 0;
    s->text[0] = 0;
    for (size_t i = 0; i < s->n; i++)
        at += (size_t)snprintf(s->text + at, sizeof s->text - at, i % 7 ? "W%d, " : "w%d\n",
                               s->word[i]);
}

/* Texts of few or many different words; half of them are others with some words changed. */
static void make(sample *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t different = i % 3 ? 400 : 12;
        if (i > 4 && below(2)) {
            s[i] = s[below((uint32_t)i)];
            for (uint32_t k = below(12); s[i].n && k > 0; k--)
                s[i].word[below((uint32_t)s[i].n)] = (int)below(different);
        } else {
            s[i].n = i % 5 ? below(40) : below(WORDS);
            for (size_t k = 0; k < s[i].n; k++)
                s[i].word[k] = (int)below(different);
        }
        write_words(&s[i]);
    }
}

static double naive(const sample *a, const sample *b)
{
    static size_t row[2][WORDS + 1];
    memset(row, 0, sizeof row);
    for (size_t i = 1; i <= a->n; i++)
        for (size_t k = 1; k <= b->n; k++) {
            size_t *now = row[i & 1];
            const size_t *before = row[(i - 1) & 1];
            now[k] = a->word[i - 1] == b->word[k - 1] ? before[k - 1] + 1
                     : before[k] > now[k - 1]         ? before[k]
                                                      : now[k - 1];
        }
    return a->n + b->n ? 2.0 * (double)row[a->n & 1][b->n] / (double)(a->n + b->n) : 0;
}

static void test_the_most_alike_is_the_one_of_a_plain_table(void **state)
{
    static const double limits[] = {0, .3, .5, .7, .9, 1};
    static sample s[TEXTS];
    hone_novelty *n = NULL;
    size_t found = 0;
    (void)state;
    make(s, TEXTS);
    assert_int_equal(hone_novelty_create(&n), HONE_OK);
    for (size_t i = 0; i < TEXTS; i++) {
        for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
            size_t which = 7, want = HONE_NOVELTY_NONE;
            double score = -1, best = 0;
            for (size_t j = 0; j < i; j++) {
                const double x = naive(&s[i], &s[j]);
                if (x > best + 1e-15 && x >= limits[k]) {
                    best = x;
                    want = j;
                }
            }
            assert_int_equal(hone_novelty_look(n, hone_str_c(s[i].text), limits[k], &which, &score),
                             HONE_OK);
            assert_true(fabs(score - best) < 1e-12);
            assert_int_equal(which, want);
            found += which != HONE_NOVELTY_NONE;
        }
        assert_int_equal(hone_novelty_add(n, hone_str_c(s[i].text)), HONE_OK);
    }
    assert_true(found > 300);
    assert_int_equal(hone_novelty_count(n), TEXTS);
    hone_novelty_destroy(n);
}

static void test_bounds_leave_out_most_and_nothing_that_counts(void **state)
{
    static sample s[TEXTS];
    hone_novelty *n = NULL;
    size_t which;
    double score;
    (void)state;
    make(s, TEXTS);
    assert_int_equal(hone_novelty_create(&n), HONE_OK);
    for (size_t i = 0; i < TEXTS; i++) {
        assert_int_equal(hone_novelty_look(n, hone_str_c(s[i].text), .7, &which, &score), HONE_OK);
        assert_int_equal(hone_novelty_add(n, hone_str_c(s[i].text)), HONE_OK);
    }
    assert_true(hone_novelty_compared(n) < (uint64_t)TEXTS * TEXTS / 6);
    hone_novelty_destroy(n);
}

static void test_case_marks_and_scripts(void **state)
{
    hone_novelty *n = NULL;
    size_t which;
    double score;
    (void)state;
    assert_int_equal(hone_novelty_create(&n), HONE_OK);
    assert_int_equal(hone_novelty_look(n, hone_str_c("nothing is there"), .1, &which, &score),
                     HONE_OK);
    assert_true(which == HONE_NOVELTY_NONE && score == 0);
    assert_int_equal(hone_novelty_add(n, hone_str_c("")), HONE_OK);
    assert_int_equal(hone_novelty_add(n, hone_str_c("Write a poem, please!")), HONE_OK);
    assert_int_equal(hone_novelty_add(n, hone_str_c("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E")),
                     HONE_OK);
    assert_int_equal(hone_novelty_look(n, hone_str_c("WRITE  a... poem please"), 1, &which, &score),
                     HONE_OK);
    assert_true(which == 1 && score == 1);
    assert_int_equal(
        hone_novelty_look(n, hone_str_c("\xE6\x97\xA5\xE6\x9C\xAC"), .7, &which, &score), HONE_OK);
    assert_true(which == 2 && fabs(score - .8) < 1e-12);
    assert_int_equal(hone_novelty_look(n, hone_str_c(" ,.! "), 0, &which, &score), HONE_OK);
    assert_true(which == HONE_NOVELTY_NONE);
    assert_int_equal(hone_novelty_look(n, hone_str_c("a"), 1.5, &which, &score), HONE_E_USAGE);
    hone_novelty_destroy(n);
}

static void test_every_allocation_may_fail(void **state)
{
    static sample s[24];
    (void)state;
    make(s, 24);
    for (size_t fail = 1;; fail++) {
        hone_novelty *n = NULL;
        size_t which = 99;
        double score = -1;
        hone_alloc_fail_after(fail, 1);
        hone_status st = hone_novelty_create(&n);
        for (size_t i = 0; st >= 0 && i < 24; i++) {
            st = hone_novelty_look(n, hone_str_c(s[i].text), .5, &which, &score);
            if (st >= 0)
                st = hone_novelty_add(n, hone_str_c(s[i].text));
        }
        hone_alloc_fail_after(0, 0);
        if (n) { /* it is whole, whatever failed */
            assert_int_equal(hone_novelty_look(n, hone_str_c(s[0].text), 1, &which, &score),
                             HONE_OK);
            assert_int_equal(hone_novelty_add(n, hone_str_c(s[1].text)), HONE_OK);
        }
        hone_novelty_destroy(n);
        if (st >= 0)
            break;
        assert_int_equal(st, HONE_E_NOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_most_alike_is_the_one_of_a_plain_table),
        cmocka_unit_test(test_bounds_leave_out_most_and_nothing_that_counts),
        cmocka_unit_test(test_case_marks_and_scripts),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
