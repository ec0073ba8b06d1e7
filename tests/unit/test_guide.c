/* test_guide.c - generation within a grammar (gen/gen.h): who has none keeps their bits, a grammar of everything changes nothing, the end
 * comes where it may, and a cut says so.
 *
 * The tokenizer here spells token i as the i-th letter, so that a sample's text is seen in its ids. What is drawn from schemas and
 * grammars with real tokenizers: tests/integration/grammar.py. */
#include "model_shapes.h"

#include "gen/gen.h"
#include "hone/reward.h"

enum { TOKENS = 24, SAMPLES = 4, PROMPTS = 3, LETTERS = 26, MUTE = LETTERS, END };

/* ---- a tokenizer of letters: ids from LETTERS on spell nothing ------------------------------------------------ */

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
static int vocabulary; /* of the model */

static hone_str token_bytes(void *self, int32_t id)
{
    (void)self;
    return id >= 0 && id < LETTERS ? (hone_str){letters + id, 1} : (hone_str){"", 0};
}
static hone_status decode(void *self, const hone_ids *ids, size_t n, uint32_t flags,
                          const hone_text_sink *sink)
{
    char text[256];
    (void)flags;
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        for (size_t k = 0; k < ids[i].n && len < sizeof text; k++) {
            const hone_str b = token_bytes(self, ids[i].ids[k]);
            if (b.len)
                text[len++] = b.ptr[0];
        }
        hone_status s = sink->put(sink, i, (hone_str){text, len});
        if (s < 0)
            return s;
    }
    return HONE_OK;
}
static int32_t vocab_size(void *self)
{
    (void)self;
    return vocabulary;
}
static int32_t special(void *self, const char *name)
{
    (void)self;
    (void)name;
    return -1;
}
static int32_t is_special(void *self, int32_t id)
{
    (void)self;
    return id == END;
}
static int32_t token_id(void *self, hone_str text)
{
    (void)self;
    (void)text;
    return -1;
}
static void fingerprint(void *self, char hex[65])
{
    (void)self;
    memset(hex, '0', 64);
    hex[64] = '\0';
}
static hone_status encode(void *self, const hone_str *texts, size_t n, uint32_t flags,
                          const hone_ids_sink *sink)
{
    (void)self;
    (void)texts;
    (void)n;
    (void)flags;
    (void)sink;
    return HONE_E_UNSUPPORTED;
}
static const hone_tokenizer_v1 table = {.struct_size = sizeof table,
                                        .encode = encode,
                                        .decode = decode,
                                        .vocab_size = vocab_size,
                                        .token_bytes = token_bytes,
                                        .token_text = token_bytes,
                                        .token_id = token_id,
                                        .special = special,
                                        .is_special = is_special,
                                        .fingerprint = fingerprint};

/* ---- drawing ------------------------------------------------------------------------------------------------ */

typedef struct drawn {
    int32_t ids[PROMPTS * SAMPLES][TOKENS];
    float logprob[PROMPTS * SAMPLES][TOKENS], full[PROMPTS * SAMPLES][TOKENS];
    char text[PROMPTS * SAMPLES][TOKENS + 1];
    size_t n[PROMPTS * SAMPLES];
    uint32_t finish[PROMPTS * SAMPLES];
} drawn;

static hone_status keep(void *ctx, const hone_completion *c)
{
    drawn *d = ctx;
    assert_true(c->sample < PROMPTS * SAMPLES && c->n <= TOKENS && c->text.len <= TOKENS);
    memcpy(d->ids[c->sample], c->ids, c->n * sizeof *c->ids);
    memcpy(d->logprob[c->sample], c->logprob, c->n * sizeof *c->logprob);
    memcpy(d->full[c->sample], c->full, c->n * sizeof *c->full);
    memcpy(d->text[c->sample], c->text.ptr, c->text.len);
    d->text[c->sample][c->text.len] = '\0';
    d->n[c->sample] = c->n;
    d->finish[c->sample] = c->finish;
    return HONE_OK;
}

static hone_gen_params rules(drawn *d)
{
    static const int32_t end = END;
    memset(d, 0, sizeof *d);
    return (hone_gen_params){.rule = {.temperature = 1, .top_p = 1, .repetition_penalty = 1},
                             .seed = 3,
                             .max_tokens = TOKENS,
                             .stop_ids = &end,
                             .n_stop_ids = 1,
                             .adapters = HONE_ADAPTERS_ACTIVE,
                             .ctx = d,
                             .on_finish = keep};
}

