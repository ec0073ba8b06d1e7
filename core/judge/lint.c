/* lint.c - see lint.h. One function a rule; they look at words, case folded in ASCII.
 *
 * Two texts overlap when their content words (those that are no function words) have a Jaccard index of .6 at least;
 * at 1 they are the same criterion twice. */
#include "judge/lint.h"

#include "base/alloc.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void hone_lint_init(hone_lint *l)
{
    memset(l, 0, sizeof *l);
    hone_arena_init(&l->arena, 1 << 26);
}

void hone_lint_release(hone_lint *l)
{
    hone_arena_release(&l->arena);
    hone_free(l->problems);
    memset(l, 0, sizeof *l);
}

static hone_status add(hone_lint *l, int level, const char *rule, const char *place,
                       const char *fmt, ...) HONE_PRINTF(5, 6);
static hone_status add(hone_lint *l, int level, const char *rule, const char *place,
                       const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : 16;
        hone_lint_problem *more = hone_reallocarray(l->problems, cap, sizeof *more);
        if (!more)
            return HONE_E_NOMEM;
        l->problems = more;
        l->cap = cap;
    }
    hone_lint_problem p = {rule, hone_arena_strndup(&l->arena, place, strlen(place)),
                           hone_arena_strndup(&l->arena, text, strlen(text)), level};
    if (!p.place || !p.text)
        return HONE_E_NOMEM;
    l->problems[l->n++] = p;
    *(level == HONE_LINT_ERROR ? &l->errors : &l->warnings) += 1;
    return HONE_OK;
}

/* ---- words ------------------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80 || c == '\'';
}

/* The next word of s from *at on. */
static int next_word(hone_str s, size_t *at, hone_str *word)
{
    size_t i = *at;
    while (i < s.len && !is_word(s.ptr[i]))
        i++;
    const size_t from = i;
    while (i < s.len && is_word(s.ptr[i]))
        i++;
    *at = i;
    *word = (hone_str){s.ptr + from, i - from};
    return i > from;
}

static int same_word(hone_str a, const char *z, size_t n)
{
    if (a.len != n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (lower(a.ptr[i]) != lower(z[i]))
            return 0;
    return 1;
}

/* Is the word in a list written as " one two "? */
static int in_list(hone_str word, const char *list)
{
    for (const char *p = list; *p;) {
        const size_t n = strcspn(p, " ");
        if (n && same_word(word, p, n))
            return 1;
        p += n + (p[n] == ' ');
    }
    return 0;
}

static const char function_words[] =
    "a an the is are was be been does do did it its this that of to in on for with by at from as "
    "and or not no any "
    "there which what who how than then so but if answer answers response text reader has have had";
static const char vague_words[] =
    "good bad nice great poor appropriate appropriately adequate adequately reasonable reasonably "
    "suitable "
    "proper properly sufficient sufficiently acceptable decent quality generally overly somewhat "
    "fairly "
    "interesting relevant etc best better optimal satisfactory professional high-quality";

/* ---- the rules on one text ------------------------------------------------------------------------------ */

static hone_status check_vague(hone_lint *l, const char *place, hone_str text, int anchored)
{
    hone_str w;
    for (size_t at = 0; next_word(text, &at, &w);)
        if (in_list(w, vague_words))
            return anchored ? HONE_OK
                            : add(l, HONE_LINT_WARNING, "vague", place,
                                  "\"%.*s\" is read differently by everybody: say what can be "
                                  "seen in the text, or anchor each level",
                                  (int)w.len, w.ptr);
    return HONE_OK;
}

static hone_status check_compound(hone_lint *l, const char *place, hone_str text)
{
    size_t questions = 0;
    hone_str w, found = {NULL, 0};
    for (size_t i = 0; i < text.len; i++) {
        questions += text.ptr[i] == '?';
        if (text.ptr[i] == ';')
            found = (hone_str){";", 1};
    }
    for (size_t at = 0; next_word(text, &at, &w);)
        if (in_list(w, "and") || in_list(w, "also"))
            found = w;
    if (questions > 1)
        return add(l, HONE_LINT_WARNING, "compound", place,
                   "it asks %zu questions: one criterion, one question", questions);
    if (found.ptr)
        return add(l, HONE_LINT_WARNING, "compound", place,
                   "\"%.*s\" joins two things that can differ: make two criteria", (int)found.len,
                   found.ptr);
    return HONE_OK;
}

/* Negative weights already turn the question round. */
static hone_status check_polarity(hone_lint *l, const char *place, const hone_rubric_criterion *c)
{
    hone_str w;
    for (size_t at = 0; c->weight < 0 && next_word(c->text, &at, &w);)
        if (in_list(w, "not no never avoid avoids without free don't doesn't"))
            return add(l, HONE_LINT_WARNING, "polarity", place,
                       "\"%.*s\" under a negative weight is a double negation: ask whether the bad "
                       "thing is there",
                       (int)w.len, w.ptr);
    return HONE_OK;
}

/* ---- levels ------------------------------------------------------------------------------------------------ */

static int is_number(hone_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '.' || s.ptr[i] == '-'))
            return 0;
    return 1;
}

