/* gguf_pre.c - how words are cut, by the names of GGUF's tokenizer.ggml.pre.
 *
 * llama.cpp names the pre-tokenizers it knows; the patterns here are those of the models' own tokenizer.json
 * files, in the order in which each cuts what the one before left. A name that is not in the table is
 * refused: another rule gives other ids. Source: llama.cpp's list of names (llama-vocab.cpp, convert_hf_to_gguf). */
#include "bpe.h"

#include <string.h>

#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define IDEOGRAPHS "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"
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
    "[!\"#$%&'()*+,\\-./"
    ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
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
     "jina-v2-code "
     "gigachat roberta-bpe jais trillion ",
     re_gpt2, 0, 0, 0},
    {" starcoder refact codeshell command-r exaone minerva-7b ", re_digits, 0, 0, 0},
    {" llama3 llama-v3 llama-bpe falcon3 pixtral ", re_llama3, 1, 1, 0},
    {" dbrx smaug-bpe chatglm-bpe glm4 ", re_llama3, 0, 0, 0},
    {" qwen2 deepseek-r1-qwen megrez ", re_qwen2, 0, 0, 1},
    {" stablelm2 hunyuan ", re_qwen2, 0, 0, 0},
    {" gpt-4o llama4 ", re_o200k, 0, 0, 0},
    {" tekken ", re_tekken, 1, 1, 0},
    {" falcon ", re_falcon, 0, 0, 0},
    {" bloom poro-chat gpt3-finnish ", re_bloom, 0, 0, 0},
    {" viking ", re_viking, 0, 0, 0},
    {" deepseek-coder ", re_coder, 0, 0, 0},
    {" deepseek-v3 ", re_deepseek3, 0, 0, 0},
    {" bailingmoe ", re_bailing, 0, 0, 0},
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
