/* llama2c.c - seven numbers, checked against the size of the file, and tensors at computed places.
 *
 * The layout has no names and no lengths, so a file is believed only when the sizes its header gives add up
 * to its own size to the byte. Negative vocabularies mean a head of its own (legacy layout). The legacy
 * layout also holds tables of rope, which are left out. */
#include "nn/llama2c.h"
#include "base/alloc.h"
#include "base/paths.h"

#include <stdio.h>
#include <string.h>

enum { FACTS = 7, LEGACY_HEADER = 28, V1_HEADER = 256, LAYERS_MAX = 1024, TOKEN_MAX = 4096 };
#define MAGIC 0x616b3432u

typedef struct facts {
    int64_t dim, hidden, layers, heads, kv_heads, vocab, positions;
    int shared, version;
} facts;

typedef struct cursor {
    hone_gguf *g;
    const unsigned char *p;
    size_t at, len;
    const char *name;
} cursor;

static int32_t load32(const unsigned char *p)
{
    return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                     (uint32_t)p[3] << 24);
}

static hone_status read_facts(const unsigned char *p, size_t n, facts *f, const char *name)
{
    int64_t v[FACTS];
    memset(f, 0, sizeof *f);
    if (n < LEGACY_HEADER)
        return hone_fail(HONE_E_PARSE, "%s: cut off: %zu bytes are no llama2.c model", name, n);
    if (memcmp(p, "PK\3\4", 4) == 0 || p[0] == 0x80) {
        hone_fail(HONE_E_UNSUPPORTED, "%s: a PyTorch file, which is a program", name);
        return hone_fail_hint("hone reads safetensors, GGUF and llama2.c's .bin: convert it");
    }
    int legacy = (uint32_t)load32(p) != MAGIC;
    if (!legacy) {
        f->version = load32(p + 4);
        if (f->version != 1) {
            hone_fail(HONE_E_UNSUPPORTED, "%s: llama2.c layout of version %d", name, f->version);
            return hone_fail_hint("hone reads the legacy layout and version 1");
        }
        if (n < V1_HEADER)
            return hone_fail(HONE_E_PARSE, "%s: cut off: its header has %zu of %d bytes", name, n,
                             V1_HEADER);
    }
    for (int i = 0; i < FACTS; i++)
        v[i] = load32(p + (legacy ? 0 : 8) + 4 * i);
    f->dim = v[0], f->hidden = v[1], f->layers = v[2], f->heads = v[3], f->kv_heads = v[4];
    f->vocab = legacy && v[5] < 0 ? -v[5] : v[5];
    f->positions = v[6];
    f->shared = legacy ? v[5] > 0 : p[8 + 4 * FACTS] != 0;
    if (f->dim < 1 || f->dim > 1 << 20 || f->hidden < 1 || f->hidden > 1 << 22 || f->layers < 1 ||
        f->layers > LAYERS_MAX || f->heads < 1 || f->heads > f->dim || f->kv_heads < 1 ||
        f->kv_heads > f->heads || f->vocab < 1 || f->vocab > 1 << 24 || f->positions < 1 ||
        f->positions > 1 << 24 || f->dim % f->heads || f->heads % f->kv_heads ||
        f->dim / f->heads % 2) {
        hone_fail(HONE_E_PARSE, "%s: its header is not that of a llama2.c model", name);
        return hone_fail_hint("a .bin file is read as llama2.c's; hone also reads safetensors and "
                              "GGUF");
    }
    return HONE_OK;
}

/* ---- tensors ----------------------------------------------------------------------------------------- */
/* The next tensor of the file. layer < 0: `what` is its whole name. */
static hone_status add(cursor *c, const char *what, int64_t layer, int64_t rows, int64_t cols)
{
    hone_file_tensor *t = &c->g->tensors[c->g->n];
    char name[64];
    int n = layer < 0 ? snprintf(name, sizeof name, "%s", what)
                      : snprintf(name, sizeof name, "blk.%d.%s", (int)layer, what);
    char *copy = hone_arena_strndup(&c->g->arena, name, (size_t)n);
    if (!copy)
        return hone_error_get()->code;
    t->name = (hone_str){copy, (size_t)n};
    t->type = hone_file_type_get(HONE_FT_F32);
    t->n_dims = cols ? 2 : 1;
    t->dims[0] = rows;
    t->dims[1] = cols;
    if (hone_file_tensor_shape(t) < 0)
        return hone_fail_at("%s: tensor \"%s\"", c->name, name);
    if (t->size > c->len - c->at) {
        hone_fail(HONE_E_PARSE, "%s: tensor \"%s\": %zu bytes at byte %zu end past the file (%zu)",
                  c->name, name, t->size, c->at, c->len);
        return hone_fail_hint("the file is cut off, or is no llama2.c model");
    }
    t->data = c->p + c->at;
    c->at += t->size;
    c->g->n++;
    return hone_map_put(&c->g->names, t->name.ptr, t->name.len, t, NULL);
}

