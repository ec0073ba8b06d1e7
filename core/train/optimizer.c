/* optimizer.c - see optimizer.h.
 *
 * A step is a list of slices, each a task: parameters that may be cut in pieces of some 65,536 elements, others whole,
 * the largest first so that no thread ends up alone with one. What a slice becomes depends on the slice alone, so
 * neither the order nor the threads show in the bits. */
#include "train/optimizer.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLICE 65536

hone_status hone_optimizer_create(hone_registry *reg, const char *name, const hone_value *config,
                                  hone_optimizer **out)
{
    hone_optimizer *o = hone_calloc(1, sizeof *o);
    if (!o)
        return HONE_E_NOMEM;
    hone_status s = hone__opt_read(o, reg, name, config);
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
    hone_region_release(&o->state);
    hone_region_release(&o->kept);
    for (size_t i = 0; i < o->n_parts; i++)
        hone_instance_unref(o->parts[i].instance);
    hone_free(o->entries);
    hone_free(o);
}

hone_slice hone_optimizer_slice(const hone_optimizer *o, const hone_params *p, uint32_t rank)
{
    return o->whole ? hone_params_slice(p, 0, 1) : hone_params_slice(p, rank, o->comm->size);
}

/* ---- binding ------------------------------------------------------------------------------------- */

static hone_status ask(hone_optimizer *o, const hone_param_item *it, hone_param i,
                       hone_opt_entry *e)
{
    *e = (hone_opt_entry){.param = i, .group = hone__opt_group_of(o, it->name)};
    const hone_opt_part *part = &o->parts[o->groups[e->group].part];
    hone_opt_param op = {.struct_size = sizeof op,
                         .group = e->group,
                         .name = hone_str_c(it->name),
                         .rows = it->is_vector ? it->cols : it->rows,
                         .cols = it->is_vector ? 0 : it->cols,
                         .flags = it->flags};
    hone_opt_state_spec spec = {.struct_size = sizeof spec};
    hone_instance_enter(part->instance);
    HONE_TRY(hone_instance_leave(part->instance, "state_spec",
                                 part->vt->state_spec(part->self, &op, &spec)));
    HONE_TRY(
        hone_opt_entry_fill(e, &spec, part->vt->flags, hone_instance_id(part->instance), it->name));
    o->groups[e->group].n_params++;
    o->n_arrays += e->n_state;
    o->whole |= e->cut == HONE_OPT_CUT_WHOLE;
    o->scratch = e->scratch > o->scratch ? e->scratch : o->scratch;
    return HONE_OK;
}

hone_status hone_optimizer_bind(hone_optimizer *o, const hone_params *p, const hone_comm *comm)
{
    int32_t count = hone_params_count(p);
    size_t bytes = 0;
    hone_opt_entry *entries = hone_calloc(count > 0 ? (size_t)count : 1, sizeof *entries);
    if (!entries)
        return HONE_E_NOMEM;
    hone_free(o->entries);
    o->entries = entries;
    o->comm = comm;
    o->flat = hone_params_flat_length(p);
    o->step = o->n_entries = o->n_arrays = o->scratch = 0;
    o->whole = o->evaluating = 0;
    for (size_t g = 0; g < o->n_groups; g++)
        o->groups[g].n_params = 0;
    for (int32_t i = 0; i < count; i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (it && it->trainable)
            HONE_TRY(ask(o, it, i, &entries[o->n_entries++]));
    }
    o->own = hone_optimizer_slice(o, p, comm->rank);
    for (size_t k = 0; k < o->n_entries; k++)
        HONE_TRY(hone_opt_entry_place(&entries[k], hone_params_item(p, entries[k].param), o->own,
                                      &bytes));
    for (size_t g = 1; g < o->n_groups; g++)
        if (!o->groups[g].n_params)
            hone_log(HONE_LOG_WARN, "optimizer",
                     "group %zu (%s) has no parameter: no name matches, or a later group has it", g,
                     o->groups[g].match);
    hone_region_release(&o->kept);
    hone_region_release(&o->state);
    return hone_region_init(&o->state, "optimizer", bytes);
}

