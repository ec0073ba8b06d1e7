#!/usr/bin/env python3
"""local_models.py - hone.model.scorer/1 asked for labels, answers, values, embeddings and descriptions: from the command line, in a run, in process and in a
box.

A reward of the test's own asks. Labels from one prefill are compared with the log-probs of each label after a prefill of its own; answers
with their grammar; the base with the adapter off with the policy before it was trained; a reward model that this test writes, and embeddings of
it, with the same forward in plain Python; the judge `reward_model` and the reward `similarity` with what these come to."""
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import tiny_llama  # noqa: E402
from counted import check, finish  # noqa: E402
from tiny_llama import FF, H, LAYERS, NH, write_model  # noqa: E402

HONE = os.environ["HONE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
os.umask(0o022)
temp = tempfile.TemporaryDirectory(prefix="hone-local-")
work = pathlib.Path(temp.name)
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data"), "LC_ALL": "C",
       "HONE_PLUGIN_PATH": str(work / "plugins")}

ASKER = r"""
#include "hone/hone.h"
#include "hone/scorer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct self { const hone_host *host; const hone_config *cfg; hone_ref scorer; };
struct told { const hone_notes *notes; size_t at; double sum[1024], all; size_t n; uint64_t tokens; char text[4096], ids[4096]; uint32_t finish; };
static void note(struct told *t, const char *name, const char *text)
{
    hone_value v = {.type = HONE_STRING, .u.str = {text, strlen(text)}};
    t->notes->put(t->notes, t->at, hone_str_c(name), &v);
}
static void numbers(struct told *t, const char *name, const double *x, size_t n)
{
    char text[32768];
    size_t k = 0;
    text[0] = 0;
    for (size_t i = 0; i < n; i++) k += (size_t)snprintf(text + k, sizeof text - k, "%.17g ", x[i]);
    note(t, name, text);
}
static hone_status put_labels(const hone_label_sink *s, size_t item, const double *x, size_t n, uint64_t n_tokens)
{
    struct told *t = s->ctx;
    (void)item;
    t->n = n;
    t->tokens = n_tokens;
    if (n) memcpy(t->sum, x, n * sizeof *x);
    return HONE_OK;
}
static hone_status put_vector(const hone_embed_sink *s, size_t item, const float *x, size_t n, uint64_t n_tokens)
{
    struct told *t = s->ctx;
    if (item != t->at) return HONE_OK;
    t->n = n;
    t->tokens = n_tokens;
    for (size_t i = 0; i < n; i++) t->sum[i] = (double)x[i];
    return HONE_OK;
}
static hone_status put_logprobs(const hone_logprob_sink *s, size_t item, const int32_t *ids, const float *x, size_t n)
{
    struct told *t = s->ctx;
    (void)ids;
    t->sum[item] = 0;
    for (size_t i = 0; i < n; i++) t->sum[item] += (double)x[i];
    return HONE_OK;
}
static hone_status put_answer(const hone_answer_sink *s, size_t item, hone_str text, uint32_t finish, const int32_t *ids, const float *x,
                              size_t n, uint64_t n_prompt)
{
    struct told *t = s->ctx;
    (void)item;
    snprintf(t->text, sizeof t->text, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    for (size_t i = 0, k = 0; i < n && k < 4000; i++) k += (size_t)sprintf(t->ids + k, "%d ", ids[i]);
    for (size_t i = 0; i < n; i++) t->all += (double)x[i];
    t->n = n;
    t->tokens = n_prompt;
    t->finish = finish;
    return HONE_OK;
}
static hone_status put_text(const hone_text_sink *s, size_t i, hone_str text)
{
    struct told *t = s->ctx;
    (void)i;
    snprintf(t->text, sizeof t->text, "%.*s", (int)text.len, text.ptr);
    return HONE_OK;
}
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride, hone_outcome *out,
                         size_t ostride, const hone_notes *notes)
{
    struct self *s = self;
    const hone_model_scorer_v1 *m = s->scorer.vt;
    void *who = s->scorer.self;
    const hone_str model = s->cfg->str(s->cfg, 0), ask = s->cfg->str(s->cfg, 1), grammar = s->cfg->str(s->cfg, 2), list = s->cfg->str(s->cfg, 3);
    const int chat = (int)s->cfg->i64(s->cfg, 4);
    hone_str labels[8];
    size_t k = 0;
    for (size_t i = 0, from = 0; i <= list.len && k < 8; i++)
        if (i == list.len || list.ptr[i] == '|') { labels[k++] = (hone_str){list.ptr + from, i - from}; from = i + 1; }
    for (size_t i = 0; i < n; i++) {
        const hone_sample *x = hone_sample_at(in, stride, i);
        const hone_message user[2] = {{hone_str_c("user"), x->prompt}, {hone_str_c("assistant"), x->completion}};
        const hone_str none = {NULL, 0}, prompt = chat ? none : x->prompt;
        struct told t = {.notes = notes, .at = i};
        hone_status st = HONE_OK;
        double value = 0;
        if (!strncmp(ask.ptr, "labels", ask.len)) {
            hone_label_item it = {.prompt = prompt, .messages = chat ? user : NULL, .n_messages = chat, .begin = x->completion,
                                  .labels = labels, .n_labels = k};
            hone_label_sink sink = {sizeof sink, 0, &t, put_labels};
            st = m->labels(who, call, model, &it, 1, sizeof it, &sink);
            if (st >= 0) numbers(&t, "labels", t.sum, t.n);
            for (size_t j = 0; j < t.n; j++) value += exp(t.sum[j]);
            const double tokens = (double)t.tokens;
            numbers(&t, "tokens", &tokens, 1);
            if (st >= 0 && !chat && t.n) {
                hone_score_item each[8];
                hone_logprob_sink ls = {sizeof ls, 0, &t, put_logprobs};
                for (size_t j = 0; j < k; j++) each[j] = (hone_score_item){.prompt = x->prompt, .completion = labels[j]};
                st = m->logprobs(who, call, model, each, k, sizeof each[0], &ls);
                if (st >= 0) numbers(&t, "separate", t.sum, k);
            }
        } else if (!strncmp(ask.ptr, "answers", ask.len)) {
            const int schema = grammar.len && grammar.ptr[0] == '{';
            hone_answer_item it = {.prompt = prompt, .messages = chat ? user : NULL, .n_messages = chat, .begin = x->completion,
                                   .grammar = schema ? none : grammar, .schema = schema ? grammar : none, .sample = x->id};
            hone_answer_rule rule = {sizeof rule, 64, s->cfg->f64(s->cfg, 5), 1, 7};
            hone_answer_sink sink = {sizeof sink, 0, &t, put_answer};
            st = m->answers(who, call, model, &rule, &it, 1, sizeof it, &sink);
            value = t.all;
            note(&t, "text", t.text);
            note(&t, "ids", t.ids);
            note(&t, "finish", t.finish == HONE_FINISH_STOP ? "stop" : "length");
        } else if (!strncmp(ask.ptr, "values", ask.len)) {
            hone_value_item it = {.prompt = x->prompt, .completion = x->completion, .messages = chat ? user : NULL, .n_messages = chat ? 2 : 0};
            st = m->values(who, call, model, &it, 1, sizeof it, &value);
            numbers(&t, "value", &value, 1);
        } else if (!strncmp(ask.ptr, "embed", ask.len)) { /* all of the batch in one request; `grammar` is the flags, `labels` ids */
            hone_embed_item each[64];
            hone_embed_sink sink = {sizeof sink, 0, &t, put_vector};
            int32_t ids[64];
            size_t n_ids = 0;
            for (const char *c = list.ptr; c < list.ptr + list.len && n_ids < 64; c += strcspn(c, "|") + 1) ids[n_ids++] = atoi(c);
            for (size_t j = 0; j < n; j++)
                each[j] = chat ? (hone_embed_item){.ids = ids, .n_ids = list.len ? n_ids : 0}
                               : (hone_embed_item){.text = hone_sample_at(in, stride, j)->prompt};
            st = m->embed(who, call, model, (uint32_t)atoi(grammar.ptr), each, n, sizeof each[0], &sink);
            const double tokens = (double)t.tokens;
            if (st >= 0) numbers(&t, "vector", t.sum, t.n);
            numbers(&t, "tokens", &tokens, 1);
        } else {
            hone_text_sink sink = {sizeof sink, 0, &t, put_text};
            st = m->describe(who, call, model, &sink);
            note(&t, "description", t.text);
        }
        if (st < 0) return st;
        hone_outcome_set(out, ostride, i, HONE_SCORE, (float)value);
    }
    return HONE_OK;
}
static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    struct self *s = calloc(1, sizeof *s);
    s->host = host;
    s->cfg = cfg;
    *out = s;
    return host->get_iface(host, HONE_IFACE_SCORER, &s->scorer);
}
static void destroy(void *self) { free(self); }
static const hone_field *const fields[] = {HONE_STR("model", "", 0, "who"), HONE_STR("ask", "labels", 0, "what"), HONE_STR("grammar", "", 0, "of answers"),
    HONE_STR("labels", "1|2|3|10", 0, "texts"), HONE_INT("chat", 0, 0, 1, 0, "messages"), HONE_F64("temperature", 1, 0, 100, 0, "of answers"), NULL};
static const hone_reward_v1 table = {sizeof table, 0, score, NULL, NULL};
static const void *get_iface(void *self, const char *id) { (void)self; return strcmp(id, HONE_IFACE_REWARD) == 0 ? &table : NULL; }
static const char *const provides[] = {HONE_IFACE_REWARD, NULL};
static const hone_component c = {.struct_size = sizeof c, .id = "org.test.reward." NAME, .kind = HONE_KIND_REWARD, .version = "1.0.0",
    .summary = "of a test", .caps = CAPS, .fields = fields, .provides = provides, .create = create, .destroy = destroy, .get_iface = get_iface};
static const hone_component *const all[] = {&c, NULL};
static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_entry entry = {.struct_size = sizeof entry, .magic = &magic, .components = all};
HONE_EXPORT const hone_entry *hone_plugin_entry(void) { return &entry; }
"""


