/* Any bytes as a page of the source http: rows that the host's reader takes again, or an error. The first byte chooses the
 * settings. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../../plugins/source/sources/grow.h"

#include "base/arena.h"
#include "base/json.h"

#include "../../plugins/source/http/page.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void *resize(void *self, void *p, size_t old_size, size_t size)
{
    (void)self;
    (void)old_size;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}
static const hone_mem_v1 mem_vtable = {sizeof mem_vtable, 0, resize};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct {
        const char *rows, *next, *columns, *types, *key;
    } settings[] = {{"", "next", "", "", ""},
                    {"data.items", "meta.next", "a,b", "", "id"},
                    {"", "next", "", "a:integer,b:string", "a"},
                    {"data", "", "a", "a:list", "a"}};
    memory mem = {{NULL, &mem_vtable}};
    feed f = {.mem = mem};
    hone_arena arena, again;
    hone_value root, copy;
    page p;
    text row = {0};
    if (n == 0)
        return 0;
    size_t k = data[0] % (sizeof settings / sizeof *settings);
    page_rules rules = {.rows = settings[k].rows, .next = settings[k].next, .key = settings[k].key};
    if (names_split(&mem, &rules.columns, settings[k].columns, strlen(settings[k].columns)) ||
        page_types(&f, settings[k].types, strlen(settings[k].types), &rules.typed))
        abort();
    hone_arena_init(&arena, 0);
    hone_arena_init(&again, 0);
    if (hone_json_parse((const char *)data + 1, n - 1, "page", &arena, &root) >= 0 &&
        page_read(&f, &rules, &root, "page", &p) == 0) {
        if (p.list->type != HONE_LIST || !memchr(p.next, 0, sizeof p.next))
            abort();
        for (size_t i = 0; i < p.list->u.list.n; i++) {
            page_key(&rules, &p.list->u.list.items[i]);
            if (page_row(&f, &rules, &p.list->u.list.items[i], i + 1, "page", &row))
                continue;
            if (hone_json_parse(row.p, row.n, "row", &again, &copy) < 0 || copy.type != HONE_MAP)
                abort(); /* what it writes must be read */
            hone_arena_clear(&again);
        }
    }
    text_free(&mem, &row);
    names_free(&mem, &rules.columns);
    names_free(&mem, &rules.typed);
    hone_arena_release(&arena);
    hone_arena_release(&again);
    return 0;
}