static int anchored(const hone_level *levels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!levels[i].text.len)
            return 0;
    return n > 0;
}

static hone_status check_levels(hone_lint *l, const char *place, const hone_level *levels, size_t n,
                                const hone_lint_tokens *tokens)
{
    size_t bare = 0, several = 0, first = 0;
    long n_tokens = 0;
    for (size_t i = 0; i < n; i++) {
        bare += !levels[i].text.len && is_number(levels[i].label);
        for (size_t k = 0; k < i && levels[i].text.len; k++)
            if (hone_str_same(levels[i].text, levels[k].text))
                HONE_TRY(add(l, HONE_LINT_ERROR, "duplicate", place,
                             "levels \"%.*s\" and \"%.*s\" have the same anchor: nobody can tell "
                             "them apart",
                             (int)levels[k].label.len, levels[k].label.ptr,
                             (int)levels[i].label.len, levels[i].label.ptr));
        const long t = tokens ? tokens->count(tokens->ctx, levels[i].label) : 1;
        if (t < 0)
            return (hone_status)t;
        if (t > 1 && !several++) {
            first = i;
            n_tokens = t;
        }
    }
    if (several)
        HONE_TRY(
            add(l, HONE_LINT_WARNING, "label-tokens", place,
                "\"%.*s\" is %ld tokens of %s (%zu of %zu labels are several): they are read by "
                "teacher forcing, which costs more; take labels of one token",
                (int)levels[first].label.len, levels[first].label.ptr, n_tokens, tokens->name,
                several, n));
    if (bare == n)
        return add(l, HONE_LINT_ERROR, "missing-anchor", place,
                   "no level says when it is given: write an anchor for each");
    if (bare)
        return add(l, HONE_LINT_WARNING, "missing-anchor", place,
                   "%zu of %zu levels have no anchor: write when each is given", bare, n);
    if (n > 7)
        return add(l, HONE_LINT_WARNING, "many-levels", place,
                   "%zu levels: few judges tell more than 7 apart", n);
    return HONE_OK;
}

/* ---- criteria against each other ------------------------------------------------------------------------------ */

static size_t content_words(hone_str text, hone_str *out, size_t max)
{
    size_t n = 0;
    hone_str w;
    for (size_t at = 0; n < max && next_word(text, &at, &w);) {
        size_t k = 0;
        if (in_list(w, function_words))
            continue;
        while (k < n && !same_word(out[k], w.ptr, w.len))
            k++;
        if (k == n)
            out[n++] = w;
    }
    return n;
}

static double overlap(hone_str a, hone_str b)
{
    enum { MOST = 64 };
    hone_str x[MOST], y[MOST];
    const size_t n = content_words(a, x, MOST), m = content_words(b, y, MOST);
    size_t both = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m; k++)
            both += (size_t)same_word(x[i], y[k].ptr, y[k].len);
    return n + m > both ? (double)both / (double)(n + m - both) : n ? 1 : 0;
}

