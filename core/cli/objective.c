/* objective.c - `hone objective list|show|eval` and `hone advantage list|show|eval`: the formulas, and what
 * they give on numbers.
 *
 * eval reads one JSON object: log-probs, mask, advantages, ... as B x T lists, or the sums of preference
 * pairs; and writes the loss with its gradient in the same shape. Without --f64 the numbers are rounded to
 * float on the way in and out. (recipes-and-cli.md, fixed JSON shapes) */
#include "hone/math.h"
#include "hone/objective.h"

#include "abi/config.h"
#include "base/alloc.h"
#include "cli/component.h"
#include "cli/logits.h"
#include "cli/objective_numbers.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "train/objective_sum.h"

#include <stdio.h>
#include <string.h>

static hone_arg_list paths, sets;
static int json, f64;
static const char *input, *compat;

#define PATHS                                                                                      \
    {                                                                                              \
        "plugin-path", HONE_ARG_LIST, &paths, "PATH",                                              \
            "a folder of plugins, or a .so (several times)"                                        \
    }
#define JSON                                                                                       \
    {                                                                                              \
        "json", HONE_ARG_FLAG, &json, NULL, "as JSON"                                              \
    }
#define EVAL_OPTIONS                                                                               \
    {"input", HONE_ARG_STR, &input, "F.json", "the numbers"},                                      \
        {"compat", HONE_ARG_STR, &compat, "TRAINER", "trl, verl or openrlhf, where they differ"},  \
        {"set", HONE_ARG_LIST, &sets, "K=V", "a setting (several times)"},                         \
        {"f64", HONE_ARG_FLAG, &f64, NULL, "double precision, in and out"}, PATHS, JSON,           \
    {                                                                                              \
        0                                                                                          \
    }

static int print_buf(hone_buf *b, hone_status s)
{
    int code = HONE_EXIT_OK;
    if (s >= 0)
        s = b->failed;
    if (s < 0)
        code = hone_cli_fail(s);
    else
        printf("%s%s", b->ptr, b->len && b->ptr[b->len - 1] == '\n' ? "" : "\n");
    hone_buf_release(b);
    return code;
}

/* ---- list and show -------------------------------------------------------------------------------- */

static int offers(const hone_component_info *info, const char *iface)
{
    for (size_t i = 0; info->c.provides && info->c.provides[i]; i++)
        if (strcmp(info->c.provides[i], iface) == 0)
            return 1;
    return 0;
}

static int list_all(const char *iface, const char *key)
{
    hone_registry *r;
    hone_buf b;
    hone_jw w;
    const hone_component_info *info;
    hone_status s = hone_cli_open_registry(&paths, &r);
    if (s < 0)
        return hone_cli_fail(s);
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &b, 2);
    if (json) {
        hone_jw_map(&w);
        hone_jw_key(&w, key);
        hone_jw_list(&w);
    }
    for (size_t i = 0; (info = hone_registry_component(r, HONE_KIND_OBJECTIVE, i)); i++) {
        if (!offers(info, iface))
            continue;
        if (!json) {
            hone_buf_addf(&b, "%-22s %s\n", info->short_name, info->c.summary);
            continue;
        }
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "name", info->short_name);
        hone_jw_kcstr(&w, "id", info->c.id);
        hone_jw_kcstr(&w, "summary", info->c.summary);
        hone_jw_key(&w, "settings");
        hone_config_fields_json(info->c.fields, &w);
        hone_jw_end(&w);
    }
    if (json) {
        hone_jw_end(&w);
        hone_jw_end(&w);
    }
    int code = print_buf(&b, HONE_OK);
    hone_registry_close(r);
    return code;
}

static hone_str show_text(const hone_ref *ref, const char *iface)
{
    const hone_objective_v1 *o = ref->vt;
    const hone_advantage_v1 *a = ref->vt;
    hone_str none = {"", 0};
    if (strcmp(iface, HONE_IFACE_ADVANTAGE) == 0)
        return HONE_HAS(a, hone_advantage_v1, show) ? a->show(ref->self) : none;
    return HONE_HAS(o, hone_objective_v1, show) ? o->show(ref->self) : none;
}

