/* test_arrow.c - Arrow over a border: slices arrive as the rows they are; bytes of somebody hostile are refused by name. */
#include "support.h"

#include "abi/arrow_private.h"
#include "base/file.h"
#include "base/rng.h"
#include "train/arrow_rows.h"

enum { N = 43, FIELDS = 14, ROOM = 1 << 16 };

/* ---- a batch of every kind of column ---------------------------------------------------------------- */

static int64_t i64[2 * N + 8];
static int32_t i32[N], ends[N + 1], list_ends[N + 1];
static int64_t wide_ends[N + 1];
static uint16_t half[N];
static double f64[N];
static uint8_t valid[16], bools[16], index8[N];
static char text[8 * N], fixed[3 * N];
static const char json_meta[] = "\1\0\0\0\24\0\0\0ARROW:extension:name\12\0\0\0arrow.json";
static struct ArrowSchema column[FIELDS], item_l, item_f, in_struct[2], dict_s, root_s,
    *kids_s[FIELDS], *list_kid_s, *fixed_kid_s, *struct_kids_s[2];
static struct ArrowArray array[FIELDS], item_la, item_fa, in_struct_a[2], dict_a, root_a,
    *kids_a[FIELDS], *list_kid_a, *fixed_kid_a, *struct_kids_a[2];
static const void *buffers[FIELDS + 5][3];
static int32_t dict_ends[3] = {0, 3, 8};

static void keep_schema(struct ArrowSchema *s)
{
    s->release = NULL;
}
static void keep_array(struct ArrowArray *a)
{
    a->release = NULL;
}

static void set(int k, const char *format, const char *name, int n_buffers, int nulls,
                const void *b1, const void *b2)
{
    column[k] = (struct ArrowSchema){.format = format, .name = name, .release = keep_schema};
    buffers[k][0] = nulls ? valid : NULL;
    buffers[k][1] = b1;
    buffers[k][2] = b2;
    array[k] = (struct ArrowArray){.length = N,
                                   .null_count = nulls ? -1 : 0,
                                   .n_buffers = n_buffers,
                                   .buffers = buffers[k],
                                   .release = keep_array};
    kids_s[k] = &column[k];
    kids_a[k] = &array[k];
}

static void child(int b, struct ArrowSchema *s, struct ArrowArray *a, const char *format,
                  int64_t length, const void *values)
{
    *s = (struct ArrowSchema){.format = format, .name = "item", .release = keep_schema};
    buffers[FIELDS + b][0] = NULL;
    buffers[FIELDS + b][1] = values;
    *a = (struct ArrowArray){
        .length = length, .n_buffers = 2, .buffers = buffers[FIELDS + b], .release = keep_array};
}

