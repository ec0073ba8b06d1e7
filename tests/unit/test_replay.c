/* test_replay.c - lines of recorded rollouts read back: bad ones are refused, groups are prompts, sums are those of the samples. */
#include "support.h"

#include "base/json.h"
#include "train/replay.h"

#include <math.h>

static hone_arena arena;

static int begin(void **state)
{
    (void)state;
    hone_arena_init(&arena, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    hone_arena_release(&arena);
    return 0;
}

static hone_status read_text(const char *text, hone_replay_sample *out)
{
    return hone_replay_read(hone_str_c(text), &arena, out);
}

static void test_a_line_is_read_whole(void **state)
{
    hone_replay_sample x;
    hone_sample seen;
    double score = 0;
    (void)state;
    assert_int_equal(
        read_text(
            "{\"step\":3,\"sample\":9,\"group\":4,\"prompt\":\"p\",\"completion\":\"c\",\"finish\":"
            "\"length\",\"ids\":[7,0],\"logprobs\":[-0.5,0],\"row\":{\"prompt\":\"q\",\"answer\":"
            "5},\"outcomes\":{\"a\":{\"status\":\"score\",\"score\":0.25},\"b\":{\"status\":"
            "\"timeout\",\"score\":1}},\"reward\":0.5,\"advantage\":-1,\"left_out\":true}",
            &x),
        HONE_OK);
    assert_true(x.step == 3 && x.sample == 9 && x.group == 4 && x.n == 2 && x.left_out);
    assert_true(x.ids[0] == 7 && x.logprobs[0] == -0.5f && x.reward == 0.5 && x.advantage == -1);
    assert_int_equal(x.finish, HONE_FINISH_LENGTH);
    assert_true(hone_replay_outcome(&x, "a", &score) && score == 0.25);
    assert_false(hone_replay_outcome(&x, "b", &score)); /* not a score */
    assert_false(hone_replay_outcome(&x, "c", &score));
    assert_int_equal(hone_replay_view(&x, &arena, &seen), HONE_OK);
    assert_true(hone_str_eq(seen.prompt, "q") && seen.n_columns == 2 && seen.id == 9);
}

static void test_turns_say_which_ids_are_the_policys_own(void **state)
{
    static const uint8_t own[] = {1, 1, 0, 1, 0};
    hone_replay_sample x;
    hone_sample seen;
    (void)state;
    assert_int_equal(read_text("{\"step\":1,\"completion\":\"\",\"ids\":[5,6,7,8,9],\"logprobs\":"
                               "[-1,-2,0,-1,0],\"turns\":[[0,2],[3,4]]}",
                               &x),
                     HONE_OK);
    assert_true(x.turns == 2 && x.n == 5);
    assert_memory_equal(x.mask, own, sizeof own);
    assert_int_equal(hone_replay_view(&x, &arena, &seen), HONE_OK);
    assert_true(seen.turn == 2 && seen.n_tokens == 5);
    assert_int_equal(
        read_text("{\"step\":1,\"completion\":\"\",\"ids\":[5],\"logprobs\":[-1]}", &x), HONE_OK);
    assert_true(!x.mask && x.turns == 0); /* one turn, nobody answered: all are its own */
}

static void test_what_is_missing_is_no_number(void **state)
{
    hone_replay_sample x;
    (void)state;
    assert_int_equal(read_text("{\"step\":1,\"completion\":\"\",\"logprobs\":[]}", &x), HONE_OK);
    assert_true(isnan(x.reward) && isnan(x.advantage) && x.n == 0 && !x.left_out && !x.finish);
}

static void test_bad_lines_are_refused_and_change_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "7",
        "{\"step\":1}",
        "{\"completion\":\"c\",\"logprobs\":[]}",
        "{\"step\":1,\"completion\":\"c\",\"logprobs\":[]",
        "{\"step\":\"1\",\"completion\":\"c\",\"logprobs\":[]}",
        "{\"step\":1.5,\"completion\":\"c\",\"logprobs\":[]}",
        "{\"step\":1,\"completion\":7,\"logprobs\":[]}",
        "{\"step\":1,\"completion\":\"c\"}",
        "{\"step\":1,\"completion\":\"c\",\"logprobs\":{}}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":7,\"logprobs\":[]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1,2],\"logprobs\":[-1]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[-1,-1]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[-1],\"logprobs\":[-1]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[2147483648],\"logprobs\":[-1]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1.0],\"logprobs\":[-1]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[0.5]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[null]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[-1e31]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[\"-1\"]}",
        "{\"step\":1,\"completion\":\"c\",\"logprobs\":[],\"reward\":\"x\"}",
        "{\"step\":1,\"completion\":\"c\",\"logprobs\":[],\"left_out\":2}",
        "{\"step\":1,\"completion\":\"c\",\"logprobs\":[],\"turns\":2}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[-1],\"turns\":[0,1]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[-1],\"turns\":[[0]]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[-1],\"turns\":[[0,2]]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[-1],\"turns\":[[-1,1]]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1],\"logprobs\":[-1],\"turns\":[[1,1]]}",
        "{\"step\":1,\"completion\":\"c\",\"ids\":[1,2],\"logprobs\":[-1,-1],\"turns\":[[1,2],[0,1]"
        "]}",
    };
    hone_replay_sample x, before;
    (void)state;
    memset(&x, 0x5a, sizeof x);
    memcpy(&before, &x, sizeof x);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const hone_status s = read_text(bad[i], &x);
        if (s != HONE_E_PARSE && s != HONE_E_TYPE)
            fail_msg("case %zu: %s: %s", i, bad[i], hone_status_name(s));
        assert_memory_equal(&x, &before, sizeof x);
    }
}