def build(name, caps):
    (work / "plugins").mkdir(exist_ok=True)
    (work / f"{name}.c").write_text(ASKER)
    so = work / "plugins" / f"{name}.so"
    run = subprocess.run(["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-w", "-I" + str(ROOT / "sdk/include"),
                          f'-DNAME="{name}"', f"-DCAPS=({caps})", "-o", so, work / f"{name}.c", "-lm"], capture_output=True, text=True)
    check(name + " compiles", run.returncode == 0, run.stderr)
    return so


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=300, env=env)


def rows(name, *pairs):
    (work / name).write_text("".join(json.dumps({"prompt": p, "completion": c}) + "\n" for p, c in pairs))
    return name


def asked(plugin, data, *sets, allow=(), code=0):
    """What the reward noted of each row, or the process where it fails."""
    run = hone("score", "--reward", plugin, "--data", data, "--json", *[x for s in sets for x in ("--set", s)], *[x for a in allow for x in ("--allow", a)])
    if code:
        check(f"{sets}: fails", run.returncode != 0, run.stdout)
        return run.stdout + run.stderr
    check(f"{plugin.name} {sets}: works", run.returncode == 0, run.stderr[-1500:] + run.stdout[-500:])
    return [list(json.loads(x)["outcomes"].values())[0] for x in run.stdout.splitlines()]


