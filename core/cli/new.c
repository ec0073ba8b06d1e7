/* new.c - `hone new PROJECT` and `hone plugin new KIND NAME`: a folder that builds, tests and runs at once.
 *
 * A new folder is a copy of a folder of sdk/templates with a few words filled in: @name@, @id@, @kind@, @hone@ (this
 * program) and @sdk@; a file called NAME.c becomes NAME with the name given. What is common to all kinds lies in
 * common/ (common-lua/), then what a kind has for every language in KIND/shared/, then KIND/LANGUAGE/; a later
 * file replaces an earlier one of the same name.
 *
 * A folder that is there already is refused: nothing of the user's is ever written over. It is made beside its place
 * and renamed, so that a failure leaves nothing behind. (plugin-abi.md 9) */
#include "cli/new.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/paths.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, NAME_MAX_BYTES = 48, DEPTH_MAX = 8 };

static const char *const kinds[] = {"reward",    "judge", "tokenizer",   "optimizer", "source",
                                    "objective", "model", "environment", NULL};
static const char *const langs[] = {"c", "c++", "lua", NULL};

typedef struct words {
    const char *name, *id, *kind, *hone, *sdk;
} words;

static int one_of(const char *s, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(s, *list) == 0)
            return 1;
    return 0;
}

static const char *article(const char *kind)
{
    return kind[0] == 'o' || kind[0] == 'e' ? "an" : "a";
}

/* Lower-case letters, digits and _, a letter first: it becomes a file, a class, part of an id. */
static hone_status check_name(const char *name)
{
    static const char *const taken[] = {
        "auto",     "break",  "case",    "char",    "class",    "const",    "default", "delete",
        "do",       "double", "else",    "end",     "enum",     "extern",   "float",   "for",
        "goto",     "hone",   "if",      "inline",  "int",      "local",    "long",    "new",
        "nil",      "not",    "or",      "private", "public",   "register", "return",  "short",
        "signed",   "sizeof", "static",  "std",     "struct",   "switch",   "test",    "this",
        "throw",    "try",    "typedef", "union",   "unsigned", "using",    "virtual", "void",
        "volatile", "while",  NULL};
    size_t n = strlen(name), good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (n == 0 || good != n || name[0] < 'a' || name[0] > 'z' || n > NAME_MAX_BYTES) {
        hone_fail(HONE_E_USAGE, "\"%.80s\" is no name for it", name);
        return hone_fail_hint("1 to %d lower-case letters, digits and _, a letter first: my_reward",
                              NAME_MAX_BYTES);
    }
    if (one_of(name, taken)) {
        hone_fail(HONE_E_USAGE, "\"%s\" is a word of the language: it cannot name a class", name);
        return hone_fail_hint("my_%s, for instance", name);
    }
    return HONE_OK;
}

static hone_status fill_in(const char *text, size_t len, const words *w, hone_buf *out)
{
    const struct {
        const char *word, *is;
    } table[] = {{"@name@", w->name},
                 {"@id@", w->id},
                 {"@kind@", w->kind},
                 {"@hone@", w->hone},
                 {"@sdk@", w->sdk}};
    for (size_t i = 0; i < len; i++) {
        size_t k = 0, n = 0;
        for (; text[i] == '@' && k < sizeof table / sizeof *table; k++) {
            n = strlen(table[k].word);
            if (n <= len - i && memcmp(text + i, table[k].word, n) == 0)
                break;
            n = 0;
        }
        if (n) {
            hone_buf_adds(out, table[k].is);
            i += n - 1;
        } else {
            hone_buf_addc(out, text[i]);
        }
    }
    return hone_buf_check(out, "template");
}

static hone_status copy_file(const char *from, const char *to, const words *w)
{
    hone_buf in, out;
    hone_buf_init(&in, FILE_MAX);
    hone_buf_init(&out, 2 * FILE_MAX);
    hone_status s = hone_file_read(from, FILE_MAX, &in);
    if (s >= 0)
        s = fill_in(in.ptr, in.len, w, &out);
    if (s >= 0)
        s = hone_file_replace(to, out.ptr, out.len);
    hone_buf_release(&in);
    hone_buf_release(&out);
    return s;
}

