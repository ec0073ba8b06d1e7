/* plugin_trust.c - `hone plugin keygen|sign|verify|trust|revoke|pack|install|lock`.
 *
 * None of these runs a line of a plugin: they read the file's bytes and its sidecar. Exit 3 is a refusal. A secret key is
 * read into memory that is wiped, and nothing about it is ever printed. (plugin-abi.md 6, 9) */
#include "cli/plugin_trust.h"

#include "abi/loader.h"
#include "abi/package.h"
#include "host/registry.h"
#include "abi/sidecar.h"
#include "abi/trust.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/args.h"
#include "cli/out.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SMALL_MAX = 8 << 20, SO_MAX = 256 << 20 };

/* What the verbs about one file work on. */
typedef struct subject {
    hone_arena arena;
    hone_buf so, side, ids;
    char *side_path, *sig_path;
    char so_sha[65], side_sha[65];
    const char *version;
} subject;

static int ends(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && strcmp(s + n - m, tail) == 0;
}

static char *with_ending(const char *path, const char *ending)
{
    hone_buf b;
    hone_buf_init(&b, 65536);
    hone_buf_add(&b, path, strlen(path) - 2);
    hone_buf_adds(&b, ending);
    return hone_buf_detach(&b, NULL);
}

static void subject_release(subject *f)
{
    hone_buf_release(&f->so);
    hone_buf_release(&f->side);
    hone_buf_release(&f->ids);
    hone_free(f->side_path);
    hone_free(f->sig_path);
    hone_arena_release(&f->arena);
}

/* The ids and version that a sidecar names. */
static hone_status read_ids(subject *f, const char *place)
{
    hone_value v;
    hone_sidecar sc;
    HONE_TRY(hone_json_parse(f->side.ptr, f->side.len, place, &f->arena, &v));
    HONE_TRY(hone_sidecar_read(&v, place, &f->arena, &sc));
    for (size_t i = 0; i < sc.n; i++)
        hone_buf_addf(&f->ids, "%s%s", i ? "," : "", sc.components[i].id);
    if (sc.n == 0)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: holds no component", place);
    f->version = sc.components[0].version;
    hone_sha256_of(f->so.ptr, f->so.len, f->so_sha);
    hone_sha256_of(f->side.ptr, f->side.len, f->side_sha);
    return f->ids.failed;
}

/* Of files that the command line names: one that is not there says what was wanted. */
static hone_status must_be_there(const char *path, const char *what)
{
    if (hone_file_exists(path) && !hone_file_is_dir(path))
        return HONE_OK;
    hone_fail(HONE_E_NOT_FOUND, "%s: %s", path,
              hone_file_is_dir(path) ? "is a folder" : "no such file");
    return hone_fail_hint(
        "the path of %s is wanted; hone plugin list --json shows those of plugins", what);
}

static hone_status subject_open(subject *f, const char *path)
{
    memset(f, 0, sizeof *f);
    hone_arena_init(&f->arena, 0);
    hone_buf_init(&f->so, SO_MAX);
    hone_buf_init(&f->side, SMALL_MAX);
    hone_buf_init(&f->ids, SMALL_MAX);
    if (!ends(path, ".so")) {
        hone_fail(HONE_E_USAGE, "%s: the path of a plugin's .so is wanted", path);
        return hone_fail_hint("hone plugin list --json shows the paths");
    }
    f->side_path = with_ending(path, "json");
    f->sig_path = with_ending(path, "sig");
    if (!f->side_path || !f->sig_path)
        return HONE_E_NOMEM;
    HONE_TRY(must_be_there(path, "a plugin's .so"));
    HONE_TRY(hone_file_read(path, SO_MAX, &f->so));
    HONE_TRY(hone__loader_check_elf(path, NULL));
    if (!hone_file_exists(f->side_path)) {
        hone_fail(HONE_E_NOT_FOUND, "%s: has no sidecar", path);
        return hone_fail_hint("hone plugin describe %s --write makes it (this loads the plugin)",
                              path);
    }
    HONE_TRY(hone_file_read(f->side_path, SMALL_MAX, &f->side));
    return read_ids(f, f->side_path);
}