def floats(text):
    return [float(x) for x in text.split()]


boxed = build("asker", "HONE_CAP_DETERMINISTIC")
reader = build("reader", "HONE_CAP_DETERMINISTIC | HONE_CAP_FS_READ")
trusted = build("trusted", "HONE_CAP_DETERMINISTIC")
check("trust", hone("plugin", "trust", trusted).returncode == 0)
data = rows("data.jsonl", ("Leo has 11 stickers. Leo finds 3. How many?", ""), ("2 + 2 = ", ""), ("x", ""))

# ---- labels: one prefill is what a prefill each gives, in process and in a box ----
told = asked(trusted, data, "model=model:tiny")
for row in told:
    got, each = floats(row["notes"]["labels"]), floats(row["notes"]["separate"])
    check("labels: three single ones have the bits of a prefill each", got[1:3] == each[1:3], row)
    check("a longer label", abs(got[3] - each[3]) < 1e-12, row)
    # "1" begins "10": what belongs to the longer one is taken off
    check("a label that begins another", abs(got[0] - math.log(math.exp(each[0]) - math.exp(each[3]))) < 1e-9, (got, each))
    check("the score is the mass", abs(row["score"] - sum(map(math.exp, got))) < 1e-6, row)
check("in a box the same", [r["notes"] for r in asked(boxed, data, "model=model:tiny")] == [r["notes"] for r in told])
begun = asked(trusted, rows("begun.jsonl", ("2 + 2 ", "= ")), "model=model:tiny")[0]["notes"]["labels"]
check("begin goes on from the prompt", begun == told[1]["notes"]["labels"], (begun, told[1]))
for sets, says in ((["labels=a||b"], "label 2 is empty"), (["labels=a|b|a"], "labels 1 and 3 are the same tokens"), (["model=nobody"], 'no model "nobody"'),
                   (["model="], "no model"), (["model=model:"], "without the name of a model"), (["model=model:no-such-model"], "no such folder, file or known name")):
    out = asked(trusted, data, *([] if sets[0].startswith("model") else ["model=model:tiny"]), *sets, code=1)
    check(f"{sets} says {says}", says in out, out[-800:])

