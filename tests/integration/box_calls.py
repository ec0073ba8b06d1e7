"""box_calls.py - what a boxed component reaches: components as settings, the host's interfaces, and what a hostile one tries.

A reward in a box asks a judge in another; both give the bytes that they give in process. Call-backs whose deadline passes, whose
box is killed in the middle, and call-backs that are none end the box, never the host, and say why.
"""
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from boxes import boxes_of  # noqa: E402
from counted import check, finish, skip  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
os.umask(0o022)
temp = tempfile.TemporaryDirectory()
work = pathlib.Path(temp.name)
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data"), "LC_ALL": "C"}
env.pop("HONE_PLUGIN_PATH", None)
sanitized = "__asan_init" in subprocess.run(["nm", HONE], capture_output=True, text=True).stdout

COMMON = r"""
#include "hone/hone.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static int is(hone_str s, const char *z) { return s.len == strlen(z) && memcmp(s.ptr, z, s.len) == 0; }
static void nap(double s) { struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)}; nanosleep(&t, NULL); }
struct self { const hone_host *host; const hone_config *cfg; hone_ref inner; hone_ref more[4]; };
#define COMPONENT(NAME, KIND, IFACE, CAPS, FIELDS, TABLE, CREATE) \
    static const void *get_##TABLE(void *self, const char *id) { (void)self; return strcmp(id, IFACE) == 0 ? (const void *)&TABLE : NULL; } \
    COMPONENT_OF(get_##TABLE, NAME, KIND, IFACE, CAPS, FIELDS, TABLE, CREATE)
#define COMPONENT_OF(GET, NAME, KIND, IFACE, CAPS, FIELDS, TABLE, CREATE) \
    static void destroy_##TABLE(void *self) { free(self); } \
    static const char *const provides_##TABLE[] = {IFACE, NULL}; \
    static const hone_component c_##TABLE = {.struct_size = sizeof(hone_component), .id = NAME, .kind = KIND, .version = "1.0.0", \
        .summary = "of a test", .caps = CAPS, .fields = FIELDS, .provides = provides_##TABLE, .create = CREATE, \
        .destroy = destroy_##TABLE, .get_iface = GET}; \
    static const hone_component *const all[] = {&c_##TABLE, NULL}; \
    static const hone_magic magic = HONE_MAGIC(0x000100); \
    static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = all}; \
    const hone_entry *hone_plugin_entry(void) { return &entry; }
"""

JUDGE = COMMON + r"""
static hone_status judge(void *self, const hone_call *call, const hone_judge_item *items, size_t n, size_t stride,
                         const hone_verdict_sink *sink)
{
    struct self *s = self;
    for (size_t i = 0; i < n; i++) {
        const hone_judge_item *it = (const hone_judge_item *)(const void *)((const char *)items + i * stride);
        char text[64];
        unsigned h = 1;
        hone_verdict v = {.struct_size = sizeof v, .status = HONE_SCORE};
        for (size_t k = 0; k < it->candidates[0].len; k++) h = h * 31 + (unsigned char)it->candidates[0].ptr[k];
        if (is(it->candidates[0], "inner crash")) *(volatile int *)0 = 1;
        if (is(it->candidates[0], "inner fails")) return hone_host_fail(s->host, HONE_E_PARSE, "cannot read item %zu", i);
        if (is(it->candidates[0], "slow")) for (int k = 0; k < 3000 && !hone_cancelled(call); k++) nap(0.01);
        if (is(it->candidates[0], "stuck")) nap(60);
#ifdef KILLS /* in hone's process: the box that called, while it waits for this answer */
        static int killed;
        char line[100];
        snprintf(line, sizeof line, "kill -9 $(pgrep -P %d hone-box)", (int)getpid());
        if (is(it->candidates[0], "kill") && !killed++ && system(line) == 0) nap(0.05);
#endif
#ifdef TOGETHER /* until so many calls are in it at once, or its time is over */
        static _Atomic int inside, met;
        inside++;
        while (inside < TOGETHER && met < TOGETHER && !hone_cancelled(call)) nap(0.002);
        if (inside >= TOGETHER) met = TOGETHER;
        inside--;
        if (met < TOGETHER) return hone_host_fail(s->host, HONE_E_FAIL, "nobody came");
#endif
#ifdef ALONE
        static _Atomic int in;
        if (++in > 1) return hone_host_fail(s->host, HONE_E_FAIL, "entered twice at once");
        nap(0.002);
        in--;
#endif
        v.score = (double)(h % 97) / 97 * s->cfg->f64(s->cfg, 0);
        v.reasoning.ptr = text;
        v.reasoning.len = (size_t)snprintf(text, sizeof text, "hash %u", h);
        hone_status st = sink->put(sink, i, &v);
        if (st < 0) return st;
    }
    return HONE_OK;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    s->host = host;
    s->cfg = cfg;
    *out = s;
    return HONE_OK;
}
static const hone_field *const fields[] = {HONE_F64("factor", 1, 0, 10, 0, "multiplies the score"), NULL};
static const hone_judge_v1 table = {sizeof table, 0, judge};
COMPONENT("org.test.judge." NAME, HONE_KIND_JUDGE, HONE_IFACE_JUDGE, CAPS, fields, table, create)
"""

