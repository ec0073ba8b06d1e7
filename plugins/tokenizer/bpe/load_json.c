/* load_json.c - a tokenizer from the tree of Hugging Face's tokenizer.json.
 *
 * The model (BPE, Unigram, WordPiece, WordLevel), added tokens, post-processor and truncation; the rules
 * around the model are load_rules.c's. What is not handled is refused by name with E_UNSUPPORTED: a
 * tokenizer that leaves a rule out gives other ids than the model was trained with. Truncation is kept
 * for callers that ask for it (HONE_ENCODE_TRUNCATE); padding is left to them, as transformers does.
 * Source: huggingface/tokenizers, the serde forms of its components. */
#include "bpe.h"

#include <string.h>

#define FILE_NAME "tokenizer.json"

static hone_status no_memory(const bpe_tok *t)
{
    return hone_host_fail(t->host, HONE_E_NOMEM, FILE_NAME ": out of memory");
}

static int id_of(const hone_value *v, int32_t *out)
{
    if (!v || v->type != HONE_I64 || v->u.i64 < 0 || v->u.i64 >= BPE_MAX_ID)
        return 0;
    *out = (int32_t)v->u.i64;
    return 1;
}

/* The ids of a map of vocabulary; *top becomes the highest of all. */
static hone_status top_of_map(bpe_tok *t, const hone_value *vocab, int32_t *top)
{
    int32_t id;
    for (size_t i = 0; i < vocab->u.map.n; i++) {
        const hone_pair *p = &vocab->u.map.pairs[i];
        if (!id_of(&p->value, &id))
            return hone_host_fail(
                t->host, HONE_E_PARSE, FILE_NAME ": model.vocab[\"%.*s\"] is no id from 0 to %d",
                (int)(p->key.len < 80 ? p->key.len : 80), p->key.ptr, BPE_MAX_ID - 1);
        *top = id > *top ? id : *top;
    }
    return HONE_OK;
}

static hone_status top_of_added(bpe_tok *t, const hone_value *added, int32_t *top)
{
    int32_t id;
    for (size_t i = 0; added && i < added->u.list.n; i++) {
        if (!id_of(bpe_get(&added->u.list.items[i], "id"), &id) ||
            !bpe_str_of(bpe_get(&added->u.list.items[i], "content")).len)
            return hone_host_fail(t->host, HONE_E_PARSE,
                                  FILE_NAME ": added_tokens[%zu] lacks an id or a content", i);
        *top = id > *top ? id : *top;
    }
    return HONE_OK;
}

static hone_status load_vocab(bpe_tok *t, const hone_value *model, const hone_value *added)
{
    const hone_value *vocab = bpe_get(model, "vocab");
    int32_t top = -1;
    if (!vocab || vocab->type != HONE_MAP)
        return bpe_malformed(t, "model.vocab is missing, or no map");
    hone_status s = top_of_map(t, vocab, &top);
    if (s >= 0)
        s = top_of_added(t, added, &top);
    if (s >= 0)
        s = bpe_vocab_begin(t, top + 1, FILE_NAME);
    for (size_t i = 0; s >= 0 && i < vocab->u.map.n; i++) {
        const hone_pair *p = &vocab->u.map.pairs[i];
        s = bpe_vocab_set(t, (int32_t)p->value.u.i64, p->key, FILE_NAME ": model.vocab");
    }
    return s < 0 ? s : bpe_pieces_done(t);
}