# ---- answers ----
yes = asked(trusted, data, "model=model:tiny", "ask=answers", 'grammar=root ::= "Score: " [1-5] ("." [0-9])?', "temperature=5")
for row in yes:
    t = row["notes"]["text"]
    check("an answer is in its grammar", t.startswith("Score: ") and t[7] in "12345" and row["notes"]["finish"] == "stop", row)
check("in a box the same", [r["notes"] for r in asked(boxed, data, "model=model:tiny", "ask=answers", 'grammar=root ::= "Score: " [1-5] ("." [0-9])?',
                                                  "temperature=5")] == [r["notes"] for r in yes])
alone = asked(trusted, rows("first.jsonl", ("Leo has 11 stickers. Leo finds 3. How many?", "")), "model=model:tiny", "ask=answers",
              'grammar=root ::= "Score: " [1-5] ("." [0-9])?', "temperature=5")
check("alone the same", alone[0]["notes"] == yes[0]["notes"], (alone, yes[0]))
schema = asked(trusted, data, "model=model:tiny", "ask=answers",
               'grammar={"type":"object","properties":{"score":{"enum":[1,2,3]},"why":{"type":"string","maxLength":9}},"required":["score"]}', "temperature=9")
check("an answer by a schema", all(json.loads(r["notes"]["text"])["score"] in (1, 2, 3) for r in schema), schema)
cut = asked(trusted, data, "model=model:tiny", "ask=answers", "grammar=root ::= [a-z]{200}")
check("a cut answer says so", all(r["notes"]["finish"] == "length" and len(r["notes"]["text"]) <= 64 * 12 for r in cut), cut)
free = asked(trusted, data, "model=model:tiny", "ask=answers", "temperature=0")
plain = json.loads(hone("generate", "tiny", "--raw", "--greedy", "--max-tokens", 64, "--json", "--prompt", "2 + 2 = ").stdout)
check("a free answer is that of hone generate", free[1]["notes"]["text"] == plain["text"] and free[1]["notes"]["ids"].split() == [str(i) for i in plain["ids"]],
      (free[1], plain))
out = asked(trusted, data, "model=model:tiny", "ask=answers", "grammar=root ::= answer", code=1)
check("a bad grammar says its place", "grammar:1:10" in out and "answer" in out, out[-600:])

# ---- what may be opened ----
described = json.loads(asked(trusted, rows("one.jsonl", ("a", "b")), "model=model:tiny", "ask=describe")[0]["notes"]["description"])
check("describe", described["template"] is not None and len(described["checksum"]) == 16 and described["head"] is False, described)
copy = work / "copy"
(work / "save.lua").write_text('local hone = require "hone"\nlocal run = hone.run { name = "save" }\nrun:policy { model = "tiny" }:save("copy")\n')
p = hone("run", "save.lua", "--run-dir", work / "save", "--allow", f"fs-write:{work}")
if not copy.is_dir():
    found = list(work.glob("**/config.json"))
    copy = found[0].parent if found else copy
check("a copy of the model", copy.is_dir(), p.stderr)
same = json.loads(asked(trusted, "one.jsonl", f"model=model:{copy}", "ask=describe")[0]["notes"]["description"])
check("a path, in process", same["checksum"] == described["checksum"], same)
out = asked(boxed, "one.jsonl", f"model=model:{copy}", "ask=describe", code=1)
check("a path from a box is refused", "may not have the model" in out, out[-800:])
out = asked(reader, "one.jsonl", f"model=model:{copy}", "ask=describe", code=1)
check("and without a grant", "may not have the model" in out, out[-800:])
got = asked(reader, "one.jsonl", f"model=model:{copy}", "ask=describe", allow=(f"reader:fs-read:{copy}",))
check("with a grant it is opened", json.loads(got[0]["notes"]["description"])["checksum"] == described["checksum"], got)

