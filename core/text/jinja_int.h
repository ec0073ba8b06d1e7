/* jinja_int.h - inside the template interpreter: tree, values, the state of one rendering.
 *
 * lex -> parse -> tree (jinja_lex.c, jinja_parse.c); evaluation (jinja_eval.c) with values that behave
 * as Python's do (jinja_value.c), filters and tests (jinja_filter.c), methods and globals (jinja_method.c).
 *
 * A tree never changes after parsing. All that a rendering makes lives in its arena and goes with it; there
 * is no collection: the arena's size is the limit. Strings of the caller's values are borrowed. */
#ifndef HONE_CORE_TEXT_JINJA_INT_H
#define HONE_CORE_TEXT_JINJA_INT_H
#include "base/arena.h"
#include "base/utf8.h"
#include "text/jinja.h"

#include <string.h>

/* ---- tokens ------------------------------------------------------------------------------------------- */
enum {
    T_EOF,
    T_DATA,
    T_VAR_BEGIN,
    T_VAR_END,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_NAME,
    T_STRING,
    T_INT,
    T_FLOAT,
    T_OP
};
#define J_OP2(a, b) ((int)(a) | (int)(b) << 8) /* an operator: one character, or two */
typedef struct jtoken {
    int kind, op, line;
    hone_str text; /* DATA, NAME, STRING (unescaped) */
    int64_t i;
    double f;
} jtoken;
typedef struct jtokens {
    jtoken *v;
    size_t n, cap;
} jtokens;

/* ---- values --------------------------------------------------------------------------------------------- */
typedef enum jtype {
    J_UNDEF, /* u.str: its name, for the error */
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STR,
    J_LIST,
    J_TUPLE,
    J_DICT,
    J_GEN,       /* a generator: a list that is read once, true even when empty, without length */
    J_VIEW,      /* u.list: range(), dict.keys() and their like: iterable, no list */
    J_NAMESPACE, /* u.dict */
    J_CYCLER,    /* u.list: its items, `at` where it is */
    J_JOINER,    /* u.list: its separator, `at` 1 behind the first call */
    J_LOOP,
    J_MACRO,
    J_FUNC,   /* u.func: a global */
    J_METHOD, /* u.method: an attribute to be called */
    J_ABSENT  /* an argument that was not given */
} jtype;
typedef struct jval {
    jtype type;
    int markup; /* STR: Markup of |safe, which other operations would escape */
    union {
        int64_t i;
        double f;
        hone_str str;
        struct jlist *list;
        struct jdict *dict;
        struct jloop *loop;
        struct jmacro *macro;
        struct jmethod *method;
        const struct jfunc *func;
    } u;
} jval;
enum { V_NONE, V_KEYS, V_VALUES, V_ITEMS, V_RANGE, V_GROUP };
typedef struct jlist {
    jval *v;
    size_t n, cap, at; /* at: where a generator is */
    int view;          /* of VIEW; V_GROUP: a pair of groupby, with .grouper and .list */
    int64_t range[3];
} jlist;
typedef struct jpair {
    jval key, val;
} jpair;
typedef struct jdict {
    jpair *v;
    size_t n, cap;
} jdict;
typedef struct jloop {
    const jlist *items;
    const struct jnode *node; /* recursive: what loop(x) runs */
    struct jscope *scope;     /* and in which scope */
    size_t index;
    int depth;
    int has_changed; /* loop.changed() */
    jval changed;
} jloop;
typedef struct jmethod {
    jval self;
    hone_str name;
} jmethod;
typedef struct jcall { /* arguments, evaluated */
    const jval *args;
    size_t n;
    const hone_str *names;
    const jval *kw;
    size_t n_kw;
} jcall;

