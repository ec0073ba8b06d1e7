/* jinja_text.c - values as text: str(), repr(), json.dumps(), and operators on values.
 *
 * Floats print as Python prints them (shortest digits that read back equal; exponent below 1e-4 and from
 * 1e16 on). JSON is json.dumps(ensure_ascii=False) as transformers' tojson has it. Integers are 64 bits:
 * what would not fit is an error, where Python would go on. */
#include "text/jinja_int.h"

#include "base/alloc.h"
#include "base/json.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- floats ------------------------------------------------------------------------------------------------ */
void hone__jinja_float_repr(double f, char out[48])
{
    char text[32], digits[32];
    int n = 0, exponent = 0, point = -1;
    if (isnan(f) || isinf(f)) {
        snprintf(out, 48, "%s", isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    size_t len = hone_format_f64(f, text);
    const char *p = text;
    char *o = out;
    if (*p == '-') {
        *o++ = '-';
        p++;
    }
    for (; p < text + len && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.')
            point = n;
        else
            digits[n++] = *p;
    }
    if (point < 0)
        point = n;
    if (p < text + len)
        exponent = (int)strtol(p + 1, NULL, 10);
    int lead = 0; /* digits d1 d2 ... with value 0.d1d2... * 10^point */
    while (lead < n - 1 && digits[lead] == '0')
        lead++;
    memmove(digits, digits + lead, (size_t)(n - lead));
    n -= lead;
    point += exponent - lead;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (n == 1 && digits[0] == '0')
        point = 1;
    if (point > 16 || point < -3) {
        *o++ = digits[0];
        if (n > 1) {
            *o++ = '.';
            memcpy(o, digits + 1, (size_t)n - 1);
            o += n - 1;
        }
        snprintf(o, 14, "e%c%02d", point < 1 ? '-' : '+', abs(point - 1));
        return;
    }
    if (point <= 0) {
        *o++ = '0';
        *o++ = '.';
        for (int i = point; i < 0; i++)
            *o++ = '0';
        memcpy(o, digits, (size_t)n);
        o += n;
    } else {
        for (int i = 0; i < point; i++)
            *o++ = i < n ? digits[i] : '0';
        *o++ = '.';
        if (n > point) {
            memcpy(o, digits + point, (size_t)(n - point));
            o += n - point;
        } else {
            *o++ = '0';
        }
    }
    *o = 0;
}

/* ---- str and repr ---------------------------------------------------------------------------------------------- */
static hone_status repr_str(hone_buf *b, hone_str s)
{
    int single = s.len && memchr(s.ptr, '\'', s.len), dbl = s.len && memchr(s.ptr, '"', s.len);
    char quote = single && !dbl ? '"' : '\'';
    hone_buf_addc(b, quote);
    for (size_t i = 0; i < s.len;) {
        uint32_t c = 0;
        int k = hone_utf8_step(s, i, &c);
        if (k <= 0) {
            hone_buf_addf(b, "\\x%02x", (unsigned char)s.ptr[i++]);
            continue;
        }
        if (c == (uint32_t)quote || c == '\\')
            hone_buf_addf(b, "\\%c", (char)c);
        else if (c == '\n' || c == '\t' || c == '\r')
            hone_buf_adds(b, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else if (!hone__printable(c))
            hone_buf_addf(b, c < 256 ? "\\x%02x" : c < 65536 ? "\\u%04x" : "\\U%08x", c);
        else
            hone_buf_add(b, s.ptr + i, (size_t)k);
        i += (size_t)k;
    }
    return hone_buf_addc(b, quote);
}

static hone_status repr_view(jrun *r, hone_buf *b, const jval *v, int depth)
{
    const jlist *l = v->u.list;
    jval list = *v;
    if (l->view == V_RANGE) {
        hone_buf_addf(b, "range(%lld, %lld", (long long)l->range[0], (long long)l->range[1]);
        if (l->range[2] != 1)
            hone_buf_addf(b, ", %lld", (long long)l->range[2]);
        return hone_buf_addc(b, ')');
    }
    list.type = J_LIST;
    hone_buf_addf(b, "%s(", hone__jinja_type_name(v));
    HONE_TRY(hone__jinja_repr(r, b, &list, depth + 1));
    return hone_buf_addc(b, ')');
}

hone_status hone__jinja_repr(jrun *r, hone_buf *b, const jval *v, int depth)
{
    char number[48];
    if (depth > J_NESTING)
        return hone__jinja_fail(r, HONE_E_LIMIT, "a value is nested too deep to be printed");
    HONE_TRY(hone__jinja_step(r, 1));
    switch (v->type) {
    case J_UNDEF:
        return hone_buf_adds(b, depth ? "Undefined" : "");
    case J_NONE:
        return hone_buf_adds(b, "None");
    case J_BOOL:
        return hone_buf_adds(b, v->u.i ? "True" : "False");
    case J_INT:
        return hone_buf_addf(b, "%lld", (long long)v->u.i);
    case J_FLOAT:
        hone__jinja_float_repr(v->u.f, number);
        return hone_buf_adds(b, number);
    case J_STR:
        HONE_TRY(hone__jinja_step(r, v->u.str.len / 64));
        if (!v->markup)
            return repr_str(b, v->u.str);
        hone_buf_adds(b, "Markup(");
        repr_str(b, v->u.str);
        return hone_buf_addc(b, ')');
    case J_LIST:
    case J_TUPLE: {
        const jlist *l = v->u.list;
        hone_buf_addc(b, v->type == J_LIST ? '[' : '(');
        for (size_t i = 0; i < l->n; i++) {
            if (i)
                hone_buf_adds(b, ", ");
            HONE_TRY(hone__jinja_repr(r, b, &l->v[i], depth + 1));
        }
        return hone_buf_adds(b, v->type == J_LIST ? "]" : l->n == 1 ? ",)" : ")");
    }
    case J_DICT:
        hone_buf_addc(b, '{');
        for (size_t i = 0; i < v->u.dict->n; i++) {
            if (i)
                hone_buf_adds(b, ", ");
            HONE_TRY(hone__jinja_repr(r, b, &v->u.dict->v[i].key, depth + 1));
            hone_buf_adds(b, ": ");
            HONE_TRY(hone__jinja_repr(r, b, &v->u.dict->v[i].val, depth + 1));
        }
        return hone_buf_addc(b, '}');
    case J_VIEW:
        return repr_view(r, b, v, depth);
    case J_LOOP:
        return hone_buf_addf(b, "<LoopContext %zu/%zu>", v->u.loop->index + 1, v->u.loop->items->n);
    case J_MACRO:
        if (!v->u.macro->node->name.ptr)
            return hone_buf_adds(b, "<Macro anonymous>");
        hone_buf_adds(b, "<Macro '");
        hone_buf_add_str(b, v->u.macro->node->name);
        return hone_buf_adds(b, "'>");
    case J_NAMESPACE: {
        jval map = *v;
        map.type = J_DICT;
        hone_buf_adds(b, "<Namespace ");
        HONE_TRY(hone__jinja_repr(r, b, &map, depth + 1));
        return hone_buf_addc(b, '>');
    }
    default:
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "printing a %s is not supported",
                                hone__jinja_type_name(v));
    }
}

hone_status hone__jinja_write(jrun *r, hone_buf *b, const jval *v)
{
    hone_status s;
    if (v->type == J_STR)
        s = hone__jinja_step(r, v->u.str.len / 64) < 0 ? HONE_E_LIMIT
                                                       : hone_buf_add_str(b, v->u.str);
    else
        s = hone__jinja_repr(r, b, v, 0);
    if (s >= 0 && b == r->top && b->len - r->start > r->max_output)
        return hone__jinja_fail(r, HONE_E_LIMIT, "the rendering is longer than %zu bytes",
                                r->max_output);
    return s;
}

hone_status hone__jinja_to_str(jrun *r, const jval *v, jval *out)
{
    if (v->type == J_STR) {
        *out = *v;
        return HONE_OK;
    }
    hone_buf b;
    hone_buf_init(&b, r->max_output);
    hone_status s = hone__jinja_repr(r, &b, v, 0);
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */
static hone_status json_str(hone_buf *b, hone_str s, int ascii)
{
    hone_buf_addc(b, '"');
    for (size_t i = 0; i < s.len;) {
        uint32_t c = 0;
        int k = hone_utf8_step(s, i, &c);
        if (k <= 0)
            return hone_fail(HONE_E_SCRIPT, "tojson: a text is not UTF-8");
        static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
        const char *known = c && c < 128 ? strchr(from, (int)c) : NULL;
        if (known)
            hone_buf_addf(b, "\\%c", to[known - from]);
        else if (c < 0x20 || (ascii && c >= 0x7F && c < 0x10000 && c != 0x7F))
            hone_buf_addf(b, "\\u%04x", c);
        else if (ascii && c >= 0x10000)
            hone_buf_addf(b, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10),
                          0xDC00 + ((c - 0x10000) & 0x3FF));
        else
            hone_buf_add(b, s.ptr + i, (size_t)k);
        i += (size_t)k;
    }
    return hone_buf_addc(b, '"');
}

static void json_newline(hone_buf *b, const jjson *o, int depth)
{
    if (!o->indent.ptr)
        return;
    hone_buf_addc(b, '\n');
    for (int i = 0; i < depth; i++)
        hone_buf_add_str(b, o->indent);
}

static int by_key(const void *a, const void *b)
{
    const jpair *x = *(const jpair *const *)a, *y = *(const jpair *const *)b;
    hone_str s = x->key.u.str, t = y->key.u.str;
    size_t n = s.len < t.len ? s.len : t.len;
    int c = n ? memcmp(s.ptr, t.ptr, n) : 0;
    return c ? c : (s.len > t.len) - (s.len < t.len);
}

static hone_status json_key(jrun *r, hone_buf *b, const jval *key, const jjson *o)
{
    if (key->type == J_STR)
        return json_str(b, key->u.str, o->ascii);
    if (key->type == J_INT || key->type == J_FLOAT) {
        hone_buf_addc(b, '"');
        HONE_TRY(hone__jinja_repr(r, b, key, 1));
        return hone_buf_addc(b, '"');
    }
    if (key->type == J_BOOL || key->type == J_NONE)
        return hone_buf_adds(b, key->type == J_NONE ? "\"null\""
                                : key->u.i          ? "\"true\""
                                                    : "\"false\"");
    return hone__jinja_fail(r, HONE_E_SCRIPT, "tojson: a key cannot be a %s",
                            hone__jinja_type_name(key));
}

static hone_status json_dict(jrun *r, hone_buf *b, const jdict *d, const jjson *o, int depth)
{
    const jpair **order = hone_arena_calloc(&r->arena, d->n + 1, sizeof *order);
    if (!order)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < d->n; i++) {
        order[i] = &d->v[i];
        if (o->sort_keys && d->v[i].key.type != J_STR)
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                    "tojson: sorting keys that are no strings is not supported");
    }
    if (o->sort_keys)
        qsort(order, d->n, sizeof *order, by_key);
    hone_buf_addc(b, '{');
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            hone_buf_add_str(b, o->item_sep);
        json_newline(b, o, depth + 1);
        HONE_TRY(json_key(r, b, &order[i]->key, o));
        hone_buf_add_str(b, o->key_sep);
        HONE_TRY(hone__jinja_json(r, b, &order[i]->val, o, depth + 1));
    }
    if (d->n)
        json_newline(b, o, depth);
    return hone_buf_addc(b, '}');
}

