/* Components written in Lua, called from C; C components and third parties' interfaces, called from Lua. */
#include "plugins.h"

#include "base/file.h"
#include "base/json.h"
#include "hone/hone.h"
#include "lua/component.h"
#include "lua/iface.h"

#include <math.h>
#include <pthread.h>

struct bench {
    hone_registry *reg;
    hone_lua *l;
};

static struct bench start(const char *plugins)
{
    struct bench b = {0};
    const char *paths[] = {plugins, NULL};
    hone_registry_opts ro = {
        .paths = plugins ? paths : NULL, .only_paths = 1, .in_process = 1, .seed = 7};
    assert_ok(hone_registry_open(&ro, &b.reg));
    hone_lua_opts o = {
        .registry = b.reg, .seed = 7, .guard_steps = 5000000, .lib_dir = scratch_dir()};
    assert_ok(hone_lua_create(&o, &b.l));
    lua_State *L = hone_lua_main(b.l);
    lua_newtable(L);
    hone_lua_push_abstain(L);
    lua_setfield(L, -2, "abstain");
    lua_setglobal(L, "hone");
    return b;
}

static void stop(struct bench b)
{
    uint64_t lines = hone_log_count(HONE_LOG_HOST_MISBEHAVING);
    hone_lua_destroy(b.l);
    hone_registry_close(b.reg);
    assert_int_equal(hone_log_count(HONE_LOG_HOST_MISBEHAVING), lines); /* no instance was left */
}

/* The table that `text` gives, as a component. */
static hone_status define(struct bench b, const char *text, const hone_component_info **out)
{
    lua_State *L = hone_lua_main(b.l);
    lua_settop(L, 0);
    HONE_TRY(hone_lua_load_text(b.l, text, strlen(text), "=recipe"));
    HONE_TRY(hone_lua_pcall(L, 0, 1));
    hone_status s = hone_lua_component(L, -1, NULL, out);
    lua_settop(L, 0);
    return s;
}

static hone_instance *make(struct bench b, const char *text)
{
    const hone_component_info *info;
    hone_instance *inst = NULL;
    assert_ok(define(b, text, &info));
    assert_ok(hone_instance_create_info(b.reg, info, NULL, &inst));
    return inst;
}

static hone_status lua(struct bench b, const char *text)
{
    lua_State *L = hone_lua_main(b.l);
    lua_settop(L, 0);
    HONE_TRY(hone_lua_load_text(b.l, text, strlen(text), "=recipe"));
    return hone_lua_pcall(L, 0, 1);
}

/* ---- rewards ----------------------------------------------------------------------------------- */

static hone_status score_with(hone_instance *inst, const hone_sample *samples, size_t n,
                              hone_outcome *out, const hone_notes *notes, uint64_t deadline)
{
    hone_ref ref;
    HONE_TRY(hone_instance_ref(inst, HONE_IFACE_REWARD, &ref));
    const hone_reward_v1 *vt = ref.vt;
    assert_true(HONE_HAS(vt, hone_reward_v1, score));
    assert_null(vt->score_groups);
    hone_call call = {.struct_size = sizeof call, .n = (uint32_t)n, .deadline_ns = deadline};
    for (size_t i = 0; i < n; i++)
        out[i] = (hone_outcome){HONE_PENDING, 0};
    hone_instance_enter(inst);
    return hone_instance_leave(
        inst, "score",
        vt->score(ref.self, &call, samples, n, sizeof *samples, out, sizeof *out, notes));
}

static hone_sample sample(uint64_t id, const char *completion)
{
    static const hone_message messages[] = {{{"user", 4}, {"hi", 2}}};
    static const int32_t tokens[] = {5, 6, 7};
    static const hone_column columns[] = {
        {{"answer", 6}, {.type = HONE_STRING, .u.str = {"42", 2}}},
        {{"id", 2}, {.type = HONE_I64, .u.i64 = 99}}};
    return (hone_sample){.id = id,
                         .prompt = hone_str_c("q"),
                         .completion = hone_str_c(completion),
                         .messages = messages,
                         .n_messages = 1,
                         .tokens = tokens,
                         .n_tokens = 3,
                         .columns = columns,
                         .n_columns = 2};
}

static char noted[200];
static void keep_note(const hone_notes *notes, size_t i, hone_str name, const hone_value *v)
{
    (void)notes;
    size_t n = strlen(noted);
    snprintf(noted + n, sizeof noted - n, "%zu %.*s=%g;", i, (int)name.len, name.ptr,
             v->type == HONE_F64 ? v->u.f64 : (double)v->u.i64);
}

