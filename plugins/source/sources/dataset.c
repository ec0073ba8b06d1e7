/* dataset.c - the files of a Hugging Face data-set folder that make up one split.
 *
 * The front matter of README.md may name configurations and their files (`configs:`); the part of YAML it is written in
 * - nested lists and maps of plain scalars - is read here, nothing more. Without it the names of files and folders tell
 * the split (train, test, validation, dev ... as a word of its own), and files that name none are train.
 * A folder of datasets.save_to_disk (Arrow files) is refused with a hint.
 * Source: huggingface.co/docs/datasets, "Structure your repository". */
#include "files.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_README = 1 << 20, MAX_ENTRIES = 2000, NAME = 200 };

typedef struct pattern_of { /* a pattern of files of a configuration's split */
    char config[NAME], split[NAME], pattern[PATH_MAX];
} pattern_of;
typedef struct readme {
    pattern_of *v;
    size_t n;
    char dflt[NAME]; /* the configuration marked default: true */
} readme;

/* ---- front matter ----------------------------------------------------------------------------------- */

/* A scalar without its quotes and comment. */
static void read_scalar(const char *p, char *out, size_t n)
{
    size_t len = 0;
    while (*p == ' ')
        p++;
    char quote = *p == '"' || *p == '\'' ? *p++ : 0;
    while (p[len] && p[len] != '\n' && p[len] != '\r' &&
           (quote ? p[len] != quote : !(p[len] == '#' && len && p[len - 1] == ' ')))
        len++;
    while (!quote && len && p[len - 1] == ' ')
        len--;
    if (len >= n)
        len = n - 1;
    memcpy(out, p, len);
    out[len] = 0;
}

static void add_entry(readme *r, const char *config, const char *split, const char *dir,
                      const char *pattern)
{
    pattern_of *e;
    if (r->n == MAX_ENTRIES || !*pattern)
        return;
    e = &r->v[r->n++];
    snprintf(e->config, sizeof e->config, "%s", config);
    snprintf(e->split, sizeof e->split, "%s", *split ? split : "train");
    snprintf(e->pattern, sizeof e->pattern, "%s%s%s", dir, *dir ? "/" : "", pattern);
}

/* "[a, b]" or a scalar. */
static void add_patterns(readme *r, const char *config, const char *split, const char *dir,
                         const char *p)
{
    char one[PATH_MAX];
    while (*p == ' ')
        p++;
    if (*p != '[') {
        read_scalar(p, one, sizeof one);
        add_entry(r, config, split, dir, one);
        return;
    }
    for (p++; *p && *p != ']' && *p != '\n';) {
        size_t n = strcspn(p, ",]\n");
        char piece[PATH_MAX];
        snprintf(piece, sizeof piece, "%.*s", (int)(n < sizeof piece ? n : sizeof piece - 1), p);
        read_scalar(piece, one, sizeof one);
        add_entry(r, config, split, dir, one);
        p += n + (p[n] == ',');
    }
}

static int is_key(const char *p, const char *key, const char **value)
{
    size_t n = strlen(key);
    if (strncmp(p, key, n) != 0 || p[n] != ':')
        return 0;
    *value = p + n + 1;
    return 1;
}

