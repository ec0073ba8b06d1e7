/* llama.c - Llama 2, 3, 3.1 and later, SmolLM 1 and 2 (model_type llama), Mistral.
 *
 * The plain shape: norms before, SwiGLU. Llama may have biases, Mistral a window in every layer. GGUF files hold the
 * rows of q and k in the order of interleaved rope; Mistral's call themselves llama. */
#include "decoders.h"

#include <string.h>

static void llama_hf(decoder_reader *r, decoder_facts *f)
{
    decoder_read_act(r, f, "hidden_act", "silu");
    f->qkv_bias = f->o_bias = decoder_truth(r, "attention_bias", 0);
    f->mlp_bias = decoder_truth(r, "mlp_bias", 0);
    decoder_windows(r, f, 0, 0, NULL);
    f->ropes[0].rope.interleaved = (uint32_t)decoder_truth(r, "rope_interleaved", 0);
    decoder_truth(r, "is_llama_config",
                  1); /* SmolLM2 writes it; it says what the model type says */
}

static void llama_gguf(decoder_reader *r, decoder_facts *f)
{
    decoder_windows_everywhere(f, decoder_gguf_window(r, f));
    if (f->window) /* then it is a Mistral, whose config.json can say so */
        f->family = decoder_llama[1];
}

static void llama_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_act");
    decoder_put_truth(w, "attention_bias", f->qkv_bias);
    decoder_put_truth(w, "mlp_bias", f->mlp_bias);
    if (f->ropes[0].rope.interleaved)
        decoder_put_truth(w, "rope_interleaved", 1);
}

static void mistral_hf(decoder_reader *r, decoder_facts *f)
{
    decoder_read_act(r, f, "hidden_act", "silu");
    decoder_windows_everywhere(f, decoder_window(r, 4096));
}

static void mistral_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_act");
    decoder_put_window(w, f);
}

static const decoder_family llama = {.type = "llama",
                                     .architecture = "LlamaForCausalLM",
                                     .gguf = "llama",
                                     .gguf_written = "llama",
                                     .max_positions = 2048,
                                     .theta = 10000.0,
                                     .eps = 1e-6,
                                     .gguf_permuted = 1,
                                     .hf = llama_hf,
                                     .read_gguf = llama_gguf,
                                     .write = llama_write};
static const decoder_family mistral = {.type = "mistral",
                                       .architecture = "MistralForCausalLM",
                                       .gguf_written = "llama",
                                       .kv_heads = 8,
                                       .max_positions = 131072,
                                       .theta = 10000.0,
                                       .eps = 1e-6,
                                       .gguf_permuted = 1,
                                       .hf = mistral_hf,
                                       .write = mistral_write};
const decoder_family *const decoder_llama[] = {&llama, &mistral, NULL};
