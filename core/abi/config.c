/* config.c - checks a configuration against its table and serves it to the plugin.
 *
 * Key idea: one pass over the table (not over what was given) fills every row from the given value or
 * the default; one pass over the given keys before it finds those that no row knows. Values are deep
 * copied into the configuration's arena, so the caller's tree may go. Secrets live in blocks of their
 * own, outside the arena, and are wiped.
 *
 * Does not: print, know registries (components and paths come through hone_config_env).
 * Source: plugin-abi.md section 5. */
#include "abi/config.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { SECRET_MAX = 64 * 1024, FIELDS_MAX = 1000 };

struct slot {
    hone_field row;
    int set, have; /* given; holds a value (given or default) */
    double f64;
    int64_t i64;
    hone_str str;
    char *secret; /* owned, wiped: str points into it */
    const hone_value *value;
    hone_ref ref;
    void *keep;
    int borrowed; /* it is that of the configuration before */
};

struct cfg {
    hone_config pub;
    hone_config *before; /* destroyed with it; or NULL */
    const hone_field *const *fields;
    hone_arena arena;
    hone_config_env env;
    const char *who;
    struct slot *slots;
    uint32_t n;
};

hone_field hone__config_row(const hone_field *row)
{
    hone_field out;
    size_t n = row->struct_size < sizeof out ? row->struct_size : sizeof out;
    memset(&out, 0, sizeof out);
    memcpy(&out, row, n);
    return out;
}

hone_str hone__config_choice_at(const char *choices, size_t i)
{
    hone_str none = {NULL, 0};
    const char *p = choices;
    while (p) {
        const char *bar = strchr(p, '|');
        if (i == 0) {
            hone_str s = {p, bar ? (size_t)(bar - p) : strlen(p)};
            return s;
        }
        i--;
        p = bar ? bar + 1 : NULL;
    }
    return none;
}

int64_t hone__config_choice(const char *choices, hone_str s)
{
    for (size_t i = 0;; i++) {
        hone_str c = hone__config_choice_at(choices, i);
        if (!c.ptr)
            return -1;
        if (hone_str_same(c, s))
            return (int64_t)i;
    }
}

int hone__config_ranged(const hone_field *row)
{
    return row->min < row->max;
}

/* ---- getters: what the plugin calls ------------------------------------------------------------ */

static const struct slot *at(const hone_config *pub, uint32_t field, uint32_t types, const char *as)
{
    const struct cfg *c = pub->ctx;
    char text[256];
    if (field < c->n && (types & (1u << c->slots[field].row.type)) != 0)
        return &c->slots[field];
    if (field >= c->n)
        snprintf(text, sizeof text, "reads setting number %u as %s, but its table has %u rows",
                 field, as, c->n);
    else
        snprintf(text, sizeof text, "reads setting \"%s\" as %s, which is not the type of its row",
                 c->slots[field].row.name, as);
    if (c->env.misread)
        c->env.misread(c->env.ctx, text);
    else
        hone_log(HONE_LOG_PLUGIN_MISBEHAVING, c->who, "%s", text);
    return NULL;
}

#define BIT(type) (1u << HONE_FIELD_##type)

static double get_f64(const hone_config *pub, uint32_t field)
{
    const struct slot *s = at(pub, field, BIT(F64), "a number");
    return s ? s->f64 : 0;
}

static int64_t get_i64(const hone_config *pub, uint32_t field)
{
    const struct slot *s = at(pub, field, BIT(I64) | BIT(BOOL) | BIT(ENUM), "an integer");
    return s ? s->i64 : 0;
}

static hone_str get_str(const hone_config *pub, uint32_t field)
{
    const struct slot *s = at(pub, field, BIT(STR) | BIT(ENUM) | BIT(PATH), "a string");
    hone_str none = {NULL, 0};
    return s ? s->str : none;
}

static const hone_value *get_value(const hone_config *pub, uint32_t field)
{
    const struct slot *s = at(pub, field, BIT(LIST) | BIT(MAP) | BIT(VALUE),
                              "a list, map or value");
    return s ? s->value : NULL;
}

