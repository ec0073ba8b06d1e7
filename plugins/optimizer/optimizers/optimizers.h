/* optimizers.h - what the files of optimizers.so share: an instance, its rules, loops for each instruction set.
 *
 * The idea: an optimizer is a rule (which state a parameter has, what a step does to one slice) and the numbers it was
 * set to. optimizers.c makes instances of all rules in one way and is the plugin's entry. A loop over elements is
 * written once, as an inline function NAME_body, and compiled for plain C, AVX2 and AVX-512 (OPT_LOOP): without
 * contraction these differ in speed alone, and no operation depends on a neighbour, so any cut into slices, any
 * vector width and any number of threads give the same bits. */
#ifndef HONE_OPTIMIZERS_H
#define HONE_OPTIMIZERS_H
#include "hone/math.h"
#include "hone/optimizer.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define OPT_X86 1
#else
#define OPT_X86 0
#endif

/* OPT_LOOP(name, (arguments), (names)): `static void name(int isa, arguments)` out of name_body(names). */
#define OPT_BODY static inline __attribute__((always_inline)) void
#if OPT_X86
#define OPT_LOOP(name, isa, args, pass)                                                            \
    static void name##_c args                                                                      \
    {                                                                                              \
        name##_body pass;                                                                          \
    }                                                                                              \
    __attribute__((target("avx2"))) static void name##_avx2 args                                   \
    {                                                                                              \
        name##_body pass;                                                                          \
    }                                                                                              \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))) static void name##_avx512 args   \
    {                                                                                              \
        name##_body pass;                                                                          \
    }                                                                                              \
    static void name args                                                                          \
    {                                                                                              \
        if ((isa) == 2)                                                                            \
            name##_avx512 pass;                                                                    \
        else if ((isa) == 1)                                                                       \
            name##_avx2 pass;                                                                      \
        else                                                                                       \
            name##_c pass;                                                                         \
    }
#else
#define OPT_LOOP(name, isa, args, pass)                                                            \
    static void name args                                                                          \
    {                                                                                              \
        (void)(isa);                                                                               \
        name##_body pass;                                                                          \
    }
#endif

typedef struct optimizer optimizer;
typedef struct opt_rule {
    size_t size; /* of an instance: a struct that begins with an optimizer */
    uint32_t flags;
    /* From the settings; NULL: none. */
    hone_status (*configure)(optimizer *o, const hone_config *cfg);
    hone_status (*state_spec)(const optimizer *o, const hone_opt_param *param,
                              hone_opt_state_spec *out);
    /* One slice, whose state arrays are there. */
    hone_status (*step)(const optimizer *o, const hone_opt_slice *s, const hone_opt_info *info);
    hone_status (*evaluation)(const optimizer *o, const hone_opt_slice *s,
                              const hone_opt_info *info); /* or NULL */
} opt_rule;

struct optimizer {
    const hone_host *host;
    const opt_rule *rule;
    hone_ref mem;
    int isa; /* 0 plain, 1 AVX2, 2 AVX-512 */
};

/* AdamW's numbers, for the rules that fall back on it. */
typedef struct adam_numbers {
    double beta1, beta2, eps;
} adam_numbers;

hone_status hone__opt_create(const opt_rule *rule, const hone_host *host, const hone_config *cfg,
                             void **self_out);
void hone__opt_destroy(void *self);
const void *hone__opt_get_iface(void *self, const char *iface_id);
/* E_INVALID when a slice has not the n arrays of state, or a shape that does not fit its length. */
hone_status hone__opt_check(const optimizer *o, const hone_opt_slice *s, uint32_t n_state);
/* The state of AdamW in float32, cut anywhere: exp_avg, exp_avg_sq, tag 0. */
void hone__opt_adamw_state(hone_opt_state_spec *out);
/* AdamW on a slice whose state[0], state[1] are those. lr: instead of the slice's. */
void hone__opt_adamw_slice(const optimizer *o, const adam_numbers *k, const hone_opt_slice *s,
                           double lr, const hone_opt_info *info);

extern const hone_component hone__opt_adafactor, hone__opt_adam8bit, hone__opt_adamw,
    hone__opt_lion, hone__opt_muon, hone__opt_schedule_free, hone__opt_sgd;

#define OPT_HEAD(name, text, needed)                                                               \
    .struct_size = sizeof(hone_component), .id = "org.hone.optimizer." name,                       \
    .kind = HONE_KIND_OPTIMIZER, .version = "0.1.0", .vendor = "hone", .license = "MIT",           \
    .summary = text, .url = "",                                                                    \
    .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT, .needs = needed,          \
    .provides = hone__opt_provides, .destroy = hone__opt_destroy, .get_iface = hone__opt_get_iface
extern const char *const hone__opt_provides[];
extern const char *const hone__opt_needs[];
#endif