/* Rows from..from+n of it. */
static void make(int64_t from, int64_t n)
{
    memset(text, 'x', sizeof text);
    for (int i = 0; i < N; i++) {
        i32[i] = i * 7 - 100;
        f64[i] = i / 4.0;
        half[i] = (uint16_t)(0x3c00 + i);
        index8[i] = (uint8_t)(i & 1);
        ends[i + 1] = ends[i] + i % 5;
        wide_ends[i + 1] = ends[i + 1];
        list_ends[i + 1] = list_ends[i] + i % 3;
        memcpy(fixed + 3 * i, "abc", 3);
        fixed[3 * i] = (char)('a' + i % 26);
    }
    for (size_t i = 0; i < sizeof i64 / sizeof *i64; i++)
        i64[i] = (int64_t)i * 1000003;
    for (int i = 0; i < 16; i++) {
        valid[i] = (uint8_t)(0xb7 + 5 * i);
        bools[i] = (uint8_t)(0x5c ^ i);
    }
    for (int i = 0; i < 8 * N; i++)
        text[i] = (char)('a' + i % 26);
    set(0, "l", "i", 2, 1, i64, NULL);
    set(1, "i", "w", 2, 0, i32, NULL);
    set(2, "g", "f", 2, 1, f64, NULL);
    set(3, "e", "h", 2, 0, half, NULL);
    set(4, "b", "b", 2, 1, bools, NULL);
    set(5, "u", "t", 3, 1, ends, text);
    set(6, "U", "T", 3, 0, wide_ends, text);
    set(7, "z", "z", 3, 0, ends, text);
    set(8, "w:3", "x", 2, 1, fixed, NULL);
    set(9, "+l", "l", 2, 1, list_ends, NULL);
    set(10, "+w:2", "p", 1, 1, NULL, NULL);
    set(11, "+s", "s", 1, 1, NULL, NULL);
    set(12, "C", "d", 2, 1, index8, NULL);
    set(13, "n", "n", 0, 0, NULL, NULL);
    child(0, &item_l, &item_la, "l", list_ends[N] + 3, i64);
    item_la.offset = 2; /* a child may be a slice itself */
    list_kid_s = &item_l;
    list_kid_a = &item_la;
    column[9].n_children = array[9].n_children = 1;
    column[9].children = &list_kid_s;
    array[9].children = &list_kid_a;
    child(1, &item_f, &item_fa, "l", 2 * N, i64);
    fixed_kid_s = &item_f;
    fixed_kid_a = &item_fa;
    column[10].n_children = array[10].n_children = 1;
    column[10].children = &fixed_kid_s;
    array[10].children = &fixed_kid_a;
    child(2, &in_struct[0], &in_struct_a[0], "l", N, i64);
    child(3, &in_struct[1], &in_struct_a[1], "g", N, f64);
    in_struct[1].name = "f";
    for (int i = 0; i < 2; i++) {
        struct_kids_s[i] = &in_struct[i];
        struct_kids_a[i] = &in_struct_a[i];
    }
    column[11].n_children = array[11].n_children = 2;
    column[11].children = struct_kids_s;
    array[11].children = struct_kids_a;
    dict_s = (struct ArrowSchema){.format = "u", .name = "", .release = keep_schema};
    buffers[FIELDS + 4][1] = dict_ends;
    buffers[FIELDS + 4][2] = "onethree";
    dict_a = (struct ArrowArray){
        .length = 2, .n_buffers = 3, .buffers = buffers[FIELDS + 4], .release = keep_array};
    column[12].dictionary = &dict_s;
    array[12].dictionary = &dict_a;
    root_s = (struct ArrowSchema){
        .format = "+s", .n_children = FIELDS, .children = kids_s, .release = keep_schema};
    static const void *none[1];
    root_a = (struct ArrowArray){.length = n,
                                 .n_buffers = 1,
                                 .buffers = none,
                                 .n_children = FIELDS,
                                 .children = kids_a,
                                 .release = keep_array};
    for (int k = 0; k < FIELDS; k++) {
        array[k].offset = from;
        array[k].length = n;
    }
}

static unsigned char flat_schema[ROOM], flat[ROOM];

static size_t put_schema(void)
{
    hone_arrow_place to = {flat_schema, sizeof flat_schema, 0};
    assert_int_equal(hone_arrow_check_schema(&root_s), HONE_OK);
    assert_int_equal(hone_arrow_put_schema(&root_s, &to), HONE_OK);
    return to.used;
}

static size_t put_batch(void)
{
    hone_arrow_place to = {flat, sizeof flat, 0};
    assert_int_equal(hone_arrow_check_batch(&root_s, &root_a), HONE_OK);
    assert_int_equal(hone_arrow_put_batch(&root_s, &root_a, &to), HONE_OK);
    return to.used;
}

static hone_status take(const struct ArrowSchema *schema, const void *bytes, size_t n,
                        struct ArrowArray *out)
{
    void *own = hone_alloc(n ? n : 1);
    assert_non_null(own);
    memcpy(own, bytes, n);
    return hone_arrow_take_batch(schema, own, n, out);
}

/* The rows as lines of JSON, or where reading stopped. */
static void rows(const struct ArrowSchema *schema, const struct ArrowArray *batch, hone_buf *out)
{
    hone_arena a;
    hone_arena_init(&a, 0);
    for (int64_t i = 0; i < batch->length && i < 1000; i++) {
        hone_value row;
        hone_jw w;
        if (hone__arrow_row(schema, batch, i, "test", &a, &row) < 0) {
            hone_buf_addf(out, "row %lld: %s\n", (long long)i, hone_error_get()->what);
            break;
        }
        hone_jw_init(&w, out, 0);
        for (size_t k = 0; k < row.u.map.n; k++) /* bytes are no JSON */
            if (row.u.map.pairs[k].value.type == HONE_BYTES)
                ((hone_pair *)(uintptr_t)&row.u.map.pairs[k])->value.type = HONE_STRING;
        hone_jw_value(&w, &row);
        hone_buf_addc(out, '\n');
        hone_arena_clear(&a);
    }
    hone_arena_release(&a);
}

