/* rubric.c - see rubric.h. Reads the tree of data.h into the struct, checks it, hashes it.
 *
 * Each reader names its place in errors ("criteria[2].choices"). Keys nobody knows are refused with a suggestion: a
 * misspelled "wieght" must not silently be weight 1. */
#include "judge/rubric.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/paths.h"
#include "judge/data.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct reader {
    hone_rubric *r;
    const char *name;
};

const char *hone_shape_name(uint32_t shape)
{
    static const char *const names[] = {"pointwise", "pairwise", "listwise"};
    return shape < 3 ? names[shape] : NULL;
}

static hone_status bad(const struct reader *rd, const char *place, const char *what)
{
    return hone_fail(HONE_E_INVALID, "%s: %s%s%s", rd->name, place, *place ? ": " : "", what);
}

/* Is every key one of `known`? */
static hone_status check_keys(const struct reader *rd, const char *place, const hone_value *map,
                              const char *const *known)
{
    if (map->type != HONE_MAP)
        return bad(rd, place, "a table with names is expected");
    for (size_t i = 0; i < map->u.map.n; i++) {
        const hone_str key = map->u.map.pairs[i].key;
        size_t k = 0;
        char text[64];
        while (known[k] && !hone_str_eq(key, known[k]))
            k++;
        if (known[k])
            continue;
        snprintf(text, sizeof text, "%.*s", (int)(key.len < 60 ? key.len : 60), key.ptr);
        hone_fail(HONE_E_INVALID, "%s: %s%s\"%s\" is not known here", rd->name, place,
                  *place ? ": " : "", text);
        const char *close = hone_closest(text, known);
        return close ? hone_fail_hint("did you mean \"%s\"?", close) : HONE_E_INVALID;
    }
    return HONE_OK;
}

static hone_status at_place(const struct reader *rd, const char *place, hone_status s)
{
    return s < 0 ? hone_fail_at("%s: %s", rd->name, *place ? place : "rubric") : s;
}

static hone_status read_text(const struct reader *rd, const char *place, const hone_value *map,
                             const char *key, hone_str *out)
{
    const hone_str none = {"", 0};
    return at_place(rd, place, hone_value_string(map, key, none, out));
}

static const hone_value *list_at(const hone_value *map, const char *key)
{
    const hone_value *v = hone_value_get(map, key);
    return v && v->type == HONE_LIST ? v : NULL;
}

/* ---- levels -------------------------------------------------------------------------------------------- */

/* A number as a label: 3, 0.5. */
static hone_str number_label(hone_rubric *r, double v)
{
    char text[32];
    const size_t n = hone_format_f64(v, text);
    return hone_arena_str(&r->arena, (hone_str){text, n});
}

static hone_status read_level(struct reader *rd, const char *place, const hone_value *v,
                              size_t index, size_t n, hone_level *out)
{
    static const char *const known[] = {"label", "value", "text", NULL};
    const double even = n > 1 ? (double)index / (double)(n - 1) : 1;
    if (v->type == HONE_STRING) {
        *out = (hone_level){v->u.str, {"", 0}, even};
        return HONE_OK;
    }
    HONE_TRY(check_keys(rd, place, v, known));
    HONE_TRY(at_place(rd, place, hone_value_f64(v, "value", even, &out->value)));
    HONE_TRY(read_text(rd, place, v, "text", &out->text));
    const hone_value *label = hone_value_get(v, "label");
    if (label && label->type == HONE_STRING)
        out->label = label->u.str;
    else if (label && label->type == HONE_I64)
        out->label = number_label(rd->r, (double)label->u.i64);
    else if (!label && hone_value_get(v, "value"))
        out->label = number_label(rd->r, out->value);
    else
        return bad(rd, place, "a level has a label, or a value that is one");
    return out->label.ptr ? HONE_OK : HONE_E_NOMEM;
}

