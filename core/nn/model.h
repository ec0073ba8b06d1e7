/* model.h - a model: a component that declares and runs it, its facts, its parameters.
 *
 * Created from a configuration by asking the given components how sure they are (probe) and letting
 * the surest declare its parameters. Values come from a reader (safetensors, GGUF) or from init.
 * The forward is recorded on a tape. A key of the configuration that is set and that the component
 * did not say it understood is refused, because a model computed without it would be another model.
 *
 * A copy shares the component and has its own parameters (a frozen reference, an EMA). */
#ifndef HONE_CORE_NN_MODEL_H
#define HONE_CORE_NN_MODEL_H
#include "host/registry.h"
#include "nn/params.h"

typedef struct hone_tensor_reader hone_tensor_reader;

/* A component instance that offers hone.model/1. Borrowed: it must outlive every model made of
 * it. */
typedef struct hone_model_choice {
    const hone_model_v1 *vt;
    void *self;
    const char *id;          /* "org.hone.model.llama" */
    hone_instance *instance; /* or NULL */
} hone_model_choice;

typedef struct hone_model {
    const hone_model_v1 *vt;
    void *self;
    hone_instance *instance; /* borrowed; or NULL */
    char id[64];
    char arch[64]; /* model_type or general.architecture */
    hone_model_info info;
    hone_params *params;          /* owned */
    hone_tape_params tape_params; /* params, as the tape sees them */
    uint32_t integer_modes;       /* bits 1 << HONE_MODE_*: where products sum integers */
    /* A head of one number (value_head.h): its parameter, 1 x hidden, or -1; what it is for; the padding token behind
     * a text, which has no value of its own, or -1; whether its gradient stays with it. */
    hone_param value_head;
    uint32_t head_kind; /* HONE_HEAD_* */
    int32_t value_pad, head_detached;
} hone_model;

#define HONE_MODEL_ALLOW_UNKNOWN (1u << 0) /* unknown configuration keys are ignored (and logged) */
/* choices[0] was named, not looked for: probe is not asked, and every key of the configuration is its own. */
#define HONE_MODEL_NAMED (1u << 1)

/* Parameters are named and take no memory: for converting files, or until hone_model_place. Only names,
 * shapes and the configurations may be asked for. */
#define HONE_MODEL_DECLARED (1u << 2)

/* How the matrices of a frozen model are stored: HONE_F32 (also 0), HONE_BF16, HONE_F16, or each as the file
 * has it where that is a type for weights. Norms and biases are float32. */
#define HONE_STORAGE_KEEP 0xffffffffu
/* "f32", "bf16", "f16", "keep"; NULL: f32. E_USAGE names what there is. */
hone_status hone_storage_parse(const char *text, uint32_t *out);

/* `format`: "hf" (a config.json tree) or "gguf" (metadata as a map). `place` names the file in
 * errors. E_UNSUPPORTED: no component knows it, or a key is not understood. Parameters are zero.
 * The instance belongs to the configuration it declared last: use one instance a model. */
hone_status hone_model_create(const hone_model_choice *choices, size_t n, const char *format,
                              const hone_value *config, const char *place, uint32_t flags,
                              hone_model **out);
/* The second half for a model that was only declared: its parameters get memory, stored as `storage` says.
 * r: the file they will be read from, which KEEP asks; NULL: none, and KEEP is f32. */
hone_status hone_model_place(hone_model *m, uint32_t storage, const hone_tensor_reader *r);
/* "f32" (NULL) or "int8": products over quantised matrices sum integers in the modes of a rollout, and where the model
 * is not trained in SCORE as well, so that the two agree; training never does. E_USAGE: another text, or no quantised
 * matrix. After hone_model_place. */
hone_status hone_model_set_precision(hone_model *m, const char *text, int trained);
/* hone_params_checksum_with, and the head of one number. */
uint64_t hone_model_checksum(const hone_model *m, uint32_t adapters);
void hone_model_destroy(hone_model *m); /* NULL is allowed; the component instance is not touched */
hone_status hone_model_copy(const hone_model *m, hone_model **out);
/* The configuration as Hugging Face config.json text. Borrowed from the component. */
hone_status hone_model_config_json(const hone_model *m, hone_str *out);
/* The same as GGUF metadata, a JSON object (hone/model.h). E_UNSUPPORTED: the component has none. */
hone_status hone_model_gguf_json(const hone_model *m, hone_str *out);

/* ---- forward: recorded on a tape (graph/tape.h), computed by hone_tape_forward --------------- */
hone_status hone_model_begin(hone_model *m, hone_tape *t, uint32_t mode, const hone_batch *batch,
                             const hone_tape_options *opts);