static hone_status get_component(const hone_config *pub, uint32_t field, hone_ref *out)
{
    const struct slot *s = at(pub, field, BIT(COMPONENT), "a component");
    const struct cfg *c = pub->ctx;
    if (!s)
        return hone_fail(HONE_E_TYPE, "%s: setting number %u is no component", c->who, field);
    if (!s->have)
        return hone_fail(HONE_E_NOT_FOUND, "%s: %s: not set", c->who, s->row.name);
    *out = s->ref;
    return HONE_OK;
}

static int32_t get_is_set(const hone_config *pub, uint32_t field)
{
    const struct cfg *c = pub->ctx;
    return field < c->n && c->slots[field].set;
}

/* ---- checking ---------------------------------------------------------------------------------- */

static const char *type_of_value(const hone_value *v)
{
    static const char *const names[] = {"null",     "a boolean", "an integer", "a number",
                                        "a string", "bytes",     "a list",     "a map"};
    return v->type < sizeof names / sizeof *names ? names[v->type] : "a value of unknown type";
}

static hone_status wrong_type(const struct cfg *c, const hone_field *row, const char *want,
                              const hone_value *v)
{
    hone_fail(HONE_E_TYPE, "%s: %s: wants %s, got %s", c->who, row->name, want, type_of_value(v));
    if (row->type == HONE_FIELD_LIST)
        hone_fail_hint("%s = { \"a\", \"b\" } in a recipe, '%s=[\"a\", \"b\"]' on the command line",
                       row->name, row->name);
    else if (row->type == HONE_FIELD_MAP)
        hone_fail_hint(
            "%s = { key = \"a\" } in a recipe, '%s={\"key\": \"a\"}' on the command line",
            row->name, row->name);
    return HONE_E_TYPE;
}

static hone_status check_range(const struct cfg *c, const hone_field *row, double x)
{
    char lo[32], hi[32], got[32];
    if (isnan(x))
        return hone_fail(HONE_E_RANGE, "%s: %s: is not a number (NaN)", c->who, row->name);
    if (!hone__config_ranged(row) || (x >= row->min && x <= row->max))
        return HONE_OK;
    hone_format_f64(row->min, lo);
    hone_format_f64(row->max, hi);
    hone_format_f64(x, got);
    if (isinf(row->max))
        return hone_fail(HONE_E_RANGE, "%s: %s: %s is out of range: at least %s", c->who, row->name,
                         got, lo);
    if (isinf(row->min))
        return hone_fail(HONE_E_RANGE, "%s: %s: %s is out of range: at most %s", c->who, row->name,
                         got, hi);
    return hone_fail(HONE_E_RANGE, "%s: %s: %s is out of range: %s to %s", c->who, row->name, got,
                     lo, hi);
}

/* A process that holds a secret leaves no core dump: copies of it are in the environment, in plugins, in their libraries. The
 * limit is 1 and not 0, which a core_pattern that is a program would not heed; core(5). */
static void no_core_dumps(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur != 1) {
        r.rlim_cur = 1;
        setrlimit(RLIMIT_CORE, &r);
    }
}

static hone_status hold_secret(struct cfg *c, struct slot *s, const char *p, size_t n)
{
    if (n > SECRET_MAX)
        return hone_fail(HONE_E_LIMIT, "%s: %s: a secret of %zu bytes is too long", c->who,
                         s->row.name, n);
    s->secret = hone_alloc(n + 1);
    if (!s->secret)
        return HONE_E_NOMEM;
    if (n)
        no_core_dumps();
    if (n)
        memcpy(s->secret, p, n);
    s->secret[n] = 0;
    s->str.ptr = s->secret;
    s->str.len = n;
    return HONE_OK;
}

