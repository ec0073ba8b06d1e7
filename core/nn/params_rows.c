/* params_rows.c - values of the parameter store as rows, whatever they are stored as.
 *
 * Files, sums, initial values, averages and merged adapters see row-major float32; panels and the
 * types in them are ops/storage.h. Whatever is set is rounded once, to nearest.
 * Does not place anything (params.c) and knows no files (load.c). */
#include "nn/params_int.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "nn/quant_keep.h"
#include "ops/kernels.h"
#include "ops/storage.h"
#include "tensor/pool.h"

#include <math.h>
#include <string.h>

/* ---- panels -------------------------------------------------------------------------------------- */
static void unpack(const hone_param_item *it, const hone_storage *s, const void *stored,
                   int64_t first, int64_t n, float *out)
{
    const int64_t c = it->cols, bytes = hone_storage_panel_bytes(s, c);
    if (it->is_vector) {
        memcpy(out, stored, (size_t)c * sizeof(float));
        return;
    }
    for (int64_t r = first;
         r < first + n;) { /* whole panels at a time: one pass over their lines */
        int64_t lane = r % HONE_PANEL, take = HONE_PANEL - lane;
        if (take > first + n - r)
            take = first + n - r;
        s->unpack((const char *)stored + r / HONE_PANEL * bytes, lane, take, c,
                  out + (r - first) * c);
        r += take;
    }
}

/* -1, or the place of the first value that the type cannot hold. */
static int64_t pack(const hone_param_item *it, const hone_storage *s, void *stored, int64_t first,
                    int64_t n, const float *in)
{
    const int64_t c = it->cols, bytes = hone_storage_panel_bytes(s, c);
    if (it->is_vector) {
        memcpy(stored, in, (size_t)c * sizeof(float));
        return -1;
    }
    for (int64_t r = first; s->put && r < first + n; r++) {
        int64_t bad = hone_quant_put_values(s, in + (r - first) * c, c, r % HONE_PANEL,
                                            (char *)stored + r / HONE_PANEL * bytes);
        if (bad >= 0)
            return (r - first) * c + bad;
    }
    for (int64_t r = first; !s->put && r < first + n;) {
        int64_t lane = r % HONE_PANEL, take = HONE_PANEL - lane, bad;
        if (take > first + n - r)
            take = first + n - r;
        bad = s->pack(in + (r - first) * c, lane, take, c, (char *)stored + r / HONE_PANEL * bytes);
        if (bad >= 0)
            return (r - first) * c + bad;
        r += take;
    }
    return -1;
}

void hone_params_unpack(const hone_param_item *it, const float *stored, int64_t first, int64_t n,
                        float *out)
{
    unpack(it, hone_storage_get(HONE_F32), stored, first, n, out);
}

void hone_params_pack(const hone_param_item *it, float *stored, int64_t first, int64_t n,
                      const float *in)
{
    pack(it, hone_storage_get(HONE_F32), stored, first, n, in);
}

/* ---- rows ---------------------------------------------------------------------------------------- */
static hone_status check_rows(const hone_params *p, hone_param i, int64_t first, int64_t n)
{
    const hone_param_item *it = hone_params_item(p, i);
    if (!it || !it->data)
        return hone_fail(HONE_E_NOT_FOUND, "model: no parameter %d", i);
    if (first < 0 || n < 0 || first > it->rows || n > it->rows - first || (it->is_vector && n != 1))
        return hone_fail(HONE_E_RANGE, "model: rows %lld..%lld of %s, which has %lld",
                         (long long)first, (long long)(first + n), it->name, (long long)it->rows);
    return HONE_OK;
}

hone_status hone_params_get_rows(const hone_params *p, hone_param i, int64_t first, int64_t n,
                                 float *out)
{
    HONE_TRY(check_rows(p, i, first, n));
    const hone_param_item *it = p->items[i];
    unpack(it, hone_storage_get(it->dtype), it->data, first, n, out);
    return HONE_OK;
}

hone_status hone_params_set_rows(hone_params *p, hone_param i, int64_t first, int64_t n,
                                 const float *in)
{
    HONE_TRY(check_rows(p, i, first, n));
    const hone_param_item *it = p->items[i];
    const hone_storage *s = hone_storage_get(it->dtype);
    hone__params_touch(p, i);
    int64_t bad = pack(it, s, it->data, first, n, in);
    if (bad < 0)
        return HONE_OK;
    hone_fail(HONE_E_RANGE, "%s: %s cannot hold %g (row %lld)", it->name, s->name, (double)in[bad],
              (long long)(first + bad / it->cols));
    return hone_fail_hint("store the weights as %sf32",
                          it->dtype == HONE_BF16 ? ""
                                                 : "bf16, which has the range of float32, or as ");
}

