/* The marshaller: what the callee sees is what the caller gave, what comes back is what the callee gave, for every
 * interface of the SDK and one of a third party's. Each test runs with offsets (checked) and in place (trusted). */
#include "wire_loop.h"

#include "hone/hone.h"

#include <math.h>

static char me[] = "me";

/* ---- rewards ----------------------------------------------------------------------------------- */

static hone_sample seen[4];
static size_t n_seen;
static hone_call seen_call;
static const hone_notes *seen_notes;
static char seen_text[4][200];

static void put_note(const hone_notes *notes, size_t i, const char *name, hone_value v)
{
    notes->put(notes, i, str(name), &v);
}

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    n_seen = n;
    seen_call = *call;
    seen_notes = notes;
    assert_string_equal(self, "me");
    for (size_t i = 0; i < n && i < 4; i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        seen[i] = *s;
        snprintf(seen_text[i], sizeof seen_text[i], "%.*s|%.*s|%zu %zu %zu", (int)s->prompt.len,
                 s->prompt.ptr ? s->prompt.ptr : "", (int)s->completion.len,
                 s->completion.ptr ? s->completion.ptr : "", s->n_messages, s->n_tokens,
                 s->n_columns);
        assert_int_equal(hone_sample_at((hone_sample *)(void *)out, out_stride, i)->id & 0xFFFFFFFF,
                         HONE_PENDING);
        if (s->n_tokens) {
            assert_int_equal(s->tokens[s->n_tokens - 1], 7 + (int)i);
            assert_true(!s->logprobs || s->logprobs[0] == -0.5f);
        }
        if (s->n_messages)
            assert_str(s->messages[1].content, "second");
        if (s->n_columns) {
            const hone_value *v = hone_sample_column(s, "answer");
            assert_non_null(v);
            assert_int_equal(v->type, HONE_MAP);
            assert_str(v->u.map.pairs[1].key, "list");
            assert_str(v->u.map.pairs[1].value.u.list.items[1].u.str, "deep");
        }
        if (notes && s->id == 2) {
            hone_value v = {.type = HONE_F64, .u.f64 = 0.25};
            put_note(notes, i, "part", v);
            v = (hone_value){.type = HONE_STRING, .u.str = {"caf\xC3", 4}};
            put_note(notes, i, "cut", v);
        }
        if (s->id == 1)
            hone_outcome_set(out, out_stride, i, HONE_SCORE, 0.5f);
        if (s->id == 2)
            hone_outcome_set(out, out_stride, i, HONE_ABSTAIN, 0);
        if (s->id == 3)
            hone_outcome_set(out, out_stride, i, HONE_SCORE, NAN);
        if (s->id == 4)
            hone_outcome_set(out, out_stride, i, HONE_TIMEOUT, 1);
        if (s->id == 9)
            return hone_fail(HONE_E_PARSE, "sample nine");
    }
    return HONE_OK;
}

