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
    void *(*resize)(
        void *self, void *p, size_t old_size,
        size_t size); /* NULL on failure, p unchanged; who asked frees it [any-thread] */
} hone_mem_v1;

/* hone.rng/1: counter-based streams (Philox 4x32-10): a pure function of its arguments and the run's seed, which cannot
 * fail. */
#define HONE_IFACE_RNG "hone.rng/1"
typedef struct hone_rng_v1 {
    uint32_t struct_size, reserved;
    uint64_t (*bits)(void *self, uint64_t stream, uint64_t index); /* cannot fail [any-thread] */
    double (*uniform)(void *self, uint64_t stream,
                      uint64_t index); /* [0,1); cannot fail [any-thread] */
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

/* hone.process/1: programs in a box of their own, spoken to in lines. Given to instances whose component asks for
 * HONE_CAP_EXEC and to whom the command line granted it; E_REFUSED with a hint otherwise.
 *
 * The host starts the program and limits it: no network unless NET is granted too, files of the system and of `read`
 * to read and nothing to write but a private temporary folder (its working folder and HOME), limits on memory,
 * processes and file sizes, an environment of a few names. When the host ends, however it ends, the program ends. */
#define HONE_IFACE_PROCESS "hone.process/1"
typedef struct hone_process_spec {
    uint32_t struct_size, flags; /* flags: 0 */
    /* argv[0] is a path, or a name looked for on the host's PATH. An argument "sdk:FILE" becomes the path of a file
     * of the SDK, whose folder the program may read. */
    const hone_str *argv;
    size_t n_argv;
    const hone_str
        *read; /* files and folders it may read beside the system's: from PATH settings */
    size_t n_read;
    uint64_t memory_bytes; /* of each process; 0: 4 GiB */
    uint64_t
        tmp_bytes; /* of the temporary folder, where it is a file system of its own; 0: 256 MiB */
    uint64_t file_bytes; /* longest file; 0: as tmp_bytes */
    uint32_t processes;  /* processes and threads at one time; 0: 64 */
    uint32_t reserved;
    uint64_t line_bytes; /* longest line it may write to stdout; 0: 64 MiB */
} hone_process_spec;

/* What a wait may end by. */
typedef struct hone_process_wait {
    uint32_t struct_size, reserved;
    uint64_t deadline_ns;      /* CLOCK_MONOTONIC; 0: none */
    const uint32_t *cancelled; /* as of hone_call; NULL: none */
} hone_process_wait;

typedef struct hone_process_v1 {
    uint32_t struct_size, reserved;
    /* [control-thread] or [worker-thread], as the call it is made from */
    hone_status (*start)(void *self, const hone_process_spec *spec_bor, void **process_own);
    /* Writes to its standard input; what it writes meanwhile is kept. E_IO with how it ended when it has ended,
     * E_TIMEOUT, E_CANCELLED. Its standard error goes to the log line by line. One thread at a time a process. */
    hone_status (*send)(void *self, void *process, hone_str bytes,
                        const hone_process_wait *wait); /* [any-thread & active] */
    /* Its next line, without the end of line, until the next call on this process. E_IO with how it ended when there
     * is none any more, E_TIMEOUT, E_CANCELLED, E_LIMIT for a line that is too long. */
    hone_status (*receive)(void *self, void *process, const hone_process_wait *wait,
                           hone_str *line_bor); /* [any-thread & active] */
    /* Closes its standard input, waits a moment, kills what is left of it and of all it started. NULL is allowed. */
    void (*stop)(void *self, void *process_own); /* [any-thread] */
    /* The text of the last send or receive on it that failed, until the next one. [any-thread & active] */
    hone_str (*why)(void *self, const void *process);
} hone_process_v1;

#ifdef __cplusplus
}
#endif
#endif
