/* Interface descriptions: hone's own agree with the headers; unsound ones are refused; hashes tell apart. */
#include "support.h"

#include "abi/desc.h"
#include "base/file.h"
#include "hone/hone.h"

#include <ctype.h>

static void test_own_descriptions_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; hone_desc_builtins()[i]; i++)
        assert_ok(hone_desc_check("hone", hone_desc_builtins()[i]));
    assert_non_null(hone_desc_builtin(HONE_IFACE_REWARD));
    assert_null(hone_desc_builtin("hone.reward/99"));
}

/* ---- every signature against the declaration in the header ------------------------------------- */

/* All headers, without comments, each run of blanks one space. */
static char *headers(void)
{
    hone_buf all, one;
    char **names;
    size_t n;
    hone_buf_init(&all, 1 << 24);
    assert_ok(hone_list_dir(source_path("sdk/include/hone"), &names, &n));
    for (size_t i = 0; i < n; i++) {
        char path[200];
        snprintf(path, sizeof path, "sdk/include/hone/%s", names[i]);
        hone_buf_init(&one, 1 << 22);
        assert_ok(hone_file_read(source_path(path), 1 << 22, &one));
        const char *p = one.ptr;
        while (*p) {
            if (p[0] == '/' && p[1] == '*')
                p = strstr(p, "*/") + 2;
            if (isspace((unsigned char)*p)) {
                while (isspace((unsigned char)*p))
                    p++;
                hone_buf_addc(&all, ' ');
            } else if (*p && !(p[0] == '/' && p[1] == '*')) {
                hone_buf_addc(&all, *p++);
            }
        }
        hone_buf_release(&one);
    }
    hone_names_free(names, n);
    return hone_buf_detach(&all, NULL);
}

static void drop_word(char *text, const char *word)
{
    char *at;
    while ((at = strstr(text, word)))
        memmove(at, at + strlen(word), strlen(at + strlen(word)) + 1);
}

/* "const hone_sample *in_bor, size_t n" -> "const hone_sample *,size_t" */
static void types_of(const char *params, hone_buf *out)
{
    char text[2000];
    snprintf(text, sizeof text, "%s", params);
    drop_word(text, "struct ");
    for (char *save = NULL, *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        while (*p == ' ')
            p++;
        int array = strchr(p, '[') != NULL;
        if (array)
            *strchr(p, '[') = 0;
        size_t n = strlen(p);
        while (n && (isalnum((unsigned char)p[n - 1]) || p[n - 1] == '_'))
            n--; /* the name, or the last word of a type without one */
        if (n == 0)
            n = strlen(p);
        while (n && p[n - 1] == ' ')
            n--;
        if (out->len)
            hone_buf_addc(out, ',');
        hone_buf_addf(out, "%.*s%s", (int)n, p, array ? " *" : "");
    }
}

