/* hf_tokenizer.c - tokenizer.json and tokenizer_config.json from the metadata of a GGUF file.
 *
 * GGUF keeps a byte-level BPE as tokens, merges, types and the name of a pre-tokenizer; tokenizer.json
 * spells the rules out. The table below says which rules a name stands for; a name that is not in it, and
 * vocabularies of other kinds (llama, bert, t5), are E_UNSUPPORTED, never a tokenizer that splits
 * differently. Special tokens (control and unknown) and user-defined ones become added tokens.
 *
 * Does not: tokenize (plugins/tokenizer). Sources: llama.cpp's list of pre-tokenizers; tokenizers 0.2x. */
#include "base/json.h"
#include "nn/gguf_tokenizer.h"
#include "nn/hf.h"

#include <string.h>

#define PRE "tokenizer.ggml."
enum { KIND_NORMAL = 1, KIND_UNKNOWN = 2, KIND_CONTROL = 3, KIND_USER = 4 };

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define REST " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
static const struct rules {
    const char *pre;   /* tokenizer.ggml.pre */
    const char *split; /* expression before the byte level; NULL: the byte level's own */
    int digits;        /* each digit alone */
    int ignore_merges; /* a word that is a token is taken whole */
    int nfc;
} known[] = {
    {"gpt-2", NULL, 0, 0, 0},
    {"gpt2", NULL, 0, 0, 0},
    {"olmo", NULL, 0, 0, 0},
    {"smollm", NULL, 0, 0,
     0}, /* no merge of its vocabulary joins a digit; plugins/tokenizer/bpe cuts so too */
    {"starcoder", NULL, 1, 0, 0},
    {"llama-bpe", CONTRACTIONS "|" WORDS "|\\p{N}{1,3}|" REST, 0, 1, 0},
    {"llama3", CONTRACTIONS "|" WORDS "|\\p{N}{1,3}|" REST, 0, 1, 0},
    {"llama-v3", CONTRACTIONS "|" WORDS "|\\p{N}{1,3}|" REST, 0, 1, 0},
    {"qwen2", CONTRACTIONS "|" WORDS "|\\p{N}|" REST, 0, 0, 1},
    {"deepseek-r1-qwen", CONTRACTIONS "|" WORDS "|\\p{N}|" REST, 0, 0, 1},
};

static const hone_value *list(const hone_value *m, const char *key)
{
    const hone_value *v = hone_value_get(m, key);
    return v && v->type == HONE_LIST ? v : NULL;
}

static int64_t kind_of(const hone_value *types, size_t i)
{
    return types && i < types->u.list.n && types->u.list.items[i].type == HONE_I64
               ? types->u.list.items[i].u.i64
               : KIND_NORMAL;
}

/* The token whose id stands under `key`; {NULL, 0} when there is none. */
static hone_str token(const hone_value *m, const char *key)
{
    const hone_value *id = hone_value_get(m, key), *tokens = list(m, PRE "tokens");
    if (id && tokens && id->type == HONE_I64 && id->u.i64 >= 0 &&
        (uint64_t)id->u.i64 < tokens->u.list.n &&
        tokens->u.list.items[id->u.i64].type == HONE_STRING)
        return tokens->u.list.items[id->u.i64].u.str;
    return (hone_str){NULL, 0};
}

static void byte_level(hone_jw *w, int prefix, int regex)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "ByteLevel");
    hone_jw_kbool(w, "add_prefix_space", prefix);
    hone_jw_kbool(w, "trim_offsets", 1);
    hone_jw_kbool(w, "use_regex", regex);
    hone_jw_end(w);
}

static void pre_tokenizer(hone_jw *w, const struct rules *r)
{
    hone_jw_key(w, "pre_tokenizer");
    if (!r->digits && !r->split) {
        byte_level(w, 0, 1);
        return;
    }
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Sequence");
    hone_jw_key(w, "pretokenizers");
    hone_jw_list(w);
    hone_jw_map(w);
    if (r->digits) {
        hone_jw_kcstr(w, "type", "Digits");
        hone_jw_kbool(w, "individual_digits", 1);
    } else {
        hone_jw_kcstr(w, "type", "Split");
        hone_jw_key(w, "pattern");
        hone_jw_map(w);
        hone_jw_kcstr(w, "Regex", r->split);
        hone_jw_end(w);
        hone_jw_kcstr(w, "behavior", "Isolated");
        hone_jw_kbool(w, "invert", 0);
    }
    hone_jw_end(w);
    byte_level(w, 0, r->split == NULL);
    hone_jw_end(w);
    hone_jw_end(w);
}

