#!/usr/bin/env python3
"""peers_objectives.py - losses and advantages against the code of the trainers themselves, on random numbers.

HONE_PEERS=PYTHON names an interpreter with torch; trl is what is installed there. HONE_PEER_SOURCES=FOLDER[:FOLDER] has
checkouts of verl and OpenRLHF, of which single files are read (core_algos.py, loss.py, experience_maker.py), with what they
import from the rest of their packages left empty. What is not there is skipped and says so. The trainers' own functions are called
on double tensors with the settings that `compat` stands for; gradients are torch's. Prints the largest difference of each.

Rows: random lengths, holes in masks, and log-ratios up to +-30 in some, so that clamps and clips are reached."""
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import traceback
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from counted import check, finish, skip  # noqa: E402
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]  # it has a trace.py

HONE = os.environ["HONE"]
if not os.environ.get("HONE_PEERS"):
    skip("the trainers' own losses", "HONE_PEERS names no Python with torch and trl")
    finish()
if os.environ.get("PEERS_INSIDE") != "1":
    for python in os.environ["HONE_PEERS"].split(":"):
        if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
            os.environ["PEERS_INSIDE"] = "1"
            os.execv(python, [python, os.path.abspath(__file__)])
    skip("the trainers' own losses", "no Python of HONE_PEERS has torch")
    finish()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
work = tempfile.TemporaryDirectory()
WORST = {}


def evaluate(verb, name, numbers, *args):
    path = os.path.join(work.name, "numbers.json")
    with open(path, "w") as f:
        json.dump(numbers, f)
    run = subprocess.run([HONE, verb, "eval", name, "--input", path, "--json", "--f64", *args], capture_output=True, text=True)
    if run.returncode != 0:
        print(name, args, run.stderr)
        return None
    return json.loads(run.stdout)


def flat(v):
    return [x for e in v for x in flat(e)] if isinstance(v, (list, tuple)) else [float(v)]


def compare(who, what, got, want, tolerance=1e-6):
    """got, want: nested lists of numbers; the error is relative to max(1, |x|)."""
    if got is None:
        check(f"{who} {what}", False, "hone refused")
        return
    a, b = flat(got), flat(want)
    error = max([abs(x - y) / max(1, abs(y)) for x, y in zip(a, b)] or [0]) if len(a) == len(b) else float("inf")
    key = f"{who} {what}"
    WORST[key] = max(WORST.get(key, 0), error)
    check(key, error <= tolerance, f"differs by {error:.3g}: {a[:8]} wanted {b[:8]}")


def options(settings):
    out = []
    for k, v in settings.items():
        out += ["--set", f"{k}={str(v).lower() if isinstance(v, bool) else v}"]
    return out


# ---- batches ------------------------------------------------------------------------------------------------------

def batch(rng, wild=False, sequence=False, holes=True, empty=False):
    """Right-padded B x T with holes; wild: some log-ratios of up to +-30."""
    B, T = 6, 7
    mask = [[1] * n + [0] * (T - n) for n in (rng.randint(1, T) for _ in range(B))]
    if holes:
        mask = [[m if t == 0 or rng.random() > .2 else 0 for t, m in enumerate(row)] for row in mask]
    if empty:
        mask[4] = [0] * T

    def draw(lo, hi):
        return [[rng.uniform(lo, hi) for _ in range(T)] for _ in range(B)]

    def beside(rows, spread):
        return [[v + rng.uniform(-spread, spread) for v in row] for row in rows]
    logp = draw(-3, -.05)
    old = beside(logp, .5)
    if wild:
        for _ in range(8):
            b, t = rng.randrange(B), rng.randrange(T)
            old[b][t] = logp[b][t] + rng.choice([-30, -24, -3, -1.3, 1.3, 3, 24, 30])
    adv = [rng.uniform(-2, 2) for _ in range(B)]
    return {"logp": logp, "old_logp": old, "ref_logp": beside(logp, 12 if wild else .5), "sampler_logp": beside(old, .1),
            "entropy": draw(.05, 3), "mask": mask, "advantages": adv if sequence else [[a] * T for a in adv]}


def tensors(d):
    return {k: torch.tensor(v) for k, v in d.items()}


def loss_and_grad(f, *xs):
    xs = [x.clone().requires_grad_(True) for x in xs]
    loss = f(*xs)
    loss.backward()
    return loss.item(), [(x.grad if x.grad is not None else torch.zeros_like(x)).tolist() for x in xs]


def policy(who, what, name, d, compat, settings, f, entropy=False, times=1):
    """f(logp, entropy) -> the trainer's loss; times: what hone gives for each 1 of it."""
    t = tensors(d)
    loss, (grad, grad_h) = loss_and_grad(lambda *x: times * f(*x), t["logp"], t["entropy"])
    got = evaluate("objective", name, d, "--compat", compat, *options(settings))
    compare(who, what, got and [got["loss"]], [loss])
    mask = torch.tensor(d["mask"], dtype=torch.double)
    compare(who, what + ", gradient", got and got["grad"], (torch.tensor(grad) * mask).tolist())
    if entropy:
        compare(who, what + ", gradient of the entropy", got and got["grad_entropy"], (torch.tensor(grad_h) * mask).tolist())


