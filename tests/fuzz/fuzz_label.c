/* fuzz_label.c - what a labelling page sends, and label rows of files.
 *
 * The first byte says which: a body for POST /api/labels, taken for an expert of a pointwise checklist or of a pairwise
 * labelling, with tasks 1 to 4; or a label row. Whatever comes, nothing breaks, a present label is one that JUDGE's row allows,
 * and the same body again changes nothing. The book lies in memory's file system. */
#include "judge/label_file.h"
#include "judge/labels.h"

#include "base/alloc.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct side {
    hone_book *book;
    hone_rubric *rubric;
    hone_labels *labels;
    hone_label_expert expert;
} side;

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

/* SQLite writes to no file that was removed, so they are removed at the end. */
static void clean_up(void)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    char path[80];
    for (int number = 0; number < 2; number++)
        for (size_t i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "/dev/shm/hone-fuzz-label-%d-%d.sqlite%s", (int)getpid(),
                     number, tails[i]);
            unlink(path);
        }
}

static void open_side(side *s, const char *text, const char *item, int number)
{
    char path[64], token[HONE_LABEL_TOKEN];
    hone_arena arena;
    hone_value row;
    snprintf(path, sizeof path, "/dev/shm/hone-fuzz-label-%d-%d.sqlite", (int)getpid(), number);
    MUST(hone_book_open(path, &s->book) >= 0);
    sqlite3_exec(hone_book_db(s->book), "PRAGMA synchronous=OFF", NULL, NULL, NULL);
    MUST(hone_rubric_read(text, strlen(text), "fuzz", &s->rubric) >= 0);
    MUST(hone_labels_open(s->book, s->rubric, 0, &s->labels) >= 0);
    hone_arena_init(&arena, 0);
    MUST(hone_json_parse(item, strlen(item), NULL, &arena, &row) >= 0);
    hone_label_pick picks[4];
    static const char *const ids[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++)
        picks[i] = (hone_label_pick){.row = &row,
                                     .id = hone_str_c(ids[i]),
                                     .prompt_id = hone_str_c("p"),
                                     .probability = 0.5,
                                     .why = "uniform"};
    MUST(hone_labels_add_batch(s->labels, picks, 4, 8) >= 0);
    MUST(hone_labels_expert(s->labels, "ann", 0, 1, 0, token) == 1);
    MUST(hone_labels_who(s->labels, hone_str_c(token), &s->expert) == 1);
    MUST(hone_labels_deal(s->labels) >= 0);
    hone_arena_release(&arena);
}

static hone_status look(void *ctx, const hone_label *l)
{
    size_t *n = ctx;
    MUST(l->item.len == 1 && strchr("abcd", l->item.ptr[0]));
    MUST(hone_str_eq(l->expert, "ann") && l->probability == 0.5);
    MUST(isnan(l->score) || (l->score >= 0 && l->score <= 1));
    MUST(!l->choice.len || hone_str_eq(l->choice, "a") || hone_str_eq(l->choice, "b") ||
         hone_str_eq(l->choice, "tie"));
    (*n)++;
    return HONE_OK;
}

/* Present labels, and one number of what they are. */
static size_t present(side *s)
{
    size_t n = 0;
    MUST(hone_book_labels(s->book, NULL, NULL, look, &n) >= 0);
    return n;
}

static void take(side *s, const char *text, size_t len)
{
    hone_arena arena;
    hone_value body;
    size_t n[2] = {0, 0};
    hone_arena_init(&arena, 64 << 20);
    if (hone_json_parse(text, len, "the body", &arena, &body) >= 0)
        for (size_t k = 0; k < 2; k++) {
            hone_buf b;
            hone_jw w;
            hone_buf_init(&b, 1 << 24);
            hone_jw_init(&w, &b, 0);
            hone_jw_map(&w);
            hone_status st = hone_labels_take(s->labels, &s->expert, &body, &w);
            hone_jw_end(&w);
            MUST(st < 0 || b.failed >= 0);
            hone_buf_release(&b);
            n[k] = present(s);
        }
    MUST(n[0] == n[1]);
    hone_arena_release(&arena);
}

static void read_row(const char *text, size_t len)
{
    hone_arena arena;
    hone_value row;
    hone_label l;
    hone_arena_init(&arena, 64 << 20);
    if (hone_json_parse(text, len, NULL, &arena, &row) >= 0 &&
        hone_label_row_read(&row, &arena, &l) >= 0) {
        MUST(isnan(l.score) || isfinite(l.score));
        MUST(isnan(l.seconds) || isfinite(l.seconds));
        MUST(l.duplicate == 0 || l.duplicate == 1);
    }
    hone_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static side list, pair;
    if (!list.labels) {
        atexit(clean_up);
        open_side(
            &list,
            "return {id = \"l\", version = \"1\", shape = \"pointwise\", task = \"x\", criteria = {"
            "{id = \"k\", text = \"x\", choices = {\"no\", \"yes\"}}}}",
            "{\"prompt\":\"p\",\"completion\":\"c\",\"model\":\"m\"}", 0);
        open_side(
            &pair,
            "return {id = \"p\", version = \"1\", shape = \"pairwise\", task = \"x\", criteria = {"
            "{id = \"k\", text = \"x\"}}}",
            "{\"prompt\":\"p\",\"candidates\":[\"c\",\"d\"],\"n\":1}", 1);
    }
    if (!size)
        return 0;
    const char *text = (const char *)data + 1;
    switch (data[0] % 3) {
    case 0:
        take(&list, text, size - 1);
        break;
    case 1:
        take(&pair, text, size - 1);
        break;
    default:
        read_row(text, size - 1);
    }
    return 0;
}
