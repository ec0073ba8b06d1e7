/* The marshaller: what the callee sees is what the caller gave, what comes back is what the callee gave, for every
 * interface of the SDK and one of a third party's. Each test runs with offsets (checked) and in place (trusted). */
#include "wire_loop.h"

#include "hone/hone.h"

#include <math.h>

static hone_str str(const char *z)
{
    return hone_str_c(z);
}
static void assert_str(hone_str s, const char *want)
{
    if (s.len != strlen(want) || memcmp(s.ptr, want, s.len) != 0)
        fail_msg("\"%.*s\" instead of \"%s\"", (int)s.len, s.ptr ? s.ptr : "", want);
}
static char me[] = "me", mine[] = "mine"; /* objects that are handed around */
#define BOTH(l) for ((l)->trusted = 0; (l)->trusted < 2; (l)->trusted++)

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
        snprintf(end, sizeof noted - (size_t)(end - noted), "%zu %.*s=%.*s;", sample,
                 (int)name.len, name.ptr, (int)v->u.str.len, v->u.str.ptr);
    else
        snprintf(end, sizeof noted - (size_t)(end - noted), "%zu %.*s=%g;", sample, (int)name.len,
                 name.ptr, v->u.f64);
}
static const hone_notes notes = {sizeof notes, 0, mine, caller_note};

static const hone_message messages[] = {{{"user", 4}, {"first", 5}}, {{"user", 4}, {"second", 6}}};
static const int32_t tokens[] = {5, 6, 7}, tokens2[] = {5, 6, 8};
static const float logprobs[] = {-0.5f, 0, 0};
static const hone_value deep[] = {{.type = HONE_NULL},
                                  {.type = HONE_STRING, .u.str = {"deep", 4}}};
static const hone_pair pairs[] = {{{"n", 1}, {.type = HONE_I64, .u.i64 = -3}},
                                  {{"list", 4}, {.type = HONE_LIST, .u.list = {deep, 2}}}};
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
    assert_true(out[0].score == 0);
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
        const hone_judge_item *it =
            (const hone_judge_item *)(const void *)((const char *)items + i * stride);
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
    static const hone_judge_v1 real = {sizeof real, 0, judge};
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
    static const hone_tokenizer_v1 real = {
        sizeof real, 0,       encode, decode, vocab_size, token_bytes, NULL, token_id,
        special,     NULL, fingerprint};
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

/* ---- objectives, advantages, optimizers --------------------------------------------------------- */

static hone_status loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    (void)self;
    assert_int_equal(in->struct_size, sizeof *in);
    assert_int_equal(in->seq_begin[in->n_seqs], in->n_tokens);
    assert_null(in->old_logp);
    assert_true(out->struct_size == sizeof *out && out->n_tokens == in->n_tokens);
    assert_null(out->grad_value);
    for (size_t i = 0; i < in->n_tokens; i++) {
        assert_true(out->grad_logp[i] == 0.125); /* what the host put there comes along */
        out->grad_logp[i] = -in->mask[i];
        out->grad_entropy[i] = 2;
        out->loss -= in->logp[i] * in->mask[i];
    }
    out->metric(out, "kl", HONE_METRIC_MEAN, 0.5, 4);
    return HONE_OK;
}
static uint32_t uses(void *self)
{
    (void)self;
    return 0x80000001u;
}
static hone_str show(void *self)
{
    (void)self;
    return str("sum of logp");
}
static const hone_objective_v1 objective = {sizeof objective, 0, uses, loss, show};

static char metric_text[100];
static void take_metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                        double weight)
{
    snprintf(metric_text, sizeof metric_text, "%s %u %g %g %s", name, how, value, weight,
             (const char *)out->ctx);
}

static double g1[3], g2[3];
static hone_objective_out objective_out(void)
{
    for (int i = 0; i < 3; i++)
        g1[i] = 0.125, g2[i] = 0;
    hone_objective_out o = {.struct_size = sizeof o,
                            .grad_logp = g1,
                            .grad_entropy = g2,
                            .ctx = mine,
                            .metric = take_metric,
                            .n_tokens = 3};
    return o;
}
static const double logp[] = {-1, -2, -3}, mask[] = {1, 1, 0.5}, length[] = {1, 1.5};
static const size_t begin[] = {0, 1, 3};
static const hone_objective_in objective_in = {.struct_size = sizeof objective_in,
                                               .n_tokens = 3,
                                               .n_seqs = 2,
                                               .seq_begin = begin,
                                               .logp = logp,
                                               .mask = mask,
                                               .length = length};