# ---- in a run: the policy, its base, a reference, another model ----
(work / "run.lua").write_text("""
local hone = require "hone"
local run = hone.run { name = "run", seed = 3 }
local policy = run:policy { model = "tiny", lora = { rank = 4 }, optimizer = { "adamw", lr = 0.02 } }
local function ask(model, what)
  local r = hone.reward("trusted", { model = model, ask = what, labels = "1|2|3" })
  local ro = policy:rollout({ "2 + 2 = " }, { max_tokens = 4, raw = true, rewards = { r }, greedy = true, step = 1 << 41 })
  for _, o in pairs(ro:samples()[1].outcomes) do return o.score end
end
local first = ask("", "labels")
assert(first == ask("policy", "labels") and first == ask("base", "labels") and first == ask("model:tiny", "labels"), "before training all are one")
local batch = policy:batch { { prompt = "2 + 2 = ", completion = "7 of course" } }
for i = 1, 3 do policy:update { batch, objective = "sft" } end
-- the completion, which the answer begins with here, is another now; the base is still the file's model
local policy_now, base, file = ask("", "labels"), ask("base", "labels"), ask("model:tiny", "labels")
print("trained", policy_now, base, file)
assert(policy_now ~= base, "the adapter counts")
assert(base == file and ask("base:policy", "labels") == file, "the base with the adapter off is what it was")
print("answers", ask("base", "answers"), ask("", "answers"))
""")
p = hone("run", "run.lua", "--run-dir", work / "run", "--no-gate")
check("a policy, its base and another model", p.returncode == 0 and "trained" in p.stdout and "answers" in p.stdout, p.stdout[-600:] + p.stderr[-1500:])

# ---- a reward model, written here and computed here ----
weights, config = tiny_llama.draw_weights(), tiny_llama.CONFIG


def times(w, x):
    return [sum(a * b for a, b in zip(row, x)) for row in w]


def norm(x, w):
    s = 1 / math.sqrt(sum(a * a for a in x) / len(x) + 1e-5)
    return [a * s * b for a, b in zip(x, w)]