/* ---- tree --------------------------------------------------------------------------------------------------- */
enum jkind {
    /* statements */
    S_DATA,
    S_OUT,
    S_FOR,
    S_IF,
    S_SET,
    S_SET_BLOCK,
    S_MACRO,
    S_CALL,
    S_FILTER,
    S_WITH,
    S_BREAK,
    S_CONTINUE,
    S_GENERATION,
    S_BLOCK,
    S_LIST,
    /* expressions */
    E_CONST,
    E_NAME,
    E_LIST,
    E_TUPLE,
    E_DICT,
    E_ATTR,
    E_ITEM,
    E_SLICE,
    E_CALL,
    E_FILTER,
    E_TEST,
    E_NOT,
    E_NEG,
    E_POS,
    E_BIN,
    E_AND,
    E_OR,
    E_COMPARE,
    E_COND,
    E_CONCAT,
    E_STAR /* *a or **a among arguments */
};
/* What the children are:
 *   S_FOR a target, b iterable, c condition or NULL, d body, e else or NULL    S_IF list: cond, body, ...; d else
 *   S_SET a target, b value   S_SET_BLOCK a target, b filters or NULL, d body   S_MACRO name, list: parameters (E_NAME,
 *   a = default), d body   S_CALL a call, list: parameters, d body   S_FILTER b filters, d body
 *   S_WITH list: target, value, ...; d body   E_DICT list: key, value, ...   E_ATTR a, name   E_ITEM a, b
 *   E_SLICE a b c   E_CALL a, arguments   E_FILTER a (NULL: the block's text), name, fn, arguments   E_TEST likewise
 *   E_BIN op a b   E_COMPARE a, list, ops in op of each list item's own `op`   E_COND a if b else c
 *   S_BLOCK d body, op: scoped   S_FOR op: recursive   S_MACRO op: which of J_CALLER ... its body names
 * Arguments: list, and for keyword ones kw_names/kw_list; E_STAR in list is *a, E_STAR in kw_list is **a. */
enum { J_CALLER = 1, J_VARARGS = 2, J_KWARGS = 4 };
typedef struct jnode {
    enum jkind kind;
    int op, line;
    struct jnode *a, *b, *c, *d, *e;
    struct jnode **list;
    size_t n;
    hone_str name; /* interned: equal names have equal pointers */
    hone_str *kw_names;
    struct jnode **kw_list;
    size_t n_kw;
    const struct jfilter *fn;
    jval value;
} jnode;

typedef struct jmacro {
    const jnode *node;
    struct jscope *scope; /* where it was defined */
    int is_caller;
} jmacro;

struct hone_jinja {
    hone_arena arena;
    char *name;
    jnode *root;
    int has_generation;
    const char *n_loop, *n_caller, *n_varargs, *n_kwargs; /* interned */
};
enum { J_DEPTH = 150, J_NESTING = 200, J_MACRO_DEPTH = 60, J_EVAL_DEPTH = 2000 };

/* ---- one rendering ---------------------------------------------------------------------------------------- */
typedef struct jscope {
    struct jscope *up;
    struct jslot {
        const char *name; /* interned */
        jval val;
    } * v;
    size_t n, cap;
} jscope;
typedef struct jrun {
    const hone_jinja *t;
    const hone_jinja_options *opt;
    hone_arena arena;
    hone_buf *out; /* where output goes now */
    hone_buf *top; /* the caller's buffer: spans are taken there */
    size_t start;  /* its length before */
    const hone_value *vars;
    jdict *globals; /* vars, as values */
    jscope *scope;
    int line, signal, depth, order_depth, macro_depth;
    size_t steps, max_steps, max_output;
} jrun;
enum { J_GO, J_BREAK, J_CONTINUE };

/* Fails at the current line. */
hone_status hone__jinja_fail(jrun *r, hone_status s, const char *fmt, ...) HONE_PRINTF(3, 4);
hone_status hone__jinja_step(jrun *r, size_t n); /* n more steps of the budget */

/* jinja_lex.c, jinja_parse.c */
hone_status hone__jinja_lex(hone_jinja *t, hone_str source, jtokens *out);
hone_status hone__jinja_parse(hone_jinja *t, const jtokens *tokens);

