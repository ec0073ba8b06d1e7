/* jinja_format.c - values laid out by a pattern: "%5.2f" % x, "{:>8}".format(x), strftime_now("%d %b").
 *
 * All three come down to one layout (sign, prefix, digits, fill, width) that is Python's: printf only
 * prints the digits of a float. What Python lays out in a way of its own (a float without type but with
 * precision, zeros between thousands) is refused rather than guessed.
 * Sources: Python's "printf-style String Formatting" and "Format Specification Mini-Language". */
#include "text/jinja_int.h"

#include "base/json.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_WIDTH = 10000, MAX_PRECISION = 300 };

typedef struct layout {
    char fill[4];
    size_t fill_len;
    char align; /* < > ^ =, or 0: by type */
    char sign;  /* + - space */
    int alternate, zero;
    char group;           /* , _ or 0 */
    int width, precision; /* precision -1: none */
    char type;
} layout;

static hone_status bad_spec(jrun *r, const layout *o, const jval *v)
{
    return hone__jinja_fail(r, HONE_E_SCRIPT, "unknown format code '%c' for '%s'",
                            o->type > 32 ? o->type : '?', hone__jinja_type_name(v));
}

static void pad(hone_buf *b, const layout *o, int n)
{
    for (int i = 0; i < n; i++)
        hone_buf_add(b, o->fill, o->fill_len);
}

/* head (sign and prefix) and body, filled up to the width. */
static void lay_out(hone_buf *b, const layout *o, hone_str head, hone_str body, char align)
{
    size_t n = hone__jinja_count_chars(body) + head.len;
    int rest = n < (size_t)o->width ? o->width - (int)n : 0;
    align = o->align ? o->align : align;
    int left = align == '>' ? rest : align == '^' ? rest / 2 : 0;
    pad(b, o, left);
    hone_buf_add_str(b, head);
    pad(b, o, align == '=' ? rest : 0);
    hone_buf_add_str(b, body);
    pad(b, o, align == '<' ? rest : align == '^' ? rest - left : 0);
}

static void sign_of(const layout *o, int negative, hone_buf *head)
{
    if (negative)
        hone_buf_addc(head, '-');
    else if (o->sign != '-')
        hone_buf_addc(head, o->sign);
}

/* Digits with a mark between every `every` of them, from the right. */
static void add_groups(hone_buf *b, const char *digits, size_t n, char mark, size_t every)
{
    for (size_t i = 0; i < n; i++) {
        if (mark && i && (n - i) % every == 0)
            hone_buf_addc(b, mark);
        hone_buf_addc(b, digits[i]);
    }
}

static void lay_out_int(hone_buf *b, const layout *o, int64_t v)
{
    char digits[80], text[2] = {0, 0};
    size_t n = sizeof digits;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v, base = o->type == 'x' || o->type == 'X' ? 16
                                                               : o->type == 'o'                 ? 8
                                                               : o->type == 'b'                 ? 2
                                                                                : 10;
    const char *set = o->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    hone_buf head, body;
    hone_buf_init(&head, 16);
    hone_buf_init(&body, MAX_WIDTH * 2);
    do
        digits[--n] = set[u % base];
    while ((u /= base) > 0);
    sign_of(o, v < 0, &head);
    text[0] = o->type;
    if (o->alternate && base != 10) {
        hone_buf_addc(&head, '0');
        hone_buf_adds(&head, text);
    }
    for (int k = (int)(sizeof digits - n); k < o->precision; k++)
        hone_buf_addc(&body, '0');
    add_groups(&body, digits + n, sizeof digits - n, o->group, base == 10 ? 3 : 4);
    lay_out(b, o, hone_buf_str(&head), hone_buf_str(&body), o->zero ? '=' : '>');
    hone_buf_release(&head);
    hone_buf_release(&body);
}

