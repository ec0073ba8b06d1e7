/* validate_args.h - arguments for any described slot, made from its description, and what came of a call of it.
 *
 * hone__v_desc_open prepares an interface (the marshaller's plans give signature, call and callbacks of each slot);
 * hone__v_desc_call makes arguments for one slot as a hone__vcase says, calls it, and reads all it gave: outputs,
 * what its sinks were told, what it returned. Everything is a pure function of the case. (validate.h, plugin-abi.md 3a) */
#ifndef HONE_CORE_CLI_VALIDATE_ARGS_H
#define HONE_CORE_CLI_VALIDATE_ARGS_H
#include "abi/wire.h"
#include "cli/validate.h"

/* What is odd in a case. */
enum {
    HONE__VA_TEXT = 1,    /* texts: empty, NUL, broken UTF-8, a megabyte */
    HONE__VA_NUMBERS = 2, /* NaN, infinite, denormal, the largest; integers no enum has */
    HONE__VA_ABSENT = 4,  /* what may be NULL is, by chance */
    HONE__VA_COUNTS = 8   /* every array has a count of its own */
};
typedef struct hone__vcase {
    uint64_t seed;
    size_t n;            /* elements of arrays that an argument counts */
    const size_t *index; /* of a BATCH slot: the items, see hone__vwork; NULL: 0..n-1 */
    unsigned odd;        /* HONE__VA_* */
    int larger, keep;    /* see hone__vwork */
    size_t refuse;       /* from this call of a sink on, it takes no more; 0: never */
    const uint32_t *cancelled;
} hone__vcase;

typedef struct hone__vgot {
    int called; /* 0: the table has no such slot, or its arguments cannot be made */
    hone_status status;
    uint64_t whole;
    size_t sunk; /* calls of sinks */
} hone__vgot;

typedef struct hone__vdesc hone__vdesc;
/* Of an interface that the component provides; NULL: nobody describes it, or it is of hone's own and `own` is 0.
 * Lives until the process ends. */
const hone__vdesc *hone__v_desc_open(hone__v *v, const char *iface, int own);
size_t hone__v_desc_slots(const hone__vdesc *d);
const hone_slot *hone__v_desc_slot(const hone__vdesc *d, size_t slot);
const char *hone__v_desc_id(const hone__vdesc *d);
/* 1: arguments of slot number `slot` can be made from the description alone. */
int hone__v_desc_callable(const hone__vdesc *d, size_t slot);
/* 1: it may also be called in a box. */
int hone__v_desc_travels(const hone__vdesc *d, size_t slot);
/* Is there a function in the table at that slot? */
int hone__v_desc_present(const hone__vdesc *d, size_t slot, const void *vt);
/* The instance's table of it, or NULL. */
const void *hone__v_desc_table(hone__vinst *i, const hone__vdesc *d, void **self);
/* Faults of the plugin are the test's. `digest`: c->n words, what came out for each item of a BATCH slot; or NULL. */
void hone__v_desc_call(hone__v *v, hone__vinst *inst, const hone__vdesc *d, size_t slot,
                       const hone__vcase *c, uint64_t *digest, hone__vgot *got);

/* ---- the making (validate_args.c) ---- */

/* A place the callee may write to: n elements, and what must be as it was between and behind them. */
typedef struct hone__vpiece {
    char *at;
    size_t n, stride, elem, before;
    uint8_t base; /* of an element: HONE_T_* */
    uint8_t item; /* its elements belong to items */
    const hone_struct_desc *of;
    const char *name;
} hone__vpiece;

enum { HONE__V_SINK_SLOTS = 32 };
/* One call under way. */
typedef struct hone__vargs {
    hone__v *v;
    const hone__vcase *c;
    const hone_wire_slot *slot;
    size_t slot_number;
    void *const *callbacks[HONE_SIG_MAX]; /* code of each callback of a sink */
    const char *const *names;             /* of the arguments, for fences */
    hone_arena arena;
    hone__vfence in[HONE_SIG_MAX], more, texts, out;
    void *args[HONE_SIG_MAX], *ptr[HONE_SIG_MAX];
    hone_wire_ret value[HONE_SIG_MAX];
    size_t count[HONE_SIG_MAX]; /* elements of each array, or 1 */
    hone__vpiece *pieces;
    size_t n_pieces, cap_pieces;
    size_t megabytes; /* texts that long so far */
    size_t sunk;
    uint64_t sink_digest[HONE_SIG_MAX][HONE__V_SINK_SLOTS];
    struct hone__vargs *next; /* calls under way */
} hone__vargs;
/* c, v, slot and callbacks are set; `self` is the instance's. */
hone_status hone__v_args_make(hone__vargs *a, void *self);
void hone__v_args_release(hone__vargs *a);
#endif
