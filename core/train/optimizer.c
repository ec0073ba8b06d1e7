/* optimizer.c - see optimizer.h. */
#include "train/optimizer.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/trace.h"

#include <math.h>
#include <string.h>

#define SLICE 65536

static int glob(const char *p, const char *s)
{
    const char *star = NULL, *mark = NULL;
    while (*s) {
        if (*p == '*') {
            star = ++p;
            mark = s;
        } else if (*p == '?' || *p == *s) {
            p++;
            s++;
        } else if (star) {
            p = star;
            s = ++mark;
        } else {
            return 0;
        }
    }
    while (*p == '*')
        p++;
    return *p == '\0';
}

static hone_status read_groups(hone_optimizer *o, const hone_value *config)
{
    double wd = 0;
    if (config)
        HONE_TRY(hone_value_f64(config, "weight_decay", 0, &wd));
    o->groups[0] = (hone_opt_group){.match = "", .lr_scale = 1, .weight_decay = wd};
    o->n_groups = 1;
    const hone_value *list = config ? hone_value_get(config, "groups") : NULL;
    if (!list || list->type == HONE_NULL)
        return HONE_OK;
    if (list->type != HONE_LIST || list->u.list.n >= HONE_OPT_MAX_GROUPS)
        return hone_fail(HONE_E_TYPE, "optimizer groups: a list of at most %d",
                         HONE_OPT_MAX_GROUPS - 1);
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *g = &list->u.list.items[i];
        hone_opt_group *to = &o->groups[o->n_groups];
        hone_str match;
        HONE_TRY(hone_value_string(g, "match", (hone_str){NULL, 0}, &match));
        if (!match.ptr || match.len >= sizeof to->match)
            return hone_fail(HONE_E_INVALID, "optimizer group %zu: match is missing or too long",
                             i + 1);
        memset(to, 0, sizeof *to);
        memcpy(to->match, match.ptr, match.len);
        HONE_TRY(hone_value_f64(g, "lr_scale", 1, &to->lr_scale));
        HONE_TRY(hone_value_f64(g, "weight_decay", wd, &to->weight_decay));
        o->n_groups++;
    }
    return HONE_OK;
}