OUTER = COMMON + r"""
#ifdef RELAY
static hone_status relay(void *self, const hone_call *call, const hone_judge_item *items, size_t n, size_t stride,
                         const hone_verdict_sink *sink)
{
    struct self *s = self;
    return ((const hone_judge_v1 *)s->inner.vt)->judge(s->inner.self, call, items, n, stride, sink);
}
#endif
struct taken { struct hone_verdict_sink sink; hone_outcome *out; size_t stride; const hone_notes *notes; size_t seen; };
static hone_status put(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    struct taken *t = (struct taken *)(uintptr_t)sink;
    hone_value note = {.type = HONE_STRING, .u.str = v->reasoning};
    t->seen++;
    t->notes->put(t->notes, item, hone_str_c("why"), &note);
    hone_outcome_set(t->out, t->stride, item, v->status, (float)v->score);
    return HONE_OK;
}
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    struct self *s = self;
    const hone_judge_v1 *j = s->inner.vt;
    hone_judge_item items[64];
    hone_str candidates[64];
    struct taken t = {{sizeof t.sink, 0, NULL, put}, out, ostride, notes, 0};
    hone_call mine = *call;
    memset(items, 0, sizeof items);
    if (n > 64) return hone_host_fail(s->host, HONE_E_LIMIT, "%zu samples", n);
    for (size_t i = 0; i < n; i++) {
        const hone_sample *x = hone_sample_at(in, stride, i);
        items[i].id = x->id;
        items[i].prompt = x->prompt;
        candidates[i] = x->completion;
        items[i].candidates = &candidates[i];
        items[i].n_candidates = 1;
        if (is(x->completion, "slow") || is(x->completion, "stuck")) mine.deadline_ns = 0; /* all the time there is, it believes */
        if (is(x->completion, "crash")) *(volatile int *)0 = 1;
    }
    hone_status st = j->judge(s->inner.self, &mine, items, n, sizeof *items, &t.sink);
    if (st < 0) return st;
    return t.seen == n ? HONE_OK : hone_host_fail(s->host, HONE_E_FAIL, "%zu verdicts", t.seen);
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    hone_status st = cfg->component(cfg, 0, &s->inner);
    s->host = host;
    s->cfg = cfg;
    *out = s;
    return st;
}
static const hone_field *const fields[] = {HONE_COMPONENT("judge", HONE_IFACE_JUDGE, HONE_REQUIRED, "what judges"), NULL};
#ifdef RELAY
static const hone_judge_v1 table = {sizeof table, 0, relay};
COMPONENT("org.test.judge." NAME, HONE_KIND_JUDGE, HONE_IFACE_JUDGE, CAPS, fields, table, create)
#else
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
COMPONENT("org.test.reward." NAME, HONE_KIND_REWARD, HONE_IFACE_REWARD, CAPS, fields, table, create)
#endif
"""

