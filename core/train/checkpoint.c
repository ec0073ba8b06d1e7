/* checkpoint.c - see checkpoint.h. */
#include "train/checkpoint.h"

#include "base/alloc.h"
#include "base/json.h"
#include "nn/safetensors.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_FLOATS ((size_t)1 << 18)

/* What one entry of a file is: a parameter's value, or one of its state arrays. */
typedef struct source {
    const hone_param_item *item;
    const float *stored;
} source;

typedef struct file {
    hone_arena arena;
    hone_safetensors_entry *entries;
    source *sources;
    size_t n;
} file;

static hone_status add_entry(file *f, const hone_param_item *it, const float *stored,
                             const char *state)
{
    char name[512];
    int n = state ? snprintf(name, sizeof name, "%s.%s", it->name, state)
                  : snprintf(name, sizeof name, "%s", it->name);
    if (n < 0 || (size_t)n >= sizeof name)
        return hone_fail(HONE_E_LIMIT, "parameter name %s is too long", it->name);
    hone_safetensors_entry *e = &f->entries[f->n];
    e->name = hone_arena_strndup(&f->arena, name, (size_t)n);
    if (!e->name)
        return HONE_E_NOMEM;
    e->type = HONE_FT_F32;
    e->n_dims = it->is_vector ? 1 : 2;
    e->dims[0] = it->is_vector ? it->cols : it->rows;
    e->dims[1] = it->cols;
    e->tag = f->n;
    f->sources[f->n++] = (source){it, stored};
    return HONE_OK;
}

static hone_status write_file(file *f, const char *path)
{
    hone_safetensors_writer w;
    float *rows = hone_alloc(BLOCK_FLOATS * sizeof *rows);
    if (!rows)
        return HONE_E_NOMEM;
    hone_status s = hone_safetensors_create(&w, path, f->entries, f->n, NULL, 0);
    if (s < 0) {
        hone_free(rows);
        return s;
    }
    for (size_t i = 0; s >= 0 && i < f->n; i++) {
        const source *src = &f->sources[f->entries[i].tag];
        const hone_param_item *it = src->item;
        int64_t n_rows = it->is_vector ? 1 : it->rows, cols = it->cols;
        if (cols > (int64_t)BLOCK_FLOATS) {
            s = hone_fail(HONE_E_LIMIT, "%s: rows of %lld values are too long", it->name,
                          (long long)cols);
            break;
        }
        int64_t step = (int64_t)BLOCK_FLOATS / (cols > 0 ? cols : 1);
        for (int64_t r = 0; s >= 0 && r < n_rows; r += step) {
            int64_t n = n_rows - r < step ? n_rows - r : step;
            hone_params_unpack(it, src->stored, r, n, rows);
            s = hone_safetensors_add(&w, rows, (size_t)(n * cols));
        }
    }
    hone_free(rows);
    if (s < 0) {
        hone_safetensors_abandon(&w);
        return s;
    }
    return hone_safetensors_close(&w);
}

static hone_status file_init(file *f, size_t max)
{
    memset(f, 0, sizeof *f);
    hone_arena_init(&f->arena, 0);
    f->entries = hone_arena_calloc(&f->arena, max + 1, sizeof *f->entries);
    f->sources = hone_arena_calloc(&f->arena, max + 1, sizeof *f->sources);
    return f->entries && f->sources ? HONE_OK : HONE_E_NOMEM;
}

static char *name_of(const char *dir, const char *prefix, const char *leaf)
{
    char name[160];
    snprintf(name, sizeof name, "%s%s", prefix, leaf);
    return hone_path_join(dir, name);
}

static const char *weights_leaf(const hone_policy *p)
{
    return p->adapter >= 0 ? "adapter.safetensors" : "model.safetensors";
}

/* The parameters that belong into the weights file: the trained adapter, or everything of the base. */
static int belongs(const hone_policy *p, const hone_param_item *it)
{
    return it && it->adapter == p->adapter;
}

hone_status hone_policy_checkpoint(hone_policy *p, const char *dir, const char *prefix)
{
    const hone_params *ps = p->model->params;
    int32_t n = hone_params_count(ps);
    file f;
    char *path = NULL;
    hone_policy_select(p);
    (void)hone_params_flat_length(ps);
    hone_status s = file_init(&f, (size_t)n);
    for (int32_t i = 0; s >= 0 && i < n; i++) {
        const hone_param_item *it = hone_params_item(ps, i);
        if (belongs(p, it))
            s = add_entry(&f, it, it->data, NULL);
    }
    if (s >= 0) {
        path = name_of(dir, prefix, weights_leaf(p));
        s = path ? write_file(&f, path) : HONE_E_NOMEM;
        hone_free(path);
    }
    hone_arena_release(&f.arena);
    if (s < 0 || !p->optimizer)
        return s;
    s = file_init(&f, (size_t)n * HONE_OPT_MAX_STATE);
    for (int32_t i = 0; s >= 0 && i < n; i++) {
        const hone_param_item *it = hone_params_item(ps, i);
        for (uint32_t k = 0; s >= 0 && it && it->trainable && k < p->optimizer->n_state; k++)
            s = add_entry(&f, it, (const float *)p->optimizer->state[k].base + it->flat,
                          p->optimizer->state_names[k]);
    }
    if (s >= 0 && f.n) {
        path = name_of(dir, prefix, "optimizer.safetensors");
        s = path ? write_file(&f, path) : HONE_E_NOMEM;
        hone_free(path);
    }
    hone_arena_release(&f.arena);
    return s;
}