/* env:NAME, file:PATH or the secret itself. The error texts name the place, never the secret. */
static hone_status fill_secret(struct cfg *c, struct slot *s, hone_str given)
{
    if (c->env.resolved)
        return hold_secret(c, s, given.ptr, given.len);
    if (given.len > 4 && memcmp(given.ptr, "env:", 4) == 0) {
        char *name = hone_arena_strndup(&c->arena, given.ptr + 4, given.len - 4);
        if (!name)
            return HONE_E_NOMEM;
        const char *v = getenv(name);
        if (!v) {
            hone_fail(HONE_E_NOT_FOUND, "%s: %s: the environment has no %s", c->who, s->row.name,
                      name);
            return hone_fail_hint("export %s=... before starting hone, or give file:PATH", name);
        }
        return hold_secret(c, s, v, strlen(v));
    }
    if (given.len > 5 && memcmp(given.ptr, "file:", 5) == 0) {
        hone_buf b;
        char *path = hone_arena_strndup(&c->arena, given.ptr + 5, given.len - 5), *allowed = NULL;
        if (!path)
            return HONE_E_NOMEM;
        hone_buf_init(&b, SECRET_MAX + 2);
        hone_status st = HONE_OK; /* what a recipe names is a file like any other of it */
        if (c->env.path)
            st = c->env.path(c->env.ctx, hone_str_c(path), &allowed);
        if (st >= 0)
            st = hone_file_read(allowed ? allowed : path, SECRET_MAX, &b);
        hone_free(allowed);
        if (st >= 0) {
            size_t n = b.len;
            while (n && (b.ptr[n - 1] == '\n' || b.ptr[n - 1] == '\r'))
                n--;
            st = hold_secret(c, s, b.ptr, n);
            if (b.cap)
                explicit_bzero(b.ptr, b.len);
        } else {
            hone_fail_at("%s: %s", c->who, s->row.name);
        }
        hone_buf_release(&b);
        return st;
    }
    return hold_secret(c, s, given.ptr, given.len);
}

