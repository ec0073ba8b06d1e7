/* math_value.c - is this mathematical answer that one?
 *
 * Each answer becomes a small tree (math_lex.c, math_read.c); two expressions are equal when they have the same complex value
 * at several points (math_eval.c). So 2(x+1) = 2x+2, 1/2 = 0.5 and sqrt(8) = 2 sqrt(2) need no rules. Around expressions
 * there are tuples, intervals, sets, lists, unions, conditions (math_set.c), matrices (math_matrix.c), equations, +-, words.
 *
 *   x = 5 is 5; x in S is S; a < x <= b is the interval; lists and sets have no order and nothing twice, tuples have an order;
 *   where both sides name their values (a = 1, b = 2) the names count; equations are equal up to a factor; 28% is 28 and .28;
 *   units, currency and degrees say nothing.
 *
 * Does not: solve, know infinite sums, know that 52 in base 8 is 42. A word is equal to itself.
 * Whole numbers are compared exactly, those with a decimal point within the tolerance and to the digits that were written. */
#include "math_tree.h"

#include <math.h>

/* ---- equality ------------------------------------------------------------------------------------- */

typedef struct part_of { /* an expression, with the sign that its +- takes */
    int i, sign;
    int name; /* what stands before its "=", or -1 */
} part_of;

typedef struct pair {
    const math *a, *b;
    double tolerance;
    int depth;
} pair;

static int equal_nodes(const pair *p, part_of x, part_of y);

/* Numbers within the usual tolerance that are written with decimals agree in what both wrote: 1000000.0 is not 1000000.5. */
static int as_written(const pair *p, int i, int j)
{
    const int x = math_decimals(p->a, i), y = math_decimals(p->b, j);
    const env at = {.sign = 1};
    if (x < 0 || y < 0 || p->tolerance > 1e-6)
        return 1;
    const double a = creal(math_evaluate(p->a, i, &at)), b = creal(math_evaluate(p->b, j, &at));
    return fabs(a - b) <= 0.5 * pow(10, -(x < y ? x : y)) * (x == 0 || y == 0 ? 1e-6 : 1.000001);
}

/* 28% and 28 are the same, and 28% and .28. */
static int equal_values(const pair *p, part_of x, part_of y)
{
    const node *nx = &p->a->nodes[x.i], *ny = &p->b->nodes[y.i];
    int px = nx->type == NODE_CALL && nx->op == FUNC_PERCENT,
        py = ny->type == NODE_CALL && ny->op == FUNC_PERCENT;
    double tolerance = math_has_decimal(p->a, x.i) || math_has_decimal(p->b, y.i)
                           ? p->tolerance
                           : fmin(p->tolerance, 1e-9);
    const int exact = math_same_exactly(p->a, x.i, p->b, y.i);
    if (exact >= 0)
        return exact;
    for (int factor = 0; factor < 2; factor++) {
        int ok = 1;
        for (int k = 0; k < 2 * POINTS && ok; k++) {
            int no_real[2] = {0, 0};
            const int signs = k < POINTS
                                  ? 0
                                  : 7 - (k - POINTS); /* the second half: some are negative */
            const env ex = {.point = k, .sign = x.sign, .signs = signs, .no_real = &no_real[0]},
                      ey = {.point = k, .sign = y.sign, .signs = signs, .no_real = &no_real[1]};
            number a = math_evaluate(p->a, x.i, &ex), b = math_evaluate(p->b, y.i, &ey);
            if (k >= POINTS && (no_real[0] || no_real[1])) {
                /* roots and logarithms where they have no real value say nothing: ln x^2 is 2 ln x; but ln|x| is not ln x */
                ok = no_real[0] == no_real[1] || (!math_holds(p->a, x.i, NODE_CALL, FUNC_ABS) &&
                                                  !math_holds(p->b, y.i, NODE_CALL, FUNC_ABS));
                continue;
            }
            if (k == 0 && ((isinf(creal(a)) && !math_has_infinity(p->a, x.i)) ||
                           (isinf(creal(b)) && !math_has_infinity(p->b, y.i))))
                return math_same_tree(p->a, x.i, p->b, y.i); /* too large for doubles */
            if (factor && px)
                a *= 100;
            if (factor && py)
                b *= 100;
            ok = math_close(a, b, tolerance);
        }
        if (ok)
            return as_written(p, x.i, y.i);
        if (px == py)
            break;
    }
    return 0;
}

