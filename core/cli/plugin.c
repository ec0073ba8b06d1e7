/* plugin.c - `hone plugin`: which part of it, and the parts that say what a file or an interface is: describe, interfaces.
 *
 * describe loads the one file it is given and writes its sidecar. (plugin-abi.md 2, 6, 9) */
#include "abi/desc.h"
#include "host/registry.h"
#include "base/alloc.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/bench_plugins.h"
#include "cli/new.h"
#include "cli/out.h"
#include "cli/plugin_list.h"
#include "cli/plugin_trust.h"
#include "cli/validate_verb.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static int json, write_it;

#define JSON                                                                                       \
    {                                                                                              \
        "json", HONE_ARG_FLAG, &json, NULL, "as JSON"                                              \
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
        else
            hone_fail_hint("those that a plugin brings: hone plugin describe FILE.so");
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
        {"list", "what components there are", hone_cli_plugin_list},
        {"inspect", "one component: its settings, where it comes from, what it asks for",
         hone_cli_plugin_inspect},
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
         hone_cli_plugin_lock},
        {"quarantine", "files that ended their box again and again", hone_cli_plugin_quarantine}};
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