static void test_objectives(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_OBJECTIVE), NULL, &objective, NULL);
    const hone_objective_v1 *vt = hone_wire_stub_table(l->stub);
    BOTH(l)
    {
        hone_objective_out o = objective_out();
        metric_text[0] = 0;
        assert_ok(vt->loss(l, &objective_in, &o));
        assert_true(o.loss == 4.5);
        assert_true(g1[0] == -1 && g1[2] == -0.5 && g2[1] == 2);
        assert_ptr_equal(o.grad_logp, g1);
        assert_ptr_equal(o.metric, take_metric);
        assert_string_equal(metric_text, "kl 0 0.5 4 mine");
        assert_int_equal(vt->uses(l), 0x80000001u);
        assert_str(vt->show(l), "sum of logp");
    }
    loop_close(l);
}

static hone_status compute(void *self, const hone_advantage_in *in, hone_advantage_out *out)
{
    (void)self;
    assert_int_equal(in->n_rewards, 2);
    for (size_t i = 0; i < in->n_seqs; i++) {
        out->seq[i] = in->rewards[in->n_seqs + i] * in->weights[1];
        out->left_out[i] = !in->scored[in->n_seqs + i];
    }
    out->per_token = 0;
    return HONE_OK;
}

static void test_advantages(void **state)
{
    static const hone_advantage_v1 real = {sizeof real, HONE_ADV_PER_TOKEN, compute, show};
    static const double rewards[] = {1, 2, 3, 4, 5, 6}, weights[] = {1, 10}, lengths[] = {1, 1, 1};
    static const uint8_t scored[] = {1, 1, 1, 1, 0, 1};
    static const uint32_t group[] = {0, 0, 0};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_ADVANTAGE), NULL, &real, NULL);
    const hone_advantage_v1 *vt = hone_wire_stub_table(l->stub);
    assert_int_equal(vt->flags, HONE_ADV_PER_TOKEN);
    BOTH(l)
    {
        const hone_advantage_in in = {.struct_size = sizeof in,
                                      .n_seqs = 3,
                                      .n_rewards = 2,
                                      .rewards = rewards,
                                      .scored = scored,
                                      .weights = weights,
                                      .group = group,
                                      .length = lengths};
        double seq[3] = {0};
        uint8_t left_out[3] = {9, 9, 9};
        hone_advantage_out out = {.struct_size = sizeof out,
                                  .per_token = 7,
                                  .seq = seq,
                                  .left_out = left_out,
                                  .n_seqs = 3};
        assert_ok(vt->compute(l, &in, &out));
        assert_true(seq[0] == 40 && seq[2] == 60);
        assert_true(left_out[0] == 0 && left_out[1] == 1);
        assert_int_equal(out.per_token, 0);
    }
    loop_close(l);
}

static hone_status state_spec(void *self, const hone_opt_param *param, hone_opt_state_spec *out)
{
    char name[40];
    (void)self;
    snprintf(name, sizeof name, "%.*s", (int)param->name.len, param->name.ptr);
    assert_string_equal(name, "w");
    assert_true(param->rows == -4 && param->group == 3);
    assert_int_equal(out->struct_size, sizeof *out);
    out->n_buffers = 2;
    out->names[0] = "exp_avg";
    out->names[1] = "exp_avg_sq";
    return HONE_OK;
}

static void test_optimizers(void **state)
{
    static const hone_optimizer_v1 real = {sizeof real, HONE_OPT_ELEMENTWISE, state_spec, NULL};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_OPTIMIZER), NULL, &real, NULL);
    const hone_optimizer_v1 *vt = hone_wire_stub_table(l->stub);
    assert_null(vt->step); /* works on the core's memory: stays in the process */
    BOTH(l)
    {
        const hone_opt_param p = {
            .struct_size = sizeof p, .group = 3, .name = str("w"), .rows = -4, .cols = 8};
        hone_opt_state_spec spec = {.struct_size = sizeof spec};
        assert_ok(vt->state_spec(l, &p, &spec));
        assert_int_equal(spec.n_buffers, 2);
        assert_string_equal(spec.names[1], "exp_avg_sq");
        assert_null(spec.names[2]);
        assert_int_equal(spec.struct_size, sizeof spec);
    }
    loop_close(l);
}

