/* math_eval.c - the value of a mathematical answer's tree at a point.
 *
 * Complex numbers in double. Each symbol has a value of its own at each point, which depends on its name alone, so that two
 * expressions with the same symbols agree at several points only if they are the same function. One symbol may be bound to
 * a value (the variable of a condition). What is no number (a tuple, a relation, the reals) is not a number. Sums and products
 * over a range are summed, integrals between numbers found by tanh-sinh quadrature (Takahasi & Mori 1974); a budget of terms for
 * each evaluation bounds them.
 *
 * Degrees count as degrees within sin and its like only: 90 degrees are 90. Time: one visit of each node, and one more of the
 * argument of each trigonometric function. */
#include "math_parse.h"

#include <math.h>

#define PI 3.14159265358979323846

enum { MOST_TERMS = 2000 };

/* Each symbol has a value at each point: between .4 and 2.4, by its name. */
static double symbol_value(uint64_t name, int point)
{
    uint64_t h = name + (uint64_t)(point + 1) * 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9u;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBu;
    h ^= h >> 31;
    return 0.4 + 2 * (double)(h >> 11) / 9007199254740992.0;
}

/* Notes that a real argument has no real root, logarithm or power. */
static void no_real(const env *e)
{
    if (e->no_real)
        *e->no_real = 1;
}

static int is_negative(number a)
{
    return cimag(a) == 0 && creal(a) < 0;
}

/* Of two whole numbers below 2^53; not a number of anything else. */
static double divisor(number a, number b)
{
    double x = fabs(creal(a)), y = fabs(creal(b));
    if (cimag(a) != 0 || cimag(b) != 0 || x != floor(x) || y != floor(y) || x > 9e15 || y > 9e15)
        return (double)NAN;
    while (y > 0) {
        const double rest = fmod(x, y);
        x = y;
        y = rest;
    }
    return x;
}

