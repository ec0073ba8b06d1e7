/* grammar_schema.c - JSON Schema to GBNF: the part of it that says what a model's answer looks like.
 *
 *   any type     type (also a list), enum, const, anyOf, oneOf (where the choices exclude each other), $ref to "#/..."
 *   object       properties, required, additionalProperties (false; or of one schema, without properties)
 *   array        items, minItems, maxItems           string    minLength, maxLength, pattern
 *   integer, number                                  minimum, maximum, exclusiveMinimum, exclusiveMaximum
 *   no meaning   title, description, default, examples, $schema, $id, $comment, deprecated, readOnly, writeOnly
 *
 * Whatever else stands in a schema is refused by name: a keyword that is passed over would let through what its author forbade.
 * What is described is always valid, and is narrower than the schema in spelling only: properties in the schema's order, none
 * that is not named, white space of one line, numbers of at most 18 digits in front of the point and 16 behind.
 *
 * Every object, and every target of $ref, is a rule; the rest are expressions within. References wait in a list, so that
 * a schema may refer to itself. (JSON Schema 2020-12, core 8 and 10, validation 6) */
#include "gen/grammar_schema.h"

#include "base/alloc.h"
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_REFS = 4096 };
enum {
    OBJECT = 1 << 0,
    ARRAY = 1 << 1,
    STRING = 1 << 2,
    INTEGER = 1 << 3,
    NUMBER = 1 << 4,
    BOOLEAN = 1 << 5,
    NOTHING = 1 << 6,
    EVERY = 0x7f
};

static const struct {
    const char *name;
    uint32_t type;
} types[] = {{"object", OBJECT}, {"array", ARRAY},     {"string", STRING}, {"integer", INTEGER},
             {"number", NUMBER}, {"boolean", BOOLEAN}, {"null", NOTHING},  {NULL, 0}};

/* Keywords and the types they speak of; 0: any place. */
static const struct {
    const char *name;
    uint32_t types;
} keywords[] = {{"type", 0},
                {"enum", 0},
                {"const", 0},
                {"anyOf", 0},
                {"oneOf", 0},
                {"$ref", 0},
                {"title", 0},
                {"description", 0},
                {"default", 0},
                {"examples", 0},
                {"$schema", 0},
                {"$id", 0},
                {"$comment", 0},
                {"$defs", 0},
                {"definitions", 0},
                {"deprecated", 0},
                {"readOnly", 0},
                {"writeOnly", 0},
                {"properties", OBJECT},
                {"required", OBJECT},
                {"additionalProperties", OBJECT},
                {"items", ARRAY},
                {"minItems", ARRAY},
                {"maxItems", ARRAY},
                {"minLength", STRING},
                {"maxLength", STRING},
                {"pattern", STRING},
                {"minimum", INTEGER | NUMBER},
                {"maximum", INTEGER | NUMBER},
                {"exclusiveMinimum", INTEGER | NUMBER},
                {"exclusiveMaximum", INTEGER | NUMBER},
                {NULL, 0}};

typedef struct reference {
    const hone_value *schema;
    hone_str pointer;
} reference;

typedef struct writer {
    const hone_value *root;
    const char *name;
    hone_buf *out;
    char place[512]; /* JSON pointer of what is read, for messages */
    reference *refs;
    size_t n_refs, cap_refs, n_rules;
    uint32_t depth;
} writer;

static HONE_PRINTF(3, 4) hone_status bad(const writer *w, hone_status code, const char *fmt, ...)
{
    char text[384];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return hone_fail(code, "%s: #%s: %s", w->name, w->place, text);
}

/* Goes one step down in `place`; the mark to come back to. */
static size_t enter(writer *w, const char *key, hone_str name)
{
    const size_t mark = strlen(w->place);
    snprintf(w->place + mark, sizeof w->place - mark, "/%s%s%.*s", key, name.ptr ? "/" : "",
             (int)(name.len < 60 ? name.len : 60), name.ptr ? name.ptr : "");
    return mark;
}

static hone_status expression(writer *w, const hone_value *schema, hone_buf *e);

/* ---- texts ------------------------------------------------------------------------------------------------ */

hone_status hone__grammar_literal(hone_str text, hone_buf *out)
{
    HONE_TRY(hone_buf_addc(out, '"'));
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            HONE_TRY(hone_buf_addf(out, "\\%c", c));
        else if (c < 32 || c == 127)
            HONE_TRY(hone_buf_addf(out, "\\x%02x", c));
        else
            HONE_TRY(hone_buf_addc(out, (char)c));
    }
    return hone_buf_adds(out, "\"");
}

