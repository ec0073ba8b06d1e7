/* math_set.c - answers that are sets of real numbers: are two the same?
 *
 * Intervals, unions, intersections, differences, finite sets, the reals, the empty set, and conditions on one variable (an
 * inequality, a chain of them, "not equal", several joined by and / or) all say of a number whether it is in. So two sets are
 * compared by asking both about many numbers: every number that either of them names, both sides close by, the middles
 * between, far out, and some drawn from a fixed sequence. x^2 < 4 is (-2, 2) without solving anything.
 *
 * Does not: sets of integers (k in Z), conditions on two variables, several variables' names for one (they must be the same
 * where both have one). An interval (a, b) may as well be a point of the plane: who calls decides that before.
 * Time: at most some 700 numbers, each one visit of both trees. */
#include "math_tree.h"

#include <math.h>

enum { MOST_NAMED = 48, DRAWN = 48, MOST_ASKED = 7 * MOST_NAMED + 8 + DRAWN };

typedef struct asking {
    const math *m;
    env e;                   /* the variable, bound */
    int has_name, or_commas; /* a list with commas: one of them, not all */
} asking;

static int is_relation(const node *x)
{
    return x->type == NODE_REL && strchr("=<lg>!", x->op);
}

/* The one symbol below i; 0 when there are two. *found: there is one. */
static int only_symbol(const math *m, int i, uint64_t *name, int *found)
{
    const node *x = &m->nodes[i];
    if (x->type == NODE_SYMBOL) {
        if (x->op)
            return 1;
        if (*found && *name != x->name)
            return 0;
        *found = 1;
        *name = x->name;
        return 1;
    }
    if (x->type == NODE_SEQ || x->type == NODE_UNION) {
        for (int c = x->a; c >= 0; c = m->nodes[c].next)
            if (!only_symbol(m, c, name, found))
                return 0;
        return 1;
    }
    return (x->a < 0 || only_symbol(m, x->a, name, found)) &&
           (x->b < 0 || only_symbol(m, x->b, name, found));
}

/* Equal as far as doubles tell; infinities too. */
static int about(double a, double b)
{
    if (isinf(a) || isinf(b))
        return a == b;
    return fabs(a - b) <= 1e-9 * fmax(1, fmax(fabs(a), fabs(b)));
}

static int real_at(const asking *s, int i, double *out)
{
    const number v = math_evaluate(s->m, i, &s->e);
    *out = creal(v);
    return !isnan(creal(v)) && fabs(cimag(v)) <= 1e-9 * fmax(1, fabs(creal(v)));
}

/* Is s->e.value in the set at i? 1, 0; -1: it is no set, or cannot be told. */
static int has(const asking *s, int i, int depth);

static int relation_holds(const asking *s, const node *x)
{
    double a, b;
    const node *left = &s->m->nodes[x->a];
    if (left->type == NODE_REL) { /* a < x < b: the left one, and its right side with this */
        if (!is_relation(left))
            return -1;
        const int first = relation_holds(s, left);
        if (first <= 0)
            return first;
        left = &s->m->nodes[left->b];
    }
    if (!real_at(s, (int)(left - s->m->nodes), &a) || !real_at(s, x->b, &b))
        return 0; /* no real number: a root of what is negative */
    switch (x->op) {
    case '=':
        return about(a, b);
    case '!':
        return !about(a, b);
    case '<':
        return a < b && !about(a, b);
    case 'l':
        return a < b || about(a, b);
    case '>':
        return a > b && !about(a, b);
    case 'g':
        return a > b || about(a, b);
    default:
        return -1;
    }
}

static int in_interval(const asking *s, const node *x)
{
    double from, to;
    const int second = x->a >= 0 ? s->m->nodes[x->a].next : -1;
    if (second < 0 || s->m->nodes[second].next >= 0 || !real_at(s, x->a, &from) ||
        !real_at(s, second, &to))
        return -1;
    const double v = s->e.value;
    if (from > to || (about(from, to) && !(x->open == '[' && x->close == ']')))
        return -1; /* a point of the plane, and no interval */
    return (x->open == '[' && !isinf(from) ? v > from || about(v, from)
                                           : v > from && !about(v, from)) &&
           (x->close == ']' && !isinf(to) ? v < to || about(v, to) : v < to && !about(v, to));
}

/* A list: an element's own value, or what holds of all or of any of its conditions. */
static int in_list(const asking *s, const node *x, int depth)
{
    int any = 0, all = 1, conditions = 0, n = 0;
    double v;
    for (int c = x->a; c >= 0; c = s->m->nodes[c].next, n++) {
        const node *y = &s->m->nodes[c];
        int in;
        if (y->type == NODE_REL && y->op == 'i' && s->m->nodes[y->b].type == NODE_SYMBOL &&
            s->m->nodes[y->b].op == 'R')
            continue; /* x in R */
        if (y->type == NODE_REL) {
            in = has(s, c, depth + 1);
            conditions++;
        } else {
            in = y->type == NODE_SEQ || y->type == NODE_UNION ? -1
                 : real_at(s, c, &v)                          ? about(v, s->e.value)
                                                              : -1;
        }
        if (in < 0)
            return -1;
        any |= in;
        all &= in;
    }
    if (conditions && x->open == '{')
        return -1;
    const int either = x->op == 'o' || (x->op == 0 && s->or_commas) || !conditions;
    return either ? any : all;
}

