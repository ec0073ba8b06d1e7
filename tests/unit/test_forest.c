/* test_forest - batches of segment forests: order, positions, pages, targets, splits at trees. */
#include "support.h"

#include "nn/forest.h"

static int32_t ids[512];

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < 512; i++)
        ids[i] = 1000 + i;
    return 0;
}

static void test_segments_must_come_depth_first(void **state)
{
    hone_forest f;
    (void)state;
    hone_forest_init(&f);
    assert_int_equal(hone_forest_segment(&f, -1, ids, 5), 0);
    assert_int_equal(hone_forest_segment(&f, 0, ids, 3), 1);
    assert_int_equal(hone_forest_segment(&f, 1, ids, 2), 2);
    assert_int_equal(hone_forest_segment(&f, 0, ids, 1),
                     3); /* back up: still an ancestor of the last */
    assert_fails(hone_forest_segment(&f, 1, ids, 1), HONE_E_INVALID, "depth-first");
    assert_int_equal(hone_forest_segment(&f, -1, ids, 1), 4);
    assert_fails(hone_forest_segment(&f, 0, ids, 1), HONE_E_INVALID, "depth-first");
    assert_fails(hone_forest_segment(&f, 9, ids, 1), HONE_E_INVALID, "parent 9");
    assert_fails(hone_forest_segment(&f, -1, ids, 0), HONE_E_INVALID, "0 tokens");
    hone_forest_release(&f);
}

static void test_positions_and_rows_follow_the_parent(void **state)
{
    hone_forest f;
    const hone_batch *b;
    (void)state;
    hone_forest_init(&f);
    hone_forest_segment(&f, -1, ids, 5);     /* tokens 0..4 */
    hone_forest_segment(&f, 0, ids + 10, 3); /* 5..7 */
    hone_forest_segment(&f, 1, ids + 20, 2); /* 8..9 */
    hone_forest_segment(&f, 0, ids + 30, 2); /* 10..11 */
    assert_int_equal(hone_forest_row(&f, 0, 0), -1);
    assert_int_equal(hone_forest_row(&f, 0, 1), 0);
    assert_int_equal(hone_forest_row(&f, 1, 0), 4);
    assert_int_equal(hone_forest_row(&f, 2, 0), 7);
    assert_int_equal(hone_forest_row(&f, 3, 0), 4);
    assert_int_equal(hone_forest_row(&f, 3, 1), 10);
    assert_int_equal(hone_forest_row(&f, 3, 2), -1);
    b = hone_forest_build(&f);
    assert_non_null(b);
    assert_int_equal(b->n_tokens, 12);
    assert_int_equal(b->positions[5], 5);
    assert_int_equal(b->positions[8], 8);
    assert_int_equal(b->positions[10], 5);
    assert_int_equal(b->segments[3].start, 5);
    assert_int_equal(b->n_trees, 1);
    hone_forest_release(&f);
}

static void test_pages_are_shared_where_full(void **state)
{
    hone_forest f;
    const hone_batch *b;
    const hone_segment *s;
    (void)state;
    hone_forest_init(&f);
    hone_forest_segment(&f, -1, ids, 100); /* pages 0, 1 */
    hone_forest_segment(&f, 0, ids, 10); /* positions 100..109: page 0 shared, page 1 copied to 2 */
    hone_forest_segment(&f, 0, ids, 30); /* 100..129: page 0, copy of 1 in 3, page 4 */
    hone_forest_segment(&f, -1, ids, 64); /* page 5 */
    hone_forest_segment(&f, 3, ids,
                        1); /* position 64: page 5 shared, page 6 new, nothing to copy */
    b = hone_forest_build(&f);
    assert_int_equal(b->n_pages, 7);
    s = b->segments;
    assert_int_equal(s[0].copy_page, -1);
    assert_int_equal(b->page_ids[s[1].page_begin], b->page_ids[s[0].page_begin]);
    assert_int_equal(b->page_ids[s[1].page_begin + 1], 2);
    assert_int_equal(s[1].copy_page, 1);
    assert_int_equal(s[2].copy_page, 1);
    assert_int_equal(b->page_ids[s[2].page_begin + 1], 3);
    assert_int_equal(b->page_ids[s[2].page_begin + 2], 4);
    assert_int_equal(s[4].copy_page, -1);
    assert_int_equal(b->page_ids[s[4].page_begin], 5);
    assert_int_equal(b->page_ids[s[4].page_begin + 1], 6);
    hone_forest_release(&f);
}