/* ---- values: jinja_value.c ---------------------------------------------------------------------------------- */
static inline jval j_none(void)
{
    jval v = {.type = J_NONE};
    return v;
}
static inline jval j_bool(int b)
{
    jval v = {.type = J_BOOL};
    v.u.i = b != 0;
    return v;
}
static inline jval j_int(int64_t i)
{
    jval v = {.type = J_INT};
    v.u.i = i;
    return v;
}
static inline jval j_float(double f)
{
    jval v = {.type = J_FLOAT};
    v.u.f = f;
    return v;
}
static inline jval j_str(hone_str s)
{
    jval v = {.type = J_STR};
    v.u.str = s;
    return v;
}
static inline jval j_undef(hone_str name)
{
    jval v = {.type = J_UNDEF};
    v.u.str = name;
    return v;
}
static inline int j_is_num(const jval *v)
{
    return v->type == J_INT || v->type == J_FLOAT || v->type == J_BOOL;
}
static inline double j_num(const jval *v)
{
    return v->type == J_FLOAT ? v->u.f : (double)v->u.i;
}
int hone__jinja_is(hone_str s, const char *z);
int hone__jinja_same(hone_str a, hone_str b);
const char *hone__jinja_type_name(const jval *v);
hone_status hone__jinja_new_list(jrun *r, jtype type, size_t cap, jval *out);
hone_status hone__jinja_push(jrun *r, jlist *l, jval v);
hone_status hone__jinja_new_dict(jrun *r, jtype type, size_t cap, jval *out);
hone_status hone__jinja_dict_put(jrun *r, jdict *d, jval key, jval val);
const jval *hone__jinja_dict_get(const jdict *d, const jval *key);
const jval *hone__jinja_dict_get_str(const jdict *d, hone_str key);
hone_status hone__jinja_import(jrun *r, const hone_value *in, int depth, jval *out);
hone_status hone__jinja_copy_str(jrun *r, const char *p, size_t n, jval *out); /* into the arena */
hone_status hone__jinja_take_buf(jrun *r, hone_buf *b, jval *out); /* copies and releases b */
hone_status hone__jinja_escape(jrun *r, const jval *v, jval *out); /* Markup of <>&'" escaped */
int hone__jinja_truth(const jval *v);
int hone__jinja_equal(const jval *a, const jval *b, int depth);
hone_status hone__jinja_pay_equal(jrun *r, const jval *v,
                                  size_t times); /* steps for comparing with v so often */
/* <0, 0, >0 into *out; a TypeError for values without an order. */
hone_status hone__jinja_order(jrun *r, const jval *a, const jval *b, int *out);
hone_status hone__jinja_to_str(jrun *r, const jval *v, jval *out);  /* str(v) */
hone_status hone__jinja_write(jrun *r, hone_buf *b, const jval *v); /* str(v), appended */
hone_status hone__jinja_repr(jrun *r, hone_buf *b, const jval *v, int depth);
void hone__jinja_float_repr(double f, char out[48]);
typedef struct jjson {
    hone_str indent; /* ptr NULL: one line */
    hone_str item_sep, key_sep;
    int sort_keys, ascii;
} jjson;
hone_status hone__jinja_json(jrun *r, hone_buf *b, const jval *v, const jjson *o, int depth);
/* All items: list and tuple as they are (borrowed), others into a new list. Consumes a generator. */
hone_status hone__jinja_items(jrun *r, const jval *v, const jlist **out);
hone_status hone__jinja_length(jrun *r, const jval *v, int64_t *out);
hone_status hone__jinja_contains(jrun *r, const jval *needle, const jval *hay, int *out);
hone_status hone__jinja_binary(jrun *r, int op, const jval *a, const jval *b, jval *out);
/* jinja_format.c: "%s" % args; "{}".format(...); strftime */
hone_status hone__jinja_format(jrun *r, hone_str fmt, const jval *args, size_t n, int one,
                               jval *out);
