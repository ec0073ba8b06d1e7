/* peft.h - adapters in the layout of PEFT: a folder with adapter_config.json and adapter_model.safetensors.
 *
 * Read and written are LoRA, rsLoRA (use_rslora) and DoRA (use_dora), with ranks and alphas that differ by module
 * (rank_pattern, alpha_pattern). Tensors are called base_model.model.<module>.lora_A.weight, .lora_B.weight and
 * .lora_magnitude_vector, as PEFT's save_pretrained does; <module>.weight is the base parameter. PiSSA is
 * written as the plain adapter that it comes to; one that PEFT saved without converting it (init_lora_weights "pissa") is read by
 * taking the singular triples of the base anew, as PEFT does when it loads one. What a configuration
 * asks for beyond that (bias, modules_to_save, ...) is refused by its name, never left out in silence.
 *
 * An opened adapter is checked as far as it can be without a base: pairs complete, shapes that fit each other, ranks as the
 * configuration says, values finite. hone_peft_add then wants each module in the base, with that shape, before it
 * changes anything. Does not: read pickled adapters (adapter_model.bin). Source: PEFT 0.21, LoraConfig and
 * utils/save_and_load.py. */
#ifndef HONE_CORE_NN_PEFT_H
#define HONE_CORE_NN_PEFT_H
#include "nn/model.h"

typedef struct hone_peft hone_peft;

/* E_NOT_FOUND, E_PARSE, E_SHAPE, E_RANGE, E_UNSUPPORTED, E_LIMIT with path, key or tensor and reason. [any-thread] */
hone_status hone_peft_open(const char *path, hone_peft **out);
/* The same of the two files' bytes; the second must live as long as the adapter. `name` stands in errors. [any-thread] */
hone_status hone_peft_parse(hone_str config, const void *weights, size_t n, const char *name,
                            hone_peft **out);
void hone_peft_close(hone_peft *a); /* NULL is allowed */

typedef struct hone_peft_info {
    const char *path; /* borrowed, as all texts here */
    hone_str base;    /* base_model_name_or_path; ptr NULL: none */
    int32_t rank;     /* r */
    double alpha;     /* lora_alpha */
    uint32_t kind;    /* HONE_LORA_* of nn/params.h */
    size_t n_modules;
    uint64_t n_params, bytes; /* numbers in it, bytes of adapter_model.safetensors */
} hone_peft_info;
void hone_peft_get_info(const hone_peft *a, hone_peft_info *out);
/* Module i as the file calls it ("model.layers.0.self_attn.q_proj"), its rank and shape. i < n_modules. */
void hone_peft_module(const hone_peft *a, size_t i, hone_str *name, int32_t *rank, int64_t *inputs,
                      int64_t *outputs);

/* Puts the adapter on a base under a name of its own; trainable and active like a new one. Its number, or a status < 0:
 * E_NOT_FOUND when a module is none of the base, E_SHAPE. b_lr_scale and exec as in hone_adapter_spec.  [control-thread] */
int32_t hone_peft_add(const hone_peft *a, hone_params *p, const char *name, float b_lr_scale,
                      const hone_exec *exec);

/* Writes adapter `adapter` of m as the folder `path`, whole or not at all. base: what adapter_config.json calls the model
 * it stands on, or NULL. type: HONE_FT_F32, HONE_FT_BF16, HONE_FT_F16. flags: HONE_HF_OVERWRITE. */
hone_status hone_peft_write(const char *path, const hone_model *m, int32_t adapter,
                            const char *base, uint32_t type, uint32_t flags);
#endif