static hone_status check_pairs(hone_lint *l, const hone_rubric *r, size_t i, const char *place)
{
    const hone_rubric_criterion *c = r->criteria;
    for (size_t k = 0; k < i; k++) {
        if (c[i].kind != HONE_CRITERION_LEVELS || c[k].kind != HONE_CRITERION_LEVELS)
            continue;
        const double o = overlap(c[i].text, c[k].text);
        if (o == 1)
            HONE_TRY(add(l, HONE_LINT_ERROR, "duplicate", place,
                         "it asks what \"%.*s\" asks: what they share counts twice",
                         (int)c[k].id.len, c[k].id.ptr));
        else if (o >= .6)
            HONE_TRY(
                add(l, HONE_LINT_WARNING, "overlap", place,
                    "it shares %.0f %% of its words with \"%.*s\": what they share counts twice",
                    100 * o, (int)c[k].id.len, c[k].id.ptr));
    }
    return HONE_OK;
}

static hone_status check_criterion(hone_lint *l, const hone_rubric *r, size_t i,
                                   const hone_lint_tokens *tokens)
{
    const hone_rubric_criterion *c = &r->criteria[i];
    char place[96];
    snprintf(place, sizeof place, "criteria[%zu] %.*s", i + 1, (int)c->id.len, c->id.ptr);
    if (c->weight == 0 && !c->gating)
        HONE_TRY(
            add(l, HONE_LINT_WARNING, "dead", place,
                "its weight is 0 and it gates nothing: it costs a question and changes no score"));
    if (c->gating && r->shape != HONE_SHAPE_POINTWISE)
        HONE_TRY(add(l, HONE_LINT_ERROR, "dead", place,
                     "a comparison has no score to cap: gating works in pointwise rubrics"));
    if (c->kind != HONE_CRITERION_LEVELS)
        return HONE_OK;
    HONE_TRY(check_compound(l, place, c->text));
    HONE_TRY(check_vague(l, place, c->text, anchored(c->levels, c->n_levels)));
    HONE_TRY(check_polarity(l, place, c));
    if (c->own_choices)
        HONE_TRY(check_levels(l, place, c->levels, c->n_levels, tokens));
    return check_pairs(l, r, i, place);
}

/* ---- examples, changelog ------------------------------------------------------------------------------------- */

static int has_label(const hone_level *levels, size_t n, hone_str label)
{
    for (size_t i = 0; i < n; i++)
        if (hone_str_same(levels[i].label, label))
            return 1;
    return 0;
}

static hone_status check_answer(hone_lint *l, const hone_rubric *r, const char *place,
                                const hone_rubric_example *e)
{
    const hone_value *given = e->criteria;
    if (e->verdict.len && r->shape == HONE_SHAPE_POINTWISE && !r->n_criteria &&
        !has_label(r->scale, r->n_scale, e->verdict))
        return add(l, HONE_LINT_ERROR, "example", place, "its verdict \"%.*s\" is no level",
                   (int)(e->verdict.len < 60 ? e->verdict.len : 60), e->verdict.ptr);
    if (e->verdict.len && r->shape == HONE_SHAPE_PAIRWISE && !hone_str_eq(e->verdict, "a") &&
        !hone_str_eq(e->verdict, "b") && !hone_str_eq(e->verdict, "tie"))
        return add(l, HONE_LINT_ERROR, "example", place, "its verdict is a, b or tie");
    if (!given || given->type != HONE_MAP)
        return given ? add(l, HONE_LINT_ERROR, "example", place, "criteria = { id = label }")
                     : HONE_OK;
    for (size_t i = 0; i < r->n_criteria && r->shape == HONE_SHAPE_POINTWISE; i++) {
        const hone_rubric_criterion *c = &r->criteria[i];
        const hone_value *v = hone_value_get_str(given, c->id);
        if (c->kind != HONE_CRITERION_LEVELS)
            continue;
        if (!v || v->type != HONE_STRING || !has_label(c->levels, c->n_levels, v->u.str))
            HONE_TRY(add(l, HONE_LINT_ERROR, "example", place,
                         "it has no choice of \"%.*s\" as text", (int)c->id.len, c->id.ptr));
    }
    return HONE_OK;
}