static void lay_out_float(hone_buf *b, const layout *o, double v)
{
    char spec[] = "%.*f", number[700];
    int percent = o->type == '%', precision = o->precision < 0 ? 6 : o->precision;
    hone_buf head, body;
    hone_buf_init(&head, 16);
    hone_buf_init(&body, MAX_WIDTH);
    sign_of(o, signbit(v) && !isnan(v), &head);
    spec[3] = percent ? 'f' : o->type == 'n' ? 'g' : o->type;
    v = fabs(percent ? v * 100 : v);
    if (o->type)
        snprintf(number, sizeof number, spec, precision, v);
    else
        hone__jinja_float_repr(v, number);
    if (isnan(v) || isinf(v))
        snprintf(number, sizeof number, "%s",
                 o->type >= 'A' && o->type <= 'Z' ? isnan(v) ? "NAN" : "INF"
                 : isnan(v)                       ? "nan"
                                                  : "inf");
    size_t whole = strspn(number, "0123456789");
    add_groups(&body, number, whole, o->group, 3);
    hone_buf_adds(&body, number + whole);
    if (percent)
        hone_buf_addc(&body, '%');
    lay_out(b, o, hone_buf_str(&head), hone_buf_str(&body), o->zero ? '=' : '>');
    hone_buf_release(&head);
    hone_buf_release(&body);
}

static void lay_out_text(hone_buf *b, const layout *o, hone_str s)
{
    hone_str none = {"", 0};
    if (o->precision >= 0) {
        size_t at = 0;
        for (int i = 0; i < o->precision && at < s.len; i++)
            at += hone__jinja_char_len(s, at);
        s.len = at;
    }
    lay_out(b, o, none, s, '<');
}

/* ---- "{...}".format() ------------------------------------------------------------------------------ */
typedef struct filler {
    jrun *r;
    const jcall *c;
    size_t next;
    int numbered; /* 1: {} was seen, 2: {0} */
} filler;

static hone_status read_int(jrun *r, hone_str s, size_t *i, int max, int *out)
{
    int v = 0;
    for (; *i < s.len && s.ptr[*i] >= '0' && s.ptr[*i] <= '9'; ++*i) {
        v = v * 10 + (s.ptr[*i] - '0');
        if (v > max)
            return hone__jinja_fail(r, HONE_E_LIMIT, "a width or precision in a format is over %d",
                                    max);
    }
    *out = v;
    return HONE_OK;
}

static int is_align(char c)
{
    return c == '<' || c == '>' || c == '^' || c == '=';
}

static hone_status parse_spec(jrun *r, hone_str s, layout *o)
{
    size_t i = 0, k = s.len ? hone__jinja_char_len(s, 0) : 0;
    *o = (layout){.fill = " ", .fill_len = 1, .sign = '-', .precision = -1};
    if (k && k < s.len && is_align(s.ptr[k])) {
        memcpy(o->fill, s.ptr, k);
        o->fill_len = k;
        o->align = s.ptr[k];
        i = k + 1;
    } else if (s.len && is_align(s.ptr[0])) {
        o->align = s.ptr[0];
        i = 1;
    }
    if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-' || s.ptr[i] == ' '))
        o->sign = s.ptr[i++];
    if (i < s.len && s.ptr[i] == '#')
        o->alternate = s.ptr[i++] == '#';
    if (i < s.len && s.ptr[i] == '0') {
        o->zero = 1;
        if (o->align == 0) {
            o->fill[0] = '0';
            o->align = '=';
        } else if (o->fill_len == 1 && o->fill[0] == ' ' && i < 2) {
            o->fill[0] = '0';
        }
        i++;
    }
    HONE_TRY(read_int(r, s, &i, MAX_WIDTH, &o->width));
    if (i < s.len && (s.ptr[i] == ',' || s.ptr[i] == '_'))
        o->group = s.ptr[i++];
    if (i < s.len && s.ptr[i] == '.') {
        size_t at = ++i;
        HONE_TRY(read_int(r, s, &i, MAX_PRECISION, &o->precision));
        if (i == at)
            return hone__jinja_fail(r, HONE_E_SCRIPT, "format specifier missing precision");
    }
    if (i < s.len)
        o->type = s.ptr[i++];
    if (i < s.len)
        return hone__jinja_fail(r, HONE_E_SCRIPT, "invalid format specifier \"%.*s\"",
                                (int)(s.len < 40 ? s.len : 40), s.ptr);
    if ((o->group && o->zero) || (o->alternate && o->type && strchr("eEfFgG%n", o->type)))
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "format \"%.*s\" is not supported",
                                (int)(s.len < 40 ? s.len : 40), s.ptr);
    return HONE_OK;
}

