/* load_files.c - a tokenizer from files as they lie in a folder without tokenizer.json.
 *
 * A SentencePiece .model or a tiktoken file stand for themselves; vocab.json with merges.txt is byte-level
 * BPE and vocab.txt WordPiece, whose rules are those of the class that tokenizer_config.json names. Added
 * tokens come from added_tokens.json and added_tokens_decoder. A class whose rules are not known here is
 * refused by name: it would cut texts in another way than the model was trained with.
 * Source: the slow tokenizers of huggingface/transformers. */
#include "bpe.h"

#include <stdio.h>
#include <string.h>

static hone_status no_memory(const bpe_tok *t)
{
    return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
}

static int ends(hone_str s, const char *tail)
{
    size_t n = strlen(tail);
    return s.len >= n && memcmp(s.ptr + s.len - n, tail, n) == 0;
}

/* The class without "Fast" begins with one of the names. */
static int class_is(const hone_value *config, const char *const *names)
{
    hone_str s = bpe_str_of(bpe_get(config, "tokenizer_class"));
    for (; *names; names++)
        if (s.len >= strlen(*names) && memcmp(s.ptr, *names, strlen(*names)) == 0)
            return 1;
    return 0;
}

static hone_status unknown_class(const bpe_tok *t, const hone_value *config, const char *file,
                                 const char *known)
{
    hone_str s = bpe_str_of(bpe_get(config, "tokenizer_class"));
    return hone_host_fail(
        t->host, HONE_E_UNSUPPORTED,
        "%s: how tokenizer_class \"%.*s\" cuts texts is not known (known: %s); its "
        "tokenizer.json would say",
        file, (int)(s.len < 60 ? s.len : 60), s.ptr ? s.ptr : "", known);
}

/* ---- added tokens --------------------------------------------------------------------------------- */
static int number(hone_str s, int32_t *out)
{
    int64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || v >= BPE_MAX_ID)
            return 0;
        v = 10 * v + (s.ptr[i] - '0');
    }
    *out = (int32_t)v;
    return s.len > 0 && v < BPE_MAX_ID;
}

/* added_tokens_decoder (id -> description) or added_tokens.json (text -> id): entry i. */
static int added_at(const hone_value *map, size_t i, int by_id, int32_t *id, hone_str *text,
                    const hone_value **flags)
{
    const hone_pair *p = &map->u.map.pairs[i];
    *flags = by_id ? &p->value : NULL;
    *text = by_id ? bpe_str_of(bpe_get(&p->value, "content")) : p->key;
    if (by_id)
        return number(p->key, id) && text->len;
    *id = p->value.type == HONE_I64 && p->value.u.i64 >= 0 && p->value.u.i64 < BPE_MAX_ID
              ? (int32_t)p->value.u.i64
              : -1;
    return *id >= 0 && text->len;
}

typedef struct sources {
    const hone_value *map[2]; /* added_tokens_decoder, added_tokens.json */
} sources;

static sources sources_of(const hone_value *spec)
{
    sources s = {{bpe_get(bpe_get(spec, "config"), "added_tokens_decoder"),
                  bpe_get(bpe_get(spec, "files"), "added_tokens.json")}};
    for (int k = 0; k < 2; k++)
        if (s.map[k] && s.map[k]->type != HONE_MAP)
            s.map[k] = NULL;
    return s;
}

/* The highest id + 1, or an error. */
static hone_status added_top(const bpe_tok *t, const sources *s, int32_t *top)
{
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; s->map[k] && i < s->map[k]->u.map.n; i++) {
            int32_t id;
            hone_str text;
            const hone_value *flags;
            if (!added_at(s->map[k], i, k == 0, &id, &text, &flags))
                return hone_host_fail(
                    t->host, HONE_E_PARSE, "%s: entry %zu lacks an id or a text",
                    k ? "added_tokens.json" : "tokenizer_config.json: added_tokens_decoder", i);
            *top = id >= *top ? id + 1 : *top;
        }
    return HONE_OK;
}

static bpe_added *find_added(bpe_tok *t, int32_t id)
{
    for (size_t i = 0; i < t->n_added; i++)
        if (t->added[i].id == id)
            return &t->added[i];
    return NULL;
}

static void add(bpe_tok *t, int32_t id, const hone_value *flags)
{
    bpe_added *a = find_added(t, id);
    if (!a)
        a = &t->added[t->n_added++];
    memset(a, 0, sizeof *a);
    a->id = id;
    a->content = t->text[id];
    a->special = (uint8_t)bpe_flag(flags, "special", 1);
    a->single_word = (uint8_t)bpe_flag(flags, "single_word", 0);
    a->lstrip = (uint8_t)bpe_flag(flags, "lstrip", 0);
    a->rstrip = (uint8_t)bpe_flag(flags, "rstrip", 0);
    a->normalized = (uint8_t)bpe_flag(flags, "normalized", 0);
    t->special[id] = a->special;
}

