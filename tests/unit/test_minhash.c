/* test_minhash.c - words, shingles, Jaccard, signatures; and the sorter and table that hold them. */
#include "curate/minhash.h"

#include "base/rng.h"
#include "curate/sorter.h"
#include "curate/table.h"
#include "support.h"

#include <math.h>

static void expect_words(const char *text, const char *const *want, size_t n)
{
    hone_words w;
    hone_words_init(&w);
    assert_int_equal(hone_words_of(&w, hone_str_c(text)), HONE_OK);
    if (w.n != n)
        fail_msg("%s: %zu words, not %zu", text, w.n, n);
    for (size_t i = 0; i < n; i++)
        if (w.v[i].len != strlen(want[i]) || memcmp(text + w.v[i].from, want[i], w.v[i].len) != 0)
            fail_msg("%s: word %zu is %.*s", text, i, (int)w.v[i].len, text + w.v[i].from);
    hone_words_release(&w);
}

static void test_words(void **state)
{
    (void)state;
    expect_words("", NULL, 0);
    expect_words(" ,.\n", NULL, 0);
    expect_words("Ab, c1-d", (const char *const[]){"Ab", "c1", "d"}, 3);
    expect_words("na\xC3\xAFve \xC3\x89t\xC3\xA9!",
                 (const char *const[]){"na\xC3\xAFve", "\xC3\x89t\xC3\xA9"}, 2);
    expect_words("a\xE6\xBC\xA2\xE5\xAD\x97"
                 "b",
                 (const char *const[]){"a", "\xE6\xBC\xA2", "\xE5\xAD\x97", "b"}, 4);
    expect_words("x\xE2\x80\x94y", (const char *const[]){"x", "y"}, 2); /* a dash parts words */
}

static void test_words_do_not_know_case(void **state)
{
    hone_words a, b;
    (void)state;
    hone_words_init(&a);
    hone_words_init(&b);
    assert_int_equal(hone_words_of(&a, hone_str_c("The \xC3\x89T\xC3\x89 End")), HONE_OK);
    assert_int_equal(hone_words_of(&b, hone_str_c("the, \xC3\xA9t\xC3\xA9; eND")), HONE_OK);
    assert_int_equal(a.n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(a.v[i].hash == b.v[i].hash);
    assert_true(a.v[0].hash != a.v[2].hash);
    hone_words_release(&a);
    hone_words_release(&b);
}

static void test_folds(void **state)
{
    static const char text[] = "\n A  b,\t\xC3\x89\xC2\xA0"
                               "c. ";
    static const char *const want[] = {text, "A b, \xC3\x89 c.", "a b, \xC3\xA9 c.",
                                       "a b \xC3\xA9 c"};
    static const char *const names[] = {"none", "space", "case", "words"};
    hone_buf b;
    hone_fold fold;
    (void)state;
    hone_buf_init(&b, 1 << 20);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(hone_fold_parse(names[i], &fold), HONE_OK);
        assert_int_equal(fold, i);
        hone_buf_clear(&b);
        assert_int_equal(hone_fold_text(fold, hone_str_c(text), &b), HONE_OK);
        assert_string_equal(b.ptr, want[i]);
    }
    assert_int_equal(hone_fold_parse("wrods", &fold), HONE_E_USAGE);
    hone_buf_clear(&b); /* a capital whose small letter is longer: U+023A */
    assert_int_equal(hone_fold_text(HONE_FOLD_CASE, hone_str_c("\xC8\xBA\xC8\xBA\xC8\xBA"), &b),
                     HONE_OK);
    assert_string_equal(b.ptr, "\xE2\xB1\xA5\xE2\xB1\xA5\xE2\xB1\xA5");
    hone_buf_release(&b);
}

