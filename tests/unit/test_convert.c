/* test_convert.c - GGUF files are written whole and right: fields, refusals, permuted rows, tokenizers. */
#include "hone/plugin.h" /* before cmocka, which has a macro of the name of host->fail */

#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "nn/convert.h"
#include "nn/gguf_tokenizer.h"
#include "nn/gguf_write.h"
#include "nn/hf.h"
#include "nn/safetensors.h"

#include <math.h>

/* ---- the writer -------------------------------------------------------------------------------------- */
static const hone_value *pair(const hone_gguf *g, const char *key)
{
    const hone_value *v = hone_value_get(&g->metadata, key);
    if (!v)
        fail_msg("no key %s", key);
    return v;
}

static hone_status write_two(const char *path, hone_gguf_meta *meta)
{
    hone_gguf_entry e[2] = {{.name = "a", .type = HONE_FT_F32, .n_dims = 1, .dims = {3}},
                            {.name = "b", .type = HONE_FT_Q8_0, .n_dims = 2, .dims = {2, 32}}};
    float a[3] = {1.0f, 2.5f, -3.0f}, b[64];
    unsigned char blocks[68];
    hone_gguf_writer w;
    for (int i = 0; i < 64; i++)
        b[i] = (float)(i - 32);
    hone_file_type_get(HONE_FT_Q8_0)->narrow(b, blocks, 2);
    HONE_TRY(hone_gguf_create(&w, path, meta, e, 2));
    hone_status s = hone_gguf_add(&w, a, 4);
    if (s >= 0)
        s = hone_gguf_add(&w, a + 1, 8);
    if (s >= 0)
        s = hone_gguf_add(&w, blocks, sizeof blocks);
    if (s < 0) {
        hone_gguf_abandon(&w);
        return s;
    }
    return hone_gguf_close(&w);
}

static void test_a_written_file_is_read_back(void **state)
{
    (void)state;
    static const float scores[2] = {-1.5f, 0.25f};
    static const int32_t kinds[3] = {1, -2, 3};
    const hone_str texts[2] = {hone_str_c("caf\xc3\xa9"), hone_str_c("")};
    const char *path = scratch_path("two.gguf");
    hone_gguf_meta meta;
    hone_gguf g;
    hone_gguf_meta_init(&meta);
    hone_gguf_meta_u32(&meta, "u", 7);
    hone_gguf_meta_u32(&meta, "u", 8); /* what is said first counts */
    hone_gguf_meta_f32(&meta, "f", 1e-5f);
    hone_gguf_meta_bool(&meta, "t", 1);
    hone_gguf_meta_str(&meta, "s", hone_str_c("text"));
    hone_gguf_meta_f32s(&meta, "fs", scores, 2);
    hone_gguf_meta_i32s(&meta, "is", kinds, 3);
    hone_gguf_meta_strs(&meta, "ss", texts, 2);
    assert_true(hone_gguf_meta_has(&meta, "ss"));
    assert_ok(write_two(path, &meta));
    hone_gguf_meta_release(&meta);
    assert_ok(hone_gguf_open(&g, path));
    assert_int_equal(g.version, 3);
    assert_int_equal(pair(&g, "u")->u.i64, 7);
    assert_true(pair(&g, "f")->u.f64 == 1e-5);
    assert_int_equal(pair(&g, "t")->type, HONE_BOOL);
    assert_true(hone_str_eq(pair(&g, "s")->u.str, "text"));
    assert_true(pair(&g, "fs")->u.list.items[1].u.f64 == 0.25);
    assert_int_equal(pair(&g, "is")->u.list.items[1].u.i64, -2);
    assert_true(hone_str_eq(pair(&g, "ss")->u.list.items[0].u.str, "caf\xc3\xa9"));
    assert_int_equal(g.n, 2);
    float x[64];
    hone_file_tensor_read(&g.tensors[0], 0, 3, x);
    assert_true(x[1] == 2.5f);
    assert_int_equal(g.tensors[1].dims[0], 2);
    hone_file_tensor_read(&g.tensors[1], 0, 64, x);
    assert_true(fabsf(x[63] - 31.0f) < 0.2f);
    /* a copy of every pair's bytes is the same metadata */
    hone_gguf_meta_init(&meta);
    for (size_t i = 0; i < g.metadata.u.map.n; i++)
        hone_gguf_meta_raw(&meta, g.metadata.u.map.pairs[i].key, g.raw[i]);
    const char *copy = scratch_path("copy.gguf");
    assert_ok(write_two(copy, &meta));
    hone_gguf_meta_release(&meta);
    hone_mapped a, b;
    assert_ok(hone_file_map(path, &a));
    assert_ok(hone_file_map(copy, &b));
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.ptr, b.ptr, a.len);
    hone_file_unmap(&a);
    hone_file_unmap(&b);
    hone_gguf_release(&g);
}