/* The JSON text of a value, as a literal. */
static hone_status value_literal(const hone_value *v, hone_buf *e)
{
    hone_buf text;
    hone_jw jw;
    hone_buf_init(&text, HONE__G_TEXT);
    hone_jw_init(&jw, &text, 0);
    hone_jw_value(&jw, v);
    hone_status s = hone_buf_check(&text, "a constant of a schema");
    if (s >= 0)
        s = hone__grammar_literal(hone_buf_str(&text), e);
    hone_buf_release(&text);
    return s;
}

static const char common[] =
    "ws ::= ( \" \" | \"\\n\" [ \\t]{0,20} )?\n"
    "hex ::= [0-9a-fA-F]\n"
    "char ::= [^\"\\\\\\x00-\\x1f] | \"\\\\\" ( [\"\\\\/bfnrt] | \"u\" ( [0-9abcefABCEF] hex{3} | "
    "[dD] [0-7] hex{2} ) )\n"
    "string ::= \"\\\"\" char* \"\\\"\"\n"
    "integer ::= \"-\"? ( \"0\" | [1-9] [0-9]{0,17} )\n"
    "number ::= integer ( \".\" [0-9]{1,16} )? ( [eE] [-+]? [0-9]{1,2} )?\n"
    "boolean ::= \"true\" | \"false\"\n"
    "any-object ::= \"{\" ws ( string \":\" ws any ( \",\" ws string \":\" ws any )* )? ws \"}\"\n"
    "any-array ::= \"[\" ws ( any ( \",\" ws any )* )? ws \"]\"\n"
    "any ::= any-object | any-array | string | number | boolean | \"null\"\n";

/* ---- what a schema says of itself ------------------------------------------------------------------------- */

static int is_set(const hone_value *schema, const char *key)
{
    return hone_value_get(schema, key) != NULL;
}

static uint32_t type_of_value(const hone_value *v)
{
    switch (v->type) {
    case HONE_NULL:
        return NOTHING;
    case HONE_BOOL:
        return BOOLEAN;
    case HONE_I64:
        return INTEGER | NUMBER;
    case HONE_F64:
        return NUMBER;
    case HONE_STRING:
        return STRING;
    case HONE_LIST:
        return ARRAY;
    default:
        return OBJECT;
    }
}

static hone_status one_type(const writer *w, const hone_value *v, uint32_t *out)
{
    for (int i = 0; v->type == HONE_STRING && types[i].name; i++)
        if (hone_str_eq(v->u.str, types[i].name)) {
            *out |= types[i].type;
            return HONE_OK;
        }
    bad(w, HONE_E_INVALID, "this is not a type");
    return hone_fail_hint("types are object, array, string, integer, number, boolean, null");
}

/* The types that `type` names; without it those that the other keywords speak of, all where none does. */
static hone_status types_of(const writer *w, const hone_value *schema, uint32_t *out)
{
    const hone_value *t = hone_value_get(schema, "type");
    uint32_t mask = 0;
    if (t && t->type == HONE_LIST) {
        for (size_t i = 0; i < t->u.list.n; i++)
            HONE_TRY(one_type(w, &t->u.list.items[i], &mask));
    } else if (t)
        HONE_TRY(one_type(w, t, &mask));
    else
        for (size_t i = 0; keywords[i].name; i++)
            if (keywords[i].types && is_set(schema, keywords[i].name))
                mask |= keywords[i].types & NUMBER ? NUMBER : keywords[i].types;
    if (t && !mask)
        return bad(w, HONE_E_INVALID, "type names nothing");
    *out = mask ? mask : EVERY;
    return HONE_OK;
}

