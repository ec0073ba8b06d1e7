/* The marshaller on the other interfaces of the SDK, and on one of a third party's (see test_wire.c). */
#include "wire_loop.h"

#include "hone/hone.h"

/* ---- objectives, advantages, optimizers --------------------------------------------------------- */

static hone_status loss(void *self, const hone_objective_in *in, hone_objective_out *out)
{
    (void)self;
    assert_int_equal(in->struct_size, sizeof *in);
    assert_int_equal(in->seq_begin[in->n_seqs], in->n_tokens);
    assert_null(in->old_logp);
    assert_true(out->struct_size == sizeof *out && out->n_tokens == in->n_tokens);
    assert_null(out->grad_value);
    for (size_t i = 0; i < in->n_tokens; i++) {
        assert_true(out->grad_logp[i] == 0.125); /* what the host put there comes along */
        out->grad_logp[i] = -in->mask[i];
        out->grad_entropy[i] = 2;
        out->loss -= in->logp[i] * in->mask[i];
    }
    out->metric(out, "kl", HONE_METRIC_MEAN, 0.5, 4);
    return HONE_OK;
}
static uint32_t uses(void *self)
{
    (void)self;
    return 0x80000001u;
}
static hone_str show(void *self)
{
    (void)self;
    return str("sum of logp");
}
static const hone_objective_v1 objective = {sizeof objective, 0, uses, loss, show, NULL};

static char metric_text[100];
static void take_metric(const hone_objective_out *out, const char *name, uint32_t how, double value,
                        double weight)
{
    snprintf(metric_text, sizeof metric_text, "%s %u %g %g %s", name, how, value, weight,
             (const char *)out->ctx);
}

static double g1[3], g2[3];
static hone_objective_out objective_out(void)
{
    for (int i = 0; i < 3; i++)
        g1[i] = 0.125, g2[i] = 0;
    hone_objective_out o = {.struct_size = sizeof o,
                            .grad_logp = g1,
                            .grad_entropy = g2,
                            .ctx = mine,
                            .metric = take_metric,
                            .n_tokens = 3};
    return o;
}
static const double logp[] = {-1, -2, -3}, mask[] = {1, 1, 0.5}, length[] = {1, 1.5};
static const size_t begin[] = {0, 1, 3};
static const hone_objective_in objective_in = {.struct_size = sizeof objective_in,
                                               .n_tokens = 3,
                                               .n_seqs = 2,
                                               .seq_begin = begin,
                                               .logp = logp,
                                               .mask = mask,
                                               .length = length};

static void test_objectives(void **state)
{
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_OBJECTIVE), NULL, &objective, NULL);
    const hone_objective_v1 *vt = hone_wire_stub_table(l->stub);
    BOTH(l)
    {
        hone_objective_out o = objective_out();
        metric_text[0] = 0;
        assert_ok(vt->loss(l, &objective_in, &o));
        assert_true(o.loss == 4.5);
        assert_true(g1[0] == -1 && g1[2] == -0.5 && g2[1] == 2);
        assert_ptr_equal(o.grad_logp, g1);
        assert_ptr_equal(o.metric, take_metric);
        assert_string_equal(metric_text, "kl 0 0.5 4 mine");
        assert_int_equal(vt->uses(l), 0x80000001u);
        assert_str(vt->show(l), "sum of logp");
    }
    loop_close(l);
}

static hone_status compute(void *self, const hone_advantage_in *in, hone_advantage_out *out)
{
    (void)self;
    assert_int_equal(in->n_rewards, 2);
    for (size_t i = 0; i < in->n_seqs; i++) {
        out->seq[i] = in->rewards[in->n_seqs + i] * in->weights[1];
        out->left_out[i] = !in->scored[in->n_seqs + i];
    }
    out->per_token = 0;
    return HONE_OK;
}

static void test_advantages(void **state)
{
    static const hone_advantage_v1 real = {sizeof real, HONE_ADV_PER_TOKEN, compute, show};
    static const double rewards[] = {1, 2, 3, 4, 5, 6}, weights[] = {1, 10}, lengths[] = {1, 1, 1};
    static const uint8_t scored[] = {1, 1, 1, 1, 0, 1};
    static const uint32_t group[] = {0, 0, 0};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_ADVANTAGE), NULL, &real, NULL);
    const hone_advantage_v1 *vt = hone_wire_stub_table(l->stub);
    assert_int_equal(vt->flags, HONE_ADV_PER_TOKEN);
    BOTH(l)
    {
        const hone_advantage_in in = {.struct_size = sizeof in,
                                      .n_seqs = 3,
                                      .n_rewards = 2,
                                      .rewards = rewards,
                                      .scored = scored,
                                      .weights = weights,
                                      .group = group,
                                      .length = lengths};
        double seq[3] = {0};
        uint8_t left_out[3] = {9, 9, 9};
        hone_advantage_out out = {.struct_size = sizeof out,
                                  .per_token = 7,
                                  .seq = seq,
                                  .left_out = left_out,
                                  .n_seqs = 3};
        assert_ok(vt->compute(l, &in, &out));
        assert_true(seq[0] == 40 && seq[2] == 60);
        assert_true(left_out[0] == 0 && left_out[1] == 1);
        assert_int_equal(out.per_token, 0);
    }
    loop_close(l);
}

