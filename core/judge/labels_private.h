/* labels_private.h - what labels.c, labels_take.c and labels_view.c share. Nobody else includes it. */
#ifndef HONE_CORE_JUDGE_LABELS_PRIVATE_H
#define HONE_CORE_JUDGE_LABELS_PRIVATE_H
#include "judge/labels.h"

#include <pthread.h>
#include <sqlite3.h>

/* What a lead settled: `labels` are the ids of the labels that were present, `replaced` by the settlement of that id. */
#define HONE_SETTLED_SCHEMA                                                                        \
    "CREATE TABLE IF NOT EXISTS settled_label (id INTEGER PRIMARY KEY, item TEXT NOT NULL, lead "  \
    "TEXT NOT NULL, score REAL, choice TEXT, criteria TEXT, prompt_id TEXT, batch TEXT, "          \
    "probability REAL, note TEXT, split TEXT, slices TEXT, labels TEXT NOT NULL, at TEXT NOT "     \
    "NULL, event TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, replaced INTEGER);"                     \
    "CREATE UNIQUE INDEX IF NOT EXISTS settled_now ON settled_label (item) WHERE replaced IS "     \
    "NULL;"

enum { HONE_TASK_OPEN = 0, HONE_TASK_LABELLED = 1, HONE_TASK_SKIPPED = 2 };

typedef struct hone__label_expert {
    hone_label_expert who;
    unsigned char token[32]; /* SHA-256; zeros: none */
    int has_token;
} hone__label_expert;

struct hone_labels {
    hone_book *book;
    sqlite3 *db;
    const hone_rubric *rubric;
    uint64_t seed;
    pthread_mutex_t lock;
    hone__label_expert *experts;
    size_t n_experts;
};

/* Under the lock, within a transaction of the book: */
hone_status hone__labels_sql(hone_labels *l, const char *sql, sqlite3_stmt **q);
hone_status hone__labels_step(hone_labels *l, sqlite3_stmt *q); /* 1: a row, 0: done */
hone_str hone__labels_text(sqlite3_stmt *q, int column);        /* until the next step */
void hone__labels_bind(sqlite3_stmt *q, int at, hone_str s);
/* Members of the open object: who said what, in columns 0 to 3 of q: expert, score, choice, criteria. */
hone_status hone__labels_put_given(hone_jw *w, sqlite3_stmt *q, hone_arena *arena);
/* One number of a query without parameters, or with one text. */
hone_status hone__labels_number(hone_labels *l, const char *sql, const char *text, int64_t *out);
/* Lock and transaction, and their end: commits when s >= 0. Returns s, or the failure to commit. */
hone_status hone__labels_enter(hone_labels *l);
hone_status hone__labels_leave(hone_labels *l, hone_status s);
/* What an event answers, sides turned back where `swapped`: level, choice or criteria by the rubric. Texts are the event's, static,
 * or in `json`. E_INVALID when it does not answer what the rubric asks. */
hone_status hone__labels_answer(const hone_labels *l, const hone_value *ev, int swapped,
                                hone_buf *json, hone_label *label);
/* Is it an event's id: 16 to 64 digits of hex? */
int hone__labels_is_id(hone_str s);
/* The settlement of an item as the member "settled" of the open map; nothing where there is none. */
hone_status hone__labels_put_settled(hone_labels *l, hone_str item, hone_arena *arena, hone_jw *w);
/* How far an expert is: tasks of all batches. */
hone_status hone__labels_progress(hone_labels *l, int64_t expert, int64_t *done, int64_t *total);
#endif