static hone_status score_tokens(void *self, const hone_call *call, const hone_sample *in, size_t n,
                                size_t in_stride, const hone_token_scores *sink)
{
    static const float scores[] = {0.5f, 1.5f, -2.f};
    const hone_outcome o = {HONE_SCORE, 0.75f};
    (void)self;
    (void)call;
    (void)in;
    (void)in_stride;
    for (size_t i = n; i-- > 0;) {
        hone_status s = sink->put(sink, i, o, scores, 3 - i);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static const hone_reward_v1 reward = {sizeof reward, 0, score, score_tokens, NULL};

static char noted[400];
static void caller_note(const hone_notes *notes, size_t sample, hone_str name, const hone_value *v)
{
    char *end = noted + strlen(noted);
    assert_string_equal(notes->ctx, "mine");
    if (v->type == HONE_STRING)
        snprintf(end, sizeof noted - (size_t)(end - noted), "%zu %.*s=%.*s;", sample, (int)name.len,
                 name.ptr, (int)v->u.str.len, v->u.str.ptr);
    else
        snprintf(end, sizeof noted - (size_t)(end - noted), "%zu %.*s=%g;", sample, (int)name.len,
                 name.ptr, v->u.f64);
}
static const hone_notes notes = {sizeof notes, 0, mine, caller_note};

static const hone_message messages[] = {{{"user", 4}, {"first", 5}}, {{"user", 4}, {"second", 6}}};
static const int32_t tokens[] = {5, 6, 7}, tokens2[] = {5, 6, 8};
static const float logprobs[] = {-0.5f, 0, 0};
static const hone_column columns[] = {{{"x", 1}, {.type = HONE_BOOL, .u.boolean = 1}},
                                      {{"answer", 6}, {.type = HONE_MAP, .u.map = {pairs, 2}}}};

static hone_sample sample(uint64_t id, const char *prompt, const char *completion)
{
    hone_sample s = {.id = id,
                     .group = 40 + id,
                     .prompt = str(prompt),
                     .completion = str(completion),
                     .messages = messages,
                     .n_messages = 2,
                     .tokens = tokens,
                     .logprobs = logprobs,
                     .n_tokens = 3,
                     .columns = columns,
                     .n_columns = 2,
                     .finish = HONE_FINISH_LENGTH,
                     .turn = (uint32_t)id};
    return s;
}

static const uint32_t no_cancel = 0;
static const hone_call a_call = {sizeof a_call, 2, 77, 123456789, &no_cancel};

static void test_a_reward_sees_its_samples(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    assert_null(vt->score_groups); /* as in the real table */
    BOTH(l)
    {
        struct {
            hone_outcome o;
            char more[24];
        } out[2];
        hone_sample in[2] = {sample(1, "why?", "because"), sample(2, "why?", "")};
        in[1].tokens = tokens2;
        in[1].logprobs = NULL;
        memset(out, 0x55, sizeof out);
        out[0].o = out[1].o = (hone_outcome){0, 0};
        noted[0] = 0;
        assert_ok(vt->score(l, &a_call, in, 2, sizeof *in, &out[0].o, sizeof *out, &notes));
        assert_int_equal(n_seen, 2);
        assert_string_equal(seen_text[0], "why?|because|2 3 2");
        assert_string_equal(seen_text[1], "why?||2 3 2");
        assert_non_null(seen[1].completion.ptr); /* empty, not absent */
        assert_int_equal(seen[1].group, 42);
        assert_int_equal(seen[1].finish, HONE_FINISH_LENGTH);
        assert_int_equal(seen[1].turn, 2);
        assert_null(seen[1].logprobs);
        assert_true(seen_call.id == 77 && seen_call.n == 2 && seen_call.deadline_ns == 123456789);
        assert_int_equal(out[0].o.status, HONE_SCORE);
        assert_true(out[0].o.score == 0.5f);
        assert_int_equal(out[1].o.status, HONE_ABSTAIN);
        assert_int_equal(out[0].more[0], 0x55);
        assert_string_equal(noted, "1 part=0.25;1 cut=caf\xEF\xBF\xBD;");
        assert_ok(vt->score(l, &a_call, in, 2, sizeof *in, &out[0].o, sizeof *out, NULL));
        assert_null(seen_notes);
        assert_ok(vt->score(l, &a_call, NULL, 0, sizeof *in, NULL, sizeof *out, &notes));
        assert_int_equal(n_seen, 0);
    }
    loop_close(l);
}

static void test_outcomes_are_made_sound(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    hone_sample in[3] = {sample(3, "", ""), sample(4, "", ""), sample(1, "", "")};
    hone_outcome out[3] = {{0, 0}};
    in[1].tokens = in[2].tokens = NULL;
    in[1].n_tokens = in[2].n_tokens = 0;
    in[1].logprobs = in[2].logprobs = NULL;
    assert_ok(vt->score(l, &a_call, in, 3, sizeof *in, out, sizeof *out, NULL));
    assert_int_equal(out[0].status, HONE_ERROR); /* the score was not finite */
    assert_true(isnan(out[0].score));            /* stays, for the reason */
    assert_int_equal(out[1].status, HONE_ERROR); /* time-outs are the host's to say */
    assert_int_equal(out[2].status, HONE_SCORE);
    assert_int_equal(l->answer.refused, 2);
    loop_close(l);
}

static void test_a_failure_comes_back_with_its_text(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    BOTH(l)
    {
        hone_sample in[2] = {sample(1, "a", "b"), sample(9, "a", "b")};
        hone_outcome out[2] = {{0, 0}};
        in[1].tokens = tokens2;
        hone_error_clear();
        assert_int_equal(vt->score(l, &a_call, in, 2, sizeof *in, out, sizeof *out, NULL),
                         HONE_E_PARSE);
        assert_string_equal(hone_error_get()->what, "sample nine");
        assert_int_equal(out[0].status, HONE_SCORE); /* what was answered stands */
    }
    loop_close(l);
}

static void test_what_was_answered_outlives_the_callee(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    hone_sample in[2] = {sample(2, "a", "b"), sample(5, "a", "b")};
    hone_outcome out[2] = {{0, 0}};
    in[1].tokens = tokens2;
    noted[0] = 0;
    l->dies = 1;
    vt->score(l, &a_call, in, 2, sizeof *in, out, sizeof *out, &notes);
    assert_ok(l->take);
    assert_true(l->answer.begun && !l->answer.done);
    assert_int_equal(out[0].status, HONE_ABSTAIN);
    assert_int_equal(out[1].status, HONE_PENDING);
    assert_string_equal(noted, "0 part=0.25;0 cut=caf\xEF\xBF\xBD;");
    /* a result that is another call's says nothing about this one */
    void *args[8] = {0};
    const hone_wire_slot *s = hone_wire_find(l->wire, "score");
    const hone_call *call = &a_call;
    const hone_sample *p = in;
    hone_outcome *o = out;
    const hone_notes *np = NULL;
    size_t n = 2, is = sizeof *in, os = sizeof *out;
    void *self = NULL, *all[] = {&self, &call, &p, &n, &is, &o, &os, &np};
    memcpy(args, all, sizeof all);
    out[0].status = HONE_PENDING;
    assert_ok(hone_wire_take(s, 999999, args, l->result, LOOP_ROOM, &l->caller, &l->answer));
    assert_int_equal(l->answer.begun, 0);
    assert_int_equal(out[0].status, HONE_PENDING);
    loop_close(l);
}

static void test_only_wanted_members_travel(void **state)
{
    static const char *const wants[] = {"completion", "tokens", NULL};
    (void)state;
    loop *all = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    loop *some = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), wants, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(some->stub);
    BOTH(some)
    {
        hone_sample in[1] = {sample(1, "a secret that is not asked for", "said")};
        hone_outcome out[1] = {{0, 0}};
        assert_ok(vt->score(some, &a_call, in, 1, sizeof *in, out, sizeof *out, NULL));
        assert_string_equal(seen_text[0], "|said|0 3 0");
        assert_null(seen[0].logprobs);
        assert_null(seen[0].columns);
        for (size_t i = 0; i + 6 < some->call_len; i++)
            assert_true(memcmp(some->call + i, "secret", 6) != 0);
        ((const hone_reward_v1 *)hone_wire_stub_table(all->stub))
            ->score(all, &a_call, in, 1, sizeof *in, out, sizeof *out, NULL);
        assert_true(all->call_len > some->call_len + 100);
    }
    loop_close(all);
    loop_close(some);
}

static void test_equal_texts_travel_once(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    char one[1001], two[1001], other[1001];
    memset(one, 'p', 1000);
    one[1000] = 0;
    memcpy(two, one, sizeof one);
    memcpy(other, one, sizeof one);
    other[500] = 'q';
    hone_sample in[2] = {sample(1, one, "x"), sample(2, two, "y")};
    hone_outcome out[2] = {{0, 0}};
    in[1].tokens = tokens2;
    assert_ok(vt->score(l, &a_call, in, 2, sizeof *in, out, sizeof *out, NULL));
    size_t shared = l->call_len;
    assert_true(seen[0].prompt.ptr == seen[1].prompt.ptr);
    in[1].prompt = str(other);
    assert_ok(vt->score(l, &a_call, in, 2, sizeof *in, out, sizeof *out, NULL));
    assert_true(l->call_len >= shared + 1000);
    assert_int_equal(seen[1].prompt.ptr[500], 'q');
    loop_close(l);
}

static void test_rows_that_samples_share_travel_once(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    const hone_column first[] = {columns[1], columns[0]};
    hone_column second[2];
    memcpy(second, first, sizeof first);
    BOTH(l)
    {
        hone_sample in[4];
        hone_outcome out[4] = {{0, 0}};
        for (size_t i = 0; i < 4; i++) {
            in[i] = sample(10 + i, "p", "c");
            in[i].tokens = NULL;
            in[i].logprobs = NULL;
            in[i].n_tokens = 0;
            in[i].columns = first;
        }
        assert_ok(vt->score(l, &a_call, in, 4, sizeof *in, out, sizeof *out, NULL));
        assert_int_equal(n_seen, 4);
        assert_true(seen[3].columns == seen[0].columns && seen[3].messages == seen[0].messages);
        size_t shared = l->call_len;
        in[1].columns = in[3].columns = second; /* each is another than the one before */
        assert_ok(vt->score(l, &a_call, in, 4, sizeof *in, out, sizeof *out, NULL));
        assert_true(seen[1].columns != seen[0].columns && seen[2].columns != seen[1].columns);
        assert_true(l->call_len >= shared + 3 * sizeof first);
        in[1].columns = in[3].columns = first;
        in[1].n_columns = in[3].n_columns = 1; /* the same place, another count */
        assert_ok(vt->score(l, &a_call, in, 4, sizeof *in, out, sizeof *out, NULL));
        assert_string_equal(seen_text[1], "p|c|2 0 1");
        assert_string_equal(seen_text[2], "p|c|2 0 2");
        assert_str(seen[2].columns[1].name, "x");
    }
    loop_close(l);
}

static void test_older_and_newer_samples(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    BOTH(l)
    {
        struct {
            hone_sample s;
            char more[40];
        } in[2];
        hone_outcome out[2] = {{0, 0}};
        memset(in, 0x7F, sizeof in);
        in[0].s = sample(1, "p", "newer");
        in[1].s = sample(2, "p", "newer too");
        in[1].s.tokens = tokens2;
        assert_ok(vt->score(l, &a_call, &in[0].s, 2, sizeof *in, out, sizeof *out, NULL));
        assert_string_equal(seen_text[1], "p|newer too|2 3 2");
        /* a caller whose samples end before the columns' count */
        char old[2][offsetof(hone_sample, n_columns)];
        for (size_t i = 0; i < 2; i++)
            memcpy(old[i], &in[i].s, sizeof old[i]);
        assert_ok(vt->score(l, &a_call, (hone_sample *)(void *)old, 2, sizeof *old, out,
                            sizeof *out, NULL));
        assert_string_equal(seen_text[1], "p|newer too|2 3 0");
        assert_null(seen[1].columns); /* a pointer nobody counts does not travel */
        assert_int_equal(seen[1].turn, 0);
    }
    loop_close(l);
}

static size_t token_puts;
static hone_status caller_scores(const hone_token_scores *sink, size_t i, hone_outcome o,
                                 const float *scores, size_t n)
{
    (void)sink;
    token_puts++;
    assert_int_equal(n, 3 - i);
    assert_true(o.status == HONE_SCORE && o.score == 0.75f && scores[n - 1] == (i ? 1.5f : -2.f));
    return token_puts == 3 ? hone_fail(HONE_E_LIMIT, "the caller has enough") : HONE_OK;
}

static void test_sinks_are_called_in_order_and_may_fail(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    const hone_token_scores sink = {sizeof sink, 0, NULL, caller_scores};
    hone_sample in[2] = {sample(1, "a", "b"), sample(2, "a", "b")};
    token_puts = 0;
    assert_ok(vt->score_tokens(l, &a_call, in, 2, sizeof *in, &sink));
    assert_int_equal(token_puts, 2);
    assert_int_equal(l->answer.bad, HONE_OK);
    assert_ok(vt->score_tokens(l, &a_call, in, 2, sizeof *in, &sink));
    assert_int_equal(l->answer.bad, HONE_E_LIMIT);
    /* no room: the plugin is told, the caller can count them */
    l->result_room = l->fixed + 200;
    token_puts = 10;
    assert_int_equal(vt->score_tokens(l, &a_call, in, 2, sizeof *in, &sink), HONE_E_LIMIT);
    assert_int_equal(l->answer.lost, 1);
    assert_int_equal(token_puts, 11);
    loop_close(l);
}

static void test_no_room_says_how_much_it_takes(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &reward, me);
    const hone_reward_v1 *vt = hone_wire_stub_table(l->stub);
    hone_sample in[2] = {sample(1, "a prompt", "b"), sample(2, "another", "b")};
    hone_outcome out[2] = {{0, 0}};
    in[1].tokens = tokens2;
    assert_ok(vt->score(l, &a_call, in, 2, sizeof *in, out, sizeof *out, NULL));
    size_t need = l->call_len, shared = 2000;
    for (size_t room = 0; room < need; room += 7) {
        l->call_room = room;
        n_seen = 99;
        assert_int_equal(vt->score(l, &a_call, in, 2, sizeof *in, out, sizeof *out, NULL),
                         HONE_E_LIMIT);
        assert_int_equal(n_seen, 99);
        assert_true(l->call_len >= need && l->call_len < need + shared);
    }
    l->call_room = need;
    assert_ok(vt->score(l, &a_call, in, 2, sizeof *in, out, sizeof *out, NULL));
    l->result_room = l->fixed - 1;
    assert_int_equal(vt->score(l, &a_call, in, 2, sizeof *in, out, sizeof *out, NULL),
                     HONE_E_LIMIT);
    loop_close(l);
}

