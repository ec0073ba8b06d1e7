/* trust.c - see trust.h.
 *
 * The one key idea: everything is decided from bytes in memory that were hashed, never from a name. Files are small
 * JSON, read by base/json.h with a limit, and every member is checked for its type and form before it is used.
 * Ed25519 and random numbers are libsodium's. Source: plugin-abi.md section 6; RFC 8032. */
#include "abi/trust.h"

#include "abi/loader.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { TRUST_MAX = 4 << 20, LIST_MAX = 100000 };

/* ---- members ----------------------------------------------------------------------------------- */

static hone_status bad(const char *name, const char *key, const char *want)
{
    hone_fail(HONE_E_PARSE, "%s: \"%s\": %s is wanted", name, key, want);
    return hone_fail_hint("the file was not written by hone plugin, or was changed since");
}

/* A text without NUL and control characters. */
static const char *text_of(const hone_value *map, const char *key, hone_arena *arena)
{
    const hone_value *v = hone_value_get(map, key);
    if (!v || v->type != HONE_STRING || v->u.str.len > 65536)
        return NULL;
    for (size_t i = 0; i < v->u.str.len; i++)
        if ((unsigned char)v->u.str.ptr[i] < 32)
            return NULL;
    return hone_arena_strndup(arena, v->u.str.ptr, v->u.str.len);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int unhex(const char *s, unsigned char *out, size_t n)
{
    if (!s || strlen(s) != 2 * n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        int a = digit(s[2 * i]), b = digit(s[2 * i + 1]);
        if (a < 0 || b < 0)
            return 0;
        out[i] = (unsigned char)(16 * a + b);
    }
    return 1;
}

hone_status hone_hex_write(const unsigned char *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[p[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    out[2 * n] = 0;
    return HONE_OK;
}

int hone_is_sha256(const char *s)
{
    unsigned char raw[32];
    return unhex(s, raw, sizeof raw);
}

static int date_ok(const char *s)
{
    static const char form[] = "dddd-dd-dd";
    if (strlen(s) != 10)
        return 0;
    for (size_t i = 0; i < 10; i++)
        if (form[i] == 'd' ? (s[i] < '0' || s[i] > '9') : s[i] != '-')
            return 0;
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const long year = strtol(s, NULL, 10), month = strtol(s + 5, NULL, 10),
               day = strtol(s + 8, NULL, 10);
    if (month < 1 || month > 12 || day < 1)
        return 0;
    const int leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + leap;
}

/* A list of texts; `hashes`: each must be a sha256. An absent list is empty. */
static hone_status texts_of(const hone_value *map, const char *key, const char *name, int hashes,
                            hone_arena *arena, const char ***out, size_t *n)
{
    const hone_value *v = hone_value_get(map, key);
    size_t many = v && v->type == HONE_LIST ? v->u.list.n : 0;
    if ((v && v->type != HONE_LIST && v->type != HONE_NULL) || many > LIST_MAX)
        return bad(name, key, "a list of texts");
    const char **list = hone_arena_calloc(arena, many + 1, sizeof *list);
    if (!list)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < many; i++) {
        const hone_value *item = &v->u.list.items[i];
        if (item->type != HONE_STRING || memchr(item->u.str.ptr, 0, item->u.str.len))
            return bad(name, key, "a list of texts");
        list[i] = hone_arena_strndup(arena, item->u.str.ptr, item->u.str.len);
        if (!list[i])
            return HONE_E_NOMEM;
        if (hashes && !hone_is_sha256(list[i]))
            return bad(name, key, "64 hexadecimal digits each");
    }
    *out = list;
    if (n)
        *n = many;
    return HONE_OK;
}

static hone_status parse(const char *text, size_t n, const char *name, const char *format,
                         hone_arena *arena, hone_value *out)
{
    if (n > TRUST_MAX)
        return hone_fail(HONE_E_LIMIT, "%s: larger than 4 MiB", name);
    HONE_TRY(hone_json_parse(text, n, name, arena, out));
    const hone_value *f = out->type == HONE_MAP ? hone_value_get(out, "format") : NULL;
    if (!f || f->type != HONE_STRING || !hone_str_eq(f->u.str, format)) {
        hone_fail(HONE_E_PARSE, "%s: no %s file", name, format);
        return hone_fail_hint("its member \"format\" must be \"%s\"", format);
    }
    return HONE_OK;
}

/* ---- keys -------------------------------------------------------------------------------------- */

static hone_status key_of(const hone_value *v, const char *name, hone_arena *arena, hone_key *out)
{
    hone_key k;
    memset(&k, 0, sizeof k);
    if (v->type != HONE_MAP || !unhex(text_of(v, "public", arena), k.public_key, 32))
        return bad(name, "public", "a key of 64 hexadecimal digits");
    const char **ids, **revoked;
    size_t n;
    HONE_TRY(texts_of(v, "ids", name, 0, arena, &ids, &n));
    if (n == 0)
        return bad(name, "ids", "a list of prefixes such as \"com.example.\"");
    for (size_t i = 0; i < n; i++)
        if (!ids[i][0] || !strchr(ids[i], '.') || strchr(ids[i], ','))
            return bad(name, "ids", "prefixes such as \"com.example.\"");
    HONE_TRY(texts_of(v, "revoked", name, 1, arena, &revoked, NULL));
    const hone_value *expires = hone_value_get(v, "expires");
    if (expires && expires->type != HONE_NULL) {
        k.expires = text_of(v, "expires", arena);
        if (!k.expires || !date_ok(k.expires))
            return bad(name, "expires", "a date like 2030-12-31, or null,");
    }
    k.ids = ids;
    k.revoked = revoked;
    *out = k;
    return HONE_OK;
}

hone_status hone_key_parse(const char *text, size_t n, const char *name, hone_arena *arena,
                           hone_key *out)
{
    hone_value v;
    HONE_TRY(parse(text, n, name, "hone-key-1", arena, &v));
    return key_of(&v, name, arena, out);
}

static void put_texts(hone_jw *w, const char *key, const char *const *list)
{
    hone_jw_key(w, key);
    hone_jw_list(w);
    for (; list && *list; list++)
        hone_jw_cstr(w, *list);
    hone_jw_end(w);
}

static void put_key(hone_jw *w, const hone_key *k)
{
    char hex[65];
    hone_hex_write(k->public_key, 32, hex);
    hone_jw_kcstr(w, "public", hex);
    put_texts(w, "ids", k->ids);
    hone_jw_kcstr(w, "expires", k->expires);
    put_texts(w, "revoked", k->revoked);
}

static void begin(hone_jw *w, hone_buf *out, const char *format)
{
    hone_jw_init(w, out, 2);
    hone_jw_map(w);
    hone_jw_kcstr(w, "format", format);
}
static hone_status end(hone_jw *w, hone_buf *out)
{
    hone_jw_end(w);
    hone_buf_addc(out, '\n');
    return out->failed;
}

hone_status hone_key_write(const hone_key *key, hone_buf *out)
{
    hone_jw w;
    begin(&w, out, "hone-key-1");
    put_key(&w, key);
    return end(&w, out);
}

static hone_status sodium(void)
{
    return sodium_init() < 0 ? hone_fail(HONE_E_FAIL, "libsodium does not start") : HONE_OK;
}

hone_status hone_key_make(unsigned char public_key[32], unsigned char secret[64])
{
    HONE_TRY(sodium());
    crypto_sign_keypair(public_key, secret);
    return HONE_OK;
}

hone_status hone_secret_parse(const char *text, size_t n, const char *name,
                              unsigned char secret[64])
{
    hone_arena arena;
    hone_value v;
    hone_arena_init(&arena, 0);
    hone_status s = parse(text, n, name, "hone-secret-1", &arena, &v);
    char *hex = NULL;
    if (s >= 0) {
        hex = (char *)(uintptr_t)text_of(&v, "secret", &arena);
        if (!unhex(hex, secret, 64))
            s = bad(name, "secret", "a key of 128 hexadecimal digits");
        if (hex)
            sodium_memzero(hex, strlen(hex));
        const hone_value *raw = hone_value_get(&v, "secret");
        if (raw && raw->type == HONE_STRING)
            sodium_memzero((char *)(uintptr_t)raw->u.str.ptr, raw->u.str.len);
    } else if (s == HONE_E_PARSE) { /* a text that quotes its input would show the key */
        s = hone_fail(HONE_E_PARSE, "%s: no secret key of hone plugin keygen", name);
    }
    hone_arena_release(&arena);
    return s;
}

hone_status hone_secret_write(const unsigned char secret[64], hone_buf *out)
{
    char hex[129];
    hone_jw w;
    hone_hex_write(secret, 64, hex);
    begin(&w, out, "hone-secret-1");
    hone_jw_kcstr(&w, "secret", hex);
    sodium_memzero(hex, sizeof hex);
    return end(&w, out);
}

void hone_secret_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}

static int prefixed(const char *const *prefixes, const char *id, size_t n)
{
    for (; *prefixes; prefixes++) {
        size_t k = strlen(*prefixes);
        /* "com.acme." covers com.acme.x; "com.acme.x" covers itself and com.acme.x.y, never com.acme.xy */
        if (k <= n && memcmp(id, *prefixes, k) == 0 &&
            ((*prefixes)[k - 1] == '.' || k == n || id[k] == '.'))
            return 1;
    }
    return 0;
}

int hone_key_may_sign(const hone_key *key, const char *ids)
{
    static const char *const own[] = {"org.hone.", NULL};
    if (!*ids)
        return 0;
    for (const char *p = ids; *p;) {
        size_t n = strcspn(p, ",");
        if (n == 0 || prefixed(own, p, n) || !prefixed(key->ids, p, n))
            return 0;
        p += n;
        p += *p == ',';
    }
    return 1;
}

/* ---- signatures -------------------------------------------------------------------------------- */

const char *hone_platform(void)
{
#if defined(__x86_64__)
    return "linux-x86_64";
#elif defined(__aarch64__)
    return "linux-aarch64";
#elif defined(__riscv)
    return "linux-riscv64";
#else
    return "linux-unknown";
#endif
}

hone_status hone_signature_parse(const char *text, size_t n, const char *name, hone_arena *arena,
                                 hone_signature *out)
{
    hone_value v;
    hone_signature s;
    HONE_TRY(parse(text, n, name, "hone-sig-1", arena, &v));
    s.ids = text_of(&v, "ids", arena);
    s.version = text_of(&v, "version", arena);
    s.platform = text_of(&v, "platform", arena);
    s.so = text_of(&v, "so", arena);
    s.sidecar = text_of(&v, "sidecar", arena);
    if (!s.ids || !*s.ids)
        return bad(name, "ids", "the ids of the components");
    if (!s.version || !*s.version)
        return bad(name, "version", "a version");
    if (!s.platform || !*s.platform)
        return bad(name, "platform", "a platform such as linux-x86_64");
    if (!s.so || !hone_is_sha256(s.so))
        return bad(name, "so", "a SHA-256 of 64 hexadecimal digits");
    if (!s.sidecar || !hone_is_sha256(s.sidecar))
        return bad(name, "sidecar", "a SHA-256 of 64 hexadecimal digits");
    if (!unhex(text_of(&v, "key", arena), s.key, 32))
        return bad(name, "key", "a key of 64 hexadecimal digits");
    if (!unhex(text_of(&v, "signature", arena), s.signature, 64))
        return bad(name, "signature", "128 hexadecimal digits");
    *out = s;
    return HONE_OK;
}

hone_status hone_signature_write(const hone_signature *sig, hone_buf *out)
{
    char key[65], signature[129];
    hone_jw w;
    hone_hex_write(sig->key, 32, key);
    hone_hex_write(sig->signature, 64, signature);
    begin(&w, out, "hone-sig-1");
    hone_jw_kcstr(&w, "ids", sig->ids);
    hone_jw_kcstr(&w, "version", sig->version);
    hone_jw_kcstr(&w, "platform", sig->platform);
    hone_jw_kcstr(&w, "so", sig->so);
    hone_jw_kcstr(&w, "sidecar", sig->sidecar);
    hone_jw_kcstr(&w, "key", key);
    hone_jw_kcstr(&w, "signature", signature);
    return end(&w, out);
}

static hone_status message(const hone_signature *s, hone_buf *out)
{
    return hone_buf_addf(out, "hone-sig-1\n%s\n%s\n%s\n%s\n%s\n", s->ids, s->version, s->platform,
                         s->so, s->sidecar);
}

hone_status hone_signature_make(hone_signature *sig, const unsigned char secret[64])
{
    hone_buf m;
    HONE_TRY(sodium());
    hone_buf_init(&m, TRUST_MAX);
    hone_status s = message(sig, &m);
    if (s >= 0) {
        memcpy(sig->key, secret + 32, 32); /* libsodium: seed, then the public key */
        crypto_sign_detached(sig->signature, NULL, (const unsigned char *)m.ptr, m.len, secret);
    }
    hone_buf_release(&m);
    return s;
}

hone_status hone_signature_check(const hone_signature *sig, const char *name)
{
    hone_buf m;
    HONE_TRY(sodium());
    hone_buf_init(&m, TRUST_MAX);
    hone_status s = message(sig, &m);
    if (s >= 0 && crypto_sign_verify_detached(sig->signature, (const unsigned char *)m.ptr, m.len,
                                              sig->key) != 0) {
        s = hone_fail(HONE_E_REFUSED, "%s: the signature does not hold", name);
        hone_fail_hint("it was changed after signing: get the file again from who made it");
    } else if (s >= 0 && strcmp(sig->platform, hone_platform()) != 0) {
        s = hone_fail(HONE_E_REFUSED, "%s: signed for %s, this is %s", name, sig->platform,
                      hone_platform());
    }
    hone_buf_release(&m);
    return s;
}

/* ---- the store --------------------------------------------------------------------------------- */

hone_status hone_trust_parse(const char *text, size_t n, const char *name, hone_trust *t)
{
    hone_value v;
    HONE_TRY(parse(text, n, name, "hone-trust-1", &t->arena, &v));
    const hone_value *keys = hone_value_get(&v, "keys");
    size_t many = keys && keys->type == HONE_LIST ? keys->u.list.n : 0;
    if (!keys || keys->type != HONE_LIST || many > LIST_MAX)
        return bad(name, "keys", "a list of keys");
    hone_key *list = hone_arena_calloc(&t->arena, many + 1, sizeof *list);
    const char **hashes, **revoked;
    size_t n_hashes, n_revoked;
    if (!list)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < many; i++)
        HONE_TRY(key_of(&keys->u.list.items[i], name, &t->arena, &list[i]));
    HONE_TRY(texts_of(&v, "hashes", name, 1, &t->arena, &hashes, &n_hashes));
    HONE_TRY(texts_of(&v, "revoked", name, 1, &t->arena, &revoked, &n_revoked));
    t->keys = list;
    t->n_keys = many;
    t->hashes = hashes;
    t->n_hashes = n_hashes;
    t->revoked = revoked;
    t->n_revoked = n_revoked;
    return HONE_OK;
}

