/* test_endpoint.c - the parts of the rubric judge's endpoint client that need no server: budgets, replies, labels, names. */
#include "support.h"

#include "base/json.h"

#include "judge/rubric/endpoint_budget.c"
#include "judge/rubric/endpoint_reply.c"
#include "judge/rubric/pool.c"

/* ---- memory of the test ------------------------------------------------------------------------------------- */

static size_t held;
static void *test_resize(void *self, void *p, size_t old_size, size_t size)
{
    (void)self;
    held += size - (p ? old_size : 0);
    if (size == 0) {
        hone_free(p);
        return NULL;
    }
    return hone_realloc(p, size);
}
static const hone_mem_v1 test_mem = {sizeof test_mem, 0, test_resize};
static pool a_pool(void)
{
    return (pool){.mem = {NULL, &test_mem}};
}

static const hone_value *parsed(hone_arena *arena, const char *text)
{
    hone_value *v = hone_arena_alloc(arena, sizeof *v);
    assert_non_null(v);
    assert_ok(hone_json_parse(text, strlen(text), "test", arena, v));
    return v;
}

static void test_pool_and_texts(void **state)
{
    (void)state;
    pool p = a_pool();
    grown g;
    char *first = pool_alloc(&p, 3, 1), *large = pool_alloc(&p, 1, 100000);
    assert_true(first && large && first[0] == 0 && large[99999] == 0);
    assert_null(pool_alloc(&p, SIZE_MAX / 2, 4));
    for (int i = 0; i < 10000; i++)
        assert_non_null(pool_alloc(&p, 7, 3));
    assert_string_equal(pool_copy(&p, (hone_str){"abcdef", 3}).ptr, "abc");
    pool_release(&p);
    grown_init(&g, &p, 1 << 20);
    grown_json(&g, (hone_str){"a\"\\\n\x01\x7f\xc3\xa9\xff\xed\xa0\x80\0z", 13});
    assert_string_equal(
        g.ptr, "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\\ufffd\\ufffd\\ufffd\\ufffd\\u0000\"");
    grown_release(&g);
    grown_f64(&g, .1);
    grown_z(&g, " ");
    grown_f64(&g, 1.0 / 3);
    grown_z(&g, " ");
    grown_f64(&g, (double)NAN);
    grown_z(&g, " ");
    grown_u64(&g, UINT64_MAX);
    assert_string_equal(g.ptr, "0.1 0.3333333333333333 null 18446744073709551615");
    grown_release(&g);
    grown_init(&g, &p, 5);
    grown_z(&g, "1234");
    assert_false(g.failed);
    grown_z(&g, "5");
    assert_true(g.failed && g.len == 4);
    grown_release(&g);
    assert_int_equal(held, 0);
}

/* ---- budgets --------------------------------------------------------------------------------------------------- */

static void test_a_budget_covers_the_worst(void **state)
{
    (void)state;
    budget b;
    budget_sum taken, used = {0, 0, 0};
    uint64_t sends = 0;
    const budget_worst w[4] = {{90, 10}, {190, 10}, {40, 10}, {900, 100}};
    budget_init(&b);
    assert_int_equal(budget_reserve(&b, w, 4, 3, &sends, &taken), 4);
    assert_int_equal(sends, 12);
    used.calls = 4;
    assert_int_equal(budget_settle(&b, &taken, &used), 0);
    b.limit.calls = 9; /* five are left: four firsts and one more try */
    assert_int_equal(budget_reserve(&b, w, 4, 3, &sends, &taken), 4);
    assert_int_equal(sends, 5);
    uint64_t other = 0;
    budget_sum none;
    assert_int_equal(budget_reserve(&b, w, 4, 3, &other, &none), 0); /* all are under way */
    assert_string_equal(budget_short_of(&b, w), "calls");
    used.calls = 3;
    assert_int_equal(budget_settle(&b, &taken, &used), 0);
    assert_int_equal(budget_reserve(&b, w, 4, 3, &sends, &taken), 2); /* two came back */
    assert_int_equal(sends, 2);
    used.calls = 2;
    budget_settle(&b, &taken, &used);
    assert_int_equal(budget_reserve(&b, w, 4, 3, &sends, &taken), 0);
    budget_release(&b);
}