/* Line by line: what a line means depends on the key that stands above it. */
static void read_configs(readme *r, char *matter)
{
    enum { NOWHERE, IN_CONFIGS, IN_FILES, IN_PATHS } where = NOWHERE;
    char config[NAME] = "default", split[NAME] = "", dir[PATH_MAX] = "", key[NAME];
    char *save = NULL;
    for (char *line = strtok_r(matter, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t indent = strspn(line, " ");
        const char *p = line + indent, *v;
        int item = 0;
        if (!*p || *p == '#' || *p == '\r')
            continue;
        if (indent == 0 && *p != '-') {
            where = is_key(p, "configs", &v) ? IN_CONFIGS : NOWHERE;
            continue;
        }
        if (where == NOWHERE)
            continue;
        if (*p == '-' && (p[1] == ' ' || !p[1])) {
            item = 1;
            p += 1 + strspn(p + 1, " ");
        }
        if (is_key(p, "config_name", &v)) {
            read_scalar(v, config, sizeof config);
            where = IN_CONFIGS;
            dir[0] = split[0] = 0;
        } else if (is_key(p, "default", &v)) {
            read_scalar(v, key, sizeof key);
            if (strcmp(key, "true") == 0)
                snprintf(r->dflt, sizeof r->dflt, "%s", config);
        } else if (is_key(p, "data_dir", &v)) {
            read_scalar(v, dir, sizeof dir);
            if (where == IN_CONFIGS)
                add_entry(r, config, "", dir, "**");
        } else if (is_key(p, "data_files", &v)) {
            where = IN_FILES;
            split[0] = 0;
            add_patterns(r, config, split, dir, v);
        } else if (where >= IN_FILES && is_key(p, "split", &v)) {
            read_scalar(v, split, sizeof split);
            where = IN_FILES;
        } else if (where >= IN_FILES && is_key(p, "path", &v)) {
            where = IN_PATHS;
            add_patterns(r, config, split, dir, v);
        } else if (where >= IN_FILES && item) {
            add_patterns(r, config, where == IN_PATHS ? split : "", dir, p);
        } else if (where == IN_FILES && strchr(p, ':')) { /* train: data/train.jsonl */
            size_t n = strcspn(p, ":");
            snprintf(split, sizeof split, "%.*s", (int)(n < NAME ? n : NAME - 1), p);
            where = IN_PATHS;
            add_patterns(r, config, split, dir, p + n + 1);
        }
    }
}

/* The text between the first two lines of --- , or nothing. */
static int read_front_matter(const memory *mem, const char *folder, readme *r)
{
    char path[PATH_MAX], err[200];
    bytes *b;
    size_t n = 0, got = 1;
    if (snprintf(path, sizeof path, "%s/README.md", folder) >= (int)sizeof path ||
        bytes_open(mem, path, &b, err, sizeof err) != 0)
        return 0;
    char *raw = memory_resize(mem, NULL, 0, MAX_README + 2);
    if (!raw) {
        bytes_close(b);
        return ENOMEM;
    }
    raw[0] = '\n';
    while (n < MAX_README && got > 0 &&
           bytes_read(b, raw + 1 + n, MAX_README - n, &got, err, sizeof err) == 0)
        n += got;
    bytes_close(b);
    raw[1 + n] = 0;
    if (strncmp(raw + 1, "---", 3) == 0) {
        char *end = strstr(raw + 4, "\n---");
        if (end) {
            *end = 0;
            read_configs(r, raw + 4);
        }
    }
    memory_resize(mem, raw, MAX_README + 2, 0);
    return 0;
}

/* ---- names ----------------------------------------------------------------------------------------------- */

/* The split that a path names as a word: "data/train-00000-of-1.parquet" -> train. */
static const char *split_of_name(const char *path)
{
    static const struct {
        const char *word, *split;
    } words[] = {{"train", "train"},           {"training", "train"},   {"test", "test"},
                 {"testing", "test"},          {"eval", "test"},        {"evaluation", "test"},
                 {"validation", "validation"}, {"valid", "validation"}, {"dev", "validation"},
                 {"val", "validation"}};
    for (const char *p = path; *p;) {
        size_t n = 0;
        while ((p[n] | 32) >= 'a' && (p[n] | 32) <= 'z')
            n++;
        for (size_t i = 0; n && i < sizeof words / sizeof *words; i++)
            if (strlen(words[i].word) == n && strncasecmp(p, words[i].word, n) == 0)
                return words[i].split;
        p += n + !n;
    }
    return NULL;
}

static int is_data(const part *p)
{
    const char *base = strrchr(p->shown, '/');
    base = base ? base + 1 : p->shown;
    size_t n = strlen(base);
    return p->kind != KIND_UNKNOWN && !(n > 3 && strcmp(base + n - 3, ".md") == 0) &&
           strcmp(base, "dataset_infos.json") != 0 && strcmp(base, "dataset_info.json") != 0 &&
           strcmp(base, "state.json") != 0 && strcmp(base, "dataset_dict.json") != 0 &&
           strncasecmp(base, "license", 7) != 0 && strcmp(base, "requirements.txt") != 0;
}

/* data/train-* matches in one folder; ** goes into folders below. */
static int matches(const char *pattern, const char *name)
{
    if (strncmp(pattern, "./", 2) == 0)
        pattern += 2;
    if (fnmatch(pattern, name, strstr(pattern, "**") ? 0 : FNM_PATHNAME) == 0)
        return 1;
    const char *deep = strstr(pattern, "**/"); /* none below counts, too */
    if (deep) {
        char shorter[PATH_MAX];
        snprintf(shorter, sizeof shorter, "%.*s%s", (int)(deep - pattern), pattern, deep + 3);
        return fnmatch(shorter, name, 0) == 0;
    }
    return 0;
}

/* "a, b, c", each once. */
static void add_word(char *list, size_t size, const char *word)
{
    size_t n = strlen(word), k = strlen(list);
    for (const char *p = list; (p = strstr(p, word)) != NULL; p++)
        if ((p == list || p[-1] == ' ') && (p[n] == ',' || !p[n]))
            return;
    if (k + n + 3 < size)
        snprintf(list + k, size - k, "%s%s", k ? ", " : "", word);
}

static int take_named(const memory *mem, const parts *all, const readme *r, const char *config,
                      const char *split, parts *out, char *seen, size_t seen_size)
{
    int e = 0;
    for (size_t i = 0; i < all->n && !e; i++) {
        int found = 0;
        for (size_t k = 0; k < r->n; k++) {
            if (strcmp(r->v[k].config, config) != 0)
                continue;
            add_word(seen, seen_size, r->v[k].split);
            if (!found && (strcmp(split, "all") == 0 || strcmp(split, r->v[k].split) == 0))
                found = matches(r->v[k].pattern, all->v[i].shown);
        }
        if (found && all->v[i].kind != KIND_UNKNOWN)
            e = parts_add(mem, out, all->v[i].path, all->v[i].shown, all->v[i].kind);
    }
    return e;
}

static int take_by_name(const memory *mem, const parts *all, const char *split, parts *out,
                        char *seen, size_t seen_size)
{
    int e = 0, any = 0;
    for (size_t i = 0; i < all->n; i++)
        any |= is_data(&all->v[i]) && split_of_name(all->v[i].shown) != NULL;
    for (size_t i = 0; i < all->n && !e; i++) {
        const char *s = split_of_name(all->v[i].shown);
        if (!is_data(&all->v[i]) || (any && !s))
            continue;
        s = s ? s : "train";
        add_word(seen, seen_size, s);
        if (strcmp(split, "all") == 0 || strcmp(split, s) == 0)
            e = parts_add(mem, out, all->v[i].path, all->v[i].shown, all->v[i].kind);
    }
    return e;
}

static int choose_config(const readme *r, const char *folder, const char *asked, char *out,
                         char *err, size_t n)
{
    char seen[1000] = "";
    for (size_t i = 0; i < r->n; i++) {
        add_word(seen, sizeof seen, r->v[i].config);
        if (*asked && strcmp(r->v[i].config, asked) == 0) {
            snprintf(out, NAME, "%s", asked);
            return 0;
        }
    }
    if (*asked) {
        snprintf(err, n, "%s: there is no configuration \"%s\"; there are: %s", folder, asked,
                 seen[0] ? seen : "none (README.md names no configs)");
        return EINVAL;
    }
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].config, "default") == 0)
            snprintf(out, NAME, "default");
    if (r->dflt[0])
        snprintf(out, NAME, "%s", r->dflt);
    if (!*out && !strchr(seen, ','))
        snprintf(out, NAME, "%s", r->v[0].config);
    if (*out)
        return 0;
    snprintf(err, n, "%s: several configurations: say which by config: %s", folder, seen);
    return EINVAL;
}

