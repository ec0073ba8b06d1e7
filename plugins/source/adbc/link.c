/* link.c - between the source and the program that holds the driver.
 *
 * The driver is foreign code: it runs in hone-adbc, in a box that may read the driver, the files it was given and the
 * system's, and use the network where that was granted; what comes out are lines, and every row is checked to be one
 * object of JSON before it goes on. A program that dies or falls silent is as good as a lost connection. What a driver
 * says may quote the address it was given: passwords are taken out of it. */
#include "link.h"
#include "check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N_SYSTEM = 5 };
static const char *const system_files[N_SYSTEM] = {"/etc/ssl", "/etc/resolv.conf", "/etc/hosts",
                                                   "/etc/nsswitch.conf", "/etc/gai.conf"};

int link_program(link_to *l)
{
    static const char *const places[] = {"/hone-adbc", "/../hone-adbc", "/../../hone-adbc"};
    char self[PATH_MAX], path[PATH_MAX + 32];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    int e = ENOENT;
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    snprintf(path, sizeof path, "hone-adbc"); /* along PATH */
    for (size_t i = 0; i < 3 && slash; i++) {
        char here[PATH_MAX + 32];
        snprintf(here, sizeof here, "%s%s", self, places[i]);
        if (access(here, X_OK) == 0) {
            memcpy(path, here, sizeof path);
            break;
        }
    }
    l->program.n = 0;
    e = text_add(&l->f->mem, &l->program, path, strlen(path) + 1);
    return e ? feed_fail(l->f, e, "out of memory") : 0;
}

int link_hide(link_to *l, const char *p, size_t n)
{
    int e = n ? text_add(&l->f->mem, &l->hide, p, n) : 0;
    if (!e && n)
        e = text_add(&l->f->mem, &l->hide, "", 1);
    l->n_hidden += !e && n;
    return e;
}

/* What it said, without passwords and control characters. */
static void quote(link_to *l, hone_str s)
{
    size_t at = 0;
    for (size_t i = 0; i < s.len && at + 4 < sizeof l->said;) {
        const char *h = l->hide.p;
        size_t hidden = 0;
        for (size_t k = 0; k < l->n_hidden; k++, h += strlen(h) + 1) {
            size_t n = strlen(h);
            if (n > hidden && n <= s.len - i && memcmp(s.ptr + i, h, n) == 0)
                hidden = n;
        }
        if (hidden) {
            memcpy(l->said + at, "***", 3);
            at += 3;
            i += hidden;
            continue;
        }
        l->said[at++] = (unsigned char)s.ptr[i] < 32 || s.ptr[i] == 127 ? ' ' : s.ptr[i];
        i++;
    }
    while (at && l->said[at - 1] == ' ')
        at--;
    l->said[at] = 0;
}

static hone_process_wait until(const link_to *l)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    hone_process_wait w = {
        sizeof w, 0,
        ((uint64_t)t.tv_sec + (uint64_t)l->timeout_s) * 1000000000u + (uint64_t)t.tv_nsec, NULL};
    return w;
}

/* "F{..}" */
static int said_failure(link_to *l, hone_str line)
{
    const hone_json_v1 *json = l->parser.vt;
    const hone_value *v;
    void *doc;
    int again = 1;
    line.ptr++;
    line.len--;
    snprintf(l->said, sizeof l->said, "hone-adbc said something that is no message");
    if (json->parse(l->parser.self, line, &doc, &v) < 0)
        return LINK_FAILED;
    for (size_t i = 0; v->type == HONE_MAP && i < v->u.map.n; i++) {
        const hone_pair *p = &v->u.map.pairs[i];
        if (p->key.len == 4 && memcmp(p->key.ptr, "text", 4) == 0 && p->value.type == HONE_STRING)
            quote(l, p->value.u.str);
        if (p->key.len == 5 && memcmp(p->key.ptr, "again", 5) == 0 && p->value.type == HONE_BOOL)
            again = p->value.u.boolean != 0;
    }
    json->release(l->parser.self, doc);
    return again ? LINK_AGAIN : LINK_FAILED;
}

