/* bench_calls.c - times calls into components. See bench_plugins.h.
 *
 * A window is so many calls that a clock's own time does not matter; the best window says what the code costs, the
 * median what it costs on this machine now. Samples are made of words that repeat with a period of their own, so
 * that no two are equal but all prompts of a group are. */
#include "sandbox/pin.h"
#include "abi/wire.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "cli/bench_plugins.h"
#include "hone/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOWS = 4096, MOST = 256, GROUP = 8 };
#define WINDOW_NS 100e3
const size_t hone_cli_batches[HONE_CLI_BATCHES] = {1, 8, 64, MOST};

static int by_value(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static hone_status window(hone_cli_work work, void *arg, size_t calls, double *ns)
{
    uint64_t t = hone_now_ns();
    for (size_t i = 0; i < calls; i++)
        HONE_TRY(work(arg));
    *ns = (double)(hone_now_ns() - t) / (double)calls;
    return HONE_OK;
}

hone_status hone_cli_time(hone_cli_work work, void *arg, double seconds, hone_cli_ns *out)
{
    double one, calls = 1, *ns = hone_calloc(WINDOWS, sizeof *ns);
    size_t n = 0;
    hone_status s;
    if (!ns)
        return HONE_E_NOMEM;
    for (int i = 0; i < 6; i++) { /* warms up, and finds how many calls a window takes */
        HONE_TRY_GOTO(window(work, arg, (size_t)calls, &one), done);
        calls = one > 0 ? WINDOW_NS / one : calls * 10;
        calls = calls < 1 ? 1 : calls > 1e6 ? 1e6 : calls;
    }
    const uint64_t end = hone_now_ns() + (uint64_t)(seconds * 1e9);
    do
        HONE_TRY_GOTO(window(work, arg, (size_t)calls, &ns[n++]), done);
    while (n < WINDOWS && (n < 3 || hone_now_ns() < end));
    qsort(ns, n, sizeof *ns, by_value);
    out->min = ns[0];
    out->median = ns[n / 2];
done:
    hone_free(ns);
    return s;
}

/* ---- what is handed over ------------------------------------------------------------------------- */

struct hone_cli_load {
    hone_sample samples[MOST];
    hone_judge_item items[MOST];
    hone_outcome out[MOST];
    hone_message messages[2];
    hone_column columns[MOST / GROUP][2]; /* of a row: samples of a group share them */
    hone_str candidates[MOST][2];
    int32_t *tokens;
    char *text;
};

static void words(char *to, size_t n, size_t period)
{
    static const char some[] = "the answer to this question follows from what was said before it: ";
    for (size_t i = 0; i < n; i++)
        to[i] = i % period == 0 ? (char)('a' + (i / period + period) % 26)
                                : some[i % (sizeof some - 1)];
}

hone_status hone_cli_load_create(size_t bytes, hone_cli_load **out)
{
    const size_t prompt = bytes * 3 / 10, tokens = bytes / 10,
                 completion = bytes - prompt - 4 * tokens;
    hone_cli_load *l = hone_calloc(1, sizeof *l);
    if (!l)
        return HONE_E_NOMEM;
    l->text = hone_alloc(MOST * (completion + prompt));
    l->tokens = hone_calloc(tokens + 1, sizeof *l->tokens);
    if (!l->text || !l->tokens) {
        hone_cli_load_free(l);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < MOST / GROUP; i++) {
        l->columns[i][0] = (hone_column){hone_str_c("answer"),
                                         {.type = HONE_STRING, .u.str = {"42", 2}}};
        l->columns[i][1] = (hone_column){hone_str_c("difficulty"),
                                         {.type = HONE_F64, .u.f64 = 0.5}};
    }
    for (size_t i = 0; i < tokens; i++)
        l->tokens[i] = (int32_t)(i * 7919 % 49152);
    for (size_t i = 0; i < MOST; i++) {
        char *c = l->text + i * (completion + prompt), *p = c + completion;
        words(c, completion, 61 + i);
        words(p, prompt, 61 + i / GROUP);
        hone_sample *s = &l->samples[i];
        s->id = i + 1;
        s->group = i / GROUP;
        s->prompt = (hone_str){p, prompt};
        s->completion = (hone_str){c, completion};
        s->tokens = l->tokens;
        s->n_tokens = tokens;
        s->columns = l->columns[i / GROUP];
        s->n_columns = 2;
        s->finish = HONE_FINISH_STOP;
        l->candidates[i][0] = s->completion;
        l->candidates[i][1] = s->prompt;
        l->items[i] = (hone_judge_item){.id = i + 1,
                                        .prompt = s->prompt,
                                        .candidates = l->candidates[i],
                                        .n_candidates = 2,
                                        .columns = l->columns[i / GROUP],
                                        .n_columns = 2};
    }
    *out = l;
    return HONE_OK;
}

void hone_cli_load_free(hone_cli_load *l)
{
    if (!l)
        return;
    hone_free(l->text);
    hone_free(l->tokens);
    hone_free(l);
}

const hone_sample *hone_cli_load_samples(const hone_cli_load *l)
{
    return l->samples;
}

/* ---- calls ------------------------------------------------------------------------------------- */

struct calls {
    hone_cli_load *l;
    hone_instance *inst;
    const hone_reward_v1 *reward;
    const hone_judge_v1 *judge;
    void *self;
    size_t n;
};

static void no_note(const hone_notes *notes, size_t sample, hone_str name, const hone_value *v)
{
    (void)notes, (void)sample, (void)name, (void)v;
}
static hone_status no_tokens(const hone_token_scores *sink, size_t sample, hone_outcome o,
                             const float *scores, size_t n)
{
    (void)sink, (void)sample, (void)o, (void)scores, (void)n;
    return HONE_OK;
}
static hone_status no_verdict(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    (void)sink, (void)item, (void)v;
    return HONE_OK;
}

/* One call, as core/score makes it. */
static hone_status call_once(void *arg)
{
    static const hone_notes notes = {sizeof notes, 0, NULL, no_note};
    static const hone_token_scores tokens = {sizeof tokens, 0, NULL, no_tokens};
    static const hone_verdict_sink verdicts = {sizeof verdicts, 0, NULL, no_verdict};
    static const uint32_t no_cancel = 0;
    static uint64_t ids = 0;
    struct calls *c = arg;
    hone_cli_load *l = c->l;
    const hone_call call = {
        .struct_size = sizeof call, .n = (uint32_t)c->n, .id = ++ids, .cancelled = &no_cancel};
    hone_status s;
    hone_instance_enter(c->inst);
    memset(l->out, 0, c->n * sizeof *l->out);
    if (c->judge)
        s = c->judge->judge(c->self, &call, l->items, c->n, sizeof *l->items, &verdicts);
    else if (HONE_HAS(c->reward, hone_reward_v1, score_groups))
        s = c->reward->score_groups(c->self, &call, l->samples, c->n, sizeof *l->samples, l->out,
                                    sizeof *l->out, &notes);
    else if (HONE_HAS(c->reward, hone_reward_v1, score_tokens))
        s = c->reward->score_tokens(c->self, &call, l->samples, c->n, sizeof *l->samples, &tokens);
    else
        s = c->reward->score(c->self, &call, l->samples, c->n, sizeof *l->samples, l->out,
                             sizeof *l->out, &notes);
    return hone_instance_leave(c->inst, c->judge ? "judge" : "score", s);
}

static void per_sample(hone_cli_calls *out)
{
    out->sample.min = (out->call[2].min - out->call[0].min) / (double)(hone_cli_batches[2] - 1);
    out->sample.median = (out->call[2].median - out->call[0].median) /
                         (double)(hone_cli_batches[2] - 1);
}

hone_status hone_cli_time_instance(hone_cli_load *l, hone_instance *inst, double seconds,
                                   hone_cli_calls *out)
{
    struct calls c = {.l = l, .inst = inst};
    c.reward = hone_instance_iface(inst, HONE_IFACE_REWARD, &c.self);
    if (!c.reward)
        c.judge = hone_instance_iface(inst, HONE_IFACE_JUDGE, &c.self);
    if (!c.reward && !c.judge) {
        hone_fail(HONE_E_UNSUPPORTED, "%s: it is of kind %s", hone_instance_id(inst),
                  hone_instance_info(inst)->c.kind);
        return hone_fail_hint("rewards and judges are measured; hone bench tokenize and train "
                              "measure others");
    }
    hone_status s = HONE_OK;
    hone_pin_keep(1); /* one call after another, as a thread of core/score makes them */
    for (size_t i = 0; i < HONE_CLI_BATCHES && s >= 0; i++) {
        c.n = hone_cli_batches[i];
        s = hone_cli_time(call_once, &c, seconds / HONE_CLI_BATCHES, &out->call[i]);
    }
    hone_pin_keep(0);
    if (s >= 0)
        per_sample(out);
    return s;
}

/* ---- the marshaller ------------------------------------------------------------------------------ */

struct wired {
    const hone_wire_slot *slot;
    void **args;
    hone_wire_place call, result;
    size_t len;
    hone_arena arena;
};

static hone_status write_call(void *arg)
{
    struct wired *w = arg;
    size_t fixed;
    return hone_wire_put(w->slot, 1, w->args, &w->call, &w->len, &fixed);
}

static hone_status read_call(void *arg)
{
    struct wired *w = arg;
    hone_wire_call c;
    hone_arena_clear(&w->arena);
    return hone_wire_get(w->slot, w->call.at, w->len, 0, &w->result, &w->arena, NULL, &c);
}

hone_status hone_cli_time_wire(hone_cli_load *l, double seconds, hone_cli_ns *write,
                               hone_cli_ns *rebuild)
{
    static const uint32_t no_cancel = 0;
    const hone_call call = {sizeof call, 64, 1, 0, &no_cancel}, *call_p = &call;
    const hone_sample *in = l->samples;
    hone_outcome *out = l->out;
    const hone_notes *notes = NULL;
    void *self = NULL;
    size_t n = 64, in_stride = sizeof *in, out_stride = sizeof *out;
    void *args[] = {&self, &call_p, &in, &n, &in_stride, &out, &out_stride, &notes};
    struct wired w = {.args = args, .call.size = 1 << 20, .result.size = 1 << 12};
    hone_wire *wire = NULL;
    hone_status s = HONE_E_NOMEM;
    hone_arena_init(&w.arena, 0);
    w.call.at = hone_alloc(w.call.size);
    w.result.at = hone_alloc(w.result.size);
    if (!w.call.at || !w.result.at)
        goto done;
    HONE_TRY_GOTO(hone_wire_open(hone_desc_builtin(HONE_IFACE_REWARD), NULL, &wire), done);
    w.slot = hone_wire_find(wire, "score");
    HONE_TRY_GOTO(hone_cli_time(write_call, &w, seconds / 2, write), done);
    HONE_TRY_GOTO(hone_cli_time(read_call, &w, seconds / 2, rebuild), done);
    write->min /= (double)n;
    write->median /= (double)n;
    rebuild->min /= (double)n;
    rebuild->median /= (double)n;
done:
    hone_wire_close(wire);
    hone_arena_release(&w.arena);
    hone_free(w.call.at);
    hone_free(w.result.at);
    return s;
}

void hone_cli_put_ns(hone_jw *w, const char *key, hone_cli_ns ns)
{
    hone_jw_key(w, key);
    hone_jw_map(w);
    hone_jw_kf64(w, "min", ns.min);
    hone_jw_kf64(w, "median", ns.median);
    hone_jw_end(w);
}