/* Every key is known, and says something here. */
static hone_status check_keys(const writer *w, const hone_value *schema)
{
    uint32_t mask;
    const char *names[sizeof keywords / sizeof *keywords];
    if (schema->type != HONE_MAP)
        return bad(w, HONE_E_INVALID, "a schema is an object, or true");
    HONE_TRY(types_of(w, schema, &mask));
    for (size_t i = 0; i < schema->u.map.n; i++) {
        const hone_str key = schema->u.map.pairs[i].key;
        size_t k = 0;
        while (keywords[k].name && !hone_str_eq(key, keywords[k].name))
            k++;
        if (!keywords[k].name) {
            char text[64];
            snprintf(text, sizeof text, "%.*s", (int)(key.len < 60 ? key.len : 60), key.ptr);
            for (k = 0; keywords[k].name; k++)
                names[k] = keywords[k].name;
            names[k] = NULL;
            const char *close = hone_closest(text, names);
            bad(w, HONE_E_UNSUPPORTED, "the keyword \"%s\" is not supported", text);
            return close ? hone_fail_hint("did you mean \"%s\"?", close)
                         : hone_fail_hint("leave it out and check the answer by other means; "
                                          "docs/recipes.md lists what is supported");
        }
        if (keywords[k].types && !(keywords[k].types & mask))
            return bad(w, HONE_E_INVALID, "\"%s\" says nothing about this type", keywords[k].name);
    }
    return HONE_OK;
}

/* These keywords may stand together with `key`, and no other that says something. */
static hone_status stands_alone(const writer *w, const hone_value *schema, const char *key,
                                const char *with)
{
    for (size_t i = 0; keywords[i].name; i++) {
        const char *k = keywords[i].name;
        const int says = keywords[i].types || i < 6; /* type, enum, const, anyOf, oneOf, $ref */
        if (!says || strcmp(k, key) == 0 || (with && strcmp(k, with) == 0) || !is_set(schema, k))
            continue;
        bad(w, HONE_E_UNSUPPORTED, "\"%s\" beside \"%s\" is not supported", k, key);
        return hone_fail_hint("say it within \"%s\"", key);
    }
    return HONE_OK;
}

/* ---- references ------------------------------------------------------------------------------------------ */

static hone_status resolve(const writer *w, hone_str pointer, const hone_value **out)
{
    const hone_value *v = w->root;
    size_t at = 1;
    if (!pointer.len || pointer.ptr[0] != '#' || (pointer.len > 1 && pointer.ptr[1] != '/')) {
        bad(w, HONE_E_UNSUPPORTED, "$ref \"%.*s\" is not in this schema",
            (int)(pointer.len < 80 ? pointer.len : 80), pointer.ptr);
        return hone_fail_hint("references are \"#\" or \"#/$defs/NAME\"");
    }
    while (v && at < pointer.len) {
        char key[256];
        size_t n = 0;
        for (at++; at < pointer.len && pointer.ptr[at] != '/' && n + 1 < sizeof key; at++) {
            char c = pointer.ptr[at];
            if (c == '~' && at + 1 < pointer.len) /* RFC 6901 */
                c = pointer.ptr[++at] == '1' ? '/' : '~';
            key[n++] = c;
        }
        key[n] = '\0';
        v = v->type == HONE_MAP ? hone_value_get_str(v, (hone_str){key, n}) : NULL;
    }
    if (!v)
        return bad(w, HONE_E_INVALID, "$ref \"%.*s\" leads to nothing",
                   (int)(pointer.len < 80 ? pointer.len : 80), pointer.ptr);
    *out = v;
    return HONE_OK;
}

static hone_status refer(writer *w, const hone_value *ref, hone_buf *e)
{
    const hone_value *target;
    if (ref->type != HONE_STRING)
        return bad(w, HONE_E_INVALID, "$ref is a text");
    HONE_TRY(resolve(w, ref->u.str, &target));
    size_t k = 0;
    while (k < w->n_refs && w->refs[k].schema != target)
        k++;
    if (k == w->n_refs) {
        if (k == MAX_REFS)
            return bad(w, HONE_E_LIMIT, "more than %d references", MAX_REFS);
        if (k == w->cap_refs) {
            const size_t cap = k ? 2 * k : 16;
            reference *grown = hone_reallocarray(w->refs, cap, sizeof *grown);
            if (!grown)
                return HONE_E_NOMEM;
            w->refs = grown;
            w->cap_refs = cap;
        }
        w->refs[w->n_refs++] = (reference){target, ref->u.str};
    }
    return hone_buf_addf(e, "ref%zu ", k);
}

/* ---- kinds ------------------------------------------------------------------------------------------------ */

