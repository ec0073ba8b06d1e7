/* test_reader.c - a model as it lies on disk: folders, shards, GGUF, split GGUF, known names. */
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "nn/reader.h"
#include "nn/safetensors.h"

#include <sys/stat.h>

/* ---- folders of the test ---------------------------------------------------------------------------- */
static const char *folder(const char *name)
{
    static char path[4][300];
    static int turn;
    char *out = path[turn = (turn + 1) & 3];
    snprintf(out, sizeof path[0], "%s/%s", scratch_dir(), name);
    mkdir(out, 0777);
    return out;
}
static void text_file(const char *dir, const char *name, const char *text)
{
    char *path = hone_path_join(dir, name);
    assert_ok(hone_file_replace(path, text, strlen(text)));
    hone_free(path);
}
/* A safetensors file of one f32 matrix 2 x 2 and one vector of 3. */
static void weights_file(const char *dir, const char *name, const char *matrix, const char *vector)
{
    char *path = hone_path_join(dir, name);
    hone_safetensors_entry e[2] = {
        {.name = matrix, .type = HONE_FT_F32, .n_dims = 2, .dims = {2, 2}, .tag = 0},
        {.name = vector, .type = HONE_FT_F32, .n_dims = 1, .dims = {3}, .tag = 1}};
    static const float values[2][4] = {{1, 2, 3, 4}, {5, 6, 7}};
    hone_safetensors_writer w;
    assert_ok(hone_safetensors_create(&w, path, e, 2, NULL, 0));
    for (int i = 0; i < 2; i++)
        assert_ok(hone_safetensors_add(&w, values[e[i].tag], e[i].tag ? 3 : 4));
    assert_ok(hone_safetensors_close(&w));
    hone_free(path);
}

static void test_hugging_face_folder(void **state)
{
    (void)state;
    const char *dir = folder("hf");
    hone_weights *w;
    hone_tensor_reader r;
    hone_tensor_entry e;
    float out[4];
    text_file(dir, "config.json", "{\"model_type\":\"llama\",\"eos_token_id\":[2,5,2]}");
    text_file(dir, "tokenizer.json", "{\"model\":{}}");
    text_file(
        dir, "tokenizer_config.json",
        "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\",\"chat_template\":"
        "[{\"name\":\"rag\",\"template\":\"no\"},{\"name\":\"default\",\"template\":\"yes\"}]}");
    weights_file(dir, "model.safetensors", "m", "v");
    assert_ok(hone_weights_open(dir, 0, &w));
    assert_string_equal(hone_weights_format(w), "hf");
    assert_true(hone_str_eq(hone_value_get(hone_weights_config(w), "model_type")->u.str, "llama"));
    assert_null(hone_weights_generation_config(w));
    const hone_value *t = hone_weights_tokenizer(w);
    assert_true(hone_str_eq(hone_value_get(t, "format")->u.str, "tokenizer.json"));
    assert_int_equal(hone_value_get(t, "json")->type, HONE_MAP);
    assert_int_equal(hone_value_get(t, "config")->type, HONE_MAP);
    hone_weights_chat chat;
    hone_weights_get_chat(w, &chat);
    assert_true(hone_str_eq(chat.source, "yes") && hone_str_eq(chat.bos, "<s>") &&
                hone_str_eq(chat.eos, "</s>"));
    int32_t ids[1];
    assert_int_equal(hone_weights_stop_ids(w, ids, 1), 2); /* each once, all counted */
    assert_int_equal(ids[0], 2);

    hone_weights_reader(w, &r);
    assert_int_equal(r.gguf, 0);
    assert_int_equal(r.n_tensors, 2);
    assert_string_equal(r.name(r.ctx, 0), "m");
    assert_int_equal(r.find(r.ctx, "nothing", &e), 0);
    assert_int_equal(r.find(r.ctx, "m", &e), 1);
    assert_int_equal(e.rows, 2);
    assert_int_equal(e.cols, 2);
    assert_ok(r.read(r.ctx, &e, 1, 1, out));
    assert_true(out[0] == 3 && out[1] == 4);
    assert_fails(r.read(r.ctx, &e, 1, 2, out), HONE_E_RANGE, "rows 1 to 3");
    assert_int_equal(r.find(r.ctx, "v", &e), 1);
    assert_int_equal(e.rows, 3);
    assert_int_equal(e.cols, 0); /* a vector is one row of n */
    assert_ok(r.read(r.ctx, &e, 0, 1, out));
    assert_true(out[2] == 7);
    hone_weights_unmap(w);
    assert_fails(r.read(r.ctx, &e, 0, 1, out), HONE_E_STATE, "no longer mapped");
    hone_weights_close(w);

    /* the generation configuration and the template's own file come first */
    text_file(dir, "generation_config.json", "{\"eos_token_id\":9}");
    text_file(dir, "chat_template.jinja", "own");
    assert_ok(hone_weights_open(dir, HONE_WEIGHTS_NO_TENSORS, &w));
    assert_int_equal(hone_weights_count(w), 0);
    hone_weights_get_chat(w, &chat);
    assert_true(hone_str_eq(chat.source, "own"));
    assert_int_equal(hone_weights_stop_ids(w, ids, 1), 1);
    assert_int_equal(ids[0], 9);
    hone_weights_close(w);
}

