/* peft_write.c - an adapter of the parameter store as a folder of PEFT; see peft.h.
 *
 * target_modules are last names ("q_proj") where the adapter stands on every module of that name, else whole names:
 * PEFT makes an adapter for whatever they match. Ranks and alphas that differ from the adapter's own go into the patterns,
 * by whole names. PiSSA is written as the plain adapter of twice the rank that it comes to on the base as it was: A over A0, B
 * beside -B0 (PEFT's own conversion does the same). */
#include "nn/peft.h"

#include "base/alloc.h"
#include "base/json.h"
#include "nn/hf_int.h"
#include "nn/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_MAX = 16 << 20 };

/* Which values a tensor of the file has. */
typedef struct part {
    hone_param param, fixed; /* A, B or m; PiSSA: A0, B0, else -1 */
    int beside;              /* 1: `fixed` stands beside it with the sign turned, 0: below it */
} part;

typedef struct job {
    const hone_params *params;
    int32_t adapter;
    hone_adapter_info info;
    hone_arena arena; /* names */
    part *parts;
    hone_safetensors_entry *entries; /* .tag: its part */
    size_t n;
    int32_t times; /* ranks of the file: so many times the adapter's */
} job;

static hone_str without(const char *name, const char *tail)
{
    size_t n = strlen(name), t = strlen(tail);
    return (hone_str){name, n > t && strcmp(name + n - t, tail) == 0 ? n - t : n};
}

/* "model.layers.0.self_attn.q_proj" of "...q_proj.weight", and its last part. */
static hone_str module_of(const hone_params *p, hone_param base)
{
    return without(hone_params_item(p, base)->name, ".weight");
}

static hone_str last_part(hone_str module)
{
    size_t begin = module.len;
    while (begin > 0 && module.ptr[begin - 1] != '.')
        begin--;
    return (hone_str){module.ptr + begin, module.len - begin};
}

static hone_status add_part(job *j, hone_param target, part x, const char *tail, uint32_t type)
{
    const hone_param_item *it = hone_params_item(j->params, x.param);
    const hone_str module = module_of(j->params, target);
    hone_safetensors_entry *e = &j->entries[j->n];
    const int more = x.fixed >= 0;
    size_t room = module.len + 64;
    char *name = hone_arena_alloc(&j->arena, room);
    if (!name)
        return HONE_E_NOMEM;
    snprintf(name, room, "base_model.model.%.*s.%s", (int)module.len, module.ptr, tail);
    *e = (hone_safetensors_entry){
        .name = name, .type = type, .n_dims = it->is_vector ? 1 : 2, .tag = j->n};
    e->dims[0] = it->is_vector ? it->cols : it->rows * (more && !x.beside ? 2 : 1);
    e->dims[1] = it->is_vector ? 0 : it->cols * (more && x.beside ? 2 : 1);
    j->parts[j->n++] = x;
    return HONE_OK;
}

static hone_status list_parts(job *j, uint32_t type)
{
    const size_t most = 3 * (size_t)j->info.n_targets;
    j->parts = hone_arena_calloc(&j->arena, most + 1, sizeof *j->parts);
    j->entries = hone_arena_calloc(&j->arena, most + 1, sizeof *j->entries);
    if (!j->parts || !j->entries)
        return HONE_E_NOMEM;
    for (int32_t i = 0; i < j->info.n_targets; i++) {
        hone_adapter_pair x;
        HONE_TRY(hone_params_adapter_pair(j->params, j->adapter, i, &x));
        HONE_TRY(add_part(j, x.target, (part){x.a, x.a0, 0}, "lora_A.weight", type));
        HONE_TRY(add_part(j, x.target, (part){x.b, x.b0, 1}, "lora_B.weight", type));
        if (x.m >= 0)
            HONE_TRY(
                add_part(j, x.target, (part){x.m, HONE_NONE, 0}, "lora_magnitude_vector", type));
    }
    return HONE_OK;
}

