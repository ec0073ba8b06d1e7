/* Buffers, arenas and maps: limits, sticky errors, order, memory running out. */
#include "support.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

/* ---- buf -------------------------------------------------------------------------------------- */

static void test_buf_grows_and_stays_terminated(void **state)
{
    (void)state;
    hone_buf b;
    hone_buf_init(&b, 100000);
    assert_string_equal(b.ptr, "");
    for (int i = 0; i < 1000; i++)
        assert_ok(hone_buf_addc(&b, (char)('a' + i % 26)));
    assert_ok(hone_buf_addf(&b, "%d-%s", 42, "x"));
    assert_ok(hone_buf_add_str(&b, hone_str_c("yz")));
    assert_ok(hone_buf_add(&b, NULL, 0));
    assert_int_equal(b.len, 1006);
    assert_string_equal(b.ptr + 1000, "42-xyz");
    char big[600];
    memset(big, 'q', sizeof big - 1);
    big[sizeof big - 1] = 0;
    assert_ok(hone_buf_addf(&b, "%s!", big)); /* longer than the fast path */
    assert_int_equal(b.len, 1006 + 600);
    assert_int_equal(b.ptr[b.len - 1], '!');
    assert_int_equal(b.ptr[b.len], 0);
    hone_buf_clear(&b);
    assert_string_equal(b.ptr, "");
    hone_buf_release(&b);
    assert_string_equal(b.ptr, "");
}

static void test_buf_takes_its_maximum_and_not_a_byte_more(void **state)
{
    (void)state;
    hone_buf b;
    hone_buf_init(&b, 10);
    assert_ok(hone_buf_adds(&b, "0123456789"));
    assert_int_equal(b.ptr[10], 0);
    assert_fails(hone_buf_addc(&b, 'x'), HONE_E_LIMIT, "10 bytes");
    assert_int_equal(b.len, 10);
    hone_buf_release(&b);
    hone_buf_init(&b, SIZE_MAX);
    assert_ok(hone_buf_adds(&b, "x"));
    assert_fails(hone_buf_reserve(&b, SIZE_MAX), HONE_E_LIMIT, "limit");
    hone_buf_release(&b);
}

static void test_buf_errors_stick_until_cleared(void **state)
{
    (void)state;
    hone_buf b;
    hone_buf_init(&b, 4);
    assert_int_equal(hone_buf_adds(&b, "too long"), HONE_E_LIMIT);
    assert_int_equal(hone_buf_adds(&b, "x"), HONE_E_LIMIT);
    assert_int_equal(hone_buf_addf(&b, "x"), HONE_E_LIMIT);
    assert_int_equal(hone_buf_add(&b, "", 0), HONE_E_LIMIT);
    assert_null(hone_buf_detach(&b, NULL));
    hone_buf_clear(&b);
    assert_ok(hone_buf_adds(&b, "x"));
    hone_buf_release(&b);
}

static void test_buf_detach_hands_the_bytes_over(void **state)
{
    (void)state;
    hone_buf b;
    size_t n = 99;
    hone_buf_init(&b, 100);
    char *z = hone_buf_detach(&b, &n);
    assert_string_equal(z, "");
    assert_int_equal(n, 0);
    hone_free(z);
    hone_buf_adds(&b, "abc");
    z = hone_buf_detach(&b, &n);
    assert_string_equal(z, "abc");
    assert_int_equal(n, 3);
    assert_int_equal(b.len, 0);
    hone_buf_release(&b);
    hone_free(z);
}

/* ---- arena ------------------------------------------------------------------------------------ */

static void test_arena_gives_aligned_memory_that_does_not_overlap(void **state)
{
    (void)state;
    hone_arena a;
    hone_arena_init(&a, 0);
    unsigned char *p[400];
    for (int i = 0; i < 400; i++) {
        size_t n = (size_t)(i * 37 % 3000);
        p[i] = hone_arena_alloc(&a, n);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], i & 0xFF, n);
    }
    for (int i = 0; i < 400; i++)
        for (int j = 0; j < i * 37 % 3000; j++)
            assert_int_equal(p[i][j], i & 0xFF);
    char *z = hone_arena_calloc(&a, 3000000, 1); /* its own chunk; the current one goes on */
    assert_int_equal(z[2999999], 0);
    hone_arena_clear(&a);
    assert_int_equal(a.used, 0);
    assert_string_equal(hone_arena_strndup(&a, "abcdef", 3), "abc");
    hone_str empty = hone_arena_str(&a, (hone_str){NULL, 0});
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    hone_arena_release(&a);
}