# ---- trl ----------------------------------------------------------------------------------------------------------

class Anything:
    """An object of which only what is set is real; anything else is another one."""
    def __init__(self, **kw):
        self.__dict__.update(kw)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self, *a, **kw):
        return a[0] if a else Anything()


class Accelerator:
    num_processes = 1
    process_index = 0
    device = torch.device("cpu")
    is_main_process = True
    sync_gradients = True

    def gather(self, x):
        return x

    gather_for_metrics = gather

    def reduce(self, x, reduction="sum"):
        return x

    def pad_across_processes(self, x, dim=0, pad_index=0):
        return x


def bare(cls, **kw):
    """An object of a trainer without its __init__."""
    from collections import defaultdict
    made = type("Bare" + cls.__name__, (cls,), {"__init__": lambda self: None})()
    values = {"accelerator": Accelerator(), "_metrics": {"train": defaultdict(list), "eval": defaultdict(list)},
              "model": Anything(training=False), "aux_loss_enabled": False, "_total_train_tokens": 0, **kw}
    for k, v in values.items():
        object.__setattr__(made, k, v)
    return made


def trl_policy(trainer, d, loss_type, level="token", low=.2, high=.2, delta=None, beta=0.0, top=1.0, threshold=None, entropy=0.0,
               unbiased=False, sampler=None, length=7, tau=(1.0, 1.05)):
    t = tensors(d)
    inputs = {"prompt_ids": torch.zeros(6, 1, dtype=torch.long), "prompt_mask": torch.ones(6, 1, dtype=torch.long),
              "completion_ids": torch.zeros(t["mask"].shape, dtype=torch.long), "completion_mask": t["mask"],
              "advantages": torch.tensor([a[0] if isinstance(a, list) else a for a in d["advantages"]]), "old_per_token_logps": t["old_logp"],
              "ref_per_token_logps": t["ref_logp"], "sampling_per_token_logps": t["sampler_logp"], "num_items_in_batch": t["mask"].sum()}
    if sampler:
        mode, floor, cap = sampler
        diff = (t["old_logp"] - t["sampler_logp"]) * t["mask"]
        diff = diff.sum(-1, keepdim=True) if mode.startswith("sequence") else diff
        w = diff.exp()
        inputs["importance_sampling_ratio"] = w.clamp(floor, cap) if mode.endswith("truncate") else w * ((w >= floor) & (w <= cap))

    def f(logp, h):
        self = bare(trainer, loss_type=loss_type, importance_sampling_level=level, epsilon_low=low, epsilon_high=high, beta=beta,
                    top_entropy_quantile=top, off_policy_mask_threshold=threshold, use_vllm=bool(sampler),
                    vllm_importance_sampling_correction=bool(sampler), max_completion_length=length, current_gradient_accumulation_steps=1,
                    _entropy_bonus_enabled=entropy != 0, entropy_coef=entropy, use_adaptive_entropy=False,
                    args=Anything(delta=delta, use_bias_correction_kl=unbiased, sapo_temperature_pos=tau[0], sapo_temperature_neg=tau[1],
                                  steps_per_generation=1))
        object.__setattr__(self, "_get_per_token_logps_and_entropies", lambda *a, **k: (logp, h, None))
        return self._compute_loss(None, inputs)
    return f