static void test_a_group_is_a_number_and_a_prompt(void **state)
{
    hone_replay_sample x[5] = {{.group = 0, .prompt = {"a", 1}},
                               {.group = 0, .prompt = {"a", 1}},
                               {.group = 0, .prompt = {"b", 1}},
                               {.group = 1, .prompt = {"b", 1}},
                               {.group = 0, .prompt = {"b", 1}}};
    uint32_t group[5];
    hone_replay_step s = {.samples = x, .n = 5, .group = group};
    (void)state;
    hone_replay_groups(&s);
    assert_int_equal(s.n_groups, 4);
    assert_true(group[0] == 0 && group[1] == 0 && group[2] == 1 && group[3] == 2 && group[4] == 3);
}

static void test_correlation_needs_two_numbers_that_vary(void **state)
{
    hone_replay_sums s = {0};
    (void)state;
    assert_true(isnan(hone_replay_correlation(&s)));
    hone_replay_pair(&s, 1, 2);
    hone_replay_pair(&s, (double)NAN, 2); /* no pair */
    hone_replay_pair(&s, 1, (double)INFINITY);
    assert_true(s.n == 1 && isnan(hone_replay_correlation(&s)));
    hone_replay_pair(&s, 3, 2);
    assert_true(isnan(hone_replay_correlation(&s))); /* y is the same twice */
    hone_replay_pair(&s, 2, 5);
    hone_replay_pair(&s, 0, 1);
    assert_true(fabs(hone_replay_correlation(&s) - 3.0 / sqrt(5 * 9)) < 1e-12);
}

static void test_sides_are_compared_sample_by_sample(void **state)
{
    hone_replay_sample x[4] = {{.group = 0}, {.group = 0}, {.group = 1}, {.group = 1}};
    uint32_t group[4];
    double was_r[4] = {1, 2, 3, 4}, now_r[4] = {1, 3, 3, 4}, was_a[4] = {-1, 1, 0, 0},
           now_a[4] = {1, 0, 0, 2}, was_g[2] = {3, 4}, now_g[2] = {4, -3};
    uint8_t was_out[4] = {0}, now_out[4] = {0, 0, 1, 0};
    const hone_replay_result was = {was_r, was_a, was_out, was_g, 2, 0},
                             now = {now_r, now_a, now_out, now_g, 2, 0};
    hone_replay_step s = {.samples = x, .n = 4, .group = group};
    hone_replay_compared c = {0}, twice = {0};
    (void)state;
    hone_replay_groups(&s);
    hone_replay_compare(&s, &was, &now, &c);
    assert_true(c.samples == 4 && c.groups == 2);
    assert_true(c.flipped == 1 && c.lost == 1 && c.gained == 1);
    assert_true(c.equal_was == 1 && c.equal_now == 0 && c.out_was == 0 && c.out_now == 1);
    assert_true(c.dot == 0 && c.was == 25 && c.now == 25 && c.advantage.n == 3);
    hone_replay_add(&twice, &c);
    hone_replay_add(&twice, &c);
    assert_true(twice.samples == 8 && twice.flipped == 2 && twice.was == 50 &&
                twice.reward.n == 6 && twice.equal_was == 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(test_a_line_is_read_whole),
        T(test_turns_say_which_ids_are_the_policys_own),
        T(test_what_is_missing_is_no_number),
        T(test_bad_lines_are_refused_and_change_nothing),
        T(test_a_group_is_a_number_and_a_prompt),
        T(test_correlation_needs_two_numbers_that_vary),
        T(test_sides_are_compared_sample_by_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
