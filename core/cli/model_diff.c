/* model_diff.c - `hone model diff A B`: which tensors differ, and by how much.
 *
 * Two files of one format are compared by the names they hold; a GGUF file and a Hugging Face folder through
 * the model's component, which knows both names, with rows in Hugging Face's order. Values are compared as
 * f32, about a million at a time; a hash over them (XXH3) identifies a tensor's values whatever their
 * storage. Exit code 0: equal, 1: they differ. Configuration and tokenizer are not compared. */
#include "host/registry.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/args.h"
#include "cli/model.h"
#include "cli/out.h"
#include "nn/choose.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 1 << 18 };

typedef struct side {
    hone_weights *w;
    hone_tensor_reader reader;
    hone_instance *inst;
    hone_model *model;
} side;

typedef struct difference {
    double max_abs, max_rel, sum, power;
    uint64_t hash[2];
    size_t n_differ;
    int64_t at; /* place of max_abs */
} difference;

typedef struct comparison {
    side a, b;
    double tolerance;
    float *piece[2];
    size_t room;
    size_t equal, differ, only_a, only_b;
    hone_jw *j; /* NULL: text */
} comparison;

/* ---- two tensors ------------------------------------------------------------------------------------- */
static hone_status room(comparison *c, size_t n)
{
    if (n <= c->room)
        return HONE_OK;
    for (int i = 0; i < 2; i++) {
        float *p = hone_reallocarray(c->piece[i], n, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        c->piece[i] = p;
    }
    c->room = n;
    return HONE_OK;
}

/* NaN equals NaN here: what matters is whether a copy is the same. */
static void add(difference *d, const float *a, const float *b, size_t n, int64_t first)
{
    d->hash[0] = hone_xxh64(a, n * sizeof *a, d->hash[0]);
    d->hash[1] = hone_xxh64(b, n * sizeof *b, d->hash[1]);
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i], e = fabs(x - y);
        d->power += x * x;
        if (x == y || (isnan(x) && isnan(y)))
            continue;
        double size = fabs(x) > fabs(y) ? fabs(x) : fabs(y), rel = e / size;
        e = isfinite(e) ? e : (double)INFINITY;
        d->n_differ++;
        d->sum += e * e;
        d->max_rel = rel > d->max_rel ? rel : d->max_rel;
        if (e > d->max_abs) {
            d->max_abs = e;
            d->at = first + (int64_t)i;
        }
    }
}

static void show(comparison *c, hone_str name, const hone_file_tensor *a, const hone_file_tensor *b,
                 const difference *d)
{
    double rms = d->power > 0.0 ? sqrt(d->sum / d->power) : 0.0;
    if (!c->j) {
        printf(
            "%.*s\n  %s and %s, %zu values differ: at most %.6g (relative %.3g), rms %.3g of the "
            "values'\n  values %016llx, %016llx\n",
            (int)name.len, name.ptr, a->type->name, b->type->name, d->n_differ, d->max_abs,
            d->max_rel, rms, (unsigned long long)d->hash[0], (unsigned long long)d->hash[1]);
        return;
    }
    char hash[17];
    hone_jw_map(c->j);
    hone_jw_kstr(c->j, "name", name);
    hone_jw_kcstr(c->j, "type_a", a->type->name);
    hone_jw_kcstr(c->j, "type_b", b->type->name);
    hone_jw_ki64(c->j, "values", a->rows * a->cols);
    hone_jw_ki64(c->j, "differ", (int64_t)d->n_differ);
    hone_jw_kf64(c->j, "max_abs", d->max_abs);
    hone_jw_kf64(c->j, "max_rel", d->max_rel);
    hone_jw_kf64(c->j, "rms_rel", rms);
    hone_jw_ki64(c->j, "at", d->at);
    for (int i = 0; i < 2; i++) {
        snprintf(hash, sizeof hash, "%016llx", (unsigned long long)d->hash[i]);
        hone_jw_kcstr(c->j, i ? "hash_b" : "hash_a", hash);
    }
    hone_jw_end(c->j);
}

static void show_shape(comparison *c, hone_str name, const hone_file_tensor *a,
                       const hone_file_tensor *b)
{
    c->differ++;
    if (!c->j) {
        printf("%.*s\n  %lld x %lld and %lld x %lld\n", (int)name.len, name.ptr, (long long)a->rows,
               (long long)a->cols, (long long)b->rows, (long long)b->cols);
        return;
    }
    hone_jw_map(c->j);
    hone_jw_kstr(c->j, "name", name);
    hone_jw_kcstr(c->j, "differs", "shape");
    hone_jw_end(c->j);
}