def turned(x, at):
    out, d = list(x), H // NH
    for h in range(NH):
        for j in range(d // 2):
            a = at / 10000 ** (2 * j / d)
            p, q = x[h * d + j], x[h * d + j + d // 2]
            out[h * d + j], out[h * d + j + d // 2] = p * math.cos(a) - q * math.sin(a), q * math.cos(a) + p * math.sin(a)
    return out


def hidden_of(ids):
    """The last hidden states, behind the final norm."""
    xs, d = [weights["model.embed_tokens.weight"][i] for i in ids], H // NH
    for i in range(LAYERS):
        w = {k.split(f"layers.{i}.")[1][:-7]: v for k, v in weights.items() if f"layers.{i}." in k}
        normed = [norm(x, w["input_layernorm"]) for x in xs]
        q = [turned(times(w["self_attn.q_proj"], x), t) for t, x in enumerate(normed)]
        k = [turned(times(w["self_attn.k_proj"], x), t) for t, x in enumerate(normed)]
        v = [times(w["self_attn.v_proj"], x) for x in normed]
        for t in range(len(xs)):
            got = []
            for h in range(NH):
                s = [sum(q[t][h * d + j] * k[u][h * d + j] for j in range(d)) / math.sqrt(d) for u in range(t + 1)]
                e = [math.exp(x - max(s)) for x in s]
                got += [sum(e[u] * v[u][h * d + j] for u in range(t + 1)) / sum(e) for j in range(d)]
            xs[t] = [a + b for a, b in zip(xs[t], times(w["self_attn.o_proj"], got))]
        for t, x in enumerate(xs):
            n = norm(x, w["post_attention_layernorm"])
            up = [g / (1 + math.exp(-g)) * u for g, u in zip(times(w["mlp.gate_proj"], n), times(w["mlp.up_proj"], n))]
            xs[t] = [a + b for a, b in zip(x, times(w["mlp.down_proj"], up))]
    return [norm(x, weights["model.norm.weight"]) for x in xs]


def value_of(ids):
    return times(weights["score.weight"], hidden_of(ids)[-1])[0]


write_model(work / "rm", config, weights)
texts = [("How are you?", "Fine."), ("a", "b"), ("caf\u00e9 <end> <user>", "x" * 20)]
data = rows("rm.jsonl", *texts)
got = asked(trusted, data, "model=model:./rm", "ask=values")
for (p, c), row in zip(texts, got):
    want = value_of(list((p + c).encode()))  # special tokens in a text are text
    check("a value is that of the same forward in Python", abs(floats(row["notes"]["value"])[0] - want) < 2e-5 * max(1, abs(want)), (row, want))
got = asked(trusted, data, "model=model:./rm", "ask=values", "chat=1")
for (p, c), row in zip(texts, got):
    # a special token that a message spells is broken by a space
    want = value_of([257, *p.replace("<end>", "< end>").replace("<user>", "< user>").encode(), 258, *c.encode(), 258])
    check("a conversation's value", abs(floats(row["notes"]["value"])[0] - want) < 2e-5 * max(1, abs(want)), (row, want))
check("describe: it has a head", json.loads(asked(trusted, "one.jsonl", "model=model:./rm", "ask=describe")[0]["notes"]["description"])["head"] is True)

# ---- the judge `reward_model` ----
(work / "judged.jsonl").write_text("".join(json.dumps(r) + "\n" for r in [
    {"id": "one", "prompt": "How are you?", "completion": "Fine."},
    {"id": "pair", "prompt": "a", "candidates": ["b", "Fine."]},
    {"id": "list", "prompt": "a", "candidates": ["b", "x" * 20, "Fine.", "b"]},
    {"id": "talk", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}], "completion": "d"},
    {"id": "long", "prompt": "y" * 200, "completion": "z"}]))
p = hone("judge", "run", "--judge", "reward_model", "--set", "model=./rm", "--items", "judged.jsonl", "--out", "verdicts.jsonl")
check("hone judge run with a reward model", p.returncode == 0, p.stderr[-900:])
told = {v["id"]: v for v in map(json.loads, (work / "verdicts.jsonl").read_text().splitlines())} if p.returncode == 0 else {}


def chat_value(*turns):
    ids = []
    for role, text in turns:
        ids += [257] * (role == "user") + list(text.encode()) + [258]
    return value_of(ids)


def near(a, b):
    return a is not None and abs(a - b) < 2e-5 * max(1, abs(b))


if told:
    check("its value is the score", near(told["one"]["score"], chat_value(("user", "How are you?"), ("assistant", "Fine."))), told["one"])
    a, b = (chat_value(("user", "a"), ("assistant", x)) for x in ("b", "Fine."))
    check("of a pair: the preference by Bradley and Terry", near(told["pair"]["score"], math.tanh((a - b) / 2)), (told["pair"], a, b))
    worth = [chat_value(("user", "a"), ("assistant", x)) for x in ("b", "x" * 20, "Fine.", "b")]
    order = sorted(range(4), key=lambda i: (-worth[i], i))
    check("of a list: a ranking, the first of equals first", told["list"]["ranking"] in (order, [i + 1 for i in order]), (told["list"], worth))
    check("a conversation", near(told["talk"]["score"], chat_value(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))), told["talk"])
    check("too long: truncated, no number", told["long"]["status"] == "truncated" and told["long"]["score"] is None, told["long"])
(work / "scored.jsonl").write_text("".join(x + "\n" for x in (work / "judged.jsonl").read_text().splitlines() if "completion" in x))
p = hone("score", "--reward", "reward_model", "--set", "model=./rm", "--data", "scored.jsonl", "--json")
lines = [json.loads(x) for x in p.stdout.splitlines() if x.startswith("{")]
got = {r["id"]: r["outcomes"]["reward_model"] for r in lines}
check("the reward of that name: the judge's score of one answer", told and near(got["one"]["score"], told["one"]["score"]) and
      near(got["talk"]["score"], told["talk"]["score"]), (p.stdout, p.stderr[-400:]))
check("too long: an error that says so, and the others keep their scores", got.get("long", {}).get("status") == "error" and
      "longer than the reward model's positions" in str(got["long"]), got.get("long"))
p = hone("score", "--reward", "reward_model", "--set", "model=tiny", "--data", "scored.jsonl")
check("a reward of a model without a head", p.returncode != 0 and "has no reward model's head" in p.stderr, p.stderr[-500:])
p = hone("judge", "run", "--judge", "reward_model", "--set", "model=tiny", "--items", "judged.jsonl")
check("a judge of a model without a head", p.returncode != 0 and "has no reward model's head" in p.stderr, p.stderr[-500:])
out = asked(trusted, data, "model=model:tiny", "ask=values", code=1)
check("a model without a head says so", "has no reward model's head" in out, out[-600:])
write_model(work / "two", {**config, "id2label": {"0": "A", "1": "B"}, "label2id": {"A": 0, "B": 1}}, weights)
out = asked(trusted, data, "model=model:./two", "ask=values", code=1)
check("a classifier of two labels is refused", "a classifier of 2 labels" in out, out[-600:])
write_model(work / "none", config, {k: v for k, v in weights.items() if k != "score.weight"})
out = asked(trusted, data, "model=model:./none", "ask=values", code=1)
check("a head that is missing", "1 missing (score.weight)" in out, out[-600:])
long = asked(trusted, rows("long.jsonl", ("y" * 200, "")), "model=model:./rm", "labels=1|2")
check("longer than the model's positions: no labels, and no failure", long[0]["notes"]["labels"] == "" and long[0]["score"] == 0, long)