static hone_status put_value(jrun *r, hone_buf *b, const jval *v, hone_str spec)
{
    layout o;
    if (spec.len == 0)
        return hone__jinja_write(r, b, v);
    HONE_TRY(parse_spec(r, spec, &o));
    HONE_TRY(hone__jinja_step(r, (size_t)o.width / 8));
    if (v->type == J_STR) {
        if ((o.type && o.type != 's') || o.align == '=' || o.sign != '-' || o.alternate || o.group)
            return o.align == '=' && o.zero && !o.type
                       ? hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                          "zero padding of a text is not supported")
                       : bad_spec(r, &o, v);
        lay_out_text(b, &o, v->u.str);
        return HONE_OK;
    }
    if (!j_is_num(v))
        return hone__jinja_fail(r, HONE_E_SCRIPT, "unsupported format string passed to %s",
                                hone__jinja_type_name(v));
    if (v->type == J_FLOAT || (o.type && strchr("eEfFgG%", o.type))) {
        if (o.type && !strchr("eEfFgG%n", o.type))
            return bad_spec(r, &o, v);
        if (!o.type && o.precision >= 0)
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                    "a float's precision without a type is not supported");
        lay_out_float(b, &o, j_num(v));
        return HONE_OK;
    }
    if (o.precision >= 0 || (o.type && !strchr("bcdoxXn", o.type)))
        return o.precision >= 0
                   ? hone__jinja_fail(r, HONE_E_SCRIPT, "Precision not allowed in integer format")
                   : bad_spec(r, &o, v);
    if (o.type == 'c') {
        char text[4];
        if (v->u.i < 0 || v->u.i > 0x10FFFF || (v->u.i >= 0xD800 && v->u.i <= 0xDFFF))
            return hone__jinja_fail(r, HONE_E_SCRIPT, "%%c arg not in range(0x110000)");
        hone_str one = {text, hone__utf8_put((uint32_t)v->u.i, text)};
        lay_out_text(b, &o, one);
        return HONE_OK;
    }
    lay_out_int(b, &o, v->u.i);
    return HONE_OK;
}

/* The value that a field's name stands for: "0", "name", "" and behind it .attribute and [key]. */
static hone_status find_field(filler *f, hone_str name, jval *out)
{
    size_t n = 0, index = 0;
    const jval *v = NULL;
    while (n < name.len && name.ptr[n] != '.' && name.ptr[n] != '[')
        n++;
    int number = n > 0 && n < 9;
    for (size_t i = 0; i < n && number; i++) {
        number = name.ptr[i] >= '0' && name.ptr[i] <= '9';
        index = index * 10 + (size_t)(name.ptr[i] - '0');
    }
    if (n == 0 || number) {
        int how = n == 0 ? 1 : 2;
        if (f->numbered && f->numbered != how)
            return hone__jinja_fail(f->r, HONE_E_SCRIPT,
                                    "cannot mix automatic and manual field numbering");
        f->numbered = how;
        index = n == 0 ? f->next++ : index;
        v = index < f->c->n ? &f->c->args[index] : NULL;
    } else {
        hone_str key = {name.ptr, n};
        for (size_t k = 0; k < f->c->n_kw; k++)
            if (hone__jinja_same(f->c->names[k], key))
                v = &f->c->kw[k];
    }
    if (!v)
        return hone__jinja_fail(f->r, HONE_E_SCRIPT, "format(): no argument for {%.*s}",
                                (int)(name.len < 60 ? name.len : 60), name.ptr);
    *out = *v;
    while (n < name.len) {
        jval from = *out;
        size_t begin = n + 1, end = begin;
        int item = name.ptr[n] == '[';
        while (end < name.len &&
               (item ? name.ptr[end] != ']' : name.ptr[end] != '.' && name.ptr[end] != '['))
            end++;
        hone_str part = {name.ptr + begin, end - begin};
        if (part.len == 0 || (item && end == name.len))
            return hone__jinja_fail(f->r, HONE_E_SCRIPT, "Empty attribute in format string");
        if (!item) {
            HONE_TRY(hone__jinja_get_attr(f->r, &from, part, out));
        } else {
            int64_t at = 0;
            int digits = part.len < 18;
            for (size_t i = 0; i < part.len && digits; i++) {
                digits = part.ptr[i] >= '0' && part.ptr[i] <= '9';
                at = at * 10 + (part.ptr[i] - '0');
            }
            jval key = digits ? j_int(at) : j_str(part);
            HONE_TRY(hone__jinja_get_item(f->r, &from, &key, out));
        }
        n = end + (size_t)item;
        if (n < name.len && name.ptr[n] != '.' && name.ptr[n] != '[')
            return hone__jinja_fail(f->r, HONE_E_SCRIPT,
                                    "Only '.' or '[' may follow ']' in format field specifier");
    }
    return HONE_OK;
}

