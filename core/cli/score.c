/* score.c - `hone score`: rewards on a file of samples, no model.
 *
 * Rows have a completion, mostly a prompt (text or messages), and any other columns; 64 of them are one
 * job of the scoring layer, so that deadlines, abstentions and errors are what they are in a run. One line
 * of JSON a row with --json; else a short line a row and a table at the end. */
#include "host/grant.h"
#include "base/alloc.h"
#include "cli/component.h"
#include "cli/env.h"
#include "cli/out.h"
#include "cli/score_rows.h"
#include "cli/verbs.h"
#include "score/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_REWARDS = 32 };

static hone_arg_list paths, sets, rewards, allow;
static int json, skip_bad;
static const char *data, *source;
static double deadline = 60;

typedef struct tally {
    double sum, square;
    int64_t scored, abstain, error, timeout;
    uint64_t first;   /* the row that failed first, from 1 */
    char reason[512]; /* and why */
} tally;

typedef struct scoring {
    hone_registry *registry;
    hone_env env; /* what rewards may ask of models */
    hone_instance *insts[MAX_REWARDS];
    hone_score_component comps[MAX_REWARDS];
    char names[MAX_REWARDS][96];
    tally tallies[MAX_REWARDS];
    size_t n;
    hone_scorer *scorer;
    hone_data *rows;
    hone_arena notes; /* of one outcome */
} scoring;

/* Settings of reward `name`: "name.key=value", or with one reward "key=value". */
static hone_status settings_of(const char *name, hone_arena *arena, hone_arg_list *out)
{
    out->n = 0;
    for (int i = 0; i < sets.n; i++) {
        const char *eq = strchr(sets.v[i], '='),
                   *dot = eq ? memchr(sets.v[i], '.', (size_t)(eq - sets.v[i])) : NULL;
        const char *text = sets.v[i];
        size_t n = strlen(name);
        if (dot && (size_t)(eq - text) > n && memcmp(text, name, n) == 0 && text[n] == '.')
            text += n + 1;
        else if (rewards.n > 1 && !dot)
            return hone_fail(
                HONE_E_USAGE,
                "--set %s: with several rewards a setting is given as REWARD.name=value", text);
        else if (rewards.n > 1)
            continue;
        out->v[out->n] = hone_arena_strndup(arena, text, strlen(text));
        if (!out->v[out->n++])
            return HONE_E_NOMEM;
    }
    return HONE_OK;
}

static hone_status open_rewards(scoring *s, hone_arena *arena)
{
    for (int i = 0; i < rewards.n; i++) {
        hone_arg_list mine;
        hone_ref ref;
        if (s->n == MAX_REWARDS)
            return hone_fail(HONE_E_LIMIT, "more than %d rewards", MAX_REWARDS);
        HONE_TRY(settings_of(rewards.v[i], arena, &mine));
        HONE_TRY(hone_cli_instance(s->registry, HONE_KIND_REWARD, HONE_IFACE_REWARD, rewards.v[i],
                                   &mine, NULL, arena, &s->insts[s->n], &ref));
        const char *shown = hone_registry_is_file(rewards.v[i])
                                ? hone_instance_info(s->insts[s->n])->short_name
                                : rewards.v[i];
        snprintf(s->names[s->n], sizeof s->names[0], "%s", shown);
        hone_score_component *c = &s->comps[s->n];
        c->id = s->names[s->n];
        c->lane = (hone_score_lane){ref.vt, ref.self, s->insts[s->n]};
        c->caps = hone_instance_caps(s->insts[s->n]);
        c->weight = 1;
        c->timeout_s = deadline;
        s->n++;
    }
    return hone_scorer_create(s->comps, s->n, 0, &s->scorer);
}