static hone_status fill_str(struct cfg *c, struct slot *s, hone_str text)
{
    const hone_field *row = &s->row;
    s->have = 1;
    if (row->flags & HONE_SECRET)
        return fill_secret(c, s, text);
    if (row->type == HONE_FIELD_PATH && c->env.path) {
        char *resolved = NULL;
        hone_status st = c->env.path(c->env.ctx, text, &resolved);
        if (st < 0) {
            hone_fail_at("%s: %s", c->who, row->name);
            return st;
        }
        s->str.len = strlen(resolved);
        s->str.ptr = hone_arena_strndup(&c->arena, resolved, s->str.len);
        hone_free(resolved);
        return s->str.ptr ? HONE_OK : HONE_E_NOMEM;
    }
    if (row->type == HONE_FIELD_ENUM) {
        s->i64 = hone__config_choice(row->choices, text);
        if (s->i64 < 0) {
            const char *names[65];
            size_t n = 0;
            for (; n < 64; n++) {
                hone_str one = hone__config_choice_at(row->choices, n);
                if (!one.ptr)
                    break;
                names[n] = hone_arena_strndup(&c->arena, one.ptr, one.len);
                if (!names[n])
                    return HONE_E_NOMEM;
            }
            names[n] = NULL;
            char *given = hone_arena_strndup(&c->arena, text.ptr, text.len);
            if (!given)
                return HONE_E_NOMEM;
            const char *close = hone_closest(given, names);
            hone_fail(HONE_E_INVALID, "%s: %s: \"%s\" is none of %s", c->who, row->name, given,
                      row->choices);
            return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_INVALID;
        }
    }
    s->str = text;
    if (text.len || text.ptr) {
        s->str.ptr = hone_arena_strndup(&c->arena, text.ptr ? text.ptr : "", text.len);
        if (!s->str.ptr)
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

/* "name", or { component = "name", ...settings }. A Lua table { "name", k = v } arrives with key "1". */
static hone_status fill_component(struct cfg *c, struct slot *s, const hone_value *v)
{
    hone_str name;
    hone_value settings = {.type = HONE_MAP, .u.map = {NULL, 0}};
    if (v->type == HONE_STRING) {
        name = v->u.str;
    } else if (v->type == HONE_MAP) {
        const hone_value *id = hone_value_get(v, "component");
        if (!id)
            id = hone_value_get(v, "1");
        if (!id || id->type != HONE_STRING) {
            hone_fail(HONE_E_INVALID, "%s: %s: the map has no key \"component\" with a name",
                      c->who, s->row.name);
            return hone_fail_hint(
                "write %s = \"NAME\" or %s = { component = \"NAME\", key = value }", s->row.name,
                s->row.name);
        }
        name = id->u.str;
        hone_pair *pairs = hone_arena_calloc(&c->arena, v->u.map.n, sizeof *pairs);
        if (!pairs)
            return HONE_E_NOMEM;
        size_t n = 0;
        for (size_t i = 0; i < v->u.map.n; i++)
            if (&v->u.map.pairs[i].value != id)
                pairs[n++] = v->u.map.pairs[i];
        settings.u.map.pairs = pairs;
        settings.u.map.n = n;
    } else {
        return wrong_type(c, &s->row, "the name of a component", v);
    }
    if (!c->env.component)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: %s: components cannot be made here", c->who,
                         s->row.name);
    hone_status st = c->env.component(c->env.ctx, s->row.iface, name, &settings, &s->ref, &s->keep);
    if (st < 0) {
        hone_fail_at("%s: %s", c->who, s->row.name);
        return st;
    }
    s->have = 1;
    s->str = hone_arena_str(&c->arena, name);
    return s->str.ptr || !name.len ? HONE_OK : HONE_E_NOMEM;
}

static hone_status fill_given(struct cfg *c, struct slot *s, const hone_value *v)
{
    const hone_field *row = &s->row;
    s->set = 1;
    switch (row->type) {
    case HONE_FIELD_F64:
        if (v->type != HONE_F64 && v->type != HONE_I64)
            return wrong_type(c, row, "a number", v);
        s->f64 = v->type == HONE_F64 ? v->u.f64 : (double)v->u.i64;
        s->have = 1;
        return check_range(c, row, s->f64);
    case HONE_FIELD_I64:
        if (v->type == HONE_F64 && v->u.f64 == floor(v->u.f64) && fabs(v->u.f64) < 0x1p53)
            s->i64 = (int64_t)v->u.f64;
        else if (v->type == HONE_I64)
            s->i64 = v->u.i64;
        else
            return wrong_type(c, row, "an integer", v);
        s->have = 1;
        return check_range(c, row, (double)s->i64);
    case HONE_FIELD_BOOL:
        if (v->type != HONE_BOOL)
            return wrong_type(c, row, "a boolean", v);
        s->i64 = v->u.boolean != 0;
        s->have = 1;
        return HONE_OK;
    case HONE_FIELD_STR:
    case HONE_FIELD_ENUM:
    case HONE_FIELD_PATH:
        if (v->type != HONE_STRING)
            return wrong_type(c, row, row->type == HONE_FIELD_PATH ? "a path" : "a string", v);
        return fill_str(c, s, v->u.str);
    case HONE_FIELD_LIST:
        /* an empty Lua table is an empty map: it is an empty list as well */
        if (v->type != HONE_LIST && !(v->type == HONE_MAP && v->u.map.n == 0))
            return wrong_type(c, row, "a list", v);
        break;
    case HONE_FIELD_MAP:
        if (v->type != HONE_MAP && !(v->type == HONE_LIST && v->u.list.n == 0))
            return wrong_type(c, row, "a map", v);
        break;
    case HONE_FIELD_VALUE:
        break;
    case HONE_FIELD_COMPONENT:
        return fill_component(c, s, v);
    default:
        hone_fail(HONE_E_UNSUPPORTED, "%s: %s: a setting of type %u is not known to this hone",
                  c->who, row->name, row->type);
        return hone_fail_hint(
            "the plugin was built for a newer hone: update hone, or leave this setting out");
    }
    hone_value *copy = hone_arena_alloc(&c->arena, sizeof *copy);
    if (!copy)
        return HONE_E_NOMEM;
    HONE_TRY(hone_value_copy(&c->arena, v, copy));
    if (row->type == HONE_FIELD_LIST && copy->type == HONE_MAP) {
        copy->type = HONE_LIST;
        copy->u.list.items = NULL;
        copy->u.list.n = 0;
    } else if (row->type == HONE_FIELD_MAP && copy->type == HONE_LIST) {
        copy->type = HONE_MAP;
        copy->u.map.pairs = NULL;
        copy->u.map.n = 0;
    }
    s->value = copy;
    s->have = 1;
    return HONE_OK;
}

static hone_status fill_default(struct cfg *c, struct slot *s)
{
    const hone_field *row = &s->row;
    s->i64 = row->type == HONE_FIELD_ENUM ? -1 : 0;
    if (row->flags & HONE_REQUIRED) {
        hone_fail(HONE_E_INVALID, "%s: %s: is required", c->who, row->name);
        return row->doc ? hone_fail_hint("%s: %s", row->name, row->doc) : HONE_E_INVALID;
    }
    switch (row->type) {
    case HONE_FIELD_F64:
        s->f64 = row->dflt;
        s->have = 1;
        return HONE_OK;
    case HONE_FIELD_I64:
    case HONE_FIELD_BOOL:
        s->i64 = (int64_t)row->dflt;
        s->have = 1;
        return HONE_OK;
    case HONE_FIELD_STR:
    case HONE_FIELD_ENUM:
    case HONE_FIELD_PATH:
        return row->dflt_str ? fill_str(c, s, hone_str_c(row->dflt_str)) : HONE_OK;
    default:
        return HONE_OK;
    }
}

static hone_status check_keys(const char *who, const hone_field *const *fields,
                              const hone_value *given)
{
    const char *names[2 * FIELDS_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; fields && fields[i] && i < FIELDS_MAX; i++) {
        hone_field row = hone__config_row(fields[i]);
        names[n++] = row.name;
        if (row.old_name)
            names[n++] = row.old_name;
    }
    names[n] = NULL;
    for (size_t k = 0; k < given->u.map.n; k++) {
        hone_str key = given->u.map.pairs[k].key;
        size_t i = 0;
        while (i < n && !hone_str_eq(key, names[i]))
            i++;
        if (i < n)
            continue;
        char shown[128];
        snprintf(shown, sizeof shown, "%.*s", key.len > 100 ? 100 : (int)key.len, key.ptr);
        hone_fail(HONE_E_INVALID, "%s: it has no setting \"%s\"", who, shown);
        const char *close = hone_closest(shown, names);
        if (close)
            return hone_fail_hint("did you mean \"%s\"?", close);
        if (n == 0)
            return hone_fail_hint("it has no settings at all");
        char all[400] = "";
        size_t used = 0;
        for (i = 0; i < n && used + strlen(names[i]) + 3 < sizeof all; i++)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "",
                                     names[i]);
        return hone_fail_hint("its settings: %s", all);
    }
    return HONE_OK;
}

