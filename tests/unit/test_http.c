/* test_http.c - hone.http/1 against a listener of the test's own: what ends a call early, what is refused, memory that runs out.
 * How it behaves towards a server that fails is tests/integration/http_requests.py's. */
#include "support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "hone/http.h"
#include "host/grant.h"
#include "host/registry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

/* ---- a listener: it answers "ok" to each connection, or takes the request and says nothing ------------------------- */

static struct {
    int fd, port, silent, asked;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} listener = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *serve(void *ctx)
{
    static const char ok[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nX-A: b\r\n\r\nok";
    int held[64], n = 0;
    (void)ctx;
    for (;;) {
        int c = accept(listener.fd, NULL, NULL);
        char text[4096];
        if (c < 0)
            break;
        ssize_t got = recv(c, text, sizeof text, 0);
        pthread_mutex_lock(&listener.lock);
        const int silent = listener.silent && n < 64;
        listener.asked += got > 0;
        pthread_cond_broadcast(&listener.changed);
        pthread_mutex_unlock(&listener.lock);
        if (silent) {
            held[n++] = c;
            continue;
        }
        if (got > 0 && send(c, ok, sizeof ok - 1, MSG_NOSIGNAL) < 0)
            perror("send");
        shutdown(c, SHUT_WR);
        while (recv(c, text, sizeof text, 0) > 0)
            ;
        close(c);
    }
    while (n)
        close(held[--n]);
    return NULL;
}

static int listen_up(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    (void)state;
    listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener.fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener.fd, 64), 0);
    assert_int_equal(getsockname(listener.fd, (struct sockaddr *)&a, &n), 0);
    listener.port = ntohs(a.sin_port);
    return pthread_create(&listener.thread, NULL, serve, NULL);
}

static int listen_down(void **state)
{
    (void)state;
    shutdown(listener.fd, SHUT_RDWR);
    pthread_join(listener.thread, NULL);
    close(listener.fd);
    return 0;
}

static void set_silent(int yes)
{
    pthread_mutex_lock(&listener.lock);
    listener.silent = yes;
    listener.asked = 0;
    pthread_mutex_unlock(&listener.lock);
}

/* From here on. Connections that an earlier test gave up may still wait to be accepted: one of our own, behind them, is waited
 * for before counting begins. */
static void be_silent(int yes)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)listener.port)};
    char text[256];
    set_silent(0);
    const int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(send(c, "x", 1, MSG_NOSIGNAL), 1);
    shutdown(c, SHUT_WR);
    while (recv(c, text, sizeof text, 0) > 0)
        ;
    close(c);
    set_silent(yes);
}

static int asked(void)
{
    pthread_mutex_lock(&listener.lock);
    int n = listener.asked;
    pthread_mutex_unlock(&listener.lock);
    return n;
}

/* ---- an instance that has it ---------------------------------------------------------------------------------------- */

static hone_ref http;
static const hone_host *of;

static hone_status create(const hone_host *host, const hone_config *cfg, void **out)
{
    (void)cfg;
    *out = &http;
    of = host;
    return host->get_iface(host, HONE_IFACE_HTTP, &http);
}
static void destroy(void *self)
{
    (void)self;
}
static const void *get_iface(void *self, const char *id)
{
    (void)self;
    (void)id;
    return NULL;
}

typedef struct session {
    hone_registry *reg;
    hone_instance *inst;
    hone_component c;
} session;

static hone_status try_open(session *s, uint64_t caps, const char *const *allow)
{
    static const char *const provides[] = {"hone.reward/1", NULL};
    const char *paths[] = {NULL};
    const hone_registry_opts o = {.paths = paths, .only_paths = 1};
    const hone_component_info *info;
    memset(s, 0, sizeof *s);
    HONE_TRY(hone_registry_open(&o, &s->reg));
    s->c = (hone_component){.struct_size = sizeof s->c,
                            .id = "org.test.reward.asker",
                            .kind = HONE_KIND_REWARD,
                            .version = "1.0.0",
                            .caps = caps,
                            .provides = provides,
                            .create = create,
                            .destroy = destroy,
                            .get_iface = get_iface};
    HONE_TRY(hone_registry_add(s->reg, &s->c, &info));
    HONE_TRY(hone_registry_allow(s->reg, allow));
    return hone_instance_create_info(s->reg, info, NULL, &s->inst);
}

