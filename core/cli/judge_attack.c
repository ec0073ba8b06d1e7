/* judge_attack.c - `hone judge attack`: a judge before somebody trains against it: mutated items, and how often it gives in.
 *
 * Every item is judged as it is and under each attack (core/judge/attack.h); --search goes on with chains of attacks drawn by
 * counter, and keeps an item's best, as a policy under best-of-n would. Of two candidates the first one is attacked.
 * Answers are remembered in the store like those of `hone judge run`, so an interrupted command goes on. (judges.md 8) */
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "cli/args.h"
#include "cli/judge.h"
#include "cli/judge_open.h"
#include "cli/judge_rows.h"
#include "cli/out.h"
#include "judge/attack.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ATTACKS = 64, CHAIN = 3, TEXT_MAX = 64 << 20 };

static hone_cli_judge_args judge;
static const char *items_path, *source, *store, *names = "all", *range_text, *out_path;
static int64_t limit, repeats = 1, search, seed;
static double tolerance = .02, floor_tolerance = .1, timeout_s, fail_over = (double)NAN;
static int json, no_store, list_them, stop;

typedef struct work {
    hone_cli_judge judge;
    hone_cli_items items;
    hone_book *book;
    size_t attack[ATTACKS], n_attacks;
    double *original, *scores; /* (items), (n_attacks, items): means over repeats, NaN: none */
    unsigned char *made;       /* (n_attacks, items) */
    double *sum;               /* (items asked now), of take() */
    uint32_t *count;
    uint64_t *cluster;
    double *best, *tried; /* (items) of the search, and of its round */
    unsigned char *tried_made;
    hone_writer out;
    int writes;
    hone_attack_params params;
    hone_value spec;
    uint64_t asked;
} work;

static hone_status take(void *ctx, const hone_answer *a)
{
    work *w = ctx;
    if (a->detail == HONE_VERDICT_OK && isfinite(a->score)) {
        w->sum[a->index] += a->score;
        w->count[a->index]++;
    }
    if (!w->writes)
        return HONE_OK;
    HONE_TRY(hone_writer_add(&w->out, a->row.ptr, a->row.len));
    return hone_writer_add(&w->out, "\n", 1);
}

/* Mean scores of n items, NaN where there is none. */
static hone_status ask(work *w, const hone_ask_item *items, size_t n, double *mean)
{
    const hone_ask_params p = {.ref = w->judge.ref,
                               .instance = w->judge.instance,
                               .spec = w->judge.spec,
                               .spec_json = w->judge.spec_json,
                               .rubric = w->judge.rubric,
                               .book = w->book,
                               .repeats = (uint32_t)repeats,
                               .orders = 1,
                               .timeout_s = timeout_s,
                               .stop = &stop};
    size_t asked = 0;
    memset(w->sum, 0, w->items.n * sizeof *w->sum);
    memset(w->count, 0, w->items.n * sizeof *w->count);
    HONE_TRY(hone_ask(&p, items, n, take, w, &asked));
    w->asked += asked;
    for (size_t i = 0; i < n; i++)
        mean[i] = w->count[i] ? w->sum[i] / w->count[i] : (double)NAN;
    return HONE_OK;
}

/* ---- mutated items ------------------------------------------------------------------------------- */

static hone_str spec_text(const work *w, const char *key)
{
    hone_str out = {"", 0};
    const hone_value *v = hone_value_get(&w->spec, key);
    return v && v->type == HONE_STRING ? v->u.str : out;
}

/* The next item with another prompt, or NULL. */
static const hone_ask_item *other_prompt(const work *w, size_t i)
{
    for (size_t k = 1; k < w->items.n; k++) {
        const hone_ask_item *it = &w->items.items[(i + k) % w->items.n];
        if (w->cluster[(i + k) % w->items.n] != w->cluster[i])
            return it;
    }
    return NULL;
}

