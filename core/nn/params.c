/* params.c - storage of parameters and gradients; their values as rows are in params_rows.c.
 *
 * An item is placed once and never moves while its region lives. Gradients have the layout of the
 * flat array: trainable items in index order, each as long as its data, so that `flat` is one
 * offset for gradient and optimizer state alike. Sums over all gradients go by chunks of the flat
 * array with 16 lanes in a fixed tree, so threads change nothing. */
#include "nn/params_int.h"

#include "base/alloc.h"
#include "ops/kernels.h"
#include "ops/storage.h"
#include "tensor/pool.h"

#include <string.h>

enum { MAX_PARAMS = 1 << 20, VECTOR_PAD = 16, CHUNK = 1 << 16 };
#define MAX_DIM ((int64_t)1 << 40)

/* ---- life ------------------------------------------------------------------------------------ */
hone_status hone_params_create(hone_params **out)
{
    hone_params *p = hone_calloc(1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    hone_arena_init(&p->arena, 0);
    hone_map_init(&p->names);
    p->region.name = "parameters";
    p->grads.name = "gradients";
    p->norm_work.name = "scratch";
    p->flat_dirty = 1;
    p->base_changes = 1;
    *out = p;
    return HONE_OK;
}

void hone_params_destroy(hone_params *p)
{
    if (!p)
        return;
    hone__params_release_adapters(p);
    hone_region_release(&p->region);
    hone_region_release(&p->grads);
    hone_region_release(&p->norm_work);
    hone_region_release(&p->kept);
    hone_map_release(&p->names);
    hone_arena_release(&p->arena);
    hone_free(p->items);
    hone_free(p);
}

static hone_status copy_text(hone_params *p, const char *from, const char **to)
{
    *to = NULL;
    if (!from)
        return HONE_OK;
    *to = hone_arena_strndup(&p->arena, from, strlen(from));
    return *to ? HONE_OK : HONE_E_NOMEM;
}

/* Stored floats of a parameter, or 0 when its shape is impossible. */
static size_t stored_length(int64_t rows, int64_t cols, int is_vector)
{
    size_t r, n;
    if (rows < 1 || rows > MAX_DIM || cols < 0 || cols > MAX_DIM)
        return 0;
    r = (size_t)rows;
    if (is_vector)
        return (r + VECTOR_PAD - 1) / VECTOR_PAD * VECTOR_PAD;
    if (cols < 1 ||
        !hone_mul_size((r + HONE_PANEL - 1) / HONE_PANEL * HONE_PANEL, (size_t)cols, &n) ||
        n > (size_t)1 << 42)
        return 0;
    return n;
}

static hone_status room(hone_params *p)
{
    if (p->n == MAX_PARAMS)
        return hone_fail(HONE_E_LIMIT, "model: more than %d parameters", (int)MAX_PARAMS);
    if (p->n == p->cap) {
        int32_t cap = p->cap ? p->cap * 2 : 64;
        hone_param_item **q = hone_reallocarray(p->items, (size_t)cap, sizeof(*q));
        if (!q)
            return HONE_E_NOMEM;
        p->items = q;
        p->cap = cap;
    }
    return HONE_OK;
}

hone_status hone__params_hole(hone_params *p)
{
    HONE_TRY(room(p));
    p->items[p->n++] = NULL;
    return HONE_OK;
}

hone_status hone__params_add(hone_params *p, const hone_param_spec *spec, int32_t adapter,
                             hone_param target, hone_param *out)
{
    int vector = spec->cols == 0;
    size_t length = stored_length(spec->rows, spec->cols, vector);
    hone_param_item *it;
    if (!spec->name || !*spec->name)
        return hone_fail(HONE_E_INVALID, "model: a parameter without a name");
    if (!length)
        return hone_fail(HONE_E_SHAPE, "model: parameter %s cannot be %lld x %lld", spec->name,
                         (long long)spec->rows, (long long)spec->cols);
    if (hone_map_has(&p->names, spec->name, strlen(spec->name)))
        return hone_fail(HONE_E_EXISTS, "model: parameter %s is declared twice", spec->name);
    HONE_TRY(room(p));
    it = hone_arena_calloc(&p->arena, 1, sizeof *it);
    if (!it)
        return HONE_E_NOMEM;
    HONE_TRY(copy_text(p, spec->name, &it->name));
    HONE_TRY(copy_text(p, spec->gguf_name, &it->gguf_name));
    HONE_TRY(copy_text(p, spec->role ? spec->role : "", &it->role));
    it->flags = spec->flags;
    it->dtype = HONE_F32;
    it->layout = vector ? HONE_ROWS : HONE_PANELS;
    it->rows = vector ? 1 : spec->rows;
    it->cols = vector ? spec->rows : spec->cols;
    it->is_vector = vector;
    it->trainable = 1;
    it->adapter = adapter;
    it->target = target;
    it->layer = spec->layer;
    it->gguf_permute_heads = spec->gguf_permute_heads;
    it->init = spec->init;
    it->init_std = spec->init_std;
    it->gguf_offset = spec->gguf_offset;
    it->length = length;
    it->lr_scale = 1;
    HONE_TRY(hone_map_put(&p->names, it->name, strlen(it->name), it, NULL));
    p->items[p->n] = it;
    *out = p->n++;
    p->flat_dirty = 1;
    return HONE_OK;
}

void hone__params_unadd(hone_params *p, hone_param first)
{
    while (p->n > first) {
        hone_param_item *it = p->items[--p->n];
        if (it)
            hone_map_del(&p->names, it->name, strlen(it->name));
    }
    p->flat_dirty = 1;
}

hone_param hone_params_declare(hone_params *p, const hone_param_spec *spec)
{
    hone_param_spec full;
    hone_param out;
    if (p->sealed)
        return hone_fail(HONE_E_STATE, "model: parameters are declared before any has a value");
    memset(&full, 0, sizeof full); /* the caller's struct may be of an older, shorter version */
    memcpy(&full, spec, spec->struct_size < sizeof full ? spec->struct_size : sizeof full);
    HONE_TRY(hone__params_add(p, &full, -1, HONE_NONE, &out));
    p->n_base = p->n;
    return out;
}

hone_param hone_params_declare_beside(hone_params *p, const hone_param_spec *spec)
{
    const hone_param i = hone_params_declare(p, spec);
    if (i >= 0)
        p->items[i]->beside = 1;
    return i;
}

static hone_status add_file_name(hone_params *p, const char *from, const char *to)
{
    struct hone__file_name *f = hone_arena_calloc(&p->arena, 1, sizeof *f), **end = &p->file_names;
    if (!f)
        return HONE_E_NOMEM;
    if (!from || !*from)
        return hone_fail(HONE_E_INVALID, "model: an empty beginning of names");
    HONE_TRY(copy_text(p, from, &f->from));
    HONE_TRY(copy_text(p, to, &f->to));
    while (*end)
        end = &(*end)->next;
    *end = f;
    return HONE_OK;
}

hone_status hone_params_rename(hone_params *p, const char *from, const char *to)
{
    return add_file_name(p, from, to ? to : "");
}

hone_status hone_params_skip(hone_params *p, const char *prefix)
{
    return add_file_name(p, prefix, NULL);
}

int hone_params_rename_get(const hone_params *p, int32_t i, const char **from, const char **to)
{
    for (const struct hone__file_name *f = p->file_names; f; f = f->next)
        if (f->to && i-- == 0) {
            *from = f->from;
            *to = f->to;
            return 1;
        }
    return 0;
}

int hone_params_skips(const hone_params *p, const char *name)
{
    for (const struct hone__file_name *f = p->file_names; f; f = f->next)
        if (!f->to && strncmp(name, f->from, strlen(f->from)) == 0)
            return 1;
    return 0;
}

size_t hone__params_bytes(const hone_param_item *it)
{
    const hone_storage *s = hone_storage_get(it->dtype);
    size_t n = it->length;
    if (it->is_vector)
        return hone_mul_size(n, sizeof(float), &n) ? n : 0;
    if (!hone_mul_size(n / HONE_PANEL / (size_t)s->block, (size_t)s->block_bytes, &n) ||
        !hone_add_size(n, 63, &n))
        return 0;
    return n / 64 * 64;
}

hone_status hone__params_place(hone_params *p, hone_param first, hone_region *region,
                               const char *name)
{
    size_t total = 0;
    char *at;
    for (hone_param i = first; i < p->n; i++) {
        size_t bytes = hone__params_bytes(p->items[i]);
        if (!bytes || !hone_add_size(total, bytes, &total))
            return hone_fail(HONE_E_LIMIT, "model: too many parameters");
    }
    HONE_TRY(hone_region_init(region, name, total));
    at = region->base;
    for (hone_param i = first; i < p->n; i++) {
        p->items[i]->data = at;
        at += hone__params_bytes(p->items[i]);
    }
    return HONE_OK;
}

hone_status hone_params_set_storage(hone_params *p, hone_param i, uint32_t dtype)
{
    const hone_storage *s = hone_storage_get(dtype);
    hone_param_item *it = i >= 0 && i < p->n ? p->items[i] : NULL;
    if (p->sealed)
        return hone_fail(HONE_E_STATE, "model: its parameters have values already");
    if (!it)
        return hone_fail(HONE_E_NOT_FOUND, "model: no parameter %d", i);
    if (!s || ((it->is_vector || it->beside) && dtype != HONE_F32) || it->cols % s->block)
        return hone_fail(HONE_E_UNSUPPORTED, "model: %s cannot be stored as %s", it->name,
                         s ? s->name : "that type");
    it->dtype = dtype;
    return HONE_OK;
}

uint32_t hone_params_storage(const hone_params *p)
{
    uint32_t all = 0;
    for (hone_param i = 0; i < p->n_base; i++) {
        const hone_param_item *it = p->items[i];
        if (it->is_vector || it->beside)
            continue;
        if (all && all != it->dtype)
            return 0;
        all = it->dtype;
    }
    return all ? all : HONE_F32;
}

hone_status hone_params_seal(hone_params *p)
{
    if (p->sealed)
        return HONE_OK;
    if (p->n == 0)
        return hone_fail(HONE_E_INVALID, "model: it declares no parameters");
    HONE_TRY(hone__params_place(p, 0, &p->region, "parameters"));
    for (hone_param i = 0; i < p->n; i++)
        if (!hone_storage_get(p->items[i]->dtype)->trained) {
            hone_params_freeze_base(p);
            break;
        }
    p->sealed = 1;
    return HONE_OK;
}

hone_status hone_params_copy(const hone_params *from, hone_params **out)
{
    hone_params *p;
    hone_status s = hone_params_create(&p);
    if (s < 0)
        return s;
    for (hone_param i = 0; i < from->n_base; i++) {
        const hone_param_item *it = from->items[i];
        hone_param_spec spec;
        hone_param at;
        memset(&spec, 0, sizeof spec);
        spec.struct_size = sizeof spec;
        spec.flags = it->flags;
        spec.name = it->name;
        spec.gguf_name = it->gguf_name;
        spec.role = it->role;
        spec.rows = it->is_vector ? it->cols : it->rows;
        spec.cols = it->is_vector ? 0 : it->cols;
        spec.init = it->init;
        spec.init_std = it->init_std;
        spec.gguf_permute_heads = it->gguf_permute_heads;
        spec.gguf_offset = it->gguf_offset;
        spec.layer = it->layer;
        HONE_TRY_GOTO(hone__params_add(p, &spec, -1, HONE_NONE, &at), fail);
        p->items[at]->trainable = it->trainable;
        p->items[at]->dtype = it->dtype;
        p->items[at]->beside = it->beside;
    }
    p->n_base = p->n;
    for (const struct hone__file_name *f = from->file_names; f; f = f->next)
        HONE_TRY_GOTO(f->to ? hone_params_rename(p, f->from, f->to) : hone_params_skip(p, f->from),
                      fail);
    if (from->sealed) {
        HONE_TRY_GOTO(hone_params_seal(p), fail);
        if (!hone_region_planning())
            memcpy(p->region.base, from->region.base, from->region.size);
        HONE_TRY_GOTO(hone__params_copy_adapters(p, from), fail);
        HONE_TRY_GOTO(hone__params_copy_merged(p, from), fail);
    }
    *out = p;
    return HONE_OK;
fail:
    hone_params_destroy(p);
    return s;
}

/* ---- looking --------------------------------------------------------------------------------- */
int32_t hone_params_count(const hone_params *p)
{
    return p->n;
}

const hone_param_item *hone_params_item(const hone_params *p, hone_param i)
{
    return i >= 0 && i < p->n ? p->items[i] : NULL;
}

hone_param hone_params_find(const hone_params *p, const char *name)
{
    const hone_param_item *it = hone_map_get(&p->names, name, strlen(name));
    for (hone_param i = 0; it && i < p->n; i++)
        if (p->items[i] == it)
            return i;
    return HONE_NONE;
}

static hone_view item_view(const hone_param_item *it, uint32_t dtype, void *data)
{
    hone_view v = {NULL, 0, 0, 0, 0, 0};
    if (!it)
        return v;
    v.data = data;
    v.dtype = dtype;
    v.layout = it->layout;
    v.rows = it->rows;
    v.cols = it->cols;
    v.ld = it->cols;
    return v;
}

hone_view hone_params_view(const hone_params *p, hone_param i)
{
    const hone_param_item *it = hone_params_item(p, i);
    hone_view v = item_view(it, it ? it->dtype : 0, it ? it->data : NULL);
    if (it && p->integer && hone_storage_get(it->dtype)->put)
        v.dtype |= HONE_VIEW_INTEGER;
    return v;
}

void hone_params_set_integer(hone_params *p, int on)
{
    p->integer = on;
}

hone_view hone_params_grad_view(const hone_params *p, hone_param i)
{
    const hone_param_item *it = hone_params_item(p, i);
    return item_view(it, HONE_F32, it ? it->grad : NULL);
}

static size_t true_size(const hone_param_item *it)
{
    return (size_t)it->rows * (size_t)it->cols;
}

void hone_params_get_sizes(const hone_params *p, hone_params_sizes *out)
{
    memset(out, 0, sizeof *out);
    for (hone_param i = 0; i < p->n; i++)
        if (p->items[i]) {
            out->n_params += true_size(p->items[i]);
            if (p->items[i]->trainable)
                out->n_trainable += true_size(p->items[i]);
        }
    out->bytes = p->region.mapped + p->kept.mapped;
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++)
        out->bytes += p->adapters[k].region.mapped + p->adapters[k].norms.mapped;
    out->grad_bytes = p->grads.mapped;
}

