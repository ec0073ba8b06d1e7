/* plugin.c - `hone plugin list|inspect|describe`: what plugins there are, and what they say of themselves.
 *
 * list and inspect read sidecars and load nothing; describe loads the one file it is given and writes
 * its sidecar. (plugin-abi.md 2, 6, 9) */
#include "abi/config.h"
#include "abi/desc.h"
#include "host/grant.h"
#include "host/registry.h"
#include "sandbox/sandbox.h"
#include "abi/sidecar.h"
#include "base/alloc.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/bench_plugins.h"
#include "cli/new.h"
#include "cli/out.h"
#include "cli/plugin_trust.h"
#include "cli/validate_verb.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static hone_arg_list paths, allow;
static int json, write_it;
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

static hone_status open_registry(hone_registry **out)
{
    const char *list[HONE_ARG_LIST_MAX + 1];
    for (int i = 0; i < paths.n; i++)
        list[i] = paths.v[i];
    list[paths.n] = NULL;
    hone_registry_opts o = {.paths = list, .project = "."};
    return hone_registry_open(&o, out);
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

/* ---- list -------------------------------------------------------------------------------------- */

static void list_json(const hone_registry *r, hone_jw *w)
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
            hone_jw_end(w);
        }
        hone_jw_end(w);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
}

static void list_text(const hone_registry *r)
{
    size_t name = 4, version = 7, file = 4, n = 0, refused = 0, shadowed = 0;
    const hone_component_info *info;
    for (; (info = hone_registry_component(r, kind, n)); n++) {
        if (strlen(info->short_name) > name)
            name = strlen(info->short_name);
        if (strlen(info->c.version) > version)
            version = strlen(info->c.version);
        if (strlen(info->plugin->name) > file)
            file = strlen(info->plugin->name);
    }
    const char *last = "";
    for (size_t i = 0; i < n; i++) {
        info = hone_registry_component(r, kind, i);
        if (strcmp(last, info->c.kind) != 0)
            printf("%s%s\n", i ? "\n" : "", info->c.kind);
        last = info->c.kind;
        printf("  %-*s  %-*s  %-*s  %s\n", (int)name, info->short_name, (int)version,
               info->c.version, (int)file, info->plugin->name, info->c.summary);
    }
    for (size_t i = 0; i < hone_registry_n_plugins(r); i++) {
        const hone_plugin *p = hone_registry_plugin(r, i);
        for (size_t k = 0; p->components[k]; k++)
            shadowed += p->components[k]->shadowed_by != NULL;
        if (!p->problem)
            continue;
        if (!refused++)
            printf("%srefused\n", n ? "\n" : "");
        printf("  %s: %s\n", p->path, p->problem);
        if (p->hint)
            printf("    hint: %s\n", p->hint);
    }
    if (shadowed)
        printf("\n%zu more are hidden by components of the same id earlier on the search path "
               "(--json shows them)\n",
               shadowed);
    if (!n && !refused)
        printf("no plugins%s%s\n", kind ? " of kind " : "", kind ? kind : "");
}

