/* Plugins found, refused with the reason, loaded, made into instances, called, destroyed. */
#include "plugins.h"

#include "host/registry.h"
#include "abi/config.h"
#include "abi/sidecar.h"
#include "base/file.h"
#include "hone/reward.h"

#include <sys/stat.h>
#include <unistd.h>

static hone_registry *open_only(const char *dir)
{
    const char *paths[] = {dir, NULL};
    hone_registry_opts o = {.paths = paths, .only_paths = 1, .in_process = 1, .seed = 7};
    hone_registry *r = NULL;
    assert_ok(hone_registry_open(&o, &r));
    return r;
}

static hone_value settings(const hone_pair *pairs, size_t n)
{
    hone_value v = {.type = HONE_MAP, .u.map = {pairs, n}};
    return v;
}
static hone_pair text(const char *key, const char *value)
{
    hone_pair p = {hone_str_c(key), {.type = HONE_STRING, .u.str = hone_str_c(value)}};
    return p;
}
static hone_pair number(const char *key, double value)
{
    hone_pair p = {hone_str_c(key), {.type = HONE_F64, .u.f64 = value}};
    return p;
}

static float score_of(hone_instance *inst, const char *completion, hone_status *status)
{
    hone_ref ref;
    assert_ok(hone_instance_ref(inst, HONE_IFACE_REWARD, &ref));
    const hone_reward_v1 *vt = ref.vt;
    hone_sample s = {.id = 3, .completion = hone_str_c(completion)};
    hone_call call = {.struct_size = sizeof call, .n = 1};
    hone_outcome o = {0, 0};
    hone_instance_enter(inst);
    *status = hone_instance_leave(inst, "score",
                                  vt->score(ref.self, &call, &s, 1, sizeof s, &o, sizeof o, NULL));
    return o.score;
}

/* ---- refusals ---------------------------------------------------------------------------------- */

static const struct {
    const char *flags, *why;
} faults[] = {
    {"-w -DFAULT_MAGIC_SIZE", "magic.struct_size is 8, at least 19 is needed"},
    {"-w -DFAULT_EPOCH", "magic.epoch is 2, this hone's is 1"},
    {"-w -DFAULT_NEED", "magic.need is 9.0.0, this hone is 0.1.1"},
    {"-w -DFAULT_PTR", "magic.ptr_size is 4, this hone's is 8"},
    {"-w -DFAULT_INT", "magic.int_size is 2, this hone's is 4"},
    {"-w -DFAULT_FLOAT", "magic.float_size is 8, this hone's is 4"},
    {"-w -DFAULT_NO_MAGIC", "magic is NULL"},
    {"-w -DFAULT_ENTRY_SIZE", "entry.struct_size is 8"},
    {"-w -DFAULT_NULL_ENTRY", "hone_plugin_entry() returned NULL"},
    {"-w -DFAULT_NULL_COMPONENTS", "its component table is NULL"},
    {"-w -DFAULT_NO_COMPONENTS", "it has no components"},
    {"-w -DFAULT_TWO_IDS", "two components have the id \"org.test.reward.bad\""},
    {"-w -DFAULT_COMPONENT_SIZE", "component.struct_size is 24"},
    {"-w -DFAULT_ID", "a component's id is NULL"},
    {"-w -DID='\"bad\"'", "is no reverse DNS name"},
    {"-w -DID='\"org..bad\"'", "is no reverse DNS name"},
    {"-w -DFAULT_KIND", "kind is NULL or empty"},
    {"-w -DFAULT_VERSION", "version is NULL or empty"},
    {"-w -DFAULT_PROVIDES", "provides names no interface"},
    {"-w -DFAULT_CREATE", "create is NULL"},
    {"-w -DFAULT_DESTROY", "destroy is NULL"},
    {"-w -DFAULT_GET_IFACE", "get_iface is NULL"},
    {"-w -DFAULT_FIELD", "setting \"x\": the default is out of its own range"},
    {"-w -DFAULT_TWO_FIELDS", "two settings are called \"x\""},
    {"-w -DFAULT_SYMBOL", "does not export hone_plugin_entry"},
    {"-w -DFAULT_UNDEFINED", "cannot be loaded"},
    {"-w -DFAULT_INIT", "the licence server is not there"},
};