/* A line, or what is instead of one. */
static int receive(link_to *l, hone_str *line)
{
    const hone_process_v1 *vt = l->process.vt;
    hone_process_wait w = until(l);
    hone_status s = vt->receive(l->process.self, l->running, &w, line);
    if (s == HONE_E_LIMIT) {
        snprintf(l->said, sizeof l->said, "a row is longer than max_row_bytes");
        return LINK_FAILED;
    }
    if (s < 0) {
        snprintf(l->said, sizeof l->said,
                 s == HONE_E_TIMEOUT ? "nothing came for timeout_s seconds"
                                     : "the program that holds the driver ended");
        return LINK_AGAIN;
    }
    return line->len && line->ptr[0] == 'F' ? said_failure(l, *line) : LINK_ROW;
}

int link_start(link_to *l, hone_str request, hone_str *schema)
{
    const hone_process_v1 *vt = l->process.vt;
    hone_str argv[1] = {hone_str_c(l->program.p)}, read[2 + N_SYSTEM];
    hone_process_spec spec = {
        .struct_size = sizeof spec, .argv = argv, .n_argv = 1, .read = read, .processes = 16};
    read[spec.n_read++] = hone_str_c(l->driver.p);
    if (l->files.p[0])
        read[spec.n_read++] = hone_str_c(l->files.p);
    for (size_t i = 0; i < N_SYSTEM; i++)
        if (access(system_files[i], R_OK) == 0)
            read[spec.n_read++] = hone_str_c(system_files[i]);
    link_stop(l);
    hone_status s = vt->start(l->process.self, &spec, &l->running);
    if (s < 0) {
        l->running = NULL;
        l->said[0] = 0; /* the host has said it */
        return LINK_FAILED;
    }
    hone_process_wait w = until(l);
    if (vt->send(l->process.self, l->running, request, &w) < 0) {
        snprintf(l->said, sizeof l->said, "the program that holds the driver does not start");
        return LINK_AGAIN;
    }
    int got = receive(l, schema);
    if (got != LINK_ROW)
        return got;
    if (!schema->len || schema->ptr[0] != 'S') {
        snprintf(l->said, sizeof l->said, "hone-adbc said something else than the columns");
        return LINK_FAILED;
    }
    schema->ptr++;
    schema->len--;
    return LINK_ROW;
}

int link_next(link_to *l, hone_str *key, hone_str *row)
{
    hone_str line;
    size_t at;
    int got = receive(l, &line);
    if (got != LINK_ROW)
        return got;
    if (line.len == 1 && line.ptr[0] == 'E')
        return LINK_END;
    const char *tab = line.len ? memchr(line.ptr, '\t', line.len) : NULL;
    if (!tab || line.ptr[0] != 'R' ||
        check_row(tab + 1, line.len - (size_t)(tab + 1 - line.ptr), &at) != NULL) {
        snprintf(l->said, sizeof l->said, "hone-adbc said something that is no row");
        return LINK_FAILED;
    }
    *key = (hone_str){line.ptr + 1, (size_t)(tab - line.ptr - 1)};
    *row = (hone_str){tab + 1, line.len - (size_t)(tab + 1 - line.ptr)};
    return LINK_ROW;
}

void link_stop(link_to *l)
{
    if (l->running)
        ((const hone_process_v1 *)l->process.vt)->stop(l->process.self, l->running);
    l->running = NULL;
}

void link_release(link_to *l)
{
    const memory *mem = &l->f->mem;
    text *const texts[] = {&l->program, &l->driver, &l->files, &l->hide};
    link_stop(l);
    if (l->hide.p)
        memset(l->hide.p, 0, l->hide.n);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        text_free(mem, texts[i]);
}
