/* talk.c - a program and its lives: settings to a command line, the greeting, requests and answers. See command.h.
 *
 * A program that died, or answered nonsense, or missed a deadline is stopped; the next request starts a new one. So
 * after any failure there is nothing to get back into step with. */
#include "command.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Static_assert(PATH_MAX <= sizeof((command *)0)->file, "room for a path");
enum { SHOWN = 120 };

static const hone_process_v1 *vt_of(const command *c)
{
    return c->process.vt;
}

static const hone_json_v1 *json_of(const command *c)
{
    return c->json.vt;
}

hone_status command_fail(command *c, hone_status s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->why, sizeof c->why, fmt, ap);
    va_end(ap);
    return hone_host_fail(c->host, s, "%s", c->why);
}

/* A call on its process failed: what the host said of it. */
static hone_status talk_failed(command *c, const program *p, hone_status s)
{
    hone_str why = vt_of(c)->why(c->process.self, p->process);
    snprintf(c->why, sizeof c->why, "%.*s", (int)why.len, why.ptr);
    return s;
}

/* ---- settings to words --------------------------------------------------------------------------------- */

static hone_status add_word(command *c, hone_str word)
{
    if (c->n_argv == MAX_ARGV)
        return command_fail(c, HONE_E_LIMIT, "more than %d words for the program", MAX_ARGV);
    c->argv[c->n_argv++] = word;
    return HONE_OK;
}