char *hone_trust_path(void)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && xdg[0] == '/')
        return hone_path_join(xdg, "hone/trust.json");
    return home && home[0] == '/' ? hone_path_join(home, ".config/hone/trust.json") : NULL;
}

hone_status hone_trust_lock(const char *name, int *fd)
{
    char *store = hone_trust_path(), *dir = store ? hone_path_dir(store) : NULL;
    char *lock = dir ? hone_path_join(dir, name) : NULL;
    hone_status s = HONE_OK;
    int at = -1;
    if (!lock) {
        s = hone_fail(HONE_E_NOT_FOUND, "there is no place for the trust store");
        hone_fail_hint("set HOME or XDG_CONFIG_HOME to an absolute path");
    }
    if (s >= 0)
        s = hone_mkdirs(dir);
    if (s >= 0)
        at = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s >= 0 && at < 0)
        s = hone_fail_errno("%s", lock);
    while (s >= 0 && flock(at, LOCK_EX) != 0)
        if (errno != EINTR)
            s = hone_fail_errno("%s", lock);
    hone_free(store);
    hone_free(dir);
    hone_free(lock);
    if (s >= 0)
        *fd = at;
    else if (at >= 0)
        close(at);
    return s;
}

hone_status hone_trust_open(hone_trust *t)
{
    hone_buf b;
    memset(t, 0, sizeof *t);
    hone_arena_init(&t->arena, 0);
    char *path = hone_trust_path();
    if (!path || !hone_file_exists(path)) { /* nobody is trusted */
        hone_free(path);
        return HONE_OK;
    }
    hone_buf_init(&b, TRUST_MAX + 1);
    char *dir = hone_path_dir(path);
    hone_status s = dir ? hone__loader_check_owner(dir) : HONE_E_NOMEM;
    if (s >= 0)
        s = hone__loader_check_owner(path);
    if (s >= 0)
        s = hone_file_read(path, TRUST_MAX, &b);
    if (s >= 0)
        s = hone_trust_parse(b.ptr, b.len, path, t);
    hone_buf_release(&b);
    hone_free(dir);
    hone_free(path);
    if (s < 0)
        hone_trust_release(t);
    return s;
}