static void test_slices_arrive_as_their_rows(void **state)
{
    (void)state;
    static const int64_t cuts[][2] = {{0, N}, {0, 1},  {1, N - 1}, {7, 9},
                                      {8, 8}, {9, 30}, {16, 0},    {N - 1, 1}};
    for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
        struct ArrowSchema schema;
        struct ArrowArray batch;
        hone_buf straight, over;
        make(cuts[k][0], cuts[k][1]);
        size_t n_schema = put_schema(), n = put_batch();
        assert_int_equal(hone_arrow_take_schema(flat_schema, n_schema, &schema), HONE_OK);
        assert_int_equal(take(&schema, flat, n, &batch), HONE_OK);
        hone_buf_init(&straight, 1 << 20);
        hone_buf_init(&over, 1 << 20);
        rows(&root_s, &root_a, &straight);
        rows(&schema, &batch, &over);
        assert_string_equal(over.ptr, straight.ptr);
        assert_null(strstr(over.ptr, "row "));
        assert_int_equal(batch.length, cuts[k][1]);
        hone_buf_release(&straight);
        hone_buf_release(&over);
        batch.release(&batch);
        assert_null(batch.release);
        schema.release(&schema);
    }
}

static void test_a_slice_costs_what_it_holds(void **state)
{
    (void)state;
    make(8, 2);
    size_t small = put_batch();
    make(0, N);
    assert_true(3 * small < put_batch());
}

static void test_a_child_outlives_its_parent(void **state)
{
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    size_t blocks, left;
    hone_alloc_stats(&blocks, NULL);
    make(0, N);
    assert_int_equal(hone_arrow_take_schema(flat_schema, put_schema(), &schema), HONE_OK);
    assert_int_equal(take(&schema, flat, put_batch(), &batch), HONE_OK);
    struct ArrowArray mine = *batch.children[9];
    batch.children[9]->release = NULL;
    batch.release(&batch);
    const struct ArrowArray *items = mine.children[0];
    assert_int_equal(((const int64_t *)items->buffers[1])[items->offset], i64[2]);
    mine.release(&mine);
    schema.release(&schema);
    hone_alloc_stats(&left, NULL);
    assert_int_equal(left, blocks);
}

static void test_what_does_not_fit_is_said(void **state)
{
    (void)state;
    make(0, N);
    size_t n = put_batch();
    for (size_t room = 0; room < n; room += 8) {
        hone_arrow_place to = {flat, room, 0};
        assert_int_equal(hone_arrow_put_batch(&root_s, &root_a, &to), HONE_E_LIMIT);
        assert_true(to.used > room);
    }
}

/* ---- structs that are none (what a plugin may do, seen in its own process) ----------------------------- */

static void refused(const char *words)
{
    hone_arrow_place to = {flat, sizeof flat, 0};
    hone_status s = hone_arrow_check_batch(&root_s, &root_a);
    if (s >= 0)
        s = hone_arrow_put_batch(&root_s, &root_a, &to);
    if (s >= 0 || !strstr(hone_error_get()->what, words))
        fail_msg("\"%s\" is not in \"%s\"", words, s < 0 ? hone_error_get()->what : "(taken)");
}
#define REFUSED(change, words)                                                                     \
    do {                                                                                           \
        make(0, N);                                                                                \
        change;                                                                                    \
        refused(words);                                                                            \
    } while (0)

