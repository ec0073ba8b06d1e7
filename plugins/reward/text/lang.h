/* lang.h - which language a text is in. See lang.c. */
#ifndef HONE_REWARDS_LANG_H
#define HONE_REWARDS_LANG_H
#include "text.h"

enum { LANG_NAME = 8 }; /* room for a code: "en", "zh-cn" */

/* One written language. `letters`: characters (UTF-8) that it has and its neighbours have not; `words`: its commonest words,
 * in lower case, one space between. A language that is the only one of its script needs neither. */
typedef struct lang_row {
    const char *code;
    uint8_t script;
    const char *letters, *words;
    const char *groups; /* groups of letters that its words often have, or NULL */
} lang_row;

enum {
    SCRIPT_NONE,
    SCRIPT_LATIN,
    SCRIPT_CYRILLIC,
    SCRIPT_GREEK,
    SCRIPT_ARABIC,
    SCRIPT_HEBREW,
    SCRIPT_DEVANAGARI,
    SCRIPT_BENGALI,
    SCRIPT_GURMUKHI,
    SCRIPT_GUJARATI,
    SCRIPT_TAMIL,
    SCRIPT_TELUGU,
    SCRIPT_KANNADA,
    SCRIPT_MALAYALAM,
    SCRIPT_THAI,
    SCRIPT_HAN,
    SCRIPT_KANA,
    SCRIPT_HANGUL,
    SCRIPTS
};
extern const lang_row lang_rows[];
extern const size_t lang_count;

uint8_t lang_script(uint32_t c); /* of a letter or mark; SCRIPT_NONE of anything else */

/* What was found. code "" : letters there are, but nothing says of which language. */
typedef struct lang_guess {
    char code[LANG_NAME];
    size_t letters;   /* letters of any script in the text; 0: nothing to go by */
    double certainty; /* 0..1: the winner's part of all evidence */
} lang_guess;
/* Time: linear in s.len. Never fails, never allocates; looks at the first 100,000 bytes. */
lang_guess lang_detect(hone_str s);
int lang_known(hone_str code); /* a code that lang_detect may give, or "zh" */
/* Is `code` what was asked for? zh-cn and zh-tw are zh. */
int lang_same(const char *code, hone_str asked);
#endif
