/* test_serve.c - the HTTP layer without a page: answers leave whole while it stops, limits, names. */
#include "web/serve.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LARGE = 8 << 20 };

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int inside, open;
} gate;

static hone_status small(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    (void)ctx;
    return hone_buf_addf(&a->body, "{\"got\":%zu}", q->body.len);
}

/* Says that it is there, waits to be let go, and answers with much. */
static hone_status slow(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    gate *g = ctx;
    (void)q;
    pthread_mutex_lock(&g->lock);
    g->inside = 1;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    for (size_t i = 0; i < LARGE / 64; i++)
        hone_buf_add(&a->body, "................................................................",
                     64);
    return HONE_OK;
}

static hone_status fails(void *ctx, const hone_serve_request *q, hone_serve_answer *a)
{
    (void)ctx;
    (void)q;
    hone_buf_adds(&a->body, "half of an ans");
    return hone_fail(HONE_E_IO, "secret.sqlite: disk I/O error");
}

static const hone_serve_route routes[] = {
    {"GET", "/small", small, 0},
    {"POST", "/small", small, 100},
    {"GET", "/slow", slow, 0},
    {"GET", "/fails", fails, 0},
};

static hone_serve *start(gate *g, const char *const *hosts)
{
    hone_serve *v = NULL;
    const hone_serve_opts o = {.bind = "127.0.0.1",
                               .routes = routes,
                               .n_routes = sizeof routes / sizeof *routes,
                               .ctx = g,
                               .hosts = hosts};
    assert_int_equal(hone_serve_start(&o, &v), HONE_OK);
    assert_true(hone_serve_port(v) != 0 && hone_serve_is_loopback(v));
    return v;
}

static int connect_to(const hone_serve *v)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(hone_serve_port(v))};
    const struct timeval most = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    return fd;
}

static void ask(const hone_serve *v, int fd, const char *method, const char *path, const char *more)
{
    char text[512];
    int n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s", method, path,
                     hone_serve_port(v), more);
    assert_true(write(fd, text, (size_t)n) == n);
}

/* Reads to the end; how many bytes, the first of them in `head`. */
static size_t read_all(int fd, char *head, size_t room)
{
    static char part[65536];
    size_t total = 0;
    ssize_t n;
    memset(head, 0, room);
    while ((n = recv(fd, part, sizeof part, 0)) > 0) {
        if (total < room - 1) {
            size_t take = (size_t)n < room - 1 - total ? (size_t)n : room - 1 - total;
            memcpy(head + total, part, take);
        }
        total += (size_t)n;
    }
    close(fd);
    return total;
}

static void *stop(void *v)
{
    hone_serve_stop(v);
    return NULL;
}

