/* sig.c - the parser of slot signatures, by recursive descent over one line. See sig.h.
 *
 *   sig    = [ arg { "," arg } ] "->" result .
 *   arg    = "self" | "this" | "call" | name ":" type [ "?" ] .
 *   type   = "sink" struct | "call" | "ctx" | "config" | "stream" | [ dir ] ( elem | array ) .
 *   dir    = "out" | "inout" | "by" .
 *   array  = "[" elem ";" ( name | number ) [ "," name ] "]" .
 *   elem   = "u8" | "char" | "i32" | "u32" | "i64" | "u64" | "size" | "f32" | "f64" | "str" | "cstr" | "value"
 *          | "tensor" | "param" | "status" | struct .
 *   result = "status" | "void" | "i32" | "u32" | "i64" | "u64" | "f32" | "f64" | "str" | "tensor" | "param" .
 * Spaces may stand between words. Source: plugin-abi.md section 3a. */
#include "abi/sig.h"

#include "base/error.h"

#include <string.h>

static const struct {
    const char *name;
    uint8_t base;
    uint8_t size;
    const char *c;
} words[] = {
    {"u8", HONE_T_U8, 1, "uint8_t"},
    {"char", HONE_T_CHAR, 1, "char"},
    {"i32", HONE_T_I32, 4, "int32_t"},
    {"u32", HONE_T_U32, 4, "uint32_t"},
    {"i64", HONE_T_I64, 8, "int64_t"},
    {"u64", HONE_T_U64, 8, "uint64_t"},
    {"size", HONE_T_U64, 8, "size_t"},
    {"f32", HONE_T_F32, 4, "float"},
    {"f64", HONE_T_F64, 8, "double"},
    {"str", HONE_T_STR, sizeof(hone_str), "hone_str"},
    {"cstr", HONE_T_CSTR, sizeof(char *), "const char *"},
    {"value", HONE_T_VALUE, sizeof(hone_value), "hone_value"},
    {"tensor", HONE_A_TENSOR, 4, "hone_tensor"},
    {"param", HONE_A_PARAM, 4, "hone_param"},
    {"status", HONE_A_STATUS, 4, "hone_status"},
    {"void", HONE_A_VOID, 0, "void"},
};
enum { N_WORDS = sizeof words / sizeof *words };

struct parser {
    const char *who, *text, *p;
    const hone_struct_desc *const *structs;
    const hone_struct_desc *owner;
    hone_sig *sig;
    char count[HONE_SIG_MAX][28], stride[HONE_SIG_MAX][28];
};

static hone_status bad(const struct parser *ps, const char *what)
{
    return hone_fail(HONE_E_ABI, "%s: signature \"%s\": %s at byte %zu", ps->who, ps->text, what,
                     (size_t)(ps->p - ps->text));
}

static void spaces(struct parser *ps)
{
    while (*ps->p == ' ')
        ps->p++;
}

static int take(struct parser *ps, char c)
{
    spaces(ps);
    if (*ps->p != c)
        return 0;
    ps->p++;
    return 1;
}

static int word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* A name of at most 27 characters. */
static hone_status name(struct parser *ps, char out[28])
{
    size_t n = 0;
    spaces(ps);
    while (word_char(ps->p[n]))
        n++;
    if (n == 0)
        return bad(ps, "a name is missing");
    if (n > 27)
        return bad(ps, "a name is longer than 27 characters");
    memcpy(out, ps->p, n);
    out[n] = 0;
    ps->p += n;
    return HONE_OK;
}

static int peek(struct parser *ps, const char *word)
{
    size_t n = strlen(word);
    spaces(ps);
    if (strncmp(ps->p, word, n) != 0 || word_char(ps->p[n]))
        return 0;
    ps->p += n;
    return 1;
}

static const hone_struct_desc *find_struct(const struct parser *ps, const char *want)
{
    for (size_t i = 0; ps->structs && ps->structs[i]; i++)
        if (strcmp(ps->structs[i]->name, want) == 0)
            return ps->structs[i];
    return NULL;
}