# What it does with the box's memory: box_proto.h, in words.
HOSTILE = COMMON + r"""
#include <linux/futex.h>
#include <sys/syscall.h>
struct done { uint32_t seq, messages; int32_t status; uint32_t event; uint64_t len; uint32_t asked, kind, number, reserved; uint64_t ask_len; };
static void ask(struct done *d, uint32_t by, uint32_t kind, uint32_t number, uint64_t len)
{
    d->kind = kind;
    d->number = number;
    d->ask_len = len;
    __atomic_fetch_add(&d->asked, by, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&d->event, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &d->event, FUTEX_WAKE, 1, NULL, NULL, 0);
    nap(5);
}
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    (void)self; (void)call; (void)notes;
    char *page = (char *)((uintptr_t)out & ~(uintptr_t)4095) - 4096, *asked = page + ((size_t)192 << 20);
    struct done *d = (struct done *)page;
    for (size_t i = 0; i < n; i++) {
        hone_str x = hone_sample_at(in, stride, i)->completion;
        struct { uint32_t magic, code; uint64_t id, len, there; uint32_t cancelled, n_args; uint64_t fixed, reserved[2]; } head =
            {0x6c6c6163u, 0, 1, sizeof head, 0, 0, 0, 0, {0, 0}};
        memset(asked, 0, 4096);
        if (is(x, "kind")) ask(d, 1, 77, 0, 0);
        if (is(x, "number")) ask(d, 1, 3, 77, 0);
        if (is(x, "field")) ask(d, 1, 2, 77, 0); /* an answer: there is no such setting */
        if (is(x, "long")) ask(d, 1, 1, 0, (uint64_t)1 << 40);
        if (is(x, "two")) ask(d, 2, 3, 0, 0);
        if (is(x, "empty")) ask(d, 1, 3, 0, 0);
        if (is(x, "noise")) { memset(asked, 0x5A, 4096); ask(d, 1, 3, 0, 4096); }
        if (is(x, "slot")) { head.code = 99; memcpy(asked, &head, sizeof head); ask(d, 1, 3, 0, sizeof head); }
        if (is(x, "arguments")) { head.n_args = 6; head.len = 64 + 96; memcpy(asked, &head, sizeof head); ask(d, 1, 3, 0, head.len); }
        if (is(x, "range")) {
            uint64_t *a = (uint64_t *)(asked + 64);
            head.n_args = 6; head.len = 64 + 96 + sizeof(hone_call); head.fixed = 240;
            memcpy(asked, &head, sizeof head);
            a[2] = 64 + 96; a[4] = (uint64_t)1 << 40; a[6] = 1; a[8] = sizeof(hone_judge_item); a[10] = 1;
            ask(d, 1, 3, 0, head.len);
        }
        if (is(x, "flip")) for (;;) __atomic_fetch_add(&d->event, 1, __ATOMIC_SEQ_CST);
        if (is(x, "later")) d->kind = 77, d->asked++;
        hone_outcome_set(out, ostride, i, HONE_SCORE, 1);
    }
    return HONE_OK;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    (void)host;
    *out = s;
    return cfg->component(cfg, 0, &s->inner);
}
static const hone_field *const fields[] = {HONE_COMPONENT("judge", HONE_IFACE_JUDGE, HONE_REQUIRED, "number 0"), NULL};
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
COMPONENT("org.test.reward." NAME, HONE_KIND_REWARD, HONE_IFACE_REWARD, CAPS, fields, table, create)
"""
# What it is told by the run's tokenizer and its model goes into the score and the notes.
ASKER = COMMON + r"""
struct told { double sum; size_t n, texts; const hone_sample *in; size_t stride, at; int wrong; hone_ref tokenizer; };
static hone_status put_ids(const hone_ids_sink *sink, size_t text, const int32_t *ids, const hone_span32 *offsets, size_t n)
{
    struct told *t = sink->ctx;
    const hone_tokenizer_v1 *tok = t->tokenizer.vt;
    (void)text;
    t->n = n;
    t->wrong |= !offsets;
    for (size_t i = 0; i < n; i++) /* a call-back in the answer of another */
        t->texts += tok->token_bytes(t->tokenizer.self, ids[i]).len;
    return HONE_OK;
}
static hone_status put_logprobs(const hone_logprob_sink *sink, size_t item, const int32_t *ids, const float *logprobs, size_t n)
{
    struct told *t = sink->ctx;
    const hone_sample *s = hone_sample_at(t->in, t->stride, t->at + item);
    t->wrong |= n != s->n_tokens || memcmp(ids, s->tokens, n * sizeof *ids) != 0;
    for (size_t i = 0; i < n; i++) t->sum += logprobs[i];
    return HONE_OK;
}
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    struct self *s = self;
    const hone_tokenizer_v1 *tok = s->inner.vt;
    const hone_model_scorer_v1 *model = s->more[0].vt;
    for (size_t i = 0; i < n; i++) {
        const hone_sample *x = hone_sample_at(in, stride, i);
        struct told t = {.in = in, .stride = stride, .at = i, .tokenizer = s->inner};
        hone_ids_sink ids = {sizeof ids, 0, &t, put_ids};
        hone_logprob_sink logprobs = {sizeof logprobs, 0, &t, put_logprobs};
        hone_score_item item = {.prompt = x->prompt, .ids = x->tokens, .n_ids = x->n_tokens};
        hone_status st = tok->encode(s->inner.self, &x->completion, 1, HONE_ENCODE_OFFSETS, &ids);
        if (st < 0) return st;
        st = model->logprobs(s->more[0].self, call, (hone_str){NULL, 0}, &item, 1, sizeof item, &logprobs);
        if (st < 0) return st;
        if (t.wrong) return hone_host_fail(s->host, HONE_E_FAIL, "other ids");
        hone_value v = {.type = HONE_F64, .u.f64 = t.sum};
        notes->put(notes, i, hone_str_c("logprob"), &v);
        v.type = HONE_I64;
        v.u.i64 = (int64_t)t.n;
        notes->put(notes, i, hone_str_c("tokens"), &v);
        hone_outcome_set(out, ostride, i, HONE_SCORE, t.texts == x->completion.len ? (float)(t.sum / (double)(x->n_tokens + 1)) : -99);
#ifdef SLOW
        nap(0.01);
#endif
    }
    return HONE_OK;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    hone_ref never;
    char hex[65];
    s->host = host;
    *out = s;
    hone_status st = host->get_iface(host, HONE_IFACE_TOKENIZER, &s->inner);
    if (st >= 0) st = host->get_iface(host, HONE_IFACE_SCORER, &s->more[0]);
    if (st < 0) return st;
    const hone_tokenizer_v1 *tok = s->inner.vt;
    tok->fingerprint(s->inner.self, hex);
    if (tok->vocab_size(s->inner.self) < 2 || strlen(hex) != 64 || tok->token_bytes(s->inner.self, -1).ptr ||
        tok->token_id(s->inner.self, hone_str_c("no such token at all")) != -1)
        return hone_host_fail(host, HONE_E_FAIL, "an odd tokenizer");
    if (host->get_iface(host, "hone.unheard.of/1", &never) != HONE_E_NOT_FOUND) return hone_host_fail(host, HONE_E_FAIL, "found");
    return HONE_OK;
}
static const hone_field *const fields[] = {NULL};
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
COMPONENT("org.test.reward." NAME, HONE_KIND_REWARD, HONE_IFACE_REWARD, CAPS, fields, table, create)
"""
# Writes a long note; says whether its box still holds the pages.
LARGE = COMMON + r"""
#include <sys/mman.h>
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    char *ring = (char *)((uintptr_t)out & ~(uintptr_t)4095);
    static char text[8 << 20];
    hone_value v = {.type = HONE_STRING, .u.str = {text, sizeof text}};
    unsigned char there = 0;
    (void)self; (void)call;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < n; i++) {
        if (is(hone_sample_at(in, stride, i)->completion, "large")) notes->put(notes, i, hone_str_c("long"), &v);
        mincore(ring + (4 << 20), 4096, &there);
        hone_outcome_set(out, ostride, i, HONE_SCORE, (float)(there & 1));
    }
    return HONE_OK;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    *out = calloc(1, sizeof(struct self));
    (void)host; (void)cfg;
    return HONE_OK;
}
static const hone_field *const fields[] = {NULL};
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
COMPONENT("org.test.reward." NAME, HONE_KIND_REWARD, HONE_IFACE_REWARD, CAPS, fields, table, create)
"""
# Its factor may change between calls.
LIVE = COMMON + r"""
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    struct self *s = self;
    (void)call; (void)notes;
    for (size_t i = 0; i < n; i++) {
        if (is(hone_sample_at(in, stride, i)->completion, "crash")) *(volatile int *)0 = 1;
        hone_outcome_set(out, ostride, i, HONE_SCORE, (float)(s->cfg->f64(s->cfg, 0) + (double)s->cfg->i64(s->cfg, 1)));
    }
    return HONE_OK;
}
static hone_status apply(void *self, const hone_config *cfg)
{
    struct self *s = self;
    if (cfg->f64(cfg, 0) == 3) return hone_host_fail(s->host, HONE_E_INVALID, "not three");
    s->cfg = cfg;
    return HONE_OK;
}
static hone_status collect(void *self, const hone_metric_sink *sink)
{
    struct self *s = self;
    sink->put(sink, hone_str_c("factor"), s->cfg->f64(s->cfg, 0));
    return HONE_OK;
}
static const hone_live_v1 live = {sizeof live, 0, apply};
static const hone_metrics_v1 metrics = {sizeof metrics, 0, collect};
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    s->host = host;
    s->cfg = cfg;
    *out = s;
    return HONE_OK;
}
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
static const void *get_iface(void *self, const char *id)
{
    (void)self;
    if (strcmp(id, HONE_IFACE_LIVE) == 0) return &live;
#ifdef METRICS
    if (strcmp(id, HONE_IFACE_METRICS) == 0) return &metrics;
#endif
    return strcmp(id, HONE_IFACE_REWARD) == 0 ? &table : NULL;
}
static const hone_field *const fields[] = {HONE_F64("factor", 1, 0, 10, HONE_LIVE, "what it gives"),
                                           HONE_INT("more", 0, 0, 100, 0, "and this"), NULL};
COMPONENT_OF(get_iface, "org.test.reward." NAME, HONE_KIND_REWARD, HONE_IFACE_REWARD, CAPS, fields, table, create)
"""
PURE = "HONE_CAP_PURE | HONE_CAP_BATCH_INVARIANT | HONE_CAP_DETERMINISTIC"