static hone_status state_spec(void *self, const hone_opt_param *param, hone_opt_state_spec *out)
{
    char name[40];
    (void)self;
    snprintf(name, sizeof name, "%.*s", (int)param->name.len, param->name.ptr);
    assert_string_equal(name, "w");
    assert_true(param->rows == -4 && param->group == 3);
    assert_int_equal(out->struct_size, sizeof *out);
    out->n_buffers = 2;
    out->names[0] = "exp_avg";
    out->names[1] = "exp_avg_sq";
    return HONE_OK;
}

static void test_optimizers(void **state)
{
    static const hone_optimizer_v1 real = {sizeof real, HONE_OPT_ELEMENTWISE, state_spec, NULL,
                                           NULL};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_OPTIMIZER), NULL, &real, NULL);
    const hone_optimizer_v1 *vt = hone_wire_stub_table(l->stub);
    assert_null(vt->step); /* works on the core's memory: stays in the process */
    BOTH(l)
    {
        const hone_opt_param p = {
            .struct_size = sizeof p, .group = 3, .name = str("w"), .rows = -4, .cols = 8};
        hone_opt_state_spec spec = {.struct_size = sizeof spec};
        assert_ok(vt->state_spec(l, &p, &spec));
        assert_int_equal(spec.n_buffers, 2);
        assert_string_equal(spec.names[1], "exp_avg_sq");
        assert_null(spec.names[2]);
        assert_int_equal(spec.struct_size, sizeof spec);
    }
    loop_close(l);
}

/* ---- sources, sinks, models, state -------------------------------------------------------------- */

static char position[100];
static hone_status get_position(void *self, const hone_bytes_sink *sink)
{
    (void)self;
    HONE_TRY(sink->put(sink, "ab\0c", 4));
    return sink->put(sink, "d", 1);
}
static hone_status seek(void *self, const void *p, size_t n)
{
    (void)self;
    snprintf(position, sizeof position, "%zu%s%.*s", n, p ? "" : " NULL", (int)n,
             p ? (const char *)p : "");
    return HONE_OK;
}
static int64_t row_count(void *self)
{
    (void)self;
    return -1;
}
static hone_status push_down(void *self, const hone_str *cols, size_t n, hone_str filter,
                             int64_t limit)
{
    (void)self;
    snprintf(position, sizeof position, "%zu %s %.*s %lld", n, cols ? "cols" : "all",
             (int)filter.len, filter.len ? filter.ptr : "", (long long)limit);
    return HONE_OK;
}
static hone_buf collected;
static hone_status collect(const hone_bytes_sink *sink, const void *p, size_t n)
{
    (void)sink;
    return hone_buf_add(&collected, p, n);
}

static void test_sources(void **state)
{
    static const hone_source_v1 real = {sizeof real, 0,         NULL, get_position,
                                        seek,        row_count, NULL, push_down};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_SOURCE), NULL, &real, NULL);
    const hone_source_v1 *vt = hone_wire_stub_table(l->stub);
    const hone_bytes_sink sink = {sizeof sink, 0, NULL, collect};
    hone_buf_init(&collected, 1000);
    BOTH(l)
    {
        const hone_str cols[] = {str("a"), str("b")};
        hone_buf_clear(&collected);
        assert_ok(vt->position(l, &sink));
        assert_int_equal(collected.len, 5);
        assert_memory_equal(collected.ptr, "ab\0cd", 5);
        assert_ok(vt->seek(l, "xyz", 3));
        assert_string_equal(position, "3xyz");
        assert_ok(vt->seek(l, NULL, 0));
        assert_string_equal(position, "0 NULL");
        assert_true(vt->row_count(l) == -1);
        assert_ok(vt->push_down(l, cols, 2, str("x > 1"), -1));
        assert_string_equal(position, "2 cols x > 1 -1");
        assert_ok(vt->push_down(l, NULL, 0, (hone_str){NULL, 0}, 5));
        assert_string_equal(position, "0 all  5");
    }
    hone_buf_release(&collected);
    loop_close(l);
}