static hone_status fill_in(filler *f, hone_str s, int depth, hone_buf *b);

/* {name!conversion:spec}, without its braces. */
static hone_status put_field(filler *f, hone_str s, int depth, hone_buf *b)
{
    size_t n = 0;
    char conversion = 0;
    hone_str name, spec = {"", 0};
    jval v;
    hone_buf text;
    while (n < s.len && s.ptr[n] != '!' && s.ptr[n] != ':') {
        if (s.ptr[n] == '[') /* a key may hold both */
            while (n < s.len && s.ptr[n] != ']')
                n++;
        n += n < s.len;
    }
    name.ptr = s.ptr;
    name.len = n;
    HONE_TRY(find_field(f, name, &v));
    if (n < s.len && s.ptr[n] == '!') {
        conversion = n + 1 < s.len ? s.ptr[n + 1] : 0;
        n += 2;
        if (!conversion || !strchr("sr", conversion) || (n < s.len && s.ptr[n] != ':'))
            return hone__jinja_fail(f->r, HONE_E_UNSUPPORTED,
                                    "a conversion other than !s and !r is not supported");
    }
    if (n < s.len) {
        spec.ptr = s.ptr + n + 1;
        spec.len = s.len - n - 1;
    }
    hone_buf_init(&text, f->r->max_output);
    hone_status st = HONE_OK;
    if (conversion) {
        if (conversion == 'r')
            st = hone__jinja_repr(f->r, &text, &v, 1);
        else
            st = hone__jinja_write(f->r, &text, &v);
        if (st >= 0)
            st = hone__jinja_take_buf(f->r, &text, &v);
        else
            hone_buf_release(&text);
        HONE_TRY(st);
        hone_buf_init(&text, f->r->max_output);
    }
    if (spec.len && memchr(spec.ptr, '{', spec.len)) {
        jval filled;
        st = depth >= 1 ? hone__jinja_fail(f->r, HONE_E_SCRIPT, "Max string recursion exceeded")
                        : fill_in(f, spec, depth + 1, &text);
        if (st < 0) {
            hone_buf_release(&text);
            return st;
        }
        HONE_TRY(hone__jinja_take_buf(f->r, &text, &filled));
        spec = filled.u.str;
    }
    return put_value(f->r, b, &v, spec);
}

static hone_status fill_in(filler *f, hone_str s, int depth, hone_buf *b)
{
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.ptr[i];
        if (ch != '{' && ch != '}') {
            HONE_TRY(hone_buf_addc(b, ch));
            continue;
        }
        if (i + 1 < s.len && s.ptr[i + 1] == ch && !depth) {
            HONE_TRY(hone_buf_addc(b, ch));
            i++;
            continue;
        }
        if (ch == '}')
            return hone__jinja_fail(f->r, HONE_E_SCRIPT, "Single '}' encountered in format string");
        size_t begin = ++i;
        int open = 1;
        for (; i < s.len; i++) {
            if (s.ptr[i] == '[' && open == 1) {
                while (i < s.len && s.ptr[i] != ']')
                    i++;
                if (i == s.len)
                    break;
            }
            open += s.ptr[i] == '{';
            open -= s.ptr[i] == '}';
            if (open == 0)
                break;
        }
        if (i >= s.len)
            return hone__jinja_fail(f->r, HONE_E_SCRIPT, "expected '}' before end of string");
        hone_str field = {s.ptr + begin, i - begin};
        HONE_TRY(hone__jinja_step(f->r, 1));
        HONE_TRY(put_field(f, field, depth, b));
    }
    return HONE_OK;
}

