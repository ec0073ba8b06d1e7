"""objective_formulas.py - every objective and advantage against its formula, written here once more from the papers: plain
Python doubles on random batches, gradients by central differences.

A loss is f(x, c): x is what the gradient is taken of, c the same numbers held constant, so that a stop-gradient is
written by reading c. Names come from `hone objective list`; one without a formula here is a failure."""
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import counted  # noqa: E402

HONE = os.environ["HONE"]
work = tempfile.TemporaryDirectory()
exp, log, inf = math.exp, math.log, math.inf


def evaluate(verb, name, numbers, *args):
    path = os.path.join(work.name, "numbers.json")
    with open(path, "w") as f:
        json.dump(numbers, f)
    run = subprocess.run([HONE, verb, "eval", name, "--input", path, "--json", "--f64", *args], capture_output=True, text=True)
    if run.returncode != 0:
        print(name, args, run.stderr)
        return None
    return json.loads(run.stdout)


def near(got, want, tolerance):
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(near(g, w, tolerance) for g, w in zip(got, want))
    return isinstance(got, (int, float)) and abs(got - want) <= tolerance * max(1, abs(want))


def options(settings):
    out = []
    for k, v in settings.items():
        out += ["--compat", v] if k == "compat" else ["--set", f"{k}={str(v).lower() if isinstance(v, bool) else v}"]
    return out


def slopes(f, x):
    """d f / d x for nested lists."""
    def walk(v, put):
        return [walk(e, lambda new, i=i: put(v[:i] + [new] + v[i + 1:])) for i, e in enumerate(v)] if isinstance(v, list) else \
            (f(put(v + 1e-6)) - f(put(v - 1e-6))) / 2e-6
    return walk(x, lambda new: new)


def sigmoid(x):
    return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))


def logsigmoid(x):
    return -math.log1p(exp(-x)) if x >= 0 else x - math.log1p(exp(x))


def mean(v):
    return sum(v) / len(v)


# ---- policy losses -------------------------------------------------------------------------------------------------

DEFAULTS = {  # reduce, eps_low, eps_high
    "ppo": ("token_mean", .2, .2), "grpo": ("seq_mean_token_mean", .2, .2), "bnpo": ("token_mean", .2, .2),
    "dapo": ("token_mean", .2, .28), "dr_grpo": ("seq_mean_token_sum_norm", .2, .2), "gspo": ("seq_mean_token_mean", 3e-4, 4e-4),
    "gspo_token": ("seq_mean_token_mean", 3e-4, 4e-4), "cispo": ("token_mean", .2, .2), "sapo": ("seq_mean_token_mean", 0, 0),
    "gmpo": ("seq_mean_token_mean", .2, .2), "gpg": ("token_mean", 0, 0), "dro": ("token_mean", 0, 0), "reinforce": ("token_mean", 0, 0),
}


def reduced(rows, mask, how, longest):
    """rows: B x T losses. Sequences without a token are not there."""
    seqs = [[(v, m) for v, m in zip(r, ms) if m] for r, ms in zip(rows, mask)]
    seqs = [s for s in seqs if s]
    sums, lengths = [sum(v for v, _ in s) for s in seqs], [len(s) for s in seqs]
    return {"token_mean": lambda: sum(sums) / sum(lengths), "token_sum": lambda: sum(sums),
            "seq_mean_token_mean": lambda: mean([a / n for a, n in zip(sums, lengths)]), "seq_mean_token_sum": lambda: mean(sums),
            "seq_mean_token_sum_norm": lambda: mean(sums) / longest}[how]()


def held(o, log_r, bound=20, below=True):
    """verl and openrlhf keep log-ratios within bounds."""
    return max(-bound if below else -inf, min(bound, log_r)) if o.get("compat") in ("verl", "openrlhf") else log_r


def clipped(r, a, o, low, high):
    first = min(r, o["delta"]) if o.get("delta") else r
    loss = max(-first * a, -min(max(r, 1 - low), 1 + high) * a)
    return min(loss, -o["dual_clip"] * a) if o.get("dual_clip") and a < 0 else loss


def kl_of(kind, x):
    return {"k1": x, "k2": x * x / 2, "k3": exp(-x) - 1 + x, "abs": abs(x)}[kind]


def held_kl(o, kind, x):
    v = kl_of(kind, x)
    return max(-10, min(10, v)) if o.get("compat") == "openrlhf" or (o.get("compat") == "verl" and kind == "k3") else v


