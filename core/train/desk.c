/* desk.c - see desk.h. Source: plugin-abi.md section 7, "scorer requests queue for the engine between decode steps".
 *
 * Invariant: a request is the asking thread's own memory; it is touched under the lock, or while its state is SERVED, and
 * the asking thread does not return while it is. */
#include "train/desk.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "hone/scorer.h"
#include "train/update.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { POLICIES = 64, QUEUED = 0, SERVED, DONE };
static const uint64_t minute_ns = 60000000000u;

typedef struct request {
    struct request *next;
    hone_str model;
    const hone_score_item *items;
    size_t n, stride;
    int state;
    hone_status status;
    hone_error error;
    hone_arena arena; /* of the answer */
    hone_tokens *ids; /* n */
    float **logprobs;
} request;

struct hone_desk {
    pthread_t control;
    pthread_mutex_t lock;
    pthread_cond_t served;
    request *queue, **tail;
    hone_policy *policies[POLICIES];
    size_t n_policies;
    hone_instance *given[POLICIES]; /* tokenizers that were given out: they stay */
    size_t n_given;
};

hone_status hone__desk_add(hone_desk *d, hone_policy *p)
{
    if (!d)
        return HONE_OK;
    if (d->n_policies == POLICIES)
        return hone_fail(HONE_E_LIMIT, "more than %d policies at one time", POLICIES);
    d->policies[d->n_policies++] = p;
    return HONE_OK;
}

void hone__desk_remove(hone_desk *d, const hone_policy *p)
{
    size_t k = 0;
    for (size_t i = 0; d && i < d->n_policies; i++)
        if (d->policies[i] != p)
            d->policies[k++] = d->policies[i];
    if (d)
        d->n_policies = k;
}

/* ---- the tokenizer ----------------------------------------------------------------------------------- */

