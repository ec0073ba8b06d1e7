/* checkpoint.c - see checkpoint.h.
 *
 * A checkpoint is made of pieces: some rows of one parameter's values or of one of its state arrays. Which
 * pieces a rank writes is a function of the policy, the rank and the number of ranks, so rank 0 writes the
 * manifest of all without asking. Reading opens and checks every file first, lists the pieces found, sorts
 * them, and wants each row once; only then is anything changed. */
#include "train/checkpoint.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/map.h"
#include "nn/safetensors.h"
#include "ops/storage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_FLOATS ((size_t)1 << 18)

typedef enum kind { WEIGHTS, OPTIMIZER } kind;

/* An array of the checkpoint as a whole: a parameter's values (state NULL), or one array of its state. */
typedef struct array {
    hone_param param;
    const hone_param_item *item;
    const hone_opt_array *state;
    const char *name;
    int64_t rows, cols;
} array;

typedef struct arrays {
    hone_arena arena;
    array *items;
    size_t n;
} arrays;

/* HONE_FT_* of an array: values as they are stored, state in float32 or bytes. */
static uint32_t type_of(const array *x)
{
    if (x->state)
        return x->state->kind == HONE_OPT_STATE_BYTES ? HONE_FT_U8 : HONE_FT_F32;
    return hone_file_type_named(hone_storage_get(x->item->dtype)->name)->id;
}

static hone_status add_array(arrays *a, const hone_params *p, hone_param i,
                             const hone_opt_array *state)
{
    const hone_param_item *it = hone_params_item(p, i);
    char name[512];
    int n = snprintf(name, sizeof name, "%s%s%s", it->name, state ? "." : "",
                     state ? state->name : "");
    if (n < 0 || (size_t)n >= sizeof name)
        return hone_fail(HONE_E_LIMIT, "parameter name %s is too long", it->name);
    array *x = &a->items[a->n];
    *x = (array){i,
                 it,
                 state,
                 hone_arena_strndup(&a->arena, name, (size_t)n),
                 it->is_vector ? 1 : it->rows,
                 it->cols};
    if (state)
        hone_opt_array_shape(state, it, &x->rows, &x->cols);
    if (x->cols > (int64_t)BLOCK_FLOATS)
        return hone_fail(HONE_E_LIMIT, "%s: rows of %lld values are too long", it->name,
                         (long long)x->cols);
    if (!x->name)
        return HONE_E_NOMEM;
    a->n++;
    return HONE_OK;
}

/* Weights: the trained adapter with the head that trains beside it, or everything of the base but quantised matrices, which nothing changes and which
 * the model's own file holds. Release `a` also after a failure. */
static hone_status list_arrays(hone_policy *p, kind k, arrays *a)
{
    const hone_params *ps = p->model->params;
    const hone_optimizer *o = p->optimizer;
    int32_t n = hone_params_count(ps);
    size_t more = k == OPTIMIZER ? o->n_arrays : 0;
    memset(a, 0, sizeof *a);
    hone_arena_init(&a->arena, 0);
    hone_policy_select(p); /* others may train other adapters of the same base */
    (void)hone_params_flat_length(ps);
    a->items = hone_arena_calloc(&a->arena, (size_t)n + more + 1, sizeof *a->items);
    if (!a->items)
        return HONE_E_NOMEM;
    for (int32_t i = 0; i < n; i++) {
        const hone_param_item *it = hone_params_item(ps, i);
        if (k == WEIGHTS && it && !hone_storage_get(it->dtype)->put &&
            (it->adapter == p->adapter || (i == p->model->value_head && p->trains_head)))
            HONE_TRY(add_array(a, ps, i, NULL));
    }
    for (size_t e = 0; k == OPTIMIZER && e < o->n_entries; e++)
        for (uint32_t j = 0; j < o->entries[e].n_state; j++)
            HONE_TRY(add_array(a, ps, o->entries[e].param, &o->entries[e].state[j]));
    return HONE_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

/* Some rows of an array: those that a rank writes. Of state, they are all that it holds. */
typedef struct piece {
    const array *array;
    int64_t first, n;
} piece;

typedef struct shard {
    char name[192];
    piece *pieces;
    size_t n;
} shard;

static hone_status leaf_name(char out[192], const char *prefix, const hone_policy *p, kind k,
                             uint32_t rank, uint32_t size)
{
    const char *what = k == OPTIMIZER ? "optimizer" : p->adapter >= 0 ? "adapter" : "model";
    int n = size == 1
                ? snprintf(out, 192, "%s%s.safetensors", prefix, what)
                : snprintf(out, 192, "%s%s-%05u-of-%05u.safetensors", prefix, what, rank + 1, size);
    return n < 0 || n >= 192 ? hone_fail(HONE_E_LIMIT, "%s: too long for a file name", prefix)
                             : HONE_OK;
}

/* What a rank writes. Weights are whole on every rank and shared out by tensor; optimizer state by slice. */
static hone_status list_pieces(const hone_policy *p, kind k, const char *prefix, uint32_t rank,
                               arrays *a, shard *f)
{
    const hone_comm *c = hone_env_comm(p->env);
    size_t total = 0, before = 0;
    hone_slice own = {0, 0};
    if (k == OPTIMIZER)
        own = hone_optimizer_slice(p->optimizer, p->model->params, rank);
    if (rank > 0 && own.begin == 0) /* every rank has everything: rank 0 writes it */
        own.end = 0;
    f->n = 0;
    f->pieces = hone_arena_calloc(&a->arena, a->n + 1, sizeof *f->pieces);
    if (!f->pieces)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < a->n; i++)
        total += a->items[i].item->length;
    for (size_t i = 0; i < a->n; i++) {
        const array *y = &a->items[i];
        piece x = {.array = y};
        if (k == WEIGHTS)
            x.n = before * c->size / total == rank ? y->rows : 0;
        else
            hone_opt_array_slice(y->state, y->item, own, &x.first, &x.n);
        before += y->item->length;
        if (x.n > 0)
            f->pieces[f->n++] = x;
    }
    return leaf_name(f->name, prefix, p, k, rank, c->size);
}

