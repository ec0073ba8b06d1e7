/* objective_numbers.c - what the two evals read alike, and an advantage evaluated on a file's numbers: `objective eval` needs it
 * where rewards are given instead of advantages. Every list is checked against the others; an error names file and
 * key. */
#include "cli/objective_numbers.h"

#include "hone/objective.h"

#include <stdio.h>
#include <string.h>

/* ---- what both evals share ------------------------------------------------------------------------ */

/* Settings that the command line and the file give beside --set: compat, kto_kl. */
hone_status hone__eval_extra(hone_cli_numbers *in, hone_registry *r, const char *compat,
                             const char *iface, const char *name, hone_value *out)
{
    const hone_component_info *info;
    const hone_value *kl = hone_value_get(&in->root, "kto_kl");
    HONE_TRY(hone_registry_find_iface(r, HONE_KIND_OBJECTIVE, iface, name, &info));
    hone_pair *pairs = hone_arena_calloc(&in->arena, 2, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    size_t n = 0;
    for (size_t i = 0; info->c.fields && info->c.fields[i]; i++) {
        const char *field = info->c.fields[i]->name;
        if (compat && strcmp(field, "compat") == 0) {
            pairs[n].key = hone_str_c(field);
            pairs[n].value.type = HONE_STRING;
            pairs[n++].value.u.str = hone_str_c(compat);
        }
        if (kl && kl->type != HONE_NULL && strcmp(field, "kto_kl") == 0) {
            pairs[n].key = hone_str_c(field);
            pairs[n++].value = *kl;
        }
    }
    memset(out, 0, sizeof *out);
    out->type = HONE_MAP;
    out->u.map.pairs = pairs;
    out->u.map.n = n;
    return HONE_OK;
}

hone_status hone__eval_groups(hone_cli_numbers *in, size_t n, uint32_t **out)
{
    int64_t size;
    double *given;
    size_t n_given;
    HONE_TRY(hone_value_i64(&in->root, "group_size", 0, &size));
    HONE_TRY(hone_cli_list(in, "groups", &n_given, &given, NULL));
    uint32_t *g = hone_arena_calloc(&in->arena, n + 1, sizeof *g);
    if (!g)
        return HONE_E_NOMEM;
    if (size < 0 || (given && n_given != n))
        return hone_fail(HONE_E_SHAPE, "%s: group_size or groups do not fit %zu samples", in->path,
                         n);
    if (size > 0 && n % (size_t)size != 0)
        return hone_fail(HONE_E_SHAPE, "%s: %zu samples do not make groups of %lld", in->path, n,
                         (long long)size);
    for (size_t i = 0; given && i < n; i++)
        if (!(given[i] >= 0 && given[i] <= UINT32_MAX) || given[i] != (double)(uint32_t)given[i])
            return hone_fail(HONE_E_SHAPE, "%s: number %zu of \"groups\" is no group", in->path,
                             i + 1);
    for (size_t i = 0; i < n; i++)
        g[i] = given ? (uint32_t)given[i] : size > 0 ? (uint32_t)(i / (size_t)size) : 0;
    *out = g;
    return HONE_OK;
}

hone_status hone__eval_ones(hone_cli_numbers *in, size_t n, double **out)
{
    double *x = hone_arena_calloc(&in->arena, n + 1, sizeof *x);
    if (!x)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        x[i] = 1;
    *out = x;
    return HONE_OK;
}

hone_status hone__eval_lengths(hone_cli_numbers *in, const hone_cli_shape *shape,
                               const double *mask, double **out)
{
    double *x = hone_arena_calloc(&in->arena, shape->n_seqs + 1, sizeof *x);
    if (!x)
        return HONE_E_NOMEM;
    for (size_t s = 0; s < shape->n_seqs; s++)
        for (size_t t = shape->begin[s]; t < shape->begin[s + 1]; t++)
            x[s] += mask[t];
    *out = x;
    return HONE_OK;
}

void hone__eval_note_unread(hone_cli_numbers *in)
{
    static const char *const known[] = {"logp",
                                        "old_logp",
                                        "ref_logp",
                                        "sampler_logp",
                                        "entropy",
                                        "values",
                                        "old_values",
                                        "returns",
                                        "mask",
                                        "advantages",
                                        "rewards",
                                        "group_size",
                                        "groups",
                                        "lengths",
                                        "max_length",
                                        "weights",
                                        "baseline",
                                        "kto_kl",
                                        "margin",
                                        "truncated",
                                        "student_logits",
                                        "teacher_logits",
                                        "ids",
                                        "teacher_logp",
                                        "collision",
                                        "divergence",
                                        "policy_chosen",
                                        "policy_rejected",
                                        "ref_chosen",
                                        "ref_rejected",
                                        "len_chosen",
                                        "len_rejected",
                                        "collision_chosen",
                                        "collision_rejected",
                                        NULL};
    const char *key;
    for (size_t i = 0; (key = hone_cli_unread(in, known, &i));) {
        const char *close = hone_closest(key, known);
        fprintf(stderr, "note: %s: nothing reads \"%s\"%s%s%s\n", in->path, key,
                close ? " (did you mean \"" : "", close ? close : "", close ? "\"?)" : "");
    }
}

/* ---- advantages ----------------------------------------------------------------------------------- */

hone_status hone__eval_advantages(hone_cli_numbers *in, hone_registry *r, const char *compat,
                                  const char *name, const hone_arg_list *settings,
                                  hone__advantages *a)
{
    static const char *const shaped[] = {"mask", "logp", "values", NULL};
    hone_advantage_in x = {.struct_size = sizeof x};
    hone_advantage_out out = {.struct_size = sizeof out};
    hone_value more;
    hone_instance *inst = NULL;
    hone_ref ref;
    size_t n, k, n_weights = 0, n_base = 0, n_len = 0;
    double *rewards, *weights, *lengths, *baseline = NULL, *value, *logp, *ref_logp;
    uint8_t *scored;
    uint32_t *groups;
    memset(a, 0, sizeof *a);
    HONE_TRY(hone_cli_table(in, "rewards", &k, &n, &rewards, &scored));
    HONE_TRY(hone_cli_shape_of(in, shaped, &a->shape));
    a->has_mask = a->shape.n_seqs > 0 && hone_value_get(&in->root, "mask") != NULL;
    if (!rewards && a->shape.n_seqs == 0)
        return hone_fail(HONE_E_NOT_FOUND, "%s: there are no \"rewards\"", in->path);
    if (!rewards)
        n = a->shape.n_seqs;
    HONE_TRY(hone_cli_list(in, "lengths", &n_len, &lengths, NULL));
    if (lengths && n_len != n)
        return hone_fail(HONE_E_SHAPE, "%s: %zu lengths for %zu samples", in->path, n_len, n);
    if (a->shape.n_seqs == 0 && lengths && n_len == n) { /* lengths alone make a mask too */
        a->shape.n_seqs = n;
        a->shape.begin = hone_arena_calloc(&in->arena, n + 1, sizeof *a->shape.begin);
        if (!a->shape.begin)
            return HONE_E_NOMEM;
        for (size_t s = 0; s < n; s++) {
            if (!(lengths[s] >= 0 && lengths[s] <= 1e6))
                return hone_fail(HONE_E_RANGE, "%s: length %zu is %g", in->path, s + 1, lengths[s]);
            a->shape.begin[s + 1] = a->shape.begin[s] + (size_t)lengths[s];
        }
        a->shape.n_tokens = a->shape.begin[n];
    }
    if (a->shape.n_seqs && a->shape.n_seqs != n)
        return hone_fail(HONE_E_SHAPE, "%s: %zu rewards for %zu rows", in->path, n,
                         a->shape.n_seqs);
    HONE_TRY(hone__eval_groups(in, n, &groups));
    HONE_TRY(hone_cli_list(in, "weights", &n_weights, &weights, NULL));
    if (weights && n_weights != k)
        return hone_fail(HONE_E_SHAPE, "%s: %zu weights for %zu rewards", in->path, n_weights, k);
    const hone_value *base = hone_value_get(&in->root, "baseline");
    if (base && (base->type == HONE_F64 || base->type == HONE_I64)) {
        HONE_TRY(hone__eval_ones(in, n, &baseline));
        for (size_t i = 0; i < n; i++)
            baseline[i] = base->type == HONE_F64 ? base->u.f64 : (double)base->u.i64;
    } else {
        HONE_TRY(hone_cli_list(in, "baseline", &n_base, &baseline, NULL));
        if (baseline && n_base != n)
            return hone_fail(HONE_E_SHAPE, "%s: %zu baselines for %zu samples", in->path, n_base,
                             n);
    }
    if (a->shape.n_seqs) {
        HONE_TRY(hone_cli_rows(in, "mask", &a->shape, &a->mask));
        if (!a->mask)
            HONE_TRY(hone__eval_ones(in, a->shape.n_tokens, &a->mask));
        HONE_TRY(hone_cli_weights(in, "mask", a->shape.n_tokens, a->mask));
        HONE_TRY(hone_cli_rows(in, "values", &a->shape, &value));
        HONE_TRY(hone_cli_rows(in, "logp", &a->shape, &logp));
        HONE_TRY(hone_cli_rows(in, "ref_logp", &a->shape, &ref_logp));
        HONE_TRY(hone__eval_lengths(in, &a->shape, a->mask, &lengths));
        x.seq_begin = a->shape.begin;
        x.n_tokens = a->shape.n_tokens;
        x.mask = a->mask;
        x.value = value;
        x.logp = logp;
        x.ref_logp = ref_logp;
    }
    x.length = lengths;
    HONE_TRY(hone_value_f64(&in->root, "max_length", (double)a->shape.widest, &x.max_length));
    x.n_seqs = n;
    x.n_rewards = k;
    x.rewards = rewards;
    x.scored = scored;
    x.weights = weights;
    x.group = groups;
    x.baseline = baseline;
    if (!weights)
        HONE_TRY(hone__eval_ones(in, k, &weights));
    x.weights = weights;
    out.seq = a->seq = hone_arena_calloc(&in->arena, n + 1, sizeof *a->seq);
    out.token = a->token = a->shape.n_seqs
                               ? hone_arena_calloc(&in->arena, x.n_tokens + 1, sizeof *a->token)
                               : NULL;
    out.returns = a->returns = a->shape.n_seqs ? hone_arena_calloc(&in->arena, x.n_tokens + 1,
                                                                   sizeof *a->returns)
                                               : NULL;
    out.combined = hone_arena_calloc(&in->arena, n + 1, sizeof *out.combined);
    out.left_out = hone_arena_calloc(&in->arena, n + 1, 1);
    out.n_seqs = n;
    out.n_tokens = a->shape.n_seqs ? x.n_tokens : 0;
    if (!out.seq || (a->shape.n_seqs && (!out.token || !out.returns)) || !out.combined ||
        !out.left_out)
        return HONE_E_NOMEM;
    HONE_TRY(hone__eval_extra(in, r, compat, HONE_IFACE_ADVANTAGE, name, &more));
    HONE_TRY(hone_cli_instance(r, HONE_KIND_OBJECTIVE, HONE_IFACE_ADVANTAGE, name, settings, &more,
                               &in->arena, &inst, &ref));
    hone_instance_enter(inst);
    hone_status s = hone_instance_leave(
        inst, "compute", ((const hone_advantage_v1 *)ref.vt)->compute(ref.self, &x, &out));
    a->per_token = out.per_token;
    a->shape.n_seqs = n;
    hone_instance_unref(inst);
    return s;
}