static hone_status add_layers(cursor *c, const facts *f, const char *what, int64_t rows,
                              int64_t cols)
{
    for (int64_t i = 0; i < f->layers; i++)
        HONE_TRY(add(c, what, i, rows, cols));
    return HONE_OK;
}

static hone_status add_attention(cursor *c, const facts *f)
{
    int64_t kv = f->dim / f->heads * f->kv_heads;
    HONE_TRY(add_layers(c, f, "attn_q.weight", f->dim, f->dim));
    HONE_TRY(add_layers(c, f, "attn_k.weight", kv, f->dim));
    HONE_TRY(add_layers(c, f, "attn_v.weight", kv, f->dim));
    return add_layers(c, f, "attn_output.weight", f->dim, f->dim);
}

static hone_status add_feed_forward(cursor *c, const facts *f)
{
    HONE_TRY(add_layers(c, f, "ffn_gate.weight", f->hidden, f->dim));
    HONE_TRY(add_layers(c, f, "ffn_down.weight", f->dim, f->hidden));
    return add_layers(c, f, "ffn_up.weight", f->hidden, f->dim);
}

static hone_status read_tensors(cursor *c, const facts *f)
{
    if (f->version == 1) {
        HONE_TRY(add_layers(c, f, "attn_norm.weight", f->dim, 0));
        HONE_TRY(add_layers(c, f, "ffn_norm.weight", f->dim, 0));
        HONE_TRY(add(c, "output_norm.weight", -1, f->dim, 0));
        HONE_TRY(add(c, "token_embd.weight", -1, f->vocab, f->dim));
        HONE_TRY(add_attention(c, f));
        HONE_TRY(add_feed_forward(c, f));
    } else {
        HONE_TRY(add(c, "token_embd.weight", -1, f->vocab, f->dim));
        HONE_TRY(add_layers(c, f, "attn_norm.weight", f->dim, 0));
        HONE_TRY(add_attention(c, f));
        HONE_TRY(add_layers(c, f, "ffn_norm.weight", f->dim, 0));
        HONE_TRY(add_feed_forward(c, f));
        HONE_TRY(add(c, "output_norm.weight", -1, f->dim, 0));
        size_t tables = (size_t)f->positions * (size_t)(f->dim / f->heads) * 4;
        if (tables > c->len - c->at)
            return hone_fail(HONE_E_PARSE, "%s: cut off: its tables of rope end past the file",
                             c->name);
        c->at += tables;
    }
    if (!f->shared)
        HONE_TRY(add(c, "output.weight", -1, f->vocab, f->dim));
    if (c->at != c->len) {
        hone_fail(HONE_E_PARSE, "%s: %zu bytes after the last tensor", c->name, c->len - c->at);
        return hone_fail_hint("its header does not describe this file");
    }
    return HONE_OK;
}

/* ---- metadata ---------------------------------------------------------------------------------------- */
enum { PAIRS_MAX = 24 };
static void put_value(hone_gguf *g, const char *key, hone_value v)
{
    hone_pair *pairs = (hone_pair *)(uintptr_t)g->metadata.u.map.pairs;
    pairs[g->metadata.u.map.n].key = hone_str_c(key);
    pairs[g->metadata.u.map.n++].value = v;
}
static void put_whole(hone_gguf *g, const char *key, int64_t x)
{
    hone_value v = {.type = HONE_I64};
    v.u.i64 = x;
    put_value(g, key, v);
}
static void put_number(hone_gguf *g, const char *key, double x)
{
    hone_value v = {.type = HONE_F64};
    v.u.f64 = x;
    put_value(g, key, v);
}
static void put_text(hone_gguf *g, const char *key, const char *z)
{
    hone_value v = {.type = HONE_STRING};
    v.u.str = hone_str_c(z);
    put_value(g, key, v);
}
static void put_truth(hone_gguf *g, const char *key, int x)
{
    hone_value v = {.type = HONE_BOOL};
    v.u.boolean = x;
    put_value(g, key, v);
}
static void put_list(hone_gguf *g, const char *key, const hone_value *items, size_t n)
{
    hone_value v = {.type = HONE_LIST};
    v.u.list.items = items;
    v.u.list.n = n;
    put_value(g, key, v);
}