static int32_t tape_get(void *ctx, hone_param i, hone_view *value, hone_view *grad)
{
    const hone_params *p = ctx;
    if (!hone_params_item(p, i) || !p->items[i]->data)
        return 0;
    *value = hone_params_view(p, i);
    *grad = hone_params_grad_view(p, i);
    return 1;
}

static uint32_t tape_loras(void *ctx, hone_param w, uint32_t mask, hone_lora *out, uint32_t max)
{
    return hone_params_loras(ctx, w, mask, out, max);
}

static int32_t tape_magnitude(void *ctx, hone_param w, uint32_t mask, hone_param *m,
                              const float **norm)
{
    return hone_params_magnitude(ctx, w, mask, m, norm);
}

static const char *tape_name(void *ctx, hone_param i)
{
    const hone_param_item *it = hone_params_item(ctx, i);
    return it ? it->name : "?";
}

void hone_params_tape(hone_params *p, hone_tape_params *out)
{
    out->ctx = p;
    out->n = p->n;
    out->get = tape_get;
    out->loras = tape_loras;
    out->magnitude = tape_magnitude;
    out->name = tape_name;
}

/* ---- changes --------------------------------------------------------------------------------- */
void hone__params_touch(hone_params *p, hone_param i)
{
    const int32_t of = i < 0 ? -1 : p->items[i]->adapter;
    if (of < 0) /* a parallel load comes here too */
        (void)__atomic_fetch_add(&p->base_changes, 1, __ATOMIC_RELAXED);
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++)
        if (i < 0 || of == k)
            (void)__atomic_fetch_add(&p->adapters[k].changes, 1, __ATOMIC_RELAXED);
}

