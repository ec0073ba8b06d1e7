/* quality.c - see quality.h: the table of rules, and which are on. The measures are in quality_measure.c. */
#include "curate/quality_private.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define GOPHER HONE_QUALITY_GOPHER
#define REPEAT HONE_QUALITY_GOPHER_REPETITION
#define C4 HONE_QUALITY_C4
#define FINEWEB HONE_QUALITY_FINEWEB

/* In the order of HONE__Q_*. */
const hone_quality_rule hone_quality_rules[] = {
    {"min_words", GOPHER, 0, 0, 50, "words with a letter or digit in the text"},
    {"max_words", GOPHER, 1, 0, 100000, "the same"},
    {"min_word_length", GOPHER, 0, 0, 3, "mean characters of a word"},
    {"max_word_length", GOPHER, 1, 0, 10, "the same"},
    {"max_hashes", GOPHER, 1, 0, 0.1, "marks # for each word"},
    {"max_ellipses", GOPHER, 1, 0, 0.1, "ellipses (... or one character) for each word"},
    {"max_bullet_lines", GOPHER, 1, 0, 0.9, "share of lines that begin with a bullet point"},
    {"max_ellipsis_lines", GOPHER, 1, 0, 0.3, "share of lines that end with an ellipsis"},
    {"min_alphabetic", GOPHER, 0, 0, 0.8,
     "share of words that have a letter (its program counts marks as words)"},
    {"min_stop_words", GOPHER, 0, 0, 2,
     "how many of the words the, be, to, of, and, that, have, with (each once)"},

    {"max_duplicate_lines", REPEAT, 1, 0, 0.30, "share of lines that were there before"},
    {"max_duplicate_paragraphs", REPEAT, 1, 0, 0.30, "share of paragraphs that were there before"},
    {"max_duplicate_line_chars", REPEAT, 1, 0, 0.20, "share of the characters in such lines"},
    {"max_duplicate_paragraph_chars", REPEAT, 1, 0, 0.20,
     "share of the characters in such paragraphs"},
    {"max_top_2gram", REPEAT, 1, 0, 0.20,
     "share of the characters in the commonest 2-gram of words"},
    {"max_top_3gram", REPEAT, 1, 0, 0.18, "of 3 words"},
    {"max_top_4gram", REPEAT, 1, 0, 0.16, "of 4 words"},
    {"max_duplicate_5grams", REPEAT, 1, 0, 0.15,
     "share of the characters in 5-grams of words that were there before"},
    {"max_duplicate_6grams", REPEAT, 1, 0, 0.14, "of 6 words"},
    {"max_duplicate_7grams", REPEAT, 1, 0, 0.13, "of 7 words"},
    {"max_duplicate_8grams", REPEAT, 1, 0, 0.12, "of 8 words"},
    {"max_duplicate_9grams", REPEAT, 1, 0, 0.11, "of 9 words"},
    {"max_duplicate_10grams", REPEAT, 1, 0, 0.10, "of 10 words"},

    {"min_sentences", C4, 0, 0, 5,
     "sentences in the lines that C4 keeps (the paper: 5; its later program: 3)"},
    {"min_line_words", C4, 0, 0, 3,
     "words that a line needs to be kept (the paper: 3; its later program: 5); no reason of its "
     "own"},
    {"max_word_chars", C4, 1, 0, 1000,
     "characters of a word in a line that is kept; no reason of its own"},
    {"terminal_punctuation", C4, 0, 0, 1,
     "a line is kept when it ends with . ! ? \" or ' and with no ellipsis (0: any); no reason of "
     "its own"},
    {"max_lorem_ipsum", C4, 1, 0, 0, "how often \"lorem ipsum\" stands there"},
    {"max_curly_brackets", C4, 1, 0, 0, "how many { stand in the lines that are kept"},
    {"javascript", C4, 0, 0, 1,
     "lines that say javascript are not kept (0: they are); no reason of its own"},
    {"policy", C4, 0, 0, 1,
     "nor lines that speak of cookies and terms of use (0: they are); no reason of its own"},

    {"max_bad_words", C4, 1, 0, 0,
     "words and phrases of the list --bad-words FILE (without one none); none is shipped"},

    {"min_punctuated_lines", FINEWEB, 0, 1, 0.12,
     "share of lines that end with a mark of punctuation (this much is a reason, too)"},
    {"max_short_lines", FINEWEB, 1, 1, 0.67,
     "share of lines of at most 30 characters (so much, too)"},
    {"max_duplicated_chars", FINEWEB, 1, 1, 0.1,
     "share of the characters in lines that were there before (the paper; its program: 0.01)"},
    {"max_newlines", FINEWEB, 1, 0, 0.3, "newlines for each word (the program's)"},
};