def check_trl_policy():
    from trl import GRPOTrainer
    rng = random.Random(1)
    cases = [("grpo", "grpo", {}), ("bnpo", "bnpo", {}), ("dapo", "dapo", {"eps_high": .28}), ("dr_grpo", "dr_grpo", {"max_length": 11}),
             ("sapo", "sapo", {}), ("sapo", "sapo", {"tau_pos": 2, "tau_neg": .7}), ("cispo", "cispo", {"eps_high": 5}),
             ("cispo", "cispo", {"eps_high": 1.1}), ("grpo", "grpo", {"delta": 1.2}), ("grpo", "grpo", {"beta": .1}),
             ("grpo", "grpo", {"beta": .1, "unbiased": True}), ("dapo", "dapo", {"beta": .1, "unbiased": True, "eps_high": .2}),
             ("grpo", "gspo", {}), ("grpo", "gspo", {"eps_low": .1, "eps_high": .15, "beta": .2, "unbiased": True}),
             ("grpo", "grpo", {"top_entropy": .4}), ("grpo", "grpo", {"off_policy_threshold": .05}), ("dapo", "dapo", {"entropy": .1, "eps_high": .2}),
             ("grpo", "grpo", {"entropy": .1}), ("dr_grpo", "dr_grpo", {"entropy": .1, "max_length": 7}),
             ("grpo", "grpo", {"entropy": .1, "top_entropy": .5}), ("bnpo", "bnpo", {"entropy": .1, "top_entropy": .5})]
    for wild in False, True:
        for loss_type, name, o in cases:
            d = batch(rng, wild)
            if name == "gspo":
                kw = {"level": "sequence", "low": o.get("eps_low", 3e-4), "high": o.get("eps_high", 4e-4)}
            else:
                kw = {"low": o.get("eps_low", .2), "high": o.get("eps_high", .2)}
            f = trl_policy(GRPOTrainer, d, loss_type, delta=o.get("delta"), beta=o.get("beta", 0.0), top=o.get("top_entropy", 1.0),
                           threshold=o.get("off_policy_threshold"), entropy=o.get("entropy", 0.0), unbiased=o.get("unbiased", False),
                           length=o.get("max_length", 7), tau=(o.get("tau_pos", 1.0), o.get("tau_neg", 1.05)), **kw)
            policy("trl", f"{name} {o}{' wild' if wild else ''}", name, d, "trl", o, f, entropy="entropy" in o)
    for mode in "token_truncate", "token_mask", "sequence_truncate", "sequence_mask":
        d = batch(rng)
        level, how = mode.split("_")
        o = {"sampler_level": level, "sampler_mode": how, "sampler_floor": .93, "sampler_cap": 1.06}
        policy("trl", f"grpo {mode}", "grpo", d, "trl", o, trl_policy(GRPOTrainer, d, "grpo", sampler=(mode, .93, 1.06)))
    # documented: trl counts a sample without tokens in its mean over the six of them, hone takes the mean of the other five
    for name in "grpo", "dr_grpo":
        d = batch(rng, empty=True)
        policy("trl", f"{name}, a sample without tokens (6/5)", name, d, "trl", {"max_length": 7}, trl_policy(GRPOTrainer, d, name), times=6 / 5)
    try:
        from trl.experimental.gmpo import GMPOTrainer
    except ImportError as e:
        skip("trl gmpo", str(e))
        return
    for o in {"eps_low": .4, "eps_high": .4}, {"eps_low": .1, "eps_high": .2}, {"eps_low": .1, "eps_high": .2, "beta": .1}:
        for wild in False, True:
            d = batch(rng, wild)
            f = trl_policy(GMPOTrainer, d, "grpo", low=o["eps_low"], high=o["eps_high"], beta=o.get("beta", 0.0))
            policy("trl", f"gmpo {o}{' wild' if wild else ''}", "gmpo", d, "trl", o, f)


def pairs(rng, n=5):
    lengths = [[rng.randint(2, 9) for _ in range(n)] for _ in range(2)]
    p = [[-rng.uniform(.3, 2) * k for k in ks] for ks in lengths]
    return {"len_chosen": lengths[0], "len_rejected": lengths[1], "policy_chosen": p[0], "policy_rejected": p[1],
            "ref_chosen": [x + rng.uniform(-3, 3) for x in p[0]], "ref_rejected": [x + rng.uniform(-3, 3) for x in p[1]]}


def preference(who, what, name, d, compat, settings, f, tolerance=1e-6):
    t = tensors({k: v for k, v in d.items() if isinstance(v, list)})
    loss, grads = loss_and_grad(f, t["policy_chosen"], t["policy_rejected"])
    got = evaluate("objective", name, d, *(["--compat", compat] if compat else []), *options(settings))
    compare(who, what, got and [got["loss"]], [loss], tolerance)
    compare(who, what + ", gradients", got and got["grad_chosen"] + got["grad_rejected"], grads[0] + grads[1], tolerance)


def trl_pairs(trainer, d, loss_type, beta=.1, ls=0.0, f_divergence="reverse_kl", alpha=.5, tau=.05, wpo=False):
    n, T = len(d["policy_chosen"]), 10
    lengths = d["len_chosen"] + d["len_rejected"]
    mask = torch.tensor([[0] + [1] * k + [0] * (T - k) for k in lengths])
    refs = torch.tensor(d["ref_chosen"]), torch.tensor(d["ref_rejected"])

    def f(chosen, rejected):
        sums = torch.cat([chosen, rejected])
        dtype = torch.float32 if f_divergence == "alpha_divergence" else torch.float64  # it knows no double there
        sums = sums.to(dtype)
        k = torch.tensor(lengths, dtype=dtype)
        per_token = (sums / k)[:, None] * mask[:, 1:]
        both = torch.tensor(d.get("collision_chosen", [0] * n) + d.get("collision_rejected", [0] * n), dtype=dtype)
        squares = (both / k)[:, None] * mask[:, 1:]
        out = Anything(log_probs=per_token, log_sum_sq_probs=squares, entropy=per_token.detach() * 0, mean_logits=per_token.detach() * 0,
                       is_top1=mask[:, 1:] * 0)
        self = bare(trainer, loss_types=[loss_type], loss_weights=[1.0], beta=beta, label_smoothing=ls, f_divergence_type=f_divergence,
                    f_alpha_divergence_coef=alpha, use_weighting=wpo, ld_alpha=None, precompute_ref_logps=True,
                    args=Anything(discopop_tau=tau))
        inputs = {"input_ids": mask * 0, "attention_mask": mask * 0 + 1, "completion_mask": mask, "ref_chosen_logps": refs[0].to(dtype),
                  "ref_rejected_logps": refs[1].to(dtype)}
        return self._compute_loss(lambda **kw: out, inputs, False)
    return f


