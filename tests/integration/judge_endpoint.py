#!/usr/bin/env python3
"""judge_endpoint.py - the rubric judge behind an endpoint that fails on purpose: verdicts, budgets to the last call, log-probs, secrets,
recordings, 64 at once, and a process that is killed in the middle. The server counts; no check looks at a clock."""
import json
import math
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from boxes import boxes_of  # noqa: E402
from counted import check, finish  # noqa: E402
from endpoint import Endpoint, wait_for  # noqa: E402

HONE = os.environ["HONE"]
temp = tempfile.TemporaryDirectory(prefix="hone-judge-endpoint-")
work = pathlib.Path(temp.name)
os.umask(0o022)
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith("HONE_HTTP"):
        del os.environ[name]
env = {**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "XDG_DATA_HOME": str(work / "data"), "LC_ALL": "C"}
SECRET = "sk-s3cret-of-the-test-0123"

(work / "right.lua").write_text("""return { id = "right", version = "1", shape = "pointwise", task = "Answers to questions.",
  scale = { min = 1, max = 5, anchors = { "wrong", "mostly wrong", "half right", "nearly right", "right" } } }
""")
(work / "better.lua").write_text("""return { id = "better", version = "1", shape = "pairwise", task = "Answers to questions." }
""")


def items(n, name="items.jsonl"):
    (work / name).write_text("".join(json.dumps({"id": f"i{i}", "prompt": f"question {i}", "completion": f"quality={i % 5 + 1} n={i}"}) + "\n"
                                     for i in range(n)))
    return name


def quality(request):
    return int(re.search(r"quality=(\d)", request["messages"][-1]["content"]).group(1))


def reply(request):
    k = str(quality(request))
    return json.dumps({"reasoning": f"it is {k}", "verdict": k}) if "logprobs" not in request and request["max_tokens"] > 16 else k


def logprobs(request):
    k = quality(request)
    return [[(str(k), math.log(.75)), (str(k % 5 + 1), math.log(.25))]]


server = Endpoint(reply=reply, logprobs=logprobs, usage=lambda r, t: {"prompt_tokens": 100, "completion_tokens": 10})


def lua(v):
    if isinstance(v, dict):
        return "{ " + ", ".join(f"[{json.dumps(k)}] = {lua(x)}" for k, x in v.items()) + " }"
    return "true" if v is True else "false" if v is False else json.dumps(v)


QUICK = {"backoff": .001, "backoff_max": .004, "tries": 3, "break_after": 100000, "break": .001}


def command(file="items.jsonl", fault="", allow=True, store=None, batch=64, **settings):
    base = {"judge": "rubric", "rubric": "right.lua", "backend": "endpoint", "url": f"{server.url}{fault}/v1", "model": "m-2024-08-06",
            "http": {**QUICK, **settings.pop("http", {})}, **settings}
    (work / "judge.lua").write_text("return " + lua({k: v for k, v in base.items() if v is not None}) + "\n")
    args = [HONE, "judge", "run", "--judge", "judge.lua", "--items", file, "--out", "out.jsonl", "--json", "--batch", str(batch)]
    args += ["--allow=rubric:net"] if allow else []
    return args + (["--store", store] if store else ["--no-store"])


class Run:
    pass


def judge(n=None, more_env=None, args=None, **how):
    """Runs it: rows, code, err, asked (what the server saw)."""
    if n is not None:
        items(n)
    server.clear()
    out = work / "out.jsonl"
    out.unlink(missing_ok=True)
    done = subprocess.run(args or command(**how), cwd=work, env={**env, **(more_env or {})}, capture_output=True, text=True, timeout=300)
    r = Run()
    r.rows = [json.loads(x) for x in out.read_text().splitlines()] if out.exists() else []
    r.text = out.read_text() if out.exists() else ""
    r.code, r.err, r.out, r.asked = done.returncode, done.stderr, done.stdout, len(server.seen)
    return r


def states(r):
    return [row["status"] for row in r.rows]


# ---- verdicts ----
r = judge(5)
check("the expectation over labels", [round(x["score"], 6) for x in r.rows] == [1.25, 2.25, 3.25, 4.25, 4.0], r.err or r.rows)
check("one request each, with all that was asked for", r.asked == 5 and all(
    {"model", "messages", "temperature", "seed", "max_tokens", "logprobs", "top_logprobs"} <= set(json.loads(s["body"])) for s in server.seen), r.asked)