static void settle(comparison *c, hone_str name, const hone_file_tensor *a,
                   const hone_file_tensor *b, const difference *d)
{
    if (d->n_differ == 0 || d->max_abs <= c->tolerance) {
        c->equal++;
        return;
    }
    c->differ++;
    show(c, name, a, b, d);
}

static void only(comparison *c, hone_str name, int in_a)
{
    *(in_a ? &c->only_a : &c->only_b) += 1;
    if (!c->j) {
        printf("%.*s\n  only in %s\n", (int)name.len, name.ptr, in_a ? "the first" : "the second");
        return;
    }
    hone_jw_map(c->j);
    hone_jw_kstr(c->j, "name", name);
    hone_jw_kcstr(c->j, "only_in", in_a ? "a" : "b");
    hone_jw_end(c->j);
}

/* ---- one format -------------------------------------------------------------------------------------- */
static hone_status compare_files(comparison *c)
{
    char name[512];
    for (size_t i = 0; i < hone_weights_count(c->a.w); i++) {
        const hone_file_tensor *a = hone_weights_tensor(c->a.w, i), *b;
        difference d = {.at = -1};
        snprintf(name, sizeof name, "%.*s", (int)a->name.len, a->name.ptr);
        b = hone_weights_find(c->b.w, name);
        if (!b) {
            only(c, a->name, 1);
            continue;
        }
        if (a->rows != b->rows || a->cols != b->cols) {
            show_shape(c, a->name, a, b);
            continue;
        }
        HONE_TRY(room(c, PIECE));
        for (int64_t at = 0, n = a->rows * a->cols; at < n; at += PIECE) {
            int64_t k = n - at < PIECE ? n - at : PIECE;
            hone_file_tensor_read(a, at, k, c->piece[0]);
            hone_file_tensor_read(b, at, k, c->piece[1]);
            add(&d, c->piece[0], c->piece[1], (size_t)k, at);
        }
        settle(c, a->name, a, b, &d);
        hone_file_forget(a->data, a->size);
        hone_file_forget(b->data, b->size);
    }
    for (size_t i = 0; i < hone_weights_count(c->b.w); i++) {
        const hone_file_tensor *b = hone_weights_tensor(c->b.w, i);
        snprintf(name, sizeof name, "%.*s", (int)b->name.len, b->name.ptr);
        if (!hone_weights_find(c->a.w, name))
            only(c, b->name, 0);
    }
    return HONE_OK;
}

/* ---- two formats ------------------------------------------------------------------------------------- */
static hone_status compare_param(comparison *c, const hone_param_item *it)
{
    const hone_params *p = c->a.model->params;
    hone_tensor_entry e[2];
    hone_str name = hone_str_c(it->name);
    char found[256];
    int32_t in_a = hone_model_find_tensor(p, it, &c->a.reader, &e[0], found, sizeof found);
    int32_t in_b = hone_model_find_tensor(p, it, &c->b.reader, &e[1], found, sizeof found);
    difference d = {.at = -1};
    HONE_TRY(in_a);
    HONE_TRY(in_b);
    if (!in_a != !in_b)
        only(c, name, in_a);
    if (!in_a || !in_b)
        return HONE_OK;
    const hone_file_tensor *a = (const hone_file_tensor *)(uintptr_t)e[0].id,
                           *b = (const hone_file_tensor *)(uintptr_t)e[1].id;
    if (e[0].rows != e[1].rows || e[0].cols != e[1].cols) {
        show_shape(c, name, a, b);
        return HONE_OK;
    }
    int64_t all = it->is_vector ? 1 : e[0].rows, cols = it->is_vector ? e[0].rows : e[0].cols;
    int64_t step = cols > 0 && cols < PIECE ? PIECE / cols : 1;
    HONE_TRY(room(c, (size_t)(step * (cols ? cols : 1))));
    for (int64_t at = 0; at < all; at += step) {
        int64_t n = all - at < step ? all - at : step;
        HONE_TRY(hone_model_read_rows(&c->a.reader, it, &e[0], at, n, c->piece[0]));
        HONE_TRY(hone_model_read_rows(&c->b.reader, it, &e[1], at, n, c->piece[1]));
        add(&d, c->piece[0], c->piece[1], (size_t)(n * cols), at * cols);
    }
    settle(c, name, a, b, &d);
    hone_file_forget(a->data, a->size);
    hone_file_forget(b->data, b->size);
    return HONE_OK;
}

