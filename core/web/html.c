/* html.c - escaping and numbers (see html.h). */
#include "web/html.h"

#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void hone__web_text(hone_buf *out, hone_str s)
{
    hone_buf clean;
    hone_buf_init(&clean, HONE_BUF_MAX_DEFAULT);
    if (!hone_utf8_valid(s)) {
        if (hone_utf8_clean(s, &clean) < 0)
            out->failed = HONE_E_NOMEM;
        s = hone_buf_str(&clean);
    }
    size_t plain = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        const char *to = c == '&'                                            ? "&amp;"
                         : c == '<'                                          ? "&lt;"
                         : c == '>'                                          ? "&gt;"
                         : c == '"'                                          ? "&quot;"
                         : c == '\''                                         ? "&#39;"
                         : (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? "\xEF\xBF\xBD"
                                                                             : NULL;
        if (!to)
            continue;
        hone_buf_add(out, s.ptr + plain, i - plain);
        hone_buf_adds(out, to);
        plain = i + 1;
    }
    hone_buf_add(out, s.ptr + plain, s.len - plain);
    hone_buf_release(&clean);
}

void hone__web_textz(hone_buf *out, const char *z)
{
    hone__web_text(out, hone_str_c(z));
}

void hone__web_json(hone_buf *out, hone_str json)
{
    size_t plain = 0;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.ptr[i];
        if (c != '<' && c != '>' && c != '&')
            continue;
        hone_buf_add(out, json.ptr + plain, i - plain);
        hone_buf_addf(out, "\\u%04x", (unsigned)c);
        plain = i + 1;
    }
    hone_buf_add(out, json.ptr + plain, json.len - plain);
}

void hone__web_number(double v, char out[32])
{
    double a = fabs(v);
    char digits[32];
    if (!isfinite(v)) {
        snprintf(out, 32, "-");
    } else if (a >= 10000 && a < 1e12) {
        size_t n = (size_t)snprintf(digits, sizeof digits, "%.0f", a), k = 0;
        if (v < 0)
            out[k++] = '-';
        for (size_t i = 0; i < n; i++) {
            if (i && (n - i) % 3 == 0)
                out[k++] = ',';
            out[k++] = digits[i];
        }
        out[k] = '\0';
    } else {
        snprintf(out, 32, "%.4g", v == 0 ? 0 : v); /* no "-0" */
    }
}

void hone__web_duration(double s, char out[32])
{
    if (!isfinite(s) || s < 0)
        snprintf(out, 32, "-");
    else if (s < 60)
        snprintf(out, 32, "%.1f s", s);
    else if (s < 3600)
        snprintf(out, 32, "%d min %d s", (int)(s / 60), (int)s % 60);
    else
        snprintf(out, 32, "%.0f h %d min", floor(s / 3600), (int)fmod(s / 60, 60));
}
