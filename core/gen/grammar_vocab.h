/* grammar_vocab.h - inside of a hone_vocab, for grammar_run.c. */
#ifndef HONE_CORE_GEN_GRAMMAR_VOCAB_H
#define HONE_CORE_GEN_GRAMMAR_VOCAB_H
#include "gen/grammar.h"

typedef struct hone__vtoken {
    const uint8_t *bytes;
    uint32_t len;
    uint32_t shared; /* leading bytes that are those of the token before */
    int32_t id;
    uint32_t reserved;
} hone__vtoken;

struct hone_vocab {
    hone__vtoken *tokens; /* n, by bytes, then by id */
    size_t n, n_ids, longest;
    char *data;
    uint32_t *place; /* by id: index in tokens + 1; 0: not allowed anywhere */
};
#endif
