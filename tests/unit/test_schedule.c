/* Learning rates by update. */
#include "support.h"

#include "train/schedule.h"

#include <math.h>

static hone_arena arena;

static hone_status read_text(const char *json, uint64_t total, hone_schedule *out)
{
    hone_value v;
    assert_ok(hone_json_parse(json, strlen(json), NULL, &arena, &v));
    return hone_schedule_read(&v, total, out);
}

static void close_to(double got, double want)
{
    if (!(got - want < 1e-12 && want - got < 1e-12))
        print_error("%.17g, wanted %.17g\n", got, want);
    assert_true(got - want < 1e-12 && want - got < 1e-12);
}

static void test_cosine_equals_the_reference(void **state)
{
    (void)state;
    const char *path = shared_path("assets/reference/torch-cs336-a1/cosine_schedule.json");
    hone_value v;
    hone_schedule s;
    if (!path)
        skip_without("assets/reference/torch-cs336-a1/cosine_schedule.json");
    assert_ok(hone_json_parse_file(path, 0, &arena, &v));
    assert_ok(read_text("{\"name\":\"cosine\",\"warmup\":7,\"min\":0.1}", 21, &s));
    const hone_value *want = hone_value_get(&v, "expected_lr_by_iteration");
    assert_true(want->u.list.n == 25);
    for (size_t t = 0; t < want->u.list.n; t++) {
        const hone_value *x = &want->u.list.items[t];
        close_to(hone_schedule_at(&s, t), x->type == HONE_I64 ? (double)x->u.i64 : x->u.f64);
    }
}

static void test_each_schedule_at_its_corners(void **state)
{
    (void)state;
    hone_schedule s;
    assert_ok(hone_schedule_read(NULL, 0, &s));
    close_to(hone_schedule_at(&s, 1), 1);
    close_to(hone_schedule_at(&s, 1000000), 1);
    assert_ok(read_text("{\"name\":\"linear\",\"warmup\":4,\"min\":0.2}", 14, &s));
    close_to(hone_schedule_at(&s, 1), .25);
    close_to(hone_schedule_at(&s, 4), 1);
    close_to(hone_schedule_at(&s, 9), .6);
    close_to(hone_schedule_at(&s, 14), .2);
    close_to(hone_schedule_at(&s, 99), .2);
    assert_ok(read_text("{\"1\":\"wsd\",\"decay\":0.5,\"min\":0.1,\"total\":20}", 5, &s));
    close_to(hone_schedule_at(&s, 10), 1);
    close_to(hone_schedule_at(&s, 15), .55);
    close_to(hone_schedule_at(&s, 20), .1);
    assert_ok(read_text("{\"name\":\"cosine\",\"cycles\":2}", 8, &s));
    close_to(hone_schedule_at(&s, 2), .5);
    close_to(hone_schedule_at(&s, 4), 1); /* restarted */
    close_to(hone_schedule_at(&s, 8), 0);
    assert_ok(read_text("{\"name\":\"inverse_sqrt\",\"warmup\":4,\"min\":0.3}", 0, &s));
    close_to(hone_schedule_at(&s, 2), .5);
    close_to(hone_schedule_at(&s, 4), 1);
    close_to(hone_schedule_at(&s, 16), .5);
    close_to(hone_schedule_at(&s, 400), .3);
    assert_ok(read_text("\"linear\"", 1, &s));
    close_to(hone_schedule_at(&s, 1), 0);
}