static hone_status constants(writer *w, const hone_value *schema, hone_buf *e)
{
    const hone_value *list = hone_value_get(schema, "enum"), *one = hone_value_get(schema, "const");
    const char *key = list ? "enum" : "const", *bar = "";
    uint32_t mask;
    HONE_TRY(stands_alone(w, schema, key, "type"));
    if (list && (list->type != HONE_LIST || list->u.list.n == 0))
        return bad(w, HONE_E_INVALID, "enum is a list of one value or more");
    HONE_TRY(types_of(w, schema, &mask));
    const size_t n = list ? list->u.list.n : 1;
    HONE_TRY(hone_buf_adds(e, "( "));
    for (size_t i = 0; i < n; i++) {
        const hone_value *v = list ? &list->u.list.items[i] : one;
        if (!(type_of_value(v) & mask))
            continue;
        HONE_TRY(hone_buf_adds(e, bar));
        HONE_TRY(value_literal(v, e));
        HONE_TRY(hone_buf_addc(e, ' '));
        bar = "| ";
    }
    if (!*bar)
        return bad(w, HONE_E_INVALID, "no value of %s has the type", key);
    return hone_buf_adds(e, ") ");
}

/* A count: 0 or more. */
static hone_status count_of(const writer *w, const hone_value *schema, const char *key,
                            int64_t dflt, int64_t *out)
{
    const hone_value *v = hone_value_get(schema, key);
    *out = dflt;
    if (!v)
        return HONE_OK;
    if (v->type != HONE_I64 || v->u.i64 < 0)
        return bad(w, HONE_E_INVALID, "%s is a whole number from 0 on", key);
    if (v->u.i64 > 100000)
        return bad(w, HONE_E_LIMIT, "%s is more than 100000", key);
    *out = v->u.i64;
    return HONE_OK;
}

static hone_status repeat(hone_buf *e, int64_t min, int64_t max)
{
    if (max < 0)
        return hone_buf_addf(e, "{%lld,} ", (long long)min);
    return hone_buf_addf(e, "{%lld,%lld} ", (long long)min, (long long)max);
}

static hone_status string(writer *w, const hone_value *schema, hone_buf *e)
{
    const hone_value *pattern = hone_value_get(schema, "pattern");
    int64_t min, max;
    HONE_TRY(count_of(w, schema, "minLength", 0, &min));
    HONE_TRY(count_of(w, schema, "maxLength", -1, &max));
    if (max >= 0 && max < min)
        return bad(w, HONE_E_INVALID, "maxLength is below minLength");
    if (pattern) {
        if (pattern->type != HONE_STRING)
            return bad(w, HONE_E_INVALID, "pattern is a text");
        if (is_set(schema, "minLength") || is_set(schema, "maxLength")) {
            bad(w, HONE_E_UNSUPPORTED, "a pattern beside minLength or maxLength is not supported");
            return hone_fail_hint("say the length in the pattern: ^[a-z]{2,8}$");
        }
        const hone_status s = hone__grammar_pattern(pattern->u.str, e);
        return s < 0 ? hone_fail_at("%s: #%s: pattern", w->name, w->place) : s;
    }
    if (min == 0 && max < 0)
        return hone_buf_adds(e, "string ");
    HONE_TRY(hone_buf_adds(e, "\"\\\"\" char"));
    HONE_TRY(repeat(e, min, max));
    return hone_buf_adds(e, "\"\\\"\" ");
}

/* The narrower of two bounds, for the lower (sign 1) or the upper (-1) end. */
static int narrower(const hone__bound *a, const hone__bound *b, int sign)
{
    int c; /* a against b */
    if (a->negative != b->negative)
        c = a->negative ? -1 : 1;
    else {
        const size_t la = strlen(a->whole), lb = strlen(b->whole);
        c = la != lb ? (la < lb ? -1 : 1) : strcmp(a->whole, b->whole);
        c = c ? c : strcmp(a->fraction, b->fraction);
        c = a->negative ? -c : c;
    }
    return c * sign > 0 || (c == 0 && a->strict);
}

static hone_status bound(const writer *w, const hone_value *schema, const char *key, int strict,
                         int sign, hone__bound *b)
{
    const hone_value *v = hone_value_get(schema, key);
    hone__bound x;
    if (!v)
        return HONE_OK;
    if (v->type != HONE_I64 && v->type != HONE_F64)
        return bad(w, HONE_E_INVALID, "%s is a number", key);
    if (hone__bound_of(v, strict, &x) < 0)
        return hone_fail_at("%s: #%s: %s", w->name, w->place, key);
    if (!b->given || narrower(&x, b, sign))
        *b = x;
    return HONE_OK;
}

