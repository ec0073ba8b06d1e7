/* rope.c - rotary positions: `rope_theta` with `rope_scaling` (transformers 4), `rope_parameters` (5; for some families
 * one map for each kind of layer), GGUF's rope.* keys and tables of factors; and back to `rope_scaling`.
 *
 * What each kind computes is defined by transformers (modeling_rope_utils.py) and done by the host's op; here are names
 * and defaults. longrope has two tables of factors, for sequences up to the original length and for longer ones: the
 * short one is used, and the op refuses positions beyond, since a token's state may not depend on what follows. The
 * factors of a Llama 3 GGUF are recognised as its scaling, others are kept as a table. */
#include "decoders.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double PI = 3.141592653589793;

/* ---- checking -------------------------------------------------------------------------------- */
static void check(decoder_reader *r, const decoder_rope *p)
{
    const hone_rope *o = &p->rope;
    if (!(o->theta > 0.0 && o->theta < 1e18))
        decoder_refuse(r, HONE_E_RANGE, "rope theta %g", o->theta);
    if (!(o->factor > 0.0 && o->factor < 1e9))
        decoder_refuse(r, HONE_E_RANGE, "rope factor %g", o->factor);
    if (o->rotary_dim < 2 || o->rotary_dim % 2)
        decoder_refuse(r, HONE_E_RANGE, "rope over %d columns of a head", o->rotary_dim);
    if (!(o->attention_factor >= 0.0 && o->attention_factor < 1e9))
        decoder_refuse(r, HONE_E_RANGE, "rope attention factor %g", o->attention_factor);
    if (o->scaling == HONE_ROPE_LLAMA3 &&
        !(o->low_freq_factor > 0.0 && o->high_freq_factor > o->low_freq_factor &&
          o->original_max_positions > 0.0))
        decoder_refuse(r, HONE_E_RANGE, "rope scaling llama3 with factors %g, %g and %g positions",
                       o->low_freq_factor, o->high_freq_factor, o->original_max_positions);
    if (o->scaling == HONE_ROPE_YARN && !(o->original_max_positions > 0.0 && o->theta > 1.0 &&
                                          o->beta_fast >= 0.0 && o->beta_slow >= 0.0))
        decoder_refuse(r, HONE_E_RANGE,
                       "rope scaling yarn with theta %g, betas %g and %g, %g positions", o->theta,
                       o->beta_fast, o->beta_slow, o->original_max_positions);
    if (o->scaling == HONE_ROPE_DYNAMIC && !(o->factor >= 1.0 && o->rotary_dim > 2))
        decoder_refuse(r, HONE_E_RANGE, "rope scaling dynamic with factor %g over %d columns",
                       o->factor, o->rotary_dim);
}

static void start(decoder_rope *p, const decoder_facts *f, double theta)
{
    p->rope.struct_size = sizeof p->rope;
    p->rope.head_dim = p->rope.rotary_dim = (int32_t)f->head_dim;
    p->rope.theta = theta;
    p->rope.factor = 1.0;
}

/* A list of positive factors, one for each pair of columns. */
static int table(decoder_reader *r, const hone_value *v, const char *key, int want, float *out)
{
    if (!v || v->type != HONE_LIST || v->u.list.n != (size_t)want) {
        decoder_refuse(r, HONE_E_INVALID, "rope: \"%s\" is no list of %d factors", key, want);
        return 0;
    }
    for (int i = 0; i < want; i++) {
        const hone_value *x = &v->u.list.items[i];
        double d = x->type == HONE_F64 ? x->u.f64 : x->type == HONE_I64 ? (double)x->u.i64 : 0.0;
        if (!(d > 1e-9 && d < 1e9)) {
            decoder_refuse(r, HONE_E_RANGE, "rope: factor %d of \"%s\" is not in 1e-9 to 1e9", i,
                           key);
            return 0;
        }
        out[i] = (float)d;
    }
    return want;
}

/* The op refuses positions for which the other table would be right. */
static void limit(decoder_rope *p)
{
    int same = p->n_long == p->n_factors &&
               memcmp(p->factors, p->long_factors, (size_t)p->n_long * sizeof *p->factors) == 0;
    p->rope.original_max_positions = same || !p->n_long ? 0.0 : p->original;
}

static double longrope_attention(double factor, double original)
{
    return factor <= 1.0 || original <= 1.0 ? 1.0 : sqrt(1.0 + log(factor) / log(original));
}

