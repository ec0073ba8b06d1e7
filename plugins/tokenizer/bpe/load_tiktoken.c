/* load_tiktoken.c - a tiktoken file of ranks: one "base64 rank" a line.
 *
 * tiktoken joins the neighbours whose bytes together have the lowest rank, however each came to be; so
 * every way to cut a token into two tokens is a merge of the token's rank, and a word that is a token is
 * taken whole. How words are cut and which tokens are special is not in the file: its name says so
 * (cl100k_base.tiktoken), or else how many ranks it has. Source: openai/tiktoken, tiktoken_ext/openai_public.py;
 * the tokenizers of Llama 3 and Qwen. */
#include "bpe.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

typedef struct named {
    const char *text;
    int32_t id;
} named;
static const named endoftext[] = {{"<|endoftext|>", 50256}, {NULL, 0}};
static const named p50k_edit[] = {{"<|endoftext|>", 50256},
                                  {"<|fim_prefix|>", 50281},
                                  {"<|fim_middle|>", 50282},
                                  {"<|fim_suffix|>", 50283},
                                  {NULL, 0}};
static const named cl100k[] = {{"<|endoftext|>", 100257},   {"<|fim_prefix|>", 100258},
                               {"<|fim_middle|>", 100259},  {"<|fim_suffix|>", 100260},
                               {"<|endofprompt|>", 100276}, {NULL, 0}};
static const named o200k[] = {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}, {NULL, 0}};
static const named harmony[] = {{"<|startoftext|>", 199998},
                                {"<|endoftext|>", 199999},
                                {"<|return|>", 200002},
                                {"<|constrain|>", 200003},
                                {"<|channel|>", 200005},
                                {"<|start|>", 200006},
                                {"<|end|>", 200007},
                                {"<|message|>", 200008},
                                {"<|call|>", 200012},
                                {"<|endofprompt|>", 200018},
                                {NULL, 0}};
static const named llama3[] = {{"<|begin_of_text|>", 128000},
                               {"<|end_of_text|>", 128001},
                               {"<|finetune_right_pad_id|>", 128004},
                               {"<|start_header_id|>", 128006},
                               {"<|end_header_id|>", 128007},
                               {"<|eom_id|>", 128008},
                               {"<|eot_id|>", 128009},
                               {"<|python_tag|>", 128010},
                               {NULL, 0}};
static const named qwen[] = {
    {"<|endoftext|>", 151643}, {"<|im_start|>", 151644}, {"<|im_end|>", 151645}, {NULL, 0}};

static const struct encoding {
    const char *name, *pattern;
    size_t ranks;
    const named *special;
    const char *spare; /* what fills the ids that are left up to `top`, numbered */
    int32_t first, top, number_by_id;
    const char *bos, *eos;
    int nfc, add_bos;
} encodings[] = {
    {"gpt2", BPE_RE_GPT2, 50256, endoftext, NULL, 0, 0, 0, NULL, "<|endoftext|>", 0, 0},
    {"r50k_base", BPE_RE_GPT2, 50256, endoftext, NULL, 0, 0, 0, NULL, "<|endoftext|>", 0, 0},
    {"p50k_base", BPE_RE_GPT2, 50280, endoftext, NULL, 0, 0, 0, NULL, "<|endoftext|>", 0, 0},
    {"p50k_edit", BPE_RE_GPT2, 50280, p50k_edit, NULL, 0, 0, 0, NULL, "<|endoftext|>", 0, 0},
    {"cl100k_base", BPE_RE_LLAMA3, 100256, cl100k, NULL, 0, 0, 0, NULL, "<|endoftext|>", 0, 0},
    {"o200k_base", BPE_RE_O200K, 199998, o200k, NULL, 0, 0, 0, NULL, "<|endoftext|>", 0, 0},
    {"o200k_harmony", BPE_RE_O200K, 199998, harmony, "<|reserved_%d|>", 199998, 201088, 1,
     "<|startoftext|>", "<|return|>", 0, 0},
    {"llama3", BPE_RE_LLAMA3, 128000, llama3, "<|reserved_special_token_%d|>", 128000, 128256, 0,
     "<|begin_of_text|>", "<|end_of_text|>", 0, 1},
    {"qwen", BPE_RE_QWEN2, 151643, qwen, "<|extra_%d|>", 151643, 151851, 0, NULL, "<|endoftext|>",
     1, 0},
};