/* ---- slices -------------------------------------------------------------------------------------- */

typedef struct job {
    hone_optimizer *o;
    const hone_exec *ex;
    hone_opt_slice *slices;
    size_t n;
    hone_opt_info info;
    double scale[HONE_OPT_MAX_GROUPS]; /* of the gradients, by group */
    int evaluate;
    hone_status failed;
    hone_error error;
    int claimed;
} job;

static void job_task(void *arg, int64_t task, uint32_t thread)
{
    job *j = arg;
    hone_opt_slice *x = &j->slices[task];
    const hone_opt_part *part = &j->o->parts[j->o->groups[x->group].part];
    hone_opt_info info = j->info;
    info.grad_scale = j->scale[x->group];
    x->scratch = j->o->scratch ? j->ex->thread_scratch(j->ex, thread) : NULL;
    hone_instance_enter(part->instance);
    hone_status s = (j->evaluate ? part->vt->evaluation : part->vt->step)(part->self, x, 1,
                                                                          sizeof *x, &info);
    s = hone_instance_leave(part->instance, j->evaluate ? "evaluation" : "step", s);
    if (s < 0 && !__atomic_exchange_n(&j->claimed, 1, __ATOMIC_ACQ_REL)) {
        j->error = *hone_error_get();
        j->failed = s;
    }
}

static int by_size(const void *pa, const void *pb)
{
    const hone_opt_slice *a = pa, *b = pb;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return a->param < b->param ? -1 : a->param > b->param;
}

static size_t piece_of(const hone_opt_entry *e, const hone_param_item *it)
{
    size_t unit = hone_opt_unit_of(it);
    if (e->cut == HONE_OPT_CUT_ANY)
        return SLICE;
    if (e->cut == HONE_OPT_CUT_WHOLE || unit >= SLICE)
        return e->cut == HONE_OPT_CUT_WHOLE ? it->length : unit;
    return SLICE / unit * unit;
}

/* Those of parts that have evaluation weights, or of all. */
static hone_status make_slices(const hone_optimizer *o, hone_params *p, double lr, job *j)
{
    size_t cap = 0;
    for (size_t k = 0; k < o->n_entries; k++) {
        const hone_opt_entry *e = &o->entries[k];
        cap += (e->end - e->begin) / piece_of(e, hone_params_item(p, e->param)) + 1;
    }
    j->slices = hone_calloc(cap ? cap : 1, sizeof *j->slices);
    if (!j->slices)
        return HONE_E_NOMEM;
    for (size_t k = 0; k < o->n_entries; k++) {
        const hone_opt_entry *e = &o->entries[k];
        const hone_param_item *it = hone_params_item(p, e->param);
        const hone_opt_group *g = &o->groups[e->group];
        size_t piece = piece_of(e, it);
        if (j->evaluate && !HONE_HAS(o->parts[g->part].vt, hone_optimizer_v1, evaluation))
            continue;
        if (!j->evaluate && !it->grad)
            continue;
        for (size_t at = e->begin; at < e->end; at += piece) {
            hone_opt_slice *s = &j->slices[j->n++];
            s->param = (float *)it->data + at;
            s->grad = j->evaluate ? NULL : it->grad + at;
            for (uint32_t a = 0; a < e->n_state; a++)
                s->state[a] = (float *)(void *)((char *)o->state.base + e->state[a].at +
                                                hone_opt_array_offset(&e->state[a], it,
                                                                      at - e->begin));
            s->length = e->end - at < piece ? e->end - at : piece;
            s->rows = it->is_vector ? it->cols : it->rows;
            s->cols = it->is_vector ? 0 : it->cols;
            s->layout = e->cut == HONE_OPT_CUT_ANY ? HONE_LAYOUT_FLAT
                        : it->is_vector            ? HONE_LAYOUT_ROWS
                                                   : HONE_LAYOUT_PANELS;
            s->group = e->group;
            s->lr = lr * g->lr_scale * (double)it->lr_scale;
            s->weight_decay = g->weight_decay;
            s->tag = e->tag;
        }
    }
    qsort(j->slices, j->n, sizeof *j->slices, by_size);
    return HONE_OK;
}

