/* test_grammar.c - grammars (gen/grammar.h): what they accept, what a mask allows, what is refused and where it says so.
 *
 * Masks are compared with eating each token by itself; character classes with every character there is; bounds of
 * numbers with every number of a range. tests/integration/grammar.py samples from random grammars and schemas. */
#include "support.h"

#include "base/rng.h"
#include "gen/grammar.h"

static hone_vocab *empty_vocab(void)
{
    hone_vocab *v;
    assert_ok(hone_vocab_from(NULL, 0, &v));
    return v;
}

/* 1: the text is in the grammar; 0: it begins one that is; -1: neither. */
static int reads(hone_matcher *m, hone_str text)
{
    int32_t at;
    assert_ok(hone_matcher_eat(m, hone_matcher_start(m), text, &at));
    return at < 0 ? -1 : hone_matcher_may_end(m, at);
}

static hone_grammar *parsed(const char *text)
{
    hone_grammar *g;
    if (hone_grammar_parse(hone_str_c(text), "test", &g) < 0)
        fail_msg("%s: %s", text, hone_error_get()->what);
    return g;
}

static hone_grammar *described(const char *schema)
{
    hone_grammar *g;
    if (hone_grammar_schema(hone_str_c(schema), "test", &g) < 0)
        fail_msg("%s: %s", schema, hone_error_get()->what);
    return g;
}

typedef struct machine {
    hone_vocab *v;
    hone_grammar *g;
    hone_matcher *m;
} machine;

static machine runs(hone_grammar *g)
{
    machine x = {empty_vocab(), g, NULL};
    assert_ok(hone_matcher_create(g, x.v, &x.m));
    return x;
}

static void stop(machine *x)
{
    hone_matcher_destroy(x->m);
    hone_grammar_unref(x->g);
    hone_vocab_destroy(x->v);
}

/* yes, no: texts parted by "|"; "<empty>" is no text. */
static void check_texts(hone_grammar *g, const char *yes, const char *no)
{
    machine x = runs(g);
    for (int want = 1; want >= 0; want--) {
        char copy[4096], *save = NULL;
        snprintf(copy, sizeof copy, "%s", want ? yes : no);
        for (char *t = strtok_r(copy, "|", &save); t; t = strtok_r(NULL, "|", &save)) {
            const char *text = strcmp(t, "<empty>") == 0 ? "" : t;
            if ((reads(x.m, hone_str_c(text)) == 1) != want)
                fail_msg("%s\nshould %saccept: %s", hone_grammar_text(g).ptr, want ? "" : "not ",
                         text);
        }
    }
    stop(&x);
}

