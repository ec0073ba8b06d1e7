/* plugin_quarantine.c - `hone plugin quarantine list|show|clear`: files that ended their box again and again.
 *
 * Runs nothing of a plugin. A file is named by its path, by its SHA-256 or the beginning of it, or by the name it is
 * remembered with. (plugin-abi.md 7, 9; abi/quarantine.h) */
#include "abi/quarantine.h"
#include "abi/trust.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/plugin_trust.h"

#include <stdio.h>
#include <string.h>

enum { PREFIX_MIN = 8 };

static void file_json(const hone_quarantined *f, hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "sha256", f->sha256);
    hone_jw_kcstr(w, "path", f->path);
    hone_jw_kcstr(w, "id", f->id);
    hone_jw_ki64(w, "count", f->count);
    hone_jw_kbool(w, "refused", f->count >= HONE_QUARANTINE_AT);
    hone_jw_kcstr(w, "since", f->since);
    hone_jw_key(w, "deaths");
    hone_jw_list(w);
    for (size_t i = 0; i < f->n; i++) {
        const hone_death *d = &f->deaths[i];
        hone_jw_map(w);
        hone_jw_kcstr(w, "when", d->when);
        hone_jw_kcstr(w, "what", d->what);
        hone_jw_kcstr(w, "call", d->call);
        hone_jw_key(w, "sample");
        if (d->sample >= 0)
            hone_jw_i64(w, d->sample);
        else
            hone_jw_null(w);
        hone_jw_kcstr(w, "stack", d->stack);
        hone_jw_end(w);
    }
    hone_jw_end(w);
    hone_jw_end(w);
}

static void list_text(const hone_quarantine *q)
{
    for (size_t i = 0; i < q->n; i++) {
        const hone_quarantined *f = &q->files[i];
        hone_buf last;
        hone_buf_init(&last, 4096);
        hone_death_text(&f->deaths[f->n - 1], &last);
        printf("%s%s  %s\n", i ? "\n" : "", f->count >= HONE_QUARANTINE_AT ? "refused" : "counted",
               f->path);
        printf("  holds    %s\n", f->id);
        printf("  deaths   %lld since %s\n", (long long)f->count, f->since);
        printf("  last     %s\n", last.ptr ? last.ptr : "");
        printf("  sha256   %.16s...\n", f->sha256);
        hone_buf_release(&last);
    }
    if (!q->n)
        printf("nothing: no plugin ended its box twice in the same call\n");
    else
        printf("\nAt %d deaths a file is refused; a new build is another file.\n"
               "hone plugin quarantine show FILE says where it died, clear FILE forgets it.\n",
               HONE_QUARANTINE_AT);
}

/* "my.so+0x12a6(f) libc.so.6+0x3c050": a line each; the first frame of the plugin in *own. */
static void stack_text(const hone_quarantined *f, const char *stack, const char **own, size_t *n)
{
    const char *base = hone_path_base(f->path);
    size_t len = strlen(base), number = 0;
    for (const char *p = stack; *p;) {
        size_t k = strcspn(p, " ");
        if (k)
            printf("    #%zu %.*s\n", number++, (int)k, p);
        if (!*own && k > len + 1 && memcmp(p, base, len) == 0 && p[len] == '+') {
            *own = p + len + 1;
            *n = strcspn(*own, " (");
        }
        p += k;
        p += *p == ' ';
    }
}

static void show_text(const hone_quarantined *f)
{
    const char *own = NULL;
    size_t n = 0;
    printf("%s  (%s)\n", f->path, f->id);
    printf("sha256  %s\n", f->sha256);
    printf("%lld deaths since %s: %s\n", (long long)f->count, f->since,
           f->count >= HONE_QUARANTINE_AT ? "refused" : "counted, not refused yet");
    for (size_t i = 0; i < f->n; i++) {
        hone_buf text;
        hone_buf_init(&text, 4096);
        hone_death_text(&f->deaths[i], &text);
        printf("\n%s  %s\n", f->deaths[i].when, text.ptr ? text.ptr : "");
        stack_text(f, f->deaths[i].stack, &own, &n);
        hone_buf_release(&text);
    }
    printf("\n");
    if (own)
        printf("where that is: addr2line -f -e %s %.*s\n", f->path, (int)n, own);
    printf("look at it:    hone plugin validate %s\n", f->path);
    printf("let it in:     hone plugin quarantine clear %.16s\n", f->sha256);
}

static int ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && strcmp(s + n - m, tail) == 0;
}

/* Does `name` mean this file? sha: of the file at `name`, or "". */
static int meant(const hone_quarantined *f, const char *name, const char *sha)
{
    const char *base = hone_path_base(f->path), *dot = strrchr(f->id, '.');
    size_t n = strlen(name), m = strlen(base);
    if (*sha)
        return strcmp(f->sha256, sha) == 0;
    return (n >= PREFIX_MIN && n <= 64 && strncmp(f->sha256, name, n) == 0) ||
           strcmp(f->path, name) == 0 || strcmp(f->id, name) == 0 ||
           (dot && strcmp(dot + 1, name) == 0) || strcmp(base, name) == 0 ||
           (m == n + 3 && ends_with(base, ".so") && strncmp(base, name, n) == 0);
}

