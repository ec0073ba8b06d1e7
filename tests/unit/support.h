/* support.h - what every unit test includes: cmocka, and where test data and scratch folders are. */
#ifndef HONE_TESTS_SUPPORT_H
#define HONE_TESTS_SUPPORT_H

/* cmocka wants these four before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* the SDK's function tables have members of that name; use fail_msg() */
#undef fail_msg
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        _fail(__FILE__, __LINE__);                                                                 \
    } while (0)

#include "base/alloc.h"
#include "base/error.h"
#include "base/paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of the material beside the project ($HONE_SHARED, default ../shared from the source root).
 * NULL when it is absent: `if (!path) skip_without("goldens/x.json");`. Static storage, one per call
 * site at a time. */
static inline const char *shared_path(const char *relative)
{
    static char path[2][PATH_MAX];
    static int turn;
    const char *shared = getenv("HONE_SHARED"), *root = hone_paths_source_root();
    char *out = path[turn ^= 1];
    if (shared && *shared)
        snprintf(out, PATH_MAX, "%s/%s", shared, relative);
    else
        snprintf(out, PATH_MAX, "%s/../shared/%s", root ? root : ".", relative);
    return access(out, R_OK) == 0 ? out : NULL;
}
#define skip_without(what)                                                                         \
    do {                                                                                           \
        fprintf(stderr, "skipped: %s is not there (see HONE_SHARED)\n", what);                     \
        skip();                                                                                    \
    } while (0)

/* A file of the source tree. */
static inline const char *source_path(const char *relative)
{
    static char path[2][PATH_MAX];
    static int turn;
    const char *root = hone_paths_source_root();
    char *out = path[turn ^= 1];
    snprintf(out, PATH_MAX, "%s/%s", root ? root : ".", relative);
    return out;
}

/* A fresh scratch folder of this process, removed at exit. */
static char support_dir[128];
static inline void support_remove(void)
{
    char command[192];
    snprintf(command, sizeof command, "rm -rf '%s'", support_dir);
    if (support_dir[0] && system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", support_dir);
}
static inline const char *scratch_dir(void)
{
    if (!support_dir[0]) {
        const char *tmp = getenv("TMPDIR");
        snprintf(support_dir, sizeof support_dir, "%s/hone-test-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(support_dir));
        atexit(support_remove);
    }
    return support_dir;
}
static inline const char *scratch_path(const char *name)
{
    static char path[128][256]; /* so many stay valid */
    static int turn;
    char *out = path[turn = (turn + 1) & 127];
    snprintf(out, sizeof path[0], "%s/%s", scratch_dir(), name);
    return out;
}

/* Succeeded; prints the error when not. */
#define assert_ok(expr)                                                                            \
    do {                                                                                           \
        hone_status ok_ = (expr);                                                                  \
        if (ok_ < 0)                                                                               \
            fprintf(stderr, "%s: %s [%s; %s]\n", hone_status_name(ok_), hone_error_get()->what,    \
                    hone_error_get()->detail, hone_error_get()->hint);                             \
        assert_true(ok_ >= 0);                                                                     \
    } while (0)
/* Failed with this code, and the message holds this text. */
#define assert_fails(expr, code_, text)                                                            \
    do {                                                                                           \
        hone_error_clear();                                                                        \
        hone_status fails_ = (expr);                                                               \
        if (fails_ != (code_) || !strstr(hone_error_get()->what, text))                            \
            fprintf(stderr, "got %s \"%s\", wanted %s with \"%s\"\n", hone_status_name(fails_),    \
                    hone_error_get()->what, hone_status_name(code_), text);                        \
        assert_int_equal(fails_, code_);                                                           \
        assert_int_equal(hone_error_get()->code, code_);                                           \
        assert_non_null(strstr(hone_error_get()->what, text));                                     \
    } while (0)

/* Torture: runs `body` (a hone_status expression) with the 1st, 2nd, ... allocation failing until it
 * succeeds; each failure must be E_NOMEM and leave no block behind. */
#define assert_survives_no_memory(body)                                                            \
    do {                                                                                           \
        for (uint64_t nth_ = 1;; nth_++) {                                                         \
            size_t before_, after_;                                                                \
            hone_alloc_stats(&before_, NULL);                                                      \
            hone_alloc_fail_after(nth_, 0);                                                        \
            hone_status torture_ = (body);                                                         \
            hone_alloc_fail_after(0, 0);                                                           \
            hone_alloc_stats(&after_, NULL);                                                       \
            assert_int_equal(before_, after_);                                                     \
            if (torture_ >= 0)                                                                     \
                break;                                                                             \
            assert_int_equal(torture_, HONE_E_NOMEM);                                              \
            assert_true(nth_ < 1000000);                                                           \
        }                                                                                          \
    } while (0)
#endif