static void check_struct_slots(const hone_struct_desc *s, const hone_struct_desc *const *structs,
                               const char *text)
{
    for (size_t i = 0; s->slots[i]; i++) {
        char want[300], from[100];
        hone_sig sig;
        assert_ok(hone_sig_parse("hone", s->slots[i]->sig, structs, s, &sig));
        snprintf(from, sizeof from, "typedef struct %s {", s->name);
        const char *at = strstr(text, from);
        assert_non_null(at);
        snprintf(want, sizeof want, "(*%s)(", s->slots[i]->name);
        const char *decl = strstr(at, want);
        assert_non_null(decl);
        const char *begin = decl + strlen(want), *end = strchr(begin, ')');
        char params[2000], result[100];
        snprintf(params, sizeof params, "%.*s", (int)(end - begin), begin);
        const char *r = decl;
        while (r[-1] != ';' && r[-1] != '{')
            r--;
        snprintf(result, sizeof result, "%.*s", (int)(decl - r), r);
        hone_buf have, is;
        hone_buf_init(&have, 4096);
        hone_buf_init(&is, 4096);
        types_of(params, &have);
        hone_sig_c(&sig, s->slots[i]->name, &is);
        /* the signature's own C form, cut into result and parameters */
        char c[2000], mine[2000] = "";
        snprintf(c, sizeof c, "%s", is.ptr);
        char *open = strstr(c, "(*");
        char *list = strchr(open + 2, '(') + 1;
        c[strlen(c) - 1] = 0;
        drop_word(list, "struct ");
        for (char *save = NULL, *p = strtok_r(list, ",", &save); p;
             p = strtok_r(NULL, ",", &save)) {
            while (*p == ' ')
                p++;
            strcat(mine, mine[0] ? "," : "");
            strcat(mine, p);
        }
        char theirs[2000];
        snprintf(theirs, sizeof theirs, "%s", have.ptr);
        /* bytes are void pointers in the headers */
        char *v;
        while ((v = strstr(theirs, "size_t"))) /* the same type to the compiler */
            memmove(v + 8, v + 6, strlen(v + 6) + 1), memcpy(v, "uint64_t", 8);
        while ((v = strstr(theirs, "const void *")))
            memmove(v + 15, v + 12, strlen(v + 12) + 1), memcpy(v, "const uint8_t *", 15);
        if (strcmp(theirs, mine) != 0 && strstr(mine, "uint8_t *") &&
            (v = strstr(strchr(theirs, ',') + 1, "void *")))
            memmove(v + 9, v + 6, strlen(v + 6) + 1), memcpy(v, "uint8_t *", 9);
        if (strcmp(theirs, mine) != 0)
            fprintf(stderr, "%s.%s:\n  header      %s\n  description %s\n", s->name,
                    s->slots[i]->name, theirs, mine);
        assert_string_equal(theirs, mine);
        *open = 0;
        assert_non_null(strstr(result, c));
        hone_buf_release(&have);
        hone_buf_release(&is);
    }
}

static void test_signatures_agree_with_the_headers(void **state)
{
    (void)state;
    char *text = headers();
    for (size_t i = 0; hone_desc_builtins()[i]; i++) {
        const hone_iface_desc *d = hone_desc_builtins()[i];
        check_struct_slots(d->table, d->structs, text);
        for (size_t k = 0; d->structs[k]; k++)
            check_struct_slots(d->structs[k], d->structs, text);
    }
    hone_free(text);
}

/* ---- signatures -------------------------------------------------------------------------------- */

static void test_a_signature_says_what_counts_what(void **state)
{
    (void)state;
    const hone_iface_desc *d = hone_desc_builtin(HONE_IFACE_REWARD);
    hone_sig sig;
    assert_ok(
        hone_sig_parse("x", hone_desc_slot(d->table, "score")->sig, d->structs, d->table, &sig));
    assert_int_equal(sig.n, 8);
    assert_int_equal(sig.args[2].count, 3);
    assert_int_equal(sig.args[2].stride, 4);
    assert_int_equal(sig.args[5].count, 3); /* one count serves two arrays */
    assert_int_equal(sig.args[5].dir, HONE_DIR_OUT);
    assert_int_equal(sig.args[3].role, HONE_ROLE_COUNT);
    assert_int_equal(sig.args[7].base, HONE_A_SINK);
    assert_true(sig.args[7].nullable);
    assert_int_equal(sig.result, HONE_A_STATUS);
}

static void test_bad_signatures_are_refused_with_the_place(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "a name is missing"},
        {"self", "\"->\" and a result are missing"},
        {"self ->", "a name is missing"},
        {"self -> value", "that is no result"},
        {"self -> status x", "something follows"},
        {"x -> status", "an argument without a type"},
        {"a:i32, self -> status", "an argument without a type"},
        {"a:i33 -> status", "\"i33\" is no type"},
        {"a:i32, a:i32 -> status", "the same name"},
        {"a:[i32] -> status", "a count are missing"},
        {"a:[i32; n -> status", "\"]\" is missing"},
        {"a:[i32; n] -> status", "counts a but is no size"},
        {"a:[i32; n], n:str -> status", "counts a but is no size"},
        {"a:[i32; 0] -> status", "a count of 0"},
        {"a:[hone_sample; n], n:size -> status", "needs a stride"},
        {"a:by i32 -> status", "only a struct"},
        {"a:sink hone_sample -> status", "is no sink"},
        {"a:i32, b:i32, c:i32, d:i32, e:i32, f:i32, g:i32, h:i32, i:i32, j:i32, k:i32, l:i32, "
         "m:i32, n:i32, o:i32, "
         "p:i32, q:i32 -> status",
         "more than 16"},
        {"a_name_that_is_far_too_long_to_keep:i32 -> status", "longer than 27"},
    };
    const hone_iface_desc *d = hone_desc_builtin(HONE_IFACE_REWARD);
    hone_sig sig;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(hone_sig_parse("acme", bad[i][0], d->structs, d->table, &sig), HONE_E_ABI,
                     bad[i][1]);
}

