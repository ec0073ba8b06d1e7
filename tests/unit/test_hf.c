/* test_hf.c - a written folder is read back equal; it appears whole or not at all. */
#include "hone/plugin.h" /* before cmocka, which has a macro of the name of host->fail */

#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "nn/hf.h"
#include "nn/peft.h"
#include "nn/safetensors.h"

#include <sys/stat.h>

/* ---- a model of three parameters ---------------------------------------------------------------------- */
static hone_str fake_config(void *self)
{
    (void)self;
    return hone_str_c("{\"model_type\":\"fake\",\"torch_dtype\":\"float64\",\"hidden_size\":4}");
}
static const hone_model_v1 fake_vt = {.struct_size = sizeof fake_vt, .config_json = fake_config};

enum { ROWS = 8, COLS = 4 }; /* q: two heads of four rows */

static hone_status make_model(hone_model *m)
{
    memset(m, 0, sizeof *m);
    m->vt = &fake_vt;
    HONE_TRY(hone_params_create(&m->params));
    hone_param_spec q = {.struct_size = sizeof q,
                         .name = "layers.0.q_proj.weight",
                         .gguf_name = "blk.0.attn_q.weight",
                         .role = "q",
                         .rows = ROWS,
                         .cols = COLS,
                         .gguf_permute_heads = 2};
    hone_param_spec v = q, n = q;
    v.name = "layers.0.v_proj.weight", v.gguf_name = "blk.0.attn_v.weight", v.role = "v",
    v.gguf_permute_heads = 0;
    n.name = "norm.weight", n.gguf_name = "output_norm.weight", n.role = "norm", n.rows = COLS,
    n.cols = 0;
    n.flags = HONE_PARAM_NORM, n.gguf_permute_heads = 0;
    hone_status s = hone_params_declare(m->params, &q);
    if (s >= 0)
        s = hone_params_declare(m->params, &v);
    if (s >= 0)
        s = hone_params_declare(m->params, &n);
    if (s >= 0)
        s = hone_params_seal(m->params);
    for (hone_param i = 0; s >= 0 && i < 3; i++)
        for (int r = 0; s >= 0 && r < (i == 2 ? 1 : ROWS); r++) {
            float row[COLS];
            for (int c = 0; c < COLS; c++)
                row[c] = (float)(100 * i + 10 * r + c) + 0.001f;
            s = hone_params_set_rows(m->params, i, r, 1, row);
        }
    if (s < 0) {
        hone_params_destroy(m->params);
        m->params = NULL;
    }
    return s < 0 ? s : HONE_OK;
}

static float value(const hone_weights *w, const char *name, int64_t r, int64_t c)
{
    float x;
    const hone_file_tensor *t = hone_weights_find(w, name);
    assert_non_null(t);
    hone_file_tensor_read(t, r * t->cols + c, 1, &x);
    return x;
}

static const char *out_path(const char *name)
{
    return scratch_path(name);
}

/* Names in the scratch folder that end in .tmp-...: there must be none. */
static void assert_no_leftovers(void)
{
    char **names;
    size_t n;
    assert_ok(hone_list_dir(scratch_dir(), &names, &n));
    for (size_t i = 0; i < n; i++)
        assert_null(strstr(names[i], ".tmp-"));
    hone_names_free(names, n);
}

static void test_saved_model_is_read_back(void **state)
{
    (void)state;
    hone_model m;
    hone_weights *w;
    const char *dir = out_path("saved");
    assert_ok(make_model(&m));
    hone_hf_options o = {.type = HONE_FT_F32};
    assert_ok(hone_hf_write(dir, &m, &o));
    assert_ok(hone_weights_open(dir, 0, &w));
    assert_int_equal(hone_weights_count(w), 3);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++)
            assert_true(value(w, "layers.0.v_proj.weight", r, c) ==
                        (float)(100 + 10 * r + c) + 0.001f);
    const hone_file_tensor *norm = hone_weights_find(w, "norm.weight");
    assert_int_equal(norm->n_dims, 1);
    assert_int_equal(norm->dims[0], COLS);
    const hone_value *config = hone_weights_config(w);
    assert_true(hone_str_eq(hone_value_get(config, "torch_dtype")->u.str, "float32"));
    assert_int_equal(hone_value_get(config, "hidden_size")->u.i64, 4);
    hone_weights_close(w);
    assert_fails(hone_hf_write(dir, &m, &o), HONE_E_EXISTS, "there already");

    /* narrowed, and replacing */
    assert_ok(hone_hf_save(&m, NULL, dir, HONE_BF16, 0));
    assert_ok(hone_weights_open(dir, 0, &w));
    assert_true(value(w, "norm.weight", 0, 3) == 203.0f);
    assert_true(
        hone_str_eq(hone_value_get(hone_weights_config(w), "torch_dtype")->u.str, "bfloat16"));
    hone_weights_close(w);
    assert_fails(hone_hf_save(&m, NULL, dir, HONE_I32, 0), HONE_E_UNSUPPORTED, "f32, bf16 or f16");
    assert_no_leftovers();
    hone_params_destroy(m.params);
}

