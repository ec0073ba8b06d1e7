/* phi3.c - Phi-3 and Phi-4-mini: Llama's shape with one matrix for q, k, v and one for gate and up; rope may turn a part
 * of each head only, and may have a factor for each pair of columns (longrope). */
#include "decoders.h"

static void phi3_hf(decoder_reader *r, decoder_facts *f)
{
    decoder_read_act(r, f, "hidden_act", "silu");
    decoder_dropout(r, "resid_pdrop");
    decoder_dropout(r, "embd_pdrop");
    decoder_whole(r, "full_attn_mod", 1, 1, 1); /* Phi-4-mini writes them; 1 changes nothing */
    decoder_whole(r, "interpolate_factor", 1, 1, 1);
    f->fused = 1;
    decoder_windows_everywhere(f, decoder_window(r, 0));
}

static void phi3_gguf(decoder_reader *r, decoder_facts *f)
{
    f->fused = 1;
    decoder_windows_everywhere(f, decoder_gguf_window(r, f));
}

static void phi3_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_act");
    decoder_put_window(w, f);
}

static const decoder_family phi3 = {.type = "phi3",
                                    .architecture = "Phi3ForCausalLM",
                                    .gguf = "phi3",
                                    .gguf_written = "phi3",
                                    .max_positions = 4096,
                                    .theta = 10000.0,
                                    .eps = 1e-5,
                                    .phi_rope = 1,
                                    .hf = phi3_hf,
                                    .read_gguf = phi3_gguf,
                                    .write = phi3_write};
const decoder_family *const decoder_phi3[] = {&phi3, NULL};
