/* math_eval.c - the value of a mathematical answer's tree at a point.
 *
 * Complex numbers in double. Each symbol has a value of its own at each point, which depends on its name alone, so that two
 * expressions with the same symbols agree at several points only if they are the same function. One symbol may be bound to
 * a value (the variable of a condition). What is no number (a tuple, a relation, the reals) is not a number.
 *
 * Degrees count as degrees within sin and its like only: 90 degrees are 90. Time: one visit of each node, and one more of the
 * argument of each trigonometric function. */
#include "math_tree.h"

#include <math.h>

#define PI 3.14159265358979323846

/* Each symbol has a value at each point: between .4 and 2.4, by its name. */
static double symbol_value(uint64_t name, int point)
{
    uint64_t h = name + (uint64_t)(point + 1) * 0x9E3779B97F4A7C15u;
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9u;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBu;
    h ^= h >> 31;
    return 0.4 + 2 * (double)(h >> 11) / 9007199254740992.0;
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

static number call(const node *x, number a, number b)
{
    switch (x->op) {
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
        return x->op == 'R' ? (number)(double)NAN : (number)symbol_value(x->name, e->point);
    case NODE_CALL:
        a = math_evaluate(m, x->a, e);
        b = x->b >= 0 ? math_evaluate(m, x->b, e) : 0;
        if (x->op >= FUNC_SIN && x->op <= FUNC_CSC && math_holds(m, x->a, NODE_CALL, FUNC_DEGREE))
            a *= PI / 180;
        return call(x, a, b);
    case NODE_NEG:
        a = math_evaluate(m, x->a, e);
        return cimag(a) == 0 ? (number)-creal(a)
                             : -a; /* no -0 i: it would turn square roots round */
    case NODE_ADD:
    case NODE_MUL:
    case NODE_DIV:
    case NODE_POW:
    case NODE_PM:
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
        if (e->type != NODE_NUMBER || e->decimal || e->number != floor(e->number) ||
            e->number < 0 || e->number > 1e15 || !residue(m, x->a, p, &a) || (minus && a == 0))
            return 0;
        a = power_mod(a, (uint64_t)e->number, p);
        *out = minus ? power_mod(a, p - 2, p) : a;
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