hone_status hone__jinja_str_format(jrun *r, hone_str fmt, const jcall *c, jval *out)
{
    filler f = {r, c, 0, 0};
    hone_buf b;
    hone_buf_init(&b, r->max_output);
    hone_status s = fill_in(&f, fmt, 0, &b);
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

/* ---- "..." % values --------------------------------------------------------------------------------- */
typedef struct percent {
    jrun *r;
    const jval *args, *map; /* map: of %(name)s, or NULL */
    size_t n, used;
    int keyed;
} percent;

static hone_status next_arg(percent *p, const jval **out)
{
    if (p->used >= p->n)
        return hone__jinja_fail(p->r, HONE_E_SCRIPT, "not enough arguments for format string");
    *out = &p->args[p->used++];
    return HONE_OK;
}

/* A width or precision: digits, or * for an argument. */
static hone_status star_or_int(percent *p, hone_str s, size_t *i, int max, int *out)
{
    const jval *v = NULL;
    if (*i >= s.len || s.ptr[*i] != '*')
        return read_int(p->r, s, i, max, out);
    ++*i;
    HONE_TRY(next_arg(p, &v));
    if ((v->type != J_INT && v->type != J_BOOL) || v->u.i > max || v->u.i < -max)
        return hone__jinja_fail(p->r, HONE_E_SCRIPT, "* wants int");
    *out = (int)v->u.i;
    return HONE_OK;
}

static hone_status put_percent(percent *p, const layout *o, const jval *v, hone_buf *b)
{
    jrun *r = p->r;
    hone_buf text;
    hone_status s;
    switch (o->type) {
    case 's':
    case 'r':
        hone_buf_init(&text, r->max_output);
        s = o->type == 's' ? hone__jinja_write(r, &text, v) : hone__jinja_repr(r, &text, v, 1);
        if (s >= 0)
            lay_out_text(b, o, hone_buf_str(&text));
        hone_buf_release(&text);
        return s;
    case 'c':
        if (v->type == J_STR && hone__jinja_count_chars(v->u.str) == 1) {
            lay_out_text(b, o, v->u.str);
            return HONE_OK;
        }
        if (v->type == J_INT && v->u.i >= 0 && v->u.i < 128) {
            char one = (char)v->u.i;
            hone_str t = {&one, 1};
            lay_out_text(b, o, t);
            return HONE_OK;
        }
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%%c requires int or char");
    default:
        break;
    }
    if (!j_is_num(v) || (v->type == J_FLOAT && strchr("xXo", o->type)))
        return hone__jinja_fail(r, HONE_E_SCRIPT, "%%%c format: a number is required, not %s",
                                o->type, hone__jinja_type_name(v));
    if (strchr("eEfFgG", o->type)) {
        if (o->alternate)
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "%%#%c is not supported", o->type);
        lay_out_float(b, o, j_num(v));
        return HONE_OK;
    }
    if (v->type == J_FLOAT && !(fabs(v->u.f) < 9e18))
        return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "an integer does not fit 64 bits");
    layout whole = *o;
    whole.type = strchr("xXo", o->type) ? o->type : 'd';
    lay_out_int(b, &whole, v->type == J_FLOAT ? (int64_t)v->u.f : v->u.i);
    return HONE_OK;
}

