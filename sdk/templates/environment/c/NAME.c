/* @name@.c - an environment: a number is to be guessed; each guess is answered with "higher" or "lower". */
#include "hone/environment.h"

#include <string.h>

enum { MOST, TRIES }; /* places in the table of settings */
static const hone_field *const fields[] = {
    HONE_INT("most", 20, 2, 1000000, 0, "the number is between 1 and this"),
    HONE_INT("tries", 5, 1, 100, 0, "guesses of an episode"), NULL};

typedef struct episode {
    uint64_t id;
    int64_t number;
    uint32_t tries;
} episode;

typedef struct game {
    const hone_host *host;
    hone_mem_v1 mem;
    void *mem_self;
    int64_t most, tries;
    episode *open; /* in no order */
    size_t n, cap;
} game;

/* The last one begun first: a call names its episodes in the order in which they began, so `from` is near. */
static episode *find(game *g, uint64_t id, size_t *from)
{
    for (size_t k = 0; k < g->n; k++) {
        const size_t at = (*from + k) % g->n;
        if (g->open[at].id == id) {
            *from = at + 1;
            return &g->open[at];
        }
    }
    return NULL;
}

static hone_status reset(void *self, const hone_call *call, const hone_episode *in, size_t n,
                         size_t stride, const hone_observation_sink *sink)
{
    static const hone_observation begin = {
        .struct_size = sizeof begin, .status = HONE_EPISODE_ON, .text = {"Guess my number: ", 17}};
    game *g = self;
    hone_status s = HONE_OK;
    size_t from = 0;
    for (size_t i = 0; s >= 0 && i < n && !hone_cancelled(call); i++) {
        const hone_episode *e = hone_episode_at(in, stride, i);
        episode *open = find(g, e->id, &from); /* it begins anew */
        if (!open && g->n == g->cap) {
            const size_t cap = g->cap ? 2 * g->cap : 64;
            episode *more = g->mem.resize(g->mem_self, g->open, g->cap * sizeof *more,
                                          cap * sizeof *more);
            if (!more)
                return hone_host_fail(g->host, HONE_E_NOMEM, "out of memory");
            g->open = more;
            g->cap = cap;
        }
        if (!open)
            open = &g->open[g->n++];
        *open = (episode){e->id, 1 + (int64_t)(e->seed % (uint64_t)g->most), 0};
        s = sink->put(sink, i, &begin);
    }
    return s;
}

/* The first number in a text; 0 without one. */
static int64_t number_in(hone_str text)
{
    int64_t v = 0;
    size_t i = 0;
    while (i < text.len && (text.ptr[i] < '0' || text.ptr[i] > '9'))
        i++;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && v < 100000000; i++)
        v = 10 * v + (text.ptr[i] - '0');
    return v;
}

static hone_observation answer(const game *g, episode *e, const hone_action *a)
{
    hone_observation o = {.struct_size = sizeof o, .status = HONE_EPISODE_ON};
    const int64_t guess = number_in(a->text);
    if (!e) {
        o.status = HONE_EPISODE_ERROR;
        o.reason = hone_str_c("there is no such episode");
    } else if (guess == e->number) {
        o.status = HONE_EPISODE_DONE;
        o.reward = 1;
    } else if (++e->tries == g->tries) {
        o.status = HONE_EPISODE_DONE;
    } else {
        o.text = hone_str_c(guess < e->number ? " higher: " : " lower: ");
    }
    return o;
}

static hone_status step(void *self, const hone_call *call, const hone_action *in, size_t n,
                        size_t stride, const hone_observation_sink *sink)
{
    hone_status s = HONE_OK;
    size_t from = 0;
    for (size_t i = 0; s >= 0 && i < n && !hone_cancelled(call); i++) {
        const hone_action *a = hone_action_at(in, stride, i);
        const hone_observation o = answer(self, find(self, a->id, &from), a);
        s = sink->put(sink, i, &o);
    }
    return s;
}

static hone_status forget(void *self, const uint64_t *ids, size_t n)
{
    game *g = self;
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        episode *e = find(g, ids[i], &from);
        if (e) {
            from = (size_t)(e - g->open);
            memmove(e, e + 1, (g->n - from - 1) * sizeof *e);
            g->n--;
        }
    }
    return HONE_OK;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    hone_ref mem;
    hone_status s = (host->get_iface)(host, HONE_IFACE_MEM, &mem);
    if (s < 0)
        return s;
    game *g = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, sizeof *g);
    if (!g)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(g, 0, sizeof *g);
    g->host = host;
    g->mem.resize = ((const hone_mem_v1 *)mem.vt)->resize;
    g->mem_self = mem.self;
    g->most = cfg->i64(cfg, MOST);
    g->tries = cfg->i64(cfg, TRIES);
    *self_out = g;
    return HONE_OK;
}
static void destroy(void *self)
{
    game *g = self;
    hone_mem_v1 mem = g->mem;
    void *mem_self = g->mem_self;
    if (g->open)
        mem.resize(mem_self, g->open, g->cap * sizeof *g->open, 0);
    mem.resize(mem_self, g, sizeof *g, 0);
}

static const hone_environment_v1 table = {
    .struct_size = sizeof(hone_environment_v1), .reset = reset, .step = step, .forget = forget};
static const char *const needs[] = {HONE_IFACE_MEM, NULL};
static const char *const wants[] = {"id", "seed", "text", NULL};
HONE_DEFINE_ENVIRONMENT(component, table, .id = "@id@", .version = "0.1.0",
                        .summary = "a number to guess", .caps = HONE_CAP_DETERMINISTIC,
                        .fields = fields, .needs = needs, .wants = wants, .create = create,
                        .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000101, &component);
