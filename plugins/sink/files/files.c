/* files.c - see files.h. */
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void files_add(files_bytes *b, const void *p, size_t n)
{
    if (b->failed || n > FILES_BYTES_MAX - b->n) {
        b->failed = 1;
        return;
    }
    if (b->n + n > b->cap) {
        size_t cap = b->cap ? b->cap : 1024;
        while (cap < b->n + n)
            cap *= 2;
        char *more = realloc(b->p, cap);
        if (!more) {
            b->failed = 1;
            return;
        }
        b->p = more;
        b->cap = cap;
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

void files_addz(files_bytes *b, const char *z)
{
    files_add(b, z, strlen(z));
}

void files_clear(files_bytes *b)
{
    b->n = 0;
    b->failed = 0;
}

void files_free(files_bytes *b)
{
    free(b->p);
    memset(b, 0, sizeof *b);
}

const hone_value *files_field(const hone_value *fields, const char *key)
{
    const size_t n = strlen(key);
    for (size_t i = 0; fields->type == HONE_MAP && i < fields->u.map.n; i++) {
        const hone_pair *p = &fields->u.map.pairs[i];
        if (p->key.len == n && memcmp(p->key.ptr, key, n) == 0)
            return &p->value;
    }
    return NULL;
}

int files_number(const hone_value *v, double *out)
{
    if (!v || (v->type != HONE_I64 && v->type != HONE_F64))
        return 0;
    *out = v->type == HONE_I64 ? (double)v->u.i64 : v->u.f64;
    return 1;
}

int64_t files_step(const hone_value *fields, const char *key)
{
    double v;
    if (!files_number(files_field(fields, key), &v) || !(v >= 0 && v < 9e15))
        return 0;
    return (int64_t)v;
}

hone_str files_text(const hone_value *fields, const char *key)
{
    const hone_value *v = files_field(fields, key);
    const hone_str none = {"", 0};
    return v && v->type == HONE_STRING ? v->u.str : none;
}

int files_name_ok(hone_str name)
{
    if (name.len == 0 || name.len > 100 || name.ptr[0] == '.')
        return 0;
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.ptr[i];
        if (c == '/' || c < 0x20)
            return 0;
    }
    return 1;
}

char *files_path(hone_str dir, const char *name, const char *leaf)
{
    files_bytes b = {0};
    files_add(&b, dir.ptr, dir.len);
    files_addz(&b, "/");
    files_addz(&b, name);
    files_addz(&b, leaf ? "/" : "");
    files_addz(&b, leaf ? leaf : "");
    files_add(&b, "", 1);
    if (!b.failed)
        return b.p;
    files_free(&b);
    return NULL;
}

hone_status files_fail(const hone_host *host, const char *what, const char *path)
{
    const int e = errno;
    return hone_host_fail(host, HONE_E_IO, "%s %s: %s", what, path ? path : "a file", strerror(e));
}

HONE_DEFINE_PLUGIN(0x000101, &files_tensorboard, &files_csv);
