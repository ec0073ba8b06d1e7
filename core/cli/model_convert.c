/* model_convert.c - `hone model convert` and `hone model quantize`: a model file into another one.
 *
 * convert streams from file to file and computes nothing, so that a model larger than memory is no matter;
 * quantize writes a GGUF file and then measures what was lost (model_quality.c). Both work on a model that is
 * declared but not loaded. */
#include "host/registry.h"
#include "base/buf.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/env.h"
#include "cli/model.h"
#include "cli/out.h"
#include "nn/choose.h"
#include "nn/convert.h"
#include "nn/hf.h"
#include "tensor/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct order {
    const char *from, *to;
    const hone_convert_type *type;
    const char *pre;
    int gguf, overwrite, allow, no_tokenizer;
    int64_t shard_mb;
} order;

/* The target's file or all files of its folder. */
static uint64_t size_of(const char *path)
{
    uint64_t bytes = 0;
    hone_weights *w = NULL;
    if (hone_weights_open(path, 0, &w) >= 0)
        hone_weights_files(w, &bytes);
    hone_weights_close(w);
    return bytes;
}

static hone_status convert(hone_env *env, const order *o, hone_convert_report *report)
{
    hone_weights *w = NULL;
    hone_instance *inst = NULL;
    hone_model *model = NULL;
    hone_tensor_reader reader;
    hone_status s = hone_weights_open(o->from, 0, &w);
    if (s < 0)
        return s;
    int needs_model = !o->gguf || o->type->mix || strcmp(hone_weights_format(w), "gguf") != 0;
    if (needs_model)
        s = hone_model_choose(
            env->registry, hone_weights_format(w), hone_weights_config(w), hone_weights_path(w),
            HONE_MODEL_DECLARED | (o->allow ? HONE_MODEL_ALLOW_UNKNOWN : 0), &inst, &model);
    if (s >= 0 && o->gguf) {
        hone_convert_options c = {.type = o->type,
                                  .flags = (o->overwrite ? HONE_CONVERT_OVERWRITE : 0) |
                                           (o->no_tokenizer ? HONE_CONVERT_NO_TOKENIZER : 0),
                                  .pre = o->pre,
                                  .exec = hone_pool_exec(env->pool)};
        s = hone_convert_gguf(o->to, w, model, &c, report);
    } else if (s >= 0) {
        hone_weights_reader(w, &reader);
        hone_hf_options h = {.type = o->type->type,
                             .flags = o->overwrite ? HONE_HF_OVERWRITE : 0,
                             .shard_bytes = (uint64_t)o->shard_mb * 1000000,
                             .like = o->no_tokenizer ? NULL : w,
                             .from = &reader};
        s = hone_hf_write(o->to, model, &h);
    }
    hone_model_destroy(model);
    hone_instance_unref(inst);
    hone_weights_close(w);
    return s;
}

static hone_status check(const order *o)
{
    if (o->gguf || o->type->type == HONE_FT_COUNT || hone_file_type_get(o->type->type)->safetensors)
        return HONE_OK;
    hone_fail(HONE_E_USAGE, "--type %s: a Hugging Face folder holds f32, bf16 and f16",
              o->type->name);
    return hone_fail_hint("--to gguf holds %s", o->type->name);
}

static hone_status type_named(const char *name, const hone_convert_type **out)
{
    hone_buf names;
    *out = hone_convert_type_named(name);
    if (*out)
        return HONE_OK;
    hone_buf_init(&names, 1000);
    for (size_t i = 0; hone_convert_type_at(i); i++)
        hone_buf_addf(&names, "%s%s", i ? " " : "", hone_convert_type_at(i)->name);
    hone_fail(HONE_E_USAGE, "--type %.40s: there is no such type", name);
    hone_status s = hone_fail_hint("%s", names.ptr);
    hone_buf_release(&names);
    return s;
}

static void print_types(const hone_convert_report *r)
{
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++)
        if (r->type_tensors[i])
            printf("  %-8s %zu tensors, %" PRIu64 " values\n", hone_file_type_get(i)->name,
                   r->type_tensors[i], r->type_values[i]);
    if (r->fallbacks)
        printf(
            "  %zu tensors have rows that are no multiple of the block: the next type is taken\n",
            r->fallbacks);
}

