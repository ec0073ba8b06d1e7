/* model.c - `hone model info|logprobs|export|convert|quantize|diff|merge`: look inside a model, score a text with
 * it, write it out, compare it.
 *
 * `info` reads headers and metadata only, so it answers at once for a model of any size. The others
 * are in model_run.c, model_convert.c, model_diff.c and model_adapter.c. Options and JSON shapes: design of the command line. */
#include "base/buf.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/model.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "nn/gguf.h"
#include "nn/reader.h"

#include <stdio.h>
#include <string.h>

/* ---- info ------------------------------------------------------------------------------------------- */
static hone_str text_at(const hone_value *map, const char *key)
{
    const hone_value *v = map ? hone_value_get(map, key) : NULL;
    return v && v->type == HONE_STRING ? v->u.str : (hone_str){NULL, 0};
}

static hone_str architecture(const hone_weights *w)
{
    const hone_value *config = hone_weights_config(w);
    if (strcmp(hone_weights_format(w), "gguf") == 0)
        return text_at(config, "general.architecture");
    const hone_value *list = config ? hone_value_get(config, "architectures") : NULL;
    if (list && list->type == HONE_LIST && list->u.list.n &&
        list->u.list.items[0].type == HONE_STRING)
        return list->u.list.items[0].u.str;
    return text_at(config, "model_type");
}

/* What the file is; llama2.c's read like GGUF. */
static const char *format_name(const hone_weights *w)
{
    const hone_gguf *g = hone_weights_gguf(w);
    return !g ? "Hugging Face" : g->raw ? "GGUF" : "llama2.c";
}

typedef struct summary {
    uint64_t parameters, type_values[HONE_FT_COUNT], type_bytes[HONE_FT_COUNT], file_bytes;
    size_t tensors, files, type_tensors[HONE_FT_COUNT];
} summary;

static void summarise(const hone_weights *w, summary *s)
{
    memset(s, 0, sizeof *s);
    s->tensors = hone_weights_count(w);
    s->files = hone_weights_files(w, &s->file_bytes);
    for (size_t i = 0; i < s->tensors; i++) {
        const hone_file_tensor *t = hone_weights_tensor(w, i);
        uint64_t n = (uint64_t)t->rows * (uint64_t)t->cols;
        s->parameters += n;
        s->type_values[t->type->id] += n;
        s->type_bytes[t->type->id] += t->size;
        s->type_tensors[t->type->id]++;
    }
}

static void info_json(const hone_weights *w, const summary *s, int tensors, hone_jw *j)
{
    hone_weights_chat chat;
    int32_t stop[32];
    size_t n_stop = hone_weights_stop_ids(w, stop, 32);
    const hone_value *tokenizer = hone_weights_tokenizer(w), *config = hone_weights_config(w);
    hone_weights_get_chat(w, &chat);
    hone_jw_map(j);
    hone_jw_kcstr(j, "path", hone_weights_path(w));
    hone_jw_kcstr(j, "format", hone_weights_format(w));
    hone_str arch = architecture(w);
    hone_jw_key(j, "architecture");
    if (arch.ptr)
        hone_jw_str(j, arch);
    else
        hone_jw_null(j);
    hone_jw_ki64(j, "parameters", (int64_t)s->parameters);
    hone_jw_ki64(j, "tensors", (int64_t)s->tensors);
    hone_jw_ki64(j, "files", (int64_t)s->files);
    hone_jw_ki64(j, "bytes", (int64_t)s->file_bytes);
    hone_jw_key(j, "types");
    hone_jw_map(j);
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++)
        if (s->type_tensors[i])
            hone_jw_ki64(j, hone_file_type_get(i)->name, (int64_t)s->type_values[i]);
    hone_jw_end(j);
    hone_jw_key(j, "tokenizer");
    if (tokenizer)
        hone_jw_str(j, text_at(tokenizer, "format"));
    else
        hone_jw_null(j);
    hone_jw_kbool(j, "chat_template", chat.source.ptr != NULL);
    hone_jw_key(j, "stop_ids");
    hone_jw_list(j);
    for (size_t i = 0; i < n_stop && i < 32; i++)
        hone_jw_i64(j, stop[i]);
    hone_jw_end(j);
    hone_jw_key(j, "config");
    hone_jw_map(j);
    for (size_t i = 0; config && i < config->u.map.n; i++) {
        const hone_pair *p = &config->u.map.pairs[i];
        if (p->value.type == HONE_LIST && p->value.u.list.n > 1000)
            continue; /* vocabularies */
        hone_jw_key_str(j, p->key);
        hone_jw_value(j, &p->value);
    }
    hone_jw_end(j);
    if (tensors) {
        hone_jw_key(j, "tensor_list");
        hone_jw_list(j);
        for (size_t i = 0; i < s->tensors; i++) {
            const hone_file_tensor *t = hone_weights_tensor(w, i);
            hone_jw_map(j);
            hone_jw_kstr(j, "name", t->name);
            hone_jw_kcstr(j, "type", t->type->name);
            hone_jw_key(j, "shape");
            hone_jw_list(j);
            for (uint32_t d = 0; d < t->n_dims; d++)
                hone_jw_i64(j, t->dims[d]);
            hone_jw_end(j);
            hone_jw_end(j);
        }
        hone_jw_end(j);
    }
    hone_jw_end(j);
}

