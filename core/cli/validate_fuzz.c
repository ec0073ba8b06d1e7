/* validate_fuzz.c - the fuzzer: every described slot with odd and hostile arguments of the right type (validate.h).
 *
 * An interface's description is all it knows, so a third party's kind is tested as hone's own are. The same
 * arguments, ordinary ones, are the `work` of kinds that hone does not know, so that all tests of instances (leaks, lack of
 * memory, determinism, threads, a box) hold for those too.
 *
 * Does not: call slots whose arguments must fit together in a way that no description says (`beyond` below lists
 * them with the test that does), nor those that take a stream, a graph or a configuration. A call may always be
 * refused with a status and a text; what is checked is that nothing else goes wrong. */
#include "cli/validate_args.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "hone/environment.h"
#include "host/grant.h"

#include <stdio.h>
#include <string.h>

enum { IFACES = 16, BIG = 4096, ODD = 17 }; /* ODD: sorts of odd texts and numbers */

static const struct {
    const char *iface, *slot; /* slot NULL: all */
} beyond[] = {
    {"hone.objective/1", "loss"}, /* seq_begin runs from 0 to n_tokens: validate_objective.c */
    {"hone.advantage/1", NULL},   /* the same */
    {"hone.optimizer/1",
     "step"}, /* rows * cols = length, state as state_spec says: validate_optimizer.c */
    {"hone.model/1", NULL}, /* one declare before all else: validate_model.c */
    {"hone.ops/1", NULL},   /* shapes fit an op's rule: tests of core/ops */
    {"hone.state/1", NULL}, /* bytes that save wrote: instance.state */
};

static int is_beyond(const char *iface, const char *slot)
{
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
        if (strcmp(beyond[i].iface, iface) == 0 &&
            (!beyond[i].slot || strcmp(beyond[i].slot, slot) == 0))
            return 1;
    return 0;
}

/* ---- what there is to call ------------------------------------------------------------------------ */

typedef struct slots {
    const hone__vdesc *d[IFACES];
    size_t n;
} slots;

static void find(hone__v *v, int own, slots *out)
{
    const char *const *p = v->info->c.provides;
    out->n = 0;
    for (size_t i = 0; p && p[i] && out->n < IFACES; i++)
        if ((out->d[out->n] = hone__v_desc_open(v, p[i], own)))
            out->n++;
}

static int usable(const hone__vdesc *d, size_t slot)
{
    return hone__v_desc_callable(d, slot) &&
           !is_beyond(hone__v_desc_id(d), hone__v_desc_slot(d, slot)->name);
}

/* ---- ordinary work -------------------------------------------------------------------------------- */

static int own_too; /* a kind of hone's that has no ordinary work of its own: sinks */

/* Every slot once. Refusing is no failure: whether any call is answered is the test fuzz.ordinary's. */
static hone_status work(hone__v *v, hone__vinst *i, hone__vwork *w)
{
    slots all;
    hone__vcase c = {.seed = w->seed,
                     .n = w->n,
                     .index = w->index,
                     .odd = w->items == HONE__V_PLAIN ? 0 : HONE__VA_TEXT,
                     .larger = w->larger,
                     .keep = w->keep,
                     .cancelled = w->cancelled};
    find(v, own_too, &all);
    w->whole = 0;
    for (size_t k = 0; w->digest && k < w->n; k++)
        w->digest[k] = 1;
    for (size_t k = 0; k < all.n; k++)
        for (size_t s = 0; s < hone__v_desc_slots(all.d[k]); s++) {
            hone__vgot got;
            if (!hone__v_desc_travels(all.d[k], s) || !usable(all.d[k], s))
                continue;
            hone__v_desc_call(v, i, all.d[k], s, &c, w->digest, &got);
            w->whole = hone_xxh64(&got.whole, sizeof got.whole, w->whole);
        }
    return HONE_OK;
}