static hone_status numeric(writer *w, const hone_value *schema, int integers, hone_buf *e)
{
    hone__bound lo = {0}, hi = {0};
    HONE_TRY(bound(w, schema, "minimum", 0, 1, &lo));
    HONE_TRY(bound(w, schema, "exclusiveMinimum", 1, 1, &lo));
    HONE_TRY(bound(w, schema, "maximum", 0, -1, &hi));
    HONE_TRY(bound(w, schema, "exclusiveMaximum", 1, -1, &hi));
    if (!lo.given && !hi.given)
        return hone_buf_adds(e, integers ? "integer " : "number ");
    const hone_status s = integers ? hone__grammar_integers(&lo, &hi, e)
                                   : hone__grammar_numbers(&lo, &hi, e);
    return s < 0 ? hone_fail_at("%s: #%s", w->name, w->place) : s;
}

static hone_status array(writer *w, const hone_value *schema, hone_buf *e)
{
    const hone_value *items = hone_value_get(schema, "items");
    int64_t min, max;
    hone_buf one;
    HONE_TRY(count_of(w, schema, "minItems", 0, &min));
    HONE_TRY(count_of(w, schema, "maxItems", -1, &max));
    if (max >= 0 && max < min)
        return bad(w, HONE_E_INVALID, "maxItems is below minItems");
    if (max == 0)
        return hone_buf_adds(e, "\"[\" ws \"]\" ");
    hone_buf_init(&one, HONE__G_TEXT);
    const size_t mark = enter(w, "items", (hone_str){NULL, 0});
    hone_status s = items ? expression(w, items, &one) : hone_buf_adds(&one, "any ");
    w->place[mark] = '\0';
    if (s >= 0 && one.len > 24) { /* it stands twice below: once as a rule */
        const size_t k = w->n_rules++;
        s = hone_buf_addf(w->out, "item%zu ::= %s\n", k, one.ptr);
        hone_buf_clear(&one);
        if (s >= 0)
            s = hone_buf_addf(&one, "item%zu ", k);
    }
    if (s >= 0)
        s = hone_buf_addf(e, "\"[\" ws ( %s( \",\" ws %s)", one.ptr, one.ptr);
    if (s >= 0)
        s = repeat(e, min > 0 ? min - 1 : 0, max < 0 ? -1 : max - 1);
    hone_buf_release(&one);
    HONE_TRY(s);
    return hone_buf_addf(e, ")%s ws \"]\" ", min == 0 ? "?" : "");
}

static hone_status is_required(const writer *w, const hone_value *schema, hone_str name, int *out)
{
    const hone_value *list = hone_value_get(schema, "required");
    *out = 0;
    if (list && list->type != HONE_LIST)
        return bad(w, HONE_E_INVALID, "required is a list of names");
    for (size_t i = 0; list && i < list->u.list.n; i++) {
        const hone_value *v = &list->u.list.items[i];
        if (v->type != HONE_STRING)
            return bad(w, HONE_E_INVALID, "required is a list of names");
        *out |= hone_str_same(v->u.str, name);
    }
    return HONE_OK;
}

static hone_status check_required(const writer *w, const hone_value *schema,
                                  const hone_value *properties)
{
    const hone_value *list = hone_value_get(schema, "required");
    int any;
    HONE_TRY(is_required(w, schema, (hone_str){"", 0}, &any));
    for (size_t i = 0; list && i < list->u.list.n; i++) {
        const hone_str name = list->u.list.items[i].u.str;
        if (!properties || !hone_value_get_str(properties, name))
            return bad(w, HONE_E_INVALID, "\"%.*s\" is required and not among the properties",
                       (int)(name.len < 60 ? name.len : 60), name.ptr);
    }
    return HONE_OK;
}

/* Objects without named properties: a map, or anything. */
static hone_status open_object(writer *w, const hone_value *more, hone_buf *e)
{
    hone_buf value;
    if (more && more->type == HONE_BOOL && !more->u.boolean)
        return hone_buf_adds(e, "\"{\" ws \"}\" ");
    if (!more || more->type == HONE_BOOL)
        return hone_buf_adds(e, "any-object ");
    hone_buf_init(&value, HONE__G_TEXT);
    const size_t mark = enter(w, "additionalProperties", (hone_str){NULL, 0});
    hone_status s = expression(w, more, &value);
    w->place[mark] = '\0';
    const size_t k = w->n_rules++;
    if (s >= 0)
        s = hone_buf_addf(w->out, "pair%zu ::= string \":\" ws %s\n", k, value.ptr);
    hone_buf_release(&value);
    HONE_TRY(s);
    return hone_buf_addf(e, "\"{\" ws ( pair%zu ( \",\" ws pair%zu )* )? ws \"}\" ", k, k);
}