static int show_one(const char *iface, const char *name)
{
    hone_registry *r;
    hone_instance *inst = NULL;
    hone_ref ref;
    hone_arena arena;
    hone_buf b;
    hone_jw w;
    hone_status s = hone_cli_open_registry(&paths, &r);
    if (s < 0)
        return hone_cli_fail(s);
    hone_arena_init(&arena, 0);
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_arg_list none = {.n = 0};
    s = hone_cli_instance(r, HONE_KIND_OBJECTIVE, iface, name, &none, NULL, &arena, &inst, &ref);
    if (s >= 0) {
        const hone_component_info *info = hone_instance_info(inst);
        hone_str text = show_text(&ref, iface);
        if (json) {
            hone_jw_init(&w, &b, 2);
            hone_jw_map(&w);
            hone_jw_kcstr(&w, "name", info->short_name);
            hone_jw_kcstr(&w, "id", info->c.id);
            hone_jw_kcstr(&w, "summary", info->c.summary);
            hone_jw_kstr(&w, "text", text);
            hone_jw_key(&w, "settings");
            hone_config_fields_json(info->c.fields, &w);
            hone_jw_end(&w);
        } else {
            hone_buf_add_str(&b, text);
            if (text.len && text.ptr[text.len - 1] != '\n')
                hone_buf_addc(&b, '\n');
            if (info->c.fields && info->c.fields[0]) {
                hone_buf_adds(&b, "\nsettings:\n");
                hone_config_help(info->c.fields, &b);
            }
        }
    }
    int code = print_buf(&b, s);
    hone_instance_unref(inst);
    hone_arena_release(&arena);
    hone_registry_close(r);
    return code;
}

/* ---- advantages ----------------------------------------------------------------------------------- */

static int advantage_eval(const char *name)
{
    hone_registry *r = NULL;
    hone_cli_numbers in;
    hone__advantages a;
    hone_buf b;
    hone_jw w;
    hone_status s = hone_cli_numbers_open(&in, input, !f64);
    if (s < 0)
        return hone_cli_fail(s);
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    s = hone_cli_open_registry(&paths, &r);
    if (s >= 0) {
        hone__eval_note_unread(&in);
        s = hone__eval_advantages(&in, r, compat, name, &sets, &a);
    }
    if (s >= 0) {
        hone_jw_init(&w, &b, 0);
        hone_jw_map(&w);
        hone_jw_key(&w, "advantages");
        if (a.per_token) {
            hone_cli_put_rows(&w, &a.shape, a.token, !f64);
        } else if (a.has_mask) {
            for (size_t q = 0; q < a.shape.n_seqs; q++)
                for (size_t t = a.shape.begin[q]; t < a.shape.begin[q + 1]; t++)
                    a.token[t] = a.mask[t] != 0 ? a.seq[q] : 0;
            hone_cli_put_rows(&w, &a.shape, a.token, !f64);
        } else {
            hone_jw_list(&w);
            for (size_t q = 0; q < a.shape.n_seqs; q++)
                hone_cli_number(&w, a.seq[q], !f64);
            hone_jw_end(&w);
        }
        if (a.per_token && hone_value_get(&in.root, "values")) {
            hone_jw_key(&w, "returns");
            hone_cli_put_rows(&w, &a.shape, a.returns, !f64);
        }
        hone_jw_end(&w);
    }
    int code = print_buf(&b, s);
    hone_registry_close(r);
    hone_cli_numbers_close(&in);
    return code;
}

/* ---- objectives ----------------------------------------------------------------------------------- */

enum { MAX_METRICS = 64 };
typedef struct metrics {
    struct {
        char name[64];
        double value;
    } m[MAX_METRICS];
    size_t n;
} metrics;

static void keep_metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                        double weight)
{
    metrics *m = out->ctx;
    (void)how;
    (void)weight;
    if (m->n < MAX_METRICS) {
        snprintf(m->m[m->n].name, sizeof m->m[0].name, "%s", name);
        m->m[m->n++].value = value;
    }
}

typedef struct evaluation {
    hone_objective_in x;
    hone_objective_out out;
    hone_cli_shape shape;
    size_t n_chosen, n_rejected; /* preference losses: how sequences are laid out */
    uint32_t *role;
    hone_cli_logits logits;
    double *grad_logits; /* where there are logits */
    double *given_divergence;
    hone_objective_wants wants;
    metrics metrics;
} evaluation;

