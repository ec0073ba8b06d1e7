/* test_episodes.c - turns with an environment: ids stay as they were sampled, whose they are, and what an environment may do
 * wrong. The embedded model; what it says is forced through logits where a test needs words of its own. */
#include "components.h"

#include "train/episodes.h"

#include <math.h>

enum { MOST = 64 };

typedef struct made {
    hone_env env;
    hone_policy *p;
    hone_arena arena;
} made;

static int make(void **state)
{
    made *x = hone_calloc(1, sizeof *x);
    hone_policy_config cfg = {.model = "tiny", .seed = 3};
    x->env.registry = shipped();
    hone_arena_init(&x->arena, 0);
    assert_ok(hone_pool_create(1, &x->env.pool));
    assert_ok(hone_policy_create(&x->env, &cfg, &x->p));
    *state = x;
    return 0;
}

static int unmake(void **state)
{
    made *x = *state;
    hone_policy_destroy(x->p);
    hone_pool_destroy(x->env.pool);
    hone_arena_release(&x->arena);
    hone_free(x);
    return 0;
}

/* ---- an environment that a test writes down -------------------------------------------------------------- */

typedef struct script {
    const hone_observation *answers; /* to the actions, turn by turn; the last again */
    size_t n_answers;
    hone_str begin[4]; /* of samples 0..3 */
    hone_status fails; /* of step */
    int silent, twice; /* says nothing to item 1; everything twice */
    uint32_t every;    /* the scripted answer for this item alone, others go on; 0: for all */
    /* seen */
    uint64_t closed[MOST], seed[MOST];
    size_t n_closed, resets, steps;
    char text[MOST][128]; /* of item 0, by turn */
    uint32_t last[MOST], finish[MOST];
} script;

static hone_status reset(void *self, const hone_call *call, const hone_episode *in, size_t n,
                         size_t stride, const hone_observation_sink *sink)
{
    script *s = self;
    (void)call;
    s->resets++;
    for (size_t i = 0; i < n; i++) {
        hone_observation o = {.struct_size = sizeof o, .status = HONE_EPISODE_ON};
        const hone_episode *e = hone_episode_at(in, stride, i);
        s->seed[i] = e->seed;
        o.text = s->begin[i % 4];
        if (sink->put(sink, i, &o) < 0)
            return hone_error_get()->code;
    }
    return HONE_OK;
}

static hone_status step(void *self, const hone_call *call, const hone_action *in, size_t n,
                        size_t stride, const hone_observation_sink *sink)
{
    static const hone_observation on = {.struct_size = sizeof on, .status = HONE_EPISODE_ON};
    script *s = self;
    const size_t turn = s->steps++;
    (void)call;
    snprintf(s->text[turn], sizeof s->text[turn], "%.*s",
             (int)hone_action_at(in, stride, 0)->text.len, hone_action_at(in, stride, 0)->text.ptr);
    s->last[turn] = hone_action_at(in, stride, 0)->last;
    s->finish[turn] = hone_action_at(in, stride, 0)->finish;
    if (s->fails < 0)
        return hone_fail(s->fails, "the machine is on fire");
    for (size_t i = 0; i < n; i++) {
        const hone_observation *o =
            s->every && i + 1 != s->every
                ? &on
                : &s->answers[turn < s->n_answers ? turn : s->n_answers - 1];
        if (s->silent && i == 1)
            continue;
        if (sink->put(sink, i, o) < 0 || (s->twice && sink->put(sink, i, o) < 0))
            return hone_error_get()->code;
    }
    return HONE_OK;
}

static hone_status let_go(void *self, const uint64_t *ids, size_t n)
{
    script *s = self;
    memcpy(s->closed, ids, n * sizeof *ids);
    s->n_closed = n;
    return HONE_OK;
}

static const hone_environment_v1 table = {
    .struct_size = sizeof(hone_environment_v1), .reset = reset, .step = step, .forget = let_go};

