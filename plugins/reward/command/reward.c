/* reward.c - the reward "command": a batch of samples as a line to a program, a line with their outcomes back.
 *
 * With `independent` (the score of a sample does not depend on what stands beside it) a batch is divided among
 * `workers` programs, and one during which a program died is halved until the sample that kills it is alone. Without,
 * a batch is one request, and is asked again whole. Nothing is scored twice: outcomes of a batch come in one line. */
#include "command.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { F_WORKERS = F_MORE, F_INDEPENDENT };
static const hone_field *const fields[] = {
    COMMAND_FIELDS,
    HONE_INT("workers", 1, 1, MAX_WORKERS, 0, "programs at one time; more than one: independent"),
    HONE_FLAG("independent", 0, 0, "a sample's score does not depend on the others of its batch"),
    NULL};

/* One call, as its parts see it. */
typedef struct scoring {
    reward *r;
    const hone_sample *in;
    size_t in_stride;
    hone_outcome *out;
    size_t out_stride;
    const hone_notes *notes;
    hone_process_wait wait;
} scoring;

/* ---- request ------------------------------------------------------------------------------------------- */

static const char *finish_word(uint32_t finish)
{
    return finish == HONE_FINISH_STOP        ? ",\"finish\":\"stop\""
           : finish == HONE_FINISH_LENGTH    ? ",\"finish\":\"length\""
           : finish == HONE_FINISH_CANCELLED ? ",\"finish\":\"cancelled\""
                                             : "";
}

static void put_sample(const command *c, jtext *t, const hone_sample *s)
{
    jtext_raw(t, "{\"id\":");
    jtext_integer(t, (int64_t)s->id);
    jtext_raw(t, ",\"group\":");
    jtext_integer(t, (int64_t)s->group);
    jtext_raw(t, ",\"prompt\":");
    jtext_string(t, s->prompt);
    jtext_raw(t, ",\"completion\":");
    jtext_string(t, s->completion);
    jtext_raw(t, finish_word(s->finish));
    if (s->turn) {
        jtext_raw(t, ",\"turn\":");
        jtext_integer(t, s->turn);
    }
    put_row(t, s->messages, s->n_messages, s->columns, s->n_columns);
    if (c->wants_tokens) {
        jtext_raw(t, ",\"tokens\":[");
        for (size_t i = 0; i < s->n_tokens; i++) {
            jtext_raw(t, i ? "," : "");
            jtext_integer(t, s->tokens[i]);
        }
        jtext_raw(t, "]");
        if (s->logprobs) {
            jtext_raw(t, ",\"logprobs\":[");
            for (size_t i = 0; i < s->n_tokens; i++) {
                jtext_raw(t, i ? "," : "");
                jtext_number(t, (double)s->logprobs[i]);
            }
            jtext_raw(t, "]");
        }
    }
    jtext_raw(t, "}");
}

static double seconds_left(const hone_process_wait *w)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)w->deadline_ns * 1e-9 - (double)t.tv_sec - (double)t.tv_nsec * 1e-9;
}

static hone_status ask(const scoring *s, program *p, size_t first, size_t n)
{
    command *c = &s->r->c;
    command_begin(c, p);
    if (s->r->tells_time && s->wait.deadline_ns) {
        jtext_raw(&c->out, ",\"seconds\":");
        jtext_number(&c->out, 0.9 * seconds_left(&s->wait)); /* and a little to answer in */
    }
    jtext_raw(&c->out, ",\"samples\":[");
    for (size_t i = 0; i < n; i++) {
        jtext_raw(&c->out, i ? "," : "");
        put_sample(c, &c->out, hone_sample_at(s->in, s->in_stride, first + i));
    }
    jtext_raw(&c->out, "]");
    return command_send(c, p, &s->wait);
}

/* ---- answer -------------------------------------------------------------------------------------------- */

static void set(const scoring *s, size_t i, uint32_t status, double score, const char *reason)
{
    if (reason)
        note_reason(s->notes, i, hone_str_c(reason));
    hone_outcome_set(s->out, s->out_stride, i, status, (float)score);
}

static void put_notes(const scoring *s, size_t i, const hone_value *notes)
{
    if (!notes || notes->type != HONE_MAP || !s->notes || !s->notes->put)
        return;
    for (size_t k = 0; k < notes->u.map.n; k++)
        s->notes->put(s->notes, i, notes->u.map.pairs[k].key, &notes->u.map.pairs[k].value);
}

/* A number, null (abstain), or {"score":, "abstain":, "error":, "notes":}. */
static void take_outcome(const scoring *s, size_t i, const hone_value *v)
{
    const hone_value *map = v->type == HONE_MAP ? v : NULL, *error = member(map, "error"),
                     *abstain = member(map, "abstain");
    double score;
    put_notes(s, i, member(map, "notes"));
    if (error && error->type == HONE_STRING) {
        note_reason(s->notes, i, error->u.str);
        set(s, i, HONE_ERROR, 0, NULL);
    } else if (abstain && abstain->type == HONE_STRING) {
        note_reason(s->notes, i, abstain->u.str);
        set(s, i, HONE_ABSTAIN, 0, NULL);
    } else if (v->type == HONE_NULL || (abstain && number_of(abstain, &score) && score != 0)) {
        set(s, i, HONE_ABSTAIN, 0, NULL);
    } else if (!number_of(map ? member(map, "score") : v, &score)) {
        set(s, i, HONE_ERROR, 0, "the program's answer for this sample is no outcome");
    } else if (!isfinite((float)score)) {
        set(s, i, HONE_ERROR, 0, "the score is not finite");
    } else {
        set(s, i, HONE_SCORE, score, NULL);
    }
}