/* x = y = 5 is 5, x in S is S. */
static int bare(const math *m, int i)
{
    const node *x = &m->nodes[i];
    int left = x->a;
    if (x->type == NODE_MUL && m->nodes[x->a].type == NODE_SYMBOL &&
        m->nodes[x->b].type == NODE_SEQ && m->nodes[x->b].open == '(')
        return x->b; /* the point A(1,2) */
    if (x->type != NODE_REL || (x->op != '=' && x->op != 'i'))
        return i;
    while (m->nodes[left].type == NODE_REL && m->nodes[left].op == '=')
        left = m->nodes[left].a;
    /* 3 + 4 = 7 is 7, too; a + 3z = 0 is an equation */
    return math_is_name(m, left) || !math_holds(m, left, NODE_SYMBOL, -1) ? bare(m, x->b) : i;
}

/* An interval's ends: from inequalities or from brackets. */
typedef struct interval {
    int from, to; /* nodes, -1: infinite */
    int closed_from, closed_to;
} interval;

/* May any number be its value? Not of |x|, but of the length |AB|. */
static int is_variable(const math *m, int i)
{
    const node *x = &m->nodes[i];
    return math_is_name(m, i) &&
           !(x->type == NODE_CALL && x->op == FUNC_ABS && m->nodes[x->a].type != NODE_MUL);
}

static int as_interval(const math *m, int i, interval *out)
{
    const node *x = &m->nodes[i];
    interval v = {-1, -1, 0, 0};
    if (x->type == NODE_SEQ && (x->open == '(' || x->open == '[')) {
        int second = m->nodes[x->a].next;
        if (second < 0 || m->nodes[second].next >= 0)
            return 0;
        v.from = x->a;
        v.to = second;
        v.closed_from = x->open == '[';
        v.closed_to = x->close == ']';
        *out = v;
        return 1;
    }
    if (x->type != NODE_REL || !strchr("<>lg", x->op))
        return 0;
    if (m->nodes[x->a].type == NODE_REL) { /* a < x < b */
        const node *l = &m->nodes[x->a];
        int up = x->op == '<' || x->op == 'l', lup = l->op == '<' || l->op == 'l';
        if (!strchr("<>lg", l->op) || up != lup || m->nodes[l->a].type == NODE_REL)
            return 0;
        v.from = up ? l->a : x->b;
        v.to = up ? x->b : l->a;
        v.closed_from = up ? l->op == 'l' : x->op == 'g';
        v.closed_to = up ? x->op == 'l' : l->op == 'g';
    } else {
        int name_left = is_variable(m, x->a), up = x->op == '<' || x->op == 'l',
            closed = x->op == 'l' || x->op == 'g';
        if (!name_left && !is_variable(m, x->b))
            return 0;
        if (name_left == up) { /* x < b, a > x */
            v.to = name_left ? x->b : x->a;
            v.closed_to = closed;
        } else {
            v.from = name_left ? x->b : x->a;
            v.closed_from = closed;
        }
    }
    *out = v;
    return 1;
}

static int equal_ends(const pair *p, int x, int y, double infinity)
{
    part_of u = {x, 1, -1}, v = {y, 1, -1};
    const env first = {.sign = 1};
    if (x < 0 && y < 0)
        return 1;
    if (x < 0)
        return creal(math_evaluate(p->b, y, &first)) == infinity;
    if (y < 0)
        return creal(math_evaluate(p->a, x, &first)) == infinity;
    return equal_nodes(p, u, v);
}

/* The name that a relation gives a value: x of x = 5, or -1. */
static int name_of(const math *m, int i)
{
    const node *x = &m->nodes[i];
    return x->type == NODE_REL && x->op == '=' && math_is_name(m, x->a) ? x->a : -1;
}

/* x_1 and x_2 are the same letter; a name without a subscript is itself. */
static int letter_of(const math *m, int i)
{
    const node *x = &m->nodes[i];
    return x->type == NODE_CALL && x->op == FUNC_SUB ? x->a : i;
}

/* Elements of a list, set or union, +- taken apart. */
static int elements(const math *m, int i, part_of *out)
{
    const node *x = &m->nodes[i];
    int n = 0, c;
    if ((x->type == NODE_SEQ && (x->open == 0 || x->open == '{')) || x->type == NODE_UNION) {
        for (c = x->a; c >= 0; c = m->nodes[c].next) {
            int e = bare(m, c), twice = math_holds(m, e, NODE_PM, -1);
            for (int k = 0; k <= twice; k++) {
                if (n >= MAX_LIST)
                    return -1;
                out[n].name = name_of(m, c);
                out[n].i = e;
                out[n++].sign = k ? -1 : 1;
            }
        }
        return n;
    }
    if (math_holds(m, i, NODE_PM, -1)) {
        out[0].i = out[1].i = i;
        out[0].name = out[1].name = -1;
        out[0].sign = 1;
        out[1].sign = -1;
        return 2;
    }
    return 0;
}

