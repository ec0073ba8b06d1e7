/* test_generation - sequences that go on: cut, fed in pieces of any length, forked and sampled in groups.
 *
 * The same tokens with the same log-probs come out however sequences are batched, and the log-probs are those that
 * training computes, for attention and for recurrent state. Sampling rules are test_sample's. */
#include "model_shapes.h"

#include "gen/gen.h"

/* A recurrent state is kept at the end of each page: a sequence cut there goes on as if it had never been
 * longer. */
static void test_a_recurrent_sequence_is_cut_at_a_page(void **state)
{
    test_model t = random_model(RECURRENT);
    struct steps s = {t.m, NULL, NULL};
    int32_t ids[200];
    float whole[200], got[200];
    hone_seq a, b;
    (void)state;
    random_ids(t.m, 4, 200, ids);
    assert_ok(hone_state_create(&t.m->info, 0, &s.st));
    a = hone_seq_create(s.st);
    b = hone_seq_create(s.st);
    feed(&s, a, ids, 0, 200, 200, whole);
    for (int length = 64; length <= 128; length += 64) {
        feed(&s, b, ids, (int)hone_seq_length(s.st, b), 190, 200, got);
        assert_ok(hone_seq_truncate(s.st, b, length));
        assert_fails(hone_seq_truncate(s.st, b, length - 1), HONE_E_UNSUPPORTED, "recurrent");
        feed(&s, b, ids, length, length + 1, 200, got);
        feed(&s, b, ids, length + 1, 200, 200, got);
        assert_bits(got + length + 1, whole + length + 1, (size_t)(200 - length - 1));
        assert_ok(hone_seq_truncate(s.st, b, 0));
    }
    hone_state_destroy(s.st);
    model_close(&t);
}

/* The end of a page in each place of a short piece. */
static void test_pieces_of_any_length_give_the_same_bits(void **state)
{
    (void)state;
    for (int j = 0; j < FEW; j++) {
        test_model t = random_model(few[j]);
        struct steps s = {t.m, NULL, NULL};
        int32_t ids[80];
        float whole[80], got[80];
        random_ids(t.m, 8, 80, ids);
        assert_ok(hone_state_create(&t.m->info, 0, &s.st));
        feed(&s, hone_seq_create(s.st), ids, 0, 80, 80, whole);
        for (int piece = 1; piece <= 5; piece++)
            for (int first = 60; first < 60 + piece; first++) {
                hone_seq q = hone_seq_create(s.st);
                feed(&s, q, ids, 0, first, 80, got);
                for (int at = first; at + piece <= 80; at += piece)
                    feed(&s, q, ids, at, at + piece, 80, got);
                assert_bits(got + 1, whole + 1, 70);
            }
        hone_state_destroy(s.st);
        model_close(&t);
    }
}

/* ---- generation ------------------------------------------------------------------------------ */
enum { GEN_PROMPTS = 3, GEN_SAMPLES = 5, GEN_TOKENS = 70 };
struct samples {
    int32_t ids[GEN_PROMPTS * GEN_SAMPLES][GEN_TOKENS];
    float logprob[GEN_PROMPTS * GEN_SAMPLES][GEN_TOKENS];
    int seen;
};
static const int gen_prompt[GEN_PROMPTS] = {1, 62, 64};

static hone_status keep_sample(void *ctx, const hone_completion *c)
{
    struct samples *s = ctx;
    assert_int_equal(c->n, GEN_TOKENS);
    assert_true(c->sample < GEN_PROMPTS * GEN_SAMPLES);
    memcpy(s->ids[c->sample], c->ids, sizeof s->ids[0]);
    memcpy(s->logprob[c->sample], c->logprob, sizeof s->logprob[0]);
    s->seen++;
    return HONE_OK;
}

static void gen_ids(const hone_model *m, int prompt, int32_t *out)
{
    random_ids(m, 400 + (uint64_t)prompt, gen_prompt[prompt], out);
}

