/* reader.c - finds the files of a model, opens them all, and answers for them as one.
 *
 * A folder with config.json is Hugging Face's: model.safetensors, or the shards that
 * model.safetensors.index.json names (each must be a plain file name of that folder and hold exactly the
 * tensors the index says). A folder without is searched for GGUF: one file, or one set of split files.
 * Small JSON files are parsed into one arena; tensors of all files stand in one list and one map.
 *
 * Does not: know parameters or models (core/nn/model), render or tokenize, write (core/nn/hf). */
#include "nn/reader.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "base/paths.h"
#include "nn/gguf.h"
#include "nn/llama2c.h"
#include "nn/safetensors.h"
#include "nn/tokenizer_files.h"

#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 4096, TOKENIZER_MAX = 256 << 20, TEMPLATE_MAX = 4 << 20 };

struct hone_weights {
    char *path;
    int gguf;
    hone_arena arena;
    hone_safetensors *st; /* files, of one kind or the other */
    hone_gguf *gg;
    size_t n_st, n_gg;
    const hone_file_tensor **tensors;
    const char **names;
    size_t n, cap;
    hone_map by_name;
    hone_value config, generation, tokenizer, tokenizer_config;
    int has_generation, has_tokenizer, has_tokenizer_config, unmapped;
    hone_weights_chat chat;
    uint64_t bytes;
};

/* ---- which path a name stands for ---------------------------------------------------------------- */
static int ends_with(const char *z, const char *tail)
{
    size_t a = strlen(z), b = strlen(tail);
    return a >= b && strcmp(z + a - b, tail) == 0;
}

static hone_status not_found(const char *model, const char *models)
{
    char **names = NULL;
    size_t n = 0;
    hone_buf known;
    hone_buf_init(&known, 400);
    hone_buf_adds(&known, "tiny");
    if (hone_file_is_dir(models) && hone_list_dir(models, &names, &n) >= 0) {
        for (size_t i = 0; i < n; i++)
            hone_buf_addf(&known, " %s", names[i]);
        hone_names_free(names, n);
    }
    hone_fail(HONE_E_NOT_FOUND, "model \"%s\": no such folder, file or known name", model);
    hone_fail_detail("known names: %s", known.ptr);
    hone_status s = hone_fail_hint("scripts/fetch-model fetches models into %s", models);
    hone_buf_release(&known);
    return s;
}

hone_status hone_weights_locate(const char *model, char **path)
{
    char *models = NULL, *found = NULL;
    hone_status s = HONE_OK;
    if (!*model)
        return hone_fail(HONE_E_USAGE, "the name of the model is empty");
    if (hone_file_exists(model)) {
        found = hone_strdup(model);
    } else {
        models = hone_path_join(hone_paths_cache(), "models");
        if (!models)
            return HONE_E_NOMEM;
        if (strchr(model, '/') || strcmp(model, "..") == 0) {
            s = not_found(model, models);
            goto out;
        }
        found = strcmp(model, "tiny") == 0 ? hone_path_join(hone_paths_assets(), "tiny")
                                           : hone_path_join(models, model);
        if (found && !hone_file_exists(found)) {
            hone_free(found);
            s = not_found(model, models);
            goto out;
        }
    }
    if (found)
        *path = found;
    else
        s = HONE_E_NOMEM;
out:
    hone_free(models);
    return s;
}

/* ---- tensors of all files in one list ------------------------------------------------------------- */
static hone_status add_tensor(hone_weights *w, const hone_file_tensor *t, const char *file)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 256;
        const hone_file_tensor **tensors = hone_reallocarray(w->tensors, cap, sizeof *tensors);
        if (!tensors)
            return HONE_E_NOMEM;
        w->tensors = tensors;
        const char **names = hone_reallocarray(w->names, cap, sizeof *names);
        if (!names)
            return HONE_E_NOMEM;
        w->names = names;
        w->cap = cap;
    }
    if (hone_map_has(&w->by_name, t->name.ptr, t->name.len))
        return hone_fail(HONE_E_PARSE, "%s: tensor \"%.*s\" is in an earlier file of the model too",
                         file, (int)(t->name.len < 120 ? t->name.len : 120), t->name.ptr);
    char *name = hone_arena_strndup(&w->arena, t->name.ptr, t->name.len);
    if (!name)
        return hone_error_get()->code;
    HONE_TRY(hone_map_put(&w->by_name, name, t->name.len, (void *)(uintptr_t)t, NULL));
    w->tensors[w->n] = t;
    w->names[w->n++] = name;
    return HONE_OK;
}

