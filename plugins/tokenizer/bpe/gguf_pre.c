/* gguf_pre.c - how words are cut, by the names of GGUF's tokenizer.ggml.pre.
 *
 * llama.cpp names the pre-tokenizers it knows; the patterns here are those of the models' own tokenizer.json
 * files, in the order in which each cuts what the one before left. A name that is not in the table is
 * refused: another rule gives other ids. Source: llama.cpp's list of names (llama-vocab.cpp, convert_hf_to_gguf). */
#include "bpe.h"

#include <string.h>

#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define IDEOGRAPHS "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"
#define ASCII_WORD "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
#define ONE_WORD "[^\\r\\n\\p{L}\\p{N}]?"

static const char *const re_digits[] = {"\\p{N}", BPE_RE_GPT2, NULL};
static const char *const re_gpt2[] = {BPE_RE_GPT2, NULL};
static const char *const re_llama3[] = {BPE_RE_LLAMA3, NULL};
static const char *const re_qwen2[] = {BPE_RE_QWEN2, NULL};
static const char *const re_o200k[] = {BPE_RE_O200K, NULL};
static const char *const re_default[] = {"[\\p{P}\\$\\+<=>\\^~\\|]+", BPE_RE_GPT2, "\\p{N}+",
                                         "[0-9][0-9][0-9]", NULL};
static const char *const re_falcon[] = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", BPE_RE_GPT2,
                                        "[0-9][0-9][0-9]", NULL};
static const char *const re_bloom[] = {" ?[^(\\s|.,!?…。，、।۔،)]+", NULL};
static const char *const re_viking[] = {" ?[^(\\s|.,!?…。，、।۔،)]+", "\\p{N}", NULL};
static const char *const re_coder[] = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
                                       IDEOGRAPHS, "\\p{N}",      NULL};
static const char *const re_deepseek3[] = {
    "\\p{N}{1,3}", "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+",
    ASCII_WORD "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
               " ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES,
    NULL};
static const char *const re_tekken[] = {
    ONE_WORD BPE_RE_UPPER "*" BPE_RE_LOWER "+|" ONE_WORD BPE_RE_UPPER "+" BPE_RE_LOWER "*|\\p{N}|"
                          " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES,
    NULL};
static const char *const re_bailing[] = {
    BPE_RE_SHORT "|" ONE_WORD "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                 "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
    NULL};
static const char *const re_seed[] = {
    BPE_RE_SHORT "|" ONE_WORD "\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" SPACES, NULL};
static const char *const re_superbpe[] = {"\\p{N}+", "(?=(\\d{3})+(?!\\d))", NULL};
static const char *const re_chameleon[] = {"<sentinel:[0-9]+>",
                                           "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
                                           "([\\t\\n]|    |  )",
                                           "\\p{N}",
                                           "[\\p{P}!-/:-@\\[-`{-~]",
                                           BPE_RE_GPT2,
                                           NULL};

static const char *const re_jais2[] = {
    BPE_RE_SHORT "|" ONE_WORD "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
                 "\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|"
                 "\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}",
    NULL};
/* the letters of its tokenizer.json are those with case */
static const char *const re_deepseek[] = {
    "[\\r\\n]",
    "\\s?[\\p{Lu}\\p{Ll}\\p{Lt}]+",
    "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+",
    "\\s+$",
    IDEOGRAPHS,
    "\\p{N}+",
    NULL};
static const char *const re_qwen35[] = {
    BPE_RE_SHORT "|" ONE_WORD "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES,
    NULL};
