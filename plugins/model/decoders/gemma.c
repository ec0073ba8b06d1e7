/* gemma.c - Gemma 1, 2 and 3 (the text part).
 *
 * Weights of norms are added to one; embeddings are multiplied by sqrt(hidden); the gate is GELU. Gemma 2 and 3 have
 * norms before and after, a scale of the query that is no function of the head, soft caps (3: usually none), and layers
 * that alternate between a window and all positions; in Gemma 3 those with a window have their own rope base, and q and k
 * are normed by head. GGUF files hold 1 + w, and leave out the query's scale: 1/sqrt(head_dim), but hidden / heads in the
 * 27B models, which are known by their number of layers. */
#include "decoders.h"

#include <math.h>

static int alternate(const decoder_facts *f, int64_t layer, int64_t pattern)
{
    (void)f;
    return (layer + 1) % pattern != 0;
}

static void shape(decoder_facts *f, int norms)
{
    f->norms = norms;
    f->activation = DECODER_GELU_TANH;
    f->embed_scale = sqrtf((float)f->hidden);
}

static void query_scale(decoder_reader *r, decoder_facts *f, double scalar)
{
    f->query_scalar = scalar;
    if (!(scalar > 0.0 && scalar < 1e9))
        decoder_refuse(r, HONE_E_RANGE, "\"query_pre_attn_scalar\" is %g", scalar);
    else
        f->attention_scale = (float)(1.0 / sqrt(scalar));
}

/* ---- 1 --------------------------------------------------------------------------------------- */
/* "gelu" in the files of the first Gemma means the tanh form; so says transformers, too. */
static void gemma_hf(decoder_reader *r, decoder_facts *f)
{
    hone_str act = decoder_text(r, "hidden_act", "gelu_pytorch_tanh");
    decoder_read_act(r, f, "hidden_activation", "gelu_pytorch_tanh");
    if (!decoder_is(act, "gelu"))
        decoder_read_act(r, f, "hidden_act", "gelu_pytorch_tanh");
    f->qkv_bias = f->o_bias = decoder_truth(r, "attention_bias", 0);
    f->embed_scale = sqrtf((float)f->hidden);
    decoder_windows(r, f, 0, 0, NULL);
}

static void gemma_gguf(decoder_reader *r, decoder_facts *f)
{
    (void)r;
    shape(f, DECODER_NORM_BEFORE);
}

static void gemma_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_act");
    decoder_put_act(w, f, "hidden_activation");
    decoder_put_truth(w, "attention_bias", f->qkv_bias);
}

/* ---- 2 and 3 --------------------------------------------------------------------------------- */
static void read_caps(decoder_reader *r, decoder_facts *f, double attention, double final)
{
    /* null is none, absent is the usual */
    if (decoder_get(r->map, "attn_logit_softcapping"))
        attention = 0.0;
    if (decoder_get(r->map, "final_logit_softcapping"))
        final = 0.0;
    f->attention_softcap = (float)decoder_number(r, "attn_logit_softcapping", attention);
    f->logit_softcap = (float)decoder_number(r, "final_logit_softcapping", final);
}

static void both_hf(decoder_reader *r, decoder_facts *f)
{
    shape(f, DECODER_NORM_BOTH);
    decoder_read_act(r, f, "hidden_activation", "gelu_pytorch_tanh");
    if (decoder_get(r->map, "hidden_act"))
        decoder_text(r, "hidden_act", ""); /* written beside it, and not read by transformers */
    f->qkv_bias = f->o_bias = decoder_truth(r, "attention_bias", 0);
    query_scale(r, f, decoder_number(r, "query_pre_attn_scalar", 256.0));
}

static void gemma2_hf(decoder_reader *r, decoder_facts *f)
{
    both_hf(r, f);
    read_caps(r, f, 50.0, 30.0);
    decoder_windows(r, f, decoder_window(r, 4096), 2, alternate);
    if (decoder_get(r->map, "sliding_window_size")) /* the first files say it twice */
        decoder_whole(r, "sliding_window_size", f->window, f->window, f->window);
}

/* The layers with a window turn by the second rope. */
static void local_ropes(decoder_facts *f)
{
    for (int64_t i = 0; i < f->layers; i++)
        f->rope_of[i] = f->windowed[i];
}

static void gemma3_hf(decoder_reader *r, decoder_facts *f)
{
    int64_t pattern = decoder_whole(r, "sliding_window_pattern", 6, 1, 1 << 20);
    both_hf(r, f);
    f->qk_norm = DECODER_QK_HEAD;
    read_caps(r, f, 0.0, 0.0);
    pattern = decoder_whole(r, "_sliding_window_pattern", pattern, 1, 1 << 20);
    decoder_windows(r, f, decoder_window(r, 4096), pattern, alternate);
    local_ropes(f);
}