static void test_odd_structs_are_refused_by_name(void **state)
{
    (void)state;
    REFUSED(array[0].length = N - 1, "column i: its array is shorter");
    REFUSED(array[0].length = -1, "column i: its array is shorter");
    REFUSED(array[0].offset = -1, "column i: its array is shorter");
    REFUSED(array[0].offset = INT64_MAX, "column i: its array is shorter");
    REFUSED(root_a.length = INT64_MAX, "column i: its array is shorter");
    REFUSED(kids_a[3] = NULL, "column h: its array is shorter");
    REFUSED(array[0].n_buffers = 1, "column i: 1 buffers");
    REFUSED(array[0].buffers = NULL, "column i: 2 buffers");
    REFUSED(buffers[0][1] = NULL, "column i: its values are missing");
    REFUSED(buffers[5][2] = NULL, "column t: its bytes are missing");
    REFUSED(array[0].null_count = N + 1, "column i: 44 nulls");
    REFUSED(array[1].null_count = 3, "column w: 3 nulls, and no bits");
    REFUSED(root_a.n_children = FIELDS - 1, "13 children, its schema has 14");
    REFUSED(root_a.children = NULL, "14 children");
    REFUSED(array[12].dictionary = NULL, "column d: its dictionary is missing");
    REFUSED(ends[9] = 0, "column t: its offsets do not rise");
    REFUSED(ends[0] = -4, "column t: its offsets do not rise");
    ends[0] = 0;
    REFUSED(list_ends[N] = INT32_MAX, "column item: its array is shorter");
    REFUSED(item_fa.length = 2 * N - 1, "column item: its array is shorter");
}

static void test_odd_schemas_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const formats[] = {
        "",      "d:10,2", "vu", "+m", "+r", "+ud:0,1", "w:", "w:x",
        "+w:-1", "tiM",    "ll", "u:", "?",  "+",       "+S", "w:99999999999999999999"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        make(0, N);
        column[0].format = formats[i];
        assert_true(hone_arrow_check_schema(&root_s) < 0);
        assert_non_null(strstr(hone_error_get()->what, "column i"));
    }
    make(0, N);
    column[0].format = NULL;
    assert_true(hone_arrow_check_schema(&root_s) < 0);
    make(0, N);
    column[9].n_children = 2;
    assert_true(hone_arrow_check_schema(&root_s) < 0);
    make(0, N);
    column[2].dictionary = &dict_s;
    assert_true(hone_arrow_check_schema(&root_s) < 0);
    make(0, N);
    item_l = column[9]; /* a list in a list in a list ... */
    item_l.children = &list_kid_s;
    assert_int_equal(hone_arrow_check_schema(&root_s), HONE_E_LIMIT);
}

/* ---- bytes that are none (what a box may send) ---------------------------------------------------------- */

static size_t node_of(const char *format,
                      size_t *data) /* one column of 5 rows; where its first buffer is */
{
    make(0, 5);
    for (int k = 0; k < FIELDS; k++)
        if (strcmp(column[k].format, format) == 0) {
            kids_s[0] = &column[k];
            kids_a[0] = &array[k];
        }
    root_s.n_children = root_a.n_children = 1;
    *data = 2 * sizeof(hone__arrow_node);
    return put_batch();
}

static void spoiled(const char *format, size_t at, const void *bytes, size_t n, const char *words)
{
    struct ArrowSchema schema;
    struct ArrowArray batch;
    size_t data, len = node_of(format, &data);
    assert_int_equal(hone_arrow_take_schema(flat_schema, put_schema(), &schema), HONE_OK);
    memcpy(flat + (at < 1000 ? data + at : at - 1000), bytes, n);
    hone_status s = take(&schema, flat, len, &batch);
    if (s >= 0 || !strstr(hone_error_get()->what, words))
        fail_msg("%s: \"%s\" is not in \"%s\"", format, words,
                 s < 0 ? hone_error_get()->what : "(taken)");
    schema.release(&schema);
}

