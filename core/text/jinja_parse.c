/* jinja_parse.c - tokens to a tree, by recursive descent.
 *
 * The grammar is Jinja2's (jinja2/parser.py), with its precedences: ternary, or, and, not, comparison, + -,
 * ~, * / // %, **, unary, postfix and filters. Filters and tests are looked up here, so that an unknown
 * one is refused before anything is rendered. Nesting is limited to J_DEPTH. */
#include "text/jinja_int.h"

#include "base/map.h"

#include <string.h>

typedef struct parser {
    hone_jinja *t;
    const jtoken *tok; /* the current one */
    hone_map names;
    int depth, loops, uses; /* uses: J_CALLER ... named so far */
} parser;

static hone_status fail_at(parser *p, const char *what)
{
    return hone_fail(HONE_E_PARSE, "%s:%d: %s", p->t->name, p->tok->line, what);
}

static hone_status unsupported(parser *p, const char *what, hone_str name)
{
    return hone_fail(HONE_E_UNSUPPORTED, "%s:%d: %s \"%.*s\" is not supported", p->t->name,
                     p->tok->line, what, (int)(name.len < 60 ? name.len : 60), name.ptr);
}

static int is_op(const parser *p, int op)
{
    return p->tok->kind == T_OP && p->tok->op == op;
}

static int is_name(const parser *p, const char *z)
{
    return p->tok->kind == T_NAME && hone__jinja_is(p->tok->text, z);
}

static int skip_op(parser *p, int op)
{
    if (!is_op(p, op))
        return 0;
    p->tok++;
    return 1;
}

static int skip_name(parser *p, const char *z)
{
    if (!is_name(p, z))
        return 0;
    p->tok++;
    return 1;
}

static hone_status unexpected(parser *p, const char *wanted)
{
    const jtoken *k = p->tok;
    switch (k->kind) {
    case T_NAME:
    case T_STRING:
        return hone_fail(HONE_E_PARSE, "%s:%d: expected %s, found \"%.*s\"", p->t->name, k->line,
                         wanted, (int)(k->text.len < 60 ? k->text.len : 60), k->text.ptr);
    case T_OP:
        return hone_fail(HONE_E_PARSE, "%s:%d: expected %s, found '%c%c'", p->t->name, k->line,
                         wanted, k->op & 255, k->op > 255 ? k->op >> 8 : ' ');
    case T_EOF:
        return hone_fail(HONE_E_PARSE, "%s:%d: expected %s, found the end of the template",
                         p->t->name, k->line, wanted);
    default:
        return hone_fail(HONE_E_PARSE, "%s:%d: expected %s", p->t->name, k->line, wanted);
    }
}

static hone_status want_op(parser *p, int op, const char *wanted)
{
    return skip_op(p, op) ? HONE_OK : unexpected(p, wanted);
}

static hone_status enter(parser *p)
{
    if (++p->depth > J_DEPTH)
        return hone_fail(HONE_E_LIMIT, "%s:%d: nested too deep", p->t->name, p->tok->line);
    return HONE_OK;
}

static hone_status node(parser *p, enum jkind kind, jnode **out)
{
    jnode *n = hone_arena_calloc(&p->t->arena, 1, sizeof *n);
    if (!n)
        return HONE_E_NOMEM;
    n->kind = kind;
    n->line = p->tok->line;
    *out = n;
    return HONE_OK;
}

/* Appends to a node's list; capacity is the next power of two. */
static hone_status add(parser *p, jnode ***list, size_t *n, jnode *item)
{
    if ((*n & (*n - 1)) == 0) {
        size_t cap = *n ? *n * 2 : 1;
        jnode **v = hone_arena_calloc(&p->t->arena, cap, sizeof *v);
        if (!v)
            return HONE_E_NOMEM;
        if (*n)
            memcpy(v, *list, *n * sizeof *v);
        *list = v;
    }
    (*list)[(*n)++] = item;
    return HONE_OK;
}

static hone_status intern(parser *p, hone_str s, hone_str *out)
{
    char *known = hone_map_get(&p->names, s.ptr, s.len);
    if (!known) {
        known = hone_arena_strndup(&p->t->arena, s.ptr, s.len);
        if (!known)
            return HONE_E_NOMEM;
        HONE_TRY(hone_map_put(&p->names, s.ptr, s.len, known, NULL));
    }
    out->ptr = known;
    out->len = s.len;
    return HONE_OK;
}

