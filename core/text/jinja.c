/* jinja.c - a template compiled and rendered: walks the tree (see jinja.h, jinja_int.h).
 *
 * Scopes: a loop's turn, a macro, a with block and a generation block have their own; an if has none, and
 * what is set inside a loop is gone after the turn. Names are interned while parsing, so a scope is searched
 * by pointer. */
#include "text/jinja_int.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

hone_status hone__jinja_fail(jrun *r, hone_status s, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return hone_fail(s, "%s:%d: %s", r->t->name, r->line, text);
}

hone_status hone__jinja_step(jrun *r, size_t n)
{
    if (n > r->max_steps - r->steps)
        return hone__jinja_fail(r, HONE_E_LIMIT, "the template takes more than %zu steps",
                                r->max_steps);
    r->steps += n;
    return HONE_OK;
}

/* ---- spans ------------------------------------------------------------------------------------------------- */
void hone_byte_spans_init(hone_byte_spans *s)
{
    memset(s, 0, sizeof *s);
}

void hone_byte_spans_release(hone_byte_spans *s)
{
    hone_free(s->v);
    hone_byte_spans_init(s);
}

hone_status hone_byte_spans_add(hone_byte_spans *s, size_t begin, size_t end)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        hone_byte_span *v = hone_reallocarray(s->v, cap, sizeof *v);
        if (!v)
            return HONE_E_NOMEM;
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n].begin = begin;
    s->v[s->n++].end = end;
    return HONE_OK;
}

/* ---- scopes -------------------------------------------------------------------------------------------------- */
static jscope *push_scope(jrun *r)
{
    jscope *s = hone_arena_calloc(&r->arena, 1, sizeof *s);
    if (s) {
        s->up = r->scope;
        r->scope = s;
    }
    return s;
}

static hone_status define(jrun *r, const char *name, jval v)
{
    jscope *s = r->scope;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].name == name) {
            s->v[i].val = v;
            return HONE_OK;
        }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4;
        struct jslot *p = hone_arena_calloc(&r->arena, cap, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        if (s->n)
            memcpy(p, s->v, s->n * sizeof *p);
        s->v = p;
        s->cap = cap;
    }
    s->v[s->n].name = name;
    s->v[s->n++].val = v;
    return HONE_OK;
}

static jval look_up(jrun *r, hone_str name)
{
    for (jscope *s = r->scope; s; s = s->up)
        for (size_t i = 0; i < s->n; i++)
            if (s->v[i].name == name.ptr)
                return s->v[i].val;
    const jval *v = hone__jinja_dict_get_str(r->globals, name);
    if (v)
        return *v;
    jval f = {.type = J_FUNC};
    f.u.func = hone__jinja_find_global(name);
    if (f.u.func &&
        (!hone__jinja_is(name, "strftime_now") || (r->opt && r->opt->now != HONE_JINJA_NO_CLOCK)))
        return f;
    return j_undef(name);
}

/* ---- expressions ---------------------------------------------------------------------------------------------- */
static hone_status eval(jrun *r, const jnode *n, jval *out);
static hone_status run(jrun *r, const jnode *n);

