/* warrant.c - see warrant.h.
 *
 * Key idea: the host tells of every call with the trail that led to it; equal trails are kept once. Settling looks through them: each
 * instance's key is made once (the file it read may have changed since), records are looked up once a key and policy. Trails and
 * keys hold references, so no address is taken for another instance's. */
#include "judge/warrant.h"

#include "base/alloc.h"
#include "base/log.h"
#include "host/trail.h"
#include "judge/gate.h"
#include "judge/key.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TRAILS = 65536 };

/* An instance as it was in a trail: another number of changes is another one. */
typedef struct known {
    hone_instance *inst; /* referenced */
    uint64_t changes;
    char key[65]; /* "" until `made`, or where it has none */
    int made;
} known;

typedef struct way {
    known *at; /* n, outermost first */
    uint32_t n;
} way;

typedef struct decision {
    char component[128], key[65], policy[17], why[256];
    const char *how; /* "record", "kept", "no-gate" */
    int64_t record;
    int verdict;
    char at[21], expires[21];
    hone_str conditions; /* JSON, in the arena */
} decision;

struct hone_warrants {
    hone_warrants_opts o;
    pthread_mutex_t lock; /* of ways and full */
    way *ways;
    size_t n_ways, cap_ways, settled; /* those before `settled` were looked at */
    int ended;                        /* nothing is taken any more */
    int full;                         /* memory or room ran out: nothing can be said for sure */
    known *keys;
    size_t n_keys, cap_keys;
    decision *decisions;
    size_t n_decisions, cap_decisions;
    char **watching;
    size_t n_watching;
    int overridden;
    char policy[17]; /* of the last settling */
    hone_book *book;
    int looked; /* for the book */
    hone_arena arena;
    hone_error refusal;
    uint64_t version;
};

/* ---- what is told by the host ------------------------------------------------------------------------------------------ */

static int same_way(const way *a, const hone_trail *t)
{
    if (a->n != t->n)
        return 0;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->at[i].inst != t->at[i] || a->at[i].changes != hone_instance_changes(t->at[i]))
            return 0;
    return 1;
}

static void add_way(hone_warrants *w, const hone_trail *t)
{
    for (size_t i = w->n_ways; i-- > 0;)
        if (same_way(&w->ways[i], t))
            return;
    if (w->n_ways == w->cap_ways) {
        const size_t cap = w->cap_ways ? 2 * w->cap_ways : 16;
        way *more = cap > MOST_TRAILS ? NULL : hone_reallocarray(w->ways, cap, sizeof *more);
        if (!more) {
            w->full = 1;
            return;
        }
        w->ways = more;
        w->cap_ways = cap;
    }
    way x = {.at = hone_calloc(t->n, sizeof(known)), .n = t->n};
    if (!x.at) {
        w->full = 1;
        return;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        x.at[i].inst = hone_instance_addref(t->at[i]);
        x.at[i].changes = hone_instance_changes(t->at[i]);
    }
    w->ways[w->n_ways++] = x;
}

static void reached(void *ctx, const hone_trail *t)
{
    hone_warrants *w = ctx;
    pthread_mutex_lock(&w->lock);
    if (!w->ended)
        add_way(w, t);
    pthread_mutex_unlock(&w->lock);
}

/* ---- keys -------------------------------------------------------------------------------------------------------------- */

static hone_status key_of(hone_warrants *w, hone_instance *inst, uint64_t changes, const char **key)
{
    for (size_t i = 0; i < w->n_keys; i++)
        if (w->keys[i].inst == inst && w->keys[i].changes == changes) {
            *key = w->keys[i].key;
            return HONE_OK;
        }
    if (w->n_keys == w->cap_keys) {
        const size_t cap = w->cap_keys ? 2 * w->cap_keys : 16;
        known *more = hone_reallocarray(w->keys, cap, sizeof *more);
        if (!more)
            return HONE_E_NOMEM;
        w->keys = more;
        w->cap_keys = cap;
    }
    known *k = &w->keys[w->n_keys];
    memset(k, 0, sizeof *k);
    if (hone_instance_changes(inst) == changes) /* else it is not what it was: no key, no record */
        HONE_TRY(hone_judge_key(inst, k->key, NULL));
    k->inst = hone_instance_addref(inst);
    k->changes = changes;
    w->n_keys++;
    *key = k->key;
    return HONE_OK;
}

