#!/usr/bin/env python3
"""peer_torch.py FOLDER - supervised steps with PyTorch and transformers, with --lora R through PEFT: tokens a second.

The work of `hone bench train`: forward, backward, clipping of the norm, AdamW, on random ids, every token but the first a
target; one step before the clock starts; the median of the rest. Eager, float32, SDPA attention, fused AdamW, no gradient checkpointing."""
import argparse
import os
import statistics
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from transformers import AutoModelForCausalLM

from common import peak_mb, random_ids, tell

a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument("folder")
a.add_argument("--batch", type=int, default=4)
a.add_argument("--tokens", type=int, default=256)
a.add_argument("--lora", type=int, default=0)
a.add_argument("--steps", type=int, default=3)
a.add_argument("--threads", type=int, default=2)
a = a.parse_args()

torch.set_num_threads(a.threads)
transformers.logging.set_verbosity_error()
model = AutoModelForCausalLM.from_pretrained(a.folder, dtype=torch.float32, attn_implementation="sdpa")
versions = {"torch": torch.__version__, "transformers": transformers.__version__}
if a.lora:
    import peft
    versions["peft"] = peft.__version__
    model = peft.get_peft_model(model, peft.LoraConfig(r=a.lora, lora_alpha=2 * a.lora, target_modules="all-linear",
                                                       task_type="CAUSAL_LM"))
model.train()
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-9, weight_decay=0.0, fused=True)
took = []
for step in range(a.steps + 1):
    ids = torch.tensor(random_ids(a.batch * a.tokens, model.config.vocab_size, step)).view(a.batch, a.tokens)
    t = time.perf_counter()
    model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    took.append(time.perf_counter() - t)
step_s = statistics.median(took[1:])
tell(f"eager, float32, sdpa, fused AdamW, {torch.backends.cpu.get_cpu_capability()}, {a.threads} threads, steps timed: {a.steps}, "
     + (f"LoRA r{a.lora} on all-linear, {sum(p.numel() for p in trained)} trained" if a.lora else "all weights"),
     versions, tokens_per_s=a.batch * a.tokens / step_s, step_s=step_s, peak_mb=peak_mb())