/* 1 with the signature when there is one that holds for these bytes; 0 when there is none. */
static hone_status subject_signature(subject *f, const char *text, size_t n, const char *place,
                                     hone_signature *sig)
{
    HONE_TRY(hone_signature_parse(text, n, place, &f->arena, sig));
    HONE_TRY(hone_signature_check(sig, place));
    if (strcmp(sig->so, f->so_sha) != 0 || strcmp(sig->sidecar, f->side_sha) != 0 ||
        strcmp(sig->ids, f->ids.ptr) != 0 || strcmp(sig->version, f->version) != 0) {
        hone_fail(HONE_E_REFUSED, "%s: was made for another file or sidecar", place);
        return hone_fail_hint("get all three files again from who made them, or sign again");
    }
    return HONE_OK;
}

static void show_key(const unsigned char key[32])
{
    char hex[65];
    hone_hex_write(key, 32, hex);
    printf("%s", hex);
}

static int expired(const hone_key *key)
{
    char today[11];
    hone_today(today);
    return key->expires && strcmp(today, key->expires) > 0;
}

/* ---- keygen, sign ------------------------------------------------------------------------------ */

/* A new file that only its owner may read; one that is there is refused. */
static hone_status write_private(const char *path, const hone_buf *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return hone_fail_errno("%s", path);
    hone_status s = hone_file_write_fd(fd, text->ptr, text->len, path);
    if (s >= 0 && fsync(fd) != 0)
        s = hone_fail_errno("%s", path);
    close(fd);
    if (s < 0)
        unlink(path);
    return s;
}