/* {min, max, anchors}: whole numbers as labels. */
static hone_status read_range(struct reader *rd, const char *place, const hone_value *v,
                              hone_level **out, size_t *n_out)
{
    static const char *const known[] = {"min", "max", "anchors", NULL};
    int64_t min, max;
    HONE_TRY(check_keys(rd, place, v, known));
    HONE_TRY(at_place(rd, place, hone_value_i64(v, "min", 1, &min)));
    HONE_TRY(at_place(rd, place, hone_value_i64(v, "max", 5, &max)));
    if (max <= min || min < -1000 || max > 1000 || max - min >= HONE_RUBRIC_LEVELS)
        return bad(rd, place, "min < max, and at most 32 levels between them");
    const size_t n = (size_t)(max - min + 1);
    const hone_value *anchors = hone_value_get(v, "anchors");
    if (anchors && (anchors->type != HONE_LIST || anchors->u.list.n != n)) {
        hone_fail(HONE_E_INVALID, "%s: %s.anchors: %zu levels and %zu anchors: levels are missing",
                  rd->name, place, n, anchors->type == HONE_LIST ? anchors->u.list.n : (size_t)0);
        return hone_fail_hint("one text a level, from min to max; \"\" where a level has none");
    }
    hone_level *levels = hone_arena_calloc(&rd->r->arena, n, sizeof *levels);
    if (!levels)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const hone_value *a = anchors ? &anchors->u.list.items[i] : NULL;
        if (a && a->type != HONE_STRING)
            return bad(rd, place, "an anchor is a text");
        levels[i].value = (double)(min + (int64_t)i);
        levels[i].label = number_label(rd->r, levels[i].value);
        levels[i].text = a ? a->u.str : (hone_str){"", 0};
        if (!levels[i].label.ptr)
            return HONE_E_NOMEM;
    }
    *out = levels;
    *n_out = n;
    return HONE_OK;
}

static int begins(hone_str whole, hone_str part)
{
    return part.len <= whole.len && memcmp(whole.ptr, part.ptr, part.len) == 0;
}

static hone_status check_levels(const struct reader *rd, const char *place,
                                const hone_level *levels, size_t n)
{
    if (n < 2)
        return bad(rd, place, "two levels at least: levels are missing");
    for (size_t i = 0; i < n; i++) {
        const hone_str l = levels[i].label;
        if (!l.len || l.len > 64 || l.ptr[0] == ' ' || l.ptr[l.len - 1] == ' ')
            return bad(rd, place, "a label has 1 to 64 bytes and no spaces around it");
        for (size_t k = 0; k < l.len; k++)
            if ((unsigned char)l.ptr[k] < ' ' || l.ptr[k] == '"' || l.ptr[k] == '\\')
                return bad(rd, place, "a label has no quotes, backslashes or control characters");
        if (!isfinite(levels[i].value) || (i && levels[i].value <= levels[i - 1].value))
            return bad(rd, place, "levels go from the worst to the best, each worth more");
        for (size_t k = 0; k < n; k++)
            if (k != i && begins(levels[k].label, l)) {
                hone_fail(HONE_E_INVALID, "%s: %s: the label \"%.*s\" begins \"%.*s\"", rd->name,
                          place, (int)l.len, l.ptr, (int)levels[k].label.len, levels[k].label.ptr);
                return hone_fail_hint(
                    "where one label begins another, its probability holds the other's too");
            }
    }
    return HONE_OK;
}

/* A scale or choices: a list of levels, or {min, max, anchors}. */
static hone_status read_levels(struct reader *rd, const char *place, const hone_value *v,
                               const hone_level **out, size_t *n_out)
{
    hone_level *levels = NULL;
    size_t n = 0;
    if (v->type == HONE_MAP)
        HONE_TRY(read_range(rd, place, v, &levels, &n));
    else if (v->type == HONE_LIST) {
        n = v->u.list.n;
        if (n > HONE_RUBRIC_LEVELS)
            return bad(rd, place, "at most 32 levels");
        levels = hone_arena_calloc(&rd->r->arena, n ? n : 1, sizeof *levels);
        if (!levels)
            return HONE_E_NOMEM;
        for (size_t i = 0; i < n; i++) {
            char at[128];
            snprintf(at, sizeof at, "%.100s[%zu]", place, i + 1);
            HONE_TRY(read_level(rd, at, &v->u.list.items[i], i, n, &levels[i]));
        }
    } else
        return bad(rd, place, "levels are a list, or {min =, max =, anchors =}");
    HONE_TRY(check_levels(rd, place, levels, n));
    *out = levels;
    *n_out = n;
    return HONE_OK;
}

