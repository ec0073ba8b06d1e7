/* wire_loop.h - a proxy that carries every call over the wire and back, in one process: what a test calls is an
 * ordinary table, what answers is the real one behind two buffers. */
#ifndef HONE_TESTS_WIRE_LOOP_H
#define HONE_TESTS_WIRE_LOOP_H
#include "support.h"

#include "abi/wire.h"

enum { LOOP_ROOM = 1 << 20 };

typedef struct loop {
    hone_wire *wire;
    hone_wire_stub *stub;
    const void *real; /* the real table */
    void *self;
    int trusted; /* the callee uses the structs in place */
    int dies;    /* the callee dies after the function returned, before it says so */
    size_t call_room, result_room;
    hone_wire_ask ask;
    void *ask_ctx;
    /* what happened */
    size_t call_len, fixed;
    hone_status put, get, take;
    hone_wire_answer answer;
    hone_arena caller, callee;
    void (*spoil)(struct loop *l, char *result); /* between finish and take */
    _Alignas(16) char call[LOOP_ROOM], result[LOOP_ROOM];
} loop;

static void loop_handler(void *self, const hone_wire_slot *s, void *const *args, hone_wire_ret *ret)
{
    static uint64_t ids;
    loop *l = self;
    hone_wire_call c;
    hone_wire_place to = {l->call, l->call_room, l->trusted ? (uint64_t)(uintptr_t)l->call : 0},
                    result = {l->result, l->result_room, 0};
    uint64_t id = ++ids, got = 0;
    const hone_wire_slot *which = NULL;
    memset(&l->answer, 0, sizeof l->answer);
    l->get = l->take = HONE_OK;
    hone_arena_clear(&l->callee);
    ret->i64 = l->put = hone_wire_put(s, id, args, &to, &l->call_len, &l->fixed);
    if (l->put < 0)
        return;
    assert_ok(hone_wire_peek(l->wire, l->call, l->call_len, &which, &got));
    assert_ptr_equal(which, s);
    assert_true(got == id);
    ret->i64 = l->get = hone_wire_get(s, l->call, l->call_len, l->trusted, &result, &l->callee,
                                      l->self, &c);
    if (l->get < 0)
        return;
    void (*fn)(void);
    memcpy(&fn, (const char *)l->real + hone_wire_desc(s)->offset, sizeof fn);
    c.ask = l->ask;
    c.ask_ctx = l->ask_ctx;
    hone_wire_invoke(&c, fn);
    if (!l->dies)
        hone_wire_finish(&c, c.ret.i32 < 0 ? hone_error_get() : NULL);
    if (l->spoil)
        l->spoil(l, l->result);
    ret->i64 = l->take = hone_wire_take(s, id, args, l->result, l->result_room, &l->caller,
                                        &l->answer);
    if (l->take >= 0) {
        *ret = l->answer.ret;
        if (l->answer.error.code < 0)
            hone_error_set(&l->answer.error);
    }
}

/* `real`: a table that offers the interface `d`. */
static loop *loop_open(const hone_iface_desc *d, const char *const *wants, const void *real,
                       void *self)
{
    loop *l = hone_calloc(1, sizeof *l);
    assert_non_null(l);
    l->real = real;
    l->self = self;
    l->call_room = l->result_room = LOOP_ROOM;
    hone_arena_init(&l->caller, 0);
    hone_arena_init(&l->callee, 0);
    assert_ok(hone_wire_open(d, wants, &l->wire));
    assert_ok(hone_wire_stub_create(l->wire, real, loop_handler, &l->stub));
    return l;
}

static void loop_close(loop *l)
{
    hone_wire_stub_free(l->stub);
    hone_wire_close(l->wire);
    hone_arena_release(&l->caller);
    hone_arena_release(&l->callee);
    hone_free(l);
}

/* ---- what tests say ------------------------------------------------------------------------------ */

static hone_str str(const char *z)
{
    return hone_str_c(z);
}
static void assert_str(hone_str s, const char *want)
{
    if (s.len != strlen(want) || memcmp(s.ptr, want, s.len) != 0)
        fail_msg("\"%.*s\" instead of \"%s\"", (int)s.len, s.ptr ? s.ptr : "", want);
}
static char mine[] = "mine"; /* an object that is handed around */
#define BOTH(l) for ((l)->trusted = 0; (l)->trusted < 2; (l)->trusted++)

static const hone_value deep[] = {{.type = HONE_NULL}, {.type = HONE_STRING, .u.str = {"deep", 4}}};
static const hone_pair pairs[] = {{{"n", 1}, {.type = HONE_I64, .u.i64 = -3}},
                                  {{"list", 4}, {.type = HONE_LIST, .u.list = {deep, 2}}}};
#endif
