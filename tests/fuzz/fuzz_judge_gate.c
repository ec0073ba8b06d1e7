/* fuzz_judge_gate.c - what the gate and `hone judge run` read: lines of JSON, the first character says what they are (i an item, v a
 * verdict of it, c r a l documents of evidence), or a condition (k).
 *
 * Whatever they say: an item has candidates and a hash; a verdict that is taken is written and read back as itself, with a number only
 * where it is ok; a decision is JSON without NaN, GO only where every line passed, and each failed line has a remedy. */
#include "base/alloc.h"
#include "base/json.h"
#include "judge/answer.h"
#include "judge/choose.h"
#include "judge/gate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void verdict(const hone_value *row, const hone_ask_item *item, hone_arena *arena)
{
    hone_answer a, again;
    hone_str text;
    hone_value v;
    hone_tally t;
    memset(&t, 0, sizeof t);
    if (hone_answer_read(row, item->it.n_candidates, arena, &a) < 0)
        return;
    if ((a.detail != HONE_VERDICT_OK && (!isnan(a.score) || a.ranking)) || isinf(a.score))
        abort();
    a.item = item;
    if (hone__answer_row(&a, "s", "", arena, &text) < 0)
        return;
    if (hone_json_parse(text.ptr, text.len, "row", arena, &v) < 0 ||
        hone_answer_read(&v, item->it.n_candidates, arena, &again) < 0)
        abort();
    if (again.detail != a.detail || (again.score != a.score && !isnan(a.score)) ||
        again.n_criteria != a.n_criteria || memcmp(again.order, a.order, sizeof a.order) != 0)
        abort();
    hone_tally_add(&t, &a);
    if (isinf(hone_tally_mean(&t)))
        abort();
}

static void decision(hone_value *const docs[4])
{
    const hone_gate_evidence e = {.calibration = docs[0],
                                  .reliability = docs[1],
                                  .attack = docs[2],
                                  .lint = docs[3],
                                  .spec = "s",
                                  .key = "k",
                                  .policy = "p",
                                  .judge = "j",
                                  .rubric = "",
                                  .now = "2026-03-01T00:00:00Z"};
    hone_gate g;
    hone_buf b;
    hone_value v;
    hone_arena arena;
    if (hone_gate_decide(&e, &g) < 0)
        return;
    for (size_t i = 0; i < g.n; i++)
        if ((!g.lines[i].passed && g.verdict != HONE_GATE_NO_GO) ||
            (!g.lines[i].passed && !g.lines[i].remedy[0]))
            abort();
    hone_buf_init(&b, 1 << 24);
    hone_arena_init(&arena, 0);
    if (hone_gate_json(&g, &e, &b) < 0 || hone_json_parse(b.ptr, b.len, "record", &arena, &v) < 0)
        abort();
    hone_buf_clear(&b);
    if (hone_gate_text(&g, &e, &b) < 0)
        abort();
    hone_arena_release(&arena);
    hone_buf_release(&b);
    hone_gate_release(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char kinds[] = "cral";
    hone_arena arena;
    hone_value docs[4], *have[4] = {NULL, NULL, NULL, NULL};
    hone_ask_item item;
    int have_item = 0;
    const char *p = (const char *)data, *end = p + size;
    hone_arena_init(&arena, (size_t)64 << 20);
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const size_t n = (size_t)((stop ? stop : end) - p);
        hone_value v;
        if (n > 1 && *p == 'k') {
            hone_condition c;
            char *z = hone_strndup(p + 1, n - 1);
            const hone_tally none = {.answers = 1};
            if (z && hone_condition_read(z, &c) >= 0)
                (void)hone_condition_met(&c, &none);
            hone_free(z);
        } else if (n > 1 && hone_json_parse(p + 1, n - 1, "line", &arena, &v) >= 0) {
            const char *kind = strchr(kinds, *p);
            if (*p == 'i') {
                have_item = hone_ask_item_read("f", &v, 1, &arena, &item) >= 0;
                if (have_item &&
                    (!item.it.n_candidates || strlen(item.input) != 64 || !item.id.len))
                    abort();
            } else if (*p == 'v' && have_item) {
                verdict(&v, &item, &arena);
            } else if (kind && *kind) {
                docs[kind - kinds] = v;
                have[kind - kinds] = &docs[kind - kinds];
            }
        }
        p += n + 1;
    }
    decision(have);
    hone_arena_release(&arena);
    return 0;
}