/* All samples: `together` 1 forks them from their prompts, 0 makes each from a prefill of its own. */
static void generate(hone_model *m, hone_pool *on, int together, uint32_t max_sequences,
                     struct samples *out)
{
    int32_t ids[GEN_PROMPTS][64];
    hone_gen_prompt prompts[GEN_PROMPTS * GEN_SAMPLES];
    hone_gen_params p = {.rule = {.temperature = 1.3, .top_p = 1.0, .repetition_penalty = 1.0},
                         .seed = 6,
                         .max_tokens = GEN_TOKENS,
                         .adapters = HONE_ADAPTERS_ACTIVE,
                         .max_sequences = max_sequences,
                         .ctx = out,
                         .on_finish = keep_sample};
    hone_gen *g;
    size_t n = 0;
    out->seen = 0;
    for (int i = 0; i < GEN_PROMPTS; i++) {
        gen_ids(m, i, ids[i]);
        for (int k = 0; k < GEN_SAMPLES; k += together ? GEN_SAMPLES : 1)
            prompts[n++] = (hone_gen_prompt){.ids = ids[i],
                                             .n = (size_t)gen_prompt[i],
                                             .first_sample = (uint64_t)(i * GEN_SAMPLES + k),
                                             .n_samples = together ? GEN_SAMPLES : 1};
    }
    assert_ok(hone_gen_create(m, NULL, on, &g));
    if (together)
        assert_ok(hone_gen_run(g, prompts, n, &p));
    else
        for (size_t i = 0; i < n; i++)
            assert_ok(hone_gen_run(g, prompts + i, 1, &p));
    hone_gen_destroy(g);
    assert_int_equal(out->seen, GEN_PROMPTS * GEN_SAMPLES);
}

static void same_samples(const struct samples *a, const struct samples *b)
{
    assert_memory_equal(a->ids, b->ids, sizeof a->ids);
    assert_bits(&a->logprob[0][0], &b->logprob[0][0], GEN_PROMPTS * GEN_SAMPLES * GEN_TOKENS);
}

/* What was drawn, scored by TRAIN as one forest: prompts with their samples as children. */
static void same_as_trained(hone_model *m, const struct samples *s)
{
    static float lp[GEN_PROMPTS * GEN_SAMPLES * GEN_TOKENS];
    int32_t ids[64];
    hone_forest f;
    hone_forest_init(&f);
    for (int i = 0; i < GEN_PROMPTS; i++) {
        gen_ids(m, i, ids);
        int32_t root = hone_forest_segment(&f, -1, ids, gen_prompt[i]);
        assert_true(root >= 0);
        for (int k = 0; k < GEN_SAMPLES; k++) {
            int32_t c = hone_forest_segment(&f, root, s->ids[i * GEN_SAMPLES + k], GEN_TOKENS);
            assert_true(c >= 0 && hone_forest_targets(&f, c, 0, GEN_TOKENS) >= 0);
        }
    }
    assert_ok(hone_params_need_grads(m->params, NULL));
    hone_tensor h, at;
    assert_ok(hone_model_begin(m, tape, HONE_MODE_TRAIN, hone_forest_build(&f), NULL));
    h = hone_model_hidden(m, tape);
    at = hone_model_logprob(m, tape, h, (float)(1.0 / 1.3), NULL);
    hone_tape_root(tape, at);
    assert_ok(hone_tape_forward(tape));
    memcpy(lp, hone_tape_value(tape, at).data, sizeof lp);
    for (int64_t k = 0; k < GEN_PROMPTS * GEN_SAMPLES * GEN_TOKENS; k++)
        assert_bits(&s->logprob[0][0] + k, &lp[hone_forest_slot(&f, k)], 1);
    hone_forest_release(&f);
}

static void test_generation_is_the_same_however_it_is_batched(void **state)
{
    static struct samples a, b;
    (void)state;
    for (int j = 0; j < FEW; j++) {
        test_model t = random_model(few[j]);
        generate(t.m, pool, 1, 0, &a);
        assert_memory_not_equal(a.ids[0], a.ids[1], sizeof a.ids[0]);
        same_as_trained(t.m, &a);
        generate(t.m, pool, 0, 0, &b); /* one by one */
        same_samples(&a, &b);
        generate(t.m, pool1, 1, 7, &b); /* groups wait for one another; one thread */
        same_samples(&a, &b);
        generate(t.m, pool3, 1, 10, &b);
        same_samples(&a, &b);
        model_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_recurrent_sequence_is_cut_at_a_page),
        cmocka_unit_test(test_pieces_of_any_length_give_the_same_bits),
        cmocka_unit_test(test_generation_is_the_same_however_it_is_batched),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
