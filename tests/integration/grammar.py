#!/usr/bin/env python3
"""grammar.py - answers that keep to a grammar or a schema, whatever the model wants.

Random schemas and random grammars are sampled from at a temperature that makes the model's logits noise. Every completion that
ends must be valid: JSON by Python's json and a validator written here, texts of a grammar by a matcher written here on the
tree that the grammar was printed from. A completion that was cut says "length". Then the command line: files, and what is said about bad ones."""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.environ.get("HONE", str(ROOT / "build" / "hone"))
scratch = tempfile.TemporaryDirectory(prefix="hone-grammar-")
work = pathlib.Path(scratch.name)


def hone(*args):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, timeout=600)


# ---- a validator of the part of JSON Schema that is offered ----
def is_type(v, t):
    return {"object": isinstance(v, dict), "array": isinstance(v, list), "string": isinstance(v, str),
            "boolean": isinstance(v, bool), "null": v is None,
            "integer": isinstance(v, int) and not isinstance(v, bool),
            "number": isinstance(v, (int, float)) and not isinstance(v, bool)}[t]


def valid(v, s, root):
    if s is True:
        return True
    if "$ref" in s:
        at = root
        for key in s["$ref"].split("/")[1:]:
            at = at[key]
        return valid(v, at, root)
    if "type" in s and not any(is_type(v, t) for t in ([s["type"]] if isinstance(s["type"], str) else s["type"])):
        return False
    if "enum" in s and not any(v == e and type(v) is type(e) for e in s["enum"]):
        return False
    if "const" in s and not (v == s["const"] and type(v) is type(s["const"])):
        return False
    if "anyOf" in s and not any(valid(v, x, root) for x in s["anyOf"]):
        return False
    if "oneOf" in s and sum(valid(v, x, root) for x in s["oneOf"]) != 1:
        return False
    if isinstance(v, str):
        if not s.get("minLength", 0) <= len(v) <= s.get("maxLength", 1 << 30):
            return False
        if "pattern" in s and not re.search(s["pattern"], v):
            return False
    if isinstance(v, (int, float)) and not isinstance(v, bool):
        if "minimum" in s and v < s["minimum"] or "maximum" in s and v > s["maximum"]:
            return False
        if "exclusiveMinimum" in s and v <= s["exclusiveMinimum"] or "exclusiveMaximum" in s and v >= s["exclusiveMaximum"]:
            return False
    if isinstance(v, list):
        if not s.get("minItems", 0) <= len(v) <= s.get("maxItems", 1 << 30):
            return False
        return all(valid(x, s.get("items", True), root) for x in v)
    if isinstance(v, dict):
        props = s.get("properties", {})
        if any(k not in v for k in s.get("required", [])):
            return False
        for k, x in v.items():
            if k in props:
                if not valid(x, props[k], root):
                    return False
            elif props or s.get("additionalProperties") is False:
                return False
            elif isinstance(s.get("additionalProperties"), dict) and not valid(x, s["additionalProperties"], root):
                return False
    return True


def random_schema(r, depth, names):
    kinds = ["string", "enum", "const", "integer", "number", "boolean", "null", "list"]
    if depth:
        kinds += ["object"] * 5 + ["array"] * 3 + ["anyOf", "oneOf", "map"] + (["ref"] * 2 if names else [])
    kind = r.choice(kinds)
    if kind == "string":
        lo = r.randrange(4)
        return r.choice([{"type": "string", "minLength": lo, "maxLength": lo + r.randrange(6)},
                         {"type": "string", "maxLength": 8, "description": "text"},
                         {"type": "string", "pattern": r.choice([r"^[A-Z]{1,3}-\d{2,4}$", r'^(yes|no|"maybe"|\\)$', r"^\w{1,5}(, \w{1,5}){0,3}$",
                                                                 r"^[^a-z\s]{2,6}$", r"^.{0,4}é$", r"^(?:[\d]+\.){2}x?$"])}])
    if kind == "enum":
        return {"enum": r.sample(["a", "é\n", "\"", 1, 2.5, None, True, [1, "x"], {"k": {}}], r.randrange(1, 5))}
    if kind == "const":
        return {"const": r.choice(["", "true", 0, -7, False, {"a b": [None]}])}
    if kind == "integer":
        lo = r.randrange(-2000, 2000)
        return r.choice([{"type": "integer"}, {"type": "integer", "minimum": lo}, {"type": "integer", "exclusiveMaximum": lo},
                         {"type": "integer", "minimum": lo, "maximum": lo + r.randrange(1500)}])
    if kind == "number":
        lo = r.randrange(-20000, 20000) / 10 ** r.randrange(1, 4)
        return r.choice([{"type": "number"}, {"type": "number", "exclusiveMinimum": lo},
                         {"type": "number", "minimum": lo, "maximum": lo + r.randrange(1, 300) / 100}])
    if kind == "boolean" or kind == "null":
        return {"type": kind}
    if kind == "list":
        return {"type": r.sample(["boolean", "null", "integer"], 2)}
    if kind == "ref":
        return {"$ref": "#/$defs/" + r.choice(names)}
    if kind == "array":
        lo = r.randrange(3)
        return {"type": "array", "items": random_schema(r, depth - 1, names), "minItems": lo, "maxItems": lo + r.randrange(3)}
    if kind == "map":
        return {"type": "object", "additionalProperties": r.choice([False, random_schema(r, 0, [])])}
    if kind == "anyOf":
        return {"anyOf": [random_schema(r, depth - 1, names) for _ in range(r.randrange(1, 4))]}
    if kind == "oneOf":
        return {"oneOf": [{"type": "object", "properties": {"kind": {"const": f"k{i}"}, "v": random_schema(r, depth - 1, names)},
                           "required": ["kind"]} for i in range(2)] + [{"type": "null"}]}
    keys = r.sample(["name", "b", "ключ", "a \"quoted\" key", "x", "long_property_name"], r.randrange(1, 5))
    return {"type": "object", "properties": {k: random_schema(r, depth - 1, names) for k in keys},
            "required": [k for k in keys if r.random() < .5], "additionalProperties": False}