static hone_status compare_models(comparison *c)
{
    for (int32_t i = 0; i < hone_params_count(c->a.model->params); i++) {
        const hone_param_item *it = hone_params_item(c->a.model->params, i);
        if (it && it->adapter < 0)
            HONE_TRY(compare_param(c, it));
    }
    return HONE_OK;
}

/* ---- the verb ---------------------------------------------------------------------------------------- */
static hone_status open_side(side *s, const char *path)
{
    HONE_TRY(hone_weights_open(path, 0, &s->w));
    hone_weights_reader(s->w, &s->reader);
    return HONE_OK;
}

static void close_side(side *s)
{
    hone_model_destroy(s->model);
    hone_instance_unref(s->inst);
    hone_weights_close(s->w);
}

static hone_status run(comparison *c, const char *a, const char *b, uint32_t flags)
{
    hone_registry *registry = NULL;
    hone_registry_opts none = {0};
    hone_status s = open_side(&c->a, a);
    if (s >= 0)
        s = open_side(&c->b, b);
    if (s >= 0 && c->a.reader.gguf == c->b.reader.gguf) {
        s = compare_files(c);
    } else if (s >= 0) {
        s = hone_registry_open(&none, &registry);
        if (s >= 0)
            s = hone_model_choose(registry, hone_weights_format(c->a.w),
                                  hone_weights_config(c->a.w), a, flags | HONE_MODEL_DECLARED,
                                  &c->a.inst, &c->a.model);
        if (s >= 0)
            s = compare_models(c);
    }
    close_side(&c->a);
    close_side(&c->b);
    if (registry)
        hone_registry_close(registry);
    hone_free(c->piece[0]);
    hone_free(c->piece[1]);
    return s;
}

int hone__cli_model_diff(int argc, char **argv)
{
    static int json, allow;
    static double tolerance;
    static const hone_arg options[] = {
        {"tolerance", HONE_ARG_F64, &tolerance, "X", "differences up to X are none (0)"},
        {"allow-unknown-config", HONE_ARG_FLAG, &allow, NULL,
         "ignore configuration keys hone does not know"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0}};
    static const char *const examples[] = {"hone model diff tiny tiny",
                                           "hone model diff tiny tiny --json", NULL};
    static const hone_args spec = {
        "model diff",
        "MODEL MODEL [options]",
        "Shows which tensors of two models differ and by how much, as 32-bit values, in\n"
        "any two formats. The exit code is 0 when none does, else 1.",
        options,
        examples,
        2,
        2};
    hone_rest rest;
    hone_buf text;
    hone_jw j;
    comparison c = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!(tolerance >= 0.0))
        return hone_cli_usage("model diff", "--tolerance: 0 or more");
    c.tolerance = tolerance;
    hone_buf_init(&text, (size_t)256 << 20);
    if (json) {
        c.j = &j;
        hone_jw_init(&j, &text, 0);
        hone_jw_map(&j);
        hone_jw_key(&j, "tensors");
        hone_jw_list(&j);
    }
    hone_status s = run(&c, rest.v[0], rest.v[1], allow ? HONE_MODEL_ALLOW_UNKNOWN : 0);
    size_t apart = c.differ + c.only_a + c.only_b;
    if (s >= 0 && json) {
        hone_jw_end(&j);
        hone_jw_ki64(&j, "equal", (int64_t)c.equal);
        hone_jw_ki64(&j, "differ", (int64_t)c.differ);
        hone_jw_ki64(&j, "only_a", (int64_t)c.only_a);
        hone_jw_ki64(&j, "only_b", (int64_t)c.only_b);
        hone_jw_end(&j);
        s = hone_buf_check(&text, "diff");
        if (s >= 0)
            printf("%s\n", text.ptr);
    } else if (s >= 0) {
        printf("%zu tensors equal, %zu differ, %zu only in the first, %zu only in the second\n",
               c.equal, c.differ, c.only_a, c.only_b);
    }
    hone_buf_release(&text);
    int code = hone_cli_fail(s);
    return code == HONE_EXIT_OK && apart ? HONE_EXIT_FAILED : code;
}