int list_dataset(const memory *mem, const char *folder, const char *config, const char *split,
                 parts *out, char *err, size_t err_size)
{
    parts all = {0};
    readme r = {0};
    char seen[1000] = "", chosen[NAME] = "";
    r.v = memory_resize(mem, NULL, 0, MAX_ENTRIES * sizeof *r.v);
    int e = r.v ? read_front_matter(mem, folder, &r) : ENOMEM;
    if (e)
        snprintf(err, err_size, "%s: out of memory", folder);
    if (!*split)
        split = "train";
    if (!e)
        e = list_folder(mem, folder, "", &all, err, err_size);
    if (!e && (r.n || *config)) {
        e = choose_config(&r, folder, config, chosen, err, err_size);
        if (!e && (e = take_named(mem, &all, &r, chosen, split, out, seen, sizeof seen)) != 0)
            snprintf(err, err_size, "%s: out of memory", folder);
    } else if (!e && (e = take_by_name(mem, &all, split, out, seen, sizeof seen)) != 0) {
        snprintf(err, err_size, "%s: out of memory", folder);
    }
    if (!e && out->n == 0) {
        int arrow = 0;
        for (size_t i = 0; i < all.n; i++) {
            size_t n = strlen(all.v[i].shown);
            arrow |= n > 6 && strcmp(all.v[i].shown + n - 6, ".arrow") == 0;
        }
        e = arrow ? ENOTSUP : EINVAL;
        if (arrow)
            snprintf(err, err_size,
                     "%s: Arrow files of save_to_disk: write them as data/train.parquet "
                     "(load_from_disk(...).to_parquet(...)) and give that folder",
                     folder);
        else if (seen[0])
            snprintf(err, err_size, "%s: no files of split \"%s\"; there are: %s", folder, split,
                     seen);
        else
            snprintf(err, err_size, "%s: no data in it (jsonl, json, csv, tsv, parquet, txt)",
                     folder);
    }
    parts_free(mem, &all);
    memory_resize(mem, r.v, r.v ? MAX_ENTRIES * sizeof *r.v : 0, 0);
    return e;
}