static hone_status bad_line(const bpe_tok *t, const char *name, size_t line, const char *what)
{
    return hone_host_fail(t->host, HONE_E_PARSE, "%s: line %zu: %s", name, line, what);
}

/* The next line that is not empty; 0 at the end, an error, or 1. bytes: room for the line. */
static int next_rank(const bpe_tok *t, const char *name, hone_str data, size_t *at, size_t *line,
                     unsigned char *bytes, size_t room, size_t *n, int32_t *rank)
{
    while (*at < data.len) {
        const char *p = data.ptr + *at, *end = memchr(p, '\n', data.len - *at);
        size_t len = end ? (size_t)(end - p) : data.len - *at, k = 0;
        *at += len + (end != NULL);
        ++*line;
        if (len && p[len - 1] == '\r')
            len--;
        if (len == 0)
            continue;
        while (k < len && p[k] != ' ')
            k++;
        if (k == len || k > room)
            return bad_line(t, name, *line,
                            k == len ? "no \"base64 rank\"" : "a token is too long");
        if (sodium_base642bin(bytes, room, p, k, NULL, n, NULL, sodium_base64_VARIANT_ORIGINAL) !=
                0 ||
            *n == 0)
            return bad_line(t, name, *line, "the token is no base64, or empty");
        int64_t v = 0;
        if (k + 1 == len)
            return bad_line(t, name, *line, "the rank is missing");
        for (size_t i = k + 1; i < len; i++) {
            if (p[i] < '0' || p[i] > '9' || v >= BPE_MAX_ID)
                return bad_line(t, name, *line, "the rank is no number below 4194304");
            v = 10 * v + (p[i] - '0');
        }
        if (v >= BPE_MAX_ID)
            return bad_line(t, name, *line, "the rank is no number below 4194304");
        *rank = (int32_t)v;
        return 1;
    }
    return 0;
}

enum { MAX_TOKEN = 4096 };

static hone_status each_rank(bpe_tok *t, const char *name, hone_str data, int set, int32_t *top,
                             size_t *count)
{
    unsigned char bytes[MAX_TOKEN];
    size_t at = 0, line = 0, n = 0;
    int32_t rank = 0;
    int more;
    *count = 0;
    while ((more = next_rank(t, name, data, &at, &line, bytes, sizeof bytes, &n, &rank)) > 0) {
        ++*count;
        *top = rank > *top ? rank : *top;
        hone_str text = {(const char *)bytes, n};
        hone_status s = set ? bpe_vocab_set(t, rank, text, name) : HONE_OK;
        if (s < 0)
            return s;
    }
    return more;
}

/* Every way to cut a token in two is a merge of its rank: counted, then put. */
static hone_status merges(bpe_tok *t, int32_t n_ranks)
{
    size_t n = 0;
    for (int put = 0; put < 2; put++) {
        if (put && !bpe_merges_init(&t->merges, &t->arena, n))
            return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
        for (int32_t id = 0; id < n_ranks; id++)
            for (size_t k = 1; k < t->text[id].len; k++) {
                hone_str a = {t->text[id].ptr, k}, b = {t->text[id].ptr + k, t->text[id].len - k};
                int32_t left = bpe_strmap_get(&t->by_text, a);
                int32_t right = left < 0 ? -1 : bpe_strmap_get(&t->by_text, b);
                if (right < 0)
                    continue;
                n++;
                if (put)
                    bpe_merges_put(&t->merges, (uint32_t)left, (uint32_t)right, (uint32_t)id, id,
                                   0);
            }
    }
    return HONE_OK;
}

