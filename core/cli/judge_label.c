/* judge_label.c - `hone judge label`: serves the labelling page, or shows how far it is.
 *
 * Items come from a file; those that are to be labelled go into the book as a batch, experts get their tasks and, the first
 * time, a link that is printed once. Started again, it goes on where it was: same port, same tokens, same order.
 * The page is web/label_page.h, what it stands on judge/labels.h. */
#include "base/alloc.h"
#include "cli/component.h"
#include "cli/judge.h"
#include "cli/judge_label.h"
#include "cli/out.h"
#include "judge/labels.h"
#include "web/label_page.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hone_arg_list paths;
static const char *items, *source, *rubric_path, *store, *experts, *lead, *bind_to = "127.0.0.1",
                                                                          *origin, *renew, *revoked;
static int64_t port, batch_size, seed;
static double request_s, threshold = (double)NAN;
static const char *verdicts, *import_path, *export_path;
static int json, status_only;

/* ---- experts --------------------------------------------------------------------------------------- */

/* Is `name` one of the words between commas? */
static int listed(const char *list, const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ','))
        if (strcspn(p, ",") == n && memcmp(p, name, n) == 0)
            return 1;
    return 0;
}

typedef struct link {
    char name[64], token[HONE_LABEL_TOKEN];
    int fresh, lead;
} link_t;

static hone_status add_expert(hone_labels *l, const char *name, int leads, int labels, link_t *out)
{
    snprintf(out->name, sizeof out->name, "%s", name);
    out->lead = leads;
    hone_status s = hone_labels_expert(l, name, leads, labels, listed(renew, name), out->token);
    out->fresh = s > 0;
    return s;
}

static hone_status add_experts(hone_labels *l, link_t *links, size_t *n)
{
    char name[64];
    for (const char *p = experts; p && *p;) {
        const size_t len = strcspn(p, ",");
        if (len >= sizeof name)
            return hone_fail(HONE_E_USAGE, "--experts: a name has 63 bytes at most");
        memcpy(name, p, len);
        name[len] = 0;
        p += len + (p[len] == ',');
        if (*n + 1 >= HONE_LABELS_EXPERTS)
            return hone_fail(HONE_E_LIMIT, "--experts: %d at most", HONE_LABELS_EXPERTS - 1);
        HONE_TRY(add_expert(l, name, lead && strcmp(name, lead) == 0, 1, &links[(*n)++]));
    }
    if (!listed(experts, lead))
        HONE_TRY(add_expert(l, lead, 1, 0, &links[(*n)++]));
    for (const char *p = revoked; p && *p;) {
        const size_t len = strcspn(p, ",");
        snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), p);
        p += len + (p[len] == ',');
        HONE_TRY(hone_labels_revoke(l, name));
    }
    return HONE_OK;
}

/* ---- serving --------------------------------------------------------------------------------------- */

static hone_serve *serving;

static void on_signal(int sig)
{
    (void)sig;
    hone_serve_interrupt(serving);
}

static void catch_signals(hone_serve *v)
{
    struct sigaction sa = {.sa_handler = on_signal};
    serving = v;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void say_links(hone_label_page *page, const link_t *links, size_t n)
{
    const char *url = hone_label_page_url(page);
    const char *local = hone_serve_url(hone_label_page_serve(page));
    if (json) {
        hone_buf b;
        hone_jw w;
        hone_buf_init(&b, 1 << 20);
        hone_jw_init(&w, &b, 0);
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "url", url);
        hone_jw_kcstr(&w, "local", local);
        hone_jw_key(&w, "links");
        hone_jw_map(&w);
        for (size_t i = 0; i < n; i++)
            if (links[i].fresh) {
                char text[512];
                snprintf(text, sizeof text, "%s/#%s", url, links[i].token);
                hone_jw_kcstr(&w, links[i].name, text);
            }
        hone_jw_end(&w);
        hone_jw_end(&w);
        printf("%s\n", b.ptr);
        hone_buf_release(&b);
        fflush(stdout);
        return;
    }
    printf("labelling at %s/\n", url);
    if (strcmp(url, local) != 0)
        printf("listening at %s/\n", local);
    for (size_t i = 0; i < n; i++)
        if (links[i].fresh)
            printf("  %-16s %s/#%s%s\n", links[i].name, url, links[i].token,
                   links[i].lead ? "   (lead: progress and conflicts)" : "");
        else
            printf("  %-16s has a link; --renew %s makes another\n", links[i].name, links[i].name);
    size_t fresh = 0;
    for (size_t i = 0; i < n; i++)
        fresh += (size_t)links[i].fresh;
    if (!origin && !hone_serve_is_loopback(hone_label_page_serve(page)))
        printf("From elsewhere it is this machine's address instead of 127.0.0.1.\n");
    printf("%sCtrl-C ends; labels are kept.\n",
           fresh ? "Links are shown this once; each is one person's. " : "");
    fflush(stdout);
}

