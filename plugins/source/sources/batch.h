/* batch.h - rows of text as an Arrow batch with one utf8 column. See batch.c. */
#ifndef HONE_SOURCES_BATCH_H
#define HONE_SOURCES_BATCH_H
#include "grow.h"
#include "hone/source.h"

/* Rows gathered one after the other. */
typedef struct batch {
    memory mem;
    char *text;
    int32_t *ends; /* of each row in text */
    size_t n, len, cap_rows, cap_text;
} batch;
void batch_init(batch *b, const memory *mem);
void batch_release(batch *b);
int batch_add(batch *b, const char *row, size_t n); /* 0, ENOMEM, EOVERFLOW past 2 GiB */
/* The rows as an Arrow array, which owns a copy; the batch is empty again. 0 or ENOMEM. */
int batch_hand_out(batch *b, struct ArrowArray *out);
/* The schema of such batches. 0 or ENOMEM. */
int batch_schema(const memory *mem, struct ArrowSchema *out);
#endif