/* [[piece, score], ...]: ids in the order of the list. */
static hone_status load_scores(bpe_tok *t, const hone_value *model, const hone_value *added)
{
    const hone_value *vocab = bpe_get(model, "vocab"), *unk = bpe_get(model, "unk_id");
    int32_t top = -1;
    if (!vocab || vocab->type != HONE_LIST)
        return bpe_malformed(t, "model.vocab is missing, or no list of [piece, score]");
    size_t n = vocab->u.list.n;
    top = n > BPE_MAX_ID ? BPE_MAX_ID : (int32_t)n - 1;
    hone_status s = top_of_added(t, added, &top);
    if (s >= 0)
        s = bpe_vocab_begin(t, top + 1, FILE_NAME);
    if (s >= 0)
        s = bpe_kinds_begin(t);
    for (size_t i = 0; s >= 0 && i < n; i++) {
        const hone_value *p = &vocab->u.list.items[i];
        const hone_value *score = p->type == HONE_LIST && p->u.list.n == 2 ? &p->u.list.items[1]
                                                                           : NULL;
        if (!score || (score->type != HONE_F64 && score->type != HONE_I64) ||
            p->u.list.items[0].type != HONE_STRING)
            return hone_host_fail(t->host, HONE_E_PARSE,
                                  FILE_NAME ": model.vocab[%zu] is no [piece, score]", i);
        t->score[i] = score->type == HONE_F64 ? score->u.f64 : (double)score->u.i64;
        t->kind[i] = BPE_T_NORMAL;
        s = bpe_vocab_set(t, (int32_t)i, p->u.list.items[0].u.str, FILE_NAME ": model.vocab");
    }
    if (s >= 0 && unk && (!id_of(unk, &t->unk) || (size_t)t->unk >= n))
        return bpe_malformed(t, "model.unk_id is no id of the vocabulary");
    return s < 0 ? s : bpe_pieces_done(t);
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
        return bpe_malformed(t, "model.merges is missing, or no list");
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
            a = bpe_str_of(&m->u.list.items[0]);
            b = bpe_str_of(&m->u.list.items[1]);
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

static hone_status affix(bpe_tok *t, const hone_value *model, const char *key, hone_str *out)
{
    hone_str s = bpe_str_of(bpe_get(model, key));
    if (s.len > BPE_MAX_AFFIX)
        return hone_host_fail(t->host, HONE_E_LIMIT, FILE_NAME ": model.%s is longer than %d bytes",
                              key, BPE_MAX_AFFIX);
    *out = bpe_arena_str(&t->arena, s.ptr ? s.ptr : "", s.len);
    return out->ptr ? HONE_OK : no_memory(t);
}

static hone_status load_unk(bpe_tok *t, const hone_value *model, const char *dflt)
{
    hone_str unk = bpe_str_of(bpe_get(model, "unk_token"));
    if (!unk.ptr && dflt) {
        unk.ptr = dflt;
        unk.len = strlen(dflt);
    }
    if (!unk.len)
        return HONE_OK;
    t->unk = bpe_strmap_get(&t->by_text, unk);
    return t->unk >= 0 || dflt ? HONE_OK
                               : bpe_malformed(t, "model.unk_token is not in the vocabulary");
}

static hone_status load_bpe(bpe_tok *t, const hone_value *model, const hone_value *added)
{
    const hone_value *v = bpe_get(model, "dropout");
    if (v && !(v->type == HONE_F64 && v->u.f64 == 0) && !(v->type == HONE_I64 && v->u.i64 == 0))
        return bpe_unsupported(t, "model.dropout", NULL);
    hone_status s = affix(t, model, "continuing_subword_prefix", &t->prefix);
    if (s >= 0)
        s = affix(t, model, "end_of_word_suffix", &t->suffix);
    t->byte_fallback = bpe_flag(model, "byte_fallback", 0);
    t->fuse_unk = bpe_flag(model, "fuse_unk", 0);
    t->ignore_merges = bpe_flag(model, "ignore_merges", 0);
    if (s >= 0)
        s = load_vocab(t, model, added);
    if (s >= 0)
        s = load_unk(t, model, NULL);
    return s < 0 ? s : load_merges(t, model);
}

static hone_status load_wordpiece(bpe_tok *t, const hone_value *model, const hone_value *added)
{
    const hone_value *most = bpe_get(model, "max_input_chars_per_word");
    static const char dflt[] = "##";
    if (most && (most->type != HONE_I64 || most->u.i64 < 1))
        return bpe_malformed(t, "model.max_input_chars_per_word must be positive");
    t->max_word_chars = most ? (size_t)most->u.i64 : 100;
    hone_status s = affix(t, model, "continuing_subword_prefix", &t->prefix);
    if (s >= 0 && !bpe_get(model, "continuing_subword_prefix")) {
        t->prefix.ptr = dflt;
        t->prefix.len = 2;
    }
    if (s >= 0)
        s = load_vocab(t, model, added);
    return s < 0 ? s : load_unk(t, model, "[UNK]");
}

/* A file without `type` says by its members what it is, as Hugging Face reads it. */
static hone_status load_model(bpe_tok *t, const hone_value *model, const hone_value *added)
{
    const hone_value *type = bpe_get(model, "type"), *vocab = bpe_get(model, "vocab");
    hone_status s;
    if (!model || model->type != HONE_MAP)
        return bpe_malformed(t, "model is missing, or no map");
    if (type ? bpe_is(type, "BPE") : bpe_get(model, "merges") != NULL) {
        t->model = BPE_M_CHARS;
        s = load_bpe(t, model, added);
    } else if (type ? bpe_is(type, "Unigram") : vocab && vocab->type == HONE_LIST) {
        t->model = BPE_M_UNIGRAM;
        t->byte_fallback = bpe_flag(model, "byte_fallback", 0);
        s = load_scores(t, model, added);
    } else if (type ? bpe_is(type, "WordPiece")
                    : bpe_get(model, "max_input_chars_per_word") != NULL) {
        t->model = BPE_M_WORDPIECE;
        s = load_wordpiece(t, model, added);
    } else if (type ? bpe_is(type, "WordLevel") : vocab != NULL) {
        t->model = BPE_M_WORDLEVEL;
        s = load_vocab(t, model, added);
        if (s >= 0)
            s = load_unk(t, model, "<unk>");
    } else {
        return bpe_unsupported(t, "model", type);
    }
    return s < 0 ? s : load_added(t, added);
}

/* Byte-level BPE cuts bytes and joins bytes: the alphabet need not be written out. */
static void choose_path(bpe_tok *t)
{
    int n = t->n_steps - 1, plain = t->model == BPE_M_CHARS && n >= 0 &&
                                    t->steps[n].kind == BPE_STEP_BYTES && !t->prefix.len &&
                                    !t->suffix.len && !t->byte_fallback;
    for (int i = 0; plain && i < n; i++)
        plain = t->steps[i].kind != BPE_STEP_BYTES && t->steps[i].kind != BPE_STEP_METASPACE &&
                (i == 0 || t->steps[i].kind != BPE_STEP_PREFIX_SPACE);
    for (int i = 0; plain && i < t->n_rules; i++)
        plain = t->rules[i].kind != BPE_N_BYTES;
    if (plain) {
        t->model = BPE_M_BYTES;
        t->n_steps--;
    }
    if (t->n_rules == 1 && t->rules[0].kind == BPE_N_FORM &&
        t->rules[0].form == bpe_rule_form("NFC")) {
        t->nfc = 1; /* the quick one: composed text is left alone */
        t->n_rules = 0;
    }
    if (t->n_decoders == 1 && t->decoders[0].kind == BPE_D_BYTES)
        t->n_decoders = 0; /* bytes[] says it all */
}

static hone_status load_truncation(bpe_tok *t, const hone_value *v)
{
    const hone_value *n = bpe_get(v, "max_length");
    if (!v)
        return HONE_OK;
    if (!n || n->type != HONE_I64 || n->u.i64 < 0)
        return bpe_malformed(t, "truncation.max_length must be a number");
    t->max_length = (size_t)n->u.i64;
    t->truncate_left = bpe_is(bpe_get(v, "direction"), "Left");
    return HONE_OK;
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
        return bpe_malformed(t, "post_processor TemplateProcessing without `single`");
    for (size_t i = 0; i < single->u.list.n; i++) {
        const hone_value *item = &single->u.list.items[i];
        if (bpe_get(item, "Sequence")) {
            if (seen++)
                return bpe_unsupported(t, "a post_processor with two sequences in `single`", NULL);
            continue;
        }
        hone_str name = bpe_str_of(bpe_get(bpe_get(item, "SpecialToken"), "id"));
        const hone_value *list = NULL;
        for (size_t k = 0; table && table->type == HONE_MAP && k < table->u.map.n; k++) {
            const hone_pair *p = &table->u.map.pairs[k];
            if (name.len && p->key.len == name.len && memcmp(p->key.ptr, name.ptr, name.len) == 0)
                list = bpe_get(&p->value, "ids");
        }
        if (!list || list->type != HONE_LIST)
            return bpe_malformed(
                t, "post_processor TemplateProcessing names a special token without ids");
        for (size_t k = 0; k < list->u.list.n; k++) {
            int32_t id;
            if (!id_of(&list->u.list.items[k], &id) || !is_token(t, id))
                return bpe_malformed(
                    t, "post_processor TemplateProcessing: an id is no token of the vocabulary");
            if (n[seen] >= MAX_TEMPLATE)
                return bpe_unsupported(t, "a post_processor of more than 32 tokens", NULL);
            ids[seen][n[seen]++] = id;
        }
    }
    if (seen != 1)
        return bpe_unsupported(t, "a post_processor without the text in `single`", NULL);
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
            return bpe_malformed(
                t, "post_processor: sep and cls must be [token, id] of the vocabulary");
        return wrap(t, &front, 1, &back, 1);
    }
    if (!bpe_is(type, "Sequence") || !list || list->type != HONE_LIST || depth > 8)
        return bpe_unsupported(t, "post_processor", type);
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
    hone_str s = bpe_str_of(v && v->type == HONE_MAP ? bpe_get(v, "content") : v);
    return s.len ? bpe_strmap_get(&t->by_text, s) : -1;
}

hone_status bpe_load_json(bpe_tok *t, const hone_value *spec)
{
    const hone_value *json = bpe_get(spec, "json"), *config = bpe_get(spec, "config");
    if (!json || json->type != HONE_MAP)
        return bpe_malformed(t, "no object at the top");
    const hone_value *added = bpe_get(json, "added_tokens");
    if (added && added->type != HONE_LIST)
        return bpe_malformed(t, "added_tokens is no list");
    hone_status s = load_model(t, bpe_get(json, "model"), added);
    if (s >= 0)
        s = bpe_load_normalizer(t, bpe_get(json, "normalizer"), 0);
    if (s >= 0)
        s = bpe_load_pre(t, bpe_get(json, "pre_tokenizer"), 0);
    if (s >= 0)
        s = bpe_load_decoder(t, bpe_get(json, "decoder"), 0);
    if (s >= 0)
        s = load_truncation(t, bpe_get(json, "truncation"));
    if (s < 0)
        return s;
    choose_path(t);
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
