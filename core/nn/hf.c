/* hf.c - the folder beside its place, then one rename.
 *
 * Everything goes into <path>.tmp-<pid>; each file is fsynced by its writer, the folder at the end; then
 * it takes its name (exchanged with the old folder in one step when there is one, which is removed after).
 * A failure removes the temporary folder and leaves the old one. Rows are fetched about a megabyte at
 * a time and narrowed by the safetensors writer.
 *
 * Does not: know tokenizers (hf_tokenizer.c) or parameters' panels (params.h gives rows). */
#include "nn/hf_int.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "nn/safetensors.h"
#include "nn/value_head.h"
#include "ops/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 18, TEXT_MAX = 512 << 20 };

/* ---- text files ------------------------------------------------------------------------------------ */
hone_status hone__hf_put_text(const char *dir, const char *name, const hone_buf *text)
{
    HONE_TRY(hone_buf_check(text, name));
    char *path = hone_path_join(dir, name);
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = hone_file_replace(path, text->ptr, text->len);
    hone_free(path);
    return s;
}

static const char *torch_name(uint32_t type)
{
    return type == HONE_FT_F32 ? "float32" : type == HONE_FT_F16 ? "float16" : "bfloat16";
}

/* The component's configuration with the stored dtype in it. */
static void put_id(hone_jw *w, const char *key, const hone_value *metadata, const char *from)
{
    const hone_value *v = hone_value_get(metadata, from);
    if (v && v->type == HONE_I64 && v->u.i64 >= 0 && v->u.i64 < INT32_MAX)
        hone_jw_ki64(w, key, v->u.i64);
}

/* Ids of a GGUF file that the configuration lacks: readers would take defaults of their own, which a small
 * vocabulary does not have. */
static void put_gguf_ids(hone_jw *w, const hone_value *config, const hone_weights *like)
{
    const hone_value *m = hone_weights_config(like);
    int32_t stop[1];
    if (!hone_value_get(config, "bos_token_id"))
        put_id(w, "bos_token_id", m, "tokenizer.ggml.bos_token_id");
    if (!hone_value_get(config, "eos_token_id") && hone_weights_stop_ids(like, stop, 1))
        hone_jw_ki64(w, "eos_token_id", stop[0]);
    if (hone_value_get(config, "pad_token_id"))
        return;
    if (hone_value_get(m, "tokenizer.ggml.padding_token_id")) {
        put_id(w, "pad_token_id", m, "tokenizer.ggml.padding_token_id");
    } else {
        hone_jw_key(w, "pad_token_id");
        hone_jw_null(w);
    }
}

static hone_status put_config(const char *dir, const hone_model *m, hone_str json, uint32_t type,
                              const hone_weights *like)
{
    hone_arena arena;
    hone_value config;
    hone_buf text;
    hone_jw w;
    hone_arena_init(&arena, 0);
    hone_buf_init(&text, TEXT_MAX);
    hone_status s = hone_json_parse(json.ptr, json.len, "config.json", &arena, &config);
    if (s >= 0 && config.type != HONE_MAP)
        s = hone_fail(HONE_E_MISBEHAVED, "the model's configuration is no JSON object");
    if (s >= 0 && m->head_kind == HONE_HEAD_REWARD)
        s = hone_value_head_put_config(m, &config, &arena, &config);
    if (s >= 0) {
        int done = 0;
        hone_jw_init(&w, &text, 2);
        hone_jw_map(&w);
        for (size_t i = 0; i < config.u.map.n; i++) {
            const hone_pair *p = &config.u.map.pairs[i];
            hone_jw_key_str(&w, p->key);
            if (hone_str_eq(p->key, "dtype") || hone_str_eq(p->key, "torch_dtype")) {
                hone_jw_cstr(&w, torch_name(type));
                done = 1;
            } else {
                hone_jw_value(&w, &p->value);
            }
        }
        if (!done)
            hone_jw_kcstr(&w, "torch_dtype", torch_name(type));
        if (like && strcmp(hone_weights_format(like), "gguf") == 0)
            put_gguf_ids(&w, &config, like);
        hone_jw_end(&w);
        hone_buf_addc(&text, '\n');
        s = hone__hf_put_text(dir, "config.json", &text);
    }
    hone_buf_release(&text);
    hone_arena_release(&arena);
    return s;
}

