/* judge_render.c - `hone judge render`: the exact prompts that a judge with a rubric would send, and the spec behind them.
 *
 * The questions come from hone.judging/1 itself; no model is needed and none is asked. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/component.h"
#include "cli/judge.h"
#include "cli/judge_rows.h"
#include "cli/out.h"
#include "judge/data.h"
#include "judge/judging.h"
#include "judge/rubric.h"

#include <stdio.h>
#include <string.h>

static const char *data_path, *source;
static int64_t row = 1, repeat;
static int json, flat, spec_only;
static hone_arg_list sets;

/* The settings of hone.judging/1 in a judge's: a file with `rubric` in it is a judge's settings, another a rubric. */
static hone_status read_settings(hone_registry *r, const char *path, hone_arena *arena,
                                 hone_value *out)
{
    static const char *const ours[] = {"rubric", "prompt", "decoding", "orders", "min_mass", NULL};
    hone_value data, all;
    const hone_component_info *info;
    char *shipped = NULL;
    const hone_status known = hone_file_exists(path)
                                  ? 0
                                  : hone_rubric_shipped(hone_str_c(path), &shipped);
    const hone_status read = known < 0
                                 ? known
                                 : hone_data_read_file(shipped ? shipped : path, arena, &data);
    hone_free(shipped);
    HONE_TRY(read);
    hone_pair *alone = hone_arena_calloc(arena, 1, sizeof *alone);
    if (!alone)
        return HONE_E_NOMEM;
    if (!hone_value_get(&data, "rubric")) {
        *alone = (hone_pair){{"rubric", 6}, data};
        data = (hone_value){.type = HONE_MAP, .u.map = {alone, 1}};
    }
    HONE_TRY(hone_registry_find(r, HONE_KIND_JUDGE, "org.hone.judge.rubric", &info));
    HONE_TRY(hone_cli_settings(info->c.fields, &sets, &data, arena, &all));
    hone_pair *pairs = hone_arena_calloc(arena, all.u.map.n + 1, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    *out = (hone_value){.type = HONE_MAP, .u.map = {pairs, 0}};
    for (size_t i = 0; i < all.u.map.n; i++)
        for (size_t k = 0; ours[k]; k++)
            if (hone_str_eq(all.u.map.pairs[i].key, ours[k]))
                pairs[out->u.map.n++] = all.u.map.pairs[i];
    return HONE_OK;
}

static hone_status print_json(const hone_judging_question *q)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 28);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "question", q->number);
    hone_jw_key(&w, "messages");
    hone_jw_list(&w);
    for (size_t i = 0; i < q->n_messages; i++) {
        hone_jw_map(&w);
        hone_jw_kstr(&w, "role", q->messages[i].role);
        hone_jw_kstr(&w, "content", q->messages[i].content);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_kstr(&w, "text", q->text);
    hone_jw_kstr(&w, "prefix", q->prefix);
    hone_jw_key(&w, "labels");
    hone_jw_list(&w);
    for (size_t i = 0; i < q->n_labels; i++)
        hone_jw_str(&w, q->labels[i]);
    hone_jw_end(&w);
    hone_jw_kstr(&w, "schema", q->schema);
    hone_jw_end(&w);
    const hone_status s = hone_buf_check(&b, "a question");
    if (s >= 0)
        printf("%s\n", b.ptr);
    hone_buf_release(&b);
    return s;
}

static hone_status print_question(const hone_judging_sink *sink, const hone_judging_question *q)
{
    (void)sink;
    if (json)
        return print_json(q);
    printf("==== question %u\n", q->number);
    for (size_t i = 0; !flat && i < q->n_messages; i++)
        printf("---- %.*s\n%.*s\n", (int)q->messages[i].role.len, q->messages[i].role.ptr,
               (int)q->messages[i].content.len, q->messages[i].content.ptr);
    if (flat)
        printf("%.*s", (int)q->text.len, q->text.ptr);
    else
        printf("---- reply\n");
    printf("%.*s", (int)q->prefix.len, q->prefix.ptr);
    for (size_t i = 0; i < q->n_labels; i++)
        printf("%s%.*s", i ? " |" : "", (int)q->labels[i].len, q->labels[i].ptr);
    printf("%.*s\n", (int)q->schema.len, q->schema.ptr);
    return HONE_OK;
}

static hone_status render(const char *path)
{
    static const hone_arg_list none = {.n = 0};
    static const hone_judging_sink sink = {sizeof sink, 0, NULL, print_question};
    hone_registry *r = NULL;
    hone_cli_items items = {0};
    hone_arena arena;
    hone_value settings;
    hone_ref ref;
    uint64_t spec = 0;
    hone_arena_init(&arena, 0);
    hone_status s = hone_cli_open_registry(&none, &r);
    if (s >= 0)
        s = hone_judging_ref(r, &ref);
    if (s >= 0)
        s = read_settings(r, path, &arena, &settings);
    const hone_judging_v1 *jv = s >= 0 ? ref.vt : NULL;
    if (s >= 0)
        s = jv->open(ref.self, &settings, &spec);
    if (s >= 0 && spec_only) {
        const hone_str text = jv->describe(ref.self, spec);
        printf("%.*s\n", (int)text.len, text.ptr);
    } else if (s >= 0) {
        s = hone_cli_items_read(r, source, data_path, 0, &items);
        if (s >= 0 && (row < 1 || (uint64_t)row > items.n))
            s = hone_fail(HONE_E_RANGE, "%s: there is no row %lld of %zu", data_path,
                          (long long)row, items.n);
        if (s >= 0) {
            const hone_ask_item *it = &items.items[row - 1];
            hone_judge_item item = it->it;
            item.id = hone_xxh64(it->id.ptr, it->id.len, (uint64_t)repeat); /* as ask.c has it */
            s = jv->ask(ref.self, spec, &item, 1, sizeof item, &sink);
        }
    }
    if (jv)
        jv->close(ref.self, spec);
    hone_cli_items_release(&items);
    hone_registry_close(r);
    hone_arena_release(&arena);
    return s;
}

int hone_cli_judge_render(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"items", HONE_ARG_STR, &data_path, "FILE",
         "rows with prompt or messages, and completion or candidates"},
        {"source", HONE_ARG_STR, &source, "NAME", "read it with this source component"},
        {"row", HONE_ARG_I64, &row, "N", "which item (1)"},
        {"repeat", HONE_ARG_I64, &repeat, "N", "of which repetition (0)"},
        {"set", HONE_ARG_LIST, &sets, "KEY=VALUE", "a setting of the judge"},
        {"flat", HONE_ARG_FLAG, &flat, NULL, "as one text, for models that only continue"},
        {"json", HONE_ARG_FLAG, &json, NULL, "as JSON: one object a question"},
        {"spec", HONE_ARG_FLAG, &spec_only, NULL, "only what verdicts depend on, as JSON"},
        {0}};
    static const hone_args spec = {
        "judge render",
        "RUBRIC.lua --items FILE [options]",
        "Prints the exact prompts that are sent for one item: for a rubric, or for a file with a\n"
        "judge's settings. No model is asked.",
        options,
        NULL,
        1,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!data_path && !spec_only)
        return hone_cli_usage("judge render", "--items FILE is missing: the item to render");
    return hone_cli_fail(render(rest.v[0]));
}