/* Three prompts; grammar k is that of prompt k, "" none. */
static hone_status run(hone_gen *g, const hone_gen_params *p, const char *const grammars[PROMPTS])
{
    static const int32_t ids[PROMPTS][2] = {{1, 2}, {3, 4}, {5, 6}};
    hone_gen_prompt prompts[PROMPTS];
    hone_grammar *list[PROMPTS] = {NULL};
    hone_status s = HONE_OK;
    for (int i = 0; i < PROMPTS; i++) {
        if (grammars[i][0])
            assert_ok(hone_grammar_parse(hone_str_c(grammars[i]), "test", &list[i]));
        prompts[i] = (hone_gen_prompt){.ids = ids[i],
                                       .n = 2,
                                       .first_sample = (uint64_t)(i * SAMPLES),
                                       .n_samples = SAMPLES,
                                       .grammar = list[i]};
    }
    s = hone_gen_run(g, prompts, PROMPTS, p);
    for (int i = 0; i < PROMPTS; i++)
        hone_grammar_unref(list[i]);
    return s;
}

static void same(const drawn *a, const drawn *b, int prompt)
{
    for (int k = prompt * SAMPLES; k < (prompt + 1) * SAMPLES; k++) {
        assert_int_equal(a->n[k], b->n[k]);
        assert_int_equal(a->finish[k], b->finish[k]);
        assert_memory_equal(a->ids[k], b->ids[k], sizeof a->ids[k]);
        assert_memory_equal(a->logprob[k], b->logprob[k], sizeof a->logprob[k]);
        assert_memory_equal(a->full[k], b->full[k], sizeof a->full[k]);
        assert_string_equal(a->text[k], b->text[k]);
    }
}

typedef struct engine {
    test_model t;
    hone_tokenizer tokenizer;
    hone_gen *g;
} engine;

static void open_engine(engine *e)
{
    e->t = random_model(TIED);
    vocabulary = (int)e->t.m->info.vocab_size;
    assert_true(vocabulary > END);
    assert_ok(hone_tokenizer_init(&e->tokenizer, NULL, (hone_ref){NULL, &table}));
    assert_ok(hone_gen_create(e->t.m, &e->tokenizer, pool, &e->g));
}

static void close_engine(engine *e)
{
    hone_gen_destroy(e->g);
    model_close(&e->t);
}

static void who_has_no_grammar_keeps_their_bits(void **state)
{
    engine e;
    static drawn alone, beside;
    (void)state;
    open_engine(&e);
    hone_gen_params p = rules(&alone);
    assert_ok(run(e.g, &p, (const char *const[]){"", "", ""}));
    p = rules(&beside);
    assert_ok(run(e.g, &p, (const char *const[]){"", "root ::= [a-c]{2,}", ""}));
    same(&alone, &beside, 0);
    same(&alone, &beside, 2);
    for (int k = SAMPLES; k < 2 * SAMPLES; k++)
        for (const char *c = beside.text[k]; *c; c++)
            assert_in_range(*c, 'a', 'c');
    /* greedy, and with a rule that truncates */
    p = rules(&beside);
    p.rule.top_k = 3;
    assert_ok(
        run(e.g, &p,
            (const char *const[]){"root ::= [x-z]*", "root ::= [a-c]{2,}", "root ::= \"q\"{4}"}));
    for (int k = 0; k < SAMPLES; k++)
        for (const char *c = beside.text[k]; *c; c++)
            assert_in_range(*c, 'x', 'z');
    for (int k = 2 * SAMPLES; k < 3 * SAMPLES; k++)
        assert_string_equal(beside.text[k], "qqqq");
    close_engine(&e);
}

/* Where all that the model may draw is allowed, ids and log-probs are those of free samples. */
static hone_status only_letters(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                                size_t n_ids, float *logits, int64_t n)
{
    (void)ctx;
    (void)prompt;
    (void)sample;
    (void)ids;
    (void)n_ids;
    for (int64_t i = LETTERS; i < n; i++)
        logits[i] = -INFINITY;
    return HONE_OK;
}

static void a_grammar_of_everything_changes_nothing(void **state)
{
    static const char all[] = "root ::= [a-z]*";
    engine e;
    static drawn free_, guided;
    (void)state;
    open_engine(&e);
    hone_gen_params p = rules(&free_);
    p.logits = only_letters;
    assert_ok(run(e.g, &p, (const char *const[]){"", "", ""}));
    p = rules(&guided);
    p.ignore_stop_ids = 1; /* an end could come at any place */
    assert_ok(run(e.g, &p, (const char *const[]){all, all, all}));
    for (int i = 0; i < PROMPTS; i++)
        same(&free_, &guided, i);
    close_engine(&e);
}

