/* component_source.c - hone.source/1 for Lua: a table with `next`, and perhaps `position` and `seek`.
 *
 *   hone.component { kind = "source", id = "squares",
 *     next = function() i = i + 1; return i <= 10 and { n = i, square = i * i } or nil end,
 *     position = function() return i end, seek = function(p) i = p or 0 end }
 *
 * Rows have no common type, so they go as whole rows (HONE_SOURCE_ROW): one JSON text a cell, in Arrow
 * batches of one: a generator is asked for a row when it is needed and not before, so it sees the recipe's
 * state as it is then, and its position is always that of the next row. Without position and seek the
 * position is the number of rows, and seeking forward from the start reads and drops. `seek` may return
 * how many rows lie before the place, which messages and random numbers are numbered by.
 *
 * Invariant: arrays own their buffers; a stream does not outlive its instance (source.h).
 * Source: the Arrow C data and stream interfaces; plugin-abi.md section 3. */
#include "hone/source.h"

#include "lua/component_private.h"

#include "base/alloc.h"
#include "base/json.h"

#include <errno.h>
#include <string.h>

enum { BATCH = 1, SKIP = 64, POSITION_MAX = 1 << 20, ROW_MAX = 1 << 28 };

/* ---- calling the functions --------------------------------------------------------------------- */

struct rows {
    hone__lua_instance *self;
    hone_buf *json;   /* texts, one after the other */
    int32_t *offsets; /* n + 1 */
    size_t n, want;
};

static void read_rows(void *arg, lua_State *L, int frame)
{
    struct rows *r = arg;
    hone_arena *arena = &((hone__ffi *)r->self->lc->l->ffi)->frames[frame].arena;
    while (r->n < r->want) {
        hone_value v;
        hone_jw w;
        hone_lua_random_enter(r->self->lc->l, r->self->lc->c.id, 0, r->self->delivered + r->n + 1);
        lua_rawgeti(L, LUA_REGISTRYINDEX, r->self->lc->next);
        lua_call(L, 0, 1);
        if (!lua_toboolean(L, -1)) {
            lua_pop(L, 1);
            return;
        }
        if (lua_type(L, -1) != LUA_TTABLE)
            luaL_error(L, "a row (a table) or nil is expected from next, not a %s",
                       luaL_typename(L, -1));
        hone_lua_check(L, hone_lua_to_value(L, -1, arena, &v));
        lua_pop(L, 1);
        if (v.type != HONE_MAP)
            luaL_error(L, "next returned a list: the columns of a row have names");
        hone_jw_init(&w, r->json, 0);
        hone_jw_value(&w, &v);
        hone_lua_check(L, r->json->failed);
        if (r->json->len > INT32_MAX)
            luaL_error(L, "a batch of rows is larger than 2 GB");
        r->n++;
        r->offsets[r->n] = (int32_t)r->json->len;
    }
}

static void read_position(void *arg, lua_State *L, int frame)
{
    struct rows *r = arg;
    hone_arena *arena = &((hone__ffi *)r->self->lc->l->ffi)->frames[frame].arena;
    hone_value v;
    hone_jw w;
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->self->lc->position);
    lua_call(L, 0, 1);
    hone_lua_check(L, hone_lua_to_value(L, -1, arena, &v));
    hone_jw_init(&w, r->json, 0);
    hone_jw_value(&w, &v);
    hone_lua_check(L, r->json->failed);
}

struct seek {
    hone__lua_instance *self;
    const hone_value *to; /* NULL: the start */
    uint64_t before;      /* rows before it */
};

static void do_seek(void *arg, lua_State *L, int frame)
{
    struct seek *k = arg;
    (void)frame;
    lua_rawgeti(L, LUA_REGISTRYINDEX, k->self->lc->seek);
    if (k->to)
        hone_lua_push_value(L, k->to);
    else
        lua_pushnil(L);
    lua_call(L, 1, 1);
    lua_Integer before = luaL_optinteger(L, -1, 0);
    k->before = before > 0 ? (uint64_t)before : 0;
}

struct count {
    hone__lua_instance *self;
    int64_t n;
};

static void do_row_count(void *arg, lua_State *L, int frame)
{
    struct count *c = arg;
    (void)frame;
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->self->lc->row_count);
    lua_call(L, 0, 1);
    c->n = luaL_optinteger(L, -1, -1);
}