static hone_status start_page(hone_labels *l, hone_label_page **page)
{
    char text[32];
    hone_label_page_opts o = {
        .bind = bind_to, .port = (uint16_t)port, .origin = origin, .request_s = request_s};
    if (!port && hone_labels_fact(l, "port", text, sizeof text) > 0) {
        const long last = strtol(text, NULL, 10);
        o.port = last > 0 && last < 65536 ? (uint16_t)last : 0;
    }
    hone_status s = hone_label_page_start(l, &o, page);
    if (s == HONE_E_IO && !port && o.port) { /* taken by somebody else meanwhile */
        o.port = 0;
        s = hone_label_page_start(l, &o, page);
    }
    if (s >= 0) {
        snprintf(text, sizeof text, "%u", hone_serve_port(hone_label_page_serve(*page)));
        s = hone_labels_set_fact(l, "port", text);
    }
    return s;
}

static hone_status serve(hone_labels *l, hone_registry *r, const hone_rubric *rubric)
{
    hone_label_page *page = NULL;
    link_t links[HONE_LABELS_EXPERTS];
    size_t n = 0;
    memset(links, 0, sizeof links);
    const hone_cli_label_batch how = {.items = items,
                                      .source = source,
                                      .verdicts = verdicts,
                                      .threshold = threshold,
                                      .size = batch_size,
                                      .seed = (uint64_t)seed,
                                      .quiet = json};
    hone_status s = hone_cli_label_batch_make(r, l, rubric, &how);
    if (s >= 0) /* first, since a token that was made and never shown would be lost */
        s = start_page(l, &page);
    if (s >= 0)
        s = add_experts(l, links, &n);
    if (s >= 0)
        s = hone_labels_deal(l);
    if (s >= 0) {
        if (!hone_serve_is_loopback(hone_label_page_serve(page)))
            fprintf(
                stderr,
                "hone: warning: %s is reachable from other machines, and without TLS whoever is on "
                "the "
                "way reads tokens and labels.\n"
                "  hint: leave --bind away and put a proxy that speaks TLS in front (--origin)\n",
                bind_to);
        catch_signals(hone_label_page_serve(page));
        say_links(page, links, n);
        hone_serve_wait(hone_label_page_serve(page));
    }
    hone_label_page_stop(page);
    return s;
}

static hone_status say_status(hone_labels *l)
{
    hone_buf b;
    hone_jw w;
    hone_arena arena;
    hone_value v;
    hone_buf_init(&b, 1 << 24);
    hone_arena_init(&arena, 0);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_status s = hone_labels_put_status(l, &w);
    hone_jw_end(&w);
    if (s >= 0)
        s = hone_buf_check(&b, "status");
    if (s >= 0 && json)
        printf("%s\n", b.ptr);
    else if (s >= 0 && (s = hone_json_parse(b.ptr, b.len, NULL, &arena, &v)) >= 0) {
        const hone_value *list = hone_value_get(&v, "experts");
        printf("%lld items, %lld labels\n", (long long)hone_value_get(&v, "items")->u.i64,
               (long long)hone_value_get(&v, "labels")->u.i64);
        for (size_t i = 0; i < list->u.list.n; i++) {
            const hone_value *e = &list->u.list.items[i];
            const hone_str name = hone_value_get(e, "name")->u.str;
            const int64_t pairs = hone_value_get(e, "repeats")->u.i64;
            if (!hone_value_get(e, "total")->u.i64)
                continue; /* a lead who does not label */
            printf("  %-16.*s %lld of %lld", (int)name.len, name.ptr,
                   (long long)hone_value_get(e, "done")->u.i64,
                   (long long)hone_value_get(e, "total")->u.i64);
            if (pairs)
                printf(", %lld of %lld repeats the same",
                       (long long)hone_value_get(e, "repeats_same")->u.i64, (long long)pairs);
            printf("\n");
        }
    }
    hone_arena_release(&arena);
    hone_buf_release(&b);
    return s;
}

/* ---- the verb -------------------------------------------------------------------------------------- */

/* Without a rubric: five levels, or a choice. */
static hone_status plain_rubric(hone_data *d, hone_rubric **out)
{
    static const char one[] = "return {id = \"plain\", version = \"1\", shape = \"pointwise\","
                              "title = \"How good is the answer?\", task = \"From 1, of no "
                              "use, to 5, nothing to add.\", scale = {min = 1, max = 5}}";
    static const char two[] = "return {id = \"plain-pairs\", version = \"1\", shape = \"pairwise\","
                              "title = \"Which answer is better?\", task = \"Which answer helps "
                              "more?\"}";
    hone_arena arena;
    hone_value row;
    hone_arena_init(&arena, 0);
    hone_status s = hone_data_next(d, &arena, &row);
    const int pairs = s > 0 && hone_value_get(&row, "candidates") != NULL;
    hone_arena_release(&arena);
    if (s < 0)
        return s;
    return pairs ? hone_rubric_read(two, sizeof two - 1, "plain-pairs", out)
                 : hone_rubric_read(one, sizeof one - 1, "plain", out);
}

