/* trust.h - who may be loaded: keys, signatures, the user's trust store, the project's lock.
 *
 * All four are JSON files with a "format" member, read by strict parsers: an unknown format, a missing member, hex of
 * the wrong length, a duplicate are errors that name the file.
 *
 *   NAME.pub     hone-key-1     public (hex), ids (prefixes it may sign), expires ("YYYY-MM-DD" or null), revoked (sha256)
 *   NAME.key     hone-secret-1  secret (hex); mode 0600; never printed, logged or sent
 *   FILE.sig     hone-sig-1     ids, version, platform, so, sidecar (sha256), key, signature
 *   trust.json   hone-trust-1   keys (as NAME.pub), hashes, revoked: $XDG_CONFIG_HOME/hone/trust.json
 *   hone.lock    hone-lock-1    plugins: id, version, sha256
 *
 * What is signed (Ed25519) is the text "hone-sig-1\n" ids "\n" version "\n" platform "\n" so "\n" sidecar "\n", ids being
 * those of all components of the file, joined by commas. A signature says who, not how safe. (plugin-abi.md 6) */
#ifndef HONE_CORE_ABI_TRUST_H
#define HONE_CORE_ABI_TRUST_H
#include "base/arena.h"
#include "base/buf.h"

typedef struct hone_key {
    unsigned char public_key[32];
    const char *const *ids;     /* prefixes, NULL-terminated */
    const char *expires;        /* "YYYY-MM-DD", or NULL: never */
    const char *const *revoked; /* sha256 of files it has signed and takes back, NULL-terminated */
} hone_key;

typedef struct hone_signature {
    const char *ids, *version, *platform, *so, *sidecar; /* the last two: sha256 in hex */
    unsigned char key[32], signature[64];
} hone_signature;

typedef struct hone_lock_row {
    const char *id, *version, *sha256;
} hone_lock_row;
typedef struct hone_lock {
    hone_lock_row *rows;
    size_t n;
} hone_lock;

typedef struct hone_trust {
    hone_arena arena;
    hone_key *keys;
    const char **hashes, **revoked;
    size_t n_keys, n_hashes, n_revoked;
} hone_trust;

/* Parsers: `name` goes into errors; what they give lives in `arena`. E_PARSE. [any-thread] */
hone_status hone_key_parse(const char *text, size_t n, const char *name, hone_arena *arena,
                           hone_key *out);
hone_status hone_signature_parse(const char *text, size_t n, const char *name, hone_arena *arena,
                                 hone_signature *out);
hone_status hone_lock_parse(const char *text, size_t n, const char *name, hone_arena *arena,
                            hone_lock *out);
/* t->arena must be initialised; hone_trust_release frees it. */
hone_status hone_trust_parse(const char *text, size_t n, const char *name, hone_trust *out);

hone_status hone_key_write(const hone_key *key, hone_buf *out);
hone_status hone_signature_write(const hone_signature *sig, hone_buf *out);
hone_status hone_lock_write(const hone_lock *lock, hone_buf *out);

const char *hone_platform(void); /* "linux-x86_64" */
/* Signs *sig's members with a secret key of 64 bytes (as keygen made it): fills key and signature. */
hone_status hone_signature_make(hone_signature *sig, const unsigned char secret[64]);
/* Does the signature hold, and is it for this platform? E_REFUSED with what differs. */
hone_status hone_signature_check(const hone_signature *sig, const char *name);
/* A new pair of keys. */
hone_status hone_key_make(unsigned char public_key[32], unsigned char secret[64]);
hone_status hone_secret_parse(const char *text, size_t n, const char *name,
                              unsigned char secret[64]);
hone_status hone_secret_write(const unsigned char secret[64], hone_buf *out);
void hone_secret_wipe(void *p, size_t n);

/* The user's store; one that is not there is empty. E_REFUSED when others may write it. */
hone_status hone_trust_open(hone_trust *out);
/* Who reads to change holds this until it has saved, so that two lose nothing: name is a file beside the store. Closing *fd
 * lets go. */
hone_status hone_trust_lock(const char *name, int *fd);
hone_status hone_trust_save(const hone_trust *t);
void hone_trust_release(hone_trust *t);
char *hone_trust_path(void); /* new string; NULL without a home or memory */
hone_status hone_trust_add_key(hone_trust *t, const hone_key *key); /* replaces the same key */
hone_status hone_trust_add_hash(hone_trust *t, const char *sha256);
/* Takes trust back: a sha256, or a public key in hex, is removed and never trusted again until it is added. */
hone_status hone_trust_revoke(hone_trust *t, const char *hex);

enum { HONE_TRUST_NONE = 0, HONE_TRUST_HASH = 1, HONE_TRUST_KEY = 2 };
/* What the user says of a file: its sha256, its checked signature or NULL. *out gets HONE_TRUST_*. E_REFUSED when it is
 * revoked, its key has expired, or signs ids that it may not. `today` is "YYYY-MM-DD". */
hone_status hone_trust_judge(const hone_trust *t, const char *name, const char *sha256,
                             const hone_signature *sig, const char *today, int *out);
void hone_today(char out[11]);
/* May a key with these prefixes sign all of `ids` (joined by commas)? org.hone. is nobody's. */
int hone_key_may_sign(const hone_key *key, const char *ids);
/* Compares versions as lists of numbers: "1.10.0" > "1.9"; < 0, 0, > 0. */
int hone_version_compare(const char *a, const char *b);
int hone_is_sha256(const char *s);
hone_status hone_hex_write(const unsigned char *p, size_t n, char *out); /* 2n + 1 bytes */
#endif
