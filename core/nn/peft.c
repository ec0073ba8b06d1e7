/* peft.c - a folder of PEFT as an adapter of the parameter store; see peft.h.
 *
 * Tensors say which modules there are and of what rank; the configuration says how they count (alpha, rsLoRA, DoRA) and
 * must agree with them. Keys of the configuration are of three sorts: those read here, those that change nothing about
 * what the adapter computes, and all others, which must be off (null, false, 0, empty): then a setting of a later PEFT
 * is refused by name instead of being computed wrongly. */
#include "nn/peft.h"

#include "base/alloc.h"
#include "base/json.h"
#include "nn/safetensors.h"
#include "tensor/region.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_MAX = 16 << 20, NAME_MAX_ = 400 };

typedef struct peft_module {
    hone_str name;
    const hone_file_tensor *a, *b, *m;
    float alpha;
} module;

struct hone_peft {
    char *path;
    hone_arena arena;
    hone_value config;
    hone_safetensors file;
    int file_open;
    module *modules; /* in the arena, by place in the file */
    size_t n;
    hone_map by_name;
    int32_t rank;
    double alpha;
    uint32_t kind, init;
    hone_str base;
};

/* ---- adapter_config.json ------------------------------------------------------------------------------ */
static const char *const read_keys[] = {"peft_type",
                                        "r",
                                        "lora_alpha",
                                        "use_rslora",
                                        "use_dora",
                                        "rank_pattern",
                                        "alpha_pattern",
                                        "base_model_name_or_path",
                                        "init_lora_weights",
                                        "bias",
                                        NULL};
/* What chose modules, started or ran the training, or describes the file: the tensors already show it. */
static const char *const idle_keys[] = {
    "task_type",       "inference_mode",      "lora_dropout",        "target_modules",
    "exclude_modules", "layers_to_transform", "layers_pattern",      "auto_mapping",
    "revision",        "peft_version",        "megatron_config",     "megatron_core",
    "loftq_config",    "eva_config",          "corda_config",        "lora_ga_config",
    "runtime_config",  "qalora_group_size",   "ensure_weight_tying", NULL};

static int is_one(const char *const *list, hone_str key)
{
    for (; *list; list++)
        if (hone_str_eq(key, *list))
            return 1;
    return 0;
}

static hone_status check_keys(const hone_value *c)
{
    for (size_t i = 0; i < c->u.map.n; i++) {
        const hone_pair *p = &c->u.map.pairs[i];
        if (is_one(read_keys, p->key) || is_one(idle_keys, p->key) ||
            hone_value_says_nothing(&p->value))
            continue;
        hone_fail(HONE_E_UNSUPPORTED,
                  "adapter_config.json: \"%.*s\" is set, and hone has no such"
                  " adapter",
                  (int)(p->key.len < 64 ? p->key.len : 64), p->key.ptr);
        return hone_fail_hint(
            "LoRA, rsLoRA and DoRA on linear maps are read; merge it with PEFT, and convert what it"
            " saves");
    }
    return HONE_OK;
}

/* Starts that leave the base as it is: the tensors are all there is to know. With PiSSA the base became a residual, which
 * is a function of it. Others (olora, corda, ...) stand on a base that nothing here can rebuild. */
static hone_status check_init(const hone_value *c, uint32_t *init)
{
    static const char *const fine[] = {"gaussian", "eva", "orthogonal", NULL};
    static const char pissa[] = "pissa_niter_";
    const hone_value *v = hone_value_get(c, "init_lora_weights");
    if (!v || v->type == HONE_NULL || v->type == HONE_BOOL ||
        (v->type == HONE_STRING && is_one(fine, v->u.str)))
        return HONE_OK;
    if (v->type == HONE_STRING &&
        (hone_str_eq(v->u.str, "pissa") ||
         (v->u.str.len > sizeof pissa - 1 && !memcmp(v->u.str.ptr, pissa, sizeof pissa - 1)))) {
        *init = HONE_LORA_INIT_PRINCIPAL;
        return HONE_OK;
    }
    hone_fail(HONE_E_UNSUPPORTED,
              "adapter_config.json: init_lora_weights \"%.*s\": it stands on a base that was"
              " changed when its training began",
              v->type == HONE_STRING ? (int)(v->u.str.len < 40 ? v->u.str.len : 40) : 1,
              v->type == HONE_STRING ? v->u.str.ptr : "?");
    return hone_fail_hint("convert it to a plain adapter: save_pretrained(...,"
                          " path_initial_model_for_weight_conversion=...)");
}

