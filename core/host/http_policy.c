/* http_policy.c - see http_policy.h.
 *
 * Key idea: token bucket, back-off, circuit breaker and Retry-After as functions of times and counts, so that each is
 * tested without waiting. The breaker waits rather than fails while it is open, since a batch of requests that outlives
 * a server's restart is worth more than one that fails at once; it gives up after HONE__HTTP_OPENINGS openings in a row.
 * Source: RFC 9110; Brooker, "Exponential Backoff And Jitter" (2015), equal jitter; Nygard, "Release It!", 5.2. */
#include "host/http_policy.h"

#include "base/rng.h"

#include <string.h>

#define PAUSE_MAX_S UINT64_C(1000000000) /* 30 years: whatever follows */

/* ---- the policy ---------------------------------------------------------------------------------------- */

static void or_else(uint32_t *v, uint32_t dflt)
{
    if (*v == 0)
        *v = dflt;
}

hone_http_policy hone__http_policy_of(const hone_http_policy *given)
{
    hone_http_policy p;
    memset(&p, 0, sizeof p);
    if (given)
        memcpy(&p, given, given->struct_size < sizeof p ? given->struct_size : sizeof p);
    p.struct_size = sizeof p;
    or_else(&p.tries, 5);
    or_else(&p.concurrency, 64);
    or_else(&p.timeout_ms, 60000);
    or_else(&p.connect_ms, 10000);
    or_else(&p.backoff_ms, 500);
    or_else(&p.backoff_max_ms, 30000);
    or_else(&p.retry_after_max_ms, 120000);
    or_else(&p.break_after, 20);
    or_else(&p.break_ms, 5000);
    if (p.max_body == 0)
        p.max_body = 16 << 20;
    if (p.max_sends == 0)
        p.max_sends = UINT64_MAX;
    if (!(p.rate > 0) || p.rate > 1e9)
        p.rate = 0;
    if (!(p.burst >= 1))
        p.burst = p.rate > 1 ? p.rate : 1;
    return p;
}

int hone__http_broken(uint32_t code)
{
    return code == 500 || (code >= 502 && code <= 504) || code == 529;
}

int hone__http_passes(uint32_t code)
{
    return code == 408 || code == 425 || code == 429 || hone__http_broken(code);
}

/* ---- Retry-After --------------------------------------------------------------------------------------- */

static hone_str trimmed(hone_str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* n digits at the front; -1: they are none. */
static int digits(hone_str *s, size_t n)
{
    int v = 0;
    if (s->len < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return -1;
        v = v * 10 + (s->ptr[i] - '0');
    }
    s->ptr += n;
    s->len -= n;
    return v;
}

static int take(hone_str *s, const char *z)
{
    size_t n = strlen(z);
    if (s->len < n || memcmp(s->ptr, z, n) != 0)
        return 0;
    s->ptr += n;
    s->len -= n;
    return 1;
}

/* One of `n` names of three letters: its number, or -1. */
static int name(hone_str *s, const char *names, int n)
{
    for (int i = 0; i < n; i++) {
        if (s->len >= 3 && memcmp(s->ptr, names + 3 * i, 3) == 0) {
            s->ptr += 3;
            s->len -= 3;
            return i;
        }
    }
    return -1;
}

/* Days since 1970-01-01 of the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_of(int y, int m, int d)
{
    y -= m <= 2;
    const int era = y / 400;
    const int yoe = y - era * 400;
    const int doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    const int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return (int64_t)era * 146097 + doe - 719468;
}

static int year_of_seconds(int64_t s)
{
    int y = (int)(1970 + s / 31556952);
    if (days_of(y, 1, 1) * 86400 > s)
        y--;
    else if (days_of(y + 1, 1, 1) * 86400 <= s)
        y++;
    return y;
}

static int take_time(hone_str *s, int *h, int *m, int *sec)
{
    *h = digits(s, 2);
    if (*h < 0 || *h > 23 || !take(s, ":"))
        return 0;
    *m = digits(s, 2);
    if (*m < 0 || *m > 59 || !take(s, ":"))
        return 0;
    *sec = digits(s, 2);
    return *sec >= 0 && *sec <= 60;
}

int hone__http_date(hone_str text, int64_t now_s, int64_t *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char *const rest_of_day[] = {"day", "sday",  "nesday", "rsday",
                                              "day", "urday", "day"};
    hone_str s = trimmed(text);
    int y, mon, d, h, m, sec;
    const int weekday = name(&s, "MonTueWedThuFriSatSun", 7);
    if (weekday < 0)
        return 0;
    if (take(&s, ", ")) { /* Sun, 06 Nov 1994 08:49:37 GMT */
        d = digits(&s, 2);
        if (!take(&s, " ") || (mon = name(&s, months, 12)) < 0 || !take(&s, " ") ||
            (y = digits(&s, 4)) < 0 || !take(&s, " ") || !take_time(&s, &h, &m, &sec) ||
            !take(&s, " GMT"))
            return 0;
    } else if (take(&s, " ")) { /* Sun Nov  6 08:49:37 1994 */
        if ((mon = name(&s, months, 12)) < 0 || !take(&s, " "))
            return 0;
        d = take(&s, " ") ? digits(&s, 1) : digits(&s, 2);
        if (!take(&s, " ") || !take_time(&s, &h, &m, &sec) || !take(&s, " ") ||
            (y = digits(&s, 4)) < 0)
            return 0;
    } else if (take(&s, rest_of_day[weekday]) && take(&s, ", ")) {
        d = digits(&s, 2); /* Sunday, 06-Nov-94 08:49:37 GMT */
        if (!take(&s, "-") || (mon = name(&s, months, 12)) < 0 || !take(&s, "-") ||
            (y = digits(&s, 2)) < 0 || !take(&s, " ") || !take_time(&s, &h, &m, &sec) ||
            !take(&s, " GMT"))
            return 0;
        const int now_y = year_of_seconds(now_s); /* more than 50 years ahead: the past century */
        y += now_y - now_y % 100;
        if (y > now_y + 50)
            y -= 100;
    } else {
        return 0;
    }
    if (s.len || d < 1 || d > 31 || y < 1900)
        return 0;
    *out = days_of(y, mon + 1, d) * 86400 + h * 3600 + m * 60 + sec;
    return 1;
}

