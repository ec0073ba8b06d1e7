/* opt_groups.c - which component, learning rate and weight decay a parameter gets (optimizer.h).
 *
 * A configuration is one table: settings of the component, those of every optimizer (lr, weight_decay, groups), and
 * in groups the same for the parameters whose names match. Groups do not add up: the last one that matches decides
 * alone, what it leaves out is as without a group. A group may name another component, whose state and settings are
 * its own; it counts the same steps. */
#include "train/optimizer.h"

#include "base/alloc.h"
#include "base/json.h"

#include <string.h>

static int glob(const char *p, const char *s)
{
    const char *star = NULL, *mark = NULL;
    while (*s) {
        if (*p == '*') {
            star = ++p;
            mark = s;
        } else if (*p == '?' || *p == *s) {
            p++;
            s++;
        } else if (star) {
            p = star;
            s = ++mark;
        } else {
            return 0;
        }
    }
    while (*p == '*')
        p++;
    return *p == '\0';
}

uint32_t hone__opt_group_of(const hone_optimizer *o, const char *name)
{
    size_t best = 0;
    for (size_t i = 1; i < o->n_groups; i++)
        if (glob(o->groups[i].match, name))
            best = i;
    return (uint32_t)best;
}

/* What is the host's in the table of a component. */
static const char *const host_keys[] = {"name", "1", "lr", "weight_decay", "groups", NULL};
static const char *const group_keys[] = {"match",        "1",    "lr",        "lr_scale",
                                         "weight_decay", "clip", "optimizer", NULL};

static int listed(hone_str key, const char *const *names)
{
    for (size_t k = 0; names[k]; k++)
        if (hone_str_eq(key, names[k]))
            return 1;
    return 0;
}

/* The component's own keys: without those of the host. */
static hone_status own_keys(hone_arena *a, const hone_value *config, hone_value *out)
{
    memset(out, 0, sizeof *out);
    out->type = HONE_MAP;
    if (!config || config->type != HONE_MAP)
        return HONE_OK;
    hone_pair *p = hone_arena_calloc(a, config->u.map.n + 1, sizeof *p);
    if (!p)
        return HONE_E_NOMEM;
    size_t n = 0;
    for (size_t i = 0; i < config->u.map.n; i++)
        if (!listed(config->u.map.pairs[i].key, host_keys))
            p[n++] = config->u.map.pairs[i];
    out->u.map.pairs = p;
    out->u.map.n = n;
    return HONE_OK;
}

static hone_status open_part(hone_optimizer *o, hone_registry *reg, const char *name,
                             const hone_value *config)
{
    hone_opt_part *part = &o->parts[o->n_parts];
    hone_arena a;
    hone_value own;
    hone_ref ref;
    hone_status s;
    hone_arena_init(&a, 0);
    HONE_TRY_GOTO(own_keys(&a, config, &own), done);
    HONE_TRY_GOTO(hone_instance_create(reg, HONE_KIND_OPTIMIZER, name, &own, &part->instance),
                  done);
    o->n_parts++;
    HONE_TRY_GOTO(hone_instance_ref(part->instance, HONE_IFACE_OPTIMIZER, &ref), done);
    part->vt = ref.vt;
    part->self = ref.self;
done:
    hone_arena_release(&a);
    return s;
}

/* A text of at most `cap` - 1 bytes: under `key`, or under "1". */
static hone_status text_of(const hone_value *map, const char *key, char *out, size_t cap)
{
    const hone_value *v = hone_value_get(map, key);
    if (!v)
        v = hone_value_get(map, "1");
    if (!v || v->type != HONE_STRING || v->u.str.len == 0 || v->u.str.len >= cap ||
        memchr(v->u.str.ptr, 0, v->u.str.len))
        return HONE_E_INVALID;
    memcpy(out, v->u.str.ptr, v->u.str.len);
    out[v->u.str.len] = 0;
    return HONE_OK;
}

static hone_status number(const hone_value *map, const char *key, double dflt, size_t group,
                          double *out)
{
    double x;
    if (!map || map->type != HONE_MAP) {
        *out = dflt;
        return HONE_OK;
    }
    HONE_TRY(hone_value_f64(map, key, dflt, &x));
    if (!(x >= 0 && x < 1e30)) {
        if (group)
            return hone_fail(HONE_E_RANGE, "optimizer group %zu: %s is %g, but 0 or more is wanted",
                             group, key, x);
        return hone_fail(HONE_E_RANGE, "optimizer: %s is %g, but 0 or more is wanted", key, x);
    }
    *out = x;
    return HONE_OK;
}