hone_status hone_params_set_blocks(hone_params *p, hone_param i, int64_t row, uint32_t file_type,
                                   const unsigned char *blocks)
{
    HONE_TRY(check_rows(p, i, row, 1));
    const hone_param_item *it = p->items[i];
    const hone_storage *s = hone_storage_get(it->dtype);
    const hone_file_type *t = hone_file_type_get(file_type);
    if (!t || !s->put || hone_quant_keeps(file_type) != it->dtype)
        return hone_fail(HONE_E_UNSUPPORTED, "model: %s is stored as %s, which does not keep %s",
                         it->name, s->name, t ? t->name : "that type");
    hone__params_touch(p, i);
    char *panel = (char *)it->data + row / HONE_PANEL * hone_storage_panel_bytes(s, it->cols);
    hone_quant_block block;
    for (int64_t b = 0; b < it->cols / s->block; b++) {
        hone_quant_block_read(file_type, blocks + b * (int64_t)t->bytes, &block);
        s->put(&block, b, row % HONE_PANEL, panel);
    }
    return HONE_OK;
}

hone_status hone_params_get_grad_rows(const hone_params *p, hone_param i, int64_t first, int64_t n,
                                      float *out)
{
    HONE_TRY(check_rows(p, i, first, n));
    if (!p->items[i]->grad)
        return hone_fail(HONE_E_STATE, "model: %s has no gradient", p->items[i]->name);
    hone_params_unpack(p->items[i], p->items[i]->grad, first, n, out);
    return HONE_OK;
}

/* Adds scale B A to n rows of w: the sum over the rank in double, then one rounding. */
static hone_status add_product(const hone_params *p, const hone_lora *l, int64_t first, int64_t n,
                               float *w)
{
    const hone_param_item *a = p->items[l->a], *b = p->items[l->b];
    const int64_t cols = a->cols, rank = a->rows;
    float *buf = hone_reallocarray(NULL, (size_t)(cols + 1) * (size_t)rank, sizeof *buf);
    float *row = buf + cols * rank;
    if (!buf)
        return HONE_E_NOMEM;
    hone_params_unpack(a, a->data, 0, rank, buf);
    for (int64_t r = 0; r < n; r++) {
        hone_params_unpack(b, b->data, first + r, 1, row);
        for (int64_t c = 0; c < cols; c++) {
            double sum = 0.0;
            for (int64_t j = 0; j < rank; j++)
                sum += (double)row[j] * (double)buf[j * cols + c];
            w[r * cols + c] = (float)((double)w[r * cols + c] + (double)l->scale * sum);
        }
    }
    hone_free(buf);
    return HONE_OK;
}

/* Each of n rows of w gets the length that m says. */
static void set_lengths(const hone_param_item *m, int64_t first, int64_t n, int64_t cols, float *w)
{
    const float *length = m->data;
    for (int64_t r = 0; r < n; r++) {
        /* the norm as a float, as it is in hone_params_magnitude: a new adapter changes no bit */
        const float norm = (float)sqrt(hone__row_square(w + r * cols, cols)),
                    share = norm == 0.0f ? 0.0f : length[first + r] / norm;
        for (int64_t c = 0; c < cols; c++)
            w[r * cols + c] *= share;
    }
}

hone_status hone_params_get_merged_rows(const hone_params *p, hone_param i, uint32_t mask,
                                        int64_t first, int64_t n, float *out)
{
    hone_lora lora[HONE_ADAPTERS_MAX];
    uint32_t k = hone_params_loras(p, i, mask, lora, HONE_ADAPTERS_MAX);
    const float *norm;
    hone_param m;
    HONE_TRY(hone_params_check_merged(p, mask, 0));
    int32_t with = hone_params_magnitude(p, i, mask, &m, &norm);
    if (with < 0)
        return with;
    HONE_TRY(hone_params_get_rows(p, i, first, n, out));
    for (uint32_t j = 0; j < k; j++)
        HONE_TRY(add_product(p, &lora[j], first, n, out));
    if (with)
        set_lengths(p->items[m], first, n, p->items[i]->cols, out);
    return HONE_OK;
}

/* ---- all values ---------------------------------------------------------------------------------- */
/* One initial row. */
static void init_row(const hone_param_item *it, hone_rng_key *key, int64_t row, float *out)
{
    for (int64_t c = 0; c < it->cols; c++) {
        uint64_t e = (uint64_t)(row * it->cols + c);
        out[c] = it->init == HONE_INIT_ONE
                     ? 1.0f
                     : (float)(hone_rng_normal(key, e) * (double)it->init_std);
    }
}

/* `row`: room for one of its rows. */
static hone_status init_values(hone_params *p, hone_param i, uint64_t seed, float *row)
{
    const hone_param_item *it = p->items[i];
    hone_rng_key key = {seed, HONE_RNG_INIT, 0, (uint64_t)i, 0};
    hone_status s = HONE_OK;
    hone__params_touch(p, i);
    memset(it->data, 0, hone__params_bytes(it));
    if (it->init != HONE_INIT_NORMAL && it->init != HONE_INIT_ONE)
        return HONE_OK;
    for (int64_t r = 0; r < it->rows && s >= 0; r++) {
        init_row(it, &key, r, row);
        s = hone_params_set_rows(p, i, r, 1, row);
    }
    return s;
}

