/* book_private.h - what book.c and book_labels.c share. Nobody else includes it. */
#ifndef HONE_CORE_JUDGE_BOOK_PRIVATE_H
#define HONE_CORE_JUDGE_BOOK_PRIVATE_H
#include "judge/book.h"

#include <pthread.h>
#include <sqlite3.h>

struct hone_book {
    sqlite3 *db;
    char *path;
    pthread_mutex_t lock; /* recursive; kept from begin to commit */
    int open;             /* a transaction is */
};

/* Around a change: a transaction of its own unless the caller has one (*mine 0). leave commits, or rolls back when s < 0; it
 * must be called when enter succeeded, and not otherwise. */
hone_status hone__book_enter(hone_book *b, int *mine);
hone_status hone__book_leave(hone_book *b, int mine, hone_status s);
hone_status hone__book_fail(const hone_book *b, int rc);
hone_status hone__book_prepare(hone_book *b, const char *sql, sqlite3_stmt **q);
/* 1: a row, 0: done. */
hone_status hone__book_step(hone_book *b, sqlite3_stmt *q);
void hone__book_bind_str(sqlite3_stmt *q, int at, hone_str s); /* ptr NULL: NULL */
void hone__book_bind_z(sqlite3_stmt *q, int at, const char *z);
hone_str hone__book_text(sqlite3_stmt *q, int column); /* until the next step */
hone_status hone__book_take(sqlite3_stmt *q, int column, hone_arena *arena, hone_str *out);
#endif
