/* model.c - models from configurations: choosing the component, declaring, recording the forward.
 *
 * The component's declare names parameters through a table of functions; what it says is checked
 * here once, so that the rest may rely on it: embedding and head exist and have vocabulary x
 * hidden, sizes are positive. A configuration key that is set and was not understood is refused: it
 * may change what the model computes. Keys that only describe (who made it, how it was saved) are
 * listed below. */
#include "nn/model.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "nn/value_head.h"
#include "ops/linear.h"

#include <stdio.h>
#include <string.h>

/* Keys of a Hugging Face config.json that say nothing about the computation of one forward. */
static const char *const describing[] = {"architectures",
                                         "model_type",
                                         "transformers_version",
                                         "torch_dtype",
                                         "dtype",
                                         "use_cache",
                                         "bos_token_id",
                                         "eos_token_id",
                                         "pad_token_id",
                                         "unk_token_id",
                                         "sep_token_id",
                                         "initializer_range",
                                         "name_or_path",
                                         "auto_map",
                                         "pretraining_tp",
                                         "transformers.js_config",
                                         "max_window_layers",
                                         "id2label",
                                         "label2id",
                                         "output_attentions",
                                         "chunk_size_feed_forward",
                                         "output_hidden_states",
                                         "return_dict",
                                         "problem_type",
                                         "task_specific_params",
                                         "tokenizer_class",
                                         "language_model_only",
                                         "unsloth_version",
                                         "unsloth_fixed",
                                         "quantization_config_source",
                                         "cache_implementation",
                                         "hone",
                                         NULL};

struct declaring {
    hone_params *params;
    hone_model_info info;
    int n_info;
    hone_status failed;
    hone_map used;
};

/* ---- what a component sees while it declares ------------------------------------------------- */
static hone_param store_param(const hone_store_v1 *store, const hone_param_spec *spec)
{
    struct declaring *d = store->ctx;
    hone_param p = hone_params_declare(d->params, spec);
    if (p < 0 && d->failed == HONE_OK)
        d->failed = p;
    return p < 0 ? HONE_NONE : p;
}

static void store_info(const hone_store_v1 *store, const hone_model_info *info)
{
    struct declaring *d = store->ctx;
    memset(&d->info, 0, sizeof d->info);
    memcpy(&d->info, info, info->struct_size < sizeof d->info ? info->struct_size : sizeof d->info);
    d->info.struct_size = sizeof d->info;
    if (d->info.logit_scale == 0.0f)
        d->info.logit_scale = 1.0f;
    d->n_info++;
}

static hone_status store_fail(const hone_store_v1 *store, hone_status s, hone_str text)
{
    struct declaring *d = store->ctx;
    if (s >= 0)
        s = HONE_E_FAIL;
    hone_fail(s, "%.*s", (int)(text.len < 400 ? text.len : 400), text.ptr ? text.ptr : "");
    if (d->failed == HONE_OK)
        d->failed = s;
    return s;
}

static void store_used_key(const hone_store_v1 *store, const char *key)
{
    struct declaring *d = store->ctx;
    if (hone_map_put(&d->used, key, strlen(key), d, NULL) < 0 && d->failed == HONE_OK)
        d->failed = HONE_E_NOMEM;
}

static hone_status store_rename(const hone_store_v1 *store, const char *from, const char *to)
{
    struct declaring *d = store->ctx;
    hone_status s = hone_params_rename(d->params, from, to);
    if (s < 0 && d->failed == HONE_OK)
        d->failed = s;
    return s;
}

static hone_status store_skip(const hone_store_v1 *store, const char *prefix)
{
    struct declaring *d = store->ctx;
    hone_status s = hone_params_skip(d->params, prefix);
    if (s < 0 && d->failed == HONE_OK)
        d->failed = s;
    return s;
}

/* ---- keys that were not understood ----------------------------------------------------------- */
static int describes(hone_str key)
{
    if (key.len && key.ptr[0] == '_')
        return 1;
    for (size_t i = 0; describing[i]; i++)
        if (hone_str_eq(key, describing[i]))
            return 1;
    return 0;
}