static hone_status want_name(parser *p, hone_str *out)
{
    if (p->tok->kind != T_NAME)
        return unexpected(p, "a name");
    HONE_TRY(intern(p, p->tok->text, out));
    p->tok++;
    return HONE_OK;
}

/* ---- expressions --------------------------------------------------------------------------------------- */
static hone_status expression(parser *p, jnode **out);
static hone_status unary(parser *p, int with_filter, jnode **out);
static hone_status postfix(parser *p, jnode **n);
static hone_status filters(parser *p, jnode **n);

static hone_status arguments(parser *p, jnode *n)
{
    while (!skip_op(p, ')')) {
        if (n->n + n->n_kw > 0) {
            HONE_TRY(want_op(p, ',', "',' or ')'"));
            if (skip_op(p, ')'))
                break;
        }
        jnode *value, *star = NULL;
        hone_str key = {NULL, 0};
        if (is_op(p, '*') || is_op(p, J_OP2('*', '*'))) {
            if (is_op(p, '*') ? n->n_kw > 0 : 0)
                return fail_at(p, "*arguments follow a keyword argument");
            HONE_TRY(node(p, E_STAR, &star));
            if (p->tok->op != '*')
                key.ptr = "**"; /* no name */
            p->tok++;
        } else if (p->tok->kind == T_NAME && p->tok[1].kind == T_OP && p->tok[1].op == '=') {
            HONE_TRY(intern(p, p->tok->text, &key));
            p->tok += 2;
        } else if (n->n_kw > 0) {
            return fail_at(p, "a positional argument follows a keyword argument");
        }
        HONE_TRY(expression(p, &value));
        if (star) {
            star->a = value;
            value = star;
            n->op = 1; /* has stars */
        }
        if (!key.ptr) {
            HONE_TRY(add(p, &n->list, &n->n, value));
            continue;
        }
        hone_str *names = hone_arena_calloc(&p->t->arena, n->n_kw + 1, sizeof *names);
        if (!names)
            return HONE_E_NOMEM;
        if (n->n_kw)
            memcpy(names, n->kw_names, n->n_kw * sizeof *names);
        names[n->n_kw] = key;
        n->kw_names = names;
        HONE_TRY(add(p, &n->kw_list, &n->n_kw, value));
    }
    return HONE_OK;
}

static hone_status constant(parser *p, jval v, jnode **out)
{
    HONE_TRY(node(p, E_CONST, out));
    (*out)->value = v;
    p->tok++;
    return HONE_OK;
}

/* a, b, c: one expression stays itself unless a comma follows. `close`: the operator that ends an empty one. */
static hone_status tuple(parser *p, int close, jnode **out)
{
    jnode *t, *first;
    HONE_TRY(node(p, E_TUPLE, &t));
    if (close && is_op(p, close)) {
        *out = t;
        return HONE_OK;
    }
    HONE_TRY(expression(p, &first));
    if (!is_op(p, ',')) {
        *out = first;
        return HONE_OK;
    }
    HONE_TRY(add(p, &t->list, &t->n, first));
    while (skip_op(p, ',')) {
        if ((close && is_op(p, close)) || p->tok->kind == T_VAR_END ||
            p->tok->kind == T_BLOCK_END || is_op(p, '=') || is_name(p, "if") ||
            is_name(p, "recursive"))
            break;
        HONE_TRY(expression(p, &first));
        HONE_TRY(add(p, &t->list, &t->n, first));
    }
    *out = t;
    return HONE_OK;
}

