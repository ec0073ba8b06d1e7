/* math_matrix.c - answers that are matrices, with the arithmetic written around them.
 *
 * Products, sums, multiples, whole powers and the transpose of matrices up to 8 x 8 are computed at several points, entry by
 * entry, and compared. A column is no tuple and a row no list: what is written as a matrix is one. */
#include "math_tree.h"

#include <math.h>

enum { MOST = 8 };

typedef struct grid {
    int rows, columns; /* 1 x 1 with `scalar`: a number */
    int scalar;
    number at[MOST][MOST];
} grid;

static int read_rows(const math *m, int i, const env *e, grid *out)
{
    out->rows = out->columns = out->scalar = 0;
    for (int row = m->nodes[i].a; row >= 0; row = m->nodes[row].next) {
        int n = 0;
        if (out->rows == MOST)
            return 0;
        for (int x = m->nodes[row].a; x >= 0; x = m->nodes[x].next) {
            if (n == MOST)
                return 0;
            out->at[out->rows][n] = math_evaluate(m, x, e);
            if (isnan(creal(out->at[out->rows][n])))
                return 0;
            n++;
        }
        if (out->rows && n != out->columns)
            return 0;
        out->columns = n;
        out->rows++;
    }
    return out->rows > 0 && out->columns > 0;
}

static int multiply(const grid *a, const grid *b, grid *out)
{
    const grid *s = a->scalar ? a : b->scalar ? b : NULL, *g = s == a ? b : a;
    if (s) {
        *out = *g;
        for (int r = 0; r < g->rows; r++)
            for (int c = 0; c < g->columns; c++)
                out->at[r][c] *= s->at[0][0];
        return 1;
    }
    if (a->columns != b->rows)
        return 0;
    out->rows = a->rows;
    out->columns = b->columns;
    out->scalar = 0;
    for (int r = 0; r < a->rows; r++)
        for (int c = 0; c < b->columns; c++) {
            out->at[r][c] = 0;
            for (int k = 0; k < a->columns; k++)
                out->at[r][c] += a->at[r][k] * b->at[k][c];
        }
    return 1;
}

static int value_of(const math *m, int i, const env *e, grid *out, int depth);

static int power_of(const math *m, const node *x, const env *e, const grid *base, grid *out)
{
    const node *p = &m->nodes[x->b];
    if (p->type == NODE_SYMBOL) { /* ^T */
        out->rows = base->columns;
        out->columns = base->rows;
        out->scalar = base->scalar;
        for (int r = 0; r < base->rows; r++)
            for (int c = 0; c < base->columns; c++)
                out->at[c][r] = base->at[r][c];
        return 1;
    }
    const number n = math_evaluate(m, x->b, e);
    if (cimag(n) != 0 || creal(n) != floor(creal(n)) || creal(n) < 1 || creal(n) > 64)
        return 0;
    *out = *base;
    for (int k = 1; k < (int)creal(n); k++) {
        const grid left = *out;
        if (!multiply(&left, base, out))
            return 0;
    }
    return 1;
}

static int value_of(const math *m, int i, const env *e, grid *out, int depth)
{
    const node *x = &m->nodes[i];
    grid a, b;
    if (depth > 12) /* each level has two grids on the stack */
        return 0;
    if (x->type == NODE_MATRIX)
        return read_rows(m, i, e, out);
    if (!math_holds(m, i, NODE_MATRIX, -1) || (x->type == NODE_CALL && x->op == FUNC_DET)) {
        out->rows = out->columns = out->scalar = 1;
        out->at[0][0] = math_evaluate(m, i, e);
        return !isnan(creal(out->at[0][0]));
    }
    if (x->type == NODE_NEG || x->type == NODE_ADD || x->type == NODE_MUL || x->type == NODE_DIV ||
        x->type == NODE_POW) {
        if (!value_of(m, x->a, e, &a, depth + 1))
            return 0;
        if (x->type == NODE_POW)
            return power_of(m, x, e, &a, out);
        if (x->type == NODE_NEG) {
            b.rows = b.columns = b.scalar = 1;
            b.at[0][0] = -1;
        } else if (!value_of(m, x->b, e, &b, depth + 1)) {
            return 0;
        }
        if (x->type == NODE_DIV) {
            if (!b.scalar)
                return 0;
            b.at[0][0] = 1 / b.at[0][0];
        }
        if (x->type != NODE_ADD)
            return multiply(&a, &b, out);
        if (a.rows != b.rows || a.columns != b.columns || a.scalar != b.scalar)
            return 0;
        *out = a;
        for (int r = 0; r < a.rows; r++)
            for (int c = 0; c < a.columns; c++)
                out->at[r][c] += b.at[r][c];
        return 1;
    }
    return 0;
}

int math_same_matrix(const math *a, int i, const math *b, int j, double tolerance)
{
    grid x, y;
    for (int k = 0; k < POINTS; k++) {
        const env e = {.point = k, .sign = 1};
        if (!value_of(a, i, &e, &x, 0) || !value_of(b, j, &e, &y, 0))
            return -1;
        if (x.rows != y.rows || x.columns != y.columns || x.scalar != y.scalar)
            return 0;
        for (int r = 0; r < x.rows; r++)
            for (int c = 0; c < x.columns; c++)
                if (!math_close(x.at[r][c], y.at[r][c], tolerance))
                    return 0;
    }
    return 1;
}