static void test_values_become_their_kind(void **state)
{
    (void)state;
    static const char json[] =
        "{\"n\":5,\"big\":4294967296,\"x\":2.0,\"b\":true,\"s\":\"t\","
        "\"ns\":[1,2],\"xs\":[1,2.5],\"ss\":[\"a\"],\"m\":{},\"z\":null,\"mix\":[1,\"a\"]}";
    static const uint32_t kinds[] = {4, 11, 6, 7, 8, 9, 9, 9};
    hone_arena arena;
    hone_value root;
    hone_gguf_meta meta;
    hone_arena_init(&arena, 0);
    hone_gguf_meta_init(&meta);
    assert_ok(hone_json_parse(json, strlen(json), "test", &arena, &root));
    for (size_t i = 0; i < 8; i++) {
        size_t at = meta.bytes.len + 8 + root.u.map.pairs[i].key.len;
        assert_ok(hone_gguf_meta_value(&meta, root.u.map.pairs[i].key, &root.u.map.pairs[i].value));
        assert_int_equal((unsigned char)meta.bytes.ptr[at], kinds[i]);
    }
    assert_fails(hone_gguf_meta_value(&meta, hone_str_c("m"), hone_value_get(&root, "m")),
                 HONE_E_UNSUPPORTED, "\"m\": GGUF holds no map");
    assert_fails(hone_gguf_meta_value(&meta, hone_str_c("z"), hone_value_get(&root, "z")),
                 HONE_E_UNSUPPORTED, "null");
    assert_fails(hone_gguf_meta_value(&meta, hone_str_c("mix"), hone_value_get(&root, "mix")),
                 HONE_E_UNSUPPORTED, "more than one kind");
    assert_int_equal(meta.n, 8);
    hone_gguf_meta_release(&meta);
    hone_arena_release(&arena);
}

static void test_files_that_would_be_wrong_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("refused.gguf");
    char name[80];
    hone_gguf_meta meta;
    hone_gguf_writer w;
    hone_gguf_meta_init(&meta);
    memset(name, 'n', sizeof name);
    name[64] = 0;
    hone_gguf_entry e[2] = {{.name = "a", .type = HONE_FT_F32, .n_dims = 1, .dims = {2}},
                            {.name = "a", .type = HONE_FT_F32, .n_dims = 1, .dims = {2}}};
    assert_fails(hone_gguf_create(&w, path, &meta, e, 2), HONE_E_INVALID, "\"a\" twice");
    e[1].name = name;
    assert_fails(hone_gguf_create(&w, path, &meta, e, 2), HONE_E_INVALID, "64 bytes");
    e[1].name = "b", e[1].type = HONE_FT_Q4_0;
    assert_fails(hone_gguf_create(&w, path, &meta, e, 2), HONE_E_SHAPE, "tensor \"b\"");
    e[1].type = HONE_FT_BOOL;
    assert_fails(hone_gguf_create(&w, path, &meta, e, 2), HONE_E_INVALID, "not of GGUF");
    e[1].type = HONE_FT_F32;
    assert_ok(hone_gguf_create(&w, path, &meta, e, 2));
    assert_ok(hone_gguf_add(&w, "12345678", 8));
    assert_fails(hone_gguf_add(&w, "123456789", 9), HONE_E_STATE, "\"b\"");
    assert_fails(hone_gguf_close(&w), HONE_E_STATE, "not written whole");
    assert_false(hone_file_exists(path));
    hone_gguf_meta_release(&meta);
}

/* ---- converting -------------------------------------------------------------------------------------- */
static hone_str fake_config(void *self)
{
    (void)self;
    return hone_str_c("{\"model_type\":\"fake\"}");
}
static hone_str fake_gguf(void *self)
{
    (void)self;
    return hone_str_c("{\"general.architecture\":\"fake\",\"fake.block_count\":1,"
                      "\"hone.tensor.factors\":[1.0, 2.5]}");
}
static const hone_model_v1 fake_vt = {
    .struct_size = sizeof fake_vt, .config_json = fake_config, .gguf_json = fake_gguf};