static void test_each_fault_is_refused_with_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char name[32], dir[32];
        snprintf(name, sizeof name, "bad%zu", i);
        snprintf(dir, sizeof dir, "bad%zu.d", i);
        compile_plugin("tests/unit/plugins/bad.c", faults[i].flags, dir, name);
        hone_registry *r = open_only(scratch_path(dir));
        assert_int_equal(hone_registry_n_plugins(r), 1);
        const hone_plugin *p = hone_registry_plugin(r, 0);
        if (!p->problem || !strstr(p->problem, faults[i].why))
            fprintf(stderr, "%s: got \"%s\", wanted \"%s\"\n", faults[i].flags,
                    p->problem ? p->problem : "(nothing)", faults[i].why);
        assert_non_null(p->problem);
        assert_non_null(strstr(p->problem, faults[i].why));
        assert_null(hone_registry_component(r, NULL, 0));
        /* whoever asks for the plugin by name hears why */
        const hone_component_info *info;
        assert_fails(hone_registry_find(r, HONE_KIND_REWARD, name, &info), HONE_E_NOT_FOUND,
                     "was refused");
        assert_non_null(strstr(hone_error_get()->what, faults[i].why));
        hone_registry_close(r);
    }
}

static void test_files_that_are_no_plugin(void **state)
{
    (void)state;
    const char *so = compile_plugin("tests/unit/plugins/good.c", "", "cut", "whole");
    hone_buf b;
    hone_buf_init(&b, 1 << 24);
    assert_ok(hone_file_read(so, 1 << 24, &b));
    char path[300];
    /* every length of the header, then coarser: never more than a refusal */
    for (size_t n = 0; n < b.len; n += n < 70 ? 1 : 997) {
        snprintf(path, sizeof path, "%s/part.so", scratch_path("cut"));
        assert_ok(hone_file_replace(path, b.ptr, n));
        hone_registry *r = open_only(path);
        assert_non_null(hone_registry_plugin(r, 0)->problem);
        hone_registry_close(r);
    }
    /* section and symbol tables that point out of the file */
    static const size_t offsets[] = {0x28, 0x3A, 0x3C};
    for (size_t i = 0; i < 3; i++) {
        char keep[8];
        memcpy(keep, b.ptr + offsets[i], 8);
        memset(b.ptr + offsets[i], 0x7F, i ? 2 : 8);
        assert_ok(hone_file_replace(path, b.ptr, b.len));
        hone_registry *r = open_only(path);
        assert_non_null(strstr(hone_registry_plugin(r, 0)->problem, "is no plugin"));
        hone_registry_close(r);
        memcpy(b.ptr + offsets[i], keep, 8);
    }
    hone_buf_release(&b);
    assert_ok(hone_file_replace(
        path, "just text, long enough to hold an ELF header but it is none at all......", 72));
    hone_registry *r = open_only(path);
    assert_non_null(strstr(hone_registry_plugin(r, 0)->problem, "not an ELF file"));
    hone_registry_close(r);
    hone_registry_opts o = {
        .paths = (const char *const[]){"/nowhere/at/all", NULL}, .only_paths = 1, .in_process = 1};
    assert_fails(hone_registry_open(&o, &r), HONE_E_NOT_FOUND, "/nowhere/at/all");
}

static void test_what_others_may_write_is_refused(void **state)
{
    (void)state;
    const char *so = compile_plugin("tests/unit/plugins/good.c", "", "open", "good");
    assert_int_equal(chmod(so, 0777), 0);
    hone_registry *r = open_only(scratch_path("open"));
    assert_non_null(strstr(hone_registry_plugin(r, 0)->problem, "writable by everybody"));
    hone_registry_close(r);
    assert_int_equal(chmod(so, 0755), 0);
    assert_int_equal(chmod(scratch_path("open"), 01777), 0);
    r = open_only(scratch_path("open"));
    assert_non_null(strstr(hone_registry_plugin(r, 0)->problem, "folder is writable by everybody"));
    assert_null(hone_registry_component(r, NULL, 0));
    hone_registry_close(r);
    assert_int_equal(chmod(scratch_path("open"), 0700), 0);
    r = open_only(scratch_path("open"));
    assert_null(hone_registry_plugin(r, 0)->problem);
    hone_registry_close(r);
}

