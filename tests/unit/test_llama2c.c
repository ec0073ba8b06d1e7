/* test_llama2c.c - llama2.c's files give the tensors a GGUF file would, and are believed only when whole. */
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "nn/llama2c.h"
#include "nn/reader.h"

enum {
    DIM = 8,
    HIDDEN = 12,
    LAYERS = 2,
    HEADS = 2,
    KV = 1,
    VOCAB = 5,
    SEQ = 6,
    KV_DIM = DIM / HEADS * KV
};

typedef struct image {
    unsigned char bytes[20000];
    size_t n;
    float next; /* each tensor's values count on */
} image;

static void put32(image *m, int32_t v)
{
    for (int i = 0; i < 4; i++)
        m->bytes[m->n++] = (unsigned char)((uint32_t)v >> (8 * i));
}
static void put_floats(image *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float f = m->next++;
        memcpy(m->bytes + m->n, &f, sizeof f);
        m->n += sizeof f;
    }
}

/* own: a head of its own. */
static void make(image *m, int version, int own)
{
    memset(m, 0, sizeof *m);
    if (version) {
        put32(m, 0x616b3432);
        put32(m, version);
    }
    put32(m, DIM), put32(m, HIDDEN), put32(m, LAYERS), put32(m, HEADS), put32(m, KV);
    put32(m, own && !version ? -VOCAB : VOCAB), put32(m, SEQ);
    if (version) {
        m->bytes[m->n] = !own;
        m->n = 256;
        put_floats(m, 2 * LAYERS * DIM + DIM);
    }
    put_floats(m, VOCAB * DIM);
    if (!version)
        put_floats(m, LAYERS * DIM);
    put_floats(m, LAYERS * (2 * DIM * DIM + 2 * KV_DIM * DIM));
    if (!version)
        put_floats(m, LAYERS * DIM);
    put_floats(m, LAYERS * 3 * DIM * HIDDEN);
    if (!version)
        put_floats(m, DIM + SEQ * DIM / HEADS);
    if (own)
        put_floats(m, VOCAB * DIM);
}

static float at(const hone_gguf *g, const char *name, int64_t i)
{
    float x;
    const hone_file_tensor *t = hone_gguf_find(g, hone_str_c(name));
    if (!t)
        fail_msg("no tensor %s", name);
    hone_file_tensor_read(t, i, 1, &x);
    return x;
}

static void test_legacy_layout(void **state)
{
    (void)state;
    static image m;
    hone_gguf g;
    make(&m, 0, 0);
    assert_ok(hone_llama2c_parse(&g, m.bytes, m.n, NULL, 0, "test"));
    assert_int_equal(g.n, LAYERS * 9 + 2);
    assert_true(at(&g, "token_embd.weight", 3) == 3.0f);
    assert_true(at(&g, "blk.1.attn_norm.weight", 0) == VOCAB * DIM + DIM);
    int64_t q = VOCAB * DIM + LAYERS * DIM, k = q + LAYERS * DIM * DIM;
    assert_true(at(&g, "blk.0.attn_q.weight", 9) == (float)(q + 9));
    assert_true(at(&g, "blk.1.attn_k.weight", 0) == (float)(k + KV_DIM * DIM));
    int64_t ffn = k + LAYERS * (2 * KV_DIM * DIM + DIM * DIM), w1 = ffn + LAYERS * DIM;
    assert_true(at(&g, "blk.0.ffn_norm.weight", 1) == (float)(ffn + 1));
    assert_true(at(&g, "blk.0.ffn_gate.weight", 0) == (float)w1);
    assert_true(at(&g, "blk.0.ffn_down.weight", 0) == (float)(w1 + LAYERS * DIM * HIDDEN));
    assert_true(at(&g, "blk.1.ffn_up.weight", 0) ==
                (float)(w1 + LAYERS * 2 * DIM * HIDDEN + DIM * HIDDEN));
    const hone_file_tensor *down = hone_gguf_find(&g, hone_str_c("blk.0.ffn_down.weight"));
    assert_int_equal(down->rows, DIM);
    assert_int_equal(down->cols, HIDDEN);
    assert_int_equal(hone_value_get(&g.metadata, "llama.attention.head_count_kv")->u.i64, KV);
    assert_null(hone_gguf_find(&g, hone_str_c("output.weight")));
    hone_gguf_release(&g);
    make(&m, 0, 1);
    assert_ok(hone_llama2c_parse(&g, m.bytes, m.n, NULL, 0, "test"));
    assert_true(at(&g, "output.weight", 0) == m.next - VOCAB * DIM);
    hone_gguf_release(&g);
}

static void test_version_1(void **state)
{
    (void)state;
    static image m;
    hone_gguf g;
    for (int own = 0; own < 2; own++) {
        make(&m, 1, own);
        assert_ok(hone_llama2c_parse(&g, m.bytes, m.n, NULL, 0, "test"));
        assert_true(at(&g, "blk.1.attn_norm.weight", 0) == DIM);
        assert_true(at(&g, "output_norm.weight", 0) == 2 * LAYERS * DIM);
        assert_true(at(&g, "token_embd.weight", 0) == 2 * LAYERS * DIM + DIM);
        assert_int_equal(g.n, LAYERS * 9 + 2 + (size_t)own);
        hone_gguf_release(&g);
    }
    make(&m, 2, 0);
    assert_fails(hone_llama2c_parse(&g, m.bytes, m.n, NULL, 0, "test"), HONE_E_UNSUPPORTED,
                 "version 2");
}

