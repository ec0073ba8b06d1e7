/* term.c - see term.h. Source: tty_ioctl(4). */
#include "cli/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL = 80, NARROWEST = 40, WIDEST = 1000 };

size_t hone_term_width(void)
{
    struct winsize w;
    const char *columns = getenv("COLUMNS");
    long n = columns ? strtol(columns, NULL, 10) : 0;
    if (!isatty(STDOUT_FILENO))
        return 0;
    if (n <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0)
        n = w.ws_col;
    if (n <= 0)
        n = USUAL;
    return n < NARROWEST ? NARROWEST : n > WIDEST ? WIDEST : (size_t)n;
}

/* Columns of the first n bytes. */
static size_t columns_of(const char *text, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)text[i] & 0xC0) != 0x80;
    return columns;
}

void hone_term_wrap(const char *text, size_t at, size_t indent, size_t width)
{
    int fresh = 1; /* nothing on this line yet */
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " "), wide = columns_of(p, n);
        if (!fresh && width && at + 1 + wide > width) {
            printf("\n%*s", (int)indent, "");
            at = indent;
            fresh = 1;
        }
        printf("%s%.*s", fresh ? "" : " ", (int)n, p);
        at += wide + !fresh;
        fresh = 0;
        p += n;
        p += *p == ' ';
    }
    printf("\n");
}

void hone_term_cut(const char *text, size_t room)
{
    size_t n = strlen(text);
    if (room < 4 || columns_of(text, n) <= room) {
        printf("%s", text);
        return;
    }
    while (n && columns_of(text, n) > room - 3)
        n--;
    while (n && text[n - 1] == ' ')
        n--;
    printf("%.*s...", (int)n, text);
}
