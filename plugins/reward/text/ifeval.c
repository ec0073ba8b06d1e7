/* ifeval.c - does the completion follow the row's verifiable instructions?
 *
 * A row has a list of instruction names (column `instructions`, "length_constraints:number_words" and the like) and a list of
 * maps with their arguments (column `arguments`), as the data set of IFEval has them. strict: the completion itself must
 * follow. loose: it, or it without asterisks, without its first line, its last, both, and these without asterisks. The
 * score is 1 when all are followed (the benchmark's prompt-level accuracy), or the share that is (its instruction level).
 * What is not followed is named in the note "missed". An instruction that is not known, or lacks an argument, is an error of
 * the sample. Source: Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models". */
#include "ifeval.h"

#include <stdio.h>

typedef struct ifeval {
    reward base;
    hone_ref json;
    hone_str instructions, arguments;
    uint32_t mode, value, on_missing;
} ifeval;

enum { MODE_STRICT, MODE_LOOSE };
enum { VALUE_ALL, VALUE_SHARE };
enum { F_INSTRUCTIONS, F_ARGUMENTS, F_ON_MISSING, F_MODE, F_VALUE };
static const hone_field *const fields[] = {
    HONE_STR("instructions", "instruction_id_list", 0, "data column with the list of instructions"),
    HONE_STR("arguments", "kwargs", 0, "data column with the list of their arguments"),
    FIELD_ON_MISSING,
    HONE_ENUM("mode", "strict", "strict|loose", 0,
              "the completion as it is, or also without asterisks, first and last line"),
    HONE_ENUM("value", "all", "all|share", 0, "1 when all are followed, or the share that is"),
    NULL};

enum { VARIANTS = 8 };

/* A line's end before `at` (from the right) or behind it; SIZE_MAX: there is none. */
static size_t first_line_end(hone_str s)
{
    return find(s, hone_str_c("\n"), 0);
}

/* Python's strip: all white space of Unicode. */
static hone_str strip(hone_str s)
{
    size_t from = s.len, to = 0;
    for (size_t i = 0; i < s.len;) {
        const size_t at = i;
        if (text_is_space(text_char(s, &i)))
            continue;
        from = from < at ? from : at;
        to = i;
    }
    return from < to ? part(s, from, to) : part(s, 0, 0);
}

/* The ways of looking at a completion; 1 when strict. `starless` has room for three times its length. */
static size_t variants(hone_str s, uint32_t mode, char *starless, hone_str out[VARIANTS])
{
    const size_t first = first_line_end(s), last = find_last(s, hone_str_c("\n"));
    const hone_str none = part(s, 0, 0);
    out[0] = s;
    if (mode == MODE_STRICT)
        return 1;
    out[1] = first == SIZE_MAX ? none : strip(part(s, first + 1, s.len));
    out[2] = first == SIZE_MAX ? none : strip(part(s, 0, last));
    out[3] = first == SIZE_MAX || first == last ? none : strip(part(s, first + 1, last));
    for (size_t k = 0; k < 4; k++) {
        size_t n = 0;
        for (size_t i = 0; i < out[k].len; i++)
            if (out[k].ptr[i] != '*')
                starless[n++] = out[k].ptr[i];
        out[4 + k] = (hone_str){starless, n};
        starless += n;
    }
    return VARIANTS;
}

static const hone_value *column_of(const scoring *s, hone_str name, verdict *v)
{
    const ifeval *e = (const ifeval *)s->self;
    const hone_value *list = reference_of(s, name, e->on_missing, v);
    if (list && list->type != HONE_LIST) {
        snprintf(v->text, sizeof v->text, "column \"%.*s\" is no list",
                 (int)(name.len < 100 ? name.len : 100), name.ptr);
        error_is(v, v->text);
        return NULL;
    }
    return list;
}