static void print_size(uint64_t bytes)
{
    if (bytes >= 1000000000)
        printf("%.2f GB", (double)bytes / 1e9);
    else if (bytes >= 1000000)
        printf("%.1f MB", (double)bytes / 1e6);
    else
        printf("%.1f kB", (double)bytes / 1e3);
}

static void info_text(const hone_weights *w, const summary *s, int tensors)
{
    static const char *const facts[] = {"hidden_size",
                                        "num_hidden_layers",
                                        "num_attention_heads",
                                        "num_key_value_heads",
                                        "head_dim",
                                        "intermediate_size",
                                        "vocab_size",
                                        "max_position_embeddings",
                                        "rope_theta",
                                        "tie_word_embeddings",
                                        NULL};
    const hone_value *config = hone_weights_config(w), *tokenizer = hone_weights_tokenizer(w);
    int gguf = strcmp(hone_weights_format(w), "gguf") == 0;
    hone_weights_chat chat;
    hone_str arch = architecture(w),
             name = gguf ? text_at(config, "general.name") : (hone_str){NULL, 0};
    hone_weights_get_chat(w, &chat);
    printf("%s\n", hone_weights_path(w));
    if (name.ptr)
        printf("  name          %.*s\n", (int)name.len, name.ptr);
    printf("  format        %s\n", format_name(w));
    printf("  architecture  %.*s\n", arch.ptr ? (int)arch.len : 7, arch.ptr ? arch.ptr : "unknown");
    printf("  parameters    %llu in %zu tensors\n", (unsigned long long)s->parameters, s->tensors);
    printf("  files         %zu, ", s->files);
    print_size(s->file_bytes);
    printf("\n");
    for (uint32_t i = 0; i < HONE_FT_COUNT; i++) {
        if (!s->type_tensors[i])
            continue;
        printf("  %-12s  %zu tensors, %llu values, ", hone_file_type_get(i)->name,
               s->type_tensors[i], (unsigned long long)s->type_values[i]);
        print_size(s->type_bytes[i]);
        printf("\n");
    }
    printf("  tokenizer     %s\n",
           tokenizer ? (gguf ? "in the metadata" : "tokenizer.json") : "none");
    printf("  chat template %s\n", chat.source.ptr ? "yes" : "none");
    for (size_t i = 0; config && i < config->u.map.n; i++) {
        const hone_pair *p = &config->u.map.pairs[i];
        int shown = gguf && arch.ptr && p->key.len > arch.len &&
                    memcmp(p->key.ptr, arch.ptr, arch.len) == 0;
        for (size_t k = 0; !gguf && facts[k]; k++)
            shown |= hone_str_eq(p->key, facts[k]);
        if (!shown || p->value.type == HONE_LIST || p->value.type == HONE_MAP)
            continue;
        hone_buf text;
        hone_jw j;
        hone_buf_init(&text, 1 << 16);
        hone_jw_init(&j, &text, 0);
        hone_jw_value(&j, &p->value);
        printf("  %-40.*s %s\n", (int)p->key.len, p->key.ptr, text.ptr);
        hone_buf_release(&text);
    }
    for (size_t i = 0; tensors && i < s->tensors; i++) {
        const hone_file_tensor *t = hone_weights_tensor(w, i);
        printf("  %-56.*s %-8s", (int)t->name.len, t->name.ptr, t->type->name);
        for (uint32_t d = 0; d < t->n_dims; d++)
            printf("%s%lld", d ? " x " : " ", (long long)t->dims[d]);
        printf("\n");
    }
}