static void the_notation_means_what_it_says(void **state)
{
    static const struct {
        const char *grammar, *yes, *no;
    } c[] = {
        {"root ::= \"a\" \"b\"", "ab", "a|b|abc|<empty>"},
        {"root ::= \"a\" | \"b\" |", "a|b|<empty>", "ab"},
        {"root ::= (\"a\" | \"b\")* \"c\"", "c|abc|bbac", "ab|cc"},
        {"root ::= [a-c]{2} [0-9]{0,2}", "ab|cc1|ac12", "a|abc|ab123"},
        {"root ::= \"x\"{2,} \"y\"?", "xx|xxxxy|xxy", "x|xy|xxyy"},
        {"root ::= \"x\"{,2}", "<empty>|x|xx", "xxx"},
        {"root ::= \"x\"{0}", "<empty>", "x"},
        {"root ::= [^a-y] .", "zz|za", "a|z|zzz|ab"},
        {"root ::= [\\x41\\u00e9\\U0001F600-\\U0001F602]+", "A|\xc3\xa9|\xf0\x9f\x98\x81",
         "B|\xf0\x9f\x98\x83"},
        {"root ::= \"\\\"\\\\\\n\" [\\]\\-^]", "\"\\\n]|\"\\\n-|\"\\\n^", "\"\\\na"},
        {"# first\nroot ::= a # here\n  | \"#\"\na ::= \"1\"\n  \"2\"", "12|#", "1|2"},
        {"root ::= p\np ::= \"(\" p \")\" | \"\"", "<empty>|()|(())|((()))", "(|(()|())"},
        {"root ::= list\nlist ::= \"a\" list | \"a\"", "a|aaaaaaaa", "<empty>|b"},
        {"root ::= s\ns ::= \"a\" s s | \"b\"", "b|abb|aabbb|ababb", "a|ab|bb"},
        {"root ::= x \"c\" | y \"d\"\nx ::= [ab]*\ny ::= \"a\"*", "abc|aad|d|c", "abd|ab"},
        {"root ::= (\"\")* (\"a\"?)* (\"b\"*)+", "<empty>|aab|bb", "c"},
        {"root ::= n\nn ::= \"\" | e \"x\"\ne ::= \"\"", "<empty>|x", "xx"},
        {"root ::= ([0-9]+ \",\"){3}", "1,22,3,", "1,2,|1,2,3,4,"},
        {"root ::= [^\"]* \"\\\"\"", "a\xe2\x82\xac\"", "a|\"\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++)
        check_texts(parsed(c[i].grammar), c[i].yes, c[i].no);
}

static void what_cannot_be_run_is_refused_by_place(void **state)
{
    static const struct {
        const char *grammar, *says;
        hone_status code;
    } c[] = {
        {"rot ::= \"a\"", "no rule \"root\"", HONE_E_PARSE},
        {"", "no rule \"root\"", HONE_E_PARSE},
        {"root ::= \"a\" | valeu\nvalue ::= \"b\"", "test:1:16: there is no rule \"valeu\"",
         HONE_E_PARSE},
        {"root ::= \"a\"\nroot ::= \"b\"", "test:2:1: rule root is there already, in line 1",
         HONE_E_PARSE},
        {"root ::= \"a", "test:1:10: this \" is not closed", HONE_E_PARSE},
        {"root ::= [a-", "test:1:10: this [ is not closed", HONE_E_PARSE},
        {"root ::= []", "test:1:10: no character is in this class", HONE_E_PARSE},
        {"root ::= [z-a]", "ends before it begins", HONE_E_PARSE},
        {"root ::=\n ( \"a\" ", "test:2:2: this ( is not closed", HONE_E_PARSE},
        {"root ::= \"a\" )", "closes nothing", HONE_E_PARSE},
        {"root ::= \"\\q\"", "\\q is not known", HONE_E_PARSE},
        {"root ::= \"\\ud800\"", "U+D800 is no character", HONE_E_PARSE},
        {"root ::= \"\\x4\"", "2 hexadecimal digits", HONE_E_PARSE},
        {"root ::= \"a\"{3,2}", "{3,2} ends before it begins", HONE_E_PARSE},
        {"root ::= \"a\"{1000001}", "more than 100000 repetitions", HONE_E_PARSE},
        {"root ::= \"a\"{x}", "a number is wanted", HONE_E_PARSE},
        {"root ::= \"a\"*****", "more than 4 repetitions of one item", HONE_E_PARSE},
        {"root ::= <think>", "tokens (<...>) are not offered", HONE_E_PARSE},
        {"root ::= \"a\" ; ", "';' has no meaning here", HONE_E_PARSE},
        {"\"a\"", "a rule is wanted here", HONE_E_PARSE},
        {"root ::= ( a ::= \"x\" )", "a rule begins inside parentheses", HONE_E_PARSE},
        {"root ::= \"\xff\"", "not UTF-8", HONE_E_PARSE},
        {"root ::= root \"a\" | \"b\"", "test:1:1: rule root begins with itself", HONE_E_PARSE},
        {"root ::= a\na ::= b \"x\" | \"y\"\nb ::= \"\" a", "begins with itself", HONE_E_PARSE},
        {"root ::= a\na ::= b? a \"x\" | \"y\"\nb ::= \"z\"", "test:2:1: rule a begins with itself",
         HONE_E_PARSE},
        {"root ::= a\na ::= e a\ne ::= \"q\" | \"\"", "begins with itself", HONE_E_PARSE},
        {"root ::= (root \"x\" | \"yyyyyy\"){2,3}", "rule root begins with itself", HONE_E_PARSE},
        {"root ::= \"a\" | b\nb ::= \"b\" b", "test:2:1: rule b can never end", HONE_E_PARSE},
        {"root ::= ((\"a\"{9999} \"bbbb\"){9999} \"c\"){9999} | ([a-z]{60000} | "
         "[0-9]{60000}){60000}"
         " ([a-z]{60000} \"x\"){60000} ([b-z]{60000} [a-z]{90000}) [b-z]{90000} [a-z]{90000} "
         "[a-z]{90000} [a-z]{90000}"
         " [a-z]{90000} [a-z]{90000} [a-z]{90000} [a-z]{90000}",
         "the grammar is too large", HONE_E_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        hone_grammar *g = NULL;
        assert_fails(hone_grammar_parse(hone_str_c(c[i].grammar), "test", &g), c[i].code,
                     c[i].says);
        assert_null(g);
    }
    char deep[2000] = "root ::= ";
    memset(deep + 9, '(', 900);
    assert_fails(hone_grammar_parse(hone_str_c(deep), "test", &(hone_grammar *){NULL}),
                 HONE_E_PARSE, "more than 200 parentheses");
}

/* What is no left recursion: loops over nothing, a rule that comes back after a character. */
static void what_looks_like_left_recursion_runs(void **state)
{
    (void)state;
    check_texts(parsed("root ::= a* b\na ::= \"\"\nb ::= \"x\" b | \"\""), "<empty>|xxx", "a");
    check_texts(parsed("root ::= a a\na ::= b b\nb ::= \"x\"?"), "<empty>|x|xxxx", "xxxxx");
}

/* ---- characters ------------------------------------------------------------------------------------------ */

static size_t spell(uint32_t c, char *b)
{
    if (c < 0x80) {
        b[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        b[0] = (char)(0xc0 | c >> 6);
        b[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        b[0] = (char)(0xe0 | c >> 12);
        b[1] = (char)(0x80 | (c >> 6 & 63));
        b[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    b[0] = (char)(0xf0 | c >> 18);
    b[1] = (char)(0x80 | (c >> 12 & 63));
    b[2] = (char)(0x80 | (c >> 6 & 63));
    b[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void a_class_holds_its_characters_and_no_other(void **state)
{
    static const struct {
        uint32_t lo, hi;
    } edges[] = {{0x41, 0x41},     {0x7f, 0x80},      {0x7ff, 0x800},     {0x100, 0x1fff},
                 {0xd7ff, 0xe000}, {0xfff0, 0x1000f}, {0x3f000, 0x40001}, {0x10ffff, 0x10ffff},
                 {0, 0},           {0x345, 0x12345}};
    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (int negate = 0; negate < 2; negate++) {
            char text[80], b[4];
            snprintf(text, sizeof text, "root ::= [%s\\U%08x-\\U%08x]", negate ? "^" : "",
                     edges[i].lo, edges[i].hi);
            machine x = runs(parsed(text));
            for (uint32_t c = 0; c <= 0x10ffff; c++) {
                const int in = c >= edges[i].lo && c <= edges[i].hi;
                if (c >= 0xd800 && c <= 0xdfff)
                    continue;
                const hone_str s = {b, spell(c, b)};
                if ((reads(x.m, s) == 1) != (in != negate))
                    fail_msg("%s: U+%04X", text, c);
            }
            assert_int_equal(reads(x.m, (hone_str){"\xed\xa0\x80", 3}),
                             -1);                                        /* half a surrogate pair */
            assert_int_equal(reads(x.m, (hone_str){"\xc0\x80", 2}), -1); /* too long a spelling */
            assert_int_equal(reads(x.m, (hone_str){"\xf4\x90\x80\x80", 4}), -1);
            stop(&x);
        }
}

/* ---- masks -------------------------------------------------------------------------------------------------- */

enum { TOKENS = 700 };

/* Random pieces of texts, cut anywhere, also within a character; some twice; some empty. */
static hone_vocab *random_vocab(uint64_t seed, const char *source, char store[TOKENS][12],
                                hone_str *list)
{
    hone_rng_key key = {.seed = seed};
    const size_t n = strlen(source);
    hone_vocab *v;
    for (size_t i = 0; i < TOKENS; i++) {
        size_t len = i % 29 == 0 ? 0 : 1 + (size_t)(hone_rng_uniform(&key, 3 * i) * 8);
        const size_t at = (size_t)(hone_rng_uniform(&key, 3 * i + 1) * (double)n);
        len = len > n - at ? n - at : len;
        memcpy(store[i], source + at, len);
        if (len && i % 3 == 0)
            store[i][len - 1] = (char)(hone_rng_uniform(&key, 3 * i + 2) * 256);
        list[i] = (hone_str){store[i], len};
    }
    assert_ok(hone_vocab_from(list, TOKENS, &v));
    return v;
}

static void a_mask_allows_the_tokens_that_can_be_eaten(void **state)
{
    static const char *const grammars[] = {
        "root ::= any\nany ::= \"[\" (any (\",\" any)*)? \"]\" | \"{\" (str \":\" any (\",\" str "
        "\":\" any)*)? \"}\" | str | num\n"
        "str ::= \"\\\"\" [^\"\\\\\\x00-\\x1f]* \"\\\"\"\nnum ::= \"-\"? [0-9]+",
        "root ::= ([a-z\xc3\xa9]{3,9} [,:\"]*)*",
        "root ::= p\np ::= \"[\" p \"]\" | \"{\" p \"}\" | [^\\[\\]{}]*",
    };
    static const char source[] =
        "[[{\"a\":[12,-3,{}],\"caf\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x98\x80\"}]]]}abc:,,\"xyz\","
        "\"\":{\"k\":[]}";
    static char store[TOKENS][12];
    hone_str list[TOKENS];
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        hone_vocab *v = random_vocab(k + 1, source, store, list);
        hone_grammar *g = parsed(grammars[k]);
        hone_rng_key key = {.seed = 77 + k};
        hone_matcher *m;
        size_t steps = 0, widest = 0;
        assert_ok(hone_matcher_create(g, v, &m));
        int32_t at = hone_matcher_start(m);
        for (uint64_t round = 0; round < 300; round++) {
            const uint64_t *mask;
            size_t n, some = 0, pick = 0;
            assert_ok(hone_matcher_mask(m, at, &mask, &n));
            for (size_t i = 0; i < TOKENS; i++) {
                int32_t next;
                assert_ok(hone_matcher_eat(m, at, list[i], &next));
                const int may = next >= 0 && list[i].len > 0;
                if ((int)(mask[i / 64] >> (i % 64) & 1) != may)
                    fail_msg("grammar %zu, round %d, token %zu: the mask is wrong", k, (int)round,
                             i);
                some += (size_t)may;
            }
            assert_int_equal(n, some);
            widest = n > widest ? n : widest;
            if (n == 0) {
                at = hone_matcher_start(m);
                continue;
            }
            size_t left = (size_t)(hone_rng_uniform(&key, round) * (double)n);
            for (pick = 0; !(mask[pick / 64] >> (pick % 64) & 1) || left--; pick++)
                ;
            assert_ok(hone_matcher_eat(m, at, list[pick], &at));
            steps++;
            if (round % 50 == 49) { /* what was forgotten is found again */
                int32_t held[3] = {at, -1, hone_matcher_start(m)};
                const size_t before = hone_matcher_states(m);
                assert_ok(hone_matcher_trim(m, held, 3));
                assert_int_equal(held[1], -1);
                assert_int_equal(held[2], hone_matcher_start(m));
                assert_true(hone_matcher_states(m) <= 2 && before > 2);
                at = held[0];
            }
        }
        assert_true(steps > 100 && widest > 10);
        hone_matcher_destroy(m);
        hone_grammar_unref(g);
        hone_vocab_destroy(v);
    }
}

static void a_loop_runs_in_finitely_many_states(void **state)
{
    (void)state;
    machine x = runs(
        parsed("root ::= list\nlist ::= item \",\" list | item\nitem ::= [a-z] item | [a-z]"));
    char text[3000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 7 == 6 ? ',' : (char)('a' + i % 26);
    assert_int_not_equal(reads(x.m, (hone_str){text, sizeof text}), -1);
    assert_true(hone_matcher_states(x.m) < 10);
    stop(&x);
    /* nesting does need one state a level, and comes back to them */
    x = runs(parsed("root ::= p\np ::= \"(\" p \")\" | \"\""));
    memset(text, '(', 1000);
    memset(text + 1000, ')', 1000);
    assert_int_equal(reads(x.m, (hone_str){text, 2000}), 1);
    assert_int_equal(reads(x.m, (hone_str){text, 1999}), 0);
    stop(&x);
}

static void too_many_readings_are_refused(void **state)
{
    (void)state;
    machine x = runs(
        parsed("root ::= s\ns ::= \"a\" s \"x\" | \"a\" s \"y\" | \"a\" s \"z\" | \"b\""));
    int32_t at;
    char text[40];
    memset(text, 'a', sizeof text);
    assert_fails(hone_matcher_eat(x.m, hone_matcher_start(x.m), (hone_str){text, sizeof text}, &at),
                 HONE_E_LIMIT, "too ambiguous");
    stop(&x);
}

/* ---- schemas -------------------------------------------------------------------------------------------- */

static void a_schema_describes_its_values(void **state)
{
    static const struct {
        const char *schema, *yes, *no;
    } c[] = {
        {"{\"enum\":[\"a\",1,null,{\"k\":[true]}]}", "\"a\"|1|null|{\"k\":[true]}", "\"b\"|2|true"},
        {"{\"type\":\"string\",\"enum\":[\"a\",1]}", "\"a\"", "1"},
        {"{\"const\":\"x\\\"\\n\"}", "\"x\\\"\\n\"", "\"x\""},
        {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
         "\"ab\"|\"\\n\\u00e9\xe2\x82\xac\"", "\"a\"|\"abcd\""},
        {"{\"type\":[\"integer\",\"null\"]}", "0|-12|null", "01|1.5|\"1\"|-"},
        {"{\"type\":\"number\"}", "0|-1.50|2e10|1.5E-3", "1.|.5|01|1e"},
        {"{\"type\":\"integer\",\"minimum\":-3,\"maximum\":12}", "-3|-1|0|9|10|12",
         "-4|13|-0|00|100"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":1,\"maxItems\":2}",
         "[true]|[true, false]", "[]|[true,true,true]|[1]"},
        {"{\"type\":\"array\",\"maxItems\":0}", "[]|[ ]", "[1]"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"null\"},\"maxItems\":1}", "[]|[null]",
         "[null,null]"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"},\"b\":true},\"required\":["
         "\"b\"]}",
         "{\"b\":1}|{\"a\":null,\"b\":[]}|{ \"b\": {\"z\": 1} }",
         "{}|{\"a\":null}|{\"b\":1,\"a\":null}|{\"a\":1,\"b\":1}|{,\"b\":1}"},
        {"{\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{\"type\":\"null\"}}}",
         "{}|{\"a\":null}|{\"b\":null}|{\"a\":null,\"b\":null}", "{\"a\":null,}|{\"c\":null}"},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
         "{}|{\"x\":1,\"y\":2}", "{\"x\":\"1\"}"},
        {"{\"type\":\"object\",\"additionalProperties\":false}", "{}", "{\"x\":1}"},
        {"true", "[1,{\"a\":\"b\"}]|\"x\"|-0.5e3", "[1,]|{a:1}|nul"},
        {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"maxLength\":1}]}", "7|\"a\"",
         "\"ab\"|null"},
        {"{\"$ref\":\"#/$defs/t\",\"$defs\":{\"t\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/"
         "$defs/t\"}}}}",
         "[]|[[],[[]]]", "[1]|[[]"},
        {"{\"$defs\":{\"a/b\":{\"const\":5}},\"anyOf\":[{\"$ref\":\"#/$defs/"
         "a~1b\"},{\"type\":\"null\"}]}",
         "5|null", "6"},
        {"{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"k\":{\"const\":\"a\"},\"v\":{\"type\":"
         "\"null\"}},\"required\":[\"k\"]},"
         "{\"type\":\"object\",\"properties\":{\"k\":{\"enum\":[\"b\",\"c\"]}},\"required\":[\"k\"]"
         "}]}",
         "{\"k\":\"a\"}|{\"k\":\"b\"}|{\"k\":\"a\",\"v\":null}",
         "{\"k\":\"d\"}|{\"k\":\"b\",\"v\":null}"},
        {"{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}\\\\d+$\"}", "\"AB1\"|\"ZZ99\"",
         "\"A1\"|\"AB\"|\"AB1 \""},
        {"{\"type\":\"string\",\"pattern\":\"a.c\"}", "\"abc\"|\"xxa-cyy\"|\"a\\\"c\"",
         "\"ac\"|\"ab\""},
        {"{\"pattern\":\"^(yes|no)\\\\s?[^\\\"\\\\\\\\]*\\\\t?$\"}", "\"yes\"|\"no ok\"|\"yes\\t\"",
         "\"maybe\"|\"noX\\\"\""},
        {"{\"pattern\":\"\"}", "\"\"|\"x\"", "x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        char yes[512];
        snprintf(yes, sizeof yes, "%s", c[i].yes);
        check_texts(described(c[i].schema), yes, c[i].no);
    }
}

static void what_a_schema_cannot_say_here_is_refused_by_name(void **state)
{
    static const struct {
        const char *schema, *says;
        hone_status code;
    } c[] = {
        {"{\"type\":\"array\",\"uniqueItems\":true}",
         "test: #: the keyword \"uniqueItems\" is not supported", HONE_E_UNSUPPORTED},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"format\":\"date\"}}}",
         "test: #/properties/a: the keyword \"format\" is not supported", HONE_E_UNSUPPORTED},
        {"{\"type\":\"object\",\"proprties\":{}}", "\"proprties\"", HONE_E_UNSUPPORTED},
        {"{\"allOf\":[true]}", "\"allOf\"", HONE_E_UNSUPPORTED},
        {"{\"type\":\"integer\",\"multipleOf\":2}", "\"multipleOf\"", HONE_E_UNSUPPORTED},
        {"{\"type\":\"integer\",\"minLength\":2}", "\"minLength\" says nothing about this type",
         HONE_E_INVALID},
        {"{\"type\":\"text\"}", "this is not a type", HONE_E_INVALID},
        {"{\"type\":\"object\",\"properties\":{},\"required\":[\"x\"]}",
         "\"x\" is required and not among the properties", HONE_E_INVALID},
        {"{\"type\":\"object\",\"properties\":{\"a\":true},\"additionalProperties\":true}",
         "additionalProperties beside properties", HONE_E_UNSUPPORTED},
        {"{\"type\":\"object\",\"anyOf\":[true]}", "\"type\" beside \"anyOf\"", HONE_E_UNSUPPORTED},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}",
         "valid under choices 1 and 2", HONE_E_UNSUPPORTED},
        {"{\"oneOf\":[{\"const\":1},{\"const\":1.0}]}", "valid under choices 1 and 2",
         HONE_E_UNSUPPORTED},
        {"{\"$ref\":\"other.json\"}", "is not in this schema", HONE_E_UNSUPPORTED},
        {"{\"$ref\":\"#/$defs/none\"}", "leads to nothing", HONE_E_INVALID},
        {"{\"$ref\":\"#\"}", "begins with itself", HONE_E_PARSE},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
         "can never end", HONE_E_PARSE},
        {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":2}", "no integer lies between the bounds",
         HONE_E_INVALID},
        {"{\"type\":\"integer\",\"exclusiveMinimum\":2,\"exclusiveMaximum\":3}",
         "no integer lies between", HONE_E_INVALID},
        {"{\"type\":\"number\",\"minimum\":1e40}", "too many digits", HONE_E_UNSUPPORTED},
        {"{\"type\":\"string\",\"minLength\":-1}", "minLength is a whole number", HONE_E_INVALID},
        {"{\"type\":\"string\",\"minLength\":3,\"maxLength\":2}", "maxLength is below minLength",
         HONE_E_INVALID},
        {"{\"enum\":[]}", "enum is a list of one value or more", HONE_E_INVALID},
        {"{\"type\":\"null\",\"enum\":[1]}", "no value of enum has the type", HONE_E_INVALID},
        {"{\"pattern\":\"(?=a)b\"}", "look-around", HONE_E_UNSUPPORTED},
        {"{\"pattern\":\"(a)\\\\1\"}", "a reference to a group", HONE_E_UNSUPPORTED},
        {"{\"pattern\":\"^a|b$\"}", "beside a |", HONE_E_UNSUPPORTED},
        {"{\"pattern\":\"a(b\"}", "a ( is not closed", HONE_E_INVALID},
        {"{\"pattern\":\"^a$\",\"maxLength\":3}", "pattern beside minLength or maxLength",
         HONE_E_UNSUPPORTED},
        {"false", "nothing is valid under false", HONE_E_INVALID},
        {"[1]", "a schema is an object, or true", HONE_E_INVALID},
        {"{\"type\":", "test:1:", HONE_E_PARSE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        hone_grammar *g = NULL;
        if (hone_grammar_schema(hone_str_c(c[i].schema), "test", &g) >= 0)
            fail_msg("%s is not refused", c[i].schema);
        assert_fails(hone_grammar_schema(hone_str_c(c[i].schema), "test", &g), c[i].code,
                     c[i].says);
    }
}

static void bounds_hold_for_every_integer(void **state)
{
    static const int lows[] = {-1203, -100, -99, -1, 0, 1, 7, 99, 100, 205},
                     n = (int)(sizeof lows / sizeof *lows);
    (void)state;
    for (int a = 0; a < n; a++)
        for (int b = a; b < n; b++) {
            char schema[120], text[24];
            snprintf(schema, sizeof schema, "{\"type\":\"integer\",\"minimum\":%d,\"maximum\":%d}",
                     lows[a], lows[b]);
            machine x = runs(described(schema));
            for (int i = -1300; i <= 1300; i++) {
                snprintf(text, sizeof text, "%d", i);
                if ((reads(x.m, hone_str_c(text)) == 1) != (i >= lows[a] && i <= lows[b]))
                    fail_msg("%s: %d", schema, i);
            }
            stop(&x);
        }
}

/* In thousandths, spelled with 0 to 3 digits behind the point and with zeros behind. */
static void bounds_hold_for_every_number(void **state)
{
    static const int at[] = {-2500, -1000, -999, -5, 0, 1, 130, 999, 1000, 1050, 2000, 2345};
    const int n = (int)(sizeof at / sizeof *at);
    (void)state;
    for (int a = 0; a < n; a++)
        for (int b = a; b < n; b++)
            for (int strict = 0; strict < 4; strict++) {
                char schema[160], text[32];
                if (a == b && strict)
                    continue;
                snprintf(schema, sizeof schema,
                         "{\"type\":\"number\",\"%s\":%d.%03d,\"%s\":%s%d.%03d}",
                         strict & 1 ? "exclusiveMinimum" : "minimum", at[a] / 1000,
                         abs(at[a]) % 1000, strict & 2 ? "exclusiveMaximum" : "maximum", "",
                         at[b] / 1000, abs(at[b]) % 1000);
                if (at[a] < 0 && at[a] > -1000)
                    snprintf(schema, sizeof schema,
                             "{\"type\":\"number\",\"%s\":-0.%03d,\"%s\":%s%d.%03d}",
                             strict & 1 ? "exclusiveMinimum" : "minimum", -at[a],
                             strict & 2 ? "exclusiveMaximum" : "maximum",
                             at[b] < 0 && at[b] > -1000 ? "-" : "", at[b] / 1000,
                             abs(at[b]) % 1000);
                else if (at[b] < 0 && at[b] > -1000)
                    continue;
                machine x = runs(described(schema));
                for (int v = -2600; v <= 2600; v++) {
                    const int in = (strict & 1 ? v > at[a] : v >= at[a]) &&
                                   (strict & 2 ? v < at[b] : v <= at[b]);
                    const char *sign = v < 0 ? "-" : "";
                    for (int zeros = 0; zeros < 3; zeros++) {
                        int digits = snprintf(text, sizeof text, "%s%d.%03d", sign, abs(v) / 1000,
                                              abs(v) % 1000);
                        if (zeros == 0) /* the shortest spelling */
                            while (text[digits - 1] == '0' || text[digits - 1] == '.') {
                                const char gone = text[--digits];
                                text[digits] = '\0';
                                if (gone == '.')
                                    break;
                            }
                        else if (zeros == 2)
                            strcat(text, "00");
                        if ((reads(x.m, hone_str_c(text)) == 1) != in)
                            fail_msg("%s: %s", schema, text);
                    }
                }
                stop(&x);
            }
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

static hone_status a_whole_life(const char *schema, const char *gbnf)
{
    static const hone_str tokens[] = {{"{", 1},  {"\"", 1}, {"a", 1}, {"\":", 2},
                                      {"12", 2}, {"}", 1},  {" ", 1}};
    hone_vocab *v = NULL;
    hone_grammar *g = NULL;
    hone_matcher *m = NULL;
    const uint64_t *mask;
    size_t n;
    int32_t at = -1;
    hone_status s = schema ? hone_grammar_schema(hone_str_c(schema), "test", &g)
                           : hone_grammar_parse(hone_str_c(gbnf), "test", &g);
    if (s >= 0)
        s = hone_vocab_from(tokens, sizeof tokens / sizeof *tokens, &v);
    if (s >= 0)
        s = hone_matcher_create(g, v, &m);
    if (s >= 0)
        at = hone_matcher_start(m);
    for (size_t i = 0; s >= 0 && i < 4 && at >= 0; i++) {
        s = hone_matcher_mask(m, at, &mask, &n);
        if (s >= 0)
            s = hone_matcher_eat(m, at, tokens[i], &at);
    }
    if (s >= 0)
        s = hone_matcher_trim(m, &at, 1);
    hone_matcher_destroy(m);
    hone_vocab_destroy(v);
    hone_grammar_unref(g);
    return s;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_survives_no_memory(
        a_whole_life("{\"$defs\":{\"t\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
                     "t\"}}},\"anyOf\":[{\"$ref\":\"#/$defs/t\"},"
                     "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"minimum\":"
                     "0.5,\"maximum\":12},\"b\":{\"pattern\":"
                     "\"^x[^y]+$\"},\"c\":{\"enum\":[1,\"z\"]}}}]}",
                     NULL));
    assert_survives_no_memory(
        a_whole_life(NULL, "root ::= \"{\" ws p \"}\"\np ::= \"\\\"\" [^\"]{1,20} \"\\\":\" p | "
                           "[0-9]+\nws ::= \" \"*"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_notation_means_what_it_says),
        cmocka_unit_test(what_cannot_be_run_is_refused_by_place),
        cmocka_unit_test(what_looks_like_left_recursion_runs),
        cmocka_unit_test(a_class_holds_its_characters_and_no_other),
        cmocka_unit_test(a_mask_allows_the_tokens_that_can_be_eaten),
        cmocka_unit_test(a_loop_runs_in_finitely_many_states),
        cmocka_unit_test(too_many_readings_are_refused),
        cmocka_unit_test(a_schema_describes_its_values),
        cmocka_unit_test(what_a_schema_cannot_say_here_is_refused_by_name),
        cmocka_unit_test(bounds_hold_for_every_integer),
        cmocka_unit_test(bounds_hold_for_every_number),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