/* names: further tokens that are special when the vocabulary has them; control pieces are in any case. */
static hone_status load_added(bpe_tok *t, const sources *s, const char *const *names)
{
    size_t room = 16;
    for (int k = 0; k < 2; k++)
        room += s->map[k] ? s->map[k]->u.map.n : 0;
    for (int32_t id = 0; t->kind && id < t->n_ids; id++)
        room += t->special[id];
    if (room > BPE_MAX_ID)
        return hone_host_fail(t->host, HONE_E_LIMIT, "tokenizer: more than %d added tokens",
                              BPE_MAX_ID);
    t->added = bpe_arena_alloc(&t->arena, room * sizeof *t->added);
    if (!t->added)
        return no_memory(t);
    for (int32_t id = 0; t->kind && id < t->n_ids; id++)
        if (t->special[id] && t->text[id].ptr) {
            bpe_added *a = &t->added[t->n_added++];
            memset(a, 0, sizeof *a);
            a->id = id;
            a->content = t->text[id];
            a->special = 1;
        }
    for (const char *const *n = names; n && *n; n++) {
        hone_str text = {*n, strlen(*n)};
        int32_t id = bpe_strmap_get(&t->by_text, text);
        if (id >= 0)
            add(t, id, NULL);
    }
    for (int k = 1; k >= 0; k--) /* the one with flags has the last word */
        for (size_t i = 0; s->map[k] && i < s->map[k]->u.map.n; i++) {
            int32_t id;
            hone_str text;
            const hone_value *flags;
            added_at(s->map[k], i, k == 0, &id, &text, &flags);
            hone_status st = bpe_vocab_set(t, id, text,
                                           k ? "added_tokens.json" : "tokenizer_config.json");
            if (st < 0)
                return st;
            add(t, id, flags);
        }
    return HONE_OK;
}

/* ---- what is common ---------------------------------------------------------------------------------- */
static int32_t config_token(const bpe_tok *t, const hone_value *config, const char *key,
                            const char *dflt)
{
    const hone_value *v = bpe_get(config, key);
    hone_str s = bpe_str_of(v && v->type == HONE_MAP ? bpe_get(v, "content") : v);
    if (!s.ptr && dflt) {
        s.ptr = dflt;
        s.len = strlen(dflt);
    }
    return s.len ? bpe_strmap_get(&t->by_text, s) : -1;
}

static hone_status around(bpe_tok *t, int32_t front, int32_t back)
{
    int32_t *ids = bpe_arena_alloc(&t->arena, 2 * sizeof *ids);
    if (!ids)
        return no_memory(t);
    ids[0] = front;
    ids[1] = back;
    t->add_front = ids;
    t->add_back = ids + 1;
    t->n_front = front >= 0;
    t->n_back = back >= 0;
    return HONE_OK;
}

static hone_status words_by(bpe_tok *t, const char *pattern)
{
    bpe_step *s = bpe_step_add(t, BPE_STEP_REGEX);
    if (!s)
        return no_memory(t);
    s->behavior = BPE_ISOLATED;
    s->pattern.ptr = pattern;
    s->pattern.len = strlen(pattern);
    return HONE_OK;
}

/* ---- vocab.json and merges.txt ------------------------------------------------------------------------ */
/* One line from *at on; 0 at the end. */
static int line_of(hone_str text, size_t *at, hone_str *out)
{
    if (*at >= text.len)
        return 0;
    const char *p = text.ptr + *at, *end = memchr(p, '\n', text.len - *at);
    out->ptr = p;
    out->len = end ? (size_t)(end - p) : text.len - *at;
    *at += out->len + (end != NULL);
    if (out->len && p[out->len - 1] == '\r')
        out->len--;
    return 1;
}