/* Settings are about to change: keys of what was reached with the old ones are made now. */
static void changing(void *ctx, hone_instance *inst)
{
    hone_warrants *w = ctx;
    const hone_error before = *hone_error_get();
    const char *key;
    for (size_t i = w->settled; i < w->n_ways; i++)
        for (uint32_t k = 0; k < w->ways[i].n; k++) {
            const known *x = &w->ways[i].at[k];
            int part = 0;
            for (hone_instance *o = inst; o && !part; o = hone_instance_outer(o))
                part = o == x->inst;
            if (part && x->changes == hone_instance_changes(x->inst))
                (void)key_of(w, x->inst, x->changes, &key);
        }
    hone_error_set(&before);
}

/* ---- decisions ---------------------------------------------------------------------------------------------------------- */

static decision *decided(hone_warrants *w, const char *component, const char *key,
                         const char *policy)
{
    for (size_t i = 0; i < w->n_decisions; i++) {
        decision *d = &w->decisions[i];
        if (strcmp(d->key, key) == 0 && strcmp(d->policy, policy) == 0 &&
            (key[0] || strcmp(d->component, component) == 0))
            return d;
    }
    return NULL;
}

static decision *add_decision(hone_warrants *w, const char *component, const char *key,
                              const char *policy)
{
    if (w->n_decisions == w->cap_decisions) {
        const size_t cap = w->cap_decisions ? 2 * w->cap_decisions : 8;
        decision *more = hone_reallocarray(w->decisions, cap, sizeof *more);
        if (!more)
            return NULL;
        w->decisions = more;
        w->cap_decisions = cap;
    }
    decision *d = &w->decisions[w->n_decisions++];
    memset(d, 0, sizeof *d);
    snprintf(d->component, sizeof d->component, "%s", component);
    snprintf(d->key, sizeof d->key, "%s", key);
    snprintf(d->policy, sizeof d->policy, "%s", policy);
    d->conditions = hone_str_c("[]");
    w->version++;
    return d;
}

static hone_status open_book(hone_warrants *w)
{
    if (w->looked)
        return HONE_OK;
    HONE_TRY(hone_book_look(w->o.store, &w->book));
    w->looked = 1;
    return HONE_OK;
}

/* Has this very instance a record? 1, or 0 and why not. */
static hone_status has_record(hone_warrants *w, hone_instance *inst, uint64_t changes,
                              const char *policy, char why[256])
{
    const char *key;
    hone_gate_record r;
    char now[21];
    HONE_TRY(key_of(w, inst, changes, &key));
    if (!key[0]) {
        snprintf(why, 256, "it cannot have a record: it does not tell what it is (spec)");
        return 0;
    }
    const decision *d = decided(w, hone_instance_id(inst), key, policy);
    if (d && strcmp(d->how, "no-gate") != 0)
        return 1;
    HONE_TRY(open_book(w));
    hone_book_now(now);
    hone_status s = hone_gate_find(w->book, key, policy, now, &w->arena, &r, why);
    if (s <= 0)
        return s;
    decision *x = add_decision(w, hone_instance_id(inst), key, policy);
    if (!x)
        return HONE_E_NOMEM;
    x->how = "record";
    x->record = r.id;
    x->verdict = r.verdict;
    memcpy(x->at, r.at, sizeof x->at);
    memcpy(x->expires, r.expires, sizeof x->expires);
    x->conditions = r.conditions;
    return 1;
}

