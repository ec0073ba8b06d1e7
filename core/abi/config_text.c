/* config_text.c - a configuration table as text: --help, JSON Schema, the sidecar's form and back.
 *
 * Everything is made from the table alone, so none of it can disagree with what the checker accepts.
 * The sidecar form is canonical: keys in a fixed order, absent where they say nothing.
 * Source: plugin-abi.md section 5 (Config), JSON Schema draft 2020-12 for the schema's words. */
#include "abi/config.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { FIELDS_MAX = 1000, CHOICES_MAX = 256 };

static const struct {
    uint32_t type;
    const char *name, *schema;
} types[] = {
    {HONE_FIELD_F64, "f64", "number"},         {HONE_FIELD_I64, "i64", "integer"},
    {HONE_FIELD_BOOL, "bool", "boolean"},      {HONE_FIELD_STR, "str", "string"},
    {HONE_FIELD_ENUM, "enum", "string"},       {HONE_FIELD_LIST, "list", "array"},
    {HONE_FIELD_MAP, "map", "object"},         {HONE_FIELD_VALUE, "value", NULL},
    {HONE_FIELD_COMPONENT, "component", NULL}, {HONE_FIELD_PATH, "path", "string"},
};
static const struct {
    uint32_t flag;
    const char *name;
} flags[] = {{HONE_SECRET, "secret"}, {HONE_LIVE, "live"}, {HONE_REQUIRED, "required"}};
#define N(a) (sizeof(a) / sizeof *(a))

static const char *type_name(uint32_t type)
{
    for (size_t i = 0; i < N(types); i++)
        if (types[i].type == type)
            return types[i].name;
    return "unknown";
}

/* ---- the table itself -------------------------------------------------------------------------- */

static int name_ok(const char *name)
{
    if (!name ||
        !((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || *name == '_'))
        return 0;
    for (const char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '_' || *p == '-' || *p == '.'))
            return 0;
    return 1;
}

static hone_status check_row(const char *who, size_t i, const hone_field *row)
{
    if (!name_ok(row->name))
        return hone_fail(HONE_E_ABI, "%s: setting number %zu has no usable name", who, i);
    if (row->old_name && !name_ok(row->old_name))
        return hone_fail(HONE_E_ABI, "%s: setting \"%s\": its old name is not usable", who,
                         row->name);
    if (isnan(row->dflt) || isnan(row->min) || isnan(row->max))
        return hone_fail(HONE_E_ABI, "%s: setting \"%s\": default or range is not a number", who,
                         row->name);
    if (row->min > row->max)
        return hone_fail(HONE_E_ABI, "%s: setting \"%s\": its range is empty", who, row->name);
    int number = row->type == HONE_FIELD_F64 || row->type == HONE_FIELD_I64;
    if (number && !(row->flags & HONE_REQUIRED) && hone__config_ranged(row) &&
        (row->dflt < row->min || row->dflt > row->max))
        return hone_fail(HONE_E_ABI, "%s: setting \"%s\": the default is out of its own range", who,
                         row->name);
    if ((row->type == HONE_FIELD_I64 || row->type == HONE_FIELD_BOOL) &&
        (row->dflt != floor(row->dflt) || fabs(row->dflt) > 0x1p53))
        return hone_fail(HONE_E_ABI, "%s: setting \"%s\": the default is no exact integer", who,
                         row->name);
    if (row->type == HONE_FIELD_ENUM) {
        if (!row->choices || !*row->choices)
            return hone_fail(HONE_E_ABI, "%s: setting \"%s\": an enum without choices", who,
                             row->name);
        if (row->dflt_str && hone__config_choice(row->choices, hone_str_c(row->dflt_str)) < 0)
            return hone_fail(HONE_E_ABI, "%s: setting \"%s\": the default \"%s\" is none of %s",
                             who, row->name, row->dflt_str, row->choices);
    }
    if (row->type == HONE_FIELD_COMPONENT && !row->iface)
        return hone_fail(HONE_E_ABI, "%s: setting \"%s\": a component without an interface", who,
                         row->name);
    if ((row->flags & HONE_SECRET) && row->type != HONE_FIELD_STR)
        return hone_fail(HONE_E_ABI, "%s: setting \"%s\": only a string can be secret", who,
                         row->name);
    return HONE_OK;
}