hone_status hone__jinja_json(jrun *r, hone_buf *b, const jval *v, const jjson *o, int depth)
{
    if (depth > J_NESTING)
        return hone__jinja_fail(r, HONE_E_LIMIT, "tojson: a value is nested too deep");
    HONE_TRY(hone__jinja_step(r, 1));
    switch (v->type) {
    case J_NONE:
        return hone_buf_adds(b, "null");
    case J_BOOL:
        return hone_buf_adds(b, v->u.i ? "true" : "false");
    case J_INT:
        return hone__jinja_repr(r, b, v, 1);
    case J_FLOAT:
        if (isnan(v->u.f) || isinf(v->u.f))
            return hone_buf_adds(b, isnan(v->u.f) ? "NaN" : v->u.f < 0 ? "-Infinity" : "Infinity");
        return hone__jinja_repr(r, b, v, 1);
    case J_STR:
        HONE_TRY(hone__jinja_step(r, v->u.str.len / 64));
        return json_str(b, v->u.str, o->ascii);
    case J_LIST:
    case J_TUPLE:
        hone_buf_addc(b, '[');
        for (size_t i = 0; i < v->u.list->n; i++) {
            if (i)
                hone_buf_add_str(b, o->item_sep);
            json_newline(b, o, depth + 1);
            HONE_TRY(hone__jinja_json(r, b, &v->u.list->v[i], o, depth + 1));
        }
        if (v->u.list->n)
            json_newline(b, o, depth);
        return hone_buf_addc(b, ']');
    case J_DICT:
        return json_dict(r, b, v->u.dict, o, depth);
    default:
        return hone__jinja_fail(r, HONE_E_SCRIPT,
                                "tojson: Object of type %s is not JSON serializable",
                                hone__jinja_type_name(v));
    }
}

