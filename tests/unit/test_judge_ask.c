/* test_judge_ask.c - items, answers, conditions and the gate's lines (judge/ask.h, choose.h, gate.h): what is read is checked, what is
 * written is read back, what was not measured is not passed. */
#include "support.h"

#include "judge/ask.h"
#include "judge/choose.h"
#include "judge/gate.h"

#include <math.h>

static hone_arena arena;

static hone_value json(const char *text)
{
    hone_value v;
    assert_ok(hone_json_parse(text, strlen(text), "test", &arena, &v));
    return v;
}

static int setup(void **state)
{
    (void)state;
    hone_arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hone_arena_release(&arena);
    return 0;
}

/* ---- a judge in C: the first letters of what it is shown -------------------------------------------------------------- */

typedef struct fake {
    size_t calls, items;
    uint64_t ids[16];
    size_t n_ids;
    hone_status fails; /* returned after the first half was answered */
} fake;

static hone_status judge(void *self, const hone_call *call, const hone_judge_item *items, size_t n,
                         size_t stride, const hone_verdict_sink *sink)
{
    fake *f = self;
    (void)call;
    f->calls++;
    for (size_t i = 0; i < n; i++) {
        const hone_judge_item *it = (const hone_judge_item *)(const void *)((const char *)items +
                                                                            i * stride);
        hone_verdict v = {.struct_size = sizeof v, .status = HONE_SCORE};
        const double a = it->candidates[0].len ? it->candidates[0].ptr[0] : 0;
        v.score = it->n_candidates == 2 ? (a - it->candidates[1].ptr[0]) / 100 : a;
        if (f->n_ids < 16)
            f->ids[f->n_ids++] = it->id;
        f->items++;
        if (f->fails < 0 && i >= n / 2)
            return hone_fail(f->fails, "the judge broke");
        HONE_TRY(sink->put(sink, i, &v));
        hone_error_clear();
        if (sink->put(sink, i, &v) != HONE_E_EXISTS || sink->put(sink, n, &v) != HONE_E_RANGE)
            return hone_fail(HONE_E_FAIL, "the sink takes anything");
    }
    return HONE_OK;
}

static const hone_judge_v1 table = {.struct_size = sizeof table, .judge = judge};

typedef struct taken {
    size_t n, remembered;
    double scores[64];
    uint32_t shown_first[64];
} taken;

static hone_status take(void *ctx, const hone_answer *a)
{
    taken *t = ctx;
    t->remembered += a->remembered != 0;
    t->scores[t->n] = a->score;
    t->shown_first[t->n++] = a->order[0];
    return HONE_OK;
}

static size_t read_items(const char *const *rows, hone_ask_item *out)
{
    size_t n = 0;
    for (; rows[n]; n++) {
        hone_value v = json(rows[n]);
        assert_ok(hone_ask_item_read("rows", &v, n + 1, &arena, &out[n]));
    }
    return n;
}

static void test_nothing_is_asked_twice_and_orders_are_turned_back(void **state)
{
    (void)state;
    static const char *const rows[] = {"{\"prompt\":\"p\",\"completion\":\"a\"}",
                                       "{\"prompt\":\"p\",\"candidates\":[\"d\",\"b\"]}", NULL};
    hone_ask_item items[2];
    hone_book *b = NULL;
    fake f = {0};
    taken t = {0};
    size_t asked = 0;
    const size_t n = read_items(rows, items);
    assert_ok(hone_book_open(scratch_path("ask.sqlite"), &b));
    hone_ask_params p = {
        .ref = {&f, &table}, .spec = "s", .spec_json = "{}", .book = b, .repeats = 2, .orders = 1};
    assert_ok(hone_ask(&p, items, n, take, &t, &asked));
    assert_int_equal(asked, 6);
    assert_int_equal(t.n, 6);
    for (size_t i = 2; i < 6; i++)
        assert_true(fabs(t.scores[i] - 0.02) <
                    1e-12); /* d before b, in whatever order they were shown */
    assert_true(t.shown_first[2] == 0 && t.shown_first[4] == 1);
    assert_true(f.ids[0] != f.ids[1]); /* another repetition draws anew */
    assert_true(f.ids[2] == f.ids[4]); /* another order does not */
    t = (taken){0};
    assert_ok(hone_ask(&p, items, n, take, &t, &asked));
    assert_int_equal(asked, 0);
    assert_int_equal(t.remembered, 6);
    p.spec = "other";
    assert_ok(hone_ask(&p, items, n, take, &t, &asked));
    assert_int_equal(asked, 6);
    p.spec = ""; /* who tells no spec is not remembered */
    t = (taken){0};
    assert_ok(hone_ask(&p, items, n, take, &t, &asked));
    assert_ok(hone_ask(&p, items, n, take, &t, &asked));
    assert_int_equal(asked, 6);
    hone_book_close(b);
}

