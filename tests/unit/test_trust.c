/* test_trust.c - keys, signatures, the store, the lock, packages; what is checked is what is loaded. */
#include "support.h"

#include "abi/loader.h"
#include "abi/package.h"
#include "abi/quarantine.h"
#include "abi/trust.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/paths.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static hone_signature made(unsigned char secret[64], hone_key *key, const char *ids)
{
    static const char *const prefixes[] = {"com.acme.", NULL};
    hone_signature sig = {ids, "1.2.0", hone_platform(), HASH_A, HASH_B, {0}, {0}};
    memset(key, 0, sizeof *key);
    key->ids = prefixes;
    assert_int_equal(hone_key_make(key->public_key, secret), HONE_OK);
    assert_int_equal(hone_signature_make(&sig, secret), HONE_OK);
    return sig;
}

static void test_a_changed_signature_does_not_hold(void **state)
{
    (void)state;
    unsigned char secret[64];
    hone_key key;
    hone_signature sig = made(secret, &key, "com.acme.reward.x"), bad;
    assert_int_equal(hone_signature_check(&sig, "x.sig"), HONE_OK);
    bad = sig, bad.so = HASH_B;
    assert_int_equal(hone_signature_check(&bad, "x.sig"), HONE_E_REFUSED);
    bad = sig, bad.sidecar = HASH_A;
    assert_int_equal(hone_signature_check(&bad, "x.sig"), HONE_E_REFUSED);
    bad = sig, bad.ids = "com.acme.reward.y";
    assert_int_equal(hone_signature_check(&bad, "x.sig"), HONE_E_REFUSED);
    bad = sig, bad.version = "1.2.1";
    assert_int_equal(hone_signature_check(&bad, "x.sig"), HONE_E_REFUSED);
    bad = sig, bad.signature[5] ^= 1;
    assert_int_equal(hone_signature_check(&bad, "x.sig"), HONE_E_REFUSED);
    bad = sig, bad.key[5] ^= 1;
    assert_int_equal(hone_signature_check(&bad, "x.sig"), HONE_E_REFUSED);
    bad = sig, bad.platform = "linux-other";
    assert_int_equal(hone_signature_make(&bad, secret), HONE_OK);
    assert_int_equal(hone_signature_check(&bad, "x.sig"), HONE_E_REFUSED);
}

static void test_a_signature_reads_back_as_written(void **state)
{
    (void)state;
    unsigned char secret[64];
    hone_key key;
    hone_signature sig = made(secret, &key, "com.acme.reward.x,com.acme.reward.y"), again;
    hone_arena arena;
    hone_buf b;
    hone_arena_init(&arena, 0);
    hone_buf_init(&b, 1 << 20);
    assert_int_equal(hone_signature_write(&sig, &b), HONE_OK);
    assert_int_equal(hone_signature_parse(b.ptr, b.len, "x.sig", &arena, &again), HONE_OK);
    assert_string_equal(again.ids, sig.ids);
    assert_int_equal(hone_signature_check(&again, "x.sig"), HONE_OK);
    for (size_t i = 0; i < b.len; i++) { /* cut anywhere: an error, never a signature */
        if (i + 2 < b.len)
            assert_int_equal(hone_signature_parse(b.ptr, i, "x.sig", &arena, &again), HONE_E_PARSE);
    }
    hone_buf_release(&b);
    hone_arena_release(&arena);
}

static void test_a_key_signs_only_its_prefixes(void **state)
{
    (void)state;
    static const char *const ids[] = {"com.acme.", "net.b", NULL};
    static const char *const hone[] = {"org.hone.", "org.", NULL};
    hone_key k = {.ids = ids};
    assert_true(hone_key_may_sign(&k, "com.acme.x"));
    assert_true(hone_key_may_sign(&k, "com.acme.x,net.b.y,net.b"));
    assert_false(hone_key_may_sign(&k, "com.acmex.y"));
    assert_false(hone_key_may_sign(&k, "net.bad"));
    assert_false(hone_key_may_sign(&k, "com.acme.x,org.other.y"));
    assert_false(hone_key_may_sign(&k, ""));
    assert_false(hone_key_may_sign(&k, "com.acme.x,,com.acme.y"));
    k.ids = hone;
    assert_false(hone_key_may_sign(&k, "org.hone.reward.x"));
    assert_true(hone_key_may_sign(&k, "org.other.x"));
}