/* Every slice, on the pool's threads but for components that are not to be entered twice. */
static hone_status run_job(job *j)
{
    int alone = 0;
    for (size_t i = 0; i < j->o->n_parts; i++)
        alone |= !(hone_instance_caps(j->o->parts[i].instance) & HONE_CAP_REENTRANT);
    if (!alone)
        j->ex->parallel(j->ex, (int64_t)j->n, job_task, j);
    else
        for (size_t i = 0; i < j->n; i++)
            job_task(j, (int64_t)i, 0);
    return j->failed < 0 ? hone_error_set(&j->error) : HONE_OK;
}

/* ---- gradients ----------------------------------------------------------------------------------- */

typedef struct clamping {
    float *g;
    size_t n;
    float most;
} clamping;

static void clamp_task(void *arg, int64_t task, uint32_t thread)
{
    const clamping *c = arg;
    size_t at = (size_t)task * SLICE, end = c->n - at < SLICE ? c->n : at + SLICE;
    (void)thread;
    for (; at < end; at++) {
        float g = c->g[at];
        c->g[at] = g > c->most ? c->most : g < -c->most ? -c->most : g;
    }
}

void hone_optimizer_clip_values(hone_params *p, hone_pool *pool, double most)
{
    clamping c = {hone_params_grads(p), hone_params_flat_length(p), (float)most};
    const hone_exec *ex = hone_pool_exec(pool);
    if (c.g && c.n && !hone_region_planning())
        ex->parallel(ex, (int64_t)((c.n - 1) / SLICE + 1), clamp_task, &c);
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

/* The norms of the gradients of groups with a clip of their own: every rank sums all of it, parameter by parameter. */
typedef struct group_job {
    const hone_optimizer *o;
    const hone_params *p;
    double *sum; /* by entry */
} group_job;

static void group_task(void *arg, int64_t task, uint32_t thread)
{
    const group_job *j = arg;
    const hone_opt_entry *e = &j->o->entries[task];
    const hone_param_item *it = hone_params_item(j->p, e->param);
    double lane[16] = {0}, sum = 0;
    (void)thread;
    if (!(j->o->groups[e->group].clip > 0) || !it->grad)
        return;
    size_t whole = it->length / 16 * 16;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t l = 0; l < 16; l++)
            lane[l] += (double)it->grad[i + l] * (double)it->grad[i + l];
    for (size_t i = whole; i < it->length; i++)
        lane[i - whole] += (double)it->grad[i] * (double)it->grad[i];
    for (size_t l = 0; l < 16; l++)
        sum += lane[l];
    j->sum[task] = sum;
}

