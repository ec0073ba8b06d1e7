/* hf_tokenizer.c - tokenizer.json and tokenizer_config.json from the metadata of a GGUF file.
 *
 * GGUF keeps a byte-level BPE as tokens, merges, types and the name of a pre-tokenizer; tokenizer.json
 * spells the rules out. The table below says which rules a name stands for; a name that is not in it, and
 * vocabularies of other kinds (bert, t5), are E_UNSUPPORTED, never a tokenizer that splits differently.
 * The kind "llama" (SentencePiece's BPE) has scores instead of merges: the pair that makes the token of
 * highest score is joined first, so the merges are all pairs of tokens that make a token, best score first. Special tokens (control and unknown) and user-defined ones become added tokens.
 *
 * Does not: tokenize (plugins/tokenizer). Sources: llama.cpp's list of pre-tokenizers; tokenizers 0.2x. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/map.h"
#include "nn/gguf_tokenizer.h"
#include "nn/hf.h"

#include <stdlib.h>
#include <string.h>

#define PRE "tokenizer.ggml."
enum { KIND_NORMAL = 1, KIND_UNKNOWN = 2, KIND_CONTROL = 3, KIND_USER = 4 };

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define ONE "[^\\r\\n\\p{L}\\p{N}]?"
#define WORDS ONE "\\p{L}+"
#define SIGNS " ?[^\\s\\p{L}\\p{N}]+"
#define SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define REST SIGNS "[\\r\\n]*" SPACES
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
enum { MAX_SPLITS = 4 };
static const struct rules {
    const char *
        names; /* of tokenizer.ggml.pre, each between spaces; the first is the one that is written */
    const char
        *splits[MAX_SPLITS]; /* expressions before the byte level; none: the byte level's own */
    int digits;              /* each digit alone */
    int ignore_merges;       /* a word that is a token is taken whole */
    int nfc;
} known[] = {
    /* no merge of smollm's vocabulary joins a digit; plugins/tokenizer/bpe cuts so too */
    {" gpt-2 gpt2 olmo smollm mpt phi-2 jina-es jina-de jina-v1-en jina-v2-es jina-v2-de "
     "jina-v2-code "
     "gigachat roberta-bpe jais trillion a.x-4.0 mellum modern-bert exaone4 granite-docling ",
     {NULL},
     0,
     0,
     0},
    {" starcoder refact codeshell command-r exaone minerva-7b mellum2 ", {NULL}, 1, 0, 0},
    {" llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     {CONTRACTIONS "|" WORDS "|\\p{N}{1,3}|" REST},
     0,
     1,
     0},
    {" dbrx smaug-bpe chatglm-bpe glm4 ", {CONTRACTIONS "|" WORDS "|\\p{N}{1,3}|" REST}, 0, 0, 0},
    {" qwen2 deepseek-r1-qwen megrez f2llmv2 ", {CONTRACTIONS "|" WORDS "|\\p{N}|" REST}, 0, 0, 1},
    {" stablelm2 hunyuan kormo grok-2 solar-open ",
     {CONTRACTIONS "|" WORDS "|\\p{N}|" REST},
     0,
     0,
     0},
    {" qwen35 ",
     {CONTRACTIONS "|" ONE "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" SPACES},
     0,
     0,
     1},
    {" gpt-4o llama4 kanana2 talkie minimax-m2 ",
     {ONE UPPER "*" LOWER "+" CONTRACTIONS "?|" ONE UPPER "+" LOWER "*" CONTRACTIONS
                "?|\\p{N}{1,3}|" SIGNS "[\\r\\n/]*" SPACES},
     0,
     0,
     0},
    {" tekken ",
     {ONE UPPER "*" LOWER "+|" ONE UPPER "+" LOWER "*|\\p{N}|" SIGNS "[\\r\\n/]*" SPACES},
     0,
     1,
     0},
    {" deepseek-v3 hunyuan-dense joyai-llm hy_v4 ",
     {"\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
      "[!\"#$%&'()*+,\\-./"
      ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
      " ?[\\p{P}\\p{S}]+[\\r\\n]*" SPACES},
     0,
     0,
     0},
    {" seed-coder ",
     {CONTRACTIONS "|" WORDS "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" SPACES},
     0,
     0,
     0},
    {" bailingmoe bailingmoe2 llada-moe ",
     {CONTRACTIONS "|" WORDS "|\\p{N}|" SIGNS "[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"},
     0,
     0,
     0},
    {" default ", {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}, 0, 0, 0},
    {" falcon ", {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}, 0, 0, 0},
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
    if (!r->digits && !r->splits[0]) {
        byte_level(w, 0, 1);
        return;
    }
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Sequence");
    hone_jw_key(w, "pretokenizers");
    hone_jw_list(w);
    if (r->digits) {
        hone_jw_map(w);
        hone_jw_kcstr(w, "type", "Digits");
        hone_jw_kbool(w, "individual_digits", 1);
        hone_jw_end(w);
    }
    for (int i = 0; i < MAX_SPLITS && r->splits[i]; i++) {
        hone_jw_map(w);
        hone_jw_kcstr(w, "type", "Split");
        hone_jw_key(w, "pattern");
        hone_jw_map(w);
        hone_jw_kcstr(w, "Regex", r->splits[i]);
        hone_jw_end(w);
        hone_jw_kcstr(w, "behavior", "Isolated");
        hone_jw_kbool(w, "invert", 0);
        hone_jw_end(w);
    }
    byte_level(w, 0, r->splits[0] == NULL);
    hone_jw_end(w);
    hone_jw_end(w);
}