static void test_bytes_that_lie_are_refused(void **state)
{
    (void)state;
    static const int32_t low[] = {-1}, high[] = {INT32_MAX}, two[] = {2};
    static const int64_t below[] = {-1}, six[] = {6}, huge[] = {INT64_MAX}, many[] = {1 << 17};
    static const uint8_t odd[] = {200}, foul[] = {0xff};
    enum { HEAD = 1000, NODE = HEAD + sizeof(hone__arrow_node) };
    spoiled("l", NODE, below, 8, "makes no sense");
    spoiled("l", NODE, six, 8, "shorter or longer");
    spoiled("l", HEAD, huge, 8, "makes no sense");
    spoiled("n", HEAD, many, 8, "more rows than bytes");
    spoiled("l", HEAD, six, 8, "shorter or longer");
    spoiled("l", NODE + 8, odd, 1, "makes no sense");
    spoiled("l", NODE + 12, two, 4, "makes no sense");
    spoiled("U", 0, below, 8, "offsets do not rise");
    spoiled("U", 0, six, 8, "offsets do not rise");
    spoiled("U", 16, huge, 8, "do not rise");
    spoiled("z", 20, high, 4, "shorter than its rows");
    spoiled("z", 4, low, 4, "offsets do not rise");
    spoiled("+l", 8 + 20, high, 4, "shorter or longer");
    spoiled("C", 8 + 4, odd, 1, "outside of its dictionary");
    spoiled("U", 48, foul, 1, "is no UTF-8");
    spoiled("+w:2", 8, six, 8, "shorter or longer");
}

static void test_bytes_that_are_cut_are_refused(void **state)
{
    (void)state;
    struct ArrowSchema schema, none;
    struct ArrowArray batch;
    make(3, 20);
    size_t n_schema = put_schema(), n = put_batch();
    for (size_t k = 0; k < n_schema; k++)
        assert_true(hone_arrow_take_schema(flat_schema, k, &none) < 0);
    assert_int_equal(hone_arrow_take_schema(flat_schema, n_schema, &schema), HONE_OK);
    for (size_t k = 0; k < n; k++)
        assert_true(take(&schema, flat, k, &batch) < 0);
    memset(flat + n, 0, 8);
    assert_int_equal(take(&schema, flat, n + 8, &batch), HONE_E_MISBEHAVED);
    assert_true(hone_arrow_take_schema(flat_schema, n_schema + 8, &none) < 0);
    schema.release(&schema);
}

static void test_names_and_metadata_of_a_schema_are_looked_at(void **state)
{
    (void)state;
    struct ArrowSchema schema;
    make(0, N);
    root_s.n_children = 1;
    column[0].name = "\xff";
    assert_int_equal(hone_arrow_take_schema(flat_schema, put_schema(), &schema), HONE_E_MISBEHAVED);
    assert_non_null(strstr(hone_error_get()->what, "no UTF-8"));
    column[0].name = "i";
    column[0].metadata = json_meta;
    size_t n = put_schema();
    assert_int_equal(hone_arrow_take_schema(flat_schema, n, &schema), HONE_OK);
    assert_true(hone_str_eq(
        hone_arrow_metadata(schema.children[0]->metadata, "ARROW:extension:name"), "arrow.json"));
    schema.release(&schema);
    unsigned char *p = NULL; /* the count of pairs, then the length of a key */
    for (size_t i = 0; i + 28 < n && !p; i++)
        if (memcmp(flat_schema + i, json_meta, 28) == 0)
            p = flat_schema + i;
    assert_non_null(p);
    static const int32_t wrong[] = {2, -1, INT32_MAX};
    for (size_t k = 0; k < 6; k++) {
        unsigned char *at = p + (k < 3 ? 0 : 4);
        int32_t was;
        memcpy(&was, at, 4);
        memcpy(at, &wrong[k % 3], 4);
        assert_true(hone_arrow_take_schema(flat_schema, n, &schema) < 0);
        memcpy(at, &was, 4);
    }
}

static void test_seeds_of_the_fuzzer_are_sound(void **state)
{
    (void)state;
    static const char *const seeds[] = {"numbers", "texts",      "rows",
                                        "nested",  "dictionary", "empty"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char path[64];
        struct ArrowSchema schema;
        struct ArrowArray batch;
        hone_buf b, out;
        snprintf(path, sizeof path, "tests/fuzz/corpus/arrow/%s", seeds[i]);
        hone_buf_init(&b, 1 << 20);
        hone_buf_init(&out, 1 << 20);
        assert_int_equal(hone_file_read(source_path(path), 1 << 20, &b), HONE_OK);
        size_t n = (unsigned char)b.ptr[0] | (size_t)(unsigned char)b.ptr[1] << 8;
        assert_int_equal(hone_arrow_take_schema(b.ptr + 2, n, &schema), HONE_OK);
        if (take(&schema, b.ptr + 2 + n, b.len - 2 - n, &batch) < 0)
            fail_msg("%s: %s", seeds[i], hone_error_get()->what);
        rows(&schema, &batch, &out);
        if (strstr(out.ptr, "row ") && strcmp(seeds[i], "rows") != 0) /* its second row is no map */
            fail_msg("%s: %s", seeds[i], out.ptr);
        batch.release(&batch);
        schema.release(&schema);
        hone_buf_release(&b);
        hone_buf_release(&out);
    }
}

