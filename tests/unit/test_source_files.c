/* Rows from files of other forms than JSON: csv and tsv, plain texts, folders of data sets, DuckDB's program (a
 * made-up one), the guess of what a file is; the place in each; bad files. */
#include "source_rows.h"

#include "hone/source.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char *put(const char *name, const char *text)
{
    const char *path = scratch_path(name);
    assert_ok(hone_file_replace(path, text, strlen(text)));
    return path;
}

static const char *folder(const char *name)
{
    const char *path = scratch_path(name);
    mkdir(path, 0700);
    return path;
}

static void gives(const char *component, const char *path, const char *more, const char *want)
{
    hone_data *d = NULL;
    hone_buf got;
    hone_buf_init(&got, HONE_BUF_MAX_DEFAULT);
    hone_buf_adds(&got, "");
    hone_status s = open_path(component, path, more, &d);
    if (s >= 0)
        s = drain(d, &got, UINT64_MAX);
    if (s < 0)
        fprintf(stderr, "%s\n", hone_error_get()->what);
    assert_ok(s);
    assert_string_equal(got.ptr, want);
    hone_buf_release(&got);
    hone_data_close(d);
}

/* Opening or reading fails with `what` in the message; the rows before it are counted. */
static void refuses(const char *component, const char *path, const char *more, size_t rows,
                    const char *what)
{
    hone_data *d = NULL;
    hone_buf got;
    size_t n = 0;
    hone_buf_init(&got, HONE_BUF_MAX_DEFAULT);
    hone_buf_adds(&got, "");
    hone_status s = open_path(component, path, more, &d);
    if (s >= 0)
        s = drain(d, &got, UINT64_MAX);
    for (const char *p = got.ptr; *p; p++)
        n += *p == '\n';
    if (s >= 0 || !strstr(hone_error_get()->what, what))
        fprintf(stderr, "%s\n", s < 0 ? hone_error_get()->what : got.ptr);
    assert_true(s < 0);
    assert_non_null(strstr(hone_error_get()->what, what));
    assert_int_equal(n, rows);
    hone_buf_release(&got);
    hone_data_close(d);
}

static void test_records_are_those_of_rfc_4180(void **state)
{
    (void)state;
    gives("csv",
          put("a.csv", "\xEF\xBB\xBFid,name,score,ok,note\r\n"
                       "1,\"a \"\"q\"\", b\",1.5,true,\r\n"
                       "2,\"line1\r\nline2\",2,false,x\r\n\r\n"
                       "3,\xC3\xA9,,True,\"y,z\""),
          NULL,
          "{\"id\":1,\"name\":\"a \\\"q\\\", b\",\"score\":1.5,\"ok\":true,\"note\":\"\"}\n"
          "{\"id\":2,\"name\":\"line1\\r\\nline2\",\"score\":2.0,\"ok\":false,\"note\":\"x\"}\n"
          "{\"id\":3,\"name\":\"\xC3\xA9\",\"score\":null,\"ok\":true,\"note\":\"y,z\"}\n");
    gives("tsv", put("a.tsv", "q\ta\n1,5\t\"x\ty\"\n"), NULL, "{\"q\":\"1,5\",\"a\":\"x\\ty\"}\n");
    gives("csv", put("semi.csv", "a;b\n1;2\n"), "\"separator\":\";\"", "{\"a\":1,\"b\":2}\n");
    gives("csv", put("none.csv", "1,x\n2,y\n"), "\"header\":\"no\"",
          "{\"column1\":1,\"column2\":\"x\"}\n{\"column1\":2,\"column2\":\"y\"}\n");
    gives("csv", put("named.csv", "1,x\n"), "\"header\":\"no\",\"columns\":\"n,t\"",
          "{\"n\":1,\"t\":\"x\"}\n");
    gives("csv", put("only.csv", "a,b\n"), NULL, "");
}

