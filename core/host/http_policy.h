/* http_policy.h - when a request may be sent, and when it is sent again: the arithmetic of hone.http/1.
 *
 * Pure: times come in, times go out, nothing looks at a clock. Times are nanoseconds of one clock, any one that does not
 * run backwards. The random part of a pause is a function of (seed, request, try). */
#ifndef HONE_CORE_HOST_HTTP_POLICY_H
#define HONE_CORE_HOST_HTTP_POLICY_H
#include "hone/http.h"

#define HONE__HTTP_NEVER UINT64_MAX
#define HONE__HTTP_MS UINT64_C(1000000)

/* The caller's policy brought to the host's size, with the defaults of http.h in place of zeros, and numbers that make no
 * sense (NaN, less than 0) as if they were not given. NULL: all defaults. */
hone_http_policy hone__http_policy_of(const hone_http_policy *given);

/* Is a response of this code worth asking again? Time-outs, too many requests, servers that fail. */
int hone__http_passes(uint32_t code);
/* Does it say that the server itself is down? Too many requests do not. */
int hone__http_broken(uint32_t code);

/* Retry-After: seconds, or one of the three dates of HTTP, as milliseconds from the `date` header of the same response on
 * (empty: from `now_s`, seconds since 1970). Dates of the past give 0. 1: read; 0: it is neither. Source: RFC 9110,
 * 10.2.3 and 5.6.7. */
int hone__http_retry_after(hone_str value, hone_str date, int64_t now_s, uint64_t *ms);
/* Seconds since 1970; 0: it is no date. */
int hone__http_date(hone_str text, int64_t now_s, int64_t *out);

/* The pause before try number `tries` + 1 (tries >= 1), in milliseconds: between half of min(max, base 2^(tries - 1)) and all
 * of it. */
uint64_t hone__http_backoff_ms(const hone_http_policy *p, uint64_t request, uint32_t tries);

/* A bucket that gains `rate` tokens a second and holds `burst`; full at the beginning. rate 0: no limit. */
typedef struct hone__http_bucket {
    double tokens;
    uint64_t at;
    int begun;
} hone__http_bucket;
/* Nanoseconds until a token is there; 0: take it with hone__http_bucket_take. */
uint64_t hone__http_bucket_wait(hone__http_bucket *b, const hone_http_policy *p, uint64_t now);
void hone__http_bucket_take(hone__http_bucket *b);

/* Closed until break_after failures in a row; open for break_ms; then one try decides: closed, or open for twice as long. */
typedef struct hone__http_breaker {
    uint32_t failed, opened; /* in a row */
    uint64_t until;          /* open up to then; 0: closed */
    int probing;             /* the try that decides is under way */
} hone__http_breaker;
enum { HONE__HTTP_OPENINGS = 4 }; /* opened so often in a row: what waits is given up */
/* Nanoseconds until a try may be made; HONE__HTTP_NEVER: when the one that decides has ended. */
uint64_t hone__http_breaker_wait(const hone__http_breaker *b, uint64_t now);
/* Is there no point in waiting? */
int hone__http_breaker_gave_up(const hone__http_breaker *b, uint64_t now);
/* A try begins (1: it is the one that decides); one ended. 1: the circuit opened by it. */
int hone__http_breaker_begin(hone__http_breaker *b);
int hone__http_breaker_end(hone__http_breaker *b, const hone_http_policy *p, int probe, int failed,
                           uint64_t now);
/* The try that decides was never made. */
void hone__http_breaker_undo(hone__http_breaker *b, int probe);
#endif
