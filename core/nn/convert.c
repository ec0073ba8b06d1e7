/* convert.c - a plan of output tensors, then each through one buffer.
 *
 * The plan names every tensor, its source and its type; rows are fetched about a million values at a time
 * (permuted as GGUF has them), checked, encoded by all threads and appended. A tensor that keeps its type
 * and its order is copied. The bytes do not depend on the number of threads: rows are independent.
 *
 * Types of a mix are those of llama.cpp's (llama_tensor_get_type): by role and place of the layer. */
#include "nn/convert.h"
#include "base/alloc.h"
#include "base/json.h"
#include "nn/gguf_tokenizer.h"
#include "nn/gguf_write.h"
#include "nn/quant.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PIECE = 1 << 19, COPY = 4 << 20 };
enum { MIX_NONE = 0, MIX_Q3_K_M, MIX_Q4_K_S, MIX_Q4_K_M, MIX_Q5_K_M };

static const hone_convert_type convert_types[] = {
    {"keep", HONE_FT_COUNT, -1, MIX_NONE, "as they are stored"},
    {"f32", HONE_FT_F32, 0, MIX_NONE, "32 bits"},
    {"bf16", HONE_FT_BF16, 32, MIX_NONE, "16 bits, the range of f32"},
    {"f16", HONE_FT_F16, 1, MIX_NONE, "16 bits"},
    {"q8_0", HONE_FT_Q8_0, 7, MIX_NONE, "8.5 bits"},
    {"q6_k", HONE_FT_Q6_K, 18, MIX_NONE, "6.56 bits"},
    {"q5_k_m", HONE_FT_Q5_K, 17, MIX_Q5_K_M, "q5_k, parts in q6_k"},
    {"q5_k", HONE_FT_Q5_K, 16, MIX_NONE, "5.5 bits"},
    {"q5_1", HONE_FT_Q5_1, 9, MIX_NONE, "6 bits"},
    {"q5_0", HONE_FT_Q5_0, 8, MIX_NONE, "5.5 bits"},
    {"q4_k_m", HONE_FT_Q4_K, 15, MIX_Q4_K_M, "q4_k, parts in q6_k"},
    {"q4_k_s", HONE_FT_Q4_K, 14, MIX_Q4_K_S, "q4_k, parts in q5_k, head in q6_k"},
    {"q4_k", HONE_FT_Q4_K, 14, MIX_NONE, "4.5 bits"},
    {"q4_1", HONE_FT_Q4_1, 3, MIX_NONE, "5 bits"},
    {"q4_0", HONE_FT_Q4_0, 2, MIX_NONE, "4.5 bits"},
    {"iq4_nl", HONE_FT_IQ4_NL, 25, MIX_NONE, "4.5 bits, codes not evenly spaced"},
    {"iq4_xs", HONE_FT_IQ4_XS, 30, MIX_NONE, "4.25 bits, codes not evenly spaced"},
    {"q3_k_m", HONE_FT_Q3_K, 12, MIX_Q3_K_M, "q3_k, parts in q4_k and q5_k, head in q6_k"},
    {"q3_k", HONE_FT_Q3_K, 11, MIX_NONE, "3.44 bits"},
    {"q2_k", HONE_FT_Q2_K, 10, MIX_NONE, "2.63 bits"},
};
enum { N_TYPES = sizeof convert_types / sizeof *convert_types };

const hone_convert_type *hone_convert_type_at(size_t i)
{
    return i < N_TYPES ? &convert_types[i] : NULL;
}
const hone_convert_type *hone_convert_type_named(const char *name)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcasecmp(name, convert_types[i].name) == 0)
            return &convert_types[i];
    return NULL;
}

/* ---- the plan ---------------------------------------------------------------------------------------- */
typedef struct item {
    const hone_file_tensor *from; /* NULL: `values` */
    const float *values;
    uint32_t permute; /* heads, 0 = rows stay in order */
    float offset;     /* GGUF holds the value plus this */
    int64_t rows, cols;
} item;