/* Where this rank's part of an array of state begins. */
static void *part_of(const hone_policy *p, const array *a)
{
    return (char *)p->optimizer->state.base + a->state->at;
}

static hone_status write_rows(hone_safetensors_writer *w, const hone_policy *p, const piece *x,
                              float *rows)
{
    const array *a = x->array;
    int64_t step = (int64_t)BLOCK_FLOATS / a->cols;
    for (int64_t r = 0; r < x->n; r += step) {
        int64_t n = x->n - r < step ? x->n - r : step;
        size_t count = (size_t)(n * a->cols);
        if (!a->state)
            HONE_TRY(hone_params_get_rows(p->model->params, a->param, r, n, rows));
        else
            hone_opt_array_get(a->state, a->item, part_of(p, a), r, n, rows);
        if (type_of(a) == HONE_FT_U8) {
            unsigned char *bytes = (unsigned char *)
                rows; /* in place: each is read before it is written */
            for (size_t i = 0; i < count; i++)
                bytes[i] = (unsigned char)rows[i];
            HONE_TRY(hone_safetensors_add_bytes(w, bytes, count));
        } else
            HONE_TRY(hone_safetensors_add(w, rows, count));
    }
    return HONE_OK;
}

static hone_status write_shard(const hone_policy *p, arrays *a, const shard *f, const char *dir)
{
    hone_safetensors_writer w;
    hone_safetensors_entry *entries = hone_arena_calloc(&a->arena, f->n + 1, sizeof *entries);
    float *rows = hone_alloc(BLOCK_FLOATS * sizeof *rows);
    char *path = hone_path_join(dir, f->name);
    hone_status s = entries && rows && path ? HONE_OK : HONE_E_NOMEM;
    if (s < 0)
        goto done;
    for (size_t i = 0; i < f->n; i++) {
        const array *x = f->pieces[i].array;
        int flat = x->item->is_vector;
        entries[i] = (hone_safetensors_entry){.name = x->name,
                                              .type = type_of(x),
                                              .n_dims = flat ? 1 : 2,
                                              .dims = {flat ? x->cols : f->pieces[i].n, x->cols},
                                              .tag = i};
    }
    HONE_TRY_GOTO(hone_safetensors_create(&w, path, entries, f->n, NULL, 0), done);
    for (size_t i = 0; s >= 0 && i < f->n; i++) {
        s = write_rows(&w, p, &f->pieces[entries[i].tag], rows);
    }
    if (s < 0)
        hone_safetensors_abandon(&w);
    else
        s = hone_safetensors_close(&w);
done:
    hone_free(path);
    hone_free(rows);
    return s;
}

static int has_state(const hone_policy *p)
{
    return p->optimizer && p->optimizer->n_arrays > 0;
}