# ---- embeddings: the mean of the same hidden states, or the last of them ----
def mean_of(text):
    x = hidden_of(list(text.encode()))
    return [sum(col) / len(x) for col in zip(*x)]


def unit(x):
    n = math.sqrt(sum(a * a for a in x))
    return [a / n for a in x]


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def alike(got, want):
    return len(got) == len(want) and all(abs(a - b) < 2e-5 * max(1, abs(b)) for a, b in zip(got, want))


texts = ["How are you?", "a", "caf\u00e9 <end> <user>"]  # special tokens in a text are text
data = rows("embed.jsonl", *((t, "") for t in texts))


def embedded(flags, *sets, plugin=trusted, model="model:./rm", name=data):
    got = asked(plugin, name, f"model={model}", "ask=embed", f"grammar={flags}", *sets)
    return [floats(r["notes"]["vector"]) for r in got]


mean, last = embedded(0), embedded(1)
for i, t in enumerate(texts):
    check("an embedding is the mean of the states that Python computes", alike(mean[i], mean_of(t)), (mean[i], mean_of(t)))
    check("or the last of them", alike(last[i], hidden_of(list(t.encode()))[-1]), last[i])
    check("of length 1", embedded(2)[i] == [f32(x) for x in unit(mean[i])] and alike(embedded(3)[i], unit(last[i])), (embedded(2)[i], unit(mean[i])))
    check("alone it has the same bits", embedded(0, name=rows("alone.jsonl", (t, "")))[0] == mean[i], t)
check("by its ids it is the same", embedded(0, "chat=1", "labels=" + "|".join(str(b) for b in texts[0].encode()), name=rows("alone.jsonl", ("x", "")))[0] == mean[0])
tiny = embedded(0, model="model:tiny")
check("in a box the same", embedded(0, plugin=boxed, model="model:tiny") == tiny and len(tiny[0]) == 128)
check("as wide as it is described", json.loads(asked(trusted, "one.jsonl", "model=model:./rm", "ask=describe")[0]["notes"]["description"])["hidden"] == H)
too_long = embedded(0, name=rows("long.jsonl", ("y" * 200, ""), ("a", "")))
check("longer than the model's positions: no vector, and the others have theirs", too_long == [[], mean[1]], too_long)
for sets, says in ((["grammar=4"], "flags 4"), (["chat=1", "labels="], "without tokens has no embedding"), (["chat=1", "labels=7|259"], "id 259 is outside the vocabulary"),
                   (["model=model:tiny", "chat=1", "labels=-1"], "id -1 is outside")):
    out = asked(trusted, data, "ask=embed", *([] if "model" in sets[0] else ["model=model:./rm"]), *sets, code=1)
    check(f"embed {sets} says {says}", says in out, out[-800:])
out = asked(trusted, rows("empty.jsonl", ("a", ""), ("", "")), "model=model:./rm", "ask=embed", code=1)
check("an empty text has none, and its number is said", "item 1" in out and "without tokens" in out, out[-800:])
(work / "embed.lua").write_text("""
local hone = require "hone"
local run = hone.run { name = "embed" }
local policy = run:policy { model = hone.params { model = { "tiny", "who embeds" } }.model }
for _, o in ipairs { {}, { pooling = "mean", unit = false }, { pooling = "last" }, { unit = true }, { pooling = "last", unit = true } } do
  for _, v in ipairs(policy:embed({ "How are you?", "a" }, o)) do
    local s = {}
    for i, x in ipairs(v) do s[i] = string.format("%.17g", x) end
    print("VECTOR " .. table.concat(s, " "))
  end
end
""")
p = hone("run", "embed.lua", "model=./rm", "--run-dir", work / "embedding")
got = [floats(x[7:]) for x in p.stdout.splitlines() if x.startswith("VECTOR ")]
check("policy:embed is the same", got == mean[:2] * 2 + last[:2] + embedded(2)[:2] + embedded(3)[:2], p.stdout[-400:] + p.stderr[-400:])

