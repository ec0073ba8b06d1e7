/* model_adapter.c - adapters on the command line: what one holds (`hone model info FOLDER`), and `hone model merge`,
 * which writes a model with one added to its weights.
 *
 * A folder with adapter_config.json and without config.json is an adapter. Merging loads the base as float32, so that
 * the sum is rounded once, to the type that is written. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/model.h"
#include "cli/out.h"
#include "nn/hf.h"
#include "nn/peft.h"
#include "ops/storage.h"
#include "train/policy.h"

#include <stdio.h>
#include <string.h>

static int has_file(const char *folder, const char *name)
{
    char *path = hone_path_join(folder, name);
    int there = path && hone_file_exists(path);
    hone_free(path);
    return there;
}

int hone__cli_is_adapter(const char *path)
{
    return hone_file_is_dir(path) && has_file(path, "adapter_config.json") &&
           !has_file(path, "config.json");
}

static const char *kind_name(const hone_peft_info *i)
{
    static const char *const names[] = {"lora", "rslora", "dora", "dora+rslora"};
    return names[(i->kind & HONE_LORA_DORA ? 2 : 0) + (i->kind & HONE_LORA_RANK_STABLE ? 1 : 0)];
}

static void adapter_json(const hone_peft *a, const hone_peft_info *i, int modules, hone_jw *j)
{
    hone_jw_map(j);
    hone_jw_kcstr(j, "path", i->path);
    hone_jw_kcstr(j, "format", "adapter");
    hone_jw_kcstr(j, "kind", kind_name(i));
    hone_jw_key(j, "base");
    if (i->base.ptr)
        hone_jw_str(j, i->base);
    else
        hone_jw_null(j);
    hone_jw_ki64(j, "rank", i->rank);
    hone_jw_kf64(j, "alpha", i->alpha);
    hone_jw_ki64(j, "modules", (int64_t)i->n_modules);
    hone_jw_ki64(j, "parameters", (int64_t)i->n_params);
    hone_jw_ki64(j, "bytes", (int64_t)i->bytes);
    if (modules) {
        hone_jw_key(j, "module_list");
        hone_jw_list(j);
        for (size_t k = 0; k < i->n_modules; k++) {
            hone_str name;
            int32_t rank;
            int64_t in, out;
            hone_peft_module(a, k, &name, &rank, &in, &out);
            hone_jw_map(j);
            hone_jw_kstr(j, "name", name);
            hone_jw_ki64(j, "rank", rank);
            hone_jw_ki64(j, "inputs", in);
            hone_jw_ki64(j, "outputs", out);
            hone_jw_end(j);
        }
        hone_jw_end(j);
    }
    hone_jw_end(j);
}

static void adapter_text(const hone_peft *a, const hone_peft_info *i, int modules)
{
    printf("%s\n", i->path);
    printf("  format        adapter (PEFT)\n");
    printf("  kind          %s\n", kind_name(i));
    printf("  base          %.*s\n", i->base.ptr ? (int)i->base.len : 7,
           i->base.ptr ? i->base.ptr : "unknown");
    printf("  rank, alpha   %d, %g\n", i->rank, i->alpha);
    printf("  parameters    %llu on %zu linear maps\n", (unsigned long long)i->n_params,
           i->n_modules);
    printf("  file          %.1f kB\n", (double)i->bytes / 1e3);
    for (size_t k = 0; modules && k < i->n_modules; k++) {
        hone_str name;
        int32_t rank;
        int64_t in, out;
        hone_peft_module(a, k, &name, &rank, &in, &out);
        printf("  %-56.*s %lld x %lld, rank %d\n", (int)name.len, name.ptr, (long long)out,
               (long long)in, rank);
    }
}

int hone__cli_adapter_info(const char *path, int modules, int json)
{
    hone_peft *a;
    hone_peft_info info;
    hone_status s = hone_peft_open(path, &a);
    if (s < 0)
        return hone_cli_fail(s);
    hone_peft_get_info(a, &info);
    if (json) {
        hone_buf text;
        hone_jw j;
        hone_buf_init(&text, (size_t)256 << 20);
        hone_jw_init(&j, &text, 0);
        adapter_json(a, &info, modules, &j);
        s = hone_buf_check(&text, path);
        if (s >= 0)
            printf("%s\n", text.ptr);
        hone_buf_release(&text);
    } else {
        adapter_text(a, &info, modules);
    }
    hone_peft_close(a);
    return hone_cli_fail(s);
}

/* ---- merge ------------------------------------------------------------------------------------------ */
static hone_status merge(hone_env *env, const hone_policy_config *config, const char *out,
                         const hone_hf_options *given)
{
    hone_policy *p = NULL;
    hone_hf_options o = *given;
    HONE_TRY(hone_policy_create(env, config, &p));
    o.like = p->text ? p->text->weights : NULL;
    o.merge = hone_policy_mask(p);
    hone_status s = hone_hf_write(out, p->model, &o);
    hone_policy_destroy(p);
    return s;
}

int hone__cli_model_merge(int argc, char **argv)
{
    static const char *out, *dtype = "f32";
    static int overwrite, allow;
    static int64_t threads;
    static const hone_arg options[] = {
        {"out", HONE_ARG_STR, &out, "FOLDER", "where the model is written"},
        {"dtype", HONE_ARG_STR, &dtype, "TYPE", "f32, bf16 or f16 (f32)"},
        {"overwrite", HONE_ARG_FLAG, &overwrite, NULL, "replace a folder that is there"},
        {"threads", HONE_ARG_I64, &threads, "N", "threads (all processors)"},
        {"allow-unknown-config", HONE_ARG_FLAG, &allow, NULL,
         "ignore configuration keys hone does not know"},
        {0}};
    static const char *const examples[] = {
        "hone model merge smollm2-135m-instruct runs/r1/adapter --out merged", NULL};
    static const hone_args spec = {
        "model merge",
        "MODEL ADAPTER --out FOLDER [options]",
        "Writes a model with an adapter added to its weights, in Hugging Face layout. The\n"
        "adapter is a folder that hone or PEFT saved: LoRA, rsLoRA, DoRA or PiSSA.",
        options,
        examples,
        2,
        2};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const hone_file_type *type = hone_file_type_named(dtype);
    if (!type || !type->narrow || !type->safetensors)
        return hone_cli_usage("model merge", "--dtype: f32, bf16 or f16, not \"%s\"", dtype);
    if (!out)
        return hone_cli_usage("model merge", "say where it is written: --out FOLDER");
    if (threads < 0 || threads > HONE_POOL_MAX)
        return hone_cli_usage("model merge", "--threads: 1 to %d", HONE_POOL_MAX);
    const hone_hf_options o = {.type = type->id, .flags = overwrite ? HONE_HF_OVERWRITE : 0};
    const hone_policy_config config = {
        .model = rest.v[0], .flags = allow ? HONE_MODEL_ALLOW_UNKNOWN : 0, .lora.from = rest.v[1]};
    hone_env env = {0};
    hone_registry_opts none = {0};
    hone_status s = hone_registry_open(&none, &env.registry);
    if (s >= 0)
        s = hone_pool_create((uint32_t)threads, &env.pool);
    if (s >= 0)
        s = merge(&env, &config, out, &o);
    int code = hone_cli_fail(s);
    hone_pool_destroy(env.pool);
    if (env.registry)
        hone_registry_close(env.registry);
    return code;
}