def policy_loss(name, d, o, x, c, entropy):
    if o.get("compat") == "verl" and name in ("ppo", "grpo", "bnpo", "dr_grpo", "dapo"):
        o = {"dual_clip": 3, **o}
    verl = o.get("compat") == "verl"
    how, low, high = DEFAULTS[name]
    how, low, high = o.get("reduce", how), o.get("eps_low", low), o.get("eps_high", high)
    compat, mask = o.get("compat"), [list(m) for m in d["mask"]]
    cap, floor = o.get("sampler_cap", inf) or inf, o.get("sampler_floor", 0)
    corrects = "sampler_cap" in o or "sampler_floor" in o
    by_seq, drops = o.get("sampler_level") == "sequence", o.get("sampler_mode") == "mask" or o.get("reject")
    if o.get("mask_truncated"):
        mask = [[0] * len(m) if cut else m for m, cut in zip(mask, d["truncated"])]

    def weight(s, t):
        """exp(old - sampler) of a token or of the sequence, before any bound."""
        at = [i for i, m in enumerate(mask[s]) if m]
        if not by_seq:
            return exp(d["old_logp"][s][t] - d["sampler_logp"][s][t])
        total = sum(d["old_logp"][s][i] - d["sampler_logp"][s][i] for i in at)
        return exp(total / len(at) if compat == "openrlhf" else total)

    if corrects and o.get("reject"):
        mask = [[m if m and floor <= weight(s, t) <= cap else 0 for t, m in enumerate(ms)] for s, ms in enumerate(mask)]
    kept = None
    if "top_entropy" in o:
        values = sorted(h for hs, ms in zip(d["entropy"], mask) for h, m in zip(hs, ms) if m)
        at = (1 - o["top_entropy"]) * (len(values) - 1)
        i = int(at)
        kept = values[i] + (at - i) * (values[i + 1] - values[i]) if i + 1 < len(values) else values[-1]
    rows = []
    for s, ms in enumerate(mask):
        at = [t for t, m in enumerate(ms) if m]
        adv = d["advantages"][s]
        adv = adv if isinstance(adv, list) else [adv] * len(ms)
        row = [0.0] * len(ms)
        rows.append(row)
        if not at:
            continue
        a_seq = mean([adv[t] for t in at])
        lr = [x[s][t] - d["old_logp"][s][t] for t in range(len(ms))]
        lr_c = [c[s][t] - d["old_logp"][s][t] for t in range(len(ms))]
        gate = 1
        if o.get("off_policy_threshold") and a_seq < 0:
            gate = float(mean([d["sampler_logp"][s][t] - c[s][t] for t in at]) <= o["off_policy_threshold"])
        for t in at:
            a, r = adv[t], exp(held(o, lr[t]) if verl or name in ("ppo", "grpo", "bnpo", "dr_grpo", "dapo") else lr[t])
            if name == "gspo":
                m = mean([lr[i] for i in at])
                loss = clipped(exp(held(o, m, 10, False) if verl else m), a_seq, o, low, high)
                r = exp(mean([lr[i] for i in at]))
            elif name == "gspo_token":
                m = mean([lr_c[i] for i in at]) + x[s][t] - c[s][t]
                r = exp(held(o, m, 10, False) if verl else m)
                loss = clipped(r, a, o, low, high)
            elif name == "gmpo":
                bound = [min(v, high) if a_seq > 0 else max(v, -low) for v in (lr[i] for i in at)]
                loss, r = -a_seq * exp(mean(bound)), exp(mean(bound))
            elif name == "cispo":
                rc = exp(held(o, lr_c[t]) if verl else lr_c[t])
                loss = -(min(rc, high) if compat == "trl" else min(max(rc, 1 - low), 1 + high)) * a * x[s][t]
            elif name == "sapo":
                tau = o.get("tau_pos", 1) if a > 0 else o.get("tau_neg", 1.05)
                loss = -4 / tau * sigmoid(tau * (r - 1)) * a
            elif name == "dro":
                loss = -(a * x[s][t] - o.get("beta", .1) / 2 * lr[t] ** 2)
            elif name in ("gpg", "reinforce"):
                loss = -a * x[s][t]
            else:
                loss = clipped(r, a, o, low, high)
            w = 1
            if corrects:
                w = weight(s, t)
                inside = floor <= w <= cap
                if by_seq and compat == "openrlhf" and drops:
                    w = exp(d["old_logp"][s][t] - d["sampler_logp"][s][t])
                w = (w if inside else 0) if drops else min(max(w, floor), cap)
            w *= gate
            if kept is not None and d["entropy"][s][t] < kept:
                w = 0
            row[t] = w * loss
            if o.get("beta") and name != "dro":
                kl = held_kl(o, o.get("kl", "k3"), x[s][t] - d["ref_logp"][s][t])
                row[t] += o["beta"] * kl * (r if o.get("unbiased") else 1)
            if compat != "trl":
                row[t] -= o.get("entropy", 0) * entropy[s][t]
    bonus = 0
    if compat == "trl" and o.get("entropy"):  # a mean over tokens, of those that train
        own = [[m if kept is None or h >= kept else 0 for h, m in zip(hs, ms)] for hs, ms in zip(d["entropy"], mask)]
        bonus = o["entropy"] * reduced(entropy, own, "token_mean", 0)
    return -bonus + reduced(rows, mask, how, o.get("max_length", max(len(m) for m in mask)))


def policy_batch(rng):
    widths = [rng.randint(1, 6) for _ in range(6)]

    def draw(lo, hi):
        return [[rng.uniform(lo, hi) for _ in range(w)] for w in widths]

    def beside(rows, spread):
        return [[v + rng.uniform(-spread, spread) for v in r] for r in rows]
    logp = draw(-2.5, -.05)
    old = beside(logp, .4)
    mask = [[0 if rng.random() < .2 else 1 for _ in range(w)] for w in widths]
    mask[3] = [0] * widths[3]
    mask[0][0] = mask[1][0] = 1
    return {"logp": logp, "old_logp": old, "ref_logp": beside(logp, .5), "sampler_logp": beside(old, .05), "entropy": draw(.1, 3),
            "mask": mask, "truncated": [0, 1, 0, 0, 1, 0],
            "advantages": [rng.uniform(-2, 2) for _ in widths] if rng.random() < .7 else draw(-2, 2)}