static void test_types_are_a_columns_and_not_a_cells(void **state)
{
    (void)state;
    gives("csv",
          put("t.csv", "zip,n,mixed,big,quoted\n007,1,1,12345678901234567890,\"\"\n"
                       "8,2.5,x,1,5\n"),
          NULL,
          "{\"zip\":\"007\",\"n\":1.0,\"mixed\":\"1\",\"big\":\"12345678901234567890\",\"quoted\":"
          "\"\"}\n"
          "{\"zip\":\"8\",\"n\":2.5,\"mixed\":\"x\",\"big\":\"1\",\"quoted\":\"5\"}\n");
    gives("csv", put("g.csv", "a,b\n1,\"[1, {\"\"k\"\": null}]\"\n"),
          "\"types\":\"a:string,b:json\"", "{\"a\":\"1\",\"b\":[1,{\"k\":null}]}\n");
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    hone_buf_adds(&b, "n\n");
    for (int i = 0; i < 1200; i++)
        hone_buf_addf(&b, "%d\n", i);
    hone_buf_adds(&b, "many\n7\n");
    const char *path = put("late.csv", b.ptr);
    hone_buf_release(&b);
    refuses("csv", path, NULL, 1200, "late.csv:1202: column \"n\" is integer by its first rows");
    hone_data *d = NULL;
    hone_buf_init(&b, 1 << 20);
    assert_ok(open_path("csv", path, "\"on_error\":\"skip\"", &d));
    assert_ok(drain(d, &b, UINT64_MAX));
    assert_int_equal(hone_data_skipped(d), 1);
    hone_data_close(d);
    hone_buf_release(&b);
    refuses("csv", path, "\"types\":\"m:string\"", 0, "no column is called \"m\"");
    refuses("csv", path, "\"types\":\"n:text\"", 0, "name:type is needed");
    refuses("csv", put("j.csv", "a\n\"1,\"\"b\"\":2\"\n"), "\"types\":\"a:json\"", 0, "is json");
}

static void test_bad_records_are_named_by_file_and_line(void **state)
{
    (void)state;
    refuses("csv", put("r.csv", "a,b\n1,\"x\ny\"\n3\n"), NULL, 1,
            "r.csv:4: 1 field where there are 2");
    refuses("csv", put("m.csv", "a,b\n1,2,3\n"), NULL, 0, "m.csv:2: 3 fields where there are 2");
    refuses("csv", put("q.csv", "a,b\n1,2\n3,\n4,\"5\n6,7\n"), NULL, 2,
            "q.csv:4: a quote is opened");
    refuses("csv", put("b.csv", "a,b\n\"x\"y,2\n"), NULL, 0, "b.csv:2: field 1: text behind");
    refuses("csv", put("u.csv", "a\nok\n\xC3(\n"), NULL, 1, "u.csv:3: column \"a\": not UTF-8");
    refuses("csv", put("e.csv", ""), NULL, 0, "is empty");
    refuses("csv", put("d.csv", "a,b,a\n"), NULL, 0, "\"a\" is there twice");
    refuses("csv", put("s.csv", "a;b\n1;2\n"), NULL, 0, "give separator = \";\"");
    refuses("csv", put("l.csv", "a\nxxxxxxxxxxxxxxxxxxxx\n"), "\"max_row_bytes\":10", 0,
            "max_row_bytes");
    refuses("csv", put("p.csv", "a\n"), "\"separator\":\"ab\"", 0, "one character");
    const char *path = scratch_path("z.csv");
    assert_ok(hone_file_replace(path, "a\nx\0y\n", 6));
    refuses("csv", path, NULL, 0, "z.csv:2: column \"a\": a NUL byte");
}

/* Every place is taken up again, also in the middle of records that fill several windows. */
static void takes_up(const char *component, const char *path, const char *more, size_t rows)
{
    hone_data *d = NULL;
    hone_buf all, state, rest;
    hone_buf_init(&all, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&rest, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&state, HONE_BUF_MAX_DEFAULT);
    assert_ok(open_path(component, path, more, &d));
    assert_ok(drain(d, &all, UINT64_MAX));
    hone_data_close(d);
    for (size_t k = 0; k <= rows; k += 1 + rows / 7) {
        hone_jw w;
        hone_value v;
        hone_buf_clear(&rest);
        hone_buf_clear(&state);
        assert_ok(open_path(component, path, more, &d));
        drain(d, &rest, k);
        hone_jw_init(&w, &state, 0);
        assert_ok(hone_data_save(d, &w));
        hone_data_close(d);
        assert_ok(hone_json_parse(state.ptr, state.len, "state", &arena, &v));
        assert_ok(open_path(component, path, more, &d));
        assert_ok(hone_data_restore(d, &v));
        assert_ok(drain(d, &rest, UINT64_MAX));
        hone_data_close(d);
        assert_string_equal(rest.ptr, all.ptr);
    }
    hone_buf_release(&all);
    hone_buf_release(&rest);
    hone_buf_release(&state);
}

