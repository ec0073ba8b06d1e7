/* tokenize.h - what core/cli/tokenize.c shares with tokenize_compare.c. */
#ifndef HONE_CORE_CLI_TOKENIZE_H
#define HONE_CORE_CLI_TOKENIZE_H
#include "text/tokenizer.h"

/* Prints how two tokenizers spell each line of `text`: their sizes, and the places where the cuts differ.
 * names: of the two, as given. flags: HONE_ENCODE_*. */
hone_status hone__tokenize_compare(const hone_tokenizer *a, const hone_tokenizer *b,
                                   const char *const *names, hone_str text, uint32_t flags,
                                   int json);
#endif
