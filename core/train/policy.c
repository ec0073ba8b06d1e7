/* policy.c - loading, copying and saving what policy.h calls a policy. */
#include "train/policy.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/trace.h"
#include "nn/choose.h"
#include "nn/packs.h"
#include "nn/hf.h"
#include "nn/peft.h"
#include "nn/value_head.h"
#include "ops/storage.h"
#include "train/desk.h"

#include <stdio.h>
#include <string.h>

/* ---- text side -------------------------------------------------------------------------------------- */

static hone_status open_tokenizer(hone_text_side *t, hone_env *env, const hone_value *spec)
{
    hone_pair pair = {.key = {"spec", 4}, .value = *spec};
    hone_value config = {.type = HONE_MAP, .u.map = {&pair, 1}};
    const hone_component_info *info;
    hone_status s = HONE_E_UNSUPPORTED;
    for (size_t i = 0;
         (info = hone_registry_component(env->registry, HONE_KIND_TOKENIZER, i)) != NULL; i++) {
        s = hone_instance_create_info(env->registry, info, &config, &t->tokenizer_instance);
        if (s != HONE_E_UNSUPPORTED)
            break;
    }
    if (s == HONE_E_UNSUPPORTED &&
        hone_registry_component(env->registry, HONE_KIND_TOKENIZER, 0) == NULL)
        return hone_fail(HONE_E_NOT_FOUND, "no tokenizer plugin was found");
    if (s == HONE_E_UNSUPPORTED)
        hone_fail_hint("docs/tokenizers.md says what is read and what is refused");
    else if (s == HONE_E_PARSE || s == HONE_E_LIMIT || s == HONE_E_NOT_FOUND)
        hone_fail_hint("the tokenizer is damaged or incomplete: fetch it again, or name another");
    if (s < 0)
        return hone_fail_at("%s", hone_weights_path(t->weights));
    hone_ref ref;
    HONE_TRY(hone_instance_ref(t->tokenizer_instance, HONE_IFACE_TOKENIZER, &ref));
    return hone_tokenizer_init(&t->tokenizer, t->tokenizer_instance, ref);
}

hone_status hone_text_side_create(hone_env *env, hone_weights *w, hone_text_side **out)
{
    hone_text_side *t = hone_calloc(1, sizeof *t);
    if (!t) {
        hone_weights_close(w);
        return HONE_E_NOMEM;
    }
    t->refs = 1;
    t->weights = w;
    const hone_value *spec = hone_weights_tokenizer(w);
    hone_weights_chat chat;
    hone_status s = spec ? open_tokenizer(t, env, spec) : HONE_OK;
    hone_weights_get_chat(w, &chat);
    if (s >= 0 && chat.source.ptr)
        s = hone_chat_create(chat.source, hone_weights_path(w), chat.bos, chat.eos, &t->chat);
    if (s < 0) {
        hone_text_side_unref(t);
        return s;
    }
    t->n_stop_ids = hone_weights_stop_ids(w, t->stop_ids, HONE_MAX_STOP_IDS);
    if (t->n_stop_ids > HONE_MAX_STOP_IDS)
        t->n_stop_ids = HONE_MAX_STOP_IDS;
    if (t->n_stop_ids == 0 && t->tokenizer_instance && t->tokenizer.eos >= 0)
        t->stop_ids[t->n_stop_ids++] = t->tokenizer.eos;
    *out = t;
    return HONE_OK;
}

hone_status hone_text_side_open(hone_env *env, const char *model, hone_text_side **out)
{
    hone_weights *w;
    HONE_TRY(hone_weights_open(model, HONE_WEIGHTS_NO_TENSORS, &w));
    return hone_text_side_create(env, w, out);
}

hone_status hone_text_side_from(hone_instance *tokenizer, hone_text_side **out)
{
    hone_ref ref;
    HONE_TRY(hone_instance_ref(tokenizer, HONE_IFACE_TOKENIZER, &ref));
    hone_text_side *t = hone_calloc(1, sizeof *t);
    if (!t)
        return HONE_E_NOMEM;
    t->refs = 1;
    t->tokenizer_instance = hone_instance_addref(tokenizer);
    hone_status s = hone_tokenizer_init(&t->tokenizer, tokenizer, ref);
    if (s < 0) {
        hone_text_side_unref(t);
        return s;
    }
    if (t->tokenizer.eos >= 0)
        t->stop_ids[t->n_stop_ids++] = t->tokenizer.eos;
    *out = t;
    return HONE_OK;
}

