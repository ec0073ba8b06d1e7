/* load_json.c - a tokenizer from the tree of Hugging Face's tokenizer.json.
 *
 * Takes model BPE with byte-level pre-tokenization. Whatever else the file asks for (another
 * model, a normalizer, pre-tokenizer, decoder or option that is not handled) is refused by name with
 * E_UNSUPPORTED: a tokenizer that leaves a rule out gives other ids than the model was trained with.
 * `truncation` and `padding` are left to callers, as transformers does.
 * Source: huggingface/tokenizers, the serde forms of its components. */
#include "bpe.h"

#include <string.h>

#define FILE_NAME "tokenizer.json"

static hone_status no_memory(const bpe_tok *t)
{
    return hone_host_fail(t->host, HONE_E_NOMEM, FILE_NAME ": out of memory");
}

static hone_status unsupported(const bpe_tok *t, const char *what, const hone_value *name)
{
    if (name && name->type == HONE_STRING)
        return hone_host_fail(t->host, HONE_E_UNSUPPORTED,
                              FILE_NAME ": %s \"%.*s\" is not supported", what,
                              (int)(name->u.str.len < 60 ? name->u.str.len : 60), name->u.str.ptr);
    return hone_host_fail(t->host, HONE_E_UNSUPPORTED, FILE_NAME ": %s is not supported", what);
}

static hone_status malformed(const bpe_tok *t, const char *what)
{
    return hone_host_fail(t->host, HONE_E_PARSE, FILE_NAME ": %s", what);
}

static hone_str str_of(const hone_value *v)
{
    hone_str none = {NULL, 0};
    return v && v->type == HONE_STRING ? v->u.str : none;
}

static int id_of(const hone_value *v, int32_t *out)
{
    if (!v || v->type != HONE_I64 || v->u.i64 < 0 || v->u.i64 >= BPE_MAX_ID)
        return 0;
    *out = (int32_t)v->u.i64;
    return 1;
}

static hone_status load_vocab(bpe_tok *t, const hone_value *model, const hone_value *added)
{
    const hone_value *vocab = bpe_get(model, "vocab");
    int32_t id, top = -1;
    if (!vocab || vocab->type != HONE_MAP)
        return malformed(t, "model.vocab is missing, or no map");
    for (size_t i = 0; i < vocab->u.map.n; i++) {
        const hone_pair *p = &vocab->u.map.pairs[i];
        if (!id_of(&p->value, &id))
            return hone_host_fail(
                t->host, HONE_E_PARSE, FILE_NAME ": model.vocab[\"%.*s\"] is no id from 0 to %d",
                (int)(p->key.len < 80 ? p->key.len : 80), p->key.ptr, BPE_MAX_ID - 1);
        top = id > top ? id : top;
    }
    for (size_t i = 0; added && i < added->u.list.n; i++) {
        if (!id_of(bpe_get(&added->u.list.items[i], "id"), &id) ||
            !str_of(bpe_get(&added->u.list.items[i], "content")).len)
            return hone_host_fail(t->host, HONE_E_PARSE,
                                  FILE_NAME ": added_tokens[%zu] lacks an id or a content", i);
        top = id > top ? id : top;
    }
    hone_status s = bpe_vocab_begin(t, top + 1, FILE_NAME);
    for (size_t i = 0; s >= 0 && i < vocab->u.map.n; i++) {
        const hone_pair *p = &vocab->u.map.pairs[i];
        s = bpe_vocab_set(t, (int32_t)p->value.u.i64, p->key, FILE_NAME ": model.vocab");
    }
    return s;
}

static hone_status load_added(bpe_tok *t, const hone_value *added)
{
    if (!added)
        return HONE_OK;
    t->added = bpe_arena_alloc(&t->arena, (added->u.list.n + 1) * sizeof *t->added);
    if (!t->added)
        return no_memory(t);
    for (size_t i = 0; i < added->u.list.n; i++) {
        const hone_value *v = &added->u.list.items[i];
        bpe_added *a = &t->added[t->n_added];
        a->id = (int32_t)bpe_get(v, "id")->u.i64;
        hone_status s = bpe_vocab_set(t, a->id, bpe_get(v, "content")->u.str,
                                      FILE_NAME ": added_tokens");
        if (s < 0)
            return s;
        a->content = t->text[a->id];
        a->special = (uint8_t)bpe_flag(v, "special", 0);
        a->single_word = (uint8_t)bpe_flag(v, "single_word", 0);
        a->lstrip = (uint8_t)bpe_flag(v, "lstrip", 0);
        a->rstrip = (uint8_t)bpe_flag(v, "rstrip", 0);
        a->normalized = (uint8_t)bpe_flag(v, "normalized", !a->special);
        t->special[a->id] = a->special;
        t->n_added++;
    }
    return HONE_OK;
}

