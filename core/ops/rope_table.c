/* rope_table.c - angles of rotary positions.
 *
 * The definition is what Hugging Face transformers does in float32 (modeling_rope_utils.py): for
 * pair i of d/2
 *   inv_i = 1 / theta^(2i/d),   angle(p, i) = p * inv_i,   cos and sin of that float32 angle,
 * with inv_i changed by the scaling:
 *   linear   inv_i / factor
 *   llama3   wavelengths 2 pi/inv_i longer than original/low_freq_factor: inv_i / factor;
 *            shorter than original/high_freq_factor: unchanged; between: interpolated
 *   yarn     a ramp over i between inv_i and inv_i / factor (Peng et al. 2023), and cos, sin
 *            times attention_factor (0: 0.1 ln(factor) + 1)
 *   dynamic  for positions p from original_max_positions L on: theta times
 *            (factor (p + 1)/L - (factor - 1))^(d/(d - 2)): what transformers computes for a sequence that
 *            ends there, so that no token's angles depend on what follows it
 *   factors  inv_i / factors_i (longrope, and tables of GGUF files), cos and sin times attention_factor
 *
 * Powers, cosines and sines are computed in double by base/math64 and rounded once: the same bits
 * on every machine. A table grows by blocks of 256 positions that never move, so that readers
 * need no lock. */
#include "ops/rope_table.h"

#include "base/alloc.h"
#include "base/math64.h"

#include <pthread.h>
#include <string.h>

enum { BLOCK = 256, BLOCKS = HONE_ROPE_MAX_POSITION / BLOCK, TABLES = 256, FACTORS = 1024 };
static const double PI = 3.141592653589793;

