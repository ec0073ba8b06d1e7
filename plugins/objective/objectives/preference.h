/* preference.h - a preference loss as a row: one pair's loss and its two derivatives. See preference.c. */
#ifndef HONE_OBJECTIVES_PREFERENCE_H
#define HONE_OBJECTIVES_PREFERENCE_H
#include "objectives.h"
#include <stdlib.h>

enum { DIVERGENCE_REVERSE_KL, DIVERGENCE_FORWARD_KL, DIVERGENCE_JS, DIVERGENCE_ALPHA };
enum { CPO_SIGMOID, CPO_HINGE, CPO_IPO };

typedef struct preference preference;

/* Summed log-probs of a pair: policy and reference, chosen and rejected, and their lengths. */
typedef struct pair {
    double pc, pr, rc, rr, lc, lr;
} pair;
/* Derivatives of a pair's loss in pc and pr. */
typedef struct pair_grad {
    double c, r;
} pair_grad;

typedef double (*pair_loss)(const preference *p, const pair *x, pair_grad *g);

typedef struct preference_row {
    const char *name;
    pair_loss loss;     /* NULL: the family below does it */
    uint32_t family;    /* FAMILY_* */
    int reference_free; /* reads no reference */
    int by_length;      /* rewards are averages over tokens */
    const char *show;
} preference_row;
enum { FAMILY_PAIR, FAMILY_AOT, FAMILY_AOT_UNPAIRED, FAMILY_KTO, FAMILY_APO_UNPAIRED, FAMILY_RM };

struct preference {
    memory mem;
    const preference_row *row;
    uint32_t compat, divergence, variant, wpo;
    int kl_field; /* kto_kl's number in the table */
    double beta, label_smoothing, gamma, alpha, tau, nll, desirable, undesirable, kl, shift,
        ld_alpha, margin, center;
};

double loss_dpo(const preference *p, const pair *x, pair_grad *g);
double loss_robust(const preference *p, const pair *x, pair_grad *g);
double loss_hinge(const preference *p, const pair *x, pair_grad *g);
double loss_ipo(const preference *p, const pair *x, pair_grad *g);
double loss_exo(const preference *p, const pair *x, pair_grad *g);
double loss_nca(const preference *p, const pair *x, pair_grad *g);
double loss_bco(const preference *p, const pair *x, pair_grad *g);
double loss_sppo(const preference *p, const pair *x, pair_grad *g);
double loss_apo_zero(const preference *p, const pair *x, pair_grad *g);
double loss_apo_down(const preference *p, const pair *x, pair_grad *g);
double loss_discopop(const preference *p, const pair *x, pair_grad *g);
double loss_sigmoid_norm(const preference *p, const pair *x, pair_grad *g);
double loss_orpo(const preference *p, const pair *x, pair_grad *g);
double loss_cpo(const preference *p, const pair *x, pair_grad *g);
double loss_simpo(const preference *p, const pair *x, pair_grad *g);
double loss_alphapo(const preference *p, const pair *x, pair_grad *g);
/* -(1-ls) log sigmoid(z) - ls log sigmoid(-z) and its derivative in z */
double smoothed_logistic(double ls, double z, double *d);
/* One answer: 1 - sigmoid(sign (beta x - shift)), for kto and apo_zero_unpaired. */
double loss_one_sided(double z, double *d);

hone_status preference_create(const preference_row *row, const hone_field *const *fields,
                              const hone_host *host, const hone_config *cfg, void **self_out);
const void *preference_get_iface(void *self, const char *iface_id);
void preference_release(void *self);
#endif