/* scale[g] *= what brings group g's gradients, times scale[g], down to its clip. */
static hone_status clip_groups(const hone_optimizer *o, const hone_params *p, const hone_exec *ex,
                               double *scale)
{
    int any = 0;
    for (size_t g = 0; g < o->n_groups; g++)
        any |= o->groups[g].clip > 0;
    if (!any)
        return HONE_OK;
    group_job j = {o, p, hone_calloc(o->n_entries ? o->n_entries : 1, sizeof *j.sum)};
    if (!j.sum)
        return HONE_E_NOMEM;
    ex->parallel(ex, (int64_t)o->n_entries, group_task, &j);
    for (size_t g = 0; g < o->n_groups; g++) {
        double sum = 0, most = o->groups[g].clip;
        for (size_t k = 0; k < o->n_entries; k++)
            sum += o->entries[k].group == g ? j.sum[k] : 0;
        double norm = sqrt(sum) * scale[g];
        if (most > 0 && most / (norm + 1e-6) < 1)
            scale[g] *= most / (norm + 1e-6);
    }
    hone_free(j.sum);
    return HONE_OK;
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
    if (c->size == 1 || o->whole) /* every rank has made the whole step */
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

/* ---- the step ------------------------------------------------------------------------------------ */

hone_status hone_optimizer_step(hone_optimizer *o, hone_params *p, hone_pool *pool, double lr,
                                double clip, double *norm_out)
{
    double norm;
    hone_status s = HONE_OK;
    if (o->scratch)
        s = hone_pool_reserve(pool, o->scratch, 0);
    if (hone_region_planning()) {
        *norm_out = 0;
        return s;
    }
    const hone_exec *ex = hone_pool_exec(pool);
    if (s >= 0 && o->flat != hone_params_flat_length(p))
        s = hone_fail(HONE_E_STATE,
                      "the set of trainable parameters changed after the optimizer was made");
    if (s >= 0 && o->evaluating)
        s = hone_fail(HONE_E_STATE, "the weights are those to evaluate, not those to train");
    HONE_TRY(hone_comm_agree(o->comm, s));
    hone_trace_span span;
    hone_trace_begin(&span, "gradient norm", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    s = gradient_norm(o, p, ex, &norm);
    hone_trace_end(&span, NULL);
    HONE_TRY(s);
    *norm_out = norm;
    if (!isfinite(norm)) /* on every rank: it has the same bits everywhere */
        return 1;
    job j = {.o = o, .ex = ex};
    j.info = (hone_opt_info){
        .struct_size = sizeof j.info, .step = o->step + 1, .grad_norm = norm, .grad_scale = 1.0};
    if (clip > 0 && clip / (norm + 1e-6) < 1) /* as torch.nn.utils.clip_grad_norm_ */
        j.info.grad_scale = clip / (norm + 1e-6);
    for (size_t g = 0; g < o->n_groups; g++)
        j.scale[g] = j.info.grad_scale;
    s = clip_groups(o, p, ex, j.scale);
    HONE_TRY_GOTO(hone_comm_agree(o->comm, s >= 0 ? make_slices(o, p, lr, &j) : s), done);
    hone_trace_begin(&span, "optimizer", HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    s = run_job(&j);
    hone_trace_end(&span, NULL);
    HONE_TRY_GOTO(hone_comm_agree(o->comm, s), done);
    hone_params_changed(p);
    HONE_TRY_GOTO(share_params(o, p), done);
    o->step++;
done:
    hone_free(j.slices);
    return s;
}

/* ---- weights to evaluate ------------------------------------------------------------------------- */

int hone_optimizer_evaluates(const hone_optimizer *o)
{
    for (size_t i = 0; i < o->n_parts; i++)
        if (HONE_HAS(o->parts[i].vt, hone_optimizer_v1, evaluation))
            return 1;
    return 0;
}

hone_status hone_optimizer_evaluation(hone_optimizer *o, hone_params *p, hone_pool *pool, int on)
{
    job j = {.o = o, .evaluate = 1};
    hone_status s = HONE_OK;
    if (!hone_optimizer_evaluates(o) || !on == !o->evaluating ||
        (on && o->step == 0 && !hone_region_planning()))
        return HONE_OK;
    if (!on) {
        o->evaluating = 0;
        if (!hone_region_planning())
            hone_params_set_flat(p, 0, o->flat, o->kept.base);
        return HONE_OK;
    }
    if (o->flat != hone_params_flat_length(p))
        s = hone_fail(HONE_E_STATE,
                      "the set of trainable parameters changed after the optimizer was made");
    if (s >= 0 && !o->kept.base)
        s = hone_region_init(&o->kept, "optimizer", o->flat * sizeof(float));
    if (s >= 0 && o->scratch)
        s = hone_pool_reserve(pool, o->scratch, 0);
    if (s >= 0 && hone_region_planning())
        return HONE_OK;
    j.ex = hone_pool_exec(pool);
    j.info = (hone_opt_info){.struct_size = sizeof j.info, .step = o->step, .grad_scale = 1.0};
    HONE_TRY_GOTO(hone_comm_agree(o->comm, s >= 0 ? make_slices(o, p, 0, &j) : s), done);
    hone_params_get_flat(p, 0, o->flat, o->kept.base);
    o->evaluating = 1;
    s = hone_comm_agree(o->comm, run_job(&j));
    hone_params_changed(p);
    if (s >= 0)
        s = share_params(o, p);
    if (s < 0) {
        hone_params_set_flat(p, 0, o->flat, o->kept.base);
        o->evaluating = 0;
    }
done:
    hone_free(j.slices);
    return s;
}
