/* desk.c - see desk.h. Source: plugin-abi.md section 7, "scorer requests queue for the engine between decode steps".
 *
 * Invariant: a request is the asking thread's own memory; it is touched under the lock, or while its state is SERVED, and
 * the asking thread does not return while it is. */
#include "train/desk_private.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>
#include <time.h>

enum { QUEUED = 0, SERVED, DONE };
static const uint64_t minute_ns = 60000000000u;

/* ---- the tokenizer ----------------------------------------------------------------------------------- */

static hone_status make_tokenizer(void *ctx, hone_instance *inst, hone_ref *out)
{
    hone_desk *d = ctx;
    (void)inst;
    HONE_TRY(hone__desk_first(d));
    for (size_t i = 0; i < d->n_policies; i++) {
        const hone_text_side *t = d->policies[i]->text;
        size_t k = 0;
        if (!t || !t->tokenizer_instance)
            continue;
        while (k < d->n_given && d->given[k] != t->tokenizer_instance)
            k++;
        if (k == HONE__DESK_POLICIES)
            return hone_fail(HONE_E_LIMIT, "more than %d tokenizers in one run",
                             HONE__DESK_POLICIES);
        if (k == d->n_given)
            d->given[d->n_given++] = hone_instance_addref(t->tokenizer_instance);
        *out = t->tokenizer.ref;
        return HONE_OK;
    }
    hone_fail(HONE_E_STATE,
              HONE_IFACE_TOKENIZER " of the run: there is no policy with a tokenizer");
    return hone_fail_hint("make the policy before the component that asks for its tokenizer");
}

/* ---- one request, on the control thread ---------------------------------------------------------------- */

static hone_status serve(hone_desk *d, hone__request *q)
{
    hone__desk_model m;
    HONE_TRY(hone__desk_find(d, q->who, q->model, &m));
    if (hone_env_comm(m.p->env)->size > 1)
        return hone_fail(HONE_E_UNSUPPORTED,
                         HONE_IFACE_SCORER ": the ranks of a run cannot be asked by one of them");
    return q->serve(q, &m);
}

size_t hone_desk_serve(hone_desk *d)
{
    size_t n = 0;
    if (!d || !__atomic_load_n(&d->queue, __ATOMIC_ACQUIRE))
        return 0;
    pthread_mutex_lock(&d->lock);
    for (hone__request *q; (q = d->queue) != NULL; n++) {
        d->queue = q->next;
        if (d->tail == &q->next)
            d->tail = &d->queue;
        q->state = SERVED;
        pthread_mutex_unlock(&d->lock);
        q->status = serve(d, q);
        if (q->status < 0)
            q->error = *hone_error_get();
        pthread_mutex_lock(&d->lock);
        q->state = DONE;
        pthread_cond_broadcast(&d->served);
    }
    pthread_mutex_unlock(&d->lock);
    return n;
}

/* ---- asking, on any thread ------------------------------------------------------------------------------- */

/* Under the lock: out of the queue again, when nobody serves it yet. */
static int take_back(hone_desk *d, hone__request *q)
{
    for (hone__request **at = &d->queue; q->state == QUEUED && *at; at = &(*at)->next)
        if (*at == q) {
            *at = q->next;
            if (d->tail == &q->next)
                d->tail = at;
            return 1;
        }
    return 0;
}

static hone_status await_answer(hone_desk *d, hone__request *q, const hone_call *call)
{
    const uint64_t end = call && call->deadline_ns ? call->deadline_ns : hone_now_ns() + minute_ns;
    hone_status s = HONE_OK;
    pthread_mutex_lock(&d->lock);
    *d->tail = q;
    d->tail = &q->next;
    while (q->state != DONE && s >= 0) {
        if (!hone_cond_wait_ns(&d->served, &d->lock, 20000000) || q->state == DONE)
            continue;
        if (call && call->cancelled && hone_cancelled(call) && take_back(d, q))
            s = hone_fail(HONE_E_CANCELLED, HONE_IFACE_SCORER ": the call was cancelled");
        else if (hone_now_ns() > end && take_back(d, q))
            s = hone_fail(HONE_E_TIMEOUT, HONE_IFACE_SCORER ": the deadline passed");
    }
    pthread_mutex_unlock(&d->lock);
    return s;
}

