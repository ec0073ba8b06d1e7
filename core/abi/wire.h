/* wire.h - a call of any described slot as flat bytes, and back: the one marshaller of the product.
 *
 * The box proxy, record and replay, and whoever else carries calls over a border use it. A slot is prepared once
 * (hone_wire_open: its signature and structs become a plan); then
 *
 *   caller   hone_wire_put      arguments -> bytes of the call
 *   callee   hone_wire_get      bytes -> arguments, ready for libffi      (checked, or trusted: see below)
 *            hone_wire_invoke   calls the function; its sinks append to the result
 *            hone_wire_finish   what it returned and its error text into the result
 *   caller   hone_wire_take     result -> the caller's outputs, its sinks called, the return value
 *
 * The bytes of a call are the C structs themselves. A pointer in them is what the writer was told: `there` + offset,
 * where the other side has the bytes mapped at `there` (host to box: the box uses the structs where they lie, nothing
 * is rebuilt), or the offset alone (`there` 0), which the reader checks and rebuilds into an arena without ever
 * following a pointer of the other side (box to host, and files).
 *
 * The result begins with a part whose layout both sides compute from the call: arrays the callee fills (outcomes,
 * gradients) lie there as it writes them, so what was answered can be read after its death. After it come
 * what sinks were given, appended as offset calls of the sink's slots, then returned structs and texts.
 *
 * Invariants: hone_wire_take and a checked hone_wire_get trust no byte: every offset, count, depth and alignment is
 * checked, texts of hone's own interfaces and of values are made valid UTF-8 as everywhere in hone (U+FFFD for what is
 * not), a score that is not finite becomes the outcome ERROR, counts of the caller's own arrays are never taken from
 * the callee. Does not: wait, wake, retry, map memory; `ctx`, `config` and `stream` arguments cannot travel
 * (E_UNSUPPORTED when opened). (plugin-abi.md 3a, 7) */
#ifndef HONE_CORE_ABI_WIRE_H
#define HONE_CORE_ABI_WIRE_H
#include "abi/desc.h"
#include "base/arena.h"
#include "hone/reward.h"

#include <ffi.h>

/* ---- plans --------------------------------------------------------------------------------------- */

typedef struct hone_wire_slot hone_wire_slot; /* constant once prepared [any-thread] */

/* An interface, prepared. slots[i] belongs to desc->table->slots[i]; NULL: it cannot travel (LOCAL, or takes what
 * cannot). `wants`: members of samples and items that the callee reads (hone_component.wants; NULL = all): texts
 * and arrays that are not in it travel as empty. Checks nothing of the description (hone_desc_check did). */
typedef struct hone_wire {
    const hone_iface_desc *desc;
    hone_wire_slot **slots;
    size_t n;
} hone_wire;
hone_status hone_wire_open(const hone_iface_desc *desc, const char *const *wants, hone_wire **out);
void hone_wire_close(hone_wire *w);
/* The slot of that name, or NULL. */
const hone_wire_slot *hone_wire_find(const hone_wire *w, const char *slot);

const hone_slot *hone_wire_desc(const hone_wire_slot *s);
const hone_sig *hone_wire_sig(const hone_wire_slot *s);
ffi_cif *hone_wire_cif(const hone_wire_slot *s); /* of the slot's function: ffi_call, closures */
/* libffi's type of a scalar HONE_T_* or HONE_A_*; a pointer's for everything else. [any-thread] */
ffi_type *hone_wire_scalar(uint8_t base);
/* Slots of the sink that argument `arg` is, in the order of its description's; n of them. */
const hone_wire_slot *const *hone_wire_sink(const hone_wire_slot *s, size_t arg, size_t *n);

/* A returned value. Integers that are narrower than a register are read from the member of their type. */
typedef union hone_wire_ret {
    ffi_arg raw;
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    hone_str str;
} hone_wire_ret;

/* ---- caller -------------------------------------------------------------------------------------- */

/* Memory and the address at which the reader has it: 0 = offsets. `at` is 16-byte aligned. */
typedef struct hone_wire_place {
    void *at;
    size_t size;
    uint64_t there;
} hone_wire_place;

/* Writes the call number `id`. `args` point at the C arguments, as libffi has them. *len: bytes written; on E_LIMIT
 * (it does not fit) nothing else has changed and *len is what it would have taken at most. *fixed: bytes of
 * the result's part that is there before any sink: the result place must hold more. [any-thread] */
hone_status hone_wire_put(const hone_wire_slot *s, uint64_t id, void *const *args,
                          const hone_wire_place *to, size_t *len, size_t *fixed);