static void test_an_answer_that_was_begun_leaves_whole(void **state)
{
    gate g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    char head[1024];
    pthread_t stopper;
    (void)state;
    hone_serve *v = start(&g, NULL);
    int fd = connect_to(v);
    ask(v, fd, "GET", "/slow", "\r\n");
    pthread_mutex_lock(&g.lock);
    while (!g.inside)
        pthread_cond_wait(&g.changed, &g.lock);
    pthread_mutex_unlock(&g.lock);
    assert_int_equal(pthread_create(&stopper, NULL, stop, v), 0);
    pthread_mutex_lock(&g.lock);
    g.open = 1;
    pthread_cond_broadcast(&g.changed);
    pthread_mutex_unlock(&g.lock);
    const size_t n = read_all(fd, head, sizeof head);
    pthread_join(stopper, NULL);
    const char *body = strstr(head, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(n - (size_t)(body + 4 - head), LARGE);
}

static void test_a_failure_is_500_without_its_text(void **state)
{
    char head[1024];
    (void)state;
    hone_serve *v = start(NULL, NULL);
    int fd = connect_to(v);
    ask(v, fd, "GET", "/fails", "Connection: close\r\n\r\n");
    read_all(fd, head, sizeof head);
    assert_non_null(strstr(head, " 500 "));
    assert_null(strstr(head, "secret"));
    assert_null(strstr(head, "half"));
    hone_serve_stop(v);
}

static void test_names_and_limits(void **state)
{
    static const char *const hosts[] = {"label.example.org", NULL};
    static const struct {
        const char *method, *path, *more;
        int status;
    } cases[] = {
        {"GET", "/small", "", 200},
        {"HEAD", "/small", "", 200},
        {"POST", "/small", "Content-Length: 3\r\n", 200},
        {"POST", "/small", "Content-Length: 101\r\n", 413},
        {"POST", "/small", "", 411},
        {"GET", "/small/", "", 404},
        {"DELETE", "/small", "Content-Length: 0\r\n", 405},
    };
    char head[1024], more[256], want[16];
    (void)state;
    hone_serve *v = start(NULL, hosts);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = connect_to(v);
        snprintf(more, sizeof more, "%sConnection: close\r\n\r\n%s", cases[i].more,
                 cases[i].status == 200 && cases[i].method[0] == 'P' ? "abc" : "");
        ask(v, fd, cases[i].method, cases[i].path, more);
        read_all(fd, head, sizeof head);
        snprintf(want, sizeof want, " %d ", cases[i].status);
        if (!strstr(head, want))
            fail_msg("%s %s: %.100s", cases[i].method, cases[i].path, head);
    }
    static const char *const names[] = {"label.example.org", "LABEL.example.org", "evil.example",
                                        "label.example.org.evil"};
    for (size_t i = 0; i < 4; i++) {
        int fd = connect_to(v);
        int n = snprintf(more, sizeof more,
                         "GET /small HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", names[i]);
        assert_true(write(fd, more, (size_t)n) == n);
        read_all(fd, head, sizeof head);
        assert_non_null(strstr(head, i < 2 ? " 200 " : " 421 "));
    }
    hone_serve_stop(v);
}

static void test_interrupt_ends_waiting(void **state)
{
    (void)state;
    hone_serve *v = start(NULL, NULL);
    hone_serve_interrupt(v);
    hone_serve_interrupt(v);
    hone_serve_wait(v);
    hone_serve_stop(v);
    hone_serve_stop(NULL);
}

static void test_what_cannot_be_listened_on(void **state)
{
    hone_serve *v = start(NULL, NULL), *w = NULL;
    hone_serve_opts o = {.bind = "localhost", .routes = routes, .n_routes = 1};
    (void)state;
    assert_int_equal(hone_serve_start(&o, &w), HONE_E_USAGE);
    o.bind = "127.0.0.1";
    o.port = hone_serve_port(v);
    assert_int_equal(hone_serve_start(&o, &w), HONE_E_IO);
    assert_null(w);
    hone_serve_stop(v);
}

static void test_nothing_leaks(void **state)
{
    size_t before, after, bytes;
    char head[256];
    (void)state;
    hone_alloc_stats(&before, &bytes);
    hone_serve *v = start(NULL, NULL);
    for (size_t i = 0; i < 20; i++) {
        int fd = connect_to(v);
        if (i % 2) {
            ask(v, fd, "POST", "/small", "Content-Length: 50\r\n\r\nhalf");
            close(fd); /* in the middle */
            continue;
        }
        ask(v, fd, "GET", "/small", "Connection: close\r\n\r\n");
        read_all(fd, head, sizeof head);
    }
    hone_serve_stop(v);
    hone_alloc_stats(&after, &bytes);
    assert_int_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_that_was_begun_leaves_whole),
        cmocka_unit_test(test_a_failure_is_500_without_its_text),
        cmocka_unit_test(test_names_and_limits),
        cmocka_unit_test(test_interrupt_ends_waiting),
        cmocka_unit_test(test_what_cannot_be_listened_on),
        cmocka_unit_test(test_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