def check_trl_pairs():
    from trl import DPOTrainer
    rng = random.Random(2)
    cases = [("sigmoid", "dpo", {}), ("hinge", "hinge", {}), ("ipo", "ipo", {}), ("nca_pair", "nca", {}), ("bco_pair", "bco", {}),
             ("sppo_hard", "sppo", {}), ("aot", "aot", {}), ("aot", "aot", {"label_smoothing": .2}), ("aot_unpaired", "aot_unpaired", {}),
             ("apo_zero", "apo_zero", {}), ("apo_down", "apo_down", {}), ("discopop", "discopop", {}), ("discopop", "discopop", {"temperature": .3}),
             ("sigmoid_norm", "sigmoid_norm", {}), ("robust", "robust", {"label_smoothing": .1}), ("exo_pair", "exo", {"label_smoothing": .01}),
             *[(n, h, {"f_divergence": k}) for n, h in (("sigmoid", "dpo"), ("hinge", "hinge"), ("ipo", "ipo"), ("robust", "robust"),
                                                        ("sigmoid_norm", "sigmoid_norm"), ("exo_pair", "exo"), ("discopop", "discopop"))
               for k in ("forward_kl", "js", "alpha")],
             ("sigmoid", "dpo", {"f_divergence": "alpha", "alpha": 1}), ("sigmoid", "dpo", {"f_divergence": "alpha", "alpha": 2}),
             ("sigmoid", "dpo", {"wpo": True}), ("ipo", "ipo", {"wpo": True})]
    for loss_type, name, o in cases:
        for beta in (None, .7):
            d = pairs(rng)
            if o.get("wpo"):
                d["collision_chosen"] = [-rng.uniform(.5, 2) * k for k in d["len_chosen"]]
                d["collision_rejected"] = [-rng.uniform(.5, 2) * k for k in d["len_rejected"]]
            settings = {**o, **({"beta": beta} if beta else {})}
            kind = {"js": "js_divergence", "alpha": "alpha_divergence"}.get(o.get("f_divergence"), o.get("f_divergence", "reverse_kl"))
            f = trl_pairs(DPOTrainer, d, loss_type, beta or .1, o.get("label_smoothing", 1e-3 if name == "exo" else 0.0), kind,
                          float(o.get("alpha", .5)), o.get("temperature", .05), o.get("wpo", False))
            preference("trl", f"{name} {settings}", name, d, "trl", settings, f, 1e-4 if "alpha" in kind else 1e-6)
    try:
        from trl.experimental.cpo import CPOTrainer
        from trl.experimental.orpo import ORPOTrainer
    except ImportError as e:
        skip("trl cpo and orpo", str(e))
        return
    for loss_type, name, o in (("sigmoid", "cpo", {}), ("hinge", "cpo", {"loss": "hinge"}), ("ipo", "cpo", {"loss": "ipo"}),
                               ("sigmoid", "cpo", {"label_smoothing": .1}), ("simpo", "simpo", {}), ("simpo", "simpo", {"gamma": 1.2, "beta": 3}),
                               ("simpo", "alphapo", {}), ("simpo", "alphapo", {"alpha": -.4}), ("simpo", "simpo", {"label_smoothing": .1})):
        d = pairs(rng)
        mean = loss_type in ("ipo", "simpo")
        lengths = [torch.tensor(d["len_chosen"]), torch.tensor(d["len_rejected"])]

        def f(chosen, rejected):
            self = bare(CPOTrainer, alpha=o.get("alpha", .25) if name == "alphapo" else 0.0, beta=o.get("beta", .1 if name == "cpo" else 2),
                        loss_type=loss_type, simpo_gamma=o.get("gamma", .5), label_smoothing=o.get("label_smoothing", 0))
            x = [v / n for v, n in zip((chosen, rejected), lengths)] if mean else (chosen, rejected)
            return self.cpo_loss(*x)[0].mean()
        preference("trl", f"{name} {o}", name, d, "trl", o, f)
    for beta in .1, .5:
        d = pairs(rng)

        def f(chosen, rejected):  # the odds ratio alone: trl takes float there
            x = [v / torch.tensor(n) for v, n in zip((chosen, rejected), (d["len_chosen"], d["len_rejected"]))]
            return -bare(ORPOTrainer, beta=beta).odds_ratio_loss(*x)[0].mean()
        preference("trl", f"orpo beta={beta}", "orpo", d, "trl", {"nll": 0, "beta": beta}, f, 1e-5)


