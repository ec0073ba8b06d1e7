/* hone/host.h - the host as a plugin sees it.
 *
 * One hone_host per instance. Everything beyond logging and failing is an interface by id, fetched
 * once in create: hone.mem/1, hone.rng/1, hone.threads/1, hone.json/1, hone.regex/1, ... A missing
 * one is HONE_E_NOT_FOUND; list what you cannot live without in `needs`. (plugin-abi.md 4) */
#ifndef HONE_HOST_H
#define HONE_HOST_H
#include "hone/base.h"
#include <stdarg.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    HONE_LEVEL_DEBUG = 0,
    HONE_LEVEL_INFO = 1,
    HONE_LEVEL_WARN = 2,
    HONE_LEVEL_ERROR = 3,
    HONE_LEVEL_PLUGIN_MISBEHAVING = 4,
    HONE_LEVEL_HOST_MISBEHAVING = 5
};

typedef struct hone_host {
    uint32_t struct_size, epoch, version, reserved;
    void *ctx;
    hone_status (*get_iface)(const struct hone_host *host, const char *id,
                             hone_ref *out); /* [control-thread] */
    void (*log)(const struct hone_host *host, uint32_t level,
                hone_str text); /* one-way [any-thread] */
    /* Sets the text of the failure of the current call and returns `status`. [any-thread & active] */
    hone_status (*fail)(const struct hone_host *host, hone_status status, hone_str text);
} hone_host;

/* printf-like wrappers: inline, so that no varargs cross the border. Texts are cut at 1,023 bytes. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4), unused))
#endif
static inline hone_status
hone_host_fail(const hone_host *host, hone_status status, const char *fmt, ...)
{
    char text[1024];
    hone_str s;
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s.ptr = text;
    s.len = n < 0 ? 0 : ((size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    return (host->fail)(host, status, s); /* a test framework may have a macro fail() */
}
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4), unused))
#endif
static inline void
hone_host_log(const hone_host *host, uint32_t level, const char *fmt, ...)
{
    char text[1024];
    hone_str s;
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s.ptr = text;
    s.len = n < 0 ? 0 : ((size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    host->log(host, level, s);
}

/* hone.mem/1: counted memory. realloc-style: size 0 frees; `old_size` is what was asked for before. */
#define HONE_IFACE_MEM "hone.mem/1"
typedef struct hone_mem_v1 {
    uint32_t struct_size, reserved;
    void *(*resize)(void *self, void *p, size_t old_size,
                    size_t size); /* NULL on failure, p unchanged [any-thread] */
} hone_mem_v1;

/* hone.rng/1: counter-based streams (Philox 4x32-10): a pure function of its arguments and the run's seed. */
#define HONE_IFACE_RNG "hone.rng/1"
typedef struct hone_rng_v1 {
    uint32_t struct_size, reserved;
    uint64_t (*bits)(void *self, uint64_t stream, uint64_t index);  /* [any-thread] */
    double (*uniform)(void *self, uint64_t stream, uint64_t index); /* [0,1) [any-thread] */
} hone_rng_v1;

/* hone.json/1: text to a value tree and back. */
#define HONE_IFACE_JSON "hone.json/1"
typedef struct hone_json_v1 {
    uint32_t struct_size, reserved;
    /* On success *doc_own holds the tree at *out until release. [any-thread] */
    hone_status (*parse)(void *self, hone_str text, void **doc_own, const hone_value **out);
    void (*release)(void *self, void *doc_own); /* [any-thread] */
} hone_json_v1;

/* hone.regex/1: PCRE2 with match and depth limits, UTF-8. Compiled expressions may be shared by threads. */
#define HONE_IFACE_REGEX "hone.regex/1"
#define HONE_REGEX_CASELESS (1u << 0)
#define HONE_REGEX_MULTILINE (1u << 1)
#define HONE_REGEX_DOTALL (1u << 2)
typedef struct hone_regex_v1 {
    uint32_t struct_size, reserved;
    hone_status (*compile)(void *self, hone_str pattern, uint32_t flags,
                           void **re_own); /* E_PARSE with place [any-thread] */
    /* First match at or after byte `from`. spans: n_spans x {begin,end} bytes, SIZE_MAX for unset groups.
     * 1 match, 0 none; E_LIMIT when a match limit was hit. [any-thread] */
    hone_status (*match)(void *self, const void *re, hone_str text, size_t from, size_t *spans,
                         size_t n_spans);
    void (*release)(void *self, void *re_own); /* [any-thread] */
} hone_regex_v1;

#ifdef __cplusplus
}
#endif
#endif