static hone_status make_tokenizer(void *ctx, hone_instance *inst, hone_ref *out)
{
    hone_desk *d = ctx;
    (void)inst;
    for (size_t i = 0; i < d->n_policies; i++) {
        const hone_text_side *t = d->policies[i]->text;
        size_t k = 0;
        if (!t || !t->tokenizer_instance)
            continue;
        while (k < d->n_given && d->given[k] != t->tokenizer_instance)
            k++;
        if (k == POLICIES)
            return hone_fail(HONE_E_LIMIT, "more than %d tokenizers in one run", POLICIES);
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

static hone_policy *find_policy(const hone_desk *d, hone_str name)
{
    for (size_t i = 0; i < d->n_policies; i++)
        if (!name.len || hone_str_eq(name, d->policies[i]->name))
            return d->policies[i];
    return NULL;
}

static hone_status ids_of(const hone_policy *p, hone_str text, const int32_t *ids, size_t n,
                          int prompt, hone_tokens *out)
{
    hone_tokens_init(out, 0);
    if (ids)
        HONE_TRY(hone_tokens_add(out, ids, NULL, NULL, n));
    else if (prompt && text.len)
        HONE_TRY(hone_policy_encode_text(p, text, out));
    else if (text.len) {
        if (!p->text || !p->text->tokenizer_instance)
            return hone_fail(HONE_E_INVALID, "%s has no tokenizer: give ids", p->name);
        HONE_TRY(hone_tokenizer_encode(&p->text->tokenizer, text, 0, out));
    }
    for (size_t i = 0; i < out->n; i++)
        if (out->ids[i] < 0 || out->ids[i] >= p->model->info.vocab_size)
            return hone_fail(HONE_E_RANGE, "id %d is outside the vocabulary of %s", out->ids[i],
                             p->name);
    return HONE_OK;
}

static hone_status fill_trees(request *q, const hone_policy *p, hone_tokens *prompts,
                              hone_train_tree *trees, hone_train_seq *seqs, size_t *total)
{
    for (size_t i = 0; i < q->n; i++) {
        const hone_score_item *it = (const hone_score_item *)(const void *)((const char *)q->items +
                                                                            i * q->stride);
        HONE_TRY(ids_of(p, it->prompt, it->prompt_ids, it->n_prompt_ids, 1, &prompts[i]));
        HONE_TRY(ids_of(p, it->completion, it->ids, it->n_ids, 0, &q->ids[i]));
        const size_t n = prompts[i].n + q->ids[i].n;
        const int64_t most = p->model->info.max_positions;
        if (most > 0 && n > (size_t)most)
            return hone_fail(HONE_E_RANGE, "item %zu has %zu tokens, %s has %lld positions", i, n,
                             p->name, (long long)most);
        seqs[i] = (hone_train_seq){.ids = q->ids[i].ids, .n = q->ids[i].n};
        trees[i] = (hone_train_tree){prompts[i].ids, prompts[i].n, &seqs[i], q->ids[i].n != 0};
        *total += q->ids[i].n;
    }
    return HONE_OK;
}

static hone_status serve_request(hone_desk *d, request *q)
{
    hone_policy *p = find_policy(d, q->model);
    size_t total = 0;
    if (!p) {
        hone_fail(HONE_E_STATE, "no model \"%.*s\" is there to be asked",
                  (int)(q->model.len < 64 ? q->model.len : 64), q->model.ptr ? q->model.ptr : "");
        return hone_fail_hint("it is the name of a policy or a reference, or empty for the first");
    }
    if (hone_env_comm(p->env)->size > 1)
        return hone_fail(HONE_E_UNSUPPORTED,
                         HONE_IFACE_SCORER ": the ranks of a run cannot be asked by one of them");
    q->ids = hone_arena_calloc(&q->arena, q->n, sizeof *q->ids);
    q->logprobs = hone_arena_calloc(&q->arena, q->n, sizeof *q->logprobs);
    hone_tokens *prompts = hone_arena_calloc(&q->arena, q->n, sizeof *prompts);
    hone_train_tree *trees = hone_arena_calloc(&q->arena, q->n, sizeof *trees);
    hone_train_seq *seqs = hone_arena_calloc(&q->arena, q->n, sizeof *seqs);
    if (!q->ids || !q->logprobs || !prompts || !trees || !seqs)
        return HONE_E_NOMEM;
    hone_status s = fill_trees(q, p, prompts, trees, seqs, &total);
    float *out = s < 0 ? NULL : hone_arena_calloc(&q->arena, total ? total : 1, sizeof *out);
    if (s >= 0 && !out)
        s = HONE_E_NOMEM;
    if (s >= 0 && total)
        s = hone_policy_logprobs(p, trees, q->n, 1.0, HONE_ADAPTERS_ACTIVE, 0, out);
    for (size_t i = 0, at = 0; s >= 0 && i < q->n; at += q->ids[i].n, i++)
        q->logprobs[i] = out + at;
    for (size_t i = 0; i < q->n; i++)
        hone_tokens_release(&prompts[i]);
    return s;
}

size_t hone_desk_serve(hone_desk *d)
{
    size_t n = 0;
    if (!d || !__atomic_load_n(&d->queue, __ATOMIC_ACQUIRE))
        return 0;
    pthread_mutex_lock(&d->lock);
    for (request *q; (q = d->queue) != NULL; n++) {
        d->queue = q->next;
        if (d->tail == &q->next)
            d->tail = &d->queue;
        q->state = SERVED;
        pthread_mutex_unlock(&d->lock);
        q->status = serve_request(d, q);
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
static int take_back(hone_desk *d, request *q)
{
    for (request **at = &d->queue; q->state == QUEUED && *at; at = &(*at)->next)
        if (*at == q) {
            *at = q->next;
            if (d->tail == &q->next)
                d->tail = at;
            return 1;
        }
    return 0;
}

static hone_status await_answer(hone_desk *d, request *q, const hone_call *call)
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

static hone_status logprobs(void *self, const hone_call *call, hone_str model,
                            const hone_score_item *items, size_t n, size_t stride,
                            const hone_logprob_sink *sink)
{
    hone_desk *d = self;
    request q = {.model = model, .items = items, .n = n, .stride = stride};
    hone_status s;
    if (n == 0)
        return HONE_OK;
    hone_arena_init(&q.arena, (size_t)1 << 30);
    if (pthread_equal(pthread_self(), d->control))
        s = q.status = serve_request(d, &q);
    else if ((s = await_answer(d, &q, call)) >= 0 && q.status < 0)
        s = hone_error_set(&q.error);
    for (size_t i = 0; s >= 0 && i < n; i++)
        s = sink->put(sink, i, q.ids[i].ids, q.logprobs[i], q.ids[i].n);
    for (size_t i = 0; q.ids && i < n; i++)
        hone_tokens_release(&q.ids[i]);
    hone_arena_release(&q.arena);
    return s;
}

static const hone_model_scorer_v1 scorer_v1 = {sizeof(hone_model_scorer_v1), 0, logprobs};

/* ---- life --------------------------------------------------------------------------------------------------- */

static void close_desk(void *ctx)
{
    hone_desk *d = ctx;
    for (size_t i = 0; i < d->n_given; i++)
        hone_instance_unref(d->given[i]);
    pthread_cond_destroy(&d->served);
    pthread_mutex_destroy(&d->lock);
    hone_free(d);
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
    const hone_ref ref = {d, &scorer_v1};
    hone_status s = hone_registry_at_close(env->registry, close_desk, d);
    if (s < 0) {
        close_desk(d);
        return s;
    }
    HONE_TRY(hone_registry_offer(env->registry, HONE_IFACE_TOKENIZER, make_tokenizer, d));
    HONE_TRY(hone_registry_offer_ref(env->registry, HONE_IFACE_SCORER, ref));
    env->desk = d;
    return HONE_OK;
}