static void json_types(hone_jw *j, const hone_convert_report *r)
{
    hone_jw_key(j, "types");
    hone_jw_map(j);
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++)
        if (r->type_tensors[i])
            hone_jw_ki64(j, hone_file_type_get(i)->name, (int64_t)r->type_values[i]);
    hone_jw_end(j);
    hone_jw_ki64(j, "fallbacks", (int64_t)r->fallbacks);
}

static void print_result(const order *o, const hone_convert_report *r, uint64_t in, uint64_t out,
                         const hone_quality *q, int json)
{
    if (!json) {
        printf("%s\n  %s, %.1f MB (from %.1f MB)\n", o->to, o->type->name, (double)out / 1e6,
               (double)in / 1e6);
        print_types(r);
        if (q)
            hone__cli_quality_print(q);
        return;
    }
    hone_buf text;
    hone_jw j;
    hone_buf_init(&text, 1 << 20);
    hone_jw_init(&j, &text, 0);
    hone_jw_map(&j);
    hone_jw_kcstr(&j, "path", o->to);
    hone_jw_kcstr(&j, "format", o->gguf ? "gguf" : "hf");
    hone_jw_kcstr(&j, "type", o->type->name);
    hone_jw_ki64(&j, "bytes", (int64_t)out);
    hone_jw_ki64(&j, "bytes_in", (int64_t)in);
    if (o->gguf)
        json_types(&j, r);
    if (q)
        hone__cli_quality_json(q, &j);
    hone_jw_end(&j);
    printf("%s\n", text.ptr);
    hone_buf_release(&text);
}

static hone_status open_env(int64_t threads, hone_env *env)
{
    hone_registry_opts opts = {.project = "."};
    memset(env, 0, sizeof *env);
    if (threads < 0 || threads > HONE_POOL_MAX)
        return hone_fail(HONE_E_USAGE, "--threads: 1 to %d", HONE_POOL_MAX);
    HONE_TRY(hone_registry_open(&opts, &env->registry));
    hone_status s = hone_pool_create((uint32_t)threads, &env->pool);
    if (s < 0)
        hone_cli_env_close(env);
    return s;
}

int hone__cli_model_convert(int argc, char **argv)
{
    static const char *to, *type = "keep", *pre;
    static int json, overwrite, allow, no_tokenizer;
    static int64_t threads, shard_mb;
    static const hone_arg options[] = {
        {"to", HONE_ARG_STR, &to, "FORMAT", "gguf or hf (by OUT: gguf if it ends in .gguf)"},
        {"type", HONE_ARG_STR, &type, "TYPE",
         "keep, f32, bf16, f16; gguf: q8_0, q6_k, q5_k_m, q4_k_m ... (keep)"},
        {"shard-mb", HONE_ARG_I64, &shard_mb, "N", "hf: at most so many megabytes a file"},
        {"pre", HONE_ARG_STR, &pre, "NAME", "gguf: name of the pre-tokenizer (by its rules)"},
        {"without-tokenizer", HONE_ARG_FLAG, &no_tokenizer, NULL, "write no tokenizer"},
        {"overwrite", HONE_ARG_FLAG, &overwrite, NULL, "replace what is there"},
        {"allow-unknown-config", HONE_ARG_FLAG, &allow, NULL,
         "ignore configuration keys hone does not know"},
        {"threads", HONE_ARG_I64, &threads, "N", "threads (all processors)"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0}};
    static const char *const examples[] = {
        "hone model convert tiny tiny.gguf",
        "hone model convert tiny tiny-f16.gguf --type f16 --json",
        "hone model convert tiny tiny-hf --to hf --type bf16", NULL};
    static const hone_args spec = {
        "model convert",
        "MODEL OUT [options]",
        "Writes a model as a GGUF file or as a folder in Hugging Face layout, from any\n"
        "format hone reads, file to file: memory stays small whatever the model's size.\n"
        "OUT appears whole or not at all.",
        options,
        examples,
        2,
        2};
    hone_rest rest;
    hone_env env;
    hone_convert_report report = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    order o = {.from = rest.v[0],
               .to = rest.v[1],
               .pre = pre,
               .overwrite = overwrite,
               .allow = allow,
               .no_tokenizer = no_tokenizer,
               .shard_mb = shard_mb};
    size_t n = strlen(o.to);
    o.gguf = to ? strcmp(to, "gguf") == 0 : n > 5 && strcmp(o.to + n - 5, ".gguf") == 0;
    if (to && !o.gguf && strcmp(to, "hf") != 0)
        return hone_cli_usage("model convert", "--to: gguf or hf, not \"%.40s\"", to);
    if (shard_mb < 0 || shard_mb > INT64_MAX / 1000000)
        return hone_cli_usage("model convert", "--shard-mb: 0 or more");
    hone_status s = type_named(type, &o.type);
    if (s >= 0)
        s = check(&o);
    if (s >= 0)
        s = open_env(threads, &env);
    if (s < 0)
        return hone_cli_fail(s);
    uint64_t in = size_of(o.from);
    s = convert(&env, &o, &report);
    if (s >= 0)
        print_result(&o, &report, in, size_of(o.to), NULL, json);
    int code = hone_cli_fail(s);
    hone_cli_env_close(&env);
    return code;
}