/* The same levels with values 0..1. */
static hone_status scaled(struct reader *rd, const hone_level *in, size_t n, const hone_level **out)
{
    hone_level *to = hone_arena_calloc(&rd->r->arena, n ? n : 1, sizeof *to);
    if (!to)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        to[i] = in[i];
        to[i].value = (in[i].value - in[0].value) / (in[n - 1].value - in[0].value);
    }
    *out = to;
    return HONE_OK;
}

/* ---- criteria ------------------------------------------------------------------------------------------- */

static hone_status check_name(const struct reader *rd, const char *place, hone_str id)
{
    if (!id.len || id.len > 64)
        return bad(rd, place, "an id of 1 to 64 characters is needed");
    for (size_t i = 0; i < id.len; i++) {
        const char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return bad(rd, place, "an id has letters, digits, \"_\", \"-\" and \".\"");
    }
    return HONE_OK;
}

static hone_status read_gating(struct reader *rd, const char *place, const hone_value *v,
                               hone_rubric_criterion *c)
{
    static const char *const known[] = {"needs", "cap", NULL};
    c->needs = .5;
    if (!v || (v->type == HONE_BOOL && !v->u.boolean))
        return HONE_OK;
    c->gating = 1;
    if (v->type == HONE_BOOL)
        return HONE_OK;
    HONE_TRY(check_keys(rd, place, v, known));
    HONE_TRY(at_place(rd, place, hone_value_f64(v, "needs", .5, &c->needs)));
    HONE_TRY(at_place(rd, place, hone_value_f64(v, "cap", 0, &c->cap)));
    if (!(c->needs > 0 && c->needs <= 1) || !(c->cap >= -1 && c->cap < 1))
        return bad(rd, place, "gating: 0 < needs <= 1, -1 <= cap < 1");
    return HONE_OK;
}

static hone_status read_verifier(struct reader *rd, const char *place, const hone_value *map,
                                 hone_rubric_criterion *c)
{
    static const hone_level pass_fail[] = {{{"fail", 4}, {"", 0}, 0}, {{"pass", 4}, {"", 0}, 1}};
    const hone_value *v = hone_value_get(map, "verifier");
    hone_str kind;
    HONE_TRY(read_text(rd, place, map, "kind", &kind));
    if (!v && (!kind.len || hone_str_eq(kind, "levels")))
        return HONE_OK;
    if (kind.len && !hone_str_eq(kind, "program"))
        return bad(rd, place,
                   v ? "a criterion with a verifier is of kind \"program\""
                     : "kind is \"levels\" or \"program\"");
    if (!v || v->type != HONE_MAP)
        return bad(rd, place, "a program needs verifier = { reward = \"NAME\", settings ... }");
    HONE_TRY(read_text(rd, place, v, "reward", &c->verifier));
    if (!c->verifier.len || c->verifier.len > 128)
        return bad(rd, place, "verifier.reward is the name of a reward");
    if (hone_value_get(map, "choices"))
        return bad(rd, place, "a program has no choices: its reward's score is clipped to 0..1");
    c->kind = HONE_CRITERION_PROGRAM;
    c->settings = v;
    c->levels = pass_fail;
    c->n_levels = 2;
    return HONE_OK;
}

/* { { completion =, label = }, ... }, each label one of the criterion's. */
static hone_status read_own_examples(const struct reader *rd, const char *place,
                                     const hone_value *list, hone_rubric_criterion *c)
{
    static const char *const known[] = {"completion", "label", NULL};
    if (!list)
        return HONE_OK;
    if (list->type != HONE_LIST)
        return bad(rd, place, "examples are a list of { completion =, label = }");
    for (size_t i = 0; i < list->u.list.n; i++) {
        const hone_value *e = &list->u.list.items[i];
        hone_str text, label;
        size_t k = 0;
        HONE_TRY(check_keys(rd, place, e, known));
        HONE_TRY(read_text(rd, place, e, "completion", &text));
        HONE_TRY(read_text(rd, place, e, "label", &label));
        while (k < c->n_levels && !hone_str_same(c->levels[k].label, label))
            k++;
        if (k == c->n_levels || !hone_value_get(e, "completion"))
            return bad(rd, place, "an example has a completion, and a label of its criterion");
    }
    c->examples = list;
    return HONE_OK;
}

