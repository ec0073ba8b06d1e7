/* quarantine.c - see quarantine.h.
 *
 * A change is: take the lock (flock on quarantine.lock beside the file), read, change, replace, let go. Readers take no lock,
 * since the file is replaced whole. At most FILES_MAX files are kept (those that nobody refuses go first) with their
 * last DEATHS_MAX deaths; texts are cut, and control characters, which could play tricks with a terminal, become '?'.
 * Source: plugin-abi.md section 7; flock(2). */
#include "abi/quarantine.h"

#include "abi/loader.h"
#include "abi/trust.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = 8 << 20, FILES_MAX = 500, DEATHS_MAX = 8, TEXT_MAX = 1000 };

/* ---- reading and writing ------------------------------------------------------------------------- */

static hone_status bad(const char *name, const char *key, const char *want)
{
    hone_fail(HONE_E_PARSE, "%s: \"%s\": %s is wanted", name, key, want);
    return hone_fail_hint(
        "it was not written by hone, or was changed since; hone plugin quarantine "
        "clear --all begins again");
}

static hone_status text_of(const hone_value *map, const char *name, const char *key,
                           hone_arena *arena, const char **out)
{
    const hone_value *v = hone_value_get(map, key);
    int fine = v && v->type == HONE_STRING && v->u.str.len <= TEXT_MAX;
    for (size_t i = 0; fine && i < v->u.str.len; i++)
        fine = (unsigned char)v->u.str.ptr[i] >= 32 && v->u.str.ptr[i] != 127;
    if (!fine)
        return bad(name, key, "a text without control characters");
    *out = hone_arena_strndup(arena, v->u.str.ptr, v->u.str.len);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

static hone_status number_of(const hone_value *map, const char *name, const char *key, int64_t low,
                             int64_t *out)
{
    const hone_value *v = hone_value_get(map, key);
    if (!v || v->type != HONE_I64 || v->u.i64 < low)
        return bad(name, key, "a number");
    *out = v->u.i64;
    return HONE_OK;
}

static hone_status list_of(const hone_value *map, const char *name, const char *key, size_t max,
                           const hone_value **out)
{
    const hone_value *v = hone_value_get(map, key);
    if (!v || v->type != HONE_LIST || v->u.list.n > max)
        return bad(name, key, "a list of objects");
    for (size_t i = 0; i < v->u.list.n; i++)
        if (v->u.list.items[i].type != HONE_MAP)
            return bad(name, key, "a list of objects");
    *out = v;
    return HONE_OK;
}

static hone_status death_of(const hone_value *v, const char *name, hone_arena *arena,
                            hone_death *out)
{
    HONE_TRY(text_of(v, name, "when", arena, &out->when));
    HONE_TRY(text_of(v, name, "what", arena, &out->what));
    HONE_TRY(text_of(v, name, "call", arena, &out->call));
    HONE_TRY(text_of(v, name, "stack", arena, &out->stack));
    return number_of(v, name, "sample", -1, &out->sample);
}

static hone_status file_of(const hone_value *v, const char *name, hone_arena *arena,
                           hone_quarantined *out)
{
    const hone_value *deaths;
    HONE_TRY(text_of(v, name, "sha256", arena, &out->sha256));
    if (!hone_is_sha256(out->sha256))
        return bad(name, "sha256", "64 hexadecimal digits");
    HONE_TRY(text_of(v, name, "path", arena, &out->path));
    HONE_TRY(text_of(v, name, "id", arena, &out->id));
    HONE_TRY(text_of(v, name, "since", arena, &out->since));
    HONE_TRY(number_of(v, name, "count", 1, &out->count));
    HONE_TRY(list_of(v, name, "deaths", DEATHS_MAX, &deaths));
    if (deaths->u.list.n == 0 || (uint64_t)out->count < deaths->u.list.n)
        return bad(name, "deaths", "at least one, and no more than \"count\",");
    out->deaths = hone_arena_calloc(arena, deaths->u.list.n, sizeof *out->deaths);
    if (!out->deaths)
        return HONE_E_NOMEM;
    for (; out->n < deaths->u.list.n; out->n++)
        HONE_TRY(death_of(&deaths->u.list.items[out->n], name, arena, &out->deaths[out->n]));
    return HONE_OK;
}

hone_status hone_quarantine_parse(const char *text, size_t n, const char *name, hone_quarantine *q)
{
    hone_value v;
    const hone_value *files;
    hone_status s = n > FILE_MAX ? hone_fail(HONE_E_LIMIT, "%s: larger than 8 MiB", name)
                                 : hone_json_parse(text, n, name, &q->arena, &v);
    if (s < 0) {
        if (s != HONE_E_NOMEM)
            hone_fail_hint("hone plugin quarantine clear --all begins again");
        return s;
    }
    const hone_value *f = v.type == HONE_MAP ? hone_value_get(&v, "format") : NULL;
    if (!f || f->type != HONE_STRING || !hone_str_eq(f->u.str, "hone-quarantine-1"))
        return bad(name, "format", "\"hone-quarantine-1\"");
    HONE_TRY(list_of(&v, name, "files", FILES_MAX, &files));
    hone_quarantined *list = hone_arena_calloc(&q->arena, files->u.list.n + 1, sizeof *list);
    if (!list)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < files->u.list.n; i++) {
        HONE_TRY(file_of(&files->u.list.items[i], name, &q->arena, &list[i]));
        for (size_t k = 0; k < i; k++)
            if (strcmp(list[k].sha256, list[i].sha256) == 0)
                return bad(name, "sha256", "each file once");
    }
    q->files = list;
    q->n = files->u.list.n;
    return HONE_OK;
}