/* Does the component use keys below this one ("rope_scaling.factor")? */
static int used_below(const hone_map *used, const char *key, size_t len)
{
    for (size_t i = 0; i < used->n; i++)
        if (used->entries[i].key && used->entries[i].key_len > len + 1 &&
            memcmp(used->entries[i].key, key, len) == 0 && used->entries[i].key[len] == '.')
            return 1;
    return 0;
}

static hone_status unknown_key(const char *key, const char *place, const char *id, uint32_t flags)
{
    if (flags & HONE_MODEL_NAMED)
        return HONE_OK;
    if (flags & HONE_MODEL_ALLOW_UNKNOWN) {
        hone_log(HONE_LOG_WARN, id, "%s: \"%s\" is set and ignored", place, key);
        return HONE_OK;
    }
    hone_fail(HONE_E_UNSUPPORTED, "%s: \"%s\" is set, and %s does not know what it means", place,
              key, id);
    return hone_fail_hint(
        "the model may compute something else with it; if not, remove the key, or ignore it with "
        "--allow-unknown-config (in a recipe: allow_unknown_config = true of run:policy)");
}

static hone_status check_keys(const hone_value *map, const char *prefix, const struct declaring *d,
                              const char *place, const char *id, uint32_t flags)
{
    for (size_t i = 0; i < map->u.map.n; i++) {
        const hone_pair *p = &map->u.map.pairs[i];
        char key[160];
        int n = snprintf(key, sizeof key, "%s%.*s", prefix,
                         (int)(p->key.len < 128 ? p->key.len : 128), p->key.ptr);
        if (n < 0 || (size_t)n >= sizeof key || hone_value_says_nothing(&p->value) ||
            describes(p->key))
            continue;
        if (p->value.type == HONE_MAP && used_below(&d->used, key, strlen(key))) {
            char below[164];
            snprintf(below, sizeof below, "%s.", key);
            HONE_TRY(check_keys(&p->value, below, d, place, id, flags));
        } else if (!hone_map_has(&d->used, key, strlen(key))) {
            HONE_TRY(unknown_key(key, place, id, flags));
        }
    }
    return HONE_OK;
}

/* GGUF metadata: keys of the architecture ("llama.rope.freq_base") say how the model computes, and what the
 * reader adds ("hone.rope_freqs"). */
static hone_status check_gguf_keys(const hone_value *map, const char *arch,
                                   const struct declaring *d, const char *place, const char *id,
                                   uint32_t flags)
{
    size_t n = strlen(arch);
    for (size_t i = 0; i < map->u.map.n; i++) {
        const hone_pair *p = &map->u.map.pairs[i];
        char key[160];
        int computes = p->key.len > n + 1 && memcmp(p->key.ptr, arch, n) == 0 &&
                       p->key.ptr[n] == '.';
        int added = p->key.len > 5 && memcmp(p->key.ptr, "hone.", 5) == 0;
        if ((!computes && !added) || p->key.len >= sizeof key || hone_value_says_nothing(&p->value))
            continue;
        memcpy(key, p->key.ptr, p->key.len);
        key[p->key.len] = 0;
        if (!hone_map_has(&d->used, key, p->key.len))
            HONE_TRY(unknown_key(key, place, id, flags));
    }
    return HONE_OK;
}

/* ---- creating -------------------------------------------------------------------------------- */
static const hone_model_choice *surest(const hone_model_choice *choices, size_t n, hone_str format,
                                       const hone_value *config)
{
    const hone_model_choice *best = NULL;
    int32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        hone_instance_enter(choices[i].instance);
        int32_t sure = choices[i].vt->probe ? choices[i].vt->probe(choices[i].self, format, config)
                                            : 0;
        hone_instance_leave(choices[i].instance, "probe", HONE_OK);
        if (sure > most) {
            most = sure;
            best = &choices[i];
        }
    }
    return best;
}

/* What the components say they run, as a list of words in `text`, for hone_closest. */
enum { WORDS_MAX = 256 };
static void known_names(const hone_model_choice *choices, size_t n, hone_buf *text,
                        const char *words[WORDS_MAX + 1])
{
    size_t k = 0;
    char *rest = NULL;
    for (size_t i = 0; i < n; i++) {
        hone_str names;
        if (!HONE_HAS(choices[i].vt, hone_model_v1, runs))
            continue;
        hone_instance_enter(choices[i].instance);
        names = choices[i].vt->runs(choices[i].self);
        hone_instance_leave(choices[i].instance, "runs", HONE_OK);
        hone_buf_add_str(text, names);
        hone_buf_addc(text, ' ');
    }
    for (char *w = text->failed < 0 || !text->len ? NULL : strtok_r(text->ptr, " ", &rest);
         w && k < WORDS_MAX; w = strtok_r(NULL, " ", &rest))
        words[k++] = w;
    words[k] = NULL;
}