/* ---- finding ----------------------------------------------------------------------------------- */

static void find_file(hone_registry *r, const char *kind, const char *name, const char *why)
{
    const hone_component_info *info = NULL;
    hone_status s = hone_registry_find(r, kind, name, &info);
    if (why) {
        assert_true(s < 0);
        assert_non_null(strstr(hone_error_get()->what, name));
        assert_non_null(strstr(hone_error_get()->what, why));
        assert_true(hone_error_get()->hint[0]);
    } else {
        assert_ok(s);
        assert_string_equal(info->short_name, "probe");
        hone_instance *inst;
        assert_ok(hone_instance_create_info(r, info, NULL, &inst));
        assert_int_equal((int)score_of(inst, "abc", &s), 3);
        hone_instance_unref(inst);
    }
}

static void test_a_plugin_is_named_by_its_file(void **state)
{
    (void)state;
    char cwd[4096];
    assert_non_null(getcwd(cwd, sizeof cwd));
    compile_plugin("tests/unit/plugins/good.c", "-w -DALONE", "named", "x");
    compile_plugin("tests/unit/plugins/good.c", "-w", "named/many", "many");
    assert_int_equal(chdir(scratch_path("named")), 0);
    assert_ok(hone_file_replace("text.so", "hello\n", 6));
    hone_registry *r = open_only("x.so");
    const hone_plugin *p = hone_registry_plugin(r, 0);
    assert_null(p->problem); /* opened by its bare name, from its own folder */
    assert_string_equal(p->path, "x.so");
    find_file(r, HONE_KIND_REWARD, "x.so", NULL);
    find_file(r, HONE_KIND_REWARD, "./x.so", NULL);
    find_file(r, HONE_KIND_REWARD, "many/../x.so", NULL);
    find_file(r, HONE_KIND_OPTIMIZER, "x.so", "holds no optimizer");
    find_file(r, HONE_KIND_REWARD, "no.so", "no such file");
    find_file(r, HONE_KIND_REWARD, "./many", "is a folder");
    find_file(r, HONE_KIND_REWARD, "text.so", "not an ELF file");
    /* a file that nobody put on the search path is not loaded for being named */
    find_file(r, HONE_KIND_REWARD, "many/many.so", "is not on the search path");
    assert_int_equal(hone_error_get()->code, HONE_E_REFUSED);
    assert_int_equal(hone_registry_n_plugins(r), 1);
    assert_ok(hone_registry_add_file(r, "many/many.so"));
    assert_ok(hone_registry_add_file(r, "many/../x.so")); /* is there already */
    assert_int_equal(hone_registry_n_plugins(r), 2);
    find_file(r, HONE_KIND_REWARD, "many/many.so", "holds more than one reward: probe, needy");
    assert_ok(hone_registry_add_file(r, "text.so"));
    find_file(r, HONE_KIND_REWARD, "text.so", "not an ELF file");
    const hone_plugin *own;
    assert_ok(hone_registry_open_file(r, "x.so", &own));
    hone_registry_close(r);
    assert_int_equal(chdir(cwd), 0);
}

static void test_components_are_found_by_id_and_short_name(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/good.c", "", "good", "good");
    hone_registry *r = open_only(scratch_path("good"));
    const hone_component_info *a, *b;
    assert_ok(hone_registry_find(r, HONE_KIND_REWARD, "probe", &a));
    assert_ok(hone_registry_find(r, NULL, "org.test.reward.probe", &b));
    assert_ptr_equal(a, b);
    assert_string_equal(a->short_name, "probe");
    assert_ok(hone_registry_find(r, "com.acme.kind.x", "probe", &b));
    assert_ptr_not_equal(a, b);
    assert_fails(hone_registry_find(r, NULL, "probe", &a), HONE_E_INVALID, "may be");
    assert_fails(hone_registry_find(r, HONE_KIND_REWARD, "prode", &a), HONE_E_NOT_FOUND,
                 "no reward \"prode\"");
    assert_non_null(strstr(hone_error_get()->hint, "did you mean \"probe\"?"));
    assert_fails(hone_registry_find(r, HONE_KIND_JUDGE, "needy", &a), HONE_E_NOT_FOUND, "no judge");
    assert_non_null(strstr(hone_error_get()->hint, "of kind reward"));
    hone_registry_close(r);
}