/* Files of a Hugging Face folder that are not weights. */
static hone_status copy_text(const char *dir, const char *from)
{
    static const char *const names[] = {"tokenizer.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "chat_template.jinja",
                                        "chat_template.json",
                                        "generation_config.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "tokenizer.model",
                                        "spiece.model",
                                        "vocab.txt",
                                        "LICENSE"};
    hone_status s = HONE_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && s >= 0; i++) {
        char *a = hone_path_join(from, names[i]), *b = hone_path_join(dir, names[i]);
        if (!a || !b)
            s = HONE_E_NOMEM;
        else if (hone_file_exists(a) && !hone_file_is_dir(a))
            s = hone_file_copy(a, b);
        hone_free(a);
        hone_free(b);
    }
    return s;
}

/* The same made of a GGUF model's metadata. */
static hone_status make_text(const char *dir, const hone_weights *like)
{
    const hone_value *m = hone_weights_config(like);
    hone_buf text;
    hone_jw w;
    int32_t stop[16];
    size_t n = hone_weights_stop_ids(like, stop, 16);
    hone_buf_init(&text, TEXT_MAX);
    hone_jw_init(&w, &text, 2);
    hone_jw_map(&w);
    put_id(&w, "bos_token_id", m, "tokenizer.ggml.bos_token_id");
    if (n == 1) {
        hone_jw_ki64(&w, "eos_token_id", stop[0]);
    } else if (n > 1) {
        hone_jw_key(&w, "eos_token_id");
        hone_jw_list(&w);
        for (size_t i = 0; i < n && i < 16; i++)
            hone_jw_i64(&w, stop[i]);
        hone_jw_end(&w);
    }
    put_id(&w, "pad_token_id", m, "tokenizer.ggml.padding_token_id");
    hone_jw_end(&w);
    hone_buf_addc(&text, '\n');
    hone_status s = hone__hf_put_text(dir, "generation_config.json", &text);
    if (s < 0 || !hone_weights_tokenizer(like))
        goto out;
    hone_buf_clear(&text);
    s = hone_hf_tokenizer_json(m, &text);
    if (s == HONE_E_UNSUPPORTED) {
        hone_log(HONE_LOG_WARN, hone_weights_path(like), "no tokenizer.json is written: %s",
                 hone_error_get()->what);
        s = HONE_OK;
        goto out;
    }
    if (s >= 0)
        s = hone__hf_put_text(dir, "tokenizer.json", &text);
    if (s < 0)
        goto out;
    hone_buf_clear(&text);
    s = hone_hf_tokenizer_config(m, &text);
    if (s >= 0)
        s = hone__hf_put_text(dir, "tokenizer_config.json", &text);
out:
    hone_buf_release(&text);
    return s;
}

static hone_status put_text(const char *dir, const hone_weights *like)
{
    if (!like)
        return HONE_OK;
    if (strcmp(hone_weights_format(like), "gguf") == 0)
        return make_text(dir, like);
    return copy_text(dir, hone_weights_path(like));
}

/* ---- weights ---------------------------------------------------------------------------------------- */
typedef struct source {
    const hone_params *params;
    uint32_t merge;                 /* adapters, of the store */
    const hone_tensor_reader *from; /* or NULL: the store */
    float *piece;
    size_t room; /* floats of it */
} source;

/* `piece` gets room for n floats. */
static hone_status need_room(source *src, size_t n)
{
    if (n <= src->room)
        return HONE_OK;
    float *piece = hone_reallocarray(src->piece, n, sizeof *piece);
    if (!piece)
        return HONE_E_NOMEM;
    src->piece = piece;
    src->room = n;
    return HONE_OK;
}

/* Where a parameter lies in the file it is converted from; 1: it may be missing and is. */
static hone_status find_source(const source *src, const hone_param_item *it, hone_tensor_entry *e)
{
    char name[256];
    int32_t found = hone_model_find_tensor(src->params, it, src->from, e, name, sizeof name);
    if (found < 0)
        return found;
    if (!found && it->flags & HONE_PARAM_OPTIONAL)
        return 1;
    if (!found)
        return hone_fail(HONE_E_NOT_FOUND, "%s: no tensor \"%s\"", src->from->place, name);
    int64_t rows = it->is_vector ? it->cols : it->rows, cols = it->is_vector ? 0 : it->cols;
    if (e->rows != rows || e->cols != cols)
        return hone_fail(HONE_E_SHAPE,
                         "%s: tensor \"%s\" is %lld x %lld, the model wants %lld x %lld",
                         src->from->place, name, (long long)e->rows, (long long)e->cols,
                         (long long)rows, (long long)cols);
    return HONE_OK;
}