/* ---- Arrow ------------------------------------------------------------------------------------- */

struct batch {
    struct ArrowArray child, *children[1];
    const void *parent_buffers[1], *child_buffers[3];
    int32_t *offsets;
    char *text;
};

static void release_child(struct ArrowArray *a)
{
    a->release = NULL; /* the parent owns the memory */
}

static void release_batch(struct ArrowArray *a)
{
    struct batch *b = a->private_data;
    if (b->child.release)
        b->child.release(&b->child);
    hone_free(b->offsets);
    hone_free(b->text);
    hone_free(b);
    a->release = NULL;
}

static hone_status make_batch(struct rows *r, struct ArrowArray *out)
{
    struct batch *b = hone_calloc(1, sizeof *b);
    if (!b)
        return HONE_E_NOMEM;
    b->text = hone_buf_detach(r->json, NULL);
    if (!b->text) {
        hone_free(b);
        return HONE_E_NOMEM;
    }
    b->offsets = r->offsets;
    r->offsets = NULL;
    b->child_buffers[1] = b->offsets;
    b->child_buffers[2] = b->text;
    b->child = (struct ArrowArray){.length = (int64_t)r->n,
                                   .n_buffers = 3,
                                   .buffers = b->child_buffers,
                                   .release = release_child};
    b->children[0] = &b->child;
    *out = (struct ArrowArray){.length = (int64_t)r->n,
                               .n_buffers = 1,
                               .n_children = 1,
                               .buffers = b->parent_buffers,
                               .children = b->children,
                               .release = release_batch,
                               .private_data = b};
    return HONE_OK;
}

static void release_schema_child(struct ArrowSchema *s)
{
    s->release = NULL;
}

struct schema {
    struct ArrowSchema child, *children[1];
    char metadata[64];
};

static void release_schema(struct ArrowSchema *s)
{
    struct schema *p = s->private_data;
    if (p->child.release)
        p->child.release(&p->child);
    hone_free(p);
    s->release = NULL;
}

static char *put_text(char *p, const char *z)
{
    int32_t n = (int32_t)strlen(z);
    memcpy(p, &n, sizeof n);
    memcpy(p + sizeof n, z, (size_t)n);
    return p + sizeof n + n;
}

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    hone__lua_instance *self = stream->private_data;
    struct schema *s = hone_calloc(1, sizeof *s);
    int32_t pairs = 1;
    if (!s) {
        snprintf(self->error, sizeof self->error, "out of memory");
        return ENOMEM;
    }
    memcpy(s->metadata, &pairs, sizeof pairs);
    put_text(put_text(s->metadata + sizeof pairs, "ARROW:extension:name"), HONE_SOURCE_JSON);
    s->child = (struct ArrowSchema){.format = "u",
                                    .name = HONE_SOURCE_ROW,
                                    .metadata = s->metadata,
                                    .release = release_schema_child};
    s->children[0] = &s->child;
    *out = (struct ArrowSchema){.format = "+s",
                                .name = "",
                                .n_children = 1,
                                .children = s->children,
                                .release = release_schema,
                                .private_data = s};
    return 0;
}

/* Up to `want` rows; self->delivered counts them. */
static hone_status fetch(hone__lua_instance *self, size_t want, struct ArrowArray *out)
{
    hone_buf json;
    struct rows r = {.self = self, .json = &json, .want = want};
    hone_buf_init(&json, ROW_MAX);
    r.offsets = hone_calloc(want + 1, sizeof *r.offsets);
    hone_lua *l = self->lc->l;
    hone_lua_random outer = hone_lua_random_get(l);
    hone_status s = r.offsets ? hone__lua_enter(self->lc, self->host, read_rows, &r, 0, "next")
                              : HONE_E_NOMEM;
    hone_lua_random_set(l, &outer);
    if (s < 0 && r.offsets)
        hone_fail_at("row %llu", (unsigned long long)(self->delivered + r.n + 1));
    if (s >= 0 && out) {
        if (r.n)
            s = make_batch(&r, out);
        else
            out->release = NULL; /* the end */
    }
    if (s >= 0) {
        self->delivered += r.n;
        s = (hone_status)r.n;
    }
    hone_free(r.offsets);
    hone_buf_release(&json);
    return s;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    hone__lua_instance *self = stream->private_data;
    memset(out, 0, sizeof *out);
    hone_status s = fetch(self, BATCH, out);
    if (s >= 0)
        return 0;
    snprintf(self->error, sizeof self->error, "%s", hone_error_get()->what);
    return s == HONE_E_NOMEM ? ENOMEM : EIO;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
    const hone__lua_instance *self = stream->private_data;
    return self->error[0] ? self->error : NULL;
}

