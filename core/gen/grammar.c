/* grammar.c - GBNF text to an automaton.
 *
 *   rule  = name "::=" alternatives          alternatives = sequence { "|" sequence }
 *   item  = ( "literal" | [class] | [^class] | . | name | "(" alternatives ")" ) [ * | + | ? | {m} | {m,} | {m,n} | {,n} ]
 *
 * with # comments, and \n \r \t \\ \" \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH in literals and classes. A rule ends where the
 * next begins, so line ends mean nothing. A literal is UTF-8; \xHH is a character (U+0000 to U+00FF), not a byte.
 *
 * Two passes: a tree of the text, then nodes, each built before what leads to it ("emit x, going on at next"). What is
 * repeated becomes a rule of its own, so that {1000} costs a thousand calls and not a thousand copies. */
#include "gen/grammar_int.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 200, MAX_CHAIN = 4, MAX_REPEAT = 100000, WORTH_A_RULE = 4 };
enum { T_CLASS, T_REF, T_SEQ, T_ALT, T_REP };

typedef struct tree {
    int kind;
    int32_t rule; /* T_REF */
    uint32_t line, column;
    hone__crange *ranges; /* T_CLASS: normal */
    size_t n_ranges;
    struct tree **kids; /* T_SEQ, T_ALT, T_REP (one) */
    size_t n_kids;
    int32_t min, max; /* T_REP; max -1: any number */
} tree;

typedef struct parser {
    hone_grammar *g;
    const char *name;
    const char *p, *end, *line_start;
    uint32_t line;
    size_t depth;
    hone_map rules;   /* name -> number + 1 */
    hone_map classes; /* ranges -> rule number + 1 */
    tree **bodies;    /* by rule */
    size_t cap_rules, cap_nodes;
    int32_t owner;    /* while emitting: the named rule */
    hone_arena arena; /* trees */
} parser;

static uint32_t column(const parser *p)
{
    return (uint32_t)(p->p - p->line_start) + 1;
}

#define FAIL(p, ...) fail_here((p), (p)->line, column(p), __VA_ARGS__)
static HONE_PRINTF(4, 5) hone_status
    fail_here(const parser *p, uint32_t line, uint32_t col, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return hone_fail(HONE_E_PARSE, "%s:%u:%u: %s", p->name, line, col, text);
}

static hone_status too_large(const char *name, const char *what, int limit)
{
    hone_fail(HONE_E_LIMIT, "%s: the grammar is too large: more than %d %s", name, limit, what);
    return hone_fail_hint("write large repetitions as x*, and keep bounds small");
}

/* ---- reading --------------------------------------------------------------------------------------------- */

static void skip_blank(parser *p)
{
    for (; p->p < p->end; p->p++) {
        if (*p->p == '\n') {
            p->line++;
            p->line_start = p->p + 1;
        } else if (*p->p == '#') {
            while (p->p + 1 < p->end && p->p[1] != '\n')
                p->p++;
        } else if (*p->p != ' ' && *p->p != '\t' && *p->p != '\r')
            return;
    }
}

static int name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static hone_str name_here(const parser *p)
{
    const char *q = p->p;
    while (q < p->end && name_char(*q))
        q++;
    return (hone_str){p->p, (size_t)(q - p->p)};
}

/* Is this name the beginning of a rule? */
static int defines(const parser *p, hone_str name)
{
    parser look = *p;
    look.p = name.ptr + name.len;
    skip_blank(&look);
    return look.end - look.p >= 3 && memcmp(look.p, "::=", 3) == 0;
}

static hone_status new_rule(parser *p, const char *name, int32_t *out)
{
    hone_grammar *g = p->g;
    if (g->n_rules == HONE__G_MAX_RULES)
        return too_large(p->name, "rules", HONE__G_MAX_RULES);
    if (g->n_rules == p->cap_rules) {
        size_t cap = p->cap_rules ? 2 * p->cap_rules : 32;
        hone__grule *r = hone_reallocarray(g->rules, cap, sizeof *r);
        if (r)
            g->rules = r;
        tree **b = r ? hone_reallocarray(p->bodies, cap, sizeof *b) : NULL;
        if (!b)
            return HONE_E_NOMEM;
        p->bodies = b;
        p->cap_rules = cap;
    }
    g->rules[g->n_rules] = (hone__grule){.name = name, .owner = p->owner};
    p->bodies[g->n_rules] = NULL;
    *out = (int32_t)g->n_rules++;
    return HONE_OK;
}