static hone_status nobody(const char *arch, const hone_value *config, const char *place,
                          const hone_model_choice *choices, size_t n)
{
    const hone_value *v = hone_value_get(config, "architectures");
    const char *words[WORDS_MAX + 1], *near;
    hone_buf text, ids;
    char name[64];
    hone_buf_init(&text, 1 << 16);
    hone_buf_init(&ids, 1 << 12);
    snprintf(name, sizeof name, "%s", arch);
    if (v && v->type == HONE_LIST && v->u.list.n && v->u.list.items[0].type == HONE_STRING)
        snprintf(name, sizeof name, "%.*s",
                 (int)(v->u.list.items[0].u.str.len < 60 ? v->u.list.items[0].u.str.len : 60),
                 v->u.list.items[0].u.str.ptr);
    known_names(choices, n, &text, words);
    near = hone_closest(name, words);
    if (!near)
        near = hone_closest(arch, words);
    for (size_t i = 0; i < n; i++)
        hone_buf_addf(&ids, "%s%.60s", i ? ", " : "", choices[i].id);
    if (*arch && strcmp(arch, name) != 0)
        hone_fail(HONE_E_UNSUPPORTED, "%s: no model component runs \"%s\" of type \"%s\"", place,
                  name, arch);
    else
        hone_fail(HONE_E_UNSUPPORTED, "%s: no model component runs \"%s\"", place, name);
    if (near)
        hone_fail_hint("the closest that is run is %s; asked: %s", near, ids.ptr);
    else
        hone_fail_hint("asked: %s", n ? ids.ptr : "none was found");
    hone_buf_release(&text);
    hone_buf_release(&ids);
    return HONE_E_UNSUPPORTED;
}

static hone_status check_table(const hone_params *p, hone_param i, const hone_model_info *info,
                               const char *what, const char *id)
{
    const hone_param_item *it = hone_params_item(p, i);
    if (!it || it->is_vector || it->rows != info->vocab_size || it->cols != info->hidden)
        return hone_fail(HONE_E_MISBEHAVED, "%s: its %s is no parameter of vocabulary x hidden", id,
                         what);
    return HONE_OK;
}

static hone_status check_declared(const struct declaring *d, const char *id)
{
    const hone_model_info *i = &d->info;
    if (d->n_info != 1)
        return hone_fail(HONE_E_MISBEHAVED, "%s: it gave its facts %d times, not once", id,
                         d->n_info);
    if (i->vocab_size < 1 || i->vocab_size > INT32_MAX || i->hidden < 1 || i->state_floats < 0)
        return hone_fail(HONE_E_RANGE, "%s: a vocabulary of %lld, hidden size %lld", id,
                         (long long)i->vocab_size, (long long)i->hidden);
    HONE_TRY(check_table(d->params, i->embed, i, "embedding", id));
    return check_table(d->params, i->head, i, "head", id);
}

