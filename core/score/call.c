/* call.c - running one batch call (see call.h). */
#include "score/call.h"

#include "abi/config.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/trace.h"
#include "host/crash.h"
#include "score/cache.h"
#include "tensor/pool.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_NOTES ((size_t)1 << 20)
#define MAX_REASON ((size_t)1 << 10)

hone_status hone__call_create(size_t n, hone__call **out)
{
    hone__call *call = hone_calloc(1, sizeof *call);
    if (!call)
        return HONE_E_NOMEM;
    call->n = n;
    call->refs = 1;
    call->index = hone_calloc(n, sizeof *call->index);
    call->in = hone_calloc(n, sizeof *call->in);
    call->out = hone_calloc(n, sizeof *call->out);
    call->notes = hone_calloc(n, sizeof *call->notes);
    call->reasons = hone_calloc(n, sizeof *call->reasons);
    call->tokens = hone_calloc(n, sizeof *call->tokens);
    call->keys = hone_calloc(n, HONE_SCORE_KEY);
    if (!call->index || !call->in || !call->out || !call->notes || !call->reasons ||
        !call->tokens || !call->keys) {
        call->n = 0;
        hone__call_drop(call);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        hone_buf_init(&call->notes[i], MAX_NOTES);
        hone_buf_init(&call->reasons[i], MAX_REASON);
        hone_buf_init(&call->tokens[i], (size_t)1 << 26);
    }
    call->call.struct_size = sizeof call->call;
    call->call.n = (uint32_t)n;
    call->call.cancelled = &call->cancel_word;
    *out = call;
    return HONE_OK;
}

void hone__call_drop(hone__call *call)
{
    if (--call->refs > 0)
        return;
    for (size_t i = 0; i < call->n; i++) {
        hone_buf_release(&call->notes[i]);
        hone_buf_release(&call->reasons[i]);
        hone_buf_release(&call->tokens[i]);
    }
    hone_free(call->index);
    hone_free(call->in);
    hone_free(call->out);
    hone_free(call->notes);
    hone_free(call->reasons);
    hone_free(call->tokens);
    hone_free(call->keys);
    hone_free(call->res);
    hone_free(call);
}

void hone__call_shrink(hone__call *call, size_t n)
{
    for (size_t i = n; i < call->n; i++) {
        hone_buf_release(&call->notes[i]);
        hone_buf_release(&call->reasons[i]);
        hone_buf_release(&call->tokens[i]);
    }
    call->n = n;
    call->call.n = (uint32_t)n;
}

void hone__call_thread_init(void)
{
    hone_fp_setup();
}

/* What a plugin writes into its notes ends in files and reports: its secrets do not. */
static void hide_secrets(const hone__call *call, hone_buf *b, size_t from)
{
    const hone_config *cfg = call->use.instance ? hone_instance_config(call->use.instance) : NULL;
    hone_buf shown;
    if (!cfg || !hone_config_has_secret(cfg) || b->failed < 0 || b->len <= from)
        return;
    hone_buf_init(&shown, 1 << 20);
    hone_status s = hone_config_redact(cfg, (hone_str){b->ptr + from, b->len - from}, &shown);
    b->len = from;
    b->ptr[from] = '\0';
    if (s >= 0)
        hone_buf_add_str(b, hone_buf_str(&shown));
    hone_buf_release(&shown);
}

static void put_note(const hone_notes *notes, size_t sample, hone_str name, const hone_value *value)
{
    hone__call *call = notes->ctx;
    if (sample >= call->n)
        return;
    if (hone_str_eq(name, "reason") &&
        value->type == HONE_STRING) { /* too long: none, the note has it */
        hone_buf_clear(&call->reasons[sample]);
        hone_buf_add_str(&call->reasons[sample], value->u.str);
        hide_secrets(call, &call->reasons[sample], 0);
    }
    hone_buf *b = &call->notes[sample];
    hone_jw w;
    size_t at = b->len;
    hone_buf_addc(b, at ? ',' : '{');
    hone_jw_init(&w, b, 0);
    hone_jw_str(&w, name);
    hone_buf_addc(b, ':');
    hone_jw_init(&w, b, 0);
    hone_jw_value(&w, value);
    hide_secrets(call, b, at);
    if (b->failed < 0 && b->failed != HONE_E_NOMEM && at < b->cap) {
        /* Too long: this note is left out, the ones before stay. */
        b->failed = HONE_OK;
        b->len = at;
        b->ptr[at] = '\0';
    }
}

static hone_status put_tokens(const hone_token_scores *sink, size_t sample, hone_outcome outcome,
                              const float *scores, size_t n)
{
    hone__call *call = sink->ctx;
    if (sample >= call->n)
        return hone_fail(HONE_E_RANGE, "token scores for sample %zu of %zu", sample, call->n);
    if (n != call->in[sample].n_tokens)
        return hone_fail(HONE_E_INVALID, "%zu token scores for %zu tokens", n,
                         call->in[sample].n_tokens);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(scores[i]))
            return hone_fail(HONE_E_INVALID, "token score %zu is not finite", i);
    }
    hone_buf_clear(&call->tokens[sample]);
    HONE_TRY(hone_buf_add(&call->tokens[sample], scores, n * sizeof *scores));
    hone_outcome_set(call->out, sizeof *call->out, sample, outcome.status, outcome.score);
    return HONE_OK;
}