int hone__cli_model_quantize(int argc, char **argv)
{
    static const char *type = "q4_k_m", *text, *pre;
    static int json, overwrite, allow, skip;
    static int64_t threads, tokens = 256;
    static const hone_arg options[] = {
        {"type", HONE_ARG_STR, &type, "TYPE", "one of those below (q4_k_m)"},
        {"text", HONE_ARG_STR, &text, "FILE",
         "what the report is measured on (a text of hone's own)"},
        {"tokens", HONE_ARG_I64, &tokens, "N", "at most so many tokens of it (256)"},
        {"skip-report", HONE_ARG_FLAG, &skip, NULL, "write only, measure nothing"},
        {"pre", HONE_ARG_STR, &pre, "NAME", "name of the pre-tokenizer (by its rules)"},
        {"overwrite", HONE_ARG_FLAG, &overwrite, NULL, "replace a file that is there"},
        {"allow-unknown-config", HONE_ARG_FLAG, &allow, NULL,
         "ignore configuration keys hone does not know"},
        {"threads", HONE_ARG_I64, &threads, "N", "threads (all processors)"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0}};
    static const char *const examples[] = {
        "hone model quantize tiny tiny-q8.gguf --type q8_0",
        "hone model quantize tiny tiny-q5.gguf --type q5_0 --json", NULL};
    static const hone_args spec = {
        "model quantize",
        "MODEL OUT.gguf [options]",
        "Writes a model as a quantised GGUF file and measures what was lost: the\n"
        "Kullback-Leibler divergence of the next token's distribution from the original's,\n"
        "and how often both find the same token likeliest. Types: q8_0 q6_k q5_k_m q5_k\n"
        "q5_1 q5_0 q4_k_m q4_k_s q4_k q4_1 q4_0 iq4_nl iq4_xs q3_k_m q3_k q2_k.",
        options,
        examples,
        2,
        2};
    hone_rest rest;
    hone_env env;
    hone_convert_report report = {0};
    hone_quality quality = {0};
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (tokens < 2 || tokens > 1 << 20)
        return hone_cli_usage("model quantize", "--tokens: 2 to %d", 1 << 20);
    order o = {.from = rest.v[0],
               .to = rest.v[1],
               .pre = pre,
               .gguf = 1,
               .overwrite = overwrite,
               .allow = allow};
    hone_status s = type_named(type, &o.type);
    if (s >= 0)
        s = open_env(threads, &env);
    if (s < 0)
        return hone_cli_fail(s);
    uint64_t in = size_of(o.from);
    s = convert(&env, &o, &report);
    if (s >= 0 && !skip)
        s = hone__cli_quality(&env, o.from, o.to, text, (size_t)tokens,
                              allow ? HONE_MODEL_ALLOW_UNKNOWN : 0, &quality);
    if (s >= 0)
        print_result(&o, &report, in, size_of(o.to), skip ? NULL : &quality, json);
    int code = hone_cli_fail(s);
    hone_cli_env_close(&env);
    return code;
}