static number call(const node *x, number a, number b, const env *e)
{
    if (is_negative(a) && (x->op == FUNC_SQRT || x->op == FUNC_LN || x->op == FUNC_LOG ||
                           (x->op == FUNC_ROOT && fmod(creal(b), 2) != 1)))
        no_real(e);
    switch (x->op) {
    case FUNC_SINH:
        return csinh(a);
    case FUNC_COSH:
        return ccosh(a);
    case FUNC_TANH:
        return ctanh(a);
    case FUNC_CIS:
        return ccos(a) + csin(a) * (number)_Complex_I;
    case FUNC_PERMUTE:
        return tgamma(creal(a) + 1) / tgamma(creal(a - b) + 1);
    case FUNC_SQRT:
        return csqrt(a);
    case FUNC_ROOT:
        return cimag(a) == 0 && creal(a) < 0 && fmod(creal(b), 2) == 1 ? -cpow(-a, 1 / b)
                                                                       : cpow(a, 1 / b);
    case FUNC_DEGREE:
        return a;
    case FUNC_FLOOR: /* of what rounding left a little short of a whole number, too */
        return cimag(a) == 0 ? floor(creal(a) + 1e-12 * fabs(creal(a))) : (double)NAN;
    case FUNC_CEIL:
        return cimag(a) == 0 ? ceil(creal(a) - 1e-12 * fabs(creal(a))) : (double)NAN;
    case FUNC_MAX:
        return cimag(a) == 0 && cimag(b) == 0 ? fmax(creal(a), creal(b)) : (double)NAN;
    case FUNC_MIN:
        return cimag(a) == 0 && cimag(b) == 0 ? fmin(creal(a), creal(b)) : (double)NAN;
    case FUNC_GCD:
        return divisor(a, b);
    case FUNC_LCM:
        return cabs(a * b) / divisor(a, b);
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

/* The value of a bound variable. */
static number variable(const env *e, uint64_t name)
{
    for (const binding *v = e->variables; v; v = v->outer)
        if (v->name == name)
            return v->value;
    return (double)NAN;
}

/* The body at one value of its variable; not a number when the budget is spent. */
static number term(const math *m, int body, const env *e, uint64_t name, double value)
{
    const binding here = {name, value, e->variables};
    env inner = *e;
    inner.variables = &here;
    return (*e->work)-- > 0 ? math_evaluate(m, body, &inner) : (number)(double)NAN;
}

/* tanh-sinh: x = mid + half tanh(pi/2 sinh t), in steps of 1/16; the coarser sum of every other point must agree. */
static number integral(const math *m, int body, const env *e, uint64_t name, double from, double to)
{
    const double mid = (from + to) / 2, half = (to - from) / 2, step = 1.0 / 16;
    number fine = 0, coarse = 0;
    for (int k = -56; k <= 56; k++) {
        const double t = k * step, s = PI / 2 * sinh(t), x = mid + half * tanh(s);
        const double weight = half * PI / 2 * cosh(t) / (cosh(s) * cosh(s));
        if (x <= fmin(from, to) || x >= fmax(from, to)) /* rounded to an end */
            continue;
        const number v = weight * term(m, body, e, name, x);
        if (isnan(creal(v)))
            return v;
        fine += v;
        coarse += k % 2 == 0 ? v : 0;
    }
    fine *= step;
    coarse *= 2 * step;
    return cabs(fine - coarse) <= 1e-7 * fmax(1, cabs(fine)) ? fine : (number)(double)NAN;
}

/* A sum, a product or an integral: body x->a, x->b the variable with its bounds. */
static number range(const math *m, const node *x, const env *outer)
{
    int own = MOST_TERMS;
    env e = *outer;
    const node *name = &m->nodes[m->nodes[x->b].a], *low = &m->nodes[name->next];
    e.work = e.work ? e.work : &own;
    const number from = math_evaluate(m, name->next, &e), to = math_evaluate(m, low->next, &e);
    number out = x->op == FUNC_PRODUCT;
    if (cimag(from) != 0 || cimag(to) != 0 || !isfinite(creal(from)) || !isfinite(creal(to)))
        return (double)NAN;
    if (x->op == FUNC_INTEGRAL)
        return creal(from) == creal(to) ? 0
                                        : integral(m, x->a, &e, name->name, creal(from), creal(to));
    if (creal(from) != floor(creal(from)) || creal(to) != floor(creal(to)) ||
        creal(to) - creal(from) > MOST_TERMS)
        return (double)NAN;
    for (double k = creal(from); k <= creal(to) && !isnan(creal(out)); k++) {
        const number v = term(m, x->a, &e, name->name, k);
        out = x->op == FUNC_SUM ? out + v : out * v;
    }
    return out;
}

/* Of a matrix, by elimination; not a number when it has no as many rows as columns. */
static number determinant(const math *m, int i, const env *e)
{
    enum { MOST = 8 };
    number at[MOST][MOST], out = 1;
    int n = 0;
    if (m->nodes[i].type != NODE_MATRIX)
        return (double)NAN;
    for (int row = m->nodes[i].a; row >= 0; row = m->nodes[row].next, n++) {
        int k = 0;
        if (n == MOST)
            return (double)NAN;
        for (int c = m->nodes[row].a; c >= 0; c = m->nodes[c].next, k++) {
            if (k == MOST)
                return (double)NAN;
            at[n][k] = math_evaluate(m, c, e);
        }
        for (; k < MOST; k++)
            at[n][k] = (double)NAN;
    }
    for (int r = 0; r < n; r++)
        if (n < MOST && !isnan(creal(at[r][n])))
            return (double)NAN; /* longer rows */
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int r = k + 1; r < n; r++)
            best = cabs(at[r][k]) > cabs(at[best][k]) ? r : best;
        if (cabs(at[best][k]) == 0)
            return 0;
        for (int c = 0; c < n; c++) {
            const number t = at[k][c];
            at[k][c] = at[best][c];
            at[best][c] = t;
        }
        out *= best == k ? at[k][k] : -at[k][k];
        for (int r = k + 1; r < n; r++) {
            const number factor = at[r][k] / at[k][k];
            for (int c = k; c < n; c++)
                at[r][c] -= factor * at[k][c];
        }
    }
    return out;
}

/* C(6,3), P(5,2) */
static int is_choice(const math *m, const node *x)
{
    return m->nodes[x->a].type == NODE_SYMBOL && m->nodes[x->b].type == NODE_SEQ &&
           m->nodes[x->b].open == '(' && m->nodes[x->b].a >= 0 &&
           m->nodes[m->nodes[x->b].a].next >= 0 &&
           m->nodes[m->nodes[m->nodes[x->b].a].next].next < 0;
}

static number choice(const math *m, const node *x, const env *e)
{
    static const node ways[2] = {{.op = FUNC_BINOM}, {.op = FUNC_PERMUTE}};
    const int first = m->nodes[x->b].a;
    const number n = math_evaluate(m, first, e), k = math_evaluate(m, m->nodes[first].next, e);
    const uint64_t name = m->nodes[x->a].name;
    if (creal(k) < 0 || creal(k) > creal(n) ||
        (name != math_name(hone_str_c("C")) && name != math_name(hone_str_c("P"))))
        return (double)NAN;
    return call(&ways[name == math_name(hone_str_c("P"))], n, k, e);
}

