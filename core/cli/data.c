/* data.c - `hone data`: its words, and of them info and head: what a data file holds, read row by row in constant memory.
 *
 * info counts rows, malformed rows, and per column the types, the rows without it, and the range of
 * lengths or numbers; data_look.c says what the rows are as training data. head prints rows as JSON lines. */
#include "base/alloc.h"
#include "cli/component.h"
#include "cli/data_look.h"
#include "cli/data_step.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "host/grant.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static hone_arg_list paths, sets, allow;
static int json, skip_bad;
static int64_t rows = 5, masks = 3;
static const char *source, *model, *format;

#define COMMON                                                                                     \
    {"source", HONE_ARG_STR, &source, "NAME",                                                      \
     "the source component (auto: told by name and content)"},                                     \
        {"set", HONE_ARG_LIST, &sets, "KEY=VALUE",                                                 \
         "a setting of the source, such as split=test (several times)"},                           \
        {"skip-bad", HONE_ARG_FLAG, &skip_bad, NULL, "leave malformed rows out and count them"},   \
        {"allow", HONE_ARG_LIST, &allow, "GRANT",                                                  \
         "SOURCE:net,exec,fs-read:PATH,fs-write:PATH, weak-box"},                                  \
    {                                                                                              \
        "plugin-path", HONE_ARG_LIST, &paths, "PATH",                                              \
            "a folder of plugins, or a .so (several times)"                                        \
    }

/* ---- info ----------------------------------------------------------------------------------------- */

enum { MAX_COLUMNS = 1000, N_TYPES = 8 };
static const char *const type_names[N_TYPES] = {"null",   "bool",  "integer", "number",
                                                "string", "bytes", "list",    "object"};

typedef struct column {
    char *name;
    int64_t types[N_TYPES], there;
    double least, most; /* of numbers; of lengths of strings and lists */
    int measured;
} column;
typedef struct survey {
    column columns[MAX_COLUMNS];
    size_t n;
    int64_t rows, more_columns;
} survey;

static column *column_named(survey *s, hone_str name)
{
    for (size_t i = 0; i < s->n; i++)
        if (hone_str_eq(name, s->columns[i].name))
            return &s->columns[i];
    if (s->n == MAX_COLUMNS) {
        s->more_columns++;
        return NULL;
    }
    column *c = &s->columns[s->n];
    c->name = hone_strndup(name.ptr, name.len);
    if (c->name)
        s->n++;
    return c->name ? c : NULL;
}

static void measure(column *c, const hone_value *v)
{
    double x;
    c->there++;
    c->types[v->type < N_TYPES ? v->type : 0]++;
    switch (v->type) {
    case HONE_I64:
        x = (double)v->u.i64;
        break;
    case HONE_F64:
        x = v->u.f64;
        break;
    case HONE_STRING:
    case HONE_BYTES:
        x = (double)v->u.str.len;
        break;
    case HONE_LIST:
        x = (double)v->u.list.n;
        break;
    default:
        return;
    }
    if (!c->measured || x < c->least)
        c->least = x;
    if (!c->measured || x > c->most)
        c->most = x;
    c->measured = 1;
}

static hone_status take_survey(hone_data *d, survey *s, hone_look *look)
{
    hone_arena arena;
    hone_value row;
    hone_status st;
    hone_arena_init(&arena, 0);
    while ((st = hone_data_next(d, &arena, &row)) > 0) {
        s->rows++;
        for (size_t i = 0; i < row.u.map.n; i++) {
            column *c = column_named(s, row.u.map.pairs[i].key);
            if (c)
                measure(c, &row.u.map.pairs[i].value);
        }
        hone_status seen = hone_look_row(look, &row);
        if (seen < 0) {
            st = seen;
            break;
        }
        hone_arena_clear(&arena);
    }
    hone_arena_release(&arena);
    return st;
}

