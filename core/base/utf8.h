/* utf8.h - is it UTF-8, and if not, the nearest text that is. */
#ifndef HONE_CORE_BASE_UTF8_H
#define HONE_CORE_BASE_UTF8_H
#include "base/buf.h"

/* Appends `s` with every maximal ill-formed part replaced by one U+FFFD (Unicode 15, 3.9: U+FFFD
 * substitution of maximal subparts, as WHATWG, Python and Rust do). [any-thread] */
hone_status hone_utf8_clean(hone_str s, hone_buf *out);
int hone_utf8_valid(hone_str s);
/* Length of the character at s[i] (1-4), 0 when ill-formed there, -1 when `s` ends inside it. */
int hone_utf8_step(hone_str s, size_t i, uint32_t *code);
/* A letter of any script (L* of Unicode); 0 for what is no character. */
int hone_utf8_is_letter(uint32_t code);
#endif