static void test_a_lua_reward_scores_through_the_c_vtable(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(
        b, "return {kind = 'reward', id = 'brief', score = function(batch)\n"
           "  if #batch > 1 then batch:note(2, 'length', #batch[2].completion) end\n"
           "  return batch:map(function(s) return -#s.completion / 10 end) end}");
    assert_string_equal(hone_instance_id(inst), "recipe.reward.brief");
    hone_sample s[] = {sample(1, "ab"), sample(2, "abcdef")};
    hone_outcome out[2];
    hone_notes notes = {.struct_size = sizeof notes, .put = keep_note};
    noted[0] = 0;
    assert_ok(score_with(inst, s, 2, out, &notes, 0));
    assert_int_equal(out[0].status, HONE_SCORE);
    assert_true(out[0].score == -.2f && out[1].score == -.6f);
    assert_string_equal(noted, "1 length=6;");
    assert_ok(score_with(inst, s + 1, 1, out, NULL, 0)); /* the batch object is used again */
    assert_true(out[0].score == -.6f);
    hone_instance_unref(inst);
    stop(b);
}

static void test_results_are_typed_outcomes(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(
        b, "return {kind = 'reward', id = 'r', score = function(batch)\n"
           "  return {1, hone.abstain, nil, 0/0, 1/0, true, false, 1e300, 3} end}");
    hone_sample s[10];
    hone_outcome out[10];
    for (size_t i = 0; i < 10; i++)
        s[i] = sample(i, "x");
    assert_ok(score_with(inst, s, 10, out, NULL, 0));
    static const uint32_t want[] = {HONE_SCORE, HONE_ABSTAIN, HONE_ERROR, HONE_ERROR, HONE_ERROR,
                                    HONE_SCORE, HONE_ERROR,   HONE_ERROR, HONE_SCORE, HONE_ERROR};
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(out[i].status, want[i]);
    assert_true(out[8].score == 3);
    hone_instance_unref(inst);
    inst = make(b, "return {kind = 'reward', id = 'bad', score = function() return {'one'} end}");
    assert_fails(score_with(inst, s, 1, out, NULL, 0), HONE_E_SCRIPT, "result 1 is a string");
    hone_instance_unref(inst);
    inst = make(b, "return {kind = 'reward', id = 'none', score = function() end}");
    assert_fails(score_with(inst, s, 1, out, NULL, 0), HONE_E_SCRIPT, "must return a list");
    hone_instance_unref(inst);
    stop(b);
}

static void test_every_member_of_a_sample_can_be_read(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(
        b,
        "return {kind = 'reward', id = 'r', score = function(batch)\n"
        "  local s = batch[1]\n"
        "  local function is(a, b) if a ~= b then error(tostring(a) .. ' is not ' .. tostring(b), "
        "2) end end\n"
        "  is(#batch, 1) is(s.id, 7) is(s.completion, 'hello') is(s.completion_len, 5) "
        "is(s.prompt, 'q')\n"
        "  is(s.columns.answer, '42') is(s.answer, '42') is(s.columns.id, 99) "
        "is(s.columns.nothing, nil) is(s.other, nil)\n"
        "  is(#s.messages, 1) is(s.messages[1].role, 'user') is(s.messages[1].content, 'hi')\n"
        "  is(#s.tokens, 3) is(s.tokens[2], 6) is(s.tokens[4], nil) is(s.tokens_len, 3) "
        "is(s.logprobs, nil)\n"
        "  is(s.finish, 'length') is(batch[2], nil) is(batch[0], nil)\n"
        "  local sum = 0 for i, t in ipairs(s.tokens) do sum = sum + t end is(sum, 18)\n"
        "  local keys = {} for k, v in pairs(s.columns) do keys[#keys + 1] = k end "
        "is(table.concat(keys, ','), 'answer,id')\n"
        "  is(table.concat(s.tokens:totable(), ' '), '5 6 7')\n"
        "  is(pcall(function() s.id = 3 end), false) is(pcall(function() return s[1] end), false)\n"
        "  is(pcall(function() return batch.nope end), false) is(getmetatable(s), false) "
        "is(getmetatable(batch), false)\n"
        "  is(pcall(batch.map, {}, print), false) is(pcall(batch.map, 5), false)\n"
        "  kept = s kept_batch = batch\n"
        "  return {1} end}");
    hone_sample s = sample(7, "hello");
    s.finish = HONE_FINISH_LENGTH;
    hone_outcome out;
    assert_ok(score_with(inst, &s, 1, &out, NULL, 0));
    /* what is kept is dead, not dangling */
    assert_fails(lua(b, "return kept.completion"), HONE_E_SCRIPT,
                 "used after its call has returned");
    assert_fails(lua(b, "return #kept_batch"), HONE_E_SCRIPT, "used after its call has returned");
    hone_instance_unref(inst);
    stop(b);
}

struct remote {
    struct bench b;
    hone_instance *inst;
    hone_status status;
    hone_outcome out[3];
    hone_error error;
    uint64_t deadline;
    int finished;
};