static void both_gguf(decoder_reader *r, decoder_facts *f, int64_t layers_27b, int64_t pattern)
{
    char key[96];
    int64_t window = decoder_gguf_window(r, f);
    shape(f, DECODER_NORM_BOTH);
    query_scale(
        r, f, f->layers == layers_27b ? (double)f->hidden / (double)f->heads : (double)f->head_dim);
    f->attention_softcap = (float)decoder_number(r, decoder_key(f, "attn_logit_softcapping", key),
                                                 0.0);
    f->logit_softcap = (float)decoder_number(r, decoder_key(f, "final_logit_softcapping", key),
                                             0.0);
    decoder_use(r, decoder_key(f, "attention.sliding_window_pattern", key));
    f->window = window;
    for (int64_t i = 0; i < f->layers; i++)
        f->windowed[i] = window > 0 && alternate(f, i, pattern);
}

static void gemma2_gguf(decoder_reader *r, decoder_facts *f)
{
    both_gguf(r, f, 46, 2);
}

static void gemma3_gguf(decoder_reader *r, decoder_facts *f)
{
    both_gguf(r, f, 62, 6);
    f->qk_norm = DECODER_QK_HEAD;
    local_ropes(f);
}

static void both_write(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_act(w, f, "hidden_activation");
    decoder_put_truth(w, "attention_bias", f->qkv_bias);
    decoder_put_key(w, "query_pre_attn_scalar");
    decoder_put(w, f->query_scalar == floor(f->query_scalar) ? "%.0f" : "%.17g", f->query_scalar);
    if (f->attention_softcap > 0.0f)
        decoder_put_number(w, "attn_logit_softcapping", (double)f->attention_softcap);
    else
        decoder_put_null(w, "attn_logit_softcapping");
    if (f->logit_softcap > 0.0f)
        decoder_put_number(w, "final_logit_softcapping", (double)f->logit_softcap);
    else
        decoder_put_null(w, "final_logit_softcapping");
    decoder_put_window(w, f);
    decoder_put_layer_types(w, f);
}

/* ---- the text part of a model that also sees ------------------------------------------------- */
static void files(decoder_reader *r, const hone_value *config)
{
    static const char *const around[] = {
        "vision_config",   "mm_tokens_per_image", "boi_token_index",
        "eoi_token_index", "image_token_index",   "boi_token_id",
        "eoi_token_id",    "image_token_id",      "tie_word_embeddings"};
    static const char *const others[] = {"vision_tower.", "multi_modal_projector.",
                                         "model.vision_tower.", "model.multi_modal_projector.",
                                         "language_model.lm_head."};
    const hone_store_v1 *store = r->store;
    decoder_reader top = {config, "", store, r->failed};
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        decoder_use(&top, around[i]);
    if (!HONE_HAS(store, hone_store_v1, rename) || !HONE_HAS(store, hone_store_v1, skip))
        return;
    store->rename(store, "model.", "language_model.model.");
    store->rename(store, "model.", "model.language_model.");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        store->skip(store, others[i]);
}

#define GEMMA .max_positions = 8192, .theta = 10000.0, .eps = 1e-6, .tied = 1, .norm_offset = 1.0f
static const decoder_family gemma = {.type = "gemma",
                                     .architecture = "GemmaForCausalLM",
                                     .gguf = "gemma",
                                     .gguf_written = "gemma",
                                     .kv_heads = 16,
                                     .head_dim = 256,
                                     GEMMA,
                                     .hf = gemma_hf,
                                     .read_gguf = gemma_gguf,
                                     .write = gemma_write};
static const decoder_family gemma2 = {.type = "gemma2",
                                      .architecture = "Gemma2ForCausalLM",
                                      .gguf = "gemma2",
                                      .gguf_written = "gemma2",
                                      .gguf_every = 2,
                                      .gguf_layers_27b = 46,
                                      .kv_heads = 4,
                                      .head_dim = 256,
                                      GEMMA,
                                      .hf = gemma2_hf,
                                      .read_gguf = gemma2_gguf,
                                      .write = both_write};
#undef GEMMA
/* Sizes: the configurations of the larger models leave out what is usual. */
#define GEMMA3                                                                                     \
    .hidden = 2304, .intermediate = 9216, .layers = 26, .heads = 8, .vocab = 262208,               \
    .kv_heads = 4, .head_dim = 256, .max_positions = 131072, .theta = 1000000.0,                   \
    .local_theta = 10000.0, .eps = 1e-6, .tied = 1, .norm_offset = 1.0f, .hf = gemma3_hf,          \
    .read_gguf = gemma3_gguf, .write = both_write
static const decoder_family gemma3_text = {.type = "gemma3_text",
                                           .architecture = "Gemma3ForCausalLM",
                                           .gguf = "gemma3",
                                           .gguf_written = "gemma3",
                                           .gguf_every = 6,
                                           .gguf_layers_27b = 62,
                                           GEMMA3};
static const decoder_family gemma3 = {.type = "gemma3",
                                      .architecture = "Gemma3ForConditionalGeneration",
                                      .text = "text_config",
                                      .as = &gemma3_text,
                                      .files = files,
                                      GEMMA3};
const decoder_family *const decoder_gemma[] = {&gemma, &gemma2, &gemma3_text, &gemma3, NULL};
