/* math_value.c - whether two mathematical answers mean the same.
 *
 * The key idea: no algebra. An answer becomes a small tree (math_read.c); two expressions are equal when
 * they have the same complex value at several points, where each symbol has a value of its own that
 * depends on its name alone. So 2(x+1) = 2x+2, 1/2 = 0.5 and sqrt(8) = 2 sqrt(2) need no rules. Around
 * expressions there are tuples, intervals, sets, lists, unions, matrices, equations, inequalities, +-,
 * and words.
 *
 *   x = 5 is 5; x in S is S; a < x <= b is the interval; lists and sets have no order, tuples have one;
 *   equations are equal up to a factor; 28% is 28 and .28; units, currency and degrees say nothing.
 *
 * Does not: solve, expand sums or integrals, know that 52 in base 8 is 42. A word is equal to itself.
 * Whole numbers are compared exactly, those with a decimal point within the tolerance. */
#include "math_tree.h"

#include <complex.h>
#include <math.h>

enum { POINTS = 4 };

/* ---- values --------------------------------------------------------------------------------------- */

typedef double complex number;

static number evaluate(const math *m, int i, int point, int sign);

/* Each symbol has a value at each point: between .4 and 2.4, by its name. */
static double symbol_value(uint64_t name, int point)
{
    uint64_t h = name + (uint64_t)(point + 1) * 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9u;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBu;
    h ^= h >> 31;
    return 0.4 + 2 * (double)(h >> 11) / 9007199254740992.0;
}

static number call(const node *x, number a, number b)
{
    switch (x->op) {
    case FUNC_SQRT:
        return csqrt(a);
    case FUNC_ROOT:
        return cimag(a) == 0 && creal(a) < 0 && fmod(creal(b), 2) == 1 ? -cpow(-a, 1 / b)
                                                                       : cpow(a, 1 / b);
    case FUNC_SIN:
        return csin(a);
    case FUNC_COS:
        return ccos(a);
    case FUNC_TAN:
        return ctan(a);
    case FUNC_COT:
        return 1 / ctan(a);
    case FUNC_SEC:
        return 1 / ccos(a);
    case FUNC_CSC:
        return 1 / csin(a);
    case FUNC_ASIN:
        return casin(a);
    case FUNC_ACOS:
        return cacos(a);
    case FUNC_ATAN:
        return catan(a);
    case FUNC_LN:
        return clog(a);
    case FUNC_LOG:
        return clog(a) / log(10);
    case FUNC_EXP:
        return cexp(a);
    case FUNC_ABS:
        return cabs(a);
    case FUNC_FACTORIAL:
        return tgamma(creal(a) + 1);
    case FUNC_BINOM:
        return tgamma(creal(a) + 1) / (tgamma(creal(b) + 1) * tgamma(creal(a - b) + 1));
    case FUNC_SUB: /* another number or symbol than without the subscript */
        return a * 1.7320508 + b * 739.0851332;
    case FUNC_PERCENT:
        return a / 100;
    default:
        return (double)NAN;
    }
}

static number evaluate(const math *m, int i, int point, int sign)
{
    const node *x = &m->nodes[i];
    number a, b;
    switch (x->type) {
    case NODE_NUMBER:
        return x->number;
    case NODE_SYMBOL:
        if (x->op == 'i')
            return (number)_Complex_I;
        if (x->op == 'e')
            return 2.718281828459045235;
        if (x->op == 'p')
            return 3.14159265358979323846;
        return symbol_value(x->name, point);
    case NODE_CALL:
        a = evaluate(m, x->a, point, sign);
        b = x->b >= 0 ? evaluate(m, x->b, point, sign) : 0;
        return call(x, a, b);
    case NODE_NEG:
        return -evaluate(m, x->a, point, sign);
    case NODE_ADD:
    case NODE_MUL:
    case NODE_DIV:
    case NODE_POW:
    case NODE_PM:
        a = evaluate(m, x->a, point, sign);
        b = evaluate(m, x->b, point, sign);
        if (x->type == NODE_ADD)
            return a + b;
        if (x->type == NODE_MUL)
            return a * b;
        if (x->type == NODE_DIV)
            return a / b;
        if (x->type == NODE_PM)
            return a + sign * b;
        if (cimag(a) == 0 && cimag(b) == 0 && (creal(a) >= 0 || creal(b) == floor(creal(b))))
            return pow(creal(a), creal(b));
        return cpow(a, b);
    default:
        return (double)NAN; /* a tuple or a relation is no number */
    }
}