static void *score_elsewhere(void *arg)
{
    struct remote *r = arg;
    hone_sample s[] = {sample(1, "a"), sample(2, "bb"), sample(3, "ccc")};
    for (int i = 0; i < 50 && r->status >= 0; i++)
        r->status = score_with(r->inst, s, 3, r->out, NULL, r->deadline);
    r->error = *hone_error_get();
    __atomic_store_n(&r->finished, 1, __ATOMIC_RELEASE);
    hone_lua_wake(r->b.l);
    return NULL;
}

static int all_finished(void *arg)
{
    struct remote *r = arg;
    return __atomic_load_n(&r[0].finished, __ATOMIC_ACQUIRE) &&
           __atomic_load_n(&r[1].finished, __ATOMIC_ACQUIRE);
}

static void test_lua_rewards_are_called_from_other_threads(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(
        b, "local calls = 0\nreturn {kind = 'reward', id = 'r', score = function(batch)\n"
           "  calls = calls + 1 return batch:map(function(s) return s.completion_len end) end}");
    struct remote r[2] = {{.b = b, .inst = inst}, {.b = b, .inst = inst}};
    pthread_t t[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, score_elsewhere, &r[i]), 0);
    hone_lua_pump_until(b.l, all_finished, r);
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(r[i].status, HONE_OK);
        assert_true(r[i].out[2].status == HONE_SCORE && r[i].out[2].score == 3);
    }
    /* nobody pumps: the deadline includes the queue */
    r[0] = (struct remote){.b = b, .inst = inst, .deadline = 1};
    assert_int_equal(pthread_create(&t[0], NULL, score_elsewhere, &r[0]), 0);
    pthread_join(t[0], NULL);
    assert_int_equal(r[0].status, HONE_E_TIMEOUT);
    assert_int_equal(r[0].out[0].status, HONE_PENDING);
    hone_instance_unref(inst);
    stop(b);
}

static void test_failures_name_component_line_and_call(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(
        b, "return {kind = 'reward', id = 'r', score = function(batch)\n"
           "  return batch:map(function(s)\n    return s.completion.x.y end) end}");
    hone_sample s = sample(1, "a");
    hone_outcome out;
    uint64_t lines = hone_log_count(HONE_LOG_PLUGIN_MISBEHAVING);
    assert_fails(score_with(inst, &s, 1, &out, NULL, 0), HONE_E_SCRIPT,
                 "recipe.reward.r: recipe:3:");
    assert_non_null(strstr(hone_error_get()->detail, "traceback"));
    assert_non_null(strstr(hone_error_get()->detail, "in score"));
    assert_int_equal(hone_log_count(HONE_LOG_PLUGIN_MISBEHAVING), lines);
    hone_instance_unref(inst);
    inst = make(b, "return {kind = 'reward', id = 'loop', score = function() while true do "
                   "pcall(error) end end}");
    assert_fails(score_with(inst, &s, 1, &out, NULL, 0), HONE_E_LIMIT,
                 "recipe.reward.loop: the Lua function was stopped");
    assert_fails(score_with(inst, &s, 1, &out, NULL, 1), HONE_E_TIMEOUT, "deadline");
    hone_instance_unref(inst);
    stop(b);
}

static void test_wrong_tables_are_refused_with_a_suggestion(void **state)
{
    (void)state;
    static const char *const bad[][3] = {
        {"return {kind = 'reward', id = 'r', scor = print}", "has no \"scor\"",
         "did you mean \"score\"?"},
        {"return {kind = 'rewrd', id = 'r', score = print}", "no kind \"rewrd\"", ""},
        {"return {id = 'r', score = print}", "kind is missing", ""},
        {"return {kind = 'reward', score = print}", "id is missing", ""},
        {"return {kind = 'reward', id = 'r'}", "needs a function: score", ""},
        {"return {kind = 'reward', id = 5, score = print}", "id: a string is expected", ""},
        {"return {kind = 'reward', id = 'a b', score = print}", "no reverse DNS name", ""},
        {"return 5", "table expected", ""},
        {"return {kind = 'objective', id = 'o', uses = {'olds'}, loss = print}", "uses: \"olds\"",
         ""},
        {"return {kind = 'source', id = 's', next = print, seek = print}", "both position and seek",
         ""},
        {"return {kind = 'x', iface = 'com.acme.none/1', id = 's'}", "nobody has described", ""},
    };
    struct bench b = start(NULL);
    const hone_component_info *info;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hone_error_clear();
        hone_status s = define(b, bad[i][0], &info);
        if (s >= 0 || !strstr(hone_error_get()->what, bad[i][1]) ||
            !strstr(hone_error_get()->hint, bad[i][2]))
            fprintf(stderr, "%s: %s [%s]\n", bad[i][0], hone_error_get()->what,
                    hone_error_get()->hint);
        assert_true(s < 0);
        assert_non_null(strstr(hone_error_get()->what, bad[i][1]));
        assert_non_null(strstr(hone_error_get()->hint, bad[i][2]));
    }
    hone_instance_unref(make(b, "return {kind = 'reward', id = 'r', score = print}"));
    assert_fails(define(b, "return {kind = 'reward', id = 'r', score = print}", &info),
                 HONE_E_EXISTS, "already");
    stop(b);
}

