/* Any bytes as the front matter of a data-set folder's README.md: configurations or none, each a text that ends, and its
 * patterns against names of files. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "hone/source.h"

#ifndef HAVE_ZLIB
#define HAVE_ZLIB
#endif
#ifndef HAVE_ZSTD
#define HAVE_ZSTD
#endif
#include "../../plugins/source/sources/bytes.c"
#include "../../plugins/source/sources/batch.c"
#include "../../plugins/source/sources/check.c"
#include "../../plugins/source/sources/csv.c"
#include "../../plugins/source/sources/dataset.c"
#include "../../plugins/source/sources/files.c"
#include "../../plugins/source/sources/grow.c"
#include "../../plugins/source/sources/rows.c"
#include "../../plugins/source/sources/text.c"
#include "../../plugins/source/sources/sources.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"train.csv", "data/train-00000-of-00001.parquet",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.jsonl"};
    static pattern_of room[MAX_ENTRIES]; /* entries are written whole before they are read */
    readme r = {0};
    if (n > 4096)
        return 0;
    char *text = malloc(n + 1);
    r.v = room;
    if (!text)
        abort();
    memcpy(text, data, n);
    text[n] = 0;
    read_configs(&r, text);
    if (r.n > MAX_ENTRIES || strnlen(r.dflt, sizeof r.dflt) == sizeof r.dflt)
        __builtin_trap();
    for (size_t i = 0; i < r.n; i++) {
        const pattern_of *e = &r.v[i];
        if (strnlen(e->config, NAME) == NAME || strnlen(e->split, NAME) == NAME ||
            strnlen(e->pattern, PATH_MAX) == PATH_MAX || !e->split[0])
            __builtin_trap();
        for (size_t k = 0; i < 8 && k < 3; k++)
            matches(e->pattern, names[k]);
    }
    free(text);
    return 0;
}