check("tokens are told", all((x["tokens_in"], x["tokens_out"]) == (100, 10) and x["labels"] and "cost" not in x for x in r.rows), r.rows[:1])
r = judge(5, decoding={"mode": "generate", "max_tokens": 200})
check("a reply that is parsed", [x["score"] for x in r.rows] == [1, 2, 3, 4, 5] and r.rows[0]["reasoning"] == "it is 1", r.err or r.rows)
sent = json.loads(server.seen[0]["body"])
check("with a JSON Schema", sent["response_format"]["json_schema"]["schema"]["type"] == "object" and sent["max_tokens"] == 200 and "logprobs" not in sent, sent)
r = judge(3, prices={"input": 2.5, "output": 10, "currency": "EUR"})
check("and what it cost", all(abs(x["cost"] - 350e-6) < 1e-12 for x in r.rows), r.err or r.rows)
r = judge(2, extra={"top_p": 1, "stop": "x", "cache": {"a": True}})
check("further members of the request", json.loads(server.seen[0]["body"])["cache"] == {"a": True}, r.err)
was, server.logprobs = server.logprobs, None
r = judge(5)
check("a server without log-probs: the label is read from the text", [x["score"] for x in r.rows] == [1, 2, 3, 4, 5] and
      all("labels" not in x for x in r.rows), r.err or r.rows)
server.logprobs = was
(work / "pairs.jsonl").write_text(json.dumps({"id": "p", "prompt": "q", "candidates": ["quality=5 a", "quality=1 b"]}) + "\n")


def prefer(request):
    text = request["messages"][-1]["content"]
    return "A" if text.index("quality=5") < text.index("quality=1") else "B"


server.reply, server.logprobs = prefer, lambda r: [[(prefer(r), math.log(.9)), ("AB".replace(prefer(r), ""), math.log(.1))]]
r = judge(file="pairs.jsonl", rubric="better.lua")
check("a pair in both orders", r.asked == 2 and states(r) == ["ok"] and abs(r.rows[0]["score"] - .8) < 1e-6, r.err or r.rows)
server.reply, server.logprobs = reply, logprobs

# ---- faults ----
for fault in ("429", "429-date", "500", "503", "529", "drop", "reset", "cut", "chunked-cut", "chunked-garbage", "long-length", "not-http"):
    r = judge(4, fault=f"/{fault}.1")
    check(f"{fault} once: asked again", states(r) == ["ok"] * 4 and r.asked == 8, f"{r.asked} {r.err} {states(r)}")
    r = judge(4, fault=f"/{fault}")
    check(f"{fault} for ever: no verdict has a number", states(r) == ["timeout"] * 4 and r.asked == 12 and all(x.get("score") is None for x in r.rows),
          f"{r.asked} {r.err} {r.rows}")
for fault, status in (("json", "unparsed"), ("schema", "unparsed"), ("html", "unparsed"), ("no-choices", "unparsed"), ("empty", "unparsed"),
                      ("utf8", "unparsed"), ("short-length", "unparsed"), ("huge", "unparsed"), ("gzip-bomb", "unparsed"), ("refusal", "refused"),
                      ("length", "truncated"), ("429-long", "timeout")):
    for mode in ("labels", "generate"):
        r = judge(2, fault=f"/{fault}", decoding={"mode": mode})
        want = "ok" if (fault, mode) == ("length", "labels") else status  # what follows the label may be cut
        check(f"{fault}, {mode}: {want}", states(r) == [want] * 2 and all((x.get("score") is None) == (want != "ok") for x in r.rows),
              f"{r.err} {r.rows}")
r = judge(4, fault="/json.1")
check("a body that is cut and does not say so: asked once more", states(r) == ["ok"] * 4 and r.asked == 8, f"{r.asked} {states(r)}")
r = judge(2, fault="/hang", http={"timeout": .2, "tries": 2})
check("one that hangs: timeout", states(r) == ["timeout"] * 2 and r.asked == 4, f"{r.asked} {r.err}")
server.release()
r = judge(2, fault="/huge-head")
check("a head without end is no matter", states(r) == ["ok"] * 2, r.err)
r = judge(3, fault="/no-usage", prices={"input": 1, "output": 1})
check("no usage: tokens and cost are unknown", states(r) == ["ok"] * 3 and all("tokens_in" not in x and "cost" not in x for x in r.rows), r.rows)
for fault, words in (("401", "401"), ("404", "404"), ("redirect", "307"), ("echo-key", "Incorrect API key")):
    r = judge(8, fault=f"/{fault}", more_env={"K": SECRET}, key="env:K")
    check(f"{fault}: nothing can be asked, one request found out", r.code and r.asked == 1 and words in r.err and SECRET not in r.err and not r.rows and
          "\x1b" not in r.err, f"{r.asked} {r.err}")

