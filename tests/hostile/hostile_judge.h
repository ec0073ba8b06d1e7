/* hostile_judge.h - a judge that is in order, but for what the file that includes it defines (hostile_kind.h has the
 * idea). The longer a candidate, the better. */
#include "hone/judge.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ON_JUDGE /* code before the items; may return */
#define ON_JUDGE
#endif
#ifndef ON_ITEM /* code for item i, `item`, verdict `v` */
#define ON_ITEM
#endif
static const hone_host *the_host;

static hone_status judge(void *self, const hone_call *call, const hone_judge_item *items, size_t n,
                         size_t stride, const hone_verdict_sink *sink)
{
    (void)self;
    ON_JUDGE
    for (size_t i = 0; i < n && !hone_cancelled(call); i++) {
        const hone_judge_item *item = (const hone_judge_item *)(const void *)((const char *)items +
                                                                              i * stride);
        uint32_t order[64];
        hone_verdict v = {.struct_size = sizeof v, .status = HONE_SCORE, .ranking = order};
        size_t k = item->n_candidates;
        v.n_ranking = k > 1 && k <= 64 ? k : 0;
        if (!v.n_ranking)
            v.ranking = NULL;
        v.score = k == 1 ? (double)item->candidates[0].len : (double)__builtin_nan("");
        for (size_t a = 0; a < v.n_ranking; a++) { /* how many are better */
            size_t at = 0;
            for (size_t b = 0; b < k; b++)
                at += item->candidates[b].len > item->candidates[a].len ||
                      (item->candidates[b].len == item->candidates[a].len && b < a);
            order[at] = (uint32_t)a;
        }
        if (!v.n_ranking && k != 1)
            v.status = HONE_ABSTAIN;
        ON_ITEM
        hone_status s = sink->put(sink, i, &v);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}
static const hone_judge_v1 table = {.struct_size = sizeof table, .judge = judge};
#define KIND HONE_KIND_JUDGE
#define IFACE HONE_IFACE_JUDGE
#define TABLE_OF &table
#include "hostile_common.h"