hone_status hone_model_create(const hone_model_choice *choices, size_t n, const char *format,
                              const hone_value *config, const char *place, uint32_t flags,
                              hone_model **out)
{
    hone_str fmt = hone_str_c(format), arch = {"", 0};
    int gguf = strcmp(format, "gguf") == 0;
    const hone_model_choice *c;
    struct declaring d;
    hone_store_v1 store;
    hone_model *m = NULL;
    hone_status s;
    memset(&d, 0, sizeof d);
    if (!config || config->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "%s: the configuration is not a map", place);
    HONE_TRY(hone_value_string(config, gguf ? "general.architecture" : "model_type", arch, &arch));
    hone_map_init(&d.used);
    m = hone_calloc(1, sizeof *m);
    s = m ? HONE_OK : HONE_E_NOMEM;
    HONE_TRY_GOTO(s, fail);
    m->value_head = HONE_NONE;
    m->value_pad = -1;
    snprintf(m->arch, sizeof m->arch, "%.*s", (int)(arch.len < 60 ? arch.len : 60), arch.ptr);
    c = (flags & HONE_MODEL_NAMED) && n ? &choices[0] : surest(choices, n, fmt, config);
    if (!c) {
        s = nobody(m->arch, config, place, choices, n);
        goto fail;
    }
    m->vt = c->vt;
    m->self = c->self;
    m->instance = c->instance;
    snprintf(m->id, sizeof m->id, "%s", c->id);
    HONE_TRY_GOTO(hone_params_create(&m->params), fail);
    d.params = m->params;
    memset(&store, 0, sizeof store);
    store.struct_size = sizeof store;
    store.ctx = &d;
    store.param = store_param;
    store.info = store_info;
    store.fail = store_fail;
    store.used_key = store_used_key;
    store.rename = store_rename;
    store.skip = store_skip;
    hone_instance_enter(c->instance);
    s = hone_instance_leave(c->instance, "declare", c->vt->declare(c->self, fmt, config, &store));
    if (d.failed < 0)
        s = d.failed;
    if (s >= 0)
        s = check_declared(&d, m->id);
    if (s < 0) {
        hone_fail_at("%s", place);
        goto fail;
    }
    s = gguf ? check_gguf_keys(config, m->arch, &d, place, m->id, flags)
             : check_keys(config, "", &d, place, m->id, flags);
    HONE_TRY_GOTO(s, fail);
    m->info = d.info;
    if (!(flags & HONE_MODEL_DECLARED)) {
        HONE_TRY_GOTO(hone_model_place(m, HONE_F32, NULL), fail);
    }
    hone_map_release(&d.used);
    *out = m;
    return HONE_OK;
fail:
    hone_map_release(&d.used);
    hone_model_destroy(m);
    return s;
}

void hone_model_destroy(hone_model *m)
{
    if (!m)
        return;
    hone_params_destroy(m->params);
    hone_free(m);
}

uint64_t hone_model_checksum(const hone_model *m, uint32_t adapters)
{
    const uint64_t sum = hone_params_checksum_with(m->params, adapters);
    return m->head_kind ? hone__value_head_checksum(m, sum) : sum;
}