static void test_jaccard_of_sets(void **state)
{
    uint64_t a[] = {5, 1, 3, 3, 9}, b[] = {3, 9, 9, 2};
    hone_shingles x = {a, 5, 5}, y = {b, 4, 4}, none = {0};
    (void)state;
    hone_shingles_sort(&x);
    hone_shingles_sort(&y);
    assert_int_equal(x.n, 4);
    assert_int_equal(y.n, 3);
    assert_true(hone_shingles_jaccard(&x, &y) == 2.0 / 5);
    assert_true(hone_shingles_jaccard(&x, &x) == 1);
    assert_true(hone_shingles_jaccard(&x, &none) == 0 && hone_shingles_jaccard(&none, &none) == 0);
}

/* Two sets of `n` with a Jaccard of about j. */
static void make_sets(uint64_t seed, size_t n, double j, hone_shingles *a, hone_shingles *b)
{
    const hone_rng_key k = {.seed = seed, .purpose = HONE_RNG_USER};
    const size_t both = (size_t)(2 * (double)n * j / (1 + j));
    for (size_t i = 0; i < n; i++) {
        a->v[i] = hone_rng_u64(&k, i);
        b->v[i] = i < both ? a->v[i] : hone_rng_u64(&k, n + i);
    }
    a->n = b->n = n;
    hone_shingles_sort(a);
    hone_shingles_sort(b);
}

static void test_equal_values_are_as_frequent_as_the_jaccard(void **state)
{
    static uint64_t av[300], bv[300];
    static hone_minhash m;
    hone_shingles a = {av, 0, 300}, b = {bv, 0, 300};
    uint32_t sa[120], sb[120];
    (void)state;
    assert_int_equal(hone_minhash_init(&m, 5, 20, 6, 1), HONE_OK);
    for (double j = 0.2; j < 1; j += 0.2) {
        double equal = 0, found = 0, true_j = 0;
        enum { PAIRS = 400 };
        for (uint64_t i = 0; i < PAIRS; i++) {
            uint64_t ka[20], kb[20];
            int any = 0;
            make_sets(1000 * i + (uint64_t)(10 * j), 300, j, &a, &b);
            true_j += hone_shingles_jaccard(&a, &b) / PAIRS;
            hone_minhash_sign(&m, &a, sa);
            hone_minhash_sign(&m, &b, sb);
            hone_minhash_keys(&m, sa, ka);
            hone_minhash_keys(&m, sb, kb);
            for (size_t h = 0; h < 120; h++)
                equal += sa[h] == sb[h] ? 1.0 / (120 * PAIRS) : 0;
            for (size_t h = 0; h < 20; h++)
                any |= ka[h] == kb[h];
            found += any ? 1.0 / PAIRS : 0;
        }
        /* standard errors: the values of one pair are independent, the sets differ */
        assert_true(fabs(equal - true_j) <
                    4.5 * sqrt(true_j * (1 - true_j) / (120.0 * PAIRS)) + 0.004);
        const double want = hone_minhash_found(&m, true_j);
        assert_true(fabs(found - want) < 4.5 * sqrt(want * (1 - want) / PAIRS) + 0.02);
    }
}

static void test_signature_does_not_depend_on_lanes(void **state)
{
    static hone_minhash wide, narrow;
    uint64_t v[] = {1, 2, 3, 0xFFFFFFFF00000000ull};
    const hone_shingles s = {v, 4, 4}, none = {0};
    uint32_t a[HONE_MINHASH_MAX], b[HONE_MINHASH_MAX];
    (void)state;
    assert_int_equal(hone_minhash_init(&wide, 5, 32, 32, 9), HONE_OK);
    hone_minhash_sign(&wide, &s, a);
    for (uint32_t n = 1; n < 20; n++) {
        assert_int_equal(hone_minhash_init(&narrow, 5, n, 1, 9), HONE_OK);
        memset(b, 0xAA, sizeof b);
        hone_minhash_sign(&narrow, &s, b);
        assert_memory_equal(a, b, n * sizeof *a);
        assert_true(b[n] == 0xAAAAAAAA);
    }
    for (size_t i = 0; i < 1024; i++) { /* the definition */
        uint32_t least = UINT32_MAX;
        for (size_t k = 0; k < 4; k++) {
            uint32_t h = wide.a[i] * (uint32_t)(v[k] >> 32) + wide.b[i];
            least = h < least ? h : least;
        }
        assert_true(a[i] == least);
    }
    hone_minhash_sign(&narrow, &none, b);
    assert_true(b[0] == UINT32_MAX);
    assert_int_equal(hone_minhash_init(&wide, 0, 1, 1, 1), HONE_E_USAGE);
    assert_int_equal(hone_minhash_init(&wide, 5, 33, 32, 1), HONE_E_USAGE);
}