/* "NAME.c" -> "my_reward.c", "gitignore" -> ".gitignore". New string. */
static char *target_name(const char *name, const words *w)
{
    hone_buf b;
    hone_buf_init(&b, 4096);
    if (strcmp(name, "gitignore") == 0)
        hone_buf_adds(&b, ".gitignore");
    else if (strncmp(name, "NAME.", 5) == 0)
        hone_buf_addf(&b, "%s%s", w->name, name + 4);
    else
        hone_buf_adds(&b, name);
    return hone_buf_detach(&b, NULL);
}

static hone_status copy_tree(const char *from, const char *to, const words *w, int depth)
{
    char **names;
    size_t n;
    if (depth > DEPTH_MAX)
        return hone_fail(HONE_E_LIMIT, "%s: folders in folders deeper than %d", from, DEPTH_MAX);
    HONE_TRY(hone_mkdirs(to));
    HONE_TRY(hone_list_dir(from, &names, &n));
    hone_status s = HONE_OK;
    for (size_t i = 0; i < n && s >= 0; i++) {
        char *a = hone_path_join(from, names[i]), *name = target_name(names[i], w);
        char *b = name ? hone_path_join(to, name) : NULL;
        if (!a || !b)
            s = HONE_E_NOMEM;
        else if (hone_file_is_dir(a))
            s = copy_tree(a, b, w, depth + 1);
        else
            s = copy_file(a, b, w);
        hone_free(a);
        hone_free(b);
        hone_free(name);
    }
    hone_names_free(names, n);
    return s;
}

/* The folders of `parts` (below sdk/templates, NULL-terminated; one that is not there is passed over), one after
 * the other, into the new folder `to`. */
static hone_status make_folder(const char *const *parts, const char *to, const words *w)
{
    char *templates = hone_path_join(hone_paths_sdk(), "templates");
    hone_buf tmp;
    hone_status s = templates ? HONE_OK : HONE_E_NOMEM;
    hone_buf_init(&tmp, 8192);
    if (s >= 0 && access(to, F_OK) == 0) {
        s = hone_fail(HONE_E_EXISTS, "%s: is there already", to);
        hone_fail_hint("nothing is written over: choose another name, or remove it");
    }
    if (s >= 0 && !hone_file_is_dir(templates)) {
        s = hone_fail(HONE_E_NOT_FOUND, "%s: the templates are not there", templates);
        hone_fail_hint("hone paths shows where this hone looks; make install puts them there");
    }
    if (s >= 0)
        s = hone_buf_addf(&tmp, "%s.new-%ld", to, (long)getpid());
    for (size_t i = 0; s >= 0 && parts[i]; i++) {
        char *from = hone_path_join(templates, parts[i]);
        if (!from)
            s = HONE_E_NOMEM;
        else if (hone_file_is_dir(from))
            s = copy_tree(from, tmp.ptr, w, 0);
        hone_free(from);
    }
    if (s >= 0 && rename(tmp.ptr, to) != 0)
        s = hone_fail_errno("%s", to);
    if (s < 0 && tmp.len && hone_file_is_dir(tmp.ptr)) {
        const hone_error e = *hone_error_get();
        hone_remove_tree(tmp.ptr);
        hone_error_set(&e);
    }
    hone_buf_release(&tmp);
    hone_free(templates);
    return s;
}

/* The absolute place of the SDK, for the Makefile's last resort. New string. */
static char *absolute(const char *path)
{
    char *real = realpath(path, NULL),
         *out = hone_strndup(real ? real : path, strlen(real ? real : path));
    free(real);
    return out;
}

static hone_status make_with(const char *const *parts, const char *to, const char *name,
                             const char *kind, const char *id)
{
    char *sdk = absolute(hone_paths_sdk());
    if (!sdk)
        return HONE_E_NOMEM;
    const words w = {name, id, kind, hone_paths_program(), sdk};
    hone_status s = make_folder(parts, to, &w);
    hone_free(sdk);
    return s;
}

