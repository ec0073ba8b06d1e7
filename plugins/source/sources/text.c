/* text.c - plain text as rows {"text": ..., "path": ...}: a file, its paragraphs, or its lines.
 *
 * A paragraph ends at an empty line (or one of blanks only). White space around a row's text is kept for
 * whole files and dropped for paragraphs; what holds nothing else is no row. */
#include "rows.h"

#include <errno.h>
#include <string.h>

static int blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where the paragraph at p ends and the next one begins; 0: not before n. */
static size_t paragraph_end(const char *p, size_t n, size_t *next)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n')
            continue;
        size_t k = i + 1;
        while (k < n && (p[k] == ' ' || p[k] == '\t' || p[k] == '\r'))
            k++;
        if (k < n && p[k] == '\n') {
            *next = k + 1;
            return i ? i : 1;
        }
    }
    return 0;
}

int rows_find_text(rows *r, size_t *n, size_t *take)
{
    int e = rows_pass_mark(r);
    if (e)
        return e;
    if (r->opt->split_text == SPLIT_LINE)
        return rows_find_line(r, n, take);
    for (;;) {
        size_t have = r->end - r->begin, next = 0, end = 0, lead = 0;
        const char *p = r->window + r->begin;
        while (lead < have && blank(p[lead]))
            lead++;
        if (r->opt->split_text == SPLIT_PARAGRAPH) {
            if (lead > 0) { /* blank lines before it */
                rows_consume(r, lead);
                continue;
            }
            /* looked at once only: from three bytes before where it was looked at last */
            size_t from = r->scanned > 3 ? r->scanned - 3 : 0;
            end = paragraph_end(p + from, have - from, &next);
            end += end ? from : 0;
            next += from;
        }
        if (!end && !r->at_end) {
            r->scanned = have;
            if (have > r->opt->max_row)
                return rows_fail(r, EFBIG, "a text is longer than max_row_bytes");
            e = rows_fill(r);
            if (e)
                return e;
            continue;
        }
        *n = end ? end : have;
        *take = end ? next : have;
        if (lead == have) {
            *n = 0;
            rows_consume(r, have);
            return 0;
        }
        if (*n > r->opt->max_row)
            return rows_fail(r, EFBIG, "a text is longer than max_row_bytes");
        return 0;
    }
}

int rows_make_text(rows *r, size_t n, const char **why, size_t *at)
{
    const char *p = r->window + r->begin;
    size_t bad = 0;
    if (r->opt->split_text != SPLIT_FILE)
        while (n > 0 && blank(p[n - 1]))
            n--;
    int e = text_add(&r->mem, &r->json, "{\"text\":", 8);
    if (!e)
        e = text_add_json(&r->mem, &r->json, p, n, at);
    if (!e)
        e = text_add(&r->mem, &r->json, ",\"path\":", 8);
    if (!e && (e = text_add_json(&r->mem, &r->json, r->shown, strlen(r->shown), &bad)) == EILSEQ) {
        r->json.n--; /* a file's name that is no UTF-8: none */
        e = text_add(&r->mem, &r->json, "null", 4);
    }
    if (e == EILSEQ) {
        *why = p[*at] ? "the text is not UTF-8" : "the text holds a NUL byte";
        return 0;
    }
    return e ? e : text_add(&r->mem, &r->json, "}", 1);
}