static hone_status check_bias(const hone_value *c)
{
    hone_str bias;
    HONE_TRY(hone_value_string(c, "bias", hone_str_c("none"), &bias));
    if (hone_str_eq(bias, "none"))
        return HONE_OK;
    return hone_fail(HONE_E_UNSUPPORTED, "adapter_config.json: bias \"%.*s\": only \"none\"",
                     (int)(bias.len < 40 ? bias.len : 40), bias.ptr);
}

/* PEFT takes a key as a regular expression for the end of a module's name; here it is a name, perhaps with ^ in front
 * of a whole one. */
static hone_status check_pattern(const hone_value *map, const char *what)
{
    if (!map || map->type == HONE_NULL)
        return HONE_OK;
    if (map->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "adapter_config.json: %s is no object", what);
    for (size_t i = 0; i < map->u.map.n; i++) {
        const hone_str k = map->u.map.pairs[i].key;
        for (size_t j = 0; j < k.len; j++)
            if (memchr("\\*+?()[]{}|$", k.ptr[j], 12) || (k.ptr[j] == '^' && j))
                return hone_fail(HONE_E_UNSUPPORTED,
                                 "adapter_config.json: %s: \"%.*s\" is a regular expression, and"
                                 " names are read",
                                 what, (int)(k.len < 64 ? k.len : 64), k.ptr);
    }
    return HONE_OK;
}

static const hone_value *pattern_of(const hone_value *map, hone_str name)
{
    if (!map || map->type != HONE_MAP)
        return NULL;
    for (size_t i = 0; i < map->u.map.n; i++) {
        hone_str k = map->u.map.pairs[i].key;
        const int whole = k.len && k.ptr[0] == '^';
        k = (hone_str){k.ptr + whole, k.len - (size_t)whole};
        if (hone_str_same(k, name) ||
            (!whole && k.len && name.len > k.len && name.ptr[name.len - k.len - 1] == '.' &&
             memcmp(name.ptr + name.len - k.len, k.ptr, k.len) == 0))
            return &map->u.map.pairs[i].value;
    }
    return NULL;
}

static hone_status read_config(hone_peft *a)
{
    const hone_value *c = &a->config;
    hone_str type;
    int64_t rank;
    int rs, dora;
    if (c->type != HONE_MAP)
        return hone_fail(HONE_E_PARSE, "adapter_config.json: it is no JSON object");
    HONE_TRY(hone_value_string(c, "peft_type", (hone_str){"", 0}, &type));
    if (!hone_str_eq(type, "LORA"))
        return hone_fail(HONE_E_UNSUPPORTED,
                         "adapter_config.json: peft_type \"%.*s\": only \"LORA\"",
                         (int)(type.len < 40 ? type.len : 40), type.ptr);
    HONE_TRY(check_keys(c));
    HONE_TRY(check_init(c, &a->init));
    HONE_TRY(check_bias(c));
    HONE_TRY(hone_value_i64(c, "r", 8, &rank));
    HONE_TRY(hone_value_f64(c, "lora_alpha", 8, &a->alpha));
    HONE_TRY(hone_value_bool(c, "use_rslora", 0, &rs));
    HONE_TRY(hone_value_bool(c, "use_dora", 0, &dora));
    HONE_TRY(hone_value_string(c, "base_model_name_or_path", (hone_str){NULL, 0}, &a->base));
    if (rank < 1 || rank > HONE_ADAPTER_RANK_MAX)
        return hone_fail(HONE_E_RANGE, "adapter_config.json: r is %lld (1 to %d)", (long long)rank,
                         HONE_ADAPTER_RANK_MAX);
    if (!(fabs(a->alpha) < 1e30))
        return hone_fail(HONE_E_RANGE, "adapter_config.json: lora_alpha is %g", a->alpha);
    HONE_TRY(check_pattern(hone_value_get(c, "rank_pattern"), "rank_pattern"));
    HONE_TRY(check_pattern(hone_value_get(c, "alpha_pattern"), "alpha_pattern"));
    a->rank = (int32_t)rank;
    a->kind = (rs ? HONE_LORA_RANK_STABLE : 0) | (dora ? HONE_LORA_DORA : 0);
    return HONE_OK;
}