static const char *const re_ufakzeka[] = {
    ONE_WORD "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES, NULL};
static const char *const re_laguna[] = {"[^\\n]+|[\\n]+", BPE_RE_QWEN2, NULL};
static const char *const re_exaone_moe[] = {
    BPE_RE_SHORT "|" ONE_WORD "(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|"
                 " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
    NULL};
static const char *const re_minicpm5[] = {
    "\\p{N}{1,3}",
    BPE_RE_SHORT "|" ONE_WORD "\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES, NULL};
static const char *const re_spark[] = {
    "\\p{N}{1,3}", "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+",
    ASCII_WORD
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+",
    "\\p{N}", NULL};
/* digits in threes from the right, then o200k's */
static const char *const re_aya[] = {"\\d{1,3}(?=(?:\\d{3})*\\b)", BPE_RE_O200K, NULL};
static const char *const re_afmoe[] = {
    "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
    "[\\x{4E00}-\\x{9FFF}\\x{3400}-\\x{4DBF}\\x{F900}-\\x{FAFF}\\x{3040}-\\x{309F}\\x{30A0}-\\x{"
    "30FF}"
    "\\x{FF65}-\\x{FF9F}\\x{2F00}-\\x{2FDF}\\x{0E40}-\\x{0E7F}\\x{0E80}-\\x{0EFF}\\x{1780}-\\x{"
    "17FF}"
    "\\x{1000}-\\x{109F}\\x{AA60}-\\x{AA7F}\\x{A9E0}-\\x{A9FF}\\x{AC00}-\\x{D7AF}\\x{1100}-\\x{"
    "11FF}]+",
    ASCII_WORD "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES,
    NULL};
static const char *const re_youtu[] = {
    "[\\x{AC00}-\\x{D7A3}\\x{3131}-\\x{318E}]+|"
    "[\\x{FF01}\\x{2026}\\x{201C}\\x{201D}\\x{2018}\\x{2019}\\x{2014}\\x{FF1A}\\x{FF1B}\\x{FF0C}"
    "\\x{3001}-"
    "\\x{303F}\\x{FE30}-\\x{FE4F}]+|[\\x{3105}-\\x{312F}]+|"
    "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+",
    ONE_WORD BPE_RE_UPPER "*" BPE_RE_LOWER "+" BPE_RE_SHORT "?|" ONE_WORD BPE_RE_UPPER
                          "+" BPE_RE_LOWER "*" BPE_RE_SHORT
                          "?|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES,
    NULL};
#define NO_HAN "(?:(?!\\p{Han})"
static const char *const re_kimi[] = {
    "\\p{Han}+|" ONE_WORD NO_HAN BPE_RE_UPPER ")*" NO_HAN BPE_RE_LOWER ")+" BPE_RE_SHORT
    "?|" ONE_WORD NO_HAN BPE_RE_UPPER ")+" NO_HAN BPE_RE_LOWER ")*" BPE_RE_SHORT
    "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES,
    NULL};

/* smollm: the reference ids (transformers on the GGUF file) cut words by GPT-2's pattern alone; digits stay
 * apart because no merge joins them. llama.cpp cuts \p{N} out first, which differs where several
 * spaces stand in front of a digit. */
static const struct rule {
    const char *names; /* each between spaces */
    const char *const *patterns;
    int ignore_merges, bos, nfc;
} rules[] = {
    {" default ", re_default, 0, 0, 0},
    {" gpt-2 gpt2 olmo mpt smollm phi-2 jina-es jina-de jina-v1-en jina-v2-es jina-v2-de "
     "jina-v2-code gigachat roberta-bpe jais trillion a.x-4.0 mellum modern-bert exaone4 "
     "granite-docling ",
     re_gpt2, 0, 0, 0},
    {" starcoder refact codeshell command-r exaone minerva-7b mellum2 ", re_digits, 0, 0, 0},
    {" llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ", re_llama3,
     1, 1, 0},
    {" dbrx smaug-bpe chatglm-bpe glm4 ", re_llama3, 0, 0, 0},
    {" jais-2 ", re_jais2, 0, 0, 0},
    {" qwen2 deepseek-r1-qwen megrez f2llmv2 ", re_qwen2, 0, 0, 1},
    {" stablelm2 hunyuan kormo grok-2 solar-open ", re_qwen2, 0, 0, 0},
    {" qwen35 ", re_qwen35, 0, 0, 1},
    {" ufakzeka ", re_ufakzeka, 0, 0, 0},
    {" laguna ", re_laguna, 0, 0, 0},
    {" gpt-4o llama4 kanana2 talkie minimax-m2 ", re_o200k, 0, 0, 0},
    {" granite-embed-multi-97m ", re_o200k, 1, 0, 0},
    {" tiny_aya cohere2moe ", re_aya, 0, 0, 0},
    {" kimi-k2 ", re_kimi, 0, 0, 0},
    {" tekken ", re_tekken, 1, 1, 0},
    {" falcon ", re_falcon, 0, 0, 0},
    {" bloom poro-chat gpt3-finnish ", re_bloom, 0, 0, 0},
    {" viking ", re_viking, 0, 0, 0},
    {" deepseek-llm ", re_deepseek, 0, 0, 0},
    {" deepseek-coder ", re_coder, 0, 0, 0},
    {" deepseek-v3 hunyuan-dense joyai-llm hy_v4 ", re_deepseek3, 0, 0, 0},
    {" spark2_5 ", re_spark, 0, 0, 0},
    {" youtu ", re_youtu, 1, 0, 0},
    {" afmoe ", re_afmoe, 0, 0, 0},
    {" minicpm5 ", re_minicpm5, 1, 0, 0},
    {" exaone-moe ", re_exaone_moe, 0, 0, 0},
    {" bailingmoe bailingmoe2 llada-moe ", re_bailing, 0, 0, 0},
    {" seed-coder ", re_seed, 0, 0, 0},
    {" superbpe ", re_superbpe, 0, 0, 0},
    {" chameleon ", re_chameleon, 0, 1, 0},
};

static const struct rule *rule_of(hone_str name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (const char *p = rules[i].names; *p; p++) {
            size_t n = strcspn(p + 1, " ");
            if (*p == ' ' && n == name.len && n && memcmp(p + 1, name.ptr, n) == 0)
                return &rules[i];
        }
    return NULL;
}

hone_status bpe_gguf_pre(bpe_tok *t, const hone_value *pre, int *bos)
{
    hone_str name = bpe_str_of(pre);
    const struct rule *r = pre ? rule_of(name) : &rules[0];
    if (!r)
        return hone_host_fail(
            t->host, HONE_E_UNSUPPORTED,
            "tokenizer.ggml: pre-tokenizer \"%.*s\" is not known (known: gpt-2, smollm, llama-bpe, "
            "qwen2, gpt-4o, tekken, deepseek-v3, default and others of docs/tokenizers.md)",
            name.ptr ? (int)(name.len < 60 ? name.len : 60) : 1, name.ptr ? name.ptr : "?");
    if (!pre)
        hone_host_log(t->host, HONE_LEVEL_WARN,
                      "tokenizer.ggml.pre is missing: words are cut by the rule \"default\"");
    t->ignore_merges = r->ignore_merges;
    t->nfc = r->nfc; /* as the models' tokenizer.json has it */
    *bos = r->bos;
    for (const char *const *p = r->patterns; *p; p++) {
        bpe_step *s = bpe_step_add(t, BPE_STEP_REGEX);
        s->behavior = BPE_ISOLATED;
        s->pattern.ptr = *p;
        s->pattern.len = strlen(*p);
    }
    return HONE_OK;
}