/* ---- Hugging Face ---------------------------------------------------------------------------- */
static double needed_factor(decoder_reader *in, const char *kind)
{
    double v = decoder_number(in, "factor", -1.0);
    if (!decoder_get(in->map, "factor"))
        decoder_refuse(in, HONE_E_INVALID, "\"%s.factor\" is missing for rope scaling %s", in->name,
                       kind);
    return v;
}

static void read_yarn(decoder_reader *in, decoder_facts *f, decoder_rope *p)
{
    double m, all;
    p->rope.factor = decoder_number(in, "factor", (double)f->max_positions / p->original);
    p->rope.beta_fast = decoder_number(in, "beta_fast", 0.0);
    p->rope.beta_slow = decoder_number(in, "beta_slow", 0.0);
    p->rope.attention_factor = decoder_number(in, "attention_factor", 0.0);
    m = decoder_number(in, "mscale", 0.0);
    all = decoder_number(in, "mscale_all_dim", 0.0);
    p->attention_given = decoder_use(in, "attention_factor") != NULL;
    if (p->attention_given && !(p->rope.attention_factor > 0.0))
        decoder_refuse(in, HONE_E_RANGE, "rope attention factor %g", p->rope.attention_factor);
    if (!p->attention_given && m != 0.0 && all != 0.0) {
        double ln = p->rope.factor > 1.0 ? log(p->rope.factor) : 0.0;
        p->rope.attention_factor = (0.1 * m * ln + 1.0) / (0.1 * all * ln + 1.0);
        p->attention_given = 1;
    }
    if (!decoder_truth(in, "truncate", 1))
        decoder_refuse(in, HONE_E_UNSUPPORTED, "rope scaling yarn without truncation");
}

static void read_longrope(decoder_reader *in, decoder_facts *f, decoder_rope *p)
{
    int half = p->rope.rotary_dim / 2;
    double factor = decoder_number(in, "factor", (double)f->max_positions / p->original);
    p->n_factors = table(in, decoder_use(in, "short_factor"), "short_factor", half, p->factors);
    p->n_long = table(in, decoder_use(in, "long_factor"), "long_factor", half, p->long_factors);
    p->rope.attention_factor = decoder_number(in, "attention_factor", 0.0);
    p->attention_given = decoder_use(in, "attention_factor") != NULL || decoder_use(in, "factor");
    if (!decoder_use(in, "attention_factor"))
        p->rope.attention_factor = longrope_attention(factor, p->original);
    limit(p);
}

/* One map: rope_scaling, rope_parameters, or rope_parameters.<kind of layer>. */
static void read_map(decoder_reader *r, decoder_facts *f, decoder_rope *p, const char *name,
                     const hone_value *map, double partial, double original)
{
    decoder_reader in = {map, name, r->store, r->failed};
    hone_str kind;
    if (map->type != HONE_MAP) {
        decoder_refuse(r, HONE_E_TYPE, "\"%s\" is no map", name);
        return;
    }
    kind = decoder_text(&in, "type", "default");
    kind = decoder_get(map, "rope_type") ? decoder_text(&in, "rope_type", "default") : kind;
    p->rope.theta = decoder_number(&in, "rope_theta", p->rope.theta);
    partial = decoder_number(&in, "partial_rotary_factor", partial);
    if (!(partial > 0.0 && partial <= 1.0) || (partial < 1.0 && !f->family->phi_rope)) {
        decoder_refuse(&in, HONE_E_RANGE, "a partial rotary factor of %g in a model of type %s",
                       partial, f->family->type);
        partial = 1.0;
    }
    p->rope.rotary_dim = (int32_t)((double)f->head_dim * partial);
    p->original = decoder_is(kind, "llama3") || decoder_is(kind, "yarn") ||
                          decoder_is(kind, "longrope") || decoder_is(kind, "su")
                      ? (double)decoder_whole(&in, "original_max_position_embeddings",
                                              f->max_positions, 1, (int64_t)1 << 40)
                      : 0.0;
    if (p->original > 0.0 && original > 0.0)
        p->original = original;
    p->rope.original_max_positions = p->original;
    if (in.failed < 0) {
        r->failed = r->failed < 0 ? r->failed : in.failed;
        return;
    }
    if (decoder_is(kind, "default")) {
        p->rope.scaling = HONE_ROPE_NONE;
    } else if (decoder_is(kind, "linear")) {
        p->rope.scaling = HONE_ROPE_LINEAR;
        p->rope.factor = needed_factor(&in, "linear");
    } else if (decoder_is(kind, "dynamic")) {
        p->rope.scaling = HONE_ROPE_DYNAMIC;
        p->rope.factor = needed_factor(&in, "dynamic");
        p->rope.original_max_positions = (double)f->max_positions;
    } else if (decoder_is(kind, "llama3")) {
        p->rope.scaling = HONE_ROPE_LLAMA3;
        p->rope.factor = needed_factor(&in, "llama3");
        p->rope.low_freq_factor = decoder_number(&in, "low_freq_factor", 1.0);
        p->rope.high_freq_factor = decoder_number(&in, "high_freq_factor", 4.0);
    } else if (decoder_is(kind, "longrope") || decoder_is(kind, "su") ||
               (decoder_is(kind, "yarn") && f->family->phi_rope)) {
        p->rope.scaling = HONE_ROPE_FACTORS;
        read_longrope(&in, f, p);
    } else if (decoder_is(kind, "yarn")) {
        p->rope.scaling = HONE_ROPE_YARN;
        read_yarn(&in, f, p);
    } else {
        decoder_refuse(&in, HONE_E_UNSUPPORTED,
                       "rope scaling \"%.*s\" is not supported (default, linear, dynamic, llama3, "
                       "yarn, longrope are)",
                       (int)(kind.len < 64 ? kind.len : 64), kind.ptr);
    }
    if (r->failed == HONE_OK)
        r->failed = in.failed;
}