def random_document(r):
    names = ["one", "two"]
    defs = {"one": random_schema(r, 1, []),
            "two": {"type": "object", "properties": {"v": {"type": "integer", "minimum": 0, "maximum": 9},
                                                     "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/two"}]}}, "required": ["v"]}}
    s = random_schema(r, 3, names)
    return {**s, "$defs": defs}


# ---- random grammars, as trees: printed for hone, matched here ----
def random_tree(r, depth, rules):
    kind = r.choice(["lit", "class", "lit"] + (["seq", "alt", "rep", "rep", "rule"] if depth else []))
    if kind == "lit":
        return ("lit", r.choice(["", "a", "ab", "é", "€x", "\"", "\\", "()", "😀"]))
    if kind == "class":
        return ("class", r.choice([False, True]), r.sample([("a", "f"), ("0", "9"), ("é", "þ"), ("-", "-"), ("]", "]"), ("€", "☃"), (" ", "~")], 2))
    if kind == "rule":
        return ("rule", r.randrange(rules))
    if kind == "rep":
        lo = r.randrange(3)
        return ("rep", random_tree(r, depth - 1, rules), lo, r.choice([None, lo + r.randrange(1, 4)]))
    return (kind, [random_tree(r, depth - 1, rules) for _ in range(r.randrange(1, 4))])


def quoted(c):
    return f"\\u{ord(c):04x}" if ord(c) < 65536 else f"\\U{ord(c):08x}"


def printed(t):
    if t[0] == "lit":
        return '"' + "".join(c if c.isalnum() else quoted(c) for c in t[1]) + '"'
    if t[0] == "class":
        return "[" + ("^" if t[1] else "") + "".join(quoted(a) + "-" + quoted(b) for a, b in t[2]) + "]"
    if t[0] == "rule":
        return f"r{t[1]}"
    if t[0] == "rep":
        return f"( {printed(t[1])} ){{{t[2]},{'' if t[3] is None else t[3]}}}"
    return "( " + (" | " if t[0] == "alt" else " ").join(printed(x) for x in t[1]) + " )"


def ends(t, text, at, rules, depth=0):
    """The places where a reading of t that begins at `at` can end."""
    if t[0] == "lit":
        return {at + len(t[1])} if text.startswith(t[1], at) else set()
    if t[0] == "class":
        return {at + 1} if at < len(text) and any(a <= text[at] <= b for a, b in t[2]) != t[1] else set()
    if t[0] == "rule":
        return ends(rules[t[1]], text, at, rules, depth + 1) if depth < 60 else set()
    if t[0] == "alt":
        return set().union(*(ends(x, text, at, rules, depth) for x in t[1]))
    if t[0] == "seq":
        now = {at}
        for x in t[1]:
            now = set().union(*(ends(x, text, a, rules, depth) for a in now)) if now else now
        return now
    now, done, n = {at}, set(), 0
    seen = set()
    while now and (t[3] is None or n <= t[3]):
        if n >= t[2]:
            if now <= seen:
                break
            seen |= now
            done |= now
        if t[3] is not None and n == t[3]:
            break
        now, n = set().union(*(ends(t[1], text, a, rules, depth) for a in now)), n + 1
    return done


def draw(name, jobs, max_tokens):
    """jobs: (kind, text). What came of each: a list of completions, or the message of the error."""
    lines = ['local hone = require "hone"', "local json = require \"hone.json\"", 'local run = hone.run { name = "draw", seed = 1 }',
             'local policy = run:policy { model = "tiny" }', "local function draw(i, c)",
             f"  c.n, c.max_tokens, c.temperature, c.seed = 3, {max_tokens}, 100, i",
             '  local ok, out = pcall(policy.generate, policy, "Leo has 2", c)',
             "  local list = {}",
             "  for k = 1, ok and #out or 0 do list[k] = { text = out[k].text, finish = out[k].finish, ids = #out[k].ids } end",
             '  print(("@" .. json.encode { i = i, list = list, error = not ok and tostring(out) or nil }:gsub("\\n *", "")))', "end"]
    for i, (kind, text) in enumerate(jobs):
        lines.append(f"draw({i}, {{ {kind} = [=====[{text}]=====] }})")
    (work / f"{name}.lua").write_text("\n".join(lines))
    p = hone("run", f"{name}.lua", "--run-dir", work / name)
    check(f"{name}: runs", p.returncode == 0, p.stderr[-2000:])
    out = [json.loads(x[1:]) for x in p.stdout.splitlines() if x.startswith("@")]
    check(f"{name}: all answered", len(out) == len(jobs), (len(out), len(jobs)))
    return out