enum { ROWS = 8, COLS = 32 }; /* q: two heads of four rows */

static hone_status declare(hone_model *m, int seal)
{
    static const struct {
        const char *name, *gguf, *role;
        int64_t rows, cols;
        uint32_t flags, heads;
    } list[] = {{"model.q.weight", "blk.0.attn_q.weight", "q", ROWS, COLS, 0, 2},
                {"model.q.bias", "blk.0.attn_q.bias", "bias", ROWS, 0, HONE_PARAM_BIAS, 2},
                {"model.v.weight", "blk.0.attn_v.weight", "v", ROWS, COLS, 0, 0},
                {"model.norm.weight", "output_norm.weight", "norm", COLS, 0, HONE_PARAM_NORM, 0}};
    memset(m, 0, sizeof *m);
    m->vt = &fake_vt;
    m->info.n_layers = 1;
    m->info.vocab_size = 4;
    strcpy(m->id, "org.test.model.fake");
    HONE_TRY(hone_params_create(&m->params));
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        hone_param_spec s = {.struct_size = sizeof s,
                             .name = list[i].name,
                             .gguf_name = list[i].gguf,
                             .role = list[i].role,
                             .rows = list[i].rows,
                             .cols = list[i].cols,
                             .flags = list[i].flags,
                             .gguf_permute_heads = list[i].heads};
        hone_param p = hone_params_declare(m->params, &s);
        if (p < 0)
            return p;
    }
    return seal ? hone_params_seal(m->params) : HONE_OK;
}

/* A folder whose row r of q and v holds r + its column's tenth; the bias of row r is r; one value is odd. */
static const char *make_folder(const char *name, float odd)
{
    hone_model m;
    float row[COLS];
    const char *dir = scratch_path(name);
    assert_ok(declare(&m, 1));
    for (hone_param i = 0; i < 4; i++) {
        const hone_param_item *it = hone_params_item(m.params, i);
        for (int r = 0; r < (it->is_vector ? 1 : ROWS); r++) {
            for (int c = 0; c < (int)it->cols; c++)
                row[c] = it->is_vector ? (float)c : (float)r + 0.1f * (float)c;
            if (i == 2 && r == 5)
                row[3] = odd;
            assert_ok(hone_params_set_rows(m.params, i, r, 1, row));
        }
    }
    hone_hf_options o = {.type = HONE_FT_F32};
    assert_ok(hone_hf_write(dir, &m, &o));
    hone_params_destroy(m.params);
    return dir;
}

static hone_status convert(const char *from, const char *to, const char *type, uint32_t flags,
                           hone_convert_report *report)
{
    hone_model m;
    hone_weights *w;
    HONE_TRY(hone_weights_open(from, 0, &w));
    hone_status s = declare(&m, 0);
    hone_convert_options o = {.type = hone_convert_type_named(type), .flags = flags};
    if (s >= 0)
        s = hone_convert_gguf(to, w, &m, &o, report);
    hone_params_destroy(m.params);
    hone_weights_close(w);
    return s;
}

static void test_rows_of_q_are_permuted_and_put_back(void **state)
{
    (void)state;
    const char *dir = make_folder("perm", 1.0f), *path = scratch_path("perm.gguf");
    const char *back = scratch_path("perm-back");
    hone_convert_report report;
    hone_weights *w;
    float x;
    assert_ok(convert(dir, path, "f32", 0, &report));
    assert_int_equal(report.tensors, 5);
    assert_ok(hone_weights_open(path, 0, &w));
    /* head 0 has rows 0 1 2 3: pairs (0, 2), (1, 3) become neighbours */
    static const int order[ROWS] = {0, 2, 1, 3, 4, 6, 5, 7};
    for (int r = 0; r < ROWS; r++) {
        hone_file_tensor_read(hone_weights_find(w, "blk.0.attn_q.weight"), r * COLS, 1, &x);
        assert_true(x == (float)order[r]);
        hone_file_tensor_read(hone_weights_find(w, "blk.0.attn_q.bias"), r, 1, &x);
        assert_true(x == (float)order[r]);
        hone_file_tensor_read(hone_weights_find(w, "blk.0.attn_v.weight"), r * COLS, 1, &x);
        assert_true(x == (float)r);
    }
    hone_file_tensor_read(hone_weights_find(w, "factors"), 1, 1, &x);
    assert_true(x == 2.5f);
    hone_model m;
    hone_tensor_reader reader;
    assert_ok(declare(&m, 0));
    hone_weights_reader(w, &reader);
    hone_hf_options o = {.type = HONE_FT_COUNT, .from = &reader};
    assert_ok(hone_hf_write(back, &m, &o));
    hone_params_destroy(m.params);
    hone_weights_close(w);
    hone_mapped a, b;
    char file[2][300];
    snprintf(file[0], sizeof file[0], "%s/model.safetensors", dir);
    snprintf(file[1], sizeof file[1], "%s/model.safetensors", back);
    assert_ok(hone_file_map(file[0], &a));
    assert_ok(hone_file_map(file[1], &b));
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.ptr, b.ptr, a.len);
    hone_file_unmap(&a);
    hone_file_unmap(&b);
}