hone_status hone_trust_save(const hone_trust *t)
{
    hone_buf b;
    hone_jw w;
    char *path = hone_trust_path(), *dir = path ? hone_path_dir(path) : NULL;
    if (!path) {
        hone_fail(HONE_E_NOT_FOUND, "there is no place for the trust store");
        return hone_fail_hint("set HOME or XDG_CONFIG_HOME to an absolute path");
    }
    hone_buf_init(&b, TRUST_MAX);
    begin(&w, &b, "hone-trust-1");
    hone_jw_key(&w, "keys");
    hone_jw_list(&w);
    for (size_t i = 0; i < t->n_keys; i++) {
        hone_jw_map(&w);
        put_key(&w, &t->keys[i]);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    put_texts(&w, "hashes", t->hashes);
    put_texts(&w, "revoked", t->revoked);
    hone_status s = end(&w, &b);
    if (s >= 0)
        s = dir ? hone_mkdirs(dir) : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_file_replace(path, b.ptr, b.len);
    hone_buf_release(&b);
    hone_free(dir);
    hone_free(path);
    return s;
}

void hone_trust_release(hone_trust *t)
{
    hone_arena_release(&t->arena);
    memset(t, 0, sizeof *t);
}

static int among(const char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], s) == 0)
            return 1;
    return 0;
}