static void put_facts(hone_gguf *g, const facts *f)
{
    put_text(g, "general.architecture", "llama");
    put_whole(g, "llama.block_count", f->layers);
    put_whole(g, "llama.context_length", f->positions);
    put_whole(g, "llama.embedding_length", f->dim);
    put_whole(g, "llama.feed_forward_length", f->hidden);
    put_whole(g, "llama.attention.head_count", f->heads);
    put_whole(g, "llama.attention.head_count_kv", f->kv_heads);
    put_number(g, "llama.attention.layer_norm_rms_epsilon", 1e-5);
    put_whole(g, "llama.rope.dimension_count", f->dim / f->heads);
    put_number(g, "llama.rope.freq_base", 10000.0);
    put_whole(g, "llama.vocab_size", f->vocab);
}

/* A piece with its spaces as SentencePiece has them. */
static hone_status piece(hone_gguf *g, const unsigned char *p, size_t n, hone_value *out)
{
    size_t spaces = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        spaces += p[i] == ' ';
    char *text = hone_arena_alloc(&g->arena, n + 2 * spaces + 1);
    if (!text)
        return hone_error_get()->code;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ' ') {
            memcpy(text + at, "\xe2\x96\x81", 3);
            at += 3;
        } else {
            text[at++] = (char)p[i];
        }
    }
    text[at] = 0;
    out->type = hone__utf8((hone_str){text, at}) ? HONE_STRING : HONE_BYTES;
    out->u.str = (hone_str){text, at};
    return HONE_OK;
}

