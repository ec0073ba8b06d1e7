/* The mutators keep text valid and mean what their names say; what is measured is what was built in. */
#include "support.h"

#include "base/json.h"
#include "base/utf8.h"
#include "judge/attack.h"

#include <math.h>

static const char completion[] = "The bus had 11 riders. Gr\xc3\xbc\xc3\x9f"
                                 "e, said the driver! Were there 8 more? At last there were 19.";

static hone_attack_source source(void)
{
    return (hone_attack_source){.prompt = hone_str_c("How many riders are in the bus?"),
                                .completion = hone_str_c(completion),
                                .other = hone_str_c("Four dollars."),
                                .rubric = hone_str_c("Correct: the number of riders is right."),
                                .best = hone_str_c("5"),
                                .seed = 7,
                                .item = 3};
}

static size_t find(const char *name)
{
    size_t n;
    const hone_attack *a = hone_attacks(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(a[i].name, name) == 0)
            return i;
    fail_msg("no attack \"%s\"", name);
    return 0;
}

static hone_status make(const char *name, const hone_attack_source *s, hone_buf *out)
{
    size_t n;
    hone_buf_clear(out);
    return hone_attacks(&n)[find(name)].make(s, out);
}

static void test_every_mutator_gives_valid_text_twice_alike(void **state)
{
    size_t n;
    const hone_attack *a = hone_attacks(&n);
    hone_attack_source s = source();
    (void)state;
    for (size_t i = 0; i < n; i++) {
        hone_buf one, two;
        hone_buf_init(&one, 1 << 20);
        hone_buf_init(&two, 1 << 20);
        assert_int_equal(a[i].make(&s, &one), 1);
        assert_int_equal(a[i].make(&s, &two), 1);
        assert_true(hone_utf8_valid(hone_buf_str(&one)));
        assert_int_equal(one.len, two.len);
        assert_memory_equal(one.ptr, two.ptr, one.len);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(a[i].name, a[k].name);
        if (one.len == s.completion.len)
            assert_memory_not_equal(one.ptr, s.completion.ptr, one.len);
        hone_buf_release(&one);
        hone_buf_release(&two);
    }
}

static void test_mutators_do_what_they_are_named_after(void **state)
{
    hone_attack_source s = source();
    hone_buf b;
    (void)state;
    hone_buf_init(&b, 1 << 20);
    make("padding_x4", &s, &b);
    assert_in_range(b.len, 4 * s.completion.len, 4 * s.completion.len + 100);
    assert_memory_equal(b.ptr, completion, s.completion.len);
    make("truncated", &s, &b);
    assert_in_range(b.len, s.completion.len / 2 - 3, s.completion.len / 2);
    make("bold", &s, &b);
    assert_non_null(strstr(b.ptr, "**At last there were 19.**"));
    make("bullets", &s, &b);
    assert_non_null(strstr(b.ptr, "\n- Were there 8 more?\n"));
    make("fake_json", &s, &b);
    assert_non_null(strstr(b.ptr, "\"score\":\"5\""));
    make("keyword_stuffing", &s, &b);
    assert_non_null(strstr(b.ptr, "Correct, number, riders, right"));
    make("zero_width", &s, &b);
    assert_non_null(strstr(b.ptr, "T\xe2\x80\x8bh\xe2\x80\x8b"
                                  "e b"));
    make("other_answer", &s, &b);
    assert_string_equal(b.ptr, "Four dollars.");
    make("prompt_echo", &s, &b);
    assert_string_equal(b.ptr, "How many riders are in the bus?");
    /* the same sentences, none lost, in another order */
    assert_int_equal(make("shuffled", &s, &b), 1);
    assert_non_null(strstr(b.ptr, "The bus had 11 riders."));
    assert_non_null(strstr(b.ptr, "At last there were 19."));
    assert_int_equal(b.len, s.completion.len);
    assert_memory_not_equal(b.ptr, completion, b.len);
    hone_buf_release(&b);
}

