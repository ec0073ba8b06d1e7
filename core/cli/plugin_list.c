/* plugin_list.c - `hone plugin list|inspect`: what plugins there are, and one of them whole.
 *
 * Both read sidecars and hash files; what has no sidecar is described in a box, unless it is trusted. Neither makes an
 * instance. "Runs" is what the policy says of the file as it is now: in process, in a box, refused.
 * In a terminal lines fit its width; in a pipe they are whole. (plugin-abi.md 2, 6, 9) */
#include "cli/plugin_list.h"

#include "abi/config.h"
#include "abi/quarantine.h"
#include "abi/sidecar.h"
#include "abi/trust.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/args.h"
#include "cli/component.h"
#include "cli/out.h"
#include "cli/term.h"
#include "hone/objective.h"
#include "host/box.h"
#include "host/grant.h"
#include "host/registry.h"
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <string.h>

enum { LABEL = 12, ASKING_BIT = 32 /* capabilities from here on ask for something */ };

static hone_arg_list paths, allow;
static int json;
static const char *kind;

#define PATHS                                                                                      \
    {                                                                                              \
        "plugin-path", HONE_ARG_LIST, &paths, "PATH",                                              \
            "a folder of plugins, or a .so (several times)"                                        \
    }
#define JSON                                                                                       \
    {                                                                                              \
        "json", HONE_ARG_FLAG, &json, NULL, "as JSON"                                              \
    }
#define KIND                                                                                       \
    {                                                                                              \
        "kind", HONE_ARG_STR, &kind, "KIND", "only this kind: reward, judge, tokenizer, ..."       \
    }

static int print_json(hone_buf *b, int code)
{
    if (b->failed < 0)
        code = hone_cli_fail(b->failed);
    else
        printf("%s\n", b->ptr);
    hone_buf_release(b);
    return code;
}

/* What the policy says of each file, asked once: it hashes the file. */
static struct verdict {
    const hone_plugin *plugin;
    hone_error why;
} * verdicts;
static size_t n_verdicts;

static hone_status verdicts_open(const hone_registry *r)
{
    n_verdicts = 0;
    verdicts = hone_calloc(hone_registry_n_plugins(r) + 1, sizeof *verdicts);
    return verdicts ? HONE_OK : HONE_E_NOMEM;
}

/* hone_plugin_check, remembered. */
static hone_status check(hone_registry *r, const hone_plugin *p)
{
    size_t i = 0;
    while (i < n_verdicts && verdicts[i].plugin != p)
        i++;
    if (i == n_verdicts && n_verdicts < hone_registry_n_plugins(r)) {
        hone_status s = hone_plugin_check(r, p);
        verdicts[n_verdicts].plugin = p;
        if (s < 0)
            verdicts[n_verdicts].why = *hone_error_get();
        n_verdicts++;
    }
    return verdicts[i].why.code < 0 ? hone_error_set(&verdicts[i].why) : HONE_OK;
}

/* How it would run, in one word: what the policy says of the file as it is now. The thread's error where "refused". */
static const char *runs_word(hone_registry *r, const hone_component_info *info)
{
    const hone_plugin *p = info->plugin;
    if (!p)
        return "in process";
    if (check(r, p) < 0)
        return "refused";
    return hone_component_needs_box(info) ? "in a box" : "in process";
}

static const char *trust_word(const hone_plugin *p)
{
    switch (p->trust) {
    case HONE_PLUGIN_SHIPPED:
        return "shipped";
    case HONE_PLUGIN_TRUSTED_HASH:
        return "file";
    case HONE_PLUGIN_TRUSTED_KEY:
        return "key";
    default:
        return "none";
    }
}

/* ---- list -------------------------------------------------------------------------------------- */

