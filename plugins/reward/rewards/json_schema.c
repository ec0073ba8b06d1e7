/* json_schema.c - see json_schema.h. Source: JSON Schema draft 2020-12, core and validation.
 *
 * A schema is checked once, when the reward is made: every word known, of its type, every $ref there, every pattern compiled.
 * So checking a value needs no error of the schema's own. A run of $refs that never looks at a part of the value ends by the
 * limit on depth. */
#include "json_schema.h"

#include <math.h>
#include <stdio.h>

enum { DEPTH = 64, STEPS = 1 << 20 };

typedef struct schema_pattern {
    struct schema_pattern *next;
    hone_str text;
    void *re;
} schema_pattern;

static int equal_text(hone_str a, const char *z)
{
    return a.len == strlen(z) && memcmp(a.ptr, z, a.len) == 0;
}

static const hone_value *member(const hone_value *map, const char *key)
{
    for (size_t i = 0; map->type == HONE_MAP && i < map->u.map.n; i++)
        if (equal_text(map->u.map.pairs[i].key, key))
            return &map->u.map.pairs[i].value;
    return NULL;
}

static int number_of(const hone_value *v, double *out)
{
    if (v->type == HONE_I64)
        *out = (double)v->u.i64;
    else if (v->type == HONE_F64)
        *out = v->u.f64;
    return v->type == HONE_I64 || v->type == HONE_F64;
}

/* 1 and 1.0 are the same; members in any order. */
static int same_value(const hone_value *a, const hone_value *b, int depth)
{
    double x, y;
    if (depth > DEPTH)
        return 0;
    if (number_of(a, &x) && number_of(b, &y))
        return a->type == HONE_I64 && b->type == HONE_I64 ? a->u.i64 == b->u.i64 : x == y;
    if (a->type != b->type)
        return 0;
    switch (a->type) {
    case HONE_BOOL:
        return (a->u.boolean != 0) == (b->u.boolean != 0);
    case HONE_STRING:
        return a->u.str.len == b->u.str.len &&
               (!a->u.str.len || memcmp(a->u.str.ptr, b->u.str.ptr, a->u.str.len) == 0);
    case HONE_LIST:
        if (a->u.list.n != b->u.list.n)
            return 0;
        for (size_t i = 0; i < a->u.list.n; i++)
            if (!same_value(&a->u.list.items[i], &b->u.list.items[i], depth + 1))
                return 0;
        return 1;
    case HONE_MAP:
        if (a->u.map.n != b->u.map.n)
            return 0;
        for (size_t i = 0; i < a->u.map.n; i++) {
            const hone_str key = a->u.map.pairs[i].key;
            size_t k = 0;
            while (k < b->u.map.n && (b->u.map.pairs[k].key.len != key.len ||
                                      memcmp(b->u.map.pairs[k].key.ptr, key.ptr, key.len) != 0))
                k++;
            if (k == b->u.map.n ||
                !same_value(&a->u.map.pairs[i].value, &b->u.map.pairs[k].value, depth + 1))
                return 0;
        }
        return 1;
    default:
        return 1;
    }
}

/* ---- the schema itself ---------------------------------------------------------------------------------- */

typedef struct checking {
    const hone_host *host;
    json_schema *s;
    size_t steps;
} checking;

static hone_status fault(const checking *c, const char *word, const char *what)
{
    return hone_host_fail(c->host, HONE_E_INVALID, "schema: \"%s\" %s", word, what);
}

static const hone_value *resolve(const hone_value *root, hone_str ref)
{
    const hone_value *at = root;
    size_t i = 1;
    if (!ref.len || ref.ptr[0] != '#')
        return NULL;
    while (at && i < ref.len) {
        if (ref.ptr[i++] != '/')
            return NULL;
        const size_t from = i;
        while (i < ref.len && ref.ptr[i] != '/')
            i++;
        const hone_value *next = NULL;
        for (size_t k = 0; at->type == HONE_MAP && k < at->u.map.n; k++)
            if (at->u.map.pairs[k].key.len == i - from &&
                memcmp(at->u.map.pairs[k].key.ptr, ref.ptr + from, i - from) == 0)
                next = &at->u.map.pairs[k].value;
        at = next;
    }
    return at;
}

