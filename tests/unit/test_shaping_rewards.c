/* Rewards of length and form: soft_overlong, cosine_length, think_format, json_schema; values by hand from their formulas. */
#include "reward_cases.h"

/* DAPO, equation 13, with 10 and 4: 0 up to 6, then -1/4 a word, -1 beyond 10. */
static void test_soft_overlong_is_dapos(void **state)
{
    (void)state;
    EXPECT("soft_overlong", "{\"unit\":\"chars\",\"max_length\":10,\"cache\":4}", {"", NULL, 0},
           {"123456", NULL, 0}, {"1234567", NULL, -.25}, {"123456789", NULL, -.75},
           {"1234567890", NULL, -1}, {"12345678901", NULL, -1});
    EXPECT("soft_overlong", "{\"unit\":\"words\",\"max_length\":2,\"cache\":0}", {"a b", NULL, 0},
           {"a b c", NULL, -1});
    hone_instance *inst;
    assert_fails(
        try_component("org.hone.reward.soft_overlong", "{\"max_length\":4,\"cache\":5}", &inst),
        HONE_E_INVALID, "larger than max_length");
    inst = open_reward("soft_overlong", NULL);
    answer a = score(inst, "text", NULL); /* no token ids */
    assert_int_equal(a.status, HONE_ERROR);
    assert_non_null(strstr(a.reason, "token ids"));
    hone_instance_unref(inst);
}

static void test_soft_overlong_counts_tokens(void **state)
{
    (void)state;
    hone_instance *inst = open_reward("soft_overlong", "{\"max_length\":4,\"cache\":2}");
    hone_ref ref;
    const int32_t ids[5] = {1, 2, 3, 4, 5};
    hone_sample s = {.completion = hone_str_c("a"), .tokens = ids, .n_tokens = 3};
    hone_outcome out = {0, 0};
    hone_call call = {.struct_size = sizeof call, .n = 1};
    assert_ok(hone_instance_ref(inst, HONE_IFACE_REWARD, &ref));
    const hone_reward_v1 *vt = ref.vt;
    assert_ok(vt->score(ref.self, &call, &s, 1, sizeof s, &out, sizeof out, NULL));
    assert_true(out.status == HONE_SCORE && out.score == -.5f);
    s.n_tokens = 5;
    out = (hone_outcome){0, 0};
    assert_ok(vt->score(ref.self, &call, &s, 1, sizeof s, &out, sizeof out, NULL));
    assert_true(out.status == HONE_SCORE && out.score == -1);
    hone_instance_unref(inst);
}

/* With max_length 4: cos(0) = 1, cos(pi/4) = .7071, cos(pi/2) = 0; right 2..1, wrong -10..0. */
static void test_cosine_length_by_hand(void **state)
{
    (void)state;
#define FIVE "{\"answer\":5}"
    EXPECT("cosine_length", "{\"unit\":\"chars\",\"max_length\":4}",
           {"5", FIVE, 1 + (1 + sqrt(.5)) / 2}, {" 5", FIVE, 1.5},
           {"  5", FIVE, 1 + (1 - sqrt(.5)) / 2}, {"7", FIVE, -10 * (1 + sqrt(.5)) / 2},
           {" 7", FIVE, -5}, {"", FIVE, -10}, {"   5", FIVE, -10}, {"    7", FIVE, -10});
    EXPECT("cosine_length",
           "{\"unit\":\"words\",\"max_length\":2,\"correct\":\"exact_match\",\"correct_short\":1,"
           "\"correct_long\":0.5,\"wrong_short\":-1,\"wrong_long\":-0.5,\"exceeded\":-2}",
           {"5", FIVE, .75}, {"5.0", FIVE, -.75}, {"5 5", FIVE, -2});
    hone_instance *inst = open_reward("cosine_length", "{\"unit\":\"words\"}");
    assert_int_equal(score(inst, "5", "{}").status, HONE_ERROR);
    hone_instance_unref(inst);
    inst = open_reward("cosine_length", "{\"unit\":\"words\",\"on_missing\":\"abstain\"}");
    assert_int_equal(score(inst, "5", "{}").status, HONE_ABSTAIN);
    hone_instance_unref(inst);
    inst = open_reward("cosine_length", NULL);
    assert_int_equal(score(inst, "5", FIVE).status, HONE_ERROR);
    hone_instance_unref(inst);
#undef FIVE
}

