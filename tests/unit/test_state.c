/* test_state - pages of sequence state: sharing by forks, copies of partial pages, rolling back,
 * limits. */
#include "support.h"

#include "nn/state.h"

static hone_model_info info(void)
{
    hone_model_info i;
    memset(&i, 0, sizeof i);
    i.struct_size = sizeof i;
    i.n_state_slots = 2;
    i.n_kv_heads = 1;
    i.head_dim = 1; /* a page of a slot: 128 floats */
    return i;
}

static int32_t ids[512];

static hone_status grow_many(hone_state *st, const hone_seq *q, const int32_t *n, size_t count,
                             const hone_batch **b)
{
    hone_seq_step s[8];
    for (size_t i = 0; i < count; i++)
        s[i] = (hone_seq_step){q[i], n[i], ids, NULL, HONE_LOGITS_LAST, 0};
    return hone_state_batch(st, s, count, b);
}

static hone_status grow(hone_state *st, hone_seq q, int32_t n, const hone_batch **b)
{
    return grow_many(st, &q, &n, 1, b);
}

/* Position p of segment s in slot 1: the first float of its row in its page. */
static float *cell(const hone_batch *b, uint32_t s, int64_t p)
{
    int64_t stride = 0;
    float *base = b->state(b, 1, &stride);
    return base + b->page_ids[b->segments[s].page_begin + p / HONE_PAGE] * stride + p % HONE_PAGE;
}

static void test_a_batch_continues_its_sequences(void **state)
{
    hone_model_info i = info();
    int32_t targets[3] = {-1, 7, -1}, n[2] = {3, 1};
    hone_seq_step steps[2];
    const hone_batch *b;
    hone_state *st;
    hone_seq q[2];
    (void)state;
    assert_ok(hone_state_create(&i, 0, &st));
    q[0] = hone_seq_create(st);
    q[1] = hone_seq_create(st);
    assert_ok(grow_many(st, q, n, 2, &b));
    assert_int_equal(b->n_tokens, 4);
    assert_int_equal(b->n_logit_rows, 2);
    assert_int_equal(b->logit_rows[0], 2);
    assert_int_equal(b->logit_rows[1], 3);
    assert_int_equal(hone_seq_length(st, q[0]), 0);
    hone_state_commit(st);
    assert_int_equal(hone_seq_length(st, q[0]), 3);
    steps[0] = (hone_seq_step){q[1], 2, ids, NULL, HONE_LOGITS_NONE, 0};
    steps[1] = (hone_seq_step){q[0], 3, ids, targets, HONE_LOGITS_ALL, 0};
    assert_ok(hone_state_batch(st, steps, 2, &b));
    assert_int_equal(b->segments[0].start, 1);
    assert_int_equal(b->segments[1].start, 3);
    assert_int_equal(b->segments[1].parent, -1);
    assert_int_equal(b->positions[2], 3);
    assert_int_equal(b->positions[4], 5);
    assert_int_equal(b->n_logit_rows, 3);
    assert_int_equal(b->n_targets, 1);
    assert_int_equal(b->target_row[0], 3);
    assert_int_equal(b->target_id[0], 7);
    hone_state_destroy(st);
}

