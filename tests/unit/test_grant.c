/* test_grant.c - --allow=PLUGIN:...: what is read, to whom it goes, what is refused. */
#include "support.h"

#include "host/grant.h"

static hone_registry *open_shipped(void)
{
    const char *paths[] = {hone_paths_plugins(), NULL};
    hone_registry_opts o = {.paths = paths, .only_paths = 1};
    hone_registry *r;
    assert_int_equal(hone_registry_open(&o, &r), HONE_OK);
    return r;
}

static const hone_component_info *find(hone_registry *r, const char *kind, const char *name)
{
    const hone_component_info *info;
    assert_int_equal(hone_registry_find(r, kind, name, &info), HONE_OK);
    return info;
}

static hone_status allow(hone_registry *r, const char *grant)
{
    const char *list[] = {grant, NULL};
    return hone_registry_allow(r, list);
}

static void test_a_grant_goes_to_whom_it_names(void **state)
{
    (void)state;
    hone_registry *r = open_shipped();
    const hone_component_info *reward = find(r, "reward", "command"),
                              *unit = find(r, "reward", "unit_test"),
                              *length = find(r, "reward", "length");
    assert_int_equal(hone_registry_granted(r, reward), 0);
    assert_int_equal(allow(r, "unit_test:exec"), HONE_OK);
    assert_int_equal(hone_registry_granted(r, unit), HONE_CAP_EXEC);
    assert_int_equal(hone_registry_granted(r, reward), 0);
    assert_int_equal(allow(r, "org.hone.reward.command:net,fs-read:/a,fs-read:/b:c"), HONE_OK);
    assert_int_equal(hone_registry_granted(r, reward), HONE_CAP_NET | HONE_CAP_FS_READ);
    assert_int_equal(hone_registry_granted(r, find(r, "judge", "command")), 0);
    assert_string_equal(hone_registry_granted_path(r, reward, HONE_CAP_FS_READ, 0), "/b:c");
    assert_string_equal(hone_registry_granted_path(r, reward, HONE_CAP_FS_READ, 1), "/a");
    assert_null(hone_registry_granted_path(r, reward, HONE_CAP_FS_READ, 2));
    assert_null(hone_registry_granted_path(r, reward, HONE_CAP_FS_WRITE, 0));
    /* the name of the file stands for all of it */
    assert_int_equal(allow(r, "command:fs-write:/w"), HONE_OK);
    assert_string_equal(
        hone_registry_granted_path(r, find(r, "source", "command"), HONE_CAP_FS_WRITE, 0), "/w");
    /* asking is needed, too */
    assert_int_equal(allow(r, "length:exec"), HONE_OK);
    assert_int_equal(hone_registry_granted(r, length), 0);
    hone_registry_close(r);
}

static void test_what_lacks_a_grant_is_refused_with_it(void **state)
{
    (void)state;
    hone_registry *r = open_shipped();
    const hone_component_info *unit = find(r, "reward", "unit_test");
    assert_int_equal(hone_registry_need(r, unit, HONE_CAP_EXEC), HONE_E_REFUSED);
    assert_string_equal(hone_error_get()->hint, "allow it: --allow=unit_test:exec");
    assert_int_equal(hone_registry_need(r, unit, HONE_CAP_FS_READ), HONE_E_REFUSED);
    assert_string_equal(hone_error_get()->hint, "allow it: --allow=unit_test:fs-read:PATH");
    assert_int_equal(hone_registry_need(r, unit, HONE_CAP_NET), HONE_E_REFUSED);
    assert_non_null(strstr(hone_error_get()->what, "does not ask"));
    assert_int_equal(allow(r, "unit_test:exec"), HONE_OK);
    assert_int_equal(hone_registry_need(r, unit, HONE_CAP_EXEC), HONE_OK);
    hone_registry_close(r);
}

static void test_recipe_grants_pass_and_slips_do_not(void **state)
{
    (void)state;
    static const char *const bad[] = {"command:",         "command:exe",
                                      "command:exec,",    "command:,exec",
                                      "command:exec:x",   "command:fs-read",
                                      "command:fs-read:", "command:net,fs-write",
                                      "command",          ""};
    static const char *const recipe[] = {"net", "exec", "fs-read:/x", "fs-write:/y:z", NULL};
    hone_registry *r = open_shipped();
    const hone_component_info *reward = find(r, "reward", "command");
    assert_int_equal(hone_registry_allow(r, recipe), HONE_OK);
    assert_int_equal(hone_registry_allow(r, NULL), HONE_OK);
    assert_int_equal(hone_registry_granted(r, reward), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *list[] = {"command:net", bad[i], NULL};
        assert_int_equal(hone_registry_allow(r, list), HONE_E_USAGE);
        assert_int_equal(hone_registry_granted(r, reward), 0); /* all of the list or nothing */
    }
    assert_int_equal(hone_registry_weak_box(r), 0);
    assert_int_equal(allow(r, "weak-box"), HONE_OK);
    assert_int_equal(hone_registry_weak_box(r), 1);
    hone_registry_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_grant_goes_to_whom_it_names),
        cmocka_unit_test(test_what_lacks_a_grant_is_refused_with_it),
        cmocka_unit_test(test_recipe_grants_pass_and_slips_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