static void test_places_in_csv_plain_and_packed(void **state)
{
    (void)state;
    hone_buf b;
    hone_buf_init(&b, 64 << 20);
    hone_buf_adds(&b, "id,text\n");
    for (int i = 0; i < 3000; i++) {
        hone_buf_addf(&b, "%d,\"row \"\"%d\"\"\n", i, i);
        for (int k = 0; k < i % 40; k++)
            hone_buf_adds(&b, "more, text\n");
        hone_buf_adds(&b, "\"\n");
    }
    const char *plain = put("places.csv", b.ptr);
    takes_up("csv", plain, NULL, 3000);
    const char *packed = scratch_path("places.csv.gz");
    gzFile z = gzopen(packed, "wb");
    assert_int_equal(gzwrite(z, b.ptr, (unsigned)b.len), (int)b.len);
    gzclose(z);
    takes_up("auto", packed, NULL, 3000);
    hone_buf_release(&b);
}

static void test_texts_are_files_paragraphs_or_lines(void **state)
{
    (void)state;
    const char *top = folder("texts");
    folder("texts/b");
    put("texts/a.txt", "one\n\n \ntwo\nlines\n\n\n");
    put("texts/b/c.md", "# three\n");
    put("texts/skip.bin", "x");
    put("texts/empty.txt", " \n");
    gives("dir", top, NULL,
          "{\"text\":\"one\\n\\n \\ntwo\\nlines\\n\\n\\n\",\"path\":\"a.txt\"}\n"
          "{\"text\":\"# three\\n\",\"path\":\"b/c.md\"}\n");
    gives("dir", top, "\"rows\":\"paragraph\"",
          "{\"text\":\"one\",\"path\":\"a.txt\"}\n{\"text\":\"two\\nlines\",\"path\":\"a.txt\"}\n"
          "{\"text\":\"# three\",\"path\":\"b/c.md\"}\n");
    gives("dir", scratch_path("texts/a.txt"), "\"rows\":\"line\"",
          "{\"text\":\"one\",\"path\":\"a.txt\"}\n{\"text\":\"two\",\"path\":\"a.txt\"}\n"
          "{\"text\":\"lines\",\"path\":\"a.txt\"}\n");
    gives("dir", top, "\"extensions\":\"md\"", "{\"text\":\"# three\\n\",\"path\":\"b/c.md\"}\n");
    takes_up("dir", top, "\"rows\":\"paragraph\"", 3);
    refuses("dir", top, "\"extensions\":\"rst\"", 0, "no file ends with");
    put("texts/bad.txt", "ok \xFF");
    refuses("dir", top, NULL, 2, "bad.txt:1: the text is not UTF-8, at byte 3");
}