typedef struct job {
    hone_weights *w;
    const hone_model *m;
    const hone_convert_options *o;
    hone_convert_report report;
    hone_arena arena;
    item *items;
    hone_gguf_entry *entries;
    size_t n, cap;
    float *floats;
    unsigned char *bytes;
    size_t n_floats, n_bytes;
} job;

/* Half of the layers that matter most: the first and last eighth, and every third between. */
static int more_bits(uint32_t layer, uint32_t n)
{
    return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
}

static uint32_t mixed(const hone_convert_type *t, const hone_param_item *it, uint32_t n)
{
    int value = strcmp(it->role, "v") == 0, down = strcmp(it->role, "down") == 0;
    uint32_t l = it->layer;
    if (it->flags & HONE_PARAM_HEAD)
        return HONE_FT_Q6_K;
    switch (t->mix) {
    case MIX_Q3_K_M:
        if (value)
            return l < 2 ? HONE_FT_Q5_K : HONE_FT_Q4_K;
        if (down)
            return l < n / 16 ? HONE_FT_Q5_K : more_bits(l, n) ? HONE_FT_Q4_K : HONE_FT_Q3_K;
        return strcmp(it->role, "o") == 0 ? HONE_FT_Q4_K : t->type;
    case MIX_Q4_K_S:
        return (value && l < 4) || (down && l < n / 8) ? HONE_FT_Q5_K : t->type;
    default:
        return (value || down) && more_bits(l, n) ? HONE_FT_Q6_K : t->type;
    }
}

/* The type a tensor of `stored` gets; `it` is its parameter, or NULL when the model has none. */
static const hone_file_type *choose(job *j, const hone_file_type *stored, int is_matrix,
                                    int64_t cols, const hone_param_item *it)
{
    const hone_convert_type *t = j->o->type;
    uint32_t id = t->type;
    if (id == HONE_FT_COUNT && !stored->safetensors) /* blocks stay */
        return stored;
    if (!is_matrix)
        return hone_file_type_get(HONE_FT_F32);
    if (id == HONE_FT_COUNT)
        id = stored->id == HONE_FT_F16 || stored->id == HONE_FT_BF16 ? stored->id
             : stored->id == HONE_FT_F8_E4M3 || stored->id == HONE_FT_F8_E5M2
                 ? HONE_FT_F16 /* exact */
                 : HONE_FT_F32;
    else if (t->mix && it)
        id = mixed(t, it, j->m->info.n_layers);
    const hone_file_type *type = hone_file_type_get(id),
                         *fits = hone_file_type_for_rows(type, cols);
    j->report.fallbacks += fits != type;
    return fits;
}

static hone_status add_item(job *j, const char *name, uint32_t n_dims, const int64_t *dims,
                            const hone_file_type *type, const item *given)
{
    if (j->n == j->cap) {
        size_t cap = j->cap ? 2 * j->cap : 256;
        item *items = hone_reallocarray(j->items, cap, sizeof *items);
        if (!items)
            return HONE_E_NOMEM;
        j->items = items;
        hone_gguf_entry *entries = hone_reallocarray(j->entries, cap, sizeof *entries);
        if (!entries)
            return HONE_E_NOMEM;
        j->entries = entries;
        j->cap = cap;
    }
    hone_gguf_entry *e = &j->entries[j->n];
    item *x = &j->items[j->n];
    memset(e, 0, sizeof *e);
    *x = *given;
    e->name = name;
    e->type = type->id;
    e->n_dims = n_dims ? n_dims : 1;
    e->dims[0] = 1;
    for (uint32_t d = 0; d < n_dims; d++)
        e->dims[d] = dims[d];
    x->cols = e->dims[e->n_dims - 1];
    x->rows = 1;
    for (uint32_t d = 0; d + 1 < e->n_dims; d++)
        x->rows *= e->dims[d];
    j->report.tensors++;
    j->report.type_tensors[type->id]++;
    j->report.type_values[type->id] += (uint64_t)x->rows * (uint64_t)x->cols;
    j->n++;
    return HONE_OK;
}

static int ends_with(hone_str s, const char *tail)
{
    size_t n = strlen(tail);
    return s.len >= n && memcmp(s.ptr + s.len - n, tail, n) == 0;
}

