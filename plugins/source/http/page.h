/* page.h - a page of JSON: its rows and the cursor of the next one. See page.c. */
#ifndef HONE_HTTP_PAGE_H
#define HONE_HTTP_PAGE_H
#include "feed.h"

typedef struct page_rules {
    const char *rows, *next; /* dotted names; rows "": looked for */
    names columns;           /* only these; empty: all */
    names typed;             /* name, type, name, type, ... */
    const char *key;         /* a column that tells rows apart, or "" */
} page_rules;

typedef struct page {
    const hone_value *list; /* the rows, in the parser's memory */
    char next[2048];        /* "" at the end */
} page;

/* Where rows and cursor are. 0, EINVAL with the text in f->error (behind `where`). */
int page_read(feed *f, const page_rules *rules, const hone_value *root, const char *where,
              page *out);
/* "a:integer,b:string" into rules->typed. */
int page_types(feed *f, const char *types, size_t n, names *out);
/* The row as JSON text in *out (cleared first). EINVAL: no object, a column that is missing or of another type. */
int page_row(feed *f, const page_rules *rules, const hone_value *row, size_t number,
             const char *where, text *out);
/* A hash of the key's value; 0 when the row has none. */
uint64_t page_key(const page_rules *rules, const hone_value *row);
#endif