BAND = {"sampler_floor": .98, "sampler_cap": 1.02}
EXTRAS = [
    {}, {"beta": .3}, {"beta": .2, "kl": "k1"}, {"beta": .2, "kl": "k2", "unbiased": True}, {"beta": .2, "kl": "abs", "entropy": .05},
    {"sampler_cap": 1.02}, {**BAND, "sampler_mode": "mask"}, {**BAND, "sampler_level": "sequence"},
    {**BAND, "sampler_level": "sequence", "sampler_mode": "mask"},
    {**BAND, "sampler_level": "sequence", "sampler_mode": "mask", "compat": "openrlhf"},
    {**BAND, "reject": True, "beta": .1}, {**BAND, "reject": True, "sampler_level": "sequence", "compat": "openrlhf"},
    {"top_entropy": .4}, {"off_policy_threshold": .05}, {"mask_truncated": True}, {"reduce": "token_sum"},
    {"reduce": "seq_mean_token_sum"}, {"reduce": "seq_mean_token_sum_norm", "max_length": 9}, {"reduce": "seq_mean_token_mean"},
    {"compat": "trl", "entropy": .1}, {"compat": "trl", "entropy": .1, "top_entropy": .5},
    *[{"compat": c, "beta": .1, "kl": k, "far": True} for c in ("verl", "openrlhf") for k in ("k1", "k2", "k3")],
]
OWN = {"ppo": [{"delta": 1.1}, {"dual_clip": 1.05}, {"eps_low": .05, "eps_high": .1}], "grpo": [{"delta": 1.1, "compat": "trl"}],
       "gspo": [{"eps_low": .1, "eps_high": .1}], "gspo_token": [{"eps_low": .1, "eps_high": .1}], "dapo": [{"eps_high": .05}],
       "cispo": [{"compat": "trl", "eps_high": 1.1}, {"compat": "verl"}], "sapo": [{"tau_pos": 2, "tau_neg": .7}],
       "gmpo": [{"eps_low": .05, "eps_high": .1}], "dro": [{"beta": .6}]}
seen = set()


def check_policy(name):
    rng = random.Random(name)
    known = {f["name"] for f in FIELDS[name]}
    for o in EXTRAS + OWN.get(name, []):
        if not set(o) - {"far"} <= known or (name == "dro" and "beta" in o and "sampler_floor" in o):
            continue
        d = policy_batch(rng)
        c = d["logp"]
        if o.get("far"):  # to where trainers hold ratios and estimates
            o = {k: v for k, v in o.items() if k != "far"}
            d["old_logp"] = [[v + rng.choice([0, 0, 0, 0, -25, -1.5, 1.5, 25]) for v in r] for r in d["old_logp"]]
            d["ref_logp"] = [[v + rng.choice([0, 0, 0, -12, 12]) for v in r] for r in d["ref_logp"]]
            if name == "dro" or (name not in ("gpg", "reinforce", "gmpo", "gspo", "gspo_token") and o["compat"] == "openrlhf" and name not in ("ppo", "grpo", "bnpo", "dr_grpo", "dapo")):
                continue
        got = evaluate("objective", name, d, *options(o))
        want = policy_loss(name, d, o, c, c, d["entropy"])
        grad = slopes(lambda x: policy_loss(name, d, o, x, c, d["entropy"]), c)
        counted.check(f"{name} {o}: loss", got and near(got["loss"], want, 1e-9), f"{got and got['loss']}, wanted {want}")
        counted.check(f"{name} {o}: gradient", got and near(got["grad"], grad, 1e-6 + 1e-9 * abs(want)), f"{got and got['grad']}\n{grad}")
        if o.get("entropy"):
            grad = slopes(lambda h: policy_loss(name, d, o, c, c, h), d["entropy"])
            counted.check(f"{name} {o}: gradient of the entropy", near(got["grad_entropy"], grad, 1e-6))


# ---- preference losses ---------------------------------------------------------------------------------------------

def f_prime(o, x):
    kind, alpha = o.get("f_divergence", "reverse_kl"), o.get("alpha", .5)
    return {"reverse_kl": lambda: x, "forward_kl": lambda: 1 - exp(-x), "js": lambda: log(2) + logsigmoid(x),
            "alpha": lambda: (exp((alpha - 1) * x) - 1) / (alpha - 1)}[kind]()


def smoothed(z, o):
    ls = o.get("label_smoothing", 0)
    return -(1 - ls) * logsigmoid(z) - ls * logsigmoid(-z)


def odds(x):
    return x - math.log1p(-exp(x))


