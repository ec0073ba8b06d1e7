/* objectives.h - what the files of objectives.so share: rows of the three tables, settings, sums.
 *
 * The idea: a published method is one row of a table: which per-token loss, on which level, with which
 * default reduction and which settings. One core per family (policy.c, preference.c, supervised.c,
 * advantage.c) does the arithmetic for all of its rows, with analytic gradients. The settings table of
 * a row holds only what that row understands, so a setting that means nothing there is refused. */
#ifndef HONE_OBJECTIVES_H
#define HONE_OBJECTIVES_H
#include "hone/math.h"
#include "hone/objective.h"

enum { COMPAT_NONE, COMPAT_TRL, COMPAT_VERL, COMPAT_OPENRLHF };
#define COMPAT_CHOICES "none|trl|verl|openrlhf"

/* Settings by name. A name that the table does not hold gives `absent`. */
typedef struct settings {
    const hone_config *cfg;
    const hone_field *const *fields;
} settings;
double settings_f64(const settings *s, const char *name, double absent);
uint32_t settings_choice(const settings *s, const char *name, uint32_t absent); /* ENUM, BOOL */
int settings_place(const settings *s, const char *name); /* in the table, or -1 */
int settings_given(const settings *s, const char *name);

/* The host's counted memory. */
typedef struct memory {
    const hone_host *host;
    hone_ref ref;
} memory;
hone_status memory_init(memory *m, const hone_host *host);
void *memory_get(const memory *m, size_t n, size_t size); /* not zeroed; NULL: failure is set */
void memory_put(const memory *m, void *p, size_t n, size_t size);

static inline int same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}
static inline double smaller(double a, double b)
{
    return a < b ? a : b;
}
static inline double larger(double a, double b)
{
    return a > b ? a : b;
}
static inline double clamped(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* Reductions: the weight of a token, so that the loss is the sum of weight * per-token loss. */
enum {
    REDUCE_SEQ_MEAN_TOKEN_MEAN,
    REDUCE_TOKEN_MEAN,
    REDUCE_SEQ_MEAN_TOKEN_SUM,
    REDUCE_SEQ_MEAN_TOKEN_SUM_NORM,
    REDUCE_TOKEN_SUM
};
#define REDUCE_CHOICES                                                                             \
    "seq_mean_token_mean|token_mean|seq_mean_token_sum|seq_mean_token_sum_norm|token_sum"

/* Estimators of a KL, in the order of the setting `kl`. */
enum { KL_K1, KL_K2, KL_K3, KL_ABS };
/* Is this estimate held at its bound there, without a gradient? verl keeps k3 and openrlhf all of them within +-10. */
static inline int kl_is_cut(uint32_t compat, uint32_t kl, double value)
{
    return compat == COMPAT_OPENRLHF ? value > 10 || value < -10
                                     : compat == COMPAT_VERL && kl == KL_K3 && value > 10;
}

/* Totals over the optimizer step; where the host gave none, over this call. */
typedef struct totals {
    double tokens, seqs, pairs, max_length;
} totals;
/* Do the sequences lie inside the arrays, and are those there? A caller that is not the trainer may be wrong. */
int fits_shape(const hone_objective_in *in, const hone_objective_out *out);
totals totals_of(const hone_objective_in *in);
/* Sum of the mask over sequence s. */
double length_of(const hone_objective_in *in, size_t s);
double reduce_weight(uint32_t reduce, const totals *t, double length);

void put_mean(const hone_objective_out *out, const char *name, double sum, double weight);

/* settings that several tables share */
#define FIELD_COMPAT(doc) HONE_ENUM("compat", "none", COMPAT_CHOICES, 0, doc)

/* value.c: adds `weight` times the value loss to *loss and its gradient to out. */
hone_status value_loss(const memory *mem, const char *name, const hone_objective_in *in,
                       const totals *all, double weight, double clip, hone_objective_out *out,
                       double *loss);
#define FIELD_VF_CLIP                                                                              \
    HONE_F64("vf_clip", .2, 0, 1e9, 0,                                                             \
             "how far a value may move from what it was in one update; 0: any")
#define VALUE_SHOW                                                                                 \
    "l_t = 1/2 max((V - R)^2, (clip(V, V_old - vf_clip, V_old + vf_clip) - R)^2), mean over the "  \
    "tokens of the step;\n"                                                                        \
    "  V: what the head says before each token, V_old: what it said when the sample was drawn, R " \
    "= A + V_old before\n"                                                                         \
    "  whitening, both of the advantage gae.\n"

extern const hone_component *const policy_components[];
extern const hone_component *const preference_components[];
extern const hone_component *const supervised_components[];
extern const hone_component *const distill_components[];
extern const hone_component *const value_components[];
extern const hone_component *const advantage_components[];

#define OBJECTIVE_CAPS (HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT)
#define COMPONENT_HEAD(full_id, text)                                                              \
    .struct_size = sizeof(hone_component), .id = full_id, .kind = HONE_KIND_OBJECTIVE,             \
    .version = "0.1.0", .vendor = "hone", .license = "MIT", .summary = text, .url = "",            \
    .caps = OBJECTIVE_CAPS
#endif
