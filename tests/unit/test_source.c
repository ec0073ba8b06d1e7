/* Rows: json and jsonl files, Arrow columns, stages, and states that bring back the same rows. */
#include "source_rows.h"

#include "base/rng.h"
#include "hone/source.h"
#include "train/arrow_rows.h"

#include <zlib.h>
#include <zstd.h>

static const char *write_file(const char *name, const void *p, size_t n)
{
    const char *path = scratch_path(name);
    assert_ok(hone_file_replace(path, p, n));
    return path;
}

static void expect_rows(hone_data *d, const char *want)
{
    hone_buf got;
    hone_buf_init(&got, HONE_BUF_MAX_DEFAULT);
    assert_ok(drain(d, &got, UINT64_MAX));
    assert_string_equal(got.ptr, want);
    hone_buf_release(&got);
}

/* n rows {"i":0}, {"i":1}, ... as jsonl */
static void numbered(hone_buf *out, size_t n)
{
    hone_buf_init(out, HONE_BUF_MAX_DEFAULT);
    for (size_t i = 0; i < n; i++)
        hone_buf_addf(out, "{\"i\":%zu,\"g\":%zu,\"t\":\"row number %zu\"}\n", i, i / 3, i);
}

static hone_data *open_numbers(size_t n)
{
    hone_buf text;
    hone_data *d = NULL;
    numbered(&text, n);
    assert_ok(open_path("jsonl", write_file("numbers.jsonl", text.ptr, text.len), NULL, &d));
    hone_buf_release(&text);
    return d;
}

/* ---- files ---------------------------------------------------------------------------------------- */

static void test_jsonl_reads_lines_of_any_kind(void **state)
{
    (void)state;
    const char text[] =
        "\xEF\xBB\xBF{\"a\":1}\r\n\n  \n {\"a\":[1,{\"b\":null}]} \n{\"c\":\"\\u00e4\\n\"}";
    hone_data *d;
    assert_ok(open_path("jsonl", write_file("kinds.jsonl", text, sizeof text - 1), NULL, &d));
    expect_rows(d, "{\"a\":1}\n{\"a\":[1,{\"b\":null}]}\n{\"c\":\"\xC3\xA4\\n\"}\n");
    hone_data_close(d);
    assert_ok(open_path("jsonl", write_file("empty.jsonl", "", 0), NULL, &d));
    expect_rows(d, "");
    hone_data_close(d);
}

static void test_json_reads_an_array_of_objects(void **state)
{
    (void)state;
    const char text[] = "\n[ {\"a\":\"]},{\\\"[\"} ,\n{\"b\":{\"c\":[]}}\n ] \n";
    hone_data *d;
    assert_ok(open_path("json", write_file("a.json", text, sizeof text - 1), NULL, &d));
    expect_rows(d, "{\"a\":\"]},{\\\"[\"}\n{\"b\":{\"c\":[]}}\n");
    hone_data_close(d);
    assert_ok(open_path("json", write_file("b.json", "[]", 2), NULL, &d));
    expect_rows(d, "");
    hone_data_close(d);
}

static size_t gzip_into(unsigned char *out, size_t room, const char *p, size_t n)
{
    z_stream z;
    memset(&z, 0, sizeof z);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)p;
    z.avail_in = (unsigned)n;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = room - z.avail_out;
    deflateEnd(&z);
    return made;
}

