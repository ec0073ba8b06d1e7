/* Rewards that compare wording: equal to the published programs' numbers, by hand, and on bad input. */
#include "reward_cases.h"

static void test_rouge_score_cases(void **state)
{
    (void)state;
    hone_value v;
    const char *path = shared_path("assets/reference/rouge/rouge_score_cases.json");
    if (!path)
        skip_without("assets/reference/rouge/rouge_score_cases.json");
    assert_ok(hone_json_parse_file(path, 0, &arena, &v));
    assert_int_equal(v.u.list.n, 20);
    static const char *const values[][2] = {
        {"recall", "recall"}, {"precision", "precision"}, {"fmeasure", "f1"}};
    for (size_t i = 0; i < v.u.list.n; i++)
        for (size_t k = 0; k < 3; k++) {
            const hone_value *c = &v.u.list.items[i];
            const hone_str target = text_of(c, "target"), given = text_of(c, "prediction");
            char settings[200];
            double want;
            int stem;
            int64_t places;
            assert_ok(hone_value_bool(c, "stemmer", 0, &stem));
            assert_ok(hone_value_f64(c, values[k][0], -1, &want));
            assert_ok(hone_value_i64(c, "places", 7, &places));
            snprintf(settings, sizeof settings,
                     "{\"measure\":\"%.*s\",\"value\":\"%s\",\"stem\":%s}",
                     (int)text_of(c, "type").len, text_of(c, "type").ptr, values[k][1],
                     stem ? "true" : "false");
            hone_instance *inst = open_reward("rouge", settings);
            hone_pair column = {hone_str_c("answer"), {.type = HONE_STRING, .u.str = target}};
            hone_value row = {.type = HONE_MAP, .u.map = {&column, 1}};
            const answer a = score_text(inst, given.ptr, given.len, &row);
            /* to the digits given, and no better than a float can be */
            if (a.status != HONE_SCORE ||
                fabs((double)a.score - want) > fmax(pow(10, -(double)places), 1e-7))
                fail_with("case %zu %s: %.7f, wanted %.7f", i, settings, (double)a.score, want);
            hone_instance_unref(inst);
        }
}

static void test_package_rouge_cases(void **state)
{
    (void)state;
    hone_value v;
    const char *path = shared_path("assets/reference/rouge/pltrdy_data.json");
    static const char *const measures[][2] = {
        {"rouge-1", "rouge1"}, {"rouge-2", "rouge2"}, {"rouge-l", "rougeL"}};
    static const char *const values[][2] = {{"r", "recall"}, {"p", "precision"}, {"f", "f1"}};
    if (!path)
        skip_without("assets/reference/rouge/pltrdy_data.json");
    assert_ok(hone_json_parse_file(path, 0, &arena, &v));
    assert_true(v.u.list.n >= 4);
    for (size_t i = 0; i < 9 * v.u.list.n; i++) {
        const hone_value *c = &v.u.list.items[i / 9];
        const size_t m = i / 3 % 3, k = i % 3;
        const hone_str ref = text_of(c, "ref"), hyp = text_of(c, "hyp");
        char settings[200];
        double want;
        assert_ok(hone_value_f64(hone_value_get(hone_value_get(c, "scores"), measures[m][0]),
                                 values[k][0], -1, &want));
        snprintf(settings, sizeof settings,
                 "{\"measure\":\"%s\",\"value\":\"%s\",\"compat\":\"rouge\"}", measures[m][1],
                 values[k][1]);
        hone_instance *inst = open_reward("rouge", settings);
        hone_pair column = {hone_str_c("answer"), {.type = HONE_STRING, .u.str = ref}};
        hone_value row = {.type = HONE_MAP, .u.map = {&column, 1}};
        const answer a = score_text(inst, hyp.ptr, hyp.len, &row);
        if (a.status != HONE_SCORE || fabs((double)a.score - want) > 1e-7)
            fail_with("pair %zu %s: %.9f, wanted %.9f", i / 9, settings, (double)a.score, want);
        hone_instance_unref(inst);
    }
}