static void test_what_was_answered_before_a_failure_is_kept(void **state)
{
    (void)state;
    static const char *const rows[] = {"{\"completion\":\"a\"}", "{\"completion\":\"b\"}",
                                       "{\"completion\":\"c\"}", "{\"completion\":\"d\"}", NULL};
    hone_ask_item items[4];
    hone_book *b = NULL;
    fake f = {.fails = HONE_E_IO};
    taken t = {0};
    size_t asked = 0;
    const size_t n = read_items(rows, items);
    assert_ok(hone_book_open(scratch_path("half.sqlite"), &b));
    hone_ask_params p = {.ref = {&f, &table}, .spec = "s", .spec_json = "{}", .book = b};
    assert_fails(hone_ask(&p, items, n, take, &t, &asked), HONE_E_IO, "the judge broke");
    assert_int_equal(t.n, 0);
    f.fails = 0;
    assert_ok(hone_ask(&p, items, n, take, &t, &asked));
    assert_int_equal(asked, 2);
    assert_int_equal(t.n, 4);
    const int stop = 1;
    p.stop = &stop;
    assert_fails(hone_ask(&p, items, n, take, &t, &asked), HONE_E_INTERRUPTED,
                 "before item 1 of 4");
    hone_book_close(b);
}

static void test_bad_items_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *row, *text;
        hone_status code;
    } bad[] = {{"{\"prompt\":\"p\"}", "neither a completion nor candidates", HONE_E_NOT_FOUND},
               {"{\"candidates\":[]}", "1 to 64 texts", HONE_E_INVALID},
               {"{\"candidates\":\"x\"}", "1 to 64 texts", HONE_E_INVALID},
               {"{\"candidates\":[\"x\",null]}", "candidate 2 is no text", HONE_E_INVALID},
               {"{\"completion\":\"x\",\"id\":[]}", "an id is", HONE_E_TYPE},
               {"{\"completion\":\"x\",\"reference\":7}", "reference", HONE_E_TYPE},
               {"{\"completion\":\"x\",\"messages\":[{\"role\":1}]}", "role", HONE_E_TYPE},
               {"[1]", "a map of columns", HONE_E_TYPE}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hone_ask_item item;
        hone_value v = json(bad[i].row);
        assert_fails(hone_ask_item_read("f.jsonl", &v, 3, &arena, &item), bad[i].code, bad[i].text);
        assert_non_null(strstr(hone_error_get()->what, "f.jsonl: row 3"));
    }
}

static void test_what_the_judge_sees_makes_the_item(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"prompt\":\"p\",\"completion\":\"x\",\"language\":\"de\",\"id\":1}",
        "{\"prompt\":\"p\",\"completion\":\"x\",\"language\":\"de\",\"id\":2,\"split\":\"dev\"}",
        "{\"prompt\":\"p\",\"completion\":\"x\",\"language\":\"en\"}",
        "{\"prompt\":\"px\",\"completion\":\"\",\"language\":\"de\"}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"p\"}],\"completion\":\"x\",\"language\":"
        "\"de\"}",
        NULL};
    hone_ask_item it[5];
    assert_int_equal(read_items(rows, it), 5);
    assert_string_equal(it[0].input, it[1].input); /* id and split are not shown */
    for (size_t i = 2; i < 5; i++)
        assert_string_not_equal(it[0].input, it[i].input);
    assert_true(hone_str_same(it[0].prompt_id, it[2].prompt_id));
    assert_false(hone_str_same(it[0].prompt_id, it[3].prompt_id));
    assert_true(hone_str_eq(it[4].it.prompt, "p"));
}