static hone_status add_words(command *c, const char *name, const hone_value *list)
{
    for (size_t i = 0; list && i < list->u.list.n; i++) {
        if (list->u.list.items[i].type != HONE_STRING)
            return command_fail(c, HONE_E_TYPE, "%s: word %zu is no text", name, i + 1);
        hone_status s = add_word(c, list->u.list.items[i].u.str);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static int ends_in_py(hone_str s)
{
    return s.len > 3 && memcmp(s.ptr + s.len - 3, ".py", 3) == 0;
}

static hone_status read_words(command *c)
{
    const hone_value *list = c->cfg->value(c->cfg, F_PROGRAM);
    hone_str file = hone_str_c(c->file);
    int given = list && list->u.list.n > 0;
    hone_status s = HONE_OK;
    if (!file.len && !given)
        return command_fail(c, HONE_E_INVALID,
                            "neither file nor program says what to run: file = \"reward.py\"");
    if (given) {
        s = add_words(c, "program", list);
    } else if (ends_in_py(file)) {
        add_word(c, hone_str_c("python3"));
        add_word(c, hone_str_c("sdk:python/hone_reward.py"));
    }
    if (s >= 0 && file.len)
        s = add_word(c, file);
    return s < 0 ? s : add_words(c, "args", c->cfg->value(c->cfg, F_ARGS));
}

/* The file as an absolute path, since the program works elsewhere. Its folder may be read: helpers and data lie
 * beside it. */
static hone_status read_file(command *c)
{
    hone_str file = c->cfg->str(c->cfg, F_FILE);
    char given[PATH_MAX], real[PATH_MAX];
    if (!file.len)
        return HONE_OK;
    if (file.len >= sizeof given || memchr(file.ptr, 0, file.len))
        return command_fail(c, HONE_E_INVALID, "file: this is no path");
    memcpy(given, file.ptr, file.len);
    given[file.len] = '\0';
    if (!realpath(given, real))
        return command_fail(c, errno == ENOENT ? HONE_E_NOT_FOUND : HONE_E_IO, "%s: %s", given,
                            strerror(errno));
    size_t n = (size_t)(strrchr(real, '/') - real), len = strlen(real);
    memcpy(c->file, real, len + 1);
    memcpy(c->folder, real, n ? n : 1);
    c->read[0].ptr = c->folder;
    c->read[0].len = n ? n : 1;
    c->spec.read = c->read;
    c->spec.n_read = 1;
    return HONE_OK;
}

/* ---- requests ------------------------------------------------------------------------------------------ */

void command_stop(const command *c, program *p)
{
    vt_of(c)->stop(c->process.self, p->process);
    p->process = NULL;
}

hone_process_wait command_wait(const hone_call *call)
{
    hone_process_wait w = {sizeof w, 0, call->deadline_ns, call->cancelled};
    if (w.deadline_ns) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        uint64_t now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
        uint64_t left = w.deadline_ns > now ? w.deadline_ns - now : 0;
        w.deadline_ns -= left / 10 < 500000000 ? left / 10 : 500000000;
    }
    return w;
}

/* A line that is not what the protocol wants: one error, with its beginning. */
static hone_status bad_line(command *c, hone_str line, const char *why)
{
    int n = line.len < SHOWN ? (int)line.len : SHOWN;
    return command_fail(c, HONE_E_PARSE, "the program answered with a line that %s: %.*s%s%s", why,
                        n, line.ptr, line.len > SHOWN ? "..." : "",
                        line.len && line.ptr[0] == '{'
                            ? ""
                            : " (only answers go to standard output; what else is to be said, "
                              "to standard error)");
}

/* The next line as a map, in *out. */
static hone_status read_map(command *c, program *p, const hone_process_wait *w, answer *out,
                            hone_str *line)
{
    hone_status s = vt_of(c)->receive(c->process.self, p->process, w, line);
    if (s < 0)
        return talk_failed(c, p, s);
    s = json_of(c)->parse(c->json.self, *line, &out->doc, &out->root);
    if (s == HONE_E_NOMEM)
        return s;
    if (s < 0)
        return bad_line(c, *line, "is not JSON");
    if (out->root->type == HONE_MAP)
        return HONE_OK;
    answer_release(c, out);
    return bad_line(c, *line, "is no JSON object");
}

void answer_release(const command *c, answer *a)
{
    if (a->doc)
        json_of(c)->release(c->json.self, a->doc);
    a->doc = NULL;
    a->root = NULL;
}

static hone_status said_error(command *c, const hone_value *error)
{
    hone_str e = error->type == HONE_STRING ? error->u.str : hone_str_c("it gave no text");
    return command_fail(c, HONE_E_FAIL, "the program says: %.*s", (int)(e.len < 600 ? e.len : 600),
                        e.ptr);
}

/* What it says of itself: {"hone":1,"tokens":true,"seek":true}. */
static hone_status read_greeting(command *c, program *p, const hone_process_wait *w)
{
    answer a = {NULL, NULL};
    hone_str line = {NULL, 0};
    double version = 0, yes = 0;
    hone_status s = read_map(c, p, w, &a, &line);
    if (s < 0)
        return s;
    const hone_value *error = member(a.root, "error");
    if (error)
        s = said_error(c, error);
    else if (!number_of(member(a.root, "hone"), &version) || version != 1)
        s = bad_line(c, line, "does not greet with {\"hone\":1}");
    c->wants_tokens = number_of(member(a.root, "tokens"), &yes) && yes != 0;
    c->seeks = number_of(member(a.root, "seek"), &yes) && yes != 0;
    answer_release(c, &a);
    return s;
}

static void put_greeting(command *c)
{
    jtext *t = &c->hello;
    const hone_value *settings = c->cfg->value(c->cfg, F_SETTINGS);
    hone_str function = c->cfg->str(c->cfg, F_FUNCTION);
    jtext_raw(t, "{\"hone\":1,\"kind\":");
    jtext_string(t, hone_str_c(c->kind));
    if (function.len) {
        jtext_raw(t, ",\"function\":");
        jtext_string(t, function);
    }
    jtext_raw(t, ",\"settings\":");
    if (settings)
        jtext_value(t, settings);
    else
        jtext_raw(t, "{}");
    jtext_raw(t, "}\n");
}

/* Starts and greets; the greeting's own deadline ends it where the call's does not before. */
static hone_status start(command *c, program *p, const hone_process_wait *outer)
{
    struct timespec t;
    hone_status s = vt_of(c)->start(c->process.self, &c->spec, &p->process);
    if (s < 0) {
        snprintf(c->why, sizeof c->why, "the program could not be started");
        return s;
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    hone_process_wait w = {sizeof w, 0,
                           (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec +
                               (uint64_t)(c->start_s * 1e9),
                           outer ? outer->cancelled : NULL};
    if (outer && outer->deadline_ns && outer->deadline_ns < w.deadline_ns)
        w.deadline_ns = outer->deadline_ns;
    hone_str request = {c->hello.p, c->hello.n};
    s = c->hello.failed ? command_fail(c, HONE_E_NOMEM, "out of memory")
                        : vt_of(c)->send(c->process.self, p->process, request, &w);
    if (s >= 0 || s == HONE_E_IO) /* one that ended at once may have said why */
        s = read_greeting(c, p, &w);
    if (s < 0)
        command_stop(c, p);
    return s;
}

void command_begin(command *c, program *p)
{
    jtext_clear(&c->out);
    p->batch = ++c->next_batch;
    jtext_raw(&c->out, "{\"batch\":");
    jtext_integer(&c->out, (int64_t)p->batch);
}

hone_status command_send(command *c, program *p, const hone_process_wait *w)
{
    hone_status s = HONE_OK;
    jtext_raw(&c->out, "}\n");
    if (c->out.failed)
        return command_fail(c, HONE_E_NOMEM, "out of memory, or a batch of over 2 GiB");
    if (!p->process)
        s = start(c, p, w);
    if (s < 0)
        return s;
    hone_str request = {c->out.p, c->out.n};
    s = vt_of(c)->send(c->process.self, p->process, request, w);
    if (s < 0) {
        talk_failed(c, p, s);
        command_stop(c, p);
    }
    return s;
}

hone_status command_receive(command *c, program *p, const hone_process_wait *w, answer *out)
{
    hone_str line;
    double batch = 0;
    hone_status s = read_map(c, p, w, out, &line);
    if (s >= 0 && (!number_of(member(out->root, "batch"), &batch) || batch != (double)p->batch)) {
        s = command_fail(c, HONE_E_PARSE,
                         "the program answered batch %.17g when it was asked batch %llu", batch,
                         (unsigned long long)p->batch);
        answer_release(c, out);
    }
    if (s < 0) {
        command_stop(c, p);
        return s;
    }
    const hone_value *error = member(out->root, "error");
    if (error && error->type != HONE_NULL) {
        s = said_error(c, error);
        answer_release(c, out);
    }
    return s;
}

/* ---- life ---------------------------------------------------------------------------------------------- */

hone_status command_init(command *c, const char *kind, size_t workers, const hone_host *host,
                         const hone_config *cfg)
{
    c->host = host;
    c->cfg = cfg;
    c->kind = kind;
    c->n_programs = workers;
    c->out.mem = c->hello.mem = &c->mem;
    c->spec.struct_size = sizeof c->spec;
    hone_status s = host->get_iface(host, HONE_IFACE_PROCESS, &c->process);
    return s < 0 ? s : host->get_iface(host, HONE_IFACE_JSON, &c->json);
}

hone_status command_ready(command *c)
{
    c->spec.argv = c->argv;
    c->spec.n_argv = c->n_argv;
    return start(c, &c->programs[0], NULL);
}

hone_status command_open(command *c, const char *kind, size_t workers, const hone_host *host,
                         const hone_config *cfg)
{
    const uint64_t mb = 1 << 20;
    hone_status s = command_init(c, kind, workers, host, cfg);
    if (s >= 0)
        s = read_file(c);
    if (s >= 0)
        s = read_words(c);
    c->spec.memory_bytes = (uint64_t)cfg->i64(cfg, F_MEMORY) * mb;
    c->spec.tmp_bytes = (uint64_t)cfg->i64(cfg, F_TMP) * mb;
    c->spec.processes = (uint32_t)cfg->i64(cfg, F_PROCESSES);
    c->start_s = cfg->f64(cfg, F_START);
    c->retries = (int)cfg->i64(cfg, F_RETRIES);
    if (s >= 0)
        put_greeting(c);
    if (s >= 0)
        s = command_ready(c);
    if (s < 0)
        command_close(c);
    return s;
}

void command_close(command *c)
{
    if (c->process.vt)
        for (size_t i = 0; i < c->n_programs; i++)
            if (c->programs[i].process)
                command_stop(c, &c->programs[i]);
    jtext_release(&c->out);
    jtext_release(&c->hello);
}

/* ---- what rewards and judges share ----------------------------------------------------------------------- */

void note_reason(const hone_notes *notes, size_t sample, hone_str reason)
{
    hone_value v = {.type = HONE_STRING, .u.str = reason};
    if (notes && notes->put && reason.len)
        notes->put(notes, sample, hone_str_c("reason"), &v);
}

void put_row(jtext *t, const hone_message *messages, size_t n_messages, const hone_column *columns,
             size_t n_columns)
{
    if (n_messages) {
        jtext_raw(t, ",\"messages\":[");
        for (size_t i = 0; i < n_messages; i++) {
            jtext_raw(t, i ? ",{\"role\":" : "{\"role\":");
            jtext_string(t, messages[i].role);
            jtext_raw(t, ",\"content\":");
            jtext_string(t, messages[i].content);
            jtext_raw(t, "}");
        }
        jtext_raw(t, "]");
    }
    jtext_raw(t, ",\"columns\":{");
    for (size_t i = 0; i < n_columns; i++) {
        if (i)
            jtext_bytes(t, ",", 1);
        jtext_string(t, columns[i].name);
        jtext_bytes(t, ":", 1);
        jtext_value(t, &columns[i].value);
    }
    jtext_raw(t, "}");
}