/* Every tensor of the file, under its name and in its order. */
static hone_status plan_gguf(job *j)
{
    hone_map params;
    hone_status s = HONE_OK;
    hone_map_init(&params);
    for (int32_t i = 0; j->m && i < hone_params_count(j->m->params) && s >= 0; i++) {
        const hone_param_item *it = hone_params_item(j->m->params, i);
        if (it && it->gguf_name)
            s = hone_map_put(&params, it->gguf_name, strlen(it->gguf_name), (void *)(uintptr_t)it,
                             NULL);
    }
    for (size_t i = 0; i < hone_weights_count(j->w) && s >= 0; i++) {
        const hone_file_tensor *t = hone_weights_tensor(j->w, i);
        char *name = hone_arena_strndup(&j->arena, t->name.ptr, t->name.len);
        item x = {.from = t};
        /* routers of experts decide by small differences and are small */
        int is_matrix = t->n_dims >= 2 && ends_with(t->name, ".weight") &&
                        !ends_with(t->name, "_norm.weight") &&
                        !ends_with(t->name, "ffn_gate_inp.weight");
        if (!name)
            s = hone_error_get()->code;
        else
            s = add_item(j, name, t->n_dims, t->dims,
                         choose(j, t->type, is_matrix, t->dims[t->n_dims ? t->n_dims - 1 : 0],
                                hone_map_get(&params, t->name.ptr, t->name.len)),
                         &x);
    }
    hone_map_release(&params);
    return s;
}

static hone_status plan_param(job *j, const hone_param_item *it)
{
    hone_tensor_reader reader;
    hone_tensor_entry at;
    char name[256];
    hone_weights_reader(j->w, &reader);
    int32_t found = hone_model_find_tensor(j->m->params, it, &reader, &at, name, sizeof name);
    HONE_TRY(found);
    const hone_file_tensor *t = found ? (const hone_file_tensor *)(uintptr_t)at.id : NULL;
    const char *place = hone_weights_path(j->w);
    int64_t rows = it->is_vector ? it->cols : it->rows, cols = it->is_vector ? 1 : it->cols;
    if (!t && it->flags & HONE_PARAM_OPTIONAL)
        return HONE_OK;
    if (!t)
        return hone_fail(HONE_E_NOT_FOUND, "%s: no tensor \"%s\"", place, it->name);
    if (!it->gguf_name)
        return hone_fail(HONE_E_UNSUPPORTED, "%s: %s has no name in GGUF for \"%s\"", place,
                         j->m->id, it->name);
    if (t->rows != rows || t->cols != cols || t->n_dims > 2)
        return hone_fail(
            HONE_E_SHAPE, "%s: tensor \"%s\" is %lld x %lld, the model wants %lld x %lld", place,
            it->name, (long long)t->rows, (long long)t->cols, (long long)rows, (long long)cols);
    item x = {.from = t, .permute = it->gguf_permute_heads, .offset = it->gguf_offset};
    int64_t dims[2] = {rows, cols};
    return add_item(j, it->gguf_name, it->is_vector ? 1 : 2, dims,
                    choose(j, t->type, !it->is_vector, cols, it), &x);
}

/* "hone.tensor.NAME": [numbers] of the component's metadata. */
static hone_status plan_extra(job *j, const hone_pair *p, const char *prefix)
{
    size_t skip = strlen(prefix);
    const hone_value *v = &p->value;
    if (v->type != HONE_LIST || v->u.list.n == 0)
        return hone_fail(HONE_E_MISBEHAVED, "%s: \"%.*s\" is no list of numbers", j->m->id,
                         (int)(p->key.len < 120 ? p->key.len : 120), p->key.ptr);
    char *name = hone_arena_strndup(&j->arena, p->key.ptr + skip, p->key.len - skip);
    float *values = hone_arena_calloc(&j->arena, v->u.list.n, sizeof *values);
    if (!name || !values)
        return hone_error_get()->code;
    for (size_t i = 0; i < v->u.list.n; i++) {
        const hone_value *x = &v->u.list.items[i];
        if (x->type != HONE_I64 && x->type != HONE_F64)
            return hone_fail(HONE_E_MISBEHAVED, "%s: \"%.*s\" is no list of numbers", j->m->id,
                             (int)(p->key.len < 120 ? p->key.len : 120), p->key.ptr);
        values[i] = x->type == HONE_I64 ? (float)x->u.i64 : (float)x->u.f64;
    }
    item x = {.values = values};
    int64_t n = (int64_t)v->u.list.n;
    return add_item(j, name, 1, &n, hone_file_type_get(HONE_FT_F32), &x);
}