hone_text_side *hone_text_side_addref(hone_text_side *t)
{
    t->refs++;
    return t;
}

void hone_text_side_unref(hone_text_side *t)
{
    if (!t || --t->refs > 0)
        return;
    hone_chat_destroy(t->chat);
    hone_instance_unref(t->tokenizer_instance);
    hone_weights_close(t->weights);
    hone_free(t);
}

/* ---- the model -------------------------------------------------------------------------------------- */

/* Memory for the parameters. What is trained is float32: other storage is for a base that stays as it is. */
static hone_status place(hone_policy *p, const hone_policy_config *cfg, const hone_tensor_reader *r)
{
    HONE_TRY(hone_model_place(p->model, cfg->storage, r));
    HONE_TRY(hone_model_set_precision(p->model, cfg->precision,
                                      cfg->optimizer || hone_lora_is_set(&cfg->lora)));
    const hone_params *ps = p->model->params;
    if (!cfg->optimizer || hone_lora_is_set(&cfg->lora))
        return HONE_OK;
    for (hone_param i = 0; i < hone_params_count(ps); i++) {
        const hone_storage *s = hone_storage_get(hone_params_item(ps, i)->dtype);
        if (s->trained)
            continue;
        hone_fail(HONE_E_UNSUPPORTED, "%s: all weights are to be trained, and %s is stored as %s",
                  p->name, hone_params_item(ps, i)->name, s->name);
        return hone_fail_hint("store them as f32, or train an adapter over the frozen weights "
                              "(lora = { rank = 16 })");
    }
    return HONE_OK;
}

/* The head that the model's files have, or the one that is asked for. */
static hone_status declare_head(hone_policy *p, const hone_policy_config *cfg, int in_file,
                                const hone_value *config)
{
    const uint32_t kind = in_file ? HONE_HEAD_REWARD : cfg->value_head;
    if (in_file && cfg->value_head == HONE_HEAD_VALUE) {
        hone_fail(HONE_E_INVALID, "%s: %s is a reward model, which has no next token to value",
                  p->name, cfg->model);
        return hone_fail_hint("name a language model, or say value_head = \"reward\"");
    }
    if (kind == HONE_HEAD_NONE)
        return HONE_OK;
    HONE_TRY(hone_value_head_declare(p->model, kind, hone_value_head_pad(config), in_file));
    p->model->head_detached = cfg->head_detached;
    p->trains_head = cfg->optimizer != NULL;
    return HONE_OK;
}

/* Values of a head that the model's own files do not have. */
static hone_status fill_head(hone_policy *p, const hone_policy_config *cfg, const char *dir)
{
    if (p->model->head_kind == HONE_HEAD_NONE)
        return HONE_OK;
    HONE_TRY(hone_value_head_init(p->model, cfg->seed));
    if (p->model->head_kind != HONE_HEAD_VALUE || hone_region_planning())
        return HONE_OK;
    const int32_t found = hone_value_head_read(p->model, dir);
    return found < 0 ? found : HONE_OK;
}