static void put_json(const survey *s, const hone_look *look, int64_t skipped, hone_buf *b)
{
    hone_jw w;
    hone_jw_init(&w, b, 2);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "rows", s->rows);
    hone_jw_ki64(&w, "skipped", skipped);
    hone_jw_key(&w, "columns");
    hone_jw_list(&w);
    for (size_t i = 0; i < s->n; i++) {
        const column *c = &s->columns[i];
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "name", c->name);
        hone_jw_ki64(&w, "missing", s->rows - c->there);
        hone_jw_key(&w, "types");
        hone_jw_map(&w);
        for (size_t t = 0; t < N_TYPES; t++)
            if (c->types[t])
                hone_jw_ki64(&w, type_names[t], c->types[t]);
        hone_jw_end(&w);
        if (c->measured) {
            hone_jw_kf64(&w, "min", c->least);
            hone_jw_kf64(&w, "max", c->most);
        }
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_look_json(look, &w);
    hone_jw_end(&w);
    hone_buf_addc(b, '\n');
}

static void put_text(const survey *s, int64_t skipped, hone_buf *b)
{
    hone_buf_addf(b, "%lld rows", (long long)s->rows);
    if (skipped)
        hone_buf_addf(b, ", %lld malformed left out", (long long)skipped);
    hone_buf_addc(b, '\n');
    for (size_t i = 0; i < s->n; i++) {
        const column *c = &s->columns[i];
        const char *comma = "";
        hone_buf_addf(b, "  %-24s ", c->name);
        for (size_t t = 0; t < N_TYPES; t++)
            if (c->types[t]) {
                hone_buf_addf(b, "%s%s", comma, type_names[t]);
                if (c->types[t] != c->there)
                    hone_buf_addf(b, " %lld", (long long)c->types[t]);
                comma = ", ";
            }
        if (c->measured)
            hone_buf_addf(b, "  %g to %g%s", c->least, c->most,
                          c->types[HONE_STRING] ? " bytes"
                          : c->types[HONE_LIST] ? " long"
                                                : "");
        if (c->there != s->rows)
            hone_buf_addf(b, "  missing in %lld", (long long)(s->rows - c->there));
        hone_buf_addc(b, '\n');
    }
    if (s->more_columns)
        hone_buf_addf(b, "  and more columns than %d\n", MAX_COLUMNS);
}

static hone_status info(hone_registry *r, hone_data *d, hone_buf *b)
{
    hone_env env = {.registry = r};
    hone_text_side *side = NULL;
    hone_look *look = NULL;
    hone_status st = HONE_OK;
    survey *s = hone_calloc(1, sizeof *s);
    if (!s)
        return HONE_E_NOMEM;
    if (model)
        st = hone_text_side_open(&env, model, &side);
    if (st >= 0 && side && !side->tokenizer_instance)
        st = hone_fail(HONE_E_NOT_FOUND, "%s: it has no tokenizer", model);
    if (st >= 0)
        st = hone_look_create(side, format, json ? 0 : masks, &look);
    if (st >= 0)
        st = take_survey(d, s, look);
    if (st >= 0) {
        if (json) {
            put_json(s, look, hone_data_skipped(d), b);
        } else {
            put_text(s, hone_data_skipped(d), b);
            if (s->rows)
                hone_look_text(look, isatty(STDOUT_FILENO), b);
        }
    }
    hone_look_destroy(look);
    hone_text_side_unref(side);
    for (size_t i = 0; i < s->n; i++)
        hone_free(s->columns[i].name);
    hone_free(s);
    return st;
}

/* ---- head ----------------------------------------------------------------------------------------- */

static hone_status head(hone_registry *r, hone_data *d, hone_buf *b)
{
    (void)r;
    hone_arena arena;
    hone_value row;
    hone_status st = 1;
    hone_arena_init(&arena, 0);
    for (int64_t i = 0; i < rows && st > 0; i++) {
        hone_jw w;
        st = hone_data_next(d, &arena, &row);
        if (st <= 0)
            break;
        hone_jw_init(&w, b, json ? 0 : 2);
        hone_jw_value(&w, &row);
        hone_buf_addc(b, '\n');
        hone_arena_clear(&arena);
    }
    hone_arena_release(&arena);
    return st;
}

static int run_on_file(const char *file,
                       hone_status (*work)(hone_registry *r, hone_data *d, hone_buf *b))
{
    hone_registry *r = NULL;
    hone_data *d = NULL;
    hone_buf b;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_status s = hone_cli_open_registry(&paths, &r);
    if (s >= 0)
        s = hone_registry_allow(r, allow.v);
    if (s >= 0)
        s = hone_cli_open_data_set(r, source, file, skip_bad ? "skip" : NULL, &sets, &d);
    if (s >= 0)
        s = work(r, d, &b);
    if (s >= 0)
        s = b.failed;
    if (b.len)
        fwrite(b.ptr, 1, b.len, stdout);
    int code = hone_cli_fail(s);
    hone_data_close(d);
    hone_buf_release(&b);
    hone_registry_close(r);
    return code;
}

