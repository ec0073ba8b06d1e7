/* steps.c - see steps.h. */
#include "curate/steps.h"

#include <math.h>
#include <stdio.h>

/* ---- dedup ------------------------------------------------------------------------------------------------------------ */

hone_status hone_dedup_settings(const hone_cluster_spec *spec, hone_jw *w)
{
    if (!(spec->threshold > 0 && spec->threshold <= 1))
        return hone_fail(HONE_E_USAGE, "threshold is above 0 and at most 1");
    if (spec->words < 1 || spec->words > 64 || spec->bands < 1 || spec->bands > HONE_MINHASH_MAX ||
        spec->rows < 1 || spec->rows > HONE_MINHASH_MAX)
        return hone_fail(HONE_E_USAGE, "ngram is from 1 to 64, bands and rows from 1 to %d",
                         HONE_MINHASH_MAX);
    hone_jw_kcstr(w, "normalise", hone_fold_name(spec->fold));
    if (spec->near) {
        hone_jw_ki64(w, "ngram", spec->words);
        hone_jw_ki64(w, "bands", spec->bands);
        hone_jw_ki64(w, "rows", spec->rows);
        hone_jw_ki64(w, "seed", (int64_t)spec->seed);
        hone_jw_kf64(w, "threshold", spec->threshold);
        hone_jw_kbool(w, "verify", spec->verify);
    }
    return HONE_OK;
}

void hone_dedup_told(const hone_cluster_spec *spec, const hone_dedup_result *r, hone_jw *w)
{
    hone_jw_ki64(w, "rows", (int64_t)r->clusters.pass.rows);
    hone_jw_ki64(w, "malformed", (int64_t)r->clusters.pass.bad);
    hone_jw_ki64(w, "kept", (int64_t)r->kept);
    hone_jw_ki64(w, "exact", (int64_t)r->dropped_same);
    if (spec->near) {
        hone_jw_ki64(w, "near", (int64_t)r->dropped_near);
        hone_jw_ki64(w, "candidates", (int64_t)r->clusters.candidates);
        hone_jw_ki64(w, "compared", (int64_t)r->clusters.compared);
    }
}

/* ---- decontaminate ---------------------------------------------------------------------------------------------------- */

hone_status hone_leak_settings(const hone_leak_spec *spec, const hone_input *items, hone_jw *w)
{
    if (spec->words < 1 || spec->words > 1000 || spec->least < 1 || spec->least > 1000 ||
        !(spec->share >= 0 && spec->share <= 1))
        return hone_fail(HONE_E_USAGE, "ngram and min-words are from 1 to 1000, share from 0 to 1");
    hone_jw_ki64(w, "ngram", spec->words);
    hone_jw_ki64(w, "min_words", spec->least);
    hone_jw_kf64(w, "share", spec->share);
    if (spec->item_columns)
        hone_jw_kcstr(w, "against_columns", spec->item_columns);
    hone_jw_key(w, "against");
    return hone_input_identity(items, w);
}

void hone_leak_told(const hone_leaks *l, const hone_input *items, const hone_leak_result *r,
                    hone_jw *w)
{
    hone_jw_ki64(w, "rows", (int64_t)r->pass.rows);
    hone_jw_ki64(w, "malformed", (int64_t)r->pass.bad);
    hone_jw_ki64(w, "kept", (int64_t)r->kept);
    hone_jw_ki64(w, "dropped", (int64_t)r->dropped);
    hone_jw_ki64(w, "items", (int64_t)r->items);
    hone_jw_ki64(w, "items_too_brief", (int64_t)r->brief);
    hone_jw_ki64(w, "items_hit", (int64_t)r->hit);
    hone_jw_key(w, "hit_by_file");
    hone_jw_map(w);
    for (uint32_t i = 0; i < hone_input_files(items); i++) {
        uint64_t all, hit;
        hone_leaks_of(l, i, &all, &hit);
        hone_jw_ki64(w, hone_input_path(items, i), (int64_t)hit);
    }
    hone_jw_end(w);
}

