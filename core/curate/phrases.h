/* phrases.h - a list of words and phrases that is looked for in texts: whole words, without case.
 *
 * A phrase is the hash of its words (words.h); those of each length are sorted, so a text costs a search for each of its places and each length.
 * C4's list of bad words is such a file; none is shipped. */
#ifndef HONE_CORE_CURATE_PHRASES_H
#define HONE_CORE_CURATE_PHRASES_H
#include "curate/words.h"

enum { HONE_PHRASE_WORDS = 8 };

typedef struct hone_phrases hone_phrases;
/* One a line; empty lines and those that begin with # say nothing. E_LIMIT: a phrase of more than HONE_PHRASE_WORDS words. */
hone_status hone_phrases_read(const char *path, hone_phrases **out);
void hone_phrases_free(hone_phrases *p); /* NULL is allowed */
/* How many stand in the text whose words these are. [any-thread] */
size_t hone_phrases_count(const hone_phrases *p, const hone_words *w);
#endif
