/* judge_disagree.c - `hone judge disagree`: where judge and experts differ, what to mend, what to judge again.
 *
 * The score and every criterion of the rubric are looked at one after the other (judge/disagree.h); the files are read once for
 * each. --rejudge writes the items that an edit touches, as items: `hone judge run --items` takes them. */
#include "judge/disagree.h"

#include "base/alloc.h"
#include "base/file.h"
#include "cli/judge.h"
#include "cli/judge_measure.h"
#include "cli/judge_rows.h"
#include "cli/judge_words.h"
#include "cli/out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 8, EXAMPLES = 3 }; /* ids of a cluster, in text; examples to add */

static const char *labels_path, *verdicts_path, *items_path, *rubric_path, *criterion, *store,
    *batch, *rejudge_path;
static double gap;
static int json, skip_bad;
static hone_arg_list paths;

typedef struct part {
    const char *criterion; /* NULL: the score */
    hone_joined j;
    hone_disagreement d;
} part;

typedef struct report {
    hone_jw w;
    hone_buf text, out; /* for people; JSON */
    hone_map again;     /* ids of items to judge again */
    size_t parts, number;
} report;

/* ---- reading --------------------------------------------------------------------------------------- */

static hone_status read_part(hone_registry *r, hone_book *book, part *p)
{
    const hone_joined_opts o = {
        .split = HONE_SPLIT_ALL, .criterion = p->criterion, .skip_bad = skip_bad, .keep_scores = 1};
    char hash[65];
    hone_joined_init(&p->j, &o);
    hone_status s = labels_path ? hone_cli_judge_read(r, labels_path, HONE_ROWS_LABELS, &p->j)
                                : hone_cli_judge_labels(book, batch, &p->j, hash);
    if (s >= 0 && items_path)
        s = hone_cli_judge_read(r, items_path, HONE_ROWS_ITEMS, &p->j);
    if (s >= 0)
        s = hone_cli_judge_read(r, verdicts_path, HONE_ROWS_VERDICTS, &p->j);
    return s < 0 ? s : hone_joined_finish(&p->j);
}

/* ---- words ----------------------------------------------------------------------------------------- */

static const char *id_of(const part *p, const hone_case *c)
{
    return p->j.items[c->item].id;
}

/* "where topic is birds", "where the answer is long (over 800 bytes)". */
static void put_where(const part *p, const hone_cluster *c, hone_buf *b)
{
    if (c->column == -2)
        hone_buf_adds(b, "everywhere");
    else if (c->column >= 0)
        hone_buf_addf(b, "where %s is %s", p->j.columns[c->column].name,
                      p->j.columns[c->column].values[c->value]);
    else if (c->value == 0)
        hone_buf_addf(b, "where the answer is short (at most %.0f bytes)", p->d.third[0]);
    else if (c->value == 1)
        hone_buf_addf(b, "where the answer has middle length (%.0f to %.0f bytes)", p->d.third[0],
                      p->d.third[1]);
    else
        hone_buf_addf(b, "where the answer is long (over %.0f bytes)", p->d.third[1]);
}

static void put_target(const part *p, hone_buf *b)
{
    if (p->criterion)
        hone_buf_addf(b, "criterion %s", p->criterion);
    else
        hone_buf_adds(b, "the rubric");
}

static void put_edit(const part *p, const hone_cli_words *words, const hone_cluster *c, hone_buf *b)
{
    char much[32];
    const double by = fabs(c->mean_gap);
    much[hone_format_f64(round(by * 100) / 100, much)] = 0;
    switch (c->blame) {
    case HONE_BLAME_RUBRIC_AMBIGUOUS:
        hone_buf_adds(b, "write into ");
        put_target(p, b);
        hone_buf_adds(b, " what tells ");
        hone_cli_words_value(words, p->criterion, c->low, b);
        hone_buf_adds(b, " from ");
        hone_cli_words_value(words, p->criterion, c->high, b);
        hone_buf_adds(b, ", with one of the items below as an example of each; then let the "
                         "experts label them again");
        break;
    case HONE_BLAME_RUBRIC_WRONG:
        if (c->column == -2) {
            hone_buf_adds(b, "the experts are ");
            hone_buf_adds(b, c->direction > 0 ? "stricter" : "kinder");
            hone_buf_addf(b, " by %s all over: write the anchors of ", much);
            put_target(p, b);
            hone_buf_adds(b, c->direction > 0 ? " so that the upper levels ask for more"
                                              : " so that the upper levels ask for less");
        } else {
            hone_buf_adds(b, "say in ");
            put_target(p, b);
            hone_buf_adds(b, " how to rate items ");
            put_where(p, c, b);
            hone_buf_addf(b, ": experts give %s %s than the judge reads from it", much,
                          c->direction > 0 ? "less" : "more");
        }
        break;
    default:
        hone_buf_adds(
            b, "the rubric says it and the experts agree: add items below to the rubric's examples "
               "(split few-shot), ask with more repeats, or take a stronger judge");
    }
}

