/* box_retry.c - a call whose box died: what stands, what is asked again, what is given up.
 *
 * What was answered stands, and only the rest is asked again, where the component says BATCH_INVARIANT and the slot is a
 * batch of samples; on a second death the rest is halved until the sample that kills is alone, and a sample that alone
 * kills two fresh boxes stays without an answer. Otherwise the whole call is asked again, twice at most.
 * A death that somebody else caused (SIGKILL from outside) counts for nothing and is simply repaired.
 *
 * Notes are the delicate part: an outcome may stand while the note that belongs to it was lost. So the last answered
 * sample is always asked again, and everything is when the component was seen to write notes.
 * The call's outputs are the caller's own arrays: a sample is written there once per attempt that answered it,
 * and an attempt that is repeated overwrites; sinks are called for samples that stand.
 * Source: plugin-abi.md section 7, "Death". */
#include "host/box_proxy.h"

#include "base/alloc.h"
#include "base/log.h"
#include "hone/judge.h"

#include <stdio.h>
#include <string.h>

enum { OUTSIDE_MAX = 1000, WHOLE_MAX = 2, ALONE_MAX = 2 };

/* A batch call taken apart: which arguments count, stride, hold and answer samples. */
typedef struct batch {
    hone__offered *o;
    const hone_wire_slot *slot;
    void *const *args; /* the caller's */
    int count, out, sink;
    size_t n;
    hone_outcome *outcomes; /* of an `out`, else NULL */
    size_t out_stride;
    unsigned char *answered; /* by a sink; else NULL */
    const char *sink_name;
    /* the part that is asked in this attempt */
    size_t from, to;
    const int *how; /* unless HONE__BOX_ANSWERED, notes are seen and not delivered */
    union {
        hone_notes notes;
        hone_token_scores tokens;
        hone_verdict_sink verdicts;
    } shim;
    const void *shim_at, *real;
    unsigned outside;
    hone_wire_ret ret;
    size_t given_up;
    hone_error why; /* of the last sample given up */
} batch;

/* ---- sinks between the plugin and the caller ------------------------------------------------------- */

static int has_answer(const batch *b, size_t i)
{
    if (b->outcomes) {
        const hone_outcome *o = (const hone_outcome *)(const void *)((const char *)b->outcomes +
                                                                     i * b->out_stride);
        return __atomic_load_n(&o->status, __ATOMIC_ACQUIRE) != HONE_PENDING;
    }
    return b->answered && b->answered[i];
}

static void put_note(const hone_notes *notes, size_t sample, hone_str name, const hone_value *value)
{
    batch *b = notes->ctx;
    const hone_notes *real = b->real;
    b->o->proxy->noted = 1;
    if (*b->how == HONE__BOX_ANSWERED && real && sample < b->to - b->from)
        real->put(real, b->from + sample, name, value);
}

static hone_status put_tokens(const hone_token_scores *sink, size_t sample, hone_outcome outcome,
                              const float *scores, size_t n)
{
    batch *b = sink->ctx;
    const hone_token_scores *real = b->real;
    if (sample >= b->to - b->from)
        return hone_fail(HONE_E_RANGE, "token scores for sample %zu of %zu", sample,
                         b->to - b->from);
    HONE_TRY(real->put(real, b->from + sample, outcome, scores, n));
    b->answered[b->from + sample] = 1;
    return HONE_OK;
}

static hone_status put_verdict(const hone_verdict_sink *sink, size_t item,
                               const hone_verdict *verdict)
{
    batch *b = sink->ctx;
    const hone_verdict_sink *real = b->real;
    if (item >= b->to - b->from)
        return hone_fail(HONE_E_RANGE, "a verdict on item %zu of %zu", item, b->to - b->from);
    HONE_TRY(real->put(real, b->from + item, verdict));
    b->answered[b->from + item] = 1;
    return HONE_OK;
}

static int known_sink(const char *name)
{
    return strcmp(name, "hone_notes") == 0 || strcmp(name, "hone_token_scores") == 0 ||
           strcmp(name, "hone_verdict_sink") == 0;
}