/* f(*list, **map): the lists grow while they are evaluated. */
static hone_status eval_stars(jrun *r, const jnode *n, jcall *c)
{
    jval args, names, kw, v;
    const jlist *l;
    HONE_TRY(hone__jinja_new_list(r, J_LIST, n->n, &args));
    HONE_TRY(hone__jinja_new_list(r, J_LIST, n->n_kw, &names));
    HONE_TRY(hone__jinja_new_list(r, J_LIST, n->n_kw, &kw));
    for (size_t i = 0; i < n->n; i++) {
        HONE_TRY(eval(r, n->list[i]->kind == E_STAR ? n->list[i]->a : n->list[i], &v));
        if (n->list[i]->kind != E_STAR) {
            HONE_TRY(hone__jinja_push(r, args.u.list, v));
            continue;
        }
        HONE_TRY(hone__jinja_items(r, &v, &l));
        for (size_t k = 0; k < l->n; k++)
            HONE_TRY(hone__jinja_push(r, args.u.list, l->v[k]));
    }
    for (size_t i = 0; i < n->n_kw; i++) {
        HONE_TRY(eval(r, n->kw_list[i]->kind == E_STAR ? n->kw_list[i]->a : n->kw_list[i], &v));
        if (n->kw_list[i]->kind != E_STAR) {
            HONE_TRY(hone__jinja_push(r, names.u.list, j_str(n->kw_names[i])));
            HONE_TRY(hone__jinja_push(r, kw.u.list, v));
            continue;
        }
        if (v.type != J_DICT)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "argument after ** must be a mapping, not %s",
                                    hone__jinja_type_name(&v));
        for (size_t k = 0; k < v.u.dict->n; k++) {
            if (v.u.dict->v[k].key.type != J_STR)
                return hone__jinja_fail(r, HONE_E_SCRIPT, "keywords must be strings");
            HONE_TRY(hone__jinja_push(r, names.u.list, v.u.dict->v[k].key));
            HONE_TRY(hone__jinja_push(r, kw.u.list, v.u.dict->v[k].val));
        }
    }
    hone_str *texts = hone_arena_calloc(&r->arena, names.u.list->n + 1, sizeof *texts);
    if (!texts)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < names.u.list->n; i++)
        texts[i] = names.u.list->v[i].u.str;
    c->args = args.u.list->v;
    c->n = args.u.list->n;
    c->names = texts;
    c->kw = kw.u.list->v;
    c->n_kw = kw.u.list->n;
    return HONE_OK;
}

static hone_status eval_args(jrun *r, const jnode *n, jcall *c)
{
    jval *v = NULL, *kw = NULL;
    if (n->op)
        return eval_stars(r, n, c);
    if (n->n && !(v = hone_arena_calloc(&r->arena, n->n, sizeof *v)))
        return HONE_E_NOMEM;
    if (n->n_kw && !(kw = hone_arena_calloc(&r->arena, n->n_kw, sizeof *kw)))
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n->n; i++)
        HONE_TRY(eval(r, n->list[i], &v[i]));
    for (size_t i = 0; i < n->n_kw; i++)
        HONE_TRY(eval(r, n->kw_list[i], &kw[i]));
    c->args = v;
    c->n = n->n;
    c->names = n->kw_names;
    c->kw = kw;
    c->n_kw = n->n_kw;
    return HONE_OK;
}

static hone_status compare_one(jrun *r, int op, const jval *a, const jval *b, int *out)
{
    int c;
    switch (op) {
    case J_OP2('=', '='):
    case J_OP2('!', '='):
        HONE_TRY(hone__jinja_pay_equal(r, a, 1));
        *out = hone__jinja_equal(a, b, 0) == (op == J_OP2('=', '='));
        return HONE_OK;
    case 'i':
    case 'n':
        HONE_TRY(hone__jinja_contains(r, a, b, out));
        *out ^= op == 'n';
        return HONE_OK;
    default:
        HONE_TRY(hone__jinja_order(r, a, b, &c));
        *out = c == 2                  ? 0
               : op == '<'             ? c < 0
               : op == '>'             ? c > 0
               : op == J_OP2('<', '=') ? c <= 0
                                       : c >= 0;
        return HONE_OK;
    }
}

static hone_status eval_compare(jrun *r, const jnode *n, jval *out)
{
    jval a, b;
    int yes = 1;
    HONE_TRY(eval(r, n->a, &a));
    for (size_t i = 0; i < n->n && yes; i++) {
        HONE_TRY(eval(r, n->list[i]->a, &b));
        HONE_TRY(compare_one(r, n->list[i]->op, &a, &b, &yes));
        a = b;
    }
    *out = j_bool(yes);
    return HONE_OK;
}