# ---- what a server does not take ----
r = judge(6, fault="/400-schema", decoding={"mode": "generate", "max_tokens": 100})
check("no response_format: left out, and learned once", states(r) == ["ok"] * 6 and r.asked == 7 and "response_format" in r.err, f"{r.asked} {r.err}")
r = judge(6, fault="/400-logprobs")
check("no log-probs: labels are read from the text", states(r) == ["ok"] * 6 and r.asked == 7 and [x["score"] for x in r.rows][:5] == [1, 2, 3, 4, 5],
      f"{r.asked} {r.err}")

# ---- budgets ----
for calls in (1, 7, 12):
    r = judge(12, budget={"calls": calls, "otherwise": "abstain"})
    check(f"{calls} calls and none more", r.asked == calls and states(r).count("ok") == calls and states(r).count("budget") == 12 - calls,
          f"{r.asked} {r.err} {states(r)}")
r = judge(12, fault="/500.1", budget={"calls": 9, "otherwise": "abstain"})
check("tries that fail are calls", r.asked == 9 and states(r).count("ok") <= 4, f"{r.asked} {states(r)}")
r = judge(64, fault="/drop", budget={"calls": 70, "otherwise": "abstain"})
check("64 at once, all lost: still exact", r.asked == 70 and "ok" not in states(r), f"{r.asked}")
server.reply = lambda request: "no idea"
r = judge(20, decoding={"mode": "generate", "max_tokens": 50}, budget={"calls": 31, "otherwise": "abstain"})
check("repairs and second seeds are calls", r.asked == 31 and "ok" not in states(r), f"{r.asked} {states(r)}")
r = judge(20, decoding={"mode": "generate", "max_tokens": 50})
check("a question is put three times: plain, with what was wrong, with another seed", r.asked == 60 and states(r) == ["unparsed"] * 20 and
      len({json.loads(s["body"])["seed"] for s in server.seen}) > 1, f"{r.asked} {states(r)}")
server.reply = reply
r = judge(12, budget={"calls": 0, "otherwise": "abstain"})
check("nothing at all", r.asked == 0 and states(r) == ["budget"] * 12, f"{r.asked} {r.err}")


def bound(body):
    """The most that a request can take: tokens of its messages (a token is a byte at least), and what it may write."""
    body = json.loads(body)
    return 64 + sum(len(m["content"].encode()) + len(m["role"]) + 16 for m in body["messages"]), body["max_tokens"]


def worst(request, text):
    t_in, t_out = bound(json.dumps(request))
    return {"prompt_tokens": t_in, "completion_tokens": t_out}


def spent(limit, price=None, **how):
    r = judge(40, budget={**limit, "otherwise": "abstain"}, **({"prices": price} if price else {}), **how)
    sent = [bound(s["body"]) for s in server.seen]
    return r, sum(t for t, _ in sent), sum(t for _, t in sent), max(a + b for a, b in sent)


was, server.usage = server.usage, worst  # a server that takes all that it can
for tokens in (3000, 6000, 20000):
    r, t_in, t_out, most = spent({"tokens": tokens})
    check(f"{tokens} tokens: never more, and as many as fit", t_in + t_out <= tokens and (states(r).count("budget") == 0 or tokens - t_in - t_out < most)
          and states(r).count("ok") == r.asked > 0, f"{t_in + t_out} {most} {states(r)}")
    r, t_in, t_out, most = spent({"tokens": tokens}, fault="/drop.1")
    check(f"{tokens} tokens: what was lost may have been read", t_in + t_out <= tokens and r.asked > 0, f"{t_in + t_out} {states(r)}")
    r, t_in, t_out, most = spent({"tokens": tokens}, fault="/no-usage")
    check(f"{tokens} tokens: and so may what is not counted", t_in + t_out <= tokens and states(r).count("ok") == r.asked > 0, f"{t_in + t_out} {states(r)}")