int hone_cli_data(int argc, char **argv)
{
    static const hone_arg info_options[] = {
        COMMON,
        {"model", HONE_ARG_STR, &model, "MODEL", "lengths in its tokens, masks by its template"},
        {"format", HONE_ARG_STR, &format, "NAME",
         "all rows are openai, sharegpt, alpaca, completion, text, paired, hh or unpaired"},
        {"masks", HONE_ARG_I64, &masks, "N",
         "with --model: so many rows with what is trained on (3)"},
        {"json", HONE_ARG_FLAG, &json, NULL, "as JSON"},
        {0}};
    static const hone_arg head_options[] = {{"n", HONE_ARG_I64, &rows, "N", "so many rows (5)"},
                                            COMMON,
                                            {"json", HONE_ARG_FLAG, &json, NULL, "one line a row"},
                                            {0}};
    static const char *const info_examples[] = {"hone data info train.jsonl", NULL};
    static const char *const head_examples[] = {
        "hone data head train.jsonl --n 2",
        "hone data head --source http --set url=https://example.com/rows --allow=http:net", NULL};
    static const hone_args info_spec = {"data info",
                                        "[FILE] [options]",
                                        "Counts rows, describes columns, and looks for what is "
                                        "suspicious in training data.",
                                        info_options,
                                        info_examples,
                                        0,
                                        1};
    static const hone_args head_spec = {"data head",
                                        "[FILE] [options]",
                                        "Prints the first rows.",
                                        head_options,
                                        head_examples,
                                        0,
                                        1};
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
        const char *about;
    } steps[] = {
        {"dedup", hone_cli_data_dedup, "rows that are the same, or nearly, once"},
        {"decontaminate", hone_cli_data_decontaminate,
         "without rows that hold pieces of evaluation sets"},
        {"filter", hone_cli_data_filter, "without rows that published rules speak against"},
        {"select", hone_cli_data_select, "the best rows, the most diverse rows"},
        {"split", hone_cli_data_split, "into several files, groups whole"},
        {"mix", hone_cli_data_mix, "several files in one, by weight"},
    };
    enum { N_STEPS = sizeof steps / sizeof *steps };
    const char *subs[N_STEPS + 3] = {"info", "head"};
    hone_rest rest;
    const char *sub = argc > 1 ? argv[1] : NULL;
    for (size_t i = 0; i < N_STEPS; i++)
        subs[i + 2] = steps[i].name;
    if (!sub || strcmp(sub, "--help") == 0 || strcmp(sub, "-h") == 0) {
        printf("usage: hone data WORD FILE...\n\n  %-14s rows, columns, types, ranges\n  %-14s the "
               "first "
               "rows\n",
               "info", "head");
        for (size_t i = 0; i < N_STEPS; i++)
            printf("  %-14s %s\n", steps[i].name, steps[i].about);
        printf("\n`hone data info --help` tells more.\n");
        return sub ? HONE_EXIT_OK
                   : hone_cli_usage("data", "a word such as info or dedup is missing");
    }
    for (size_t i = 0; i < N_STEPS; i++)
        if (strcmp(sub, steps[i].name) == 0)
            return steps[i].run(argc - 1, argv + 1);
    const int is_head = strcmp(sub, "head") == 0;
    if (is_head || strcmp(sub, "info") == 0) {
        if (!hone_args_parse(is_head ? &head_spec : &info_spec, argc - 1, argv + 1, &rest))
            return rest.exit;
        if (is_head && rows < 0)
            return hone_cli_usage("data head", "--n counts rows");
        if (!rest.n && !source) /* a source that reads no file is named */
            return hone_cli_usage(is_head ? "data head" : "data info",
                                  "FILE or --source is missing");
        return run_on_file(rest.n ? rest.v[0] : NULL, is_head ? head : info);
    }
    const char *close = hone_closest(sub, (const char *const *)subs);
    return close ? hone_cli_usage("data", "unknown word \"%s\" (did you mean \"%s\"?)", sub, close)
                 : hone_cli_usage("data", "unknown word \"%s\"", sub);
}