/* ---- Hugging Face -------------------------------------------------------------------------------- */
/* folder/name if it is there: 1 and *path (hone_free), else 0; < 0 on no memory. */
static int32_t member(const char *folder, const char *name, char **path)
{
    char *p = hone_path_join(folder, name);
    if (!p)
        return HONE_E_NOMEM;
    if (!hone_file_exists(p)) {
        hone_free(p);
        return 0;
    }
    *path = p;
    return 1;
}

/* A JSON object of the folder, if it is there. */
static int32_t json_member(hone_weights *w, const char *folder, const char *name, hone_value *out)
{
    char *path;
    int32_t found = member(folder, name, &path);
    if (found <= 0)
        return found;
    hone_status s = hone_json_parse_file(path, TOKENIZER_MAX, &w->arena, out);
    if (s >= 0 && out->type != HONE_MAP)
        s = hone_fail(HONE_E_PARSE, "%s: no JSON object", path);
    hone_free(path);
    return s < 0 ? s : 1;
}

static hone_status open_shards(hone_weights *w, const char *folder, const char *index)
{
    hone_value root;
    hone_map files, places; /* file names; tensor -> its value in the weight_map */
    char *path = NULL;
    hone_status s;
    HONE_TRY(hone_json_parse_file(index, TOKENIZER_MAX, &w->arena, &root));
    const hone_value *map = hone_value_get(&root, "weight_map");
    if (!map || map->type != HONE_MAP || map->u.map.n == 0)
        return hone_fail(HONE_E_PARSE, "%s: no weight_map", index);
    hone_map_init(&files);
    hone_map_init(&places);
    for (size_t i = 0; i < map->u.map.n; i++) {
        const hone_value *v = &map->u.map.pairs[i].value;
        hone_str tensor = map->u.map.pairs[i].key;
        hone_str name = v->type == HONE_STRING ? v->u.str : (hone_str){"", 0};
        if (name.len < 13 || memchr(name.ptr, '/', name.len) || memchr(name.ptr, 0, name.len) ||
            memcmp(name.ptr + name.len - 12, ".safetensors", 12) != 0) {
            s = hone_fail(HONE_E_PARSE,
                          "%s: weight_map names \"%.*s\", no safetensors file of the folder", index,
                          (int)(name.len < 120 ? name.len : 120), name.ptr);
            goto out;
        }
        HONE_TRY_GOTO(hone_map_put(&places, tensor.ptr, tensor.len, (void *)(uintptr_t)v, NULL),
                      out);
        if (!hone_map_has(&files, name.ptr, name.len))
            HONE_TRY_GOTO(hone_map_put(&files, name.ptr, name.len, NULL, NULL), out);
        if (files.n > FILES_MAX) {
            s = hone_fail(HONE_E_LIMIT, "%s: more than %d files", index, FILES_MAX);
            goto out;
        }
    }
    w->st = hone_calloc(files.n, sizeof *w->st);
    if (!w->st) {
        s = HONE_E_NOMEM;
        goto out;
    }
    for (size_t i = 0; i < files.n; i++) {
        hone_free(path);
        path = hone_path_join(folder, files.entries[i].key);
        if (!path) {
            s = HONE_E_NOMEM;
            goto out;
        }
        HONE_TRY_GOTO(hone_safetensors_open(&w->st[i], path), out);
        w->n_st++;
        w->bytes += w->st[i].file.len;
        for (size_t k = 0; k < w->st[i].n; k++) {
            hone_file_tensor *t = &w->st[i].tensors[k];
            const hone_value *place = hone_map_get(&places, t->name.ptr, t->name.len);
            t->shard = (uint32_t)i;
            if (!place || !hone_str_eq(place->u.str, files.entries[i].key)) {
                s = hone_fail(HONE_E_PARSE, "%s: tensor \"%.*s\" of %s is not in the weight_map",
                              index, (int)(t->name.len < 120 ? t->name.len : 120), t->name.ptr,
                              files.entries[i].key);
                goto out;
            }
            HONE_TRY_GOTO(add_tensor(w, t, path), out);
        }
    }
    s = HONE_OK;
    for (size_t i = 0; i < map->u.map.n && s >= 0; i++) {
        hone_str name = map->u.map.pairs[i].key;
        if (!hone_map_has(&w->by_name, name.ptr, name.len))
            s = hone_fail(HONE_E_NOT_FOUND, "%s: tensor \"%.*s\" is not in %.*s", index,
                          (int)(name.len < 120 ? name.len : 120), name.ptr,
                          (int)map->u.map.pairs[i].value.u.str.len,
                          map->u.map.pairs[i].value.u.str.ptr);
    }
out:
    hone_free(path);
    hone_map_release(&files);
    hone_map_release(&places);
    return s;
}