static int level(const hone_trust *t, const hone_signature *sig, const char *today, hone_status *s)
{
    int out = -1;
    *s = hone_trust_judge(t, "x.so", HASH_A, sig, today, &out);
    return out;
}

static void test_trust_expires_and_is_revoked(void **state)
{
    (void)state;
    static const char *const taken_back[] = {HASH_A, NULL};
    unsigned char secret[64];
    char hex[65];
    hone_key key;
    hone_signature sig = made(secret, &key, "com.acme.reward.x"), other;
    hone_trust t = {0};
    hone_status s;
    hone_arena_init(&t.arena, 0);
    assert_int_equal(level(&t, &sig, "2026-01-01", &s), HONE_TRUST_NONE);
    assert_int_equal(hone_trust_add_key(&t, &key), HONE_OK);
    assert_int_equal(level(&t, &sig, "2026-01-01", &s), HONE_TRUST_KEY);
    assert_int_equal(level(&t, NULL, "2026-01-01", &s), HONE_TRUST_NONE);
    other = sig, other.ids = "com.evil.x";
    level(&t, &other, "2026-01-01", &s);
    assert_int_equal(s, HONE_E_REFUSED);
    key.expires = "2026-06-30";
    assert_int_equal(hone_trust_add_key(&t, &key), HONE_OK);
    assert_int_equal(t.n_keys, 1);
    assert_int_equal(level(&t, &sig, "2026-06-30", &s), HONE_TRUST_KEY);
    level(&t, &sig, "2026-07-01", &s);
    assert_int_equal(s, HONE_E_REFUSED);
    key.revoked = taken_back;
    assert_int_equal(hone_trust_add_key(&t, &key), HONE_OK);
    level(&t, &sig, "2026-01-01", &s);
    assert_int_equal(s, HONE_E_REFUSED);
    hone_hex_write(key.public_key, 32, hex);
    assert_int_equal(hone_trust_revoke(&t, hex), HONE_OK);
    assert_int_equal(t.n_keys, 0);
    level(&t, &sig, "2026-01-01", &s);
    assert_int_equal(s, HONE_E_REFUSED);
    assert_int_equal(hone_trust_add_hash(&t, HASH_A), HONE_OK);
    assert_int_equal(level(&t, &sig, "2026-01-01", &s), HONE_TRUST_HASH);
    assert_int_equal(hone_trust_revoke(&t, HASH_A), HONE_OK);
    level(&t, NULL, "2026-01-01", &s);
    assert_int_equal(s, HONE_E_REFUSED);
    hone_trust_release(&t);
}

