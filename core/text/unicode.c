/* unicode.c - what Python's str methods ask of a character, from utf8proc. 0 of upper and lower: the case is no
 * single character, and the callers refuse it by name, since a wrong case would be a wrong rendering. */
#include "text/jinja_int.h"

#include <utf8proc.h>

int hone__upper(uint32_t c, uint32_t *out)
{
    *out = (uint32_t)utf8proc_toupper((utf8proc_int32_t)c);
    return c != 0xDF && c != 0x149 && c != 0x1F0 && c != 0x390 && c != 0x3B0 && c != 0x587 &&
           !(c >= 0x1E96 && c <= 0x1E9A) &&
           !(c >= 0x1F50 && c <= 0x1FFC && *out == c &&
             utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_LL) &&
           !(c >= 0xFB00 && c <= 0xFB17); /* these become several characters */
}

int hone__lower(uint32_t c, uint32_t *out)
{
    *out = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    return c != 0x130 && c != 0x3A3; /* two characters; depends on its place in the word */
}

int hone__printable(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return c == ' ';
    default:
        return 1;
    }
}

size_t hone__utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}