const hone__vkind *hone__v_described(hone__v *v)
{
    static hone__vkind kind;
    slots all;
    find(v, 0, &all);
    own_too = !all.n && strcmp(v->info->c.kind, HONE_KIND_SINK) == 0;
    if (own_too)
        find(v, 1, &all);
    if (!all.n)
        return NULL;
    kind = (hone__vkind){.kind = v->info->c.kind, .iface = hone__v_desc_id(all.d[0]), .work = work};
    for (size_t k = 0; k < all.n; k++)
        for (size_t s = 0; s < hone__v_desc_slots(all.d[k]); s++)
            kind.cancels |= (hone__v_desc_slot(all.d[k], s)->flags & HONE_SLOT_CANCELLABLE) != 0;
    return &kind;
}

/* ---- tests ---------------------------------------------------------------------------------------- */

/* An instance and what can be called on it; NULL: a skip or failure was said. */
static hone__vinst *begin(hone__v *v, slots *all)
{
    hone__vinst *i = hone__v_need(v);
    size_t n = 0;
    if (!i)
        return NULL;
    find(v, 1, all);
    for (size_t k = 0; k < all->n; k++)
        for (size_t s = 0; s < hone__v_desc_slots(all->d[k]); s++)
            n += (size_t)usable(all->d[k], s);
    if (!all->n)
        hone__v_skip(v,
                     "nobody describes what it provides: --plugin-path names the file that does");
    else if (!n)
        hone__v_skip(v, "a description alone makes no arguments for its calls");
    if (n)
        return i;
    hone__v_destroy(v, i);
    return NULL;
}

/* Every slot with this case. */
static void each(hone__v *v, hone__vinst *i, const slots *all, const hone__vcase *c)
{
    hone__vgot got;
    for (size_t k = 0; k < all->n; k++)
        for (size_t s = 0; s < hone__v_desc_slots(all->d[k]) && !hone__v_failed(v); s++)
            if (usable(all->d[k], s))
                hone__v_desc_call(v, i, all->d[k], s, c, NULL, &got);
}

/* What the description says must be there is there. */
static void t_table(hone__v *v)
{
    slots all;
    void *self;
    hone__vinst *i = begin(v, &all);
    for (size_t k = 0; i && k < all.n; k++) {
        const void *vt = hone__v_desc_table(i, all.d[k], &self);
        for (size_t s = 0; vt && s < hone__v_desc_slots(all.d[k]); s++) {
            const hone_slot *slot = hone__v_desc_slot(all.d[k], s);
            if (!(slot->flags & HONE_SLOT_OPTIONAL) && !hone__v_desc_present(all.d[k], s, vt))
                hone__v_fail(v, "its table of %s has no %s, which is not optional",
                             hone__v_desc_id(all.d[k]), slot->name);
        }
    }
    hone__v_destroy(v, i);
}

static void t_ordinary(hone__v *v)
{
    static const size_t sizes[] = {7, 1, 2, 24, 0};
    slots all;
    hone__vgot got;
    char why[512];
    hone__vinst *i = begin(v, &all);
    for (size_t k = 0; i && k < all.n; k++)
        for (size_t s = 0; s < hone__v_desc_slots(all.d[k]) && !hone__v_failed(v); s++) {
            int answered = 0, called = 0;
            for (size_t n = 0; usable(all.d[k], s) && n < 5 && !answered; n++) {
                const hone__vcase c = {.seed = v->seed + n, .n = sizes[n]};
                hone__v_desc_call(v, i, all.d[k], s, &c, NULL, &got);
                called |= got.called;
                answered |= got.called && got.status >= 0;
                if (!answered)
                    snprintf(why, sizeof why, "%s", hone__v_error());
            }
            if (called && !answered && !hone_desc_builtin(hone__v_desc_id(all.d[k])))
                hone__v_warn(v, "%s of %s refuses every ordinary call: %s",
                             hone__v_desc_slot(all.d[k], s)->name, hone__v_desc_id(all.d[k]), why);
        }
    hone__v_destroy(v, i);
}

