/* http_tape.c - exchanges of hone.http/1 written down, and given again without a network.
 *
 * HONE_HTTP_RECORD=FILE appends one line of JSON for each response, HONE_HTTP_REPLAY=FILE answers from such a file. A
 * response is found by the SHA-256 of its request (method, address, headers, body, not the secrets) and by which of the
 * equal requests of the program it was, so that repeats keep their own answers. Lines come as the answers came;
 * each is one write, and what a killed program left of its last line is passed over and cut off.
 *
 * Secrets are not in it: of a request there is the hash and the address up to its "?", and what a server echoes of a secret was cut
 * out. Prompts are not in it either; replies are. The file is made for its owner only.
 * Does not: keep what came of requests that were never sent. Source: judges.md section 4. */
#include "host/curl.h"
#include "host/http.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECRET_MIN = 8 };
#define TAPE_MAX ((size_t)1 << 31)
#define LINE_MAX_ ((size_t)256 << 20)

struct hone__http_tape {
    pthread_mutex_t lock;
    char path[PATH_MAX];
    int fd;         /* recording; -1: replaying */
    hone_map asked; /* key -> how many so far, as a pointer */
    hone_map lines; /* replaying: "key:n" -> place of its line + 1, as a pointer */
    hone_buf text;  /* replaying: the whole file */
};

/* ---- secrets ------------------------------------------------------------------------------------------------ */

static size_t secret_at(const hone_http_request *r, const char *p, size_t left)
{
    size_t most = 0;
    for (size_t i = 0; i < r->n_headers; i++) {
        const hone_str k = r->headers[i].secret;
        if (k.len >= SECRET_MIN && k.len > most && k.len <= left && memcmp(p, k.ptr, k.len) == 0)
            most = k.len;
    }
    return most;
}

hone_status hone__http_redact(const hone_http_request *r, hone_buf *text)
{
    hone_buf out;
    size_t i = 0;
    while (i < text->len && !secret_at(r, text->ptr + i, text->len - i))
        i++;
    if (i == text->len)
        return HONE_OK;
    hone_buf_init(&out, text->max); /* "(secret)" is no longer than any that is cut out */
    hone_buf_add(&out, text->ptr, i);
    while (i < text->len) {
        const size_t n = secret_at(r, text->ptr + i, text->len - i);
        if (n)
            hone_buf_adds(&out, "(secret)");
        else
            hone_buf_addc(&out, text->ptr[i]);
        i += n ? n : 1;
    }
    if (out.failed) {
        hone_status s = out.failed;
        hone_buf_release(&out);
        return s;
    }
    hone_buf_release(text);
    *text = out;
    return HONE_OK;
}

/* ---- lines ---------------------------------------------------------------------------------------------------- */

static void write_line(const hone__http_exchange *x, hone_buf *out)
{
    hone_jw w;
    const char *query = strchr(x->url, '?');
    const hone_str url = {x->url, query ? (size_t)(query - x->url) : strlen(x->url)};
    const int is_text = hone_utf8_valid(hone_buf_str(&x->body));
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "request", x->key);
    hone_jw_ki64(&w, "n", (int64_t)x->occurrence);
    hone_jw_kcstr(&w, "method", x->method);
    hone_jw_kstr(&w, "url", url);
    hone_jw_ki64(&w, "status", x->status);
    hone_jw_ki64(&w, "attempts", x->attempts);
    hone_jw_ki64(&w, "lost", x->lost);
    hone_jw_ki64(&w, "latency_ns", (int64_t)x->latency_ns);
    if (x->status < 0) {
        hone_jw_kcstr(&w, "why", x->why);
    } else {
        hone_jw_ki64(&w, "code", x->code);
        hone_jw_kstr(&w, "head", hone_buf_str(&x->head));
        if (is_text) {
            hone_jw_kstr(&w, "body", hone_buf_str(&x->body));
        } else {
            hone_buf hex;
            hone_buf_init(&hex, LINE_MAX_);
            for (size_t i = 0; i < x->body.len; i++)
                hone_buf_addf(&hex, "%02x", (unsigned char)x->body.ptr[i]);
            hone_jw_kstr(&w, "hex", hone_buf_str(&hex));
            if (hex.failed)
                out->failed = hex.failed;
            hone_buf_release(&hex);
        }
    }
    hone_jw_end(&w);
    hone_buf_addc(out, '\n');
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static hone_status add_hex(hone_str hex, hone_buf *out)
{
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        const int a = hex_digit(hex.ptr[i]), b = hex_digit(hex.ptr[i + 1]);
        if (a < 0 || b < 0)
            return hone_fail(HONE_E_PARSE, "\"hex\" holds what is no hexadecimal digit");
        hone_buf_addc(out, (char)(16 * a + b));
    }
    return out->failed;
}