/* ---- adapter_model.safetensors ------------------------------------------------------------------------ */
static int ends(hone_str s, const char *with, hone_str *before)
{
    const size_t n = strlen(with);
    if (s.len <= n || memcmp(s.ptr + s.len - n, with, n) != 0)
        return 0;
    *before = (hone_str){s.ptr, s.len - n};
    return 1;
}

static hone_status foreign(hone_str name)
{
    hone_fail(HONE_E_UNSUPPORTED, "tensor \"%.*s\" is no part of a LoRA on a linear map",
              (int)(name.len < 200 ? name.len : 200), name.ptr);
    return hone_fail_hint("names are base_model.model.<module>.lora_A.weight, .lora_B.weight and"
                          " .lora_magnitude_vector");
}

static hone_status add_tensor(hone_peft *a, const hone_file_tensor *t)
{
    static const char prefix[] = "base_model.model.";
    const size_t n = sizeof prefix - 1;
    hone_str rest, name;
    int which;
    if (t->name.len <= n || memcmp(t->name.ptr, prefix, n) != 0)
        return foreign(t->name);
    rest = (hone_str){t->name.ptr + n, t->name.len - n};
    if (ends(rest, ".lora_A.weight", &name))
        which = 0;
    else if (ends(rest, ".lora_B.weight", &name))
        which = 1;
    else if (ends(rest, ".lora_magnitude_vector", &name))
        which = 2;
    else
        return foreign(t->name);
    if (name.len > NAME_MAX_)
        return hone_fail(HONE_E_LIMIT, "tensor \"%.*s...\": its name is too long", 100,
                         t->name.ptr);
    if (t->type->id != HONE_FT_F32 && t->type->id != HONE_FT_F16 && t->type->id != HONE_FT_BF16)
        return hone_fail(HONE_E_UNSUPPORTED, "tensor \"%.*s\": %s; f32, f16 and bf16 are read",
                         (int)t->name.len, t->name.ptr, t->type->name);
    module *m = hone_map_get(&a->by_name, name.ptr, name.len);
    if (!m) {
        m = &a->modules[a->n++];
        m->name = name;
        HONE_TRY(hone_map_put(&a->by_name, name.ptr, name.len, m, NULL));
    }
    *(which == 0 ? &m->a : which == 1 ? &m->b : &m->m) = t; /* names of a file are unique */
    return HONE_OK;
}

static hone_status check_finite(const hone_file_tensor *t)
{
    float v[1024];
    const int64_t n = t->rows * t->cols;
    for (int64_t i = 0; i < n; i += 1024) {
        const int64_t k = n - i < 1024 ? n - i : 1024;
        hone_file_tensor_read(t, i, k, v);
        for (int64_t j = 0; j < k; j++)
            if (!isfinite(v[j]))
                return hone_fail(HONE_E_RANGE, "tensor \"%.*s\": value %lld is not finite",
                                 (int)t->name.len, t->name.ptr, (long long)(i + j));
    }
    return HONE_OK;
}