/* Does the tree below `i` hold a node of this type? op -1: any. */
static int holds(const math *m, int i, int type, int op)
{
    const node *x = &m->nodes[i];
    int next_child;
    if (x->type == type && (op < 0 || x->op == op))
        return 1;
    if (x->type == NODE_SEQ || x->type == NODE_UNION || x->type == NODE_MATRIX) {
        for (next_child = x->a; next_child >= 0; next_child = m->nodes[next_child].next)
            if (holds(m, next_child, type, op))
                return 1;
        return 0;
    }
    return (x->a >= 0 && holds(m, x->a, type, op)) || (x->b >= 0 && holds(m, x->b, type, op));
}

static int has_decimal(const math *m, int i)
{
    const node *x = &m->nodes[i];
    return x->type == NODE_NUMBER
               ? x->decimal
               : (x->a >= 0 && has_decimal(m, x->a)) || (x->b >= 0 && has_decimal(m, x->b));
}

static int close_to(number a, number b, double tolerance)
{
    double scale;
    if (isinf(creal(a)) || isinf(creal(b)))
        return creal(a) == creal(b);
    if (isnan(creal(a)) || isnan(creal(b)) || isnan(cimag(a)) || isnan(cimag(b)))
        return 0;
    scale = fmax(cabs(a), cabs(b));
    /* whole numbers are compared as such: no tolerance makes 1000000 of 1000001 */
    if (cimag(a) == 0 && cimag(b) == 0 && creal(a) == floor(creal(a)) &&
        creal(b) == floor(creal(b)) && scale < 1e15)
        return creal(a) == creal(b);
    return cabs(a - b) <= tolerance * fmax(scale, 1e-12);
}

/* Two whole numbers too long for a double: their digits. */
static int same_digits(hone_str a, hone_str b)
{
    size_t i = 0, j = 0;
    while (i < a.len && (!is_digit(a.ptr[i]) || a.ptr[i] == '0'))
        i++;
    while (j < b.len && (!is_digit(b.ptr[j]) || b.ptr[j] == '0'))
        j++;
    for (;;) {
        while (i < a.len && !is_digit(a.ptr[i]))
            i++;
        while (j < b.len && !is_digit(b.ptr[j]))
            j++;
        if (i >= a.len || j >= b.len)
            return i >= a.len && j >= b.len;
        if (a.ptr[i++] != b.ptr[j++])
            return 0;
    }
}

/* ---- equality ------------------------------------------------------------------------------------- */

typedef struct part_of { /* an expression, with the sign that its +- takes */
    int i, sign;
} part_of;

typedef struct pair {
    const math *a, *b;
    double tolerance;
    int depth;
} pair;

static int equal_nodes(const pair *p, part_of x, part_of y);

/* 28% and 28 are the same, and 28% and .28. */
static int equal_values(const pair *p, part_of x, part_of y)
{
    const node *nx = &p->a->nodes[x.i], *ny = &p->b->nodes[y.i];
    int px = nx->type == NODE_CALL && nx->op == FUNC_PERCENT,
        py = ny->type == NODE_CALL && ny->op == FUNC_PERCENT;
    double tolerance = has_decimal(p->a, x.i) || has_decimal(p->b, y.i) ? p->tolerance
                                                                        : fmin(p->tolerance, 1e-9);
    if (nx->type == NODE_NUMBER && ny->type == NODE_NUMBER && nx->number >= 1e15 &&
        ny->number >= 1e15 && !nx->decimal && !ny->decimal && nx->digits.ptr && ny->digits.ptr)
        return same_digits(nx->digits, ny->digits);
    for (int factor = 0; factor < 2; factor++) {
        int ok = 1;
        for (int k = 0; k < POINTS && ok; k++) {
            number a = evaluate(p->a, x.i, k, x.sign), b = evaluate(p->b, y.i, k, y.sign);
            if (factor && px)
                a *= 100;
            if (factor && py)
                b *= 100;
            ok = close_to(a, b, tolerance);
        }
        if (ok)
            return 1;
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
    if (x->type != NODE_REL || (x->op != '=' && x->op != 'i'))
        return i;
    while (m->nodes[left].type == NODE_REL && m->nodes[left].op == '=')
        left = m->nodes[left].a;
    /* 3 + 4 = 7 is 7, too; a + 3z = 0 is an equation */
    return math_is_name(m, left) || !holds(m, left, NODE_SYMBOL, -1) ? bare(m, x->b) : i;
}

/* An interval's ends: from inequalities or from brackets. */
typedef struct interval {
    int from, to; /* nodes, -1: infinite */
    int closed_from, closed_to;
} interval;

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
        int name_left = math_is_name(m, x->a), up = x->op == '<' || x->op == 'l',
            closed = x->op == 'l' || x->op == 'g';
        if (!name_left && !math_is_name(m, x->b))
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
    part_of u = {x, 1}, v = {y, 1};
    if (x < 0 && y < 0)
        return 1;
    if (x < 0)
        return creal(evaluate(p->b, y, 0, 1)) == infinity;
    if (y < 0)
        return creal(evaluate(p->a, x, 0, 1)) == infinity;
    return equal_nodes(p, u, v);
}