/* ---- metadata ---------------------------------------------------------------------------------------- */
static int starts_with(hone_str s, const char *head)
{
    size_t n = strlen(head);
    return s.len >= n && memcmp(s.ptr, head, n) == 0;
}

static hone_status copy_metadata(job *j, hone_gguf_meta *meta)
{
    const hone_gguf *g = hone_weights_gguf(j->w);
    const hone_value *all = g ? &g->metadata : hone_weights_config(j->w);
    for (size_t i = 0; all && i < all->u.map.n; i++) {
        const hone_pair *p = &all->u.map.pairs[i];
        if (starts_with(p->key, "split.") || starts_with(p->key, "hone.") ||
            hone_str_eq(p->key, "general.alignment") ||
            (j->o->flags & HONE_CONVERT_NO_TOKENIZER && starts_with(p->key, "tokenizer.")))
            continue;
        if (j->o->type->number >= 0 && (hone_str_eq(p->key, "general.file_type") ||
                                        hone_str_eq(p->key, "general.quantization_version")))
            continue;
        if (g && g->raw)
            hone_gguf_meta_raw(meta, p->key, g->raw[i]);
        else
            HONE_TRY(hone_gguf_meta_value(meta, p->key, &p->value));
    }
    return HONE_OK;
}

/* Of a Hugging Face model: what its component says, and the tokenizer. */
static hone_status make_metadata(job *j, hone_gguf_meta *meta)
{
    static const char extra[] = "hone.tensor.";
    hone_str json, name;
    hone_value root;
    const char *path = hone_weights_path(j->w);
    size_t end = strlen(path);
    HONE_TRY(hone_model_gguf_json(j->m, &json));
    HONE_TRY(hone_json_parse(json.ptr, json.len, j->m->id, &j->arena, &root));
    if (root.type != HONE_MAP)
        return hone_fail(HONE_E_MISBEHAVED, "%s: its GGUF metadata is no JSON object", j->m->id);
    for (size_t i = 0; i < root.u.map.n; i++) {
        const hone_pair *p = &root.u.map.pairs[i];
        HONE_TRY(starts_with(p->key, extra) ? plan_extra(j, p, extra)
                                            : hone_gguf_meta_value(meta, p->key, &p->value));
    }
    if (!hone_gguf_meta_has(meta, "general.architecture"))
        return hone_fail(HONE_E_MISBEHAVED, "%s: its GGUF metadata names no architecture",
                         j->m->id);
    while (end > 1 && path[end - 1] == '/')
        end--;
    name.len = 0;
    while (name.len < end && path[end - 1 - name.len] != '/')
        name.len++;
    name.ptr = path + end - name.len;
    hone_gguf_meta_str(meta, "general.name", name);
    if (j->o->flags & HONE_CONVERT_NO_TOKENIZER) {
        hone_gguf_meta_str(meta, "tokenizer.ggml.model", hone_str_c("none"));
        return HONE_OK;
    }
    return hone_gguf_put_tokenizer(meta, j->w, j->m->info.vocab_size, j->o->pre);
}

/* What most values are stored in, for "keep". */
static int32_t main_type(const job *j)
{
    uint32_t most = HONE_FT_F32;
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++)
        if (j->report.type_values[i] > j->report.type_values[most])
            most = i;
    for (size_t i = 0; i < N_TYPES; i++)
        if (convert_types[i].type == most && !convert_types[i].mix)
            return convert_types[i].number;
    return 0;
}

