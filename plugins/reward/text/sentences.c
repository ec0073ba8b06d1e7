/* sentences.c - sentences and words of English, as IFEval's checks count them.
 *
 * Sentences follow the Punkt algorithm (Kiss & Strunk 2006, "Unsupervised Multilingual Sentence Boundary Detection") as NLTK
 * has it: a mark . ? ! may end one where white space or a punctuation mark follows; a word with a period may be an
 * abbreviation, an ellipsis, an initial or a number, and then what follows decides. What its model learned from newspapers
 * is replaced by lists written for this: abbreviations, and words that begin sentences in capitals though they are written
 * small elsewhere. So a count may differ by one where an abbreviation is in one list and not in the other.
 *
 * Words are runs of letters, numbers and _. Capital words are those of the Penn Treebank's tokens: punctuation and
 * contractions apart, hyphens not. */
#include "ifeval.h"

static const char abbreviations[] =
    "mr mrs ms messrs dr prof st jr sr gen col lt adm sgt capt rep sen gov maj hon rev pres supt "
    "inc corp co ltd bros cie vs ft ave yr mo ok no "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun "
    "ala ariz ark calif colo conn del fla ga ill ind kan ky la mass md mich minn miss mont nev "
    "okla ore pa "
    "tenn tex va vt wash wis wyo "
    "a.m p.m u.s u.k u.n u.s.s.r d.c l.a n.y n.j n.c n.d n.h n.m s.c s.d r.i w.va ph.d b.c a.d j.p "
    "j.r "
    "j.b t.j r.j d.w h.m m.b e.l e.h c.v f.g ";

/* Words that are written small within sentences: in capitals behind an abbreviation they begin one. */
static const char starters[] = "the a an this that these those it he she they we you i there here "
                               "his her its their our your my in on at by for "
                               "from with as if when while although though because since after "
                               "before during however but and or so yet "
                               "then also thus therefore moreover furthermore meanwhile "
                               "nevertheless nonetheless instead overall finally "
                               "first second third next now most some many all each every both "
                               "several few such one two three another no not "
                               "what who where why how which to of is are was were be do does did "
                               "can could will would should may might let "
                               "despite under through among similarly separately still once until "
                               "unless even just only perhaps maybe please ";

static int one_of(const char *list, view word)
{
    for (const char *p = list; *p;) {
        size_t k = 0;
        const char *end = strchr(p, ' ');
        while (k < word.n && p + k < end && text_lower(word.c[k]) == (unsigned char)p[k])
            k++;
        if (k == word.n && p + k == end)
            return 1;
        p = end + 1;
    }
    return 0;
}

int char_is_upper(uint32_t c)
{
    return c < 0x80 ? c >= 'A' && c <= 'Z' : text_class(c, 'L') && text_lower(c) != c;
}

int char_is_lower(uint32_t c)
{
    return c < 0x80 ? c >= 'a' && c <= 'z' : text_class(c, 'L') && text_upper(c) != c;
}

int char_is_word(uint32_t c)
{
    return c < 0x80 ? c == '_' || is_letter((char)c) || is_digit((char)c)
                    : text_class(c, 'L') || text_class(c, 'N');
}

int view_is_upper(view v)
{
    int any = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (char_is_lower(v.c[i]))
            return 0;
        any |= char_is_upper(v.c[i]);
    }
    return any;
}

int view_is_lower(view v)
{
    int any = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (char_is_upper(v.c[i]))
            return 0;
        any |= char_is_lower(v.c[i]);
    }
    return any;
}

view view_trim(view v)
{
    while (v.n && text_is_space(v.c[0]))
        v = cut(v, 1, v.n);
    while (v.n && text_is_space(v.c[v.n - 1]))
        v.n--;
    return v;
}

size_t view_find(view v, const char *ascii, size_t from)
{
    const size_t n = strlen(ascii);
    for (size_t i = from; v.n >= n && i <= v.n - n; i++) {
        size_t k = 0;
        while (k < n && v.c[i + k] == (unsigned char)ascii[k])
            k++;
        if (k == n)
            return i;
    }
    return SIZE_MAX;
}

/* ---- sentences --------------------------------------------------------------------------------------- */

static int is_end(uint32_t c)
{
    return c == '.' || c == '?' || c == '!';
}

static int is_mark(uint32_t c) /* what is no part of a word */
{
    return c < 0x80 && c && strchr("?!)\";}]*:@'({[", (int)c) != NULL;
}