static hone_status load_merges(bpe_tok *t, const hone_value *model)
{
    const hone_value *merges = bpe_get(model, "merges");
    if (!merges || merges->type != HONE_LIST)
        return malformed(t, "model.merges is missing, or no list");
    if (!bpe_merges_init(&t->merges, &t->arena, merges->u.list.n))
        return no_memory(t);
    for (size_t i = 0; i < merges->u.list.n; i++) {
        const hone_value *m = &merges->u.list.items[i];
        hone_str a = {NULL, 0}, b = a;
        if (m->type == HONE_STRING) {
            const char *space = m->u.str.len ? memchr(m->u.str.ptr, ' ', m->u.str.len) : NULL;
            size_t at = space ? (size_t)(space - m->u.str.ptr) : 0;
            if (space && !memchr(space + 1, ' ', m->u.str.len - at - 1)) {
                a.ptr = m->u.str.ptr;
                a.len = at;
                b.ptr = space + 1;
                b.len = m->u.str.len - at - 1;
            }
        } else if (m->type == HONE_LIST && m->u.list.n == 2) {
            a = str_of(&m->u.list.items[0]);
            b = str_of(&m->u.list.items[1]);
        }
        if (!a.len || !b.len)
            return hone_host_fail(t->host, HONE_E_PARSE,
                                  FILE_NAME ": model.merges[%zu] is no pair of tokens", i);
        hone_status s = bpe_merge_add(t, i, a, b, 1);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static hone_status load_model(bpe_tok *t, const hone_value *model, const hone_value *added)
{
    const hone_value *type = bpe_get(model, "type");
    if (!model || model->type != HONE_MAP)
        return malformed(t, "model is missing, or no map");
    if (type ? !bpe_is(type, "BPE") : !bpe_get(model, "merges"))
        return unsupported(t, "model", type);
    const hone_value *v = bpe_get(model, "dropout");
    if (v && !(v->type == HONE_F64 && v->u.f64 == 0) && !(v->type == HONE_I64 && v->u.i64 == 0))
        return unsupported(t, "model.dropout", NULL);
    if (str_of(bpe_get(model, "continuing_subword_prefix")).len)
        return unsupported(t, "model.continuing_subword_prefix", NULL);
    if (str_of(bpe_get(model, "end_of_word_suffix")).len)
        return unsupported(t, "model.end_of_word_suffix", NULL);
    if (bpe_flag(model, "byte_fallback", 0))
        return unsupported(t, "model.byte_fallback", NULL);
    t->ignore_merges = bpe_flag(model, "ignore_merges", 0);
    hone_status s = load_vocab(t, model, added);
    if (s < 0)
        return s;
    hone_str unk = str_of(bpe_get(model, "unk_token"));
    if (unk.len) {
        t->unk = bpe_strmap_get(&t->by_text, unk);
        if (t->unk < 0)
            return malformed(t, "model.unk_token is not in the vocabulary");
    }
    s = load_merges(t, model);
    return s < 0 ? s : load_added(t, added);
}

static hone_status load_normalizer(bpe_tok *t, const hone_value *v, int depth)
{
    if (!v)
        return HONE_OK;
    const hone_value *type = bpe_get(v, "type"), *list = bpe_get(v, "normalizers");
    if (bpe_is(type, "NFC")) {
        t->nfc = 1;
        return HONE_OK;
    }
    if (!bpe_is(type, "Sequence") || !list || list->type != HONE_LIST || depth > 8)
        return unsupported(t, "normalizer", type);
    for (size_t i = 0; i < list->u.list.n; i++) {
        hone_status s = load_normalizer(t, &list->u.list.items[i], depth + 1);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static bpe_step *new_step(bpe_tok *t, int kind)
{
    if (t->n_steps >= BPE_MAX_STEPS)
        return NULL;
    bpe_step *s = &t->steps[t->n_steps++];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    return s;
}

static hone_status load_split(bpe_tok *t, const hone_value *v)
{
    static const char *const behaviors[] = {"Isolated", "Removed", "MergedWithPrevious",
                                            "MergedWithNext", "Contiguous"};
    const hone_value *pattern = bpe_get(v, "pattern"), *behavior = bpe_get(v, "behavior");
    const hone_value *re = bpe_get(pattern, "Regex"), *plain = bpe_get(pattern, "String");
    hone_str text = str_of(re ? re : plain);
    if (!text.len)
        return malformed(t, "pre_tokenizer Split without a pattern");
    bpe_step *s = new_step(t, re ? BPE_STEP_REGEX : BPE_STEP_STRING);
    if (!s)
        return unsupported(t, "a pre_tokenizer of more than 16 steps", NULL);
    s->behavior = -1;
    for (int i = 0; i < 5; i++)
        if (bpe_is(behavior, behaviors[i]))
            s->behavior = i;
    if (s->behavior < 0)
        return unsupported(t, "pre_tokenizer Split behavior", behavior);
    s->invert = bpe_flag(v, "invert", 0);
    s->pattern = bpe_arena_str(&t->arena, text.ptr, text.len);
    return s->pattern.ptr ? HONE_OK : no_memory(t);
}

static hone_status load_pre(bpe_tok *t, const hone_value *v, int *byte_level, int depth)
{
    const hone_value *type = bpe_get(v, "type"), *list = bpe_get(v, "pretokenizers");
    if (!v)
        return HONE_OK;
    if (*byte_level)
        return unsupported(t, "after ByteLevel, pre_tokenizer", type);
    if (bpe_is(type, "Sequence") && list && list->type == HONE_LIST && depth <= 8) {
        for (size_t i = 0; i < list->u.list.n; i++) {
            hone_status s = load_pre(t, &list->u.list.items[i], byte_level, depth + 1);
            if (s < 0)
                return s;
        }
        return HONE_OK;
    }
    if (bpe_is(type, "Split"))
        return load_split(t, v);
    if (bpe_is(type, "Digits")) {
        bpe_step *s = new_step(t, BPE_STEP_DIGITS);
        if (!s)
            return unsupported(t, "a pre_tokenizer of more than 16 steps", NULL);
        s->individual = bpe_flag(v, "individual_digits", 0);
        return HONE_OK;
    }
    if (!bpe_is(type, "ByteLevel"))
        return unsupported(t, "pre_tokenizer", type);
    *byte_level = 1;
    if (bpe_flag(v, "add_prefix_space", 1)) {
        if (t->n_steps)
            return unsupported(t, "ByteLevel.add_prefix_space after another pre_tokenizer", NULL);
        new_step(t, BPE_STEP_PREFIX_SPACE);
    }
    if (bpe_flag(v, "use_regex", 1)) {
        bpe_step *s = new_step(t, BPE_STEP_REGEX);
        if (!s)
            return unsupported(t, "a pre_tokenizer of more than 16 steps", NULL);
        s->behavior = BPE_ISOLATED;
        s->pattern.ptr = BPE_RE_GPT2;
        s->pattern.len = strlen(BPE_RE_GPT2);
    }
    return HONE_OK;
}

static hone_status load_decoder(bpe_tok *t, const hone_value *v)
{
    const hone_value *type = bpe_get(v, "type"), *list = bpe_get(v, "decoders");
    if (bpe_is(type, "ByteLevel"))
        return HONE_OK;
    if (bpe_is(type, "Sequence") && list && list->type == HONE_LIST && list->u.list.n == 1)
        return load_decoder(t, &list->u.list.items[0]);
    if (!v)
        return unsupported(t, "a missing decoder", NULL);
    return unsupported(t, "decoder", type);
}

/* ids in front of (or behind) those already there */
static hone_status wrap(bpe_tok *t, const int32_t *front, size_t n_front, const int32_t *back,
                        size_t n_back)
{
    int32_t *f = bpe_arena_alloc(&t->arena, (t->n_front + n_front + 1) * sizeof *f);
    int32_t *b = bpe_arena_alloc(&t->arena, (t->n_back + n_back + 1) * sizeof *b);
    if (!f || !b)
        return no_memory(t);
    for (size_t i = 0; i < n_front; i++)
        f[i] = front[i];
    for (size_t i = 0; i < t->n_front; i++)
        f[n_front + i] = t->add_front[i];
    for (size_t i = 0; i < t->n_back; i++)
        b[i] = t->add_back[i];
    for (size_t i = 0; i < n_back; i++)
        b[t->n_back + i] = back[i];
    t->add_front = f;
    t->add_back = b;
    t->n_front += n_front;
    t->n_back += n_back;
    return HONE_OK;
}

enum { MAX_TEMPLATE = 32 };

static int is_token(const bpe_tok *t, int32_t id)
{
    return id < t->n_ids && t->text[id].ptr != NULL;
}

static hone_status load_template(bpe_tok *t, const hone_value *v)
{
    const hone_value *single = bpe_get(v, "single"), *table = bpe_get(v, "special_tokens");
    int32_t ids[2][MAX_TEMPLATE];
    size_t n[2] = {0, 0};
    int seen = 0;
    if (!single || single->type != HONE_LIST)
        return malformed(t, "post_processor TemplateProcessing without `single`");
    for (size_t i = 0; i < single->u.list.n; i++) {
        const hone_value *item = &single->u.list.items[i];
        if (bpe_get(item, "Sequence")) {
            if (seen++)
                return unsupported(t, "a post_processor with two sequences in `single`", NULL);
            continue;
        }
        hone_str name = str_of(bpe_get(bpe_get(item, "SpecialToken"), "id"));
        const hone_value *list = NULL;
        for (size_t k = 0; table && table->type == HONE_MAP && k < table->u.map.n; k++) {
            const hone_pair *p = &table->u.map.pairs[k];
            if (name.len && p->key.len == name.len && memcmp(p->key.ptr, name.ptr, name.len) == 0)
                list = bpe_get(&p->value, "ids");
        }
        if (!list || list->type != HONE_LIST)
            return malformed(t,
                             "post_processor TemplateProcessing names a special token without ids");
        for (size_t k = 0; k < list->u.list.n; k++) {
            int32_t id;
            if (!id_of(&list->u.list.items[k], &id) || !is_token(t, id))
                return malformed(
                    t, "post_processor TemplateProcessing: an id is no token of the vocabulary");
            if (n[seen] >= MAX_TEMPLATE)
                return unsupported(t, "a post_processor of more than 32 tokens", NULL);
            ids[seen][n[seen]++] = id;
        }
    }
    if (seen != 1)
        return unsupported(t, "a post_processor without the text in `single`", NULL);
    return wrap(t, ids[0], n[0], ids[1], n[1]);
}

static hone_status load_post(bpe_tok *t, const hone_value *v, int depth)
{
    const hone_value *type = bpe_get(v, "type"), *list = bpe_get(v, "processors");
    if (!v || bpe_is(type, "ByteLevel"))
        return HONE_OK; /* ByteLevel trims offsets only; hone's offsets keep the space */
    if (bpe_is(type, "TemplateProcessing"))
        return load_template(t, v);
    if (bpe_is(type, "RobertaProcessing") || bpe_is(type, "BertProcessing")) {
        const hone_value *sep = bpe_get(v, "sep"), *cls = bpe_get(v, "cls");
        int32_t front, back;
        if (!sep || !cls || sep->type != HONE_LIST || cls->type != HONE_LIST ||
            sep->u.list.n != 2 || cls->u.list.n != 2 || !id_of(&cls->u.list.items[1], &front) ||
            !id_of(&sep->u.list.items[1], &back) || !is_token(t, front) || !is_token(t, back))
            return malformed(t,
                             "post_processor: sep and cls must be [token, id] of the vocabulary");
        return wrap(t, &front, 1, &back, 1);
    }
    if (!bpe_is(type, "Sequence") || !list || list->type != HONE_LIST || depth > 8)
        return unsupported(t, "post_processor", type);
    for (size_t i = 0; i < list->u.list.n; i++) {
        hone_status s = load_post(t, &list->u.list.items[i], depth + 1);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

/* A special token of tokenizer_config.json: its text, or {"content": text}. */
static int32_t config_token(const bpe_tok *t, const hone_value *config, const char *key)
{
    const hone_value *v = bpe_get(config, key);
    hone_str s = str_of(v && v->type == HONE_MAP ? bpe_get(v, "content") : v);
    return s.len ? bpe_strmap_get(&t->by_text, s) : -1;
}

hone_status bpe_load_json(bpe_tok *t, const hone_value *spec)
{
    const hone_value *json = bpe_get(spec, "json"), *config = bpe_get(spec, "config");
    if (!json || json->type != HONE_MAP)
        return malformed(t, "no object at the top");
    const hone_value *added = bpe_get(json, "added_tokens");
    if (added && added->type != HONE_LIST)
        return malformed(t, "added_tokens is no list");
    hone_status s = load_model(t, bpe_get(json, "model"), added);
    if (s >= 0)
        s = load_normalizer(t, bpe_get(json, "normalizer"), 0);
    int byte_level = 0;
    const hone_value *pre = bpe_get(json, "pre_tokenizer");
    if (s >= 0)
        s = load_pre(t, pre, &byte_level, 0);
    if (s >= 0 && !byte_level)
        s = unsupported(t, "a BPE model without ByteLevel pre_tokenizer", NULL);
    if (s >= 0)
        s = load_decoder(t, bpe_get(json, "decoder"));
    if (s >= 0)
        s = bpe_vocab_done(t, FILE_NAME);
    if (s >= 0)
        s = load_post(t, bpe_get(json, "post_processor"), 0);
    if (s < 0)
        return s;
    t->bos = config_token(t, config, "bos_token");
    t->eos = config_token(t, config, "eos_token");
    t->pad = config_token(t, config, "pad_token");
    t->unk_special = config_token(t, config, "unk_token");
    return HONE_OK;
}