static hone_status read_tokenizer(hone_gguf *g, const unsigned char *p, size_t len, size_t vocab,
                                  const char *name)
{
    static const char *const special[3] = {"<unk>", "<s>", "</s>"};
    size_t at = 4;
    if (len < 4 || vocab > (len - 4) / 8)
        return hone_fail(HONE_E_PARSE, "%s: its tokenizer file is cut off or not of %zu tokens",
                         name, vocab);
    hone_value *tokens = hone_arena_calloc(&g->arena, vocab, sizeof *tokens);
    hone_value *scores = hone_arena_calloc(&g->arena, vocab, sizeof *scores);
    hone_value *kinds = hone_arena_calloc(&g->arena, vocab, sizeof *kinds);
    if (!tokens || !scores || !kinds)
        return hone_error_get()->code;
    for (size_t i = 0; i < vocab; i++) {
        float score;
        if (len - at < 8)
            return hone_fail(HONE_E_PARSE, "%s: its tokenizer file is cut off at token %zu", name,
                             i);
        int32_t bits = load32(p + at), n = load32(p + at + 4);
        at += 8;
        if (n < 0 || n > TOKEN_MAX || (size_t)n > len - at)
            return hone_fail(HONE_E_PARSE, "%s: its tokenizer file: token %zu has %d bytes", name,
                             i, n);
        memcpy(&score, &bits, sizeof score);
        HONE_TRY(piece(g, p + at, (size_t)n, &tokens[i]));
        int byte = n == 6 && memcmp(p + at, "<0x", 3) == 0 && p[at + 5] == '>';
        at += (size_t)n;
        if (i < 3) {
            tokens[i].type = HONE_STRING;
            tokens[i].u.str = hone_str_c(special[i]);
        }
        scores[i].type = HONE_F64;
        scores[i].u.f64 = score == score ? (double)score : 0.0; /* NaN orders nothing */
        kinds[i].type = HONE_I64;
        kinds[i].u.i64 = i == 0 ? 2 : i < 3 ? 3 : byte ? 6 : 1;
    }
    if (at != len)
        return hone_fail(HONE_E_PARSE, "%s: its tokenizer file has %zu bytes after its %zu tokens",
                         name, len - at, vocab);
    put_text(g, "tokenizer.ggml.model", "llama");
    put_text(g, "tokenizer.ggml.pre", "default");
    put_list(g, "tokenizer.ggml.tokens", tokens, vocab);
    put_list(g, "tokenizer.ggml.scores", scores, vocab);
    put_list(g, "tokenizer.ggml.token_type", kinds, vocab);
    put_whole(g, "tokenizer.ggml.unknown_token_id", 0);
    put_whole(g, "tokenizer.ggml.bos_token_id", 1);
    put_whole(g, "tokenizer.ggml.eos_token_id", 2);
    put_truth(g, "tokenizer.ggml.add_bos_token", 1);
    put_truth(g, "tokenizer.ggml.add_eos_token", 0);
    put_truth(g, "tokenizer.ggml.add_space_prefix", 1);
    return HONE_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------- */
static hone_status parse(hone_gguf *g, const unsigned char *p, size_t n, const void *tokenizer,
                         size_t n_tokenizer, const char *name)
{
    facts f;
    cursor c = {g, p, 0, n, name};
    HONE_TRY(read_facts(p, n, &f, name));
    c.at = f.version ? V1_HEADER : LEGACY_HEADER;
    size_t most = (size_t)f.layers * 9 + 3;
    g->tensors = hone_arena_calloc(&g->arena, most, sizeof *g->tensors);
    g->metadata.type = HONE_MAP;
    g->metadata.u.map.pairs = hone_arena_calloc(&g->arena, PAIRS_MAX, sizeof(hone_pair));
    if (!g->tensors || !g->metadata.u.map.pairs)
        return hone_error_get()->code;
    HONE_TRY(read_tensors(&c, &f));
    put_facts(g, &f);
    if (tokenizer)
        HONE_TRY(read_tokenizer(g, tokenizer, n_tokenizer, (size_t)f.vocab, name));
    return HONE_OK;
}

hone_status hone_llama2c_parse(hone_gguf *g, const void *bytes, size_t n, const void *tokenizer,
                               size_t n_tokenizer, const char *name)
{
    hone_gguf fresh = {.alignment = HONE_GGUF_ALIGNMENT};
    hone_arena_init(&fresh.arena, (size_t)1 << 30);
    hone_map_init(&fresh.names);
    hone_status s = parse(&fresh, bytes, n, tokenizer, n_tokenizer, name);
    if (s < 0) {
        hone_gguf_release(&fresh);
        return s;
    }
    *g = fresh;
    return HONE_OK;
}

/* The tokenizer's file beside the model: tok512.bin, or tokenizer.bin. *found 0: there is none. */
static hone_status map_tokenizer(const char *path, const hone_mapped *model, hone_mapped *out,
                                 int *found)
{
    facts f;
    char name[32], *dir = hone_path_dir(path), *file = NULL;
    hone_status s = dir ? HONE_OK : HONE_E_NOMEM;
    *found = 0;
    if (s >= 0)
        s = read_facts(model->ptr, model->len, &f, path);
    for (int i = 0; i < 2 && s >= 0 && !*found; i++) {
        snprintf(name, sizeof name, i ? "tokenizer.bin" : "tok%lld.bin", (long long)f.vocab);
        hone_free(file);
        file = hone_path_join(dir, name);
        if (!file)
            s = HONE_E_NOMEM;
        else if (hone_file_exists(file) && (s = hone_file_map(file, out)) >= 0)
            *found = 1;
    }
    hone_free(file);
    hone_free(dir);
    return s;
}

hone_status hone_llama2c_open(hone_gguf *g, const char *path)
{
    hone_mapped file, tokenizer = {NULL, 0};
    int found = 0;
    HONE_TRY(hone_file_map(path, &file));
    hone_status s = map_tokenizer(path, &file, &tokenizer, &found);
    if (s >= 0)
        s = hone_llama2c_parse(g, file.ptr, file.len,
                               found ? (const void *)(tokenizer.ptr ? tokenizer.ptr : file.ptr)
                                     : NULL,
                               tokenizer.len, path);
    hone_file_unmap(&tokenizer);
    if (s < 0) {
        hone_file_unmap(&file);
        return s;
    }
    g->file = file;
    return HONE_OK;
}