static hone_status init_range(hone_params *p, hone_param first, hone_param end, uint64_t seed)
{
    int64_t most = 0;
    hone_status s = HONE_OK;
    if (hone_region_planning())
        return HONE_OK;
    for (hone_param i = first; i < end; i++)
        most = p->items[i]->cols > most ? p->items[i]->cols : most;
    float *row = hone_reallocarray(NULL, (size_t)most, sizeof *row);
    if (!row)
        return HONE_E_NOMEM;
    for (hone_param i = first; i < end && s >= 0; i++)
        s = init_values(p, i, seed, row);
    hone_free(row);
    return s;
}

hone_status hone_params_init_values(hone_params *p, uint64_t seed)
{
    return init_range(p, 0, p->n_base, seed);
}

hone_status hone_params_init_value(hone_params *p, hone_param i, uint64_t seed)
{
    return init_range(p, i, i + 1, seed);
}

/* Values in the order they are stored, as float32, a few at a time; outputs that a last panel does not have
 * count as 0, whatever their codes would mean. */
enum { INPUTS = 256 }; /* a multiple of every block */
static uint64_t sum_panels(const hone_param_item *it, const hone_storage *s, uint64_t seed)
{
    float panel[INPUTS * HONE_PANEL];
    hone_xxh h;
    hone_xxh_init(&h, seed);
    const char *at = it->data;
    for (int64_t q = 0; q < hone_panels(it->rows); q++) {
        const int64_t rest = it->rows - q * HONE_PANEL;
        for (int64_t k = 0; k < it->cols; k += INPUTS) {
            int64_t n = it->cols - k < INPUTS ? it->cols - k : INPUTS;
            s->widen(at, n, panel);
            for (int64_t i = 0; rest < HONE_PANEL && i < n; i++)
                memset(panel + i * HONE_PANEL + rest, 0,
                       (size_t)(HONE_PANEL - rest) * sizeof *panel);
            hone_xxh_add(&h, panel, (size_t)(n * HONE_PANEL) * sizeof *panel);
            at += hone_storage_panel_bytes(s, n);
        }
    }
    return hone_xxh_sum(&h);
}

static uint64_t checksum(const hone_params *p, uint32_t adapters)
{
    uint64_t h = 0;
    for (hone_param i = 0; i < p->n && !hone_region_planning(); i++) {
        const hone_param_item *it = p->items[i];
        if (!it || !it->data || it->beside || (it->adapter >= 0 && !(adapters >> it->adapter & 1)))
            continue;
        h = hone_xxh64(it->name, strlen(it->name), h);
        h = it->dtype == HONE_F32 ? hone_xxh64(it->data, it->length * sizeof(float), h)
                                  : sum_panels(it, hone_storage_get(it->dtype), h);
    }
    return h;
}

uint64_t hone_params_checksum(const hone_params *p)
{
    return checksum(p, ~0u);
}

uint64_t hone_params_checksum_with(const hone_params *p, uint32_t adapters)
{
    return checksum(p, adapters);
}

uint64_t hone_params_checksum_base(const hone_params *p)
{
    return checksum(p, 0);
}

static hone_status check_lerp(const hone_params *p, const hone_params *other)
{
    if (p->n != other->n)
        return hone_fail(HONE_E_SHAPE, "model: the two stores have %d and %d parameters", p->n,
                         other->n);
    for (hone_param i = 0; i < p->n; i++) {
        const hone_param_item *a = p->items[i], *b = other->items[i];
        if (!a != !b || (a && (a->length != b->length || strcmp(a->name, b->name) != 0)))
            return hone_fail(HONE_E_SHAPE, "model: parameter %d differs between the two stores", i);
        if (!a || (a->dtype == HONE_F32 && b->dtype == HONE_F32) || hone_region_planning())
            continue;
        if (a->dtype != b->dtype || memcmp(a->data, b->data, hone__params_bytes(a)) != 0) {
            hone_fail(HONE_E_UNSUPPORTED, "model: %s is stored as %s and differs in the two stores",
                      a->name, hone_storage_get(a->dtype != HONE_F32 ? a->dtype : b->dtype)->name);
            return hone_fail_hint("an average needs weights stored as f32");
        }
    }
    return HONE_OK;
}

hone_status hone_params_lerp(hone_params *p, const hone_params *other, float t)
{
    HONE_TRY(check_lerp(p, other));
    HONE_TRY(hone__params_unmerged(p, "to average"));
    HONE_TRY(hone__params_unmerged(other, "to average"));
    if (hone_region_planning())
        return HONE_OK;
    hone_fp_setup();
    hone__params_touch(p, -1);
    for (hone_param i = 0; i < p->n; i++) {
        const hone_param_item *it = other->items[i];
        if (!it || it->dtype != HONE_F32)
            continue;
        const float *b = it->data;
        float *d = p->items[i]->data;
        for (size_t k = 0; k < it->length; k++)
            d[k] = b[k] == d[k] ? d[k] : d[k] + t * (b[k] - d[k]); /* -0 stays what it is */
    }
    return HONE_OK;
}
