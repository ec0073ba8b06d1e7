/* test_similarity.c - the reward `similarity` on a scorer of the test's own, whose embeddings are chosen: what is asked, how often,
 * and what cosines become. A text "x,y" has the embedding (x, y); "long" has none. */
#include "components.h"

#include "hone/reward.h"
#include "hone/scorer.h"

#include <math.h>

enum { MOST = 32, WIDTH = 2 };

static char asked[MOST][40]; /* the texts of the last request */
static size_t n_asked, n_calls;
static uint32_t flags_asked;
static char model_asked[40];
static hone_status answer_with;
static size_t wider; /* this text's vector has a number more */

static hone_status embed(void *self, const hone_call *call, hone_str model, uint32_t flags,
                         const hone_embed_item *items, size_t n, size_t stride,
                         const hone_embed_sink *sink)
{
    (void)self;
    (void)call;
    n_calls++;
    n_asked = n;
    flags_asked = flags;
    snprintf(model_asked, sizeof model_asked, "%.*s", (int)model.len, model.ptr);
    if (answer_with < 0)
        return hone_fail(answer_with, "no model today");
    for (size_t i = 0; i < n; i++) {
        const hone_embed_item *it = (const hone_embed_item *)(const void *)((const char *)items +
                                                                            i * stride);
        float v[WIDTH + 1] = {0};
        assert_true(i < MOST && !it->ids);
        snprintf(asked[i], sizeof asked[i], "%.*s", (int)it->text.len, it->text.ptr);
        char *comma = strchr(asked[i], ',');
        v[0] = strtof(asked[i], NULL);
        v[1] = comma ? strtof(comma + 1, NULL) : 0;
        const size_t width = strcmp(asked[i], "long") == 0 ? 0 : WIDTH + (wider && i == wider);
        hone_status s = sink->put(sink, i, width ? v : NULL, width, 3);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static hone_status describe(void *self, const hone_call *call, hone_str model,
                            const hone_text_sink *sink)
{
    (void)self;
    (void)call;
    if (hone_str_eq(model, "model:none"))
        return hone_fail(HONE_E_NOT_FOUND, "no such model");
    return sink->put(sink, 0, hone_str_c("{}"));
}

/* ---- one batch ---------------------------------------------------------------------------------------------------- */

typedef struct row {
    const char *completion, *columns; /* JSON */
} row;
static hone_outcome out[MOST];
static char reasons[MOST][80];

static void keep_note(const hone_notes *notes, size_t sample, hone_str name, const hone_value *v)
{
    (void)notes;
    if (hone_str_eq(name, "reason") && v->type == HONE_STRING)
        snprintf(reasons[sample], sizeof reasons[sample], "%.*s", (int)v->u.str.len, v->u.str.ptr);
}

static hone_instance *open_similarity(const char *settings)
{
    static const hone_model_scorer_v1 toy = {
        .struct_size = sizeof toy, .describe = describe, .embed = embed};
    hone_instance *inst = NULL;
    assert_ok(hone_registry_offer_ref(shipped(), HONE_IFACE_SCORER, (hone_ref){NULL, &toy}));
    assert_ok(try_component("org.hone.reward.similarity", settings, &inst));
    return inst;
}

static hone_status score(hone_instance *inst, const row *rows, size_t n)
{
    hone_sample in[MOST];
    hone_column columns[MOST];
    hone_arena a;
    hone_ref ref;
    const hone_call call = {.struct_size = sizeof call, .n = (uint32_t)n};
    const hone_notes notes = {sizeof notes, 0, NULL, keep_note};
    hone_arena_init(&a, 0);
    memset(out, 0, sizeof out);
    memset(reasons, 0, sizeof reasons);
    n_asked = n_calls = 0;
    for (size_t i = 0; i < n; i++) {
        in[i] = (hone_sample){.id = i, .completion = hone_str_c(rows[i].completion)};
        if (!rows[i].columns)
            continue;
        columns[i] = (hone_column){.name = hone_str_c("answer")};
        assert_ok(hone_json_parse(rows[i].columns, strlen(rows[i].columns), "row", &a,
                                  &columns[i].value));
        in[i].columns = &columns[i];
        in[i].n_columns = 1;
    }
    assert_ok(hone_instance_ref(inst, HONE_IFACE_REWARD, &ref));
    const hone_reward_v1 *vt = ref.vt;
    hone_instance_enter(inst);
    const hone_status s = hone_instance_leave(
        inst, "score", vt->score(ref.self, &call, in, n, sizeof *in, out, sizeof *out, &notes));
    hone_arena_release(&a);
    return s;
}

static void is_score(size_t i, double want)
{
    if (out[i].status != HONE_SCORE || fabs((double)out[i].score - want) > 1e-7)
        fail_with("row %zu: status %u, %.9g (%s), wanted %.9g", i, out[i].status,
                  (double)out[i].score, reasons[i], want);
}

static void is_not(size_t i, uint32_t status, const char *reason)
{
    assert_int_equal(out[i].status, status);
    assert_string_equal(reasons[i], reason);
}

/* ---- tests -------------------------------------------------------------------------------------------------------- */

static void the_score_is_the_cosine(void **state)
{
    static const row rows[] = {{"3,0", "\"2,0\""},     {"1,1", "\"0,9\""},
                               {"-2,0", "\"5,0\""},    {"0,1", "[\"1,0\",\"3,4\",\"-1,0\"]"},
                               {"-1,0", "[\"2,0\"]"},  {"7", "7"},
                               {"1,1", "\"1e-30,0\""}, {"1e19,1e19", "\"1e19,1e19\""}};
    (void)state;
    hone_instance *inst = open_similarity(NULL);
    assert_ok(score(inst, rows, 8));
    is_score(0, 1);
    is_score(1, sqrt(.5));
    is_score(2, -1);
    is_score(3, .8);
    is_score(4, -1);
    is_score(5, 1);
    is_score(6, sqrt(.5));
    is_score(7, 1);
    assert_int_equal(n_calls, 1);
    assert_int_equal(flags_asked, HONE_EMBED_MEAN);
    assert_string_equal(model_asked, "");
    hone_instance_unref(inst);
    inst = open_similarity("{\"clip\":true,\"pooling\":\"last\",\"model\":\"base\"}");
    assert_ok(score(inst, rows, 5));
    is_score(2, 0);
    is_score(3, .8);
    is_score(4, 0);
    assert_int_equal(flags_asked, HONE_EMBED_LAST);
    assert_string_equal(model_asked, "base");
    hone_instance_unref(inst);
}

static void a_reference_of_a_group_is_embedded_once(void **state)
{
    static const row rows[] = {{"1,0", "\"0,1\""},          {"0,2", "\"0,1\""}, {"", "\"0,1\""},
                               {"0,3", "\"0,1\""},          {"1,0", "\"1,0\""}, {"0,1", "\"0,1\""},
                               {"5,0", "[\"0,1\",\"1,0\"]"}};
    static const char *const texts[] = {"0,1", "1,0", "0,2", "0,3", "1,0", "1,0",
                                        "0,1", "0,1", "0,1", "1,0", "5,0"};
    (void)state;
    hone_instance *inst = open_similarity(NULL);
    assert_ok(score(inst, rows, 7));
    assert_int_equal(n_asked, 11);
    for (size_t i = 0; i < 11; i++)
        assert_string_equal(asked[i], texts[i]);
    is_score(0, 0);
    is_score(1, 1);
    is_not(2, HONE_ABSTAIN, "the completion is empty");
    is_score(3, 1);
    is_score(4, 1);
    is_score(5, 1);
    is_score(6, 1);
    hone_instance_unref(inst);
}

static void what_has_no_score_says_why_and_costs_the_others_nothing(void **state)
{
    static const row rows[] = {{"1,0", NULL},           {"1,0", "null"},
                               {"1,0", "\"\""},         {"1,0", "[]"},
                               {"1,0", "[\"1,0\",{}]"}, {"", "\"1,0\""},
                               {"long", "\"1,0\""},     {"1,0", "[\"1,0\",\"long\"]"},
                               {"0,0", "\"1,0\""},      {"1,0", "\"0,0\""},
                               {"nan,0", "\"1,0\""},    {"2,0", "\"1,0\""}};
    (void)state;
    hone_instance *inst = open_similarity(NULL);
    assert_ok(score(inst, rows, 12));
    is_not(0, HONE_ERROR, "the row has no column \"answer\"");
    is_not(1, HONE_ERROR, "the row has no column \"answer\"");
    is_not(2, HONE_ERROR, "the reference is empty");
    is_not(3, HONE_ERROR, "the list of references is empty");
    is_not(4, HONE_ERROR, "the reference is no text");
    is_not(5, HONE_ABSTAIN, "the completion is empty");
    is_not(6, HONE_ERROR, "the completion is longer than the model's positions");
    is_not(7, HONE_ERROR, "the reference is longer than the model's positions");
    is_not(8, HONE_ERROR, "an embedding has no direction");
    is_not(9, HONE_ERROR, "an embedding has no direction");
    is_not(10, HONE_ERROR, "an embedding has no direction");
    is_score(11, 1);
    assert_ok(score(inst, rows, 6)); /* nothing to ask: nobody is asked */
    assert_int_equal(n_calls, 0);
    assert_ok(score(inst, rows, 0));
    hone_instance_unref(inst);
    inst = open_similarity("{\"on_missing\":\"abstain\"}");
    assert_ok(score(inst, rows, 3));
    is_not(0, HONE_ABSTAIN, "the row has no column \"answer\"");
    is_not(2, HONE_ERROR, "the reference is empty");
    hone_instance_unref(inst);
}

static void a_scorer_that_fails_fails_the_call(void **state)
{
    static const row rows[] = {{"1,0", "\"1,0\""}, {"0,1", "\"1,0\""}};
    (void)state;
    hone_instance *inst = open_similarity(NULL);
    answer_with = HONE_E_STATE;
    assert_int_equal(score(inst, rows, 2), HONE_E_STATE);
    answer_with = HONE_OK;
    wider = 2; /* vectors of two widths */
    assert_int_equal(score(inst, rows, 2), HONE_E_RANGE);
    wider = 0;
    assert_ok(score(inst, rows, 2));
    is_score(0, 1);
    is_score(1, 0);
    hone_instance_unref(inst);
    assert_int_equal(
        try_component("org.hone.reward.similarity", "{\"model\":\"model:none\"}", &inst),
        HONE_E_NOT_FOUND);
    static const hone_model_scorer_v1 older = {.struct_size = offsetof(hone_model_scorer_v1, embed),
                                               .describe = describe};
    assert_ok(hone_registry_offer_ref(shipped(), HONE_IFACE_SCORER, (hone_ref){NULL, &older}));
    assert_int_equal(try_component("org.hone.reward.similarity", NULL, &inst), HONE_E_UNSUPPORTED);
}

static void every_allocation_of_a_batch_may_fail(void **state)
{
    static const row rows[] = {{"1,0", "\"1,0\""}, {"0,1", "\"1,0\""}};
    int failed = 0, worked = 0;
    (void)state;
    hone_instance *inst = open_similarity(NULL);
    for (uint64_t n = 1; n < 60; n++) {
        hone_sample in[2] = {{.completion = hone_str_c(rows[0].completion)},
                             {.completion = hone_str_c(rows[1].completion)}};
        hone_column column = {.name = hone_str_c("answer"),
                              .value = {.type = HONE_STRING, .u.str = hone_str_c("1,0")}};
        const hone_call call = {.struct_size = sizeof call, .n = 2};
        const hone_notes notes = {sizeof notes, 0, NULL, keep_note};
        hone_ref ref;
        in[0].columns = in[1].columns = &column;
        in[0].n_columns = in[1].n_columns = 1;
        assert_ok(hone_instance_ref(inst, HONE_IFACE_REWARD, &ref));
        const hone_reward_v1 *vt = ref.vt;
        hone_instance_enter(inst);
        hone_alloc_fail_after(n, 0);
        const hone_status s = vt->score(ref.self, &call, in, 2, sizeof *in, out, sizeof *out,
                                        &notes);
        hone_alloc_fail_after(0, 0);
        hone_instance_leave(inst, "score", s);
        failed += s == HONE_E_NOMEM;
        worked += s >= 0;
        assert_true(s >= 0 || s == HONE_E_NOMEM);
    }
    assert_true(failed >= 5 && worked > 0);
    hone_instance_unref(inst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_score_is_the_cosine),
        cmocka_unit_test(a_reference_of_a_group_is_embedded_once),
        cmocka_unit_test(what_has_no_score_says_why_and_costs_the_others_nothing),
        cmocka_unit_test(a_scorer_that_fails_fails_the_call),
        cmocka_unit_test(every_allocation_of_a_batch_may_fail),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hone_registry_close(components_registry);
    return failed;
}