static void test_compressed_files_equal_plain_ones(void **state)
{
    (void)state;
    enum { N = 20000 };
    hone_buf text, want, got;
    hone_data *d;
    numbered(&text, N);
    hone_buf_init(&want, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&got, HONE_BUF_MAX_DEFAULT);
    assert_ok(open_path("jsonl", write_file("plain.jsonl", text.ptr, text.len), NULL, &d));
    assert_ok(drain(d, &want, UINT64_MAX));
    hone_data_close(d);
    size_t room = text.len + 100000, half = text.len / 2, n;
    unsigned char *packed = hone_alloc(room);
    /* two gzip members, cut in the middle of a row */
    n = gzip_into(packed, room, text.ptr, half);
    n += gzip_into(packed + n, room - n, text.ptr + half, text.len - half);
    assert_ok(open_path("jsonl", write_file("two.jsonl.gz", packed, n), NULL, &d));
    assert_ok(drain(d, &got, UINT64_MAX));
    assert_string_equal(got.ptr, want.ptr);
    hone_data_close(d);
    /* cut off: an error, not a short file */
    assert_ok(open_path("jsonl", write_file("cut.jsonl.gz", packed, n - 9), NULL, &d));
    assert_fails(drain(d, &got, UINT64_MAX), HONE_E_PARSE, "cut off");
    hone_data_close(d);
    packed[n / 3] ^= 0x55;
    assert_ok(open_path("jsonl", write_file("bad.jsonl.gz", packed, n), NULL, &d));
    assert_int_equal(drain(d, &got, UINT64_MAX), HONE_E_PARSE);
    hone_data_close(d);
    /* two zstd frames */
    n = ZSTD_compress(packed, room, text.ptr, half, 3);
    n += ZSTD_compress(packed + n, room - n, text.ptr + half, text.len - half, 3);
    hone_buf_clear(&got);
    assert_ok(open_path("jsonl", write_file("two.jsonl.zst", packed, n), NULL, &d));
    assert_ok(drain(d, &got, UINT64_MAX));
    assert_string_equal(got.ptr, want.ptr);
    /* back to the middle of it, by its state */
    hone_data_close(d);
    assert_ok(open_path("jsonl", write_file("cut.jsonl.zst", packed, n - 5), NULL, &d));
    assert_fails(drain(d, &got, UINT64_MAX), HONE_E_PARSE, "cut off");
    hone_data_close(d);
    hone_free(packed);
    hone_buf_release(&text);
    hone_buf_release(&want);
    hone_buf_release(&got);
}