/* Length of a mark of several characters at v[i]: dashes, dots, dots with spaces between. */
static size_t long_mark(view v, size_t i)
{
    size_t n = 0;
    if (v.c[i] != '-' && v.c[i] != '.')
        return 0;
    while (i + n < v.n && v.c[i + n] == v.c[i])
        n++;
    if (n >= 2)
        return n;
    for (n = 0;
         v.c[i] == '.' && i + n + 1 < v.n && v.c[i + n] == '.' && text_is_space(v.c[i + n + 1]);)
        n += 2;
    return n >= 4 && i + n < v.n && v.c[i + n] == '.' ? n + 1 : 0;
}

/* The token at i, which is no white space: its length. */
static size_t token_at(view v, size_t i)
{
    size_t n = long_mark(v, i);
    if (n)
        return n;
    if (v.c[i] < 0x80 && strchr("(\"`{[:;&#*@)}]-,", (int)v.c[i]))
        return 1;
    for (n = 1; i + n < v.n; n++) {
        const size_t k = i + n;
        if (text_is_space(v.c[k]) || is_mark(v.c[k]) || long_mark(v, k))
            break;
        if (v.c[k] == ',' && (k + 1 == v.n || text_is_space(v.c[k + 1]) || is_mark(v.c[k + 1]) ||
                              long_mark(v, k + 1)))
            break;
    }
    return n;
}

static int is_number(view t)
{
    size_t i = 0, digits = 0;
    i += i < t.n && t.c[i] == '-';
    i += i < t.n && (t.c[i] == '.' || t.c[i] == ',');
    if (i >= t.n || t.c[i] < '0' || t.c[i] > '9')
        return 0;
    for (; i < t.n; i++, digits++)
        if (!(t.c[i] >= '0' && t.c[i] <= '9') && t.c[i] != ',' && t.c[i] != '.' && t.c[i] != '-')
            return 0;
    return digits > 0;
}

static view without_period(view t)
{
    return t.n > 1 && t.c[t.n - 1] == '.' ? cut(t, 0, t.n - 1) : t;
}

/* Is there an end of a sentence between token t and the one behind it? */
static int ends_sentence(view t, view behind)
{
    const int period = t.c[t.n - 1] == '.';
    const int dots = t.n >= 2 && period && t.c[0] == '.' && t.c[1] == '.';
    const int initial = t.n == 2 && period && text_class(t.c[0], 'L');
    const view word = without_period(t);
    size_t tail = word.n;
    int ends = 0, abbreviation = 0;
    if (t.n == 1 && is_end(t.c[0]))
        return 1;
    if (!period)
        return 0;
    if (!dots && !(t.n >= 2 && t.c[t.n - 2] == '.')) {
        while (tail > 0 &&
               word.c[tail - 1] != '-') /* what follows its last hyphen counts as well */
            tail--;
        abbreviation = one_of(abbreviations, word) ||
                       one_of(abbreviations, cut(word, tail, word.n));
        ends = !abbreviation;
    }
    /* what the next word says: a capital that is small elsewhere begins a sentence, a small letter does not */
    const int capital = char_is_upper(behind.c[0]);
    const int begins = capital && one_of(starters, without_period(behind));
    const int goes_on = char_is_lower(behind.c[0]) ||
                        (behind.n == 1 && behind.c[0] < 0x80 && strchr(";:,.!?", (int)behind.c[0]));
    if ((abbreviation || dots) && !initial && begins)
        return 1;
    if ((initial || is_number(word)) && goes_on)
        return 0;
    if (initial && capital && !begins)
        return 0;
    return ends;
}

/* Is one of the ends inside of this context an end of a sentence? It is the word with the mark, and what is behind it. */
static int breaks(view word, view behind)
{
    int found = 0;
    view last = {NULL, 0};
    for (int k = 0; k < 2; k++) {
        const view v = k ? behind : word;
        for (size_t i = 0; i < v.n;) {
            if (text_is_space(v.c[i])) {
                i++;
                continue;
            }
            const size_t n = token_at(v, i);
            const view t = cut(v, i, i + n);
            if (last.n && ends_sentence(last, t))
                found = 1;
            last = t;
            i += n;
        }
    }
    return found;
}