hone_status hone_quarantine_write(const hone_quarantine *q, hone_buf *out)
{
    hone_jw w;
    hone_jw_init(&w, out, 2);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "format", "hone-quarantine-1");
    hone_jw_key(&w, "files");
    hone_jw_list(&w);
    for (size_t i = 0; i < q->n; i++) {
        const hone_quarantined *f = &q->files[i];
        hone_jw_map(&w);
        hone_jw_kcstr(&w, "sha256", f->sha256);
        hone_jw_kcstr(&w, "path", f->path);
        hone_jw_kcstr(&w, "id", f->id);
        hone_jw_kcstr(&w, "since", f->since);
        hone_jw_ki64(&w, "count", f->count);
        hone_jw_key(&w, "deaths");
        hone_jw_list(&w);
        for (size_t k = 0; k < f->n; k++) {
            hone_jw_map(&w);
            hone_jw_kcstr(&w, "when", f->deaths[k].when);
            hone_jw_kcstr(&w, "what", f->deaths[k].what);
            hone_jw_kcstr(&w, "call", f->deaths[k].call);
            hone_jw_ki64(&w, "sample", f->deaths[k].sample);
            hone_jw_kcstr(&w, "stack", f->deaths[k].stack);
            hone_jw_end(&w);
        }
        hone_jw_end(&w);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_buf_addc(out, '\n');
    return out->failed;
}

/* ---- the user's file ----------------------------------------------------------------------------- */

char *hone_quarantine_path(void)
{
    char *trust = hone_trust_path(), *dir = trust ? hone_path_dir(trust) : NULL;
    char *path = dir ? hone_path_join(dir, "quarantine.json") : NULL;
    hone_free(trust);
    hone_free(dir);
    return path;
}

