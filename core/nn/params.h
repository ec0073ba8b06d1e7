/* params.h - the parameter store: weights, gradients, adapters.
 *
 * Base parameters lie in one region in the order of declaration, each 64-byte aligned: matrices in
 * 32-row panels (ops.h; their only copy, for every kernel set), vectors flat. Gradients of
 * trainable parameters lie in a second region, one after the other; offset `flat` of a parameter
 * there is also its place in every array an optimizer keeps, so an optimizer step is one linear
 * pass. Padding is zero and stays zero: gradients of padding are zero.
 *
 * A matrix may be stored as BF16, F16 or quantised (ops/storage.h), decided before seal. The base is then
 * frozen: what is trained is float32. Kernels widen the values in registers, which is exact, so
 * everything computed has the bits it has over the same values in float32.
 *
 * An adapter (LoRA; Hu et al. 2021) is an attribute of matrices, which `linear` honours: for weight
 * W (out x in), y += (alpha / r) * (x A^T) B^T with A (r x in) random and B (out x r) zero, so that
 * a new adapter changes nothing. Several named ones may stand on one base; a forward runs with a
 * set of them (a mask), so policy (on) and reference (off) share one base. A and B are parameters
 * like others (named as PEFT does: base_model.model.<module>.lora_A.<adapter>.weight), in a region
 * of the adapter. rsLoRA divides by sqrt(r) instead (Kalajdzievski 2023). DoRA (Liu et al. 2024) gives
 * each row of V = W + scale B A a length m of its own: y = (m / |V|) (x V^T) + bias, the norm a constant
 * for the gradient; norms are kept per adapter and made anew when A, B or the base changed. PiSSA
 * (Meng et al. 2024) starts from the largest singular vectors of W: a fixed pair A0, B0 with the values that A and B start
 * from is subtracted, W - scale B0 A0 being the residual of the paper, so that the base itself stays as it is
 * for whoever else stands on it.
 *
 * Values leave and enter as rows, never as panels: files, checksums of single tensors and tests see
 * row-major data. (compute.md 3, 4) */
#ifndef HONE_CORE_NN_PARAMS_H
#define HONE_CORE_NN_PARAMS_H
#include "graph/tape.h"

typedef struct hone_params hone_params;

#define HONE_ADAPTERS_MAX 31
#define HONE_ADAPTER_RANK_MAX 4096

/* What one parameter is; borrowed, valid while the store lives (the pointers to data and gradient
 * move only at seal, add_adapter, drop_adapter and set_trainable). */
typedef struct hone_param_item {
    const char *name, *gguf_name, *role; /* gguf_name may be NULL */
    uint32_t flags;                      /* HONE_PARAM_* */
    uint32_t dtype, layout;              /* HONE_F32, matrices any of ops/storage.h; HONE_PANELS for
                             * matrices, HONE_ROWS for vectors */
    int64_t rows, cols;                  /* matrix: outputs x inputs; vector: 1 x n */
    int32_t is_vector, trainable;
    int32_t adapter;   /* -1: base; else the adapter's number */
    hone_param target; /* adapters: the base parameter; base: -1 */
    uint32_t layer, gguf_permute_heads, init;
    float init_std, gguf_offset; /* GGUF files hold the value plus gguf_offset */
    size_t length;               /* stored elements with padding */
    void *data;                  /* `length` of them, as dtype says; NULL before seal */
    float *grad;                 /* or NULL: frozen, or no gradients asked for */
    size_t flat; /* trainable: first element in the flat arrays of gradients and optimizer state */
    float lr_scale; /* of this parameter's learning rate: LoRA+ (Hayou et al. 2024) for B, else 1 */
    int32_t fixed;  /* never trained: where PiSSA started */
    int32_t
        beside; /* no part of the language model (a value head): always float32, in no checksum */
} hone_param_item;

/* ---- life ------------------------------------------------------------------------------------ */
hone_status hone_params_create(hone_params **out);
void hone_params_destroy(hone_params *p); /* NULL is allowed */
/* Declares one (before seal). Returns its index or a status < 0: E_EXISTS, E_SHAPE. */
hone_param hone_params_declare(hone_params *p, const hone_param_spec *spec);
/* The same for one that stands beside the language model: `beside` of its item is set. */
hone_param hone_params_declare_beside(hone_params *p, const hone_param_spec *spec);
/* What files call things (hone/model.h): names that begin with `from` may begin with `to` in a Hugging Face
 * file; tensors whose names begin with `prefix` are not of this model. */