static hone_status open_hf_tensors(hone_weights *w, const char *folder)
{
    char *path;
    int32_t found = member(folder, "model.safetensors", &path);
    if (found < 0)
        return found;
    if (!found) {
        found = member(folder, "model.safetensors.index.json", &path);
        if (found < 0)
            return found;
        if (!found) {
            hone_fail(HONE_E_NOT_FOUND, "%s: neither model.safetensors nor its index", folder);
            return hone_fail_hint(
                "hone reads safetensors and GGUF; pytorch_model.bin must be converted");
        }
        hone_status s = open_shards(w, folder, path);
        hone_free(path);
        return s;
    }
    hone_status s = HONE_E_NOMEM;
    w->st = hone_calloc(1, sizeof *w->st);
    if (w->st)
        s = hone_safetensors_open(w->st, path);
    if (s >= 0) {
        w->n_st = 1;
        w->bytes = w->st->file.len;
        for (size_t k = 0; k < w->st->n && s >= 0; k++)
            s = add_tensor(w, &w->st->tensors[k], path);
    }
    hone_free(path);
    return s;
}

/* "<s>", or {"content": "<s>", ...} as transformers writes added tokens. */
static hone_str token_text(const hone_value *config, const char *key)
{
    const hone_value *v = hone_value_get(config, key);
    if (v && v->type == HONE_MAP)
        v = hone_value_get(v, "content");
    if (v && v->type == HONE_STRING)
        return v->u.str;
    return (hone_str){NULL, 0};
}

/* chat_template: a text, or a list of {name, template} of which "default" counts. */
static hone_str template_text(const hone_value *config)
{
    const hone_value *v = hone_value_get(config, "chat_template");
    if (v && v->type == HONE_STRING)
        return v->u.str;
    for (size_t i = 0; v && v->type == HONE_LIST && i < v->u.list.n; i++) {
        const hone_value *name = hone_value_get(&v->u.list.items[i], "name");
        const hone_value *text = hone_value_get(&v->u.list.items[i], "template");
        if (name && text && name->type == HONE_STRING && text->type == HONE_STRING &&
            hone_str_eq(name->u.str, "default"))
            return text->u.str;
    }
    return (hone_str){NULL, 0};
}

static hone_status read_hf_chat(hone_weights *w, const char *folder)
{
    char *path;
    hone_value old;
    if (w->has_tokenizer_config) {
        w->chat.source = template_text(&w->tokenizer_config);
        w->chat.bos = token_text(&w->tokenizer_config, "bos_token");
        w->chat.eos = token_text(&w->tokenizer_config, "eos_token");
    }
    int32_t found = member(folder, "chat_template.jinja", &path);
    if (found < 0)
        return found;
    if (!found) {
        found = json_member(w, folder, "chat_template.json", &old);
        if (found > 0 && !w->chat.source.ptr)
            w->chat.source = template_text(&old);
        return found < 0 ? found : HONE_OK;
    }
    hone_buf text;
    hone_buf_init(&text, TEMPLATE_MAX);
    hone_status s = hone_file_read(path, TEMPLATE_MAX, &text);
    if (s >= 0) {
        char *copy = hone_arena_strndup(&w->arena, text.ptr, text.len);
        if (copy)
            w->chat.source = (hone_str){copy, text.len};
        else
            s = hone_error_get()->code;
    }
    hone_buf_release(&text);
    hone_free(path);
    return s;
}