static hone_status read_from(const char *path, hone_quarantine *q)
{
    hone_buf b;
    memset(q, 0, sizeof *q);
    hone_arena_init(&q->arena, 0);
    if (!hone_file_exists(path)) /* nobody died yet */
        return HONE_OK;
    hone_buf_init(&b, FILE_MAX + 1);
    char *dir = hone_path_dir(path);
    hone_status s = dir ? hone__loader_check_owner(dir) : HONE_E_NOMEM;
    if (s >= 0)
        s = hone__loader_check_owner(path);
    if (s >= 0)
        s = hone_file_read(path, FILE_MAX, &b);
    if (s >= 0)
        s = hone_quarantine_parse(b.ptr, b.len, path, q);
    hone_buf_release(&b);
    hone_free(dir);
    if (s < 0)
        hone_quarantine_release(q);
    return s;
}

hone_status hone_quarantine_open(hone_quarantine *q)
{
    char *path = hone_quarantine_path();
    memset(q, 0, sizeof *q);
    hone_arena_init(&q->arena, 0);
    if (!path)
        return HONE_OK;
    hone_arena_release(&q->arena);
    hone_status s = read_from(path, q);
    hone_free(path);
    return s;
}

void hone_quarantine_release(hone_quarantine *q)
{
    hone_arena_release(&q->arena);
    memset(q, 0, sizeof *q);
}

const hone_quarantined *hone_quarantine_find(const hone_quarantine *q, const char *sha256)
{
    for (size_t i = 0; i < q->n; i++)
        if (strcmp(q->files[i].sha256, sha256) == 0)
            return &q->files[i];
    return NULL;
}

/* ---- changing it --------------------------------------------------------------------------------- */

/* Lock held: *fd is closed to let go. *path is a new string. */
static hone_status begin_change(char **path, int *fd)
{
    HONE_TRY(hone_trust_lock("quarantine.lock", fd));
    *path = hone_quarantine_path();
    if (*path)
        return HONE_OK;
    close(*fd);
    return HONE_E_NOMEM;
}

static hone_status replace(const char *path, const hone_quarantine *q)
{
    hone_buf b;
    hone_buf_init(&b, FILE_MAX);
    hone_status s = hone_quarantine_write(q, &b);
    if (s >= 0)
        s = hone_file_replace(path, b.ptr, b.len);
    hone_buf_release(&b);
    return s;
}

/* A text that the reader accepts. */
static const char *clean(hone_arena *arena, const char *text, hone_status *s)
{
    size_t n = text ? strlen(text) : 0;
    char *own = hone_arena_strndup(arena, text ? text : "", n < TEXT_MAX / 3 ? n : TEXT_MAX / 3);
    if (!own) {
        *s = HONE_E_NOMEM;
        return "";
    }
    for (char *p = own; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127)
            *p = '?';
    return own;
}