void hone_params_changed(hone_params *p)
{
    int base = 0;
    for (hone_param i = 0; i < p->n_base; i++)
        base |= p->items[i]->trainable && !p->items[i]->beside;
    for (int32_t k = 0; k < HONE_ADAPTERS_MAX; k++)
        p->adapters[k].changes++;
    p->base_changes += (uint64_t)base;
}

/* ---- training -------------------------------------------------------------------------------- */
hone_status hone_params_set_trainable(hone_params *p, hone_param i, int on)
{
    const hone_param_item *it = hone_params_item(p, i);
    if (!it || it->trainable == !!on || (on && it->fixed))
        return HONE_OK;
    if (on && !hone_storage_get(it->dtype)->trained) {
        hone_fail(HONE_E_UNSUPPORTED, "model: %s is stored as %s and cannot be trained", it->name,
                  hone_storage_get(it->dtype)->name);
        return hone_fail_hint("store it as f32, or train an adapter beside it");
    }
    hone_params_drop_grads(p);
    p->items[i]->trainable = !!on;
    p->flat_dirty = 1;
    return HONE_OK;
}

void hone_params_freeze_base(hone_params *p)
{
    for (hone_param i = 0; i < p->n_base; i++)
        hone_params_set_trainable(p, i, 0);
}

