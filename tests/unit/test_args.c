/* The option parser: values, positionals, refusals with a suggestion; exit codes of errors. */
#include "support.h"

#include "cli/args.h"
#include "cli/out.h"

#include <fcntl.h>

static const char *str;
static int flag, other;
static int64_t number;
static double real;
static hone_arg_list list;

static const hone_arg options[] = {
    {"prompt", HONE_ARG_STR, &str, "TEXT", "a text"},
    {"greedy", HONE_ARG_FLAG, &flag, NULL, "a flag"},
    {"no-op", HONE_ARG_FLAG, &other, NULL, "a flag whose name begins with no-"},
    {"max-tokens", HONE_ARG_I64, &number, "N", "a number"},
    {"lr", HONE_ARG_F64, &real, "X", "a real number"},
    {"set", HONE_ARG_LIST, &list, "K=V", "several"},
    {0},
};
static const hone_args spec = {"try", "A [B]", "Tries.", options, NULL, 1, 2};
static hone_rest rest;
static char said[4096]; /* what went to stderr and stdout */

/* Parses a command line given as words; returns what hone_args_parse returned. */
static int parse(const char *const *words)
{
    static char copies[16][64];
    static char *argv[17];
    int argc = 0;
    argv[argc++] = copies[0];
    for (; *words && argc < 15; words++, argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", *words);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    str = NULL;
    flag = other = 0;
    number = -1;
    real = 0;
    list.n = 0;
    memset(&rest, 0, sizeof rest);
    fflush(stdout);
    fflush(stderr);
    const char *path = scratch_path("said");
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), out = dup(1), err = dup(2);
    dup2(file, 1);
    dup2(file, 2);
    int go_on = hone_args_parse(&spec, argc, argv, &rest);
    fflush(stdout);
    fflush(stderr);
    dup2(out, 1);
    dup2(err, 2);
    ssize_t n = pread(file, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = 0;
    close(file);
    close(out);
    close(err);
    return go_on;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void test_options_and_positionals_mix(void **state)
{
    (void)state;
    assert_int_equal(
        PARSE("one", "--prompt", "a b", "--greedy", "--max-tokens=12", "two", "--lr", "-1e-3"), 1);
    assert_int_equal(rest.n, 2);
    assert_string_equal(rest.v[0], "one");
    assert_string_equal(rest.v[1], "two");
    assert_null(rest.v[2]);
    assert_string_equal(str, "a b");
    assert_int_equal(flag, 1);
    assert_int_equal(number, 12);
    assert_true(real == -1e-3);
    assert_string_equal(said, "");
}

static void test_two_dashes_end_the_options_and_one_is_a_name(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-", "--", "--greedy"), 1);
    assert_int_equal(rest.n, 2);
    assert_string_equal(rest.v[0], "-");
    assert_string_equal(rest.v[1], "--greedy");
    assert_int_equal(flag, 0);
}

static void test_flags_can_be_taken_back(void **state)
{
    (void)state;
    assert_int_equal(PARSE("a", "--greedy", "--no-greedy", "--no-op"), 1);
    assert_int_equal(flag, 0);
    assert_int_equal(other, 1);
    assert_int_equal(PARSE("a", "--no-no-op"), 1);
    assert_int_equal(PARSE("a", "--no-prompt"), 0);
    assert_int_equal(rest.exit, 2);
}

static void test_lists_collect(void **state)
{
    (void)state;
    assert_int_equal(PARSE("a", "--set", "x=1", "--set=y=2"), 1);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.v[0], "x=1");
    assert_string_equal(list.v[1], "y=2");
}

static void test_usage_errors_say_what_and_exit_2(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        const char *what;
    } rows[] = {
        {{"a", "--promt", "x"}, "unknown option --promt (did you mean --prompt?)"},
        {{"a", "--zzzzzzzz"}, "unknown option --zzzzzzzz"},
        {{"a", "-x"}, "options begin with --"},
        {{"a", "--prompt"}, "--prompt wants a value (TEXT)"},
        {{"a", "--max-tokens", "ten"}, "--max-tokens wants a whole number, not \"ten\""},
        {{"a", "--max-tokens", "1.5"}, "wants a whole number"},
        {{"a", "--max-tokens", "99999999999999999999"}, "wants a whole number"},
        {{"a", "--max-tokens="}, "wants a whole number"},
        {{"a", "--lr", "1,5"}, "--lr wants a number, not \"1,5\""},
        {{"a", "--lr="}, "--lr wants a number"},
        {{"a", "--greedy=1"}, "--greedy takes no value"},
        {{"a", "b", "c"}, "one argument too many: \"c\""},
        {{"--greedy"}, "too few arguments (usage: hone try A [B])"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(parse(rows[i].words), 0);
        assert_int_equal(rest.exit, HONE_EXIT_USAGE);
        assert_non_null(strstr(said, "hone: try: "));
        assert_non_null(strstr(said, rows[i].what));
        assert_non_null(strstr(said, "  hint: see: hone try --help"));
    }
}

static void test_help_lists_every_option_and_exits_0(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--bogus-after-help-is-not-looked-at"), 0);
    assert_int_equal(rest.exit, 2);
    assert_int_equal(PARSE("--help"), 0);
    assert_int_equal(rest.exit, 0);
    assert_non_null(strstr(said, "usage: hone try A [B]"));
    for (const hone_arg *o = options; o->name; o++)
        assert_non_null(strstr(said, o->name));
}

static void test_each_status_has_its_exit_code(void **state)
{
    (void)state;
    assert_int_equal(hone_cli_exit_code(HONE_OK), 0);
    assert_int_equal(hone_cli_exit_code(HONE_E_IO), 1);
    assert_int_equal(hone_cli_exit_code(HONE_E_USAGE), 2);
    assert_int_equal(hone_cli_exit_code(HONE_E_REFUSED), 3);
    assert_int_equal(hone_cli_exit_code(HONE_E_INTERRUPTED), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_and_positionals_mix),
        cmocka_unit_test(test_two_dashes_end_the_options_and_one_is_a_name),
        cmocka_unit_test(test_flags_can_be_taken_back),
        cmocka_unit_test(test_lists_collect),
        cmocka_unit_test(test_usage_errors_say_what_and_exit_2),
        cmocka_unit_test(test_help_lists_every_option_and_exits_0),
        cmocka_unit_test(test_each_status_has_its_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