/* An example for the rubric: what experts said of the first cases. */
static void put_examples(const part *p, const hone_cli_words *words, int k, hone_buf *b)
{
    int n = 0;
    for (size_t i = 0; i < p->d.n && n < EXAMPLES; i++) {
        const hone_case *c = &p->d.cases[i];
        if (c->cluster != k)
            continue;
        hone_buf_addf(b, "%s%s: experts ", n++ ? "; " : "", id_of(p, c));
        hone_cli_words_value(words, p->criterion, c->experts, b);
        hone_buf_adds(b, ", judge ");
        hone_cli_words_value(words, p->criterion, c->judge, b);
    }
}

/* ---- one part -------------------------------------------------------------------------------------- */

static hone_status put_cluster(const part *p, const hone_cli_words *words, int k, report *r)
{
    const hone_cluster *c = &p->d.cluster[k];
    hone_buf where, edit, examples;
    size_t shown = 0;
    hone_status s = HONE_OK;
    hone_buf_init(&where, 1 << 16);
    hone_buf_init(&edit, 1 << 16);
    hone_buf_init(&examples, 1 << 16);
    put_where(p, c, &where);
    put_edit(p, words, c, &edit);
    put_examples(p, words, k, &examples);
    hone_buf_addf(&r->text, "\n%zu. %s%s%s: %s%s: %zu of %zu items", ++r->number,
                  hone_blame_name(c->blame), p->criterion ? ", criterion " : "",
                  p->criterion ? p->criterion : "",
                  c->direction > 0   ? "the judge is above the experts "
                  : c->direction < 0 ? "the judge is below the experts "
                                     : "",
                  where.ptr, c->cases, c->of);
    if (c->column != -2)
        hone_buf_addf(&r->text, " (elsewhere %.0f %%)", 100 * c->elsewhere);
    hone_buf_addf(&r->text, "\n   edit: %s\n   e.g. %s\n   items:", edit.ptr, examples.ptr);
    hone_jw_map(&r->w);
    hone_jw_kcstr(&r->w, "blame", hone_blame_name(c->blame));
    hone_jw_kcstr(&r->w, "criterion", p->criterion);
    hone_jw_ki64(&r->w, "direction", c->direction);
    hone_jw_kstr(&r->w, "where", hone_buf_str(&where));
    hone_jw_kcstr(&r->w, "column",
                  c->column >= 0    ? p->j.columns[c->column].name
                  : c->column == -1 ? "length"
                                    : NULL);
    hone_jw_kcstr(&r->w, "value", c->column >= 0 ? p->j.columns[c->column].values[c->value] : NULL);
    hone_jw_ki64(&r->w, "cases", (int64_t)c->cases);
    hone_jw_ki64(&r->w, "of", (int64_t)c->of);
    hone_jw_kf64(&r->w, "rate", c->rate);
    hone_jw_kf64(&r->w, "elsewhere", c->elsewhere);
    hone_jw_kf64(&r->w, "mean_gap", c->mean_gap);
    hone_jw_kstr(&r->w, "edit", hone_buf_str(&edit));
    hone_jw_key(&r->w, "items");
    hone_jw_list(&r->w);
    for (size_t i = 0; s >= 0 && i < p->d.n; i++) {
        const hone_case *x = &p->d.cases[i];
        const int in = x->cluster == k;
        if (in) {
            hone_jw_cstr(&r->w, id_of(p, x));
            if (shown++ < SHOWN)
                hone_buf_addf(&r->text, " %s", id_of(p, x));
        }
        /* another rubric is read anew where the edit applies; another judge first where this one failed */
        if (in ||
            (c->blame != HONE_BLAME_JUDGE && hone_disagree_touches(&p->j, &p->d, x, (size_t)k)))
            s = hone_map_put(&r->again, id_of(p, x), strlen(id_of(p, x)), r, NULL);
    }
    hone_jw_end(&r->w);
    hone_jw_end(&r->w);
    hone_buf_addf(&r->text, "%s\n", shown > SHOWN ? " ..." : "");
    hone_buf_release(&where);
    hone_buf_release(&edit);
    hone_buf_release(&examples);
    return s;
}

