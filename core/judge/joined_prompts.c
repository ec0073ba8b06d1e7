/* joined_prompts.c - see joined.h: which items are of one prompt, and in which split that prompt is.
 *
 * Files name prompts differently: experts' rows "q7", verdicts a hash of the words, items none at all. An item that has two names
 * ties them together, so that items with the one and items with the other are of one prompt: one step, from a name of a lower
 * kind to one of a higher. The result depends on what was read, not on the order of reading. */
#include "base/alloc.h"
#include "base/hash.h"
#include "judge/joined.h"

#include <stdlib.h>

typedef struct tie {
    uint64_t from, to;
} tie;

static int by_from(const void *pa, const void *pb)
{
    const tie *a = pa, *b = pb;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

static int has(const hone_joined_item *it, int who)
{
    return it->named >> who & 1;
}

/* Items that have no prompt yet and the name `from`: the least name `to` that an item with the same name has. */
static void follow(hone_joined *j, tie *list, uint8_t *settled, int from, int to)
{
    size_t n = 0;
    for (size_t i = 0; i < j->n_items; i++)
        if (has(&j->items[i], from) && has(&j->items[i], to))
            list[n++] = (tie){j->items[i].names[from], j->items[i].names[to]};
    if (!n)
        return;
    qsort(list, n, sizeof *list, by_from);
    for (size_t i = 0; i < j->n_items; i++) {
        hone_joined_item *it = &j->items[i];
        size_t lo = 0, hi = n;
        if (settled[i] || !has(it, from))
            continue;
        while (lo < hi) { /* the first tie of this name */
            const size_t mid = (lo + hi) / 2;
            if (list[mid].from < it->names[from])
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo < n && list[lo].from == it->names[from]) {
            it->cluster = list[lo].to;
            settled[i] = 1;
        }
    }
}

/* 10 % few-shot, 45 % dev, 45 % test, by the prompt. */
static uint8_t split_by_hash(uint64_t cluster)
{
    uint64_t h = hone_xxh64(&cluster, sizeof cluster, 0x73706c6974);
    double u = (double)(h >> 11) * 0x1p-53;
    return u < 0.10 ? HONE_SPLIT_FEW_SHOT : u < 0.55 ? HONE_SPLIT_DEV : HONE_SPLIT_TEST;
}

/* As rows say; an item without a word goes with its prompt; else by hash. */
static void set_splits(hone_joined *j, tie *list)
{
    size_t n = 0;
    for (size_t i = 0; i < j->n_items; i++)
        if (j->items[i].has_split)
            list[n++] = (tie){j->items[i].cluster, j->items[i].split};
    if (n)
        qsort(list, n, sizeof *list, by_from);
    for (size_t i = 0; i < j->n_items; i++) {
        hone_joined_item *it = &j->items[i];
        size_t lo = 0, hi = n;
        if (it->has_split)
            continue;
        while (lo < hi) {
            const size_t mid = (lo + hi) / 2;
            if (list[mid].from < it->cluster)
                lo = mid + 1;
            else
                hi = mid;
        }
        it->split = lo < n && list[lo].from == it->cluster ? (uint8_t)list[lo].to
                                                           : split_by_hash(it->cluster);
    }
}

hone_status hone_joined_settle(hone_joined *j)
{
    tie *list = hone_calloc(j->n_items + 1, sizeof *list);
    uint8_t *settled = hone_calloc(j->n_items + 1, sizeof *settled);
    if (!list || !settled) {
        hone_free(list);
        hone_free(settled);
        return HONE_E_NOMEM;
    }
    for (int to = 0; to < HONE_NAMED; to++) {
        for (size_t i = 0; i < j->n_items; i++)
            if (!settled[i] && has(&j->items[i], to)) {
                j->items[i].cluster = j->items[i].names[to];
                settled[i] = 1;
            }
        for (int from = to + 1; from < HONE_NAMED; from++)
            follow(j, list, settled, from, to);
    }
    for (size_t i = 0; i < j->n_items; i++)
        if (!settled[i]) /* nobody names it: a prompt of its own */
            j->items[i].cluster = j->items[i].hash;
    set_splits(j, list);
    hone_free(list);
    hone_free(settled);
    return HONE_OK;
}

int hone_joined_split(const hone_joined_item *it)
{
    return it->split;
}