static int run_list(int argc, char **argv)
{
    static const hone_arg options[] = {KIND, PATHS, JSON, {0}};
    static const char *const examples[] = {"hone plugin list",
                                           "hone plugin list --kind reward --json", NULL};
    static const hone_args spec = {
        "plugin list",
        "[options]",
        "Shows the components of all plugins on the search path, and the files that\n"
        "were refused with the reason. Loads nothing that has a sidecar.",
        options,
        examples,
        0,
        0};
    hone_rest rest;
    hone_registry *r;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = open_registry(&r);
    if (s < 0)
        return hone_cli_fail(s);
    int code = HONE_EXIT_OK;
    if (json) {
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
    return code;
}

/* ---- inspect ----------------------------------------------------------------------------------- */

static void print_names(const char *label, const char *const *names, const char *none)
{
    printf("%-12s", label);
    if (!names || !names[0])
        printf("%s", none);
    for (size_t i = 0; names && names[i]; i++)
        printf("%s%s", i ? ", " : "", names[i]);
    printf("\n");
}

static void print_caps(const char *label, uint64_t caps, const char *none)
{
    int any = 0;
    printf("%-12s", label);
    for (unsigned bit = 0; bit < 64; bit++)
        if ((caps >> bit & 1) && hone_cap_name(bit))
            printf("%s%s", any++ ? ", " : "", hone_cap_name(bit));
    printf("%s\n", any ? "" : none);
}

enum { ASKING_BIT = 32 }; /* capabilities from here on ask for something */

/* How it would run: what the policy says of the file as it is now. */
static const char *runs_text(hone_registry *r, const hone_component_info *info)
{
    const hone_plugin *p = info->plugin;
    if (!p)
        return "in process, part of the recipe";
    if (hone_plugin_check(r, p) < 0)
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

/* What its box lets it do. */
static void print_box(const hone_registry *r, const hone_component_info *info)
{
    static const uint64_t caps[] = {HONE_CAP_FS_READ, HONE_CAP_FS_WRITE};
    static const char *const does[] = {"reads", "writes"};
    const uint64_t granted = hone_registry_granted(r, info);
    const char *path;
    hone_buf can;
    hone_buf_init(&can, 4096);
    printf("%-12s%s, %s, reads the system's libraries", "box",
           granted & HONE_CAP_NET ? "network" : "no network",
           granted & HONE_CAP_EXEC ? "programs" : "no programs");
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; (path = hone_registry_granted_path(r, info, caps[k], i)); i++)
            printf(", %s %s", does[k], path);
    hone_sandbox_describe(hone_sandbox_probe(), &can);
    printf("\n%-12sheld by %.*s\n", "", (int)can.len, can.ptr ? can.ptr : "");
    hone_buf_release(&can);
}

static void inspect_text(hone_registry *r, const hone_component_info *info, const char *sha)
{
    const hone_component *c = &info->c;
    const hone_plugin *p = info->plugin;
    uint64_t asks = c->caps >> ASKING_BIT << ASKING_BIT;
    printf("%s %s  (%s)\n", c->id, c->version, c->kind);
    if (*c->summary)
        printf("%s\n", c->summary);
    printf("\n");
    if (*c->vendor)
        printf("%-12s%s\n", "vendor", c->vendor);
    if (*c->license)
        printf("%-12s%s\n", "license", c->license);
    if (*c->url)
        printf("%-12s%s\n", "url", c->url);
    if (p) {
        printf("%-12s%s  (%s%s)\n", "file", p->path, p->origin,
               p->has_sidecar ? ", with sidecar" : "");
        printf("%-12s%s\n", "sha256", sha);
        printf("%-12s%u.%u.%u, lowest host %u.%u.%u\n", "sdk", p->magic.sdk >> 16,
               p->magic.sdk >> 8 & 0xFF, p->magic.sdk & 0xFF, p->magic.need >> 16,
               p->magic.need >> 8 & 0xFF, p->magic.need & 0xFF);
    }
    const char *runs = runs_text(r, info);
    printf("%-12s%s\n", "runs", runs);
    if (strcmp(runs, "refused") == 0)
        printf("%-12s%s\n", "because", hone_error_get()->what);
    print_caps("is", c->caps & ~asks, "-");
    print_caps("asks for", asks, "nothing");
    if (asks)
        print_caps("granted", hone_registry_granted(r, info), "nothing of it (--allow)");
    if (p && hone_component_needs_box(info))
        print_box(r, info);
    print_names("offers", c->provides, "-");
    print_names("needs", c->needs, "nothing of the host");
    print_names("reads", c->wants, "all members of a sample");
    printf("\nsettings:%s\n", c->fields && c->fields[0] ? "" : " none");
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    hone_config_help(c->fields, &b);
    printf("%s", b.ptr);
    hone_buf_release(&b);
}

static void inspect_json(hone_registry *r, const hone_component_info *info, const char *sha,
                         hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_key(w, "component");
    hone_sidecar_component(&info->c, w);
    if (info->plugin) {
        hone_jw_kcstr(w, "path", info->plugin->path);
        hone_jw_kcstr(w, "origin", info->plugin->origin);
        hone_jw_kcstr(w, "sha256", sha);
    }
    hone_jw_kcstr(w, "runs", runs_text(r, info));
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

static int run_inspect(int argc, char **argv)
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
        "Shows one component: where it comes from, what it is, what it asks for, its\n"
        "settings. With a file, every component in it.",
        options,
        examples,
        1,
        1};
    hone_rest rest;
    hone_registry *r;
    int code = HONE_EXIT_OK;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = open_registry(&r);
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
        code = s < 0 ? hone_cli_fail(s) : inspect_one(r, info);
    }
    hone_registry_close(r);
    return code;
}

/* ---- describe ---------------------------------------------------------------------------------- */