hone_status hone_params_rename(hone_params *p, const char *from, const char *to);
hone_status hone_params_skip(hone_params *p, const char *prefix);
/* The rename number i, 0, 1, ...; 0: there is none. */
int hone_params_rename_get(const hone_params *p, int32_t i, const char **from, const char **to);
int hone_params_skips(const hone_params *p, const char *name);
/* What a base matrix is stored as, before seal. E_STATE after it; E_UNSUPPORTED: vectors, which stay
 * float32, and types that are none of storage.h. */
hone_status hone_params_set_storage(hone_params *p, hone_param i, uint32_t dtype);
/* HONE_F32, the type of the matrices when all have one, 0 when they differ. */
uint32_t hone_params_storage(const hone_params *p);
/* Whether forward products over quantised matrices sum integers from now on (views say so, ops/storage.h). */
void hone_params_set_integer(hone_params *p, int on);
/* Lays out and maps the region, zeroed. No base parameter may be declared after. All are
 * trainable, or none where a matrix is stored as a type that cannot be trained. */
hone_status hone_params_seal(hone_params *p);
/* A deep copy: values, adapters, flags; gradients not. */
hone_status hone_params_copy(const hone_params *p, hone_params **out);

/* ---- looking --------------------------------------------------------------------------------- */
/* indices 0..count-1; dropped adapters leave holes */
int32_t hone_params_count(const hone_params *p);
const hone_param_item *hone_params_item(const hone_params *p,
                                        hone_param i); /* NULL: a hole or out of range */
hone_param hone_params_find(const hone_params *p, const char *name); /* -1 */
hone_view hone_params_view(const hone_params *p, hone_param i);
hone_view hone_params_grad_view(const hone_params *p,
                                hone_param i); /* data NULL when there is none */

typedef struct hone_params_sizes {
    size_t n_params, n_trainable; /* numbers in the sense of papers: without padding */
    size_t bytes, grad_bytes;     /* mapped */
} hone_params_sizes;
void hone_params_get_sizes(const hone_params *p, hone_params_sizes *out);
/* XXH3 over names and values (not gradients) of base and live adapters, in order, without what stands beside. Values
 * are taken as float32, so a store of the same values in another type has the same sum. */
uint64_t hone_params_checksum(const hone_params *p);
/* The same of the base alone: what a model is before it is trained, whatever adapters stand on it. */
uint64_t hone_params_checksum_base(const hone_params *p);
/* The same over the base and the adapters of a mask. */
uint64_t hone_params_checksum_with(const hone_params *p, uint32_t adapters);

/* ---- training -------------------------------------------------------------------------------- */
/* Drops the gradient region. E_UNSUPPORTED: on, and stored as a type that cannot be trained. */
hone_status hone_params_set_trainable(hone_params *p, hone_param i, int on);
void hone_params_freeze_base(hone_params *p); /* adapters keep their flags */
/* Maps (or keeps) the gradient region for what is trainable now; *length = floats in it. Zeroed
 * when new. */
hone_status hone_params_need_grads(hone_params *p, size_t *length);
float *hone_params_grads(const hone_params *p); /* the flat array; NULL when there is none */
void hone_params_drop_grads(hone_params *p);
void hone_params_zero_grads(hone_params *p);
/* Sum of squares of all gradients in double, by chunks of the flat array in a fixed order: same
 * bits whatever the threads. Not a number or infinite when a gradient is. */
double hone_params_grad_sq(const hone_params *p);
/* The same in pieces: part[0..n) = the sums of chunks [first, first + n) of hone_params_chunks();
 * added from 0.0 in the order of chunks they are hone_params_grad_sq. Gradients must be mapped. */
void hone_params_grad_sq_chunks(const hone_params *p, const hone_exec *exec, size_t first, size_t n,
                                double *part);
size_t hone_params_chunks(const hone_params *p); /* of the flat array, the last one shorter */
/* Trainable floats: what hone_params_need_grads gives, also when no region is mapped. */
size_t hone_params_flat_length(const hone_params *p);