static void make_shim(batch *b)
{
    if (b->sink < 0)
        return;
    memcpy(&b->real, b->args[b->sink], sizeof b->real);
    if (strcmp(b->sink_name, "hone_notes") == 0)
        b->shim.notes = (hone_notes){sizeof(hone_notes), 0, b, put_note};
    else if (strcmp(b->sink_name, "hone_token_scores") == 0)
        b->shim.tokens = (hone_token_scores){sizeof(hone_token_scores), 0, b, put_tokens};
    else
        b->shim.verdicts = (hone_verdict_sink){sizeof(hone_verdict_sink), 0, b, put_verdict};
    b->shim_at = b->real ? &b->shim : NULL;
}

/* ---- taking a call apart --------------------------------------------------------------------------- */

/* 1 when samples can be asked for in parts. */
static int take_apart(batch *b)
{
    const hone_sig *sig = hone_wire_sig(b->slot);
    const hone_slot *desc = hone_wire_desc(b->slot);
    b->count = b->out = b->sink = -1;
    if (!(desc->flags & HONE_SLOT_BATCH) ||
        !(b->o->proxy->inst->info->c.caps & HONE_CAP_BATCH_INVARIANT) ||
        sig->result != HONE_A_STATUS)
        return 0;
    for (int i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        if (a->array && a->dir == HONE_DIR_IN && b->count < 0)
            b->count = a->count;
        else if (a->array && a->dir == HONE_DIR_IN)
            return 0;
        if (a->array && a->dir != HONE_DIR_IN) {
            if (b->out >= 0 || !a->of || strcmp(a->of->name, "hone_outcome") != 0 || a->stride < 0)
                return 0;
            b->out = i;
        }
        if (a->base == HONE_A_SINK) {
            if (b->sink >= 0 || !a->of || !known_sink(a->of->name))
                return 0;
            b->sink = i;
            b->sink_name = a->of->name;
        }
    }
    if (b->count < 0 || (b->out < 0 && b->sink < 0))
        return 0;
    memcpy(&b->n, b->args[b->count], sizeof b->n);
    if (b->out >= 0) {
        memcpy(&b->outcomes, b->args[b->out], sizeof b->outcomes);
        memcpy(&b->out_stride, b->args[sig->args[b->out].stride], sizeof b->out_stride);
        return sig->args[b->out].count == b->count;
    }
    b->answered = hone_calloc(b->n ? b->n : 1, 1);
    return b->answered != NULL;
}

/* ---- deaths ---------------------------------------------------------------------------------------- */

int hone__proxy_bury(hone__proxy *p, const char *call, int how, int64_t sample, int again,
                     hone_error *why)
{
    const int own = how == HONE__BOX_DIED || how == HONE__BOX_GREEDY || how == HONE__BOX_BROKE;
    const char *id = p->inst->info->c.id;
    char place[128];
    hone_buf text;
    hone_buf_init(&text, 8192);
    hone__box_why(&p->box, how, &text);
    snprintf(place, sizeof place, sample >= 0 ? "%s, sample %lld" : "%s", call, (long long)sample);
    if (own)
        hone_fail(HONE_E_MISBEHAVED, "its box died in %s: %.380s", place, text.ptr);
    else if (how == HONE__BOX_LATE)
        hone_fail(HONE_E_TIMEOUT, "the deadline passed in %s", call);
    else
        hone_fail(HONE_E_MISBEHAVED, "its box was ended again and again by somebody else");
    if (own)
        hone_fail_hint("look at it alone: hone plugin validate %s",
                       p->inst->info->plugin ? p->inst->info->plugin->path : id);
    *why = *hone_error_get();
    hone_log(HONE_LOG_WARN, id, "its box ended in %s: %.900s", place, text.ptr);
    if (own && again)
        hone__proxy_count(p, how, call, sample);
    hone_buf_release(&text);
    hone__box_stop(&p->box);
    p->alive = 0;
    return own;
}

