/* wire_cases.h - calls whose bytes are spoiled on the way: for tests/unit/test_wire_hostile.c and fuzz_wire.c.
 *
 * A case is a genuine call over the wire; `spoil` may change the call's bytes before the callee reads them, and the
 * result's before the caller does. The callee reads every byte it is given, the caller every byte that comes back, so that
 * a sanitizer sees what points outside. What must hold after any spoiling is checked: abort() when it does not. */
#ifndef HONE_TESTS_WIRE_CASES_H
#define HONE_TESTS_WIRE_CASES_H
#include "abi/wire.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "hone/hone.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static volatile unsigned wire_sum; /* what was read: the compiler must read it */

static void touch(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        wire_sum += ((const unsigned char *)p)[i];
}
static void touch_text(hone_str s)
{
    if (!hone_utf8_valid(s))
        abort();
    touch(s.ptr, s.len);
}
static void touch_value(const hone_value *v, int depth)
{
    if (depth > HONE_VALUE_DEPTH)
        abort();
    if (v->type == HONE_STRING)
        touch_text(v->u.str);
    else if (v->type == HONE_BYTES)
        touch(v->u.str.ptr, v->u.str.len);
    for (size_t i = 0; v->type == HONE_LIST && i < v->u.list.n; i++)
        touch_value(&v->u.list.items[i], depth + 1);
    for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++) {
        touch_text(v->u.map.pairs[i].key);
        touch_value(&v->u.map.pairs[i].value, depth + 1);
    }
}
static void touch_columns(const hone_message *m, size_t n_m, const hone_column *c, size_t n_c)
{
    for (size_t i = 0; m && i < n_m; i++) {
        touch_text(m[i].role);
        touch_text(m[i].content);
    }
    for (size_t i = 0; c && i < n_c; i++) {
        touch_text(c[i].name);
        touch_value(&c[i].value, 0);
    }
}

/* ---- callees ----------------------------------------------------------------------------------- */

static hone_status case_score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                              size_t in_stride, hone_outcome *out, size_t out_stride,
                              const hone_notes *notes)
{
    (void)self;
    touch(call, sizeof *call);
    for (size_t i = 0; i < n; i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        touch_text(s->prompt);
        touch_text(s->completion);
        touch_columns(s->messages, s->n_messages, s->columns, s->n_columns);
        touch(s->tokens, s->tokens ? s->n_tokens * sizeof *s->tokens : 0);
        touch(s->logprobs, s->logprobs ? s->n_tokens * sizeof *s->logprobs : 0);
        hone_outcome_set(out, out_stride, i, HONE_SCORE, 0.5f);
        for (size_t k = 0; notes && k < s->n_columns; k++)
            notes->put(notes, i, s->columns[k].name, &s->columns[k].value);
    }
    return n > 2 ? hone_fail(HONE_E_PARSE, "more than two") : HONE_OK;
}

static hone_status case_judge(void *self, const hone_call *call, const hone_judge_item *items,
                              size_t n, size_t stride, const hone_verdict_sink *sink)
{
    static const double numbers[] = {1, 2, 3, 4};
    static const uint32_t ranking[] = {1, 0};
    (void)self;
    touch(call, sizeof *call);
    for (size_t i = 0; i < n; i++) {
        const hone_judge_item *it = (const hone_judge_item *)(const void *)((const char *)items +
                                                                            i * stride);
        touch_text(it->prompt);
        touch_text(it->rubric);
        for (size_t k = 0; k < it->n_candidates; k++)
            touch_text(it->candidates[k]);
        for (size_t k = 0; it->criteria && k < it->n_criteria; k++)
            touch_text(it->criteria[k].text);
        touch_columns(it->messages, it->n_messages, it->columns, it->n_columns);
        const hone_verdict v = {.struct_size = sizeof v,
                                .status = HONE_SCORE,
                                .score = 1,
                                .ranking = ranking,
                                .n_ranking = 2,
                                .criteria = numbers,
                                .n_criteria = 4,
                                .reasoning = it->prompt};
        if (sink->put(sink, i, &v) < 0)
            return HONE_E_FAIL;
    }
    return HONE_OK;
}

static hone_status case_loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    (void)self;
    touch(in->seq_begin, (in->n_seqs + 1) * sizeof *in->seq_begin);
    touch(in->logp, in->n_tokens * sizeof *in->logp);
    touch(in->length, in->n_seqs * sizeof *in->length);
    for (size_t i = 0; out->grad_logp && i < out->n_tokens; i++)
        out->grad_logp[i] = 2;
    out->loss = 3;
    out->metric(out, "kl", 0, 1, 1);
    return HONE_OK;
}

static hone_status case_state_spec(void *self, const hone_opt_param *param,
                                   hone_opt_state_spec *out)
{
    (void)self;
    touch_text(param->name);
    out->n_buffers = 2;
    out->names[0] = "exp_avg";
    out->names[1] = "exp_avg_sq";
    return HONE_OK;
}

static hone_str case_show(void *self)
{
    (void)self;
    return hone_str_c("a formula");
}

