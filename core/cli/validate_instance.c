/* validate_instance.c - tests of any component: creating, settings, memory, threads, manners (validate.h).
 *
 * They know nothing of the kind but its function `work`: what one call gave is a digest an item, and two calls are
 * compared by these (validate_claims.c). A kind without such a function (a third party's) is created, configured and destroyed. */
#include "cli/validate.h"

#include "abi/config.h"
#include "host/grant.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "hone/state.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BATCH = HONE__V_BATCH, MAX_N = 4096 };

/* 1 when the test cannot go on without an ordinary call. */
int hone__v_no_work(hone__v *v)
{
    if (!hone__v_open(v))
        return 1;
    if (!v->kind)
        hone__v_skip(v, "no ordinary call of kind %s is known", v->info->c.kind);
    return !v->kind;
}

int hone__v_has_cap(const hone__v *v, uint64_t cap)
{
    return (v->info->c.caps & cap) != 0;
}

/* ---- creating ------------------------------------------------------------------------------------- */

static void t_create(hone__v *v)
{
    hone__vinst *i = hone__v_need(v);
    hone__v_destroy(v, i);
}

static void t_interfaces(hone__v *v)
{
    static const char *const unknown[] = {"",
                                          "hone",
                                          "hone.reward",
                                          "hone.reward/",
                                          "hone.reward/99",
                                          "hone.nothing/1",
                                          "org.nobody.thing/1",
                                          "%s%n",
                                          NULL};
    hone__vinst *i = hone__v_need(v);
    const char *const *p = v->info ? v->info->c.provides : NULL;
    char longer[4200];
    void *self;
    for (size_t k = 0; i && p && p[k] && !hone__v_failed(v); k++) {
        const void *vt = hone_instance_iface(i->inst, p[k], &self);
        if (!vt)
            hone__v_fail(v, "get_iface(\"%s\") gives NULL, though it is among what it provides",
                         p[k]);
        else if (vt != hone_instance_iface(i->inst, p[k], &self))
            hone__v_fail(v, "get_iface(\"%s\") gives another table the second time", p[k]);
        snprintf(longer, sizeof longer, "%sx", p[k]);
        if (hone_instance_iface(i->inst, longer, &self))
            hone__v_fail(v, "get_iface(\"%s\") gives a table: the whole id is to be compared",
                         longer);
        snprintf(longer, sizeof longer, "%.*s", (int)strlen(p[k]) - 1, p[k]);
        if (hone_instance_iface(i->inst, longer, &self))
            hone__v_fail(v, "get_iface(\"%s\") gives a table: the whole id is to be compared",
                         longer);
    }
    for (size_t k = 0; i && unknown[k] && !hone__v_failed(v); k++)
        if (hone_instance_iface(i->inst, unknown[k], &self))
            hone__v_fail(v, "get_iface(\"%s\") gives a table for an unknown interface", unknown[k]);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    if (i && hone_instance_iface(i->inst, longer, &self))
        hone__v_fail(v, "get_iface gives a table for an id of %zu letters", sizeof longer - 1);
    hone__v_destroy(v, i);
}

static void t_call(hone__v *v)
{
    hone__vwork w = {.seed = v->seed, .n = BATCH};
    hone__vinst *i = hone__v_no_work(v) ? NULL : hone__v_need(v);
    if (i)
        hone__v_work(v, i, &w);
    hone__v_destroy(v, i);
}

/* ---- settings ------------------------------------------------------------------------------------- */

/* The usual settings with one more; the pairs are the arena's. */
hone_value hone__v_with_setting(hone__v *v, const char *name, hone_value value)
{
    size_t n = v->settings.u.map.n;
    hone_value out = {.type = HONE_MAP};
    hone_pair *p = hone_arena_calloc(&v->arena, n + 1, sizeof *p);
    if (!p)
        return v->settings;
    for (size_t i = 0; i < n; i++)
        if (!hone_str_eq(v->settings.u.map.pairs[i].key, name))
            p[out.u.map.n++] = v->settings.u.map.pairs[i];
    p[out.u.map.n].key = hone_str_c(name);
    p[out.u.map.n++].value = value;
    out.u.map.pairs = p;
    return out;
}

