/* bench_command.c - see bench_all.h: commands of tables, in words, as processes.
 *
 * A variable in front is how a kernel set is chosen. Files that stand for rows or a recipe are written when a command names
 * them, into the folder of this run, which goes away with it. */
#include "base/alloc.h"
#include "base/file.h"
#include "cli/bench_all.h"
#include "cli/bench_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 24 };

/* Every row passes once, then one step is done on the first of them: nothing holds what has passed. */
static const char streaming[] =
    "local hone = require \"hone\"\n"
    "local p = hone.params { data = { \"\", \"JSONL\" }, steps = { 1, \"updates\" } }\n"
    "local run = hone.run { name = \"stream\", seed = 1, checkpoint = { every = 1000 } }\n"
    "local policy = run:policy { model = \"tiny\", optimizer = { \"adamw\", lr = 1e-5 } }\n"
    "local n, rows = 0, function() return hone.source(\"jsonl\", { path = p.data }) end\n"
    "for row in rows():each() do n = n + #row.prompt end\n"
    "for _, batch in run:steps(p.steps, rows():batches(8, true)) do\n"
    "  policy:update { batch, objective = \"sft\" }\n"
    "end\n";

double hone__bench_number(const hone_value *v, const char *path)
{
    while (v && *path) {
        char key[64];
        const size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        if (v->type == HONE_LIST) {
            const size_t i = (size_t)(key[0] - '0');
            v = i < v->u.list.n ? &v->u.list.items[i] : NULL;
        } else {
            v = hone_value_get(v, key);
        }
        path += n + (path[n] == '.');
    }
    return v && v->type == HONE_F64   ? v->u.f64
           : v && v->type == HONE_I64 ? (double)v->u.i64
                                      : (double)NAN;
}

int hone__bench_wanted(const hone_bench_asked *q, const char *name)
{
    return !q->only || strstr(name, q->only);
}

/* A file of the folder, written unless it is there; *path is in the arena. */
static hone_status file_of(const hone_bench_asked *q, const char *name, const hone_buf *b,
                           const char *front, hone_arena *a, char **path)
{
    hone_buf text;
    char *own = hone_path_join(q->dir, name);
    hone_buf_init(&text, (size_t)1 << 16);
    hone_status s = !own ? HONE_E_NOMEM : b->failed < 0 ? b->failed : HONE_OK;
    if (s >= 0 && !hone_file_exists(own))
        s = hone_file_replace(own, b->ptr, b->len);
    if (s >= 0) {
        hone_buf_addf(&text, "%s%s", front, own);
        s = text.failed;
    }
    *path = s >= 0 ? hone_arena_strndup(a, text.ptr, text.len) : NULL;
    hone_buf_release(&text);
    hone_free(own);
    return s < 0 || *path ? s : HONE_E_NOMEM;
}

static hone_status rows_file(const hone_bench_asked *q, const char *rows, hone_arena *a,
                             char **path)
{
    hone_buf b;
    char name[64];
    hone_buf_init(&b, (size_t)1 << 28);
    const int64_t n = strtoll(rows, NULL, 10);
    for (int64_t i = 0; i < n; i++)
        hone_buf_addf(&b, "{\"prompt\": \"Leo has %lld stickers.\", \"completion\": \"%lld\"}\n",
                      (long long)i, (long long)i);
    snprintf(name, sizeof name, "rows-%lld.jsonl", (long long)n);
    const hone_status s = file_of(q, name, &b, "data=", a, path);
    hone_buf_release(&b);
    return s;
}

static hone_status recipe_file(const hone_bench_asked *q, hone_arena *a, char **path)
{
    hone_buf b;
    hone_buf_init(&b, sizeof streaming + 64);
    hone_buf_adds(&b, streaming);
    const hone_status s = file_of(q, "stream.lua", &b, "", a, path);
    hone_buf_release(&b);
    return s;
}

/* What a word of a command is in this run. E_NOT_FOUND: it stands for something that was not given. */
static hone_status word_of(const hone_bench_asked *q, hone_str word, const char *x, hone_arena *a,
                           char **out)
{
    char number[32];
    const char *is = NULL;
    if (hone_str_eq(word, "data=R"))
        return rows_file(q, x, a, out);
    if (hone_str_eq(word, "S"))
        return recipe_file(q, a, out);
    if (hone_str_eq(word, "F") && !q->text)
        return hone_fail(HONE_E_NOT_FOUND, "no text was given");
    if (hone_str_eq(word, "M"))
        is = q->model;
    else if (hone_str_eq(word, "X"))
        is = x;
    else if (hone_str_eq(word, "F"))
        is = q->text;
    else if (hone_str_eq(word, "Y")) {
        snprintf(number, sizeof number, "%lld", 2048 / strtoll(x, NULL, 10));
        is = number;
    }
    *out = is ? hone_arena_strndup(a, is, strlen(is)) : hone_arena_strndup(a, word.ptr, word.len);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

static hone_status words_of(const hone_bench_asked *q, const char *command, const char *x,
                            hone_arena *a, char **argv, const char **set)
{
    int k = 0;
    argv[k++] = (char *)"hone";
    for (const char *p = command; *p && k < WORDS - 3;) {
        const size_t len = strcspn(p, " ");
        HONE_TRY(word_of(q, (hone_str){p, len}, x, a, &argv[k]));
        if (k == 1 && !*set && strchr(argv[k], '='))
            *set = argv[k];
        else
            k++;
        p += len + (p[len] == ' ');
    }
    argv[k] = NULL;
    if (strcmp(argv[1], "bench") != 0)
        return HONE_OK;
    char *seconds = hone_arena_alloc(a, 32);
    if (!seconds)
        return HONE_E_NOMEM;
    snprintf(seconds, 32, "--yardstick=%g", q->yardstick);
    argv[k++] = seconds;
    argv[k++] = (char *)"--json";
    argv[k] = NULL;
    return HONE_OK;
}

hone_status hone__bench_command(const hone_bench_asked *q, const char *command, const char *x,
                                hone_arena *a, hone_value *out)
{
    char *argv[WORDS + 1] = {0};
    const char *set = NULL;
    hone_buf text;
    hone_buf_init(&text, (size_t)1 << 24);
    hone_status s = words_of(q, command, x, a, argv, &set);
    if (s >= 0)
        s = hone__bench_child(argv, set, &text);
    const char *kept = s >= 0 && out ? hone_arena_strndup(a, text.ptr, text.len) : NULL;
    if (s >= 0 && out)
        s = kept ? hone_json_parse(kept, text.len, command, a, out) : HONE_E_NOMEM;
    hone_buf_release(&text);
    return s;
}