static void count(tally *t, const hone_score_result *r, uint64_t row)
{
    if ((r->status == HONE_ERROR || r->status == HONE_TIMEOUT) && t->error + t->timeout == 0) {
        t->first = row;
        snprintf(t->reason, sizeof t->reason, "%.*s", (int)r->reason.len,
                 r->reason.len ? r->reason.ptr : "");
    }
    switch (r->status) {
    case HONE_SCORE:
        t->scored++;
        t->sum += (double)r->score;
        t->square += (double)r->score * (double)r->score;
        break;
    case HONE_ABSTAIN:
        t->abstain++;
        break;
    case HONE_TIMEOUT:
        t->timeout++;
        break;
    default:
        t->error++;
        break;
    }
}

static void put_outcome(hone_jw *w, const hone_score_result *r, hone_arena *arena)
{
    hone_value notes;
    hone_arena_clear(arena);
    hone_jw_map(w);
    hone_jw_kcstr(w, "status", hone_cli_status_word(r->status));
    if (r->status == HONE_SCORE) {
        hone_jw_key(w, "score");
        hone_jw_f32(w, r->score);
    } else if (r->reason.len) {
        hone_jw_kstr(w, "reason", r->reason);
    }
    hone_jw_key(w, "notes");
    if (r->notes.len && hone_json_parse(r->notes.ptr, r->notes.len, "notes", arena, &notes) >= 0) {
        hone_jw_value(w, &notes);
    } else {
        hone_jw_map(w);
        hone_jw_end(w);
    }
    hone_jw_end(w);
}

static hone_status print_batch(void *ctx, const hone_score_job *job, const hone_value *rows,
                               const hone_sample *samples, size_t n, uint64_t first)
{
    scoring *s = ctx;
    hone_buf b;
    (void)samples;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    for (size_t i = 0; i < n; i++) {
        hone_jw w;
        hone_jw_init(&w, &b, 0);
        if (json)
            hone_jw_map(&w);
        if (json) {
            hone_cli_put_id(&w, &rows[i], first + i);
            hone_jw_key(&w, "outcomes");
            hone_jw_map(&w);
        } else {
            hone_buf_addf(&b, "%6llu", (unsigned long long)(first + i));
        }
        for (size_t c = 0; c < s->n; c++) {
            const hone_score_result *r = hone_score_get(job, c, i);
            count(&s->tallies[c], r, first + i);
            if (json) {
                hone_jw_key(&w, s->comps[c].id);
                put_outcome(&w, r, &s->notes);
            } else if (r->status == HONE_SCORE) {
                hone_buf_addf(&b, "  %s %g", s->comps[c].id, (double)r->score);
            } else {
                hone_buf_addf(&b, "  %s %s%s%.*s%s", s->comps[c].id,
                              hone_cli_status_word(r->status), r->reason.len ? " (" : "",
                              (int)r->reason.len, r->reason.ptr ? r->reason.ptr : "",
                              r->reason.len ? ")" : "");
            }
        }
        if (json) {
            hone_jw_end(&w);
            hone_jw_end(&w);
        }
        hone_buf_addc(&b, '\n');
    }
    hone_status st = b.failed;
    if (st >= 0)
        fwrite(b.ptr, 1, b.len, stdout);
    hone_buf_release(&b);
    return st;
}

static void print_table(const scoring *s)
{
    printf("\n%-20s %8s %10s %10s %8s %8s %8s\n", "reward", "scored", "mean", "std", "abstain",
           "error", "timeout");
    for (size_t c = 0; c < s->n; c++) {
        const tally *t = &s->tallies[c];
        double mean = t->scored ? t->sum / (double)t->scored : 0;
        double var = t->scored ? t->square / (double)t->scored - mean * mean : 0;
        printf("%-20s %8lld %10.4f %10.4f %8lld %8lld %8lld\n", s->names[c], (long long)t->scored,
               mean, sqrt(var > 0 ? var : 0), (long long)t->abstain, (long long)t->error,
               (long long)t->timeout);
    }
}

