/* checkpoint.h - a policy's part of a checkpoint: trainable weights and optimizer state, exactly.
 *
 * Files (in the folder that store/run.h renames into place), <prefix> being "" for the first policy:
 *   <prefix>model.safetensors     all parameters, when the base is trained (Hugging Face names, f32)
 *   <prefix>adapter.safetensors   the adapter, when one is trained (PEFT names, f32)
 *   <prefix>optimizer.safetensors <parameter>.<state> arrays, f32
 * Rows are written, not panels, so a checkpoint does not depend on layout; f32 rows come back bit for bit.
 *
 * With several ranks (train/comm.h) each writes what is its own: a share of the weights' tensors, the rows of
 * optimizer state in its slice, in <prefix>optimizer-00002-of-00003.safetensors. The policy's entry in
 * state.json is the manifest, which rank 0 writes: beside the counts
 *   "weights": [{"file": F, "tensors": n}, ...], "optimizer": [{"file": F, "tensors": n,
 *       "rows": {"<parameter>.<state>": [first, n], ...}}, ...]
 * "tensors" counts those in the file, "rows" names those of which it holds a part. Reading looks at the
 * manifest alone, so any number of ranks reads what any number wrote; every row must be there once. Without the
 * lists the three names above are read. (architecture.md, "Run directory", "many machines") */
#ifndef HONE_CORE_TRAIN_CHECKPOINT_H
#define HONE_CORE_TRAIN_CHECKPOINT_H
#include "base/json.h"
#include "train/policy.h"

/* Writes this rank's files into `dir`; all files are there when it succeeds. Collective. [control-thread] */
hone_status hone_policy_checkpoint(hone_policy *p, const char *dir, const char *prefix);
/* Restores what hone_policy_checkpoint wrote; `manifest` is the policy's entry in state.json. E_PARSE, E_SHAPE
 * naming file and tensor (missing, there twice, of another shape), with the policy as it was. Collective. */
hone_status hone_policy_restore(hone_policy *p, const char *dir, const char *prefix,
                                const hone_value *manifest);
/* {"version":..,"optimizer_step":..,"skipped":..,"merged":true when its adapter is} and the manifest as a value of the open writer, and the counts
 * back. Not collective: the same on every rank. */
hone_status hone_policy_state_write(hone_policy *p, const char *prefix, hone_jw *w);
hone_status hone_policy_state_read(hone_policy *p, const hone_value *v);
#endif