int hone_cli_plugin_keygen(int argc, char **argv)
{
    static hone_arg_list ids;
    static const char *expires;
    static const hone_arg options[] = {
        {"ids", HONE_ARG_LIST, &ids, "PREFIX",
         "ids it may sign, such as com.example. (several times)"},
        {"expires", HONE_ARG_STR, &expires, "DATE", "the last day it is good for: 2030-12-31"},
        {0}};
    static const char *const examples[] = {
        "hone plugin keygen example --ids com.example. --expires 2030-12-31", NULL};
    static const hone_args spec = {
        "plugin keygen",
        "NAME --ids PREFIX [options]",
        "Makes a pair of Ed25519 keys: NAME.key signs and stays with you, NAME.pub is for those\n"
        "who are to trust you.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (ids.n == 0)
        return hone_cli_usage("plugin keygen", "--ids is missing: which ids may the key sign?");
    const char *list[HONE_ARG_LIST_MAX + 1];
    for (int i = 0; i < ids.n; i++)
        list[i] = ids.v[i];
    list[ids.n] = NULL;
    unsigned char secret[64];
    hone_key key = {.ids = list, .expires = expires}, again;
    hone_buf text, pub, path;
    hone_arena arena;
    hone_arena_init(&arena, 0);
    hone_buf_init(&text, 4096);
    hone_buf_init(&pub, SMALL_MAX);
    hone_buf_init(&path, 65536);
    hone_status s = hone_key_make(key.public_key, secret);
    if (s >= 0)
        s = hone_key_write(&key, &pub);
    if (s >= 0) /* what was given is what a reader accepts */
        s = hone_key_parse(pub.ptr, pub.len, "the new key", &arena, &again);
    if (s == HONE_E_PARSE || s == HONE_E_INVALID)
        hone_fail_hint("hone plugin keygen NAME --ids com.example. --expires 2030-12-31");
    if (s >= 0 && expired(&again))
        s = hone_fail(HONE_E_INVALID, "--expires %s: that day is past", again.expires);
    if (s >= 0)
        s = hone_buf_addf(&path, "%s.pub", rest.v[0]);
    if (s >= 0 && hone_file_exists(path.ptr)) {
        s = hone_fail(HONE_E_EXISTS, "%s: is there already", path.ptr);
        hone_fail_hint("a key that is lost cannot be made again: choose another name");
    }
    if (s >= 0)
        s = hone_buf_reserve(&text, 512);
    if (s >= 0)
        s = hone_secret_write(secret, &text);
    if (s >= 0) {
        memcpy(path.ptr + path.len - 3, "key", 3);
        s = write_private(path.ptr, &text);
    }
    if (s >= 0) {
        memcpy(path.ptr + path.len - 3, "pub", 3);
        s = hone_file_replace(path.ptr, pub.ptr, pub.len);
    }
    if (s >= 0) {
        printf("%s.key  signs; keep it to yourself\n%s.pub  for who trusts you: hone plugin trust "
               "%s.pub\npublic ",
               rest.v[0], rest.v[0], rest.v[0]);
        show_key(key.public_key);
        printf("\n");
    }
    hone_secret_wipe(secret, sizeof secret);
    if (text.cap)
        hone_secret_wipe(text.ptr, text.cap);
    hone_buf_release(&text);
    hone_buf_release(&pub);
    hone_buf_release(&path);
    hone_arena_release(&arena);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

static hone_status read_secret(const char *path, unsigned char secret[64])
{
    struct stat st;
    hone_buf b;
    HONE_TRY(must_be_there(path, "a secret key, NAME.key,"));
    if (stat(path, &st) != 0)
        return hone_fail_errno("%s", path);
    if (st.st_mode & 077) {
        hone_fail(HONE_E_REFUSED, "%s: others may read this secret key", path);
        return hone_fail_hint("chmod 600 %s; and make a new key if somebody did", path);
    }
    hone_buf_init(&b, 65536);
    hone_status s = hone_buf_reserve(&b, 4096);
    if (s >= 0)
        s = hone_file_read(path, 4000, &b);
    if (s >= 0)
        s = hone_secret_parse(b.ptr, b.len, path, secret);
    if (b.cap)
        hone_secret_wipe(b.ptr, b.cap);
    hone_buf_release(&b);
    return s;
}

int hone_cli_plugin_sign(int argc, char **argv)
{
    static const char *key_path;
    static const hone_arg options[] = {
        {"key", HONE_ARG_STR, &key_path, "NAME.key", "the secret key of hone plugin keygen"}, {0}};
    static const char *const examples[] = {"hone plugin sign my_reward.so --key example.key", NULL};
    static const hone_args spec = {
        "plugin sign",
        "FILE.so --key NAME.key",
        "Writes FILE.sig: that the holder of the key made this file and its sidecar. Says who,\n"
        "not how safe.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!key_path)
        return hone_cli_usage("plugin sign", "--key is missing");
    unsigned char secret[64] = {0};
    subject f;
    hone_buf pub, out;
    hone_key key;
    hone_signature sig;
    hone_buf_init(&pub, SMALL_MAX);
    hone_buf_init(&out, SMALL_MAX);
    hone_status s = subject_open(&f, rest.v[0]);
    char *pub_path = ends(key_path, ".key") ? hone_strndup(key_path, strlen(key_path)) : NULL;
    if (s >= 0 && !pub_path) {
        s = hone_fail(HONE_E_USAGE, "%s: a NAME.key is wanted", key_path);
        hone_fail_hint("hone plugin keygen NAME makes one");
    }
    if (s >= 0) {
        memcpy(pub_path + strlen(pub_path) - 3, "pub", 3);
        s = read_secret(key_path, secret);
    }
    if (s >= 0)
        s = hone_file_read(pub_path, SMALL_MAX, &pub);
    if (s >= 0)
        s = hone_key_parse(pub.ptr, pub.len, pub_path, &f.arena, &key);
    if (s >= 0 && memcmp(key.public_key, secret + 32, 32) != 0)
        s = hone_fail(HONE_E_INVALID, "%s and %s are no pair", key_path, pub_path);
    if (s >= 0 && !hone_key_may_sign(&key, f.ids.ptr)) {
        s = hone_fail(HONE_E_REFUSED, "%s: may not sign %s", pub_path, f.ids.ptr);
        hone_fail_hint("it signs ids that begin with %s; org.hone. is hone's own", key.ids[0]);
    }
    if (s >= 0 && expired(&key)) {
        s = hone_fail(HONE_E_REFUSED, "%s: expired on %s: nobody would trust what it signs",
                      pub_path, key.expires);
        hone_fail_hint(
            "hone plugin keygen makes a new one; give its .pub to those who trusted the old one");
    }
    if (s >= 0) {
        sig = (hone_signature){f.ids.ptr, f.version, hone_platform(), f.so_sha, f.side_sha,
                               {0},       {0}};
        s = hone_signature_make(&sig, secret);
    }
    hone_secret_wipe(secret, sizeof secret);
    if (s >= 0)
        s = hone_signature_write(&sig, &out);
    if (s >= 0)
        s = hone_file_replace(f.sig_path, out.ptr, out.len);
    if (s >= 0)
        printf("%s: %s %s for %s\n", f.sig_path, f.ids.ptr, f.version, hone_platform());
    hone_free(pub_path);
    hone_buf_release(&pub);
    hone_buf_release(&out);
    subject_release(&f);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

/* ---- verify, trust, revoke --------------------------------------------------------------------- */

static const char *level_text(int level)
{
    return level == HONE_TRUST_HASH  ? "trusted: this very file"
           : level == HONE_TRUST_KEY ? "trusted: the key that signed it"
                                     : "not trusted";
}

int hone_cli_plugin_verify(int argc, char **argv)
{
    static const char *const examples[] = {"hone plugin verify ./my_reward.so", NULL};
    static const hone_args spec = {
        "plugin verify",
        "FILE.so",
        "Does the signature beside the file hold, and do you trust who made it? Exit 0 when both\n"
        "are so, 3 when not. Loads nothing.",
        NULL,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    subject f;
    hone_trust t;
    hone_signature sig;
    hone_buf b;
    char today[11];
    int level = HONE_TRUST_NONE, have_trust = 0;
    hone_buf_init(&b, SMALL_MAX);
    hone_status s = subject_open(&f, rest.v[0]);
    if (s >= 0 && !hone_file_exists(f.sig_path)) {
        s = hone_fail(HONE_E_REFUSED, "%s: is not signed", rest.v[0]);
        hone_fail_hint("hone plugin sign makes %s; hone plugin trust trusts the file by its hash",
                       f.sig_path);
    }
    if (s >= 0)
        s = hone_file_read(f.sig_path, SMALL_MAX, &b);
    if (s >= 0)
        s = subject_signature(&f, b.ptr, b.len, f.sig_path, &sig);
    if (s >= 0) {
        printf("%s %s, signed by ", f.ids.ptr, f.version);
        show_key(sig.key);
        printf("\n");
        s = hone_trust_open(&t);
        have_trust = s >= 0;
    }
    hone_today(today);
    if (s >= 0)
        s = hone_trust_judge(&t, rest.v[0], f.so_sha, &sig, today, &level);
    if (s >= 0) {
        printf("%s\n", level_text(level));
        if (level == HONE_TRUST_NONE) {
            s = hone_fail(HONE_E_REFUSED, "%s: the signature holds, but you do not trust its key",
                          rest.v[0]);
            hone_fail_hint("hone plugin trust NAME.pub, if you know whose key it is");
        }
    }
    if (have_trust)
        hone_trust_release(&t);
    hone_buf_release(&b);
    subject_release(&f);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

static void list_trust(const hone_trust *t)
{
    for (size_t i = 0; i < t->n_keys; i++) {
        printf("key   ");
        show_key(t->keys[i].public_key);
        for (size_t k = 0; t->keys[i].ids[k]; k++)
            printf(" %s", t->keys[i].ids[k]);
        printf("%s%s\n", t->keys[i].expires ? " until " : "",
               t->keys[i].expires ? t->keys[i].expires : "");
    }
    for (size_t i = 0; i < t->n_hashes; i++)
        printf("file  %s\n", t->hashes[i]);
    for (size_t i = 0; i < t->n_revoked; i++)
        printf("revoked  %s\n", t->revoked[i]);
    if (!t->n_keys && !t->n_hashes && !t->n_revoked)
        printf("nobody is trusted but hone itself\n");
}

/* A NAME.pub; `key` lies in the arena. */
static hone_status read_key(const char *path, hone_arena *arena, hone_key *key)
{
    hone_buf b;
    hone_buf_init(&b, SMALL_MAX);
    hone_status s = hone_file_read(path, SMALL_MAX, &b);
    if (s >= 0)
        s = hone_key_parse(b.ptr, b.len, path, arena, key);
    hone_buf_release(&b);
    return s;
}

int hone_cli_plugin_trust(int argc, char **argv)
{
    static const char *const examples[] = {"hone plugin trust ./my_reward.so",
                                           "hone plugin trust example.pub", "hone plugin trust",
                                           NULL};
    static const hone_args spec = {"plugin trust",
                                   "[FILE.so | NAME.pub]",
                                   "Trusts this very file, or what a key signs: such plugins run "
                                   "in hone's own process and can\n"
                                   "do whatever hone can. Without an argument: what is trusted.",
                                   NULL,
                                   examples,
                                   0,
                                   1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_trust t;
    hone_key key;
    char sha[65];
    int lock = -1;
    hone_status s = rest.n ? must_be_there(rest.v[0], "a plugin's .so or a key's .pub") : HONE_OK;
    if (s >= 0 && rest.n && ends(rest.v[0], ".key")) {
        s = hone_fail(HONE_E_USAGE, "%s: is a secret key", rest.v[0]);
        hone_fail_hint("the public half, NAME.pub, is what is trusted");
    }
    if (s >= 0 && rest.n)
        s = hone_trust_lock("trust.lock", &lock);
    if (s >= 0)
        s = hone_trust_open(&t);
    if (s < 0) {
        if (lock >= 0)
            close(lock);
        return hone_cli_fail(s);
    }
    if (rest.n == 0) {
        list_trust(&t);
    } else if (ends(rest.v[0], ".pub")) {
        s = read_key(rest.v[0], &t.arena, &key);
        for (size_t i = 0; s >= 0 && key.ids[i]; i++)
            if (strncmp(key.ids[i], "org.hone.", 9) == 0) {
                s = hone_fail(HONE_E_REFUSED, "%s: wants to sign %s, which is hone's own",
                              rest.v[0], key.ids[i]);
                hone_fail_hint("no key of a third party may sign as hone: ask where it is from");
            }
        if (s >= 0)
            s = hone_trust_add_key(&t, &key);
    } else {
        s = hone__loader_check_elf(rest.v[0], NULL);
        if (s >= 0)
            s = hone_sha256_file(rest.v[0], sha);
        if (s >= 0)
            s = hone_trust_add_hash(&t, sha);
    }
    if (s >= 0 && rest.n)
        s = hone_trust_save(&t);
    if (s >= 0 && rest.n)
        printf("trusted: %s%s%s\n", rest.v[0], ends(rest.v[0], ".pub") ? "" : ", ",
               ends(rest.v[0], ".pub") ? "" : sha);
    if (s >= 0 && rest.n && ends(rest.v[0], ".pub") && expired(&key))
        printf("but it expired on %s: what it signed is not trusted\n", key.expires);
    hone_trust_release(&t);
    if (lock >= 0)
        close(lock);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

int hone_cli_plugin_revoke(int argc, char **argv)
{
    static const char *const examples[] = {"hone plugin revoke example.pub",
                                           "hone plugin revoke my_reward.so", NULL};
    static const hone_args spec = {"plugin revoke",
                                   "FILE.so | NAME.pub | HEX",
                                   "Trusts a file (by its SHA-256) or a key no longer: what was "
                                   "loaded by that trust is refused\n"
                                   "until it is trusted again.",
                                   NULL,
                                   examples,
                                   1,
                                   1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_trust t;
    hone_key key;
    char hex[65];
    int lock = -1;
    const char *what = rest.v[0];
    const int is_hex = hone_is_sha256(what);
    hone_status s = is_hex ? HONE_OK : must_be_there(what, "a plugin's .so or a key's .pub");
    if (s >= 0 && !is_hex && !ends(what, ".pub") && !ends(what, ".so")) {
        s = hone_fail(HONE_E_USAGE, "%s: is neither FILE.so nor NAME.pub", what);
        hone_fail_hint("or give the 64 digits that hone plugin trust shows");
    }
    if (s >= 0)
        s = hone_trust_lock("trust.lock", &lock);
    if (s >= 0)
        s = hone_trust_open(&t);
    if (s < 0) {
        if (lock >= 0)
            close(lock);
        return hone_cli_fail(s);
    }
    if (is_hex) {
        memcpy(hex, what, 65);
    } else if (ends(what, ".pub")) {
        s = read_key(what, &t.arena, &key);
        if (s >= 0)
            hone_hex_write(key.public_key, 32, hex);
    } else {
        s = hone_sha256_file(what, hex);
    }
    if (s >= 0)
        s = hone_trust_revoke(&t, hex);
    if (s >= 0)
        s = hone_trust_save(&t);
    if (s >= 0)
        printf("revoked: %s\n", hex);
    hone_trust_release(&t);
    close(lock);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

/* ---- pack, install ----------------------------------------------------------------------------- */

int hone_cli_plugin_pack(int argc, char **argv)
{
    static const char *out_path;
    static int bare;
    static const hone_arg options[] = {
        {"out", HONE_ARG_STR, &out_path, "FILE", "where to (NAME-VERSION.tar.zst)"},
        {"unsigned", HONE_ARG_FLAG, &bare, NULL, "pack it without a signature"},
        {0}};
    static const char *const examples[] = {
        "hone plugin pack my_reward.so --out my_reward-0.1.0.tar.zst", NULL};
    static const hone_args spec = {"plugin pack",
                                   "FILE.so [options]",
                                   "Puts a plugin, its sidecar and its signature into one file.",
                                   options,
                                   examples,
                                   1,
                                   1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    subject f;
    hone_buf sig_text, out, path;
    hone_signature sig;
    hone_package p;
    memset(&p, 0, sizeof p);
    hone_buf_init(&sig_text, SMALL_MAX);
    hone_buf_init(&out, SO_MAX);
    hone_buf_init(&path, 65536);
    hone_status s = subject_open(&f, rest.v[0]);
    const char *base = hone_path_base(rest.v[0]);
    size_t n = strlen(base);
    if (s >= 0 && (n <= 3 || n - 3 >= sizeof p.name))
        s = hone_fail(HONE_E_INVALID, "%s: its name does not fit a package", rest.v[0]);
    if (s >= 0)
        memcpy(p.name, base, n - 3);
    if (s >= 0 && !bare && !hone_file_exists(f.sig_path)) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s: is not signed", rest.v[0]);
        hone_fail_hint("hone plugin sign %s --key NAME.key, or --unsigned", rest.v[0]);
    }
    if (s >= 0 && !bare)
        s = hone_file_read(f.sig_path, SMALL_MAX, &sig_text);
    if (s >= 0 && !bare)
        s = subject_signature(&f, sig_text.ptr, sig_text.len, f.sig_path, &sig);
    if (s >= 0) {
        p.so = hone_buf_str(&f.so);
        p.sidecar = hone_buf_str(&f.side);
        p.signature = hone_buf_str(&sig_text);
        s = hone_package_write(&p, &out);
    }
    if (s >= 0)
        s = out_path ? hone_buf_adds(&path, out_path)
                     : hone_buf_addf(&path, "%s-%s.tar.zst", p.name, f.version);
    if (s >= 0)
        s = hone_file_replace(path.ptr, out.ptr, out.len);
    if (s >= 0)
        printf("%s: %s %s, %zu bytes%s\n", path.ptr, f.ids.ptr, f.version, out.len,
               bare ? ", unsigned" : "");
    hone_buf_release(&sig_text);
    hone_buf_release(&out);
    hone_buf_release(&path);
    subject_release(&f);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

/* $XDG_DATA_HOME/hone/plugins: where `hone` looks for the user's plugins. New string. */
static char *user_folder(void)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (xdg && *xdg)
        return hone_path_join(xdg, "hone/plugins");
    return home && *home ? hone_path_join(home, ".local/share/hone/plugins") : NULL;
}

/* May the package in `f` take the place of what lies at `so`? */
static hone_status check_newer(const char *so, const subject *f)
{
    subject old;
    if (!hone_file_exists(so))
        return HONE_OK;
    hone_status s = subject_open(&old, so);
    if (s >= 0 && hone_version_compare(f->version, old.version) < 0) {
        s = hone_fail(HONE_E_REFUSED, "%s: version %s is there, the package has %s", so,
                      old.version, f->version);
        hone_fail_hint("--force goes back to the older one");
    } else if (s < 0) {
        s = HONE_OK; /* what is there is no plugin any more: it may be replaced */
    }
    subject_release(&old);
    return s;
}

/* The three files of a package: all written beside their places first, so that a full disk leaves what is installed as it
 * was; then moved there. What the package has not goes: an old signature would be of another file. */
static hone_status write_members(const char *folder, const hone_package *p)
{
    const struct {
        const char *ending;
        hone_str what;
    } members[] = {{"sig", p->signature}, {"json", p->sidecar}, {"so", p->so}};
    enum { N = sizeof members / sizeof *members };
    hone_buf fresh[N], path[N];
    hone_status s = HONE_OK;
    for (int i = 0; i < N; i++) {
        hone_buf_init(&fresh[i], 65536);
        hone_buf_init(&path[i], 65536);
    }
    for (int i = 0; i < N && s >= 0; i++) {
        s = hone_buf_addf(&path[i], "%s/%s.%s", folder, p->name, members[i].ending);
        if (s >= 0)
            s = hone_buf_addf(&fresh[i], "%s/.%s.%s.new", folder, p->name, members[i].ending);
        if (s >= 0 && members[i].what.len)
            s = hone_file_replace(fresh[i].ptr, members[i].what.ptr, members[i].what.len);
        if (s >= 0 && members[i].what.len && chmod(fresh[i].ptr, 0644) != 0)
            s = hone_fail_errno("%s", fresh[i].ptr);
    }
    for (int i = 0; i < N && s >= 0; i++) {
        if (!members[i].what.len)
            unlink(path[i].ptr);
        else if (rename(fresh[i].ptr, path[i].ptr) != 0)
            s = hone_fail_errno("%s", path[i].ptr);
    }
    for (int i = 0; i < N; i++) {
        if (s < 0 && fresh[i].len)
            unlink(fresh[i].ptr);
        hone_buf_release(&fresh[i]);
        hone_buf_release(&path[i]);
    }
    return s;
}

int hone_cli_plugin_install(int argc, char **argv)
{
    static int untrusted, force;
    static const hone_arg options[] = {
        {"untrusted", HONE_ARG_FLAG, &untrusted, NULL, "also what no trusted key has signed"},
        {"force", HONE_ARG_FLAG, &force, NULL, "also an older version than is there"},
        {0}};
    static const char *const examples[] = {"hone plugin install my_reward-0.1.0.tar.zst", NULL};
    static const hone_args spec = {
        "plugin install",
        "PACKAGE [options]",
        "Unpacks a package into your own plugins, after checking its signature with the keys you\n"
        "trust. Runs nothing of it.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const char *place = rest.v[0];
    subject f;
    hone_buf bytes, tar, so;
    hone_package p;
    hone_signature sig;
    hone_trust t;
    char today[11];
    int level = HONE_TRUST_NONE;
    char *folder = user_folder();
    memset(&f, 0, sizeof f);
    hone_arena_init(&f.arena, 0);
    hone_buf_init(&f.so, SO_MAX);
    hone_buf_init(&f.side, SMALL_MAX);
    hone_buf_init(&f.ids, SMALL_MAX);
    hone_buf_init(&bytes, SO_MAX);
    hone_buf_init(&tar, SO_MAX + 4096);
    hone_buf_init(&so, 65536);
    hone_status s = hone_trust_open(&t);
    const int have_trust = s >= 0;
    if (s >= 0 && !folder)
        s = hone_fail(HONE_E_NOT_FOUND, "no home folder: set HOME or XDG_DATA_HOME");
    if (s >= 0)
        s = must_be_there(place, "a package, NAME-VERSION.tar.zst,");
    if (s >= 0)
        s = hone_file_read(place, SO_MAX, &bytes);
    if (s >= 0)
        s = hone_package_read(bytes.ptr, bytes.len, place, &tar, &p);
    if (s >= 0)
        s = hone_buf_add_str(&f.so, p.so);
    if (s >= 0)
        s = hone_buf_add_str(&f.side, p.sidecar);
    if (s >= 0)
        s = read_ids(&f, place);
    if (s >= 0 && p.signature.len)
        s = subject_signature(&f, p.signature.ptr, p.signature.len, place, &sig);
    hone_today(today);
    if (s >= 0)
        s = hone_trust_judge(&t, place, f.so_sha, p.signature.len ? &sig : NULL, today, &level);
    if (s >= 0 && level == HONE_TRUST_NONE && !untrusted) {
        s = hone_fail(HONE_E_REFUSED, "%s: %s", place,
                      p.signature.len ? "you do not trust the key that signed it"
                                      : "it is not signed");
        hone_fail_hint("hone plugin trust NAME.pub of who made it, or --untrusted");
    }
    if (s >= 0)
        s = hone_buf_addf(&so, "%s/%s.so", folder, p.name);
    if (s >= 0 && !force)
        s = check_newer(so.ptr, &f);
    if (s >= 0)
        s = hone_mkdirs(folder);
    if (s >= 0)
        s = write_members(folder, &p);
    if (s >= 0)
        printf("%s: %s %s, %s\n", so.ptr, f.ids.ptr, f.version, level_text(level));
    if (have_trust)
        hone_trust_release(&t);
    hone_buf_release(&bytes);
    hone_buf_release(&tar);
    hone_buf_release(&so);
    hone_free(folder);
    subject_release(&f);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

/* ---- lock -------------------------------------------------------------------------------------- */

static hone_status fill_lock(const hone_registry *r, const hone_lock *old, int older,
                             hone_arena *arena, hone_lock *out)
{
    size_t n = 0;
    for (size_t i = 0; hone_registry_component(r, NULL, i); i++)
        n++;
    out->rows = hone_arena_calloc(arena, n + 1, sizeof *out->rows);
    if (!out->rows)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const hone_component_info *info = hone_registry_component(r, NULL, i);
        char *sha = hone_arena_calloc(arena, 1, 65);
        if (!sha)
            return HONE_E_NOMEM;
        if (!info->plugin)
            continue;
        HONE_TRY(hone_plugin_sha256(info->plugin, sha));
        for (size_t k = 0; !older && k < old->n; k++)
            if (strcmp(old->rows[k].id, info->c.id) == 0 &&
                hone_version_compare(info->c.version, old->rows[k].version) < 0) {
                hone_fail(HONE_E_REFUSED, "%s: version %s is older than the locked %s", info->c.id,
                          info->c.version, old->rows[k].version);
                return hone_fail_hint("--older writes it down all the same");
            }
        out->rows[out->n++] = (hone_lock_row){info->c.id, info->c.version, sha};
    }
    return HONE_OK;
}

int hone_cli_plugin_lock(int argc, char **argv)
{
    static int older;
    static hone_arg_list paths;
    static const hone_arg options[] = {
        {"older", HONE_ARG_FLAG, &older, NULL, "also versions older than those locked"},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH",
         "a folder of plugins, or a .so (several times)"},
        {0}};
    static const char *const examples[] = {"hone plugin lock", NULL};
    static const hone_args spec = {
        "plugin lock",
        "[options]",
        "Writes hone.lock in this folder: the SHA-256 of every component's file. Recipes in this\n"
        "folder then run with exactly these.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const char *list[HONE_ARG_LIST_MAX + 1];
    for (int i = 0; i < paths.n; i++)
        list[i] = paths.v[i];
    list[paths.n] = NULL;
    const hone_registry_opts opts = {.paths = list, .project = "."};
    hone_registry *r = NULL;
    hone_lock old = {NULL, 0}, lock = {NULL, 0};
    hone_arena arena;
    hone_buf b, out;
    hone_arena_init(&arena, 0);
    hone_buf_init(&b, SMALL_MAX);
    hone_buf_init(&out, SMALL_MAX);
    hone_status s = hone_registry_open(&opts, &r);
    if (s >= 0 && hone_file_exists("hone.lock")) {
        s = hone_file_read("hone.lock", SMALL_MAX, &b);
        if (s >= 0)
            s = hone_lock_parse(b.ptr, b.len, "hone.lock", &arena, &old);
    }
    if (s >= 0)
        s = fill_lock(r, &old, older, &arena, &lock);
    if (s >= 0)
        s = hone_lock_write(&lock, &out);
    if (s >= 0)
        s = hone_file_replace("hone.lock", out.ptr, out.len);
    if (s >= 0)
        printf("hone.lock: %zu components\n", lock.n);
    if (r)
        hone_registry_close(r);
    hone_buf_release(&b);
    hone_buf_release(&out);
    hone_arena_release(&arena);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}