static hone_status primary(parser *p, jnode **out)
{
    const jtoken *k = p->tok;
    if (k->kind == T_NAME) {
        if (hone__jinja_is(k->text, "true") || hone__jinja_is(k->text, "True"))
            return constant(p, j_bool(1), out);
        if (hone__jinja_is(k->text, "false") || hone__jinja_is(k->text, "False"))
            return constant(p, j_bool(0), out);
        if (hone__jinja_is(k->text, "none") || hone__jinja_is(k->text, "None"))
            return constant(p, j_none(), out);
        p->uses |= hone__jinja_is(k->text, "caller")    ? J_CALLER
                   : hone__jinja_is(k->text, "varargs") ? J_VARARGS
                   : hone__jinja_is(k->text, "kwargs")  ? J_KWARGS
                                                        : 0;
        HONE_TRY(node(p, E_NAME, out));
        return want_name(p, &(*out)->name);
    }
    if (k->kind == T_INT)
        return constant(p, j_int(k->i), out);
    if (k->kind == T_FLOAT)
        return constant(p, j_float(k->f), out);
    if (k->kind == T_STRING) {
        size_t n = 0, at = 0;
        for (const jtoken *s = k; s->kind == T_STRING; s++)
            n += s->text.len;
        char *joined = hone_arena_alloc(&p->t->arena, n + 1);
        if (!joined)
            return HONE_E_NOMEM;
        for (; p->tok->kind == T_STRING; p->tok++) {
            if (p->tok->text.len)
                memcpy(joined + at, p->tok->text.ptr, p->tok->text.len);
            at += p->tok->text.len;
        }
        p->tok--;
        hone_str s = {joined, n};
        return constant(p, j_str(s), out);
    }
    if (skip_op(p, '(')) {
        HONE_TRY(tuple(p, ')', out));
        return want_op(p, ')', "')'");
    }
    if (skip_op(p, '[')) {
        jnode *item;
        HONE_TRY(node(p, E_LIST, out));
        while (!skip_op(p, ']')) {
            if ((*out)->n) {
                HONE_TRY(want_op(p, ',', "',' or ']'"));
                if (skip_op(p, ']'))
                    break;
            }
            HONE_TRY(expression(p, &item));
            HONE_TRY(add(p, &(*out)->list, &(*out)->n, item));
        }
        return HONE_OK;
    }
    if (skip_op(p, '{')) {
        jnode *item;
        HONE_TRY(node(p, E_DICT, out));
        while (!skip_op(p, '}')) {
            if ((*out)->n) {
                HONE_TRY(want_op(p, ',', "',' or '}'"));
                if (skip_op(p, '}'))
                    break;
            }
            HONE_TRY(expression(p, &item));
            HONE_TRY(add(p, &(*out)->list, &(*out)->n, item));
            HONE_TRY(want_op(p, ':', "':'"));
            HONE_TRY(expression(p, &item));
            HONE_TRY(add(p, &(*out)->list, &(*out)->n, item));
        }
        return HONE_OK;
    }
    return unexpected(p, "an expression");
}

static hone_status subscript(parser *p, jnode **n)
{
    jnode *item, *index = NULL;
    HONE_TRY(node(p, E_ITEM, &item));
    item->a = *n;
    if (!is_op(p, ':'))
        HONE_TRY(expression(p, &index));
    if (is_op(p, ':')) {
        jnode *slice;
        HONE_TRY(node(p, E_SLICE, &slice));
        slice->a = index;
        p->tok++;
        if (!is_op(p, ':') && !is_op(p, ']'))
            HONE_TRY(expression(p, &slice->b));
        if (skip_op(p, ':') && !is_op(p, ']'))
            HONE_TRY(expression(p, &slice->c));
        index = slice;
    }
    item->b = index;
    *n = item;
    if (is_op(p, ',')) {
        hone_str several = {",", 1};
        return unsupported(p, "subscript", several);
    }
    return want_op(p, ']', "']'");
}

static hone_status postfix(parser *p, jnode **n)
{
    for (int chain = 0;; chain++) {
        jnode *outer;
        if (chain > 10 * J_DEPTH)
            return hone_fail(HONE_E_LIMIT, "%s:%d: too many subscripts in a row", p->t->name,
                             p->tok->line);
        if (skip_op(p, '.')) {
            if (p->tok->kind == T_INT) {
                jnode *index;
                HONE_TRY(node(p, E_ITEM, &outer));
                HONE_TRY(constant(p, j_int(p->tok->i), &index));
                outer->b = index;
            } else {
                HONE_TRY(node(p, E_ATTR, &outer));
                HONE_TRY(want_name(p, &outer->name));
            }
            outer->a = *n;
            *n = outer;
        } else if (skip_op(p, '[')) {
            HONE_TRY(subscript(p, n));
        } else if (skip_op(p, '(')) {
            HONE_TRY(node(p, E_CALL, &outer));
            outer->a = *n;
            HONE_TRY(arguments(p, outer));
            *n = outer;
        } else {
            return HONE_OK;
        }
    }
}