static hone_status event(void *self, hone_str kind, const hone_value *fields)
{
    (void)self;
    assert_str(kind, "step");
    assert_int_equal(fields->type, HONE_MAP);
    assert_true(fields->u.map.pairs[0].value.u.i64 == -3);
    return HONE_OK;
}
static hone_status flush(void *self)
{
    (void)self;
    return hone_fail(HONE_E_IO, "the disk is full");
}
static int32_t probe(void *self, hone_str format, const hone_value *config)
{
    (void)self;
    assert_str(format, "hf");
    return config->type == HONE_MAP ? 90 : 0;
}
static hone_str config_json(void *self)
{
    (void)self;
    return str("{\"a\": 1}");
}

static void test_events_and_models(void **state)
{
    static const hone_sink_v1 sink = {sizeof sink, 0, event, flush};
    static const hone_model_v1 model = {
        .struct_size = sizeof model, .probe = probe, .config_json = config_json};
    const hone_value fields = {.type = HONE_MAP, .u.map = {pairs, 2}};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_SINK), NULL, &sink, NULL);
    loop *m = loop_open(hone_desc_builtin(HONE_IFACE_MODEL), NULL, &model, NULL);
    BOTH(l)
    {
        const hone_sink_v1 *vt = hone_wire_stub_table(l->stub);
        assert_ok(vt->event(l, str("step"), &fields));
        assert_int_equal(vt->flush(l), HONE_E_IO);
        assert_string_equal(hone_error_get()->what, "the disk is full");
    }
    BOTH(m)
    {
        const hone_model_v1 *vt = hone_wire_stub_table(m->stub);
        assert_int_equal(vt->probe(m, str("hf"), &fields), 90);
        assert_str(vt->config_json(m), "{\"a\": 1}");
        assert_null(vt->forward);
    }
    loop_close(l);
    loop_close(m);
}

static hone_status save(void *self, const hone_out_stream *out)
{
    (void)self;
    return out->write(out, "state", 5);
}
static hone_status load(void *self, const hone_in_stream *in)
{
    char all[16];
    size_t n = 0, got;
    (void)self;
    do {
        hone_status s = in->read(in, all + n, 3, &got);
        if (s < 0)
            return s;
        n += got;
    } while (got);
    return n == 5 && memcmp(all, "state", 5) == 0 ? HONE_OK : HONE_E_PARSE;
}
static hone_status take_bytes(const hone_out_stream *out, const void *p, size_t n)
{
    (void)out;
    return hone_buf_add(&collected, p, n);
}
static size_t read_at;
static hone_status give_bytes(const hone_in_stream *in, void *p, size_t n, size_t *got)
{
    (void)in;
    *got = n < 5 - read_at ? n : 5 - read_at;
    memcpy(p, &"state"[read_at], *got);
    read_at += *got;
    return HONE_OK;
}

/* The other direction: a callback with outputs goes over the wire at once. */
static void ask(void *ctx, const hone_wire_slot *cb, size_t sink, void *const *args,
                hone_wire_ret *ret)
{
    static _Alignas(16) char bytes[4096], result[4096];
    loop *l = ctx;
    const hone_wire_place to = {bytes, sizeof bytes, 0}, back = {result, sizeof result, 0};
    const hone_wire_slot *which = NULL, *load_slot = hone_wire_find(l->wire, "load");
    const hone_in_stream host = {sizeof host, 0, NULL, give_bytes};
    hone_wire_call c;
    hone_wire_answer answer;
    size_t len, fixed, arg = 99;
    void (*fn)(void);
    assert_int_equal(sink, 1);
    assert_ok(hone_wire_put(cb, 5, args, &to, &len, &fixed));
    assert_ok(hone_wire_peek_callback(load_slot, bytes, len, &which, &arg));
    assert_ptr_equal(which, cb);
    assert_int_equal(arg, sink);
    assert_ok(hone_wire_get(cb, bytes, len, 0, &back, &l->caller, (void *)(uintptr_t)&host, &c));
    memcpy(&fn, &host.read, sizeof fn);
    hone_wire_invoke(&c, fn);
    assert_ok(hone_wire_finish(&c, NULL));
    assert_ok(hone_wire_take(cb, 5, args, result, sizeof result, &l->caller, &answer));
    *ret = answer.ret;
}