/* Equal, and not values of two different names. Roots x_1 and x_2 may be numbered as one likes. */
static int equal_elements(const pair *p, part_of x, part_of y)
{
    if (x.name >= 0 && y.name >= 0) {
        const int a = letter_of(p->a, x.name), b = letter_of(p->b, y.name);
        const int numbered = a != x.name && b != y.name;
        const part_of u = {numbered ? a : x.name, 1, -1}, v = {numbered ? b : y.name, 1, -1};
        if (!equal_nodes(p, u, v))
            return 0;
    }
    return equal_nodes(p, x, y);
}

/* Each of the one is in the other, and the other way round: what is there twice is there. */
static int equal_unordered(const pair *p, const part_of *x, int n, const part_of *y, int k)
{
    uint64_t met = 0;
    for (int i = 0; i < n; i++) {
        int any = 0;
        for (int j = 0; j < k; j++)
            if (!(any && (met >> j & 1)) && equal_elements(p, x[i], y[j])) {
                met |= (uint64_t)1 << j;
                any = 1;
            }
        if (!any)
            return 0;
    }
    return met == (k == 64 ? ~(uint64_t)0 : ((uint64_t)1 << k) - 1);
}

static int equal_ordered(const pair *p, int x, int y)
{
    while (x >= 0 && y >= 0) {
        const part_of u = {bare(p->a, x), 1, name_of(p->a, x)},
                      v = {bare(p->b, y), 1, name_of(p->b, y)};
        if (!equal_elements(p, u, v))
            return 0;
        x = p->a->nodes[x].next;
        y = p->b->nodes[y].next;
    }
    return x < 0 && y < 0;
}

/* Equations are equal when left - right agrees up to a constant factor. */
static int equal_equations(const pair *p, const node *x, const node *y)
{
    number f0 = 1, g0 = 1;
    for (int k = 0; k < POINTS; k++) {
        const env e = {.point = k, .sign = 1};
        number f = math_evaluate(p->a, x->a, &e) - math_evaluate(p->a, x->b, &e);
        number g = math_evaluate(p->b, y->a, &e) - math_evaluate(p->b, y->b, &e);
        if (!isfinite(cabs(f)) || !isfinite(cabs(g)) || cabs(f) < 1e-12 || cabs(g) < 1e-12)
            return 0;
        if (k == 0) {
            f0 = f;
            g0 = g;
        } else if (!math_close(f * g0, g * f0, 1e-9)) {
            return 0;
        }
    }
    return 1;
}

/* a : b : c = ka : kb : kc */
static int equal_ratios(const pair *p, int x, int y)
{
    for (int k = 0; k < POINTS; k++) {
        const env e = {.point = k, .sign = 1};
        const number a = math_evaluate(p->a, x, &e), b = math_evaluate(p->b, y, &e);
        int i = x, j = y;
        for (; i >= 0 && j >= 0; i = p->a->nodes[i].next, j = p->b->nodes[j].next)
            if (!math_close(math_evaluate(p->a, i, &e) * b, math_evaluate(p->b, j, &e) * a, 1e-9))
                return 0;
        if (i >= 0 || j >= 0)
            return 0;
    }
    return 1;
}

/* May it say which numbers are in: an interval, a union, a condition, the reals, nothing? */
static int is_set(const math *m, int i)
{
    const node *x = &m->nodes[i];
    switch (x->type) {
    case NODE_UNION:
    case NODE_CAP:
    case NODE_LESS:
        return 1;
    case NODE_REL:
        return x->op != '=';
    case NODE_SYMBOL:
        return x->op == 'R';
    case NODE_SEQ:
        if (x->open == ':')
            return 0;
        if (x->open == 0 || x->open == '{') { /* nothing, numbers, conditions */
            for (int c = x->a; c >= 0; c = m->nodes[c].next)
                if (m->nodes[c].type == NODE_SEQ || m->nodes[c].type == NODE_MATRIX ||
                    (m->nodes[c].type == NODE_REL && m->nodes[c].op == '='))
                    return 0;
            return 1;
        }
        return 1;
    default:
        return 0;
    }
}

