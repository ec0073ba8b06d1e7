/* stem.c - Porter's stemmer (Porter 1980, "An algorithm for suffix stripping"), with NLTK's departures.
 *
 * ROUGE's reference program stems with NLTK's PorterStemmer, whose default mode departs from the paper: a list of irregular
 * words, -ies and -ied of short words keep an e (ties: tie, and not ti), a y becomes i behind a consonant only where that is
 * not the first letter, -alli and a few suffixes of step 2 are added, and in step 4 the paper's order is kept. Only words of
 * ASCII letters and digits come here; digits are consonants, as they are there. Does not: any other language. */
#include "text.h"

typedef struct word {
    char *p;
    size_t n;
} word;

static int is_consonant(const char *p, size_t i)
{
    if (strchr("aeiou", p[i]) && p[i])
        return 0;
    if (p[i] == 'y')
        return i == 0 || !is_consonant(p, i - 1);
    return 1;
}

/* The paper's m: how many times a vowel is followed by a consonant. */
static size_t measure(const char *p, size_t n)
{
    size_t m = 0;
    for (size_t i = 1; i < n; i++)
        m += is_consonant(p, i) && !is_consonant(p, i - 1);
    return m;
}

static int has_vowel(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_consonant(p, i))
            return 1;
    return 0;
}

static int ends_double(const char *p, size_t n)
{
    return n >= 2 && p[n - 1] == p[n - 2] && is_consonant(p, n - 1);
}

/* Consonant, vowel, consonant but w x y; or a word of two, vowel and consonant (NLTK's). */
static int ends_cvc(const char *p, size_t n)
{
    if (n >= 3)
        return is_consonant(p, n - 3) && !is_consonant(p, n - 2) && is_consonant(p, n - 1) &&
               !strchr("wxy", p[n - 1]);
    return n == 2 && !is_consonant(p, 0) && is_consonant(p, 1);
}

static int ends(const word *w, const char *suffix)
{
    const size_t k = strlen(suffix);
    return w->n >= k && memcmp(w->p + w->n - k, suffix, k) == 0;
}

/* The suffix replaced; never longer than what it replaces, but for one e. */
static void replace(word *w, const char *suffix, const char *by)
{
    const size_t k = strlen(by);
    w->n -= strlen(suffix);
    memcpy(w->p + w->n, by, k);
    w->n += k;
}

typedef struct rule {
    const char *suffix, *by;
} rule;

/* The first suffix that is there decides; it is replaced where the stem before it has m > least. */
static void apply(word *w, const rule *rules, size_t n, size_t least)
{
    for (size_t i = 0; i < n; i++)
        if (ends(w, rules[i].suffix)) {
            if (measure(w->p, w->n - strlen(rules[i].suffix)) > least)
                replace(w, rules[i].suffix, rules[i].by);
            return;
        }
}

static void step1a(word *w)
{
    if (ends(w, "ies") && w->n == 4)
        replace(w, "ies", "ie");
    else if (ends(w, "sses"))
        replace(w, "sses", "ss");
    else if (ends(w, "ies"))
        replace(w, "ies", "i");
    else if (!ends(w, "ss") && ends(w, "s"))
        w->n--;
}

static void step1b(word *w)
{
    size_t cut = 0;
    if (ends(w, "ied")) {
        replace(w, "ied", w->n == 4 ? "ie" : "i");
        return;
    }
    if (ends(w, "eed")) {
        if (measure(w->p, w->n - 3) > 0)
            w->n--;
        return;
    }
    if (ends(w, "ed") && has_vowel(w->p, w->n - 2))
        cut = 2;
    else if (ends(w, "ing") && has_vowel(w->p, w->n - 3))
        cut = 3;
    if (!cut)
        return;
    w->n -= cut;
    if (ends(w, "at") || ends(w, "bl") || ends(w, "iz"))
        w->p[w->n++] = 'e'; /* there was an e, or an i, here */
    else if (ends_double(w->p, w->n)) {
        if (!strchr("lsz", w->p[w->n - 1]))
            w->n--;
    } else if (measure(w->p, w->n) == 1 && ends_cvc(w->p, w->n))
        w->p[w->n++] = 'e';
}

static void step2(word *w)
{
    static const rule rules[] = {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},
                                 {"anci", "ance"},   {"izer", "ize"},    {"bli", "ble"},
                                 {"alli", "al"},     {"entli", "ent"},   {"eli", "e"},
                                 {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
                                 {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"},
                                 {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},
                                 {"iviti", "ive"},   {"biliti", "ble"},  {"fulli", "ful"}};
    if (ends(w, "alli") && measure(w->p, w->n - 4) > 0) { /* and what is left once more */
        replace(w, "alli", "al");
        step2(w);
        return;
    }
    if (ends(w, "logi") && !ends(w, "alli")) {
        if (measure(w->p, w->n - 3) > 0)
            w->n--;
        return;
    }
    apply(w, rules, sizeof rules / sizeof *rules, 0);
}

static void step4(word *w)
{
    static const rule rules[] = {{"al", ""},    {"ance", ""}, {"ence", ""}, {"er", ""},
                                 {"ic", ""},    {"able", ""}, {"ible", ""}, {"ant", ""},
                                 {"ement", ""}, {"ment", ""}, {"ent", ""},  {"ion", ""},
                                 {"ou", ""},    {"ism", ""},  {"ate", ""},  {"iti", ""},
                                 {"ous", ""},   {"ive", ""},  {"ize", ""}};
    if (ends(w, "ion")) { /* only behind s or t */
        const size_t n = w->n - 3;
        if (n && measure(w->p, n) > 1 && strchr("st", w->p[n - 1]))
            w->n = n;
        return;
    }
    apply(w, rules, sizeof rules / sizeof *rules, 1);
}

static void step5(word *w)
{
    if (ends(w, "e")) {
        const size_t m = measure(w->p, w->n - 1);
        if (m > 1 || (m == 1 && !ends_cvc(w->p, w->n - 1)))
            w->n--;
    }
    if (ends(w, "ll") && measure(w->p, w->n - 1) > 1)
        w->n--;
}

size_t text_stem(char *p, size_t n)
{
    static const rule irregular[] = {
        {"skies", "sky"},      {"sky", "sky"},          {"dying", "die"},
        {"lying", "lie"},      {"tying", "tie"},        {"news", "news"},
        {"innings", "inning"}, {"inning", "inning"},    {"outings", "outing"},
        {"outing", "outing"},  {"cannings", "canning"}, {"canning", "canning"},
        {"howe", "howe"},      {"proceed", "proceed"},  {"exceed", "exceed"},
        {"succeed", "succeed"}};
    static const rule step3[] = {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
                                 {"ical", "ic"},  {"ful", ""},   {"ness", ""}};
    word w = {p, n};
    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++)
        if (n == strlen(irregular[i].suffix) && memcmp(p, irregular[i].suffix, n) == 0) {
            replace(&w, irregular[i].suffix, irregular[i].by);
            return w.n;
        }
    if (n <= 2)
        return n;
    step1a(&w);
    step1b(&w);
    if (ends(&w, "y") && w.n > 2 && is_consonant(w.p, w.n - 2)) /* step 1c */
        w.p[w.n - 1] = 'i';
    step2(&w);
    apply(&w, step3, sizeof step3 / sizeof *step3, 0);
    step4(&w);
    step5(&w);
    return w.n;
}