/* ---- slices ---------------------------------------------------------------------------------- */
/* A stretch of the flat arrays in whole panels and whole vectors, so that it is made of rows. */
typedef struct hone_slice {
    size_t begin, end; /* floats of the flat array */
} hone_slice;
/* Slice k of `of`: one after the other they are the flat array; as equal as panels allow, the last
 * ones perhaps empty. Slice 0 of 1 is everything. */
hone_slice hone_params_slice(const hone_params *p, uint32_t k, uint32_t of);
/* The rows of a trainable parameter that lie in a slice: [*first, *first + *n), n = 0 when none;
 * *at = the place of the first of them in an array that holds only the slice. */
void hone_params_slice_rows(const hone_param_item *it, hone_slice s, int64_t *first, int64_t *n,
                            size_t *at);
/* Stored values of the trainable parameters as one flat array, [begin, begin + n): read, written. */
void hone_params_get_flat(const hone_params *p, size_t begin, size_t n, float *out);
void hone_params_set_flat(hone_params *p, size_t begin, size_t n, const float *in);
/* this = this + t * (other - this), parameter by parameter (EMA). Stores must be of one shape. What is not
 * float32 must be the same in both, as a frozen base is: E_UNSUPPORTED, before anything is changed. */
hone_status hone_params_lerp(hone_params *p, const hone_params *other, float t);

/* ---- values as rows -------------------------------------------------------------------------- */
/* Element (r, c) -> row-major float32; a vector is one row of n. E_RANGE when rows do not exist, or when a
 * value that is set is finite and becomes infinite in the type that is stored (the rows are then
 * unspecified). Values that are set are rounded to nearest, ties to even; where the matrix is quantised they
 * become codes as in a file of that type (nn/quant.h). */
hone_status hone_params_get_rows(const hone_params *p, hone_param i, int64_t first, int64_t n,
                                 float *out);
hone_status hone_params_set_rows(hone_params *p, hone_param i, int64_t first, int64_t n,
                                 const float *in);
/* One row of a quantised matrix from a file's blocks, code by code (nn/quant_keep.h). E_UNSUPPORTED: what the
 * matrix is stored as does not keep that type. */
hone_status hone_params_set_blocks(hone_params *p, hone_param i, int64_t row, uint32_t file_type,
                                   const unsigned char *blocks);
hone_status hone_params_get_grad_rows(const hone_params *p, hone_param i, int64_t first, int64_t n,
                                      float *out);
/* The same plus scale B A of the adapters in `mask`, each sum rounded once: a merged model. */
hone_status hone_params_get_merged_rows(const hone_params *p, hone_param i, uint32_t mask,
                                        int64_t first, int64_t n, float *out);
/* The same for any float32 array laid out as parameter i (optimizer state). */
void hone_params_unpack(const hone_param_item *it, const float *stored, int64_t first, int64_t n,
                        float *out);
void hone_params_pack(const hone_param_item *it, float *stored, int64_t first, int64_t n,
                      const float *in);
/* Initial values of every base parameter: Philox(seed, INIT, sample = index, element in row-major
 * order), so they depend on nothing else. */
hone_status hone_params_init_values(hone_params *p, uint64_t seed);
/* The same of parameter i alone. */
hone_status hone_params_init_value(hone_params *p, hone_param i, uint64_t seed);

