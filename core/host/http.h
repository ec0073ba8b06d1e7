/* http.h - hone.http/1 of the host, between http.c (the interface), http_loop.c (its thread) and http_tape.c (recordings).
 * See sdk/include/hone/http.h. */
#ifndef HONE_CORE_HOST_HTTP_H
#define HONE_CORE_HOST_HTTP_H
#include "base/buf.h"
#include "base/map.h"
#include "host/http_policy.h"
#include "host/registry.h"

#include <pthread.h>
#include <stdatomic.h>

/* For hone_registry_offer. [control-thread] */
hone_status hone__http_make(void *ctx, hone_instance *inst, hone_ref *out);
/* What an instance had of it. NULL is allowed. [control-thread & !active] */
struct hone__http_link;
typedef struct hone__http hone__http; /* the registry's */
void hone__http_unlink(struct hone__http_link *link);

/* ---- one place, one batch ------------------------------------------------------------------------------ */

/* scheme://host:port as one instance knows it. Touched by the thread of http_loop.c only, but for `next` and `origin`. */
typedef struct hone__http_place {
    struct hone__http_place *next;
    char *origin;
    hone__http_bucket bucket;
    hone__http_breaker breaker;
    uint64_t not_before; /* a server asked for that */
    uint64_t known;      /* its name was looked up last; 0: never */
    uint32_t running;
    int scouting; /* one try looks its name up: the others wait, so that names are looked up by one thread */
} hone__http_place;

typedef struct hone__http_exchange hone__http_exchange;
typedef struct hone__http_run hone__http_run; /* one try of one exchange */

/* A request on its way to a response. */
struct hone__http_exchange {
    hone__http_exchange *next; /* in the list it is in: waiting, or answered */
    struct hone__http_batch *batch;
    hone__http_place *place;
    const hone_http_request *request; /* the caller's */
    char *url, *method;
    struct curl_slist *headers;
    hone__http_run *runs[2]; /* the second one is the hedge */
    size_t index;
    uint32_t tries, attempts, lost;
    int hedged, settled;
    uint64_t begun, at; /* first try; do not try again before */
    char key[65];       /* of the recording; or "" */
    uint64_t occurrence;
    /* the response */
    hone_status status;
    uint32_t code;
    hone_buf body, head; /* head: lines "name: value\n" */
    char why[200];
    uint64_t latency_ns;
};

typedef struct hone__http_batch {
    struct hone__http_batch *next;
    hone_http_policy policy;
    hone__http_exchange *all;
    size_t n, fresh, settled;     /* fresh: the first one that was never tried */
    hone__http_exchange *waiting; /* for another try */
    size_t running;
    uint64_t deadline, sends; /* sends left */
    atomic_int abort;         /* E_CANCELLED, or what the sink said */
    /* under the loop's lock */
    hone__http_exchange *answered, **answered_end;
    pthread_cond_t changed;
    int closed; /* the loop knows it no more */
} hone__http_batch;

/* ---- the thread: http_loop.c ---------------------------------------------------------------------------- */

typedef struct hone__http_loop hone__http_loop;
hone_status hone__http_loop_create(hone__http_loop **out); /* [control-thread] */
void hone__http_loop_destroy(hone__http_loop *l);          /* no batch is there any more */
/* Gives it a batch; the lock of `changed`, `answered`, `closed`. [any-thread] */
void hone__http_loop_add(hone__http_loop *l, hone__http_batch *b);
pthread_mutex_t *hone__http_loop_lock(hone__http_loop *l);
void hone__http_loop_wake(hone__http_loop *l);
void hone__http_exchange_release(hone__http_exchange *x);

/* ---- recordings: http_tape.c ----------------------------------------------------------------------------- */

typedef struct hone__http_tape hone__http_tape;
/* From HONE_HTTP_RECORD or HONE_HTTP_REPLAY; *out is NULL where neither is set. */
hone_status hone__http_tape_open(hone__http_tape **out);
void hone__http_tape_close(hone__http_tape *t);
int hone__http_tape_replays(const hone__http_tape *t);
/* The exchange's key and which of the equal requests it is. In the order of the requests. [any-thread] */
hone_status hone__http_tape_ask(hone__http_tape *t, hone__http_exchange *x);
/* Writes down what was answered; or fills it in, E_NOT_FOUND as its status when it is not there. */
hone_status hone__http_tape_record(hone__http_tape *t, const hone__http_exchange *x);
hone_status hone__http_tape_replay(hone__http_tape *t, hone__http_exchange *x);
/* Every secret of the request (8 characters or more) in `text` replaced by "(secret)". */
hone_status hone__http_redact(const hone_http_request *r, hone_buf *text);
#endif