# ---- the reward `similarity` ----
def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def scored(*pairs, sets=()):
    (work / "similar.jsonl").write_text("".join(json.dumps({"prompt": "q", "completion": c, **({} if a is None else {"answer": a})}) + "\n" for c, a in pairs))
    p = hone("score", "--reward", "similarity", "--set", "model=model:./rm", "--data", "similar.jsonl", "--json", *[x for s in sets for x in ("--set", s)])
    check("hone score with similarity works", p.returncode == 0, p.stderr[-800:])
    return [list(json.loads(x)["outcomes"].values())[0] for x in p.stdout.splitlines()]


a, b, c = texts
got = scored((a, b), (a, a), (c, [a, b, "zz"]), (b, [c]), ("7", 7))
want = [cosine(mean_of(a), mean_of(b)), 1, max(cosine(mean_of(c), mean_of(x)) for x in (a, b, "zz")), cosine(mean_of(b), mean_of(c)), 1]
check("similarity: the cosine; of several references the nearest; a text is itself; numbers are texts",
      all(r["status"] == "score" and abs(r["score"] - w) < 1e-5 for r, w in zip(got, want)) and got[1]["score"] == got[4]["score"] == 1, (got, want))
check("each alone has the same bits", scored((c, [a, b, "zz"]))[0] == got[2])
got = scored((a, b), sets=["pooling=last"])[0]["score"]
want = cosine(hidden_of(list(a.encode()))[-1], hidden_of(list(b.encode()))[-1])
check("of the last tokens", abs(got - want) < 1e-5, (got, want))
pairs = [(chr(x), chr(y)) for x in range(97, 123) for y in (65, 66)]
free, clipped = scored(*pairs, sets=["pooling=last"]), scored(*pairs, sets=["pooling=last", "clip=true"])
check("clip: what is below 0 is 0, the rest as it was", any(r["score"] < 0 for r in free) and
      all(y["score"] == max(0, x["score"]) for x, y in zip(free, clipped)), free[:4])
got = scored((a, b), ("", b), (a, None), (a, ""), (a, []), (a, [b, {"x": 1}]), ("y" * 200, b), (a, "y" * 200), (a, ["y" * 200, b]))
check("what has no score says why", [(r["status"], r.get("reason", "")) for r in got[1:]] == [
    ("abstain", "the completion is empty"), ("error", 'the row has no column "answer"'), ("error", "the reference is empty"),
    ("error", "the list of references is empty"), ("error", "the reference is no text"), ("error", "the completion is longer than the model's positions"),
    ("error", "the reference is longer than the model's positions"), ("error", "the reference is longer than the model's positions")] and
      got[0]["status"] == "score", got)
check("a missing reference may be an abstention", [r["status"] for r in scored((a, None), (a, b), sets=["on_missing=abstain"])] == ["abstain", "score"])
p = hone("score", "--reward", "similarity", "--set", "model=model:no-such-model", "--data", "similar.jsonl")
check("a model that is not there is refused at once", p.returncode != 0 and "no such folder, file or known name" in p.stderr, p.stderr)
p = hone("score", "--reward", "similarity", "--data", "similar.jsonl")
check("without a run's model it says so", p.returncode != 0 and 'no model ""' in p.stderr, p.stderr)
(work / "near.lua").write_text("""return { id = "near", version = "1", shape = "pointwise", task = "t", criteria = { { id = "near", kind = "program",
  text = "is it near", verifier = { reward = "similarity", model = "model:./rm", reference = "answer" } } } }""")
(work / "judged.jsonl").write_text(json.dumps({"prompt": "q", "completion": c, "answer": [a, c + "!"]}) + "\n")
want = cosine(mean_of(c), mean_of(c + "!"))
for judge in (["rubric", "--set", "rubric=near.lua"], ["similarity", "--set", "model=model:./rm"]):
    p = hone("judge", "run", "--judge", *judge, "--items", "judged.jsonl", "--out", "near.jsonl", "--no-store")
    got = json.loads((work / "near.jsonl").read_text())["score"] if p.returncode == 0 else p.stderr[-800:]
    check(f"{judge[0]}: similarity as a judge's program", not isinstance(got, str) and abs(got - want) < 1e-5, (got, want))
finish()
