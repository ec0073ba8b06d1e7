/* load.c - fills a model's parameters from a file's tensors, in parallel.
 *
 * First every parameter is matched to a tensor and every tensor to a parameter; whatever is
 * missing, left over or of another shape is reported in one error, before a value is read. Then
 * blocks of rows are read, dequantised and packed into panels by all threads, and let go of, so that
 * the pages of a mapped file never add to the weights made of them. Names: Hugging Face's or GGUF's as
 * the reader says; a Hugging Face file saved from the bare model lacks the prefix "model.". GGUF files
 * of the llama family hold the rows of q and k in the order of interleaved rope; they are put back
 * here. */
#include "nn/model.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "nn/dequant.h"
#include "nn/quant_keep.h"
#include "ops/storage.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_ROWS = 128, SHOWN = 5 };

struct job {
    hone_model *m;
    const hone_tensor_reader *r;
    hone_tensor_entry *entries; /* by parameter */
    uint8_t *found;
    int64_t *first_task; /* by parameter, n + 1 */
    hone_status failed;
    hone_error error;
    pthread_mutex_t lock;
};

int64_t hone_model_gguf_row(int64_t row, int64_t rows, uint32_t heads)
{
    int64_t dim, half, in;
    if (heads == 0 || rows % (int64_t)heads)
        return row;
    dim = rows / (int64_t)heads;
    if (dim % 2)
        return row;
    half = dim / 2;
    in = row % dim;
    return row - in + in % 2 * half + in / 2;
}

/* ---- matching -------------------------------------------------------------------------------- */
struct report {
    hone_buf missing, extra, shape;
    size_t n_missing, n_extra, n_shape;
};

static void note(hone_buf *b, size_t *n, const char *name)
{
    if ((*n)++ < SHOWN)
        hone_buf_addf(b, "%s%s", b->len ? ", " : "", name);
}

static int32_t find_named(const hone_tensor_reader *r, hone_tensor_entry *e, char *name,
                          size_t size, const char *head, const char *tail)
{
    int n = snprintf(name, size, "%s%s", head, tail);
    return n < 0 || (size_t)n >= size ? 0 : r->find(r->ctx, name, e);
}

int32_t hone_model_find_tensor(const hone_params *p, const hone_param_item *it,
                               const hone_tensor_reader *r, hone_tensor_entry *e, char *name,
                               size_t size)
{
    const char *own = r->gguf ? it->gguf_name : it->name, *from, *to;
    int32_t got = own ? find_named(r, e, name, size, "", own) : 0;
    for (int32_t i = 0; got == 0 && own && !r->gguf && hone_params_rename_get(p, i, &from, &to);
         i++)
        if (strncmp(own, from, strlen(from)) == 0)
            got = find_named(r, e, name, size, to, own + strlen(from));
    if (got == 0 && own && !r->gguf && strncmp(own, "model.", 6) == 0)
        got = find_named(r, e, name, size, "", own + 6);
    if (got == 0)
        snprintf(name, size, "%s", own ? own : it->name);
    return got;
}

static hone_status match_params(struct job *j, hone_map *used, struct report *rep)
{
    const hone_params *p = j->m->params;
    for (hone_param i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        hone_tensor_entry *e = &j->entries[i];
        char name[256];
        int32_t got;
        int fits;
        if (!it || it->adapter >= 0)
            continue;
        got = hone_model_find_tensor(p, it, j->r, e, name, sizeof name);
        HONE_TRY(got);
        if (!got) {
            if (!(it->flags & HONE_PARAM_OPTIONAL))
                note(&rep->missing, &rep->n_missing, name);
            continue;
        }
        HONE_TRY(hone_map_put(used, name, strlen(name), j, NULL));
        fits = it->is_vector ? e->rows == it->cols && e->cols == 0
                             : e->rows == it->rows && e->cols == it->cols;
        if (!fits && rep->n_shape++ < SHOWN)
            hone_buf_addf(&rep->shape, "%s%s is %lldx%lld, not %lldx%lld",
                          rep->shape.len ? ", " : "", name, (long long)e->rows,
                          (long long)(e->cols ? e->cols : 1),
                          (long long)(it->is_vector ? it->cols : it->rows),
                          (long long)(it->is_vector ? 1 : it->cols));
        j->found[i] = (uint8_t)fits;
    }
    return HONE_OK;
}