static void t_sizes(hone__v *v)
{
    static const size_t sizes[] = {0, 1, 7, BIG};
    slots all;
    hone__vinst *i = begin(v, &all);
    for (size_t n = 0; i && n < 4; n++)
        each(v, i, &all,
             &(hone__vcase){.seed = v->seed, .n = hone__v_most(v, i, sizes[n], HONE__V_FEW)});
    hone__v_destroy(v, i);
}

static void t_odd(hone__v *v, unsigned odd, const char *what)
{
    slots all;
    hone__vinst *i = begin(v, &all);
    hone__v_with(v, "%s", what);
    for (uint64_t round = 0; i && round < ODD; round++)
        each(v, i, &all,
             &(hone__vcase){.seed = v->seed + 1000 + round, .n = round % 2 ? 7 : 2, .odd = odd});
    hone__v_destroy(v, i);
}

static void t_text(hone__v *v)
{
    t_odd(v, HONE__VA_TEXT, "odd texts");
}

static void t_numbers(hone__v *v)
{
    t_odd(v, HONE__VA_NUMBERS, "odd numbers");
}

static void t_absent(hone__v *v)
{
    t_odd(v, HONE__VA_ABSENT | HONE__VA_COUNTS, "what is optional left out, and other counts");
}

static void t_larger(hone__v *v)
{
    slots all;
    hone__vinst *i = begin(v, &all);
    hone__v_with(v, "larger structs and strides than it knows");
    for (size_t n = 0; i && n < 3; n++)
        each(v, i, &all, &(hone__vcase){.seed = v->seed, .n = 3 * n + 1, .larger = 1});
    hone__v_destroy(v, i);
}

static void t_sinks(hone__v *v)
{
    slots all;
    hone__vinst *i = begin(v, &all);
    for (size_t at = 1; i && at < 6; at += at) {
        hone__v_with(v, "sinks that refuse from call %zu on", at);
        each(v, i, &all, &(hone__vcase){.seed = v->seed, .n = 7, .refuse = at});
    }
    hone__v_with(v, "sinks that take again after others refused");
    if (i)
        each(v, i, &all, &(hone__vcase){.seed = v->seed, .n = 7});
    hone__v_destroy(v, i);
}

static void t_cancelled(hone__v *v)
{
    static const uint32_t yes = 1;
    slots all;
    hone__vgot got;
    hone__vinst *i = v->lua ? NULL : begin(v, &all);
    if (v->lua)
        return hone__v_skip(v, "written in Lua: the host stops its functions itself");
    hone__v_with(v, "the call cancelled before it began");
    for (size_t k = 0; i && k < all.n; k++)
        for (size_t s = 0; s < hone__v_desc_slots(all.d[k]) && !hone__v_failed(v); s++) {
            const hone_slot *slot = hone__v_desc_slot(all.d[k], s);
            const hone__vcase c = {
                .seed = v->seed, .n = hone__v_most(v, i, BIG, HONE__V_FEWEST), .cancelled = &yes};
            if (!usable(all.d[k], s) || !(slot->flags & HONE_SLOT_CANCELLABLE))
                continue;
            uint64_t begun = hone_now_ns();
            hone__v_desc_call(v, i, all.d[k], s, &c, NULL, &got);
            uint64_t ms = (hone_now_ns() - begun) / 1000000;
            if (got.called && ms > 1000)
                hone__v_fail(v,
                             "%s went on for %llu ms in a call that was cancelled before it began",
                             slot->name, (unsigned long long)ms);
        }
    hone__v_destroy(v, i);
}

static void t_borrowed(hone__v *v)
{
    slots all;
    hone__vinst *i = begin(v, &all);
    for (uint64_t k = 0; i && k < 3; k++)
        each(v, i, &all, &(hone__vcase){.seed = v->seed + k, .n = 7, .keep = 1});
    hone__v_destroy(v, i);
}