/* By hand: the cat sat on the mat / the cat is on the mat (see test_overlap_counts_wording). Stems: caresses, ponies. */
static void test_rouge_by_hand(void **state)
{
    (void)state;
    static const char cat[] = "{\"answer\":\"The cat is on the mat.\"}";
    EXPECT("rouge", NULL, {"the cat sat on the mat", cat, 5. / 6}, {"", cat, 0},
           {"a b", "{\"answer\":[\"x\",\"a b\"]}", 1},
           {"\xC3\xA9", "{\"answer\":\"\xC3\xA9\"}", 0});
    EXPECT("rouge", "{\"measure\":\"rouge3\"}", {"the cat sat on the mat", cat, 1. / 4});
    EXPECT("rouge", "{\"stem\":true}",
           {"caressing relational ponies", "{\"answer\":\"caress relate pony\"}", 1},
           {"happily", "{\"answer\":\"happy\"}", 0}, {"die", "{\"answer\":\"dying\"}", 1});
    EXPECT("rouge", "{\"stem\":false}", {"ponies", "{\"answer\":\"pony\"}", 0});
    /* letters beyond ASCII that are ASCII in lower case, as there */
    EXPECT("rouge", "{\"measure\":\"rouge1\"}",
           {"\xC4\xB0zmir 5\xE2\x84\xAA", "{\"answer\":\"i zmir 5k\"}", 1});
    EXPECT("bleu", "{\"lowercase\":true,\"max_order\":2}",
           {"&QUOT;a&QUOT; b", "{\"answer\":\"\\\"a\\\" b\"}", 1});
    EXPECT("bleu", "{\"lowercase\":true,\"max_order\":1,\"tokenize\":\"char\"}",
           {"\xC4\xB0", "{\"answer\":\"i\\u0307\"}", 1});
    EXPECT("chrf", "{\"lowercase\":true}", {"\xC4\xB0", "{\"answer\":\"i\\u0307\"}", 1});
    EXPECT("rouge", "{\"measure\":\"rougeLsum\",\"value\":\"recall\"}",
           {"a b\nc d", "{\"answer\":\"c d\\na b\"}", 1});
    EXPECT("rouge", "{\"measure\":\"rougeL\",\"value\":\"recall\"}",
           {"a b\nc d", "{\"answer\":\"c d\\na b\"}", .5});
    hone_instance *inst = open_reward("rouge", NULL);
    char *big = hone_alloc(40002);
    for (size_t i = 0; i < 40002; i++)
        big[i] = i % 2 ? ' ' : 'a';
    hone_value row;
    assert_ok(hone_json_parse(cat, strlen(cat), NULL, &arena, &row));
    answer a = score_text(inst, big, 40002, &row);
    assert_int_equal(a.status, HONE_ERROR);
    assert_non_null(strstr(a.reason, "10,000 words"));
    assert_int_equal(score(inst, "a", "{}").status, HONE_ERROR);
    assert_int_equal(score(inst, "a", "{\"answer\":[{}]}").status, HONE_ERROR);
    hone_free(big);
    hone_instance_unref(inst);
}

static const hone_value *case_list(const hone_value *root, const char *file, const char *name)
{
    const hone_value *v = hone_value_get(hone_value_get(root, file), name);
    assert_non_null(v);
    return v;
}
static const hone_value *at(const hone_value *v, size_t i)
{
    assert_true(v->type == HONE_LIST && i < v->u.list.n);
    return &v->u.list.items[i];
}
static double number(const hone_value *v)
{
    return v->type == HONE_I64 ? (double)v->u.i64 : v->u.f64;
}
static double score_with(const char *name, const char *settings, hone_str given,
                         const hone_value *references)
{
    hone_instance *inst = open_reward(name, settings);
    hone_pair column = {hone_str_c("answer"), *references};
    hone_value row = {.type = HONE_MAP, .u.map = {&column, 1}};
    const answer a = score_text(inst, given.ptr, given.len, &row);
    assert_int_equal(a.status, HONE_SCORE);
    hone_instance_unref(inst);
    return (double)a.score;
}