static hone_status load_merges(bpe_tok *t, hone_str text)
{
    size_t lines = 0, number = 0, n = 0;
    hone_str line;
    for (size_t at = 0; line_of(text, &at, &line);)
        lines++;
    if (!bpe_merges_init(&t->merges, &t->arena, lines))
        return no_memory(t);
    for (size_t at = 0; line_of(text, &at, &line);) {
        number++;
        if (line.len == 0 || (number == 1 && line.ptr[0] == '#'))
            continue;
        const char *space = memchr(line.ptr, ' ', line.len);
        size_t k = space ? (size_t)(space - line.ptr) : 0;
        hone_str a = {line.ptr, k}, b = {line.ptr + k + 1, space ? line.len - k - 1 : 0};
        if (!a.len || !b.len || memchr(b.ptr, ' ', b.len))
            return hone_host_fail(t->host, HONE_E_PARSE,
                                  "merges.txt: line %zu is no pair of tokens", number);
        hone_status s = bpe_merge_add(t, n++, a, b, 1);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static hone_status vocab_of(bpe_tok *t, const hone_value *vocab, int32_t top)
{
    for (size_t i = 0; i < vocab->u.map.n; i++) {
        const hone_pair *p = &vocab->u.map.pairs[i];
        if (p->value.type != HONE_I64 || p->value.u.i64 < 0 || p->value.u.i64 >= BPE_MAX_ID)
            return hone_host_fail(
                t->host, HONE_E_PARSE, "vocab.json: \"%.*s\" has no id from 0 to %d",
                (int)(p->key.len < 80 ? p->key.len : 80), p->key.ptr, BPE_MAX_ID - 1);
        top = p->value.u.i64 >= top ? (int32_t)p->value.u.i64 + 1 : top;
    }
    hone_status s = bpe_vocab_begin(t, top, "vocab.json");
    for (size_t i = 0; s >= 0 && i < vocab->u.map.n; i++)
        s = bpe_vocab_set(t, (int32_t)vocab->u.map.pairs[i].value.u.i64, vocab->u.map.pairs[i].key,
                          "vocab.json");
    return s;
}

static hone_status load_pair(bpe_tok *t, const hone_value *spec, const hone_value *vocab,
                             const hone_value *merges)
{
    static const char *const gpt2[] = {"GPT2", NULL}, *const qwen2[] = {"Qwen2", NULL},
                             *const roberta[] = {"Roberta", "Longformer", "Bart", NULL};
    static const char *const special[] = {"<|endoftext|>", "<s>",    "</s>", "<pad>",
                                          "<unk>",         "<mask>", NULL};
    const hone_value *config = bpe_get(spec, "config");
    int named = bpe_get(config, "tokenizer_class") != NULL, wrapped = class_is(config, roberta);
    int qwen = class_is(config, qwen2);
    if (named && !wrapped && !qwen && !class_is(config, gpt2))
        return unknown_class(t, config, "vocab.json", "GPT2, Qwen2, Roberta, Bart, Longformer");
    if (!vocab || vocab->type != HONE_MAP || !merges || merges->type == HONE_MAP)
        return hone_host_fail(t->host, HONE_E_NOT_FOUND, "%s is missing beside %s",
                              vocab ? "merges.txt" : "vocab.json",
                              vocab ? "vocab.json" : "merges.txt");
    sources s = sources_of(spec);
    int32_t top = 0;
    t->model = BPE_M_BYTES;
    hone_status st = added_top(t, &s, &top);
    if (st >= 0)
        st = vocab_of(t, vocab, top);
    if (st >= 0)
        st = load_merges(t, merges->u.str);
    if (st >= 0)
        st = load_added(t, &s, special);
    if (st >= 0)
        st = bpe_vocab_done(t, "vocab.json");
    if (st >= 0 && bpe_flag(config, "add_prefix_space", 0) && !qwen)
        bpe_step_add(t, BPE_STEP_PREFIX_SPACE);
    if (st >= 0)
        st = words_by(t, qwen ? BPE_RE_QWEN2 : BPE_RE_GPT2);
    if (st < 0)
        return st;
    t->nfc = qwen;
    t->bos = config_token(t, config, "bos_token", wrapped ? "<s>" : NULL);
    t->eos = config_token(t, config, "eos_token", wrapped ? "</s>" : "<|endoftext|>");
    t->pad = config_token(t, config, "pad_token", wrapped ? "<pad>" : NULL);
    t->unk_special = config_token(t, config, "unk_token", NULL);
    return around(t, wrapped || bpe_flag(config, "add_bos_token", 0) ? t->bos : -1,
                  wrapped || bpe_flag(config, "add_eos_token", 0) ? t->eos : -1);
}

/* ---- vocab.txt ---------------------------------------------------------------------------------------- */
static hone_status load_lines(bpe_tok *t, const hone_value *spec, hone_str text)
{
    static const char *const bert[] = {"Bert", "DistilBert", "Electra", "MobileBert", NULL};
    static const char *const special[] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", NULL};
    const hone_value *config = bpe_get(spec, "config");
    int32_t n = 0, top = 0, id = 0;
    hone_str line;
    if (bpe_get(config, "tokenizer_class") && !class_is(config, bert))
        return unknown_class(t, config, "vocab.txt", "Bert, DistilBert, Electra, MobileBert");
    for (size_t at = 0; n < BPE_MAX_ID && line_of(text, &at, &line);)
        n++;
    sources s = sources_of(spec);
    hone_status st = added_top(t, &s, &top);
    if (st >= 0)
        st = bpe_vocab_begin(t, n && top > n ? top : n, "vocab.txt");
    for (size_t at = 0; st >= 0 && id < n && line_of(text, &at, &line); id++)
        st = line.len
                 ? bpe_vocab_set(t, id, line, "vocab.txt")
                 : hone_host_fail(t->host, HONE_E_PARSE, "vocab.txt: line %d is empty", id + 1);
    if (st >= 0)
        st = bpe_pieces_done(t);
    if (st >= 0)
        st = load_added(t, &s, special);
    if (st >= 0)
        st = bpe_vocab_done(t, "vocab.txt");
    int lower = bpe_flag(config, "do_lower_case", 1);
    if (st >= 0)
        st = bpe_rules_bert(t, 1, bpe_flag(config, "tokenize_chinese_chars", 1),
                            bpe_flag(config, "strip_accents", lower), lower);
    if (st < 0)
        return st;
    t->model = BPE_M_WORDPIECE;
    t->max_word_chars = 100;
    t->prefix.ptr = "##";
    t->prefix.len = 2;
    bpe_step_add(t, BPE_STEP_SPACES)->behavior = BPE_REMOVED;
    bpe_step_add(t, BPE_STEP_PUNCT)->behavior = BPE_ISOLATED;
    bpe_decoder *d = bpe_decoder_add(t, BPE_D_WORDPIECE);
    d->a = t->prefix;
    d->cleanup = 1;
    t->unk = t->unk_special = config_token(t, config, "unk_token", "[UNK]");
    t->bos = config_token(t, config, "cls_token", "[CLS]");
    t->eos = config_token(t, config, "sep_token", "[SEP]");
    t->pad = config_token(t, config, "pad_token", "[PAD]");
    if (t->unk < 0)
        return hone_host_fail(t->host, HONE_E_PARSE, "vocab.txt: there is no [UNK]");
    return around(t, t->bos, t->eos);
}

/* ---- a SentencePiece model ------------------------------------------------------------------------------ */
static hone_status load_model(bpe_tok *t, const hone_value *spec, const char *name, hone_str data)
{
    static const char *const shifted[] = {"XLMRoberta", "Camembert", "MBart",  "Barthez",
                                          "XGLM",       "Nllb",      "PLBart", "Reformer",
                                          "Pegasus",    "Marian",    NULL};
    static const char *const begin[] = {"Llama", "CodeLlama", "Gemma", NULL};
    static const char *const end[] = {"T5", "UMT5", "Pegasus", NULL};
    const hone_value *config = bpe_get(spec, "config");
    if (class_is(config, shifted))
        return unknown_class(t, config, name,
                             "Llama, Gemma, T5 and others with the file's own ids");
    sources s = sources_of(spec);
    int32_t top = 0;
    hone_status st = added_top(t, &s, &top);
    if (st >= 0)
        st = bpe_load_spm(t, name, data, top);
    if (st >= 0)
        st = load_added(t, &s, NULL);
    if (st >= 0)
        st = bpe_vocab_done(t, name);
    if (st < 0)
        return st;
    t->spm.first_only = !bpe_flag(config, "legacy", 1);
    if (bpe_get(config, "bos_token"))
        t->bos = config_token(t, config, "bos_token", NULL);
    if (bpe_get(config, "eos_token"))
        t->eos = config_token(t, config, "eos_token", NULL);
    if (bpe_get(config, "pad_token"))
        t->pad = config_token(t, config, "pad_token", NULL);
    int front = bpe_flag(config, "add_bos_token", class_is(config, begin));
    int back = bpe_flag(config, "add_eos_token", class_is(config, end));
    return around(t, front ? t->bos : -1, back ? t->eos : -1);
}

hone_status bpe_load_files(bpe_tok *t, const hone_value *spec)
{
    const hone_value *files = bpe_get(spec, "files");
    if (!files || files->type != HONE_MAP)
        return hone_host_fail(t->host, HONE_E_PARSE, "tokenizer: the description has no files");
    for (size_t i = 0; i < files->u.map.n; i++) {
        const hone_pair *p = &files->u.map.pairs[i];
        char name[256];
        if (p->value.type != HONE_BYTES && p->value.type != HONE_STRING)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(p->key.len < 255 ? p->key.len : 255), p->key.ptr);
        if (ends(p->key, ".tiktoken") ||
            (ends(p->key, ".model") && bpe_is_tiktoken(p->value.u.str)))
            return bpe_load_tiktoken(t, name, p->value.u.str);
        if (ends(p->key, ".model"))
            return load_model(t, spec, name, p->value.u.str);
    }
    const hone_value *vocab = bpe_get(files, "vocab.json"), *merges = bpe_get(files, "merges.txt");
    const hone_value *lines = bpe_get(files, "vocab.txt");
    if (vocab || merges)
        return load_pair(t, spec, vocab, merges);
    if (lines && (lines->type == HONE_BYTES || lines->type == HONE_STRING))
        return load_lines(t, spec, lines->u.str);
    return hone_host_fail(t->host, HONE_E_UNSUPPORTED, "tokenizer: files of another kind");
}