def check_trl_kto():
    from trl import KTOTrainer
    rng = random.Random(3)
    for loss_type, name in ("kto", "kto"), ("apo_zero_unpaired", "apo_zero_unpaired"):
        for o, kl in (({}, .4), ({"desirable_weight": 1.4, "undesirable_weight": .6}, -.3), ({"beta": .6}, .1)):
            for n_good, n_bad in (4, 2), (3, 0), (0, 3), (1, 1):
                d = pairs(rng)
                d = {k: v[:n_good] if k.endswith("chosen") else v[:n_bad] for k, v in d.items()}
                d["kto_kl"] = kl
                labels = torch.tensor([1] * n_good + [0] * n_bad)

                def f(chosen, rejected):
                    sums = torch.cat([chosen, rejected])[:, None]
                    out = Anything(log_probs=sums, entropy=sums.detach() * 0, mean_logits=sums.detach() * 0)
                    refs = torch.tensor(d["ref_chosen"] + d["ref_rejected"])
                    self = bare(KTOTrainer, loss_type=loss_type, beta=o.get("beta", .1), calculate_KL=name == "kto",
                                desirable_weight=o.get("desirable_weight", 1.0), undesirable_weight=o.get("undesirable_weight", 1.0),
                                precompute_ref_logps=True)
                    object.__setattr__(self, "_compute_kl_logps", lambda *a: torch.full((len(labels),), float(kl)))
                    mask = torch.ones(len(labels), 2, dtype=torch.long)
                    return self._compute_loss(lambda **kw: out, {
                        "label": labels, "input_ids": mask, "attention_mask": mask, "completion_mask": mask, "ref_logps": refs,
                        "ref_KL_logps": torch.zeros(len(labels))}, False)
                preference("trl", f"{name} {o} {n_good}+{n_bad}", name, d, "trl", o, f)


def check_trl_distill():
    from trl.experimental.gkd import GKDTrainer
    rng = random.Random(4)
    for beta in 0, .2, .5, 1:
        for temperature in 1, .9, 2.5:
            draw = [[[[rng.gauss(0, 2) for _ in range(6)] for _ in range(4)] for _ in range(3)] for _ in range(2)]
            mask = [[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]]
            labels = torch.tensor([[1 if m else -100 for m in row] for row in mask])
            teacher = torch.tensor(draw[1])
            loss, (grad,) = loss_and_grad(lambda x: GKDTrainer.generalized_jsd_loss(x, teacher, labels, beta=beta, temperature=temperature),
                                          torch.tensor(draw[0]))
            names = ["gkd"] + (["forward_kl"] if beta == 0 else ["reverse_kl"] if beta == 1 else [])
            for name in names:
                got = evaluate("objective", name, {"student_logits": draw[0], "teacher_logits": draw[1], "mask": mask}, "--compat", "trl",
                               *options({"temperature": temperature, **({"beta": beta} if name == "gkd" else {})}))
                compare("trl", f"{name} beta={beta} temperature={temperature}", got and [got["loss"]], [loss])
                compare("trl", f"{name} beta={beta} temperature={temperature}, gradient", got and got["grad"], grad)


# ---- files of packages that are not installed ----------------------------------------------------------------------

class Stub:
    def __init__(self, *a, **kw):
        pass

    def __call__(self, f):
        return f

    def __class_getitem__(cls, item):
        return cls


class Empty(types.ModuleType):
    """A module of which every name is a class that does nothing."""
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Stub,), {})


class Sources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """verl.* and openrlhf.*: the files named here from the checkouts, all else empty."""
    REAL = {"verl.trainer.ppo.core_algos", "verl.utils.torch_functional", "verl.utils.groupwise", "openrlhf.models.loss",
            "openrlhf.models.utils", "openrlhf.trainer.ppo_utils.experience_maker"}
    ABSENT = ("verl", "openrlhf", "omegaconf", "ray", "deepspeed", "tensordict", "flash_attn")

    def find_spec(self, name, path, target=None):
        if name.split(".")[0] not in self.ABSENT:
            return None
        if name in self.REAL:
            for folder in os.environ.get("HONE_PEER_SOURCES", "").split(":"):
                at = os.path.join(folder, *name.split(".")) + ".py"
                if folder and os.path.exists(at):
                    return importlib.util.spec_from_file_location(name, at)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Empty(spec.name)

    def exec_module(self, module):
        pass


def load(name):
    """A file of a checkout, or None."""
    module = importlib.import_module(name)
    return None if isinstance(module, Empty) else module


# ---- verl ---------------------------------------------------------------------------------------------------------

class Settings(dict):
    __getattr__ = dict.get


