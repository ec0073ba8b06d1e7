/* test_labels.c - tasks dealt to experts, tokens, events: what must hold whatever comes in between. */
#include "judge/labels.h"

#include "base/alloc.h"
#include "base/file.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct world {
    char path[64];
    hone_book *book;
    hone_rubric *rubric;
    hone_labels *labels;
} world;

static void begin(world *w)
{
    static const char text[] = "return {id = \"t\", version = \"1\", shape = \"pointwise\", task = "
                               "\"x\", scale = {min = 1, max = 5}}";
    snprintf(w->path, sizeof w->path, "/tmp/hone-test-labels-%d.sqlite", (int)getpid());
    unlink(w->path);
    assert_int_equal(hone_book_open(w->path, &w->book), HONE_OK);
    assert_int_equal(hone_rubric_read(text, sizeof text - 1, "t", &w->rubric), HONE_OK);
    assert_int_equal(hone_labels_open(w->book, w->rubric, 1, &w->labels), HONE_OK);
}

static void end(world *w)
{
    char more[80];
    hone_labels_close(w->labels);
    hone_rubric_destroy(w->rubric);
    hone_book_close(w->book);
    unlink(w->path);
    snprintf(more, sizeof more, "%s-wal", w->path);
    unlink(more);
    snprintf(more, sizeof more, "%s-shm", w->path);
    unlink(more);
}

static void add_batch(world *w, size_t n, const char *prefix)
{
    hone_arena arena;
    hone_label_pick picks[64];
    char text[160];
    hone_arena_init(&arena, 0);
    for (size_t i = 0; i < n; i++) {
        hone_value *row = hone_arena_calloc(&arena, 1, sizeof *row);
        int len = snprintf(text, sizeof text, "{\"prompt\":\"p%zu\",\"completion\":\"c\"}", i);
        assert_int_equal(hone_json_parse(text, (size_t)len, NULL, &arena, row), HONE_OK);
        snprintf(text, sizeof text, "%s%zu", prefix, i);
        picks[i] = (hone_label_pick){.row = row,
                                     .id = hone_arena_str(&arena, hone_str_c(text)),
                                     .prompt_id = hone_str_c("p"),
                                     .probability = 1,
                                     .why = "uniform"};
    }
    assert_int_equal(hone_labels_add_batch(w->labels, picks, n, n), HONE_OK);
    hone_arena_release(&arena);
}

static int64_t number(world *w, const char *sql)
{
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_prepare_v2(hone_book_db(w->book), sql, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return v;
}

/* The k-th request for memory fails, and all after it. */
static void take(world *w, const hone_label_expert *e, const char *json, uint64_t k)
{
    hone_arena arena;
    hone_value body;
    hone_buf b;
    hone_jw out;
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_json_parse(json, strlen(json), NULL, &arena, &body), HONE_OK);
    hone_buf_init(&b, 1 << 20);
    hone_jw_init(&out, &b, 0);
    hone_jw_map(&out);
    hone_alloc_fail_after(k, 1);
    hone_labels_take(w->labels, e, &body, &out);
    hone_alloc_fail_after(0, 0);
    hone_buf_release(&b);
    hone_arena_release(&arena);
}

static void test_every_item_once_a_tenth_again_and_far_apart(void **state)
{
    static const size_t sizes[] = {1, 2, 5, 9, 10, 15, 40, 64};
    char token[HONE_LABEL_TOKEN];
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const size_t n = sizes[k];
        world w;
        begin(&w);
        add_batch(&w, n, "i");
        assert_int_equal(hone_labels_expert(w.labels, "ann", 0, 1, 0, token), 1);
        assert_int_equal(hone_labels_expert(w.labels, "bob", 0, 1, 0, token), 1);
        assert_int_equal(hone_labels_deal(w.labels), HONE_OK);
        const int64_t tasks = number(&w, "SELECT count(*) FROM label_task");
        assert_int_equal(number(&w, "SELECT count(*) FROM label_task WHERE again = 0"), 2 * n);
        assert_int_equal(
            number(&w, "SELECT count(DISTINCT item || expert) FROM label_task WHERE again = 0"),
            2 * n);
        const int64_t again = tasks - 2 * (int64_t)n;
        assert_true(again <= 2 * (int64_t)((double)n * 0.1 + 0.5));
        assert_true(n < 10 || again == 2 * (int64_t)((double)n * 0.1 + 0.5));
        assert_int_equal(
            number(&w,
                   "SELECT count(*) FROM label_task a JOIN label_task b ON a.item = b.item AND "
                   "a.expert = b.expert WHERE a.again = 0 AND b.again = 1 AND b.place - a.place < "
                   "(SELECT count(*) FROM label_item) / 4"),
            0);
        /* dealing again changes nothing; a later batch comes behind */
        assert_int_equal(hone_labels_deal(w.labels), HONE_OK);
        assert_int_equal(number(&w, "SELECT count(*) FROM label_task"), tasks);
        add_batch(&w, 3, "j");
        assert_int_equal(hone_labels_deal(w.labels), HONE_OK);
        assert_int_equal(number(&w, "SELECT count(*) FROM label_task"), tasks + 6);
        assert_int_equal(
            number(
                &w,
                "SELECT count(*) FROM label_task WHERE batch = 'batch-2' AND id <= (SELECT max(id) "
                "FROM label_task WHERE batch = 'batch-1')"),
            0);
        end(&w);
    }
}