static hone_status one_filter(parser *p, jnode **n)
{
    jnode *f;
    HONE_TRY(node(p, E_FILTER, &f));
    f->a = *n;
    HONE_TRY(want_name(p, &f->name));
    f->fn = hone__jinja_find_filter(f->name);
    if (!f->fn) {
        p->tok--;
        return unsupported(p, "filter", f->name);
    }
    if (skip_op(p, '('))
        HONE_TRY(arguments(p, f));
    *n = f;
    return HONE_OK;
}

static int begins_primary(const parser *p)
{
    const jtoken *k = p->tok;
    if (k->kind == T_NAME)
        return !hone__jinja_is(k->text, "else") && !hone__jinja_is(k->text, "or") &&
               !hone__jinja_is(k->text, "and") && !hone__jinja_is(k->text, "if") &&
               !hone__jinja_is(k->text, "is") && !hone__jinja_is(k->text, "not") &&
               !hone__jinja_is(k->text, "in");
    return k->kind == T_STRING || k->kind == T_INT || k->kind == T_FLOAT || is_op(p, '(') ||
           is_op(p, '[') || is_op(p, '{');
}

static hone_status one_test(parser *p, jnode **n)
{
    jnode *t, *arg;
    int negated = skip_name(p, "not");
    HONE_TRY(node(p, E_TEST, &t));
    t->a = *n;
    HONE_TRY(want_name(p, &t->name));
    t->fn = hone__jinja_find_test(t->name);
    if (!t->fn) {
        p->tok--;
        return unsupported(p, "test", t->name);
    }
    if (skip_op(p, '(')) {
        HONE_TRY(arguments(p, t));
    } else if (is_name(p, "is")) {
        return fail_at(p, "tests with \"is\" cannot be chained");
    } else if (begins_primary(p)) {
        HONE_TRY(primary(p, &arg));
        HONE_TRY(postfix(p, &arg));
        HONE_TRY(add(p, &t->list, &t->n, arg));
    }
    *n = t;
    if (negated) {
        jnode *outer;
        HONE_TRY(node(p, E_NOT, &outer));
        outer->a = t;
        *n = outer;
    }
    return HONE_OK;
}

static hone_status filters(parser *p, jnode **n)
{
    for (int chain = 0; chain <= J_DEPTH; chain++) {
        if (skip_op(p, '|')) {
            HONE_TRY(one_filter(p, n));
        } else if (skip_name(p, "is")) {
            HONE_TRY(one_test(p, n));
        } else if (is_op(p, '(')) {
            jnode *call;
            p->tok++;
            HONE_TRY(node(p, E_CALL, &call));
            call->a = *n;
            HONE_TRY(arguments(p, call));
            *n = call;
        } else {
            return HONE_OK;
        }
    }
    return hone_fail(HONE_E_LIMIT, "%s:%d: too many filters in a row", p->t->name, p->tok->line);
}

static hone_status unary(parser *p, int with_filter, jnode **out)
{
    HONE_TRY(enter(p));
    if (is_op(p, '-') || is_op(p, '+')) {
        HONE_TRY(node(p, is_op(p, '-') ? E_NEG : E_POS, out));
        p->tok++;
        HONE_TRY(unary(p, 0, &(*out)->a));
    } else {
        HONE_TRY(primary(p, out));
    }
    HONE_TRY(postfix(p, out));
    if (with_filter)
        HONE_TRY(filters(p, out));
    p->depth--;
    return HONE_OK;
}

static hone_status binary(parser *p, int op, jnode **left, hone_status (*next)(parser *, jnode **))
{
    jnode *n;
    HONE_TRY(node(p, E_BIN, &n));
    n->op = op;
    n->a = *left;
    p->tok++;
    HONE_TRY(next(p, &n->b));
    *left = n;
    return HONE_OK;
}

static hone_status full_unary(parser *p, jnode **out)
{
    return unary(p, 1, out);
}

/* Left-associative chains build a tree that is deep on the left: its depth is limited as nesting is. */
#define CHAIN_LIMIT(p, k)                                                                          \
    do {                                                                                           \
        if (++(k) > 4 * J_DEPTH)                                                                   \
            return hone_fail(HONE_E_LIMIT, "%s:%d: too many operators in a row", (p)->t->name,     \
                             (p)->tok->line);                                                      \
    } while (0)

static hone_status power(parser *p, jnode **out)
{
    int k = 0;
    HONE_TRY(full_unary(p, out));
    while (is_op(p, J_OP2('*', '*'))) {
        CHAIN_LIMIT(p, k);
        HONE_TRY(binary(p, p->tok->op, out, full_unary));
    }
    return HONE_OK;
}