static void test_an_earlier_folder_shadows_a_later_one(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/good.c", "", "first", "good");
    compile_plugin("tests/unit/plugins/good.c", "", "second", "good");
    char first[256], second[256];
    snprintf(first, sizeof first, "%s", scratch_path("first"));
    snprintf(second, sizeof second, "%s", scratch_path("second"));
    const char *paths[] = {first, second, NULL};
    hone_registry_opts o = {.paths = paths, .only_paths = 1, .in_process = 1};
    hone_registry *r;
    assert_ok(hone_registry_open(&o, &r));
    const hone_component_info *info;
    assert_ok(hone_registry_find(r, HONE_KIND_REWARD, "probe", &info));
    assert_int_equal(strncmp(info->plugin->path, first, strlen(first)), 0);
    assert_non_null(hone_registry_plugin(r, 1)->components[0]->shadowed_by);
    hone_registry_close(r);
}

static void test_the_search_path_is_walked_in_order(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/good.c", "", "env", "in_env");
    compile_plugin("tests/unit/plugins/good.c", "", "project/plugins", "in_project");
    compile_plugin("tests/unit/plugins/good.c", "", "xdg/hone/plugins", "in_user");
    setenv("HONE_PLUGIN_PATH", scratch_path("env"), 1);
    setenv("XDG_DATA_HOME", scratch_path("xdg"), 1);
    hone_registry_opts o = {.project = scratch_path("project")};
    hone_registry *r;
    assert_ok(hone_registry_open(&o, &r));
    assert_string_equal(hone_registry_plugin(r, 0)->name, "in_env");
    assert_string_equal(hone_registry_plugin(r, 0)->origin, "HONE_PLUGIN_PATH");
    assert_string_equal(hone_registry_plugin(r, 1)->origin, "project");
    assert_string_equal(hone_registry_plugin(r, 2)->origin, "user");
    hone_registry_close(r);
    unsetenv("HONE_PLUGIN_PATH");
    unsetenv("XDG_DATA_HOME");
}

/* ---- sidecars ---------------------------------------------------------------------------------- */

static void write_sidecar(const char *dir, const char *name, const char *change, const char *to)
{
    hone_registry *r = open_only(scratch_path(dir));
    const hone_plugin *p = hone_registry_plugin(r, 0);
    hone_buf b, out;
    hone_jw w;
    char path[300];
    hone_buf_init(&b, 1 << 20);
    hone_buf_init(&out, 1 << 20);
    hone_jw_init(&w, &b, 0);
    assert_ok(hone_plugin_describe(r, p, &w));
    const char *at = change ? strstr(b.ptr, change) : b.ptr + b.len;
    assert_non_null(at);
    hone_buf_add(&out, b.ptr, (size_t)(at - b.ptr));
    if (change) {
        hone_buf_adds(&out, to);
        hone_buf_adds(&out, at + strlen(change));
    }
    snprintf(path, sizeof path, "%s/%s.json", scratch_path(dir), name);
    assert_ok(hone_file_replace(path, out.ptr, out.len));
    hone_buf_release(&b);
    hone_buf_release(&out);
    hone_registry_close(r);
}

static void test_a_sidecar_stands_in_for_the_file(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/good.c", "", "side", "good");
    write_sidecar("side", "good", NULL, NULL);
    hone_registry *r = open_only(scratch_path("side"));
    const hone_plugin *p = hone_registry_plugin(r, 0);
    assert_null(p->problem);
    assert_true(p->has_sidecar);
    assert_false(p->loaded); /* listing loads nothing */
    const hone_component_info *info;
    assert_ok(hone_registry_find(r, HONE_KIND_REWARD, "probe", &info));
    assert_string_equal(info->c.version, "1.2.3");
    assert_int_equal(info->c.caps, HONE_CAP_PURE | HONE_CAP_DETERMINISTIC);
    assert_string_equal(info->c.fields[0]->name, "scale");
    assert_true(info->c.fields[0]->max == 10 && info->c.fields[2]->flags == HONE_SECRET);
    assert_null(info->c.create);
    hone_instance *inst;
    assert_ok(hone_instance_create_info(r, info, NULL, &inst));
    assert_true(p->loaded);
    assert_non_null(info->c.create);
    hone_instance_unref(inst);
    hone_registry_close(r);
}