static void test_a_bad_line_is_named_and_the_rows_before_it_come(void **state)
{
    (void)state;
    static const struct {
        const char *line, *what;
    } bad[] = {
        {"{\"a\":1", "ends early"},       {"{\"a\":1}}", "more follows"},
        {"[1]", "must be a JSON object"}, {"{\"a\":01}", "starts with 0"},
        {"{\"a\":tru}", "unknown word"},  {"{\"a\":\"\t\"}", "control character"},
        {"{\"a\":\"\xFF\"}", "UTF-8"},    {"{\"a\":\"\\x\"}", "escape"},
        {"{a:1}", "name in quotes"},      {"{\"a\":\"\\ud800\"}", "surrogate"},
        {"{\"a\" 1}", "\":\""},           {"{\"a\":1,}", "name in quotes"},
        {"{\"a\":[1,]}", "a value"},      {"{\"a\":[1}", "\"]\""},
        {"{\"a\":-}", "lacks digits"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        char text[200];
        hone_data *d;
        hone_buf got;
        snprintf(text, sizeof text, "{\"x\":1}\n\n%s\n{\"x\":2}\n", bad[k].line);
        const char *path = write_file("bad.jsonl", text, strlen(text));
        hone_buf_init(&got, 1000);
        assert_ok(open_path("jsonl", path, NULL, &d));
        assert_fails(drain(d, &got, UINT64_MAX), HONE_E_PARSE, "bad.jsonl:3: ");
        assert_non_null(strstr(hone_error_get()->what, bad[k].what));
        assert_string_equal(got.ptr, "{\"x\":1}\n");
        hone_data_close(d);
        assert_ok(open_path("jsonl", path, "\"on_error\":\"skip\"", &d));
        expect_rows(d, "{\"x\":1}\n{\"x\":2}\n");
        assert_int_equal(hone_data_skipped(d), 1);
        hone_data_close(d);
        hone_buf_release(&got);
    }
}

static void test_damaged_arrays_are_errors_under_skip_too(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } bad[] = {
        {"", "empty"},
        {"{\"a\":1}", "jsonl"},
        {"[{\"a\":1}", "not closed"},
        {"[{\"a\":1} {\"a\":2}]", ""},
        {"[{\"a\":1},]", "comma"},
        {"[{\"a\":1}] x", "more follows"},
        {"[{\"a\":1},,{}]", "missing"},
        {"[{\"a\":1}}]", "closes nothing"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        hone_data *d;
        hone_buf got;
        hone_buf_init(&got, 1000);
        assert_ok(
            open_path("json", write_file("bad.json", bad[k].text, strlen(bad[k].text)), NULL, &d));
        assert_fails(drain(d, &got, UINT64_MAX), HONE_E_PARSE, bad[k].what);
        hone_data_close(d);
        hone_buf_release(&got);
    }
    hone_data *d;
    const char *text = "[{\"a\":1},\n{\"a\":tru},7,\n{\"a\":2}]";
    assert_ok(open_path("json", write_file("skip.json", text, strlen(text)),
                        "\"on_error\":\"skip\"", &d));
    expect_rows(d, "{\"a\":1}\n{\"a\":2}\n");
    assert_int_equal(hone_data_skipped(d), 2);
    hone_data_close(d);
}

static void test_missing_files_and_long_rows_are_refused(void **state)
{
    (void)state;
    hone_data *d;
    hone_buf got;
    hone_buf_init(&got, 1000);
    assert_fails(open_path("jsonl", scratch_path("nowhere.jsonl"), NULL, &d), HONE_E_NOT_FOUND,
                 "nowhere.jsonl");
    assert_fails(open_path("jsonl", scratch_dir(), NULL, &d), HONE_E_INVALID, "folder");
    const char *text = "{\"a\":\"0123456789\"}\n{\"a\":\"01234567890123456789\"}\n";
    assert_ok(open_path("jsonl", write_file("long.jsonl", text, strlen(text)),
                        "\"max_row_bytes\":20", &d));
    assert_fails(drain(d, &got, UINT64_MAX), HONE_E_LIMIT, "long.jsonl:2: a row is longer");
    hone_data_close(d);
    hone_buf_release(&got);
}

/* ---- states --------------------------------------------------------------------------------------- */

typedef hone_data *(*builder)(void);

/* For cuts all over the chain: read some rows, save, go on; a second chain restored from the state must
 * give the same rest. */
static void assert_resumes(builder build, uint64_t total)
{
    for (uint64_t cut = 0; cut <= total + 1; cut += total / 7 + 1) {
        hone_data *a = build(), *b = build();
        hone_buf head, want, got, state;
        hone_jw w;
        hone_value v;
        hone_buf_init(&head, HONE_BUF_MAX_DEFAULT);
        hone_buf_init(&want, HONE_BUF_MAX_DEFAULT);
        hone_buf_init(&got, HONE_BUF_MAX_DEFAULT);
        hone_buf_init(&state, HONE_BUF_MAX_DEFAULT);
        assert_ok(drain(a, &head, cut));
        hone_jw_init(&w, &state, 0);
        assert_ok(hone_data_save(a, &w));
        assert_ok(drain(a, &want, total));
        assert_true(cut > total || want.len > 0 || cut == total);
        assert_ok(hone_json_parse(state.ptr, state.len, "state", &arena, &v));
        assert_ok(hone_data_restore(b, &v));
        assert_ok(drain(b, &got, total));
        assert_string_equal(got.ptr, want.ptr);
        hone_data_close(a);
        hone_data_close(b);
        hone_buf_release(&head);
        hone_buf_release(&want);
        hone_buf_release(&got);
        hone_buf_release(&state);
    }
}

static hone_data *build_plain(void)
{
    return open_numbers(1000);
}
static hone_data *build_shuffled(void)
{
    hone_data *d = open_numbers(1000);
    assert_ok(hone_data_shuffle(&d, 5, 300));
    assert_ok(hone_data_epochs(&d, 3));
    assert_ok(hone_data_take(&d, 2500));
    return d;
}
static hone_data *build_mixed(void)
{
    hone_data *from[2] = {open_numbers(700), NULL}, *d;
    hone_value list;
    const char *text = "[{\"l\":1},{\"l\":2},{\"l\":3}]";
    const double weights[2] = {1, 0.2};
    assert_ok(hone_json_parse(text, strlen(text), NULL, &arena, &list));
    assert_ok(hone_data_open_list(&list, &from[1]));
    assert_ok(hone_data_epochs(&from[1], 50));
    assert_ok(hone_data_skip(&from[0], 10));
    assert_ok(hone_data_mix(from, weights, 2, 3, 0, &d));
    assert_ok(hone_data_batches(&d, 4, 1));
    return d;
}
static void test_restored_chains_give_the_same_rest(void **state)
{
    (void)state;
    assert_resumes(build_plain, 1000);
    assert_resumes(build_shuffled, 2500);
    assert_resumes(build_mixed, 210);
}

static void test_states_of_other_chains_or_data_are_refused(void **state)
{
    (void)state;
    hone_data *a = build_shuffled(), *b = build_plain();
    hone_buf text, rows;
    hone_jw w;
    hone_value v;
    hone_buf_init(&text, HONE_BUF_MAX_DEFAULT);
    hone_buf_init(&rows, HONE_BUF_MAX_DEFAULT);
    hone_jw_init(&w, &text, 0);
    assert_ok(hone_data_save(a, &w));
    assert_ok(hone_json_parse(text.ptr, text.len, NULL, &arena, &v));
    assert_fails(hone_data_restore(b, &v), HONE_E_STATE, "another chain");
    hone_data_close(a);
    assert_ok(drain(b, &rows, 300));
    hone_buf_clear(&text);
    hone_jw_init(&w, &text, 0);
    assert_ok(hone_data_save(b, &w));
    assert_ok(hone_json_parse(text.ptr, text.len, NULL, &arena, &v));
    hone_data_close(b);
    b = open_numbers(999); /* the same path, other bytes */
    assert_fails(hone_data_restore(b, &v), HONE_E_STATE, "changed");
    hone_data_close(b);
    hone_buf_release(&text);
    hone_buf_release(&rows);
}

/* ---- stages --------------------------------------------------------------------------------------- */

static int64_t number_of(const hone_value *row)
{
    int64_t i = -1;
    assert_ok(hone_value_i64(row, "i", -1, &i));
    return i;
}

static void test_shuffle_is_a_permutation_that_epochs_change(void **state)
{
    (void)state;
    enum { N = 500 };
    hone_data *d = open_numbers(N);
    int64_t order[2][N];
    int moved = 0, differ = 0;
    assert_ok(hone_data_shuffle(&d, 11, 0));
    assert_ok(hone_data_epochs(&d, 2));
    for (size_t e = 0; e < 2; e++) {
        int seen[N] = {0};
        for (size_t k = 0; k < N; k++) {
            hone_value row;
            assert_int_equal(hone_data_next(d, &arena, &row), 1);
            order[e][k] = number_of(&row);
            assert_true(order[e][k] >= 0 && order[e][k] < N && !seen[order[e][k]]++);
            moved += order[e][k] != (int64_t)k;
            differ += e && order[0][k] != order[1][k];
        }
    }
    assert_true(moved > N && differ > N / 2);
    hone_value row;
    assert_int_equal(hone_data_next(d, &arena, &row), 0);
    hone_data_close(d);
}

static hone_status keep_odd(void *ctx, hone_data_place place, hone_arena *a, const hone_value *in,
                            hone_value *out)
{
    (void)place;
    (void)a;
    (void)out;
    ++*(int *)ctx;
    return number_of(in) % 2 == 1;
}
static hone_status give_up(void *ctx, hone_data_place place, hone_arena *a, const hone_value *in,
                           hone_value *out)
{
    (void)place;
    (void)ctx;
    (void)a;
    (void)in;
    (void)out;
    return hone_fail(HONE_E_SCRIPT, "the function failed");
}
static void count_drop(void *ctx)
{
    *(int *)ctx += 1000;
}

static void test_map_filters_and_passes_errors_up(void **state)
{
    (void)state;
    int calls = 0;
    hone_data *d = open_numbers(5);
    assert_ok(hone_data_map(&d, keep_odd, &calls, count_drop));
    expect_rows(
        d, "{\"i\":1,\"g\":0,\"t\":\"row number 1\"}\n{\"i\":3,\"g\":1,\"t\":\"row number 3\"}\n");
    assert_int_equal(calls, 5);
    hone_data_close(d);
    assert_int_equal(calls, 1005);
    d = open_numbers(5);
    hone_value row;
    assert_ok(hone_data_map(&d, give_up, NULL, NULL));
    assert_fails(hone_data_next(d, &arena, &row), HONE_E_SCRIPT, "the function failed");
    hone_data_close(d);
}

static void test_split_parts_groups_and_loses_nothing(void **state)
{
    (void)state;
    enum { N = 900 };
    int side[N], groups[N / 3];
    size_t first = 0;
    memset(side, -1, sizeof side);
    memset(groups, -1, sizeof groups);
    for (int part = 0; part < 2; part++) {
        hone_data *d = open_numbers(N);
        hone_value row;
        assert_ok(hone_data_split(&d, "g", 4, part ? 0.8 : 0, part ? 1 : 0.8));
        while (hone_data_next(d, &arena, &row) > 0) {
            int64_t i = number_of(&row);
            assert_int_equal(side[i], -1);
            side[i] = part;
            assert_true(groups[i / 3] == -1 || groups[i / 3] == part);
            groups[i / 3] = part;
            first += part == 0;
        }
        hone_data_close(d);
    }
    for (size_t i = 0; i < N; i++)
        assert_true(side[i] >= 0);
    assert_true(first > N * 0.7 && first < N * 0.9);
    hone_data *d = open_numbers(3);
    hone_value row;
    assert_ok(hone_data_split(&d, "no", 4, 0, 1));
    assert_fails(hone_data_next(d, &arena, &row), HONE_E_NOT_FOUND, "\"no\"");
    assert_fails(hone_data_split(&d, NULL, 4, .5, .5), HONE_E_INVALID, "split");
    hone_data_close(d);
}

static void test_mix_draws_by_weight_until_all_ended(void **state)
{
    (void)state;
    hone_data *from[2], *d;
    hone_value row, list;
    const double weights[2] = {3, 1};
    size_t of_list = 0, all = 0, early = 0;
    const char *text = "[{\"l\":1}]";
    assert_ok(hone_json_parse(text, strlen(text), NULL, &arena, &list));
    from[0] = open_numbers(900);
    assert_ok(hone_data_open_list(&list, &from[1]));
    assert_ok(hone_data_epochs(&from[1], 400));
    assert_ok(hone_data_mix(from, weights, 2, 3, 0, &d));
    for (; hone_data_next(d, &arena, &row) > 0; all++) {
        int l = hone_value_get(&row, "l") != NULL;
        of_list += (size_t)l;
        early += (size_t)(l && all < 400);
    }
    assert_int_equal(all, 1300);
    assert_int_equal(of_list, 400);
    assert_true(early > 70 && early < 130);
    hone_data_close(d);
    const double none[1] = {0};
    assert_fails(hone_data_mix(from, none, 1, 3, 0, &d), HONE_E_INVALID, "0");
}

static void test_batches_epochs_take_and_skip_count_right(void **state)
{
    (void)state;
    hone_data *d;
    for (int partial = 0; partial < 2; partial++) {
        hone_value row;
        size_t n = 0, last = 0;
        d = open_numbers(7);
        assert_ok(hone_data_skip(&d, 1));
        assert_ok(hone_data_take(&d, 5));
        assert_ok(hone_data_epochs(&d, 2));
        assert_ok(hone_data_batches(&d, 4, partial));
        for (int again = 0; again < 2; again++) {
            n = 0;
            assert_ok(hone_data_rewind(d, 0));
            while (hone_data_next(d, &arena, &row) > 0) {
                assert_int_equal(row.type, HONE_LIST);
                assert_int_equal(number_of(&row.u.list.items[0]), n == 0 ? 1 : n == 1 ? 5 : 4);
                last = row.u.list.n;
                n++;
            }
            assert_int_equal(n, partial ? 3 : 2);
            assert_int_equal(last, partial ? 2 : 4);
        }
        hone_data_close(d);
    }
    hone_value list;
    const char *text = "[]";
    assert_ok(hone_json_parse(text, strlen(text), NULL, &arena, &list));
    assert_ok(hone_data_open_list(&list, &d));
    assert_ok(hone_data_epochs(&d, 0)); /* for ever, of nothing: an end */
    expect_rows(d, "");
    hone_data_close(d);
}

/* ---- memory ---- */

static hone_status read_all(const char *path)
{
    hone_data *d = NULL;
    hone_pair pair = {hone_str_c("path"), {.type = HONE_STRING, .u.str = hone_str_c(path)}};
    hone_value settings = {.type = HONE_MAP, .u.map = {&pair, 1}};
    hone_arena a;
    hone_value row;
    hone_status s = hone_data_open(shipped(), "jsonl", &settings, &d);
    hone_arena_init(&a, 0);
    if (s >= 0)
        s = hone_data_shuffle(&d, 1, 20);
    if (s >= 0)
        s = hone_data_batches(&d, 3, 1);
    while (s >= 0 && (s = hone_data_next(d, &a, &row)) > 0)
        ;
    hone_data_close(d);
    hone_arena_release(&a);
    return s;
}

static void test_every_failed_allocation_is_an_error_and_no_leak(void **state)
{
    (void)state;
    hone_buf text;
    char path[300];
    numbered(&text, 50);
    snprintf(path, sizeof path, "%s", write_file("torture.jsonl", text.ptr, text.len));
    hone_buf_release(&text);
    assert_ok(read_all(path)); /* the plugin is loaded */
    assert_survives_no_memory(read_all(path));
}

/* ---- Arrow columns -------------------------------------------------------------------------------- */

static void no_schema_release(struct ArrowSchema *s)
{
    s->release = NULL;
}
static void no_release(struct ArrowArray *a)
{
    a->release = NULL;
}

static void test_typed_arrow_columns_become_values(void **state)
{
    (void)state;
    /* 3 rows, arrays begin at offset 1 */
    const int64_t i64[4] = {9, -1, 2, 3};
    const double f64[4] = {9, .5, 1.5, 2.5};
    const int16_t i16[4] = {9, -7, 8, 9};
    const uint8_t bools[1] = {0x0A}, valid[1] = {0x0B}; /* bits 1, 3 set; row 1 (bit 2) null */
    const int32_t ends[5] = {0, 1, 3, 3, 6}, list_ends[5] = {0, 1, 3, 3, 4},
                  index[4] = {0, 1, 0, 1}, dict_ends[3] = {0, 3, 6};
    const void *b_i64[2] = {valid, i64}, *b_f64[2] = {NULL, f64}, *b_i16[2] = {NULL, i16},
               *b_bool[2] = {NULL, bools}, *b_text[3] = {NULL, ends, "xabcde"},
               *b_list[2] = {NULL, list_ends}, *b_index[2] = {NULL, index},
               *b_dict[3] = {NULL, dict_ends, "onetwo"}, *b_json[3] = {NULL, ends, "712[3]"},
               *b_none[1] = {NULL};
    struct ArrowSchema item = {.format = "l", .name = "item"}, dict_s = {.format = "u", .name = ""},
                       *item_s[1] = {&item};
    const char meta[] = "\1\0\0\0\24\0\0\0ARROW:extension:name\12\0\0\0arrow.json";
    struct ArrowSchema cols[9] = {
        {.format = "l", .name = "i"},
        {.format = "g", .name = "f"},
        {.format = "s", .name = "s"},
        {.format = "b", .name = "b"},
        {.format = "u", .name = "t"},
        {.format = "+l", .name = "l", .n_children = 1, .children = item_s},
        {.format = "i", .name = "d", .dictionary = &dict_s},
        {.format = "n", .name = "n"},
        {.format = "u", .name = "j", .metadata = meta}};
    struct ArrowSchema *kids[9];
    struct ArrowArray items = {.length = 4, .null_count = -1, .n_buffers = 2, .buffers = b_i64},
                      *items_a[1] = {&items};
    struct ArrowArray dict_a = {.length = 2, .n_buffers = 3, .buffers = b_dict};
    struct ArrowArray arrays[9] = {
        {.n_buffers = 2, .buffers = b_i64, .null_count = -1},
        {.n_buffers = 2, .buffers = b_f64},
        {.n_buffers = 2, .buffers = b_i16},
        {.n_buffers = 2, .buffers = b_bool},
        {.n_buffers = 3, .buffers = b_text},
        {.n_buffers = 2, .buffers = b_list, .n_children = 1, .children = items_a},
        {.n_buffers = 2, .buffers = b_index, .dictionary = &dict_a},
        {.n_buffers = 0},
        {.n_buffers = 3, .buffers = b_json}};
    struct ArrowArray *kids_a[9];
    for (size_t k = 0; k < 9; k++) {
        kids[k] = &cols[k];
        kids_a[k] = &arrays[k];
        arrays[k].length = 3;
        arrays[k].offset = 1;
    }
    struct ArrowSchema schema = {
        .format = "+s", .n_children = 9, .children = kids, .release = no_schema_release};
    struct ArrowArray batch = {.length = 3,
                               .n_buffers = 1,
                               .buffers = b_none,
                               .n_children = 9,
                               .children = kids_a,
                               .release = no_release};
    hone_buf got;
    hone_buf_init(&got, 4096);
    assert_ok(hone_arrow_check_schema(&schema));
    assert_ok(hone_arrow_check_batch(&schema, &batch));
    for (int64_t i = 0; i < 3; i++) {
        hone_value row;
        hone_jw w;
        hone_status s = hone__arrow_row(&schema, &batch, i, "test", &arena, &row);
        if (i == 1) { /* its cell of j is empty: no JSON */
            assert_int_equal(s, HONE_E_PARSE);
            continue;
        }
        assert_ok(s);
        hone_jw_init(&w, &got, 0);
        hone_jw_value(&w, &row);
        hone_buf_addc(&got, '\n');
    }
    assert_string_equal(got.ptr, "{\"i\":-1,\"f\":0.5,\"s\":-7,\"b\":true,\"t\":\"ab\",\"l\":[-1,"
                                 "null],\"d\":\"two\",\"n\":null,\"j\":12}\n"
                                 "{\"i\":3,\"f\":2.5,\"s\":9,\"b\":true,\"t\":\"cde\",\"l\":[3],"
                                 "\"d\":\"two\",\"n\":null,\"j\":[3]}\n");
    cols[1].format = "d:10,2";
    assert_fails(hone_arrow_check_schema(&schema), HONE_E_UNSUPPORTED, "d:10,2");
    cols[1].format = "g";
    arrays[2].length = 2;
    assert_fails(hone_arrow_check_batch(&schema, &batch), HONE_E_MISBEHAVED, "column s");
    hone_buf_release(&got);
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
        T(test_jsonl_reads_lines_of_any_kind),
        T(test_json_reads_an_array_of_objects),
        T(test_compressed_files_equal_plain_ones),
        T(test_a_bad_line_is_named_and_the_rows_before_it_come),
        T(test_damaged_arrays_are_errors_under_skip_too),
        T(test_missing_files_and_long_rows_are_refused),
        T(test_restored_chains_give_the_same_rest),
        T(test_states_of_other_chains_or_data_are_refused),
        T(test_shuffle_is_a_permutation_that_epochs_change),
        T(test_map_filters_and_passes_errors_up),
        T(test_split_parts_groups_and_loses_nothing),
        T(test_mix_draws_by_weight_until_all_ended),
        T(test_batches_epochs_take_and_skip_count_right),
        T(test_every_failed_allocation_is_an_error_and_no_leak),
        T(test_typed_arrow_columns_become_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