static void test_shards_and_index_make_one_model(void **state)
{
    (void)state;
    hone_model m;
    hone_weights *w;
    const char *dir = out_path("sharded");
    assert_ok(make_model(&m));
    hone_hf_options o = {.type = HONE_FT_F32, .shard_bytes = ROWS * COLS * 4};
    assert_ok(hone_hf_write(dir, &m, &o));
    assert_ok(hone_weights_open(dir, 0, &w));
    assert_int_equal(hone_weights_files(w, NULL), 3);
    assert_int_equal(hone_weights_count(w), 3);
    assert_true(value(w, "layers.0.q_proj.weight", 7, 3) == 73.001f);
    hone_weights_close(w);
    hone_params_destroy(m.params);
}

/* A GGUF-like file whose row r of every matrix holds r in each element. */
static int32_t gguf_find(void *ctx, const char *name, hone_tensor_entry *out)
{
    const int *wrong = ctx;
    if (*wrong == 2 && strcmp(name, "blk.0.attn_v.weight") == 0)
        return 0;
    if (strcmp(name, "output_norm.weight") == 0)
        *out = (hone_tensor_entry){.rows = COLS};
    else if (strncmp(name, "blk.0.attn_", 11) == 0)
        *out = (hone_tensor_entry){.rows = ROWS + (*wrong == 1), .cols = COLS};
    else
        return 0;
    return 1;
}
static hone_status gguf_read(void *ctx, const hone_tensor_entry *e, int64_t first, int64_t n,
                             float *out)
{
    (void)ctx;
    for (int64_t r = 0; r < n; r++)
        for (int c = 0; c < COLS; c++)
            out[r * COLS + c] = (float)(first + r);
    (void)e;
    return HONE_OK;
}

static void test_conversion_undoes_the_rotary_permutation(void **state)
{
    (void)state;
    static const float want[ROWS] = {0, 2, 1, 3, 4, 6, 5, 7}; /* two heads of four: 0 2 | 1 3 */
    hone_model m;
    hone_weights *w;
    int wrong = 0;
    const char *dir = out_path("converted");
    assert_ok(make_model(&m));
    hone_tensor_reader reader = {.ctx = &wrong,
                                 .place = "x.gguf",
                                 .gguf = 1,
                                 .find = gguf_find,
                                 .read = gguf_read,
                                 .n_tensors = 3};
    hone_hf_options o = {.type = HONE_FT_F16, .from = &reader};
    assert_ok(hone_hf_write(dir, &m, &o));
    assert_ok(hone_weights_open(dir, 0, &w));
    for (int r = 0; r < ROWS; r++) {
        assert_true(value(w, "layers.0.q_proj.weight", r, 1) == want[r]);
        assert_true(value(w, "layers.0.v_proj.weight", r, 1) == (float)r);
    }
    hone_weights_close(w);
    wrong = 1;
    o.flags = HONE_HF_OVERWRITE;
    assert_fails(hone_hf_write(dir, &m, &o), HONE_E_SHAPE, "blk.0.attn_q.weight\" is 9 x 4");
    assert_ok(hone_weights_open(dir, 0, &w)); /* the old folder stands */
    hone_weights_close(w);
    wrong = 2;
    assert_fails(hone_hf_write(dir, &m, &o), HONE_E_NOT_FOUND, "no tensor \"blk.0.attn_v.weight\"");
    assert_no_leftovers();
    hone_params_destroy(m.params);
}