static hone_value number(const hone_field *f, double x)
{
    hone_value out = {.type = f->type};
    if (f->type == HONE_FIELD_I64)
        out = (hone_value){.type = HONE_I64, .u.i64 = (int64_t)x};
    else
        out = (hone_value){.type = HONE_F64, .u.f64 = x};
    return out;
}

/* Makes an instance; where that works, lets it work once. A refusal needs a text (which leave has checked). */
static void try_settings(hone__v *v, const hone_value *settings, const char *what)
{
    hone__vwork w = {.seed = v->seed, .n = 3};
    hone__v_with(v, "%s", what);
    hone__vinst *i = hone__v_create(v, settings);
    if (i && v->kind)
        (void)v->kind->work(v, i, &w); /* may refuse, may not misbehave */
    hone__v_destroy(v, i);
    if (v->misbehaved[0])
        hone__v_fail(v, "with %s: %s", what, v->misbehaved);
}

static void t_bounds(hone__v *v)
{
    char what[256];
    size_t tried = 0;
    if (!hone__v_open(v))
        return;
    for (size_t k = 0; v->info->c.fields && v->info->c.fields[k] && !hone__v_failed(v); k++) {
        const hone_field *f = v->info->c.fields[k];
        if ((f->type == HONE_FIELD_F64 || f->type == HONE_FIELD_I64) && f->min < f->max) {
            const double at[] = {f->min, f->max};
            for (int i = 0; i < 2; i++, tried++) {
                snprintf(what, sizeof what, "%s = %g, its %s", f->name, at[i],
                         i ? "largest" : "smallest");
                hone_value s = hone__v_with_setting(v, f->name, number(f, at[i]));
                try_settings(v, &s, what);
            }
        }
        for (int i = 0; f->type == HONE_FIELD_BOOL && i < 2; i++, tried++) {
            snprintf(what, sizeof what, "%s = %s", f->name, i ? "true" : "false");
            hone_value s = hone__v_with_setting(v, f->name,
                                                (hone_value){.type = HONE_BOOL, .u.boolean = i});
            try_settings(v, &s, what);
        }
        hone_str choice;
        for (size_t i = 0;
             f->type == HONE_FIELD_ENUM && (choice = hone__config_choice_at(f->choices, i)).ptr;
             i++, tried++) {
            snprintf(what, sizeof what, "%s = \"%.*s\"", f->name, (int)choice.len, choice.ptr);
            hone_value s = hone__v_with_setting(v, f->name,
                                                (hone_value){.type = HONE_STRING, .u.str = choice});
            try_settings(v, &s, what);
        }
    }
    if (!tried)
        hone__v_skip(v, "no setting has bounds or choices");
}

static void t_unknown_key(hone__v *v)
{
    if (!hone__v_open(v))
        return;
    hone_value s = hone__v_with_setting(v, "no_such_setting",
                                        (hone_value){.type = HONE_I64, .u.i64 = 1});
    hone__vinst *i = hone__v_create(v, &s);
    if (i)
        hone__v_fail(v, "a setting that is not in its table was taken");
    hone__v_destroy(v, i);
}

