/* checkpoint.h - a policy's part of a checkpoint: trainable weights and optimizer state, exactly.
 *
 * Files (in the folder that store/run.h renames into place), <prefix> being "" for the first policy:
 *   <prefix>model.safetensors     all parameters, when the base is trained (Hugging Face names, f32)
 *   <prefix>adapter.safetensors   the adapter, when one is trained (PEFT names, f32)
 *   <prefix>optimizer.safetensors <parameter>.<state> arrays, f32
 * and in state.json an entry with the counts. Rows are written, not panels, so a checkpoint does not depend on
 * layout; f32 rows come back bit for bit. (architecture.md, "Run directory") */
#ifndef HONE_CORE_TRAIN_CHECKPOINT_H
#define HONE_CORE_TRAIN_CHECKPOINT_H
#include "base/json.h"
#include "train/policy.h"

hone_status hone_policy_checkpoint(hone_policy *p, const char *dir, const char *prefix);
/* Restores what hone_policy_checkpoint wrote; E_PARSE, E_SHAPE naming file and tensor. */
hone_status hone_policy_restore(hone_policy *p, const char *dir, const char *prefix);
/* {"version":..,"optimizer_step":..,"skipped":..} as a value of the open writer, and back. */
void hone_policy_state_write(const hone_policy *p, hone_jw *w);
hone_status hone_policy_state_read(hone_policy *p, const hone_value *v);
#endif