static void list_json(hone_registry *r, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_key(w, "plugins");
    hone_jw_list(w);
    for (size_t i = 0; i < hone_registry_n_plugins(r); i++) {
        const hone_plugin *p = hone_registry_plugin(r, i);
        hone_jw_map(w);
        hone_jw_kcstr(w, "name", p->name);
        hone_jw_kcstr(w, "path", p->path);
        hone_jw_kcstr(w, "origin", p->origin);
        if (p->problem) {
            hone_jw_kcstr(w, "problem", p->problem);
            hone_jw_kcstr(w, "hint", p->hint);
        }
        hone_jw_key(w, "components");
        hone_jw_list(w);
        for (size_t k = 0; p->components[k]; k++) {
            const hone_component_info *info = p->components[k];
            if (kind && strcmp(kind, info->c.kind) != 0)
                continue;
            hone_jw_map(w);
            hone_jw_kcstr(w, "id", info->c.id);
            hone_jw_kcstr(w, "name", info->short_name);
            hone_jw_kcstr(w, "kind", info->c.kind);
            hone_jw_kcstr(w, "version", info->c.version);
            hone_jw_kcstr(w, "summary", info->c.summary);
            if (info->shadowed_by)
                hone_jw_kcstr(w, "shadowed_by", info->shadowed_by);
            hone_jw_kcstr(w, "runs", runs_word(r, info));
            hone_jw_end(w);
        }
        hone_jw_end(w);
        if (!p->problem)
            hone_jw_kcstr(w, "trust", trust_word(p));
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
}

/* Objectives and advantages are of one kind, but nobody looks for them in one list. */
static int is_advantage(const hone_component_info *info)
{
    for (size_t i = 0; info->c.provides && info->c.provides[i]; i++)
        if (strcmp(info->c.provides[i], HONE_IFACE_ADVANTAGE) == 0)
            return 1;
    return 0;
}

/* "(project, in a box)" for what is not simply part of hone; "" else. */
static void tag_of(hone_registry *r, const hone_component_info *info, char out[64])
{
    const char *origin = info->plugin ? info->plugin->origin : "recipe", *runs = runs_word(r, info);
    const int own = strcmp(origin, "shipped") == 0;
    out[0] = 0;
    if (own && strcmp(runs, "in process") == 0)
        return;
    if (strcmp(origin, "project") != 0 && strcmp(origin, "user") != 0)
        origin = own ? "hone" : "path";
    snprintf(out, 64, "(%s, %s)", origin, runs);
}

static void list_group(hone_registry *r, const char *of_kind, int advantages, size_t width,
                       int *first)
{
    const hone_component_info *info;
    size_t name = 0, version = 0;
    int any = 0;
    char tag[64];
    for (size_t i = 0; (info = hone_registry_component(r, of_kind, i)); i++) {
        if (is_advantage(info) != advantages)
            continue;
        if (strlen(info->short_name) > name)
            name = strlen(info->short_name);
        if (strlen(info->c.version) > version)
            version = strlen(info->c.version);
    }
    for (size_t i = 0; (info = hone_registry_component(r, of_kind, i)); i++) {
        if (is_advantage(info) != advantages)
            continue;
        if (!any++)
            printf("%s%s%s\n", (*first)++ ? "\n" : "", of_kind, advantages ? ": advantages" : "");
        size_t used = (size_t)printf("  %-*s  %-*s  ", (int)name, info->short_name, (int)version,
                                     info->c.version);
        tag_of(r, info, tag);
        used += *tag ? strlen(tag) + 2 : 0;
        hone_term_cut(info->c.summary, width > used ? width - used : 0);
        printf("%s%s\n", *tag && *info->c.summary ? "  " : "", tag);
    }
}

static void list_refused(const hone_registry *r, size_t width, int *first)
{
    size_t refused = 0;
    for (size_t i = 0; i < hone_registry_n_plugins(r); i++) {
        const hone_plugin *p = hone_registry_plugin(r, i);
        if (!p->problem)
            continue;
        if (!refused++)
            printf("%srefused\n", (*first)++ ? "\n" : "");
        printf("  %s:%s", p->path, width ? "\n    " : " ");
        hone_term_wrap(p->problem, 4, 4, width);
        if (p->hint) {
            printf("    hint: ");
            hone_term_wrap(p->hint, 10, 10, width);
        }
    }
}

/* What is asked after a name was seen with "refused". */
static void list_reasons(hone_registry *r, size_t width)
{
    const hone_component_info *info;
    const hone_plugin *last = NULL;
    int any = 0;
    for (size_t i = 0; (info = hone_registry_component(r, kind, i)); i++) {
        if (!info->plugin || info->plugin == last || strcmp(runs_word(r, info), "refused") != 0)
            continue;
        last = info->plugin;
        printf("%s", any++ ? "" : "\n");
        printf("%s: ", info->short_name);
        hone_term_wrap(hone_error_get()->what, strlen(info->short_name) + 2, 4, width);
        if (hone_error_get()->hint[0]) {
            printf("    hint: ");
            hone_term_wrap(hone_error_get()->hint, 10, 10, width);
        }
    }
}

/* There is none of the kind asked for: those that there are. */
static void list_kinds(const hone_registry *r)
{
    const hone_component_info *info;
    const char *last = "";
    printf("no plugins of kind %s; there are:", kind);
    for (size_t i = 0; (info = hone_registry_component(r, NULL, i)); i++) {
        if (strcmp(last, info->c.kind) != 0)
            printf("%s %s", *last ? "," : "", info->c.kind);
        last = info->c.kind;
    }
    printf("\n");
}

static void list_text(hone_registry *r)
{
    size_t shadowed = 0;
    const size_t width = hone_term_width();
    const hone_component_info *info;
    const char *last = NULL;
    int first = 0;
    for (size_t i = 0; (info = hone_registry_component(r, kind, i)); i++) {
        if (last && strcmp(last, info->c.kind) == 0)
            continue;
        last = info->c.kind;
        list_group(r, last, 0, width, &first);
        list_group(r, last, 1, width, &first);
    }
    list_reasons(r, width);
    list_refused(r, width, &first);
    for (size_t i = 0; i < hone_registry_n_plugins(r); i++)
        for (size_t k = 0; hone_registry_plugin(r, i)->components[k]; k++)
            shadowed += hone_registry_plugin(r, i)->components[k]->shadowed_by != NULL;
    if (shadowed)
        printf("\n%zu more are hidden by components of the same id earlier on the search path "
               "(--json shows them)\n",
               shadowed);
    if (!first && kind)
        list_kinds(r);
    else if (!first)
        printf("no plugins\n");
    else if (width)
        printf("\nhone plugin inspect NAME shows one: its settings, file, trust, what it may do\n");
}

int hone_cli_plugin_list(int argc, char **argv)
{
    static const hone_arg options[] = {KIND, PATHS, JSON, {0}};
    static const char *const examples[] = {"hone plugin list",
                                           "hone plugin list --kind reward --json", NULL};
    static const hone_args spec = {
        "plugin list",
        "[options]",
        "Shows the components of all plugins on the search path: name, version, what it is; of "
        "those\n"
        "that are not simply part of hone also where they are from (project, user, path) and how "
        "they\n"
        "run (in process, in a box, refused). Then the files that were refused, with the reason.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    hone_registry *r;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_open_registry(&paths, &r);
    if (s < 0)
        return hone_cli_fail(s);
    int code = HONE_EXIT_OK;
    s = verdicts_open(r);
    if (s < 0) {
        code = hone_cli_fail(s);
    } else if (json) {
        hone_buf b;
        hone_jw w;
        hone_buf_init(&b, 0x10000000);
        hone_jw_init(&w, &b, 0);
        list_json(r, &w);
        code = print_json(&b, code);
    } else {
        list_text(r);
    }
    hone_registry_close(r);
    hone_free(verdicts);
    return code;
}

/* ---- inspect ----------------------------------------------------------------------------------- */

static void line(const char *label, const char *text)
{
    printf("%-*s", LABEL, label);
    hone_term_wrap(text, LABEL, LABEL, hone_term_width());
}

/* The same, and the buffer is emptied. */
static void line_of(const char *label, hone_buf *b)
{
    line(label, b->ptr ? b->ptr : "");
    hone_buf_clear(b);
}

static void names_line(const char *label, const char *const *names, const char *none, hone_buf *b)
{
    for (size_t i = 0; names && names[i]; i++)
        hone_buf_addf(b, "%s%s", i ? ", " : "", names[i]);
    if (!b->len)
        hone_buf_adds(b, none);
    line_of(label, b);
}

static void caps_line(const char *label, uint64_t caps, const char *none, hone_buf *b)
{
    for (unsigned bit = 0; bit < 64; bit++)
        if ((caps >> bit & 1) && hone_cap_name(bit))
            hone_buf_addf(b, "%s%s", b->len ? ", " : "", hone_cap_name(bit));
    if (!b->len)
        hone_buf_adds(b, none);
    line_of(label, b);
}

/* How it would run, as a sentence. The thread's error where "refused". */
static const char *runs_text(hone_registry *r, const hone_component_info *info)
{
    const hone_plugin *p = info->plugin;
    if (!p)
        return "in process, part of the recipe";
    if (check(r, p) < 0)
        return "refused";
    if (hone_component_needs_box(info))
        return p->trust == HONE_PLUGIN_UNTRUSTED ? "in a box of its own: nobody trusts it"
                                                 : "in a box of its own, as all of its kind";
    switch (p->trust) {
    case HONE_PLUGIN_SHIPPED:
        return "in process, ships with hone";
    case HONE_PLUGIN_TRUSTED_HASH:
        return "in process, trusted: this very file";
    case HONE_PLUGIN_TRUSTED_KEY:
        return "in process, trusted: the key that signed it";
    default:
        return "in process, though nobody trusts it: there is no box for this kind";
    }
}

static char *beside(const hone_plugin *p, const char *ending)
{
    size_t n = strlen(p->path);
    char *path = hone_alloc(n + strlen(ending) + 1);
    if (path && n > 2) {
        memcpy(path, p->path, n - 2);
        memcpy(path + n - 2, ending, strlen(ending) + 1);
    }
    return path;
}

/* SHA-256 of the sidecar; "" where there is none. */
static void sidecar_hash(const hone_plugin *p, char out[65])
{
    char *path = beside(p, "json");
    out[0] = 0;
    if (path && hone_file_exists(path) && hone_sha256_file(path, out) < 0)
        out[0] = 0;
    hone_free(path);
}

/* "by the key 0123..., for com.acme.x 1.0"; 0 where there is no signature. Whether it holds is the policy's matter. */
static int signed_text(const hone_plugin *p, hone_buf *b)
{
    char *path = beside(p, "sig"), hex[65];
    hone_signature sig;
    hone_buf text;
    hone_arena arena;
    int there = path && hone_file_exists(path);
    hone_arena_init(&arena, 0);
    hone_buf_init(&text, 8 << 20);
    if (there && hone_file_read(path, 8 << 20, &text) >= 0 &&
        hone_signature_parse(text.ptr, text.len, path, &arena, &sig) >= 0) {
        hone_hex_write(sig.key, 32, hex);
        hone_buf_addf(b, "by the key %.16s..., version %s, %s", hex, sig.version, sig.platform);
    } else if (there) {
        hone_buf_addf(b, "%s cannot be read", hone_path_base(path));
    }
    hone_buf_release(&text);
    hone_arena_release(&arena);
    hone_free(path);
    return there;
}

/* What its box lets it do. */
static void box_lines(const hone_registry *r, const hone_component_info *info, hone_buf *b)
{
    static const uint64_t caps[] = {HONE_CAP_FS_READ, HONE_CAP_FS_WRITE};
    static const char *const does[] = {"reads", "writes"};
    const uint64_t granted = hone_registry_granted(r, info);
    hone_sandbox_policy limits;
    const char *path;
    hone__box_limits(granted, &limits);
    hone_buf_addf(b, "%s, %s, reads the system's libraries",
                  granted & HONE_CAP_NET ? "network" : "no network",
                  granted & HONE_CAP_EXEC ? "programs" : "no programs");
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; (path = hone_registry_granted_path(r, info, caps[k], i)); i++)
            hone_buf_addf(b, ", %s %s", does[k], path);
    line_of("box", b);
    hone_buf_addf(b, "at most %llu MB of memory, files of %llu MB",
                  (unsigned long long)(limits.memory >> 20),
                  (unsigned long long)(limits.file_size >> 20));
    if (granted & HONE_CAP_EXEC)
        hone_buf_addf(b, ", %u processes", limits.processes);
    line_of("", b);
    hone_buf_adds(b, "held by ");
    hone_sandbox_describe(hone_sandbox_probe(), b);
    line_of("", b);
}

static void file_lines(const hone_plugin *p, const char *sha, hone_buf *b)
{
    char side[65];
    hone_buf_addf(b, "%s  (%s%s)", p->path, p->origin, p->has_sidecar ? ", with sidecar" : "");
    line_of("file", b);
    line("sha256", sha);
    sidecar_hash(p, side);
    if (*side)
        line("sidecar", side);
    if (signed_text(p, b))
        line_of("signed", b);
    hone_buf_addf(b, "%u.%u.%u, lowest host %u.%u.%u", p->magic.sdk >> 16, p->magic.sdk >> 8 & 0xFF,
                  p->magic.sdk & 0xFF, p->magic.need >> 16, p->magic.need >> 8 & 0xFF,
                  p->magic.need & 0xFF);
    line_of("sdk", b);
}

static void deaths_line(hone_registry *r, const hone_plugin *p, hone_buf *b)
{
    const hone_quarantined *f = NULL;
    if (hone_plugin_deaths(r, p, &f) < 0 || !f)
        return;
    hone_buf_addf(b, "%lld since %s, the last: ", (long long)f->count, f->since);
    hone_death_text(&f->deaths[f->n - 1], b);
    line_of("deaths", b);
}

/* The table of settings, each line within the terminal. */
static void settings_lines(const hone_component *c)
{
    const size_t width = hone_term_width();
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    hone_config_help(c->fields, &b);
    printf("\nsettings:%s\n", c->fields && c->fields[0] ? "" : " none");
    for (char *p = b.ptr; p && *p;) {
        char *end = strchrnul(p, '\n'), *gap = NULL;
        const int more = *end != 0;
        *end = 0;
        for (char *q = p + 2; width && *p && *q && !gap; q++)
            if (q[0] == ' ' && q[1] == ' ')
                gap = q;
        if (gap && strlen(p) > width) { /* name, two spaces or more, text */
            while (*gap == ' ')
                gap++;
            printf("%.*s", (int)(gap - p), p);
            size_t at = (size_t)(gap - p);
            hone_term_wrap(gap, at, at, width);
        } else {
            printf("%s\n", p);
        }
        p = end + more;
    }
    hone_buf_release(&b);
}

static void inspect_text(hone_registry *r, const hone_component_info *info, const char *sha)
{
    const hone_component *c = &info->c;
    const hone_plugin *p = info->plugin;
    uint64_t asks = c->caps >> ASKING_BIT << ASKING_BIT;
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    printf("%s %s  (%s)\n", c->id, c->version, c->kind);
    if (*c->summary)
        hone_term_wrap(c->summary, 0, 0, hone_term_width());
    printf("\n");
    if (*c->vendor)
        line("vendor", c->vendor);
    if (*c->license)
        line("license", c->license);
    if (*c->url)
        line("url", c->url);
    if (p)
        file_lines(p, sha, &b);
    const char *runs = runs_text(r, info);
    const int refused = strcmp(runs, "refused") == 0;
    const hone_error why = *hone_error_get();
    line("runs", runs);
    if (refused) {
        line("because", why.what);
        if (why.hint[0])
            line("try", why.hint);
    }
    if (p)
        deaths_line(r, p, &b);
    caps_line("is", c->caps & ~asks, "-", &b);
    caps_line("asks for", asks, "nothing", &b);
    if (asks)
        caps_line("granted", hone_registry_granted(r, info), "nothing of it (--allow)", &b);
    if (p && !refused && hone_component_needs_box(info))
        box_lines(r, info, &b);
    names_line("offers", c->provides, "-", &b);
    names_line("needs", c->needs, "nothing of the host", &b);
    if (strcmp(c->kind, HONE_KIND_REWARD) == 0)
        names_line("reads", c->wants, "all members of a sample", &b);
    settings_lines(c);
    hone_buf_release(&b);
}

static void caps_json(const char *key, uint64_t caps, hone_jw *w)
{
    hone_jw_key(w, key);
    hone_jw_list(w);
    for (unsigned bit = 0; bit < 64; bit++)
        if ((caps >> bit & 1) && hone_cap_name(bit))
            hone_jw_cstr(w, hone_cap_name(bit));
    hone_jw_end(w);
}

static void box_json(const hone_registry *r, const hone_component_info *info, hone_jw *w)
{
    static const uint64_t caps[] = {HONE_CAP_FS_READ, HONE_CAP_FS_WRITE};
    static const char *const keys[] = {"reads", "writes"};
    const uint64_t granted = hone_registry_granted(r, info);
    hone_sandbox_policy limits;
    const char *path;
    hone__box_limits(granted, &limits);
    hone_jw_key(w, "box");
    hone_jw_map(w);
    hone_jw_kbool(w, "network", (granted & HONE_CAP_NET) != 0);
    hone_jw_kbool(w, "programs", (granted & HONE_CAP_EXEC) != 0);
    for (size_t k = 0; k < 2; k++) {
        hone_jw_key(w, keys[k]);
        hone_jw_list(w);
        for (size_t i = 0; (path = hone_registry_granted_path(r, info, caps[k], i)); i++)
            hone_jw_cstr(w, path);
        hone_jw_end(w);
    }
    hone_jw_ki64(w, "memory", (int64_t)limits.memory);
    hone_jw_ki64(w, "file_size", (int64_t)limits.file_size);
    hone_jw_ki64(w, "processes", granted & HONE_CAP_EXEC ? limits.processes : 1);
    hone_jw_end(w);
}

static void inspect_json(hone_registry *r, const hone_component_info *info, const char *sha,
                         hone_jw *w)
{
    const hone_plugin *p = info->plugin;
    uint64_t asks = info->c.caps >> ASKING_BIT << ASKING_BIT;
    char side[65];
    hone_jw_map(w);
    hone_jw_key(w, "component");
    hone_sidecar_component(&info->c, w);
    if (p) {
        hone_jw_kcstr(w, "path", p->path);
        hone_jw_kcstr(w, "origin", p->origin);
        hone_jw_kcstr(w, "sha256", sha);
        sidecar_hash(p, side);
        hone_jw_kcstr(w, "sidecar_sha256", *side ? side : NULL);
    }
    const char *runs = runs_text(r, info);
    hone_jw_kcstr(w, "runs", runs);
    if (strcmp(runs, "refused") == 0) {
        hone_jw_kcstr(w, "because", hone_error_get()->what);
        hone_jw_kcstr(w, "hint", hone_error_get()->hint);
    }
    if (p) {
        const hone_quarantined *f = NULL;
        hone_jw_kcstr(w, "trust", trust_word(p));
        hone_jw_ki64(w, "deaths", hone_plugin_deaths(r, p, &f) >= 0 && f ? f->count : 0);
        if (strcmp(runs, "refused") != 0 && hone_component_needs_box(info))
            box_json(r, info, w);
    }
    caps_json("asks_for", asks, w);
    caps_json("granted", hone_registry_granted(r, info), w);
    hone_jw_key(w, "schema");
    hone_config_schema(info->c.fields, w);
    hone_jw_end(w);
}

static int inspect_one(hone_registry *r, const hone_component_info *info)
{
    char sha[65] = "";
    if (info->plugin) {
        hone_status s = hone_plugin_sha256(info->plugin, sha);
        if (s < 0)
            return hone_cli_fail(s);
    }
    if (!json) {
        inspect_text(r, info, sha);
        return HONE_EXIT_OK;
    }
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 26);
    hone_jw_init(&w, &b, 0);
    inspect_json(r, info, sha, &w);
    return print_json(&b, HONE_EXIT_OK);
}