static hone_status check_keys(const hone_value *g, size_t i)
{
    for (size_t k = 0; k < g->u.map.n; k++) {
        hone_str key = g->u.map.pairs[k].key;
        char text[64];
        if (listed(key, group_keys))
            continue;
        size_t n = key.len < sizeof text - 1 ? key.len : sizeof text - 1;
        memcpy(text, key.ptr, n);
        text[n] = 0;
        hone_fail(HONE_E_INVALID, "optimizer group %zu: it has no setting \"%s\"", i, text);
        const char *close = hone_closest(text, group_keys);
        return close ? hone_fail_hint("did you mean \"%s\"?", close)
                     : hone_fail_hint("lr, lr_scale, weight_decay, clip, optimizer; settings of a "
                                      "component stand in its own table: optimizer = { \"lion\", "
                                      "beta1 = 0.9 }");
    }
    return HONE_OK;
}

/* Group number i (from 1). wd: the weight decay of what is in no group. */
static hone_status read_group(hone_optimizer *o, hone_registry *reg, const hone_value *g, size_t i,
                              double wd)
{
    hone_opt_group *to = &o->groups[o->n_groups];
    char name[256];
    double lr = -1;
    *to = (hone_opt_group){.lr_scale = 1};
    if (g->type != HONE_MAP || text_of(g, "match", to->match, sizeof to->match) < 0) {
        hone_fail(HONE_E_INVALID, "optimizer group %zu: match is missing or too long", i);
        return hone_fail_hint("as in { \"*.norm*\", weight_decay = 0 }");
    }
    HONE_TRY(check_keys(g, i));
    const hone_value *own = hone_value_get(g, "optimizer");
    if (own && own->type != HONE_NULL) {
        if (own->type == HONE_STRING && own->u.str.len < sizeof name) {
            memcpy(name, own->u.str.ptr, own->u.str.len);
            name[own->u.str.len] = 0;
        } else if (own->type != HONE_MAP || text_of(own, "name", name, sizeof name) < 0) {
            hone_fail(HONE_E_INVALID, "optimizer group %zu: its optimizer has no name", i);
            return hone_fail_hint("as in optimizer = { \"adamw\", lr = 1e-4 }");
        }
        if (hone_value_get(own, "groups"))
            return hone_fail(HONE_E_INVALID, "optimizer group %zu: groups have no groups", i);
        to->part = (uint32_t)o->n_parts;
        HONE_TRY(open_part(o, reg, name, own));
        HONE_TRY(number(own, "weight_decay", wd, i, &wd));
        if (own->type == HONE_MAP && hone_value_get(own, "lr"))
            HONE_TRY(number(own, "lr", 0, i, &lr));
    }
    HONE_TRY(number(g, "weight_decay", wd, i, &to->weight_decay));
    HONE_TRY(number(g, "clip", 0, i, &to->clip));
    if (hone_value_get(g, "lr"))
        HONE_TRY(number(g, "lr", 0, i, &lr));
    if (hone_value_get(g, "lr_scale")) {
        if (lr >= 0)
            return hone_fail(HONE_E_INVALID,
                             "optimizer group %zu: lr and lr_scale exclude each "
                             "other",
                             i);
        HONE_TRY(number(g, "lr_scale", 1, i, &to->lr_scale));
    } else if (lr >= 0) {
        if (!(o->lr > 0))
            return hone_fail(HONE_E_INVALID,
                             "optimizer group %zu: its lr is taken as a share of "
                             "the optimizer's, which is 0",
                             i);
        to->lr_scale = lr / o->lr;
    }
    o->n_groups++;
    return HONE_OK;
}

hone_status hone__opt_read(hone_optimizer *o, hone_registry *reg, const char *name,
                           const hone_value *config)
{
    double wd;
    HONE_TRY(open_part(o, reg, name, config));
    HONE_TRY(number(config, "weight_decay", 0, 0, &wd));
    HONE_TRY(number(config, "lr", 1e-6, 0, &o->lr));
    o->groups[0] = (hone_opt_group){.lr_scale = 1, .weight_decay = wd};
    o->n_groups = 1;
    const hone_value *list = config ? hone_value_get(config, "groups") : NULL;
    if (!list || list->type == HONE_NULL)
        return HONE_OK;
    if (list->type != HONE_LIST || list->u.list.n >= HONE_OPT_MAX_GROUPS) {
        hone_fail(HONE_E_TYPE, "optimizer groups: a list of at most %d", HONE_OPT_MAX_GROUPS - 1);
        return hone_fail_hint("as in groups = { { \"*.norm*\", weight_decay = 0 } }");
    }
    for (size_t i = 0; i < list->u.list.n; i++)
        HONE_TRY(read_group(o, reg, &list->u.list.items[i], i + 1, wd));
    return HONE_OK;
}