static hone_status specials(bpe_tok *t, const struct encoding *e, const char *name)
{
    size_t n = 0;
    int32_t spare = 0;
    size_t room = (size_t)(e->top > e->first ? e->top - e->first : 0) + 16;
    t->added = bpe_arena_alloc(&t->arena, room * sizeof *t->added);
    if (!t->added)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    memset(t->added, 0, room * sizeof *t->added);
    for (const named *s = e->special; s->text; s++) {
        hone_str text = {s->text, strlen(s->text)};
        hone_status st = bpe_vocab_set(t, s->id, text, name);
        if (st < 0)
            return st;
        t->added[n++].id = s->id;
    }
    for (int32_t id = e->first; id < e->top; id++) {
        char text[64];
        if (t->text[id].ptr)
            continue;
        hone_str s = {
            text, (size_t)snprintf(text, sizeof text, e->spare, e->number_by_id ? id : spare++)};
        hone_status st = bpe_vocab_set(t, id, s, name);
        if (st < 0)
            return st;
        t->added[n++].id = id;
    }
    for (size_t i = 0; i < n; i++) {
        t->added[i].content = t->text[t->added[i].id];
        t->added[i].special = t->special[t->added[i].id] = 1;
    }
    t->n_added = n;
    return HONE_OK;
}

static const struct encoding *encoding_of(const char *name, size_t ranks)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    size_t n = strcspn(base, "."), count = sizeof encodings / sizeof *encodings;
    for (size_t i = 0; i < count; i++)
        if (strlen(encodings[i].name) == n && memcmp(base, encodings[i].name, n) == 0)
            return &encodings[i];
    for (size_t i = 0; i < count; i++)
        if (encodings[i].ranks == ranks)
            return &encodings[i];
    return NULL;
}

static int32_t id_of(const bpe_tok *t, const char *text)
{
    hone_str s = {text, text ? strlen(text) : 0};
    return text ? bpe_strmap_get(&t->by_text, s) : -1;
}

int bpe_is_tiktoken(hone_str data)
{
    size_t k = 0;
    while (k < data.len && k < MAX_TOKEN && data.ptr[k] > ' ' && data.ptr[k] < 127)
        k++;
    return k && k + 1 < data.len && data.ptr[k] == ' ' && data.ptr[k + 1] >= '0' &&
           data.ptr[k + 1] <= '9';
}

hone_status bpe_load_tiktoken(bpe_tok *t, const char *name, hone_str data)
{
    int32_t top = -1;
    size_t count = 0;
    hone_status s = each_rank(t, name, data, 0, &top, &count);
    if (s < 0)
        return s;
    const struct encoding *e = encoding_of(name, count);
    if (!e)
        return hone_host_fail(
            t->host, HONE_E_UNSUPPORTED,
            "%s: neither its name nor its %zu ranks say which encoding it is (known: r50k_base, "
            "p50k_base, p50k_edit, cl100k_base, o200k_base, o200k_harmony, llama3, qwen)",
            name, count);
    int32_t n_ranks = top + 1, n = n_ranks > e->top ? n_ranks : e->top;
    for (const named *x = e->special; x->text; x++)
        n = x->id >= n ? x->id + 1 : n;
    s = bpe_vocab_begin(t, count ? n : 0, name);
    if (s >= 0)
        s = each_rank(t, name, data, 1, &top, &count);
    t->raw_bytes = t->ignore_merges = 1;
    if (s >= 0)
        s = merges(t, n_ranks);
    if (s >= 0)
        s = bpe_vocab_done(t, name);
    if (s >= 0)
        s = specials(t, e, name);
    if (s < 0)
        return s;
    for (size_t i = 0; i < t->n_added; i++)
        t->bytes[t->added[i].id] = t->text[t->added[i].id];
    bpe_step *step = bpe_step_add(t, BPE_STEP_REGEX);
    step->behavior = BPE_ISOLATED;
    step->pattern.ptr = e->pattern;
    step->pattern.len = strlen(e->pattern);
    t->nfc = e->nfc;
    t->bos = id_of(t, e->bos);
    t->eos = id_of(t, e->eos);
    if (e->add_bos && t->bos >= 0) {
        t->add_front = &t->bos;
        t->n_front = 1;
    }
    return HONE_OK;
}