static hone_status watch_cancel(void *self, const hone_call *call, const hone_sample *in, size_t n,
                                size_t in_stride, hone_outcome *out, size_t out_stride,
                                const hone_notes *no)
{
    loop *l = self;
    (void)in, (void)n, (void)in_stride, (void)out, (void)out_stride, (void)no;
    assert_false(hone_cancelled(call));
    __atomic_store_n(hone_wire_cancel(l->call), 1, __ATOMIC_RELAXED);
    return hone_cancelled(call) ? HONE_E_CANCELLED : HONE_OK;
}

static void test_cancelling_reaches_the_callee(void **state)
{
    static const hone_reward_v1 vt = {sizeof vt, 0, watch_cancel, NULL, NULL};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &vt, NULL);
    const hone_reward_v1 *proxy = hone_wire_stub_table(l->stub);
    l->self = l;
    BOTH(l)
    {
        assert_int_equal(proxy->score(l, &a_call, NULL, 0, 112, NULL, 8, NULL), HONE_E_CANCELLED);
    }
    loop_close(l);
}

/* ---- judges ------------------------------------------------------------------------------------ */

static hone_status judge(void *self, const hone_call *call, const hone_judge_item *items, size_t n,
                         size_t stride, const hone_verdict_sink *sink)
{
    static const double criteria[] = {1, 2, 3, 4}, labels[] = {0.25, 0.75};
    static const uint32_t ranking[] = {1, 0};
    (void)self;
    (void)call;
    for (size_t i = 0; i < n; i++) {
        const hone_judge_item *it = (const hone_judge_item *)(const void *)((const char *)items +
                                                                            i * stride);
        assert_int_equal(it->n_candidates, 2);
        assert_str(it->candidates[1], "two");
        assert_str(it->criteria[0].name, "clear");
        assert_null(it->reference.ptr);
        hone_verdict v = {.struct_size = sizeof v,
                          .status = HONE_SCORE,
                          .score = 0.5,
                          .ranking = ranking,
                          .n_ranking = 2,
                          .criteria = criteria,
                          .n_criteria = 4,
                          .label_probs = labels,
                          .n_label_probs = 2,
                          .reasoning = it->prompt,
                          .spec_hash = str("abc"),
                          .cost = 0.01,
                          .latency_ns = 12};
        if (sink->put(sink, i, &v) < 0)
            return HONE_E_FAIL;
    }
    return HONE_OK;
}