hone_status hone__call_run(hone__call *call)
{
    hone_notes notes = {sizeof notes, 0, call, put_note};
    hone_token_scores tokens = {sizeof tokens, 0, call, put_tokens};
    const hone_reward_v1 *vt = call->use.vt;
    hone_status st;
    hone_trace_span span;
    hone_error_clear();
    hone_crash_doing("score");
    hone_trace_begin(&span, call->use.instance ? hone_instance_id(call->use.instance) : "reward",
                     HONE_TRACE_WORK, HONE_TRACE_NO_PHASE);
    if (HONE_HAS(vt, hone_reward_v1, score_groups))
        st = vt->score_groups(call->use.self, &call->call, call->in, call->n, sizeof *call->in,
                              call->out, sizeof *call->out, &notes);
    else if (HONE_HAS(vt, hone_reward_v1, score_tokens))
        st = vt->score_tokens(call->use.self, &call->call, call->in, call->n, sizeof *call->in,
                              &tokens);
    else
        st = vt->score(call->use.self, &call->call, call->in, call->n, sizeof *call->in, call->out,
                       sizeof *call->out, &notes);
    st = hone_instance_leave(call->use.instance, "score", st);
    hone_trace_end(&span, &(hone_trace_detail){.layer = -1, .tasks = (int64_t)call->n});
    if (st < 0) {
        call->error = *hone_error_get();
        size_t at = strlen(call->error.what);
        if (strncmp(call->error.detail, "in ", 3) == 0 && !strchr(call->error.detail, '\n'))
            snprintf(call->error.what + at, sizeof call->error.what - at, " (%s)",
                     call->error.detail);
    }
    return st;
}

static hone_str lit(const char *z)
{
    return hone_str_c(z);
}

hone_score_result *hone__call_results(hone__call *call, hone_status st, int late)
{
    hone_score_result *res = hone_calloc(call->n, sizeof *res);
    if (!res)
        return NULL;
    for (size_t i = 0; i < call->n; i++) {
        hone_score_result *r = &res[i];
        uint32_t status = __atomic_load_n(&call->out[i].status, __ATOMIC_ACQUIRE);
        float score = call->out[i].score;
        if (status == HONE_SCORE && isfinite(score)) {
            r->status = HONE_SCORE;
            r->score = score;
        } else if (status == HONE_SCORE) {
            r->status = HONE_ERROR;
            r->reason = lit("the score is not finite");
        } else if (status == HONE_ABSTAIN) {
            r->status = HONE_ABSTAIN;
            r->reason = hone_buf_str(&call->reasons[i]);
        } else if (status == HONE_PENDING && (late || st == HONE_E_TIMEOUT)) {
            r->status = HONE_TIMEOUT;
            r->reason = lit("the deadline passed");
        } else if (status == HONE_PENDING && st < 0) {
            r->status = HONE_ERROR;
            r->reason = lit(call->error.code < 0 ? call->error.what : hone_status_text(st));
        } else if (status == HONE_PENDING) {
            r->status = HONE_ERROR;
            r->reason = lit("not answered");
        } else if (status == HONE_ERROR) {
            r->status = HONE_ERROR;
            r->reason = call->reasons[i].len   ? hone_buf_str(&call->reasons[i])
                        : !isfinite(score)     ? lit("the score is not finite")
                        : call->error.code < 0 ? lit(call->error.what)
                                               : lit("the reward gave an error without a reason");
        } else {
            r->status = HONE_ERROR;
            r->reason = lit("unknown outcome status");
        }
        if (call->notes[i].len) {
            hone_buf_addc(&call->notes[i], '}');
            r->notes = hone_buf_str(&call->notes[i]);
        }
        if (call->notes[i].failed == HONE_E_NOMEM || call->reasons[i].failed == HONE_E_NOMEM) {
            /* what the reward said is not known in full: never a score that lost its notes */
            *r = (hone_score_result){.status = HONE_ERROR, .reason = lit("out of memory")};
        }
        if (r->status == HONE_SCORE && call->tokens[i].len) {
            r->token_scores = (const float *)(const void *)call->tokens[i].ptr;
            r->n_token_scores = call->tokens[i].len / sizeof(float);
        }
    }
    call->res = res;
    return res;
}

hone_score_result *hone__call_expired_results(const hone__call *call)
{
    hone_score_result *res = hone_calloc(call->n, sizeof *res);
    if (!res)
        return NULL;
    for (size_t i = 0; i < call->n; i++) {
        uint32_t status = __atomic_load_n(&call->out[i].status, __ATOMIC_ACQUIRE);
        float score = call->out[i].score;
        if (status == HONE_SCORE && isfinite(score)) {
            res[i].status = HONE_SCORE;
            res[i].score = score;
        } else if (status == HONE_ABSTAIN) {
            res[i].status = HONE_ABSTAIN;
        } else {
            res[i].status = HONE_TIMEOUT;
            res[i].reason = lit("the deadline passed");
        }
    }
    return res;
}

void hone__call_free_results(hone_score_result *res, size_t n)
{
    (void)n;
    hone_free(res);
}