static hone_status check_examples(hone_lint *l, const hone_rubric *r)
{
    for (size_t i = 0; i < r->n_examples; i++) {
        const hone_rubric_example *e = &r->examples[i];
        char place[40];
        snprintf(place, sizeof place, "examples[%zu]", i + 1);
        if (e->split.len && !hone_str_eq(e->split, "few-shot"))
            HONE_TRY(add(
                l, HONE_LINT_ERROR, "example-split", place,
                "it is of the split \"%.*s\": a judge that has seen it cannot be tested with it",
                (int)(e->split.len < 60 ? e->split.len : 60), e->split.ptr));
        HONE_TRY(check_answer(l, r, place, e));
    }
    return HONE_OK;
}

static hone_status check_history(hone_lint *l, const hone_rubric *r)
{
    const hone_value *log = hone_value_get(&r->root, "changelog");
    if (!r->version.len)
        return add(l, HONE_LINT_WARNING, "version", "version",
                   "there is none: labels and gates name the rubric by it");
    for (size_t i = 0; log && i < log->u.list.n; i++) {
        const hone_value *v = hone_value_get(&log->u.list.items[i], "version");
        if (v && v->type == HONE_STRING && hone_str_same(v->u.str, r->version))
            return HONE_OK;
    }
    return add(l, HONE_LINT_WARNING, "version", "changelog",
               "nothing is said of version %.*s: write what changed",
               (int)(r->version.len < 60 ? r->version.len : 60), r->version.ptr);
}

hone_status hone_lint_rubric(hone_lint *l, const hone_rubric *r, const hone_lint_tokens *tokens)
{
    if (r->n_scale)
        HONE_TRY(check_levels(l, "scale", r->scale, r->n_scale, tokens));
    if (r->shape == HONE_SHAPE_POINTWISE && !r->n_criteria)
        HONE_TRY(check_vague(l, "task", r->task, anchored(r->scale, r->n_scale)));
    for (size_t i = 0; i < r->n_criteria; i++)
        HONE_TRY(check_criterion(l, r, i, tokens));
    HONE_TRY(check_examples(l, r));
    return check_history(l, r);
}

hone_status hone_lint_file(hone_lint *l, const char *path, const hone_lint_tokens *tokens)
{
    hone_rubric *r;
    hone_status s = hone_rubric_read_file(path, &r);
    if (s >= 0) {
        s = hone_lint_rubric(l, r, tokens);
        hone_rubric_destroy(r);
        return s;
    }
    if (s != HONE_E_PARSE && s != HONE_E_INVALID && s != HONE_E_SCRIPT && s != HONE_E_LIMIT &&
        s != HONE_E_TYPE && s != HONE_E_RANGE)
        return s;
    const hone_error *e = hone_error_get();
    const size_t n = strlen(path);
    const char *what = e->what; /* the path stands beside it already */
    if (strncmp(what, path, n) == 0 && what[n] == ':' && what[n + 1] == ' ')
        what += n + 2;
    return add(l, HONE_LINT_ERROR, "invalid", "rubric", "%s%s%s", what, *e->hint ? ": " : "",
               e->hint);
}

void hone_lint_json(const hone_lint *l, const hone_rubric *r, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "kind", "lint");
    if (r) {
        hone_buf b;
        hone_buf_init(&b, 256);
        hone_buf_addf(&b, "%.*s@%s", (int)r->id.len, r->id.ptr, r->hash);
        hone_jw_kstr(w, "rubric", hone_buf_str(&b));
        if (b.failed)
            w->out->failed = b.failed;
        hone_buf_release(&b);
    }
    hone_jw_key(w, "problems");
    hone_jw_list(w);
    for (size_t i = 0; i < l->n; i++) {
        hone_jw_map(w);
        hone_jw_kcstr(w, "rule", l->problems[i].rule);
        hone_jw_kcstr(w, "place", l->problems[i].place);
        hone_jw_kcstr(w, "text", l->problems[i].text);
        hone_jw_kcstr(w, "level", l->problems[i].level == HONE_LINT_ERROR ? "error" : "warning");
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_ki64(w, "errors", (int64_t)l->errors);
    hone_jw_ki64(w, "warnings", (int64_t)l->warnings);
    hone_jw_end(w);
}