/* ---- descriptions from elsewhere --------------------------------------------------------------- */

typedef struct point {
    double x, y;
} point;
typedef struct table {
    uint32_t struct_size, reserved;
    hone_status (*near_)(void *self, const point *points, size_t n, point *out);
} table;
HONE_DESCRIBE(point_desc, point, HONE_STRUCT_FROZEN, (NUM, x), (NUM, y))
#define NEAR "self, points:[point; n], n:size, out:out point -> status"
HONE_DESCRIBE_IFACE(near_desc, table, "com.acme.near/1", "com.acme.kind.map", (&point_desc),
                    (SIZE, struct_size), (PAD, reserved), (SLOT, near_, 0, NEAR, "the nearest"))

static void test_unsound_descriptions_are_refused(void **state)
{
    (void)state;
    assert_ok(hone_desc_check("acme", &near_desc));
    hone_member x = *point_desc.members[0], y = *point_desc.members[1];
    const hone_member *members[] = {&x, &y, NULL};
    hone_struct_desc p = point_desc;
    p.members = members;
    const hone_struct_desc *structs[] = {&p, NULL};
    hone_iface_desc d = near_desc;
    d.structs = structs;
    assert_ok(hone_desc_check("acme", &d));
#define BROKEN(change, back, why)                                                                  \
    change;                                                                                        \
    assert_fails(hone_desc_check("acme", &d), HONE_E_ABI, why);                                    \
    back
    BROKEN(y.offset = 4, y.offset = 8, "overlaps");
    BROKEN(y.offset = 16, y.offset = 8, "outside the struct");
    BROKEN(y.elem_size = 4, y.elem_size = 8, "elements of 4 bytes cannot be f64");
    BROKEN(y.type = 99, y.type = HONE_T_F64, "unknown type");
    BROKEN(members[1] = NULL, members[1] = &y, "bytes 8 to 16 have no row");
    BROKEN(p.size = 24, p.size = 16, "bytes 16 to 24 have no row");
    BROKEN(y.flags = HONE_M_ARRAY;
           y.count_offset = 0, y.flags = 0, "no member counts its elements");
    BROKEN(p.flags = 0, p.flags = HONE_STRUCT_FROZEN, "needs a stride");
    BROKEN(d.id = "nameless", d.id = "com.acme.near/1", "no id of the form");
    BROKEN(structs[0] = NULL, structs[0] = &p, "\"point\" is no type");
    BROKEN(x.name = NULL, x.name = "x", "no name");
#undef BROKEN
    assert_ok(hone_desc_check("acme", &d));
}

static void test_the_same_id_with_another_hash_is_refused(void **state)
{
    (void)state;
    char a[65], b[65];
    assert_ok(hone_desc_hash(&near_desc, a));
    hone_slot slot = *near_desc.table->slots[0];
    const hone_slot *slots[] = {&slot, NULL};
    hone_struct_desc t = *near_desc.table;
    t.slots = slots;
    hone_iface_desc other = near_desc;
    other.table = &t;
    slot.doc = "other words";
    assert_ok(hone_desc_hash(&other, b));
    assert_string_equal(a, b); /* texts for people do not count */
    slot.sig = "self, points:[point; n], n:size, out:inout point -> status";
    assert_ok(hone_desc_hash(&other, b));
    assert_string_not_equal(a, b);
    const hone_iface_desc *const both[] = {&near_desc, &other, NULL}, *const one[] = {&near_desc,
                                                                                      NULL};
    assert_ok(hone_desc_check_ifaces("acme.so", one));
    assert_fails(hone_desc_check_ifaces("acme.so", both), HONE_E_ABI,
                 "describes com.acme.near/1 otherwise");
    other.id = HONE_IFACE_REWARD;
    const hone_iface_desc *const mine[] = {&other, NULL}, *const own[] = {
                                                              hone_desc_builtin(HONE_IFACE_REWARD),
                                                              NULL};
    assert_fails(hone_desc_check_ifaces("acme.so", mine), HONE_E_ABI,
                 "describes hone.reward/1 otherwise");
    assert_ok(hone_desc_check_ifaces("acme.so", own)); /* bringing the same one along is fine */
}