/* One instruction against all variants. CHECK_*. */
static int follows(const ifeval *e, const hone_str *texts, size_t n, uint32_t *room, hone_str id,
                   const hone_value *args, const char **what)
{
    int result = CHECK_NO;
    for (size_t k = 0; k < n && result == CHECK_NO; k++) {
        checked r = {{room, 0}, texts[k], &e->base, e->json};
        for (size_t i = 0; i < texts[k].len;)
            room[r.text.n++] = text_char(texts[k], &i);
        if (view_trim(r.text).n)
            result = ifeval_check(&r, id, args, what);
        else if (k ==
                 0) { /* a blank completion follows nothing; but say what is wrong with the row */
            static const uint32_t dot[] = {'.'};
            r.text = (view){dot, 1};
            r.bytes = hone_str_c(".");
            result = ifeval_check(&r, id, args, what) > CHECK_YES ? CHECK_UNKNOWN : CHECK_NO;
        }
    }
    return result;
}

static void check_row(const scoring *s, const hone_value *ids, const hone_value *args,
                      char *starless, uint32_t *room, verdict *v)
{
    const ifeval *e = (const ifeval *)s->self;
    hone_str texts[VARIANTS];
    char missed[400];
    size_t n = variants(s->sample->completion, e->mode, starless, texts), used = 0, followed = 0;
    for (size_t i = 0; i < ids->u.list.n; i++) {
        const hone_value *id = &ids->u.list.items[i],
                         *a = i < args->u.list.n ? &args->u.list.items[i] : NULL;
        const hone_str name = id->type == HONE_STRING ? id->u.str : hone_str_c("");
        const char *what = NULL;
        const int shown = (int)(name.len < 80 ? name.len : 80);
        const int result = follows(e, texts, n, room, name, a, &what);
        if (result > CHECK_YES) {
            if (result == CHECK_NO_MEMORY)
                snprintf(v->text, sizeof v->text, "out of memory");
            else if (result == CHECK_LACKS || what)
                snprintf(v->text, sizeof v->text, "\"%.*s\" lacks its argument \"%s\"", shown,
                         name.ptr, what);
            else
                snprintf(v->text, sizeof v->text, "\"%.*s\" is no known instruction", shown,
                         name.ptr);
            error_is(v, v->text);
            return;
        }
        followed += result == CHECK_YES;
        if (result == CHECK_NO && used + (size_t)shown + 3 < sizeof missed)
            used += (size_t)snprintf(missed + used, sizeof missed - used, "%s%.*s",
                                     used ? ", " : "", shown, name.ptr);
    }
    if (used)
        note_text(s, "missed", (hone_str){missed, used});
    if (!ids->u.list.n)
        abstains(v, "the row has no instruction");
    else
        score_is(v, e->value == VALUE_ALL ? followed == ids->u.list.n
                                          : (double)followed / (double)ids->u.list.n);
}

static void ifeval_score(const scoring *s, verdict *v)
{
    const ifeval *e = (const ifeval *)s->self;
    const hone_value *ids = column_of(s, e->instructions, v),
                     *args = ids ? column_of(s, e->arguments, v) : NULL;
    const size_t n = s->sample->completion.len;
    if (!args)
        return;
    if (n > SIZE_MAX / 32) {
        error_is(v, "out of memory");
        return;
    }
    uint32_t *room = memory_get(&e->base, (n + 1) * sizeof *room + 4 * n);
    if (!room) {
        error_is(v, "out of memory");
        return;
    }
    check_row(s, ids, args, (char *)(room + n + 1), room, v);
    memory_put(&e->base, room, (n + 1) * sizeof *room + 4 * n);
}

static hone_status ifeval_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    hone_status s = reward_create(host, sizeof(ifeval), ifeval_score, &base);
    if (s < 0)
        return s;
    ifeval *e = (ifeval *)base;
    s = host->get_iface(host, HONE_IFACE_JSON, &e->json);
    if (s < 0) {
        reward_destroy(e);
        return s;
    }
    e->instructions = cfg->str(cfg, F_INSTRUCTIONS);
    e->arguments = cfg->str(cfg, F_ARGUMENTS);
    e->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    e->mode = (uint32_t)cfg->i64(cfg, F_MODE);
    e->value = (uint32_t)cfg->i64(cfg, F_VALUE);
    *self_out = e;
    return HONE_OK;
}

static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_JSON, NULL};
static const char *const wants[] = {"completion", "columns", NULL};
const hone_component ifeval_component = {
    REWARD_HEAD("ifeval", "follows verifiable instructions (IFEval)"), .fields = fields,
    .needs = needs, .wants = wants, .create = ifeval_create};