static void test_malformed_files_are_named(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"format\":\"hone-lock-1\"}",
        "{\"format\":\"hone-lock-2\",\"plugins\":[]}",
        "{\"format\":\"hone-lock-1\",\"plugins\":[{}]}",
        "{\"format\":\"hone-lock-1\",\"plugins\":[1]}",
        "{\"format\":\"hone-lock-1\",\"plugins\":[{\"id\":\"a.b\",\"version\":\"1\",\"sha256\":"
        "\"12\"}]}",
        "{\"format\":\"hone-lock-1\",\"plugins\":[{\"id\":\"a\\u0000b\",\"version\":\"1\","
        "\"sha256\":\"" HASH_A "\"}]}",
        "{\"format\":\"hone-lock-1\",\"plugins\":[{\"id\":\"a.b\",\"version\":\"1\",\"sha256\":"
        "\"" HASH_A "\"},{\"id\":\"a.b\",\"version\":\"1\",\"sha256\":\"" HASH_A "\"}]}"};
    static const char *const bad_keys[] = {
        "{\"format\":\"hone-key-1\",\"public\":\"" HASH_A "\"}",
        "{\"format\":\"hone-key-1\",\"public\":\"" HASH_A "\",\"ids\":[\"\"]}",
        "{\"format\":\"hone-key-1\",\"public\":\"" HASH_A
        "\",\"ids\":[\"a.\"],\"expires\":\"soon\"}",
        "{\"format\":\"hone-key-1\",\"public\":\"" HASH_A
        "\",\"ids\":[\"a.\"],\"revoked\":[\"x\"]}",
        "{\"format\":\"hone-key-1\",\"public\":\"AA\",\"ids\":[\"a.\"]}"};
    hone_arena arena;
    hone_lock lock;
    hone_key key;
    hone_trust t = {0};
    hone_arena_init(&arena, 0);
    hone_arena_init(&t.arena, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(hone_lock_parse(bad[i], strlen(bad[i]), "hone.lock", &arena, &lock),
                         HONE_E_PARSE);
        assert_non_null(strstr(hone_error_get()->what, "hone.lock"));
    }
    for (size_t i = 0; i < sizeof bad_keys / sizeof *bad_keys; i++) {
        assert_int_equal(hone_key_parse(bad_keys[i], strlen(bad_keys[i]), "k.pub", &arena, &key),
                         HONE_E_PARSE);
        assert_non_null(strstr(hone_error_get()->what, "k.pub"));
        assert_true(hone_error_get()->hint[0] != 0);
    }
    static const char no_key[] = "{\"format\":\"hone-trust-1\",\"keys\":[{}]}";
    assert_int_equal(hone_trust_parse(no_key, strlen(no_key), "trust.json", &t), HONE_E_PARSE);
    assert_non_null(strstr(hone_error_get()->what, "trust.json"));
    hone_arena_release(&t.arena);
    hone_arena_release(&arena);
}

static void test_a_bad_secret_is_not_quoted(void **state)
{
    (void)state;
    unsigned char secret[64];
    static const char text[] = "{\"format\":\"hone-secret-1\",\"secret\":\"5ec4e7\"}";
    assert_int_equal(hone_secret_parse(text, sizeof text - 1, "x.key", secret), HONE_E_PARSE);
    assert_null(strstr(hone_error_get()->what, "5ec4e7"));
    assert_null(strstr(hone_error_get()->detail, "5ec4e7"));
}

static void test_versions_compare_as_numbers(void **state)
{
    (void)state;
    assert_true(hone_version_compare("1.10.0", "1.9") > 0);
    assert_true(hone_version_compare("1.0", "1.0.0") <= 0);
    assert_true(hone_version_compare("0.9", "1.0") < 0);
    assert_int_equal(hone_version_compare("1.2.3", "1.2.3"), 0);
}