static hone_status case_encode(void *self, const hone_str *texts, size_t n, uint32_t flags,
                               const hone_ids_sink *sink)
{
    static const int32_t ids[] = {1, 2, 3};
    static const hone_span32 spans[] = {{0, 1}, {1, 2}, {2, 3}};
    (void)self;
    (void)flags;
    for (size_t i = 0; i < n; i++) {
        touch(texts[i].ptr, texts[i].len);
        sink->put(sink, i, ids, i ? spans : NULL, 3);
    }
    return HONE_OK;
}

/* ---- callers ----------------------------------------------------------------------------------- */

static void case_note(const hone_notes *n, size_t sample, hone_str name, const hone_value *v)
{
    (void)n;
    (void)sample;
    touch_text(name);
    touch_value(v, 0);
}
static hone_status case_verdict(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    (void)sink;
    (void)item;
    touch_text(v->reasoning);
    touch_text(v->spec_hash);
    touch(v->ranking, v->ranking ? v->n_ranking * sizeof *v->ranking : 0);
    touch(v->criteria, v->criteria ? v->n_criteria * sizeof *v->criteria : 0);
    touch(v->label_probs, v->label_probs ? v->n_label_probs * sizeof *v->label_probs : 0);
    return HONE_OK;
}
static void case_metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                        double weight)
{
    (void)out, (void)how, (void)value, (void)weight;
    touch(name, strlen(name));
}
static hone_status case_ids(const hone_ids_sink *sink, size_t text, const int32_t *ids,
                            const hone_span32 *offsets, size_t n)
{
    (void)sink;
    (void)text;
    touch(ids, n * sizeof *ids);
    touch(offsets, offsets ? n * sizeof *offsets : 0);
    return HONE_OK;
}

enum { WIRE_CASES = 6, WIRE_ROOM = 16384 };

typedef struct wire_case {
    void (*spoil)(void *ctx, int result, unsigned char *bytes, size_t len);
    void *ctx;
    hone_status get, take; /* what came of it */
    /* Carries the call in another way (box_cases.h); NULL: there and back in this file's. */
    void (*carry)(struct wire_case *w, const char *iface, const char *slot, void *const *args);
} wire_case;

static void case_carry(wire_case *w, const char *iface, const char *slot, const void *fn,
                       void *const *args)
{
    static _Alignas(16) unsigned char call[WIRE_ROOM];
    unsigned char *result;
    hone_wire *wire;
    hone_wire_call c;
    hone_wire_answer answer;
    hone_arena arena;
    size_t len, fixed;
    void (*f)(void);
    if (w->carry) {
        w->carry(w, iface, slot, args);
        return;
    }
    result = aligned_alloc(16, WIRE_ROOM); /* for its ends to be seen */
    hone_arena_init(&arena, 0);
    if (!result || hone_wire_open(hone_desc_builtin(iface), NULL, &wire) < 0)
        abort();
    const hone_wire_slot *s = hone_wire_find(wire, slot);
    const hone_wire_place to = {call, sizeof call, 0}, back = {result, WIRE_ROOM, 0};
    memset(result, 0, WIRE_ROOM);
    memset(call, 0, sizeof call);
    if (hone_wire_put(s, 7, args, &to, &len, &fixed) < 0)
        abort();
    unsigned char *exact = aligned_alloc(16, (len + 15) & ~(size_t)15);
    if (!exact)
        abort();
    memcpy(exact, call, len);
    w->spoil(w->ctx, 0, exact, len);
    memcpy(&f, fn, sizeof f);
    w->take = HONE_OK;
    w->get = hone_wire_get(s, exact, len, 0, &back, &arena, NULL, &c);
    if (w->get >= 0) {
        hone_wire_invoke(&c, f);
        hone_wire_finish(&c, c.ret.i32 < 0 ? hone_error_get() : NULL);
    }
    w->spoil(w->ctx, 1, result, WIRE_ROOM);
    w->take = hone_wire_take(s, 7, args, result, WIRE_ROOM, &arena, &answer);
    if (w->take >= 0 && answer.done && hone_wire_sig(s)->result == HONE_T_STR)
        touch_text(answer.ret.str);
    if (w->take >= 0 &&
        (memchr(answer.error.what, 0, sizeof answer.error.what) == NULL || answer.error.code > 0))
        abort();
    free(exact);
    free(result);
    hone_wire_close(wire);
    hone_arena_release(&arena);
}