/* Closing marks at the begin of what follows a break belong to what is before it: their length and the white space's. */
static size_t realigned(view v)
{
    size_t n = 0, k;
    while (n < v.n && v.c[n] < 0x80 && v.c[n] && strchr("\"')]}", (int)v.c[n]))
        n++;
    if (!n)
        return 0;
    for (k = n; k < v.n && text_is_space(v.c[k]); k++)
        ;
    if (k > n || n == v.n || v.c[n] == '\n')
        return k;
    return n + 1 < v.n && v.c[n] == '-' && v.c[n + 1] == '-' ? n : 0;
}

size_t count_sentences(view v)
{
    size_t count = 0, begin = 0, skip = 0;
    while (v.n && text_is_space(v.c[v.n - 1]))
        v.n--;
    for (size_t i = 0; i < v.n;) {
        size_t from = i, end, mark = SIZE_MAX, next;
        while (from < v.n && text_is_space(v.c[from]))
            from++;
        for (end = from; end < v.n && !text_is_space(v.c[end]); end++)
            ;
        for (next = end; next < v.n && text_is_space(v.c[next]); next++)
            ;
        for (size_t k = end; k-- > from;) /* the last mark with something behind it */
            if (is_end(v.c[k]) && (k + 1 < end ? is_mark(v.c[k + 1]) : next < v.n)) {
                mark = k;
                break;
            }
        i = next;
        if (mark == SIZE_MAX)
            continue;
        size_t stop = next;
        while (stop < v.n && !text_is_space(v.c[stop]))
            stop++;
        const int inside = mark + 1 < end;
        if (!breaks(cut(v, from, mark + 1),
                    inside ? cut(v, mark + 1, mark + 2) : cut(v, next, stop)))
            continue;
        /* a sentence from begin to behind the mark, less what the one before it took */
        count += begin + skip < mark + 1;
        begin = inside ? mark + 1 : next;
        skip = realigned(cut(v, begin, v.n));
        if (inside) { /* the rest of this word may have another mark */
            i = mark + 1;
            while (i < end && !is_end(v.c[i]))
                i++;
        }
    }
    return count + (begin + skip < v.n);
}

/* ---- words ------------------------------------------------------------------------------------------- */

size_t count_words(view v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.n; i++)
        n += char_is_word(v.c[i]) && (i == 0 || !char_is_word(v.c[i - 1]));
    return n;
}

/* Does a token end before character i of the word? */
static int parts_before(view w, size_t i)
{
    static const char alone[] = "[](){}<>;@#$%&?!\"`";
    const uint32_t a = w.c[i - 1], b = w.c[i];
    const size_t left = w.n - i;
    if ((a < 0x80 && a && strchr(alone, (int)a)) || (b < 0x80 && b && strchr(alone, (int)b)))
        return 1;
    if (a == 0x201C || a == 0x201D || b == 0x201C || b == 0x201D || b == 0x2019 || a == 0x2018)
        return 1;
    if ((a == ',' || a == ':') && !(b >= '0' && b <= '9'))
        return 1;
    if ((b == ',' || b == ':') && (left == 1 || !(w.c[i + 1] >= '0' && w.c[i + 1] <= '9')))
        return 1;
    if ((a == '-' && b == '-') || (left > 1 && b == '-' && w.c[i + 1] == '-') ||
        (i > 1 && a == '-' && w.c[i - 2] == '-'))
        return 1;
    if ((left > 2 && b == '.' && w.c[i + 1] == '.' && w.c[i + 2] == '.') ||
        (i > 2 && a == '.' && w.c[i - 2] == '.' && w.c[i - 3] == '.'))
        return 1;
    if (b == '\'' &&
        (left == 1 || (left == 2 && strchr("SMDsmd", (int)w.c[i + 1]) && w.c[i + 1] < 0x80) ||
         (left == 3 &&
          (view_find(cut(w, i, w.n), "'LL", 0) == 0 || view_find(cut(w, i, w.n), "'RE", 0) == 0 ||
           view_find(cut(w, i, w.n), "'VE", 0) == 0))))
        return 1;
    return left == 3 && view_find(cut(w, i, w.n), "N'T", 0) == 0;
}

size_t count_capital_words(view v)
{
    size_t count = 0;
    for (size_t i = 0; i < v.n;) {
        size_t end = i, from;
        while (end < v.n && !text_is_space(v.c[end]))
            end++;
        const view w = cut(v, i, end);
        from = 0;
        for (size_t k = 1; k <= w.n; k++)
            if (k == w.n || parts_before(w, k)) {
                count += (size_t)view_is_upper(cut(w, from, k));
                from = k;
            }
        i = end + 1;
    }
    return count;
}