static void test_files_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    static image m;
    hone_gguf g;
    for (int version = 0; version < 2; version++) {
        make(&m, version, 1);
        for (size_t n = 0; n < m.n; n += n < 300 ? 1 : 97)
            assert_int_equal(hone_llama2c_parse(&g, m.bytes, n, NULL, 0, "test"), HONE_E_PARSE);
        assert_fails(hone_llama2c_parse(&g, m.bytes, m.n + 4, NULL, 0, "test"), HONE_E_PARSE,
                     "4 bytes after the last tensor");
        /* each number of the header out of bounds */
        for (size_t i = 0; i < 7; i++) {
            static const int32_t odd[] = {0, INT32_MAX, INT32_MIN, 3};
            for (size_t k = 0; k < 4; k++) {
                image bad = m;
                memcpy(bad.bytes + (version ? 8 : 0) + 4 * i, &odd[k], 4);
                hone_status s = hone_llama2c_parse(&g, bad.bytes, bad.n, NULL, 0, "test");
                if (s >= 0) /* version 1 keeps no table by positions */
                    assert_true(version && i == 6);
                if (s >= 0)
                    hone_gguf_release(&g);
                else
                    assert_int_equal(s, HONE_E_PARSE);
            }
        }
    }
    assert_fails(hone_llama2c_parse(&g, "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32, NULL, 0, "test"),
                 HONE_E_UNSUPPORTED, "PyTorch");
}

static void test_tokenizer_beside_it(void **state)
{
    (void)state;
    static image m, t;
    hone_gguf g;
    static const char *const pieces[VOCAB] = {"<unk>", "\n<s>\n", "\n</s>\n", "<0x0A>", " a"};
    make(&m, 0, 0);
    memset(&t, 0, sizeof t);
    put32(&t, 7);
    for (int i = 0; i < VOCAB; i++) {
        t.next = (float)-i;
        put_floats(&t, 1);
        put32(&t, (int32_t)strlen(pieces[i]));
        memcpy(t.bytes + t.n, pieces[i], strlen(pieces[i]));
        t.n += strlen(pieces[i]);
    }
    assert_ok(hone_llama2c_parse(&g, m.bytes, m.n, t.bytes, t.n, "test"));
    const hone_value *tokens = hone_value_get(&g.metadata, "tokenizer.ggml.tokens");
    assert_true(hone_str_eq(tokens->u.list.items[1].u.str, "<s>"));
    assert_true(hone_str_eq(tokens->u.list.items[4].u.str, "\xe2\x96\x81"
                                                           "a"));
    assert_int_equal(
        hone_value_get(&g.metadata, "tokenizer.ggml.token_type")->u.list.items[3].u.i64, 6);
    assert_true(hone_value_get(&g.metadata, "tokenizer.ggml.scores")->u.list.items[4].u.f64 ==
                -4.0);
    hone_gguf_release(&g);
    for (size_t n = 0; n < t.n; n++)
        assert_fails(hone_llama2c_parse(&g, m.bytes, m.n, t.bytes, n, "test"), HONE_E_PARSE,
                     "token");
    assert_fails(hone_llama2c_parse(&g, m.bytes, m.n, t.bytes, t.n + 1, "test"), HONE_E_PARSE,
                 "1 bytes after its 5 tokens");
}

/* The same model as GGUF has the same tensors, to the bit, and the same tokens. */
static void test_stories_are_those_of_the_gguf_file(void **state)
{
    (void)state;
    const char *bin = shared_path("assets/models/stories260K/stories260K.bin");
    const char *gguf = shared_path("assets/models/stories260K/stories260K.gguf");
    hone_weights *a, *b;
    if (!bin || !gguf)
        skip_without("assets/models/stories260K");
    assert_ok(hone_weights_open(bin, 0, &a));
    assert_ok(hone_weights_open(gguf, 0, &b));
    assert_int_equal(hone_weights_count(a), 47);
    for (size_t i = 0; i < 47; i++) {
        const hone_file_tensor *x = hone_weights_tensor(a, i), *y;
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)x->name.len, x->name.ptr);
        y = hone_weights_find(b, name);
        assert_non_null(y);
        assert_int_equal(x->size, y->size);
        assert_memory_equal(x->data, y->data, x->size);
    }
    const hone_value *p = hone_value_get(hone_weights_config(a), "tokenizer.ggml.tokens"),
                     *q = hone_value_get(hone_weights_config(b), "tokenizer.ggml.tokens");
    assert_non_null(p);
    for (size_t i = 3; i < 512; i++)
        assert_true(hone_str_same(p->u.list.items[i].u.str, q->u.list.items[i].u.str));
    hone_weights_close(a);
    hone_weights_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy_layout),
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_files_that_do_not_add_up_are_refused),
        cmocka_unit_test(test_tokenizer_beside_it),
        cmocka_unit_test(test_stories_are_those_of_the_gguf_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
