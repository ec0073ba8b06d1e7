/* writer.c - facts as a Hugging Face config.json, in the keys that transformers 4 and 5 both read. */
#include "decoders.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void decoder_put(decoder_writer *w, const char *fmt, ...)
{
    va_list ap;
    int n;
    if (w->full)
        return;
    va_start(ap, fmt);
    n = vsnprintf(w->out + w->n, w->size - w->n, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= w->size - w->n)
        w->full = 1;
    else
        w->n += (size_t)n;
}

void decoder_put_key(decoder_writer *w, const char *key)
{
    decoder_put(w, "%s\"%s\": ", w->any ? ",\n  " : "", key);
    w->any = 1;
}

/* The shortest text that reads back equal; a point, whatever the locale says. */
static void put_shortest(decoder_writer *w, double v)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    for (char *c = text; *c; c++)
        if (*c == ',')
            *c = '.';
    decoder_put(w, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

void decoder_put_number(decoder_writer *w, const char *key, double v)
{
    decoder_put_key(w, key);
    put_shortest(w, v);
}

void decoder_put_numbers(decoder_writer *w, const char *key, const float *v, int n)
{
    decoder_put_key(w, key);
    decoder_put(w, "[");
    for (int i = 0; i < n; i++) {
        char text[40];
        for (int digits = 1; digits <= 9; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, (double)v[i]);
            if ((float)strtod(text, NULL) == v[i])
                break;
        }
        decoder_put(w, "%s", i ? ", " : "");
        put_shortest(w, strtod(text, NULL));
    }
    decoder_put(w, "]");
}

void decoder_put_whole(decoder_writer *w, const char *key, int64_t v)
{
    decoder_put_key(w, key);
    decoder_put(w, "%lld", (long long)v);
}

void decoder_put_truth(decoder_writer *w, const char *key, int v)
{
    decoder_put_key(w, key);
    decoder_put(w, "%s", v ? "true" : "false");
}

void decoder_put_text(decoder_writer *w, const char *key, const char *v)
{
    decoder_put_key(w, key);
    decoder_put(w, "\"%s\"", v);
}

void decoder_put_null(decoder_writer *w, const char *key)
{
    decoder_put_key(w, key);
    decoder_put(w, "null");
}

void decoder_put_window(decoder_writer *w, const decoder_facts *f)
{
    if (f->window)
        decoder_put_whole(w, "sliding_window", f->window);
    else
        decoder_put_null(w, "sliding_window");
}

void decoder_put_layer_types(decoder_writer *w, const decoder_facts *f)
{
    decoder_put_key(w, "layer_types");
    for (int64_t i = 0; i < f->layers; i++)
        decoder_put(w, "%s\"%s_attention\"", i ? ", " : "[", f->windowed[i] ? "sliding" : "full");
    decoder_put(w, "]");
}

size_t decoder_write(const decoder_facts *f, char *out, size_t size)
{
    decoder_writer w = {out, 0, size, 0, 0};
    decoder_put(&w, "{\n  ");
    decoder_put_key(&w, "architectures");
    decoder_put(&w, "[\"%s\"]", f->family->architecture);
    decoder_put_text(&w, "model_type", f->family->type);
    decoder_put_whole(&w, "hidden_size", f->hidden);
    decoder_put_whole(&w, "intermediate_size", f->intermediate);
    decoder_put_whole(&w, "num_hidden_layers", f->layers);
    decoder_put_whole(&w, "num_attention_heads", f->heads);
    decoder_put_whole(&w, "num_key_value_heads", f->kv_heads);
    decoder_put_whole(&w, "head_dim", f->head_dim);
    decoder_put_whole(&w, "vocab_size", f->vocab);
    decoder_put_whole(&w, "max_position_embeddings", f->max_positions);
    decoder_put_number(&w, "rms_norm_eps", f->eps);
    decoder_put_number(&w, "initializer_range", f->init_std);
    decoder_rope_write(&w, f);
    decoder_put_truth(&w, "tie_word_embeddings", f->tied);
    f->family->write(&w, f);
    if (f->bos >= 0)
        decoder_put_whole(&w, "bos_token_id", f->bos);
    if (f->n_eos == 1)
        decoder_put_whole(&w, "eos_token_id", f->eos[0]);
    if (f->n_eos > 1) {
        decoder_put_key(&w, "eos_token_id");
        for (int i = 0; i < f->n_eos; i++)
            decoder_put(&w, "%s%lld", i ? ", " : "[", (long long)f->eos[i]);
        decoder_put(&w, "]");
    }
    if (f->pad >= 0)
        decoder_put_whole(&w, "pad_token_id", f->pad);
    decoder_put(&w, "\n}\n");
    return w.full ? 0 : w.n;
}

void decoder_put_act(decoder_writer *w, const decoder_facts *f, const char *key)
{
    decoder_put_text(w, key, f->activation == DECODER_SILU ? "silu" : "gelu_pytorch_tanh");
}