/* The description tokenizer components read: a map of these pairs. */
static hone_status describe_tokenizer(hone_weights *w, const char *format, const char *key,
                                      const hone_value *value)
{
    hone_pair *pairs = hone_arena_calloc(&w->arena, 3, sizeof *pairs);
    if (!pairs)
        return hone_error_get()->code;
    size_t n = 0;
    pairs[n].key = hone_str_c("format");
    pairs[n].value.type = HONE_STRING;
    pairs[n++].value.u.str = hone_str_c(format);
    pairs[n].key = hone_str_c(key);
    pairs[n++].value = *value;
    if (w->has_tokenizer_config) {
        pairs[n].key = hone_str_c("config");
        pairs[n++].value = w->tokenizer_config;
    }
    w->tokenizer.type = HONE_MAP;
    w->tokenizer.u.map.pairs = pairs;
    w->tokenizer.u.map.n = n;
    w->has_tokenizer = 1;
    return HONE_OK;
}

/* A tokenizer without tokenizer.json: all such files of the folder, or one of them. */
static hone_status open_tokenizer_files(hone_weights *w, const char *folder, const char *only)
{
    hone_value files;
    size_t n = 0;
    HONE_TRY(hone_tokenizer_files(folder, only, &w->arena, &files, &n));
    return n ? describe_tokenizer(w, "files", "files", &files) : HONE_OK;
}

static hone_status open_hf(hone_weights *w, const char *folder, uint32_t flags)
{
    int32_t found;
    hone_value tokenizer;
    if ((found = json_member(w, folder, "config.json", &w->config)) < 0)
        return found;
    if ((found = json_member(w, folder, "generation_config.json", &w->generation)) < 0)
        return found;
    w->has_generation = found;
    if ((found = json_member(w, folder, "tokenizer_config.json", &w->tokenizer_config)) < 0)
        return found;
    w->has_tokenizer_config = found;
    if ((found = json_member(w, folder, "tokenizer.json", &tokenizer)) < 0)
        return found;
    if (found)
        HONE_TRY(describe_tokenizer(w, "tokenizer.json", "json", &tokenizer));
    else
        HONE_TRY(open_tokenizer_files(w, folder, NULL));
    HONE_TRY(read_hf_chat(w, folder));
    return flags & HONE_WEIGHTS_NO_TENSORS ? HONE_OK : open_hf_tensors(w, folder);
}

/* One tokenizer.json, with the tokenizer_config.json beside it. */
static hone_status open_tokenizer(hone_weights *w, const char *path)
{
    hone_value tokenizer;
    char *folder = hone_path_dir(path);
    if (!folder)
        return HONE_E_NOMEM;
    int32_t found = json_member(w, folder, "tokenizer_config.json", &w->tokenizer_config);
    w->has_tokenizer_config = found > 0;
    hone_status s = found < 0 ? found : read_hf_chat(w, folder);
    int files = hone_tokenizer_file(path);
    if (s >= 0 && files)
        s = open_tokenizer_files(w, folder, path);
    hone_free(folder);
    if (s < 0 || files)
        return s;
    if ((s = hone_json_parse_file(path, TOKENIZER_MAX, &w->arena, &tokenizer)) < 0)
        return hone_fail_hint("the tokenizer is damaged or incomplete: fetch it again");
    return describe_tokenizer(w, "tokenizer.json", "json", &tokenizer);
}

/* ---- GGUF ---------------------------------------------------------------------------------------- */
/* "name-00001-of-00003.gguf": the length of "name", *number, *count; 0 when it is no such name. */
static size_t split_name(const char *path, unsigned *number, unsigned *count)
{
    size_t n = strlen(path);
    const char *tail = n > 20 ? path + n - 20 : NULL;
    if (!tail || sscanf(tail, "-%5u-of-%5u.gguf", number, count) != 2 || tail[6] != '-' ||
        *number < 1 || *number > *count || *count > FILES_MAX)
        return 0;
    return n - 20;
}