static hone_status load(hone_policy *p, const hone_policy_config *cfg)
{
    hone_weights *w;
    hone_tensor_reader reader;
    HONE_TRY(hone_weights_open(cfg->model, 0, &w));
    const hone_value *config = hone_weights_config(w);
    hone_value bare;
    hone_arena a; /* of a reward model's configuration */
    int rewards = 0;
    hone_arena_init(&a, (size_t)1 << 24);
    hone_status s = config ? HONE_OK
                           : hone_fail(HONE_E_INVALID, "%s has no model configuration", cfg->model);
    if (s >= 0 && strcmp(hone_weights_format(w), "hf") == 0)
        s = hone_value_head_config(config, &a, &bare, &rewards);
    if (s < 0 && config)
        hone_fail_at("%s", hone_weights_path(w));
    if (rewards)
        config = &bare;
    if (s >= 0)
        s = hone_model_choose(p->env->registry, hone_weights_format(w), config,
                              hone_weights_path(w), cfg->flags | HONE_MODEL_DECLARED,
                              &p->model_instance, &p->model);
    if (s >= 0)
        s = declare_head(p, cfg, rewards, hone_weights_config(w));
    if (s >= 0) {
        hone_weights_reader(w, &reader);
        s = place(p, cfg, &reader);
        if (s >= 0 && !hone_region_planning()) { /* a plan wants shapes only */
            hone_trace_span span;
            hone_trace_begin(&span, "load weights", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
            s = hone_model_load(p->model, &reader, hone_pool_exec(p->env->pool));
            hone_trace_end(&span, NULL);
        }
    }
    if (s >= 0 && !rewards)
        s = fill_head(p, cfg, hone_weights_path(w));
    hone_arena_release(&a);
    if (s < 0) {
        hone_weights_close(w);
        return s;
    }
    snprintf(p->model_path, sizeof p->model_path, "%s", hone_weights_path(w));
    hone_weights_unmap(w);
    if (cfg->text) {
        hone_weights_close(w);
        p->text = hone_text_side_addref(cfg->text);
        return HONE_OK;
    }
    if (cfg->tokenizer) {
        hone_weights_close(w);
        return hone_text_side_open(p->env, cfg->tokenizer, &p->text);
    }
    return hone_text_side_create(p->env, w, &p->text);
}

static hone_status from_nothing(hone_policy *p, const hone_policy_config *cfg)
{
    if (cfg->component) {
        HONE_TRY(hone_packs_load(p->env->registry));
        HONE_TRY(hone_model_create(cfg->component, 1, "hf", cfg->config, "the recipe's model",
                                   cfg->flags | HONE_MODEL_NAMED | HONE_MODEL_DECLARED, &p->model));
    } else
        HONE_TRY(hone_model_choose(p->env->registry, "hf", cfg->config, "the recipe's model",
                                   cfg->flags | HONE_MODEL_DECLARED, &p->model_instance,
                                   &p->model));
    HONE_TRY(declare_head(p, cfg, 0, cfg->config));
    HONE_TRY(place(p, cfg, NULL));
    HONE_TRY(hone_params_init_values(p->model->params, cfg->seed));
    if (cfg->text) {
        p->text = hone_text_side_addref(cfg->text);
        return HONE_OK;
    }
    return cfg->tokenizer ? hone_text_side_open(p->env, cfg->tokenizer, &p->text) : HONE_OK;
}

static int32_t load_adapter(hone_policy *p, const hone_lora_config *l)
{
    hone_peft *a;
    HONE_TRY(hone_peft_open(l->from, &a));
    int32_t k = hone_peft_add(a, p->model->params, p->name, (float)l->plus,
                              hone_pool_exec(p->env->pool));
    hone_peft_close(a);
    return k;
}

static int32_t new_adapter(hone_policy *p, const hone_lora_config *l)
{
    const double usual = l->kind & HONE_LORA_RANK_STABLE       ? 8.0
                         : l->init == HONE_LORA_INIT_PRINCIPAL ? l->rank
                                                               : 2.0 * l->rank;
    hone_adapter_spec spec = {.name = p->name,
                              .rank = l->rank,
                              .alpha = (float)(l->alpha > 0 ? l->alpha : usual),
                              .roles = l->roles,
                              .init = l->init,
                              .kind = l->kind,
                              .exec = hone_pool_exec(p->env->pool),
                              .b_lr_scale = (float)l->plus,
                              .seed = l->seed};
    return hone_params_add_adapter(p->model->params, &spec);
}

static hone_status add_lora(hone_policy *p, const hone_lora_config *l)
{
    int32_t a = l->from ? load_adapter(p, l) : new_adapter(p, l);
    if (a < 0)
        return a;
    hone_params_freeze_base(p->model->params);
    p->adapter = a;
    return HONE_OK;
}

static hone_status new_policy(hone_env *env, const char *name, hone_policy **out)
{
    hone_policy *p = hone_calloc(1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    p->env = env;
    p->adapter = -1;
    snprintf(p->name, sizeof p->name, "%s", name ? name : "policy");
    hone_status s = hone_tape_create(hone_pool_exec(env->pool), &p->tape);
    if (s < 0) {
        hone_free(p);
        return s;
    }
    s = hone__desk_add(env->desk, p);
    if (s < 0) {
        hone_tape_destroy(p->tape);
        hone_free(p);
        return s;
    }
    *out = p;
    return HONE_OK;
}

static hone_status add_optimizer(hone_policy *p, const hone_policy_config *cfg)
{
    if (!cfg->optimizer)
        return HONE_OK;
    HONE_TRY(hone_optimizer_create(p->env->registry, cfg->optimizer, cfg->optimizer_config,
                                   &p->optimizer));
    p->lr = p->optimizer->lr;
    hone_policy_select(p);
    return hone_optimizer_bind(p->optimizer, p->model->params, hone_env_comm(p->env));
}

hone_status hone_policy_create(hone_env *env, const hone_policy_config *cfg, hone_policy **out)
{
    hone_policy *p;
    HONE_TRY(new_policy(env, cfg->name, &p));
    hone_status s = cfg->model    ? load(p, cfg)
                    : cfg->config ? from_nothing(p, cfg)
                                  : hone_fail(HONE_E_INVALID, "a policy needs a model");
    if (s >= 0 && hone_lora_is_set(&cfg->lora))
        s = add_lora(p, &cfg->lora);
    if (s >= 0)
        s = add_optimizer(p, cfg);
    if (s < 0) {
        hone_policy_destroy(p);
        return s;
    }
    hone_params_tape(p->model->params, &p->model->tape_params);
    if (p->optimizer)
        p->begins_with = hone_params_checksum_base(p->model->params);
    *out = p;
    return HONE_OK;
}

void hone_policy_destroy(hone_policy *p)
{
    if (!p)
        return;
    hone__desk_remove(p->env->desk, p);
    hone_gen_destroy(p->gen);
    hone_tape_destroy(p->tape);
    hone_optimizer_destroy(p->optimizer);
    if (!p->model_refs || --*p->model_refs == 0) {
        hone_model_destroy(p->model);
        hone_free(p->model_refs);
    }
    hone_text_side_unref(p->text);
    hone_instance_unref(p->model_instance);
    hone_free(p);
}

uint32_t hone_policy_mask(const hone_policy *p)
{
    return p->adapter >= 0 ? 1u << p->adapter : HONE_ADAPTERS_NONE;
}

void hone_policy_select(hone_policy *p)
{
    hone_params *ps = p->model->params;
    for (int32_t i = 0; i < hone_params_count(ps); i++) {
        const hone_param_item *it = hone_params_item(ps, i);
        if (it && it->adapter >= 0)
            (void)hone_params_set_trainable(ps, i, it->adapter == p->adapter); /* float32 */
    }
    (void)hone_params_set_trainable(ps, p->model->value_head, p->trains_head); /* float32 */
    hone_params_set_active(ps, hone_policy_mask(p));
}

/* The parts of a policy that one on the same model, or a copy of it, shares. */
static void share(const hone_policy *p, hone_policy *c)
{
    c->model_instance = p->model_instance ? hone_instance_addref(p->model_instance) : NULL;
    c->text = p->text;
    if (c->text)
        c->text->refs++;
    snprintf(c->model_path, sizeof c->model_path, "%s", p->model_path);
    hone_params_tape(c->model->params, &c->model->tape_params);
}

hone_status hone_policy_adapter(hone_policy *p, const hone_policy_config *cfg, hone_policy **out)
{
    hone_policy *c;
    if (p->optimizer && p->adapter < 0) {
        hone_fail(HONE_E_STATE,
                  "%s trains all weights of its model, so nothing else can stand on it", p->name);
        return hone_fail_hint("give it an adapter as well (lora = { rank = 16 }), or no optimizer");
    }
    if (!hone_lora_is_set(&cfg->lora))
        return hone_fail(HONE_E_INVALID, "adapter %s: lora with a rank is missing", cfg->name);
    if (!p->model_refs) {
        p->model_refs = hone_alloc(sizeof *p->model_refs);
        if (!p->model_refs)
            return HONE_E_NOMEM;
        *p->model_refs = 1;
    }
    HONE_TRY(new_policy(p->env, cfg->name, &c));
    c->model = p->model;
    c->model_refs = p->model_refs;
    ++*c->model_refs;
    hone_status s = add_lora(c, &cfg->lora);
    if (s >= 0)
        s = add_optimizer(c, cfg);
    if (s < 0) {
        hone_error e = *hone_error_get();
        if (c->adapter >= 0)
            hone_params_drop_adapter(p->model->params, c->adapter);
        hone_policy_destroy(c);
        return hone_error_set(&e);
    }
    share(p, c);
    if (c->optimizer)
        c->begins_with = hone_params_checksum_base(p->model->params);
    *out = c;
    return HONE_OK;
}

hone_status hone_policy_copy(hone_policy *p, const char *name, hone_policy **out)
{
    hone_policy *c;
    HONE_TRY(new_policy(p->env, name, &c));
    hone_status s = hone_model_copy(p->model, &c->model);
    if (s < 0) {
        hone_policy_destroy(c);
        return s;
    }
    c->adapter = p->adapter;
    share(p, c);
    *out = c;
    return HONE_OK;
}

hone_status hone_policy_evaluation(hone_policy *p, int on)
{
    if (!p->optimizer || !hone_optimizer_evaluates(p->optimizer) || hone_policy_is_merged(p))
        return HONE_OK; /* merged: those to evaluate are in the base */
    hone_policy_select(p);
    return hone_optimizer_evaluation(p->optimizer, p->model->params, p->env->pool, on);
}

hone_status hone_policy_gen(hone_policy *p, hone_gen **out)
{
    if (!p->gen) {
        const hone_tokenizer *t = p->text && p->text->tokenizer_instance ? &p->text->tokenizer
                                                                         : NULL;
        HONE_TRY(hone_gen_create(p->model, t, p->env->pool, &p->gen));
    }
    *out = p->gen;
    return HONE_OK;
}

/* ---- text --------------------------------------------------------------------------------------------- */

static hone_status need_tokenizer(const hone_policy *p)
{
    if (p->text && p->text->tokenizer_instance)
        return HONE_OK;
    hone_status s = hone_fail(HONE_E_INVALID, "%s has no tokenizer",
                              p->model_path[0] ? p->model_path : p->name);
    hone_fail_hint("name one: run:policy { ..., tokenizer = \"folder or file\" }");
    return s;
}

hone_status hone_policy_encode_messages(const hone_policy *p, const hone_value *messages,
                                        const hone_value *tools, hone_tokens *out,
                                        hone_buf *rendered)
{
    hone_chat_options opt = {.add_generation_prompt = 1, .tools = tools};
    HONE_TRY(need_tokenizer(p));
    if (!p->text->chat) {
        hone_status s = hone_fail(HONE_E_INVALID,
                                  "%s has no chat template, and the prompt is a list of messages",
                                  p->model_path);
        hone_fail_hint("give prompts as plain text, or put a chat_template.jinja beside the model");
        return s;
    }
    if (rendered)
        HONE_TRY(hone_chat_render(p->text->chat, messages, &opt, rendered));
    return hone_chat_prompt(p->text->chat, &p->text->tokenizer, messages, &opt, out);
}

hone_status hone_policy_encode_text(const hone_policy *p, hone_str text, hone_tokens *out)
{
    HONE_TRY(need_tokenizer(p));
    return hone_tokenizer_encode(&p->text->tokenizer, text, HONE_ENCODE_ADD | HONE_ENCODE_SPECIAL,
                                 out);
}

hone_status hone_policy_save(hone_policy *p, const char *dir, uint32_t dtype)
{
    return hone_hf_save(p->model, p->text ? p->text->weights : NULL, dir, dtype,
                        p->adapter >= 0 ? hone_policy_mask(p) : 0);
}

static hone_status need_adapter(const hone_policy *p, const char *what)
{
    if (p->adapter >= 0)
        return HONE_OK;
    return hone_fail(HONE_E_STATE, "%s has no adapter to be %s", p->name, what);
}

hone_status hone_policy_save_adapter(hone_policy *p, const char *dir, uint32_t dtype)
{
    const hone_storage *st = hone_storage_get(dtype);
    const hone_file_type *t = st ? hone_file_type_named(st->name) : NULL;
    HONE_TRY(need_adapter(p, "saved"));
    if (p->model->head_kind == HONE_HEAD_REWARD) {
        hone_fail(HONE_E_UNSUPPORTED, "%s: an adapter alone has no place for a reward model's head",
                  p->name);
        return hone_fail_hint("save the model, with the adapter merged: policy:save(path)");
    }
    return hone_peft_write(dir, p->model, p->adapter, p->model_path[0] ? p->model_path : NULL,
                           t ? t->id : HONE_FT_U8, HONE_HF_OVERWRITE);
}

int hone_policy_is_merged(const hone_policy *p)
{
    return (hone_params_merged(p->model->params) & hone_policy_mask(p)) != 0;
}

hone_status hone_policy_merge(hone_policy *p)
{
    HONE_TRY(need_adapter(p, "merged"));
    if (p->model_refs && *p->model_refs > 1) {
        hone_fail(HONE_E_STATE, "%s: %u policies stand on its weights, and one would change them",
                  p->name, *p->model_refs);
        return hone_fail_hint(
            "save the merged model: policy:save(path); or merge a copy: policy:copy(name)");
    }
    hone_status s = hone_policy_evaluation(p, 1); /* those are added */
    int swapped = p->optimizer && p->optimizer->evaluating;
    if (s >= 0)
        s = hone_params_merge(p->model->params, p->adapter);
    if (swapped)
        (void)hone_optimizer_evaluation(p->optimizer, p->model->params, p->env->pool, 0);
    return s;
}

hone_status hone_policy_unmerge(hone_policy *p)
{
    HONE_TRY(need_adapter(p, "taken off"));
    return hone_params_unmerge(p->model->params);
}
