/* paths.c - see paths.h.
 *
 * The key idea: the build writes a marker file, hone.tree, that holds the source root; whoever runs
 * from a build folder is recognised by it, so `build/hone` and the tests run in place, and nothing
 * has to be installed or set in the environment. An installed program finds its files from its own
 * place, by the way from bindir to datadir and libdir that configure was given, so a prefix may be
 * moved, or staged with DESTDIR. Everything is worked out once, into fixed buffers,
 * under pthread_once; there is no allocation and no failure. A path too long for its buffer is cut,
 * and then not found by its user. */
#include "base/paths.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = PATH_MAX + 64 };

static struct {
    char program[PATH_ROOM], root[PATH_ROOM], plugins[PATH_ROOM], lib[PATH_ROOM];
    char recipes[PATH_ROOM], rubrics[PATH_ROOM], assets[PATH_ROOM], sdk[PATH_ROOM],
        cache[PATH_ROOM], docs[PATH_ROOM];
    int in_tree;
} paths;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void join(char out[PATH_ROOM], const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (na + nb + 2 > PATH_ROOM) {
        out[0] = 0;
        return;
    }
    memcpy(out, a, na);
    out[na] = '/';
    memcpy(out + na + 1, b, nb + 1);
}

/* Removes the last component; the root stays. */
static void up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash && slash != path)
        *slash = 0;
    else if (slash)
        slash[1] = 0;
}

/* Reads the marker in `dir`; fills paths.root and says 1 when it is there and whole. */
static int read_marker(const char *dir)
{
    char name[PATH_ROOM];
    join(name, dir, "hone.tree");
    FILE *f = fopen(name, "re");
    if (!f)
        return 0;
    size_t n = fread(paths.root, 1, sizeof paths.root - 1, f);
    fclose(f);
    paths.root[n] = 0;
    paths.root[strcspn(paths.root, "\n")] = 0;
    return paths.root[0] == '/';
}

static int ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && strcmp(s + n - m, tail) == 0;
}

/* Where `wanted`, a folder of the configured prefix, lies for a program in `dir`: both sides of the
 * configured bindir are cut where it parts from `wanted`. The configured folder itself when the program
 * does not stand in a folder like bindir, or when nothing is there. */
static void installed(char out[PATH_ROOM], const char *dir, const char *wanted)
{
    static const char bin[] = HONE_BIN_DIR;
    size_t common = 0, n = strlen(dir);
    for (size_t i = 0; bin[i] && bin[i] == wanted[i]; i++)
        if (bin[i] == '/')
            common = i;
    const char *tail = bin + common; /* "/bin" */
    size_t m = strlen(tail);
    if (m > 1 && n >= m && strcmp(dir + n - m, tail) == 0 &&
        n - m + strlen(wanted + common) < PATH_ROOM) {
        memcpy(out, dir, n - m);
        memcpy(out + (n - m), wanted + common, strlen(wanted + common) + 1);
        if (access(out, F_OK) == 0)
            return;
    }
    snprintf(out, PATH_ROOM, "%s", wanted);
}

static void look_up(void)
{
    char dir[PATH_ROOM];
    ssize_t n = readlink("/proc/self/exe", paths.program, sizeof paths.program - 1);
    paths.program[n < 0 ? 0 : n] = 0;
    memcpy(dir, paths.program, sizeof dir);
    up(dir);
    paths.in_tree = read_marker(dir);
    if (!paths.in_tree && (ends_with(dir, "/tests/unit") || ends_with(dir, "/tests/fuzz"))) {
        up(dir);
        up(dir);
        paths.in_tree = read_marker(dir);
    }
    if (paths.in_tree) {
        join(paths.plugins, dir, "plugins");
        join(paths.lib, paths.root, "scripts/lib");
        join(paths.recipes, paths.root, "scripts/recipes");
        join(paths.rubrics, paths.root, "scripts/rubrics");
        join(paths.assets, paths.root, "assets");
        join(paths.sdk, paths.root, "sdk");
        join(paths.docs, paths.root, "docs");
    } else {
        char data[PATH_ROOM];
        installed(paths.plugins, dir, HONE_PLUGIN_DIR);
        installed(data, dir, HONE_DATA_DIR);
        join(paths.lib, data, "lib");
        join(paths.recipes, data, "recipes");
        join(paths.rubrics, data, "rubrics");
        join(paths.assets, data, "assets");
        join(paths.sdk, data, "sdk");
        installed(data, dir, HONE_DOC_DIR);
        join(paths.docs, data, "docs");
    }
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/')
        join(paths.cache, cache, "hone");
    else if (home && home[0] == '/')
        join(paths.cache, home, ".cache/hone");
    else
        snprintf(paths.cache, sizeof paths.cache, "/tmp/hone-cache");
}

#define PATHS_GETTER(name)                                                                         \
    const char *hone_paths_##name(void)                                                            \
    {                                                                                              \
        pthread_once(&once, look_up);                                                              \
        return paths.name;                                                                         \
    }
PATHS_GETTER(plugins)
PATHS_GETTER(lib)
PATHS_GETTER(recipes)
PATHS_GETTER(rubrics)
PATHS_GETTER(assets)
PATHS_GETTER(sdk)
PATHS_GETTER(docs)
PATHS_GETTER(program)
PATHS_GETTER(cache)

const char *hone_paths_source_root(void)
{
    pthread_once(&once, look_up);
    return paths.in_tree ? paths.root : NULL;
}
