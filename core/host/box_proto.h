/* box_proto.h - what host and hone-box say to each other. Private to box_*.c.
 *
 * Three ways. A stream socket carries what is rare: greeting, configuration (secrets too), log lines. Two memfds carry
 * calls: `in`, which only the host can write (sealed FUTURE_WRITE: the box's mapping is read-only, the host's structs
 * with pointers for the box's address lie there), and `out`, which the box writes and the host copies before it looks.
 * Each begins with a page of words for waking up: the host counts bell->seq up and wakes the box; the box answers
 * by done->seq = bell->seq, and counts done->event up whenever it wants to be looked at. Neither size ever changes (sealed
 * SHRINK|GROW), so that nobody gets a SIGBUS.
 *
 * A call-back goes the other way while the host waits: the box writes it behind HONE__BOX_ASK_AT of `out`, counts
 * done->asked up, and waits until bell->answered is the same; the answer lies behind HONE__BOX_ANSWER_AT of `in`. One at a
 * time, and only during a call or the greeting: anything else is the end of the box.
 *
 * Everything in `out` and everything that comes over the socket is the word of somebody nobody trusts.
 * Source: plugin-abi.md section 7; memfd_create(2), futex(2). */
#ifndef HONE_CORE_HOST_BOX_PROTO_H
#define HONE_CORE_HOST_BOX_PROTO_H
#include "base/buf.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HONE__BOX_PROTOCOL 2
#define HONE__BOX_HEAD ((size_t)4096)  /* words in front of both memories */
#define HONE__BOX_IN ((size_t)1 << 30) /* sparse: pages that are used cost memory */
#define HONE__BOX_OUT ((size_t)256 << 20)
#define HONE__BOX_ANSWER_AT ((size_t)768 << 20)
#define HONE__BOX_ASK_AT ((size_t)192 << 20)
#define HONE__BOX_CALL_ROOM (HONE__BOX_ANSWER_AT - HONE__BOX_HEAD) /* bytes of a call, a state */
#define HONE__BOX_RESULT_ROOM (HONE__BOX_ASK_AT - HONE__BOX_HEAD)
#define HONE__BOX_ANSWER_ROOM (HONE__BOX_IN - HONE__BOX_ANSWER_AT) /* of call-backs */
#define HONE__BOX_ASK_ROOM (HONE__BOX_OUT - HONE__BOX_ASK_AT)
#define HONE__BOX_LARGE ((size_t)1 << 20) /* from here on pages of `out` are given back */
#define HONE__BOX_MESSAGE_MAX ((size_t)64 << 20)
#define HONE__BOX_OFFERS 16  /* interfaces of an instance */
#define HONE__BOX_REACHED 32 /* interfaces that it reaches in the host */

/* Descriptors of hone-box. */
enum {
    HONE__BOX_FD_SOCKET = 3,
    HONE__BOX_FD_PLUGIN = 4,
    HONE__BOX_FD_IN = 5,
    HONE__BOX_FD_OUT = 6
};

enum {
    HONE__BOX_HELLO = 1,  /* host: JSON, see box_serve.c */
    HONE__BOX_READY = 2,  /* box: JSON */
    HONE__BOX_FAILED = 3, /* box: JSON {code, what, detail, hint} */
    HONE__BOX_LOG = 4,    /* box: one byte of level, the text */
    HONE__BOX_ASK = 5,    /* box, before READY: look at done->asked */
};
typedef struct hone__box_message {
    uint32_t kind, len;
} hone__box_message;

/* What the bell asks for. State and settings lie behind the page of `in`, answers behind that of `out`. */
enum {
    HONE__BOX_OP_CALL = 0,
    HONE__BOX_OP_SAVE = 1, /* hone.state/1: done->status, done->len bytes */
    HONE__BOX_OP_LOAD = 2, /* bell->len bytes */
    HONE__BOX_OP_LIVE = 3, /* bell->len bytes of JSON: all settings, as in the greeting */
    HONE__BOX_OP_OPEN = 4, /* a source's stream (box_source.h): done->status, done->len bytes */
    HONE__BOX_OP_NEXT = 5,
    HONE__BOX_OP_CLOSE = 6
};
/* What a call-back asks for; both of the first are answered by JSON {number, iface, slots, description?}, or by an error's. */
enum {
    HONE__BOX_ASK_IFACE = 1,   /* the host's interface of the id that is in ask_len bytes */
    HONE__BOX_ASK_SETTING = 2, /* the component that setting number ask_number is */
    HONE__BOX_ASK_CALL = 3, /* a call of interface ask_number, as wire.h writes it with offsets */
};
/* First page of `in`. Written by the host before seq. */
typedef struct hone__box_bell {
    _Atomic uint32_t seq;
    uint32_t offer; /* which interface of READY */
    int32_t cpu;    /* where the caller runs, or -1: anywhere */
    uint32_t op;
    uint64_t len; /* bytes of the call, behind the page */
    /* of call-backs */
    _Atomic uint32_t answered;
    int32_t answer; /* status of an interface or a component asked for */
    uint64_t answer_len;
} hone__box_bell;
/* First page of `out`. */
typedef struct hone__box_done {
    _Atomic uint32_t seq;
    _Atomic uint32_t messages; /* sent over the socket so far */
    int32_t status;            /* of all but CALL; a failure has sent FAILED before */
    _Atomic uint32_t event;    /* the host sleeps on it: changes with seq and asked */
    uint64_t len;
    /* of call-backs */
    _Atomic uint32_t asked;
    uint32_t ask_kind, ask_number, reserved;
    uint64_t ask_len;
} hone__box_done;

static inline void hone__box_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}
/* Until *word is not `old`, or the time is over (NULL: none), or for no reason. */
static inline void hone__box_wait(const _Atomic uint32_t *word, uint32_t old,
                                  const struct timespec *timeout)
{
    syscall(SYS_futex, word, FUTEX_WAIT, old, timeout, NULL, 0);
}

/* What hone-box does with "plugin"; gives its exit status. */
int hone__box_main(int policy_fd);
#endif