/* ---- adapters -------------------------------------------------------------------------------- */
enum {
    HONE_LORA_INIT_UNIFORM =
        0, /* A ~ U(-1/sqrt(in), 1/sqrt(in)): PEFT's kaiming_uniform(a = sqrt 5) */
    HONE_LORA_INIT_NORMAL = 1,   /* A ~ N(0, std 1/r): PEFT's "gaussian" */
    HONE_LORA_INIT_PRINCIPAL = 2 /* PiSSA: the largest singular triples, and a fixed pair */
};
enum {
    HONE_LORA_RANK_STABLE = 1u << 0, /* rsLoRA: scale = alpha / sqrt(rank) */
    HONE_LORA_DORA = 1u << 1         /* a magnitude for each output */
};
/* One matrix that an adapter stands on. */
typedef struct hone_adapter_target {
    hone_param param; /* of the base */
    int32_t rank;
    float alpha;
} hone_adapter_target;
typedef struct hone_adapter_spec {
    const char *name; /* "default" when NULL */
    int32_t rank;     /* >= 1 */
    float alpha;      /* scale = alpha / rank */
    /* NULL-terminated roles, or last names of modules ("q_proj"); NULL: those of q k v o gate up down that
     * the model has */
    const char *const *roles;
    uint32_t init; /* HONE_LORA_INIT_* */
    uint32_t kind; /* HONE_LORA_RANK_STABLE, HONE_LORA_DORA */
    uint64_t seed;
    float b_lr_scale; /* LoRA+: B learns so many times as fast; 0: 1 */
    /* instead of roles: exactly these, each with a rank and alpha of its own (an adapter that is read from a file) */
    const hone_adapter_target *targets;
    size_t n_targets;
    const hone_exec *exec; /* what PiSSA's start runs on; else it may be NULL */
    int32_t
        exact; /* PiSSA: as near to the singular triples as products in float32 allow; it takes longer */
} hone_adapter_spec;
/* Returns the adapter's number (0..30) or a status < 0: E_EXISTS, E_NOT_FOUND when a role matches
 * no matrix, E_LIMIT. The new one is trainable and active, and changes no output (PiSSA: but for
 * rounding); the base stays as it is (freeze it yourself). */
int32_t hone_params_add_adapter(hone_params *p, const hone_adapter_spec *spec);
hone_status hone_params_drop_adapter(hone_params *p, int32_t adapter);
int32_t hone_params_find_adapter(const hone_params *p, const char *name); /* -1 */
typedef struct hone_adapter_info {
    const char *name;
    int32_t rank;
    float alpha, scale;
    size_t n_params; /* trained ones */
    char roles[160]; /* "q k v o" */
    uint32_t kind, init;
    float b_lr_scale;
    int32_t n_targets; /* matrices */
} hone_adapter_info;
hone_status hone_params_adapter_info(const hone_params *p, int32_t adapter, hone_adapter_info *out);
void hone_params_set_active(hone_params *p, uint32_t mask); /* bit i: adapter i */
uint32_t hone_params_active(const hone_params *p);
/* Number of active (by `mask`) adapters on parameter w; fills at most `max` of them. */
uint32_t hone_params_loras(const hone_params *p, hone_param w, uint32_t mask, hone_lora *out,
                           uint32_t max);
/* Pair number i of an adapter, 0 .. n_targets - 1, in the order of the base. */
typedef struct hone_adapter_pair {
    hone_param target, a, b;
    hone_param m;      /* DoRA: its magnitudes, (1, outputs); else -1 */
    hone_param a0, b0; /* PiSSA: the fixed pair that is subtracted; else -1 */
    float alpha, scale;
} hone_adapter_pair;
hone_status hone_params_adapter_pair(const hone_params *p, int32_t adapter, int32_t i,
                                     hone_adapter_pair *out);
/* DoRA on matrix w: 1 with its magnitudes and the norms of W + scale B A (one an output, valid until values
 * change), 0 when no adapter of `mask` has them. E_UNSUPPORTED: another adapter is active beside it. */
int32_t hone_params_magnitude(const hone_params *p, hone_param w, uint32_t mask, hone_param *m,
                              const float **norm);
/* Makes the norms that hone_params_magnitude hands out, where values changed since the last call. `exec` needs no
 * scratch. hone_model_begin does it.                                                   [control-thread] */
hone_status hone_params_refresh(hone_params *p, uint32_t mask, const hone_exec *exec);
/* Adds an adapter to the base, rounding each sum once; the matrices it changes are kept. From then on a forward with it
 * computes the base alone. E_STATE when one is merged, E_UNSUPPORTED where the base is not float32; then nothing is changed. */
hone_status hone_params_merge(hone_params *p, int32_t adapter);
/* The base as it was, bit for bit. E_STATE: nothing is merged. */
hone_status hone_params_unmerge(hone_params *p);
uint32_t hone_params_merged(const hone_params *p); /* the bit of the merged adapter, or 0 */
/* E_STATE when a forward with these adapters, or one that trains, cannot be computed because one is merged. */
hone_status hone_params_check_merged(const hone_params *p, uint32_t mask, int training);
/* Whoever wrote trainable parameters through item->data says so. */
void hone_params_changed(hone_params *p);
/* The store as the tape sees it. Valid while the store lives; gradients are those mapped when
 * asked. */
void hone_params_tape(hone_params *p, hone_tape_params *out);
#endif