/* The same call again and again needs no more memory than before. */
static void t_leak(hone__v *v)
{
    enum { CALLS = 8 };
    slots all;
    hone__vgot got;
    size_t before, after, bytes_before, bytes;
    hone__vinst *i = v->lua ? NULL : begin(v, &all);
    if (v->lua)
        return hone__v_skip(v, "written in Lua: its memory is the host's");
    for (size_t k = 0; i && k < all.n; k++)
        for (size_t s = 0; s < hone__v_desc_slots(all.d[k]) && !hone__v_failed(v); s++) {
            const hone__vcase c = {.seed = v->seed, .n = 7};
            if (!usable(all.d[k], s))
                continue;
            for (int r = 0; r < 2; r++)
                hone__v_desc_call(v, i, all.d[k], s, &c, NULL, &got);
            hone__v_heap_live(&before, &bytes_before);
            const size_t host = hone_instance_mem(i->inst);
            for (int r = 0; r < CALLS; r++)
                hone__v_desc_call(v, i, all.d[k], s, &c, NULL, &got);
            hone__v_heap_live(&after, &bytes);
            if (after >= before + CALLS)
                hone__v_fail(v, "each call of %s leaves %zu blocks, %zu bytes of memory",
                             hone__v_desc_slot(all.d[k], s)->name, (after - before) / CALLS,
                             (bytes - bytes_before) / CALLS);
            else if (hone_instance_mem(i->inst) >= host + CALLS)
                hone__v_fail(v, "each call of %s leaves %zu bytes of hone.mem/1",
                             hone__v_desc_slot(all.d[k], s)->name,
                             (hone_instance_mem(i->inst) - host) / CALLS);
        }
    hone__v_destroy(v, i);
}

/* Case number `round` of those by chance, and which slot it is for. */
static hone__vcase by_chance(const hone__v *v, uint64_t round, const slots *all, size_t *k,
                             size_t *s)
{
    static const size_t sizes[] = {0, 1, 1, 2, 3, 7, 7, 33, 257};
    const hone_rng_key key = {v->seed, HONE_RNG_USER, 0, 77, round};
    const size_t n = sizes[hone_rng_below(&key, 3, sizeof sizes / sizeof *sizes)];
    *k = (size_t)hone_rng_below(&key, 0, all->n);
    *s = (size_t)hone_rng_below(&key, 1, hone__v_desc_slots(all->d[*k]));
    return (hone__vcase){.seed = hone_rng_u64(&key, 2),
                         .n = hone__v_asks() && n > HONE__V_FEW ? HONE__V_FEW : n,
                         .odd = (unsigned)hone_rng_below(&key, 4, 16),
                         .larger = hone_rng_below(&key, 5, 4) == 0,
                         .refuse = hone_rng_below(&key, 6, 4) == 0 ? hone_rng_below(&key, 7, 5)
                                                                   : 0};
}

static void t_chance(hone__v *v)
{
    enum { ROUNDS = 200 };
    slots all;
    hone__vgot got;
    size_t k, s;
    hone__vinst *i = begin(v, &all);
    for (uint64_t round = 0; i && round < ROUNDS && !hone__v_failed(v); round++) {
        const hone__vcase c = by_chance(v, round, &all, &k, &s);
        hone__v_with(v, "case %llu of seed %llu", (unsigned long long)round,
                     (unsigned long long)v->seed);
        if (usable(all.d[k], s))
            hone__v_desc_call(v, i, all.d[k], s, &c, NULL, &got);
    }
    hone__v_destroy(v, i);
}

/* Where results may be compared: a box makes texts of hone's own interfaces valid UTF-8 and their scores finite; and an
 * environment's answers depend on the calls before, which the two do not have in common (instance.boxed compares it). */