static hone_attack_source source_of(const work *w, size_t i)
{
    const hone_ask_item *it = &w->items.items[i], *other = other_prompt(w, i);
    hone_str prompt = it->it.prompt;
    if (!prompt.len && it->it.n_messages)
        prompt = it->it.messages[it->it.n_messages - 1].content;
    return (hone_attack_source){.prompt = prompt,
                                .completion = it->it.candidates[0],
                                .other = other ? other->it.candidates[0] : (hone_str){"", 0},
                                .rubric = spec_text(w, "rubric_text"),
                                .best = spec_text(w, "best"),
                                .seed = (uint64_t)seed,
                                .item = i};
}

/* Item i with its first candidate replaced; `name` goes into its id. Memory in `arena`. */
static hone_status with_candidate(const work *w, size_t i, hone_str text, const char *name,
                                  hone_arena *arena, hone_ask_item *out)
{
    const hone_ask_item *it = &w->items.items[i];
    hone_str *candidates = hone_arena_alloc(arena, it->it.n_candidates * sizeof *candidates);
    char *copy = hone_arena_strndup(arena, text.ptr, text.len), *id;
    hone_buf b;
    hone_buf_init(&b, TEXT_MAX);
    hone_buf_add_str(&b, it->id);
    hone_buf_addf(&b, "/%s", name);
    id = b.failed < 0 ? NULL : hone_arena_strndup(arena, b.ptr, b.len);
    *out = *it;
    if (id)
        out->id = (hone_str){id, b.len};
    /* what the judge sees: the item's own input, and what took the candidate's place */
    hone_buf_clear(&b);
    hone_buf_adds(&b, it->input);
    hone_buf_add_str(&b, text);
    if (b.failed >= 0)
        hone_sha256_of(b.ptr, b.len, out->input);
    const hone_status failed = b.failed;
    hone_buf_release(&b);
    if (!candidates || !copy || !id || failed < 0)
        return HONE_E_NOMEM;
    memcpy(candidates, it->it.candidates, it->it.n_candidates * sizeof *candidates);
    candidates[0] = (hone_str){copy, text.len};
    out->it.candidates = candidates;
    return HONE_OK;
}

/* What changes item i: 1 and the text, 0 when it does not apply to it. */
typedef hone_status (*changer)(const work *w, const void *ctx, size_t i,
                               const hone_attack_source *src, hone_buf *out);

/* Asks about all items as `change` makes them; scores[items] and made[items]. `name` goes into their ids. */
static hone_status ask_changed(work *w, const char *name, changer change, const void *ctx,
                               double *scores, unsigned char *made)
{
    const size_t n = w->items.n;
    size_t m = 0;
    hone_arena arena;
    hone_buf text;
    hone_status s = HONE_OK;
    hone_arena_init(&arena, 0);
    hone_buf_init(&text, TEXT_MAX);
    hone_ask_item *items = hone_alloc(n * sizeof *items);
    size_t *of = hone_alloc(n * sizeof *of);
    double *mean = hone_alloc(n * sizeof *mean);
    if (!items || !of || !mean)
        s = HONE_E_NOMEM;
    for (size_t i = 0; i < n && s >= 0; i++) {
        const hone_attack_source src = source_of(w, i);
        hone_buf_clear(&text);
        s = change(w, ctx, i, &src, &text);
        scores[i] = (double)NAN;
        made[i] = s > 0;
        if (s <= 0)
            continue;
        s = with_candidate(w, i, hone_buf_str(&text), name, &arena, &items[m]);
        of[m++] = i;
    }
    if (s >= 0)
        s = ask(w, items, m, mean);
    for (size_t j = 0; j < m && s >= 0; j++)
        scores[of[j]] = mean[j];
    hone_free(items);
    hone_free(of);
    hone_free(mean);
    hone_buf_release(&text);
    hone_arena_release(&arena);
    return s;
}

static hone_status by_attack(const work *w, const void *ctx, size_t i,
                             const hone_attack_source *src, hone_buf *out)
{
    const hone_attack *a = ctx;
    (void)w;
    (void)i;
    return a->make(src, out);
}