static hone_str metadata_text(const hone_value *m, const char *key)
{
    const hone_value *v = hone_value_get(m, key);
    return v && v->type == HONE_STRING ? v->u.str : (hone_str){NULL, 0};
}

/* The text of the token whose id stands under `key`. */
static hone_str metadata_token(const hone_value *m, const char *key)
{
    const hone_value *id = hone_value_get(m, key);
    const hone_value *tokens = hone_value_get(m, "tokenizer.ggml.tokens");
    if (id && tokens && id->type == HONE_I64 && tokens->type == HONE_LIST && id->u.i64 >= 0 &&
        (uint64_t)id->u.i64 < tokens->u.list.n &&
        tokens->u.list.items[id->u.i64].type == HONE_STRING)
        return tokens->u.list.items[id->u.i64].u.str;
    return (hone_str){NULL, 0};
}

/* A vector of the file as a list of numbers. */
static hone_status vector_value(hone_weights *w, const hone_file_tensor *t, hone_value *out)
{
    enum { MOST = 1 << 16 };
    size_t n = t->n_dims == 1 ? (size_t)t->rows : 0;
    if (n < 1 || n > MOST)
        return hone_fail(HONE_E_SHAPE, "%s: \"%.*s\" is no vector of up to %d numbers", w->path,
                         (int)t->name.len, t->name.ptr, (int)MOST);
    float *v = hone_arena_calloc(&w->gg[0].arena, n, sizeof *v);
    hone_value *items = hone_arena_calloc(&w->gg[0].arena, n, sizeof *items);
    if (!v || !items)
        return HONE_E_NOMEM;
    hone_file_tensor_read(t, 0, (int64_t)n, v);
    for (size_t i = 0; i < n; i++) {
        items[i].type = HONE_F64;
        items[i].u.f64 = (double)v[i];
    }
    out->type = HONE_LIST;
    out->u.list.items = items;
    out->u.list.n = n;
    return HONE_OK;
}

/* A model component sees metadata only. What GGUF says by tensors is added to it: "hone.tied_head" (the head is the
 * embedding when there is no output projection), and the factors of rotary frequencies. */
static hone_status note_tensors(hone_weights *w)
{
    static const char *const factors[][2] = {
        {"rope_freqs.weight", "hone.rope_freqs"},
        {"rope_factors_short.weight", "hone.rope_factors_short"},
        {"rope_factors_long.weight", "hone.rope_factors_long"}};
    size_t n = w->config.u.map.n;
    hone_pair *pairs = hone_arena_calloc(&w->gg[0].arena, n + 4, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    if (n)
        memcpy(pairs, w->config.u.map.pairs, n * sizeof *pairs);
    pairs[n].key = hone_str_c("hone.tied_head");
    pairs[n].value.type = HONE_BOOL;
    pairs[n++].value.u.boolean = hone_weights_find(w, "output.weight") == NULL;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        const hone_file_tensor *t = hone_weights_find(w, factors[i][0]);
        if (!t)
            continue;
        pairs[n].key = hone_str_c(factors[i][1]);
        HONE_TRY(vector_value(w, t, &pairs[n++].value));
    }
    w->config.u.map.pairs = pairs;
    w->config.u.map.n = n;
    return HONE_OK;
}