def pair_loss(name, o, pc, pr, rc, rr, lc, lr):
    a, b = pc - rc, pr - rr
    beta = o.get("beta", 2 if name in ("simpo", "alphapo") else .1)
    h = f_prime(o, a) - f_prime(o, b)
    nll = o.get("nll", 1 if name == "orpo" else 0) * -pc / lc
    if name == "dpo":
        return smoothed(beta * h, o)
    if name == "robust":
        ls = o.get("label_smoothing", 0)
        return (-(1 - ls) * logsigmoid(beta * h) + ls * logsigmoid(-beta * h)) / (1 - 2 * ls)
    if name == "ipo":
        if o.get("compat") == "trl":
            h = f_prime(o, a) / lc - f_prime(o, b) / lr
        return (h - 1 / (2 * beta)) ** 2
    if name == "hinge":
        return max(0, 1 - beta * h)
    if name == "exo":
        ls, z = o.get("label_smoothing", 1e-3), beta * h
        return sigmoid(z) * (logsigmoid(z) - log(1 - ls)) + sigmoid(-z) * (logsigmoid(-z) - log(ls))
    if name == "nca":
        return -logsigmoid(beta * a) - .5 * logsigmoid(-beta * a) - .5 * logsigmoid(-beta * b)
    if name == "bco":
        shift = o.get("reward_shift", 0)
        return -logsigmoid(beta * a - shift) - logsigmoid(-(beta * b - shift))
    if name == "sppo":
        return (a - .5 / beta) ** 2 + (b + .5 / beta) ** 2
    if name == "apo_zero":
        return 1 - sigmoid(beta * a) + sigmoid(beta * b)
    if name == "apo_down":
        return sigmoid(beta * a) + 1 - sigmoid(beta * (a - b))
    if name == "discopop":
        z = beta * h
        gate = sigmoid(z / o.get("temperature", .05))
        return (1 - gate) * -logsigmoid(z) + gate * exp(-z)
    if name == "sigmoid_norm":
        return smoothed(beta * (f_prime(o, a) / lc - f_prime(o, b) / lr), o)
    if name == "orpo":
        return nll - beta * logsigmoid(odds(pc / lc) - odds(pr / lr))
    if name == "cpo":
        kind = o.get("loss", "sigmoid")
        if kind == "ipo":
            return nll + (pc / lc - pr / lr - 1 / (2 * beta)) ** 2
        return nll + (max(0, 1 - beta * (pc - pr)) if kind == "hinge" else smoothed(beta * (pc - pr), o))
    gamma, alpha = o.get("gamma", .5), o.get("alpha", .25) if name == "alphapo" else 0
    shape = [m if alpha == 0 else (1 - exp(-alpha * m)) / alpha for m in (pc / lc, pr / lr)]
    return nll + smoothed(beta * (shape[0] - shape[1]) - gamma, o)


def preference_loss(name, d, o, pc, pr, c_pc, c_pr):
    beta, n = o.get("beta", .1), len(pc)
    ref = d["ref_chosen"], d["ref_rejected"]
    if name == "rm":
        return mean([smoothed(c - r - o.get("margin", 0) - m, o) + o.get("center", 0) * (c + r) ** 2
                     for c, r, m in zip(pc, pr, d.get("margin", [0] * n))])
    if name in ("aot", "aot_unpaired"):
        if name == "aot":
            up, down = sorted(c - r for c, r in zip(pc, pr)), sorted(c - r for c, r in zip(*ref))
        else:
            up, down = sorted(p - r for p, r in zip(pc, ref[0])), sorted(p - r for p, r in zip(pr, ref[1]))
        return mean([smoothed(beta * (u - v), o) for u, v in zip(up, down)])
    if name in ("kto", "apo_zero_unpaired"):
        kl = max(0, d.get("kto_kl", 0)) if name == "kto" else 0
        good = [o.get("desirable_weight", 1) * (1 - sigmoid(beta * (p - r - kl))) for p, r in zip(pc, ref[0])]
        bad = [o.get("undesirable_weight", 1) * (1 - sigmoid(-beta * (p - r - kl))) for p, r in zip(pr, ref[1])]
        return mean(good + bad)
    losses = []
    for i in range(n):
        lc, lr, w = d["len_chosen"][i], d["len_rejected"][i], 1
        if o.get("wpo"):
            align = d.get("collision_chosen", [0] * n)[i] / lc + d.get("collision_rejected", [0] * n)[i] / lr
            w = exp(c_pc[i] / lc + c_pr[i] / lr - align)
            w = w if o.get("compat") == "trl" else min(1, w)
        losses.append(w * pair_loss(name, o, pc[i], pr[i], ref[0][i], ref[1][i], lc, lr))
    return mean(losses)


SMOOTH = [{}, {"beta": .7, "label_smoothing": .2}]
DIVERGE = [{"beta": .7, "f_divergence": k} for k in ("forward_kl", "js", "alpha")] + [{"beta": .5, "f_divergence": "alpha", "alpha": .7}]
WPO = [{"beta": .6, "wpo": True}, {"beta": .6, "wpo": True, "compat": "trl"}]
PREFERENCE = {
    "dpo": SMOOTH + DIVERGE + WPO, "robust": [{"label_smoothing": .1}, {"label_smoothing": .2, "beta": .5}] + WPO,
    "ipo": [{}, {"beta": .5, "compat": "trl"}, {"beta": .5, "compat": "openrlhf"}, {"beta": .5, "compat": "trl", "f_divergence": "js"}] + DIVERGE, "hinge": [{}, {"beta": .5}] + DIVERGE,
    "exo": [{}, {"beta": .6, "label_smoothing": .05}], "nca": [{}, {"beta": .6}] + WPO, "bco": [{}, {"beta": .6, "reward_shift": .3}],
    "sppo": [{}, {"beta": .5}] + WPO, "aot": SMOOTH, "aot_unpaired": SMOOTH, "apo_zero": [{}, {"beta": .6}] + WPO,
    "apo_down": [{}, {"beta": .6}] + WPO, "apo_zero_unpaired": [{}, {"beta": .5, "undesirable_weight": 2}],
    "discopop": [{}, {"beta": .4, "temperature": .5}] + DIVERGE, "sigmoid_norm": SMOOTH + DIVERGE,
    "kto": [{}, {"beta": .5, "desirable_weight": 1.5}], "orpo": [{}, {"beta": .5, "nll": 0}, {"wpo": True}],
    "cpo": [{}, {"nll": 1, "label_smoothing": .1}, {"loss": "hinge", "beta": .4}, {"loss": "ipo", "beta": .5, "nll": .5}],
    "simpo": [{}, {"gamma": 1, "nll": .3, "label_smoothing": .1}] + WPO, "alphapo": [{}, {"alpha": -.5, "gamma": .2}, {"alpha": 0}] + WPO,
    "rm": [{}, {"center": .1, "margin": .5}, {"label_smoothing": .1}],
}