rng = random.Random(7)
schemas = [random_document(rng) for _ in range(120)]
whole = cut = 0
for s, out in zip(schemas, draw("schemas", [("schema", json.dumps(x, ensure_ascii=rng.random() < .5)) for x in schemas], 400)):
    text = json.dumps(s)
    # what can never be valid (a required loop) may be refused, and nothing else
    check("a schema is taken", "error" not in out, (out.get("error"), text))
    for c in out["list"]:
        if c["finish"] != "stop":
            check("what is cut says length and took all its tokens", c["finish"] == "length" and c["ids"] == 400, (c, text))
            cut += 1
            continue
        whole += 1
        try:
            v = json.loads(c["text"])
        except ValueError as e:
            check("a completion is JSON", False, (e, c["text"], text))
            continue
        check("a completion is valid", valid(v, s, s), (c["text"], text))
check("most schemas are answered", whole > 200, (whole, cut))

grammars = []
while len(grammars) < 120:
    trees = [random_tree(rng, 3, 3) for _ in range(3)]
    grammars.append((trees, "root ::= r0\n" + "".join(f"r{i} ::= {printed(t)}\n" for i, t in enumerate(trees))))
whole = cut = refused = 0
for (trees, text), out in zip(grammars, draw("grammars", [("grammar", g[1]) for g in grammars], 60)):
    if "error" in out:
        refused += 1
        check("a grammar is refused for a reason", "begins with itself" in out["error"] or "can never end" in out["error"] or
              "too ambiguous" in out["error"], (out["error"], text))
        continue
    for c in out["list"]:
        if c["finish"] == "stop":
            whole += 1
            check("a completion is in the grammar", len(c["text"]) in ends(trees[0], c["text"], 0, trees), (c["text"], text))
        else:
            cut += 1
            check("what is cut says length", c["finish"] == "length" and c["ids"] == 60, (c, text))
check("grammars are answered, cut and refused", whole > 100 and refused > 3, (whole, cut, refused))

# ---- greedy, and the end: it may come only where the grammar may end ----
out = draw("ends", [("grammar", 'root ::= "x"{5,7}'), ("grammar", 'root ::= ""'), ("schema", '{"const": "one two three"}')], 64)
check("an end only where it may come", all(re.fullmatch("x{5,7}", c["text"]) and c["finish"] == "stop" for c in out[0]["list"]), out[0])
check("the empty text", all(c["text"] == "" and c["finish"] == "stop" and c["ids"] == 1 for c in out[1]["list"]), out[1])
check("a constant", all(c["text"] == '"one two three"' for c in out[2]["list"]), out[2])

# ---- the command line ----
(work / "yes.gbnf").write_text('root ::= "yes" | "no" # two answers\n')
(work / "s.json").write_text('{"type": "object", "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}, "required": ["score"]}')
(work / "bad.gbnf").write_text('root ::= answer\nansver ::= "yes"\n')
(work / "bad.json").write_text('{"type": "object", "properties": {"a": {"type": "string", "format": "date"}}}')
for seed in range(4):
    p = hone("generate", "tiny", "--prompt", "2+2", "--grammar", "yes.gbnf", "--seed", seed)
    check("generate --grammar", p.stdout.strip() in ("yes", "no"), p.stdout + p.stderr)
    p = hone("generate", "tiny", "--prompt", "2+2", "--schema", "s.json", "--seed", seed, "--json")
    got = json.loads(p.stdout)
    check("generate --schema", got["finish"] == "stop" and valid(json.loads(got["text"]), json.loads((work / "s.json").read_text()), {}), p.stdout)
p = hone("generate", "tiny", "--prompt", "x", "--schema", "s.json", "--max-tokens", "2", "--json")
check("cut: length", json.loads(p.stdout)["finish"] == "length", p.stdout)
for args, says in ((("--grammar", "bad.gbnf"), ("bad.gbnf:1:10", 'no rule "answer"', "ansver")),
                   (("--schema", "bad.json"), ("bad.json", "#/properties/a", '"format" is not supported')),
                   (("--grammar", "none.gbnf"), ("none.gbnf",)),
                   (("--grammar", "yes.gbnf", "--schema", "s.json"), ("exclude each other",)),
                   (("--grammar", "yes.gbnf", "--stop", "x"), ("exclude each other",))):
    p = hone("generate", "tiny", "--prompt", "x", *args)
    check(f"{args} fails", p.returncode in (1, 2) and not p.stdout.strip(), (p.returncode, p.stdout))
    for text in says:
        check(f"{args} says {text}", text in p.stderr, p.stderr)
finish()