static hone_status eval_item(jrun *r, const jnode *n, jval *out)
{
    jval obj, key, part[3];
    HONE_TRY(eval(r, n->a, &obj));
    if (n->b->kind != E_SLICE) {
        HONE_TRY(eval(r, n->b, &key));
        r->line = n->line;
        return hone__jinja_get_item(r, &obj, &key, out);
    }
    const jnode *bounds[3] = {n->b->a, n->b->b, n->b->c};
    for (int i = 0; i < 3; i++) {
        part[i] = j_none();
        if (bounds[i])
            HONE_TRY(eval(r, bounds[i], &part[i]));
    }
    r->line = n->line;
    return hone__jinja_slice(r, &obj, &part[0], &part[1], &part[2], out);
}

static hone_status eval_concat(jrun *r, const jnode *n, jval *out)
{
    hone_buf b;
    jval v;
    hone_status s = HONE_OK;
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0; s >= 0 && i < n->n; i++) {
        s = eval(r, n->list[i], &v);
        if (s >= 0)
            s = hone__jinja_write(r, &b, &v);
    }
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

static hone_status eval_now(jrun *r, const jnode *n, jval *out)
{
    jval a, b;
    jcall c;
    switch (n->kind) {
    case E_CONST:
        *out = n->value;
        return HONE_OK;
    case E_NAME:
        *out = look_up(r, n->name);
        if (out->type == J_UNDEF && hone__jinja_is(n->name, "self")) {
            r->line =
                n->line; /* the template itself in Jinja2, whose blocks hone writes in place */
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "self is not supported");
        }
        return HONE_OK;
    case E_LIST:
    case E_TUPLE:
        HONE_TRY(hone__jinja_new_list(r, n->kind == E_LIST ? J_LIST : J_TUPLE, n->n, out));
        for (size_t i = 0; i < n->n; i++) {
            HONE_TRY(eval(r, n->list[i], &a));
            HONE_TRY(hone__jinja_push(r, out->u.list, a));
        }
        return HONE_OK;
    case E_DICT:
        HONE_TRY(hone__jinja_new_dict(r, J_DICT, n->n / 2, out));
        for (size_t i = 0; i + 1 < n->n; i += 2) {
            HONE_TRY(eval(r, n->list[i], &a));
            HONE_TRY(eval(r, n->list[i + 1], &b));
            HONE_TRY(hone__jinja_dict_put(r, out->u.dict, a, b));
        }
        return HONE_OK;
    case E_ATTR:
        HONE_TRY(eval(r, n->a, &a));
        r->line = n->line;
        return hone__jinja_get_attr(r, &a, n->name, out);
    case E_ITEM:
        return eval_item(r, n, out);
    case E_CALL:
        HONE_TRY(eval(r, n->a, &a));
        HONE_TRY(eval_args(r, n, &c));
        r->line = n->line;
        return hone__jinja_call(r, &a, &c, out);
    case E_FILTER:
    case E_TEST:
        HONE_TRY(eval(r, n->a, &a));
        HONE_TRY(eval_args(r, n, &c));
        r->line = n->line;
        return n->fn->fn(r, &a, &c, out);
    case E_NOT:
        HONE_TRY(eval(r, n->a, &a));
        *out = j_bool(!hone__jinja_truth(&a));
        return HONE_OK;
    case E_NEG:
    case E_POS:
        HONE_TRY(eval(r, n->a, &a));
        if (!j_is_num(&a))
            return hone__jinja_fail(r, HONE_E_SCRIPT, "bad operand type for unary %c: '%s'",
                                    n->kind == E_NEG ? '-' : '+', hone__jinja_type_name(&a));
        b = j_int(0);
        if (a.type == J_FLOAT && n->kind == E_NEG) {
            *out = j_float(-a.u.f);
            return HONE_OK;
        }
        return hone__jinja_binary(r, n->kind == E_NEG ? '-' : '+', &b, &a, out);
    case E_BIN:
        HONE_TRY(eval(r, n->a, &a));
        HONE_TRY(eval(r, n->b, &b));
        r->line = n->line;
        return hone__jinja_binary(r, n->op, &a, &b, out);
    case E_AND:
    case E_OR:
        HONE_TRY(eval(r, n->a, out));
        return hone__jinja_truth(out) == (n->kind == E_OR) ? HONE_OK : eval(r, n->b, out);
    case E_COMPARE:
        return eval_compare(r, n, out);
    case E_COND:
        HONE_TRY(eval(r, n->b, &a));
        if (hone__jinja_truth(&a))
            return eval(r, n->a, out);
        if (n->c)
            return eval(r, n->c, out);
        *out = j_undef(n->name);
        return HONE_OK;
    case E_CONCAT:
        return eval_concat(r, n, out);
    default:
        return hone__jinja_fail(r, HONE_E_STATE, "not an expression");
    }
}

