/* load_rules.c - the normalizer, the pre_tokenizer and the decoder of a tokenizer.json.
 *
 * A Sequence is laid flat; every rule becomes one or a few steps of bpe.h. What is not known here, by name
 * or by option, is refused: a rule left out would give other ids than the model was trained with.
 * Source: huggingface/tokenizers, the serde forms of its components. */
#include "bpe.h"

#include <sodium.h>
#include <string.h>
#include <utf8proc.h>

#define FILE_NAME "tokenizer.json"
enum { MAX_DEPTH = 8 };

static hone_status no_memory(const bpe_tok *t)
{
    return hone_host_fail(t->host, HONE_E_NOMEM, FILE_NAME ": out of memory");
}

hone_status bpe_unsupported(const bpe_tok *t, const char *what, const hone_value *name)
{
    if (name && name->type == HONE_STRING)
        return hone_host_fail(t->host, HONE_E_UNSUPPORTED,
                              FILE_NAME ": %s \"%.*s\" is not supported", what,
                              (int)(name->u.str.len < 60 ? name->u.str.len : 60), name->u.str.ptr);
    return hone_host_fail(t->host, HONE_E_UNSUPPORTED, FILE_NAME ": %s is not supported", what);
}

hone_status bpe_malformed(const bpe_tok *t, const char *what)
{
    return hone_host_fail(t->host, HONE_E_PARSE, FILE_NAME ": %s", what);
}

hone_str bpe_str_of(const hone_value *v)
{
    hone_str none = {NULL, 0};
    return v && v->type == HONE_STRING ? v->u.str : none;
}

/* A copy of a text member; `dflt` when there is none. 0 without memory. */
static int text_of(bpe_tok *t, const hone_value *map, const char *key, const char *dflt,
                   hone_str *out)
{
    hone_str s = bpe_str_of(bpe_get(map, key));
    if (!s.ptr) {
        s.ptr = dflt;
        s.len = strlen(dflt);
    }
    *out = bpe_arena_str(&t->arena, s.ptr, s.len);
    return out->ptr != NULL;
}

static int is_char(hone_str s)
{
    uint32_t len;
    return s.len && bpe_decode_char((const unsigned char *)s.ptr, s.len, &len) != UINT32_MAX &&
           len == s.len;
}

/* {"String": text} or {"Regex": pattern}; *re says which. */
static hone_status pattern_of(bpe_tok *t, const hone_value *v, const char *what, hone_str *out,
                              int *re)
{
    const hone_value *pattern = bpe_get(v, "pattern"), *regex = bpe_get(pattern, "Regex");
    hone_str s = bpe_str_of(regex ? regex : bpe_get(pattern, "String"));
    if (!s.len)
        return hone_host_fail(t->host, HONE_E_PARSE, FILE_NAME ": %s without a pattern", what);
    *re = regex != NULL;
    *out = bpe_arena_str(&t->arena, s.ptr, s.len);
    return out->ptr ? HONE_OK : no_memory(t);
}

/* ---- normalizers ------------------------------------------------------------------------------------ */
bpe_rule *bpe_rule_add(bpe_tok *t, int kind)
{
    bpe_rule *r = t->n_rules < BPE_MAX_RULES ? &t->rules[t->n_rules++] : NULL;
    if (r) {
        memset(r, 0, sizeof *r);
        r->kind = kind;
    }
    return r;
}