/* Values that are odd for any setting. */
static hone_value odd_value(hone__v *v, const hone_rng_key *k, uint64_t at, int depth)
{
    static const char *const texts[] = {
        "",  "x",  "\xff\xfe", "../../etc/passwd", "%n%s", "null", "18446744073709551616", "(",
        "[", "\\", "a\0b"};
    static const double numbers[] = {0,      -0.0,   1,       -1,  1e308,       -1e308,
                                     5e-324, 0x1p53, -0x1p63, 0.1, 4294967296.0};
    hone_value out = {.type = HONE_NULL};
    switch (hone_rng_below(k, at, depth > 2 ? 5 : 8)) {
    case 0:
        return (hone_value){.type = HONE_BOOL, .u.boolean = (int64_t)hone_rng_below(k, at + 1, 2)};
    case 1:
        return (hone_value){.type = HONE_I64,
                            .u.i64 = hone_rng_below(k, at + 1, 2)
                                         ? (int64_t)hone_rng_u64(k, at + 2)
                                         : (int64_t)hone_rng_below(k, at + 2, 7) - 3};
    case 2:
        return (hone_value){
            .type = HONE_F64,
            .u.f64 = numbers[hone_rng_below(k, at + 1, sizeof numbers / sizeof *numbers)]};
    case 3: {
        size_t i = hone_rng_below(k, at + 1, sizeof texts / sizeof *texts);
        return (hone_value){.type = HONE_STRING,
                            .u.str = {texts[i], i == 10 ? 3 : strlen(texts[i])}};
    }
    case 4: {
        size_t n = (size_t)1 << hone_rng_below(k, at + 1, 20);
        char *p = hone_arena_alloc(&v->arena, n);
        if (!p)
            return out;
        memset(p, 'a' + (int)hone_rng_below(k, at + 2, 26), n);
        return (hone_value){.type = HONE_STRING, .u.str = {p, n}};
    }
    case 5:
    case 6: {
        size_t n = hone_rng_below(k, at + 1, 5);
        hone_value *items = hone_arena_calloc(&v->arena, n ? n : 1, sizeof *items);
        for (size_t i = 0; items && i < n; i++)
            items[i] = odd_value(v, k, at * 7 + 13 * i + 3, depth + 1);
        out.type = HONE_LIST;
        out.u.list.items = items;
        out.u.list.n = items ? n : 0;
        return out;
    }
    default: {
        size_t n = hone_rng_below(k, at + 1, 4);
        hone_pair *pairs = hone_arena_calloc(&v->arena, n ? n : 1, sizeof *pairs);
        static const char *const names[] = {"a", "component", "type", "model"};
        for (size_t i = 0; pairs && i < n; i++)
            pairs[i] = (hone_pair){hone_str_c(names[i]),
                                   odd_value(v, k, at * 11 + 17 * i + 5, depth + 1)};
        out.type = HONE_MAP;
        out.u.map.pairs = pairs;
        out.u.map.n = pairs ? n : 0;
        return out;
    }
    }
}

/* Settings by chance, most of them of the right type; as JSON text in the stage, so that one can be repeated. */
static void t_fuzz(hone__v *v)
{
    enum { ROUNDS = 200, SLOW_ROUNDS = 12 };
    size_t fields = 0;
    uint64_t rounds = ROUNDS;
    if (!hone__v_open(v))
        return;
    for (; v->info->c.fields && v->info->c.fields[fields]; fields++)
        if (v->info->c.fields[fields]->type == HONE_FIELD_COMPONENT)
            rounds = SLOW_ROUNDS; /* each makes that one too */
    if (hone__v_has_cap(v, HONE_CAP_SLOW))
        rounds = SLOW_ROUNDS;
    if (!fields)
        return hone__v_skip(v, "it has no settings");
    for (uint64_t round = 0; round < rounds && !hone__v_failed(v); round++) {
        hone_rng_key k = {v->seed, HONE_RNG_USER, 0, round, 0};
        hone_value s = v->settings;
        hone_value saved = v->settings;
        uint64_t at = 0;
        for (size_t i = 0; i < fields; i++) {
            const hone_field *f = v->info->c.fields[i];
            if (hone_rng_below(&k, at++, 3) == 0 || f->type == HONE_FIELD_PATH)
                continue;
            hone_value x = odd_value(v, &k, 100 + 1000 * i, 0);
            if ((f->type == HONE_FIELD_F64 || f->type == HONE_FIELD_I64) &&
                hone_rng_below(&k, at++, 4)) {
                double lo = f->min < f->max ? f->min : -1000, hi = f->min < f->max ? f->max : 1000;
                x = number(f, f->type == HONE_FIELD_I64
                                  ? floor(lo + (hi - lo) * hone_rng_uniform(&k, at++))
                                  : lo + (hi - lo) * hone_rng_uniform(&k, at++));
            } else if (f->type == HONE_FIELD_ENUM && hone_rng_below(&k, at++, 4)) {
                size_t n = 0;
                while (hone__config_choice_at(f->choices, n).ptr)
                    n++;
                x = (hone_value){
                    .type = HONE_STRING,
                    .u.str = hone__config_choice_at(f->choices, hone_rng_below(&k, at++, n))};
            }
            v->settings = s;
            s = hone__v_with_setting(v, f->name, x);
        }
        v->settings = saved;
        char what[200];
        hone_buf b;
        hone_jw w;
        hone_buf_init(&b, 1 << 26);
        hone_jw_init(&w, &b, 0);
        hone_jw_value(&w, &s);
        snprintf(what, sizeof what, "settings %llu: %.150s", (unsigned long long)round, b.ptr);
        hone_buf_release(&b);
        v->lenient = 1;
        try_settings(v, &s, what);
        v->lenient = 0;
    }
}