static hone_status read_criterion(struct reader *rd, const char *place, const hone_value *v,
                                  hone_rubric_criterion *c)
{
    static const char *const known[] = {"id",     "text",     "weight",   "kind", "choices",
                                        "gating", "examples", "verifier", "note", NULL};
    hone_rubric *r = rd->r;
    char at[160];
    HONE_TRY(check_keys(rd, place, v, known));
    HONE_TRY(read_text(rd, place, v, "id", &c->id));
    HONE_TRY(check_name(rd, place, c->id));
    HONE_TRY(read_text(rd, place, v, "text", &c->text));
    HONE_TRY(at_place(rd, place, hone_value_f64(v, "weight", 1, &c->weight)));
    if (!(fabs(c->weight) <= 1e6))
        return bad(rd, place, "the weight is not a number up to a million");
    HONE_TRY(read_verifier(rd, place, v, c));
    HONE_TRY(read_gating(rd, place, hone_value_get(v, "gating"), c));
    if (c->kind == HONE_CRITERION_PROGRAM)
        return HONE_OK;
    if (!c->text.len)
        return bad(rd, place, "a criterion the judge is asked about needs a text");
    const hone_value *choices = hone_value_get(v, "choices");
    if (r->shape != HONE_SHAPE_POINTWISE && choices)
        return bad(rd, place, "only pointwise criteria have choices: others compare candidates");
    if (r->shape != HONE_SHAPE_POINTWISE)
        return HONE_OK;
    const hone_level *levels = r->scale;
    c->n_levels = r->n_scale;
    if (choices) {
        c->own_choices = 1;
        snprintf(at, sizeof at, "%.120s.choices", place);
        HONE_TRY(read_levels(rd, at, choices, &levels, &c->n_levels));
    } else if (!r->n_scale)
        return bad(rd, place, "it has no choices, and the rubric no scale: levels are missing");
    HONE_TRY(scaled(rd, levels, c->n_levels, &c->levels));
    return read_own_examples(rd, place, hone_value_get(v, "examples"), c);
}

static hone_status read_criteria(struct reader *rd, const hone_value *list)
{
    hone_rubric *r = rd->r;
    double positive = 0, negative = 0;
    if (list->type != HONE_LIST || list->u.list.n > HONE_RUBRIC_CRITERIA)
        return bad(rd, "criteria", "a list of at most 64 is expected");
    const size_t n = list->u.list.n;
    hone_rubric_criterion *c = hone_arena_calloc(&r->arena, n ? n : 1, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        char place[64];
        snprintf(place, sizeof place, "criteria[%zu]", i + 1);
        HONE_TRY(read_criterion(rd, place, &list->u.list.items[i], &c[i]));
        for (size_t k = 0; k < i; k++)
            if (hone_str_same(c[k].id, c[i].id))
                return bad(rd, place, "another criterion has the same id");
        positive += c[i].weight > 0 ? c[i].weight : 0;
        negative += c[i].weight < 0 ? c[i].weight : 0;
    }
    r->criteria = c;
    r->n_criteria = n;
    if (n && !(positive > 0)) {
        bad(rd, "criteria", "the positive weights sum to zero: there is nothing to divide by");
        return hone_fail_hint(
            "score = sum(w s) / sum of the positive w: give one criterion a weight above 0");
    }
    if (n && r->shape == HONE_SHAPE_POINTWISE) {
        r->min = negative / positive;
        r->max = 1;
    }
    return HONE_OK;
}

/* ---- examples ------------------------------------------------------------------------------------------------ */