static void lay_out_flat(hone_params *p)
{
    if (!p->flat_dirty)
        return;
    p->flat_length = 0;
    for (hone_param i = 0; i < p->n; i++)
        if (p->items[i] && p->items[i]->trainable) {
            p->items[i]->flat = p->flat_length;
            p->flat_length += p->items[i]->length;
        }
    p->flat_dirty = 0;
}

size_t hone_params_flat_length(const hone_params *p)
{
    lay_out_flat((hone_params *)p); /* a cache: the answer is a function of what is declared */
    return p->flat_length;
}

hone_status hone_params_need_grads(hone_params *p, size_t *length)
{
    size_t n = hone_params_flat_length(p), bytes;
    if (!p->sealed)
        return hone_fail(HONE_E_STATE, "model: gradients of parameters that have no values");
    if (!p->has_grads) {
        if (!hone_mul_size(n, sizeof(float), &bytes))
            return hone_fail(HONE_E_LIMIT, "model: too many gradients");
        HONE_TRY(hone_region_init(&p->grads, "gradients", bytes));
        for (hone_param i = 0; i < p->n; i++)
            if (p->items[i])
                p->items[i]->grad = p->items[i]->trainable
                                        ? (float *)p->grads.base + p->items[i]->flat
                                        : NULL;
        p->has_grads = 1;
    }
    if (length)
        *length = n;
    return HONE_OK;
}

