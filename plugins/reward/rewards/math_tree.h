/* math_tree.h - the tree of a mathematical answer: what math_read.c makes and math_value.c compares. */
#ifndef HONE_REWARDS_MATH_TREE_H
#define HONE_REWARDS_MATH_TREE_H
#include "math_value.h"

#include <complex.h>

enum { MAX_NODES = 768, MAX_DEPTH = 64, MAX_LIST = 64, MOST_RANGES = 4 };
enum {
    NODE_NUMBER,
    NODE_SYMBOL, /* a letter, a Greek letter, a word; op: 'i' 'e' 'p' 'R', 'b' bound by a sum */
    NODE_ADD,
    NODE_MUL,
    NODE_DIV,
    NODE_POW,
    NODE_NEG,
    NODE_PM,   /* a +- b */
    NODE_CALL, /* op: FUNC_* */
    NODE_SEQ, /* open, close: brackets, 0 for a bare list, ':' a ratio of three or more; children by `next`;
                 op: 'a' "and", 'o' "or" was between */
    NODE_UNION,
    NODE_CAP,    /* a and b */
    NODE_LESS,   /* a without b */
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
    FUNC_BINOM,
    FUNC_DEGREE, /* its argument; within sin and its like pi / 180 of it */
    FUNC_FLOOR,
    FUNC_CEIL,
    FUNC_MAX,
    FUNC_MIN,
    FUNC_GCD,
    FUNC_LCM,
    FUNC_SINH,
    FUNC_COSH,
    FUNC_TANH,
    FUNC_CIS,     /* cos + i sin */
    FUNC_PERMUTE, /* a! / (a - b)! */
    FUNC_DET,     /* of a matrix */
    FUNC_SUM,     /* of a; b: its variable, from, to, as a SEQ with open 'b' */
    FUNC_PRODUCT,
    FUNC_INTEGRAL
};

/* Tokens; others are their character. */
enum {
    T_END = 256,
    T_NUMBER,
    T_SYMBOL,
    T_TEXT,
    T_COMMAND,
    T_AND, /* is_or: "or" */
    T_LE,
    T_GE,
    T_NE,
    T_SET_OPEN,
    T_SET_CLOSE,
    T_ROW,
    T_APPROX,
    T_DEGREE,
    T_SUPER,   /* a superscript number: number */
    T_BELOW,   /* a subscript number: number */
    T_NUMBERS, /* the real numbers and their like: word has the letter */
    T_FLOOR,
    T_FLOOR_END,
    T_CEIL,
    T_CEIL_END
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
    int in_abs, in_matrix, in_cases, in_head; /* in_head: of a set, before its colon */
    int in_integral;                          /* "d" ends what is integrated */
    int ranges;                               /* sums and their like, read so far */
    /* the token at hand */
    int token, value_before; /* value_before: what stands before it could carry a unit */
    hone_str word;
    double number;
    int decimal, is_or;
};

static inline int is(hone_str s, const char *z)
{
    return same(s, z);
}
void math_next(math *m); /* the next token */
/* { ... } at the lexer's place, without its braces; {NULL,0} when there is none. */
hone_str math_braced(math *m);

/* ---- values ---------------------------------------------------------------------------------------- */

typedef double complex number;

enum { POINTS = 4 };
typedef struct binding { /* the variable of a sum */
    uint64_t name;
    double value;
    const struct binding *outer;
} binding;

typedef struct env { /* where to evaluate */
    int point, sign; /* the values of symbols, 0..POINTS-1; what +- takes */
    int bound;       /* one symbol has a value: */
    uint64_t name;
    double value;
    int signs;    /* symbols may be negative, too, */
    int *no_real; /* and here is said that a root or a logarithm then had no real value; or NULL */
    const binding *variables; /* of sums around */
    int *work;                /* terms that sums may have yet; NULL: the default */
} env;

number math_evaluate(const math *m, int i, const env *e);
/* Equal within `tolerance`, relative; whole numbers exactly. */
int math_close(number a, number b, double tolerance);
/* Does the tree below `i` hold a node of this type? op -1: any. */
int math_holds(const math *m, int i, int type, int op);
int math_has_decimal(const math *m, int i);
/* Is infinity itself written below i? (What grows beyond doubles is none.) */
int math_has_infinity(const math *m, int i);
/* The same tree, node by node. */
int math_same_tree(const math *a, int i, const math *b, int j);
/* The decimals of a number as it is written, 2 of -1.50; -1: it is no such number. */
int math_decimals(const math *m, int i);

/* Two fractions of whole numbers, however large, compared exactly: 1 equal, 0 not, -1: one of them is more than + - x / and whole
 * powers of whole numbers. */
int math_same_exactly(const math *a, int i, const math *b, int j);

/* Sets of real numbers: intervals, their unions, finite sets, conditions on one variable. 1 equal, 0 not, -1: one of them is no
 * such set. */
int math_same_set(const math *a, int i, const math *b, int j, double tolerance);
/* Matrices with arithmetic around them. 1 equal, 0 not, -1: one of them is no matrix. */
int math_same_matrix(const math *a, int i, const math *b, int j, double tolerance);

/* Can the tree below node i stand for a name before "=": x, f(x), |AB|, (p,q), x_1? */
int math_is_name(const math *m, int i);
#endif
