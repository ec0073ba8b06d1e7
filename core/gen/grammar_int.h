/* grammar_int.h - the automaton that grammar.c builds, grammar_check.c examines and grammar_run.c runs.
 *
 * Nodes are numbers. Node 0 is the one RETURN: it goes on where the topmost caller says, or ends the text. A CALL whose
 * `next` is node 0 is a tail call and leaves nothing on the stack, so right recursion runs in constant space. */
#ifndef HONE_CORE_GEN_GRAMMAR_INT_H
#define HONE_CORE_GEN_GRAMMAR_INT_H
#include "base/arena.h"
#include "gen/grammar_schema.h"

enum { HONE__G_RETURN = 0, HONE__G_BYTES, HONE__G_SPLIT, HONE__G_CALL };
enum { HONE__G_MAX_NODES = 1 << 20, HONE__G_MAX_RULES = 1 << 17 };

typedef struct hone__gnode {
    uint8_t kind;
    uint8_t lo, hi; /* BYTES: this range, then next */
    uint8_t dead;   /* no text leads from here to a return: never entered */
    int32_t next;   /* BYTES, SPLIT, CALL: where it goes on */
    int32_t arg;    /* SPLIT: the other way; CALL: rule */
} hone__gnode;

typedef struct hone__grule {
    const char *name; /* "" for one that the compiler made */
    int32_t start;
    int32_t owner;         /* of one that the compiler made: the named rule that it is part of */
    uint32_t line, column; /* where it is defined; 0: nowhere */
} hone__grule;

struct hone_grammar {
    uint32_t refs;
    hone_arena arena; /* text, names */
    hone_str text;
    hone__gnode *nodes;
    size_t n_nodes;
    hone__grule *rules;
    size_t n_rules;
    int32_t root;            /* rule */
    uint8_t byte_class[256]; /* bytes that no node tells apart share a class */
    uint8_t class_byte[256]; /* one of each class */
    uint32_t n_classes;
};

/* A range of characters. */
typedef struct hone__crange {
    uint32_t lo, hi;
} hone__crange;
/* One row of a range's UTF-8: n bytes, each from a range. */
typedef struct hone__utf8_row {
    uint8_t n, lo[4], hi[4];
} hone__utf8_row;
/* Sorts and joins ranges, leaves out surrogates and what lies beyond U+10FFFF; `negate`: all others. In place where it
 * fits; out has room for n + 2. Returns how many. */
size_t hone__crange_normal(hone__crange *r, size_t n, int negate, hone__crange *out);
/* Rows of one normal range; at most 16. Returns how many. */
size_t hone__utf8_rows(hone__crange r, hone__utf8_row *out);

/* Marks dead nodes, fills byte classes. E_PARSE: left recursion; a rule that no text satisfies. */
hone_status hone__grammar_check(hone_grammar *g, const char *name);
#endif