int hone__http_retry_after(hone_str value, hone_str date, int64_t now_s, uint64_t *ms)
{
    hone_str s = trimmed(value);
    int64_t then, from = now_s;
    if (s.len == 0)
        return 0;
    if (s.ptr[0] >= '0' && s.ptr[0] <= '9') {
        uint64_t v = 0;
        for (size_t i = 0; i < s.len; i++) {
            if (s.ptr[i] < '0' || s.ptr[i] > '9')
                return 0;
            v = v * 10 + (uint64_t)(s.ptr[i] - '0');
            if (v > PAUSE_MAX_S)
                v = PAUSE_MAX_S;
        }
        *ms = v * 1000;
        return 1;
    }
    if (!hone__http_date(s, now_s, &then))
        return 0;
    (void)hone__http_date(date, now_s, &from);
    uint64_t s_left = then > from ? (uint64_t)(then - from) : 0;
    *ms = (s_left < PAUSE_MAX_S ? s_left : PAUSE_MAX_S) * 1000;
    return 1;
}

/* ---- pauses -------------------------------------------------------------------------------------------- */

uint64_t hone__http_backoff_ms(const hone_http_policy *p, uint64_t request, uint32_t tries)
{
    const uint32_t purpose = hone_rng_purpose("hone.http/1 back-off");
    const hone_rng_key key = {p->seed, purpose, 0, tries, request};
    uint64_t d = p->backoff_ms;
    for (uint32_t i = 1; i < tries && d < p->backoff_max_ms; i++)
        d *= 2;
    if (d > p->backoff_max_ms)
        d = p->backoff_max_ms;
    return d - hone_rng_below(&key, 0, d / 2 + 1);
}

uint64_t hone__http_bucket_wait(hone__http_bucket *b, const hone_http_policy *p, uint64_t now)
{
    if (p->rate <= 0)
        return 0;
    if (!b->begun) {
        b->begun = 1;
        b->tokens = p->burst;
        b->at = now;
    }
    if (now > b->at) {
        b->tokens += (double)(now - b->at) * 1e-9 * p->rate;
        b->at = now;
    }
    if (b->tokens > p->burst)
        b->tokens = p->burst;
    if (b->tokens >= 1)
        return 0;
    const double ns = (1 - b->tokens) / p->rate * 1e9;
    return ns < 3.6e12 ? (uint64_t)ns + 1 : UINT64_C(3600000000000);
}

void hone__http_bucket_take(hone__http_bucket *b)
{
    b->tokens -= 1;
}

/* ---- the breaker --------------------------------------------------------------------------------------- */

uint64_t hone__http_breaker_wait(const hone__http_breaker *b, uint64_t now)
{
    if (b->until == 0)
        return 0;
    if (now < b->until)
        return b->until - now;
    return b->probing ? HONE__HTTP_NEVER : 0;
}

int hone__http_breaker_gave_up(const hone__http_breaker *b, uint64_t now)
{
    return b->opened >= HONE__HTTP_OPENINGS && now < b->until;
}

int hone__http_breaker_begin(hone__http_breaker *b)
{
    if (b->until == 0)
        return 0;
    b->probing = 1;
    return 1;
}

int hone__http_breaker_end(hone__http_breaker *b, const hone_http_policy *p, int probe, int failed,
                           uint64_t now)
{
    if (probe)
        b->probing = 0;
    if (!failed) {
        memset(b, 0, sizeof *b);
        return 0;
    }
    if (b->until && !probe)
        return 0; /* under way since before it opened: known already */
    b->failed++;
    if (!probe && b->failed < p->break_after)
        return 0;
    b->until = now + ((uint64_t)p->break_ms << (b->opened < 6 ? b->opened : 6)) * HONE__HTTP_MS;
    b->opened++;
    return 1;
}

void hone__http_breaker_undo(hone__http_breaker *b, int probe)
{
    if (probe)
        b->probing = 0;
}