static void test_shards_are_one_model(void **state)
{
    (void)state;
    const char *dir = folder("shards");
    hone_weights *w;
    text_file(dir, "config.json", "{}");
    weights_file(dir, "model-00001-of-00002.safetensors", "a", "b");
    weights_file(dir, "model-00002-of-00002.safetensors", "c", "d");
#define ONE "model-00001-of-00002.safetensors"
#define TWO "model-00002-of-00002.safetensors"
#define INDEX(text) text_file(dir, "model.safetensors.index.json", "{\"weight_map\":{" text "}}")
    INDEX("\"a\":\"" ONE "\",\"b\":\"" ONE "\",\"c\":\"" TWO "\",\"d\":\"" TWO "\"");
    assert_ok(hone_weights_open(dir, 0, &w));
    assert_int_equal(hone_weights_count(w), 4);
    assert_int_equal(hone_weights_files(w, NULL), 2);
    assert_int_equal(hone_weights_find(w, "d")->shard, 1);
    hone_weights_close(w);
    INDEX("\"a\":\"" ONE "\",\"b\":\"" ONE "\",\"c\":\"" TWO "\"");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_PARSE,
                 "\"d\" of " TWO " is not in the weight_map");
    INDEX("\"a\":\"" ONE "\",\"b\":\"" ONE "\",\"x\":\"" ONE "\"");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_NOT_FOUND, "\"x\" is not in " ONE);
    INDEX("\"a\":\"../hf/model.safetensors\"");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_PARSE, "no safetensors file of the folder");
    INDEX("\"a\":7");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_PARSE, "no safetensors file of the folder");
    INDEX("");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_PARSE, "no weight_map");
    INDEX("\"a\":\"model-00009-of-00002.safetensors\"");
    assert_true(hone_weights_open(dir, 0, &w) == HONE_E_NOT_FOUND);
    /* one name in both files */
    weights_file(dir, TWO, "a", "d");
    INDEX("\"a\":\"" ONE "\",\"b\":\"" ONE "\",\"d\":\"" TWO "\"");
    assert_true(hone_weights_open(dir, 0, &w) == HONE_E_PARSE);
}

/* A GGUF file with one vector of 8 f32; split.count when count > 0. */
static void gguf_file(const char *dir, const char *name, const char *tensor, uint16_t count)
{
    hone_buf b;
    char *path = hone_path_join(dir, name);
    hone_buf_init(&b, 1 << 16);
    hone_buf_add(&b, "GGUF\3\0\0\0\1\0\0\0\0\0\0\0", 16);
    hone_buf_add(&b, count ? "\1\0\0\0\0\0\0\0" : "\0\0\0\0\0\0\0\0", 8);
    if (count) {
        hone_buf_add(&b, "\x0b\0\0\0\0\0\0\0split.count\2\0\0\0", 23);
        hone_buf_addc(&b, (char)count);
        hone_buf_addc(&b, 0);
    }
    hone_buf_addc(&b, (char)strlen(tensor));
    hone_buf_add(&b, "\0\0\0\0\0\0\0", 7);
    hone_buf_adds(&b, tensor);
    hone_buf_add(&b, "\1\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
    while (b.len % 32)
        hone_buf_addc(&b, 0);
    for (int i = 0; i < 32; i++)
        hone_buf_addc(&b, 0);
    assert_ok(hone_file_replace(path, b.ptr, b.len));
    hone_free(path);
    hone_buf_release(&b);
}

static void test_gguf_alone_in_a_folder_and_split(void **state)
{
    (void)state;
    hone_weights *w;
    hone_tensor_reader r;
    const char *dir = folder("gguf");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_NOT_FOUND,
                 "neither config.json nor a .gguf file");
    gguf_file(dir, "one.gguf", "t", 0);
    assert_ok(hone_weights_open(dir, 0, &w));
    assert_string_equal(hone_weights_format(w), "gguf");
    hone_weights_reader(w, &r);
    assert_int_equal(r.gguf, 1);
    assert_non_null(hone_weights_find(w, "t"));
    assert_null(hone_weights_tokenizer(w));
    hone_weights_close(w);
    gguf_file(dir, "two.gguf", "t", 0);
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_INVALID, "2 GGUF files");

    dir = folder("split");
    gguf_file(dir, "m-00001-of-00002.gguf", "t", 2);
    gguf_file(dir, "m-00002-of-00002.gguf", "u", 2);
    assert_ok(hone_weights_open(dir, 0, &w));
    assert_int_equal(hone_weights_count(w), 2);
    assert_int_equal(hone_weights_find(w, "u")->shard, 1);
    hone_weights_close(w);
    gguf_file(dir, "m-00002-of-00002.gguf", "t", 2);
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_PARSE, "\"t\" is in an earlier file");
    char *second = hone_path_join(dir, "m-00002-of-00002.gguf");
    assert_int_equal(unlink(second), 0);
    hone_free(second);
    assert_true(hone_weights_open(dir, 0, &w) == HONE_E_NOT_FOUND);
    dir = folder("split-renamed");
    gguf_file(dir, "m.gguf", "t", 2);
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_NOT_FOUND, "one of 2 files");
}

