/* grammar_check.c - what an automaton must not have, found before it runs.
 *
 * Two properties of nodes spread backwards from the return: "a return can be reached" (some text satisfies what is left of the
 * rule) and "it can be reached by no text at all" (nullable). A rule whose beginning lacks the first can never end. Left
 * recursion is a cycle that eats nothing and goes through a call: calls and splits are edges, a call to a nullable rule is also an edge to
 * what follows it; a call whose rule begins in its own strongly connected component is left recursion (Tarjan 1972).
 * All of it is linear in the number of nodes, and none of it recurses. */
#include "gen/grammar_int.h"

#include "base/alloc.h"

#include <string.h>

/* Who leads to a node: for each node a list of nodes, in one array. Calls are listed with their rule's start as well. */
typedef struct backward {
    int32_t *first, *who; /* of node i: who[first[i] .. first[i + 1]) */
} backward;

static int leads_to(const hone_grammar *g, size_t i, int32_t to[2])
{
    const hone__gnode *n = &g->nodes[i];
    if (n->kind == HONE__G_RETURN)
        return 0;
    to[0] = n->next;
    if (n->kind == HONE__G_SPLIT)
        to[1] = n->arg;
    if (n->kind == HONE__G_CALL)
        to[1] = g->rules[n->arg].start;
    return n->kind == HONE__G_BYTES ? 1 : 2;
}

static hone_status turn_round(const hone_grammar *g, hone_arena *a, backward *b)
{
    int32_t to[2], sum = 0;
    b->first = hone_arena_calloc(a, g->n_nodes + 2, sizeof *b->first);
    b->who = hone_arena_calloc(a, 2 * g->n_nodes + 1, sizeof *b->who);
    if (!b->first || !b->who)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = leads_to(g, i, to); k > 0; k--)
            b->first[to[k - 1] + 2]++;
    for (size_t i = 2; i < g->n_nodes + 2; i++)
        b->first[i] = sum += b->first[i];
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = leads_to(g, i, to); k > 0; k--)
            b->who[b->first[to[k - 1] + 1]++] = (int32_t)i;
    return HONE_OK;
}

/* has[i] = 1 where a return can be reached: by any text, or (`empty`) by none. */
static void spread(const hone_grammar *g, const backward *b, int empty, uint8_t *has,
                   int32_t *queue)
{
    size_t n = 0;
    has[0] = 1;
    queue[n++] = 0;
    while (n) {
        const int32_t at = queue[--n];
        for (int32_t k = b->first[at]; k < b->first[at + 1]; k++) {
            const hone__gnode *w = &g->nodes[b->who[k]];
            int now = !has[b->who[k]];
            if (w->kind == HONE__G_BYTES)
                now = now && !empty;
            else if (w->kind == HONE__G_CALL)
                now = now && has[w->next] && has[g->rules[w->arg].start];
            if (now) {
                has[b->who[k]] = 1;
                queue[n++] = b->who[k];
            }
        }
    }
}

static hone_status bad_rule(const hone_grammar *g, const char *name, int32_t rule, const char *what)
{
    const hone__grule *r = &g->rules[rule];
    if (!r->name[0] && r->owner >= 0)
        r = &g->rules[r->owner];
    return hone_fail(HONE_E_PARSE, "%s:%u:%u: rule %s %s", name, r->line, r->column, r->name, what);
}

/* ---- left recursion ------------------------------------------------------------------------------------ */

typedef struct tarjan {
    int32_t *index, *low, *component; /* by node; index 0: not seen */
    int32_t *stack, *path;
    uint8_t *edge; /* the next edge of a node on the path */
} tarjan;

/* Edges that eat nothing. */
static int32_t edge_of(const hone_grammar *g, const uint8_t *nullable, int32_t node, int k)
{
    const hone__gnode *n = &g->nodes[node];
    if (n->kind == HONE__G_SPLIT && k < 2)
        return k ? n->arg : n->next;
    if (n->kind == HONE__G_CALL && k == 0)
        return g->rules[n->arg].start;
    if (n->kind == HONE__G_CALL && k == 1 && nullable[g->rules[n->arg].start])
        return n->next;
    return -1;
}