static void test_tokens_and_money_are_whole_numbers(void **state)
{
    (void)state;
    budget b;
    budget_sum taken, used;
    uint64_t sends = 0;
    const budget_worst w[3] = {{90, 10}, {190, 10}, {40, 10}};
    budget_init(&b);
    b.limit.tokens = 650; /* three requests of which any try may be the largest: 600 */
    assert_int_equal(budget_reserve(&b, w, 3, 5, &sends, &taken), 3);
    assert_int_equal(sends, 3);
    assert_int_equal(taken.tokens, 600);
    used = (budget_sum){3, 601, 0};
    assert_int_equal(budget_settle(&b, &taken, &used), 1); /* more than it could have been */
    assert_string_equal(budget_short_of(&b, w), "tokens");
    assert_null(budget_short_of(&b, &(budget_worst){39, 10}));
    budget_release(&b);
    budget_init(&b);
    b.price_in = 150000; /* .15 and .60 a million */
    b.price_out = 600000;
    assert_int_equal(budget_price(&b, 1000000, 1000000), 750000000000);
    b.limit.money = 2 * budget_price(&b, 190, 10); /* to the pico */
    assert_int_equal(budget_reserve(&b, w, 3, 5, &sends, &taken), 2);
    budget_settle(&b, &taken, &(budget_sum){2, 0, 1});
    assert_int_equal(budget_reserve(&b, w + 1, 2, 5, &sends, &taken), 1);
    assert_int_equal(sends, 1);
    budget_settle(&b, &taken, &(budget_sum){0, 0, 0});
    assert_int_equal(budget_price(&b, UINT64_MAX, 1), UINT64_MAX);
    used = (budget_sum){1, 7, budget_price(&b, UINT64_MAX, 1)};
    budget_add(&used, &(budget_sum){1, UINT64_MAX, 5}); /* a server that lies does not begin anew */
    assert_int_equal(used.calls, 2);
    assert_int_equal(used.tokens, UINT64_MAX);
    assert_int_equal(used.money, UINT64_MAX);
    budget_release(&b);
    budget_init(&b);
    b.ns = 100;
    budget_waited(&b, 60);
    assert_int_equal(budget_time_left(&b), 40);
    budget_waited(&b, 60);
    assert_int_equal(budget_time_left(&b), 0);
    assert_string_equal(budget_short_of(&b, w), "seconds");
    budget_release(&b);
}

/* What was used never passes a limit, whatever is reserved, used and given back in between. */
static void test_no_order_of_things_passes_a_limit(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int round = 0; round < 200; round++) {
        budget b;
        budget_sum taken[8], most[8];
        size_t n = 0;
        budget_init(&b);
        b.price_in = round % 7;
        b.price_out = 3;
        b.limit = (budget_sum){(uint64_t)(20 + round % 50), (uint64_t)(1000 + round),
                               (uint64_t)(2000 + 3 * round)};
        for (int step = 0; step < 300; step++) {
            budget_worst w[6];
            uint64_t sends = 0;
            for (int i = 0; i < 6; i++) {
                x ^= x << 13, x ^= x >> 7, x ^= x << 17;
                w[i] = (budget_worst){x % 97, (x >> 20) % 31};
            }
            size_t k = n < 8 ? budget_reserve(&b, w, 6, 1 + (uint32_t)(x >> 60), &sends, &taken[n])
                             : 0;
            if (k) {
                /* every try is of the largest of them */
                uint64_t tokens = 0, money = 0;
                for (size_t i = 0; i < k; i++) {
                    const uint64_t t = w[i].tokens_in + w[i].tokens_out;
                    const uint64_t m = budget_price(&b, w[i].tokens_in, w[i].tokens_out);
                    tokens = t > tokens ? t : tokens;
                    money = m > money ? m : money;
                }
                assert_true(sends >= k);
                most[n++] = (budget_sum){sends, sends * tokens, sends * money};
            }
            if (n && (!k || x % 3 == 0)) {
                n--;
                assert_int_equal(budget_settle(&b, &taken[n], &most[n]), 0);
            }
        }
        while (n) {
            n--;
            budget_settle(&b, &taken[n], &most[n]);
        }
        assert_true(b.used.calls <= b.limit.calls && b.used.tokens <= b.limit.tokens &&
                    b.used.money <= b.limit.money);
        assert_true(b.reserved.calls == 0 && b.reserved.tokens == 0 && b.reserved.money == 0);
        budget_release(&b);
    }
}