static int ends_with(const char *z, const char *tail)
{
    size_t n = strlen(z), k = strlen(tail);
    return n >= k && strcmp(z + n - k, tail) == 0;
}

/* Tensors that change nothing: the copy of a tied head, parts that the model leaves out, tables that rope
 * computes itself or that the component had as metadata (reader.c). */
static int is_ignored(const struct job *j, const char *name)
{
    int tied = j->m->info.head == j->m->info.embed;
    if (tied && (strcmp(name, "lm_head.weight") == 0 || strcmp(name, "output.weight") == 0))
        return 1;
    if (!j->r->gguf)
        return ends_with(name, "rotary_emb.inv_freq") || hone_params_skips(j->m->params, name);
    return ends_with(name, ".attn_rot_embd") || strcmp(name, "rope_freqs.weight") == 0 ||
           strcmp(name, "rope_factors_long.weight") == 0 ||
           strcmp(name, "rope_factors_short.weight") == 0;
}

static hone_status report(const struct report *rep, const char *place)
{
    hone_buf text;
    if (!rep->n_missing && !rep->n_extra && !rep->n_shape)
        return HONE_OK;
    hone_buf_init(&text, 4096);
    if (rep->n_missing)
        hone_buf_addf(&text, "%zu missing (%s%s)", rep->n_missing, rep->missing.ptr,
                      rep->n_missing > SHOWN ? ", ..." : "");
    if (rep->n_shape)
        hone_buf_addf(&text, "%s%zu of another shape (%s%s)", text.len ? "; " : "", rep->n_shape,
                      rep->shape.ptr, rep->n_shape > SHOWN ? ", ..." : "");
    if (rep->n_extra)
        hone_buf_addf(&text, "%s%zu that the model does not have (%s%s)", text.len ? "; " : "",
                      rep->n_extra, rep->extra.ptr, rep->n_extra > SHOWN ? ", ..." : "");
    hone_fail(HONE_E_SHAPE, "%s: its tensors do not fit the configuration: %s", place, text.ptr);
    hone_buf_release(&text);
    return HONE_E_SHAPE;
}

static hone_status match(struct job *j)
{
    struct report rep;
    hone_map used;
    hone_status s;
    memset(&rep, 0, sizeof rep);
    hone_buf_init(&rep.missing, 2048);
    hone_buf_init(&rep.extra, 2048);
    hone_buf_init(&rep.shape, 2048);
    hone_map_init(&used);
    s = match_params(j, &used, &rep);
    for (size_t i = 0; s >= 0 && i < j->r->n_tensors; i++) {
        const char *name = j->r->name(j->r->ctx, i);
        if (name && !hone_map_has(&used, name, strlen(name)) && !is_ignored(j, name))
            note(&rep.extra, &rep.n_extra, name);
    }
    if (s >= 0)
        s = report(&rep, j->r->place);
    hone_map_release(&used);
    hone_buf_release(&rep.missing);
    hone_buf_release(&rep.extra);
    hone_buf_release(&rep.shape);
    return s;
}

/* ---- storage --------------------------------------------------------------------------------- */
hone_status hone_storage_parse(const char *text, uint32_t *out)
{
    const hone_storage *s = text ? hone_storage_named(text) : hone_storage_get(HONE_F32);
    int keep = text && strcmp(text, "keep") == 0;
    if (!s && !keep) {
        hone_fail(HONE_E_USAGE, "weights are not stored as \"%.40s\"", text);
        return hone_fail_hint(
            "f32, bf16, f16, q8_0, q4_0, q4_1, q4_k, or keep: each matrix as its file has it");
    }
    *out = keep ? HONE_STORAGE_KEEP : s->dtype;
    return HONE_OK;
}