/* ---- sources, sinks, models, state -------------------------------------------------------------- */

static char position[100];
static hone_status get_position(void *self, const hone_bytes_sink *sink)
{
    (void)self;
    HONE_TRY(sink->put(sink, "ab\0c", 4));
    return sink->put(sink, "d", 1);
}
static hone_status seek(void *self, const void *p, size_t n)
{
    (void)self;
    snprintf(position, sizeof position, "%zu%s%.*s", n, p ? "" : " NULL", (int)n,
             p ? (const char *)p : "");
    return HONE_OK;
}
static int64_t row_count(void *self)
{
    (void)self;
    return -1;
}
static hone_status push_down(void *self, const hone_str *cols, size_t n, hone_str filter,
                             int64_t limit)
{
    (void)self;
    snprintf(position, sizeof position, "%zu %s %.*s %lld", n, cols ? "cols" : "all",
             (int)filter.len, filter.len ? filter.ptr : "", (long long)limit);
    return HONE_OK;
}
static hone_buf collected;
static hone_status collect(const hone_bytes_sink *sink, const void *p, size_t n)
{
    (void)sink;
    return hone_buf_add(&collected, p, n);
}

static void test_sources(void **state)
{
    static const hone_source_v1 real = {sizeof real, 0,    NULL, get_position, seek,
                                        row_count,   NULL, push_down};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_SOURCE), NULL, &real, NULL);
    const hone_source_v1 *vt = hone_wire_stub_table(l->stub);
    const hone_bytes_sink sink = {sizeof sink, 0, NULL, collect};
    hone_buf_init(&collected, 1000);
    BOTH(l)
    {
        const hone_str cols[] = {str("a"), str("b")};
        hone_buf_clear(&collected);
        assert_ok(vt->position(l, &sink));
        assert_int_equal(collected.len, 5);
        assert_memory_equal(collected.ptr, "ab\0cd", 5);
        assert_ok(vt->seek(l, "xyz", 3));
        assert_string_equal(position, "3xyz");
        assert_ok(vt->seek(l, NULL, 0));
        assert_string_equal(position, "0 NULL");
        assert_true(vt->row_count(l) == -1);
        assert_ok(vt->push_down(l, cols, 2, str("x > 1"), -1));
        assert_string_equal(position, "2 cols x > 1 -1");
        assert_ok(vt->push_down(l, NULL, 0, (hone_str){NULL, 0}, 5));
        assert_string_equal(position, "0 all  5");
    }
    hone_buf_release(&collected);
    loop_close(l);
}

static hone_status event(void *self, hone_str kind, const hone_value *fields)
{
    (void)self;
    assert_str(kind, "step");
    assert_int_equal(fields->type, HONE_MAP);
    assert_true(fields->u.map.pairs[0].value.u.i64 == -3);
    return HONE_OK;
}
static hone_status flush(void *self)
{
    (void)self;
    return hone_fail(HONE_E_IO, "the disk is full");
}
static int32_t probe(void *self, hone_str format, const hone_value *config)
{
    (void)self;
    assert_str(format, "hf");
    return config->type == HONE_MAP ? 90 : 0;
}
static hone_str config_json(void *self)
{
    (void)self;
    return str("{\"a\": 1}");
}