#define SAYS(t)                                                                                    \
    {                                                                                              \
        .struct_size = sizeof(hone_observation), .status = HONE_EPISODE_ON, .text = {              \
            t,                                                                                     \
            sizeof t - 1                                                                           \
        }                                                                                          \
    }
#define DONE(r)                                                                                    \
    {                                                                                              \
        .struct_size = sizeof(hone_observation), .status = HONE_EPISODE_DONE, .reward = r          \
    }

/* ---- a policy that says what a test wants ---------------------------------------------------------------- */

typedef struct forced {
    const int32_t *turn[4]; /* ids of each, ended by -1; the last again */
    size_t n_turns;
    const script *s;
} forced;

static hone_status force(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                         size_t n_ids, float *logits, int64_t n)
{
    const forced *f = ctx;
    const size_t turn = f->s->steps < f->n_turns ? f->s->steps : f->n_turns - 1;
    (void)prompt, (void)sample, (void)ids;
    for (int64_t i = 0; i < n; i++)
        if (i != f->turn[turn][n_ids])
            logits[i] = -INFINITY;
    return HONE_OK;
}

static hone_status stops(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                         size_t n_ids, hone_str text)
{
    const forced *f = ctx;
    const size_t turn = f->s->steps < f->n_turns ? f->s->steps : f->n_turns - 1;
    (void)prompt, (void)sample, (void)ids, (void)text;
    return f->turn[turn][n_ids] < 0;
}

static hone_status every_fifth(void *ctx, size_t prompt, uint64_t sample, const int32_t *ids,
                               size_t n_ids, hone_str text)
{
    (void)ctx, (void)prompt, (void)sample, (void)ids, (void)text;
    return n_ids == 5;
}

static hone_value row_of(made *x, const char *json)
{
    hone_value v;
    assert_ok(hone_json_parse(json, strlen(json), "row", &x->arena, &v));
    return v;
}

static hone_rollout_environment with(script *s)
{
    return (hone_rollout_environment){.vt = &table,
                                      .self = s,
                                      .id = "script",
                                      .weight = 1,
                                      .turns = 4,
                                      .max_length = 200,
                                      .observation_tokens = 50,
                                      .timeout_s = 60};
}

static hone_rollout_params params(const hone_rollout_environment *e, uint32_t n)
{
    return (hone_rollout_params){.n = n,
                                 .max_tokens = 20,
                                 .rule = {.temperature = 1, .top_p = 1, .repetition_penalty = 1},
                                 .seed = 11,
                                 .step = 2,
                                 .first_sample = 100,
                                 .error_limit = 1,
                                 .environment = e};
}

static size_t encode(made *x, const char *text, int32_t *ids)
{
    hone_tokens t;
    hone_tokens_init(&t, 0);
    assert_ok(hone_tokenizer_encode(&x->p->text->tokenizer, hone_str_c(text), 0, &t));
    assert_true(t.n < MOST);
    memcpy(ids, t.ids, t.n * sizeof *ids);
    const size_t n = t.n;
    hone_tokens_release(&t);
    return n;
}

static hone_rollout *draw(made *x, const hone_rollout_params *p)
{
    const hone_value row = row_of(x, "{\"prompt\":\"Leo has 3 balls.\\n\",\"answer\":\"3\"}");
    hone_rollout *r;
    assert_ok(hone_rollout_draw(x->p, &row, 1, p, &r));
    return r;
}

/* ---- ids ------------------------------------------------------------------------------------------------- */