/* The host's structs at every size it had since 0.1.0 (8 bytes at a time), and larger than they are. */
static void t_sizes(hone__v *v)
{
    enum { FIRST_HOST = 48, FIRST_CONFIG = 64, MORE = 64 };
    const uint32_t host = sizeof(hone_host), config = sizeof(hone_config);
    HONE_STATIC_ASSERT(sizeof(hone_host) >= FIRST_HOST && sizeof(hone_config) >= FIRST_CONFIG,
                       "a struct only grows");
    if (!hone__v_open(v))
        return;
    for (int step = 0; !hone__v_failed(v); step++) {
        uint32_t h = FIRST_HOST + 8 * (uint32_t)step, c = FIRST_CONFIG + 8 * (uint32_t)step;
        int last = h > host && c > config;
        hone__v_hooks.host_size = last ? host + MORE : h < host ? h : host;
        hone__v_hooks.config_size = last ? config + MORE : c < config ? c : config;
        hone__v_with(v, "a host of %u bytes and a configuration of %u", hone__v_hooks.host_size,
                     hone__v_hooks.config_size);
        hone__vinst *i = hone__v_create(v, NULL);
        hone__vwork w = {.seed = v->seed, .n = 7, .larger = last};
        if (!i)
            hone__v_fail(v, "create with a host of %u bytes and a configuration of %u: %s",
                         hone__v_hooks.host_size, hone__v_hooks.config_size, hone__v_error());
        else if (v->kind)
            hone__v_work(v, i, &w);
        hone__v_destroy(v, i);
        if (last)
            break;
    }
    memset(&hone__v_hooks, 0, sizeof hone__v_hooks);
}

/* ---- memory --------------------------------------------------------------------------------------- */

static int cycle(hone__v *v, size_t n)
{
    hone__vwork w = {.seed = v->seed, .n = n};
    hone__vinst *i = hone__v_create(v, NULL);
    if (!i)
        hone__v_fail(v, "create: %s", hone__v_error());
    else if (v->kind)
        hone__v_work(v, i, &w);
    hone__v_destroy(v, i);
    return i && !hone__v_failed(v);
}

/* What grows from one life to the next is a leak; what the first life leaves behind may be a table made once. */
static void t_leak(hone__v *v)
{
    enum { LIVES = 4 };
    size_t blocks[LIVES], bytes[LIVES], host_blocks[LIVES], host_bytes[LIVES];
    if (!hone__v_open(v))
        return;
    for (int life = 0; life < LIVES; life++) {
        if (!cycle(v, BATCH))
            return;
        hone__v_heap_live(&blocks[life], &bytes[life]);
        hone_alloc_stats(&host_blocks[life], &host_bytes[life]);
    }
    if (blocks[3] > blocks[1])
        hone__v_fail(v, "leaks memory: each create, call and destroy leaves %zu blocks, %zu bytes",
                     (blocks[3] - blocks[1]) / 2, (bytes[3] - bytes[1]) / 2);
    else if (!v->lua && host_blocks[3] > host_blocks[1] + 1)
        hone__v_fail(v,
                     "leaks what the host gave: each create, call and destroy leaves %zu objects",
                     (host_blocks[3] - host_blocks[1]) / 2);
    else if (blocks[0] > 0)
        hone__v_warn(v, "the first life leaves %zu blocks, %zu bytes for good", blocks[0],
                     bytes[0]);
}