static void test_a_sidecar_that_lies_is_refused_at_load(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/good.c", "", "lie", "good");
    write_sidecar("lie", "good", "\"version\":\"1.2.3\"", "\"version\":\"9.9.9\"");
    hone_registry *r = open_only(scratch_path("lie"));
    hone_instance *inst;
    assert_fails(hone_instance_create(r, HONE_KIND_REWARD, "probe", NULL, &inst), HONE_E_ABI,
                 "describes something else");
    assert_non_null(strstr(hone_error_get()->hint, "--write"));
    hone_registry_close(r);
}

static void test_bad_sidecars_are_refused(void **state)
{
    (void)state;
    static const char *const changes[][3] = {
        {"\"hone\":1", "\"hone\":2", "\"hone\" is not 1"},
        {"\"epoch\":1", "\"epoch\":2", "magic.epoch is 2"},
        {"\"epoch\":1", "\"epoch\":-1", "magic block"},
        {"\"need\":\"0.1.0\"", "\"need\":\"9.1.0\"", "magic.need is 9.1.0"},
        {"\"need\":\"0.1.0\"", "\"need\":\"no\"", "version"},
        {"\"kind\":\"reward\"", "\"kind\":\"\"", "no usable id, kind or version"},
        {"\"type\":\"f64\"", "\"type\":\"f63\"", "unknown type"},
        {"\"default\":1", "\"default\":11", "out of its own range"},
        {"\"org.test.reward.needy\"", "\"org.test.reward.probe\"", "same id"},
        {"\"magic\"", "\"magik\"", "no magic block"},
        {"{", "[", ""},
    };
    compile_plugin("tests/unit/plugins/good.c", "", "badside", "good");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char side[300];
        snprintf(side, sizeof side, "%s/good.json", scratch_path("badside"));
        unlink(side);
        write_sidecar("badside", "good", changes[i][0], changes[i][1]);
        hone_registry *r = open_only(scratch_path("badside"));
        const char *problem = hone_registry_plugin(r, 0)->problem;
        if (!problem || !strstr(problem, changes[i][2]))
            fprintf(stderr, "%s: %s\n", changes[i][1], problem ? problem : "(accepted)");
        assert_non_null(problem);
        assert_non_null(strstr(problem, changes[i][2]));
        assert_null(hone_registry_component(r, NULL, 0));
        hone_registry_close(r);
    }
}

/* ---- instances --------------------------------------------------------------------------------- */

static hone_registry *good(void)
{
    static int made;
    if (!made++)
        compile_plugin("tests/unit/plugins/good.c", "", "inst", "good");
    return open_only(scratch_path("inst"));
}

static void test_an_instance_is_made_called_and_destroyed(void **state)
{
    (void)state;
    size_t before, after;
    hone_alloc_stats(&before, NULL);
    hone_registry *r = good();
    hone_instance *inst;
    hone_pair p[] = {number("scale", 2)};
    hone_value cfg = settings(p, 1);
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst));
    hone_status s;
    assert_true(score_of(inst, "12345", &s) == 10.f);
    assert_ok(s);
    assert_int_equal(hone_instance_mem(inst), 100);
    hone_ref ref;
    assert_fails(hone_instance_ref(inst, "hone.judge/1", &ref), HONE_E_UNSUPPORTED,
                 "does not offer hone.judge/1");
    assert_non_null(strstr(hone_error_get()->hint, HONE_IFACE_REWARD));
    assert_ptr_equal(hone_instance_addref(inst), inst);
    hone_instance_unref(inst);
    assert_true(score_of(inst, "1", &s) == 2.f);
    hone_instance_unref(inst);
    hone_registry_close(r);
    hone_alloc_stats(&after, NULL);
    assert_true(after <= before + 1); /* the file's own entry in the process-wide table stays */
}

