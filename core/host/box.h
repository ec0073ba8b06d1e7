/* box.h - one box: a hone-box process with a plugin in it, as the host starts, wakes, watches and ends it.
 *
 * Between box_host.c (the process), box_proxy.c (an instance that lives in one) and box_retry.c (what happens to a call
 * whose box died). What a component may do in there is what it asks for and --allow granted (grant.h).
 * (plugin-abi.md 7) */
#ifndef HONE_CORE_HOST_BOX_H
#define HONE_CORE_HOST_BOX_H
#include "sandbox/sandbox.h"
#include "base/arena.h"
#include "base/json.h"
#include "hone/desc.h"
#include "hone/plugin.h"

typedef struct hone__box {
    hone_child child;
    int sock, pipes[2];      /* host's ends: the socket; stdout and stderr */
    unsigned char *in, *out; /* mapped here; `out` read-only */
    int out_fd;              /* to give pages of it back */
    uint32_t seq, messages;
    hone_buf lines[2], incoming; /* unfinished lines; bytes of the socket */
    hone_buf said;               /* the first lines of stderr in this call: why it died */
    char doing[64], stack[512];  /* what hone-box says of a crash: in which call, where; or "" */
    const char *who;             /* for the log */
    const hone_config *redact;   /* or NULL */
    int deaf;                    /* the socket is closed at the other end */
    size_t n_lines;              /* logged during this call */
    uint64_t memory;             /* limit in bytes; 0: none */
    uint64_t cpu_ns;             /* CPU time a call may take; 0: no limit */
    uint64_t cpu_before;         /* CPU time when it was first looked at in this call */
    int status;                  /* as waitpid gives it, once it is dead */
    /* Serves the call-back that is there; < 0: it was none, and the box is ended. Or NULL: there are none. */
    hone_status (*serve)(void *ctx, struct hone__box *b);
    void *serve_ctx;
    uint32_t asked;            /* call-backs so far */
    uint64_t deadline_ns;      /* of the call that runs; 0: none */
    const uint32_t *cancelled; /* likewise, or NULL */
    char broke[256];           /* which rule it broke */
} hone__box;

enum {
    HONE__BOX_ANSWERED = 0,
    HONE__BOX_DIED,   /* by its own doing: a fault, exit */
    HONE__BOX_KILLED, /* by somebody else */
    HONE__BOX_LATE,   /* its deadline passed: it was killed */
    HONE__BOX_GREEDY, /* too much memory or CPU time: it was killed */
    HONE__BOX_BROKE   /* a call-back that is none: it was killed */
};

typedef struct hone__box_spec {
    const char *who, *id; /* texts call it `who`; id "": describe the file only */
    const char *file;     /* path of the plugin, for texts */
    int plugin;           /* sealed copy; stays the caller's */
    hone_sandbox_policy policy;
    const hone_config *cfg;
    uint64_t seed;
    hone_status (*serve)(void *ctx, hone__box *b); /* as in hone__box */
    void *serve_ctx;
} hone__box_spec;

/* How a box ended that did not start. */
typedef struct hone__box_end {
    int own; /* by the plugin's doing: it crashed, or ended the process */
    char what[128], doing[64], stack[512];
} hone__box_end;

/* The limits that every box of a component has; `granted` as hone_registry_granted gives it. Without paths. */
void hone__box_limits(uint64_t granted, hone_sandbox_policy *out);
/* Starts it and waits for its greeting: READY's JSON in *ready. What the plugin said when it failed is the error; E_INTERRUPTED
 * when somebody else killed it meanwhile. *end is filled when it fails. */
hone_status hone__box_start(const hone__box_spec *spec, hone__box *b, hone_buf *ready,
                            hone__box_end *end);
/* Rings and waits: HONE__BOX_ANSWERED ... deadline_ns 0: none. `cancel` (or NULL) is set to 1 at the deadline, 100 ms
 * before it is killed, and when *cancelled (or NULL) is. pin: runs on the caller's processor. */
int hone__box_ring(hone__box *b, uint32_t op, uint32_t offer, uint64_t len, int pin,
                   uint64_t deadline_ns, const uint32_t *cancelled, uint32_t *cancel);
/* Settings as they go into a box; secrets are in the bytes. */
hone_status hone__box_settings(const hone_config *cfg, hone_jw *w);
/* The error that an op other than a call has sent. */
hone_status hone__box_failure(hone__box *b);
/* "killed by signal 11 (Segmentation fault)" and what it last said. */
void hone__box_why(const hone__box *b, int how, hone_buf *out);
/* The box does not hold these bytes of `out` any more: they read as zero. Between calls, or when it waits for an answer. */
void hone__box_give_back(hone__box *b, size_t at, size_t size);
void hone__box_stop(hone__box *b); /* fine on one that did not start, or is dead */

/* ---- texts on both sides: box_text.c --------------------------------------------------------------- */

/* This thread's error as JSON; and such JSON as this thread's error, without "who: " in front, which the caller puts there. */
void hone__box_write_error(hone_buf *out);
hone_status hone__box_read_error(hone_str json, const char *who);

/* Texts that the other side returned and that are good as long as the instance: one copy of each. */
typedef struct hone__texts {
    struct hone__text *head[256];
} hone__texts;
hone_str hone__texts_keep(hone__texts *t, hone_arena *arena, hone_str s); /* NULL: no memory */

struct hone_registry;
/* How hone-box runs a file in Lua, which core/lua knows and this folder does not: the program fills it in. Runs the text (of
 * the file `name`) and gives the registry that its components are in. */
extern hone_status (*hone__box_lua)(hone_str text, const char *name, struct hone_registry **out);

/* ---- hone-box's side of call-backs: box_ask.c ------------------------------------------------------- */

/* Makes what is not in this process come from the host: interfaces by id, components as settings. `bell` tells the host to
 * look, during the greeting, which this begins. */
void hone__ask_init(struct hone_registry *r, unsigned char *in, unsigned char *out,
                    const hone_iface_desc *const *own, void (*bell)(void));
/* An op begins, ends: in between the host listens. */
void hone__ask_begin(void);
void hone__ask_end(void);
#endif