float *hone_params_grads(const hone_params *p)
{
    return p->has_grads ? p->grads.base : NULL;
}

void hone_params_drop_grads(hone_params *p)
{
    hone_region_release(&p->grads);
    p->grads.name = "gradients";
    p->has_grads = 0;
    for (hone_param i = 0; i < p->n; i++)
        if (p->items[i])
            p->items[i]->grad = NULL;
}

void hone_params_zero_grads(hone_params *p)
{
    if (p->has_grads && p->flat_length && !hone_region_planning())
        memset(p->grads.base, 0, p->flat_length * sizeof(float));
}

struct squares {
    const float *g;
    size_t n, first;
    double *part;
};

/* One chunk: 16 lanes, then one tree. */
static void square_task(void *arg, int64_t task, uint32_t thread)
{
    struct squares *q = arg;
    size_t begin = (q->first + (size_t)task) * CHUNK,
           end = begin + CHUNK < q->n ? begin + CHUNK : q->n;
    double lane[16] = {0};
    (void)thread;
    for (size_t i = begin; i < end; i += 16) /* lengths are multiples of 16 */
        for (size_t j = 0; j < 16; j++)
            lane[j] += (double)q->g[i + j] * (double)q->g[i + j];
    for (size_t w = 8; w > 0; w /= 2)
        for (size_t j = 0; j < w; j++)
            lane[j] += lane[j + w];
    q->part[task] = lane[0];
}