/* ---- objectives and advantages ----------------------------------------------------------------- */

static char metrics[200];
static void keep_metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                        double weight)
{
    (void)out;
    (void)how;
    (void)weight;
    size_t n = strlen(metrics);
    snprintf(metrics + n, sizeof metrics - n, "%s=%g;", name, value);
}

static void test_a_lua_objective_gives_loss_gradient_and_metrics(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(b, "return {kind = 'objective', id = 'nll', uses = {'old', "
                                  "'advantage'}, show = '-sum(logp A)',\n"
                                  "loss = function(b)\n"
                                  "  local loss, grad = 0, {}\n"
                                  "  for i = 1, b.n_tokens do loss = loss - b.logp[i] * "
                                  "b.advantage[i] grad[i] = -b.advantage[i] end\n"
                                  "  return loss, grad, {b = b.n_seqs, a = b.seq_begin[3]} end}");
    hone_ref ref;
    assert_ok(hone_instance_ref(inst, HONE_IFACE_OBJECTIVE, &ref));
    const hone_objective_v1 *vt = ref.vt;
    assert_int_equal(vt->uses(ref.self), HONE_OBJ_OLD | HONE_OBJ_ADVANTAGE);
    assert_true(hone_str_eq(vt->show(ref.self), "-sum(logp A)"));
    const size_t begin[] = {0, 1, 3};
    const double logp[] = {-1, -2, -3}, advantage[] = {1, .5, 2}, mask[] = {1, 1, 1},
                 length[] = {1, 2};
    double grad[3] = {0, 0, 0};
    hone_objective_in in = {.struct_size = sizeof in,
                            .n_tokens = 3,
                            .n_seqs = 2,
                            .seq_begin = begin,
                            .logp = logp,
                            .mask = mask,
                            .advantage = advantage,
                            .length = length};
    hone_objective_out out = {
        .struct_size = sizeof out, .grad_logp = grad, .metric = keep_metric, .n_tokens = 3};
    metrics[0] = 0;
    assert_ok(vt->loss(ref.self, &in, &out));
    assert_true(out.loss == 8 && grad[0] == -1 && grad[1] == -.5 && grad[2] == -2);
    assert_string_equal(metrics, "a=3;b=2;"); /* sorted by name */
    hone_instance_unref(inst);
    inst = make(b, "return {kind = 'objective', id = 'direct', loss = function(b, out)\n"
                   "  out.loss = 5 out.grad_logp[2] = 7 out:metric('m', 1, 2.5, 1) end}");
    assert_ok(hone_instance_ref(inst, HONE_IFACE_OBJECTIVE, &ref));
    vt = ref.vt;
    metrics[0] = 0;
    assert_ok(vt->loss(ref.self, &in, &out));
    assert_true(out.loss == 5 && grad[1] == 7);
    assert_string_equal(metrics, "m=2.5;");
    hone_instance_unref(inst);
    inst = make(
        b, "return {kind = 'objective', id = 'short', loss = function(b) return 0, {1, 2} end}");
    assert_ok(hone_instance_ref(inst, HONE_IFACE_OBJECTIVE, &ref));
    vt = ref.vt;
    assert_fails(vt->loss(ref.self, &in, &out), HONE_E_SCRIPT,
                 "gradient: 3 numbers are expected, got 2");
    hone_instance_unref(inst);
    stop(b);
}

static void test_a_lua_advantage_gives_one_number_a_sequence(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(
        b, "return {kind = 'advantage', id = 'plus', compute = function(b)\n"
           "  local t = {} for i = 1, b.n_seqs do t[i] = b.rewards[i] + 1 end return t end}");
    hone_ref ref;
    assert_ok(hone_instance_ref(inst, HONE_IFACE_ADVANTAGE, &ref));
    const hone_advantage_v1 *vt = ref.vt;
    const double rewards[] = {1, 2}, weights[] = {1};
    const uint8_t scored[] = {1, 1};
    const uint32_t group[] = {0, 0};
    double seq[2] = {0, 0};
    hone_advantage_in in = {.struct_size = sizeof in,
                            .n_seqs = 2,
                            .n_rewards = 1,
                            .rewards = rewards,
                            .scored = scored,
                            .weights = weights,
                            .group = group};
    hone_advantage_out out = {.struct_size = sizeof out, .seq = seq};
    assert_ok(vt->compute(ref.self, &in, &out));
    assert_true(seq[0] == 2 && seq[1] == 3);
    hone_instance_unref(inst);
    stop(b);
}

/* ---- sources ----------------------------------------------------------------------------------- */