static hone_status rule_named(parser *p, hone_str name, int32_t *out)
{
    const uintptr_t at = (uintptr_t)hone_map_get(&p->rules, name.ptr, name.len);
    if (at) {
        *out = (int32_t)(at - 1);
        return HONE_OK;
    }
    const char *copy = hone_arena_strndup(&p->g->arena, name.ptr, name.len);
    if (!copy)
        return HONE_E_NOMEM;
    HONE_TRY(new_rule(p, copy, out));
    p->g->rules[*out].owner = *out;
    return hone_map_put(&p->rules, name.ptr, name.len, (void *)(uintptr_t)(*out + 1), NULL);
}

static hone_status hex(parser *p, int digits, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < digits; i++, p->p++) {
        const char c = p->p < p->end ? *p->p : '\0';
        const int d = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
        if (d < 0)
            return FAIL(p, "%d hexadecimal digits are wanted here", digits);
        v = v << 4 | (uint32_t)d;
    }
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return FAIL(p, "U+%04X is no character", v);
    *out = v;
    return HONE_OK;
}

/* One character of a literal or class, escapes read. */
static hone_status character(parser *p, uint32_t *out)
{
    static const char from[] = "nrt\\\"[]-^/'", to[] = "\n\r\t\\\"[]-^/'";
    const char *at;
    if (*p->p == '\\') {
        if (++p->p == p->end)
            return FAIL(p, "the text ends after \\");
        const char c = *p->p;
        if (c == 'x' || c == 'u' || c == 'U') {
            p->p++;
            return hex(p, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
        }
        if (c == '\0' || !(at = strchr(from, c))) {
            FAIL(p, "\\%c is not known", c >= 32 && c < 127 ? c : '?');
            return hone_fail_hint("known are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH "
                                  "\\UHHHHHHHH");
        }
        *out = (uint32_t)(unsigned char)to[at - from];
        p->p++;
        return HONE_OK;
    }
    if (*p->p == '\n')
        return FAIL(p, "the line ends inside; a line end is written \\n");
    const hone_str rest = {p->p, (size_t)(p->end - p->p)};
    const int n = hone_utf8_step(rest, 0, out);
    if (n <= 0)
        return FAIL(p, "this is not UTF-8");
    p->p += n;
    return HONE_OK;
}

static tree *new_tree(parser *p, int kind)
{
    tree *t = hone_arena_calloc(&p->arena, 1, sizeof *t);
    if (t) {
        t->kind = kind;
        t->line = p->line;
        t->column = column(p);
    }
    return t;
}

/* A list of kids that grows; doubled copies stay in the arena. */
static hone_status add_kid(parser *p, tree *t, tree *kid)
{
    if ((t->n_kids & (t->n_kids - 1)) == 0) { /* 0, 1, 2, 4, ... are full */
        tree **grown = hone_arena_calloc(&p->arena, t->n_kids ? 2 * t->n_kids : 1, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        if (t->n_kids)
            memcpy(grown, t->kids, t->n_kids * sizeof *grown);
        t->kids = grown;
    }
    t->kids[t->n_kids++] = kid;
    return HONE_OK;
}

static hone_status class_of(parser *p, const hone__crange *r, size_t n, int negate, tree **out)
{
    tree *t = new_tree(p, T_CLASS);
    hone__crange *copy = hone_arena_calloc(&p->arena, n + 1, sizeof *copy);
    /* joined ranges, one gap more when negated, and one more where surrogates are cut out */
    hone__crange *room = hone_arena_calloc(&p->arena, n + 3, sizeof *room);
    if (!t || !copy || !room)
        return HONE_E_NOMEM;
    if (n)
        memcpy(copy, r, n * sizeof *copy);
    t->ranges = room;
    t->n_ranges = hone__crange_normal(copy, n, negate, room);
    *out = t;
    return HONE_OK;
}

static hone_status literal(parser *p, tree **out)
{
    tree *seq = new_tree(p, T_SEQ), *one;
    const parser at = *p;
    if (!seq)
        return HONE_E_NOMEM;
    p->p++;
    while (p->p < p->end && *p->p != '"') {
        uint32_t c;
        HONE_TRY(character(p, &c));
        const hone__crange r = {c, c};
        HONE_TRY(class_of(p, &r, 1, 0, &one));
        HONE_TRY(add_kid(p, seq, one));
    }
    if (p->p == p->end)
        return FAIL(&at, "this \" is not closed");
    p->p++;
    *out = seq;
    return HONE_OK;
}

static hone_status char_class(parser *p, tree **out)
{
    const parser at = *p;
    hone__crange *r = NULL;
    size_t n = 0, cap = 0;
    hone_status s = HONE_OK;
    p->p++;
    const int negate = p->p < p->end && *p->p == '^';
    p->p += negate;
    while (s >= 0 && p->p < p->end && *p->p != ']') {
        hone__crange x;
        s = character(p, &x.lo);
        x.hi = x.lo;
        if (s >= 0 && p->end - p->p >= 2 && *p->p == '-' && p->p[1] != ']') {
            p->p++;
            s = character(p, &x.hi);
        }
        if (s >= 0 && x.hi < x.lo)
            s = FAIL(p, "this range ends before it begins");
        if (s >= 0 && n == cap) {
            cap = cap ? 2 * cap : 16;
            hone__crange *grown = hone_reallocarray(r, cap, sizeof *r);
            s = grown ? HONE_OK : HONE_E_NOMEM;
            r = grown ? grown : r;
        }
        if (s >= 0)
            r[n++] = x;
    }
    if (s >= 0 && p->p == p->end)
        s = FAIL(&at, "this [ is not closed");
    if (s >= 0) {
        p->p++;
        s = class_of(p, r, n, negate, out);
    }
    if (s >= 0 && (*out)->n_ranges == 0)
        s = FAIL(&at, "no character is in this class");
    hone_free(r);
    return s;
}

static hone_status alternatives(parser *p, tree **out);

static hone_status primary(parser *p, tree **out)
{
    const parser at = *p;
    if (*p->p == '"')
        return literal(p, out);
    if (*p->p == '[')
        return char_class(p, out);
    if (*p->p == '(') {
        if (++p->depth > MAX_DEPTH)
            return FAIL(p, "more than %d parentheses in each other", MAX_DEPTH);
        p->p++;
        HONE_TRY(alternatives(p, out));
        skip_blank(p);
        if (p->p == p->end || *p->p != ')')
            return FAIL(&at, "this ( is not closed");
        p->p++;
        p->depth--;
        return HONE_OK;
    }
    const hone_str name = name_here(p);
    if (name.len) {
        tree *t = new_tree(p, T_REF);
        if (!t)
            return HONE_E_NOMEM;
        HONE_TRY(rule_named(p, name, &t->rule));
        p->p += name.len;
        *out = t;
        return HONE_OK;
    }
    if (*p->p == '.') {
        p->p++;
        return class_of(p, NULL, 0, 1, out);
    }
    if (*p->p == '<' || *p->p == '!')
        return FAIL(p, "tokens (<...>) are not offered: a grammar is of characters");
    FAIL(p, "'%c' has no meaning here", *p->p >= 32 && *p->p < 127 ? *p->p : '?');
    return hone_fail_hint("a rule is: name ::= \"text\" [a-z]+ other-rule ( ... | ... )");
}

static hone_status count(parser *p, int32_t *out)
{
    int64_t v = 0;
    const char *from = p->p;
    for (; p->p < p->end && *p->p >= '0' && *p->p <= '9'; p->p++)
        if (v <= MAX_REPEAT)
            v = 10 * v + (*p->p - '0');
    if (p->p == from)
        return FAIL(p, "a number is wanted here: {m}, {m,} or {m,n}");
    if (v > MAX_REPEAT) {
        FAIL(p, "more than %d repetitions", MAX_REPEAT);
        return hone_fail_hint("leave the upper bound out: {m,}");
    }
    *out = (int32_t)v;
    return HONE_OK;
}

static hone_status bounds(parser *p, int32_t *min, int32_t *max)
{
    p->p++;
    skip_blank(p);
    *min = 0;
    if (p->p < p->end && *p->p != ',')
        HONE_TRY(count(p, min));
    *max = *min;
    skip_blank(p);
    if (p->p < p->end && *p->p == ',') {
        p->p++;
        skip_blank(p);
        *max = -1;
        if (p->p < p->end && *p->p != '}')
            HONE_TRY(count(p, max));
        skip_blank(p);
    }
    if (p->p == p->end || *p->p != '}')
        return FAIL(p, "} is wanted here: {m}, {m,} or {m,n}");
    if (*max >= 0 && *max < *min)
        return FAIL(p, "{%d,%d} ends before it begins", *min, *max);
    p->p++;
    return HONE_OK;
}

static hone_status item(parser *p, tree **out)
{
    HONE_TRY(primary(p, out));
    for (int chain = 0;; chain++) {
        int32_t min, max;
        skip_blank(p);
        const char c = p->p < p->end ? *p->p : '\0';
        if (c == '{')
            HONE_TRY(bounds(p, &min, &max));
        else if (c == '*' || c == '+' || c == '?') {
            min = c == '+';
            max = c == '?' ? 1 : -1;
            p->p++;
        } else
            return HONE_OK;
        if (chain == MAX_CHAIN)
            return FAIL(p, "more than %d repetitions of one item", MAX_CHAIN);
        tree *rep = new_tree(p, T_REP);
        if (!rep)
            return HONE_E_NOMEM;
        rep->min = min;
        rep->max = max;
        HONE_TRY(add_kid(p, rep, *out));
        *out = rep;
    }
}

static hone_status sequence(parser *p, tree **out)
{
    tree *seq = new_tree(p, T_SEQ), *t;
    if (!seq)
        return HONE_E_NOMEM;
    for (;;) {
        skip_blank(p);
        if (p->p == p->end || *p->p == '|' || *p->p == ')')
            break;
        const hone_str name = name_here(p);
        if (name.len && defines(p, name)) {
            if (p->depth)
                return FAIL(p, "a rule begins inside parentheses");
            break;
        }
        HONE_TRY(item(p, &t));
        HONE_TRY(add_kid(p, seq, t));
    }
    *out = seq;
    return HONE_OK;
}

static hone_status alternatives(parser *p, tree **out)
{
    tree *t;
    HONE_TRY(sequence(p, &t));
    skip_blank(p);
    if (p->p == p->end || *p->p != '|') {
        *out = t;
        return HONE_OK;
    }
    tree *alt = new_tree(p, T_ALT);
    if (!alt)
        return HONE_E_NOMEM;
    HONE_TRY(add_kid(p, alt, t));
    while (p->p < p->end && *p->p == '|') {
        p->p++;
        HONE_TRY(sequence(p, &t));
        HONE_TRY(add_kid(p, alt, t));
        skip_blank(p);
    }
    *out = alt;
    return HONE_OK;
}

static hone_status rules(parser *p)
{
    for (skip_blank(p); p->p < p->end; skip_blank(p)) {
        int32_t rule;
        const parser at = *p;
        const hone_str name = name_here(p);
        if (!name.len || !defines(p, name)) {
            FAIL(p, "a rule is wanted here");
            return hone_fail_hint("a rule is: name ::= \"text\" [a-z]+ other-rule ( ... | ... )");
        }
        HONE_TRY(rule_named(p, name, &rule));
        if (p->g->rules[rule].line)
            return FAIL(p, "rule %s is there already, in line %u", p->g->rules[rule].name,
                        p->g->rules[rule].line);
        p->g->rules[rule].line = at.line;
        p->g->rules[rule].column = column(&at);
        p->p += name.len;
        skip_blank(p);
        p->p += 3;
        p->depth = 0;
        tree *body;
        HONE_TRY(alternatives(p, &body));
        p->bodies[rule] = body;
        skip_blank(p);
        if (p->p < p->end && *p->p == ')')
            return FAIL(p, "this ) closes nothing");
    }
    return HONE_OK;
}

/* ---- nodes ------------------------------------------------------------------------------------------------- */

static hone_status new_node(parser *p, hone__gnode n, int32_t *out)
{
    hone_grammar *g = p->g;
    if (g->n_nodes == HONE__G_MAX_NODES)
        return too_large(p->name, "nodes", HONE__G_MAX_NODES);
    if (g->n_nodes == p->cap_nodes) {
        size_t cap = p->cap_nodes ? 2 * p->cap_nodes : 256;
        hone__gnode *grown = hone_reallocarray(g->nodes, cap, sizeof *grown);
        if (!grown)
            return HONE_E_NOMEM;
        g->nodes = grown;
        p->cap_nodes = cap;
    }
    g->nodes[g->n_nodes] = n;
    *out = (int32_t)g->n_nodes++;
    return HONE_OK;
}

static hone_status split(parser *p, int32_t a, int32_t b, int32_t *out)
{
    return new_node(p, (hone__gnode){.kind = HONE__G_SPLIT, .next = a, .arg = b}, out);
}

static hone_status call(parser *p, int32_t rule, int32_t next, int32_t *out)
{
    return new_node(p, (hone__gnode){.kind = HONE__G_CALL, .next = next, .arg = rule}, out);
}

/* The characters of a class, row by row of their bytes. */
static hone_status rows_of(parser *p, const tree *t, int32_t next, int32_t *out)
{
    int32_t all = -1;
    for (size_t i = 0; i < t->n_ranges; i++) {
        hone__utf8_row row[16];
        const size_t n = hone__utf8_rows(t->ranges[i], row);
        for (size_t k = 0; k < n; k++) {
            int32_t at = next;
            for (int b = row[k].n - 1; b >= 0; b--)
                HONE_TRY(new_node(
                    p,
                    (hone__gnode){
                        .kind = HONE__G_BYTES, .lo = row[k].lo[b], .hi = row[k].hi[b], .next = at},
                    &at));
            if (all >= 0)
                HONE_TRY(split(p, at, all, &at));
            all = at;
        }
    }
    *out = all;
    return HONE_OK;
}

static size_t class_rows(const tree *t)
{
    hone__utf8_row row[16];
    size_t n = 0;
    for (size_t i = 0; i < t->n_ranges && n <= WORTH_A_RULE; i++)
        n += hone__utf8_rows(t->ranges[i], row);
    return n;
}

/* A class of many rows is a rule, once for all its uses. */
static hone_status emit_class(parser *p, const tree *t, int32_t next, int32_t *out)
{
    int32_t rule, start;
    if (class_rows(t) <= WORTH_A_RULE)
        return rows_of(p, t, next, out);
    const size_t len = t->n_ranges * sizeof *t->ranges;
    const uintptr_t at = (uintptr_t)hone_map_get(&p->classes, t->ranges, len);
    if (at)
        return call(p, (int32_t)(at - 1), next, out);
    HONE_TRY(new_rule(p, "", &rule));
    HONE_TRY(rows_of(p, t, HONE__G_RETURN, &start));
    p->g->rules[rule].start = start;
    HONE_TRY(hone_map_put(&p->classes, t->ranges, len, (void *)(uintptr_t)(rule + 1), NULL));
    return call(p, rule, next, out);
}

/* Nodes that one copy of t takes, up to WORTH_A_RULE + 1. */
static size_t weight(const tree *t)
{
    size_t n = t->kind == T_CLASS || t->kind == T_REF ? 1 : 0;
    if (t->kind == T_REP && (t->max > 1 || t->min > 1))
        return WORTH_A_RULE + 1;
    for (size_t i = 0; i < t->n_kids && n <= WORTH_A_RULE; i++)
        n += weight(t->kids[i]);
    return n;
}

static hone_status emit(parser *p, const tree *t, int32_t next, int32_t *out);

static hone_status emit_repeat(parser *p, const tree *t, int32_t next, int32_t *out)
{
    const int32_t copies = t->max < 0 ? t->min + 1 : t->max;
    const tree *x = t->kids[0];
    tree ref = {.kind = T_REF};
    int32_t at = next;
    if (copies > 1 && weight(x) > WORTH_A_RULE) {
        int32_t start;
        HONE_TRY(new_rule(p, "", &ref.rule));
        HONE_TRY(emit(p, x, HONE__G_RETURN, &start));
        p->g->rules[ref.rule].start = start;
        x = &ref;
    }
    if (t->max < 0) {
        int32_t loop, body;
        HONE_TRY(split(p, 0, next, &loop));
        HONE_TRY(emit(p, x, loop, &body));
        p->g->nodes[loop].next = body;
        at = loop;
    }
    for (int32_t i = t->min; i < t->max; i++) {
        int32_t body;
        HONE_TRY(emit(p, x, at, &body));
        HONE_TRY(split(p, body, next, &at));
    }
    for (int32_t i = 0; i < t->min; i++)
        HONE_TRY(emit(p, x, at, &at));
    *out = at;
    return HONE_OK;
}

static hone_status emit(parser *p, const tree *t, int32_t next, int32_t *out)
{
    int32_t at = next, all;
    switch (t->kind) {
    case T_CLASS:
        return emit_class(p, t, next, out);
    case T_REF:
        return call(p, t->rule, next, out);
    case T_REP:
        return emit_repeat(p, t, next, out);
    case T_SEQ:
        for (size_t i = t->n_kids; i > 0; i--)
            HONE_TRY(emit(p, t->kids[i - 1], at, &at));
        *out = at;
        return HONE_OK;
    default:
        HONE_TRY(emit(p, t->kids[t->n_kids - 1], next, &all));
        for (size_t i = t->n_kids - 1; i > 0; i--) {
            HONE_TRY(emit(p, t->kids[i - 1], next, &at));
            HONE_TRY(split(p, at, all, &all));
        }
        *out = all;
        return HONE_OK;
    }
}

/* ---- whole --------------------------------------------------------------------------------------------------- */

static hone_status undefined(parser *p, const tree *t)
{
    if (t->kind == T_REF && !p->bodies[t->rule]) {
        const char **names = hone_arena_calloc(&p->arena, p->g->n_rules + 1, sizeof *names);
        size_t n = 0;
        for (size_t i = 0; names && i < p->g->n_rules; i++)
            if (p->bodies[i])
                names[n++] = p->g->rules[i].name;
        const char *close = names ? hone_closest(p->g->rules[t->rule].name, names) : NULL;
        fail_here(p, t->line, t->column, "there is no rule \"%s\"", p->g->rules[t->rule].name);
        return close ? hone_fail_hint("did you mean \"%s\"?", close)
                     : hone_fail_hint("define it: %s ::= ...", p->g->rules[t->rule].name);
    }
    for (size_t i = 0; i < t->n_kids; i++)
        HONE_TRY(undefined(p, t->kids[i]));
    return HONE_OK;
}

static hone_status compile(parser *p)
{
    hone_grammar *g = p->g;
    int32_t node;
    HONE_TRY(rules(p));
    const size_t named = g->n_rules;
    for (size_t i = 0; i < named; i++)
        if (p->bodies[i])
            HONE_TRY(undefined(p, p->bodies[i]));
    const uintptr_t root = (uintptr_t)hone_map_get(&p->rules, "root", 4);
    if (!root) {
        hone_fail(HONE_E_PARSE, "%s: there is no rule \"root\"", p->name);
        return hone_fail_hint("it is what the whole text has to be: root ::= ...");
    }
    g->root = (int32_t)(root - 1);
    HONE_TRY(new_node(p, (hone__gnode){.kind = HONE__G_RETURN}, &node));
    for (size_t i = 0; i < named; i++) {
        p->owner = (int32_t)i;
        HONE_TRY(emit(p, p->bodies[i], HONE__G_RETURN, &node));
        g->rules[i].start = node;
    }
    return hone__grammar_check(g, p->name);
}

hone_status hone_grammar_parse(hone_str text, const char *name, hone_grammar **out)
{
    parser p = {.name = name ? name : "grammar", .line = 1};
    if (text.len > HONE__G_TEXT)
        return hone_fail(HONE_E_LIMIT, "%s: a grammar has at most %zu bytes", p.name, HONE__G_TEXT);
    hone_grammar *g = hone_calloc(1, sizeof *g);
    if (!g)
        return HONE_E_NOMEM;
    g->refs = 1;
    hone_arena_init(&g->arena, (size_t)1 << 28);
    hone_arena_init(&p.arena, (size_t)1 << 30);
    hone_map_init(&p.rules);
    hone_map_init(&p.classes);
    g->text = hone_arena_str(&g->arena, text);
    hone_status s = text.len && !g->text.ptr ? HONE_E_NOMEM : HONE_OK;
    p.g = g;
    p.p = p.line_start = g->text.ptr ? g->text.ptr : "";
    p.end = p.p + g->text.len;
    if (s >= 0)
        s = compile(&p);
    hone_map_release(&p.rules);
    hone_map_release(&p.classes);
    hone_free(p.bodies);
    hone_arena_release(&p.arena);
    if (s < 0) {
        hone_error e = *hone_error_get();
        hone_grammar_unref(g);
        return hone_error_set(&e);
    }
    *out = g;
    return HONE_OK;
}

hone_grammar *hone_grammar_addref(hone_grammar *g)
{
    __atomic_add_fetch(&g->refs, 1, __ATOMIC_RELAXED);
    return g;
}

void hone_grammar_unref(hone_grammar *g)
{
    if (!g || __atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    hone_free(g->nodes);
    hone_free(g->rules);
    hone_arena_release(&g->arena);
    hone_free(g);
}

hone_str hone_grammar_text(const hone_grammar *g)
{
    return g->text;
}