/* ---- filter ----------------------------------------------------------------------------------------------------------- */

static void rule_name(size_t i, char *out, size_t n)
{
    snprintf(out, n, "%s.%s", hone_quality_set_name(hone_quality_rules[i].set),
             hone_quality_rules[i].name);
}

void hone_quality_settings(const hone_quality *q, hone_jw *w)
{
    hone_jw_key(w, "rules");
    hone_jw_map(w);
    for (size_t i = 0; i < hone_quality_n(); i++) {
        char name[64];
        if (!q->on[i])
            continue;
        rule_name(i, name, sizeof name);
        hone_jw_kf64(w, name, q->limit[i]);
    }
    hone_jw_end(w);
}

void hone_filter_told(const hone_filter_result *r, hone_jw *w)
{
    hone_jw_ki64(w, "rows", (int64_t)r->pass.rows);
    hone_jw_ki64(w, "malformed", (int64_t)r->pass.bad);
    hone_jw_ki64(w, "kept", (int64_t)r->kept);
    hone_jw_ki64(w, "dropped", (int64_t)r->dropped);
    hone_jw_key(w, "reasons");
    hone_jw_map(w);
    for (size_t i = 0; i < hone_quality_n(); i++) {
        char name[64];
        if (!r->reason[i])
            continue;
        rule_name(i, name, sizeof name);
        hone_jw_ki64(w, name, (int64_t)r->reason[i]);
    }
    hone_jw_end(w);
}

/* ---- select ----------------------------------------------------------------------------------------------------------- */

hone_status hone_select_settings(const hone_select_spec *spec, int scored, hone_jw *w)
{
    if (!(spec->share >= 0 && spec->share <= 1))
        return hone_fail(HONE_E_USAGE, "share is from 0 to 1");
    if (!scored &&
        (spec->top || spec->share > 0 || !isnan(spec->min) || !isnan(spec->max) || spec->as))
        return hone_fail(HONE_E_USAGE, "which score? by, ifd or verdicts is missing");
    if (!scored && !spec->diverse)
        return hone_fail(HONE_E_USAGE, "by, ifd, verdicts or diverse is missing");
    if (scored && !spec->top && spec->share <= 0 && isnan(spec->min) && isnan(spec->max) &&
        !spec->diverse && !spec->as)
        return hone_fail(HONE_E_USAGE, "top, share, min, max, diverse or as is missing");
    if (spec->by)
        hone_jw_kcstr(w, "by", spec->by);
    if (spec->as)
        hone_jw_kcstr(w, "as", spec->as);
    hone_jw_kbool(w, "lowest", spec->lowest);
    hone_jw_kf64(w, "min", spec->min);
    hone_jw_kf64(w, "max", spec->max);
    hone_jw_ki64(w, "top", (int64_t)spec->top);
    hone_jw_kf64(w, "share", spec->share);
    hone_jw_ki64(w, "diverse", (int64_t)spec->diverse);
    if (spec->embedding)
        hone_jw_kcstr(w, "embedding", spec->embedding);
    hone_jw_ki64(w, "seed", (int64_t)spec->seed);
    return HONE_OK;
}

void hone_select_told(const hone_select_spec *spec, int scored, const hone_select_result *r,
                      hone_jw *w)
{
    hone_jw_ki64(w, "rows", (int64_t)r->pass.rows);
    hone_jw_ki64(w, "malformed", (int64_t)r->pass.bad);
    if (scored) {
        hone_jw_ki64(w, "scored", (int64_t)r->scored);
        hone_jw_ki64(w, "within", (int64_t)r->within);
    }
    hone_jw_ki64(w, "kept", (int64_t)r->kept);
    hone_jw_ki64(w, "dropped", (int64_t)r->dropped);
    if (scored && r->kept) {
        hone_jw_kf64(w, "least", r->least);
        hone_jw_kf64(w, "most", r->most);
    }
    if (spec->diverse)
        hone_jw_kf64(w, "radius", r->radius);
}