static void test_state_and_callbacks_with_outputs(void **state)
{
    static const hone_state_v1 real = {sizeof real, 0, save, load};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_STATE), NULL, &real, NULL);
    const hone_state_v1 *vt = hone_wire_stub_table(l->stub);
    const hone_out_stream out = {sizeof out, 0, NULL, take_bytes};
    const hone_in_stream in = {sizeof in, 0, NULL, give_bytes};
    hone_buf_init(&collected, 1000);
    BOTH(l)
    {
        hone_buf_clear(&collected);
        assert_ok(vt->save(l, &out));
        assert_string_equal(collected.ptr, "state");
        l->ask = NULL;
        assert_int_equal(vt->load(l, &in), HONE_E_UNSUPPORTED);
        l->ask = ask;
        l->ask_ctx = l;
        read_at = 0;
        assert_ok(vt->load(l, &in));
    }
    hone_buf_release(&collected);
    loop_close(l);
}

/* Every slot travels, but those that take what cannot leave the process. */
static void test_which_slots_travel(void **state)
{
    (void)state;
    for (size_t i = 0; hone_desc_builtins()[i]; i++) {
        const hone_iface_desc *d = hone_desc_builtins()[i];
        hone_wire *w;
        assert_ok(hone_wire_open(d, NULL, &w));
        for (size_t k = 0; k < w->n; k++) {
            const hone_slot *slot = d->table->slots[k];
            int stays = (slot->flags & HONE_SLOT_LOCAL) || strstr(slot->sig, ":config");
            if ((w->slots[k] == NULL) != stays)
                fail_msg("%s.%s %s", d->id, slot->name, stays ? "travels" : "does not travel");
        }
        hone_wire_close(w);
    }
}

/* ---- a third party's ---------------------------------------------------------------------------- */

typedef struct acme_point {
    double x, y;
} acme_point;
typedef struct acme_shape {
    uint32_t struct_size, kind;
    acme_point center;
    hone_str name;
    const acme_point *points;
    const hone_str *tags;
    size_t n_points, n_tags;
    hone_value extra;
    const char *aliases[2];
    int32_t *weights;
} acme_shape;
typedef struct acme_found {
    uint32_t struct_size, n;
    const char *what;
    const acme_point *at;
} acme_found;
typedef struct acme_map_v1 {
    uint32_t struct_size, reserved;
    hone_status (*find)(void *self, const acme_shape *shapes, size_t n, size_t stride, uint8_t flag,
                        const hone_str *words, uint32_t n_words, acme_point by, acme_found *out,
                        double *score);
    float (*half)(void *self, float x);
    int64_t (*clip)(void *self, acme_point *io, const hone_value *v, hone_value *out);
} acme_map_v1;
HONE_DESCRIBE(point_desc, acme_point, HONE_STRUCT_FROZEN, (NUM, x), (NUM, y))
HONE_DESCRIBE(shape_desc, acme_shape, 0, (SIZE, struct_size), (NUM, kind),
              (INNER, center, 1, point_desc), (STR, name),
              (STRUCTS, points, n_points, point_desc, HONE_M_NULLABLE),
              (STRS, tags, n_tags, HONE_M_NULLABLE), (NUM, n_points), (NUM, n_tags), (VALUE, extra),
              (INCSTRS, aliases, 2), (NUMS, weights, n_points, HONE_M_MUTABLE | HONE_M_NULLABLE))
HONE_DESCRIBE(found_desc, acme_found, 0, (SIZE, struct_size), (NUM, n), (CSTR, what),
              (STRUCTS, at, n, point_desc, HONE_M_NULLABLE))
HONE_DESCRIBE_IFACE(map_desc, acme_map_v1, "com.acme.map/1", "com.acme.kind.map",
                    (&point_desc, &shape_desc, &found_desc), (SIZE, struct_size), (PAD, reserved),
                    (SLOT, find, 0,
                     "self, shapes:[acme_shape; n, stride], n:size, stride:size, flag:u8, "
                     "words:[str; n_words]?, n_words:u32, by:by acme_point, "
                     "out:out acme_found, score:out f64? -> status",
                     "finds"),
                    (SLOT, half, 0, "self, x:f32 -> f32", "half"),
                    (SLOT, clip, 0, "self, io:inout acme_point, v:value?, out:out value -> i64",
                     "clips"))