/* Has it a record, or, where it only passes calls on, have all that it asks theirs? *who: the first that has none. */
static hone_status vouched(hone_warrants *w, hone_instance *inst, uint64_t changes,
                           const char *policy, hone_instance **who, char why[256])
{
    const char *kind = hone_instance_info(inst)->c.kind;
    const int exempt = strcmp(kind, HONE_KIND_SOURCE) == 0 || strcmp(kind, HONE_KIND_SINK) == 0;
    if (!hone_instance_holds(inst))
        return 1;
    if (!exempt) {
        hone_status s = has_record(w, inst, changes, policy, why);
        if (s != 0)
            return s;
        *who = inst;
        if (hone_instance_holds_itself(inst))
            return 0;
    }
    hone_instance *inner;
    for (size_t i = 0; (inner = hone_instance_inner(inst, i)) != NULL; i++) {
        hone_status s = vouched(w, inner, hone_instance_changes(inner), policy, who, why);
        if (s <= 0)
            return s;
    }
    return 1;
}

static hone_status vouched_way(hone_warrants *w, const way *x, const char *policy,
                               hone_instance **who, char why[256])
{
    char unused[256];
    for (uint32_t i = 0; i + 1 < x->n; i++) {
        hone_status s = has_record(w, x->at[i].inst, x->at[i].changes, policy, unused);
        if (s != 0)
            return s;
    }
    return vouched(w, x->at[x->n - 1].inst, x->at[x->n - 1].changes, policy, who, why);
}

static const char *obtained(hone_instance *who)
{
    const uint32_t what = hone_instance_holds(who);
    return what == (HONE_HOLDS_MODEL | HONE_HOLDS_NET) ? "hone.model.scorer/1 and hone.http/1"
           : what == HONE_HOLDS_NET                    ? "hone.http/1"
                                                       : "hone.model.scorer/1";
}

static hone_status refuse(hone_warrants *w, hone_instance *who, const char *policy, const char *why)
{
    const char *key = "";
    (void)key_of(w, who, hone_instance_changes(who), &key);
    hone_fail(HONE_E_REFUSED, "%s obtained %s, and %s", hone_instance_id(who), obtained(who), why);
    hone_fail_detail("what it answered could reach this update\nkey    %s\npolicy %s\nstore  %s",
                     key[0] ? key : "none", policy, hone_book_where(w->o.store));
    hone_fail_hint(
        "measure it first: hone judge calibrate, reliability and attack, then hone judge "
        "gate --judge J --policy M writes the record; --no-gate trains without one and "
        "is written into the run; watch = true only watches");
    w->refusal = *hone_error_get();
    return HONE_E_REFUSED;
}

static hone_status override(hone_warrants *w, hone_instance *who, const char *policy,
                            const char *why)
{
    const char *key, *id = hone_instance_id(who);
    HONE_TRY(key_of(w, who, hone_instance_changes(who), &key));
    if (decided(w, id, key, policy))
        return HONE_OK;
    decision *d = add_decision(w, id, key, policy);
    if (!d)
        return HONE_E_NOMEM;
    d->how = "no-gate";
    snprintf(d->why, sizeof d->why, "%s", why);
    w->overridden = 1;
    hone_log(HONE_LOG_WARN, id, "trains without a record of the gate (--no-gate): %s", why);
    return HONE_OK;
}

static hone_status settle_way(hone_warrants *w, const way *x, const char *policy)
{
    hone_instance *who = x->at[x->n - 1].inst;
    char why[256] = "it has no record";
    hone_status s = vouched_way(w, x, policy, &who, why);
    if (s != 0)
        return s < 0 ? s : HONE_OK;
    return w->o.no_gate ? override(w, who, policy, why) : refuse(w, who, policy, why);
}

hone_status hone_warrants_settle(hone_warrants *w, const char *policy)
{
    HONE_TRY(hone_warrants_refused(w));
    if (strcmp(w->policy, policy) != 0) { /* another policy asks for other records */
        snprintf(w->policy, sizeof w->policy, "%s", policy);
        w->settled = 0;
    }
    for (;;) {
        pthread_mutex_lock(&w->lock);
        const int more = w->settled < w->n_ways, full = w->full;
        const way x = more ? w->ways[w->settled] : (way){NULL, 0};
        pthread_mutex_unlock(&w->lock);
        if (full && !w->o.no_gate) {
            hone_fail(HONE_E_REFUSED, "more ways to judges than can be looked at");
            hone_fail_hint("make judges once, before the loop");
            w->refusal = *hone_error_get();
            return HONE_E_REFUSED;
        }
        if (!more)
            return HONE_OK;
        const hone_status s = settle_way(w, &x, w->policy);
        if (s <
            0) { /* also for want of a store that can be read: what is not known is not allowed */
            w->refusal = *hone_error_get();
            return s;
        }
        w->settled++;
    }
}

