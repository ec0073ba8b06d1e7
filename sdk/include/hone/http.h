/* hone/http.h - the network as a plugin sees it: many HTTP requests in, their responses out.
 *
 * The host's interface "hone.http/1", by host->get_iface in create. It is given to instances whose component asks for
 * HONE_CAP_NET and to whom the command line granted it (--allow=NAME:net); E_REFUSED with a hint otherwise. The host does
 * the work on one thread of its own, however many requests are under way, and keeps to the policy of the call: so many at
 * once, so many a second, again after failures that pass, a second try of one that is slow, none at all while a server is
 * down. It verifies certificates, follows no redirect (a 3xx is a response like another), sends no cookies, and caps bodies.
 *
 * A secret stands in a member of its own, so that the host can keep it out of logs, error texts and recordings; what a
 * server echoes of it (8 characters or more) is cut out of bodies and headers. (plugin-abi.md 4, judges.md 4) */
#ifndef HONE_HTTP_H
#define HONE_HTTP_H
#include "hone/plugin.h"
#include "hone/reward.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_HTTP "hone.http/1"

/* "name: value" and the secret behind it: {"Authorization", "Bearer ", key}. In responses the secret is empty. FROZEN */
typedef struct hone_http_header {
    hone_str name, value, secret;
} hone_http_header;

typedef struct hone_http_request {
    hone_str method; /* empty: GET, or POST where there is a body */
    hone_str url;    /* http or https, without user and password */
    const hone_http_header *headers;
    size_t n_headers;
    const uint8_t *body; /* or NULL */
    size_t n_body;
} hone_http_request;

/* How the requests of one call are sent. 0 means what stands behind it. What is counted per place (scheme, host, port) is
 * shared by all calls of the instance. */
typedef struct hone_http_policy {
    uint32_t struct_size;
    uint32_t tries;       /* of a request in all; 5 */
    uint32_t concurrency; /* under way to a place; 64 */
    uint32_t timeout_ms;  /* of one try; 60,000 */
    uint32_t connect_ms;  /* to connect; 10,000 */
    uint32_t
        backoff_ms; /* before the second try, then doubled, each shortened by up to a half at random; 500 */
    uint32_t backoff_max_ms; /* 30,000 */
    uint32_t
        retry_after_max_ms; /* a server that asks for a longer pause is not asked again; 120,000 */
    uint32_t hedge_ms; /* a try that is not answered by then gets a second one beside it; never */
    uint32_t break_after; /* failures in a row until nothing is sent to the place; 20 */
    uint32_t break_ms;    /* for so long; then one try decides; doubled each time; 5,000 */
    uint32_t reserved;
    uint64_t max_body;  /* bytes of a response's body, unpacked; 16 MiB */
    uint64_t max_sends; /* tries of the whole call, hedges and repeats counted; no limit */
    uint64_t seed;      /* of the pauses' random part; 0 is one as well */
    double rate;        /* tries a second to a place; no limit */
    double burst;       /* tries that may come at once; the larger of 1 and rate */
} hone_http_policy;

/* What became of a request. */
typedef struct hone_http_response {
    uint32_t struct_size;
    /* OK: a whole response, whatever its code. E_TIMEOUT: of the last try, or the call's deadline; E_CANCELLED; E_LIMIT: a
     * body longer than max_body, or, with no attempts, max_sends used up before the first; E_NOT_FOUND: not in the recording; E_INVALID: no such request can
     * be sent; E_IO: the rest. */
    int32_t status;
    uint32_t code;     /* 200 ...; 0: no response */
    uint32_t attempts; /* tries that left this machine, hedges counted */
    uint32_t lost;     /* those of them that were not answered: the server may have done the work */
    uint32_t reserved;
    const uint8_t *body;
    size_t n_body;
    const hone_http_header *headers; /* of the last response */
    size_t n_headers;
    hone_str why;        /* the failure as text; empty when OK */
    uint64_t latency_ns; /* from the first try on, pauses counted */
} hone_http_response;

typedef struct hone_http_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    /* The response to request number `request`, as soon as it is known. Once a request, on the thread that called. A
     * failure ends the call with it. [worker-thread & active] */
    hone_status (*put)(const struct hone_http_sink *sink, size_t request,
                       const hone_http_response *response_bor);
} hone_http_sink;

typedef struct hone_http_v1 {
    uint32_t struct_size, reserved;
    /* Sends n requests and waits for all responses; at the deadline, or when `call` is cancelled, those that are missing
     * are put as such. `call` NULL: no deadline but the policy's. `policy` NULL: all defaults. Fails only where nothing was
     * sent (E_INVALID, E_NOMEM) or the sink refused. [any-thread & active] */
    hone_status (*exchange)(void *self, const hone_call *call, const hone_http_policy *policy,
                            const hone_http_request *requests_bor, size_t n, size_t stride,
                            const hone_http_sink *sink);
    /* Adds `add`, modulo 2^64, to one of this instance's HONE_HTTP_COUNTERS counters, all 0 at first, and gives its value.
     * They are the host's: a box that is started again in the middle of a run finds what it had counted. E_RANGE where there
     * is no such counter. Since 0.1.1. [any-thread] */
    hone_status (*count)(void *self, uint32_t counter, uint64_t add, uint64_t *now_out);
} hone_http_v1;
enum { HONE_HTTP_COUNTERS = 8 };

#ifdef __cplusplus
}
#endif
#endif