static void put_slips(const part *p, const hone_cli_words *words, report *r)
{
    size_t n = 0;
    hone_jw_key(&r->w, "slips");
    hone_jw_list(&r->w);
    for (size_t i = 0; i < p->d.n; i++) {
        const hone_case *c = &p->d.cases[i];
        if (c->kind != HONE_CASE_SLIP)
            continue;
        hone_jw_map(&r->w);
        hone_jw_kcstr(&r->w, "item", id_of(p, c));
        hone_jw_kcstr(&r->w, "expert", p->j.experts[c->expert]);
        hone_jw_kf64(&r->w, "said", c->said);
        hone_jw_kf64(&r->w, "experts", c->experts);
        hone_jw_kf64(&r->w, "judge", c->judge);
        hone_jw_end(&r->w);
        if (n++ == 0)
            hone_buf_addf(
                &r->text,
                "\n%zu. slips: one expert against the others and the judge; ask them once more\n",
                ++r->number);
        if (n <= SHOWN) {
            hone_buf_addf(&r->text, "   %s: %s said ", id_of(p, c), p->j.experts[c->expert]);
            hone_cli_words_value(words, p->criterion, c->said, &r->text);
            hone_buf_adds(&r->text, ", the others ");
            hone_cli_words_value(words, p->criterion, c->experts, &r->text);
            hone_buf_addc(&r->text, '\n');
        }
    }
    hone_jw_end(&r->w);
}

static hone_status put_part(const part *p, const hone_cli_words *words, report *r)
{
    const hone_disagreement *d = &p->d;
    hone_status s = HONE_OK;
    hone_buf_addf(&r->text, "%s%s: %zu items; ", r->parts++ ? "\n" : "",
                  p->criterion ? p->criterion : "score", d->n);
    hone_buf_addf(&r->text, "%zu where the judge differs, %zu where experts differ, %zu slips\n",
                  d->count[HONE_CASE_JUDGE] + d->count[HONE_CASE_SYSTEMATIC],
                  d->count[HONE_CASE_AMBIGUOUS], d->count[HONE_CASE_SLIP]);
    hone_jw_map(&r->w);
    hone_jw_kcstr(&r->w, "criterion", p->criterion);
    hone_jw_ki64(&r->w, "items", (int64_t)d->n);
    hone_jw_kf64(&r->w, "gap", d->gap);
    hone_jw_key(&r->w, "counts");
    hone_jw_map(&r->w);
    for (int k = HONE_CASE_SLIP; k < HONE_CASE_KINDS; k++)
        hone_jw_ki64(&r->w, hone_case_name(k), (int64_t)d->count[k]);
    hone_jw_end(&r->w);
    hone_jw_key(&r->w, "clusters");
    hone_jw_list(&r->w);
    for (size_t k = 0; s >= 0 && k < d->n_clusters; k++)
        s = put_cluster(p, words, (int)k, r);
    hone_jw_end(&r->w);
    put_slips(p, words, r);
    hone_jw_key(&r->w, "notes");
    hone_jw_list(&r->w);
    if (2 * d->one_expert > d->n) {
        static const char note[] =
            "most items have one expert: a slip or an ambiguous rubric cannot be told "
            "from a wrong judge there; let a second expert label some";
        hone_jw_cstr(&r->w, note);
        hone_buf_addf(&r->text, "note: %s\n", note);
    }
    hone_jw_end(&r->w);
    hone_jw_end(&r->w);
    return s;
}

/* ---- what to judge again --------------------------------------------------------------------------- */

static hone_status write_rejudge(hone_registry *reg, report *r)
{
    hone_cli_items items = {.n = 0};
    hone_writer file;
    hone_status s = hone_cli_items_read(reg, NULL, items_path, 0, &items);
    if (s >= 0 && (s = hone_writer_create(&file, rejudge_path)) >= 0) {
        hone_buf line;
        hone_buf_init(&line, HONE_BUF_MAX_DEFAULT);
        for (size_t i = 0; s >= 0 && i < items.n; i++) {
            const hone_str id = items.items[i].id;
            hone_jw w;
            if (!hone_map_has(&r->again, id.ptr, id.len))
                continue;
            hone_buf_clear(&line);
            hone_jw_init(&w, &line, 0);
            hone_jw_value(&w, &items.rows[i]);
            hone_buf_addc(&line, '\n');
            s = hone_buf_check(&line, "an item");
            if (s >= 0)
                s = hone_writer_add(&file, line.ptr, line.len);
        }
        hone_buf_release(&line);
        if (s >= 0)
            s = hone_writer_close(&file);
        else
            hone_writer_abandon(&file);
    }
    hone_cli_items_release(&items);
    return s;
}

static void finish_report(report *r)
{
    hone_jw_end(&r->w);
    hone_jw_key(&r->w, "rejudge");
    hone_jw_list(&r->w);
    for (size_t i = 0; i < r->again.n; i++)
        hone_jw_str(&r->w, (hone_str){r->again.entries[i].key, r->again.entries[i].key_len});
    hone_jw_end(&r->w);
    hone_jw_end(&r->w);
    if (r->again.n)
        hone_buf_addf(&r->text, "\nan edit touches %zu items%s%s\n", r->again.n,
                      rejudge_path ? ": " : "; --rejudge FILE writes them",
                      rejudge_path ? rejudge_path : "");
    else
        hone_buf_adds(&r->text, "\nnothing to mend\n");
}