void decoder_rope_hf(decoder_reader *r, decoder_facts *f)
{
    const decoder_family *fam = f->family;
    const hone_value *v;
    double partial = 1.0, original = 0.0, theta = decoder_number(r, "rope_theta", fam->theta);
    char name[120];
    start(&f->ropes[0], f, theta);
    start(&f->ropes[1], f,
          fam->local_theta > 0.0 ? decoder_number(r, "rope_local_base_freq", fam->local_theta)
                                 : theta);
    if (fam->phi_rope) {
        partial = decoder_number(r, "partial_rotary_factor", 1.0);
        original = (double)decoder_whole(r, "original_max_position_embeddings", 4096, 1,
                                         (int64_t)1 << 40);
        if (partial > 0.0 && partial <= 1.0)
            f->ropes[0].rope.rotary_dim = (int32_t)((double)f->head_dim * partial);
    } else if (decoder_get(r->map, "original_max_position_embeddings")) {
        original = (double)decoder_whole(r, "original_max_position_embeddings", 0, 1,
                                         (int64_t)1 << 40);
    }
    if ((v = decoder_use(r, "rope_scaling"))) {
        snprintf(name, sizeof name, "%s%srope_scaling", r->name, *r->name ? "." : "");
        read_map(r, f, &f->ropes[0], name, v, partial, original);
    }
    if ((v = decoder_use(r, "rope_parameters"))) {
        const hone_value *full = decoder_get(v, "full_attention"),
                         *slides = decoder_get(v, "sliding_attention");
        int n = snprintf(name, sizeof name, "%s%srope_parameters", r->name, *r->name ? "." : "");
        if (fam->local_theta == 0.0 || (!full && !slides)) {
            read_map(r, f, &f->ropes[0], name, v, partial, original);
        } else {
            decoder_reader in = {v, name, r->store, r->failed};
            decoder_use(&in, "full_attention");
            decoder_use(&in, "sliding_attention");
            if (full && full->type != HONE_NULL) {
                snprintf(name + n, sizeof name - (size_t)n, ".full_attention");
                read_map(r, f, &f->ropes[0], name, full, partial, original);
            }
            if (slides && slides->type != HONE_NULL) {
                snprintf(name + n, sizeof name - (size_t)n, ".sliding_attention");
                read_map(r, f, &f->ropes[1], name, slides, partial, original);
            }
        }
    }
    check(r, &f->ropes[0]);
    if (fam->local_theta != 0.0)
        check(r, &f->ropes[1]);
}

/* ---- GGUF ------------------------------------------------------------------------------------ */
/* Llama 3's smoothed scaling as the factor that a frequency is divided by. */
static double llama3_factor(double inv, double factor)
{
    double wave = 2.0 * PI / inv, s;
    if (wave > 8192.0)
        return factor;
    if (wave < 8192.0 / 4.0)
        return 1.0;
    s = (8192.0 / wave - 1.0) / 3.0;
    return 1.0 / ((1.0 - s) / factor + s);
}