static hone_status product(parser *p, jnode **out)
{
    int k = 0;
    HONE_TRY(power(p, out));
    while (is_op(p, '*') || is_op(p, '/') || is_op(p, J_OP2('/', '/')) || is_op(p, '%')) {
        CHAIN_LIMIT(p, k);
        HONE_TRY(binary(p, p->tok->op, out, power));
    }
    return HONE_OK;
}

static hone_status concat(parser *p, jnode **out)
{
    HONE_TRY(product(p, out));
    if (!is_op(p, '~'))
        return HONE_OK;
    jnode *n, *item = *out;
    HONE_TRY(node(p, E_CONCAT, &n));
    HONE_TRY(add(p, &n->list, &n->n, item));
    while (skip_op(p, '~')) {
        HONE_TRY(product(p, &item));
        HONE_TRY(add(p, &n->list, &n->n, item));
    }
    *out = n;
    return HONE_OK;
}

static hone_status sum(parser *p, jnode **out)
{
    int k = 0;
    HONE_TRY(concat(p, out));
    while (is_op(p, '+') || is_op(p, '-')) {
        CHAIN_LIMIT(p, k);
        HONE_TRY(binary(p, p->tok->op, out, concat));
    }
    return HONE_OK;
}

static hone_status compare(parser *p, jnode **out)
{
    jnode *n = NULL, *right;
    HONE_TRY(sum(p, out));
    for (;;) {
        int op = 0;
        if (p->tok->kind == T_OP &&
            (p->tok->op == '<' || p->tok->op == '>' || p->tok->op == J_OP2('=', '=') ||
             p->tok->op == J_OP2('!', '=') || p->tok->op == J_OP2('<', '=') ||
             p->tok->op == J_OP2('>', '=')))
            op = p->tok->op;
        else if (is_name(p, "in"))
            op = 'i';
        else if (is_name(p, "not") && p->tok[1].kind == T_NAME &&
                 hone__jinja_is(p->tok[1].text, "in"))
            op = 'n';
        if (!op)
            return HONE_OK;
        p->tok += op == 'n' ? 2 : 1;
        if (!n) {
            HONE_TRY(node(p, E_COMPARE, &n));
            n->a = *out;
            *out = n;
        }
        HONE_TRY(sum(p, &right));
        jnode *link; /* the operator and its right side */
        HONE_TRY(node(p, E_COMPARE, &link));
        link->op = op;
        link->a = right;
        HONE_TRY(add(p, &n->list, &n->n, link));
    }
}

static hone_status negation(parser *p, jnode **out)
{
    if (!is_name(p, "not") || (p->tok[1].kind == T_NAME && hone__jinja_is(p->tok[1].text, "in")))
        return compare(p, out);
    HONE_TRY(enter(p));
    HONE_TRY(node(p, E_NOT, out));
    p->tok++;
    HONE_TRY(negation(p, &(*out)->a));
    p->depth--;
    return HONE_OK;
}

static hone_status logic(parser *p, const char *word, enum jkind kind, jnode **out,
                         hone_status (*next)(parser *, jnode **))
{
    int k = 0;
    HONE_TRY(next(p, out));
    while (is_name(p, word)) {
        jnode *n;
        CHAIN_LIMIT(p, k);
        HONE_TRY(node(p, kind, &n));
        p->tok++;
        n->a = *out;
        HONE_TRY(next(p, &n->b));
        *out = n;
    }
    return HONE_OK;
}

static hone_status conjunction(parser *p, jnode **out)
{
    return logic(p, "and", E_AND, out, negation);
}

static hone_status disjunction(parser *p, jnode **out)
{
    return logic(p, "or", E_OR, out, conjunction);
}

static hone_status expression(parser *p, jnode **out)
{
    HONE_TRY(enter(p));
    HONE_TRY(disjunction(p, out));
    while (is_name(p, "if")) {
        jnode *n;
        HONE_TRY(node(p, E_COND, &n));
        p->tok++;
        n->a = *out;
        HONE_TRY(disjunction(p, &n->b));
        if (skip_name(p, "else"))
            HONE_TRY(expression(p, &n->c));
        *out = n;
    }
    p->depth--;
    return HONE_OK;
}

