/* tokenizer_files.c - see tokenizer_files.h.
 *
 * Files are told by their names alone; what is in them is the tokenizer component's affair. A .json is
 * parsed here, so that a component needs no parser of its own; all others are handed over as bytes. */
#include "nn/tokenizer_files.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/paths.h"

#include <string.h>

enum { FILE_MAX = 256 << 20, FILES_MAX = 16 };

static int ends_with(const char *z, const char *tail)
{
    size_t a = strlen(z), b = strlen(tail);
    return a >= b && strcmp(z + a - b, tail) == 0;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int hone_tokenizer_file(const char *path)
{
    static const char *const names[] = {"vocab.json", "merges.txt", "vocab.txt"};
    const char *name = last_part(path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return ends_with(name, ".model") || ends_with(name, ".tiktoken");
}

/* Those that only add to another. */
static int beside(const char *name)
{
    return strcmp(name, "added_tokens.json") == 0 || strcmp(name, "special_tokens_map.json") == 0;
}

static hone_status read_file(const char *folder, const char *name, hone_arena *arena,
                             hone_pair *out)
{
    char *path = hone_path_join(folder, name),
         *copy = hone_arena_strndup(arena, name, strlen(name));
    hone_buf text;
    if (!path || !copy) {
        hone_free(path);
        return HONE_E_NOMEM;
    }
    hone_status s;
    out->key = hone_str_c(copy);
    if (ends_with(name, ".json")) {
        s = hone_json_parse_file(path, FILE_MAX, arena, &out->value);
        if (s >= 0 && out->value.type != HONE_MAP)
            s = hone_fail(HONE_E_PARSE, "%s: no JSON object", path);
        hone_free(path);
        return s;
    }
    hone_buf_init(&text, FILE_MAX);
    s = hone_file_read(path, FILE_MAX, &text);
    if (s >= 0) {
        out->value.type = HONE_BYTES;
        out->value.u.str.len = text.len;
        out->value.u.str.ptr = hone_arena_strndup(arena, text.ptr ? text.ptr : "", text.len);
        if (!out->value.u.str.ptr)
            s = HONE_E_NOMEM;
    }
    hone_buf_release(&text);
    hone_free(path);
    return s;
}

hone_status hone_tokenizer_files(const char *folder, const char *only, hone_arena *arena,
                                 hone_value *files, size_t *n)
{
    char **names = NULL;
    size_t count = 0, k = 0, whole = 0;
    const char *one = only ? last_part(only) : NULL;
    /* a .model or .tiktoken says all; vocab.json and merges.txt need each other */
    int alone = one && (ends_with(one, ".model") || ends_with(one, ".tiktoken"));
    hone_pair *pairs = hone_arena_calloc(arena, FILES_MAX, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    HONE_TRY(hone_list_dir(folder, &names, &count));
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < count && k < FILES_MAX; i++) {
        int chosen = one && strcmp(names[i], one) == 0;
        if (!hone_tokenizer_file(names[i]) && !beside(names[i]))
            continue;
        if (one && !chosen &&
            (alone ? !beside(names[i]) || strcmp(one, "tokenizer.model") != 0
                   : ends_with(names[i], ".model") || ends_with(names[i], ".tiktoken") ||
                         (strcmp(one, "vocab.txt") == 0) != (strcmp(names[i], "vocab.txt") == 0)))
            continue;
        s = read_file(folder, names[i], arena, &pairs[k]);
        whole += !beside(names[i]);
        k++;
    }
    hone_names_free(names, count);
    if (s < 0)
        return s;
    *n = whole ? k : 0;
    if (whole) {
        files->type = HONE_MAP;
        files->u.map.pairs = pairs;
        files->u.map.n = k;
    }
    return HONE_OK;
}