static hone_status zeros(hone_cli_numbers *in, size_t n, double **out)
{
    *out = hone_arena_calloc(&in->arena, n + 1, sizeof **out);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

/* An objective that wants whole samples alone does not see those that were cut off. */
static hone_status drop_truncated(hone_cli_numbers *in, uint32_t uses, const hone_cli_shape *shape,
                                  double *mask)
{
    double *cut;
    size_t n;
    HONE_TRY(hone_cli_list(in, "truncated", &n, &cut, NULL));
    if (cut && n != shape->n_seqs)
        return hone_fail(HONE_E_SHAPE, "%s: \"truncated\" has %zu numbers, the batch has %zu rows",
                         in->path, n, shape->n_seqs);
    for (size_t s = 0; cut && (uses & HONE_OBJ_COMPLETED) && s < n; s++)
        for (size_t t = shape->begin[s]; cut[s] != 0 && t < shape->begin[s + 1]; t++)
            mask[t] = 0;
    return HONE_OK;
}

static hone_status prepare_tokens(hone_cli_numbers *in, hone_registry *r, uint32_t uses,
                                  evaluation *e)
{
    static const char *const shaped[] = {"logp", NULL};
    double *logp, *mask, *old, *ref, *sampler, *entropy, *value, *adv, *length, *teacher,
        *collision, *old_value, *returns;
    uint32_t *groups;
    HONE_TRY(hone_cli_shape_of(in, shaped, &e->shape));
    HONE_TRY(hone_cli_logits_read(in, &e->shape, &e->logits));
    if (e->shape.n_seqs == 0)
        return hone_fail(HONE_E_NOT_FOUND, "%s: there is no \"logp\" of B x T numbers", in->path);
    if (e->logits.student)
        HONE_TRY(hone_cli_logits_compute(in, &e->wants, &e->logits));
    HONE_TRY(hone_cli_rows(in, "logp", &e->shape, &logp));
    if (logp)
        e->logits.logp = NULL; /* what is given counts */
    else if (e->logits.logp)
        logp = e->logits.logp;
    else
        HONE_TRY(zeros(in, e->shape.n_tokens, &logp));
    HONE_TRY(hone_cli_rows(in, "teacher_logp", &e->shape, &teacher));
    if (!teacher)
        teacher = e->logits.teacher_logp;
    if (!teacher && (uses & HONE_OBJ_TEACHER)) /* as opd has it */
        HONE_TRY(hone_cli_rows(in, "ref_logp", &e->shape, &teacher));
    HONE_TRY(hone_cli_rows(in, "collision", &e->shape, &collision));
    HONE_TRY(hone_cli_rows(in, "divergence", &e->shape, &e->given_divergence));
    if (!e->given_divergence)
        e->given_divergence = e->logits.divergence;
    HONE_TRY(hone_cli_rows(in, "mask", &e->shape, &mask));
    if (!mask)
        HONE_TRY(hone__eval_ones(in, e->shape.n_tokens, &mask));
    HONE_TRY(hone_cli_weights(in, "mask", e->shape.n_tokens, mask));
    HONE_TRY(hone_cli_rows(in, "old_logp", &e->shape, &old));
    HONE_TRY(hone_cli_rows(in, "ref_logp", &e->shape, &ref));
    HONE_TRY(hone_cli_rows(in, "sampler_logp", &e->shape, &sampler));
    HONE_TRY(hone_cli_rows(in, "entropy", &e->shape, &entropy));
    HONE_TRY(hone_cli_rows(in, "values", &e->shape, &value));
    HONE_TRY(hone_cli_rows(in, "old_values", &e->shape, &old_value));
    HONE_TRY(hone_cli_rows(in, "returns", &e->shape, &returns));
    HONE_TRY(hone_cli_rows_or_list(in, "advantages", &e->shape, &adv));
    HONE_TRY(hone__eval_groups(in, e->shape.n_seqs, &groups));
    HONE_TRY(drop_truncated(in, uses, &e->shape, mask));
    HONE_TRY(hone__eval_lengths(in, &e->shape, mask, &length));
    e->x.teacher_logp = teacher;
    e->x.collision = collision;
    e->x.divergence = e->given_divergence;
    if (!adv && (uses & HONE_OBJ_ADVANTAGE) && hone_value_get(&in->root, "rewards")) {
        /* rewards alone: standardised in their groups, as the trainer named by --compat does */
        hone_arg_list none = {.n = 0};
        hone__advantages a;
        HONE_TRY(hone__eval_advantages(in, r, compat, "group", &none, &a));
        adv = hone_arena_calloc(&in->arena, e->shape.n_tokens + 1, sizeof *adv);
        if (!adv)
            return HONE_E_NOMEM;
        for (size_t s = 0; s < e->shape.n_seqs; s++)
            for (size_t t = e->shape.begin[s]; t < e->shape.begin[s + 1]; t++)
                adv[t] = a.seq[s];
    }
    e->x.logp = logp;
    e->x.mask = mask;
    e->x.old_logp = old;
    e->x.ref_logp = ref;
    e->x.sampler_logp = sampler;
    e->x.entropy = entropy;
    e->x.value = value;
    e->x.old_value = old_value ? old_value : value; /* a first pass: as they were drawn */
    e->x.returns = returns;
    e->x.advantage = adv;
    e->x.group = groups;
    e->x.length = length;
    HONE_TRY(hone_value_f64(&in->root, "max_length", (double)e->shape.widest, &e->x.max_length));
    return HONE_OK;
}

/* Sums of pairs: one token a sequence; chosen and rejected in turn, for unpaired losses as many as there are. */
static hone_status prepare_pairs(hone_cli_numbers *in, uint32_t uses, evaluation *e)
{
    const int unpaired = (uses & HONE_OBJ_UNPAIRED) != 0;
    double *p[2], *ref[2], *len[2], *col[2], *logp, *refs, *mask, *length, *margin, *margins, *cols;
    size_t n[2], m;
    static const char *const collisions[2] = {"collision_chosen", "collision_rejected"};
    static const char *const sides[2][3] = {{"policy_chosen", "ref_chosen", "len_chosen"},
                                            {"policy_rejected", "ref_rejected", "len_rejected"}};
    int has_ref = 1;
    for (int k = 0; k < 2; k++) {
        HONE_TRY(hone_cli_list(in, sides[k][0], &n[k], &p[k], NULL));
        if (!p[k] && !unpaired)
            return hone_fail(HONE_E_NOT_FOUND, "%s: there is no \"%s\"", in->path, sides[k][0]);
        HONE_TRY(hone_cli_list(in, sides[k][1], &m, &ref[k], NULL));
        if (ref[k] && m != n[k])
            return hone_fail(HONE_E_SHAPE, "%s: \"%s\" has %zu numbers, \"%s\" has %zu", in->path,
                             sides[k][1], m, sides[k][0], n[k]);
        has_ref &= ref[k] != NULL || n[k] == 0;
        HONE_TRY(hone_cli_list(in, collisions[k], &m, &col[k], NULL));
        if (col[k] && m != n[k])
            return hone_fail(HONE_E_SHAPE, "%s: \"%s\" has %zu numbers, \"%s\" has %zu", in->path,
                             collisions[k], m, sides[k][0], n[k]);
        HONE_TRY(hone_cli_list(in, sides[k][2], &m, &len[k], NULL));
        if (len[k] && m != n[k])
            return hone_fail(HONE_E_SHAPE, "%s: \"%s\" has %zu numbers, \"%s\" has %zu", in->path,
                             sides[k][2], m, sides[k][0], n[k]);
    }
    if (!unpaired && n[0] != n[1])
        return hone_fail(HONE_E_SHAPE, "%s: %zu chosen and %zu rejected do not make pairs",
                         in->path, n[0], n[1]);
    HONE_TRY(hone_cli_list(in, "margin", &m, &margin, NULL));
    if (margin && (m != n[0] || unpaired))
        return hone_fail(HONE_E_SHAPE, "%s: %zu margins for %zu pairs", in->path, m, n[0]);
    HONE_TRY(zeros(in, n[0] + n[1], &margins));
    HONE_TRY(zeros(in, n[0] + n[1], &cols));
    e->shape.n_seqs = e->shape.n_tokens = n[0] + n[1];
    e->shape.widest = 1;
    e->n_chosen = n[0];
    e->n_rejected = n[1];
    e->shape.begin = hone_arena_calloc(&in->arena, e->shape.n_seqs + 1, sizeof *e->shape.begin);
    logp = hone_arena_calloc(&in->arena, e->shape.n_seqs + 1, sizeof *logp);
    refs = hone_arena_calloc(&in->arena, e->shape.n_seqs + 1, sizeof *refs);
    length = hone_arena_calloc(&in->arena, e->shape.n_seqs + 1, sizeof *length);
    e->role = hone_arena_calloc(&in->arena, e->shape.n_seqs + 1, sizeof *e->role);
    if (!e->shape.begin || !logp || !refs || !length || !e->role)
        return HONE_E_NOMEM;
    HONE_TRY(hone__eval_ones(in, e->shape.n_seqs, &mask));
    for (size_t s = 0, at[2] = {0, 0}; s < e->shape.n_seqs; s++) {
        int k = at[0] > at[1] && at[1] < n[1] ? 1 : at[0] < n[0] ? 0 : 1;
        size_t i = at[k]++;
        logp[s] = p[k][i];
        refs[s] = ref[k] ? ref[k][i] : 0;
        length[s] = len[k] ? len[k][i] : 1;
        cols[s] = col[k] ? col[k][i] : 0;
        margins[s] = margin ? margin[i] : 0;
        e->x.total_chosen_tokens += k ? 0 : 1;
        e->role[s] = k ? HONE_ROLE_REJECTED : HONE_ROLE_CHOSEN;
        e->shape.begin[s + 1] = s + 1;
    }
    e->x.logp = logp;
    e->x.ref_logp = has_ref ? refs : NULL;
    e->x.mask = mask;
    e->x.length = length;
    e->x.role = e->role;
    e->x.margin = margins;
    e->x.value = uses & HONE_OBJ_VALUE ? logp : NULL; /* scores */
    e->x.collision = col[0] || col[1] ? cols : NULL;
    return HONE_OK;
}

static void put_side(hone_jw *w, const evaluation *e, const char *key, uint32_t role)
{
    hone_jw_key(w, key);
    hone_jw_list(w);
    for (size_t s = 0; s < e->shape.n_seqs; s++)
        if (e->role[s] == role)
            hone_cli_number(w, (e->x.value ? e->out.grad_value : e->out.grad_logp)[s], !f64);
    hone_jw_end(w);
}

static void put_evaluation(const evaluation *e, hone_buf *b)
{
    hone_jw w;
    if (!json) {
        hone_buf_addf(b, "%-18s %.10g\n", "loss", e->out.loss);
        for (size_t i = 0; i < e->metrics.n; i++)
            hone_buf_addf(b, "%-18s %.10g\n", e->metrics.m[i].name, e->metrics.m[i].value);
        return;
    }
    hone_jw_init(&w, b, 0);
    hone_jw_map(&w);
    hone_jw_key(&w, "loss");
    hone_cli_number(&w, e->out.loss, !f64);
    if (e->role) {
        put_side(&w, e, "grad_chosen", HONE_ROLE_CHOSEN);
        put_side(&w, e, "grad_rejected", HONE_ROLE_REJECTED);
    } else {
        hone_jw_key(&w, "grad");
        if (e->grad_logits)
            hone_cli_put_logits(&w, &e->shape, e->logits.V, e->grad_logits, !f64);
        else
            hone_cli_put_rows(&w, &e->shape, e->out.grad_logp, !f64);
        if (e->x.divergence && !e->grad_logits) {
            hone_jw_key(&w, "grad_divergence");
            hone_cli_put_rows(&w, &e->shape, e->out.grad_divergence, !f64);
        }
        if (e->x.entropy) {
            hone_jw_key(&w, "grad_entropy");
            hone_cli_put_rows(&w, &e->shape, e->out.grad_entropy, !f64);
        }
        if (e->x.value) {
            hone_jw_key(&w, "grad_values");
            hone_cli_put_rows(&w, &e->shape, e->out.grad_value, !f64);
        }
    }
    hone_jw_key(&w, "metrics");
    hone_jw_map(&w);
    for (size_t i = 0; i < e->metrics.n; i++) {
        hone_jw_key(&w, e->metrics.m[i].name);
        hone_cli_number(&w, e->metrics.m[i].value, !f64);
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
}

/* The loss NAME, or a sum of several: dpo+0.2*sft. */
typedef struct losses {
    hone_instance *inst[16];
    hone_objective_term term[16];
    char name[16][64];
    size_t n;
    void *sum;
} losses;

static void close_losses(losses *l)
{
    hone_objective_sum_destroy(l->sum);
    for (size_t i = 0; i < l->n; i++)
        hone_instance_unref(l->inst[i]);
}

/* Settings that this loss knows, of those given: in a sum each term takes its own. */
static hone_status own_sets(const hone_component_info *info, const hone_arg_list *all,
                            hone_arg_list *own, uint8_t *taken)
{
    *own = (hone_arg_list){.n = 0};
    for (int i = 0; i < all->n; i++) {
        const char *eq = strchr(all->v[i], '=');
        for (size_t f = 0; eq && info->c.fields && info->c.fields[f]; f++) {
            const char *field = info->c.fields[f]->name;
            if (strlen(field) == (size_t)(eq - all->v[i]) &&
                strncmp(field, all->v[i], strlen(field)) == 0) {
                own->v[own->n++] = all->v[i];
                taken[i] = 1;
            }
        }
    }
    return HONE_OK;
}

static hone_status open_losses(hone_cli_numbers *in, hone_registry *r, const char *name, losses *l)
{
    const int several = strpbrk(name, "+*") != NULL && strncmp(name, "reinforce++", 11) != 0;
    uint8_t taken[HONE_ARG_LIST_MAX] = {0};
    memset(l, 0, sizeof *l);
    for (const char *at = name; at;) {
        const char *end = several ? strchr(at, '+') : NULL, *star;
        const size_t len = end ? (size_t)(end - at) : strlen(at);
        hone_objective_term *t = &l->term[l->n];
        const hone_component_info *info;
        hone_arg_list own = sets;
        hone_value more;
        hone_ref ref;
        const char *rest;
        char *n = l->name[l->n];
        if (l->n == 16 || len == 0 || len >= sizeof l->name[0])
            return hone_fail(HONE_E_USAGE, "%s: a loss, or up to 16 with + between them", name);
        memcpy(n, at, len);
        n[len] = 0;
        t->weight = 1;
        star = strchr(n, '*');
        if (several && star) {
            t->weight = hone_parse_f64(n, &rest);
            if (rest != star)
                return hone_fail(HONE_E_USAGE, "%s: \"%s\" is not weight*loss", name, n);
            memmove(n, star + 1, strlen(star));
        }
        HONE_TRY(hone_registry_find_iface(r, HONE_KIND_OBJECTIVE, HONE_IFACE_OBJECTIVE, n, &info));
        if (several)
            HONE_TRY(own_sets(info, &sets, &own, taken));
        HONE_TRY(hone__eval_extra(in, r, compat, HONE_IFACE_OBJECTIVE, n, &more));
        HONE_TRY(hone_cli_instance(r, HONE_KIND_OBJECTIVE, HONE_IFACE_OBJECTIVE, n, &own, &more,
                                   &in->arena, &l->inst[l->n], &ref));
        t->vt = ref.vt;
        t->self = ref.self;
        t->instance = l->inst[l->n];
        t->name = n;
        l->n++;
        at = end ? end + 1 : NULL;
    }
    for (int i = 0; several && i < sets.n; i++)
        if (!taken[i])
            return hone_fail(HONE_E_USAGE, "%s: none of its losses has the setting %s", name,
                             sets.v[i]);
    return hone_objective_sum_create(l->term, l->n, &l->sum);
}

/* Which key of the file a loss that refused its input was to have. */
static hone_status hint_missing(const evaluation *e, uint32_t uses, hone_status s)
{
    if ((uses & HONE_OBJ_ADVANTAGE) && !e->x.advantage)
        return hone_fail_hint("give \"advantages\", or \"rewards\" with \"group_size\"");
    if ((uses & HONE_OBJ_REF) && !e->x.ref_logp)
        return hone_fail_hint(e->role ? "give \"ref_chosen\" and \"ref_rejected\""
                                      : "give \"ref_logp\"");
    if ((uses & HONE_OBJ_SAMPLER) && !e->x.sampler_logp)
        return hone_fail_hint("give \"sampler_logp\"");
    if ((uses & HONE_OBJ_ENTROPY) && !e->x.entropy)
        return hone_fail_hint("give \"entropy\"");
    if ((uses & HONE_OBJ_VALUE) && !e->role && (!e->x.value || !e->x.returns))
        return hone_fail_hint("give \"values\", \"old_values\" and \"returns\"");
    return s;
}

/* A number that is not finite is null in JSON: what made it is said. */
static void note_overflow(const evaluation *e)
{
    int finite = hone_math_abs(e->out.loss) < hone_math_inf();
    for (size_t t = 0; t < e->shape.n_tokens; t++)
        finite &= hone_math_abs(e->out.grad_logp[t]) < hone_math_inf();
    if (!finite)
        fprintf(stderr, "note: the loss or its gradient is not finite: a log-ratio is too large "
                        "for exp (about 709)\n");
}

static hone_status evaluate(hone_cli_numbers *in, hone_registry *r, const char *name, evaluation *e)
{
    const hone_objective_v1 *vt = &hone_objective_sum_vt;
    losses l;
    memset(e, 0, sizeof *e);
    e->wants = (hone_objective_wants){.struct_size = sizeof e->wants, .temperature = 1};
    hone_status s = open_losses(in, r, name, &l);
    uint32_t uses = 0;
    if (s >= 0) {
        uses = vt->uses(l.sum);
        s = vt->wants(l.sum, &e->wants);
    }
    if (s >= 0)
        s = uses & (HONE_OBJ_PAIRS | HONE_OBJ_UNPAIRED) ? prepare_pairs(in, uses, e)
                                                        : prepare_tokens(in, r, uses, e);
    if (s >= 0) {
        const size_t n = e->shape.n_tokens;
        e->x.struct_size = sizeof e->x;
        e->x.n_seqs = e->shape.n_seqs;
        e->x.n_tokens = n;
        e->x.seq_begin = e->shape.begin;
        e->out.struct_size = sizeof e->out;
        e->out.n_tokens = n;
        e->out.ctx = &e->metrics;
        e->out.metric = keep_metric;
        s = zeros(in, n, &e->out.grad_logp);
        if (s >= 0 && e->x.entropy)
            s = zeros(in, n, &e->out.grad_entropy);
        if (s >= 0 && e->x.value)
            s = zeros(in, n, &e->out.grad_value);
        if (s >= 0 && e->x.divergence)
            s = zeros(in, n, &e->out.grad_divergence);
    }
    if (s >= 0) {
        s = vt->loss(l.sum, &e->x, &e->out);
        if (s < 0)
            s = hint_missing(e, uses, s);
    }
    if (s >= 0 && e->logits.student)
        s = hone_cli_logits_grad(in, &e->wants, &e->logits, e->out.grad_logp,
                                 e->out.grad_divergence, &e->grad_logits);
    close_losses(&l);
    return s;
}

static int objective_eval(const char *name)
{
    hone_registry *r = NULL;
    hone_cli_numbers in;
    evaluation e;
    hone_buf b;
    hone_status s = hone_cli_numbers_open(&in, input, !f64);
    if (s < 0)
        return hone_cli_fail(s);
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    s = hone_cli_open_registry(&paths, &r);
    if (s >= 0) {
        hone__eval_note_unread(&in);
        s = evaluate(&in, r, name, &e);
    }
    if (s >= 0) {
        note_overflow(&e);
        put_evaluation(&e, &b);
    }
    int code = print_buf(&b, s);
    hone_registry_close(r);
    hone_cli_numbers_close(&in);
    return code;
}

/* ---- the verbs ------------------------------------------------------------------------------------ */

static const hone_arg list_options[] = {PATHS, JSON, {0}};
static const hone_arg eval_options[] = {EVAL_OPTIONS};

typedef struct words { /* of one of the two verbs */
    const char *verb, *iface, *key;
    hone_args list, show, eval;
    int (*run)(const char *name);
} words;

static int is_trainer(const char *name)
{
    static const char *const known[] = {"none", "trl", "verl", "openrlhf"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return 1;
    return 0;
}

static int run_verb(const words *v, int argc, char **argv)
{
    static const char *const subs[] = {"list", "show", "eval", NULL};
    hone_rest rest;
    const char *sub = argc > 1 ? argv[1] : NULL;
    if (!sub || strcmp(sub, "--help") == 0 || strcmp(sub, "-h") == 0) {
        printf("usage: hone %s list|show|eval\n\n  list            names and one line each\n"
               "  show NAME       formula, source, settings, where trainers differ\n"
               "  eval NAME       what it gives on the numbers of a JSON file\n\n"
               "`hone %s eval --help` tells more.\n",
               v->verb, v->verb);
        return sub ? HONE_EXIT_OK : hone_cli_usage(v->verb, "list, show or eval is missing");
    }
    if (strcmp(sub, "list") == 0)
        return hone_args_parse(&v->list, argc - 1, argv + 1, &rest) ? list_all(v->iface, v->key)
                                                                    : rest.exit;
    if (strcmp(sub, "show") == 0)
        return hone_args_parse(&v->show, argc - 1, argv + 1, &rest) ? show_one(v->iface, rest.v[0])
                                                                    : rest.exit;
    if (strcmp(sub, "eval") == 0) {
        if (!hone_args_parse(&v->eval, argc - 1, argv + 1, &rest))
            return rest.exit;
        if (!input)
            return hone_cli_usage(v->eval.verb, "--input F.json is missing");
        if (compat && !is_trainer(compat))
            return hone_cli_usage(v->eval.verb, "--compat %s: there is trl, verl and openrlhf",
                                  compat);
        return v->run(rest.v[0]);
    }
    const char *close = hone_closest(sub, subs);
    return close ? hone_cli_usage(v->verb, "unknown word \"%s\" (did you mean \"%s\"?)", sub, close)
                 : hone_cli_usage(v->verb, "unknown word \"%s\": list, show or eval", sub);
}

int hone_cli_objective(int argc, char **argv)
{
    static const char *const list_examples[] = {"hone objective list", NULL};
    static const char *const show_examples[] = {"hone objective show dapo", NULL};
    static const char *const eval_examples[] = {
        "hone objective eval grpo --input numbers.json --compat trl --set beta=0.04 --f64 --json",
        "hone objective eval dpo+0.2*simpo --input numbers.json --json", NULL};
    static const words v = {
        "objective",
        HONE_IFACE_OBJECTIVE,
        "objectives",
        {"objective list", "[options]", "Names the losses there are.", list_options, list_examples,
         0, 0},
        {"objective show", "NAME [options]",
         "Prints formula, source, settings and where trainers differ.", list_options, show_examples,
         1, 1},
        {"objective eval", "NAME --input F.json [options]",
         "Evaluates a loss and its gradient. Keys of F.json: logp, old_logp, ref_logp, "
         "sampler_logp, entropy,\n"
         "values, old_values, returns, mask (B x T, rows of any width), advantages (B, or B x T) "
         "or "
         "rewards with\n"
         "group_size or groups, max_length. Without old_logp the policy is the one that sampled "
         "(r = 1), without mask\n"
         "all tokens train. For preference losses policy_chosen, policy_rejected, ref_chosen, "
         "ref_rejected (sums),\n"
         "len_chosen, len_rejected (1 where absent, so that sums are taken as means), kto_kl, "
         "margin. To learn from a\n"
         "teacher student_logits, teacher_logits (B x T x V), ids (B x T), or teacher_logp.\n"
         "The gradient is with respect to logp, to the policy's sums, or to student_logits. NAME "
         "may be a sum: "
         "dpo+0.2*sft.",
         eval_options, eval_examples, 1, 1},
        objective_eval};
    return run_verb(&v, argc, argv);
}

int hone_cli_advantage(int argc, char **argv)
{
    static const char *const list_examples[] = {"hone advantage list", NULL};
    static const char *const show_examples[] = {"hone advantage show group", NULL};
    static const char *const eval_examples[] = {
        "hone advantage eval group --input numbers.json --json", NULL};
    static const words v = {
        "advantage",
        HONE_IFACE_ADVANTAGE,
        "advantages",
        {"advantage list", "[options]", "Names the advantages there are.", list_options,
         list_examples, 0, 0},
        {"advantage show", "NAME [options]",
         "Prints formula, source, settings and where trainers differ.", list_options, show_examples,
         1, 1},
        {"advantage eval", "NAME --input F.json [options]",
         "Turns rewards into advantages. Keys of F.json: rewards (B, or K x B "
         "with null for unscored), weights\n"
         "(K), group_size, mask or lengths, max_length, values, logp, ref_logp (B x "
         "T), baseline. Gives B numbers, or B x T\n"
         "where the method is per token or there is a mask.",
         eval_options, eval_examples, 1, 1},
        advantage_eval};
    return run_verb(&v, argc, argv);
}