static hone_str broken_config(void *self)
{
    (void)self;
    return hone_str_c("[1]");
}
static void test_what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    static const hone_model_v1 broken = {.struct_size = sizeof broken,
                                         .config_json = broken_config};
    hone_model m;
    char path[400];
    assert_ok(make_model(&m));
    assert_fails(hone_hf_save(&m, NULL, "", HONE_F32, 0), HONE_E_USAGE, "no name");
    snprintf(path, sizeof path, "%s", out_path("a-file"));
    assert_ok(hone_file_replace(path, "x", 1));
    assert_fails(hone_hf_save(&m, NULL, path, HONE_F32, 0), HONE_E_EXISTS, "is no folder");
    assert_fails(hone_peft_write(out_path("none"), &m, -1, NULL, HONE_FT_F32, 0), HONE_E_INVALID,
                 "no adapter");
    m.vt = &broken;
    assert_fails(hone_hf_save(&m, NULL, out_path("none"), HONE_F32, 0), HONE_E_MISBEHAVED,
                 "no JSON object");
    assert_false(hone_file_exists(out_path("none")));
    assert_no_leftovers();
    hone_params_destroy(m.params);
}

static void test_text_files_are_copied(void **state)
{
    (void)state;
    hone_model m;
    hone_weights *like, *w;
    const char *from = out_path("like"), *dir = out_path("copied");
    char path[400];
    mkdir(from, 0777);
    snprintf(path, sizeof path, "%s/tokenizer.json", from);
    assert_ok(hone_file_replace(path, "{\"a\":1}", 7));
    snprintf(path, sizeof path, "%s/chat_template.jinja", from);
    assert_ok(hone_file_replace(path, "hello", 5));
    assert_ok(hone_weights_open(from, HONE_WEIGHTS_NO_TENSORS, &like));
    assert_ok(make_model(&m));
    assert_ok(hone_hf_save(&m, like, dir, HONE_F32, 0));
    hone_weights_close(like);
    assert_ok(hone_weights_open(dir, 0, &w));
    hone_weights_chat chat;
    hone_weights_get_chat(w, &chat);
    assert_true(hone_str_eq(chat.source, "hello"));
    assert_non_null(hone_weights_tokenizer(w));
    hone_weights_close(w);
    hone_params_destroy(m.params);
}

static void test_full_disk_leaves_the_old_folder(void **state)
{
    (void)state;
    hone_model m;
    hone_weights *w;
    const char *dir = out_path("full");
    assert_ok(make_model(&m));
    assert_ok(hone_hf_save(&m, NULL, dir, HONE_F32, 0));
    for (int64_t room = 0; room < 800; room += 100) {
        hone_file_fault_after(room);
        hone_status s = hone_hf_save(&m, NULL, dir, HONE_BF16, 0);
        hone_file_fault_after(-1);
        if (s >= 0) {
            assert_true(room > 100); /* it fitted at last */
            break;
        }
        assert_int_equal(s, HONE_E_NO_SPACE);
        assert_ok(hone_weights_open(dir, 0, &w));
        assert_true(value(w, "norm.weight", 0, 1) == 201.001f);
        hone_weights_close(w);
        assert_no_leftovers();
    }
    hone_params_destroy(m.params);
}