/* ---- operators ------------------------------------------------------------------------------------------------------ */
static hone_status wrong_types(jrun *r, int op, const jval *a, const jval *b)
{
    const jval *u = a->type == J_UNDEF ? a : b->type == J_UNDEF ? b : NULL;
    if (u)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "\"%.*s\" is undefined",
                                (int)(u->u.str.len < 100 ? u->u.str.len : 100), u->u.str.ptr);
    return hone__jinja_fail(r, HONE_E_SCRIPT, "unsupported operand types for %c%c: '%s' and '%s'",
                            op & 255, op > 255 ? op >> 8 : ' ', hone__jinja_type_name(a),
                            hone__jinja_type_name(b));
}

static hone_status repeat(jrun *r, const jval *v, int64_t times, jval *out)
{
    size_t n = times > 0 ? (size_t)times : 0;
    if (v->type == J_STR) {
        size_t total;
        if (!hone_mul_size(v->u.str.len, n, &total) || total > r->max_output)
            return hone__jinja_fail(r, HONE_E_LIMIT, "a text is longer than %zu bytes",
                                    r->max_output);
        hone_buf b;
        hone_buf_init(&b, r->max_output);
        for (size_t i = 0; i < n && v->u.str.len; i++)
            hone_buf_add_str(&b, v->u.str);
        return hone__jinja_take_buf(r, &b, out);
    }
    HONE_TRY(hone__jinja_new_list(r, v->type, 0, out));
    for (size_t k = 0; k < n && v->u.list->n; k++)
        for (size_t i = 0; i < v->u.list->n; i++)
            HONE_TRY(hone__jinja_push(r, out->u.list, v->u.list->v[i]));
    return HONE_OK;
}