static hone_status hear(const scoring *s, program *p, size_t first, size_t n)
{
    command *c = &s->r->c;
    answer a = {NULL, NULL};
    hone_status st = command_receive(c, p, &s->wait, &a);
    if (st < 0)
        return st;
    const hone_value *list = member(a.root, "outcomes");
    if (!list || list->type != HONE_LIST)
        st = command_fail(c, HONE_E_PARSE, "the program's answer has no list \"outcomes\"");
    else if (list->u.list.n != n)
        st = command_fail(c, HONE_E_SHAPE, "the program answered %zu outcomes for %zu samples",
                          list->u.list.n, n);
    for (size_t i = 0; st >= 0 && i < n; i++)
        take_outcome(s, first + i, &list->u.list.items[i]);
    answer_release(c, &a);
    return st;
}

/* ---- lives --------------------------------------------------------------------------------------------- */

/* Again and again, then in halves. `last` is what went wrong before. */
static hone_status ask_again(const scoring *s, program *p, size_t first, size_t n, hone_status last)
{
    for (int k = 0; k < s->r->c.retries && last == HONE_E_IO; k++) {
        last = ask(s, p, first, n);
        if (last >= 0)
            last = hear(s, p, first, n);
    }
    if (last != HONE_E_IO || !s->r->independent)
        return last;
    if (n == 1) { /* this one alone kills it: its own error, and the others go on */
        set(s, first, s->r->guilty ? HONE_SCORE : HONE_ERROR, 0, s->r->c.why);
        return HONE_OK;
    }
    last = ask_again(s, p, first, n / 2, HONE_E_IO);
    return last < 0 ? last : ask_again(s, p, first + n / 2, n - n / 2, HONE_E_IO);
}

static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    reward *r = self;
    const scoring s = {r, in, in_stride, out, out_stride, notes, command_wait(call)};
    hone_status asked[MAX_WORKERS], worst = HONE_OK;
    size_t parts = r->independent ? r->c.n_programs : 1;
    if (n == 0)
        return HONE_OK;
    if (parts > n)
        parts = n;
    for (size_t k = 0; k < parts; k++) { /* where one is too late, so are those behind it */
        int late = k && (asked[k - 1] == HONE_E_TIMEOUT || asked[k - 1] == HONE_E_CANCELLED);
        size_t first = n * k / parts;
        asked[k] = late ? asked[k - 1]
                        : ask(&s, &r->c.programs[k], first, n * (k + 1) / parts - first);
    }
    for (size_t k = 0; k < parts; k++) {
        size_t first = n * k / parts, count = n * (k + 1) / parts - first;
        program *p = &r->c.programs[k];
        hone_status st = asked[k] < 0 ? asked[k] : hear(&s, p, first, count);
        if (st == HONE_E_IO)
            st = ask_again(&s, p, first, count, st);
        if (st < 0)
            worst = st;
        if (st == HONE_E_TIMEOUT || st == HONE_E_CANCELLED) { /* the others are as late */
            for (size_t j = k + 1; j < parts; j++)
                if (asked[j] >= 0)
                    command_stop(&r->c, &r->c.programs[j]);
            break;
        }
    }
    return worst;
}

/* ---- life ---------------------------------------------------------------------------------------------- */

const hone_reward_v1 reward_table = {sizeof(hone_reward_v1), 0, score, NULL, NULL};

hone_status reward_new(const hone_host *host, reward **out)
{
    memory mem;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem.ref);
    reward *r = s < 0 ? NULL : memory_resize(&mem, NULL, 0, sizeof *r);
    if (!r)
        return s < 0 ? s : hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(r, 0, sizeof *r);
    r->c.mem = mem;
    *out = r;
    return HONE_OK;
}

void reward_destroy(void *self)
{
    reward *r = self;
    memory mem = r->c.mem;
    command_close(&r->c);
    memory_resize(&mem, r, sizeof *r, 0);
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *r;
    hone_status s = reward_new(host, &r);
    if (s < 0)
        return s;
    r->independent = cfg->i64(cfg, F_INDEPENDENT) || cfg->i64(cfg, F_WORKERS) > 1;
    s = command_open(&r->c, "reward", (size_t)cfg->i64(cfg, F_WORKERS), host, cfg);
    if (s < 0)
        reward_destroy(r);
    else
        *self_out = r;
    return s;
}

HONE_DEFINE_REWARD(reward_command, reward_table, .id = "org.hone.reward.command",
                   .version = "0.1.0", .vendor = "hone", .license = "MIT",
                   .summary = "what a program of yours says, in any language", .url = "",
                   .caps = COMMAND_CAPS, .fields = fields, .needs = command_needs, .create = create,
                   .destroy = reward_destroy);
