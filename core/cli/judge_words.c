/* judge_words.c - see judge_words.h. */
#include "cli/judge_words.h"

#include "base/alloc.h"
#include "judge/rubric.h"

#include <math.h>
#include <string.h>

struct hone_cli_words {
    hone_rubric *rubric;
    char *ids[HONE_RUBRIC_CRITERIA + 1];
    const hone_rubric_criterion *criteria[HONE_RUBRIC_CRITERIA];
};

hone_status hone_cli_words_open(const char *rubric, hone_cli_words **out)
{
    hone_cli_words *w = hone_calloc(1, sizeof *w);
    size_t n = 0;
    if (!w)
        return HONE_E_NOMEM;
    hone_status s = hone_rubric_read_file(rubric, &w->rubric);
    for (size_t i = 0; s >= 0 && i < w->rubric->n_criteria; i++) {
        const hone_rubric_criterion *c = &w->rubric->criteria[i];
        if (c->kind != HONE_CRITERION_LEVELS)
            continue;
        w->criteria[n] = c;
        w->ids[n] = hone_strndup(c->id.ptr, c->id.len);
        s = w->ids[n++] ? HONE_OK : HONE_E_NOMEM;
    }
    if (s < 0) {
        hone_cli_words_close(w);
        return s;
    }
    *out = w;
    return HONE_OK;
}

void hone_cli_words_close(hone_cli_words *w)
{
    if (!w)
        return;
    for (size_t i = 0; w->ids[i]; i++)
        hone_free(w->ids[i]);
    hone_rubric_destroy(w->rubric);
    hone_free(w);
}

const char *hone_cli_words_criterion(const hone_cli_words *w, size_t i)
{
    return w && i < HONE_RUBRIC_CRITERIA ? w->ids[i] : NULL;
}

static const hone_rubric_criterion *find(const hone_cli_words *w, const char *criterion)
{
    for (size_t i = 0; criterion && w->ids[i]; i++)
        if (strcmp(w->ids[i], criterion) == 0)
            return w->criteria[i];
    return NULL;
}

double hone_cli_words_range(const hone_cli_words *w, const char *criterion)
{
    if (!w)
        return 0;
    if (w->rubric->shape == HONE_SHAPE_PAIRWISE)
        return 2;
    return criterion ? 1 : w->rubric->max - w->rubric->min;
}

void hone_cli_words_value(const hone_cli_words *w, const char *criterion, double v, hone_buf *out)
{
    char text[32];
    const hone_rubric_criterion *c = w ? find(w, criterion) : NULL;
    const hone_level *levels = c ? c->levels : w && !criterion ? w->rubric->scale : NULL;
    const size_t n = c ? c->n_levels : levels ? w->rubric->n_scale : 0;
    if (w && w->rubric->shape == HONE_SHAPE_PAIRWISE && (v == 1 || v == -1 || v == 0)) {
        hone_buf_adds(out, v > 0 ? "the first" : v < 0 ? "the second" : "a tie");
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (fabs(levels[i].value - v) < 1e-9) {
            hone_buf_addf(out, "\"%.*s\"", (int)levels[i].label.len, levels[i].label.ptr);
            if (levels[i].text.len)
                hone_buf_addf(out, " (%.*s)",
                              (int)(levels[i].text.len < 60 ? levels[i].text.len : 60),
                              levels[i].text.ptr);
            return;
        }
    text[hone_format_f64(round(v * 100) / 100, text)] = 0;
    hone_buf_adds(out, text);
}