for money in (.003, .01, .05):
    r, t_in, t_out, most = spent({"money": money}, {"input": 2.5, "output": 10})
    cost = t_in * 2.5e-6 + t_out * 10e-6
    dearest = (most - 16) * 2.5e-6 + 16 * 10e-6
    check(f"{money} of money: never more, and as much as fits", cost <= money and (states(r).count("budget") == 0 or money - cost < dearest) and
          r.asked > 0, f"{cost} {dearest} {r.asked} {states(r)}")
    check("and the rows say what it was", abs(sum(x.get("cost", 0) for x in r.rows) - cost) < 1e-9, f"{cost}")
server.usage = was
r, t_in, t_out, most = spent({"tokens": 6000})
check("what was not taken is given back", r.asked * 110 <= 6000 and r.asked > 6000 // most, f"{r.asked} {most}")
server.usage = lambda request, text: {"prompt_tokens": 10 ** 6, "completion_tokens": 10}
r = judge(12, budget={"tokens": 20000, "otherwise": "abstain"})
check("a server that counts more than it may: said, and nothing more is asked", "does not keep to max_tokens" in r.err and r.asked == 1, f"{r.asked} {r.err}")
server.usage = was
r = judge(3, budget={"seconds": 0, "otherwise": "abstain"})
check("no seconds: nothing is asked", r.asked == 0 and states(r) == ["budget"] * 3, r.err)
r = judge(3, fault="/hang", budget={"seconds": .3, "otherwise": "abstain"}, http={"timeout": 60})
check("seconds that run out while it hangs", r.asked == 1 and states(r) == ["budget"] * 3, f"{r.asked} {states(r)} {r.err}")
server.release()
r = judge(12, budget={"calls": 5})
check("stop: the run ends, saying so", r.code and "budget is spent" in r.err and r.asked == 5, f"{r.code} {r.err}")
r = judge(12, budget={"calls": 5}, store="stopped.sqlite")
r = judge(12, budget={"calls": 7}, store="stopped.sqlite")
check("what came before it is remembered", not r.code and r.asked == 7 and states(r) == ["ok"] * 12, f"{r.asked} {r.err} {states(r)}")
other = {"component": "rubric", "rubric": str(work / "right.lua"), "backend": "endpoint", "url": f"{server.url}/none/v1", "model": "cheap-2024-01-01"}
r = judge(12, budget={"calls": 5, "otherwise": "degrade"}, store="degraded.sqlite",
          otherwise=other)
models = [json.loads(s["body"])["model"] for s in server.seen]
check("degrade: the other judge takes the rest", states(r) == ["ok"] * 12 and (models.count("m-2024-08-06"), models.count("cheap-2024-01-01")) == (5, 7),
      f"{models} {r.err}")
r = judge(12, budget={"calls": 50, "otherwise": "degrade"}, store="degraded.sqlite",
          otherwise=other)
check("and what it said is not taken for this one's", r.asked == 7 and {json.loads(s["body"])["model"] for s in server.seen} == {"m-2024-08-06"}, r.asked)
for bad, words in (({"budget": {"cals": 5}}, "cals"), ({"budget": {"calls": -1}}, "budget.calls"), ({"budget": {"money": 1}}, "prices"),
                   ({"budget": {"otherwise": "pray"}}, "otherwise"), ({"budget": {"calls": 1, "otherwise": "degrade"}}, "otherwise"),
                   ({"http": {"tries": 0}}, "http.tries"), ({"prices": {"input": "x"}}, "prices.input"), ({"extra": {"stream": True}}, "extra.stream"),
                   ({"url": None}, "url"), ({"model": None}, "model"), ({"url": "ftp://127.0.0.1/v1"}, "neither http nor https")):
    r = judge(1, **bad)
    check(f"a setting that is wrong: {bad}", r.code and words in r.err and r.asked == 0, r.err)

r = judge(args=command(fault="/hang", http={"timeout": 60}) + ["--timeout", ".3"])
check("the call's own time runs out: timeout, not budget", set(states(r)) == {"timeout"} and r.asked, f"{r.asked} {states(r)} {r.err}")
server.release()
wait_for(lambda: not server.inside)

# ---- in a box ----
(work / "untrusted").mkdir()
for name in ("rubric.so", "rubric.json"):
    (work / "untrusted" / name).write_bytes((pathlib.Path(os.environ.get("HONE_BUILD", pathlib.Path(HONE).parent)) / "plugins" / name).read_bytes())
how = {"key": "env:K", "budget": {"calls": 9, "otherwise": "abstain"}}
here = judge(12, more_env={"K": SECRET}, **how)
there = judge(12, more_env={"K": SECRET, "HONE_PLUGIN_PATH": str(work / "untrusted")}, **how)
same = [[{k: v for k, v in row.items() if k != "latency_ms"} for row in r.rows] for r in (here, there)]
check("nobody trusts it, so it runs in a box: the same verdicts, budget and all", same[0] == same[1] and there.asked == 9 and
      states(there).count("budget") == 3 and all(s["headers"]["authorization"] == f"Bearer {SECRET}" for s in server.seen), there.err)
where_ = json.loads(subprocess.run([HONE, "plugin", "inspect", "rubric", "--json"], cwd=work, capture_output=True, text=True,
                                   env={**env, "HONE_PLUGIN_PATH": str(work / "untrusted")}).stdout)
check("and it was that file", str(work / "untrusted") in json.dumps(where_), where_)

# a box that is killed in the middle of the budget: the next one goes on with what is left of it
def killing(limit, at):
    """Asks 12 items of a box that dies when the server has seen `at` requests."""
    killed, plain = [], server.reply

    def reply_and_kill(request):
        if len(server.seen) == at and not killed:
            killed.extend(boxes_of(running.pid))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        return plain(request)

    items(12)
    server.clear()
    server.reply = reply_and_kill
    (work / "out.jsonl").unlink(missing_ok=True)
    running = subprocess.Popen(command(budget={**limit, "otherwise": "abstain"}, prices={"input": 1, "output": 1}, http={"concurrency": 1}), cwd=work,
                               env={**env, "HONE_PLUGIN_PATH": str(work / "untrusted")}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    err = running.communicate(timeout=300)[1]
    server.reply = plain
    check(f"{limit}: a box was killed, and the run went on", len(killed) == 1 and running.returncode == 0, f"{killed} {running.returncode} {err}")
    return len(server.seen), [json.loads(x)["status"] for x in (work / "out.jsonl").read_text().splitlines()]


seen, all_states = killing({"calls": 9}, 5)
check("calls: never more than the budget, over both boxes", 5 <= seen <= 9 and all_states.count("budget") >= 3 and len(all_states) == 12, f"{seen} {all_states}")
seen, all_states = killing({"calls": 60}, 5)
check("what is left is used", all_states == ["ok"] * 12 and 12 < seen <= 60, f"{seen} {all_states}")
for limit in ({"tokens": 1500}, {"money": .0015}):  # a request reserves its bytes, so these cover some of the twelve
    whole = judge(12, more_env={"HONE_PLUGIN_PATH": str(work / "untrusted")}, budget={**limit, "otherwise": "abstain"}, prices={"input": 1, "output": 1})
    seen, all_states = killing(limit, 5)
    check(f"{limit}: never more than one box would have asked", seen <= whole.asked and all_states.count("budget") >= states(whole).count("budget"),
          f"{seen} {all_states}; whole: {whole.asked} {states(whole)}")

# ---- names that float ----
far = {"url": "http://judge.invalid/v1", "http": {"tries": 1}}
for model, floats in (("gpt-4o", True), ("gpt-4o-latest", True), ("gpt-4o-2024-08-06", False), ("meta/llama-3.1-8b", False)):
    r = judge(1, model=model, **far)
    check(f"{model} {'floats' if floats else 'is dated'}", ("floats" in r.err) == floats, r.err)

# ---- grants and secrets ----
r = judge(1, allow=False)
check("without a grant", r.code == 3 and r.asked == 0 and "--allow=rubric:net" in r.err, r.err)
trace = work / "trace"
for fault in ("", "/echo-key", "/401"):
    r = judge(3, fault=fault, key="env:JUDGE_KEY", store="secret.sqlite",
              more_env={"JUDGE_KEY": SECRET, "HONE_LOG": "debug", "HONE_HTTP_RECORD": str(work / f"tape{len(fault)}"), "HONE_RECORD": str(trace)})
    check(f"the key is sent ({fault})", server.seen and all(s["headers"]["authorization"] == f"Bearer {SECRET}" for s in server.seen), r.err)
    check(f"and printed nowhere ({fault})", SECRET not in r.err + r.out + r.text)
p = subprocess.Popen(command(fault="/hang", key="env:JUDGE_KEY"), cwd=work, env={**env, "JUDGE_KEY": SECRET}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
wait_for(lambda: server.inside)
line = pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes()
p.send_signal(signal.SIGKILL)
p.communicate()
server.release()
wait_for(lambda: not server.inside)
check("nor in the process list", SECRET.encode() not in line and b"judge.lua" in line, line)
where = [str(f) for f in work.rglob("*") if f.is_file() and SECRET.encode() in f.read_bytes()]
names = {f.name for f in work.rglob("*") if f.is_file()}
check("no file holds the key", not where and {"secret.sqlite", "tape0", "tape4", "trace"} <= names, where or names)

# ---- record and replay ----
tape = work / "tape.jsonl"
how = {"decoding": {"mode": "generate", "temperature": .7, "repeats": 3}, "prices": {"input": 1, "output": 2}}
first = judge(9, more_env={"HONE_HTTP_RECORD": str(tape)}, fault="/500.1", **how)
again = judge(9, more_env={"HONE_HTTP_REPLAY": str(tape)}, fault="/500.1", **how)
check("replayed: the same bytes, and nothing was asked", again.text == first.text and again.asked == 0 and states(first) == ["ok"] * 9, again.err)
check("a recording holds replies, and no prompts", "it is 3" in tape.read_text() and "question 3" not in tape.read_text())
r = judge(10, more_env={"HONE_HTTP_REPLAY": str(tape)}, fault="/500.1", **how)
check("what it does not hold is an error, not a guess", r.code and "recording" in r.err and r.asked == 0, r.err)

# ---- 64 at once ----
judge(1)
server.clear()
items(65)
hold = server.reply


def held(request):  # the first one goes alone, to meet the server
    if len(server.seen) > 1:
        server.free.wait(60)
    return hold(request)


server.reply = held
p = subprocess.Popen(command(batch=65), cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
check("64 are under way at once", wait_for(lambda: server.inside == 64), server.inside)
threads = len(os.listdir(f"/proc/{p.pid}/task"))
server.reply = hold
server.release()
p.communicate()
check("on a handful of threads", 0 < threads < 16 and len((work / "out.jsonl").read_text().splitlines()) == 65, threads)
r = judge(64, http={"concurrency": 2})
check("or two, if that is what is wanted", server.most <= 2 and states(r) == ["ok"] * 64, server.most)

# ---- killed in the middle ----
server.clear()
items(200)
seen = []
priced = {"prices": {"input": 1, "output": 1}}
args = command(store="killed.sqlite", http={"concurrency": 4}, **priced)
let_through = []


def slowly(request):  # 90, then nobody
    with server.changed:
        let_through.append(1)
        number = len(let_through)
    if number > 90:
        server.free.wait(60)
    return hold(request)


server.reply = slowly
p = subprocess.Popen(args, cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def stored():
    try:
        with sqlite3.connect(f"file:{work}/killed.sqlite?mode=ro", uri=True, timeout=5) as db:
            return db.execute("select count(*) from verdict").fetchone()[0]
    except sqlite3.Error:
        return -1


wait_for(lambda: server.inside == 4 and len(let_through) == 94)
before = len(server.seen)
check("what has come is in the store, in the middle of a batch", wait_for(lambda: stored() == before - 4), f"{stored()} {before}")
p.send_signal(signal.SIGKILL)
p.communicate()
server.release()
wait_for(lambda: not server.inside)
server.reply = hold
with sqlite3.connect(work / "killed.sqlite") as db:
    kept = db.execute("select raw, cost, tokens_in, tokens_out, latency_ms from call").fetchall()
check("with the replies as they came, and what they cost", len(kept) == 90 and all(x[0] in "12345" and x[1] > 0 and x[2:4] == (100, 10) and x[4] > 0
                                                                                    for x in kept), kept[:3])
r = judge(args=args)
check("going on asks for nothing twice but what was under way", r.asked == 200 - (before - 4) and states(r) == ["ok"] * 200 and len(r.rows) == 200,
      f"{r.asked} {before} {r.err}")
r = judge(args=args)
check("and a third time for nothing", r.asked == 0 and states(r) == ["ok"] * 200, r.asked)
server.close()
finish()