static hone_status plan(job *j, hone_gguf_meta *meta)
{
    if (strcmp(hone_weights_format(j->w), "gguf") == 0) {
        HONE_TRY(plan_gguf(j));
        HONE_TRY(copy_metadata(j, meta));
    } else {
        for (int32_t i = 0; i < hone_params_count(j->m->params); i++) {
            const hone_param_item *it = hone_params_item(j->m->params, i);
            if (it && it->adapter < 0)
                HONE_TRY(plan_param(j, it));
        }
        HONE_TRY(make_metadata(j, meta));
    }
    hone_gguf_meta_u32(meta, "general.file_type",
                       (uint32_t)(j->o->type->number >= 0 ? j->o->type->number : main_type(j)));
    hone_gguf_meta_u32(meta, "general.quantization_version", 2);
    return HONE_OK;
}

/* ---- values ------------------------------------------------------------------------------------------ */
/* A piece of a tensor: rows [first, first + n). */
typedef struct piece {
    const job *j;
    const item *x;
    const hone_file_type *type;
    int64_t first, n, step; /* step: rows of a task */
    size_t row_bytes;
    pthread_mutex_t lock;
    int64_t bad; /* the first row with a value the type cannot hold; -1: none */
    float value; /* that value */
} piece;

/* Is there a value that the type has no place for? */
static int unfit(const hone_file_type *type, const float *v, int64_t n, float *value)
{
    float most = type->block > 1 ? HONE_QUANT_MAX : INFINITY;
    if (type->block == 1 && type->id != HONE_FT_F16)
        return 0;
    for (int64_t i = 0; i < n; i++) {
        int bad = type->block > 1 ? !(fabsf(v[i]) <= most)
                                  : isfinite(v[i]) && fabsf(v[i]) >= 65520.0f;
        if (bad) {
            *value = v[i];
            return 1;
        }
    }
    return 0;
}

static void encode_task(void *arg, int64_t task, uint32_t thread)
{
    piece *p = arg;
    const item *x = p->x;
    (void)thread;
    for (int64_t k = task * p->step; k < (task + 1) * p->step && k < p->n; k++) {
        float *row = p->j->floats + k * x->cols, value;
        int64_t r = p->first + k;
        /* a vector of heads is permuted element by element */
        if (x->values) {
            memcpy(row, x->values + r * x->cols, (size_t)x->cols * sizeof *row);
        } else if (x->permute && x->rows > 1) {
            r = hone_model_gguf_row(r, x->rows, x->permute);
            hone_file_tensor_read(x->from, r * x->cols, x->cols, row);
        } else if (x->permute) {
            for (int64_t c = 0; c < x->cols; c++)
                hone_file_tensor_read(x->from, hone_model_gguf_row(c, x->cols, x->permute), 1,
                                      row + c);
        } else {
            hone_file_tensor_read(x->from, r * x->cols, x->cols, row);
        }
        for (int64_t c = 0; x->offset != 0.0f && c < x->cols; c++)
            row[c] += x->offset;
        if (unfit(p->type, row, x->cols, &value)) {
            pthread_mutex_lock(&p->lock);
            if (p->bad < 0 || r < p->bad) {
                p->bad = r;
                p->value = value;
            }
            pthread_mutex_unlock(&p->lock);
            return;
        }
        p->type->narrow(row, p->j->bytes + (size_t)k * p->row_bytes,
                        (size_t)x->cols / p->type->block);
    }
}