static hone_status open_gguf(hone_weights *w, const char *path)
{
    unsigned number = 1, count = 1;
    size_t stem = split_name(path, &number, &count);
    hone_buf name;
    hone_status s = HONE_OK;
    int64_t said;
    w->gguf = 1;
    w->gg = hone_calloc(stem ? count : 1, sizeof *w->gg);
    if (!w->gg)
        return HONE_E_NOMEM;
    hone_buf_init(&name, 1 << 16);
    for (unsigned i = 0; i < (stem ? count : 1); i++) {
        hone_buf_clear(&name);
        if (stem)
            hone_buf_addf(&name, "%.*s-%05u-of-%05u.gguf", (int)stem, path, i + 1, count);
        else
            hone_buf_adds(&name, path);
        if (name.failed < 0) {
            s = name.failed;
            goto out;
        }
        s = ends_with(name.ptr, ".bin") ? hone_llama2c_open(&w->gg[i], name.ptr)
                                        : hone_gguf_open(&w->gg[i], name.ptr);
        if (s < 0 && stem && !hone_file_exists(name.ptr))
            hone_fail_hint("%s is one of %u files of a model: all must be there", path, count);
        if (s < 0)
            goto out;
        w->n_gg++;
        w->bytes += w->gg[i].file.len;
        HONE_TRY_GOTO(hone_value_i64(&w->gg[i].metadata, "split.count", 1, &said), out);
        if (said > 1 && (!stem || said != count)) {
            s = hone_fail(HONE_E_NOT_FOUND, "%s: one of %lld files of a split model", name.ptr,
                          (long long)said);
            hone_fail_hint("their names must end in -00001-of-%05lld.gguf and so on",
                           (long long)said);
            goto out;
        }
        for (size_t k = 0; k < w->gg[i].n; k++) {
            w->gg[i].tensors[k].shard = i;
            HONE_TRY_GOTO(add_tensor(w, &w->gg[i].tensors[k], name.ptr), out);
        }
    }
    w->config = w->gg[0].metadata;
    HONE_TRY_GOTO(note_tensors(w), out);
    w->chat.source = metadata_text(&w->config, "tokenizer.chat_template");
    w->chat.bos = metadata_token(&w->config, "tokenizer.ggml.bos_token_id");
    w->chat.eos = metadata_token(&w->config, "tokenizer.ggml.eos_token_id");
    hone_str kind = metadata_text(&w->config, "tokenizer.ggml.model");
    if (hone_value_get(&w->config, "tokenizer.ggml.model") && !hone_str_eq(kind, "none"))
        s = describe_tokenizer(w, "gguf", "metadata", &w->config);
out:
    hone_buf_release(&name);
    return s;
}

/* The GGUF model of a folder: its only one, or the first file of its only set of split files. */
static hone_status find_gguf(const char *folder, char **path)
{
    char **names;
    size_t n, found = 0, first = 0;
    unsigned number, count;
    HONE_TRY(hone_list_dir(folder, &names, &n));
    for (size_t i = 0; i < n; i++) {
        if (!ends_with(names[i], ".gguf") || strncmp(names[i], "mmproj", 6) == 0)
            continue;
        if (split_name(names[i], &number, &count) && number > 1)
            continue;
        if (found++ == 0)
            first = i;
    }
    hone_status s = HONE_OK;
    if (found == 1) {
        *path = hone_path_join(folder, names[first]);
        if (!*path)
            s = HONE_E_NOMEM;
    } else if (found == 0) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s: no model: neither config.json nor a .gguf file",
                      folder);
    } else {
        s = hone_fail(HONE_E_INVALID, "%s: %zu GGUF files", folder, found);
        hone_fail_hint("name the one that is meant, such as %s/%s", folder, names[first]);
    }
    hone_names_free(names, n);
    return s;
}

static hone_status has_tokenizer_files(const char *folder, int32_t *has)
{
    char **names;
    size_t n;
    HONE_TRY(hone_list_dir(folder, &names, &n));
    *has = 0;
    for (size_t i = 0; i < n; i++)
        *has |= hone_tokenizer_file(names[i]);
    hone_names_free(names, n);
    return HONE_OK;
}