static hone_status too_large(jrun *r)
{
    return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "an integer does not fit 64 bits");
}

static hone_status integers(jrun *r, int op, int64_t a, int64_t b, jval *out)
{
    int64_t v = 0;
    if (b == 0 && (op == '/' || op == '%' || op == J_OP2('/', '/')))
        return hone__jinja_fail(r, HONE_E_SCRIPT, "division by zero");
    switch (op) {
    case '+':
        if (__builtin_add_overflow(a, b, &v))
            return too_large(r);
        break;
    case '-':
        if (__builtin_sub_overflow(a, b, &v))
            return too_large(r);
        break;
    case '*':
        if (__builtin_mul_overflow(a, b, &v))
            return too_large(r);
        break;
    case '/':
        *out = j_float((double)a / (double)b);
        return HONE_OK;
    case '%':
        v = b == -1 ? 0 : a % b;
        v += v != 0 && (v < 0) != (b < 0) ? b : 0;
        break;
    case J_OP2('/', '/'):
        if (b == -1) {
            if (__builtin_sub_overflow((int64_t)0, a, &v))
                return too_large(r);
        } else {
            v = a / b - (a % b != 0 && (a < 0) != (b < 0));
        }
        break;
    default:
        if (b < 0) {
            *out = j_float(pow((double)a, (double)b));
            return HONE_OK;
        }
        for (v = 1; b > 0; b--) {
            if (a == 0 || a == 1 || a == -1) {
                v = a == 0 ? 0 : a == 1 || b % 2 == 0 ? 1 : -1;
                break;
            }
            if (__builtin_mul_overflow(v, a, &v))
                return too_large(r);
        }
    }
    *out = j_int(v);
    return HONE_OK;
}

