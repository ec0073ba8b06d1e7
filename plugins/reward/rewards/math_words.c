/* math_words.c - words that mean mathematics: "all real numbers", "no solution", "million".
 *
 * An answer that is nothing but such words is the set or the infinity that it names; a word of size behind a number
 * multiplies it. Any other word is itself: what it means is not known. */
#include "math_words.h"

#include "math_tree.h"

size_t math_plain_words(hone_str s, char *out, size_t *longest)
{
    size_t n = 0, run = 0;
    *longest = 0;
    for (size_t i = 0; i < s.len;) {
        const char c = s.ptr[i++];
        if (is_letter(c)) {
            if (n == 64)
                return 0;
            out[n++] = lower(c);
            run++;
            *longest = run > *longest ? run : *longest;
            continue;
        }
        if (c == '-' && run < 2) /* x-y is no word */
            return 0;
        run = 0;
        if (c == '\\') {
            size_t end = i;
            while (end < s.len && is_letter(s.ptr[end]))
                end++;
            const hone_str command = part(s, i, end);
            if (!(starts_with(command, "text") || starts_with(command, "math") ||
                  same(command, "mbox") || same(command, "boxed") ||
                  (end == i && end < s.len && strchr("()[] ,", s.ptr[end]))))
                return 0;
            i = end > i ? end : i + 1;
        } else if (!is_space(c) && !strchr("{}$.*'\"-", c)) {
            return 0;
        }
    }
    return n;
}

int math_phrase(hone_str text)
{
    static const struct {
        const char *letters;
        int phrase;
    } known[] = {{"allrealnumbers", PHRASE_REALS},
                 {"allreals", PHRASE_REALS},
                 {"anyrealnumber", PHRASE_REALS},
                 {"allrealnumber", PHRASE_REALS},
                 {"realnumbers", PHRASE_REALS},
                 {"therealnumbers", PHRASE_REALS},
                 {"thesetofallrealnumbers", PHRASE_REALS},
                 {"setofallrealnumbers", PHRASE_REALS},
                 {"xisanyrealnumber", PHRASE_REALS},
                 {"nosolution", PHRASE_EMPTY},
                 {"nosolutions", PHRASE_EMPTY},
                 {"thereisnosolution", PHRASE_EMPTY},
                 {"therearenosolutions", PHRASE_EMPTY},
                 {"emptyset", PHRASE_EMPTY},
                 {"theemptyset", PHRASE_EMPTY},
                 {"infinity", PHRASE_INFINITY},
                 {"positiveinfinity", PHRASE_INFINITY},
                 {"plusinfinity", PHRASE_INFINITY},
                 {"negativeinfinity", PHRASE_MINUS_INFINITY},
                 {"minusinfinity", PHRASE_MINUS_INFINITY}};
    char letters[64];
    size_t longest;
    if (text.len > 120)
        return PHRASE_NONE;
    /* the letters of \textbf and its like are not among them, those of a word are */
    const size_t n = math_plain_words(text, letters, &longest);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (n == strlen(known[k].letters) && memcmp(letters, known[k].letters, n) == 0)
            return known[k].phrase;
    return PHRASE_NONE;
}

double math_scale_word(hone_str word)
{
    static const struct {
        const char *word;
        double scale;
    } known[] = {{"hundred", 1e2},   {"thousand", 1e3}, {"million", 1e6},  {"billion", 1e9},
                 {"trillion", 1e12}, {"millions", 1e6}, {"billions", 1e9}, {"quadrillion", 1e15}};
    size_t n = 0;
    while (n < word.len && is_letter(word.ptr[n]))
        n++;
    if (n < word.len && !is_space(word.ptr[n]))
        return 0;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (n == strlen(known[k].word) && memcmp(word.ptr, known[k].word, n) == 0)
            return known[k].scale;
    return 0;
}