number math_evaluate(const math *m, int i, const env *e)
{
    const node *x = &m->nodes[i];
    number a, b;
    switch (x->type) {
    case NODE_NUMBER:
        return x->number;
    case NODE_SYMBOL:
        if (e->bound && x->name == e->name)
            return e->value;
        if (x->op == 'i')
            return (number)_Complex_I;
        if (x->op == 'e')
            return 2.718281828459045235;
        if (x->op == 'p')
            return PI;
        if (x->op == 'b')
            return variable(e, x->name);
        if (x->op == 'R')
            return (double)NAN;
        return (e->signs >> (x->name % 7 % 3) & 1) ? (number)-symbol_value(x->name, e->point)
                                                   : (number)symbol_value(x->name, e->point);
    case NODE_CALL:
        if (x->op >= FUNC_SUM)
            return range(m, x, e);
        if (x->op == FUNC_DET)
            return determinant(m, x->a, e);
        a = math_evaluate(m, x->a, e);
        b = x->b >= 0 ? math_evaluate(m, x->b, e) : 0;
        if (((x->op >= FUNC_SIN && x->op <= FUNC_CSC) || x->op == FUNC_CIS) &&
            math_holds(m, x->a, NODE_CALL, FUNC_DEGREE))
            a *= PI / 180;
        return call(x, a, b, e);
    case NODE_NEG:
        a = math_evaluate(m, x->a, e);
        return cimag(a) == 0 ? (number)-creal(a)
                             : -a; /* no -0 i: it would turn square roots round */
    case NODE_ADD:
    case NODE_MUL:
    case NODE_DIV:
    case NODE_POW:
    case NODE_PM:
        if (x->type == NODE_MUL && is_choice(m, x))
            return choice(m, x, e);
        a = math_evaluate(m, x->a, e);
        b = math_evaluate(m, x->b, e);
        if (x->type == NODE_ADD)
            return a + b;
        if (x->type == NODE_MUL)
            return a * b;
        if (x->type == NODE_DIV)
            return a / b;
        if (x->type == NODE_PM)
            return a + e->sign * b;
        if (cimag(a) == 0 && cimag(b) == 0 && (creal(a) >= 0 || creal(b) == floor(creal(b))))
            return pow(creal(a), creal(b));
        no_real(e);
        return cpow(a, b);
    default:
        return (double)NAN; /* a tuple or a relation is no number */
    }
}

/* Does the tree below `i` hold a node of this type? op -1: any. */
int math_holds(const math *m, int i, int type, int op)
{
    const node *x = &m->nodes[i];
    int next_child;
    if (x->type == type && (op < 0 || x->op == op))
        return 1;
    if (x->type == NODE_SEQ || x->type == NODE_UNION || x->type == NODE_MATRIX) {
        for (next_child = x->a; next_child >= 0; next_child = m->nodes[next_child].next)
            if (math_holds(m, next_child, type, op))
                return 1;
        return 0;
    }
    return (x->a >= 0 && math_holds(m, x->a, type, op)) ||
           (x->b >= 0 && math_holds(m, x->b, type, op));
}

int math_has_decimal(const math *m, int i)
{
    const node *x = &m->nodes[i];
    return x->type == NODE_NUMBER ? x->decimal
                                  : (x->a >= 0 && math_has_decimal(m, x->a)) ||
                                        (x->b >= 0 && math_has_decimal(m, x->b));
}

int math_has_infinity(const math *m, int i)
{
    const node *x = &m->nodes[i];
    if (x->type == NODE_NUMBER)
        return isinf(x->number) && !x->digits.ptr;
    return (x->a >= 0 && math_has_infinity(m, x->a)) || (x->b >= 0 && math_has_infinity(m, x->b));
}

int math_same_tree(const math *a, int i, const math *b, int j)
{
    const node *x = &a->nodes[i], *y = &b->nodes[j];
    if (x->type != y->type || x->op != y->op || x->name != y->name || (x->a < 0) != (y->a < 0) ||
        (x->b < 0) != (y->b < 0) || x->open != y->open ||
        (x->type == NODE_NUMBER && (x->number != y->number || isinf(x->number))))
        return 0;
    return (x->a < 0 || math_same_tree(a, x->a, b, y->a)) &&
           (x->b < 0 || math_same_tree(a, x->b, b, y->b));
}

int math_decimals(const math *m, int i)
{
    const node *x = &m->nodes[i];
    int n = 0, point = 0;
    if (x->type == NODE_NEG)
        x = &m->nodes[x->a];
    if (x->type != NODE_NUMBER || !x->digits.ptr)
        return -1;
    for (size_t k = 0; k < x->digits.len; k++) {
        const char c = x->digits.ptr[k];
        if (c == '.' && !point)
            point = 1;
        else if (is_digit(c))
            n += point;
        else if (point || strchr("eE/", c))
            return -1; /* an exponent, a period, points between thousands */
    }
    return n;
}