static int verdicts;
static hone_status take_verdict(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    (void)sink;
    assert_int_equal(item, verdicts++);
    assert_int_equal(v->struct_size, sizeof *v);
    assert_true(v->ranking[0] == 1 && v->criteria[3] == 4 && v->label_probs[1] == 0.75);
    assert_str(v->reasoning, "which?");
    assert_str(v->spec_hash, "abc");
    assert_true(v->cost == 0.01 && v->latency_ns == 12 && v->score == 0.5);
    return HONE_OK;
}

static void test_judges(void **state)
{
    static const hone_judge_v1 real = {.struct_size = sizeof real, .judge = judge};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_JUDGE), NULL, &real, NULL);
    const hone_judge_v1 *vt = hone_wire_stub_table(l->stub);
    const hone_str candidates[] = {str("one"), str("two")};
    const hone_criterion criteria[] = {{str("clear"), str("is it?")}};
    const hone_judge_item item = {.id = 3,
                                  .prompt = str("which?"),
                                  .candidates = candidates,
                                  .n_candidates = 2,
                                  .criteria = criteria,
                                  .n_criteria = 1},
                          items[2] = {item, item};
    const hone_verdict_sink sink = {sizeof sink, 0, NULL, take_verdict};
    BOTH(l)
    {
        verdicts = 0;
        assert_ok(vt->judge(l, &a_call, items, 2, sizeof item, &sink));
        assert_int_equal(verdicts, 2);
    }
    loop_close(l);
}

