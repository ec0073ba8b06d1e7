/* grant.c - see grant.h. One list in the registry, a row for each item of each --allow. */
#include "host/grant.h"

#include "base/log.h"
#include "host/registry_private.h"

#include <string.h>

static const struct {
    const char *name;
    uint64_t cap;
    int path; /* followed by :PATH */
} items[] = {{"net", HONE_CAP_NET, 0},
             {"exec", HONE_CAP_EXEC, 0},
             {"fs-read", HONE_CAP_FS_READ, 1},
             {"fs-write", HONE_CAP_FS_WRITE, 1}};
enum { N_ITEMS = sizeof items / sizeof *items };

static int item_named(const char *p, size_t n)
{
    for (int i = 0; i < N_ITEMS; i++)
        if (strlen(items[i].name) == n && memcmp(items[i].name, p, n) == 0)
            return i;
    return -1;
}

static hone_status bad(const char *grant, const char *item, size_t n)
{
    hone_fail(HONE_E_USAGE, "--allow=%.200s: \"%.*s\" is nothing that can be allowed", grant,
              (int)(n < 100 ? n : 100), item);
    return hone_fail_hint("PLUGIN:net,exec,fs-read:PATH,fs-write:PATH");
}

/* "WHO:item,item": a row each in front of *list. */
static hone_status read_grant(hone_registry *r, const char *grant, size_t n_who, hone__grant **list)
{
    const char *at = grant + n_who + 1;
    char *who = hone_arena_strndup(&r->arena, grant, n_who);
    if (!who)
        return HONE_E_NOMEM;
    for (;;) {
        const char *end = strchr(at, ',');
        size_t n = end ? (size_t)(end - at) : strlen(at);
        const char *colon = memchr(at, ':', n);
        int i = item_named(at, colon ? (size_t)(colon - at) : n);
        if (i < 0 || items[i].path != (colon != NULL) || (colon && colon + 1 == at + n))
            return bad(grant, at, n);
        hone__grant *g = hone_arena_calloc(&r->arena, 1, sizeof *g);
        if (!g)
            return HONE_E_NOMEM;
        g->who = who;
        g->cap = items[i].cap;
        if (colon) {
            g->path = hone_arena_strndup(&r->arena, colon + 1, (size_t)(at + n - colon - 1));
            if (!g->path)
                return HONE_E_NOMEM;
        }
        g->next = *list;
        *list = g;
        if (!end)
            return HONE_OK;
        at = end + 1;
    }
}

/* A slip in a name: nothing is called that, and something nearly is. No failure, since a recipe may bring files of its own. */
static void look_for_slip(const hone_registry *r, const char *grant, const char *who)
{
    const char *near[512] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < r->n_plugins; i++) {
        const hone_plugin *p = r->plugins[i];
        if (strcmp(p->name, who) == 0)
            return;
        for (size_t k = 0; p->components && p->components[k]; k++) {
            const hone_component_info *c = p->components[k];
            if (strcmp(c->c.id, who) == 0 || strcmp(c->short_name, who) == 0)
                return;
            if (n + 1 < sizeof near / sizeof *near)
                near[n++] = c->short_name;
        }
    }
    const char *close = hone_closest(who, near);
    if (close)
        hone_log(HONE_LOG_WARN, NULL, "--allow=%s: nothing is called %s here (did you mean %s?)",
                 grant, who, close);
}

hone_status hone_registry_allow(hone_registry *r, const char *const *grants)
{
    hone__grant *list = r->grants;
    int weak = r->weak_box;
    for (size_t i = 0; grants && grants[i]; i++) {
        const char *colon = strchr(grants[i], ':');
        size_t n = colon ? (size_t)(colon - grants[i]) : 0;
        if (strcmp(grants[i], "weak-box") == 0)
            weak = 1;
        else if (n && item_named(grants[i], n) < 0)
            HONE_TRY(read_grant(r, grants[i], n, &list));
        else if (!colon && item_named(grants[i], strlen(grants[i])) < 0) {
            hone_fail(HONE_E_USAGE, "--allow=%.200s: what it is allowed is missing", grants[i]);
            return hone_fail_hint("PLUGIN:net,exec,fs-read:PATH,fs-write:PATH");
        }
        if (n && list && item_named(grants[i], n) < 0)
            look_for_slip(r, grants[i], list->who);
    }
    r->grants = list;
    const int now = weak && !r->weak_box;
    r->weak_box = weak;
    return now ? hone__registry_weak(r) : HONE_OK;
}

hone_status hone_registry_allow_read(hone_registry *r, const hone_component_info *info,
                                     const char *path)
{
    hone__grant *g = hone_arena_calloc(&r->arena, 1, sizeof *g);
    char *copy = hone_arena_strndup(&r->arena, path, strlen(path));
    if (!g || !copy)
        return HONE_E_NOMEM;
    *g = (hone__grant){r->grants, info->c.id, copy, HONE_CAP_FS_READ};
    r->grants = g;
    return HONE_OK;
}

static int names(const hone__grant *g, const hone_component_info *info)
{
    return strcmp(g->who, info->c.id) == 0 || strcmp(g->who, info->short_name) == 0 ||
           (info->plugin && strcmp(g->who, info->plugin->name) == 0);
}

uint64_t hone_registry_granted(const hone_registry *r, const hone_component_info *info)
{
    uint64_t caps = 0;
    for (const hone__grant *g = r->grants; g; g = g->next)
        if (names(g, info))
            caps |= g->cap;
    return caps & info->c.caps;
}

const char *hone_registry_granted_path(const hone_registry *r, const hone_component_info *info,
                                       uint64_t cap, size_t i)
{
    if (!(info->c.caps & cap))
        return NULL;
    for (const hone__grant *g = r->grants; g; g = g->next)
        if (g->path && g->cap == cap && names(g, info) && i-- == 0)
            return g->path;
    return NULL;
}

int hone_registry_weak_box(const hone_registry *r)
{
    return r->weak_box;
}

hone_status hone_registry_need(const hone_registry *r, const hone_component_info *info,
                               uint64_t caps)
{
    static const char *const doing[N_ITEMS] = {"reach the network", "start a program", "read files",
                                               "write files"};
    uint64_t missing = caps & ~hone_registry_granted(r, info);
    for (int i = 0; i < N_ITEMS; i++) {
        if (!(missing & items[i].cap))
            continue;
        if (!(info->c.caps & items[i].cap))
            return hone_fail(HONE_E_REFUSED, "it does not ask to %s, so it cannot be allowed to",
                             doing[i]);
        hone_fail(HONE_E_REFUSED, "it may not %s", doing[i]);
        return hone_fail_hint("allow it: --allow=%s:%s%s", info->short_name, items[i].name,
                              items[i].path ? ":PATH" : "");
    }
    return HONE_OK;
}