hone_status hone_policy_checkpoint(hone_policy *p, const char *dir, const char *prefix)
{
    const hone_comm *c = hone_env_comm(p->env);
    hone_status s = HONE_OK;
    for (kind k = WEIGHTS; s >= 0 && k <= (has_state(p) ? OPTIMIZER : WEIGHTS); k++) {
        arrays a;
        shard f;
        HONE_TRY_GOTO(list_arrays(p, k, &a), next);
        HONE_TRY_GOTO(list_pieces(p, k, prefix, c->rank, &a, &f), next);
        if (f.n)
            s = write_shard(p, &a, &f, dir);
    next:
        hone_arena_release(&a.arena);
    }
    return hone_comm_agree(c, s);
}

/* One list of the manifest: the files of all ranks. */
static hone_status write_list(hone_policy *p, kind k, const char *prefix, hone_jw *w)
{
    const hone_comm *c = hone_env_comm(p->env);
    arrays a;
    shard f;
    hone_status s = list_arrays(p, k, &a);
    hone_jw_key(w, k == WEIGHTS ? "weights" : "optimizer");
    hone_jw_list(w);
    for (uint32_t r = 0; s >= 0 && r < c->size; r++) {
        int open = 0;
        s = list_pieces(p, k, prefix, r, &a, &f);
        if (s < 0 || f.n == 0)
            continue;
        hone_jw_map(w);
        hone_jw_kcstr(w, "file", f.name);
        hone_jw_ki64(w, "tensors", (int64_t)f.n);
        for (size_t i = 0; i < f.n; i++) {
            const piece *x = &f.pieces[i];
            if (x->n == x->array->rows)
                continue;
            if (!open++) {
                hone_jw_key(w, "rows");
                hone_jw_map(w);
            }
            hone_jw_key(w, x->array->name);
            hone_jw_list(w);
            hone_jw_i64(w, x->first);
            hone_jw_i64(w, x->n);
            hone_jw_end(w);
        }
        if (open)
            hone_jw_end(w);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_arena_release(&a.arena);
    return s;
}

hone_status hone_policy_state_write(hone_policy *p, const char *prefix, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_ki64(w, "version", (int64_t)p->version);
    hone_jw_ki64(w, "optimizer_step", p->optimizer ? (int64_t)p->optimizer->step : 0);
    hone_jw_ki64(w, "skipped", (int64_t)p->skipped_in_a_row);
    if (hone_policy_is_merged(p))
        hone_jw_kbool(w, "merged", 1);
    HONE_TRY(write_list(p, WEIGHTS, prefix, w));
    if (has_state(p))
        HONE_TRY(write_list(p, OPTIMIZER, prefix, w));
    hone_jw_end(w);
    return w->out->failed;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

/* A piece that was found: in which file, as which tensor. */
typedef struct found {
    size_t array, file;
    int64_t first, n;
    const hone_file_tensor *tensor;
} found;

typedef struct set {
    arrays want;
    hone_map by_name; /* -> array */
    hone_safetensors *files;
    char **paths;
    size_t n_files;
    found *pieces;
    size_t n;
} set;

static void set_release(set *t)
{
    for (size_t i = 0; i < t->n_files; i++) {
        hone_safetensors_release(&t->files[i]);
        hone_free(t->paths[i]);
    }
    hone_free(t->pieces);
    hone_map_release(&t->by_name);
    hone_arena_release(&t->want.arena);
}

/* Which rows of `x` a tensor of a file holds. `rows`: the manifest's [first, n], or NULL: all. */
static hone_status place(const char *path, const array *x, const hone_file_tensor *t,
                         const hone_value *rows, found *out)
{
    int64_t all = x->rows, first = 0, n = all;
    if (rows) {
        if (rows->type != HONE_LIST || rows->u.list.n != 2 ||
            rows->u.list.items[0].type != HONE_I64 || rows->u.list.items[1].type != HONE_I64)
            return hone_fail(HONE_E_PARSE, "%s: state.json: rows of %s: two integers are wanted",
                             path, x->name);
        first = rows->u.list.items[0].u.i64;
        n = rows->u.list.items[1].u.i64;
    }
    if (t->type->id != type_of(x) || first < 0 || n < 1 || n > all || first > all - n ||
        t->dims[t->n_dims ? t->n_dims - 1 : 0] != x->cols || t->rows * t->cols != n * x->cols)
        return hone_fail(HONE_E_SHAPE, "%s: tensor %s has another shape or type than the policy's",
                         path, x->name);
    out->first = first;
    out->n = n;
    out->tensor = t;
    return HONE_OK;
}

/* Opens the next file of the set and lists its pieces. `entry`: its map in the manifest, or NULL. */
static hone_status add_file(set *t, const char *dir, hone_str name, const hone_value *entry)
{
    size_t f = t->n_files, more;
    char leaf[192];
    int64_t count;
    if (!name.ptr || name.len == 0 || name.len >= sizeof leaf || name.ptr[0] == '.' ||
        memchr(name.ptr, '/', name.len) || memchr(name.ptr, '\0', name.len))
        return hone_fail(HONE_E_PARSE, "%s/state.json: \"%.*s\" is no file of a checkpoint", dir,
                         (int)(name.len < 80 ? name.len : 80), name.ptr ? name.ptr : "");
    memcpy(leaf, name.ptr, name.len);
    leaf[name.len] = '\0';
    char *path = hone_path_join(dir, leaf);
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = hone_safetensors_open(&t->files[f], path);
    if (s < 0) {
        hone_free(path);
        return s;
    }
    t->paths[f] = path;
    t->n_files++;
    const hone_safetensors *st = &t->files[f];
    const hone_value *rows = entry ? hone_value_get(entry, "rows") : NULL;
    if (entry) {
        HONE_TRY(hone_value_i64(entry, "tensors", (int64_t)st->n, &count));
        if (count < 0 || (uint64_t)count != st->n)
            return hone_fail(HONE_E_PARSE, "%s: %zu tensors, and state.json says %lld", path, st->n,
                             (long long)count);
    }
    if (!hone_add_size(t->n, st->n, &more))
        return hone_fail(HONE_E_LIMIT, "%s: too many tensors", path);
    found *grown = hone_reallocarray(t->pieces, more + 1, sizeof *grown);
    if (!grown)
        return HONE_E_NOMEM;
    t->pieces = grown;
    for (size_t i = 0; i < st->n; i++) {
        const hone_file_tensor *x = &st->tensors[i];
        const array *a = hone_map_get(&t->by_name, x->name.ptr, x->name.len);
        if (!a)
            continue; /* not of this policy */
        t->pieces[t->n].array = (size_t)(a - t->want.items);
        t->pieces[t->n].file = f;
        HONE_TRY(
            place(path, a, x, rows ? hone_value_get_str(rows, x->name) : NULL, &t->pieces[t->n]));
        t->n++;
    }
    return HONE_OK;
}

static int by_place(const void *pa, const void *pb)
{
    const found *a = pa, *b = pb;
    if (a->array != b->array)
        return a->array < b->array ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->file < b->file ? -1 : a->file > b->file;
}

/* Every row of every wanted array is there once. */
static hone_status check_complete(set *t)
{
    size_t i = 0;
    if (t->n)
        qsort(t->pieces, t->n, sizeof *t->pieces, by_place);
    for (size_t k = 0; k < t->want.n; k++) {
        const array *x = &t->want.items[k];
        int64_t at = 0, all = x->rows;
        for (; i < t->n && t->pieces[i].array == k && t->pieces[i].first == at; i++)
            at += t->pieces[i].n;
        if (i < t->n && t->pieces[i].array == k && t->pieces[i].first < at)
            return hone_fail(HONE_E_PARSE, "%s: rows of tensor %s from %lld on are also in %s",
                             t->paths[t->pieces[i].file], x->name, (long long)t->pieces[i].first,
                             t->paths[t->pieces[i - 1].file]);
        int more = i < t->n && t->pieces[i].array == k; /* behind a gap */
        if (at == 0 && !more)
            return hone_fail(HONE_E_PARSE, "%s: tensor %s is missing",
                             t->n_files ? t->paths[0] : "state.json", x->name);
        if (at != all)
            return hone_fail(
                HONE_E_PARSE, "%s: rows of tensor %s from %lld on are missing (it has %lld)",
                t->paths[t->pieces[more ? i : i - 1].file], x->name, (long long)at, (long long)all);
    }
    return HONE_OK;
}

/* Opens and checks all files of one kind. Release `t` also after a failure. */
static hone_status set_open(set *t, hone_policy *p, kind k, const char *dir, const char *prefix,
                            const hone_value *manifest)
{
    const char *key = k == WEIGHTS ? "weights" : "optimizer";
    const hone_value *list = manifest ? hone_value_get(manifest, key) : NULL;
    size_t n = 1;
    memset(t, 0, sizeof *t);
    hone_map_init(&t->by_name);
    HONE_TRY(list_arrays(p, k, &t->want));
    for (size_t i = 0; i < t->want.n; i++)
        HONE_TRY(hone_map_put(&t->by_name, t->want.items[i].name, strlen(t->want.items[i].name),
                              &t->want.items[i], NULL));
    if (list) {
        if (list->type != HONE_LIST || list->u.list.n > HONE_COMM_MAX)
            return hone_fail(HONE_E_PARSE, "%s/state.json: %s: a list of at most %d files", dir,
                             key, HONE_COMM_MAX);
        n = list->u.list.n;
    }
    t->files = hone_arena_calloc(&t->want.arena, n + 1, sizeof *t->files);
    t->paths = hone_arena_calloc(&t->want.arena, n + 1, sizeof *t->paths);
    if (!t->files || !t->paths)
        return HONE_E_NOMEM;
    if (!list) {
        char leaf[192];
        HONE_TRY(leaf_name(leaf, prefix, p, k, 0, 1));
        HONE_TRY(add_file(t, dir, hone_str_c(leaf), NULL));
    }
    for (size_t i = 0; list && i < n; i++) {
        const hone_value *entry = &list->u.list.items[i];
        hone_str name;
        HONE_TRY(hone_value_string(entry, "file", (hone_str){NULL, 0}, &name));
        HONE_TRY(add_file(t, dir, name, entry));
    }
    return check_complete(t);
}

/* Takes what this rank holds out of the files. */
static hone_status set_fill(const set *t, hone_policy *p, float *rows)
{
    for (size_t i = 0; i < t->n; i++) {
        const found *x = &t->pieces[i];
        const array *a = &t->want.items[x->array];
        int64_t first = 0, n = a->rows, cols = a->cols;
        if (a->state)
            hone_opt_array_slice(a->state, a->item, p->optimizer->own, &first, &n);
        int64_t from = x->first > first ? x->first : first,
                to = x->first + x->n < first + n ? x->first + x->n : first + n,
                step = (int64_t)BLOCK_FLOATS / cols;
        for (int64_t r = from; r < to; r += step) {
            int64_t m = to - r < step ? to - r : step;
            hone_file_tensor_read(x->tensor, (r - x->first) * cols, m * cols, rows);
            if (a->state)
                hone_opt_array_set(a->state, a->item, part_of(p, a), r - first, m, rows);
            else
                HONE_TRY(hone_params_set_rows(p->model->params, a->param, r, m, rows));
        }
    }
    return HONE_OK;
}

static hone_status restore(hone_policy *p, const char *dir, const char *prefix,
                           const hone_value *manifest)
{
    set weights, state;
    int with_state = has_state(p);
    float *rows = hone_alloc(BLOCK_FLOATS * sizeof *rows);
    hone_status s = rows ? set_open(&weights, p, WEIGHTS, dir, prefix, manifest) : HONE_E_NOMEM;
    if (rows && s >= 0 && with_state) {
        s = set_open(&state, p, OPTIMIZER, dir, prefix, manifest);
        if (s >= 0)
            s = set_fill(&state, p, rows);
        set_release(&state);
    }
    if (s >= 0)
        s = set_fill(&weights, p, rows);
    if (rows)
        set_release(&weights);
    hone_free(rows);
    return s;
}

hone_status hone_policy_restore(hone_policy *p, const char *dir, const char *prefix,
                                const hone_value *manifest)
{
    hone_status s = hone_policy_is_merged(p) ? hone_policy_unmerge(p) : HONE_OK;
    return hone_comm_agree(hone_env_comm(p->env), s < 0 ? s : restore(p, dir, prefix, manifest));
}

hone_status hone_policy_state_read(hone_policy *p, const hone_value *v)
{
    int64_t version, step, skipped;
    int merged;
    HONE_TRY(hone_value_i64(v, "version", 0, &version));
    HONE_TRY(hone_value_i64(v, "optimizer_step", 0, &step));
    HONE_TRY(hone_value_i64(v, "skipped", 0, &skipped));
    HONE_TRY(hone_value_bool(v, "merged", 0, &merged));
    if (version < 0 || step < 0 || skipped < 0)
        return hone_fail(HONE_E_PARSE, "policy %s: negative counts in state.json", p->name);
    p->version = (uint64_t)version;
    p->skipped_in_a_row = (uint32_t)skipped;
    if (p->optimizer)
        p->optimizer->step = (uint64_t)step;
    if (merged && !hone_policy_is_merged(p))
        return hone_policy_merge(p);
    return HONE_OK;
}