int math_close(number a, number b, double tolerance)
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

/* ---- exact fractions ---------------------------------------------------------------------------------- */

static uint64_t power_mod(uint64_t base, uint64_t exponent, uint64_t p)
{
    uint64_t out = 1;
    for (base %= p; exponent; exponent >>= 1, base = base * base % p)
        if (exponent & 1)
            out = out * base % p;
    return out;
}

/* The exponent at i modulo p - 1, which is enough for the powers of what p does not divide: a whole number, or a tower of them.
 * 0: it is no such thing. */
static int exponent_of(const math *m, int i, uint64_t p, uint64_t *out)
{
    const node *x = &m->nodes[i];
    uint64_t e;
    if (x->type == NODE_NUMBER && !x->decimal && x->number >= 0 && x->number <= 1e15 &&
        x->number == floor(x->number)) {
        *out = (uint64_t)x->number; /* itself */
        return 1;
    }
    if (x->type != NODE_POW || m->nodes[x->a].type != NODE_NUMBER || m->nodes[x->a].decimal ||
        !(m->nodes[x->a].number >= 1 && m->nodes[x->a].number <= 1e9))
        return 0;
    const env at = {.sign = 1};
    const double inner = creal(math_evaluate(m, x->b, &at)), base = m->nodes[x->a].number;
    if (!(inner >= 0 && inner <= 1e15 && inner == floor(inner)) || math_has_decimal(m, x->b))
        return 0;
    e = power_mod((uint64_t)base, (uint64_t)inner, p - 1);
    *out = e ? e : p - 1;
    return 1;
}

/* The value modulo the prime p < 2^31. 0: it is no such fraction, or its denominator is a multiple of p. */
static int residue(const math *m, int i, uint64_t p, uint64_t *out)
{
    const node *x = &m->nodes[i];
    uint64_t a = 0, b = 0;
    switch (x->type) {
    case NODE_NUMBER:
        if (x->decimal)
            return 0;
        if (!x->digits.ptr) { /* made by the parser: a digit */
            if (!(x->number >= 0 && x->number < 1e15 && x->number == floor(x->number)))
                return 0;
            *out = (uint64_t)x->number % p;
            return 1;
        }
        if (memchr(x->digits.ptr, '/', x->digits.len))
            return 0;
        for (size_t k = 0; k < x->digits.len; k++) /* separators say nothing */
            if (is_digit(x->digits.ptr[k]))
                a = (10 * a + (uint64_t)(x->digits.ptr[k] - '0')) % p;
        *out = a;
        return 1;
    case NODE_NEG:
        if (!residue(m, x->a, p, &a))
            return 0;
        *out = (p - a) % p;
        return 1;
    case NODE_ADD:
    case NODE_MUL:
    case NODE_DIV:
        if (!residue(m, x->a, p, &a) || !residue(m, x->b, p, &b) || (x->type == NODE_DIV && b == 0))
            return 0;
        *out = x->type == NODE_ADD   ? (a + b) % p
               : x->type == NODE_MUL ? a * b % p
                                     : a * power_mod(b, p - 2, p) % p;
        return 1;
    case NODE_POW: {
        const node *e = &m->nodes[x->b];
        const int minus = e->type == NODE_NEG;
        e = minus ? &m->nodes[e->a] : e;
        if (!exponent_of(m, (int)(e - m->nodes), p, &b) || !residue(m, x->a, p, &a) ||
            (a == 0 && (minus || e->type != NODE_NUMBER)))
            return 0;
        a = power_mod(a, b, p);
        *out = minus ? power_mod(a, p - 2, p) : a;
        return 1;
    }
    case NODE_CALL: {
        const node *n = &m->nodes[x->a];
        if (x->op != FUNC_FACTORIAL || n->type != NODE_NUMBER || n->decimal || n->number < 0 ||
            n->number > 5000 || n->number != floor(n->number))
            return 0;
        for (a = 1, b = 2; b <= (uint64_t)n->number; b++)
            a = a * b % p;
        *out = a;
        return 1;
    }
    default:
        return 0;
    }
}

int math_same_exactly(const math *a, int i, const math *b, int j)
{
    static const uint64_t primes[] = {2147483647, 2147483629, 2147483587};
    int equal = 1;
    for (size_t k = 0; k < 3; k++) {
        uint64_t x, y;
        if (!residue(a, i, primes[k], &x) || !residue(b, j, primes[k], &y))
            return -1;
        equal &= x == y;
    }
    return equal;
}