static hone_status too_deep(jrun *r)
{
    return hone__jinja_fail(r, HONE_E_LIMIT, "the template is nested too deep to be evaluated");
}

static hone_status eval(jrun *r, const jnode *n, jval *out)
{
    HONE_TRY(hone__jinja_step(r, 1));
    r->line = n->line;
    if (r->depth >= J_EVAL_DEPTH)
        return too_deep(r);
    r->depth++;
    hone_status s = eval_now(r, n, out);
    r->depth--;
    return s;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */
static hone_status capture(jrun *r, const jnode *body, jval *out)
{
    hone_buf b, *before = r->out;
    hone_buf_init(&b, r->max_output);
    r->out = &b;
    hone_status s = run(r, body);
    r->out = before;
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

/* What a macro that names varargs or kwargs was given beyond its parameters. */
static hone_status collect_rest(jrun *r, const jnode *n, const jcall *c)
{
    jval list, map;
    HONE_TRY(hone__jinja_new_list(r, J_TUPLE, 0, &list));
    for (size_t i = n->n; i < c->n; i++)
        HONE_TRY(hone__jinja_push(r, list.u.list, c->args[i]));
    HONE_TRY(hone__jinja_new_dict(r, J_DICT, 0, &map));
    for (size_t k = 0; k < c->n_kw; k++) {
        int known = (n->op & J_CALLER) && hone__jinja_is(c->names[k], "caller");
        for (size_t i = 0; i < n->n && !known; i++)
            known = hone__jinja_same(c->names[k], n->list[i]->name);
        if (!known)
            HONE_TRY(hone__jinja_dict_put(r, map.u.dict, j_str(c->names[k]), c->kw[k]));
    }
    if (n->op & J_KWARGS)
        HONE_TRY(define(r, r->t->n_kwargs, map));
    return n->op & J_VARARGS ? define(r, r->t->n_varargs, list) : HONE_OK;
}

static hone_status call_macro(jrun *r, const jmacro *m, const jcall *c, jval *out)
{
    const jnode *n = m->node;
    jscope *before = r->scope;
    const jval *caller = NULL;
    if (r->macro_depth >= J_MACRO_DEPTH)
        return hone__jinja_fail(r, HONE_E_LIMIT, "macros call each other deeper than %d",
                                J_MACRO_DEPTH);
    if (c->n > n->n && !(n->op & J_VARARGS))
        return hone__jinja_fail(r, HONE_E_SCRIPT,
                                "macro '%.*s' takes not more than %zu argument(s)",
                                (int)n->name.len, n->name.ptr, n->n);
    r->scope = m->scope;
    if (!push_scope(r)) {
        r->scope = before;
        return HONE_E_NOMEM;
    }
    hone_status s = HONE_OK;
    size_t used = 0;
    for (size_t i = 0; s >= 0 && i < n->n; i++) {
        const jval *given = i < c->n ? &c->args[i] : NULL;
        for (size_t k = 0; k < c->n_kw; k++)
            if (hone__jinja_same(c->names[k], n->list[i]->name)) {
                if (given)
                    s = hone__jinja_fail(r, HONE_E_SCRIPT, "macro argument '%.*s' is given twice",
                                         (int)c->names[k].len, c->names[k].ptr);
                given = &c->kw[k];
                used++;
            }
        jval v = j_undef(n->list[i]->name);
        if (given)
            v = *given;
        else if (n->list[i]->a && s >= 0)
            s = eval(r, n->list[i]->a, &v);
        if (s >= 0)
            s = define(r, n->list[i]->name.ptr, v);
    }
    int own_caller = 0;
    for (size_t i = 0; i < n->n; i++)
        own_caller |= n->list[i]->name.ptr == r->t->n_caller;
    jval none = j_undef((hone_str){"caller", 6});
    for (size_t k = 0; k < c->n_kw && (n->op & J_CALLER) && !own_caller; k++)
        if (hone__jinja_is(c->names[k], "caller")) {
            caller = &c->kw[k];
            used++;
        }
    if (s >= 0 && (n->op & J_CALLER) && !own_caller)
        s = define(r, r->t->n_caller, caller ? *caller : none);
    if (s >= 0 && (n->op & (J_VARARGS | J_KWARGS)))
        s = collect_rest(r, n, c);
    if (s >= 0 && used < c->n_kw && !(n->op & J_KWARGS))
        s = hone__jinja_fail(r, HONE_E_SCRIPT, "macro '%.*s' takes no such keyword argument",
                             (int)n->name.len, n->name.ptr);
    r->macro_depth++;
    if (s >= 0)
        s = capture(r, n->d, out);
    r->macro_depth--;
    r->scope = before;
    return s;
}

static hone_status call_loop(jrun *r, jloop *l, hone_str name, const jcall *c, jval *out)
{
    if (hone__jinja_is(name, "cycle")) {
        if (c->n == 0)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "no items for cycling given");
        *out = c->args[l->index % c->n];
        return HONE_OK;
    }
    jval now; /* changed */
    HONE_TRY(hone__jinja_new_list(r, J_TUPLE, c->n, &now));
    for (size_t i = 0; i < c->n; i++)
        HONE_TRY(hone__jinja_push(r, now.u.list, c->args[i]));
    *out = j_bool(!l->has_changed || !hone__jinja_equal(&l->changed, &now, 0));
    l->has_changed = 1;
    l->changed = now;
    return HONE_OK;
}

static hone_status loop_over(jrun *r, const jnode *n, const jval *iter, int depth);

/* loop(x) of a recursive loop: the same loop over x, as text. */
static hone_status recur(jrun *r, const jloop *l, const jcall *c, jval *out)
{
    hone_buf b, *to = r->out;
    jscope *before = r->scope;
    if (!l->node)
        return hone__jinja_fail(r, HONE_E_SCRIPT,
                                "The loop must have the 'recursive' marker to be called "
                                "recursively.");
    if (c->n != 1 || c->n_kw)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "loop() takes one argument");
    if (r->macro_depth >= J_MACRO_DEPTH)
        return hone__jinja_fail(r, HONE_E_LIMIT, "loops call each other deeper than %d",
                                J_MACRO_DEPTH);
    hone_buf_init(&b, r->max_output);
    r->out = &b;
    r->scope = l->scope;
    r->macro_depth++;
    hone_status s = loop_over(r, l->node, &c->args[0], l->depth + 1);
    r->macro_depth--;
    r->scope = before;
    r->out = to;
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

hone_status hone__jinja_call(jrun *r, const jval *fn, const jcall *c, jval *out)
{
    switch (fn->type) {
    case J_FUNC:
        return fn->u.func->fn(r, c, out);
    case J_MACRO:
        return call_macro(r, fn->u.macro, c, out);
    case J_LOOP:
        return recur(r, fn->u.loop, c, out);
    case J_JOINER:
        if (c->n + c->n_kw)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "a joiner takes no arguments");
        *out = fn->u.list->at ? fn->u.list->v[0] : j_str((hone_str){"", 0});
        fn->u.list->at = 1;
        return HONE_OK;
    case J_METHOD:
        if (fn->u.method->self.type == J_LOOP)
            return call_loop(r, fn->u.method->self.u.loop, fn->u.method->name, c, out);
        return hone__jinja_call_method(r, fn->u.method, c, out);
    case J_UNDEF:
        return hone__jinja_fail(r, HONE_E_SCRIPT, "'%.*s' is undefined",
                                (int)(fn->u.str.len < 100 ? fn->u.str.len : 100), fn->u.str.ptr);
    default:
        return hone__jinja_fail(r, HONE_E_SCRIPT, "'%s' object is not callable",
                                hone__jinja_type_name(fn));
    }
}

