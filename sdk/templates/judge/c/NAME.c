/* @name@.c - a judge: how many words of the reference an answer mentions; several answers are ranked by it. */
#include "hone/judge.h"

#include <math.h>
#include <string.h>

enum { MAX_CANDIDATES = 64 };
enum { PASS }; /* places in the table of settings */
static const hone_field *const fields[] = {
    HONE_F64("pass", .5, 0, 1, 0, "share of the words from which an answer counts as good"), NULL};

typedef struct judge_self {
    const hone_host *host;
    double pass;
} judge_self;

static int space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static int contains(hone_str text, const char *word, size_t len)
{
    for (size_t i = 0; i + len <= text.len; i++)
        if (memcmp(text.ptr + i, word, len) == 0)
            return 1;
    return 0;
}

/* 0..1: the share of the words of `reference` that occur in `text`; -1 when it has no words. */
static double covered(hone_str reference, hone_str text)
{
    size_t words = 0, found = 0;
    for (size_t i = 0; i < reference.len;) {
        size_t begin;
        while (i < reference.len && space(reference.ptr[i]))
            i++;
        for (begin = i; i < reference.len && !space(reference.ptr[i]);)
            i++;
        if (i > begin) {
            words++;
            found += (size_t)contains(text, reference.ptr + begin, i - begin);
        }
    }
    return words ? (double)found / (double)words : -1;
}

static hone_status judge_item(const judge_self *self, const hone_judge_item *it, size_t item,
                              const hone_verdict_sink *sink)
{
    hone_verdict v = {.struct_size = sizeof v, .status = HONE_SCORE, .score = NAN};
    uint32_t order[MAX_CANDIDATES];
    double share[MAX_CANDIDATES];
    size_t n = it->n_candidates;
    if (n == 0 || n > MAX_CANDIDATES)
        return hone_host_fail(self->host, HONE_E_LIMIT, "%zu candidates: 1 to %d are judged", n,
                              MAX_CANDIDATES);
    for (size_t k = 0; k < n; k++) {
        size_t at = k;
        share[k] = covered(it->reference, it->candidates[k]);
        for (; at > 0 && share[order[at - 1]] < share[k]; at--) /* equal ones keep their order */
            order[at] = order[at - 1];
        order[at] = (uint32_t)k;
    }
    if (share[0] < 0) {
        v.status = HONE_ABSTAIN;
        v.reasoning = hone_str_c("there is no reference");
    } else if (n == 1) {
        v.score = share[0];
        v.reasoning = hone_str_c(share[0] >= self->pass ? "good" : "too little of the reference");
    } else {
        v.ranking = order;
        v.n_ranking = n;
    }
    return sink->put(sink, item, &v);
}

static hone_status judge(void *self, const hone_call *call, const hone_judge_item *items, size_t n,
                         size_t stride, const hone_verdict_sink *sink)
{
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i < n && !hone_cancelled(call); i++)
        s = judge_item(self,
                       (const hone_judge_item *)(const void *)((const char *)items + i * stride), i,
                       sink);
    return s;
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    hone_ref mem;
    hone_status s = (host->get_iface)(host, HONE_IFACE_MEM, &mem);
    if (s < 0)
        return s;
    judge_self *j = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, sizeof *j);
    if (!j)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    j->host = host;
    j->pass = cfg->f64(cfg, PASS);
    *self_out = j;
    return HONE_OK;
}
static void destroy(void *self)
{
    const hone_host *host = ((judge_self *)self)->host;
    hone_ref mem;
    if ((host->get_iface)(host, HONE_IFACE_MEM, &mem) >= 0)
        ((const hone_mem_v1 *)mem.vt)->resize(mem.self, self, sizeof(judge_self), 0);
}

static const hone_judge_v1 table = {.struct_size = sizeof(hone_judge_v1), .judge = judge};
static const char *const needs[] = {HONE_IFACE_MEM, NULL};
HONE_DEFINE_JUDGE(component, table, .id = "@id@", .version = "0.1.0",
                  .summary = "words of the reference that an answer mentions",
                  .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT |
                          HONE_CAP_BATCH_INVARIANT,
                  .fields = fields, .needs = needs, .create = create, .destroy = destroy);
HONE_DEFINE_PLUGIN(0x000100, &component);