def preference_batch(rng, name):
    n = 5
    lengths = [[rng.randint(3, 12) for _ in range(n)] for _ in range(2)]
    policy = [[-rng.uniform(.3, 2) * k for k in ks] for ks in lengths]
    d = {"len_chosen": lengths[0], "len_rejected": lengths[1], "policy_chosen": policy[0], "policy_rejected": policy[1],
         "ref_chosen": [p + rng.uniform(-2, 2) for p in policy[0]], "ref_rejected": [p + rng.uniform(-2, 2) for p in policy[1]],
         "collision_chosen": [-rng.uniform(.5, 2) * k for k in lengths[0]],
         "collision_rejected": [-rng.uniform(.5, 2) * k for k in lengths[1]]}
    if name == "kto":
        d["kto_kl"] = rng.uniform(-.3, .6)
    if name == "rm":
        d["margin"] = [rng.uniform(0, 1) for _ in range(n)]
    if name in ("kto", "apo_zero_unpaired"):  # not as many of each
        d = {k: v[:3] if k.endswith("rejected") else v for k, v in d.items()}
    return d


def check_preference(name):
    rng = random.Random(name)
    for o in PREFERENCE[name]:
        for _ in range(2):
            d = preference_batch(rng, name)
            pc, pr = d["policy_chosen"], d["policy_rejected"]
            got = evaluate("objective", name, d, *options(o))
            want = preference_loss(name, d, o, pc, pr, pc, pr)
            grad_c = slopes(lambda x: preference_loss(name, d, o, x, pr, pc, pr), pc)
            grad_r = slopes(lambda x: preference_loss(name, d, o, pc, x, pc, pr), pr)
            counted.check(f"{name} {o}: loss", got and near(got["loss"], want, 1e-9), f"{got and got['loss']}, wanted {want}")
            counted.check(f"{name} {o}: gradients",
                          got and near(got["grad_chosen"], grad_c, 1e-6) and near(got["grad_rejected"], grad_r, 1e-6),
                          f"{got}\n{grad_c}\n{grad_r}")


# ---- supervised, distillation --------------------------------------------------------------------------------------

def log_softmax(z, temperature=1):
    z = [v / temperature for v in z]
    top = max(z)
    lse = top + log(sum(exp(v - top) for v in z))
    return [v - lse for v in z]


def divergence(beta, teacher, student, temperature):
    q, p = log_softmax(teacher, temperature), log_softmax(student, temperature)
    if beta == 0:
        return sum(exp(a) * (a - b) for a, b in zip(q, p))
    if beta == 1:
        return sum(exp(b) * (b - a) for a, b in zip(q, p))
    m = [log(beta * exp(a) + (1 - beta) * exp(b)) for a, b in zip(q, p)]
    return sum(beta * exp(a) * (a - c) + (1 - beta) * exp(b) * (b - c) for a, b, c in zip(q, p, m))


def distill_loss(name, d, o, x, c):
    kind = {"forward_kl": 0, "reverse_kl": 1, "minillm": 1}.get(name, o.get("beta", .5))
    trl, rows = o.get("compat") == "trl", []
    gamma, norm, single = o.get("gamma", 1), o.get("length_normalization", True), o.get("single_step", True)
    for s, zs in enumerate(x):
        n = len(zs)
        row = [0.0] * n
        if name != "minillm" or single:
            row = [divergence(kind, d["teacher_logits"][s][t], zs[t], o.get("temperature", 1)) for t in range(n)]
        if name == "minillm":
            ids = d["ids"][s]
            now = [log_softmax(zs[t])[ids[t]] for t in range(n)]
            was = [log_softmax(c[s][t])[ids[t]] for t in range(n)]
            told = [log_softmax(d["teacher_logits"][s][t])[ids[t]] for t in range(n)]
            at = [t for t in range(n) if d["mask"][s][t]]
            for t in at:
                later = [i for i in at if (i >= t if trl or not single else i > t)]
                if trl:
                    weights = [gamma ** i for i in later]
                    total = sum(gamma ** i if d["mask"][s][i] else gamma ** i * 1e-4 for i in range(t, n))
                else:  # steps are counted in trained tokens
                    weights = [gamma ** (at.index(i) - at.index(t)) for i in later]
                    total = sum(weights)
                a = sum(w * (told[i] - was[i]) for w, i in zip(weights, later))
                if norm and total > 0:
                    a /= total
                a += d.get("advantages", [0] * len(x))[s]
                r = exp(now[t] - d["old_logp"][s][t])
                row[t] += max(-r * a, -min(max(r, .8), 1.2) * a)
        rows.append(row)
    return reduced(rows, d["mask"], o.get("reduce", "token_mean"), o.get("max_length", max(len(r) for r in rows)))