static hone_status floats(jrun *r, int op, double a, double b, jval *out)
{
    double v;
    if (b == 0 && (op == '/' || op == '%' || op == J_OP2('/', '/')))
        return hone__jinja_fail(r, HONE_E_SCRIPT, "float division by zero");
    switch (op) {
    case '+':
        v = a + b;
        break;
    case '-':
        v = a - b;
        break;
    case '*':
        v = a * b;
        break;
    case '/':
        v = a / b;
        break;
    case '%':
        v = fmod(a, b);
        v += v != 0 && (v < 0) != (b < 0) ? b : 0;
        break;
    case J_OP2('/', '/'):
        v = floor(a / b);
        break;
    default:
        v = pow(a, b);
    }
    *out = j_float(v);
    return HONE_OK;
}

hone_status hone__jinja_binary(jrun *r, int op, const jval *a, const jval *b, jval *out)
{
    int markup = (a->type == J_STR && a->markup) || (b->type == J_STR && b->markup);
    if (markup && op == '+' && a->type == J_STR && b->type == J_STR && !(a->markup && b->markup)) {
        jval safe; /* Markup escapes the other side */
        HONE_TRY(hone__jinja_escape(r, a->markup ? b : a, &safe));
        HONE_TRY(hone__jinja_binary(r, op, a->markup ? a : &safe, a->markup ? &safe : b, out));
        out->markup = 1;
        return HONE_OK;
    }
    if (markup && (op == '+' || op == '*')) {
        jval x = *a, y = *b;
        x.markup = y.markup = 0;
        HONE_TRY(hone__jinja_binary(r, op, &x, &y, out));
        out->markup = 1;
        return HONE_OK;
    }
    if (markup && op == '%' && a->markup)
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                "%% on the result of |safe or |escape is not supported");
    if (j_is_num(a) && j_is_num(b)) {
        if (a->type != J_FLOAT && b->type != J_FLOAT)
            return integers(r, op, a->u.i, b->u.i, out);
        return floats(r, op, j_num(a), j_num(b), out);
    }
    if (op == '+' && a->type == J_STR && b->type == J_STR) {
        size_t n;
        if (!hone_add_size(a->u.str.len, b->u.str.len, &n) || n > r->max_output)
            return hone__jinja_fail(r, HONE_E_LIMIT, "a text is longer than %zu bytes",
                                    r->max_output);
        char *p = hone_arena_alloc(&r->arena, n + 1);
        if (!p)
            return HONE_E_NOMEM;
        if (a->u.str.len)
            memcpy(p, a->u.str.ptr, a->u.str.len);
        if (b->u.str.len)
            memcpy(p + a->u.str.len, b->u.str.ptr, b->u.str.len);
        hone_str s = {p, n};
        *out = j_str(s);
        return hone__jinja_step(r, n / 64);
    }
    if (op == '+' && a->type == b->type && (a->type == J_LIST || a->type == J_TUPLE)) {
        HONE_TRY(hone__jinja_new_list(r, a->type, a->u.list->n + b->u.list->n, out));
        for (size_t i = 0; i < a->u.list->n; i++)
            HONE_TRY(hone__jinja_push(r, out->u.list, a->u.list->v[i]));
        for (size_t i = 0; i < b->u.list->n; i++)
            HONE_TRY(hone__jinja_push(r, out->u.list, b->u.list->v[i]));
        return HONE_OK;
    }
    int left = a->type == J_STR || a->type == J_LIST || a->type == J_TUPLE;
    int right = b->type == J_STR || b->type == J_LIST || b->type == J_TUPLE;
    if (op == '*' && left && (b->type == J_INT || b->type == J_BOOL))
        return repeat(r, a, b->u.i, out);
    if (op == '*' && right && (a->type == J_INT || a->type == J_BOOL))
        return repeat(r, b, a->u.i, out);
    if (op == '%' && a->type == J_STR) {
        if (b->type == J_TUPLE)
            return hone__jinja_format(r, a->u.str, b->u.list->v, b->u.list->n, 0, out);
        return hone__jinja_format(
            r, a->u.str, b, 1,
            b->type != J_DICT && b->type != J_LIST && b->type != J_UNDEF && b->type != J_VIEW, out);
    }
    return wrong_types(r, op, a, b);
}