/* ---- statements ----------------------------------------------------------------------------------------------------- */
static hone_status assign(jrun *r, const jnode *target, const jval *v)
{
    if (target->kind == E_NAME)
        return define(r, target->name.ptr, *v);
    if (target->kind == E_ATTR) {
        jval ns = look_up(r, target->a->name);
        if (ns.type != J_NAMESPACE)
            return hone__jinja_fail(r, HONE_E_SCRIPT,
                                    "cannot assign attribute on non-namespace object");
        return hone__jinja_dict_put(r, ns.u.dict, j_str(target->name), *v);
    }
    const jlist *l;
    HONE_TRY(hone__jinja_items(r, v, &l));
    if (l->n != target->n)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "cannot unpack %zu values into %zu names", l->n,
                                target->n);
    for (size_t i = 0; i < target->n; i++)
        HONE_TRY(assign(r, target->list[i], &l->v[i]));
    return HONE_OK;
}

static hone_status filtered(jrun *r, const jnode *n, const jlist **items)
{
    jval kept, yes;
    jscope *before = r->scope;
    HONE_TRY(hone__jinja_new_list(r, J_LIST, 0, &kept));
    for (size_t i = 0; i < (*items)->n; i++) {
        if (!push_scope(r))
            return HONE_E_NOMEM;
        HONE_TRY(assign(r, n->a, &(*items)->v[i]));
        HONE_TRY(eval(r, n->c, &yes));
        r->scope = before;
        if (hone__jinja_truth(&yes))
            HONE_TRY(hone__jinja_push(r, kept.u.list, (*items)->v[i]));
    }
    *items = kept.u.list;
    return HONE_OK;
}