static void test_a_data_sets_folder_tells_its_splits(void **state)
{
    (void)state;
    const char *top = folder("set");
    folder("set/data");
    put("set/data/train-00000-of-00002.jsonl", "{\"a\":1}\n{\"a\":2}\n");
    put("set/data/train-00001-of-00002.json", "[{\"a\":3}]");
    put("set/data/dev.csv", "a\n4\n");
    put("set/README.md", "no front matter\n");
    put("set/dataset_infos.json", "{}");
    gives("hf", top, NULL, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    gives("hf", top, "\"split\":\"validation\"", "{\"a\":4}\n");
    gives("auto", top, "\"split\":\"all\"", "{\"a\":4}\n{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    takes_up("hf", top, "\"split\":\"all\"", 4);
    refuses("hf", top, "\"split\":\"test\"", 0, "there are: validation, train");
    put("set/README.md",
        "---\nlicense: mit\nconfigs:\n- config_name: main   # the whole\n  data_files:\n"
        "  - split: train\n    path: \"data/train-*\"\n  - split: test\n    path:\n"
        "    - data/dev.csv\n- config_name: small\n  data_files: data/*.csv\n"
        "- config_name: flow\n  data_files: [data/dev.csv, 'data/*.json']\n"
        "- config_name: map\n  data_files:\n    train: data/dev.csv\ntags:\n- x\n---\n# Set\n");
    refuses("hf", top, NULL, 0,
            "several configurations: say which by config: main, small, flow, map");
    gives("hf", top, "\"config\":\"main\"", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    gives("hf", top, "\"config\":\"main\",\"split\":\"test\"", "{\"a\":4}\n");
    gives("hf", top, "\"config\":\"small\"", "{\"a\":4}\n");
    gives("hf", top, "\"config\":\"flow\"", "{\"a\":4}\n{\"a\":3}\n");
    gives("hf", top, "\"config\":\"map\"", "{\"a\":4}\n");
    refuses("hf", top, "\"config\":\"big\"", 0, "there is no configuration \"big\"");
    refuses("hf", folder("nothing"), NULL, 0, "no data in it");
    folder("saved");
    put("saved/data-00000-of-00001.arrow", "ARROW1");
    refuses("hf", scratch_path("saved"), NULL, 0, "save_to_disk");
    refuses("hf", scratch_path("saved/x"), NULL, 0, "is not a folder");
}

static void test_auto_tells_files_apart(void **state)
{
    (void)state;
    gives("auto", put("x.json", " [{\"a\":1}]"), NULL, "{\"a\":1}\n");
    gives("auto", put("y.json", "{\"a\":1}\n{\"a\":2}\n"), NULL, "{\"a\":1}\n{\"a\":2}\n");
    gives("auto", put("rows", "[{\"a\":1}]"), NULL, "{\"a\":1}\n");
    gives("auto", put("w.ndjson", "{\"a\":1}\n"), NULL, "{\"a\":1}\n");
    gives("auto", put("v.TSV", "a\tb\n1\t2\n"), NULL, "{\"a\":1,\"b\":2}\n");
    gives("auto", put("t.md", "x"), NULL, "{\"text\":\"x\",\"path\":\"t.md\"}\n");
    refuses("auto", scratch_path("not there"), NULL, 0, "No such file");
}

/* Stands in for DuckDB: prints the query it was given as a row, and the rows after OFFSET. */
static const char *made_up_duckdb(const char *name, const char *body)
{
    const char *path = put(name, body);
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

static void test_the_program_is_run_without_a_shell_and_waited_for(void **state)
{
    (void)state;
    char more[700];
    const char *data = put("it's; $(touch pwned).parquet", "PAR1xx");
    const char *echo = made_up_duckdb(
        "duck1",
        "#!/bin/sh\nfor a; do last=$a; done\ncase $last in *OFFSET*) from=${last#*OFFSET };"
        " from=${from%%)*};; *) from=0;; esac\n"
        "i=$from; while [ $i -lt 5 ]; do echo \"{\\\"i\\\":$i}\"; i=$((i+1)); done\n");
    snprintf(more, sizeof more, "\"program\":\"%s\"", echo);
    gives("duckdb", data, more, "{\"i\":0}\n{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n{\"i\":4}\n");
    takes_up("auto", data, more, 5);
    assert_int_not_equal(access("pwned", F_OK), 0);
    const char *args = made_up_duckdb("duck2",
                                      "#!/bin/sh\nfor a; do last=$a; done\n"
                                      "printf '{\"sql\":\"%s\",\"n\":%d}\\n' \"$last\" $#\n");
    snprintf(more, sizeof more, "\"program\":\"%s\",\"query\":\"SELECT 1 AS x\"", args);
    gives(
        "duckdb", data, more,
        "{\"sql\":\"SET threads=1; SET memory_limit='1GB'; SET autoinstall_known_extensions=false; "
        "COPY (SELECT * FROM (SELECT 1 AS x)) TO '/dev/stdout' (FORMAT json);\",\"n\":6}\n");
    hone_data *less = NULL; /* select and take become part of the query */
    hone_buf sql;
    hone_str columns[] = {{"x", 1}, {"sa\"id", 5}};
    hone_buf_init(&sql, HONE_BUF_MAX_DEFAULT);
    const char *asked = made_up_duckdb(
        "duck5", "#!/bin/sh\nfor a; do last=$a; done\nprintf '%s' \"$last\" >\"${0%5}.sql\"\n"
                 "echo '{\"x\":1,\"sa\\\"id\":2}'\n");
    snprintf(more, sizeof more, "\"program\":\"%s\",\"query\":\"SELECT 1 AS x\"", asked);
    assert_ok(open_path("duckdb", data, more, &less));
    assert_ok(hone_data_select(&less, columns, 2));
    assert_ok(hone_data_take(&less, 7));
    assert_true(drain(less, &sql, 10) >= 0);
    hone_data_close(less);
    hone_buf_clear(&sql);
    assert_ok(hone_file_read(scratch_path("duck.sql"), 1 << 20, &sql));
    assert_non_null(
        strstr(sql.ptr, "COPY (SELECT \"x\",\"sa\"\"id\" FROM (SELECT 1 AS x) LIMIT 7) TO"));
    hone_buf_release(&sql);
    const char *fails = made_up_duckdb(
        "duck3", "#!/bin/sh\necho '{\"i\":1}'\necho 'Invalid Input: bad' >&2\nexit 1\n");
    snprintf(more, sizeof more, "\"program\":\"%s\"", fails);
    refuses("duckdb", data, more, 1, "DuckDB: Invalid Input: bad");
    const char *endless = made_up_duckdb("duck4",
                                         "#!/bin/sh\nwhile :; do echo '{\"i\":1}'; done\n");
    snprintf(more, sizeof more, "\"program\":\"%s\"", endless);
    hone_data *d = NULL;
    hone_buf b;
    hone_buf_init(&b, HONE_BUF_MAX_DEFAULT);
    assert_ok(open_path("duckdb", data, more, &d)); /* given up in the middle: it is ended */
    assert_true(drain(d, &b, 10) >= 0);
    hone_data_close(d);
    hone_buf_release(&b);
    snprintf(more, sizeof more, "\"program\":\"%s\"", scratch_path("no program"));
    refuses("duckdb", data, more, 0, "pip install duckdb-cli");
}

static hone_status read_all(const char *path)
{
    hone_data *d = NULL;
    hone_buf b;
    hone_arena a;
    hone_pair pair = {hone_str_c("path"), {.type = HONE_STRING, .u.str = hone_str_c(path)}};
    hone_value v = {.type = HONE_MAP, .u.map = {&pair, 1}}, row;
    hone_arena_init(&a, 0);
    hone_buf_init(&b, 1 << 20);
    hone_status s = hone_data_open(shipped(), "hf", &v, &d);
    while (s >= 0 && (s = hone_data_next(d, &a, &row)) > 0)
        ;
    hone_data_close(d);
    hone_buf_release(&b);
    hone_arena_release(&a);
    return s;
}

static void test_every_failed_allocation_is_an_error_and_no_leak(void **state)
{
    (void)state;
    char top[300];
    snprintf(top, sizeof top, "%s", folder("small"));
    put("small/train.csv", "a,b\n1,\"x\"\n2,y\n");
    put("small/README.md", "---\nconfigs:\n- config_name: c\n  data_files: train.csv\n---\n");
    assert_ok(read_all(top)); /* the plugin is loaded */
    assert_survives_no_memory(read_all(top));
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
#define T(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_records_are_those_of_rfc_4180),
        T(test_types_are_a_columns_and_not_a_cells),
        T(test_bad_records_are_named_by_file_and_line),
        T(test_places_in_csv_plain_and_packed),
        T(test_texts_are_files_paragraphs_or_lines),
        T(test_a_data_sets_folder_tells_its_splits),
        T(test_auto_tells_files_apart),
        T(test_the_program_is_run_without_a_shell_and_waited_for),
        T(test_every_failed_allocation_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
