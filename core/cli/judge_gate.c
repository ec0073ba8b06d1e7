/* judge_gate.c - `hone judge gate`: the evidence on a judge, line by line, and the record that the trainer asks for.
 *
 * Evidence is what the store has of this judge (calibrate, reliability and attack put their reports there), the files that are
 * named, or, with --labels, what those verbs measure at once. The lines and the record are core/judge/gate.h's. */
#include "abi/config.h"
#include "base/alloc.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/judge.h"
#include "cli/judge_open.h"
#include "cli/out.h"
#include "judge/gate.h"
#include "judge/key.h"
#include "judge/lint.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static hone_cli_judge_args judge;
static const char *calibration, *reliability, *attack, *lint, *store, *labels, *items, *groups,
    *lines, *void_why, *out_path;
static double age, repeats;
static int json, no_store;

enum { KINDS = 4, DOC_MAX = 64 << 20 };
static const char *const kinds[KINDS] = {"calibration", "reliability", "attack", "lint"};

typedef struct evidence {
    hone_cli_judge j;
    hone_book *book;
    hone_arena arena;
    hone_value docs[KINDS];
    int have[KINDS];
    char key[65], policy[17], now[21];
    hone_buf key_json;
} evidence;

/* ---- measuring now ---------------------------------------------------------------------------------------------------- */

typedef struct command {
    const char *v[3 * HONE_ARG_LIST_MAX];
    int n;
} command;

static void add(command *c, const char *option, const char *value)
{
    if (!value || c->n + 3 > (int)(sizeof c->v / sizeof c->v[0]))
        return;
    c->v[c->n++] = option;
    c->v[c->n++] = value;
}

static void begin(command *c, const char *verb)
{
    c->n = 0;
    c->v[c->n++] = verb;
    add(c, "--judge", judge.judge);
    add(c, "--policy", judge.policy);
    add(c, "--store", store);
    for (int i = 0; i < judge.sets.n; i++)
        add(c, "--set", judge.sets.v[i]);
    for (int i = 0; i < judge.allow.n; i++)
        add(c, "--allow", judge.allow.v[i]);
}

