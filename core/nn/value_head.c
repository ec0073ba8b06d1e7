/* value_head.c - see value_head.h. Source: transformers, GenericForSequenceClassification (modeling_layers.py). */
#include "nn/value_head.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "nn/safetensors.h"
#include "ops/kernels.h"
#include "tensor/region.h"

#include <math.h>
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
                                   int *is)
{
    const hone_str class = decoder_class(config);
    int64_t n;
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

/* A name that a table of settings has and that is none. */
static hone_status check_settings(const hone_value *v)
{
    for (size_t i = 0; i < v->u.map.n; i++) {
        const hone_str key = v->u.map.pairs[i].key;
        if (!hone_str_eq(key, "kind") && !hone_str_eq(key, "detach"))
            return hone_fail(HONE_E_INVALID, "value_head: there is no setting \"%.*s\" (detach)",
                             (int)(key.len < 40 ? key.len : 40), key.ptr);
    }
    return HONE_OK;
}

hone_status hone_value_head_parse(const hone_value *v, uint32_t *kind, int *detached)
{
    const hone_value *of = v;
    int own = 0;
    if (!v || v->type == HONE_NULL || (v->type == HONE_BOOL && !v->u.boolean))
        return HONE_OK;
    if (v->type == HONE_MAP) {
        HONE_TRY(check_settings(v));
        HONE_TRY(hone_value_bool(v, "detach", 0, &own));
        of = hone_value_get(v, "kind");
    }
    if (!of || of->type == HONE_BOOL ||
        (of->type == HONE_STRING && hone_str_eq(of->u.str, "value")))
        *kind = HONE_HEAD_VALUE;
    else if (of->type == HONE_STRING && hone_str_eq(of->u.str, "reward"))
        *kind = HONE_HEAD_REWARD;
    else {
        hone_fail(HONE_E_USAGE, "value_head: no such head");
        return hone_fail_hint(
            "true or \"value\": beside the language model; \"reward\": instead of its "
            "head; or a table, { \"value\", detach = true }");
    }
    *detached = own;
    return HONE_OK;
}

int32_t hone_value_head_pad(const hone_value *config)
{
    const hone_value *p = hone_value_get(config, "pad_token_id");
    if (!p)
        p = hone_value_get(config, "tokenizer.ggml.padding_token_id");
    return p && p->type == HONE_I64 && p->u.i64 >= 0 && p->u.i64 <= INT32_MAX ? (int32_t)p->u.i64
                                                                              : -1;
}

hone_status hone_value_head_declare(hone_model *m, uint32_t kind, int32_t pad, int in_file)
{
    const hone_param_spec spec = {.struct_size = sizeof spec,
                                  .name = HONE_VALUE_HEAD_TENSOR,
                                  .rows = 1,
                                  .cols = m->info.hidden,
                                  .flags = in_file ? 0 : HONE_PARAM_OPTIONAL,
                                  .init = kind == HONE_HEAD_REWARD ? HONE_INIT_NORMAL
                                                                   : HONE_INIT_ZERO,
                                  .init_std = 1.0f / sqrtf((float)m->info.hidden + 1.0f),
                                  .layer = UINT32_MAX};
    const hone_param i = hone_params_declare_beside(m->params, &spec);
    if (i < 0) {
        hone_fail_at("%s: a value head", m->id);
        return i;
    }
    m->value_head = i;
    m->head_kind = kind;
    m->value_pad = pad;
    return HONE_OK;
}

hone_status hone_value_head_init(hone_model *m, uint64_t seed)
{
    const hone_param_item *it = hone_params_item(m->params, m->value_head);
    if (hone_region_planning() || it->init != HONE_INIT_NORMAL)
        return HONE_OK;
    return hone_params_init_value(m->params, m->value_head, seed);
}

uint64_t hone__value_head_checksum(const hone_model *m, uint64_t sum)
{
    float part[128];
    const hone_param_item *it = hone_params_item(m->params, m->value_head);
    for (int64_t c = 0; it->data && !hone_region_planning() && c < it->cols; c += 128) {
        const int64_t n = it->cols - c < 128 ? it->cols - c : 128;
        for (int64_t k = 0; k < n; k++) /* row 0 of its panel */
            part[k] = ((const float *)it->data)[(c + k) * HONE_PANEL];
        sum = hone_xxh64(part, (size_t)n * sizeof *part, sum);
    }
    return sum;
}

/* ---- files --------------------------------------------------------------------------------------- */

int32_t hone_value_head_read(hone_model *m, const char *dir)
{
    char *path = hone_path_join(dir, HONE_VALUE_HEAD_FILE);
    float *row = hone_calloc((size_t)m->info.hidden, sizeof *row);
    hone_safetensors f;
    int32_t s = path && row ? HONE_OK : HONE_E_NOMEM;
    if (s < 0 || !hone_file_exists(path))
        goto out;
    s = hone_safetensors_open(&f, path);
    if (s < 0)
        goto out;
    if (f.n != 1 || !hone_str_eq(f.tensors[0].name, HONE_VALUE_HEAD_TENSOR) ||
        f.tensors[0].rows != 1 || f.tensors[0].cols != m->info.hidden) {
        s = hone_fail(HONE_E_SHAPE,
                      "%s: a value head is one tensor, " HONE_VALUE_HEAD_TENSOR " of 1 x %lld",
                      path, (long long)m->info.hidden);
    } else {
        hone_file_tensor_read(&f.tensors[0], 0, m->info.hidden, row);
        s = hone_params_set_rows(m->params, m->value_head, 0, 1, row);
    }
    hone_safetensors_release(&f);
    if (s >= 0)
        s = 1;
out:
    hone_free(path);
    hone_free(row);
    return s;
}

hone_status hone_value_head_save(const hone_model *m, const char *dir)
{
    hone_safetensors_writer w;
    hone_safetensors_entry e = {.name = HONE_VALUE_HEAD_TENSOR,
                                .type = HONE_FT_F32,
                                .n_dims = 2,
                                .dims = {1, m->info.hidden}};
    char *path = hone_path_join(dir, HONE_VALUE_HEAD_FILE);
    float *row = hone_calloc((size_t)m->info.hidden, sizeof *row);
    hone_status s = path && row ? HONE_OK : HONE_E_NOMEM;
    if (s >= 0)
        s = hone_params_get_rows(m->params, m->value_head, 0, 1, row);
    if (s >= 0)
        s = hone_safetensors_create(&w, path, &e, 1, NULL, 0);
    if (s >= 0) {
        s = hone_safetensors_add(&w, row, (size_t)m->info.hidden);
        if (s < 0)
            hone_safetensors_abandon(&w);
        else
            s = hone_safetensors_close(&w);
    }
    hone_free(path);
    hone_free(row);
    return s;
}

/* The class of a decoder's reward model: LlamaForCausalLM or LlamaModel -> LlamaForSequenceClassification. */
static hone_status class_name(const hone_value *config, hone_arena *arena, hone_str *out)
{
    static const char *const tails[] = {"ForCausalLM", "ForConditionalGeneration", "Model"};
    const hone_value *a = hone_value_get(config, "architectures");
    const hone_value *type = hone_value_get(config, "model_type");
    if (!a || a->type != HONE_LIST || a->u.list.n < 1 || a->u.list.items[0].type != HONE_STRING)
        return hone_fail(HONE_E_UNSUPPORTED,
                         "the model's configuration names no class to make a reward model of");
    hone_str name = a->u.list.items[0].u.str;
    size_t n = name.len;
    for (size_t i = 0; n == name.len && i < sizeof tails / sizeof *tails; i++) {
        const size_t k = strlen(tails[i]);
        if (name.len > k && memcmp(name.ptr + name.len - k, tails[i], k) == 0)
            n = name.len - k;
    }
    if (n == name.len)
        return hone_fail(HONE_E_UNSUPPORTED, "no reward model's class is known for %.*s",
                         (int)(name.len < 80 ? name.len : 80), name.ptr);
    /* the text half of a family of two: its class for texts alone */
    const int text = type && type->type == HONE_STRING && type->u.str.len > 5 &&
                     memcmp(type->u.str.ptr + type->u.str.len - 5, "_text", 5) == 0 &&
                     !(n >= 4 && memcmp(name.ptr + n - 4, "Text", 4) == 0);
    char *to = hone_arena_alloc(arena, n + strlen(tail) + 5);
    if (!to)
        return HONE_E_NOMEM;
    memcpy(to, name.ptr, n);
    memcpy(to + n, "Text", 4);
    n += text ? 4 : 0;
    memcpy(to + n, tail, strlen(tail));
    *out = (hone_str){to, n + strlen(tail)};
    return HONE_OK;
}

hone_status hone_value_head_put_config(const hone_model *m, const hone_value *config,
                                       hone_arena *arena, hone_value *out)
{
    static const char *const own[] = {"architectures", "num_labels", "id2label", "label2id",
                                      "pad_token_id"};
    hone_value *name = hone_arena_calloc(arena, 1, sizeof *name);
    hone_pair *labels = hone_arena_calloc(arena, 2, sizeof *labels);
    hone_pair *pairs = hone_arena_calloc(arena, config->u.map.n + 4, sizeof *pairs);
    size_t k = 0;
    if (!name || !labels || !pairs)
        return HONE_E_NOMEM;
    name->type = HONE_STRING;
    HONE_TRY(class_name(config, arena, &name->u.str));
    pairs[k++] = (hone_pair){hone_str_c(own[0]), {.type = HONE_LIST, .u.list = {name, 1}}};
    for (size_t i = 0; i < config->u.map.n; i++) {
        int skip = 0;
        for (size_t j = 0; j < sizeof own / sizeof *own; j++)
            skip |= hone_str_eq(config->u.map.pairs[i].key, own[j]);
        if (!skip)
            pairs[k++] = config->u.map.pairs[i];
    }
    labels[0] = (hone_pair){hone_str_c("0"), {.type = HONE_STRING, .u.str = hone_str_c("LABEL_0")}};
    labels[1] = (hone_pair){hone_str_c("LABEL_0"), {.type = HONE_I64, .u.i64 = 0}};
    pairs[k++] = (hone_pair){hone_str_c("id2label"), {.type = HONE_MAP, .u.map = {labels, 1}}};
    pairs[k++] = (hone_pair){hone_str_c("label2id"), {.type = HONE_MAP, .u.map = {labels + 1, 1}}};
    pairs[k] = (hone_pair){hone_str_c("pad_token_id"), {.type = HONE_NULL}};
    if (m->value_pad >= 0)
        pairs[k].value = (hone_value){.type = HONE_I64, .u.i64 = m->value_pad};
    *out = (hone_value){.type = HONE_MAP, .u.map = {pairs, k + 1}};
    return HONE_OK;
}