/* At a '%': reads the pattern behind it and writes what it stands for. */
static hone_status one_percent(percent *p, hone_str s, size_t *at, hone_buf *b)
{
    layout o = {.fill = " ", .fill_len = 1, .align = '>', .sign = '-', .precision = -1};
    size_t i = *at + 1;
    const jval *v = NULL;
    if (i < s.len && s.ptr[i] == '(') {
        size_t begin = ++i;
        int open = 1;
        for (; i < s.len; i++) {
            open += (s.ptr[i] == '(') - (s.ptr[i] == ')');
            if (!open)
                break;
        }
        hone_str key = {s.ptr + begin, i - begin};
        if (i == s.len)
            return hone__jinja_fail(p->r, HONE_E_SCRIPT, "incomplete format key");
        i++;
        if (!p->map)
            return hone__jinja_fail(p->r, HONE_E_SCRIPT, "format requires a mapping");
        v = hone__jinja_dict_get_str(p->map->u.dict, key);
        HONE_TRY(hone__jinja_step(p->r, p->map->u.dict->n / 8));
        if (!v)
            return hone__jinja_fail(p->r, HONE_E_SCRIPT, "format: no key \"%.*s\"",
                                    (int)(key.len < 60 ? key.len : 60), key.ptr);
        p->keyed = 1;
    }
    for (; i < s.len && s.ptr[i] && strchr("#0- +", s.ptr[i]); i++) {
        char c = s.ptr[i];
        o.alternate |= c == '#';
        o.zero |= c == '0';
        if (c == '-')
            o.align = '<';
        if (c == '+' || (c == ' ' && o.sign != '+'))
            o.sign = c;
    }
    HONE_TRY(star_or_int(p, s, &i, MAX_WIDTH, &o.width));
    if (o.width < 0) {
        o.align = '<';
        o.width = -o.width;
    }
    if (i < s.len && s.ptr[i] == '.') {
        i++;
        HONE_TRY(star_or_int(p, s, &i, MAX_PRECISION, &o.precision));
        o.precision = o.precision < 0 ? 0 : o.precision;
    }
    while (i < s.len && (s.ptr[i] == 'l' || s.ptr[i] == 'h' || s.ptr[i] == 'L'))
        i++;
    o.type = i < s.len ? s.ptr[i] : 0;
    *at = i;
    if (o.type == '%')
        return hone_buf_addc(b, '%');
    if (!o.type)
        return hone__jinja_fail(p->r, HONE_E_SCRIPT, "incomplete format");
    if (!strchr("diuoxXeEfFgGcrs", o.type))
        return hone__jinja_fail(p->r, HONE_E_UNSUPPORTED, "format \"%%%c\" is not supported",
                                o.type);
    if (!v)
        HONE_TRY(next_arg(p, &v));
    HONE_TRY(hone__jinja_step(p->r, 1 + (size_t)o.width / 8));
    if (o.zero && o.align == '>' && !strchr("crs", o.type)) {
        o.fill[0] = '0';
        o.align = '=';
    }
    return put_percent(p, &o, v, b);
}

/* `one`: args is the one value, which must be used; a dict there may be asked by %(key)s. */
hone_status hone__jinja_format(jrun *r, hone_str fmt, const jval *args, size_t n, int one,
                               jval *out)
{
    percent p = {.r = r, .args = args, .n = n};
    hone_buf b;
    hone_status s = HONE_OK;
    if (n == 1 && args[0].type == J_DICT)
        p.map = &args[0];
    hone_buf_init(&b, r->max_output);
    for (size_t i = 0; i < fmt.len && s >= 0; i++)
        s = fmt.ptr[i] == '%' ? one_percent(&p, fmt, &i, &b) : hone_buf_addc(&b, fmt.ptr[i]);
    if (s >= 0 && p.used < n && !p.keyed && (one || n > 1))
        s = hone__jinja_fail(r, HONE_E_SCRIPT,
                             "not all arguments converted during string formatting");
    if (s >= 0)
        s = hone__jinja_step(r, b.len / 64);
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}

/* ---- strftime ---------------------------------------------------------------------------------------- */
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

/* The ISO week: the year its Thursday lies in. */
static int iso_week(const struct tm *tm, int *year)
{
    int weekday = (tm->tm_wday + 6) % 7, thursday = tm->tm_yday - weekday + 3;
    *year = tm->tm_year + 1900;
    if (thursday < 0) {
        --*year;
        thursday += 365 + (*year % 4 == 0 && (*year % 100 != 0 || *year % 400 == 0));
    } else {
        int n = 365 + (*year % 4 == 0 && (*year % 100 != 0 || *year % 400 == 0));
        if (thursday >= n) {
            ++*year;
            thursday -= n;
        }
    }
    return thursday / 7 + 1;
}

/* %D and the like are other patterns in short. */
static const char *spelled_out(char d)
{
    return d == 'F'   ? "%Y-%m-%d"
           : d == 'T' ? "%H:%M:%S"
           : d == 'X' ? "%H:%M:%S"
           : d == 'R' ? "%H:%M"
           : d == 'r' ? "%I:%M:%S %p"
           : d == 'D' ? "%m/%d/%y"
           : d == 'x' ? "%m/%d/%y"
           : d == 'c' ? "%a %b %e %H:%M:%S %Y"
                      : NULL;
}

