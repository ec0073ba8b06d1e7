/* gguf.c - the facts of a model as GGUF metadata: what llama.cpp calls their keys, as the JSON object that hone/model.h
 * describes (a number with a point becomes a float).
 *
 * Some things have no key there: Llama 3's rope and longrope are tensors of what each frequency is divided by; the query's
 * scale of Gemma, which layers have windows, and which turn, are rules of the architecture. A model that differs from
 * these, or has biases where its architecture has none, gives no text: it cannot be said in GGUF. */
#include "decoders.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void whole(decoder_writer *w, const char *arch, const char *tail, int64_t v)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", arch, tail);
    decoder_put_whole(w, key, v);
}

static void number(decoder_writer *w, const char *arch, const char *tail, double v)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", arch, tail);
    decoder_put_number(w, key, v);
}

/* What each frequency is divided by under Llama 3's scaling (transformers, _compute_llama3_parameters). */
static void put_llama3(decoder_writer *w, const hone_rope *r)
{
    const double pi = 3.14159265358979323846;
    float by[DECODER_MAX_HEAD / 2];
    for (int32_t i = 0; i < r->rotary_dim / 2; i++) {
        double length = 2.0 * pi * pow(r->theta, 2.0 * i / r->rotary_dim);
        double turns = r->original_max_positions / length;
        by[i] = (float)r->factor;
        if (turns > r->high_freq_factor) {
            by[i] = 1.0f;
        } else if (turns >= r->low_freq_factor) {
            double part = (turns - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
            by[i] = (float)(1.0 / ((1.0 - part) / r->factor + part));
        }
    }
    decoder_put_numbers(w, "hone.tensor.rope_freqs.weight", by, r->rotary_dim / 2);
}

static void put_rope(decoder_writer *w, const char *arch, const decoder_facts *f)
{
    const decoder_rope *p = &f->ropes[0];
    const hone_rope *r = &p->rope;
    char key[96];
    whole(w, arch, "rope.dimension_count", r->rotary_dim);
    number(w, arch, "rope.freq_base", r->theta);
    if (f->family->local_theta > 0.0)
        number(w, arch, "rope.freq_base_swa", f->ropes[1].rope.theta);
    snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
    if (r->scaling == HONE_ROPE_LINEAR || r->scaling == HONE_ROPE_YARN) {
        decoder_put_text(w, key, r->scaling == HONE_ROPE_LINEAR ? "linear" : "yarn");
        number(w, arch, "rope.scaling.factor", r->factor);
    }
    if (r->scaling == HONE_ROPE_YARN) {
        double usual = r->factor > 1.0 ? 0.1 * log(r->factor) + 1.0 : 1.0;
        whole(w, arch, "rope.scaling.original_context_length", (int64_t)p->original);
        if (p->attention_given)
            number(w, arch, "rope.scaling.attn_factor", r->attention_factor / usual);
        if (r->beta_fast > 0.0)
            number(w, arch, "rope.scaling.yarn_beta_fast", r->beta_fast);
        if (r->beta_slow > 0.0)
            number(w, arch, "rope.scaling.yarn_beta_slow", r->beta_slow);
    } else if (r->scaling == HONE_ROPE_LLAMA3) {
        put_llama3(w, r);
    } else if (r->scaling == HONE_ROPE_FACTORS && p->n_long) {
        whole(w, arch, "rope.scaling.original_context_length", (int64_t)p->original);
        number(w, arch, "rope.scaling.attn_factor", r->attention_factor);
        decoder_put_numbers(w, "hone.tensor.rope_factors_short.weight", p->factors, p->n_factors);
        decoder_put_numbers(w, "hone.tensor.rope_factors_long.weight", p->long_factors, p->n_long);
    } else if (r->scaling == HONE_ROPE_FACTORS) {
        decoder_put_numbers(w, "hone.tensor.rope_freqs.weight", p->factors, p->n_factors);
    }
}

/* Do a reader's rules for this architecture give back windows, rope and scale as they are? */
static int can_be_said(const decoder_facts *f)
{
    const decoder_family *fam = f->family;
    int64_t every = fam->gguf_every;
    if (!fam->gguf_written || f->ropes[0].rope.interleaved ||
        f->ropes[0].rope.scaling == HONE_ROPE_DYNAMIC)
        return 0;
    if (f->ropes[1].rope.scaling != HONE_ROPE_NONE)
        return 0;
    if (f->qkv_bias != fam->gguf_qkv_bias || f->o_bias || f->mlp_bias)
        return 0;
    for (int64_t i = 0; i < f->layers; i++) {
        int rest = every && (i + 1) % every == 0;
        if (fam->gguf_no_rope ? f->windowed[i] || (f->rope_of[i] < 0) != rest
                              : f->window && f->windowed[i] == rest)
            return 0;
    }
    if (fam->gguf_layers_27b) {
        double scalar = f->layers == fam->gguf_layers_27b ? (double)f->hidden / (double)f->heads
                                                          : (double)f->head_dim;
        return f->query_scalar == scalar &&
               (f->attention_softcap == 0.0f || strcmp(fam->type, "gemma2") == 0);
    }
    return 1;
}

size_t decoder_write_gguf(const decoder_facts *f, char *out, size_t size)
{
    const decoder_family *fam = f->family;
    const char *arch = fam->gguf_written;
    decoder_writer w = {out, 0, size, 0, 0};
    if (!can_be_said(f))
        return 0;
    decoder_put(&w, "{\n  ");
    decoder_put_text(&w, "general.architecture", arch);
    whole(&w, arch, "block_count", f->layers);
    whole(&w, arch, "context_length", f->max_positions);
    whole(&w, arch, "embedding_length", f->hidden);
    whole(&w, arch, "feed_forward_length", f->intermediate);
    whole(&w, arch, "attention.head_count", f->heads);
    whole(&w, arch, "attention.head_count_kv", f->kv_heads);
    whole(&w, arch, "attention.key_length", f->head_dim);
    whole(&w, arch, "attention.value_length", f->head_dim);
    number(&w, arch, "attention.layer_norm_rms_epsilon", f->eps);
    if (f->window)
        whole(&w, arch, "attention.sliding_window", f->window);
    if (f->attention_softcap > 0.0f)
        number(&w, arch, "attn_logit_softcapping", (double)f->attention_softcap);
    if (f->logit_softcap > 0.0f)
        number(&w, arch, "final_logit_softcapping", (double)f->logit_softcap);
    if (strcmp(arch, "granite") == 0) {
        number(&w, arch, "embedding_scale", f->multipliers[0]);
        number(&w, arch, "residual_scale", f->multipliers[1]);
        number(&w, arch, "attention.scale", f->multipliers[2]);
        number(&w, arch, "logit_scale", f->multipliers[3]);
    }
    whole(&w, arch, "vocab_size", f->vocab);
    put_rope(&w, arch, f);
    decoder_put(&w, "\n}\n");
    return w.full ? 0 : w.n;
}
