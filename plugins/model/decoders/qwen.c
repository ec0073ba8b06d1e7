/* qwen.c - Qwen2, Qwen2.5 and Qwen3.
 *
 * Llama's shape; Qwen2 has biases on q, k, v, Qwen3 norms of each head of q and k and may have biases on q, k, v, o. With
 * "use_sliding_window" the layers from "max_window_layers" on have a window, or those that "layer_types" names. */
#include "decoders.h"

static int later(const decoder_facts *f, int64_t layer, int64_t first)
{
    (void)f;
    return layer >= first;
}

static void windows(decoder_reader *r, decoder_facts *f)
{
    int uses = decoder_truth(r, "use_sliding_window", 0);
    int64_t window = decoder_window(r, 4096);
    int64_t first = decoder_whole(r, "max_window_layers", 28, 0, 1 << 20);
    decoder_windows(r, f, uses ? window : 0, first, later);
}

static void qwen2_hf(decoder_reader *r, decoder_facts *f)
{
    decoder_read_act(r, f, "hidden_act", "silu");
    f->qkv_bias = 1;
    windows(r, f);
}

static void qwen2_gguf(decoder_reader *r, decoder_facts *f)
{
    f->qkv_bias = 1;
    decoder_windows_everywhere(f, decoder_gguf_window(r, f));
}

static void put_windows(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_act");
    decoder_put_truth(w, "use_sliding_window", f->window != 0);
    decoder_put_window(w, f);
    decoder_put_layer_types(w, f);
}

static void qwen3_hf(decoder_reader *r, decoder_facts *f)
{
    decoder_read_act(r, f, "hidden_act", "silu");
    f->qk_norm = DECODER_QK_HEAD;
    f->qkv_bias = f->o_bias = decoder_truth(r, "attention_bias", 0);
    windows(r, f);
}

static void qwen3_gguf(decoder_reader *r, decoder_facts *f)
{
    f->qk_norm = DECODER_QK_HEAD;
    decoder_windows_everywhere(f, decoder_gguf_window(r, f));
}

static void qwen3_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_truth(w, "attention_bias", f->qkv_bias);
    put_windows(w, f);
}

static const decoder_family qwen2 = {.type = "qwen2",
                                     .architecture = "Qwen2ForCausalLM",
                                     .gguf = "qwen2",
                                     .gguf_written = "qwen2",
                                     .gguf_qkv_bias = 1,
                                     .kv_heads = 32,
                                     .max_positions = 32768,
                                     .theta = 10000.0,
                                     .eps = 1e-6,
                                     .hf = qwen2_hf,
                                     .read_gguf = qwen2_gguf,
                                     .write = put_windows};
static const decoder_family qwen3 = {.type = "qwen3",
                                     .architecture = "Qwen3ForCausalLM",
                                     .gguf = "qwen3",
                                     .gguf_written = "qwen3",
                                     .kv_heads = 32,
                                     .head_dim = 128,
                                     .max_positions = 32768,
                                     .theta = 10000.0,
                                     .eps = 1e-6,
                                     .hf = qwen3_hf,
                                     .read_gguf = qwen3_gguf,
                                     .write = qwen3_write};
const decoder_family *const decoder_qwen[] = {&qwen2, &qwen3, NULL};
