/* tokenize_stream.c - `hone tokenize`: stdin of any length to ids, by several threads, in little memory.
 *
 * Lines are texts of their own: a part is as many whole lines as fit. With --whole all is one text, and a
 * part ends where the tokenizer says that it may be cut without changing an id; a tokenizer that never says so, and a
 * text that is to be truncated, is read whole. Each part is encoded and written out as text by one thread. */
#include "base/file.h"
#include "base/json.h"
#include "cli/tokenize.h"
#include "text/parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PART = 1 << 20 };

typedef struct stream {
    const hone_tokenizer *tokenizer;
    const hone__tokenize_how *how;
    int any;        /* ids were written */
    uint64_t lines; /* in the parts written so far */
} stream;

static hone_status read_stdin(void *ctx, void *p, size_t n, size_t *got)
{
    (void)ctx;
    ssize_t k = hone__read_some(STDIN_FILENO, p, n);
    if (k < 0)
        return hone_fail_errno("stdin");
    *got = (size_t)k;
    return HONE_OK;
}

static hone_status cut_lines(void *ctx, hone_str text, size_t *at)
{
    (void)ctx;
    const char *end = memrchr(text.ptr, '\n', text.len);
    *at = end ? (size_t)(end - text.ptr) + 1 : 0;
    return HONE_OK;
}

static hone_status cut_text(void *ctx, hone_str text, size_t *at)
{
    const stream *s = ctx;
    return hone_tokenizer_cut(s->tokenizer, text, s->how->flags, at);
}

/* A number in decimal, from the right. */
static char *decimal(char *end, uint64_t v)
{
    do
        *--end = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    return end;
}

static hone_status put_list(hone_buf *out, const hone_tokens *t)
{
    char one[24];
    one[sizeof one - 1] = ',';
    HONE_TRY(hone_buf_reserve(out, 12 * t->n));
    for (size_t i = 0; i < t->n; i++) {
        const char *p = decimal(one + sizeof one - 1, (uint64_t)t->ids[i]);
        hone_buf_add(out, p, (size_t)(one + sizeof one - p) - (i + 1 == t->n));
    }
    return HONE_OK;
}

/* id, bytes from-to, the piece as JSON text: one line a token. */
static void put_table(hone_buf *out, const hone_tokenizer *tk, const hone_tokens *t,
                      uint64_t offset)
{
    for (size_t i = 0; i < t->n; i++) {
        hone_jw w;
        hone_buf_addf(out, "%8d  %6llu-%-6llu  ", t->ids[i],
                      (unsigned long long)(offset + t->spans[i].begin),
                      (unsigned long long)(offset + t->spans[i].end));
        hone_jw_init(&w, out, 0);
        hone_jw_str(&w, hone_tokenizer_token_bytes(tk, t->ids[i]));
        hone_buf_addc(out, '\n');
    }
}

static hone_status put_ids(const stream *s, const hone_tokens *t, uint64_t offset, hone_buf *out)
{
    if (s->how->json)
        HONE_TRY(put_list(out, t));
    else
        put_table(out, s->tokenizer, t, offset);
    return hone_buf_check(out, "the ids");
}

static hone_status work_text(void *ctx, const hone_part *part, hone_buf *out)
{
    const stream *s = ctx;
    hone_tokens t;
    hone_tokens_init(&t, s->how->json ? 0 : HONE_TOKENS_SPANS);
    hone_status st = hone_tokenizer_encode(s->tokenizer, part->text,
                                           s->how->flags |
                                               (part->number ? HONE_ENCODE_CONTINUES : 0) |
                                               (part->last ? 0 : HONE_ENCODE_GOES_ON),
                                           &t);
    if (st >= 0)
        st = put_ids(s, &t, part->offset, out);
    hone_tokens_release(&t);
    return st;
}

static hone_status work_lines(void *ctx, const hone_part *part, hone_buf *out)
{
    const stream *s = ctx;
    hone_tokens t;
    hone_status st = HONE_OK;
    hone_tokens_init(&t, s->how->json ? 0 : HONE_TOKENS_SPANS);
    for (size_t i = 0, next; st >= 0 && i < part->text.len; i = next) {
        const char *p = part->text.ptr + i, *end = memchr(p, '\n', part->text.len - i);
        hone_str line = {p, end ? (size_t)(end - p) : part->text.len - i};
        size_t before = out->len;
        next = i + line.len + (end != NULL);
        hone_tokens_clear(&t);
        st = hone_tokenizer_encode(s->tokenizer, line, s->how->flags, &t);
        if (st >= 0 && s->how->json)
            st = hone_buf_adds(out, "{\"ids\":[");
        if (st >= 0)
            st = put_ids(s, &t, 0, out);
        if (st >= 0)
            st = hone_buf_adds(out, s->how->json ? "]}\n" : "\n");
        if (st < 0)
            out->len = before;
    }
    hone_tokens_release(&t);
    return st;
}

static hone_status put_out(const char *p, size_t n)
{
    if (n && fwrite(p, 1, n, stdout) != n)
        return hone_fail_errno("stdout");
    return HONE_OK;
}

static hone_status write_text(void *ctx, const hone_part *part, hone_str out, hone_status failed)
{
    stream *s = ctx;
    HONE_TRY(failed);
    if (part->number == 0 && s->how->json)
        HONE_TRY(put_out("{\"ids\":[", 8));
    if (s->any && out.len && s->how->json)
        HONE_TRY(put_out(",", 1));
    s->any |= out.len > 0;
    HONE_TRY(put_out(out.ptr, out.len));
    if (!part->last)
        return HONE_OK;
    return s->how->json ? put_out("]}\n", 3) : put_out("\n", 1);
}

/* A line of JSON a text; in tables an empty line behind each. */
static hone_status write_lines(void *ctx, const hone_part *part, hone_str out, hone_status failed)
{
    stream *s = ctx;
    (void)part;
    for (size_t i = 0; i < out.len; i++)
        s->lines += out.ptr[i] == '\n' && (s->how->json || i == 0 || out.ptr[i - 1] == '\n');
    if (failed >= 0)
        return put_out(out.ptr, out.len);
    fwrite(out.ptr, 1, out.len, stdout);
    return hone_fail_at("stdin:%llu", (unsigned long long)s->lines + 1);
}

hone_status hone__tokenize_stdin(const hone_tokenizer *tk, const hone__tokenize_how *how)
{
    stream s = {.tokenizer = tk, .how = how};
    hone_pool *pool = NULL;
    hone_parts parts = {.ctx = &s,
                        .read = read_stdin,
                        .cut = how->whole ? cut_text : cut_lines,
                        .work = how->whole ? work_text : work_lines,
                        .write = how->whole ? write_text : write_lines,
                        .size = how->part ? how->part : PART,
                        .most = HONE_BUF_MAX_DEFAULT,
                        .eager = !how->whole && isatty(STDIN_FILENO)};
    HONE_TRY(hone_pool_create(how->threads, &pool));
    hone_status st = hone_parts_run(&parts, pool);
    hone_pool_destroy(pool);
    return st;
}
