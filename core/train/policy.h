/* policy.h - a model with what it takes to train and sample it.
 *
 * Policy = model + adapters + tokenizer + chat template + optimizer state + generation engine. A reference is
 * the policy's own base with adapters off, or a frozen copy. `version` counts optimizer steps, so a rollout
 * knows which policy drew it. Everything here is [control-thread]. (architecture.md, Words) */
#ifndef HONE_CORE_TRAIN_POLICY_H
#define HONE_CORE_TRAIN_POLICY_H
#include "gen/gen.h"
#include "nn/reader.h"
#include "text/chat.h"
#include "train/optimizer.h"

/* What every part of a run shares. Borrowed by all that is made with it. */
typedef struct hone_desk hone_desk; /* desk.h */
typedef struct hone_env {
    hone_registry *registry;
    hone_pool *pool;
    const hone_comm *comm; /* the ranks that train together; NULL: this process alone */
    hone_desk *desk;       /* what components may ask of the run's policies; NULL: nothing */
} hone_env;
static inline const hone_comm *hone_env_comm(const hone_env *env)
{
    return env->comm ? env->comm : hone_comm_self();
}

#define HONE_MAX_STOP_IDS 16

/* A model's text side: how messages become ids. Shared by copies through a reference count. */
typedef struct hone_text_side {
    uint32_t refs;
    hone_weights *weights; /* metadata only: its mappings are dropped after loading */
    hone_instance *tokenizer_instance;
    hone_tokenizer tokenizer; /* valid when tokenizer_instance */
    hone_chat *chat;          /* or NULL */
    int32_t stop_ids[HONE_MAX_STOP_IDS];
    size_t n_stop_ids;
} hone_text_side;

typedef struct hone_policy {
    char name[64];
    hone_env *env;
    hone_instance
        *model_instance; /* NULL when the model's component belongs to somebody else (Lua) */
    hone_model *model;
    uint32_t *model_refs; /* policies that share the model: one for each adapter on it */
    hone_text_side *text; /* or NULL: a model without a tokenizer */
    hone_gen *gen;
    hone_tape *tape;
    hone_optimizer *optimizer; /* or NULL: frozen */
    double lr;                 /* peak, from the optimizer's configuration */
    uint64_t version;          /* optimizer steps so far */
    uint32_t skipped_in_a_row; /* steps with a gradient that was not finite */
    int adapter;               /* number of the adapter being trained, or -1: full parameters */
    int trains_head;           /* the head of one number (nn/value_head.h) is its to train */
    uint64_t
        begins_with; /* hone_params_checksum_base when it was made, before any training; 0: frozen */
    char model_path[1024]; /* where it came from, "" for a model made from nothing */
} hone_policy;

typedef struct hone_lora_config {
    int32_t rank; /* 0: none */
    double alpha; /* 0: 2 * rank; rsLoRA: 8; PiSSA: rank */
    const char *const *roles;
    uint64_t seed;
    uint32_t kind; /* HONE_LORA_RANK_STABLE, HONE_LORA_DORA */
    uint32_t init; /* HONE_LORA_INIT_* */
    double plus;   /* LoRA+: B learns so many times as fast; 0: 1 */
    const char *
        from; /* an adapter's folder (nn/peft.h), instead of rank, alpha, roles and kind; or NULL */
} hone_lora_config;
/* Is there an adapter? */
static inline int hone_lora_is_set(const hone_lora_config *l)
{
    return l->rank > 0 || l->from != NULL;
}