static void test_think_format_is_trls(void **state)
{
    (void)state;
    EXPECT("think_format", NULL,
           {"<think>\nThis is my reasoning.\n</think>\nThis is my answer.", NULL, 1},
           {"<think>\nThis is my reasoning.\nThis is my answer.", NULL, 0},
           {"<think>a</think>", NULL, 1}, {" <think>a</think>b", NULL, 0},
           {"<think>a<think>b</think>c", NULL, 0}, {"<think>a</think>b<think>", NULL, 0},
           {"<think>a</think>b</think>c", NULL, 1}, {"a</think>b", NULL, 0}, {"", NULL, 0},
           {"</think><think>", NULL, 0});
    EXPECT("think_format", "{\"opened\":\"prompt\",\"filled\":true}", {"a</think>b", NULL, 1},
           {"<think>a</think>b", NULL, 0}, {"a</think>", NULL, 0}, {" </think>b", NULL, 0},
           {"a</think>b</think>", NULL, 0}, {"</think>b", NULL, 0});
    EXPECT("think_format", "{\"opened\":\"either\",\"open\":\"[\",\"close\":\"]\"}",
           {"[a]b", NULL, 1}, {"a]b", NULL, 1}, {"a[b]", NULL, 0});
    hone_instance *inst;
    assert_fails(try_component("org.hone.reward.think_format", "{\"open\":\"\"}", &inst),
                 HONE_E_INVALID, "a tag is empty");
}

/* One value against one schema, each a text of JSON: 1 kept, 0 not, -1 the schema is refused. */
static double keeps(const char *schema, const char *value)
{
    char row[400];
    snprintf(row, sizeof row, "{\"schema\":%s}", schema);
    hone_instance *inst = open_reward("json_schema", NULL);
    const answer a = score(inst, value, row);
    hone_instance_unref(inst);
    return a.status == HONE_SCORE ? (double)a.score : -1;
}

static void test_json_schema_words(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value;
        int want;
    } cases[] = {
        {"{\"contains\":{\"type\":\"integer\"}}", "[\"a\",1]", 1},
        {"{\"contains\":{\"type\":\"integer\"}}", "[\"a\"]", 0},
        {"{\"contains\":{\"type\":\"integer\"},\"minContains\":0}", "[]", 1},
        {"{\"contains\":{\"type\":\"integer\"},\"maxContains\":1}", "[1,2]", 0},
        {"{\"patternProperties\":{\"^n_\":{\"type\":\"integer\"}}}", "{\"n_a\":1}", 1},
        {"{\"patternProperties\":{\"^n_\":{\"type\":\"integer\"}}}", "{\"n_a\":\"1\"}", 0},
        {"{\"patternProperties\":{\"^n_\":true},\"additionalProperties\":false}", "{\"n_a\":1}", 1},
        {"{\"patternProperties\":{\"^n_\":true},\"additionalProperties\":false}", "{\"m\":1}", 0},
        {"{\"propertyNames\":{\"maxLength\":2}}", "{\"ab\":1}", 1},
        {"{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}", 0},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", 0},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"b\":1}", 1},
        {"{\"dependentSchemas\":{\"a\":{\"maxProperties\":1}}}", "{\"a\":1,\"b\":2}", 0},
        {"{\"dependentSchemas\":{\"a\":{\"maxProperties\":1}}}", "{\"c\":1,\"b\":2}", 1},
        {"{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":2}}", "\"a\"", 0},
        {"{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":2}}", "1", 1},
        {"{\"if\":{\"type\":\"string\"},\"else\":{\"minimum\":2}}", "1", 0},
        {"{\"type\":\"string\",\"format\":\"date\"}", "\"x\"", 1},
        /* of another shape than the word asks: refused, and not read as what it is not */
        {"{\"allOf\":{\"a\":{\"type\":\"integer\"}}}", "1", -1},
        {"{\"anyOf\":{\"a\":true}}", "1", -1},
        {"{\"prefixItems\":{\"a\":true}}", "[1]", -1},
        {"{\"properties\":[true]}", "{}", -1},
        {"{\"patternProperties\":{\"(\":true}}", "{}", -1},
        {"{\"dependentRequired\":{\"a\":\"b\"}}", "{}", -1},
        {"{\"contains\":3}", "[]", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (keeps(cases[i].schema, cases[i].value) != cases[i].want)
            fail_with("%s for %s: not %d", cases[i].value, cases[i].schema, cases[i].want);
}