static void wire_case_run(wire_case *w, unsigned which)
{
    static const uint32_t no = 0;
    static const hone_call a_call = {sizeof a_call, 2, 77, 1, &no}, *call = &a_call;
    static const hone_value items[] = {{.type = HONE_I64, .u.i64 = 1},
                                       {.type = HONE_STRING, .u.str = {"deep", 4}}};
    static const hone_pair pairs[] = {{{"list", 4}, {.type = HONE_LIST, .u.list = {items, 2}}}};
    static const hone_column columns[] = {{{"a", 1}, {.type = HONE_MAP, .u.map = {pairs, 1}}},
                                          {{"b", 1}, {.type = HONE_STRING, .u.str = {"x", 1}}}};
    static const hone_message messages[] = {{{"user", 4}, {"hello", 5}}};
    static const int32_t tokens[] = {1, 2, 3};
    static const float logprobs[] = {0, -1, -2};
    void *self = NULL;
    size_t n = 2;
    if (which % WIRE_CASES == 0) {
        const hone_sample s = {.id = 1,
                               .prompt = {"why", 3},
                               .completion = {"because", 7},
                               .messages = messages,
                               .n_messages = 1,
                               .tokens = tokens,
                               .logprobs = logprobs,
                               .n_tokens = 3,
                               .columns = columns,
                               .n_columns = 2};
        const hone_sample in[2] = {s, s}, *p = in;
        hone_outcome out[2] = {{0, 0}, {0, 0}}, *o = out;
        const hone_notes notes = {sizeof notes, 0, NULL, case_note}, *np = &notes;
        size_t is = sizeof *in, os = sizeof *out;
        void *args[] = {&self, &call, &p, &n, &is, &o, &os, &np};
        hone_status (*fn)(void *, const hone_call *, const hone_sample *, size_t, size_t,
                          hone_outcome *, size_t, const hone_notes *) = case_score;
        case_carry(w, HONE_IFACE_REWARD, "score", &fn, args);
        for (int i = 0; i < 2; i++)
            if (out[i].status > HONE_ERROR ||
                (out[i].status == HONE_SCORE && !isfinite(out[i].score)))
                abort();
    } else if (which % WIRE_CASES == 1) {
        const hone_str candidates[] = {{"one", 3}, {"two", 3}};
        const hone_criterion criteria[] = {{{"c", 1}, {"clear", 5}}};
        const hone_judge_item item = {.id = 3,
                                      .prompt = {"which", 5},
                                      .messages = messages,
                                      .n_messages = 1,
                                      .candidates = candidates,
                                      .n_candidates = 2,
                                      .criteria = criteria,
                                      .n_criteria = 1,
                                      .columns = columns,
                                      .n_columns = 2};
        const hone_judge_item in[2] = {item, item}, *p = in;
        const hone_verdict_sink sink = {sizeof sink, 0, NULL, case_verdict}, *sp = &sink;
        size_t is = sizeof *in;
        void *args[] = {&self, &call, &p, &n, &is, &sp};
        hone_status (*fn)(void *, const hone_call *, const hone_judge_item *, size_t, size_t,
                          const hone_verdict_sink *) = case_judge;
        case_carry(w, HONE_IFACE_JUDGE, "judge", &fn, args);
    } else if (which % WIRE_CASES == 2) {
        double g[4] = {0, 0, 0, 77};
        const double logp[3] = {1, 2, 3};
        const size_t begin[] = {0, 1, 3};
        const hone_objective_in in = {.struct_size = sizeof in,
                                      .n_tokens = 3,
                                      .n_seqs = 2,
                                      .seq_begin = begin,
                                      .logp = logp,
                                      .mask = logp,
                                      .length = logp},
                                *p = &in;
        hone_objective_out out = {.struct_size = sizeof out,
                                  .grad_logp = g,
                                  .metric = case_metric,
                                  .n_tokens = 3},
                           *o = &out;
        void *args[] = {&self, &p, &o};
        hone_status (*fn)(void *, const hone_objective_in *, hone_objective_out *) = case_loss;
        case_carry(w, HONE_IFACE_OBJECTIVE, "loss", &fn, args);
        if (out.n_tokens != 3 || out.grad_logp != g || out.metric != case_metric || g[3] != 77 ||
            out.struct_size != sizeof out)
            abort();
    } else if (which % WIRE_CASES == 3) {
        const hone_opt_param param = {.struct_size = sizeof param, .name = {"w", 1}, .rows = 2},
                             *p = &param;
        hone_opt_state_spec spec = {.struct_size = sizeof spec}, *o = &spec;
        void *args[] = {&self, &p, &o};
        hone_status (*fn)(void *, const hone_opt_param *, hone_opt_state_spec *) = case_state_spec;
        case_carry(w, HONE_IFACE_OPTIMIZER, "state_spec", &fn, args);
        for (int i = 0; i < HONE_OPT_MAX_STATE && w->take >= 0; i++)
            if (spec.names
                    [i]) /* lived in the arena, which is gone: only its address is looked at */
                wire_sum++;
        if (spec.struct_size != sizeof spec)
            abort();
    } else if (which % WIRE_CASES == 4) {
        void *args[] = {&self};
        hone_str (*fn)(void *) = case_show;
        case_carry(w, HONE_IFACE_OBJECTIVE, "show", &fn, args);
    } else {
        const hone_str texts[2] = {{"ab", 2}, {"\xFF", 1}}, *p = texts;
        const hone_ids_sink sink = {sizeof sink, 0, NULL, case_ids}, *sp = &sink;
        uint32_t flags = 0;
        void *args[] = {&self, &p, &n, &flags, &sp};
        hone_status (*fn)(void *, const hone_str *, size_t, uint32_t,
                          const hone_ids_sink *) = case_encode;
        case_carry(w, HONE_IFACE_TOKENIZER, "encode", &fn, args);
    }
}
#endif