hone_status hone_model_copy(const hone_model *from, hone_model **out)
{
    hone_model *m = hone_alloc(sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    *m = *from;
    m->params = NULL;
    hone_status s = hone_params_copy(from->params, &m->params);
    if (s < 0) {
        hone_model_destroy(m);
        return s;
    }
    hone_params_tape(m->params, &m->tape_params);
    *out = m;
    return HONE_OK;
}

hone_status hone_model_config_json(const hone_model *m, hone_str *out)
{
    if (!HONE_HAS(m->vt, hone_model_v1, config_json))
        return hone_fail(HONE_E_UNSUPPORTED, "%s: it cannot write its configuration", m->id);
    hone_instance_enter(m->instance);
    *out = m->vt->config_json(m->self);
    hone_instance_leave(m->instance, "config_json", HONE_OK);
    if (!out->ptr)
        return hone_fail(HONE_E_MISBEHAVED, "%s: it gave no configuration", m->id);
    return HONE_OK;
}

hone_status hone_model_gguf_json(const hone_model *m, hone_str *out)
{
    hone_str json = {NULL, 0};
    if (HONE_HAS(m->vt, hone_model_v1, gguf_json)) {
        hone_instance_enter(m->instance);
        json = m->vt->gguf_json(m->self);
        hone_instance_leave(m->instance, "gguf_json", HONE_OK);
    }
    if (!json.ptr)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: it has no GGUF metadata for this configuration",
                         m->id);
    *out = json;
    return HONE_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */
hone_status hone_model_begin(hone_model *m, hone_tape *t, uint32_t mode, const hone_batch *batch,
                             const hone_tape_options *opts)
{
    const int training = mode == HONE_MODE_TRAIN && !(opts && opts->no_param_grads);
    HONE_TRY(hone_params_check_merged(m->params, opts ? opts->adapters : HONE_ADAPTERS_ACTIVE,
                                      training));
    if (training)
        HONE_TRY(hone_params_need_grads(m->params, NULL));
    hone_params_tape(m->params, &m->tape_params);
    hone_params_set_integer(m->params, m->integer_modes >> mode & 1);
    HONE_TRY(hone_params_refresh(m->params, opts ? opts->adapters : HONE_ADAPTERS_ACTIVE,
                                 hone_tape_exec(t)));
    return hone_tape_begin(t, &m->tape_params, mode, batch, opts);
}

hone_tensor hone_model_hidden(hone_model *m, hone_tape *t)
{
    const hone_graph_v1 *g = hone_tape_graph();
    hone_shape shape;
    hone_tensor h;
    if (hone_tape_status(t) < 0)
        return HONE_NONE;
    hone_error_clear(); /* a text that forward leaves is its own */
    hone_instance_enter(m->instance);
    h = m->vt->forward(m->self, g, t);
    hone_error said = *hone_error_get();
    hone_instance_leave(m->instance, "forward", HONE_OK);
    g->block(t, -1);
    if (h < 0 && said.code < 0)
        hone_tape_explain(t, &said);
    if (hone_tape_status(t) < 0)
        return HONE_NONE;
    if (h < 0 || hone_tape_shape(t, h, &shape) < 0 || shape.cols != m->info.hidden) {
        hone_tape_fail(t, hone_fail(HONE_E_MISBEHAVED,
                                    "%s: its forward gave no hidden state of %lld columns", m->id,
                                    (long long)m->info.hidden));
        return HONE_NONE;
    }
    return h;
}

hone_tensor hone_model_logprob(hone_model *m, hone_tape *t, hone_tensor hidden,
                               float inv_temperature, hone_tensor *entropy)
{
    return hone_tape_logprob(t, hidden, m->info.head, m->info.logit_scale, m->info.logit_softcap,
                             inv_temperature, entropy);
}

hone_tensor hone_model_divergence(hone_model *m, hone_tape *t, hone_tensor hidden,
                                  float inv_temperature, const hone_model_teacher *teacher,
                                  hone_tensor *divergence, hone_tensor *entropy)
{
    hone_linear_divergence_attr a = {.inv_temperature = inv_temperature,
                                     .softcap = m->info.logit_softcap,
                                     .logit_scale = m->info.logit_scale,
                                     .divergence_inv_temperature = teacher->inv_temperature,
                                     .teacher_logit_scale = 1.0f,
                                     .beta = teacher->beta,
                                     .topk = teacher->ids != NULL};
    hone_tape_params of;
    hone_view head, grad;
    hone_tensor in[2];
    hone_shape shape;
    if (hone_tape_shape(t, hidden, &shape) < 0) {
        hone_tape_fail(t, hone_error_get()->code);
        *divergence = HONE_NONE;
        return HONE_NONE;
    }
    if (a.topk) {
        in[0] = hone_tape_input(t, teacher->n, teacher->k, HONE_I32, teacher->ids);
        in[1] = hone_tape_input(t, teacher->n, teacher->k, HONE_F32, teacher->logp);
    } else {
        hone_model *tm = teacher->model;
        a.teacher_softcap = tm->info.logit_softcap;
        a.teacher_logit_scale = tm->info.logit_scale;
        hone_params_tape(tm->params, &of);
        if (!of.get(of.ctx, tm->info.head, &head, &grad)) {
            hone_tape_fail(t, hone_fail(HONE_E_INVALID, "the teacher has no head"));
            *divergence = HONE_NONE;
            return HONE_NONE;
        }
        in[0] = hone_tape_input(t, shape.rows, tm->info.hidden, HONE_F32, teacher->hidden);
        in[1] = hone_tape_weight(t, &head);
    }
    return hone_tape_divergence(t, hidden, m->info.head, &a, in[0], in[1], divergence, entropy);
}

hone_tensor hone_model_value(hone_model *m, hone_tape *t, hone_tensor hidden)
{
    hone_tensor own = hidden;
    if (m->head_detached && hone_tape_op(t, "detach/1", &hidden, 1, NULL, 0, &own, 1) < 0)
        return HONE_NONE;
    return hone_tape_graph()->linear(t, own, m->value_head, HONE_NONE);
}

hone_tensor hone_model_logits(hone_model *m, hone_tape *t, hone_tensor hidden)
{
    return hone_tape_logits(t, hidden, m->info.head, m->info.logit_scale, m->info.logit_softcap);
}