/* As JSON and back: the same hash; and what is not sound JSON of a description is refused. */
static void test_a_description_is_read_from_its_json(void **state)
{
    (void)state;
    hone_arena arena;
    hone_value v;
    hone_buf b;
    hone_jw w;
    const hone_iface_desc *again;
    hone_arena_init(&arena, 0);
    hone_buf_init(&b, 1 << 24);
    for (size_t i = 0; hone_desc_builtins()[i]; i++) {
        char hash[65], other[65];
        hone_buf_clear(&b);
        hone_jw_init(&w, &b, 0);
        hone_desc_json(hone_desc_builtins()[i], 1, &w);
        assert_ok(hone_json_parse(b.ptr, b.len, NULL, &arena, &v));
        assert_ok(hone_desc_read(&v, "acme", &arena, &again));
        assert_ok(hone_desc_hash(hone_desc_builtins()[i], hash));
        assert_ok(hone_desc_hash(again, other));
        assert_string_equal(hash, other);
    }
    hone_buf_clear(&b);
    hone_jw_init(&w, &b, 0);
    hone_desc_json(&near_desc, 1, &w);
    static const char *const changes[][3] = {{"\"f64\"", "\"f99\"", "unknown type"},
                                             {"\"offset\":0", "\"offset\":-1", "out of range"},
                                             {"\"offset\":8", "\"offset\":4", "overlaps"},
                                             {"\"members\"", "\"m\"", "a list is missing"},
                                             {"frozen", "frosty", "unknown flag"},
                                             {"\"table\"", "\"t\"", "no table"},
                                             {"\"id\"", "\"i\"", "a name is missing"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        hone_buf c;
        const char *at = strstr(b.ptr, changes[i][0]);
        assert_non_null(at);
        hone_buf_init(&c, 1 << 20);
        hone_buf_add(&c, b.ptr, (size_t)(at - b.ptr));
        hone_buf_adds(&c, changes[i][1]);
        hone_buf_adds(&c, at + strlen(changes[i][0]));
        assert_ok(hone_json_parse(c.ptr, c.len, NULL, &arena, &v));
        hone_status s = hone_desc_read(&v, "acme", &arena, &again);
        assert_true(s == HONE_E_PARSE || s == HONE_E_ABI);
        assert_non_null(strstr(hone_error_get()->what, changes[i][2]));
        hone_buf_release(&c);
    }
    hone_buf_release(&b);
    hone_arena_release(&arena);
}

static void test_counts_are_read_and_checked(void **state)
{
    (void)state;
    const hone_iface_desc *d = hone_desc_builtin(HONE_IFACE_ADVANTAGE);
    hone_advantage_in in = {.struct_size = sizeof in, .n_seqs = 3, .n_rewards = 2, .n_tokens = 7};
    size_t n;
    const hone_struct_desc *s = d->structs[0];
    assert_ok(hone_desc_count(s, hone_desc_member(s, "rewards"), &in, &n));
    assert_int_equal(n, 6);
    assert_ok(hone_desc_count(s, hone_desc_member(s, "seq_begin"), &in, &n));
    assert_int_equal(n, 4);
    in.n_seqs = SIZE_MAX / 2;
    assert_fails(hone_desc_count(s, hone_desc_member(s, "rewards"), &in, &n), HONE_E_RANGE,
                 "hone_advantage_in.rewards");
    in.n_seqs = SIZE_MAX;
    assert_fails(hone_desc_count(s, hone_desc_member(s, "seq_begin"), &in, &n), HONE_E_RANGE,
                 "seq_begin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_descriptions_are_sound),
        cmocka_unit_test(test_signatures_agree_with_the_headers),
        cmocka_unit_test(test_a_signature_says_what_counts_what),
        cmocka_unit_test(test_bad_signatures_are_refused_with_the_place),
        cmocka_unit_test(test_unsound_descriptions_are_refused),
        cmocka_unit_test(test_the_same_id_with_another_hash_is_refused),
        cmocka_unit_test(test_a_description_is_read_from_its_json),
        cmocka_unit_test(test_counts_are_read_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