/* ---- statements ----------------------------------------------------------------------------------------- */
static hone_status body(parser *p, const char *const *ends, jnode **out);

static hone_status block_end(parser *p)
{
    if (p->tok->kind != T_BLOCK_END)
        return unexpected(p, "the end of the statement");
    p->tok++;
    return HONE_OK;
}

/* a | a, b | (a, b) | ns.a */
static hone_status target(parser *p, int namespaces, jnode **out)
{
    jnode *one, *t = NULL;
    int paren = skip_op(p, '(');
    do {
        if (t && ((paren && is_op(p, ')')) || is_op(p, '=') || is_name(p, "in")))
            break;
        if (t || paren ? is_op(p, '(') : 0) { /* a, (b, c) */
            HONE_TRY(enter(p));
            HONE_TRY(target(p, namespaces, &one));
            p->depth--;
        } else {
            HONE_TRY(node(p, E_NAME, &one));
            HONE_TRY(want_name(p, &one->name));
        }
        if (namespaces && one->kind == E_NAME && skip_op(p, '.')) {
            jnode *attr;
            HONE_TRY(node(p, E_ATTR, &attr));
            attr->a = one;
            HONE_TRY(want_name(p, &attr->name));
            one = attr;
        }
        if (!t && !is_op(p, ',') && !paren) {
            *out = one;
            return HONE_OK;
        }
        if (!t)
            HONE_TRY(node(p, E_TUPLE, &t));
        HONE_TRY(add(p, &t->list, &t->n, one));
    } while (skip_op(p, ','));
    if (paren)
        HONE_TRY(want_op(p, ')', "')'"));
    *out = t;
    return HONE_OK;
}

static hone_status parameters(parser *p, jnode *n)
{
    while (!skip_op(p, ')')) {
        jnode *one;
        if (n->n) {
            HONE_TRY(want_op(p, ',', "',' or ')'"));
            if (skip_op(p, ')'))
                break;
        }
        HONE_TRY(node(p, E_NAME, &one));
        HONE_TRY(want_name(p, &one->name));
        if (skip_op(p, '='))
            HONE_TRY(expression(p, &one->a));
        else if (n->n && n->list[n->n - 1]->a)
            return fail_at(p, "a parameter without default follows one with");
        HONE_TRY(add(p, &n->list, &n->n, one));
    }
    return HONE_OK;
}

static hone_status end_tag(parser *p)
{
    p->tok++; /* the name, which body() has checked */
    return block_end(p);
}

static hone_status parse_for(parser *p, jnode **out)
{
    static const char *const middle[] = {"else", "endfor", NULL}, *const last[] = {"endfor", NULL};
    jnode *n;
    HONE_TRY(node(p, S_FOR, &n));
    HONE_TRY(target(p, 0, &n->a));
    if (!skip_name(p, "in"))
        return unexpected(p, "\"in\"");
    /* no ternary here: `if` begins the filter */
    HONE_TRY(disjunction(p, &n->b));
    if (is_op(p, ',')) { /* for x in a, b */
        jnode *t, *item = n->b;
        HONE_TRY(node(p, E_TUPLE, &t));
        HONE_TRY(add(p, &t->list, &t->n, item));
        while (skip_op(p, ',')) {
            if (p->tok->kind == T_BLOCK_END || is_name(p, "if") || is_name(p, "recursive"))
                break;
            HONE_TRY(disjunction(p, &item));
            HONE_TRY(add(p, &t->list, &t->n, item));
        }
        n->b = t;
    }
    if (skip_name(p, "if"))
        HONE_TRY(expression(p, &n->c));
    n->op = skip_name(p, "recursive");
    HONE_TRY(block_end(p));
    p->loops++;
    HONE_TRY(body(p, middle, &n->d));
    p->loops--;
    if (is_name(p, "else")) {
        HONE_TRY(end_tag(p));
        HONE_TRY(body(p, last, &n->e));
    }
    *out = n;
    return end_tag(p);
}

static hone_status parse_if(parser *p, jnode **out)
{
    static const char *const middle[] = {"elif", "else", "endif", NULL}, *const last[] = {"endif",
                                                                                          NULL};
    jnode *n, *cond, *then;
    HONE_TRY(node(p, S_IF, &n));
    do {
        HONE_TRY(expression(p, &cond));
        HONE_TRY(block_end(p));
        HONE_TRY(body(p, middle, &then));
        HONE_TRY(add(p, &n->list, &n->n, cond));
        HONE_TRY(add(p, &n->list, &n->n, then));
    } while (skip_name(p, "elif"));
    if (is_name(p, "else")) {
        HONE_TRY(end_tag(p));
        HONE_TRY(body(p, last, &n->d));
    }
    *out = n;
    return end_tag(p);
}

