#!/usr/bin/env python3
"""row_formats.py - rows as people have them become what the trainer takes; what fits nothing says what it has and lacks;
KTO, HH and tool calls reach the trainer."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-formats-")
work = pathlib.Path(scratch.name)


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=300)


def lua(text):
    (work / "x.lua").write_text('local hone = require "hone"\nlocal f = require "hone.formats"\nlocal json = require "hone.json"\n' + text)
    return hone("lua", "x.lua")


def converted(kind, row, extra=""):
    (work / "row.jsonl").write_text(json.dumps(row) + "\n")
    r = lua('for r in hone.source("jsonl", { path = "row.jsonl" }):each() do\n'
            f'local ok, out, name = pcall(f.{kind}, r{extra})\n'
            'if ok then print(name .. " " .. (out and json.encode(out) or "null")) else print("ERROR " .. out) end end')
    word, _, rest = r.stdout.partition(" ")
    if word == "ERROR":
        return word, rest.strip()
    return word, json.loads(rest) if rest.strip() else r.stderr


def gives(name, kind, row, form, want, extra=""):
    got = converted(kind, row, extra)
    check(name, got == (form, want), f"{got}")


def refuses(name, kind, row, *texts, extra=""):
    form, text = converted(kind, row, extra)
    check(name, form == "ERROR" and all(t in text for t in texts), f"{form} {text}")


U, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
S = {"role": "system", "content": "s"}
gives("openai", "sft", {"messages": [S, U, A]}, "messages", {"messages": [S, U, A]})
gives("content parts", "sft", {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}, {"type": "text", "text": "2"}]}, A]},
      "messages", {"messages": [{"role": "user", "content": "q2"}, A]})
call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": [1, \"\\u00e9\\ud83d\\ude00\"]}"}}
gives("tool calls", "sft", {"messages": [U, {"role": "assistant", "content": None, "tool_calls": [call]},
                                         {"role": "tool", "content": "5", "tool_call_id": "1"}, A], "tools": "[{\"type\": \"function\"}]"},
      "messages", {"messages": [U, {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function":
                   {"name": "f", "arguments": {"x": [1, "\u00e9\U0001F600"]}}}]},
                   {"role": "tool", "content": "5", "tool_call_id": "1"}, A], "tools": [{"type": "function"}]})
gives("sharegpt", "sft", {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "system": "s"},
      "messages", {"messages": [S, U, A]})
gives("messages as JSON text", "sft", {"messages": json.dumps([U, A])}, "messages", {"messages": [U, A]})
gives("alpaca", "sft", {"instruction": "i", "input": "x", "output": "o"}, "alpaca", {"prompt": "i\nx", "completion": "o"})
gives("alpaca with history", "sft", {"instruction": "i", "input": "", "output": "o", "history": [["q", "a"]], "system": "s"}, "alpaca",
      {"messages": [S, U, A, {"role": "user", "content": "i"}, {"role": "assistant", "content": "o"}]})
gives("self-instruct", "sft", {"instruction": "i", "instances": [{"input": "x", "output": "o"}]}, "alpaca", {"prompt": "i\nx", "completion": "o"})
for p, c in [("prompt", "completion"), ("question", "answer"), ("query", "response"), ("problem", "solution"), ("input", "target")]:
    gives(f"{p} and {c}", "sft", {p: "q", c: "a", "other": 1}, "completion", {"prompt": "q", "completion": "a"})
gives("text", "sft", {"text": "t", "path": "x"}, "text", {"text": "t"})
gives("named", "sft", {"text": "t", "prompt": "q", "answer": "a"}, "text", {"text": "t"}, ', nil, "text"')
gives("a bad answer is left out", "sft", {"messages": [U, A], "label": False}, "messages", None)
refuses("no answer", "sft", {"prompt": "q", "n": 1}, "prompt (text)", "n (whole number)", "a prompt is there, and none of completion")
refuses("nothing", "sft", {"x": {"y": 1}}, "x (object)", "messages; conversations")
refuses("an unknown role", "sft", {"messages": [{"role": "narrator", "content": "q"}]}, "\"narrator\"")
refuses("a picture", "sft", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url")
refuses("an unknown format", "sft", {"text": "t"}, "messages (openai, sharegpt), alpaca, completion, text", extra=', nil, "csv"')

gives("pairs", "preference", {"prompt": "q", "chosen": "a", "rejected": "b"}, "paired", {"prompt": "q", "chosen": "a", "rejected": "b"})
gives("whole conversations", "preference", {"prompt": "q", "chosen": [U, A], "rejected": [U, {"role": "assistant", "content": "b"}]}, "paired",
      {"prompt": [U], "chosen": "a", "rejected": "b"})
gives("sharegpt pairs", "preference", {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "a"},
                                       "rejected": {"from": "gpt", "value": "b"}}, "paired", {"prompt": [U], "chosen": "a", "rejected": "b"})
gives("other names", "preference", {"question": "q", "response_chosen": "a", "response_rejected": "b"}, "paired",
      {"prompt": "q", "chosen": "a", "rejected": "b"})
gives("which is better", "preference", {"prompt": "q", "response_0": "b", "response_1": "a", "better_response_id": 1}, "paired",
      {"prompt": "q", "chosen": "a", "rejected": "b"})
gives("a tie", "preference", {"prompt": "q", "response_a": "b", "response_b": "a", "winner": "tie"}, "paired", None)
gives("HH", "preference", {"chosen": "\n\nHuman: q\n\nAssistant: a\n\nHuman: q2\n\nNote: x\n\nAssistant: good",
                           "rejected": "\n\nHuman: q\n\nAssistant: a\n\nHuman: q2\n\nNote: x\n\nAssistant: bad"}, "paired",
      {"prompt": [U, A, {"role": "user", "content": "q2\n\nNote: x"}], "chosen": "good", "rejected": "bad"})
gives("KTO", "preference", {"prompt": "q", "completion": "a", "label": True}, "unpaired", {"prompt": "q", "completion": "a", "label": True})
gives("KTO messages", "preference", {"messages": [S, U, A], "kto_tag": 0}, "unpaired", {"prompt": [S, U], "completion": "a", "label": False})
refuses("one side", "preference", {"prompt": "q", "chosen": "a"}, "chosen is there, rejected is not")
refuses("no prompt", "preference", {"chosen": "a", "rejected": "b"}, "no prompt")
refuses("a label that is none", "preference", {"prompt": "q", "answer": "a", "label": "maybe"}, "label is maybe")

# ---- json.decode: what is malformed is nil and a text ----
r = lua('for _, s in ipairs { "[1,]", "{\\"a\\" 1}", "\\"x", "[[" , "1 2", "tru", ("["):rep(300) } do local v, e = json.decode(s) '
        'if v ~= nil or not e then print("BAD " .. s) end end print(json.encode(json.decode "{\\"a\\": [1, 2.5, -3e2, true, null, \\"\\\\n\\"]}"))')
check("json.decode", "BAD" not in r.stdout and "-300" in r.stdout, r.stdout + r.stderr)

# ---- into the trainer ----
good = [{"prompt": f"say {i}", "completion": "yes", "label": i % 2 == 0} for i in range(8)]
(work / "kto.jsonl").write_text("\n".join(map(json.dumps, good)))
r = hone("run", "dpo", "data=kto.jsonl", "objective=kto", "steps=1", "batch=4", "eval=0")
check("kto trains", r.returncode == 0, r.stderr[-600:])
(work / "pairs.csv").write_text('prompt,chosen,rejected\n' + "".join(f'"say, {i}",yes,"no\n{i}"\n' for i in range(6)))
r = hone("run", "dpo", "data=pairs.csv", "steps=1", "batch=2", "eval=0")
check("dpo trains on csv", r.returncode == 0, r.stderr[-600:])
os.mkdir(work / "set")
(work / "set" / "train.jsonl").write_text("\n".join(json.dumps({"prompt": f"q{i}", "response": "a"}) for i in range(6)))
r = hone("run", "sft", "data=set", "steps=1", "batch=2")
check("sft trains on a data set's folder", r.returncode == 0, r.stderr[-600:])
(work / "talk.jsonl").write_text("\n".join(json.dumps({"messages": [U, A]}) for _ in range(4)))
r = hone("run", "sft", "data=talk.jsonl", "steps=1", "batch=2")
check("a model without a template says so", r.returncode != 0 and "no chat template" in r.stderr, r.stderr[-400:])
r = hone("run", "sft", "data=kto.jsonl", "format=messages", "steps=1")
check("a named format that does not fit", r.returncode != 0 and "format messages" in r.stderr, r.stderr[-400:])

# ---- a recipe may not run programs ----
(work / "p.parquet").write_bytes(b"PAR1")
for key in ("program", "query"):
    r = lua(f'hone.source("duckdb", {{ path = "p.parquet", {key} = "x" }})')
    check(f"{key} needs a grant", r.returncode != 0 and "--allow=exec" in r.stderr, r.stderr)
    r = lua(f'local core = require "hone.core"\ncore.component("source", "duckdb", {{ path = "p.parquet", {key} = "x" }})')
    check(f"{key} needs a grant of a component, too", r.returncode != 0 and "--allow=exec" in r.stderr, r.stderr)

# `hone data info` asks the same functions: every form by its name, and what a recipe would refuse.
OTHER = {"role": "assistant", "content": "b"}
HH = "\n\nHuman: q\n\nAssistant: "
SHAPES = [
    ("openai", {"messages": [S, U, A]}), ("openai", {"chat": json.dumps([U, A])}),
    ("sharegpt", {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}),
    ("alpaca", {"instruction": "i", "input": "", "output": "o"}),
    ("alpaca", {"instruction": "i", "instances": [{"input": "", "output": "o"}]}),
    ("completion", {"prompt": "q", "completion": "a"}), ("completion", {"user": "q", "assistant": "a"}),
    ("text", {"text": "t"}), ("text", {"text": "t", "label": "sports"}),
    ("paired", {"prompt": "q", "chosen": "a", "rejected": "b"}), ("paired", {"prompt": "q", "better": "a", "worse": "b"}),
    ("paired", {"chosen": [U, A], "rejected": [U, OTHER]}),
    ("paired", {"prompt": "q", "response_0": "a", "response_1": "b", "better_response_id": 1}),
    ("hh", {"chosen": HH + "a", "rejected": HH + "b"}),
    ("unpaired", {"prompt": "q", "completion": "a", "label": True}), ("unpaired", {"messages": [U, A], "thumbs_up": False}),
    ("not recognised", {"x": 1}), ("not recognised", {"chosen": "a"}),
]


def info(rows, *args):
    (work / "info.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    r = hone("data", "info", "info.jsonl", "--json", *args)
    return json.loads(r.stdout) if r.returncode == 0 else r.stderr


for form, row in SHAPES:
    got = info([row])
    check(f"data info: {form}", got["forms"] == {form: 1}, f"{row} {got}")
    if form != "not recognised":
        kind = "preference" if form in ("paired", "hh", "unpaired") else "sft"
        name, out = converted(kind, row, f', nil, "{form}"')
        check(f"training takes it as {form}", name != "ERROR" and out, f"{row} {name} {out}")
got = info([r for _, r in SHAPES])
check("data info counts forms", got["forms"]["openai"] == 2 and got["forms"]["paired"] == 4 and sum(got["forms"].values()) == len(SHAPES), got)
got = info([{"prompt": "q", "answer": "a", "text": "t"}], "--format", "text")
check("data info of a named form", got["forms"] == {"text": 1} and got["lengths"]["max"] == 1, got)
got = info([{"text": "t"}], "--format", "openai")
check("data info names what a named form lacks", got["suspicious"][0]["why"] == "training refuses it" and
      "format messages" in got["suspicious"][0]["text"], got)
got = info([{"text": "t"}], "--format", "csv")
check("data info of an unknown form", "--format csv" in got and "sharegpt" in got, got)
got = info([{"messages": [{"role": "narrator", "content": "q"}]}, {"prompt": "q", "response_a": "x", "response_b": "y", "winner": "tie"}])
why = {s["why"]: s for s in got["suspicious"]}
check("data info says what training refuses", "narrator" in why["training refuses it"]["text"], got)
check("data info says what training leaves out", any("tie" in w and s["first"] == [2] for w, s in why.items()), got)
(work / "info.jsonl").write_text(json.dumps({"prompt": [U, A, U], "completion": "Yes"}) + "\n")
r = hone("data", "info", "info.jsonl", "--model", "tiny", "--masks", "1")
check("the mask shown is that of training: an answer in the prompt is not trained on", "[[Yes]]" in r.stdout and "[[a" not in r.stdout,
      r.stdout[-300:] + r.stderr)

finish()
