/* comm.c - see comm.h.
 *
 * Small exchanges (a status, a hash, a range) have their room on the stack, so that a rank out of memory can
 * still say so. What needs room of its own is exchanged only after all ranks said that they have it. */
#include "train/comm.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <string.h>

static hone_status gather_self(const hone_comm *c, const void *mine, size_t bytes, void *all)
{
    (void)c;
    if (mine != all)
        memcpy(all, mine, bytes);
    return HONE_OK;
}

const hone_comm *hone_comm_self(void)
{
    static const hone_comm self = {.rank = 0, .size = 1, .gather = gather_self};
    return &self;
}

void hone_comm_share(const hone_comm *c, uint32_t rank, size_t n, size_t *first, size_t *count)
{
    size_t each = n / c->size, more = n % c->size;
    *first = rank * each + (rank < more ? rank : more);
    *count = each + (rank < more);
}

hone_status hone_comm_agree(const hone_comm *c, hone_status mine)
{
    int32_t all[HONE_COMM_MAX], own = mine;
    HONE_TRY(c->gather(c, &own, sizeof own, all));
    if (mine < 0)
        return mine;
    for (uint32_t r = 0; r < c->size; r++) {
        if (all[r] < 0) {
            hone_fail(HONE_E_FAIL, "rank %u of %u failed: %s", r, c->size,
                      hone_status_text(all[r]));
            return hone_fail_hint("its own output says more");
        }
    }
    return mine;
}

hone_status hone_comm_same(const hone_comm *c, const void *mine, size_t n, const char *what)
{
    uint64_t all[HONE_COMM_MAX], own = hone_xxh64(mine, n, 0);
    HONE_TRY(c->gather(c, &own, sizeof own, all));
    for (uint32_t r = 1; r < c->size; r++) {
        if (all[r] != all[0]) {
            hone_fail(HONE_E_STATE, "rank %u has other bits than rank 0 in %s", r, what);
            return hone_fail_hint("every rank must run the same recipe, model, data and build");
        }
    }
    return HONE_OK;
}

typedef struct range {
    uint64_t n_chunks, first, n;
} range;

static int after(const range *a, const range *b)
{
    return a->first > b->first || (a->first == b->first && a->n > b->n);
}

/* order[0 .. size) = the ranks by their first chunk; all chunks are there, once each. */
static hone_status sort_ranges(const hone_comm *c, const range *all, uint16_t *order, size_t *most)
{
    uint64_t at = 0;
    *most = 0;
    for (uint32_t r = 0; r < c->size; r++) { /* by insertion: ranks nearly always come in order */
        uint32_t i = r;
        while (i > 0 && after(&all[order[i - 1]], &all[r])) {
            order[i] = order[i - 1];
            i--;
        }
        order[i] = (uint16_t)r;
        if (all[r].n_chunks != all[0].n_chunks)
            return hone_fail(HONE_E_STATE, "rank %u sums %llu chunks and rank 0 %llu", r,
                             (unsigned long long)all[r].n_chunks,
                             (unsigned long long)all[0].n_chunks);
        if (all[r].n > *most)
            *most = (size_t)all[r].n;
    }
    for (uint32_t i = 0; i < c->size; i++) {
        const range *x = &all[order[i]];
        if (x->n == 0)
            continue;
        if (x->first != at || x->n > x->n_chunks - at)
            return hone_fail(HONE_E_STATE, "chunk %llu of %llu %s: rank %u has %llu from %llu on",
                             (unsigned long long)(x->first < at ? x->first : at),
                             (unsigned long long)x->n_chunks,
                             x->first > at ? "is nobody's" : "is summed twice or not there",
                             order[i], (unsigned long long)x->n, (unsigned long long)x->first);
        at += x->n;
    }
    return at == all[0].n_chunks
               ? HONE_OK
               : hone_fail(HONE_E_STATE, "chunk %llu of %llu is nobody's", (unsigned long long)at,
                           (unsigned long long)all[0].n_chunks);
}

hone_status hone_comm_sum(const hone_comm *c, size_t n_chunks, size_t first, size_t n,
                          const double *part, double *out)
{
    range all[HONE_COMM_MAX], own = {n_chunks, first, n};
    uint16_t order[HONE_COMM_MAX];
    double sum = 0.0, *room = NULL;
    size_t most, total;
    hone_status s;
    HONE_TRY(c->gather(c, &own, sizeof own, all));
    HONE_TRY(sort_ranges(c, all, order, &most)); /* the same answer everywhere */
    if (c->size > 1) {
        s = hone_mul_size(most, c->size, &total)
                ? HONE_OK
                : hone_fail(HONE_E_LIMIT, "sum: too many chunks (%zu)", most);
        if (s >= 0 && !(room = hone_reallocarray(NULL, total ? total : 1, sizeof *room)))
            s = HONE_E_NOMEM;
        HONE_TRY_GOTO(hone_comm_agree(c, s), done);
        if (n)
            memcpy(room + c->rank * most, part, n * sizeof *part);
        memset(room + c->rank * most + n, 0, (most - n) * sizeof *room);
        HONE_TRY_GOTO(c->gather(c, room + c->rank * most, most * sizeof *room, room), done);
    }
    for (uint32_t i = 0; i < c->size; i++) {
        const double *from = room ? room + order[i] * most : part;
        for (uint64_t k = 0; k < all[order[i]].n; k++)
            sum += from[k];
    }
    *out = sum;
    s = HONE_OK;
done:
    hone_free(room);
    return s;
}