static void test_events_and_models(void **state)
{
    static const hone_sink_v1 sink = {sizeof sink, 0, event, flush};
    static const hone_model_v1 model = {.struct_size = sizeof model,
                                        .probe = probe,
                                        .config_json = config_json};
    const hone_value fields = {.type = HONE_MAP, .u.map = {pairs, 2}};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_SINK), NULL, &sink, NULL);
    loop *m = loop_open(hone_desc_builtin(HONE_IFACE_MODEL), NULL, &model, NULL);
    BOTH(l)
    {
        const hone_sink_v1 *vt = hone_wire_stub_table(l->stub);
        assert_ok(vt->event(l, str("step"), &fields));
        assert_int_equal(vt->flush(l), HONE_E_IO);
        assert_string_equal(hone_error_get()->what, "the disk is full");
    }
    BOTH(m)
    {
        const hone_model_v1 *vt = hone_wire_stub_table(m->stub);
        assert_int_equal(vt->probe(m, str("hf"), &fields), 90);
        assert_str(vt->config_json(m), "{\"a\": 1}");
        assert_null(vt->forward);
    }
    loop_close(l);
    loop_close(m);
}

static hone_status save(void *self, const hone_out_stream *out)
{
    (void)self;
    return out->write(out, "state", 5);
}
static hone_status load(void *self, const hone_in_stream *in)
{
    char all[16];
    size_t n = 0, got;
    (void)self;
    do {
        hone_status s = in->read(in, all + n, 3, &got);
        if (s < 0)
            return s;
        n += got;
    } while (got);
    return n == 5 && memcmp(all, "state", 5) == 0 ? HONE_OK : HONE_E_PARSE;
}
static hone_status take_bytes(const hone_out_stream *out, const void *p, size_t n)
{
    (void)out;
    return hone_buf_add(&collected, p, n);
}
static size_t read_at;
static hone_status give_bytes(const hone_in_stream *in, void *p, size_t n, size_t *got)
{
    (void)in;
    *got = n < 5 - read_at ? n : 5 - read_at;
    memcpy(p, "state" + read_at, *got);
    read_at += *got;
    return HONE_OK;
}

/* The other direction: a callback with outputs goes over the wire at once. */
static void ask(void *ctx, const hone_wire_slot *cb, size_t sink, void *const *args,
                hone_wire_ret *ret)
{
    static _Alignas(16) char bytes[4096], result[4096];
    loop *l = ctx;
    const hone_wire_place to = {bytes, sizeof bytes, 0}, back = {result, sizeof result, 0};
    const hone_wire_slot *which = NULL, *load_slot = hone_wire_find(l->wire, "load");
    const hone_in_stream host = {sizeof host, 0, NULL, give_bytes};
    hone_wire_call c;
    hone_wire_answer answer;
    size_t len, fixed, arg = 99;
    void (*fn)(void);
    assert_int_equal(sink, 1);
    assert_ok(hone_wire_put(cb, 5, args, &to, &len, &fixed));
    assert_ok(hone_wire_peek_callback(load_slot, bytes, len, &which, &arg));
    assert_ptr_equal(which, cb);
    assert_int_equal(arg, sink);
    assert_ok(hone_wire_get(cb, bytes, len, 0, &back, &l->caller, (void *)(uintptr_t)&host, &c));
    memcpy(&fn, &host.read, sizeof fn);
    hone_wire_invoke(&c, fn);
    assert_ok(hone_wire_finish(&c, NULL));
    assert_ok(hone_wire_take(cb, 5, args, result, sizeof result, &l->caller, &answer));
    *ret = answer.ret;
}

static void test_state_and_callbacks_with_outputs(void **state)
{
    static const hone_state_v1 real = {sizeof real, 0, save, load};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_STATE), NULL, &real, NULL);
    const hone_state_v1 *vt = hone_wire_stub_table(l->stub);
    const hone_out_stream out = {sizeof out, 0, NULL, take_bytes};
    const hone_in_stream in = {sizeof in, 0, NULL, give_bytes};
    hone_buf_init(&collected, 1000);
    BOTH(l)
    {
        hone_buf_clear(&collected);
        assert_ok(vt->save(l, &out));
        assert_string_equal(collected.ptr, "state");
        l->ask = NULL;
        assert_int_equal(vt->load(l, &in), HONE_E_UNSUPPORTED);
        l->ask = ask;
        l->ask_ctx = l;
        read_at = 0;
        assert_ok(vt->load(l, &in));
    }
    hone_buf_release(&collected);
    loop_close(l);
}

