/* Corpus BLEU, tokenisations and stems: the parts of the text rewards below their components. */
#include "support.h"

#include "base/json.h"

#include <math.h>

#include "../../plugins/reward/text/chars.c"
#include "../../plugins/reward/text/stem.c"
#include "../../plugins/reward/text/tokenize.c"
#include "../../plugins/reward/rewards/common.c"
/* last: its names */
#include "../../plugins/reward/text/bleu.c"

static hone_arena arena;

static const hone_value *case_list(const hone_value *root, const char *name)
{
    const hone_value *v = hone_value_get(hone_value_get(root, "test_bleu.py"), name);
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

/* Memory as a reward has it, for the counts alone. */
static void *plain_resize(void *self, void *p, size_t old_size, size_t new_size)
{
    (void)self, (void)old_size;
    if (new_size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, new_size);
}
static const hone_mem_v1 plain_memory = {.struct_size = sizeof(hone_mem_v1),
                                         .resize = plain_resize};
static const reward plain = {.mem = {NULL, &plain_memory}};

/* Corpus BLEU: counts summed over segments; refs[r][i] is reference r of segment i. */
static double corpus(const hone_value *hyps, const hone_value *refs, size_t order,
                     uint32_t tokenize, uint32_t smooth, double k, int effective)
{
    bleu_counts c = {.order = order};
    for (size_t i = 0; i < hyps->u.list.n; i++) {
        hone_str r[BLEU_REFERENCES];
        for (size_t j = 0; j < refs->u.list.n; j++)
            r[j] = at(at(refs, j), i)->u.str;
        assert_true(bleu_add(&plain, at(hyps, i)->u.str, r, refs->u.list.n, tokenize, 0, &c));
    }
    return bleu_score(&c, smooth, k, effective);
}

static const hone_value *cases_file(hone_value *v)
{
    const char *path = shared_path("assets/reference/sacrebleu/cases.json");
    if (!path)
        skip_without("assets/reference/sacrebleu/cases.json");
    assert_ok(hone_json_parse_file(path, 0, &arena, v));
    return v;
}

static void close_to(const char *what, size_t i, double got, double want, double digits)
{
    if (fabs(got - want) > digits) {
        print_error("%s %zu: %.9f, wanted %.9f\n", what, i, got, want);
        _fail(__FILE__, __LINE__);
    }
}

static void test_corpus_bleu(void **state)
{
    (void)state;
    hone_value v;
    cases_file(&v);
    const hone_value *cases = case_list(&v, "test_corpus_bleu_cases");
    for (size_t i = 0; i < cases->u.list.n; i++) {
        const hone_value *c = at(cases, i), *o = at(c, 2), *t = hone_value_get(o, "tokenize"),
                         *m = hone_value_get(o, "smooth_method");
        const uint32_t how = !t || same(t->u.str, "13a") ? TOKENIZE_13A
                             : same(t->u.str, "none")    ? TOKENIZE_NONE
                                                         : TOKENIZE_INTL;
        const double got = corpus(at(c, 0), at(c, 1), 4, how, m ? BLEU_NONE : BLEU_EXP, -1, 0);
        close_to("corpus", i, 100 * got, number(at(c, 3)), 1e-6);
    }
    assert_int_equal(cases->u.list.n, 6);
    cases = case_list(&v, "test_raw_bleu_cases"); /* floor smoothing of 0.01, as its test has it */
    for (size_t i = 1; i < cases->u.list.n; i++)
        close_to(
            "raw", i,
            corpus(at(at(cases, i), 0), at(at(cases, i), 1), 4, TOKENIZE_13A, BLEU_FLOOR, .01, 0),
            number(at(at(cases, i), 2)), 1e-9);
    cases = case_list(&v, "test_bleu_max_order");
    for (size_t i = 0; i < cases->u.list.n; i++) {
        const hone_value *c = at(cases, i);
        close_to("order", i,
                 100 * corpus(at(c, 1), at(c, 2), (size_t)at(c, 0)->u.i64, TOKENIZE_13A, BLEU_EXP,
                              -1, 0),
                 strtod(at(c, 3)->u.str.ptr, NULL), 5e-3);
    }
    cases = case_list(&v, "test_case_effective_order");
    for (size_t i = 0; i < cases->u.list.n; i++) {
        const hone_value *c = at(cases, i);
        close_to("effective", i, corpus(at(c, 0), at(c, 1), 4, TOKENIZE_13A, BLEU_FLOOR, .01, 1),
                 number(at(c, 2)), 1e-9);
    }
}

static void test_scores_of_counts(void **state)
{
    (void)state;
    hone_value v;
    cases_file(&v);
    const hone_value *c = at(case_list(&v, "test_case_scoring"), 0);
    for (size_t i = 0; i < 7; i++) {
        bleu_counts n = {.order = 4};
        const hone_value *all = i ? case_list(&v, "test_case_degenerate_stats") : NULL;
        const hone_value *x = i ? at(all, i - 1) : c;
        for (size_t k = 0; k < 4; k++) {
            n.shared[k] = (size_t)at(hone_value_get(at(at(x, 0), 0), "common"), k)->u.i64;
            n.total[k] = (size_t)at(hone_value_get(at(at(x, 0), 0), "total"), k)->u.i64;
        }
        n.length = (size_t)number(at(at(x, 0), 1));
        n.reference = (size_t)number(at(at(x, 0), 2));
        const double offset = i ? number(at(x, 1)) : 0, want = number(at(x, i ? 2 : 1));
        close_to("counts", i, bleu_score(&n, BLEU_FLOOR, offset, 0), want, 1e-9);
    }
}

static void tokens(const char *in, uint32_t how, int lowercase, const char *want)
{
    char out[2000], more[2000];
    const hone_str s = hone_str_c(in);
    assert_true(TOKENIZED_SIZE(s.len) <= sizeof out);
    size_t n = text_tokenize(s, how, lowercase, out, more);
    const hone_str got = trim((hone_str){out, n});
    if (got.len != strlen(want) || memcmp(got.ptr, want, got.len) != 0) {
        print_error("%s: |%.*s|, wanted |%s|\n", in, (int)got.len, got.ptr, want);
        _fail(__FILE__, __LINE__);
    }
}

/* By hand from the rules: what 13a parts, what it keeps (1,000.5; 3.14; don't), entities, and the dash behind a digit. */
static void test_tokenisations(void **state)
{
    (void)state;
    tokens("Hello, world!", TOKENIZE_13A, 0, "Hello , world !");
    tokens("It costs $1,000.50 (3-4 days); don't.", TOKENIZE_13A, 0,
           "It costs $ 1,000.50 ( 3 - 4 days ) ; don't .");
    tokens("a-b .5 x.. &lt;b&gt; &amp;lt;", TOKENIZE_13A, 0, "a-b . 5 x . . < b > <");
    tokens("cut-\nline\nnext<skipped>", TOKENIZE_13A, 0, "cutline next");
    tokens("\xC3\x89t\xC3\xA9, 1,5 \xE2\x82\xAC", TOKENIZE_INTL, 1,
           "\xC3\xA9t\xC3\xA9 , 1,5 \xE2\x82\xAC");
    tokens("a+b. \xE2\x80\x9Cq\xE2\x80\x9D", TOKENIZE_INTL, 0,
           "a + b . \xE2\x80\x9C q \xE2\x80\x9D");
    tokens("\xC3\xA4 b", TOKENIZE_CHAR, 0, "\xC3\xA4 b");
    tokens("ab", TOKENIZE_CHAR, 0, "a b");
    tokens("A  b,c\xFF", TOKENIZE_NONE, 0, "A b,c\xFF");
    tokens("", TOKENIZE_13A, 0, "");
}

/* The examples of the paper, and the words that NLTK treats otherwise. */
static void test_stems(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"caresses", "caress"},    {"ponies", "poni"},       {"ties", "tie"},
        {"cats", "cat"},           {"feed", "feed"},         {"agreed", "agre"},
        {"plastered", "plaster"},  {"bled", "bled"},         {"motoring", "motor"},
        {"sing", "sing"},          {"conflated", "conflat"}, {"troubled", "troubl"},
        {"sized", "size"},         {"hopping", "hop"},       {"falling", "fall"},
        {"hissing", "hiss"},       {"failing", "fail"},      {"filing", "file"},
        {"happy", "happi"},        {"enjoy", "enjoy"},       {"relational", "relat"},
        {"conditional", "condit"}, {"rational", "ration"},   {"valenci", "valenc"},
        {"digitizer", "digit"},    {"operator", "oper"},     {"feudalism", "feudal"},
        {"hopefulness", "hope"},   {"formaliti", "formal"},  {"triplicate", "triplic"},
        {"formative", "form"},     {"electrical", "electr"}, {"goodness", "good"},
        {"revival", "reviv"},      {"allowance", "allow"},   {"adjustable", "adjust"},
        {"replacement", "replac"}, {"adoption", "adopt"},    {"communism", "commun"},
        {"effective", "effect"},   {"probate", "probat"},    {"rate", "rate"},
        {"cease", "ceas"},         {"controll", "control"},  {"roll", "roll"},
        {"dying", "die"},          {"skies", "sky"},         {"died", "die"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char w[40];
        snprintf(w, sizeof w, "%s", pairs[i][0]);
        const size_t n = text_stem(w, strlen(w));
        if (n != strlen(pairs[i][1]) || memcmp(w, pairs[i][1], n) != 0) {
            print_error("%s: %.*s, wanted %s\n", pairs[i][0], (int)n, w, pairs[i][1]);
            _fail(__FILE__, __LINE__);
        }
    }
}

static int open_arena(void **state)
{
    (void)state;
    hone_arena_init(&arena, 0);
    return 0;
}
static int close_arena(void **state)
{
    (void)state;
    hone_arena_release(&arena);
    return 0;
}
#define T(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_corpus_bleu), T(test_scores_of_counts),
                                       T(test_tokenisations), T(test_stems)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