/* ---- opening --------------------------------------------------------------------------------------- */
static hone_status open_path(hone_weights *w, uint32_t flags)
{
    char *file = NULL;
    int32_t config = 0, tokenizer = 0;
    hone_status s;
    if (!hone_file_is_dir(w->path)) {
        if (flags & HONE_WEIGHTS_NO_TENSORS &&
            (ends_with(w->path, "tokenizer.json") || hone_tokenizer_file(w->path)))
            return open_tokenizer(w, w->path);
        if (ends_with(w->path, ".safetensors") || ends_with(w->path, ".json")) {
            char *dir = hone_path_dir(w->path);
            hone_fail(HONE_E_INVALID, "%s: one file of a Hugging Face model", w->path);
            s = hone_fail_hint("name its folder: %s", dir ? dir : ".");
            hone_free(dir);
            return s;
        }
        return open_gguf(w, w->path);
    }
    if ((config = member(w->path, "config.json", &file)) < 0)
        return config;
    if (config)
        hone_free(file);
    if (!config && flags & HONE_WEIGHTS_NO_TENSORS) {
        if ((tokenizer = member(w->path, "tokenizer.json", &file)) < 0)
            return tokenizer;
        if (tokenizer)
            hone_free(file);
        else
            HONE_TRY(has_tokenizer_files(w->path, &tokenizer));
    }
    if (config || tokenizer)
        return open_hf(w, w->path, flags);
    HONE_TRY(find_gguf(w->path, &file));
    s = open_gguf(w, file);
    hone_free(file);
    return s;
}

hone_status hone_weights_open(const char *model, uint32_t flags, hone_weights **out)
{
    hone_status s;
    hone_weights *w = hone_calloc(1, sizeof *w);
    if (!w)
        return HONE_E_NOMEM;
    hone_arena_init(&w->arena, (size_t)2 << 30);
    hone_map_init(&w->by_name);
    s = hone_weights_locate(model, &w->path);
    if (s >= 0)
        s = open_path(w, flags);
    if (s < 0) {
        hone_weights_close(w);
        return s;
    }
    *out = w;
    return HONE_OK;
}

void hone_weights_unmap(hone_weights *w)
{
    for (size_t i = 0; i < w->n_st; i++)
        hone_file_unmap(&w->st[i].file);
    for (size_t i = 0; i < w->n_gg; i++)
        hone_file_unmap(&w->gg[i].file);
    w->unmapped = 1;
}

void hone_weights_close(hone_weights *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_st; i++)
        hone_safetensors_release(&w->st[i]);
    for (size_t i = 0; i < w->n_gg; i++)
        hone_gguf_release(&w->gg[i]);
    hone_free(w->st);
    hone_free(w->gg);
    hone_free(w->tensors);
    hone_free(w->names);
    hone_map_release(&w->by_name);
    hone_arena_release(&w->arena);
    hone_free(w->path);
    hone_free(w);
}

/* ---- answers --------------------------------------------------------------------------------------- */
const char *hone_weights_path(const hone_weights *w)
{
    return w->path;
}
const char *hone_weights_format(const hone_weights *w)
{
    return w->gguf ? "gguf" : "hf";
}
const hone_value *hone_weights_config(const hone_weights *w)
{
    return w->config.type == HONE_MAP ? &w->config : NULL;
}
const hone_value *hone_weights_generation_config(const hone_weights *w)
{
    return w->has_generation ? &w->generation : NULL;
}
const hone_value *hone_weights_tokenizer(const hone_weights *w)
{
    return w->has_tokenizer ? &w->tokenizer : NULL;
}
void hone_weights_get_chat(const hone_weights *w, hone_weights_chat *out)
{
    *out = w->chat;
}
const struct hone_gguf *hone_weights_gguf(const hone_weights *w)
{
    return w->n_gg ? &w->gg[0] : NULL;
}
size_t hone_weights_count(const hone_weights *w)
{
    return w->n;
}
const hone_file_tensor *hone_weights_tensor(const hone_weights *w, size_t i)
{
    return i < w->n ? w->tensors[i] : NULL;
}
const hone_file_tensor *hone_weights_find(const hone_weights *w, const char *name)
{
    return hone_map_get(&w->by_name, name, strlen(name));
}
size_t hone_weights_files(const hone_weights *w, uint64_t *bytes)
{
    if (bytes)
        *bytes = w->bytes;
    return w->n_st + w->n_gg;
}

typedef struct id_list {
    int32_t *out;
    size_t n, max;
} id_list;

static void add_id(id_list *l, const hone_value *v)
{
    if (!v || v->type != HONE_I64 || v->u.i64 < 0 || v->u.i64 >= INT32_MAX)
        return;
    for (size_t i = 0; i < l->n && i < l->max; i++)
        if (l->out[i] == v->u.i64)
            return;
    if (l->n < l->max)
        l->out[l->n] = (int32_t)v->u.i64;
    l->n++;
}