/* One life in which the n-th request fails, in create or (`in_call`) in the call. 1: there was an n-th. */
static int life_without(hone__v *v, uint64_t n, int host, int in_call)
{
    char what[128];
    hone__vwork w = {.seed = v->seed, .n = 5};
    size_t before, after, bytes;
    int hit;
    snprintf(what, sizeof what, "request %llu of %s for memory (%s) failing", (unsigned long long)n,
             in_call ? "the call" : "create", host ? "hone.mem/1" : "malloc");
    hone__v_heap_live(&before, &bytes);
    hone__v_with(v, "%s", what);
    if (!in_call && host)
        hone__v_hooks.fail_host = n;
    if (!in_call && !host)
        hone__v_heap_fail_after(n);
    hone__vinst *i = hone__v_create(v, NULL);
    hone__v_hooks.fail_host = 0;
    hit = host ? i == NULL : hone__v_heap_hit();
    if (i && v->kind) {
        if (in_call && !host)
            hone__v_heap_fail_after(n);
        hone_status s = v->kind->work(v, i, &w);
        if (in_call)
            hit = hone__v_heap_hit();
        hone__v_heap_fail_after(0);
        if (s < 0 && !in_call && !hit)
            hone__v_fail(v, "%s, and later the call fails: %s", what, hone__v_error());
    }
    hone__v_destroy(v, i);
    hone__v_heap_live(&after, &bytes);
    if (v->misbehaved[0])
        hone__v_fail(v, "%s: %s", what, v->misbehaved);
    if (after > before)
        hone__v_fail(v, "%s: %zu blocks are never given back", what, after - before);
    return hit;
}

static void without(hone__v *v, int host, int in_call)
{
    enum { ALL = 400 };
    for (uint64_t n = 1; n <= ALL && !hone__v_failed(v); n++)
        if (!life_without(v, n, host, in_call))
            break;
}

static void t_no_memory(hone__v *v)
{
    if (!hone__v_open(v) || !cycle(v, 5)) /* what is made once is made now */
        return;
    without(v, 1, 0);
}

static void t_no_malloc(hone__v *v)
{
    if (!hone__v_open(v))
        return;
    if (v->lua)
        return hone__v_skip(v, "written in Lua: its memory is the host's");
    if (!cycle(v, 5))
        return;
    without(v, 0, 0);
    if (v->kind)
        without(v, 0, 1);
}

/* A small batch needs no gigabyte. */
static void t_appetite(hone__v *v)
{
    enum { MB = 1 << 20, MOST = 256 };
    hone__vwork w = {.seed = v->seed, .n = 7};
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    if (v->kind)
        hone__v_work(v, i, &w);
    size_t blocks, live, host;
    hone__v_heap_live(&blocks, &live);
    host = hone_instance_mem(i->inst);
    if (hone__v_heap_largest() / MB > MOST)
        hone__v_fail(v, "asked malloc for %zu MB at once, for a batch of 7",
                     hone__v_heap_largest() / MB);
    else if ((live + host) / MB > MOST)
        hone__v_fail(v, "holds %zu MB after a batch of 7", (live + host) / MB);
    else if (!hone__v_asks() && hone_peak_rss() / MB > 4 * MOST)
        hone__v_fail(v, "the process grew to %llu MB for a batch of 7",
                     (unsigned long long)hone_peak_rss() / MB);
    hone__v_destroy(v, i);
}

/* ---- the process ---------------------------------------------------------------------------------- */

/* What it was granted, and what components in its settings were. Where that is EXEC, hone's thread that starts
 * programs is there afterwards, and stays. */
static uint64_t granted(hone__v *v)
{
    uint64_t caps = hone_registry_granted(v->registry, v->info);
    int inner = 0;
    const hone_component_info *c;
    for (size_t i = 0; v->info->c.fields && v->info->c.fields[i]; i++)
        inner |= v->info->c.fields[i]->type == HONE_FIELD_COMPONENT;
    if (inner || (caps & HONE_CAP_EXEC))
        cycle(v, 1);
    for (size_t i = 0; inner && (c = hone_registry_component(v->registry, NULL, i)); i++)
        if (c->used)
            caps |= hone_registry_granted(v->registry, c);
    return caps;
}

static void t_manners(hone__v *v)
{
    hone_buf what;
    if (!hone__v_open(v))
        return;
    hone_buf_init(&what, 1 << 16);
    const uint64_t caps = granted(v);
    hone__vproc *before = hone__v_proc_take();
    cycle(v, BATCH);
    if (before && hone__v_proc_changed(before, caps, &what))
        hone__v_fail(v, "%s", what.ptr);
    hone__v_proc_free(before);
    hone_buf_release(&what);
}