/* Named properties in order. Two rules for each place in the list: nothing was written yet, and something was, so that
 * a comma comes first. An optional property may be passed over in both. */
static hone_status object(writer *w, const hone_value *schema, hone_buf *e)
{
    const hone_value *props = hone_value_get(schema, "properties");
    const hone_value *more = hone_value_get(schema, "additionalProperties");
    if (props && props->type != HONE_MAP)
        return bad(w, HONE_E_INVALID, "properties is an object");
    if (more && more->type != HONE_BOOL && more->type != HONE_MAP)
        return bad(w, HONE_E_INVALID, "additionalProperties is false, or a schema");
    HONE_TRY(check_required(w, schema, props));
    if (!props || props->u.map.n == 0)
        return open_object(w, more, e);
    if (more && (more->type != HONE_BOOL || more->u.boolean)) {
        bad(w, HONE_E_UNSUPPORTED, "additionalProperties beside properties is not supported");
        return hone_fail_hint("write \"additionalProperties\": false, and name every property");
    }
    const size_t k = w->n_rules++, n = props->u.map.n;
    for (size_t i = 0; i < n; i++) {
        const hone_pair *p = &props->u.map.pairs[i];
        const hone_value key = {.type = HONE_STRING, .u.str = p->key};
        int required;
        hone_buf one;
        hone_buf_init(&one, HONE__G_TEXT);
        const size_t mark = enter(w, "properties", p->key);
        hone_status s = is_required(w, schema, p->key, &required);
        if (s >= 0)
            s = value_literal(&key, &one);
        if (s >= 0)
            s = hone_buf_adds(&one, " \":\" ws ");
        if (s >= 0)
            s = expression(w, &p->value, &one);
        w->place[mark] = '\0';
        if (s >= 0)
            s = hone_buf_addf(w->out, "o%zu-%zu ::= %s\n", k, i, one.ptr);
        hone_buf_release(&one);
        HONE_TRY(s);
        HONE_TRY(hone_buf_addf(w->out, "o%zu-first-%zu ::= o%zu-%zu o%zu-next-%zu ", k, i, k, i, k,
                               i + 1));
        if (!required)
            HONE_TRY(hone_buf_addf(w->out, "| o%zu-first-%zu ", k, i + 1));
        HONE_TRY(hone_buf_addf(w->out, "\no%zu-next-%zu ::= \",\" ws o%zu-%zu o%zu-next-%zu ", k, i,
                               k, i, k, i + 1));
        if (!required)
            HONE_TRY(hone_buf_addf(w->out, "| o%zu-next-%zu ", k, i + 1));
        HONE_TRY(hone_buf_adds(w->out, "\n"));
    }
    HONE_TRY(
        hone_buf_addf(w->out, "o%zu-first-%zu ::= \"\"\no%zu-next-%zu ::= \"\"\n", k, n, k, n));
    return hone_buf_addf(e, "\"{\" ws o%zu-first-0 ws \"}\" ", k);
}

/* ---- choices ----------------------------------------------------------------------------------------------- */

/* The types that a schema's values can have, at most. */
static uint32_t may_be(const writer *w, const hone_value *schema, int depth)
{
    const hone_value *v;
    uint32_t mask = 0;
    if (schema->type != HONE_MAP || depth > 8)
        return EVERY;
    if ((v = hone_value_get(schema, "$ref")) != NULL) {
        const hone_value *target;
        return v->type == HONE_STRING && resolve(w, v->u.str, &target) >= 0
                   ? may_be(w, target, depth + 1)
                   : EVERY;
    }
    if ((v = hone_value_get(schema, "const")) != NULL)
        return type_of_value(v);
    if ((v = hone_value_get(schema, "enum")) != NULL && v->type == HONE_LIST) {
        for (size_t i = 0; i < v->u.list.n; i++)
            mask |= type_of_value(&v->u.list.items[i]);
        return mask;
    }
    if (((v = hone_value_get(schema, "anyOf")) != NULL ||
         (v = hone_value_get(schema, "oneOf")) != NULL) &&
        v->type == HONE_LIST) {
        for (size_t i = 0; i < v->u.list.n; i++)
            mask |= may_be(w, &v->u.list.items[i], depth + 1);
        return mask;
    }
    if (types_of(w, schema, &mask) < 0)
        return EVERY;
    return mask & (INTEGER | NUMBER) ? mask | INTEGER | NUMBER : mask;
}