static void release_stream(struct ArrowArrayStream *stream)
{
    hone__lua_instance *self = stream->private_data;
    self->stream_open = 0;
    stream->release = NULL;
}

/* ---- hone.source/1 ----------------------------------------------------------------------------- */

static hone_status source_open(void *p, struct ArrowArrayStream *out)
{
    hone__lua_instance *self = p;
    if (self->stream_open)
        return (self->host->fail)(self->host, HONE_E_STATE, hone_str_c("a stream is open already"));
    self->stream_open = 1;
    self->error[0] = 0;
    *out = (struct ArrowArrayStream){.get_schema = get_schema,
                                     .get_next = get_next,
                                     .get_last_error = get_last_error,
                                     .release = release_stream,
                                     .private_data = self};
    return HONE_OK;
}

static hone_status source_position(void *p, const hone_bytes_sink *sink)
{
    hone__lua_instance *self = p;
    hone_buf b;
    struct rows r = {.self = self, .json = &b};
    hone_status s = HONE_OK;
    hone_buf_init(&b, POSITION_MAX);
    if (self->lc->position == LUA_NOREF)
        hone_buf_addf(&b, "%llu", (unsigned long long)self->delivered);
    else
        s = hone__lua_enter(self->lc, self->host, read_position, &r, 0, "position");
    if (s >= 0)
        s = b.failed < 0 ? b.failed : sink->put(sink, b.ptr, b.len);
    hone_buf_release(&b);
    return s;
}

static hone_status skip_rows(hone__lua_instance *self, uint64_t to)
{
    if (to < self->delivered) {
        return (self->host->fail)(
            self->host, HONE_E_UNSUPPORTED,
            hone_str_c("cannot go back: give the source position and seek functions"));
    }
    while (self->delivered < to) {
        uint64_t left = to - self->delivered;
        hone_status n = fetch(self, left < SKIP ? (size_t)left : SKIP, NULL);
        if (n < 0)
            return n;
        if (n == 0)
            return (self->host->fail)(
                self->host, HONE_E_STATE,
                hone_str_c("has fewer rows than when the position was taken"));
    }
    return HONE_OK;
}

static hone_status source_seek(void *p, const void *position, size_t n)
{
    hone__lua_instance *self = p;
    hone_arena arena;
    hone_value v;
    struct seek k = {self, n ? &v : NULL, 0};
    hone_arena_init(&arena, 0);
    hone_status s = n ? hone_json_parse(position, n, "position", &arena, &v) : HONE_OK;
    if (s < 0)
        (self->host->fail)(self->host, s, hone_str_c("the position is not one of this source"));
    else if (self->lc->seek != LUA_NOREF) {
        s = hone__lua_enter(self->lc, self->host, do_seek, &k, 0, "seek");
        if (s >= 0)
            self->delivered = k.before;
    } else if (n && (v.type != HONE_I64 || v.u.i64 < 0))
        s = (self->host->fail)(self->host, HONE_E_STATE,
                               hone_str_c("the position is not one of this source"));
    else
        s = skip_rows(self, n ? (uint64_t)v.u.i64 : 0);
    hone_arena_release(&arena);
    return s;
}

static int64_t source_row_count(void *p)
{
    hone__lua_instance *self = p;
    struct count c = {self, -1};
    if (self->lc->row_count == LUA_NOREF ||
        hone__lua_enter(self->lc, self->host, do_row_count, &c, 0, "row_count") < 0)
        return -1;
    return c.n;
}

const hone_source_v1 hone__lua_source_v1 = {.struct_size = sizeof(hone_source_v1),
                                            .open = source_open,
                                            .position = source_position,
                                            .seek = source_seek,
                                            .row_count = source_row_count};