static void t_grants(hone__v *v)
{
    enum { MOST = 32 };
    const char *paths[MOST + 2];
    size_t n = 0;
    if (!hone__v_open(v))
        return;
    paths[n++] = v->work_dir;
    for (size_t i = 0; i < v->settings.u.map.n && n < MOST; i++) {
        const hone_value *x = &v->settings.u.map.pairs[i].value;
        if (x->type == HONE_STRING && x->u.str.len > 1 && x->u.str.ptr[0] == '/')
            paths[n++] = hone_arena_strndup(&v->arena, x->u.str.ptr, x->u.str.len);
    }
    paths[n] = NULL;
    /* Files of a path that the host resolved are allowed above; asking is enough for what only reads. */
    const uint64_t caps = granted(v) | (v->info->c.caps & HONE_CAP_FS_READ);
    if (hone__v_trap_start(paths, caps) < 0)
        return hone__v_skip(v, "%s", hone__v_error());
    cycle(v, BATCH);
    if (hone__v_trap_seen()) {
        v->page->result = 0; /* what it made of the refusal matters less */
        hone__v_fail(v, "%s", hone__v_trap_seen());
    }
}

/* ---- sizes, cancelling ---------------------------------------------------------------------------- */

static void t_batches(hone__v *v)
{
    static const size_t sizes[] = {0, 1, 7, MAX_N};
    hone__vinst *i = hone__v_no_work(v) ? NULL : hone__v_need(v);
    for (size_t k = 0; i && k < 4; k++) {
        hone__vwork w = {.seed = v->seed, .n = hone__v_most(v, i, sizes[k], HONE__V_FEW)};
        if (!hone__v_work(v, i, &w))
            break;
    }
    hone__v_destroy(v, i);
}

static void t_text(hone__v *v)
{
    hone__vwork w = {.seed = v->seed, .n = 16, .items = HONE__V_ODD};
    hone__vinst *i = hone__v_no_work(v) ? NULL : hone__v_need(v);
    if (i)
        (void)v->kind->work(v, i, &w); /* may be refused with a text */
    hone__v_destroy(v, i);
}

typedef struct canceller {
    uint32_t *word;
    hone__vinst *i;
    const hone_cancel_v1 *vt;
    void *self;
    _Atomic uint64_t at; /* when it was set */
} canceller;

static void *cancel_soon(void *p)
{
    canceller *c = p;
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    atomic_store(&c->at, hone_now_ns());
    __atomic_store_n(c->word, 1, __ATOMIC_RELAXED);
    if (c->vt)
        c->vt->cancel(c->self, 1);
    return NULL;
}

static void t_cancel(hone__v *v)
{
    uint32_t word = 0;
    pthread_t id;
    void *self = NULL;
    if (hone__v_no_work(v))
        return;
    if (!v->kind->cancels)
        return hone__v_skip(v, "calls of kind %s are not cancelled", v->info->c.kind);
    hone__vinst *i = hone__v_need(v);
    if (!i)
        return;
    const void *vt = hone_instance_iface(i->inst, HONE_IFACE_CANCEL, &self);
    canceller c = {.word = &word, .i = i, .vt = vt, .self = self};
    hone__vwork w = {
        .seed = v->seed, .n = hone__v_most(v, i, MAX_N, HONE__V_FEWEST), .cancelled = &word};
    if (v->lua || pthread_create(&id, NULL, cancel_soon, &c) != 0) {
        hone__v_destroy(v, i);
        return hone__v_skip(v, "written in Lua: the host stops its functions itself");
    }
    (void)v->kind->work(v, i, &w); /* E_CANCELLED, or items left unanswered, or done by then */
    uint64_t end = hone_now_ns();
    pthread_join(id, NULL);
    uint64_t at = atomic_load(&c.at);
    if (end > at && end - at > 1000000000u)
        hone__v_fail(v,
                     "a batch of %d went on for %.1f s after it was cancelled: look at "
                     "hone_cancelled(call) between items",
                     (int)w.n, (double)(end - at) * 1e-9);
    w = (hone__vwork){.seed = v->seed, .n = 3};
    if (!hone__v_failed(v))
        hone__v_work(v, i, &w); /* the next call is not cancelled */
    hone__v_destroy(v, i);
}

/* ---- state ---------------------------------------------------------------------------------------- */

typedef struct reading {
    const char *p;
    size_t n, at, step;
    size_t fail; /* reading fails behind this byte; 0: never */
} reading;

static hone_status put_bytes(const hone_out_stream *out, const void *p, size_t n)
{
    return hone_buf_add(out->ctx, p, n);
}

