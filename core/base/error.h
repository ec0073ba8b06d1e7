/* error.h - what failed, in three parts: message, detail, hint.
 *
 * Each thread has one current error. A function that fails sets it with hone_fail() and returns the
 * code; callers pass the code up, and may put their own place in front with hone_fail_at(). Only the
 * command line prints. A success does not clear the record: read it only after a failure.
 * Source of the three parts: PostgreSQL's ereport. */
#ifndef HONE_CORE_BASE_ERROR_H
#define HONE_CORE_BASE_ERROR_H
#include "hone/base.h"

#define HONE_PRINTF(f, a) __attribute__((format(printf, f, a)))

typedef struct hone_error {
    hone_status code;
    char what[512];    /* what failed, with its place: "model.safetensors: tensor \"a\" is cut" */
    char detail[1024]; /* more, or "" (a traceback, the offending line) */
    char hint[512];    /* what to do, or "" */
} hone_error;

/* Sets the thread's error (detail and hint become empty) and returns `code`, which must be < 0. */
hone_status hone_fail(hone_status code, const char *fmt, ...) HONE_PRINTF(2, 3);
/* Add a detail or a hint to the current error; return its code. */
hone_status hone_fail_detail(const char *fmt, ...) HONE_PRINTF(1, 2);
hone_status hone_fail_hint(const char *fmt, ...) HONE_PRINTF(1, 2);
/* Prefix the current message with a place: hone_fail_at("%s:%zu", path, line) -> "path:line: what". */
hone_status hone_fail_at(const char *fmt, ...) HONE_PRINTF(1, 2);
/* hone_fail with the text of errno; ENOSPC and EDQUOT become HONE_E_NO_SPACE, ENOENT NOT_FOUND. */
hone_status hone_fail_errno(const char *fmt, ...) HONE_PRINTF(1, 2);
/* The thread's current error (never NULL; code HONE_OK when nothing failed yet). Borrowed. */
const hone_error *hone_error_get(void);
/* Move an error from one thread to another: copy it out here, set it there (returns its code). */
hone_status hone_error_set(const hone_error *e);
/* How many errors were set on this thread so far: tells whether one was set in between. [any-thread] */
uint64_t hone_error_serial(void);
void hone_error_clear(void);
/* Name ("E_PARSE") and text ("malformed input") of a code; "E_?" for unknown ones. */
const char *hone_status_name(hone_status s);
const char *hone_status_text(hone_status s);
/* The closest of `names` (NULL-terminated) to `given` by edit distance, or NULL when none is close.
 * For "did you mean". */
const char *hone_closest(const char *given, const char *const *names);

#define HONE_TRY(expr)                                                                             \
    do {                                                                                           \
        hone_status hone_try_ = (expr);                                                            \
        if (hone_try_ < 0)                                                                         \
            return hone_try_;                                                                      \
    } while (0)
/* The same with a label: needs `hone_status s` in scope. */
#define HONE_TRY_GOTO(expr, label)                                                                 \
    do {                                                                                           \
        s = (expr);                                                                                \
        if (s < 0)                                                                                 \
            goto label;                                                                            \
    } while (0)
#endif