static hone_status loop_over(jrun *r, const jnode *n, const jval *iter, int depth)
{
    jval loop = {.type = J_LOOP};
    jscope *before = r->scope;
    const jlist *items;
    int finished = 0; /* a turn that reached its end: Jinja2's for-else asks for that */
    HONE_TRY(hone__jinja_items(r, iter, &items));
    if (n->c)
        HONE_TRY(filtered(r, n, &items));
    jloop *l = hone_arena_calloc(&r->arena, 1, sizeof *l);
    if (!l)
        return HONE_E_NOMEM;
    l->items = items;
    l->depth = depth;
    l->node = n->op ? n : NULL;
    l->scope = before;
    loop.u.loop = l;
    for (size_t i = 0; i < items->n; i++) {
        l->index = i;
        if (!push_scope(r))
            return HONE_E_NOMEM;
        HONE_TRY(define(r, r->t->n_loop, loop));
        HONE_TRY(assign(r, n->a, &items->v[i]));
        HONE_TRY(run(r, n->d));
        r->scope = before;
        int signal = r->signal;
        r->signal = J_GO;
        if (signal == J_BREAK)
            break;
        finished |= signal == J_GO;
    }
    return !finished && n->e ? run(r, n->e) : HONE_OK;
}

static hone_status run_for(jrun *r, const jnode *n)
{
    jval iter;
    HONE_TRY(eval(r, n->b, &iter));
    return loop_over(r, n, &iter, 1);
}

static hone_status run_block(jrun *r, const jnode *n)
{
    jscope *before = r->scope;
    while (!n->op && r->scope->up)
        r->scope = r->scope->up;
    if (!push_scope(r))
        return HONE_E_NOMEM;
    hone_status s = run(r, n->d);
    r->scope = before;
    return s;
}

/* The filters of a block: the innermost has no operand but the text. */
static hone_status filter_chain(jrun *r, const jnode *n, const jval *text, jval *out)
{
    jval in = *text;
    jcall c;
    if (!n) {
        *out = *text;
        return HONE_OK;
    }
    HONE_TRY(filter_chain(r, n->a, text, &in));
    HONE_TRY(eval_args(r, n, &c));
    r->line = n->line;
    return n->fn->fn(r, &in, &c, out);
}