static int is_llama3(const decoder_rope *p, double factor)
{
    for (int i = 0; i < p->n_factors; i++) {
        double inv = pow(p->rope.theta, -2.0 * i / p->rope.rotary_dim);
        double want = llama3_factor(inv, factor);
        if (!(fabs((double)p->factors[i] - want) <= 1e-3 * want))
            return 0;
    }
    return 1;
}

/* The tables of a file, which the host's reader has put into the metadata. */
static void read_tables(decoder_reader *r, decoder_facts *f, decoder_rope *p, double attention)
{
    const hone_value *all = decoder_use(r, "hone.rope_freqs"),
                     *near = decoder_use(r, "hone.rope_factors_short"),
                     *far = decoder_use(r, "hone.rope_factors_long");
    int half = p->rope.rotary_dim / 2;
    double most = 1.0;
    if (far && !near)
        decoder_refuse(r, HONE_E_INVALID, "rope_factors_long without rope_factors_short");
    if (!all && !near)
        return;
    if (p->rope.scaling != HONE_ROPE_NONE)
        decoder_refuse(r, HONE_E_UNSUPPORTED, "rope: a table of factors beside another scaling");
    p->rope.scaling = HONE_ROPE_FACTORS;
    p->rope.attention_factor = attention > 0.0 ? attention : 1.0;
    p->n_factors = table(r, near ? near : all, near ? "rope_factors_short" : "rope_freqs", half,
                         p->factors);
    if (near && far)
        p->n_long = table(r, far, "rope_factors_long", half, p->long_factors);
    if (near) {
        p->original = p->original > 0.0 ? p->original : (double)f->max_positions;
        double usual = longrope_attention((double)f->max_positions / p->original, p->original);
        p->attention_given = !(fabs(usual - p->rope.attention_factor) <= 1e-5 * usual);
        if (!p->attention_given)
            p->rope.attention_factor = usual;
        limit(p);
        return;
    }
    p->attention_given = 1;
    p->original = (double)f->max_positions; /* as longrope with one table for all lengths */
    for (int i = 0; i < p->n_factors; i++)
        most = fmax(most, (double)p->factors[i]);
    most = floor(most * 1024.0 + 0.5) / 1024.0;
    if (p->n_factors && p->rope.attention_factor == 1.0 && is_llama3(p, most)) {
        p->rope.scaling = HONE_ROPE_LLAMA3;
        p->rope.factor = most;
        p->rope.low_freq_factor = 1.0;
        p->rope.high_freq_factor = 4.0;
        p->original = p->rope.original_max_positions = 8192.0;
        p->rope.attention_factor = 0.0;
        p->n_factors = p->attention_given = 0;
    }
}