def logits_batch(rng):
    widths, vocabulary = [rng.randint(2, 5) for _ in range(4)], 7

    def draw():
        return [[[rng.gauss(0, 1.5) for _ in range(vocabulary)] for _ in range(w)] for w in widths]
    d = {"student_logits": draw(), "teacher_logits": draw(), "mask": [[0 if rng.random() < .2 else 1 for _ in range(w)] for w in widths],
         "ids": [[rng.randrange(vocabulary) for _ in range(w)] for w in widths]}
    d["mask"][0][0] = 1
    d["old_logp"] = [[log_softmax(z)[i] + rng.uniform(-.3, .3) for z, i in zip(zs, ids)]
                     for zs, ids in zip(d["student_logits"], d["ids"])]
    return d


DISTILL = {
    "gkd": [{}, {"beta": 0}, {"beta": 1}, {"beta": .2, "temperature": 1.7}, {"compat": "trl", "temperature": .9},
            {"reduce": "seq_mean_token_mean"}],
    "forward_kl": [{}, {"temperature": 2, "reduce": "seq_mean_token_mean"}], "reverse_kl": [{}, {"temperature": .8, "reduce": "token_sum"}],
    "minillm": [{}, {"gamma": .8}, {"length_normalization": False, "gamma": .9}, {"single_step": False}, {"compat": "trl", "gamma": .9},
                {"compat": "trl", "gamma": .7, "length_normalization": False}, {"single_step": False, "gamma": .5}],
}


def check_distill(name):
    rng = random.Random(name)
    for o in DISTILL[name]:
        d = logits_batch(rng)
        if name != "minillm":
            del d["ids"]
        elif rng.random() < .5:
            d["advantages"] = [rng.uniform(-1, 1) for _ in d["mask"]]
        x = d["student_logits"]
        got = evaluate("objective", name, d, *options(o))
        want = distill_loss(name, d, o, x, x)
        grad = slopes(lambda y: distill_loss(name, d, o, y, x), x)
        counted.check(f"{name} {o}: loss", got and near(got["loss"], want, 1e-9), f"{got and got['loss']}, wanted {want}")
        counted.check(f"{name} {o}: gradient", got and near(got["grad"], grad, 1e-6), f"{got and got['grad']}\n{grad}")


def check_supervised(name):
    rng = random.Random(name)
    for how in ("token_mean", "seq_mean"):
        d = policy_batch(rng)
        c = d["logp"]

        def loss(x):
            rows = [[-(exp(cv) if name == "dft" else 1) * v for v, cv in zip(r, rc)] for r, rc in zip(x, c)]
            return reduced(rows, d["mask"], "token_mean" if how == "token_mean" else "seq_mean_token_mean", 0)
        got = evaluate("objective", name, d, "--set", f"reduce={how}")
        counted.check(f"{name} {how}", got and near(got["loss"], loss(c), 1e-9) and near(got["grad"], slopes(loss, c), 1e-6), got)


def value_loss(d, o, v):
    """Half the larger of the squared errors, of the value and of the value held near the old one; mean over tokens."""
    near_ = o.get("vf_clip", .2)
    rows = [[max((x - r) ** 2, ((min(max(x, p - near_), p + near_) if near_ else x) - r) ** 2) / 2 for x, p, r in zip(*three)]
            for three in zip(v, d["old_values"], d["returns"])]
    return reduced(rows, d["mask"], "token_mean", 0)


def check_value(name):
    rng = random.Random(name)
    cut = False
    for o in {}, {"vf_clip": 0}, {"vf_clip": .05}, {"vf_clip": .4}:
        d = policy_batch(rng)
        for key, spread in ("old_values", 1), ("values", .5), ("returns", 1):
            d[key] = [[rng.uniform(-spread, spread) + (d["old_values"][s][t] if key != "old_values" else 0) for t in range(len(r))]
                      for s, r in enumerate(d["logp"])]
        got = evaluate("objective", name, d, *options(o))
        counted.check(f"{name} {o}: loss", got and near(got["loss"], value_loss(d, o, d["values"]), 1e-9), got)
        counted.check(f"{name} {o}: gradient", got and near(got["grad_values"], slopes(lambda v: value_loss(d, o, v), d["values"]), 1e-6),
                      got)
        both, alone = evaluate("objective", "ppo", d, *options({**o, "vf_coef": .4})), evaluate("objective", "ppo", d)
        counted.check(f"ppo vf_coef {o}: the sum", both and near(both["loss"], alone["loss"] + .4 * got["loss"], 1e-9), both)
        counted.check(f"ppo vf_coef {o}: both gradients", both and near(both["grad"], alone["grad"], 1e-12) and near(
            both["grad_values"], [[.4 * g for g in r] for r in got["grad_values"]], 1e-9), both)
        cut = cut or got["metrics"]["value/clip"] > 0
    counted.check(f"{name}: the clip is at work", cut)
    del d["returns"]
    counted.check(f"{name}: without returns it says so", evaluate("objective", name, d) is None)