static void test_short_texts_are_one_shingle(void **state)
{
    static hone_minhash m;
    hone_words w;
    hone_shingles a = {0}, b = {0};
    (void)state;
    assert_int_equal(hone_minhash_init(&m, 5, 20, 6, 1), HONE_OK);
    hone_words_init(&w);
    assert_int_equal(hone_words_of(&w, hone_str_c("one two")), HONE_OK);
    assert_int_equal(hone_shingles_of(&m, &w, &a), HONE_OK);
    assert_int_equal(a.n, 1);
    assert_int_equal(hone_words_of(&w, hone_str_c("one two three four five six")), HONE_OK);
    assert_int_equal(hone_shingles_of(&m, &w, &b), HONE_OK);
    assert_int_equal(b.n, 2);
    assert_true(a.v[0] != b.v[0]);
    hone_shingles_release(&a);
    hone_shingles_release(&b);
    hone_words_release(&w);
}

/* ---- sorter and table ---------------------------------------------------------------------------------------------- */

enum { RECORDS = 50000 };
static uint64_t records[RECORDS][3];

static int by_words(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    for (int i = 0; i < 3; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

static void expect_sorted(hone_sorter *s, size_t n)
{
    const uint64_t *r;
    qsort(records, n, sizeof *records, by_words);
    assert_int_equal(hone_sorter_rewind(s), HONE_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hone_sorter_next(s, &r), 1);
        assert_memory_equal(r, records[i], sizeof *records);
    }
    assert_int_equal(hone_sorter_next(s, &r), 0);
}

static void make_records(void)
{
    const hone_rng_key k = {.seed = 4, .purpose = HONE_RNG_USER};
    for (uint64_t i = 0; i < RECORDS; i++) { /* with equal keys, and equal records */
        records[i][0] = i % 3 ? hone_rng_u64(&k, i) : hone_rng_below(&k, i, 50);
        records[i][1] = hone_rng_below(&k, RECORDS + i, 4);
        records[i][2] = i % 5 ? i : 0;
    }
}

static void test_sorts_in_memory_and_on_disk(void **state)
{
    /* in memory; some runs; runs of the second level */
    static const size_t memory[] = {0, 200000, 64 * 24}, many[] = {RECORDS, RECORDS, 3000};
    (void)state;
    for (int m = 0; m < 3; m++) {
        hone_sorter *s;
        make_records();
        assert_int_equal(hone_sorter_open(scratch_dir(), "t", 3, memory[m], NULL, &s), HONE_OK);
        for (size_t i = 0; i < many[m]; i++)
            assert_int_equal(hone_sorter_add(s, records[i]), HONE_OK);
        expect_sorted(s, many[m]);
        expect_sorted(s, many[m]); /* again */
        assert_int_equal(hone_sorter_remove(s), HONE_OK);
        hone_sorter_close(s);
        char **names;
        size_t n;
        assert_int_equal(hone_list_dir(scratch_dir(), &names, &n), HONE_OK);
        for (size_t i = 0; i < n; i++)
            assert_true(strncmp(names[i], "t.", 2) != 0);
        hone_names_free(names, n);
    }
}

/* A sorter is killed: what was noted is there, what came later is not. */
static void test_goes_on_from_its_note(void **state)
{
    hone_buf note;
    hone_jw w;
    hone_sorter *s;
    hone_arena arena;
    hone_value v;
    (void)state;
    make_records();
    hone_buf_init(&note, 1 << 16);
    hone_arena_init(&arena, 0);
    assert_int_equal(hone_sorter_open(scratch_dir(), "g", 3, 64 * 24, NULL, &s), HONE_OK);
    for (size_t i = 0; i < 4000; i++) { /* 62 runs: one of the second level, 30 of the first */
        assert_int_equal(hone_sorter_add(s, records[i]), HONE_OK);
        if (i == 2999) {
            assert_int_equal(hone_sorter_flush(s), HONE_OK);
            hone_jw_init(&w, &note, 0);
            hone_sorter_note(s, &w);
        }
    }
    hone_sorter_close(s);
    assert_int_equal(hone_json_parse(note.ptr, note.len, NULL, &arena, &v), HONE_OK);
    assert_int_equal(hone_sorter_open(scratch_dir(), "g", 3, 64 * 24, &v, &s), HONE_OK);
    for (size_t i = 3000; i < 5000; i++)
        assert_int_equal(hone_sorter_add(s, records[i]), HONE_OK);
    expect_sorted(s, 5000);
    hone_sorter_close(s);
    v.u.list.n = 3;
    assert_int_equal(hone_sorter_open(scratch_dir(), "g", 3, 64 * 24, &v, &s), HONE_E_STATE);
    hone_buf_release(&note);
    hone_arena_release(&arena);
}

static void test_a_run_that_is_cut_is_found(void **state)
{
    hone_sorter *s;
    const uint64_t *r;
    char path[256];
    hone_status st;
    (void)state;
    make_records();
    assert_int_equal(hone_sorter_open(scratch_dir(), "c", 3, 64 * 24, NULL, &s), HONE_OK);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(hone_sorter_add(s, records[i]), HONE_OK);
    snprintf(path, sizeof path, "%s/c.0.1", scratch_dir());
    assert_int_equal(truncate(path, 100), 0);
    st = hone_sorter_rewind(s);
    while (st >= 0 && (st = hone_sorter_next(s, &r)) > 0)
        ;
    assert_int_equal(st, HONE_E_PARSE);
    hone_sorter_close(s);
}

static void test_table_keeps_what_was_written(void **state)
{
    hone_table t;
    (void)state;
    assert_int_equal(hone_table_open(&t, scratch_dir(), "tab", 0), HONE_OK);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(hone_table_add(&t, i * i), HONE_OK);
    assert_int_equal(hone_table_flush(&t), HONE_OK);
    hone_table_release(&t);
    assert_int_equal(hone_table_open(&t, scratch_dir(), "tab", 600), HONE_OK); /* cut back */
    assert_int_equal(hone_table_add(&t, 7), HONE_OK);
    assert_int_equal(hone_table_map(&t), HONE_OK);
    assert_int_equal(t.n, 601);
    assert_true(t.v[599] == 599 * 599 && t.v[600] == 7);
    t.v[3] = 99;
    assert_int_equal(hone_table_sync(&t), HONE_OK);
    hone_table_release(&t);
    assert_int_equal(hone_table_open(&t, scratch_dir(), "tab", 601), HONE_OK);
    assert_int_equal(hone_table_map(&t), HONE_OK);
    assert_true(t.v[3] == 99);
    hone_table_release(&t);
    assert_int_equal(hone_table_open(&t, scratch_dir(), "tab", 602), HONE_E_STATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_do_not_know_case),
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_jaccard_of_sets),
        cmocka_unit_test(test_equal_values_are_as_frequent_as_the_jaccard),
        cmocka_unit_test(test_signature_does_not_depend_on_lanes),
        cmocka_unit_test(test_short_texts_are_one_shingle),
        cmocka_unit_test(test_sorts_in_memory_and_on_disk),
        cmocka_unit_test(test_goes_on_from_its_note),
        cmocka_unit_test(test_a_run_that_is_cut_is_found),
        cmocka_unit_test(test_table_keeps_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