void decoder_rope_gguf(decoder_reader *r, decoder_facts *f)
{
    const decoder_family *fam = f->family;
    decoder_rope *p = &f->ropes[0];
    hone_str kind;
    char key[96];
    double attention;
#define KEY(tail) decoder_key(f, tail, key)
    start(p, f, decoder_number(r, KEY("rope.freq_base"), fam->theta));
    start(&f->ropes[1], f, fam->local_theta > 0.0 ? fam->local_theta : p->rope.theta);
    if (fam->local_theta != 0.0)
        f->ropes[1].rope.theta = decoder_number(r, KEY("rope.freq_base_swa"),
                                                f->ropes[1].rope.theta);
    p->rope.rotary_dim = (int32_t)decoder_whole(r, KEY("rope.dimension_count"), f->head_dim, 2,
                                                f->head_dim);
    if (!fam->phi_rope && p->rope.rotary_dim != f->head_dim)
        decoder_refuse(r, HONE_E_UNSUPPORTED, "rope over %d of the %lld columns of a head",
                       p->rope.rotary_dim, (long long)f->head_dim);
    f->ropes[1].rope.rotary_dim = p->rope.rotary_dim;
    if (fam->local_theta > 0.0)
        f->ropes[1].rope.rotary_dim = (int32_t)decoder_whole(r, KEY("rope.dimension_count_swa"),
                                                             f->head_dim, f->head_dim, f->head_dim);
    kind = decoder_text(r, KEY("rope.scaling.type"), "none");
    p->rope.factor = decoder_number(r, KEY("rope.scaling.factor"), 1.0);
    p->original = (double)decoder_whole(r, KEY("rope.scaling.original_context_length"), 0, 0,
                                        (int64_t)1 << 40);
    attention = decoder_number(r, KEY("rope.scaling.attn_factor"), 0.0);
    decoder_truth(r, KEY("rope.scaling.finetuned"), 0);
    if (decoder_get(r->map, KEY("rope.scale_linear"))) { /* before there were kinds */
        p->rope.factor = decoder_number(r, KEY("rope.scale_linear"), 1.0);
        if (decoder_is(kind, "none") && p->rope.factor != 1.0)
            kind = hone_str_c("linear");
    }
    if (decoder_is(kind, "linear")) {
        p->rope.scaling = HONE_ROPE_LINEAR;
    } else if (decoder_is(kind, "yarn")) {
        p->rope.scaling = HONE_ROPE_YARN;
        p->rope.original_max_positions = p->original > 0.0 ? p->original : (double)f->max_positions;
        p->original = p->rope.original_max_positions;
        p->rope.beta_fast = decoder_number(r, KEY("rope.scaling.yarn_beta_fast"), 0.0);
        p->rope.beta_slow = decoder_number(r, KEY("rope.scaling.yarn_beta_slow"), 0.0);
        p->attention_given = attention > 0.0 && attention != 1.0;
        if (p->attention_given) /* llama.cpp multiplies the usual one */
            p->rope.attention_factor = attention * (p->rope.factor > 1.0
                                                        ? 0.1 * log(p->rope.factor) + 1.0
                                                        : 1.0);
    } else if (!decoder_is(kind, "none") && !decoder_is(kind, "longrope")) {
        decoder_refuse(r, HONE_E_UNSUPPORTED, "rope scaling \"%.*s\" in GGUF",
                       (int)(kind.len < 64 ? kind.len : 64), kind.ptr);
    }
#undef KEY
    read_tables(r, f, p, attention);
    if (decoder_is(kind, "longrope") && p->rope.scaling != HONE_ROPE_FACTORS)
        decoder_refuse(r, HONE_E_INVALID, "rope scaling longrope without its factors");
    check(r, p);
    if (fam->local_theta != 0.0)
        check(r, &f->ropes[1]);
}

/* ---- writing --------------------------------------------------------------------------------- */
void decoder_rope_write(decoder_writer *w, const decoder_facts *f)
{
    static const char *const names[] = {"default", "linear", "llama3",
                                        "dynamic", "yarn",   "longrope"};
    const decoder_rope *p = &f->ropes[0];
    const hone_rope *r = &p->rope;
    decoder_put_number(w, "rope_theta", r->theta);
    if (f->family->local_theta > 0.0)
        decoder_put_number(w, "rope_local_base_freq", f->ropes[1].rope.theta);
    if (f->family->phi_rope) {
        decoder_put_number(w, "partial_rotary_factor", (double)r->rotary_dim / (double)f->head_dim);
        if (p->original > 0.0 && r->scaling != HONE_ROPE_NONE) /* means nothing without */
            decoder_put_whole(w, "original_max_position_embeddings", (int64_t)p->original);
    }
    decoder_put_key(w, "rope_scaling");
    if (r->scaling == HONE_ROPE_NONE) {
        decoder_put(w, "null");
        return;
    }
    decoder_put(w, "{");
    w->any = 0;
    decoder_put_text(w, f->family->phi_rope ? "type" : "rope_type", names[r->scaling]);
    if (r->scaling == HONE_ROPE_FACTORS) {
        decoder_put_numbers(w, "short_factor", p->factors, p->n_factors);
        decoder_put_numbers(w, "long_factor", p->n_long ? p->long_factors : p->factors,
                            p->n_factors);
    } else {
        decoder_put_number(w, "factor", r->factor);
    }
    if (r->scaling == HONE_ROPE_LLAMA3) {
        decoder_put_number(w, "low_freq_factor", r->low_freq_factor);
        decoder_put_number(w, "high_freq_factor", r->high_freq_factor);
    }
    if (r->scaling == HONE_ROPE_YARN && r->beta_fast > 0.0)
        decoder_put_number(w, "beta_fast", r->beta_fast);
    if (r->scaling == HONE_ROPE_YARN && r->beta_slow > 0.0)
        decoder_put_number(w, "beta_slow", r->beta_slow);
    if (p->attention_given)
        decoder_put_number(w, "attention_factor", r->attention_factor);
    if (p->original > 0.0 && !f->family->phi_rope)
        decoder_put_whole(w, "original_max_position_embeddings", (int64_t)p->original);
    decoder_put(w, "}");
    w->any = 1;
}