static hone_status get_bytes(const hone_in_stream *in, void *p, size_t n, size_t *got)
{
    reading *r = in->ctx;
    if (r->fail && r->at >= r->fail)
        return hone_fail(HONE_E_IO, "the validator's stream breaks off");
    if (n > r->step)
        n = r->step;
    if (n > r->n - r->at)
        n = r->n - r->at;
    if (n)
        memcpy(p, r->p + r->at, n);
    r->at += n;
    *got = n;
    return HONE_OK;
}

static int save(hone__v *v, hone__vinst *i, const hone_state_v1 *vt, void *self, hone_buf *out)
{
    hone_out_stream s = {sizeof s, 0, out, put_bytes};
    hone_buf_clear(out);
    hone__v_enter(v, i, "save");
    if (hone__v_leave(v, i, "save", vt->save(self, &s)) < 0)
        hone__v_fail(v, "save: %s", hone__v_error());
    return !hone__v_failed(v);
}

static hone_status load(hone__v *v, hone__vinst *i, const hone_state_v1 *vt, void *self,
                        const char *p, size_t n, size_t step, size_t fail, const char *what)
{
    reading r = {p, n, 0, step, fail};
    hone_in_stream s = {sizeof s, 0, &r, get_bytes};
    hone__v_stage(v, "load of %s", what);
    hone__v_enter(v, i, NULL);
    return hone__v_leave(v, i, "load", vt->load(self, &s));
}

/* A state that is no state must be refused, and must change nothing. */
static void refuse(hone__v *v, hone__vinst *i, const hone_state_v1 *vt, void *self,
                   const hone_buf *good, const char *p, size_t n, size_t fail, const char *what)
{
    hone_buf now;
    hone_buf_init(&now, 1 << 28);
    if (hone__v_failed(v) || (!fail && n == good->len && (!n || memcmp(p, good->ptr, n) == 0)))
        return;
    if (load(v, i, vt, self, p, n, fail ? fail : SIZE_MAX, fail, what) >= 0)
        hone__v_fail(v, "load takes %s without a word", what);
    else if (save(v, i, vt, self, &now) &&
             (now.len != good->len || memcmp(now.ptr, good->ptr, now.len) != 0))
        hone__v_fail(v, "load of %s failed, and yet changed the instance", what);
    hone_buf_release(&now);
}

static void t_state(hone__v *v)
{
    hone_buf a, b;
    void *self, *self2;
    hone__vwork w = {.seed = v->seed, .n = BATCH};
    hone__vinst *i = hone__v_need(v), *k = NULL;
    if (!i)
        return;
    const hone_state_v1 *vt = hone_instance_iface(i->inst, HONE_IFACE_STATE, &self);
    if (!vt) {
        if (hone__v_has_cap(v, HONE_CAP_STATEFUL))
            hone__v_fail(v, "says STATEFUL and offers no hone.state/1");
        else
            hone__v_skip(v, "it has no state");
        return hone__v_destroy(v, i);
    }
    hone_buf_init(&a, 1 << 28);
    hone_buf_init(&b, 1 << 28);
    if (v->kind && !hone__v_work(v, i, &w))
        goto done;
    k = hone__v_need(v);
    if (!k || !hone_instance_iface(k->inst, HONE_IFACE_STATE, &self2) || !save(v, i, vt, self, &a))
        goto done;
    for (size_t step = 1; step < 100 && !hone__v_failed(v); step = step == 1 ? 7 : step * 20) {
        if (load(v, k, vt, self2, a.ptr, a.len, step, 0, "what save wrote") < 0)
            hone__v_fail(v, "load refuses what save wrote (read %zu bytes at a time): %s", step,
                         hone__v_error());
        else if (save(v, k, vt, self2, &b) && (a.len != b.len || memcmp(a.ptr, b.ptr, a.len) != 0))
            hone__v_fail(v, "save, load and save again gives other bytes");
    }
    char noise[64];
    for (size_t n = 0; n < sizeof noise; n++)
        noise[n] = (char)hone_rng_below(&(hone_rng_key){v->seed, HONE_RNG_USER, 0, 0, 0}, n, 256);
    refuse(v, i, vt, self, &a, noise, 0, 0, "an empty state");
    refuse(v, i, vt, self, &a, noise, sizeof noise, 0, "random bytes");
    refuse(v, i, vt, self, &a, a.ptr, a.len / 2, 0, "half a state");
    refuse(v, i, vt, self, &a, a.ptr, a.len ? a.len - 1 : 0, 0, "a state without its last byte");
    if (a.len > 1)
        refuse(v, i, vt, self, &a, a.ptr, a.len, a.len / 2, "a state whose stream breaks off");
done:
    hone_buf_release(&a);
    hone_buf_release(&b);
    hone__v_destroy(v, k);
    hone__v_destroy(v, i);
}