/* Has q answered, on this thread or the control thread. The answer is in q's arena. */
static hone_status ask(const hone__desk_client *c, hone__request *q, const hone_call *call)
{
    hone_desk *d = c->desk;
    hone_status s;
    q->who = c->who;
    hone_arena_init(&q->arena, (size_t)1 << 30);
    if (!d)
        return hone_fail(HONE_E_STATE, HONE_IFACE_SCORER ": the run is over");
    atomic_fetch_add(&d->asked, 1);
    if (call && call->cancelled && hone_cancelled(call))
        return hone_fail(HONE_E_CANCELLED, HONE_IFACE_SCORER ": the call was cancelled");
    if (pthread_equal(pthread_self(), d->control))
        return q->status = serve(d, q);
    s = await_answer(d, q, call);
    return s >= 0 && q->status < 0 ? hone_error_set(&q->error) : s;
}

static hone_status logprobs(void *self, const hone_call *call, hone_str model,
                            const hone_score_item *items, size_t n, size_t stride,
                            const hone_logprob_sink *sink)
{
    hone__request q = {
        .model = model, .serve = hone__serve_logprobs, .items = items, .n = n, .stride = stride};
    if (n == 0)
        return HONE_OK;
    hone_status s = ask(self, &q, call);
    hone__logprobs *a = q.answer;
    for (size_t i = 0; s >= 0 && i < n; i++)
        s = sink->put(sink, i, a[i].ids.ids, a[i].logprobs, a[i].ids.n);
    for (size_t i = 0; a && i < n; i++)
        hone_tokens_release(&a[i].ids);
    hone_arena_release(&q.arena);
    return s;
}

static hone_status labels(void *self, const hone_call *call, hone_str model,
                          const hone_label_item *items, size_t n, size_t stride,
                          const hone_label_sink *sink)
{
    hone__request q = {
        .model = model, .serve = hone__serve_labels, .items = items, .n = n, .stride = stride};
    if (n == 0)
        return HONE_OK;
    hone_status s = ask(self, &q, call);
    const hone__labels *a = q.answer;
    for (size_t i = 0; s >= 0 && i < n; i++)
        s = sink->put(sink, i, a[i].logprobs, a[i].n, a[i].n_tokens);
    hone_arena_release(&q.arena);
    return s;
}

static hone_status answers(void *self, const hone_call *call, hone_str model,
                           const hone_answer_rule *rule, const hone_answer_item *items, size_t n,
                           size_t stride, const hone_answer_sink *sink)
{
    hone__request q = {.model = model,
                       .serve = hone__serve_answers,
                       .items = items,
                       .n = n,
                       .stride = stride,
                       .rule = rule};
    if (n == 0)
        return HONE_OK;
    hone_status s = ask(self, &q, call);
    const hone__answer *a = q.answer;
    for (size_t i = 0; s >= 0 && i < n; i++)
        s = sink->put(sink, i, a[i].text, a[i].finish, a[i].ids, a[i].logprobs, a[i].n,
                      a[i].n_prompt);
    hone_arena_release(&q.arena);
    return s;
}

static hone_status values(void *self, const hone_call *call, hone_str model,
                          const hone_value_item *items, size_t n, size_t stride, double *out)
{
    hone__request q = {
        .model = model, .serve = hone__serve_values, .items = items, .n = n, .stride = stride};
    if (n == 0)
        return HONE_OK;
    const hone_status s = ask(self, &q, call);
    if (s >= 0)
        memcpy(out, q.answer, n * sizeof *out);
    hone_arena_release(&q.arena);
    return s;
}

static hone_status describe(void *self, const hone_call *call, hone_str model,
                            const hone_text_sink *sink)
{
    hone__request q = {.model = model, .serve = hone__serve_describe};
    hone_status s = ask(self, &q, call);
    if (s >= 0)
        s = sink->put(sink, 0, *(const hone_str *)q.answer);
    hone_arena_release(&q.arena);
    return s;
}