def check_verl():
    algos = load("verl.trainer.ppo.core_algos")
    if algos is None:
        skip("verl", "HONE_PEER_SOURCES has no checkout of it")
        return
    helper = load("verl.utils.groupwise")
    algos.as_torch_index, algos.group_mean_std = helper.as_torch_index, helper.group_mean_std
    config = type("Config", (algos.ActorConfig,), {"get": lambda self, k, v=None: getattr(self, k, v)})

    def verl(which, d, o, reduce="token-mean"):
        t = tensors(d)
        c = config()
        for k, v in {"clip_ratio": .2, "clip_ratio_low": o.get("eps_low", .2), "clip_ratio_high": o.get("eps_high", .2), "tau_pos": o.get("tau_pos", 1.0),
                     "tau_neg": o.get("tau_neg", 1.05), "global_batch_info": {}, "policy_loss": Settings(dro_beta=o.get("beta", .1))}.items():
            setattr(c, k, v)
        if o.get("dual_clip"):
            c.clip_ratio_c = o["dual_clip"]
        adv = t["advantages"] if t["advantages"].dim() == 2 else t["advantages"][:, None].expand_as(t["logp"])
        mask = t["mask"].double()
        weights = None
        if "sampler_cap" in o:  # algorithm.rollout_correction: rollout_is = token
            weights = (t["old_logp"] - t["sampler_logp"]).exp().clamp(max=o["sampler_cap"]) * mask
        return lambda logp, h: algos.get_policy_loss_fn(which)(t["old_logp"], logp, adv, mask, reduce, c, weights)[0]
    rng = random.Random(5)
    for wild in False, True:
        for which, name, o in (("vanilla", "ppo", {}), ("vanilla", "ppo", {"dual_clip": 1.3}), ("vanilla", "dapo", {"eps_high": .28}), ("gspo", "gspo", {"eps_low": 3e-4, "eps_high": 4e-4}),
                               ("gspo", "gspo_token", {"eps_low": .1, "eps_high": .2}), ("sapo", "sapo", {}), ("gpg", "gpg", {}),
                               ("geo_mean", "gmpo", {}), ("geo_mean", "gmpo", {"eps_low": .4, "eps_high": .4}), ("dro", "dro", {}),
                               ("dro", "dro", {"beta": .5}), ("cispo", "cispo", {}), ("cispo", "cispo", {"eps_low": .1, "eps_high": .3}),
                               ("vanilla", "ppo", {"sampler_cap": 1.05}), ("sapo", "sapo", {"tau_pos": 2, "tau_neg": .6})):
            d = batch(rng, wild)
            policy("verl", f"{name} {o}{' wild' if wild else ''}", name, d, "verl", o, verl(which, d, o))
    for how, reduce in (("token-sum", "token_sum"), ("seq-mean-token-sum", "seq_mean_token_sum"), ("seq-mean-token-mean", "seq_mean_token_mean"),
                        ("seq-mean-token-sum-norm", "seq_mean_token_sum_norm")):
        for empty in False, True:
            d = batch(rng, empty=empty)
            policy("verl", f"ppo {how}{', a sample without tokens' if empty else ''}", "ppo", d, "verl", {"reduce": reduce}, verl("vanilla", d, {}, how))
    for kind in "k1", "k2", "k3", "abs":
        for wild in False, True:
            d = batch(rng, wild)
            d["advantages"] = [0] * 6
            t = tensors(d)
            policy("verl", f"kl {kind}{' wild' if wild else ''}", "ppo", d, "verl", {"beta": .5, "kl": kind}, lambda logp, h: .5 * algos.agg_loss(
                algos.kl_penalty(logp, t["ref_logp"], kind), t["mask"], "token-mean"))
    for clip in .2, .5:
        d = batch(rng)
        t = {k: torch.randn(6, 7, generator=torch.Generator().manual_seed(7 + i)) for i, k in enumerate(("values", "old_values", "returns"))}
        loss, (grad,) = loss_and_grad(lambda v: algos.compute_value_loss(v, t["returns"], t["old_values"], torch.tensor(d["mask"]), clip)[0],
                                      t["values"])
        got = evaluate("objective", "value", {**d, **{k: v.tolist() for k, v in t.items()}}, "--set", f"vf_clip={clip}")
        compare("verl", f"value vf_clip={clip}", got and [got["loss"]], [loss])
        compare("verl", f"value vf_clip={clip}, gradient", got and got["grad_values"], grad)
    # advantages
    import numpy
    c = Settings(gamma=.9, norm_adv_by_std_in_grpo=True)
    for groups in ([0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 1], [3, 2, 3, 2, 2, 3]):
        for rewards in ([rng.choice([0, 1, .5, 2, -1]) for _ in range(6)], [1] * 6, [0, 0, 0, 1, 1, 1], [rng.uniform(-2, 2) for _ in range(6)]):
            d = batch(rng)
            mask = torch.tensor(d["mask"], dtype=torch.double)
            scores = torch.zeros_like(mask)
            for i, r in enumerate(rewards):
                scores[i, max(t for t, m in enumerate(d["mask"][i]) if m)] = r
            index = numpy.array(groups)
            values = torch.tensor([[rng.uniform(-1, 1) for _ in range(7)] for _ in range(6)])
            given = {"rewards": rewards, "groups": groups, "mask": d["mask"], "values": values.tolist(), "baseline": [.3] * 6}
            single = min(groups.count(g) for g in groups) == 1
            for name, call, o in (
                    ("group", lambda: algos.compute_grpo_outcome_advantage(scores.clone(), mask, index), {}),
                    ("dr_grpo", lambda: algos.compute_grpo_outcome_advantage(scores.clone(), mask, index, norm_adv_by_std_in_grpo=False), {}),
                    ("grpo_passk", lambda: algos.compute_grpo_passk_outcome_advantage(scores.clone(), mask, index, config=c), {}),
                    ("rloo", lambda: algos.compute_rloo_outcome_advantage(scores.clone(), mask, index), {}),
                    ("opo", lambda: algos.compute_opo_outcome_advantage(scores.clone(), mask, index), {}),
                    ("gpg", lambda: algos.compute_gpg_outcome_advantage(scores.clone(), mask, index), {}),
                    ("remax", lambda: algos.compute_remax_outcome_advantage(scores.clone(), torch.full((6,), .3), mask), {}),
                    ("reinforce++_baseline", lambda: algos.compute_reinforce_plus_plus_baseline_outcome_advantage(scores.clone(), mask, index), {}),
                    ("reinforce++", lambda: algos.compute_reinforce_plus_plus_outcome_advantage(scores.clone(), mask, config=c), {"gamma": .9}),
                    ("normalize_then_sum", lambda: algos.compute_gdpo_outcome_advantage(scores.clone(), mask, index), {}),
                    ("gae", lambda: algos.compute_gae_advantage_return(scores.clone(), values, mask, .9, .8), {"gamma": .9, "lambda": .8})):
                if name == "grpo_passk" and (single or sorted(rewards) != sorted(set(rewards))):
                    continue  # one sample is an error there; which of two equal best ones is taken is the sort's choice
                if name == "gpg" and not any(rewards):
                    continue
                want = call()[0] * mask
                got = evaluate("advantage", name, given, "--compat", "verl", *options(o))
                compare("verl", f"advantage {name}{', a group of one' if single else ''}", got and (torch.tensor(got["advantages"]) * mask).tolist(), want.tolist())