static void test_arena_refuses_more_than_its_maximum(void **state)
{
    (void)state;
    hone_arena a;
    hone_arena_init(&a, 1000);
    assert_non_null(hone_arena_alloc(&a, 900));
    hone_error_clear();
    assert_null(hone_arena_alloc(&a, 200));
    assert_int_equal(hone_error_get()->code, HONE_E_LIMIT);
    assert_non_null(hone_arena_alloc(&a, 50));
    assert_null(hone_arena_alloc(&a, SIZE_MAX));
    assert_null(hone_arena_alloc(&a, SIZE_MAX - 15));
    assert_null(hone_arena_calloc(&a, SIZE_MAX / 2, 4));
    assert_null(hone_arena_strndup(&a, "x", SIZE_MAX));
    hone_arena_release(&a);
}

/* ---- map -------------------------------------------------------------------------------------- */

static void test_map_finds_what_was_put_in_order_of_insertion(void **state)
{
    (void)state;
    enum { N = 5000 };
    static int values[N];
    hone_map m;
    char key[32];
    hone_map_init(&m);
    assert_null(hone_map_get(&m, "k", 1));
    for (int i = 0; i < N; i++) {
        void *old = &m;
        int n = snprintf(key, sizeof key, "key %d", i);
        assert_ok(hone_map_put(&m, key, (size_t)n, &values[i], &old));
        assert_null(old);
    }
    for (int i = 0; i < N; i++) {
        int n = snprintf(key, sizeof key, "key %d", i);
        assert_ptr_equal(hone_map_get(&m, key, (size_t)n), &values[i]);
        assert_string_equal(m.entries[i].key, key);
    }
    void *old = NULL;
    assert_ok(hone_map_put(&m, "key 7", 5, &values[8], &old));
    assert_ptr_equal(old, &values[7]);
    assert_int_equal(m.live, N);
    assert_false(hone_map_has(&m, "key", 3));
    hone_map_release(&m);
}

static void test_map_keys_are_bytes(void **state)
{
    (void)state;
    int x, y, z;
    hone_map m;
    hone_map_init(&m);
    assert_ok(hone_map_put(&m, "a\0b", 3, &x, NULL));
    assert_ok(hone_map_put(&m, "a", 1, &y, NULL));
    assert_ok(hone_map_put(&m, "", 0, &z, NULL));
    assert_ok(hone_map_put(&m, "null value", 10, NULL, NULL));
    assert_ptr_equal(hone_map_get(&m, "a\0b", 3), &x);
    assert_ptr_equal(hone_map_get(&m, "a", 1), &y);
    assert_ptr_equal(hone_map_get(&m, "", 0), &z);
    assert_true(hone_map_has(&m, "null value", 10));
    assert_false(hone_map_has(&m, "a\0c", 3));
    hone_map_release(&m);
}

static void test_map_survives_many_deletions(void **state)
{
    (void)state;
    static int values[64];
    hone_map m;
    hone_map_init(&m);
    for (int round = 0; round < 3000; round++) { /* the table would fill with the dead */
        char key[16];
        int n = snprintf(key, sizeof key, "%d", round);
        assert_ok(hone_map_put(&m, key, (size_t)n, &values[round % 64], NULL));
        if (round >= 10) {
            n = snprintf(key, sizeof key, "%d", round - 10);
            assert_ptr_equal(hone_map_del(&m, key, (size_t)n), &values[(round - 10) % 64]);
            assert_null(hone_map_del(&m, key, (size_t)n));
            assert_false(hone_map_has(&m, key, (size_t)n));
        }
    }
    assert_int_equal(m.live, 10);
    assert_true(m.cap < 200);
    assert_true(hone_map_has(&m, "2995", 4));
    hone_map_release(&m);
}

static hone_status fill_all(void)
{
    hone_map m;
    hone_buf b;
    hone_arena a;
    hone_status s = HONE_OK;
    hone_map_init(&m);
    hone_buf_init(&b, 1 << 20);
    hone_arena_init(&a, 0);
    for (int i = 0; i < 60 && s == HONE_OK; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%d", i);
        s = hone_map_put(&m, key, (size_t)n, &m, NULL);
        if (s == HONE_OK && m.live != (size_t)i + 1)
            s = HONE_E_FAIL;
        if (s == HONE_OK)
            s = hone_buf_addf(&b, "%s and so on", key);
        if (s == HONE_OK && !hone_arena_alloc(&a, 500))
            s = hone_error_get()->code;
    }
    hone_map_release(&m);
    hone_buf_release(&b);
    hone_arena_release(&a);
    return s;
}

static void test_no_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    assert_survives_no_memory(fill_all());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_grows_and_stays_terminated),
        cmocka_unit_test(test_buf_takes_its_maximum_and_not_a_byte_more),
        cmocka_unit_test(test_buf_errors_stick_until_cleared),
        cmocka_unit_test(test_buf_detach_hands_the_bytes_over),
        cmocka_unit_test(test_arena_gives_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(test_arena_refuses_more_than_its_maximum),
        cmocka_unit_test(test_map_finds_what_was_put_in_order_of_insertion),
        cmocka_unit_test(test_map_keys_are_bytes),
        cmocka_unit_test(test_map_survives_many_deletions),
        cmocka_unit_test(test_no_memory_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