static void test_host_interfaces_serve_the_plugin(void **state)
{
    (void)state;
    hone_registry *r = good();
    hone_instance *inst;
    hone_status s;
    hone_pair regex[] = {text("mode", "regex")}, json[] = {text("mode", "json")},
              random[] = {text("mode", "random")};
    hone_value cfg = settings(regex, 1);
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst));
    assert_true(score_of(inst, "I have 12 APPLES", &s) == 7.f);
    assert_ok(s);
    assert_true(score_of(inst, "none", &s) == -1.f);
    hone_instance_unref(inst);
    cfg = settings(json, 1);
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst));
    assert_true(score_of(inst, "{\"a\":[1]}", &s) == (float)HONE_MAP);
    score_of(inst, "{\"a\":", &s);
    assert_int_equal(s, HONE_E_PARSE); /* the host's own text, with the plugin's id in front */
    assert_int_equal(strncmp(hone_error_get()->what, "org.test.reward.probe: ", 23), 0);
    hone_instance_unref(inst);
    cfg = settings(random, 1);
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst));
    float a = score_of(inst, "x", &s), b = score_of(inst, "y", &s);
    assert_true(a == b && a >= 0 && a < 1); /* a pure function of stream and index */
    hone_registry_set_seed(r, 8);
    assert_true(score_of(inst, "x", &s) != a);
    hone_instance_unref(inst);
    hone_registry_close(r);
}

static void test_failures_carry_the_plugins_id_and_no_secret(void **state)
{
    (void)state;
    hone_registry *r = good();
    hone_instance *inst;
    hone_pair tell[] = {text("behave", "tell"), text("token", "hunter2")},
              silent[] = {text("behave", "silent")};
    hone_value cfg = settings(tell, 2);
    assert_fails(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst), HONE_E_IO,
                 "org.test.reward.probe: the server said no to (secret)");
    assert_null(strstr(hone_error_get()->what, "hunter2"));
    assert_non_null(strstr(hone_error_get()->detail, "create"));
    uint64_t lines = hone_log_count(HONE_LOG_PLUGIN_MISBEHAVING);
    cfg = settings(silent, 1);
    assert_fails(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst), HONE_E_IO,
                 "without saying why");
    assert_int_equal(hone_log_count(HONE_LOG_PLUGIN_MISBEHAVING), lines + 1);
    hone_registry_close(r);
}

static void test_who_may_enter_an_instance(void **state)
{
    (void)state;
    const char *so = compile_plugin("tests/unit/plugins/good.c", "-w -DALONE", "enter", "x");
    hone_registry *r = open_only(so);
    hone_instance *inst;
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", NULL, &inst));
    assert_int_equal(hone_instance_try_enter(inst), 1);
    assert_int_equal(hone_instance_try_enter(inst), 0); /* it is not REENTRANT */
    logged[0] = 0;
    hone_instance_enter(inst);
    assert_non_null(strstr(logged, "entered twice at once"));
    hone_instance_leave(inst, "score", HONE_OK);
    hone_instance_leave(inst, "score", HONE_OK);
    assert_int_equal(hone_instance_try_enter(inst), 1);
    /* an error that the host set meanwhile (a sink that refused) is a text */
    hone_fail(HONE_E_RANGE, "token scores for sample 9 of 3");
    assert_int_equal(hone_instance_leave(inst, "score_tokens", HONE_E_RANGE), HONE_E_RANGE);
    assert_string_equal(hone_error_get()->what,
                        "org.test.reward.probe: token scores for sample 9 of 3");
    hone_instance_set_aside(inst);
    assert_int_equal(hone_instance_try_enter(inst), 0);
    assert_int_equal(hone_instance_is_set_aside(inst), 1);
    hone_instance_unref(inst);
    hone_registry_close(r);
}

static void test_leaks_and_misread_settings_are_reported(void **state)
{
    (void)state;
    hone_registry *r = good();
    hone_instance *inst;
    hone_pair leak[] = {text("behave", "leak")}, misread[] = {text("behave", "misread")};
    hone_value cfg = settings(leak, 1);
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst));
    hone_instance_unref(inst);
    assert_non_null(strstr(logged, "leaks 1000 bytes"));
    cfg = settings(misread, 1);
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst));
    assert_non_null(strstr(logged, "reads setting \"scale\" as a string"));
    hone_instance_unref(inst);
    hone_registry_close(r);
}