static hone_status embed(void *self, const hone_call *call, hone_str model, uint32_t flags,
                         const hone_embed_item *items, size_t n, size_t stride,
                         const hone_embed_sink *sink)
{
    hone__request q = {.model = model,
                       .serve = hone__serve_embed,
                       .items = items,
                       .n = n,
                       .stride = stride,
                       .flags = flags};
    if (n == 0)
        return HONE_OK;
    hone_status s = ask(self, &q, call);
    const hone__embedded *a = q.answer;
    for (size_t i = 0; s >= 0 && i < n; i++)
        s = sink->put(sink, i, a[i].vector, a[i].n, a[i].n_tokens);
    hone_arena_release(&q.arena);
    return s;
}

static const hone_model_scorer_v1 scorer_v1 = {
    sizeof(hone_model_scorer_v1), 0, logprobs, labels, answers, values, describe, embed};

/* The instance is gone, and perhaps the desk before it. */
static void end_client(void *ctx)
{
    hone__desk_client *c = ctx;
    hone_desk *d = c->desk;
    if (d) {
        pthread_mutex_lock(&d->lock);
        hone__desk_client **at = &d->clients;
        while (*at != c)
            at = &(*at)->next;
        *at = c->next;
        pthread_mutex_unlock(&d->lock);
    }
    hone_free(c);
}

/* The scorer as one instance sees it: what it may have opened depends on who asks. */
static hone_status make_scorer(void *ctx, hone_instance *inst, hone_ref *out)
{
    hone_desk *d = ctx;
    pthread_mutex_lock(&d->lock);
    hone__desk_client *c = d->clients;
    while (c && c->who != inst)
        c = c->next;
    pthread_mutex_unlock(&d->lock);
    if (!c) {
        c = hone_calloc(1, sizeof *c);
        if (!c)
            return HONE_E_NOMEM;
        hone_status s = inst ? hone_instance_at_end(inst, end_client, c) : HONE_OK;
        if (s < 0) {
            hone_free(c);
            return s;
        }
        pthread_mutex_lock(&d->lock);
        *c = (hone__desk_client){d->clients, d, inst};
        d->clients = c;
        pthread_mutex_unlock(&d->lock);
    }
    *out = (hone_ref){c, &scorer_v1};
    return HONE_OK;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static void close_desk(void *ctx)
{
    hone_desk *d = ctx;
    hone__desk_forget(d);
    for (hone__desk_client *c; (c = d->clients) != NULL;) {
        d->clients = c->next;
        c->desk = NULL;
        if (!c->who)
            hone_free(c);
    }
    for (size_t i = 0; i < d->n_given; i++)
        hone_instance_unref(d->given[i]);
    pthread_cond_destroy(&d->served);
    pthread_mutex_destroy(&d->lock);
    hone_free(d);
}

void hone_desk_drop(hone_desk *d)
{
    if (d)
        hone__desk_forget(d);
}

void hone_desk_when_none(hone_desk *d, hone_status (*make)(void *ctx), void *ctx)
{
    d->make = make;
    d->make_ctx = ctx;
}

uint64_t hone_desk_asked(const hone_desk *d)
{
    return atomic_load(&d->asked);
}

hone_status hone_desk_open(hone_env *env)
{
    hone_desk *d = hone_calloc(1, sizeof *d);
    pthread_condattr_t attr;
    if (!d)
        return HONE_E_NOMEM;
    d->control = pthread_self();
    d->tail = &d->queue;
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->served, &attr);
    pthread_condattr_destroy(&attr);
    d->env = (hone_env){.registry = env->registry, .pool = env->pool, .comm = env->comm};
    hone_status s = hone_registry_at_close(env->registry, close_desk, d);
    if (s < 0) {
        close_desk(d);
        return s;
    }
    HONE_TRY(hone_registry_offer(env->registry, HONE_IFACE_TOKENIZER, make_tokenizer, d));
    HONE_TRY(hone_registry_offer(env->registry, HONE_IFACE_SCORER, make_scorer, d));
    env->desk = d;
    return HONE_OK;
}