static void test_a_package_holds_its_three_files_only(void **state)
{
    (void)state;
    hone_package p = {.name = "my_reward",
                      .so = hone_str_c("ELF"),
                      .sidecar = hone_str_c("{}"),
                      .signature = hone_str_c("sig")},
                 got;
    hone_buf b, tar;
    hone_buf_init(&b, 1 << 20);
    hone_buf_init(&tar, 1 << 20);
    assert_int_equal(hone_package_write(&p, &b), HONE_OK);
    assert_int_equal(hone_package_read(b.ptr, b.len, "p", &tar, &got), HONE_OK);
    assert_string_equal(got.name, "my_reward");
    assert_int_equal(got.so.len, 3);
    assert_memory_equal(got.signature.ptr, "sig", 3);
    for (size_t i = 0; i < b.len; i++) { /* cut anywhere */
        hone_buf_clear(&tar);
        assert_true(hone_package_read(b.ptr, i, "p", &tar, &got) < 0);
    }
    hone_buf_clear(&tar);
    assert_int_equal(hone_package_read(b.ptr, b.len, "p", &tar, &got), HONE_OK);
    static const struct {
        size_t at;
        const char *bytes;
    } edits[] = {{0, "../evil.so"}, {156, "2"},   {156, "5"},       {124, "77777777777"},
                 {0, "/abs.so"},    {345, "dir"}, {148, "0000000"}, {0, "my_reward.sh"}};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        hone_buf c;
        hone_buf_init(&c, 1 << 20);
        hone_buf_add(&c, tar.ptr, tar.len);
        memcpy(c.ptr + edits[i].at, edits[i].bytes, strlen(edits[i].bytes));
        if (edits[i].at != 148) { /* the sum is right again: what is refused is the edit */
            unsigned sum = 0;
            memset(c.ptr + 148, ' ', 8);
            for (int k = 0; k < 512; k++)
                sum += (unsigned char)c.ptr[k];
            snprintf(c.ptr + 148, 8, "%06o", sum);
        }
        assert_int_equal(hone_package_members(hone_buf_str(&c), "p", &got), HONE_E_PARSE);
        hone_buf_release(&c);
    }
    snprintf(p.name, sizeof p.name, "../x");
    assert_int_equal(hone_package_write(&p, &b), HONE_E_INVALID);
    hone_buf_release(&b);
    hone_buf_release(&tar);
}

/* ---- what is checked is what is loaded ---------------------------------------------------------- */

typedef struct swap {
    const char *path, *other;
    char seen[65];
    int in_place;
} swap;

/* The check says yes, and then somebody puts another file in the place. */
static hone_status swap_it(void *ctx, const char *sha256, int shipped)
{
    swap *w = ctx;
    hone_buf b;
    assert_false(shipped);
    memcpy(w->seen, sha256, 65);
    hone_buf_init(&b, 64 << 20);
    assert_int_equal(hone_file_read(w->other, 64 << 20, &b), HONE_OK);
    if (w->in_place) {
        int fd = open(w->path, O_WRONLY | O_TRUNC);
        assert_true(fd >= 0);
        assert_int_equal(hone_file_write_fd(fd, b.ptr, b.len, w->path), HONE_OK);
        close(fd);
    } else {
        assert_int_equal(hone_file_replace(w->path, b.ptr, b.len), HONE_OK);
    }
    hone_buf_release(&b);
    return HONE_OK;
}

static hone_status refuse(void *ctx, const char *sha256, int shipped)
{
    (void)sha256;
    (void)shipped;
    ++*(int *)ctx;
    return hone_fail(HONE_E_REFUSED, "no");
}

static void test_a_file_swapped_after_the_check_is_not_loaded(void **state)
{
    (void)state;
    char good[4096], evil[4096], path[64], sha[65];
    snprintf(good, sizeof good, "%s/optimizers.so", hone_paths_plugins());
    snprintf(evil, sizeof evil, "%s/rewards.so", hone_paths_plugins());
    for (int in_place = 0; in_place < 2; in_place++) {
        snprintf(path, sizeof path, "swap-%ld-%d.so", (long)getpid(), in_place);
        swap w = {path, evil, "", in_place};
        hone__loaded *f;
        assert_int_equal(hone_file_copy(good, path), HONE_OK);
        assert_int_equal(hone_sha256_file(path, sha), HONE_OK);
        assert_int_equal(hone__loader_open(path, swap_it, &w, &f), HONE_OK);
        assert_string_equal(w.seen, sha);
        assert_string_equal(f->entry.components[0]->id, "org.hone.optimizer.adamw");
        assert_string_equal(f->sha256, sha);
        /* the copy that was loaded cannot be written any more */
        assert_true(f->fd >= 0);
        assert_int_equal(pwrite(f->fd, "x", 1, 0), -1);
        assert_int_equal(ftruncate(f->fd, 0), -1);
        hone__loader_close(f);
        unlink(path);
    }
}

