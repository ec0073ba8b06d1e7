/* math_parse.h - what the two halves of the reader of mathematics share: math_atom.c (nodes, brackets, commands, matrices) and
 * math_read.c (powers, products, sums, relations, lists). Each function returns a node, or -1 when the text is none of it. */
#ifndef HONE_REWARDS_MATH_PARSE_H
#define HONE_REWARDS_MATH_PARSE_H
#include "math_tree.h"

int math_make(math *m, int type, int a, int b);
int math_make_number(math *m, double v);
int math_make_two(math *m, int type, int a, int b);
int math_make_call(math *m, int func, int a, int b);
int math_make_symbol(math *m, hone_str w);
uint64_t math_name(hone_str w); /* of a symbol */
int math_make_empty(math *m);   /* the empty set */
int math_make_reals(math *m);
int math_is_minus_one(const math *m, int i);

int math_starts_atom(const math *m);
int math_parse_atom(math *m);
int math_parse_bracket(math *m, int open);
/* The argument of \frac, \sqrt, ^: braced, or one token. digits_apart: of a number its first digit, as in \frac43. */
int math_parse_argument_of(math *m, int digits_apart);
int math_parse_argument(math *m);

int math_parse_postfix(math *m);
int math_parse_unary(math *m);
int math_parse_product(math *m);
int math_parse_sum(math *m);
int math_parse_relation(math *m);
int math_parse_list(math *m);

/* A place to go back to. */
typedef struct place {
    size_t at;
    int token, value_before, decimal, is_or, n;
    hone_str word;
    double number;
} place;

static inline place math_place(const math *m)
{
    const place p = {m->at,    m->token, m->value_before, m->decimal,
                     m->is_or, m->n,     m->word,         m->number};
    return p;
}

static inline void math_return(math *m, place p)
{
    m->at = p.at;
    m->token = p.token;
    m->value_before = p.value_before;
    m->decimal = p.decimal;
    m->is_or = p.is_or;
    m->n = p.n;
    m->word = p.word;
    m->number = p.number;
}
#endif