/* What the caller calls sample i: its id where it has one, else its place in the batch. */
static int64_t sample_id(const batch *b, size_t i)
{
    const hone_sig *sig = hone_wire_sig(b->slot);
    for (int k = 0; k < sig->n; k++) {
        const hone_sig_arg *a = &sig->args[k];
        if (!a->array || a->dir != HONE_DIR_IN || !a->of || strcmp(a->of->name, "hone_sample") != 0)
            continue;
        size_t stride = hone_sig_elem_size(a);
        const char *at;
        uint64_t id;
        if (a->stride >= 0)
            memcpy(&stride, b->args[a->stride], sizeof stride);
        memcpy(&at, b->args[k], sizeof at);
        memcpy(&id, at + i * stride + offsetof(hone_sample, id), sizeof id);
        return id <= INT64_MAX ? (int64_t)id : -1;
    }
    return (int64_t)i;
}

static void forget_answer(batch *b, size_t i)
{
    if (b->outcomes)
        hone_outcome_set(b->outcomes, b->out_stride, i, HONE_PENDING, 0);
}

/* After a death: which of the samples asked for stand. */
static void what_stands(batch *b)
{
    if (!b->outcomes)
        return; /* what a sink was given, it has whole */
    size_t last = b->to;
    for (size_t i = b->from; i < b->to; i++)
        if (has_answer(b, i))
            last = i;
    for (size_t i = b->from; i < b->to; i++)
        if (b->o->proxy->noted || i == last)
            forget_answer(b, i);
}

/* One attempt at samples [from, to), on a box that is there. */
static hone_status attempt(batch *b, size_t from, size_t to, int *how)
{
    const hone_sig *sig = hone_wire_sig(b->slot);
    void *args[HONE_SIG_MAX];
    void *moved[HONE_SIG_MAX];
    size_t n = to - from;
    hone__proxy *p = b->o->proxy;
    for (int i = 0; i < sig->n; i++) {
        const hone_sig_arg *a = &sig->args[i];
        args[i] = b->args[i];
        if (a->array && a->count == b->count) {
            size_t stride = hone_sig_elem_size(a);
            char *at;
            if (a->stride >= 0)
                memcpy(&stride, b->args[a->stride], sizeof stride);
            memcpy(&at, b->args[i], sizeof at);
            moved[i] = at ? at + from * stride : NULL;
            args[i] = &moved[i];
        }
    }
    args[b->count] = &n;
    if (b->sink >= 0)
        args[b->sink] = &b->shim_at;
    b->from = from;
    b->to = to;
    b->how = how;
    *how = HONE__BOX_ANSWERED;
    HONE_TRY(hone__proxy_revive(p));
    return hone__proxy_try(b->o, b->slot, args, 1, how, &b->ret);
}

/* A sample that alone killed two fresh boxes is an error, and says why. */
static void give_up(batch *b, size_t i, const hone_error *why)
{
    static const char said[] = "reason";
    const hone_notes *notes = b->real;
    if (b->outcomes && notes && strcmp(b->sink_name, "hone_notes") == 0) {
        hone_value v = {.type = HONE_STRING, .u.str = {why->what, strlen(why->what)}};
        hone_outcome_set(b->outcomes, b->out_stride, i, HONE_ERROR, 0);
        notes->put(notes, i, (hone_str){said, sizeof said - 1}, &v);
        return;
    }
    b->given_up++; /* it stays without an answer, and the call's failure says why */
    b->why = *why;
}