/* With a token in front where the metadata asks for one. */
static void post_processor(hone_jw *w, const hone_value *m)
{
    int bos = 0;
    hone_str text = token(m, PRE "bos_token_id");
    hone_jw_key(w, "post_processor");
    if (hone_value_bool(m, PRE "add_bos_token", 0, &bos) < 0 || !bos || !text.ptr) {
        byte_level(w, 0, 1);
        return;
    }
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "TemplateProcessing");
    for (int pair = 0; pair < 2; pair++) {
        hone_jw_key(w, pair ? "pair" : "single");
        hone_jw_list(w);
        for (int part = 0; part <= pair; part++) {
            hone_jw_map(w);
            hone_jw_key(w, "SpecialToken");
            hone_jw_map(w);
            hone_jw_kstr(w, "id", text);
            hone_jw_ki64(w, "type_id", part);
            hone_jw_end(w);
            hone_jw_end(w);
            hone_jw_map(w);
            hone_jw_key(w, "Sequence");
            hone_jw_map(w);
            hone_jw_kcstr(w, "id", part ? "B" : "A");
            hone_jw_ki64(w, "type_id", part);
            hone_jw_end(w);
            hone_jw_end(w);
        }
        hone_jw_end(w);
    }
    hone_jw_key(w, "special_tokens");
    hone_jw_map(w);
    hone_jw_key_str(w, text);
    hone_jw_map(w);
    hone_jw_kstr(w, "id", text);
    hone_jw_key(w, "ids");
    hone_jw_list(w);
    hone_jw_i64(w, hone_value_get(m, PRE "bos_token_id")->u.i64);
    hone_jw_end(w);
    hone_jw_key(w, "tokens");
    hone_jw_list(w);
    hone_jw_str(w, text);
    hone_jw_end(w);
    hone_jw_end(w);
    hone_jw_end(w);
    hone_jw_end(w);
}

static void added_tokens(hone_jw *w, const hone_value *tokens, const hone_value *types)
{
    hone_jw_key(w, "added_tokens");
    hone_jw_list(w);
    for (size_t i = 0; i < tokens->u.list.n; i++) {
        int64_t kind = kind_of(types, i);
        if (kind != KIND_UNKNOWN && kind != KIND_CONTROL && kind != KIND_USER)
            continue;
        hone_jw_map(w);
        hone_jw_ki64(w, "id", (int64_t)i);
        hone_jw_kstr(w, "content", tokens->u.list.items[i].u.str);
        hone_jw_kbool(w, "single_word", 0);
        hone_jw_kbool(w, "lstrip", 0);
        hone_jw_kbool(w, "rstrip", 0);
        hone_jw_kbool(w, "normalized", 0);
        hone_jw_kbool(w, "special", kind != KIND_USER);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static void model(hone_jw *w, const hone_value *tokens, const hone_value *merges,
                  const struct rules *r)
{
    hone_jw_key(w, "model");
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "BPE");
    hone_jw_kcstr(w, "dropout", NULL);
    hone_jw_kcstr(w, "unk_token", NULL);
    hone_jw_kcstr(w, "continuing_subword_prefix", NULL);
    hone_jw_kcstr(w, "end_of_word_suffix", NULL);
    hone_jw_kbool(w, "fuse_unk", 0);
    hone_jw_kbool(w, "byte_fallback", 0);
    hone_jw_kbool(w, "ignore_merges", r->ignore_merges);
    hone_jw_key(w, "vocab");
    hone_jw_map(w);
    for (size_t i = 0; i < tokens->u.list.n; i++) {
        hone_jw_key_str(w, tokens->u.list.items[i].u.str);
        hone_jw_i64(w, (int64_t)i);
    }
    hone_jw_end(w);
    hone_jw_key(w, "merges");
    hone_jw_list(w);
    for (size_t i = 0; i < merges->u.list.n; i++)
        hone_jw_str(w, merges->u.list.items[i].u.str);
    hone_jw_end(w);
    hone_jw_end(w);
}

const char *hone__gguf_pre_name(const hone_str *split, int digits, int ignore_merges)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct rules *r = &known[i];
        if (r->digits == digits && (!r->split == !split) &&
            (!split || hone_str_eq(*split, r->split)) &&
            (r->ignore_merges == ignore_merges || !split))
            return r->pre;
    }
    return NULL;
}