static hone_status check_module(hone_peft *a, module *m)
{
    const int name = (int)m->name.len, dora = (a->kind & HONE_LORA_DORA) != 0;
    const hone_value *ranks = hone_value_get(&a->config, "rank_pattern"),
                     *alphas = hone_value_get(&a->config, "alpha_pattern");
    if (!m->a || !m->b)
        return hone_fail(HONE_E_NOT_FOUND, "module %.*s: %s is missing", name, m->name.ptr,
                         m->a ? "lora_B.weight" : "lora_A.weight");
    if (!m->m != !dora)
        return hone_fail(m->m ? HONE_E_UNSUPPORTED : HONE_E_NOT_FOUND,
                         m->m ? "module %.*s: it has magnitudes, and use_dora is not set"
                              : "module %.*s: lora_magnitude_vector is missing",
                         name, m->name.ptr);
    if (m->a->n_dims != 2 || m->b->n_dims != 2 || m->a->dims[0] != m->b->dims[1] ||
        m->a->dims[0] < 1 || m->a->dims[1] < 1 || m->b->dims[0] < 1)
        return hone_fail(HONE_E_SHAPE, "module %.*s: A is %lld x %lld and B %lld x %lld", name,
                         m->name.ptr, (long long)m->a->rows, (long long)m->a->cols,
                         (long long)m->b->rows, (long long)m->b->cols);
    if (m->m && (m->m->n_dims != 1 || m->m->dims[0] != m->b->dims[0]))
        return hone_fail(HONE_E_SHAPE, "module %.*s: %lld magnitudes for %lld outputs", name,
                         m->name.ptr, (long long)(m->m->rows * m->m->cols),
                         (long long)m->b->dims[0]);
    const hone_value *v = pattern_of(ranks, m->name);
    const double rank = v ? hone_value_number(v) : (double)a->rank;
    if (rank != (double)m->a->dims[0] || m->a->dims[0] > HONE_ADAPTER_RANK_MAX)
        return hone_fail(HONE_E_SHAPE,
                         "module %.*s: A has rank %lld, and adapter_config.json says %g", name,
                         m->name.ptr, (long long)m->a->dims[0], rank);
    v = pattern_of(alphas, m->name);
    const double alpha = v ? hone_value_number(v) : a->alpha;
    if (!(fabs(alpha) < 1e30))
        return hone_fail(HONE_E_RANGE, "module %.*s: its alpha is %g", name, m->name.ptr, alpha);
    m->alpha = (float)alpha;
    HONE_TRY(check_finite(m->a));
    HONE_TRY(check_finite(m->b));
    return m->m ? check_finite(m->m) : HONE_OK;
}

static hone_status open_tensors(hone_peft *a)
{
    char *path = hone_path_join(a->path, "adapter_model.safetensors");
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    if (hone_file_exists(path)) {
        s = hone_safetensors_open(&a->file, path);
        a->file_open = s >= 0;
    } else {
        char *pickled = hone_path_join(a->path, "adapter_model.bin");
        s = hone_fail(HONE_E_NOT_FOUND, "adapter_model.safetensors is missing");
        if (pickled && hone_file_exists(pickled))
            hone_fail_hint("adapter_model.bin is a pickle, which is not read: save it again with"
                           " safe_serialization=True");
        hone_free(pickled);
    }
    hone_free(path);
    return s;
}

static hone_status read_tensors(hone_peft *a)
{
    a->modules = hone_arena_calloc(&a->arena, a->file.n + 1, sizeof *a->modules);
    if (!a->modules)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < a->file.n; i++)
        HONE_TRY(add_tensor(a, &a->file.tensors[i]));
    if (!a->n)
        return hone_fail(HONE_E_NOT_FOUND, "adapter_model.safetensors holds no adapter");
    for (size_t i = 0; i < a->n; i++)
        HONE_TRY(check_module(a, &a->modules[i]));
    return HONE_OK;
}