static void test_tokens_are_known_by_their_hash_alone(void **state)
{
    char one[HONE_LABEL_TOKEN], two[HONE_LABEL_TOKEN], other[HONE_LABEL_TOKEN] = "";
    hone_label_expert who;
    world w;
    (void)state;
    begin(&w);
    assert_int_equal(hone_labels_who(w.labels, hone_str_c(""), &who), 0);
    assert_int_equal(hone_labels_who(w.labels, (hone_str){NULL, 0}, &who), 0);
    assert_int_equal(hone_labels_expert(w.labels, "ann", 0, 1, 0, one), 1);
    assert_int_equal(strlen(one), HONE_LABEL_TOKEN - 1);
    assert_int_equal(hone_labels_who(w.labels, hone_str_c(one), &who), 1);
    assert_string_equal(who.name, "ann");
    assert_int_equal(hone_labels_expert(w.labels, "ann", 1, 0, 0, other),
                     0); /* is there: no new link */
    assert_string_equal(other, "");
    assert_int_equal(hone_labels_who(w.labels, hone_str_c(one), &who), 1);
    assert_true(who.lead && who.labels);
    for (size_t i = 0; i < HONE_LABEL_TOKEN - 1; i++) { /* every character matters */
        char bad[HONE_LABEL_TOKEN];
        memcpy(bad, one, sizeof bad);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        assert_int_equal(hone_labels_who(w.labels, hone_str_c(bad), &who), 0);
    }
    assert_int_equal(hone_labels_expert(w.labels, "ann", 0, 1, 1, two), 1);
    assert_int_equal(hone_labels_who(w.labels, hone_str_c(one), &who), 0);
    assert_int_equal(hone_labels_who(w.labels, hone_str_c(two), &who), 1);
    assert_int_equal(hone_labels_revoke(w.labels, "ann"), HONE_OK);
    assert_int_equal(hone_labels_who(w.labels, hone_str_c(two), &who), 0);
    assert_int_equal(hone_labels_revoke(w.labels, "nobody"), HONE_E_NOT_FOUND);
    static const char *const names[] = {"", "two words", "a,b", "a\"b", "<b>", "a\nb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(hone_labels_expert(w.labels, names[i], 0, 1, 0, other), HONE_E_USAGE);
    end(&w);
}

static void test_an_event_is_all_or_nothing(void **state)
{
    char token[HONE_LABEL_TOKEN], json[256];
    hone_label_expert ann;
    world w;
    (void)state;
    begin(&w);
    add_batch(&w, 5, "i");
    assert_int_equal(hone_labels_expert(w.labels, "ann", 0, 1, 0, token), 1);
    assert_int_equal(hone_labels_who(w.labels, hone_str_c(token), &ann), 1);
    assert_int_equal(hone_labels_deal(w.labels), HONE_OK);
    size_t failed = 0;
    for (uint64_t k = 1; k < 200; k++) {
        const int64_t before = number(&w, "SELECT count(*) FROM label_event");
        snprintf(
            json, sizeof json,
            "{\"events\":[{\"id\":\"%032llx\",\"task\":1,\"kind\":\"label\",\"level\":\"%llu\"}]}",
            (unsigned long long)k, (unsigned long long)(1 + k % 5));
        take(&w, &ann, json, k);
        const int64_t events = number(&w, "SELECT count(*) FROM label_event");
        assert_true(events - before <= 1);
        failed += events == before;
        /* as many labels were given as events came, and the present one is the last event's */
        assert_int_equal(number(&w, "SELECT count(*) FROM expert_label"), events);
        assert_int_equal(number(&w, "SELECT count(*) FROM expert_label WHERE replaced IS NULL"),
                         events > 0);
        assert_int_equal(number(&w, "SELECT count(*) FROM label_task WHERE state <> 0"),
                         events > 0);
    }
    assert_true(failed > 0);
    assert_true(number(&w, "SELECT count(*) FROM label_event") > 0);
    end(&w);
}

static void test_one_id_of_two_items_is_refused(void **state)
{
    hone_arena arena;
    hone_value row;
    world w;
    (void)state;
    begin(&w);
    add_batch(&w, 2, "i");
    static const char other[] = "{\"prompt\":\"another\",\"completion\":\"c\"}";
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_json_parse(other, sizeof other - 1, NULL, &arena, &row), HONE_OK);
    const hone_label_pick pick = {.row = &row,
                                  .id = hone_str_c("i0"),
                                  .prompt_id = hone_str_c("p"),
                                  .probability = 1,
                                  .why = "uniform"};
    assert_int_equal(hone_labels_add_batch(w.labels, &pick, 1, 1), HONE_E_EXISTS);
    assert_int_equal(number(&w, "SELECT count(*) FROM label_item"), 2);
    assert_int_equal(hone_labels_add_batch(w.labels, &pick, 0, 0), HONE_E_INVALID);
    hone_arena_release(&arena);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_item_once_a_tenth_again_and_far_apart),
        cmocka_unit_test(test_tokens_are_known_by_their_hash_alone),
        cmocka_unit_test(test_an_event_is_all_or_nothing),
        cmocka_unit_test(test_one_id_of_two_items_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