/* Every slot travels, but those that take what cannot leave the process. */
static void test_which_slots_travel(void **state)
{
    (void)state;
    for (size_t i = 0; hone_desc_builtins()[i]; i++) {
        const hone_iface_desc *d = hone_desc_builtins()[i];
        hone_wire *w;
        assert_ok(hone_wire_open(d, NULL, &w));
        for (size_t k = 0; k < w->n; k++) {
            const hone_slot *slot = d->table->slots[k];
            int stays = (slot->flags & HONE_SLOT_LOCAL) || strstr(slot->sig, ":config");
            if ((w->slots[k] == NULL) != stays)
                fail_msg("%s.%s %s", d->id, slot->name, stays ? "travels" : "does not travel");
        }
        hone_wire_close(w);
    }
}

/* ---- a third party's ---------------------------------------------------------------------------- */

typedef struct acme_point {
    double x, y;
} acme_point;
typedef struct acme_shape {
    uint32_t struct_size, kind;
    acme_point center;
    hone_str name;
    const acme_point *points;
    const hone_str *tags;
    size_t n_points, n_tags;
    hone_value extra;
    const char *aliases[2];
    int32_t *weights;
} acme_shape;
typedef struct acme_found {
    uint32_t struct_size, n;
    const char *what;
    const acme_point *at;
} acme_found;
typedef struct acme_map_v1 {
    uint32_t struct_size, reserved;
    hone_status (*find)(void *self, const acme_shape *shapes, size_t n, size_t stride,
                        uint8_t flag, const hone_str *words, uint32_t n_words, acme_point by,
                        acme_found *out, double *score);
    float (*half)(void *self, float x);
    int64_t (*clip)(void *self, acme_point *io, const hone_value *v, hone_value *out);
} acme_map_v1;
HONE_DESCRIBE(point_desc, acme_point, HONE_STRUCT_FROZEN, (NUM, x), (NUM, y))
HONE_DESCRIBE(shape_desc, acme_shape, 0, (SIZE, struct_size), (NUM, kind),
              (INNER, center, 1, point_desc), (STR, name),
              (STRUCTS, points, n_points, point_desc, HONE_M_NULLABLE),
              (STRS, tags, n_tags, HONE_M_NULLABLE), (NUM, n_points), (NUM, n_tags),
              (VALUE, extra), (INCSTRS, aliases, 2),
              (NUMS, weights, n_points, HONE_M_MUTABLE | HONE_M_NULLABLE))
HONE_DESCRIBE(found_desc, acme_found, 0, (SIZE, struct_size), (NUM, n), (CSTR, what),
              (STRUCTS, at, n, point_desc, HONE_M_NULLABLE))
HONE_DESCRIBE_IFACE(map_desc, acme_map_v1, "com.acme.map/1", "com.acme.kind.map",
                    (&point_desc, &shape_desc, &found_desc), (SIZE, struct_size), (PAD, reserved),
                    (SLOT, find, 0,
                     "self, shapes:[acme_shape; n, stride], n:size, stride:size, flag:u8, "
                     "words:[str; n_words]?, n_words:u32, by:by acme_point, "
                     "out:out acme_found, score:out f64? -> status",
                     "finds"),
                    (SLOT, half, 0, "self, x:f32 -> f32", "half"),
                    (SLOT, clip, 0, "self, io:inout acme_point, v:value?, out:out value -> i64",
                     "clips"))

static hone_status acme_find(void *self, const acme_shape *shapes, size_t n, size_t stride,
                             uint8_t flag, const hone_str *words, uint32_t n_words, acme_point by,
                             acme_found *out, double *found)
{
    static const acme_point at[] = {{1, 2}, {3, 4}};
    (void)self;
    assert_int_equal(n, 2);
    const acme_shape *s = (const acme_shape *)(const void *)((const char *)shapes + stride);
    assert_true(flag == 200 && n_words == 1 && by.x == -1 && by.y == 8);
    assert_str(words[0], "w\xFF"); /* a third party's bytes stay as they are */
    assert_true(s->center.y == 6 && s->points[1].x == 9 && s->n_tags == 2);
    assert_str(s->tags[1], "t2");
    assert_int_equal(s->extra.u.list.n, 2);
    assert_string_equal(s->aliases[1], "alias");
    assert_null(s->aliases[0]);
    assert_int_equal(s->weights[1], 11);
    s->weights[1] = 12;
    assert_null(shapes->weights);
    out->n = 2;
    out->what = "two";
    out->at = at;
    if (found)
        *found = 0.5;
    return HONE_OK;
}
static float acme_half(void *self, float x)
{
    (void)self;
    return x / 2;
}
static int64_t acme_clip(void *self, acme_point *io, const hone_value *v, hone_value *out)
{
    (void)self;
    if (io->x > 1)
        io->x = 1;
    *out = v ? *v : (hone_value){.type = HONE_STRING, .u.str = {"none", 4}};
    return INT64_MIN;
}