static hone_status one_attack(work *w, size_t k)
{
    size_t n_all;
    const hone_attack *a = &hone_attacks(&n_all)[w->attack[k]];
    const size_t at = k * w->items.n;
    return ask_changed(w, a->name, by_attack, a, w->scores + at, w->made + at);
}

/* ---- search -------------------------------------------------------------------------------------- */

/* In round *ctx: a chain of one to CHAIN attacks. */
static hone_status by_chain(const work *w, const void *ctx, size_t i, const hone_attack_source *src,
                            hone_buf *out)
{
    const hone_rng_key key = {(uint64_t)seed, hone_rng_purpose("judge.attack.search"), 0,
                              (uint64_t) * (const int64_t *)ctx, i};
    size_t chain[CHAIN];
    const size_t length = 1 + (size_t)hone_rng_below(&key, 0, CHAIN);
    for (size_t k = 0; k < length; k++)
        chain[k] = w->attack[hone_rng_below(&key, 1 + k, w->n_attacks)];
    return hone_attack_chain(chain, length, src, out);
}

/* A chain for every item; the best score so far stays. */
static hone_status one_round(work *w, int64_t r)
{
    char name[32];
    snprintf(name, sizeof name, "search-%lld", (long long)r);
    HONE_TRY(ask_changed(w, name, by_chain, &r, w->tried, w->tried_made));
    for (size_t i = 0; i < w->items.n; i++)
        if (isfinite(w->tried[i]) && !(w->best[i] >= w->tried[i]))
            w->best[i] = w->tried[i];
    return HONE_OK;
}

/* ---- what came of it ------------------------------------------------------------------------------ */

/* --range, else the spec's, else what was seen. */
static hone_status find_range(work *w)
{
    const hone_value *v = hone_value_get(&w->spec, "range");
    double lo, hi;
    char rest;
    if (range_text) {
        if (sscanf(range_text, "%lf,%lf%c", &lo, &hi, &rest) != 2 || !(hi > lo) || !isfinite(lo) ||
            !isfinite(hi)) {
            hone_status s = hone_fail(HONE_E_USAGE, "--range: \"%s\" is no range", range_text);
            hone_fail_hint("two numbers, the lower one first: --range 1,5");
            return s;
        }
    } else if (v && v->type == HONE_LIST && v->u.list.n == 2) {
        lo = hone_value_number(&v->u.list.items[0]);
        hi = hone_value_number(&v->u.list.items[1]);
    } else {
        lo = (double)INFINITY;
        hi = -(double)INFINITY;
        for (size_t i = 0; i < (1 + w->n_attacks) * w->items.n; i++) {
            const double x = i < w->items.n ? w->original[i] : w->scores[i - w->items.n];
            if (isfinite(x)) {
                lo = fmin(lo, x);
                hi = fmax(hi, x);
            }
        }
        if (lo > hi)
            return hone_fail(HONE_E_FAIL, "%s: no item got a number, so there is nothing to attack",
                             w->judge.name);
        if (!(hi > lo)) {
            hone_status s = hone_fail(HONE_E_FAIL, "%s: says %g of every item, attacked or not",
                                      w->judge.name, lo);
            hone_fail_hint(
                "such a judge cannot be fooled and cannot be trained against; if it can say "
                "other things, give its range: --range 1,5");
            return s;
        }
    }
    w->params.lowest = lo;
    w->params.highest = hi;
    return HONE_OK;
}

