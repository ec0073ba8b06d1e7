/* scan.h - the text of a row of JSON, in one pass over its bytes and without a tree.
 *
 * A row passes through `hone data` byte for byte; what the steps ask is its text: the strings of chosen columns, or all that
 * it says. The scanner checks the row as the reader of JSON does (RFC 8259, well-formed UTF-8, no key twice, at most
 * HONE_JSON_DEPTH deep) and collects the wanted strings, unescaped, as pieces with an end each. So two rows have the same pieces only
 * when they say the same, wherever a separator may stand in them.
 *
 * Does not: keep numbers exactly (they are taken as they are written), change anything in the row.
 * One scanner a thread; what it gives is good until its next row. */
#ifndef HONE_CORE_CURATE_SCAN_H
#define HONE_CORE_CURATE_SCAN_H
#include "base/buf.h"

enum { HONE_SCAN_COLUMNS = 16, HONE_SCAN_PARTS = 8 };

typedef struct hone_scan_column {
    hone_str name; /* as given: "messages.content" */
    hone_str part[HONE_SCAN_PARTS];
    size_t n;
} hone_scan_column;

typedef struct hone_scan {
    char *spec;
    hone_scan_column column[HONE_SCAN_COLUMNS];
    size_t n_columns; /* 0: all that the row says */
    /* Of the last row. */
    hone_buf text; /* the pieces, a newline behind each */
    size_t *end;   /* of each piece in `text`, before its newline */
    size_t n;
    /* Its own. */
    hone_buf part[HONE_SCAN_COLUMNS], key;
    size_t *part_end[HONE_SCAN_COLUMNS], part_n[HONE_SCAN_COLUMNS], part_cap[HONE_SCAN_COLUMNS];
    size_t cap, n_keys, cap_keys;
    uint64_t *keys;
} hone_scan;

/* `columns`: names parted by commas, each perhaps with dots ("question,answer", "messages.content"): all strings, numbers and
 * truth values at or below that place, lists passed through, in the order of the names. NULL: every string of the row in
 * the order of the row, but those whose key is one of hone_scan_silent's. E_USAGE: an empty name, too many. */
hone_status hone_scan_init(hone_scan *s, const char *columns);
void hone_scan_release(hone_scan *s); /* one that is zero is allowed */
/* The row's text. E_PARSE: what is wrong and at which byte; E_NOT_FOUND: a column that is not there. [any-thread] */
hone_status hone_scan_row(hone_scan *s, hone_str row);
/* Keys whose strings say nothing of their own: role, from, id, ... */
int hone_scan_silent(hone_str key);
/* The piece number i. */
static inline hone_str hone_scan_piece(const hone_scan *s, size_t i)
{
    size_t begin = i ? s->end[i - 1] + 1 : 0;
    hone_str piece = {s->text.ptr + begin, s->end[i] - begin};
    return piece;
}
#endif