int hone_cli_plugin_new(int argc, char **argv)
{
    static const char *lang = "c", *id, *dir;
    static const hone_arg options[] = {
        {"lang", HONE_ARG_STR, &lang, "c|c++|lua", "what it is written in (c)"},
        {"id", HONE_ARG_STR, &id, "ID", "its id (com.example.KIND.NAME)"},
        {"dir", HONE_ARG_STR, &dir, "FOLDER", "the new folder (NAME)"},
        {0}};
    static const char *const examples[] = {"hone plugin new reward my_reward",
                                           "hone plugin new source my_source --lang c++", NULL};
    static const hone_args spec = {
        "plugin new",
        "KIND NAME [options]",
        "Makes the folder NAME with a small complete component of that kind, its test and a "
        "recipe:\n"
        "make, make test and make run work at once. KIND is reward, judge, tokenizer, optimizer,\n"
        "source, objective, model, or environment (c and lua).",
        options,
        examples,
        2,
        2};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    const char *kind = rest.v[0], *name = rest.v[1];
    char default_id[128];
    hone_buf own, shared;
    if (!one_of(kind, kinds)) {
        const char *close = hone_closest(kind, kinds);
        return close ? hone_cli_usage("plugin new", "unknown kind \"%s\" (did you mean \"%s\"?)",
                                      kind, close)
                     : hone_cli_usage(
                           "plugin new",
                           "unknown kind \"%s\": a folder can be made for a reward, judge, "
                           "tokenizer, optimizer, source, objective or model, or an environment",
                           kind);
    }
    if (strcmp(kind, "environment") == 0 && strcmp(lang, "c++") == 0)
        return hone_cli_usage("plugin new", "there is no environment in C++: it is a draft, and "
                                            "hone.hpp does not have it (--lang c or lua)");
    if (!one_of(lang, langs))
        return hone_cli_usage("plugin new", "--lang is c, c++ or lua, not \"%s\"", lang);
    hone_status s = check_name(name);
    if (s < 0)
        return hone_cli_fail(s);
    snprintf(default_id, sizeof default_id, "com.example.%s.%s", kind, name);
    if (id && (!strchr(id, '.') || strcmp(strrchr(id, '.') + 1, name) != 0 ||
               strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.") !=
                   strlen(id)))
        return hone_cli_usage("plugin new",
                              "--id %s: wanted is a reverse DNS name that ends in .%s", id, name);
    const int lua = strcmp(lang, "lua") == 0;
    hone_buf_init(&own, 4096);
    hone_buf_init(&shared, 4096);
    hone_buf_addf(&own, "%s/%s", kind, lang);
    hone_buf_addf(&shared, "%s/%s", kind, lua ? "none" : "shared");
    const char *const parts[] = {lua ? "common-lua" : "common", shared.ptr, own.ptr, NULL};
    s = hone_buf_check(&own, "template");
    const char *to = dir ? dir : name;
    if (s >= 0)
        s = make_with(parts, to, name, kind, id ? id : default_id);
    if (s >= 0)
        printf("%s: %s %s, in %s. Next: cd %s && make && make test && make run\n", to,
               article(kind), kind,
               lua                      ? "Lua"
               : strcmp(lang, "c") == 0 ? "C"
                                        : "C++",
               to);
    hone_buf_release(&own);
    hone_buf_release(&shared);
    return s < 0 ? hone_cli_fail(s) : HONE_EXIT_OK;
}

int hone_cli_new(int argc, char **argv)
{
    static const char *const examples[] = {"hone new my_project", NULL};
    static const hone_args spec = {"new",
                                   "PROJECT",
                                   "Makes the folder PROJECT with a recipe, a reward in C, one in "
                                   "Lua, sample data and a README:\n"
                                   "make, make test and make run work at once.",
                                   NULL,
                                   examples,
                                   1,
                                   1};
    hone_rest rest;
    if (!hone_args_parse(&spec, argc, argv, &rest))
        return rest.exit;
    static const char *const parts[] = {"project", NULL};
    const char *to = rest.v[0];
    hone_status s = check_name(hone_path_base(to));
    if (s >= 0)
        s = make_with(parts, to, hone_path_base(to), "project", "");
    if (s < 0)
        return hone_cli_fail(s);
    printf("%s: a project. Next: cd %s && make && make test && make run\n", to, to);
    return HONE_EXIT_OK;
}
