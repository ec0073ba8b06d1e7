"""objective_input.py - what `hone objective eval` and `hone advantage eval` do with numbers nobody hopes for: masks of three
types, no tokens, far log-ratios, lists that do not fit, keys that are misspelt. An error names file and key, and says
what to give instead; a number that is not finite is said on stderr."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import counted  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()
PATH = os.path.join(work.name, "numbers.json")


def run(verb, name, numbers, *args):
    with open(PATH, "w") as f:
        f.write(numbers if isinstance(numbers, str) else json.dumps(numbers))
    return subprocess.run([HONE, verb, "eval", name, "--input", PATH, "--json", "--f64", *args], capture_output=True, text=True)


def value(verb, name, numbers, *args):
    r = run(verb, name, numbers, *args)
    return json.loads(r.stdout) if r.returncode == 0 else r.stderr


def without(d, *keys):
    return {k: v for k, v in d.items() if k not in keys}


B = {"logp": [[-1, -2], [-.5, -.3]], "old_logp": [[-1.1, -2], [-.5, -.4]], "mask": [[1, 1], [1, 0]], "advantages": [1, -1]}
P = {"policy_chosen": [-3, -4], "policy_rejected": [-5, -2], "ref_chosen": [-3.1, -4], "ref_rejected": [-5, -2.2],
     "len_chosen": [3, 4], "len_rejected": [5, 2]}
plain = value("objective", "grpo", B)
for how, mask in ("bool", [[True, True], [True, False]]), ("float", [[1.0, 1.0], [1.0, 0.0]]):
    counted.check(f"a mask of {how} is one of integers", value("objective", "grpo", {**B, "mask": mask}) == plain)
counted.check("advantages per token are those per sequence", value("objective", "grpo", {**B, "advantages": [[1, 1], [-1, -1]]}) == plain)
counted.check("without old_logp the ratio is 1", value("objective", "grpo", without(B, "old_logp"))["metrics"]["ratio/max"] == 1)
for name in "grpo", "dapo", "gspo", "cispo", "gmpo":
    nothing = value("objective", name, {**B, "mask": [[0, 0], [0, 0]]})
    counted.check(f"{name}: no token to train on is a loss of 0", nothing["loss"] == 0 and nothing["grad"] == [[0, 0], [0, 0]], nothing)
    alone = value("objective", name, {k: v[:1] for k, v in B.items()})
    more = value("objective", name, {**B, "mask": [[1, 1], [0, 0]]})
    counted.check(f"{name}: a masked sample is none", alone["loss"] == more["loss"] and alone["grad"] + [[0, 0]] == more["grad"], more)
left = {"rewards": [1, 0], "mask": [[0, 1, 1], [0, 0, 1]]}
right = {"rewards": [1, 0], "mask": [[1, 1, 0], [1, 0, 0]]}
for name in "group", "reinforce++", "opo":
    a, b = (value("advantage", name, d)["advantages"] for d in (left, right))
    counted.check(f"{name}: padding on the left is padding", [sorted(r) for r in a] == [sorted(r) for r in b], (a, b))
counted.check("equal rewards are no advantage, with eps 0 too",
              value("advantage", "group", {"rewards": [.1] * 6, "group_size": 3}, "--set", "eps=0") == {"advantages": [0] * 6})
counted.check("no pairs are a loss of 0", value("objective", "dpo", {k: [] for k in P})["loss"] == 0)
counted.check("one kind of answer is enough for kto", isinstance(value("objective", "kto", without(P, "policy_rejected", "ref_rejected", "len_rejected")), dict))

# far log-ratios, where what is bounded stays so
far = {**B, "old_logp": [[-900, -2], [-.5, -.4]]}
for name, adv in ("grpo", 1), ("grpo", 0), ("sapo", -1), ("sapo", 1), ("cispo", -1), ("gspo", 1):
    r = run("objective", name, {**far, "advantages": [adv, 1]})
    counted.check(f"{name}: a ratio beyond a double with A = {adv}", "null" not in r.stdout.split('"metrics"')[0] and not r.stderr, r.stdout + r.stderr)
r = run("objective", "grpo", {**far, "advantages": [-1, 1]})
counted.check("what is infinite is null, and said", '"loss":null' in r.stdout and "not finite" in r.stderr, r)
for name, args in ("dpo", ()), ("exo", ()), ("discopop", ()), ("kto", ()), ("apo_zero", ()), ("dpo", ("--set", "f_divergence=js")):
    r = run("objective", name, {**P, "policy_chosen": [-40000, 4e4]}, *args)
    counted.check(f"{name} {args}: far answers have a loss", "null" not in r.stdout, r.stdout)
for beta in 0, .5, 1:
    r = run("objective", "gkd", {"student_logits": [[[5000, 2, 3]]], "teacher_logits": [[[1, 2, -5000]]]}, "--set", f"beta={beta}")
    counted.check(f"gkd beta={beta}: far logits have a loss and a gradient", "null" not in r.stdout, r.stdout)
got = value("objective", "gkd", {"student_logits": [[[0, 2000]]], "teacher_logits": [[[0, 0]]]}, "--set", "beta=0")["grad"][0][0]
counted.check("forward KL: d/dz is p - q, though p is 0 to a double", abs(got[0] + .5) < 1e-12 and abs(got[1] - .5) < 1e-12, got)

# errors and notes
for name, numbers, args, words in [
    ("grpo", without(B, "advantages"), (), ["needs advantages", '"rewards" with "group_size"']),
    ("grpo", B, ("--set", "beta=.1"), ["no reference log-probs", 'give "ref_logp"']),
    ("grpo", B, ("--set", "sampler_cap=2"), ["no sampler log-probs", 'give "sampler_logp"']),
    ("grpo", B, ("--set", "entropy=.1"), ["no entropies", 'give "entropy"']),
    ("dpo", without(P, "ref_chosen"), (), ["needs reference log-probs", '"ref_chosen" and "ref_rejected"']),
    ("value", B, (), ["needs values", '"old_values" and "returns"']),
    ("grpo", {**B, "old_logp": [[-1], [-1, -2]]}, (), ['row 1 of "old_logp"', "the rows and the widths"]),
    ("grpo", {**B, "old_logp": [[-1, -2]]}, (), ['"old_logp" has 1 rows, the batch has 2', "the rows and the widths"]),
    ("grpo", {**B, "old_logp": -1}, (), ['"old_logp" is not a list']),
    ("grpo", {**B, "mask": [[-1, 1], [1, 0]]}, (), ['"mask" holds -1', "1 where a token is trained on"]),
    ("grpo", {**B, "mask": [[None, 1], [1, 0]]}, (), ['"mask" holds something that is no number']),
    ("grpo", {**B, "advantages": [1, 2, 3]}, (), ['"advantages" has 3 numbers, the batch has 2 rows']),
    ("grpo", {}, (), ['no "logp" of B x T numbers']),
    ("dpo", {**P, "policy_rejected": [-1], "ref_rejected": [-1], "len_rejected": [1]}, (), ["2 chosen and 1 rejected do not make pairs"]),
    ("grpo", json.dumps(B).replace("-2]", "NaN]", 1), (), ["NaN and Infinity are not JSON"]),
]:
    r = run("objective", name, numbers, *args)
    counted.check(f"{name} {args}: {words[0]}", r.returncode == 1 and all(w in r.stderr for w in words) and not r.stdout, r.stderr)
r = run("objective", "grpo", {**B, "old_logps": B["old_logp"], "G": 3})
counted.check("a key that nothing reads is told, with the one that was meant",
              json.loads(r.stdout) == plain and 'nothing reads "old_logps" (did you mean "old_logp"?)' in r.stderr and 'nothing reads "G"' in r.stderr, r.stderr)
counted.check("nothing is said where all is read", run("objective", "grpo", B).stderr == "")
counted.finish()
