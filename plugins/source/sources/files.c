/* files.c - from a path to the files that hold rows, and from a file to its kind.
 *
 * A name's ending decides (behind .gz and .zst as well); where it says nothing, or says .json, the first byte that is
 * no white space does: '[' begins an array, anything else is taken for an object a line. */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_FILES = 1000000, MAX_DEPTH = 16 };

static char *copy(const memory *mem, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = memory_resize(mem, NULL, 0, n);
    return p ? memcpy(p, s, n) : NULL;
}

static void drop(const memory *mem, char *s)
{
    if (s)
        memory_resize(mem, s, strlen(s) + 1, 0);
}

void parts_free(const memory *mem, parts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        drop(mem, p->v[i].path);
        drop(mem, p->v[i].shown);
    }
    memory_resize(mem, p->v, p->cap * sizeof *p->v, 0);
    memset(p, 0, sizeof *p);
}

int parts_add(const memory *mem, parts *p, const char *path, const char *shown, kind k)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 16;
        part *v = memory_resize(mem, p->v, p->cap * sizeof *v, cap * sizeof *v);
        if (!v)
            return ENOMEM;
        p->v = v;
        p->cap = cap;
    }
    part *one = &p->v[p->n];
    one->path = copy(mem, path);
    one->shown = copy(mem, shown);
    one->kind = k;
    if (!one->path || !one->shown) {
        drop(mem, one->path);
        drop(mem, one->shown);
        return ENOMEM;
    }
    p->n++;
    return 0;
}

uint64_t parts_fingerprint(const parts *p)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a over the names below the folder */
    for (size_t i = 0; i < p->n; i++)
        for (const char *s = p->v[i].shown;; s++) {
            h = (h ^ (unsigned char)*s) * 1099511628211u;
            if (!*s)
                break;
        }
    return h;
}

/* Does the name end with .ext, possibly with .gz or .zst behind it? */
static int has_ending(const char *path, const char *ext)
{
    static const char *const packed[] = {"", ".gz", ".zst", ".zstd"};
    size_t n = strlen(path), k = strlen(ext);
    for (int i = 0; i < 4; i++) {
        size_t z = strlen(packed[i]);
        if (n > z + k && strcmp(path + n - z, packed[i]) == 0 &&
            strncasecmp(path + n - z - k, ext, k) == 0 && path[n - z - k - 1] == '.')
            return 1;
    }
    return 0;
}

kind kind_of_name(const char *path)
{
    static const struct {
        const char *ext;
        kind kind;
    } endings[] = {{"jsonl", KIND_JSONL}, {"ndjson", KIND_JSONL},   {"csv", KIND_CSV},
                   {"tsv", KIND_TSV},     {"tab", KIND_TSV},        {"txt", KIND_TEXT},
                   {"md", KIND_TEXT},     {"parquet", KIND_DUCKDB}, {"json", KIND_JSON}};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (has_ending(path, endings[i].ext))
            return endings[i].kind;
    return KIND_UNKNOWN;
}

kind kind_of_file(const memory *mem, const char *path)
{
    kind k = kind_of_name(path);
    char err[200], head[512];
    bytes *b;
    size_t got = 0;
    if (k != KIND_UNKNOWN && k != KIND_JSON)
        return k;
    if (bytes_open(mem, path, &b, err, sizeof err) != 0)
        return k;
    k = KIND_JSONL;
    if (bytes_read(b, head, sizeof head, &got, err, sizeof err) == 0) {
        size_t i = got >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        while (i < got && strchr(" \t\r\n", head[i]) && head[i])
            i++;
        if (i < got && head[i] == '[')
            k = KIND_JSON;
        if (got >= 4 && memcmp(head, "PAR1", 4) == 0)
            k = KIND_DUCKDB;
    }
    bytes_close(b);
    return k;
}

int is_sqlite(const memory *mem, const char *path)
{
    char err[200], head[16];
    bytes *b;
    size_t got = 0;
    if (bytes_open(mem, path, &b, err, sizeof err) != 0)
        return 0;
    int e = bytes_read(b, head, sizeof head, &got, err, sizeof err);
    bytes_close(b);
    return e == 0 && got == sizeof head && memcmp(head, "SQLite format 3", sizeof head) == 0;
}

/* ---- folders ------------------------------------------------------------------------------------------ */

static int wanted(const char *name, const char *extensions)
{
    char ext[32];
    if (!*extensions)
        return 1;
    for (const char *p = extensions; *p;) {
        size_t n = strcspn(p, ", ");
        if (n && n < sizeof ext) {
            memcpy(ext, p, n);
            ext[n] = 0;
            if (has_ending(name, ext))
                return 1;
        }
        p += n + strspn(p + n, ", ");
    }
    return 0;
}

static int walk(const memory *mem, const char *folder, size_t root, const char *extensions,
                int depth, parts *out, char *err, size_t n)
{
    char path[PATH_MAX];
    struct dirent *d;
    struct stat st;
    int e = 0;
    DIR *dir = opendir(folder);
    if (!dir) {
        e = errno;
        snprintf(err, n, "%s: %s", folder, strerror(e));
        return e;
    }
    while (!e && (d = readdir(dir)) != NULL) {
        if (d->d_name[0] == '.')
            continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, d->d_name) >= (int)sizeof path) {
            snprintf(err, n, "%s: a name in it is too long", folder);
            e = ENAMETOOLONG;
        } else if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            if (depth == MAX_DEPTH) {
                snprintf(err, n, "%s: folders are nested deeper than %d", path, MAX_DEPTH);
                e = ELOOP;
            } else {
                e = walk(mem, path, root, extensions, depth + 1, out, err, n);
            }
        } else if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && wanted(d->d_name, extensions)) {
            e = out->n < MAX_FILES ? parts_add(mem, out, path, path + root + 1, kind_of_name(path))
                                   : EFBIG;
            if (e)
                snprintf(err, n, "%s: %s", folder,
                         e == EFBIG ? "more than a million files" : "out of memory");
        }
    }
    closedir(dir);
    return e;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const part *)a)->shown, ((const part *)b)->shown);
}

int list_folder(const memory *mem, const char *folder, const char *extensions, parts *out,
                char *err, size_t err_size)
{
    char clean[PATH_MAX];
    size_t n = strlen(folder);
    if (n == 0 || n >= sizeof clean) {
        snprintf(err, err_size, "a folder's name is empty or too long");
        return EINVAL;
    }
    memcpy(clean, folder, n + 1);
    while (n > 1 && clean[n - 1] == '/')
        clean[--n] = 0;
    int e = walk(mem, clean, n, extensions, 0, out, err, err_size);
    if (!e && out->n > 1)
        qsort(out->v, out->n, sizeof *out->v, by_name);
    return e;
}