static hone_status keep_bytes(const hone_bytes_sink *sink, const void *bytes, size_t n)
{
    return hone_buf_add(sink->ctx, bytes, n);
}

/* Rows of the stream as text, one a line. */
static void read_all(const hone_source_v1 *vt, void *self, hone_buf *out, int batches)
{
    struct ArrowArrayStream s;
    struct ArrowSchema schema;
    struct ArrowArray a;
    assert_ok(vt->open(self, &s));
    assert_int_equal(s.get_schema(&s, &schema), 0);
    assert_string_equal(schema.format, "+s");
    assert_string_equal(schema.children[0]->name, HONE_SOURCE_ROW);
    schema.release(&schema);
    for (int i = 0; i < batches; i++) {
        assert_int_equal(s.get_next(&s, &a), 0);
        if (!a.release)
            break;
        const int32_t *offsets = a.children[0]->buffers[1];
        const char *text = a.children[0]->buffers[2];
        for (int64_t k = 0; k < a.length; k++)
            hone_buf_addf(out, "%.*s\n", (int)(offsets[k + 1] - offsets[k]), text + offsets[k]);
        a.release(&a);
    }
    s.release(&s);
}

static void test_a_lua_source_gives_rows_and_finds_its_place_again(void **state)
{
    (void)state;
    static const char *const with_seek =
        "local i = 0\nreturn {kind = 'source', id = 'count', row_count = function() return 100 "
        "end,\n"
        "  next = function() i = i + 1 return i <= 100 and {n = i, half = i / 2} or nil end,\n"
        "  position = function() return {at = i} end, seek = function(p) i = p and p.at or 0 end}";
    static const char *const without =
        "local i = 0\nreturn {kind = 'source', id = 'plain',\n"
        "  next = function() i = i + 1 return i <= 100 and {n = i, half = i / 2} or nil end}";
    const char *const both[] = {with_seek, without};
    for (int k = 0; k < 2; k++) {
        struct bench b = start(NULL);
        hone_instance *inst = make(b, both[k]);
        hone_ref ref;
        hone_buf text, position, rest;
        hone_buf_init(&text, 1 << 20);
        hone_buf_init(&position, 1 << 20);
        hone_buf_init(&rest, 1 << 20);
        assert_ok(hone_instance_ref(inst, HONE_IFACE_SOURCE, &ref));
        const hone_source_v1 *vt = ref.vt;
        assert_int_equal(vt->row_count(ref.self), k ? -1 : 100);
        read_all(vt, ref.self, &text, 1);
        hone_bytes_sink sink = {.struct_size = sizeof sink, .ctx = &position, .put = keep_bytes};
        assert_ok(vt->position(ref.self, &sink));
        read_all(vt, ref.self, &text, 100);
        assert_non_null(strstr(text.ptr, "{\"half\":0.5,\"n\":1}\n"));
        assert_non_null(strstr(text.ptr, "\"n\":100}"));
        hone_instance_unref(inst);
        stop(b);
        /* another process, from the kept position */
        b = start(NULL);
        inst = make(b, both[k]);
        assert_ok(hone_instance_ref(inst, HONE_IFACE_SOURCE, &ref));
        vt = ref.vt;
        assert_ok(vt->seek(ref.self, position.ptr, position.len));
        read_all(vt, ref.self, &rest, 100);
        assert_true(rest.len < text.len);
        assert_string_equal(text.ptr + (text.len - rest.len), rest.ptr);
        assert_int_equal(strncmp(rest.ptr, "{\"half\":1.0,\"n\":2}", 18),
                         0); /* a row is asked for alone */
        assert_true(vt->seek(ref.self, "{", 1) < 0);
        if (k)
            assert_fails(vt->seek(ref.self, NULL, 0), HONE_E_UNSUPPORTED, "cannot go back");
        hone_instance_unref(inst);
        hone_buf_release(&text);
        hone_buf_release(&position);
        hone_buf_release(&rest);
        stop(b);
    }
}

/* ---- models ------------------------------------------------------------------------------------ */

struct fake_store {
    char names[200];
    int n, infos;
    hone_model_info info;
};