/* Rows of parameter i, each with `beside` behind it when there is one; `row` has room for both. */
static hone_status put_rows(hone_safetensors_writer *w, const hone_params *p, hone_param i,
                            hone_param beside, float *row)
{
    const hone_param_item *it = hone_params_item(p, i);
    size_t n = (size_t)it->cols;
    for (int64_t r = 0; r < it->rows; r++) {
        HONE_TRY(hone_params_get_rows(p, i, r, 1, row));
        if (beside >= 0)
            HONE_TRY(hone_params_get_rows(p, beside, r, 1, row + n));
        for (size_t c = 0; beside >= 0 && c < n; c++)
            row[n + c] = -row[n + c];
        HONE_TRY(hone_safetensors_add(w, row, beside >= 0 ? 2 * n : n));
    }
    return HONE_OK;
}

static hone_status put_part(hone_safetensors_writer *w, const hone_params *p, const part *x)
{
    float *row = hone_reallocarray(NULL, 2 * (size_t)hone_params_item(p, x->param)->cols,
                                   sizeof *row);
    if (!row)
        return HONE_E_NOMEM;
    hone_status s = put_rows(w, p, x->param, x->beside ? x->fixed : HONE_NONE, row);
    if (s >= 0 && x->fixed >= 0 && !x->beside)
        s = put_rows(w, p, x->fixed, HONE_NONE, row);
    hone_free(row);
    return s;
}

static hone_status put_tensors(const char *dir, const job *j)
{
    hone_safetensors_writer w;
    char *path = hone_path_join(dir, "adapter_model.safetensors");
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = hone_safetensors_create(&w, path, j->entries, j->n, NULL, 0);
    hone_free(path);
    if (s < 0)
        return s;
    for (size_t i = 0; i < j->n && s >= 0; i++)
        s = put_part(&w, j->params, &j->parts[j->entries[i].tag]);
    if (s < 0) {
        hone_safetensors_abandon(&w);
        return s;
    }
    return hone_safetensors_close(&w);
}

/* The alpha of the file that gives the same scale at its rank. */
static double alpha_of(const job *j, float alpha)
{
    const double times = (double)j->times;
    return (double)alpha * (j->info.kind & HONE_LORA_RANK_STABLE ? sqrt(times) : times);
}

/* ---- adapter_config.json ----------------------------------------------------------------------------- */
static int is_adapted(const job *j, hone_param base)
{
    hone_lora l;
    return hone_params_loras(j->params, base, 1u << j->adapter, &l, 1) > 0;
}

/* Does every matrix whose module ends like this one carry the adapter? */
static int is_everywhere(const job *j, hone_str last)
{
    for (hone_param i = 0; i < hone_params_count(j->params); i++) {
        const hone_param_item *it = hone_params_item(j->params, i);
        if (it && it->adapter < 0 && hone_str_same(last_part(module_of(j->params, i)), last) &&
            !is_adapted(j, i))
            return 0;
    }
    return 1;
}

static hone_status put_targets(hone_jw *w, const job *j)
{
    hone_adapter_pair pair, other;
    hone_jw_key(w, "target_modules");
    hone_jw_list(w);
    for (int32_t i = 0; i < j->info.n_targets; i++) {
        HONE_TRY(hone_params_adapter_pair(j->params, j->adapter, i, &pair));
        const hone_str module = module_of(j->params, pair.target), last = last_part(module);
        if (!is_everywhere(j, last)) {
            hone_jw_str(w, module);
            continue;
        }
        int seen = 0;
        for (int32_t k = 0; k < i && !seen; k++) {
            HONE_TRY(hone_params_adapter_pair(j->params, j->adapter, k, &other));
            seen = hone_str_same(last_part(module_of(j->params, other.target)), last);
        }
        if (!seen)
            hone_jw_str(w, last);
    }
    hone_jw_end(w);
    return HONE_OK;
}