static void drop(const char **list, size_t *n, const char *s)
{
    size_t k = 0;
    for (size_t i = 0; i < *n; i++)
        if (strcmp(list[i], s) != 0)
            list[k++] = list[i];
    *n = k;
    if (list)
        list[k] = NULL;
}

static hone_status add(hone_arena *arena, const char ***list, size_t *n, const char *s)
{
    const char **more = hone_arena_calloc(arena, *n + 2, sizeof *more);
    char *own = hone_arena_strndup(arena, s, strlen(s));
    if (!more || !own)
        return HONE_E_NOMEM;
    if (*n)
        memcpy(more, *list, *n * sizeof *more);
    more[*n] = own;
    *list = more;
    ++*n;
    return HONE_OK;
}

hone_status hone_trust_add_key(hone_trust *t, const hone_key *key)
{
    char hex[65];
    hone_key *more = hone_arena_calloc(&t->arena, t->n_keys + 1, sizeof *more);
    if (!more)
        return HONE_E_NOMEM;
    size_t n = 0;
    for (size_t i = 0; i < t->n_keys; i++)
        if (memcmp(t->keys[i].public_key, key->public_key, 32) != 0)
            more[n++] = t->keys[i];
    more[n++] = *key;
    t->keys = more;
    t->n_keys = n;
    hone_hex_write(key->public_key, 32, hex);
    drop(t->revoked, &t->n_revoked, hex);
    return HONE_OK;
}