static void test_forks_share_full_pages_and_copy_the_last(void **state)
{
    hone_model_info i = info();
    hone_state_stats stats;
    const hone_batch *b;
    hone_state *st;
    hone_seq a, c;
    float *full, *partial;
    (void)state;
    assert_ok(hone_state_create(&i, 0, &st));
    a = hone_seq_create(st);
    assert_ok(grow(st, a, 70, &b));
    *cell(b, 0, 5) = 5.0f;
    *cell(b, 0, 69) = 69.0f;
    hone_state_commit(st);
    c = hone_seq_fork(st, a);
    assert_true(c >= 0);
    assert_int_equal(hone_seq_length(st, c), 70);
    hone_state_get_stats(st, &stats);
    assert_int_equal(stats.pages_live, 3);
    assert_ok(grow(st, c, 1, &b));
    assert_true(*cell(b, 0, 5) == 5.0f && *cell(b, 0, 69) == 69.0f && *cell(b, 0, 70) == 0.0f);
    full = cell(b, 0, 5);
    partial = cell(b, 0, 69);
    *cell(b, 0, 70) = -1.0f;
    hone_state_commit(st);
    assert_ok(grow(st, a, 1, &b));
    assert_ptr_equal(cell(b, 0, 5), full);
    assert_ptr_not_equal(cell(b, 0, 69), partial);
    assert_true(*cell(b, 0, 70) == 0.0f);
    hone_state_commit(st);
    hone_seq_release(st, a);
    hone_state_get_stats(st, &stats);
    assert_int_equal(stats.pages_live, 2);
    assert_ok(grow(st, c, 1, &b));
    assert_true(*cell(b, 0, 5) == 5.0f && *cell(b, 0, 70) == -1.0f);
    hone_seq_release(st, c);
    hone_state_get_stats(st, &stats);
    assert_int_equal(stats.pages_live, 0);
    hone_state_destroy(st);
}

static void test_pages_come_back_zeroed(void **state)
{
    hone_model_info i = info();
    const hone_batch *b;
    hone_state *st;
    hone_seq q;
    (void)state;
    assert_ok(hone_state_create(&i, 1, &st));
    for (int round = 0; round < 3; round++) {
        q = hone_seq_create(st);
        assert_ok(grow(st, q, 64, &b));
        for (int p = 0; p < 64; p++) {
            assert_true(*cell(b, 0, p) == 0.0f);
            *cell(b, 0, p) = 3.0f;
        }
        hone_state_commit(st);
        assert_fails(grow(st, q, 1, &b), HONE_E_LIMIT, "all 1 pages");
        assert_int_equal(hone_seq_length(st, q), 64);
        hone_seq_release(st, q);
    }
    hone_state_destroy(st);
}

static void test_a_batch_that_is_not_committed_is_forgotten(void **state)
{
    hone_model_info i = info();
    hone_state_stats stats;
    int32_t n[2] = {65, 65};
    const hone_batch *b;
    hone_state *st;
    hone_seq q[2];
    (void)state;
    assert_ok(hone_state_create(&i, 3, &st));
    q[0] = hone_seq_create(st);
    q[1] = hone_seq_create(st);
    assert_fails(grow_many(st, q, n, 2, &b), HONE_E_LIMIT, "pages"); /* four are needed */
    hone_state_get_stats(st, &stats);
    assert_int_equal(stats.pages_live, 0);
    assert_ok(grow(st, q[0], 65, &b));
    assert_ok(grow(st, q[0], 10, &b)); /* starts over */
    assert_int_equal(b->segments[0].start, 0);
    hone_state_commit(st);
    assert_int_equal(hone_seq_length(st, q[0]), 10);
    hone_state_get_stats(st, &stats);
    assert_int_equal(stats.pages_live, 1);
    q[1] = q[0];
    assert_fails(grow_many(st, q, n, 2, &b), HONE_E_INVALID, "step 1"); /* one sequence twice */
    assert_fails(grow(st, 9, 1, &b), HONE_E_INVALID, "sequence 9");
    assert_fails(grow(st, q[0], 0, &b), HONE_E_INVALID, "0 tokens");
    hone_state_commit(st);
    assert_int_equal(hone_seq_length(st, q[0]), 10);
    hone_state_reset(st);
    hone_state_get_stats(st, &stats);
    assert_int_equal(stats.pages_live, 0);
    hone_state_destroy(st);
}

static void test_truncating_into_a_shared_page_copies_it(void **state)
{
    hone_model_info i = info();
    const hone_batch *b;
    hone_state *st;
    hone_seq a, c;
    (void)state;
    assert_ok(hone_state_create(&i, 0, &st));
    a = hone_seq_create(st);
    assert_ok(grow(st, a, 64, &b));
    *cell(b, 0, 10) = 1.0f;
    hone_state_commit(st);
    c = hone_seq_fork(st, a);
    assert_ok(hone_seq_truncate(st, c, 11));
    assert_ok(grow(st, c, 1, &b));
    assert_true(*cell(b, 0, 10) == 1.0f);
    *cell(b, 0, 10) = 2.0f;
    hone_state_commit(st);
    assert_ok(grow(st, a, 1, &b));
    assert_true(*cell(b, 0, 10) == 1.0f);
    hone_state_commit(st);
    assert_fails(hone_seq_truncate(st, c, 99), HONE_E_INVALID, "cannot be cut");
    assert_ok(hone_seq_truncate(st, c, 0));
    assert_int_equal(hone_seq_length(st, c), 0);
    hone_state_destroy(st);
}

