/* olmo.c - OLMo 2 and OLMo 3: norms stand after attention and feed-forward, q and k are normed over all of their columns
 * (OLMo et al. 2025). OLMo 3 has a window in three layers of four, which rope scaling leaves alone. */
#include "decoders.h"

static int three_of_four(const decoder_facts *f, int64_t layer, int64_t pattern)
{
    (void)f;
    return (layer + 1) % pattern != 0;
}

static void shape(decoder_facts *f)
{
    f->norms = DECODER_NORM_AFTER;
    f->qk_norm = DECODER_QK_WHOLE;
}

static void local_ropes(decoder_facts *f)
{
    for (int64_t i = 0; i < f->layers; i++)
        f->rope_of[i] = f->windowed[i];
}

static void both_hf(decoder_reader *r, decoder_facts *f)
{
    decoder_read_act(r, f, "hidden_act", "silu");
    f->qkv_bias = f->o_bias = decoder_truth(r, "attention_bias", 0);
    shape(f);
}

static void olmo2_hf(decoder_reader *r, decoder_facts *f)
{
    both_hf(r, f);
    decoder_windows(r, f, 0, 0, NULL);
}

static void olmo3_hf(decoder_reader *r, decoder_facts *f)
{
    both_hf(r, f);
    decoder_windows(r, f, decoder_window(r, 4096), 4, three_of_four);
    local_ropes(f);
}

static void olmo2_gguf(decoder_reader *r, decoder_facts *f)
{
    int64_t window = decoder_gguf_window(r, f);
    char key[96];
    shape(f);
    decoder_use(r, decoder_key(f, "attention.sliding_window_pattern", key));
    if (!window)
        return;
    f->family = decoder_olmo[1];
    f->window = window;
    f->ropes[1].rope.theta = f->ropes[0].rope.theta;
    for (int64_t i = 0; i < f->layers; i++)
        f->windowed[i] = three_of_four(f, i, 4);
    local_ropes(f);
}

static void olmo2_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_act");
    decoder_put_truth(w, "attention_bias", f->qkv_bias);
}

static void olmo3_write(decoder_writer *w, const decoder_facts *f)
{
    olmo2_write(w, f);
    decoder_put_window(w, f);
    decoder_put_layer_types(w, f);
}

static const decoder_family olmo2 = {.type = "olmo2",
                                     .architecture = "Olmo2ForCausalLM",
                                     .gguf = "olmo2",
                                     .gguf_written = "olmo2",
                                     .max_positions = 2048,
                                     .theta = 10000.0,
                                     .eps = 1e-5,
                                     .hf = olmo2_hf,
                                     .read_gguf = olmo2_gguf,
                                     .write = olmo2_write};
static const decoder_family olmo3 = {.type = "olmo3",
                                     .architecture = "Olmo3ForCausalLM",
                                     .gguf_written = "olmo2",
                                     .gguf_every = 4,
                                     .max_positions = 2048,
                                     .theta = 500000.0,
                                     .local_theta = -1.0,
                                     .eps = 1e-5,
                                     .hf = olmo3_hf,
                                     .write = olmo3_write};
const decoder_family *const decoder_olmo[] = {&olmo2, &olmo3, NULL};