static hone_status acme_find(void *self, const acme_shape *shapes, size_t n, size_t stride,
                             uint8_t flag, const hone_str *words, uint32_t n_words, acme_point by,
                             acme_found *out, double *found)
{
    static const acme_point at[] = {{1, 2}, {3, 4}};
    (void)self;
    assert_int_equal(n, 2);
    const acme_shape *s = (const acme_shape *)(const void *)((const char *)shapes + stride);
    assert_true(flag == 200 && n_words == 1 && by.x == -1 && by.y == 8);
    assert_str(words[0], "w\xFF"); /* a third party's bytes stay as they are */
    assert_true(s->center.y == 6 && s->points[1].x == 9 && s->n_tags == 2);
    assert_str(s->tags[1], "t2");
    assert_int_equal(s->extra.u.list.n, 2);
    assert_string_equal(s->aliases[1], "alias");
    assert_null(s->aliases[0]);
    assert_int_equal(s->weights[1], 11);
    s->weights[1] = 12;
    assert_null(shapes->weights);
    out->n = 2;
    out->what = "two";
    out->at = at;
    if (found)
        *found = 0.5;
    return HONE_OK;
}
static float acme_half(void *self, float x)
{
    (void)self;
    return x / 2;
}
static int64_t acme_clip(void *self, acme_point *io, const hone_value *v, hone_value *out)
{
    (void)self;
    if (io->x > 1)
        io->x = 1;
    *out = v ? *v : (hone_value){.type = HONE_STRING, .u.str = {"none", 4}};
    return INT64_MIN;
}

static void test_a_third_partys_interface(void **state)
{
    static const acme_map_v1 real = {sizeof real, 0, acme_find, acme_half, acme_clip};
    static const acme_point points[] = {{7, 8}, {9, 10}};
    (void)state;
    assert_ok(hone_desc_check("acme", &map_desc));
    loop *l = loop_open(&map_desc, NULL, &real, NULL);
    const acme_map_v1 *vt = hone_wire_stub_table(l->stub);
    BOTH(l)
    {
        const hone_str tags[] = {str("t1"), str("t2")}, words[] = {str("w\xFF")};
        int32_t weights[2] = {10, 11};
        double found = 0;
        acme_shape s[2] = {{.struct_size = sizeof *s, .kind = 1, .name = str("first")},
                           {.struct_size = sizeof *s,
                            .center = {5, 6},
                            .name = str("second"),
                            .points = points,
                            .tags = tags,
                            .n_points = 2,
                            .n_tags = 2,
                            .extra = {.type = HONE_LIST, .u.list = {deep, 2}},
                            .aliases = {NULL, "alias"},
                            .weights = weights}};
        acme_found out = {.struct_size = sizeof out};
        assert_ok(vt->find(l, s, 2, sizeof *s, 200, words, 1, (acme_point){-1, 8}, &out, &found));
        assert_int_equal(weights[1], 12);
        assert_int_equal(weights[0], 10);
        assert_string_equal(out.what, "two");
        assert_true(out.n == 2 && out.at[1].y == 4 && found == 0.5);
        assert_true(vt->half(l, 3.f) == 1.5f);
        acme_point p = {4, 5};
        hone_value v = {.type = HONE_NULL};
        assert_true(vt->clip(l, &p, &s[1].extra, &v) == INT64_MIN);
        assert_true(p.x == 1 && p.y == 5 && v.type == HONE_LIST && v.u.list.n == 2);
        assert_true(vt->clip(l, &p, NULL, &v) == INT64_MIN);
        assert_str(v.u.str, "none");
    }
    loop_close(l);
}

static void test_too_deep_values_are_refused(void **state)
{
    static const hone_sink_v1 sink = {sizeof sink, 0, event, flush};
    (void)state;
    loop *l = loop_open(hone_desc_builtin(HONE_IFACE_SINK), NULL, &sink, NULL);
    const hone_sink_v1 *vt = hone_wire_stub_table(l->stub);
    hone_value v[HONE_VALUE_DEPTH + 3] = {{.type = HONE_NULL}};
    for (size_t i = 0; i + 1 < sizeof v / sizeof *v; i++)
        v[i] = (hone_value){.type = HONE_LIST, .u.list = {&v[i + 1], 1}};
    assert_int_equal(vt->event(l, str("step"), v), HONE_E_LIMIT);
    v[0] = (hone_value){.type = 99};
    assert_int_equal(vt->event(l, str("step"), v), HONE_E_UNSUPPORTED);
    loop_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objectives),
        cmocka_unit_test(test_advantages),
        cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_events_and_models),
        cmocka_unit_test(test_state_and_callbacks_with_outputs),
        cmocka_unit_test(test_which_slots_travel),
        cmocka_unit_test(test_a_third_partys_interface),
        cmocka_unit_test(test_too_deep_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