static void test_targets_are_sorted_by_row_and_found_again(void **state)
{
    hone_forest f;
    const hone_batch *b;
    (void)state;
    hone_forest_init(&f);
    hone_forest_segment(&f, -1, ids, 4);
    hone_forest_segment(&f, 0, ids + 50, 2);
    hone_forest_segment(&f, 0, ids + 60, 2);
    assert_int_equal(hone_forest_targets(&f, 0, 1, 3), 0); /* rows 0 1 2 */
    assert_int_equal(hone_forest_targets(&f, 1, 0, 2), 3); /* rows 3 4 */
    assert_int_equal(hone_forest_targets(&f, 2, 0, 2), 5); /* rows 3 6 */
    assert_fails(hone_forest_targets(&f, 0, 0, 2), HONE_E_INVALID, "first token");
    assert_fails(hone_forest_targets(&f, 0, 2, 3), HONE_E_INVALID, "segment 0");
    assert_fails((hone_status)hone_forest_target(&f, 8, 1), HONE_E_INVALID, "row 8");
    assert_int_equal(f.n_targets, 7);
    b = hone_forest_build(&f);
    for (int64_t k = 1; k < b->n_targets; k++)
        assert_true(b->target_row[k - 1] <= b->target_row[k]);
    for (int64_t k = 0; k < 7; k++) {
        static const int32_t rows[] = {0, 1, 2, 3, 4, 3, 6},
                             want[] = {1001, 1002, 1003, 1050, 1051, 1060, 1061};
        int64_t at = hone_forest_slot(&f, k);
        assert_int_equal(b->target_row[at], rows[k]);
        assert_int_equal(b->target_id[at], want[k]);
    }
    assert_true(hone_forest_slot(&f, 3) <
                hone_forest_slot(&f, 5)); /* equal rows stay in order of asking */
    assert_fails((hone_status)hone_forest_target(&f, 0, 1), HONE_E_STATE, "before it is built");
    assert_fails(hone_forest_segment(&f, -1, ids, 1), HONE_E_STATE, "clear it");
    hone_forest_release(&f);
}

/* Every token, target and logit row of the whole stands in exactly one part, renumbered. */
static void check_parts(hone_forest *f, int64_t budget)
{
    const hone_batch *whole = hone_forest_build(f);
    int64_t token = 0, target = 0, logit = 0, segment = 0;
    int32_t n = hone_forest_split(f, budget);
    assert_true(n >= 1);
    for (int32_t i = 0; i < n; i++) {
        const hone_forest_part *p = hone_forest_part_get(f, i);
        const hone_batch *b = &p->batch;
        assert_int_equal(p->first_token, token);
        assert_int_equal(p->first_target, target);
        assert_int_equal(p->first_logit, logit);
        assert_int_equal(p->first_segment, segment);
        assert_true(budget == 0 || b->n_tokens <= budget || b->n_trees == 1);
        for (int64_t k = 0; k < b->n_tokens; k++) {
            assert_int_equal(b->tokens[k], whole->tokens[token + k]);
            assert_int_equal(b->positions[k], whole->positions[token + k]);
        }
        for (int64_t k = 0; k < b->n_targets; k++) {
            assert_int_equal(b->target_row[k] + token, whole->target_row[target + k]);
            assert_int_equal(b->target_id[k], whole->target_id[target + k]);
            assert_true(b->target_row[k] >= 0 && b->target_row[k] < b->n_tokens);
        }
        for (int64_t k = 0; k < b->n_logit_rows; k++)
            assert_int_equal(b->logit_rows[k] + token, whole->logit_rows[logit + k]);
        for (uint32_t k = 0; k < b->n_segments; k++) {
            const hone_segment *s = &b->segments[k], *w = &whole->segments[segment + k];
            int64_t pages = (s->start + s->n_tokens + HONE_PAGE - 1) / HONE_PAGE;
            assert_int_equal(s->first_token + token, w->first_token);
            assert_int_equal(s->parent < 0 ? -1 : s->parent + segment, w->parent);
            assert_true(s->parent < (int32_t)k && s->copy_page < b->n_pages);
            assert_true(s->tree >= 0 && s->tree < b->n_trees);
            for (int64_t j = 0; j < pages; j++)
                assert_true(b->page_ids[s->page_begin + j] >= 0 &&
                            b->page_ids[s->page_begin + j] < b->n_pages);
        }
        token += b->n_tokens;
        target += b->n_targets;
        logit += b->n_logit_rows;
        segment += b->n_segments;
    }
    assert_int_equal(token, whole->n_tokens);
    assert_int_equal(target, whole->n_targets);
    assert_int_equal(logit, whole->n_logit_rows);
    assert_int_equal(segment, whole->n_segments);
    assert_null(hone_forest_part_get(f, n));
}

