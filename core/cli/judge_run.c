/* judge_run.c - `hone judge run`: a judge over the items of a file: verdict rows, a filter, preference pairs, a regression check.
 *
 * Everything that is done with answers is core/judge/choose.h's; this file reads, asks and writes. Work that was interrupted goes
 * on from the store when the same line is typed again. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "abi/config.h"
#include "cli/args.h"
#include "cli/judge.h"
#include "cli/judge_open.h"
#include "cli/judge_rows.h"
#include "cli/out.h"
#include "cli/term.h"
#include "judge/choose.h"
#include "judge/interval.h"
#include "judge/rubric.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static hone_cli_judge_args judge;
static const char *items_path, *source, *out_path, *store, *keep, *kept_path, *pairs_path;
static int64_t repeats = 1, limit, batch;
static double z = 2, timeout_s, fail_under = (double)NAN;
static int orders, anew, json, no_store, stop;

typedef struct work {
    hone_cli_items items;
    hone_tally *tallies; /* one an item */
    uint64_t status[8];  /* answers by HONE_VERDICT_* */
    uint64_t answers, asked;
    double cost;
    hone_writer out;
    int writes; /* out is open */
    size_t kept, pairs;
} work;

static hone_status take(void *ctx, const hone_answer *a)
{
    work *w = ctx;
    hone_tally_add(&w->tallies[a->index], a);
    w->status[a->detail & 7]++;
    w->answers++;
    if (!a->remembered && isfinite(a->cost))
        w->cost += a->cost;
    if (!out_path)
        return HONE_OK;
    if (strcmp(out_path, "-") == 0) {
        printf("%.*s\n", (int)a->row.len, a->row.ptr);
        return HONE_OK;
    }
    HONE_TRY(hone_writer_add(&w->out, a->row.ptr, a->row.len));
    return hone_writer_add(&w->out, "\n", 1);
}

/* ---- filter ---------------------------------------------------------------------------------------------------------- */

static hone_status write_row(hone_writer *w, const hone_value *row)
{
    hone_buf b;
    hone_jw jw;
    hone_buf_init(&b, (size_t)1 << 28);
    hone_jw_init(&jw, &b, 0);
    hone_jw_value(&jw, row);
    hone_buf_addc(&b, '\n');
    hone_status s = hone_buf_check(&b, "a row");
    if (s >= 0)
        s = hone_writer_add(w, b.ptr, b.len);
    hone_buf_release(&b);
    return s;
}

static hone_status write_kept(work *w, const hone_condition *c)
{
    hone_writer out;
    hone_status s = HONE_OK;
    if (kept_path)
        HONE_TRY(hone_writer_create(&out, kept_path));
    for (size_t i = 0; i < w->items.n && s >= 0; i++) {
        if (!hone_condition_met(c, &w->tallies[i]))
            continue;
        w->kept++;
        if (kept_path)
            s = write_row(&out, &w->items.rows[i]);
    }
    if (!kept_path)
        return s;
    if (s >= 0)
        return hone_writer_close(&out);
    hone_writer_abandon(&out);
    return s;
}

/* ---- pairs ------------------------------------------------------------------------------------------------------------ */

static hone_status write_pair(hone_writer *out, const hone_ask_item *of, hone_str chosen,
                              hone_str rejected, double margin, double error)
{
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, (size_t)1 << 28);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    if (of->it.n_messages) {
        hone_jw_key(&w, "prompt");
        hone_jw_list(&w);
        for (size_t i = 0; i < of->it.n_messages; i++) {
            hone_jw_map(&w);
            hone_jw_kstr(&w, "role", of->it.messages[i].role);
            hone_jw_kstr(&w, "content", of->it.messages[i].content);
            hone_jw_end(&w);
        }
        hone_jw_end(&w);
    } else
        hone_jw_kstr(&w, "prompt", of->it.prompt);
    hone_jw_kstr(&w, "chosen", chosen);
    hone_jw_kstr(&w, "rejected", rejected);
    hone_jw_kstr(&w, "prompt_id", of->prompt_id);
    hone_jw_kf64(&w, "margin", margin);
    hone_jw_kf64(&w, "margin_error", error);
    hone_jw_end(&w);
    hone_buf_addc(&b, '\n');
    hone_status s = hone_buf_check(&b, "a pair");
    if (s >= 0)
        s = hone_writer_add(out, b.ptr, b.len);
    hone_buf_release(&b);
    return s;
}