static const hone_value *followed(const writer *w, const hone_value *schema)
{
    for (int i = 0; i < 8 && schema->type == HONE_MAP; i++) {
        const hone_value *ref = hone_value_get(schema, "$ref"), *target;
        if (!ref || ref->type != HONE_STRING || resolve(w, ref->u.str, &target) < 0)
            break;
        schema = target;
    }
    return schema;
}

/* The values of enum or const; NULL: it has neither. */
static const hone_value *listed(const hone_value *schema, size_t *n)
{
    const hone_value *v = hone_value_get(schema, "enum");
    if (v && v->type == HONE_LIST) {
        *n = v->u.list.n;
        return v->u.list.items;
    }
    *n = 1;
    return hone_value_get(schema, "const");
}

static int share_value(const hone_value *a, const hone_value *b)
{
    size_t na, nb;
    const hone_value *x = listed(a, &na), *y = listed(b, &nb);
    for (size_t i = 0; x && y && i < na; i++)
        for (size_t k = 0; k < nb; k++)
            if (hone_value_equal(&x[i], &y[k]) ||
                (x[i].type != y[k].type && (type_of_value(&x[i]) & type_of_value(&y[k]))))
                return 1;
    return !x || !y;
}

/* Can no value be valid under both? Shown by types, by constants, or by a property that both require. */
static int exclude(const writer *w, const hone_value *a, const hone_value *b)
{
    if (!(may_be(w, a, 0) & may_be(w, b, 0)))
        return 1;
    a = followed(w, a);
    b = followed(w, b);
    if (a->type != HONE_MAP || b->type != HONE_MAP)
        return 0;
    if (!share_value(a, b))
        return 1;
    const hone_value *pa = hone_value_get(a, "properties"), *pb = hone_value_get(b, "properties");
    if (!pa || !pb || pa->type != HONE_MAP || pb->type != HONE_MAP || may_be(w, a, 0) != OBJECT ||
        may_be(w, b, 0) != OBJECT)
        return 0;
    for (size_t i = 0; i < pa->u.map.n; i++) {
        const hone_str name = pa->u.map.pairs[i].key;
        const hone_value *other = hone_value_get_str(pb, name);
        int ra, rb;
        if (other && is_required(w, a, name, &ra) >= 0 && is_required(w, b, name, &rb) >= 0 && ra &&
            rb && !share_value(followed(w, &pa->u.map.pairs[i].value), followed(w, other)))
            return 1;
    }
    return 0;
}