static void test_ids_go_on_as_they_were_sampled(void **state)
{
    made *x = *state;
    const hone_observation answers[] = {SAYS("Answer"), DONE(0.5)};
    script s = {.answers = answers, .n_answers = 2};
    /* "Answer" letter by letter, which the tokenizer would never write so */
    int32_t word[MOST], letters[8], whole[8], again[MOST];
    size_t n = 0;
    for (const char *c = "Answer"; *c; c++) {
        const char one[2] = {*c, 0};
        assert_int_equal(encode(x, one, &letters[n]), 1);
        n++;
    }
    letters[n] = -1;
    const size_t n_whole = encode(x, "Answer", whole);
    assert_true(n_whole < n);
    const int32_t end[] = {letters[0], -1};
    const forced f = {{letters, end}, 2, &s};
    const hone_rollout_environment e = with(&s);
    hone_rollout_params p = params(&e, 2);
    p.ctx = (void *)(uintptr_t)&f;
    p.logits = force;
    p.stop = stops;
    hone_rollout *r = draw(x, &p);
    const hone_rollout_sample *q = &r->samples[1];
    assert_int_equal(q->n, n + n_whole + 1);
    memcpy(word, letters, n * sizeof *word);
    memcpy(word + n, whole, n_whole * sizeof *word); /* the same word, encoded on its own */
    word[n + n_whole] = letters[0];
    assert_memory_equal(q->ids, word, q->n * sizeof *word);
    assert_int_equal(q->n_own, n + 1);
    for (size_t k = 0; k < q->n; k++) {
        const int own = k < n || k == q->n - 1;
        assert_int_equal(q->mask[k], own);
        assert_true(own ? q->full[k] < 0 : q->full[k] == 0 && q->logprob[k] == 0);
    }
    assert_true(hone_str_eq(q->text, "AnswerAnswerA"));
    assert_string_equal(s.text[0], "Answer");
    assert_string_equal(s.text[1], "A");
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)q->text.len, q->text.ptr);
    assert_true(encode(x, text, again) != q->n); /* what encoding it again would have made */
    assert_true(q->turns == 2 && q->done && q->finish == HONE_FINISH_STOP);
    assert_true(r->n_components == 1 && strcmp(r->component[0], "script") == 0);
    assert_true(r->results[1].status == HONE_SCORE && r->results[1].score == 0.5f);
    hone_rollout_destroy(r);
}

/* An environment that says nothing changes nothing: the turns are one completion, drawn from one stream. */
static void test_turns_draw_what_one_turn_draws(void **state)
{
    made *x = *state;
    const hone_observation nothing = SAYS("");
    script s = {.answers = &nothing, .n_answers = 1};
    hone_rollout_environment e = with(&s);
    hone_rollout_params p = params(NULL, 4);
    p.max_tokens = 20;
    hone_rollout *one = draw(x, &p);
    p.environment = &e;
    p.stop = every_fifth;
    hone_rollout *many = draw(x, &p);
    size_t several = 0;
    for (size_t i = 0; i < 4; i++) {
        const hone_rollout_sample *a = &one->samples[i], *b = &many->samples[i];
        const size_t n = a->n < b->n ? a->n
                                     : b->n; /* what ended goes on where an environment answers */
        assert_true(n >= 5 || a->n == n);
        assert_memory_equal(a->ids, b->ids, n * sizeof *a->ids);
        assert_memory_equal(a->full, b->full, n * sizeof *a->full);
        several += n > 5;
    }
    assert_true(several >= 2 && s.steps == 4);
    hone_rollout_destroy(one);
    hone_rollout_destroy(many);
}

static void test_the_trainer_agrees_bit_for_bit(void **state)
{
    made *x = *state;
    const hone_observation says = SAYS("12 34");
    script s = {.answers = &says, .n_answers = 1};
    const hone_rollout_environment e = with(&s);
    hone_rollout_params p = params(&e, 4);
    p.stop = every_fifth;
    hone_rollout *r = draw(x, &p);
    double *logp = hone_arena_calloc(&x->arena, 4096, sizeof *logp);
    size_t at = 0, seen = 0;
    assert_ok(hone_rollout_logprobs(r, x->p, hone_policy_mask(x->p), logp));
    for (size_t i = 0; i < r->n_samples; i++)
        for (size_t k = 0; k < r->samples[i].n; k++, at++)
            if (r->samples[i].mask[k]) {
                seen++;
                assert_true((float)logp[at] == r->samples[i].full[k]);
            }
    assert_true(seen > 20);
    hone_rollout_destroy(r);
}