hone_status hone_config_check_table(const char *who, const hone_field *const *fields)
{
    for (size_t i = 0; fields && fields[i]; i++) {
        if (i >= FIELDS_MAX)
            return hone_fail(HONE_E_ABI, "%s: its table has more than %d settings", who,
                             FIELDS_MAX);
        if (fields[i]->struct_size < offsetof(hone_field, doc))
            return hone_fail(HONE_E_ABI, "%s: setting number %zu: struct_size %u is too small", who,
                             i, fields[i]->struct_size);
        hone_field row = hone__config_row(fields[i]);
        HONE_TRY(check_row(who, i, &row));
        for (size_t j = 0; j < i; j++) {
            hone_field other = hone__config_row(fields[j]);
            if (strcmp(other.name, row.name) == 0 ||
                (other.old_name && strcmp(other.old_name, row.name) == 0) ||
                (row.old_name && strcmp(row.old_name, other.name) == 0))
                return hone_fail(HONE_E_ABI, "%s: two settings are called \"%s\"", who, row.name);
        }
    }
    return HONE_OK;
}

/* ---- key=value --------------------------------------------------------------------------------- */

hone_status hone_config_value_of(const char *who, const hone_field *const *fields, hone_str key,
                                 hone_str text, hone_arena *arena, hone_value *out)
{
    for (size_t i = 0; fields && fields[i]; i++) {
        hone_field row = hone__config_row(fields[i]);
        if (!hone_str_eq(key, row.name) && !(row.old_name && hone_str_eq(key, row.old_name)))
            continue;
        hone_value v;
        memset(&v, 0, sizeof v);
        if (row.type == HONE_FIELD_STR || row.type == HONE_FIELD_ENUM ||
            row.type == HONE_FIELD_PATH) {
            v.type = HONE_STRING;
            v.u.str = text;
            *out = v;
            return HONE_OK;
        }
        hone_status s = hone_json_parse(text.ptr, text.len, row.name, arena, &v);
        int as_text = row.type == HONE_FIELD_VALUE || row.type == HONE_FIELD_COMPONENT;
        if (s == HONE_E_NOMEM)
            return s;
        if (s < 0 && !as_text) {
            hone_fail(HONE_E_TYPE, "%s: %s: \"%.*s\" is no %s", who, row.name,
                      text.len > 80 ? 80 : (int)text.len, text.ptr,
                      row.type == HONE_FIELD_BOOL  ? "boolean"
                      : row.type == HONE_FIELD_I64 ? "integer"
                      : row.type == HONE_FIELD_F64 ? "number"
                                                   : "JSON");
            if (row.type == HONE_FIELD_BOOL)
                hone_fail_hint("write true or false");
            return HONE_E_TYPE;
        }
        if (s < 0) {
            v.type = HONE_STRING;
            v.u.str = text;
        }
        *out = v;
        return HONE_OK;
    }
    return hone_fail(HONE_E_NOT_FOUND, "%s: it has no setting \"%.*s\"", who,
                     key.len > 100 ? 100 : (int)key.len, key.ptr);
}

/* ---- --help ------------------------------------------------------------------------------------ */

static const char *placeholder(const hone_field *row)
{
    switch (row->type) {
    case HONE_FIELD_F64:
        return "NUMBER";
    case HONE_FIELD_I64:
        return "INTEGER";
    case HONE_FIELD_BOOL:
        return "true|false";
    case HONE_FIELD_STR:
        return row->flags & HONE_SECRET ? "SECRET" : "TEXT";
    case HONE_FIELD_ENUM:
        return row->choices;
    case HONE_FIELD_LIST:
        return "LIST";
    case HONE_FIELD_MAP:
        return "MAP";
    case HONE_FIELD_COMPONENT:
        return "COMPONENT";
    case HONE_FIELD_PATH:
        return "PATH";
    default:
        return "VALUE";
    }
}

static void help_default(const hone_field *row, hone_buf *out)
{
    char a[32], b[32];
    int number = row->type == HONE_FIELD_F64 || row->type == HONE_FIELD_I64;
    hone_buf_adds(out, " (");
    if (row->flags & HONE_REQUIRED) {
        hone_buf_adds(out, "required");
    } else if (number) {
        hone_format_f64(row->dflt, a);
        hone_buf_addf(out, "default %s", a);
    } else if (row->type == HONE_FIELD_BOOL) {
        hone_buf_addf(out, "default %s", row->dflt != 0 ? "true" : "false");
    } else if (row->dflt_str) {
        hone_buf_addf(out, "default %s", *row->dflt_str ? row->dflt_str : "\"\"");
    } else {
        hone_buf_adds(out, "optional");
    }
    if (number && hone__config_ranged(row)) {
        hone_format_f64(row->min, a);
        hone_format_f64(row->max, b);
        if (isinf(row->max))
            hone_buf_addf(out, "; at least %s", a);
        else if (isinf(row->min))
            hone_buf_addf(out, "; at most %s", b);
        else
            hone_buf_addf(out, "; %s to %s", a, b);
    }
    if (row->flags & HONE_SECRET)
        hone_buf_adds(out, "; env:NAME or file:PATH");
    if (row->flags & HONE_LIVE)
        hone_buf_adds(out, "; live");
    if (row->type == HONE_FIELD_COMPONENT)
        hone_buf_addf(out, "; offers %s", row->iface);
    hone_buf_adds(out, ")");
}