# ---- advantages ----------------------------------------------------------------------------------------------------

def shaped(name, d, o):
    """R of each sample, or None where it leaves its group."""
    rewards, weights = d["rewards"], d["weights"]
    zero = o.get("missing", "zero" if o.get("compat") == "trl" else "skip") == "zero"
    out, size = [], d["group_size"]
    lengths = [sum(m) for m in d["mask"]]
    longest = o.get("max_length", max(len(m) for m in d["mask"]))
    for i in range(len(lengths)):
        there = [(w, r[i]) for w, r in zip(weights, rewards) if w != 0]
        missing = any(r is None for _, r in there)
        out.append(None if (missing and not zero) or all(r is None for _, r in there) else sum(w * r for w, r in there if r is not None))
    if name == "normalize_then_sum":
        return out
    plain = {i: r for i, r in enumerate(out) if r is not None}
    for i in plain:
        r = right = plain[i]
        group = [j for j in plain if j // size == i // size]
        if o.get("reward_clip"):
            r = max(-o["reward_clip"], min(o["reward_clip"], r))
        if o.get("overlong_buffer"):
            b = o["overlong_buffer"]
            r -= o.get("overlong_penalty", 1) * max(0, lengths[i] - (longest - b)) / b
        if o.get("length_penalty") and o.get("length_mode", "linear") == "linear":
            r -= o["length_penalty"] * lengths[i] / longest
        elif o.get("length_penalty"):
            lo, hi = min(lengths[j] for j in group), max(lengths[j] for j in group)
            if hi > lo:
                part = .5 - (lengths[i] - lo) / (hi - lo)
                r += o["length_penalty"] * (part if right > 0 else min(0, part))
        if o.get("beta") and name not in ("reinforce++", "gae"):
            r -= o["beta"] * sum(kl_of(o.get("kl", "k1"), d["logp"][i][t] - d["ref_logp"][i][t]) for t, m in enumerate(d["mask"][i]) if m)
        out[i] = r
    return out


def deviation(values):
    return statistics.stdev(values) if len(values) > 1 else 0


def whitened(rows, mask, stays, compat=None):
    values = [v for r, ms, ok in zip(rows, mask, stays) if ok for v, m in zip(r, ms) if m]
    mu, var = mean(values), deviation(values) ** 2 + 1e-8
    if compat == "openrlhf":
        var = max(statistics.pvariance(values), 1e-8)
    return [[(v - mu) / math.sqrt(var) if m and ok else 0 for v, m in zip(r, ms)] for r, ms, ok in zip(rows, mask, stays)]


def advantage(name, d, o):
    R, size, mask = shaped(name, d, o), d["group_size"], d["mask"]
    n, compat = len(R), o.get("compat")
    eps = o.get("eps", {"trl": 1e-4, "verl": 1e-6, "openrlhf": 1e-9}.get(compat, 1e-6))
    stays, lengths = [r is not None for r in R], [sum(m) for m in mask]
    out = [0.0] * n
    if name == "opd":
        return [[-(p - q) if m else 0 for p, q, m in zip(*rows)] for rows in zip(d["logp"], d["ref_logp"], mask)]
    everyone = [r for r in R if r is not None]
    for g in range(0, n, size):
        at = [i for i in range(g, g + size) if stays[i]]
        if not at:
            continue
        values = [R[i] for i in at]
        mu, std, alone = mean(values), deviation(values), compat == "verl" and len(at) == 1
        if alone:
            mu, std = 0, 1
        for i in at:
            if name == "group":
                scale = {"group": std + eps, "batch": deviation(everyone) + eps, "none": 1}[o.get("scale", "group")]
                out[i] = (R[i] - mu) / scale
            elif name == "rloo":
                out[i] = R[i] - mean([R[j] for j in at if j != i]) if len(at) > 1 else R[i] if alone else 0
            elif name == "grpo_passk":
                best = sorted(values, reverse=True)
                if len(at) > 1 and i == max(at, key=lambda j: (R[j], -j)):
                    out[i] = (best[0] - best[1]) / (std + eps)
            elif name == "remax":
                out[i] = R[i] - d["baseline"][i]
            elif name == "opo":
                out[i] = R[i] if alone else R[i] - sum(lengths[j] * R[j] for j in at) / sum(lengths[j] for j in at)
            elif name == "gpg":
                out[i] = len(everyone) / sum(r != 0 for r in everyone) * (R[i] - mu)
            elif name == "normalize_then_sum":
                for w, rewards in zip(d["weights"], d["rewards"]):
                    there = [rewards[j] for j in at if rewards[j] is not None]
                    single = compat == "verl" and len(there) == 1
                    if rewards[i] is not None:
                        out[i] += w * (rewards[i] - (0 if single else mean(there))) / ((1 if single else deviation(there)) + eps)
            else:
                out[i] = R[i] - mu
    if name == "normalize_then_sum":
        kept = [out[i] for i in range(n) if stays[i]]
        out = [(a - mean(kept)) / (deviation(kept) + eps) if ok else 0 for a, ok in zip(out, stays)] if compat != "verl" else \
            [r[0] for r in whitened([[a] for a in out], [[1]] * n, stays)] if not mask else \
            [max(r, key=abs) for r in whitened([[a] * len(ms) for a, ms in zip(out, mask)], mask, stays)]
    per_token = name in ("reinforce++", "reinforce++_baseline", "gae")
    rows = [[a if m else 0 for m in ms] for a, ms in zip(out, mask)]
    if name in ("reinforce++", "gae"):
        gamma, lam = o.get("gamma", 1), o.get("lambda", 1)
        for i, ms in enumerate(mask):
            at = [t for t, m in enumerate(ms) if m]
            rows[i], run, later = [0.0] * len(ms), 0, 0
            for t in reversed(range(len(ms)) if stays[i] else []):
                if not ms[t]:
                    if compat == "openrlhf":  # a hole is a step without reward and value
                        run, later = gamma * later * (name == "gae") + gamma * (lam if name == "gae" else 1) * run, 0
                    continue
                r = (R[i] if t == at[-1] else 0)
                if o.get("beta"):
                    r -= o["beta"] * kl_of(o.get("kl", "k1"), d["logp"][i][t] - d["ref_logp"][i][t])
                if name == "gae":
                    run = r + gamma * later - d["values"][i][t] + gamma * lam * run
                    later = d["values"][i][t]
                else:
                    run = r + gamma * run
                rows[i][t] = run
    if per_token and o.get("whiten", True):
        rows = whitened(rows, mask, stays, compat)
    c = o.get("advantage_clip")
    return [[max(-c, min(c, v)) for v in r] for r in rows] if c else rows


SHAPES = [{}, {"missing": "zero"}, {"compat": "trl"}, {"compat": "verl"}, {"compat": "openrlhf"}, {"advantage_clip": .5}, {"reward_clip": .6},
          {"overlong_buffer": 3, "overlong_penalty": .7, "max_length": 6}, {"length_penalty": .3}, {"length_penalty": .4, "length_mode": "group"},
          {"beta": .2}, {"beta": .1, "kl": "k3", "reward_clip": 1}, {"scale": "batch"}, {"scale": "none"}, {"eps": .01},
          {"gamma": .9, "whiten": False}, {"gamma": .95, "lambda": .8}, {"whiten": False}]


def check_advantage(name):
    rng = random.Random(name)
    known = {f["name"] for f in FIELDS[name]}
    for o in SHAPES:
        if not set(o) <= known:
            continue
        d = policy_batch(rng)
        d = {k: d[k] for k in ("logp", "ref_logp", "mask")}
        d["mask"] = [[1] * len(m) if not any(m) else m for m in d["mask"]]
        d.update(group_size=3, weights=[1, .5], baseline=[rng.uniform(-1, 1) for _ in range(6)],
                 rewards=[[rng.choice([0, 1, .5, 2, -1]) for _ in range(6)], [rng.uniform(-1, 1) for _ in range(6)]],
                 values=[[rng.uniform(-1, 1) for _ in m] for m in d["mask"]])
        if rng.random() < .6:
            d["rewards"][rng.randrange(2)][rng.randrange(6)] = None
        got = evaluate("advantage", name, d, *options(o))
        rows = got and got["advantages"]
        if rows and compat_gae(name, o):
            rows = [[v if m else 0 for v, m in zip(r, ms)] for r, ms in zip(rows, d["mask"])]
        want = advantage(name, d, o)
        counted.check(f"{name} {o}", rows and near(rows, want, 1e-9), f"{rows}\n{want}")


def compat_gae(name, o):
    """verl leaves numbers on masked tokens, which nobody reads."""
    return name == "gae" and o.get("compat") == "verl"


def listed(verb, key):
    out = subprocess.run([HONE, verb, "list", "--json"], capture_output=True, text=True, check=True).stdout
    return {e["name"]: e["settings"] for e in json.loads(out)[key]}


FIELDS = listed("objective", "objectives")
for name in FIELDS:
    how = check_policy if name in DEFAULTS else check_preference if name in PREFERENCE else check_distill if name in DISTILL else \
        check_supervised if name in ("sft", "dft") else check_value if name == "value" else None
    counted.check(f"{name} has a formula here", how is not None)
    if how:
        how(name)
FIELDS = listed("advantage", "advantages")
for name in FIELDS:
    check_advantage(name)

# ---- a sum of losses is the sum of what they give
d = preference_batch(random.Random(5), "dpo")
both = evaluate("objective", "dpo+0.25*simpo", d, "--set", "f_divergence=js", "--set", "nll=0.5")
plain, two = evaluate("objective", "dpo", d, "--set", "f_divergence=js"), evaluate("objective", "simpo", d, "--set", "nll=0.5")
counted.check("dpo+0.25*simpo: loss", near(both["loss"], plain["loss"] + .25 * two["loss"], 1e-12), both)
counted.check("dpo+0.25*simpo: gradient", near(both["grad_chosen"], [a + .25 * b for a, b in zip(plain["grad_chosen"], two["grad_chosen"])],
                                               1e-12), both)
d = policy_batch(random.Random(6))
three, apart = evaluate("objective", "grpo+0.1*sft", d), [evaluate("objective", n, d) for n in ("grpo", "sft")]
counted.check("grpo+0.1*sft: loss", near(three["loss"], apart[0]["loss"] + .1 * apart[1]["loss"], 1e-12), three)
counted.finish()
