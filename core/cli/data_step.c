/* data_step.c - see data_step.h. */
#include "cli/data_step.h"

#include "base/alloc.h"
#include "cli/component.h"
#include "cli/out.h"
#include "host/grant.h"

#include <stdio.h>
#include <string.h>

hone_cli_step_args hone__step_args;

static hone_status open_rows(void *ctx, const char *path, hone_data **out)
{
    const hone_cli_step *step = ctx;
    return hone_cli_open_data_set(step->registry, hone__step_args.source, path,
                                  hone__step_args.skip_bad ? "skip" : NULL, &hone__step_args.sets,
                                  out);
}

hone_status hone_cli_step_begin(hone_cli_step *step, const char *verb)
{
    memset(step, 0, sizeof *step);
    step->verb = verb;
    hone_buf_init(&step->settings, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&step->w, &step->settings, 0);
    hone_jw_map(&step->w);
    HONE_TRY(hone_cli_open_registry(&hone__step_args.plugin_paths, &step->registry));
    return hone_registry_allow(step->registry, hone__step_args.allow.v);
}

hone_status hone_cli_step_input(hone_cli_step *step, const char *const *paths, size_t n,
                                hone_input **out)
{
    const hone_input_spec spec = {.paths = paths,
                                  .n = n,
                                  .lines = !hone__step_args.source && !hone__step_args.sets.n,
                                  .open = open_rows,
                                  .ctx = step};
    return hone_input_open(&spec, out);
}

hone_status hone_cli_step_open(hone_cli_step *step, int n, char **paths, const char *const *out,
                               size_t n_out)
{
    const hone_cli_step_args *a = &hone__step_args;
    if (!out) {
        if (a->out.n > 1)
            return hone_fail(HONE_E_USAGE, "--out is given once");
        out = a->out.v;
        n_out = (size_t)a->out.n;
    }
    if (a->checkpoint_mb < 0 || a->checkpoint_mb > 1 << 20)
        return hone_fail(HONE_E_USAGE, "--checkpoint-mb is from 1 to 1048576");
    step->to_file = n_out > 0;
    HONE_TRY(hone_cli_step_input(step, (const char *const *)paths, (size_t)n, &step->input));
    if (a->columns)
        hone_jw_kcstr(&step->w, "columns", a->columns);
    if (a->skip_bad)
        hone_jw_kbool(&step->w, "skip_bad", 1);
    if (a->source)
        hone_jw_kcstr(&step->w, "source", a->source);
    for (int i = 0; i < a->sets.n; i++) {
        if (i == 0) {
            hone_jw_key(&step->w, "set");
            hone_jw_list(&step->w);
        }
        hone_jw_cstr(&step->w, a->sets.v[i]);
        if (i + 1 == a->sets.n)
            hone_jw_end(&step->w);
    }
    hone_jw_end(&step->w);
    HONE_TRY(step->settings.failed);
    HONE_TRY(hone_pool_create(0, &step->pool));
    const hone_job_spec spec = {.verb = step->verb,
                                .settings = hone_buf_str(&step->settings),
                                .input = step->input,
                                .out = out,
                                .n_out = n_out,
                                .report = a->report,
                                .no_lineage = a->no_lineage,
                                .fresh = a->fresh,
                                .checkpoint_bytes = (uint64_t)a->checkpoint_mb << 20};
    HONE_TRY(hone_job_open(&spec, &step->job));
    if (hone_job_resumed(step->job))
        fprintf(stderr, "hone data %s: going on where it was interrupted\n", step->verb);
    return HONE_OK;
}

/* {"rows":5,"kept":3} as "rows 5, kept 3". */
static void as_words(hone_buf *b, const hone_value *v, const char *before)
{
    for (size_t i = 0; i < v->u.map.n; i++) {
        const hone_pair *p = &v->u.map.pairs[i];
        if (p->value.type == HONE_MAP) {
            hone_buf_addf(b, "%s%.*s:\n", before, (int)p->key.len, p->key.ptr);
            as_words(b, &p->value, "    ");
            continue;
        }
        hone_jw w;
        hone_buf_addf(b, "%s%-16.*s ", before, (int)p->key.len, p->key.ptr);
        hone_jw_init(&w, b, 0);
        hone_jw_value(&w, &p->value);
        hone_buf_addc(b, '\n');
    }
}

static hone_status summary(const hone_cli_step *step, void (*put)(void *ctx, hone_jw *w), void *ctx,
                           FILE *to)
{
    hone_buf b, words;
    hone_jw w;
    hone_arena arena;
    hone_value v;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&words, HONE_BUF_MAX_DEFAULT);
    hone_arena_init(&arena, 0);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "step", step->verb);
    put(ctx, &w);
    hone_jw_end(&w);
    hone_status s = b.failed;
    if (s >= 0 && hone__step_args.json) {
        fprintf(to, "%s\n", b.ptr);
    } else if (s >= 0) {
        s = hone_json_parse(b.ptr, b.len, NULL, &arena, &v);
        if (s >= 0) {
            as_words(&words, &v, "");
            fputs(words.ptr, to);
        }
    }
    hone_arena_release(&arena);
    hone_buf_release(&words);
    hone_buf_release(&b);
    return s;
}

int hone_cli_step_close(hone_cli_step *step, hone_status s, void (*put)(void *ctx, hone_jw *w),
                        void *ctx)
{
    hone_job_close(step->job);
    if (s >= 0)
        s = summary(step, put, ctx, step->to_file ? stdout : stderr);
    int code = hone_cli_fail(s);
    hone_input_close(step->input);
    hone_pool_destroy(step->pool);
    hone_registry_close(step->registry);
    hone_buf_release(&step->settings);
    return code;
}