static void test_values_a_type_cannot_hold_are_named(void **state)
{
    (void)state;
    const char *path = scratch_path("odd.gguf");
    const char *nan = make_folder("nan", NAN), *huge = make_folder("huge", 1e6f);
    assert_fails(convert(nan, path, "q8_0", 0, NULL), HONE_E_RANGE,
                 "\"blk.0.attn_v.weight\", row 5: q8_0 cannot hold nan");
    assert_fails(convert(huge, path, "q4_0", 0, NULL), HONE_E_RANGE, "cannot hold 1e+06");
    assert_fails(convert(huge, path, "f16", 0, NULL), HONE_E_RANGE, "f16 cannot hold 1e+06");
    assert_false(hone_file_exists(path));
    assert_ok(convert(huge, path, "bf16", 0, NULL));
    assert_fails(convert(huge, path, "bf16", 0, NULL), HONE_E_EXISTS, "is there already");
    assert_ok(convert(nan, path, "bf16", HONE_CONVERT_OVERWRITE, NULL));
}

static void test_rows_that_do_not_fit_take_the_next_type(void **state)
{
    (void)state;
    static const struct {
        uint32_t from;
        int64_t cols;
        uint32_t to;
    } cases[] = {
        {HONE_FT_Q4_K, 512, HONE_FT_Q4_K},   {HONE_FT_Q2_K, 320, HONE_FT_IQ4_NL},
        {HONE_FT_Q3_K, 320, HONE_FT_IQ4_NL}, {HONE_FT_IQ4_XS, 320, HONE_FT_IQ4_NL},
        {HONE_FT_Q4_K, 320, HONE_FT_Q5_0},   {HONE_FT_Q5_K, 320, HONE_FT_Q5_1},
        {HONE_FT_Q6_K, 320, HONE_FT_Q8_0},   {HONE_FT_Q6_K, 33, HONE_FT_F16},
        {HONE_FT_Q8_0, 33, HONE_FT_F16},     {HONE_FT_F32, 33, HONE_FT_F32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            hone_file_type_for_rows(hone_file_type_get(cases[i].from), cases[i].cols)->id,
            cases[i].to);
}

/* ---- tokenizers -------------------------------------------------------------------------------------- */
static void write_text(const char *dir, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_ok(hone_mkdirs(dir));
    assert_ok(hone_file_replace(path, text, strlen(text)));
}

static hone_status put_tokenizer(const char *dir, hone_gguf_meta *meta, const char *pre)
{
    hone_weights *w;
    HONE_TRY(hone_weights_open(dir, HONE_WEIGHTS_NO_TENSORS, &w));
    hone_gguf_meta_init(meta);
    hone_status s = hone_gguf_put_tokenizer(meta, w, 8, pre);
    hone_weights_close(w);
    return s;
}

/* Writes the metadata into a file and opens it. */
static void reopen(hone_gguf_meta *meta, const char *path, hone_gguf *g)
{
    hone_gguf_writer w;
    assert_ok(hone_gguf_create(&w, path, meta, NULL, 0));
    assert_ok(hone_gguf_close(&w));
    hone_gguf_meta_release(meta);
    assert_ok(hone_gguf_open(g, path));
}

#define SPM                                                                                        \
    "{\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true},"                        \
    "{\"id\":1,\"content\":\"<s>\",\"special\":true},"                                             \
    "{\"id\":6,\"content\":\"[mine]\",\"special\":false}],"                                        \
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","                \
    "\"prepend\":\"_\"}]},\"pre_tokenizer\":null,"                                                 \
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"           \
    "{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]},"               \
    "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":"        \
    "{\"<unk>\":0,\"<s>\":1,\"<0x41>\":2,\"a\":3,\"b\":4,\"ab\":5},\"merges\":[%s]}}"