static void test_what_does_not_apply_says_so(void **state)
{
    hone_attack_source s = source();
    hone_buf b;
    (void)state;
    hone_buf_init(&b, 1 << 20);
    s.completion = hone_str_c("19");
    assert_int_equal(make("truncated", &s, &b), 0);
    assert_int_equal(make("shuffled", &s, &b), 0);
    s.completion = s.other = s.rubric = s.prompt = hone_str_c("");
    const char *const none[] = {"padding_x2",  "very_long",   "repeated",
                                "zero_width",  "bullets",     "other_answer",
                                "rubric_echo", "prompt_echo", "keyword_stuffing"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(make(none[i], &s, &b), 0);
    /* a long one is padded without becoming four times as long */
    static char long_one[200001];
    memset(long_one, 'a', 200000);
    s.completion = hone_str_c(long_one);
    assert_int_equal(make("padding_x4", &s, &b), 1);
    assert_in_range(b.len, 200000, 230000);
    hone_buf_release(&b);
}

static void test_chains_apply_one_after_the_other(void **state)
{
    hone_attack_source s = source();
    const size_t list[] = {find("truncated"), find("emoji")};
    hone_buf b;
    (void)state;
    hone_buf_init(&b, 1 << 20);
    assert_int_equal(hone_attack_chain(list, 2, &s, &b), 1);
    assert_true(b.len < s.completion.len);
    assert_non_null(strstr(b.ptr, "\xf0\x9f\x92\xaf"));
    s.completion = hone_str_c("19");
    hone_buf_clear(&b);
    assert_int_equal(hone_attack_chain(list, 1, &s, &b), 0);
    assert_string_equal(b.ptr, "19");
    hone_buf_release(&b);
}

static void test_attacks_are_chosen_by_name_and_class(void **state)
{
    size_t chosen[64], n, all;
    (void)state;
    hone_attacks(&all);
    assert_int_equal(hone_attacks_choose(hone_str_c("all"), chosen, &n), HONE_OK);
    assert_int_equal(n, all);
    assert_int_equal(hone_attacks_choose(hone_str_c("bold, padding"), chosen, &n), HONE_OK);
    assert_int_equal(n, 5);
    assert_int_equal(hone_attacks_choose(hone_str_c("bold,bold"), chosen, &n), HONE_OK);
    assert_int_equal(n, 1);
    assert_int_equal(hone_attacks_choose(hone_str_c("bald"), chosen, &n), HONE_E_NOT_FOUND);
    assert_non_null(strstr(hone_error_get()->hint, "\"bold\""));
    assert_int_equal(hone_attacks_choose(hone_str_c(""), chosen, &n), HONE_E_NOT_FOUND);
}

static void test_relations_are_counted(void **state)
{
    const double original[] = {1, 3, 5, 2, NAN, 4}, mutated[] = {1, 3.5, 5, NAN, 4, 2};
    const unsigned char made[] = {1, 1, 1, 1, 1, 0};
    hone_attack_params p = {.lowest = 1, .highest = 5, .tolerance = .02, .floor_tolerance = .1};
    hone_attack_result r;
    (void)state;
    assert_int_equal(hone_attack_measure(find("bold"), original, mutated, made, 6, &p, &r),
                     HONE_OK);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.violations, 1);
    assert_int_equal(r.unscored, 1);
    assert_int_equal(r.skipped, 2);
    assert_true(fabs(r.rate.value - 1.0 / 3) < 1e-12);
    assert_true(fabs(r.change.value - .5 / 3) < 1e-12);
    assert_int_equal(hone_attack_measure(find("empty"), original, mutated, made, 6, &p, &r),
                     HONE_OK);
    assert_int_equal(r.violations, 2); /* 3.5 and 5 are not at the floor, 1 is */
    assert_int_equal(hone_attack_measure(find("zero_width"), original, mutated, made, 6, &p, &r),
                     HONE_OK);
    assert_int_equal(r.violations, 1);
    p.tolerance = .2; /* .5 is within a fifth of the range */
    assert_int_equal(hone_attack_measure(find("zero_width"), original, mutated, made, 6, &p, &r),
                     HONE_OK);
    assert_int_equal(r.violations, 0);
    assert_int_equal(hone_attack_measure(find("bold"), original, mutated, made, 0, &p, &r),
                     HONE_OK);
    assert_non_null(r.rate.why);
    p.highest = 1;
    assert_int_equal(hone_attack_measure(find("bold"), original, mutated, made, 6, &p, &r),
                     HONE_E_INVALID);
}

static void test_the_report_has_the_gate_s_lines(void **state)
{
    const hone_attack_params p = {
        .lowest = 0, .highest = 2, .tolerance = .02, .floor_tolerance = .1};
    const double original[] = {1, 1, 1, 1}, padded[] = {1.5, 1.5, 1.5, 1.5}, empty[] = {0, 0, 0, 2};
    const unsigned char made[] = {1, 1, 1, 1};
    hone_attack_result results[2];
    double change[8], broken[8];
    hone_attack_report r = {.results = results, .n = 2, .items = 4};
    hone_buf b;
    hone_jw w;
    hone_value v;
    hone_arena arena;
    (void)state;
    hone_arena_init(&arena, 1 << 20);
    hone_buf_init(&b, 1 << 20);
    hone_attack_measure(find("padding_x2"), original, padded, made, 4, &p, &results[0]);
    hone_attack_measure(find("empty"), original, empty, made, 4, &p, &results[1]);
    for (int i = 0; i < 4; i++) {
        change[i] = .5;
        broken[i] = 1;
        change[4 + i] = empty[i] - 1;
        broken[4 + i] = i == 3;
    }
    assert_int_equal(hone_attack_lines(&r, change, broken, &p), HONE_OK);
    assert_true(fabs(r.padding.value - .25) < 1e-12);
    assert_true(fabs(r.master_keys.value - .25) < 1e-12);
    assert_non_null(r.injection.why);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_attack_write(&w, &r);
    hone_jw_end(&w);
    assert_int_equal(hone_json_parse(b.ptr, b.len, "report", &arena, &v), HONE_OK);
    assert_int_equal(hone_value_get(&v, "attacks")->u.list.n, 2);
    assert_non_null(hone_value_path(&v, "padding.value"));
    assert_non_null(hone_value_path(&v, "injection.why"));
    hone_buf_clear(&b);
    assert_int_equal(hone_attack_text(&b, &r), HONE_OK);
    /* what breaks most often stands first */
    assert_true(strstr(b.ptr, "padding_x2") < strstr(b.ptr, "empty"));
    assert_non_null(strstr(b.ptr, "4/4"));
    hone_buf_release(&b);
    hone_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mutator_gives_valid_text_twice_alike),
        cmocka_unit_test(test_mutators_do_what_they_are_named_after),
        cmocka_unit_test(test_what_does_not_apply_says_so),
        cmocka_unit_test(test_chains_apply_one_after_the_other),
        cmocka_unit_test(test_attacks_are_chosen_by_name_and_class),
        cmocka_unit_test(test_relations_are_counted),
        cmocka_unit_test(test_the_report_has_the_gate_s_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