static hone_param fake_param(const hone_store_v1 *store, const hone_param_spec *spec)
{
    struct fake_store *f = store->ctx;
    size_t n = strlen(f->names);
    snprintf(f->names + n, sizeof f->names - n, "%s %lldx%lld;", spec->name, (long long)spec->rows,
             (long long)spec->cols);
    return f->n++;
}
static void fake_info(const hone_store_v1 *store, const hone_model_info *info)
{
    struct fake_store *f = store->ctx;
    f->infos++;
    f->info = *info;
}
static hone_tensor fake_embed(hone_ctx *c, hone_param table, float scale)
{
    return *(int32_t *)c + table + (int32_t)scale;
}
static hone_tensor fake_linear(hone_ctx *c, hone_tensor x, hone_param w, hone_param bias)
{
    (void)c;
    return x * 100 + w * 10 + bias;
}
static hone_tensor fake_add_rmsnorm(hone_ctx *c, hone_tensor x, hone_tensor delta, hone_param w,
                                    float eps, float off, hone_tensor *sum)
{
    (void)c;
    (void)w;
    (void)eps;
    (void)off;
    *sum = x + delta;
    return x - delta;
}
static hone_tensor fake_rope(hone_ctx *c, hone_tensor x, const hone_rope *rope)
{
    (void)c;
    return rope->struct_size == sizeof *rope && rope->theta == 10000.0 ? x + rope->n_heads : -1;
}
static hone_status fake_op(hone_ctx *c, const char *name, const hone_tensor *in, uint32_t n_in,
                           const void *attr, size_t attr_size, hone_tensor *out, uint32_t n_out)
{
    (void)c;
    if (strcmp(name, "split/1") != 0 || attr_size != 3 || memcmp(attr, "abc", 3) != 0)
        return hone_fail(HONE_E_NOT_FOUND, "no op %s", name);
    for (uint32_t i = 0; i < n_out; i++)
        out[i] = in[0] + in[n_in - 1] + (int32_t)i;
    return HONE_OK;
}

static void test_a_lua_model_declares_and_records_its_forward(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(b, "local e, w\nreturn {kind = 'model', id = 'tiny',\n"
                                  "declare = function(store, config, format)\n"
                                  "  e = store:param{name = 'embed', rows = config.vocab, cols = "
                                  "4, init = 1, init_std = 0.5}\n"
                                  "  w = store:param{name = 'w', rows = 4, cols = 4}\n"
                                  "  store:info{vocab_size = config.vocab, hidden = 4, embed = e, "
                                  "head = e, n_layers = 1, logit_scale = 1}\n"
                                  "  if format ~= 'hf' then error('format ' .. format) end end,\n"
                                  "forward = function(g)\n"
                                  "  local x = g:embed(e, 2)\n"
                                  "  x = g:linear(x, w, nil)\n"
                                  "  local y, sum = g:add_rmsnorm(x, x, w, 1e-5, 0)\n"
                                  "  if y ~= 0 or sum ~= 2 * x then error('sum') end\n"
                                  "  x = g:rope(x, {n_heads = 3, theta = 10000})\n"
                                  "  local out = g:op('split/1', {x, 1}, 'abc', 2)\n"
                                  "  return out[2] end}");
    hone_ref ref;
    assert_ok(hone_instance_ref(inst, HONE_IFACE_MODEL, &ref));
    const hone_model_v1 *vt = ref.vt;
    hone_pair pair = {hone_str_c("vocab"), {.type = HONE_I64, .u.i64 = 9}};
    hone_value config = {.type = HONE_MAP, .u.map = {&pair, 1}};
    struct fake_store fake = {.n = 0};
    hone_store_v1 store = {
        .struct_size = sizeof store, .ctx = &fake, .param = fake_param, .info = fake_info};
    assert_int_equal(vt->probe(ref.self, hone_str_c("hf"), &config), 0);
    assert_ok(vt->declare(ref.self, hone_str_c("hf"), &config, &store));
    assert_string_equal(fake.names, "embed 9x4;w 4x4;");
    assert_true(fake.infos == 1 && fake.info.hidden == 4 &&
                fake.info.struct_size == sizeof(hone_model_info));
    assert_non_null(strstr(vt->config_json(ref.self).ptr, "\"vocab\": 9"));
    int32_t ctx = 5;
    hone_graph_v1 g = {.struct_size = sizeof g,
                       .embed = fake_embed,
                       .linear = fake_linear,
                       .add_rmsnorm = fake_add_rmsnorm,
                       .rope = fake_rope,
                       .op = fake_op};
    /* embed 5+0+2 = 7; linear 700+10-1 = 709; rope 712; op 712+1+1 */
    assert_int_equal(vt->forward(ref.self, &g, (hone_ctx *)&ctx), 714);
    hone_instance_unref(inst);
    inst = make(b,
                "return {kind = 'model', id = 'bad', forward = function(g) return g:gelu(1) end}");
    assert_ok(hone_instance_ref(inst, HONE_IFACE_MODEL, &ref));
    vt = ref.vt;
    assert_null(vt->declare);
    hone_error_clear();
    assert_int_equal(vt->forward(ref.self, &g, (hone_ctx *)&ctx), HONE_NONE);
    assert_non_null(strstr(hone_error_get()->what, "has no gelu"));
    hone_instance_unref(inst);
    stop(b);
}

/* ---- Lua calls C ------------------------------------------------------------------------------- */

static void push_handle(struct bench b, hone_instance *inst, const char *iface, const char *global)
{
    lua_State *L = hone_lua_main(b.l);
    assert_ok(hone_lua_push_iface(L, inst, iface));
    lua_setglobal(L, global);
    hone_instance_unref(inst); /* the handle keeps it */
}