/* --import, then --export: no page. */
static hone_status files(hone_registry *r)
{
    hone_book *book = NULL;
    hone_status s = hone_book_open(store, &book);
    if (s >= 0 && import_path)
        s = hone_cli_label_import(r, book, source, import_path, json);
    if (s >= 0 && export_path)
        s = hone_cli_label_export(book, export_path, json);
    hone_book_close(book);
    hone_registry_close(r);
    return s;
}

/* --rubric, else that of the newest batch, else a plain one. */
static hone_status find_rubric(hone_registry *r, hone_book *book, hone_rubric **out)
{
    hone_data *d = NULL;
    if (rubric_path)
        return hone_rubric_read_file(rubric_path, out);
    hone_status s = hone_labels_last_rubric(book, out);
    if (s != 0)
        return s;
    if (!items)
        return hone_fail(HONE_E_NOT_FOUND, "%s: nothing is labelled there", hone_book_path(book));
    s = hone_cli_open_data(r, source, items, "stop", &d);
    if (s >= 0)
        s = plain_rubric(d, out);
    hone_data_close(d);
    return s;
}

static hone_status work(void)
{
    hone_registry *r = NULL;
    hone_rubric *rubric = NULL;
    hone_book *book = NULL;
    hone_labels *l = NULL;
    hone_status s = hone_cli_open_registry(&paths, &r);
    if (s >= 0 && (import_path || export_path))
        return files(r);
    if (s >= 0)
        s = hone_book_open(store, &book);
    if (s >= 0)
        s = find_rubric(r, book, &rubric);
    if (s >= 0)
        s = hone_labels_open(book, rubric, (uint64_t)seed, &l);
    if (s >= 0)
        s = status_only ? say_status(l) : serve(l, r, rubric);
    hone_labels_close(l);
    hone_book_close(book);
    hone_rubric_destroy(rubric);
    hone_registry_close(r);
    return s;
}

int hone_cli_judge_label(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"items", HONE_ARG_STR, &items, "FILE",
         "what is labelled: rows with prompt and completion, or two candidates"},
        {"source", HONE_ARG_STR, &source, "NAME",
         "the source component (told by name and content)"},
        {"rubric", HONE_ARG_STR, &rubric_path, "FILE.lua",
         "levels, criteria, shape (the last batch's; at first 1 to 5, or which of two)"},
        {"store", HONE_ARG_STR, &store, "FILE", "the book (HONE_JUDGES, or judges.sqlite here)"},
        {"experts", HONE_ARG_STR, &experts, "A,B,C", "who labels; each gets a link (expert)"},
        {"lead", HONE_ARG_STR, &lead, "NAME", "who sees progress and conflicts (lead)"},
        {"renew", HONE_ARG_STR, &renew, "A,B", "new links for them; the old ones are void"},
        {"revoke", HONE_ARG_STR, &revoked, "A,B", "their links are void"},
        {"bind", HONE_ARG_STR, &bind_to, "ADDRESS",
         "where to listen (127.0.0.1: this machine only)"},
        {"port", HONE_ARG_I64, &port, "N", "the port (that of last time, or any)"},
        {"origin", HONE_ARG_STR, &origin, "URL", "how experts reach it through a proxy"},
        {"request-seconds", HONE_ARG_F64, &request_s, "S",
         "connections that take longer over a request are cut (20)"},
        {"batch", HONE_ARG_I64, &batch_size, "N",
         "so many of the items: 30 % at random, the rest where a label tells most (all)"},
        {"verdicts", HONE_ARG_STR, &verdicts, "FILE",
         "what judges said (hone judge run): where they waver is labelled first"},
        {"threshold", HONE_ARG_F64, &threshold, "X",
         "the score near which labels tell most (the middle of the rubric's range)"},
        {"import", HONE_ARG_STR, &import_path, "FILE",
         "labels from a .jsonl or .csv into the store"},
        {"export", HONE_ARG_STR, &export_path, "FILE", "the store's labels as .jsonl or .csv"},
        {"seed", HONE_ARG_I64, &seed, "N", "of order, repeats and sides (0)"},
        {"status", HONE_ARG_FLAG, &status_only, NULL, "say how far everybody is, and end"},
        {"json", HONE_ARG_FLAG, &json, NULL, "links or status as one JSON object"},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH", "a folder of plugins, or a .so"},
        {0}};
    static const hone_args spec = {"judge label",
                                   "--items FILE [options] | --import FILE | --export FILE",
                                   "Serves a page on which experts label items, blind to any "
                                   "judge. Each expert has an own link,\n"
                                   "order and sides; a tenth of the items come twice. Labels are "
                                   "on disk when they are acknowledged.",
                                   options,
                                   NULL,
                                   0,
                                   0};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (!items && !import_path && !export_path && !status_only)
        return hone_cli_usage("judge label", "--items FILE is missing");
    if (batch_size < 0 || (verdicts && !batch_size))
        return hone_cli_usage("judge label", batch_size < 0 ? "--batch counts items"
                                                            : "--verdicts goes with --batch N");
    if (port < 0 || port > 65535)
        return hone_cli_usage("judge label", "--port is a number up to 65535");
    if (!experts)
        experts = "expert";
    if (!lead)
        lead = "lead";
    return hone_cli_finish(hone_cli_fail(work()));
}