static hone_status check_schema(checking *c, const hone_value *v, int depth);

/* The schemas of a list, or of a map by their names (an empty table of Lua is a list). */
static hone_status check_each(checking *c, const char *word, const hone_value *v, int named,
                              int depth)
{
    const int is_map = v->type == HONE_MAP;
    if (is_map ? !named : v->type != HONE_LIST || (named && v->u.list.n))
        return fault(c, word, named ? "is no map of schemas" : "is no list of schemas");
    const size_t n = is_map ? v->u.map.n : v->type == HONE_LIST ? v->u.list.n : 0;
    for (size_t i = 0; i < n; i++) {
        const hone_status s = check_schema(
            c, is_map ? &v->u.map.pairs[i].value : &v->u.list.items[i], depth + 1);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static hone_status compile(checking *c, hone_str text)
{
    const hone_regex_v1 *rv = c->s->regex.vt;
    const hone_mem_v1 *mv = c->s->mem.vt;
    schema_pattern *p = mv->resize(c->s->mem.self, NULL, 0, sizeof *p);
    if (!p)
        return hone_host_fail(c->host, HONE_E_NOMEM, "no memory for a pattern");
    *p = (schema_pattern){.text = text};
    const hone_status s = rv->compile(c->s->regex.self, text, 0, &p->re);
    if (s < 0) {
        mv->resize(c->s->mem.self, p, sizeof *p, 0);
        return s;
    }
    p->next = c->s->patterns;
    c->s->patterns = p;
    return HONE_OK;
}

static int is_type(hone_str s)
{
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object",  NULL};
    for (size_t i = 0; names[i]; i++)
        if (equal_text(s, names[i]))
            return 1;
    return 0;
}

static hone_status check_type(const checking *c, const hone_value *v)
{
    if (v->type == HONE_STRING && is_type(v->u.str))
        return HONE_OK;
    for (size_t i = 0; v->type == HONE_LIST && i < v->u.list.n; i++)
        if (v->u.list.items[i].type != HONE_STRING || !is_type(v->u.list.items[i].u.str))
            return fault(c, "type", "names no type of JSON");
    return v->type == HONE_LIST ? HONE_OK : fault(c, "type", "names no type of JSON");
}

enum {
    W_NOTE,
    W_TYPE,
    W_ANY,
    W_LIST,
    W_SCHEMA,
    W_SCHEMAS,   /* a list */
    W_NAMED,     /* a map */
    W_PATTERNS,  /* a map, its names patterns */
    W_DEPENDENT, /* a map of lists of names */
    W_COUNT,
    W_NUMBER,
    W_FLAG,
    W_PATTERN,
    W_REF,
    W_NAMES
};
static const struct {
    const char *word;
    int what;
} words[] = {{"title", W_NOTE},
             {"description", W_NOTE},
             {"default", W_NOTE},
             {"examples", W_NOTE},
             {"$schema", W_NOTE},
             {"$id", W_NOTE},
             {"$comment", W_NOTE},
             {"$defs", W_NAMED},
             {"definitions", W_NAMED},
             {"type", W_TYPE},
             {"enum", W_LIST},
             {"const", W_ANY},
             {"format", W_NOTE},
             {"readOnly", W_NOTE},
             {"writeOnly", W_NOTE},
             {"deprecated", W_NOTE},
             {"properties", W_NAMED},
             {"patternProperties", W_PATTERNS},
             {"propertyNames", W_SCHEMA},
             {"dependentRequired", W_DEPENDENT},
             {"dependentSchemas", W_NAMED},
             {"contains", W_SCHEMA},
             {"minContains", W_COUNT},
             {"maxContains", W_COUNT},
             {"if", W_SCHEMA},
             {"then", W_SCHEMA},
             {"else", W_SCHEMA},
             {"required", W_NAMES},
             {"additionalProperties", W_SCHEMA},
             {"minProperties", W_COUNT},
             {"maxProperties", W_COUNT},
             {"items", W_SCHEMA},
             {"prefixItems", W_SCHEMAS},
             {"minItems", W_COUNT},
             {"maxItems", W_COUNT},
             {"uniqueItems", W_FLAG},
             {"minLength", W_COUNT},
             {"maxLength", W_COUNT},
             {"pattern", W_PATTERN},
             {"minimum", W_NUMBER},
             {"maximum", W_NUMBER},
             {"exclusiveMinimum", W_NUMBER},
             {"exclusiveMaximum", W_NUMBER},
             {"multipleOf", W_NUMBER},
             {"allOf", W_SCHEMAS},
             {"anyOf", W_SCHEMAS},
             {"oneOf", W_SCHEMAS},
             {"not", W_SCHEMA},
             {"$ref", W_REF}};

static hone_status check_word(checking *c, const char *word, int what, const hone_value *v,
                              int depth)
{
    double x;
    switch (what) {
    case W_TYPE:
        return check_type(c, v);
    case W_LIST:
        return v->type == HONE_LIST && v->u.list.n ? HONE_OK : fault(c, word, "is no list");
    case W_NAMES:
        for (size_t i = 0; v->type == HONE_LIST && i < v->u.list.n; i++)
            if (v->u.list.items[i].type != HONE_STRING)
                return fault(c, word, "holds something that is no name");
        return v->type == HONE_LIST ? HONE_OK : fault(c, word, "is no list");
    case W_SCHEMA:
        return check_schema(c, v, depth + 1);
    case W_SCHEMAS:
    case W_NAMED:
        return check_each(c, word, v, what == W_NAMED, depth);
    case W_PATTERNS:
        for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++) {
            const hone_status s = compile(c, v->u.map.pairs[i].key);
            if (s < 0)
                return s;
        }
        return check_each(c, word, v, 1, depth);
    case W_DEPENDENT:
        for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++) {
            const hone_status s = check_word(c, word, W_NAMES, &v->u.map.pairs[i].value, depth);
            if (s < 0)
                return s;
        }
        return v->type == HONE_MAP || (v->type == HONE_LIST && !v->u.list.n)
                   ? HONE_OK
                   : fault(c, word, "is no map");
    case W_COUNT:
        return v->type == HONE_I64 && v->u.i64 >= 0 ? HONE_OK : fault(c, word, "is no count");
    case W_NUMBER:
        return number_of(v, &x) && (strcmp(word, "multipleOf") != 0 || x > 0)
                   ? HONE_OK
                   : fault(c, word, "is no number, or not above 0");
    case W_FLAG:
        return v->type == HONE_BOOL ? HONE_OK : fault(c, word, "is not true or false");
    case W_PATTERN:
        return v->type == HONE_STRING ? compile(c, v->u.str) : fault(c, word, "is no text");
    case W_REF:
        return v->type == HONE_STRING && resolve(c->s->root, v->u.str)
                   ? HONE_OK
                   : fault(c, word, "points at nothing in this schema");
    default:
        return HONE_OK;
    }
}

