/* words.h - a text as words, and a text without what does not matter.
 *
 * A word is a run of letters, digits and marks, in lower case, given as its 64-bit hash; a character of a script that writes without blanks
 * between words (Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar) is a word of its own. Punctuation and blanks only part words. So "n words in a
 * row are the same" is n equal numbers, and the texts of both are looked up by their offsets.
 *
 * Needs well-formed UTF-8 (scan.h checked it). One hone_words a thread. */
#ifndef HONE_CORE_CURATE_WORDS_H
#define HONE_CORE_CURATE_WORDS_H
#include "base/buf.h"

typedef struct hone_word {
    uint64_t hash;
    uint32_t from, len; /* bytes of the text */
} hone_word;

typedef struct hone_words {
    hone_word *v;
    size_t n, cap;
    hone_buf low; /* a word in lower case */
} hone_words;

void hone_words_init(hone_words *w);
void hone_words_release(hone_words *w);
/* The words of `text`, in place of those before. E_LIMIT: 4 GiB of text and more. [any-thread] */
hone_status hone_words_of(hone_words *w, hone_str text);

/* How texts are compared when they shall be equal. */
typedef enum hone_fold {
    HONE_FOLD_NONE,  /* byte for byte */
    HONE_FOLD_SPACE, /* a run of white space is a blank; none at the ends */
    HONE_FOLD_CASE,  /* and in lower case */
    HONE_FOLD_WORDS  /* words alone, in lower case: without punctuation */
} hone_fold;
/* The fold of a name (none, space, case, words); E_USAGE. */
hone_status hone_fold_parse(const char *name, hone_fold *out);
const char *hone_fold_name(hone_fold how);
/* Appends the text so folded. [any-thread] */
hone_status hone_fold_text(hone_fold how, hone_str text, hone_buf *out);
/* Kinds of characters, from utf8proc. [any-thread] */
enum { HONE_CHAR_OTHER, HONE_CHAR_SPACE, HONE_CHAR_WORD, HONE_CHAR_ALONE };
int hone_char_kind(uint32_t code);
#endif