# ---- openrlhf -------------------------------------------------------------------------------------------------------

def check_openrlhf():
    losses = load("openrlhf.models.loss")
    if losses is None:
        skip("openrlhf", "HONE_PEER_SOURCES has no checkout of it")
        return
    kls = load("openrlhf.models.utils")
    rng = random.Random(6)

    def rlhf(d, beta=0.0, kl="k3", entropy=0.0, **kw):
        t = tensors(d)
        f = losses.PolicyLoss(**kw)

        def call(logp, h):
            loss = f(logp, t["old_logp"], t["advantages"] if t["advantages"].dim() == 2 else t["advantages"][:, None], t["mask"],
                     t["sampler_logp"])[0]
            more = {"token_level_loss": f.token_level_loss}
            if beta:
                loss = loss + beta * losses.aggregate_loss(kls.compute_approx_kl(logp, t["ref_logp"], kl), t["mask"], **more)
            return loss - entropy * losses.aggregate_loss(h, t["mask"], **more)
        return call
    for wild in False, True:
        for name, o, kw in (("ppo", {}, {}), ("ppo", {"dual_clip": 1.4}, {"dual_clip": 1.4}), ("grpo", {}, {"token_level_loss": False}),
                            ("gspo", {"eps_low": .1, "eps_high": .2}, {"policy_loss_type": "gspo", "clip_eps_low": .1}),
                            ("dapo", {}, {"clip_eps_high": .28}), ("ppo", {"beta": .2}, {"beta": .2}), ("grpo", {"beta": .2, "kl": "k2"}, {"beta": .2, "kl": "k2", "token_level_loss": False}),
                            ("ppo", {"beta": .2, "kl": "k1"}, {"beta": .2, "kl": "k1"}), ("grpo", {"entropy": .1}, {"entropy": .1, "token_level_loss": False})):
            d = batch(rng, wild)
            tolerance = {}
            if "beta" in kw:  # compute_approx_kl takes float
                d["ref_logp"] = torch.tensor(d["ref_logp"]).float().double().tolist()
                d["logp"] = torch.tensor(d["logp"]).float().double().tolist()
            policy("openrlhf", f"{name} {o}{' wild' if wild else ''}", name, d, "openrlhf", o, rlhf(d, **kw), **tolerance)
    for kind, o in (("tis", {}), ("icepop", {"sampler_mode": "mask"}), ("seq-mask-tis", {"sampler_mode": "mask", "sampler_level": "sequence"})):
        d = batch(rng)
        policy("openrlhf", f"ppo {kind}", "ppo", d, "openrlhf", {**o, "sampler_floor": .96, "sampler_cap": 1.04}, rlhf(
            d, enable_vllm_is_correction=True, vllm_is_truncated_threshold=[.96, 1.04], vllm_is_correction_type=kind))
    for empty in False, True:
        d = batch(rng, empty=empty)
        policy("openrlhf", f"grpo{', a sample without tokens' if empty else ''}", "grpo", d, "openrlhf", {}, rlhf(d, token_level_loss=False))
    for o, kw in (({}, {}), ({"label_smoothing": .2}, {"label_smoothing": .2})):
        d = pairs(rng)
        refs = torch.tensor(d["ref_chosen"]), torch.tensor(d["ref_rejected"])
        preference("openrlhf", f"dpo {o}", "dpo", d, "openrlhf", o, lambda a, b: losses.DPOLoss(.1, **kw)(a, b, *refs)[0])
    d = pairs(rng)
    refs = torch.tensor(d["ref_chosen"]), torch.tensor(d["ref_rejected"])
    preference("openrlhf", "ipo", "ipo", d, "openrlhf", {}, lambda a, b: losses.DPOLoss(.1, ipo=True)(a, b, *refs)[0])
    d = {"policy_chosen": [.3, 2, -1.5], "policy_rejected": [.1, 2.5, -3], "margin": [0, .5, 1]}
    preference("openrlhf", "rm with margins", "rm", d, "openrlhf", {}, lambda a, b: losses.PairWiseLoss()(a, b, torch.tensor(d["margin"])))
    d = batch(rng)
    t = {k: torch.randn(6, 7, generator=torch.Generator().manual_seed(17 + i)) for i, k in enumerate(("values", "old_values", "returns"))}
    loss, (grad,) = loss_and_grad(lambda v: losses.ValueLoss(.2)(v, t["old_values"], t["returns"], torch.tensor(d["mask"])), t["values"])
    got = evaluate("objective", "value", {**d, **{k: v.tolist() for k, v in t.items()}})
    compare("openrlhf", "value", got and [got["loss"]], [loss])
    compare("openrlhf", "value, gradient", got and got["grad_values"], grad)
    maker = load("openrlhf.trainer.ppo_utils.experience_maker")
    maker.apply_length_penalties = lambda *a: None
    maker.compute_reward = kls.compute_reward
    for name, estimator in (("group", "group_norm"), ("dr_grpo", "dr_grpo"), ("rloo", "rloo"), ("reinforce++", "reinforce"),
                            ("reinforce++_baseline", "reinforce_baseline"), ("gae", "gae")):
        for rewards in ([rng.uniform(-2, 2) for _ in range(6)], [1] * 6, [0, 0, 1, 1, 1, 1]):
            for holes in False, True:
                d = batch(rng, holes=holes)
                mask = torch.tensor(d["mask"])
                values = torch.tensor([[rng.uniform(-1, 1) for _ in range(7)] for _ in range(6)])
                seen = types.SimpleNamespace(index=list(range(6)), rewards=torch.tensor(rewards, dtype=torch.double), kl=torch.zeros(6, 7),
                                             action_mask=mask, values=values.clone(), info={}, advantages=None, returns=None)
                self = bare(maker.RemoteExperienceMaker, kl_ctl=Anything(value=0.0), advantage_estimator=estimator)
                self.strategy = types.SimpleNamespace(args=types.SimpleNamespace(
                    rollout=types.SimpleNamespace(n_samples_per_prompt=3), reward=types.SimpleNamespace(clip_range=None),
                    algo=types.SimpleNamespace(advantage=types.SimpleNamespace(estimator=estimator, gamma=.9 if estimator in ("gae", "reinforce") else 1.0,
                                                                               lambd=.8, no_std_norm=False))))
                self.compute_advantages_and_returns([seen])
                o = {"gamma": .9} if estimator in ("gae", "reinforce") else {}
                o = {**o, "lambda": .8} if estimator == "gae" else o
                got = evaluate("advantage", name, {"rewards": rewards, "group_size": 3, "mask": d["mask"], "values": values.tolist()},
                               "--compat", "openrlhf", *options(o))
                compare("openrlhf", f"advantage {name}{' with holes' if holes else ''}", got and got["advantages"], (seen.advantages * mask).tolist())


def main():
    sys.meta_path.append(Sources())
    try:
        import trl
        print(f"trl {trl.__version__}, torch {torch.__version__}")
        for part in check_trl_policy, check_trl_pairs, check_trl_kto, check_trl_distill:
            try:
                part()
            except (AttributeError, KeyError, TypeError):  # trl has moved on
                check(f"trl, {part.__name__}", False, traceback.format_exc(limit=-3))
    except ImportError as e:
        skip("trl", f"cannot be imported: {e}")
    for part in check_verl, check_openrlhf:
        try:
            part()
        except (AttributeError, KeyError, TypeError, ImportError):
            check(part.__name__, False, traceback.format_exc(limit=-3))
    for key, error in WORST.items():
        print(f"{error:9.2e}  {key}")
    finish()


main()