static void test_a_component_inside_a_component(void **state)
{
    (void)state;
    hone_registry *r = good();
    hone_instance *inst;
    hone_pair inner[] = {text("component", "org.test.reward.probe"), number("scale", 3),
                         text("token", "s3cret")};
    hone_pair outer[] = {text("mode", "inner"), {hone_str_c("inner"), settings(inner, 3)}};
    hone_value cfg = settings(outer, 2);
    hone_status s;
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst));
    assert_true(score_of(inst, "four", &s) == 12.f);
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 4096);
    hone_jw_init(&w, &b, 0);
    hone_config_json(hone_instance_config(inst), &w);
    assert_non_null(
        strstr(b.ptr, "\"inner\":{\"component\":\"org.test.reward.probe\",\"scale\":3"));
    assert_null(strstr(b.ptr, "s3cret"));
    hone_buf_release(&b);
    hone_instance_unref(inst); /* and the inner one with it: close would complain otherwise */
    uint64_t lines = hone_log_count(HONE_LOG_HOST_MISBEHAVING);
    hone_registry_close(r);
    assert_int_equal(hone_log_count(HONE_LOG_HOST_MISBEHAVING), lines);
}

static void test_a_missing_host_interface_is_named(void **state)
{
    (void)state;
    hone_registry *r = good();
    hone_instance *inst;
    assert_fails(hone_instance_create(r, HONE_KIND_REWARD, "needy", NULL, &inst),
                 HONE_E_UNSUPPORTED, "com.acme.unheard_of/1");
    static const uint32_t vt[2] = {8, 0};
    hone_ref ref = {NULL, vt};
    assert_ok(hone_registry_offer_ref(r, "com.acme.unheard_of/1", ref));
    /* now only its table (it has none) stands in the way: create reads rows that are not there */
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "needy", NULL, &inst));
    hone_instance_unref(inst);
    hone_registry_close(r);
}

static void test_a_table_with_an_absurd_size_is_not_used(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/bad.c", "-DFAULT_VTABLE", "vtable", "bad");
    hone_registry *r = open_only(scratch_path("vtable"));
    hone_instance *inst;
    hone_ref ref;
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "bad", NULL, &inst));
    assert_fails(hone_instance_ref(inst, HONE_IFACE_REWARD, &ref), HONE_E_UNSUPPORTED,
                 "does not offer");
    assert_non_null(strstr(logged, "struct_size is 3"));
    hone_instance_unref(inst);
    hone_registry_close(r);
}

static void test_one_macro_makes_a_reward_plugin(void **state)
{
    (void)state;
    static const char *const sources[] = {"tests/unit/plugins/simple.c",
                                          "tests/unit/plugins/simple.cpp"};
    for (int i = 0; i < 2; i++) {
        const char *so = compile_plugin(sources[i], "-Werror -Wshadow -pedantic",
                                        i ? "simple.cpp.d" : "simple.d", "simple");
        hone_registry *r = open_only(so);
        assert_null(hone_registry_plugin(r, 0)->problem);
        assert_int_equal(hone_registry_plugin(r, 0)->magic.need, 0x000100);
        hone_pair three = number("per_byte", 3);
        hone_value cfg = settings(&three, 1);
        hone_instance *inst;
        hone_status s;
        void *self;
        assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "simple", &cfg, &inst));
        assert_true(score_of(inst, "abcd", &s) == 12.f);
        assert_null(hone_instance_iface(inst, "hone.reward/10", &self));
        assert_null(hone_instance_iface(inst, "hone.reward/", &self));
        hone_instance_unref(inst);
        hone_registry_close(r);
    }
}

static void test_a_plugin_in_cpp17_works(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/cpp.cpp", "", "cpp", "cpp");
    hone_registry *r = open_only(scratch_path("cpp"));
    hone_instance *inst;
    hone_status s;
    hone_pair p[] = {text("word", "apple")};
    hone_value cfg = settings(p, 1);
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "cpp", &cfg, &inst));
    assert_true(score_of(inst, "an apple a day", &s) == 1.f);
    assert_true(score_of(inst, "a pear", &s) == 0.f);
    hone_instance_unref(inst);
    hone_registry_close(r);
}

static hone_status only_data(void *ctx, hone_str given, char **out)
{
    if (!hone_str_eq(given, "data.txt"))
        return hone_fail(HONE_E_REFUSED, "%.*s: not among the files the recipe was given",
                         (int)given.len, given.ptr);
    *out = hone_strdup(ctx);
    return *out ? HONE_OK : HONE_E_NOMEM;
}