int bpe_rule_form(const char *name)
{
    static const struct {
        const char *name;
        int flags;
    } forms[] = {{"NFC", UTF8PROC_STABLE | UTF8PROC_COMPOSE},
                 {"NFD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
                 {"NFKC", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"NFKD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, name) == 0)
            return forms[i].flags;
    return -1;
}

hone_status bpe_rules_bert(bpe_tok *t, int clean, int chinese, int accents, int lower)
{
    bpe_rule *nfd = NULL;
    if (t->n_rules + 5 > BPE_MAX_RULES)
        return bpe_unsupported(t, "a normalizer of more than 32 steps", NULL);
    if (clean)
        bpe_rule_add(t, BPE_N_CLEAN);
    if (chinese)
        bpe_rule_add(t, BPE_N_CHINESE);
    if (accents && (nfd = bpe_rule_add(t, BPE_N_FORM)) != NULL) {
        nfd->form = bpe_rule_form("NFD");
        bpe_rule_add(t, BPE_N_MN);
    }
    if (lower)
        bpe_rule_add(t, BPE_N_LOWER);
    return HONE_OK;
}

static hone_status charsmap(bpe_tok *t, bpe_rule *r, const hone_value *v)
{
    hone_str text = bpe_str_of(bpe_get(v, "precompiled_charsmap"));
    const char *why = "no base64 text";
    size_t n = 0;
    unsigned char *blob = bpe_resize(&t->mem, NULL, text.len + 1);
    if (!blob)
        return no_memory(t);
    int ok = text.ptr && sodium_base642bin(blob, text.len + 1, text.ptr, text.len, "\r\n", &n, NULL,
                                           sodium_base64_VARIANT_ORIGINAL) == 0;
    hone_str s = {(const char *)blob, n};
    ok = ok && bpe_charsmap_init(&r->map, &t->arena, s, &why);
    bpe_free(&t->mem, blob);
    if (!ok && !why)
        return no_memory(t);
    return ok ? HONE_OK
              : hone_host_fail(t->host, HONE_E_PARSE,
                               FILE_NAME ": normalizer Precompiled: precompiled_charsmap: %s", why);
}

static hone_status replace_rule(bpe_tok *t, bpe_rule *r, const hone_value *v)
{
    int re = 0;
    hone_status s = pattern_of(t, v, "normalizer Replace", &r->a, &re);
    if (s >= 0 && !text_of(t, v, "content", "", &r->b))
        s = no_memory(t);
    return s >= 0 && re ? bpe_regex_compile(t->host, r->a, "normalizer", &r->re) : s;
}

static hone_status bert_rules(bpe_tok *t, const hone_value *v)
{
    int lower = bpe_flag(v, "lowercase", 1);
    return bpe_rules_bert(t, bpe_flag(v, "clean_text", 1), bpe_flag(v, "handle_chinese_chars", 1),
                          bpe_flag(v, "strip_accents", lower), lower);
}

hone_status bpe_load_normalizer(bpe_tok *t, const hone_value *v, int depth)
{
    static const struct {
        const char *name;
        int kind;
    } plain[] = {{"Lowercase", BPE_N_LOWER},      {"Strip", BPE_N_STRIP},
                 {"StripAccents", BPE_N_MARKS},   {"Replace", BPE_N_REPLACE},
                 {"Prepend", BPE_N_PREPEND},      {"Nmt", BPE_N_NMT},
                 {"Precompiled", BPE_N_CHARSMAP}, {"ByteLevel", BPE_N_BYTES}};
    if (!v)
        return HONE_OK;
    const hone_value *type = bpe_get(v, "type"), *list = bpe_get(v, "normalizers");
    if (bpe_is(type, "BertNormalizer"))
        return bert_rules(t, v);
    if (bpe_is(type, "Sequence") && list && list->type == HONE_LIST && depth <= MAX_DEPTH) {
        hone_status s = HONE_OK;
        for (size_t i = 0; s >= 0 && i < list->u.list.n; i++)
            s = bpe_load_normalizer(t, &list->u.list.items[i], depth + 1);
        return s;
    }
    int kind = -1, form = -1;
    char name[8] = "";
    if (type && type->type == HONE_STRING && type->u.str.len < sizeof name) {
        memcpy(name, type->u.str.ptr, type->u.str.len);
        if ((form = bpe_rule_form(name)) >= 0)
            kind = BPE_N_FORM;
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (bpe_is(type, plain[i].name))
            kind = plain[i].kind;
    if (kind < 0)
        return bpe_unsupported(t, "normalizer", type);
    bpe_rule *r = bpe_rule_add(t, kind);
    if (!r)
        return bpe_unsupported(t, "a normalizer of more than 32 steps", NULL);
    r->form = form;
    r->left = bpe_flag(v, "strip_left", 1);
    r->right = bpe_flag(v, "strip_right", 1);
    if (kind == BPE_N_REPLACE)
        return replace_rule(t, r, v);
    if (kind == BPE_N_CHARSMAP)
        return charsmap(t, r, v);
    return kind != BPE_N_PREPEND || text_of(t, v, "prepend", "", &r->a) ? HONE_OK : no_memory(t);
}

/* ---- pre-tokenizers ---------------------------------------------------------------------------------- */
bpe_step *bpe_step_add(bpe_tok *t, int kind)
{
    bpe_step *s = t->n_steps < BPE_MAX_STEPS ? &t->steps[t->n_steps++] : NULL;
    if (s) {
        memset(s, 0, sizeof *s);
        s->kind = kind;
    }
    return s;
}

static hone_status behavior_of(bpe_tok *t, const hone_value *v, const char *dflt, const char *what,
                               int *out)
{
    static const char *const behaviors[] = {"Isolated", "Removed", "MergedWithPrevious",
                                            "MergedWithNext", "Contiguous"};
    const hone_value *behavior = bpe_get(v, "behavior");
    for (int i = 0; i < 5; i++)
        if (behavior ? bpe_is(behavior, behaviors[i]) : dflt && strcmp(dflt, behaviors[i]) == 0) {
            *out = i;
            return HONE_OK;
        }
    return bpe_unsupported(t, what, behavior);
}

static hone_status split_step(bpe_tok *t, bpe_step *s, const hone_value *v)
{
    int re = 0;
    hone_status st = pattern_of(t, v, "pre_tokenizer Split", &s->pattern, &re);
    if (st < 0)
        return st;
    s->kind = re ? BPE_STEP_REGEX : BPE_STEP_STRING;
    s->invert = bpe_flag(v, "invert", 0);
    return behavior_of(t, v, NULL, "pre_tokenizer Split behavior", &s->behavior);
}

static hone_status metaspace_scheme(bpe_tok *t, const hone_value *v, int *out)
{
    const hone_value *scheme = bpe_get(v, "prepend_scheme");
    if (scheme)
        *out = bpe_is(scheme, "always")  ? BPE_ALWAYS
               : bpe_is(scheme, "first") ? BPE_FIRST
               : bpe_is(scheme, "never") ? BPE_NEVER
                                         : -1;
    else
        *out = bpe_flag(v, "add_prefix_space", 1) ? BPE_ALWAYS : BPE_NEVER;
    return *out < 0 ? bpe_unsupported(t, "Metaspace prepend_scheme", scheme) : HONE_OK;
}

static hone_status one_char(bpe_tok *t, const hone_value *v, const char *key, const char *dflt,
                            hone_str *out)
{
    if (!text_of(t, v, key, dflt, out))
        return no_memory(t);
    return is_char(*out) ? HONE_OK
                         : hone_host_fail(t->host, HONE_E_PARSE,
                                          FILE_NAME ": \"%s\" must be one character", key);
}

static hone_status byte_level_steps(bpe_tok *t, const hone_value *v)
{
    if (t->n_steps + 3 > BPE_MAX_STEPS)
        return bpe_unsupported(t, "a pre_tokenizer of more than 16 steps", NULL);
    if (bpe_flag(v, "add_prefix_space", 1))
        bpe_step_add(t, BPE_STEP_PREFIX_SPACE);
    if (bpe_flag(v, "use_regex", 1)) {
        bpe_step *s = bpe_step_add(t, BPE_STEP_REGEX);
        s->behavior = BPE_ISOLATED;
        s->pattern.ptr = BPE_RE_GPT2;
        s->pattern.len = strlen(BPE_RE_GPT2);
    }
    bpe_step_add(t, BPE_STEP_BYTES);
    return HONE_OK;
}

/* One that is no Sequence and no ByteLevel. */
static hone_status pre_step(bpe_tok *t, const hone_value *v, const hone_value *type)
{
    static const struct {
        const char *name;
        int kind, behavior;
    } plain[] = {{"Split", BPE_STEP_REGEX, 0},
                 {"Digits", BPE_STEP_DIGITS, 0},
                 {"Whitespace", BPE_STEP_WORDS, 0},
                 {"WhitespaceSplit", BPE_STEP_SPACES, BPE_REMOVED},
                 {"BertPreTokenizer", BPE_STEP_SPACES, BPE_REMOVED},
                 {"Punctuation", BPE_STEP_PUNCT, 0},
                 {"CharDelimiterSplit", BPE_STEP_STRING, BPE_REMOVED},
                 {"UnicodeScripts", BPE_STEP_SCRIPTS, 0},
                 {"FixedLength", BPE_STEP_FIXED, 0},
                 {"Metaspace", BPE_STEP_METASPACE, 0}};
    size_t i = 0, n = sizeof plain / sizeof *plain;
    while (i < n && !bpe_is(type, plain[i].name))
        i++;
    if (i == n)
        return bpe_unsupported(t, "pre_tokenizer", type);
    bpe_step *s = bpe_step_add(t, plain[i].kind);
    if (!s)
        return bpe_unsupported(t, "a pre_tokenizer of more than 16 steps", NULL);
    s->behavior = plain[i].behavior;
    if (bpe_is(type, "BertPreTokenizer")) {
        bpe_step *punct = bpe_step_add(t, BPE_STEP_PUNCT);
        if (!punct)
            return bpe_unsupported(t, "a pre_tokenizer of more than 16 steps", NULL);
        punct->behavior = BPE_ISOLATED;
        return HONE_OK;
    }
    if (bpe_is(type, "Split"))
        return split_step(t, s, v);
    if (bpe_is(type, "CharDelimiterSplit"))
        return one_char(t, v, "delimiter", "", &s->pattern);
    switch (s->kind) {
    case BPE_STEP_DIGITS:
        s->individual = bpe_flag(v, "individual_digits", 0);
        return HONE_OK;
    case BPE_STEP_PUNCT:
        return behavior_of(t, v, "Isolated", "pre_tokenizer Punctuation behavior", &s->behavior);
    case BPE_STEP_FIXED: {
        const hone_value *length = bpe_get(v, "length");
        if (length && (length->type != HONE_I64 || length->u.i64 < 1 || length->u.i64 > INT32_MAX))
            return bpe_malformed(t, "pre_tokenizer FixedLength: length must be positive");
        s->count = length ? (size_t)length->u.i64 : 5;
        return HONE_OK;
    }
    case BPE_STEP_METASPACE: {
        hone_status st = metaspace_scheme(t, v, &s->scheme);
        s->split = bpe_flag(v, "split", 1);
        return st < 0 ? st : one_char(t, v, "replacement", BPE_WS, &s->pattern);
    }
    default:
        return HONE_OK;
    }
}

hone_status bpe_load_pre(bpe_tok *t, const hone_value *v, int depth)
{
    const hone_value *type = bpe_get(v, "type"), *list = bpe_get(v, "pretokenizers");
    if (!v)
        return HONE_OK;
    if (bpe_is(type, "Sequence") && list && list->type == HONE_LIST && depth <= MAX_DEPTH) {
        hone_status s = HONE_OK;
        for (size_t i = 0; s >= 0 && i < list->u.list.n; i++)
            s = bpe_load_pre(t, &list->u.list.items[i], depth + 1);
        return s;
    }
    return bpe_is(type, "ByteLevel") ? byte_level_steps(t, v) : pre_step(t, v, type);
}

/* ---- decoders ----------------------------------------------------------------------------------------- */
bpe_decoder *bpe_decoder_add(bpe_tok *t, int kind)
{
    bpe_decoder *d = t->n_decoders < BPE_MAX_DECODERS ? &t->decoders[t->n_decoders++] : NULL;
    if (d) {
        memset(d, 0, sizeof *d);
        d->kind = kind;
    }
    return d;
}

static hone_status count_of(bpe_tok *t, const hone_value *v, const char *key, size_t *out)
{
    const hone_value *n = bpe_get(v, key);
    if (n && (n->type != HONE_I64 || n->u.i64 < 0))
        return hone_host_fail(t->host, HONE_E_PARSE,
                              FILE_NAME ": decoder Strip: %s must be a number", key);
    *out = n ? (size_t)n->u.i64 : 0;
    return HONE_OK;
}

static hone_status decoder_step(bpe_tok *t, const hone_value *v, const hone_value *type)
{
    static const char *const names[] = {[BPE_D_BYTES] = "ByteLevel",
                                        [BPE_D_WORDPIECE] = "WordPiece",
                                        [BPE_D_METASPACE] = "Metaspace",
                                        [BPE_D_SUFFIX] = "BPEDecoder",
                                        [BPE_D_FALLBACK] = "ByteFallback",
                                        [BPE_D_FUSE] = "Fuse",
                                        [BPE_D_STRIP] = "Strip",
                                        [BPE_D_REPLACE] = "Replace",
                                        [BPE_D_CTC] = "CTC"};
    int kind = 0, n = (int)(sizeof names / sizeof *names), ok = 1, re = 0, scheme = 0;
    hone_status s = HONE_OK;
    while (kind < n && !bpe_is(type, names[kind]))
        kind++;
    if (kind == n)
        return bpe_unsupported(t, "decoder", type);
    bpe_decoder *d = bpe_decoder_add(t, kind);
    if (!d)
        return bpe_unsupported(t, "a decoder of more than 16 steps", NULL);
    d->cleanup = bpe_flag(v, "cleanup", 1);
    switch (kind) {
    case BPE_D_WORDPIECE:
        ok = text_of(t, v, "prefix", "##", &d->a);
        break;
    case BPE_D_METASPACE:
        s = one_char(t, v, "replacement", BPE_WS, &d->a);
        if (s >= 0)
            s = metaspace_scheme(t, v, &scheme);
        d->first = scheme != BPE_NEVER;
        break;
    case BPE_D_SUFFIX:
        ok = text_of(t, v, "suffix", "</w>", &d->a);
        break;
    case BPE_D_STRIP:
        s = one_char(t, v, "content", " ", &d->a);
        if (s >= 0)
            s = count_of(t, v, "start", &d->start);
        if (s >= 0)
            s = count_of(t, v, "stop", &d->stop);
        break;
    case BPE_D_REPLACE:
        s = pattern_of(t, v, "decoder Replace", &d->a, &re);
        ok = s < 0 || text_of(t, v, "content", "", &d->b);
        if (s >= 0 && ok && re)
            s = bpe_regex_compile(t->host, d->a, "decoder", &d->re);
        break;
    case BPE_D_CTC:
        ok = text_of(t, v, "pad_token", "<pad>", &d->a) &&
             text_of(t, v, "word_delimiter_token", "|", &d->b);
        break;
    default:
        break;
    }
    return ok ? s : no_memory(t);
}

hone_status bpe_load_decoder(bpe_tok *t, const hone_value *v, int depth)
{
    const hone_value *type = bpe_get(v, "type"), *list = bpe_get(v, "decoders");
    if (!v)
        return bpe_decoder_add(t, BPE_D_JOIN) ? HONE_OK : no_memory(t);
    if (bpe_is(type, "Sequence") && list && list->type == HONE_LIST && depth <= MAX_DEPTH) {
        hone_status s = HONE_OK;
        for (size_t i = 0; s >= 0 && i < list->u.list.n; i++)
            s = bpe_load_decoder(t, &list->u.list.items[i], depth + 1);
        return s;
    }
    return decoder_step(t, v, type);
}