static int has(const asking *s, int i, int depth)
{
    const node *x = &s->m->nodes[i];
    int a, b;
    if (depth > 16)
        return -1;
    switch (x->type) {
    case NODE_SYMBOL:
        return x->op == 'R' ? 1 : -1;
    case NODE_SEQ:
        if (x->open == '(' || x->open == '[' || x->open == ']')
            return in_interval(s, x);
        return x->open == 0 || x->open == '{' ? in_list(s, x, depth) : -1;
    case NODE_UNION:
        a = 0;
        for (int c = x->a; c >= 0; c = s->m->nodes[c].next) {
            b = has(s, c, depth + 1);
            if (b < 0)
                return -1;
            a |= b;
        }
        return a;
    case NODE_CAP:
    case NODE_LESS:
        a = has(s, x->a, depth + 1);
        b = has(s, x->b, depth + 1);
        return a < 0 || b < 0 ? -1 : x->type == NODE_CAP ? a && b : a && !b;
    case NODE_REL:
        if (x->op == 'i')
            return has(s, x->b, depth + 1);
        return is_relation(x) && s->has_name ? relation_holds(s, x) : -1;
    default:
        return -1;
    }
}

/* Numbers that the tree names: subtrees without the variable. */
static int named(const asking *s, int i, double *out, int n)
{
    const node *x = &s->m->nodes[i];
    uint64_t name = 0;
    int found = 0;
    double v;
    const int list = x->type == NODE_SEQ || x->type == NODE_UNION;
    if (!list && x->type != NODE_REL && x->type != NODE_CAP && x->type != NODE_LESS) {
        if (only_symbol(s->m, i, &name, &found) && !found && real_at(s, i, &v) && !isinf(v) &&
            n < MOST_NAMED)
            out[n++] = v;
        if (!found)
            return n;
    }
    if (list) {
        for (int c = x->a; c >= 0; c = s->m->nodes[c].next)
            n = named(s, c, out, n);
        return n;
    }
    n = x->a >= 0 ? named(s, x->a, out, n) : n;
    return x->b >= 0 ? named(s, x->b, out, n) : n;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The numbers that both are asked about. */
static int questions(const asking *x, int i, const asking *y, int j, double *out)
{
    double at[2 * MOST_NAMED];
    int k = named(x, i, at, 0), n = 0;
    uint64_t random = 0x9E3779B97F4A7C15u;
    k = named(y, j, at, k);
    qsort(at, (size_t)k, sizeof *at, by_size);
    const double low = k ? at[0] : 0, high = k ? at[k - 1] : 0, span = high - low + 1;
    for (int p = 0; p < k && n + 7 < MOST_ASKED - DRAWN - 8; p++) {
        const double step = 1e-4 * fmax(1, fabs(at[p]));
        out[n++] = at[p];
        out[n++] = -at[p];
        out[n++] = at[p] - step;
        out[n++] = at[p] + step;
        out[n++] = -at[p] - step;
        out[n++] = -at[p] + step;
        if (p + 1 < k)
            out[n++] = (at[p] + at[p + 1]) / 2;
    }
    out[n++] = 0;
    out[n++] = low - span;
    out[n++] = high + span;
    out[n++] = low - 1000 * span;
    out[n++] = high + 1000 * span;
    for (int p = 0; p < DRAWN; p++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        out[n++] = low - span + 3 * span * ((double)(random >> 11) / 9007199254740992.0);
    }
    return n;
}

int math_same_set(const math *a, int i, const math *b, int j, double tolerance)
{
    double at[MOST_ASKED];
    uint64_t name = 0, other = 0;
    int found = 0, found_other = 0;
    (void)tolerance; /* ends are compared by about() */
    if (!only_symbol(a, i, &name, &found) || !only_symbol(b, j, &other, &found_other))
        return -1;
    if (found && found_other && name != other)
        return -1;
    for (int reading = 0; reading < 4; reading++) { /* of commas between conditions */
        asking x = {a, {.sign = 1, .bound = found, .name = name}, found, reading & 1};
        asking y = {b, {.sign = 1, .bound = found_other, .name = other}, found_other, reading >> 1};
        const int n = questions(&x, i, &y, j, at);
        int same_all = 1;
        for (int k = 0; k < n && same_all; k++) {
            x.e.value = y.e.value = at[k];
            const int p = has(&x, i, 0), q = has(&y, j, 0);
            if (p < 0 || q < 0)
                return -1;
            same_all = p == q;
        }
        if (same_all)
            return 1;
    }
    return 0;
}