static void test_a_c_reward_is_called_from_lua(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/good.c", "", "call", "good");
    struct bench b = start(scratch_path("call"));
    hone_instance *inst;
    assert_ok(hone_instance_create(b.reg, HONE_KIND_REWARD, "probe", NULL, &inst));
    push_handle(b, inst, HONE_IFACE_REWARD, "probe");
    assert_ok(lua(
        b, "local out = probe:score({{completion = 'abc', columns = {answer = '1'}}, {completion = "
           "'x', id = 4}})\n"
           "return #out == 2 and out[1].status == 1 and out[1].score == 3 and out[2].score == 1"));
    assert_true(lua_toboolean(hone_lua_main(b.l), -1));
    assert_fails(lua(b, "probe:score({{completon = 'abc'}})"), HONE_E_SCRIPT,
                 "has no member \"completon\"");
    assert_fails(lua(b, "probe:score({{completion = 5}})"), HONE_E_SCRIPT,
                 "completion: a string expected, got number");
    assert_fails(lua(b, "probe:score('x')"), HONE_E_SCRIPT, "a list is expected");
    assert_fails(lua(b, "probe:scor({})"), HONE_E_SCRIPT, "has no call \"scor\"");
    assert_fails(lua(b, "probe.score({})"), HONE_E_SCRIPT, "with a colon");
    assert_fails(lua(b, "probe:score_tokens({})"), HONE_E_SCRIPT,
                 "does not offer the optional call");
    assert_ok(lua(b, "probe:close() return true"));
    assert_fails(lua(b, "probe:score({})"), HONE_E_SCRIPT, "is closed");
    stop(b);
}

static void test_a_lua_reward_is_called_from_lua_and_fails_as_itself(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    push_handle(b,
                make(b, "return {kind = 'reward', id = 'r', score = function(batch)\n"
                        "  return batch:map(function(s) return s.n * 2 end) end}"),
                HONE_IFACE_REWARD, "r");
    assert_ok(lua(b, "return r:score({{columns = {n = 4}}})[1].score == 8"));
    assert_true(lua_toboolean(hone_lua_main(b.l), -1));
    assert_fails(lua(b, "r:score({{columns = {n = 'x'}}, {}})"), HONE_E_SCRIPT,
                 "recipe.reward.r: recipe:2:");
    /* through itself, deeper than the pool of coroutines, until it is refused */
    assert_ok(lua(b, "deepest = 0"));
    push_handle(
        b,
        make(b, "local d = 0 return {kind = 'reward', id = 'rec', score = function(batch)\n"
                "  d = d + 1 if d > deepest then deepest = d end\n"
                "  local ok, e = pcall(function() return rec:score({{}})[1].score end) d = d - 1\n"
                "  return {ok and e or 1} end}"),
        HONE_IFACE_REWARD, "rec");
    assert_ok(lua(
        b, "local x = rec:score({{}})[1].score return deepest > 10 and deepest < 100 and x == 1"));
    assert_true(lua_toboolean(hone_lua_main(b.l), -1));
    stop(b);
}

/* A third party's own kind: its interface is described in its file, and Lua calls it, with no change to hone. */
static void test_a_third_partys_interface_is_called_and_implemented(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/acme.c", "", "acme", "acme");
    struct bench b = start(scratch_path("acme"));
    hone_instance *inst;
    assert_ok(hone_instance_create(b.reg, "com.acme.kind.map", "map", NULL, &inst));
    push_handle(b, inst, "com.acme.map/1", "map");
    assert_ok(lua(b, "local p, d = map:nearest({{x = 0, y = 0}, {x = 5, y = 1}, {x = 2, y = 0}})\n"
                     "local words = map:words('a bc d', 2)\n"
                     "return p.x == 2 and p.y == 0 and d == 2 and #words == 2 and words[2].text == "
                     "'bc' and words[2].at == 2\n"
                     "  and map:scaled({1, 2, 3}, 0.5)[3] == 1.5 and map:name() == 'acme' and "
                     "map:mid({x = 1, y = 3}) == 2"));
    assert_true(lua_toboolean(hone_lua_main(b.l), -1));
    assert_fails(lua(b, "map:nearest({})"), HONE_E_INVALID, "com.acme.map.map: no points");
    assert_fails(lua(b, "map:nearest({{x = 1, z = 2}})"), HONE_E_SCRIPT, "has no member \"z\"");
    hone_instance *mine = make(b, "return {kind = 'com.acme.kind.map', id = 'mine',\n"
                                  "  nearest = function(points) return points[2], #points end,\n"
                                  "  words = function(text, n, sink) for w in text:gmatch('%a+') "
                                  "do sink:put(#w, w) end end,\n"
                                  "  name = function() return 'lua' .. '!' end}");
    push_handle(b, mine, "com.acme.map/1", "mine");
    assert_ok(lua(b, "local p, d = mine:nearest({{x = 1, y = 2}, {x = 3, y = 4}})\n"
                     "local w = mine:words('ab c', 1)\n"
                     "return p.x == 3 and p.y == 4 and d == 2 and mine:name() == 'lua!' and "
                     "w[1].text == 'ab' and w[2].at == 1"));
    assert_true(lua_toboolean(hone_lua_main(b.l), -1));
    stop(b);
}