def build(name, text, *flags, caps=PURE):
    (work / (name + ".c")).write_text(text)
    so = work / "plugins" / (name + ".so")
    so.parent.mkdir(exist_ok=True)
    run = subprocess.run(["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-w", "-pthread",
                          "-I" + str(ROOT / "sdk/include"), f'-DNAME="{name}"', "-DCAPS=(" + caps + ")", *flags, "-o", so,
                          work / (name + ".c")], capture_output=True, text=True)
    check(name + " compiles", run.returncode == 0, run.stderr)
    return so


def hone(*args, more=None):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=300,
                          env={**env, "HONE_PLUGIN_PATH": str(work / "plugins"), **(more or {})})


def rows(name, *completions):
    path = work / name
    path.write_text("".join(json.dumps({"prompt": "?", "completion": c}) + "\n" for c in completions))
    return path


def outcomes(run):
    return [list(json.loads(line)["outcomes"].values())[0] for line in run.stdout.splitlines()]


def fresh():
    subprocess.run(["rm", "-rf", work / "config"], check=True)


# ---- a component as a setting --------------------------------------------------------------------------------------------
jd = build("jd", JUDGE)
outer = build("outer", OUTER)
data = rows("good.jsonl", "a", "bc", "d" * 5000, "", "é")
run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", data, "--json")
check("a boxed reward asks a boxed judge", run.returncode == 0 and [o["status"] for o in outcomes(run)] == ["score"] * 5,
      run.stdout + run.stderr)