static hone_status check_schema(checking *c, const hone_value *v, int depth)
{
    if (depth > DEPTH || ++c->steps > 100000)
        return hone_host_fail(c->host, HONE_E_LIMIT, "schema: it is too deep or too large");
    if (v->type == HONE_BOOL)
        return HONE_OK;
    if (v->type != HONE_MAP && !(v->type == HONE_LIST && !v->u.list.n)) /* an empty table of Lua */
        return hone_host_fail(c->host, HONE_E_INVALID, "schema: a map, true or false is expected");
    for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++) {
        const hone_str key = v->u.map.pairs[i].key;
        size_t k = 0;
        while (k < sizeof words / sizeof *words && !equal_text(key, words[k].word))
            k++;
        if (k == sizeof words / sizeof *words)
            return hone_host_fail(c->host, HONE_E_INVALID, "schema: \"%.*s\" is not known here",
                                  (int)(key.len < 60 ? key.len : 60), key.ptr);
        const hone_status s = check_word(c, words[k].word, words[k].what, &v->u.map.pairs[i].value,
                                         depth);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

hone_status schema_open(const hone_host *host, hone_ref mem, const hone_value *root,
                        json_schema *out)
{
    checking c = {host, out, 0};
    *out = (json_schema){.root = root, .mem = mem};
    hone_status s = host->get_iface(host, HONE_IFACE_REGEX, &out->regex);
    if (s >= 0)
        s = check_schema(&c, root, 0);
    if (s < 0)
        schema_close(out);
    return s;
}

void schema_close(json_schema *s)
{
    const hone_regex_v1 *rv = s->regex.vt;
    const hone_mem_v1 *mv = s->mem.vt;
    while (s->patterns) {
        schema_pattern *p = s->patterns;
        s->patterns = p->next;
        rv->release(s->regex.self, p->re);
        mv->resize(s->mem.self, p, sizeof *p, 0);
    }
}

/* ---- a value ------------------------------------------------------------------------------------------------ */

typedef struct holding {
    const json_schema *s;
    size_t steps;
    int spent;        /* too many steps: nothing is known */
    const char *word; /* of the innermost fault */
} holding;

static int holds(holding *h, const hone_value *schema, const hone_value *v, int depth);

static int fails(holding *h, const char *word)
{
    if (!h->word)
        h->word = word;
    return 0;
}

static int has_type(hone_str name, const hone_value *v)
{
    double x;
    switch (v->type) {
    case HONE_NULL:
        return equal_text(name, "null");
    case HONE_BOOL:
        return equal_text(name, "boolean");
    case HONE_STRING:
        return equal_text(name, "string");
    case HONE_LIST:
        return equal_text(name, "array");
    case HONE_MAP:
        return equal_text(name, "object");
    default:
        return equal_text(name, "number") ||
               (equal_text(name, "integer") && number_of(v, &x) && x == floor(x));
    }
}

static int type_holds(const hone_value *type, const hone_value *v)
{
    if (type->type == HONE_STRING)
        return has_type(type->u.str, v);
    for (size_t i = 0; i < type->u.list.n; i++)
        if (has_type(type->u.list.items[i].u.str, v))
            return 1;
    return 0;
}

static size_t characters(hone_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

static int within(const hone_value *schema, const char *least, const char *most, size_t n)
{
    const hone_value *a = member(schema, least), *b = member(schema, most);
    return (!a || (uint64_t)n >= (uint64_t)a->u.i64) && (!b || (uint64_t)n <= (uint64_t)b->u.i64);
}

/* Is the schema's `pattern` found in s? */
static int matches(holding *h, hone_str pattern, hone_str s)
{
    const hone_regex_v1 *rv = h->s->regex.vt;
    for (const schema_pattern *p = h->s->patterns; p; p = p->next) {
        if (p->text.ptr != pattern.ptr)
            continue;
        const hone_status st = rv->match(h->s->regex.self, p->re, s, 0, NULL, 0);
        h->spent |= st < 0;
        return st > 0;
    }
    return 1;
}

/* holds(), without a word about it. */
static int holds_quietly(holding *h, const hone_value *schema, const hone_value *v, int depth)
{
    const char *word = h->word;
    const int held = holds(h, schema, v, depth + 1);
    h->word = word;
    return held;
}

static int text_holds(holding *h, const hone_value *schema, const hone_value *v)
{
    const hone_value *pattern = member(schema, "pattern");
    if (!within(schema, "minLength", "maxLength", characters(v->u.str)))
        return fails(h, "minLength or maxLength");
    return !pattern || matches(h, pattern->u.str, v->u.str) || fails(h, "pattern");
}

static int number_holds(holding *h, const hone_value *schema, double x)
{
    const hone_value *v;
    double b = 0;
    if ((v = member(schema, "minimum")) != NULL && number_of(v, &b) && !(x >= b))
        return fails(h, "minimum");
    if ((v = member(schema, "maximum")) != NULL && number_of(v, &b) && !(x <= b))
        return fails(h, "maximum");
    if ((v = member(schema, "exclusiveMinimum")) != NULL && number_of(v, &b) && !(x > b))
        return fails(h, "exclusiveMinimum");
    if ((v = member(schema, "exclusiveMaximum")) != NULL && number_of(v, &b) && !(x < b))
        return fails(h, "exclusiveMaximum");
    if ((v = member(schema, "multipleOf")) != NULL && number_of(v, &b)) {
        const double q = x / b;
        if (!(fabs(q - nearbyint(q)) <= 1e-9 * fmax(1, fabs(q))))
            return fails(h, "multipleOf");
    }
    return 1;
}

static int list_holds(holding *h, const hone_value *schema, const hone_value *v, int depth)
{
    const hone_value *items = member(schema, "items"), *first = member(schema, "prefixItems");
    const hone_value *unique = member(schema, "uniqueItems");
    const size_t n = v->u.list.n, n_first = first ? first->u.list.n : 0;
    if (!within(schema, "minItems", "maxItems", n))
        return fails(h, "minItems or maxItems");
    for (size_t i = 0; i < n; i++) {
        const hone_value *s = i < n_first ? &first->u.list.items[i] : items;
        if (s && !holds(h, s, &v->u.list.items[i], depth + 1))
            return fails(h, "items");
    }
    const hone_value *contains = member(schema, "contains");
    if (contains) { /* at least one, unless said otherwise */
        const hone_value *least = member(schema, "minContains"),
                         *most = member(schema, "maxContains");
        int64_t k = 0;
        for (size_t i = 0; i < n; i++)
            k += holds_quietly(h, contains, &v->u.list.items[i], depth);
        if (k < (least ? least->u.i64 : 1) || (most && k > most->u.i64))
            return fails(h, "contains");
    }
    for (size_t i = 0; unique && unique->u.boolean && i < n; i++)
        for (size_t k = 0; k < i; k++) {
            if (++h->steps > STEPS) {
                h->spent = 1;
                return 0;
            }
            if (same_value(&v->u.list.items[i], &v->u.list.items[k], 0))
                return fails(h, "uniqueItems");
        }
    return 1;
}

/* The member of a map; NULL: it has none of that name. */
static const hone_value *named(const hone_value *map, hone_str name)
{
    for (size_t i = 0; map->type == HONE_MAP && i < map->u.map.n; i++)
        if (map->u.map.pairs[i].key.len == name.len &&
            memcmp(map->u.map.pairs[i].key.ptr, name.ptr, name.len) == 0)
            return &map->u.map.pairs[i].value;
    return NULL;
}

static int has_names(const hone_value *names, const hone_value *map)
{
    for (size_t i = 0; i < names->u.list.n; i++)
        if (!named(map, names->u.list.items[i].u.str))
            return 0;
    return 1;
}

static int map_holds(holding *h, const hone_value *schema, const hone_value *v, int depth)
{
    const hone_value *properties = member(schema, "properties"),
                     *required = member(schema, "required");
    const hone_value *more = member(schema, "additionalProperties"),
                     *patterns = member(schema, "patternProperties"),
                     *names = member(schema, "propertyNames");
    if (!within(schema, "minProperties", "maxProperties", v->u.map.n))
        return fails(h, "minProperties or maxProperties");
    if (required && !has_names(required, v))
        return fails(h, "required");
    const hone_value *dependent = member(schema, "dependentRequired"),
                     *schemas = member(schema, "dependentSchemas");
    for (size_t i = 0; dependent && dependent->type == HONE_MAP && i < dependent->u.map.n; i++)
        if (named(v, dependent->u.map.pairs[i].key) &&
            !has_names(&dependent->u.map.pairs[i].value, v))
            return fails(h, "dependentRequired");
    for (size_t i = 0; schemas && schemas->type == HONE_MAP && i < schemas->u.map.n; i++)
        if (named(v, schemas->u.map.pairs[i].key) &&
            !holds(h, &schemas->u.map.pairs[i].value, v, depth + 1))
            return fails(h, "dependentSchemas");
    for (size_t i = 0; i < v->u.map.n; i++) {
        const hone_str key = v->u.map.pairs[i].key;
        const hone_value *value = &v->u.map.pairs[i].value,
                         *s = properties ? named(properties, key) : NULL;
        const hone_value name = {.type = HONE_STRING, .u.str = key};
        int known = s != NULL;
        if (s && !holds(h, s, value, depth + 1))
            return fails(h, "properties");
        for (size_t k = 0; patterns && patterns->type == HONE_MAP && k < patterns->u.map.n; k++)
            if (matches(h, patterns->u.map.pairs[k].key, key)) {
                known = 1;
                if (!holds(h, &patterns->u.map.pairs[k].value, value, depth + 1))
                    return fails(h, "patternProperties");
            }
        if (names && !holds(h, names, &name, depth + 1))
            return fails(h, "propertyNames");
        if (more && !known && !holds(h, more, value, depth + 1))
            return fails(h, "additionalProperties");
    }
    return 1;
}

static size_t how_many(holding *h, const hone_value *list, const hone_value *v, int depth)
{
    const char *word = h->word;
    size_t n = 0;
    for (size_t i = 0; i < list->u.list.n; i++)
        n += (size_t)holds(h, &list->u.list.items[i], v, depth + 1);
    h->word = word; /* a branch that fails is no fault */
    return n;
}

static int parts_hold(holding *h, const hone_value *schema, const hone_value *v, int depth)
{
    const hone_value *s;
    if ((s = member(schema, "$ref")) != NULL &&
        !holds(h, resolve(h->s->root, s->u.str), v, depth + 1))
        return 0;
    if ((s = member(schema, "allOf")) != NULL)
        for (size_t i = 0; i < s->u.list.n; i++)
            if (!holds(h, &s->u.list.items[i], v, depth + 1))
                return 0;
    if ((s = member(schema, "anyOf")) != NULL && how_many(h, s, v, depth) == 0)
        return fails(h, "anyOf");
    if ((s = member(schema, "oneOf")) != NULL && how_many(h, s, v, depth) != 1)
        return fails(h, "oneOf");
    if ((s = member(schema, "not")) != NULL && holds_quietly(h, s, v, depth))
        return fails(h, "not");
    if ((s = member(schema, "if")) != NULL) {
        s = member(schema, holds_quietly(h, s, v, depth) ? "then" : "else");
        if (s && !holds(h, s, v, depth + 1))
            return fails(h, "if");
    }
    return 1;
}

static int holds(holding *h, const hone_value *schema, const hone_value *v, int depth)
{
    const hone_value *s;
    double x;
    if (++h->steps > STEPS || depth > DEPTH)
        h->spent = 1;
    if (h->spent)
        return 0;
    if (schema->type == HONE_BOOL)
        return schema->u.boolean ? 1 : fails(h, "false");
    if ((s = member(schema, "type")) != NULL && !type_holds(s, v))
        return fails(h, "type");
    if ((s = member(schema, "const")) != NULL && !same_value(s, v, 0))
        return fails(h, "const");
    if ((s = member(schema, "enum")) != NULL) {
        size_t i = 0;
        while (i < s->u.list.n && !same_value(&s->u.list.items[i], v, 0))
            i++;
        if (i == s->u.list.n)
            return fails(h, "enum");
    }
    if (v->type == HONE_STRING && !text_holds(h, schema, v))
        return 0;
    if (number_of(v, &x) && !number_holds(h, schema, x))
        return 0;
    if (v->type == HONE_LIST && !list_holds(h, schema, v, depth))
        return 0;
    if (v->type == HONE_MAP && !map_holds(h, schema, v, depth))
        return 0;
    return parts_hold(h, schema, v, depth);
}

int schema_holds(const json_schema *s, const hone_value *v, char *why, size_t size)
{
    holding h = {.s = s};
    const int held = holds(&h, s->root, v, 0);
    if (h.spent) {
        snprintf(why, size, "the schema takes too long to check");
        return -1;
    }
    if (!held)
        snprintf(why, size, "it breaks \"%s\"", h.word ? h.word : "the schema");
    return held;
}