/* Elements of a list, set or union, +- taken apart. */
static int elements(const math *m, int i, part_of *out)
{
    const node *x = &m->nodes[i];
    int n = 0, c;
    if ((x->type == NODE_SEQ && (x->open == 0 || x->open == '{')) || x->type == NODE_UNION) {
        for (c = x->a; c >= 0; c = m->nodes[c].next) {
            int e = bare(m, c), twice = holds(m, e, NODE_PM, -1);
            for (int k = 0; k <= twice; k++) {
                if (n >= MAX_LIST)
                    return -1;
                out[n].i = e;
                out[n++].sign = k ? -1 : 1;
            }
        }
        return n;
    }
    if (holds(m, i, NODE_PM, -1)) {
        out[0].i = out[1].i = i;
        out[0].sign = 1;
        out[1].sign = -1;
        return 2;
    }
    return 0;
}

static int equal_unordered(const pair *p, const part_of *x, int n, const part_of *y, int k)
{
    uint64_t used = 0;
    if (n != k)
        return 0;
    for (int i = 0; i < n; i++) {
        int j = 0;
        while (j < n && ((used >> j & 1) || !equal_nodes(p, x[i], y[j])))
            j++;
        if (j == n)
            return 0;
        used |= (uint64_t)1 << j;
    }
    return 1;
}

static int equal_ordered(const pair *p, int x, int y)
{
    while (x >= 0 && y >= 0) {
        part_of u = {bare(p->a, x), 1}, v = {bare(p->b, y), 1};
        if (!equal_nodes(p, u, v))
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
        number f = evaluate(p->a, x->a, k, 1) - evaluate(p->a, x->b, k, 1);
        number g = evaluate(p->b, y->a, k, 1) - evaluate(p->b, y->b, k, 1);
        if (!isfinite(cabs(f)) || !isfinite(cabs(g)) || cabs(f) < 1e-12 || cabs(g) < 1e-12)
            return 0;
        if (k == 0) {
            f0 = f;
            g0 = g;
        } else if (!close_to(f * g0, g * f0, 1e-9)) {
            return 0;
        }
    }
    return 1;
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
    if (x->type == NODE_MATRIX || y->type == NODE_MATRIX)
        return x->type == y->type && equal_ordered(p, x->a, y->a);
    if (x->type == NODE_SEQ && y->type == NODE_SEQ && x->open == 'r' && y->open == 'r')
        return equal_ordered(p, x->a, y->a);
    if (as_interval(p->a, u.i, &ix) && as_interval(p->b, v.i, &iy))
        return ix.closed_from == iy.closed_from && ix.closed_to == iy.closed_to &&
               equal_ends(p, ix.from, iy.from, -(double)INFINITY) &&
               equal_ends(p, ix.to, iy.to, (double)INFINITY);
    if (x->type == NODE_REL && y->type == NODE_REL && x->op == y->op &&
        (x->op == '=' || x->op == '!'))
        return equal_equations(p, x, y);
    if (x->type == NODE_SEQ && y->type == NODE_SEQ &&
        ((x->open == '(' && y->open == 0) || (x->open == 0 && y->open == '(') ||
         (x->open == y->open && x->close == y->close && x->open != 0 && x->open != '{')))
        return equal_ordered(p, x->a, y->a);
    nx = outer->depth < 3 ? elements(p->a, u.i, ex) : 0;
    ny = outer->depth < 3 ? elements(p->b, v.i, ey) : 0;
    if (nx > 0 && ny > 0 &&
        !(nx == 2 && ny == 2 && ex[0].i == u.i && ey[0].i == v.i && outer->depth > 0))
        return equal_unordered(p, ex, nx, ey, ny);
    if ((nx > 0) != (ny > 0) && (x->type == NODE_SEQ || y->type == NODE_SEQ ||
                                 x->type == NODE_UNION || y->type == NODE_UNION))
        return 0;
    return equal_values(p, u, v);
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
    u.sign = v.sign = 1;
    if ((a->nodes[u.i].type == NODE_REL) != (b->nodes[v.i].type == NODE_REL)) {
        interval ix, iy;
        if (!as_interval(a, u.i, &ix) || !as_interval(b, v.i, &iy))
            return 0;
    }
    return equal_nodes(&p, u, v);
}

int math_is_number(const math *m)
{
    return m->root >= 0 && !holds(m, m->root, NODE_SYMBOL, 0);
}