/* ---- replies ---------------------------------------------------------------------------------------------------- */

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint32_t detail;
        const char *text, *why;
    } rows[] = {
        {"{\"choices\":[{\"message\":{\"content\":\"4\"},\"finish_reason\":\"stop\"}]}",
         HONE_VERDICT_OK, "4", ""},
        {"{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
         "\"x\"},"
         "{\"text\":\"b\"}]}}]}",
         HONE_VERDICT_OK, "ab", ""},
        {"{\"choices\":[{\"message\":{\"content\":\"it is\"},\"finish_reason\":\"length\"}]}",
         HONE_VERDICT_TRUNCATED, "it is", "max_tokens"},
        {"{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I cannot\"}}]}",
         HONE_VERDICT_REFUSED, "", "I cannot"},
        {"{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"content_filter\"}]}",
         HONE_VERDICT_REFUSED, "x", "content_filter"},
        {"{\"choices\":[{\"message\":{\"content\":\"\"}}]}", HONE_VERDICT_UNPARSED, "", "empty"},
        {"{\"choices\":[{\"message\":{\"content\":7}}]}", HONE_VERDICT_UNPARSED, "", "empty"},
        {"{\"choices\":[{\"message\":[1]}]}", HONE_VERDICT_UNPARSED, "", "no message"},
        {"{\"choices\":[7]}", HONE_VERDICT_UNPARSED, "", "no message"},
        {"{\"choices\":[]}", HONE_VERDICT_UNPARSED, "", "no choices"},
        {"{\"choices\":{\"a\":1}}", HONE_VERDICT_UNPARSED, "", "no choices"},
        {"{}", HONE_VERDICT_UNPARSED, "", "no choices"},
        {"[1,2]", HONE_VERDICT_UNPARSED, "", "no JSON object"},
        {"\"text\"", HONE_VERDICT_UNPARSED, "", "no JSON object"},
        {"null", HONE_VERDICT_UNPARSED, "", "no JSON object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hone_arena arena;
        pool p = a_pool();
        endpoint_reply r;
        char why[200];
        hone_arena_init(&arena, 0);
        assert_true(endpoint_reply_read(parsed(&arena, rows[i].body), &p, &r));
        snprintf(why, sizeof why, "%.*s", (int)r.why.len, r.why.len ? r.why.ptr : "");
        if (r.detail != rows[i].detail || r.text.len != strlen(rows[i].text) ||
            (r.text.len && memcmp(r.text.ptr, rows[i].text, r.text.len) != 0) ||
            !strstr(why, rows[i].why))
            fail_msg("%s: %u \"%.*s\" %s", rows[i].body, r.detail, (int)r.text.len, r.text.ptr,
                     why);
        assert_false(r.has_usage);
        pool_release(&p);
        hone_arena_release(&arena);
    }
    assert_int_equal(held, 0);
}