static void test_an_undescribed_interface_is_named(void **state)
{
    (void)state;
    static const uint32_t vt[2] = {8, 0};
    (void)vt;
    compile_plugin("tests/unit/plugins/good.c", "", "undescribed", "good");
    struct bench b = start(scratch_path("undescribed"));
    hone_instance *inst;
    assert_ok(hone_instance_create(b.reg, HONE_KIND_REWARD, "probe", NULL, &inst));
    assert_fails(hone_lua_push_iface(hone_lua_main(b.l), inst, HONE_IFACE_JUDGE),
                 HONE_E_UNSUPPORTED, "does not offer");
    hone_instance_unref(inst);
    stop(b);
}

/* ---- states of their own ----------------------------------------------------------------------- */

struct worker {
    hone_instance *inst;
    int bad;
};

static void *score_often(void *arg)
{
    struct worker *w = arg;
    hone_ref ref;
    if (hone_instance_ref(w->inst, HONE_IFACE_REWARD, &ref) < 0)
        return NULL;
    const hone_reward_v1 *vt = ref.vt;
    for (int i = 0; i < 200; i++) {
        hone_sample s[2] = {sample(1, "ab"), sample(2, "abcdef")};
        hone_outcome out[2] = {{HONE_PENDING, 0}, {HONE_PENDING, 0}};
        hone_call call = {.struct_size = sizeof call, .n = 2};
        hone_instance_enter(w->inst);
        hone_status st = hone_instance_leave(
            w->inst, "score", vt->score(ref.self, &call, s, 2, sizeof *s, out, sizeof *out, NULL));
        w->bad += st < 0 || out[0].score != 4 || out[1].score != 12;
    }
    return NULL;
}

/* Nobody pumps the recipe's state: the calls run on their callers' threads. */
static void test_replicated_rewards_run_on_their_callers_threads(void **state)
{
    (void)state;
    struct bench b = start(NULL);
    hone_instance *inst = make(
        b, "local factor, list = 2, {1, deep = {true}}\n"
           "return {kind = 'reward', id = 'mine', state = 'replicated', score = function(batch)\n"
           "  assert(list.deep[1] and list[1] == 1 and hone.abstain)\n"
           "  local function twice(s) return factor * #s.completion end\n"
           "  return batch:map(twice) end}");
    struct worker w[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        w[i] = (struct worker){inst, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, score_often, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].bad, 0);
    }
    hone_instance_unref(inst);
    inst = make(b, "return {kind = 'reward', id = 'fails', state = 'replicated', score = "
                   "function(batch)\n  error('here') end}");
    hone_sample s = sample(1, "x");
    hone_outcome out;
    assert_fails(score_with(inst, &s, 1, &out, NULL, 0), HONE_E_SCRIPT, "here");
    hone_instance_unref(inst);
    const hone_component_info *info;
    assert_fails(define(b,
                        "local f = print return {kind = 'reward', id = 'bad', state = "
                        "'replicated', score = function() f() end}",
                        &info),
                 HONE_E_TYPE, "upvalue f: a function cannot be copied");
    stop(b);
}

int main(void)
{
    hone_log_sink(keep_log, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lua_reward_scores_through_the_c_vtable),
        cmocka_unit_test(test_results_are_typed_outcomes),
        cmocka_unit_test(test_every_member_of_a_sample_can_be_read),
        cmocka_unit_test(test_lua_rewards_are_called_from_other_threads),
        cmocka_unit_test(test_failures_name_component_line_and_call),
        cmocka_unit_test(test_wrong_tables_are_refused_with_a_suggestion),
        cmocka_unit_test(test_a_lua_objective_gives_loss_gradient_and_metrics),
        cmocka_unit_test(test_a_lua_advantage_gives_one_number_a_sequence),
        cmocka_unit_test(test_a_lua_source_gives_rows_and_finds_its_place_again),
        cmocka_unit_test(test_a_lua_model_declares_and_records_its_forward),
        cmocka_unit_test(test_a_c_reward_is_called_from_lua),
        cmocka_unit_test(test_a_lua_reward_is_called_from_lua_and_fails_as_itself),
        cmocka_unit_test(test_a_third_partys_interface_is_called_and_implemented),
        cmocka_unit_test(test_an_undescribed_interface_is_named),
        cmocka_unit_test(test_replicated_rewards_run_on_their_callers_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