static hone_status begin(const char *path, hone_peft **out)
{
    hone_peft *a = hone_calloc(1, sizeof *a);
    if (!a)
        return HONE_E_NOMEM;
    hone_arena_init(&a->arena, (size_t)1 << 28);
    hone_map_init(&a->by_name);
    a->path = hone_strdup(path);
    if (!a->path) {
        hone_peft_close(a);
        return HONE_E_NOMEM;
    }
    *out = a;
    return HONE_OK;
}

/* The adapter, when s >= 0; else it is closed, and the path stands in front of the error where `place` asks for it. */
static hone_status end(hone_peft *a, hone_status s, int place, hone_peft **out)
{
    if (s >= 0) {
        *out = a;
        return HONE_OK;
    }
    if (place && s != HONE_E_NOMEM)
        s = hone_fail_at("%s", a->path);
    hone_peft_close(a);
    return s;
}

hone_status hone_peft_open(const char *path, hone_peft **out)
{
    hone_peft *a;
    HONE_TRY(begin(path, &a));
    char *config = hone_path_join(path, "adapter_config.json");
    hone_status s = config ? hone_json_parse_file(config, CONFIG_MAX, &a->arena, &a->config)
                           : HONE_E_NOMEM;
    hone_free(config);
    if (s < 0)
        return end(a, s, 0, out);
    s = read_config(a);
    if (s >= 0)
        s = open_tensors(a);
    if (s >= 0)
        s = read_tensors(a);
    return end(a, s, 1, out);
}

hone_status hone_peft_parse(hone_str config, const void *weights, size_t n, const char *name,
                            hone_peft **out)
{
    hone_peft *a;
    HONE_TRY(begin(name, &a));
    hone_status s = hone_json_parse(config.ptr, config.len, "adapter_config.json", &a->arena,
                                    &a->config);
    if (s >= 0)
        s = read_config(a);
    if (s >= 0) {
        s = hone_safetensors_parse(&a->file, weights, n, "adapter_model.safetensors");
        a->file_open = s >= 0;
    }
    if (s >= 0)
        s = read_tensors(a);
    return end(a, s, 1, out);
}

void hone_peft_close(hone_peft *a)
{
    if (!a)
        return;
    if (a->file_open)
        hone_safetensors_release(&a->file);
    hone_map_release(&a->by_name);
    hone_arena_release(&a->arena);
    hone_free(a->path);
    hone_free(a);
}

void hone_peft_get_info(const hone_peft *a, hone_peft_info *out)
{
    *out = (hone_peft_info){.path = a->path,
                            .base = a->base,
                            .rank = a->rank,
                            .alpha = a->alpha,
                            .kind = a->kind,
                            .n_modules = a->n,
                            .bytes = a->file.file.len};
    for (size_t i = 0; i < a->file.n; i++)
        out->n_params += (uint64_t)a->file.tensors[i].rows * (uint64_t)a->file.tensors[i].cols;
}

void hone_peft_module(const hone_peft *a, size_t i, hone_str *name, int32_t *rank, int64_t *inputs,
                      int64_t *outputs)
{
    const module *m = &a->modules[i];
    *name = m->name;
    *rank = (int32_t)m->a->dims[0];
    *inputs = m->a->dims[1];
    *outputs = m->b->dims[0];
}

/* ---- onto a base -------------------------------------------------------------------------------------- */
/* The base parameter that a module is: by its own name, or by one that files may call it (hone_params_rename). */
static hone_param find_base(const hone_params *p, hone_str of)
{
    char name[2 * NAME_MAX_];
    const char *from, *to;
    snprintf(name, sizeof name, "%.*s.weight", (int)of.len, of.ptr);
    hone_param i = hone_params_find(p, name);
    for (int32_t k = 0; i < 0 && hone_params_rename_get(p, k, &from, &to); k++) {
        const size_t n = strlen(to);
        if (of.len < n || memcmp(of.ptr, to, n) != 0)
            continue;
        int len = snprintf(name, sizeof name, "%s%.*s.weight", from, (int)(of.len - n), of.ptr + n);
        if (len > 0 && (size_t)len < sizeof name)
            i = hone_params_find(p, name);
    }
    return i;
}