static void test_usage_and_errors(void **state)
{
    (void)state;
    static const struct {
        const char *usage;
        int has;
        uint64_t in;
    } rows[] = {{"{\"prompt_tokens\":7,\"completion_tokens\":2}", 1, 7},
                {"{\"prompt_tokens\":7.0,\"completion_tokens\":0}", 1, 7},
                {"{\"prompt_tokens\":-7,\"completion_tokens\":2}", 0, 0},
                {"{\"prompt_tokens\":\"7\",\"completion_tokens\":2}", 0, 0},
                {"{\"prompt_tokens\":1e300,\"completion_tokens\":2}", 0, 0},
                {"{\"prompt_tokens\":7}", 0, 7},
                {"[]", 0, 0},
                {"\"many\"", 0, 0}};
    hone_arena arena;
    pool p = a_pool();
    hone_arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        endpoint_reply r;
        char body[200];
        snprintf(body, sizeof body, "{\"usage\":%s}", rows[i].usage);
        assert_true(endpoint_reply_read(parsed(&arena, body), &p, &r));
        if (r.has_usage != rows[i].has || (r.has_usage && r.tokens_in != rows[i].in))
            fail_msg("%s: %d %llu", body, r.has_usage, (unsigned long long)r.tokens_in);
    }
    static const char *const errors[] = {"{\"error\":{\"message\":\"no\"}}", "{\"error\":\"no\"}",
                                         "{\"message\":\"no\"}", "{\"detail\":\"no\"}"};
    for (size_t i = 0; i < 4; i++) {
        const hone_str s = endpoint_error(parsed(&arena, errors[i]));
        assert_true(s.len == 2 && memcmp(s.ptr, "no", 2) == 0);
    }
    assert_int_equal(endpoint_error(parsed(&arena, "{\"error\":{\"message\":[1]}}")).len, 0);
    hone_arena_release(&arena);
    pool_release(&p);
}

/* ---- labels --------------------------------------------------------------------------------------------------------- */

/* "token logprob alternative logprob ...; next token ...": as the server lists them. */
static const hone_value *tokens(hone_arena *arena, const char *text)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 16);
    hone_buf_adds(&b, "[");
    int first = 1;
    while (*text) {
        const char *end = strchr(text, ';');
        const size_t n = end ? (size_t)(end - text) : strlen(text);
        char token[64] = "", alt[64];
        double p = 0;
        size_t at = 0;
        int k = 0, used;
        hone_buf top;
        hone_buf_init(&top, 1 << 16);
        double own = 0;
        while (at < n && sscanf(text + at, "%63[^=;]=%lf,%n", alt, &p, &used) == 2) {
            for (char *c = alt; *c; c++)
                *c = *c == '_' ? ' ' : *c;
            if (k++ == 0) {
                memcpy(token, alt, sizeof token);
                own = p;
            }
            hone_buf_addf(&top, "%s{\"token\":\"%s\",\"logprob\":%.17g}", k > 1 ? "," : "", alt,
                          log(p));
            at += (size_t)used;
        }
        hone_buf_addf(&b, "%s{\"token\":\"%s\",\"logprob\":%.17g,\"top_logprobs\":[%s]}",
                      first ? "" : ",", token, log(own), top.ptr);
        hone_buf_release(&top);
        first = 0;
        text += n + (end != NULL);
    }
    hone_buf_adds(&b, "]");
    const hone_value *v = parsed(arena, b.ptr);
    hone_buf_release(&b);
    return v;
}