static void test_sentence_bleu_cases(void **state)
{
    (void)state;
    hone_value v;
    const char *path = shared_path("assets/reference/sacrebleu/cases.json");
    if (!path)
        skip_without("assets/reference/sacrebleu/cases.json");
    assert_ok(hone_json_parse_file(path, 0, &arena, &v));
    static const char file[] = "test_sentence_bleu.py";
    static const struct {
        const char *cases, *given, *reference;
        size_t n;
    } sets[] = {{"test_cases", "SYS", "REF", 12}, {"test_cases_zero_bleu", "SYS_0", "REF_0", 6}};
    for (size_t k = 0; k < 2; k++) {
        const hone_value *cases = case_list(&v, file, sets[k].cases);
        const hone_str given = case_list(&v, file, sets[k].given)->u.str;
        assert_int_equal(cases->u.list.n, sets[k].n);
        for (size_t i = 0; i < sets[k].n; i++) {
            const hone_value *c = at(cases, i);
            const hone_str smooth = at(c, 0)->u.str, tokenize = at(c, 3)->u.str;
            const double want = number(at(c, 4));
            char settings[300], value[40] = "";
            if (at(c, 1)->type != HONE_NULL)
                snprintf(value, sizeof value, "\"smooth_value\":%g,", number(at(c, 1)));
            snprintf(settings, sizeof settings,
                     "{%s\"smooth\":\"%.*s\",\"tokenize\":\"%.*s\",\"lowercase\":%s,\"scale\":100}",
                     value, (int)smooth.len, smooth.ptr, (int)tokenize.len, tokenize.ptr,
                     at(c, 2)->u.boolean ? "true" : "false");
            const double got = score_with("bleu", settings, given,
                                          case_list(&v, file, sets[k].reference));
            if (fabs(got - want) > 1e-3) /* three decimals are given, cut off */
                fail_with("%s %zu %s: %.6f, wanted %.6f", sets[k].cases, i, settings, got, want);
        }
    }
}

static void test_chrf_cases(void **state)
{
    (void)state;
    hone_value v;
    const char *path = shared_path("assets/reference/sacrebleu/cases.json");
    if (!path)
        skip_without("assets/reference/sacrebleu/cases.json");
    assert_ok(hone_json_parse_file(path, 0, &arena, &v));
    static const struct {
        const char *cases, *settings;
        double digits;
        size_t n;
    } sets[] = {
        {"test_sentence_level_chrf", "{\"eps_smoothing\":true,\"scale\":100}", 1e-5, 3},
        {"test_cases", "{\"eps_smoothing\":true,\"scale\":100,\"beta\":3}", 1e-4, 13},
        {"test_cases_effective_order", "{\"scale\":100,\"beta\":3}", 1e-4, 7},
        {"test_cases_keep_whitespace", "{\"whitespace\":true,\"scale\":100,\"beta\":3}", 1e-4, 2}};
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        const hone_value *cases = case_list(&v, "test_chrf.py", sets[k].cases);
        assert_int_equal(cases->u.list.n, sets[k].n);
        for (size_t i = 0; i < sets[k].n; i++) {
            const hone_value *c = at(cases, i), *given = at(c, 0);
            const double want = number(at(c, 2));
            if (given->type == HONE_LIST && given->u.list.n > 1)
                continue; /* a corpus of two */
            const double got = score_with(
                "chrf", sets[k].settings,
                given->type == HONE_LIST ? at(given, 0)->u.str : given->u.str, at(c, 1));
            if (fabs(got - want) > sets[k].digits)
                fail_with("%s %zu: %.6f, wanted %.6f", sets[k].cases, i, got, want);
        }
    }
}

static void test_every_failed_allocation_is_survived(void **state)
{
    (void)state;
    assert_one_life("org.hone.reward.rouge", "{\"measure\":\"rouge2\"}");
    assert_one_life("org.hone.reward.rouge", "{\"measure\":\"rougeLsum\"}");
    assert_one_life("org.hone.reward.bleu", "{}");
    assert_one_life("org.hone.reward.chrf", "{\"word_order\":2}");
    assert_one_life("org.hone.reward.overlap", "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_rouge_score_cases), T(test_package_rouge_cases),
        T(test_rouge_by_hand),     T(test_sentence_bleu_cases),
        T(test_chrf_cases),        T(test_every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