/* Bytes by chance among good ones: rows or an error, and no byte outside (the address sanitizer looks on). */
static void test_spoiled_bytes_give_rows_or_an_error(void **state)
{
    (void)state;
    const hone_rng_key key = {5, HONE_RNG_USER, 0, 0, 0};
    unsigned char schema_copy[ROOM], copy[ROOM];
    int taken = 0, refused_ = 0;
    make(3, 20);
    const size_t n_schema = put_schema(), n = put_batch();
    for (uint64_t turn = 0; turn < 4000; turn++) {
        struct ArrowSchema schema;
        struct ArrowArray batch;
        memcpy(schema_copy, flat_schema, n_schema);
        memcpy(copy, flat, n);
        for (uint64_t k = 0; k < 1 + turn % 3; k++) {
            uint64_t at = hone_rng_below(&key, 8 * turn + 2 * k, n_schema + n);
            unsigned char value = (unsigned char)hone_rng_below(&key, 8 * turn + 2 * k + 1, 256);
            if (at < n_schema && turn % 4 == 0)
                schema_copy[at] = value;
            else
                copy[at % n] = value;
        }
        if (hone_arrow_take_schema(schema_copy, n_schema, &schema) < 0) {
            refused_++;
            continue;
        }
        if (take(&schema, copy, n, &batch) >= 0) {
            hone_buf b;
            hone_buf_init(&b, 1 << 24);
            rows(&schema, &batch, &b);
            hone_buf_release(&b);
            batch.release(&batch);
            taken++;
        } else {
            refused_++;
        }
        schema.release(&schema);
    }
    assert_true(taken > 100 && refused_ > 100);
}

static void test_lack_of_memory_is_an_error(void **state)
{
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    size_t blocks, left;
    make(3, 20);
    size_t n_schema = put_schema(), n = put_batch();
    hone_alloc_stats(&blocks, NULL);
    for (uint64_t k = 1; k < 5; k++) {
        hone_alloc_fail_after(k, 0);
        hone_status s = hone_arrow_take_schema(flat_schema, n_schema, &schema);
        hone_alloc_fail_after(0, 0);
        assert_int_equal(s, HONE_E_NOMEM);
    }
    assert_int_equal(hone_arrow_take_schema(flat_schema, n_schema, &schema), HONE_OK);
    for (uint64_t k = 1; k < 5; k++) {
        void *own = hone_alloc(n);
        memcpy(own, flat, n);
        hone_alloc_fail_after(k, 0);
        hone_status s = hone_arrow_take_batch(&schema, own, n, &batch);
        hone_alloc_fail_after(0, 0);
        assert_int_equal(s, HONE_E_NOMEM);
    }
    schema.release(&schema);
    hone_alloc_stats(&left, NULL);
    assert_int_equal(left, blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_arrive_as_their_rows),
        cmocka_unit_test(test_a_slice_costs_what_it_holds),
        cmocka_unit_test(test_a_child_outlives_its_parent),
        cmocka_unit_test(test_what_does_not_fit_is_said),
        cmocka_unit_test(test_odd_structs_are_refused_by_name),
        cmocka_unit_test(test_odd_schemas_are_refused_by_name),
        cmocka_unit_test(test_bytes_that_lie_are_refused),
        cmocka_unit_test(test_bytes_that_are_cut_are_refused),
        cmocka_unit_test(test_names_and_metadata_of_a_schema_are_looked_at),
        cmocka_unit_test(test_seeds_of_the_fuzzer_are_sound),
        cmocka_unit_test(test_spoiled_bytes_give_rows_or_an_error),
        cmocka_unit_test(test_lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
