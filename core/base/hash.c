/* hash.c - see hash.h. SHA-256 by libsodium, XXH3 by xxHash; nothing of our own. */
#include "base/hash.h"

#include "base/file.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY /* the size of its state */
#include <xxhash.h>

HONE_STATIC_ASSERT(sizeof(crypto_hash_sha256_state) <= sizeof(hone_sha256), "the state fits");

static crypto_hash_sha256_state *state(hone_sha256 *h)
{
    return (crypto_hash_sha256_state *)(void *)h->opaque;
}

void hone_sha256_init(hone_sha256 *h)
{
    crypto_hash_sha256_init(state(h));
}

void hone_sha256_add(hone_sha256 *h, const void *p, size_t n)
{
    if (n)
        crypto_hash_sha256_update(state(h), p, n);
}

void hone_sha256_bytes(hone_sha256 *h, unsigned char out[32])
{
    crypto_hash_sha256_final(state(h), out);
}

void hone_sha256_hex(hone_sha256 *h, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[32];
    hone_sha256_bytes(h, sum);
    for (int i = 0; i < 32; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[64] = 0;
}

void hone_sha256_of(const void *p, size_t n, char out[65])
{
    hone_sha256 h;
    hone_sha256_init(&h);
    hone_sha256_add(&h, p, n);
    hone_sha256_hex(&h, out);
}

hone_status hone_sha256_file(const char *path, char out[65])
{
    hone_sha256 h;
    unsigned char piece[65536];
    int fd = hone__open_read(path, 0);
    if (fd < 0)
        return hone_fail_errno("%s", path);
    hone_sha256_init(&h);
    for (;;) {
        ssize_t n = hone__read_some(fd, piece, sizeof piece);
        if (n < 0) {
            hone_status s = hone_fail_errno("%s", path);
            close(fd);
            return s;
        }
        if (n == 0)
            break;
        hone_sha256_add(&h, piece, (size_t)n);
    }
    close(fd);
    hone_sha256_hex(&h, out);
    return HONE_OK;
}

uint64_t hone_xxh64(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(n ? p : "", n, seed);
}

hone_hash128 hone_xxh128(const void *p, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(n ? p : "", n);
    return (hone_hash128){h.high64, h.low64};
}

HONE_STATIC_ASSERT(sizeof(XXH3_state_t) <= sizeof(hone_xxh), "the state fits");

static XXH3_state_t *xxh(hone_xxh *h)
{
    return (XXH3_state_t *)(void *)h->opaque;
}

void hone_xxh_init(hone_xxh *h, uint64_t seed)
{
    XXH3_INITSTATE(xxh(h));
    XXH3_64bits_reset_withSeed(xxh(h), seed);
}

void hone_xxh_add(hone_xxh *h, const void *p, size_t n)
{
    if (n)
        XXH3_64bits_update(xxh(h), p, n);
}

uint64_t hone_xxh_sum(const hone_xxh *h)
{
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)h->opaque);
}