static hone_status parse_set(parser *p, jnode **out)
{
    static const char *const last[] = {"endset", NULL};
    jnode *n;
    HONE_TRY(node(p, S_SET, &n));
    HONE_TRY(target(p, 1, &n->a));
    *out = n;
    if (skip_op(p, '=')) {
        HONE_TRY(tuple(p, 0, &n->b));
        return block_end(p);
    }
    n->kind = S_SET_BLOCK;
    for (int k = 0; skip_op(p, '|');) {
        CHAIN_LIMIT(p, k);
        HONE_TRY(one_filter(p, &n->b));
    }
    HONE_TRY(block_end(p));
    HONE_TRY(body(p, last, &n->d));
    return end_tag(p);
}

static hone_status parse_macro(parser *p, jnode **out)
{
    static const char *const last[] = {"endmacro", NULL};
    int loops = p->loops, uses = p->uses;
    HONE_TRY(node(p, S_MACRO, out));
    p->uses = 0;
    HONE_TRY(want_name(p, &(*out)->name));
    HONE_TRY(want_op(p, '(', "'('"));
    HONE_TRY(parameters(p, *out));
    HONE_TRY(block_end(p));
    p->loops = 0;
    HONE_TRY(body(p, last, &(*out)->d));
    p->loops = loops;
    (*out)->op = p->uses;
    p->uses |= uses;
    return end_tag(p);
}

/* Without inheritance a block stands where it is written; an unscoped one sees the template's own names only. */
static hone_status parse_block(parser *p, jnode **out)
{
    static const char *const last[] = {"endblock", NULL};
    hone_str name;
    int loops = p->loops;
    HONE_TRY(node(p, S_BLOCK, out));
    HONE_TRY(want_name(p, &name));
    (*out)->op = skip_name(p, "scoped");
    if (is_name(p, "required"))
        return unsupported(p, "block", p->tok->text);
    HONE_TRY(block_end(p));
    p->loops = 0;
    HONE_TRY(body(p, last, &(*out)->d));
    p->loops = loops;
    p->tok++;
    if (p->tok->kind == T_NAME && hone__jinja_same(p->tok->text, name))
        p->tok++;
    return block_end(p);
}

static hone_status parse_call(parser *p, jnode **out)
{
    static const char *const last[] = {"endcall", NULL};
    int loops = p->loops, uses = p->uses;
    HONE_TRY(node(p, S_CALL, out));
    if (skip_op(p, '('))
        HONE_TRY(parameters(p, *out));
    HONE_TRY(expression(p, &(*out)->a));
    if ((*out)->a->kind != E_CALL)
        return fail_at(p, "{% call %} needs a call");
    HONE_TRY(block_end(p));
    p->loops = 0;
    p->uses = 0;
    HONE_TRY(body(p, last, &(*out)->d));
    p->loops = loops;
    (*out)->op = p->uses;
    p->uses |= uses;
    return end_tag(p);
}

static hone_status parse_with(parser *p, jnode **out)
{
    static const char *const last[] = {"endwith", NULL};
    jnode *item;
    HONE_TRY(node(p, S_WITH, out));
    while (p->tok->kind != T_BLOCK_END) {
        if ((*out)->n)
            HONE_TRY(want_op(p, ',', "','"));
        HONE_TRY(target(p, 0, &item));
        HONE_TRY(add(p, &(*out)->list, &(*out)->n, item));
        HONE_TRY(want_op(p, '=', "'='"));
        HONE_TRY(expression(p, &item));
        HONE_TRY(add(p, &(*out)->list, &(*out)->n, item));
    }
    HONE_TRY(block_end(p));
    HONE_TRY(body(p, last, &(*out)->d));
    return end_tag(p);
}

static hone_status parse_filter_block(parser *p, jnode **out)
{
    static const char *const last[] = {"endfilter", NULL};
    int k = 0;
    HONE_TRY(node(p, S_FILTER, out));
    do {
        CHAIN_LIMIT(p, k);
        HONE_TRY(one_filter(p, &(*out)->b));
    } while (skip_op(p, '|'));
    HONE_TRY(block_end(p));
    HONE_TRY(body(p, last, &(*out)->d));
    return end_tag(p);
}