struct hone__rope_table {
    hone_rope key;
    struct hone__rope_table *next;
    float factors[FACTORS]; /* the key's, copied */
    int64_t width;          /* floats of cos of one position */
    float *blocks[BLOCKS]; /* BLOCK x (cos[width], sin[width]); set under the lock, read after it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hone__rope_table *tables;

/* dimension at which a wavelength makes `turns` turns over the original length */
static double yarn_dim(const hone_rope *r, double turns)
{
    return r->rotary_dim * hone_math_log(r->original_max_positions / (turns * 2 * PI)) /
           (2 * hone_math_log(r->theta));
}
static double floor_of(double x)
{
    double n = (double)(int64_t)x;
    return n > x ? n - 1 : n;
}

hone_status hone__rope_frequencies(const hone_rope *r, float *out, float *factor)
{
    int half = r->rotary_dim / 2;
    float f = (float)r->factor;
    if (!(r->theta > 0) || r->rotary_dim < 2 || r->rotary_dim % 2)
        return hone_fail(HONE_E_INVALID, "rope: theta %g with rotary_dim %d", r->theta,
                         r->rotary_dim);
    if (r->scaling != HONE_ROPE_NONE && r->scaling != HONE_ROPE_FACTORS && !(r->factor > 0))
        return hone_fail(HONE_E_INVALID, "rope: scaling needs a factor above 0");
    for (int i = 0; i < half; i++) {
        float e = (float)(2 * i) / (float)r->rotary_dim;
        out[i] = 1.0f / (float)hone_math_pow(r->theta, (double)e);
    }
    *factor = 1.0f;
    switch (r->scaling) {
    case HONE_ROPE_NONE:
    case HONE_ROPE_DYNAMIC: /* below the original length */
        return HONE_OK;
    case HONE_ROPE_FACTORS:
        if (!r->factors || r->n_factors != (uint64_t)half)
            return hone_fail(HONE_E_INVALID, "rope: %llu factors for %d pairs of columns",
                             (unsigned long long)r->n_factors, half);
        for (int i = 0; i < half; i++) {
            if (!(r->factors[i] > 0))
                return hone_fail(HONE_E_INVALID, "rope: factor %d is not above 0", i);
            out[i] = 1.0f / (r->factors[i] * (1.0f / out[i]));
        }
        *factor = (float)(r->attention_factor > 0 ? r->attention_factor : 1);
        return HONE_OK;
    case HONE_ROPE_LINEAR:
        for (int i = 0; i < half; i++)
            out[i] /= f;
        return HONE_OK;
    case HONE_ROPE_LLAMA3: {
        double old = r->original_max_positions, lo = r->low_freq_factor, hi = r->high_freq_factor;
        if (!(old > 0 && lo > 0 && hi > lo))
            return hone_fail(HONE_E_INVALID,
                             "rope: llama3 scaling with low_freq_factor %g, "
                             "high_freq_factor %g, original_max_position_embeddings %g",
                             lo, hi, old);
        for (int i = 0; i < half; i++) {
            float inv = out[i], wave = (float)(2 * PI) / inv;
            if (wave > (float)(old / lo)) {
                out[i] = inv / f;
            } else if (wave >= (float)(old / hi)) {
                float s = ((float)old / wave - (float)lo) / (float)(hi - lo);
                out[i] = (1 - s) * inv / f + s * inv;
            }
        }
        return HONE_OK;
    }
    case HONE_ROPE_YARN: {
        double fast = r->beta_fast > 0 ? r->beta_fast : 32,
               slow = r->beta_slow > 0 ? r->beta_slow : 1;
        if (!(r->original_max_positions > 0) || r->theta == 1)
            return hone_fail(HONE_E_INVALID,
                             "rope: yarn scaling needs original_max_position_embeddings");
        double low = floor_of(yarn_dim(r, fast)), high = -floor_of(-yarn_dim(r, slow));
        low = low < 0 ? 0 : low;
        high = high > r->rotary_dim - 1 ? r->rotary_dim - 1 : high;
        if (low == high)
            high += 0.001;
        for (int i = 0; i < half; i++) {
            float ramp = ((float)i - (float)low) / (float)(high - low);
            ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
            out[i] = out[i] / f * ramp + out[i] * (1 - ramp);
        }
        *factor = (float)(r->attention_factor > 0 ? r->attention_factor
                          : r->factor > 1         ? 0.1 * hone_math_log(r->factor) + 1
                                                  : 1);
        return HONE_OK;
    }
    default:
        return hone_fail(HONE_E_UNSUPPORTED, "rope: scaling of kind %u is not supported",
                         r->scaling);
    }
}

/* The frequencies of one position under dynamic scaling. */
static hone_status dynamic_at(const hone_rope *r, int64_t position, float *out)
{
    double length = (double)position + 1, d = r->rotary_dim;
    hone_rope longer = *r;
    float factor;
    if (!(r->original_max_positions > 0) || r->rotary_dim < 4 || !(r->factor >= 1))
        return hone_fail(HONE_E_INVALID,
                         "rope: dynamic scaling with a factor of %g, %g positions, rotary_dim %d",
                         r->factor, r->original_max_positions, r->rotary_dim);
    if (length > r->original_max_positions)
        longer.theta *= hone_math_pow(
            r->factor * length / r->original_max_positions - (r->factor - 1), d / (d - 2));
    return hone__rope_frequencies(&longer, out, &factor);
}

static int same(const hone_rope *a, const hone_rope *b)
{
    if (a->n_factors != b->n_factors ||
        (a->n_factors && memcmp(a->factors, b->factors, (size_t)a->n_factors * sizeof(float)) != 0))
        return 0;
    return a->interleaved == b->interleaved && a->rotary_dim == b->rotary_dim &&
           a->scaling == b->scaling && a->theta == b->theta && a->factor == b->factor &&
           a->low_freq_factor == b->low_freq_factor && a->high_freq_factor == b->high_freq_factor &&
           a->original_max_positions == b->original_max_positions && a->beta_fast == b->beta_fast &&
           a->beta_slow == b->beta_slow && a->attention_factor == b->attention_factor;
}

static hone_status fill_block(hone__rope_table *t, int64_t b)
{
    int64_t half = t->key.rotary_dim / 2;
    size_t bytes;
    if (!hone_mul_size((size_t)t->width, 2 * BLOCK * sizeof(float), &bytes))
        return hone_fail(HONE_E_RANGE, "rope: rotary_dim %d", t->key.rotary_dim);
    float *inv = hone_alloc((size_t)half * sizeof(float)), *block = hone_alloc(bytes), factor;
    hone_status s = inv && block ? hone__rope_frequencies(&t->key, inv, &factor) : HONE_E_NOMEM;
    if (s < 0)
        goto done;
    for (int64_t p = 0; p < BLOCK; p++) {
        float *cs = block + p * 2 * t->width, *sn = cs + t->width;
        if (t->key.scaling == HONE_ROPE_DYNAMIC)
            HONE_TRY_GOTO(dynamic_at(&t->key, b * BLOCK + p, inv), done);
        for (int64_t i = 0; i < half; i++) {
            double angle = (double)((float)(b * BLOCK + p) * inv[i]);
            float c = (float)hone_math_cos(angle) * factor,
                  v = (float)hone_math_sin(angle) * factor;
            if (t->key.interleaved) {
                cs[2 * i] = cs[2 * i + 1] = c;
                sn[2 * i] = -v;
                sn[2 * i + 1] = v;
            } else {
                cs[i] = c;
                sn[i] = v;
            }
        }
    }
    t->blocks[b] = block;
    block = NULL;
done:
    hone_free(block);
    hone_free(inv);
    return s;
}

hone_status hone__rope_table_get(const hone_rope *rope, int64_t last, const hone__rope_table **out)
{
    if (last < 0 || last >= HONE_ROPE_MAX_POSITION)
        return hone_fail(HONE_E_RANGE, "rope: position %lld is past %d", (long long)last,
                         HONE_ROPE_MAX_POSITION - 1);
    hone_status s = HONE_OK;
    int n = 0;
    pthread_mutex_lock(&lock);
    hone__rope_table *t = tables;
    for (; t && !same(&t->key, rope); t = t->next)
        n++;
    if (!t) {
        t = n < TABLES ? hone_calloc(1, sizeof *t) : NULL;
        if (!t) {
            s = n < TABLES ? HONE_E_NOMEM
                           : hone_fail(HONE_E_LIMIT,
                                       "rope: more than %d configurations in one process", TABLES);
            goto done;
        }
        t->key = *rope;
        t->key.factors = t->factors;
        if (rope->scaling != HONE_ROPE_FACTORS || rope->n_factors > FACTORS)
            t->key.n_factors = 0;
        if (t->key.n_factors > 0)
            memcpy(t->factors, rope->factors, (size_t)t->key.n_factors * sizeof *t->factors);
        t->width = rope->interleaved ? rope->rotary_dim : rope->rotary_dim / 2;
        t->next = tables;
        tables = t;
    }
    for (int64_t b = 0; b <= last / BLOCK && s >= 0; b++)
        if (!t->blocks[b])
            s = fill_block(t, b);
    if (s >= 0)
        *out = t;
done:
    pthread_mutex_unlock(&lock);
    return s;
}

void hone__rope_row(const hone__rope_table *t, int64_t p, const float **cs, const float **sn)
{
    *cs = t->blocks[p / BLOCK] + p % BLOCK * 2 * t->width;
    *sn = *cs + t->width;
}

void hone__rope_clear(void)
{
    pthread_mutex_lock(&lock);
    while (tables) {
        hone__rope_table *t = tables;
        tables = t->next;
        for (int64_t b = 0; b < BLOCKS; b++)
            hone_free(t->blocks[b]);
        hone_free(t);
    }
    pthread_mutex_unlock(&lock);
}