check("and has its texts", [o["notes"].get("why") for o in outcomes(run)][:2] == ["hash 128", "hash 4098"], run.stdout)
plain = boxed = run.stdout
check("trusted now", hone("plugin", "trust", outer).returncode == 0)
run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", data, "--json")
check("the outer one in process: the same", run.stdout == boxed, run.stdout + run.stderr)
check("trusted now", hone("plugin", "trust", jd).returncode == 0)
run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", data, "--json")
check("both in process: the same", run.stdout == boxed, run.stdout + run.stderr)
fresh()
check("only the inner one", hone("plugin", "trust", jd).returncode == 0)
run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", data, "--json")
check("the inner one in process: the same", run.stdout == boxed, run.stdout + run.stderr)
fresh()
run = hone("score", "--reward", "outer", "--set", 'judge={"component":"jd","factor":0.5}', "--data", data, "--json")
check("its settings are its own", [o["score"] for o in outcomes(run)] ==
      [o["score"] / 2 for o in map(lambda l: list(json.loads(l)["outcomes"].values())[0], boxed.splitlines())], run.stdout + run.stderr)
run = hone("score", "--reward", "outer", "--data", data, "--json")
check("a judge that is not there is named", run.returncode != 0 and "judge: is required" in run.stderr, run.stderr)