/* Rows [first, first + n) of a parameter in Hugging Face's order. */
static hone_status fetch(const source *src, hone_param i, const hone_param_item *it,
                         const hone_tensor_entry *e, int64_t first, int64_t n, float *out)
{
    if (!src->from)
        return hone_params_get_merged_rows(src->params, i, src->merge, first, n, out);
    return hone_model_read_rows(src->from, it, e, first, n, out);
}

static hone_status put_tensor(hone_safetensors_writer *w, source *src, hone_param i)
{
    const hone_param_item *it = hone_params_item(src->params, i);
    hone_tensor_entry e = {0};
    int64_t rows = it->is_vector ? 1 : it->rows, at = 0;
    int64_t step = it->cols > 0 && it->cols < PIECE ? PIECE / it->cols : 1;
    int32_t missing = src->from ? find_source(src, it, &e) : 0;
    if (missing < 0)
        return missing;
    while (at < rows) {
        int64_t n = rows - at < step ? rows - at : step;
        HONE_TRY(need_room(src, (size_t)(n * it->cols)));
        for (int64_t k = 0; missing && k < n * it->cols; k++) /* its initial value */
            src->piece[k] = it->init == HONE_INIT_ONE ? 1.0f : 0.0f;
        if (!missing)
            HONE_TRY(fetch(src, i, it, &e, at, n, src->piece));
        HONE_TRY(hone_safetensors_add(w, src->piece, (size_t)(n * it->cols)));
        if (src->from && !missing && src->from->done)
            src->from->done(src->from->ctx, &e, at, n);
        at += n;
    }
    return HONE_OK;
}

static hone_status put_weights_file(const char *dir, const char *name, source *src,
                                    hone_safetensors_entry *entries, size_t n)
{
    hone_safetensors_writer w;
    char *path = hone_path_join(dir, name);
    if (!path)
        return HONE_E_NOMEM;
    hone_status s = hone_safetensors_create(&w, path, entries, n, NULL, 0);
    hone_free(path);
    if (s < 0)
        return s;
    for (size_t i = 0; i < n; i++) {
        s = put_tensor(&w, src, (hone_param)entries[i].tag);
        if (s < 0) {
            hone_safetensors_abandon(&w);
            return s;
        }
    }
    return hone_safetensors_close(&w);
}

/* Is it none of the tensors of the model's own files? A reward model's head stands in the place of the language model's. */
static int is_elsewhere(const hone_model *m, hone_param i)
{
    if (m->head_kind == HONE_HEAD_REWARD)
        return i == m->info.head && m->info.head != m->info.embed;
    return m->head_kind && i == m->value_head;
}

/* Base parameters, in order of declaration. */
static hone_status list_entries(const hone_model *m, uint32_t type, hone_safetensors_entry **out,
                                size_t *n)
{
    const hone_params *p = m->params;
    int32_t count = hone_params_count(p);
    hone_safetensors_entry *e = hone_calloc(count > 0 ? (size_t)count : 1, sizeof *e);
    if (!e)
        return HONE_E_NOMEM;
    *n = 0;
    for (int32_t i = 0; i < count; i++) {
        const hone_param_item *it = hone_params_item(p, i);
        if (!it || it->adapter >= 0 || is_elsewhere(m, i))
            continue;
        hone_safetensors_entry *x = &e[(*n)++];
        x->name = it->name;
        x->type = type;
        x->tag = (size_t)i;
        x->n_dims = it->is_vector ? 1 : 2;
        x->dims[0] = it->is_vector ? it->cols : it->rows;
        x->dims[1] = it->is_vector ? 0 : it->cols;
    }
    *out = e;
    return HONE_OK;
}

