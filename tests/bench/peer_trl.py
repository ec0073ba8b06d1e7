#!/usr/bin/env python3
"""peer_trl.py FOLDER - GRPO steps with TRL's GRPOTrainer: seconds a step, seconds from the start to the end of the first step.

The work of `hone bench grpo`: prompts of a fixed length, completions that never end early, one update of all weights a step.
The reward is the completion's length in characters. TRL's defaults but: float32, no gradient checkpointing, the CPU. The first step is not counted."""
import argparse
import os
import statistics
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import accelerate
import torch
import transformers
import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

from common import peak_mb, prompts_of, since_start, tell

a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument("folder")
a.add_argument("--prompts", type=int, default=2)
a.add_argument("--samples", type=int, default=8)
a.add_argument("--prompt-tokens", type=int, default=50)
a.add_argument("--tokens", type=int, default=64)
a.add_argument("--steps", type=int, default=1)
a.add_argument("--threads", type=int, default=2)
a = a.parse_args()


class Clock(TrainerCallback):
    def __init__(self):
        self.took, self.first, self.begin = [], None, 0

    def on_step_begin(self, args, state, control, **more):
        self.begin = time.perf_counter()

    def on_step_end(self, args, state, control, **more):
        self.took.append(time.perf_counter() - self.begin)
        if self.first is None:
            self.first = since_start()


seen = []


def length(completions, completion_ids, **more):
    seen.extend(len(c) for c in completion_ids)
    return [float(len(c)) for c in completions]


torch.set_num_threads(a.threads)
transformers.logging.set_verbosity_error()
tokenizer = AutoTokenizer.from_pretrained(a.folder)
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
texts = prompts_of(lambda x: tokenizer.encode(x, add_special_tokens=False), tokenizer.decode, len(tokenizer),
                   a.prompts * (a.steps + 1), a.prompt_tokens)
model = AutoModelForCausalLM.from_pretrained(a.folder, dtype=torch.float32, attn_implementation="sdpa")
clock = Clock()
with tempfile.TemporaryDirectory() as out:
    config = trl.GRPOConfig(output_dir=out, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none",
                            per_device_train_batch_size=a.prompts * a.samples, num_generations=a.samples,
                            max_completion_length=a.tokens, generation_kwargs={"min_new_tokens": a.tokens},
                            max_steps=a.steps + 1, learning_rate=1e-9, save_strategy="no", disable_tqdm=True,
                            dataloader_pin_memory=False, logging_strategy="no")
    trainer = trl.GRPOTrainer(model=model, reward_funcs=length, args=config, train_dataset=Dataset.from_dict({"prompt": texts}),
                              processing_class=tokenizer, callbacks=[clock])
    trainer.train()
if set(seen) != {a.tokens} or len(seen) != a.prompts * a.samples * (a.steps + 1):
    raise SystemExit(f"completions of {sorted(set(seen))} tokens, {len(seen)} of them")
tell(f"GRPOTrainer's defaults (loss {config.loss_type}, beta {config.beta:g}, {config.optim.value}), float32, sdpa, no gradient checkpointing, "
     f"one batch of {a.prompts * a.samples}, min_new_tokens {a.tokens}, {torch.get_num_threads()} threads, steps timed: {a.steps}",
     {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__,
      "accelerate": accelerate.__version__},
     step_s=statistics.median(clock.took[1:]), first_step_s=clock.first, peak_mb=peak_mb())