void hone__v_all_answered(hone__v *v, int items, size_t n, const char *item)
{
    uint64_t digest[16];
    hone__vwork w = {.seed = v->seed, .n = n, .items = items, .digest = digest};
    hone__vinst *i = hone__v_need(v);
    if (i && hone__v_work(v, i, &w))
        for (size_t k = 0; k < n; k++)
            if (!digest[k])
                hone__v_fail(v, "%s %zu was not answered, though the call succeeded", item, k);
    hone__v_destroy(v, i);
}

/* Outcomes in wider places, items and the call larger: what lies behind the known part stays untouched. */
void hone__v_strides(hone__v *v)
{
    hone__vwork w = {.seed = v->seed, .n = 9, .larger = 1}, same = {.seed = v->seed, .n = 9};
    hone__vinst *i = hone__v_need(v);
    if (i && hone__v_work(v, i, &w) && hone__v_work(v, i, &same) && w.whole != same.whole &&
        (v->info->c.caps & HONE_CAP_DETERMINISTIC))
        hone__v_fail(v, "other strides give other results");
    hone__v_destroy(v, i);
}

/* The arguments of a call are gone when the next one comes. */
void hone__v_borrowed(hone__v *v)
{
    hone__vinst *i = hone__v_need(v);
    for (int k = 0; i && k < 3; k++) {
        hone__vwork w = {.seed = v->seed + (uint64_t)k, .n = 9, .keep = 1};
        if (!hone__v_work(v, i, &w))
            break;
    }
    hone__v_destroy(v, i);
}

const hone__vtest hone__v_instance_tests[] = {
    {"instance.create", t_create, HONE__VT_GATE, "made with its defaults, and destroyed"},
    {"instance.interfaces", t_interfaces, 0, "what it provides is there, other ids give NULL"},
    {"instance.call", t_call, HONE__VT_GATE, "an ordinary batch"},
    {"instance.bounds", t_bounds, HONE__VT_SLOW, "each bound and choice of its settings"},
    {"instance.unknown_key", t_unknown_key, 0, "a setting that is not there is refused"},
    {"instance.fuzz_settings", t_fuzz, HONE__VT_SLOW, "settings by chance"},
    {"instance.struct_sizes", t_sizes, 0, "structs of the host older and newer than its own"},
    {"instance.batches", t_batches, 0, "batches of 0, 1, 7 and 4,096"},
    {"instance.text", t_text, 0, "texts with NUL, broken UTF-8, a megabyte"},
    {"instance.leak", t_leak, 0, "nothing is left behind in memory"},
    {"instance.no_memory", t_no_memory, HONE__VT_SLOW, "each request of the host's memory fails"},
    {"instance.no_malloc", t_no_malloc, HONE__VT_SLOW | HONE__VT_NATIVE, "each malloc fails"},
    {"instance.appetite", t_appetite, 0, "no gigabyte for a small batch"},
    {"instance.manners", t_manners, 0, "the process is as it was before"},
    {"instance.grants", t_grants, HONE__VT_NATIVE, "nothing opened that was not granted"},
    {"instance.deterministic", hone__vt_deterministic, HONE__VT_TWICE,
     "the same batch, the same bits"},
    {"instance.pure", hone__vt_pure, HONE__VT_TWICE, "nothing but the arguments counts"},
    {"instance.batch_invariant", hone__vt_batch_invariant, 0, "cut and permuted batches"},
    {"instance.reentrant", hone__vt_reentrant, 0, "two threads in one instance"},
    {"instance.cancel", t_cancel, 0, "a cancelled batch ends within a second"},
    {"instance.state", t_state, 0, "saved, loaded, saved again; bad states refused"},
    {"instance.boxed", hone__vt_boxed, 0, "the same results in a box"},
    {0}};