static void the_end_comes_where_it_may(void **state)
{
    engine e;
    static drawn d;
    (void)state;
    open_engine(&e);
    hone_gen_params p = rules(&d);
    assert_ok(run(e.g, &p,
                  (const char *const[]){"root ::= \"ab\" [c-e]{1,4}", "root ::= \"\"",
                                        "root ::= [f-h]{30}"}));
    for (int k = 0; k < SAMPLES; k++) {
        assert_int_equal(d.finish[k], HONE_FINISH_STOP);
        assert_in_range(strlen(d.text[k]), 3, 6);
        assert_int_equal(d.ids[k][d.n[k] - 1], END);
        assert_true(d.logprob[k][0] > -1e-6f &&
                    d.full[k][0] < -1e-3f); /* "a" was certain here, not to the model */
    }
    for (int k = SAMPLES; k < 2 * SAMPLES; k++) {
        assert_string_equal(d.text[k], "");
        assert_int_equal(d.n[k], 1);
        assert_int_equal(d.finish[k], HONE_FINISH_STOP);
    }
    for (int k = 2 * SAMPLES; k < 3 * SAMPLES; k++) {
        assert_int_equal(d.finish[k], HONE_FINISH_LENGTH);
        assert_int_equal(strlen(d.text[k]), TOKENS);
    }
    /* whole at the last token: it stops, though no end was drawn */
    p = rules(&d);
    assert_ok(run(
        e.g, &p,
        (const char *const[]){"root ::= [f-h]{24}", "root ::= [f-h]{24}", "root ::= [f-h]{24,}"}));
    assert_int_equal(d.finish[0], HONE_FINISH_STOP);
    assert_int_equal(d.finish[2 * SAMPLES], HONE_FINISH_LENGTH);
    /* without an end token a grammar that is over ends the sample */
    p = rules(&d);
    p.n_stop_ids = 0;
    assert_ok(run(
        e.g, &p,
        (const char *const[]){"root ::= \"xyz\"", "root ::= \"q\"", "root ::= \"xy\" | \"xz\""}));
    assert_string_equal(d.text[0], "xyz");
    assert_int_equal(d.n[0], 3);
    assert_int_equal(d.finish[0], HONE_FINISH_STOP);
    close_engine(&e);
}

static hone_status stops(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                         size_t n_ids, hone_str text)
{
    (void)ctx;
    (void)prompt;
    (void)sample;
    (void)ids;
    (void)n_ids;
    (void)text;
    return 1;
}

static hone_status weighs(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                          size_t n_ids, const int32_t *candidates, double *weight, int64_t n)
{
    (void)ctx;
    (void)prompt;
    (void)sample;
    (void)ids;
    (void)n_ids;
    for (int64_t i = 0; i < n; i++) { /* the same to all, whatever their share */
        assert_true(candidates[i] == END || (candidates[i] >= 10 && candidates[i] <= 12));
        weight[i] = 1;
    }
    return HONE_OK;
}

static void what_goes_against_a_grammar_is_refused(void **state)
{
    static const char k_to_m[] = "root ::= [k-m]+";
    const hone_str stop = hone_str_c("k");
    engine e;
    static drawn d;
    (void)state;
    open_engine(&e);
    hone_gen_params p = rules(&d);
    p.stop_strings = &stop;
    p.n_stop_strings = 1;
    assert_fails(run(e.g, &p, (const char *const[]){k_to_m, "", ""}), HONE_E_USAGE,
                 "exclude each other");
    p = rules(&d);
    p.stop = stops;
    assert_fails(run(e.g, &p, (const char *const[]){k_to_m, "", ""}), HONE_E_USAGE,
                 "exclude each other");
    p = rules(&d);
    assert_fails(run(e.g, &p, (const char *const[]){"root ::= \"a\" [0-9]", "", ""}),
                 HONE_E_UNSUPPORTED, "no token of the model spells");
    p = rules(&d);
    p.weigh = weighs; /* a sampler is not even shown what may not come */
    p.candidates = 64;
    assert_ok(run(e.g, &p, (const char *const[]){k_to_m, k_to_m, k_to_m}));
    close_engine(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_no_grammar_keeps_their_bits),
        cmocka_unit_test(a_grammar_of_everything_changes_nothing),
        cmocka_unit_test(the_end_comes_where_it_may),
        cmocka_unit_test(what_goes_against_a_grammar_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