/* Samples [from, to): `deaths` is how many times the box has died on them. */
static hone_status run(batch *b, size_t from, size_t to, unsigned deaths)
{
    hone__proxy *p = b->o->proxy;
    int how;
    for (;;) {
        HONE_TRY(attempt(b, from, to, &how));
        if (how == HONE__BOX_ANSWERED)
            return b->ret.i32;
        if (how != HONE__BOX_LATE)
            what_stands(b);
        hone_error why;
        const int alone = to - from == 1 && !has_answer(b, from);
        int own = hone__proxy_bury(p, hone_wire_desc(b->slot)->name, how,
                                   alone ? sample_id(b, from) : -1,
                                   alone && deaths + 1 >= ALONE_MAX, &why);
        if (how == HONE__BOX_LATE)
            return hone_error_set(&why);
        if (!own && ++b->outside > OUTSIDE_MAX)
            return hone_error_set(&why);
        deaths += (unsigned)own;
        if (alone) {
            if (deaths >= ALONE_MAX) {
                give_up(b, from, &why);
                return HONE_OK;
            }
            continue;
        }
        break;
    }
    /* Runs of samples without an answer; halves of them from the second death on. */
    hone_status worst = HONE_OK;
    for (size_t i = from; i < to;) {
        size_t k = i;
        if (has_answer(b, i)) {
            i++;
            continue;
        }
        while (k < to && !has_answer(b, k))
            k++;
        size_t middle = deaths >= 2 && k - i > 1 ? i + (k - i) / 2 : k;
        unsigned so_far = k - i == 1 || middle - i == 1 ? 0 : deaths;
        hone_status s = run(b, i, middle, so_far);
        if (s >= 0 && middle < k)
            s = run(b, middle, k, k - middle == 1 ? 0 : deaths);
        if (s < 0 && worst >= 0)
            worst = s;
        if (s == HONE_E_TIMEOUT)
            return s;
        i = k;
    }
    return worst;
}

/* ---- the call -------------------------------------------------------------------------------------- */

static void fail_call(const hone_wire_slot *s, hone_status st, hone_wire_ret *ret)
{
    memset(ret, 0, sizeof *ret);
    if (hone_wire_sig(s)->result == HONE_A_STATUS)
        ret->raw = (ffi_arg)(int64_t)st;
    else if (hone_wire_sig(s)->result == HONE_T_I32)
        ret->raw = (ffi_arg)(int64_t)-1;
}

/* All of the call, again and again. */
static hone_status call_whole(hone__offered *o, const hone_wire_slot *s, void *const *args,
                              hone_wire_ret *ret)
{
    hone__proxy *p = o->proxy;
    hone_error why;
    unsigned outside = 0, deaths = 0;
    for (;;) {
        int how = HONE__BOX_ANSWERED;
        HONE_TRY(hone__proxy_revive(p));
        HONE_TRY(hone__proxy_try(o, s, args, 0, &how, ret));
        if (how == HONE__BOX_ANSWERED)
            return HONE_OK;
        int own = hone__proxy_bury(p, hone_wire_desc(s)->name, how, -1, deaths + 1 >= WHOLE_MAX,
                                   &why);
        if (how == HONE__BOX_LATE || (own && ++deaths >= WHOLE_MAX) ||
            (!own && ++outside > OUTSIDE_MAX))
            return hone_error_set(&why);
    }
}

static hone_status call_batch(batch *b, hone_wire_ret *ret)
{
    make_shim(b);
    memset(&b->ret, 0, sizeof b->ret);
    hone_status s = run(b, 0, b->n, 0);
    *ret = b->ret;
    if (s < 0)
        return s;
    if (b->given_up) {
        b->why.code = HONE_E_MISBEHAVED;
        return hone_error_set(&b->why);
    }
    return HONE_OK;
}

void hone__proxy_call(void *self, const hone_wire_slot *s, void *const *args, hone_wire_ret *ret)
{
    const hone__offered *called = self;
    hone__proxy *first = called->proxy, *p = hone__pool_enter(first);
    hone__offered *o = &p->offers[called->number];
    batch b = {.o = o, .slot = s, .args = args};
    hone_status st;
    if (take_apart(&b))
        st = call_batch(&b, ret);
    else
        st = call_whole(o, s, args, ret);
    hone_free(b.answered);
    if (st >= 0 && p->alive)
        st = hone__proxy_remember(p);
    if (st < 0)
        fail_call(s, st, ret);
    hone__pool_leave(first, p);
}