run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", rows("fails.jsonl", "a", "inner fails"), "--json")
check("the inner one's failure is the outer one's", [o["status"] for o in outcomes(run)] == ["score", "error"] and
      "cannot read item 1" in outcomes(run)[1].get("reason", ""), run.stdout + run.stderr)
run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", rows("dies.jsonl", "a", "inner crash", "b"), "--json")
check("the inner one's death is an error of its sample",
      [o["status"] for o in outcomes(run)] == ["score", "error", "score"] and "its box died in judge" in run.stdout, run.stdout + run.stderr)
fresh()
run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", rows("crash.jsonl", "a", "crash", "b"), "--json")
check("the outer one's death is its own", [o["status"] for o in outcomes(run)] == ["score", "error", "score"], run.stdout + run.stderr)
fresh()
run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", rows("slow.jsonl", "slow"), "--deadline", "0.5", "--json")
check("a call-back is cancelled with its call", [o["status"] for o in outcomes(run)] == ["score"], run.stdout + run.stderr)
run = hone("score", "--reward", "outer", "--set", "judge=jd", "--data", rows("stuck.jsonl", "stuck"), "--deadline", "0.5", "--json")
check("and has no more time than it", [o["status"] for o in outcomes(run)] == ["timeout"], run.stdout + run.stderr)

# ---- deep, killed in the middle, in Lua ------------------------------------------------------------------------------------
build("relay", OUTER, "-DRELAY")
deep = {"component": "jd"}
for _ in range(4):
    deep = {"component": "relay", "judge": deep}
run = hone("score", "--reward", "outer", "--set", "judge=" + json.dumps(deep), "--data", data, "--json")
check("a box in a box in a box: the same", run.stdout == plain, run.stdout + run.stderr)
run = hone("score", "--reward", "outer", "--set", "judge=" + json.dumps(deep), "--data", rows("deep.jsonl", "a", "inner crash", "b"), "--json")
check("the innermost one's death is an error of its sample", [o["status"] for o in outcomes(run)] == ["score", "error", "score"],
      run.stdout + run.stderr)
fresh()
killer = build("killer", JUDGE, "-DKILLS")
check("trusted", hone("plugin", "trust", killer).returncode == 0)
run = hone("score", "--reward", "outer", "--set", "judge=killer", "--data", rows("kill.jsonl", "a", "kill", "b"), "--json")
check("killed while its call-back is served: asked again", [o["status"] for o in outcomes(run)] == ["score"] * 3 and
      "its box ended in score: killed by signal 9" in run.stderr, run.stdout + run.stderr)
(work / "lua.lua").write_text("""local hone = require "hone"
local stories = require "stories"
local run = hone.run { name = "lua", seed = 3 }
local policy = run:policy { model = "tiny" }
local judge = hone.judge { id = "mine", judge = function(items)
  local out = {}
  for i, item in ipairs(items) do out[i] = { score = #item.candidates[1] } end
  return out
end }
local right, n = 0, 0
for step, prompts in run:steps(1, hone.rows(stories.list(5, "train", 8)):batches(4)) do
  local rollout = policy:rollout(prompts, { n = 2, max_tokens = 8, rewards = { hone.reward("outer", { judge = judge }) } })
  for _, s in ipairs(rollout:samples()) do
    n = n + 1
    if s.outcomes.outer.score == #s.completion then right = right + 1 end
  end
end
print(right, n)
""")
run = hone("run", "lua.lua", "--quiet")
check("a boxed reward asks a judge in Lua", "8\t8" in run.stdout, run.stdout + run.stderr)

# ---- the run's tokenizer and model --------------------------------------------------------------------------------------
RECIPE = """local hone = require "hone"
local stories = require "stories"
local run = hone.run { name = "asks", seed = 3 }
local policy = run:policy { model = "tiny", optimizer = { "adamw", lr = 1e-4, weight_decay = 0 } }
for step, prompts in run:steps(3, hone.rows(stories.list(5, "train", 40)):shuffle(run.seed):epochs():batches(4)) do
  local rollout = policy:rollout(prompts, { n = 4, max_tokens = 24, rewards = { hone.reward("asker") } })
  policy:update { rollout, objective = "grpo", advantage = { "group", missing = "skip" } }
end
run:save()
"""


