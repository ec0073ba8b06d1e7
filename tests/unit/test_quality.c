/* test_quality.c - what each rule measures, by hand, and where its limit lies. */
#include "curate/quality_private.h"
#include "support.h"

#include <math.h>

static hone_quality_scratch *scratch;

static hone_quality_verdict look(const char *sets, const char *text)
{
    hone_quality q;
    hone_quality_verdict v;
    assert_int_equal(hone_quality_init(&q, sets, NULL, 0), HONE_OK);
    assert_int_equal(hone_quality_look(&q, hone_str_c(text), scratch, &v), HONE_OK);
    return v;
}

static void near_to(double a, double b)
{
    if (!(fabs(a - b) < 1e-12))
        fail_msg("%.17g, not %.17g", a, b);
}

static void test_gopher_measures(void **state)
{
    (void)state;
    /* nine words, 30 characters: The cat's well-fed 3 #tags and 12 be to */
    hone_quality_verdict v = look(
        "gopher", "The cat's well-fed 3 #tags, and 12...\n\xE2\x80\xA2 be to \xE2\x80\xA6\n");
    near_to(v.value[HONE__Q_MIN_WORDS], 9);
    near_to(v.value[HONE__Q_MIN_WORD_LENGTH], 30.0 / 9);
    near_to(v.value[HONE__Q_HASHES], 1.0 / 9);
    near_to(v.value[HONE__Q_ELLIPSES], 2.0 / 9);
    near_to(v.value[HONE__Q_BULLET_LINES], 0.5);
    near_to(v.value[HONE__Q_ELLIPSIS_LINES], 1);
    near_to(v.value[HONE__Q_ALPHABETIC], 7.0 / 9);
    near_to(v.value[HONE__Q_STOP_WORDS], 3); /* and, be, to: The is no stop word in capitals */
}

static void test_stop_words_count_once(void **state)
{
    (void)state;
    near_to(look("gopher", "the the the the dog").value[HONE__Q_STOP_WORDS], 1);
    near_to(look("gopher", "the cat and the dog, with that").value[HONE__Q_STOP_WORDS], 4);
    near_to(look("gopher", "-one\n- two\n* three\nfour").value[HONE__Q_BULLET_LINES], 3.0 / 4);
}

static void test_repetition_measures(void **state)
{
    (void)state;
    /* five lines, one of them twice more; 3 paragraphs, the first again */
    hone_quality_verdict v = look("gopher_repetition", "aa bb\n\ncc\ncc\n\naa bb");
    near_to(v.value[HONE__Q_DUP_LINES], 2.0 / 4);
    near_to(v.value[HONE__Q_DUP_LINE_CHARS], 7.0 / 19);
    near_to(v.value[HONE__Q_DUP_PARAGRAPHS], 1.0 / 3);
    near_to(v.value[HONE__Q_DUP_PARAGRAPH_CHARS], 5.0 / 19);
    /* "aa bb" twice: 2 x 5 characters; "cc" is no bigram; bb cc, cc cc, cc aa once */
    near_to(v.value[HONE__Q_TOP_2], 10.0 / 19);
    near_to(v.value[HONE__Q_TOP_3], 0);
    /* a 5-gram again, twice: 5 characters of 29 each, without its blanks, not counted for each of its places */
    v = look("gopher_repetition", "a b c d e a b c d e a b c d e");
    near_to(v.value[HONE__Q_DUP_5], 10.0 / 29);
    near_to(v.value[HONE__Q_DUP_10], 10.0 / 29);
    v = look("gopher_repetition", "a b c d e f");
    near_to(v.value[HONE__Q_DUP_5], 0);
}

static void test_c4_measures(void **state)
{
    (void)state;
    hone_quality_verdict v = look(
        "c4",
        "One is here. Two are here! Is this \"three?\"\nno end of it\nToo short.\nThis line trails "
        "off...\n"
        "Javascript must be on.\nWe and others use cookies here.\nLorem ipsum dolor is { here.");
    near_to(v.value[HONE__Q_SENTENCES], 4);
    /* what an encyclopedia puts behind a sentence does not hide its end */
    near_to(look("c4",
                 "Rome was not built then.[12][edit]\nNor was Paris.[citation needed]\nNor [this]")
                .value[HONE__Q_SENTENCES],
            2);
    near_to(v.value[HONE__Q_LOREM], 1);
    near_to(v.value[HONE__Q_CURLY], 1);
}

static void test_fineweb_measures(void **state)
{
    (void)state;
    hone_quality_verdict v = look(
        "fineweb",
        "A line that is longer than thirty characters.\nshort one\nshort one\n\"Said?\"");
    near_to(v.value[HONE__Q_PUNCTUATED], 0.5);
    near_to(v.value[HONE__Q_SHORT_LINES], 0.75);
    near_to(v.value[HONE__Q_DUP_CHARS], 9.0 / (45 + 9 + 9 + 7));
    near_to(v.value[HONE__Q_NEWLINES], 3.0 / 17);
}