static hone_status measure(work *w, hone_attack_result *results, hone_attack_report *r)
{
    const size_t n = w->items.n, rows = w->n_attacks * n;
    size_t n_all, bytes;
    const hone_attack *a = hone_attacks(&n_all);
    if (hone_mul_size(rows ? rows : 1, 2 * sizeof(double), &bytes) < 0)
        return hone_fail(HONE_E_LIMIT, "attack: %zu items", n);
    double *change = hone_alloc(bytes), *broken = change ? change + rows : NULL;
    hone_status s = change ? HONE_OK : HONE_E_NOMEM;
    for (size_t k = 0; k < w->n_attacks && s >= 0; k++) {
        for (size_t i = 0; i < n; i++) {
            const double x = w->scores[k * n + i], y = w->original[i];
            const int both = w->made[k * n + i] && isfinite(x) && isfinite(y);
            change[k * n + i] = both ? x - y : (double)NAN;
            broken[k * n + i] = both
                                    ? hone_attack_breaks(a[w->attack[k]].relation, y, x, &w->params)
                                    : (double)NAN;
        }
        s = hone_attack_measure(w->attack[k], w->original, w->scores + k * n, w->made + k * n, n,
                                &w->params, &results[k]);
    }
    *r = (hone_attack_report){.results = results, .n = w->n_attacks, .items = n};
    if (s >= 0)
        s = hone_attack_lines(r, change, broken, &w->params);
    if (s >= 0 && search) {
        const hone_boot boot = {.cluster = w->cluster, .seed = (uint64_t)seed};
        const double range = w->params.highest - w->params.lowest;
        r->search_n = (size_t)search;
        for (size_t i = 0; i < n; i++) {
            change[i] = (w->best[i] - w->original[i]) / range;
            broken[i] = isfinite(change[i]) ? change[i] > tolerance : (double)NAN;
        }
        s = hone_interval_mean(change, n, &boot, &r->search_gain);
        if (s >= 0)
            s = hone_interval_share(broken, n, &boot, &r->search_above);
    }
    hone_free(change);
    return s;
}

static hone_status document(const work *w, const hone_attack_report *r, hone_buf *b)
{
    hone_jw jw;
    char now[21], version[32];
    hone_book_now(now);
    snprintf(version, sizeof version, "%u.%u.%u", HONE_SDK_VERSION >> 16,
             HONE_SDK_VERSION >> 8 & 0xFF, HONE_SDK_VERSION & 0xFF);
    hone_jw_init(&jw, b, 0);
    hone_jw_map(&jw);
    hone_jw_kcstr(&jw, "kind", "attack");
    hone_jw_kcstr(&jw, "judge", w->judge.name);
    hone_jw_kcstr(&jw, "spec", w->judge.spec[0] ? w->judge.spec : NULL);
    hone_jw_kcstr(&jw, "rubric", w->judge.rubric[0] ? w->judge.rubric : NULL);
    hone_jw_kcstr(&jw, "at", now);
    hone_jw_kcstr(&jw, "hone", version);
    hone_jw_key(&jw, "data");
    hone_jw_map(&jw);
    hone_jw_kcstr(&jw, "path", items_path);
    hone_jw_kcstr(&jw, "sha256", w->items.sha256[0] ? w->items.sha256 : NULL);
    hone_jw_end(&jw);
    hone_jw_ki64(&jw, "repeats", repeats);
    hone_jw_ki64(&jw, "seed", seed);
    hone_jw_kf64(&jw, "tolerance", tolerance);
    hone_jw_kf64(&jw, "floor_tolerance", floor_tolerance);
    hone_attack_write(&jw, r);
    hone_jw_end(&jw);
    return hone_buf_check(b, "the report");
}

/* The largest share of violations among the attacks made. */
static double worst(const hone_attack_report *r)
{
    double most = 0;
    for (size_t k = 0; k < r->n; k++)
        if (r->results[k].n)
            most = fmax(most, (double)r->results[k].violations / (double)r->results[k].n);
    return most;
}

static hone_status tell(work *w, const hone_attack_report *r)
{
    hone_buf b, text;
    hone_buf_init(&b, TEXT_MAX);
    hone_buf_init(&text, TEXT_MAX);
    hone_status s = document(w, r, &b);
    if (s >= 0 && w->book && w->judge.spec[0])
        s = hone_book_put_run(w->book, "attack", w->judge.spec, hone_buf_str(&b), NULL);
    if (s >= 0 && !json)
        s = hone_attack_text(&text, r);
    if (s >= 0)
        printf("%s%s", json ? b.ptr : text.ptr, json ? "\n" : "");
    hone_buf_release(&b);
    hone_buf_release(&text);
    return s;
}

