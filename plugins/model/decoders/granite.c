/* granite.c - Granite 3: Llama's shape with multipliers of the embedding, of what each block adds, of attention scores, and
 * a divisor of the logits. */
#include "decoders.h"

static void multiply(decoder_reader *r, decoder_facts *f)
{
    f->embed_scale = (float)f->multipliers[0];
    f->residual_scale = (float)f->multipliers[1];
    f->attention_scale = (float)f->multipliers[2];
    f->logit_scale = (float)(1.0 / f->multipliers[3]);
    if (!(f->multipliers[3] > 0.0 && f->multipliers[3] < 1e18))
        decoder_refuse(r, HONE_E_RANGE, "\"logits_scaling\" is %g", f->multipliers[3]);
}

static void granite_hf(decoder_reader *r, decoder_facts *f)
{
    decoder_read_act(r, f, "hidden_act", "silu");
    f->qkv_bias = f->o_bias = decoder_truth(r, "attention_bias", 0);
    f->mlp_bias = decoder_truth(r, "mlp_bias", 0);
    decoder_windows(r, f, 0, 0, NULL);
    f->multipliers[0] = decoder_number(r, "embedding_multiplier", 1.0);
    f->multipliers[1] = decoder_number(r, "residual_multiplier", 1.0);
    f->multipliers[2] = decoder_number(r, "attention_multiplier", 1.0);
    f->multipliers[3] = decoder_number(r, "logits_scaling", 1.0);
    multiply(r, f);
}

static void granite_gguf(decoder_reader *r, decoder_facts *f)
{
    char key[96];
    f->multipliers[0] = decoder_number(r, decoder_key(f, "embedding_scale", key), 1.0);
    f->multipliers[1] = decoder_number(r, decoder_key(f, "residual_scale", key), 1.0);
    f->multipliers[2] = decoder_number(r, decoder_key(f, "attention.scale", key),
                                       (double)f->attention_scale);
    f->multipliers[3] = decoder_number(r, decoder_key(f, "logit_scale", key), 1.0);
    multiply(r, f);
}

static void granite_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_act");
    decoder_put_truth(w, "attention_bias", f->qkv_bias);
    decoder_put_truth(w, "mlp_bias", f->mlp_bias);
    decoder_put_number(w, "embedding_multiplier", f->multipliers[0]);
    decoder_put_number(w, "residual_multiplier", f->multipliers[1]);
    decoder_put_number(w, "attention_multiplier", f->multipliers[2]);
    decoder_put_number(w, "logits_scaling", f->multipliers[3]);
}

static const decoder_family granite = {.type = "granite",
                                       .architecture = "GraniteForCausalLM",
                                       .gguf = "granite",
                                       .gguf_written = "granite",
                                       .max_positions = 2048,
                                       .theta = 10000.0,
                                       .eps = 1e-6,
                                       .gguf_permuted = 1,
                                       .hf = granite_hf,
                                       .read_gguf = granite_gguf,
                                       .write = granite_write};
const decoder_family *const decoder_granite[] = {&granite, NULL};