static hone_status elem(struct parser *ps, hone_sig_arg *a)
{
    char word[28];
    HONE_TRY(name(ps, word));
    for (size_t i = 0; i < N_WORDS; i++)
        if (strcmp(words[i].name, word) == 0 && words[i].base != HONE_A_VOID) {
            a->base = words[i].base;
            return HONE_OK;
        }
    a->of = find_struct(ps, word);
    if (!a->of) {
        hone_fail(
            HONE_E_ABI,
            "%s: signature \"%s\": \"%s\" is no type, and no struct described by the interface",
            ps->who, ps->text, word);
        return HONE_E_ABI;
    }
    a->base = HONE_T_STRUCT;
    return HONE_OK;
}

static hone_status array(struct parser *ps, hone_sig_arg *a, size_t i)
{
    HONE_TRY(elem(ps, a));
    a->array = 1;
    if (!take(ps, ';'))
        return bad(ps, "\";\" and a count are missing");
    spaces(ps);
    if (*ps->p >= '0' && *ps->p <= '9') {
        while (*ps->p >= '0' && *ps->p <= '9' && a->fixed < 1000000)
            a->fixed = a->fixed * 10 + (uint32_t)(*ps->p++ - '0');
        if (a->fixed == 0)
            return bad(ps, "a count of 0");
    } else {
        HONE_TRY(name(ps, ps->count[i]));
    }
    if (take(ps, ','))
        HONE_TRY(name(ps, ps->stride[i]));
    if (!take(ps, ']'))
        return bad(ps, "\"]\" is missing");
    int frozen = a->base != HONE_T_STRUCT || (a->of->flags & HONE_STRUCT_FROZEN);
    if (!frozen && !ps->stride[i][0])
        return bad(ps, "an array of a struct that may grow needs a stride");
    return HONE_OK;
}

static hone_status type(struct parser *ps, hone_sig_arg *a, size_t i)
{
    static const struct {
        const char *word;
        uint8_t base;
    } plain[] = {{"call", HONE_A_CALL},
                 {"ctx", HONE_A_CTX},
                 {"config", HONE_A_CONFIG},
                 {"stream", HONE_A_STREAM}};
    for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
        if (peek(ps, plain[k].word)) {
            a->base = plain[k].base;
            return HONE_OK;
        }
    if (peek(ps, "sink")) {
        HONE_TRY(elem(ps, a));
        if (a->base != HONE_T_STRUCT || !(a->of->flags & HONE_STRUCT_SINK))
            return bad(ps, "what a sink is described by is no sink");
        a->base = HONE_A_SINK;
        return HONE_OK;
    }
    if (peek(ps, "out"))
        a->dir = HONE_DIR_OUT;
    else if (peek(ps, "inout"))
        a->dir = HONE_DIR_INOUT;
    else if (peek(ps, "by"))
        a->dir = HONE_DIR_BY;
    if (take(ps, '['))
        return array(ps, a, i);
    HONE_TRY(elem(ps, a));
    if (a->dir == HONE_DIR_BY && a->base != HONE_T_STRUCT)
        return bad(ps, "only a struct goes \"by\" value");
    return HONE_OK;
}

static hone_status arg(struct parser *ps)
{
    hone_sig *sig = ps->sig;
    if (sig->n == HONE_SIG_MAX)
        return bad(ps, "more than 16 arguments");
    size_t i = sig->n;
    hone_sig_arg *a = &sig->args[i];
    memset(a, 0, sizeof *a);
    a->count = a->stride = -1;
    HONE_TRY(name(ps, a->name));
    for (size_t k = 0; k < i; k++)
        if (strcmp(sig->args[k].name, a->name) == 0)
            return bad(ps, "two arguments have the same name");
    if (take(ps, ':')) {
        HONE_TRY(type(ps, a, i));
        a->nullable = (uint8_t)take(ps, '?');
    } else if (strcmp(a->name, "self") == 0 && i == 0) {
        a->base = HONE_A_SELF;
    } else if (strcmp(a->name, "this") == 0 && i == 0) {
        a->base = HONE_A_THIS;
        a->of = ps->owner;
    } else if (strcmp(a->name, "call") == 0) {
        a->base = HONE_A_CALL;
    } else {
        return bad(ps, "an argument without a type");
    }
    sig->n++;
    return HONE_OK;
}