def train(name, kills=0):
    """Runs the recipe, killing so many boxes; (fingerprint, kills done, return code, stderr)."""
    target, done, dead = work / name, 0, set()
    with open(work / (name + ".err"), "w") as err:
        p = subprocess.Popen([HONE, "run", "asks.lua", "--no-gate", "--run-dir", str(target), "--quiet"], cwd=work, stdout=subprocess.DEVNULL,
                             stderr=err, env={**env, "HONE_PLUGIN_PATH": str(work / "plugins")})
        watch = threading.Timer(200, p.kill)
        watch.start()
        while p.poll() is None:
            alive = boxes_of(p.pid)
            time.sleep(random.uniform(0.02, 0.08))
            alive = [b for b in boxes_of(p.pid) if b in alive and b not in dead]
            if done < kills and alive:
                try:
                    os.kill(alive[0], signal.SIGKILL)
                    dead.add(alive[0])
                    done += 1
                except ProcessLookupError:
                    pass
        watch.cancel()
    files = ["metrics.jsonl", "rollouts.jsonl.zst", "model/model.safetensors"]
    found = {f: hashlib.sha256((target / f).read_bytes()).hexdigest() for f in files if (target / f).is_file()}
    return found, done, p.returncode, (work / (name + ".err")).read_text()


(work / "asks.lua").write_text(RECIPE)
asker = build("asker", ASKER, "-DSLOW")
boxed, _, rc, err = train("boxed")
check("a boxed reward asks the run's tokenizer and model", rc == 0 and len(boxed) == 3, err[-800:])
check("trusted now", hone("plugin", "trust", asker).returncode == 0)
inside, _, rc, err = train("inside")
check("in process: the same bytes", rc == 0 and inside == boxed, err[-800:] + str((boxed, inside)))
fresh()
hit, kills, rc, err = train("hit", 8)
check(f"{kills} boxes killed in the middle: the same bytes", rc == 0 and kills >= 3 and hit == boxed, err[-800:] + str((boxed, hit)))
check("which the log says", "its box ended in score" in err, err[-500:])
run = hone("score", "--reward", "asker", "--data", data, "--json")
check("where there is no run there is no tokenizer of its policy",
      run.returncode != 0 and "there is no policy with a tokenizer" in run.stderr, run.stderr)

# ---- live settings ------------------------------------------------------------------------------------------------------
(work / "live.lua").write_text("""local hone = require "hone"
local c = hone.component("reward", "live", { more = 5 })
local function scores(...)
  local rows, out = {}, {}
  for i, text in ipairs { ... } do rows[i] = { prompt = "?", completion = text } end
  for i, o in ipairs(c:score(rows) or {}) do out[i] = tostring(o.score) end
  print(table.concat(out, " "))
end
scores("a", "b")
hone.set(c, { factor = 2 })
scores("a", "b")
print(pcall(hone.set, c, { factor = 3 }))
print(pcall(hone.set, c, { factor = 30 }))
print(pcall(hone.set, c, { more = 3 }))
print(pcall(hone.set, c, { facto = 3 }))
scores("a", "crash", "b")
scores("a")
""")
live = build("live", LIVE, caps=PURE + " | HONE_CAP_REENTRANT")
run = hone("run", "live.lua")
said = run.stdout.splitlines()
check("live settings reach a box", said[:2] == ["6.0 6.0", "7.0 7.0"], run.stdout + run.stderr)
check("what it refuses is refused, with its text", len(said) > 5 and "not three" in said[2], run.stdout)
check("what is out of range is", len(said) > 5 and "out of range" in said[3] and "does not change while it runs" in said[4] and
      'no setting \"facto\"' in said[5], run.stdout)
check("the last that it took is in force, in a fresh box as well", said[-1:] == ["7.0"], run.stdout + run.stderr)
hone("plugin", "trust", live)
(work / "live.lua").write_text((work / "live.lua").read_text().replace('"crash", ', ""))
run = hone("run", "live.lua")
inside = run.stdout.splitlines()
check("in process: the same", inside[:6] == said[:6] and inside[-1:] == said[-1:], run.stdout + run.stderr)
fresh()
build("metered", LIVE, "-DMETRICS")
(work / "metered.lua").write_text("""local hone = require "hone"
local c = hone.component("reward", "metered", { factor = 4 })
local told = c:interface("hone.metrics/1"):collect()
print(told[1].name, told[1].value)
""")
run = hone("run", "metered.lua")
check("metrics come out of a box", run.stdout == "factor\t4.0\n", run.stdout + run.stderr)
fresh()