hone_status hone_trust_add_hash(hone_trust *t, const char *sha256)
{
    drop(t->revoked, &t->n_revoked, sha256);
    return among(t->hashes, t->n_hashes, sha256) ? HONE_OK
                                                 : add(&t->arena, &t->hashes, &t->n_hashes, sha256);
}

hone_status hone_trust_revoke(hone_trust *t, const char *hex)
{
    char own[65];
    size_t n = 0;
    for (size_t i = 0; i < t->n_keys; i++) {
        hone_hex_write(t->keys[i].public_key, 32, own);
        if (strcmp(own, hex) != 0)
            t->keys[n++] = t->keys[i];
    }
    t->n_keys = n;
    drop(t->hashes, &t->n_hashes, hex);
    return among(t->revoked, t->n_revoked, hex) ? HONE_OK
                                                : add(&t->arena, &t->revoked, &t->n_revoked, hex);
}

void hone_today(char out[11])
{
    time_t now = time(NULL);
    struct tm tm;
    memset(&tm, 0, sizeof tm);
    gmtime_r(&now, &tm);
    strftime(out, 11, "%Y-%m-%d", &tm);
}

static int revoked_by(const hone_key *k, const char *sha256)
{
    for (size_t i = 0; k->revoked && k->revoked[i]; i++)
        if (strcmp(k->revoked[i], sha256) == 0)
            return 1;
    return 0;
}