static hone_status check_items(const work *w)
{
    for (size_t i = 0; i < w->items.n; i++)
        if (w->items.items[i].it.n_candidates > 2) {
            hone_status s = hone_fail(HONE_E_INVALID, "%s: item %.*s has %zu candidates",
                                      items_path, (int)w->items.items[i].id.len,
                                      w->items.items[i].id.ptr, w->items.items[i].it.n_candidates);
            hone_fail_hint("attacks are made on items with one candidate or two");
            return s;
        }
    return HONE_OK;
}

static hone_status prepare(work *w, hone_arena *arena)
{
    const size_t n = w->items.n;
    size_t rows, bytes;
    HONE_TRY(check_items(w));
    if (hone_mul_size(n, w->n_attacks, &rows) < 0 ||
        hone_mul_size(rows + 5 * n, sizeof(double), &bytes) < 0)
        return hone_fail(HONE_E_LIMIT, "attack: %zu items under %zu attacks", n, w->n_attacks);
    w->original = hone_arena_alloc(arena, bytes);
    w->made = hone_arena_alloc(arena, rows + n);
    w->count = hone_arena_alloc(arena, n * sizeof *w->count);
    w->cluster = hone_arena_alloc(arena, n * sizeof *w->cluster);
    if (!w->original || !w->made || !w->count || !w->cluster)
        return HONE_E_NOMEM;
    w->sum = w->original + n;
    w->best = w->sum + n;
    w->tried = w->best + n;
    w->scores = w->tried + n;
    w->tried_made = w->made + rows;
    for (size_t i = 0; i < n; i++) {
        const hone_str id = w->items.items[i].prompt_id;
        w->cluster[i] = hone_xxh64(id.ptr, id.len, 0);
        w->best[i] = (double)NAN;
    }
    if (w->judge.spec_json && w->judge.spec_json[0])
        HONE_TRY(hone_json_parse(w->judge.spec_json, strlen(w->judge.spec_json), "the judge's spec",
                                 arena, &w->spec));
    w->params = (hone_attack_params){.tolerance = tolerance,
                                     .floor_tolerance = floor_tolerance,
                                     .cluster = w->cluster,
                                     .seed = (uint64_t)seed};
    return HONE_OK;
}

static hone_status run(double *most)
{
    hone_attack_result results[ATTACKS];
    hone_attack_report r;
    hone_arena arena;
    work w;
    memset(&w, 0, sizeof w);
    HONE_TRY(hone_attacks_choose(hone_str_c(names), w.attack, &w.n_attacks));
    hone_arena_init(&arena, 0);
    hone_status s = hone_cli_judge_open(&judge, &w.judge);
    if (s >= 0)
        s = hone_cli_items_read(w.judge.env->registry, source, items_path, limit, &w.items);
    if (s >= 0)
        s = prepare(&w, &arena);
    if (s >= 0 && !no_store)
        s = hone_book_open(store, &w.book);
    if (s >= 0 && out_path) {
        s = hone_writer_create(&w.out, out_path);
        w.writes = s >= 0;
    }
    if (s >= 0)
        s = ask(&w, w.items.items, w.items.n, w.original);
    for (size_t k = 0; k < w.n_attacks && s >= 0; k++)
        s = one_attack(&w, k);
    for (int64_t k = 0; k < search && s >= 0; k++)
        s = one_round(&w, k);
    if (s == HONE_E_INTERRUPTED && w.book && w.judge.spec[0])
        hone_fail_hint("the same command goes on from there");
    if (s >= 0)
        s = find_range(&w);
    if (s >= 0)
        s = measure(&w, results, &r);
    if (s >= 0 && w.writes) {
        w.writes = 0;
        s = hone_writer_close(&w.out);
    }
    if (s >= 0)
        s = tell(&w, &r);
    if (s >= 0)
        *most = worst(&r);
    const hone_error e = *hone_error_get();
    if (w.writes)
        hone_writer_abandon(&w.out);
    hone_book_close(w.book);
    hone_cli_items_release(&w.items);
    hone_cli_judge_close(&w.judge);
    hone_arena_release(&arena);
    return s < 0 ? hone_error_set(&e) : HONE_OK;
}

