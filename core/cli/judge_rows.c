/* judge_rows.c - see judge_rows.h. */
#include "cli/judge_rows.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/map.h"
#include "cli/component.h"

#include <string.h>

static hone_status grow(hone_cli_items *o, size_t *cap)
{
    const size_t more = *cap ? 2 * *cap : 256;
    hone_ask_item *items = hone_reallocarray(o->items, more, sizeof *items);
    if (!items)
        return HONE_E_NOMEM;
    o->items = items;
    hone_value *rows = hone_reallocarray(o->rows, more, sizeof *rows);
    if (!rows)
        return HONE_E_NOMEM;
    o->rows = rows;
    *cap = more;
    return HONE_OK;
}

static hone_status read_all(hone_data *data, const char *path, int64_t limit, hone_cli_items *o)
{
    hone_map seen;
    size_t cap = 0;
    hone_status s = 1;
    hone_map_init(&seen);
    while (s > 0 && (limit <= 0 || o->n < (size_t)limit)) {
        if (o->n == cap && (s = grow(o, &cap)) < 0)
            break;
        s = hone_data_next(data, &o->arena, &o->rows[o->n]);
        if (s <= 0)
            break;
        hone_ask_item *it = &o->items[o->n];
        s = hone_ask_item_read(path, &o->rows[o->n], o->n + 1, &o->arena, it);
        if (s >= 0 && hone_map_has(&seen, it->id.ptr, it->id.len)) {
            s = hone_fail(HONE_E_EXISTS, "%s: row %zu: a second item with the id \"%.*s\"", path,
                          o->n + 1, (int)(it->id.len < 80 ? it->id.len : 80), it->id.ptr);
            hone_fail_hint("labels and verdicts belong to an item by its id: give each its own");
        }
        if (s >= 0)
            s = hone_map_put(&seen, it->id.ptr, it->id.len, it, NULL);
        if (s >= 0) {
            o->n++;
            s = 1;
        }
    }
    hone_map_release(&seen);
    if (s >= 0 && o->n == 0)
        s = hone_fail(HONE_E_INVALID, "%s: there is no row in it", path);
    return s;
}

hone_status hone_cli_items_read(hone_registry *r, const char *source, const char *path,
                                int64_t limit, hone_cli_items *out)
{
    hone_cli_items o = {.n = 0};
    hone_data *data = NULL;
    hone_arena_init(&o.arena, (size_t)4 << 30);
    hone_status s = hone_cli_open_data(r, source, path, NULL, &data);
    if (s >= 0)
        s = read_all(data, path, limit, &o);
    hone_data_close(data);
    if (s >= 0 && hone_file_exists(path))
        s = hone_sha256_file(path, o.sha256);
    if (s < 0) {
        hone_cli_items_release(&o);
        return s;
    }
    *out = o;
    return HONE_OK;
}

void hone_cli_items_release(hone_cli_items *o)
{
    hone_arena_release(&o->arena);
    hone_free(o->items);
    hone_free(o->rows);
    memset(o, 0, sizeof *o);
}