static void close_session(session *s)
{
    hone_instance_unref(s->inst);
    hone_registry_close(s->reg);
}

static const char *const granted[] = {"asker:net", NULL};
static session open_session(void)
{
    session s;
    assert_ok(try_open(&s, HONE_CAP_NET, granted));
    return s;
}

/* ---- calls -------------------------------------------------------------------------------------------------------------- */

enum { MOST = 16 };
typedef struct taken {
    hone_http_sink sink;
    hone_http_response r[MOST];
    char body[MOST][32], why[MOST][200];
    int n[MOST];
    hone_status refuse;
} taken;

static hone_status put(const hone_http_sink *sink, size_t i, const hone_http_response *r)
{
    taken *t = sink->ctx;
    assert_true(i < MOST);
    t->n[i]++;
    t->r[i] = *r;
    snprintf(t->body[i], sizeof t->body[i], "%.*s", (int)r->n_body,
             r->n_body ? (const char *)r->body : "");
    snprintf(t->why[i], sizeof t->why[i], "%.*s", (int)r->why.len, r->why.len ? r->why.ptr : "");
    return t->refuse;
}

static hone_status ask(taken *t, const hone_call *call, const hone_http_policy *p, const char *path,
                       size_t n)
{
    const hone_http_v1 *vt = http.vt;
    hone_http_request q[MOST];
    char url[200];
    const hone_http_header h = {{"Authorization", 13}, {"Bearer ", 7}, {"sk-0123456789", 13}};
    const hone_status refuse = t->refuse;
    memset(t, 0, sizeof *t);
    t->refuse = refuse;
    t->sink = (hone_http_sink){sizeof t->sink, 0, t, put};
    memset(q, 0, sizeof q);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", listener.port, path);
    for (size_t i = 0; i < n; i++) {
        q[i].url = hone_str_c(url);
        q[i].headers = &h;
        q[i].n_headers = 1;
        q[i].body = (const uint8_t *)"{}";
        q[i].n_body = 2;
    }
    return vt->exchange(http.self, call, p, q, n, sizeof *q, &t->sink);
}

static const hone_http_policy once = {.struct_size = sizeof once, .tries = 1};

static void test_without_net_it_is_refused(void **state)
{
    (void)state;
    session s;
    static const char *const none[] = {NULL}, *const other[] = {"asker:exec", NULL};
    assert_int_equal(try_open(&s, HONE_CAP_NET, none), HONE_E_REFUSED);
    assert_non_null(strstr(hone_error_get()->hint, "--allow=asker:net"));
    close_session(&s);
    assert_int_equal(try_open(&s, HONE_CAP_NET, other), HONE_E_REFUSED);
    close_session(&s);
    assert_int_equal(try_open(&s, HONE_CAP_EXEC, granted), HONE_E_REFUSED);
    close_session(&s);
}

static void test_requests_are_answered_once_each(void **state)
{
    (void)state;
    session s = open_session();
    taken t = {.refuse = HONE_OK};
    be_silent(0);
    for (int round = 0; round < 3; round++) {
        assert_ok(ask(&t, NULL, round ? &once : NULL, "/x", MOST));
        for (size_t i = 0; i < MOST; i++) {
            assert_int_equal(t.n[i], 1);
            assert_int_equal(t.r[i].status, HONE_OK);
            assert_int_equal(t.r[i].code, 200);
            assert_int_equal(t.r[i].n_headers, 3);
            assert_string_equal(t.body[i], "ok");
        }
    }
    assert_ok(ask(&t, NULL, NULL, "/x", 0));
    close_session(&s);
}

static void test_a_deadline_ends_what_is_under_way(void **state)
{
    (void)state;
    session s = open_session();
    taken t = {.refuse = HONE_OK};
    hone_call call = {.struct_size = sizeof call, .deadline_ns = hone_now_ns() + 50000000};
    be_silent(1);
    assert_ok(ask(&t, &call, &once, "/x", 3));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(t.n[i], 1);
        assert_int_equal(t.r[i].status, HONE_E_TIMEOUT);
    }
    call.deadline_ns = 1; /* long past: nothing is sent */
    be_silent(1);
    assert_ok(ask(&t, &call, &once, "/x", 3));
    assert_int_equal(t.r[2].status, HONE_E_TIMEOUT);
    assert_int_equal(t.r[2].attempts, 0);
    assert_int_equal(asked(), 0);
    close_session(&s);
}