static void now_text(char out[32])
{
    time_t now = time(NULL);
    struct tm tm;
    memset(&tm, 0, sizeof tm);
    gmtime_r(&now, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Room for one more file: the oldest that is not refused goes, else the oldest. */
static void make_room(hone_quarantine *q)
{
    size_t drop = 0;
    if (q->n < FILES_MAX)
        return;
    for (size_t i = 0; i < q->n; i++)
        if (q->files[i].count < HONE_QUARANTINE_AT) {
            drop = i;
            break;
        }
    memmove(&q->files[drop], &q->files[drop + 1], (q->n - drop - 1) * sizeof *q->files);
    q->n--;
}

static hone_status put(hone_quarantine *q, const char *sha256, const char *path, const char *id,
                       const hone_death *d, int64_t *count)
{
    hone_status s = HONE_OK;
    hone_arena *a = &q->arena;
    hone_quarantined *f = NULL;
    char now[32];
    now_text(now);
    for (size_t i = 0; i < q->n; i++)
        if (strcmp(q->files[i].sha256, sha256) == 0)
            f = &q->files[i];
    if (!f) {
        make_room(q);
        hone_quarantined *more = hone_arena_calloc(a, q->n + 1, sizeof *more);
        if (!more)
            return HONE_E_NOMEM;
        if (q->n)
            memcpy(more, q->files, q->n * sizeof *more);
        q->files = more;
        f = &more[q->n++];
        f->sha256 = clean(a, sha256, &s);
        f->since = clean(a, now, &s);
    }
    f->path = clean(a, path, &s);
    f->id = clean(a, id, &s);
    hone_death *deaths = hone_arena_calloc(a, DEATHS_MAX, sizeof *deaths);
    if (!deaths || s < 0)
        return HONE_E_NOMEM;
    size_t keep = f->n < DEATHS_MAX ? f->n : DEATHS_MAX - 1;
    if (keep)
        memcpy(deaths, f->deaths + (f->n - keep), keep * sizeof *deaths);
    deaths[keep] = (hone_death){clean(a, now, &s), clean(a, d->what, &s), clean(a, d->call, &s),
                                clean(a, d->stack, &s), d->sample};
    f->deaths = deaths;
    f->n = keep + 1;
    f->count += f->count < INT64_MAX;
    *count = f->count;
    return s;
}

hone_status hone_quarantine_add(const char *sha256, const char *path, const char *id,
                                const hone_death *d, int64_t *count)
{
    char *at;
    int fd;
    int64_t now = 0;
    hone_quarantine q;
    HONE_TRY(begin_change(&at, &fd));
    hone_status s = read_from(at, &q);
    if (s >= 0) {
        s = put(&q, sha256, path, id, d, &now);
        if (s >= 0)
            s = replace(at, &q);
        hone_quarantine_release(&q);
    }
    close(fd);
    hone_free(at);
    if (s >= 0 && count)
        *count = now;
    return s;
}

hone_status hone_quarantine_clear(const char *sha256, size_t *n)
{
    char *at;
    int fd;
    size_t left = 0, gone = 0;
    hone_quarantine q;
    HONE_TRY(begin_change(&at, &fd));
    hone_status s = HONE_OK;
    if (!sha256) {
        memset(&q, 0, sizeof q);
        hone_arena_init(&q.arena, 0);
    } else {
        s = read_from(at, &q);
    }
    if (s >= 0) {
        for (size_t i = 0; i < q.n; i++)
            if (strcmp(q.files[i].sha256, sha256) == 0)
                gone++;
            else
                q.files[left++] = q.files[i];
        q.n = left;
        if (gone || !sha256)
            s = replace(at, &q);
        hone_quarantine_release(&q);
    }
    close(fd);
    hone_free(at);
    if (s >= 0)
        *n = gone;
    return s;
}

/* ---- the refusal --------------------------------------------------------------------------------- */

hone_status hone_death_text(const hone_death *d, hone_buf *out)
{
    hone_buf_addf(out, "%s in %s", d->what, d->call);
    if (d->sample >= 0)
        hone_buf_addf(out, ", sample %lld", (long long)d->sample);
    return out->failed;
}

hone_status hone_quarantine_judge(const hone_quarantine *q, const char *name, const char *sha256,
                                  int describing)
{
    const hone_quarantined *f = hone_quarantine_find(q, sha256);
    hone_buf last;
    int loading = 0;
    if (!f || f->count < HONE_QUARANTINE_AT)
        return HONE_OK;
    for (size_t i = 0; i < f->n; i++)
        loading |= strcmp(f->deaths[i].call, HONE_QUARANTINE_LOADING) == 0;
    if (describing && !loading)
        return HONE_OK;
    hone_buf_init(&last, 4096);
    hone_death_text(&f->deaths[f->n - 1], &last);
    hone_fail(HONE_E_REFUSED, "%s: in quarantine: it ended its box %lld times since %s", name,
              (long long)f->count, f->since);
    hone_fail_detail("the last time %s: %s", f->deaths[f->n - 1].when, last.ptr ? last.ptr : "");
    hone_buf_release(&last);
    return hone_fail_hint("hone plugin quarantine show %s says where; a new build is another file; "
                          "hone plugin quarantine clear %s lets this one in again",
                          name, name);
}