static hone_status choices(writer *w, const hone_value *schema, const char *key, hone_buf *e)
{
    const hone_value *list = hone_value_get(schema, key);
    HONE_TRY(stands_alone(w, schema, key, NULL));
    if (list->type != HONE_LIST || list->u.list.n == 0)
        return bad(w, HONE_E_INVALID, "%s is a list of one schema or more", key);
    const size_t n = list->u.list.n;
    for (size_t i = 0; strcmp(key, "oneOf") == 0 && i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (!exclude(w, &list->u.list.items[k], &list->u.list.items[i])) {
                bad(w, HONE_E_UNSUPPORTED,
                    "oneOf: a value could be valid under choices %zu and %zu", k + 1, i + 1);
                return hone_fail_hint("write anyOf, or give both a required property with "
                                      "different constants");
            }
    HONE_TRY(hone_buf_adds(e, "( "));
    for (size_t i = 0; i < n; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        const size_t mark = enter(w, key, hone_str_c(number));
        HONE_TRY(hone_buf_adds(e, i ? "| " : ""));
        HONE_TRY(expression(w, &list->u.list.items[i], e));
        w->place[mark] = '\0';
    }
    return hone_buf_adds(e, ") ");
}

static hone_status of_type(writer *w, const hone_value *schema, uint32_t type, hone_buf *e)
{
    switch (type) {
    case OBJECT:
        return object(w, schema, e);
    case ARRAY:
        return array(w, schema, e);
    case STRING:
        return string(w, schema, e);
    case INTEGER:
    case NUMBER:
        return numeric(w, schema, type == INTEGER, e);
    case BOOLEAN:
        return hone_buf_adds(e, "boolean ");
    default:
        return hone_buf_adds(e, "\"null\" ");
    }
}

static hone_status typed(writer *w, const hone_value *schema, hone_buf *e)
{
    uint32_t mask;
    const char *bar = "";
    HONE_TRY(types_of(w, schema, &mask));
    if (mask == EVERY && !is_set(schema, "type"))
        return hone_buf_adds(e, "any ");
    if (mask & NUMBER)
        mask &= ~(uint32_t)INTEGER;
    HONE_TRY(hone_buf_adds(e, "( "));
    for (int i = 0; types[i].name; i++) {
        if (!(mask & types[i].type))
            continue;
        HONE_TRY(hone_buf_adds(e, bar));
        HONE_TRY(of_type(w, schema, types[i].type, e));
        bar = "| ";
    }
    return hone_buf_adds(e, ") ");
}

static hone_status expression(writer *w, const hone_value *schema, hone_buf *e)
{
    const hone_value *ref;
    hone_status s;
    if (schema->type == HONE_BOOL && schema->u.boolean)
        return hone_buf_adds(e, "any ");
    if (schema->type == HONE_BOOL)
        return bad(w, HONE_E_INVALID, "nothing is valid under false");
    if (w->depth == MAX_DEPTH)
        return bad(w, HONE_E_LIMIT, "schemas nest deeper than %d", MAX_DEPTH);
    w->depth++;
    s = check_keys(w, schema);
    if (s >= 0 && (ref = hone_value_get(schema, "$ref")) != NULL) {
        s = stands_alone(w, schema, "$ref", NULL);
        if (s >= 0)
            s = refer(w, ref, e);
    } else if (s >= 0 && (is_set(schema, "enum") || is_set(schema, "const")))
        s = constants(w, schema, e);
    else if (s >= 0 && (is_set(schema, "anyOf") || is_set(schema, "oneOf")))
        s = choices(w, schema, is_set(schema, "anyOf") ? "anyOf" : "oneOf", e);
    else if (s >= 0)
        s = typed(w, schema, e);
    w->depth--;
    return s;
}

/* ---- whole -------------------------------------------------------------------------------------------------- */

static hone_status rule(writer *w, const char *name, const hone_value *schema)
{
    hone_buf e;
    hone_buf_init(&e, HONE__G_TEXT);
    hone_status s = expression(w, schema, &e);
    if (s >= 0)
        s = hone_buf_addf(w->out, "%s ::= %s\n", name, e.ptr);
    hone_buf_release(&e);
    return s;
}

hone_status hone_grammar_schema_text(const hone_value *schema, const char *name, hone_buf *out)
{
    writer w = {.root = schema, .name = name ? name : "schema", .out = out};
    const size_t mark = out->len;
    hone_status s = rule(&w, "root", schema);
    for (size_t i = 0; s >= 0 && i < w.n_refs; i++) {
        char text[32];
        const hone_str p = w.refs[i].pointer;
        snprintf(w.place, sizeof w.place, "%.*s", (int)(p.len > 1 ? p.len - 1 : 0), p.ptr + 1);
        snprintf(text, sizeof text, "ref%zu", i);
        s = rule(&w, text, w.refs[i].schema);
    }
    if (s >= 0)
        s = hone_buf_adds(out, common);
    hone_free(w.refs);
    if (s < 0 && out->ptr) {
        out->len = mark;
        out->ptr[mark] = '\0';
    }
    return s;
}

hone_status hone_grammar_schema(hone_str json, const char *name, hone_grammar **out)
{
    hone_arena a;
    hone_buf text;
    hone_value schema;
    hone_arena_init(&a, (size_t)1 << 26);
    hone_buf_init(&text, HONE__G_TEXT);
    hone_status s = hone_json_parse(json.ptr, json.len, name ? name : "schema", &a, &schema);
    if (s >= 0)
        s = hone_grammar_schema_text(&schema, name, &text);
    if (s >= 0)
        s = hone_grammar_parse(hone_buf_str(&text), name ? name : "schema", out);
    hone_buf_release(&text);
    hone_arena_release(&a);
    return s;
}