static uint32_t cancelled;
static void *cancel_when_asked(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&listener.lock);
    while (listener.asked < 2)
        pthread_cond_wait(&listener.changed, &listener.lock);
    pthread_mutex_unlock(&listener.lock);
    __atomic_store_n(&cancelled, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void test_cancelling_ends_what_is_under_way(void **state)
{
    (void)state;
    session s = open_session();
    taken t = {.refuse = HONE_OK};
    const hone_call call = {.struct_size = sizeof call, .cancelled = &cancelled};
    pthread_t other;
    be_silent(1);
    assert_int_equal(pthread_create(&other, NULL, cancel_when_asked, NULL), 0);
    assert_ok(ask(&t, &call, &once, "/x", 2));
    pthread_join(other, NULL);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(t.r[i].status, HONE_E_CANCELLED);
        assert_int_equal(t.r[i].attempts, 1);
        assert_int_equal(t.r[i].lost, 1);
    }
    close_session(&s);
}

static void test_a_sink_that_refuses_ends_the_call(void **state)
{
    (void)state;
    session s = open_session();
    taken t = {.refuse = HONE_E_NO_SPACE};
    size_t n = 0;
    be_silent(0);
    assert_int_equal(ask(&t, NULL, &once, "/x", MOST), HONE_E_NO_SPACE);
    for (size_t i = 0; i < MOST; i++)
        n += (size_t)t.n[i];
    assert_int_equal(n, 1);
    close_session(&s);
}

static void test_counters_are_the_instances(void **state)
{
    (void)state;
    session s = open_session();
    const hone_http_v1 *vt = http.vt;
    uint64_t now = 77;
    assert_ok(vt->count(http.self, 7, 40, &now));
    assert_int_equal(now, 40);
    assert_ok(vt->count(http.self, 7, (uint64_t)0 - 39, &now)); /* modulo 2^64 */
    assert_int_equal(now, 1);
    assert_ok(vt->count(http.self, 0, 0, &now));
    assert_int_equal(now, 0);
    now = 77;
    assert_int_equal(vt->count(http.self, HONE_HTTP_COUNTERS, 1, &now), HONE_E_RANGE);
    assert_int_equal(now, 77);
    close_session(&s);
    s = open_session(); /* another instance */
    assert_ok(((const hone_http_v1 *)http.vt)->count(http.self, 7, 0, &now));
    assert_int_equal(now, 0);
    close_session(&s);
}

static void test_what_cannot_be_sent(void **state)
{
    (void)state;
    session s = open_session();
    const hone_http_v1 *vt = http.vt;
    taken t;
    static const hone_http_header bad[] = {{{"A b", 3}, {"x", 1}, {NULL, 0}},
                                           {{"", 0}, {"x", 1}, {NULL, 0}},
                                           {{"A", 1}, {"x\r\nB: c", 7}, {NULL, 0}},
                                           {{"A", 1}, {"x", 1}, {"k\n", 2}},
                                           {{"A", 1}, {"x\0y", 3}, {NULL, 0}},
                                           {{"Content-Length", 14}, {"9", 1}, {NULL, 0}},
                                           {{"transfer-encoding", 17}, {"chunked", 7}, {NULL, 0}}};
    be_silent(0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hone_http_request q = {
            .url = hone_str_c("http://127.0.0.1:1/"), .headers = &bad[i], .n_headers = 1};
        memset(&t, 0, sizeof t);
        t.sink = (hone_http_sink){sizeof t.sink, 0, &t, put};
        assert_ok(vt->exchange(http.self, NULL, &once, &q, 1, sizeof q, &t.sink));
        assert_int_equal(t.n[0], 1);
        assert_int_equal(t.r[0].status, HONE_E_INVALID);
    }
    hone_http_request q = {.url = hone_str_c("http://127.0.0.1:1/"), .n_headers = 3};
    assert_ok(vt->exchange(http.self, NULL, &once, &q, 1, sizeof q, &t.sink));
    assert_int_equal(t.r[0].status, HONE_E_INVALID);
    assert_int_equal(vt->exchange(http.self, NULL, NULL, NULL, 1, sizeof q, &t.sink),
                     HONE_E_INVALID);
    assert_int_equal(vt->exchange(http.self, NULL, NULL, &q, 1, 8, &t.sink), HONE_E_INVALID);
    assert_int_equal(vt->exchange(http.self, NULL, NULL, &q, 1, sizeof q, NULL), HONE_E_INVALID);
    assert_int_equal(asked(), 0);
    close_session(&s);
}