hone_status hone_warrants_refused(const hone_warrants *w)
{
    return w->refusal.code < 0 ? hone_error_set(&w->refusal) : HONE_OK;
}

hone_status hone_warrants_expect(hone_warrants *w, hone_instance *inst)
{
    const hone_trail t = {.at = {inst}, .n = 1};
    if (inst && hone_instance_holds(inst))
        reached(w, &t);
    return HONE_OK;
}

/* ---- life ----------------------------------------------------------------------------------------------------------------- */

hone_status hone_warrants_open(const hone_warrants_opts *o, hone_warrants **out)
{
    hone_warrants *w = hone_calloc(1, sizeof *w);
    if (!w)
        return HONE_E_NOMEM;
    w->o = *o;
    pthread_mutex_init(&w->lock, NULL);
    hone_arena_init(&w->arena, 1 << 24);
    hone_registry_listen(o->registry, reached, changing, w);
    *out = w;
    return HONE_OK;
}

void hone_warrants_end(hone_warrants *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ended = 1;
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->n_ways; i++) {
        for (uint32_t k = 0; k < w->ways[i].n; k++)
            hone_instance_unref(w->ways[i].at[k].inst);
        hone_free(w->ways[i].at);
    }
    for (size_t i = 0; i < w->n_keys; i++)
        hone_instance_unref(w->keys[i].inst);
    w->n_ways = w->n_keys = w->settled = 0;
}

void hone_warrants_close(hone_warrants *w)
{
    if (!w)
        return;
    hone_warrants_end(w);
    hone_registry_listen(w->o.registry, NULL, NULL, NULL);
    for (size_t i = 0; i < w->n_watching; i++)
        hone_free(w->watching[i]);
    hone_free(w->watching);
    hone_free(w->ways);
    hone_free(w->keys);
    hone_free(w->decisions);
    hone_book_close(w->book);
    hone_arena_release(&w->arena);
    pthread_mutex_destroy(&w->lock);
    hone_free(w);
}

/* ---- what a run remembers --------------------------------------------------------------------------------------------------- */

static hone_status text_of(const hone_value *map, const char *key, char *out, size_t size)
{
    hone_str s = {"", 0};
    HONE_TRY(hone_value_string(map, key, s, &s));
    snprintf(out, size, "%.*s", (int)(s.len < size ? s.len : size - 1), s.ptr);
    return HONE_OK;
}

static hone_status earlier(hone_warrants *w, const hone_value *v)
{
    char component[128], key[65], policy[17], how[16], verdict[32];
    HONE_TRY(text_of(v, "component", component, sizeof component));
    HONE_TRY(text_of(v, "key", key, sizeof key));
    HONE_TRY(text_of(v, "policy", policy, sizeof policy));
    HONE_TRY(text_of(v, "decision", how, sizeof how));
    HONE_TRY(text_of(v, "verdict", verdict, sizeof verdict));
    const int without = strcmp(how, "no-gate") == 0;
    if ((!without && strlen(key) != 64) || strlen(policy) != 16)
        return HONE_OK; /* it says nothing that could be accepted */
    decision *d = add_decision(w, component, key, policy);
    if (!d)
        return HONE_E_NOMEM;
    d->how = without ? "no-gate" : "kept";
    d->verdict = strcmp(verdict, hone_gate_verdict_name(HONE_GATE_GO)) == 0 ? HONE_GATE_GO
                                                                            : HONE_GATE_CONDITIONAL;
    HONE_TRY(hone_value_i64(v, "record", 0, &d->record));
    HONE_TRY(text_of(v, "at", d->at, sizeof d->at));
    HONE_TRY(text_of(v, "expires", d->expires, sizeof d->expires));
    return text_of(v, "why", d->why, sizeof d->why);
}