static int run_info(int argc, char **argv)
{
    static int json, tensors;
    static const hone_arg options[] = {
        {"tensors", HONE_ARG_FLAG, &tensors, NULL, "list every tensor"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one JSON object"},
        {0}};
    static const char *const examples[] = {"hone model info tiny", "hone model info tiny --tensors",
                                           NULL};
    static const hone_args spec = {
        "model info",
        "MODEL [options]",
        "Shows what a model file holds, without loading it: a Hugging Face folder, a\n"
        "GGUF file or a known name; or an adapter's folder, as hone or PEFT saved it.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    hone_weights *w;
    summary s;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (hone__cli_is_adapter(rest.v[0]))
        return hone__cli_adapter_info(rest.v[0], tensors, json);
    hone_status status = hone_weights_open(rest.v[0], 0, &w);
    if (status < 0)
        return hone_cli_fail(status);
    summarise(w, &s);
    if (json) {
        hone_buf text;
        hone_jw j;
        hone_buf_init(&text, (size_t)256 << 20);
        hone_jw_init(&j, &text, 0);
        info_json(w, &s, tensors, &j);
        status = hone_buf_check(&text, rest.v[0]);
        if (status >= 0)
            printf("%s\n", text.ptr);
        hone_buf_release(&text);
    } else {
        info_text(w, &s, tensors);
    }
    hone_weights_close(w);
    return hone_cli_fail(status);
}

/* ---- the verb --------------------------------------------------------------------------------------- */
static const struct part {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} parts[] = {
    {"info", "what a model file holds", run_info},
    {"logprobs", "how likely a model finds a text", hone__cli_model_logprobs},
    {"export", "writes a folder in Hugging Face layout", hone__cli_model_export},
    {"convert", "writes a GGUF file or a Hugging Face folder", hone__cli_model_convert},
    {"quantize", "writes a quantised GGUF file and measures what was lost",
     hone__cli_model_quantize},
    {"diff", "which tensors of two models differ", hone__cli_model_diff},
    {"merge", "writes a model with an adapter added to its weights", hone__cli_model_merge},
};
enum { N_PARTS = sizeof parts / sizeof *parts };

int hone_cli_model(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)) {
        printf("usage: hone model PART MODEL [options]\n\n");
        for (int i = 0; i < N_PARTS; i++)
            printf("  %-10s %s\n", parts[i].name, parts[i].summary);
        printf(
            "\nMODEL is a Hugging Face folder, a GGUF file, a folder with one, or a known name.\n"
            "`hone model PART --help` tells more.\n");
        return HONE_EXIT_OK;
    }
    for (int i = 0; name && i < N_PARTS; i++)
        if (strcmp(name, parts[i].name) == 0)
            return parts[i].run(argc - 1, argv + 1);
    if (!name)
        return hone_cli_usage(
            "model", "which part: info, logprobs, export, convert, quantize, diff or merge?");
    const char *names[N_PARTS + 1];
    for (int i = 0; i < N_PARTS; i++)
        names[i] = parts[i].name;
    names[N_PARTS] = NULL;
    const char *close = hone_closest(name, names);
    if (close)
        return hone_cli_usage("model", "unknown part \"%s\" (did you mean \"%s\"?)", name, close);
    return hone_cli_usage("model", "unknown part \"%s\"", name);
}