static uint64_t entry_bytes(const hone_safetensors_entry *e)
{
    uint64_t n = (uint64_t)e->dims[0] * (e->n_dims == 2 ? (uint64_t)e->dims[1] : 1);
    return n * hone_file_type_get(e->type)->bytes;
}

/* Splits the entries into files of at most shard_bytes (or one tensor): ends[i] = end of file i. */
static size_t cut_shards(const hone_safetensors_entry *e, size_t n, uint64_t shard_bytes,
                         size_t *ends)
{
    size_t files = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = entry_bytes(&e[i]);
        if (i && shard_bytes && sum + bytes > shard_bytes) {
            ends[files++] = i;
            sum = 0;
        }
        sum += bytes;
    }
    ends[files++] = n;
    return files;
}

static hone_status put_index(const char *dir, const hone_safetensors_entry *e, const size_t *ends,
                             size_t files)
{
    hone_buf text;
    hone_jw w;
    char name[64];
    uint64_t total = 0;
    hone_buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < ends[files - 1]; i++)
        total += entry_bytes(&e[i]);
    hone_jw_init(&w, &text, 2);
    hone_jw_map(&w);
    hone_jw_key(&w, "metadata");
    hone_jw_map(&w);
    hone_jw_ki64(&w, "total_size", (int64_t)total);
    hone_jw_end(&w);
    hone_jw_key(&w, "weight_map");
    hone_jw_map(&w);
    for (size_t f = 0, i = 0; f < files; f++) {
        snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", f + 1, files);
        for (; i < ends[f]; i++)
            hone_jw_kcstr(&w, e[i].name, name);
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_buf_addc(&text, '\n');
    hone_status s = hone__hf_put_text(dir, "model.safetensors.index.json", &text);
    hone_buf_release(&text);
    return s;
}

/* The type that holds what a file has as `type` without loss. */
static uint32_t kept_type(uint32_t type)
{
    if (type == HONE_FT_F16 || type == HONE_FT_BF16)
        return type;
    return type == HONE_FT_F8_E4M3 || type == HONE_FT_F8_E5M2 ? HONE_FT_BF16 : HONE_FT_F32;
}

/* Each entry's type from where it is read; *most: the one of most values. */
static hone_status keep_types(const source *src, hone_safetensors_entry *entries, size_t n,
                              uint32_t *most)
{
    uint64_t values[HONE_FT_COUNT] = {0};
    *most = HONE_FT_F32;
    for (size_t i = 0; i < n; i++) {
        hone_tensor_entry e = {0};
        const hone_param_item *it = hone_params_item(src->params, (hone_param)entries[i].tag);
        if (src->from)
            HONE_TRY(find_source(src, it, &e));
        else
            e.type = hone_file_type_named(hone_storage_get(it->dtype)->name)->id;
        entries[i].type = kept_type(e.type);
        values[entries[i].type] += (uint64_t)it->rows * (uint64_t)it->cols;
        if (values[entries[i].type] > values[*most])
            *most = entries[i].type;
    }
    return HONE_OK;
}

/* *stored: the type of most values. */
static hone_status put_weights(const char *dir, hone_model *m, const hone_hf_options *o,
                               uint32_t *stored)
{
    hone_safetensors_entry *entries = NULL;
    source src = {.params = m->params, .merge = o->merge, .from = o->from};
    size_t n, files, *ends = NULL;
    int keep = o->type == HONE_FT_COUNT;
    hone_status s = list_entries(m, keep ? HONE_FT_F32 : o->type, &entries, &n);
    if (s < 0)
        return s;
    *stored = o->type;
    if (keep && (s = keep_types(&src, entries, n, stored)) < 0)
        goto out;
    ends = hone_calloc(n + 1, sizeof *ends);
    if (!ends) {
        s = HONE_E_NOMEM;
        goto out;
    }
    files = cut_shards(entries, n, o->shard_bytes, ends);
    if (files == 1) {
        s = put_weights_file(dir, "model.safetensors", &src, entries, n);
        goto out;
    }
    for (size_t f = 0, begin = 0; f < files && s >= 0; begin = ends[f++]) {
        char name[64];
        snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", f + 1, files);
        s = put_weights_file(dir, name, &src, entries + begin, ends[f] - begin);
    }
    if (s >= 0)
        s = put_index(dir, entries, ends, files);
out:
    hone_free(src.piece);
    hone_free(ends);
    hone_free(entries);
    return s;
}