size_t hone_weights_stop_ids(const hone_weights *w, int32_t *out, size_t max)
{
    static const char *const gguf_keys[] = {"tokenizer.ggml.eos_token_id",
                                            "tokenizer.ggml.eot_token_id",
                                            "tokenizer.ggml.eom_token_id"};
    id_list l = {out, 0, max};
    if (w->gguf) {
        for (size_t i = 0; i < sizeof gguf_keys / sizeof *gguf_keys; i++)
            add_id(&l, hone_value_get(&w->config, gguf_keys[i]));
        return l.n;
    }
    const hone_value *v = w->has_generation ? hone_value_get(&w->generation, "eos_token_id") : NULL;
    if (!v || v->type == HONE_NULL)
        v = hone_value_get(&w->config, "eos_token_id");
    if (v && v->type == HONE_LIST)
        for (size_t i = 0; i < v->u.list.n; i++)
            add_id(&l, &v->u.list.items[i]);
    else
        add_id(&l, v);
    return l.n;
}

/* ---- what the loader reads through ----------------------------------------------------------------- */
static int32_t reader_find(void *ctx, const char *name, hone_tensor_entry *out)
{
    hone_weights *w = ctx;
    const hone_file_tensor *t = hone_weights_find(w, name);
    if (!t)
        return 0;
    if (t->n_dims > 2)
        return hone_fail(HONE_E_SHAPE, "%s: tensor \"%s\" has %u dimensions", w->path, name,
                         t->n_dims);
    out->rows = t->rows;
    out->cols = t->n_dims == 2 ? t->cols : 0;
    out->id = (uint64_t)(uintptr_t)t;
    out->type = t->type->id;
    return 1;
}

static hone_status reader_read(void *ctx, const hone_tensor_entry *e, int64_t first, int64_t n,
                               float *out)
{
    hone_weights *w = ctx;
    const hone_file_tensor *t = (const hone_file_tensor *)(uintptr_t)e->id;
    int64_t rows = t->n_dims == 2 ? t->rows : 1, cols = t->n_dims == 2 ? t->cols : t->rows;
    if (w->unmapped)
        return hone_fail(HONE_E_STATE, "%s: its tensors are no longer mapped", w->path);
    if (first < 0 || n < 0 || first > rows || n > rows - first)
        return hone_fail(HONE_E_RANGE, "%s: rows %lld to %lld of \"%.*s\", which has %lld", w->path,
                         (long long)first, (long long)first + n, (int)t->name.len, t->name.ptr,
                         (long long)rows);
    hone_file_tensor_read(t, first * cols, n * cols, out);
    return HONE_OK;
}

static const unsigned char *reader_row(void *ctx, const hone_tensor_entry *e, int64_t row)
{
    const hone_weights *w = ctx;
    const hone_file_tensor *t = (const hone_file_tensor *)(uintptr_t)e->id;
    if (w->unmapped || t->n_dims != 2 || row < 0 || row >= t->rows)
        return NULL;
    return t->data + t->size / (size_t)t->rows * (size_t)row;
}

static void reader_done(void *ctx, const hone_tensor_entry *e, int64_t first, int64_t n)
{
    const hone_weights *w = ctx;
    const hone_file_tensor *t = (const hone_file_tensor *)(uintptr_t)e->id;
    int64_t rows = t->n_dims == 2 ? t->rows : 1;
    if (!w->unmapped && rows > 0 && n <= rows && first <= rows - n)
        hone_file_forget(t->data + t->size / (size_t)rows * (size_t)first,
                         t->size / (size_t)rows * (size_t)n);
}

static const char *reader_name(void *ctx, size_t i)
{
    const hone_weights *w = ctx;
    return i < w->n ? w->names[i] : NULL;
}

void hone_weights_reader(hone_weights *w, hone_tensor_reader *out)
{
    memset(out, 0, sizeof *out);
    out->ctx = w;
    out->place = w->path;
    out->gguf = w->gguf;
    out->find = reader_find;
    out->read = reader_read;
    out->row = reader_row;
    out->done = reader_done;
    out->n_tensors = w->n;
    out->name = reader_name;
}