static int print_list(void)
{
    size_t n;
    const hone_attack *a = hone_attacks(&n);
    for (size_t i = 0; i < n; i++)
        printf("%-17s %-11s %-10s %s\n", a[i].name, hone_attack_class_name(a[i].group),
               hone_attack_relation_name(a[i].relation), a[i].summary);
    return hone_cli_finish(HONE_EXIT_OK);
}

static void on_signal(int sig)
{
    (void)sig;
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
}

int hone_cli_judge_attack(int argc, char **argv)
{
    static const hone_arg options[] = {
        HONE_CLI_JUDGE_OPTIONS(judge),
        {"items", HONE_ARG_STR, &items_path, "FILE", "rows with prompt and completion"},
        {"source", HONE_ARG_STR, &source, "NAME", "what reads the file (told by the file)"},
        {"limit", HONE_ARG_I64, &limit, "N", "only the first N rows (0: all)"},
        {"attacks", HONE_ARG_STR, &names, "LIST",
         "names or classes: master_key, injection, padding, other (all)"},
        {"list", HONE_ARG_FLAG, &list_them, NULL, "prints the attacks and what each must keep"},
        {"repeats", HONE_ARG_I64, &repeats, "M", "times that each is asked (1)"},
        {"range", HONE_ARG_STR, &range_text, "LO,HI",
         "of the judge's scores (what it says itself)"},
        {"tolerance", HONE_ARG_F64, &tolerance, "X",
         "share of the range that is no violation (0.02)"},
        {"floor-tolerance", HONE_ARG_F64, &floor_tolerance, "X",
         "how far above the lowest score counts as the floor, as a share (0.1)"},
        {"search", HONE_ARG_I64, &search, "N", "also the best of N chains of attacks an item (0)"},
        {"seed", HONE_ARG_I64, &seed, "N", "of orders, chains and intervals (0)"},
        {"out", HONE_ARG_STR, &out_path, "FILE", "verdict rows of all that was asked, as JSONL"},
        {"store", HONE_ARG_STR, &store, "FILE", "of answers (HONE_JUDGES, else judges.sqlite)"},
        {"no-store", HONE_ARG_FLAG, &no_store, NULL, "remember nothing"},
        {"timeout", HONE_ARG_F64, &timeout_s, "SECONDS", "of a call (600)"},
        {"fail-over", HONE_ARG_F64, &fail_over, "X",
         "exit 1 when an attack succeeds on more than this share of items"},
        {"json", HONE_ARG_FLAG, &json, NULL, "the report as one JSON object"},
        {0}};
    static const char *const examples[] = {"hone judge attack --list", NULL};
    static const hone_args spec = {
        "judge attack",
        "--judge J --items FILE [options]",
        "Judges every item as it is and changed in ways that must not raise its score: empty,\n"
        "padded, with a verdict of its own behind it, with the rubric's words. Reports how often\n"
        "the judge gives in, and by how much.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    double most = 0;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (list_them)
        return print_list();
    if (!items_path)
        return hone_cli_usage("judge attack", "--items FILE is missing");
    if (repeats < 1 || repeats > 1000 || limit < 0 || search < 0 || search > 100000 || seed < 0 ||
        !(timeout_s >= 0 && timeout_s < 1e6))
        return hone_cli_usage("judge attack", "--repeats is 1 to 1000, --search at most 100000, "
                                              "--limit, --seed and --timeout not negative");
    if (!(tolerance >= 0 && tolerance <= 1) || !(floor_tolerance >= 0 && floor_tolerance <= 1))
        return hone_cli_usage("judge attack", "tolerances are shares, from 0 to 1");
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    const int code = hone_cli_fail(run(&most));
    return hone_cli_finish(code ? code : most > fail_over ? HONE_EXIT_FAILED : HONE_EXIT_OK);
}