/* Of an item with two candidates: the better and the worse one. */
static hone_status pair_of_item(work *w, size_t i, hone_writer *out)
{
    const hone_ask_item *it = &w->items.items[i];
    const double x = hone_tally_mean(&w->tallies[i]), e = hone_tally_error(&w->tallies[i]);
    const int better = hone_margin(x, e, z);
    if (!better)
        return HONE_OK;
    w->pairs++;
    return write_pair(out, it, it->it.candidates[better < 0], it->it.candidates[better > 0],
                      fabs(x), e);
}

/* Of all items with one candidate and the same prompt: each pair that differs by enough. */
static hone_status pairs_of_prompt(work *w, const size_t *list, size_t n, hone_writer *out)
{
    hone_status s = HONE_OK;
    for (size_t i = 0; i < n && s >= 0; i++)
        for (size_t k = i + 1; k < n && s >= 0; k++) {
            const hone_tally *a = &w->tallies[list[i]], *b = &w->tallies[list[k]];
            const double x = hone_tally_mean(a) - hone_tally_mean(b),
                         e = hypot(hone_tally_error(a), hone_tally_error(b));
            const int better = hone_margin(x, e, z);
            if (!better)
                continue;
            const hone_ask_item *up = &w->items.items[list[better > 0 ? i : k]],
                                *down = &w->items.items[list[better > 0 ? k : i]];
            w->pairs++;
            s = write_pair(out, up, up->it.candidates[0], down->it.candidates[0], fabs(x), e);
        }
    return s;
}

static hone_status write_pairs(work *w)
{
    hone_map seen; /* prompt_id -> its first item's number + 1 */
    hone_writer out;
    size_t *next = hone_calloc(w->items.n + 1, sizeof *next), *last, *list;
    last = hone_calloc(w->items.n + 1, sizeof *last);
    list = hone_calloc(w->items.n + 1, sizeof *list);
    hone_map_init(&seen);
    hone_status s = next && last && list ? hone_writer_create(&out, pairs_path) : HONE_E_NOMEM;
    const int open = s >= 0;
    for (size_t i = 0; i < w->items.n && s >= 0; i++) { /* chains of the same prompt */
        const hone_ask_item *it = &w->items.items[i];
        if (it->it.n_candidates != 1)
            continue;
        size_t *first = hone_map_get(&seen, it->prompt_id.ptr, it->prompt_id.len);
        if (first) {
            next[last[first - last]] = i;
            last[first - last] = i;
        } else {
            last[i] = i;
            s = hone_map_put(&seen, it->prompt_id.ptr, it->prompt_id.len, &last[i], NULL);
        }
    }
    for (size_t i = 0; i < w->items.n && s >= 0; i++) {
        const hone_ask_item *it = &w->items.items[i];
        if (it->it.n_candidates == 2) {
            s = pair_of_item(w, i, &out);
        } else if (it->it.n_candidates == 1 &&
                   hone_map_get(&seen, it->prompt_id.ptr, it->prompt_id.len) == &last[i]) {
            size_t n = 0;
            for (size_t k = i; k || n == 0; k = next[k])
                list[n++] = k;
            s = pairs_of_prompt(w, list, n, &out);
        }
    }
    hone_map_release(&seen);
    hone_free(next);
    hone_free(last);
    hone_free(list);
    if (!open)
        return s;
    if (s >= 0)
        return hone_writer_close(&out);
    const hone_error e = *hone_error_get();
    hone_writer_abandon(&out);
    return hone_error_set(&e);
}

/* ---- what came of it ---------------------------------------------------------------------------------------------------- */

typedef struct summary {
    hone_figure mean, unparsed, swapped;
} summary;