static void test_adapter_in_the_layout_of_peft(void **state)
{
    (void)state;
    hone_model m;
    hone_safetensors st;
    hone_arena arena;
    hone_value config;
    char path[400];
    const char *dir = out_path("adapter");
    static const char *const roles[] = {"q", NULL};
    hone_adapter_spec spec = {.name = "mine", .rank = 2, .alpha = 8, .roles = roles, .seed = 1};
    assert_ok(make_model(&m));
    int32_t a = hone_params_add_adapter(m.params, &spec);
    assert_true(a >= 0);
    assert_fails(hone_peft_write(dir, &m, a + 1, "base", HONE_FT_F32, 0), HONE_E_NOT_FOUND,
                 "no number");
    assert_ok(hone_peft_write(dir, &m, a, "base", HONE_FT_F32, 0));
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    assert_ok(hone_safetensors_open(&st, path));
    assert_int_equal(st.n, 2);
    assert_true(hone_str_eq(st.tensors[0].name, "base_model.model.layers.0.q_proj.lora_A.weight"));
    assert_int_equal(st.tensors[0].rows, 2);
    assert_int_equal(st.tensors[0].cols, COLS);
    assert_true(hone_str_eq(st.tensors[1].name, "base_model.model.layers.0.q_proj.lora_B.weight"));
    assert_int_equal(st.tensors[1].rows, ROWS);
    hone_safetensors_release(&st);
    snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    hone_arena_init(&arena, 0);
    assert_ok(hone_json_parse_file(path, 0, &arena, &config));
    assert_int_equal(hone_value_get(&config, "r")->u.i64, 2);
    assert_int_equal(hone_value_get(&config, "target_modules")->u.list.n, 1);
    assert_true(
        hone_str_eq(hone_value_get(&config, "target_modules")->u.list.items[0].u.str, "q_proj"));
    hone_arena_release(&arena);
    /* the base, written while an adapter stands on it, has no adapter tensors */
    assert_ok(hone_hf_save(&m, NULL, out_path("base-only"), HONE_F32, 0));
    hone_params_destroy(m.params);
}

/* An adapter of a kind, written, read under another name: the same values on the same base. */
static hone_status round_trip(const char *dir, uint32_t kind)
{
    static const char *const roles[] = {"q", NULL};
    hone_adapter_spec spec = {
        .name = "mine", .rank = 2, .alpha = 8, .roles = roles, .kind = kind, .seed = 1};
    hone_peft *a = NULL;
    hone_adapter_pair x, y;
    hone_model m;
    float one[COLS], two[COLS];
    HONE_TRY(make_model(&m));
    hone_status s = hone_params_add_adapter(m.params, &spec);
    if (s >= 0)
        s = hone_peft_write(dir, &m, 0, "base", HONE_FT_F32, HONE_HF_OVERWRITE);
    if (s >= 0)
        s = hone_peft_open(dir, &a);
    if (s >= 0)
        s = hone_peft_add(a, m.params, "again", 4, NULL);
    if (s >= 0) {
        assert_int_equal(s, 1);
        assert_ok(hone_params_adapter_pair(m.params, 0, 0, &x));
        assert_ok(hone_params_adapter_pair(m.params, 1, 0, &y));
        assert_true(x.scale == y.scale && (x.m >= 0) == (y.m >= 0));
        assert_true(hone_params_item(m.params, y.b)->lr_scale == 4.0f);
        assert_ok(hone_params_get_rows(m.params, x.a, 1, 1, one));
        assert_ok(hone_params_get_rows(m.params, y.a, 1, 1, two));
        assert_memory_equal(one, two, sizeof one);
    } else if (m.params) {
        assert_int_equal(hone_params_find_adapter(m.params, "again"), -1);
    }
    hone_peft_close(a);
    hone_params_destroy(m.params);
    return s < 0 ? s : HONE_OK;
}

static void test_adapters_come_back(void **state)
{
    (void)state;
    assert_ok(round_trip(out_path("trip"), 0));
    assert_ok(round_trip(out_path("trip"), HONE_LORA_RANK_STABLE | HONE_LORA_DORA));
    assert_survives_no_memory(round_trip(out_path("trip-torture"), HONE_LORA_DORA));
    assert_no_leftovers();
}

static hone_status save_all(const char *dir)
{
    hone_model m;
    HONE_TRY(make_model(&m));
    hone_status s = hone_hf_save(&m, NULL, dir, HONE_F32, 0);
    hone_params_destroy(m.params);
    return s;
}
static void test_no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_survives_no_memory(save_all(out_path("torture")));
    assert_no_leftovers();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved_model_is_read_back),
        cmocka_unit_test(test_shards_and_index_make_one_model),
        cmocka_unit_test(test_conversion_undoes_the_rotary_permutation),
        cmocka_unit_test(test_what_cannot_be_written_is_refused),
        cmocka_unit_test(test_text_files_are_copied),
        cmocka_unit_test(test_full_disk_leaves_the_old_folder),
        cmocka_unit_test(test_adapter_in_the_layout_of_peft),
        cmocka_unit_test(test_adapters_come_back),
        cmocka_unit_test(test_no_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