/* What failed, of which reward, at which row first, and what to run next. 1 where a reward failed on every row. */
static int say_failures(const scoring *s)
{
    int none = 0;
    fflush(stdout);
    for (size_t c = 0; c < s->n; c++) {
        const tally *t = &s->tallies[c];
        int64_t failed = t->error + t->timeout, all = failed + t->scored + t->abstain;
        if (!failed)
            continue;
        fprintf(stderr, "hone: %s failed on %lld of %lld rows\n", s->names[c], (long long)failed,
                (long long)all);
        fprintf(stderr, "  the first, row %llu: %s\n", (unsigned long long)t->first, t->reason);
        fprintf(stderr,
                "  hint: hone plugin validate %s looks for a fault of the plugin's; "
                "HONE_RECORD=calls.rec before "
                "this command keeps its calls, and hone plugin replay calls.rec makes them again\n",
                rewards.v[c]);
        none |= failed == all;
    }
    return none;
}

int hone_cli_score(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"reward", HONE_ARG_LIST, &rewards, "NAME", "a reward (several times)"},
        {"data", HONE_ARG_STR, &data, "FILE", "rows with prompt, completion and any columns"},
        {"set", HONE_ARG_LIST, &sets, "K=V", "a setting of the reward; with several, REWARD.K=V"},
        {"source", HONE_ARG_STR, &source, "NAME",
         "the source component (json for an array, else jsonl)"},
        {"skip-bad", HONE_ARG_FLAG, &skip_bad, NULL, "leave malformed rows out"},
        {"deadline", HONE_ARG_F64, &deadline, "S", "seconds for a batch of 64 (60)"},
        {"plugin-path", HONE_ARG_LIST, &paths, "PATH",
         "a folder of plugins, or a .so (several times)"},
        {"allow", HONE_ARG_LIST, &allow, "GRANT",
         "PLUGIN:net,exec,fs-read:PATH,fs-write:PATH, weak-box"},
        {"json", HONE_ARG_FLAG, &json, NULL, "one line of JSON a row"},
        {0}};
    static const char *const examples[] = {
        "hone score --reward math_answer --data samples.jsonl --json",
        "hone score --reward length --set value=200 --data samples.jsonl", NULL};
    static const hone_args spec = {
        "score",
        "--reward NAME --data FILE [options]",
        "Scores the samples of a file with rewards, without a model. Exit 1 where a reward failed\n"
        "on every row.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    scoring *s;
    hone_arena arena;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    if (rewards.n == 0)
        return hone_cli_usage("score", "--reward NAME is missing");
    if (!data)
        return hone_cli_usage("score", "--data FILE is missing");
    if (!(deadline > 0))
        return hone_cli_usage("score", "--deadline is a number of seconds");
    s = hone_calloc(1, sizeof *s);
    if (!s)
        return hone_cli_fail(HONE_E_NOMEM);
    hone_arena_init(&arena, 0);
    hone_arena_init(&s->notes, 0);
    hone_status st = hone_cli_open_registry(&paths, &s->registry);
    if (st >= 0)
        st = hone_registry_allow(s->registry, allow.v);
    if (st >= 0)
        st = hone_cli_desk_open(s->registry, &s->env);
    if (st >= 0)
        st = open_rewards(s, &arena);
    if (st >= 0)
        st = hone_cli_open_data(s->registry, source, data, skip_bad ? "skip" : NULL, &s->rows);
    if (st >= 0)
        st = hone_cli_score_rows(s->scorer, s->rows, data, print_batch, s);
    if (st >= 0 && !json)
        print_table(s);
    int code = hone_cli_fail(st);
    if (st >= 0 && say_failures(s))
        code = HONE_EXIT_FAILED;
    if (hone_score_lost() > 0) { /* a plugin's call still runs: nothing may be torn down under it */
        fflush(NULL);
        _exit(code);
    }
    hone_data_close(s->rows);
    hone_scorer_destroy(s->scorer);
    for (size_t i = 0; i < s->n; i++)
        hone_instance_unref(s->insts[i]);
    hone_cli_desk_close(&s->env);
    hone_registry_close(s->registry);
    hone_arena_release(&arena);
    hone_arena_release(&s->notes);
    hone_free(s);
    return code;
}