static void test_names_stand_for_folders(void **state)
{
    (void)state;
    hone_weights *w;
    char *path;
    assert_fails(hone_weights_locate("no-such-model", &path), HONE_E_NOT_FOUND, "no-such-model");
    assert_non_null(strstr(hone_error_get()->detail, "tiny"));
    assert_non_null(strstr(hone_error_get()->hint, "fetch-model"));
    const char *models = folder("cache/hone/models");
    mkdir(models, 0777);
    gguf_file(folder("cache/hone/models/mine"), "m.gguf", "t", 0);
    assert_ok(hone_weights_open("mine", 0, &w));
    assert_string_equal(strstr(hone_weights_path(w), "cache/"), "cache/hone/models/mine");
    hone_weights_close(w);
    assert_fails(hone_weights_locate("no-such-model", &path), HONE_E_NOT_FOUND, "no-such-model");
    assert_non_null(strstr(hone_error_get()->detail, "tiny mine"));
    assert_fails(hone_weights_locate("", &path), HONE_E_USAGE, "empty");
    assert_fails(hone_weights_locate("no/such", &path), HONE_E_NOT_FOUND, "no/such");
    const char *dir = folder("parts");
    text_file(dir, "model.safetensors", "");
    char *part = hone_path_join(dir, "model.safetensors");
    assert_fails(hone_weights_open(part, 0, &w), HONE_E_INVALID,
                 "one file of a Hugging Face model");
    assert_non_null(strstr(hone_error_get()->hint, dir));
    hone_free(part);
}

static void test_broken_folders_are_refused(void **state)
{
    (void)state;
    hone_weights *w;
    const char *dir = folder("broken");
    text_file(dir, "config.json", "{}");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_NOT_FOUND,
                 "neither model.safetensors nor its index");
    text_file(dir, "config.json", "[]");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_PARSE, "config.json: no JSON object");
    text_file(dir, "config.json", "{\"a\":");
    assert_fails(hone_weights_open(dir, 0, &w), HONE_E_PARSE, "config.json");
    text_file(dir, "config.json", "{}");
    text_file(dir, "tokenizer.json", "nonsense");
    assert_fails(hone_weights_open(dir, HONE_WEIGHTS_NO_TENSORS, &w), HONE_E_PARSE,
                 "tokenizer.json");
}

static hone_status open_and_close(const char *dir)
{
    hone_weights *w;
    HONE_TRY(hone_weights_open(dir, 0, &w));
    hone_weights_close(w);
    return HONE_OK;
}
static void test_no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_survives_no_memory(open_and_close(folder("hf")));
    const char *dir = folder("shards-whole");
    text_file(dir, "config.json", "{}");
    weights_file(dir, ONE, "a", "b");
    INDEX("\"a\":\"" ONE "\",\"b\":\"" ONE "\"");
    assert_survives_no_memory(open_and_close(dir));
    dir = folder("gguf-whole");
    gguf_file(dir, "one.gguf", "t", 0);
    assert_survives_no_memory(open_and_close(dir));
}

/* Known names are looked for below the test's own cache. */
static int set_up(void **state)
{
    (void)state;
    folder("cache"), folder("cache/hone");
    setenv("XDG_CACHE_HOME", folder("cache"), 1);
    return 0;
}

/* Three dimensions are read by name, but are no matrix for a model. */
static void test_a_tensor_of_three_dimensions_is_no_matrix(void **state)
{
    (void)state;
    const char *dir = folder("cube");
    hone_weights *w;
    hone_tensor_reader r;
    hone_tensor_entry found;
    hone_safetensors_entry e = {.name = "t", .type = HONE_FT_F32, .n_dims = 3, .dims = {1, 1, 1}};
    hone_safetensors_writer out;
    float one = 1;
    char *path = hone_path_join(dir, "model.safetensors");
    text_file(dir, "config.json", "{}");
    assert_ok(hone_safetensors_create(&out, path, &e, 1, NULL, 0));
    assert_ok(hone_safetensors_add(&out, &one, 1));
    assert_ok(hone_safetensors_close(&out));
    hone_free(path);
    assert_ok(hone_weights_open(dir, 0, &w));
    hone_weights_reader(w, &r);
    assert_int_equal(r.find(r.ctx, "t", &found), HONE_E_SHAPE);
    hone_weights_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hugging_face_folder),
        cmocka_unit_test(test_shards_are_one_model),
        cmocka_unit_test(test_gguf_alone_in_a_folder_and_split),
        cmocka_unit_test(test_names_stand_for_folders),
        cmocka_unit_test(test_a_tensor_of_three_dimensions_is_no_matrix),
        cmocka_unit_test(test_broken_folders_are_refused),
        cmocka_unit_test(test_no_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