static void test_a_chat_template_stands_between_turns(void **state)
{
    static const char source[] = "{% for m in messages %}[{{ m.role }}]{{ m.content }}!{% endfor %}"
                                 "{% if add_generation_prompt %}[assistant]{% endif %}";
    made *x = *state;
    const hone_observation answers[] = {SAYS("7"), DONE(1)};
    hone_observation first = answers[0];
    first.role = hone_str_c("tool");
    const hone_observation list[] = {first, answers[1]};
    script s = {.answers = list, .n_answers = 2};
    int32_t say[MOST], with_end[MOST], tail[MOST];
    const hone_str none = {NULL, 0};
    assert_ok(hone_chat_create(hone_str_c(source), "test", none, none, &x->p->text->chat));
    size_t n = encode(x, "3 4", say);
    say[n] = -1;
    memcpy(with_end, say, sizeof say);
    assert_int_equal(encode(x, "!", &with_end[n]), 1);
    with_end[n + 1] = -1;
    for (int ends = 0; ends < 2; ends++) { /* the mark that ends a turn: drawn, or not */
        const forced f = {{ends ? with_end : say, say}, 2, &s};
        const hone_rollout_environment e = with(&s);
        hone_rollout_params p = params(&e, 1);
        p.ctx = (void *)(uintptr_t)&f;
        p.logits = force;
        p.stop = stops;
        s.steps = 0;
        hone_rollout *r = draw(x, &p);
        const hone_rollout_sample *q = &r->samples[0];
        assert_true(hone_str_eq(r->prompts[0].text, "[user]Leo has 3 balls.\n![assistant]"));
        const size_t k = encode(x, "![tool]7![assistant]", tail);
        assert_int_equal(q->n, n + k + n); /* "!" is said once */
        assert_memory_equal(q->ids, say, n * sizeof *say);
        assert_memory_equal(q->ids + n, tail, k * sizeof *tail);
        assert_int_equal(q->n_own, 2 * n + (size_t)ends);
        hone_rollout_destroy(r);
    }
}

static void test_where_a_template_has_no_place_for_a_turn(void **state)
{
    hone_str out;
    (void)state;
    assert_ok(hone__episodes_between(hone_str_c("aXb"), hone_str_c("X"), &out));
    assert_true(hone_str_eq(out, "b"));
    assert_ok(hone__episodes_between(hone_str_c("aX"), hone_str_c("X"), &out));
    assert_int_equal(out.len, 0);
    assert_fails(hone__episodes_between(hone_str_c("ab"), hone_str_c("X"), &out), HONE_E_INVALID,
                 "nowhere");
    assert_fails(hone__episodes_between(hone_str_c("aXbX"), hone_str_c("X"), &out), HONE_E_INVALID,
                 "twice");
}

/* ---- limits ---------------------------------------------------------------------------------------------- */