static void compare(hone__v *v, hone__vinst *i, hone__vinst *box, const slots *all, uint64_t round)
{
    hone__vgot here, there;
    size_t k, s;
    hone__vcase c = by_chance(v, round, all, &k, &s);
    const int own = hone_desc_builtin(hone__v_desc_id(all->d[k])) != NULL;
    const int same = hone__v_has_cap(v, HONE_CAP_DETERMINISTIC) &&
                     !hone__v_has_cap(v, HONE_CAP_STATEFUL) &&
                     strcmp(v->info->c.kind, HONE_KIND_ENVIRONMENT) != 0 &&
                     !(own && (c.odd & (HONE__VA_TEXT | HONE__VA_NUMBERS)));
    if (!usable(all->d[k], s) || !hone__v_desc_travels(all->d[k], s))
        return;
    c.refuse = 0; /* what a box's sinks were told arrives when the call is over */
    hone__v_with(v, "case %llu of seed %llu in a box", (unsigned long long)round,
                 (unsigned long long)v->seed);
    hone__v_desc_call(v, box, all->d[k], s, &c, NULL, &there);
    if (!same || hone__v_failed(v))
        return;
    hone__v_with(v, "case %llu of seed %llu", (unsigned long long)round,
                 (unsigned long long)v->seed);
    hone__v_desc_call(v, i, all->d[k], s, &c, NULL, &here);
    if (here.status != there.status)
        hone__v_fail(v, "%s, case %llu: %s in process, %s in a box",
                     hone__v_desc_slot(all->d[k], s)->name, (unsigned long long)round,
                     hone_status_name(here.status), hone_status_name(there.status));
    else if (here.whole != there.whole)
        hone__v_fail(v, "%s, case %llu: in a box it gives another result than in process",
                     hone__v_desc_slot(all->d[k], s)->name, (unsigned long long)round);
}

static void t_boxed(hone__v *v)
{
    enum { ROUNDS = 60 };
    slots all;
    hone__vinst box = {0};
    hone_registry *r = NULL;
    if (!hone__v_open(v))
        return;
    if (hone_kind_shares_memory(v->info->c.kind))
        return hone__v_skip(v, "calls of kind %s are not compared", v->info->c.kind);
    hone__vinst *i = v->kind ? begin(v, &all) : NULL;
    if (!i)
        return v->kind ? (void)0 : hone__v_skip(v, "nobody describes what it provides");
    const int boxed = hone__v_boxed(v, &box, &r) != NULL;
    for (uint64_t round = 0; boxed && !v->page->result && round < ROUNDS; round++)
        compare(v, i, &box, &all, round);
    hone_instance_unref(box.inst);
    hone_registry_close(r);
    hone__v_destroy(v, i);
}

const hone__vtest hone__v_fuzz_tests[] = {
    {"fuzz.table", t_table, 0, "every slot that is not optional is there"},
    {"fuzz.ordinary", t_ordinary, 0, "each slot answers an ordinary call"},
    {"fuzz.sizes", t_sizes, 0, "arrays of 0, 1, 7 and 4,096"},
    {"fuzz.text", t_text, 0, "empty, NUL, broken UTF-8, a megabyte, for each slot"},
    {"fuzz.numbers", t_numbers, 0, "NaN, infinite, denormal, the largest; enums out of range"},
    {"fuzz.absent", t_absent, 0, "what may be NULL is; each array has a count of its own"},
    {"fuzz.larger", t_larger, 0, "structs and strides larger than it knows"},
    {"fuzz.sinks", t_sinks, 0, "sinks that take no more"},
    {"fuzz.cancelled", t_cancelled, 0, "a cancelled call ends within a second"},
    {"fuzz.borrowed", t_borrowed, 0, "nothing of a call is used after it"},
    {"fuzz.leak", t_leak, HONE__VT_NATIVE, "calls leave no memory behind"},
    {"fuzz.chance", t_chance, HONE__VT_SLOW, "all of these by chance"},
    {"fuzz.boxed", t_boxed, HONE__VT_SLOW, "cases by chance in a box"},
    {0}};