static hone_status look_at(hone_registry *reg, hone_book *book, const hone_cli_words *words,
                           const char *what, report *r)
{
    part p = {.criterion = what};
    const hone_disagree_opts o = {.gap = gap, .range = hone_cli_words_range(words, what)};
    hone_status s = read_part(reg, book, &p);
    if (s >= 0 && what && !criterion && p.j.n_ratings == 0)
        goto done; /* nobody rated this criterion */
    if (s >= 0)
        s = hone_disagree_find(&p.j, &o, &p.d);
    if (s == HONE_E_INVALID && what && !criterion) { /* or no verdict has it */
        s = HONE_OK;
        goto done;
    }
    if (s >= 0)
        s = put_part(&p, words, r);
done:
    hone_disagree_release(&p.d);
    hone_joined_release(&p.j);
    return s;
}

static hone_status work(void)
{
    hone_registry *reg = NULL;
    hone_book *book = NULL;
    hone_cli_words *words = NULL;
    report r = {.parts = 0};
    hone_buf_init(&r.text, 1 << 26);
    hone_buf_init(&r.out, 1 << 28);
    hone_map_init(&r.again);
    hone_jw_init(&r.w, &r.out, 0);
    hone_jw_map(&r.w);
    hone_jw_kcstr(&r.w, "kind", "disagreement");
    hone_jw_key(&r.w, "parts");
    hone_jw_list(&r.w);
    hone_status s = hone_cli_open_registry(&paths, &reg);
    if (s >= 0 && rubric_path)
        s = hone_cli_words_open(rubric_path, &words);
    if (s >= 0 && !labels_path && (s = hone_cli_judge_store(store, 0, &book)) >= 0 && !book)
        s = hone_fail(HONE_E_NOT_FOUND,
                      "there is no store of judges here, and --labels is not given");
    if (s >= 0)
        s = look_at(reg, book, words, criterion, &r);
    for (size_t i = 0; s >= 0 && !criterion && hone_cli_words_criterion(words, i); i++)
        s = look_at(reg, book, words, hone_cli_words_criterion(words, i), &r);
    if (s >= 0)
        finish_report(&r);
    if (s >= 0 && rejudge_path)
        s = write_rejudge(reg, &r);
    if (s >= 0)
        s = hone_buf_check(json ? &r.out : &r.text, "the report");
    if (s >= 0)
        printf("%s%s", json ? r.out.ptr : r.text.ptr, json ? "\n" : "");
    hone_cli_words_close(words);
    hone_book_close(book);
    hone_registry_close(reg);
    hone_map_release(&r.again);
    hone_buf_release(&r.text);
    hone_buf_release(&r.out);
    return s;
}

int hone_cli_judge_disagree(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"verdicts", HONE_ARG_STR, &verdicts_path, "V", "what the judge said (hone judge run)"},
        {"labels", HONE_ARG_STR, &labels_path, "F",
         "labels of experts: JSONL, CSV (those of the store)"},
        {"batch", HONE_ARG_STR, &batch, "B", "labels of the store: of this batch only"},
        {"items", HONE_ARG_STR, &items_path, "I", "the items: lengths and columns to gather by"},
        {"rubric", HONE_ARG_STR, &rubric_path, "FILE.lua", "its criteria too, and its words"},
        {"criterion", HONE_ARG_STR, &criterion, "ID", "one criterion only"},
        {"gap", HONE_ARG_F64, &gap, "X", "they differ from so much of the scale on (.25)"},
        {"rejudge", HONE_ARG_STR, &rejudge_path, "FILE",
         "with --items: writes those an edit touches"},
        {"store", HONE_ARG_STR, &store, "FILE", "the store of judges (judges.sqlite)"},
        {"skip-bad", HONE_ARG_FLAG, &skip_bad, NULL, "leave malformed rows out"},
        {"json", HONE_ARG_FLAG, &json, NULL, "as JSON"},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH", "a folder of plugins, or a .so"},
        {0}};
    static const hone_args spec = {"judge disagree",
                                   "--verdicts V [options]",
                                   "Gathers items where a judge and experts differ, says whether "
                                   "the rubric is ambiguous or wrong,\n"
                                   "the judge is wrong, or an expert slipped, suggests the edit, "
                                   "and lists what to judge again.",
                                   options,
                                   NULL,
                                   0,
                                   0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!verdicts_path)
        return hone_cli_usage("judge disagree", "--verdicts V is missing");
    if (rejudge_path && !items_path)
        return hone_cli_usage("judge disagree", "--rejudge needs --items");
    if (gap < 0 || gap > 1)
        return hone_cli_usage("judge disagree", "--gap is a share of the scale, up to 1");
    return hone_cli_finish(hone_cli_fail(work()));
}