static void components(const hone_grammar *g, const uint8_t *nullable, tarjan *t)
{
    int32_t clock = 0, n_stack = 0, n_components = 0;
    for (size_t root = 0; root < g->n_nodes; root++) {
        size_t depth = 0;
        if (t->index[root])
            continue;
        t->path[depth++] = (int32_t)root;
        t->stack[n_stack++] = (int32_t)root;
        t->index[root] = t->low[root] = ++clock;
        while (depth) {
            const int32_t v = t->path[depth - 1];
            const int32_t w = edge_of(g, nullable, v, t->edge[v]);
            if (w < 0) {
                if (t->low[v] == t->index[v]) {
                    n_components++;
                    do
                        t->component[t->stack[--n_stack]] = n_components;
                    while (t->stack[n_stack] != v);
                }
                depth--;
                if (depth && t->low[v] < t->low[t->path[depth - 1]])
                    t->low[t->path[depth - 1]] = t->low[v];
                continue;
            }
            t->edge[v]++;
            if (!t->index[w]) {
                t->path[depth++] = w;
                t->stack[n_stack++] = w;
                t->index[w] = t->low[w] = ++clock;
            } else if (!t->component[w] && t->index[w] < t->low[v])
                t->low[v] = t->index[w];
        }
    }
}

static hone_status left_recursion(const hone_grammar *g, const char *name, const uint8_t *nullable,
                                  hone_arena *a)
{
    const size_t n = g->n_nodes;
    tarjan t = {.index = hone_arena_calloc(a, n, sizeof *t.index),
                .low = hone_arena_calloc(a, n, sizeof *t.low),
                .component = hone_arena_calloc(a, n, sizeof *t.component),
                .stack = hone_arena_calloc(a, n, sizeof *t.stack),
                .path = hone_arena_calloc(a, n, sizeof *t.path),
                .edge = hone_arena_calloc(a, n, 1)};
    if (!t.index || !t.low || !t.component || !t.stack || !t.path || !t.edge)
        return HONE_E_NOMEM;
    components(g, nullable, &t);
    for (size_t i = 0; i < n; i++) {
        const hone__gnode *c = &g->nodes[i];
        if (c->kind != HONE__G_CALL || t.component[i] != t.component[g->rules[c->arg].start])
            continue;
        bad_rule(g, name, c->arg, "begins with itself (left recursion)");
        return hone_fail_hint(
            "put what must come first in front (list ::= item list | \"\"), or repeat: "
            "list ::= item*");
    }
    return HONE_OK;
}

/* ---- classes of bytes ------------------------------------------------------------------------------------ */

static void classes(hone_grammar *g)
{
    uint8_t begins[257] = {0};
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].kind == HONE__G_BYTES) {
            begins[g->nodes[i].lo] = 1;
            begins[g->nodes[i].hi + 1] = 1;
        }
    for (int b = 0; b < 256; b++) {
        if (b == 0 || begins[b])
            g->class_byte[g->n_classes++] = (uint8_t)b;
        g->byte_class[b] = (uint8_t)(g->n_classes - 1);
    }
}

hone_status hone__grammar_check(hone_grammar *g, const char *name)
{
    backward b;
    hone_arena a;
    hone_arena_init(&a, (size_t)1 << 28);
    uint8_t *ends = hone_arena_calloc(&a, g->n_nodes, 1);
    uint8_t *nullable = hone_arena_calloc(&a, g->n_nodes, 1);
    int32_t *queue = hone_arena_calloc(&a, g->n_nodes, sizeof *queue);
    hone_status s = ends && nullable && queue ? turn_round(g, &a, &b) : HONE_E_NOMEM;
    if (s < 0)
        goto out;
    spread(g, &b, 0, ends, queue);
    spread(g, &b, 1, nullable, queue);
    s = left_recursion(g, name, nullable, &a);
    for (size_t i = 0; s >= 0 && i < g->n_rules; i++)
        if (!ends[g->rules[i].start]) {
            bad_rule(g, name, (int32_t)i, "can never end: every way through it leads to itself");
            s = hone_fail_hint("give it an alternative that does not need the rule again");
        }
    for (size_t i = 0; i < g->n_nodes; i++)
        g->nodes[i].dead = !ends[i];
    classes(g);
out:
    hone_arena_release(&a);
    return s;
}