static hone_status parse_generation(parser *p, jnode **out)
{
    static const char *const last[] = {"endgeneration", NULL};
    int loops = p->loops;
    HONE_TRY(node(p, S_GENERATION, out));
    HONE_TRY(block_end(p));
    p->t->has_generation = 1;
    p->loops = 0; /* its body is a macro in Jinja2: no break through it */
    HONE_TRY(body(p, last, &(*out)->d));
    p->loops = loops;
    return end_tag(p);
}

static hone_status parse_jump(parser *p, enum jkind kind, jnode **out)
{
    if (!p->loops)
        return fail_at(p, "break or continue outside of a loop");
    HONE_TRY(node(p, kind, out));
    return block_end(p);
}

static hone_status statement(parser *p, jnode **out)
{
    hone_str tag = p->tok->text;
    if (skip_name(p, "for"))
        return parse_for(p, out);
    if (skip_name(p, "if"))
        return parse_if(p, out);
    if (skip_name(p, "set"))
        return parse_set(p, out);
    if (skip_name(p, "macro"))
        return parse_macro(p, out);
    if (skip_name(p, "call"))
        return parse_call(p, out);
    if (skip_name(p, "with"))
        return parse_with(p, out);
    if (skip_name(p, "block"))
        return parse_block(p, out);
    if (skip_name(p, "filter"))
        return parse_filter_block(p, out);
    if (skip_name(p, "generation"))
        return parse_generation(p, out);
    if (skip_name(p, "break"))
        return parse_jump(p, S_BREAK, out);
    if (skip_name(p, "continue"))
        return parse_jump(p, S_CONTINUE, out);
    if (p->tok->kind != T_NAME)
        return unexpected(p, "a statement");
    if (tag.len > 3 && memcmp(tag.ptr, "end", 3) == 0)
        return unexpected(p, "another statement");
    return unsupported(p, "statement", tag);
}

/* Statements up to a tag that is one of `ends` (NULL: the end of the template); the tag's name is current. */
static hone_status body(parser *p, const char *const *ends, jnode **out)
{
    jnode *list, *n;
    int line = p->tok->line;
    HONE_TRY(enter(p));
    HONE_TRY(node(p, S_LIST, &list));
    for (;;) {
        if (p->tok->kind == T_DATA) {
            HONE_TRY(node(p, S_DATA, &n));
            n->value = j_str(p->tok->text);
            p->tok++;
        } else if (p->tok->kind == T_VAR_BEGIN) {
            p->tok++;
            HONE_TRY(node(p, S_OUT, &n));
            HONE_TRY(tuple(p, 0, &n->a));
            if (p->tok->kind != T_VAR_END)
                return unexpected(p, "'}}'");
            p->tok++;
        } else if (p->tok->kind == T_BLOCK_BEGIN) {
            p->tok++;
            for (const char *const *e = ends; e && *e; e++)
                if (is_name(p, *e)) {
                    p->depth--;
                    *out = list;
                    return HONE_OK;
                }
            HONE_TRY(statement(p, &n));
        } else if (ends) {
            return hone_fail(HONE_E_PARSE,
                             "%s:%d: {%% %s %%} is missing for the block that begins here",
                             p->t->name, line,
                             ends[1] && ends[2] ? ends[2]
                             : ends[1]          ? ends[1]
                                                : ends[0]);
        } else {
            break;
        }
        HONE_TRY(add(p, &list->list, &list->n, n));
    }
    p->depth--;
    *out = list;
    return HONE_OK;
}

hone_status hone__jinja_parse(hone_jinja *t, const jtokens *tokens)
{
    parser p = {.t = t, .tok = tokens->v};
    const char *const own[] = {"loop", "caller", "varargs", "kwargs"};
    const char **const at[] = {&t->n_loop, &t->n_caller, &t->n_varargs, &t->n_kwargs};
    hone_str word = {NULL, 0};
    hone_status s = HONE_OK;
    hone_map_init(&p.names);
    for (int i = 0; i < 4 && s >= 0; i++) {
        s = intern(&p, hone_str_c(own[i]), &word);
        *at[i] = word.ptr;
    }
    if (s >= 0)
        s = body(&p, NULL, &t->root);
    hone_map_release(&p.names);
    return s;
}