static void test_limits_of_turns_and_tokens(void **state)
{
    made *x = *state;
    hone_observation says = SAYS("1 2 3");
    script s = {.answers = &says, .n_answers = 1};
    int32_t say[MOST];
    size_t n = encode(x, "3 4", say);
    says.reward = 0.25;
    say[n] = -1;
    const forced f = {{say}, 1, &s};
    hone_rollout_environment e = with(&s);
    hone_rollout_params p = params(&e, 1);
    p.ctx = (void *)(uintptr_t)&f;
    p.logits = force;
    p.stop = stops;
    hone_rollout *r = draw(x, &p);
    const hone_rollout_sample *q = &r->samples[0];
    assert_true(q->turns == 4 && !q->done && q->finish == HONE_FINISH_LENGTH);
    assert_true(s.last[2] == 0 && s.last[3] == 1 && q->mask[q->n - 1] == 1);
    assert_true(r->results[0].status == HONE_SCORE && r->results[0].score == 1.0f); /* the sum */
    assert_true(s.n_closed == 1 && s.closed[0] == 100);
    hone_rollout_destroy(r);
    e.max_length = (int32_t)(2 * n + 5 + 1); /* two turns and one answer fit, not another answer */
    s.steps = 0;
    r = draw(x, &p);
    assert_true(r->samples[0].turns == 2 && r->samples[0].finish == HONE_FINISH_LENGTH);
    assert_true(r->samples[0].n == 2 * n + 5);
    hone_rollout_destroy(r);
    e.max_length = (int32_t)n - 1; /* the first turn is cut */
    s.steps = 0;
    r = draw(x, &p);
    assert_true(r->samples[0].n == n - 1 && s.last[0] == 1 && s.finish[0] == HONE_FINISH_LENGTH);
    hone_rollout_destroy(r);
}

/* ---- what an environment may do wrong -------------------------------------------------------------------- */

static void wrong(made *x, script *s, const char *reason, uint32_t status)
{
    int32_t say[MOST];
    size_t n = encode(x, "3 4", say);
    say[n] = -1;
    const forced f = {{say}, 1, s};
    const hone_rollout_environment e = with(s);
    hone_rollout_params p = params(&e, 4);
    hone_train_tree *trees;
    size_t n_trees, errors = 0;
    hone_metrics m;
    double share;
    p.ctx = (void *)(uintptr_t)&f;
    p.logits = force;
    p.stop = stops;
    s->steps = 0;
    hone_rollout *r = draw(x, &p);
    for (size_t i = 0; i < 4; i++) {
        char why[800];
        if (r->results[i].status == HONE_SCORE)
            continue;
        errors++;
        assert_int_equal(r->results[i].status, status);
        snprintf(why, sizeof why, "%.*s", (int)r->results[i].reason.len, r->results[i].reason.ptr);
        if (!strstr(why, reason))
            fail_msg("\"%s\" does not say \"%s\"", why, reason);
        assert_true(r->samples[i].n_own >= n &&
                    r->samples[i].n_own % n == 0); /* what was drawn stays */
    }
    assert_true(errors > 0);
    hone_metrics_init(&m);
    hone_rollout_metrics(r, &m);
    assert_true(hone_metrics_get(&m, "env/error", &share) && share == (double)errors / 4);
    hone_metrics_release(&m);
    assert_ok(hone_rollout_trees(r, HONE_EQUAL_KEEP, &x->arena, &trees, &n_trees));
    assert_int_equal(s->n_closed, 4);
    hone_rollout_destroy(r);
    p.error_limit = 0.1; /* too many: the run stops, and says who */
    for (uint32_t many = 8; errors == 4 && many; many = 0) {
        const hone_value row = row_of(x, "{\"prompt\":\"Leo has 3 balls.\\n\"}");
        p.n = many;
        s->steps = 0;
        assert_fails(hone_rollout_draw(x->p, &row, 1, &p, &r), HONE_E_FAIL, "environment script");
        assert_non_null(strstr(hone_error_get()->detail, reason));
        assert_int_equal(s->n_closed, many);
    }
}