static hone_status put_time(jrun *r, hone_str f, const struct tm *tm, int64_t now, hone_buf *b)
{
    for (size_t i = 0; i < f.len; i++) {
        if (f.ptr[i] != '%') {
            HONE_TRY(hone_buf_addc(b, f.ptr[i]));
            continue;
        }
        int bare = ++i < f.len && f.ptr[i] == '-', year, week = iso_week(tm, &year), number = -1,
            width = 2;
        i += (size_t)bare;
        char d = i < f.len ? f.ptr[i] : 0;
        int hour12 = tm->tm_hour % 12 ? tm->tm_hour % 12 : 12;
        const char *text = spelled_out(d);
        if (text && !bare) {
            HONE_TRY(put_time(r, hone_str_c(text), tm, now, b));
            continue;
        }
        switch (d) {
        case 'Y':
            HONE_TRY(hone_buf_addf(b, "%d", tm->tm_year + 1900));
            continue;
        case 'G':
            HONE_TRY(hone_buf_addf(b, "%d", year));
            continue;
        case 's':
            HONE_TRY(hone_buf_addf(b, "%lld", (long long)now));
            continue;
        case 'f':
            text = "000000";
            break;
        case 'Z':
            text = "UTC";
            break;
        case 'z':
            text = "+0000";
            break;
        case 'n':
        case 't':
        case '%':
            text = d == 'n' ? "\n" : d == 't' ? "\t" : "%";
            break;
        case 'B':
            text = months[tm->tm_mon];
            break;
        case 'A':
            text = days[tm->tm_wday];
            break;
        case 'b':
        case 'h':
            HONE_TRY(hone_buf_add(b, months[tm->tm_mon], 3));
            continue;
        case 'a':
            HONE_TRY(hone_buf_add(b, days[tm->tm_wday], 3));
            continue;
        case 'p':
            text = tm->tm_hour < 12 ? "AM" : "PM";
            break;
        case 'P':
            text = tm->tm_hour < 12 ? "am" : "pm";
            break;
        case 'e':
        case 'k':
        case 'l':
            HONE_TRY(hone_buf_addf(b, bare ? "%d" : "%2d",
                                   d == 'e'   ? tm->tm_mday
                                   : d == 'k' ? tm->tm_hour
                                              : hour12));
            continue;
        case 'm':
            number = tm->tm_mon + 1;
            break;
        case 'd':
            number = tm->tm_mday;
            break;
        case 'H':
            number = tm->tm_hour;
            break;
        case 'I':
            number = hour12;
            break;
        case 'M':
            number = tm->tm_min;
            break;
        case 'S':
            number = tm->tm_sec;
            break;
        case 'y':
            number = tm->tm_year % 100;
            break;
        case 'g':
            number = year % 100;
            break;
        case 'C':
            number = (tm->tm_year + 1900) / 100;
            break;
        case 'j':
            number = tm->tm_yday + 1;
            width = 3;
            break;
        case 'U':
            number = (tm->tm_yday + 7 - tm->tm_wday) / 7;
            break;
        case 'W':
            number = (tm->tm_yday + 7 - (tm->tm_wday + 6) % 7) / 7;
            break;
        case 'V':
            number = week;
            break;
        case 'u':
        case 'w':
            number = d == 'u' && tm->tm_wday == 0 ? 7 : tm->tm_wday;
            width = 1;
            break;
        default:
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED, "strftime_now(): %%%c is not supported",
                                    d ? d : '?');
        }
        HONE_TRY(number < 0 ? hone_buf_adds(b, text)
                            : hone_buf_addf(b, "%0*d", bare ? 1 : width, number));
    }
    return HONE_OK;
}

hone_status hone__jinja_strftime(jrun *r, hone_str fmt, int64_t now, jval *out)
{
    struct tm tm;
    time_t t = (time_t)now;
    hone_buf b;
    if (!gmtime_r(&t, &tm) || tm.tm_year < -900 || tm.tm_year > 8099)
        return hone__jinja_fail(r, HONE_E_RANGE, "strftime_now(): the clock is out of range");
    hone_buf_init(&b, r->max_output);
    hone_status s = put_time(r, fmt, &tm, now, &b);
    if (s < 0) {
        hone_buf_release(&b);
        return s;
    }
    return hone__jinja_take_buf(r, &b, out);
}