/* ---- tokenizers -------------------------------------------------------------------------------- */

static hone_status encode(void *self, const hone_str *texts, size_t n, uint32_t flags,
                          const hone_ids_sink *sink)
{
    (void)self;
    assert_int_equal(flags, HONE_ENCODE_OFFSETS);
    for (size_t i = 0; i < n; i++) {
        int32_t ids[64];
        hone_span32 spans[64];
        for (size_t k = 0; k < texts[i].len; k++) {
            ids[k] = (unsigned char)texts[i].ptr[k];
            spans[k] = (hone_span32){(uint32_t)k, (uint32_t)k + 1};
        }
        sink->put(sink, i, ids, i ? NULL : spans, texts[i].len);
    }
    return HONE_OK;
}
static hone_status decode(void *self, const hone_ids *ids, size_t n, uint32_t flags,
                          const hone_text_sink *sink)
{
    (void)self;
    (void)flags;
    for (size_t i = 0; i < n; i++) {
        char text[64];
        for (size_t k = 0; k < ids[i].n; k++)
            text[k] = (char)ids[i].ids[k];
        sink->put(sink, i, (hone_str){text, ids[i].n});
    }
    return HONE_OK;
}
static int32_t vocab_size(void *self)
{
    (void)self;
    return 256;
}
static hone_str token_bytes(void *self, int32_t id)
{
    static char byte[1];
    (void)self;
    byte[0] = (char)id;
    return id < 256 ? (hone_str){byte, 1} : (hone_str){NULL, 0};
}
static int32_t token_id(void *self, hone_str text)
{
    (void)self;
    return text.len == 1 ? (unsigned char)text.ptr[0] : -1;
}
static int32_t special(void *self, const char *name)
{
    (void)self;
    return strcmp(name, "eos") == 0 ? 10 : -1;
}
static void fingerprint(void *self, char out[65])
{
    (void)self;
    memset(out, 'f', 64);
    out[64] = 0;
}