static void test_a_refused_file_is_never_run(void **state)
{
    (void)state;
    char good[4096], path[64];
    int asked = 0;
    hone__loaded *f = NULL;
    snprintf(good, sizeof good, "%s/optimizers.so", hone_paths_plugins());
    snprintf(path, sizeof path, "refused-%ld.so", (long)getpid());
    assert_int_equal(hone_file_copy(good, path), HONE_OK);
    assert_int_equal(hone__loader_open(path, refuse, &asked, &f), HONE_E_REFUSED);
    assert_null(f);
    assert_int_equal(asked, 1);
    unlink(path);
}

static void read_seed(const char *name, hone_buf *b)
{
    hone_buf_clear(b);
    assert_int_equal(hone_file_read(source_path(name), 1 << 20, b), HONE_OK);
}

/* What the fuzzers begin with is what the parsers accept: else they would test the first line of them. */
static void test_the_seeds_of_the_fuzzers_are_accepted(void **state)
{
    (void)state;
    hone_arena arena;
    hone_buf b, tar;
    hone_key key;
    hone_signature sig;
    hone_lock lock;
    hone_trust trust = {0};
    hone_quarantine q = {0};
    hone_package p;
    unsigned char secret[64];
    hone_arena_init(&arena, 0);
    hone_arena_init(&trust.arena, 0);
    hone_arena_init(&q.arena, 0);
    hone_buf_init(&b, 1 << 20);
    hone_buf_init(&tar, 1 << 20);
    read_seed("tests/fuzz/corpus/signature/key", &b);
    assert_int_equal(hone_key_parse(b.ptr, b.len, "seed", &arena, &key), HONE_OK);
    read_seed("tests/fuzz/corpus/signature/signature", &b);
    assert_int_equal(hone_signature_parse(b.ptr, b.len, "seed", &arena, &sig), HONE_OK);
    read_seed("tests/fuzz/corpus/signature/secret", &b);
    assert_int_equal(hone_secret_parse(b.ptr, b.len, "seed", secret), HONE_OK);
    read_seed("tests/fuzz/corpus/lock/lock", &b);
    assert_int_equal(hone_lock_parse(b.ptr, b.len, "seed", &arena, &lock), HONE_OK);
    assert_int_equal(lock.n, 2);
    read_seed("tests/fuzz/corpus/lock/trust", &b);
    assert_int_equal(hone_trust_parse(b.ptr, b.len, "seed", &trust), HONE_OK);
    read_seed("tests/fuzz/corpus/quarantine/two", &b);
    assert_int_equal(hone_quarantine_parse(b.ptr, b.len, "seed", &q), HONE_OK);
    read_seed("tests/fuzz/corpus/package/tar", &b);
    assert_int_equal(hone_package_members(hone_buf_str(&b), "seed", &p), HONE_OK);
    assert_true(p.signature.len > 0);
    read_seed("tests/fuzz/corpus/package/unsigned", &b);
    assert_int_equal(hone_package_members(hone_buf_str(&b), "seed", &p), HONE_OK);
    read_seed("tests/fuzz/corpus/package/zst", &b);
    assert_int_equal(hone_package_read(b.ptr, b.len, "seed", &tar, &p), HONE_OK);
    assert_true(p.signature.len > 0);
    hone_trust_release(&trust);
    hone_quarantine_release(&q);
    hone_arena_release(&arena);
    hone_buf_release(&b);
    hone_buf_release(&tar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_changed_signature_does_not_hold),
        cmocka_unit_test(test_a_signature_reads_back_as_written),
        cmocka_unit_test(test_a_key_signs_only_its_prefixes),
        cmocka_unit_test(test_trust_expires_and_is_revoked),
        cmocka_unit_test(test_malformed_files_are_named),
        cmocka_unit_test(test_a_bad_secret_is_not_quoted),
        cmocka_unit_test(test_versions_compare_as_numbers),
        cmocka_unit_test(test_a_package_holds_its_three_files_only),
        cmocka_unit_test(test_a_file_swapped_after_the_check_is_not_loaded),
        cmocka_unit_test(test_a_refused_file_is_never_run),
        cmocka_unit_test(test_the_seeds_of_the_fuzzers_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