static void test_rows_that_are_no_verdict_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"[]",
                                      "{}",
                                      "{\"status\":\"fine\"}",
                                      "{\"status\":\"ok\"}",
                                      "{\"status\":\"ok\",\"score\":\"1\"}",
                                      "{\"status\":\"refused\",\"score\":1}",
                                      "{\"status\":\"ok\",\"score\":1,\"order\":[0,0]}",
                                      "{\"status\":\"ok\",\"score\":1,\"order\":[0]}",
                                      "{\"status\":\"ok\",\"ranking\":[0,2]}",
                                      "{\"status\":\"ok\",\"score\":1,\"criteria\":[1]}",
                                      "{\"status\":\"ok\",\"score\":1,\"labels\":{\"1\":\"x\"}}",
                                      "{\"status\":\"ok\",\"score\":1,\"repeat\":-1}",
                                      "{\"status\":\"ok\",\"score\":1e999}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hone_answer a;
        hone_value v;
        if (hone_json_parse(bad[i], strlen(bad[i]), "test", &arena, &v) < 0)
            continue; /* 1e999 is no JSON of ours */
        if (hone_answer_read(&v, 2, &arena, &a) >= 0)
            fail_msg("taken: %s", bad[i]);
    }
}

static void test_conditions_and_margins(void **state)
{
    (void)state;
    hone_condition c;
    hone_tally t = {0}, none = {.answers = 1};
    hone_answer a = {.detail = HONE_VERDICT_OK, .score = 1, .entropy = (double)NAN};
    hone_tally_add(&t, &a);
    a.score = 2;
    hone_tally_add(&t, &a);
    assert_true(hone_tally_mean(&t) == 1.5 && fabs(hone_tally_error(&t) - 0.5) < 1e-12);
    assert_true(isnan(hone_tally_mean(&none)) && isnan(hone_tally_error(&none)));
    static const struct {
        const char *text;
        int met;
    } good[] = {{"score>=1.5", 1},          {"score > 1.5", 0}, {" score<2 and error <= 0.5", 1},
                {"score<2 and ok == 3", 0}, {"score != 1", 1},  {"entropy>=0", 0},
                {"answers==2", 1}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_ok(hone_condition_read(good[i].text, &c));
        assert_int_equal(hone_condition_met(&c, &t), good[i].met);
    }
    assert_ok(hone_condition_read("score != 0", &c)); /* what is unknown meets nothing */
    assert_int_equal(hone_condition_met(&c, &none), 0);
    static const char *const bad[] = {"",
                                      "score",
                                      "score=1",
                                      "score>x",
                                      "scores>1",
                                      "score>1 or ok>1",
                                      "score>1 and",
                                      "score>nan",
                                      "score>1 andok>1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(hone_condition_read(bad[i], &c), HONE_E_USAGE);
    assert_int_equal(hone_margin(1, 0.4, 2), 1);
    assert_int_equal(hone_margin(-1, 0.4, 2), -1);
    assert_int_equal(hone_margin(1, 0.5, 2), 0);
    assert_int_equal(hone_margin(1, (double)NAN, 2), 0);
    assert_int_equal(hone_margin(0, 0, 0), 0);
}

/* ---- the gate ------------------------------------------------------------------------------------------------------------ */

static hone_gate_evidence evidence(void)
{
    return (hone_gate_evidence){.spec = "s",
                                .key = "k",
                                .policy = "p",
                                .judge = "j",
                                .rubric = "",
                                .now = "2026-03-01T00:00:00Z"};
}

static void test_what_was_not_measured_is_not_passed(void **state)
{
    (void)state;
    hone_gate g;
    hone_gate_evidence e = evidence();
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    assert_ok(hone_gate_decide(&e, &g));
    assert_int_equal(g.verdict, HONE_GATE_NO_GO);
    for (size_t i = 0; i < g.n; i++)
        assert_true(!g.lines[i].passed && g.lines[i].remedy[0]);
    assert_ok(hone_gate_json(&g, &e, &b));
    assert_null(strstr(b.ptr, "nan"));
    assert_string_equal(g.expires, "2026-05-30T00:00:00Z");
    hone_gate_release(&g);
    hone_value wrong = json("{\"kind\":\"attack\",\"spec\":\"t\"}"),
               kind = json("{\"kind\":\"lint\",\"spec\":\"s\"}"), list = json("[]");
    e.attack = &wrong;
    assert_fails(hone_gate_decide(&e, &g), HONE_E_INVALID, "another judge");
    e.attack = &kind;
    assert_fails(hone_gate_decide(&e, &g), HONE_E_INVALID, "kind \"attack\"");
    e.attack = &list;
    assert_fails(hone_gate_decide(&e, &g), HONE_E_TYPE, "a map");
    hone_buf_release(&b);
}

static void test_a_record_is_found_only_as_it_was_made(void **state)
{
    (void)state;
    hone_book *b = NULL;
    hone_gate_record r;
    char why[256];
    hone_gate g = {
        .verdict = HONE_GATE_GO, .at = "2026-01-01T00:00:00Z", .expires = "2026-04-01T00:00:00Z"};
    hone_gate_evidence e = evidence();
    assert_ok(hone_book_open(scratch_path("gate.sqlite"), &b));
    assert_int_equal(hone_gate_find(NULL, "k", "p", e.now, &arena, &r, why), 0);
    assert_int_equal(hone_gate_find(b, "k", "p", e.now, &arena, &r, why), 0);
    assert_ok(hone_gate_keep(&g, &e, b, NULL));
    assert_int_equal(hone_gate_find(b, "k", "p", e.now, &arena, &r, why), 1);
    assert_int_equal(r.verdict, HONE_GATE_GO);
    assert_int_equal(hone_gate_find(b, "k", "q", e.now, &arena, &r, why), 0);
    assert_non_null(strstr(why, "other policies"));
    assert_int_equal(hone_gate_find(b, "l", "p", e.now, &arena, &r, why), 0);
    assert_int_equal(hone_gate_find(b, "k", "p", "2026-04-01T00:00:00Z", &arena, &r, why), 0);
    assert_non_null(strstr(why, "expired"));
    assert_int_equal(hone_book_void_gate(b, "k", "drift"), 1);
    assert_int_equal(hone_gate_find(b, "k", "p", e.now, &arena, &r, why), 0);
    assert_non_null(strstr(why, "drift"));
    g.verdict = HONE_GATE_CONDITIONAL; /* a later decision stands on its own */
    assert_ok(hone_gate_keep(&g, &e, b, NULL));
    assert_int_equal(hone_gate_find(b, "k", "p", e.now, &arena, &r, why), 1);
    hone_book_close(b);
}

static hone_status one_item(const char *path)
{
    hone_arena a;
    hone_value v;
    hone_ask_item item;
    hone_book *b = NULL;
    fake f = {0};
    taken t = {0};
    hone_arena_init(&a, 0);
    hone_status s = hone_json_parse("{\"completion\":\"a\"}", 18, "row", &a, &v);
    if (s >= 0)
        s = hone_ask_item_read("rows", &v, 1, &a, &item);
    if (s >= 0)
        s = hone_book_open(path, &b);
    hone_ask_params p = {.ref = {&f, &table}, .spec = "s", .spec_json = "{}", .book = b, .anew = 1};
    if (s >= 0)
        s = hone_ask(&p, &item, 1, take, &t, NULL);
    hone_book_close(b);
    hone_arena_release(&a);
    return s;
}

static void test_no_memory_is_said(void **state)
{
    (void)state;
    const char *path = scratch_path("torture.sqlite");
    assert_survives_no_memory(one_item(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_asked_twice_and_orders_are_turned_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_answered_before_a_failure_is_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_bad_items_say_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_the_judge_sees_makes_the_item, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_that_are_no_verdict_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conditions_and_margins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_not_measured_is_not_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_record_is_found_only_as_it_was_made, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_is_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