typedef struct hone_policy_config {
    const char *name;                   /* "policy" when NULL; names files in a checkpoint */
    const char *model;                  /* M; or NULL with `config` */
    const hone_value *config;           /* a model made from nothing: a Hugging Face config tree */
    const hone_model_choice *component; /* a model written in Lua, used with `config` */
    const char *tokenizer; /* M of the tokenizer when it is not the model's own; or NULL */
    struct hone_text_side
        *text; /* the text side of a tokenizer component, instead; or NULL. A reference is taken */
    uint64_t seed; /* initial values of a model made from nothing, of adapters */
    hone_lora_config lora;
    const char *optimizer; /* component; NULL: no optimizer */
    const hone_value *optimizer_config;
    uint32_t value_head; /* HONE_HEAD_*: one that the model's files need not have */
    int head_detached;   /* its gradient does not reach the model */
    uint32_t flags;      /* HONE_MODEL_ALLOW_UNKNOWN */
    uint32_t storage; /* of frozen matrices: HONE_F32 (0), HONE_BF16, HONE_F16, HONE_STORAGE_KEEP */
    const char
        *precision; /* of products over quantised matrices: hone_model_set_precision; or NULL */
} hone_policy_config;

hone_status hone_policy_create(hone_env *env, const hone_policy_config *cfg, hone_policy **out);
void hone_policy_destroy(hone_policy *p);
/* A frozen copy (reference): own parameters, no optimizer. Adapters are copied as they are. */
hone_status hone_policy_copy(hone_policy *p, const char *name, hone_policy **out);
/* A policy of its own on the same base: another adapter (cfg->lora, by the name of the policy) and optimizer, no
 * second copy of the weights. E_STATE when p trains the base itself. cfg's model and config are not read. */
hone_status hone_policy_adapter(hone_policy *p, const hone_policy_config *cfg, hone_policy **out);
/* The adapters that a forward of this policy runs with, and no other of the same base. */
uint32_t hone_policy_mask(const hone_policy *p);
/* Makes this policy's adapter the one that is trainable among those of its base. Before anything that needs
 * gradients or the layout of the optimizer's state. */
void hone_policy_select(hone_policy *p);
/* on: until it is called with 0, the policy's weights are those to evaluate and to save, where its optimizer tells
 * them from those it trains with (train/optimizer.h). Collective. */
hone_status hone_policy_evaluation(hone_policy *p, int on);
/* The policy's generation engine, made on first use. */
hone_status hone_policy_gen(hone_policy *p, hone_gen **out);

/* Model, tokenizer and template of M without weights: for commands that only read text. */
hone_status hone_text_side_open(hone_env *env, const char *model, hone_text_side **out);
/* The same from an open model or tokenizer file. Takes w over, also on failure. */
hone_status hone_text_side_create(hone_env *env, hone_weights *w, hone_text_side **out);
/* That of a tokenizer component without any file: no chat template. A reference to the instance is taken. */
hone_status hone_text_side_from(hone_instance *tokenizer, hone_text_side **out);
hone_text_side *hone_text_side_addref(hone_text_side *t);
void hone_text_side_unref(hone_text_side *t);

/* Ids of a prompt: messages through the template (tools: a list, or NULL), or text as it is (with the tokenizer's own added
 * tokens). */
hone_status hone_policy_encode_messages(const hone_policy *p, const hone_value *messages,
                                        const hone_value *tools, hone_tokens *out,
                                        hone_buf *rendered);
hone_status hone_policy_encode_text(const hone_policy *p, hone_str text, hone_tokens *out);

/* Writes the model as a folder in Hugging Face layout; adapters are merged into what is written. `dtype`
 * HONE_F32, HONE_BF16, HONE_F16, or HONE_STORAGE_KEEP: each tensor as it is stored. */
hone_status hone_policy_save(hone_policy *p, const char *dir, uint32_t dtype);
/* Adds the policy's adapter to the weights, and takes it off again (hone_params_merge). E_STATE without an adapter, or while
 * other policies stand on the same weights. */
hone_status hone_policy_merge(hone_policy *p);
hone_status hone_policy_unmerge(hone_policy *p);
int hone_policy_is_merged(const hone_policy *p);
/* Writes the policy's adapter alone, as PEFT has it (nn/peft.h). dtype HONE_F32, HONE_BF16, HONE_F16. E_STATE: it has
 * none. */
hone_status hone_policy_save_adapter(hone_policy *p, const char *dir, uint32_t dtype);
#endif