/* Every update of every schedule against its formula. */
static void test_each_schedule_follows_its_formula(void **state)
{
    (void)state;
    enum { W = 5, T = 65 };
    hone_schedule linear, cosine, anew, longer, saw, wsd[3], root;
    assert_ok(read_text("{\"name\":\"linear\",\"warmup\":5,\"min\":0.25}", T, &linear));
    assert_ok(read_text("{\"name\":\"cosine\",\"warmup\":5,\"min\":0.25}", T, &cosine));
    assert_ok(read_text("{\"name\":\"cosine\",\"warmup\":5,\"cycles\":3}", T, &anew));
    assert_ok(read_text("{\"name\":\"linear\",\"warmup\":5,\"cycles\":3}", T, &saw));
    assert_ok(
        read_text("{\"name\":\"cosine\",\"warmup\":5,\"cycles\":4,\"multiply\":2}", T, &longer));
    assert_ok(read_text("{\"name\":\"wsd\",\"warmup\":5,\"decay\":0.2,\"min\":0.1}", T, &wsd[0]));
    assert_ok(read_text("{\"name\":\"wsd\",\"warmup\":5,\"shape\":\"cosine\"}", T, &wsd[1]));
    assert_ok(read_text("{\"name\":\"wsd\",\"warmup\":5,\"shape\":\"1-sqrt\"}", T, &wsd[2]));
    assert_ok(read_text("{\"name\":\"inverse_sqrt\",\"warmup\":5}", 0, &root));
    for (uint64_t t = 1; t <= T + 3; t++) {
        const double u = (double)(t < T ? t : T), d = t < W ? 0 : (u - W) / (T - W), pi = acos(-1);
        const double up = (double)t / W;
        close_to(hone_schedule_at(&linear, t), t < W ? up : .25 + .75 * (1 - d));
        close_to(hone_schedule_at(&cosine, t), t < W ? up : .25 + .375 * (1 + cos(pi * d)));
        close_to(hone_schedule_at(&root, t), t < W ? up : sqrt(W / (double)t));
        /* three times 20 updates; 4, 8, 16 and 32 of them */
        double third = t >= T ? 1 : (double)((t - W) % 20) / 20, at = (double)t - W, n = 4;
        for (; n < 32 && at >= n; n *= 2)
            at -= n;
        at = t >= T ? 1 : at / n;
        close_to(hone_schedule_at(&anew, t), t < W ? up : .5 * (1 + cos(pi * third)));
        close_to(hone_schedule_at(&saw, t), t < W ? up : 1 - third);
        close_to(hone_schedule_at(&longer, t), t < W ? up : .5 * (1 + cos(pi * at)));
        double down = u <= 52 ? 0 : (u - 52) / 13; /* the last fifth of 65 */
        close_to(hone_schedule_at(&wsd[0], t), t < W ? up : .1 + .9 * (1 - down));
        close_to(hone_schedule_at(&wsd[1], t), t < W ? up : .5 * (1 + cos(pi * down)));
        close_to(hone_schedule_at(&wsd[2], t), t < W ? up : 1 - sqrt(down));
    }
}

static void test_wrong_settings_are_named(void **state)
{
    (void)state;
    hone_schedule s;
    assert_fails(read_text("\"cosin\"", 9, &s), HONE_E_INVALID, "\"cosin\"");
    assert_non_null(strstr(hone_error_get()->hint, "cosine"));
    assert_fails(read_text("{\"name\":\"linear\",\"warmpu\":3}", 9, &s), HONE_E_INVALID, "warmpu");
    assert_fails(read_text("{\"warmup\":3}", 9, &s), HONE_E_INVALID, "no name");
    assert_fails(read_text("{\"name\":\"linear\",\"min\":2}", 9, &s), HONE_E_INVALID, "min");
    assert_fails(read_text("{\"name\":\"linear\",\"warmup\":-1}", 9, &s), HONE_E_INVALID, "warmup");
    assert_fails(read_text("\"cosine\"", 0, &s), HONE_E_INVALID, "total");
    assert_fails(read_text("3", 9, &s), HONE_E_TYPE, "schedule");
    assert_fails(read_text("{\"name\":\"wsd\",\"shape\":\"round\"}", 9, &s), HONE_E_INVALID,
                 "shape");
    assert_fails(read_text("{\"name\":\"wsd\",\"cycles\":2}", 9, &s), HONE_E_INVALID, "cycles");
    assert_fails(read_text("{\"name\":\"cosine\",\"multiply\":0.5}", 9, &s), HONE_E_INVALID,
                 "multiply");
}

static int open_arena(void **state)
{
    (void)state;
    hone_arena_init(&arena, 0);
    return 0;
}
static int close_arena(void **state)
{
    (void)state;
    hone_arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cosine_equals_the_reference),
        cmocka_unit_test(test_each_schedule_at_its_corners),
        cmocka_unit_test(test_each_schedule_follows_its_formula),
        cmocka_unit_test(test_wrong_settings_are_named),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
