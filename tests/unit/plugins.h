/* plugins.h - compiles test plugins (tests/unit/plugins/) with the system's compiler, while the test runs. */
#ifndef HONE_TESTS_PLUGINS_H
#define HONE_TESTS_PLUGINS_H
#include "support.h"

#include "base/log.h"

/* Compiles `source` with `flags` into scratch `dir`/`name`.so; the path is static. */
static inline const char *compile_plugin(const char *source, const char *flags, const char *dir,
                                         const char *name)
{
    static char so[8][300];
    static int turn;
    char command[1500];
    char *out = so[turn = (turn + 1) & 7];
    size_t n = strlen(source);
    int cpp = n > 4 && strcmp(source + n - 4, ".cpp") == 0;
    snprintf(command, sizeof command, "mkdir -p '%s'", scratch_path(dir));
    assert_int_equal(system(command), 0);
    snprintf(out, sizeof so[0], "%s/%s.so", scratch_path(dir), name);
    snprintf(command, sizeof command,
             "%s -O0 -shared -fPIC -fvisibility=hidden -Wall -Wextra %s -I'%s' -o '%s' '%s' -lm",
             cpp ? "c++ -std=c++17" : "cc -std=c11", flags, source_path("sdk/include"), out,
             source_path(source));
    assert_int_equal(system(command), 0);
    return out;
}

/* Lines of one level that the log got; the last one's text. */
static char logged[512];
static inline void keep_log(void *ctx, uint32_t level, const char *who, const char *text,
                            size_t len)
{
    (void)ctx;
    if (level >= HONE_LOG_WARN)
        snprintf(logged, sizeof logged, "%s: %.*s", who ? who : "", (int)len, text);
}
#endif
