/* grammar.h - answers that keep to a grammar: what may come next, for every state, as a mask over the vocabulary.
 *
 * A grammar is text in GBNF, the notation of llama.cpp ("root ::= ..."), or a JSON Schema that becomes such text
 * (grammar_schema.c). It is compiled to a pushdown automaton over bytes: nodes that eat a range of bytes, split, call a rule, or
 * return from it. A matcher runs it together with one vocabulary. Its states are sets of (node, stack), made when they are
 * first met and kept, so that a byte costs one look into a table and a state's mask is made once. A token is allowed when all of its
 * bytes are; the end is allowed where the root rule may end. What a sampler draws under the mask cannot leave the
 * grammar, whatever the logits are.
 *
 * Does not: know models or sampling (gen.c does), accept a grammar that cannot be run (left recursion, rules that never end:
 * refused when it is compiled, by name and place). Characters are Unicode's; the text is UTF-8, always whole.
 *
 * Sources: the notation is described in llama.cpp's documentation; lazy subset construction: Aho, Sethi, Ullman, 3.7; masks
 * kept by state: Willard and Louf 2023 (arXiv 2307.09702), Dong et al. 2024 (arXiv 2411.15100). */
#ifndef HONE_CORE_GEN_GRAMMAR_H
#define HONE_CORE_GEN_GRAMMAR_H
#include "base/json.h"
#include "text/tokenizer.h"

typedef struct hone_grammar hone_grammar; /* compiled and constant; counted references */

/* `name` stands in front of messages, with line and column. E_PARSE: not the notation, left recursion, a rule that is missing or
 * that no text can satisfy; E_LIMIT: larger than an automaton may be. [any-thread] */
hone_status hone_grammar_parse(hone_str text, const char *name, hone_grammar **out);
/* The grammar of the JSON texts that are valid under a schema: hone_grammar_schema_text, parsed. [any-thread] */
hone_status hone_grammar_schema(hone_str json, const char *name, hone_grammar **out);
/* Appends the GBNF text of a schema. Properties come in the schema's order; texts that it describes are valid, and
 * those that it leaves out are other spellings (white space, order, numbers of very many digits). E_UNSUPPORTED: a keyword
 * that is not known here, with its place; E_INVALID: one that makes no sense. [any-thread] */
hone_status hone_grammar_schema_text(const hone_value *schema, const char *name, hone_buf *out);
hone_grammar *hone_grammar_addref(hone_grammar *g);
void hone_grammar_unref(hone_grammar *g);          /* NULL is allowed */
hone_str hone_grammar_text(const hone_grammar *g); /* GBNF; valid as long as g */

/* ---- a vocabulary, sorted by its bytes ---------------------------------------------------------------- */
typedef struct hone_vocab hone_vocab;
/* Special tokens, and tokens of no bytes, are never allowed by a grammar. */
hone_status hone_vocab_create(const hone_tokenizer *t, hone_vocab **out);
/* The same from texts by id; an empty one is not allowed anywhere. Copied. */
hone_status hone_vocab_from(const hone_str *bytes, size_t n, hone_vocab **out);
void hone_vocab_destroy(hone_vocab *v);
size_t hone_vocab_size(const hone_vocab *v);                /* ids */
hone_str hone_vocab_bytes(const hone_vocab *v, int32_t id); /* {NULL,0}: not allowed anywhere */

/* ---- a grammar at work on a vocabulary -------------------------------------------------------------------- */
typedef struct hone_matcher
    hone_matcher; /* one thread at a time; v must outlive it, g is referenced */
hone_status hone_matcher_create(hone_grammar *g, const hone_vocab *v, hone_matcher **out);
void hone_matcher_destroy(hone_matcher *m);
const hone_grammar *hone_matcher_grammar(const hone_matcher *m);
/* States are numbers; -1 is outside the grammar. They hold until hone_matcher_trim. */
int32_t hone_matcher_start(const hone_matcher *m);
/* *next: the state after these bytes, or -1. E_LIMIT: too ambiguous, too many states; E_NOMEM. */
hone_status hone_matcher_eat(hone_matcher *m, int32_t state, hone_str bytes, int32_t *next);
int hone_matcher_may_end(const hone_matcher *m, int32_t state);
int hone_matcher_must_end(const hone_matcher *m, int32_t state); /* and nothing can follow */
/* Bit i of *mask (hone_vocab_size bits): token i may come next. *n: how many may. Valid until trim. */
hone_status hone_matcher_mask(hone_matcher *m, int32_t state, const uint64_t **mask, size_t *n);
size_t hone_matcher_states(const hone_matcher *m);
size_t hone_matcher_memory(const hone_matcher *m); /* bytes of what it keeps */
/* Forgets everything but these states, whose numbers are rewritten (-1 stays). On failure m is as it was. */
hone_status hone_matcher_trim(hone_matcher *m, int32_t *states, size_t n);
#endif
