/* regex.c - hone.regex/1: PCRE2 with UTF, JIT and limits on matching.
 *
 * Key idea: a pattern comes from a configuration and the text from a model, so either may be hostile:
 * matches, depth and heap of every match are limited, and the JIT stack is bounded. A compiled
 * expression is immutable: threads share it, each match has match data of its own (kept per thread,
 * grown to the largest number of groups).
 * A limit that was hit is E_LIMIT, never "no match". Source: pcre2api(3), pcre2jit(3). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "host/registry_private.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    PATTERN_MAX = 64 * 1024,
    MATCH_LIMIT = 2000000,
    DEPTH_LIMIT = 10000,
    HEAP_LIMIT_KB = 20000,
    JIT_STACK_MAX = 1024 * 1024
};

struct regex {
    pcre2_code *code;
    uint32_t groups; /* with the whole match */
};

/* Per thread: match data, context and JIT stack, made at the first match. */
struct scratch {
    pcre2_match_data *data;
    pcre2_match_context *ctx;
    pcre2_jit_stack *stack;
    uint32_t groups;
};
static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static int scratch_failed;

static void scratch_free(void *p)
{
    struct scratch *s = p;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->ctx);
    pcre2_jit_stack_free(s->stack);
    free(s);
}

static void scratch_init(void)
{
    scratch_failed = pthread_key_create(&scratch_key, scratch_free) != 0;
}

/* Plain malloc: it lives as long as the thread, so the counted allocator would call it a leak. */
static struct scratch *scratch_get(uint32_t groups)
{
    pthread_once(&scratch_once, scratch_init);
    if (scratch_failed)
        return NULL;
    struct scratch *s = pthread_getspecific(scratch_key);
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s)
            return NULL;
        if (pthread_setspecific(scratch_key, s) != 0) {
            free(s);
            return NULL;
        }
    }
    if (!s->ctx) {
        s->ctx = pcre2_match_context_create(NULL);
        if (!s->ctx)
            return NULL;
        pcre2_set_match_limit(s->ctx, MATCH_LIMIT);
        pcre2_set_depth_limit(s->ctx, DEPTH_LIMIT);
        pcre2_set_heap_limit(s->ctx, HEAP_LIMIT_KB);
        s->stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK_MAX, NULL);
        if (s->stack)
            pcre2_jit_stack_assign(s->ctx, NULL, s->stack);
    }
    if (s->groups < groups) {
        pcre2_match_data *d = pcre2_match_data_create(groups, NULL);
        if (!d)
            return NULL;
        pcre2_match_data_free(s->data);
        s->data = d;
        s->groups = groups;
    }
    return s;
}

static hone_status no_memory(void)
{
    return hone__host_failed(hone_fail(HONE_E_NOMEM, "regex: out of memory"));
}

static hone_status regex_compile(void *self, hone_str pattern, uint32_t flags, void **re_own)
{
    (void)self;
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
    int code;
    PCRE2_SIZE at;
    if (flags & ~(HONE_REGEX_CASELESS | HONE_REGEX_MULTILINE | HONE_REGEX_DOTALL))
        return hone__host_failed(hone_fail(HONE_E_UNSUPPORTED, "regex: unknown flags 0x%x", flags));
    if (pattern.len > PATTERN_MAX)
        return hone__host_failed(
            hone_fail(HONE_E_LIMIT, "regex: the pattern is longer than %d bytes", PATTERN_MAX));
    if (flags & HONE_REGEX_CASELESS)
        options |= PCRE2_CASELESS;
    if (flags & HONE_REGEX_MULTILINE)
        options |= PCRE2_MULTILINE;
    if (flags & HONE_REGEX_DOTALL)
        options |= PCRE2_DOTALL;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)(pattern.ptr ? pattern.ptr : ""), pattern.len,
                                  options, &code, &at, NULL);
    if (!c) {
        PCRE2_UCHAR text[256];
        if (code == PCRE2_ERROR_NOMEMORY || pcre2_get_error_message(code, text, sizeof text) < 0)
            return no_memory();
        hone_fail(HONE_E_PARSE, "regex: %s at byte %zu of the pattern", (const char *)text,
                  (size_t)at);
        hone_fail_detail("%.*s\n%*s^", pattern.len > 300 ? 300 : (int)pattern.len, pattern.ptr,
                         at > 300 ? 300 : (int)at, "");
        return hone__host_failed(HONE_E_PARSE);
    }
    struct regex *re = hone_calloc(1, sizeof *re);
    if (!re) {
        pcre2_code_free(c);
        return no_memory();
    }
    /* Where the machine refuses executable pages the interpreter does the work. */
    (void)pcre2_jit_compile(c, PCRE2_JIT_COMPLETE);
    uint32_t groups = 0;
    pcre2_pattern_info(c, PCRE2_INFO_CAPTURECOUNT, &groups);
    re->code = c;
    re->groups = groups + 1;
    *re_own = re;
    return HONE_OK;
}

static hone_status regex_match(void *self, const void *re_bor, hone_str text, size_t from,
                               size_t *spans, size_t n_spans)
{
    const struct regex *re = re_bor;
    (void)self;
    if (from > text.len)
        return 0;
    struct scratch *s = scratch_get(re->groups);
    if (!s)
        return no_memory();
    int rc = pcre2_match(re->code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, from, 0,
                         s->data, s->ctx);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT ||
        rc == PCRE2_ERROR_HEAPLIMIT || rc == PCRE2_ERROR_JIT_STACKLIMIT)
        return hone__host_failed(
            hone_fail(HONE_E_LIMIT, "regex: gave up after too much backtracking"));
    if (rc == PCRE2_ERROR_NOMEMORY)
        return no_memory();
    if (rc < 0) {
        PCRE2_UCHAR why[256];
        if (pcre2_get_error_message(rc, why, sizeof why) < 0)
            why[0] = 0;
        return hone__host_failed(hone_fail(HONE_E_INVALID, "regex: %s", (const char *)why));
    }
    const PCRE2_SIZE *o = pcre2_get_ovector_pointer(s->data);
    for (size_t i = 0; i < n_spans; i++) {
        int set = i < (size_t)rc && o[2 * i] != PCRE2_UNSET;
        spans[2 * i] = set ? o[2 * i] : SIZE_MAX;
        spans[2 * i + 1] = set ? o[2 * i + 1] : SIZE_MAX;
    }
    return 1;
}

static void regex_release(void *self, void *re_own)
{
    struct regex *re = re_own;
    (void)self;
    if (!re)
        return;
    pcre2_code_free(re->code);
    hone_free(re);
}

const hone_regex_v1 hone__regex_v1 = {sizeof(hone_regex_v1), 0, regex_compile, regex_match,
                                      regex_release};