hone_status hone__jinja_str_format(jrun *r, hone_str fmt, const jcall *c, jval *out);
hone_status hone__jinja_strftime(jrun *r, hone_str fmt, int64_t now, jval *out);
hone_status hone__jinja_get_item(jrun *r, const jval *obj, const jval *key, jval *out);
hone_status hone__jinja_get_attr(jrun *r, const jval *obj, hone_str name, jval *out);
hone_status hone__jinja_slice(jrun *r, const jval *obj, const jval *from, const jval *to,
                              const jval *step, jval *out);
/* "a.b.0" of an attribute argument, or an index */
hone_status hone__jinja_get_path(jrun *r, const jval *obj, const jval *path, jval *out);
size_t hone__jinja_count_chars(hone_str s);
size_t hone__jinja_char_len(hone_str s, size_t at); /* bytes of the character at `at` */
int hone__jinja_space(uint32_t code);               /* str.isspace() */
hone_str hone__jinja_strip(hone_str s, const hone_str *chars, int left, int right);

/* ---- functions --------------------------------------------------------------------------------------------- */
/* Distributes arguments over `names` (NULL-terminated); those not given become J_ABSENT. */
hone_status hone__jinja_bind(jrun *r, const char *what, const jcall *c, size_t min,
                             const char *const *names, jval *out);
hone_status hone__jinja_want_str(jrun *r, const char *what, const jval *v, hone_str *out);
hone_status hone__jinja_want_int(jrun *r, const char *what, const jval *v, int64_t *out);

typedef struct jfilter {
    const char *name;
    hone_status (*fn)(jrun *r, const jval *in, const jcall *c, jval *out);
} jfilter;
const jfilter *hone__jinja_find_filter(hone_str name);
const jfilter *hone__jinja_find_test(hone_str name); /* out: a bool */
typedef struct jfunc {
    const char *name;
    hone_status (*fn)(jrun *r, const jcall *c, jval *out);
} jfunc;
const jfunc *hone__jinja_find_global(hone_str name);
int hone__jinja_has_method(const jval *v, hone_str name);
hone_status hone__jinja_call_method(jrun *r, const jmethod *m, const jcall *c, jval *out);
hone_status hone__jinja_call(jrun *r, const jval *fn, const jcall *c, jval *out); /* jinja_eval.c */
hone_status hone__jinja_apply_filter(jrun *r, hone_str name, const jval *in, const jcall *c,
                                     jval *out); /* |map("name") */

/* for filters and tests */
#define J_BIND(what, min, ...)                                                                     \
    static const char *const names[] = {__VA_ARGS__, NULL};                                        \
    jval a[sizeof names / sizeof *names];                                                          \
    HONE_TRY(hone__jinja_bind(r, what, c, min, names, a))

static inline hone_status j_no_args(jrun *r, const char *what, const jcall *c)
{
    static const char *const names[] = {NULL};
    jval a[1];
    return hone__jinja_bind(r, what, c, 0, names, a);
}

/* soft_str: a str as it is, everything else printed. */
static inline hone_status j_soft_str(jrun *r, const jval *in, hone_str *out)
{
    jval v;
    HONE_TRY(hone__jinja_to_str(r, in, &v));
    *out = v.u.str;
    return HONE_OK;
}

/* A method of str on a value that is printed first. */
static inline hone_status j_str_method(jrun *r, const char *name, const jval *in, const jcall *c,
                                       jval *out)
{
    jmethod m = {.name = {name, strlen(name)}};
    HONE_TRY(hone__jinja_to_str(r, in, &m.self));
    return hone__jinja_call_method(r, &m, c, out);
}
extern const jfilter hone__jinja_seq_filters[];   /* jinja_seq.c; ends with {NULL, NULL} */
extern const jfilter hone__jinja_prose_filters[]; /* jinja_prose.c; likewise */

/* unicode.c */
int hone__upper(uint32_t code, uint32_t *out); /* 0: not known in this build */
int hone__lower(uint32_t code, uint32_t *out);
int hone__printable(uint32_t code);
size_t hone__utf8_put(uint32_t code, char out[4]);
#endif
