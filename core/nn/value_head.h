/* value_head.h - a decoder with a head of one number: reward models, and policies that say what a state is worth.
 *
 * The head is a matrix of 1 x hidden on the last hidden states, behind the final norm: `score.weight`. It is a parameter of
 * the model's store like any other, so it trains through the tape, has an optimizer state, and is in checkpoints, copies and
 * plans; but it stands beside the language model (hone_param_item.beside), whose checksums and stored types do not know it.
 *
 * REWARD: what transformers calls *ForSequenceClassification with one label: the decoder without its language head. The value of
 * a text is that of its last token that is not padding. The decoder is any that hone runs: the configuration is turned into that
 * of the bare model (its head is the embedding, and nobody asks for it), and back when it is written.
 * VALUE: a language model that says of every token's state what reward it expects (PPO's critic); what is written is the
 * language model, with the head in a file of its own, value_head.safetensors. */
#ifndef HONE_CORE_NN_VALUE_HEAD_H
#define HONE_CORE_NN_VALUE_HEAD_H
#include "base/arena.h"
#include "nn/model.h"

enum { HONE_HEAD_NONE = 0, HONE_HEAD_VALUE = 1, HONE_HEAD_REWARD = 2 };

#define HONE_VALUE_HEAD_TENSOR "score.weight"
#define HONE_VALUE_HEAD_FILE "value_head.safetensors" /* beside a language model's config.json */

/* *is: `config` (Hugging Face) is a reward model's; then *out is the decoder's, in the arena. E_UNSUPPORTED: more labels than
 * one. */
hone_status hone_value_head_config(const hone_value *config, hone_arena *arena, hone_value *out,
                                   int *is);
/* What a recipe asks for: true, "value", "reward", or { kind =, detach = }; NULL, null and false: none. E_USAGE, E_INVALID. */
hone_status hone_value_head_parse(const hone_value *v, uint32_t *kind, int *detached);
/* The padding token that a configuration names (Hugging Face, or a GGUF file's metadata), or -1. */
int32_t hone_value_head_pad(const hone_value *config);
/* Gives m, which is declared and has no memory yet, a head. in_file: hone_model_load wants it among the model's tensors; else
 * it is zero until hone_value_head_init. */
hone_status hone_value_head_declare(hone_model *m, uint32_t kind, int32_t pad, int in_file);
/* Initial values: zero for VALUE, so that it begins with saying nothing; normal with std 1 / sqrt(hidden + 1) for REWARD
 * (Stiennon et al. 2020, arXiv 2009.01325, and the code of Ziegler et al. 2019). */
hone_status hone_value_head_init(hone_model *m, uint64_t seed);
/* The head that hone_value_head_save left in a model's folder, if there is one. 1: read, 0: there is none. E_SHAPE, E_PARSE. */
int32_t hone_value_head_read(hone_model *m, const char *dir);
hone_status hone_value_head_save(const hone_model *m, const char *dir);
/* `json`, the configuration of m's decoder, as that of the reward model, appended to out. */
hone_status hone_value_head_put_config(const hone_model *m, const hone_value *config,
                                       hone_arena *arena, hone_value *out);
/* The head's values after `sum`. */
uint64_t hone__value_head_checksum(const hone_model *m, uint64_t sum);
#endif
