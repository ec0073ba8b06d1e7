/* Rows of json and jsonl: what the source's check lets through, the host's parser reads. */
#include "../../plugins/source/sources/check.c"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *copy = malloc(n ? n : 1); /* exact, so that a read past the end is seen */
    size_t at = 0;
    hone_arena arena;
    hone_value row;
    memcpy(copy, data, n);
    if (check_row(copy, n, &at) == NULL) {
        hone_arena_init(&arena, 0);
        hone_status s = hone_json_parse(copy, n, "row", &arena, &row);
        /* the host refuses equal keys and numbers of more than 63 characters, too */
        if (s < 0 && !strstr(hone_error_get()->what, "twice") &&
            !strstr(hone_error_get()->what, "number") && s != HONE_E_NOMEM)
            abort();
        if (s >= 0 && row.type != HONE_MAP)
            abort();
        hone_arena_release(&arena);
    } else if (at > n) {
        abort();
    }
    free(copy);
    return 0;
}