hone_status hone_warrants_earlier(hone_warrants *w, const hone_value *gate)
{
    int overridden = 0;
    if (!gate || gate->type != HONE_MAP)
        return HONE_OK;
    HONE_TRY(hone_value_bool(gate, "overridden", 0, &overridden));
    if (overridden)
        w->o.no_gate = w->overridden = 1;
    const hone_value *list = hone_value_get(gate, "decisions");
    for (size_t i = 0; list && list->type == HONE_LIST && i < list->u.list.n; i++)
        HONE_TRY(earlier(w, &list->u.list.items[i]));
    return HONE_OK;
}

hone_status hone_warrants_watching(hone_warrants *w, const char *id)
{
    for (size_t i = 0; i < w->n_watching; i++)
        if (strcmp(w->watching[i], id) == 0)
            return HONE_OK;
    char **more = hone_reallocarray(w->watching, w->n_watching + 1, sizeof *more);
    if (!more)
        return HONE_E_NOMEM;
    w->watching = more;
    w->watching[w->n_watching] = hone_strdup(id);
    if (!w->watching[w->n_watching])
        return HONE_E_NOMEM;
    w->n_watching++;
    w->version++;
    return HONE_OK;
}

const char *hone_warrants_watcher(const hone_warrants *w, size_t i)
{
    return i < w->n_watching ? w->watching[i] : NULL;
}

uint64_t hone_warrants_version(const hone_warrants *w)
{
    return w->version;
}

hone_status hone_warrants_drift(hone_warrants *w, const char *why)
{
    int n = 0;
    HONE_TRY(open_book(w));
    for (size_t i = 0; w->book && i < w->n_decisions; i++) {
        if (strcmp(w->decisions[i].how, "no-gate") == 0)
            continue;
        hone_status s = hone_book_void_gate(w->book, w->decisions[i].key, why);
        if (s < 0)
            return s;
        n += s;
    }
    return n;
}

static void write_decision(hone_jw *jw, const decision *d)
{
    hone_jw_map(jw);
    hone_jw_kcstr(jw, "component", d->component);
    hone_jw_kcstr(jw, "key", d->key);
    hone_jw_kcstr(jw, "policy", d->policy);
    hone_jw_kcstr(jw, "decision", d->how);
    if (strcmp(d->how, "no-gate") == 0) {
        hone_jw_kcstr(jw, "why", d->why);
    } else {
        hone_jw_ki64(jw, "record", d->record);
        hone_jw_kcstr(jw, "verdict", hone_gate_verdict_name(d->verdict));
        hone_jw_kcstr(jw, "at", d->at);
        hone_jw_kcstr(jw, "expires", d->expires);
        hone_arena a;
        hone_value list;
        hone_arena_init(&a, 1 << 20);
        if (d->conditions.len > 2 &&
            hone_json_parse(d->conditions.ptr, d->conditions.len, "conditions", &a, &list) >= 0) {
            hone_jw_key(jw, "conditions");
            hone_jw_value(jw, &list);
        }
        hone_arena_release(&a);
    }
    hone_jw_end(jw);
}

void hone_warrants_json(const hone_warrants *w, hone_jw *jw)
{
    if (!w->n_decisions && !w->n_watching && !w->overridden) {
        hone_jw_null(jw);
        return;
    }
    hone_jw_map(jw);
    hone_jw_kbool(jw, "overridden", w->overridden);
    if (w->n_decisions) {
        hone_jw_key(jw, "decisions");
        hone_jw_list(jw);
        for (size_t i = 0; i < w->n_decisions; i++)
            write_decision(jw, &w->decisions[i]);
        hone_jw_end(jw);
    }
    if (w->n_watching) {
        hone_jw_key(jw, "watching");
        hone_jw_list(jw);
        for (size_t i = 0; i < w->n_watching; i++)
            hone_jw_cstr(jw, w->watching[i]);
        hone_jw_end(jw);
    }
    hone_jw_end(jw);
}
