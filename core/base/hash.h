/* hash.h - SHA-256 (libsodium) for identities, XXH3-64/128 (xxHash) for speed. */
#ifndef HONE_CORE_BASE_HASH_H
#define HONE_CORE_BASE_HASH_H
#include "base/buf.h"

typedef struct hone_sha256 {
    uint64_t opaque[16]; /* room for libsodium's state, asserted in hash.c */
} hone_sha256;
void hone_sha256_init(hone_sha256 *h);
void hone_sha256_add(hone_sha256 *h, const void *p, size_t n);
void hone_sha256_bytes(hone_sha256 *h, unsigned char out[32]); /* finishes */
void hone_sha256_hex(hone_sha256 *h, char out[65]);            /* finishes; lower-case hex, NUL */
void hone_sha256_of(const void *p, size_t n, char out[65]);
hone_status hone_sha256_file(const char *path, char out[65]);
uint64_t hone_xxh64(const void *p, size_t n, uint64_t seed); /* XXH3_64bits_withSeed */
typedef struct hone_hash128 {
    uint64_t high, low;
} hone_hash128;
hone_hash128 hone_xxh128(const void *p, size_t n); /* XXH3_128bits */
/* hone_xxh64 in pieces. */
typedef struct hone_xxh {
    _Alignas(64) uint64_t opaque[72]; /* room for xxHash's state, asserted in hash.c */
} hone_xxh;
void hone_xxh_init(hone_xxh *h, uint64_t seed);
void hone_xxh_add(hone_xxh *h, const void *p, size_t n);
uint64_t hone_xxh_sum(const hone_xxh *h);
#endif