static hone_status find_file(const hone_quarantine *q, const char *name,
                             const hone_quarantined **out)
{
    const hone_quarantined *found = NULL;
    char sha[65] = "";
    if (hone_file_exists(name) && !hone_file_is_dir(name))
        HONE_TRY(hone_sha256_file(name, sha));
    for (size_t i = 0; i < q->n; i++) {
        if (!meant(&q->files[i], name, sha))
            continue;
        if (found) {
            hone_fail(HONE_E_INVALID, "\"%s\" is said of several files: %.16s..., %.16s...", name,
                      found->sha256, q->files[i].sha256);
            return hone_fail_hint("give the first digits of its SHA-256");
        }
        found = &q->files[i];
    }
    if (!found) {
        hone_fail(HONE_E_NOT_FOUND, "%s: nothing is remembered of it%s%.16s%s", name,
                  *sha ? " (SHA-256 " : "", sha, *sha ? "...)" : "");
        return hone_fail_hint(*sha ? "a file that was built again is another file; hone plugin "
                                     "quarantine lists what is remembered"
                                   : "hone plugin quarantine lists what is remembered");
    }
    *out = found;
    return HONE_OK;
}

static hone_status print_json(hone_buf *b)
{
    hone_status s = b->failed;
    if (s >= 0)
        printf("%s\n", b->ptr);
    hone_buf_release(b);
    return s;
}

static hone_status list_or_show(const char *name, int json)
{
    hone_quarantine q;
    const hone_quarantined *f = NULL;
    hone_buf b;
    hone_jw w;
    HONE_TRY(hone_quarantine_open(&q));
    hone_status s = name ? find_file(&q, name, &f) : HONE_OK;
    if (s >= 0 && json) {
        hone_buf_init(&b, 1 << 26);
        hone_jw_init(&w, &b, 0);
        if (f) {
            file_json(f, &w);
        } else {
            hone_jw_map(&w);
            hone_jw_key(&w, "files");
            hone_jw_list(&w);
            for (size_t i = 0; i < q.n; i++)
                file_json(&q.files[i], &w);
            hone_jw_end(&w);
            hone_jw_end(&w);
        }
        s = print_json(&b);
    } else if (s >= 0 && f) {
        show_text(f);
    } else if (s >= 0) {
        list_text(&q);
    }
    hone_quarantine_release(&q);
    return s;
}

static hone_status clear(const char *name, int json)
{
    hone_quarantine q;
    const hone_quarantined *f = NULL;
    char sha[65];
    size_t n = 0;
    if (!name) {
        HONE_TRY(hone_quarantine_clear(NULL, &n));
        printf(json ? "{\"cleared\":\"all\"}\n" : "forgotten: all\n");
        return HONE_OK;
    }
    HONE_TRY(hone_quarantine_open(&q));
    hone_status s = find_file(&q, name, &f);
    if (s >= 0) {
        memcpy(sha, f->sha256, sizeof sha);
        s = hone_quarantine_clear(sha, &n);
    }
    if (s >= 0 && json)
        printf("{\"cleared\":\"%s\"}\n", sha);
    else if (s >= 0)
        printf("forgotten: %s, %lld deaths\n", f->path, (long long)f->count);
    hone_quarantine_release(&q);
    return s;
}

int hone_cli_plugin_quarantine(int argc, char **argv)
{
    static int all, json;
    static const hone_arg options[] = {
        {"all", HONE_ARG_FLAG, &all, NULL, "clear: everything, also a file that cannot be read"},
        {"json", HONE_ARG_FLAG, &json, NULL, "as JSON"},
        {0}};
    static const char *const examples[] = {"hone plugin quarantine",
                                           "hone plugin quarantine show ./my_reward.so",
                                           "hone plugin quarantine clear my_reward", NULL};
    static const hone_args spec = {"plugin quarantine",
                                   "[list | show FILE | clear FILE] [options]",
                                   "Plugins that ended their box: a death that the plugin caused, "
                                   "twice in the same call, counts;\n"
                                   "at three the file is refused. Deaths from outside and "
                                   "deadlines do not count. FILE is a path,\n"
                                   "a SHA-256 or its first digits, or the name of a component.",
                                   options,
                                   examples,
                                   0,
                                   2};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const char *what = rest.n ? rest.v[0] : "list", *name = rest.n > 1 ? rest.v[1] : NULL;
    const int is_list = strcmp(what, "list") == 0, is_show = strcmp(what, "show") == 0,
              is_clear = strcmp(what, "clear") == 0;
    if (!is_list && !is_show && !is_clear)
        return hone_cli_usage("plugin quarantine", "\"%s\"? list, show or clear is wanted", what);
    if (is_list && name)
        return hone_cli_usage("plugin quarantine", "list takes no file; show does");
    if (is_show && !name)
        return hone_cli_usage("plugin quarantine", "show which file?");
    if (is_clear && !name == !all)
        return hone_cli_usage("plugin quarantine", name ? "clear a file or --all, not both"
                                                        : "clear which file? (or --all)");
    if (all && !is_clear)
        return hone_cli_usage("plugin quarantine", "--all belongs to clear");
    hone_status s = is_clear ? clear(name, json) : list_or_show(name, json);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}