/* ---- split ------------------------------------------------------------------------------------------------------------ */

hone_status hone_split_settings(const hone_split_spec *spec, hone_jw *w)
{
    double all = 0;
    if (!spec->n || spec->n > HONE_SPLIT_MAX)
        return hone_fail(HONE_E_USAGE, "from 1 to %d files with a share each are wanted",
                         HONE_SPLIT_MAX);
    hone_jw_key(w, "into");
    hone_jw_list(w);
    for (size_t i = 0; i < spec->n; i++) {
        if (!(spec->share[i] > 0))
            return hone_fail(HONE_E_USAGE, "a share is above 0");
        all += spec->share[i];
        hone_jw_f64(w, spec->share[i]);
    }
    hone_jw_end(w);
    if (all > 1 + 1e-9)
        return hone_fail(HONE_E_USAGE, "the shares sum up to more than 1");
    hone_jw_ki64(w, "seed", (int64_t)spec->seed);
    if (spec->group)
        hone_jw_kcstr(w, "group", spec->group);
    if (spec->near)
        hone_jw_kf64(w, "near", spec->near->threshold);
    return HONE_OK;
}

void hone_split_told(const char *const *paths, size_t n, const hone_split_result *r, hone_jw *w)
{
    hone_jw_ki64(w, "rows", (int64_t)r->pass.rows);
    hone_jw_ki64(w, "malformed", (int64_t)r->pass.bad);
    hone_jw_ki64(w, "left_out", (int64_t)r->left_out);
    hone_jw_key(w, "files");
    hone_jw_map(w);
    for (size_t i = 0; i < n; i++)
        hone_jw_ki64(w, paths[i], (int64_t)r->rows[i]);
    hone_jw_end(w);
}

/* ---- mix -------------------------------------------------------------------------------------------------------------- */

hone_status hone_mix_settings(const hone_mix_spec *spec, hone_jw *w)
{
    if (!spec->n || spec->n > HONE_MIX_MAX)
        return hone_fail(HONE_E_USAGE, "from 1 to %d files are mixed", HONE_MIX_MAX);
    if (spec->repeat && !spec->rows)
        return hone_fail(HONE_E_USAGE, "repeat needs count, or it would not end");
    if (spec->repeat && spec->stop)
        return hone_fail(HONE_E_USAGE, "repeat and stop-first exclude each other");
    hone_jw_key(w, "weights");
    hone_jw_list(w);
    for (size_t i = 0; i < spec->n; i++) {
        if (!(spec->weight[i] > 0))
            return hone_fail(HONE_E_USAGE, "a weight is above 0");
        hone_jw_f64(w, spec->weight[i]);
    }
    hone_jw_end(w);
    if (spec->by_bytes)
        hone_jw_kbool(w, "by_bytes", 1);
    hone_jw_ki64(w, "seed", (int64_t)spec->seed);
    hone_jw_ki64(w, "count", (int64_t)spec->rows);
    hone_jw_kbool(w, "stop_first", spec->stop);
    hone_jw_kbool(w, "repeat", spec->repeat);
    return HONE_OK;
}

void hone_mix_told(const char *const *paths, const hone_mix_spec *spec, const hone_mix_result *r,
                   hone_jw *w)
{
    hone_jw_ki64(w, "rows", (int64_t)r->rows);
    hone_jw_key(w, "files");
    hone_jw_map(w);
    for (size_t k = 0; k < spec->n; k++)
        hone_jw_ki64(w, paths[k], (int64_t)r->from[k]);
    hone_jw_end(w);
    hone_jw_key(w, "bytes");
    hone_jw_map(w);
    for (size_t k = 0; k < spec->n; k++)
        hone_jw_ki64(w, paths[k], (int64_t)r->bytes[k]);
    hone_jw_end(w);
}
