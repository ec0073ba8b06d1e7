/* arrow.c - formats of Arrow columns, and whether a schema and a batch are what they have to be. See arrow.h.
 *
 * The interface gives no sizes of buffers, so what can be said about structs in this process is their shape: formats,
 * children, lengths, which buffers there are. Everything else is checked where the bytes are one's own (arrow_take.c).
 * Source: Arrow C data interface. */
#include "abi/arrow.h"

#include "base/json.h"
#include "hone/source.h"

#include <string.h>

/* ---- metadata --------------------------------------------------------------------------------------- */

static int32_t int32_at(const char *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

hone_str hone_arrow_metadata(const char *m, const char *key)
{
    hone_str none = {NULL, 0};
    if (!m)
        return none;
    int32_t n = int32_at(m);
    m += 4;
    for (int32_t i = 0; i < n; i++) {
        hone_str k = {m + 4, (size_t)int32_at(m)};
        if (int32_at(m) < 0)
            return none;
        m += 4 + k.len;
        hone_str v = {m + 4, (size_t)int32_at(m)};
        if (int32_at(m) < 0)
            return none;
        m += 4 + v.len;
        if (hone_str_eq(k, key))
            return v;
    }
    return none;
}

int hone_arrow_is_json(const struct ArrowSchema *c)
{
    return (strcmp(c->format, "u") == 0 || strcmp(c->format, "U") == 0) &&
           hone_str_eq(hone_arrow_metadata(c->metadata, "ARROW:extension:name"), HONE_SOURCE_JSON);
}

/* ---- formats ---------------------------------------------------------------------------------------- */

size_t hone_arrow_width(const char *f)
{
    switch (f[0]) {
    case 'c':
    case 'C':
        return f[1] ? 0 : 1;
    case 's':
    case 'S':
    case 'e':
        return f[1] ? 0 : 2;
    case 'i':
    case 'I':
    case 'f':
        return f[1] ? 0 : 4;
    case 'l':
    case 'L':
    case 'g':
        return f[1] ? 0 : 8;
    case 't': /* tdD days, tdm ms; tts ttm ttu ttn; ts?:zone; tD? durations */
        if (f[1] == 'd')
            return f[2] == 'D' ? 4 : 8;
        if (f[1] == 't')
            return f[2] == 's' || f[2] == 'm' ? 4 : 8;
        return f[1] == 's' || f[1] == 'D' ? 8 : 0;
    default:
        return 0;
    }
}

int64_t hone_arrow_fixed_size(const char *f)
{
    const char *p = strncmp(f, "w:", 2) == 0 ? f + 2 : strncmp(f, "+w:", 3) == 0 ? f + 3 : NULL;
    int64_t n = 0;
    if (!p || !*p)
        return -1;
    for (; *p >= '0' && *p <= '9' && n < 1 << 28; p++)
        n = 10 * n + (*p - '0');
    return *p ? -1 : n;
}

int hone_arrow_is_text(const char *f)
{
    return (f[0] == 'u' || f[0] == 'U' || f[0] == 'z' || f[0] == 'Z') && !f[1];
}

int hone_arrow_is_list(const char *f)
{
    return strcmp(f, "+l") == 0 || strcmp(f, "+L") == 0 ||
           (f[0] == '+' && hone_arrow_fixed_size(f) >= 0);
}

int hone_arrow_is_wide(const char *f)
{
    return strcmp(f, "U") == 0 || strcmp(f, "Z") == 0 || strcmp(f, "+L") == 0;
}

/* ---- shape ------------------------------------------------------------------------------------------ */

static hone_status check_column(const struct ArrowSchema *c, int depth)
{
    if (!c || !c->format)
        return hone_fail(HONE_E_MISBEHAVED, "a column's schema has no format");
    const char *f = c->format, *name = c->name ? c->name : "?";
    if (depth > HONE_ARROW_DEPTH)
        return hone_fail(HONE_E_LIMIT, "column %.100s: nested more than %d deep", name,
                         HONE_ARROW_DEPTH);
    if (c->dictionary)
        return hone_arrow_width(f) && f[0] != 't' && f[0] != 'e' && f[0] != 'f' && f[0] != 'g'
                   ? check_column(c->dictionary, depth + 1)
                   : hone_fail(HONE_E_MISBEHAVED,
                               "column %.100s: dictionary indices of format \"%.40s\"", name, f);
    if (hone_arrow_is_list(f) || strcmp(f, "+s") == 0) {
        if (c->n_children < 0 || (hone_arrow_is_list(f) && c->n_children != 1) ||
            (c->n_children && !c->children))
            return hone_fail(HONE_E_MISBEHAVED,
                             "column %.100s: format \"%.40s\" with %lld children", name, f,
                             (long long)c->n_children);
        for (int64_t i = 0; i < c->n_children; i++)
            HONE_TRY(check_column(c->children[i], depth + 1));
        return HONE_OK;
    }
    if (strcmp(f, "n") == 0 || strcmp(f, "b") == 0 || hone_arrow_width(f) ||
        hone_arrow_is_text(f) || (f[0] == 'w' && hone_arrow_fixed_size(f) >= 0))
        return HONE_OK;
    hone_fail(HONE_E_UNSUPPORTED, "column %.100s: Arrow format \"%.40s\" is not read", name, f);
    return hone_fail_hint("cast it in the query: to text, or to a number of 64 bits");
}

hone_status hone_arrow_check_schema(const struct ArrowSchema *schema)
{
    if (!schema->release || !schema->format || strcmp(schema->format, "+s") != 0)
        return hone_fail(HONE_E_MISBEHAVED, "the stream's schema is not a struct of columns");
    return check_column(schema, 0);
}

static int64_t n_buffers(const char *f)
{
    if (strcmp(f, "n") == 0)
        return 0;
    if (f[0] == 'w')
        return 2;
    return strcmp(f, "+s") == 0 || hone_arrow_fixed_size(f) >= 0 ? 1
           : hone_arrow_is_text(f)                               ? 3
                                                                 : 2;
}

static hone_status check_array(const struct ArrowSchema *c, const struct ArrowArray *a,
                               int64_t at_least)
{
    const char *f = c->format, *name = c->name ? c->name : "?";
    int64_t buffers = n_buffers(f);
    if (!a || a->length < 0 || a->offset < 0 || a->length < at_least ||
        a->offset > INT64_MAX - a->length)
        return hone_fail(HONE_E_MISBEHAVED, "column %.100s: its array is shorter than its batch",
                         name);
    if (a->null_count < -1 || a->null_count > a->length)
        return hone_fail(HONE_E_MISBEHAVED, "column %.100s: %lld nulls in %lld rows", name,
                         (long long)a->null_count, (long long)a->length);
    if (a->n_buffers < buffers || (buffers && !a->buffers))
        return hone_fail(HONE_E_MISBEHAVED,
                         "column %.100s: %lld buffers, format \"%.40s\" has %lld", name,
                         (long long)a->n_buffers, f, (long long)buffers);
    if (buffers > 1 && !a->buffers[1] && a->length > 0 && hone_arrow_fixed_size(f) != 0)
        return hone_fail(HONE_E_MISBEHAVED, "column %.100s: its values are missing", name);
    if (buffers && !a->buffers[0] && a->null_count > 0)
        return hone_fail(HONE_E_MISBEHAVED, "column %.100s: %lld nulls, and no bits that say where",
                         name, (long long)a->null_count);
    if (c->dictionary)
        return a->dictionary
                   ? check_array(c->dictionary, a->dictionary, 0)
                   : hone_fail(HONE_E_MISBEHAVED, "column %.100s: its dictionary is missing", name);
    if (a->n_children != c->n_children || (a->n_children && !a->children))
        return hone_fail(HONE_E_MISBEHAVED, "column %.100s: %lld children, its schema has %lld",
                         name, (long long)a->n_children, (long long)c->n_children);
    for (int64_t i = 0; i < c->n_children; i++)
        HONE_TRY(check_array(c->children[i], a->children[i],
                             strcmp(f, "+s") == 0 ? a->offset + a->length : 0));
    return HONE_OK;
}

hone_status hone_arrow_check_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch)
{
    return check_array(schema, batch, 0);
}
