/* smollm3.c - SmolLM3: Llama's shape in which some layers do not turn (NoPE; Yang et al. 2025): those with a 0 in
 * "no_rope_layers", or every "no_rope_layer_interval"-th. */
#include "decoders.h"

static int turns_not(const decoder_facts *f, int64_t layer, int64_t pattern)
{
    (void)pattern;
    return f->rope_of[layer] < 0;
}

static void read_no_rope(decoder_reader *r, decoder_facts *f)
{
    const hone_value *v = decoder_use(r, "no_rope_layers");
    int64_t every = decoder_whole(r, "no_rope_layer_interval", 4, 1, 1 << 20);
    if (v && (v->type != HONE_LIST || v->u.list.n != (size_t)f->layers)) {
        decoder_refuse(r, HONE_E_INVALID, "\"no_rope_layers\" does not name %lld layers",
                       (long long)f->layers);
        return;
    }
    for (int64_t i = 0; i < f->layers; i++) {
        const hone_value *x = v ? &v->u.list.items[i] : NULL;
        int turns = (i + 1) % every != 0;
        if (x && x->type == HONE_BOOL)
            turns = x->u.boolean != 0;
        else if (x && x->type == HONE_I64 && (x->u.i64 == 0 || x->u.i64 == 1))
            turns = x->u.i64 != 0;
        else if (x)
            decoder_refuse(r, HONE_E_TYPE, "\"no_rope_layers\": layer %lld has neither 0 nor 1",
                           (long long)i);
        f->rope_of[i] = turns ? 0 : -1;
    }
}

static void smollm3_hf(decoder_reader *r, decoder_facts *f)
{
    int uses = decoder_truth(r, "use_sliding_window", 0);
    int64_t window = decoder_window(r, 0);
    decoder_read_act(r, f, "hidden_act", "silu");
    f->qkv_bias = f->o_bias = decoder_truth(r, "attention_bias", 0);
    f->mlp_bias = decoder_truth(r, "mlp_bias", 0);
    decoder_whole(r, "max_window_layers", 0, 0, 1 << 20); /* in its files; never read */
    read_no_rope(r, f);
    decoder_windows(r, f, uses ? window : 0, 0, turns_not);
}

static void smollm3_gguf(decoder_reader *r, decoder_facts *f)
{
    (void)r;
    for (int64_t i = 0; i < f->layers; i++)
        f->rope_of[i] = (i + 1) % 4 ? 0 : -1;
}

static void smollm3_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_act");
    decoder_put_truth(w, "attention_bias", f->qkv_bias);
    decoder_put_truth(w, "mlp_bias", f->mlp_bias);
    decoder_put_key(w, "no_rope_layers");
    for (int64_t i = 0; i < f->layers; i++)
        decoder_put(w, "%s%d", i ? ", " : "[", f->rope_of[i] >= 0);
    decoder_put(w, "]");
    decoder_put_truth(w, "use_sliding_window", f->window != 0);
    decoder_put_window(w, f);
    decoder_put_layer_types(w, f);
}

static const decoder_family smollm3 = {.type = "smollm3",
                                       .architecture = "SmolLM3ForCausalLM",
                                       .gguf = "smollm3",
                                       .gguf_written = "smollm3",
                                       .gguf_every = 4,
                                       .gguf_no_rope = 1,
                                       .kv_heads = 4,
                                       .max_positions = 32768,
                                       .theta = 2000000.0,
                                       .eps = 1e-6,
                                       .tied = 1,
                                       .gguf_permuted = 1,
                                       .hf = smollm3_hf,
                                       .read_gguf = smollm3_gguf,
                                       .write = smollm3_write};
const decoder_family *const decoder_smollm3[] = {&smollm3, NULL};