/* With a token in front where the metadata asks for one. */
static void post_processor(hone_jw *w, const hone_value *m, int spm)
{
    int bos = 0;
    hone_str text = token(m, PRE "bos_token_id");
    hone_jw_key(w, "post_processor");
    if (hone_value_bool(m, PRE "add_bos_token", spm, &bos) < 0 || !bos || !text.ptr) {
        if (spm)
            hone_jw_null(w);
        else
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

/* Equal, a line's end spelled as itself or by its escape. */
static int same_pattern(hone_str a, const char *z)
{
    size_t i = 0;
    for (; i < a.len; i++) {
        char c = a.ptr[i];
        if (c == '\r' || c == '\n') {
            if (*z++ != '\\')
                return 0;
            c = c == '\r' ? 'r' : 'n';
        }
        if (*z++ != c)
            return 0;
    }
    return !*z;
}

static int same_rules(const struct rules *r, const hone_str *splits, size_t n, int digits)
{
    for (size_t i = 0; i < MAX_SPLITS; i++)
        if (!r->splits[i] != (i >= n) || (i < n && !same_pattern(splits[i], r->splits[i])))
            return 0;
    return n <= MAX_SPLITS && r->digits == digits;
}

hone_str hone__gguf_pre_name(const hone_str *splits, size_t n, int digits, int ignore_merges,
                             int nfc)
{
    hone_str found = {NULL, 0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct rules *r = &known[i];
        if (!same_rules(r, splits, n, digits) || (n && r->ignore_merges != ignore_merges))
            continue;
        if (!found.ptr || r->nfc == nfc) {
            found.ptr = r->names + 1;
            found.len = strcspn(found.ptr, " ");
        }
        if (r->nfc == nfc)
            break;
    }
    return found;
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
        for (const char *p = known[i].names; p[1]; p += 1 + strcspn(p + 1, " "))
            if (strcspn(p + 1, " ") == pre.len && pre.len && memcmp(p + 1, pre.ptr, pre.len) == 0) {
                *out = &known[i];
                return HONE_OK;
            }
    return hone_fail(HONE_E_UNSUPPORTED, "pre-tokenizer \"%.*s\" is not known",
                     (int)(pre.len < 60 ? pre.len : 60), pre.ptr);
}

/* ---- scores to merges -------------------------------------------------------------------------------- */
typedef struct merge {
    float score;
    int32_t left, right, made;
} merge;

static int by_score(const void *a, const void *b)
{
    const merge *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->made != y->made)
        return x->made < y->made ? -1 : 1;
    return x->left != y->left ? (x->left < y->left ? -1 : 1)
                              : (x->right > y->right) - (x->right < y->right);
}

static int32_t id_of(const hone_map *ids, const char *p, size_t n)
{
    return (int32_t)(intptr_t)hone_map_get(ids, p, n) - 1;
}

/* Every split of every plain token into two tokens. */
static hone_status find_merges(const hone_value *tokens, const hone_value *scores,
                               const hone_value *types, hone_map *ids, merge **out, size_t *n)
{
    size_t cap = 0;
    for (size_t i = 0; i < tokens->u.list.n; i++)
        if (kind_of(types, i) == KIND_NORMAL)
            HONE_TRY(hone_map_put(ids, tokens->u.list.items[i].u.str.ptr,
                                  tokens->u.list.items[i].u.str.len, (void *)(intptr_t)(i + 1),
                                  NULL));
    for (size_t i = 0; i < tokens->u.list.n; i++) {
        hone_str z = tokens->u.list.items[i].u.str;
        for (size_t k = 1; kind_of(types, i) == KIND_NORMAL && k < z.len; k++) {
            int32_t left = ((unsigned char)z.ptr[k] & 0xC0) == 0x80 ? -1 : id_of(ids, z.ptr, k);
            int32_t right = left < 0 ? -1 : id_of(ids, z.ptr + k, z.len - k);
            if (right < 0)
                continue;
            if (*n == cap) {
                merge *more = hone_reallocarray(*out, cap ? 2 * cap : 4096, sizeof *more);
                if (!more)
                    return HONE_E_NOMEM;
                *out = more;
                cap = cap ? 2 * cap : 4096;
            }
            const hone_value *score = &scores->u.list.items[i];
            (*out)[(*n)++] = (merge){score->type == HONE_I64 ? (float)score->u.i64
                                                             : (float)score->u.f64,
                                     left, right, (int32_t)i};
        }
    }
    if (*n)
        qsort(*out, *n, sizeof **out, by_score);
    return HONE_OK;
}

static void replace(hone_jw *w, const char *from, const char *to)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Replace");
    hone_jw_key(w, "pattern");
    hone_jw_map(w);
    hone_jw_kcstr(w, "String", from);
    hone_jw_end(w);
    hone_jw_kcstr(w, "content", to);
    hone_jw_end(w);
}

