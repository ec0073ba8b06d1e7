/* fuzz_command.c - any lines as a program's answers to the reward, judge and source "command".
 *
 * The host's process interface is played: every start greets, then the lines of the input come one by one, with each '#'
 * replaced by the number of the batch that was asked, and after the last one the program has ended. What must hold: a
 * call that succeeds has answered every sample with something sound, and an outcome is set by one line only. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../../plugins/source/sources/grow.h"

#include "../../plugins/reward/command/command.h"
#include "abi/config.h"
#include "hone/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct {
    const char *at, *end;
    char batch[24], *line;
    size_t room;
    int greeted, n_started;
} play;

static void *resize(void *self, void *p, size_t old_size, size_t size)
{
    (void)self;
    (void)old_size;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}

static hone_status start(void *self, const hone_process_spec *spec, void **process)
{
    (void)self;
    if (spec->n_argv < 2)
        abort();
    play.greeted = 0;
    play.n_started++;
    *process = &play;
    return HONE_OK;
}

static hone_status send_(void *self, void *process, hone_str bytes, const hone_process_wait *wait)
{
    (void)self;
    (void)process;
    (void)wait;
    if (!bytes.len || bytes.ptr[bytes.len - 1] != '\n' || bytes.ptr[0] != '{' ||
        memchr(bytes.ptr, '\n', bytes.len - 1))
        abort(); /* a request is one line */
    if (bytes.len > 9 && memcmp(bytes.ptr, "{\"batch\":", 9) == 0)
        snprintf(play.batch, sizeof play.batch, "%d", atoi(bytes.ptr + 9));
    return HONE_OK;
}

static hone_status receive(void *self, void *process, const hone_process_wait *wait, hone_str *line)
{
    size_t n = 0;
    (void)self;
    (void)process;
    (void)wait;
    if (!play.greeted) {
        play.greeted = 1;
        *line = hone_str_c("{\"hone\":1,\"tokens\":true,\"seek\":true}");
        return HONE_OK;
    }
    if (play.at == play.end)
        return HONE_E_IO;
    for (; play.at < play.end && *play.at != '\n'; play.at++) {
        const char *from = *play.at == '#' ? play.batch : play.at;
        size_t len = *play.at == '#' ? strlen(play.batch) : 1;
        memcpy(play.line + n, from, len);
        n += len;
    }
    play.at += play.at < play.end;
    line->ptr = play.line;
    line->len = n;
    return HONE_OK;
}

static void stop(void *self, void *process)
{
    (void)self;
    (void)process;
}

static hone_str why(void *self, const void *process)
{
    (void)self;
    (void)process;
    return hone_str_c("the program ended");
}

static hone_status parse(void *self, hone_str text, void **doc, const hone_value **out)
{
    struct doc {
        hone_arena arena;
        hone_value root;
    } *d = calloc(1, sizeof *d);
    (void)self;
    if (!d)
        return HONE_E_NOMEM;
    hone_arena_init(&d->arena, (size_t)64 << 20);
    hone_status s = hone_json_parse(text.ptr, text.len, NULL, &d->arena, &d->root);
    if (s < 0) {
        hone_arena_release(&d->arena);
        free(d);
        return s;
    }
    *doc = d;
    *out = &d->root;
    return HONE_OK;
}

static void release(void *self, void *doc)
{
    (void)self;
    hone_arena_release(doc); /* its first member */
    free(doc);
}

static const hone_mem_v1 mem_v1 = {sizeof mem_v1, 0, resize};
static const hone_process_v1 process_v1 = {sizeof process_v1, 0, start, send_, receive, stop, why};
static const hone_json_v1 json_v1 = {sizeof json_v1, 0, parse, release};

static hone_status get_iface(const hone_host *host, const char *id, hone_ref *out)
{
    (void)host;
    out->self = NULL;
    out->vt = strcmp(id, HONE_IFACE_MEM) == 0    ? (const void *)&mem_v1
              : strcmp(id, HONE_IFACE_JSON) == 0 ? (const void *)&json_v1
                                                 : (const void *)&process_v1;
    return HONE_OK;
}

static void log_(const hone_host *host, uint32_t level, hone_str text)
{
    (void)host;
    (void)level;
    (void)text;
}

static hone_status fail_(const hone_host *host, hone_status s, hone_str text)
{
    (void)host;
    if (s >= 0 || !text.len)
        abort();
    return s;
}
static const hone_host host = {.struct_size = sizeof host,
                               .epoch = HONE_EPOCH,
                               .version = HONE_SDK_VERSION,
                               .get_iface = get_iface,
                               .log = log_,
                               .fail = fail_};

static void note(const hone_notes *notes, size_t sample, hone_str name, const hone_value *v)
{
    if (sample >= *(const size_t *)notes->ctx || !v || (name.len && !name.ptr))
        abort();
}

