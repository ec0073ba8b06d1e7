/* gguf.c - the facts of a model as GGUF metadata: what llama.cpp calls their keys, as the JSON object that
 * hone/model.h describes (a number with a point becomes a float).
 *
 * Llama 3's rope has no keys of its own there: GGUF keeps each frequency's divisor as a tensor. What GGUF
 * cannot say gives no text. */
#include "llama.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    const char *arch;
    char *out;
    size_t n, size;
    int full;
};

static void put(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct writer *w, const char *fmt, ...)
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

static void put_whole(struct writer *w, const char *key, int64_t v)
{
    put(w, ",\n  \"%s.%s\": %lld", w->arch, key, (long long)v);
}

/* The shortest text that reads back equal; a point, whatever the locale says. */
static void put_decimal(struct writer *w, double v)
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
    put(w, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void put_number(struct writer *w, const char *key, double v)
{
    put(w, ",\n  \"%s.%s\": ", w->arch, key);
    put_decimal(w, v);
}

/* What each frequency is divided by (transformers, _compute_llama3_parameters). */
static void put_rope_factors(struct writer *w, const hone_rope *r)
{
    const double pi = 3.14159265358979323846;
    put(w, ",\n  \"hone.tensor.rope_freqs.weight\": [");
    for (int32_t i = 0; i < r->rotary_dim / 2; i++) {
        double length = 2.0 * pi * pow(r->theta, 2.0 * i / r->rotary_dim), by = r->factor;
        double turns = r->original_max_positions / length;
        if (turns > r->high_freq_factor) {
            by = 1.0;
        } else if (turns >= r->low_freq_factor) {
            double part = (turns - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
            by = 1.0 / ((1.0 - part) / r->factor + part);
        }
        put(w, "%s", i ? ", " : "");
        put_decimal(w, (double)(float)by);
    }
    put(w, "]");
}

size_t llama_write_gguf(const llama_facts *f, char *out, size_t size)
{
    struct writer w = {f->family == LLAMA_QWEN2 ? "qwen2" : "llama", out, 0, size, 0};
    if (f->rope.interleaved) /* the rows of q and k then stand in neither of the two orders */
        return 0;
    put(&w, "{\n  \"general.architecture\": \"%s\"", w.arch);
    put_whole(&w, "block_count", f->layers);
    put_whole(&w, "context_length", f->max_positions);
    put_whole(&w, "embedding_length", f->hidden);
    put_whole(&w, "feed_forward_length", f->intermediate);
    put_whole(&w, "attention.head_count", f->heads);
    put_whole(&w, "attention.head_count_kv", f->kv_heads);
    put_whole(&w, "attention.key_length", f->head_dim);
    put_whole(&w, "attention.value_length", f->head_dim);
    put_number(&w, "attention.layer_norm_rms_epsilon", f->eps);
    if (f->window)
        put_whole(&w, "attention.sliding_window", f->window);
    put_whole(&w, "vocab_size", f->vocab);
    put_whole(&w, "rope.dimension_count", f->rope.rotary_dim);
    put_number(&w, "rope.freq_base", f->rope.theta);
    if (f->rope.scaling == HONE_ROPE_LINEAR) {
        put(&w, ",\n  \"%s.rope.scaling.type\": \"linear\"", w.arch);
        put_number(&w, "rope.scaling.factor", f->rope.factor);
    } else if (f->rope.scaling == HONE_ROPE_LLAMA3) {
        put_rope_factors(&w, &f->rope);
    }
    put(&w, "\n}\n");
    return w.full ? 0 : w.n;
}
