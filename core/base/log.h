/* log.h - one log of the process: to stderr and, once a run is open, to its log.txt. Thread-safe.
 * The library never prints elsewhere. Lines: "warn: text (who)". HONE_LOG=debug|info|warn|error. */
#ifndef HONE_CORE_BASE_LOG_H
#define HONE_CORE_BASE_LOG_H
#include "base/error.h"
enum {
    HONE_LOG_DEBUG,
    HONE_LOG_INFO,
    HONE_LOG_WARN,
    HONE_LOG_ERROR,
    HONE_LOG_PLUGIN_MISBEHAVING,
    HONE_LOG_HOST_MISBEHAVING
};
typedef void (*hone_log_fn)(void *ctx, uint32_t level, const char *who, const char *text,
                            size_t len);
void hone_log(uint32_t level, const char *who, const char *fmt, ...)
    HONE_PRINTF(3, 4);                         /* who may be NULL */
void hone_log_sink(hone_log_fn fn, void *ctx); /* NULL = stderr; [control-thread] */
uint32_t hone_log_level(uint32_t level);       /* the one before */
uint64_t hone_log_count(uint32_t level);       /* lines so far, for tests and reports */
#endif