static hone_status find_target(const hone_params *p, const module *m, hone_adapter_target *out)
{
    const hone_param i = find_base(p, m->name);
    const hone_param_item *w = i >= 0 ? hone_params_item(p, i) : NULL;
    if (!w || w->adapter >= 0 || w->is_vector) {
        hone_fail(HONE_E_NOT_FOUND, "module %.*s: the model has no such linear map",
                  (int)m->name.len, m->name.ptr);
        return hone_fail_hint("an adapter belongs to the model it was trained on");
    }
    if (w->rows != m->b->dims[0] || w->cols != m->a->dims[1])
        return hone_fail(HONE_E_SHAPE,
                         "module %.*s: for a map of %lld x %lld, and the model's is %lld x %lld",
                         (int)m->name.len, m->name.ptr, (long long)m->b->dims[0],
                         (long long)m->a->dims[1], (long long)w->rows, (long long)w->cols);
    *out = (hone_adapter_target){i, (int32_t)m->a->dims[0], m->alpha};
    return HONE_OK;
}

static hone_status fill(hone_params *p, hone_param i, const hone_file_tensor *t)
{
    const hone_param_item *it = hone_params_item(p, i);
    float *row = hone_reallocarray(NULL, (size_t)it->cols, sizeof *row);
    hone_status s = row ? HONE_OK : HONE_E_NOMEM;
    for (int64_t r = 0; r < it->rows && s >= 0; r++) {
        hone_file_tensor_read(t, r * it->cols, it->cols, row);
        s = hone_params_set_rows(p, i, r, 1, row);
    }
    hone_free(row);
    return s;
}

/* targets[i] is module i's. */
static hone_status fill_all(const hone_peft *a, hone_params *p, int32_t k,
                            const hone_adapter_target *targets)
{
    for (size_t i = 0; i < a->n; i++) {
        const module *m = &a->modules[i];
        const float *norm;
        hone_param length;
        hone_lora l;
        if (hone_params_loras(p, targets[i].param, 1u << k, &l, 1) < 1)
            return hone_fail(HONE_E_STATE, "adapter: module %.*s was not made", (int)m->name.len,
                             m->name.ptr);
        HONE_TRY(fill(p, l.a, m->a));
        HONE_TRY(fill(p, l.b, m->b));
        if (hone_params_magnitude(p, targets[i].param, 1u << k, &length, &norm) == 1)
            HONE_TRY(fill(p, length, m->m));
    }
    return HONE_OK;
}

int32_t hone_peft_add(const hone_peft *a, hone_params *p, const char *name, float b_lr_scale,
                      const hone_exec *exec)
{
    hone_adapter_spec spec = {.name = name,
                              .rank = a->rank,
                              .alpha = (float)a->alpha,
                              .kind = a->kind,
                              .init = a->init,
                              .exec = exec,
                              .exact = 1,
                              .b_lr_scale = b_lr_scale,
                              .n_targets = a->n};
    hone_adapter_target *targets = hone_calloc(a->n, sizeof *targets);
    hone_status s = targets ? HONE_OK : HONE_E_NOMEM;
    int32_t k = 0;
    for (size_t i = 0; i < a->n && s >= 0; i++)
        s = find_target(p, &a->modules[i], &targets[i]);
    if (s >= 0) {
        spec.targets = targets;
        s = k = hone_params_add_adapter(p, &spec);
    }
    if (s >= 0 && !hone_region_planning()) {
        s = fill_all(a, p, k, targets);
        if (s < 0) {
            hone_error e = *hone_error_get();
            hone_params_drop_adapter(p, k);
            s = hone_error_set(&e);
        }
    }
    hone_free(targets);
    if (s < 0)
        return s == HONE_E_NOMEM ? s : hone_fail_at("%s", a->path);
    return k;
}