static hone_status find_rules(const hone_value *m, const struct rules **out)
{
    hone_str kind, pre;
    HONE_TRY(hone_value_string(m, PRE "model", hone_str_c(""), &kind));
    if (!hone_str_eq(kind, "gpt2"))
        return hone_fail(HONE_E_UNSUPPORTED,
                         "a vocabulary of kind \"%.*s\" is not turned into tokenizer.json",
                         (int)(kind.len < 60 ? kind.len : 60), kind.ptr);
    HONE_TRY(hone_value_string(m, PRE "pre", hone_str_c("default"), &pre));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (hone_str_eq(pre, known[i].pre)) {
            *out = &known[i];
            return HONE_OK;
        }
    return hone_fail(HONE_E_UNSUPPORTED, "pre-tokenizer \"%.*s\" is not known",
                     (int)(pre.len < 60 ? pre.len : 60), pre.ptr);
}

hone_status hone_hf_tokenizer_json(const hone_value *m, hone_buf *out)
{
    const struct rules *r = NULL;
    const hone_value *tokens = list(m, PRE "tokens"), *merges = list(m, PRE "merges");
    const hone_value *types = list(m, PRE "token_type");
    HONE_TRY(find_rules(m, &r));
    if (!tokens || !merges)
        return hone_fail(HONE_E_PARSE, "the vocabulary lacks its %s", tokens ? "merges" : "tokens");
    for (size_t i = 0; i < tokens->u.list.n; i++)
        if (tokens->u.list.items[i].type != HONE_STRING)
            return hone_fail(HONE_E_PARSE, "token %zu is no text", i);
    for (size_t i = 0; i < merges->u.list.n; i++)
        if (merges->u.list.items[i].type != HONE_STRING)
            return hone_fail(HONE_E_PARSE, "merge %zu is no text", i);
    hone_jw w;
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "version", "1.0");
    hone_jw_kcstr(&w, "truncation", NULL);
    hone_jw_kcstr(&w, "padding", NULL);
    added_tokens(&w, tokens, types);
    hone_jw_key(&w, "normalizer");
    if (r->nfc) {
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "type", "NFC");
        hone_jw_end(&w);
    } else {
        hone_jw_null(&w);
    }
    pre_tokenizer(&w, r);
    post_processor(&w, m);
    hone_jw_key(&w, "decoder");
    byte_level(&w, 0, 1);
    model(&w, tokens, merges, r);
    hone_jw_end(&w);
    hone_buf_addc(out, '\n');
    return hone_buf_check(out, "tokenizer.json");
}

static void special(hone_jw *w, const char *key, hone_str text)
{
    if (text.ptr)
        hone_jw_kstr(w, key, text);
}

hone_status hone_hf_tokenizer_config(const hone_value *m, hone_buf *out)
{
    const hone_value *template = hone_value_get(m, "tokenizer.chat_template");
    int bos = 0;
    hone_jw w;
    HONE_TRY(hone_value_bool(m, PRE "add_bos_token", 0, &bos));
    hone_jw_init(&w, out, 2);
    hone_jw_map(&w);
    hone_jw_kbool(&w, "add_bos_token", bos);
    hone_jw_kbool(&w, "add_prefix_space", 0);
    special(&w, "bos_token", token(m, PRE "bos_token_id"));
    if (template && template->type == HONE_STRING)
        hone_jw_kstr(&w, "chat_template", template->u.str);
    hone_jw_kbool(&w, "clean_up_tokenization_spaces", 0);
    special(&w, "eos_token", token(m, PRE "eos_token_id"));
    special(&w, "pad_token", token(m, PRE "padding_token_id"));
    hone_jw_kcstr(&w, "tokenizer_class", "PreTrainedTokenizerFast");
    special(&w, "unk_token", token(m, PRE "unknown_token_id"));
    hone_jw_end(&w);
    hone_buf_addc(out, '\n');
    return hone_buf_check(out, "tokenizer_config.json");
}
