/* calibrate_json.c - the calibration as one JSON object (docs/judges.md, section 7). */
#include "judge/calibrate_int.h"

#include <math.h>

void hone__calib_about_json(const hone_calib_about *a, hone_jw *w)
{
    hone_jw_kcstr(w, "spec", a->spec);
    hone_jw_kcstr(w, "rubric", a->rubric);
    if (a->criterion)
        hone_jw_kcstr(w, "criterion", a->criterion);
    if (a->at)
        hone_jw_kcstr(w, "at", a->at);
    hone_jw_kcstr(w, "hone", a->version);
    hone_jw_key(w, "data");
    hone_jw_map(w);
    for (size_t i = 0; i < a->n_data; i++) {
        hone_jw_key(w, a->data[i].name);
        hone_jw_map(w);
        hone_jw_kcstr(w, "path", a->data[i].path);
        hone_jw_kcstr(w, "sha256", a->data[i].sha256[0] ? a->data[i].sha256 : NULL);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static void agreement(const hone_calibration *c, hone_jw *w)
{
    hone_jw_key(w, "ceiling");
    hone_jw_map(w);
    hone_figure_write_key(w, "kappa_w", &c->ceiling_kappa_w);
    hone_figure_write_key(w, "ac2", &c->ceiling_ac2);
    hone_figure_write_key(w, "alpha", &c->ceiling_alpha);
    hone_figure_write_key(w, "accuracy", &c->ceiling_accuracy);
    hone_figure_write_key(w, "icc2", &c->ceiling_icc2);
    hone_figure_write_key(w, "same_expert_twice", &c->intra_expert);
    hone_jw_end(w);
    hone_jw_key(w, "agreement");
    hone_jw_map(w);
    hone_figure_write_key(w, "kappa_w", &c->kappa_w);
    hone_figure_write_key(w, "ac2", &c->ac2);
    hone_figure_write_key(w, "alpha", &c->alpha);
    hone_figure_write_key(w, "icc2", &c->icc2);
    hone_figure_write_key(w, "tau_b", &c->tau_b);
    hone_figure_write_key(w, "spearman", &c->spearman);
    hone_figure_write_key(w, "pearson", &c->pearson);
    hone_figure_write_key(w, "accuracy", &c->accuracy);
    hone_figure_write_key(w, "kappa", &c->kappa);
    hone_figure_write_key(w, "pairwise_accuracy", &c->pairwise_accuracy);
    hone_figure_write_key(w, "pairwise_accuracy_with_ties", &c->pairwise_ties);
    hone_jw_end(w);
    hone_jw_key(w, "difference");
    hone_jw_map(w);
    hone_figure_write_key(w, "kappa_w", &c->difference_kappa_w);
    hone_figure_write_key(w, "ac2", &c->difference_ac2);
    hone_jw_end(w);
    hone_jw_key(w, "alt_test");
    hone_jw_map(w);
    hone_jw_key(w, "passed");
    if (c->alt_test.why)
        hone_jw_null(w);
    else
        hone_jw_bool(w, c->alt_test.passed);
    hone_jw_key(w, "winning_rate");
    if (c->alt_test.why)
        hone_jw_null(w);
    else
        hone_jw_f64(w, c->alt_test.winning_rate);
    hone_jw_kf64(w, "epsilon", c->alt_test.epsilon);
    hone_jw_ki64(w, "experts", (int64_t)c->alt_test.experts);
    hone_jw_ki64(w, "items", (int64_t)c->alt_test.items);
    if (c->alt_test.why)
        hone_jw_kcstr(w, "why", c->alt_test.why);
    hone_jw_end(w);
}

static void confusion(const hone_calibration *c, hone_jw *w)
{
    const size_t q = c->n_levels;
    hone_jw_key(w, "confusion");
    hone_jw_map(w);
    hone_jw_key(w, "levels");
    hone_jw_list(w);
    for (size_t i = 0; i < q; i++)
        hone_jw_f64(w, c->levels[i]);
    hone_jw_end(w);
    hone_jw_key(w, "counts"); /* rows: the experts' consensus, columns: the judge */
    hone_jw_list(w);
    for (size_t i = 0; i < q; i++) {
        hone_jw_list(w);
        for (size_t k = 0; k < q; k++)
            hone_jw_i64(w, (int64_t)c->counts[i * q + k]);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
    if (c->scaled) {
        hone_jw_key(w, "judge_scale");
        hone_jw_list(w);
        hone_jw_f64(w, c->scale[0]);
        hone_jw_f64(w, c->scale[1]);
        hone_jw_end(w);
    }
    hone_jw_kf64(w, "threshold",
                 c->shape == HONE_SHAPE_LISTWISE ? (double)NAN : c->threshold); /* NaN: null */
    hone_figure_write_key(w, "tpr", &c->tpr);
    hone_figure_write_key(w, "tnr", &c->tnr);
    hone_figure_write_key(w, "precision", &c->precision);
    hone_jw_ki64(w, "positives", (int64_t)c->positives);
    hone_jw_ki64(w, "negatives", (int64_t)c->negatives);
    hone_jw_ki64(w, "divided", (int64_t)c->divided);
}

static void failures(const hone_calibration *c, hone_jw *w)
{
    hone_jw_key(w, "unparsed");
    hone_jw_map(w);
    hone_figure_write_key(w, "rate", &c->unparsed);
    hone_jw_key(w, "by_length");
    hone_jw_list(w);
    for (size_t i = 0; i < c->n_bins; i++) {
        hone_jw_map(w);
        hone_jw_kf64(w, "lo", c->bins[i].lo);
        hone_jw_kf64(w, "hi", c->bins[i].hi);
        hone_jw_ki64(w, "n", (int64_t)c->bins[i].n);
        hone_figure_write_key(w, "rate", &c->bins[i].rate);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_key(w, "related");
    if (c->related < 0)
        hone_jw_null(w);
    else
        hone_jw_bool(w, c->related);
    hone_jw_key(w, "statuses");
    hone_jw_map(w);
    for (int k = 0; k < HONE_JOINED_STATUSES; k++)
        hone_jw_ki64(w, hone_joined_status_names[k], (int64_t)c->status[k]);
    hone_jw_end(w);
    hone_jw_end(w);
    hone_jw_key(w, "swap_inconsistency");
    if (c->shape != HONE_SHAPE_POINTWISE)
        hone_figure_write(w, &c->swap_inconsistency);
    else
        hone_jw_null(w);
}

static void slices(const hone_calibration *c, hone_jw *w)
{
    hone_figure_write_key(w, "bias", &c->bias);
    hone_jw_key(w, "slices");
    hone_jw_list(w);
    for (size_t i = 0; i < c->n_slices; i++) {
        const hone_calib_slice *s = &c->slices[i];
        hone_jw_map(w);
        hone_jw_kcstr(w, "column", s->column);
        hone_jw_kcstr(w, "value", s->value);
        hone_jw_ki64(w, "n", (int64_t)s->n);
        hone_figure_write_key(w, "bias", &s->bias);
        hone_figure_write_key(w, "agreement", &s->agreement);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

/* Knots of a long curve: at most so many, evenly by index, the ends among them. */
enum { KNOTS = 200 };

static void rest(const hone_calibration *c, hone_jw *w)
{
    const hone_isotonic *m = &c->isotonic;
    const size_t knots = m->n < KNOTS ? m->n : KNOTS;
    hone_jw_key(w, "calibration");
    hone_jw_map(w);
    hone_figure_write_key(w, "ece", &c->ece);
    hone_figure_write_key(w, "brier", &c->brier);
    hone_jw_key(w, "isotonic");
    hone_jw_list(w);
    for (size_t i = 0; i < knots; i++) {
        size_t at = knots == m->n ? i : i * (m->n - 1) / (knots - 1);
        hone_jw_list(w);
        hone_jw_f64(w, m->x[at]);
        hone_jw_f64(w, m->y[at]);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
    hone_jw_key(w, "prevalence");
    hone_jw_map(w);
    hone_figure_write_key(w, "raw", &c->prevalence_raw);
    hone_figure_write_key(w, "corrected", &c->prevalence);
    hone_jw_end(w);
    hone_figure_write_key(w, "ppi_mean", &c->ppi_mean);
    hone_jw_kf64(w, "ppi_lambda", c->lambda);
    if (c->weighted) {
        hone_jw_key(w, "weighted");
        hone_jw_map(w);
        hone_figure_write_key(w, "accuracy", &c->w_accuracy);
        hone_figure_write_key(w, "bias", &c->w_bias);
        hone_figure_write_key(w, "good", &c->w_good);
        hone_figure_write_key(w, "mean", &c->w_mean);
        hone_jw_end(w);
    }
    hone_jw_key(w, "more_labels"); /* items to label beyond those there */
    hone_jw_map(w);
    hone_jw_ki64(w, "to_halve", (int64_t)hone__calib_more(c, &c->kappa_w, 0.5));
    hone_jw_ki64(w, "to_halve_accuracy", (int64_t)hone__calib_more(c, &c->accuracy, 0.5));
    hone_jw_ki64(w, "to_halve_tpr", (int64_t)hone__calib_more(c, &c->tpr, 0.5));
    hone_jw_ki64(w, "to_halve_tnr", (int64_t)hone__calib_more(c, &c->tnr, 0.5));
    hone_jw_end(w);
}

static void lists(const hone_calibration *c, hone_jw *w)
{
    hone_jw_key(w, "lists");
    hone_jw_map(w);
    hone_jw_ki64(w, "pairs", (int64_t)c->pairs);
    hone_jw_key(w, "candidates");
    hone_jw_list(w);
    hone_jw_i64(w, (int64_t)c->least);
    hone_jw_i64(w, (int64_t)c->most);
    hone_jw_end(w);
    hone_figure_write_key(w, "tau_b_experts", &c->experts_tau);
    hone_figure_write_key(w, "top1_experts", &c->experts_top);
    hone_figure_write_key(w, "tau_b", &c->list_tau);
    hone_figure_write_key(w, "top1", &c->list_top);
    hone_figure_write_key(w, "order_top1", &c->order_top);
    hone_jw_end(w);
}

void hone_calibration_json(const hone_calibration *c, const hone_calib_about *a, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "kind", "calibration");
    hone__calib_about_json(a, w);
    hone_jw_kcstr(w, "shape",
                  c->shape == HONE_SHAPE_LISTWISE   ? "listwise"
                  : c->shape == HONE_SHAPE_PAIRWISE ? "pairwise"
                                                    : "pointwise");
    hone_jw_ki64(w, "items", (int64_t)c->items);
    hone_jw_ki64(w, "judged", (int64_t)c->judged);
    hone_jw_ki64(w, "unlabelled", (int64_t)c->unlabelled);
    hone_jw_ki64(w, "prompts", (int64_t)c->prompts);
    hone_jw_ki64(w, "experts", (int64_t)c->experts);
    hone_jw_ki64(w, "labels", (int64_t)c->labels);
    hone_jw_ki64(w, "settled", (int64_t)c->settled);
    hone_jw_kf64(w, "sampled", c->share);
    hone_jw_kcstr(w, "split", hone_split_name(c->split));
    hone_jw_key(w, "test_reads");
    if (a->test_reads < 0)
        hone_jw_null(w);
    else
        hone_jw_i64(w, a->test_reads);
    agreement(c, w);
    if (c->shape == HONE_SHAPE_LISTWISE)
        lists(c, w);
    confusion(c, w);
    failures(c, w);
    slices(c, w);
    rest(c, w);
    if (a->more)
        a->more(a->more_ctx, w);
    hone_jw_key(w, "notes");
    hone_jw_list(w);
    for (size_t i = 0; i < c->n_notes; i++)
        hone_jw_cstr(w, c->notes[i]);
    hone_jw_end(w);
    hone_jw_end(w);
}