static hone_status read_line(const hone_value *v, hone__http_exchange *x)
{
    const hone_str none = {"", 0};
    hone_str why, head, body, hex;
    int64_t status, code, attempts, lost, latency;
    HONE_TRY(hone_value_i64(v, "status", 0, &status));
    HONE_TRY(hone_value_i64(v, "code", 0, &code));
    HONE_TRY(hone_value_i64(v, "attempts", 1, &attempts));
    HONE_TRY(hone_value_i64(v, "lost", 0, &lost));
    HONE_TRY(hone_value_i64(v, "latency_ns", 0, &latency));
    HONE_TRY(hone_value_string(v, "why", none, &why));
    HONE_TRY(hone_value_string(v, "head", none, &head));
    HONE_TRY(hone_value_string(v, "body", none, &body));
    HONE_TRY(hone_value_string(v, "hex", none, &hex));
    if (status > 0 || status < INT32_MIN || code < 0 || code > 999 || attempts < 0 ||
        attempts > UINT32_MAX || lost < 0 || lost > attempts || latency < 0)
        return hone_fail(HONE_E_PARSE, "a number of it is out of range");
    HONE_TRY(hone_buf_add_str(&x->head, head));
    HONE_TRY(hone_buf_add_str(&x->body, body));
    HONE_TRY(add_hex(hex, &x->body));
    x->status = (hone_status)status;
    x->code = (uint32_t)code;
    x->attempts = (uint32_t)attempts;
    x->lost = (uint32_t)lost;
    x->latency_ns = (uint64_t)latency;
    snprintf(x->why, sizeof x->why, "%.*s", (int)(why.len < 199 ? why.len : 199), why.ptr);
    return HONE_OK;
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */

static void add_part(hone_sha256 *h, hone_str s)
{
    const uint64_t n = s.len;
    hone_sha256_add(h, &n, sizeof n);
    hone_sha256_add(h, s.ptr, s.len);
}

hone_status hone__http_tape_ask(hone__http_tape *t, hone__http_exchange *x)
{
    const hone_http_request *r = x->request;
    hone_sha256 h;
    hone_sha256_init(&h);
    add_part(&h, hone_str_c(x->method));
    add_part(&h, r->url);
    for (size_t i = 0; i < r->n_headers; i++) {
        add_part(&h, r->headers[i].name);
        add_part(&h, r->headers[i].value);
    }
    hone_sha256_add(&h, r->body, r->n_body);
    hone_sha256_hex(&h, x->key);
    pthread_mutex_lock(&t->lock);
    x->occurrence = (uintptr_t)hone_map_get(&t->asked, x->key, 64);
    hone_status s = hone_map_put(&t->asked, x->key, 64, (void *)(uintptr_t)(x->occurrence + 1),
                                 NULL);
    pthread_mutex_unlock(&t->lock);
    return s;
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

int hone__http_tape_replays(const hone__http_tape *t)
{
    return t && t->fd < 0;
}

/* The whole lines of the file: how often each request was asked, and, replaying, where its answers are. Returns where the last
 * whole line ends. */
static hone_status read_lines(hone__http_tape *t, const hone_buf *text, size_t *whole)
{
    hone_arena arena;
    hone_status s = HONE_OK;
    size_t line = 0;
    *whole = 0;
    hone_arena_init(&arena, 2 * LINE_MAX_);
    while (*whole < text->len && s >= 0) {
        const char *p = text->ptr + *whole, *nl = memchr(p, '\n', text->len - *whole);
        hone_value v;
        hone_str key;
        int64_t n;
        char name[100];
        if (!nl)
            break;
        line++;
        s = hone_json_parse(p, (size_t)(nl - p), NULL, &arena, &v);
        if (s >= 0)
            s = hone_value_string(&v, "request", (hone_str){"", 0}, &key);
        if (s >= 0)
            s = hone_value_i64(&v, "n", 0, &n);
        if (s >= 0 && (key.len != 64 || n < 0 || n > INT32_MAX))
            s = hone_fail(HONE_E_PARSE, "that is no recording of hone.http/1");
        if (s < 0) {
            hone_fail_at("%s:%zu", t->path, line);
            break;
        }
        snprintf(name, sizeof name, "%.64s:%lld", key.ptr, (long long)n);
        if (t->fd < 0)
            s = hone_map_put(&t->lines, name, strlen(name), (void *)(uintptr_t)(*whole + 1), NULL);
        else if ((uintptr_t)hone_map_get(&t->asked, key.ptr, 64) <= (uintptr_t)n)
            s = hone_map_put(&t->asked, key.ptr, 64, (void *)(uintptr_t)(n + 1), NULL);
        *whole += (size_t)(nl - p) + 1;
        hone_arena_clear(&arena);
    }
    hone_arena_release(&arena);
    return s;
}

static hone_status open_to_record(hone__http_tape *t)
{
    hone_buf before;
    size_t whole = 0;
    hone_status s = HONE_OK;
    t->fd = open(t->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (t->fd < 0)
        return hone_fail_errno("%s: cannot record there", t->path);
    hone_buf_init(&before, TAPE_MAX);
    s = hone_file_read(t->path, TAPE_MAX, &before);
    if (s >= 0)
        s = read_lines(t, &before, &whole);
    if (s >= 0 && whole < before.len && ftruncate(t->fd, (off_t)whole) != 0)
        s = hone_fail_errno("%s: its last line is cut and stays so", t->path);
    hone_buf_release(&before);
    return s;
}

hone_status hone__http_tape_open(hone__http_tape **out)
{
    const char *record = getenv("HONE_HTTP_RECORD"), *replay = getenv("HONE_HTTP_REPLAY");
    const char *path = replay && replay[0] ? replay : record;
    size_t whole;
    *out = NULL;
    if (!path || !path[0])
        return HONE_OK;
    if (record && record[0] && path != record)
        return hone_fail(HONE_E_USAGE, "HONE_HTTP_RECORD and HONE_HTTP_REPLAY exclude each other");
    if (strlen(path) >= PATH_MAX)
        return hone_fail(HONE_E_LIMIT, "the path of the recording is too long");
    hone__http_tape *t = hone_calloc(1, sizeof *t);
    if (!t)
        return HONE_E_NOMEM;
    snprintf(t->path, sizeof t->path, "%s", path);
    t->fd = -1;
    pthread_mutex_init(&t->lock, NULL);
    hone_map_init(&t->asked);
    hone_map_init(&t->lines);
    hone_buf_init(&t->text, TAPE_MAX);
    hone_status s = path == record ? open_to_record(t) : hone_file_read(path, TAPE_MAX, &t->text);
    if (s >= 0 && path != record)
        s = read_lines(t, &t->text, &whole);
    if (s < 0) {
        hone__http_tape_close(t);
        return s;
    }
    *out = t;
    return HONE_OK;
}

void hone__http_tape_close(hone__http_tape *t)
{
    if (!t)
        return;
    if (t->fd >= 0)
        close(t->fd);
    hone_map_release(&t->asked);
    hone_map_release(&t->lines);
    hone_buf_release(&t->text);
    pthread_mutex_destroy(&t->lock);
    hone_free(t);
}

hone_status hone__http_tape_record(hone__http_tape *t, const hone__http_exchange *x)
{
    hone_buf line;
    if (x->attempts == 0 || x->status == HONE_E_CANCELLED)
        return HONE_OK;
    hone_buf_init(&line, 2 * LINE_MAX_);
    write_line(x, &line);
    hone_status s = hone_buf_check(&line, "a recording");
    pthread_mutex_lock(&t->lock);
    if (s >= 0)
        s = hone_file_write_fd(t->fd, line.ptr, line.len, t->path);
    pthread_mutex_unlock(&t->lock);
    hone_buf_release(&line);
    return s;
}

hone_status hone__http_tape_replay(hone__http_tape *t, hone__http_exchange *x)
{
    char name[100];
    hone_arena arena;
    hone_value v;
    snprintf(name, sizeof name, "%s:%llu", x->key, (unsigned long long)x->occurrence);
    const size_t at = (uintptr_t)hone_map_get(&t->lines, name, strlen(name));
    if (!at) {
        x->status = HONE_E_NOT_FOUND;
        snprintf(x->why, sizeof x->why,
                 "the recording has no answer to this request (%.12s, number %llu)", x->key,
                 (unsigned long long)x->occurrence);
        return HONE_OK;
    }
    const char *p = t->text.ptr + at - 1, *nl = memchr(p, '\n', t->text.len - (at - 1));
    hone_arena_init(&arena, 2 * LINE_MAX_);
    hone_status s = hone_json_parse(p, (size_t)(nl - p), t->path, &arena, &v);
    if (s >= 0)
        s = read_line(&v, x);
    if (s < 0)
        hone_fail_at("%s", t->path);
    hone_arena_release(&arena);
    return s;
}