hone_status hone_trust_judge(const hone_trust *t, const char *name, const char *sha256,
                             const hone_signature *sig, const char *today, int *out)
{
    char hex[65] = "";
    if (sig)
        hone_hex_write(sig->key, 32, hex);
    int by_hash = among(t->hashes, t->n_hashes, sha256);
    if (among(t->revoked, t->n_revoked, sha256) ||
        (!by_hash && among(t->revoked, t->n_revoked, hex))) {
        hone_fail(HONE_E_REFUSED, "%s: revoked: %s", name,
                  among(t->revoked, t->n_revoked, sha256) ? "this very file"
                                                          : "the key that signed it");
        return hone_fail_hint("hone plugin trust takes it back, if you know why it was revoked");
    }
    for (size_t i = 0; i < t->n_keys; i++)
        if (revoked_by(&t->keys[i], sha256)) {
            hone_fail(HONE_E_REFUSED, "%s: revoked by the key that signed it", name);
            return hone_fail_hint("get a newer version from who made it");
        }
    if (by_hash) {
        *out = HONE_TRUST_HASH;
        return HONE_OK;
    }
    *out = HONE_TRUST_NONE;
    for (size_t i = 0; sig && i < t->n_keys; i++) {
        const hone_key *k = &t->keys[i];
        if (memcmp(k->public_key, sig->key, 32) != 0)
            continue;
        if (k->expires && strcmp(today, k->expires) > 0) {
            hone_fail(HONE_E_REFUSED, "%s: its key %.16s... expired on %s", name, hex, k->expires);
            return hone_fail_hint("ask who made it for a new key, then: hone plugin trust KEY.pub");
        }
        if (!hone_key_may_sign(k, sig->ids)) {
            hone_fail(HONE_E_REFUSED, "%s: its key %.16s... may not sign %.200s", name, hex,
                      sig->ids);
            return hone_fail_hint(
                "a key signs the prefixes it was trusted for (here %s ...), and nobody but "
                "hone signs org.hone.",
                k->ids[0]);
        }
        *out = HONE_TRUST_KEY;
    }
    return HONE_OK;
}

/* ---- the lock ---------------------------------------------------------------------------------- */

hone_status hone_lock_parse(const char *text, size_t n, const char *name, hone_arena *arena,
                            hone_lock *out)
{
    hone_value v;
    HONE_TRY(parse(text, n, name, "hone-lock-1", arena, &v));
    const hone_value *list = hone_value_get(&v, "plugins");
    if (!list || list->type != HONE_LIST || list->u.list.n > LIST_MAX)
        return bad(name, "plugins", "a list");
    hone_lock lock = {hone_arena_calloc(arena, list->u.list.n + 1, sizeof *lock.rows), 0};
    if (!lock.rows)
        return HONE_E_NOMEM;
    for (; lock.n < list->u.list.n; lock.n++) {
        hone_lock_row *r = &lock.rows[lock.n];
        const hone_value *item = &list->u.list.items[lock.n];
        if (item->type != HONE_MAP)
            return bad(name, "plugins", "a list of objects");
        r->id = text_of(item, "id", arena);
        r->version = text_of(item, "version", arena);
        r->sha256 = text_of(item, "sha256", arena);
        if (!r->id || !*r->id || !r->version)
            return bad(name, "plugins", "an id and a version each");
        if (!r->sha256 || !hone_is_sha256(r->sha256))
            return bad(name, "sha256", "64 hexadecimal digits");
        for (size_t i = 0; i < lock.n; i++)
            if (strcmp(lock.rows[i].id, r->id) == 0)
                return hone_fail(HONE_E_PARSE, "%s: \"%.200s\" is locked twice", name, r->id);
    }
    *out = lock;
    return HONE_OK;
}

hone_status hone_lock_write(const hone_lock *lock, hone_buf *out)
{
    hone_jw w;
    begin(&w, out, "hone-lock-1");
    hone_jw_key(&w, "plugins");
    hone_jw_list(&w);
    for (size_t i = 0; i < lock->n; i++) {
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "id", lock->rows[i].id);
        hone_jw_kcstr(&w, "version", lock->rows[i].version);
        hone_jw_kcstr(&w, "sha256", lock->rows[i].sha256);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    return end(&w, out);
}

int hone_version_compare(const char *a, const char *b)
{
    while (*a || *b) {
        char *ea, *eb;
        unsigned long x = strtoul(a, &ea, 10), y = strtoul(b, &eb, 10);
        if (x != y)
            return x < y ? -1 : 1;
        if (ea == a && eb == b && *a != *b) /* no numbers: by letters */
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        a = ea + (*ea != 0);
        b = eb + (*eb != 0);
    }
    return 0;
}