static void put_number(hone_jw *w, double v)
{
    if (v > -1e15 && v < 1e15 && v == (double)(int64_t)v)
        hone_jw_i64(w, (int64_t)v);
    else
        hone_jw_f64(w, v);
}

/* Modules whose rank (or alpha) is not the adapter's. */
static hone_status put_pattern(hone_jw *w, const job *j, const char *key, int rank)
{
    hone_adapter_pair pair;
    hone_jw_key(w, key);
    hone_jw_map(w);
    for (int32_t i = 0; i < j->info.n_targets; i++) {
        HONE_TRY(hone_params_adapter_pair(j->params, j->adapter, i, &pair));
        const int64_t r = hone_params_item(j->params, pair.a)->rows;
        if (rank ? r == j->info.rank : pair.alpha == j->info.alpha)
            continue;
        hone_jw_key_str(w, module_of(j->params, pair.target));
        put_number(w, rank ? (double)(r * j->times) : alpha_of(j, pair.alpha));
    }
    hone_jw_end(w);
    return HONE_OK;
}

static hone_status write_config(hone_jw *w, const job *j, const char *base)
{
    hone_jw_map(w);
    HONE_TRY(put_pattern(w, j, "alpha_pattern", 0));
    hone_jw_kcstr(w, "base_model_name_or_path", base);
    hone_jw_kcstr(w, "bias", "none");
    hone_jw_kbool(w, "fan_in_fan_out", 0);
    hone_jw_kbool(w, "inference_mode", 1);
    hone_jw_kbool(w, "init_lora_weights", 1);
    hone_jw_key(w, "lora_alpha");
    put_number(w, alpha_of(j, j->info.alpha));
    hone_jw_kf64(w, "lora_dropout", 0.0);
    hone_jw_key(w, "modules_to_save");
    hone_jw_null(w);
    hone_jw_kcstr(w, "peft_type", "LORA");
    hone_jw_ki64(w, "r", j->info.rank * j->times);
    HONE_TRY(put_pattern(w, j, "rank_pattern", 1));
    HONE_TRY(put_targets(w, j));
    hone_jw_kcstr(w, "task_type", "CAUSAL_LM");
    hone_jw_kbool(w, "use_dora", (j->info.kind & HONE_LORA_DORA) != 0);
    hone_jw_kbool(w, "use_rslora", (j->info.kind & HONE_LORA_RANK_STABLE) != 0);
    hone_jw_end(w);
    return HONE_OK;
}

static hone_status put_config(const char *dir, const job *j, const char *base)
{
    hone_buf text;
    hone_jw w;
    hone_buf_init(&text, CONFIG_MAX);
    hone_jw_init(&w, &text, 2);
    hone_status s = write_config(&w, j, base);
    hone_buf_addc(&text, '\n');
    if (s >= 0)
        s = hone__hf_put_text(dir, "adapter_config.json", &text);
    hone_buf_release(&text);
    return s;
}

hone_status hone_peft_write(const char *path, const hone_model *m, int32_t adapter,
                            const char *base, uint32_t type, uint32_t flags)
{
    char *target = NULL, *tmp = NULL;
    job j = {.params = m->params, .adapter = adapter};
    HONE_TRY(hone__hf_check_type(type, 0));
    if (adapter < 0)
        return hone_fail(HONE_E_INVALID, "no adapter is named");
    HONE_TRY(hone_params_adapter_info(m->params, adapter, &j.info));
    j.times = j.info.init == HONE_LORA_INIT_PRINCIPAL ? 2 : 1;
    hone_arena_init(&j.arena, 0);
    hone_status s = list_parts(&j, type);
    if (s >= 0)
        s = hone__hf_begin(path, flags, &target, &tmp);
    if (s >= 0)
        s = put_tensors(tmp, &j);
    if (s >= 0)
        s = put_config(tmp, &j, base);
    s = hone__hf_finish(s, target, tmp);
    hone_arena_release(&j.arena);
    return s;
}