static void test_characters_are_no_bytes(void **state)
{
    (void)state;
    hone_quality_verdict v = look("gopher", "\xC3\xA9\xC3\xA9\xC3\xA9 \xC3\xA9");
    near_to(v.value[HONE__Q_MIN_WORD_LENGTH], 2);
    near_to(v.value[HONE__Q_ALPHABETIC], 1);
}

static int fails(const hone_quality *q, const char *text, size_t rule)
{
    hone_quality_verdict v;
    assert_int_equal(hone_quality_look(q, hone_str_c(text), scratch, &v), HONE_OK);
    return v.failed >> rule & 1;
}

static void test_limits_are_in_or_out(void **state)
{
    static const char *const words[] = {"gopher.min_words=3", "max_words=4"};
    static const char *const lines[] = {"min_punctuated_lines=0.5", "max_short_lines=0.5"};
    hone_quality q;
    (void)state;
    assert_int_equal(hone_quality_init(&q, NULL, words, 2), HONE_OK);
    assert_true(fails(&q, "a b", HONE__Q_MIN_WORDS) && !fails(&q, "a b c", HONE__Q_MIN_WORDS));
    assert_true(fails(&q, "a b c d e", HONE__Q_MAX_WORDS) &&
                !fails(&q, "a b c d", HONE__Q_MAX_WORDS));
    assert_false(fails(&q, "a b c", HONE__Q_STOP_WORDS)); /* it is not on */
    assert_int_equal(hone_quality_init(&q, NULL, lines, 2),
                     HONE_OK); /* these are reasons when they are reached */
    assert_true(fails(&q, "a.\nb", HONE__Q_PUNCTUATED) &&
                !fails(&q, "a.\nb.\nc", HONE__Q_PUNCTUATED));
    assert_true(fails(&q, "a\nThis line is longer than thirty characters", HONE__Q_SHORT_LINES));
}

static void test_published_limits(void **state)
{
    /* Rae et al. 2021, A.1.1 and table A1; Raffel et al. 2020, 2.2; Penedo et al. 2024, 3.6 */
    static const struct {
        size_t rule;
        double limit;
    } want[] = {{HONE__Q_MIN_WORDS, 50},       {HONE__Q_MAX_WORDS, 100000},
                {HONE__Q_MIN_WORD_LENGTH, 3},  {HONE__Q_MAX_WORD_LENGTH, 10},
                {HONE__Q_HASHES, 0.1},         {HONE__Q_ELLIPSES, 0.1},
                {HONE__Q_BULLET_LINES, 0.9},   {HONE__Q_ELLIPSIS_LINES, 0.3},
                {HONE__Q_ALPHABETIC, 0.8},     {HONE__Q_STOP_WORDS, 2},
                {HONE__Q_DUP_LINES, 0.3},      {HONE__Q_DUP_PARAGRAPHS, 0.3},
                {HONE__Q_DUP_LINE_CHARS, 0.2}, {HONE__Q_DUP_PARAGRAPH_CHARS, 0.2},
                {HONE__Q_TOP_2, 0.2},          {HONE__Q_TOP_3, 0.18},
                {HONE__Q_TOP_4, 0.16},         {HONE__Q_DUP_5, 0.15},
                {HONE__Q_DUP_6, 0.14},         {HONE__Q_DUP_7, 0.13},
                {HONE__Q_DUP_8, 0.12},         {HONE__Q_DUP_9, 0.11},
                {HONE__Q_DUP_10, 0.10},        {HONE__Q_SENTENCES, 5},
                {HONE__Q_LINE_WORDS, 3},       {HONE__Q_WORD_CHARS, 1000},
                {HONE__Q_PUNCTUATED, 0.12},    {HONE__Q_SHORT_LINES, 0.67},
                {HONE__Q_DUP_CHARS, 0.1}};
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (hone_quality_rules[want[i].rule].limit != want[i].limit)
            fail_msg("%s: %g", hone_quality_rules[want[i].rule].name,
                     hone_quality_rules[want[i].rule].limit);
}

static void test_settings_that_mean_nothing(void **state)
{
    static const char *const bad[] = {"min_words",    "min_words=", "min_words=x",
                                      "min_words=5x", "nix=3",      "c4.min_words=3"};
    hone_quality q;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hone_quality_init(&q, "gopher", &bad[i], 1), HONE_E_USAGE);
    assert_int_equal(hone_quality_init(&q, "gopher,c5", NULL, 0), HONE_E_USAGE);
    assert_int_equal(hone_quality_init(&q, NULL, NULL, 0), HONE_E_USAGE);
}

static int make_scratch(void **state)
{
    (void)state;
    return hone_quality_scratch_create(&scratch);
}

static int drop_scratch(void **state)
{
    (void)state;
    hone_quality_scratch_destroy(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gopher_measures),
        cmocka_unit_test(test_stop_words_count_once),
        cmocka_unit_test(test_repetition_measures),
        cmocka_unit_test(test_c4_measures),
        cmocka_unit_test(test_fineweb_measures),
        cmocka_unit_test(test_characters_are_no_bytes),
        cmocka_unit_test(test_limits_are_in_or_out),
        cmocka_unit_test(test_published_limits),
        cmocka_unit_test(test_settings_that_mean_nothing),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
