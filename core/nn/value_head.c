/* value_head.c - see value_head.h. Source: transformers, GenericForSequenceClassification (modeling_layers.py). */
#include "nn/value_head.h"

#include "base/alloc.h"
#include "base/json.h"

#include <string.h>

static const char *const tail = "ForSequenceClassification";

/* The class that the configuration names, without the tail; or an empty text. */
static hone_str decoder_class(const hone_value *config)
{
    const hone_value *a = hone_value_get(config, "architectures");
    const size_t k = strlen(tail);
    if (!a || a->type != HONE_LIST || a->u.list.n != 1 || a->u.list.items[0].type != HONE_STRING)
        return (hone_str){NULL, 0};
    hone_str name = a->u.list.items[0].u.str;
    if (name.len <= k || memcmp(name.ptr + name.len - k, tail, k) != 0)
        return (hone_str){NULL, 0};
    return (hone_str){name.ptr, name.len - k};
}

/* num_labels, else as many as id2label names, else two, as transformers has it. */
static hone_status labels(const hone_value *config, int64_t *out)
{
    const hone_value *names = hone_value_get(config, "id2label");
    const int64_t dflt = names && names->type == HONE_MAP ? (int64_t)names->u.map.n : 2;
    return hone_value_i64(config, "num_labels", dflt, out);
}

hone_status hone_value_head_config(const hone_value *config, hone_arena *arena, hone_value *out,
                                   int32_t *pad, int *is)
{
    const hone_str class = decoder_class(config);
    int64_t n, id;
    *is = class.len > 0;
    if (!*is)
        return HONE_OK;
    HONE_TRY(labels(config, &n));
    if (n != 1) {
        hone_fail(HONE_E_UNSUPPORTED,
                  "a classifier of %lld labels: only one label, a reward, is "
                  "offered",
                  (long long)n);
        return hone_fail_hint("its configuration says num_labels, or id2label");
    }
    const hone_value *p = hone_value_get(config, "pad_token_id");
    id = p && p->type == HONE_I64 ? p->u.i64 : -1;
    *pad = id >= 0 && id <= INT32_MAX ? (int32_t)id : -1;
    char *bare = hone_arena_alloc(arena, class.len + 6);
    hone_value *name = hone_arena_calloc(arena, 1, sizeof *name);
    hone_pair *pairs = hone_arena_calloc(arena, config->u.map.n + 1, sizeof *pairs);
    if (!bare || !name || !pairs)
        return HONE_E_NOMEM;
    memcpy(bare, class.ptr, class.len);
    memcpy(bare + class.len, "Model", 6);
    *name = (hone_value){.type = HONE_STRING, .u.str = {bare, class.len + 5}};
    const int typed = hone_value_get(config, "model_type") != NULL;
    size_t k = 0;
    for (size_t i = 0; i < config->u.map.n; i++) {
        const hone_pair *from = &config->u.map.pairs[i];
        if (hone_str_eq(from->key, "num_labels") || hone_str_eq(from->key, "tie_word_embeddings"))
            continue;
        if (typed && hone_str_eq(from->key, "architectures"))
            continue; /* the class of a bare model is not always the language model's less its tail */
        pairs[k] = *from;
        if (hone_str_eq(from->key, "architectures"))
            pairs[k].value = (hone_value){.type = HONE_LIST, .u.list = {name, 1}};
        k++;
    }
    pairs[k++] = (hone_pair){hone_str_c("tie_word_embeddings"),
                             {.type = HONE_BOOL, .u.boolean = 1}};
    *out = (hone_value){.type = HONE_MAP, .u.map = {pairs, k}};
    return HONE_OK;
}

hone_status hone_value_head_declare(hone_model *m, int32_t pad)
{
    m->value_head = hone_calloc((size_t)m->info.hidden, sizeof *m->value_head);
    m->value_pad = pad;
    return m->value_head ? HONE_OK : HONE_E_NOMEM;
}

hone_status hone__value_head_load(hone_model *m, const hone_tensor_reader *r)
{
    hone_tensor_entry e;
    const int32_t found = r->find(r->ctx, "score.weight", &e);
    if (found < 0)
        return found;
    if (!found || e.rows != 1 || e.cols != m->info.hidden) {
        hone_fail(HONE_E_SHAPE, "%s: score.weight of 1 x %lld is missing", r->place,
                  (long long)m->info.hidden);
        return hone_fail_hint("a model with one label has it beside its decoder");
    }
    return r->read(r->ctx, &e, 0, 1, m->value_head);
}

double hone_value_head_of(const hone_model *m, const float *hidden)
{
    double sum = 0;
    for (int64_t i = 0; i < m->info.hidden; i++)
        sum += (double)m->value_head[i] * (double)hidden[i];
    return sum;
}