/* Counts and strides are arguments of the same signature: find them. */
static hone_status link_counts(struct parser *ps)
{
    hone_sig *sig = ps->sig;
    for (size_t i = 0; i < sig->n; i++) {
        for (int which = 0; which < 2; which++) {
            const char *want = which ? ps->stride[i] : ps->count[i];
            if (!want[0])
                continue;
            size_t k = 0;
            while (k < sig->n && strcmp(sig->args[k].name, want) != 0)
                k++;
            if (k == sig->n || sig->args[k].array || sig->args[k].dir != HONE_DIR_IN ||
                (sig->args[k].base != HONE_T_U64 && sig->args[k].base != HONE_T_U32))
                return hone_fail(HONE_E_ABI,
                                 "%s: signature \"%s\": \"%s\" counts %s but is no size of it",
                                 ps->who, ps->text, want, sig->args[i].name);
            sig->args[k].role = which ? HONE_ROLE_STRIDE : HONE_ROLE_COUNT;
            if (which)
                sig->args[i].stride = (int8_t)k;
            else
                sig->args[i].count = (int8_t)k;
        }
    }
    return HONE_OK;
}

hone_status hone_sig_parse(const char *who, const char *text,
                           const hone_struct_desc *const *structs, const hone_struct_desc *owner,
                           hone_sig *out)
{
    hone_sig sig;
    struct parser ps = {
        .who = who, .text = text, .p = text, .structs = structs, .owner = owner, .sig = &sig};
    memset(&sig, 0, sizeof sig);
    spaces(&ps);
    if (*ps.p != '-') {
        do
            HONE_TRY(arg(&ps));
        while (take(&ps, ','));
    }
    spaces(&ps);
    if (ps.p[0] != '-' || ps.p[1] != '>')
        return bad(&ps, "\"->\" and a result are missing");
    ps.p += 2;
    char word[28];
    HONE_TRY(name(&ps, word));
    size_t i = 0;
    while (i < N_WORDS && strcmp(words[i].name, word) != 0)
        i++;
    if (i == N_WORDS || words[i].base == HONE_T_VALUE || words[i].base == HONE_T_CSTR ||
        words[i].size == 1)
        return bad(&ps, "that is no result");
    sig.result = words[i].base;
    spaces(&ps);
    if (*ps.p)
        return bad(&ps, "something follows the result");
    HONE_TRY(link_counts(&ps));
    *out = sig;
    return HONE_OK;
}

size_t hone_sig_elem_size(const hone_sig_arg *a)
{
    if (a->base == HONE_T_STRUCT)
        return a->of->size;
    for (size_t i = 0; i < N_WORDS; i++)
        if (words[i].base == a->base)
            return words[i].size;
    return sizeof(void *);
}

static void c_type(uint8_t base, const hone_struct_desc *of, hone_buf *out)
{
    if (base == HONE_T_STRUCT) {
        hone_buf_adds(out, of->name);
        return;
    }
    for (size_t i = 0; i < N_WORDS; i++)
        if (words[i].base == base) {
            hone_buf_adds(out, words[i].c);
            return;
        }
}

void hone_sig_c(const hone_sig *sig, const char *slot, hone_buf *out)
{
    c_type(sig->result, NULL, out);
    hone_buf_addf(out, " (*%s)(", slot);
    for (size_t i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        hone_buf_adds(out, i ? ", " : "");
        switch (a->base) {
        case HONE_A_SELF:
            hone_buf_adds(out, "void *");
            continue;
        case HONE_A_CALL:
            hone_buf_adds(out, "const hone_call *");
            continue;
        case HONE_A_CTX:
            hone_buf_adds(out, "hone_ctx *");
            continue;
        case HONE_A_CONFIG:
            hone_buf_adds(out, "const hone_config *");
            continue;
        case HONE_A_STREAM:
            hone_buf_adds(out, "struct ArrowArrayStream *");
            continue;
        case HONE_A_THIS:
        case HONE_A_SINK:
            hone_buf_addf(out, "const %s *", a->of->name);
            continue;
        default:
            break;
        }
        int pointer = a->array || a->dir == HONE_DIR_OUT || a->dir == HONE_DIR_INOUT ||
                      a->base == HONE_T_VALUE ||
                      (a->base == HONE_T_STRUCT && a->dir != HONE_DIR_BY);
        if (pointer && a->dir == HONE_DIR_IN)
            hone_buf_adds(out, "const ");
        c_type(a->base, a->of, out);
        hone_buf_adds(out, pointer ? " *" : "");
    }
    hone_buf_adds(out, ")");
}