/* Every allocation of a call fails once: it fails as a whole, or some responses say so, and nothing is left behind. */
static void no_memory(void)
{
    size_t blocks, after, bytes;
    hone_alloc_stats(&blocks, &bytes);
    int whole = 0;
    for (uint64_t k = 1; !whole && k < 500; k++) {
        session s = open_session();
        taken t = {.refuse = HONE_OK};
        hone_alloc_fail_after(k, 0);
        const hone_status st = ask(&t, NULL, &once, "/x", 3);
        hone_alloc_fail_after(0, 0);
        assert_true(st == HONE_OK || st == HONE_E_NOMEM);
        whole = st == HONE_OK;
        for (size_t i = 0; st == HONE_OK && i < 3; i++) {
            assert_int_equal(t.n[i], 1);
            assert_true(t.r[i].status == HONE_OK || t.r[i].status == HONE_E_NOMEM);
            whole &= t.r[i].status == HONE_OK;
        }
        close_session(&s);
        hone_alloc_stats(&after, &bytes);
        assert_int_equal(after, blocks);
    }
    assert_true(whole);
}

static void test_memory_that_runs_out(void **state)
{
    (void)state;
    be_silent(0);
    no_memory();
}

static void test_recordings_when_memory_runs_out(void **state)
{
    (void)state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", scratch_path("tape.jsonl"));
    be_silent(0);
    setenv("HONE_HTTP_RECORD", path, 1);
    session s = open_session();
    taken t = {.refuse = HONE_OK};
    assert_ok(ask(&t, NULL, &once, "/x", 3));
    close_session(&s);
    no_memory();
    unsetenv("HONE_HTTP_RECORD");
    setenv("HONE_HTTP_REPLAY", path, 1);
    be_silent(0);
    no_memory();
    s = open_session();
    assert_ok(ask(&t, NULL, &once, "/y", 1));
    assert_int_equal(t.r[0].status, HONE_E_NOT_FOUND);
    close_session(&s);
    assert_int_equal(asked(), 0);
    unsetenv("HONE_HTTP_REPLAY");
}

/* Two threads, one instance, one place: all calls are answered. */
static void *many_calls(void *ctx)
{
    taken t = {.refuse = HONE_OK};
    size_t *good = ctx;
    for (int k = 0; k < 20; k++) {
        assert_ok(ask(&t, NULL, &once, "/x", 4));
        for (size_t i = 0; i < 4; i++)
            *good += t.r[i].status == HONE_OK;
    }
    return NULL;
}

static void test_calls_from_several_threads(void **state)
{
    (void)state;
    session s = open_session();
    pthread_t threads[3];
    size_t good[3] = {0, 0, 0};
    be_silent(0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_calls, &good[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(good[0] + good[1] + good[2], 3 * 80);
    close_session(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_net_it_is_refused),
        cmocka_unit_test(test_requests_are_answered_once_each),
        cmocka_unit_test(test_a_deadline_ends_what_is_under_way),
        cmocka_unit_test(test_cancelling_ends_what_is_under_way),
        cmocka_unit_test(test_a_sink_that_refuses_ends_the_call),
        cmocka_unit_test(test_counters_are_the_instances),
        cmocka_unit_test(test_what_cannot_be_sent),
        cmocka_unit_test(test_memory_that_runs_out),
        cmocka_unit_test(test_recordings_when_memory_runs_out),
        cmocka_unit_test(test_calls_from_several_threads),
    };
    unsetenv("HONE_HTTP_RECORD");
    unsetenv("HONE_HTTP_REPLAY");
    unsetenv("http_proxy");
    hone_log_level(HONE_LOG_ERROR);
    return cmocka_run_group_tests(tests, listen_up, listen_down);
}