static hone_status write_sidecar(const char *so, const hone_buf *b)
{
    size_t n = strlen(so);
    if (n < 4 || strcmp(so + n - 3, ".so") != 0)
        return hone_fail(HONE_E_INVALID, "%s: the name of a plugin ends in .so", so);
    char *path = hone_alloc(n + 3);
    if (!path)
        return HONE_E_NOMEM;
    memcpy(path, so, n - 2);
    memcpy(path + n - 2, "json", 5);
    hone_status s = hone_file_replace(path, b->ptr, b->len);
    hone_free(path);
    return s;
}

static int run_describe(int argc, char **argv)
{
    static const hone_arg options[] = {
        {"write", HONE_ARG_FLAG, &write_it, NULL,
         "writes the sidecar beside the file instead of printing"},
        {"json", HONE_ARG_FLAG, &json, NULL, "on one line, as the sidecar has it"},
        {0}};
    static const hone_args spec = {
        "plugin describe",
        "FILE.so [options]",
        "Loads a plugin file and prints what it says of itself: its components, their\n"
        "settings, the interfaces it introduces. This is its sidecar.",
        options,
        NULL,
        1,
        1};
    static const hone_registry_opts nothing = {.only_paths = 1};
    hone_rest rest;
    hone_registry *r;
    const hone_plugin *p;
    hone_buf b;
    hone_jw w;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    hone_status s = hone_registry_open(&nothing, &r);
    if (s < 0)
        return hone_cli_fail(s);
    hone_buf_init(&b, 1 << 26);
    hone_jw_init(&w, &b, json || write_it ? 0 : 2);
    s = hone_registry_open_file(r, rest.v[0], &p);
    if (s >= 0)
        s = hone_plugin_describe(r, p, &w);
    if (s >= 0)
        s = hone_buf_addc(&b, '\n');
    if (s >= 0 && write_it)
        s = write_sidecar(rest.v[0], &b);
    else if (s >= 0)
        printf("%s", b.ptr);
    hone_buf_release(&b);
    hone_registry_close(r);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

/* ---- interfaces -------------------------------------------------------------------------------- */

static void struct_text(const hone_struct_desc *d)
{
    static const char *const flags[] = {"frozen", "sink"};
    printf("- `%s` (%u bytes", d->name, d->size);
    for (unsigned i = 0; i < 2; i++)
        if (d->flags >> i & 1)
            printf(", %s", flags[i]);
    printf("):");
    for (size_t i = 0, shown = 0; d->members[i]; i++) {
        const hone_member *m = d->members[i];
        if (m->type == HONE_T_PAD || m->type == HONE_T_FUNC || m->type == HONE_T_OPAQUE ||
            m->type == HONE_T_SIZE)
            continue;
        printf("%s %s %s", shown++ ? "," : "",
               m->type == HONE_T_STRUCT ? m->of->name : hone_desc_type_name(m->type), m->name);
        if (m->flags & HONE_M_INLINE)
            printf("[%u]", m->count2_offset);
        if (m->flags & HONE_M_ARRAY) {
            printf("[%s%s", hone_desc_member_at(d, m->count_offset)->name,
                   m->flags & HONE_M_PLUS1 ? " + 1" : "");
            if (m->flags & HONE_M_PRODUCT)
                printf(" x %s", hone_desc_member_at(d, m->count2_offset)->name);
            printf("]");
        }
        printf("%s", m->flags & HONE_M_NULLABLE ? "?" : "");
    }
    printf("\n");
    for (size_t i = 0; d->slots && d->slots[i]; i++)
        printf("  - `%s`: `%s`: %s\n", d->slots[i]->name, d->slots[i]->sig,
               d->slots[i]->doc ? d->slots[i]->doc : "");
}

static hone_status iface_text(const hone_iface_desc *d)
{
    char hash[65];
    HONE_TRY(hone_desc_hash(d, hash));
    printf("## %s\n\nkind %s, description %.16s\n\n", d->id, d->kind ? d->kind : "any", hash);
    for (size_t i = 0; d->table->slots && d->table->slots[i]; i++) {
        const hone_slot *slot = d->table->slots[i];
        printf("- `%s`%s%s: %s\n  `%s`\n", slot->name,
               slot->flags & HONE_SLOT_OPTIONAL ? " (optional)" : "",
               slot->flags & HONE_SLOT_LOCAL ? " (in process only)" : "",
               slot->doc ? slot->doc : "", slot->sig);
    }
    if (d->structs[0])
        printf("\nstructs\n\n");
    for (size_t i = 0; d->structs[i]; i++)
        struct_text(d->structs[i]);
    printf("\n");
    return HONE_OK;
}

static int run_interfaces(int argc, char **argv)
{
    static const hone_arg options[] = {JSON, {0}};
    static const char *const examples[] = {"hone plugin interfaces hone.reward/1", NULL};
    static const hone_args spec = {
        "plugin interfaces",
        "[ID] [options]",
        "Prints the interfaces that hone ships, from the descriptions that Lua, the box and the\n"
        "validator use too: every call with its signature, every struct with its members.",
        options,
        examples,
        0,
        1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const hone_iface_desc *const *all = hone_desc_builtins();
    const char *names[64];
    size_t n = 0, shown = 0;
    hone_status s = HONE_OK;
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 26);
    hone_jw_init(&w, &b, 0);
    hone_jw_list(&w);
    for (size_t i = 0; all[i] && s >= 0; i++) {
        if (n < 63)
            names[n++] = all[i]->id;
        if (rest.n && strcmp(rest.v[0], all[i]->id) != 0)
            continue;
        shown++;
        if (json)
            hone_desc_json(all[i], 1, &w);
        else
            s = iface_text(all[i]);
    }
    hone_jw_end(&w);
    names[n] = NULL;
    if (s >= 0 && !shown) {
        const char *close = hone_closest(rest.v[0], names);
        s = hone_fail(HONE_E_NOT_FOUND, "hone ships no interface \"%s\"", rest.v[0]);
        if (close)
            hone_fail_hint("did you mean \"%s\"?", close);
    }
    if (s >= 0 && json)
        return print_json(&b, HONE_EXIT_OK);
    hone_buf_release(&b);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

/* ---- the verb ---------------------------------------------------------------------------------- */

int hone_cli_plugin(int argc, char **argv)
{
    static const struct {
        const char *name, *summary;
        int (*run)(int argc, char **argv);
    } verbs[] = {
        {"new", "makes a folder for a new component", hone_cli_plugin_new},
        {"list", "what components there are", run_list},
        {"inspect", "one component: its settings, where it comes from, what it asks for",
         run_inspect},
        {"describe", "what a plugin file says of itself; writes its sidecar", run_describe},
        {"interfaces", "the interfaces that hone ships, call by call", run_interfaces},
        {"validate", "tests a plugin, each test in a process of its own", hone_cli_plugin_validate},
        {"keygen", "makes a pair of keys", hone_cli_plugin_keygen},
        {"sign", "signs a plugin file and its sidecar", hone_cli_plugin_sign},
        {"verify", "does the signature hold, and is its key trusted?", hone_cli_plugin_verify},
        {"trust", "trusts a file or a key; shows what is trusted", hone_cli_plugin_trust},
        {"revoke", "trusts a file or a key no longer", hone_cli_plugin_revoke},
        {"pack", "puts a plugin, sidecar and signature into one file", hone_cli_plugin_pack},
        {"install", "unpacks a package after checking its signature", hone_cli_plugin_install},
        {"bench", "what its calls cost, in process, boxed and from Lua", hone_cli_plugin_bench},
        {"try", "what a reward says of a file of samples", hone_cli_plugin_try},
        {"replay", "makes recorded calls again, and says what differs", hone_cli_plugin_replay},
        {"lock", "writes down the hashes that this folder's recipes run with",
         hone_cli_plugin_lock}};
    enum { N = sizeof verbs / sizeof *verbs };
    const char *names[N + 1];
    static const char *const examples[] = {"hone plugin list", "hone plugin inspect math_answer",
                                           "hone plugin new reward my_reward", NULL};
    char about[2048];
    size_t len = 0;
    for (size_t i = 0; i < N; i++) {
        names[i] = verbs[i].name;
        len += (size_t)snprintf(about + len, sizeof about - len, "%s  %-10s  %s", i ? "\n" : "",
                                verbs[i].name, verbs[i].summary);
    }
    names[N] = NULL;
    if (argc < 2)
        return hone_cli_usage("plugin", "what? new, list, inspect, validate, sign, trust, ...");
    for (size_t i = 0; i < N; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "validate-one") == 0) /* a child of validate: not for people */
        return hone_cli_plugin_validate_one(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        const hone_args spec = {"plugin", "PART [arguments]", about, NULL, examples, 0, -1};
        hone_args_help(&spec);
        return HONE_EXIT_OK;
    }
    const char *close = hone_closest(argv[1], names);
    return close ? hone_cli_usage("plugin", "unknown verb \"%s\" (did you mean \"%s\"?)", argv[1],
                                  close)
                 : hone_cli_usage("plugin", "unknown verb \"%s\"", argv[1]);
}