static void make_trees(hone_forest *f)
{
    for (int t = 0; t < 9; t++) {
        int32_t root = hone_forest_segment(f, -1, ids, 1 + t * 17), child;
        assert_true(root >= 0);
        hone_forest_targets(f, root, 1, t * 17);
        for (int c = 0; c < t % 3; c++) {
            child = hone_forest_segment(f, root, ids + 100, 20 + c);
            assert_true(hone_forest_targets(f, child, 0, 20 + c) >= 0);
            if (c == 1)
                assert_true(hone_forest_segment(f, child, ids, 70) >= 0);
        }
    }
    for (int64_t r = 3; r < f->n_tokens; r += 31)
        assert_ok(hone_forest_logits(f, r));
}

static void test_parts_are_whole_trees_renumbered(void **state)
{
    hone_forest f;
    (void)state;
    hone_forest_init(&f);
    make_trees(&f);
    for (int64_t budget = 0; budget < 900; budget += 53)
        check_parts(&f, budget);
    check_parts(&f, 0);
    assert_int_equal(f.n_parts, 1);
    hone_forest_release(&f);
}

static void test_clear_keeps_memory(void **state)
{
    hone_forest f;
    size_t a, b;
    (void)state;
    hone_forest_init(&f);
    make_trees(&f);
    assert_true(hone_forest_split(&f, 100) > 1);
    hone_alloc_stats(&a, NULL);
    hone_forest_clear(&f);
    make_trees(&f);
    check_parts(&f, 100);
    hone_alloc_stats(&b, NULL);
    assert_int_equal(a, b);
    hone_forest_release(&f);
}

static void test_logits_and_empty_batches(void **state)
{
    hone_forest f;
    (void)state;
    hone_forest_init(&f);
    assert_null(hone_forest_build(&f));
    assert_non_null(strstr(hone_error_get()->what, "no tokens"));
    assert_int_equal(hone_forest_split(&f, 5), HONE_E_INVALID);
    hone_forest_segment(&f, -1, ids, 4);
    assert_ok(hone_forest_logits(&f, 1));
    assert_fails(hone_forest_logits(&f, 1), HONE_E_INVALID, "not in order");
    assert_fails(hone_forest_logits(&f, 4), HONE_E_INVALID, "row 4 of 4");
    hone_forest_release(&f);
}

static hone_status build_once(void)
{
    hone_forest f;
    hone_status s = HONE_OK;
    hone_forest_init(&f);
    for (int t = 0; t < 3 && s >= 0; t++) {
        int32_t root = hone_forest_segment(&f, -1, ids, 100), child = -1;
        s = root;
        if (s >= 0)
            s = child = hone_forest_segment(&f, root, ids, 5);
        if (s >= 0)
            s = (hone_status)(hone_forest_targets(&f, child, 0, 5) < 0 ? HONE_E_NOMEM : 0);
        if (s >= 0)
            s = (hone_status)(hone_forest_targets(&f, root, 1, 9) < 0 ? HONE_E_NOMEM : 0);
        if (s >= 0)
            s = hone_forest_logits(&f, f.n_tokens - 1);
    }
    if (s >= 0)
        s = hone_forest_split(&f, 120);
    hone_forest_release(&f);
    return s < 0 ? s : HONE_OK;
}

static void test_building_survives_without_memory(void **state)
{
    (void)state;
    assert_survives_no_memory(build_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_must_come_depth_first),
        cmocka_unit_test(test_positions_and_rows_follow_the_parent),
        cmocka_unit_test(test_pages_are_shared_where_full),
        cmocka_unit_test(test_targets_are_sorted_by_row_and_found_again),
        cmocka_unit_test(test_parts_are_whole_trees_renumbered),
        cmocka_unit_test(test_clear_keeps_memory),
        cmocka_unit_test(test_logits_and_empty_batches),
        cmocka_unit_test(test_building_survives_without_memory),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