int hone_cli_plugin_inspect(int argc, char **argv)
{
    static const hone_arg options[] = {
        KIND,
        PATHS,
        {"allow", HONE_ARG_LIST, &allow, "GRANT",
         "PLUGIN:net,exec,fs-read:PATH,fs-write:PATH: shows what it would get"},
        JSON,
        {0}};
    static const char *const examples[] = {"hone plugin inspect math_answer", NULL};
    static const hone_args spec = {
        "plugin inspect",
        "COMPONENT|FILE.so [options]",
        "Shows one component: where it comes from, who trusts it, where it runs, what it asks for\n"
        "and gets, its settings. With a file, every component in it.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    hone_registry *r;
    int code = HONE_EXIT_OK;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_cli_open_registry(&paths, &r);
    if (s < 0)
        return hone_cli_fail(s);
    s = hone_registry_allow(r, allow.v);
    if (s < 0) {
        hone_registry_close(r);
        return hone_cli_fail(s);
    }
    const char *name = rest.v[0];
    size_t n = strlen(name);
    if (strchr(name, '/') || (n > 3 && strcmp(name + n - 3, ".so") == 0)) {
        const hone_plugin *p;
        s = hone_registry_open_file(r, name, &p);
        if (s >= 0)
            s = verdicts_open(r);
        if (s < 0)
            code = hone_cli_fail(s);
        for (size_t i = 0; s >= 0 && p->components[i] && code == HONE_EXIT_OK; i++) {
            if (i && !json)
                printf("\n");
            code = inspect_one(r, p->components[i]);
        }
    } else {
        const hone_component_info *info;
        s = hone_registry_find(r, kind, name, &info);
        if (s >= 0)
            s = verdicts_open(r);
        code = s < 0 ? hone_cli_fail(s) : inspect_one(r, info);
    }
    hone_registry_close(r);
    hone_free(verdicts);
    return code;
}
