/* fuzz_rubric.c - any text is a rubric, a prompt, or an error with its reason: data.c, rubric.c, prompt.c, lint.c.
 *
 * What is read as a rubric has a hash that its own JSON gives again, and a score between its bounds; what is read as a prompt is
 * filled with texts that mean something to hone, and the fence stands in it only where the template has it. */
#include "base/json.h"
#include "judge/lint.h"
#include "judge/prompt.h"
#include "judge/rubric.h"

#include <math.h>
#include <string.h>

static void check_rubric(hone_rubric *r)
{
    hone_arena arena;
    hone_value v;
    hone_rubric *again;
    hone_lint l;
    double values[HONE_RUBRIC_CRITERIA], score;
    hone_arena_init(&arena, 0);
    if (hone_json_parse(r->json.ptr, r->json.len, "canonical", &arena, &v) < 0 ||
        hone_rubric_from_value(&v, "canonical", &again) < 0 || strcmp(again->hash, r->hash) != 0)
        __builtin_trap();
    hone_rubric_destroy(again);
    hone_arena_release(&arena);
    for (int high = 0; high < 2 && r->n_criteria && r->shape == HONE_SHAPE_POINTWISE; high++) {
        for (size_t i = 0; i < r->n_criteria; i++)
            values[i] = (r->criteria[i].weight > 0) == high;
        hone_rubric_score(r, values, &score);
        if (!isfinite(score) || score > r->max + 1e-9)
            __builtin_trap();
    }
    hone_lint_init(&l);
    if (hone_lint_rubric(&l, r, NULL) < 0)
        __builtin_trap();
    hone_lint_release(&l);
}

static void check_prompt(const hone_prompt *p)
{
    hone_prompt_binding b[256];
    hone_arena arena;
    hone_message *m;
    size_t n;
    if (p->n_vars > 256)
        return;
    char names[256][64];
    for (size_t i = 0; i < p->n_vars; i++) {
        if (p->vars[i].len >= sizeof names[i])
            return;
        memcpy(names[i], p->vars[i].ptr, p->vars[i].len);
        names[i][p->vars[i].len] = 0;
        b[i] = (hone_prompt_binding){names[i], {"{{x}}{{fence}}", 14}};
    }
    hone_arena_init(&arena, 0);
    if (hone_prompt_render(p, b, p->n_vars, &arena, &m, &n) < 0 || n != p->n_messages)
        __builtin_trap();
    hone_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    hone_rubric *r;
    hone_prompt *p;
    if (hone_rubric_read((const char *)data, size, "fuzz", &r) >= 0) {
        check_rubric(r);
        hone_rubric_destroy(r);
    } else if (!hone_error_get()->what[0])
        __builtin_trap();
    if (hone_prompt_read((const char *)data, size, "fuzz", &p) >= 0) {
        check_prompt(p);
        hone_prompt_destroy(p);
    }
    return 0;
}