/* What a matrix is stored as without loss: float8 has a bfloat16 for every value. */
static hone_status type_in_file(const hone_params *p, const hone_param_item *it,
                                const hone_tensor_reader *r, uint32_t *out)
{
    hone_tensor_entry e;
    char name[256];
    int32_t found = r ? hone_model_find_tensor(p, it, r, &e, name, sizeof name) : 0;
    HONE_TRY(found);
    *out = HONE_F32;
    if (!found || (r->gguf && it->gguf_offset != 0.0f))
        return HONE_OK;
    if (e.type == HONE_FT_BF16 || e.type == HONE_FT_F8_E4M3 || e.type == HONE_FT_F8_E5M2)
        *out = HONE_BF16;
    else if (e.type == HONE_FT_F16)
        *out = HONE_F16;
    else if (r->row && hone_quant_keeps(e.type))
        *out = hone_quant_keeps(e.type);
    return HONE_OK;
}

hone_status hone_model_place(hone_model *m, uint32_t storage, const hone_tensor_reader *r)
{
    hone_params *p = m->params;
    for (hone_param i = 0; storage && i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        uint32_t dtype = storage;
        if (it->is_vector || it->beside)
            continue;
        if (storage == HONE_STORAGE_KEEP)
            HONE_TRY(type_in_file(p, it, r, &dtype));
        else
            dtype = hone_quant_storage_for(storage, it->cols);
        HONE_TRY(hone_params_set_storage(p, i, dtype));
    }
    HONE_TRY(hone_params_seal(p));
    hone_params_tape(p, &m->tape_params);
    return HONE_OK;
}

hone_status hone_model_set_precision(hone_model *m, const char *text, int trained)
{
    const hone_params *p = m->params;
    m->integer_modes = 0;
    if (!text || strcmp(text, "f32") == 0)
        return HONE_OK;
    if (strcmp(text, "int8") != 0) {
        hone_fail(HONE_E_USAGE, "products are not computed in \"%.40s\"", text);
        return hone_fail_hint("f32 or int8");
    }
    for (hone_param i = 0; i < hone_params_count(p); i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (!it || !hone_storage_get(it->dtype)->put)
            continue;
        m->integer_modes = 1u << HONE_MODE_PREFILL | 1u << HONE_MODE_DECODE;
        m->integer_modes |= trained ? 0 : 1u << HONE_MODE_SCORE;
        return HONE_OK;
    }
    hone_fail(HONE_E_USAGE, "int8 products need quantised weights, and there are none");
    return hone_fail_hint(
        "--storage q8_0, or keep for a quantised file (in a recipe: storage = \"q8_0\")");
}

/* ---- reading --------------------------------------------------------------------------------- */
/* The row of a permuted file that holds row `row`: the inverse of hone_model_gguf_row. */
static int64_t row_in_file(int64_t row, int64_t rows, uint32_t heads)
{
    int64_t dim = rows / (int64_t)heads, half = dim / 2, in = row % dim;
    if (rows % (int64_t)heads || dim % 2)
        return row;
    return row - in + (in < half ? 2 * in : 2 * (in - half) + 1);
}

/* A permuted vector (biases of q and k) is put in order by way of a copy. */
static hone_status order_vector(const hone_param_item *it, float *v)
{
    float *copy = hone_reallocarray(NULL, (size_t)it->cols, sizeof *copy);
    if (!copy)
        return HONE_E_NOMEM;
    memcpy(copy, v, (size_t)it->cols * sizeof *copy);
    for (int64_t k = 0; k < it->cols; k++)
        v[hone_model_gguf_row(k, it->cols, it->gguf_permute_heads)] = copy[k];
    hone_free(copy);
    return HONE_OK;
}

hone_status hone_model_read_rows(const hone_tensor_reader *r, const hone_param_item *it,
                                 const hone_tensor_entry *e, int64_t first, int64_t n, float *out)
{
    int permuted = r->gguf && it->gguf_permute_heads;
    if (permuted && !it->is_vector) {
        for (int64_t k = 0; k < n; k++)
            HONE_TRY(r->read(r->ctx, e, row_in_file(first + k, it->rows, it->gguf_permute_heads), 1,
                             out + k * it->cols));
    } else {
        HONE_TRY(r->read(r->ctx, e, first, n, out));
        if (permuted)
            HONE_TRY(order_vector(it, out));
    }
    if (r->gguf && it->gguf_offset != 0.0f)
        for (int64_t k = 0; k < n * it->cols; k++)
            out[k] -= it->gguf_offset;
    return HONE_OK;
}