static hone_status put(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    uint8_t *seen = sink->ctx;
    if (item >= 3 || seen[item]++)
        abort();
    for (size_t i = 0; i < v->n_ranking; i++)
        if (v->ranking[i] >= 2)
            abort();
    volatile double all = 0; /* every number that was promised is there */
    for (size_t i = 0; i < v->n_criteria * 2; i++)
        all = all + v->criteria[i];
    for (size_t i = 0; i < v->n_label_probs; i++)
        all = all + v->label_probs[i];
    return HONE_OK;
}

static void score(const hone_reward_v1 *vt, void *self)
{
    size_t n = 3;
    hone_outcome out[3] = {{0, 0}, {0, 0}, {0, 0}};
    hone_sample in[3];
    hone_call call = {.struct_size = sizeof call, .n = 3, .id = 1};
    hone_notes notes = {sizeof notes, 0, &n, note};
    memset(in, 0, sizeof in);
    for (int i = 0; i < 3; i++)
        in[i].prompt = in[i].completion = hone_str_c("a\"\n\xff");
    hone_status s = vt->score(self, &call, in, n, sizeof *in, out, sizeof *out, &notes);
    for (int i = 0; i < 3; i++)
        if ((s >= 0 && out[i].status == HONE_PENDING) || out[i].status > HONE_ERROR ||
            (out[i].status == HONE_SCORE && !isfinite(out[i].score)))
            abort();
}

static void judge(const hone_judge_v1 *vt, void *self)
{
    uint8_t seen[3] = {0};
    const hone_str candidates[2] = {hone_str_c("x"), hone_str_c("y")};
    hone_judge_item items[3];
    hone_call call = {.struct_size = sizeof call, .n = 3, .id = 1};
    const hone_verdict_sink sink = {sizeof sink, 0, seen, put};
    memset(items, 0, sizeof items);
    for (int i = 0; i < 3; i++) {
        items[i].candidates = candidates;
        items[i].n_candidates = 2;
    }
    if (vt->judge(self, &call, items, 3, sizeof *items, &sink) >= 0 &&
        (!seen[0] || !seen[1] || !seen[2]))
        abort();
}

static hone_status keep(const hone_bytes_sink *sink, const void *p, size_t n)
{
    hone_buf_add(sink->ctx, p, n);
    return HONE_OK;
}

static void read_rows(const hone_source_v1 *vt, void *self)
{
    struct ArrowArrayStream stream;
    hone_buf at;
    const hone_bytes_sink sink = {sizeof sink, 0, &at, keep};
    hone_buf_init(&at, 1 << 22);
    if (vt->open(self, &stream) < 0)
        abort();
    for (int i = 0; i < 20; i++) {
        struct ArrowArray a;
        int e = stream.get_next(&stream, &a);
        if (e && !stream.get_last_error(&stream))
            abort();
        if (e || !a.release)
            break;
        if (a.length <= 0 || a.length > 256)
            abort();
        a.release(&a);
        hone_buf_clear(&at);
        if (vt->position(self, &sink) < 0 || (i == 3 && vt->seek(self, at.ptr, at.len) < 0))
            abort();
    }
    stream.release(&stream);
    hone_buf_release(&at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const hone_component *const which[] = {&reward_command, &judge_command, &source_command,
                                                  &reward_command};
    hone_pair settings[2] = {{hone_str_c("independent"), {.type = HONE_BOOL, .u.boolean = 1}},
                             {hone_str_c("program"), {.type = HONE_LIST}}};
    const hone_value words[2] = {{.type = HONE_STRING, .u.str = {"a", 1}},
                                 {.type = HONE_STRING, .u.str = {"b", 1}}};
    const hone_config_env env = {.ctx = NULL};
    hone_config *cfg;
    void *self;
    if (n == 0)
        return 0;
    size_t k = data[0] % 4;
    const hone_component *c = which[k];
    settings[1].value.u.list.items = words;
    settings[1].value.u.list.n = 2;
    const hone_value given = {.type = HONE_MAP,
                              .u.map = {k == 3 ? settings : settings + 1, k == 3 ? 2 : 1}};
    memset(&play, 0, sizeof play);
    play.at = (const char *)data + 1;
    play.end = (const char *)data + n;
    play.line = malloc(n * sizeof play.batch);
    if (!play.line || hone_config_create(c->id, c->fields, &given, &env, &cfg) < 0)
        abort();
    if (c->create(&host, cfg, &self) < 0)
        abort();
    if (c == &source_command)
        read_rows(c->get_iface(self, HONE_IFACE_SOURCE), self);
    else if (c == &judge_command)
        judge(c->get_iface(self, HONE_IFACE_JUDGE), self);
    else
        score(c->get_iface(self, HONE_IFACE_REWARD), self);
    c->destroy(self);
    hone_config_destroy(cfg);
    free(play.line);
    return 0;
}