static hone_status read_into(const hone_safetensors *st, const char *path, const char *name,
                             const hone_param_item *it, float *stored)
{
    const hone_file_tensor *t = hone_safetensors_find(st, hone_str_c(name));
    if (!t)
        return hone_fail(HONE_E_PARSE, "%s: tensor %s is missing", path, name);
    int64_t n_rows = it->is_vector ? 1 : it->rows, count = n_rows * it->cols;
    if (t->type->id != HONE_FT_F32 || t->rows * t->cols != count)
        return hone_fail(HONE_E_SHAPE, "%s: tensor %s has another shape or type than the policy's",
                         path, name);
    int64_t step = (int64_t)BLOCK_FLOATS / (it->cols > 0 ? it->cols : 1);
    if (step < 1)
        step = 1;
    float *rows = hone_reallocarray(NULL, (size_t)(step * it->cols), sizeof *rows);
    if (!rows)
        return HONE_E_NOMEM;
    for (int64_t r = 0; r < n_rows; r += step) {
        int64_t n = n_rows - r < step ? n_rows - r : step;
        hone_file_tensor_read(t, r * it->cols, n * it->cols, rows);
        hone_params_pack(it, stored, r, n, rows);
    }
    hone_free(rows);
    return HONE_OK;
}

hone_status hone_policy_restore(hone_policy *p, const char *dir, const char *prefix)
{
    hone_params *ps = p->model->params;
    hone_safetensors st;
    hone_policy_select(p);
    (void)hone_params_flat_length(ps);
    char *path = name_of(dir, prefix, weights_leaf(p));
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = hone_safetensors_open(&st, path);
    if (s < 0) {
        hone_free(path);
        return s;
    }
    for (int32_t i = 0; s >= 0 && i < hone_params_count(ps); i++) {
        const hone_param_item *it = hone_params_item(ps, i);
        if (belongs(p, it))
            s = read_into(&st, path, it->name, it, it->data);
    }
    hone_safetensors_release(&st);
    hone_free(path);
    if (s < 0 || !p->optimizer || p->optimizer->n_state == 0)
        return s;
    path = name_of(dir, prefix, "optimizer.safetensors");
    if (!path)
        return HONE_E_NOMEM;
    s = hone_safetensors_open(&st, path);
    if (s < 0) {
        hone_free(path);
        return s;
    }
    for (int32_t i = 0; s >= 0 && i < hone_params_count(ps); i++) {
        const hone_param_item *it = hone_params_item(ps, i);
        for (uint32_t k = 0; s >= 0 && it && it->trainable && k < p->optimizer->n_state; k++) {
            char name[512];
            snprintf(name, sizeof name, "%s.%s", it->name, p->optimizer->state_names[k]);
            s = read_into(&st, path, name, it, (float *)p->optimizer->state[k].base + it->flat);
        }
    }
    hone_safetensors_release(&st);
    hone_free(path);
    return s;
}

void hone_policy_state_write(const hone_policy *p, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_ki64(w, "version", (int64_t)p->version);
    hone_jw_ki64(w, "optimizer_step", p->optimizer ? (int64_t)p->optimizer->step : 0);
    hone_jw_ki64(w, "skipped", (int64_t)p->skipped_in_a_row);
    hone_jw_end(w);
}

hone_status hone_policy_state_read(hone_policy *p, const hone_value *v)
{
    int64_t version, step, skipped;
    HONE_TRY(hone_value_i64(v, "version", 0, &version));
    HONE_TRY(hone_value_i64(v, "optimizer_step", 0, &step));
    HONE_TRY(hone_value_i64(v, "skipped", 0, &skipped));
    if (version < 0 || step < 0 || skipped < 0)
        return hone_fail(HONE_E_PARSE, "policy %s: negative counts in state.json", p->name);
    p->version = (uint64_t)version;
    p->skipped_in_a_row = (uint32_t)skipped;
    if (p->optimizer)
        p->optimizer->step = (uint64_t)step;
    return HONE_OK;
}