static hone_status summarise(const work *w, summary *out)
{
    const size_t n = w->items.n;
    double *mean = hone_calloc(n + 1, sizeof *mean), *bad = hone_calloc(n + 1, sizeof *bad),
           *swap = hone_calloc(n + 1, sizeof *swap);
    uint64_t *cluster = hone_calloc(n + 1, sizeof *cluster);
    hone_status s = mean && bad && swap && cluster ? HONE_OK : HONE_E_NOMEM;
    for (size_t i = 0; i < n && s >= 0; i++) {
        const hone_tally *t = &w->tallies[i];
        const hone_str p = w->items.items[i].prompt_id;
        cluster[i] = hone_xxh64(p.ptr, p.len, 0);
        mean[i] = hone_tally_mean(t);
        bad[i] = t->answers ? 1 - (double)t->ok / t->answers : (double)NAN;
        swap[i] = !t->n_first || !t->n_second
                      ? (double)NAN
                      : (t->first > 0) != (t->second > 0) || (t->first < 0) != (t->second < 0);
    }
    const hone_boot boot = {.cluster = cluster};
    if (s >= 0)
        s = hone_interval_mean(mean, n, &boot, &out->mean);
    if (s >= 0)
        s = hone_interval_mean(bad, n, &boot, &out->unparsed);
    if (s >= 0)
        s = hone_interval_share(swap, n, &boot, &out->swapped);
    hone_free(mean);
    hone_free(bad);
    hone_free(swap);
    hone_free(cluster);
    return s;
}

static int is_under(const summary *m)
{
    return !isnan(fail_under) && (m->mean.why || m->mean.value < fail_under);
}

static hone_status print_json(const work *w, const hone_cli_judge *j, const summary *m)
{
    hone_buf b;
    hone_jw jw;
    hone_buf_init(&b, 1 << 20);
    hone_jw_init(&jw, &b, 0);
    hone_jw_map(&jw);
    hone_jw_kcstr(&jw, "judge", j->name);
    hone_jw_kcstr(&jw, "spec", j->spec[0] ? j->spec : NULL);
    hone_jw_kcstr(&jw, "rubric", j->rubric[0] ? j->rubric : NULL);
    hone_jw_ki64(&jw, "items", (int64_t)w->items.n);
    hone_jw_ki64(&jw, "answers", (int64_t)w->answers);
    hone_jw_ki64(&jw, "asked", (int64_t)w->asked);
    hone_jw_key(&jw, "status");
    hone_jw_map(&jw);
    for (uint32_t i = 0; hone_verdict_name(i); i++)
        hone_jw_ki64(&jw, hone_verdict_name(i), (int64_t)w->status[i]);
    hone_jw_end(&jw);
    hone_figure_write_key(&jw, "mean", &m->mean);
    hone_figure_write_key(&jw, "without_number", &m->unparsed);
    hone_figure_write_key(&jw, "swap_inconsistency", &m->swapped);
    if (w->cost > 0)
        hone_jw_kf64(&jw, "cost", w->cost);
    if (keep)
        hone_jw_ki64(&jw, "kept", (int64_t)w->kept);
    if (pairs_path)
        hone_jw_ki64(&jw, "pairs", (int64_t)w->pairs);
    if (!isnan(fail_under))
        hone_jw_kbool(&jw, "passed", !is_under(m));
    hone_jw_end(&jw);
    hone_status s = hone_buf_check(&b, "the summary");
    if (s >= 0)
        fprintf(out_path && strcmp(out_path, "-") == 0 ? stderr : stdout, "%s\n", b.ptr);
    hone_buf_release(&b);
    return s;
}

static hone_status print_text(const work *w, const summary *m)
{
    FILE *to = out_path && strcmp(out_path, "-") == 0 ? stderr : stdout;
    hone_buf b;
    hone_buf_init(&b, 1 << 16);
    hone_buf_addf(&b, "%zu items, %llu answers (%llu asked for, the others remembered)", w->items.n,
                  (unsigned long long)w->answers, (unsigned long long)w->asked);
    for (uint32_t i = 1; hone_verdict_name(i); i++)
        if (w->status[i])
            hone_buf_addf(&b, ", %llu %s", (unsigned long long)w->status[i], hone_verdict_name(i));
    hone_buf_adds(&b, "\nmean score  ");
    hone_figure_text(&b, &m->mean, 4);
    if (orders) {
        hone_buf_adds(&b, "\nturned by the order of candidates  ");
        hone_figure_text(&b, &m->swapped, 3);
    }
    if (w->cost > 0)
        hone_buf_addf(&b, "\ncost  %.6g", w->cost);
    if (keep)
        hone_buf_addf(&b, "\n%zu of %zu items kept (%s)", w->kept, w->items.n, keep);
    if (pairs_path)
        hone_buf_addf(&b, "\n%zu pairs with a margin of more than %g standard errors", w->pairs, z);
    if (is_under(m))
        hone_buf_addf(&b, "\nbelow %g: failed", fail_under);
    hone_status s = hone_buf_check(&b, "the summary");
    if (s >= 0)
        fprintf(to, "%s\n", b.ptr);
    hone_buf_release(&b);
    return s;
}

