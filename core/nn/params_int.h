/* params_int.h - the parameter store's inside, shared by params.c (storage), adapters.c and
 * adapter_norms.c (LoRA, DoRA). */
#ifndef HONE_CORE_NN_PARAMS_INT_H
#define HONE_CORE_NN_PARAMS_INT_H
#include "nn/params.h"

#include "base/arena.h"
#include "base/map.h"
#include "tensor/region.h"

struct hone__pair {
    hone_param target, a, b, m; /* m: DoRA, else -1 */
    hone_param a0, b0;          /* PiSSA: what A and B started as, subtracted; else -1 */
    float alpha, scale;
    size_t at; /* DoRA: place of its first output in the norms */
};

struct hone__adapter {
    char *name; /* heap; NULL: no adapter has this number */
    int32_t rank;
    float alpha, b_lr_scale;
    uint32_t kind, init;
    char roles[160];
    hone_param first, n;      /* its parameters, matrix after matrix: A, B, ... */
    struct hone__pair *pairs; /* heap */
    int32_t n_pairs;
    int32_t *pair_of; /* heap; by base parameter: place in `pairs`, or -1 */
    hone_region region;
    /* DoRA: squares of the norms of W in double, then norms of V in float, one an output of every matrix */
    hone_region norms;
    size_t n_norms;
    uint64_t changes, norms_of, squares_of; /* what the two were made of; 0: nothing yet */
};

/* What files call things: a beginning of names and what may stand in its place (NULL: left out). */
struct hone__file_name {
    const char *from, *to;
    struct hone__file_name *next;
};

struct hone_params {
    hone_arena arena;                   /* strings and items */
    hone_map names;                     /* name -> item */
    hone_param_item **items;            /* NULL: a hole */
    struct hone__file_name *file_names; /* in the order they were given */
    int32_t n, cap, n_base, sealed;
    hone_region region, grads;
    int32_t has_grads, flat_dirty;
    size_t flat_length;
    uint32_t active;
    int32_t integer;       /* forward products over quantised matrices sum integers */
    hone_region norm_work; /* what making norms needs */
    uint32_t merged;       /* the adapter that was added to the base (a bit), or 0 */
    hone_region kept; /* the matrices it was added to, as they were, in the order of its pairs */
    uint64_t base_changes; /* counts writes to the base; each adapter counts its own */
    struct hone__adapter adapters[HONE_ADAPTERS_MAX];
};

/* A new item at the end (not placed); its strings are copied. */
hone_status hone__params_add(hone_params *p, const hone_param_spec *spec, int32_t adapter,
                             hone_param target, hone_param *out);
/* A number that no parameter has (where an adapter was dropped). */
hone_status hone__params_hole(hone_params *p);
/* Bytes of an item's values as they are stored: a multiple of 64. 0: too many. */
size_t hone__params_bytes(const hone_param_item *it);
/* Gives items [first, p->n) their data in a new region. */
hone_status hone__params_place(hone_params *p, hone_param first, hone_region *region,
                               const char *name);
/* Forgets items from `first` on that were just added (a failed add). */
void hone__params_unadd(hone_params *p, hone_param first);
/* Frees all of them. */
void hone__params_release_adapters(hone_params *p);
/* A value of parameter i is written (i < 0: of anything). */
void hone__params_touch(hone_params *p, hone_param i);
/* Norms of DoRA: their place, and the magnitudes that change nothing (adapter_norms.c). */
hone_status hone__params_place_norms(hone_params *p, struct hone__adapter *ad);
double hone__row_square(const float *row, int64_t n);
const float *hone__params_norms(const struct hone__adapter *ad);
hone_status hone__params_init_magnitudes(hone_params *p, struct hone__adapter *ad);
/* PiSSA: A and B, and the fixed pair, from the largest singular triples (adapter_svd.c). */
hone_status hone__params_init_principal(hone_params *p, const struct hone__adapter *ad,
                                        uint64_t seed, int exact, const hone_exec *exec);
/* An executor like `exec` whose threads have scratch for products, and room for so many floats, in memory that the store
 * keeps. Found by its address: it is not copied. */
struct hone__work {
    hone_exec ex;
    unsigned char *scratch;
    float *room;
};
hone_status hone__params_work(hone_params *p, const hone_exec *exec, size_t floats,
                              struct hone__work *out);
/* E_STATE, saying what it would be for, while an adapter is merged (adapter_merge.c). */
hone_status hone__params_unmerged(const hone_params *p, const char *to);
hone_status hone__params_copy_merged(hone_params *to, const hone_params *from);
/* Copies adapters of src (base already copied). */
hone_status hone__params_copy_adapters(hone_params *to, const hone_params *from);
#endif
