/* reward_cases.h - rewards in a test: instances by short name, one completion scored, tables of what is expected. */
#ifndef HONE_TESTS_REWARD_CASES_H
#define HONE_TESTS_REWARD_CASES_H
#include "components.h"

#include "hone/reward.h"

#include <math.h>

static hone_arena arena;

typedef struct answer {
    uint32_t status;
    float score;
    char reason[300], notes[4][100];
    size_t n_notes;
} answer;

static inline void keep_note(const hone_notes *notes, size_t sample, hone_str name,
                             const hone_value *v)
{
    answer *a = notes->ctx;
    (void)sample;
    if (v->type == HONE_STRING && hone_str_eq(name, "reason"))
        snprintf(a->reason, sizeof a->reason, "%.*s", (int)v->u.str.len, v->u.str.ptr);
    else if (v->type == HONE_STRING && a->n_notes < 4)
        snprintf(a->notes[a->n_notes++], sizeof a->notes[0], "%.*s=%.*s", (int)name.len, name.ptr,
                 (int)(v->u.str.len < 60 ? v->u.str.len : 60), v->u.str.ptr);
}

/* Scores one completion; `row` is JSON of its columns, or NULL. */
static inline answer score_text(hone_instance *inst, const char *completion, size_t n,
                                const hone_value *row)
{
    hone_ref ref;
    answer a;
    hone_column columns[16];
    hone_sample s = {.completion = {completion, n}};
    hone_outcome out = {0, 0};
    hone_call call = {.struct_size = sizeof call, .n = 1};
    hone_notes notes = {sizeof notes, 0, &a, keep_note};
    memset(&a, 0, sizeof a);
    for (size_t i = 0; row && i < row->u.map.n && i < 16; i++) {
        columns[i].name = row->u.map.pairs[i].key;
        columns[i].value = row->u.map.pairs[i].value;
        s.n_columns = i + 1;
    }
    s.columns = columns;
    assert_ok(hone_instance_ref(inst, HONE_IFACE_REWARD, &ref));
    const hone_reward_v1 *vt = ref.vt;
    hone_instance_enter(inst);
    assert_ok(hone_instance_leave(
        inst, "score", vt->score(ref.self, &call, &s, 1, sizeof s, &out, sizeof out, &notes)));
    a.status = out.status;
    a.score = out.score;
    return a;
}

static inline answer score(hone_instance *inst, const char *completion, const char *row)
{
    hone_value v;
    if (row)
        assert_ok(hone_json_parse(row, strlen(row), NULL, &arena, &v));
    return score_text(inst, completion, strlen(completion), row ? &v : NULL);
}

static inline hone_instance *open_reward(const char *name, const char *settings)
{
    char id[64];
    hone_instance *inst = NULL;
    snprintf(id, sizeof id, "org.hone.reward.%s", name);
    assert_ok(try_component(id, settings, &inst));
    return inst;
}

typedef struct line {
    const char *completion, *row;
    double want;
} line;
static inline void expect(const char *name, const char *settings, const line *lines, size_t n)
{
    hone_instance *inst = open_reward(name, settings);
    for (size_t i = 0; i < n; i++) {
        answer a = score(inst, lines[i].completion, lines[i].row);
        if (a.status != HONE_SCORE || fabs((double)a.score - lines[i].want) > 1e-6)
            fail_with("%s %s: \"%s\" %s: status %u score %g (%s), wanted %g", name,
                      settings ? settings : "", lines[i].completion,
                      lines[i].row ? lines[i].row : "", a.status, (double)a.score, a.reason,
                      lines[i].want);
    }
    hone_instance_unref(inst);
}
#define EXPECT(name, settings, ...)                                                                \
    do {                                                                                           \
        const line lines_[] = {__VA_ARGS__};                                                       \
        expect(name, settings, lines_, sizeof lines_ / sizeof *lines_);                            \
    } while (0)

/* Rows of a JSONL file, or NULL. */
static inline const hone_value *read_jsonl(const char *relative, size_t at_most, size_t *n)
{
    const char *path = shared_path(relative);
    hone_value *rows;
    *n = 0;
    if (!path)
        return NULL;
    rows = hone_arena_calloc(&arena, at_most, sizeof *rows);
    FILE *f = fopen(path, "r");
    char *row_text = NULL;
    size_t room = 0, k = 0;
    ssize_t len;
    while (k < at_most && (len = getline(&row_text, &room, f)) > 1)
        assert_ok(hone_json_parse(row_text, (size_t)len, relative, &arena, &rows[k++]));
    free(row_text);
    fclose(f);
    *n = k;
    return rows;
}

static inline hone_str text_of(const hone_value *row, const char *key)
{
    const hone_value *v = hone_value_get(row, key);
    assert_non_null(v);
    assert_int_equal(v->type, HONE_STRING);
    return v->u.str;
}

/* Creates, scores once, destroys; a sample's error for want of memory counts as E_NOMEM. */
static inline hone_status one_life(const char *id, const hone_value *settings,
                                   const hone_value *row)
{
    hone_instance *inst = NULL;
    HONE_TRY(hone_instance_create(shipped(), NULL, id, settings, &inst));
    static const char text[] = "so \\boxed{1, 2} a b a b a b";
    answer a = score_text(inst, text, sizeof text - 1, row);
    hone_instance_unref(inst);
    return a.status == HONE_ERROR && strstr(a.reason, "memory") ? HONE_E_NOMEM : HONE_OK;
}

/* That life, and again with each of its allocations failing; the row has the answer 5. */
static inline void assert_one_life(const char *id, const char *settings)
{
    hone_value row, v;
    assert_ok(hone_json_parse("{\"answer\":\"5\"}", 14, NULL, &arena, &row));
    assert_ok(hone_json_parse(settings, strlen(settings), NULL, &arena, &v));
    assert_ok(one_life(id, &v, &row));
    assert_survives_no_memory(one_life(id, &v, &row));
}

static inline int open_arena(void **state)
{
    (void)state;
    hone_arena_init(&arena, 0);
    return 0;
}
static inline int close_arena(void **state)
{
    (void)state;
    hone_arena_release(&arena);
    return 0;
}
#define T(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

#endif