static void test_a_vocabulary_with_scores(void **state)
{
    (void)state;
    char json[2048];
    hone_gguf_meta meta;
    hone_gguf g;
    const char *dir = scratch_path("spm");
    snprintf(json, sizeof json, SPM, "[\"a\",\"b\"]");
    write_text(dir, "tokenizer.json", json);
    write_text(dir, "tokenizer_config.json",
               "{\"bos_token\":\"<s>\",\"chat_template\":\"{{ 1 }}\"}");
    write_text(dir, "config.json", "{\"eos_token_id\":[4,3],\"bos_token_id\":1}");
    assert_ok(put_tokenizer(dir, &meta, NULL));
    reopen(&meta, scratch_path("spm.gguf"), &g);
    const hone_value *kinds = pair(&g, "tokenizer.ggml.token_type"),
                     *scores = pair(&g, "tokenizer.ggml.scores"),
                     *tokens = pair(&g, "tokenizer.ggml.tokens");
    static const int64_t want[8] = {2, 3, 6, 1, 1, 1, 4, 5};
    assert_int_equal(tokens->u.list.n, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(kinds->u.list.items[i].u.i64, want[i]);
    assert_true(scores->u.list.items[5].u.f64 == -1.0); /* the first merge */
    assert_true(scores->u.list.items[3].u.f64 < -1.0);
    assert_true(hone_str_eq(tokens->u.list.items[6].u.str, "[mine]"));
    assert_true(hone_str_eq(pair(&g, "tokenizer.ggml.model")->u.str, "llama"));
    assert_int_equal(pair(&g, "tokenizer.ggml.bos_token_id")->u.i64, 1);
    assert_int_equal(pair(&g, "tokenizer.ggml.eos_token_id")->u.i64, 4);
    assert_int_equal(pair(&g, "tokenizer.ggml.eot_token_id")->u.i64, 3);
    assert_true(pair(&g, "tokenizer.ggml.add_bos_token")->u.boolean);
    assert_true(pair(&g, "tokenizer.ggml.add_space_prefix")->u.boolean);
    assert_true(hone_str_eq(pair(&g, "tokenizer.chat_template")->u.str, "{{ 1 }}"));
    hone_gguf_release(&g);
}

static void test_vocabularies_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
        hone_status code;
    } cases[] = {
        {"{\"model\":{\"type\":\"BPE\"}}", "no vocab", HONE_E_PARSE},
        {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "both have id 0", HONE_E_PARSE},
        {"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}", "no id below", HONE_E_PARSE},
        {"{\"model\":{\"vocab\":{\"a\":99999999},\"merges\":[]}}", "100000000 ids", HONE_E_LIMIT},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0},\"merges\":[]}}", "Unigram",
         HONE_E_UNSUPPORTED},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}", "neither byte-level",
         HONE_E_UNSUPPORTED},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0},"
         "\"merges\":[\"ab\"]}}",
         "merge 0 is no pair", HONE_E_PARSE},
        {"{\"model\":{\"byte_fallback\":true,\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"a\"]]}}",
         "merge 0 makes no token", HONE_E_PARSE},
        {"{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
         "\"pattern\":"
         "{\"Regex\":\"x+\"},\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\"}]},"
         "\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
         "pre-tokenizer", HONE_E_UNSUPPORTED},
    };
    hone_gguf_meta meta;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[32];
        snprintf(name, sizeof name, "bad%zu", i);
        const char *dir = scratch_path(name);
        write_text(dir, "tokenizer.json", cases[i].json);
        assert_fails(put_tokenizer(dir, &meta, NULL), cases[i].code, cases[i].text);
        hone_gguf_meta_release(&meta);
    }
    /* a name that is given stands for rules that are not known */
    assert_ok(put_tokenizer(scratch_path("bad8"), &meta, "mine"));
    hone_gguf_meta_release(&meta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_written_file_is_read_back),
        cmocka_unit_test(test_values_become_their_kind),
        cmocka_unit_test(test_files_that_would_be_wrong_are_refused),
        cmocka_unit_test(test_rows_of_q_are_permuted_and_put_back),
        cmocka_unit_test(test_values_a_type_cannot_hold_are_named),
        cmocka_unit_test(test_rows_that_do_not_fit_take_the_next_type),
        cmocka_unit_test(test_a_vocabulary_with_scores),
        cmocka_unit_test(test_vocabularies_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