static hone_status read_example(struct reader *rd, const char *place, const hone_value *v,
                                hone_rubric_example *e)
{
    static const char *const known[] = {"prompt",    "completion", "candidates",
                                        "reference", "verdict",    "criteria",
                                        "reasoning", "split",      NULL};
    HONE_TRY(check_keys(rd, place, v, known));
    HONE_TRY(read_text(rd, place, v, "prompt", &e->prompt));
    HONE_TRY(read_text(rd, place, v, "reference", &e->reference));
    HONE_TRY(read_text(rd, place, v, "reasoning", &e->reasoning));
    HONE_TRY(read_text(rd, place, v, "split", &e->split));
    const hone_value *one = hone_value_get(v, "completion"), *many = list_at(v, "candidates");
    const size_t n = many ? many->u.list.n : 1;
    if (!one == !many)
        return bad(rd, place, "an example has a completion or candidates");
    hone_str *c = hone_arena_calloc(&rd->r->arena, n ? n : 1, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const hone_value *t = many ? &many->u.list.items[i] : one;
        if (t->type != HONE_STRING)
            return bad(rd, place, "a completion is a text");
        c[i] = t->u.str;
    }
    e->candidates = c;
    e->n_candidates = n;
    const hone_value *verdict = hone_value_get(v, "verdict");
    if (verdict && verdict->type == HONE_I64)
        e->verdict = number_label(rd->r, (double)verdict->u.i64);
    else
        HONE_TRY(read_text(rd, place, v, "verdict", &e->verdict));
    e->criteria = hone_value_get(v, "criteria");
    if (!e->criteria == !e->verdict.len)
        return bad(rd, place, "an example has a verdict, or criteria = { id = label, ... }");
    if ((rd->r->shape == HONE_SHAPE_POINTWISE && n != 1) ||
        (rd->r->shape == HONE_SHAPE_PAIRWISE && n != 2))
        return bad(rd, place, "its number of candidates is not that of the rubric's shape");
    return HONE_OK;
}

/* Behind those that are there. */
static hone_status read_examples(struct reader *rd, const hone_value *list)
{
    hone_rubric *r = rd->r;
    if (list->type != HONE_LIST || list->u.list.n + r->n_examples > 256)
        return bad(rd, "examples", "a list of at most 256 is expected");
    const size_t n = r->n_examples + list->u.list.n;
    hone_rubric_example *e = hone_arena_calloc(&r->arena, n ? n : 1, sizeof *e);
    if (!e)
        return HONE_E_NOMEM;
    if (r->n_examples)
        memcpy(e, r->examples, r->n_examples * sizeof *e);
    for (size_t i = 0; i < list->u.list.n; i++) {
        char place[64];
        snprintf(place, sizeof place, "examples[%zu]", i + 1);
        HONE_TRY(read_example(rd, place, &list->u.list.items[i], &e[r->n_examples + i]));
    }
    r->examples = e;
    r->n_examples = n;
    return HONE_OK;
}