static void on_signal(int sig)
{
    (void)sig;
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
}

static hone_status ask_all(work *w, const hone_cli_judge *j, hone_book *book)
{
    const hone_ask_params p = {.ref = j->ref,
                               .instance = j->instance,
                               .spec = j->spec,
                               .spec_json = j->spec_json,
                               .rubric = j->rubric,
                               .book = book,
                               .anew = anew,
                               .repeats = (uint32_t)repeats,
                               .orders = orders,
                               .batch = (uint32_t)batch,
                               .timeout_s = timeout_s,
                               .stop = &stop};
    size_t asked = 0;
    if (out_path && strcmp(out_path, "-") != 0) {
        HONE_TRY(hone_writer_create(&w->out, out_path));
        w->writes = 1;
    }
    hone_status s = hone_ask(&p, w->items.items, w->items.n, take, w, &asked);
    w->asked = asked;
    if (s == HONE_E_INTERRUPTED && book && j->spec[0])
        hone_fail_hint("the same command goes on from there");
    if (!w->writes)
        return s;
    w->writes = 0;
    if (s >= 0)
        return hone_writer_close(&w->out);
    const hone_error e = *hone_error_get();
    hone_writer_abandon(&w->out);
    return hone_error_set(&e);
}

/* The rubric that the settings name, as the version that the spec says it is. */
static hone_status keep_rubric(const hone_cli_judge *j, hone_book *book)
{
    hone_arena a;
    hone_buf b;
    hone_jw w;
    hone_value all;
    hone_rubric *r = NULL;
    const char *hash = strchr(j->rubric, '@');
    if (!hash)
        return HONE_OK;
    hone_arena_init(&a, 0);
    hone_buf_init(&b, (size_t)1 << 26);
    hone_jw_init(&w, &b, 0);
    hone_config_json(hone_instance_config(j->instance), &w);
    hone_status s = hone_buf_check(&b, "settings");
    if (s >= 0)
        s = hone_json_parse(b.ptr, b.len, "settings", &a, &all);
    const hone_value *v = s >= 0 ? hone_value_get(&all, "rubric") : NULL;
    char *path = v && v->type == HONE_STRING ? hone_arena_strndup(&a, v->u.str.ptr, v->u.str.len)
                                             : NULL;
    /* A file that has changed since is another rubric: its hash tells. */
    if (path && hone_file_exists(path) && hone_rubric_read_file(path, &r) < 0)
        r = NULL;
    if (v && v->type == HONE_MAP && hone_rubric_from_value(v, "rubric", &r) < 0)
        r = NULL;
    if (r && strcmp(r->hash, hash + 1) == 0)
        s = hone_book_put_rubric(book, r->hash, r->id, r->version, r->json);
    hone_rubric_destroy(r);
    hone_buf_release(&b);
    hone_arena_release(&a);
    return s;
}

