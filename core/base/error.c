/* error.c - see error.h.
 *
 * One record a thread, in thread-local storage: setting an error never allocates, so "out of memory"
 * can always be said. Texts longer than their field are cut at a character's border. The arguments
 * of every setter may point into the record itself (a caller often quotes the message it got), so a
 * text is formatted beside the record and copied in. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local hone_error current;
static _Thread_local uint64_t serial;

/* Copies text into a field of `room` bytes; cuts whole UTF-8 characters. */
static void put(char *field, size_t room, const char *text)
{
    size_t n = strlen(text);
    if (n >= room) {
        n = room - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    memmove(field, text, n);
    field[n] = 0;
}

static void vput(char *field, size_t room, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
static void vput(char *field, size_t room, const char *fmt, va_list args)
{
    char text[2048];
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        put(text, sizeof text, fmt);
    put(field, room, text);
}

hone_status hone_fail(hone_status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vput(current.what, sizeof current.what, fmt, args);
    va_end(args);
    current.code = code < 0 ? code : HONE_E_FAIL;
    serial++;
    current.detail[0] = 0;
    current.hint[0] = 0;
    return current.code;
}

hone_status hone_fail_detail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vput(current.detail, sizeof current.detail, fmt, args);
    va_end(args);
    return current.code;
}

hone_status hone_fail_hint(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vput(current.hint, sizeof current.hint, fmt, args);
    va_end(args);
    return current.code;
}

hone_status hone_fail_at(const char *fmt, ...)
{
    char place[sizeof current.what], text[2 * sizeof current.what + 8];
    va_list args;
    va_start(args, fmt);
    vput(place, sizeof place, fmt, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", place, current.what);
    put(current.what, sizeof current.what, text);
    return current.code;
}

hone_status hone_fail_errno(const char *fmt, ...)
{
    int e = errno;
    char place[sizeof current.what], reason[128];
    va_list args;
    va_start(args, fmt);
    vput(place, sizeof place, fmt, args);
    va_end(args);
    hone_status code = HONE_E_IO;
    if (e == ENOSPC || e == EDQUOT)
        code = HONE_E_NO_SPACE;
    else if (e == ENOENT)
        code = HONE_E_NOT_FOUND;
    else if (e == ENOMEM)
        code = HONE_E_NOMEM;
    const char *text = strerror_r(e, reason,
                                  sizeof reason); /* GNU: never translated without setlocale */
    hone_fail(code, "%s: %s", place, text);
    if (code == HONE_E_NO_SPACE)
        hone_fail_hint("free some space on that disk and try again");
    errno = e;
    return code;
}

const hone_error *hone_error_get(void)
{
    return &current;
}

hone_status hone_error_set(const hone_error *e)
{
    if (e != &current)
        current = *e;
    serial++;
    return current.code;
}

uint64_t hone_error_serial(void)
{
    return serial;
}

void hone_error_clear(void)
{
    memset(&current, 0, sizeof current);
}

const char *hone_status_name(hone_status s)
{
    switch (s) {
#define HONE_X(name, value, text)                                                                  \
    case value:                                                                                    \
        return #name;
        HONE_STATUS_LIST(HONE_X)
#undef HONE_X
    default:
        return "E_?";
    }
}

const char *hone_status_text(hone_status s)
{
    switch (s) {
#define HONE_X(name, value, text)                                                                  \
    case value:                                                                                    \
        return text;
        HONE_STATUS_LIST(HONE_X)
#undef HONE_X
    default:
        return "unknown status";
    }
}

enum { CLOSEST_MAX = 64 };

/* Damerau's distance with neighbours swapped as one edit (optimal string alignment); case and the
 * choice of '-' or '_' are half an edit, so distances are in halves. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][CLOSEST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++)
        last[j] = 2 * j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = 2 * i;
        for (size_t j = 1; j <= m; j++) {
            char x = a[i - 1], y = b[j - 1];
            char lx = (char)(x >= 'A' && x <= 'Z' ? x + 32 : x);
            char ly = (char)(y >= 'A' && y <= 'Z' ? y + 32 : y);
            int alike = lx == ly || ((x == '-' || x == '_') && (y == '-' || y == '_'));
            size_t cost = last[j - 1] + (x == y ? 0u : alike ? 1u : 2u);
            if (last[j] + 2 < cost)
                cost = last[j] + 2;
            if (now[j - 1] + 2 < cost)
                cost = now[j - 1] + 2;
            if (i > 1 && j > 1 && x == b[j - 2] && a[i - 2] == y && before[j - 2] + 2 < cost)
                cost = before[j - 2] + 2;
            now[j] = cost;
        }
        size_t *t = before;
        before = last;
        last = now;
        now = t;
    }
    return last[m];
}

const char *hone_closest(const char *given, const char *const *names)
{
    size_t n = given ? strlen(given) : 0, best = 0;
    const char *closest = NULL;
    if (n == 0 || n > CLOSEST_MAX || !names)
        return NULL;
    for (; *names; names++) {
        size_t m = strlen(*names);
        if (m == 0 || m > CLOSEST_MAX)
            continue;
        size_t longer = n > m ? n : m, shorter = n > m ? m : n;
        size_t d = edit_distance(given, n, *names, m);
        /* Close: at most a third of it is wrong, or one begins the other ("math" for "math_answer"). */
        int prefix = shorter >= 3 && strncmp(given, *names, shorter) == 0;
        if (d > 2 * ((longer + 2) / 3) && !prefix)
            continue;
        if (d >= 2 * longer)
            continue;
        if (!closest || d < best) {
            closest = *names;
            best = d;
        }
    }
    return closest;
}
