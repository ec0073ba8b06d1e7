/* hone/source.h - data sources: rows as Arrow batches, with a position that can be kept and sought.
 *
 * open gives a stream of record batches (arrow.h): format "+s", one child a column. Columns are typed
 * (bool, integers, floats, utf8, binary, dates as integers, lists, structs, dictionaries of utf8); a
 * utf8 column whose schema metadata says ARROW:extension:name = arrow.json holds one JSON value a cell.
 * Where rows have no common type a source gives one such column, named HONE_SOURCE_ROW, and every cell
 * is a whole row: a JSON object, whose members the host reads as the columns.
 *
 * One that nobody trusts runs in a box: there it has the files and the network that it asks for (HONE_CAP_FS_READ,
 * HONE_CAP_NET) and the command line grants. Its position is asked for behind every batch, and a fresh box begins there when
 * one dies: a batch of up to 190 MB is what it can lose.
 *
 * Position: opaque bytes of the source, small, valid for the same data and settings. After
 * seek(position) the stream goes on as it would have: same rows, same order. (plugin-abi.md 3) */
#ifndef HONE_SOURCE_H
#define HONE_SOURCE_H
#include "hone/arrow.h"
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_SOURCE "hone.source/1"
#define HONE_SOURCE_ROW "hone.row"    /* name of the one column that holds whole rows */
#define HONE_SOURCE_JSON "arrow.json" /* extension name of utf8 cells that hold JSON */

/* Where a position is written to. */
typedef struct hone_bytes_sink {
    uint32_t struct_size, reserved;
    void *ctx;
    hone_status (*put)(const struct hone_bytes_sink *sink, const void *bytes_bor,
                       size_t n); /* [control-thread] */
} hone_bytes_sink;

typedef struct hone_source_v1 {
    uint32_t struct_size, reserved;
    /* A stream from the current position: the start, or what seek set. One stream of an instance is open
     * at a time; its calls are [control-thread & active] too. It must be released before destroy. */
    hone_status (*open)(void *self,
                        struct ArrowArrayStream *out_own); /* [control-thread & !active] */
    /* Where the next get_next begins. [control-thread & !active] */
    hone_status (*position)(void *self, const hone_bytes_sink *sink);
    /* To a position, or with n == 0 to the start. The open stream goes on from there. E_STATE when the
     * data is not what the position was taken from. [control-thread & !active] */
    hone_status (*seek)(void *self, const void *position_bor, size_t n);
    int64_t (*row_count)(
        void *self); /* all rows, -1 when it cannot be told cheaply [control-thread & !active] */
    /* Rows left out so far because they were malformed (settings like on_error = skip); cannot fail. Optional.
     * [control-thread & !active] */
    int64_t (*skipped)(void *self);
    /* Optional: hand only these columns (NULL: all), rows that match `filter` (the source's own language,
     * or empty), at most `limit` rows (-1: all). Before open. [control-thread & !active] */
    hone_status (*push_down)(void *self, const hone_str *columns_bor, size_t n_columns,
                             hone_str filter, int64_t limit);
} hone_source_v1;

/* In C, `const hone_component NAME`, a source with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_SOURCE(name, table, ...)                                                       \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_SOURCE, HONE_IFACE_SOURCE, table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