static hone_status run(int *under)
{
    hone_cli_judge j = {0};
    hone_condition condition;
    hone_book *book = NULL;
    summary m;
    work w;
    memset(&w, 0, sizeof w);
    if (keep)
        HONE_TRY(hone_condition_read(keep, &condition));
    hone_status s = hone_cli_judge_open(&judge, &j);
    if (s >= 0)
        s = hone_cli_items_read(j.env->registry, source, items_path, limit, &w.items);
    if (s >= 0 && !no_store)
        s = hone_book_open(store, &book);
    if (s >= 0 && book)
        s = keep_rubric(&j, book);
    if (s >= 0) {
        w.tallies = hone_calloc(w.items.n, sizeof *w.tallies);
        s = w.tallies ? ask_all(&w, &j, book) : HONE_E_NOMEM;
    }
    if (s >= 0 && keep)
        s = write_kept(&w, &condition);
    if (s >= 0 && pairs_path)
        s = write_pairs(&w);
    if (s >= 0)
        s = summarise(&w, &m);
    if (s >= 0)
        s = json ? print_json(&w, &j, &m) : print_text(&w, &m);
    if (s >= 0)
        *under = is_under(&m);
    const hone_error e = *hone_error_get();
    hone_book_close(book);
    hone_free(w.tallies);
    hone_cli_items_release(&w.items);
    hone_cli_judge_close(&j);
    return s < 0 ? hone_error_set(&e) : HONE_OK;
}

int hone_cli_judge_run(int argc, char **argv)
{
    static const hone_arg options[] = {
        HONE_CLI_JUDGE_OPTIONS(judge),
        {"items", HONE_ARG_STR, &items_path, "FILE",
         "rows with prompt or messages, and completion or candidates"},
        {"source", HONE_ARG_STR, &source, "NAME", "what reads the file (told by the file)"},
        {"limit", HONE_ARG_I64, &limit, "N", "only the first N rows (0: all)"},
        {"repeats", HONE_ARG_I64, &repeats, "M", "times that each is asked (1)"},
        {"orders", HONE_ARG_FLAG, &orders, NULL, "candidates in several orders"},
        {"out", HONE_ARG_STR, &out_path, "FILE", "verdict rows, as JSONL; -: standard output"},
        {"keep", HONE_ARG_STR, &keep, "CONDITION",
         "a filter over items: \"score>=0.5\", \"score>0 and error<0.1\""},
        {"kept", HONE_ARG_STR, &kept_path, "FILE", "with --keep: the rows that are kept"},
        {"pairs", HONE_ARG_STR, &pairs_path, "FILE",
         "preference pairs; needs --repeats 2 or --orders for their errors"},
        {"z", HONE_ARG_F64, &z, "Z", "a pair's margin is more than Z standard errors (2)"},
        {"fail-under", HONE_ARG_F64, &fail_under, "X", "exit 1 when the mean score is below X"},
        {"store", HONE_ARG_STR, &store, "FILE", "of answers (HONE_JUDGES, else judges.sqlite)"},
        {"no-store", HONE_ARG_FLAG, &no_store, NULL, "remember nothing"},
        {"anew", HONE_ARG_FLAG, &anew, NULL, "ask again what is remembered"},
        {"batch", HONE_ARG_I64, &batch, "N", "items a call (64)"},
        {"timeout", HONE_ARG_F64, &timeout_s, "SECONDS", "of a call (600)"},
        {"json", HONE_ARG_FLAG, &json, NULL, "the summary as one JSON object"},
        {0}};
    static const hone_args spec = {
        "judge run",
        "--judge J --items FILE [options]",
        "Asks a judge about the rows of a file. Answers are remembered: the same command asks\n"
        "only for what is missing. Also a filter (--keep), a maker of preference pairs (--pairs)\n"
        "and a regression check (--fail-under).",
        options,
        NULL,
        0,
        0};
    hone_rest rest;
    int under = 0;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!items_path)
        return hone_cli_usage("judge run", "--items FILE is missing");
    if (repeats < 1 || repeats > 1000 || batch < 0 || batch > 65536 || limit < 0 ||
        !(timeout_s >= 0 && timeout_s < 1e6))
        return hone_cli_usage("judge run", "--repeats is 1 to 1000, --batch 1 to 65536, --limit "
                                           "and --timeout not negative");
    if (kept_path && !keep)
        return hone_cli_usage("judge run", "--kept FILE needs --keep CONDITION");
    if (pairs_path && repeats == 1 && !orders)
        return hone_cli_usage("judge run", "--pairs needs several answers an item for their "
                                           "standard errors: --repeats 2 or --orders");
    if (!(z >= 0 && z < 1e6))
        return hone_cli_usage("judge run", "--z is a number of standard errors");
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    const int code = hone_cli_fail(run(&under));
    return hone_cli_finish(code ? code : under ? HONE_EXIT_FAILED : HONE_EXIT_OK);
}