/* The word behind the callee's hone_call.cancelled: store 1 there (atomically) to cancel. */
uint32_t *hone_wire_cancel(void *call_bytes);

typedef struct hone_wire_answer {
    int begun; /* the callee opened the call */
    int done; /* ... and finished it; 0: it died or still runs, outputs have what was written until then */
    size_t
        refused; /* outcomes that were made ERROR: a score not finite, a status that is the host's */
    size_t lost;  /* calls of sinks that found no room in the result */
    size_t bytes; /* of the result */
    hone_status
        bad; /* first failure of one of the caller's sinks, else HONE_OK: counts as the call's result */
    hone_wire_ret ret; /* a returned text lives in the arena */
    hone_error error;  /* the callee's text when `ret` is a failed status */
} hone_wire_answer;
/* Copies the result out of `from` (size bytes, which the callee may still be writing to), checks the copy, fills the
 * caller's outputs, calls its sinks in order. What outputs point at lives in `arena`. E_MISBEHAVED, naming the place, when
 * the bytes are not sound: nothing after that place was delivered. A result of another call is `begun` 0. */
hone_status hone_wire_take(const hone_wire_slot *s, uint64_t id, void *const *args,
                           const void *from, size_t size, hone_arena *arena, hone_wire_answer *out);

/* ---- callee -------------------------------------------------------------------------------------- */

/* A sink's callback that has to be answered before it returns (it has outputs): args as libffi has them, `ret` as
 * wide as ffi_arg. `sink` is the argument of the call that the sink is. */
typedef void (*hone_wire_ask)(void *ctx, const hone_wire_slot *callback, size_t sink,
                              void *const *args, hone_wire_ret *ret);

typedef struct hone_wire_call {
    const hone_wire_slot *slot;
    uint64_t id;
    void *args[HONE_SIG_MAX];
    hone_wire_ret ret;
    hone_wire_ask ask; /* set between get and invoke; NULL: such callbacks return E_UNSUPPORTED */
    void *ask_ctx;
    /* private */
    hone_wire_ret value[HONE_SIG_MAX];
    hone_call record;
    const void *bytes;
    size_t len;
    hone_wire_place result;
    hone_arena *arena;
    size_t end; /* of what is in the result */
    int lock;
} hone_wire_call;

/* Which slot of `w`, and which call: from bytes that nobody has checked. E_MISBEHAVED. */
hone_status hone_wire_peek(const hone_wire *w, const void *bytes, size_t len,
                           const hone_wire_slot **slot, uint64_t *id);
/* Of a call of `s`: which of its callbacks the bytes (of hone_wire_ask's other side) call, on which argument. */
hone_status hone_wire_peek_callback(const hone_wire_slot *s, const void *bytes, size_t len,
                                    const hone_wire_slot **callback, size_t *sink);
/* Makes arguments from the bytes. trusted: pointers are addresses here (the place's `there` was where `bytes` lie) and the
 * structs are used in place, read-only; else offsets, checked. `bytes` and `arena` live until after finish. `self` stands for
 * self and this. The result's fixed part is made; with `result` NULL the slot must have no outputs, and nothing is
 * reported back. */
hone_status hone_wire_get(const hone_wire_slot *s, const void *bytes, size_t len, int trusted,
                          const hone_wire_place *result, hone_arena *arena, void *self,
                          hone_wire_call *call);
void hone_wire_invoke(hone_wire_call *call, void (*fn)(void)); /* fills call->ret */
/* Writes what was returned; `error` (or NULL) goes with a failed status. E_LIMIT: the result does not fit (the caller
 * then sees a call that failed for that reason). */
hone_status hone_wire_finish(hone_wire_call *call, const hone_error *error);

/* ---- a table of C functions that somebody else answers ------------------------------------------- */

/* Called for every call of a stub's table: `self` is the first argument. Fills ret. */
typedef void (*hone_wire_handler)(void *self, const hone_wire_slot *s, void *const *args,
                                  hone_wire_ret *ret);
typedef struct hone_wire_stub hone_wire_stub;
/* A table like desc->table with one closure for each slot that can travel and is present in `like` (a real table, or
 * NULL: all). Slots that cannot travel are NULL. The wire must outlive it. E_UNSUPPORTED with a hint where
 * closures are refused. */
hone_status hone_wire_stub_create(const hone_wire *w, const void *like, hone_wire_handler handler,
                                  hone_wire_stub **out);
const void *hone_wire_stub_table(const hone_wire_stub *stub);
void hone_wire_stub_free(hone_wire_stub *stub);
#endif