static void test_paths_of_settings_pass_through_the_host(void **state)
{
    (void)state;
    hone_registry *r = good();
    hone_instance *inst;
    char allowed[] = "/given/data.txt";
    hone_pair p[] = {text("data", "data.txt")}, q[] = {text("data", "/etc/passwd")};
    hone_value cfg = settings(p, 1);
    hone_registry_set_paths(r, only_data, allowed);
    assert_ok(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst));
    const hone_config *c = hone_instance_config(inst);
    assert_true(hone_str_eq(c->str(c, 6), "/given/data.txt"));
    hone_instance_unref(inst);
    cfg = settings(q, 1);
    assert_fails(hone_instance_create(r, HONE_KIND_REWARD, "probe", &cfg, &inst), HONE_E_REFUSED,
                 "org.test.reward.probe: data: /etc/passwd: not among");
    hone_registry_close(r);
}

static void test_a_second_exported_symbol_is_reported(void **state)
{
    (void)state;
    compile_plugin("tests/unit/plugins/bad.c", "-DFAULT_EXPORT", "export", "bad");
    hone_registry *r = open_only(scratch_path("export"));
    assert_non_null(strstr(logged, "exports 1 symbols besides hone_plugin_entry"));
    hone_registry_close(r);
}

static hone_registry *torture_registry;
static hone_status make_and_drop(void)
{
    hone_pair inner[] = {text("component", "org.test.reward.probe"), text("token", "abc")};
    hone_pair outer[] = {
        text("mode", "inner"), {hone_str_c("inner"), settings(inner, 2)}, text("token", "x")};
    hone_value cfg = settings(outer, 3);
    hone_instance *inst;
    HONE_TRY(hone_instance_create(torture_registry, HONE_KIND_REWARD, "probe", &cfg, &inst));
    hone_instance_unref(inst);
    return HONE_OK;
}
static hone_status open_and_close(void)
{
    const char *paths[] = {scratch_path("side"), NULL};
    hone_registry_opts o = {.paths = paths, .only_paths = 1, .in_process = 1};
    hone_registry *r;
    HONE_TRY(hone_registry_open(&o, &r));
    hone_registry_close(r);
    return HONE_OK;
}

static void test_lack_of_memory_is_survived(void **state)
{
    (void)state;
    torture_registry = good();
    assert_ok(make_and_drop());
    assert_survives_no_memory(make_and_drop());
    hone_registry_close(torture_registry);
    assert_survives_no_memory(open_and_close());
}

int main(void)
{
    hone_log_sink(keep_log, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fault_is_refused_with_its_name),
        cmocka_unit_test(test_files_that_are_no_plugin),
        cmocka_unit_test(test_what_others_may_write_is_refused),
        cmocka_unit_test(test_a_plugin_is_named_by_its_file),
        cmocka_unit_test(test_components_are_found_by_id_and_short_name),
        cmocka_unit_test(test_an_earlier_folder_shadows_a_later_one),
        cmocka_unit_test(test_the_search_path_is_walked_in_order),
        cmocka_unit_test(test_a_sidecar_stands_in_for_the_file),
        cmocka_unit_test(test_a_sidecar_that_lies_is_refused_at_load),
        cmocka_unit_test(test_bad_sidecars_are_refused),
        cmocka_unit_test(test_an_instance_is_made_called_and_destroyed),
        cmocka_unit_test(test_host_interfaces_serve_the_plugin),
        cmocka_unit_test(test_failures_carry_the_plugins_id_and_no_secret),
        cmocka_unit_test(test_who_may_enter_an_instance),
        cmocka_unit_test(test_leaks_and_misread_settings_are_reported),
        cmocka_unit_test(test_a_component_inside_a_component),
        cmocka_unit_test(test_a_missing_host_interface_is_named),
        cmocka_unit_test(test_a_table_with_an_absurd_size_is_not_used),
        cmocka_unit_test(test_paths_of_settings_pass_through_the_host),
        cmocka_unit_test(test_a_second_exported_symbol_is_reported),
        cmocka_unit_test(test_one_macro_makes_a_reward_plugin),
        cmocka_unit_test(test_a_plugin_in_cpp17_works),
        cmocka_unit_test(test_lack_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