/* Whether it is stored with the codes of its file. */
static int keeps_codes(const hone_tensor_reader *r, const hone_param_item *it,
                       const hone_tensor_entry *e)
{
    return r->row && !it->is_vector && it->dtype == hone_quant_keeps(e->type) &&
           !(r->gguf && it->gguf_offset != 0.0f);
}

static hone_status load_codes(const struct job *j, hone_param i, int64_t first, int64_t n)
{
    const hone_tensor_reader *r = j->r;
    const hone_param_item *it = hone_params_item(j->m->params, i);
    for (int64_t k = first; k < first + n; k++) {
        int64_t at = r->gguf && it->gguf_permute_heads
                         ? row_in_file(k, it->rows, it->gguf_permute_heads)
                         : k;
        const unsigned char *blocks = r->row(r->ctx, &j->entries[i], at);
        if (!blocks)
            return hone_fail(HONE_E_STATE, "%s: its tensors are no longer mapped", r->place);
        HONE_TRY(hone_params_set_blocks(j->m->params, i, k, j->entries[i].type, blocks));
    }
    return HONE_OK;
}

static hone_status load_block(const struct job *j, hone_param i, int64_t first, int64_t n)
{
    const hone_param_item *it = hone_params_item(j->m->params, i);
    if (keeps_codes(j->r, it, &j->entries[i]))
        return load_codes(j, i, first, n);
    float *rows = hone_reallocarray(NULL, (size_t)n * (size_t)it->cols, sizeof *rows);
    hone_status s;
    if (!rows)
        return HONE_E_NOMEM;
    s = hone_model_read_rows(j->r, it, &j->entries[i], first, n, rows);
    if (s >= 0)
        s = hone_params_set_rows(j->m->params, i, first, n, rows);
    hone_free(rows);
    return s;
}

static void load_task(void *arg, int64_t task, uint32_t thread)
{
    struct job *j = arg;
    hone_param i = 0, n = hone_params_count(j->m->params);
    const hone_param_item *it;
    int64_t first, rows;
    hone_status s;
    (void)thread;
    while (i + 1 < n && j->first_task[i + 1] <= task)
        i++;
    it = hone_params_item(j->m->params, i);
    first = (task - j->first_task[i]) * BLOCK_ROWS;
    rows = it->rows - first < BLOCK_ROWS ? it->rows - first : BLOCK_ROWS;
    s = load_block(j, i, first, rows);
    if (s >= 0 && j->r->done)
        j->r->done(j->r->ctx, &j->entries[i], first, rows);
    if (s < 0) {
        pthread_mutex_lock(&j->lock);
        if (j->failed == HONE_OK) {
            j->failed = s;
            j->error = *hone_error_get();
        }
        pthread_mutex_unlock(&j->lock);
    }
}

hone_status hone_model_load(hone_model *m, const hone_tensor_reader *r, const hone_exec *exec)
{
    hone_param n = hone_params_count(m->params);
    struct job j;
    int64_t tasks = 0;
    hone_status s = HONE_E_NOMEM;
    memset(&j, 0, sizeof j);
    j.m = m;
    j.r = r;
    pthread_mutex_init(&j.lock, NULL);
    j.entries = hone_calloc((size_t)n, sizeof *j.entries);
    j.found = hone_calloc((size_t)n, 1);
    j.first_task = hone_calloc((size_t)n + 1, sizeof *j.first_task);
    if (!j.entries || !j.found || !j.first_task)
        goto done;
    HONE_TRY_GOTO(match(&j), done);
    for (hone_param i = 0; i < n; i++) {
        const hone_param_item *it = hone_params_item(m->params, i);
        j.first_task[i] = tasks;
        if (j.found[i])
            tasks += (it->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    }
    j.first_task[n] = tasks;
    if (exec && tasks > 1)
        exec->parallel(exec, tasks, load_task, &j);
    else
        for (int64_t k = 0; k < tasks; k++)
            load_task(&j, k, 0);
    s = j.failed < 0 ? hone_error_set(&j.error) : HONE_OK;
    if (s < 0)
        hone_fail_at("%s", r->place);
done:
    pthread_mutex_destroy(&j.lock);
    hone_free(j.entries);
    hone_free(j.found);
    hone_free(j.first_task);
    return s;
}