static void test_what_an_environment_does_wrong_is_named(void **state)
{
    made *x = *state;
    static char megabyte[(1 << 20) + 1], words[4 * 60 + 1];
    hone_observation o = SAYS("");
    script s = {.answers = &o, .n_answers = 1};
    memset(megabyte, 'a', sizeof megabyte);
    for (size_t i = 0; i < sizeof words - 1; i++)
        words[i] = "1 2 "[i % 4];
    o.text = (hone_str){"caf\xe9", 4};
    wrong(x, &s, "no valid UTF-8", HONE_ERROR);
    o.text = (hone_str){megabyte, sizeof megabyte};
    wrong(x, &s, "1048577 bytes; 1048576 are allowed", HONE_ERROR);
    o.text = (hone_str){words, sizeof words - 1};
    wrong(x, &s, "observation_tokens allows 50", HONE_ERROR);
    o = (hone_observation)SAYS("");
    o.role = (hone_str){megabyte, 65};
    wrong(x, &s, "role has 65 bytes", HONE_ERROR);
    o = (hone_observation)SAYS("");
    o.reward = (double)NAN;
    wrong(x, &s, "reward is not finite", HONE_ERROR);
    o.reward = 1e300;
    wrong(x, &s, "reward is not finite", HONE_ERROR);
    o = (hone_observation)SAYS("");
    o.status = 9;
    wrong(x, &s, "status 9", HONE_ERROR);
    o.status = HONE_EPISODE_ERROR;
    wrong(x, &s, "no reason was given", HONE_ERROR);
    o.reason = hone_str_c("the shop is closed");
    wrong(x, &s, "the shop is closed", HONE_ERROR);
    s.every = 3;
    wrong(x, &s, "the shop is closed", HONE_ERROR); /* one of four in a turn: the others go on */
    s.every = 0;
    o = (hone_observation)DONE(1);
    s.silent = 1;
    wrong(x, &s, "step: it was not answered", HONE_ERROR);
    s.silent = 0;
    s.fails = HONE_E_FAIL;
    wrong(x, &s, "step: the machine is on fire", HONE_ERROR);
    s.fails = HONE_E_TIMEOUT;
    wrong(x, &s, "on fire", HONE_TIMEOUT);
}

static void test_a_second_answer_is_refused(void **state)
{
    made *x = *state;
    const hone_observation done = DONE(1);
    script s = {.answers = &done, .n_answers = 1, .twice = 1};
    const hone_rollout_environment e = with(&s);
    hone_rollout_params p = params(&e, 2);
    hone_rollout *r = draw(x, &p);
    assert_true(r->results[0].status == HONE_SCORE); /* the first one counts */
    assert_true(r->results[1].status ==
                HONE_ERROR); /* the call failed before it came to the second */
    hone_rollout_destroy(r);
}

static void test_episodes_of_a_prompt_begin_alike(void **state)
{
    made *x = *state;
    const hone_observation done = DONE(1);
    script s = {.answers = &done,
                .n_answers = 1,
                .begin = {hone_str_c(" a"), hone_str_c(" a"), hone_str_c(" b"), hone_str_c(" b")}};
    const hone_rollout_environment e = with(&s);
    hone_rollout_params p = params(&e, 2);
    const hone_value rows[2] = {row_of(x, "{\"prompt\":\"p\"}"), row_of(x, "{\"prompt\":\"q\"}")};
    hone_rollout *r;
    assert_ok(hone_rollout_draw(x->p, rows, 2, &p, &r));
    assert_true(hone_str_eq(r->prompts[0].text, "p a") && hone_str_eq(r->prompts[1].text, "q b"));
    assert_true(s.seed[0] == s.seed[1] && s.seed[2] == s.seed[3] && s.seed[0] != s.seed[2]);
    hone_rollout_destroy(r);
    p.n = 4;
    assert_fails(hone_rollout_draw(x->p, rows, 1, &p, &r), HONE_E_MISBEHAVED, "begin differently");
    assert_int_equal(s.n_closed, 4);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, unmake)
    const struct CMUnitTest tests[] = {
        T(test_ids_go_on_as_they_were_sampled),
        T(test_turns_draw_what_one_turn_draws),
        T(test_the_trainer_agrees_bit_for_bit),
        T(test_a_chat_template_stands_between_turns),
        T(test_where_a_template_has_no_place_for_a_turn),
        T(test_limits_of_turns_and_tokens),
        T(test_what_an_environment_does_wrong_is_named),
        T(test_a_second_answer_is_refused),
        T(test_episodes_of_a_prompt_begin_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