static hone_status room(job *j, size_t floats, size_t bytes)
{
    if (floats > j->n_floats) {
        float *p = hone_reallocarray(j->floats, floats, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        j->floats = p;
        j->n_floats = floats;
    }
    if (bytes > j->n_bytes) {
        unsigned char *p = hone_realloc(j->bytes, bytes);
        if (!p)
            return HONE_E_NOMEM;
        j->bytes = p;
        j->n_bytes = bytes;
    }
    return HONE_OK;
}

static hone_status unfit_value(const piece *p, const char *name)
{
    hone_fail(HONE_E_RANGE, "tensor \"%s\", row %lld: %s cannot hold %g", name, (long long)p->bad,
              p->type->name, (double)p->value);
    return hone_fail_hint(isfinite(p->value) ? "bf16 and f32 hold every value"
                                             : "the model is damaged: it has values that are no "
                                               "numbers");
}

static hone_status put_encoded(job *j, hone_gguf_writer *w, const item *x, const hone_gguf_entry *e)
{
    const hone_file_type *type = hone_file_type_get(e->type);
    piece p = {.j = j, .x = x, .type = type, .bad = -1};
    int64_t step = x->cols < PIECE ? PIECE / (x->cols ? x->cols : 1) : 1;
    hone_status s = HONE_OK;
    p.row_bytes = (size_t)x->cols / type->block * type->bytes;
    HONE_TRY(room(j, (size_t)(step < x->rows ? step : x->rows) * (size_t)x->cols,
                  (size_t)(step < x->rows ? step : x->rows) * p.row_bytes));
    pthread_mutex_init(&p.lock, NULL);
    for (p.first = 0; p.first < x->rows && s >= 0; p.first += step) {
        p.n = x->rows - p.first < step ? x->rows - p.first : step;
        p.step = x->cols < 16384 ? 16384 / (x->cols ? x->cols : 1) : 1;
        int64_t tasks = (p.n + p.step - 1) / p.step;
        if (j->o->exec && tasks > 1)
            j->o->exec->parallel(j->o->exec, tasks, encode_task, &p);
        else
            for (int64_t k = 0; k < tasks; k++)
                encode_task(&p, k, 0);
        s = p.bad < 0 ? hone_gguf_add(w, j->bytes, (size_t)p.n * p.row_bytes)
                      : unfit_value(&p, e->name);
        if (x->from) {
            size_t row = x->from->size / (size_t)x->rows;
            hone_file_forget(x->from->data + row * (size_t)p.first, row * (size_t)p.n);
        }
    }
    pthread_mutex_destroy(&p.lock);
    return s;
}

static hone_status put_copy(hone_gguf_writer *w, const hone_file_tensor *t)
{
    for (size_t at = 0; at < t->size; at += COPY) {
        size_t n = t->size - at < COPY ? t->size - at : COPY;
        HONE_TRY(hone_gguf_add(w, t->data + at, n));
        hone_file_forget(t->data + at, n);
    }
    return HONE_OK;
}

static hone_status write_file(job *j, const char *path)
{
    hone_gguf_meta meta;
    hone_gguf_writer w;
    hone_gguf_meta_init(&meta);
    hone_status s = plan(j, &meta);
    if (s >= 0)
        s = hone_gguf_create(&w, path, &meta, j->entries, j->n);
    hone_gguf_meta_release(&meta);
    if (s < 0)
        return s;
    for (size_t i = 0; i < j->n && s >= 0; i++) {
        const item *x = &j->items[i];
        int same = x->from && x->from->type->id == j->entries[i].type && !x->permute &&
                   x->offset == 0.0f;
        j->report.bytes += j->entries[i].size;
        s = same ? put_copy(&w, x->from) : put_encoded(j, &w, x, &j->entries[i]);
    }
    if (s < 0) {
        hone_gguf_abandon(&w);
        return s;
    }
    return hone_gguf_close(&w);
}

hone_status hone_convert_gguf(const char *path, hone_weights *from, const hone_model *m,
                              const hone_convert_options *o, hone_convert_report *report)
{
    job j = {.w = from, .m = m, .o = o};
    int gguf = strcmp(hone_weights_format(from), "gguf") == 0;
    if (!m && (!gguf || o->type->mix))
        return hone_fail(HONE_E_INVALID, "%s: its model is needed", hone_weights_path(from));
    if (hone_file_exists(path)) {
        if (hone_file_is_dir(path) || !(o->flags & HONE_CONVERT_OVERWRITE)) {
            hone_fail(HONE_E_EXISTS, "%s: is there already", path);
            return hone_fail_hint("name another file, or overwrite it");
        }
    }
    hone_arena_init(&j.arena, (size_t)1 << 30);
    hone_status s = write_file(&j, path);
    if (s >= 0 && report)
        *report = j.report;
    hone_arena_release(&j.arena);
    hone_free(j.items);
    hone_free(j.entries);
    hone_free(j.floats);
    hone_free(j.bytes);
    return s;
}