hone_tensor hone_model_hidden(hone_model *m, hone_tape *t); /* T x hidden */
/* Log-probs (and entropies, unless NULL) of the batch's targets at this 1/temperature: n_targets x
 * 1. */
hone_tensor hone_model_logprob(hone_model *m, hone_tape *t, hone_tensor hidden,
                               float inv_temperature, hone_tensor *entropy);
/* A teacher of the batch: its hidden states (n_tokens x its hidden) and the model they are of; or the K largest
 * log-probs of each target (n_targets x K). At this beta and 1/temperature (ops/linear.h). */
typedef struct hone_model_teacher {
    hone_model *model;
    const float *hidden;
    const int32_t *ids;
    const float *logp;
    int64_t n, k; /* n_targets, K */
    float beta, inv_temperature;
} hone_model_teacher;
/* As hone_model_logprob, and the divergence from the teacher: n_targets x 1. */
hone_tensor hone_model_divergence(hone_model *m, hone_tape *t, hone_tensor hidden,
                                  float inv_temperature, const hone_model_teacher *teacher,
                                  hone_tensor *divergence, hone_tensor *entropy);
/* What the head of one number says of each token's hidden state: n_tokens x 1. The model has one. */
hone_tensor hone_model_value(hone_model *m, hone_tape *t, hone_tensor hidden);
/* n_logit_rows x vocabulary, before any temperature. */
hone_tensor hone_model_logits(hone_model *m, hone_tape *t, hone_tensor hidden);

/* ---- files ----------------------------------------------------------------------------------- */
/* What a file of tensors offers the loader. Implemented over safetensors (one file or shards) and
 * GGUF. */
typedef struct hone_tensor_entry {
    int64_t rows, cols; /* a vector: rows = n, cols = 0 */
    uint64_t id;        /* the reader's own */
    uint32_t type;      /* HONE_FT_* (nn/dequant.h) it is stored in */
} hone_tensor_entry;
struct hone_tensor_reader {
    void *ctx;
    const char *place; /* path, for errors */
    int gguf;          /* names are gguf_name, q/k rows may be permuted; else Hugging Face names */
    /* 1 found, 0 not there, < 0 a failure (more than two dimensions, unknown type). */
    int32_t (*find)(void *ctx, const char *name, hone_tensor_entry *out);
    /* Rows [first, first + n) dequantised to float32, row-major, into out (a vector is one row of
     * n). May be called by several threads at once on disjoint rows. */
    hone_status (*read)(void *ctx, const hone_tensor_entry *e, int64_t first, int64_t n,
                        float *out);
    size_t n_tensors;
    const char *(*name)(void *ctx, size_t i); /* to find tensors that nobody asked for */
    /* The bytes of one row of a matrix in the type it is stored in, or NULL. Optional. Borrowed. */
    const unsigned char *(*row)(void *ctx, const hone_tensor_entry *e, int64_t row);
    /* These rows are not needed soon: their memory may go. Optional. */
    void (*done)(void *ctx, const hone_tensor_entry *e, int64_t first, int64_t n);
};

/* Fills every parameter, in parallel, rounding to what is stored (a file's own type loses nothing). Missing, unasked-for and misshapen tensors are reported in
 * one error that lists the first few of each; the parameters are then unspecified. Ignored: the
 * head of a tied model, rotary inverse frequencies. `exec` may be NULL (one thread). */
hone_status hone_model_load(hone_model *m, const hone_tensor_reader *r, const hone_exec *exec);
/* Where a base parameter lies in a file: under its own name, under one that hone_params_rename allows, or
 * without "model." (a file of the bare model). *name (room for `size`) is the name found, or its own.
 * 1 found, 0 not there, < 0 a failure. */
int32_t hone_model_find_tensor(const hone_params *p, const hone_param_item *it,
                               const hone_tensor_reader *r, hone_tensor_entry *e, char *name,
                               size_t size);
/* Rows [first, first + n) of a parameter (a vector is one row) as Hugging Face has them, from either format:
 * permuted rows in order, gguf_offset taken off. */
hone_status hone_model_read_rows(const hone_tensor_reader *r, const hone_param_item *it,
                                 const hone_tensor_entry *e, int64_t first, int64_t n, float *out);
/* Row `row` of a permuted GGUF matrix of `rows` rows and `heads` heads holds which row of the
 * Hugging Face layout (and so where a writer takes row `row` from)? */
int64_t hone_model_gguf_row(int64_t row, int64_t rows, uint32_t heads);
#endif