static void test_labels(void **state)
{
    (void)state;
    static const struct {
        const char *tokens, *labels[10];
        double p[10]; /* -1 first: cannot be told */
    } rows[] = {
        /* one token a label */
        {"4=.6,5=.3,3=.1,", {" 3", " 4", " 5", " 1"}, {.1, .6, .3, 0}},
        /* the same label in two spellings */
        {"_4=.6,4=.1,5=.3,", {" 4", " 5"}, {.7, .3}},
        /* the prefix is repeated, emphasis is passed over */
        {"Ver=.9,x=.1,;dict=1,;:=1,;_=.9,4=.1,;**=1,;4=.8,2=.1,q=.1,", {" 4", " 2"}, {.8, .1}},
        {"\\\"=1,;A=.7,B=.2,", {" A", " B", " tie"}, {.7, .2, 0}},
        /* a label of several tokens, taken */
        {"t=.5,A=.3,B=.2,;ie=.9,x=.1,", {" A", " B", " tie"}, {.3, .2, .45}},
        /* it begins one and was not taken */
        {"A=.5,t=.3,B=.2,;x=1,", {" A", " B", " tie"}, {-1}},
        /* too unlikely to matter */
        {"A=.79,t=.00001,B=.2,;x=1,", {" A", " B", " tie"}, {.79, .2, 0}},
        /* 1 and 10: the next token tells */
        {"1=.8,2=.2,;0=.25,\\n=.75,", {" 1", " 2", " 10"}, {.6, .2, .2}},
        {"1=.8,2=.2,;_0=.5,.=.5,", {" 1", " 2", " 10"}, {.8, .2, 0}},
        {"1=.8,2=.2,", {" 1", " 2", " 10"}, {.8, .2, 0}},
        {"2=.8,1=.2,;x=1,", {" 1", " 2", " 10"}, {-1}},
        /* 10 is a token of its own here, so 1 is whole */
        {"2=.7,1=.2,10=.1,;x=1,", {" 1", " 2", " 10"}, {.2, .7, .1}},
        /* something else is said */
        {"I=.9,4=.1,;_think=1,;_4=1,", {" 4", " 5"}, {-1}},
        {"Ver=1,;y=1,;4=1,", {" 4", " 5"}, {-1}},
        {"", {" 4"}, {-1}},
        /* one alternative only: not a distribution, unless it is all there is */
        {"4=.6,", {" 4", " 5"}, {-1}},
        {"4=1,", {" 4", " 5"}, {1, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hone_arena arena;
        hone_str labels[10];
        double out[10];
        size_t n = 0;
        hone_arena_init(&arena, 0);
        for (; n < 10 && rows[i].labels[n]; n++)
            labels[n] = hone_str_c(rows[i].labels[n]);
        const int ok = endpoint_labels(tokens(&arena, rows[i].tokens), hone_str_c("Verdict:"),
                                       labels, n, out);
        if (ok != (rows[i].p[0] >= 0))
            fail_msg("%s: %d", rows[i].tokens, ok);
        for (size_t k = 0; ok && k < n; k++)
            if (fabs(exp(out[k]) - rows[i].p[k]) > 1e-9)
                fail_msg("%s: label %s has %g", rows[i].tokens, rows[i].labels[k], exp(out[k]));
        hone_arena_release(&arena);
    }
    hone_arena arena;
    const hone_str l = {"4", 1};
    double out;
    hone_arena_init(&arena, 0);
    static const char *const odd[] = {"{}",
                                      "[1]",
                                      "[{}]",
                                      "[{\"token\":4}]",
                                      "[{\"token\":\"4\"}]",
                                      "[{\"token\":\"4\",\"logprob\":\"x\",\"top_logprobs\":{}}]",
                                      "[{\"token\":\"4\",\"logprob\":7}]",
                                      "null"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (endpoint_labels(parsed(&arena, odd[i]), (hone_str){NULL, 0}, &l, 1, &out))
            fail_msg("%s: taken", odd[i]);
    assert_false(endpoint_labels(NULL, (hone_str){NULL, 0}, &l, 1, &out));
    hone_arena_release(&arena);
}

static void test_names_that_float(void **state)
{
    (void)state;
    static const char *const floating[] = {"gpt-4o",           "gpt-4",           "gpt-4o-latest",
                                           "org/model:latest", "claude-sonnet-4", "mistral-large",
                                           "o3-mini",          "llama3:latest",   ""};
    static const char *const fixed[] = {"gpt-4o-2024-08-06",
                                        "gpt-4-0613",
                                        "claude-3-5-sonnet-20241022",
                                        "mistral-large-2407",
                                        "meta-llama/Llama-3.1-8B-Instruct",
                                        "llama3:8b",
                                        "qwen2.5-7b.gguf",
                                        "m@sha256"};
    for (size_t i = 0; i < sizeof floating / sizeof *floating; i++)
        if (!endpoint_floats(hone_str_c(floating[i])))
            fail_msg("%s floats", floating[i]);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (endpoint_floats(hone_str_c(fixed[i])))
            fail_msg("%s does not", fixed[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_and_texts),
        cmocka_unit_test(test_a_budget_covers_the_worst),
        cmocka_unit_test(test_tokens_and_money_are_whole_numbers),
        cmocka_unit_test(test_no_order_of_things_passes_a_limit),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_usage_and_errors),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_names_that_float),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
