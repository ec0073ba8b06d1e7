/* tokenize.h - what core/cli/tokenize.c shares with tokenize_compare.c and tokenize_stream.c. */
#ifndef HONE_CORE_CLI_TOKENIZE_H
#define HONE_CORE_CLI_TOKENIZE_H
#include "text/tokenizer.h"

/* Prints how two tokenizers spell each line of `text`: their sizes, and the places where the cuts differ.
 * names: of the two, as given. flags: HONE_ENCODE_*. */
hone_status hone__tokenize_compare(const hone_tokenizer *a, const hone_tokenizer *b,
                                   const char *const *names, hone_str text, uint32_t flags,
                                   int json);

typedef struct hone__tokenize_how {
    uint32_t flags;   /* HONE_ENCODE_* */
    int json, whole;  /* {"ids": [...]} or a table; all of stdin is one text, or each line is */
    uint32_t threads; /* 0: as hone_pool_create has it */
    size_t part;      /* bytes taken at a time; 0: 1 MiB */
} hone__tokenize_how;
/* Ids of what stdin has, to stdout; the same for every number of threads and size of part. */
hone_status hone__tokenize_stdin(const hone_tokenizer *tk, const hone__tokenize_how *how);
#endif
