/* regex.c - patterns of pre-tokenizers, normalizers and decoders, by PCRE2.
 *
 * Compiled with Unicode classes and run with the JIT under a match limit; a limit hit is an error, never
 * another result. Bytes that are no UTF-8 match nothing. Patterns are written for Oniguruma, which Hugging
 * Face uses: \w and \h mean something else there and are spelled out, and a class within a class or an
 * intersection, which PCRE2 would read as other characters, is refused. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "bpe.h"

#include <pcre2.h>
#include <string.h>

enum { MATCH_LIMIT = 10000000, JIT_STACK = 1 << 20 };

static const char word_class[] = "\\p{L}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
static const char hex_class[] = "0-9A-Fa-f";

/* The pattern as PCRE2 spells it into out (room for 64 bytes a byte); why: what has no spelling. */
static size_t translate(hone_str p, char *out, const char **why)
{
    size_t n = 0, in_class = 0;
    *why = NULL;
    for (size_t i = 0; i < p.len; i++) {
        char c = p.ptr[i], next = i + 1 < p.len ? p.ptr[i + 1] : 0;
        if (c == '\\' && (next == 'w' || next == 'W' || next == 'h' || next == 'H')) {
            const char *set = next == 'w' || next == 'W' ? word_class : hex_class;
            int negated = next == 'W' || next == 'H';
            if (in_class && negated)
                *why = "\\W or \\H within a class";
            if (!in_class)
                out[n++] = '[';
            if (!in_class && negated)
                out[n++] = '^';
            memcpy(out + n, set, strlen(set));
            n += strlen(set);
            if (!in_class)
                out[n++] = ']';
            i++;
            continue;
        }
        out[n++] = c;
        if (c == '\\' && i + 1 < p.len) {
            out[n++] = p.ptr[++i];
        } else if (!in_class && c == '[') {
            in_class = i + 1 + (next == '^');
            if (next == '^')
                out[n++] = p.ptr[++i];
            if (i + 1 < p.len && p.ptr[i + 1] == ']') /* first in a class: itself */
                out[n++] = p.ptr[++i];
        } else if (in_class && c == ']') {
            in_class = 0;
        } else if (in_class && c == '[' && next == ':') {
            const char *end = bpe_find(p.ptr + i, p.len - i, ":]", 2);
            for (; end && p.ptr + i < end + 1; out[n++] = p.ptr[++i])
                ;
        } else if (in_class && c == '[') {
            *why = "a class within a class";
        } else if (in_class && c == '&' && next == '&') {
            *why = "an intersection of classes";
        }
    }
    return n;
}

hone_status bpe_regex_compile(const hone_host *host, hone_str pattern, const char *what, void **re)
{
    int code = 0, shown = (int)(pattern.len < 200 ? pattern.len : 200);
    size_t at = 0;
    const char *why;
    bpe_mem mem = {NULL, NULL};
    if (pattern.len > 1 << 16)
        return hone_host_fail(host, HONE_E_LIMIT,
                              "tokenizer: %s pattern of %zu bytes; 65536 are the limit", what,
                              pattern.len);
    char *spelled = bpe_resize(&mem, NULL, pattern.len * 64 + 1);
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    if (!cc || !spelled) {
        pcre2_compile_context_free(cc);
        bpe_free(&mem, spelled);
        return hone_host_fail(host, HONE_E_NOMEM, "tokenizer: out of memory");
    }
    size_t n = translate(pattern, spelled, &why);
    if (why) {
        pcre2_compile_context_free(cc);
        bpe_free(&mem, spelled);
        return hone_host_fail(host, HONE_E_UNSUPPORTED,
                              "tokenizer: %s pattern \"%.*s\": %s is not supported", what, shown,
                              pattern.ptr, why);
    }
    pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(cc, 100);
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)spelled, n,
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE,
                                  &code, &at, cc);
    pcre2_compile_context_free(cc);
    bpe_free(&mem, spelled);
    if (!c) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(code, text, sizeof text);
        return hone_host_fail(host, HONE_E_UNSUPPORTED,
                              "tokenizer: %s pattern \"%.*s\": %s at byte %zu", what, shown,
                              pattern.ptr, (const char *)text, at);
    }
    pcre2_jit_compile(c, PCRE2_JIT_COMPLETE); /* without JIT it is only slower */
    *re = c;
    return HONE_OK;
}

void bpe_regex_release(void *re)
{
    if (re)
        pcre2_code_free(re);
}

static int prepare(bpe_work *w)
{
    if (w->match_data)
        return 1;
    pcre2_match_context *mc = pcre2_match_context_create(NULL);
    w->match_context = mc;
    w->match_data = pcre2_match_data_create(1, NULL);
    w->jit_stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK, NULL);
    if (!mc || !w->match_data || !w->jit_stack) {
        bpe_work_release_match(w);
        return 0;
    }
    pcre2_jit_stack_assign(mc, NULL, w->jit_stack);
    pcre2_set_match_limit(mc, MATCH_LIMIT);
    return 1;
}

int bpe_regex_next(bpe_work *w, const void *re, const unsigned char *p, size_t n, size_t *at,
                   size_t *end)
{
    size_t from = *end, before = *end;
    int first = *at > *end;
    if (!prepare(w))
        return HONE_E_NOMEM;
    if (first)
        from = 0;
    while (from <= n) {
        int rc = pcre2_match(re, p, n, from, 0, w->match_data, w->match_context);
        if (rc == PCRE2_ERROR_NOMATCH)
            return 0;
        if (rc < 0) {
            w->failed = rc == PCRE2_ERROR_NOMEMORY
                            ? NULL
                            : "a match limit of the pre-tokenizer's pattern was hit";
            return rc == PCRE2_ERROR_NOMEMORY ? HONE_E_NOMEM : HONE_E_LIMIT;
        }
        const size_t *o = pcre2_get_ovector_pointer(w->match_data);
        if (o[1] > o[0] || first || o[1] != before) {
            *at = o[0];
            *end = o[1];
            return 1;
        }
        uint32_t len =
            1; /* empty, right behind the match before: go on behind the next character */
        if (from < n)
            bpe_decode_char(p + from, n - from, &len);
        from += len;
    }
    return 0;
}

void bpe_work_release_match(bpe_work *w)
{
    if (w->match_data)
        pcre2_match_data_free(w->match_data);
    if (w->match_context)
        pcre2_match_context_free(w->match_context);
    if (w->jit_stack)
        pcre2_jit_stack_free(w->jit_stack);
    bpe_regex_release(w->scripts);
    w->match_data = w->match_context = w->jit_stack = w->scripts = NULL;
}