/* Getters, and room for the rows. */
static hone_status new_cfg(const char *who, const hone_field *const *fields,
                           const hone_config_env *env, struct cfg **out)
{
    struct cfg *c = hone_calloc(1, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    hone_arena_init(&c->arena, 0);
    if (env)
        c->env = *env;
    c->fields = fields;
    c->pub.struct_size = sizeof c->pub;
    c->pub.ctx = c;
    c->pub.f64 = get_f64;
    c->pub.i64 = get_i64;
    c->pub.str = get_str;
    c->pub.value = get_value;
    c->pub.component = get_component;
    c->pub.is_set = get_is_set;
    uint32_t n = 0;
    while (fields && fields[n])
        n++;
    c->who = hone_arena_strndup(&c->arena, who, strlen(who));
    c->slots = hone_arena_calloc(&c->arena, n ? n : 1, sizeof *c->slots);
    if (!c->who || !c->slots) {
        hone_config_destroy(&c->pub);
        return HONE_E_NOMEM;
    }
    for (uint32_t i = 0; i < n; i++)
        c->slots[i].row = hone__config_row(fields[i]);
    c->n = c->pub.n_fields = n;
    *out = c;
    return HONE_OK;
}

hone_status hone_config_create(const char *who, const hone_field *const *fields,
                               const hone_value *given, const hone_config_env *env,
                               hone_config **out)
{
    static const hone_value empty = {.type = HONE_MAP, .u.map = {NULL, 0}};
    hone_status s;
    if (!given || given->type == HONE_NULL || (given->type == HONE_LIST && given->u.list.n == 0))
        given = &empty;
    if (given->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "%s: its configuration must be a map, not %s", who,
                         type_of_value(given));
    HONE_TRY(hone_config_check_table(who, fields));
    HONE_TRY(check_keys(who, fields, given));
    struct cfg *c;
    HONE_TRY(new_cfg(who, fields, env, &c));
    for (uint32_t i = 0; i < c->n; i++) {
        struct slot *slot = &c->slots[i];
        const hone_value *v = hone_value_get(given, slot->row.name);
        const hone_value *old = slot->row.old_name ? hone_value_get(given, slot->row.old_name)
                                                   : NULL;
        if (old && v) {
            s = hone_fail(HONE_E_INVALID, "%s: \"%s\" and \"%s\" are the same setting: give one",
                          who, slot->row.name, slot->row.old_name);
            goto fail;
        }
        if (old) {
            hone_log(HONE_LOG_WARN, who, "setting \"%s\" is now called \"%s\"", slot->row.old_name,
                     slot->row.name);
            v = old;
        }
        s = v && v->type != HONE_NULL ? fill_given(c, slot, v) : fill_default(c, slot);
        if (s < 0)
            goto fail;
    }
    *out = &c->pub;
    return HONE_OK;
fail:
    hone_config_destroy(&c->pub);
    return s;
}

void hone_config_destroy(hone_config *pub)
{
    if (!pub)
        return;
    struct cfg *c = pub->ctx;
    for (uint32_t i = 0; i < c->n; i++) {
        struct slot *s = &c->slots[i];
        if (s->borrowed)
            continue;
        if (s->secret) {
            explicit_bzero(s->secret, s->str.len);
            hone_free(s->secret);
        }
        if (s->keep && c->env.drop)
            c->env.drop(c->env.ctx, s->keep);
    }
    hone_config *before = c->before;
    hone_arena_release(&c->arena);
    hone_free(c);
    hone_config_destroy(before);
}

static hone_status change(struct cfg *c, uint32_t i, const hone_value *v)
{
    struct slot *s = &c->slots[i];
    const hone_field row = s->row;
    if (!(row.flags & HONE_LIVE) || row.type == HONE_FIELD_COMPONENT) {
        hone_fail(HONE_E_INVALID, "%s: %s does not change while it runs", c->who, row.name);
        return hone_fail_hint("its row has no HONE_LIVE: make another one, with this setting");
    }
    memset(s, 0, sizeof *s);
    s->row = row;
    return v->type == HONE_NULL ? fill_default(c, s) : fill_given(c, s, v);
}

hone_status hone_config_change(const hone_config *pub, const hone_value *changes, hone_config **out)
{
    const struct cfg *old = pub->ctx;
    struct cfg *c;
    if (changes->type != HONE_MAP && !(changes->type == HONE_LIST && changes->u.list.n == 0))
        return hone_fail(HONE_E_TYPE, "%s: changed settings must be a map, not %s", old->who,
                         type_of_value(changes));
    if (changes->type == HONE_MAP)
        HONE_TRY(check_keys(old->who, old->fields, changes));
    HONE_TRY(new_cfg(old->who, old->fields, &old->env, &c));
    hone_status s = HONE_OK;
    for (uint32_t i = 0; i < c->n && s >= 0; i++) {
        const hone_value *v = hone_value_get(changes, c->slots[i].row.name);
        if (!v && c->slots[i].row.old_name)
            v = hone_value_get(changes, c->slots[i].row.old_name);
        c->slots[i] = old->slots[i];
        c->slots[i].borrowed = 1;
        if (v)
            s = change(c, i, v);
    }
    if (s < 0) {
        hone_config_destroy(&c->pub);
        return s;
    }
    *out = &c->pub;
    return HONE_OK;
}

void hone_config_behind(hone_config *pub, hone_config *old)
{
    struct cfg *c = pub->ctx;
    c->before = old;
}

/* ---- what may be shown ------------------------------------------------------------------------- */

static int is_text(const struct slot *s)
{
    return s->row.type == HONE_FIELD_STR || s->row.type == HONE_FIELD_ENUM ||
           s->row.type == HONE_FIELD_PATH;
}

/* The value of a setting that is no component. */
static void put_value(const struct slot *s, hone_jw *w)
{
    if (is_text(s))
        hone_jw_str(w, s->str);
    else if (s->row.type == HONE_FIELD_F64)
        hone_jw_f64(w, s->f64);
    else if (s->row.type == HONE_FIELD_I64)
        hone_jw_i64(w, s->i64);
    else if (s->row.type == HONE_FIELD_BOOL)
        hone_jw_bool(w, s->i64 != 0);
    else
        hone_jw_value(w, s->value);
}

void hone_config_json(const hone_config *pub, hone_jw *w)
{
    hone_jw_map(w);
    hone_config_json_rows(pub, w);
    hone_jw_end(w);
}

void hone_config_json_rows(const hone_config *pub, hone_jw *w)
{
    const struct cfg *c = pub->ctx;
    for (uint32_t i = 0; i < c->n; i++) {
        const struct slot *s = &c->slots[i];
        hone_jw_key(w, s->row.name);
        if (!s->have) {
            hone_jw_null(w);
        } else if (s->row.flags & HONE_SECRET && is_text(s)) {
            hone_jw_cstr(w, "(secret)");
        } else if (s->row.type == HONE_FIELD_COMPONENT) {
            hone_jw_map(w);
            hone_jw_kstr(w, "component", s->str);
            if (c->env.show && s->keep)
                c->env.show(c->env.ctx, s->keep, w);
            hone_jw_end(w);
        } else {
            put_value(s, w);
        }
    }
}

hone_status hone_config_component_at(const hone_config *pub, uint32_t field, hone_ref *out,
                                     const char **iface, void **keep)
{
    const struct cfg *c = pub->ctx;
    if (field >= c->n || c->slots[field].row.type != HONE_FIELD_COMPONENT || !c->slots[field].have)
        return hone_fail(HONE_E_NOT_FOUND, "%s: setting number %u is no component", c->who, field);
    *out = c->slots[field].ref;
    *iface = c->slots[field].row.iface;
    *keep = c->slots[field].keep;
    return HONE_OK;
}

hone_status hone_config_export(const hone_config *pub, hone_jw *w)
{
    const struct cfg *c = pub->ctx;
    hone_jw_map(w);
    for (uint32_t i = 0; i < c->n; i++) {
        const struct slot *s = &c->slots[i];
        if (!s->set || !s->have)
            continue;
        hone_jw_key(w, s->row.name);
        if (s->row.type == HONE_FIELD_COMPONENT) {
            char number[16];
            snprintf(number, sizeof number, "%u", i);
            hone_jw_cstr(w, number);
        } else {
            put_value(s, w);
        }
    }
    hone_jw_end(w);
    return w->out->failed;
}

int hone_config_has_secret(const hone_config *pub)
{
    const struct cfg *c = pub->ctx;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->slots[i].secret && c->slots[i].str.len)
            return 1;
    return 0;
}

hone_status hone_config_redact(const hone_config *pub, hone_str text, hone_buf *out)
{
    for (size_t p = 0; p < text.len;) {
        size_t skip = 0;
        /* a secret that was changed stays one */
        for (const struct cfg *c = pub->ctx; c; c = c->before ? c->before->ctx : NULL)
            for (uint32_t i = 0; i < c->n; i++) {
                const struct slot *s = &c->slots[i];
                if (s->secret && s->str.len > skip && s->str.len <= text.len - p &&
                    memcmp(text.ptr + p, s->secret, s->str.len) == 0)
                    skip = s->str.len;
            }
        if (skip) {
            HONE_TRY(hone_buf_adds(out, "(secret)"));
            p += skip;
        } else {
            HONE_TRY(hone_buf_addc(out, text.ptr[p++]));
        }
    }
    return HONE_OK;
}
