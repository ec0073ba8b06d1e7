/* fuzz_judge_reply.c - any reply is a verdict of the set asked for, or none with its reason (reply.c); any text of others is
 * harmless once it was made so (prompt_neutral.c). The first byte chooses the form. */
#include "base/error.h"
#include "base/utf8.h"
#include "hone/judge.h"
#include "judge/prompt.h"
#include "judge/reply.h"

#include <string.h>

static const hone_str levels[] = {{"1", 1}, {"2", 1}, {"3", 1}}, yes_no[] = {{"no", 2}, {"yes", 3}},
                      ids[] = {{"b2c", 3}, {"k7f", 3}, {"z9x", 3}};
static const hone_reply_field scale[] = {{{"overall", 7}, levels, 3}},
                              two[] = {{{"a", 1}, yes_no, 2}, {{"b", 1}, yes_no, 2}},
                              list[] = {{{"overall", 7}, ids, 3}};
static const hone_reply_want wants[] = {
    {HONE_REPLY_VERDICT, scale, 1}, {HONE_REPLY_CRITERIA, two, 2}, {HONE_REPLY_RANKING, list, 1}};

static void check_reply(const hone_reply_want *want, const hone_reply *r)
{
    const int list_of = want->form == HONE_REPLY_RANKING;
    const size_t n = list_of ? 3 : want->n_fields;
    if (r->detail > HONE_VERDICT_TRUNCATED ||
        (r->detail == HONE_VERDICT_OK) != (r->choice != NULL) ||
        (r->detail != HONE_VERDICT_OK && !r->why))
        __builtin_trap();
    for (size_t i = 0; r->choice && i < n; i++) {
        if (r->choice[i] >= want->fields[list_of ? 0 : i].n_labels)
            __builtin_trap();
        for (size_t k = 0; list_of && k < i; k++)
            if (r->choice[k] == r->choice[i])
                __builtin_trap();
    }
}

static int holds(const hone_buf *b, const char *what)
{
    return memmem(b->ptr, b->len, what, strlen(what)) != NULL;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char fence[] = "0123456789abcdef";
    hone_arena arena;
    hone_reply r;
    hone_buf a, b;
    if (!size)
        return 0;
    const hone_str text = {(const char *)data + 1, size - 1};
    const hone_reply_want *want = &wants[data[0] % 3];
    hone_arena_init(&arena, 0);
    if (hone_reply_read(text, data[0] & 128, want, &arena, &r) < 0)
        __builtin_trap();
    check_reply(want, &r);
    if (hone_reply_label(text, 0, scale, &arena, &r) < 0)
        __builtin_trap();
    check_reply(&wants[0], &r);
    hone_arena_release(&arena);
    hone_buf_init(&a, 1 << 28);
    hone_buf_init(&b, 1 << 28);
    if (hone_prompt_neutral(text, fence, &a) < 0 ||
        hone_prompt_neutral(hone_buf_str(&a), fence, &b) < 0)
        __builtin_trap();
    if (a.len != b.len || memcmp(a.ptr, b.ptr, a.len) != 0 || !hone_utf8_valid(hone_buf_str(&a)) ||
        holds(&a, "<<<") || holds(&a, ">>>") || holds(&a, fence) || holds(&a, "<|") ||
        holds(&a, "</think>") || holds(&a, "verdict:") || holds(&a, "\xE2\x80\x8B"))
        __builtin_trap();
    hone_buf_clear(&b);
    if (hone_prompt_fenced("answer", text, fence, 64, &b) < 0 || b.len > 64 + 200)
        __builtin_trap();
    hone_buf_release(&a);
    hone_buf_release(&b);
    return 0;
}
