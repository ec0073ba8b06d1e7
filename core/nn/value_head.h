/* value_head.h - reward models: a decoder whose last hidden state gives one number instead of a next token.
 *
 * What transformers calls *ForSequenceClassification with one label: the decoder without its language head, and `score.weight`
 * (1 x hidden). The value of a text is score . h of its last token that is not padding. The decoder is any that hone runs: the
 * configuration is turned into that of the bare model (its head is the embedding, and nobody asks for it). Does not: train it. */
#ifndef HONE_CORE_NN_VALUE_HEAD_H
#define HONE_CORE_NN_VALUE_HEAD_H
#include "base/arena.h"
#include "nn/model.h"

/* *is: `config` (Hugging Face) is one of these; then *out is the decoder's, in the arena, *pad its padding token or -1. E_UNSUPPORTED:
 * more labels than one. */
hone_status hone_value_head_config(const hone_value *config, hone_arena *arena, hone_value *out,
                                   int32_t *pad, int *is);
/* Gives m a head of zeros: hone_model_load then takes score.weight from its file. */
hone_status hone_value_head_declare(hone_model *m, int32_t pad);
/* Reads it; hone_model_load does. E_SHAPE: it is missing, or of another shape. */
hone_status hone__value_head_load(hone_model *m, const hone_tensor_reader *r);
/* score . hidden, added up in double in the order of the elements. hidden: `info.hidden` floats. */
double hone_value_head_of(const hone_model *m, const float *hidden);
#endif