HONE_STATIC_ASSERT(sizeof hone_quality_rules / sizeof *hone_quality_rules == HONE__Q_N,
                   "a row for each measure");
HONE_STATIC_ASSERT((int)HONE__Q_N <= (int)HONE_QUALITY_MAX, "there is room");

static const char *const set_names[] = {"gopher", "gopher_repetition", "c4", "fineweb", NULL};

size_t hone_quality_n(void)
{
    return HONE__Q_N;
}

const char *hone_quality_set_name(hone_quality_set set)
{
    return set_names[set];
}

static hone_status switch_on(hone_quality *q, hone_str name)
{
    int known = hone_str_eq(name, "all");
    for (size_t i = 0; i < HONE__Q_N; i++)
        if (hone_str_eq(name, "all") || hone_str_eq(name, set_names[hone_quality_rules[i].set]))
            q->on[i] = 1, known = 1;
    if (known)
        return HONE_OK;
    return hone_fail(HONE_E_USAGE, "no rules \"%.*s\": gopher, gopher_repetition, c4, fineweb, all",
                     (int)name.len, name.ptr);
}

/* The rule that is meant; -1 and an error when none is, or several are. */
static hone_status rule_named(hone_str name, size_t *out)
{
    const char *names[HONE__Q_N + 1] = {NULL};
    char z[64];
    size_t found = 0;
    for (size_t i = 0; i < HONE__Q_N; i++) {
        const hone_quality_rule *r = &hone_quality_rules[i];
        const size_t set = strlen(set_names[r->set]);
        names[i] = r->name;
        const int whole = name.len > set + 1 && name.ptr[set] == '.' &&
                          memcmp(name.ptr, set_names[r->set], set) == 0 &&
                          hone_str_eq((hone_str){name.ptr + set + 1, name.len - set - 1}, r->name);
        if (whole || hone_str_eq(name, r->name)) {
            *out = i;
            found++;
        }
    }
    if (found == 1)
        return HONE_OK;
    snprintf(z, sizeof z, "%.*s", (int)name.len, name.ptr);
    const char *close = hone_closest(z, names);
    hone_fail(HONE_E_USAGE, found ? "several rules are called \"%s\"" : "no rule \"%s\"", z);
    return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_USAGE;
}

hone_status hone_quality_init(hone_quality *q, const char *sets, const char *const *settings,
                              size_t n)
{
    memset(q, 0, sizeof *q);
    for (size_t i = 0; i < HONE__Q_N; i++)
        q->limit[i] = hone_quality_rules[i].limit;
    for (const char *from = sets; from;) {
        const char *comma = strchr(from, ',');
        HONE_TRY(switch_on(q, (hone_str){from, comma ? (size_t)(comma - from) : strlen(from)}));
        from = comma ? comma + 1 : NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const char *eq = strchr(settings[i], '='), *end;
        size_t rule = 0;
        if (!eq)
            return hone_fail(HONE_E_USAGE, "%s: a rule is set as name=number or name=off",
                             settings[i]);
        HONE_TRY(rule_named((hone_str){settings[i], (size_t)(eq - settings[i])}, &rule));
        if (strcmp(eq + 1, "off") == 0) {
            q->on[rule] = 0;
            continue;
        }
        q->limit[rule] = hone_parse_f64(eq + 1, &end);
        if (end == eq + 1 || *end)
            return hone_fail(HONE_E_USAGE, "%s: a rule is set as name=number or name=off",
                             settings[i]);
        q->on[rule] = 1;
    }
    for (size_t i = 0; i < HONE__Q_N; i++)
        if (q->on[i])
            return HONE_OK;
    return hone_fail(HONE_E_USAGE, "no rule is on");
}