/* ---- the folder ------------------------------------------------------------------------------------ */
hone_status hone__hf_begin(const char *path, uint32_t flags, char **target, char **tmp)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0)
        return hone_fail(HONE_E_USAGE, "the folder to write has no name");
    *target = hone_strndup(path, n);
    *tmp = hone_alloc(n + 32);
    if (!*target || !*tmp)
        return HONE_E_NOMEM;
    snprintf(*tmp, n + 32, "%s.tmp-%ld", *target, (long)getpid());
    if (hone_file_exists(*target)) {
        if (!(flags & HONE_HF_OVERWRITE)) {
            hone_fail(HONE_E_EXISTS, "%s: is there already", *target);
            return hone_fail_hint("name another folder, or overwrite it");
        }
        if (!hone_file_is_dir(*target))
            return hone_fail(HONE_E_EXISTS, "%s: is no folder", *target);
    }
    if (hone_file_exists(*tmp))
        HONE_TRY(hone_remove_tree(*tmp));
    return hone_mkdirs(*tmp);
}

/* tmp takes the name target; what was there is removed. */
static hone_status take_name(const char *tmp, const char *target)
{
    HONE_TRY(hone_fsync_dir(tmp));
    if (hone_file_exists(target)) {
        if (renameat2(AT_FDCWD, tmp, AT_FDCWD, target, RENAME_EXCHANGE) == 0) {
            HONE_TRY(hone_remove_tree(tmp));
            goto named;
        }
        if (errno != EINVAL && errno != ENOSYS)
            return hone_fail_errno("%s: cannot be replaced", target);
        HONE_TRY(hone_remove_tree(target)); /* a file system that cannot exchange */
    }
    if (rename(tmp, target) != 0)
        return hone_fail_errno("%s: cannot be named", target);
named:;
    char *dir = hone_path_dir(target);
    if (!dir)
        return HONE_E_NOMEM;
    hone_status s = hone_fsync_dir(dir);
    hone_free(dir);
    return s;
}

hone_status hone__hf_finish(hone_status s, char *target, char *tmp)
{
    if (s >= 0)
        s = take_name(tmp, target);
    if (s < 0 && tmp && hone_file_exists(tmp)) {
        hone_error kept = *hone_error_get();
        hone_remove_tree(tmp);
        s = hone_error_set(&kept);
    }
    hone_free(target);
    hone_free(tmp);
    return s;
}

hone_status hone__hf_check_type(uint32_t type, int keep)
{
    if (type == HONE_FT_F32 || type == HONE_FT_F16 || type == HONE_FT_BF16 ||
        (type == HONE_FT_COUNT && keep))
        return HONE_OK;
    return hone_fail(HONE_E_UNSUPPORTED, "a Hugging Face folder is written in f32, bf16 or f16");
}

hone_status hone_hf_write(const char *path, hone_model *m, const hone_hf_options *o)
{
    char *target = NULL, *tmp = NULL;
    hone_str config;
    uint32_t stored = o->type;
    HONE_TRY(hone__hf_check_type(o->type, 1));
    HONE_TRY(hone_model_config_json(m, &config));
    hone_status s = hone__hf_begin(path, o->flags, &target, &tmp);
    if (s >= 0)
        s = put_weights(tmp, m, o, &stored);
    if (s >= 0)
        s = put_config(tmp, m, config, stored, o->like);
    if (s >= 0 && m->head_kind == HONE_HEAD_VALUE)
        s = hone_value_head_save(m, tmp);
    if (s >= 0)
        s = put_text(tmp, o->like);
    return hone__hf_finish(s, target, tmp);
}

hone_status hone_hf_save(hone_model *m, const hone_weights *like, const char *path, uint32_t dtype,
                         uint32_t merge)
{
    const hone_storage *st = hone_storage_get(dtype);
    hone_hf_options o = {.type = dtype == HONE_STORAGE_KEEP ? HONE_FT_COUNT
                                 : st                       ? hone_file_type_named(st->name)->id
                                                            : HONE_FT_U8, /* refused */
                         .flags = HONE_HF_OVERWRITE,
                         .like = like,
                         .merge = merge};
    return hone_hf_write(path, m, &o);
}