static void test_recurrent_state_is_cut_where_a_page_ends(void **state)
{
    hone_model_info i = info();
    const hone_batch *b;
    hone_state *st;
    hone_seq a;
    (void)state;
    i.state_flags = HONE_STATE_RECURRENT;
    assert_ok(hone_state_create(&i, 0, &st));
    a = hone_seq_create(st);
    assert_ok(grow(st, a, 150, &b));
    hone_state_commit(st);
    assert_ok(hone_seq_truncate(st, a, 150));
    assert_fails(hone_seq_truncate(st, a, 149), HONE_E_UNSUPPORTED, "every 64 positions");
    assert_fails(hone_seq_truncate(st, a, 65), HONE_E_UNSUPPORTED, "65");
    assert_int_equal(hone_seq_length(st, a), 150);
    assert_ok(hone_seq_truncate(st, a, 128));
    assert_ok(hone_seq_truncate(st, a, 0));
    assert_int_equal(hone_seq_length(st, a), 0);
    hone_state_destroy(st);
}

static void test_the_pool_grows_and_keeps_contents(void **state)
{
    hone_model_info i = info();
    const hone_batch *b;
    hone_state *st;
    hone_seq q;
    (void)state;
    assert_ok(hone_state_create(&i, 0, &st));
    q = hone_seq_create(st);
    for (int k = 0; k < 100; k++) {
        assert_ok(grow(st, q, 64, &b));
        for (int j = 0; j < k; j++)
            assert_true(*cell(b, 0, 64 * j + 3) == (float)j + 1.0f);
        *cell(b, 0, 64 * k + 3) = (float)k + 1.0f;
        hone_state_commit(st);
    }
    hone_state_destroy(st);
}

static hone_status use_once(void)
{
    hone_model_info i = info();
    const hone_batch *b;
    hone_state *st;
    hone_seq q, r = -1;
    hone_status s = hone_state_create(&i, 0, &st);
    if (s < 0)
        return s;
    s = q = hone_seq_create(st);
    if (s >= 0)
        s = grow(st, q, 300, &b);
    if (s >= 0)
        hone_state_commit(st);
    if (s >= 0)
        s = r = hone_seq_fork(st, q);
    if (s >= 0)
        s = grow(st, r, 400, &b);
    hone_state_destroy(st);
    return s < 0 ? s : HONE_OK;
}

static void test_using_survives_without_memory(void **state)
{
    (void)state;
    assert_survives_no_memory(use_once());
}

static void test_impossible_models_are_refused(void **state)
{
    hone_model_info i = info();
    hone_state *st;
    (void)state;
    i.head_dim = (int64_t)1 << 40;
    assert_fails(hone_state_create(&i, 0, &st), HONE_E_RANGE, "heads");
    i = info();
    i.state_floats = INT64_MAX;
    assert_fails(hone_state_create(&i, 0, &st), HONE_E_RANGE, "page");
    i = info();
    assert_fails(hone_state_create(&i, -1, &st), HONE_E_RANGE, "page");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_continues_its_sequences),
        cmocka_unit_test(test_forks_share_full_pages_and_copy_the_last),
        cmocka_unit_test(test_pages_come_back_zeroed),
        cmocka_unit_test(test_a_batch_that_is_not_committed_is_forgotten),
        cmocka_unit_test(test_truncating_into_a_shared_page_copies_it),
        cmocka_unit_test(test_recurrent_state_is_cut_where_a_page_ends),
        cmocka_unit_test(test_the_pool_grows_and_keeps_contents),
        cmocka_unit_test(test_using_survives_without_memory),
        cmocka_unit_test(test_impossible_models_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
