/* math_tree.h - the tree of a mathematical answer: what math_read.c makes and math_value.c compares. */
#ifndef HONE_REWARDS_MATH_TREE_H
#define HONE_REWARDS_MATH_TREE_H
#include "math_value.h"

enum { MAX_NODES = 768, MAX_DEPTH = 64, MAX_LIST = 64 };
enum {
    NODE_NUMBER,
    NODE_SYMBOL, /* a letter, a Greek letter, a word */
    NODE_ADD,
    NODE_MUL,
    NODE_DIV,
    NODE_POW,
    NODE_NEG,
    NODE_PM,   /* a +- b */
    NODE_CALL, /* op: FUNC_* */
    NODE_SEQ,  /* open, close: brackets, 0 for a bare list; children by `next` */
    NODE_UNION,
    NODE_MATRIX, /* of rows, which are SEQ */
    NODE_REL     /* op: '=' '<' 'l'(<=) '>' 'g'(>=) '!' 'i'(in) */
};
enum {
    FUNC_SQRT,
    FUNC_ROOT,
    FUNC_SIN,
    FUNC_COS,
    FUNC_TAN,
    FUNC_COT,
    FUNC_SEC,
    FUNC_CSC,
    FUNC_ASIN,
    FUNC_ACOS,
    FUNC_ATAN,
    FUNC_LN,
    FUNC_LOG,
    FUNC_EXP,
    FUNC_ABS,
    FUNC_FACTORIAL,
    FUNC_SUB,
    FUNC_PERCENT,
    FUNC_BINOM
};

typedef struct node {
    uint8_t type, op, open, close;
    uint8_t decimal;    /* a number written with a point */
    int16_t a, b, next; /* children; -1: none */
    uint64_t name;      /* of a symbol */
    double number;
    hone_str digits; /* of a number, as written */
} node;

struct math {
    node nodes[MAX_NODES];
    int n, root;
    hone_str text;
    size_t at;    /* of the lexer */
    int depth;    /* of the parser */
    int brackets; /* ( [ \{ open around the lexer: commas part elements there */
    int in_abs, in_matrix;
    /* the token at hand */
    int token, value_before; /* value_before: what stands before it could carry a unit */
    hone_str word;
    double number;
    int decimal;
};

/* Can the tree below node i stand for a name before "=": x, f(x), |AB|, (p,q), x_1? */
int math_is_name(const math *m, int i);
#endif