size_t hone_params_chunks(const hone_params *p)
{
    return (hone_params_flat_length(p) + CHUNK - 1) / CHUNK;
}

void hone_params_grad_sq_chunks(const hone_params *p, const hone_exec *exec, size_t first, size_t n,
                                double *part)
{
    struct squares q = {p->grads.base, p->flat_length, first, part};
    hone_fp_setup();
    exec->parallel(exec, (int64_t)n, square_task, &q);
}

double hone_params_grad_sq(const hone_params *p)
{
    double sum = 0.0, one;
    struct squares q = {p->grads.base, p->flat_length, 0, &one};
    if (!p->has_grads || !p->flat_length)
        return 0.0;
    hone_fp_setup();
    for (; q.first < hone_params_chunks(p); q.first++) {
        square_task(&q, 0, 0);
        sum += one;
    }
    return sum;
}

/* ---- slices ---------------------------------------------------------------------------------- */
/* Floats that stay together: a panel of a matrix, a whole vector. */
static size_t unit_of(const hone_param_item *it)
{
    return it->is_vector ? it->length : (size_t)it->cols * HONE_PANEL;
}

/* The first place from `at` on where the flat array may be cut. */
static size_t cut(const hone_params *p, size_t at)
{
    for (hone_param i = 0; i < p->n; i++) {
        const hone_param_item *it = p->items[i];
        if (!it || !it->trainable || at < it->flat || at >= it->flat + it->length)
            continue;
        size_t unit = unit_of(it);
        return it->flat + (at - it->flat + unit - 1) / unit * unit;
    }
    return at;
}

hone_slice hone_params_slice(const hone_params *p, uint32_t k, uint32_t of)
{
    size_t n = hone_params_flat_length(p), each = n / of, more = n % of;
    hone_slice s = {cut(p, each * k + (k < more ? k : more)), 0};
    k++;
    s.end = cut(p, each * k + (k < more ? k : more));
    return s;
}

void hone_params_slice_rows(const hone_param_item *it, hone_slice s, int64_t *first, int64_t *n,
                            size_t *at)
{
    size_t begin = it->flat > s.begin ? it->flat : s.begin,
           end = it->flat + it->length < s.end ? it->flat + it->length : s.end,
           width = it->is_vector ? it->length : (size_t)it->cols;
    *first = *n = 0;
    *at = 0;
    if (begin >= end)
        return;
    *first = (int64_t)((begin - it->flat) / width);
    *n = (int64_t)((end - begin) / width);
    if (*n > it->rows - *first) /* the padding of the last panel */
        *n = it->rows - *first;
    *at = begin - s.begin;
}

/* Copies [begin, begin + n) of the flat array of stored values to `out`, or from `in` when there is one. */
static void copy_flat(const hone_params *p, size_t begin, size_t n, float *out, const float *in)
{
    size_t end = begin + n;
    hone_params_flat_length(p); /* lays the flat array out */
    for (hone_param i = 0; i < p->n; i++) {
        const hone_param_item *it = p->items[i];
        if (!it || !it->trainable || it->flat >= end || it->flat + it->length <= begin)
            continue;
        size_t from = it->flat > begin ? it->flat : begin,
               to = it->flat + it->length < end ? it->flat + it->length : end,
               bytes = (to - from) * sizeof(float);
        float *stored = (float *)it->data + (from - it->flat);
        if (in)
            memcpy(stored, in + (from - begin), bytes);
        else
            memcpy(out + (from - begin), stored, bytes);
    }
}

void hone_params_get_flat(const hone_params *p, size_t begin, size_t n, float *out)
{
    copy_flat(p, begin, n, out, NULL);
}

void hone_params_set_flat(hone_params *p, size_t begin, size_t n, const float *in)
{
    copy_flat(p, begin, n, NULL, in);
    hone_params_changed(p);
}