static char told[200];
static hone_status take_ids(const hone_ids_sink *sink, size_t text, const int32_t *ids,
                            const hone_span32 *offsets, size_t n)
{
    (void)sink;
    snprintf(told + strlen(told), 100, "%zu:%zu:%d:%u;", text, n, n ? ids[n - 1] : -1,
             offsets ? offsets[n - 1].end : 99);
    return HONE_OK;
}
static hone_status take_text(const hone_text_sink *sink, size_t i, hone_str text)
{
    (void)sink;
    snprintf(told + strlen(told), 100, "%zu:%.*s;", i, (int)text.len, text.ptr);
    return HONE_OK;
}

static void test_tokenizers(void **state)
{
    static const hone_tokenizer_v1 real = {sizeof real, 0,           encode,      decode,
                                           vocab_size,  token_bytes, NULL,        token_id,
                                           special,     NULL,        fingerprint, NULL};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_TOKENIZER), NULL, &real, NULL);
    const hone_tokenizer_v1 *vt = hone_wire_stub_table(l->stub);
    const hone_ids_sink ids_sink = {sizeof ids_sink, 0, NULL, take_ids};
    const hone_text_sink text_sink = {sizeof text_sink, 0, NULL, take_text};
    BOTH(l)
    {
        const hone_str texts[] = {str("abc"), str("z"), {"", 0}};
        const int32_t a[] = {'h', 0xC3, 'i'};
        const hone_ids ids[] = {{a, 3}, {NULL, 0}};
        char hex[65] = "";
        told[0] = 0;
        assert_ok(vt->encode(l, texts, 3, HONE_ENCODE_OFFSETS, &ids_sink));
        assert_string_equal(told, "0:3:99:3;1:1:122:99;2:0:-1:99;");
        told[0] = 0;
        assert_ok(vt->decode(l, ids, 2, 0, &text_sink));
        assert_string_equal(told, "0:h\xC3i;1:;"); /* bytes, not text: as they are */
        assert_int_equal(vt->vocab_size(l), 256);
        hone_str byte = vt->token_bytes(l, 0xE2);
        assert_true(byte.len == 1 && byte.ptr[0] == (char)0xE2);
        assert_null(vt->token_bytes(l, 999).ptr);
        assert_int_equal(vt->token_id(l, str("x")), 'x');
        assert_int_equal(vt->token_id(l, str("xx")), -1);
        assert_int_equal(vt->special(l, "eos"), 10);
        vt->fingerprint(l, hex);
        assert_int_equal(strlen(hex), 64);
        assert_null(vt->is_special);
    }
    loop_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reward_sees_its_samples),
        cmocka_unit_test(test_outcomes_are_made_sound),
        cmocka_unit_test(test_a_failure_comes_back_with_its_text),
        cmocka_unit_test(test_what_was_answered_outlives_the_callee),
        cmocka_unit_test(test_only_wanted_members_travel),
        cmocka_unit_test(test_equal_texts_travel_once),
        cmocka_unit_test(test_rows_that_samples_share_travel_once),
        cmocka_unit_test(test_older_and_newer_samples),
        cmocka_unit_test(test_sinks_are_called_in_order_and_may_fail),
        cmocka_unit_test(test_no_room_says_how_much_it_takes),
        cmocka_unit_test(test_cancelling_reaches_the_callee),
        cmocka_unit_test(test_judges),
        cmocka_unit_test(test_tokenizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