/* The component's own keys: without those of the host. */
static hone_status own_keys(hone_arena *a, const hone_value *config, hone_value *out)
{
    static const char *const host[] = {"lr", "weight_decay", "groups"};
    memset(out, 0, sizeof *out);
    out->type = HONE_MAP;
    if (!config || config->type != HONE_MAP)
        return HONE_OK;
    hone_pair *p = hone_arena_calloc(a, config->u.map.n + 1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    size_t n = 0;
    for (size_t i = 0; i < config->u.map.n; i++) {
        int skip = 0;
        for (size_t k = 0; k < sizeof host / sizeof *host; k++)
            skip |= hone_str_eq(config->u.map.pairs[i].key, host[k]);
        if (!skip)
            p[n++] = config->u.map.pairs[i];
    }
    out->u.map.pairs = p;
    out->u.map.n = n;
    return HONE_OK;
}

hone_status hone_optimizer_create(hone_registry *reg, const char *name, const hone_value *config,
                                  hone_optimizer **out)
{
    hone_arena a;
    hone_value own;
    hone_ref ref;
    hone_optimizer *o = hone_calloc(1, sizeof *o);
    if (!o)
        return HONE_E_NOMEM;
    hone_arena_init(&a, 0);
    hone_status s;
    HONE_TRY_GOTO(read_groups(o, config), done);
    HONE_TRY_GOTO(own_keys(&a, config, &own), done);
    HONE_TRY_GOTO(hone_instance_create(reg, HONE_KIND_OPTIMIZER, name, &own, &o->instance), done);
    HONE_TRY_GOTO(hone_instance_ref(o->instance, HONE_IFACE_OPTIMIZER, &ref), done);
    o->vt = ref.vt;
    o->self = ref.self;
done:
    hone_arena_release(&a);
    if (s < 0)
        hone_optimizer_destroy(o);
    else
        *out = o;
    return s;
}

void hone_optimizer_destroy(hone_optimizer *o)
{
    if (!o)
        return;
    for (int i = 0; i < HONE_OPT_MAX_STATE; i++)
        hone_region_release(&o->state[i]);
    hone_instance_unref(o->instance);
    hone_free(o);
}

static int sliced(const hone_optimizer *o)
{
    return (o->vt->flags & HONE_OPT_ELEMENTWISE) != 0;
}

hone_slice hone_optimizer_slice(const hone_optimizer *o, const hone_params *p, uint32_t rank)
{
    return sliced(o) ? hone_params_slice(p, rank, o->comm->size) : hone_params_slice(p, 0, 1);
}

hone_status hone_optimizer_bind(hone_optimizer *o, const hone_params *p, const hone_comm *comm)
{
    uint32_t n_state = 0;
    for (int32_t i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (!it || !it->trainable)
            continue;
        hone_opt_param op = {.struct_size = sizeof op,
                             .name = hone_str_c(it->name),
                             .rows = it->rows,
                             .cols = it->is_vector ? 0 : it->cols};
        hone_opt_state_spec spec = {.struct_size = sizeof spec};
        hone_instance_enter(o->instance);
        HONE_TRY(
            hone_instance_leave(o->instance, "state_spec", o->vt->state_spec(o->self, &op, &spec)));
        if (spec.n_buffers > HONE_OPT_MAX_STATE)
            return hone_fail(HONE_E_MISBEHAVED, "%s: state_spec asks for %u buffers",
                             hone_instance_id(o->instance), spec.n_buffers);
        for (uint32_t k = 0; k < spec.n_buffers; k++)
            o->state_names[k] = spec.names[k];
        if (spec.n_buffers > n_state)
            n_state = spec.n_buffers;
    }
    o->comm = comm;
    o->flat = hone_params_flat_length(p);
    o->own = hone_optimizer_slice(o, p, comm->rank);
    o->n_state = n_state;
    o->step = 0;
    for (uint32_t k = 0; k < HONE_OPT_MAX_STATE; k++) {
        hone_region_release(&o->state[k]);
        if (k < n_state)
            HONE_TRY(hone_region_init(&o->state[k], "optimizer",
                                      (o->own.end - o->own.begin) * sizeof(float)));
    }
    return HONE_OK;
}

typedef struct job {
    hone_optimizer *o;
    hone_opt_slice *slices;
    hone_opt_info info;
    hone_status failed;
    hone_error error;
    int claimed;
} job;

static void step_task(void *arg, int64_t task, uint32_t thread)
{
    job *j = arg;
    (void)thread;
    hone_instance_enter(j->o->instance);
    hone_status s = j->o->vt->step(j->o->self, &j->slices[task], 1, sizeof j->slices[task],
                                   &j->info);
    s = hone_instance_leave(j->o->instance, "step", s);
    if (s < 0 && !__atomic_exchange_n(&j->claimed, 1, __ATOMIC_ACQ_REL)) {
        j->error = *hone_error_get();
        j->failed = s;
    }
}

static const hone_opt_group *group_of(const hone_optimizer *o, const char *name, uint32_t *index)
{
    size_t best = 0;
    for (size_t i = 1; i < o->n_groups; i++) {
        if (glob(o->groups[i].match, name))
            best = i;
    }
    *index = (uint32_t)best;
    return &o->groups[best];
}

/* The norm of all gradients, each rank having squared its share of the chunks. */
static hone_status gradient_norm(const hone_optimizer *o, const hone_params *p,
                                 const hone_exec *exec, double *norm)
{
    size_t chunks = hone_params_chunks(p), first, n;
    double sum;
    hone_comm_share(o->comm, o->comm->rank, chunks, &first, &n);
    double *part = hone_reallocarray(NULL, n ? n : 1, sizeof *part);
    hone_status s;
    HONE_TRY_GOTO(hone_comm_agree(o->comm, part ? HONE_OK : HONE_E_NOMEM), done);
    hone_params_grad_sq_chunks(p, exec, first, n, part);
    HONE_TRY_GOTO(hone_comm_sum(o->comm, chunks, first, n, part, &sum), done);
    *norm = sqrt(sum);
done:
    hone_free(part);
    return s;
}

static size_t block_length(hone_slice s, size_t at)
{
    size_t n = s.end - s.begin;
    return at >= n ? 0 : n - at < SLICE ? n - at : SLICE;
}

/* Every rank gets the parameters of every other one's slice, a block of each at a time. */
static hone_status share_params(const hone_optimizer *o, hone_params *p)
{
    const hone_comm *c = o->comm;
    size_t most = 0;
    if (c->size == 1 || !sliced(o)) /* every rank has made the whole step */
        return HONE_OK;
    hone_slice *of = hone_calloc(c->size, sizeof *of);
    float *room = hone_calloc(c->size, SLICE * sizeof *room);
    hone_status s;
    HONE_TRY_GOTO(hone_comm_agree(c, of && room ? HONE_OK : HONE_E_NOMEM), done);
    for (uint32_t r = 0; r < c->size; r++) {
        of[r] = hone_optimizer_slice(o, p, r);
        most = of[r].end - of[r].begin > most ? of[r].end - of[r].begin : most;
    }
    for (size_t at = 0; at < most; at += SLICE) {
        float *mine = room + (size_t)c->rank * SLICE;
        hone_params_get_flat(p, o->own.begin + at, block_length(o->own, at), mine);
        HONE_TRY_GOTO(c->gather(c, mine, SLICE * sizeof *mine, room), done);
        for (uint32_t r = 0; r < c->size; r++) {
            if (r != c->rank)
                hone_params_set_flat(p, of[r].begin + at, block_length(of[r], at),
                                     room + (size_t)r * SLICE);
        }
    }
done:
    hone_free(room);
    hone_free(of);
    return s;
}

/* Cuts what is `own` of the parameters into the slices that the component gets. */
static hone_status make_slices(const hone_optimizer *o, hone_params *p, double lr,
                               hone_opt_slice **out, size_t *n_out)
{
    int cut = sliced(o);
    size_t n = 0, cap = 0;
    for (int32_t i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (it && it->trainable)
            cap += cut ? it->length / SLICE + 1 : 1;
    }
    hone_opt_slice *slices = hone_calloc(cap ? cap : 1, sizeof *slices);
    if (!slices)
        return HONE_E_NOMEM;
    for (int32_t i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (!it || !it->trainable || !it->grad)
            continue;
        uint32_t gi;
        const hone_opt_group *g = group_of(o, it->name, &gi);
        size_t step = cut ? SLICE : it->length,
               at = o->own.begin > it->flat ? o->own.begin - it->flat : 0,
               end = o->own.end > it->flat ? o->own.end - it->flat : 0;
        for (end = end < it->length ? end : it->length; at < end; at += step) {
            hone_opt_slice *s = &slices[n++];
            s->param = (float *)it->data + at;
            s->grad = it->grad + at;
            for (uint32_t k = 0; k < o->n_state; k++)
                s->state[k] = (float *)o->state[k].base + (it->flat + at - o->own.begin);
            s->length = end - at < step ? end - at : step;
            s->rows = it->rows;
            s->cols = it->is_vector ? 0 : it->cols;
            s->layout = cut                         ? HONE_LAYOUT_FLAT
                        : it->layout == HONE_PANELS ? HONE_LAYOUT_PANELS
                                                    : HONE_LAYOUT_ROWS;
            s->group = gi;
            s->lr = lr * g->lr_scale * (double)it->lr_scale;
            s->weight_decay = g->weight_decay;
        }
    }
    *out = slices;
    *n_out = n;
    return HONE_OK;
}

hone_status hone_optimizer_step(hone_optimizer *o, hone_params *p, hone_pool *pool, double lr,
                                double clip, double *norm_out)
{
    if (hone_region_planning()) {
        *norm_out = 0;
        return HONE_OK;
    }
    const hone_exec *ex = hone_pool_exec(pool);
    double norm;
    size_t n = 0;
    hone_status s = HONE_OK;
    if (o->flat != hone_params_flat_length(p))
        s = hone_fail(HONE_E_STATE,
                      "the set of trainable parameters changed after the optimizer was made");
    HONE_TRY(hone_comm_agree(o->comm, s));
    hone_trace_span span;
    hone_trace_begin(&span, "gradient norm", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    s = gradient_norm(o, p, ex, &norm);
    hone_trace_end(&span, NULL);
    HONE_TRY(s);
    *norm_out = norm;
    if (!isfinite(norm)) /* on every rank: it has the same bits everywhere */
        return 1;
    job j = {.o = o};
    HONE_TRY_GOTO(hone_comm_agree(o->comm, make_slices(o, p, lr, &j.slices, &n)), done);
    j.info = (hone_opt_info){
        .struct_size = sizeof j.info, .step = o->step + 1, .grad_norm = norm, .grad_scale = 1.0};
    if (clip > 0 && clip / (norm + 1e-6) < 1) /* as torch.nn.utils.clip_grad_norm_ */
        j.info.grad_scale = clip / (norm + 1e-6);
    hone_trace_begin(&span, "optimizer", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    if (hone_instance_caps(o->instance) & HONE_CAP_REENTRANT)
        ex->parallel(ex, (int64_t)n, step_task, &j);
    else
        for (size_t i = 0; i < n; i++)
            step_task(&j, (int64_t)i, 0);
    hone_trace_end(&span, NULL);
    HONE_TRY_GOTO(hone_comm_agree(o->comm, j.failed < 0 ? hone_error_set(&j.error) : HONE_OK),
                  done);
    hone_params_changed(p);
    HONE_TRY_GOTO(share_params(o, p), done);
    o->step++;
done:
    hone_free(j.slices);
    return s;
}