hone_status hone_rubric_add_examples(hone_rubric *r, const hone_value *list, const char *name)
{
    struct reader rd = {r, name};
    return read_examples(&rd, list);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static hone_status check_changelog(const struct reader *rd, const hone_value *v)
{
    static const char *const known[] = {"version", "date", "text", "by", NULL};
    if (!v)
        return HONE_OK;
    if (v->type != HONE_LIST)
        return bad(rd, "changelog", "a list of { version =, date =, text = } is expected");
    for (size_t i = 0; i < v->u.list.n; i++)
        HONE_TRY(check_keys(rd, "changelog", &v->u.list.items[i], known));
    return HONE_OK;
}

static hone_status build(struct reader *rd)
{
    static const char *const known[] = {"id",    "version",  "title",    "task",      "shape",
                                        "scale", "criteria", "examples", "changelog", NULL};
    hone_rubric *r = rd->r;
    const hone_value *root = &r->root, *v;
    hone_str shape;
    HONE_TRY(check_keys(rd, "", root, known));
    HONE_TRY(read_text(rd, "", root, "id", &r->id));
    HONE_TRY(check_name(rd, "id", r->id));
    HONE_TRY(read_text(rd, "", root, "version", &r->version));
    HONE_TRY(read_text(rd, "", root, "title", &r->title));
    HONE_TRY(read_text(rd, "", root, "task", &r->task));
    HONE_TRY(read_text(rd, "", root, "shape", &shape));
    if (shape.len) {
        while (r->shape < 3 && !hone_str_eq(shape, hone_shape_name(r->shape)))
            r->shape++;
        if (r->shape == 3)
            return bad(rd, "shape", "it is pointwise, pairwise or listwise");
    }
    if ((v = hone_value_get(root, "scale")) != NULL) {
        if (r->shape != HONE_SHAPE_POINTWISE)
            return bad(rd, "scale", "only pointwise rubrics have one: others compare candidates");
        HONE_TRY(read_levels(rd, "scale", v, &r->scale, &r->n_scale));
        r->min = r->scale[0].value;
        r->max = r->scale[r->n_scale - 1].value;
    }
    if (r->shape != HONE_SHAPE_POINTWISE) {
        r->min = r->shape == HONE_SHAPE_PAIRWISE ? -1 : 0;
        r->max = 1;
    }
    if ((v = hone_value_get(root, "criteria")) != NULL)
        HONE_TRY(read_criteria(rd, v));
    if (r->shape == HONE_SHAPE_POINTWISE && !r->n_scale && !r->n_criteria)
        return bad(rd, "", "there is neither a scale nor criteria: levels are missing");
    if (!r->task.len && !r->n_criteria)
        return bad(rd, "", "it says nowhere what to look at: give task or criteria");
    if ((v = hone_value_get(root, "examples")) != NULL)
        HONE_TRY(read_examples(rd, v));
    HONE_TRY(check_changelog(rd, hone_value_get(root, "changelog")));
    return hone_data_hash(&r->root, "changelog", &r->arena, &r->json, r->hash);
}

static hone_rubric *new_rubric(void)
{
    hone_rubric *r = hone_calloc(1, sizeof *r);
    if (r)
        hone_arena_init(&r->arena, 1 << 28);
    return r;
}

static hone_status built(hone_rubric *r, const char *name, hone_status s, hone_rubric **out)
{
    struct reader rd = {r, name};
    if (s >= 0 && r->root.type != HONE_MAP)
        s = bad(&rd, "", "a table with names is expected");
    if (s >= 0)
        s = build(&rd);
    if (s < 0)
        hone_rubric_destroy(r);
    else
        *out = r;
    return s;
}

hone_status hone_rubric_read(const char *text, size_t len, const char *name, hone_rubric **out)
{
    hone_rubric *r = new_rubric();
    return r ? built(r, name, hone_data_read(text, len, name, &r->arena, &r->root), out)
             : HONE_E_NOMEM;
}

hone_status hone_rubric_shipped(hone_str name, char **path)
{
    char leaf[80];
    if (name.len == 0 || name.len > 64)
        return 0;
    for (size_t i = 0; i < name.len; i++) /* a name, not a way out of the folder */
        if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') ||
              (name.ptr[i] >= '0' && name.ptr[i] <= '9') || name.ptr[i] == '_'))
            return 0;
    snprintf(leaf, sizeof leaf, "%.*s.lua", (int)name.len, name.ptr);
    char *found = hone_path_join(hone_paths_rubrics(), leaf);
    if (!found)
        return HONE_E_NOMEM;
    if (!hone_file_exists(found)) {
        hone_free(found);
        return 0;
    }
    *path = found;
    return 1;
}

hone_status hone_rubric_read_file(const char *path, hone_rubric **out)
{
    char *shipped = NULL;
    hone_rubric *r = new_rubric();
    if (!r)
        return HONE_E_NOMEM;
    const hone_status known = hone_file_exists(path)
                                  ? 0
                                  : hone_rubric_shipped(hone_str_c(path), &shipped);
    const char *from = shipped ? shipped : path;
    const hone_status s = built(
        r, from, known < 0 ? known : hone_data_read_file(from, &r->arena, &r->root), out);
    hone_free(shipped);
    return s;
}

hone_status hone_rubric_from_value(const hone_value *v, const char *name, hone_rubric **out)
{
    hone_rubric *r = new_rubric();
    return r ? built(r, name, hone_data_sorted(v, name, &r->arena, &r->root), out) : HONE_E_NOMEM;
}

void hone_rubric_destroy(hone_rubric *r)
{
    if (!r)
        return;
    hone_arena_release(&r->arena);
    hone_free(r);
}

void hone_rubric_score(const hone_rubric *r, const double *values, double *score)
{
    double sum = 0, positive = 0, cap = INFINITY;
    for (size_t i = 0; i < r->n_criteria; i++) {
        const hone_rubric_criterion *c = &r->criteria[i];
        if (c->weight == 0 && !c->gating)
            continue;
        sum += c->weight == 0 ? values[i] * 0 : c->weight * values[i]; /* NaN stays */
        positive += c->weight > 0 ? c->weight : 0;
        if (c->gating && values[i] < c->needs && c->cap < cap)
            cap = c->cap;
    }
    sum /= positive;
    *score = sum > cap ? cap : sum;
}