static void test_a_third_partys_interface(void **state)
{
    static const acme_map_v1 real = {sizeof real, 0, acme_find, acme_half, acme_clip};
    static const acme_point points[] = {{7, 8}, {9, 10}};
    (void)state;
    assert_ok(hone_desc_check("acme", &map_desc));
    loop *l = loop_open(&map_desc, NULL, &real, NULL);
    const acme_map_v1 *vt = hone_wire_stub_table(l->stub);
    BOTH(l)
    {
        const hone_str tags[] = {str("t1"), str("t2")}, words[] = {str("w\xFF")};
        int32_t weights[2] = {10, 11};
        double found = 0;
        acme_shape s[2] = {{.struct_size = sizeof *s, .kind = 1, .name = str("first")},
                           {.struct_size = sizeof *s,
                            .center = {5, 6},
                            .name = str("second"),
                            .points = points,
                            .tags = tags,
                            .n_points = 2,
                            .n_tags = 2,
                            .extra = {.type = HONE_LIST, .u.list = {deep, 2}},
                            .aliases = {NULL, "alias"},
                            .weights = weights}};
        acme_found out = {.struct_size = sizeof out};
        assert_ok(vt->find(l, s, 2, sizeof *s, 200, words, 1, (acme_point){-1, 8}, &out, &found));
        assert_int_equal(weights[1], 12);
        assert_int_equal(weights[0], 10);
        assert_string_equal(out.what, "two");
        assert_true(out.n == 2 && out.at[1].y == 4 && found == 0.5);
        assert_true(vt->half(l, 3.f) == 1.5f);
        acme_point p = {4, 5};
        hone_value v = {.type = HONE_NULL};
        assert_true(vt->clip(l, &p, &s[1].extra, &v) == INT64_MIN);
        assert_true(p.x == 1 && p.y == 5 && v.type == HONE_LIST && v.u.list.n == 2);
        assert_true(vt->clip(l, &p, NULL, &v) == INT64_MIN);
        assert_str(v.u.str, "none");
    }
    loop_close(l);
}

static void test_too_deep_values_are_refused(void **state)
{
    static const hone_sink_v1 sink = {sizeof sink, 0, event, flush};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_SINK), NULL, &sink, NULL);
    const hone_sink_v1 *vt = hone_wire_stub_table(l->stub);
    hone_value v[HONE_VALUE_DEPTH + 3] = {{.type = HONE_NULL}};
    for (size_t i = 0; i + 1 < sizeof v / sizeof *v; i++)
        v[i] = (hone_value){.type = HONE_LIST, .u.list = {&v[i + 1], 1}};
    assert_int_equal(vt->event(l, str("step"), v), HONE_E_LIMIT);
    v[0] = (hone_value){.type = 99};
    assert_int_equal(vt->event(l, str("step"), v), HONE_E_UNSUPPORTED);
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
        cmocka_unit_test(test_older_and_newer_samples),
        cmocka_unit_test(test_sinks_are_called_in_order_and_may_fail),
        cmocka_unit_test(test_no_room_says_how_much_it_takes),
        cmocka_unit_test(test_cancelling_reaches_the_callee),
        cmocka_unit_test(test_judges),
        cmocka_unit_test(test_tokenizers),
        cmocka_unit_test(test_objectives),
        cmocka_unit_test(test_advantages),
        cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_events_and_models),
        cmocka_unit_test(test_state_and_callbacks_with_outputs),
        cmocka_unit_test(test_which_slots_travel),
        cmocka_unit_test(test_a_third_partys_interface),
        cmocka_unit_test(test_too_deep_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
