"""objective_eval.py - `hone objective eval` and `hone advantage eval` against the numbers of the trainers.

Every entry of goldens/objectives.json, through the command line: 1e-6 with --f64, 1e-5 without. Entries that
objectives.md names no method for are listed as DRAFTS; one that is neither is a failure. Skipped where the material is
not there."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import counted  # noqa: E402

HONE = os.environ["HONE"]
PATH = os.path.join(os.environ.get("HONE_SHARED", "../shared"), "goldens/objectives.json")
if not os.path.exists(PATH):
    print("skip: goldens/objectives.json is not there")
    sys.exit(77)
GOLD = json.load(open(PATH))
FIXTURE, PAIRS = GOLD["fixture"], GOLD["pref_fixture"]
work = tempfile.TemporaryDirectory()
USED = set()  # (section, key)
DRAFTS = {
    ("trl_grpo", "vespo"), ("trl_grpo", "luspo (sequence)"), ("verl_policy_loss", "dppo_tv"), ("verl_policy_loss", "dppo_kl"),
    ("verl_policy_loss", "dppo_tv clip=.02"), ("verl_policy_loss", "kl_cov"), ("prime_rl", "default_loss_fn (mask/threshold .05)"),
    ("prime_rl", "ipo_loss_fn (mask/threshold .05)"),
}


def entry(section, key):
    """The golden entry, which counts as used from now on."""
    USED.add((section, key))
    return GOLD[section] if key is None else GOLD[section][key]



def close(got, want, tolerance):
    if isinstance(want, list):
        return len(got) == len(want) and all(close(g, w, tolerance) for g, w in zip(got, want))
    return abs(got - want) <= tolerance * max(1, abs(want))


def evaluate(verb, name, numbers, *args):
    path = os.path.join(work.name, "numbers.json")
    with open(path, "w") as f:
        json.dump(numbers, f)
    run = subprocess.run([HONE, verb, "eval", name, "--input", path, "--json", *args], capture_output=True, text=True)
    if run.returncode != 0:
        print(run.stderr)
        return None
    return json.loads(run.stdout)


def check(verb, name, numbers, wanted, *args):
    """wanted: output key -> value"""
    for precision, tolerance in ((["--f64"], 1e-6), ([], 1e-5)):
        got = evaluate(verb, name, numbers, *args, *precision)
        bad = [k for k, w in wanted.items() if got is None or not close(got[k], w, tolerance)]
        counted.check(f"{verb} {name} {args} {precision}", not bad,
                      bad and f"{bad}: {got and got[bad[0]]}, wanted {wanted[bad[0]]}")


# ---- advantages
BASE = {"rewards": FIXTURE["rewards"], "group_size": FIXTURE["G"]}
ROWS = {**BASE, "mask": FIXTURE["mask"]}
SECOND = GOLD["trl_advantages"]["inputs"]
TWO = {"rewards": [FIXTURE["rewards"], SECOND["func2"]], "group_size": 3, "weights": [1, 0.5]}
NONE = {"rewards": [[1, None, .5, 2, 2, -1], [0, None, None, 1, 1, 1]], "group_size": 3}
VALUES = [[0.1 * ((b + t) % 3) for t in range(FIXTURE["T"])] for b in range(FIXTURE["B"])]
USED.add(("openrlhf", "advantages"))


def trl(key):
    return entry("trl_advantages", key)


def verl(key):
    return entry("verl_advantages", key)


rlhf = GOLD["openrlhf"]["advantages"]
for name, numbers, want, *args in [
    ("group", BASE, trl("group"), "--compat", "trl"),
    ("group", BASE, trl("batch"), "--compat", "trl", "--set", "scale=batch"),
    ("group", BASE, trl("none"), "--compat", "trl", "--set", "scale=none"),
    ("group", TWO, trl("two_funcs_w[1,0.5]_group"), "--compat", "trl"),
    ("normalize_then_sum", TWO, trl("two_funcs_normalize_then_sum"), "--compat", "trl"),
    ("group", NONE, trl("with_None(row1 all None; row2 func2 None)_group"), "--compat", "trl"),
    ("group", ROWS, verl("grpo"), "--compat", "verl"),
    ("dr_grpo", ROWS, verl("grpo_no_std"), "--compat", "verl"),
    ("grpo_passk", ROWS, verl("grpo_passk"), "--compat", "verl"),
    ("reinforce++_baseline", ROWS, verl("reinforce_plus_plus_baseline"), "--compat", "verl"),
    ("rloo", ROWS, verl("rloo"), "--compat", "verl"),
    ("opo", ROWS, verl("opo"), "--compat", "verl"),
    ("reinforce++", ROWS, verl("reinforce_plus_plus(gamma=1)"), "--compat", "verl"),
    ("gpg", ROWS, verl("gpg"), "--compat", "verl"),
    ("remax", {**ROWS, "baseline": 0.5}, verl("remax(baseline=0.5)"), "--compat", "verl"),
    ("gae", {**ROWS, "values": VALUES}, verl("gae(gamma=.99,lam=.95,values=0.1*((b+t)%3)) whitened"), "--compat",
     "verl", "--set", "gamma=.99", "--set", "lambda=.95"),
    ("group", BASE, rlhf["group_norm"], "--compat", "openrlhf"),
    ("rloo", BASE, rlhf["rloo"], "--compat", "openrlhf"),
    ("dr_grpo", BASE, rlhf["dr_grpo"], "--compat", "openrlhf"),
]:
    check("advantage", name, numbers, {"advantages": want}, *args)
check("advantage", "gae", {**ROWS, "values": VALUES}, {"returns": verl("gae returns")}, "--compat", "verl", "--set", "gamma=.99",
      "--set", "lambda=.95")

# ---- policy losses, with their own trainer's advantages
POLICY = {"logp": FIXTURE["new"], "old_logp": FIXTURE["old"], "ref_logp": FIXTURE["ref"],
          "sampler_logp": FIXTURE["rollout"], "mask": FIXTURE["mask"], **BASE}
MASKED = ["--set", "sampler_mode=mask"]
SEQUENCE = ["--set", "sampler_level=sequence"]
CAP = ["--set", "eps_high=.2", "--set", "sampler_cap=1.02"]
BAND = ["--set", "sampler_floor=.98", "--set", "sampler_cap=1.02"]
for section, key, name, *args in [
    ("trl_grpo", "grpo", "grpo"), ("trl_grpo", "bnpo", "bnpo"), ("trl_grpo", "dr_grpo", "dr_grpo", "--set", "max_length=8"),
    ("trl_grpo", "dapo", "dapo", "--set", "eps_high=.2"), ("trl_grpo", "sapo", "sapo"),
    ("trl_grpo", "cispo(eps_high=5)", "cispo", "--set", "eps_high=5"),
    ("trl_grpo", "cispo(eps_high=1.2)", "cispo", "--set", "eps_high=1.2"),
    ("trl_grpo", "gspo = grpo + sequence level, eps=3e-4,4e-4", "gspo"),
    ("trl_grpo", "gspo = grpo + sequence level, eps=0.2", "gspo", "--set", "eps_low=.2", "--set", "eps_high=.2"),
    ("trl_grpo", "dapo off_policy_mask_threshold=0.05", "dapo", "--set", "eps_high=.2", "--set", "off_policy_threshold=.05"),
    ("trl_grpo", "grpo beta=0.04", "grpo", "--set", "beta=.04"),
    ("trl_grpo", "dapo eps_high=0.28 delta=None", "dapo"),
    ("trl_grpo", "grpo delta=1.1 (two-sided)", "grpo", "--set", "delta=1.1"),
    ("trl_grpo", "dapo + vllm IS token_truncate C_max=1.02", "dapo", *CAP),
    ("trl_grpo", "dapo + vllm IS token_mask C_max=1.02", "dapo", *CAP, *MASKED),
    ("trl_grpo", "dapo + vllm IS sequence_truncate C_max=1.02", "dapo", *CAP, *SEQUENCE),
    ("trl_grpo", "dapo + vllm IS sequence_mask C_max=1.02", "dapo", *CAP, *SEQUENCE, *MASKED),
    ("verl_policy_loss", "vanilla token-mean", "ppo"),
    ("verl_policy_loss", "vanilla token-sum", "ppo", "--set", "reduce=token_sum"),
    ("verl_policy_loss", "vanilla seq-mean-token-sum", "ppo", "--set", "reduce=seq_mean_token_sum"),
    ("verl_policy_loss", "vanilla seq-mean-token-mean", "ppo", "--set", "reduce=seq_mean_token_mean"),
    ("verl_policy_loss", "vanilla clip_high=.28", "ppo", "--set", "eps_high=.28"),
    ("verl_policy_loss", "gspo eps=.2", "gspo", "--set", "eps_low=.2", "--set", "eps_high=.2"),
    ("openrlhf", "ppo dual_clip=1.1", "ppo", "--set", "dual_clip=1.1"),
    ("verl_policy_loss", "vanilla seq-mean-token-sum-norm", "ppo", "--set", "reduce=seq_mean_token_sum_norm"),
    ("verl_policy_loss", "vanilla clip_ratio_c=1.1", "ppo", "--set", "dual_clip=1.1"),
    ("verl_policy_loss", "gspo eps=3e-4,4e-4", "gspo"), ("verl_policy_loss", "sapo", "sapo"),
    ("verl_policy_loss", "gpg", "gpg"), ("verl_policy_loss", "geo_mean", "gmpo"), ("verl_policy_loss", "dro", "dro"),
    ("verl_policy_loss", "cispo", "cispo"), ("openrlhf", "ppo token", "ppo"),
    ("openrlhf", "ppo sample-mean", "ppo", "--set", "reduce=seq_mean_token_mean"), ("openrlhf", "gspo", "gspo"),
    ("openrlhf", "ppo + tis [0.98,1.02]", "ppo", *BAND), ("openrlhf", "ppo + icepop [0.98,1.02]", "ppo", *BAND, *MASKED),
    ("openrlhf", "ppo + seq-mask-tis [0.98,1.02]", "ppo", *BAND, *MASKED, *SEQUENCE),
]:
    want, trainer = entry(section, key), section.split("_")[0]
    check("objective", name, POLICY, {"loss": want["loss"], "grad": want["grad"]}, "--compat", trainer, *args)
TUNE = "torchtune_GRPOLoss(eps=.1,kl=.1)"
check("objective", "ppo", POLICY, {k: entry(TUNE, k) for k in ("loss", "grad")}, "--compat", "trl", "--set", "eps_low=.1",
      "--set", "eps_high=.1", "--set", "beta=.1")
# estimators of the KL: the mean over tokens, as the loss of a batch without advantages
for kind, want in entry("verl_policy_loss", "kl").items():
    none = {**POLICY, "advantages": [0] * FIXTURE["B"]}
    check("objective", "ppo", none, {"loss": want}, "--set", "beta=1", "--set", f"kl={kind}")

# ---- preference losses
UNPAIRED = {k: v[:2] if "rejected" in k else v for k, v in PAIRS.items()}
PAIR, LABELLED = "trl_dpo(beta=0.1)", "trl_kto(beta=.1; 3 desirable, 2 undesirable)"
for name, numbers, want, *args in [
    ("dpo", PAIRS, entry(PAIR, "sigmoid")), ("hinge", PAIRS, entry(PAIR, "hinge")), ("ipo", PAIRS, entry(PAIR, "ipo"), "--compat", "trl"),
    ("nca", PAIRS, entry(PAIR, "nca_pair")), ("bco", PAIRS, entry(PAIR, "bco_pair")), ("sppo", PAIRS, entry(PAIR, "sppo_hard")),
    ("aot", PAIRS, entry(PAIR, "aot")), ("aot_unpaired", PAIRS, entry(PAIR, "aot_unpaired")), ("apo_zero", PAIRS, entry(PAIR, "apo_zero")),
    ("apo_down", PAIRS, entry(PAIR, "apo_down")), ("discopop", PAIRS, entry(PAIR, "discopop")),
    ("sigmoid_norm", PAIRS, entry(PAIR, "sigmoid_norm")), ("robust", PAIRS, entry(PAIR, "robust ls=0.1"), "--set", "label_smoothing=.1"),
    ("exo", PAIRS, entry(PAIR, "exo_pair ls=1e-3")), ("aot", PAIRS, entry(PAIR, "aot ls=0.1"), "--set", "label_smoothing=.1"),
    ("dpo", PAIRS, entry(PAIR, "sigmoid forward_kl"), "--set", "f_divergence=forward_kl"),
    ("dpo", PAIRS, entry(PAIR, "sigmoid js_divergence"), "--set", "f_divergence=js"),
    ("dpo", PAIRS, entry(PAIR, "sigmoid alpha_divergence"), "--set", "f_divergence=alpha"),
    ("kto", {**UNPAIRED, "kto_kl": 0.3}, entry(LABELLED, "kto kl=0.3")),
    ("kto", {**UNPAIRED, "kto_kl": 0.3}, entry(LABELLED, "kto kl=0.3 w=(1,1.33)"), "--set", "undesirable_weight=1.33"),
    ("apo_zero_unpaired", UNPAIRED, entry(LABELLED, "apo_zero_unpaired")),
]:
    check("objective", name, numbers,
          {"loss": want["loss"], "grad_chosen": want["grad_chosen"], "grad_rejected": want["grad_rejected"]}, *args)
OTHER, RLHF, ODDS = "trl_cpo_simpo", "openrlhf_dpo", "trl_orpo(beta=.1, avg logps)"
for name, want, *args in [
    ("dpo", entry(RLHF, "dpo"), "--compat", "openrlhf"), ("dpo", entry(RLHF, "cdpo ls=.1"), "--set", "label_smoothing=.1"),
    ("ipo", entry(RLHF, "ipo (NOT length-normalised)"), "--compat", "openrlhf"),
    ("simpo", entry(OTHER, "simpo gamma=.5 beta=2")["loss"]), ("cpo", entry(OTHER, "cpo sigmoid beta=.1")["loss"]),
    ("cpo", entry(OTHER, "cpo hinge")["loss"], "--set", "loss=hinge"), ("cpo", entry(OTHER, "cpo ipo (avg)")["loss"], "--set", "loss=ipo"),
    ("alphapo", entry(OTHER, "alphapo alpha=.25 simpo beta=2")["loss"]),
    ("orpo", entry(ODDS, "minus_beta_logsig_mean"), "--set", "nll=0"),
    ("orpo", entry("llamafactory_orpo(beta=.1)", None)),
]:
    check("objective", name, PAIRS, {"loss": want}, *args)

# ---- distillation
TEACHER = GOLD["trl_gkd"]
for key in TEACHER:
    USED.add(("trl_gkd", key))
    if key.startswith("beta="):
        beta, temperature = (part.split("=")[1] for part in key.split(","))
        check("objective", "gkd", {k: TEACHER[k] for k in ("student_logits", "teacher_logits")}, {"loss": TEACHER[key]},
              "--compat", "trl", "--set", f"beta={beta}", "--set", f"temperature={temperature}")

# ---- nothing is forgotten: what is no number of a method stands here by name
INPUTS = {("trl_advantages", "inputs"), (ODDS, "note"), (ODDS, "log_odds_ratio"), (ODDS, "log_odds_chosen")}
for section, entries in GOLD.items():
    if section in ("fixture", "pref_fixture"):
        continue
    for key in entries if isinstance(entries, dict) else [None]:
        at = (section, key)
        counted.check(f"{at} is used or a draft", (at in USED) != (at in DRAFTS or at in INPUTS), at)

counted.finish()