static hone_status make_macro(jrun *r, const jnode *n, jval *out)
{
    jmacro *m = hone_arena_calloc(&r->arena, 1, sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    m->node = n;
    m->scope = r->scope;
    memset(out, 0, sizeof *out);
    out->type = J_MACRO;
    out->u.macro = m;
    return HONE_OK;
}

static hone_status run_call(jrun *r, const jnode *n)
{
    jval fn, caller, out;
    jcall c;
    HONE_TRY(eval(r, n->a->a, &fn));
    HONE_TRY(eval_args(r, n->a, &c));
    HONE_TRY(make_macro(r, n, &caller));
    hone_str *names = hone_arena_calloc(&r->arena, c.n_kw + 1, sizeof *names);
    jval *kw = hone_arena_calloc(&r->arena, c.n_kw + 1, sizeof *kw);
    if (!names || !kw)
        return HONE_E_NOMEM;
    if (c.n_kw) {
        memcpy(names, c.names, c.n_kw * sizeof *names);
        memcpy(kw, c.kw, c.n_kw * sizeof *kw);
    }
    names[c.n_kw].ptr = r->t->n_caller;
    names[c.n_kw].len = 6;
    kw[c.n_kw] = caller;
    c.names = names;
    c.kw = kw;
    c.n_kw++;
    r->line = n->line;
    if (fn.type != J_MACRO)
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                "{%% call %%} of something that is no macro is not supported");
    HONE_TRY(hone__jinja_call(r, &fn, &c, &out));
    return hone__jinja_write(r, r->out, &out);
}

static hone_status run_generation(jrun *r, const jnode *n)
{
    if (r->out != r->top)
        return hone__jinja_fail(
            r, HONE_E_UNSUPPORTED,
            "{%% generation %%} inside of a macro or a captured block is not supported");
    size_t begin = r->out->len;
    jscope *before = r->scope;
    if (!push_scope(r))
        return HONE_E_NOMEM;
    HONE_TRY(run(r, n->d));
    r->scope = before;
    if (!r->opt || !r->opt->generation)
        return HONE_OK;
    return hone_byte_spans_add(r->opt->generation, begin, r->out->len);
}

static hone_status run_statement(jrun *r, const jnode *n)
{
    jval v, text;
    jscope *before = r->scope;
    hone_status s;
    switch (n->kind) {
    case S_DATA:
        return hone__jinja_write(r, r->out, &n->value);
    case S_OUT:
        HONE_TRY(eval(r, n->a, &v));
        r->line = n->line;
        return hone__jinja_write(r, r->out, &v);
    case S_IF:
        for (size_t i = 0; i + 1 < n->n; i += 2) {
            HONE_TRY(eval(r, n->list[i], &v));
            if (hone__jinja_truth(&v))
                return run(r, n->list[i + 1]);
        }
        return n->d ? run(r, n->d) : HONE_OK;
    case S_FOR:
        return run_for(r, n);
    case S_SET:
        HONE_TRY(eval(r, n->b, &v));
        r->line = n->line;
        return assign(r, n->a, &v);
    case S_SET_BLOCK:
        HONE_TRY(capture(r, n->d, &text));
        HONE_TRY(filter_chain(r, n->b, &text, &v));
        return assign(r, n->a, &v);
    case S_FILTER:
        HONE_TRY(capture(r, n->d, &text));
        HONE_TRY(filter_chain(r, n->b, &text, &v));
        return hone__jinja_write(r, r->out, &v);
    case S_MACRO:
        HONE_TRY(make_macro(r, n, &v));
        return define(r, n->name.ptr, v);
    case S_CALL:
        return run_call(r, n);
    case S_WITH: {
        jval *values = hone_arena_calloc(&r->arena, n->n / 2 + 1, sizeof *values);
        if (!values)
            return HONE_E_NOMEM;
        for (size_t i = 0; i + 1 < n->n; i += 2)
            HONE_TRY(eval(r, n->list[i + 1], &values[i / 2]));
        if (!push_scope(r))
            return HONE_E_NOMEM;
        for (size_t i = 0; i + 1 < n->n; i += 2)
            HONE_TRY(assign(r, n->list[i], &values[i / 2]));
        s = run(r, n->d);
        r->scope = before;
        return s;
    }
    case S_BLOCK:
        return run_block(r, n);
    case S_GENERATION:
        return run_generation(r, n);
    case S_BREAK:
    case S_CONTINUE:
        r->signal = n->kind == S_BREAK ? J_BREAK : J_CONTINUE;
        return HONE_OK;
    default:
        return hone__jinja_fail(r, HONE_E_STATE, "not a statement");
    }
}