static void test_json_schema_of_the_setting_or_the_row(void **state)
{
    (void)state;
    EXPECT("json_schema",
           "{\"schema\":{\"type\":\"object\",\"required\":[\"a\"]},\"find\":\"fence\"}",
           {"so\n```json\n{\"a\":1}\n```", NULL, 1}, {"```\n{\"b\":1}\n```", NULL, 0},
           {"{\"a\":1}", NULL, 0}, {"```\n{a\n```", NULL, 0});
    EXPECT("json_schema", NULL, {"7", "{\"schema\":{\"type\":\"integer\"}}", 1},
           {"7.5", "{\"schema\":{\"type\":\"integer\"}}", 0},
           {"7", "{\"schema\":\"{\\\"maximum\\\":6}\"}", 0},
           {"\"x\"", "{\"schema\":\"{\\\"pattern\\\":\\\"^x$\\\"}\"}", 1},
           {"7", "{\"schema\":true}", 1});
    hone_instance *inst = open_reward("json_schema", NULL);
    answer a = score(inst, "7", "{}");
    assert_true(a.status == HONE_ERROR && strstr(a.reason, "\"schema\""));
    a = score(inst, "7", "{\"schema\":\"{\"}");
    assert_true(a.status == HONE_ERROR && strstr(a.reason, "no JSON"));
    a = score(inst, "7", "{\"schema\":{\"typ\":\"integer\"}}");
    assert_true(a.status == HONE_ERROR && strstr(a.reason, "not one that is known"));
    a = score(inst, "[7]", "{\"schema\":{\"type\":\"integer\"}}");
    assert_string_equal(a.notes[0], "schema=it breaks \"type\"");
    a = score(inst, "no", "{\"schema\":{\"type\":\"integer\"}}");
    assert_string_equal(a.notes[0], "schema=not JSON");
    hone_instance_unref(inst);
    inst = open_reward("json_schema", "{\"on_missing\":\"abstain\"}");
    assert_int_equal(score(inst, "7", "{}").status, HONE_ABSTAIN);
    hone_instance_unref(inst);
    assert_fails(try_component("org.hone.reward.json_schema", "{\"schema\":{\"typ\":1}}", &inst),
                 HONE_E_INVALID, "not known");
}

static void test_every_failed_allocation_is_survived(void **state)
{
    (void)state;
    static const char *const settings[][2] = {
        {"org.hone.reward.soft_overlong", "{\"unit\":\"words\"}"},
        {"org.hone.reward.cosine_length", "{\"unit\":\"words\"}"},
        {"org.hone.reward.think_format", "{}"},
        {"org.hone.reward.json_schema", "{\"schema\":{\"pattern\":\"^a\"}}"}};
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++)
        assert_one_life(settings[k][0], settings[k][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_soft_overlong_is_dapos),
        T(test_soft_overlong_counts_tokens),
        T(test_cosine_length_by_hand),
        T(test_think_format_is_trls),
        T(test_json_schema_of_the_setting_or_the_row),
        T(test_json_schema_words),
        T(test_every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