void hone_config_help(const hone_field *const *fields, hone_buf *out)
{
    size_t width = 0;
    for (size_t i = 0; fields && fields[i]; i++) {
        hone_field row = hone__config_row(fields[i]);
        size_t n = strlen(row.name) + 1 + strlen(placeholder(&row));
        if (n > width)
            width = n;
    }
    if (width > 28)
        width = 28;
    for (size_t i = 0; fields && fields[i]; i++) {
        hone_field row = hone__config_row(fields[i]);
        size_t n = strlen(row.name) + 1 + strlen(placeholder(&row));
        hone_buf_addf(out, "  %s=%s", row.name, placeholder(&row));
        if (n > width) { /* too long for the column: the text begins on the next line */
            hone_buf_adds(out, "\n  ");
            n = 0;
        }
        for (; n < width + 2; n++)
            hone_buf_addc(out, ' ');
        hone_buf_adds(out, row.doc ? row.doc : "");
        help_default(&row, out);
        hone_buf_addc(out, '\n');
    }
}

/* ---- JSON Schema ------------------------------------------------------------------------------- */

static void write_default(const hone_field *row, hone_jw *w, const char *key)
{
    switch (row->type) {
    case HONE_FIELD_F64:
        hone_jw_kf64(w, key, row->dflt);
        break;
    case HONE_FIELD_I64:
        hone_jw_ki64(w, key, (int64_t)row->dflt);
        break;
    case HONE_FIELD_BOOL:
        hone_jw_kbool(w, key, row->dflt != 0);
        break;
    default:
        if (row->dflt_str)
            hone_jw_kcstr(w, key, row->dflt_str);
    }
}

static void write_choices(const hone_field *row, hone_jw *w, const char *key)
{
    hone_jw_key(w, key);
    hone_jw_list(w);
    for (size_t i = 0; i < CHOICES_MAX; i++) {
        hone_str one = hone__config_choice_at(row->choices, i);
        if (!one.ptr)
            break;
        hone_jw_str(w, one);
    }
    hone_jw_end(w);
}

void hone_config_schema(const hone_field *const *fields, hone_jw *w)
{
    int required = 0;
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "object");
    hone_jw_key(w, "properties");
    hone_jw_map(w);
    for (size_t i = 0; fields && fields[i]; i++) {
        hone_field row = hone__config_row(fields[i]);
        hone_jw_key(w, row.name);
        hone_jw_map(w);
        for (size_t t = 0; t < N(types); t++)
            if (types[t].type == row.type && types[t].schema)
                hone_jw_kcstr(w, "type", types[t].schema);
        if (row.type == HONE_FIELD_COMPONENT) {
            hone_jw_key(w, "type");
            hone_jw_list(w);
            hone_jw_cstr(w, "string");
            hone_jw_cstr(w, "object");
            hone_jw_end(w);
        }
        if (row.doc)
            hone_jw_kcstr(w, "description", row.doc);
        if (row.type == HONE_FIELD_ENUM)
            write_choices(&row, w, "enum");
        if ((row.type == HONE_FIELD_F64 || row.type == HONE_FIELD_I64) &&
            hone__config_ranged(&row)) {
            if (isfinite(row.min))
                hone_jw_kf64(w, "minimum", row.min);
            if (isfinite(row.max))
                hone_jw_kf64(w, "maximum", row.max);
        }
        if (row.flags & HONE_REQUIRED)
            required++;
        else
            write_default(&row, w, "default");
        if (row.flags & HONE_SECRET)
            hone_jw_kbool(w, "writeOnly", 1);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    if (required) {
        hone_jw_key(w, "required");
        hone_jw_list(w);
        for (size_t i = 0; fields[i]; i++) {
            hone_field row = hone__config_row(fields[i]);
            if (row.flags & HONE_REQUIRED)
                hone_jw_cstr(w, row.name);
        }
        hone_jw_end(w);
    }
    hone_jw_kbool(w, "additionalProperties", 0);
    hone_jw_end(w);
}

/* ---- the sidecar's form ------------------------------------------------------------------------ */