#define BAR "\xe2\x96\x81" /* stands for a space */
static void spm_text(hone_jw *w, int prefix)
{
    hone_jw_key(w, "normalizer");
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Sequence");
    hone_jw_key(w, "normalizers");
    hone_jw_list(w);
    if (prefix) {
        hone_jw_map(w);
        hone_jw_kcstr(w, "type", "Prepend");
        hone_jw_kcstr(w, "prepend", BAR);
        hone_jw_end(w);
    }
    replace(w, " ", BAR);
    hone_jw_end(w);
    hone_jw_end(w);
    hone_jw_kcstr(w, "pre_tokenizer", NULL);
}

static void spm_decoder(hone_jw *w, int prefix)
{
    hone_jw_key(w, "decoder");
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Sequence");
    hone_jw_key(w, "decoders");
    hone_jw_list(w);
    replace(w, BAR, " ");
    for (int i = 0; i < 2; i++) {
        hone_jw_map(w);
        hone_jw_kcstr(w, "type", i ? "Fuse" : "ByteFallback");
        hone_jw_end(w);
    }
    if (prefix) {
        hone_jw_map(w);
        hone_jw_kcstr(w, "type", "Strip");
        hone_jw_kcstr(w, "content", " ");
        hone_jw_ki64(w, "start", 1);
        hone_jw_ki64(w, "stop", 0);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
}

/* The token that stands for what is no token. */
static hone_str unknown(const hone_value *m, const hone_value *tokens, const hone_value *types)
{
    hone_str text = token(m, PRE "unknown_token_id");
    for (size_t i = 0; !text.ptr && i < tokens->u.list.n; i++)
        if (kind_of(types, i) == KIND_UNKNOWN)
            text = tokens->u.list.items[i].u.str;
    return text;
}

static void spm_model(hone_jw *w, const hone_value *tokens, hone_str unk, const merge *merges,
                      size_t n)
{
    hone_jw_key(w, "model");
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "BPE");
    hone_jw_kcstr(w, "dropout", NULL);
    if (unk.ptr)
        hone_jw_kstr(w, "unk_token", unk);
    else
        hone_jw_kcstr(w, "unk_token", NULL);
    hone_jw_kcstr(w, "continuing_subword_prefix", NULL);
    hone_jw_kcstr(w, "end_of_word_suffix", NULL);
    hone_jw_kbool(w, "fuse_unk", 1);
    hone_jw_kbool(w, "byte_fallback", 1);
    hone_jw_kbool(w, "ignore_merges", 0);
    hone_jw_key(w, "vocab");
    hone_jw_map(w);
    for (size_t i = 0; i < tokens->u.list.n; i++) {
        hone_jw_key_str(w, tokens->u.list.items[i].u.str);
        hone_jw_i64(w, (int64_t)i);
    }
    hone_jw_end(w);
    hone_jw_key(w, "merges");
    hone_jw_list(w);
    for (size_t i = 0; i < n; i++) {
        hone_jw_list(w);
        hone_jw_str(w, tokens->u.list.items[merges[i].left].u.str);
        hone_jw_str(w, tokens->u.list.items[merges[i].right].u.str);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
}

static hone_status spm_json(const hone_value *m, hone_buf *out)
{
    const hone_value *tokens = list(m, PRE "tokens"), *scores = list(m, PRE "scores");
    const hone_value *types = list(m, PRE "token_type");
    merge *merges = NULL;
    size_t n = 0;
    int prefix;
    hone_map ids;
    hone_jw w;
    if (!tokens || !scores || tokens->u.list.n != scores->u.list.n || tokens->u.list.n > INT32_MAX)
        return hone_fail(HONE_E_PARSE, "the vocabulary lacks %s",
                         tokens ? "a score for each token" : "its tokens");
    for (size_t i = 0; i < tokens->u.list.n; i++)
        if (tokens->u.list.items[i].type != HONE_STRING ||
            (scores->u.list.items[i].type != HONE_I64 && scores->u.list.items[i].type != HONE_F64))
            return hone_fail(HONE_E_PARSE, "token %zu is no text with a score", i);
    HONE_TRY(hone_value_bool(m, PRE "add_space_prefix", 1, &prefix));
    hone_map_init(&ids);
    hone_status s = find_merges(tokens, scores, types, &ids, &merges, &n);
    if (s >= 0) {
        hone_jw_init(&w, out, 0);
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "version", "1.0");
        hone_jw_kcstr(&w, "truncation", NULL);
        hone_jw_kcstr(&w, "padding", NULL);
        added_tokens(&w, tokens, types);
        spm_text(&w, prefix);
        post_processor(&w, m, 1);
        spm_decoder(&w, prefix);
        spm_model(&w, tokens, unknown(m, tokens, types), merges, n);
        hone_jw_end(&w);
        hone_buf_addc(out, '\n');
        s = hone_buf_check(out, "tokenizer.json");
    }
    hone_map_release(&ids);
    hone_free(merges);
    return s;
}

static int is_spm(const hone_value *m)
{
    const hone_value *kind = hone_value_get(m, PRE "model");
    return kind && kind->type == HONE_STRING && hone_str_eq(kind->u.str, "llama");
}

hone_status hone_hf_tokenizer_json(const hone_value *m, hone_buf *out)
{
    if (is_spm(m))
        return spm_json(m, out);
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
    post_processor(&w, m, 0);
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
    HONE_TRY(hone_value_bool(m, PRE "add_bos_token", is_spm(m), &bos));
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