static hone_status run(jrun *r, const jnode *n)
{
    hone_status s = HONE_OK;
    if (r->depth >= J_EVAL_DEPTH)
        return too_deep(r);
    r->depth++;
    for (size_t i = 0; s >= 0 && i < n->n && r->signal == J_GO; i++) {
        r->line = n->list[i]->line;
        s = hone__jinja_step(r, 1);
        if (s >= 0)
            s = run_statement(r, n->list[i]);
    }
    r->depth--;
    return s;
}

/* ---- public ------------------------------------------------------------------------------------------------------------ */
enum { MAX_SOURCE = 4 << 20, MAX_MEMORY = 256 << 20 };

hone_status hone_jinja_create(hone_str source, const char *name, hone_jinja **out)
{
    jtokens tokens = {NULL, 0, 0};
    if (source.len > MAX_SOURCE)
        return hone_fail(HONE_E_LIMIT, "%s: a template is longer than %d bytes",
                         name ? name : "template", MAX_SOURCE);
    hone_jinja *t = hone_calloc(1, sizeof *t);
    if (!t)
        return HONE_E_NOMEM;
    hone_arena_init(&t->arena, (size_t)1 << 30);
    hone_status s = HONE_OK;
    t->name = hone_strdup(name ? name : "template");
    if (!t->name)
        s = HONE_E_NOMEM;
    if (s >= 0)
        s = hone__jinja_lex(t, source, &tokens);
    if (s >= 0)
        s = hone__jinja_parse(t, &tokens);
    hone_free(tokens.v);
    if (s < 0) {
        hone_jinja_destroy(t);
        return s;
    }
    *out = t;
    return HONE_OK;
}

void hone_jinja_destroy(hone_jinja *t)
{
    if (!t)
        return;
    hone_arena_release(&t->arena);
    hone_free(t->name);
    hone_free(t);
}

int hone_jinja_has_generation(const hone_jinja *t)
{
    return t->has_generation;
}

hone_status hone_jinja_render(const hone_jinja *t, const hone_value *vars,
                              const hone_jinja_options *opt, hone_buf *out)
{
    jrun r = {
        .t = t, .opt = opt, .out = out, .top = out, .start = out->len, .vars = vars, .line = 1};
    jval globals;
    size_t spans = opt && opt->generation ? opt->generation->n : 0;
    r.max_steps = opt && opt->max_steps ? opt->max_steps : 10u * 1000 * 1000;
    r.max_output = opt && opt->max_output ? opt->max_output : (size_t)64 << 20;
    if (!vars || vars->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "%s: the variables of a template must be a map", t->name);
    hone_arena_init(&r.arena, (size_t)MAX_MEMORY);
    hone_status s = hone__jinja_import(&r, vars, 0, &globals);
    if (s >= 0) {
        r.globals = globals.u.dict;
        s = push_scope(&r) ? HONE_OK : HONE_E_NOMEM;
    }
    if (s >= 0)
        s = run(&r, t->root);
    if (s >= 0 && out->failed < 0)
        s = out->failed;
    if (s == HONE_E_NOMEM && r.arena.used > MAX_MEMORY / 2)
        s = hone__jinja_fail(&r, HONE_E_LIMIT, "the template needs more than %d MiB of memory",
                             MAX_MEMORY >> 20);
    if (s < 0) {
        out->len = r.start;
        if (out->cap)
            out->ptr[out->len] = 0;
        if (opt && opt->generation)
            opt->generation->n = spans;
    }
    hone_arena_release(&r.arena);
    return s;
}