void hone_config_fields_json(const hone_field *const *fields, hone_jw *w)
{
    hone_jw_list(w);
    for (size_t i = 0; fields && fields[i]; i++) {
        hone_field row = hone__config_row(fields[i]);
        hone_jw_map(w);
        hone_jw_kcstr(w, "name", row.name);
        if (row.old_name)
            hone_jw_kcstr(w, "old_name", row.old_name);
        hone_jw_kcstr(w, "type", type_name(row.type));
        if (strcmp(type_name(row.type), "unknown") == 0)
            hone_jw_ki64(w, "type_number", row.type);
        if (row.flags) {
            hone_jw_key(w, "flags");
            hone_jw_list(w);
            for (size_t f = 0; f < N(flags); f++)
                if (row.flags & flags[f].flag)
                    hone_jw_cstr(w, flags[f].name);
            hone_jw_end(w);
        }
        write_default(&row, w, "default");
        if (hone__config_ranged(&row) && row.type != HONE_FIELD_BOOL) {
            if (isfinite(row.min))
                hone_jw_kf64(w, "min", row.min);
            if (isfinite(row.max))
                hone_jw_kf64(w, "max", row.max);
        }
        if (row.choices)
            hone_jw_kcstr(w, "choices", row.choices);
        if (row.iface)
            hone_jw_kcstr(w, "iface", row.iface);
        if (row.doc)
            hone_jw_kcstr(w, "doc", row.doc);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

/* A string member of a map as a NUL-terminated copy; *out untouched when absent. */
static hone_status read_text(const hone_value *map, const char *key, hone_arena *arena,
                             const char **out)
{
    hone_str s = {NULL, 0};
    HONE_TRY(hone_value_string(map, key, s, &s));
    if (!s.ptr)
        return HONE_OK;
    if (memchr(s.ptr, 0, s.len))
        return hone_fail(HONE_E_PARSE, "%s: holds a NUL", key);
    *out = hone_arena_strndup(arena, s.ptr, s.len);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

static hone_status read_row(const hone_value *map, hone_arena *arena, hone_field *row)
{
    const char *type = NULL;
    int64_t number = 0;
    int on = 0;
    if (map->type != HONE_MAP)
        return hone_fail(HONE_E_PARSE, "a setting is no map");
    row->struct_size = sizeof *row;
    HONE_TRY(read_text(map, "name", arena, &row->name));
    HONE_TRY(read_text(map, "old_name", arena, &row->old_name));
    HONE_TRY(read_text(map, "type", arena, &type));
    HONE_TRY(read_text(map, "choices", arena, &row->choices));
    HONE_TRY(read_text(map, "iface", arena, &row->iface));
    HONE_TRY(read_text(map, "doc", arena, &row->doc));
    HONE_TRY(hone_value_i64(map, "type_number", 0, &number));
    if (!row->name || !type)
        return hone_fail(HONE_E_PARSE, "a setting without name or type");
    for (size_t t = 0; t < N(types); t++)
        if (strcmp(types[t].name, type) == 0)
            row->type = types[t].type;
    if (!row->type) {
        if (number < 1 || number > UINT32_MAX)
            return hone_fail(HONE_E_PARSE, "setting \"%s\": unknown type \"%s\"", row->name, type);
        row->type = (uint32_t)number;
    }
    const hone_value *list = hone_value_get(map, "flags");
    for (size_t i = 0; list && list->type == HONE_LIST && i < list->u.list.n; i++)
        for (size_t f = 0; f < N(flags); f++)
            if (list->u.list.items[i].type == HONE_STRING &&
                hone_str_eq(list->u.list.items[i].u.str, flags[f].name))
                row->flags |= flags[f].flag;
    switch (row->type) {
    case HONE_FIELD_F64:
    case HONE_FIELD_I64: {
        int ranged = hone_value_get(map, "min") || hone_value_get(map, "max");
        HONE_TRY(hone_value_f64(map, "default", 0, &row->dflt));
        HONE_TRY(hone_value_f64(map, "min", ranged ? -(double)INFINITY : 0, &row->min));
        return hone_value_f64(map, "max", ranged ? (double)INFINITY : 0, &row->max);
    }
    case HONE_FIELD_BOOL:
        HONE_TRY(hone_value_bool(map, "default", 0, &on));
        row->dflt = on;
        row->max = 1;
        return HONE_OK;
    default:
        return read_text(map, "default", arena, &row->dflt_str);
    }
}

hone_status hone_config_fields_read(const hone_value *list, hone_arena *arena,
                                    const hone_field *const **out)
{
    if (list->type != HONE_LIST || list->u.list.n > FIELDS_MAX)
        return hone_fail(HONE_E_PARSE, "the settings are no list of at most %d", FIELDS_MAX);
    size_t n = list->u.list.n;
    hone_field *rows = hone_arena_calloc(arena, n ? n : 1, sizeof *rows);
    const hone_field **ptrs = hone_arena_calloc(arena, n + 1, sizeof *ptrs);
    if (!rows || !ptrs)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        HONE_TRY(read_row(&list->u.list.items[i], arena, &rows[i]));
        ptrs[i] = &rows[i];
    }
    *out = ptrs;
    return HONE_OK;
}