/* Runs the verb in this process; what it prints is in the store too. Attacks and reliability may find fault (exit 1): the lines say it. */
static int run_verb(command *c, int (*verb)(int argc, char **argv))
{
    fflush(stdout);
    const int kept = dup(STDOUT_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (kept < 0 || nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
        return HONE_EXIT_FAILED;
    c->v[c->n] = NULL;
    const int code = verb(c->n, (char **)(uintptr_t)c->v);
    fflush(stdout);
    (void)dup2(kept, STDOUT_FILENO);
    close(kept);
    close(nowhere);
    return code;
}

static int measure(const char *policy)
{
    command c;
    begin(&c, "judge calibrate");
    add(&c, "--labels", labels);
    add(&c, "--items", items);
    int code = run_verb(&c, hone_cli_judge_calibrate);
    if (code == HONE_EXIT_OK && groups) {
        begin(&c, "judge reliability");
        add(&c, "--items", groups);
        add(&c, "--of-policy", policy);
        code = run_verb(&c, hone_cli_judge_reliability);
    }
    if (code == HONE_EXIT_OK) {
        begin(&c, "judge attack");
        add(&c, "--items", items);
        code = run_verb(&c, hone_cli_judge_attack);
    }
    return code;
}

/* ---- evidence ----------------------------------------------------------------------------------------------------------- */

static hone_status read_document(evidence *e, int i, const char *path)
{
    HONE_TRY(hone_json_parse_file(path, DOC_MAX, &e->arena, &e->docs[i]));
    e->have[i] = 1;
    return HONE_OK;
}

static hone_status from_store(evidence *e, int i)
{
    hone_str text, at;
    if (!e->book)
        return HONE_OK;
    hone_status s = hone_book_last_run(e->book, kinds[i], e->j.spec, &e->arena, &text, &at);
    if (s <= 0)
        return s;
    HONE_TRY(hone_json_parse(text.ptr, text.len, kinds[i], &e->arena, &e->docs[i]));
    e->have[i] = 1;
    return HONE_OK;
}

/* The rubric that the judge's settings name, looked at now. */
static hone_status lint_now(evidence *e)
{
    hone_buf b;
    hone_jw w;
    hone_value all;
    hone_str path = {NULL, 0};
    hone_lint l;
    hone_rubric *r = NULL;
    hone_buf_init(&b, DOC_MAX);
    hone_jw_init(&w, &b, 0);
    hone_config_json(hone_instance_config(e->j.instance), &w);
    hone_status s = hone_buf_check(&b, "settings");
    if (s >= 0)
        s = hone_json_parse(b.ptr, b.len, "settings", &e->arena, &all);
    const hone_value *rubric = s >= 0 ? hone_value_get(&all, "rubric") : NULL;
    if (rubric && rubric->type == HONE_STRING)
        path = rubric->u.str;
    char *z = path.len ? hone_arena_strndup(&e->arena, path.ptr, path.len) : NULL;
    hone_buf_release(&b);
    if (s < 0 || !rubric || rubric->type == HONE_NULL || (z && !hone_file_exists(z)))
        return s < 0 ? s : HONE_OK;
    hone_lint_init(&l);
    if (z) {
        s = hone_lint_file(&l, z, NULL);
        if (hone_rubric_read_file(z, &r) < 0)
            r = NULL;
    } else if (hone_rubric_from_value(rubric, "rubric", &r) >= 0)
        s = hone_lint_rubric(&l, r, NULL);
    if (s >= 0 && (z || r)) {
        hone_buf_init(&b, DOC_MAX);
        hone_jw_init(&w, &b, 0);
        hone_lint_json(&l, r, &w);
        s = hone_buf_check(&b, "lint");
        if (s >= 0)
            s = hone_json_parse(b.ptr, b.len, "lint", &e->arena, &e->docs[3]);
        e->have[3] = s >= 0;
        hone_buf_release(&b);
    }
    hone_rubric_destroy(r);
    hone_lint_release(&l);
    return s;
}

static hone_status gather(evidence *e)
{
    const char *const files[KINDS] = {calibration, reliability, attack, lint};
    hone_status s = HONE_OK;
    for (int i = 0; i < KINDS && s >= 0; i++)
        s = files[i] ? read_document(e, i, files[i]) : from_store(e, i);
    if (s >= 0 && !e->have[3])
        s = lint_now(e);
    return s;
}

/* Judges of a trained head have no rubric and read no instructions. */
static int which_lines(const evidence *e)
{
    hone_value spec;
    hone_str backend = {"", 0};
    if (!lines && strcmp(hone_instance_info(e->j.instance)->short_name, "similarity") == 0)
        return HONE_GATE_HEAD;
    if (lines)
        return strcmp(lines, "head") == 0 ? HONE_GATE_HEAD : HONE_GATE_JUDGE;
    if (hone_json_parse(e->j.spec_json, strlen(e->j.spec_json), "spec", (hone_arena *)&e->arena,
                        &spec) < 0 ||
        hone_value_string(&spec, "backend", backend, &backend) < 0)
        return HONE_GATE_JUDGE;
    return hone_str_eq(backend, "head") || hone_str_eq(backend, "reward_model") ? HONE_GATE_HEAD
                                                                                : HONE_GATE_JUDGE;
}

/* ---- the verb ------------------------------------------------------------------------------------------------------------ */

static hone_status print(const hone_gate *g, const hone_gate_evidence *e)
{
    hone_buf b;
    hone_buf_init(&b, DOC_MAX);
    hone_status s = json ? hone_gate_json(g, e, &b) : hone_gate_text(g, e, &b);
    if (s >= 0)
        printf("%s%s", b.ptr, json ? "\n" : "");
    hone_buf_clear(&b);
    if (s >= 0 && out_path) {
        s = hone_gate_json(g, e, &b);
        if (s >= 0)
            s = hone_file_replace(out_path, b.ptr, b.len);
    }
    hone_buf_release(&b);
    return s;
}

static hone_status void_records(evidence *e)
{
    hone_status n = hone_book_void_gate(e->book, e->key, void_why);
    if (n < 0)
        return n;
    printf("%d record%s voided: %s\n", n, n == 1 ? "" : "s", void_why);
    return HONE_OK;
}

static hone_status open_all(evidence *e)
{
    hone_book_now(e->now);
    HONE_TRY(hone_cli_judge_open(&judge, &e->j));
    HONE_TRY(hone_book_open(store, &e->book));
    hone_status s = hone_judge_key(e->j.instance, e->key, &e->key_json);
    if (s < 0)
        return s;
    if (s == 0 || !e->j.spec[0]) {
        hone_fail(HONE_E_INVALID, "%s: it does not tell what it is, so no record could hold for it",
                  judge.judge);
        return hone_fail_hint(
            "a judge written in Lua tells it by spec = function() return JSON end, "
            "one in C by the slot spec of hone.judge/1");
    }
    if (e->j.policy)
        snprintf(e->policy, sizeof e->policy, "%016" PRIx64,
                 hone_params_checksum_base(e->j.policy->model->params));
    return HONE_OK;
}

static void close_all(evidence *e)
{
    hone_book_close(e->book);
    hone_cli_judge_close(&e->j);
    hone_arena_release(&e->arena);
    hone_buf_release(&e->key_json);
}

static hone_status decide(evidence *e, int *verdict)
{
    hone_gate g;
    hone_gate_evidence x = {.calibration = e->have[0] ? &e->docs[0] : NULL,
                            .reliability = e->have[1] ? &e->docs[1] : NULL,
                            .attack = e->have[2] ? &e->docs[2] : NULL,
                            .lint = e->have[3] ? &e->docs[3] : NULL,
                            .lines = which_lines(e),
                            .spec = e->j.spec,
                            .key = e->key,
                            .policy = e->policy,
                            .judge = judge.judge,
                            .rubric = e->j.rubric,
                            .repeats = repeats,
                            .age_days = age,
                            .now = e->now};
    HONE_TRY(hone_gate_decide(&x, &g));
    hone_status s = no_store ? HONE_OK : hone_gate_keep(&g, &x, e->book, NULL);
    if (s >= 0)
        s = print(&g, &x);
    *verdict = g.verdict;
    hone_gate_release(&g);
    return s;
}

static hone_status run(int *verdict)
{
    evidence e;
    memset(&e, 0, sizeof e);
    hone_arena_init(&e.arena, 0);
    hone_buf_init(&e.key_json, DOC_MAX);
    hone_status s = open_all(&e);
    if (s >= 0 && labels) { /* one judge at a time: this one steps aside */
        char policy[17];
        memcpy(policy, e.policy, sizeof policy);
        close_all(&e);
        memset(&e, 0, sizeof e);
        hone_arena_init(&e.arena, 0);
        hone_buf_init(&e.key_json, DOC_MAX);
        if (measure(policy) != HONE_EXIT_OK)
            s = hone_fail(HONE_E_FAIL, "the judge could not be measured");
        if (s >= 0)
            s = open_all(&e);
    }
    if (s >= 0 && void_why) {
        s = void_records(&e);
        *verdict = HONE_GATE_GO;
    } else if (s >= 0) {
        s = gather(&e);
        if (s >= 0)
            s = decide(&e, verdict);
    }
    const hone_error err = *hone_error_get();
    close_all(&e);
    return s < 0 ? hone_error_set(&err) : HONE_OK;
}

int hone_cli_judge_gate(int argc, char **argv)
{
    static const hone_arg options[] = {
        HONE_CLI_JUDGE_OPTIONS(judge),
        {"storage", HONE_ARG_STR, &judge.storage, "TYPE",
         "of the policy's weights, as it will be trained on (f32)"},
        {"calibration", HONE_ARG_STR, &calibration, "FILE", "report (the newest in the store)"},
        {"reliability", HONE_ARG_STR, &reliability, "FILE", "likewise"},
        {"attack", HONE_ARG_STR, &attack, "FILE", "likewise"},
        {"lint", HONE_ARG_STR, &lint, "FILE", "likewise (the rubric is looked at)"},
        {"labels", HONE_ARG_STR, &labels, "FILE", "measure now: labels of experts"},
        {"items", HONE_ARG_STR, &items, "FILE", "with --labels: what they labelled"},
        {"groups", HONE_ARG_STR, &groups, "FILE",
         "with --labels: several completions of each prompt, drawn from the policy"},
        {"repeats", HONE_ARG_F64, &repeats, "N", "times that training asks a sample (1)"},
        {"age", HONE_ARG_F64, &age, "DAYS", "how long the record holds (90)"},
        {"lines", HONE_ARG_STR, &lines, "KIND", "judge or head (told by the judge)"},
        {"void", HONE_ARG_STR, &void_why, "WHY", "records of this judge hold no more"},
        {"out", HONE_ARG_STR, &out_path, "FILE", "the record as JSON"},
        {"store", HONE_ARG_STR, &store, "FILE", "HONE_JUDGES, else judges.sqlite"},
        {"no-store", HONE_ARG_FLAG, &no_store, NULL, "look only: no record is written"},
        {"json", HONE_ARG_FLAG, &json, NULL, "the record as one JSON object"},
        {0}};
    static const hone_args spec = {
        "judge gate",
        "--judge J --policy M [options]",
        "May this judge drive training of M? Each line is decided by the bound of its interval;\n"
        "what fails is told with its cheapest remedy. The record is what hone run asks for.\n"
        "Exits 1 on NO-GO.",
        options,
        NULL,
        0,
        0};
    hone_rest rest;
    int verdict = HONE_GATE_NO_GO;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (lines && strcmp(lines, "judge") != 0 && strcmp(lines, "head") != 0)
        return hone_cli_usage("judge gate", "--lines is judge or head");
    if (!(age >= 0 && age <= 3650) || !(repeats >= 0 && repeats <= 1000))
        return hone_cli_usage("judge gate", "--age is 1 to 3650 days, --repeats 1 to 1000");
    if (labels && !items)
        return hone_cli_usage("judge gate", "--labels needs --items: what was labelled");
    const int code = hone_cli_fail(run(&verdict));
    return hone_cli_finish(code                         ? code
                           : verdict == HONE_GATE_NO_GO ? HONE_EXIT_FAILED
                                                        : HONE_EXIT_OK);
}