static int equal_nodes(const pair *outer, part_of u, part_of v)
{
    pair inner = *outer;
    const pair *p = &inner;
    const node *x = &p->a->nodes[u.i], *y = &p->b->nodes[v.i];
    part_of ex[MAX_LIST], ey[MAX_LIST];
    interval ix, iy;
    int nx, ny;
    if (++inner.depth > 16)
        return 0;
    if (math_holds(p->a, u.i, NODE_MATRIX, -1) || math_holds(p->b, v.i, NODE_MATRIX, -1)) {
        const int same_matrix = math_same_matrix(p->a, u.i, p->b, v.i, p->tolerance);
        if (same_matrix >= 0)
            return same_matrix;
        return x->type == NODE_MATRIX && y->type == NODE_MATRIX && equal_ordered(p, x->a, y->a);
    }
    if (x->type == NODE_SEQ && y->type == NODE_SEQ && x->open == ':' && y->open == ':')
        return equal_ratios(p, x->a, y->a);
    if (x->type == NODE_SEQ && y->type == NODE_SEQ && x->open == 'r' && y->open == 'r')
        return equal_ordered(p, x->a, y->a);
    if (as_interval(p->a, u.i, &ix) && as_interval(p->b, v.i, &iy) &&
        ix.closed_from == iy.closed_from && ix.closed_to == iy.closed_to &&
        equal_ends(p, ix.from, iy.from, -(double)INFINITY) &&
        equal_ends(p, ix.to, iy.to, (double)INFINITY))
        return 1;
    if (x->type == NODE_REL && y->type == NODE_REL && x->op == y->op &&
        (x->op == '=' || x->op == '!'))
        return equal_equations(p, x, y);
    if (is_set(p->a, u.i) && is_set(p->b, v.i) &&
        (x->type != NODE_SEQ || y->type != NODE_SEQ || x->a < 0 || y->a < 0) && outer->depth < 3) {
        const int same_set = math_same_set(p->a, u.i, p->b, v.i, p->tolerance);
        if (same_set >= 0)
            return same_set;
    }
    if (x->type == NODE_SEQ && y->type == NODE_SEQ &&
        ((x->open == '(' && y->open == 0) || (x->open == 0 && y->open == '(') ||
         (x->open == y->open && x->close == y->close && x->open != 0 && x->open != '{')))
        return equal_ordered(p, x->a, y->a);
    if (x->type == NODE_REL && y->type == NODE_REL && x->op != '=')
        return 0; /* two conditions that are neither the same interval nor the same set */
    nx = outer->depth < 3 ? elements(p->a, u.i, ex) : 0;
    ny = outer->depth < 3 ? elements(p->b, v.i, ey) : 0;
    if (nx > 0 && ny > 0 &&
        !(nx == 2 && ny == 2 && ex[0].i == u.i && ey[0].i == v.i && outer->depth > 0))
        return equal_unordered(p, ex, nx, ey, ny);
    if (nx > 0 && ny == 0 && ex[0].i != u.i &&
        y->type != NODE_SEQ) /* {5, 5} is 5, but {5, 6} is not */
        return equal_unordered(p, ex, nx, &v, 1);
    if (ny > 0 && nx == 0 && ey[0].i != v.i && x->type != NODE_SEQ)
        return equal_unordered(p, &u, 1, ey, ny);
    if ((nx > 0) != (ny > 0) && outer->depth == 0)
        return 0;
    return equal_values(p, u, v);
}

static int is_point(const math *m)
{
    return m->nodes[m->root].type == NODE_MUL && bare(m, m->root) != m->root;
}

int math_equal(const math *a, const math *b, double tolerance)
{
    pair p = {a, b, tolerance, 0};
    part_of u, v;
    if (a->root < 0 || b->root < 0)
        return 0;
    if (a->nodes[a->root].type == NODE_REL && b->nodes[b->root].type == NODE_REL &&
        a->nodes[a->root].op == '=' && b->nodes[b->root].op == '=' &&
        equal_equations(&p, &a->nodes[a->root], &b->nodes[b->root]))
        return 1;
    u.i = bare(a, a->root);
    v.i = bare(b, b->root);
    /* C(6,3) is a point beside points, and 20 beside numbers */
    if (is_point(a) && b->nodes[v.i].type != NODE_SEQ)
        u.i = a->root;
    if (is_point(b) && a->nodes[u.i].type != NODE_SEQ)
        v.i = b->root;
    u.sign = v.sign = 1;
    u.name = v.name = -1;
    if ((a->nodes[u.i].type == NODE_REL) != (b->nodes[v.i].type == NODE_REL)) {
        interval ix, iy;
        if ((!as_interval(a, u.i, &ix) || !as_interval(b, v.i, &iy)) &&
            (!is_set(a, u.i) || !is_set(b, v.i)))
            return 0;
    }
    return equal_nodes(&p, u, v);
}

int math_is_number(const math *m)
{
    return m->root >= 0 && !math_holds(m, m->root, NODE_SYMBOL, 0);
}

int math_is_single(const math *m)
{
    if (m->root < 0)
        return 1;
    const node *x = &m->nodes[m->root];
    return x->type == NODE_SYMBOL ||
           (!math_holds(m, m->root, NODE_SYMBOL, 0) && !math_holds(m, m->root, NODE_SEQ, -1) &&
            !math_holds(m, m->root, NODE_REL, -1));
}