# ---- memory --------------------------------------------------------------------------------------------------------------
build("large", LARGE, caps="HONE_CAP_PURE")
(work / "large.lua").write_text("""local hone = require "hone"
local c = hone.component("reward", "large")
for i, text in ipairs { "small", "large", "small" } do print(c:score({ { prompt = "?", completion = text } })[1].score) end
""")
run = hone("run", "large.lua")
check("a large answer is held while it is given, then its pages go", run.stdout.split() == ["0.0", "1.0", "0.0"], run.stdout + run.stderr)

# ---- calls at the same time ----------------------------------------------------------------------------------------------
SLOW = PURE + " | HONE_CAP_REENTRANT | HONE_CAP_SLOW"
build("pair", OUTER, caps=SLOW)
meet = build("meet", JUDGE, "-DTOGETHER=4", caps=PURE + " | HONE_CAP_REENTRANT")
check("trusted", hone("plugin", "trust", meet).returncode == 0)
four = rows("four.jsonl", "a", "b", "c", "d")
run = hone("score", "--reward", "pair", "--set", "judge=meet", "--data", four, "--deadline", "60", "--json")
check("four calls are in the boxes of a REENTRANT reward at once", [o["status"] for o in outcomes(run)] == ["score"] * 4,
      run.stdout + run.stderr)
build("pair_meet", JUDGE, "-DTOGETHER=2", caps=SLOW)
run = hone("score", "--reward", "pair", "--set", "judge=pair_meet", "--data", four, "--deadline", "1", "--json")
check("each in a process of its own", all("nobody came" in o.get("reason", "") or o["status"] == "timeout" for o in outcomes(run)),
      run.stdout + run.stderr)
alone = build("alone", JUDGE, "-DALONE")
check("trusted", hone("plugin", "trust", alone).returncode == 0)
many = rows("many.jsonl", *map(str, range(24)))
run = hone("score", "--reward", "pair", "--set", "judge=alone", "--data", many, "--json")
check("who is not REENTRANT is entered by one of them at a time", [o["status"] for o in outcomes(run)] == ["score"] * 24,
      run.stdout + run.stderr)
run = hone("score", "--reward", "pair", "--set", "judge=jd", "--data", rows("crash.jsonl", "a", "crash", "b", "crash", "c"), "--json")
check("a crash costs its own call only", [o["status"] for o in outcomes(run)] == ["score", "error", "score", "error", "score"],
      run.stdout + run.stderr)
fresh()

# ---- call-backs that are none --------------------------------------------------------------------------------------------
build("hostile", HOSTILE)
for what, said in {"kind": "of kind 77", "number": "interface number 77", "long": "a call-back of", "two": "a call-back in a call-back",
                   "empty": "no call of it", "noise": "no call of it", "slot": "no call of it", "arguments": "hone.judge/1 judge: ",
                   "range": "lies outside the message"}.items():
    run = hone("score", "--reward", "hostile", "--set", "judge=jd", "--data", rows("bad.jsonl", "good", what, "fine"), "--json")
    got = outcomes(run)
    check(f"hostile: {what}: only its sample is an error", [o["status"] for o in got] == ["score", "error", "score"],
          run.stdout + run.stderr)
    check(f"hostile: {what}: and says why", len(got) == 3 and said in got[1].get("reason", ""), run.stdout + run.stderr)
    fresh()
run = hone("score", "--reward", "hostile", "--set", "judge=jd", "--data", rows("field.jsonl", "field"), "--json")
check("a setting that is not there is an answer", [o["status"] for o in outcomes(run)] == ["score"], run.stdout + run.stderr)
run = hone("score", "--reward", "hostile", "--set", "judge=jd", "--data", rows("flip.jsonl", "flip"), "--deadline", "0.5", "--json")
check("who only keeps the host awake meets the deadline", [o["status"] for o in outcomes(run)] == ["timeout"], run.stdout + run.stderr)
later = rows("later.jsonl", *(["later"] + ["x"] * 200))
run = hone("score", "--reward", "hostile", "--set", "judge=jd", "--data", later, "--json")
check("who asks outside of a call is ended", len(outcomes(run)) == 201 and "its box ended in score: " in run.stderr,
      run.stdout[-300:] + run.stderr)
fresh()
finish()
